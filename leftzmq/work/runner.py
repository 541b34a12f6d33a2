"""Runs jobs, with the disk, the index and the keys.

Every job is answered by one fact. Expected failures (a deleted file, a full disk, a box that does
not open) are part of the answer. Any other error is our own mistake and is raised.
Knows folders. Must not know sockets, or why a job was asked for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from leftzmq.content.cut import Cutter
from leftzmq.content.keys import EpochKeys, FolderKeys
from leftzmq.content.seal import fresh_nonce
from leftzmq.disk.scan import scanner
from leftzmq.disk.scan.rules import KnownRules
from leftzmq.disk.scan.walk import TreeWalk
from leftzmq.disk.share import cannot_be_used
from leftzmq.errors import IndexFailed, LeftError, Problem, ProblemKind, ShareError, Stop, StopCause
from leftzmq.index import change_plan, join_plan
from leftzmq.index.flush import fits_bytes, flush
from leftzmq.index.reader import Reader
from leftzmq.sync import jobs
from leftzmq.sync.jobs import Job, JobDone, JobStopped
from leftzmq.tree.ignoring.share_rules import IgnoreRules
from leftzmq.tree.path import folders_above
from leftzmq.tree.rules import LEFT_DIRECTORY
from leftzmq.wire.page import Page, cut_pages, seal
from leftzmq.work import fetch_jobs, keep_jobs, mount_check, serve_jobs, share_looks
from leftzmq.work.folder_context import FolderContext

PAGE_ENTRIES: Final = 48
"""Entries on a page of an answer. The receiver takes a page in one turn of its loop, about 70 us an
entry."""


class JobRunner:
    """Runs one job at a time in each thread. Each thread has its own readers and cutters.

    index_room: how many bytes may still be written on the disk of an index, for a minimum of free
                space in percent
    open_anew: opens a stopped folder again. Raises LeftError or OSError
    """

    def __init__(
        self,
        now_ns: Callable[[], int] = time.time_ns,
        make_durable: Callable[[Path], None] = flush,
        open_anew: Callable[[str], None] | None = None,
        index_room: Callable[[Path, float], int] = fits_bytes,
    ) -> None:
        self._now_ns, self._make_durable = now_ns, make_durable
        self._open_anew, self._index_room = open_anew, index_room
        self._contexts: dict[str, FolderContext] = {}
        self._own = threading.local()

    def add(self, context: FolderContext) -> None:
        """Use `context` for its folder's jobs from now on. No job may use the one before now."""
        self._contexts[context.id] = context

    def remove(self, folder: str) -> None:
        """A folder is gone, and none of its jobs runs."""
        self._contexts.pop(folder, None)

    def run(self, job: Job) -> JobDone | JobStopped:
        """Run `job`. Returns the fact that answers it."""
        if isinstance(job, jobs.OpenFolder):
            return self._open_folder(job)
        handler: Any = _HANDLERS[type(job)]
        context = self._contexts[job.folder]
        try:
            answer: JobDone = handler(self, context, job)
        except (IndexFailed, OSError) as error:
            return JobStopped(job, context.stop_after(error))
        return answer

    def _open_folder(self, job: jobs.OpenFolder) -> JobDone:
        assert self._open_anew is not None, "nobody opens folders here"
        stop = None
        try:
            self._open_anew(job.folder)
        except ShareError as error:
            stop = error.stop
        except LeftError as error:
            stop = Stop(StopCause.INDEX, str(error))
        except OSError as error:
            stop = cannot_be_used(error, job.folder).stop
        return jobs.FolderOpened(job.folder, stop)

    def _reader(self, context: FolderContext) -> Reader:
        """This thread's reader for this context. An index that was opened anew gets a new one."""
        readers: dict[str, tuple[FolderContext, Reader]] = self._own.__dict__.setdefault(
            "readers", {}
        )
        found = readers.get(context.id)
        if found is None or found[0] is not context:
            if found is not None:
                del readers[context.id]
                found[1].close()
            found = readers[context.id] = (context, Reader.open(context.index))
        return found[1]

    def _cutter(self, context: FolderContext) -> Cutter:
        """This thread's cutter for this context. A folder of the same id may have other keys."""
        cutters: dict[str, tuple[FolderKeys, Cutter]] = self._own.__dict__.setdefault("cutters", {})
        found = cutters.get(context.id)
        if found is None or found[0] != context.keys:
            found = cutters[context.id] = (context.keys, Cutter(context.keys))
        return found[1]

    # -- scanning ---------------------------------------------------------------------------------

    def _walk(self, context: FolderContext, job: jobs.Walk) -> JobDone:
        stop = context.still_there()
        if stop is not None:
            return _walked_nothing(job, stop)
        walk = context.walks.get(job.walk)
        if walk is None:
            walk = TreeWalk(
                context.root,
                context.id,
                job.prefix,
                lambda after, limit: self._reader(context).alive_after(after, limit),
                context.mounts,
            )
            context.walks = {job.walk: walk}  # one at a time; an older walk was abandoned
        part = walk.step(known=self._known_rules(context, job.rules))
        if part.done:
            context.walks.pop(job.walk, None)
            stop = context.still_there()  # a share unmounted during the walk looks like deletes
            if stop is not None:
                return _walked_nothing(job, stop)
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
            mounts=context.mounts.pack(),
            rules=part.rules,
            modes=part.modes,
        )

    def _known_rules(self, context: FolderContext, rules: IgnoreRules) -> KnownRules:
        return KnownRules(rules, self._reader(context).rule_scans, self._now_ns)

    def _look(self, context: FolderContext, job: jobs.Look) -> JobDone:
        above = {folder for path in job.paths for folder in folders_above(path)}
        sightings, left = scanner.look(
            context.root,
            context.id,
            job.paths,
            self._reader(context).scan_keys({*job.paths, *above}).get,
            context.keys,
            now_ns=self._now_ns,
            rules=self._known_rules(context, job.rules),
            edits=job.edits,
            exact_device=context.exact_device,
        )
        # Checked after the look: GONE means deleted only while the share is still there.
        stop = context.still_there()
        if stop is not None:
            return jobs.Looked(job.folder, (), job.paths, stop)
        seen = context.unflushed_names.believed(
            context.root, context.id, mount_check.believed(context, sightings)
        )
        return jobs.Looked(job.folder, tuple(seen), tuple(left))

    def _cut(self, context: FolderContext, job: jobs.CutSlice) -> JobDone:
        part = scanner.cut_slice(
            context.root,
            job.path,
            job.key,
            job.offset,
            context.keys,
            self._cutter(context),
            grows_at_ns=self._now_ns() if job.grows else None,
        )
        return jobs.SliceCut(job.folder, part)

    def _drop_cookie(self, context: FolderContext, job: jobs.DropCookie) -> JobDone:
        problem = None
        try:
            with context.root.folder(LEFT_DIRECTORY) as folder:
                folder.create(job.name).close()
                folder.unlink(job.name)
        except OSError as error:
            problem = Problem(context.id, job.name, ProblemKind.UNWRITABLE, str(error))
        return jobs.CookieDropped(job.folder, job.name, context.watched(), problem)

    # -- received bytes ---------------------------------------------------------------------------

    def _fetch(self, context: FolderContext, job: Any) -> JobDone:
        return fetch_jobs.run(context, self._now_ns(), job)

    # -- trash, guard and conflict copies -------------------------------------------------------

    def _keep(self, context: FolderContext, job: Any) -> JobDone:
        return keep_jobs.run(context, self._reader(context), self._now_ns(), job)

    def _look_at_share(self, context: FolderContext, job: Any) -> JobDone:
        return share_looks.run(context, job)

    # -- applying, index and serving ------------------------------------------------------------

    def _apply(self, context: FolderContext, job: jobs.Apply) -> JobDone:
        stop = context.still_there()
        if stop is not None:
            return jobs.Applied(job.folder, job.batch, (), stop)
        if any(operation.copy_to and operation.staged for operation in job.operations):
            # A power cut between the exchange and the naming of the copy leaves the old version
            # under the name of the `.lefting`. Only the row of the `.lefting` says so.
            self._make_durable(context.index)
        outcomes = mount_check.carried_out(context, job.operations, self._now_ns(), job.rules)
        return jobs.Applied(job.folder, job.batch, tuple(outcomes))

    def _flush(self, context: FolderContext, job: jobs.Flush) -> JobDone:
        self._make_durable(context.index)
        return jobs.Flushed(job.folder, job.head)

    def _read_page(self, context: FolderContext, job: jobs.ReadPage) -> JobDone:
        changes = self._reader(context).changes(job.after, job.upto, PAGE_ENTRIES)
        cut_short = len(changes) == PAGE_ENTRIES
        upto = changes[-1].sequence if cut_short else job.upto
        told = {"withdrawn": job.withdrawn, "permissions": job.permissions}
        first = cut_pages(changes, job.after, upto, job.upto, **told)[0]
        page = Page(
            context.device,
            context.id,
            job.life,
            first.after,
            first.last,
            job.upto,
            job.whole,
            first.entries,
            job.accepted,
            first.withdrawals,
        )
        sealed = seal(page, _epoch_of(context, job.tag), fresh_nonce())
        return jobs.PageRead(
            job.folder,
            job.link,
            job.tag,
            job.life,
            job.after,
            first.last,
            job.upto,
            job.whole,
            sealed,
        )

    def _read_chunks(self, context: FolderContext, job: jobs.ReadChunks) -> JobDone:
        epoch = _epoch_of(context, job.tag)
        return serve_jobs.read_asked(self._reader(context), context.root, context.keys, epoch, job)

    def _check_bytes(self, context: FolderContext, job: jobs.CheckBytes) -> JobDone:
        return serve_jobs.check_bytes(self._reader(context), context.root, context.keys, job)

    def _expand(self, context: FolderContext, job: jobs.ExpandLists) -> JobDone:
        reader = self._reader(context)
        if job.begun is None and (problem := fetch_jobs.no_room(context, reader, job.entry)):
            return jobs.ListsExpanded(job.folder, job.entry, problem=problem)
        return serve_jobs.expand_lists(reader, job)

    def _search_home(self, context: FolderContext, job: jobs.SearchHome) -> JobDone:
        return serve_jobs.search_home(self._reader(context), job)

    def _look_for_index_room(self, context: FolderContext, job: jobs.LookForIndexRoom) -> JobDone:
        fits = self._index_room(context.index, context.limits.min_free_percent)
        return jobs.IndexRoomSeen(job.folder, fits)

    def _find_lacking(self, context: FolderContext, job: jobs.FindLacking) -> JobDone:
        reader = self._reader(context)
        lacking = tuple(
            jobs.Lacking(*reader.lacking(mask, job.path, job.shown, job.silent, done))
            for mask, done in zip(job.masks, job.done, strict=True)
        )
        nothing = (0, 0, ())
        found = reader.coming(job.path, job.shown, job.silent) if job.takes else nothing
        coming = jobs.Lacking(*found)
        return jobs.LackingFound(job.folder, job.number, job.masks, lacking, coming)

    def _read_join_plan(self, context: FolderContext, job: jobs.ReadJoinPlan) -> JobDone:
        plan = join_plan.step(self._reader(context), job.plan, job.swept, job.doomed)
        return jobs.JoinPlanRead(job.folder, job.number, plan)

    def _read_change_plan(self, context: FolderContext, job: jobs.ReadChangePlan) -> JobDone:
        plan = change_plan.step(self._reader(context), job.plan, job.scope)
        return jobs.ChangePlanRead(job.folder, job.number, plan)


def _epoch_of(context: FolderContext, tag: bytes) -> EpochKeys:
    """Return the keys to seal with. The epoch was held when the job was made. Of one that was
    forgotten since nothing may be sealed: what the job makes is not sent (Epochs.may_seal)."""
    return context.epochs.keys(tag) or context.epochs.first


def _walked_nothing(job: jobs.Walk, stop: Stop) -> JobDone:
    return jobs.Walked(job.folder, job.walk, job.prefix, (), 0, (), (), True, stop)


_HANDLERS: dict[type, Any] = {
    **dict.fromkeys(fetch_jobs.HANDLERS, JobRunner._fetch),
    **dict.fromkeys(keep_jobs.HANDLERS, JobRunner._keep),
    **dict.fromkeys(share_looks.HANDLERS, JobRunner._look_at_share),
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
    jobs.FindLacking: JobRunner._find_lacking,
    jobs.ReadJoinPlan: JobRunner._read_join_plan,
    jobs.ReadChangePlan: JobRunner._read_change_plan,
    jobs.CheckBytes: JobRunner._check_bytes,
    jobs.LookForIndexRoom: JobRunner._look_for_index_room,
}
