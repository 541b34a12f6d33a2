"""What the pairing desk asks for, and which part does it."""

from __future__ import annotations

from typing import Any

import pytest

from leftzmq.config import Endpoint
from leftzmq.errors import PortTaken
from leftzmq.runtime.desk_host import DeskHost
from leftzmq.sync.facts import Fact, HoldEnded, RosterGrew
from leftzmq.sync.folder import FolderState
from leftzmq.transport.device_key import fresh_pair
from leftzmq.wire.local import EventKind


class Around:
    """All parts at once. did: what they were asked, in order. taken: ports of other programs."""

    control = Endpoint("0.0.0.0", 7700)

    def __init__(self) -> None:
        self.did: list[object] = []
        self.taken: set[int] = set()
        parts: Any = self
        status = {"peers": [{"name": "beta", "connected": True, "since": 5.0, "key": "k"}]}
        self.host = DeskHost(parts, parts, parts, self, self._handle, lambda: status, parts)

    def _handle(self, fact: Fact) -> None:
        self.did.append(fact)

    def open_door(self, keys: object, port: int) -> int:
        self.did.append(port)
        if port in self.taken:
            raise PortTaken("tcp://0.0.0.0")
        return port or 40_000

    def close_door(self) -> None:
        self.did.append("closed")

    def answer_at_door(self, caller: bytes, message: object) -> bool:
        self.did.append((caller, message))
        return False

    def check_learnt(self, learnt: object) -> None:
        self.did.append(("check", learnt))

    def use_learnt(self, learnt: object) -> None:
        self.did.append(("use", learnt))

    def close_share(self, id: str) -> None:
        self.did.append(("close", id))

    def state(self, id: str) -> FolderState:
        return FolderState.IDLE

    def tell(self, action: Any) -> None:
        self.did.append((action.kind, action.fields))


@pytest.fixture
def around() -> Around:
    return Around()


def test_a_new_door_takes_any_port_when_its_own_is_taken(around: Around) -> None:
    around.taken = {7710}
    door = around.host.open_door(None, 7710)
    assert around.did == [7710, 0] and door.port == 40_000
    assert len(door.public) == len(door.secret) == 32


def test_a_door_that_is_in_invitations_stays_where_it_is(around: Around) -> None:
    keys = fresh_pair()
    door = around.host.open_door(keys, 7710)
    assert (door.public, door.secret, door.port) == (keys.public, keys.secret, 7710)
    around.taken = {7710}
    with pytest.raises(PortTaken):
        around.host.open_door(keys, 7710)


def test_each_part_is_asked_for_what_is_its_own(around: Around) -> None:
    host, learnt, said = around.host, object(), object()
    learnt_: Any = learnt
    said_: Any = said
    host.check_learnt(learnt_)
    host.use_learnt(learnt_)
    host.tell_roster("one")
    host.end_hold("one")
    host.close_share("one")
    host.answer_at_door(b"caller", said_)
    host.close_door()
    assert around.did == [
        ("check", learnt),
        ("use", learnt),
        RosterGrew("one"),
        HoldEnded("one"),
        ("close", "one"),
        (b"caller", said),
        "closed",
    ]


def test_what_is_shown(around: Around) -> None:
    assert around.host.peers_shown() == {"beta": (True, 5.0)}
    assert around.host.folder_state("one") == "idle" and around.host.control_port == 7700
    around.host.tell_joined("beta", "one", "1.2.3.4")
    fields = {"device": "beta", "folder": "one", "address": "1.2.3.4"}
    assert around.did == [(EventKind.JOINED, fields)]
