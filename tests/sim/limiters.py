"""Users who limit what their devices send and receive: by rates, by timetables with hours in which
nothing passes, of a whole device or between two; and who ask whether all is in sync.

Knows devices from outside, and how a limit is written. Must not know what follows from a limit:
`limiting_laws` judges it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from leftzmq.bandwidth.timetable import BandwidthLimits, Timetable, parse_timetable
from leftzmq.sync.facts import Asked, LimitsSet

from .users import Users
from .world import SimDevice, World

HAS_LIMITS: Final = "has limits"
"""The first step of a seed in which users limit what passes."""

RATES_KB_S: Final = (2, 10, 100)
MANY, MUCH_BYTES = 15, 8_000
OFF_MINUTES: Final = 3
"""For so long nothing passes, at most, after each full hour of a clock."""


@dataclass(slots=True)
class Wait:
    """A question of a user, and when it has to be answered at the latest. starts: in which life of
    the agent it was asked"""

    device: SimDevice
    asker: bytes
    until: float
    starts: int


class Limiters:
    """One per world, if something is limited in it."""

    def __init__(self, world: World, users: Users) -> None:
        self._world, self._users, self._scale = world, users, users.scale
        self.waits: list[Wait] = []
        self.least_bytes_s = RATES_KB_S[-1] * 1000 * self._scale

    def do(self, what: str, device: SimDevice, chance: random.Random) -> None:
        said = LIMITING[what](self, device, chance)
        self._world.say(device, f"limits: {what} {said}")

    def has_limits(self, device: SimDevice, chance: random.Random) -> str:
        """Before the agents begin."""
        return ""

    # ---- limits -------------------------------------------------------------------------------

    def _rate(self, chance: random.Random) -> str:
        rate = chance.choice(RATES_KB_S) * self._scale
        self.least_bytes_s = min(self.least_bytes_s, rate * 1000)
        return f"{rate} kB/s"

    def _table(self, chance: random.Random) -> str:
        """ "": no limit."""
        kind = chance.choice(("", "rate", "rate", "off", "off and rate"))
        if kind in ("", "rate"):
            return self._rate(chance) if kind else ""
        first, last = sorted(chance.sample(range(OFF_MINUTES + 1), 2))
        return ", ".join(self._parts(first, last, chance, limits_more=kind != "off"))

    def _parts(
        self, first: int, last: int, chance: random.Random, *, limits_more: bool
    ) -> Iterator[str]:
        rate = self._rate(chance)
        for hour in range(24):
            yield f"{hour:02}:{first:02}-{hour:02}:{last:02} off"
            if limits_more:
                yield f"{hour:02}:{last:02}-{hour:02}:30 {rate}"

    def _limits(self, chance: random.Random) -> tuple[BandwidthLimits, str]:
        up, down = self._table(chance), self._table(chance)
        tables = [parse_timetable(text, "") if text else Timetable() for text in (up, down)]
        return BandwidthLimits(*tables), f"up {up[:40]!r} down {down[:40]!r}"

    def limit(self, device: SimDevice, chance: random.Random) -> str:
        limits, said = self._limits(chance)
        of = {} if device.limits is None else dict(device.limits.of)
        device.limit(LimitsSet(limits, of))
        return said

    def limit_one(self, device: SimDevice, chance: random.Random) -> str:
        """Between this device and one other."""
        other = chance.choice([each for each in self._world.devices.values() if each is not device])
        limits, said = self._limits(chance)
        ours = BandwidthLimits() if device.limits is None else device.limits.ours
        of: dict[bytes, BandwidthLimits] = {other.key: limits}
        device.limit(LimitsSet(ours, of))
        return f"{other.name} {said}"

    def lift(self, device: SimDevice, chance: random.Random) -> str:
        device.limit(LimitsSet(BandwidthLimits(), {}))
        return ""

    def write_much(self, device: SimDevice, chance: random.Random) -> str:
        """More than passes in some seconds at the lowest rate; where files are large, they do."""
        if self._scale > 1 or device.unmounted is not None or device.away is not None:
            return ""
        for number in range(MANY):
            value = self._users._value(device, chance)
            self._users._write(device, f"much {number}", value + b"-" * MUCH_BYTES)
        device.touched()
        return f"{MANY} files"

    # ---- wait ---------------------------------------------------------------------------------

    def wait(self, device: SimDevice, chance: random.Random) -> str:
        return self.asks(device, chance.choice((0.5, 3.0, 20.0)))

    def asks(self, device: SimDevice, timeout_s: float) -> str:
        """`leftzmq wait --timeout`: it is answered then at the latest."""
        if not device.alive:
            return ""
        asker = b"wait %d" % len(self.waits)
        self.waits.append(Wait(device, asker, self._world.now + timeout_s, device.starts))
        device.take(Asked(asker, "wait", {"timeout": timeout_s}))
        return f"{timeout_s} s"


LIMITING: Final[dict[str, Callable[[Limiters, SimDevice, random.Random], str]]] = {
    HAS_LIMITS: Limiters.has_limits,
    "limit first": Limiters.limit,
    "limit": Limiters.limit,
    "limit one": Limiters.limit_one,
    "lift limits": Limiters.lift,
    "wait": Limiters.wait,
    "write much": Limiters.write_much,
}
LIMITED: Final = {"limit": 4, "limit one": 3, "lift limits": 1, "wait": 4}
"""How often each of those does that may happen at any time in each of these seeds."""
