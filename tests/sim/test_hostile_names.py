"""Each name of the table through real nodes, jobs and the disk/ code: what is legal arrives on all
devices, what is not is refused with its sender named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.wire.local import EventKind
from tests.sim import laws
from tests.sim.besieged import besieged, go_on
from tests.sim.hostile import DELETED, MTIME, MTIME_NS, SIZE, STAMP, Fields, changed
from tests.sim.names import TABLE
from tests.sim.siege import Siege


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Siege]:
    with besieged(tmp_path) as world:
        for device in world.devices.values():  # some of the names are litter
            device.folder.keeping.tune((), litter=False)
        world.arrive()
        go_on(world)
        yield world


NAMES = [raw.decode() for _, raw, due in TABLE if due is None]
ABOVE = {"/".join(path.split("/")[:n]) for path in NAMES for n in range(1, path.count("/") + 1)}
LEGAL = [path for path in NAMES if path not in ABOVE]
REFUSED = [(raw, due) for _, raw, due in TABLE if due is not None]


def offers(world: Siege, entries: list[Fields]) -> None:
    """To all honest devices, a few at a time: one frame holds them."""
    m = world.hostile
    for at in range(0, len(entries), 8):
        first = m.head
        for device in world.devices.values():
            m.head = first
            m.offer(device, *entries[at : at + 8])
        go_on(world, 0.5)
    go_on(world, 15.0)


def test_legal_names_are_made_linked_moved_and_deleted_on_all_devices(world: Siege) -> None:
    m = world.hostile
    folders = sorted(ABOVE, key=lambda path: path.count("/"))
    offers(world, [m.folder(path) for path in folders])
    files = [m.file(path, path[-20:].encode()) for path in LEGAL]
    offers(world, files)
    a, b = (laws.tree_of(device) for device in world.devices.values())
    assert a == b and set(LEGAL) == {path for path, what in a.items() if what[0] == "file"}
    later = {STAMP: MTIME_NS + 5}
    tombs = [changed(file, later | {SIZE: 0, MTIME: 0, DELETED: True}) for file in files]
    moved = [m.file(f"moved {n}", path[-20:].encode()) for n, path in enumerate(LEGAL)]
    offers(world, [each for pair in zip(moved, tombs, strict=True) for each in pair])
    a, b = (laws.tree_of(device) for device in world.devices.values())
    assert a == b and not set(LEGAL) & a.keys() and len(a) == len(folders) + len(LEGAL)
    links = [m.link(path, b"../../outside") for path in LEGAL]
    offers(world, [changed(link, {STAMP: MTIME_NS + 9}) for link in links])
    a, b = (laws.tree_of(device) for device in world.devices.values())
    assert a == b and all(a[path] == ("link", b"../../outside") for path in LEGAL)
    assert not world.refused


@pytest.mark.parametrize("verb", ["file", "folder", "link", "delete"])
def test_every_other_name_is_refused_and_its_sender_named(world: Siege, verb: str) -> None:
    m, a = world.hostile, world.devices["A"]
    for number, (raw, due) in enumerate(REFUSED):
        path = raw.decode(errors="surrogateescape")
        entry = m.file(path, b"evil")
        match verb:
            case "folder":
                entry = m.folder(path)
            case "link":
                entry = m.link(path, b"in")
            case "delete":
                entry = changed(entry, {SIZE: 0, MTIME: 0, DELETED: True})
        m.offer(a, entry, due=due)
        go_on(world, 0.5)
        assert len(world.refused) == number + 1, raw
        world.lines["A"].shut_out_until = 0.0  # else the next one would not be heard
        go_on(world, 1.0)
    told = [tell for tell in a.events if tell.kind is EventKind.PEER_DOWN]
    assert len(told) == len(REFUSED) and not laws.tree_of(a)
