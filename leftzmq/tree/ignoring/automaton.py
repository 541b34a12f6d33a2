"""Many patterns with wildcards as one automaton over the bytes of a path.

Knows patterns and their numbers. Must not know what they are for.

A set of positions, one bit each, says how far each pattern has matched: all patterns take a byte by
a few operations on one int (bit-parallel simulation of an NFA). So no pattern can make a name cost
more than its bytes times the bits of all patterns: there is no backtracking. A byte of a pattern
makes at most three bits, and a file has a bound for these (rule_file.MAX_WILD_BYTES).

What a byte does to a set of positions is remembered, as a lazily made DFA, and most names cost one
look-up a byte. What is remembered is bounded by `Memory`.

Several threads may ask: what they share are memories of pure functions. A state that one thread
forgets and another one is at is only made again.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from leftzmq.tree.ignoring.pattern import Gap, Pattern, bytes_of

_SLASH: Final = ord("/")
_BYTES: Final = 256

NONE: Final = -1
"""The number of no pattern."""

MEMORY_BYTES: Final = 16 * 1024 * 1024
"""1,000 rules with wildcards over 100,000 paths fill half of it (bench/ignoring.py)."""
# Rounded up: 16,000 states of 500 bits with 19,000 steps take 6.6 MB by tracemalloc, 8.0 by these.
_STATE_BYTES: Final = 320
_STEP_BYTES: Final = 96


class Forgets(Protocol):
    """Something that remembers what it could work out again."""

    def forget(self) -> None: ...


class Memory:
    """How much may be remembered by all that register, together: about MEMORY_BYTES. When that is
    reached, all of it is forgotten."""

    def __init__(self, most_bytes: int = MEMORY_BYTES) -> None:
        self._most_bytes = most_bytes
        self._held_bytes = 0
        # A list, as threads may add to it while another one goes over a copy.
        self._holders: list[weakref.ref[Forgets]] = []

    def register(self, holder: Forgets) -> None:
        self._holders.append(weakref.ref(holder))

    def add(self, size_bytes: int) -> None:
        """Note that so much more is remembered."""
        self._held_bytes += size_bytes
        if self._held_bytes > self._most_bytes:
            self._held_bytes = 0
            for reference in list(self._holders):
                holder = reference()
                if holder is None:
                    self._holders.remove(reference)
                else:
                    holder.forget()


class State(dict[int, "State"]):
    """How far each pattern has matched the bytes so far; by its key, what the next byte makes of
    it.

    ends: the highest number of a pattern that matches now, for something that is no folder and for
        a folder; NONE: no pattern
    """

    __slots__ = ("automaton", "ends", "positions")

    def __init__(self, automaton: Automaton, positions: int, ends: tuple[int, int]) -> None:
        self.automaton = automaton
        self.positions = positions
        self.ends = ends

    def __missing__(self, byte: int) -> State:
        return self.automaton.step(self, byte)


class Automaton:
    """patterns: each with its number, ascending. Takes the bytes of paths from `start` on; paths
    have no NUL."""

    def __init__(self, patterns: Iterable[tuple[int, Pattern]], memory: Memory) -> None:
        self._memory = memory
        layout = _Layout()
        for number, pattern in patterns:
            layout.add(number, pattern)
        self._steps = layout.steps()
        self._folders = _as_int(layout.folders)
        loops = _as_int(layout.loops)
        self._loops = (loops | _as_int(layout.name_loops), loops)
        self._ends = (_as_int(layout.file_ends), _as_int(layout.folder_ends))
        self._number_at = layout.number_at
        self._states: dict[int, State] = {}
        self.bits = layout.at
        memory.register(self)
        self.start = self._state(_as_int(layout.starts))

    def step(self, state: State, byte: int) -> State:
        """The state after one more byte."""
        positions = state.positions
        entered = positions << 1 & self._steps[byte]
        entered |= (entered & self._folders) << 1
        found = self._state(entered | positions & self._loops[byte == _SLASH])
        state[byte] = found
        self._memory.add(_STEP_BYTES)
        return found

    def remembered(self) -> int:
        """How many states and steps are remembered."""
        return sum(1 + len(state) for state in self._states.values())

    def forget(self) -> None:
        """States that somebody holds stay usable."""
        states, self._states = self._states, {}
        for state in list(states.values()):
            state.clear()

    def _state(self, positions: int) -> State:
        state = self._states.get(positions)
        if state is None:
            of_file, of_folder = (positions & ends for ends in self._ends)
            ends = (self._highest(of_file), self._highest(of_file | of_folder))
            state = self._states[positions] = State(self, positions, ends)
            self._memory.add(_STATE_BYTES + self.bits // 8)
        return state

    def _highest(self, ends: int) -> int:
        return self._number_at[ends.bit_length() - 1] if ends else NONE


class _Layout:
    """Positions of all patterns, one after the other in one line of bits.

    A pattern of n steps has n + 1 positions. The bit that a step leads to is set in the row of each
    byte that the step takes. A gap is no step: it lets the position stay as bytes go by.
    """

    def __init__(self) -> None:
        self.at = 0
        self.starts: list[int] = []
        self.name_loops: list[int] = []
        self.loops: list[int] = []
        self.folders: list[int] = []
        self.file_ends: list[int] = []
        self.folder_ends: list[int] = []
        self.number_at: dict[int, int] = {}
        # A step of many bytes is kept by the borders of its set: one row follows from the last.
        self._borders: list[list[int]] = [[] for _ in range(_BYTES)]
        self._borders_of: dict[int, Sequence[int]] = {}

    def add(self, number: int, pattern: Pattern) -> None:
        self.starts.append(self.at)
        if pattern.anywhere:
            self.starts.append(self.at + 1)
            self._after_folders()
        for index, part in enumerate(pattern.parts):
            if part is Gap.IN_NAME:
                self.name_loops.append(self.at)
            elif part is Gap.ANYTHING:
                self.loops.append(self.at)
            elif part is Gap.FOLDERS:
                if index == 0:
                    self.starts.append(self.at + 1)
                self._after_folders()
            else:
                self._step(part)
        self.number_at[self.at] = number
        (self.folder_ends if pattern.folders_only else self.file_ends).append(self.at)
        self.at += 1

    def steps(self) -> tuple[int, ...]:
        """For each byte the positions that it leads to."""
        rows, row = [], 0
        for borders in self._borders:
            row ^= _as_int(borders)
            rows.append(row)
        return tuple(rows)

    def _after_folders(self) -> None:
        """`**/`: here anything may go by, and a slash leads on. Who gets here is behind it, too."""
        self.loops.append(self.at)
        self.folders.append(self.at)
        self._step(1 << _SLASH)

    def _step(self, taken: int) -> None:
        self.at += 1
        borders = self._borders_of.get(taken)
        if borders is None:
            changes = (taken ^ taken << 1) & ((1 << _BYTES) - 1)
            borders = self._borders_of[taken] = tuple(bytes_of(changes))
        for byte in borders:
            self._borders[byte].append(self.at)


def _as_int(positions: Iterable[int]) -> int:
    """The int with these bits."""
    bits = sorted(positions)
    if not bits:
        return 0
    row = bytearray(bits[-1] // 8 + 1)
    for bit in bits:
        row[bit >> 3] |= 1 << (bit & 7)
    return int.from_bytes(row, "little")
