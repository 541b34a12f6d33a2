"""leftzmq modes: who may read, write and run what is in a folder."""

from __future__ import annotations

import argparse
from typing import Any, Final

from leftzmq.cli.asking import ANSWER_S, add_common, add_subtree, as_subtree, the_command
from leftzmq.cli.shell import json_text
from leftzmq.config import load_device
from leftzmq.errors import counted
from leftzmq.transport.ipc.client import ask
from leftzmq.wire.replies import ModesAdopted

_TEXT: Final = "who may read, write and run what is in a folder"
_ADOPT: Final = (
    "make the modes of this device everybody's, once: of what was there before modes were told, "
    "no device tells any until they change"
)
_EXAMPLES: Final = """examples:
  leftzmq modes adopt             all of the only folder
  leftzmq modes adopt keys/       this folder, and what is in it"""


def add_modes(commands: Any) -> None:
    adopt = the_command(commands, "modes", _TEXT).add_parser(
        "adopt",
        help=_ADOPT,
        description=_ADOPT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_subtree(adopt)
    add_common(adopt)


def modes(options: argparse.Namespace) -> int:
    path = as_subtree(options.path)
    fields = {"folder": options.folder, "path": path}
    state = load_device(options.config).state
    adopted = ModesAdopted.of(ask(state, "modes adopt", fields, ANSWER_S))
    if options.json:
        print(json_text(adopted.fields()))
    elif adopted.paths:
        print(f"{counted(adopted.paths, 'path')}: the mode that it has here is everybody's now")
    else:
        print("all devices have been told these modes already")
    return 0
