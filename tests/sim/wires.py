"""Connections between devices, and the messages under way on them.

A wire is a device's connection to another: control first, bulk and news after the welcome. Messages
in one direction over one socket arrive in order, or are lost with the wire. The device that dialed
notices a loss after a while; the device that was dialed notices it when it sends (as with
transport/bus).

Knows devices and messages. Must not know what messages mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leftzmq.sync import actions
from leftzmq.sync.facts import LinkClosed, LinkOpened, MessageArrived, Subscribed
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.wire.codec import Socket
from leftzmq.wire.messages import VERSION, Message, Open, Report

from .node import arrival, socket_of

if TYPE_CHECKING:
    from .world import SimDevice, World

REPORTED_S = 0.003


@dataclass(slots=True)
class Wire:
    """number: of the connection; new each time it is made. more: bulk and news are wanted. opening:
    they are being made, and the dialer's open is under way on bulk. accepter: the device that
    answers at the address of `dialed`"""

    dialer: SimDevice
    dialed: SimDevice
    accepter: SimDevice
    up: bool = False
    trying: bool = False
    more: bool = False
    opening: bool = False
    number: int = 0
    last: dict[tuple[bool, Socket], float] = field(default_factory=dict)
    noticed_at: float = 0.0  # when the accepter notices the loss

    def route(self, socket: Socket) -> bytes:
        return b"\0" + (2 * self.number + (socket is Socket.BULK)).to_bytes(4, "big")


class Wires:
    """All connections. cut: pairs that cannot reach each other now. unheard: pairs (who publishes,
    who listens) between which news are lost now, and nothing else."""

    def __init__(self, world: World, dials: set[tuple[str, str]]) -> None:
        self._world, self._pairs = world, dials
        self._by: dict[tuple[SimDevice, DeviceKey], Wire] = {}
        self._clones: dict[SimDevice, SimDevice] = {}
        for a, b in sorted(dials):
            self._add(world.devices[a], world.devices[b])
        self.cut: set[frozenset[str]] = set()
        self.unheard: set[tuple[str, str]] = set()
        self._numbers = 0
        self.flying = 0

    def dials(self, a: str, b: str) -> bool:
        return (a, b) in self._pairs

    def _add(self, dialer: SimDevice, dialed: SimDevice) -> None:
        self._by[dialer, dialed.key] = Wire(dialer, dialed, dialed)

    def cloned(self, device: SimDevice, clone: SimDevice) -> None:
        """Both have one key, and dial the same devices; a device that dials this key reaches now
        one, now the other."""
        self._clones[device] = clone
        for a, b in sorted(self._pairs):
            if a == device.name:
                self._add(clone, self._world.devices[b])

    def clone_is_gone(self, device: SimDevice) -> None:
        clone = self._clones.pop(device)
        for at in [at for at in self._by if at[0] is clone]:
            del self._by[at]

    # ---- coming and going -----------------------------------------------------------------

    def refresh(self) -> None:
        """Dial missing connections, and break those that cannot stay."""
        for wire in self._by.values():
            if wire.up and not self._possible(wire):
                self._break(wire)
            elif not wire.up:
                self._dial(wire)

    def forget(self, device: SimDevice) -> None:
        """The device's process ended: its knowledge of its wires is lost, too."""
        for wire in self._by.values():
            if device in (wire.dialer, wire.accepter):
                if wire.up:
                    self._break(wire)
                if wire.dialer is device:
                    wire.more = False
        self.refresh()

    def break_one(self, a: str, b: str) -> None:
        """A connection is reset; both ends stay."""
        devices = self._world.devices
        wire = self._by.get((devices[a], devices[b].key))
        if wire is not None and wire.up:
            self._break(wire)

    def _possible(self, wire: Wire) -> bool:
        pair = frozenset((wire.dialer.name, wire.accepter.name))
        if wire.dialer.unlisted & pair or wire.accepter.unlisted & pair:
            return False
        if wire.dialer.paused & pair or wire.accepter.paused & pair:
            return False
        return wire.dialer.alive and wire.accepter.alive and pair not in self.cut

    def _dial(self, wire: Wire) -> None:
        if wire.trying:
            return
        wire.accepter = self._who_answers(wire.dialed)
        if self._possible(wire):
            wire.trying = True
            self._world.after(self._world.delays.dialing(), lambda: self._opened(wire))

    def _who_answers(self, dialed: SimDevice) -> SimDevice:
        clone = self._clones.get(dialed)
        if clone is None or not clone.alive:
            return dialed
        return self._world.random.choice((dialed, clone)) if dialed.alive else clone

    def _opened(self, wire: Wire) -> None:
        wire.trying = False
        if wire.up:
            return
        if not self._possible(wire):
            self._dial(wire)  # the clone may be there
            return
        self._numbers += 1
        wire.number, wire.up = self._numbers, True
        wire.last.clear()
        wire.dialer.take(LinkOpened(Link(wire.accepter.key, Way.DIALED)))
        if wire.more:
            self._say_open(wire)

    def _break(self, wire: Wire) -> None:
        wire.up = False
        delay = self._world.delays.noticing()
        wire.noticed_at = self._world.now + delay
        if wire.dialer.alive:
            wire.trying = True  # not before the loss is noticed
            link = Link(wire.accepter.key, Way.DIALED)
            starts = wire.dialer.starts

            def noticed() -> None:
                wire.trying = False
                if wire.dialer.alive and wire.dialer.starts == starts:
                    wire.dialer.take(LinkClosed(link, "the connection is gone"))
                self._dial(wire)

            self._world.after(delay, noticed)

    # ---- sending --------------------------------------------------------------------------

    def subscribe(self, device: SimDevice, key: DeviceKey) -> None:
        wire = self._dialed(device, key)
        if wire.up and not wire.more:
            wire.more = wire.opening = True
            self._say_open(wire)

    def _say_open(self, wire: Wire) -> None:
        number = wire.number
        self._carry(wire, True, Open(VERSION), None)

        def subscribed() -> None:
            if wire.up and wire.number == number:
                wire.accepter.take(Subscribed())

        self._world.after(self._world.delays.message(), subscribed)

    def send(self, device: SimDevice, link: Link, message: Message, body: object) -> bool:
        """Returns False if that link does not take the message."""
        socket = socket_of(message)
        if link.way is Way.DIALED:
            wire = self._dialed(device, link.device)
            if isinstance(message, Open) and wire.opening:
                wire.opening = False
                return True
            if not wire.up and wire.trying and wire.number:
                return True  # lost, and the loss is not noticed
            if not wire.up or (socket is Socket.BULK and not wire.more):
                return False
            self._carry(wire, True, message, body)
            return True
        came = self._came(device, link, socket)
        if came is None:
            return False
        if not came.up:
            return self._world.now < came.noticed_at
        self._carry(came, False, message, body)
        return True

    def report(self, device: SimDevice, link: Link, report: Report) -> None:
        """Carry what a device says of itself, where the wire is up. It draws nothing, and takes no
        turn among the messages that decide something: they come as if nobody reported."""
        dialed = link.way is Way.DIALED
        wire = (
            self._dialed(device, link.device)
            if dialed
            else self._came(device, link, Socket.CONTROL)
        )
        if wire is None or not wire.up:
            return
        receiver = wire.accepter if dialed else wire.dialer
        back = Link(device.key, Way.DIALED)
        came = Link(device.key, Way.CAME, wire.route(Socket.CONTROL)) if dialed else back
        number, at = wire.number, wire.last.get((dialed, Socket.CONTROL), 0.0)

        def arrive() -> None:
            if wire.up and wire.number == number:
                take(receiver, came, report, None)

        self._world.after(max(at - self._world.now, REPORTED_S), arrive)

    def _dialed(self, device: SimDevice, key: DeviceKey) -> Wire:
        return self._by[device, key]

    def _came(self, device: SimDevice, link: Link, socket: Socket) -> Wire | None:
        for wire in self._by.values():
            is_its = wire.accepter is device and wire.dialer.key == link.device
            if is_its and wire.route(socket) == link.route:
                return wire
        return None

    def _carry(self, wire: Wire, there: bool, message: Message, body: object) -> None:
        """Deliver in order, in one direction, over one socket. there: to the device that was
        dialed."""
        socket = socket_of(message)
        receiver = wire.accepter if there else wire.dialer
        if there:
            came = Link(wire.dialer.key, Way.CAME, wire.route(socket))
        else:
            came = Link(wire.accepter.key, Way.DIALED)
        number = wire.number
        at = max(
            self._world.now + self._world.delays.message(), wire.last.get((there, socket), 0.0)
        )
        wire.last[there, socket] = at
        self.flying += 1

        def arrive() -> None:
            self.flying -= 1
            if wire.up and wire.number == number:
                take(receiver, came, message, body)

        self._world.after(at - self._world.now, arrive)

    def publish(self, device: SimDevice, publish: actions.Publish) -> None:
        """Deliver to every subscriber: late, twice, in another order, or not at all."""
        news = device.sealed(publish)
        self._world.sent(device, None, news)
        for link in publish.links:
            self.send(device, link, news, None)
        for wire in self._by.values():
            if wire.accepter is not device or not wire.up or not wire.more:
                continue
            if (device.name, wire.dialer.name) in self.unheard:
                continue
            number = wire.number
            for delay in self._world.delays.news():

                def arrive(wire: Wire = wire, number: int = number) -> None:
                    if wire.up and wire.number == number:
                        take(wire.dialer, Link(device.key, Way.DIALED), news, None)

                self._world.after(delay, arrive)


def take(receiver: SimDevice, came: Link, message: Message, body: object) -> None:
    """A message is there: its device hears the fact that it becomes, if it becomes one."""
    if isinstance(message, Open):
        receiver.take(MessageArrived(came, message))
    elif (fact := arrival(receiver, came, message, body)) is not None:
        receiver.take(fact)
