"""Entries as an index says them, for the runs of cut_pages."""

from __future__ import annotations

from collections.abc import Iterable

from leftzmq.tree.change import Change
from leftzmq.tree.entry import Entry


def changes_of(entries: Iterable[tuple[int, Entry]]) -> list[Change]:
    """(sequence, entry) as changes that nothing was withdrawn before."""
    return [Change(sequence, entry.path, entry) for sequence, entry in entries]
