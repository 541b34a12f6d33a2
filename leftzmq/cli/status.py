"""`leftzmq status` for a person: devices, folders, transfers, and what needs attention.

Knows the fields of the answer and how to lay them out. Must not know where they come from.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from leftzmq.bandwidth.timetable import limit_text
from leftzmq.cli.format.clock import iso_time, local_time
from leftzmq.cli.format.event_lines import human_bytes, printable
from leftzmq.cli.format.terminal import colour_system
from leftzmq.cli.importing import end_at_once
from leftzmq.cli.shell import json_text
from leftzmq.config import load_device
from leftzmq.errors import Declined, counted
from leftzmq.transport.ipc.client import ask

WATCH_PERIOD_S: Final = 0.5
SHOWN_PROBLEMS: Final = 20
SHOWN_CONFLICTS: Final = 10
SHOWN_DIFFERENCES: Final = 5
SHOWN_MEMBERS: Final = 40
SHOWN_STRANGERS: Final = 3
_TIMES: Final = {"since", "behind_since", "first", "last"}
_SHOW_CURSOR: Final = b"\x1b[?25h\n"  # a Live hides it
_AT_HOME: Final = {"VERIFYING": "what it had", "AT_HOME": "files of its own"}
_BETWEEN: Final = 2  # cells between two columns of a table
_STATES: Final = {
    "idle": "green",
    "alone": "yellow",
    "syncing": "cyan",
    "scanning": "cyan",
    "held": "yellow",
    "paused": "yellow",
    "stopped": "red",
}


def status(options: argparse.Namespace) -> int:
    """Ask and show, once or until Ctrl-C."""
    state = load_device(options.config).state
    answer = _of_folder(ask(state, "status"), options.folder)
    if options.json:
        print(json_text(_dated(answer)))
        return 0
    console = Console(highlight=False, color_system=colour_system())
    if not options.watch:
        # Nothing is cut off: a key that is pasted is whole.
        console.print(status_view(answer, console.width), crop=False)
        return 0
    end_at_once(_SHOW_CURSOR if console.is_terminal else b"")
    with Live(status_view(answer, console.width), console=console, auto_refresh=False) as live:
        while True:
            time.sleep(WATCH_PERIOD_S)
            answer = _of_folder(ask(state, "status"), options.folder)
            live.update(status_view(answer, console.width), refresh=True)


def _of_folder(answer: dict[str, Any], id: str) -> dict[str, Any]:
    """Return the answer for one folder only; "": all. Raises Declined."""
    if not id:
        return answer
    there = {folder["id"]: folder for folder in answer["folders"]}
    if id not in there:
        known = ", ".join(there) or "none yet"
        raise Declined(f"there is no such folder here; there is {known}", id)
    return answer | {"folders": [there[id]]}


def status_view(status: dict[str, Any], width: int) -> RenderableType:
    """Return the whole answer, with what needs attention last. width: of the terminal."""
    parts: list[RenderableType] = [*_devices(status, width), "", _folders(status["folders"])]
    if who := _members(status):
        parts += ["", who]
    under_way = [file for folder in status["folders"] for file in _files(folder)]
    if under_way:
        parts += ["", _bars(under_way)]
        more = sum(folder["arriving"] for folder in status["folders"]) - len(under_way)
        parts += [Text(f"and {more:,} more")] if more > 0 else []
    attention = [line for folder in status["folders"] for line in _attention(folder)]
    if attention:
        parts += ["", *attention]
    if status["strangers"]:
        parts += ["", *_strangers(status["strangers"])]
    return Group(*parts)


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for head in heads:
        table.add_column(head.strip(), justify="right" if head.startswith(" ") else "left")
    return table


def _devices(status: dict[str, Any], width: int) -> Iterator[RenderableType]:
    """The devices, and the key of this one. Where that is narrow it is in a line of its own, and
    without dashes: it is read so, too, and only of use as a whole."""
    table = _table("device", "state")
    names = [status["device"], *(peer["name"] for peer in status["peers"])]
    this = f"this one, key {status['key']}"
    fits = max(cell_len(printable(name)) for name in names) + _BETWEEN + len(this) <= width
    table.add_row(_text(status["device"]), Text(this if fits else "this one"))
    if limits := _limits(status["limits"]):
        table.add_row("", Text(limits))
    for peer in status["peers"]:
        table.add_row(_text(peer["name"]), _connection(peer) + Text(_its_limits(peer, status)))
    if not status["peers"]:
        table.add_row("", Text("no other device: `leftzmq share DIR` lets one in", "yellow"))
    yield table
    if not fits:
        key = status["key"].replace("-", "")
        yield Text(f"key {key}", no_wrap=True, overflow="ignore")


def _limits(limits: dict[str, int | None]) -> str:
    """Return what holds: "limits: up 2 MB/s, down off"; "" if nothing is limited."""
    found = [f"{way} {limit_text(rate)}" for way, rate in limits.items() if rate is not None]
    return f"limits: {', '.join(found)}" if found else ""


def _its_limits(peer: dict[str, Any], status: dict[str, Any]) -> str:
    """Return the limits of this device alone, as they go on behind its state."""
    own = {way: rate for way, rate in peer["limits"].items() if rate != status["limits"][way]}
    gives = "" if peer["gives"] is None else f"gives {limit_text(peer['gives'])}"
    return "".join(f"; {text}" for text in (_limits(own), gives) if text)


def _connection(peer: dict[str, Any]) -> Text:
    """Return how far the device is with us, since when, and why."""
    match peer["state"]:
        case "in sync":
            return Text("in sync", "green")
        case "behind":
            return Text(_behind(peer), "yellow")
        case "syncing":
            return Text("connected, syncing", "cyan")
        case "two of that key":
            return Text("two agents that have its key are running: see below", "red")
        case "apart":
            return Text("connected, but shares nothing with us now: see below", "yellow")
        case "connecting":
            return Text(f"connecting{_since(peer['since'])}", "cyan")
        case "no key":
            return Text("no key: put its `leftzmq id` into the config", "yellow")
        case _:
            note = f": {printable(peer['note'])}" if peer["note"] else ""
            return Text(f"not connected{_since(peer['since'])}{note}", "yellow")


def _behind(one: dict[str, Any]) -> str:
    """Return what the device lacks of ours: "behind by 2 paths (3.0 MiB) since 2026-10-05
    16:03:07"."""
    size = human_bytes(one["behind_bytes"])
    return f"behind by {counted(one['behind_paths'], 'path')} ({size}){_since(one['behind_since'])}"


def _since(unix_s: float | None) -> str:
    return "" if unix_s is None else f" since {local_time(unix_s)}"


def _dated(answer: Any) -> Any:
    """Return the answer with its times as text, not as seconds."""
    if isinstance(answer, list):
        return [_dated(item) for item in answer]
    if not isinstance(answer, dict):
        return answer
    return {
        key: iso_time(value) if key in _TIMES and value is not None else _dated(value)
        for key, value in answer.items()
    }


def _members(status: dict[str, Any]) -> RenderableType | None:
    """Return which device is in which folder. Devices in sync share one line. A device that is not
    connected, and lacks nothing that we know of, is shown only among the devices."""
    table = _table("folder", "with")
    shown = left_out = 0
    for folder in status["folders"]:
        name = folder["id"]
        lines = []
        together = [m["name"] for m in folder["members"] if m["state"] == "in sync"]
        if together:
            lines.append(Text(f"in sync: {', '.join(map(printable, together))}", "green"))
        lines += [line for m in folder["members"] if (line := _member(m)) is not None]
        lines += [_accepted(m) for m in folder["members"] if m["accepted_left"]]
        for line in lines:
            if shown < SHOWN_MEMBERS:
                table.add_row(_text(name), line)
                name = ""
                shown += 1
            else:
                left_out += 1
    if left_out:
        table.add_row("", Text(f"and {left_out:,} more: see `leftzmq status --json`"))
    return table if shown else None


def _member(member: dict[str, Any]) -> Text | None:
    name = printable(member["name"])
    match member["state"]:
        case "in sync" if member["passed_paths"]:
            what = counted(member["passed_paths"], "path")
            return Text(f"{name}: in sync; it passes over {what}")
        case "in sync" | "stopped here" | "paused here":
            return None
        case "behind":
            return Text(f"{name}: {_behind(member)}", "yellow")
        case "syncing":
            ahead = member["ahead_paths"]
            what = f"{counted(ahead, 'path')} of it to come" if ahead else "its index is on its way"
            return Text(f"{name}: {what}", "cyan")
        case "reading":
            return Text(f"{name}: is reading its files, more may come", "cyan")
        case "silent":
            return Text(f"{name}: has said nothing of it yet", "cyan")
        case "not connected":
            away = f"{name}: not connected"
            return Text(f"{away}, {_behind(member)}", "yellow") if member["behind_paths"] else None
        case _:
            return Text(f"{name}: {printable(member['why'])}", "yellow")


def _accepted(member: dict[str, Any]) -> Text:
    """Return the text for a device that withholds what was accepted here, or has not received
    it."""
    what = f"{counted(member['accepted_left'], 'path')} of what was accepted"
    return Text(f"{printable(member['name'])}: has yet to let through {what}", "yellow")


def _strangers(strangers: list[dict[str, Any]]) -> list[RenderableType]:
    """Return the refused keys: those of removed devices, then the others, in a form that can be put
    into the config."""
    removed = [one for one in strangers if one["removed_from"]]
    strangers = [one for one in strangers if not one["removed_from"]]
    lines: list[RenderableType] = [
        Text(
            f"refused: {printable(one['key'][:13])} from {printable(one['address'])}, which was "
            f"removed from {printable(', '.join(one['removed_from']))}",
            "yellow",
        )
        for one in removed[:SHOWN_STRANGERS]
    ]
    if strangers:
        what = "refused, as its key is not in the config; if it is yours, add:"
        lines.append(Text(what, "yellow"))
    for stranger in strangers[:SHOWN_STRANGERS]:
        where = f"from {printable(stranger['address'])}, last {local_time(stranger['last'])}"
        lines += [
            Text(""),
            Text(f"# {where}"),
            Text("[[peer]]"),
            Text('name = "a name of your choice"'),
            Text(f'key = "{printable(stranger["key"])}"', no_wrap=True, overflow="ignore"),
        ]
    more = len(strangers) - SHOWN_STRANGERS
    if more > 0:
        lines.append(Text(f"and {more:,} more: see `leftzmq status --json`", "yellow"))
    return lines


def _folders(folders: list[dict[str, Any]]) -> RenderableType:
    table = _table("folder", "state", " files", " size", " to come", " sent", " received")
    for folder in folders:
        to_come = f"{folder['tickets']} ({human_bytes(folder['need_bytes'])})"
        table.add_row(
            _text(folder["id"]),
            _state(folder),
            f"{folder['files']:,}",
            human_bytes(folder["bytes"]),
            to_come if folder["tickets"] else "nothing",
            human_bytes(folder["sent_bytes"]),
            human_bytes(folder["received_bytes"]),
        )
    return table


def _state(folder: dict[str, Any]) -> Text:
    waits = f", waits for the {folder['waits_for']}" if folder["waits_for"] else ""
    return Text(folder["state"] + waits, _STATES.get(folder["state"], ""))


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
    """Return the sources of a file and their rates: "beta 81 MB/s, gamma 69 MB/s"; or what else is
    done with it."""
    sources = [f"{printable(one['name'])} {_rate(one['rate'])}" for one in file["sources"]]
    return ", ".join(sources) or _AT_HOME.get(file["phase"], "")


def _rate(bytes_s: int) -> str:
    return f"{bytes_s / 1e6:.0f} MB/s" if bytes_s >= 10_000_000 else f"{bytes_s / 1e6:.1f} MB/s"


def _time_left(left: int, rate: int) -> str:
    """Return the time left. All transfers share the line, so they end at about the same time."""
    if not rate:
        return "?"
    seconds = left / rate
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _attention(folder: dict[str, Any]) -> list[RenderableType]:
    name = printable(folder["id"])
    lines = []
    if folder["state"] == "stopped":
        lines.append(Text(f"{name}: {printable(folder['why'])}", "red"))
    elif folder["state"] in ("held", "paused"):
        lines.append(Text(f"{name}: {folder['state']}: {printable(folder['why'])}", "yellow"))
    elif folder["why"] and not any(map(_member, folder["members"])):
        lines.append(Text(f"{name}: alone: {printable(folder['why'])}", "yellow"))
    if folder["not_kept"]:
        what = f"{counted(folder['not_kept'], 'path')} ({human_bytes(folder['not_kept_bytes'])})"
        lines.append(Text(f"{name}: not kept here, and with others: {what}"))
    lines += _differences(folder)
    for problem in folder["problem_list"][:SHOWN_PROBLEMS]:
        lines.append(Text(f"{name}: {printable(problem['text'])}", "yellow"))
    hidden = folder["problems"] - SHOWN_PROBLEMS
    if hidden > 0:
        lines.append(
            Text(f"{name}: and {counted(hidden, 'more problem')}: see `leftzmq problems`", "yellow")
        )
    copies = zip(folder["conflict_list"], folder["conflict_devices"], strict=True)
    for path, device in islice(copies, SHOWN_CONFLICTS):
        by = printable(device)
        lines.append(Text(f"{name}: both versions were kept, {by}'s as {printable(path)}"))
    hidden = folder["conflicts"] - SHOWN_CONFLICTS
    if hidden > 0:
        more = counted(hidden, "more conflict copy", "more conflict copies")
        lines.append(Text(f"{name}: and {more}: see `leftzmq conflicts list`"))
    return list(lines)


def _differences(folder: dict[str, Any]) -> list[Text]:
    """What is otherwise here, in a folder that only sends or only receives."""
    name, count, mode = printable(folder["id"]), folder["differs"], folder["mode"]
    if mode == "both":
        return []
    said = f"{name}: only {mode}s"
    if not count:
        return [Text(said)]
    if mode == "send":
        differ = f"{counted(count, 'path')} changed by others, not taken"
        return [Text(f"{said}: {differ} (`leftzmq override` lists them, and sends what is here)")]
    paths = folder["differ_list"][:SHOWN_DIFFERENCES]
    shown = ", ".join(map(printable, paths)) + (", ..." if count > len(paths) else "")
    differ = f"{counted(count, 'path')} changed here, told to nobody: {shown}"
    return [Text(f"{said}: {differ} (`leftzmq revert` takes what the others have)")]


def _text(name: object) -> Text:
    return Text(printable(name), overflow="fold")
