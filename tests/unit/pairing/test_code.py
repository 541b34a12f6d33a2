"""The invitation code: there and back, however it was pasted; and each mistake names its part."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as some

from leftzmq import crockford
from leftzmq.content.keys import check_bits
from leftzmq.endpoint import Endpoint
from leftzmq.errors import InvitationError
from leftzmq.pairing import code as pairing_code
from leftzmq.pairing.code import Code, code_text, read_code

PORT = 7709
DOOR, TOKEN = bytes(range(32)), bytes(range(100, 116))
FOUR, SIX = Endpoint("192.168.1.20", PORT), Endpoint("2001:db8::1", PORT)
LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"

ONE = Code((FOUR,), PORT, DOOR, TOKEN)
ONE_TEXT = (
    "lz1-0g1w7e0n00h8p2y-000g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfm49-"
    "chjpcsv8d5n6pv3ddsqq0wbjedr6"
)
MANY = Code(
    (
        Endpoint("10.9.8.7", 65_000),
        Endpoint("fd12:34::56", 65_000),
        Endpoint("nas.example.net", 443),
    ),
    65_000,
    DOOR[::-1],
    TOKEN[::-1],
)
MANY_TEXT = (
    "lz1-5kyyg2g9103zt4g06g000000000000000005c4vec5sjwsbrc5pq0v355sq6ax1t6gt362v8-"
    "3wf1t70v38chg5rp2ma164gh207gw38c1c50j2070r2g80r204080g-eds72w3fdspprtvad5m6esk5chwz"
)


def said(text: str) -> str:
    with pytest.raises(InvitationError) as caught:
        read_code(text)
    assert caught.value.exit_code == 1 and caught.value.do
    assert str(caught.value).startswith("the invitation code: ")
    return caught.value.what


def part_said(text: str) -> str:
    """What an error of a part is about: "address", "key" or "token"."""
    found = re.match(r"the (address|key|token) part ", said(text))
    assert found is not None, said(text)
    return found[1]


# ---------------------------------------------------------------- there and back


@pytest.mark.parametrize(("code", "text"), [(ONE, ONE_TEXT), (MANY, MANY_TEXT)])
def test_golden(code: Code, text: str) -> None:
    assert code_text(code) == text and read_code(text) == code


def test_a_code_is_made_of_bits_as_the_protocol_says() -> None:
    address = bytes([0b001_00_0_00, *PORT.to_bytes(2, "big"), 192, 168, 1, 20])
    for part, data, check_of, purpose, bits in zip(
        ONE_TEXT.split("-")[1:],
        (address, DOOR, TOKEN),
        (address, DOOR, address + DOOR + TOKEN),
        ("code 1", "code 2", "code 3"),
        (16, 14, 12),
        strict=True,
    ):
        number = crockford.decode(part)
        assert number >> bits == int.from_bytes(data, "big")
        assert number & (1 << bits) - 1 == check_bits(purpose, check_of, bits)


@pytest.mark.parametrize(
    ("addresses", "length"),
    [
        ((FOUR,), 103),
        ((FOUR, SIX), 128),
        ((FOUR, Endpoint("10.0.0.1", PORT), SIX, Endpoint("fd00::1", PORT)), 160),
        ((FOUR, Endpoint("h" * 29, 44_443)), 160),
    ],
)
def test_lengths(addresses: tuple[Endpoint, ...], length: int) -> None:
    text = code_text(Code(addresses, PORT, DOOR, TOKEN))
    assert len(text) == length and set(text) <= {*LETTERS, *"lz1-"}
    assert read_code(text).addresses == addresses


def callable_ip(packed: bytes) -> bool:
    ip = IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    return not (mapped.is_loopback or mapped.is_unspecified or mapped.is_link_local)


def ips(size: int) -> some.SearchStrategy[list[str]]:
    make: Callable[[bytes], IPv4Address | IPv6Address] = IPv4Address if size == 4 else IPv6Address
    one = some.binary(min_size=size, max_size=size).filter(callable_ip)
    return some.lists(one.map(make).map(str), max_size=2)


@given(
    fours=ips(4),
    sixes=ips(16),
    name=some.none() | some.from_regex(r"[a-z]([a-z0-9-]{0,9}[a-z])?", fullmatch=True),
    port=some.integers(1, 65535),
    door=some.binary(min_size=32, max_size=32),
    token=some.binary(min_size=16, max_size=16),
)
@example([], [], "a", 1, bytes(32), bytes(16))
@example([], ["::2"], None, 65535, b"\xff" * 32, b"\xff" * 16)
@settings(max_examples=60)
def test_there_and_back(
    fours: list[str], sixes: list[str], name: str | None, port: int, door: bytes, token: bytes
) -> None:
    addresses = [Endpoint(host, port) for host in (*fours, *sixes)]
    if name is not None and len(sixes) < 2:
        addresses.append(Endpoint(name, 443))
    assume(addresses)
    code = Code(tuple(addresses), port, door, token)
    text = code_text(code)
    assert len(text) <= pairing_code.MAX_CODE_CHARS and read_code(text) == code


def test_addresses_go_in_by_kind_and_keep_their_order_within_it() -> None:
    far, second = Endpoint("10.0.0.1", 80), Endpoint("10.0.0.2", PORT)
    code = Code((far, SIX, FOUR, second), PORT, DOOR, TOKEN)
    assert read_code(code_text(code)).addresses == (FOUR, second, SIX, far)


def test_the_token_is_not_shown() -> None:
    assert "token" not in repr(ONE) and repr(TOKEN)[2:-1] not in repr(ONE)


# ---------------------------------------------------------------- however it was pasted


@pytest.mark.parametrize(
    "paste",
    [
        str.upper,
        lambda text: f"  {text}\n",
        lambda text: "\n".join(text[at : at + 30] for at in range(0, len(text), 30)),
        lambda text: "\r\n  ".join(text[at : at + 7] for at in range(0, len(text), 7)),
        lambda text: " ".join(text),
        lambda text: text.replace("-", " - "),
        lambda text: text.replace("0", "o").replace("1", "l"),
        lambda text: text.replace("0", "O").replace("1", "I"),
        lambda text: f"-{text}-",
        lambda text: text.replace("-", "--"),
        lambda text: text.replace("-", "\u00a0-\u2009"),
        lambda text: text.replace("-", "", 1),
        lambda text: text[:20] + text[20:].replace("-", "", 1),
        lambda text: "".join(text.rsplit("-", 1)),
        lambda text: text.replace("-", ""),
        lambda text: text.replace("-", " "),
        lambda text: f"leftzmq join {text}",
        lambda text: f"$ leftzmq  join\n{text}\n",
        lambda text: f"LEFTZMQ JOIN {text.upper()}",
    ],
)
@pytest.mark.parametrize(("code", "text"), [(ONE, ONE_TEXT), (MANY, MANY_TEXT)])
def test_it_is_read_however_it_was_pasted(
    code: Code, text: str, paste: Callable[[str], str]
) -> None:
    assert read_code(paste(text)) == code


# ---------------------------------------------------------------- mistakes


def part_at(text: str, at: int) -> str:
    return ("beginning", "address", "key", "token")[text.count("-", 0, at)]


@pytest.mark.parametrize(
    ("text", "found_by_the_last_check"),
    [(ONE_TEXT, []), (MANY_TEXT, [(80, "f")])],  # one of 2^14 keys with a mistake has a right check
)
def test_every_letter_that_is_changed_is_found_in_its_part(
    text: str, found_by_the_last_check: list[tuple[int, str]]
) -> None:
    missed = []
    for at, right in enumerate(text):
        part = part_at(text, at)
        if right == "-" or part == "beginning":
            continue
        for letter in LETTERS:
            if letter != right and part_said(text[:at] + letter + text[at + 1 :]) != part:
                missed.append((at, letter))
    assert missed == found_by_the_last_check


@pytest.mark.parametrize("text", [ONE_TEXT, MANY_TEXT])
def test_every_other_character_in_its_place_is_found_in_its_part(text: str) -> None:
    for at, right in enumerate(text):
        part = part_at(text, at)
        if right == "-" or part == "beginning":
            continue
        for wrong in "u!~.\0\u0131\u212a":
            what = said(text[:at] + wrong + text[at + 1 :])
            assert what == f"the {part} part has {wrong!r} in it, which it never has"
        assert part_said(text[:at] + "-" + text[at + 1 :]) == part
        assert part_said(text[:at] + text[at + 1 :]) == part  # left out
        assert part_said(text[:at] + right + text[at:]) == part  # twice


def test_a_beginning_that_is_wrong_is_said() -> None:
    for at in range(3):
        for letter in {*LETTERS, *"u!"} - {ONE_TEXT[at], *"1"[: at == 0]}:
            what = said(ONE_TEXT[:at] + letter + ONE_TEXT[at + 1 :])
            assert what.startswith("its beginning is ")
    for at in (3, 19, 74):  # a letter in place of a dash
        assert part_said(ONE_TEXT[:at] + "a" + ONE_TEXT[at + 1 :]) in ("address", "key")


def test_a_code_of_a_later_version_says_that() -> None:
    for beginning in ("lz2-", "LZ2 -", "lz2", "lz17-", "lz200-abc-"):
        with pytest.raises(InvitationError) as caught:
            read_code(beginning + ONE_TEXT.partition("-")[2])
        version = re.findall(r"\d+", beginning)[0]
        if beginning == "lz2":
            version = "2"
        assert str(caught.value) == (
            f"the invitation code: its beginning is lz{version}-, which is of a later version of "
            "leftzmq (update leftzmq here; or compare the beginning, which here is lz1-)"
        )


def test_swapped_letters_are_found() -> None:
    chance = random.Random(15)
    for _ in range(2_000):
        at, other = sorted(chance.sample(range(4, len(ONE_TEXT)), 2))
        letters = list(ONE_TEXT)
        letters[at], letters[other] = letters[other], letters[at]
        if "-" not in (letters[at], letters[other]) and letters[at] != letters[other]:
            assert part_said("".join(letters)) in (part_at(ONE_TEXT, at), part_at(ONE_TEXT, other))


def test_parts_of_two_codes_are_not_one() -> None:
    mine, other = ONE_TEXT.split("-"), MANY_TEXT.split("-")
    for number in (1, 2, 3):
        for mixed, with_ in ((mine, other), (other, mine)):
            parts = [*mixed[:number], with_[number], *mixed[number + 1 :]]
            what = said("-".join(parts))
            assert what == (
                "the token part has a mistake in it, or is of another code than the parts before it"
            )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("leftzmq join", "is empty"),
        ("---", "is empty"),
        ("tiger-lamp-ocean", "its beginning is not lz1-"),
        ("lz-1", "its beginning is not lz1-"),
        ("lz0-a-b-c", "its beginning is not lz1-"),
        ("lz1", "the address part is missing"),
        ("lz1-", "the address part is missing"),
        (ONE_TEXT[:12], "the key part is missing"),
        (ONE_TEXT[:19], "the key part is missing"),
        (ONE_TEXT[:74], "the token part is missing"),
        (ONE_TEXT[:60], "the token part is missing"),
        (ONE_TEXT[:-1], "the token part has 27 letters and digits, 28 are wanted"),
        (ONE_TEXT[:76], "the token part has 1 letters and digits, 28 are wanted"),
        (ONE_TEXT + "0", "the token part has 29 letters and digits, 28 are wanted"),
        (ONE_TEXT.replace("-000g4", "-00g4"), "the key part has 53 letters and digits, 54 are "),
        (ONE_TEXT.replace("lz1-0", "lz1-"), "the address part has 14 letters and digits, which "),
        ("lz1-" + "0" * 74 + ONE_TEXT[19:], "the address part has 74 letters and digits, which "),
        (ONE_TEXT + "-" + ONE_TEXT, "there are 7 parts behind lz1-, and three are wanted"),
        (ONE_TEXT + "-abc", "the token part has a dash in it, which it never has"),
        ("z" * 1_001, "there are 1,001 characters, and it has at most 160"),
    ],
)
def test_what_is_no_code_is_said(text: str, what: str) -> None:
    assert said(text).startswith(what)


@given(some.text(max_size=300) | some.text("lz1-" + LETTERS + "iou \n", max_size=200))
def test_whatever_is_pasted_is_refused_in_a_sentence(text: str) -> None:
    for pasted in (text, "lz1-" + text, text[:50].join(ONE_TEXT.split("-")[1:])):
        said(pasted)


# ---------------------------------------------------------------- the address part


def with_address(data: bytes) -> str:
    """A code with any bytes in its address part, and the right checks."""

    def part(data: bytes, check: int, bits: int) -> str:
        number = int.from_bytes(data, "big") << bits | check
        return crockford.encode(number, -(-(8 * len(data) + bits) // 5))

    address = part(data, check_bits("code 1", data, 16), 16)
    token = part(TOKEN, check_bits("code 3", data + DOOR + TOKEN, 12), 12)
    return "-".join(["lz1", address, ONE_TEXT.split("-")[2], token])


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x1e\x1d" + bytes(1),  # none
        b"\x21\x1e\x1d" + bytes([10, 0, 0, 1]),  # an unused bit
        b"\x22\x1e\x1d" + bytes([10, 0, 0, 1]),
        b"\x60\x1e\x1d" + bytes([10, 0, 0, 1]) * 3,  # three
        b"\x20\x1e\x1d" + bytes([10, 0, 0]),  # too short
        b"\x20\x1e\x1d" + bytes([10, 0, 0, 1, 0]),  # too long
        b"\x40\x1e\x1d" + bytes([10, 0, 0, 1]),
        b"\x04\x1e\x1d" + b"\x00",  # a text of nothing
        b"\x04\x1e\x1d" + b"\x05" + b"a:80",
        b"\x04\x1e\x1d" + b"\x03" + b"a:80",
        b"\x24\x1e\x1d" + bytes([10, 0, 0, 1]),  # no text at all
    ],
)
def test_an_address_part_that_does_not_add_up_is_refused(data: bytes) -> None:
    assert said(with_address(data)) == "the address part is not as leftzmq writes it"


def test_three_addresses_of_the_longer_kind_do_not_fit() -> None:
    what = said(with_address(b"\x18\x1e\x1d" + bytes([0xFD, *bytes(14), 1]) * 3))
    assert what.startswith("the address part has 85 letters and digits, which is none of its")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x20\0\0" + bytes([10, 0, 0, 1]), "names port 0 as the door's"),
        (b"\x20\x1e\x1d" + bytes([127, 0, 0, 1]), "'tcp://127.0.0.1:7709' means the machine "),
        (b"\x20\x1e\x1d" + bytes(4), "'tcp://0.0.0.0:7709' means every address"),
        (b"\x20\x1e\x1d" + bytes([169, 254, 1, 1]), "'tcp://169.254.1.1:7709' is valid on one "),
        (b"\x08\x1e\x1d" + bytes(15) + b"\1", "'tcp://[::1]:7709' means the machine itself"),
        (b"\x08\x1e\x1d" + bytes(16), "'tcp://[::]:7709' means every address"),
        (b"\x08\x1e\x1d\xfe\x80" + bytes(13) + b"\1", "'tcp://[fe80::1]:7709' is valid on one "),
        (b"\x08\x1e\x1d" + bytes(10) + b"\xff\xff\x7f\0\0\1", "cannot be used: 'tcp://[::ffff:"),
        (b"\x04\x1e\x1d\x0c127.0.0.1:80", "'tcp://127.0.0.1:80' means the machine itself"),
        (b"\x04\x1e\x1d\x060:0:80", "'tcp://0:0:80' has no IPv4 address, host name or"),
        (b"\x04\x1e\x1d\x04[:]:", "'tcp://[:]:' does not end in a port"),
        (b"\x04\x1e\x1d\x03a:0", "'tcp://a:0' has port 0"),
        (b"\x04\x1e\x1d\x05a:99x", "'tcp://a:99x' does not end in a port"),
        (b"\x04\x1e\x1d\x06a b:80", "'tcp://a b:80' has no IPv4 address, host name or"),
        (b"\x04\x1e\x1d\x06a\x1bb:80", r"'tcp://a\x1bb:80' has no IPv4 address, host name or"),
        (b"\x04\x1e\x1d\x07[fd::1%e]:80"[:3] + b"\x0c[fd::1%e]:80", "'tcp://[fd::1%e]:80' has a "),
        (b"\x04\x1e\x1d\x05\xe4\xf6:80", "names a host in other letters than a name has"),
    ],
)
def test_what_cannot_be_called_is_refused(data: bytes, what: str) -> None:
    found = said(with_address(data))
    assert found.startswith(
        (f"the address part cannot be used: {what}", f"the address part {what}")
    )


@pytest.mark.parametrize(
    ("addresses", "what"),
    [
        ((), "there is no address to put into it"),
        ((FOUR, Endpoint("127.0.0.1", 80)), "'tcp://127.0.0.1:80' means the machine itself"),
        ((Endpoint("h" * 30, 44_443), FOUR), "its addresses take 44 bytes, and 43 fit into it"),
        ((Endpoint("h" * 253, 80),), "its addresses take 260 bytes, and 43 fit into it"),
        ((Endpoint("fe80::1%eth0", PORT),), "'tcp://[fe80::1%eth0]:7709' has a zone"),
    ],
)
def test_a_code_that_would_lead_nowhere_is_not_made(
    addresses: tuple[Endpoint, ...], what: str
) -> None:
    with pytest.raises(InvitationError) as caught:
        code_text(Code(addresses, PORT, DOOR, TOKEN))
    assert caught.value.what.startswith(what) and "--address" in caught.value.do
