"""Formats rows as columns for a terminal: text from outside is escaped, and only a tty gets
colours.

Knows text and widths. Must not know what the rows are about.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence

from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.format.terminal import may_style

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def columns(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
) -> str:
    """Return the rows below their heads. right: the columns that are aligned to the right."""
    table = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(_width(row[at]) for row in table) for at in range(len(head))]
    lines = []
    for row in table:
        cells = []
        for at, cell in enumerate(row):
            space = " " * (widths[at] - _width(cell))
            last = at == len(row) - 1
            cells.append(space + cell if at in right else cell if last else cell + space)
        lines.append("  ".join(cells).rstrip())
    lines[0] = bold(lines[0])
    return "\n".join(lines) + "\n"


def bold(text: str) -> str:
    return f"{_BOLD}{text}{_PLAIN}" if may_style(sys.stdout.isatty()) else text


def _width(text: str) -> int:
    """Return the cells on a terminal: wide characters take two, combining marks none."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) != 0 for c in text)
