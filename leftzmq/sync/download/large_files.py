"""Files of many chunks on their way, a few at a time.

Part of the downloader. Knows phases, and which job each leads to. Must not know whom to ask for
what: that is sync/download/chunk_picker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from leftzmq.content.seal import MAC_BYTES
from leftzmq.disk.staging.lefting import lefting_path, lefting_paths
from leftzmq.errors import Problem, ProblemKind, Refused
from leftzmq.sync.actions import Action, Drop, Work, tell_entry
from leftzmq.sync.download.availability import Haves
from leftzmq.sync.download.failed_requests import Vain
from leftzmq.sync.download.folder_view import FolderView, asked_of
from leftzmq.sync.download.rarest_first import Spread
from leftzmq.sync.download.transfer import Arriving, Phase
from leftzmq.sync.download.transfer_slots import VERY_LARGE_BYTES, Places
from leftzmq.sync.facts import Fact, FileHeldUp, FileLeft, FileStaged
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
"""Files that are held up and whose rows we know: as sets, of at most 512 KiB each."""

Key = tuple[str, str]  # folder, path


@dataclass(frozen=True, slots=True)
class Held:
    """What there is of a file that is to begin (again). here: rows that it holds for certain, of
    so many bytes; 0: it is verified."""

    entry: Entry
    staged: Staged
    here: int = 0
    have_bytes: int = 0


class LargeFiles:
    """`_active`: those with a phase, smallest first; `_queue`: those that wait for their turn;
    `_held`: what there is of those that did not begin (again) yet; `_jobs`: those under way that
    open its `.lefting`; `_leaving`: what nobody wants any more, until they are over; `_tries`: how
    often nobody gave a file.

    A `.lefting` is gone on with, said to be whole or let go only when no job is under way that
    opens it. One that was forgotten may still take over what it has to throw out again
    (disk/staging/local_copy); and after it was thrown away, another file at its name can have its
    inode number, and would get its bytes (seed 1200902).

    sources: how many devices can be asked now.
    """

    def __init__(
        self, folders: Mapping[str, FolderView], haves: Haves, sources: Callable[[], int]
    ) -> None:
        self._folders, self._haves = folders, haves
        self._active: dict[Key, Arriving] = {}
        self._queue: dict[Key, tuple[Entry, Entry | None]] = {}
        self._places = Places(sources)
        self._held: dict[Key, Held] = {}
        self._jobs: Counter[Key] = Counter()
        self._leaving: dict[Key, Held] = {}
        self._vain: Vain[Key] = Vain()
        self._tries: Counter[Key] = Counter()
        self._to_expand: dict[Key, None] = {}
        self._expanding: tuple[Key, bytes] | None = None
        self._expanded_for: DeviceKey | None = None

    @property
    def waits(self) -> bool:
        return any(a.phase in (Phase.LISTS, Phase.FETCHING) for a in self._active.values())

    def all(self) -> list[Arriving]:
        return list(self._active.values())

    def is_current(self, arriving: Arriving) -> bool:
        return self._active.get((arriving.folder, arriving.entry.path)) is arriving

    def want(
        self, folder: str, entry: Entry, previous: Entry | None, kept: Staged | None = None
    ) -> None:
        key = (folder, entry.path)
        if kept is not None:
            self._held[key] = Held(entry, kept)
        leaving = self._leaving.get(key)
        if leaving is not None and leaving.entry.content == entry.content:
            self._held[key] = self._leaving.pop(key)
        active = self._active.get(key)
        if active is not None and active.entry.content == entry.content:
            active.entry = entry
            return
        self._queue[key] = (entry, previous)
        self._offer(key)

    def holders_changed(self, folder: str, path: str) -> None:
        """What waits for a place may have one of another device."""
        if (folder, path) in self._queue:
            self._offer((folder, path))

    def lost(self, device: DeviceKey) -> None:
        """It cannot be asked any more."""
        self._places.lost(device, lambda key: self._holders(key[0], self._active[key].entry))

    def forget(self, folder: str, path: str) -> list[Action | Fact]:
        key = (folder, path)
        if self._queue.pop(key, None) is not None:
            self._places.withdraw(key)
        held = self._held.pop(key, None)
        self._tries.pop(key, None)
        if key in self._active:
            arriving = self._end(self._active[key])
            held = Held(arriving.entry, arriving.staged) if arriving.staged else held
        if held is None:
            return []
        if self._jobs[key]:
            self._leaving[key] = held
            return []
        return [FileLeft(folder, held.entry, held.staged)]

    def stopped(self, folder: str) -> None:
        """Nothing of this folder is wanted any more, nor is a job of it under way when it is wanted
        again."""
        for key in [key for key in self._queue if key[0] == folder]:
            del self._queue[key]
            self._places.withdraw(key)
            self._vain.given(key)
        for key in [key for key in self._active if key[0] == folder]:
            del self._active[key]
            self._places.give_back(key)
            self._vain.given(key)
        self._held = {key: at for key, at in self._held.items() if key[0] != folder}
        self._tries = Counter({key: n for key, n in self._tries.items() if key[0] != folder})
        self._leaving = {key: at for key, at in self._leaving.items() if key[0] != folder}
        self._jobs = Counter({key: n for key, n in self._jobs.items() if key[0] != folder})

    def start(self) -> list[Action | Fact]:
        """Begin with what waits, smallest first, while there are places for it."""
        out: list[Action | Fact] = []
        later: list[Key] = []
        for key, device, very in self._places.free():
            if key not in self._queue:
                continue
            entry, previous = self._queue[key]
            store = self._folders[key[0]].store
            if key in self._active or self._jobs[key] or store.is_meant(lefting_path(key[1])):
                later.append(key)
                continue
            if device not in self._holders(key[0], entry):
                continue  # any more; it is offered where it is
            del self._queue[key]
            self._places.take(key, device, very)
            spread = Spread(self._folders[key[0]].device)
            for other, have in self._haves.of(key[0], bytes(entry.content)):
                spread.heard(other, have)
            self._active[key] = Arriving(key[0], entry, spread, previous)
            self._active = dict(sorted(self._active.items(), key=lambda at: at[1].entry.size))
            out += self._expand(self._active[key])
        for key in later:
            self._offer(key)
        return out

    # -- what nobody gives --------------------------------------------------------------------

    def in_vain(self, arriving: Arriving, device: DeviceKey, since: float) -> None:
        """The device gives nothing of what it was asked for, since then (monotonic)."""
        if self.is_current(arriving):
            self._vain.asked((arriving.folder, arriving.entry.path), device, since)

    def not_given(self, now: float) -> list[Action | Fact]:
        """Files that none of their holders gives lose their places."""
        out: list[Action | Fact] = []
        for key in self._vain.due(now):
            arriving = self._active[key]
            waits = arriving.phase in (Phase.LISTS, Phase.FETCHING) and not self._jobs[key]
            holders = self._holders(arriving.folder, arriving.entry)
            if waits and self._vain.nobody_gives(key, holders, now):
                said = asked_of(self._folders[arriving.folder], holders)
                problem = Problem(key[0], key[1], ProblemKind.NOT_GIVEN, said)
                out += self._hold_up(arriving, problem)
                self._tries[key] += 1
        return out

    # -- what jobs found ----------------------------------------------------------------------

    def lists_came(self, fact: ListsOpened) -> list[Action | Fact]:
        """Some lists are here; those that were not what their ids say are to be asked for again."""
        out: list[Action | Fact] = []
        came = {id for id, _ in fact.lists}
        for arriving in self._active.values():
            if arriving.folder == fact.folder and arriving.phase is Phase.LISTS:
                arriving.lists_asked.difference_update(fact.bad)
                left = tuple(id for id in arriving.lists_missing if id not in came)
                if left != arriving.lists_missing:
                    self._vain.given((arriving.folder, arriving.entry.path))
                if arriving.lists_missing and not left:
                    out += self._expand(arriving)
                arriving.lists_missing = left
        return out

    def expanded(self, fact: ListsExpanded) -> list[Action | Fact]:
        """All lists here? Then on to the `.lefting`."""
        key = (fact.folder, fact.entry.path)
        arriving = self._of(fact.folder, fact.entry)
        if fact.begun is not None and arriving is not None and arriving.phase is Phase.LISTS:
            return [Work(ExpandLists(fact.folder, fact.entry, fact.begun))]
        if self._expanding == (key, bytes(fact.entry.content)):
            self._expanding = None
        out = self._with_rows(arriving, fact) if arriving is not None else []
        return out + self._next_expansion()

    def _with_rows(self, arriving: Arriving, fact: ListsExpanded) -> list[Action | Fact]:
        if arriving.phase is not Phase.LISTS:
            return []
        if fact.problem is not None:
            return self._hold_up(arriving, fact.problem)
        if fact.lie is not None:
            return self._lied(arriving, fact.lie)
        if fact.rows is None:
            arriving.lists_missing = fact.missing
            return []  # next_for asks for them
        arriving.set_rows(fact.rows, fact.repeats, fact.once)
        arriving.spread.set_rows(len(fact.rows))
        arriving.phase = Phase.OPENING
        entry, store = arriving.entry, self._folders[arriving.folder].store
        held = self._held.pop((arriving.folder, entry.path), None)
        if held is not None and held.entry.content == entry.content:
            arriving.certain = (held.staged, held.here, held.have_bytes)
        known = next(iter(store.resumable(*lefting_paths(entry.path))), None)
        first = lefting_path(entry.path)
        if known is not None and known.path == first:
            store.intend_to_go_on(first)
        else:
            store.intend_staged((entry.path, first, bytes(entry.content)))
        return [Work(OpenStaging(arriving.folder, entry, known))]

    def opened(self, fact: StagingOpened) -> list[Action | Fact]:
        store, path = self._folders[fact.folder].store, fact.entry.path
        if fact.staged is not None:
            store.put_staged((path, fact.staged, bytes(fact.entry.content)))
        store.intent_over(lefting_path(path))
        arriving = self._of(fact.folder, fact.entry)
        if arriving is None or arriving.phase is not Phase.OPENING:
            return self._discard(fact.folder, fact.staged) if fact.staged else []
        arriving.staged, arriving.fresh = fact.staged, not fact.found
        if fact.problem is not None:
            return self._hold_up(arriving, fact.problem)
        arriving.phase = Phase.VERIFYING
        arriving.go_on_from_what_is_certain()
        return self._next_job(arriving, 0.0)

    def home_searched(self, fact: HomeSearched, now: float) -> list[Action | Fact]:
        arriving = self._of(fact.folder, fact.entry)
        if arriving is None or arriving.phase is not Phase.AT_HOME:
            return []
        arriving.homes.extend(fact.homes)
        arriving.at = 0
        return self._next_job(arriving, now)

    def kept(self, fact: ChunksKept, now: float) -> list[Action | Fact]:
        left = self._job_over(fact.folder, fact.entry.path)
        arriving = self._of(fact.folder, fact.entry)
        if arriving is None or arriving.staged != fact.staged:
            return left
        arriving.got(fact.offsets)
        if fact.problem is not None:
            return self._hold_up(arriving, fact.problem)
        arriving.copied()
        return self._next_job(arriving, now)

    def write(self, job: WriteChunks) -> list[Action | Fact]:
        """What came is to be written."""
        return self._opens(job)

    def written(self, fact: ChunksWritten, now: float) -> list[Action | Fact]:
        left = self._job_over(fact.folder, fact.entry.path)
        arriving = self._of(fact.folder, fact.entry)
        if arriving is None or arriving.staged != fact.staged:
            return left
        assert arriving.rows is not None
        arriving.got(piece.offset for piece in fact.written)
        arriving.fetched_bytes += sum(piece.length for piece in fact.written)
        if fact.written:
            self._vain.given((fact.folder, fact.entry.path))
        if fact.problem is not None:
            return self._hold_up(arriving, fact.problem)
        for piece in fact.written if arriving.repeats else ():
            row = arriving.rows.at(piece.offset)
            assert row is not None
            arriving.repeat(row, zeros=piece.box_bytes == MAC_BYTES)
        rows = [arriving.rows.at(piece.offset) for piece in fact.bad]
        arriving.asked_in_vain(row for row in rows if row is not None)
        return self._tell(arriving, now) + self._go_on(arriving)

    # -- phases -----------------------------------------------------------------------------------

    def _expand(self, arriving: Arriving) -> list[Action | Fact]:
        """Very large ones in turn, one at a time: a table of all chunks is made for each."""
        if arriving.entry.size <= VERY_LARGE_BYTES:
            return [Work(ExpandLists(arriving.folder, arriving.entry))]
        self._to_expand[arriving.folder, arriving.entry.path] = None
        return self._next_expansion()

    def _next_expansion(self) -> list[Action | Fact]:
        if self._expanding is not None or not self._to_expand:
            return []
        others = (k for k in self._to_expand if self._places.whose(k) != self._expanded_for)
        key = next(others, None) or next(iter(self._to_expand))
        del self._to_expand[key]
        entry = self._active[key].entry
        self._expanding, self._expanded_for = (key, bytes(entry.content)), self._places.whose(key)
        return [Work(ExpandLists(key[0], entry))]

    def _offer(self, key: Key) -> None:
        entry = self._queue[key][0]
        self._places.offer(key, entry.size, self._tries[key], self._holders(key[0], entry))

    def _holders(self, folder: str, entry: Entry) -> Iterable[DeviceKey]:
        return self._folders[folder].holders(entry)

    def _end(self, arriving: Arriving) -> Arriving:
        """It gives its place back."""
        key = (arriving.folder, arriving.entry.path)
        del self._active[key]
        self._to_expand.pop(key, None)
        self._places.give_back(key)
        self._vain.given(key)
        self._haves.ended(arriving)
        return arriving

    def _next_job(self, arriving: Arriving, now: float) -> list[Action | Fact]:
        """The next slice of verifying or of copying from home; then the rest is fetched."""
        folder, entry, staged = arriving.folder, arriving.entry, arriving.staged
        assert staged is not None and arriving.rows is not None
        if arriving.phase is Phase.VERIFYING:
            if not arriving.fresh and (asks := arriving.verify_slice()):
                return self._opens(VerifyStaging(folder, entry, staged, asks))
            arriving.phase = Phase.AT_HOME
            return [Work(SearchHome(folder, entry, arriving.rows, arriving.previous))]
        if arriving.phase is Phase.AT_HOME:
            if (found := arriving.home_slice()) is not None:
                return self._opens(LookAtHome(folder, entry, staged, *found))
            arriving.repeat_what_is_here()
            arriving.phase = Phase.FETCHING
        return self._tell(arriving, now) + self._go_on(arriving)

    def _go_on(self, arriving: Arriving) -> list[Action | Fact]:
        """While it is fetched: copy what came once and belongs to several rows; is it whole?"""
        assert arriving.staged is not None
        if arriving.phase is Phase.WHOLE:
            return []
        if arriving.whole:
            if self._jobs[arriving.folder, arriving.entry.path]:
                return []  # their end comes here again
            arriving.phase = Phase.WHOLE
            return self._opens(Sample(arriving.folder, arriving.entry, arriving.staged))
        if arriving.copying is not None or (chunks := arriving.copy_slice()) is None:
            return []
        staged = arriving.staged
        return self._opens(LookAtHome(arriving.folder, arriving.entry, staged, staged.path, chunks))

    def sampled(self, fact: Sampled) -> list[Action | Fact]:
        """It was whole: the applier may have it, if it could be read."""
        left = self._job_over(fact.folder, fact.entry.path)
        arriving = self._of(fact.folder, fact.entry)
        if arriving is None or arriving.staged != fact.staged or not arriving.whole:
            return left
        if fact.problem is not None:
            return self._hold_up(arriving, fact.problem)
        self._end(arriving)
        self._tries.pop((arriving.folder, arriving.entry.path), None)
        return [FileStaged(arriving.folder, arriving.entry, fact.staged, fact.noise)]

    def _opens(self, job: LookAtHome | VerifyStaging | Sample | WriteChunks) -> list[Action | Fact]:
        self._jobs[job.folder, job.entry.path] += 1
        return [Work(job)]

    def _job_over(self, folder: str, path: str) -> list[Action | Fact]:
        """After the last one what nobody wants any more is let go."""
        self._jobs -= Counter({(folder, path): 1})  # keeps no zeros
        if self._jobs[folder, path] or (folder, path) not in self._leaving:
            return []
        held = self._leaving.pop((folder, path))
        return [FileLeft(folder, held.entry, held.staged)]

    def _hold_up(self, arriving: Arriving, problem: Problem) -> list[Action | Fact]:
        """It must wait; its `.lefting` stays, and is verified when it is wanted again if it was
        something of ours that failed."""
        self._end(arriving)
        key = (arriving.folder, arriving.entry.path)
        if arriving.staged is not None:
            room = sum(held.here > 0 for held in self._held.values()) < MARKS_KEPT
            sure = problem.kind is ProblemKind.NOT_GIVEN and room
            known = (arriving.here, arriving.have_bytes) if sure else (0, 0)
            self._held[key] = Held(arriving.entry, arriving.staged, *known)
        return [FileHeldUp(arriving.folder, arriving.entry, problem)]

    def _lied(self, arriving: Arriving, lie: Refused) -> list[Action | Fact]:
        """Lists that are what their ids say and do not add up to the entry: nobody can have such a
        file, and whoever says so is dropped."""
        entry = arriving.entry
        why = Problem(arriving.folder, entry.path, ProblemKind.UNREADABLE, str(lie))
        holders = self._folders[arriving.folder].holders(entry)
        liars = [Drop(device, lie.refusal, f"{entry.path}: {lie.detail}") for device in holders]
        return [*self._hold_up(arriving, why), *liars]

    def _discard(self, folder: str, staged: Staged) -> list[Action | Fact]:
        self._folders[folder].store.doom_staged(staged)
        return [Work(Discard(folder, (staged,)))]

    def _of(self, folder: str, entry: Entry) -> Arriving | None:
        arriving = self._active.get((folder, entry.path))
        return arriving if arriving and arriving.entry.content == entry.content else None

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
