"""Keeps rosters in memory, as pairing/roster_store keeps them on a disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from leftzmq.content.ids import StatementId
from leftzmq.errors import IndexFault, RosterNotKept
from leftzmq.pairing.roster_store import Kept, KeptRoster
from leftzmq.wire.statements import Signed


class RosterKeeper:
    """fails: the disk takes nothing. writes: how many writes it took; before: is called before each
    of them. after: is called when a write is durable."""

    def __init__(self) -> None:
        self.fails = False
        self.writes = 0
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self._last = 0
        self._pins: dict[bytes, set[StatementId]] = {}
        self._rows: dict[bytes, dict[bytes, tuple[int, Signed]]] = {}
        self._epochs: dict[bytes, list[bytes]] = {}

    def load(self, folder: bytes) -> KeptRoster:
        rows = sorted(self._rows.get(folder, {}).values(), key=lambda row: row[0])
        pins = tuple(sorted(self._pins.get(folder, set())))
        return KeptRoster(pins, tuple(rows), tuple(self._epochs.get(folder, ())))

    def keep(
        self, folder: bytes, kept: Sequence[Kept], pins: Collection[StatementId] = ()
    ) -> tuple[int, ...]:
        self._write()
        self._pins.setdefault(folder, set()).update(pins)
        numbers = range(self._last + 1, self._last + 1 + len(kept))
        self._last += len(kept)
        self._rows.setdefault(folder, {}).update(
            (one.slot, (number, one.signed)) for number, one in zip(numbers, kept, strict=True)
        )
        self.after()
        return tuple(numbers)

    def keep_epoch(self, folder: bytes, secret: bytes, forgotten: Collection[bytes] = ()) -> None:
        self._write()
        kept = [each for each in self._epochs.get(folder, ()) if each not in (secret, *forgotten)]
        self._epochs[folder] = [*kept, secret]
        self.after()

    def copy(self) -> RosterKeeper:
        """A backup of it."""
        copy = RosterKeeper()
        copy.put_back(self)
        return copy

    def put_back(self, other: RosterKeeper) -> None:
        """Keep from now on what the other one keeps."""
        self._last = other._last
        self._pins = {folder: set(pins) for folder, pins in other._pins.items()}
        self._rows = {folder: dict(rows) for folder, rows in other._rows.items()}
        self._epochs = {folder: list(secrets) for folder, secrets in other._epochs.items()}

    def retain(self, folder: bytes, slots: Collection[bytes]) -> None:
        rows = self._rows.get(folder, {})
        self._rows[folder] = {slot: row for slot, row in rows.items() if slot in slots}

    def _write(self) -> None:
        self.before()
        if self.fails:
            raise RosterNotKept(IndexFault.FULL, "database or disk is full", "rosters.db")
        self.writes += 1

    def forget(self, folder: bytes) -> None:
        self._write()
        self._pins.pop(folder, None)
        self._rows.pop(folder, None)
        self._epochs.pop(folder, None)
        self.after()
