"""What waits of several sources is taken one of each in its turn."""

from __future__ import annotations

from leftzmq.sync.apply.round_robin import RoundRobin


def test_one_of_each_in_its_turn_and_of_each_the_least() -> None:
    turns: RoundRobin[int, tuple[int, str]] = RoundRobin()
    for number in (3, 1, 2):
        turns.put(7, (number, "much"))
    turns.put(9, (5, "little"))
    assert len(turns) == 4 and turns.count_of(7) == 3 and turns.count_of(1) == 0
    assert [turns.pop() for _ in range(4)] == [
        (1, "much"),
        (5, "little"),
        (2, "much"),
        (3, "much"),
    ]
    assert not turns


def test_sources_can_be_passed_over() -> None:
    turns: RoundRobin[int, tuple[int]] = RoundRobin()
    turns.put(7, (1,))
    turns.put(9, (2,))
    assert turns.has_beside({7}) and turns.pop({7}) == (2,)
    assert not turns.has_beside({7}) and turns.has_beside() and turns.pop() == (1,)
