"""Who knocks at a door: finds the one of several addresses at which it is, and brings the answer.

Knows which address is tried when, and how long. Must not know where the code of an invitation
comes from, nor what follows from an answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

import zmq

from leftzmq.endpoint import Endpoint
from leftzmq.errors import DoorAway, Refusal, Refused
from leftzmq.transport.bounded_read import BoundedReader
from leftzmq.transport.device_key import DeviceKeyPair
from leftzmq.transport.door.dial import DialTrouble, DoorDial
from leftzmq.wire.door import Admitted, Knock, NotAdmitted, decode_answer, encode

MAX_ADDRESSES: Final = 4
APART_S: Final = 0.25  # from one address to the next
TELL_S: Final = 1.0  # what takes longer is said
_FIRST_REST_S: Final = 0.2  # after a lost connection
_LONGEST_REST_S: Final = 1.0
_TURN_MS: Final = 20

_CANNOT_TELL: Final = frozenset((DialTrouble.REFUSED, DialTrouble.SILENT, DialTrouble.NO_WAY))
"""An invitation that is over looks like this, and so does a firewall."""
_IT_IS_THERE: Final = frozenset((DialTrouble.HANDSHAKING, DialTrouble.LOST, DialTrouble.NO_ANSWER))


def knock(
    addresses: Sequence[Endpoint],
    door: bytes,
    keys: DeviceKeyPair,
    message: Knock,
    timeout_s: float,
    tell: Callable[[str], None],
) -> tuple[Admitted | NotAdmitted, Endpoint]:
    """Knock at the door with the public key `door` (32 bytes). Return its answer, and the address
    at which it is.

    addresses: where it may be; the first MAX_ADDRESSES are tried. keys: of this device
    timeout_s: for all of it. tell: called with a sentence when something takes over TELL_S
    Raises DoorAway.
    """
    visit = _KnockVisit(addresses[:MAX_ADDRESSES], door, keys, timeout_s, tell)
    frame, rest_s = encode(message), _FIRST_REST_S
    while True:
        dial = visit.find()
        try:
            answer = visit.ask(dial, frame)
        finally:
            dial.close()
        if answer is not None:
            return answer, dial.endpoint
        visit.rest(rest_s)
        rest_s = min(2 * rest_s, _LONGEST_REST_S)


class _KnockVisit:
    """The time that is left, what was said, and why each address failed last."""

    def __init__(
        self,
        addresses: Sequence[Endpoint],
        door: bytes,
        keys: DeviceKeyPair,
        timeout_s: float,
        tell: Callable[[str], None],
    ) -> None:
        # Never terminated, for the reason that transport/ipc/client gives.
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._door, self._keys, self._tell = door, keys, tell
        self._timeout_s, self._ends_at = timeout_s, time.monotonic() + timeout_s
        self._troubles = dict.fromkeys(addresses, DialTrouble.NOT_TRIED)
        self._told: set[str] = set()
        self._lost: set[Endpoint] = set()

    def find(self) -> DoorDial:
        """Return the first dial whose handshake succeeds; the others are closed. Raises
        DoorAway."""
        began = time.monotonic()
        dials = [
            DoorDial(self._context, self._keys, self._door, endpoint, began + n * APART_S, trouble)
            for n, (endpoint, trouble) in enumerate(self._troubles.items())
        ]
        found: DoorDial | None = None
        try:
            while dials and found is None and (now := time.monotonic()) < self._ends_at:
                found = next((dial for dial in dials if dial.tick(now)), None)
                if found is None:
                    self._tell_late("find", began, now, self._still_dialing)
                    _wait(dial.monitor.socket for dial in dials if dial.monitor is not None)
        finally:
            for dial in dials:
                if dial is not found:
                    self._troubles[dial.endpoint] = dial.trouble
                    dial.close()
        if found is None:
            raise self._away()
        return found

    def ask(self, dial: DoorDial, frame: bytes) -> Admitted | NotAdmitted | None:
        """Send the knock. Return the answer; None: the connection was lost. Raises DoorAway."""
        socket, monitor, began = dial.socket, dial.monitor, time.monotonic()
        assert socket is not None and monitor is not None, "its handshake succeeded"
        self._troubles[dial.endpoint] = DialTrouble.LOST
        self._lost.add(dial.endpoint)  # unless it answers, and then nobody asks
        try:
            socket.send(frame, zmq.DONTWAIT)
        except zmq.ZMQError:
            return None
        reader = BoundedReader(socket, 1, 1)
        while (now := time.monotonic()) < self._ends_at:
            # Events are taken first and looked at last: an answer may have come before the end.
            events = list(iter(monitor.next, None))
            for frames in reader.read_some():
                return self._read(dial.endpoint, frames)
            if zmq.EVENT_DISCONNECTED in events:
                return None
            self._tell_late(
                "ask", began, now, f"{dial.endpoint} was reached; waiting for its answer"
            )
            _wait((socket, monitor.socket))
        self._troubles[dial.endpoint] = DialTrouble.NO_ANSWER
        raise self._away()

    def rest(self, rest_s: float) -> None:
        """Wait before all addresses are dialed again."""
        time.sleep(max(0.0, min(rest_s, self._ends_at - time.monotonic())))

    @property
    def _still_dialing(self) -> str:
        tried = ", ".join(map(str, self._troubles))
        left_s = max(1, round(self._ends_at - time.monotonic()))
        return f"no door has answered yet at {tried}; trying for {left_s} s more"

    def _tell_late(self, what: str, began: float, now: float, sentence: str) -> None:
        if now - began > TELL_S and what not in self._told:
            self._told.add(what)
            self._tell(sentence)

    def _read(self, endpoint: Endpoint, frames: Sequence[zmq.Frame]) -> Admitted | NotAdmitted:
        try:
            if len(frames) != 1:
                raise Refused(Refusal.TOO_MANY_FRAMES, "an answer is one frame")
            return decode_answer(frames[0].buffer)
        except Refused as refused:
            raise DoorAway(
                f"the answer of the door cannot be read: {refused}",
                str(endpoint),
                "install the same version of leftzmq on both machines, then type the same line",
            ) from None

    def _away(self) -> DoorAway:
        if not self._troubles:
            return DoorAway("the invitation names no address", "", "ask for a new code")
        reasons = "; ".join(
            f"{endpoint}: {self._reason(endpoint, trouble)}"
            for endpoint, trouble in self._troubles.items()
        )
        what = f"no door of an invitation answered within {self._timeout_s:.0f} s: {reasons}"
        return DoorAway(what, "", "; ".join(self._advice()))

    def _reason(self, endpoint: Endpoint, trouble: DialTrouble) -> str:
        text = trouble.value.format(port=endpoint.port)
        was_lost = endpoint in self._lost and trouble not in _IT_IS_THERE
        return f"{text}; before that, {DialTrouble.LOST.value}" if was_lost else text

    def _advice(self) -> Iterator[str]:
        troubles = set(self._troubles.values())
        if self._lost or troubles & _IT_IS_THERE:
            yield "type the same line again: it goes on where it was, and costs no further use"
        if troubles & _CANNOT_TELL:
            unsure = (e.port for e, why in self._troubles.items() if why in _CANNOT_TELL)
            ports = " and ".join(str(port) for port in sorted(set(unsure)))
            yield (
                f"the invitation has expired, or it is used up, or a firewall closes port {ports}: "
                f"ask for a new code, or open port {ports} (TCP) on the machine that invites"
            )
        if DialTrouble.OTHER_DOOR in troubles:
            yield "a code whose door is gone leads nowhere: ask for a new one"
        if DialTrouble.UNREACHABLE in troubles:
            yield "look whether this machine is in a network that leads there"
        if DialTrouble.NO_NAME in troubles:
            yield "look whether this machine can look up names"
        if troubles == {DialTrouble.NOT_TRIED}:
            yield "give it more time"


def _wait(sockets: Iterable[zmq.Socket[bytes]]) -> None:
    poller = zmq.Poller()
    for socket in sockets:
        poller.register(socket, zmq.POLLIN)
    with suppress(zmq.ZMQError):
        poller.poll(_TURN_MS)
