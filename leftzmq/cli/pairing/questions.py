"""Asks, at the screen of `leftzmq share --ask`, whether a device that waits comes in.

Knows what a person reads and types. Must not know how a device waits, nor what follows from an
answer: the agent does, which lets nobody in without one.
"""

from __future__ import annotations

import re
import select
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.pairing.first_sync import Screen
from leftzmq.errors import Declined
from leftzmq.pairing.waiting import MOST_ASKED
from leftzmq.transport.ipc.client import ask

POLL_S: Final = 0.2
"""How soon a question ends that needs no answer any more."""
APART_S: Final = 1.0
"""From a question that ended by itself to the next one, so that what a person was about to type
answers for no other device."""
_KEY_LETTERS: Final = 13  # two groups
_NAME_LETTERS: Final = 24
_PLAIN: Final = re.compile(rf"[\w.-]{{1,{_NAME_LETTERS}}}")
_ANSWERS: Final = {"y": True, "yes": True, "n": False, "no": False, "": False}


def key_shown(key: str) -> str:
    """Return the beginning of a device's key, by which a person knows it."""
    return key[:_KEY_LETTERS]


def name_shown(name: str) -> str:
    """Return the name that a device gave itself. A name of several words is quoted and a long one
    is cut: it might look like the key and the address of another device."""
    name = printable(name)
    if _PLAIN.fullmatch(name):
        return name
    is_long = len(name) > _NAME_LETTERS
    quoted = name[:_NAME_LETTERS].replace('"', "'")
    return f'"{quoted}..."' if is_long else f'"{quoted}"'


def who_waits(device: dict[str, Any]) -> str:
    """Return the name, key and address of a device that waits."""
    key, address = key_shown(device["key"]), printable(device["address"])
    return f"{name_shown(device['name'])} (key {key}..., from {address})"


def how_to_answer(device: dict[str, Any]) -> str:
    """Return the commands that answer. A name could be chosen so that a shell does more with it."""
    key = key_shown(device["key"])
    return f"leftzmq invite allow {key}, or leftzmq invite refuse {key}"


class Questions:
    """Asks about the devices that wait at one invitation, one after the other.

    mark: of the invitation; folder: its folder's id
    """

    def __init__(self, state: Path, mark: str, folder: str, screen: Screen) -> None:
        self._state, self._mark, self._folder, self._screen = state, mark, folder, screen
        self._is_asking = all(
            stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)
        )
        self._left = MOST_ASKED  # questions without a yes
        self._told: set[str] = set()

    def look(self) -> None:
        """Ask about everybody who waits now; without a terminal, say with which command to
        answer."""
        while self._left and (device := self._next()) is not None:
            self._left -= 1
            if self._is_asking:
                self._ask(device)
            else:
                self._tell(device)
            if not self._left:
                what = f"{MOST_ASKED} devices had no yes; about more nobody is asked here"
                self._screen.say(f"{what}. Who waits is shown by: leftzmq invite list")

    def _next(self) -> dict[str, Any] | None:
        return next((one for one in self._waiting() if one["key"] not in self._told), None)

    def _waiting(self) -> list[dict[str, Any]]:
        listed = ask(self._state, "invitations")["invitations"]
        found = next((one for one in listed if one["mark"] == self._mark), None)
        return found["waiting"] if found else []

    def _tell(self, device: dict[str, Any]) -> None:
        self._told.add(device["key"])
        wants = f"{who_waits(device)} wants to join {printable(self._folder)}"
        self._screen.say(f"{wants}: {how_to_answer(device)}")

    def _ask(self, device: dict[str, Any]) -> None:
        wants = f"{who_waits(device)} wants to join {printable(self._folder)}"
        with suppress(termios.error):  # the terminal is gone
            termios.tcflush(sys.stdin, termios.TCIFLUSH)  # what was typed before it is no answer
        name = name_shown(device["name"])
        while True:
            self._screen.question(f"{wants}. Let it in? [y/N]")
            try:
                typed = self._typed(device["key"])
            except KeyboardInterrupt:
                self._screen.question_over()
                self._screen.say(f"The invitation stays open. {how_to_answer(device)}")
                raise
            if typed is None:
                self._screen.question_over()
                self._screen.say(f"{name} waits for no answer any more.")
                time.sleep(APART_S)
                return
            if not typed:  # the end of the input
                self._is_asking = False
                self._screen.question_over()
                self._tell(device)
                return
            is_yes = _ANSWERS.get(typed.strip().lower())
            if is_yes is not None:
                self._answer(device, is_yes)
                return
            self._screen.say("That is no answer: y or n.")

    def _typed(self, key: str) -> str | None:
        """Return the line that was typed, "" at the end of the input; None: the device waits no
        more, or was answered for elsewhere."""
        while not select.select([sys.stdin], [], [], POLL_S)[0]:
            if all(one["key"] != key for one in self._waiting()):
                return None
        try:
            return sys.stdin.readline()
        except OSError:  # the terminal is gone
            return ""

    def _answer(self, device: dict[str, Any], is_yes: bool) -> None:
        fields = {"mark": self._mark, "key": device["key"], "yes": is_yes}
        try:
            ask(self._state, "invite_answer", fields)
        except Declined as error:
            self._screen.say(str(error))
            return
        if is_yes:
            self._left += 1
        name = name_shown(device["name"])
        self._screen.say(f"{name} is let in." if is_yes else f"{name} is told no.")
