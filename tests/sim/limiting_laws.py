"""What must hold where something is limited: nothing but time changes. Where nothing may pass no
contents are given; all is in sync within the time that the limits allow; and `wait` ends in time,
and says so when all is in sync.

Knows devices from outside. Must not steer anything.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from leftzmq.bandwidth.timetable import OFF
from leftzmq.sync.facts import LimitsSet
from leftzmq.sync.link import DeviceKey
from leftzmq.wire.messages import Chunks, Message

from .laws import Broken
from .ledger import content_of
from .limiters import OFF_MINUTES, Limiters
from .node import minute_at
from .world import SimDevice, World, each_of

NOTICED_S: Final = 15.0
"""So long after its clock shows that nothing may pass a device may still give: a clock that jumped
is noticed within 10 s, and what was being read goes on."""
ANSWERED_S: Final = 6.0
"""A question that ends looks for what is missing first; a job takes up to 3 s to begin and to be
told."""
ASKED_S: Final = 120.0
COUNTED_S: Final = 10.0
LATE_S: Final = 3.5
"""So much later than it was allowed may a job give something."""


def patience_s(world: World, limiters: Limiters) -> float:
    """How much longer than without limits it may take until all have all: while nothing passes (two
    timetables may take turns), and for all bytes at the lowest rate that anybody set."""
    contents = {
        content_of(inode)
        for device in world.devices.values()
        for path, inode in device.disk.everything()
    }
    size = sum(len(content[1]) for content in contents if content is not None)
    turns = 2 * OFF_MINUTES * 60.0
    return turns + size * len(world.devices) / limiters.least_bytes_s


def waits_ended(world: World, limiters: Limiters) -> None:
    """Each question was answered in time, by the agent that was asked."""
    for wait in limiters.waits:
        when, until = wait.device.answered.get(wait.asker, world.now), wait.until + ANSWERED_S
        is_same = wait.device.starts == wait.starts and wait.device.alive
        if when > until and (is_same or wait.asker in wait.device.answered):
            said = f"{wait.device.name} does not answer {wait.asker.decode()}"
            raise Broken("wait", f"{said} until {until:.3f}, but {when:.3f}")


def all_say_so(world: World, limiters: Limiters) -> None:
    """All is in sync: so says whoever is asked. Not where a known gap left a problem: nobody says
    so then."""
    if any(device.folder.problems.all() for device in world.alive):
        return
    first = len(limiters.waits)
    for device in world.alive:
        limiters.asks(device, ASKED_S)
    world.run_until(world.now + ASKED_S + ANSWERED_S + 1.0)
    waits_ended(world, limiters)
    for wait in limiters.waits[first:]:
        answer = wait.device.answers[wait.device.askers.index(wait.asker)]
        if not answer["in_sync"]:
            raise Broken("wait", f"{wait.device.name} is in sync, and says {answer}")


@dataclass(slots=True)
class _Given:
    """What a device gave while one rate held. what: (when, bytes)"""

    starts: int
    rate_bytes_s: int | None
    since: float
    largest_bytes: int = 0
    what: deque[tuple[float, int]] = field(default_factory=deque)


class Witness:
    """Nobody gives contents while he may give none, or more of them than he may."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._off_since: dict[tuple[str, DeviceKey], float] = {}
        self._given: dict[str, _Given] = {}

    def begin(self) -> None:
        self._world.limited = each_of(self._world.limited, self.sent)

    def sent(self, device: SimDevice, to: DeviceKey, message: Message) -> None:
        self._counted(device, message)
        pair = device.name, to
        if not _is_off(device, device.limits, to):
            self._off_since.pop(pair, None)
            return
        since = self._off_since.setdefault(pair, self._world.now)
        if isinstance(message, Chunks) and message.parts and self._world.now > since + NOTICED_S:
            name = self._world.name_of(to)
            raise Broken("limit", f"{device.name} gives {name} contents since {since:.3f}")

    def _counted(self, device: SimDevice, message: Message) -> None:
        rate, now = _rate(device), self._world.now
        given = self._given.get(device.shown)
        if given is None or (given.starts, given.rate_bytes_s) != (device.starts, rate):
            given = self._given[device.shown] = _Given(device.starts, rate, now)
        if not isinstance(message, Chunks) or not message.parts or not rate:
            return
        sizes = [part.length for part in message.parts]
        given.largest_bytes = max(given.largest_bytes, *sizes)
        given.what.append((now, sum(sizes)))
        while given.what[0][0] < now - COUNTED_S:
            given.what.popleft()
        if now < given.since + COUNTED_S + NOTICED_S:
            return
        most = 1.1 * (COUNTED_S + LATE_S) * rate + 2 * given.largest_bytes
        if (size := sum(each for _, each in given.what)) > most:
            said = f"{device.name} gave {size} bytes in {COUNTED_S:.0f} s"
            raise Broken("limit", f"{said}, and may give {rate} in one")


def _rate(device: SimDevice) -> int | None:
    """Of all that the device gives, by its own clock."""
    if device.limits is None:
        return None
    return device.limits.ours.up.rate_at(minute_at(device.world.wall_ns(device)))


def _is_off(device: SimDevice, limits: LimitsSet | None, to: DeviceKey) -> bool:
    if limits is None:
        return False
    minute = minute_at(device.world.wall_ns(device))
    tables = [limits.ours.up, *(of.up for key, of in limits.of.items() if key == to)]
    return any(table.rate_at(minute) == OFF for table in tables)
