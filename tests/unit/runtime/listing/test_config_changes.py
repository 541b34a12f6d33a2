"""What changes for a running agent when peer.toml is read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from leftzmq.bandwidth.timetable import BandwidthLimits, parse_timetable
from leftzmq.config import (
    Config,
    DeviceConfig,
    DiscoveryConfig,
    Endpoint,
    FolderConfig,
    Limits,
    PeerConfig,
)
from leftzmq.runtime.listing.config_changes import ConfigChanges, changes

HERE = Endpoint("127.0.0.1", 7700)
B = PeerConfig("b", Endpoint("192.168.1.2", 7700), b"k" * 32)
C = PeerConfig("c", None, b"l" * 32)
KEYLESS = PeerConfig("d", Endpoint("192.168.1.4", 7700))
FOLDER = FolderConfig("share", Path("/share"), Path("/secret"))
BEFORE = Config(Path("/peer.toml"), DeviceConfig("a", Path("/state"), HERE), (FOLDER,), (B, C))

KEYED = replace(KEYLESS, key=b"n" * 32)
OTHER_KEY, OTHER_NAME = replace(B, key=b"m" * 32), replace(B, name="bb")
LIMITS = BandwidthLimits(up=parse_timetable("1 MB/s", ""))
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
        ((replace(B, limits=LIMITS), C), ConfigChanges(used=("[[peer]] b up",))),
        ((MOVED, C), ConfigChanges(moved=(MOVED,))),
        ((UNREACHABLE, C), ConfigChanges(moved=(UNREACHABLE,))),
        ((B, replace(C, address=HERE)), ConfigChanges(moved=(replace(C, address=HERE),))),
    ],
)
def test_peers(peers: tuple[PeerConfig, ...], found: ConfigChanges) -> None:
    assert changes(BEFORE, replace(BEFORE, peers=peers)) == found


def test_of_this_device_each_key_that_changed_needs_a_start() -> None:
    device = replace(BEFORE.device, name="x", news=HERE)
    after = replace(BEFORE, device=device, folders=(FOLDER, MORE))
    found = ConfigChanges(folders=(MORE,), need_a_start=("[device] name", "[device] news"))
    assert changes(BEFORE, after) == found


MORE = FolderConfig("more", Path("/more"), Path("/other secret"))
RENAMED = replace(FOLDER, id="renamed")
PLACED = replace(FOLDER, path=Path("/place"))
KEYED_ANEW = replace(FOLDER, secret=Path("/new secret"), patience_s=5.0)


@pytest.mark.parametrize(
    ("folders", "found"),
    [
        ((FOLDER, MORE), ConfigChanges(folders=(MORE,))),
        ((), ConfigChanges(gone=("share",))),
        ((RENAMED,), ConfigChanges(folders=(RENAMED,), gone=("share",))),
        ((PLACED,), ConfigChanges(folders=(PLACED,), gone=("share",))),
        ((KEYED_ANEW,), ConfigChanges(folders=(KEYED_ANEW,), gone=("share",))),
    ],
)
def test_folders(folders: tuple[FolderConfig, ...], found: ConfigChanges) -> None:
    assert changes(BEFORE, replace(BEFORE, folders=folders)) == found


def test_what_is_read_when_it_is_used_is_named_by_its_key() -> None:
    limits = Limits(trash_days=7.0, index_entries=5_000)
    tuned = replace(FOLDER, limits=limits, patience_s=5.0, ignore=("*.iso",), litter=False)
    keys = ("trash_days", "index_entries", "patience_s", "ignore", "litter")
    found = ConfigChanges(
        tuned=(tuned,),
        used=("[discovery] local", *(f"[[folder]] share {key}" for key in keys)),
    )
    discovery = DiscoveryConfig(local=False)
    assert changes(BEFORE, replace(BEFORE, folders=(tuned,), discovery=discovery)) == found


def test_limits_are_used_at_once_and_named_where_they_stand() -> None:
    limited = replace(B, limits=LIMITS)
    after = replace(BEFORE, peers=(limited, C), limits=LIMITS)
    found = ConfigChanges(used=("[limits] up", "[[peer]] b up"))
    assert changes(BEFORE, after) == found
    back = replace(B, limits=BandwidthLimits(down=LIMITS.up))
    names = ("[limits] up", "[[peer]] b up", "[[peer]] b down")
    assert changes(after, replace(BEFORE, peers=(back, C))) == ConfigChanges(used=names)
    moved = replace(MOVED, limits=LIMITS)
    found = ConfigChanges(moved=(moved,), used=("[[peer]] b up",))
    assert changes(BEFORE, replace(BEFORE, peers=(moved, C))) == found


def test_a_peer_that_is_only_renamed_is_not_lost() -> None:
    assert changes(BEFORE, replace(BEFORE, peers=(OTHER_NAME, C))).lost_peers == ()
    assert changes(BEFORE, replace(BEFORE, peers=(OTHER_KEY,))).lost_peers == (B, C)
