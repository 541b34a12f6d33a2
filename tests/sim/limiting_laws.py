"""What must hold where something is limited: nothing but time changes. Where nothing may pass no
contents are given; all is in sync within the time that the limits allow; and `wait` ends in time,
and says so when all is in sync.

Knows devices from outside. Must not steer anything.
"""

from __future__ import annotations

from typing import Final

from leftzmq.bandwidth.timetable import OFF
from leftzmq.sync.facts import LimitsSet
from leftzmq.sync.link import DeviceKey
from leftzmq.wire.messages import Chunks, Message

from .laws import Broken
from .ledger import content_of
from .limiters import OFF_MINUTES, Limiters
from .node import minute_at
from .world import SimDevice, World

NOTICED_S: Final = 15.0
"""So long after its clock shows that nothing may pass a device may still give: a clock that jumped
is noticed within 10 s, and what was being read goes on."""
ANSWERED_S: Final = 6.0
"""A question that ends looks for what is missing first; a job takes up to 3 s to begin and to be
told."""
ASKED_S: Final = 120.0


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


class Witness:
    """Nobody gives contents while he may give none."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._off_since: dict[tuple[str, DeviceKey], float] = {}

    def begin(self) -> None:
        self._world.limited = self.sent

    def sent(self, device: SimDevice, to: DeviceKey, message: Message) -> None:
        pair = device.name, to
        if not _is_off(device, device.limits, to):
            self._off_since.pop(pair, None)
            return
        since = self._off_since.setdefault(pair, self._world.now)
        if isinstance(message, Chunks) and message.parts and self._world.now > since + NOTICED_S:
            name = self._world.name_of(to)
            raise Broken("limit", f"{device.name} gives {name} contents since {since:.3f}")


def _is_off(device: SimDevice, limits: LimitsSet | None, to: DeviceKey) -> bool:
    if limits is None:
        return False
    minute = minute_at(device.world.wall_ns(device))
    tables = [limits.ours.up, *(of.up for key, of in limits.of.items() if key == to)]
    return any(table.rate_at(minute) == OFF for table in tables)
