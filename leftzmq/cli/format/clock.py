"""Times as people read and type them: this machine's local time, with its date.

Knows calendars and time zones. Must not know what happened at a time. The names of conflict copies
and of the trash's batches contain UTC, so that they are the same on every device; the times that a
user reads are local.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

UNDATED: Final = "-"
"""For an item without mtime: a link, a folder."""

_PACKED: Final = "%Y%m%d-%H%M%S"
_SHOWN: Final = "%Y-%m-%d %H:%M:%S"
_TYPED: Final = re.compile(r"\d{4}((-\d\d){0,2}|-\d\d-\d\d[ T]\d\d(:\d\d){0,2})", re.ASCII)


def local_time(unix_s: float) -> str:
    """Return 2026-10-05 16:03:07; UNDATED for a time that no calendar holds."""
    try:
        return datetime.fromtimestamp(unix_s).strftime(_SHOWN)
    except (OverflowError, ValueError, OSError):
        return UNDATED


def iso_time(unix_s: float) -> str | None:
    """Return the same for scripts, with its offset from UTC: 2026-10-05T16:03:07+02:00."""
    try:
        return datetime.fromtimestamp(int(unix_s), UTC).astimezone().isoformat()
    except (OverflowError, ValueError, OSError):
        return None


def unix_of(packed: str) -> float:
    """Return the unix seconds of 20261005-140307, UTC, as in the names of batches. ValueError: it
    is none."""
    return datetime.strptime(packed, _PACKED).replace(tzinfo=UTC).timestamp()


def period(typed: str) -> tuple[str, str] | None:
    """Return the beginning and the end (excluded) of a typed time, both packed, as UTC.

    typed: as `local_time` writes it, or only its beginning, to the year; or as `iso_time` does
    None: it is no time
    """
    try:
        if not _TYPED.fullmatch(typed):
            moment = datetime.fromisoformat(typed)
            return None if moment.tzinfo is None else _span(moment, moment + timedelta(seconds=1))
        parts = 1 + len(re.findall("[-T :]", typed))
        begins = datetime.strptime(typed.replace("T", " "), _SHOWN[: 3 * parts - 1])
        return _span(begins, _next(begins, parts))
    except (OverflowError, ValueError, OSError):
        return None


def _next(begins: datetime, parts: int) -> datetime:
    """Return the beginning of the next year, month, day, hour, minute or second."""
    if parts == 1:
        return begins.replace(year=begins.year + 1)
    if parts == 2:
        return (begins + timedelta(days=31)).replace(day=1)
    lasts = {3: timedelta(days=1), 4: timedelta(hours=1), 5: timedelta(minutes=1)}
    return begins + lasts.get(parts, timedelta(seconds=1))


def _span(begins: datetime, ends: datetime) -> tuple[str, str]:
    """Return both packed, as UTC. A time without an offset is local; an hour that occurs twice
    means both."""
    ends = ends.replace(fold=1)
    return begins.astimezone(UTC).strftime(_PACKED), ends.astimezone(UTC).strftime(_PACKED)
