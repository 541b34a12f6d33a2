"""leftzmq problems: what keeps paths from being in sync."""

from __future__ import annotations

import argparse
from typing import Any, Final

from leftzmq.cli.asking import add_common
from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.paths.paging import Pages, add_paging, print_json, print_more, shown
from leftzmq.config import load_device

_TEXT: Final = "what keeps paths of a folder from being in sync, the oldest first"


def add_problems(commands: Any) -> None:
    """Add `leftzmq problems` to the parser."""
    command = commands.add_parser("problems", help=_TEXT, description=_TEXT)
    add_common(command)
    add_paging(command)


def problems(options: argparse.Namespace) -> int:
    state = load_device(options.config).state
    pages = Pages(state, "problems", {"folder": options.folder}, "problems")
    items = pages.after(options.after)
    if options.json:
        print_json(items, options.limit)
        return 0
    first, more = shown(items, options.limit)
    for item in first:
        print(printable(item["text"]))
    more += pages.answer["hidden"]
    print_more(more)
    if not first and not more:
        print("there are no problems")
    return 0
