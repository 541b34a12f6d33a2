"""Runs the jobs that keep an agent from losing data: trash, conflict copies, the guard, and
those that tell a user what is ignored.

Part of work/runner. Knows the share and the index. Must not know who asked.
"""

from __future__ import annotations

from typing import Any, Final

from leftzmq.content.keys import device_mark
from leftzmq.disk.apply.resolve import Choice, Known, Resolved, Wish, chosen, read_text, resolve
from leftzmq.disk.apply.restore import Listing, TrashListing, newest_trashed, restore
from leftzmq.disk.scan.lying import lying_at
from leftzmq.disk.staging.free_space import fits_bytes, nearest
from leftzmq.disk.trash.make_room import GiveWay
from leftzmq.disk.trash.retention import DAY_NS, SPARED_NS, TrashSweep
from leftzmq.errors import Refused
from leftzmq.index.losses import LossCount
from leftzmq.index.reader import Reader
from leftzmq.index.rows import Row
from leftzmq.sync import jobs
from leftzmq.sync.jobs import JobDone
from leftzmq.tree.conflict import kept_path, read_name
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import parent_of
from leftzmq.tree.plan import Held
from leftzmq.tree.version import is_by
from leftzmq.work import mount_check
from leftzmq.work.folder_context import FolderContext
from leftzmq.work.unflushed_names import FlushBatch

COPIES_A_JOB: Final = 500
MORE_OF_TRASH: Final = 1 / 8
"""This part of the trash's limit is freed in addition to the need, so that not every one of many
received files has the whole trash read."""
SHOWN_COPIES: Final = 8
"""How many copies of one file are shown: with the file, at most 9 MiB of text in a reply of 16."""


def run(context: FolderContext, reader: Reader, now_ns: int, job: Any) -> JobDone:
    """Run `job`. Returns the fact that answers it. reader: of this thread. now_ns: wall clock."""
    answer: JobDone = HANDLERS[type(job)](context, reader, now_ns, job)
    return answer


# ---- the trash --------------------------------------------------------------------------------


def _sweep(context: FolderContext, reader: Reader, now_ns: int, job: jobs.SweepTrash) -> JobDone:
    if (stop := context.still_there()) is not None:
        return jobs.TrashSwept(job.folder, job.sweep, None, stop)
    sweep = context.sweeps.get(job.sweep)
    if sweep is None:
        spared_ns = DAY_NS if job.spare_day else SPARED_NS
        sweep = TrashSweep(context.root, context.limits, job.clock, now_ns, spared_ns)
    swept = sweep.step()
    context.sweeps = {} if swept.done else {job.sweep: sweep}
    return jobs.TrashSwept(job.folder, job.sweep, swept)


def _make_room(context: FolderContext, reader: Reader, now_ns: int, job: jobs.MakeRoom) -> JobDone:
    if (stop := context.still_there()) is not None:
        return jobs.RoomMade(job.folder, job.number, 0, 0, 0, True, stop)
    way = context.ways.get(job.number)
    if way is None:
        fits, total = _room_at(context, job.path)
        need = job.need_bytes - fits
        if need <= 0 or not total:  # other jobs freed space, or the trash is on another disk
            return jobs.RoomMade(job.folder, job.number, 0, 0, fits, True)
        more = int(total * context.limits.trash_percent / 100 * MORE_OF_TRASH)
        spared_ns = DAY_NS if job.spare_day else SPARED_NS
        way = GiveWay(context.root, need, more, now_ns, spared_ns, spares_all=job.spare_day)
    given = way.step()
    context.ways = {} if given.done else {job.number: way}
    fits, _ = _room_at(context, job.path) if given.done else (0, 0)
    return jobs.RoomMade(job.folder, job.number, given.files, given.bytes, fits, given.done)


def _room_at(context: FolderContext, path: str) -> tuple[int, int]:
    """How many bytes may be written at `path`, and the size of its file system in bytes; 0 if the
    trash is on another file system."""
    with nearest(context.root, parent_of(path)) as folder, context.root.folder("") as top:
        fits = fits_bytes(folder, context.limits.min_free_percent)
        here = folder.own_stat().device == top.own_stat().device
        return fits, folder.total_bytes() if here else 0


def _list_trash(
    context: FolderContext, reader: Reader, now_ns: int, job: jobs.ListTrash
) -> JobDone:
    if (stop := context.still_there()) is not None:
        return jobs.TrashListed(job.folder, job.listing, Listing((), True), stop)
    listing = context.listings.get(job.listing)
    if listing is None:
        listing = TrashListing(context.root, job.path, job.between, job.after)
    part = listing.step()
    context.listings = {} if part.done else {job.listing: listing}
    return jobs.TrashListed(job.folder, job.listing, part)


def _restore(
    context: FolderContext, reader: Reader, now_ns: int, job: jobs.RestoreTrash
) -> JobDone:
    if (stop := context.still_there()) is not None:
        return jobs.TrashRestored(job.folder, job.listing, (), stop)
    beside = FlushBatch(context.unflushed_names, [(one.target,) for one in job.wanted])
    returns = restore(context.root, job.wanted, beside)
    return jobs.TrashRestored(job.folder, job.listing, tuple(returns))


def _let_go(context: FolderContext, reader: Reader, now_ns: int, job: jobs.LetGo) -> JobDone:
    if (stop := context.still_there()) is not None:
        return jobs.LetGone(job.folder, job.number, (), stop)
    outcomes = mount_check.carried_out(context, job.operations, now_ns)
    return jobs.LetGone(job.folder, job.number, tuple(outcomes))


# ---- the guard --------------------------------------------------------------------------------


def _count_losses(
    context: FolderContext, reader: Reader, now_ns: int, job: jobs.CountLosses
) -> JobDone:
    count = context.counts.get(job.number) or LossCount(job.reach, job.accepted, job.readers)
    done = count.step(reader)
    context.counts = {} if done else {job.number: count}
    return jobs.LossesCounted(job.folder, job.number, count.files, done)


# ---- conflict copies --------------------------------------------------------------------------


def _list_copies(
    context: FolderContext, reader: Reader, now_ns: int, job: jobs.ListCopies
) -> JobDone:
    rows = reader.conflict_copies(job.after, COPIES_A_JOB)
    after = rows[-1].sort_key if len(rows) == COPIES_A_JOB else b""
    return jobs.CopiesListed(job.folder, job.number, tuple(row.entry for row in rows), after)


def _read_versions(
    context: FolderContext, reader: Reader, now_ns: int, job: jobs.ReadVersions
) -> JobDone:
    rows = reader.copies_of(job.path)[:SHOWN_COPIES]
    file = _file_of(reader, rows[0]) if rows else None
    if file is not None:
        rows.insert(0, file)
    found = tuple((row.entry, read_text(context.root, row.entry)) for row in rows)
    return jobs.VersionsRead(job.folder, job.number, found)


def _resolve(context: FolderContext, reader: Reader, now_ns: int, job: jobs.Resolve) -> JobDone:
    if (stop := context.still_there()) is not None:
        return jobs.CopyResolved(job.folder, job.number, Resolved.FAILED, stop.why, stop=stop)
    copies = reader.copies_of(job.path)
    if len(copies) != 1:
        ending = Resolved.SEVERAL if copies else Resolved.NO_COPY
        paths = tuple(row.entry.path for row in copies[:SHOWN_COPIES])
        return jobs.CopyResolved(job.folder, job.number, ending, copies=paths)
    row = copies[0]
    choice = _chosen(context, reader, row, job.wish)
    if isinstance(choice, Resolved):
        return jobs.CopyResolved(job.folder, job.number, choice)
    try:
        ending, why, path = _carry_out(context, reader, row, choice, job, now_ns)
    except Refused as refused:  # a copy of `x.lefting`, or the new name is too long
        return jobs.CopyResolved(job.folder, job.number, Resolved.FAILED, str(refused))
    copy = row.entry.path
    return jobs.CopyResolved(job.folder, job.number, ending, why, copy, path, choice=choice)


def _chosen(context: FolderContext, reader: Reader, copy: Row, wish: Wish) -> Choice | Resolved:
    """The choice that `wish` means. It depends on who wrote the two versions, which their names do
    not say."""
    name = read_name(copy.entry.path)
    assert name is not None
    mark = device_mark(context.device)
    there = reader.ours(name.path)
    file_is_ours = None if there is None else is_by(there.entry.writer, mark)
    return chosen(wish, is_by(copy.entry.writer, mark), file_is_ours)


def _carry_out(
    context: FolderContext,
    reader: Reader,
    row: Row,
    choice: Choice,
    job: jobs.Resolve,
    now_ns: int,
) -> tuple[Resolved, str, str]:
    """Carry out `choice`. Returns how it ended, what the system said, and the other path that it
    concerned. Raises Refused."""
    name, copy = read_name(row.entry.path), _known(row)
    assert name is not None
    if copy is None:
        return Resolved.CHANGED, "", row.entry.path
    if choice is Choice.FILE:
        ending, why = _resolved(context, choice, copy, row.entry.path, None, now_ns)
        return ending, why, name.path
    if choice is Choice.BOTH:
        device = job.names.get(name.device, name.device)
        for again in (False, True):
            path = kept_path(name, device, again=again)
            ending, why = _resolved(context, choice, copy, path, None, now_ns)
            if ending is not Resolved.TAKEN:
                break
        return ending, why, path
    there = _file_of(reader, row)
    file = None if there is None else _known(there)
    if there is not None and there.entry.kind is Kind.DIRECTORY:
        return Resolved.A_FOLDER, "", name.path
    if there is not None and file is None:
        return Resolved.CHANGED, "", name.path
    ending, why = _resolved(context, choice, copy, name.path, file, now_ns)
    return ending, why, name.path


def _resolved(
    context: FolderContext, choice: Choice, copy: Known, path: str, file: Known | None, now_ns: int
) -> tuple[Resolved, str]:
    beside = FlushBatch(context.unflushed_names, [(copy.entry.path, path)])
    return resolve(context.root, choice, copy, path, file, now_ns, beside)


def _file_of(reader: Reader, copy: Row) -> Row | None:
    """Our live row of the file that `copy` is a copy of; None: there is none."""
    name = read_name(copy.entry.path)
    row = None if name is None else reader.ours(name.path)
    return None if row is None or row.entry.deleted else row


def _known(row: Row) -> Known | None:
    """None: the file was not scanned since we took its version."""
    return None if row.scan is None else Known(row.entry, Held(row.scan, row.entry.content))


# ---- what is ignored --------------------------------------------------------------------------


def _look_what_lies(
    context: FolderContext, reader: Reader, now_ns: int, job: jobs.LookWhatLies
) -> JobDone:
    return jobs.LyingSeen(job.folder, job.number, lying_at(context.root, job.path))


def _look_for_why(
    context: FolderContext, reader: Reader, now_ns: int, job: jobs.LookForWhy
) -> JobDone:
    trashed = newest_trashed(context.root, job.path) if job.in_trash else None
    return jobs.LookedForWhy(job.folder, job.number, lying_at(context.root, job.path), trashed)


def _count_not_kept(
    context: FolderContext, reader: Reader, now_ns: int, job: jobs.CountNotKept
) -> JobDone:
    return jobs.NotKeptCounted(job.folder, job.number, *reader.not_kept(job.nobody))


def _find_differing(
    context: FolderContext, reader: Reader, now_ns: int, job: jobs.FindDiffering
) -> JobDone:
    found = reader.above_ours(job.path, jobs.MAX_DIFFERING, job.readers)
    winners = tuple(jobs.Winner(path, rank) for path, rank in found)
    return jobs.DifferingFound(job.folder, job.number, winners)


HANDLERS: Final[dict[type, Any]] = {
    jobs.FindDiffering: _find_differing,
    jobs.LookWhatLies: _look_what_lies,
    jobs.LookForWhy: _look_for_why,
    jobs.CountNotKept: _count_not_kept,
    jobs.SweepTrash: _sweep,
    jobs.MakeRoom: _make_room,
    jobs.ListTrash: _list_trash,
    jobs.RestoreTrash: _restore,
    jobs.LetGo: _let_go,
    jobs.CountLosses: _count_losses,
    jobs.ListCopies: _list_copies,
    jobs.ReadVersions: _read_versions,
    jobs.Resolve: _resolve,
}
