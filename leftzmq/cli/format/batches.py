"""Batches the file changes in the agent's log: one line for all changes that occur close together.

Knows events and times. Must not know how a line is worded, nor where it goes.

However many changes there are, they make no more than LINES_A_S lines a second. A batch whose time
is over waits for its turn, and further changes are counted in it meanwhile. There is one batch for
each folder and device, so memory is limited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leftzmq.quick_enum import QuickEnum
from leftzmq.wire.local import Event, EventKind

QUIET_S: Final = 0.7
"""A batch ends after so long without a change: files that a user copies follow each other
faster."""
LONGEST_S: Final = 5.0
"""While changes go on, a line is written this often."""
LINES_A_S: Final = 2.0
LINES_AT_ONCE: Final = 8
_ROUNDING: Final = 1e-6  # of a line, where time was divided
MAX_WANTED: Final = 4096
"""Files whose time of being wanted is known; as many as the work window has tickets."""


class What(QuickEnum):
    """What a batch is about. The value is its word in the log."""

    FOUND = "found"  # by our own scanner
    RECEIVED = "received"
    CONFLICTS = "conflict"


@dataclass(slots=True)
class EventBatch:
    """Changes that occurred close together.

    device: the device from which they came; "": this one, or not known
    path: of the only change; "": there are several
    kind, deleted: as the event has it
    copy: the copy of the only conflict
    changes: events. files, folders, links: created or changed; deletes: of all kinds
    bytes: of the files. seconds: since the first of them was wanted, or found
    """

    what: What
    folder: str
    device: str
    path: str
    kind: str = "file"
    deleted: bool = False
    copy: str = ""
    changes: int = 0
    files: int = 0
    bytes: int = 0
    folders: int = 0
    links: int = 0
    deletes: int = 0
    seconds: float = 0.0

    def add(self, event: Event) -> None:
        fields = event.fields
        self.changes += 1
        if fields.get("path") != self.path:
            self.path = ""
        self.kind, self.deleted = str(fields.get("kind") or "file"), bool(fields.get("deleted"))
        self.copy = str(fields.get("copy") or "")
        if self.what is What.CONFLICTS:
            return
        if self.deleted:
            self.deletes += 1
        elif self.kind == "file":
            self.files += 1
            self.bytes += int(fields.get("size") or 0)
        elif self.kind == "directory":
            self.folders += 1
        else:
            self.links += 1


Key = tuple[What, str, str]


@dataclass(slots=True)
class _OpenBatch:
    """came: time of the first change, last: of the last one. since: when the first one was
    wanted."""

    batch: EventBatch
    came: float
    last: float
    since: float

    @property
    def ends_at(self) -> float:
        return min(self.last + QUIET_S, self.came + LONGEST_S)


WHAT: Final = {
    EventKind.SCAN: What.FOUND,
    EventKind.FINISHED: What.RECEIVED,
    EventKind.CONFLICT: What.CONFLICTS,
}


class EventBatches:
    """The batches of one agent's log. All times are monotonic seconds."""

    def __init__(self) -> None:
        self._open: dict[Key, _OpenBatch] = {}
        self._said: dict[Key, float] = {}  # the time up to which changes are logged
        self._wanted: dict[int, float] = {}  # by the hash of folder and path
        self._lines, self._lines_at = float(LINES_AT_ONCE), 0.0

    def wanted(self, event: Event, now: float) -> None:
        """A version is wanted: its time counts from now on."""
        self._wanted.setdefault(_mark(event), now)
        if len(self._wanted) > MAX_WANTED:
            del self._wanted[next(iter(self._wanted))]

    def add(self, event: Event, now: float) -> None:
        """Add a file, folder or link that was found here, or received; or a conflict."""
        fields, what = event.fields, WHAT[event.kind]
        key = what, str(fields.get("folder") or ""), str(fields.get("device") or "")
        since = now
        if what is What.RECEIVED:
            # Time that an earlier line has counted is not counted again.
            since = max(self._wanted.pop(_mark(event), now), self._said.get(key, 0.0))
        found = self._open.get(key)
        if found is None:
            path = str(fields.get("path") or "")
            found = self._open[key] = _OpenBatch(EventBatch(*key, path), now, now, since)
        found.batch.add(event)
        found.last, found.since = now, min(found.since, since)

    def deadline(self) -> float | None:
        """Return when `due` has a batch."""
        over = min((each.ends_at for each in self._open.values()), default=None)
        if over is None:
            return None
        return max(over, self._lines_at + max(0.0, 1.0 - self._lines) / LINES_A_S)

    def due(self, now: float) -> list[EventBatch]:
        """Return the batches that are over, as many as may be logged now."""
        gained = (now - self._lines_at) * LINES_A_S
        self._lines, self._lines_at = min(self._lines + gained, LINES_AT_ONCE), now
        over = [key for key, each in self._open.items() if each.ends_at <= now]
        over.sort(key=lambda key: self._open[key].ends_at)
        told = over[: int(self._lines + _ROUNDING)]
        self._lines -= len(told)
        return [self._end(key) for key in told]

    def rest(self) -> list[EventBatch]:
        """Return all batches: no further changes follow."""
        return [self._end(key) for key in list(self._open)]

    def _end(self, key: Key) -> EventBatch:
        found = self._open.pop(key)
        self._said[key] = found.last
        found.batch.seconds = found.last - found.since
        return found.batch


def _mark(event: Event) -> int:
    return hash((event.fields.get("folder"), event.fields.get("path")))
