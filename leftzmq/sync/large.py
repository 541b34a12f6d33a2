"""Files of many chunks on their way, a few at a time.

Part of the downloader. Knows phases and rows; asks nobody itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from leftzmq.content.ids import ListId
from leftzmq.content.lists import MAX_LIST_BYTES, Rows, expand
from leftzmq.disk.staging import lefting_path
from leftzmq.errors import Problem, ProblemKind, Refused
from leftzmq.sync.actions import Action, Drop, Work, tell_entry
from leftzmq.sync.arriving import Arriving, Phase
from leftzmq.sync.facts import Fact, FileHeldUp, FileStaged
from leftzmq.sync.jobs import (
    ChunksKept,
    ChunksWritten,
    Discard,
    ListsOpened,
    LookAtHome,
    OpenStaging,
    StagingOpened,
    VerifyStaging,
)
from leftzmq.sync.link import DeviceKey
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.plan import Staged
from leftzmq.wire.local import EventKind, Scalar

if TYPE_CHECKING:
    from leftzmq.sync.downloader import FolderView

AT_ONCE: Final = 4
LISTS_A_GET: Final = 2
LISTS_ROOM_BYTES: Final = LISTS_A_GET * MAX_LIST_BYTES
PROGRESS_PERIOD_S: Final = 0.25

Key = tuple[str, str]  # folder, path


class LargeFiles:
    """`_active`: those with a phase; `_queue`: those that wait for their turn; `_held`:
    what there is of those that were held up."""

    def __init__(self, folders: Mapping[str, FolderView]) -> None:
        self._folders = folders
        self._active: dict[Key, Arriving] = {}
        self._queue: dict[Key, tuple[Entry, Entry | None]] = {}
        self._previous: dict[Key, Entry | None] = {}
        self._held: dict[Key, Staged] = {}

    @property
    def waits(self) -> bool:
        return any(a.phase in (Phase.LISTS, Phase.FETCHING) for a in self._active.values())

    def all(self) -> list[Arriving]:
        return list(self._active.values())

    def is_current(self, arriving: Arriving) -> bool:
        return self._active.get((arriving.folder, arriving.entry.path)) is arriving

    def want(self, folder: str, entry: Entry, previous: Entry | None) -> None:
        key = (folder, entry.path)
        active = self._active.get(key)
        if active is not None and active.entry.content == entry.content:
            active.entry = entry
            return
        self._queue[key] = (entry, previous)

    def forget(self, folder: str, path: str) -> list[Action | Fact]:
        self._queue.pop((folder, path), None)
        arriving = self._active.pop((folder, path), None)
        held = self._held.pop((folder, path), None)
        staged = arriving.staged if arriving else held
        if staged is None:
            return []
        return self._discard(folder, staged)

    def start(self) -> list[Action | Fact]:
        """Begin with what waits, smallest first, while there is room for it."""
        out: list[Action | Fact] = []
        while self._queue and len(self._active) < AT_ONCE:
            key = min(self._queue, key=lambda k: self._queue[k][0].size)
            if key in self._active:
                break  # the older version is being given up
            entry, previous = self._queue.pop(key)
            self._active[key] = arriving = Arriving(key[0], entry)
            self._previous[key] = previous
            out += self._lists(arriving)
        return out

    def lists_came(self, fact: ListsOpened) -> list[Action | Fact]:
        """Some lists are here; those that were not what their ids say are to be asked for again."""
        out: list[Action | Fact] = []
        for arriving in list(self._active.values()):
            if arriving.folder == fact.folder and arriving.phase is Phase.LISTS:
                arriving.lists_asked.difference_update(fact.bad)
                out += self._lists(arriving)
        return out

    def opened(self, fact: StagingOpened) -> list[Action | Fact]:
        store, path = self._folders[fact.folder].store, fact.entry.path
        if fact.staged is not None:
            store.put_staged((path, fact.staged, bytes(fact.entry.content)))
        if fact.staged is None or fact.staged.path != lefting_path(path):
            store.drop_staged(Staged(lefting_path(path), 0))  # it was not made under that name
        arriving = self._of(fact.folder, fact.entry)
        if arriving is None or arriving.phase is not Phase.OPENING:
            return self._discard(fact.folder, fact.staged) if fact.staged else []
        arriving.staged = fact.staged
        if fact.problem is not None:
            return self._hold_up(arriving, fact.problem)
        arriving.phase = Phase.VERIFYING if fact.found else Phase.AT_HOME
        return self._next_job(arriving, 0.0)

    def kept(self, fact: ChunksKept, now: float) -> list[Action | Fact]:
        arriving = self._of(fact.folder, fact.entry)
        if arriving is None or arriving.phase not in (Phase.VERIFYING, Phase.AT_HOME):
            return []
        arriving.got(fact.offsets)
        if fact.problem is not None:
            return self._hold_up(arriving, fact.problem)
        return self._next_job(arriving, now)

    def written(self, fact: ChunksWritten, now: float) -> list[Action | Fact]:
        arriving = self._of(fact.folder, fact.entry)
        if arriving is None or arriving.rows is None:
            return []
        arriving.got(piece.offset for piece in fact.written)
        arriving.fetched_bytes += sum(piece.length for piece in fact.written)
        again = {p.offset for p in fact.bad}
        if fact.problem is not None:
            return self._hold_up(arriving, fact.problem)
        rows = [row for offset in again if (row := arriving.rows.at(offset)) is not None]
        arriving.asked_in_vain(rows)
        out = self._tell(arriving, now)
        return out + (self._whole(arriving) if arriving.whole else [])

    def next_for(
        self, device: DeviceKey, room: int, now: float
    ) -> Iterator[tuple[Arriving, list[bytes], list[int]]]:
        """What to ask a device for next: lists or rows of one file."""
        for arriving in self._active.values():
            if arriving.lacking.get(device, 0.0) > now:
                continue
            if arriving.phase is Phase.LISTS:
                lists = [
                    id for id in self._missing_lists(arriving) if id not in arriving.lists_asked
                ]
                if lists and room >= LISTS_ROOM_BYTES and self._has(device, arriving):
                    arriving.lists_asked.update(lists[:LISTS_A_GET])
                    yield arriving, lists[:LISTS_A_GET], []
            elif arriving.phase is Phase.FETCHING and arriving.has_missing():
                rows = arriving.next_rows(room) if self._has(device, arriving) else []
                if rows:
                    yield arriving, [], rows

    # -- phases -----------------------------------------------------------------------------------

    def _lists(self, arriving: Arriving) -> list[Action | Fact]:
        """All lists here? Then on to the `.lefting`. Lists that are what their ids say and do not
        add up to the entry: nobody can have such a file, and whoever says so is dropped."""
        view = self._folders[arriving.folder]
        entry = arriving.entry
        try:
            rows = self._expand(arriving.folder, entry)
        except Refused as refused:
            why = Problem(arriving.folder, entry.path, ProblemKind.UNREADABLE, str(refused))
            detail = f"{entry.path}: {refused.detail}"
            liars = [Drop(device, refused.refusal, detail) for device in view.holders(entry)]
            return self._hold_up(arriving, why) + liars
        if not isinstance(rows, Rows):
            return []  # next_for asks for them
        arriving.set_rows(rows)
        arriving.phase = Phase.OPENING
        self._held.pop((arriving.folder, entry.path), None)
        names = lefting_path(entry.path), lefting_path(entry.path, again=True)
        known = next(iter(view.store.resumable(*names)), None)
        if known is None:
            view.store.intend_staged((entry.path, names[0], bytes(entry.content)))
        return [Work(OpenStaging(arriving.folder, entry, known))]

    def _missing_lists(self, arriving: Arriving) -> list[bytes]:
        try:
            found = self._expand(arriving.folder, arriving.entry)
        except Refused:
            return []
        return [] if isinstance(found, Rows) else [bytes(id) for id in found]

    def _expand(self, folder: str, entry: Entry) -> Rows | list[ListId]:
        """All rows of a large file, or its lists that are not here. Raises Refused."""
        get = self._folders[folder].store.list_rows
        return expand(entry.content, entry.depth, entry.size, get)

    def _next_job(self, arriving: Arriving, now: float) -> list[Action | Fact]:
        """The next slice of verifying or of copying from home; then the rest is fetched."""
        staged, entry = arriving.staged, arriving.entry
        assert staged is not None
        if arriving.phase is Phase.VERIFYING:
            if asks := arriving.verify_slice():
                return [Work(VerifyStaging(arriving.folder, entry, staged, asks))]
            arriving.phase = Phase.AT_HOME
        if not arriving.todo and not arriving.home:
            self._find_home(arriving)
        while True:
            if chunks := arriving.home_slice():
                source = arriving.home[0][0]
                return [Work(LookAtHome(arriving.folder, entry, staged, source, chunks))]
            if arriving.todo:
                arriving.home.pop(0)
                arriving.todo = []
            if not arriving.home:
                break
            arriving.plan_home(arriving.home[0][1])
            if not arriving.todo:
                arriving.home.pop(0)
        arriving.phase = Phase.FETCHING
        if arriving.whole:
            return self._whole(arriving)
        return self._tell(arriving, now)

    def _find_home(self, arriving: Arriving) -> None:
        """Files of ours that may hold chunks of it: the version that we have, and twins."""
        view = self._folders[arriving.folder]
        previous = self._previous.pop((arriving.folder, arriving.entry.path), None)
        candidates = [row.entry for row in view.store.twins(arriving.entry.content, 1)]
        if previous is not None:
            candidates.append(previous)
        for entry in candidates:
            if entry.kind is Kind.FILE and not entry.deleted and entry.depth:
                try:
                    rows = self._expand(arriving.folder, entry)
                except Refused:
                    continue
                if isinstance(rows, Rows):
                    arriving.home.append((entry.path, rows))

    def _whole(self, arriving: Arriving) -> list[Action | Fact]:
        assert arriving.staged is not None
        arriving.phase = Phase.WHOLE
        del self._active[arriving.folder, arriving.entry.path]
        return [FileStaged(arriving.folder, arriving.entry, arriving.staged)]

    def _hold_up(self, arriving: Arriving, problem: Problem) -> list[Action | Fact]:
        """It must wait; its `.lefting` stays and is verified when it is wanted again."""
        del self._active[arriving.folder, arriving.entry.path]
        if arriving.staged is not None:
            self._held[arriving.folder, arriving.entry.path] = arriving.staged
        return [FileHeldUp(arriving.folder, arriving.entry, problem)]

    def _discard(self, folder: str, staged: Staged) -> list[Action | Fact]:
        self._folders[folder].store.doom_staged(staged)
        return [Work(Discard(folder, (staged,)))]

    def _of(self, folder: str, entry: Entry) -> Arriving | None:
        arriving = self._active.get((folder, entry.path))
        return arriving if arriving and arriving.entry.content == entry.content else None

    def _has(self, device: DeviceKey, arriving: Arriving) -> bool:
        return device in self._folders[arriving.folder].holders(arriving.entry)

    def _tell(self, arriving: Arriving, now: float) -> list[Action | Fact]:
        if now - arriving.told_at < PROGRESS_PERIOD_S:
            return []
        arriving.told_at = now
        more: dict[str, Scalar] = {
            "block": arriving.have_chunks,
            "recv_size": arriving.have_bytes,
            "fetched": arriving.fetched_bytes,
        }
        return [tell_entry(EventKind.PROGRESS, arriving.folder, arriving.entry, **more)]
