"""An agent around a pairing desk, in one thread and without a socket."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from nacl.public import PrivateKey

from leftzmq.config import Config, DeviceConfig, Endpoint, FolderConfig
from leftzmq.content.keys import derive_keys
from leftzmq.content.signing import sign
from leftzmq.errors import NotAdmittedReason, PlatformError
from leftzmq.pairing.code import read_code
from leftzmq.pairing.learnt import DoorKept, FromRosters, Learnt, ListedMember, merged
from leftzmq.runtime.pairing.desk import PairingDesk
from leftzmq.runtime.pairing.learnt_file import load_learnt
from leftzmq.statedir import StateDir, make_secret, read_secret
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.making import Signatory
from leftzmq.sync.peers.roster.roster import Roster
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.transport.device_key import DeviceKeyPair, public_text
from leftzmq.transport.door.own_addresses import Reachable
from leftzmq.transport.frames import Knocked
from leftzmq.wire.door import DOOR_VERSION, Admitted, Knock, NotAdmitted
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
        """Return the token of a new invitation, to the folder `share` unless another is named."""
        opened = self.ask("invite", **{"folder": "share", **fields})
        assert "code" in opened, opened
        return read_code(opened["code"]).token

    def knocks(
        self, device: bytes, token: bytes, name: str = "beta", version: int = DOOR_VERSION
    ) -> Any:
        knock = Knock(version=version, token=token, name=name, can=[])
        self.desk.on_knocked(Knocked(b"caller", DeviceKey(device), "192.168.1.9", knock))
        return self.said[-1]


def reason(answer: Any) -> NotAdmittedReason:
    assert isinstance(answer, NotAdmitted)
    return NotAdmittedReason[answer.reason]


def disk_is_full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


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


def roster_copy(world: World) -> Roster:
    """The roster of the folder as another member has it."""
    ours = world.rosters.folders["share"]
    roster = Roster(ours.tag, world.rosters.pins("share"))
    for signed in ours.roster.after():
        roster.add(signed, None, 0.0)
    return roster
