"""leftzmq share DIR: shares a directory, and opens an invitation for another device.

Knows the questions to the agent and what a user reads. Must not know the door, nor codes.
"""

from __future__ import annotations

import argparse
import math
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from leftzmq.cli.asking import add_config
from leftzmq.cli.format.clock import local_time
from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.pairing.first_sync import Screen, follow, summary
from leftzmq.cli.pairing.questions import Questions
from leftzmq.cli.pairing.words import OfferedWords
from leftzmq.cli.service.up import ensure_agent
from leftzmq.cli.shell import json_text
from leftzmq.config import load_device
from leftzmq.config.places import make_config
from leftzmq.endpoint import Endpoint
from leftzmq.errors import Declined, UsageError, counted
from leftzmq.transport.ipc.client import ask

NOT_IN_TIME: Final = 3
FIRST_PORT: Final = 7700
PORTS_TRIED: Final = 10  # the door's is behind them
POLL_S: Final = 0.1
TTL_S: Final = 600.0
MOST_TTL_S: Final = 86_400.0
MOST_USES: Final = 62
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
_ANSWERED_BY: Final = (
    "`leftzmq invite list` shows who waits; `leftzmq invite allow NAME|KEY` and "
    "`leftzmq invite refuse NAME|KEY` answer"
)
_TEXT: Final = "share a directory, and print the line that another device joins with"


def add_share(commands: Any) -> None:
    """Add `leftzmq share` to the parser."""
    command = commands.add_parser("share", help=_TEXT, description=_TEXT)
    command.add_argument("dir", type=Path, metavar="DIR", help="made if it is missing")
    add_device(command)
    command.add_argument(
        "--folder", default="", metavar="ID", help="its name on all devices; left out: DIR's"
    )
    command.add_argument(
        "--ttl", type=seconds, default=TTL_S, metavar="TIME", help="such as 30s, 10m, 2h (10m)"
    )
    command.add_argument(
        "--uses", type=_uses, default=1, metavar="N", help="how many devices may join by it (1)"
    )
    command.add_argument(
        "--address",
        default="",
        metavar="HOST[:PORT]",
        help="where this machine is reached from outside, as behind a router that forwards a port",
    )
    command.add_argument(
        "--ask", action="store_true", help="let nobody in without a y here, or `invite allow`"
    )
    command.add_argument(
        "--read-only",
        action="store_true",
        help="who joins may only read: what it changes stays there",
    )
    command.add_argument("--qr", action="store_true", help="draw the code, for a camera")
    command.add_argument("--json", action="store_true", help="for scripts; does not wait")
    command.add_argument("--no-wait", action="store_true", help="do not wait for who joins")


def add_device(command: argparse.ArgumentParser) -> None:
    """Add what `share` and `join` have in common."""
    add_config(command)
    command.add_argument(
        "--name", default="", metavar="DEVICE", help="of this device; left out: the host's"
    )


def seconds(typed: str) -> float:
    """Return the seconds of 30s, 10m, 2h or a plain number."""
    unit = _UNITS.get(typed[-1:].lower(), 0.0)
    try:
        found = float(typed[:-1] if unit else typed) * (unit or 1.0)
    except ValueError:
        found = math.nan
    if not 1 <= found <= MOST_TTL_S:
        what = f"{printable(typed)!r} is no time from 1s to 24h, such as 30s, 10m or 2h"
        raise argparse.ArgumentTypeError(what)
    return found


def _uses(typed: str) -> int:
    if not typed.isdecimal() or not 1 <= int(typed[:4]) <= MOST_USES:
        what = f"{printable(typed)!r} is no number from 1 to {MOST_USES}"
        raise argparse.ArgumentTypeError(what)
    return int(typed)


def state_of(options: argparse.Namespace, screen: Screen) -> Path:
    """Return the state directory of an agent that runs. What is missing of config, device and agent
    is made."""
    file: Path = options.config
    name = options.name or socket.gethostname().partition(".")[0] or "device"
    if not file.exists():
        make_config(file, name, _listen_everywhere())
        screen.say(f"{file} is made: this device is {name}")
    device = load_device(file)
    if options.name and device.name != options.name:
        do = "change it there, or leave out --name"
        raise UsageError(f"is not the name in {file}: {device.name}", options.name, do)
    said: list[str] = []
    if ensure_agent(file, said.append):
        for line in said:
            screen.say(line)
    return device.state


def _listen_everywhere() -> str:
    """Return an endpoint at every address of this machine, IPv6 too where its system has it: at the
    first port from FIRST_PORT on that no program has. Another user may run an agent here."""
    both = socket.has_dualstack_ipv6()
    host, family = ("::", socket.AF_INET6) if both else ("0.0.0.0", socket.AF_INET)
    for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        with (
            suppress(OSError),
            socket.create_server((host, port), family=family, dualstack_ipv6=both),
        ):
            return str(Endpoint(host, port))
    return str(Endpoint(host, FIRST_PORT))


def share(options: argparse.Namespace) -> int:
    screen = Screen()
    state = state_of(options, screen)
    path = options.dir.expanduser().resolve()
    shared = ask(state, "share", {"path": str(path), "id": options.folder})
    opened = ask(
        state,
        "invite",
        {
            "folder": shared["folder"],
            "ttl_s": options.ttl,
            "uses": options.uses,
            "address": options.address,
            "asks": options.ask,
            "read_only": options.read_only,
        },
    )
    if options.ask and (options.json or options.no_wait):
        screen.say(f"Nobody comes in without a yes. {_ANSWERED_BY}.")
    if options.json:
        shown = {key: value for key, value in opened.items() if key != "longest_turn_ms"}
        print(json_text(shown | {"path": shared["path"], "is_new": shared["is_new"]}))
        return 0
    if options.no_wait:
        _say_invitation(shared, opened, (), options)
        return 0
    with OfferedWords(options.config, opened, options.uses) as words:
        _say_invitation(shared, opened, words.lines, options)
        look = _nobody
        if options.ask:
            look = Questions(state, opened["mark"], opened["folder"], screen).look
        return _wait(state, opened, options.uses, words, screen, look)


def _nobody() -> None:
    """Nobody waits for a yes."""


def _say_invitation(
    shared: dict[str, Any],
    opened: dict[str, Any],
    words: Sequence[str],
    options: argparse.Namespace,
) -> None:
    again = "is shared" if shared["is_new"] else "was shared already"
    print(f"{printable(shared['path'])} {again}, as {printable(shared['folder'])}.\n")
    print("On the other machine, type:\n")
    print(f"    leftzmq join {opened['code']}\n")
    for line in words:
        print(line)
    if options.qr:
        _draw(opened["code"])
    who = "one device" if options.uses == 1 else counted(options.uses, "device")
    until = local_time(opened["until"])
    if options.ask:
        print(f"It lets {who} in, until {until}, and nobody without a yes at this machine.")
    else:
        print(f"It lets {who} in, until {until}. Whoever has the code can join:")
        print("`leftzmq join` alone asks for it, so that it is in no history.")
    if opened["mode"] == "read":
        print("Who joins may only read: what is changed there reaches nobody.")
    if opened["left_out"]:
        print(f"({counted(opened['left_out'], 'address', 'addresses')} did not fit into it.)")


def _draw(code: str) -> None:
    import segno  # only when it is used

    segno.make(code.upper(), micro=False).terminal(compact=True)
    print()


def _wait(
    state: Path,
    opened: dict[str, Any],
    uses: int,
    words: OfferedWords,
    screen: Screen,
    look: Callable[[], None],
) -> int:
    """Show who joins and how the first sync goes, until all who may come are there. look: asks
    about those who wait for a yes."""
    print("\nWaiting for it. Ctrl-C ends the waiting and the words, nothing else.", flush=True)
    met: list[str] = []
    gone = 0
    while True:
        look()
        listed = ask(state, "invitations")["invitations"]
        found = next((one for one in listed if one["mark"] == opened["mark"]), None)
        words.say_end(screen)
        names = [one["name"] for one in found["came_in"]] if found else met
        for name in names[len(met) :]:
            screen.say(f"{name} has joined.")
            met.append(name)
            try:
                sync = follow(state, opened["folder"], name, screen, None, meanwhile=look)
            except Declined:
                if any(peer["name"] == name for peer in ask(state, "peers")["peers"]):
                    raise
                screen.say(f"{name} is not in the folder any more.")
                gone += 1
            else:
                screen.say(f"{name} and this device have the same: {summary(sync)}.")
        if len(met) >= uses:
            return NOT_IN_TIME if gone else 0
        if found is None or found["state"] != "open":
            state_word = found["state"] if found else "over"
            screen.say(f"The invitation is {state_word}; {counted(len(met), 'device')} joined.")
            return NOT_IN_TIME
        time.sleep(POLL_S)
