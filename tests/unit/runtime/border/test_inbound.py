"""Which part of the agent gets what the bus returned: no socket, and frames that nobody sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import pytest
import zmq

from leftzmq.errors import ConfigError, Refusal
from leftzmq.runtime.border.inbound import MAX_DETAIL_LETTERS, Inbound
from leftzmq.runtime.event_log import EventLog, Teller
from leftzmq.sync.actions import Tell
from leftzmq.sync.facts import (
    Asked,
    DoctorAsked,
    LinkOpened,
    MachineSeen,
    MessageArrived,
    StrangerRefused,
)
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.transport.frames import Knocked, Raw, RawAsk, RawFrame
from leftzmq.transport.socket_errors import SocketTrouble
from leftzmq.wire.answers.metrics import MetricsShown
from leftzmq.wire.codec import Socket, encode
from leftzmq.wire.door import DOOR_VERSION, Knock
from leftzmq.wire.local import Event, EventKind, decode_reply, encode_ask
from leftzmq.wire.messages import (
    VERSION,
    Bye,
    EpochKey,
    Hello,
    IndexPage,
    Message,
    Refusing,
    RosterPart,
)
from leftzmq.wire.replies import Reloaded

B = DeviceKey(b"b" * 32)
CAME, DIALED = Link(B, Way.CAME, b"\0route"), Link(B, Way.DIALED)
TAG, SEALED = b"t" * 16, b"s" * 72


MACHINE = MachineSeen("/state", 0o700, (), None, None, 0, (), 4096, 3600, 20, {})


class Pausing:
    """What answers about pauses."""

    def knows(self, verb: str) -> bool:
        return verb == "pause"

    def answer(self, verb: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {"paused": True, **fields}


class Around:
    """The parts that are asked. did: what they were asked, in order."""

    def __init__(self) -> None:
        self.did: list[object] = []
        self.events: list[Event] = []
        self.refusal: StrangerRefused | None = None
        self.wrong: ConfigError | None = None
        self.event_log = EventLog(5.0)
        parts: Any = self
        teller = Teller(self.event_log, self, self, lambda: 1.0, lambda: 2.0)
        self.inbound = Inbound(
            self.admit,
            parts,
            self,
            self,
            Pausing(),
            lambda: MetricsShown(metrics=[]),
            self.event_log,
            self,
            teller,
            lambda: MACHINE,
            lambda: 7.0,
        )

    def fact(self, raw: Raw) -> object:
        return self.inbound.fact_of(raw)

    def takes(self) -> list[object]:
        did, self.did = self.did, []
        return did

    def admit(self, device: DeviceKey, frame: object, now: float) -> StrangerRefused | None:
        assert device == B and now == 7.0
        return self.refusal

    # -- the seals, the desk, the follower of peer.toml

    def reload(self) -> Reloaded:
        if self.wrong is not None:
            raise self.wrong
        names = (one.name for one in msgspec.structs.fields(Reloaded) if one.name != "file")
        return Reloaded(file="/peer.toml", **{name: ["x"] for name in names})

    def open_page(self, arrived: object) -> str:
        return f"page: {type(arrived).__name__}"

    def open_roster(self, arrived: object) -> str:
        return f"roster: {type(arrived).__name__}"

    def open_epoch_key(self, arrived: object) -> str:
        return f"key: {type(arrived).__name__}"

    def knows(self, verb: str) -> bool:
        return verb == "share"

    def on_knocked(self, knocked: Knocked) -> None:
        self.did.append(knocked)

    # As the desk and as the bus: both answer.
    def answer(self, who: Any, what: Any) -> Any:
        if isinstance(what, Mapping):
            return {"verb": who, **what}
        self.did.append((who, decode_reply(what)))
        return True

    def send(self, link: Link, message: Refusing) -> bool:
        self.did.append((link, message))
        return True

    # -- the log and the monitors

    has_listeners = False

    def __call__(self, event: Event, now: float) -> None:
        self.events.append(event)

    def deadline(self) -> float | None:
        return None

    def tick(self, now: float) -> None: ...

    def tell(self, frames: Iterable[bytes]) -> None: ...


@pytest.fixture
def around() -> Around:
    return Around()


def frame(message: Message, link: Link = CAME, socket: Socket = Socket.CONTROL) -> RawFrame:
    return RawFrame(link, socket, [zmq.Frame(encode(message))])


def test_a_message_becomes_a_fact_and_what_is_one_already_stays(around: Around) -> None:
    assert around.fact(frame(Bye("x"))) == MessageArrived(CAME, Bye("x"))
    assert around.fact(LinkOpened(DIALED)) == LinkOpened(DIALED) and around.did == []


def test_what_is_sealed_is_opened(around: Around) -> None:
    for message, opened in (
        (IndexPage(TAG, SEALED), "page: SealedArrived"),
        (RosterPart(TAG, SEALED), "roster: RosterSealed"),
        (EpochKey(TAG, TAG, SEALED), "key: EpochKeySealed"),
    ):
        assert around.fact(frame(message)) == opened


def test_what_comes_too_fast_is_not_even_decoded(around: Around) -> None:
    around.refusal = StrangerRefused(B, Refusal.TOO_FAST, "")
    raw = RawFrame(CAME, Socket.CONTROL, [zmq.Frame(b"no message")])
    assert around.fact(raw) is around.refusal and around.did == []


def test_trouble_with_a_socket_is_told(around: Around) -> None:
    assert around.fact(SocketTrouble("it is broken")) is None
    (event,) = around.events
    assert dict(event.fields) == {"folder": "", "text": "it is broken"}


def test_who_knocks_is_the_desks(around: Around) -> None:
    knocked = Knocked(b"caller", B, "1.2.3.4", Knock(DOOR_VERSION, TAG, "beta", []))
    assert around.fact(knocked) is None and around.did == [knocked]


def test_a_hello_in_another_version_is_answered_with_the_reason(around: Around) -> None:
    hello = Hello(VERSION + 1, "b", [], [])
    refused = around.fact(frame(hello))
    assert isinstance(refused, StrangerRefused) and refused.refusal is Refusal.OTHER_VERSION
    ((link, said),) = around.takes()  # type: ignore[misc]
    assert link == CAME and isinstance(said, Refusing) and len(said.detail) <= MAX_DETAIL_LETTERS
    around.fact(frame(hello, DIALED))
    assert around.takes() == [], "who was dialed by us does not say hello"


def test_nobody_is_answered_for_another_reason(around: Around) -> None:
    raw = RawFrame(CAME, Socket.CONTROL, [zmq.Frame(b"no message")])
    assert isinstance(around.fact(raw), StrangerRefused) and around.did == []


def test_questions_go_to_the_desk_to_the_machines_or_are_answered_here(around: Around) -> None:
    around.event_log.note(EventKind.READY, {}, 6.0)
    assert around.fact(RawAsk(b"me", encode_ask("share", {"path": "/x"}))) is None
    assert around.takes() == [(b"me", {"verb": "share", "path": "/x"})]
    assert around.fact(RawAsk(b"me", encode_ask("pause", {"folder": "x"}))) is None
    assert around.takes() == [(b"me", {"paused": True, "folder": "x"})]
    asked = around.fact(RawAsk(b"me", encode_ask("status", {})))
    assert asked == Asked(b"me", "status", {}) and around.takes() == []
    assert around.fact(RawAsk(b"me", encode_ask("metrics", {}))) is None
    assert around.takes() == [(b"me", {"metrics": []})]
    assert around.fact(RawAsk(b"me", encode_ask("events", {"after": 0}))) is None
    ((asker, reply),) = around.takes()  # type: ignore[misc]
    assert asker == b"me" and reply["events"] == [["ready", 1, 6.0, {}]]
    around.fact(RawAsk(b"me", encode_ask("events", {"after": "nonsense"})))
    ((_, again),) = around.takes()  # type: ignore[misc]
    assert again == reply, "what is no number is 0"


def test_who_asks_how_all_is_is_answered_with_what_the_machine_shows(around: Around) -> None:
    asked = around.fact(RawAsk(b"us", encode_ask("doctor", {"any": "thing"})))
    assert asked == DoctorAsked(b"us", MACHINE)


def test_monitors_hear_what_the_log_hears() -> None:
    around = Around()
    heard: list[list[bytes]] = []
    around.has_listeners = True
    around.tell = heard.append  # type: ignore[assignment, method-assign]
    teller = Teller(around.event_log, around, around, lambda: 1.0, lambda: 2.0)
    teller.tell(Tell(EventKind.READY, {}))
    assert [event.kind for event in around.events] == [EventKind.READY] and len(heard) == 1


def test_reload_is_answered_with_what_changed_or_with_what_is_wrong(around: Around) -> None:
    assert around.fact(RawAsk(b"me", encode_ask("reload", {}))) is None
    ((asker, reply),) = around.takes()  # type: ignore[misc]
    assert asker == b"me" and reply["file"] == "/peer.toml" and reply["used"] == ["x"]
    around.wrong = ConfigError("is not TOML", "/peer.toml", "correct that line")
    around.fact(RawAsk(b"me", encode_ask("reload", {})))
    why = {"what": "is not TOML", "where": "/peer.toml", "do": "correct that line"}
    assert around.takes() == [(b"me", {"declined": why})]
