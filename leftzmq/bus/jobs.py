"""Runs jobs: the one place where a job meets the disk, the index and the keys.

Every job is answered by one fact. What can be foreseen (a file that is gone, a full disk, a box
that does not open) is part of the answer; anything else is our own mistake and is raised.
Knows folders. Must not know sockets, or why a job was asked for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from leftzmq.bus import fetching, keeping, mounted, serving
from leftzmq.bus.ground import Ground
from leftzmq.content.cut import Cutter
from leftzmq.content.seal import fresh_nonce
from leftzmq.disk import scanner
from leftzmq.disk.walk import TreeWalk
from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.flush import flush
from leftzmq.index.reader import Reader
from leftzmq.sync import jobs
from leftzmq.sync.jobs import Job, JobDone
from leftzmq.tree.path import LEFT_DIRECTORY
from leftzmq.wire.page import Page, cut_pages, seal

PAGE_ENTRIES: Final = 48
"""Of an answer's page: hearing it (about 70 us an entry) is one turn of the asker's loop."""


class JobRunner:
    """Runs one job at a time a thread; each thread has its own readers and cutters."""

    def __init__(
        self,
        now_ns: Callable[[], int] = time.time_ns,
        make_durable: Callable[[Path], None] = flush,
    ) -> None:
        self._now_ns, self._make_durable = now_ns, make_durable
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

    # -- bytes on their way -----------------------------------------------------------------------

    def _fetch(self, ground: Ground, job: Any) -> JobDone:
        return fetching.run(ground, self._now_ns(), job)

    # -- what a user gets back ------------------------------------------------------------------

    def _keep(self, ground: Ground, job: Any) -> JobDone:
        return keeping.run(ground, self._reader(ground), self._now_ns(), job)

    # -- applying, index and serving ------------------------------------------------------------

    def _apply(self, ground: Ground, job: jobs.Apply) -> JobDone:
        why = ground.still_there()
        if why is not None:
            return jobs.Applied(job.folder, job.batch, (), False, why)
        if any(operation.copy_to and operation.staged for operation in job.operations):
            # A power cut between an exchange and the naming of the copy leaves the old version
            # under the name of the `.lefting`: only its row says whose that is.
            self._make_durable(ground.index)
        outcomes = mounted.carried_out(ground, job.operations, self._now_ns())
        return jobs.Applied(job.folder, job.batch, tuple(outcomes))

    def _flush(self, ground: Ground, job: jobs.Flush) -> JobDone:
        self._make_durable(ground.index)
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


_HANDLERS: dict[type, Any] = {
    **dict.fromkeys(fetching.HANDLERS, JobRunner._fetch),
    **dict.fromkeys(keeping.HANDLERS, JobRunner._keep),
    jobs.Walk: JobRunner._walk,
    jobs.Look: JobRunner._look,
    jobs.CutSlice: JobRunner._cut,
    jobs.DropCookie: JobRunner._drop_cookie,
    jobs.ExpandLists: JobRunner._expand,
    jobs.SearchHome: JobRunner._search_home,
    jobs.Apply: JobRunner._apply,
    jobs.Flush: JobRunner._flush,
    jobs.ReadPage: JobRunner._read_page,
    jobs.ReadChunks: JobRunner._read_chunks,
    jobs.CountUnacknowledged: JobRunner._count,
}
