"""leftzmq pause, resume: a folder or a device rests for a while, over restarts, too."""

from __future__ import annotations

import argparse
import re
from typing import Any, Final

from leftzmq.cli.asking import add_common
from leftzmq.cli.format.clock import iso_time, local_time
from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.shell import json_text
from leftzmq.config import load_device
from leftzmq.transport.ipc.client import ask
from leftzmq.wire.replies import PausedShown, PausesShown

LONGEST_S: Final = 366 * 86_400
_TEXTS: Final = {
    "pause": "let nothing pass of a folder, or to and from a device, until it is resumed",
    "resume": "end pauses: of a folder, of a device, or all",
}
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smhd])", re.ASCII)


def add_pause(commands: Any) -> None:
    """Add `leftzmq pause` and `leftzmq resume` to the parser."""
    for name, text in _TEXTS.items():
        command = commands.add_parser(name, help=text, description=text)
        add_common(command, left_out="all of them")
        command.add_argument("--peer", default="", metavar="NAME", help="this device, not a folder")
        if name == "pause":
            command.add_argument(
                "--for",
                dest="for_s",
                type=seconds,
                default=0.0,
                metavar="TIME",
                help="for so long: 90s, 30m, 2h, 3d; left out: until it is resumed",
            )


def seconds(typed: str) -> float:
    """Return the seconds of "2h". Raises ArgumentTypeError."""
    found = _DURATION.fullmatch(typed)
    length = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not 0 < length <= LONGEST_S:
        what = f"{printable(typed)!r} is no length of time: write 90s, 30m, 2h or 3d, at most 366d"
        raise argparse.ArgumentTypeError(what)
    return length


def pause(options: argparse.Namespace) -> int:
    """Ask, and print what is paused then."""
    state = load_device(options.config).state
    fields: dict[str, str | float | bool] = {"folder": options.folder, "peer": options.peer}
    if options.command == "pause" and options.for_s:
        fields["for_s"] = options.for_s
    answer = PausesShown.of(ask(state, options.command, fields))
    if options.json:
        print(json_text({"folders": _dated(answer.folders), "peers": _dated(answer.peers)}))
        return 0
    for kind, found in (("folder", answer.folders), ("device", answer.peers)):
        for one in found:
            until = "it is resumed" if one.until is None else local_time(one.until)
            print(f"{kind} {printable(one.name)} is paused until {until}")
    if not answer.folders and not answer.peers:
        print("nothing is paused now")
    return 0


def _dated(found: list[PausedShown]) -> list[dict[str, str | None]]:
    return [
        {"name": one.name, "until": None if one.until is None else iso_time(one.until)}
        for one in found
    ]
