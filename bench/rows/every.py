"""All rows, in the order in which they are measured: the deletes come last, as files are made
slowly for a minute after them."""

from __future__ import annotations

from typing import Final

from rows import arrival, edit, growth, one_to_many, scan, tree_changes, write_ahead_log
from rows.row import Row

ROWS: Final[tuple[Row, ...]] = (
    *edit.ROWS,
    *arrival.ROWS,
    *scan.ROWS,
    *tree_changes.RENAMES,
    *write_ahead_log.ROWS,
    *growth.ROWS,
    *one_to_many.ROWS,
    *tree_changes.DELETES,
)
