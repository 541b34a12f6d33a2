"""What concerns the agent as a whole: its start, its clock, its questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """A question at the admin socket. asker: where its answer goes."""

    asker: bytes
    verb: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The loop woke up; deadlines are looked at."""


@dataclass(frozen=True, slots=True)
class Started:
    """All sockets are bound and the gate is tested."""
