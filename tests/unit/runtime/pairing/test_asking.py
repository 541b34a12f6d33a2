"""An invitation that asks: who waits, and what a person's answer changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from leftzmq.config import MAX_PEERS, PeerConfig
from leftzmq.errors import NotAdmittedReason
from leftzmq.statedir import StateDir
from leftzmq.transport.device_key import public_text
from leftzmq.wire.door import Admitted
from tests.helpers.pairing_world import US, WALL, B, C, World, disk_is_full, reason


def waiting(world: World) -> list[dict[str, Any]]:
    """Who waits at the first invitation."""
    found: list[dict[str, Any]] = world.ask("invitations")["invitations"][0]["waiting"]
    return found


def answers(world: World, key: str, yes: object = True, mark: str = "") -> dict[str, Any]:
    mark = mark or world.ask("invitations")["invitations"][0]["mark"]
    return world.ask("invite_answer", mark=mark, key=key, yes=yes)


def test_a_device_waits_until_a_person_says_yes_and_nothing_is_used_before(world: World) -> None:
    token = world.invites(asks=True)
    assert reason(world.knocks(B, token)) is NotAdmittedReason.ASKING
    world.now, world.wall = world.now + 2, world.wall + 2
    assert reason(world.knocks(B, token, "your laptop")) is NotAdmittedReason.ASKING
    shown = {"name": "beta", "key": public_text(B), "address": "192.168.1.9", "since": WALL}
    assert waiting(world) == [shown]
    (invitation,) = world.ask("invitations")["invitations"]
    assert invitation["asks"] and invitation["uses_left"] == 1 and not invitation["answered"]
    assert world.config.peers == () and "used" not in world.said
    said = answers(world, public_text(B)[:6])
    assert said == {"name": "beta", "key": public_text(B), "folder": "share", "yes": True}
    assert waiting(world) == [] and world.config.peers == ()
    assert isinstance(world.knocks(B, token, "your laptop"), Admitted)
    assert [peer.name for peer in world.config.peers] == ["beta"], "the name that was read"
    (member,) = world.rosters.members()
    assert member.name == "beta"
    assert world.ask("invitations")["invitations"][0]["state"] == "used up"


def test_an_invitation_that_asks_nothing_has_nobody_waiting(world: World) -> None:
    assert isinstance(world.knocks(B, world.invites(asks=False)), Admitted)
    (invitation,) = world.ask("invitations")["invitations"]
    assert not invitation["asks"] and invitation["waiting"] == [] == invitation["answered"]


def test_a_no_is_for_one_device_and_others_are_told_of_nobody(world: World) -> None:
    token = world.invites(asks=True, uses=2)
    for device, name in ((B, "beta"), (C, "gamma"), (b"d" * 32, "delta")):
        world.knocks(device, token, name)
    assert answers(world, public_text(B), False)["yes"] is False
    answers(world, public_text(C))
    declined = world.knocks(B, token)
    assert reason(declined) is NotAdmittedReason.DECLINED and declined.detail == ""
    assert isinstance(world.knocks(C, token, "gamma"), Admitted)
    asking = world.knocks(b"d" * 32, token, "delta")
    assert reason(asking) is NotAdmittedReason.ASKING and asking.detail == ""
    answered = world.ask("invitations")["invitations"][0]["answered"]
    assert [(one["name"], one["yes"]) for one in answered] == [("beta", False), ("gamma", True)]


def test_a_device_that_is_refused_can_be_allowed_and_one_that_came_in_cannot_be_refused(
    world: World,
) -> None:
    token = world.invites(asks=True, uses=2)
    world.knocks(B, token)
    answers(world, public_text(B), False)
    answers(world, public_text(B), True)
    assert isinstance(world.knocks(B, token), Admitted)
    assert "came in already" in answers(world, public_text(B), False)["declined"]["what"]


def test_answers_are_there_after_a_start_and_who_waits_knocks_again(world: World) -> None:
    token = world.invites(asks=True, uses=3)
    for device in (B, C, b"d" * 32):
        world.knocks(device, token)
    answers(world, public_text(B))
    answers(world, public_text(C), False)
    world.begin()
    assert waiting(world) == []
    assert isinstance(world.knocks(B, token), Admitted)
    assert reason(world.knocks(C, token)) is NotAdmittedReason.DECLINED
    assert reason(world.knocks(b"d" * 32, token)) is NotAdmittedReason.ASKING
    assert [one["key"] for one in waiting(world)] == [public_text(b"d" * 32)]


def test_an_answer_that_cannot_be_kept_is_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = world.invites(asks=True)
    world.knocks(B, token)
    with monkeypatch.context() as patch:
        patch.setattr(StateDir, "save_pairing", disk_is_full)
        assert "No space left" in answers(world, public_text(B))["declined"]["what"]
    assert len(waiting(world)) == 1
    assert reason(world.knocks(B, token)) is NotAdmittedReason.ASKING
    answers(world, public_text(B))
    with monkeypatch.context() as patch:
        patch.setattr(StateDir, "save_pairing", disk_is_full)
        assert reason(world.knocks(B, token)) is NotAdmittedReason.UNKNOWN
    assert isinstance(world.knocks(B, token), Admitted), "the yes holds"


def test_a_person_is_not_asked_about_who_cannot_come(world: World) -> None:
    token = world.invites(asks=True)
    assert reason(world.knocks(US, token)) is NotAdmittedReason.ALREADY_A_MEMBER
    many = tuple(PeerConfig(f"p{n}", None, bytes([n] * 32)) for n in range(MAX_PEERS))
    world.written = world.config = replace(world.written, peers=many)
    assert reason(world.knocks(B, token)) is NotAdmittedReason.FOLDER_FULL
    assert waiting(world) == []


def test_a_person_is_asked_about_eight_devices_of_an_invitation(world: World) -> None:
    token = world.invites(asks=True)
    devices = [bytes([number] * 32) for number in range(8)]
    for device in devices:
        assert world.knocks(device, token).detail == ""
    late = world.knocks(B, token)
    assert reason(late) is NotAdmittedReason.ASKING and late.detail == "about others first"
    assert len(waiting(world)) == 8
    for device in devices:
        answers(world, public_text(device), False)
    late = world.knocks(B, token)
    assert reason(late) is NotAdmittedReason.DECLINED and "to 8 devices" in late.detail
    assert waiting(world) == []


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (lambda world: world.ask("invite_cancel"), NotAdmittedReason.CANCELLED),
        (lambda world: setattr(world, "now", 701.0), NotAdmittedReason.EXPIRED),
    ],
)
def test_who_waits_reads_that_the_invitation_ended_and_nobody_answers_then(
    world: World, end: Callable[[World], object], expected: NotAdmittedReason
) -> None:
    token = world.invites(asks=True)
    world.knocks(B, token)
    end(world)
    assert reason(world.knocks(B, token)) is expected
    assert waiting(world) == []
    assert f"is {expected.name.lower()}" in answers(world, public_text(B))["declined"]["what"]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"mark": "00" * 32}, "no such invitation"),
        ({"mark": ""}, "mark is missing"),
        ({"mark": 7}, "mark is missing"),
        ({"key": ""}, "key is missing"),
        ({"key": "nope"}, "no device that waits"),
        ({"key": public_text(C)}, "no device that waits"),
        ({"yes": "yes"}, "true nor false"),
        ({"yes": 1}, "true nor false"),
        ({"yes": None}, "true nor false"),
    ],
)
def test_an_answer_that_is_none_changes_nothing(
    world: World, more: dict[str, Any], word: str
) -> None:
    token = world.invites(asks=True)
    world.knocks(B, token)
    mark = world.ask("invitations")["invitations"][0]["mark"]
    fields = {"mark": mark, "key": public_text(B), "yes": True} | more
    declined = world.ask("invite_answer", **fields)["declined"]
    assert word in declined["what"]
    assert len(waiting(world)) == 1
    assert reason(world.knocks(B, token)) is NotAdmittedReason.ASKING


def test_the_beginning_of_two_keys_answers_for_neither(world: World) -> None:
    token = world.invites(asks=True)
    for device, name in ((B, "beta"), (B[:-1] + b"c", "gamma")):
        world.knocks(device, token, name)
    declined = answers(world, public_text(B)[:8])["declined"]
    assert "several keys" in declined["what"] and "beta, gamma" in declined["do"]
    assert len(waiting(world)) == 2
    answers(world, public_text(B))
    assert [one["name"] for one in waiting(world)] == ["gamma"]
