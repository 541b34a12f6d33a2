"""Events, and batches of them, as lines for a person. An event is written in the style of the
original's `filename: share/1.mp4 block: 125601 recv_size: 2457395200`.

Knows kinds of events and their fields. Must not know where they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from leftzmq.cli.format.batches import EventBatch, What
from leftzmq.cli.format.clock import local_time
from leftzmq.errors import counted
from leftzmq.wire.local import Event, EventKind, Scalar

Fields = Mapping[str, Scalar]

SAID_FROM_S: Final = 1.0
"""From this time on, a line says how long one file took."""

_RED, _GREEN, _YELLOW, _BLUE, _DIM, _PLAIN = "31", "32", "33", "34", "2", "0"
_COLOURS: Final = {
    EventKind.SCAN: _BLUE,
    EventKind.FINISHED: _GREEN,
    EventKind.PEER_UP: _GREEN,
    EventKind.JOINED: _GREEN,
    EventKind.PEER_DOWN: _YELLOW,
    EventKind.PROBLEM: _RED,
    EventKind.CONFLICT: _YELLOW,
    EventKind.HELD: _RED,
    EventKind.REFUSED: _RED,
    EventKind.PROGRESS: _DIM,
}
_OF_BATCHES: Final = {What.FOUND: _BLUE, What.RECEIVED: _GREEN, What.CONFLICTS: _YELLOW}


def human_bytes(count: float) -> str:
    """Return the size in powers of 1024: 1536 -> "1.5 KiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def size_text(count: float) -> str:
    """Return the size in powers of 1000, as file managers count: 4100 -> "4.1 KB"."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < (1000 if unit == "B" else 999.95):
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def printable(text: object) -> str:
    """Return the text with its control characters escaped, so that it cannot steer the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def line(event: Event, *, colour: bool = False) -> str:
    """Return one event as one line, with the local date and time."""
    colours = _COLOURS.get(event.kind, _PLAIN) if colour else ""
    return dated(event.unix_time, event.kind.value, text_of(event), colours)


def batch_line(batch: EventBatch, unix_time: float, *, colour: bool = False) -> str:
    """Return a batch as one line."""
    colours = _OF_BATCHES[batch.what] if colour else ""
    return dated(unix_time, batch.what.value, batch_text(batch), colours)


def dated(unix_time: float, name: str, text: str, colour: str = "") -> str:
    """Return a line of the log. colour: of the name, as a terminal's number; "": none."""
    word = f"{name:<12}"
    if colour:
        word = f"\x1b[{colour}m{word}\x1b[0m"
    return f"{local_time(unix_time)} {word} {text}"


def text_of(event: Event) -> str:
    """Return what an event says, without its kind and time."""
    text = printable(_TEXTS[event.kind](event.fields))
    if more := int(event.fields.get("more") or 0):
        text += f" (and {counted(more, 'more time')})"
    return text


def batch_text(batch: EventBatch) -> str:
    """Return what a batch says."""
    return printable(_several(batch) if not batch.path else _only(batch))


def _only(batch: EventBatch) -> str:
    """Return the text for a batch of one path, with its name."""
    where = f"{batch.folder}/{batch.path}"
    again = f", {batch.changes:,} times" if batch.changes > 1 else ""
    if batch.what is What.CONFLICTS:
        return f"{where}: both versions are kept, one as {batch.copy}{again}"
    here = batch.what is What.FOUND
    if batch.deleted:
        by = "here" if here else f"by {batch.device}" if batch.device else "elsewhere"
        return f"{where} deleted {by}{again}"
    names = {"file": size_text(batch.bytes // max(1, batch.files)), "directory": "folder"}
    what = names.get(batch.kind, "link")
    took = _took(batch) if batch.seconds >= SAID_FROM_S else ""
    return f"{where} ({what}) {_whence(batch)}{again}{took}"


def _several(batch: EventBatch) -> str:
    if batch.what is What.CONFLICTS:
        count = counted(batch.changes, "conflict")
        return f"{batch.folder}: {count}, both versions are kept: see `leftzmq conflicts list`"
    parts = [
        f"{counted(batch.files, 'file')}, {size_text(batch.bytes)}" if batch.files else "",
        counted(batch.folders, "folder") if batch.folders else "",
        counted(batch.links, "link") if batch.links else "",
        counted(batch.deletes, "delete") if batch.deletes else "",
    ]
    said = ", ".join(part for part in parts if part)
    return f"{batch.folder}: {said} {_whence(batch)}{_took(batch)}"


def _whence(batch: EventBatch) -> str:
    if batch.what is What.FOUND:
        return "found here"
    return f"from {batch.device or 'another device'}"


def _took(batch: EventBatch) -> str:
    """Return the time that it took; "" if there is none."""
    seconds = batch.seconds
    if seconds < 0.05:
        return ""
    if seconds < 90:
        return f" in {seconds:.1f} s" if seconds < 10 else f" in {seconds:.0f} s"
    return f" in {seconds / 60:.0f} min" if seconds < 5400 else f" in {seconds / 3600:.1f} h"


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
    all_of_them = counted(int(files or 0), "file")
    what = f"{lost} of {all_of_them}, lost {who}" if lost or not noise else ""
    turned = f"{noise} of {all_of_them}, encrypted {who} as it seems" if noise else ""
    both = " and ".join(each for each in (what, turned) if each)
    return (
        f"{fields.get('folder')}: {both}, are held back until `leftzmq accept` or `leftzmq revert`"
    )


def _swept(fields: Fields) -> str:
    size, count = size_text(int(fields.get("bytes") or 0)), int(fields.get("batches") or 0)
    if files := int(fields.get("files") or 0):
        versions = counted(files, "version")
        return f"{fields.get('folder')}: {versions} of the trash gave way for want of room, {size}"
    batches = counted(count, "batch", "batches")
    are = "is" if count == 1 else "are"
    return f"{fields.get('folder')}: {batches} of the trash {are} gone, {size}"


def _rules(fields: Fields) -> str:
    where = f"{fields.get('folder')}: " + (
        f"below {fields['path']}, " if fields.get("path") else ""
    )
    ignored, kept = int(fields.get("ignored") or 0), int(fields.get("kept") or 0)
    said = [f"{counted(ignored, 'path')} ignored now"] if ignored else []
    said += [f"{counted(kept, 'path')} not ignored any more"] if kept else []
    return where + " and ".join(said)


def _news(fields: Fields) -> str:
    paths = counted(int(fields.get("paths") or 0), "path")
    return f"{paths} of {fields.get('folder')} changed on {fields.get('device')}"


def _peer_list(fields: Fields) -> str:
    said = [f"{what}: {fields[what]}" for what in ("added", "removed", "moved") if fields.get(what)]
    return f"peers {', '.join(said) or 'are the same'}"


def _joined(fields: Fields) -> str:
    where = f" from {fields['address']}" if fields.get("address") else ""
    return f"{fields.get('device')} joined {fields.get('folder')} by an invitation{where}"


def _refused(fields: Fields) -> str:
    detail = f" ({fields['detail']})" if fields.get("detail") else ""
    return f"{fields.get('device')}: {fields.get('why')}{detail}"


_TEXTS: Final[dict[EventKind, Callable[[Fields], str]]] = {
    EventKind.SCAN: _scan,
    EventKind.HAVE_NEWS: _news,
    EventKind.TICKET: lambda f: f"{_where(f)} size: {f.get('size')} is wanted",
    EventKind.PROGRESS: _progress,
    EventKind.START_RENAME: lambda f: f"{_where(f)} {f.get('verb')}",
    EventKind.FINISHED: _finished,
    EventKind.PEER_UP: lambda f: f"{f.get('device')} is connected",
    EventKind.PEER_DOWN: _down,
    EventKind.PEER_LIST: _peer_list,
    EventKind.JOINED: _joined,
    EventKind.FOLDER_ADDED: lambda f: f"{f.get('folder')} is a folder of this device: {f['path']}",
    EventKind.PROBLEM: _problem,
    EventKind.CONFLICT: lambda f: f"{_where(f)} both versions are kept, one as {f.get('copy')}",
    EventKind.RULES: _rules,
    EventKind.SWEPT: _swept,
    EventKind.HELD: _held,
    EventKind.READY: lambda f: "the agent is ready",
    EventKind.STOPPED: lambda f: "the agent stops",
    EventKind.REFUSED: _refused,
}
