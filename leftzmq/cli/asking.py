"""The common parts of the commands that ask an agent to do something in a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from leftzmq.errors import Refused, UsageError
from leftzmq.tree.rules import check_path

ANSWER_S: Final = 600.0
"""For the agent to read through the trash, beside its other work."""


def the_command(commands: Any, name: str, text: str) -> Any:
    """Return a command that has verbs of its own; the chosen verb is `options.verb`."""
    command = commands.add_parser(name, help=text, description=text)
    return command.add_subparsers(dest="verb", required=True, metavar="VERB")


def add_config(command: argparse.ArgumentParser) -> None:
    """Add -c. Left out, it is None: `config_file` says which file that is."""
    command.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="peer.toml; left out: $LEFTZMQ_CONFIG, else leftzmq/peer.toml in the user's config "
        "directory",
    )


def add_common(
    command: argparse.ArgumentParser, dest: str = "folder", left_out: str = "the only one"
) -> None:
    """Add the common options. dest: of --folder, if a positional argument is named `folder`."""
    add_config(command)
    command.add_argument(
        "--folder",
        dest=dest,
        default="",
        metavar="ID",
        help=f"which [[folder]]; left out: {left_out}",
    )
    command.add_argument("--json", action="store_true", help="for scripts")


def add_subtree(command: argparse.ArgumentParser) -> None:
    """Add PATH, which may be left out; `as_subtree` reads it."""
    command.add_argument(
        "path", nargs="?", default="", metavar="PATH", help="and what is below it; left out: all"
    )


def as_subtree(given: str) -> str:
    """Return the path below which is meant, from what was typed; "" is all. Raises UsageError."""
    return as_path(given) if given else ""


def as_path(given: str) -> str:
    """Return a path in the share, from what was typed: `./a/` is `a`. Raises UsageError."""
    path = given.rstrip("/") if given.strip("/") else given
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    try:
        return check_path(path)
    except Refused as refused:
        do = "write it relative to the share, as `trash list` and `conflicts list` show it"
        raise UsageError(refused.refusal.value, given, do) from None
