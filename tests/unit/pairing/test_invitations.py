"""Invitations: who may come in by which token, how often, and until when."""

from __future__ import annotations

import itertools

import pytest

from leftzmq.errors import NotAdmittedReason
from leftzmq.pairing.invitations import (
    LINGER_S,
    MOST_OPEN,
    MOVES,
    SET_BACK_S,
    Invitation,
    InvitationMove,
    Invitations,
    InvitationState,
    LetIn,
    PersonAnswer,
)
from leftzmq.pairing.waiting import MOST_ASKED, Applicant

TOKEN, OTHER = b"t" * 16, b"o" * 16
B, C = b"b" * 32, b"c" * 32
WALL = 1_800_000_000.0


def invitations(uses: int = 1, ttl_s: float = 600.0) -> Invitations:
    found = Invitations((), WALL, 100.0)
    found.add("docs", TOKEN, uses, ttl_s, "", 0, WALL, 100.0)
    return found


def comes(found: Invitations, device: bytes, now: float, token: bytes = TOKEN) -> LetIn:
    let_in = found.knocked(device, token, "beta", now)
    assert isinstance(let_in, LetIn), let_in
    found.use(let_in, now)
    return let_in


def reason(found: Invitations, device: bytes, now: float, token: bytes = TOKEN) -> object:
    answer = found.knocked(device, token, "beta", now)
    assert not isinstance(answer, LetIn)
    return answer[0]


def test_every_move_from_every_state_is_in_the_table() -> None:
    assert set(MOVES) == set(itertools.product(InvitationState, InvitationMove))
    ended = [state for state in InvitationState if state is not InvitationState.OPEN]
    assert all(MOVES[state, move] is state for state in ended for move in InvitationMove)


def test_one_device_comes_in_and_again_when_its_answer_was_lost_and_no_other_one() -> None:
    found = invitations()
    assert comes(found, B, 101.0).is_new
    assert not comes(found, B, 102.0).is_new, "the same line typed again goes on"
    assert reason(found, C, 103.0) is NotAdmittedReason.USED_UP
    assert [use.device for use in found.kept[0].used_by] == [B]


def test_a_knock_alone_uses_nothing() -> None:
    found = invitations()
    assert isinstance(found.knocked(B, TOKEN, "beta", 101.0), LetIn)
    assert comes(found, C, 102.0).is_new


def test_an_unknown_token_is_told_nothing_of_others() -> None:
    found = invitations()
    assert found.knocked(B, OTHER, "beta", 101.0) == (NotAdmittedReason.UNKNOWN, None)


def test_its_time_ends_it_and_later_it_is_forgotten() -> None:
    found = invitations()
    assert found.deadline() == 700.0
    assert reason(found, B, 700.0) is NotAdmittedReason.EXPIRED
    assert found.open == () and found.kept
    assert reason(found, B, 700.0 + LINGER_S) is NotAdmittedReason.UNKNOWN
    assert found.kept == () and found.deadline() is None


def test_a_device_that_came_in_goes_on_after_the_time_is_over_but_not_after_a_cancel() -> None:
    found = invitations(uses=3)
    comes(found, B, 101.0)
    assert not comes(found, B, 701.0).is_new
    found = invitations(uses=3)
    comes(found, B, 101.0)
    assert found.cancel("docs", 102.0) == 1
    assert reason(found, B, 103.0) is NotAdmittedReason.CANCELLED
    assert found.cancel(None, 104.0) == 0


def test_cancel_takes_back_those_of_one_folder_or_all() -> None:
    found = invitations()
    found.add("music", OTHER, 1, 600.0, "", 0, WALL, 100.0)
    assert found.cancel("music", 101.0) == 1
    assert comes(found, B, 102.0).invitation.folder == "docs"
    assert reason(found, C, 102.0, OTHER) is NotAdmittedReason.CANCELLED


def test_no_more_than_a_few_are_open() -> None:
    found = Invitations((), WALL, 0.0)
    for number in range(MOST_OPEN):
        assert not found.is_full
        found.add("docs", bytes([number] * 16), 1, 600.0, "", 0, WALL, 0.0)
    assert found.is_full
    found.cancel(None, 1.0)
    assert not found.is_full


@pytest.mark.parametrize(
    ("wall", "left_s"),
    [
        (WALL + 1, 599.0),
        (WALL + 599, 1.0),
        (WALL + 600, None),
        (WALL + 86_400, None),
        (WALL - 30, 600.0),  # clocks are set by seconds
        (WALL - SET_BACK_S - 1, None),
    ],
)
def test_across_a_start_the_wall_clock_counts(wall: float, left_s: float | None) -> None:
    kept = invitations().kept
    found = Invitations(kept, wall, 5.0)
    if left_s is None:
        assert found.open == () and reason(found, B, 5.0) is NotAdmittedReason.EXPIRED
    else:
        assert found.deadline() == 5.0 + left_s
        assert comes(found, B, 5.0 + left_s - 0.1).is_new


def test_what_was_used_up_before_a_start_still_says_so_for_a_while() -> None:
    before = invitations()
    comes(before, B, 101.0)
    found = Invitations(before.kept, WALL + 10, 0.0)
    assert reason(found, C, 1.0) is NotAdmittedReason.USED_UP
    assert not comes(found, B, 1.0).is_new
    assert reason(found, C, LINGER_S) is NotAdmittedReason.UNKNOWN


# -- an invitation that asks ----------------------------------------------------------------------


def asking(uses: int = 1) -> Invitations:
    found = Invitations((), WALL, 100.0)
    found.add("docs", TOKEN, uses, 600.0, "", 0, WALL, 100.0, asks=True)
    return found


def answered(found: Invitations, device: bytes, is_yes: bool, now: float) -> None:
    found.answer(found.kept[0], PersonAnswer(device, "beta", is_yes), now)
    found.heard(found.kept[0], device)


def waits(found: Invitations, device: bytes, now: float) -> bool:
    assert reason(found, device, now) is NotAdmittedReason.ASKING
    return found.wait(found.kept[0], Applicant(device, "beta", "10.0.0.1", WALL), now)


def test_nobody_comes_in_by_an_invitation_that_asks_before_a_yes_and_nothing_is_used() -> None:
    found = asking()
    assert waits(found, B, 101.0)
    assert [one.device for one in found.waiting(found.kept[0], 102.0)] == [B]
    assert found.kept[0].uses_left == 1
    answered(found, B, True, 103.0)
    assert found.waiting(found.kept[0], 103.0) == () and found.kept[0].uses_left == 1
    assert comes(found, B, 104.0).is_new
    assert reason(found, C, 105.0) is NotAdmittedReason.USED_UP
    assert not comes(found, B, 106.0).is_new, "its answer was lost"


def test_a_yes_is_for_one_device_and_comes_in_by_the_name_that_was_read() -> None:
    found = asking(uses=2)
    answered(found, B, True, 101.0)
    assert reason(found, C, 102.0) is NotAdmittedReason.ASKING
    let_in = found.knocked(B, TOKEN, "your laptop", 102.0)
    assert isinstance(let_in, LetIn) and let_in.use.name == "beta"


def test_a_no_is_said_until_the_invitation_is_forgotten_and_may_be_taken_back() -> None:
    found = asking()
    waits(found, B, 101.0)
    answered(found, B, False, 102.0)
    assert found.waiting(found.kept[0], 102.0) == ()
    assert reason(found, B, 103.0) is NotAdmittedReason.DECLINED
    answered(found, B, True, 104.0)
    assert isinstance(found.knocked(B, TOKEN, "beta", 105.0), LetIn)
    answered(found, B, False, 106.0)
    assert reason(found, B, 107.0) is NotAdmittedReason.DECLINED
    assert [one.is_yes for one in found.kept[0].answers] == [False]
    assert reason(found, B, 700.0) is NotAdmittedReason.DECLINED, "it hears of nobody else"


def test_a_person_is_asked_about_so_many_devices_and_no_more() -> None:
    found = asking(uses=3)
    answered(found, C, True, 101.0)
    for number in range(MOST_ASKED - 1):
        assert waits(found, bytes([number] * 32), 102.0)
        answered(found, bytes([number] * 32), False, 102.0)
    last, too_many = b"y" * 32, b"z" * 32
    assert waits(found, last, 103.0)
    assert not waits(found, too_many, 103.0)
    answered(found, last, False, 103.0)
    assert reason(found, too_many, 103.0) is NotAdmittedReason.DECLINED
    assert isinstance(found.knocked(C, TOKEN, "gamma", 104.0), LetIn), "a yes holds"


@pytest.mark.parametrize("end", ["time", "cancel", "use"])
def test_nobody_waits_at_an_invitation_that_ended(end: str) -> None:
    found = asking()
    waits(found, B, 101.0)
    waits(found, C, 101.0)
    if end == "cancel":
        found.cancel("docs", 102.0)
        assert reason(found, B, 103.0) is NotAdmittedReason.CANCELLED
    elif end == "time":
        answered(found, B, True, 102.0)
        assert reason(found, B, 700.0) is NotAdmittedReason.EXPIRED, "a yes lasts no longer"
    else:
        answered(found, C, True, 102.0)
        comes(found, C, 103.0)
        assert reason(found, B, 104.0) is NotAdmittedReason.USED_UP
    assert found.waiting(found.kept[0], 110.0) == ()


def test_an_answer_is_there_after_a_start_and_who_waits_knocks_again() -> None:
    before = asking(uses=2)
    for device, is_yes in ((B, True), (C, False)):
        waits(before, device, 101.0)
        answered(before, device, is_yes, 101.0)
    waits(before, b"d" * 32, 101.0)
    found = Invitations(before.kept, WALL + 1, 0.0)
    assert comes(found, B, 1.0).is_new
    assert reason(found, C, 1.0) is NotAdmittedReason.DECLINED
    assert found.waiting(found.kept[0], 1.0) == () and waits(found, b"d" * 32, 1.0)


def test_what_could_not_be_kept_is_as_it_was() -> None:
    found = invitations()
    (before,) = found.kept
    comes(found, B, 101.0)
    found.put_back(before)
    assert found.kept == (before,) and found.deadline() == 700.0
    assert comes(found, C, 102.0).is_new


def test_the_token_is_not_kept() -> None:
    (kept,) = invitations().kept
    assert isinstance(kept, Invitation) and TOKEN not in repr(kept).encode()
    assert kept.mark != TOKEN and "mark" not in repr(kept)
