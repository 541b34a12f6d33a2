"""leftzmq join CODE [DIR]: comes into a folder of another device by its invitation.

Knows the order of it: the code, the place, the words if there is no code yet, the door, then the
agent, and where the place is not empty the plan and the user's answer. Must not know how a door is
reached (transport/door/visitor), nor what the agent does with the answer.
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
from leftzmq.cli.pairing.join_plan import plan_lines, read_plan, wait_until_gone
from leftzmq.cli.pairing.share import add_device, state_of
from leftzmq.cli.pairing.words import fetch_code
from leftzmq.cli.service.up import ensure_agent, stop_agent
from leftzmq.cli.shell import json_text, says_yes
from leftzmq.config import Endpoint, load_device, rename_made
from leftzmq.content.key_text import key_beginning
from leftzmq.content.keys import derive_keys
from leftzmq.errors import (
    DoorAway,
    InvitationError,
    NotAdmittedReason,
    Refused,
    UsageError,
    versions_differ,
)
from leftzmq.pairing.code import Code, read_code
from leftzmq.pairing.words import TypedWords, is_code, read_words, words_among
from leftzmq.statedir import device_key_file
from leftzmq.transport import device_key
from leftzmq.transport.ipc.client import ask
from leftzmq.tree.rules import LEFT_DIRECTORY
from leftzmq.wire.door import DOOR_VERSION, MAX_DOOR_NAME_CHARS, Admitted, Knock, NotAdmitted
from leftzmq.wire.statements import Admission, decode

NOT_IN_TIME: Final = 3
KNOCK_S: Final = 30.0
KNOCK_AGAIN_S: Final = 2.0
"""While a person at the other machine is being asked."""
_TEXT: Final = (
    "come into a folder of another device, with the code or words that `leftzmq share` shows there"
)
_WAITING: Final = "waiting for a yes at the other machine"
_ABOUT_OTHERS: Final = "others wait there for a yes, and a person is asked about them first"
_MERGES: Final = (
    "the same line with --yes merges both: nothing is deleted, and where two files differ both stay"
)
_STAYS_HELD: Final = "is held, and its plan is not known yet: the same line again goes on"
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
    if place is not None and _would_ask(place, state, options) and not _can_ask(options):
        raise _not_empty(place, _MERGES)
    try:
        joined = _come_in(typed, words, code, place, state, options, deadline, screen)
    except (InvitationError, DoorAway) as error:
        held = _held_at(place, state)
        if held is None:
            raise
        screen.say(f"{error}: it goes on with {held['folder']}, which was joined already")
        joined = held
    if joined is None:
        return NOT_IN_TIME
    plan = None
    if joined["held"]:
        if not options.yes and not _can_ask(options):
            # Its name came with the answer of the door, and the code may be used up by now.
            raise _not_empty(Path(joined["path"]), f"{_MERGES}; it is held until then")
        plan = _answered(joined, state, options, deadline, screen)
        if plan is None:
            screen.say(f"{joined['folder']} {_STAYS_HELD}")
            return NOT_IN_TIME
    sync = follow(state, joined["folder"], joined["inviter"], screen, deadline)
    if options.json:
        keys = ("folder", "path", "inviter", "is_new", "mode")
        shown = {key: joined[key] for key in keys if key in joined}
        more = {"plan": plan, "in_sync": not sync.why, "why": sync.why, "files": sync.files}
        print(json_text(shown | more | {"bytes": sync.bytes, "seconds": round(sync.seconds, 3)}))
    elif sync.why:
        screen.say(f"not in sync within {options.timeout:g} s: {sync.why}")
    else:
        print(f"{printable(joined['path'])}: {summary(sync)}. The first sync is complete.")
    return NOT_IN_TIME if sync.why else 0


def _come_in(
    typed: str,
    words: TypedWords | None,
    code: Code | None,
    place: Path | None,
    state: Path,
    options: argparse.Namespace,
    deadline: float | None,
    screen: Screen,
) -> dict[str, Any] | None:
    """Knock, and have the agent keep the answer. Return its answer, with the mode; None: nobody
    said yes there in time."""
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
        return None
    admitted, reached = came
    _take_name(admitted, state, options, screen)
    if place is None:
        place = Path.cwd() / _place_name(admitted.folder)
        _would_ask(place, state, options)  # or no share can lie there
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
            "hold": not options.yes,
        },
    )
    screen.say(f"joined {joined['folder']} of {joined['inviter']}, at {joined['path']}")
    if admitted.mode == "read":
        screen.say("this device may only read the folder: what is changed here reaches nobody")
    return joined | {"mode": admitted.mode}


def _take_name(
    admitted: Admitted, state: Path, options: argparse.Namespace, screen: Screen
) -> None:
    """Have this device the name that it was let in with, where it only had that of its host, and
    another device is called so. Two machines of one image would call each other by one name."""
    name = _admitted_as(admitted)
    device = load_device(options.config)
    if name in ("", device.name) or options.name:
        return
    knows_others = ask(state, "folders")["folders"] or ask(state, "peers")["peers"]
    if knows_others or not rename_made(options.config, name):
        return
    stop_agent(options.config)
    ensure_agent(options.config, lambda said: None)
    screen.say(f"another device there is {device.name}: this one is {name} from now on")


def _admitted_as(admitted: Admitted) -> str:
    """Return the name by which the inviter let this device in; "": the answer does not have it."""
    if not admitted.admission:
        return ""
    try:
        signed = decode(admitted.admission, derive_keys(admitted.secret).tag)
    except Refused:
        return ""
    statement = signed.statement
    return statement.name if isinstance(statement, Admission) else ""


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
    if reason is NotAdmittedReason.OTHER_VERSION:
        detail = f": {versions_differ(answer.version, DOOR_VERSION)}"
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


def _would_ask(place: Path, state: Path, options: argparse.Namespace) -> bool:
    """Return whether a person is to be asked about what is in the place. Raises UsageError or
    Declined if no share can lie there."""
    shown = ask(state, "place", {"path": str(place)})
    if options.yes or (shown["folder"] and not shown["held"]):
        return False
    try:
        return any(entry.name != LEFT_DIRECTORY for entry in place.iterdir())
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        raise UsageError(
            "is no directory", str(place), "name a directory, or a place for one"
        ) from None


def _not_empty(place: Path, do: str) -> UsageError:
    return UsageError("is not empty", str(place), do)


def _can_ask(options: argparse.Namespace) -> bool:
    return not options.json and sys.stdin is not None and sys.stdin.isatty()


def _held_at(place: Path | None, state: Path) -> dict[str, Any] | None:
    """Return the folder that was joined at this place and waits for an answer; place None: the only
    one that lies in this directory."""
    paths = [place] if place is not None else []
    if place is None:
        here = (Path(one["path"]) for one in ask(state, "folders")["folders"])
        paths = [path for path in here if path.parent == Path.cwd()]
    found = [{"path": str(path), **ask(state, "place", {"path": str(path)})} for path in paths]
    held = [one | {"is_new": False} for one in found if one["held"]]
    return held[0] if len(held) == 1 else None


def _answered(
    joined: dict[str, Any],
    state: Path,
    options: argparse.Namespace,
    deadline: float | None,
    screen: Screen,
) -> dict[str, Any] | None:
    """Show the plan, and have the user answer it. Return it; None: it was not known in time. Raises
    UsageError if the user says no."""
    folder = {"folder": joined["folder"]}
    # Who says yes at once need not wait for the plan.
    wait_until = time.monotonic() if options.yes else deadline
    try:
        with screen.changing() as show:
            plan = read_plan(state, joined["folder"], joined["inviter"], show, wait_until)
    except KeyboardInterrupt:
        screen.say(f"{joined['folder']} {_STAYS_HELD}")
        raise
    if options.yes:
        ask(state, "join_yes", folder)
        return plan or {}
    if plan is None:
        return None
    for line in plan_lines(plan):
        screen.say(line)
    if not says_yes("Go on?"):
        ask(state, "join_no", folder)
        with screen.changing() as show:
            show("leaving again")
            wait_until_gone(state, joined["folder"])
        screen.say("nothing was changed there, and this device has left the folder")
        raise UsageError("was not joined", joined["path"], "name another directory")
    ask(state, "join_yes", folder)
    return plan
