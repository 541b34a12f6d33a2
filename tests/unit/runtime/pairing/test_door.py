"""The door is open while an invitation is known, with one key and port."""

from __future__ import annotations

import pytest

from leftzmq.errors import NotAdmittedReason, PortTaken
from leftzmq.pairing.learnt import DoorKept, Learnt
from leftzmq.runtime.pairing.learnt_file import load_learnt
from leftzmq.transport.device_key import public_text
from leftzmq.wire.door import Admitted
from tests.helpers.pairing_world import B, C, World, reason


def test_after_a_start_the_door_has_the_same_key_and_port_and_lets_the_same_in(
    world: World,
) -> None:
    token = world.invites(uses=2)
    before = world.door
    world.knocks(B, token)
    world.begin()
    assert world.door == before
    assert isinstance(world.knocks(B, token), Admitted)
    assert isinstance(world.knocks(C, token, "gamma"), Admitted)
    assert reason(world.knocks(b"d" * 32, token)) is NotAdmittedReason.USED_UP


def test_the_door_is_open_as_long_as_somebody_may_read_why(world: World) -> None:
    world.invites()
    assert world.door is not None
    deadline = world.desk.deadline()
    assert deadline == 700.0
    world.now = deadline
    world.desk.tick()
    assert world.door is not None
    world.now = world.desk.deadline() or 0.0
    world.desk.tick()
    assert world.door is None and world.desk.deadline() is None
    assert load_learnt(world.state) == Learnt()


@pytest.mark.parametrize("by", ["question", "answer", "knock"])
def test_an_end_that_is_noticed_before_the_next_tick_closes_the_door_too(
    world: World, by: str
) -> None:
    token = world.invites()
    world.ask("invite_cancel")
    world.now = world.desk.deadline() or 0.0
    match by:
        case "question":
            assert world.ask("invitations")["invitations"] == []
        case "answer":
            world.ask("invite_answer", mark="00" * 32, key=public_text(B), yes=True)
        case "knock":
            world.knocks(B, token)
    world.desk.tick()
    assert world.door is None and load_learnt(world.state) == Learnt()


def test_a_new_door_has_another_key_and_an_old_code_leads_nowhere(world: World) -> None:
    token = world.invites()
    world.ask("invite_cancel")
    world.now += 1000.0
    world.desk.tick()
    again = world.invites()
    assert again != token
    assert reason(world.knocks(B, token)) is NotAdmittedReason.UNKNOWN


def test_a_port_that_is_taken_is_declined(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: object) -> DoorKept:
        raise PortTaken("is taken by another program", "tcp://0.0.0.0:7710")

    monkeypatch.setattr(World, "open_door", taken)
    assert "is taken" in world.ask("invite", folder="share")["declined"]["what"]
    assert load_learnt(world.state).invitations == ()
