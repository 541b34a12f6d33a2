"""leftzmq fleet: all devices of a folder, as they are seen from here and as they say themselves."""

from __future__ import annotations

import argparse
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from leftzmq.cli.format.clock import iso_time, local_time
from leftzmq.cli.format.event_lines import human_bytes, printable
from leftzmq.cli.format.terminal import colour_system
from leftzmq.cli.shell import json_text
from leftzmq.config import load_device
from leftzmq.errors import counted
from leftzmq.transport.ipc.client import ask
from leftzmq.wire.answers.health import FleetDevice, FleetShown

UNKNOWN: Final = "-"
SHOWN_LETTERS: Final = 16
_COLOURS: Final = {"in sync": "green", "idle": "green", "syncing": "cyan", "scanning": "cyan"}


def fleet(options: argparse.Namespace) -> int:
    state = load_device(options.config).state
    found = FleetShown.of(ask(state, "fleet", {"folder": options.folder}))
    if options.json:
        print(json_text(_dated(found.fields())))
        return 0
    console = Console(highlight=False, color_system=colour_system())
    console.print(fleet_view(found), crop=False)
    return 0


def fleet_view(found: FleetShown) -> RenderableType:
    """Return two tables: what is seen from here, and what they say. Each fits 60 columns."""
    reasons: list[RenderableType] = [
        Text(f"{printable(one.name)}: {printable(one.why)}", "yellow")
        for one in found.devices
        if one.why
    ]
    space: list[RenderableType] = [""] if reasons else []
    return Group(_seen_from_here(found.devices), "", _as_they_say(found.devices), *space, *reasons)


def _seen_from_here(devices: list[FleetDevice]) -> Table:
    table = _table("device", "state", " lacks", "last seen")
    for one in devices:
        colour = _COLOURS.get(one.state, "yellow")
        state = Text(printable(one.state), colour)
        table.add_row(Text(printable(one.name)), state, Text(_lacks(one)), Text(_seen(one)))
    return table


def _as_they_say(devices: list[FleetDevice]) -> Table:
    table = _table("device", "says", " free", " clock", "version")
    for one in devices:
        said = [_short(one.says_state), _free(one), _clock(one), _short(one.version)]
        table.add_row(Text(printable(one.name)), *map(Text, said))
    return table


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for head in heads:
        right = head.startswith(" ")
        table.add_column(head.strip(), justify="right" if right else "left", overflow="fold")
    return table


def _short(text: str | None) -> str:
    """Return what another device wrote, escaped, and no longer than such a word is."""
    if text is None:
        return UNKNOWN
    said = printable(text)
    return said if len(said) <= SHOWN_LETTERS else f"{said[: SHOWN_LETTERS - 3]}..."


def _lacks(one: FleetDevice) -> str:
    if one.behind_paths is None:
        return UNKNOWN
    if not one.behind_paths:
        return "nothing"
    return f"{counted(one.behind_paths, 'path')} ({human_bytes(one.behind_bytes or 0)})"


def _seen(one: FleetDevice) -> str:
    if one.connected:
        return "this device" if one.is_us else "now"
    return UNKNOWN if one.last_seen is None else local_time(one.last_seen)


def _free(one: FleetDevice) -> str:
    return UNKNOWN if one.free_bytes is None else human_bytes(one.free_bytes)


def _clock(one: FleetDevice) -> str:
    """Return how much its clock is ahead: "+0.2 s"; below 100 s with a tenth."""
    if one.is_us or one.clock_ms is None:
        return UNKNOWN
    seconds = round(one.clock_ms / 1000, 1)
    if not seconds:
        return "0.0 s"
    return f"{seconds:+.1f} s" if abs(seconds) < 100 else f"{seconds:+,.0f} s"


def _dated(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the answer with its times as text."""
    for one in fields["devices"]:
        if one["last_seen"] is not None:
            one["last_seen"] = iso_time(one["last_seen"])
    return fields
