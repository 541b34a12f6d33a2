"""Limits the connections to a door: decides which one must end, so that who has a code gets in.

Anybody may connect, and libzmq bounds neither how many connections there are, nor how long they
stay, nor what is inside one message. So each is counted from the event that it was accepted, and
ended by its descriptor.

Knows descriptors, addresses, and whether a knock came over a connection. Must not know what is in
a knock, nor sockets of libzmq.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from leftzmq.errors import Refusal
from leftzmq.transport.connections.ends import ConnectionEnds
from leftzmq.transport.connections.tcp_connection import TcpConnection
from leftzmq.transport.refusal_log import RefusalLog

VISITS_MAX: Final = 8
OF_SOURCE_MAX: Final = 4  # of an IPv4 address, or of an IPv6 /64 network
KNOCK_S: Final = 5.0  # from the accepted connection to the knock
VISIT_S: Final = 30.0  # in all: the answer may wait for the disk, or for a person
VISIT_BYTES: Final = 16 << 10
"""Received over one connection. A handshake takes under 2 KiB and a knock under 1; more than this
is a message that does not end, and only who knows the door's key gets so far."""
LOOK_S: Final = 0.1  # between two looks at the connections
ACCEPTS_A_SECOND: Final = 50


@dataclass(slots=True, eq=False)
class DoorVisit(TcpConnection):
    """One connection. has_knocked: whether its one knock came."""

    has_knocked: bool = False


class Visits:
    """All connections of one door, oldest first.

    again_at: when to call `tick` (monotonic seconds); None: nobody is connected
    """

    def __init__(self, refusal_log: RefusalLog) -> None:
        self._refusal_log = refusal_log
        self._all: dict[int, DoorVisit] = {}
        self._accepts: deque[float] = deque(maxlen=ACCEPTS_A_SECOND + 1)
        self._look_at = 0.0

    def __len__(self) -> int:
        return len(self._all)

    @property
    def again_at(self) -> float | None:
        return self._look_at if self._all else None

    @property
    def is_flooded(self) -> bool:
        """Whether more than ACCEPTS_A_SECOND connections were accepted within a second."""
        accepts = self._accepts
        return len(accepts) > ACCEPTS_A_SECOND and accepts[-1] - accepts[0] < 1.0

    def accepted(self, descriptor: int, port: int, now: float) -> None:
        """libzmq accepted a connection at this port of ours; it may be gone already."""
        self._accepts.append(now)
        self._all.pop(descriptor, None)  # the number was given out again
        ends = ConnectionEnds.of_descriptor(descriptor)
        if ends is None or ends.here[1] != port:
            return
        visit = self._all[descriptor] = DoorVisit(descriptor, ends, now)
        beside = [each for each in self._all.values() if each.source == visit.source]
        if len(beside) > OF_SOURCE_MAX:
            self._end_one_of(beside, now)
        elif len(self._all) > VISITS_MAX:
            self._end_one_of(list(self._all.values()), now)

    def closed(self, descriptor: int) -> None:
        """libzmq reports that the connection is closed."""
        self._all.pop(descriptor, None)

    def of(self, descriptor: int) -> DoorVisit | None:
        """Return the connection; None if it is not counted, or was ended."""
        return self._all.get(descriptor)

    def refuse(self, visit: DoorVisit, refusal: Refusal, detail: str, now: float) -> None:
        """End a connection because of what came over it."""
        self.end(visit)
        who = visit.source
        text = f"at the door, from {who}: {detail}" if detail else f"at the door, from {who}"
        self._refusal_log.note(None, refusal, who.encode(), text, now)

    def end(self, visit: DoorVisit) -> None:
        visit.shut_down()
        if self._all.get(visit.descriptor) is visit:
            del self._all[visit.descriptor]

    def forget_all(self) -> None:
        """The socket is closed, and all connections with it."""
        self._all.clear()
        self._accepts.clear()

    def tick(self, now: float) -> None:
        """End the connections whose time is over, or over which too much came."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_S
        for visit in list(self._all.values()):
            received = visit.received()
            if received is None:
                self.closed(visit.descriptor)
            elif received > VISIT_BYTES:
                self.refuse(visit, Refusal.ENDLESS, f"{received} bytes", now)
            elif now - visit.since > (VISIT_S if visit.has_knocked else KNOCK_S):
                self.end(visit)

    def _end_one_of(self, visits: list[DoorVisit], now: float) -> None:
        # There is one: the newest has not knocked.
        oldest = next(each for each in visits if not each.has_knocked)
        self.refuse(oldest, Refusal.TOO_MANY_CONNECTIONS, "", now)
