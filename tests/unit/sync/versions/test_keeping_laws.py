"""The laws of versions where devices stop keeping paths and keep them again, at any moment.

To the rules of versions, a path that a device does not keep is a path at which that device is away.
So those that keep a path have the same there (I1, path by path, among who can hear it from one
another), and when all keep everything again, all are equal and nothing that was written is lost.
No device ever drops an honest one for going back to an older version. See tests/helpers/
version_worlds and ../shared/rules.md, section 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.index.store import Store
from leftzmq.tree.entry import Rank
from tests.helpers.version_worlds import PATHS, Device, World

pytestmark = pytest.mark.slow

CASES = 1_000
CASES_A_TEST = 500


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    base = tmp_path_factory.mktemp("keeping")
    stores = {name: Store(Path(base / f"{name}.db")) for name in "ABC"}
    for store in stores.values():
        store._db.execute("PRAGMA synchronous = OFF")
    yield stores
    for store in stores.values():
        store.close()


def said_of(device: Device, other: Device) -> dict[str, Rank]:
    """What the index of `device` says that `other` has."""
    bit, groups = device.bit(other.name), device.store.paths(b"", 1000)
    rows = [row for group in groups for row in group if row.holders >> bit & 1]
    return {row.entry.path: row.entry.rank for row in rows}


def one_case(stores: dict[str, Store], seed: int, *, wanting: bool = False) -> None:
    world = World(stores, seed, keeping=True, wanting=wanting)
    for _ in range(world.dice.randrange(2, 18)):
        world.step()
    world.quiet()
    devices = list(world.devices.values())
    for path in PATHS:
        # What is not fetched is kept all the same where it is.
        keepers = [
            device
            for device in devices
            if device.keeps(path) and (device.wants(path) or path in device.disk)
        ]
        for device in keepers[1:]:
            assert device.kept_tree().get(path) == keepers[0].kept_tree().get(path), path
    for device in devices:
        for other in devices:
            if other is not device:
                assert said_of(device, other) == {e.path: e.rank for e in other.offers()}, "L5, I4"
        assert {e.path for e in device.offers() if not e.deleted} == set(device.kept_tree())
        for path in PATHS:
            if not device.keeps(path):
                device.keep(path, keeps=True)
            if not device.wants(path):
                device.want(path, wants=True)
    world.quiet()
    a, *others = devices
    for other in others:
        assert other.tree() == a.tree(), "all are equal"
    kept = {bytes(observed.content) for observed in a.disk.values()}
    trash = {bytes(content) for device in devices for content in device.trash}
    lost = world.values - world.replaced - kept
    assert not lost - (trash & world.shared), "what was written is kept"


@pytest.mark.parametrize("first", range(0, CASES, CASES_A_TEST))
def test_paths_that_come_and_go_lose_nothing_and_end_equal(
    stores: dict[str, Store], first: int
) -> None:
    for seed in range(first, first + CASES_A_TEST):
        try:
            one_case(stores, seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.parametrize("first", range(0, CASES, CASES_A_TEST))
def test_paths_that_are_not_fetched_for_a_while_lose_nothing_and_end_equal(
    stores: dict[str, Store], first: int
) -> None:
    for seed in range(first, first + CASES_A_TEST):
        try:
            one_case(stores, seed, wanting=True)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
