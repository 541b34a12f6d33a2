"""leftzmq ignored: by which rule a path is ignored, or which rules hold in a folder.

Knows the fields of the answers and how to say them. Must not know what a rule means.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from leftzmq.cli.asking import ANSWER_S, add_common, as_path
from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.paths.paging import Pages
from leftzmq.cli.shell import json_text
from leftzmq.config import load_device
from leftzmq.errors import counted
from leftzmq.transport.ipc.client import ask
from leftzmq.tree.ignoring.litter import LITTER
from leftzmq.wire.replies import IgnoredShown, IgnoreRulesPage, IgnoreVerdict

NOT_IGNORED: Final = 1
_TEXT: Final = "which rule ignores a path; without a path: which rules hold in a folder"
_EXAMPLES: Final = """\
exit code: 0 if the path is ignored, 1 if it is not; where nothing lies there, if a file would be

examples:
  leftzmq ignored web/node_modules    which line of which file says so, or that none does
  leftzmq ignored --folder docs       every file of rules, with what is wrong in it; local rules
"""
_MARGIN: Final = "  "


def add_ignored(commands: Any) -> None:
    """Add `leftzmq ignored` to the parser."""
    command = commands.add_parser(
        "ignored",
        help=_TEXT,
        description=f"{_TEXT}.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("path", metavar="PATH", nargs="?", default="", help="in the share")
    add_common(command)


def ignored(options: argparse.Namespace) -> int:
    state = load_device(options.config).state
    if options.path:
        return _of_path(state, options.folder, as_path(options.path), options.json)
    _of_folder(state, options.folder, options.json)
    return 0


# ---- one path ---------------------------------------------------------------------------------


def _of_path(state: Path, folder: str, path: str, as_json: bool) -> int:
    answer = ask(state, "ignored", {"folder": folder, "path": path}, timeout_s=ANSWER_S)
    shown = IgnoredShown.of(answer)
    if as_json:
        print(json_text(shown.fields()))
    else:
        for line in _lines(shown):
            print(printable(line))
    return 0 if shown.verdicts[0].ignored else NOT_IGNORED


def _lines(shown: IgnoredShown) -> Iterator[str]:
    if len(shown.verdicts) > 1:
        is_there = "this user may not look there" if shown.lies == "unknown" else "nothing is there"
        yield f"{shown.path}: {is_there}"
        for verdict in shown.verdicts:
            yield f"{_MARGIN}a {verdict.kind} of that name is {_said(verdict, shown.path)}"
    else:
        yield f"{shown.path} is {_said(shown.verdicts[0], shown.path)}"
    if shown.unread:
        yield f"what is new beside it is told to nobody: rules cannot be read: {shown.unread}"


def _said(verdict: IgnoreVerdict, path: str) -> str:
    if not verdict.ignored:
        return "not ignored"
    why = verdict.text
    if verdict.source:
        why += f" ({verdict.source}): litter = false in peer.toml turns it off"
    above = f" (it matches {verdict.matches})" if verdict.matches != path else ""
    return f"ignored: {why}{above}"


# ---- a folder ---------------------------------------------------------------------------------


def _of_folder(state: Path, folder: str, as_json: bool) -> None:
    pages = Pages(state, "ignored rules", {"folder": folder}, "files")
    files = list(pages.after(""))
    page = IgnoreRulesPage.of(pages.answer)
    if as_json:
        kept = ("local", "local_mistakes", "litter", "not_kept", "withdrawn")
        said = {key: pages.answer[key] for key in kept}
        print(json_text({"folder": page.folder, "files": files} | said))
        return
    for line in (*_file_lines(files), *_list_lines(page)):
        print(printable(line))


def _file_lines(files: list[dict[str, Any]]) -> Iterator[str]:
    if not files:
        yield "there is no file of rules (.leftignore)"
    for file in files:
        git = ", and the .gitignore files from there on" if file["uses_gitignore"] else ""
        yield f"{file['path']}: {counted(file['rules'], 'rule')}{git}"
        if file["unread"]:
            yield f"{_MARGIN}cannot be read, so what was read last holds: {file['unread']}"
        yield from _mistake_lines(file["mistake_list"], file["mistakes"])


def _mistake_lines(shown: list[str], count: int) -> Iterator[str]:
    for mistake in shown:
        yield f"{_MARGIN}{mistake}"
    if count > len(shown):
        yield f"{_MARGIN}and {count - len(shown):,} more"


def _list_lines(page: IgnoreRulesPage) -> Iterator[str]:
    if page.local or page.local_mistakes:
        yield f"on this device alone (`ignore` in peer.toml): {counted(len(page.local), 'rule')}"
        for rule in page.local:
            yield f"{_MARGIN}rule {rule.number}: {rule.rule}"
        yield from _mistake_lines(page.local_mistakes, len(page.local_mistakes))
    if page.litter:
        names = f"the built-in list ({len(LITTER)} rules for what programs leave behind)"
        yield f"{names} holds: litter = false in peer.toml turns it off"
    else:
        yield "the built-in list does not hold (litter = false in peer.toml)"
    if page.not_kept:
        yield f"{counted(page.not_kept, 'path')} of other devices: not taken, as a rule says"
    if page.withdrawn:
        stay = "what lies there stays as it is"
        yield f"{counted(page.withdrawn, 'path')} of this device: not synced any more; {stay}"
