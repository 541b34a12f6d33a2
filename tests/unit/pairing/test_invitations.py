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
)

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


def test_the_token_is_not_kept() -> None:
    (kept,) = invitations().kept
    assert isinstance(kept, Invitation) and TOKEN not in repr(kept).encode()
    assert kept.mark != TOKEN and "mark" not in repr(kept)
