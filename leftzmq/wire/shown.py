"""Texts from outside that a person may get to read, or that we may dial.

Knows what a terminal must not be sent and how an address is written. Must not know in which message
a text stands.
"""

from __future__ import annotations

from typing import Final, NoReturn

from leftzmq.endpoint import Endpoint
from leftzmq.errors import ConfigError, Refusal, Refused

_MAX_TOLD_CHARS: Final = 64
_MAX_WHY_CHARS: Final = 265


def check_shown(field: str, text: str) -> None:
    """Raise Refused (WRONG_SHAPE) for a text that could steer a terminal, or that has a space at an
    end."""
    if not text.isprintable() or text != text.strip():
        _wrong(field, text, "is not printable, or has a space at an end")


def check_endpoint(text: str) -> None:
    """Raise Refused (WRONG_SHAPE) for what is not `tcp://HOST:PORT` of a machine, in ASCII."""
    check_shown("endpoint", text)
    try:
        Endpoint.parse(text, "endpoint")
    except ConfigError as error:
        _wrong("endpoint", text, f"is none: {error.what[:_MAX_WHY_CHARS]}")
    if not text.isascii():
        _wrong("endpoint", text, "is not ASCII")


def _wrong(field: str, text: str, what: str) -> NoReturn:
    raise Refused(Refusal.WRONG_SHAPE, f"{field} {text[:_MAX_TOLD_CHARS]!r} {what}")
