"""Runs jobs: the one place where a job meets the disk, the index and the keys.

Every job is answered by one fact. What can be foreseen (a file that is gone, a full disk, a box
that does not open) is part of the answer; anything else is our own mistake and is raised.
Knows folders. Must not know sockets, or why a job was asked for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from leftzmq.bus import keeping, mounted, serving
from leftzmq.bus.ground import Ground
from leftzmq.content.cut import Cutter
from leftzmq.content.ids import chunk_id
from leftzmq.content.seal import fresh_nonce, open_chunk, open_list
from leftzmq.disk import lefting, scanner, staging
from leftzmq.disk.reading import read_chunks
from leftzmq.disk.room import LowSpace, fits_bytes
from leftzmq.disk.root import Folder, LastFolder, Root
from leftzmq.disk.walk import TreeWalk
from leftzmq.errors import Problem, ProblemKind, Refusal, Refused, Shortage
from leftzmq.index.flush import flush
from leftzmq.index.reader import Reader
from leftzmq.sync import jobs
from leftzmq.sync.jobs import Job, JobDone
from leftzmq.tree.entry import Entry
from leftzmq.tree.path import LEFT_DIRECTORY, parent_of
from leftzmq.tree.plan import Staged
from leftzmq.wire.page import Page, cut_pages, seal

PAGE_ENTRIES: Final = 48
"""Of an answer's page: hearing it (about 70 us an entry) is one turn of the asker's loop."""


class JobRunner:
    """Runs one job at a time a thread; each thread has its own readers and cutters."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns
        self._grounds: dict[str, Ground] = {}
        self._own = threading.local()

    def add(self, ground: Ground) -> None:
        self._grounds[ground.id] = ground

    def run(self, job: Job) -> JobDone:
        """The fact that answers `job`."""
        handler: Any = _HANDLERS[type(job)]
        answer: JobDone = handler(self, self._grounds[job.folder], job)
        return answer

    def _reader(self, ground: Ground) -> Reader:
        readers: dict[str, Reader] = self._own.__dict__.setdefault("readers", {})
        if ground.id not in readers:
            readers[ground.id] = Reader.open(ground.index)
        return readers[ground.id]

    def _cutter(self, ground: Ground) -> Cutter:
        cutters: dict[str, Cutter] = self._own.__dict__.setdefault("cutters", {})
        if ground.id not in cutters:
            cutters[ground.id] = Cutter(ground.keys)
        return cutters[ground.id]

    # -- scanning ---------------------------------------------------------------------------------

    def _walk(self, ground: Ground, job: jobs.Walk) -> JobDone:
        why = ground.still_there()
        if why is not None:
            return jobs.Walked(job.folder, job.walk, job.prefix, (), 0, (), (), True, False, why)
        walk = ground.walks.get(job.walk)
        if walk is None:
            walk = TreeWalk(
                ground.root,
                ground.id,
                job.prefix,
                lambda after, limit: self._reader(ground).alive_after(after, limit),
                ground.mounts,
            )
            ground.walks = {job.walk: walk}  # one at a time; an older one was given up
        part = walk.step()
        if part.done:
            ground.walks.pop(job.walk, None)
            why = ground.still_there()  # a share that went away half-way looks like deletes
            if why is not None:
                return jobs.Walked(
                    job.folder, job.walk, job.prefix, (), 0, (), (), True, False, why
                )
        return jobs.Walked(
            job.folder,
            job.walk,
            job.prefix,
            part.dirty,
            part.seen,
            part.problems,
            part.foreign,
            part.done,
            came=part.came,
            mounts=ground.mounts.pack(),
        )

    def _look(self, ground: Ground, job: jobs.Look) -> JobDone:
        sightings, left = scanner.look(
            ground.root,
            ground.id,
            job.paths,
            self._reader(ground).scan_keys(job.paths).get,
            ground.keys,
            now_ns=self._now_ns,
        )
        # Asked after the look: only while the share is still there does "gone" mean gone.
        why = ground.still_there()
        if why is not None:
            return jobs.Looked(job.folder, (), job.paths, False, why)
        return jobs.Looked(job.folder, tuple(mounted.believed(ground, sightings)), tuple(left))

    def _cut(self, ground: Ground, job: jobs.CutSlice) -> JobDone:
        part = scanner.cut_slice(
            ground.root, job.path, job.key, job.offset, ground.keys, self._cutter(ground)
        )
        return jobs.SliceCut(job.folder, part)

    def _drop_cookie(self, ground: Ground, job: jobs.DropCookie) -> JobDone:
        problem = None
        try:
            with ground.root.folder(LEFT_DIRECTORY) as folder:
                folder.create(job.name).close()
                folder.unlink(job.name)
        except OSError as error:
            problem = Problem(ground.id, job.name, ProblemKind.UNWRITABLE, str(error))
        return jobs.CookieDropped(job.folder, job.name, ground.watched(), problem)

    # -- staging ----------------------------------------------------------------------------------

    def _open_staging(self, ground: Ground, job: jobs.OpenStaging) -> JobDone:
        entry = job.entry
        if (gone := mounted.problem(ground, entry.path)) is not None:
            return jobs.StagingOpened(job.folder, entry, job.known, job.known is not None, gone)
        try:
            staged, found = staging.open_staging(
                ground.root, entry.path, job.known, entry.size, ground.limits.min_free_percent
            )
            return jobs.StagingOpened(job.folder, entry, staged, found)
        except _HELD_UP as error:
            problem = _problem(ground, entry, error)
            kept = job.known if isinstance(error, LowSpace) else None
            if kept is not None and not lefting.is_there(ground.root, kept):
                kept = None
            return jobs.StagingOpened(job.folder, entry, kept, kept is not None, problem)

    def _verify(self, ground: Ground, job: jobs.VerifyStaging) -> JobDone:
        chunks = [(ask.id, ask.offset, ask.length) for ask in job.asks]
        return self._kept(
            ground,
            job,
            len(chunks),
            lambda: staging.verify_chunks(ground.root, job.staged, chunks, ground.keys),
        )

    def _look_at_home(self, ground: Ground, job: jobs.LookAtHome) -> JobDone:
        chunks = [(c.id, c.length, c.source_offset, c.target_offset) for c in job.chunks]

        def work() -> list[int]:
            _check_room(ground, job, sum(chunk.length for chunk in job.chunks))
            return staging.copy_home(ground.root, job.staged, job.source, chunks, ground.keys)

        return self._kept(ground, job, len(chunks), work)

    def _kept(
        self,
        ground: Ground,
        job: jobs.VerifyStaging | jobs.LookAtHome,
        tried: int,
        work: Callable[[], list[int]],
    ) -> JobDone:
        offsets: list[int] = []
        problem = None
        try:
            offsets = work()
        except _HELD_UP as error:
            problem = _problem(ground, job.entry, error)
        return jobs.ChunksKept(job.folder, job.entry, job.staged, tuple(offsets), tried, problem)

    def _write_chunks(self, ground: Ground, job: jobs.WriteChunks) -> JobDone:
        body = memoryview(job.body)
        boxes = [
            (p.id, p.offset, p.length, body[p.box_start : p.box_start + p.box_bytes])
            for p in job.pieces
        ]
        problem = None
        written: list[int] = []
        bad: list[int] = []
        try:
            _check_room(ground, job, sum(piece.length for piece in job.pieces))
            written, bad = staging.write_chunks(ground.root, job.staged, boxes, ground.keys)
        except _HELD_UP as error:
            problem = _problem(ground, job.entry, error)
        return jobs.ChunksWritten(
            job.folder,
            job.device,
            job.entry,
            job.staged,
            tuple(job.pieces[at] for at in written),
            tuple(job.pieces[at] for at in bad),
            len(body),
            problem,
        )

    def _stage_small(self, ground: Ground, job: jobs.StageSmall) -> JobDone:
        body = memoryview(job.body)
        staged: list[tuple[Entry, Staged]] = []
        bad: list[Entry] = []
        unfound: list[Entry] = []
        problems: list[tuple[Entry, Problem]] = []
        with LastFolder(ground.root) as here, LastFolder(ground.root) as home:
            for file in job.files:
                entry = file.entry
                if (gone := mounted.problem(ground, entry.path)) is not None:
                    problems.append((entry, gone))
                    continue
                try:
                    data = _bytes_of(ground, file, body, home)
                except Refused:
                    bad.append(entry)
                    continue
                if data is None:
                    unfound.append(entry)
                    continue
                try:
                    min_free = ground.limits.min_free_percent
                    staged.append((entry, staging.stage_small(here, entry, data, min_free)))
                except _HELD_UP as error:
                    problems.append((entry, _problem(ground, entry, error)))
        return jobs.SmallStaged(
            job.folder,
            job.device,
            tuple(staged),
            tuple(bad),
            tuple(unfound),
            tuple(problems),
            len(body),
        )

    def _look_for_room(self, ground: Ground, job: jobs.LookForRoom) -> JobDone:
        with _nearest(ground.root, parent_of(job.path)) as folder:
            return jobs.RoomSeen(job.folder, fits_bytes(folder, ground.limits.min_free_percent))

    def _discard(self, ground: Ground, job: jobs.Discard) -> JobDone:
        return jobs.Discarded(job.folder, self._gone(ground, job.staged))

    def _clear_staging(self, ground: Ground, job: jobs.ClearStaging) -> JobDone:
        lost = [staged for staged in job.resumable if not lefting.is_there(ground.root, staged)]
        return jobs.StagingCleared(job.folder, self._gone(ground, (*job.useless, *lost)))

    def _gone(self, ground: Ground, leftings: tuple[Staged, ...]) -> tuple[Staged, ...]:
        if ground.still_there() is not None:
            return ()
        gone: list[Staged] = []
        for staged in leftings:
            try:
                lefting.discard(ground.root, staged, self._now_ns())
                gone.append(staged)
            except OSError:
                continue  # it stays; the next start tries again
        return tuple(gone)

    def _open_lists(self, ground: Ground, job: jobs.OpenLists) -> JobDone:
        body = memoryview(job.body)
        lists: list[tuple[bytes, bytes]] = []
        bad: list[bytes] = []
        for piece in job.pieces:
            box = body[piece.box_start : piece.box_start + piece.box_bytes]
            try:
                lists.append((piece.id, open_list(ground.keys, piece.id, box)))
            except Refused:
                bad.append(piece.id)
        return jobs.ListsOpened(job.folder, job.device, tuple(lists), tuple(bad))

    # -- what a user gets back ------------------------------------------------------------------

    def _keep(self, ground: Ground, job: Any) -> JobDone:
        return keeping.run(ground, self._reader(ground), self._now_ns(), job)

    # -- applying, index and serving ------------------------------------------------------------

    def _apply(self, ground: Ground, job: jobs.Apply) -> JobDone:
        why = ground.still_there()
        if why is not None:
            return jobs.Applied(job.folder, job.batch, (), False, why)
        outcomes = mounted.carried_out(ground, job.operations, self._now_ns())
        return jobs.Applied(job.folder, job.batch, tuple(outcomes))

    def _flush(self, ground: Ground, job: jobs.Flush) -> JobDone:
        flush(ground.index)
        return jobs.Flushed(job.folder, job.head)

    def _read_page(self, ground: Ground, job: jobs.ReadPage) -> JobDone:
        entries = self._reader(ground).changes(job.after, job.upto, PAGE_ENTRIES)
        cut_short = len(entries) == PAGE_ENTRIES
        upto = entries[-1][0] if cut_short else job.upto
        first = cut_pages(entries, job.after, upto, job.upto)[0]
        page = Page(
            ground.device,
            ground.id,
            job.life,
            first.after,
            first.last,
            job.upto,
            job.whole,
            first.entries,
        )
        sealed = seal(page, ground.keys, fresh_nonce())
        return jobs.PageRead(
            job.folder, job.link, job.life, job.after, first.last, job.upto, job.whole, sealed
        )

    def _read_chunks(self, ground: Ground, job: jobs.ReadChunks) -> JobDone:
        return serving.read_asked(self._reader(ground), ground.root, ground.keys, job)

    def _expand(self, ground: Ground, job: jobs.ExpandLists) -> JobDone:
        return serving.expand_lists(self._reader(ground), job)

    def _search_home(self, ground: Ground, job: jobs.SearchHome) -> JobDone:
        return serving.search_home(self._reader(ground), job)

    def _count(self, ground: Ground, job: jobs.CountUnacknowledged) -> JobDone:
        count = self._reader(ground).count_unacknowledged(job.holders, job.head)
        return jobs.UnacknowledgedCounted(job.folder, job.holders, job.head, count)


_HELD_UP: Final = (
    LowSpace,
    staging.DiskFull,
    staging.StagingLost,
    staging.Unstageable,
    OSError,
)
"""What keeps bytes from being staged; `_problem` says what it means for the path."""

_HANDLERS: dict[type, Any] = {
    **dict.fromkeys(keeping.HANDLERS, JobRunner._keep),
    jobs.Walk: JobRunner._walk,
    jobs.Look: JobRunner._look,
    jobs.CutSlice: JobRunner._cut,
    jobs.DropCookie: JobRunner._drop_cookie,
    jobs.ExpandLists: JobRunner._expand,
    jobs.SearchHome: JobRunner._search_home,
    jobs.OpenStaging: JobRunner._open_staging,
    jobs.VerifyStaging: JobRunner._verify,
    jobs.LookAtHome: JobRunner._look_at_home,
    jobs.WriteChunks: JobRunner._write_chunks,
    jobs.StageSmall: JobRunner._stage_small,
    jobs.LookForRoom: JobRunner._look_for_room,
    jobs.Discard: JobRunner._discard,
    jobs.ClearStaging: JobRunner._clear_staging,
    jobs.OpenLists: JobRunner._open_lists,
    jobs.Apply: JobRunner._apply,
    jobs.Flush: JobRunner._flush,
    jobs.ReadPage: JobRunner._read_page,
    jobs.ReadChunks: JobRunner._read_chunks,
    jobs.CountUnacknowledged: JobRunner._count,
}


def _bytes_of(
    ground: Ground, file: jobs.SmallFile, body: memoryview, home: LastFolder
) -> bytes | None:
    """The checked bytes of a small file; None where its home copy is not there (any more)."""
    entry = file.entry
    if file.box_start >= 0:
        box = body[file.box_start : file.box_start + file.box_bytes]
        return open_chunk(ground.keys, entry.content, box, entry.size)
    if file.source is not None:
        asks = [(bytes(entry.content), 0, entry.size)]
        found, _, _ = read_chunks(home, [file.source], asks, ground.keys)
        return found[0][1] if found else None
    assert entry.size == 0
    if bytes(chunk_id(ground.keys, b"")) != entry.content:
        raise Refused(Refusal.WRONG_ID, entry.path)
    return b""


def _nearest(root: Root, path: str) -> Folder:
    """The folder at `path`, or the nearest one above it that is there."""
    while path:
        try:
            return root.folder(path)
        except OSError:
            path = parent_of(path)
    return root.folder("")


def _check_room(ground: Ground, job: jobs.WriteChunks | jobs.LookAtHome, more: int) -> None:
    percent = ground.limits.min_free_percent
    staging.check_staging(ground.root, job.staged, more, job.entry.size, percent)


def _problem(ground: Ground, entry: Entry, error: Exception) -> Problem:
    """What a failed staging means for the path."""
    match error:
        case LowSpace():
            return Shortage(
                ground.id,
                entry.path,
                ProblemKind.LOW_SPACE,
                error.said,
                error.need_bytes,
                error.fits_bytes,
            )
        case staging.DiskFull():
            kind, detail = ProblemKind.DISK_FULL, ""
        case staging.Unstageable():
            kind, detail = error.kind, error.detail
        case _:
            kind, detail = ProblemKind.UNWRITABLE, str(error)
    return Problem(ground.id, entry.path, kind, detail)
