"""The last facts that the node handled, in brief: what a maintainer reads after a mistake of ours.

Of a fact it keeps numbers, paths, sentences and how long each list is. It keeps no list itself, no
bytes and no key, so nothing that is large, or secret, stays in memory or comes into the file.
Knows the types of facts and jobs. Must not know what a fact means, nor where the text is written.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sized
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

from leftzmq import __version__
from leftzmq.disk.scan.sighting import SliceSighting
from leftzmq.errors import Problem, Stop
from leftzmq.sync.facts import Asked, Fact, PathsTouched, TimePassed
from leftzmq.sync.jobs import (
    Applied,
    Doubt,
    Job,
    JobBroke,
    JobStopped,
    Looked,
    SmallStaged,
    Walked,
)
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.tree.entry import Entry
from leftzmq.wire.messages import Message
from leftzmq.wire.page import Page

KEPT_FACTS: Final = 2_000
MAX_TEXT_LETTERS: Final = 300
"""Of each text in the file."""
MAX_LINE_LETTERS: Final = 1_000
MAX_TRACE_LETTERS: Final = 32 << 10
MAX_ASKED_LETTERS: Final = 1_024
"""Of what a question names. The rest of a question is not kept: it may have 64 KiB."""

_HEAD: Final = """\
What happened last in an agent of leftzmq, for those who look for its mistake. There are paths of
files in here, names and addresses of devices, but no key, no secret, and nothing of a file.

leftzmq {version}, Python {python}, {system}
{now}: {why}

{trace}
The last {count:,} facts, the newest at the end: time, seconds of the monotonic clock, name, and
what it was about.
"""

_AS_THEY_ARE: Final = (str, bool, int, float, DeviceKey, Stop, Problem)
_INSIDE: Final[Mapping[Any, tuple[str, ...]]] = {
    Link: ("device", "way"),
    Entry: ("path",),
    SliceSighting: ("path", "offset", "end"),
    Doubt: ("path", "offset", "length"),
    Page: ("folder", "after", "last", "head", "whole", "entries"),
}
"""What is looked at of a larger value."""
_FIRST: Final[Mapping[type, str]] = {
    PathsTouched: "fact.touches[0] if fact.touches else None",
    Walked: "fact.dirty[0] if fact.dirty else None",
    Looked: "fact.sightings[0].path if fact.sightings else None",
    SmallStaged: "fact.staged[0][0].path if fact.staged else None",
    Applied: "fact.outcomes[0].operation.path if fact.outcomes else None",
}
"""What is kept of a list beside its length."""
_LEFT_OUT: Final = frozenset(("once",))
"""A set as one number: a bit for each row of a file."""
_MESSAGES: Final = frozenset(get_args(Message))


Pick = Callable[[Any], tuple[Any, ...]]
_Kept = tuple[int, float, type, tuple[Any, ...]]
"""One fact: unix time in ns; monotonic seconds; its type; what the type's `pick` returned."""


class FlightRecorder:
    """The last KEPT_FACTS facts of one agent. `note` is called for each of them and only picks
    values: 0.5 us, or 2 us where the processor's caches have forgotten it (handling a fact then
    takes 200 us). They become text in `text`."""

    def __init__(self) -> None:
        self._kept: deque[_Kept] = deque(maxlen=KEPT_FACTS)
        self._picks: dict[type, Pick] = {}
        for kind in get_args(Fact):
            self._learnt(kind)  # now, as it takes a moment that the loop does not have

    def note(self, fact: Fact, now: float, wall_ns: int) -> None:
        """Keep this fact. now: monotonic seconds; wall_ns: unix time. Many TimePassed in a row are
        one line, else an idle agent would soon know of nothing else."""
        kind: type = type(fact)
        try:
            pick = self._picks.get(kind) or self._learnt(kind)
            kept = (wall_ns, now, kind, pick(fact))
        except Exception:  # a mistake in here must not end an agent that makes none
            kept = (wall_ns, now, kind, ())
        self._kept.append(kept)

    def _learnt(self, kind: type) -> Pick:
        pick = self._again if kind is TimePassed else _brief(kind).pick
        self._picks[kind] = pick
        return pick

    def _again(self, fact: TimePassed) -> tuple[int]:
        """Return how often in a row time has passed. The last one is replaced."""
        if self._kept and self._kept[-1][2] is TimePassed:
            return (self._kept.pop()[3][0] + 1,)
        return (1,)

    def text(
        self,
        why: str,
        trace: str,
        wall_ns: int,
        name: Callable[[DeviceKey], str] = lambda device: device.hex()[:16],
    ) -> str:
        """Return what is to be reported. why: the sentence that the user reads. name: how a person
        calls a device."""
        head = _HEAD.format(
            version=__version__,
            python=sys.version.split()[0],
            system=sys.platform,
            now=_time(wall_ns),
            why=_printable(why),
            trace=_printable(trace[-MAX_TRACE_LETTERS:]),
            count=len(self._kept),
        )
        return "\n".join([head, *(_line(kept, name) for kept in self._kept), ""])


class _Brief(NamedTuple):
    """How facts, or jobs, of one type are kept. names: of the values that `pick` returns."""

    names: tuple[str, ...]
    pick: Pick


@cache
def _brief(kind: type) -> _Brief:
    own = _OF_THEIR_OWN.get(kind)
    if own is not None:
        return own
    wanted = dict(_wanted(kind))
    # One function that is compiled for the type. With attrgetter and map a fact takes 6 us instead
    # of 2 us where the processor's caches have forgotten them.
    pick = eval(f"lambda fact: ({''.join(f'{each}, ' for each in wanted.values())})")
    return _Brief(tuple(wanted), pick)


def _wanted(kind: type) -> Iterator[tuple[str, str]]:
    """Yield name and expression of each value that is kept of a type."""
    for name, hint in get_type_hints(kind).items():
        if hint in _INSIDE:
            inner = get_type_hints(hint)
            for each in _INSIDE[hint]:
                yield from _kept_of(f"{name}.{each}", inner[each])
        elif name not in _LEFT_OUT:
            yield from _kept_of(name, hint)
    if kind in _FIRST:
        yield "first", _FIRST[kind]


def _kept_of(name: str, hint: Any) -> Iterator[tuple[str, str]]:
    of = set(get_args(hint)) if get_origin(hint) in (Union, UnionType) else {hint}
    if of <= _MESSAGES:
        yield name, f"fact.{name}.__class__"
    elif all(_stays(each) for each in of - {NoneType}):
        yield name, f"fact.{name}"
    elif all(_has_length(each) for each in of):
        yield f"len({name})", f"len(fact.{name})"


def _stays(hint: Any) -> bool:
    return hint in _AS_THEY_ARE or (isinstance(hint, type) and issubclass(hint, Enum))


def _has_length(hint: Any) -> bool:
    kind = get_origin(hint) or hint
    return isinstance(kind, type) and issubclass(kind, Sized)


# -- facts of which this rule would say too little, or too much -----------------------------------


def _of_question(fact: Asked) -> tuple[Any, ...]:
    named = (fact.fields.get("folder"), fact.fields.get("path"))
    return (fact.verb, *(str(each)[:MAX_ASKED_LETTERS] if each else None for each in named))


def _of_job(job: Job) -> tuple[type, tuple[Any, ...]]:
    kind: type = type(job)
    return kind, _brief(kind).pick(job)


_OF_THEIR_OWN: Final[Mapping[type, _Brief]] = {
    TimePassed: _Brief(("times",), lambda fact: (1,)),  # FlightRecorder counts them
    Asked: _Brief(("verb", "folder", "path"), _of_question),
    JobBroke: _Brief(("job", "why"), lambda fact: (_of_job(fact.job), fact.why)),
    JobStopped: _Brief(("job", "stop"), lambda fact: (_of_job(fact.job), fact.stop)),
}


# -- text ----------------------------------------------------------------------------------------


def _line(kept: _Kept, name: Callable[[DeviceKey], str]) -> str:
    wall_ns, now, kind, values = kept
    return f"{_time(wall_ns)} {now:.6f} {_words(kind, values, name)}"[:MAX_LINE_LETTERS]


def _words(kind: type, values: tuple[Any, ...], name: Callable[[DeviceKey], str]) -> str:
    if not values:  # there is nothing to be said, or nothing could be picked
        return kind.__name__
    pairs = zip(_brief(kind).names, values, strict=True)
    words = (f"{n}={_word(value, name)}" for n, value in pairs if value is not None)
    return " ".join((kind.__name__, *words))


def _word(value: object, name: Callable[[DeviceKey], str]) -> str:
    """Return one line: a text is quoted, and what cannot be printed is escaped in it."""
    match value:
        case str():
            short = len(value) <= MAX_TEXT_LETTERS
            return repr(value if short else f"{value[:MAX_TEXT_LETTERS]}...")
        case bytes():
            return _word(name(DeviceKey(value)), name)
        case Enum():
            return value.name
        case type():
            return value.__name__
        case (type() as kind, tuple() as values):
            return f"({_words(kind, values, name)})"
        case tuple():
            return f"({', '.join(_word(each, name) for each in value)})"
        case Stop(cause, why):
            return f"{cause.name}({_word(why, name)})"
        case Problem():
            return f"{value.kind.name}({_word(str(value), name)})"
    return str(value)


def _printable(text: str) -> str:
    """Return the text with nothing in it that could steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def _time(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns / 1e9).astimezone().isoformat(timespec="milliseconds")
