"""leftzmq get, drop: what this device fetches of a folder, and what it lets go of.

Knows the fields of the answers and how to say them. Must not know when something may be let go.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

from leftzmq.cli.asking import ANSWER_S, add_common, as_path, as_subtree
from leftzmq.cli.format.event_lines import human_bytes, printable
from leftzmq.cli.shell import json_text
from leftzmq.config import load_device
from leftzmq.errors import Declined, UsageError, counted
from leftzmq.transport.ipc.client import ask
from leftzmq.wire.replies import Dropped, Got

SHOWN: Final = 20
LONGEST_DROP_S: Final = 3600.0
_GET: Final = "fetch a path from now on, with all below it, whatever `only` in peer.toml says"
_DROP: Final = (
    "remove a path from this device alone, with all below it, and fetch it no more; the others "
    "keep it. Nothing goes that no connected device has, too. `rm` is a delete for all, as ever"
)
_GET_EXAMPLES: Final = """\
examples:
  leftzmq get photos/2026           from now on it is kept here
  leftzmq get big.iso && leftzmq wait --path big.iso
"""
_DROP_EXAMPLES: Final = """\
examples:
  leftzmq drop photos/2025          it stays on the other devices
  leftzmq drop --outside-only       all that `only` in peer.toml does not name
"""


def add_wanted(commands: Any) -> None:
    """Add `leftzmq get` and `leftzmq drop` to the parser."""
    for name, text, examples in (("get", _GET, _GET_EXAMPLES), ("drop", _DROP, _DROP_EXAMPLES)):
        command = commands.add_parser(
            name,
            help=text.partition(";")[0].partition(". ")[0],
            description=f"{text}.",
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        optional = {"nargs": "?", "default": ""} if name == "drop" else {}
        command.add_argument("path", metavar="PATH", help="in the share", **optional)
        if name == "drop":
            command.add_argument(
                "--outside-only",
                action="store_true",
                help="instead of PATH: all that is here and that is not fetched any more",
            )
        add_common(command)


def want(options: argparse.Namespace) -> int:
    state = load_device(options.config).state
    if options.command == "get":
        return _get(state, options)
    if bool(options.path) is options.outside_only:
        raise UsageError("wants a path, or --outside-only", "leftzmq drop")
    return _drop(state, options)


def _get(state: Path, options: argparse.Namespace) -> int:
    fields = {"folder": options.folder, "path": as_path(options.path)}
    got = Got.of(ask(state, "get", fields, timeout_s=ANSWER_S))
    if options.json:
        print(json_text(got.fields()))
        return 0
    path = printable(got.path)
    print(f"{path} is kept here from now on: `leftzmq wait --path {path}` ends when it is all here")
    return 0


def _drop(state: Path, options: argparse.Namespace) -> int:
    fields: dict[str, str | float | bool] = {
        "folder": options.folder,
        "path": as_subtree(options.path),
        "outside_only": options.outside_only,
    }
    dropped = Dropped.of(ask(state, "drop", fields, timeout_s=LONGEST_DROP_S))
    if options.json:
        print(json_text(dropped.fields()))
        return 1 if dropped.stayed else 0
    if not dropped.dropped and not dropped.stayed:
        what = f"of {printable(dropped.path)} is here, and it" if dropped.path else "is here that"
        print(f"nothing {what} is not fetched")
    elif dropped.dropped:
        size = human_bytes(dropped.bytes)
        print(f"{counted(dropped.dropped, 'path')} let go, {size} free; the other devices keep it")
    if dropped.more:
        print("there is more: ask once more")
    for one in dropped.stayed_list[:SHOWN]:
        print(f"{printable(one.path)} stays: {printable(one.why)}", file=sys.stderr)
    if dropped.stayed > SHOWN:
        print(f"and {dropped.stayed - SHOWN:,} more", file=sys.stderr)
    if dropped.stayed:
        raise Declined(f"{counted(dropped.stayed, 'path')} stay on this device, too")
    return 0
