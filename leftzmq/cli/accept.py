"""leftzmq accept, revert: the user's decision about losses, or noise, that the guard holds back.

accept also acknowledges that rules took much out of sync."""

from __future__ import annotations

import argparse
from typing import Any, Final

from leftzmq.cli.asking import add_common
from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.shell import json_text
from leftzmq.config import load_device
from leftzmq.errors import UsageError, counted
from leftzmq.transport.ipc.client import ask
from leftzmq.wire.replies import HeldDecided

_TEXTS: Final = {
    "accept": "let happen what was held back, here and on all other devices; where nothing is: "
    "what rules took out of sync is meant so",
    "revert": "undo what was held back, as far as another device has the files; in a folder that "
    "only receives: take what the others have in the place of what was changed here, which moves "
    "to the trash",
}
_SAID: Final = {
    ("accept", "here"): "the other devices are told, and that it is accepted",
    (
        "accept",
        "elsewhere",
    ): "the old files go to the trash here, too; the other devices are told that it is accepted",
    (
        "revert",
        "here",
    ): "they come back from the devices that have them; what lies there goes to the trash",
    ("revert", "elsewhere"): "they stay, and come back on the other devices",
}


def add_held(commands: Any) -> None:
    for name, text in _TEXTS.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "folder", nargs="?", default="", metavar="FOLDER", help="id; left out: the only one"
        )
        if name == "revert":
            command.add_argument(
                "--path", default="", help="of a folder that only receives: there and below alone"
            )
        add_common(command, dest="of_folder")


def decide(options: argparse.Namespace) -> int:
    state = load_device(options.config).state
    if options.folder and options.of_folder not in ("", options.folder):
        raise UsageError("two folders are named", f"{options.folder}, {options.of_folder}")
    folder = options.folder or options.of_folder
    fields = {"folder": folder}
    if path := getattr(options, "path", ""):
        fields["path"] = path
    decided = HeldDecided.of(ask(state, options.command, fields))
    if options.json:
        print(json_text(decided.fields()))
        return 0
    for who, count in decided.held.fields().items():
        then = _SAID.get((options.command, who), "")
        print(f"{counted(count, 'file')}, lost {printable(who)}: {then}")
    if decided.paths:
        paths = counted(decided.paths, "path")
        print(f"{paths} changed here: what the others have comes; what is here goes to the trash")
    if decided.ignored:
        files = counted(decided.ignored, "file")
        print(f"{files} that a rule took out of sync: noted; they stay where they are")
    elif options.command == "accept":
        print("`leftzmq status` says who has yet to let it through")
    return 0
