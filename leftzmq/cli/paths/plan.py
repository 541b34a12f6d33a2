"""leftzmq plan: what would happen in a folder now.

Knows the fields of the answer and how to say them. Must not know what becomes of a path.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from leftzmq.cli.asking import add_common
from leftzmq.cli.format.event_lines import human_bytes, printable
from leftzmq.cli.format.terminal import say
from leftzmq.cli.paths.paging import Item, Pages, add_paging, print_more, shown
from leftzmq.cli.shell import json_text
from leftzmq.config import load_device
from leftzmq.errors import counted

_TEXT: Final = "what would happen in a folder now; nothing is changed"
_EXAMPLES: Final = """\
examples:
  leftzmq plan                what is to come here, and what it replaces or removes
  leftzmq plan --peer desk    what is to come on that device, as far as is known here
"""


def add_plan(commands: Any) -> None:
    """Add `leftzmq plan` to the parser."""
    command = commands.add_parser(
        "plan",
        help=_TEXT,
        description=f"{_TEXT}.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--peer", default="", metavar="NAME", help="on that device, not on this one"
    )
    add_common(command)
    add_paging(command)


def plan(options: argparse.Namespace) -> int:
    state: Path = load_device(options.config).state
    fields = {"folder": options.folder, "peer": options.peer}
    pages = Pages(state, "plan", fields, "items")
    items = pages.after(options.after)
    first = next(items, None)
    counts = pages.answer["counts"]
    items = _chained(first, items)
    if options.json:
        found = [item for item, _ in zip(items, _upto(options.limit), strict=False)]
        for item in found:
            del item["folder"]
        head = {key: pages.answer[key] for key in ("folder", "peer")}
        print(json_text(head | {"counts": counts, "items": found}))
        return 0
    for line in count_lines(counts):
        say(line)
    some, more = shown(items, options.limit)
    for item in some:
        say(item_line(item))
    print_more(more)
    if first is None:
        whose = f"{printable(options.peer)} has" if options.peer else "this device has"
        say(f"nothing is to come: {whose} what it is to have, as far as is known here")
    return 0


def _chained(first: Item | None, rest: Iterator[Item]) -> Iterator[Item]:
    if first is not None:
        yield first
    yield from rest


def _upto(limit: int | None) -> Iterator[int]:
    number = 0
    while limit is None or number < limit:
        yield number
        number += 1


def count_lines(counts: list[Item]) -> Iterator[str]:
    """Return a line for each kind of action that there is any of."""
    for count in counts:
        if count["paths"]:
            size = f", {human_bytes(count['bytes'])}" if count["bytes"] else ""
            yield f"{count['action']}: {counted(count['paths'], 'path')}{size}"


def item_line(item: Item) -> str:
    """Return the line of one path."""
    size = f", {human_bytes(item['bytes'])}" if item["bytes"] else ""
    source = f", from {printable(item['from'])}" if item["from"] else ""
    why = f" ({printable(item['why'])})" if item["why"] else ""
    return f"{item['action']} {printable(item['path'])}{size}{source}{why}"
