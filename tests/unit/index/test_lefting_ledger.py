"""The ledger of `.lefting` files: each is ours from before it is made until it is gone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from leftzmq.index.lefting_ledger import Lefting, LeftingLedger
from leftzmq.index.lefting_states import MOVES, LeftingMove, LeftingState
from leftzmq.index.store import Store
from leftzmq.tree.plan import Staged

ROOT: Final = Path(__file__).parents[3]
FILE: Final = "f.lefting"
S, M = LeftingState, LeftingMove


def doom(ledger: LeftingLedger) -> None:
    for staged in ledger.staged(FILE):
        ledger.doom(staged.undoubted)


def go(ledger: LeftingLedger) -> None:
    for staged in ledger.staged(FILE):
        ledger.drop(staged.undoubted)


ACTS: Final[dict[LeftingMove, Callable[[LeftingLedger], None]]] = {
    M.MEAN: lambda ledger: ledger.intend(("f", FILE, b"other")),
    M.LEARN: lambda ledger: ledger.put(Lefting("f", Staged(FILE, 7), b"content")),
    M.MISS: lambda ledger: ledger.put(Lefting("f", Staged(FILE, None), b"content")),
    M.MISREAD: lambda ledger: ledger.put(Lefting("f", Staged(FILE, None, unread=True), b"")),
    M.DOOM: doom,
    M.OVER: lambda ledger: ledger.intent_over(FILE),
    M.GO: go,
    M.EMPTY: lambda ledger: ledger.drop(*ledger.staged(FILE)),
}
WAYS: Final = {
    S.FREE: (),
    S.MEANT: (M.MEAN,),
    S.MADE: (M.LEARN,),
    S.DOUBTED: (M.LEARN, M.MEAN),
    S.DOOMED: (M.LEARN, M.DOOM),
    S.DOUBTED_DOOMED: (M.LEARN, M.DOOM, M.MEAN),
    S.UNKNOWN_DOOMED: (M.MISS, M.DOOM),
    S.UNREAD: (M.MISREAD,),
}


def state_of(store: Store) -> LeftingState:
    found = store._db.execute("SELECT state FROM lefting WHERE file = ?", (FILE,)).fetchone()
    return LeftingState(found[0]) if found else S.FREE


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "index")


@pytest.mark.parametrize(("state", "move"), [*itertools.product(S, M)])
def test_a_row_moves_as_the_table_says(
    store: Store, state: LeftingState, move: LeftingMove
) -> None:
    for each in WAYS[state]:
        ACTS[each](store.leftings)
    assert state_of(store) is state
    due = MOVES[state, move]
    if move in (M.GO, M.EMPTY) and due is S.FREE and store.leftings.is_meant(FILE):
        due = MOVES[S.FREE, M.MEAN]
    ACTS[move](store.leftings)
    assert state_of(store) is due


def test_a_row_is_written_by_its_ledger_alone() -> None:
    writing = ("UPDATE lefting ", "INTO lefting(", "FROM lefting WHERE file IN (VALUES")
    writers = {
        file.name
        for file in (ROOT / "leftzmq").rglob("*.py")
        if any(words in file.read_text() for words in writing)
    }
    assert writers == {"lefting_ledger.py", "schema.py"}, "and by the steps of the schema"


def test_what_is_thrown_away_is_to_become_nothing(store: Store) -> None:
    """Nor is the next one of its name taken for what it was to become, after a kill."""
    ledger, staged = store.leftings, Staged(FILE, 7)
    ledger.put(Lefting("f", staged, b"content"))
    assert [each.wanted for each in ledger.all()] == [b"content"]
    ledger.doom(staged)
    assert [each.wanted for each in (*ledger.all(), *ledger.existing())] == [b"", b""]
    assert not store.resumable(FILE) and not store.staged_as(b"content")
    ledger.intend(("f", FILE, b"other"))
    ledger.drop(staged)
    assert ledger.all() == [Lefting("f", Staged(FILE, None), b"")] and not ledger.existing()


def test_a_doubt_outlives_a_kill_until_whatever_has_the_name_is_gone(store: Store) -> None:
    store.leftings.put(Lefting("f", Staged(FILE, 7), b"content"))
    store.leftings.intend(("f", FILE, b"other"))
    store.commit()
    again = Store(store.file).leftings
    doubted = Staged(FILE, 7, in_doubt=True)
    again.intend(("f", FILE, b"third"))
    again.intent_over(FILE)
    assert again.staged(FILE) == [doubted] and not doubted.is_certain
    again.drop(doubted)
    assert not again.staged(FILE) and not again.existing()


@pytest.mark.parametrize("inode", [7, None])
@pytest.mark.parametrize("made", [True, False])
def test_what_an_earlier_life_left_may_go_while_another_one_is_about_to_be_made(
    store: Store, inode: int | None, made: bool
) -> None:
    """After a kill just then, nobody would know whose that one is."""
    left = Staged(FILE, inode, in_doubt=inode is not None)
    store.leftings.put(Lefting("f", left.undoubted, b"content"))
    store.leftings.intend(("f", FILE, b"other"))
    store.commit()
    again = Store(store.file).leftings
    assert again.staged(FILE) == [left]
    again.intend(("f", FILE, b"third"))
    again.drop(left)
    assert again.all() == [Lefting("f", Staged(FILE, None), b"")]
    if made:
        again.put(Lefting("f", Staged(FILE, 9), b"third"))
    again.intent_over(FILE)
    assert again.staged(FILE) == ([Staged(FILE, 9)] if made else [])


def test_nobody_makes_another_one_where_only_the_name_is_known(store: Store) -> None:
    unread = Staged(FILE, None, unread=True)
    store.leftings.intend(("f", FILE, b"content"))
    store.leftings.put(Lefting("f", unread, b"", is_doomed=True))
    store.leftings.intent_over(FILE)
    store.commit()
    for ledger in (store.leftings, Store(store.file).leftings):
        assert ledger.staged(FILE) == [unread]
        assert ledger.is_taken(FILE) and not ledger.is_meant(FILE)
    ledger.drop(unread)
    assert not ledger.is_taken(FILE) and not ledger.all()


def test_staging_is_remembered(store: Store) -> None:
    store.leftings.put(Lefting("a/b", Staged("a/b.lefting", 7), b"c"))
    assert store.leftings.staged("a/b.lefting", "x.lefting") == [Staged("a/b.lefting", 7)]
    assert store.leftings.has("a/b.lefting") and not store.leftings.has("a/c.lefting")
    assert store.leftings.all() == [Lefting("a/b", Staged("a/b.lefting", 7), b"c")]
    store.leftings.drop(Staged("a/b.lefting", 7))
    assert store.leftings.staged("a/b.lefting") == []


def test_an_intent_is_over_when_all_who_had_it_are_done(store: Store) -> None:
    meant = ("f", "f.lefting", b"c")
    store.leftings.intend(meant)
    store.leftings.intend(meant)
    store.leftings.intent_over("f.lefting")
    assert store.leftings.has("f.lefting"), "the other one is still about to make it"
    store.leftings.put(Lefting("f", Staged("f.lefting", 7), b"c"))
    store.leftings.intent_over("f.lefting")
    assert store.leftings.staged("f.lefting") == [Staged("f.lefting", 7)]
    store.leftings.drop(Staged("f.lefting", 7))
    store.leftings.intend(meant)
    store.leftings.intent_over("f.lefting")
    assert not store.leftings.has("f.lefting")


def test_what_a_crash_left_is_not_forgotten_with_an_intent_of_the_same_name(store: Store) -> None:
    left = Staged("f.lefting", None)
    store.leftings.put(Lefting("f", left, b"of an earlier life"))
    store.leftings.doom(left)
    store.leftings.intend(("f", "f.lefting", b"content"))
    assert store.leftings.is_meant("f.lefting")
    store.leftings.intent_over("f.lefting")
    assert store.leftings.staged("f.lefting") == [left] and not store.leftings.is_meant("f.lefting")
    store.leftings.drop(left)
    assert not store.leftings.has("f.lefting")


def test_one_that_goes_is_told_from_one_that_is_about_to_get_its_name(store: Store) -> None:
    first = Staged("f.lefting", 7)
    store.leftings.put(Lefting("f", first, b"content"))
    store.leftings.doom(first)
    for _ in range(2):
        store.leftings.intend(("f", "f.lefting", b"other"))
        assert store.leftings.staged("f.lefting") == [Staged("f.lefting", 7, in_doubt=True)]
        store.leftings.intent_over("f.lefting")
        assert store.leftings.staged("f.lefting") == [first] and not store.resumable("f.lefting")
    store.leftings.intend(("f", "f.lefting", b"other"))
    store.leftings.drop(first)
    assert store.leftings.staged("f.lefting") == [Staged("f.lefting", None)]
    store.leftings.intent_over("f.lefting")
    assert not store.leftings.has("f.lefting")


def test_one_that_somebody_means_to_make_anew_may_go_as_well(store: Store) -> None:
    first, second = Staged("f.lefting", 7), Staged("f.lefting", 9)
    store.leftings.intend(("f", "f.lefting", b"content"), ("f", "f.lefting", b"other"))
    store.leftings.put(Lefting("f", first, b"content"))
    store.leftings.intent_over("f.lefting")
    store.leftings.doom(first)
    assert store.leftings.staged("f.lefting") == [Staged("f.lefting", 7, in_doubt=True)]
    store.leftings.put(Lefting("f", second, b"other"))
    store.leftings.intent_over("f.lefting")
    store.leftings.drop(first)
    assert store.leftings.staged("f.lefting") == [second]


def test_one_that_got_name_and_inode_of_one_that_was_thrown_away_is_kept(store: Store) -> None:
    staged = Staged("f.lefting", 7)
    store.leftings.put(Lefting("f", staged, b"one"))
    store.leftings.doom(staged)
    store.leftings.put(Lefting("f", staged, b"another"))
    store.leftings.drop(staged)
    assert store.leftings.staged("f.lefting") == [staged] and store.leftings.existing() == [
        Lefting("f", staged, b"another")
    ]
    store.leftings.drop(staged)
    assert not store.leftings.staged("f.lefting") and not store.leftings.existing()


def test_what_may_be_another_name_of_one_about_to_be_made_is_not_foreign_yet(store: Store) -> None:
    names = "d/.0123456789abcdef.lefting", "d/mine.lefting", "e/.0123456789abcdef.lefting"
    found = [Staged(name, 7) for name in names]
    store.leftings.before_walk()
    store.leftings.intend(("d/f", "d/f.lefting", b"content"))
    assert store.leftings.foreign(found) == found[1:]
    store.leftings.intent_over("d/f.lefting")
    store.leftings.before_walk()
    assert store.leftings.foreign(found) == found


def test_what_a_walk_found_under_a_name_about_to_be_used_is_told_later(store: Store) -> None:
    """Of what is ours by then nothing is told, and of what is at its place nothing was unclear."""
    ledger = store.leftings
    ledger.put(Lefting("d/known", Staged("d/known.lefting", 5), b"content"))
    found = [
        Staged(f"d/{name}.lefting", inode)
        for inode, name in enumerate(("known", "f", "g", ".0123456789abcdef"), 5)
    ]
    ledger.before_walk()
    ledger.intend(("d/f", "d/f.lefting", b"content"), ("d/g", "d/g.lefting", b"other"))
    assert ledger.foreign(found) == [] and ledger.is_veiled
    ledger.put(Lefting("d/f", Staged("d/.fedcba9876543210.lefting", 9), b"content"))
    ledger.intent_over("d/f.lefting")
    assert ledger.unveiled() == [found[1]], "the other one may be hidden in the same directory"
    ledger.put(Lefting("d/g", found[2], b"other"))
    ledger.intent_over("d/g.lefting")
    assert ledger.unveiled() == [found[3]] and not ledger.is_veiled
