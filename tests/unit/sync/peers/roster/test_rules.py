"""Each rule of a roster, in rosters of a few statements; every one in many orders.

R is the device that is removed, or that would like to undo it.
"""

from __future__ import annotations

import pytest

from leftzmq.sync.peers.roster.roster import Roster
from leftzmq.wire.statements import Signed
from tests.helpers.rosters import FOLDER, Sayings, device, in_any_order, names


@pytest.fixture
def say() -> Sayings:
    return Sayings()


def live(roster: Roster) -> str:
    return names(roster.live())


def family(say: Sayings) -> tuple[Signed, Signed, Signed]:
    """A founded, and let in B and R."""
    root = say.root("A")
    return root, say.admit("A", "B", root), say.admit("A", "R", root)


# ---- admissions ----------------------------------------------------------------------------------


def test_who_founds_is_in_and_so_are_those_let_in_by_members(say):
    root, b, _ = family(say)
    say.admit("B", "C", b)
    roster = in_any_order(say.said, root)
    assert live(roster) == "ABCR"
    assert all(roster.mode(device(name).key) == "full" for name in "ABCR")


def test_a_root_that_nobody_pinned_is_nothing(say):
    root, _, _ = family(say)
    own = say.root("D")
    say.admit("D", "R", own)
    assert live(in_any_order(say.said, root)) == "ABR"
    assert live(in_any_order(say.said)) == ""


def test_a_read_only_member_lets_nobody_in_and_removes_nobody_but_itself(say):
    root = say.root("A")
    b = say.admit("A", "B", root, mode="read")
    say.admit("B", "C", b)
    say.remove("B", "A", b)
    say.epoch("B", b, 9, [])
    roster = in_any_order(say.said, root)
    assert live(roster) == "AB" and roster.mode(device("B").key) == "read"
    assert not roster.clean(bytes([9]) * 16)
    say.remove("B", "B", b)
    assert live(in_any_order(say.said, root)) == "A"


def test_one_admission_that_says_read_is_enough(say):
    root, b, _ = family(say)
    say.admit("B", "R", b, mode="read")
    roster = in_any_order(say.said, root)
    assert roster.mode(device("R").key) == "read"


def test_a_change_of_mode_is_a_removal_and_an_admission_that_lifts_it(say):
    root, _, _ = family(say)
    removal = say.remove("A", "R", root)
    say.admit("A", "R", root, mode="read", over=[removal])
    roster = in_any_order(say.said, root)
    assert live(roster) == "ABR" and roster.mode(device("R").key) == "read"


def test_two_that_founded_at_once_are_one_folder_when_each_has_let_the_other_in(say):
    a, b = say.root("A"), say.root("B")
    say.admit("A", "C", a)
    d = say.admit("B", "D", b)
    say.remove("B", "R", b)  # of nobody: it does not count
    say.admit("A", "B", a)
    say.admit("B", "A", b)
    at_a, at_b = in_any_order(say.said, a), in_any_order(say.said, b)
    assert live(at_a) == live(at_b) == "ABCD"
    assert at_a.judgement.covers == at_b.judgement.covers
    say.remove("D", "C", d)
    assert live(in_any_order(say.said, a)) == live(in_any_order(say.said, b)) == "ABD"


def test_who_was_let_in_to_read_does_not_write_by_a_root_of_its_own(say):
    a, r = say.root("A"), say.root("R")
    say.admit("A", "R", a, mode="read")
    say.admit("R", "D", r)
    roster = in_any_order(say.said, a)
    assert live(roster) == "AR" and roster.mode(device("R").key) == "read"


# ---- removals ------------------------------------------------------------------------------------


def test_a_removal_takes_those_along_that_the_device_let_in(say):
    root, _, r = family(say)
    c = say.admit("R", "C", r)
    say.admit("C", "D", c)
    say.remove("A", "R", root)
    assert live(in_any_order(say.said, root)) == "AB"


def test_what_a_removal_keeps_stays_with_all_that_hangs_on_it(say):
    root, _, r = family(say)
    c = say.admit("R", "C", r)
    say.admit("C", "D", c)
    say.admit("R", "E", r)
    say.remove("A", "R", root, [c])
    assert live(in_any_order(say.said, root)) == "ABCD"


def test_what_one_removal_keeps_another_one_may_not(say):
    root, b, r = family(say)
    c = say.admit("R", "C", r)
    say.remove("A", "R", root, [c])
    say.remove("B", "R", b)
    assert live(in_any_order(say.said, root)) == "AB"


def test_an_admission_at_the_same_time_does_not_bring_a_device_back(say):
    root, b, _ = family(say)
    say.remove("A", "R", root)
    say.admit("B", "R", b)
    assert live(in_any_order(say.said, root)) == "AB"


def test_an_admission_that_names_all_removals_does(say):
    root, b, _ = family(say)
    one, other = say.remove("A", "R", root), say.remove("B", "R", b)
    say.admit("B", "R", b, over=[other])
    assert live(in_any_order(say.said, root)) == "AB"
    say.admit("B", "R", b, over=[one, other])
    assert live(in_any_order(say.said, root)) == "ABR"


def test_who_is_back_does_not_bring_those_back_that_it_had_let_in(say):
    root, _, r = family(say)
    say.admit("R", "C", r)
    removal = say.remove("A", "R", root)
    again = say.admit("A", "R", root, over=[removal])
    assert live(in_any_order(say.said, root)) == "ABR"
    say.admit("R", "D", again)
    assert live(in_any_order(say.said, root)) == "ABDR"
    say.admit("R", "E", r)  # under the admission of before
    assert live(in_any_order(say.said, root)) == "ABDR"


def test_a_removed_one_gets_nobody_in_nor_itself(say):
    root, _, r = family(say)
    removal = say.remove("A", "R", root)
    d = say.admit("R", "D", r)
    say.admit("R", "R", r, over=[removal])
    say.admit("D", "R", d, over=[removal])
    own = say.root("R")
    say.admit("R", "E", own)
    say.admit("E", "R", own, over=[removal])
    assert live(in_any_order(say.said, root)) == "AB"


def test_two_that_remove_each_other_are_both_out(say):
    root, b, r = family(say)
    say.remove("B", "R", b)
    say.remove("R", "B", r)
    assert live(in_any_order(say.said, root)) == "A"


def test_a_founder_can_be_removed(say):
    root, b, _ = family(say)
    say.remove("B", "A", b, [b])
    roster = in_any_order(say.said, root)
    assert live(roster) == "B"


def test_removals_by_a_removed_one_count_as_they_may_be_older(say):
    root, _, r = family(say)
    say.remove("A", "R", root)
    late = say.remove("R", "B", r)
    roster = in_any_order(say.said, root)
    assert live(roster) == "A" and roster.counts(late.id)


def test_a_removal_of_nobody_does_not_count_until_it_is_somebody(say):
    root, _, _ = family(say)
    early = say.remove("A", "D", root)
    roster = in_any_order(say.said, root)
    assert not roster.counts(early.id) and roster.clean(FOLDER)
    say.admit("A", "D", root)
    assert live(in_any_order(say.said, root)) == "ABR"


def test_a_removal_by_a_stranger_does_not_count(say):
    root, _, _ = family(say)
    own = say.root("D")
    removal = say.remove("D", "B", own)
    assert not in_any_order(say.said, root).counts(removal.id)


# ---- keys ----------------------------------------------------------------------------------------


def test_a_stranger_cannot_found_in_the_name_of_a_member(say):
    root, _, _ = family(say)
    forged = say.root("B", signer="R")
    say.admit("R", "D", forged)
    say.remove("R", "A", forged)
    assert live(in_any_order(say.said, root)) == "ABR"


def test_nobody_speaks_in_the_name_of_a_member(say):
    root, b, _ = family(say)
    say.tell("B", b, 1, "B's name", "tcp://192.0.2.1:1")
    say.tell("R", b, 9, "evil", "tcp://192.0.2.9:1")
    say.admit("R", "D", b)
    say.epoch("R", b, 9, [])
    removal = say.remove("R", "A", b)
    roster = in_any_order(say.said, root)
    member = roster.member(device("B").key)
    assert (member.name, member.endpoints) == ("B's name", ("tcp://192.0.2.1:1",))
    assert live(roster) == "ABR" and not roster.counts(removal.id)
    assert not roster.clean(bytes([9]) * 16)


# ---- self ----------------------------------------------------------------------------------------


def test_the_highest_counter_counts_and_nothing_else_is_kept(say):
    root, b, _ = family(say)
    say.tell("B", b, 2, "new")
    say.tell("B", b, 1, "old")
    roster = in_any_order(say.said, root)
    assert roster.member(device("B").key).name == "new"
    assert roster.newest_self(device("B").key) == 2
    assert len(roster.after()) == 4


def test_of_equal_counters_the_higher_id_counts(say):
    root, b, _ = family(say)
    two = [say.tell("B", b, 1, name) for name in ("x", "y")]
    wanted = max(two, key=lambda each: each.id).statement.name
    assert in_any_order(say.said, root).member(device("B").key).name == wanted


def test_it_counts_under_whichever_admission_a_member_says_it(say):
    """B is in by A's word, and by that of R, which is removed."""
    root, b, r = family(say)
    again = say.admit("R", "B", r)
    say.tell("B", b, 1, "old")
    say.tell("B", again, 2, "new")
    removal = say.remove("A", "R", root)
    say.epoch("B", again, 7, [removal])
    roster = in_any_order(say.said, root)
    assert roster.member(device("B").key).name == "new"
    assert roster.clean(bytes([7]) * 16)


# ---- epochs --------------------------------------------------------------------------------------


def test_epoch_0_is_clean_while_nothing_is_removed(say):
    root, _, _ = family(say)
    roster = in_any_order(say.said, root)
    assert roster.clean(FOLDER) and roster.in_use([FOLDER]) == FOLDER
    say.remove("A", "R", root)
    roster = in_any_order(say.said, root)
    assert not roster.clean(FOLDER) and roster.in_use([FOLDER]) is None


def test_an_epoch_is_clean_that_covers_all_removals(say):
    root, b, _ = family(say)
    one = say.remove("A", "R", root)
    say.epoch("A", root, 7, [one])
    assert in_any_order(say.said, root).clean(bytes([7]) * 16)
    other = say.remove("B", "R", b)
    assert not in_any_order(say.said, root).clean(bytes([7]) * 16)
    say.epoch("B", b, 8, [one, other])
    say.epoch("A", root, 9, [one, other])
    roster = in_any_order(say.said, root)
    tags = [bytes([each]) * 16 for each in (7, 8, 9)]
    assert [roster.clean(tag) for tag in tags] == [False, True, True]
    assert roster.in_use(tags) == tags[2] and roster.in_use(tags[:2]) == tags[1]


def test_a_removed_one_makes_no_epoch_even_if_it_covers_its_own_removal(say):
    root, _, r = family(say)
    removal = say.remove("A", "R", root)
    say.epoch("R", r, 7, [removal])
    roster = in_any_order(say.said, root)
    assert not roster.clean(bytes([7]) * 16)
    assert len(roster.after()) == 4  # nor is it kept


def test_who_may_only_read_now_has_no_epoch_in_use(say):
    root, b, r = family(say)
    say.epoch("R", r, 7, [])
    assert in_any_order(say.said, root).clean(bytes([7]) * 16)
    say.admit("B", "R", b, mode="read")
    assert not in_any_order(say.said, root).clean(bytes([7]) * 16)


# ---- more than 62 --------------------------------------------------------------------------------


def test_of_more_than_62_the_nearest_to_the_root_are_members(say):
    root, _, r = family(say)
    for number in range(240):
        say.admit("R", f"p{number}", r)
    roster = in_any_order(say.said, root)
    assert len(roster.live()) == 62 and len(roster.judgement.crowded_out) == 181
    assert {device(name).key for name in "ABR"} <= roster.live()
    say.remove("A", "R", root)
    assert live(in_any_order(say.said, root)) == "AB"
