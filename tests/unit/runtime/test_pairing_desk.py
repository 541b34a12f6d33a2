"""The pairing desk: who comes in, what is kept before it is answered, and what is declined."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from nacl.public import PrivateKey

from leftzmq.config import MAX_PEERS, Config, DeviceConfig, Endpoint, FolderConfig, PeerConfig
from leftzmq.content.keys import derive_epoch, derive_keys
from leftzmq.content.signing import sign
from leftzmq.disk.share import Share
from leftzmq.errors import NotAdmittedReason, PlatformError, PortTaken
from leftzmq.pairing.code import read_code
from leftzmq.pairing.invitations import MOST_OPEN
from leftzmq.pairing.learnt import DoorKept, FromRosters, Learnt, ListedMember, merged
from leftzmq.pairing.roster_store import RosterStore
from leftzmq.runtime import leaving
from leftzmq.runtime.pairing_desk import PairingDesk, load_learnt
from leftzmq.statedir import StateDir, make_secret, read_secret
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.making import Newcomer, Signatory, admit, found, remove
from leftzmq.sync.peers.roster.roster import Roster
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.transport.device_key import DeviceKeyPair, public_text
from leftzmq.transport.door.own_addresses import Reachable
from leftzmq.transport.frames import Knocked
from leftzmq.wire.door import DOOR_VERSION, Admitted, Knock, NotAdmitted
from leftzmq.wire.statements import decode
from tests.helpers.roster_keeper import RosterKeeper

KEYS = PrivateKey(b"a" * 32)
B_KEYS = PrivateKey(b"b" * 32)
US, B, C = bytes(KEYS.public_key), bytes(B_KEYS.public_key), b"c" * 32
WALL = 1_800_000_000.0


class World:
    """The agent around the desk. said: what it was told and did, in order.

    broken: raised when it is asked whether it can use what was learnt
    """

    def __init__(self, base: Path, state: StateDir) -> None:
        self.state, self.now, self.wall = state, 100.0, WALL
        share = base / "share"
        share.mkdir(exist_ok=True)
        make_secret(base / "share.secret")
        device = DeviceConfig("alpha", state.path, Endpoint("0.0.0.0", 7700))
        self.written = Config(
            base / "peer.toml",
            device,
            (FolderConfig("share", share, base / "share.secret"),),
        )
        self.config = self.written
        self.said: list[object] = []
        self.door: DoorKept | None = None
        self.broken: PlatformError | None = None
        self.keeper = RosterKeeper()
        self.addresses: tuple[str, ...] = ("192.168.1.2",)
        self.begin()

    def begin(self) -> None:
        """An agent starts on this state directory."""
        learnt = load_learnt(self.state)
        us = Signatory(DeviceKey(US), partial(sign, bytes(KEYS)))
        self.rosters = Rosters(
            us, "alpha", self._label, self.keeper, lambda: self.wall, self._random
        )
        self.config = self._merged(learnt)
        self._take_up_rosters()
        self.config = self._merged(learnt)
        self.door = None
        self.desk = PairingDesk(
            self,
            self.state,
            US,
            learnt,
            self.rosters,
            lambda: self.now,
            lambda: self.wall,
            self._random,
        )
        self.desk.start()

    _drawn = 0

    def _random(self, count: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(count, "big")

    # -- what the desk uses

    control_port = 7700

    def reachable(self) -> Reachable:
        return Reachable(self.addresses)

    def open_door(self, keys: DeviceKeyPair | None, port: int) -> DoorKept:
        if self.door is None:
            secret = keys.secret if keys else b"s" * 32
            self.door = DoorKept(b"d" * 32, secret, port)
        return self.door

    def close_door(self) -> None:
        self.door = None

    def answer_at_door(self, caller: bytes, message: Admitted | NotAdmitted) -> None:
        self.said.append(message)

    def _merged(self, learnt: Learnt) -> Config:
        members = tuple(ListedMember(one.device, one.name, ()) for one in self.rosters.members())
        said = FromRosters(members, self.rosters.shut_out())
        return merged(self.written, learnt, self.state.secret_file, said)

    def _label(self, device: bytes) -> str:
        return next((peer.name for peer in self.config.peers if peer.key == device), "")

    def _take_up_rosters(self) -> None:
        for folder in self.config.folders:
            if folder.id not in self.rosters.folders:
                self.rosters.add_folder(folder.id, derive_keys(read_secret(folder.secret)))

    def check_learnt(self, learnt: Learnt) -> None:
        if self.broken is not None:
            raise self.broken
        self._merged(learnt)

    def use_learnt(self, learnt: Learnt) -> None:
        assert load_learnt(self.state) == learnt, "what is used is durable"
        self.config = self._merged(learnt)
        self._take_up_rosters()
        self.said.append("used")

    def tell_roster(self, folder: str) -> None:
        self.config = self._merged(self.desk.learnt)
        self.said.append(f"told the roster of {folder}")

    def end_hold(self, folder: str) -> None:
        assert not load_learnt(self.state).holds(folder), "the yes is durable"
        self.said.append(f"{folder} is held no more")

    def close_share(self, folder: str) -> None:
        self.said.append(f"the share of {folder} is closed")

    def tell_joined(self, name: str, folder: str, address: str) -> None:
        self.said.append(f"{name} joined {folder} from {address}")

    def peers_shown(self) -> Mapping[str, tuple[bool, float | None]]:
        return {}

    def folder_state(self, id: str) -> str:
        return "idle"

    # -- what a test does

    def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        return self.desk.answer(verb, fields)

    def invites(self, **fields: Any) -> bytes:
        """Return the token of a new invitation."""
        opened = self.ask("invite", folder="share", **fields)
        assert "code" in opened, opened
        return read_code(opened["code"]).token

    def knocks(
        self, device: bytes, token: bytes, name: str = "beta", version: int = DOOR_VERSION
    ) -> Any:
        knock = Knock(version=version, token=token, name=name, can=[])
        self.desk.on_knocked(Knocked(b"caller", DeviceKey(device), "192.168.1.9", knock))
        return self.said[-1]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with StateDir.open(tmp_path / "state") as state:
        yield World(tmp_path, state)


def reason(answer: Any) -> NotAdmittedReason:
    assert isinstance(answer, NotAdmitted)
    return NotAdmittedReason[answer.reason]


def disk_is_full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


# -- who comes in ---------------------------------------------------------------------------------


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


def test_of_a_peer_that_no_roster_names_no_mode_is_said(world: World) -> None:
    world.written = world.config = replace(world.written, peers=(PeerConfig("own", None, B),))
    assert [one["mode"] for one in world.ask("peers")["peers"]] == [""]


# -- who does not ---------------------------------------------------------------------------------


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


def test_our_own_device_and_another_version_use_nothing(world: World) -> None:
    token = world.invites()
    assert reason(world.knocks(US, token)) is NotAdmittedReason.ALREADY_A_MEMBER
    other = world.knocks(B, token, version=DOOR_VERSION + 1)
    assert reason(other) is NotAdmittedReason.OTHER_VERSION
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


# -- invitations ----------------------------------------------------------------------------------


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


def test_a_new_door_has_another_key_and_an_old_code_leads_nowhere(world: World) -> None:
    token = world.invites()
    world.ask("invite_cancel")
    world.now += 1000.0
    world.desk.tick()
    again = world.invites()
    assert again != token
    assert reason(world.knocks(B, token)) is NotAdmittedReason.UNKNOWN


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
    assert world.ask("invitations")["invitations"][0]["state"] == "expired"


def test_what_cannot_be_invited_is_declined(world: World) -> None:
    assert "no such folder" in world.ask("invite", folder="nope")["declined"]["what"]
    assert "--address" in world.ask("invite", folder="share", address="a b:1")["declined"]["where"]
    world.addresses = ()
    assert "listens at" in world.ask("invite", folder="share")["declined"]["what"]
    assert world.door is None, "nothing was opened for it"
    assert "code" in world.ask("invite", folder="share", address="example.org")
    for _ in range(7):
        world.invites(address="example.org")
    declined = world.ask("invite", folder="share", address="example.org")["declined"]
    assert "8 invitations are open" in declined["what"]


@pytest.mark.parametrize(
    "more", [{"uses": 0}, {"uses": 63}, {"uses": "x"}, {"ttl_s": -1}, {"ttl_s": 86_401.0}]
)
def test_a_number_that_is_none_is_declined(world: World, more: dict[str, Any]) -> None:
    assert "is no number" in world.ask("invite", folder="share", **more)["declined"]["what"]


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("invite", {"folder": "share", "read_only": 1}),
        ("invite", {"folder": "share", "asks": "no"}),
        ("invite", {"folder": "share", "address": 7}),
        ("invite_cancel", {"folder": 0}),
        ("invite_cancel", {"folder": False}),
        ("peer_remove", {"name": "beta", "keep_invited": "yes"}),
        ("share", {"path": "/nowhere", "id": 0}),
    ],
)
def test_a_field_of_another_kind_is_not_taken_for_one_that_was_left_out(
    world: World, verb: str, fields: dict[str, Any]
) -> None:
    world.knocks(B, world.invites())
    world.invites()
    before, said = load_learnt(world.state), list(world.said)
    what = world.ask(verb, **fields)["declined"]["what"]
    assert what in ("is no text", "is neither true nor false")
    assert load_learnt(world.state) == before and world.said == said


def test_a_port_that_is_taken_is_declined(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: object) -> DoorKept:
        raise PortTaken("is taken by another program", "tcp://0.0.0.0:7710")

    monkeypatch.setattr(World, "open_door", taken)
    assert "is taken" in world.ask("invite", folder="share")["declined"]["what"]
    assert load_learnt(world.state).invitations == ()


# -- an invitation that asks ----------------------------------------------------------------------


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


# -- the joiner's side ----------------------------------------------------------------------------


def joins(world: World, place: Path, **more: Any) -> dict[str, Any]:
    fields = {
        "folder": "music-k3x9",
        "path": str(place),
        "secret": "ab" * 32,
        "device": public_text(B),
        "name": "beta",
        "addresses": "tcp://192.168.1.9:7700\ntcp://10.0.0.9:7700",
    }
    return world.ask("joined", **(fields | more))


def test_a_folder_that_was_joined_is_there_after_a_start(world: World, tmp_path: Path) -> None:
    joined = joins(world, tmp_path / "music")
    assert joined["inviter"] == "beta" and joined["is_new"]
    world.begin()
    assert [folder.id for folder in world.config.folders] == ["share", "music-k3x9"]
    assert read_secret(world.config.folders[1].secret) == bytes([0xAB] * 32)
    (peer,) = world.config.peers
    assert peer.key == B and peer.address == Endpoint("192.168.1.9", 7700)


def test_the_epoch_that_the_door_told_is_kept_before_the_answer(
    world: World, tmp_path: Path
) -> None:
    secret = b"e" * 32
    tag = derive_epoch(secret).tag
    joins(world, tmp_path / "music", epoch_tag=tag.hex(), epoch_secret=secret.hex())
    identity = derive_keys(bytes([0xAB] * 32)).tag
    assert world.keeper.load(identity).epochs == (secret,)
    world.begin()
    assert world.rosters.folders["music-k3x9"].epochs.secret(tag) == secret


def test_an_epoch_whose_tag_is_not_that_of_its_secret_is_refused(
    world: World, tmp_path: Path
) -> None:
    for tag, secret in (("00" * 16, "ee" * 32), ("", "ee" * 32), ("00" * 16, "ee")):
        said = joins(world, tmp_path / "music", epoch_tag=tag, epoch_secret=secret)
        assert "declined" in said
    assert [folder.id for folder in world.config.folders] == ["share"]


def test_the_door_tells_the_epoch_in_use(world: World) -> None:
    first = world.knocks(B, world.invites())
    folder = world.rosters.folders["share"]
    assert (first.epoch_tag, first.epoch_secret) == (folder.tag, first.secret)
    world.rosters.remove(DeviceKey(B), False)
    second = world.knocks(C, world.invites())
    assert folder.epochs.in_use is not None
    assert second.epoch_tag == folder.epochs.in_use.tag != folder.tag
    assert second.epoch_secret == folder.epochs.secret(second.epoch_tag) != second.secret
    assert derive_epoch(second.epoch_secret).tag == second.epoch_tag


def test_joining_again_changes_nothing_but_addresses(world: World, tmp_path: Path) -> None:
    joins(world, tmp_path / "music")
    again = joins(world, tmp_path / "elsewhere", addresses="tcp://10.0.0.7:7700")
    assert not again["is_new"] and again["path"] == str(tmp_path / "music")
    assert not (tmp_path / "elsewhere").exists()
    assert world.config.peers[0].address == Endpoint("10.0.0.7", 7700)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"folder": "share"}, "another folder"),
        ({"device": public_text(US)}, "this very device"),
        ({"device": "nope"}, "key"),
        ({"secret": "ab" * 31}, "hex digits"),
        ({"secret": "no hex"}, "secret"),
        ({"addresses": "udp://x:1"}, "tcp://"),
        ({"folder": "a\x1bb"}, "printable"),
        ({"name": ""}, "name"),
        ({"path": ""}, "path"),
    ],
)
def test_an_answer_that_cannot_be_used_changes_nothing(
    world: World, tmp_path: Path, more: dict[str, str], word: str
) -> None:
    answer = joins(world, tmp_path / "music", **more)
    assert word in " ".join(answer["declined"].values())
    assert load_learnt(world.state) == Learnt() and "used" not in world.said
    assert not (tmp_path / "music").exists()
    assert not world.state.secret_file("music-k3x9").exists()


def test_a_join_that_finds_no_place_for_its_inviter_makes_nothing(
    world: World, tmp_path: Path
) -> None:
    many = tuple(PeerConfig(f"p{n}", None, bytes([n] * 32)) for n in range(MAX_PEERS))
    world.written = world.config = replace(world.written, peers=many)
    assert f"{MAX_PEERS} peers" in joins(world, tmp_path / "music")["declined"]["what"]
    assert not (tmp_path / "music").exists()
    assert not world.state.secret_file("music-k3x9").exists()


@pytest.mark.parametrize("place", ["share", "share/in", "state/in", "."])
def test_a_place_that_is_none_is_declined_before_and_after(
    world: World, tmp_path: Path, place: str
) -> None:
    where = (tmp_path / place).resolve()
    if place != "share":
        assert "declined" in world.ask("place", path=str(where))
    assert "declined" in joins(world, where)
    assert load_learnt(world.state) == Learnt()


def test_a_folder_that_is_shared_has_a_name_and_a_secret_of_its_own(
    world: World, tmp_path: Path
) -> None:
    shared = world.ask("share", path=str(tmp_path / "music"))
    assert shared["folder"].startswith("music-") and shared["is_new"]
    assert world.ask("share", path=str(tmp_path / "music")) == shared | {"is_new": False}
    assert world.ask("share", path=str(tmp_path / "share"))["folder"] == "share"
    for place, id, word in (("music", "x", "shared already"), ("m2", "share", "another folder")):
        declined = world.ask("share", path=str(tmp_path / place), id=id)["declined"]
        assert word in declined["what"]


def test_a_directory_that_was_a_share_is_that_of_the_same_folder_again(
    world: World, tmp_path: Path
) -> None:
    """As after the state was lost, or where the whole directory was copied."""
    place = tmp_path / "old"
    Share.open(place, "old-k3x9", None, make=True).root.close()
    assert "share of the folder old-k3x9" in joins(world, place)["declined"]["what"]
    assert "old-k3x9" in world.ask("share", path=str(place), id="other")["declined"]["what"]
    assert load_learnt(world.state) == Learnt()
    assert world.ask("share", path=str(place))["folder"] == "old-k3x9"


def test_a_marker_that_cannot_be_read_is_named(world: World, tmp_path: Path) -> None:
    place = tmp_path / "old"
    Share.open(place, "old-k3x9", None, make=True).root.close()
    (place / ".left" / "marker").write_text("nonsense")
    assert "marker" in world.ask("share", path=str(place))["declined"]["what"]


def test_a_peer_that_was_learnt_is_removed_and_one_that_was_written_is_not(
    world: World, tmp_path: Path
) -> None:
    world.written = world.config = replace(world.written, peers=(PeerConfig("own", None, C),))
    joins(world, tmp_path / "music")
    origins = [one["origin"] for one in world.ask("peers")["peers"]]
    assert origins == ["peer.toml", "by an invitation"]
    assert "is written in" in world.ask("peer_remove", name="own")["declined"]["what"]
    gone = {"name": "beta", "folders": [], "is_written": False}
    assert world.ask("peer_remove", name="beta") == gone
    assert [peer.name for peer in world.config.peers] == ["own"]
    assert "no peer" in world.ask("peer_remove", name="beta")["declined"]["what"]


def test_a_member_is_removed_from_all_folders_and_listed_no_more(world: World) -> None:
    world.knocks(B, world.invites())
    assert [peer.name for peer in world.config.peers] == ["beta"]
    gone = {"name": "beta", "folders": ["share"], "is_written": False}
    assert world.ask("peer_remove", name="beta") == gone
    assert world.rosters.folders["share"].roster.live() == {US}
    assert world.config.peers == ()


def test_a_peer_that_was_written_is_removed_from_the_folder_and_may_still_connect(
    world: World,
) -> None:
    world.written = world.config = replace(world.written, peers=(PeerConfig("own", None, B),))
    world.knocks(B, world.invites())
    gone = {"name": "own", "folders": ["share"], "is_written": True}
    assert world.ask("peer_remove", name="own") == gone
    assert world.rosters.excludes("share", DeviceKey(B))
    assert [peer.name for peer in world.config.peers] == ["own"]


def test_a_peer_is_named_by_the_beginning_of_its_key(world: World) -> None:
    world.knocks(B, world.invites())
    assert world.ask("peer_remove", name=public_text(B)[:8])["name"] == "beta"


def test_the_beginning_of_two_keys_is_no_name(world: World, tmp_path: Path) -> None:
    world.knocks(B, world.invites(uses=2))
    world.knocks(B[:-1] + b"c", world.invites())
    found = world.ask("peer_remove", name=public_text(B)[:8])["declined"]
    assert "several keys" in found["what"] and "beta-2" in found["do"]


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


def test_a_joiner_begins_at_the_roots_that_the_door_told(world: World, tmp_path: Path) -> None:
    pins = [bytes([number]) * 16 for number in (1, 2)]
    joins(world, tmp_path / "music", pins="\n".join(pin.hex() for pin in pins))
    assert list(world.rosters.folders["music-k3x9"].roster.pins) == pins


@pytest.mark.parametrize("pins", ["zz", "00", "00" * 17])
def test_a_root_that_is_none_is_declined(world: World, tmp_path: Path, pins: str) -> None:
    assert "names a root" in joins(world, tmp_path / "music", pins=pins)["declined"]["what"]
    assert all(folder.id != "music-k3x9" for folder in world.config.folders)


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
    roster = _copy(world)
    b, us = Signatory(DeviceKey(B), partial(sign, bytes(B_KEYS))), DeviceKey(US)
    world.rosters.take("share", [remove(roster, b, us, roster.let_in_by(us), 0)], None, 0.0)
    declined = world.ask("invite", folder="share")["declined"]
    assert declined["what"].startswith("beta removed this device from the folder")


def test_a_member_that_another_one_let_in_can_be_renamed_and_called_elsewhere(
    world: World,
) -> None:
    world.knocks(B, world.invites())
    b = Signatory(DeviceKey(B), partial(sign, bytes(B_KEYS)))
    admission = admit(_copy(world), b, Newcomer(DeviceKey(C), "gamma"), bytes(16), 0)
    world.rosters.take("share", [admission], None, 0.0)
    world.tell_roster("share")
    assert {one["name"]: one["origin"] for one in world.ask("peers")["peers"]} == {
        "beta": "invited by this device",
        "gamma": "a member of a folder",
    }
    world.ask("peer_rename", name="gamma", new="attic")
    world.ask("peer_address", name="attic", address="tcp://10.0.0.7:7700")
    shown = {one["name"]: one for one in world.ask("peers")["peers"]}
    assert shown["attic"]["addresses"] == ["tcp://10.0.0.7:7700"]
    assert shown["attic"]["origin"] == "a member of a folder"
    world.begin()
    assert [peer.name for peer in world.config.peers] == ["beta", "attic"]
    world.ask("peer_remove", name="attic")
    assert [peer.name for peer in world.config.peers] == ["beta"]
    assert world.desk.learnt.device(C) is None


def test_who_is_no_member_any_more_is_listed_no_more_whatever_it_was_called(world: World) -> None:
    world.knocks(B, world.invites())
    b, roster = Signatory(DeviceKey(B), partial(sign, bytes(B_KEYS))), _copy(world)
    admission = admit(roster, b, Newcomer(DeviceKey(C), "gamma"), bytes(16), 0)
    world.rosters.take("share", [admission], None, 0.0)
    world.tell_roster("share")
    world.ask("peer_rename", name="gamma", new="attic")
    world.rosters.take("share", [remove(roster, b, DeviceKey(C), (), 0)], None, 0.0)
    world.tell_roster("share")
    assert [peer.name for peer in world.config.peers] == ["beta"]


def _copy(world: World) -> Roster:
    """The roster of the folder as another member has it."""
    ours = world.rosters.folders["share"]
    roster = Roster(ours.tag, world.rosters.pins("share"))
    for signed in ours.roster.after():
        roster.add(signed, None, 0.0)
    return roster


# -- a folder that is held until its plan is answered ----------------------------------------------


def joins_docs(world: World, place: Path, **more: Any) -> dict[str, Any]:
    """Join the folder docs of beta there."""
    return world.ask(
        "joined",
        folder="docs",
        path=str(place),
        secret="ab" * 32,
        device=public_text(DeviceKey(B)),
        name="beta",
        addresses="tcp://192.168.1.3:7700",
        **more,
    )


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A directory with a file in it."""
    place = tmp_path / "docs"
    place.mkdir()
    (place / "file").write_bytes(b"bytes")
    return place


def test_a_folder_is_held_where_something_lies_and_the_user_wants_to_be_asked(
    world: World, full: Path, tmp_path: Path
) -> None:
    assert not joins_docs(world, tmp_path / "missing", hold=True)["held"]
    world.ask("folder_remove", folder="docs")
    empty = tmp_path / "empty"
    (empty / ".left").mkdir(parents=True)
    assert not joins_docs(world, empty, hold=True)["held"]
    world.ask("folder_remove", folder="docs")
    assert not joins_docs(world, full)["held"]
    world.ask("folder_remove", folder="docs")
    joined = joins_docs(world, full, hold=True)
    assert joined["held"] and load_learnt(world.state).holds("docs")
    assert joins_docs(world, full, hold=True)["held"], "the same line again"
    place = world.ask("place", path=str(full))
    assert place == {"folder": "docs", "held": True, "inviter": "beta"}


def test_a_directory_that_cannot_be_listed_is_held(
    world: World, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "iterdir", disk_is_full)
    assert joins_docs(world, full, hold=True)["held"]


def test_a_yes_is_durable_before_the_hold_ends_and_counts_once(world: World, full: Path) -> None:
    joins_docs(world, full, hold=True)
    assert world.ask("join_yes", folder="docs") == {"folder": "docs", "path": str(full)}
    assert world.said[-1] == "docs is held no more"
    assert not load_learnt(world.state).holds("docs")
    for verb in ("join_yes", "join_no"):
        assert "no plan" in world.ask(verb, folder="docs")["declined"]["what"]
    assert "no plan" in world.ask("join_yes", folder="share")["declined"]["what"]


def test_a_yes_that_cannot_be_written_ends_nothing(
    world: World, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joins_docs(world, full, hold=True)
    monkeypatch.setattr(StateDir, "save_pairing", disk_is_full)
    assert "cannot be written" in world.ask("join_yes", folder="docs")["declined"]["what"]
    assert "docs is held no more" not in world.said and world.desk.learnt.holds("docs")


def made(world: World, full: Path) -> list[Path]:
    """What an agent makes for the folder."""
    Share.open(full, "docs", None, make=True).close()
    index = world.state.index_file("docs")
    index.write_bytes(b"")
    return [full / ".left", index, world.state.secret_file("docs")]


@pytest.mark.parametrize("verb", ["join_no", "folder_remove"])
def test_a_no_takes_off_what_the_join_made_and_no_file_of_the_user(
    world: World, full: Path, verb: str
) -> None:
    joins_docs(world, full, hold=True)
    files = made(world, full)
    assert "declined" not in world.ask(verb, folder="docs")
    assert world.said[-1] == "told the roster of docs" and all(file.exists() for file in files)
    declined = joins_docs(world, full, hold=True)["declined"]
    assert "is being left" in declined["what"]
    assert "is being left" in world.ask("join_yes", folder="docs")["declined"]["what"]
    world.desk.tick()
    assert files[0].exists(), "the others are to hear it first"
    deadline = world.desk.deadline()
    assert deadline is not None
    world.now = deadline
    world.desk.tick()
    assert not any(file.exists() for file in files)
    assert (full / "file").read_bytes() == b"bytes" and list(full.iterdir()) == [full / "file"]
    learnt = load_learnt(world.state)
    assert learnt.folders == () and learnt.devices == ()
    assert "docs" not in world.rosters.folders and "the share of docs is closed" in world.said
    assert world.desk.deadline() is None


def test_a_no_leaves_what_was_here_before_the_join(world: World, full: Path) -> None:
    joins_docs(world, full)
    files = made(world, full)
    world.ask("folder_remove", folder="docs")
    joins_docs(world, full, hold=True)
    world.ask("join_no", folder="docs")
    world.now += 10
    world.desk.tick()
    assert all(file.exists() for file in files)
    assert [device.key for device in load_learnt(world.state).devices] == [B]
    assert load_learnt(world.state).folders == ()


def test_the_inviter_stays_where_it_is_in_another_folder(world: World, full: Path) -> None:
    joins_docs(world, full, hold=True)
    token = world.invites()
    world.knocks(B, token)
    world.ask("join_no", folder="docs")
    world.now += 10
    world.desk.tick()
    assert [device.key for device in load_learnt(world.state).devices] == [B]


def test_a_no_that_cannot_be_said_leaves_the_folder_held(world: World, full: Path) -> None:
    joins_docs(world, full, hold=True)
    world.rosters.found("docs")
    world.keeper.fails = True
    assert "declined" in world.ask("join_no", folder="docs")
    assert world.desk.deadline() is None
    world.keeper.fails = False
    assert world.ask("join_yes", folder="docs")["folder"] == "docs"


def test_a_no_is_said_in_the_roster(world: World, full: Path) -> None:
    joins_docs(world, full, hold=True)
    world.rosters.found("docs")
    world.ask("join_no", folder="docs")
    assert world.rosters.put_out("docs") is not None


def test_what_cannot_be_removed_now_is_tried_again(
    world: World, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joins_docs(world, full, hold=True)
    files = made(world, full)
    world.ask("join_no", folder="docs")
    with monkeypatch.context() as patch:
        patch.setattr(leaving, "remove_marker", disk_is_full)
        world.now += 2
        world.desk.tick()
    assert load_learnt(world.state).folder("docs") is not None
    world.now = world.desk.deadline() or 0.0
    world.desk.tick()
    assert not any(file.exists() for file in files) and load_learnt(world.state).folders == ()


def test_a_no_that_was_cut_off_is_finished_at_the_next_start(world: World, full: Path) -> None:
    joins_docs(world, full, hold=True)
    files = made(world, full)
    world.ask("join_no", folder="docs")
    with closing(RosterStore.open(world.state.rosters_file)) as store:
        learnt, said = leaving.finish(world.state, load_learnt(world.state), store)
    assert not any(file.exists() for file in files) and not said
    assert learnt.folders == () and learnt.devices == () and learnt == load_learnt(world.state)


def test_a_no_that_cannot_be_finished_is_held_again(
    world: World, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joins_docs(world, full, hold=True)
    made(world, full)
    world.ask("join_no", folder="docs")
    monkeypatch.setattr(leaving, "remove_marker", disk_is_full)
    with closing(RosterStore.open(world.state.rosters_file)) as store:
        learnt, said = leaving.finish(world.state, load_learnt(world.state), store)
    assert learnt.holds("docs") and "docs cannot be taken off" in said[0]
