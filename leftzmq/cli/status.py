"""`leftzmq status` for a person: devices, folders, what is under way, and what needs a hand.

Knows the fields of the answer and how to lay them out.
"""

from __future__ import annotations

import argparse
import time
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from leftzmq.bus.door import ask
from leftzmq.cli.importing import end_at_once
from leftzmq.cli.lines import human_bytes, printable
from leftzmq.cli.shell import json_text
from leftzmq.cli.terminal import colour_system
from leftzmq.config import load_device
from leftzmq.errors import counted

WATCH_PERIOD_S: Final = 0.5
SHOWN_PROBLEMS: Final = 20
SHOWN_CONFLICTS: Final = 10
_SHOW_CURSOR: Final = b"\x1b[?25h\n"  # a Live hides it
_AT_HOME: Final = {"VERIFYING": "what it had", "AT_HOME": "files of its own"}
_STATES: Final = {"idle": "green", "syncing": "cyan", "scanning": "cyan", "stopped": "red"}


def status(options: argparse.Namespace) -> int:
    """Ask and show, once or until Ctrl-C."""
    state = load_device(options.config).state
    answer = ask(state, "status")
    if options.json:
        print(json_text(answer))
        return 0
    console = Console(highlight=False, color_system=colour_system())
    if not options.watch:
        console.print(status_view(answer))
        return 0
    end_at_once(_SHOW_CURSOR if console.is_terminal else b"")
    with Live(status_view(answer), console=console, auto_refresh=False) as live:
        while True:
            time.sleep(WATCH_PERIOD_S)
            live.update(status_view(ask(state, "status")), refresh=True)


def status_view(status: dict[str, Any]) -> RenderableType:
    """The whole answer, with what needs attention last."""
    parts: list[RenderableType] = [_devices(status), "", _folders(status["folders"])]
    under_way = [file for folder in status["folders"] for file in _files(folder)]
    if under_way:
        parts += ["", _bars(under_way)]
        more = sum(folder["arriving"] for folder in status["folders"]) - len(under_way)
        parts += [Text(f"and {more:,} more")] if more > 0 else []
    attention = [line for folder in status["folders"] for line in _attention(folder)]
    if attention:
        parts += ["", *attention]
    return Group(*parts)


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for head in heads:
        table.add_column(head.strip(), justify="right" if head.startswith(" ") else "left")
    return table


def _devices(status: dict[str, Any]) -> RenderableType:
    table = _table("device", "state")
    table.add_row(_text(status["device"]), Text("this one, key ") + Text(status["key"]))
    for peer in status["peers"]:
        table.add_row(_text(peer["name"]), _connection(peer))
    if not status["peers"]:
        table.add_row("", Text("no peers: add [[peer]] to the config", "yellow"))
    return table


def _connection(peer: dict[str, Any]) -> Text:
    if peer["connected"] and peer["note"]:
        return Text(printable(peer["note"]), "yellow")
    if peer["connected"]:
        return Text("connected", "green")
    if peer["state"] == "no key":
        return Text("no key: put its `leftzmq id` into the config", "yellow")
    note = f": {printable(peer['note'])}" if peer["note"] else ""
    return Text(f"not connected{note}", "yellow")


def _folders(folders: list[dict[str, Any]]) -> RenderableType:
    table = _table("folder", "state", " files", " size", " to come", " sent", " received")
    for folder in folders:
        to_come = f"{folder['tickets']} ({human_bytes(folder['need_bytes'])})"
        table.add_row(
            _text(folder["id"]),
            Text(folder["state"], _STATES.get(folder["state"], "")),
            f"{folder['files']:,}",
            human_bytes(folder["bytes"]),
            to_come if folder["tickets"] else "nothing",
            human_bytes(folder["sent_bytes"]),
            human_bytes(folder["received_bytes"]),
        )
    return table


def _files(folder: dict[str, Any]) -> list[dict[str, Any]]:
    return [file | {"rate": folder["rate"]} for file in folder["under_way"]]


def _bars(files: list[dict[str, Any]]) -> RenderableType:
    table = _table("arriving", "", " ", " left", "from")
    left = sum(file["size"] - file["have"] for file in files)
    for file in files:
        size, have = max(1, file["size"]), file["have"]
        table.add_row(
            _text(file["path"]),
            ProgressBar(total=size, completed=have, width=20),
            f"{100 * have // size}% of {human_bytes(size)}",
            _time_left(left, file["rate"]),
            Text(sources_of(file)),
        )
    return table


def sources_of(file: dict[str, Any]) -> str:
    """Who gives it, and how fast: "beta 81 MB/s, gamma 69 MB/s"; or what else is done about it."""
    sources = [f"{printable(one['name'])} {_rate(one['rate'])}" for one in file["sources"]]
    return ", ".join(sources) or _AT_HOME.get(file["phase"], "")


def _rate(bytes_s: int) -> str:
    return f"{bytes_s / 1e6:.0f} MB/s" if bytes_s >= 10_000_000 else f"{bytes_s / 1e6:.1f} MB/s"


def _time_left(left: int, rate: int) -> str:
    """All of them share the line, so they end at about the same time."""
    if not rate:
        return "?"
    seconds = left / rate
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _attention(folder: dict[str, Any]) -> list[RenderableType]:
    name = printable(folder["id"])
    lines = [Text(f"{name}: {printable(folder['why'])}", "red")] if folder["why"] else []
    for problem in folder["problem_list"][:SHOWN_PROBLEMS]:
        lines.append(Text(f"{name}: {printable(problem['text'])}", "yellow"))
    hidden = folder["problems"] - SHOWN_PROBLEMS
    if hidden > 0:
        lines.append(
            Text(f"{name}: and {counted(hidden, 'more problem')}: see `leftzmq problems`", "yellow")
        )
    for path in folder["conflict_list"][:SHOWN_CONFLICTS]:
        lines.append(Text(f"{name}: both versions were kept: {printable(path)}"))
    hidden = folder["conflicts"] - SHOWN_CONFLICTS
    if hidden > 0:
        copies = counted(hidden, "more conflict copy", "more conflict copies")
        lines.append(Text(f"{name}: and {copies}: see `leftzmq conflicts list`"))
    return list(lines)


def _text(name: object) -> Text:
    return Text(printable(name), overflow="fold")
