"""Which rate holds at which minute of a week: "mon-fri 08:00-18:00 500 kB/s, 23:00-06:00 off".

Knows how a timetable is written, and that its parts must not overlap. Must not know a clock: a
minute of the week is local time as a clock on the wall shows it, and the caller reads that clock.
So a part that begins at 02:00 does not begin on a night that has no 02:00, and minutes that come
twice are twice in their part.
"""

from __future__ import annotations

import re
from itertools import combinations
from typing import Final

from msgspec import Struct

from leftzmq.bandwidth.rate import RATE_DO, parse_rate, rate_text
from leftzmq.errors import ConfigError

DAY_MINUTES: Final = 24 * 60
WEEK_MINUTES: Final = 7 * DAY_MINUTES
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFF: Final = 0
"""As a rate: nothing passes."""
MAX_PARTS: Final = 64
"""Each pair of them is compared once. Seven days of nine parts fit."""
_PART_DO: Final = (
    'write parts with commas between them, each as "mon-fri 08:00-18:00 500 kB/s" or '
    '"23:00-06:00 off"; days or times may be left out'
)
_SPAN: Final = re.compile(r"([0-9]{1,3}:[0-9]{1,3})-([0-9]{1,3}:[0-9]{1,3})", re.ASCII)
_LOOKS_LIKE_DAYS: Final = re.compile(r"[a-z]+(-[a-z]+)?", re.ASCII)


class Period(Struct, frozen=True):
    """One part of a timetable.

    text: as it was written, for sentences
    spans: the minutes of the week in which it holds, none of them beyond the week's end
    bytes_s: its rate; OFF: nothing passes
    """

    text: str
    spans: tuple[range, ...]
    bytes_s: int

    def holds(self, minute: int) -> bool:
        return any(minute in span for span in self.spans)

    def first_in_both(self, other: Period) -> int | None:
        """Return a minute at which both hold and one of them begins; None: there is none."""
        for one in self.spans:
            for another in other.spans:
                begin = max(one.start, another.start)
                if begin < min(one.stop, another.stop):
                    return begin
        return None


class Timetable(Struct, frozen=True):
    """Where no part holds there is no limit. One without parts limits nothing."""

    parts: tuple[Period, ...] = ()

    def rate_at(self, minute: int) -> int | None:
        """Return the bytes a second at this minute of the week (0: Monday 00:00). OFF: nothing
        passes; None: no limit."""
        return next((part.bytes_s for part in self.parts if part.holds(minute)), None)

    def changes_in(self, minute: int) -> int | None:
        """Return after how many minutes, counted from the beginning of this one, another rate
        holds; None: the same rate holds all week."""
        edges = {
            (edge - minute) % WEEK_MINUTES
            for part in self.parts
            for span in part.spans
            for edge in (span.start, span.stop)
        }
        now = self.rate_at(minute)
        later = (edge for edge in sorted(edges) if self.rate_at(_wrapped(minute + edge)) != now)
        return next(later, None)


class BandwidthLimits(Struct, frozen=True):
    """What may be sent and received, by this device or between it and one other device."""

    up: Timetable = Timetable()
    down: Timetable = Timetable()


NO_LIMITS: Final = BandwidthLimits()


def minute_of_week(weekday: int, hour: int, minute: int) -> int:
    """weekday: 0 is Monday."""
    return weekday * DAY_MINUTES + hour * 60 + minute


def parse_timetable(text: str, where: str) -> Timetable:
    """Read a rate that always holds, or a timetable. Raises ConfigError, which names `where`."""
    if not text.strip():
        raise ConfigError("is empty", where, f"{RATE_DO}; or leave it out")
    if text.strip() == "off":
        do = 'say when, such as "23:00-06:00 off"; to let nothing pass, use `leftzmq pause`'
        raise ConfigError("'off' says no time", where, do)
    written = [part.strip() for part in text.split(",")]
    if len(written) > MAX_PARTS:
        raise ConfigError(f"has {len(written)} parts", where, f"write at most {MAX_PARTS}")
    parts = tuple(_part(part, where) for part in written)
    for one, other in combinations(parts, 2):
        both = one.first_in_both(other)
        if both is not None:
            what = f"{one.text!r} and {other.text!r} overlap, on {_when(both)}"
            raise ConfigError(what, where, "let one of them end where the other one begins")
    return Timetable(parts)


def limit_text(bytes_s: int | None) -> str:
    """Return a limit in force as a user reads it: "500 kB/s", "off" or "none"."""
    if bytes_s is None:
        return "none"
    return "off" if bytes_s == OFF else rate_text(bytes_s)


def _part(text: str, where: str) -> Period:
    words = text.split()
    days, span = range(7), ""
    if not words:
        raise ConfigError("has an empty part", where, _PART_DO)
    if words[0] != "off" and _LOOKS_LIKE_DAYS.fullmatch(words[0]):
        days = _days(words.pop(0), text, where)
    if words and ":" in words[0]:
        span = words.pop(0)
    if not words:
        raise ConfigError(f"{text!r} says no rate", where, _PART_DO)
    rest = " ".join(words)
    bytes_s = OFF if rest == "off" else parse_rate(rest, where)
    return Period(text, _spans(days, span, text, where), bytes_s)


def _days(word: str, text: str, where: str) -> range:
    """Return the days as a range that may go beyond Sunday (6): "sat-mon" is 5, 6, 7."""
    first, _, last = word.partition("-")
    for day in (first, last or first):
        if day not in DAYS:
            do = f"write one of {', '.join(DAYS)}, or two of them as mon-fri"
            raise ConfigError(f"{text!r}: {day!r} is no day", where, do)
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return range(begin, (end if end >= begin else end + 7) + 1)


def _spans(days: range, span: str, text: str, where: str) -> tuple[range, ...]:
    """A span that ends at or before its beginning ends on the next day."""
    if not span:
        begin, end = 0, DAY_MINUTES
    else:
        found = _SPAN.fullmatch(span)
        if found is None:
            do = "write two times of day, such as 08:00-18:00"
            raise ConfigError(f"{text!r}: {span!r} is no span of time", where, do)
        begin, end = (_minute(time, text, where) for time in found.groups())
        if begin in (end, DAY_MINUTES):
            do = "for a whole day write 00:00-24:00, or no times"
            raise ConfigError(f"{text!r}: {span!r} has no length", where, do)
    length = end - begin if end > begin else end - begin + DAY_MINUTES
    found_spans: list[range] = []
    for day in days:
        start = _wrapped(day * DAY_MINUTES + begin)
        stop = start + length
        found_spans.append(range(start, min(stop, WEEK_MINUTES)))
        if stop > WEEK_MINUTES:
            found_spans.append(range(stop - WEEK_MINUTES))
    return tuple(found_spans)


def _minute(time: str, text: str, where: str) -> int:
    hour, minute = (int(digits) for digits in time.split(":"))
    if minute > 59 or hour * 60 + minute > DAY_MINUTES:
        do = "write 00:00 to 24:00"
        raise ConfigError(f"{text!r}: {time} is no time of day", where, do)
    return hour * 60 + minute


def _when(minute: int) -> str:
    day, rest = divmod(minute, DAY_MINUTES)
    return f"{DAYS[day]} at {rest // 60:02}:{rest % 60:02}"


def _wrapped(minute: int) -> int:
    return minute % WEEK_MINUTES
