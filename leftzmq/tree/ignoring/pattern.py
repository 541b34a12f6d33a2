"""What one line of ignore rules means, with the syntax of gitignore(5). Bytes in, a value out.

Knows wildcards, brackets and escapes. Must not know files, folders of a share, or other lines.

Matching is by bytes, as git does it: `?` is one byte of a name, not one character. Names are
compared byte for byte on every disk, so that a rule means the same on all devices.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final

from msgspec import Struct

from leftzmq.errors import RuleFault

_BACKSLASH: Final = ord("\\")
_SLASH: Final = ord("/")
_SPECIAL: Final = frozenset(b"*?[\\")


class RuleFaulty(Exception):
    """A line that can match nothing, or has no meaning. fault: which sentence says so."""

    def __init__(self, fault: RuleFault) -> None:
        self.fault = fault
        super().__init__(fault.value)


class Gap(Enum):
    """A part of a pattern that takes any number of bytes, or none."""

    IN_NAME = "*"  # no slash among them
    FOLDERS = "**/"  # whole names, each with its slash
    ANYTHING = "**"  # slashes, too


Part = int | Gap
"""One step of a pattern: a Gap, or the set of bytes of which it takes one. Bit b of the int stands
for byte b."""


def bytes_of(taken: int) -> Iterator[int]:
    """The bytes in a set, in ascending order."""
    while taken:
        low = taken & -taken
        yield low.bit_length() - 1
        taken ^= low


class Pattern(Struct, frozen=True):
    """One rule without its place.

    text: the pattern without `!`, without the slash before it and the one behind it
    undoes: the line begins with `!`
    folders_only: the line ends in a slash
    anywhere: it is compared with a name, in any folder; else with the path from the rule file's
        folder on
    """

    text: bytes
    undoes: bool
    folders_only: bool
    anywhere: bool

    @property
    def literal(self) -> bytes | None:
        """The only name or path that it matches, or None: it has wildcards."""
        if _SPECIAL.isdisjoint(self.text):
            return self.text
        return _spelled(self.parts)

    @property
    def suffix(self) -> bytes | None:
        """`.ext` of a pattern `*.ext` that has no further dot, or None."""
        rest = self.text[1:]
        if not (self.anywhere and self.text.startswith(b"*.") and b"." not in rest[1:]):
            return None
        return rest if _SPECIAL.isdisjoint(rest) else None

    @property
    def is_wild(self) -> bool:
        """Whether it is neither one name or path nor `*.ext`."""
        return self.suffix is None and self.literal is None

    @property
    def last_name(self) -> bytes | None:
        """The only name that the last component can have, or None."""
        if _SPECIAL.isdisjoint(self.text):
            return self.text.rpartition(b"/")[2]
        name = b""
        for part in reversed(self.parts):
            if part is Gap.FOLDERS or part == 1 << _SLASH:
                break
            if isinstance(part, Gap) or part.bit_count() != 1:
                return None
            name = bytes([part.bit_length() - 1]) + name
        return name

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(_without_repeats(_parts(self.text, self.anywhere)))


def parse_pattern(line: bytes) -> Pattern:
    """The pattern of a line that is neither empty nor a comment, without its end of line and
    without spaces at its end.

    Raises RuleFaulty.
    """
    undoes = line.startswith(b"!")
    text = line[1:] if undoes else line
    folders_only = text.endswith(b"/")
    if folders_only:
        text = text[:-1]
    anywhere = b"/" not in text
    if text.startswith(b"/"):
        text = text[1:]
    if not text:
        raise RuleFaulty(RuleFault.NAMES_NOTHING)
    pattern = Pattern(text, undoes, folders_only, anywhere)
    # In a bracket a slash ends no name. Elsewhere an escape changes no slash.
    named = pattern.literal or (text if b"[" not in text else b"")
    names = named.split(b"/") if named else []
    if b"" in names:
        raise RuleFaulty(RuleFault.EMPTY_NAME)
    if b"." in names or b".." in names:
        raise RuleFaulty(RuleFault.DOT_NAME)
    return pattern


def _spelled(parts: tuple[Part, ...]) -> bytes | None:
    found = bytearray()
    for part in parts:
        if isinstance(part, Gap) or part.bit_count() != 1:
            return None
        found.append(part.bit_length() - 1)
    return bytes(found)


def _parts(text: bytes, anywhere: bool) -> Iterator[Part]:
    at = 0
    while at < len(text):
        byte = text[at]
        if byte == ord("*"):
            end = at
            while end < len(text) and text[end] == ord("*"):
                end += 1
            # Two stars cross slashes only as a whole component; a slash that ends it may be
            # escaped, but then a name must come before that slash.
            whole = end - at > 1 and not anywhere and (at == 0 or text[at - 1] == _SLASH)
            if whole and text[end : end + 1] == b"/":
                yield Gap.FOLDERS
                end += 1
            elif whole and (end == len(text) or text[end : end + 2] == b"\\/"):
                yield Gap.ANYTHING
            else:
                yield Gap.IN_NAME
            at = end
        elif byte == ord("?"):
            yield _ANY_BYTE
            at += 1
        elif byte == ord("["):
            taken, at = _bracket(text, at)
            if not taken:
                raise RuleFaulty(RuleFault.EMPTY_BRACKET)
            yield taken
        else:
            if byte == _BACKSLASH:
                at += 1
                if at == len(text):
                    raise RuleFaulty(RuleFault.ENDS_IN_BACKSLASH)
            yield 1 << text[at]
            at += 1


def _without_repeats(parts: Iterator[Part]) -> Iterator[Part]:
    """`**/**/` is `**/`, and `**/**` is `**`: no FOLDERS stands before another gap that crosses
    slashes."""
    held: Part | None = None
    for part in parts:
        if held is Gap.FOLDERS and part in (Gap.FOLDERS, Gap.ANYTHING):
            held = part
            continue
        if held is not None:
            yield held
        held = part
    if held is not None:
        yield held


def _range(low: int, high: int) -> int:
    return ((1 << (high + 1)) - 1) >> low << low if low <= high else 0


def _set(text: bytes) -> int:
    taken = 0
    for byte in text:
        taken |= 1 << byte
    return taken


_ALL: Final = (1 << 256) - 1
_ANY_BYTE: Final = _ALL & ~(1 << _SLASH)
_UPPER: Final = _range(ord("A"), ord("Z"))
_LOWER: Final = _range(ord("a"), ord("z"))
_DIGIT: Final = _range(ord("0"), ord("9"))
_GRAPH: Final = _range(0x21, 0x7E)
_ALNUM: Final = _UPPER | _LOWER | _DIGIT
# Those of ASCII alone, in every locale; vertical tab and form feed are no space to git.
_CLASSES: Final = {
    b"alnum": _ALNUM,
    b"alpha": _UPPER | _LOWER,
    b"blank": _set(b" \t"),
    b"cntrl": _range(0, 0x1F) | 1 << 0x7F,
    b"digit": _DIGIT,
    b"graph": _GRAPH,
    b"lower": _LOWER,
    b"print": _GRAPH | 1 << 0x20,
    b"punct": _GRAPH & ~_ALNUM,
    b"space": _set(b" \t\n\r"),
    b"upper": _UPPER,
    b"xdigit": _DIGIT | _set(b"abcdefABCDEF"),
}


def _bracket(text: bytes, at: int) -> tuple[int, int]:
    """The set of bytes of the bracket that begins at `at`, and the place behind it."""
    at += 1
    negated = text[at : at + 1] in (b"!", b"^")
    if negated:
        at += 1
    taken = 0
    low: int | None = None  # the byte at which a range could begin
    first = at  # a `]` here is a byte of the set
    while at == first or text[at : at + 1] != b"]":
        if text[at : at + 2] == b"[:" and (end := _class_end(text, at)):
            members = _CLASSES.get(text[at + 2 : end - 2])
            if members is None:
                raise RuleFaulty(RuleFault.UNKNOWN_CLASS)
            taken |= members
            at, low = end, None
        elif text[at : at + 1] == b"-" and low is not None and text[at + 1 : at + 2] != b"]":
            high, at = _one(text, at + 1)
            taken |= _range(low, high)
            low = None
        else:
            low, at = _one(text, at)
            taken |= 1 << low
    if negated:
        taken = _ALL & ~taken
    return taken & _ANY_BYTE, at + 1


def _one(text: bytes, at: int) -> tuple[int, int]:
    """A byte of a set, escaped or not, and the place behind it."""
    if text[at : at + 1] == b"\\":
        at += 1
    if at >= len(text):
        raise RuleFaulty(RuleFault.OPEN_BRACKET)
    return text[at], at + 1


def _class_end(text: bytes, at: int) -> int:
    """The place behind `[:name:]`, or 0: what begins at `at` is no class."""
    close = text.find(b"]", at + 2)
    if close < 0:
        raise RuleFaulty(RuleFault.OPEN_BRACKET)
    return close + 1 if close >= at + 3 and text[close - 1] == ord(":") else 0
