"""Whether a terminal may show colours and bold letters.

Knows NO_COLOR (https://no-color.org) and TERM. Must not know what is shown.
"""

from __future__ import annotations

import os
from typing import Literal


def may_style(is_terminal: bool) -> bool:
    """Return whether the output may contain colours and bold letters."""
    is_dumb = os.environ.get("TERM") == "dumb"
    return is_terminal and not is_dumb and not os.environ.get("NO_COLOR")


def colour_system() -> Literal["auto"] | None:
    """Return the value for a Console of rich, which checks the terminal itself, and keeps bold with
    NO_COLOR."""
    return "auto" if may_style(True) else None
