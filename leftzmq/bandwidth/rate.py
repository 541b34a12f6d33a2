"""A rate as a user writes it: "2 MB/s", "500 kB/s", "1.5 MiB/s".

Knows units. Must not know when a rate holds (timetable does).
"""

from __future__ import annotations

import re
from typing import Final

from leftzmq.errors import ConfigError

UNITS: Final = {
    "B/s": 1,
    "kB/s": 10**3,
    "MB/s": 10**6,
    "GB/s": 10**9,
    "KiB/s": 1 << 10,
    "MiB/s": 1 << 20,
    "GiB/s": 1 << 30,
}
MIN_BYTES_S: Final = 1_000
"""At this rate the longest chunk takes 17 minutes, and a file of one chunk 4. Who wants less wants
a pause."""
MAX_BYTES_S: Final = 10**12
_RATE: Final = re.compile(r"(-?)([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(\S*)", re.ASCII)
_EXAMPLE: Final = 'such as "500 kB/s"'
RATE_DO: Final = f"write a number and one of {', '.join(UNITS)}, {_EXAMPLE}"
_PAUSE_DO: Final = (
    'to let nothing pass, use `leftzmq pause`, or "off" in a timetable: "23:00-06:00 off"'
)


def parse_rate(text: str, where: str) -> int:
    """Return the bytes a second that `text` means, MIN_BYTES_S to MAX_BYTES_S. Raises ConfigError,
    which names `where`."""
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"{text!r} is no rate", where, RATE_DO)
    sign, number, unit = found.groups()
    if not unit:
        raise ConfigError(f"{text!r} has no unit", where, RATE_DO)
    if unit not in UNITS:
        raise ConfigError(f"{text!r} has the unit {unit!r}, which is not known", where, RATE_DO)
    bytes_s = float(number) * UNITS[unit]
    if bytes_s == 0:
        raise ConfigError(f"{text!r} lets nothing pass", where, _PAUSE_DO)
    if sign:
        raise ConfigError(f"{text!r} is negative", where, RATE_DO)
    if bytes_s < MIN_BYTES_S:
        raise ConfigError(f"{text!r} is less than {rate_text(MIN_BYTES_S)}", where, _PAUSE_DO)
    if bytes_s > MAX_BYTES_S:
        do = "leave the limit out: nothing is limited then"
        raise ConfigError(f"{text!r} is more than any line carries", where, do)
    return round(bytes_s)


def rate_text(bytes_s: int) -> str:
    """Return a rate in the largest decimal unit of which it is at least one, with at most three
    digits after the point."""
    unit = next((u for u in ("GB/s", "MB/s", "kB/s") if bytes_s >= UNITS[u]), "B/s")
    return f"{round(bytes_s / UNITS[unit], 3):g} {unit}"
