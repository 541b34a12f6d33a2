"""`leftzmq fleet` as a person reads it, from answers as agents give them."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import pytest
from rich.console import Console

from leftzmq.cli.health.fleet import _dated, fleet_view
from leftzmq.wire.answers.health import FleetDevice, FleetShown

NOON = datetime(2026, 10, 5, 12, 0, 7).timestamp()


def device(name: str, **fields: Any) -> FleetDevice:
    found: dict[str, Any] = {
        "name": name,
        "key": "k" * 40,
        "is_us": False,
        "connected": True,
        "state": "in sync",
        "why": "",
        "behind_paths": 0,
        "behind_bytes": 0,
        "last_seen": NOON,
        "version": "0.1.0",
        "free_bytes": 123 << 30,
        "clock_ms": 12,
        "says_state": "idle",
    }
    return FleetDevice(**(found | fields))


def unknown(name: str, **fields: Any) -> FleetDevice:
    nothing = dict.fromkeys(
        ("behind_paths", "behind_bytes", "version", "free_bytes", "clock_ms", "says_state")
    )
    return device(name, **(nothing | {"connected": False, "state": "not connected"} | fields))


def shown(*devices: FleetDevice, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(fleet_view(FleetShown(folder="share", devices=list(devices))), crop=False)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


FLEET = (
    device("alpha", is_us=True, state="idle"),
    device("beta", state="behind", behind_paths=1234, behind_bytes=5 << 30, clock_ms=-61_234),
    unknown("gamma-laptop", why="nobody answers at tcp://192.0.2.7:7707", version="0.1.0"),
)


def test_nothing_is_cut_off_in_a_narrow_terminal() -> None:
    text = shown(*FLEET, width=60)
    assert max(map(len, text.splitlines())) <= 60
    assert not set(shown(*FLEET, width=120).split()) - set(text.split())


@pytest.mark.parametrize("width", [80, 120])
def test_each_device_is_one_line_of_each_table(width: int) -> None:
    lines = shown(*FLEET, width=width).splitlines()
    assert max(map(len, lines)) <= width
    seen, said = lines[1:4], lines[6:9]
    assert seen[0].split() == ["alpha", "idle", "nothing", "this", "device"]
    assert seen[1].split() == ["beta", "behind", "1,234", "paths", "(5.0", "GiB)", "now"]
    assert seen[2].split() == ["gamma-laptop", "not", "connected", "-", "2026-10-05", "12:00:07"]
    assert said[0].split() == ["alpha", "idle", "123.0", "GiB", "-", "0.1.0"]
    assert said[1].split() == ["beta", "idle", "123.0", "GiB", "-61.2", "s", "0.1.0"]
    assert said[2].split() == ["gamma-laptop", "-", "-", "-", "0.1.0"]
    assert lines[10] == "gamma-laptop: nobody answers at tcp://192.0.2.7:7707"


@pytest.mark.parametrize(
    ("clock_ms", "text"),
    [(49, "0.0 s"), (-49, "0.0 s"), (51, "+0.1 s"), (-1500, "-1.5 s"), (3_600_000, "+3,600 s")],
)
def test_how_much_a_clock_is_ahead(clock_ms: int, text: str) -> None:
    assert text in shown(device("beta", clock_ms=clock_ms)).splitlines()[4]


def test_one_that_was_never_seen_has_no_date() -> None:
    assert shown(unknown("old", last_seen=None)).splitlines()[1].split()[-1] == "-"


@pytest.mark.parametrize("text", ["\x1b[2J" * 16, "\u202e\n\t", "x" * 64, ""])
def test_what_a_hostile_device_says_is_escaped_and_short(text: str) -> None:
    said = shown(device("evil", version=text, says_state=text, clock_ms=-(2**63) // 10**6))
    assert all(c.isprintable() or c == "\n" for c in said)
    lines = said.splitlines()
    assert len(lines) == 5 and max(map(len, lines)) <= 80


def test_json_has_times_as_text() -> None:
    found = FleetShown(folder="share", devices=[*FLEET, unknown("x", last_seen=None)])
    fields = _dated(found.fields())
    assert fields["devices"][0]["last_seen"].startswith("2026-10-05T12:00:07")
    assert fields["devices"][3]["last_seen"] is None
