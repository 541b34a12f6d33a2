"""Who may ask and change something by the page, and what is refused, judged by a request's head.

A program shows the token (`Authorization: Bearer`). A browser shows two things that it got for the
token: a cookie, and a key that only our own page can read and sends as a header. The cookie alone
is worth nothing: browsers send it to every port of this host, so also to a server of somebody else.

Knows heads of requests and secrets. Must not know what a request is about, nor sockets.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from leftzmq.errors import KeyFileError
from leftzmq.statedir import WEB_TOKEN_FILE, make_private, read_private, replace_private

TOKEN_BYTES: Final = 24
PAGE_HEADER: Final = "x-leftzmq-page"
COOKIE: Final = "leftzmq_{port}"
_TOKEN_LETTERS: Final = 4 * TOKEN_BYTES // 3


class Denied(Enum):
    """Why a request is refused. The value is the status of the response and its sentence."""

    OTHER_HOST = (
        421,
        "this page is not served under that name: open the address as it was printed",
    )
    OTHER_ORIGIN = (403, "a page of another origin may neither read nor change anything here")
    NO_TOKEN = (401, "open the address that `leftzmq web` printed; a program sends its token")
    WRONG_TOKEN = (401, "the token is not the one of this state directory")
    NOT_OUR_PAGE = (403, "only the page itself may ask this with a cookie")
    NOT_JSON = (415, "what changes something is sent as application/json")
    TOO_LARGE = (413, "the body is larger than 64 KiB")
    TOO_SLOW = (408, "the body did not arrive in time")
    TOO_MANY = (503, "too many pages are open: close one")

    @property
    def status(self) -> int:
        return self.value[0]

    @property
    def sentence(self) -> str:
        return self.value[1]


@dataclass(frozen=True)
class ServedAt:
    """Under which address the page is reached. host: as a browser sends it, with the port where it
    is not the scheme's own."""

    scheme: str
    host: str
    others: frozenset[str] = frozenset()
    """Other names of the same place: `localhost`, where it is at a loopback address."""

    @property
    def hosts(self) -> frozenset[str]:
        return self.others | {self.host}

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"

    @property
    def address(self) -> str:
        return f"{self.scheme}://{self.host}/"


@dataclass(frozen=True)
class Keys:
    """token: of the state directory. cookie, page: of this run of `leftzmq web`. So what a browser
    shows to a stranger who takes the port later opens nothing any more."""

    token: str
    cookie: str
    page: str

    @classmethod
    def of(cls, token: str) -> Keys:
        return cls(token, secrets.token_urlsafe(TOKEN_BYTES), secrets.token_urlsafe(TOKEN_BYTES))


@dataclass(frozen=True)
class RequestHead:
    """What is judged of a request. headers: names in small letters; one that came twice has both
    values, with a comma between."""

    method: str
    headers: Mapping[str, str]

    @property
    def is_changing(self) -> bool:
        return self.method not in ("GET", "HEAD")


def judge_place(head: RequestHead, place: ServedAt) -> Denied | None:
    """Return why a request has no business at this place, whoever sent it; None: it has."""
    if head.headers.get("host", "").lower() not in place.hosts:
        return Denied.OTHER_HOST  # a name that a stranger leads to this address (DNS rebinding)
    origin = head.headers.get("origin")
    if origin is not None and origin.lower() not in _origins(place):
        return Denied.OTHER_ORIGIN
    return None


def judge(head: RequestHead, place: ServedAt, keys: Keys, cookie: str) -> Denied | None:
    """Return why a request may not be answered; None: it may. cookie: the name of ours. Every
    secret is compared in constant time."""
    if (denied := judge_place(head, place)) is not None:
        return denied
    if head.is_changing and not _is_json(head.headers.get("content-type", "")):
        return Denied.NOT_JSON
    if head.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return Denied.OTHER_ORIGIN
    scheme, _, shown = head.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return None if is_same(shown.strip(), keys.token) else Denied.WRONG_TOKEN
    crumb = _cookie(head.headers.get("cookie", ""), cookie)
    if not crumb:
        return Denied.NO_TOKEN
    if not is_same(crumb, keys.cookie):
        return Denied.NO_TOKEN  # of an earlier run
    if head.is_changing and "origin" not in head.headers:
        return Denied.OTHER_ORIGIN
    return None if is_same(head.headers.get(PAGE_HEADER, ""), keys.page) else Denied.NOT_OUR_PAGE


def is_same(shown: str, secret: str) -> bool:
    return secrets.compare_digest(shown.encode(), secret.encode())


def load_token(state: Path, *, new: bool = False) -> str:
    """Return the token of a state directory, which is made if there is none; new: in any case.
    Raises KeyFileError."""
    file = state / WEB_TOKEN_FILE
    made = secrets.token_urlsafe(TOKEN_BYTES)
    if new:
        try:
            replace_private(file, made.encode() + b"\n")
        except OSError as error:
            raise KeyFileError(f"cannot be made: {error.strerror}", str(file)) from None
        return made
    make_private(file, made.encode() + b"\n")
    token = read_private(file).decode("ascii", "replace").strip()
    if len(token) < _TOKEN_LETTERS or not all(c.isalnum() or c in "-_" for c in token):
        do = "`leftzmq web --new-token` makes another one"
        raise KeyFileError("is no token", str(file), do)
    return token


def _origins(place: ServedAt) -> set[str]:
    return {f"{place.scheme}://{host}" for host in place.hosts}


def _is_json(said: str) -> bool:
    return said.partition(";")[0].strip().lower() == "application/json"


def _cookie(said: str, name: str) -> str:
    """Return the value of a cookie, or "". Those of other servers of this host, however they look,
    do not hide it."""
    for part in said.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""
