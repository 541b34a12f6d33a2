"""Schedules the sweeps of the trash, and answers the command line's questions about it.

Knows sweeps, listings and time. Must not know what lies in the trash (disk/apply/restore does), nor
what becomes of a version that is put back: the scheduler finds it like any file of a user.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from leftzmq.disk.apply.restore import Between, PutBack, Restored, Trashed
from leftzmq.disk.trash.retention import TrashClock, TrashSize
from leftzmq.errors import Refused
from leftzmq.index.store import Store
from leftzmq.sync.actions import Answer, Outputs, Tell, Work, declined
from leftzmq.sync.facts import FolderStopped, RescanWanted
from leftzmq.sync.jobs import (
    ListTrash,
    RestoreTrash,
    SweepTrash,
    TrashListed,
    TrashRestored,
    TrashSwept,
)
from leftzmq.tree.rules import check_path
from leftzmq.wire.local import EventKind, Scalar
from leftzmq.wire.paging import PAGE_BYTES, PAGE_ITEMS, fitting
from leftzmq.wire.replies import Reply, RestoredReply, Stayed, TrashPage, TrashVersion

SWEEP_PERIOD_S: Final = 86_400.0
RESTORES_AT_ONCE: Final = 128
RESTORES_MAX: Final = 100_000
RESTORES_MAX_LETTERS: Final = 16 << 20
"""The limit of paths that one question puts back, and of their characters: each path is remembered
until the question is answered."""
SAID_MAX: Final = 1_000  # of them named in the answer
SAID_BYTES: Final = 4 << 20

_CLOCK: Final = "trash clock"
_SEE: Final = "`leftzmq trash list` shows what is there"


@dataclass(slots=True)
class TrashQuestion:
    """One question. target: None for a list, else where `path` is put back.

    between: the batches in question (disk/apply/restore)
    after, found: for a list, where it goes on, and what it has found
    number: of its listing; 0 before that is begun
    seen: for a restore, the paths whose newest version is handled; back, stayed: its results
    """

    asker: bytes
    path: str
    between: Between
    after: tuple[str, str] = ("", "")
    target: str | None = None
    found: list[Trashed] = field(default_factory=list)
    found_letters: int = 0
    seen: set[str] = field(default_factory=set)
    seen_letters: int = 0
    waiting: deque[PutBack] = field(default_factory=deque)
    back: list[str] = field(default_factory=list)
    stayed: list[tuple[str, str]] = field(default_factory=list)
    listed: bool = False
    number: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the question puts back no more paths."""
        return len(self.seen) >= RESTORES_MAX or self.seen_letters >= RESTORES_MAX_LETTERS


class TrashKeeper:
    """One per folder. One sweep and one question run at a time; the others wait. holds: returns
    whether the guard withholds something: files that were deleted before it did so are in the
    trash.

    `size`: what lay in the trash after the last sweep; None: there was none yet
    """

    def __init__(self, folder: str, store: Store, holds: Callable[[], bool]) -> None:
        self.size: TrashSize | None = None
        self.folder, self._store, self._holds = folder, store, holds
        self._number = 0
        self._sweeping = False
        self._swept_batches = self._swept_bytes = 0
        self._next_sweep: float | None = None
        self._questions: deque[TrashQuestion] = deque()
        self._rest: TrashQuestion | None = None
        """The continuation of the last page; its listing waits. So a folder of 100,000 names is
        read once, and not for every page."""

    def deadline(self) -> float | None:
        return None if self._sweeping else self._next_sweep

    # -- sweeping --------------------------------------------------------------------------------

    def start(self, now: float) -> Outputs:
        self._next_sweep = now
        return self.on_time_passed(now)

    def on_time_passed(self, now: float) -> Outputs:
        if self._sweeping or self._next_sweep is None or now < self._next_sweep:
            return []
        self._sweeping, self._next_sweep = True, now + SWEEP_PERIOD_S
        self._swept_batches = self._swept_bytes = 0
        self._number += 1
        return [Work(SweepTrash(self.folder, self._number, self._clock(), self._holds()))]

    def on_trash_swept(self, fact: TrashSwept, now: float) -> Outputs:
        swept = fact.swept
        if fact.stop is not None:
            return [FolderStopped(self.folder, fact.stop)]
        assert swept is not None
        self._swept_batches += swept.batches
        self._swept_bytes += swept.bytes
        if not swept.done:
            return [Work(SweepTrash(self.folder, fact.sweep, None))]
        self.size = swept.left
        self._sweeping = False
        clock = f"{swept.clock.shown_ns} {swept.clock.wall_ns}"
        self._store.put_meta(_CLOCK, clock.encode())
        if not self._swept_batches:
            return []
        fields: dict[str, Scalar] = {
            "folder": self.folder,
            "batches": self._swept_batches,
            "bytes": self._swept_bytes,
        }
        return [Tell(EventKind.SWEPT, fields)]

    def _clock(self) -> TrashClock | None:
        packed = self._store.meta(_CLOCK)
        if packed is None:
            return None
        shown_ns, wall_ns = packed.split()
        return TrashClock(int(shown_ns), int(wall_ns))

    # -- questions -------------------------------------------------------------------------------

    def ask_list(
        self, asker: bytes, path: str, between: Between, after: tuple[str, str]
    ) -> Outputs:
        """List the versions of `path` and below ("": all), newest first, in pages. A page with
        `after` is continued by a question with that value, as batch and path."""
        question = TrashQuestion(asker, path, between, after)
        rest = self._rest
        if rest is not None and (rest.path, rest.between, rest.after) == (path, between, after):
            question = replace(rest, asker=asker)
        return self._ask(question)

    def ask_restore(self, asker: bytes, path: str, target: str, between: Between) -> Outputs:
        """Put the newest version of `path`, and of each path below it, back at `target`."""
        return self._ask(TrashQuestion(asker, path, between, target=target))

    def on_trash_listed(self, fact: TrashListed, now: float) -> Outputs:
        if fact.stop is not None:
            return [FolderStopped(self.folder, fact.stop)]
        question = self._questions[0]
        question.listed = fact.part.done
        if question.target is not None:
            self._take_up(question, question.target, fact.part.found)
            return self._go_on(question)
        question.found += fact.part.found
        question.found_letters += sum(len(version.path) for version in fact.part.found)
        return self._page_or_more(question)

    def _page_or_more(self, question: TrashQuestion) -> Outputs:
        full = len(question.found) > PAGE_ITEMS or question.found_letters > PAGE_BYTES
        return self._answer_list(question) if question.listed or full else self._go_on(question)

    def on_trash_restored(self, fact: TrashRestored, now: float) -> Outputs:
        if fact.stop is not None:
            return [FolderStopped(self.folder, fact.stop)]
        question = self._questions[0]
        there: list[str] = []
        for one in fact.returns:
            if one.ending is Restored.DONE:
                there += [*one.made, one.wanted.target]
                question.back.append(one.wanted.target)
            else:
                why = f"{one.ending.value}{f': {one.why}' if one.why else ''}"
                question.stayed.append((one.wanted.target, why))
        out: Outputs = [RescanWanted(self.folder, tuple(there))] if there else []
        return out + self._go_on(question)

    def _ask(self, question: TrashQuestion) -> Outputs:
        self._questions.append(question)
        return self._begin() if len(self._questions) == 1 else []

    def _begin(self) -> Outputs:
        if not self._questions:
            return []
        question = self._questions[0]
        rest, self._rest = self._rest, None
        if question.number and question.number != (rest.number if rest else 0):
            # Another listing came between: begin this one again, after the same version.
            question.number, question.listed = 0, False
            question.found.clear()
            question.found_letters = 0
        if not question.number:
            self._number += 1
            question.number = self._number
        return self._page_or_more(question) if question.found else self._go_on(question)

    def _take_up(self, question: TrashQuestion, target: str, found: tuple[Trashed, ...]) -> None:
        """Take the first version of each path, which is the newest. Older ones stay in the
        trash."""
        for one in found:
            if one.path in question.seen or question.is_full:
                continue
            question.seen.add(one.path)
            question.seen_letters += len(one.path)
            wanted = PutBack(one.batch, one.path, target + one.path[len(question.path) :])
            try:
                check_path(wanted.path)
                check_path(wanted.target)
            except Refused as refused:
                question.stayed.append((wanted.target, refused.refusal.value))
            else:
                question.waiting.append(wanted)

    def _go_on(self, question: TrashQuestion) -> Outputs:
        if question.waiting:
            count = min(RESTORES_AT_ONCE, len(question.waiting))
            wanted = tuple(question.waiting.popleft() for _ in range(count))
            return [Work(RestoreTrash(self.folder, question.number, wanted))]
        if question.listed or question.is_full:
            return self._answer_restore(question)
        path, between, after = question.path, question.between, question.after
        return [Work(ListTrash(self.folder, question.number, path, between, after))]

    def _answer_list(self, question: TrashQuestion) -> Outputs:
        found = (
            TrashVersion(
                batch=one.batch,
                path=one.path,
                kind=one.kind.name.lower(),
                size=one.size,
                mtime_ns=one.mtime_ns,
                cursor=f"{one.batch}/{one.path}",
            )
            for one in question.found
        )
        versions, whole = fitting(found, PAGE_ITEMS, PAGE_BYTES)
        more = versions and not (whole and question.listed)
        after = versions[-1].cursor if more else ""
        if more:
            rest = question.found[len(versions) :]
            last = question.found[len(versions) - 1]
            self._rest = replace(
                question,
                after=(last.batch, last.path),
                found=rest,
                found_letters=sum(len(version.path) for version in rest),
            )
        return self._answer(TrashPage(folder=self.folder, versions=versions, after=after))

    def _answer_restore(self, question: TrashQuestion) -> Outputs:
        if not question.seen:
            when = " of that time" if any(question.between) else ""
            what = f"nothing{when} is in the trash under this path"
            return self._over(declined(question.asker, what, question.path, _SEE))
        stayed = (Stayed(path=path, why=why) for path, why in question.stayed)
        return self._answer(
            RestoredReply(
                folder=self.folder,
                restored=len(question.back),
                stayed=len(question.stayed),
                more=question.is_full,
                restored_list=fitting(question.back, SAID_MAX, SAID_BYTES)[0],
                stayed_list=fitting(stayed, SAID_MAX, SAID_BYTES)[0],
            )
        )

    def _answer(self, reply: Reply) -> Outputs:
        return self._over(Answer(self._questions[0].asker, reply.fields()))

    def _over(self, answer: Answer) -> Outputs:
        self._questions.popleft()
        return [answer, *self._begin()]

    def stop(self, why: str) -> Outputs:
        """The folder is stopped: decline its questions, and start no more jobs."""
        asked = [declined(question.asker, why, self.folder) for question in self._questions]
        self._questions.clear()
        self._rest = None
        return [*asked]
