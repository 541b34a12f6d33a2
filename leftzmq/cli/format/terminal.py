"""What a terminal may show: colours, bold letters, and how much in a line.

Knows NO_COLOR (https://no-color.org), TERM and the width. Must not know what is shown.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import Final, Literal, TextIO

_LEAST_WIDTH: Final = 40
_MOST_WIDTH: Final = 120
_MARGIN: Final = "  "


def may_style(is_terminal: bool) -> bool:
    """Return whether the output may contain colours and bold letters."""
    is_dumb = os.environ.get("TERM") == "dumb"
    return is_terminal and not is_dumb and not os.environ.get("NO_COLOR")


def colour_system() -> Literal["auto"] | None:
    """Return the value for a Console of rich, which checks the terminal itself, and keeps bold with
    NO_COLOR."""
    return "auto" if may_style(True) else None


def line_width() -> int:
    """Return how many characters a line for a person has."""
    return min(max(shutil.get_terminal_size().columns, _LEAST_WIDTH), _MOST_WIDTH)


def wrapped(text: str, margin: str, width: int) -> list[str]:
    """Return a text in lines of at most `width` characters. A word that is longer, like a path or a
    key, stays one word. margin: stands before each line; from the second on there is more."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=margin,
        subsequent_indent=margin + _MARGIN,
        break_long_words=False,
        break_on_hyphens=False,
    )


def say(text: str, stream: TextIO | None = None) -> None:
    """Print lines that a script may read: they are wrapped on a terminal alone. stream: stdout, if
    none is named."""
    to = stream or sys.stdout
    if to.isatty():
        lines = [wrapped(line, "", line_width()) or [""] for line in text.split("\n")]
        text = "\n".join("\n".join(each) for each in lines)
    print(text, file=to, flush=True)
