"""The table of what can be asked and changed over HTTP: which route is which verb of the admin
socket, which fields it takes, and which reply it has.

Knows names and types. Must not know how a question travels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from leftzmq.errors import LeftError
from leftzmq.web.offers import QrShown, WordsShown
from leftzmq.wire.answers.health import DoctorShown, FleetShown
from leftzmq.wire.answers.why import PlanPage, WhyShown
from leftzmq.wire.local import Scalar
from leftzmq.wire.replies import (
    ConflictPage,
    ConflictResolved,
    ConflictVersions,
    Dropped,
    EventsReply,
    FolderList,
    Got,
    HeldDecided,
    IgnoredShown,
    IgnoreRulesPage,
    InvitationAnswered,
    InvitationList,
    InvitationOpened,
    InvitationsCancelled,
    JoinAnswered,
    JoinPlanShown,
    Overridden,
    PausesShown,
    PeerList,
    ProblemPage,
    Reply,
    RestoredReply,
    Status,
    TrashPage,
)

API: Final = "/api/v1"
LONG_S: Final = 600.0
"""For the agent to read through the trash, or to drop what others must confirm first."""


class BadRequest(LeftError):
    """A request does not have the fields that its route takes."""


@dataclass(frozen=True)
class AskedField:
    type: type[str] | type[int] | type[float] | type[bool]
    text: str
    is_needed: bool = False


@dataclass(frozen=True)
class ApiRoute:
    """path: below API. changes: it is a POST, whose fields are a JSON body; else a GET, whose
    fields are in the query. reply: its type."""

    path: str
    verb: str
    text: str
    reply: type[Reply]
    fields: Mapping[str, AskedField]
    changes: bool = False
    timeout_s: float = 5.0

    @property
    def method(self) -> str:
        return "POST" if self.changes else "GET"


_FOLDER: Final = AskedField(str, "id of the folder; left out: the only one")
_PATH: Final = AskedField(str, "path in the share", is_needed=True)
_BELOW: Final = AskedField(str, "only this path, and what is below it")
_AFTER: Final = AskedField(str, "only what comes after the item with this cursor")
_SINCE: Final = AskedField(str, "only batches from this time on: YYYYMMDD-HHMMSS (UTC)")
_BEFORE: Final = AskedField(str, "only batches before this time")
_PEER: Final = AskedField(str, "name of the device")
_IN: Final = {"folder": _FOLDER}
_NAMED: Final = {"folder": AskedField(str, "id of the folder", is_needed=True)}
_AT: Final = {"folder": _FOLDER, "path": _PATH}
_PAGE: Final = {"folder": _FOLDER, "after": _AFTER}

ROUTES: Final = (
    ApiRoute("/status", "status", "the agent, its peers and its folders", Status, {}),
    ApiRoute("/folders", "folders", "the folders of this device", FolderList, {}),
    ApiRoute("/peers", "peers", "the other devices", PeerList, {}),
    ApiRoute("/problems", "problems", "what keeps paths from being in sync", ProblemPage, _PAGE),
    ApiRoute(
        "/events",
        "events",
        "the last events of this run of the agent",
        EventsReply,
        {"after": AskedField(int, "only events above this number")},
    ),
    ApiRoute(
        "/conflicts", "conflicts list", "which conflict copies there are", ConflictPage, _PAGE
    ),
    ApiRoute(
        "/conflicts/show",
        "conflicts show",
        "a file and its conflict copies side by side",
        ConflictVersions,
        _AT,
        timeout_s=LONG_S,
    ),
    ApiRoute(
        "/conflicts/resolve",
        "conflicts resolve",
        "settle one conflict copy on every device",
        ConflictResolved,
        {**_AT, "choice": AskedField(str, "mine, theirs, file, copy or both", is_needed=True)},
        changes=True,
        timeout_s=LONG_S,
    ),
    ApiRoute(
        "/trash",
        "trash list",
        "what other devices' changes took away here, the newest first",
        TrashPage,
        {**_PAGE, "path": _BELOW, "since": _SINCE, "before": _BEFORE},
        timeout_s=LONG_S,
    ),
    ApiRoute(
        "/trash/restore",
        "trash restore",
        "put a path back into the share, with everything below it",
        RestoredReply,
        {
            **_AT,
            "target": AskedField(str, "path that it gets; left out: the same"),
            "since": _SINCE,
            "before": _BEFORE,
        },
        changes=True,
        timeout_s=LONG_S,
    ),
    ApiRoute("/ignored", "ignored", "by which rule a path is ignored", IgnoredShown, _AT),
    ApiRoute("/ignored/rules", "ignored rules", "which rules hold", IgnoreRulesPage, _PAGE),
    ApiRoute(
        "/why", "why", "why a path is not the same everywhere", WhyShown, {**_AT, "peer": _PEER}
    ),
    ApiRoute("/plan", "plan", "what would happen now", PlanPage, {**_PAGE, "peer": _PEER}),
    ApiRoute(
        "/doctor",
        "doctor",
        "what is not as it should be on this device and between it and others",
        DoctorShown,
        {},
        timeout_s=30.0,
    ),
    ApiRoute("/fleet", "fleet", "all devices of a folder, as they say themselves", FleetShown, _IN),
    ApiRoute("/accept", "accept", "let happen what is held back", HeldDecided, _IN, changes=True),
    ApiRoute(
        "/revert",
        "revert",
        "undo what is held back",
        HeldDecided,
        {**_IN, "path": _BELOW},
        changes=True,
    ),
    ApiRoute(
        "/override",
        "override",
        "list, then publish what is otherwise here, in a folder that only sends",
        Overridden,
        {
            **_IN,
            "path": _BELOW,
            "listed": AskedField(str, "the list that was seen; left out: list it"),
        },
        changes=True,
        timeout_s=LONG_S,
    ),
    ApiRoute("/get", "get", "fetch a path from now on", Got, _AT, changes=True),
    ApiRoute(
        "/drop",
        "drop",
        "remove a path from this device alone",
        Dropped,
        _AT,
        changes=True,
        timeout_s=LONG_S,
    ),
    ApiRoute(
        "/pause",
        "pause",
        "a folder or a device rests",
        PausesShown,
        {
            **_IN,
            "peer": _PEER,
            "for_s": AskedField(float, "seconds; left out: until it is resumed"),
        },
        changes=True,
    ),
    ApiRoute("/resume", "resume", "end pauses", PausesShown, {**_IN, "peer": _PEER}, changes=True),
    ApiRoute(
        "/join-plan",
        "join_plan",
        "what a yes to a join would do",
        JoinPlanShown,
        {**_IN, "peer": _PEER},
    ),
    ApiRoute(
        "/join-yes", "join_yes", "agree to the plan of a join", JoinAnswered, _NAMED, changes=True
    ),
    ApiRoute(
        "/join-no", "join_no", "leave a folder that is held", JoinAnswered, _NAMED, changes=True
    ),
    ApiRoute("/invitations", "invitations", "open invitations, and who waits", InvitationList, {}),
    ApiRoute(
        "/invite",
        "invite",
        "open an invitation",
        InvitationOpened,
        {
            **_NAMED,
            "ttl_s": AskedField(float, "seconds; left out: 600"),
            "uses": AskedField(int, "how many devices may come in; left out: 1"),
            "address": AskedField(str, "HOST or HOST:PORT, as it is reached from outside"),
            "asks": AskedField(bool, "nobody comes in without a person's yes"),
            "read_only": AskedField(bool, "who comes in may only read"),
        },
        changes=True,
    ),
    ApiRoute(
        "/invite/answer",
        "invite_answer",
        "say whether a device that waits comes in",
        InvitationAnswered,
        {
            "mark": AskedField(str, "of the invitation", is_needed=True),
            "key": AskedField(str, "the device's public key", is_needed=True),
            "yes": AskedField(bool, "let it in", is_needed=True),
        },
        changes=True,
    ),
    ApiRoute(
        "/invite/cancel",
        "invite_cancel",
        "take back open invitations",
        InvitationsCancelled,
        {"folder": AskedField(str, "those to this folder; left out: all")},
        changes=True,
    ),
)
"""What is not here cannot be done over HTTP: a new share, other settings, another member, a new
device. Whoever holds the page gets at no directory that is not shared already."""


QR: Final = ApiRoute(
    "/qr",
    "",
    "the QR code of a text, as rows of squares",
    QrShown,
    {"text": AskedField(str, "at most 1,024 letters", is_needed=True)},
    changes=True,
)
WORDS: Final = ApiRoute(
    "/words",
    "",
    "words that fetch the code of an invitation of this page",
    WordsShown,
    {"mark": AskedField(str, "as the answer to /invite has it", is_needed=True)},
    changes=True,
)
OWN_ROUTES: Final = (QR, WORDS)
"""Answered by this process. They are POSTs because their fields are secrets, which are in no
address."""


def of_query(route: ApiRoute, query: Mapping[str, str]) -> dict[str, Scalar]:
    """Return the fields of a question, from a query. Raises BadRequest."""
    fields: dict[str, Scalar] = {}
    for name, text in query.items():
        field = _field(route, name)
        if field.type is int:
            if not (text.isascii() and text.isdecimal() and len(text) < 19):
                raise BadRequest("is no number", name)
            fields[name] = int(text)
        else:
            fields[name] = text
    return _complete(route, fields)


def of_body(route: ApiRoute, body: bytes) -> dict[str, Scalar]:
    """Return the fields of a question, from a JSON body. Raises BadRequest."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadRequest("the body is no JSON") from None
    if type(found) is not dict:
        raise BadRequest("the body is no JSON object")
    for name, value in found.items():
        kind = _field(route, name).type
        is_number = type(value) is int and abs(value) < 1 << 53
        fits = type(value) is kind if kind is not int else is_number
        if kind is float:
            fits = is_number or (type(value) is float and math.isfinite(value))
        if not fits:
            raise BadRequest(f"is no {_WORDS[kind]}", name)
    return _complete(route, found)


_WORDS: Final[Mapping[type, str]] = {str: "text", int: "integer", float: "number", bool: "boolean"}


def _field(route: ApiRoute, name: str) -> AskedField:
    if name not in route.fields:
        known = ", ".join(route.fields) or "none"
        raise BadRequest("there is no such field", name[:64], f"there is {known}")
    return route.fields[name]


def _complete(route: ApiRoute, fields: dict[str, Scalar]) -> dict[str, Scalar]:
    for name, field in route.fields.items():
        if field.is_needed and fields.get(name, "") == "":
            raise BadRequest("is missing", name)
    return fields
