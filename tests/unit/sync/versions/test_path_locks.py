"""Settler and applier at the same path: what one saw before the other began counts for nothing,
and what one finds for the other is tried once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.disk.staging.lefting import lefting_path
from leftzmq.index.rows import Row
from leftzmq.sync.facts import (
    Fact,
    FoundDeleted,
    FoundDeletedBytes,
    PathsCleared,
    PathsTouched,
    RescanWanted,
    TimePassed,
    Touch,
)
from leftzmq.sync.versions.path_locks import LockOwner
from leftzmq.tree.conflict import conflict_path
from leftzmq.tree.entry import Entry, ScanKey
from leftzmq.tree.plan import Held
from tests.helpers.mesh import Device, Mesh
from tests.helpers.trees import deleted, folder, made
from tests.unit.sync.test_mesh import together, trash


@pytest.fixture
def a(tmp_path: Path) -> Device:
    mesh = Mesh(tmp_path, "AB")
    for device in mesh.devices.values():
        device.start()
    a = mesh.devices["A"]
    a.write("f", b"bytes")
    together(mesh)
    return a


def ours(a: Device) -> tuple[Entry, ScanKey]:
    row = a.store.ours("f")
    assert row is not None and row.scan is not None
    return row.entry, row.scan


def test_what_was_seen_before_the_applier_began_is_looked_at_again(a: Device) -> None:
    """Its claim came between the look and the version that would have been made of it: then a
    version of ours would be followed by an older one, and the others would drop us."""
    entry, key = ours(a)
    assert a.folder.locks.lock("f", LockOwner.APPLIER)
    a.take(PathsCleared("share", (Sighting("f", Sight.GONE, key),)))
    a.mesh.settle(seconds=1.0)
    assert ours(a) == (entry, key), "nothing is said of it while the applier is there"
    (a.share / "f").unlink()
    a.folder.locks.release(("f",), LockOwner.APPLIER)
    a.mesh.settle()
    row = a.store.ours("f")
    assert row is not None and row.entry.deleted


def test_what_a_scan_found_and_is_ours_since_then_is_not_removed(a: Device) -> None:
    entry, key = ours(a)
    grave = deleted("z", entry)
    a.take(FoundDeletedBytes("share", FoundDeleted(grave, Held(key, entry.content))))
    a.mesh.settle()
    assert (a.share / "f").read_bytes() == b"bytes" and not trash(a)
    assert a.folder.state.value == "idle"


def test_a_folder_that_is_found_deleted_again_and_again_is_tried_once(a: Device) -> None:
    """Before the first walk is over its tombstone is not taken, so every look at it finds it."""
    (a.share / "d").mkdir()
    (a.share / "d/mine").write_bytes(b"mine")
    a.folder.index_view.walked = False
    grave = deleted("z", made("z", folder("d")))
    a.store.put(Row(grave, a.store.heads.head_of(a.mesh.devices["B"].key).mask))
    a.take(RescanWanted("share", ("d",), walk=True))
    a.mesh.settle(limit=20_000)
    assert (a.share / "d/mine").read_bytes() == b"mine"
    kept = a.store.ours("d")
    assert kept is not None and not kept.entry.deleted and kept.entry.rank > grave.rank


def turns_of_time(device: Device) -> list[TimePassed]:
    """The turns of its loop from now on that come only because time passed; the list grows."""
    turns: list[TimePassed] = []
    handle = device.handle

    def counted(fact: Fact) -> None:
        if isinstance(fact, TimePassed):
            turns.append(fact)
        handle(fact)

    device.handle = counted  # type: ignore[method-assign]
    return turns


def test_many_paths_that_the_applier_works_at_are_one_turn_each_time(a: Device) -> None:
    paths, turns = [f"p{number}" for number in range(10)], turns_of_time(a)
    for path in paths:
        assert a.folder.locks.lock(path, LockOwner.APPLIER)
        a.mesh.now += 0.003
        a.take(PathsTouched("share", ((path, Touch.MADE),)))
        while a.mesh.step():
            pass
    a.mesh.settle(seconds=1.0)
    assert len(turns) < 60, "40 a second, and some of the others"
    a.folder.locks.release(paths, LockOwner.APPLIER)
    a.mesh.settle()
    assert a.folder.scheduler.idle


def come_one_by_one(a: Device, paths: list[str]) -> None:
    """B changes the mtime of each, and A hears of each at another time."""
    b = a.mesh.devices["B"]
    for path in paths:
        os.utime(b.share / path, (2e9, 2e9))
        b.take(PathsTouched("share", ((path, Touch.CLOSED),)))
        a.mesh.settle(seconds=0.103)


def are_here(a: Device, paths: list[str]) -> bool:
    return all((a.share / path).stat().st_mtime == 2e9 for path in paths)


def test_many_tickets_that_wait_for_locks_take_no_turns(a: Device) -> None:
    """Each had a time of its own to try again."""
    paths = [f"p{number}" for number in range(10)]
    for path in paths:
        a.write(path, b"bytes")
    together(a.mesh)
    for path in paths:
        assert a.folder.locks.lock(path, LockOwner.SETTLER)
    come_one_by_one(a, paths)
    turns = turns_of_time(a)
    a.mesh.settle(seconds=1.0)
    assert len(turns) < 10, "none for the locks, and some of the others"
    assert not any(are_here(a, [path]) for path in paths)
    a.folder.locks.release(paths, LockOwner.SETTLER)
    a.mesh.settle(seconds=0.01)
    assert are_here(a, paths), "at once"


def test_a_ticket_waits_for_the_lock_of_the_name_of_its_copy(a: Device) -> None:
    b = a.mesh.devices["B"]
    a.mesh.drop_news = True
    a.write("f", b"of A")
    b.write("f", b"of B", mtime=2e9)
    a.mesh.scan_all()
    a.mesh.settle(seconds=1.0)
    copy = conflict_path(ours(a)[0])
    assert a.folder.locks.lock(copy, LockOwner.SETTLER)
    a.mesh.drop_news = False
    a.mesh.settle(seconds=15.0)
    assert (a.share / "f").read_bytes() == b"of A"
    turns = turns_of_time(a)
    a.mesh.settle(seconds=1.0)
    assert len(turns) < 10, "none for the lock, and some of the others"
    a.folder.locks.release((copy,), LockOwner.SETTLER)
    a.mesh.settle(seconds=0.01)
    assert (a.share / "f").read_bytes() == b"of B" and (a.share / copy).read_bytes() == b"of A"


def test_many_tickets_that_wait_for_names_are_one_turn_each_time(a: Device) -> None:
    """Their `.lefting` files are about to be made, or to be deleted, by somebody else."""
    paths = [f"p{number}" for number in range(10)]
    for path in paths:
        a.write(path, b"bytes")
        os.link(a.share / path, a.share / f"{path}.other")
    together(a.mesh)
    names, ledger = [lefting_path(path) for path in paths], a.store.leftings
    ledger.intend(*zip(paths, names, [b""] * len(paths), strict=True))
    come_one_by_one(a, paths)
    turns = turns_of_time(a)
    a.mesh.settle(seconds=1.0)
    assert len(turns) < 40, "20 a second, and some of the others"
    assert not any(are_here(a, [path]) for path in paths)
    ledger.intent_over(*names)
    a.mesh.settle()
    assert are_here(a, paths)


def test_one_thing_at_a_time_is_done_at_a_path(a: Device) -> None:
    """The applier, too: it puts a file where the conflict copy of another one is to be."""
    locks = a.folder.locks
    assert locks.lock("g", LockOwner.APPLIER) and not locks.lock("g", LockOwner.APPLIER)
    locks.release(("g",), LockOwner.SETTLER)
    assert locks.is_changing("g")
    locks.release(("g",), LockOwner.APPLIER)
    assert locks.lock("g", LockOwner.APPLIER)
