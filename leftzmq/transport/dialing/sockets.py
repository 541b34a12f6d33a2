"""The sockets that we dialed to one device: control, and after its welcome bulk and news.

Knows where control is connected, and which ports a welcome named. Must not know what is said over a
connection.
"""

from __future__ import annotations

from leftzmq.endpoint import Endpoint
from leftzmq.sync.link import DeviceKey
from leftzmq.transport.connections.ends import ConnectionEnds
from leftzmq.transport.connections.limits import PeerConnection
from leftzmq.transport.context import Context
from leftzmq.transport.dialing.line import ClientLine
from leftzmq.transport.dialing.race import DialRace
from leftzmq.wire.codec import Socket


class ClientSockets:
    """The sockets to one device that we dial. endpoints: where it may be, best first."""

    def __init__(
        self, context: Context, device: DeviceKey, endpoints: tuple[Endpoint, ...]
    ) -> None:
        self._context, self._device = context, device
        self._race = DialRace(context, device, endpoints)
        self._more: dict[Socket, ClientLine] = {}

    @property
    def control(self) -> ClientLine:
        return self._race.line

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where the device may be: where it was last, then the others."""
        return self._race.endpoints

    def also_at(self, endpoints: tuple[Endpoint, ...]) -> None:
        """The device may be at these addresses now."""
        self._race.also_at(endpoints)

    def subscribe(self, bulk_port: int, news_port: int) -> None:
        """Connect bulk and news, on the host of control. A socket is made anew if the port has
        changed.

        It is also made anew if control was lost meanwhile and this socket was not. Such a socket
        leads to the old place. This would be noticed only 8 s after something is sent over it and
        not acknowledged.
        """
        for kind, port in ((Socket.BULK, bulk_port), (Socket.NEWS, news_port)):
            endpoint = Endpoint(self.control.endpoint.host, port)
            line = self._more.get(kind)
            if line is None or line.endpoint != endpoint or line.outlived(self.control):
                if line is not None:
                    line.close()
                self._more[kind] = ClientLine(self._context, self._device, kind, endpoint)

    def open_again(self) -> None:
        """Send open over bulk if it is connected, because a device that was greeted anew may have
        forgotten its route to us. If bulk is not connected, the line sends open as soon as it
        is."""
        if (line := self._more.get(Socket.BULK)) is not None:
            line.say_open()

    def line(self, kind: Socket) -> ClientLine | None:
        return self.control if kind is Socket.CONTROL else self._more.get(kind)

    def lines(self) -> list[ClientLine]:
        return [*self._race.lines, *self._more.values()]

    @property
    def ends(self) -> ConnectionEnds | None:
        """The ends of one of its connections: all of them have the same two addresses."""
        lines = (self.control, *self._more.values())
        return next((line.connection.ends for line in lines if line.connection is not None), None)

    def connections(self) -> list[PeerConnection]:
        return [line.connection for line in self.lines() if line.connection is not None]

    def tick(self, now: float) -> float | None:
        """Reopen sockets whose waiting time is over. Return when to call this next; None: none
        waits."""
        if self.control.refused:
            self._close_more()  # they would be refused as well, again and again
        self._race.tick(now)
        for line in self._more.values():
            line.tick(now)
        due = [self._race.again_at, *(line.again_at for line in self._more.values())]
        return min((at for at in due if at is not None), default=None)

    def close_for(self, rest_s: float) -> None:
        """Close everything, and dial again after `rest_s`."""
        self._close_more()
        self._race.close_for(rest_s)

    def close(self, linger_ms: int = 0) -> None:
        self._close_more()
        self._race.close(linger_ms)

    def _close_more(self) -> None:
        # The next welcome opens them again.
        for line in self._more.values():
            line.close()
        self._more.clear()
