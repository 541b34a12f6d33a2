"""Runs the jobs that write received bytes into a `.lefting`, from its creation to its last byte.

Part of work/runner. Knows the share and the keys. Must not know who asked, nor who sent the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from msgspec.structs import replace

from leftzmq.content.ids import chunk_id
from leftzmq.content.keys import EpochKeys
from leftzmq.content.noise import is_noise
from leftzmq.content.seal import open_chunk, open_list
from leftzmq.disk.chunk_reader import read_chunks
from leftzmq.disk.fs.errno_meaning import raise_if_short
from leftzmq.disk.fs.interface import LastFolder
from leftzmq.disk.staging import lefting, staging
from leftzmq.disk.staging.free_space import LowSpace, fits_bytes, nearest
from leftzmq.disk.staging.local_copy import copy_home
from leftzmq.errors import IndexFailed, Problem, ProblemKind, Refusal, Refused, Shortage
from leftzmq.index.reader import Reader
from leftzmq.sync import jobs
from leftzmq.sync.jobs import JobDone
from leftzmq.tree.entry import Entry
from leftzmq.tree.path import parent_of
from leftzmq.tree.plan import Staged
from leftzmq.work import mount_check
from leftzmq.work.folder_context import FolderContext

_HELD_UP: Final = (
    LowSpace,
    staging.DiskFull,
    staging.StagingLost,
    staging.Unstageable,
    OSError,
)
"""Errors that keep bytes from being staged. `_problem` says what one means for the path."""


def run(context: FolderContext, now_ns: int, job: Any) -> JobDone:
    """Run `job`. Returns the fact that answers it. now_ns: wall clock."""
    answer: JobDone = HANDLERS[type(job)](context, now_ns, job)
    return answer


def no_room(context: FolderContext, reader: Reader, entry: Entry) -> Problem | None:
    """The Problem if there is no space for a large file, before anything is done for it; else
    None."""
    if mount_check.problem(context, entry.path) is not None:
        return None  # the job that makes its `.lefting` reports that
    known = next(iter(reader.resumable(*lefting.lefting_paths(entry.path))), None)
    if known is not None and not lefting.is_there(context.root, known):
        known = None
    try:
        with nearest(context.root, parent_of(entry.path)) as folder:
            staging.check_whole(
                folder, entry.path, known, entry.size, context.limits.min_free_percent
            )
    except LowSpace as error:
        return _problem(context, entry, error)
    except OSError:
        return None
    return None


def _open_staging(context: FolderContext, now_ns: int, job: jobs.OpenStaging) -> JobDone:
    entry = job.entry
    if (gone := mount_check.problem(context, entry.path)) is not None:
        return jobs.StagingOpened(job.folder, entry, job.known, job.known is not None, gone)
    try:
        staged, found = staging.open_staging(
            context.root, entry.path, job.known, entry.size, context.limits.min_free_percent
        )
        return jobs.StagingOpened(job.folder, entry, staged, found)
    except _HELD_UP as error:
        problem = _problem(context, entry, error)
        kept = _left(context, now_ns, error) or job.known
        room = isinstance(error, LowSpace)  # the folder could be opened
        if room and kept is not None and not _may_be_there(context, kept):
            kept = None
        return jobs.StagingOpened(job.folder, entry, kept, kept is not None, problem)


def _verify(context: FolderContext, now_ns: int, job: jobs.VerifyStaging) -> JobDone:
    chunks = [(ask.id, ask.offset, ask.length) for ask in job.asks]
    return _kept(
        context,
        job,
        len(chunks),
        lambda: staging.verify_chunks(context.root, job.staged, chunks, context.keys),
    )


def _look_at_home(context: FolderContext, now_ns: int, job: jobs.LookAtHome) -> JobDone:
    chunks = [(c.id, c.length, c.source_offset, c.target_offset) for c in job.chunks]

    def work() -> list[int]:
        _check_room(context, job, sum(chunk.length for chunk in job.chunks))
        return copy_home(context.root, job.staged, job.source, chunks, context.keys)

    kept = _kept(context, job, len(chunks), work)
    here = set(kept.offsets)
    lacks = [c for c in job.chunks if c.target_offset not in here and kept.problem is None]
    doubts = (jobs.Doubt(job.source, c.id, c.source_offset, c.length) for c in lacks[:1])
    return replace(kept, doubts=tuple(doubts))


def _kept(
    context: FolderContext,
    job: jobs.VerifyStaging | jobs.LookAtHome,
    tried: int,
    work: Callable[[], list[int]],
) -> jobs.ChunksKept:
    offsets: list[int] = []
    problem = None
    try:
        offsets = work()
    except _HELD_UP as error:
        problem = _problem(context, job.entry, error)
    return jobs.ChunksKept(job.folder, job.entry, job.staged, tuple(offsets), tried, problem)


def _write_chunks(context: FolderContext, now_ns: int, job: jobs.WriteChunks) -> JobDone:
    body = memoryview(job.body)
    boxes = [
        (p.id, p.offset, p.length, body[p.box_start : p.box_start + p.box_bytes])
        for p in job.pieces
    ]
    problem = None
    written: list[int] = []
    bad: list[int] = []
    try:
        epoch = _epoch_of(context, job.tag)
        _check_room(context, job, sum(piece.length for piece in job.pieces))
        written, bad = staging.write_chunks(context.root, job.staged, boxes, context.keys, epoch)
    except _HELD_UP as error:
        problem = _problem(context, job.entry, error)
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


def _stage_small(context: FolderContext, now_ns: int, job: jobs.StageSmall) -> JobDone:
    body = memoryview(job.body)
    staged: list[tuple[Entry, Staged]] = []
    bad: list[Entry] = []
    unfound: list[Entry] = []
    problems: list[tuple[Entry, Problem]] = []
    left: list[tuple[Entry, Staged]] = []
    noise: set[Staged] = set()
    doubts: list[jobs.Doubt] = []
    stop = None
    with LastFolder(context.root) as here, LastFolder(context.root) as home:
        for file in job.files:
            entry = file.entry
            try:
                gone = mount_check.problem(context, entry.path)
            except (IndexFailed, OSError) as error:
                # Only this answer knows which file is which of those that were made before.
                stop = context.stop_after(error)
                break
            if gone is not None:
                problems.append((entry, gone))
                continue
            try:
                data = _bytes_of(context, file, job.tag, body, home)
            except Refused:
                bad.append(entry)
                continue
            if data is None:
                assert file.source is not None
                unfound.append(entry)
                doubts.append(jobs.Doubt(file.source, bytes(entry.content), 0, entry.size))
                continue
            try:
                min_free = context.limits.min_free_percent
                made = staging.stage_small(here, entry, data, min_free, context.modes)
                staged.append((entry, made))
                if is_noise(data):
                    noise.add(made)
            except _HELD_UP as error:
                problems.append((entry, _problem(context, entry, error)))
                if (stays := _left(context, now_ns, error)) is not None:
                    left.append((entry, stays))
    return jobs.SmallStaged(
        job.folder,
        job.device,
        tuple(staged),
        tuple(bad),
        tuple(unfound),
        tuple(problems),
        len(body),
        tuple(left),
        frozenset(noise),
        tuple(doubts),
        stop,
    )


def _sample(context: FolderContext, now_ns: int, job: jobs.Sample) -> JobDone:
    noise, problem = False, None
    try:
        noise = staging.is_staged_noise(context.root, job.staged, job.entry.size)
    except staging.StagingLost:
        pass  # the job that gives the file its final name finds that
    except _HELD_UP as error:
        problem = _problem(context, job.entry, error)
    return jobs.Sampled(job.folder, job.entry, job.staged, noise, problem)


def _look_for_room(context: FolderContext, now_ns: int, job: jobs.LookForRoom) -> JobDone:
    with nearest(context.root, parent_of(job.path)) as folder:
        return jobs.RoomSeen(job.folder, fits_bytes(folder, context.limits.min_free_percent))


def _discard(context: FolderContext, now_ns: int, job: jobs.Discard) -> JobDone:
    gone, missing = _gone(context, now_ns, job.staged)
    return jobs.Discarded(job.folder, gone, _without(job.staged, gone), missing)


def _clear_staging(context: FolderContext, now_ns: int, job: jobs.ClearStaging) -> JobDone:
    lost = [each for each in job.resumable if not _may_be_there(context, each.staged)]
    swapped = tuple(each for each in (*job.useless, *lost) if _is_swapped(context, each))
    spoilt = [x for x in job.resumable if x not in lost and not _is_flushed(context, x.staged)]
    useless = tuple(each.staged for each in (*job.useless, *spoilt) if each not in swapped)
    others = tuple(each.staged for each in lost if each not in swapped)
    gone, missing = _gone(context, now_ns, useless + others)
    return jobs.StagingCleared(job.folder, gone, _without(useless, gone), missing, swapped)


def _may_be_there(context: FolderContext, staged: Staged) -> bool:
    """Whether the `.lefting` is there. True also if that cannot be checked: the next job that uses
    the `.lefting` finds out. OSError that says nothing about it."""
    try:
        return lefting.is_there(context.root, staged)
    except OSError as error:
        raise_if_short(error)
        return True


def _is_flushed(context: FolderContext, staged: Staged) -> bool:
    """Whether the bytes of the `.lefting` are on the disk. This is the last chance to learn that
    some were lost: later a read finds them in memory, and another flush reports success. True also
    if the `.lefting` cannot be opened, or if nothing may be touched there now."""
    if context.still_there() is not None or mount_check.problem(context, staged.path) is not None:
        return True
    return lefting.is_flushed(context.root, staged)


def _is_swapped(context: FolderContext, leftover: jobs.Leftover) -> bool:
    if context.still_there() is not None or mount_check.problem(context, leftover.path) is not None:
        return False
    try:
        return lefting.is_swapped(context.root, leftover.staged, leftover.path, leftover.old)
    except OSError as error:
        raise_if_short(error)
        return False  # then the file there is moved to the trash, not unlinked


def _gone(
    context: FolderContext, now_ns: int, leftings: tuple[Staged, ...]
) -> tuple[tuple[Staged, ...], tuple[Staged, ...]]:
    """Delete `leftings`. Returns those that are gone now, and which of these were not there before.
    Below a missing mount none is gone, and a file in its place is not ours."""
    if context.still_there() is not None:
        return (), ()
    gone: list[Staged] = []
    missing: list[Staged] = []
    for staged in leftings:
        if mount_check.problem(context, staged.path) is not None:
            continue
        try:
            was_there = lefting.discard(context.root, staged, now_ns)
        except OSError:
            continue
        if mount_check.problem(context, staged.path) is None:
            gone.append(staged)
            if not was_there:
                missing.append(staged)
    return tuple(gone), tuple(missing)


def _without(leftings: tuple[Staged, ...], gone: tuple[Staged, ...]) -> tuple[Staged, ...]:
    return tuple(staged for staged in leftings if staged not in gone)


def _open_lists(context: FolderContext, now_ns: int, job: jobs.OpenLists) -> JobDone:
    body = memoryview(job.body)
    lists: list[tuple[bytes, bytes]] = []
    bad: list[bytes] = []
    epoch = _epoch_of(context, job.tag)
    for piece in job.pieces:
        box = body[piece.box_start : piece.box_start + piece.box_bytes]
        try:
            lists.append((piece.id, open_list(context.keys, epoch, piece.id, box)))
        except Refused:
            bad.append(piece.id)
    return jobs.ListsOpened(job.folder, job.device, tuple(lists), tuple(bad))


def _bytes_of(
    context: FolderContext, file: jobs.SmallFile, tag: bytes, body: memoryview, home: LastFolder
) -> bytes | None:
    """The checked bytes of a small file; None if its local copy is missing or changed. Raises
    Refused for bytes that do not match the id."""
    entry = file.entry
    if file.box_start >= 0:
        box = body[file.box_start : file.box_start + file.box_bytes]
        return open_chunk(context.keys, _epoch_of(context, tag), entry.content, box, entry.size)
    if file.source is not None:
        asks = [(bytes(entry.content), 0, entry.size)]
        found, _, _ = read_chunks(home, [file.source], asks, context.keys)
        return found[0][1] if found else None
    assert entry.size == 0
    if bytes(chunk_id(context.keys, b"")) != entry.content:
        raise Refused(Refusal.WRONG_ID, entry.path)
    return b""


def _epoch_of(context: FolderContext, tag: bytes) -> EpochKeys:
    """Return the keys of the epoch in which something came. It was held when the job was made; if
    it is one of far too many and was forgotten since, nothing opens."""
    return context.epochs.keys(tag) or context.epochs.first


def _check_room(context: FolderContext, job: jobs.WriteChunks | jobs.LookAtHome, more: int) -> None:
    percent = context.limits.min_free_percent
    staging.check_staging(context.root, job.staged, more, job.entry.size, percent)


def _left(context: FolderContext, now_ns: int, error: Exception) -> Staged | None:
    """The `.lefting` that a failed staging could not delete; None: there is none. Where it cannot
    be told whether its mount is there, it stays."""
    left = error.left if isinstance(error, staging.DiskFull | staging.Unstageable) else None
    if left is not None and left.inode is None:
        with suppress(IndexFailed, OSError):
            if left in _gone(context, now_ns, (left,))[0]:
                return None
    return left


def _problem(context: FolderContext, entry: Entry, error: Exception) -> Problem:
    """The Problem of the path after a failed staging."""
    match error:
        case LowSpace():
            return Shortage(
                context.id,
                entry.path,
                ProblemKind.LOW_SPACE,
                error.said,
                need_bytes=error.need_bytes,
                fits_bytes=error.fits_bytes,
                free=error.free,
            )
        case staging.DiskFull():
            kind, detail = ProblemKind.DISK_FULL, ""
        case staging.Unstageable():
            kind, detail = error.kind, error.detail
        case _:
            kind, detail = ProblemKind.UNWRITABLE, str(error)
    return Problem(context.id, entry.path, kind, detail)


HANDLERS: Final[dict[type, Any]] = {
    jobs.OpenStaging: _open_staging,
    jobs.VerifyStaging: _verify,
    jobs.LookAtHome: _look_at_home,
    jobs.WriteChunks: _write_chunks,
    jobs.StageSmall: _stage_small,
    jobs.Sample: _sample,
    jobs.LookForRoom: _look_for_room,
    jobs.Discard: _discard,
    jobs.ClearStaging: _clear_staging,
    jobs.OpenLists: _open_lists,
}
