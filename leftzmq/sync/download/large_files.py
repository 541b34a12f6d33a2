"""Downloads files of many chunks, a few at a time.

Part of the downloader. Knows phases, and which job each leads to. Must not know which device to ask
for what (sync/download/chunk_picker does).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

from leftzmq.content.seal import MAC_BYTES
from leftzmq.disk.staging.lefting import lefting_path, lefting_paths
from leftzmq.errors import Problem, ProblemKind, Refused
from leftzmq.index.lefting_ledger import Lefting
from leftzmq.sync.actions import Drop, Outputs, Work, tell_entry
from leftzmq.sync.download.availability import Availability
from leftzmq.sync.download.failed_requests import FailedRequests
from leftzmq.sync.download.folder_view import FolderView, asked_of
from leftzmq.sync.download.rarest_first import RarestFirst
from leftzmq.sync.download.transfer import Transfer, TransferMove, TransferPhase
from leftzmq.sync.download.transfer_slots import VERY_LARGE_BYTES, TransferSlots
from leftzmq.sync.facts import FileHeldUp, FileLeft, FileStaged
from leftzmq.sync.jobs import (
    ChunksKept,
    ChunksWritten,
    Discard,
    ExpandLists,
    HomeSearched,
    ListsExpanded,
    ListsOpened,
    LookAtHome,
    OpenStaging,
    Sample,
    Sampled,
    SearchHome,
    StagingOpened,
    VerifyStaging,
    WriteChunks,
)
from leftzmq.sync.link import DeviceKey
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Staged
from leftzmq.wire.local import EventKind, Scalar

PROGRESS_PERIOD_S: Final = 0.25
MARKS_KEPT: Final = 64
"""Held-up files whose rows are known, as sets of at most 512 KiB each."""

Key = tuple[str, str]  # folder, path


class BeginningFile(Struct, frozen=True):
    """What exists of a file that is to begin (again). here: rows that are certainly in its
    `.lefting`, have_bytes in total; 0: the `.lefting` must be verified."""

    entry: Entry
    staged: Staged
    here: int = 0
    have_bytes: int = 0


class LargeFiles:
    """`_active`: files with a phase, smallest first
    `_queue`: files that wait for a slot
    `_held`: what exists of files that have not begun (again) yet
    `_jobs`: running jobs that have a file's `.lefting` open
    `_leaving`: files that nobody wants any more, until their jobs are over
    `_tries`: how often no holder sent a file
    `_put_off`: whether a file could begin, and something of it is still under way
    sources: returns how many devices can be asked now

    A `.lefting` is continued, declared whole or released only while no job has it open. Two things
    could go wrong otherwise. A job of a forgotten file may still take over a file that it has to
    discard again (disk/staging/local_copy). And after a `.lefting` is deleted, another file at its
    name can get its inode number, and the job would write into that file (seed 1200902).
    """

    def __init__(
        self,
        folders: Mapping[str, FolderView],
        availability: Availability,
        sources: Callable[[], int],
    ) -> None:
        self._folders, self._availability = folders, availability
        self._active: dict[Key, Transfer] = {}
        self._queue: dict[Key, tuple[Entry, Entry | None]] = {}
        self._slots = TransferSlots(sources)
        self._held: dict[Key, BeginningFile] = {}
        self._jobs: Counter[Key] = Counter()
        self._leaving: dict[Key, BeginningFile] = {}
        self._failed_requests: FailedRequests[Key] = FailedRequests()
        self._tries: Counter[Key] = Counter()
        self._put_off = False
        self._to_expand: dict[Key, None] = {}
        self._expanding: tuple[Key, bytes] | None = None
        self._expanded_for: DeviceKey | None = None

    @property
    def waits(self) -> bool:
        return self._put_off or any(
            a.phase in (TransferPhase.LISTS, TransferPhase.FETCHING) for a in self._active.values()
        )

    def all(self) -> list[Transfer]:
        return list(self._active.values())

    def transfer_of(self, folder: str, path: str) -> Transfer | None:
        """Return the transfer of the file at `path`, if it has begun."""
        return self._active.get((folder, path))

    def is_current(self, transfer: Transfer) -> bool:
        return self._active.get((transfer.folder, transfer.entry.path)) is transfer

    def want(
        self, folder: str, entry: Entry, previous: Entry | None, kept: Staged | None = None
    ) -> None:
        key = (folder, entry.path)
        if kept is not None:
            self._held[key] = BeginningFile(entry, kept)
        leaving = self._leaving.get(key)
        if leaving is not None and leaving.entry.content == entry.content:
            self._held[key] = self._leaving.pop(key)
        active = self._active.get(key)
        if active is not None and active.entry.content == entry.content:
            active.entry = entry
            return
        self._queue[key] = (entry, previous)
        self._offer(key)

    def on_holders_changed(self, folder: str, path: str) -> None:
        """A file that waits for a slot may get a slot of another device."""
        if (folder, path) in self._queue:
            self._offer((folder, path))

    def forget_device(self, device: DeviceKey) -> None:
        """The device cannot be asked any more."""
        self._slots.forget_device(
            device, lambda key: self._holders(key[0], self._active[key].entry)
        )

    def not_wanted(self, folder: str, path: str) -> Outputs:
        key = (folder, path)
        if self._queue.pop(key, None) is not None:
            self._slots.withdraw(key)
        held = self._held.pop(key, None)
        self._tries.pop(key, None)
        if key in self._active:
            transfer = self._end(self._active[key])
            held = BeginningFile(transfer.entry, transfer.staged) if transfer.staged else held
        if held is None:
            return []
        if self._jobs[key]:
            self._leaving[key] = held
            return []
        return [FileLeft(folder, held.entry, held.staged)]

    def forget_folder(self, folder: str) -> None:
        """Forget this folder's files. None of its jobs is still running when the folder is opened
        again."""
        for key in [key for key in self._queue if key[0] == folder]:
            del self._queue[key]
            self._slots.withdraw(key)
            self._failed_requests.given(key)
        for key in [key for key in self._active if key[0] == folder]:
            del self._active[key]
            self._slots.give_back(key)
            self._failed_requests.given(key)
        self._held = {key: at for key, at in self._held.items() if key[0] != folder}
        self._tries = Counter({key: n for key, n in self._tries.items() if key[0] != folder})
        self._leaving = {key: at for key, at in self._leaving.items() if key[0] != folder}
        self._jobs = Counter({key: n for key, n in self._jobs.items() if key[0] != folder})

    def start(self) -> Outputs:
        """Start waiting files, smallest first, while there are free slots."""
        out: Outputs = []
        later: list[Key] = []
        for key, device, very in self._slots.free():
            if key not in self._queue:
                continue
            entry, previous = self._queue[key]
            leftings = self._folders[key[0]].store.leftings
            if key in self._active or self._jobs[key] or leftings.is_taken(lefting_path(key[1])):
                later.append(key)
                continue
            if device not in self._holders(key[0], entry):
                continue  # any more; the file is offered to its present holders
            del self._queue[key]
            self._slots.occupy(key, device, very)
            rarest_first = RarestFirst(self._folders[key[0]].device)
            for other, have in self._availability.announced(key[0], bytes(entry.content)):
                rarest_first.have_came(other, have)
            self._active[key] = Transfer(key[0], entry, rarest_first, previous)
            self._active = dict(sorted(self._active.items(), key=lambda at: at[1].entry.size))
            out += self._expand(self._active[key])
        self._put_off = bool(later)
        for key in later:
            self._offer(key)
        return out

    # -- files that no holder sends -----------------------------------------------------------

    def in_vain(self, transfer: Transfer, device: DeviceKey, since: float) -> None:
        """Since `since` (monotonic seconds) the device has sent nothing of what it was asked
        for."""
        if self.is_current(transfer):
            self._failed_requests.asked((transfer.folder, transfer.entry.path), device, since)

    def not_given(self, now: float) -> Outputs:
        """Return the Problems of files that none of their holders sends. Those files lose their
        slots."""
        out: Outputs = []
        for key in self._failed_requests.due(now):
            transfer = self._active[key]
            waits = (
                transfer.phase in (TransferPhase.LISTS, TransferPhase.FETCHING)
                and not self._jobs[key]
            )
            holders = self._holders(transfer.folder, transfer.entry)
            if waits and self._failed_requests.nobody_gives(key, holders, now):
                said = asked_of(self._folders[transfer.folder], holders)
                problem = Problem(key[0], key[1], ProblemKind.NOT_GIVEN, said)
                out += self._hold_up(transfer, problem)
                self._tries[key] += 1
        return out

    # -- results of jobs ----------------------------------------------------------------------

    def on_lists_opened(self, fact: ListsOpened, now: float) -> Outputs:
        """Some lists arrived. Those that do not match their ids are requested again."""
        out: Outputs = []
        came = {id for id, _ in fact.lists}
        for transfer in self._active.values():
            if transfer.folder == fact.folder and transfer.phase is TransferPhase.LISTS:
                transfer.lists_asked.difference_update(fact.bad)
                left = tuple(id for id in transfer.lists_missing if id not in came)
                if left != transfer.lists_missing:
                    self._failed_requests.given((transfer.folder, transfer.entry.path))
                if transfer.lists_missing and not left:
                    out += self._expand(transfer)
                transfer.lists_left(left)
        return out

    def on_lists_expanded(self, fact: ListsExpanded, now: float) -> Outputs:
        """If all lists are here, open the `.lefting`."""
        key = (fact.folder, fact.entry.path)
        transfer = self._of(fact.folder, fact.entry)
        if (
            fact.begun is not None
            and transfer is not None
            and transfer.phase is TransferPhase.LISTS
        ):
            return [Work(ExpandLists(fact.folder, fact.entry, fact.begun))]
        if self._expanding == (key, bytes(fact.entry.content)):
            self._expanding = None
        out = self._with_rows(transfer, fact) if transfer is not None else []
        return out + self._next_expansion()

    def _with_rows(self, transfer: Transfer, fact: ListsExpanded) -> Outputs:
        if transfer.phase is not TransferPhase.LISTS:
            return []
        if fact.problem is not None:
            return self._hold_up(transfer, fact.problem)
        if fact.lie is not None:
            return self._lied(transfer, fact.lie)
        if fact.rows is None:
            transfer.lists_left(fact.missing)
            return []  # next_for requests them
        transfer.set_rows(fact.rows, fact.repeats, fact.once)
        entry, store = transfer.entry, self._folders[transfer.folder].store
        held = self._held.pop((transfer.folder, entry.path), None)
        if held is not None and held.entry.content == entry.content:
            transfer.has_certainly(held.staged, held.here, held.have_bytes)
        known = next(iter(store.resumable(*lefting_paths(entry.path))), None)
        first = lefting_path(entry.path)
        if known is not None and known.path == first:
            store.leftings.intend_to_go_on(first)
        else:
            store.leftings.intend((entry.path, first, bytes(entry.content)))
        return [Work(OpenStaging(transfer.folder, entry, known))]

    def on_staging_opened(self, fact: StagingOpened, now: float) -> Outputs:
        leftings, path = self._folders[fact.folder].store.leftings, fact.entry.path
        staged = fact.staged
        out: Outputs = []
        if staged is not None:
            leftings.put(Lefting(path, staged, bytes(fact.entry.content)))
        leftings.intent_over(lefting_path(path))
        if staged is not None and staged.unread:  # nobody could go on with it
            out = self._discard(fact.folder, staged)
            staged = None
        transfer = self._of(fact.folder, fact.entry)
        if transfer is None or transfer.phase is not TransferPhase.OPENING:
            return self._discard(fact.folder, staged) if staged else out
        transfer.lies_in(staged, fresh=not fact.found)
        if fact.problem is not None:
            return out + self._hold_up(transfer, fact.problem)
        transfer.move(TransferMove.OPEN)
        transfer.go_on_from_what_is_certain()
        return self._next_job(transfer, 0.0)

    def on_home_searched(self, fact: HomeSearched, now: float) -> Outputs:
        transfer = self._of(fact.folder, fact.entry)
        if transfer is None or transfer.phase is not TransferPhase.AT_HOME:
            return []
        transfer.homes_found(fact.homes)
        return self._next_job(transfer, now)

    def on_chunks_kept(self, fact: ChunksKept, now: float) -> Outputs:
        left = self._job_over(fact.folder, fact.entry.path)
        transfer = self._of(fact.folder, fact.entry)
        if transfer is None or transfer.staged != fact.staged:
            return left
        had_bytes = transfer.have_bytes
        transfer.got(fact.offsets)
        if transfer.phase is TransferPhase.AT_HOME:
            self._folders[fact.folder].found_at_home(transfer.have_bytes - had_bytes)
        if fact.problem is not None:
            return self._hold_up(transfer, fact.problem)
        transfer.copied()
        return self._next_job(transfer, now)

    def write_arrived(self, job: WriteChunks) -> Outputs:
        """Return the job that writes chunks that arrived."""
        return self._opens(job)

    def on_chunks_written(self, fact: ChunksWritten, now: float) -> Outputs:
        left = self._job_over(fact.folder, fact.entry.path)
        transfer = self._of(fact.folder, fact.entry)
        if transfer is None or transfer.staged != fact.staged:
            return left
        assert transfer.rows is not None
        transfer.fetched(fact.written)
        if fact.written:
            self._failed_requests.given((fact.folder, fact.entry.path))
        if fact.problem is not None:
            return self._hold_up(transfer, fact.problem)
        for piece in fact.written if transfer.repeats else ():
            row = transfer.rows.at(piece.offset)
            assert row is not None
            transfer.repeat(row, zeros=piece.box_bytes == MAC_BYTES)
        rows = [transfer.rows.at(piece.offset) for piece in fact.bad]
        transfer.asked_in_vain(row for row in rows if row is not None)
        return self._tell(transfer, now) + self._go_on(transfer)

    # -- the phases of a transfer -----------------------------------------------------------------

    def _expand(self, transfer: Transfer) -> Outputs:
        """Expand the lists; of very large files one at a time, because each needs a table of all
        its chunks."""
        if transfer.entry.size <= VERY_LARGE_BYTES:
            return [Work(ExpandLists(transfer.folder, transfer.entry))]
        self._to_expand[transfer.folder, transfer.entry.path] = None
        return self._next_expansion()

    def _next_expansion(self) -> Outputs:
        if self._expanding is not None or not self._to_expand:
            return []
        others = (k for k in self._to_expand if self._slots.whose(k) != self._expanded_for)
        key = next(others, None) or next(iter(self._to_expand))
        del self._to_expand[key]
        entry = self._active[key].entry
        self._expanding, self._expanded_for = (key, bytes(entry.content)), self._slots.whose(key)
        return [Work(ExpandLists(key[0], entry))]

    def _offer(self, key: Key) -> None:
        entry = self._queue[key][0]
        self._slots.offer(key, entry.size, self._tries[key], self._holders(key[0], entry))

    def _holders(self, folder: str, entry: Entry) -> Iterable[DeviceKey]:
        return self._folders[folder].holders(entry)

    def _end(self, transfer: Transfer) -> Transfer:
        """Remove the transfer and release its slot."""
        key = (transfer.folder, transfer.entry.path)
        del self._active[key]
        self._to_expand.pop(key, None)
        self._slots.give_back(key)
        self._failed_requests.given(key)
        self._availability.transfer_ended(transfer)
        return transfer

    def _next_job(self, transfer: Transfer, now: float) -> Outputs:
        """Return the next slice of verifying or of local copying; after the last slice, fetch the
        rest."""
        folder, entry, staged = transfer.folder, transfer.entry, transfer.staged
        assert staged is not None and transfer.rows is not None
        if transfer.phase is TransferPhase.VERIFYING:
            if not transfer.fresh and (asks := transfer.verify_slice()):
                return self._opens(VerifyStaging(folder, entry, staged, asks))
            transfer.move(TransferMove.VERIFY)
            return [Work(SearchHome(folder, entry, transfer.rows, transfer.previous))]
        if transfer.phase is TransferPhase.AT_HOME:
            if (found := transfer.home_slice()) is not None:
                return self._opens(LookAtHome(folder, entry, staged, *found))
            transfer.repeat_what_is_here()
            transfer.move(TransferMove.COPY)
        return self._tell(transfer, now) + self._go_on(transfer)

    def _go_on(self, transfer: Transfer) -> Outputs:
        """During FETCHING: copy a chunk that belongs to several rows, and check whether the file is
        whole."""
        assert transfer.staged is not None
        if transfer.phase is TransferPhase.WHOLE:
            return []
        if transfer.whole:
            if self._jobs[transfer.folder, transfer.entry.path]:
                return []  # when the jobs end, this method runs again
            transfer.move(TransferMove.COMPLETE)
            return self._opens(Sample(transfer.folder, transfer.entry, transfer.staged))
        if transfer.copying is not None or (chunks := transfer.copy_slice()) is None:
            return []
        staged = transfer.staged
        return self._opens(LookAtHome(transfer.folder, transfer.entry, staged, staged.path, chunks))

    def on_sampled(self, fact: Sampled, now: float) -> Outputs:
        """The file is whole: hand it to the applier, if it could be read."""
        left = self._job_over(fact.folder, fact.entry.path)
        transfer = self._of(fact.folder, fact.entry)
        if transfer is None or transfer.staged != fact.staged or not transfer.whole:
            return left
        if fact.problem is not None:
            return self._hold_up(transfer, fact.problem)
        self._end(transfer)
        self._tries.pop((transfer.folder, transfer.entry.path), None)
        return [FileStaged(transfer.folder, transfer.entry, fact.staged, fact.noise)]

    def _opens(self, job: LookAtHome | VerifyStaging | Sample | WriteChunks) -> Outputs:
        self._jobs[job.folder, job.entry.path] += 1
        return [Work(job)]

    def _job_over(self, folder: str, path: str) -> Outputs:
        """After its last job, release a file that nobody wants any more."""
        self._jobs -= Counter({(folder, path): 1})  # keeps no zeros
        if self._jobs[folder, path] or (folder, path) not in self._leaving:
            return []
        held = self._leaving.pop((folder, path))
        return [FileLeft(folder, held.entry, held.staged)]

    def _hold_up(self, transfer: Transfer, problem: Problem) -> Outputs:
        """Hold the file up. Its `.lefting` stays. If the failure was local, the `.lefting` is
        verified when the file is wanted again."""
        self._end(transfer)
        key = (transfer.folder, transfer.entry.path)
        if transfer.staged is not None:
            room = sum(held.here > 0 for held in self._held.values()) < MARKS_KEPT
            sure = problem.kind is ProblemKind.NOT_GIVEN and room
            known = (transfer.here, transfer.have_bytes) if sure else (0, 0)
            self._held[key] = BeginningFile(transfer.entry, transfer.staged, *known)
        return [FileHeldUp(transfer.folder, transfer.entry, problem)]

    def _lied(self, transfer: Transfer, lie: Refused) -> Outputs:
        """The lists match their ids and do not add up to the entry. Nobody can have such a file, so
        every device that claims to have it is dropped."""
        entry = transfer.entry
        why = Problem(transfer.folder, entry.path, ProblemKind.UNREADABLE, str(lie))
        holders = self._folders[transfer.folder].holders(entry)
        liars = [Drop(device, lie.refusal, f"{entry.path}: {lie.detail}") for device in holders]
        return [*self._hold_up(transfer, why), *liars]

    def _discard(self, folder: str, staged: Staged) -> Outputs:
        self._folders[folder].store.leftings.doom(staged)
        return [Work(Discard(folder, (staged,)))]

    def _of(self, folder: str, entry: Entry) -> Transfer | None:
        transfer = self._active.get((folder, entry.path))
        return transfer if transfer and transfer.entry.content == entry.content else None

    def _tell(self, transfer: Transfer, now: float) -> Outputs:
        if not transfer.tells(now, PROGRESS_PERIOD_S):
            return []
        more: dict[str, Scalar] = {
            "block": transfer.have_chunks,
            "recv_size": transfer.have_bytes,
            "fetched": transfer.fetched_bytes,
        }
        return [tell_entry(EventKind.PROGRESS, transfer.folder, transfer.entry, **more)]
