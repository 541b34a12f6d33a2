"""What changes for a running agent when peer.toml is read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leftzmq.config import Config, DeviceConfig, Endpoint, FolderConfig, PeerConfig
from leftzmq.runtime.listing.config_changes import ConfigChanges, changes

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
        ((B, C), ConfigChanges()),
        ((C, B), ConfigChanges()),
        ((B,), ConfigChanges(removed=(C,))),
        ((), ConfigChanges(removed=(B, C))),
        ((B, C, KEYLESS), ConfigChanges()),
        ((B, C, KEYED), ConfigChanges(added=(KEYED,))),
        ((OTHER_KEY, C), ConfigChanges(removed=(B,), added=(OTHER_KEY,))),
        ((OTHER_NAME, C), ConfigChanges(removed=(B,), added=(OTHER_NAME,))),
        ((replace(B, key=None), C), ConfigChanges(removed=(B,))),
        ((MOVED, C), ConfigChanges(moved=(MOVED,))),
        ((UNREACHABLE, C), ConfigChanges(moved=(UNREACHABLE,))),
        ((B, replace(C, address=HERE)), ConfigChanges(moved=(replace(C, address=HERE),))),
    ],
)
def test_peers(peers: tuple[PeerConfig, ...], found: ConfigChanges) -> None:
    assert changes(BEFORE, replace(BEFORE, peers=peers)) == found


def test_what_else_changed_needs_a_start() -> None:
    more = replace(FOLDER, id="more")
    after = replace(
        BEFORE,
        device=replace(BEFORE.device, name="x"),
        folders=(replace(FOLDER, patience_s=5.0), more),
    )
    there, back = changes(BEFORE, after), changes(after, BEFORE)
    assert there.need_a_start == ("[device]", "[[folder]] share", "[[folder]] more")
    assert back.need_a_start == ("[device]", "[[folder]] share") and back.gone == ("more",)
    assert there.folders == back.folders == () and there.gone == ()


def test_a_folder_that_comes_or_goes_needs_no_start() -> None:
    more = FolderConfig("more", Path("/more"), Path("/other secret"))
    after = replace(BEFORE, folders=(FOLDER, more))
    assert changes(BEFORE, after) == ConfigChanges(folders=(more,))
    renamed = replace(BEFORE, folders=(replace(FOLDER, id="renamed"),))
    assert changes(BEFORE, renamed) == ConfigChanges(folders=renamed.folders, gone=("share",))
