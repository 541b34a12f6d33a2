"""A device that may only read says whatever it likes, and nothing follows from it: two worlds in
which the same happens are equal to the last vector, also if a hostile reader talks in one of them.

The reader forges versions of other writers, deletes, vectors that have seen everything, and just
what a scan is about to find (sync/versions/index_view, "readers").
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from leftzmq.index.losses import LossCount
from leftzmq.index.store import Store
from leftzmq.sync.versions.absent_deletes import GRAVES_AT_ONCE, AbsentDeletes
from leftzmq.sync.versions.counters import Recount
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.sync.versions.remote_changes import heard
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.tree.accepted import NOTHING
from leftzmq.tree.entry import Entry, Kind, Observed
from leftzmq.tree.version import Vector
from tests.helpers.trees import content, deleted, file, folder, life, made
from tests.helpers.version_worlds import PATHS, Device, World, key_of_device

pytestmark = pytest.mark.slow

CASES = 200
LATER = 1 << 50  # about two weeks in a stamp
READER = "R"


class Liar:
    """The reader, with a die of its own."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.dice = world, random.Random(seed)
        for device in world.devices.values():
            device.before_scan = self.on_scan

    def on_scan(self, device: Device, observed: Observed) -> None:
        """It says before a scan that it has, or deleted, exactly what the scan is about to find."""
        if self.dice.random() < 0.5:
            version = made("Z", observed)
            self.say(device, self.forged(self.dice.choice((version, deleted("Z", version)))))

    def lie(self) -> None:
        for device in self.world.devices.values():
            for _ in range(self.dice.randrange(3)):
                self.say(device, self.forged(self.base(device)))

    def say(self, device: Device, entry: Entry) -> None:
        heard(device.index_view, device.bit(READER), entry)  # OLDER: it is dropped, if it goes back

    def base(self, device: Device) -> Entry:
        """Something that some device has, or that nobody has."""
        known = [entry for each in self.world.devices.values() for entry in each.offers()]
        if known and self.dice.random() < 0.8:
            return self.dice.choice(known)
        path = self.dice.choice((*PATHS, "nobody's", "p/below"))
        return made("Z", self.dice.choice((file(path, f"{self.dice.random()}"), folder(path))))

    def forged(self, base: Entry) -> Entry:
        """The version itself, or another one in the name of its writer, or of anybody."""
        entry = base
        if self.dice.random() < 0.6:
            entry = structs.replace(entry, stamp=entry.stamp + self.dice.choice((1, LATER)))
        if self.dice.random() < 0.3:
            entry = structs.replace(entry, mtime_ns=entry.mtime_ns + 1)
        if self.dice.random() < 0.3:
            entry = structs.replace(entry, deleted=True, size=0, mtime_ns=0, exec=False, depth=0)
        elif self.dice.random() < 0.3 and entry.kind is Kind.FILE:
            entry = structs.replace(entry, content=content(f"{self.dice.random()}"))
        if self.dice.random() < 0.3:
            entry = structs.replace(entry, writer=life("Z"))
        if self.dice.random() < 0.7:  # it has seen everything
            lives = {one for each in self.world.devices.values() for one in lives_of(each)}
            lives |= {life("Z"), entry.writer}
            entry = structs.replace(entry, vector=Vector.of((it, 1 << 40) for it in sorted(lives)))
        return entry


def lives_of(device: Device) -> list[bytes]:
    return [one for one, _ in device.store.heads.chain]


def counted(device: Device) -> list[list[Entry]]:
    """Path by path, the versions from which something follows."""
    groups = device.store.paths(b"", 10_000)
    found = (device.index_view.rows(group[0].entry.path) for group in groups)
    return [sorted((row.entry for row in rows), key=lambda it: it.rank) for rows in found if rows]


def lacks(device: Device, other: str) -> tuple[object, object, object]:
    mask, counts = 1 << device.bit(other), device.index_view.peer_counts
    lack = device.store.lacking(mask, "", 10, device.index_view.silent)
    assert lack[:2] == (counts.lacking(mask).paths, counts.lacking(mask).bytes)
    return lack, counts.lacking(mask), counts.coming(mask)


def told(device: Device) -> tuple[object, ...]:
    """Everything that must not depend on what a reader says."""
    view = device.index_view
    while not view.swept:
        view.sweep_some()
    anew = Recount.whole(device.store, NOTHING, view.silent, view.times)
    assert view.counters == anew.counters
    for ages in ("_our_ages", "_their_ages"):
        now, fresh = (getattr(each.peer_counts, ages) for each in (view, anew))
        assert now._counts == fresh._counts
    count = LossCount(view.reach, NOTHING, view.readers)
    while not count.step(device.store):
        pass
    return (
        device.tree(),
        device.trash,
        device.offers(),
        counted(device),
        device.store.heads.sequence,
        view.counters,
        [lacks(device, other) for other in "ABC" if other != device.name],
        view.begun,
        count.files,
        device.store.coming("", 10, view.silent),
        device.store.graves_below("", 10, view.readers),
    )


def test_deletes_of_a_reader_do_not_keep_those_of_others_from_their_turn(tmp_path: Path) -> None:
    store = Store(tmp_path / "index")
    store.begin_life(life("a"))
    view = IndexView(store)
    view.walked = True
    full, reader = (store.heads.place(key_of_device(name)) for name in "BR")
    assert full is not None and reader is not None
    view.reach = full.mask | reader.mask
    view.may_only_read(frozenset((key_of_device("R"),)), False)
    for path in ("d", "d/a"):
        heard(view, full.bit, deleted("b", made("b", folder(path))))
    for number in range(2 * GRAVES_AT_ONCE):
        heard(view, reader.bit, deleted("r", made("r", file(f"d/z{number}"))))
    absent_deletes = AbsentDeletes(view, Resolver(view), PathLocks())
    assert absent_deletes.first("d") == ["d/a", "d"]
    store.close()


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Store]]]:
    base = tmp_path_factory.mktemp("readers")
    made = [{name: Store(Path(base / f"{name}{n}.db")) for name in "ABC"} for n in range(2)]
    for store in (store for each in made for store in each.values()):
        store._db.execute("PRAGMA synchronous = OFF")
    yield made
    for store in (store for each in made for store in each.values()):
        store.close()


def test_nothing_follows_from_what_a_reader_says(stores: list[dict[str, Store]]) -> None:
    for seed in range(CASES):
        calm, besieged = World(stores[0], seed), World(stores[1], seed, READER)
        liar = Liar(besieged, seed)
        for _ in range(calm.dice.randrange(2, 14)):
            calm.step()
        calm.quiet()
        for _ in range(besieged.dice.randrange(2, 14)):
            liar.lie()
            besieged.step()
        besieged.quiet()
        liar.lie()
        besieged.quiet()
        for one, other in zip(calm.devices.values(), besieged.devices.values(), strict=True):
            assert told(other) == told(one), f"seed {seed}, {one.name}"
