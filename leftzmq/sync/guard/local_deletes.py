"""Losses on this device, on their way into its index: floods and waves of noise are held back.

Knows sightings and counts. Must not know pages or tickets. What is held is not kept in memory: the
index still has the old version. A walk finds again what is gone. Of a file that lies there in place
of the old version, the stat is stored (sync/versions/withheld).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.index.rows import Row
from leftzmq.sync.guard.states import GuardMove, GuardState
from leftzmq.sync.guard.threshold import (
    QUIET_S,
    Judged,
    Side,
    Wave,
    goes_at_once,
    is_flood,
    is_noise_wave,
)
from leftzmq.sync.versions.held_sightings import HeldSightings, still_true
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.sync.versions.withheld import REPLACED, WhyWithheld
from leftzmq.tree.entry import Kind, Observed, ScanKey
from leftzmq.tree.loss import loses
from leftzmq.tree.path import parent_of

GATHER_MAX_S: Final = 60.0
"""How long files of a large renamed tree may be read again before the missing ones count as
deleted."""
CONFIRM_S: Final = 60.0
"""What is gone, and is no flood, is reported if a look within this time finds it gone once more."""
JUDGED_A_TURN: Final = 64  # paths (about 50 us each)
TWINS_LOOKED_AT: Final = 8


class Suspect(Struct, frozen=True):
    """A sighting that may be part of a flood.

    lost: a file of ours would be lost
    turned: its content turned to noise

    A link, or what lies below a lost file, is neither, and passes with the rest.
    """

    sighting: Sighting
    lost: bool = False
    turned: bool = False

    @property
    def path(self) -> str:
        return self.sighting.path

    @property
    def is_gone(self) -> bool:
        return self.sighting.sight is Sight.GONE

    @property
    def why(self) -> WhyWithheld:
        """Why what lies there is withheld."""
        return (
            WhyWithheld.LOST
            if self.lost
            else WhyWithheld.TURNED
            if self.turned
            else WhyWithheld.BELOW
        )


class _Allowed(Struct, frozen=True):
    """A path that is gone, and is no part of a flood. It is looked at once more.

    until: monotonic. lost: a file is lost if that look finds it gone, too
    """

    until: float
    lost: bool


class Unhave(Protocol):
    """sync/versions/resolver.Resolver.unhave."""

    def __call__(self, path: str, seen: ScanKey | None, why: WhyWithheld) -> bool: ...


class LocalDeletes(Side):
    """The local side of the guard of one folder.

    quiet: whether the scheduler has read all that it knows of
    unhave: makes a version that we had a ticket again, where another device has it
            (sync/versions/resolver)
    """

    def __init__(
        self,
        index_view: IndexView,
        locks: PathLocks,
        wave: Wave,
        turning: Wave,
        quiet: Callable[[], bool],
        unhave: Unhave,
    ) -> None:
        super().__init__(wave, turning)
        self._index_view, self._locks, self._quiet, self._unhave = index_view, locks, quiet, unhave
        self._to_look_at: list[str] = []
        self._to_confirm: dict[str, _Allowed] = {}
        self._pending: HeldSightings[Suspect] = HeldSightings()
        self._began = self._due = 0.0
        self._unjudged: list[str] = []
        self._moved_away: set[str] = set()  # lost, but another file of ours has the content
        self._lost = 0
        # Contents of files that were passed on since the wave was counted.
        self._went: list[bytes] = []
        self._back: list[str] = []  # these are tickets again
        self._seen_gone = 0  # while held, since the last walk of everything
        self._walks = 0  # walks of everything that ended while something was held
        self._walk_ended_at: float | None = None  # after a user decided
        self.let_pass = False  # something was passed on because a user accepts it

    @property
    def turned_pending(self) -> int:
        return self._index_view.held.count(WhyWithheld.TURNED)

    def deadline(self) -> float | None:
        waits = (
            self.state in (GuardState.GATHERING, GuardState.JUDGING)
            or self._walk_ended_at is not None
        )
        return self._due if waits else None

    def hold(self, judged: Judged) -> None:
        super().hold(judged)
        self._seen_gone, self._walks = 0, 0
        self._unjudged.clear()
        self._moved_away.clear()
        self._to_confirm.clear()
        self._keep_back(self._pending.release_all())

    def decide(self, decision: GuardMove) -> None:
        """ACCEPT or REVERT, until a walk of everything has found all of it once more."""
        self.begin(decision)
        self._walk_ended_at = None
        self._index_view.held.forget_undecided()

    def decision_ends(self, now: float, *, walk_ended: bool = False) -> None:
        """Ends the decision of a user. It has been carried out when a walk of everything has ended,
        and what the walk found was read. A file that is young, or whose time is in the future, is
        read later."""
        if self.state not in (GuardState.ACCEPTING, GuardState.REVERTING):
            return
        if walk_ended and self._walk_ended_at is None:
            self._walk_ended_at = now
        if self._walk_ended_at is None:
            return
        self._due = now + QUIET_S / 4
        if self._quiet() or now >= self._walk_ended_at + GATHER_MAX_S:
            self._walk_ended_at = None
            self.move(GuardMove.CARRY_OUT)

    def release(self) -> None:
        """What is held is no flood any more."""
        self._index_view.held.forget_undecided()
        self.move(GuardMove.PASS)

    def drop_what_is_left_over(self) -> bool:
        """Whether something was withheld below a path that has been brought back, or announced,
        since. A walk finds it."""
        if self.state is not GuardState.OPEN or not self._index_view.held.is_left_over:
            return False
        self._index_view.held.forget_undecided()
        return True

    def restarted(self) -> None:
        """The next walk of everything begins after the loss was held. That walk also finds what
        only waited."""
        self._walks = 1
        if self.state is not GuardState.HELD:
            self._index_view.held.forget_undecided()

    # -- sightings -------------------------------------------------------------------------------

    def pass_on(self, sightings: tuple[Sighting, ...], now: float, wall_ns: int) -> list[Sighting]:
        """The sightings that may be passed on to the announcer now."""
        self._index_view.recall(sighting.path for sighting in sightings)
        if self._index_view.author.receives:
            # What is lost here is told to nobody.
            return [sighting for sighting in sightings if not self._is_kept_back(sighting)]
        passed: list[Sighting] = []
        suspects: list[Suspect] = []
        turned = 0
        for at, sighting in enumerate(sightings):
            if sighting.sight is Sight.GONE:
                suspect = self._of_gone(sightings, at)
                if self._is_confirmed(sighting.path, suspect, now):
                    passed.append(sighting)
                elif suspect is not None:
                    suspects.append(suspect)
                elif not self._comes_back(sighting):
                    passed.append(sighting)
                continue
            self._to_confirm.pop(sighting.path, None)
            if self._is_kept_back(sighting):
                continue
            if (suspect := self._of_found(sighting)) is not None:
                suspects.append(suspect)
                continue
            passed += self._with_origin(sighting)
            turned += self._is_new_noise(sighting, wall_ns)
        return passed + self._sort_out(suspects, turned, now, wall_ns)

    def _of_gone(self, sightings: tuple[Sighting, ...], at: int) -> Suspect | None:
        """The suspect of a sighting that found something gone. None: nothing of ours was there; or
        a directory was, which is reported as gone only after what was in it
        (sync/scan/pending_deletes); or the next sighting found the same file under another name."""
        gone = sightings[at]
        ours = self._live(gone.path)
        if ours is None or ours.entry.kind is Kind.DIRECTORY:
            return None
        suspect = Suspect(gone, lost=ours.entry.kind is Kind.FILE)
        found = sightings[at + 1] if at + 1 < len(sightings) else None
        if not _is_same_file(gone, found):
            return suspect
        return self._moved(suspect, ours, found.observed if found else None)

    def _is_confirmed(self, path: str, suspect: Suspect | None, now: float) -> bool:
        """Whether this is the second look at what was gone, and is no flood."""
        allowed = self._to_confirm.pop(path, None)
        if suspect is None or suspect.turned or allowed is None or allowed.until <= now:
            return False
        self._note([suspect])
        return True

    def _moved(self, suspect: Suspect, ours: Row, found: Observed | None) -> Suspect | None:
        """Our file has another name now. Returns None if its content there still counts as our
        file."""
        if ours.entry.kind is not Kind.FILE or found is None:
            return None
        if _turns(ours, found):
            return replace(suspect, turned=True)
        lost = loses(ours.entry.size, found.kind, found.size)
        return suspect if lost else None

    def _of_found(self, sighting: Sighting) -> Suspect | None:
        found, path = sighting.observed, sighting.path
        assert found is not None, "what is found was read"
        ours = self._live(path)
        if ours is None:
            return Suspect(sighting) if self._is_below_a_file(path) else None
        if ours.entry.kind is not Kind.FILE:
            return None
        if loses(ours.entry.size, found.kind, found.size):
            return Suspect(sighting, lost=True)
        return Suspect(sighting, turned=True) if _turns(ours, found) else None

    def _is_kept_back(self, sighting: Sighting) -> bool:
        """Whether what was found is to be replaced by our version, or lies below such a path."""
        held = self._index_view.held
        if not held or sighting.key is None or sighting.sight is Sight.GONE:
            return False
        path, found = sighting.path, held.at(sighting.path)
        if found is not None and found.why in REPLACED:
            return found.key == sighting.key
        while path := parent_of(path):
            above = held.at(path)
            if above is not None and above.why is WhyWithheld.GIVES_WAY:
                held.withhold(sighting.path, sighting.key, WhyWithheld.BELOW)
                return True
        return False

    def _is_below_a_file(self, path: str) -> bool:
        """Whether our index has a file where a directory above `path` lies now: that loss is
        decided first."""
        while path := parent_of(path):
            ours = self._live(path)
            if ours is not None:
                return ours.entry.kind is Kind.FILE
        return False

    def _is_new_noise(self, sighting: Sighting, wall_ns: int) -> int:
        """How many files turned to noise by it: 1 if another file is gone from the same directory,
        else 0."""
        found = sighting.observed
        if found is None or not found.noise or self._live(sighting.path) is not None:
            return 0
        return self.swaps.noise_came(parent_of(sighting.path), wall_ns)

    def _sort_out(
        self, suspects: list[Suspect], turned: int, now: float, wall_ns: int
    ) -> list[Sighting]:
        """turned: how many files turned to noise that are not among the suspects."""
        match self.state:
            case GuardState.ACCEPTING:
                self.let_pass |= bool(suspects)
                return [suspect.sighting for suspect in suspects]
            case GuardState.REVERTING:
                return [
                    s.sighting
                    for s in suspects
                    if not (self._is_kept_back(s.sighting) or self._comes_back(s.sighting))
                ]
            case GuardState.HELD:
                self._keep_back(suspects)
                return []
        turned += self._count_turned(suspects, wall_ns)
        wave, before = self.wave.count(wall_ns), self.turning.count(wall_ns)
        files = self._index_view.counters.files + wave
        if is_noise_wave(before + turned, files):
            lost = sum(s.lost for s in (*suspects, *self._pending))
            held = sum(s.turned and not s.is_gone for s in suspects)
            self.hold(Judged(wave + lost, files, wave, before + turned - held, noise=1))
            self._keep_back(suspects)
            return []
        self.turning.went(turned, wall_ns)
        passed = [s.sighting for s in suspects if s.turned and not s.lost]
        for sighting in passed:
            self._pending.release(sighting.path)
        rest = [suspect for suspect in suspects if suspect.lost or not suspect.turned]
        return passed + self._gather(rest, wave, files, now)

    def _count_turned(self, suspects: list[Suspect], wall_ns: int) -> int:
        turned = 0
        for suspect in suspects:
            if suspect.path in self._pending:
                continue  # it was counted before
            if suspect.turned:
                turned += 1
            elif suspect.lost and suspect.is_gone:
                ours = self._live(suspect.path)
                if ours is not None and not ours.noise:
                    turned += self.swaps.file_went(parent_of(suspect.path), wall_ns)
        return turned

    def _gather(self, suspects: list[Suspect], wave: int, files: int, now: float) -> list[Sighting]:
        """Returns those that may pass at once. The rest waits until no more arrive."""
        if not suspects:
            return []
        if self.state is GuardState.OPEN:
            if goes_at_once(wave + sum(suspect.lost for suspect in suspects), files):
                self._note(suspects)
                return [suspect.sighting for suspect in suspects]
            self.move(GuardMove.GATHER)
            self._began = now
        if any(suspect.path not in self._pending for suspect in suspects):
            # A path that is only seen again does not put it off: what waits for its delete looks at
            # it every two seconds.
            self._due = min(now + QUIET_S, max(now, self._began + GATHER_MAX_S))
        for suspect in suspects:
            self._pending.hold(suspect)
            key = suspect.sighting.key
            if key is not None and not suspect.is_gone:
                # Without this a walk would find the path again, and have it looked at again.
                self._index_view.held.withhold(suspect.path, key, suspect.why)
        return []

    def _keep_back(self, suspects: Iterable[Suspect]) -> None:
        """These are withheld: they are not announced."""
        for suspect in suspects:
            key = suspect.sighting.key
            if suspect.is_gone or key is None:
                self._index_view.held.release(suspect.path)
                self._seen_gone += suspect.lost
            else:
                self._index_view.held.withhold(suspect.path, key, suspect.why)

    def _comes_back(self, sighting: Sighting) -> bool:
        """Whether a user wants back what we had there, and another device has it."""
        if self.state is not GuardState.REVERTING:
            return False
        is_gone = sighting.sight is Sight.GONE
        why = WhyWithheld.WANTED if is_gone else WhyWithheld.GIVES_WAY
        if not self._unhave(sighting.path, sighting.key, why):
            return False
        self._back.append(sighting.path)
        return True

    def _with_origin(self, found: Sighting) -> list[Sighting]:
        """What was found. If the path that the file had before waits here, its sighting comes
        first."""
        self._pending.release(found.path)
        origin = self._pending.origin_of(found)
        if origin is None or (found.key is not None and found.key.links > 1):
            return [found]  # another name says nothing of a file with several names
        ours = self._live(origin.path)
        if ours is not None and self._moved(origin, ours, found.observed) is not None:
            return [found]  # its content is not the same any more: the file that it was is gone
        self._pending.release(origin.path)
        return [*self._still_true([origin]), found]

    # -- judging ---------------------------------------------------------------------------------

    def judge(self, now: float, wall_ns: int) -> list[Sighting] | None:
        """What is passed on after all. None: nothing is decided yet, or it is held now."""
        if now < self._due:
            return None
        if self.state is GuardState.GATHERING:
            if not self._quiet() and now < self._began + GATHER_MAX_S:
                self._due = now + QUIET_S / 4
                return None
            wave = self.wave.count(wall_ns)
            count = sum(suspect.lost for suspect in self._pending) + self._confirming(now)
            if not is_flood(wave + count, self._index_view.counters.files + wave):
                return self._let_go(now)
            self.move(GuardMove.COUNT)
            self._lost = self._confirming(now)
            self._unjudged = [suspect.path for suspect in self._pending]
        if self.state is not GuardState.JUDGING:
            return None
        for _ in range(min(JUDGED_A_TURN, len(self._unjudged))):
            path = self._unjudged.pop()
            suspect = self._pending.at(path)
            if suspect is None or not suspect.lost:
                continue
            if self._lives_on(path):
                self._moved_away.add(path)
            else:
                self._lost += 1
        if self._unjudged:
            return None
        wave = self.wave.count(wall_ns)
        files = self._index_view.counters.files + wave
        if not is_flood(wave + self._lost, files):
            return self._let_go(now)
        self.hold(Judged(wave + self._lost, files, wave, self.turning.count(wall_ns)))
        return None

    def _let_go(self, now: float) -> list[Sighting]:
        """Returns what was found, and is reported after all. What is gone is looked at once more
        first: while it waited here, a directory above it may have been put back together with it.
        The walk of that directory found nothing new, because the index still has it."""
        suspects = self._pending.release_all()
        gone = [suspect for suspect in suspects if suspect.is_gone]
        for suspect in gone:
            lost = suspect.lost and suspect.path not in self._moved_away
            self._to_confirm[suspect.path] = _Allowed(now + CONFIRM_S, lost)
            self._to_look_at.append(suspect.path)
        sightings = self._still_true([each for each in suspects if not each.is_gone])
        self._unjudged.clear()
        self._moved_away.clear()
        self.move(GuardMove.PASS)
        going = {sighting.path for sighting in sightings}
        self._note([suspect for suspect in suspects if suspect.path in going])
        return sightings

    def _confirming(self, now: float) -> int:
        """The number of files that are lost if a second look finds them gone, too."""
        for path in [path for path, each in self._to_confirm.items() if each.until <= now]:
            del self._to_confirm[path]
        return sum(each.lost for each in self._to_confirm.values())

    def _still_true(self, waited: list[Suspect]) -> list[Sighting]:
        """Those of them that may be reported. The paths of the others are looked at once more."""
        true, changed = still_true(
            (suspect.sighting for suspect in waited),
            self._index_view.store,
            self._locks,
            lambda _: True,  # of what was found there, `_gather` put the stat into the index
        )
        self._to_look_at += changed
        return true

    def _live(self, path: str) -> Row | None:
        ours = self._index_view.ours(path)
        return None if ours is None or ours.entry.deleted else ours

    def look_again(self) -> list[str]:
        """Paths at which something changed while their sightings waited here."""
        paths, self._to_look_at = self._to_look_at, []
        return paths

    def brought_back(self) -> list[str]:
        """Paths that became tickets again since the last call."""
        paths, self._back = self._back, []
        return paths

    def _note(self, going: list[Suspect]) -> None:
        """These are passed on. Whether anything is lost by them is seen when the announcer has
        them."""
        self._index_view.recall(suspect.path for suspect in going)
        for suspect in going:
            ours = self._live(suspect.path)
            if suspect.lost and ours is not None:
                self._went.append(bytes(ours.entry.content))

    def count_went(self, wall_ns: int) -> None:
        """The announcer has what was passed on. A content that another file of ours has was only
        moved."""
        if self._went:
            self.wave.went(self._index_view.deleted(self._went), wall_ns)
            self._went.clear()

    def _lives_on(self, path: str) -> bool:
        """Whether another file of ours that still exists has the same content."""
        ours = self._live(path)
        if ours is None or ours.entry.kind is not Kind.FILE:
            return True
        twins = self._index_view.store.twins(ours.entry.content, TWINS_LOOKED_AT)
        return any(row.entry.path != path and row.entry.path not in self._pending for row in twins)

    # -- walks -----------------------------------------------------------------------------------

    def on_walk_ended(self) -> bool:
        """A walk of everything is over. Returns whether what was held is not a flood any more."""
        if self.state is not GuardState.HELD:
            return False
        lost = self._seen_gone + self._index_view.held.count(WhyWithheld.LOST)
        self._walks, self._seen_gone = self._walks + 1, 0
        if self._walks == 1:
            return False  # the walk may have begun before the hold, and so have missed most of it
        files = self._index_view.counters.files
        if not self.judged.is_still_so(lost, self.turned_pending, files):
            return True
        self.judged = self.judged._replace(losses=self.judged.went + lost)
        return False


def _turns(ours: Row, found: Observed) -> bool:
    """Whether the content of our file was no noise, and is noise now."""
    return found.noise and not ours.noise and found.content != ours.entry.content


def _is_same_file(gone: Sighting, found: Sighting | None) -> bool:
    if found is None or found.sight is not Sight.FOUND or found.key is None or gone.key is None:
        return False
    return found.key.inode == gone.key.inode
