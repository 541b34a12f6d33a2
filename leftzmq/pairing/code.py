"""The invitation code: the one word that is carried to the other machine.

It says where the door of an invitation is, which key the door has, and a token that is worth one
entry. Knows letters, checks, and which addresses can be called from another machine. Must not know
who stands behind the door, nor what a token leads to. docs/protocol.md, "Invitation code".
"""

from __future__ import annotations

import ipaddress
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from leftzmq import crockford
from leftzmq.content.keys import check_bits
from leftzmq.endpoint import Endpoint
from leftzmq.errors import ConfigError, InvitationError

MAX_CODE_CHARS: Final = 160
MAX_ADDRESS_BYTES: Final = 43  # two addresses of each kind
MAX_OF_A_KIND: Final = 2
DOOR_BYTES: Final = 32
TOKEN_BYTES: Final = 16

_VERSION: Final = 1
_BEGINNING: Final = f"lz{_VERSION}"
_MAX_PASTED_CHARS: Final = 1_000  # a whole line of a terminal, wrapped and with spaces

# The bits of each check: as many as fill up the letters of the part, 12 at least.
_ADDRESS_CHECK_BITS: Final = 16
_KEY_CHECK_BITS: Final = 14
_TOKEN_CHECK_BITS: Final = 12
_KEY_LETTERS: Final = (8 * DOOR_BYTES + _KEY_CHECK_BITS) // crockford.BITS_A_LETTER
_TOKEN_LETTERS: Final = (8 * TOKEN_BYTES + _TOKEN_CHECK_BITS) // crockford.BITS_A_LETTER
_FIXED_BYTES: Final = 3  # of the address part: what follows, and the door's port

_ADDRESS: Final = "the address part"
_KEY: Final = "the key part"
_TOKEN: Final = "the token part"

_WHERE: Final = "the invitation code"
_COPY_DO: Final = "copy the whole code again, or compare it with the screen of the other machine"
_NEW_DO: Final = "make a new code on the other machine, with the same leftzmq as here"
_ADDRESS_DO: Final = "give one that other machines can call, with --address HOST:PORT"

_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_ALIKE: Final = str.maketrans("ilo", "110")
_COMMAND: Final = re.compile(r"\A[$#>]?leftzmqjoin")  # white space is gone by then
_HEAD: Final = re.compile(r"1z([0-9]{1,3}$|[0-9])", re.ASCII)  # "lz1" as it looks, with i l = 1


@dataclass(frozen=True, slots=True)
class Code:
    """What an invitation code says.

    addresses: where the door can be called: at most two IPv4 and two IPv6 addresses with `port`,
        best first of each kind, then at most one of another port or of a name
    port: of the door; door: its CURVE public key, 32 bytes
    token: 16 random bytes, worth one entry
    """

    addresses: tuple[Endpoint, ...]
    port: int
    door: bytes
    token: bytes = field(repr=False)


def code_text(code: Code) -> str:
    """Return the code as it is shown: `lz1-ADDRESS-KEY-TOKEN`, at most 160 characters.

    The addresses go in by kind: IPv4, IPv6, the one that is a text. InvitationError: there is none,
    one of them means nothing on another machine, or they do not fit.
    """
    assert len(code.door) == DOOR_BYTES and len(code.token) == TOKEN_BYTES and code.port
    address = _packed(code.addresses, code.port)
    parts = (
        (address, check_bits("code 1", address, _ADDRESS_CHECK_BITS), _ADDRESS_CHECK_BITS),
        (code.door, check_bits("code 2", code.door, _KEY_CHECK_BITS), _KEY_CHECK_BITS),
        (code.token, _whole_check(address, code.door, code.token), _TOKEN_CHECK_BITS),
    )
    return "-".join([_BEGINNING, *(_part_text(*part) for part in parts)])


def read_code(text: str) -> Code:
    """Return what a code says that a person typed or pasted: in either case, wrapped, with white
    space in it or `leftzmq join` before it, with a dash too many or too few between the parts.

    InvitationError names the part that is wrong.
    """
    address_text, key_text, token_text = _apart(text)
    address, address_check = _address_read(address_text)
    door, key_check = _read(_KEY, key_text, DOOR_BYTES, _KEY_CHECK_BITS)
    token, token_check = _read(_TOKEN, token_text, TOKEN_BYTES, _TOKEN_CHECK_BITS)
    if address_check != check_bits("code 1", address, _ADDRESS_CHECK_BITS):
        raise _mistyped(_ADDRESS)
    if key_check != check_bits("code 2", door, _KEY_CHECK_BITS):
        raise _mistyped(_KEY)
    if token_check != _whole_check(address, door, token):
        what = f"{_TOKEN} has a mistake in it, or is of another code than the parts before it"
        raise InvitationError(what, _WHERE, _COPY_DO)
    addresses, port = _unpacked(address)
    return Code(addresses, port, door, token)


# -- bits and letters ------------------------------------------------------------------------------


def _part_text(data: bytes, check: int, check_size: int) -> str:
    bits = 8 * len(data) + check_size
    return crockford.encode(int.from_bytes(data, "big") << check_size | check, _letters(bits))


def _letters(bits: int) -> int:
    return -(-bits // crockford.BITS_A_LETTER)


def _whole_check(address: bytes, door: bytes, token: bytes) -> int:
    """Return the check of all three parts, so that parts of two codes are not taken for one."""
    return check_bits("code 3", address + door + token, _TOKEN_CHECK_BITS)


def _address_read(text: str) -> tuple[bytes, int]:
    size = (crockford.BITS_A_LETTER * len(text) - _ADDRESS_CHECK_BITS) // 8
    fits = _FIXED_BYTES < size <= MAX_ADDRESS_BYTES
    if not fits or len(text) != _letters(8 * size + _ADDRESS_CHECK_BITS):
        what = f"{_ADDRESS} has {len(text)} letters and digits, which is none of its lengths"
        raise InvitationError(what, _WHERE, _COPY_DO)
    return _read(_ADDRESS, text, size, _ADDRESS_CHECK_BITS)


def _read(part: str, text: str, size: int, check_size: int) -> tuple[bytes, int]:
    """Return the `size` bytes of a part and the check that stands behind them."""
    bits = 8 * size + check_size
    if len(text) != _letters(bits):
        what = f"{part} has {len(text)} letters and digits, {_letters(bits)} are wanted"
        raise InvitationError(what, _WHERE, _COPY_DO)
    try:
        number = crockford.decode(text)
    except ValueError as error:
        raise InvitationError(f"{part} {error}", _WHERE, _COPY_DO) from None
    if number >> bits:  # the first letter of an address part has up to four bits that are not used
        raise _mistyped(part)
    return (number >> check_size).to_bytes(size, "big"), number & (1 << check_size) - 1


def _mistyped(part: str) -> InvitationError:
    return InvitationError(f"{part} has a mistake in it", _WHERE, _COPY_DO)


# -- what a person pasted --------------------------------------------------------------------------


def _apart(text: str) -> tuple[str, str, str]:
    """Return the letters of the three parts, which are not looked at any further."""
    if len(text) > _MAX_PASTED_CHARS:
        what = f"there are {len(text):,} characters, and it has at most {MAX_CODE_CHARS}"
        raise InvitationError(what, _WHERE, _COPY_DO)
    bare = _COMMAND.sub("", "".join(text.split()).translate(_LOWER), count=1)
    groups = [group for group in bare.split("-") if group]
    if not groups:
        do = f"paste what `leftzmq share` printed: it begins with {_BEGINNING}-"
        raise InvitationError("is empty", _WHERE, do)
    head = groups[0].translate(_ALIKE)
    found = _HEAD.match(head)
    if found is None or int(found[1]) == 0:
        what = f"its beginning is not {_BEGINNING}-"
        raise InvitationError(what, _WHERE, _COPY_DO)
    if int(found[1]) != _VERSION:
        what = f"its beginning is lz{int(found[1])}-, which is of a later version of leftzmq"
        do = f"update leftzmq here; or compare the beginning, which here is {_BEGINNING}-"
        raise InvitationError(what, _WHERE, do)
    glued = head[found.end() :]
    return _three([glued, *groups[1:]] if glued else groups[1:])


def _three(groups: Sequence[str]) -> tuple[str, str, str]:
    """Return the parts, of groups between which dashes may be missing: two parts have a length that
    is always the same."""
    match groups:
        case [address, key, token]:
            return address, key, token
        case [_, _, _, _]:
            raise _cut(groups)
        case [_, _, _, _, *_]:
            what = f"there are {len(groups)} parts behind {_BEGINNING}-, and three are wanted"
            raise InvitationError(what, _WHERE, _COPY_DO)
        case [address, rest] if len(rest) > _KEY_LETTERS + _TOKEN_LETTERS // 2:
            return address, rest[:-_TOKEN_LETTERS], rest[-_TOKEN_LETTERS:]
        case [rest, token] if len(rest) > _KEY_LETTERS > len(token) + _TOKEN_LETTERS // 2:
            return rest[:-_KEY_LETTERS], rest[-_KEY_LETTERS:], token
        case [rest] if len(rest) > _KEY_LETTERS + _TOKEN_LETTERS:
            ends = len(rest) - _KEY_LETTERS - _TOKEN_LETTERS, len(rest) - _TOKEN_LETTERS
            return rest[: ends[0]], rest[ends[0] : ends[1]], rest[ends[1] :]
    missing = (_ADDRESS, _KEY, _TOKEN)[len(groups)]
    raise InvitationError(f"{missing} is missing", _WHERE, _COPY_DO)


def _cut(groups: Sequence[str]) -> InvitationError:
    """Return the error of a code with a dash inside a part, seen from its end."""
    part = _ADDRESS
    if len(groups[-1]) != _TOKEN_LETTERS:
        part = _TOKEN
    elif len(groups[-2]) != _KEY_LETTERS:
        part = _KEY
    return InvitationError(f"{part} has a dash in it, which it never has", _WHERE, _COPY_DO)


# -- the address part ------------------------------------------------------------------------------


def _packed(addresses: Sequence[Endpoint], port: int) -> bytes:
    """Return the bytes of the address part. InvitationError as in `code_text`."""
    if not addresses:
        do = "connect this machine to a network, or give an address with --address HOST:PORT"
        raise InvitationError("there is no address to put into it", _WHERE, do)
    four, six, texts = [], [], []
    for endpoint in addresses:
        if why := _not_callable(endpoint):
            raise InvitationError(f"{str(endpoint)!r} {why}", _WHERE, _ADDRESS_DO)
        match _ip(endpoint.host):
            case IPv4Address() as ip if endpoint.port == port:
                four.append(ip.packed)
            case IPv6Address() as ip if endpoint.port == port:
                six.append(ip.packed)
            case _:
                texts.append(str(endpoint).removeprefix("tcp://").encode())
    assert len(four) <= MAX_OF_A_KIND and len(six) <= MAX_OF_A_KIND and len(texts) <= 1
    first = len(four) << 5 | len(six) << 3 | len(texts) << 2
    sized = [bytes([min(len(text), 255)]) + text for text in texts]
    data = b"".join([bytes([first]), port.to_bytes(2, "big"), *four, *six, *sized])
    if len(data) > MAX_ADDRESS_BYTES:
        what = f"its addresses take {len(data)} bytes, and {MAX_ADDRESS_BYTES} fit into it"
        raise InvitationError(what, _WHERE, "give a shorter --address, or the IP address of it")
    return data


def _unpacked(data: bytes) -> tuple[tuple[Endpoint, ...], int]:
    """The inverse of `_packed`, for bytes whose check fits: whatever is wrong with them was made so
    on purpose, or by another program. InvitationError."""
    first, port = data[0], int.from_bytes(data[1:3], "big")
    fours, sixes, texts, unused = first >> 5, first >> 3 & 3, first >> 2 & 1, first & 3
    ends = _FIXED_BYTES + 4 * fours, _FIXED_BYTES + 4 * fours + 16 * sixes
    text = data[ends[1] :]
    if (
        unused
        or fours > MAX_OF_A_KIND
        or sixes > MAX_OF_A_KIND
        or not fours + sixes + texts
        or len(data) < ends[1] + 2 * texts
        or (text[:1] != bytes([len(text) - 1]) if texts else text)
    ):
        what = f"{_ADDRESS} is not as leftzmq writes it"
        raise InvitationError(what, _WHERE, _NEW_DO)
    if port == 0:
        raise InvitationError(f"{_ADDRESS} names port 0 as the door's", _WHERE, _NEW_DO)
    four, six = data[_FIXED_BYTES : ends[0]], data[ends[0] : ends[1]]
    found = [
        *(Endpoint(str(IPv4Address(one)), port) for one in _pieces(four, 4)),
        *(Endpoint(str(IPv6Address(one)), port) for one in _pieces(six, 16)),
        *(_endpoint(text[1:]) for _ in range(texts)),
    ]
    for endpoint in found:
        if why := _not_callable(endpoint):
            what = f"{_ADDRESS} cannot be used: {str(endpoint)!r} {why}"
            raise InvitationError(what, _WHERE, _NEW_DO)
    return tuple(found), port


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def _endpoint(text: bytes) -> Endpoint:
    try:
        return Endpoint.parse(f"tcp://{text.decode('ascii')}", _ADDRESS)
    except UnicodeDecodeError:
        what = f"{_ADDRESS} names a host in other letters than a name has"
    except ConfigError as error:
        what = f"{_ADDRESS} cannot be used: {error.what}"
    raise InvitationError(what, _WHERE, _NEW_DO)


def _not_callable(endpoint: Endpoint) -> str:
    """Return why no other machine can call it, as a clause, or "". A name is not looked up."""
    if endpoint.port == 0:
        return "has port 0, which cannot be called"
    ip = _ip(endpoint.host)
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None:
            return "has a zone, which means nothing on another machine"
        ip = ip.ipv4_mapped or ip
    if ip is None:
        return ""
    if ip.is_unspecified:
        return "means every address of a machine, not one that can be called"
    if ip.is_loopback:
        return "means the machine itself, wherever it is called"
    if ip.is_link_local:
        return "is valid on one link only"
    return ""


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
