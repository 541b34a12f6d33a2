"""How much each device says that it has: entries, and what they take up in the index.

Counted row by row, like the tally, and derived like it. Knows rows and bits. Must not know how much
is too much.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from leftzmq.index.rows import Row, row_bytes


@dataclass(frozen=True, slots=True)
class Held:
    entries: int = 0
    bytes: int = 0


class Holdings:
    """Rows are counted by the set of devices that hold them, of which there are few: a row that all
    hold is one step."""

    def __init__(self) -> None:
        self._by_holders: dict[int, Held] = {}

    def change(self, before: Iterable[Row], after: Iterable[Row]) -> None:
        """The rows of one path became others."""
        for rows, sign in ((before, -1), (after, 1)):
            for row in rows:
                if row.holders:
                    self._add(row, sign)

    def of(self, mask: int) -> Held:
        """What the device of this bit (as a set of bits) holds."""
        found = [held for holders, held in self._by_holders.items() if holders & mask]
        return Held(sum(held.entries for held in found), sum(held.bytes for held in found))

    def _add(self, row: Row, sign: int) -> None:
        held = self._by_holders.get(row.holders, _NOTHING)
        held = Held(held.entries + sign, held.bytes + sign * row_bytes(row.entry))
        if held == _NOTHING:
            del self._by_holders[row.holders]
        else:
            self._by_holders[row.holders] = held


_NOTHING = Held()
