"""Which chunks of a large file a device asks whom for, and that those who download it share it."""

from __future__ import annotations

from itertools import islice, pairwise

from leftzmq.sync.download.rarest_first import Spread
from leftzmq.sync.link import DeviceKey

SEED = DeviceKey(bytes(32))
OTHERS = [DeviceKey(bytes([number]) * 32) for number in range(1, 9)]
ROWS = 320
ALL = (1 << ROWS) - 1


def spreads(count: int = 8) -> list[Spread]:
    """Of so many devices that download a file which one has."""
    found = []
    for us in OTHERS[:count]:
        spread = Spread(us)
        spread.set_rows(ROWS)
        spread.set_loading(frozenset(OTHERS[:count]) - {us})
        found.append(spread)
    return found


def first(spread: Spread, count: int, missing: int = ALL) -> list[int]:
    return list(islice(spread.order(SEED, True, missing), count))


def test_each_begins_with_a_part_of_its_own_and_comes_to_all_of_it() -> None:
    parts = [first(spread, ROWS // 8) for spread in spreads()]
    assert [row for part in parts for row in part] == list(range(ROWS))
    assert all(part == sorted(part) for part in parts)
    for spread in spreads():
        assert sorted(spread.order(SEED, True, ALL)) == list(range(ROWS))


def test_what_is_left_of_one_part_is_shared_by_all() -> None:
    """Its own device comes from the one side, the others from the other, each somewhere else."""
    left = ((1 << ROWS // 8) - 1) << 2 * ROWS // 8  # the third's
    asked = [first(spread, 2, left) for spread in spreads()]
    assert len({row for rows in asked for row in rows}) == 16
    assert all(left >> row & 1 for rows in asked for row in rows)
    assert asked[2][0] == 2 * ROWS // 8
    assert all(higher > lower for rows in asked[:2] + asked[3:] for higher, lower in pairwise(rows))


def test_what_is_left_of_two_parts_is_shared_as_well() -> None:
    part = (1 << ROWS // 8) - 1
    left = part | part << 5 * ROWS // 8
    asked = [first(spread, 4, left) for spread in spreads()]
    assert len({row for rows in asked for row in rows}) == 32


def test_fewer_rows_than_devices_are_asked_for_all_the_same() -> None:
    for spread in spreads():
        assert sorted(spread.order(SEED, True, 0b101)) == [0, 2]
        assert sorted(spread.order(SEED, True, 1 << ROWS - 1)) == [ROWS - 1]


def test_what_nobody_else_has_comes_first_then_what_one_has_then_what_several_have() -> None:
    spread = spreads(3)[0]
    spread.heard(OTHERS[1], 0b0110)
    spread.heard(OTHERS[2], 0b0100)
    assert list(spread.order(SEED, True, 0b1111)) == [0, 3, 1, 2]
    assert list(spread.order(OTHERS[1], False, 0b1111)) == [1, 2]


def test_alone_all_is_ours_in_order() -> None:
    (spread,) = spreads(1)
    assert list(spread.order(SEED, True, ALL)) == list(range(ROWS))
