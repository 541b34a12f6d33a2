"""leftzmq reload: has the agent read peer.toml now, and prints what changed by that."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Final

from leftzmq.cli.asking import add_config
from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.shell import json_text
from leftzmq.config import load_device
from leftzmq.errors import ConfigError, Declined
from leftzmq.transport.ipc.client import ask
from leftzmq.wire.replies import Reloaded

ANSWER_S: Final = 30.0
"""For the agent to make, or look into, what 64 folders name."""

_TEXT: Final = "have the agent read peer.toml now, and say what changed by that"
_EXAMPLES: Final = """\
examples:
  leftzmq reload            after an edit: peers and folders come, go and change at once
  leftzmq reload --json     the same for a script; exit code 2: the file is wrong, nothing changed
"""
_KINDS: Final = (
    ("peers added", "peers_added"),
    ("peers removed", "peers_removed"),
    ("peers moved", "peers_moved"),
    ("folders added", "folders_added"),
    ("folders taken out", "folders_removed"),
    ("folders with another path or secret", "folders_changed"),
    ("used from now on", "used"),
    ("used after the next start of the agent", "need_a_start"),
)


def add_reload(commands: Any) -> None:
    """Add `leftzmq reload` to the parser."""
    command = commands.add_parser(
        "reload",
        help=_TEXT,
        description=f"{_TEXT}. A file that is wrong changes nothing.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(command)
    command.add_argument("--json", action="store_true", help="for scripts")


def reload(options: argparse.Namespace) -> int:
    state = load_device(options.config).state
    try:
        answer = Reloaded.of(ask(state, "reload", timeout_s=ANSWER_S))
    except Declined as why:
        raise ConfigError(why.what, why.where, why.do) from None
    if options.json:
        print(json_text(answer.fields()))
        return 0
    said = list(_lines(answer))
    print("\n".join(said) or f"{printable(answer.file)}: nothing changed")
    return 0


def _lines(answer: Reloaded) -> Iterator[str]:
    for title, name in _KINDS:
        names: list[str] = getattr(answer, name)
        if names:
            yield printable(f"{title}: {', '.join(names)}")
    for one in answer.unusable:
        yield printable(f"{one.folder} is stopped: {one.why}")
