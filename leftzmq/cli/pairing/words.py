"""Words at both ends: `share` shows and answers them beside the code, `join` fetches the code with
them.

Knows which door is opened where, and what a user reads. Must not know how words are proved to each
other, nor what a code says. What it needs takes a moment to import: only where words are used.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from leftzmq.cli.importing import Importing
from leftzmq.cli.pairing.first_sync import Screen
from leftzmq.config import Endpoint, load_device, load_discovery
from leftzmq.errors import InvitationError, PortTaken
from leftzmq.pairing.words import WORDS_PORT, TypedWords, new_words
from leftzmq.transport.door.own_addresses import at_interfaces, reachable

if TYPE_CHECKING:
    from leftzmq.transport.door.word_door import WordDoor

_EVERYWHERE: Final = Endpoint("::", 0)


class OfferedWords:
    """The words of one invitation, answered from the constructor to the end of the `with`.

    file: peer.toml. opened: the agent's answer to `invite`. lines: what the user reads. words,
    placed: what is typed at the other machine, with and without a search in the network; "": that
    is not possible. why_not: why there are no words
    """

    def __init__(self, file: Path, opened: dict[str, Any], uses: int) -> None:
        with Importing():
            from leftzmq.transport.door.word_door import WordDoor
            from leftzmq.transport.local_network.word_doors import Announcement
        self._stack, self._is_said = ExitStack(), False
        self._door: WordDoor | None = None
        self.lines: tuple[str, ...] = ()
        self.words = self.placed = self.why_not = ""
        listen = load_device(file).listen
        words = new_words(os.urandom)
        try:
            door = self._door = WordDoor(words, opened["code"], uses, listen.host, os.urandom)
        except PortTaken as error:
            self.why_not = f"there are no words beside it: {error}"
            self.lines = (f"({self.why_not[:1].upper()}{self.why_not[1:]})",)
            return
        self._stack.callback(door.close)
        addresses, interfaces = reachable(listen).addresses, at_interfaces(listen)
        placed = self.placed = f"{words}@{_place(opened, door.port)}"
        if not (addresses and interfaces and load_discovery(file).local):
            self.lines = ("or, while this command waits:\n", f"    leftzmq join {placed}\n")
            return
        announcement = Announcement(words.digit, door.port, addresses, interfaces, os.urandom)
        self._stack.callback(announcement.close)
        self.words = str(words)
        self.lines = (
            "or, while this command waits, in the same network:\n",
            f"    leftzmq join {words}\n",
            f"or, where that does not find this machine: {placed}\n",
        )

    def __enter__(self) -> OfferedWords:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    def say_end(self, screen: Screen) -> None:
        """Say once that the words are answered no more, and why."""
        with Importing():
            from leftzmq.transport.door.word_door import WordsEnd
        if self._door is None or self._is_said or self._door.end is WordsEnd.NONE:
            return
        self._is_said = True
        if self._door.end is WordsEnd.FETCHED:
            screen.say("The code was fetched with the words; they are gone.")
        else:
            screen.say(f"The words are gone: {self._door.end.value}. The code stays.")


def _place(opened: dict[str, Any], port: int) -> str:
    """Return HOST, and the port where it is another one than WORDS_PORT."""
    host = Endpoint.parse(opened["addresses"][0], "the agent's answer").host
    shown = f"[{host}]" if ":" in host else host
    return shown if port == WORDS_PORT else f"{shown}:{port}"


def fetch_code(words: TypedWords, file: Path, screen: Screen) -> str:
    """Return the code that the words fetch. file: peer.toml. Raises InvitationError, DoorAway."""
    with Importing():
        from leftzmq.transport.door.word_visitor import fetch
        from leftzmq.transport.local_network.word_doors import find
    if words.host is not None:
        doors = [[words.host]]
    elif load_discovery(file).local:
        which = "words" if words.digit is None else f"the digit {words.digit}"
        screen.say(f"looking in this network for the machine that shows {which}")
        doors = find(words.digit, at_interfaces(_EVERYWHERE))
    else:
        do = "say where it is: WORDS@HOST; or write local = true"
        what = "no machine is looked for in the local network, because local is false"
        raise InvitationError(what, f"{file}: [discovery]", do)
    return fetch(words, doors, os.urandom, screen.say)
