"""leftzmq join CODE [DIR]: comes into a folder of another device by its invitation.

Knows the order of it: the code, the place, the words if there is no code yet, the door, then the
agent. Must not know how a door is reached (transport/door/visitor), nor what the agent does with
the answer.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.importing import Importing
from leftzmq.cli.pairing.first_sync import Screen, follow, summary
from leftzmq.cli.pairing.share import add_device, state_of
from leftzmq.cli.pairing.words import fetch_code
from leftzmq.cli.shell import json_text
from leftzmq.config import Endpoint, load_device
from leftzmq.content.key_text import key_beginning
from leftzmq.errors import DoorAway, InvitationError, NotAdmittedReason, UsageError, counted
from leftzmq.pairing.code import Code, read_code
from leftzmq.pairing.words import is_code, read_words, words_among
from leftzmq.statedir import device_key_file
from leftzmq.transport import device_key
from leftzmq.transport.ipc.client import ask
from leftzmq.wire.door import DOOR_VERSION, MAX_DOOR_NAME_CHARS, Admitted, Knock, NotAdmitted

NOT_IN_TIME: Final = 3
KNOCK_S: Final = 30.0
KNOCK_AGAIN_S: Final = 2.0
"""While a person at the other machine is being asked."""
_TEXT: Final = (
    "come into a folder of another device, with the code or words that `leftzmq share` shows there"
)
_WAITING: Final = "waiting for a yes at the other machine"
_ABOUT_OTHERS: Final = "others wait there for a yes, and a person is asked about them first"
_ASK_THERE: Final = "have a new one made there: leftzmq share DIR"
_DO: Final = {
    NotAdmittedReason.ALREADY_A_MEMBER: "join on another device",
    NotAdmittedReason.FOLDER_FULL: "take one out there: leftzmq peers remove NAME",
    NotAdmittedReason.DECLINED: "ask them; after `leftzmq invite allow` there, type the same line",
    NotAdmittedReason.OTHER_VERSION: "install the same version on both",
}


def add_join(commands: Any) -> None:
    """Add `leftzmq join` to the parser."""
    command = commands.add_parser("join", help=_TEXT, description=_TEXT)
    command.add_argument(
        "typed",
        nargs="*",
        metavar="CODE [DIR]",
        help="CODE: the code, or the words and their digit, or these and @HOST; left out: asked "
        "for. DIR: where the folder is to lie; left out: its name, here",
    )
    add_device(command)
    command.add_argument("--yes", action="store_true", help="do not ask if DIR is not empty")
    command.add_argument("--json", action="store_true", help="for scripts; asks nothing")
    command.add_argument(
        "--timeout", type=float, default=None, metavar="S", help="for all of it: seconds"
    )


def join(options: argparse.Namespace) -> int:
    screen = Screen()
    deadline = None if options.timeout is None else time.monotonic() + options.timeout
    typed, place = _apart(options.typed)
    typed = typed or _asked_code(options.json)
    words = None if is_code(typed) else read_words(typed)
    code = read_code(typed) if words is None else None
    state = state_of(options, screen)
    if place is not None:
        _agree(place, state, options)
    if words is not None:
        typed = fetch_code(words, options.config, screen)
    try:
        code = code or read_code(typed)
        came = _knock(code, state, load_device(options.config).name, deadline, screen)
    except (DoorAway, KeyboardInterrupt):
        if words is not None:
            _say_code(typed, screen)
        raise
    if came is None:
        if words is not None:
            _say_code(typed, screen)
        screen.say(f"nobody said yes at the other machine within {options.timeout:g} s")
        return NOT_IN_TIME
    admitted, reached = came
    if place is None:
        place = Path.cwd() / _place_name(admitted.folder)
        _agree(place, state, options)
    joined = ask(
        state,
        "joined",
        {
            "folder": admitted.folder,
            "path": str(place),
            "secret": admitted.secret.hex(),
            "epoch_tag": admitted.epoch_tag.hex(),
            "epoch_secret": admitted.epoch_secret.hex(),
            "device": device_key.public_text(admitted.device),
            "name": admitted.name,
            "addresses": "\n".join(_best_first(admitted.endpoints, reached)),
            "pins": "\n".join(pin.hex() for pin in admitted.pins),
        },
    )
    screen.say(f"joined {joined['folder']} of {joined['inviter']}, at {joined['path']}")
    if admitted.mode == "read":
        screen.say("this device may only read the folder: what is changed here reaches nobody")
    sync = follow(state, joined["folder"], joined["inviter"], screen, deadline)
    if options.json:
        shown = {key: joined[key] for key in ("folder", "path", "inviter", "is_new")}
        more = {"in_sync": not sync.why, "why": sync.why, "files": sync.files}
        shown |= {"mode": admitted.mode}
        print(json_text(shown | more | {"bytes": sync.bytes, "seconds": round(sync.seconds, 3)}))
    elif sync.why:
        screen.say(f"not in sync within {options.timeout:g} s: {sync.why}")
    else:
        print(f"{printable(joined['path'])}: {summary(sync)}. The first sync is complete.")
    return NOT_IN_TIME if sync.why else 0


def _say_code(code: str, screen: Screen) -> None:
    """The words may be used up."""
    screen.say(f"the words brought this, with which it goes on: leftzmq join {code}")


def _rest_s(deadline: float | None, most_s: float) -> float:
    return most_s if deadline is None else max(1.0, min(most_s, deadline - time.monotonic()))


def _apart(typed: Sequence[str]) -> tuple[str, Path | None]:
    """Return the code or the words, "" if there are none, and DIR. Raises UsageError."""
    count = words_among(typed) or 1
    code, rest = " ".join(typed[:count]), typed[count:]
    if len(rest) > 1:
        raise UsageError("there is too much behind CODE and DIR", rest[1], "leave it out")
    return code, Path(rest[0]).expanduser().resolve() if rest else None


def _asked_code(quiet: bool) -> str:
    """Return what the user types, or pastes, or a script writes to stdin."""
    if not quiet and sys.stdin is not None and sys.stdin.isatty():
        print("code or words: ", end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline() if sys.stdin is not None else ""
    if not line.strip():
        raise UsageError(
            "no code was given", "", "leftzmq join CODE, or type it when it is asked for"
        )
    return line


def _knock(
    code: Code, state: Path, name: str, deadline: float | None, screen: Screen
) -> tuple[Admitted, Endpoint] | None:
    """Return the answer of the door, and where it is. Where a person there is asked first, knock
    until there is an answer; None: there was none before the deadline. Raises DoorAway and
    InvitationError."""
    keys = device_key.load_or_make(device_key_file(state))
    name = name[:MAX_DOOR_NAME_CHARS]
    message = Knock(version=DOOR_VERSION, token=code.token, name=name, can=[])
    with Importing():  # the sockets of an agent, which no other command needs
        from leftzmq.transport.door.visitor import knock
    told: set[str] = set()
    while True:
        timeout_s = _rest_s(deadline, KNOCK_S)
        answer, reached = knock(code.addresses, code.door, keys, message, timeout_s, screen.say)
        if isinstance(answer, Admitted):
            return answer, reached
        if answer.reason != NotAdmittedReason.ASKING.name:
            raise _refusal(answer)
        sentence = _ABOUT_OTHERS if answer.detail else _WAITING
        if sentence not in told:
            told.add(sentence)
            screen.say(f"{sentence}; this device is {name}, key {key_beginning(keys.public)}...")
        if deadline is not None and time.monotonic() + KNOCK_AGAIN_S >= deadline:
            return None
        time.sleep(KNOCK_AGAIN_S)


def _refusal(answer: NotAdmitted) -> InvitationError:
    reason = NotAdmittedReason.__members__.get(answer.reason)
    what = reason.value if reason else f"is not let in there ({answer.reason})"
    detail = f" {answer.detail}" if answer.detail else ""
    do = _DO.get(reason, _ASK_THERE) if reason else _ASK_THERE
    return InvitationError(f"{what}{detail}", "", do)


def _place_name(folder: str) -> str:
    """Return the name of a directory for a folder, whatever its inviter called it."""
    name, _, letters = folder.rpartition("-")
    name = name if name and len(letters) == 4 else folder
    name = "".join(c if c.isprintable() and c not in "/\\\0" else "-" for c in name).strip(". ")
    return name[:64] or "folder"


def _best_first(endpoints: Sequence[str], reached: Endpoint) -> list[str]:
    """Return the inviter's control endpoints: first that of the host where its door answered."""
    found = [Endpoint.parse(text, "the answer of the door") for text in endpoints]
    ports = [one.port for one in found] or [0]
    first = Endpoint(reached.host, ports[0])
    ordered = sorted(found, key=lambda one: one.host != reached.host)
    if first.port and all(one.host != reached.host for one in found):
        ordered.insert(0, first)
    return [str(one) for one in ordered]


def _agree(place: Path, state: Path, options: argparse.Namespace) -> None:
    """Ask whether what is in the place is to be merged with the folder. It is not asked twice, if
    the same line is typed again. Raises UsageError; Declined if no share can lie there."""
    if ask(state, "place", {"path": str(place)})["folder"] or options.yes:
        return
    try:
        count = sum(1 for _ in place.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise UsageError(
            "is no directory", str(place), "name a directory, or a place for one"
        ) from None
    if not count:
        return
    holds = f"{place} is not empty: {counted(count, 'name')} in it"
    if options.json or sys.stdin is None or not sys.stdin.isatty():
        do = "--yes merges both: nothing is deleted, and where two files differ both are kept"
        raise UsageError("is not empty", str(place), do)
    print(printable(holds), file=sys.stderr)
    print(
        "Both are merged: nothing is deleted, and where two files differ both are kept.",
        file=sys.stderr,
    )
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("was not joined", str(place), "name another directory")
