"""Facts about the agent as a whole: its start, its clock, the questions to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """A question at the admin socket. asker: where the answer is sent."""

    asker: bytes
    verb: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The loop woke up; deadlines are checked."""


@dataclass(frozen=True, slots=True)
class Started:
    """All sockets are bound and the ZAP gate is tested."""
