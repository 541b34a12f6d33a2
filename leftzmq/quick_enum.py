"""An Enum whose members are looked up often. Knows nothing else."""

from __future__ import annotations

from enum import Enum


class QuickEnum(Enum):
    """Each member is one object, so its identity is its hash. Enum's own hash is a call into
    Python, of which each file that came needed twenty-five."""

    __hash__ = object.__hash__
