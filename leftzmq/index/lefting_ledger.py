"""The ledger of our `.lefting` files: each has a row from before it is made until it is gone.

Only its row tells that a file that a crash leaves behind is ours. So a row is written before its
file is made, and deleted only after the file is gone or has another name.

A file may be deleted while another one is about to get its name. Until both are over, the row is in
doubt: after a crash the name may hold either. In memory are, besides, who is about to make what,
and what is not in the index any more, or may not get there.

Knows names, inodes and states (index/lefting_states). Must not know the disk, nor why a file is
made or thrown away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from typing import Final, NamedTuple

from leftzmq.index.connection import Connection
from leftzmq.index.lefting_states import ARE_DOOMED, IN_DOUBT, MOVES, LeftingMove, LeftingState
from leftzmq.index.statements import Ask, among, write_all
from leftzmq.tree.path import name_of, parent_of, path_of_key, sort_key
from leftzmq.tree.plan import Staged

MAX_REPLACED: Final = 1_000
"""As MAX_STRAYS of sync/apply/leftings, which takes them over at the next walk that finds one."""
_COLUMNS: Final = "target, file, inode, content, state"


class Lefting(NamedTuple):
    """One of ours. path: of its target; content: of the file that it was made for; b"": not
    known."""

    path: str
    staged: Staged
    content: bytes
    is_doomed: bool = False

    @property
    def wanted(self) -> bytes:
        """The content that it is still to become; b"": none that is known."""
        return b"" if self.is_doomed else self.content

    @property
    def state(self) -> LeftingState:
        """The state of a row that knows this, and that nobody doubts."""
        learned = self.staged.inode is not None
        missed = LeftingMove.MISREAD if self.staged.unread else LeftingMove.MISS
        state = MOVES[LeftingState.FREE, LeftingMove.LEARN if learned else missed]
        return MOVES[state, LeftingMove.DOOM] if self.is_doomed else state


class LeftingLedger:
    """The table `lefting` of one index. Its writing connection alone changes it."""

    def __init__(self, connection: Connection, ask: Ask, begin: Callable[[], None]) -> None:
        """ask: a query of the store; begin: begins its transaction, unless one is running"""
        self._db, self._ask, self._begin = connection, ask, begin
        self._meant: Counter[str] = Counter()  # names of those that are about to be made
        self._doubted: set[str] = set()  # names that another one may have by now
        # Existing files; one with the same name and inode is being deleted.
        self._reborn: set[Staged] = set()
        self._existing: dict[str, Lefting] = {}  # by name
        self._replaced: dict[Staged, None] = {}  # those of them whose name another one has now
        self._dropped: set[str] | None = None  # since a walk began to look for `.lefting` files
        self._veiled: dict[str, Staged] = {}  # that a walk found, by name: see `foreign`
        for each in self.all():
            if each.staged.inode is not None or each.staged.unread:
                self._existing[each.staged.path] = each._replace(staged=each.staged.undoubted)

    # -- what is known ------------------------------------------------------------------------

    def staged(self, *files: str) -> list[Staged]:
        """Which of these names are ours, as far as we know."""
        return list(self._states(*files))

    def intended(self, *files: str) -> list[Staged]:
        """Those of them that are about to be made."""
        meant = f"SELECT file FROM lefting WHERE state = '{LeftingState.MEANT.value}' AND file IN"
        return [Staged(file, None) for (file,) in among(self._ask, meant, files)]

    def all(self) -> list[Lefting]:
        """Everything that is under way, or was when an earlier life ended."""
        found = self._ask(f"SELECT {_COLUMNS} FROM lefting", ()).fetchall()
        return [
            Lefting(
                path_of_key(target),
                _staged(file, inode, state),
                content,
                LeftingState(state) in ARE_DOOMED,
            )
            for target, file, inode, content, state in found
        ]

    def existing(self) -> list[Lefting]:
        """All that exist, from memory: also what was not committed, and also after the index
        failed."""
        return list(self._existing.values())

    def has(self, file: str) -> bool:
        """Whether this `.lefting` is one of ours."""
        found = self._ask("SELECT 1 FROM lefting WHERE file = ?", (file,)).fetchone()
        return found is not None

    def has_below(self, folder: str) -> bool:
        """Whether a `.lefting` of ours is below this directory."""
        found = self._ask(
            "SELECT 1 FROM lefting WHERE file > ? AND file < ?", (f"{folder}/", f"{folder}0")
        ).fetchone()
        return found is not None

    def is_meant(self, file: str) -> bool:
        """Whether a job is about to make this `.lefting`, or another one in its place."""
        return self._meant[file] > 0

    def is_taken(self, file: str) -> bool:
        """Whether nobody may begin to make this `.lefting`: a job is about to, or one is to be
        thrown away of which only the name is known. After a kill nobody would know which of two
        names is whose."""
        known = self._existing.get(file)
        return self.is_meant(file) or (known is not None and known.staged.unread)

    # -- making one ---------------------------------------------------------------------------

    def intend(self, *meant: tuple[str, str, bytes]) -> None:
        """Stores (target, the `.lefting` that is about to be made for it, the content that it is to
        become). A row of an existing file of that name stays: that file may be deleted before the
        new one is made. Each call must be followed by `intent_over`."""
        self._begin()
        self._meant.update(file for _, file, _ in meant)
        state = MOVES[LeftingState.FREE, LeftingMove.MEAN]
        write_all(
            self._db,
            f"INSERT OR IGNORE INTO lefting({_COLUMNS}) VALUES {{}}",
            [(sort_key(path), file, None, id, state.value) for path, file, id in meant],
        )
        self._doubt(*(file for _, file, _ in meant))

    def intend_to_go_on(self, file: str) -> None:
        """As `intend`, for the file that exists already. Must be followed by `intent_over`."""
        self._meant[file] += 1

    def put(self, *found: Lefting) -> None:
        """These were made or found. If a file that is being deleted has this very name and inode,
        that file is gone, and the new file got both."""
        for each in found:
            before = self._existing.get(each.staged.path)
            goes = before is not None and before.is_doomed and before.staged == each.staged
            if goes and not each.is_doomed:
                self._reborn.add(each.staged)
            self._replaces(each.staged)
        self._existing.update((each.staged.path, each) for each in found)
        self._begin()
        write_all(
            self._db,
            f"INSERT OR REPLACE INTO lefting({_COLUMNS}) VALUES {{}}",
            [
                (sort_key(e.path), e.staged.path, e.staged.inode, e.content, e.state.value)
                for e in found
            ],
        )

    def _replaces(self, made: Staged) -> None:
        """Another file has the name: the one that had it is not there, and may be in a directory
        that was renamed. Who is deleting a file says himself where it was not."""
        known = self._existing.get(made.path)
        if known is None or known.is_doomed or known.staged.inode in (None, made.inode):
            return
        self._replaced[known.staged] = None
        if len(self._replaced) > MAX_REPLACED:
            del self._replaced[next(iter(self._replaced))]

    def take_replaced(self) -> list[Staged]:
        """Those that gave way to others since the last call, and were not said to be gone. From
        memory."""
        replaced, self._replaced = list(self._replaced), {}
        return replaced

    def intent_over(self, *files: str) -> None:
        """The jobs that meant to make these files have ended: each made its file, or another one,
        or none. Another job may still mean to make one; and a file that a crash left under the name
        may still wait for its deletion."""
        self._begin()
        self._meant.subtract(files)
        over = [file for file in files if self._meant[file] <= 0]
        for file in over:
            del self._meant[file]
        for file in self._doubted.intersection(over):
            self._doubted.discard(file)
            self._move(LeftingMove.OVER, "file = ?", file)
        self.drop(*self.intended(*over))
        self._doubt(*(file for file in files if self.is_meant(file)))

    def _doubt(self, *files: str) -> None:
        """Somebody is about to make one of each of these names. Where a file has the name, it may
        be deleted first."""
        for staged in self.staged(*files):
            if staged.is_certain:
                self._doubted.add(staged.path)
                self._move(LeftingMove.MEAN, "file = ?", staged.path)

    # -- throwing one away --------------------------------------------------------------------

    def doom(self, staged: Staged) -> None:
        """The file is about to be deleted: no transfer is to continue with it."""
        if (known := self._known(staged)) is not None:
            self._existing[staged.path] = known._replace(is_doomed=True)
        self._begin()
        self._move(LeftingMove.DOOM, "file = ? AND inode IS ?", staged.path, staged.inode)

    def drop(self, *gone: Staged) -> None:
        """Deletes the rows of these files, which have another name now, or none. Never called
        before that. Another file that got the name since keeps its row, even if it also got the
        inode. One that a job is about to make keeps it, too: it may have the name by now."""
        reborn = self._reborn.intersection(gone)
        self._reborn -= reborn
        gone = tuple(staged for staged in gone if staged not in reborn)
        for staged in gone:
            self._replaced.pop(staged.undoubted, None)
            if self._known(staged) is not None:
                del self._existing[staged.path]
        states = self._states(*(staged.path for staged in gone))
        free = [
            staged
            for staged in gone
            if staged in states and MOVES[states[staged], _going(staged)] is LeftingState.FREE
        ]
        names = [staged.path for staged in free if not self.is_meant(staged.path)]
        self._begin()
        self._now_only_meant(gone)
        for staged in free:
            if self.is_meant(staged.path):
                self._mean_again(staged.path)
        write_all(
            self._db, "DELETE FROM lefting WHERE file IN (VALUES {})", [(name,) for name in names]
        )
        if self._dropped is not None:
            self._dropped.update(names)

    def _now_only_meant(self, gone: Sequence[Staged]) -> None:
        """The first file of the name is deleted; the second one may exist. Nobody has noted what it
        is to become, and it must not be taken for what the first one was to become."""
        names = self._doubted.intersection(staged.path for staged in gone)
        for each in [each for each in gone if each.path in names and not each.in_doubt]:
            where, also = "file = ? AND inode IS ?", ", inode = NULL, content = x''"
            if self._move(LeftingMove.GO, where, each.path, each.inode, also=also):
                self._doubted.discard(each.path)

    def _mean_again(self, file: str) -> None:
        """What an earlier life left under this name is gone, and a job is about to make another
        one."""
        self._db.execute(
            "UPDATE lefting SET state = ?, inode = NULL, content = x'' WHERE file = ?",
            (MOVES[LeftingState.FREE, LeftingMove.MEAN].value, file),
        )

    def _known(self, staged: Staged) -> Lefting | None:
        known = self._existing.get(staged.path)
        return known if known is not None and known.staged.inode == staged.inode else None

    # -- telling ours from others -------------------------------------------------------------

    def before_walk(self) -> None:
        """A walk begins to look what lies in the share. A `.lefting` of ours that it sees may have
        its final name, or be deleted, by the time its result arrives."""
        self._dropped = set()

    def foreign(self, found: Iterable[Staged]) -> list[Staged]:
        """Of the `.lefting` files found since `before_walk`, those whose paths were never ours. A
        hidden file in a directory where one is about to be made may be ours: it may have got
        another name than was meant. What cannot be told now is told by `unveiled`."""
        found = list(found)
        dropped, self._dropped = self._dropped or (), None
        unknown = {each for each in found if each.path not in dropped and not self.has(each.path)}
        busy = self._busy() if unknown else set()
        foreign = [each for each in found if each in unknown and not _may_be_in(busy, each)]
        told = unknown.intersection(foreign)
        for each in found:
            if each not in told and each.inode is not None and self._known(each) is None:
                self._veiled[each.path] = each
                if len(self._veiled) > MAX_REPLACED:
                    del self._veiled[next(iter(self._veiled))]
        return foreign

    @property
    def is_veiled(self) -> bool:
        """Whether a walk found something of which it is not known what it is."""
        return bool(self._veiled)

    def unveiled(self) -> list[Staged]:
        """What walks found under names that somebody was about to use, and nobody is now: those
        that he did not make, or that are gone by now. Names that are ours now say nothing."""
        busy = self._busy()
        over = [
            each
            for each in self._veiled.values()
            if not (self.is_meant(each.path) or _may_be_in(busy, each))
        ]
        for each in over:
            del self._veiled[each.path]
        return [each for each in over if not self.has(each.path)]

    def _busy(self) -> set[str]:
        """Directories in which one is about to be made."""
        return {parent_of(file) for file in self._meant}

    # -- statements ---------------------------------------------------------------------------

    def _states(self, *files: str) -> dict[Staged, LeftingState]:
        question = "SELECT file, inode, state FROM lefting WHERE file IN"
        found = among(self._ask, question, files)
        return {_staged(*columns): LeftingState(columns[2]) for columns in found}

    def _move(self, move: LeftingMove, where: str, *values: object, also: str = "") -> bool:
        """Moves the rows that do not end with this move. Returns whether there were any."""
        changes, which = _CHANGES[move]
        done = self._db.execute(
            f"UPDATE lefting SET state = {changes}{also} WHERE {where} AND {which}", values
        )
        return done.rowcount > 0


def _staged(file: str, inode: int | None, state: str) -> Staged:
    known = LeftingState(state)
    return Staged(file, inode, known in IN_DOUBT, known is LeftingState.UNREAD)


def _may_be_in(busy: Set[str], found: Staged) -> bool:
    """Whether this may be one that is being made there, by its name."""
    return name_of(found.path).startswith(".") and parent_of(found.path) in busy


def _going(staged: Staged) -> LeftingMove:
    """The move of a file that is gone. Who deleted one that was in doubt deleted either."""
    return LeftingMove.EMPTY if staged.in_doubt else LeftingMove.GO


def _changes(move: LeftingMove) -> tuple[str, str]:
    """What `state` becomes by this move, and the rows for which it becomes something else."""
    free = LeftingState.FREE
    changed = {
        before.value: after.value
        for (before, moved), after in MOVES.items()
        if moved is move and before is not after and free not in (before, after)
    }
    cases = " ".join(f"WHEN '{before}' THEN '{after}'" for before, after in changed.items())
    among_these = ",".join(f"'{before}'" for before in changed)
    return f"CASE state {cases} END", f"state IN ({among_these})"


_CHANGES: Final = {
    move: _changes(move)
    for move in (LeftingMove.MEAN, LeftingMove.DOOM, LeftingMove.OVER, LeftingMove.GO)
}
