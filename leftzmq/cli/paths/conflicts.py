"""leftzmq conflicts: list, show, resolve."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import Any, Final

from leftzmq.cli.asking import ANSWER_S, add_common, as_path, the_command
from leftzmq.cli.format.clock import UNDATED, iso_time, local_time
from leftzmq.cli.format.columns import columns
from leftzmq.cli.format.event_lines import human_bytes, printable
from leftzmq.cli.format.terminal import may_style
from leftzmq.cli.paths.paging import Item, Pages, add_paging, print_json, print_more, shown
from leftzmq.cli.shell import json_text
from leftzmq.config import load_device
from leftzmq.transport.ipc.client import ask

_LIST: Final = "which conflict copies there are"
_SHOW: Final = "the versions of a file side by side, with the differences if both are text"
_RESOLVE: Final = "decide about one conflict copy, here and thereby on every device"
_CHOICES: Final = {
    "mine": "the version that this device wrote wins, whichever of the two names it has",
    "theirs": "the version that another device wrote wins",
    "file": "what has the file's name wins",
    "copy": "what has the copy's name wins",
    "both": "the copy becomes a file of its own: name (DEVICE DATE TIME).ext",
}
_COLOURS: Final = {"+": "32", "-": "31", "@": "36"}


def add_conflicts(commands: Any) -> None:
    """Add `leftzmq conflicts ...` to the parser."""
    verbs = the_command(commands, "conflicts", "see conflict copies, and decide about them")
    listing = verbs.add_parser("list", help=_LIST, description=_LIST)
    show = verbs.add_parser("show", help=_SHOW, description=_SHOW)
    resolve = verbs.add_parser(
        "resolve",
        help=_RESOLVE,
        description=f"{_RESOLVE}. What wins has the file's name from then on; what loses goes to "
        "the trash of each device.",
    )
    for verb in (show, resolve):
        verb.add_argument("path", metavar="PATH", help="of the copy, or of a file with one copy")
    choices = resolve.add_mutually_exclusive_group(required=True)
    for choice, text in _CHOICES.items():
        choices.add_argument(
            f"--{choice}", dest="choice", action="store_const", const=choice, help=text
        )
    for verb in (listing, show, resolve):
        add_common(verb)
    add_paging(listing)


def conflicts(options: argparse.Namespace) -> int:
    state = load_device(options.config).state
    fields = {"folder": options.folder}
    if options.verb == "list":
        return _list(state, fields, options)
    fields["path"] = as_path(options.path)
    if options.verb == "show":
        return _show(state, fields, options.json)
    return _resolve(state, fields | {"choice": options.choice}, options.json)


# ---- list -------------------------------------------------------------------------------------


def _list(state: Path, fields: dict[str, str], options: argparse.Namespace) -> int:
    items = map(_dated, Pages(state, "conflicts list", fields, "copies").after(options.after))
    if options.json:
        print_json(items, options.limit)
        return 0
    copies, more = shown(items, options.limit)
    if not copies and not more:
        print("there are no conflict copies")
        return 0
    rows = [
        (_shown(c), c["device"], _size(c), c["path"], c["copy"].rpartition("/")[2]) for c in copies
    ]
    head = ("WRITTEN", "DEVICE", "SIZE", "FILE", "COPY BESIDE IT")
    print(columns(head, rows, right=(2,)), end="")
    print_more(more)
    return 0


def _dated(version: Item) -> Item:
    """Return the version with `written` for scripts; None where there is no mtime."""
    is_file = version["kind"] == "file"
    return {"written": iso_time(version["mtime_ns"] / 1e9) if is_file else None, **version}


def _shown(version: Item) -> str:
    return local_time(version["mtime_ns"] / 1e9) if version["kind"] == "file" else UNDATED


def _size(version: dict[str, Any]) -> str:
    return human_bytes(version["size"]) if version["kind"] == "file" else version["kind"]


# ---- show -------------------------------------------------------------------------------------


def _show(state: Path, fields: dict[str, str], as_json: bool) -> int:
    answer = ask(state, "conflicts show", fields, timeout_s=ANSWER_S)
    versions = [_dated(version) for version in answer["versions"]]
    file = next((version for version in versions if not version["copy"]), None)
    copies = [version for version in versions if version["copy"]]
    diffs = [_diff(file, copy) for copy in copies]
    if as_json:
        said = [_without_text(version) for version in versions]
        for version, diff in zip([v for v in said if v["copy"]], diffs, strict=True):
            version["diff"] = None if diff is None else "\n".join(diff)
        print(json_text({"folder": answer["folder"], "versions": said}))
        return 0
    rows = [
        (
            "copy" if v["copy"] else "file",
            _shown(v),
            v["device"],
            _size(v),
            "text" if v["text"] is not None else "-",
            v["path"],
        )
        for v in versions
    ]
    head = ("", "WRITTEN", "DEVICE", "SIZE", "TEXT", "PATH")
    print(columns(head, rows, right=(3,)), end="")
    if file is None:
        print("there is no file with the name that they are copies of")
    for diff in diffs:
        if diff is not None:
            print()
            print("\n".join(map(_line, diff)) or "no difference in the text")
    return 0


def _without_text(version: dict[str, Any]) -> dict[str, Any]:
    said = {key: value for key, value in version.items() if key != "text"}
    return said | {"is_text": version["text"] is not None}


def _diff(file: dict[str, Any] | None, copy: dict[str, Any]) -> list[str] | None:
    """Return the lines of a unified diff, or None if they are not both text."""
    if file is None or file["text"] is None or copy["text"] is None:
        return None
    return list(
        difflib.unified_diff(
            file["text"].splitlines(),
            copy["text"].splitlines(),
            file["path"],
            copy["path"],
            f"{_shown(file)} {file['device']}",
            f"{_shown(copy)} {copy['device']}",
            lineterm="",
        )
    )


def _line(line: str) -> str:
    text = "\t".join(printable(part) for part in line.split("\t"))
    colour = _COLOURS.get(line[:1])
    is_styled = colour is not None and may_style(sys.stdout.isatty())
    return f"\x1b[{colour}m{text}\x1b[0m" if is_styled else text


# ---- resolve ----------------------------------------------------------------------------------


def _resolve(state: Path, fields: dict[str, str], as_json: bool) -> int:
    answer = ask(state, "conflicts resolve", fields, timeout_s=ANSWER_S)
    if as_json:
        said = {key: answer[key] for key in ("folder", "copy", "path")}
        print(json_text(said | {"choice": fields["choice"], "kept": answer["kept"]}))
        return 0
    copy, path = printable(answer["copy"]), printable(answer["path"])
    match answer["kept"]:
        case "file":
            print(f"{path} stays as it is; the copy is in the trash")
        case "copy":
            print(f"{path} is now what the copy was; what it was is in the trash")
        case _:
            print(f"{copy} is now {path}")
    return 0
