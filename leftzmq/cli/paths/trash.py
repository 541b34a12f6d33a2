"""leftzmq trash: list, restore."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from leftzmq.cli.asking import ANSWER_S, add_common, as_path, the_command
from leftzmq.cli.format.clock import iso_time, local_time, period, unix_of
from leftzmq.cli.format.columns import columns
from leftzmq.cli.format.event_lines import human_bytes, printable
from leftzmq.cli.paths.paging import Item, Pages, add_paging, print_json, print_more, shown
from leftzmq.cli.shell import json_text
from leftzmq.config import load_device
from leftzmq.disk.trash.trash import is_batch
from leftzmq.errors import Declined, UsageError
from leftzmq.transport.ipc.client import ask

_LIST: Final = "what other devices' changes and deletes took away here, newest first"
_RESTORE: Final = "put a path back into the share, with all below it; nothing is overwritten"


def add_trash(commands: Any) -> None:
    """Add `leftzmq trash ...` to the parser."""
    verbs = the_command(commands, "trash", "see what was taken away here, and get it back")
    listing = verbs.add_parser("list", help=_LIST, description=_LIST)
    listing.add_argument("path", nargs="?", default="", metavar="PATH", help="only this, and below")
    restore = verbs.add_parser("restore", help=_RESTORE, description=_RESTORE)
    restore.add_argument("path", metavar="PATH", help="in the share, as `trash list` shows it")
    restore.add_argument("--to", default="", metavar="PATH", help="give it another name")
    for verb in (listing, restore):
        verb.add_argument(
            "--when",
            default="",
            metavar="TIME",
            help="only what was taken then: TAKEN as `trash list` shows it, or its beginning",
        )
        add_common(verb)
    add_paging(listing)


def trash(options: argparse.Namespace) -> int:
    state = load_device(options.config).state
    fields = {
        "folder": options.folder,
        "path": as_path(options.path) if options.path or options.verb == "restore" else "",
        "since": "",
        "before": "",
    }
    if options.when:
        fields["since"], fields["before"] = _when(options.when)
    if options.verb == "list":
        return _list(state, fields, options)
    fields["target"] = as_path(options.to) if options.to else ""
    return _restore(state, fields, options.json)


def _list(state: Path, fields: dict[str, str], options: argparse.Namespace) -> int:
    items = _versions(Pages(state, "trash list", fields, "versions").after(options.after))
    if options.json:
        print_json(items, options.limit)
        return 0
    found, more = shown(items, options.limit)
    if not found and not more:
        print("nothing of it is in the trash" if fields["path"] else "the trash is empty")
        return 0
    rows = [
        (
            local_time(_taken(v["batch"])),
            human_bytes(v["size"]) if v["kind"] == "file" else "link",
            v["path"],
        )
        for v in found
    ]
    print(columns(("TAKEN", "SIZE", "PATH"), rows, right=(1,)), end="")
    print_more(more)
    return 0


def _versions(items: Iterator[Item]) -> Iterator[Item]:
    return ({"taken": iso_time(_taken(version["batch"])), **version} for version in items)


def _taken(batch: str) -> float:
    """Return the unix seconds of 20261005-140307-0000abcd."""
    return unix_of(batch.rpartition("-")[0])


def _when(typed: str) -> tuple[str, str]:
    """Return the lower and upper bound of the names of batches of this time; the name of a batch is
    a time, too."""
    if is_batch(typed):
        return typed, f"{typed}-"
    found = period(typed)
    if found is None:
        do = "write it as `leftzmq trash list` does, or its beginning, such as 2026-10-05"
        raise UsageError("is not a time", f"--when {printable(typed)}", do)
    return found


def _restore(state: Path, fields: dict[str, str], as_json: bool) -> int:
    answer = ask(state, "trash restore", fields, timeout_s=ANSWER_S)
    restored, stayed = answer["restored"], answer["stayed"]
    if as_json:
        keys = ("folder", "restored", "stayed", "more", "restored_list", "stayed_list")
        print(json_text({key: answer[key] for key in keys}))
        return 1 if stayed else 0
    for path in answer["restored_list"]:
        print(f"{printable(path)} is back")
    if restored > len(answer["restored_list"]):
        print(f"and {restored - len(answer['restored_list'])} more")
    if answer["more"]:
        print("there is more: ask once more for a folder below")
    if not stayed:
        return 0
    if stayed == 1:
        one = answer["stayed_list"][0]
        raise Declined(printable(one["why"]), printable(one["path"]))
    for one in answer["stayed_list"]:
        print(f"{printable(one['path'])}: {printable(one['why'])}", file=sys.stderr)
    raise Declined(f"{stayed} versions stay in the trash")
