"""Whether a terminal is to be shown colours and bold letters.

Knows NO_COLOR (https://no-color.org) and TERM. Must not know what is shown.
"""

from __future__ import annotations

import os
from typing import Literal


def may_style(is_terminal: bool) -> bool:
    """Whether what is written there may have colours and bold letters in it."""
    is_dumb = os.environ.get("TERM") == "dumb"
    return is_terminal and not is_dumb and not os.environ.get("NO_COLOR")


def colour_system() -> Literal["auto"] | None:
    """For a Console of rich, which looks at the terminal itself, and leaves bold with NO_COLOR."""
    return "auto" if may_style(True) else None
