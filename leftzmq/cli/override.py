"""leftzmq override: in a folder that only sends, what is here is everybody's.

It lists first where others have something else, and asks; what is not in the list stays as it is.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from leftzmq.cli.asking import ANSWER_S, add_common, add_subtree, as_subtree
from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.shell import json_text, says_yes
from leftzmq.config import load_device
from leftzmq.errors import UsageError, counted
from leftzmq.transport.ipc.client import ask
from leftzmq.wire.replies import Overridden

_TEXT: Final = (
    "in a folder that only sends: put what this device has in the place of what the others "
    "changed, on all devices; lists that first, and asks"
)
_EXAMPLES: Final = """examples:
  leftzmq override                    all that differs in the only folder
  leftzmq override plans/report.odt   this file alone"""


def add_override(commands: Any) -> None:
    command = commands.add_parser(
        "override",
        help=_TEXT,
        description=_TEXT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_subtree(command)
    command.add_argument("--yes", action="store_true", help="do not ask")
    add_common(command)


def override(options: argparse.Namespace) -> int:
    path = as_subtree(options.path)
    state = load_device(options.config).state
    fields = {"folder": options.folder, "path": path}
    found = Overridden.of(ask(state, "override", fields, ANSWER_S))
    if not options.json:
        _show(found)
    if not options.yes:
        if options.json:
            print(json_text(found.fields()))
            return 0
        if not sys.stdin.isatty():
            raise UsageError("nobody can be asked", "override", "say --yes, or use a terminal")
        if not says_yes("Put what is here in their place, on all devices?"):
            print("nothing was changed")
            return 1
    done = Overridden.of(ask(state, "override", fields | {"listed": found.listed}, ANSWER_S))
    if options.json:
        print(json_text(done.fields()))
        return 0
    print(
        f"{counted(done.paths, 'path')}: what is here is everybody's now; what the others had is in"
        " their trash"
    )
    return 0


def _show(found: Overridden) -> None:
    more = "at least " if found.more else ""
    print(f"others have something else at {more}{counted(found.paths, 'path')}:")
    for path in found.first:
        print(f"  {printable(path)}")
    if found.paths > len(found.first):
        print("  ...")
