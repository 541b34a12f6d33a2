"""Errors that prevent our own sockets from being made or bound, each reported with a limit.

Knows sentences and a clock that is passed in. Must not know sockets.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

QUIET_S: Final = 60.0
MAX_REMEMBERED: Final = 64


class SocketTrouble(Struct, frozen=True):
    """A sentence for the user; the agent goes on."""

    text: str


class SocketErrors:
    """Collects sentences; the same sentence is reported again after QUIET_S at the earliest."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}
        self._new: list[SocketTrouble] = []

    def note(self, text: str, now: float) -> None:
        """Report a sentence, unless it was reported lately. now: monotonic seconds."""
        if now - self._said.get(text, -QUIET_S) < QUIET_S:
            return
        self._said.pop(text, None)
        self._said[text] = now
        if len(self._said) > MAX_REMEMBERED:
            del self._said[next(iter(self._said))]
        self._new.append(SocketTrouble(text))

    def is_over(self, text: str) -> None:
        """The error is over: if it occurs again, it is reported at once."""
        self._said.pop(text, None)

    def to_report(self) -> list[SocketTrouble]:
        new, self._new = self._new, []
        return new
