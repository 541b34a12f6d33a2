"""Which chunks of a large file a device asks whom for, and that those who download it share it."""

from __future__ import annotations

from itertools import islice, pairwise

from leftzmq.sync.download.rarest_first import RarestFirst
from leftzmq.sync.link import DeviceKey

SEED = DeviceKey(bytes(32))
OTHERS = [DeviceKey(bytes([number]) * 32) for number in range(1, 9)]
ROWS = 320
ALL = (1 << ROWS) - 1


def spreads(count: int = 8) -> list[RarestFirst]:
    """Of so many devices that download a file which one has."""
    found = []
    for us in OTHERS[:count]:
        rarest_first = RarestFirst(us)
        rarest_first.set_rows(ROWS)
        rarest_first.set_loading(frozenset(OTHERS[:count]) - {us})
        found.append(rarest_first)
    return found


def first(rarest_first: RarestFirst, count: int, missing: int = ALL) -> list[int]:
    return list(islice(rarest_first.order(SEED, True, missing), count))


def test_each_begins_with_a_part_of_its_own_and_comes_to_all_of_it() -> None:
    parts = [first(rarest_first, ROWS // 8) for rarest_first in spreads()]
    assert [row for part in parts for row in part] == list(range(ROWS))
    assert all(part == sorted(part) for part in parts)
    for rarest_first in spreads():
        assert sorted(rarest_first.order(SEED, True, ALL)) == list(range(ROWS))


def test_what_is_left_of_one_part_is_shared_by_all() -> None:
    """Its own device comes from the one side, the others from the other, each somewhere else."""
    left = ((1 << ROWS // 8) - 1) << 2 * ROWS // 8  # the third's
    asked = [first(rarest_first, 2, left) for rarest_first in spreads()]
    assert len({row for rows in asked for row in rows}) == 16
    assert all(left >> row & 1 for rows in asked for row in rows)
    assert asked[2][0] == 2 * ROWS // 8
    assert all(higher > lower for rows in asked[:2] + asked[3:] for higher, lower in pairwise(rows))


def test_what_is_left_of_two_parts_is_shared_as_well() -> None:
    part = (1 << ROWS // 8) - 1
    left = part | part << 5 * ROWS // 8
    asked = [first(rarest_first, 4, left) for rarest_first in spreads()]
    assert len({row for rows in asked for row in rows}) == 32


def test_fewer_rows_than_devices_are_asked_for_all_the_same() -> None:
    for rarest_first in spreads():
        assert sorted(rarest_first.order(SEED, True, 0b101)) == [0, 2]
        assert sorted(rarest_first.order(SEED, True, 1 << ROWS - 1)) == [ROWS - 1]


def test_what_nobody_else_has_comes_first_then_what_one_has_then_what_several_have() -> None:
    rarest_first = spreads(3)[0]
    rarest_first.have_came(OTHERS[1], 0b0110)
    rarest_first.have_came(OTHERS[2], 0b0100)
    assert list(rarest_first.order(SEED, True, 0b1111)) == [0, 3, 1, 2]
    assert list(rarest_first.order(OTHERS[1], False, 0b1111)) == [1, 2]


def test_alone_all_is_ours_in_order() -> None:
    (rarest_first,) = spreads(1)
    assert list(rarest_first.order(SEED, True, ALL)) == list(range(ROWS))
