"""Long lists of an agent, page by page, for all commands that show one.

A script reads all of a list, or a number of lines after the `cursor` of another line. A person sees
the first lines, and the number of the others. Knows pages and cursors. Must not know what is
listed.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from leftzmq.cli.asking import ANSWER_S
from leftzmq.cli.shell import json_text
from leftzmq.transport.ipc.client import ask

SHOWN: Final = 1_000

Item = dict[str, Any]


def add_paging(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--limit",
        type=_count,
        default=None,
        metavar="N",
        help=f"at most N of them ({SHOWN}; with --json all)",
    )
    command.add_argument(
        "--after",
        default="",
        metavar="CURSOR",
        help="only what comes after the line with this `cursor` (see --json)",
    )


class Pages:
    """The items of a list after a cursor, each fetched when it is needed.

    answer: the page that the last item came from.
    """

    def __init__(self, state: Path, verb: str, fields: dict[str, str], key: str) -> None:
        self._state, self._verb, self._fields, self._key = state, verb, fields, key
        self.answer: dict[str, Any] = {}

    def after(self, cursor: str) -> Iterator[Item]:
        """Yield the items after the cursor. Raises AgentAway, Declined."""
        while True:
            fields = self._fields | {"after": cursor}
            self.answer = ask(self._state, self._verb, fields, timeout_s=ANSWER_S)
            for item in self.answer[self._key]:
                yield {"folder": self.answer["folder"], **item}
            cursor = self.answer["after"]
            if not cursor:
                return


def print_json(items: Iterable[Item], limit: int | None) -> None:
    """Print a list, each item as soon as it is there."""
    before = "["
    for item in islice(items, limit):
        print(f"{before}\n{textwrap.indent(json_text(item), '  ')}", end="")
        before = ","
    print("[]" if before == "[" else "\n]")


def shown(items: Iterator[Item], limit: int | None) -> tuple[list[Item], int]:
    """Return the first items, and the number of the others."""
    first = list(islice(items, SHOWN if limit is None else limit))
    return first, sum(1 for _ in items)


def print_more(count: int) -> None:
    if count:
        print(f"... and {count:,} more")


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError("0 or more")
    return count
