"""The rules of one file, made fast: which of them is the last one that matches a name.

Knows the rules of one file, and paths below its folder. Must not know other files: what `!` undoes,
and that an ignored folder ends all, is share_rules' matter.

A literal name, `*.ext` and a literal path are one look-up each. All else is one automaton.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from leftzmq.tree.ignoring.automaton import NONE, Automaton, Memory, State
from leftzmq.tree.ignoring.pattern import Pattern
from leftzmq.tree.ignoring.rule_file import Rule

Last = tuple[int, int]
"""Numbers of the last rule that matches: something that is no folder, and a folder."""

_NO_NAMES: Final[dict[bytes, Last]] = {}


class Position(Struct, frozen=True):
    """A folder as the rules of one file see it.

    path: of the folder, from the file's folder on; "" is the file's folder
    names: what literal paths say of names in it
    state: of the automaton, behind the folder's path and a slash; None: it has nothing that could
        match here
    """

    path: bytes
    names: dict[bytes, Last]
    state: State | None


class Matcher:
    """rules: of one file, in the order of their lines."""

    def __init__(self, rules: tuple[Rule, ...], memory: Memory) -> None:
        self._rules = rules
        self._names: dict[bytes, Last] = {}
        self._suffixes: dict[bytes, Last] = {}
        self._paths: dict[bytes, dict[bytes, Last]] = {}
        wild = [
            (number, rule.pattern)
            for number, rule in enumerate(rules)
            if not self._in_table(number, rule.pattern)
        ]
        start = Automaton(wild, memory).start if wild else None
        self.top = Position(b"", self._paths.get(b"", _NO_NAMES), start)

    def _in_table(self, number: int, pattern: Pattern) -> bool:
        """Whether the pattern has a place in a table; it is there now."""
        if (suffix := pattern.suffix) is not None:
            _put(self._suffixes, suffix, number, pattern)
        elif (literal := pattern.literal) is None:
            return False
        elif pattern.anywhere:
            _put(self._names, literal, number, pattern)
        else:
            folder, _, name = literal.rpartition(b"/")
            _put(self._paths.setdefault(folder, {}), name, number, pattern)
        return True

    def below(self, position: Position, name: bytes) -> Position:
        """The folder `name` in the folder of `position`."""
        path = position.path + b"/" + name if position.path else name
        state = position.state
        if state is not None:
            for byte in name:
                state = state[byte]
            state = state[_SLASH]
            if not state.positions:
                state = None  # nothing below can match
        return Position(path, self._paths.get(path, _NO_NAMES), state)

    def last(self, position: Position, name: bytes, is_folder: bool) -> Rule | None:
        """The last rule that matches `name` in the folder of `position`."""
        found = NONE
        if (last := self._names.get(name)) is not None:
            found = last[is_folder]
        if self._suffixes and (last := self._suffixes.get(name[name.rfind(b".") :])) is not None:
            found = max(found, last[is_folder])
        if position.names and (last := position.names.get(name)) is not None:
            found = max(found, last[is_folder])
        state = position.state
        if state is not None:
            for byte in name:
                state = state[byte]
            if state.ends[is_folder] > found:
                found = state.ends[is_folder]
        return self._rules[found] if found >= 0 else None


_SLASH: Final = ord("/")


def _put(table: dict[bytes, Last], key: bytes, number: int, pattern: Pattern) -> None:
    """A later rule stands for all before it; one for folders alone leaves what holds for others."""
    before = table.get(key, (NONE, NONE))
    table[key] = (before[0] if pattern.folders_only else number, number)
