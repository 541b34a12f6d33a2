"""One dialed socket with its monitor: connecting, and how libzmq reports it.

Must not know what is said over a connection, nor which address is dialed next. A frame on a dialed
socket has no User-Id (measured). The pinned server key names the sender, so each socket belongs to
one device.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Final

import zmq

from leftzmq.disk.fs.interface import Buffer
from leftzmq.endpoint import Endpoint
from leftzmq.errors import Away, Refusal
from leftzmq.sync.facts import (
    BulkRestored,
    DialFailed,
    LinkClosed,
    LinkOpened,
    StrangerRefused,
)
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.transport import socket_options
from leftzmq.transport.bounded_read import BoundedReader
from leftzmq.transport.connections.ends import ConnectionEnds
from leftzmq.transport.connections.limits import PeerConnection
from leftzmq.transport.context import Context
from leftzmq.transport.frames import Raw, RawFrame
from leftzmq.transport.socket_monitor import EVENTS_OF_A_DIAL, SocketMonitor
from leftzmq.wire.codec import Socket, encode
from leftzmq.wire.messages import NEWS_TOPIC, VERSION, Open

MESSAGES_A_TURN: Final = {Socket.CONTROL: 64, Socket.NEWS: 64, Socket.BULK: 16}
FRAMES: Final = {Socket.CONTROL: 1, Socket.NEWS: 2, Socket.BULK: 2}
"""Frames of one message, without the route that a ROUTER puts before it. News: topic and
payload."""

_FIRST_REST_S: Final = 0.5
_LONGEST_REST_S: Final = 10.0
_REASONS: Final[dict[int, Away]] = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: Away.REFUSED_OUR_KEY,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: Away.HUNG_UP,
}
_WHY_FAILED: Final[dict[Away, str]] = {
    Away.NOBODY_ANSWERS: "nobody answers at {}",
    Away.REFUSED_OUR_KEY: "{} refused our key: is this device among the peers there? (Or it has "
    "shut us out for a minute)",
    Away.NO_AGENT: "what answers at {} is no leftzmq agent",
    Away.HUNG_UP: "{} hung up during the handshake: it has another key than our [[peer]] says, "
    "is no leftzmq agent, or went away",
}


class LineState(Enum):
    """Of one dialed socket."""

    CLOSED = auto()  # there is no socket: it rests, or is not wanted any more
    CONNECTING = auto()  # libzmq tries
    UP = auto()  # the handshake succeeded
    LOST = auto()  # it was up, and libzmq has not said yet that it tries again


class LineMove(Enum):
    """What happens to a dialed socket."""

    OPEN = auto()
    SUCCEED = auto()  # the handshake
    BREAK = auto()  # the connection
    TRY_AGAIN = auto()  # libzmq does
    CLOSE = auto()


S, M = LineState, LineMove
MOVES: Final[dict[tuple[LineState, LineMove], LineState]] = {
    # What cannot happen in a state changes nothing.
    **{(state, move): state for state in LineState for move in LineMove},
    (S.CLOSED, M.OPEN): S.CONNECTING,
    (S.CONNECTING, M.SUCCEED): S.UP,
    (S.LOST, M.SUCCEED): S.UP,
    (S.UP, M.BREAK): S.LOST,
    (S.LOST, M.TRY_AGAIN): S.CONNECTING,
    **{(state, M.CLOSE): S.CLOSED for state in LineState},
}


class ClientLine:
    """One dialed socket with its monitor. It is made anew when libzmq would not try again.

    libzmq itself keeps trying while nobody answers. After a failed handshake it either never tries
    again (refused key, foreign protocol) or tries five times a second (wrong server key); both were
    measured. So we close the socket and wait, longer each time.

    is_told: asked when control came up or failed: whether that is said of the device
    """

    def __init__(
        self,
        context: Context,
        device: DeviceKey,
        kind: Socket,
        endpoint: Endpoint,
        is_told: Callable[[ClientLine], bool] = lambda line: False,
    ) -> None:
        self._context, self._device, self.kind, self.endpoint = context, device, kind, endpoint
        self._is_told = is_told
        self.link = Link(device, Way.DIALED)
        self.socket: zmq.Socket[bytes] | None = None
        self.refused = False  # whether the last event was that our key was refused
        self.away: Away | None = None  # why the last attempt failed; None: none has
        self.opened_at = context.clock()
        self.connection: PeerConnection | None = None  # while connected, if it could be learnt
        self._monitor: SocketMonitor | None = None
        self._state = LineState.CLOSED
        self._swallowed = False  # a message sent over it may be lost
        self.up_at = self.lost_at = -math.inf
        self._early: deque[tuple[list[Buffer], bool]] = deque()
        self._rest_s = _FIRST_REST_S
        self._again_at: float | None = None
        self._open()

    @property
    def again_at(self) -> float | None:
        """When to call `tick` next (monotonic seconds)."""
        return self._again_at

    def send(self, frames: list[Buffer], copy: bool) -> bool:
        """Send without waiting. Return False if not connected, or if the queue is full.

        Bulk connects after the welcome, and the first gets follow at once. Messages sent before the
        connection is up are queued, as many as the connected socket would queue. They are lost if
        nobody answers.
        """
        if self.kind is Socket.BULK and self._state is not LineState.UP:
            has_room = len(self._early) < socket_options.BULK_HWM
            if has_room:
                self._early.append((frames, copy))
            return has_room
        if self.socket is None:
            return False
        try:
            self.socket.send_multipart(frames, zmq.DONTWAIT, copy=copy)
        except zmq.ZMQError:
            return False
        return True

    @property
    def is_up(self) -> bool:
        """Whether the handshake succeeded and the connection is not known to be lost."""
        return self._state is LineState.UP

    def say_open(self) -> None:
        """Send open over a connection that is up, so the ROUTER at the other end learns the route
        to us."""
        if self._state is LineState.UP:
            self.send([encode(Open(VERSION))], copy=True)

    def close_for(self, rest_s: float) -> None:
        """Close, and connect again after `rest_s`."""
        self.close()
        self._rest(rest_s)

    def tick(self, now: float) -> None:
        if self._again_at is not None and now >= self._again_at:
            self.close()
            self._open()

    def outlived(self, other: ClientLine) -> bool:
        """Return whether it was up before the other one was lost, and still is."""
        return self._state is LineState.UP and self.up_at < other.lost_at

    def close(self, linger_ms: int = 0) -> None:
        socket, self.socket = self.socket, None
        monitor, self._monitor = self._monitor, None
        self._move(LineMove.CLOSE)
        self._again_at = self.connection = None
        if socket is not None and monitor is not None:
            self._context.poller.drop(socket)
            self._context.poller.drop(monitor.socket)
            monitor.close()
            socket.close(linger_ms)

    def _open(self) -> None:
        """Open and connect the socket. If none can be made (descriptors, or libzmq's limit of
        1023), wait and try again, as if nobody answered."""
        context, host = self._context, self.endpoint.host
        socket: zmq.Socket[bytes] | None = None
        try:
            socket = socket_options.dialed(
                context.context, self.kind, context.keys, self._device, host
            )
            if self.kind is Socket.NEWS:
                socket.subscribe(NEWS_TOPIC)
            monitor = SocketMonitor(context.context, socket, EVENTS_OF_A_DIAL)
            try:
                socket.connect(str(self.endpoint))
            except zmq.ZMQError:
                monitor.close()
                raise
        except zmq.ZMQError as error:
            if socket is not None:
                socket.close(0)
            now = context.clock()
            context.socket_errors.note(
                f"no connection to {self.endpoint} can be made: {error}", now
            )
            self._rest(self._rest_s)
            return
        reader = BoundedReader(socket, MESSAGES_A_TURN[self.kind], FRAMES[self.kind])
        # Data first: frames that arrived before a connection broke are read before the break is
        # reported.
        context.poller.add(socket, lambda: self._frames(reader))
        context.poller.add(monitor.socket, lambda: self._events(monitor))
        self.socket, self._monitor = socket, monitor
        self._move(LineMove.OPEN)

    def _move(self, move: LineMove) -> None:
        self._state = MOVES[self._state, move]

    def _frames(self, reader: BoundedReader) -> Iterator[Raw]:
        for frames in reader.read_some():
            if self.connection is not None:
                self.connection.took(frames)
            if len(frames) > reader.frames:
                detail = f"over {reader.frames} on {self.kind.value}"
                yield StrangerRefused(self._device, Refusal.TOO_MANY_FRAMES, detail)
            elif self.kind is not Socket.NEWS:
                yield RawFrame(self.link, self.kind, frames)
            elif len(frames) == 2 and frames[0].bytes == NEWS_TOPIC:
                yield RawFrame(self.link, self.kind, frames[1:])
            else:
                yield StrangerRefused(self._device, Refusal.WRONG_SHAPE, "news under another topic")

    def _events(self, monitor: SocketMonitor) -> Iterator[Raw]:
        # An event may close this line, and its monitor with it.
        while self._monitor is monitor and (event := monitor.next()) is not None:
            if event == zmq.EVENT_CONNECTED:
                ends = ConnectionEnds.of(monitor.value, self.endpoint.port)
                if ends is not None:
                    now, device = self._context.clock(), self._device
                    self.connection = PeerConnection(monitor.value, ends, now, self.kind, device)
                    self._context.activity.watch(monitor.value)
            else:
                yield from self._event(event)

    def _event(self, event: int) -> Iterator[Raw]:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._move(LineMove.SUCCEED)
            self.refused, self.away, self._again_at = False, None, None
            self._rest_s, self.up_at = _FIRST_REST_S, self._context.clock()
            if self.kind is Socket.BULK:
                self.say_open()  # the route is a new one
                if self._swallowed:
                    self._swallowed = False
                    self._early.clear()  # its gets are sent again, like the rest
                    yield BulkRestored(self._device)
                while self._early:
                    self.send(*self._early.popleft())
            elif self._is_told(self):
                yield LinkOpened(self.link)
        elif event == zmq.EVENT_CONNECT_RETRIED:
            # After a loss the first of these events only says that libzmq is going to try.
            if self._state is LineState.LOST:
                self._move(LineMove.TRY_AGAIN)
                self._again_at = None
            else:
                yield from self._failed(Away.NOBODY_ANSWERS)
        elif event == zmq.EVENT_DISCONNECTED and self._state is LineState.UP:
            # Usually libzmq connects again by itself; not after a frame over our limit.
            self._move(LineMove.BREAK)
            self._swallowed = True
            self.connection = None
            self.lost_at = self._context.clock()
            self._rest(self._rest_s)
            if self.kind is Socket.CONTROL:
                yield LinkClosed(self.link, f"the connection to {self.endpoint} is gone")
        else:
            self.refused = event == zmq.EVENT_HANDSHAKE_FAILED_AUTH
            self.close_for(self._rest_s)
            yield from self._failed(_REASONS.get(event, Away.NO_AGENT))

    def _failed(self, away: Away) -> Iterator[DialFailed]:
        """Report a failed dial, of control only: its address is the one that a user wrote or this
        device learnt."""
        self._early.clear()
        self._swallowed, self.away = True, away
        if self.kind is Socket.CONTROL and self._is_told(self):
            yield DialFailed(self._device, _WHY_FAILED[away].format(self.endpoint), away)

    def _rest(self, rest_s: float) -> None:
        self._again_at = self._context.clock() + rest_s
        self._rest_s = min(2 * self._rest_s, _LONGEST_REST_S)
