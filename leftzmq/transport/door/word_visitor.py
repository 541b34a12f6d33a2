"""Who has the words: fetches the code from the machine that shows both.

Knows connections, and which doors are asked in which order. Must not know where they were found,
nor what the code leads to.
"""

from __future__ import annotations

import errno
import socket as tcp
import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final

from leftzmq.content.word_exchange import (
    BOX_BYTES,
    REPLY_BYTES,
    Random,
    WordQuestion,
)
from leftzmq.endpoint import Endpoint
from leftzmq.errors import DoorAway, InvitationError
from leftzmq.pairing.words import TypedWords

DOORS_MAX: Final = 4
"""Each wrong one costs its owner a try."""
CONNECT_S: Final = 4.0
MESSAGE_S: Final = 6.0
"""For a message of the door: it answers within 1 s, and makes who comes fifth in a second wait."""


class WordTrouble(Enum):
    """Why a door gave no code. The value is the clause; {port} is the port there."""

    NO_NAME = "the name has no address"
    REFUSED = "nobody listens there"
    SILENT = "nothing answers: a firewall? Then open port {port} (TCP) there"
    UNREACHABLE = "the network is unreachable from this machine"
    NO_WAY = "the machine cannot be reached: it is off, in another network, or behind a firewall"
    NOT_FOR_US = "it ended the connection at once: its words are others, or are not valid any more"
    NO_DOOR = "what answers there is no door of leftzmq"
    WRONG = "the words are wrong, or somebody between changed something"


_BY_ERRNO: Final = {
    errno.ECONNREFUSED: WordTrouble.REFUSED,
    errno.ENETUNREACH: WordTrouble.UNREACHABLE,
    errno.ENETDOWN: WordTrouble.UNREACHABLE,
    errno.EADDRNOTAVAIL: WordTrouble.UNREACHABLE,
    errno.EAFNOSUPPORT: WordTrouble.UNREACHABLE,
    errno.EHOSTUNREACH: WordTrouble.NO_WAY,
    errno.EHOSTDOWN: WordTrouble.NO_WAY,
}
_NOBODY: Final = frozenset(
    (WordTrouble.REFUSED, WordTrouble.SILENT, WordTrouble.NO_WAY, WordTrouble.UNREACHABLE)
)


def fetch(
    words: TypedWords,
    doors: Sequence[Sequence[Endpoint]],
    random: Random,
    tell: Callable[[str], None],
    message_s: float = MESSAGE_S,
) -> str:
    """Return the code that the words fetch from one of the doors.

    doors: the addresses of each door, best first; at most DOORS_MAX doors, tried one after the
    other, and each asked once at most. random: returns so many random bytes. tell: called with a
    sentence for each door. message_s: how long each message of a door may take
    Raises InvitationError: the words are wrong; DoorAway: no door answered.
    """
    assert len(doors) <= DOORS_MAX
    troubles: list[tuple[Endpoint, WordTrouble]] = []
    for door in doors:
        for endpoint in door:
            tell(f"asking {_place(endpoint)}")
            found = _asked(endpoint, words, random, message_s)
            if isinstance(found, str):
                return found
            troubles.append((endpoint, found))
            if found not in _NOBODY:
                break  # this door was met: its other addresses lead to the same
    tried = "; ".join(
        f"{_place(endpoint)}: {trouble.value.format(port=endpoint.port)}"
        for endpoint, trouble in troubles
    )
    if any(trouble is WordTrouble.WRONG for _, trouble in troubles):
        do = "compare them with the other machine's screen: after three wrong tries they are gone"
        raise InvitationError(tried, "the words", do)
    do = "let `leftzmq share` wait there, in the same network; or type the code"
    raise DoorAway(f"fetched nothing: {tried}", "the words", do)


def _place(endpoint: Endpoint) -> str:
    return str(endpoint).removeprefix("tcp://")


def _asked(
    endpoint: Endpoint, words: TypedWords, random: Random, message_s: float
) -> str | WordTrouble:
    """Return the code, or why there is none."""
    # Made before: a door that many come to cuts who says nothing at once.
    question = WordQuestion(words.secret, words.digit, random)
    try:
        connection = tcp.create_connection((endpoint.host, endpoint.port), CONNECT_S)
    except (tcp.gaierror, UnicodeError):
        return WordTrouble.NO_NAME
    except TimeoutError:
        return WordTrouble.SILENT
    except OSError as error:
        return _BY_ERRNO.get(error.errno or 0, WordTrouble.NO_WAY)
    with connection:
        reply = _said(connection, question.opening, REPLY_BYTES, message_s)
        if not reply:
            return WordTrouble.NOT_FOR_US
        confirm = question.confirm(reply)
        if confirm is None:
            return WordTrouble.NO_DOOR
        code = question.open(_said(connection, confirm, BOX_BYTES, message_s))
        return WordTrouble.WRONG if code is None else code


def _said(connection: tcp.socket, message: bytes, size: int, within_s: float) -> bytes:
    """Send a message, and return what comes within a time: `size` bytes, or fewer where the
    connection ends before."""
    end, got = time.monotonic() + within_s, b""
    try:
        connection.settimeout(within_s)
        connection.sendall(message)
        while len(got) < size and (rest_s := end - time.monotonic()) > 0:
            connection.settimeout(rest_s)
            data = connection.recv(size - len(got))
            if not data:
                break
            got += data
    except OSError:  # a timeout, or a reset
        pass
    return got
