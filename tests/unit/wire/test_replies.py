"""Typed answers are the same bytes as the maps that they stand for, in the same order."""

from __future__ import annotations

from typing import Any

import pytest

from leftzmq.errors import OtherAnswer
from leftzmq.runtime.event_log import EventLog
from leftzmq.sync.actions import declined
from leftzmq.wire.local import EventKind, decode_reply, encode_reply
from leftzmq.wire.replies import (
    ErrorReply,
    HeldBack,
    HeldDecided,
    PassedOver,
    PeerBehind,
    Reply,
    ShownInFolder,
    ToCome,
    Waited,
)

NUL = {"folder": "share", "path": "nul\udcff", "text": "nul\udcff: no name"}
PASSED = {"name": "beta", "folder": "share", "paths": 2, "bytes": 9}
LISTS = {
    "passed_over": [PassedOver(**PASSED)],
    "skipped": 2,
    "skipped_list": [ShownInFolder(**NUL)],
    "problems": 0,
    "problem_list": [],
}
LISTS_AS_MAPS = {
    "passed_over": [PASSED],
    "skipped": 2,
    "skipped_list": [NUL],
    "problems": 0,
    "problem_list": [],
}
BEHIND: dict[str, Any] = {
    "name": "beta",
    "folder": "share",
    "state": "behind",
    "why": "",
    "paths": 3,
    "bytes": 1 << 70,
    "first": ["a", "b"],
}
TO_COME: dict[str, Any] = {"folder": "share", "paths": 1, "bytes": 3, "first": ["new"]}


@pytest.mark.parametrize(
    ("reply", "fields"),
    [
        (
            Waited(in_sync=True, why="", **LISTS),
            {"in_sync": True, "why": "", **LISTS_AS_MAPS},
        ),
        (
            Waited(
                in_sync=False,
                why="no peer is connected",
                behind=[PeerBehind(**BEHIND)],
                to_come=[ToCome(**TO_COME)],
                **LISTS,
            ),
            {
                "in_sync": False,
                "why": "no peer is connected",
                "behind": [BEHIND],
                "to_come": [TO_COME],
                **LISTS_AS_MAPS,
            },
        ),
        (
            Waited(in_sync=False, why="", behind=[], to_come=[], **LISTS),
            {"in_sync": False, "why": "", "behind": [], "to_come": [], **LISTS_AS_MAPS},
        ),
        (
            HeldDecided(folder="share", held=HeldBack(here=120)),
            {"folder": "share", "held": {"here": 120}, "ignored": 0, "paths": 0},
        ),
        (
            HeldDecided(folder="share", held=HeldBack(elsewhere=3), ignored=7),
            {"folder": "share", "held": {"elsewhere": 3}, "ignored": 7, "paths": 0},
        ),
        (HeldBack(here=1, elsewhere=3), {"here": 1, "elsewhere": 3}),
        (HeldBack(), {}),
        (ErrorReply(error="oh"), {"error": "oh"}),
    ],
)
def test_a_reply_is_the_bytes_of_its_map(reply: Reply, fields: dict[str, Any]) -> None:
    frame = encode_reply(reply.fields())
    assert frame == encode_reply(fields)
    assert encode_reply(type(reply).of(decode_reply(frame) | {"later": 1}).fields()) == frame


def test_declined_is_the_bytes_of_its_map() -> None:
    frame = encode_reply(declined(b"x", "what", "where", "do").fields)
    assert frame == encode_reply({"declined": {"what": "what", "where": "where", "do": "do"}})


def test_events_are_the_bytes_of_their_map() -> None:
    log = EventLog(1795600000.0)
    log.note(EventKind.READY, {}, 1795600001.5)
    log.note(EventKind.SCAN, {"path": "nul\udcff", "size": 3, "deleted": False}, 1795600002.5)
    fields = {"path": "nul\\udcff", "size": 3, "deleted": False}
    events = [["ready", 1, 1795600001.5, {}], ["scan", 2, 1795600002.5, fields]]
    assert encode_reply(log.reply(0)) == encode_reply({"began": 1795600000.0, "events": events})
    assert log.reply(1)["events"] == events[1:]


@pytest.mark.parametrize("answer", [{}, {"in_sync": True}, {"in_sync": "yes"}])
def test_an_answer_of_another_version_is_a_sentence(answer: dict[str, Any]) -> None:
    with pytest.raises(OtherAnswer, match="another version"):
        Waited.of(answer)
