"""However many problems there are: what is kept of them is bounded, none hides those of another
kind, and all that are known of are counted until they are solved."""

from __future__ import annotations

import random

import pytest

from leftzmq.errors import Problem, ProblemKind
from leftzmq.sync import problems as module
from leftzmq.sync.problems import MAX_LETTERS_OF_A_KIND, MAX_OF_A_KIND, Problems
from leftzmq.wire.local import encode_reply

FAR, BAD = ProblemKind.FAR_FUTURE, ProblemKind.BAD_NAME


def problem(number: int, kind: ProblemKind = FAR, pad: int = 0, detail: str = "") -> Problem:
    return Problem("share", f"{number}".ljust(pad, "x"), kind, detail)


def flood(count: int, kind: ProblemKind = FAR, pad: int = 0) -> tuple[Problems, int]:
    """So many of a kind, and how many events they were."""
    found = Problems("share")
    return found, sum(len(found.show(problem(n, kind, pad))) for n in range(count))


def letters(found: Problems) -> int:
    return sum(len(p.path) + len(p.detail) for p in found.all())


def test_a_flood_of_one_kind_is_counted_and_not_kept() -> None:
    found, told = flood(20_000)
    assert len(found) == 20_000
    assert told == len(found.all()) == MAX_OF_A_KIND
    assert found.hidden == 20_000 - MAX_OF_A_KIND


def test_long_paths_are_bounded_by_their_letters() -> None:
    found, told = flood(20_000, pad=4000)
    assert len(found) == 20_000
    assert letters(found) <= MAX_LETTERS_OF_A_KIND
    assert 0 < told == len(found.all()) < 100


def test_a_flood_of_one_kind_does_not_hide_another() -> None:
    found, _ = flood(20_000)
    assert len(found.show(problem(-1, BAD))) == 1
    assert found.problem_of("-1") is not None


def test_a_long_detail_is_cut_off() -> None:
    found = Problems("share")
    found.show(problem(1, detail="d" * 100_000))
    assert len(found.all()[0].detail) < 1_000


def test_what_is_solved_counts_no_more_and_makes_room() -> None:
    found, _ = flood(MAX_OF_A_KIND + 2)
    last = str(MAX_OF_A_KIND + 1)
    assert found.kind_of(last) is FAR
    assert found.clear(last) == []  # it was not told that it was there
    assert len(found) == MAX_OF_A_KIND + 1
    assert len(found.clear("0")) == 1
    assert len(found.show(problem(MAX_OF_A_KIND))) == 1, "a hidden one is told when there is room"
    assert (len(found), found.hidden) == (MAX_OF_A_KIND, 0)
    for each in found.all():
        found.clear(each.path)
    assert len(found) == 0
    found, told = flood(MAX_OF_A_KIND)
    assert told == MAX_OF_A_KIND


def test_one_that_becomes_another_takes_its_room_there() -> None:
    found, _ = flood(MAX_OF_A_KIND)
    assert len(found.show(problem(5, BAD))) == 1
    assert found.kind_of("5") is BAD
    assert len(found.show(problem(MAX_OF_A_KIND))) == 1
    assert found.show(problem(5)) == [], "there is no room for it any more"
    assert (found.kind_of("5"), found.problem_of("5")) == (FAR, None)
    assert len(found) == MAX_OF_A_KIND + 1


def test_a_walk_solves_what_it_does_not_find_again() -> None:
    found, _ = flood(MAX_OF_A_KIND + 10, BAD)
    found.walk_begins()
    for number in (0, MAX_OF_A_KIND, MAX_OF_A_KIND + 5):
        found.show(problem(number, BAD))
    assert len(found.settled_by_walk()) == MAX_OF_A_KIND - 1
    assert len(found) == 3


def test_even_the_count_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HIDDEN", 10)
    found, _ = flood(MAX_OF_A_KIND + 100)
    assert len(found) == MAX_OF_A_KIND + 10


def test_they_are_numbered_in_the_order_in_which_they_came() -> None:
    found, _ = flood(5)
    found.show(problem(2, BAD))
    found.clear("3")
    assert [(n, p.path) for n, p in found.after(1)] == [(2, "1"), (3, "2"), (5, "4")]
    assert encode_reply({"n": [n for n, _ in found.after(4)]})


def test_what_a_reader_changed_stands_beside_another_problem_of_the_path() -> None:
    found = Problems("share")
    changed = ProblemKind.CHANGED_BY_READER
    told = [found.show(problem(1, kind)) for kind in (BAD, changed, BAD)]
    assert [len(events) for events in told] == [1, 1, 0]
    assert found.kind_of("1") is BAD and found.count_of(changed) == 1
    found.clear("1")
    assert [one.kind for one in found.all()] == [changed]
    found.show(problem(1))
    assert len(found.clear("1", kind=changed)) == 1
    assert [one.kind for one in found.all()] == [FAR]


@pytest.mark.parametrize("seed", range(20))
def test_each_kind_has_as_many_as_are_known_whatever_is_shown_and_solved(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OF_A_KIND", 3)
    monkeypatch.setattr(module, "MAX_HIDDEN", 12)
    dice, found, kinds = random.Random(seed), Problems("share"), (FAR, BAD, ProblemKind.SPECIAL)
    for _ in range(300):
        match dice.randrange(20):
            case 0:
                found.walk_begins()
            case 1:
                found.settled_by_walk()
            case 2:
                found.clear_all(dice.choice(kinds))
            case 3 | 4 | 5:
                found.clear(str(dice.randrange(30)))
            case _:
                found.show(problem(dice.randrange(30), dice.choice(kinds)))
        known = [found.kind_of(str(number)) for number in range(30)]
        assert found.by_kind() == {kind: known.count(kind) for kind in ProblemKind}
        assert found.hidden_besides((FAR,)) + found.kept_besides((FAR,)) == sum(
            found.by_kind()[kind] for kind in kinds if kind is not FAR
        )


def test_all_of_a_kind_are_solved_at_once_the_hidden_ones_too() -> None:
    found, _ = flood(MAX_OF_A_KIND + 10, ProblemKind.CHANGED_BY_READER)
    found.show(problem(1))
    assert found.count_of(ProblemKind.CHANGED_BY_READER) == MAX_OF_A_KIND + 10
    assert len(found.clear_all(ProblemKind.CHANGED_BY_READER)) == MAX_OF_A_KIND
    assert (found.count_of(ProblemKind.CHANGED_BY_READER), len(found)) == (0, 1)
