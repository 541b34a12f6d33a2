"""What a roster takes in, in which order it gives it out, what members say, and its bounds."""

from __future__ import annotations

import time

import pytest

from leftzmq.content.ids import StatementId
from leftzmq.content.key_text import key_text
from leftzmq.errors import Refusal, RosterError
from leftzmq.sync.peers.roster import making
from leftzmq.sync.peers.roster.intake import MAX_WAITING
from leftzmq.sync.peers.roster.roster import (
    CROWDED,
    MAX_STATEMENTS,
    RESERVED_FROM,
    Added,
    Roster,
)
from leftzmq.wire.statements import Removal, Signed, decode, encode
from tests.helpers.rosters import AT, FOLDER, Sayings, device, names, roster_of

LINK, OTHER_LINK = device("L").key, device("M").key
NONCE = bytes(16)


@pytest.fixture
def say() -> Sayings:
    return Sayings()


def founded(*letters: str) -> Roster:
    """By A, which let the others in."""
    roster = Roster(FOLDER)
    making.found(roster, device("A").me, "A", NONCE, AT)
    for letter in letters:
        making.admit(roster, device("A").me, device(letter).newcomer(), NONCE, AT)
    return roster


def live(roster: Roster) -> str:
    return names(roster.live())


# ---- what comes in -------------------------------------------------------------------------------


def test_what_is_new_is_said_once(say):
    root = say.root("A")
    roster = Roster(FOLDER, [root.id])
    assert roster.add(root, LINK, 0.0) == Added((root,))
    assert roster.add(root, LINK, 0.0) == Added()


def test_what_came_before_its_parent_waits_for_it(say):
    root = say.root("A")
    b = say.admit("A", "B", root)
    c = say.admit("B", "C", b)
    roster = Roster(FOLDER, [root.id])
    assert roster.add(c, LINK, 0.0) == roster.add(b, LINK, 0.0) == Added(waits=True)
    assert roster.add(c, LINK, 0.0) == Added()
    assert live(roster) == "" and roster.after() == []
    assert roster.add(root, LINK, 0.0) == Added((root, b, c))
    assert live(roster) == "ABC"


def test_a_wrong_signature_is_refused_before_anything_else(say):
    root = say.root("A")
    b = say.admit("A", "B", root, mode="read")
    forged = say.admit("B", "C", root)
    for wrong in (forged, Signed(b.id, b.statement, bytes(64))):
        added = roster_of([root], [root]).add(wrong, LINK, 0.0)
        assert added == Added(refusal=Refusal.NOT_SIGNED, detail="Admission")
    not_allowed = say.admit("A", "C", b)  # signed by A, under the admission of B
    assert roster_of([root, b], [root]).add(not_allowed, LINK, 0.0).refusal is Refusal.NOT_SIGNED


def test_a_statement_of_another_folder_is_not_signed_here(say):
    root = say.root("A")
    other = decode(encode(root), b"another's folder")
    assert Roster(b"another's folder").add(other, LINK, 0.0).refusal is Refusal.NOT_SIGNED


@pytest.mark.parametrize("what", ["admit", "remove", "epoch", "itself"])
def test_what_a_member_may_not_say_is_refused(say, what):
    root = say.root("A")
    b = say.admit("A", "B", root, mode="read")
    roster = roster_of(say.said, [root])
    said = {
        "admit": lambda: say.admit("B", "C", b),
        "remove": lambda: say.remove("B", "A", b),
        "epoch": lambda: say.epoch("B", b, 1, []),
        "itself": lambda: say.admit("A", "A", root),
    }[what]()
    assert roster.add(said, LINK, 0.0).refusal is Refusal.NOT_ITS_RIGHT
    assert roster.statement(said.id) is None


def test_a_wrong_signature_that_waits_does_not_keep_the_right_one_out(say):
    root = say.root("A")
    b = say.admit("A", "B", root)
    roster = Roster(FOLDER, [root.id])
    roster.add(Signed(b.id, b.statement, bytes(64)), LINK, 0.0)
    roster.add(b, OTHER_LINK, 0.0)
    assert roster.add(root, OTHER_LINK, 0.0) == Added((root, b))


def test_what_waits_without_end_pushes_out_only_its_own(say):
    root = say.root("A")
    b = say.admit("A", "B", root)
    roster = Roster(FOLDER, [root.id])
    roster.add(b, OTHER_LINK, 0.0)
    for number in range(MAX_WAITING + 50):
        nowhere = Removal(number.to_bytes(16, "big"), device("A").key, [], AT)
        junk = Signed(StatementId(bytes(16)), nowhere, number.to_bytes(64, "big"))
        assert roster.add(junk, LINK, 61.0 * number).waits
    assert len(roster._waiting) == MAX_WAITING
    assert roster.add(root, OTHER_LINK, 0.0).new == (root, b)


# ---- bounds --------------------------------------------------------------------------------------


def test_64_new_a_minute_are_taken_from_one_link(say):
    root = say.root("A")
    roster = roster_of([root], [root])
    many = [say.tell("A", root, number, "A") for number in range(1, 70)]
    for each in many[:64]:
        assert roster.add(each, LINK, 10.0).refusal is None
    assert roster.add(many[0], LINK, 11.0) == Added()  # what is known costs nothing
    assert roster.add(many[64], LINK, 69.9).refusal is Refusal.TOO_FAST
    assert roster.add(many[65], OTHER_LINK, 69.9).new
    assert roster.add(many[66], None, 69.9).new
    assert roster.add(many[67], LINK, 70.1).new


@pytest.fixture
def flooded(say: Sayings) -> tuple[Roster, Signed]:
    """A roster in which M is let in by A, when LINK has brought all that it may; M's admission."""
    root = say.root("A")
    m = say.admit("A", "M", root)
    roster = roster_of([root, m], [root])
    for number in range(64):
        roster.add(say.admit("M", f"p{number}", m), LINK, 10.0)
    assert roster.add(say.admit("M", "one more", m), LINK, 10.0).refusal is Refusal.TOO_FAST
    return roster, m


def test_a_member_that_passed_on_too_much_may_still_remove_who_said_it(say, flooded):
    roster, _ = flooded
    (root,) = (each for each in say.said if not each.statement.parent)
    gone = say.remove("A", "M", root)
    assert roster.add(gone, LINK, 11.0).new == (gone,)
    made = say.epoch("A", root, 1, [gone])
    assert roster.add(made, LINK, 11.0).new == (made,)
    back = say.admit("A", "M", root, over=[gone])
    assert roster.add(back, LINK, 11.0).new == (back,)
    other = say.admit("A", "B", root)
    assert roster.add(other, LINK, 11.0).refusal is Refusal.TOO_FAST, "it can wait"


def test_what_a_member_says_itself_is_counted_apart_from_what_it_passes_on(say):
    root = say.root("A")
    m = say.admit("A", "M", root)
    roster = roster_of([root, m], [root])
    link = device("A").key
    for number in range(65):
        roster.add(say.admit("M", f"p{number}", m), link, 10.0)
    assert roster.add(say.admit("M", "p70", m), link, 10.0).refusal is Refusal.TOO_FAST
    for number in range(64):
        said = say.remove("A", f"p{number}", root)
        assert roster.add(said, link, 11.0).new == (said,)
    for number in range(5):
        taken = roster.add(say.remove("A", "M", root), link, 11.0)
        assert (taken.refusal is None) is (number < 4), "that is all"


def test_what_is_reserved_for_one_is_used_up_by_nobody_else(say, flooded):
    roster, m = flooded
    (root,) = (each for each in say.said if not each.statement.parent)
    for number in range(8):  # in A's name, and its own
        forged = say.remove("M", f"p{number}", root)
        assert roster.add(forged, LINK, 11.0).refusal is Refusal.TOO_FAST
        taken = roster.add(say.remove("M", f"p{number}", m), LINK, 11.0)
        assert (taken.refusal is None) is (number < 4)
    gone = say.remove("A", "M", root)
    assert roster.add(gone, LINK, 12.0).new == (gone,)
    late = say.remove("M", "p9", m)
    assert roster.add(late, LINK, 69.0).refusal is Refusal.TOO_FAST, "M may say nothing any more"


def test_who_may_only_read_has_nothing_reserved(say):
    root = say.root("A")
    reader = say.admit("A", "R", root, mode="read")
    roster = roster_of([root, reader], [root])
    for number in range(1, 65):
        roster.add(say.tell("R", reader, number, "R"), LINK, 10.0)
    leaves = say.remove("R", "R", reader)
    assert roster.add(leaves, LINK, 11.0).refusal is Refusal.TOO_FAST


def crowd(say: Sayings, roster: Roster, root: Signed, upto: int) -> Signed:
    """B, which A let in, lets in until the roster has so many."""
    b = say.admit("A", "B", root)
    roster.add(b, None, 0.0)
    for number in range(upto - len(roster.after())):
        roster.add(say.admit("B", f"p{number % 100}", b), None, 0.0)
    return b


def test_at_1024_a_person_can_be_told_who_signed_most(say):
    root = say.root("A")
    roster = roster_of([root], [root])
    crowd(say, roster, root, CROWDED - 1)
    assert roster.crowding() is None
    roster.add(say.admit("A", "C", root), None, 0.0)
    crowding = roster.crowding()
    assert (crowding.statements, crowding.device) == (CROWDED, device("B").key)
    assert crowding.signed == CROWDED - 3


@pytest.mark.slow
def test_above_4096_only_what_a_removal_needs_and_above_8192_nothing(say):
    root = say.root("A")
    roster = roster_of([root], [root])
    roster.add(say.tell("B", say.admit("A", "B", root), 1, "B"), None, 0.0)
    roster.add(say.said[-2], None, 0.0)
    b = crowd(say, roster, root, RESERVED_FROM)
    assert roster.add(say.tell("B", b, 2, "B"), None, 0.0).new  # instead of the one before
    for other in (say.admit("A", "C", root), say.tell("A", root, 1, "A"), say.root("D")):
        assert roster.add(other, None, 0.0).refusal is Refusal.ROSTER_FULL
    removal = say.remove("A", "B", root)
    assert roster.add(removal, None, 0.0).new and live(roster) == "A"
    assert roster.add(say.epoch("A", root, 1, [removal]), None, 0.0).new
    assert roster.clean(bytes([1]) * 16)
    assert roster.add(say.admit("A", "B", root, over=[removal]), None, 0.0).new
    assert live(roster) == "AB"
    for _ in range(MAX_STATEMENTS - len(roster.after())):
        assert roster.add(say.remove("B", "p1", b), None, 0.0).new
    assert roster.add(say.remove("A", "B", root), None, 0.0).refusal is Refusal.ROSTER_FULL


@pytest.mark.slow
def test_epochs_of_who_was_removed_make_room_again(say):
    root = say.root("A")
    roster = roster_of([root], [root])
    b = say.admit("A", "B", root)
    roster.add(b, None, 0.0)
    for number in range(RESERVED_FROM):
        roster.add(say.epoch("B", b, number % 256, [_id(number)]), None, 0.0)
    c = say.admit("A", "C", root)
    assert roster.add(c, None, 0.0).refusal is Refusal.ROSTER_FULL
    assert roster.add(say.remove("A", "B", root), None, 0.0).new
    assert roster.add(c, None, 0.0).new
    assert live(roster) == "AC" and len(roster.after()) == 4
    for number in range(RESERVED_FROM):
        roster.add(say.epoch("B", b, number % 256, [_id(-1 - number)]), None, 0.0)
    assert roster.add(say.admit("A", "D", root), None, 0.0).new


def _id(number: int) -> Signed:
    return Signed(
        StatementId(number.to_bytes(16, "big", signed=True)), Removal(NONCE, NONCE, [], 0), NONCE
    )


# ---- what goes out -------------------------------------------------------------------------------


def test_what_goes_out_can_be_added_one_by_one_and_a_removal_comes_early(say):
    root = say.root("A")
    b = say.admit("A", "B", root)
    for number in range(20):
        say.admit("B", f"p{number}", b)
    say.tell("A", root, 1, "A")
    removal = say.remove("B", "p1", b)
    say.epoch("A", root, 1, [removal])
    roster = roster_of(reversed(say.said), [root])
    out = roster.after()
    assert len(out) == len(say.said) and out[:3] == [root, b, removal]
    other = Roster(FOLDER, [root.id])
    assert all(other.add(each, None, 0.0).new == (each,) for each in out)
    assert other.digest() == roster.digest()
    assert roster.after(other.digest()) == [] and roster.after(bytes(16)) == out


def test_it_survives_the_file():
    roster = founded("B", "R")
    making.tell_self(roster, device("A").me, "a", ["tcp://192.0.2.1:7700"])
    making.remove(roster, device("A").me, device("R").key, [], AT)
    making.new_epoch(roster, device("A").me, b"t" * 16, AT)
    again = Roster(FOLDER, roster.pins)
    for each in roster.after():
        again.add(decode(encode(each), FOLDER), None, 0.0)
    assert again.judgement == roster.judgement and again.digest() == roster.digest()
    assert again.in_use([b"t" * 16, FOLDER]) == b"t" * 16


# ---- what members say ----------------------------------------------------------------------------


def test_a_folder_is_founded_and_others_are_let_in():
    roster = founded("B")
    making.admit(roster, device("B").me, device("C").newcomer("read"), NONCE, AT)
    assert live(roster) == "ABC" and roster.mode(device("C").key) == "read"
    assert roster.mode(device("D").key) is None and roster.member(device("D").key) is None
    assert roster.signer(roster.member(device("C").key).admissions[0]) == device("B").key
    assert roster.says_nothing_of(device("D").key) and not roster.says_nothing_of(device("C").key)


def test_a_removal_that_came_before_the_admission_says_something(say):
    root = say.root("A")
    b = say.admit("A", "B", root)
    roster = roster_of([root, b], [root])
    roster.add(say.remove("A", "C", root), None, 0.0)
    assert not roster.removals_of(device("C").key), "C was never let in, as far as is known"
    assert not roster.says_nothing_of(device("C").key)
    other = say.root("X")  # anybody can make a root, and say something under it
    roster.add(other, None, 0.0)
    roster.add(say.remove("X", "D", other), None, 0.0)
    assert roster.says_nothing_of(device("D").key)


def test_names_are_unique_where_the_inviter_sees_them():
    roster = founded("B", "C")
    making.tell_self(roster, device("C").me, "B", [])
    newcomer = making.Newcomer(device("D").key, "B")
    making.admit(roster, device("A").me, newcomer, NONCE, AT)
    assert roster.member(device("D").key).name == "B-2"
    shown = roster.names()
    assert shown[device("D").key] == "B-2" and shown[device("A").key] == "A"
    for letter in "BC":
        key = device(letter).key
        assert shown[key] == f"B-{key_text(key)[:4]}"


def test_a_removal_keeps_what_a_person_chose():
    roster = founded("B")
    making.admit(roster, device("B").me, device("C").newcomer(), NONCE, AT)
    making.admit(roster, device("B").me, device("D").newcomer(), NONCE, AT)
    making.admit(roster, device("D").me, device("E").newcomer(), NONCE, AT)
    branches = roster.let_in_by(device("B").key)
    assert sorted(names(keys) for keys in branches.values()) == ["C", "DE"]
    keep = [id for id, keys in branches.items() if device("D").key in keys]
    making.remove(roster, device("A").me, device("B").key, keep, AT)
    assert live(roster) == "ADE"


def test_who_leaves_leaves_the_others_in():
    roster = founded("B", "R")
    making.admit(roster, device("B").me, device("C").newcomer(), NONCE, AT)
    making.remove(roster, device("C").me, device("R").key, [], AT)
    # B goes, then A is gone, and C still is in by A's word for B.
    making.leave(roster, device("B").me, AT)
    making.leave(roster, device("A").me, AT)
    assert live(roster) == "C"
    assert making.may_write(roster, device("C").me)


def test_a_founder_of_a_second_root_leaves_both_trees_in():
    one, other = founded("C"), Roster(FOLDER)
    making.found(other, device("B").me, "B", NONCE, AT)
    making.admit(other, device("B").me, device("D").newcomer(), NONCE, AT)
    making.admit(one, device("A").me, device("B").newcomer(), NONCE, AT)
    making.admit(other, device("B").me, device("A").newcomer(), NONCE, AT)
    for each in other.after():
        one.add(each, None, 0.0)
    assert live(one) == "ABCD"
    branches = one.let_in_by(device("B").key)
    keep = [id for id, keys in branches.items() if keys == {device("D").key}]
    making.remove(one, device("C").me, device("B").key, keep, AT)
    assert live(one) == "ACD"
    # D hangs on B's root, which holds here by A's word for B, which is no member any more.
    making.leave(one, device("A").me, AT)
    assert live(one) == "CD"


def test_who_is_let_in_under_each_line_is_in_for_all_when_a_founder_is_gone():
    """A and B founded at once, and let in each other, and C. D begins at A's root, as A let it in
    (seed 77004239)."""
    one, other = founded("B", "C", "D"), Roster(FOLDER)
    making.found(other, device("B").me, "B", NONCE, AT)
    for letter in "AC":
        making.admit(other, device("B").me, device(letter).newcomer(), NONCE, AT)
    ours = Roster(FOLDER, [*one.pins, *other.pins])
    theirs = Roster(FOLDER, one.pins)

    def hears(roster: Roster, *more: Roster) -> None:
        for signed in (signed for each in more for signed in each.after()):
            roster.add(signed, None, 0.0)

    hears(ours, one, other)
    me, b = device("C").me, device("B")
    assert len(making.lines(ours, me)) == 2 and live(ours) == "ABCD"
    keep = [id for id, below in ours.let_in_by(b.key).items() if me.device in below]
    making.remove(ours, me, b.key, keep, AT)
    removals = ours.removals_of(b.key)
    for number, line in enumerate(making.lines(ours, me)):
        making.admit(ours, me, b.newcomer(), bytes([number]) * 16, AT, removals, line)
    keep = [id for id, below in ours.let_in_by(device("A").key).items() if below]
    making.remove(ours, me, device("A").key, keep, AT)
    hears(theirs, ours)
    assert live(theirs) == live(ours) == "BCD"


def test_a_read_only_member_can_leave_and_do_nothing_else():
    roster = founded("B")
    making.admit(roster, device("A").me, device("C").newcomer("read"), NONCE, AT)
    assert making.may_write(roster, device("B").me)
    assert not making.may_write(roster, device("C").me)
    for act in (
        lambda: making.admit(roster, device("C").me, device("D").newcomer(), NONCE, AT),
        lambda: making.remove(roster, device("C").me, device("B").key, [], AT),
        lambda: making.new_epoch(roster, device("C").me, bytes(16), AT),
    ):
        with pytest.raises(RosterError, match="may only read"):
            act()
    making.leave(roster, device("C").me, AT)
    assert live(roster) == "AB"


def test_what_cannot_be_said_is_a_sentence():
    roster = founded("B")
    me = device("A").me
    with pytest.raises(RosterError, match="no member"):
        making.tell_self(roster, device("D").me, "D", [])
    with pytest.raises(RosterError, match="itself"):
        making.admit(roster, me, device("A").newcomer(), NONCE, AT)
    with pytest.raises(RosterError, match="new key"):
        making.admit(roster, me, device("D").newcomer(), NONCE, AT, [StatementId(NONCE)] * 33)
    with pytest.raises(RosterError, match="62"):
        making.remove(roster, me, device("B").key, [StatementId(NONCE)] * 63, AT)
    for number in range(60):
        making.admit(roster, me, device(f"d{number}").newcomer(), NONCE, AT)
    with pytest.raises(RosterError, match="62 members"):
        making.admit(roster, me, device("D").newcomer(), NONCE, AT)
    assert len(roster.live()) == 62


def test_who_was_removed_and_invited_again_can_be_removed_again_in_the_same_second():
    roster = founded("R")
    me, key = device("A").me, device("R").key
    for _ in range(3):
        making.remove(roster, me, key, [], AT)
        assert live(roster) == "A"
        over = roster.removals_of(key)
        making.admit(roster, me, device("R").newcomer(), NONCE, AT, over)
        assert live(roster) == "AR"
    assert len(roster.removals_of(key)) == 3


def test_who_is_out_is_so_by_the_removals_that_nobody_lifted(say):
    root = say.root("A")
    b, r = say.admit("A", "B", root), say.admit("A", "R", root)
    by_a, by_b = say.remove("A", "R", root), say.remove("B", "R", b)
    roster, key = roster_of(say.said, [root]), device("R").key
    assert set(roster.removals_not_lifted(key)) == {by_a.id, by_b.id}
    roster.add(say.admit("B", "R", b, over=[by_a]), None, 0.0)
    assert not roster.is_live(key) and roster.removals_not_lifted(key) == (by_b.id,)
    roster.add(say.admit("A", "R", root, over=[by_b]), None, 0.0)
    assert not roster.is_live(key), "no admission lifts both"
    assert set(roster.removals_not_lifted(key)) == {by_a.id, by_b.id}
    assert roster.removals_not_lifted(device("B").key) == () and r.id in roster.judgement.valid


def test_a_restored_device_speaks_above_what_it_had_said():
    roster = founded("B")
    for name in ("b", "bb"):
        making.tell_self(roster, device("B").me, name, ["tcp://192.0.2.1:7700"])
    restored = founded("B")
    for each in roster.after():
        restored.add(each, None, 0.0)
    making.tell_self(restored, device("B").me, "again", [])
    member = restored.member(device("B").key)
    assert (member.name, member.endpoints) == ("again", ())
    assert restored.newest_self(device("B").key) == 3


# ---- how long it takes ---------------------------------------------------------------------------


@pytest.mark.slow
def test_8192_statements_are_added_in_under_2_s(say):
    root = say.root("A")
    b = say.admit("A", "B", root)
    for number in range(RESERVED_FROM - 2):
        say.admit("B", f"p{number % 200}", b)
    for number in range(MAX_STATEMENTS - RESERVED_FROM):
        say.remove("A", f"p{number % 200}", root)
    assert len(say.said) == MAX_STATEMENTS
    roster = Roster(FOLDER, [root.id])
    began = time.process_time()
    for each in say.said:
        assert roster.add(each, None, 0.0).new
    added = time.process_time()
    assert live(roster) == "AB"
    judged = time.process_time()
    assert len(roster.after()) == MAX_STATEMENTS
    print(f"added {added - began:.2f} s, judged {judged - added:.3f} s")
    assert judged - began < 2
