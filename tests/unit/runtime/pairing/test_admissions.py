"""Who is let in at the door, what is durable before, and who is refused why."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from leftzmq.config import MAX_PEERS, PeerConfig
from leftzmq.content.keys import derive_epoch
from leftzmq.errors import NotAdmittedReason, PlatformError
from leftzmq.runtime.pairing.learnt_file import load_learnt
from leftzmq.statedir import StateDir, read_secret
from leftzmq.sync.link import DeviceKey
from leftzmq.wire.door import Admitted, NotAdmitted
from leftzmq.wire.statements import decode
from tests.helpers.pairing_world import US, B, C, World, disk_is_full, reason


def test_a_device_is_durably_let_in_and_listed_before_it_is_answered(world: World) -> None:
    token = world.invites()
    answer = world.knocks(B, token)
    assert isinstance(answer, Admitted) and answer.folder == "share" and answer.device == US
    assert answer.secret == read_secret(world.written.folders[0].secret)
    assert answer.endpoints == ["tcp://192.168.1.2:7700"]
    told = "told the roster of share"
    joined = "beta joined share from 192.168.1.9"
    assert world.said == [told, "used", joined, told, answer]
    assert world.rosters.folders["share"].roster.live() == {US, B}
    assert decode(answer.admission, world.rosters.folders["share"].tag).statement.device == B
    assert answer.pins == world.rosters.pins("share")
    learnt = load_learnt(world.state)
    assert [device.key for device in learnt.devices] == [B]
    assert [use.device for use in learnt.invitations[0].used_by] == [B]


def test_the_same_device_gets_the_same_answer_again_and_nothing_more_is_used(world: World) -> None:
    token = world.invites()
    first = world.knocks(B, token)
    assert world.knocks(B, token) == first
    assert world.said.count("used") == 1
    assert reason(world.knocks(C, token)) is NotAdmittedReason.USED_UP
    assert "beta" in world.said[-1].detail  # type: ignore[attr-defined]


def test_names_are_unique_and_a_name_of_ours_is_taken(world: World) -> None:
    token = world.invites(uses=3)
    for device, name in ((B, "beta"), (C, "beta"), (b"d" * 32, "alpha")):
        world.knocks(device, token, name)
    assert [peer.name for peer in world.config.peers] == ["beta", "beta-2", "alpha-2"]


def test_a_device_of_peer_toml_is_let_into_a_folder_and_keeps_its_name(world: World) -> None:
    world.written = replace(world.written, peers=(PeerConfig("my laptop", None, B),))
    world.config = world.written
    assert isinstance(world.knocks(B, world.invites()), Admitted)
    assert [peer.name for peer in world.config.peers] == ["my laptop"]
    assert load_learnt(world.state).devices == ()
    (shown,) = world.ask("invitations")["invitations"]
    assert shown["came_in"][0]["name"] == "my laptop", "whatever it calls itself"


def test_who_is_invited_to_read_is_let_in_to_read(world: World) -> None:
    token = world.invites(read_only=True)
    (shown,) = world.ask("invitations")["invitations"]
    assert shown["mode"] == "read"
    world.begin()  # the agent starts again
    answer = world.knocks(B, token)
    assert isinstance(answer, Admitted) and answer.mode == "read"
    assert world.rosters.readers("share") == {B}
    assert decode(answer.admission, world.rosters.folders["share"].tag).statement.mode == "read"
    assert isinstance(world.knocks(C, world.invites(), "gamma"), Admitted)
    modes = {one["name"]: one["mode"] for one in world.ask("peers")["peers"]}
    assert modes == {"beta": "read", "gamma": "full"}


def test_a_code_changes_no_member_and_says_what_it_may(world: World) -> None:
    world.knocks(B, world.invites())
    answer = world.knocks(B, world.invites(read_only=True))
    assert isinstance(answer, Admitted) and answer.mode == "full"
    assert not world.rosters.readers("share")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda world: None, NotAdmittedReason.UNKNOWN),
        (lambda world: world.ask("invite_cancel"), NotAdmittedReason.CANCELLED),
        (lambda world: setattr(world, "now", 701.0), NotAdmittedReason.EXPIRED),
    ],
)
def test_who_comes_too_late_or_with_another_token(
    world: World, spoil: Callable[[World], object], expected: NotAdmittedReason
) -> None:
    token = world.invites()
    spoil(world)
    token = b"x" * 16 if expected is NotAdmittedReason.UNKNOWN else token
    assert reason(world.knocks(B, token)) is expected
    assert world.config.peers == () and load_learnt(world.state).devices == ()


def test_our_own_device_uses_nothing(world: World) -> None:
    token = world.invites()
    assert reason(world.knocks(US, token)) is NotAdmittedReason.ALREADY_A_MEMBER
    assert isinstance(world.knocks(B, token), Admitted)


def test_a_list_of_peers_that_is_full_lets_nobody_in(world: World) -> None:
    token = world.invites()
    many = tuple(PeerConfig(f"p{n}", None, bytes([n] * 32)) for n in range(MAX_PEERS))
    world.written = world.config = replace(world.written, peers=many)
    assert reason(world.knocks(B, token)) is NotAdmittedReason.FOLDER_FULL


@pytest.mark.parametrize("how", ["disk", "machine"])
def test_what_cannot_be_kept_lets_nobody_in_and_uses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    token = world.invites()
    with monkeypatch.context() as patch:
        if how == "disk":
            patch.setattr(StateDir, "save_pairing", disk_is_full)
        else:
            world.broken = PlatformError("too few descriptors")
        assert isinstance(world.knocks(B, token), NotAdmitted)
        assert "used" not in world.said and world.config.peers == ()
        assert world.ask("invitations")["invitations"][0]["uses_left"] == 1
    world.broken = None
    assert isinstance(world.knocks(B, token), Admitted)
    assert [device.key for device in load_learnt(world.state).devices] == [B]


def test_a_secret_that_is_gone_lets_nobody_in_and_uses_nothing(world: World) -> None:
    token = world.invites()
    secret = world.written.folders[0].secret
    data = secret.read_bytes()
    secret.unlink()
    assert reason(world.knocks(B, token)) is NotAdmittedReason.UNKNOWN
    secret.write_bytes(data)
    secret.chmod(0o600)
    assert isinstance(world.knocks(B, token), Admitted)


def test_the_door_tells_the_epoch_in_use(world: World) -> None:
    first = world.knocks(B, world.invites())
    folder = world.rosters.folders["share"]
    assert (first.epoch_tag, first.epoch_secret) == (folder.tag, first.secret)
    world.rosters.remove("share", DeviceKey(B), False)
    second = world.knocks(C, world.invites())
    assert folder.epochs.in_use is not None
    assert second.epoch_tag == folder.epochs.in_use.tag != folder.tag
    assert second.epoch_secret == folder.epochs.secret(second.epoch_tag) != second.secret
    assert derive_epoch(second.epoch_secret).tag == second.epoch_tag


def test_a_removal_is_stronger_than_an_invitation_from_before(world: World) -> None:
    token = world.invites(uses=2)
    world.knocks(B, token)
    world.ask("peer_remove", name="beta")
    assert reason(world.knocks(B, token)) is NotAdmittedReason.REMOVED
    world.begin()  # the agent starts again
    assert reason(world.knocks(B, token)) is NotAdmittedReason.REMOVED
    assert isinstance(world.knocks(B, world.invites()), Admitted)
    assert world.rosters.folders["share"].roster.live() == {US, B}


def test_who_cannot_be_written_into_the_roster_is_not_let_in(world: World) -> None:
    token = world.invites()
    world.keeper.fails = True
    assert reason(world.knocks(B, token)) is NotAdmittedReason.UNKNOWN
    assert world.rosters.folders["share"].roster.live() == {US}
    world.keeper.fails = False
    assert isinstance(world.knocks(B, token), Admitted)
