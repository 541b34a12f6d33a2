"""Three words and a digit: the list, and everything that people may type."""

from __future__ import annotations

import pytest

from leftzmq.endpoint import Endpoint
from leftzmq.errors import InvitationError
from leftzmq.pairing.words import (
    LIST_WORDS,
    WORDS_PORT,
    TypedWords,
    Words,
    is_code,
    new_words,
    read_words,
    word_list,
    words_among,
)

SHOWN = Words(4, ("tiger", "lamp", "ocean"))


def said(text: str) -> InvitationError:
    with pytest.raises(InvitationError) as caught:
        read_words(text)
    assert caught.value.exit_code == 1 and caught.value.do
    assert str(caught.value).startswith("the words: ")
    return caught.value


def test_the_list_has_what_is_promised_of_it() -> None:
    words = word_list()
    assert len(words) == len(set(words)) == LIST_WORDS == 2**11
    assert len({word[:4] for word in words}) == LIST_WORDS, "unique in four letters"
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words)
    assert list(words) == sorted(words), "another order would be another list"
    assert words[0] == "abandon" and words[-1] == "zoo"
    assert all(3 <= len(word) <= 8 for word in words)


@pytest.mark.parametrize(
    ("drawn", "shown"),
    [
        (b"\0\0\0\0\0\0", "0 abandon-abandon-abandon"),
        (b"\xff\xff\xff\xff\xff\xff", "7 zoo-zoo-zoo"),
        (b"\0\0\0\0\x08\x01", "0 ability-ability-abandon"),
        (b"\0\x08\0\0\0\0", "4 abandon-abandon-abandon"),
    ],
)
def test_words_are_drawn_from_all_of_the_random_bits(drawn: bytes, shown: str) -> None:
    assert str(new_words(lambda size: drawn)) == shown and len(drawn) == 6


def test_nobody_reads_the_words_in_a_repr() -> None:
    assert "tiger" not in repr(SHOWN) and "tiger" not in repr(read_words("4 tiger lamp ocean"))


@pytest.mark.parametrize(
    "text",
    [
        str(SHOWN),
        "4-tiger-lamp-ocean",
        "4 Tiger  LAMP ocean \n",
        "4tiger lamp ocean",
        " 4 - tiger \u2013 lamp \u2014 ocean",
        "4 tige lamp ocea",
        "4, tiger, lamp, ocean.",
        "4_tiger_lamp_ocean",
        "tiger lamp ocean 4",
        "leftzmq join 4 tiger-lamp-ocean",
        "$ leftzmq join  4-tiger-lamp-ocean",
    ],
)
def test_words_are_read_however_they_are_written(text: str) -> None:
    assert read_words(text) == TypedWords(SHOWN.secret, 4, None)


@pytest.mark.parametrize("text", ["tiger-lamp-ocean", "tiger lamp ocean"])
def test_the_digit_may_be_left_out(text: str) -> None:
    assert read_words(text) == TypedWords("tiger-lamp-ocean", None, None)


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("nas", Endpoint("nas", WORDS_PORT)),
        (" NAS.example.org ", Endpoint("NAS.example.org", WORDS_PORT)),
        ("192.168.1.20", Endpoint("192.168.1.20", WORDS_PORT)),
        ("192.168.1.20:81", Endpoint("192.168.1.20", 81)),
        ("2001:db8::1", Endpoint("2001:db8::1", WORDS_PORT)),
        ("[2001:db8::1]", Endpoint("2001:db8::1", WORDS_PORT)),
        ("[2001:db8::1]:81", Endpoint("2001:db8::1", 81)),
        ("[fe80::1%eth0]:81", Endpoint("fe80::1%eth0", 81)),
        ("fe80::1%eth0", Endpoint("fe80::1%eth0", WORDS_PORT)),
    ],
)
def test_behind_the_at_stands_where_they_are_answered(host: str, endpoint: Endpoint) -> None:
    assert read_words(f"4 tiger-lamp-ocean@{host}") == TypedWords(SHOWN.secret, 4, endpoint)


@pytest.mark.parametrize(
    "host", ["", " ", "no host", "a:b", "a:0", "a:70000", "0.0.0.0", "fe80::1", "a@b", "1.2.3", "/"]
)
def test_what_is_no_host_is_named(host: str) -> None:
    error = said(f"4 tiger-lamp-ocean@{host}")
    assert error.what.startswith("behind the @: ") and "@HOST" in error.do
    assert "tcp://" not in str(error)


@pytest.mark.parametrize(
    ("text", "word", "nearest"),
    [
        ("4 tigre-lamp-ocean", "tigre", "tiger"),
        ("4 tiger-lamp-ocaen", "ocaen", "ocean"),
        ("4 tigers-lamp-ocean", "tigers", "tiger"),
        ("tig lamp ocean", "tig", "tiger"),
        ("44 tiger-lamp-ocean", "44", ""),
        ("4 tiger-l\x1b[1mamp-ocean", "l\\x1b[1mamp", "lamp"),
        ("4 tiger-lamp-\u0440cean", "\u0440cean", "ocean"),
    ],
)
def test_a_word_outside_the_list_is_named_with_the_nearest_one(
    text: str, word: str, nearest: str
) -> None:
    error = said(text)
    assert error.what == f"'{word}' is no word of them"
    assert error.do.startswith(f"is it {nearest}")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "there are 0 of them"),
        ("4", "there are 0 of them"),
        ("tiger", "there is 1 of them"),
        ("4 tiger lamp", "there are 2 of them"),
        ("4 tiger lamp ocean zoo", "there are 4 of them"),
        ("tiger " * 200, "there are 1,200 characters"),
    ],
)
def test_too_few_and_too_many_are_counted(text: str, what: str) -> None:
    assert what in str(said(text))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("lz1-abc", True),
        (" LZ2-abc", True),
        ("leftzmq join lz1-a", True),
        ("Lzl-abc", True),
        ("lz 1", True),
        ("1 zoo zoo zoo", False),
        ("1zone-lamp-ocean", False),
        ("4 tiger-lamp-ocean", False),
        ("tiger", False),
        ("lz", False),
        ("", False),
        ("zlz1", False),
    ],
)
def test_what_begins_with_lz_and_a_digit_is_a_code(text: str, is_one: bool) -> None:
    assert is_code(text) is is_one


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("4 tiger-lamp-ocean", 2),
        ("4 tiger-lamp-ocean docs", 2),
        ("4 tiger-lamp-ocean ocean", 2),
        ("4-tiger-lamp-ocean ocean", 1),
        ("4 tiger lamp ocean", 4),
        ("4 tiger lamp ocean docs", 4),
        ("tiger lamp ocean docs", 3),
        ("tiger-lamp-ocean docs", 1),
        ("4 tiger-lamp-ocean@nas docs", 2),
        ("4 tiger lamp ocean@nas ocean", 4),
        ("4 tigre lamp ocean docs", 4),
        ("4 tiger-lamp@nas docs", 2),
        ("a b c", 0),
        ("lz1-abc docs", 0),
        ("docs", 0),
        ("4", 1),
        ("", 0),
    ],
)
def test_words_of_a_command_line_may_have_spaces_between(line: str, count: int) -> None:
    assert words_among(line.split()) == count
