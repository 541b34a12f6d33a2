"""leftzmq wait: waits until everything is in sync; else says which device is behind, and with what.

Knows the fields of the answer and how to print them. Must not know when a device counts as in sync.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any, Final

from leftzmq.cli.asking import add_common, as_subtree
from leftzmq.cli.format.event_lines import human_bytes, printable
from leftzmq.cli.shell import json_text
from leftzmq.config import load_device
from leftzmq.errors import counted
from leftzmq.transport.ipc.client import ask
from leftzmq.wire.replies import PassedOver, PeerBehind, ShownInFolder, ToCome, Waited

NOT_IN_SYNC: Final = 3
DEFAULT_WAIT_S: Final = 60.0
LONGEST_WAIT_S: Final = 1_000_000_000  # 31 years; JSON has no `inf`
ANSWER_S: Final = 10.0
"""In addition to the timeout: the agent then searches for what is missing, for 3 s at most."""
SHOWN: Final = 20
_TEXT: Final = "wait until all that was written before is in sync with every connected peer"


def add_wait(commands: Any) -> None:
    """Add `leftzmq wait` to the parser."""
    command = commands.add_parser(
        "wait",
        help=_TEXT,
        description=f"{_TEXT}, or with those that are named. Exit code 3: not in time.",
    )
    add_common(command, left_out="all of them")
    command.add_argument(
        "--timeout", type=_seconds, default=DEFAULT_WAIT_S, metavar="S", help="seconds (60)"
    )
    who = command.add_mutually_exclusive_group()
    who.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME",
        help="for this one, connected or not; may be given again",
    )
    who.add_argument(
        "--all", action="store_true", help="for every peer of the config, connected or not"
    )
    command.add_argument(
        "--path", default="", metavar="PATH", help="only for this, and all below it"
    )


def _seconds(typed: str) -> float:
    try:
        seconds = float(typed)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= LONGEST_WAIT_S:
        what = f"{printable(typed)!r} is no number of seconds from 0 to {LONGEST_WAIT_S:,.0f}"
        raise argparse.ArgumentTypeError(what)
    return seconds


def wait(options: argparse.Namespace) -> int:
    state: Path = load_device(options.config).state
    fields: dict[str, str | float | bool] = {
        "timeout": options.timeout,
        "folder": options.folder,
        "peers": "\n".join(options.peer),
        "all": options.all,
        "path": as_subtree(options.path),
    }
    answer = ask(state, "wait", fields, timeout_s=options.timeout + ANSWER_S)
    waited = Waited.of(answer)
    code = 0 if waited.in_sync else NOT_IN_SYNC
    if options.json:
        print(json_text({key: value for key, value in answer.items() if key != "longest_turn_ms"}))
        return code
    if code:
        _say(f"leftzmq: not in sync within {options.timeout:g} s: {printable(waited.why)}")
        _say_missing(waited)
    for one in waited.passed_over:
        where = f" of folder {one.folder}" if len(waited.passed_over) > 1 else ""
        _say(f"{printable(one.name)} passes over {_what(one)}{printable(where)}")
    _say_list("passed over, as waiting does not help", waited.skipped_list, waited.skipped)
    return code


def _say_missing(waited: Waited) -> None:
    behind, to_come = waited.behind or [], waited.to_come or []
    several = len({one.folder for one in behind} | {one.folder for one in to_come}) > 1
    for peer in behind:
        who = f"{peer.name}, folder {peer.folder}" if several else peer.name
        why = f": {peer.why}" if peer.why else ""
        lacks = f", lacks {_what(peer)}" if peer.paths else ""
        _say(f"{printable(who)} is {_state(peer.state)}{printable(why)}{lacks}")
        _say_first(peer)
    for coming in to_come:
        where = f", folder {coming.folder}" if several else ""
        _say(f"to come here{printable(where)}: {_what(coming)}")
        _say_first(coming)
    _say_list("in the way", waited.problem_list, waited.problems)


_AS_SAID: Final = {
    "other id": "not in the folder",
    "other secret": "not in the folder",
    "not shared": "not in the folder",
    "not there": "not in the folder",
    "stopped there": "connected",
    "stopped here": "connected",
    "paused here": "not waited for",
    "silent": "connected, and has said nothing of it yet",
    "two of that key": "not one device",
}


def _state(state: str) -> str:
    return _AS_SAID.get(state, state)


def _what(one: PeerBehind | ToCome | PassedOver) -> str:
    return f"{counted(one.paths, 'path')} ({human_bytes(one.bytes)})"


def _say_first(one: PeerBehind | ToCome) -> None:
    for path in one.first:
        _say(f"  {printable(path)}")
    more = one.paths - len(one.first)
    if one.first and more > 0:
        _say(f"  and {more:,} more")


def _say_list(head: str, problems: list[ShownInFolder], count: int) -> None:
    if not problems:
        return
    _say(f"{head}:")
    for problem in problems[:SHOWN]:
        _say(f"  {printable(problem.text)}")
    if count > SHOWN:
        _say(f"  and {count - SHOWN:,} more: see `leftzmq problems`")


def _say(text: str) -> None:
    print(text, file=sys.stderr)
