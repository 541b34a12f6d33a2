"""Counts over one folder that `status` shows, kept up to date row by row.

Knows rows. The counts are derived from them: after a restart the index is counted again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from leftzmq.index.change_ages import ChangeTimes
from leftzmq.index.losses import Loss, loss
from leftzmq.index.reader import Reader
from leftzmq.index.rows import Row, counting
from leftzmq.index.schema import OURS
from leftzmq.sync.versions.peer_counts import PeerCounts
from leftzmq.tree.accepted import NOTHING, Accepted
from leftzmq.tree.conflict import is_conflict_name
from leftzmq.tree.entry import Kind

ROWS_A_TURN: Final = 256  # about 8 us each


@dataclass(slots=True)
class Counters:
    """files: regular files that we have
    bytes: the sizes of those files
    tickets: paths whose highest-ranked version we do not have
    need_bytes: the sizes of those versions
    not_kept: paths of which others have something, and that this device does not keep
    not_kept_bytes: the sizes of these
    differs: paths at which something was changed here that is told to nobody
    losses, turned: those tickets by which a file of ours would be lost, or would turn to noise
        (index/losses)
    conflicts: live entries of ours that have the name of a conflict copy
    accepted: what users let pass; it counts neither as lost nor as turned
    """

    files: int = 0
    bytes: int = 0
    tickets: int = 0
    need_bytes: int = 0
    not_kept: int = 0
    not_kept_bytes: int = 0
    differs: int = 0
    losses: int = 0
    turned: int = 0
    conflicts: int = 0
    accepted: Accepted = field(default=NOTHING, compare=False)

    @classmethod
    def of(cls, reader: Reader, accepted: Accepted | None = None) -> Counters:
        return Recount.whole(reader, accepted or NOTHING).counters

    def change(self, before: Iterable[Row], after: Iterable[Row]) -> None:
        """The rows of one path change from `before` to `after`."""
        self._add(tuple(before), -1)
        self._add([row for row in after if row.holders], 1)

    def _add(self, rows: Sequence[Row], sign: int) -> None:
        best: Row | None = None
        apart: Row | None = None
        has_file = False
        for row in rows:
            if row.apart:
                if apart is None or row.entry.rank > apart.entry.rank:
                    apart = row
                continue
            if best is None or row.entry.rank > best.entry.rank:
                best = row
            if not row.holders & OURS:
                continue
            if row.entry.is_private:
                self.differs += sign
            if row.entry.deleted:
                continue
            if row.entry.kind is Kind.FILE:
                has_file = True
                self.files += sign
                self.bytes += sign * row.entry.size
            if is_conflict_name(row.entry.path):
                self.conflicts += sign
        if apart is not None and _is_passed_over(apart, best):
            self.not_kept += sign
            self.not_kept_bytes += sign * apart.entry.size
        if best is not None and not best.is_ours:
            self.tickets += sign
            self.need_bytes += sign * best.entry.size
            match loss(rows, best, self.accepted) if has_file else Loss.NONE:
                case Loss.LOST:
                    self.losses += sign
                case Loss.TURNED:
                    self.turned += sign


def _is_passed_over(apart: Row, best: Row | None) -> bool:
    """Whether others have `apart`, the highest version of those that are not kept here, and we have
    nothing. best: the highest that counts; a delete of ours may lie below what others made anew."""
    if best is not None and not (best.entry.deleted and apart.entry.rank > best.entry.rank):
        return False
    return not apart.entry.deleted


class Recount:
    """Counts that are made anew, some rows in each turn, while rows go on changing.

    times: when the rows were made
    silent: the bits of those whose versions nobody takes (sync/versions/index_view)
    own: paths of which nobody but devices of `silent`, and we among them, has our version
    """

    def __init__(self, accepted: Accepted, times: ChangeTimes | None = None) -> None:
        self.counters, self.peer_counts = Counters(accepted=accepted), PeerCounts(times)
        self._after = b""
        self.own: list[str] = []

    @classmethod
    def whole(
        cls,
        reader: Reader,
        accepted: Accepted,
        silent: int = 0,
        times: ChangeTimes | None = None,
    ) -> Recount:
        """Counts all rows at once."""
        count = cls(accepted, times)
        while count.step(reader, 1 << 12, silent):
            pass
        return count

    def step(self, reader: Reader, rows: int = ROWS_A_TURN, silent: int = 0) -> bool:
        """Counts about `rows` rows more. Returns False when no row was left."""
        groups = reader.paths(self._after, rows)
        for group in groups:
            self._count((), group, silent)
            self._after = group[-1].sort_key
            if silent & OURS and any(row.is_ours and not row.holders & ~silent for row in group):
                self.own.append(group[0].entry.path)
        return bool(groups)

    def change(
        self, before: Sequence[Row], after: Sequence[Row], key: bytes, silent: int = 0
    ) -> None:
        """The rows of the path with this sort key change. The change counts only if the recount has
        already passed the key."""
        if key <= self._after:
            self._count(before, after, silent)

    def _count(self, before: Sequence[Row], after: Sequence[Row], silent: int) -> None:
        count(self.counters, self.peer_counts, before, after, silent)


def count(
    counters: Counters,
    peer_counts: PeerCounts,
    before: Sequence[Row],
    after: Sequence[Row],
    silent: int,
) -> None:
    """The rows of one path change. Rows of readers alone count as acknowledgements only."""
    peer_counts.change(before, after, silent)
    if silent and (readers := silent & ~OURS):
        before, after = counting(before, readers), counting(after, readers)
    counters.change(before, after)
