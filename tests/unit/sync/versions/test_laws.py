"""The laws of versions without a disk: devices that write, tell, lose and repeat, in any order.

Each device is the real rules (sync/versions/local_changes, heard and versions over a real index)
and a dictionary in place of the share. What one has is told to another as single entries, as news
and index pages are: in any order, more than once, or not at all. In the end everybody hears
everything, and then (I1, I2, I3, I5, I7): all are equal, nobody wants anything, and nothing that
was written is lost unless somebody who had seen it wrote over it or deleted it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.index.store import Store
from tests.helpers.version_worlds import World

pytestmark = pytest.mark.slow

CASES = 1_000
CASES_A_TEST = 1_000


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    base = tmp_path_factory.mktemp("laws")
    stores = {name: Store(Path(base / f"{name}.db")) for name in "ABC"}
    for store in stores.values():
        store._db.execute("PRAGMA synchronous = OFF")
    yield stores
    for store in stores.values():
        store.close()


def one_case(stores: dict[str, Store], seed: int) -> None:
    world = World(stores, seed)
    for _ in range(world.dice.randrange(2, 14)):
        world.step()
    world.quiet()
    a, *others = world.devices.values()
    for other in others:
        assert other.tree() == a.tree(), "all are equal"
    kept = {bytes(observed.content) for observed in a.disk.values()}
    trash = {bytes(content) for device in world.devices.values() for content in device.trash}
    lost = world.values - world.replaced - kept
    # More than I2 asks for: the trash counts only where the same bytes were deleted elsewhere.
    assert not lost - (trash & world.shared), "what was written is kept"
    for device in world.devices.values():
        assert {o.path for o in device.offers() if not o.deleted} == set(device.disk)


def one_after_another(stores: dict[str, Store], seed: int) -> None:
    world = World(stores, seed)
    for _ in range(world.dice.randrange(2, 7)):
        before = world.devices["A"].tree()
        world.user()
        changed = [d.tree() for d in world.devices.values() if d.tree() != before]
        world.quiet()
        for device in world.devices.values():
            assert device.tree() == (changed[0] if changed else before), "the last change stands"
        if world.dice.random() < 0.2:
            world.restart()
            world.quiet()


@pytest.mark.parametrize("first", range(0, CASES // 4, CASES_A_TEST))
def test_changes_that_were_seen_by_all_before_the_next_one_are_never_in_conflict(
    stores: dict[str, Store], first: int
) -> None:
    for seed in range(first, min(first + CASES_A_TEST, CASES // 4)):
        try:
            one_after_another(stores, seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.parametrize("first", range(0, CASES, CASES_A_TEST))
def test_any_history_in_any_order_ends_equal_with_nothing_lost(
    stores: dict[str, Store], first: int
) -> None:
    for seed in range(first, first + CASES_A_TEST):
        try:
            one_case(stores, seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
