"""What changes in a list of peers when peer.toml is read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leftzmq.config import Config, DeviceConfig, Endpoint, FolderConfig, PeerConfig
from leftzmq.runtime.peer_list import PeerChanges, changes

HERE = Endpoint("127.0.0.1", 7700)
B = PeerConfig("b", Endpoint("192.168.1.2", 7700), b"k" * 32)
C = PeerConfig("c", None, b"l" * 32)
KEYLESS = PeerConfig("d", Endpoint("192.168.1.4", 7700))
FOLDER = FolderConfig("share", Path("/share"), Path("/secret"))
BEFORE = Config(Path("/peer.toml"), DeviceConfig("a", Path("/state"), HERE), (FOLDER,), (B, C))

KEYED = replace(KEYLESS, key=b"n" * 32)
OTHER_KEY, OTHER_NAME = replace(B, key=b"m" * 32), replace(B, name="bb")
MOVED, UNREACHABLE = replace(B, address=Endpoint("192.168.1.9", 7700)), replace(B, address=None)


@pytest.mark.parametrize(
    ("peers", "found"),
    [
        ((B, C), PeerChanges()),
        ((C, B), PeerChanges()),
        ((B,), PeerChanges(removed=(C,))),
        ((), PeerChanges(removed=(B, C))),
        ((B, C, KEYLESS), PeerChanges()),
        ((B, C, KEYED), PeerChanges(added=(KEYED,))),
        ((OTHER_KEY, C), PeerChanges(removed=(B,), added=(OTHER_KEY,))),
        ((OTHER_NAME, C), PeerChanges(removed=(B,), added=(OTHER_NAME,))),
        ((replace(B, key=None), C), PeerChanges(removed=(B,))),
        ((MOVED, C), PeerChanges(moved=(MOVED,))),
        ((UNREACHABLE, C), PeerChanges(moved=(UNREACHABLE,))),
        ((B, replace(C, address=HERE)), PeerChanges(moved=(replace(C, address=HERE),))),
    ],
)
def test_peers(peers: tuple[PeerConfig, ...], found: PeerChanges) -> None:
    assert changes(BEFORE, replace(BEFORE, peers=peers)) == found


def test_what_else_changed_needs_a_start() -> None:
    more = replace(FOLDER, id="more")
    after = replace(
        BEFORE,
        device=replace(BEFORE.device, name="x"),
        folders=(replace(FOLDER, patience_s=5.0), more),
    )
    named = ("[device]", "[[folder]] more", "[[folder]] share")
    assert changes(BEFORE, after).need_a_start == named
    assert changes(after, BEFORE).need_a_start == named
