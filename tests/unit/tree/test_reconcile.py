"""Which version wins, as a table of tiny trees, and laws over all of them."""

from __future__ import annotations

from itertools import permutations, product

import pytest
from msgspec import structs

from leftzmq.tree.entry import (
    Entry,
    joined,
    kept_back,
    private,
    published_again,
    with_other_deletes,
)
from leftzmq.tree.reconcile import Verdict, reconcile
from leftzmq.tree.version import Vector
from tests.helpers.trees import content, deleted, file, folder, life, link, made

A1 = made("a", file(text="one"))
A2 = made("a", file(text="two", mtime=11), A1, 2)
B_EDIT = made("b", file(text="bee", mtime=12), A1, 1)  # concurrent with A2
D_OLD_EDIT = made("d", file(text="old", mtime=1), A1, 3)  # old mtime on a newer version
C_GONE = deleted("c", A1, 4)
A2_GONE = deleted("c", A2, 4)
E_SAME = made("e", file(text="one", mtime=30), None, 5)
B_FOLDER = made("b", folder())
A_FOLDER = made("a", folder())
B_FILE_OVER = made("b", file(text="f", mtime=50), A_FOLDER, 1)
B_FOLDER_GONE = deleted("b", A_FOLDER, 1)
TOUCHED = made("a", file(text="one", mtime=13), A1, 2)
V = Verdict

TABLE = [
    ("nothing here", None, A1, V.TAKE),
    ("the same version", A1, A1, V.JOIN),
    ("its successor", A1, A2, V.TAKE),
    ("its predecessor", A2, A1, V.KEEP),
    ("a concurrent edit of higher rank", A2, B_EDIT, V.TAKE_AND_COPY),
    ("a concurrent edit of lower rank", B_EDIT, A2, V.KEEP),
    ("an edit with an old mtime is newer all the same", A1, D_OLD_EDIT, V.TAKE),
    ("same bytes, no common history", A1, E_SAME, V.JOIN),
    ("a delete that had seen it", A1, C_GONE, V.TAKE),
    ("edit beats delete", A2, C_GONE, V.PUBLISH_AGAIN),
    ("a touch does not save a file", TOUCHED, C_GONE, V.TAKE),
    ("a folder meets a folder", A_FOLDER, B_FOLDER, V.JOIN),
    ("a file over our folder, seen", A_FOLDER, B_FILE_OVER, V.TAKE),
    ("a folder that was seen and deleted", A_FOLDER, B_FOLDER_GONE, V.TAKE),
    ("a concurrent file over our folder", B_FOLDER, made("a", file(mtime=9)), V.PUBLISH_AGAIN),
    ("our tombstone, and something higher", C_GONE, made("c", file(mtime=99)), V.TAKE),
    ("a link over a file, concurrent", A2, made("b", link(mtime=40)), V.TAKE_AND_COPY),
    ("an edit of what was changed here alone", private(A2, A1, A1), B_EDIT, V.TAKE_AND_COPY),
    ("an edit of what is only kept back", kept_back(A1, A1), A2, V.TAKE),
    ("an edit beside what is only kept back", kept_back(A2, A2), B_EDIT, V.TAKE_AND_COPY),
    ("a delete of an edit of what is only kept back", kept_back(A1, A1), A2_GONE, V.TAKE),
    ("a delete beside what is only kept back", kept_back(A2, A2), C_GONE, V.PUBLISH_AGAIN),
]


@pytest.mark.parametrize("what, ours, theirs, verdict", TABLE, ids=[row[0] for row in TABLE])
def test_one_meeting(what: str, ours: Entry | None, theirs: Entry, verdict: Verdict) -> None:
    assert reconcile(ours, theirs) is verdict


def test_a_folder_in_use_stays_even_when_its_delete_had_seen_it() -> None:
    assert reconcile(A_FOLDER, B_FOLDER_GONE, in_use=True) is V.PUBLISH_AGAIN
    assert reconcile(A_FOLDER, B_FILE_OVER, in_use=True) is V.PUBLISH_AGAIN


def test_nobody_copies_a_version_of_which_it_knows_a_successor() -> None:
    successor = made("c", file(text="sea", mtime=14), A2, 1)
    winner = made("d", file(text="dee", mtime=90), A1, 1)
    assert reconcile(A2, winner) is V.TAKE_AND_COPY
    assert reconcile(A2, winner, [successor]) is V.TAKE


def test_equal_vectors_with_other_bytes_count_as_concurrent() -> None:
    twin = made("a", file(text="evil twin", mtime=99))
    assert twin.vector == A1.vector
    assert reconcile(A1, twin) is V.TAKE_AND_COPY


def test_publishing_again_is_above_what_it_outbids_and_has_not_seen_it() -> None:
    again = published_again(A2, C_GONE, life("a"), 7)
    assert again.rank > C_GONE.rank
    assert not C_GONE.seen_by(again)
    assert A2.seen_by(again)
    assert reconcile(C_GONE, again) is V.TAKE


def test_joining_takes_the_higher_rank_and_both_pasts() -> None:
    one, other = joined(A1, E_SAME), joined(E_SAME, A1)
    assert one == other
    assert one.mtime_ns == E_SAME.mtime_ns
    assert A1.seen_by(one) and E_SAME.seen_by(one)


def test_a_tombstone_has_seen_what_lower_ones_had_and_stays_what_it_is() -> None:
    higher = deleted("b", B_FOLDER, 2, now=60)
    both = with_other_deletes(higher, [A2, higher, C_GONE])
    assert A1.seen_by(both) and C_GONE.seen_by(both) and B_FOLDER.seen_by(both)
    assert not A2.seen_by(both), "neither had seen it"
    assert (both.rank, both.counter) == (higher.rank, higher.counter)
    assert reconcile(A1, both) is V.TAKE and reconcile(A1, higher) is V.PUBLISH_AGAIN
    assert reconcile(A2, both) is V.PUBLISH_AGAIN
    assert with_other_deletes(C_GONE, [higher]) == C_GONE, "the higher one is to be taken first"
    assert with_other_deletes(A2, [C_GONE]) == A2, "what lives saw no delete"


def test_a_tombstone_that_says_it_saw_a_higher_one_adds_nothing() -> None:
    higher = deleted("b", B_FOLDER, 2, now=60)
    pairs = tuple(sorted([(life("b"), 1000), (life("c"), 4)]))
    liar = structs.replace(C_GONE, vector=Vector.of(pairs))
    assert with_other_deletes(higher, [liar]) == higher


ALL = [A1, A2, B_EDIT, D_OLD_EDIT, C_GONE, E_SAME, TOUCHED, made("f", link(mtime=40), None, 6)]


def test_ranks_are_a_total_order_that_extends_seen() -> None:
    for one, other in permutations(ALL, 2):
        assert one.rank != other.rank
        if one.seen_by(other) and one.vector != other.vector:
            assert one.rank < other.rank


def test_exactly_one_side_of_a_meeting_acts() -> None:
    for one, other in product(ALL, ALL):
        verdicts = (reconcile(one, other), reconcile(other, one))
        if one is other or V.JOIN in verdicts:
            assert verdicts == (V.JOIN, V.JOIN)
        else:
            assert verdicts.count(V.KEEP) == 1


def test_a_vector_keeps_its_own_writer_and_the_youngest() -> None:
    crowd = Vector.of(tuple(sorted((life(chr(97 + i % 26), i), 1) for i in range(64))))
    grown = crowd.with_own(life("z", 1000), 5, life("a", 0))
    assert len(grown.pairs) == 64
    assert grown.counter(life("z", 1000)) == 5
    assert grown.counter(life("a", 0)) == 1, "the base's writer stays although it is the oldest"
    assert grown.counter(life("b", 1)) == 0, "the oldest of the others went"
    assert Vector.unpack(grown.pack()) == grown


def test_contents_differ_in_the_vocabulary() -> None:
    assert content("one") != content("two")
