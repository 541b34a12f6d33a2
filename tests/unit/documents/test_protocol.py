"""docs/protocol.md is the authority: what the code has must stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from leftzmq.errors import Refusal
from leftzmq.wire import door, messages, statements
from leftzmq.wire.local import EventKind

TEXT = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()
WORDS = set(re.findall(r"\w+", TEXT))


def snake(name: str) -> str:
    return re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower()


@pytest.mark.parametrize(
    "message",
    [*get_args(messages.Message), door.Knock, door.Admitted, door.NotAdmitted],
    ids=lambda m: m.__name__,
)
def test_every_message_stands_there_with_its_number_and_fields(message: type) -> None:
    tag = message.__struct_config__.tag  # type: ignore[attr-defined]
    heading = f"**{tag} {snake(message.__name__)}**"
    assert TEXT.count(heading) == 1
    section = TEXT.split(heading)[1].split("\n**")[0].split("\n## ")[0]
    if message is messages.News:
        assert "Fields as index_page" in section
        return
    described = set(re.findall(r"\w+", section))
    assert set(message.__struct_fields__) <= described  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "struct",
    [messages.FolderHello, messages.FolderReport, messages.Want, messages.Ask, messages.Part],
)
def test_every_row_stands_there_in_its_order(struct: type) -> None:
    assert f"`[{', '.join(struct.__struct_fields__)}]`" in TEXT  # type: ignore[attr-defined]


@pytest.mark.parametrize("struct", [messages.WirePage, messages.WireEntry, messages.WireRoster])
def test_what_lies_inside_a_seal_stands_there_in_its_order(struct: type) -> None:
    assert f"`[{', '.join(struct.__struct_fields__)}]`" in TEXT  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", get_args(statements.Statement), ids=lambda kind: kind.__name__)
def test_every_statement_stands_there_with_its_letter_and_order(kind: type) -> None:
    letter = kind.__struct_config__.tag  # type: ignore[attr-defined]
    fields = kind.__struct_fields__  # type: ignore[attr-defined]
    assert f"| {letter} | `[{', '.join(fields)}]` |" in TEXT
    section = TEXT.split("## Statements of a roster")[1].split("\n## ")[0]
    for field in fields:
        assert section.count(f"\n| {field} | ") == 1


def test_the_version_and_every_refusal_and_event_stand_there() -> None:
    assert f"# The protocol, version {messages.VERSION}\n" in TEXT
    for refusal in Refusal:
        assert refusal.name in WORDS or (refusal.name.startswith("PATH_") and "PATH_..." in TEXT)
    for reason in door.NotAdmittedReason:
        assert reason.name in WORDS
    for kind in EventKind:
        assert f"`{kind.value}`" in TEXT
