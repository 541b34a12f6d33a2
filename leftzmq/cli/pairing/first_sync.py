"""Shows how the first sync of a folder goes, until it is complete.

Knows the answers to `status` and `wait`. Must not know how the devices came together.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from leftzmq.cli.format.event_lines import printable, size_text
from leftzmq.errors import AgentAway, counted
from leftzmq.transport.ipc.client import ask, is_served

STEP_S: Final = 0.5
"""Of one question `wait`: how soon the screen changes."""
ANSWER_S: Final = 15.0
MOST_TROUBLES: Final = 5
AWAY_S: Final = 5.0
"""Two devices that were just let in meet within a second or two."""


class FirstSync(Struct, frozen=True):
    """How it ended. files, bytes: of the folder here. why: "" if all is there."""

    files: int
    bytes: int
    seconds: float
    why: str = ""


class Screen:
    """One line that changes, on a terminal; elsewhere nothing but the lines that stay."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._width = 0

    @contextmanager
    def changing(self) -> Iterator[Callable[[str], None]]:
        """Yield what sets the line that changes. At the end, whatever comes, the line is empty, and
        the next output of any kind begins at its beginning."""
        try:
            yield self._show
        finally:
            self._clear()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._clear()
        print(printable(text), file=sys.stderr, flush=True)

    def question(self, text: str) -> None:
        """Print a question; the answer is typed behind it."""
        self._clear()
        print(f"{printable(text)} ", end="", file=sys.stderr, flush=True)

    def question_over(self) -> None:
        """Nothing was typed behind the question, not even the end of the line."""
        print(file=sys.stderr, flush=True)

    def _show(self, text: str) -> None:
        if self._is_terminal:
            text = printable(text)[:100]
            print(f"\r{text:<{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(text)

    def _clear(self) -> None:
        if self._width:
            print(f"\r{'':<{self._width}}\r", end="", file=sys.stderr, flush=True)
            self._width = 0


class Troubles:
    """What keeps a folder from being complete here, each thing said once on a line that stays.
    peer: the other device"""

    def __init__(self, screen: Screen, peer: str) -> None:
        self._screen, self._peer = screen, peer
        self._said: set[tuple[str, str]] = set()
        self._away_since: float | None = None

    def look(self, status: dict[str, Any], here: dict[str, Any], now: float) -> None:
        """here: the folder in `status`; now: monotonic seconds."""
        found = [(one["path"], one["problem"], one["text"]) for one in here["problem_list"]]
        if here["state"] == "stopped":
            found.insert(0, ("", "stopped", f"{here['id']}: {here['why']}"))
        elif note := self._away_long(status, now):
            text = f"{self._peer} cannot be reached: {note}. This goes on when it can."
            found.insert(0, ("", note, text))
        for path, kind, text in found:
            if (path, kind) in self._said or len(self._said) > MOST_TROUBLES:
                continue
            is_last = len(self._said) == MOST_TROUBLES
            self._said.add((path, kind))
            self._screen.say("and more: see `leftzmq problems`" if is_last else text)

    def _away_long(self, status: dict[str, Any], now: float) -> str:
        """Return why the other device has not been connected for AWAY_S; "": it has."""
        other = _peer_in(status, self._peer)
        if other is not None and other["connected"]:
            self._away_since = None
            return ""
        if self._away_since is None:
            self._away_since = now
        return _note(other) if now >= self._away_since + AWAY_S else ""


def follow(
    state: Path,
    folder: str,
    peer: str,
    screen: Screen,
    deadline: float | None,
    clock: Callable[[], float] = time.monotonic,
    meanwhile: Callable[[], None] = lambda: None,
) -> FirstSync:
    """Wait until this device and `peer` have the same in the folder, and `peer` has read all of
    it. deadline: monotonic seconds; None: no end. meanwhile: called every STEP_S.
    Raises AgentAway and Declined."""
    with screen.changing() as show:
        return _followed(
            state, folder, peer, show, Troubles(screen, peer), deadline, clock, meanwhile
        )


def _followed(
    state: Path,
    folder: str,
    peer: str,
    show: Callable[[str], None],
    troubles: Troubles,
    deadline: float | None,
    clock: Callable[[], float],
    meanwhile: Callable[[], None],
) -> FirstSync:
    began = clock()
    while True:
        rest_s = STEP_S if deadline is None else max(0.0, min(STEP_S, deadline - clock()))
        fields: dict[str, str | float] = {"timeout": rest_s, "folder": folder, "peers": peer}
        try:
            waited = ask(state, "wait", fields, timeout_s=rest_s + ANSWER_S)
            status = ask(state, "status")
        except AgentAway:
            # This machine slept perhaps, and the agent has just woken up, too.
            if not is_served(state) or (deadline is not None and clock() >= deadline):
                raise
            show("the agent does not answer so far")
            continue
        seconds = clock() - began
        here = next(one for one in status["folders"] if one["id"] == folder)
        # Since that answer the other device may have told of more.
        if waited["in_sync"] and _state_of(here, peer) == "in sync":
            return FirstSync(here["files"], here["bytes"], seconds)
        troubles.look(status, here, clock())
        if deadline is not None and clock() >= deadline:
            return FirstSync(here["files"], here["bytes"], seconds, str(waited["why"]))
        show(_line(status, here, peer))
        meanwhile()


def _line(status: dict[str, Any], here: dict[str, Any], peer: str) -> str:
    """Return how far the sync is."""
    other = _peer_in(status, peer)
    if here["state"] == "stopped":
        return f"{here['id']}: {here['why']}"
    if other is None or not other["connected"]:
        return f"connecting to {peer}: {_note(other)}"
    if here["state"] == "scanning":
        return f"reading what is here: {counted(here['files'], 'file')}"
    parts = [f"{counted(here['files'], 'file')}, {size_text(here['bytes'])} here"]
    if here["tickets"]:
        parts.append(f"{counted(here['tickets'], 'path')}, {size_text(here['need_bytes'])} to come")
    if here["rate"]:
        parts.append(f"{size_text(here['rate'])}/s")
    if _state_of(here, peer) == "reading":
        parts.append(f"{peer} is still reading its files")
    member = next((one for one in here["members"] if one["name"] == peer), None)
    if member is not None and member["behind_paths"]:
        lacks = f"{counted(member['behind_paths'], 'path')}, {size_text(member['behind_bytes'])}"
        parts.append(f"{peer} lacks {lacks}")
    return "; ".join(parts)


def _peer_in(status: dict[str, Any], peer: str) -> dict[str, Any] | None:
    return next((one for one in status["peers"] if one["name"] == peer), None)


def _note(other: dict[str, Any] | None) -> str:
    """Return why a device is not connected."""
    return str((other or {}).get("note") or "it was not met yet")


def _state_of(here: dict[str, Any], peer: str) -> str:
    """Return the word for how far the device is in this folder."""
    return next((str(one["state"]) for one in here["members"] if one["name"] == peer), "")


def summary(sync: FirstSync) -> str:
    return f"{counted(sync.files, 'file')}, {size_text(sync.bytes)}, in {sync.seconds:.1f} s"
