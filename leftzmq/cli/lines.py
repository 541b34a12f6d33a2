"""Events as lines that a person reads. In the spirit of the original's
`filename: share/1.mp4 block: 125601 recv_size: 2457395200`.

Knows kinds of events and their fields. Must not know where they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from leftzmq.wire.local import Event, EventKind, Scalar

Fields = Mapping[str, Scalar]

_RED, _GREEN, _YELLOW, _BLUE, _DIM, _PLAIN = "31", "32", "33", "34", "2", "0"
_COLOURS: Final = {
    EventKind.SCAN: _BLUE,
    EventKind.FINISHED: _GREEN,
    EventKind.PEER_UP: _GREEN,
    EventKind.PEER_DOWN: _YELLOW,
    EventKind.PROBLEM: _RED,
    EventKind.CONFLICT: _YELLOW,
    EventKind.HELD: _RED,
    EventKind.REFUSED: _RED,
    EventKind.PROGRESS: _DIM,
}

QUIET_KINDS: Final = (EventKind.TICKET, EventKind.START_RENAME, EventKind.HAVE_NEWS)
"""Steps in between: shown by the monitor, left out of the agent's own log."""


def human_bytes(count: float) -> str:
    """1536 -> "1.5 KiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def printable(text: object) -> str:
    """A name that cannot steer the terminal: control characters are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def line(event: Event, *, colour: bool = False) -> str:
    """One event as one line."""
    clock = datetime.fromtimestamp(event.unix_time).strftime("%H:%M:%S")
    text = printable(_TEXTS[event.kind](event.fields))
    if more := event.fields.get("more"):
        text += f" (and {more:,} times more)"
    name = f"{event.kind.value:<12}"
    if colour:
        name = f"\x1b[{_COLOURS.get(event.kind, _PLAIN)}m{name}\x1b[0m"
    return f"{clock} {name} {text}"


def _where(fields: Fields) -> str:
    return f"filename: {fields.get('folder')}/{fields.get('path')}"


def _scan(fields: Fields) -> str:
    if fields.get("deleted"):
        return f"{_where(fields)} deleted"
    size = f" size: {fields.get('size')}" if fields.get("kind") == "file" else ""
    return f"{_where(fields)} {fields.get('kind')}{size}"


def _progress(fields: Fields) -> str:
    size = max(1, int(fields.get("size") or 0))
    have = int(fields.get("recv_size") or 0)
    return (
        f"{_where(fields)} block: {fields.get('block')} recv_size: {have} ({100 * have // size}%)"
    )


def _finished(fields: Fields) -> str:
    if fields.get("deleted"):
        return f"{_where(fields)} deleted here too"
    size = f" size: {fields.get('size')}" if fields.get("kind") == "file" else ""
    return f"{_where(fields)} {fields.get('kind')}{size} is here"


def _problem(fields: Fields) -> str:
    folder = f"{fields['folder']}: " if fields.get("folder") else ""
    return f"{folder}{fields.get('text')}"


def _down(fields: Fields) -> str:
    return f"{fields.get('device')} cannot be reached: {fields.get('why')}"


def _held(fields: Fields) -> str:
    lost, noise = fields.get("deletes"), fields.get("noise")
    files, who = fields.get("files"), fields.get("who")
    what = f"{lost} of {files} files, lost {who}" if lost or not noise else ""
    turned = f"{noise} of {files} files, encrypted {who} as it seems" if noise else ""
    both = " and ".join(each for each in (what, turned) if each)
    return (
        f"{fields.get('folder')}: {both}, are held back until `leftzmq accept` or `leftzmq revert`"
    )


def _swept(fields: Fields) -> str:
    size = human_bytes(int(fields.get("bytes") or 0))
    return f"{fields.get('folder')}: {fields.get('batches')} batches of the trash are gone, {size}"


def _refused(fields: Fields) -> str:
    detail = f" ({fields['detail']})" if fields.get("detail") else ""
    return f"{fields.get('device')}: {fields.get('why')}{detail}"


_TEXTS: Final[dict[EventKind, Callable[[Fields], str]]] = {
    EventKind.SCAN: _scan,
    EventKind.HAVE_NEWS: lambda f: f"{f.get('paths')} paths of {f.get('folder')} changed elsewhere",
    EventKind.TICKET: lambda f: f"{_where(f)} size: {f.get('size')} is wanted",
    EventKind.PROGRESS: _progress,
    EventKind.START_RENAME: lambda f: f"{_where(f)} {f.get('verb')}",
    EventKind.FINISHED: _finished,
    EventKind.PEER_UP: lambda f: f"{f.get('device')} is connected",
    EventKind.PEER_DOWN: _down,
    EventKind.PROBLEM: _problem,
    EventKind.CONFLICT: lambda f: f"{_where(f)} both versions are kept, one as {f.get('copy')}",
    EventKind.SWEPT: _swept,
    EventKind.HELD: _held,
    EventKind.READY: lambda f: "the agent is ready",
    EventKind.STOPPED: lambda f: "the agent stops",
    EventKind.REFUSED: _refused,
}
