"""`.lefting` files that no ticket waits for now.

Some are of an earlier life. A ticket leaves others behind when it becomes another ticket, or when
its holders go offline. Some are not where they were made, because a directory above them has
another name now.

Knows what the index stores of them. Must not know what is in them, nor how they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias, TypeVar

from leftzmq.disk.staging.lefting import lefting_path, lefting_paths
from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.lefting_ledger import Lefting
from leftzmq.index.rows import theirs_of
from leftzmq.sync.actions import Outputs, Work
from leftzmq.sync.jobs import ClearStaging, Discard, Discarded, Leftover, StagingCleared
from leftzmq.sync.problems import Problems
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.tree.entry import Entry
from leftzmq.tree.path import is_below, name_of
from leftzmq.tree.plan import Operation, Staged, Verb
from leftzmq.tree.rules import LEFTING_SUFFIX

T = TypeVar("T")
Mark: TypeAlias = tuple[str, int | None]

LEFT_RETRY_S: Final = 10.0
MAX_STRAYS: Final = 1_000
"""The number of our `.lefting` files away from their place, and of unknown ones, that are
remembered. Those beyond this number may stay problems."""


class Leftings:
    """The leftings of one folder. clearing: those of an earlier life are being looked at; nothing
    is staged yet."""

    def __init__(self, folder: str, index_view: IndexView, problems: Problems) -> None:
        self._problems = problems
        self._folder, self._index_view, self._ledger = folder, index_view, index_view.store.leftings
        self._resumable: dict[str, tuple[Staged, bytes]] = {}  # by target, with content
        index_view.kept = self._resumable.keys()
        self._left: dict[Staged, None] = {}  # could not be deleted: tried again
        self._retry_at = 0.0
        # By name and inode: both stay the same when a directory above is renamed.
        self._missing: dict[Mark, None] = {}
        self._strange: dict[Mark, Staged] = {}
        self._known: dict[str, Lefting] = {}  # by name; not in the index yet
        self.clearing = False

    def made_by_job(self, path: str, staged: Staged, content: bytes) -> None:
        """A job of a folder that was stopped meanwhile made this file for `path`. Without an
        inode it is not known whether the job did, unless it is `unread`."""
        self._known[staged.path] = Lefting(path, staged, content)

    def go_on_after(self, before: Leftings) -> None:
        """Takes over what the stopped folder knew: its index may have lost it, and no index says
        which files are not where they were made."""
        existing = before._ledger.existing()
        self._known = {each.staged.path: each for each in existing} | before._known
        before._look_for_replaced()
        self._missing = before._missing

    def _recall(self) -> None:
        """Puts into the index what it does not know yet."""
        for known in self._known.values():
            is_sure = known.staged.inode is not None or known.staged.unread
            at_name = self._ledger.staged(known.staged.path)
            if not any(each.inode is not None or not is_sure for each in at_name):
                self._ledger.put(known)
            if is_sure:
                self._ledger.drop(*self._ledger.intended(lefting_path(known.path)))
        self._known.clear()

    def deadline(self) -> float | None:
        """When `on_time_passed` has something to delete again (monotonic)."""
        return self._retry_at if self._left or self._ledger.is_veiled else None

    def on_time_passed(self, now: float) -> Outputs:
        """Tries again to delete what could not be deleted: a directory that is to be removed waits
        for it. And what a walk took for one that was being made may be one of ours from
        elsewhere."""
        if now < self._retry_at or self.deadline() is None:
            return []
        known = self._ledger.staged(*(staged.path for staged in self._left))
        files = {staged.undoubted for staged in known}
        ours = [staged for staged in self._left if staged.undoubted in files]
        again = tuple(staged for staged in ours if self._stands_alone(staged))
        self._left = dict.fromkeys(staged for staged in ours if staged not in again)
        self._retry_at = now + LEFT_RETRY_S
        out: Outputs = [Work(Discard(self._folder, again))] if again else []
        for staged in self._not_ours(self._ledger.unveiled(), out):
            _keep(self._strange, _mark(staged), staged)
        return out

    def clear(self, spare: Callable[[str], bool]) -> Outputs:
        """At the start, before anything new is staged: clears up the `.lefting` files of an earlier
        life. Those of large files that are still wanted stay, and their content is verified then.
        spare: whether the `.lefting` of a path belongs to another part, which knows more of it."""
        useless: list[Leftover] = []
        resumable: list[Leftover] = []
        self._recall()
        known = [each for each in self._ledger.all() if not spare(each.path)]
        self._index_view.recall(each.path for each in known)
        for each in known:
            path, staged, content = each.path, each.staged, each.wanted
            ours = self._index_view.ours(path)
            leftover = Leftover(path, staged, content, ours.scan if ours is not None else None)
            self._remember(path, content)
            if staged.is_certain and self._may_go_on(path, content):
                self._resumable[path] = (staged, content)
                resumable.append(leftover)
            else:
                useless.append(leftover)
        self.clearing = bool(useless or resumable)
        if not self.clearing:
            return []
        return [Work(ClearStaging(self._folder, tuple(useless), tuple(resumable)))]

    def _remember(self, path: str, content: bytes) -> None:
        """The file may have its name already, by an operation that was not committed any more. That
        stays known over another kill: the ledger forgets a file whose `.lefting` is not there."""
        wanted = theirs_of(self._index_view.rows(path), content)
        if wanted is not None:
            self._index_view.may_have_come(wanted)

    def on_staging_cleared(self, fact: StagingCleared, now: float) -> Outputs:
        self.files_gone(*fact.gone)
        self._stayed(fact.left, now)
        lost = {*fact.gone, *fact.left, *(leftover.staged for leftover in fact.swapped)}
        for path in [path for path, found in self._resumable.items() if found[0] in lost]:
            del self._resumable[path]
        self.clearing = False
        return self._missed(fact.missing)

    def on_discarded(self, fact: Discarded, now: float) -> Outputs:
        self.files_gone(*fact.staged)
        self._stayed(fact.left, now)
        return self._missed(fact.missing)

    def found_by_walk(self, strange: Sequence[Staged]) -> Outputs:
        """A walk found these, which our index does not know."""
        out: Outputs = []
        for staged in self._not_ours(strange, out):
            _keep(self._strange, _mark(staged), staged)
            problem = Problem(self._folder, staged.path, ProblemKind.FOREIGN_LEFTING)
            out += self._problems.show(problem)
        return out

    def _not_ours(self, found: Sequence[Staged], out: Outputs) -> list[Staged]:
        """Those of them that are not ours. The others are deleted (to `out`)."""
        if not found:
            return []
        self._look_for_replaced()
        existing = {_mark(each.staged) for each in self._ledger.existing()}
        ours = existing | self._missing.keys()
        others: list[Staged] = []
        for staged in found:
            if staged.inode is not None and _mark(staged) in ours:
                out += self._back(staged)
            else:
                others.append(staged)
        return others

    def _look_for_replaced(self) -> None:
        """Another one was made where these were: they are not there either."""
        for staged in self._ledger.take_replaced():
            _keep(self._missing, _mark(staged), None)

    def _missed(self, missing: Iterable[Staged]) -> Outputs:
        """These are not where they were made."""
        out: Outputs = []
        for mark in map(_mark, missing):
            if (staged := self._strange.pop(mark, None)) is not None:
                out += self._back(staged)
            elif mark[1] is not None:
                _keep(self._missing, mark, None)
        return out

    def _back(self, staged: Staged) -> Outputs:
        """The file is ours, in a directory that has another name now. It is deleted; what it was
        for is requested anew."""
        self._missing.pop(_mark(staged), None)
        path = staged.path.removesuffix(LEFTING_SUFFIX)
        self._ledger.put(Lefting(path, staged, b"", is_doomed=True))
        return [*self._problems.clear(staged.path), *self.discard(staged)]

    def hand_over(self, entry: Entry) -> Staged | None:
        """The `.lefting` that is left for this path. From now on the downloader is
        responsible for it. A small file goes on with none: what is left stays here for as long as
        its own version may be wanted."""
        found = self._resumable.pop(entry.path, None) if entry.depth > 0 else None
        return None if found is None else found[0]

    def turned(self) -> list[str]:
        """Paths with a `.lefting` left whose rows changed since the last call."""
        paths, self._index_view.turned = self._index_view.turned, set()
        return sorted(paths)

    def useless(self, path: str) -> Outputs:
        """Deletes what is left for `path`, if it will not be wanted any more."""
        if path not in self._resumable or self._may_go_on(path, self._resumable[path][1]):
            return []
        return self.discard(self._resumable.pop(path)[0])

    def ticket_ended(self, entry: Entry, staged: Staged) -> Outputs:
        """A ticket is none any more: keeps its `.lefting` until its holders are back, or deletes
        it."""
        if not self._may_go_on(entry.path, entry.content):
            return self.discard(staged)
        self._resumable[entry.path] = staged, entry.content
        return []

    def discard(self, staged: Staged) -> Outputs:
        """Deletes one. It is ours until it is gone."""
        self._ledger.doom(staged)
        return [Work(Discard(self._folder, (staged,)))]

    def meant(self, operations: Iterable[Operation]) -> None:
        """These operations are about to be carried out. Some make a `.lefting` of their own."""
        self._ledger.intend(
            *((o.path, lefting_path(o.path), bytes(o.entry.content)) for o in _copying(operations))
        )

    def carried_out(
        self, operations: Iterable[Operation], left: Iterable[tuple[Operation, Staged]] = ()
    ) -> None:
        """left: what they made and could neither use nor delete: it is ours until it is gone."""
        self._ledger.put(*(Lefting(o.path, staged, b"", is_doomed=True) for o, staged in left))
        self._ledger.intent_over(*(lefting_path(o.path) for o in _copying(operations)))

    def lie_below(self, folder: str) -> bool:
        """Whether a `.lefting` of ours that will be deleted soon prevents the removal of the
        directory."""
        if any(is_below(path, folder) for path in self._resumable):
            return False  # it stays for the bytes that its holders may still give
        return self._ledger.has_below(folder)

    def files_gone(self, *staged: Staged) -> None:
        """These do not exist any more: they were deleted, or have their own names."""
        self._ledger.drop(*staged)
        for each in staged:
            self._missing.pop(_mark(each), None)

    def _stands_alone(self, staged: Staged) -> bool:
        """Whether a file that a crash left cannot be confused with one that is made for the same
        path now."""
        if staged.is_certain or staged.unread:
            return True
        _, *others = lefting_paths(staged.path.removesuffix(LEFTING_SUFFIX))
        return not (self._ledger.is_meant(staged.path) or self._ledger.staged(*others))

    def _stayed(self, left: Iterable[Staged], now: float) -> None:
        for staged in left:
            self._ledger.doom(staged)
            self._left[staged] = None
            self._retry_at = now + LEFT_RETRY_S

    def _may_go_on(self, path: str, content: bytes) -> bool:
        """Whether a `.lefting` of a large file may be wanted again, even if the devices that have
        the winning version are away."""
        winner = max(self._index_view.rows(path), key=lambda row: row.entry.rank, default=None)
        if winner is None or winner.is_ours or winner.entry.deleted:
            return False
        return winner.entry.depth > 0 and winner.entry.content == content


def makes_lefting(operation: Operation) -> bool:
    """Whether the operation makes a `.lefting`: mtime and exec of a file with other names are
    changed in a copy of it (disk/apply)."""
    old = operation.old if operation.verb is Verb.SET_ATTRIBUTES else None
    return old is not None and old.key.links > 1


def _mark(staged: Staged) -> Mark:
    return name_of(staged.path), staged.inode


def _keep(marks: dict[Mark, T], mark: Mark, what: T) -> None:
    """Keeps a mark. The oldest one is dropped."""
    marks.pop(mark, None)
    marks[mark] = what
    if len(marks) > MAX_STRAYS:
        del marks[next(iter(marks))]


def _copying(operations: Iterable[Operation]) -> Iterator[Operation]:
    return filter(makes_lefting, operations)
