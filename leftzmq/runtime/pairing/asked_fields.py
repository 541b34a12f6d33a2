"""The fields of a question of the command line, each of the kind that is wanted, and how it
is answered or declined.

Knows how a text, a number, a secret and an address are written in a question. Must not know which
question has which of them, nor what it leads to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from leftzmq.config import Endpoint
from leftzmq.content.ids import STATEMENT_ID_BYTES, StatementId
from leftzmq.content.keys import derive_epoch
from leftzmq.errors import ConfigError, LeftError, UsageError
from leftzmq.statedir import SECRET_BYTES
from leftzmq.wire.local import Scalar
from leftzmq.wire.replies import DeclinedReply, Reply, WhyDeclined

_SAME_VERSION: Final = "use the leftzmq of the same version"
_ADDRESS: Final = "write HOST or HOST:PORT; HOST is a name, an IPv4 address or an [IPv6 address]"
_DOOR: Final = "the answer of the door"
_JOIN_AGAIN: Final = "join again"


class AskedFields(Struct, frozen=True):
    """The methods raise UsageError for a field that is missing or of another kind.

    A value of another kind is never taken for one that was left out: it could mean more than the
    user did.
    """

    values: Mapping[str, Scalar]

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or not value:
            raise UsageError(f"{key} is missing", "the question", _SAME_VERSION)
        return value

    def optional(self, key: str) -> str:
        """Return a text; "": it was left out."""
        value = self.values.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise UsageError("is no text", key, _SAME_VERSION)
        return value

    def settings(self, key: str) -> dict[str, Any]:
        """Return keys and values, as JSON has them; of null, that a key is taken back."""
        try:
            found = json.loads(self.text(key))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise UsageError("is no list of keys and values", key, _SAME_VERSION)
        return found

    def flag(self, key: str) -> bool:
        """Return true or false; False: it was left out."""
        return self.values.get(key) is not None and self.yes_or_no(key)

    def yes_or_no(self, key: str) -> bool:
        value = self.values.get(key)
        if not isinstance(value, bool):
            raise UsageError("is neither true nor false", key, _SAME_VERSION)
        return value

    def number(self, key: str, low: float, high: float, default: float) -> float:
        """Return a number from `low` to `high`; `default`: it was left out."""
        value = self.values.get(key)
        if value is None:
            return default
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        raise UsageError(f"is no number from {low:g} to {high:g}", key, _SAME_VERSION)

    def named_address(self, key: str, port: int) -> Endpoint | None:
        """Return where the user says that this machine is; without a port there it has this one.
        None: it was left out."""
        text = self.optional(key)
        if not text:
            return None
        host, colon, digits = text.rpartition(":")
        has_port = bool(colon) and digits.isdecimal() and not host.endswith(":")
        try:
            return Endpoint.parse(f"tcp://{text}" if has_port else f"tcp://{text}:{port}", key)
        except ConfigError:
            raise UsageError("is no address of a machine", text, _ADDRESS) from None

    # -- what a door answered to the command line -------------------------------------------------

    def endpoints(self, key: str) -> tuple[Endpoint, ...]:
        """Return the addresses of a device, one a line. Raises ConfigError."""
        lines = self.optional(key).split("\n")
        return tuple(Endpoint.parse(text, _DOOR) for text in lines if text)

    def secret(self, key: str) -> bytes:
        return _secret(self.text(key))

    def epoch(self, tag: str, secret: str) -> bytes | None:
        """Return the secret of the epoch in use, which is to be that of the tag; None: both were
        left out."""
        said, text = self.optional(tag), self.optional(secret)
        if not said and not text:
            return None
        found = _secret(text)
        if derive_epoch(found).tag.hex() != said:
            what = "holds a tag of an epoch that is not that of the secret beside it"
            raise UsageError(what, _DOOR, _JOIN_AGAIN)
        return found

    def pins(self, key: str) -> list[StatementId]:
        """Return the ids of a roster's roots, one a line."""
        try:
            found = [StatementId(bytes.fromhex(line)) for line in self.optional(key).split()]
        except ValueError:
            found = [StatementId(b"")]
        if any(len(pin) != STATEMENT_ID_BYTES for pin in found):
            what = f"names a root that is not {2 * STATEMENT_ID_BYTES} hex digits"
            raise UsageError(what, _DOOR, _JOIN_AGAIN)
        return found


def _secret(text: str) -> bytes:
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        what = f"holds a secret that is not one of {2 * SECRET_BYTES} hex digits"
        raise UsageError(what, _DOOR, _JOIN_AGAIN)
    return secret


def answered(
    verb: Callable[[AskedFields], Reply], fields: Mapping[str, Scalar], where: Path, do: str
) -> dict[str, Any]:
    """Return the answer to a question, or why it is declined. where, do: what is said if a file
    cannot be written."""
    try:
        return verb(AskedFields(fields)).fields()
    except LeftError as error:
        why = WhyDeclined(what=error.what, where=error.where, do=error.do)
    except OSError as error:
        what = f"cannot be written: {error.strerror}"
        why = WhyDeclined(what=what, where=str(where), do=do)
    return DeclinedReply(declined=why).fields()
