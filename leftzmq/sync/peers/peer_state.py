"""The state of one other device: how far the greeting is, and over which links.

Every change of its state is a row of MOVES. The state is CONNECTED exactly while the device is
`greeted`. It is AWAY exactly while the device is neither `greeted` nor `dialed`. Knows states and
links. Must not know what is said over a link.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from msgspec import Struct

from leftzmq.errors import Away, StopCause
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.tree.version import Life
from leftzmq.wire.folder_rows import Standing
from leftzmq.wire.messages import Report


class PeerPhase(Enum):
    """The phase of one peer."""

    AWAY = auto()  # no link
    GREETING = auto()  # a link is open; hello is out
    CONNECTED = auto()  # the device greeted us, and that link is up: it can be asked


class PeerMove(Enum):
    """What happens to a peer."""

    OPENED = auto()  # a control link that we dialed is open
    GREETED = auto()  # the device said hello or welcome
    UNGREETED = auto()  # no link over which it greeted us is left: it closed, or the device refused
    CLOSED = auto()  # the last link is closed


class HeardReport(Struct, frozen=True):
    """What a peer said of itself last, to be shown and for nothing else.

    at: when it was heard (monotonic seconds)
    clock_ms: how much its wall clock was ahead of ours then; below 0: behind
    """

    report: Report
    at: float
    clock_ms: int


REACHED: Final = "connected"
BEING_DIALED: Final = "connecting"
"""How our own dialing of a peer stands, where no Away says it: the control link that we dialed is
open; it is dialed, and nothing is known yet of how that ends."""

S, M = PeerPhase, PeerMove
MOVES: Final[dict[tuple[PeerPhase, PeerMove], PeerPhase]] = {
    (S.AWAY, M.OPENED): S.GREETING,
    (S.AWAY, M.GREETED): S.CONNECTED,
    (S.AWAY, M.UNGREETED): S.AWAY,
    (S.AWAY, M.CLOSED): S.AWAY,
    (S.GREETING, M.OPENED): S.GREETING,
    (S.GREETING, M.GREETED): S.CONNECTED,
    (S.GREETING, M.UNGREETED): S.GREETING,
    (S.GREETING, M.CLOSED): S.AWAY,
    (S.CONNECTED, M.OPENED): S.CONNECTED,
    (S.CONNECTED, M.GREETED): S.CONNECTED,
    (S.CONNECTED, M.UNGREETED): S.GREETING,
    (S.CONNECTED, M.CLOSED): S.AWAY,
}


@dataclass(slots=True)
class Peer:
    """A [[peer]] with a key.

    text: its key as `leftzmq id` prints it there
    dialed: our control link is open. came, came_bulk: its links to us; the newest one replaces the
        one before
    welcomed: its welcome came over the dialed link, so bulk and news are connected there
    wants_news_here: the peer cannot subscribe to us, so our news goes over the link that we dialed
    said_hello: whether it said hello since it was CONNECTED
    ports: of bulk and news, as its last welcome named them
    ports_changed_at: when a welcome last named other ports than the one before (monotonic seconds)
    since: when it became CONNECTED, or ceased to be (monotonic seconds)
    listed: when it became a peer while we ran (monotonic seconds)
    away: why it is not connected, as far as we know. None: it is connected or being connected
    away_why: the same as a sentence. told: what was reported of it since it was CONNECTED
    proved: the folders of ours whose secret it holds, by its last greeting
    folders: those of them that can be requested. halted: those that are stopped there
    other_ids: the folders that have another id there: that id, and the life in which it was said
    asked_to_greet_at: when it was last asked to greet, over a link unknown to us (monotonic
        seconds)
    is_unheard: whether it said something that was lost here, as it had not greeted us
    can: the capabilities that it named when it greeted us last
    others: how many rows of its last hello prove nothing to us; None: it never said hello
    undialed, undialed_why: why our own dialing of it failed last; None: it has not, or is open now
    seen: when it was CONNECTED last (monotonic seconds); None: not since we began
    heard: what it said of itself last
    said_goodbye: whether it stopped in an orderly way and did not come back since
    dropped: how often we refused it, and cut every connection with it
    """

    key: DeviceKey
    name: str
    dials: bool
    text: str = ""
    state: PeerPhase = PeerPhase.AWAY
    dialed: bool = False
    welcomed: bool = False
    came: Link | None = None
    came_bulk: Link | None = None
    wants_news_here: bool = False
    said_hello: bool = False
    ports: tuple[int, int] | None = None
    ports_changed_at: float = -math.inf
    since: float = 0.0
    listed: float = -math.inf
    away: Away | None = None
    away_why: str = ""
    told: Away | None = None
    refusal_told: str = ""
    proved: frozenset[str] = frozenset()
    folders: tuple[Standing, ...] = ()
    halted: dict[str, StopCause | None] = field(default_factory=dict)
    other_ids: dict[str, tuple[str, Life]] = field(default_factory=dict)
    asked_to_greet_at: float = -math.inf
    is_unheard: bool = False
    can: frozenset[str] = frozenset()
    others: int | None = None
    undialed: Away | None = None
    undialed_why: str = ""
    seen: float | None = None
    heard: HeardReport | None = None
    said_goodbye: bool = False
    dropped: int = 0

    @property
    def greeted(self) -> bool:
        """Whether there is a link over which the peer greeted us."""
        return self.welcomed or self.came is not None

    def move(self, move: PeerMove) -> None:
        self.state = MOVES[self.state, move]
