"""Sightings that wait: which of them is the origin of a renamed file, and which is true no more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.index.store import Store
from leftzmq.sync.versions.held_sightings import HeldSightings, still_true
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.local_changes import found
from leftzmq.sync.versions.path_locks import LockOwner, PathLocks
from leftzmq.tree.entry import ContentId, Kind, Observed, ScanKey
from leftzmq.tree.version import make_life


@dataclass(frozen=True)
class Held:
    sighting: Sighting


def key(inode: int, kind: Kind = Kind.FILE, mtime_ns: int = 1) -> ScanKey:
    return ScanKey(kind, 1, mtime_ns, 1, inode, False, 1)


def gone(path: str, inode: int) -> Held:
    return Held(Sighting(path, Sight.GONE, key(inode)))


def test_a_file_that_is_found_has_its_origin_by_its_inode() -> None:
    held: HeldSightings[Held] = HeldSightings()
    held.hold(gone("a", 1))
    held.hold(gone("b", 2))
    origin = held.origin_of(Sighting("c", Sight.FOUND, key(2)))
    assert origin is not None and origin.sighting.path == "b"
    assert held.origin_of(Sighting("c", Sight.FOUND, key(3))) is None


def test_a_folder_that_got_the_inode_of_a_file_has_no_origin() -> None:
    held: HeldSightings[Held] = HeldSightings()
    held.hold(gone("a", 1))
    assert held.origin_of(Sighting("d", Sight.FOUND, key(1, Kind.DIRECTORY))) is None


def test_what_is_found_is_no_origin() -> None:
    held: HeldSightings[Held] = HeldSightings()
    held.hold(Held(Sighting("a", Sight.FOUND, key(1))))
    assert held.origin_of(Sighting("b", Sight.FOUND, key(1))) is None


@pytest.mark.parametrize("released", ["a", "b"])
def test_of_two_names_of_a_file_the_one_that_is_still_held_is_the_origin(released: str) -> None:
    """Both names of a file with two links are gone. One of them is seen again."""
    held: HeldSightings[Held] = HeldSightings()
    held.hold(gone("a", 1))
    held.hold(gone("b", 1))
    held.release(released)
    origin = held.origin_of(Sighting("c", Sight.FOUND, key(1)))
    (left,) = {"a", "b"} - {released}
    assert origin is not None and origin.sighting.path == left


def test_nothing_is_the_origin_of_anything_when_all_is_released() -> None:
    held: HeldSightings[Held] = HeldSightings()
    held.hold(gone("a", 1))
    assert [each.sighting.path for each in held.release_all()] == ["a"]
    assert not held and held.origin_of(Sighting("c", Sight.FOUND, key(1))) is None


@pytest.mark.parametrize("case", ["as it was", "written since", "never held", "locked"])
def test_what_is_held_is_reported_only_if_nothing_was_done_there_since(
    tmp_path: Path, case: str
) -> None:
    store, locks = Store(tmp_path / "index.db"), PathLocks()
    store.heads.begin_life(make_life(b"self", 1, b"aaaa"))
    there = key(1, mtime_ns=2 if case in ("written since", "never held") else 1)
    found(IndexView(store), Observed("a", Kind.FILE, 1, 1, False, ContentId(b"%032d" % 1)), there)
    if case == "locked":
        assert locks.lock("a", LockOwner.APPLIER)
    seen = gone("a", 1).sighting
    true, changed = still_true([seen], store, locks, lambda _: case != "never held")
    if case in ("as it was", "never held"):
        assert (true, changed) == ([seen], [])
    else:
        assert (true, changed) == ([], ["a"])
