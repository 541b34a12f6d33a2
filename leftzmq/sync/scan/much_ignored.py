"""Says so when a change of rules took more than half of the files of a folder out of sync.

Nothing is lost by that, so nothing is held back; but a `*` in the wrong file looks like rest. The
Problem stays until a user acknowledges it, or until it is not so any more; also over a restart.

Knows counts, and the rule that did most. Must not know which paths these are.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from leftzmq.errors import Problem, ProblemKind, counted
from leftzmq.index.store import Store
from leftzmq.sync.actions import Outputs
from leftzmq.sync.problems import Problems
from leftzmq.tree.path import is_within

MANY_FILES: Final = 100
"""As the guard has it (decision 3): what concerns this many files, or fewer, is not said."""
_META: Final = "much ignored"
_ALL: Final = "."  # the share's root, as the path of a Problem


class TakenOut(Struct, frozen=True):
    """What a change of rules took out of sync.

    files: how many. of: how many this device had in the folder of all devices
    below: the folder of the share in which the rules changed. before: files there that were not
        kept already
    rule: the place and the text of a rule that did it; "": not known
    """

    files: int
    of: int
    below: str
    before: int
    rule: str

    def pack(self) -> bytes:
        numbers = f"{self.files} {self.of} {self.before}"
        packed = "\0".join((numbers, self.below, self.rule))  # neither has a NUL
        return packed.encode(errors="surrogateescape")

    @classmethod
    def unpack(cls, packed: bytes) -> TakenOut:
        numbers, below, rule = packed.decode(errors="surrogateescape").split("\0")
        files, of, before = map(int, numbers.split())
        return cls(files, of, below, before, rule)

    @property
    def is_much(self) -> bool:
        return self.files > MANY_FILES and 2 * self.files > self.of


class MuchIgnored:
    """Of one folder. taken: what is said; None: nothing."""

    def __init__(self, folder: str, store: Store, problems: Problems) -> None:
        self._folder, self._store, self._problems = folder, store, problems
        packed = store.meta(_META)
        self.taken = TakenOut.unpack(packed) if packed else None

    def watched(self, folder: str) -> str | None:
        """The folder below which files that are not kept are to be counted, when rules changed
        below `folder`; None: that changes nothing of what is said."""
        if self.taken is None:
            return None
        below = self.taken.below
        return below if is_within(folder, below) or is_within(below, folder) else None

    def start(self) -> Outputs:
        """What an earlier life said is said again."""
        return self._show() if self.taken is not None else []

    def judged(self, taken: TakenOut, not_kept: int | None) -> Outputs:
        """A change of rules took so much out of sync. not_kept: files that are not kept below the
        folder of what is said; None: nothing is said of them."""
        said = self.taken
        goes_on = said is not None and is_within(taken.below, said.below)
        if taken.is_much and not goes_on:
            return self._say(taken)
        if said is None or not_kept is None:
            return []
        files = max(0, not_kept - said.before)
        return self._say(replace(said, files=files, of=max(files, said.of)))

    def acknowledge(self) -> Outputs:
        """A user has read it."""
        return self._say(None)

    def _say(self, taken: TakenOut | None) -> Outputs:
        before, self.taken = self.taken, taken if taken is not None and taken.is_much else None
        if before == self.taken:
            return []
        self._store.put_meta(_META, b"" if self.taken is None else self.taken.pack())
        out: Outputs = []
        if before is not None and (self.taken is None or self.taken.below != before.below):
            out += self._problems.clear(before.below or _ALL, kind=ProblemKind.MUCH_IGNORED)
        return out + (self._show() if self.taken is not None else [])

    def _show(self) -> Outputs:
        taken = self.taken
        assert taken is not None
        detail = f"{taken.files:,} of {counted(taken.of, 'file')}"
        detail += f"; {taken.rule}" if taken.rule else ""
        path = taken.below or _ALL
        return self._problems.show(Problem(self._folder, path, ProblemKind.MUCH_IGNORED, detail))
