"""Three words and a digit, for a phone or across a room: `4 tiger-lamp-ocean`.

They fetch an invitation's code from the machine that shows them. Knows the list of words, and how
people write what they heard. Must not know how the code is fetched. docs/protocol.md, "Words".
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from typing import Final

from leftzmq.endpoint import Endpoint
from leftzmq.errors import ConfigError, InvitationError

WORDS: Final = 3
LIST_WORDS: Final = 2_048  # 11 bits a word: 33 bits in all
ENOUGH_LETTERS: Final = 4  # no two words of the list begin with the same four
WORDS_PORT: Final = 7709
"""Where the words are answered unless another program has that port."""
DIGITS: Final = 10

_BITS_A_WORD: Final = 11
_RANDOM_BYTES: Final = 6
_MAX_TYPED_CHARS: Final = 400  # of words, and a host of at most 253
_WHERE: Final = "the words"
_EXAMPLE: Final = "4 tiger-lamp-ocean"
_DO: Final = f"type what the other machine shows, such as {_EXAMPLE}; or the code, which begins lz"
_COMMAND: Final = re.compile(r"\A\s*[$#>]?\s*leftzmq\s+join\s+", re.IGNORECASE)
_CODE: Final = re.compile(r"\A[$#>]?(leftzmqjoin)?[1il]z[0-9il]", re.IGNORECASE)
_BETWEEN: Final = re.compile(r"[\s,.\-_\u2010-\u2015\u2212]+")
_DIGIT: Final = re.compile(r"\A([0-9])(?=[a-z]|\Z)")


@dataclass(frozen=True, slots=True)
class Words:
    """What a machine shows. digit: 0 to 9, no secret: it says which of several machines is meant.
    words: three of the list."""

    digit: int
    words: tuple[str, ...] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.digit} {self.secret}"

    @property
    def secret(self) -> str:
        """The words alone, as both sides must have them: `tiger-lamp-ocean`."""
        return "-".join(self.words)


@dataclass(frozen=True, slots=True)
class TypedWords:
    """What a person typed. digit: None: it was left out. host: where it is answered; None: a
    machine of this network."""

    secret: str = field(repr=False)
    digit: int | None
    host: Endpoint | None


def new_words(random: Callable[[int], bytes]) -> Words:
    """Return words that nobody knows. random: returns so many bytes of the system's."""
    number = int.from_bytes(random(_RANDOM_BYTES), "big")
    chosen = tuple(
        word_list()[number >> _BITS_A_WORD * place & LIST_WORDS - 1] for place in range(WORDS)
    )
    return Words((number >> _BITS_A_WORD * WORDS) % DIGITS, chosen)


def is_code(text: str) -> bool:
    """Return whether a text is to be read as a code: it begins with lz and a digit."""
    return _CODE.match("".join(text[:_MAX_TYPED_CHARS].split())) is not None


def words_among(arguments: Sequence[str]) -> int:
    """Return how many arguments of a command line, from the first on, are words with their digit:
    people type them with spaces. Behind a digit, three words are wanted, right or wrong."""
    is_sure = bool(arguments) and _DIGIT.fullmatch(arguments[0]) is not None
    taken = words = 0
    for argument in arguments:
        said, at, _ = argument.partition("@")
        parts = [one for one in _BETWEEN.split(said.lower()) if one]
        bare = [one for one in (_DIGIT.sub("", part) for part in parts) if one]
        if words >= WORDS or not (is_sure or all(_known(one) for one in bare)):
            break
        taken, words = taken + 1, words + len(bare)
        if at:
            break
    return taken


def read_words(text: str) -> TypedWords:
    """Return what `4 tiger-lamp-ocean`, or that and `@HOST` or `@HOST:PORT`, says: in either case,
    with spaces or dashes, without the digit, and with four letters or more of each word.

    InvitationError names the word that is wrong.
    """
    if len(text) > _MAX_TYPED_CHARS:
        what = f"there are {len(text):,} characters, which is neither words nor a code"
        raise InvitationError(what, _WHERE, _DO)
    said, at, host = _COMMAND.sub("", text).partition("@")
    parts = [one for one in _BETWEEN.split(said.lower()) if one]
    digit = None
    if parts and (found := _DIGIT.match(parts[0])):
        digit = int(found[1])
        parts = [one for one in (parts[0][1:], *parts[1:]) if one]
    elif len(parts) > WORDS and re.fullmatch(r"[0-9]", parts[-1]):
        digit = int(parts.pop())
    words = [_word(one) for one in parts]
    if len(words) != WORDS:
        what = f"there {'is' if len(words) == 1 else 'are'} {len(words)} of them, not {WORDS}"
        raise InvitationError(what, _WHERE, _DO)
    return TypedWords("-".join(words), digit, _host(host.strip()) if at else None)


@cache
def word_list() -> Sequence[str]:
    """Return the list: English, LIST_WORDS words in small letters, in the order of the alphabet
    (BIP 39, https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki)."""
    from mnemonic import Mnemonic  # only when it is used

    return tuple(Mnemonic("english").wordlist)


@cache
def _by_letters() -> Mapping[str, str]:
    """Return each word by its first letters, and the short ones by all of theirs."""
    return {word[:ENOUGH_LETTERS]: word for word in word_list()}


def _known(typed: str) -> str | None:
    """Return the word that a text is, or begins so far that no other one does."""
    found = _by_letters().get(typed[:ENOUGH_LETTERS])
    return found if found is not None and found.startswith(typed) else None


def _word(typed: str) -> str:
    word = _known(typed)
    if word is not None:
        return word
    found = _by_letters().get(typed[:ENOUGH_LETTERS])
    what = f"{typed[:40]!r} is no word of them"
    raise InvitationError(what, _WHERE, f"is it {found or _nearest(typed)}? {_DO}")


def _nearest(typed: str) -> str:
    """Return the word that is meant most likely: of those that are alike, one that begins alike."""
    alike = difflib.get_close_matches(typed[:16], word_list(), n=5, cutoff=0.0)
    return max(alike, key=lambda word: _alike_letters(word, typed))


def _alike_letters(one: str, other: str) -> int:
    """Return how many letters at their beginnings are the same."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _host(text: str) -> Endpoint:
    """Return the place behind the @: a name or an address, and WORDS_PORT if it names none."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        is_six = ipaddress.ip_address(bare).version == 6
    except ValueError:
        is_six = False
    has_port = not is_six and ":" in text
    shown = f"[{bare}]" if is_six else text
    try:
        endpoint = f"tcp://{shown}" if has_port else f"tcp://{shown}:{WORDS_PORT}"
        return Endpoint.parse(endpoint, _WHERE)
    except ConfigError as error:
        what = f"behind the @: {error.what.replace('tcp://', '')}"
        do = f"write {_EXAMPLE}@HOST, or @HOST:PORT where the other machine shows a port"
        raise InvitationError(what, _WHERE, do) from None
