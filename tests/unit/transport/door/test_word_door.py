"""The word door and who asks at it, over real sockets: right words, wrong ones, and every bound."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from leftzmq.content.word_exchange import BOX_BYTES, REPLY_BYTES, WordQuestion
from leftzmq.endpoint import Endpoint
from leftzmq.errors import DoorAway, InvitationError, PortTaken
from leftzmq.pairing.words import TypedWords, Words
from leftzmq.transport.door.word_door import (
    ANSWER_S,
    CONFIRM_S,
    GRACE_S,
    GUESTS_MAX,
    OPENING_S,
    STARTS_A_SECOND,
    TRIES,
    GuestStage,
    WordDoor,
    WordsEnd,
)
from leftzmq.transport.door.word_visitor import fetch
from tests.helpers.word_vectors import CODE

pytestmark = pytest.mark.slow

SHOWN = Words(4, ("tiger", "lamp", "ocean"))
RIGHT = TypedWords(SHOWN.secret, 4, None)
WRONG = TypedWords("tiger-lamp-zoo", 4, None)
DEADLINE_S = 8.0
SOON_S = 0.3
"""From the confirmation to the answer, where a test does not ask for the second itself."""
LOADED_S = 2.0  # beside other tests on the same cores


@contextmanager
def opened(
    fetches: int = 1, host: str = "127.0.0.1", port: int = 0, answer_s: float = SOON_S
) -> Iterator[WordDoor]:
    door = WordDoor(SHOWN, CODE, fetches, host, os.urandom, port, answer_s)
    try:
        yield door
    finally:
        door.close()


def at(door: WordDoor, host: str = "127.0.0.1") -> list[list[Endpoint]]:
    return [[Endpoint(host, door.port)]]


def fetched(door: WordDoor, words: TypedWords = RIGHT) -> str:
    return fetch(words, at(door), os.urandom, lambda said: None)


def until(holds: Callable[[], object], within_s: float = DEADLINE_S) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


class Guest:
    """A connection that says what a test wants."""

    def __init__(self, door: WordDoor, words: TypedWords = WRONG) -> None:
        self.question = WordQuestion(words.secret, words.digit, os.urandom)
        self.socket = socket.create_connection(("127.0.0.1", door.port), DEADLINE_S)

    def starts(self) -> Guest:
        self.socket.sendall(self.question.opening)
        self.reply = self.hears(REPLY_BYTES)
        return self

    def confirms(self) -> Guest:
        confirm = self.question.confirm(self.reply)
        assert confirm is not None
        self.confirmed_at = time.monotonic()
        self.socket.sendall(confirm)
        return self

    def hears(self, size: int) -> bytes:
        """Return what comes until the connection ends, or that many bytes."""
        got = b""
        with suppress(ConnectionResetError):
            while len(got) < size and (data := self.socket.recv(size - len(got))):
                got += data
        return got

    @property
    def is_cut(self) -> bool:
        self.socket.settimeout(0.001)
        try:
            return self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


# ---- right and wrong words ----------------------------------------------------------------------


def test_the_words_fetch_the_code_once_and_then_nobody_is_there() -> None:
    with opened() as door:
        assert fetched(door) == CODE
        until(lambda: door.end is WordsEnd.FETCHED)
        with pytest.raises(DoorAway, match="nobody listens there"):
            fetched(door)


def test_they_fetch_it_as_often_as_the_invitation_has_uses() -> None:
    with opened(fetches=2) as door:
        assert fetched(door) == fetched(door, TypedWords(SHOWN.secret, None, None)) == CODE
        until(lambda: door.end is WordsEnd.FETCHED)


def test_a_fourth_try_finds_no_door() -> None:
    with opened() as door:
        for _ in range(TRIES):
            assert door.end is WordsEnd.NONE
            with pytest.raises(InvitationError, match="the words are wrong, or somebody between"):
                fetched(door, WRONG)
        assert door.end is WordsEnd.TRIED
        with pytest.raises(DoorAway):
            fetched(door)


@pytest.mark.slow
def test_guesses_side_by_side_are_not_more_than_three() -> None:
    """What a guess was worth counts before it is answered."""
    with opened(answer_s=ANSWER_S) as door:
        guests = [Guest(door).starts() for _ in range(GUESTS_MAX)]
        for guest in guests:
            with suppress(OSError):
                guest.confirms()
        until(lambda: door.end is WordsEnd.TRIED)
        assert [guest.hears(BOX_BYTES) for guest in guests] == [b""] * GUESTS_MAX
        assert door._tries == TRIES


def test_who_was_right_before_the_third_wrong_one_is_answered() -> None:
    with opened() as door:
        wrong = [Guest(door).starts() for _ in range(TRIES)]
        right = Guest(door, RIGHT).starts().confirms()
        until(
            lambda: any(
                one.stage in (GuestStage.CONFIRMED, GuestStage.JUDGED) for one in door._guests
            )
        )
        for guest in wrong:
            guest.confirms()
        until(lambda: door.end is WordsEnd.TRIED)
        assert right.question.open(right.hears(BOX_BYTES)) == CODE


def test_a_fetch_that_was_not_delivered_is_there_for_somebody_else() -> None:
    with opened() as door:
        Guest(door, RIGHT).starts().confirms().socket.close()
        assert fetched(door) == CODE


def test_two_at_once_get_no_more_than_there_is() -> None:
    with opened() as door:
        guests = [Guest(door, RIGHT).starts() for _ in range(2)]
        heard = [guest.hears(BOX_BYTES) for guest in [one.confirms() for one in guests]]
        assert sorted(map(len, heard)) == [0, BOX_BYTES]


@pytest.mark.parametrize("words", [RIGHT, WRONG], ids=["right", "wrong"])
def test_the_answer_comes_on_the_second(words: TypedWords) -> None:
    with opened(answer_s=ANSWER_S) as door:
        guest = Guest(door, words).starts().confirms()
        guest.hears(BOX_BYTES)
        took_s = time.monotonic() - guest.confirmed_at
        assert ANSWER_S <= took_s < ANSWER_S + LOADED_S


# ---- what is changed, cut short or never said ---------------------------------------------------


def test_another_digit_is_a_neighbours_and_no_try() -> None:
    with opened() as door:
        for digit in (3, 5, 9):
            with pytest.raises(DoorAway, match="its words are others"):
                fetched(door, TypedWords(SHOWN.secret, digit, None))
        assert door._tries == 0 and fetched(door) == CODE


@pytest.mark.parametrize(
    "opening",
    [
        lambda asks: b"\x02" + asks.opening[1:],
        lambda asks: asks.opening + b"\0",
        lambda asks: asks.opening + bytes(6),
        lambda asks: asks.opening + bytes(32),
        lambda asks: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        lambda asks: bytes(10_000),
    ],
    ids=["version", "one more", "40 bytes", "two at once", "http", "long"],
)
def test_what_is_no_opening_ends_the_connection_and_is_no_try(
    opening: Callable[[WordQuestion], bytes],
) -> None:
    with opened() as door:
        guest = Guest(door)
        with suppress(OSError):
            guest.socket.sendall(opening(guest.question))
        assert guest.hears(REPLY_BYTES) == b""
        assert door._tries == 0 and fetched(door) == CODE


def test_an_element_that_is_none_is_answered_as_a_wrong_guess_and_is_no_try() -> None:
    with opened() as door:
        guest = Guest(door)
        guest.socket.sendall(bytes([1, 4]) + bytes([1]) + bytes(31))
        assert len(guest.hears(REPLY_BYTES)) == REPLY_BYTES
        began = time.monotonic()
        guest.socket.sendall(bytes(32))
        assert guest.hears(BOX_BYTES) == b""
        assert SOON_S <= time.monotonic() - began < SOON_S + LOADED_S
        assert door._tries == 0 and fetched(door) == CODE


@pytest.mark.parametrize("place", range(0, 32, 5))
def test_a_changed_confirmation_is_a_try(place: int) -> None:
    with opened() as door:
        guest = Guest(door, RIGHT).starts()
        confirm = bytearray(guest.question.confirm(guest.reply) or b"")
        confirm[place] ^= 0x80
        guest.socket.sendall(confirm)
        until(lambda: door._tries == 1)


def test_a_byte_behind_the_confirmation_ends_the_connection_without_an_answer() -> None:
    with opened() as door:
        guest = Guest(door, RIGHT).starts().confirms()
        guest.socket.sendall(b"\0")
        assert guest.hears(BOX_BYTES) == b""
        assert fetched(door) == CODE


def test_a_message_may_come_in_pieces() -> None:
    with opened() as door:
        guest = Guest(door, RIGHT)
        for at_byte in range(len(guest.question.opening)):
            guest.socket.sendall(guest.question.opening[at_byte : at_byte + 1])
        guest.reply = guest.hears(REPLY_BYTES)
        assert guest.question.open(guest.confirms().hears(BOX_BYTES)) == CODE


# ---- bounds -------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.slow
def test_who_says_nothing_is_cut_after_five_seconds_and_who_does_not_confirm_after_three() -> None:
    with opened() as door:
        began, silent = time.monotonic(), Guest(door)
        started_at, started = time.monotonic(), Guest(door).starts()
        until(lambda: started.is_cut)
        assert CONFIRM_S <= time.monotonic() - started_at < CONFIRM_S + LOADED_S
        until(lambda: silent.is_cut)
        assert OPENING_S <= time.monotonic() - began < OPENING_S + LOADED_S
        assert door._tries == 0


def test_a_ninth_cuts_the_oldest_that_said_nothing_but_leaves_it_a_moment_to_speak() -> None:
    with opened() as door:
        began, guests = time.monotonic(), [Guest(door) for _ in range(GUESTS_MAX)]
        until(lambda: len(door._guests) == GUESTS_MAX)
        assert not any(guest.is_cut for guest in guests)
        ninth = Guest(door)
        until(lambda: guests[0].is_cut)
        assert time.monotonic() - began >= GRACE_S and not ninth.is_cut
        assert not any(guest.is_cut for guest in guests[1:])


@pytest.mark.slow
def test_a_ninth_is_cut_itself_where_all_have_begun() -> None:
    with opened() as door:
        guests = [Guest(door).starts() for _ in range(GUESTS_MAX)]
        ninth = Guest(door)
        until(lambda: ninth.is_cut)
        assert not any(guest.is_cut for guest in guests)


def test_hundreds_of_silent_connections_do_not_keep_the_right_one_out() -> None:
    with opened() as door:
        silent = []
        for _ in range(60):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", door.port))
            silent.append(one)
        assert fetched(door) == CODE
        for one in silent:
            one.close()


def test_a_fifth_start_waits_for_the_next_second() -> None:
    with opened() as door:
        began, times = time.monotonic(), []
        for _ in range(STARTS_A_SECOND + 1):
            Guest(door).starts()
            times.append(time.monotonic() - began)
        assert times[STARTS_A_SECOND - 1] < 1.0, "four at once"
        assert 1.0 <= times[STARTS_A_SECOND] < 1.0 + LOADED_S


def test_who_opens_and_never_confirms_has_guessed_nothing() -> None:
    with opened() as door:
        for _ in range(STARTS_A_SECOND):
            guest = Guest(door).starts()
            guest.socket.close()
        assert door._tries == 0 and fetched(door) == CODE


def test_closing_ends_all_and_frees_the_port() -> None:
    with opened() as door:
        guests = [Guest(door), Guest(door).starts()]
        port = door.port
    assert all(guest.is_cut for guest in guests) and door.end is WordsEnd.CLOSED
    with opened(port=port) as door:
        assert door.port == port


def test_a_port_that_is_taken_is_another_one() -> None:
    with opened() as first, opened(port=first.port) as second:
        assert second.port != first.port
        assert fetched(second) == fetched(first) == CODE


def test_a_host_that_is_none_of_this_machine_is_said() -> None:
    with pytest.raises(PortTaken, match="the words cannot be answered"), opened(host="192.0.2.1"):
        pass


@pytest.mark.parametrize(
    ("host", "reached"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("::", "127.0.0.1"), ("::1", "::1")],
)
def test_both_kinds_of_addresses(host: str, reached: str) -> None:
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with opened(host=host) as door:
        assert fetch(RIGHT, at(door, reached), os.urandom, lambda said: None) == CODE


# ---- who asks -----------------------------------------------------------------------------------


def test_a_door_of_wrong_words_first_and_the_right_one_second() -> None:
    with opened() as right:
        other = Words(4, ("zoo", "zoo", "zoo"))
        wrong = WordDoor(other, CODE, 1, "127.0.0.1", os.urandom, 0, SOON_S)
        doors, told = [*at(wrong), *at(right)], list[str]()
        assert fetch(RIGHT, doors, os.urandom, told.append) == CODE
        assert told == [f"asking 127.0.0.1:{door.port}" for door in (wrong, right)]
        assert wrong._tries == 1
        wrong.close()


def test_a_door_has_several_addresses_and_is_asked_once() -> None:
    with opened() as door:
        dead = Endpoint("127.0.0.1", 1)
        (place,) = at(door)
        with pytest.raises(InvitationError, match=r"127.0.0.1:1: nobody listens there; 127.*wrong"):
            fetch(WRONG, [[dead, *place, *place]], os.urandom, lambda said: None)
        assert door._tries == 1


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "ended the connection at once"),
        (b"x", "no door of leftzmq"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb\r\n", "no door of leftzmq"),
        (b"B" + bytes([1]) + bytes(31), "no door of leftzmq"),
        (b"A" + bytes(32), "no door of leftzmq"),
    ],
)
def test_what_is_no_door_is_said(said: bytes, why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def serve() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(100)
                connection.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(DoorAway, match=why):
            fetch(RIGHT, [[Endpoint("127.0.0.1", port)]], os.urandom, lambda said: None)
        thread.join()


def test_a_name_without_an_address_and_a_silent_door_are_said() -> None:
    with pytest.raises(DoorAway, match="the name has no address"):
        fetch(RIGHT, [[Endpoint("no-such-name.invalid", 7709)]], os.urandom, lambda said: None)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        place = Endpoint("127.0.0.1", deaf.getsockname()[1])
        with pytest.raises(DoorAway):
            fetch(RIGHT, [[place]], os.urandom, lambda said: None, message_s=0.2)
