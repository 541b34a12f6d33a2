"""How three words fetch a code: SPAKE2, a confirmation, and a box, as two machines of bytes.

Both sides end with the same key if they have the same words, and each gives whoever is at the other
end one guess and no more. The side that asks confirms first: so a wrong guess is always seen by the
side that has the code. Knows SPAKE2 (the package `spake2`, in Ed25519's group), keyed BLAKE3 and
secretbox. Must not know sockets, nor how many guesses there may be. docs/protocol.md, "Words".
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from hmac import compare_digest
from typing import Any, Final

from blake3 import blake3
from nacl.bindings import crypto_secretbox_easy, crypto_secretbox_open_easy
from nacl.exceptions import CryptoError
from spake2 import SPAKE2_A, SPAKE2_B

from leftzmq.content.seal import MAC_BYTES, NONCE_BYTES

WORDS_VERSION: Final = 1
ANY_DIGIT: Final = 0xFF
"""Said by who does not know the digit."""
OPENING_BYTES: Final = 34
REPLY_BYTES: Final = 33
CONFIRM_BYTES: Final = 32
MAX_CODE_BYTES: Final = 162
BOX_BYTES: Final = NONCE_BYTES + MAC_BYTES + MAX_CODE_BYTES  # 202

_CONTEXT: Final = "leftzmq 2026 v1 words"
_CONFIRM: Final = f"{_CONTEXT} confirm"
_BOX: Final = f"{_CONTEXT} box"
_SIDE_A: Final = b"A"  # spake2 puts a byte that says the side before an element
_SIDE_B: Final = b"B"
Random = Callable[[int], bytes]


class WordVerdict(Enum):
    """What a confirmation was worth."""

    RIGHT = "the words are the same"
    WRONG = "the words differ, or somebody between changed something"
    NO_GUESS = "what came before was no element, so nothing was guessed"


class WordOffer:
    """The side that has the code. One for each who asks; made before the question comes, so that
    how long that takes says nothing.

    secret: the words, `tiger-lamp-ocean`. digit: 0 to 9. random: returns so many random bytes
    """

    def __init__(self, secret: str, digit: int, random: Random) -> None:
        self._digit = digit
        self._spake: Any = SPAKE2_B(_password(secret), entropy_f=random)
        self._reply: bytes = self._spake.start()
        self._opening = b""
        self._key: bytes | None = None
        assert len(self._reply) == REPLY_BYTES

    def reply(self, opening: bytes) -> bytes | None:
        """Return the answer to the first message; None: it is not of this version, or is for
        another digit. Nothing is computed here."""
        if len(opening) != OPENING_BYTES or opening[0] != WORDS_VERSION:
            return None
        if opening[1] not in (self._digit, ANY_DIGIT):
            return None
        self._opening = opening
        return self._reply

    def judge(self, confirm: bytes) -> WordVerdict:
        """Return what the second message is worth: after RIGHT there is a `box`. Takes about 12 ms,
        not always the same: the caller answers on a grid of its own."""
        assert self._opening
        self._spake.idA, self._spake.idB = _ids(self._opening[1])
        key = _finished(self._spake, _SIDE_A + self._opening[2:])
        if key is None:
            return WordVerdict.NO_GUESS
        if not compare_digest(_confirm(key, self._opening, self._reply), confirm):
            return WordVerdict.WRONG
        self._key = key
        return WordVerdict.RIGHT

    def box(self, code: str, nonce: bytes) -> bytes:
        """Return the code, sealed: BOX_BYTES. nonce: NONCE_BYTES, fresh."""
        plain = code.encode("ascii")
        assert self._key is not None and len(nonce) == NONCE_BYTES
        assert len(plain) <= MAX_CODE_BYTES and not plain.endswith(b"\0")
        padded = plain.ljust(MAX_CODE_BYTES, b"\0")
        return nonce + crypto_secretbox_easy(padded, nonce, _derived(self._key, _BOX))


class WordQuestion:
    """The side that asks. digit: None: not known. opening: what it sends first."""

    def __init__(self, secret: str, digit: int | None, random: Random) -> None:
        self._digit = ANY_DIGIT if digit is None else digit
        id_a, id_b = _ids(self._digit)
        self._spake: Any = SPAKE2_A(_password(secret), id_a, id_b, entropy_f=random)
        message: bytes = self._spake.start()
        self.opening = bytes([WORDS_VERSION, self._digit]) + message[1:]
        self._key: bytes | None = None
        assert len(self.opening) == OPENING_BYTES

    def confirm(self, reply: bytes) -> bytes | None:
        """Return the second message; None: the reply is none, and nothing is to be said to it."""
        if len(reply) != REPLY_BYTES or reply[:1] != _SIDE_B:
            return None
        self._key = _finished(self._spake, reply)
        return None if self._key is None else _confirm(self._key, self.opening, reply)

    def open(self, box: bytes) -> str | None:
        """Return the code in the box. None: it does not open, so who sent it has not the words."""
        if self._key is None or len(box) != BOX_BYTES:
            return None
        nonce, key = box[:NONCE_BYTES], _derived(self._key, _BOX)
        try:
            plain = crypto_secretbox_open_easy(box[NONCE_BYTES:], nonce, key)
            return plain.rstrip(b"\0").decode("ascii")
        except (CryptoError, UnicodeDecodeError):
            return None


def _password(secret: str) -> bytes:
    return f"{_CONTEXT}\0{secret}".encode()


def _ids(digit: int) -> tuple[bytes, bytes]:
    """Return the names of both sides, which are part of the key. digit: as the first message has
    it."""
    return b"joiner", b"door" + bytes([digit])


def _finished(spake: Any, message: bytes) -> bytes | None:
    """Return the key of 32 bytes; None: the message is no element that can be used."""
    try:
        key: bytes = spake.finish(message)
    except Exception:  # spake2 0.9 has four kinds for bytes from outside, and says nothing of more
        return None
    return key


def _confirm(key: bytes, opening: bytes, reply: bytes) -> bytes:
    return blake3(opening + reply, key=_derived(key, _CONFIRM)).digest(CONFIRM_BYTES)


def _derived(key: bytes, context: str) -> bytes:
    return blake3(key, derive_key_context=context).digest(32)
