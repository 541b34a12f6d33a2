"""docs/events.md is what agents tell: every kind is there, with its fields, and nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from leftzmq.cli.format.event_lines import line
from leftzmq.wire.local import Event, EventKind
from tests.helpers.mesh import Mesh

DOCUMENT = Path(__file__).parents[3] / "docs" / "events.md"


@dataclass(frozen=True)
class Section:
    always: frozenset[str]
    sometimes: frozenset[str]
    sample: dict[str, object]


def sections() -> dict[str, Section]:
    found = {}
    for part in DOCUMENT.read_text().split("\n## ")[1:]:
        kind = part.splitlines()[0]
        fields = re.search(r"^Fields: (.*)$", part, re.M)
        sample = re.search(r"```json\n(.*?)\n```", part, re.S)
        assert fields and sample, kind
        names = [] if fields[1] == "none" else fields[1].split(", ")
        found[kind] = Section(
            frozenset(name for name in names if name[0] != "("),
            frozenset(name[1:-1] for name in names if name[0] == "("),
            json.loads(sample[1]),
        )
    return found


def test_every_kind_has_a_section() -> None:
    assert sections().keys() == {kind.value for kind in EventKind}


@pytest.mark.parametrize("kind", EventKind, ids=lambda kind: kind.value)
def test_a_sample_has_the_fields_of_its_section_and_can_be_shown(kind: EventKind) -> None:
    section = sections()[kind.value]
    fields = dict(section.sample)
    assert fields.pop("event") == kind.value
    event = Event(kind, fields.pop("number"), fields.pop("time"), fields, 0.0)  # type: ignore[arg-type]
    assert section.always <= fields.keys() <= section.always | section.sometimes
    assert "None" not in line(event)


def test_what_agents_tell_has_the_fields_of_its_section(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path)
    a, b, c = mesh.devices.values()
    for device in (a, b, c):
        device.start()
    mesh.settle()
    a.write("old/large", bytes(range(256)) * 20_000)
    a.write("letter", b"draft")
    (a.share / "nul\udcff").write_bytes(b"")
    for round_ in range(3):
        mesh.now += 5
        if round_ == 1:
            a.write("letter", b"by a")
            b.write("letter", b"by b")
            (a.share / "old" / "large").unlink()
        mesh.scan_all()
        mesh.settle()
    c.kill()
    mesh.settle()
    told = sections()
    seen: set[EventKind] = set()
    for device in mesh.devices.values():
        for event in device.events:
            seen.add(event.kind)
            section = told[event.kind.value]
            names = event.fields.keys()
            assert section.always <= names <= section.always | section.sometimes, event
            if "device" in event.fields:
                assert event.fields["device"] in mesh.devices, event
    assert seen >= {
        EventKind.SCAN,
        EventKind.TICKET,
        EventKind.START_RENAME,
        EventKind.FINISHED,
        EventKind.CONFLICT,
        EventKind.PROBLEM,
        EventKind.PEER_UP,
        EventKind.PEER_DOWN,
        EventKind.HAVE_NEWS,
        EventKind.PROGRESS,
        EventKind.READY,
    }
