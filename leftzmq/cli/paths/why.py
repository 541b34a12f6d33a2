"""leftzmq why: why a path is not the same on all devices, and what to do about it.

Knows the fields of the answer and how to say them. Must not know how a reason is found.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Final

from leftzmq.cli.asking import ANSWER_S, add_common, as_path
from leftzmq.cli.format.clock import local_time
from leftzmq.cli.format.event_lines import human_bytes, printable
from leftzmq.cli.format.terminal import line_width, wrapped
from leftzmq.cli.shell import json_text
from leftzmq.config import load_device
from leftzmq.errors import Refusal, Refused
from leftzmq.sync.admin.why.reasons import WhyNot
from leftzmq.transport.ipc.client import ask
from leftzmq.tree.rules import check_path
from leftzmq.wire.answers.why import PeerWhy, WhyShown

DIFFERS: Final = 1
_TEXT: Final = "why a path is not the same on all devices, and what to do about it"
_EXAMPLES: Final = """\
exit code: 0 if every device that keeps the path has the same there, else 1

examples:
  leftzmq why report.pdf              why it is not here, or not there
  leftzmq why report.pdf --peer desk  why that device does not have it
"""
_MARGIN: Final = "  "
_OF_A_CHANGE: Final = (WhyNot.SAME.word, WhyNot.DELETED.word)
"""With these, `since` is the time of the last change."""
_COPIES_SAID: Final = 1  # by the reason itself


def add_why(commands: Any) -> None:
    """Add `leftzmq why` to the parser."""
    command = commands.add_parser(
        "why",
        help=_TEXT,
        description=f"{_TEXT}.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("path", metavar="PATH", help="in the share")
    command.add_argument(
        "--peer", default="", metavar="NAME", help="why this device does not have it"
    )
    add_common(command)


def why(options: argparse.Namespace) -> int:
    state = load_device(options.config).state
    fields = {"folder": options.folder, "path": _path(options.path), "peer": options.peer}
    shown = WhyShown.of(ask(state, "why", fields, timeout_s=ANSWER_S))
    if options.json:
        print(json_text(shown.fields()))
    else:
        is_of_all = not options.peer
        for line in lines_of(shown, line_width(), is_of_all):
            print(line)
    return 0 if shown.reason == WhyNot.SAME.word else DIFFERS


def _path(given: str) -> str:
    """Return what was typed as a path. One that can never be synced has its reason, too, if it is
    a path in the share at all. Raises UsageError."""
    path = given.removeprefix("./").rstrip("/")
    try:
        check_path(path)
    except Refused as refused:
        if refused.refusal in (Refusal.PATH_RESERVED, Refusal.PATH_TOO_LONG):
            return path
    return as_path(given)


def lines_of(shown: WhyShown, width: int, is_of_all: bool = True) -> Iterator[str]:
    """Return the answer as lines of at most `width` characters, but for a word that is longer.
    is_of_all: with a line for each other device."""
    yield from wrapped(f"{printable(shown.path)}: {printable(shown.text)}", "", width)
    if more := ", ".join(_known(shown)):
        yield from wrapped(more, _MARGIN, width)
    if shown.cure:
        yield from wrapped(f"what to do: {printable(shown.cure)}", _MARGIN, width)
    for copy in shown.copies[_COPIES_SAID:]:
        yield from wrapped(f"conflict copy: {printable(copy)}", _MARGIN, width)
    for peer in shown.peers if is_of_all else ():
        yield from wrapped(_said(peer), _MARGIN, width)


def _known(shown: WhyShown) -> Iterator[str]:
    """Times, and by whom it was changed."""
    by = f"by {printable(shown.by)}" if shown.by else ""
    time = "" if shown.since is None else local_time(shown.since)
    if shown.reason in _OF_A_CHANGE:
        said = " ".join(filter(None, ("last changed", time, by)))
        if time or by:
            yield said
        return
    if time:
        yield f"since {time}"
    if shown.rate:
        yield f"{human_bytes(shown.rate)}/s"
    if by:
        yield f"last changed {by}"


def _said(peer: PeerWhy) -> str:
    since = f" (since {local_time(peer.since)})" if peer.since is not None else ""
    return f"{printable(peer.name)}: {printable(peer.text)}{since}"
