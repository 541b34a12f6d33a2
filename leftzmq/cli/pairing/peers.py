"""leftzmq peers, folders and invite: what this device has, and where each of it comes from."""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from leftzmq.cli.format.clock import local_time
from leftzmq.cli.format.columns import columns
from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.pairing.questions import how_to_answer, key_shown, name_shown, who_waits
from leftzmq.cli.shell import json_text
from leftzmq.config import config_file, load_device
from leftzmq.errors import UsageError, counted
from leftzmq.transport.ipc.client import ask

_LIST: Final = "list"
_MODES: Final = {"full": "writes", "read": "reads only", "": ""}
_SET: Final = "say of a folder that was shared or joined what its [[folder]] could say in peer.toml"
_SET_EXAMPLES: Final = """examples:
  leftzmq folders set photos mode=receive
  leftzmq folders set photos only=2026/ only=notes.txt litter=false
  leftzmq folders set photos mode=        as if it had never been set"""
_LISTS: Final = ("only", "ignore")


def add_peers(commands: Any) -> None:
    """Add `leftzmq peers`, `folders` and `invite` to the parser."""
    verbs = _command(commands, "peers", "the other devices, and where each comes from")
    _verb(verbs, _LIST, "each with its key and addresses")
    remove = _verb(verbs, "remove", "it is put out of all folders here, on every member")
    remove.add_argument("name", metavar="NAME", help="or the beginning of its key")
    invited = remove.add_mutually_exclusive_group()
    invited.add_argument(
        "--keep-invited", action="store_true", help="those that it let in stay members"
    )
    invited.add_argument(
        "--with-invited", action="store_true", help="those that it let in are put out, too"
    )
    rename = _verb(verbs, "rename", "this device calls it otherwise")
    rename.add_argument("name", metavar="NAME")
    rename.add_argument("new", metavar="NEW")
    move = _verb(verbs, "address", "this device calls it there first")
    move.add_argument("name", metavar="NAME")
    move.add_argument("address", metavar="tcp://HOST:PORT")
    verbs = _command(commands, "folders", "the folders of this device, and where each comes from")
    _verb(verbs, _LIST, "each with its directory")
    add = _verb(verbs, "add", "share a directory, and invite nobody yet")
    add.add_argument("dir", type=Path, metavar="DIR")
    add.add_argument("--folder", default="", metavar="ID", help="its name; left out: DIR's")
    change = _verb(verbs, "set", _SET)
    change.epilog, change.formatter_class = _SET_EXAMPLES, argparse.RawDescriptionHelpFormatter
    change.add_argument("folder", metavar="ID")
    change.add_argument("changes", nargs="+", metavar="KEY=VALUE", help="KEY= takes it back")
    remove = _verb(verbs, "remove", "this device has it no more; its files stay where they are")
    remove.add_argument("folder", metavar="ID")
    verbs = _command(commands, "invite", "the invitations that are open")
    _verb(verbs, _LIST, "each with who came in by it")
    for verb, text in (("allow", "let a device in that waits"), ("refuse", "tell it no")):
        answer = _verb(verbs, verb, text)
        answer.add_argument("who", metavar="NAME|KEY", help="or the beginning of its key")
        answer.add_argument("--folder", default="", metavar="ID", help="of the invitation")
    cancel = _verb(verbs, "cancel", "nobody can join by them any more")
    cancel.add_argument("--folder", default="", metavar="ID", help="which folder's; left out: all")


def _command(commands: Any, name: str, text: str) -> Any:
    command = commands.add_parser(name, help=text, description=text)
    _add_common(command)
    return command.add_subparsers(dest="verb", metavar="VERB")


def _verb(verbs: Any, name: str, text: str) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    _add_common(verb)
    return verb


def _add_common(command: argparse.ArgumentParser) -> None:
    default = argparse.SUPPRESS  # what was given before the verb counts, too
    command.add_argument("-c", "--config", type=Path, default=default, metavar="FILE")
    command.add_argument("--json", action="store_true", default=default, help="for scripts")


def peers(options: argparse.Namespace) -> int:
    """Carry out `peers`, `folders` or `invite`; without a verb, list."""
    state = load_device(config_file(getattr(options, "config", None))).state
    as_json: bool = getattr(options, "json", False)
    return _VERBS[options.command, options.verb or _LIST](state, options, as_json)


def _print(answer: dict[str, Any], as_json: bool, lines: Iterable[str]) -> int:
    if as_json:
        print(json_text({key: it for key, it in answer.items() if key != "longest_turn_ms"}))
    else:
        for line in lines:
            print(line)
    return 0


def _list_peers(state: Path, options: argparse.Namespace, as_json: bool) -> int:
    answer = ask(state, "peers")
    listed = answer["peers"]
    if not listed:
        return _print(answer, as_json, ["no peers yet"])
    tables = (
        columns(
            ("device", "state", "mode", "comes from"),
            [(one["name"], _connection(one), _MODES[one["mode"]], one["origin"]) for one in listed],
        ),
        columns(
            ("device", "addresses"),
            [
                (one["name"], ", ".join(one["addresses"]) or "it dials this device")
                for one in listed
            ],
        ),
        columns(("device", "key"), [(one["name"], one["key"] or "no key") for one in listed]),
    )
    return _print(answer, as_json, ["\n".join(tables).rstrip()])


def _connection(peer: dict[str, Any]) -> str:
    since = "" if peer["since"] is None else f" since {local_time(peer['since'])}"
    return ("connected" if peer["connected"] else "not connected") + since


def _remove_peer(state: Path, options: argparse.Namespace, as_json: bool) -> int:
    keep = _stay_invited(state, options, as_json)
    answer = ask(state, "peer_remove", {"name": options.name, "keep_invited": keep})
    name = printable(answer["name"])
    lines = [
        f"{name} was removed from {printable(id)}, on every member" for id in answer["folders"]
    ]
    if answer["is_written"]:
        lines.append(f"its [[peer]] in peer.toml still lets {name} connect; it gets nothing there")
    return _print(answer, as_json, lines or [f"{name} is no peer of this device any more"])


def _stay_invited(state: Path, options: argparse.Namespace, as_json: bool) -> bool:
    """Return whether those stay that the device let in. Asks, if there are any. Raises
    UsageError."""
    if options.keep_invited or options.with_invited:
        return bool(options.keep_invited)
    peers = ask(state, "peers")["peers"]
    named = [one for one in peers if one["name"] == options.name] or [
        one for one in peers if one["key"].startswith(options.name)
    ]
    let_in = sorted({name for one in named for name in one["let_in"]})
    if not let_in:
        return False
    what = f"let in {', '.join(printable(name) for name in let_in)}"
    if as_json or sys.stdin is None or not sys.stdin.isatty():
        do = "say what becomes of them: --keep-invited or --with-invited"
        raise UsageError(what, options.name, do)
    print(f"{printable(options.name)} {what}. Do they stay? [Y/n] ", end="", file=sys.stderr)
    sys.stderr.flush()
    said = sys.stdin.readline().strip().lower()
    if said not in ("", "y", "yes", "n", "no"):
        raise UsageError("is no answer", said, "yes or no; nothing was changed")
    return said in ("", "y", "yes")


def _rename_peer(state: Path, options: argparse.Namespace, as_json: bool) -> int:
    answer = ask(state, "peer_rename", {"name": options.name, "new": options.new})
    return _print(
        answer, as_json, [f"{printable(options.name)} is {printable(answer['name'])} now"]
    )


def _move_peer(state: Path, options: argparse.Namespace, as_json: bool) -> int:
    answer = ask(state, "peer_address", {"name": options.name, "address": options.address})
    said = f"{printable(answer['name'])} is called at {printable(options.address)} first"
    return _print(answer, as_json, [said])


def _add_folder(state: Path, options: argparse.Namespace, as_json: bool) -> int:
    path = options.dir.expanduser().resolve()
    answer = ask(state, "share", {"path": str(path), "id": options.folder})
    again = "is a folder" if answer["is_new"] else "was a folder already"
    said = f"{printable(answer['path'])} {again} of this device, {printable(answer['folder'])}"
    return _print(answer, as_json, [said])


def _set_folder(state: Path, options: argparse.Namespace, as_json: bool) -> int:
    fields = {"folder": options.folder, "changes": json_text(_changes(options.changes))}
    answer = ask(state, "folder_set", fields)
    said = answer["settings"] or ["nothing is set"]
    return _print(answer, as_json, [f"{printable(answer['folder'])}: {'; '.join(said)}"])


def _changes(words: Sequence[str]) -> dict[str, Any]:
    """Return keys and values from what was typed. A value is as in peer.toml; a text may stand
    without its quotes, and a list may be given item by item."""
    found: dict[str, Any] = {}
    for word in words:
        key, is_set, typed = word.partition("=")
        if not is_set:
            raise UsageError("is no KEY=VALUE", word, "as in mode=receive")
        value = _value(typed) if typed else None
        if key in _LISTS and isinstance(value, str):
            value = [*(found.get(key) or []), value]
        found[key] = value
    return found


def _value(typed: str) -> Any:
    try:
        value = tomllib.loads(f"value = {typed}")["value"]
    except (tomllib.TOMLDecodeError, KeyError, RecursionError):
        return typed
    return value if isinstance(value, str | int | float | list) else typed


def _remove_folder(state: Path, options: argparse.Namespace, as_json: bool) -> int:
    answer = ask(state, "folder_remove", {"folder": options.folder})
    said = f"{printable(answer['folder'])} is off this device; its files stay at"
    return _print(answer, as_json, [f"{said} {printable(answer['path'])}"])


def _list_folders(state: Path, options: argparse.Namespace, as_json: bool) -> int:
    answer = ask(state, "folders")
    rows = [
        (printable(one["id"]), one["state"], printable(one["origin"]), printable(one["path"]))
        for one in answer["folders"]
    ]
    head = ("folder", "state", "comes from", "directory")
    empty = ["no folders yet: leftzmq share DIR"]
    return _print(answer, as_json, [columns(head, rows).rstrip()] if rows else empty)


def _list_invitations(state: Path, options: argparse.Namespace, as_json: bool) -> int:
    answer = ask(state, "invitations")
    rows = [
        (
            printable(one["folder"]),
            one["state"],
            str(one["uses_left"]),
            _MODES[one["mode"]],
            local_time(one["until"]),
            "yes" if one["asks"] else "no",
            printable(", ".join(each["name"] for each in one["came_in"])) or "nobody yet",
        )
        for one in answer["invitations"]
    ]
    head = ("folder", "state", "uses left", "mode", "until", "asks", "came in")
    lines = [columns(head, rows).rstrip()] if rows else ["no invitation is open"]
    lines += [
        f"{who_waits(device)} waits for a yes to {printable(one['folder'])} since "
        f"{local_time(device['since'])}: {how_to_answer(device)}"
        for one in answer["invitations"]
        for device in one["waiting"]
    ]
    return _print(answer, as_json, lines)


def _allow(state: Path, options: argparse.Namespace, as_json: bool) -> int:
    return _answer_for(state, options, as_json, True)


def _refuse(state: Path, options: argparse.Namespace, as_json: bool) -> int:
    return _answer_for(state, options, as_json, False)


def _answer_for(state: Path, options: argparse.Namespace, as_json: bool, is_yes: bool) -> int:
    marks, key = _waits(state, options)
    answers = [
        ask(state, "invite_answer", {"mark": mark, "key": key, "yes": is_yes}) for mark in marks
    ]
    who = f"{name_shown(answers[0]['name'])} (key {key_shown(key)}...)"
    said = "is let into" if is_yes else "is not let into"
    lines = [f"{who} {said} {printable(answers[0]['folder'])}: it hears that when it knocks next"]
    return _print(answers[0], as_json, lines)


def _waits(state: Path, options: argparse.Namespace) -> tuple[list[str], str]:
    """Return the marks of the invitations at which a device waits, or was answered for, and its
    key. Anybody can give a device the name or the beginning of the key of another one: then it
    must be said which. Raises UsageError."""
    who: str = options.who
    found: dict[str, dict[str, set[str]]] = {}  # of a key, of a folder: marks
    names: dict[str, str] = {}
    for one in ask(state, "invitations")["invitations"]:
        came_in = {each["key"] for each in one["came_in"]}
        if one["state"] != "open" or options.folder not in ("", one["folder"]):
            continue
        for each in (*one["answered"], *one["waiting"]):
            is_meant = each["name"] == who or each["key"].startswith(who.lower())
            if is_meant and who and each["key"] not in came_in:
                names[each["key"]] = each["name"]
                folders = found.setdefault(each["key"], {})
                folders.setdefault(one["folder"], set()).add(one["mark"])
    if len(found) > 1:
        each_one = ", ".join(f"{key} ({names[key]})" for key in found)
        raise UsageError("fits several devices", who, f"say which by its key: {each_one}")
    if not found:
        raise UsageError("waits at no invitation", who, "see who does: leftzmq invite list")
    ((key, folders),) = found.items()
    if len(folders) > 1:
        ids = ", ".join(folders)
        raise UsageError("waits at invitations to several folders", who, f"--folder: {ids}")
    (marks,) = folders.values()
    return sorted(marks), key


def _cancel(state: Path, options: argparse.Namespace, as_json: bool) -> int:
    answer = ask(state, "invite_cancel", {"folder": options.folder})
    taken = counted(answer["cancelled"], "invitation")
    return _print(answer, as_json, [f"{taken} taken back"])


_VERBS: Final[dict[tuple[str, str], Callable[[Path, argparse.Namespace, bool], int]]] = {
    ("peers", _LIST): _list_peers,
    ("peers", "remove"): _remove_peer,
    ("peers", "rename"): _rename_peer,
    ("peers", "address"): _move_peer,
    ("folders", _LIST): _list_folders,
    ("folders", "add"): _add_folder,
    ("folders", "set"): _set_folder,
    ("folders", "remove"): _remove_folder,
    ("invite", _LIST): _list_invitations,
    ("invite", "allow"): _allow,
    ("invite", "refuse"): _refuse,
    ("invite", "cancel"): _cancel,
}
