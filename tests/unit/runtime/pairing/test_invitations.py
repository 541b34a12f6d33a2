"""What is declined before an invitation is opened, and what cannot be kept."""

from __future__ import annotations

from functools import partial

import pytest
from msgspec.structs import replace

from leftzmq.content.signing import sign
from leftzmq.endpoint import Endpoint
from leftzmq.pairing.invitations import MOST_OPEN
from leftzmq.runtime.pairing.learnt_file import load_learnt
from leftzmq.statedir import StateDir
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.making import Newcomer, Signatory, admit, found, remove
from leftzmq.sync.peers.roster.roster import Roster
from leftzmq.wire.door import Admitted
from tests.helpers.pairing_world import B_KEYS, US, B, World, disk_is_full, roster_copy


def test_a_full_disk_opens_no_invitation_that_a_start_would_forget(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StateDir, "save_pairing", disk_is_full)
    for _ in range(MOST_OPEN):
        declined = world.ask("invite", folder="share")["declined"]
        assert "No space left" in declined["what"]
    assert world.door is None and world.desk.deadline() is None
    assert world.ask("invitations")["invitations"] == []
    monkeypatch.undo()
    assert isinstance(world.knocks(B, world.invites()), Admitted)


def test_an_address_that_nobody_can_call_opens_no_invitation(world: World) -> None:
    declined = world.ask("invite", folder="share", address="127.0.0.1")["declined"]
    assert "127.0.0.1" in declined["what"]
    assert world.door is None and world.ask("invitations")["invitations"] == []
    assert load_learnt(world.state).invitations == ()


def test_an_invitation_that_cannot_be_kept_closes_no_door_of_another_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = world.invites()
    with monkeypatch.context() as patch:
        patch.setattr(StateDir, "save_pairing", disk_is_full)
        assert "declined" in world.ask("invite", folder="share")
    assert world.door is not None and len(world.ask("invitations")["invitations"]) == 1
    assert isinstance(world.knocks(B, token), Admitted)


def test_an_end_that_cannot_be_written_ends_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.invites()
    world.now = 701.0
    monkeypatch.setattr(StateDir, "save_pairing", disk_is_full)
    world.desk.tick()
    (expired,) = world.ask("invitations")["invitations"]
    assert expired["state"] == "expired"
    world.now += 60.0
    (later,) = world.ask("invitations")["invitations"]
    assert later["until"] == expired["until"] == expired["opened"] + 600.0


def test_what_cannot_be_invited_is_declined(world: World) -> None:
    assert "no such folder" in world.ask("invite", folder="nope")["declined"]["what"]
    for address in ("a b:1", "not an:address:x", "[::1", "tcp://host:1"):
        declined = world.ask("invite", folder="share", address=address)["declined"]
        assert (declined["what"], declined["where"]) == ("is no address of a machine", address)
        assert "HOST:PORT" in declined["do"]
    world.addresses = ()
    for host, what in (
        ("127.0.0.1", "listens at tcp://127.0.0.1:7700 alone"),
        ("0.0.0.0", "no IPv4 address where another one comes"),
        ("::", "no address where another one comes"),
    ):
        device = replace(world.config.device, listen=Endpoint(host, 7700))
        world.config = replace(world.config, device=device)
        assert what in world.ask("invite", folder="share")["declined"]["what"]
    assert world.door is None, "nothing was opened for it"
    assert "code" in world.ask("invite", folder="share", address="example.org")
    for _ in range(7):
        world.invites(address="example.org")
    declined = world.ask("invite", folder="share", address="example.org")["declined"]
    assert "8 invitations are open" in declined["what"]


def test_a_device_that_may_only_read_invites_nobody(world: World) -> None:
    tag = world.rosters.folders["share"].tag
    b = Signatory(DeviceKey(B), partial(sign, bytes(B_KEYS)))
    theirs = Roster(tag)
    root = found(theirs, b, "beta", bytes(16), 0)
    us = Newcomer(DeviceKey(US), "alpha", "read")
    world.rosters.pin("share", [root.id])
    said = [root, admit(theirs, b, us, bytes(16), 0)]
    assert world.rosters.take("share", said, None, 0.0) == (said, None)
    declined = world.ask("invite", folder="share")["declined"]
    assert declined["what"].startswith("may only be read by this device")
    assert world.door is None


def test_a_device_that_was_put_out_invites_nobody(world: World) -> None:
    world.knocks(B, world.invites())
    roster = roster_copy(world)
    b, us = Signatory(DeviceKey(B), partial(sign, bytes(B_KEYS))), DeviceKey(US)
    world.rosters.take("share", [remove(roster, b, us, roster.let_in_by(us), 0)], None, 0.0)
    declined = world.ask("invite", folder="share")["declined"]
    assert declined["what"].startswith("beta removed this device from the folder")
