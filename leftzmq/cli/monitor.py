"""leftzmq-monitor: prints an agent's events as they happen.

If it starts late, it prints the last events first. It asks again for events that it lost while it
did not read, and reports those that the agent does not keep any more.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from leftzmq import __version__
from leftzmq.cli.asking import add_config
from leftzmq.cli.format.event_lines import line, printable
from leftzmq.cli.format.terminal import may_style
from leftzmq.cli.shell import Parser, guarded, json_text
from leftzmq.config import config_file, load, load_device
from leftzmq.errors import AgentAway, UsageError, counted
from leftzmq.transport.ipc.client import ask, listen
from leftzmq.wire.local import Event, EventKind

Ask = Callable[[int], dict[str, Any]]
"""Returns the agent's answer to `events` above a number. Raises AgentAway."""


class Tail:
    """Returns every event once, in the order of their numbers.

    say: called with a sentence about missing events.
    """

    def __init__(self, ask: Ask, say: Callable[[str], None]) -> None:
        self._ask, self._say = ask, say
        self._number = 0
        self._began: float | None = None
        self._waits = False  # for an agent that can be asked; this was reported

    def follow(self, heard: Iterable[Event | None]) -> Iterator[Event]:
        """heard: the events of the agent from now on (None: no event for a second)."""
        yield from self._catch_up()
        for event in heard:
            if event is None or self._has(event):
                continue
            if event.began != self._began or event.number != self._number + 1:
                yield from self._catch_up()
            if self._has(event):
                continue  # it was in the answer
            if event.began != self._began:
                self._goes_on_with(event.began)
            missed = event.number - self._number - 1
            if missed:
                self._say(_missed(missed))
            yield self._next(event)

    def _has(self, event: Event) -> bool:
        return event.began == self._began and event.number <= self._number

    def _catch_up(self) -> Iterator[Event]:
        try:
            answer = self._ask(self._number)
            if self._began is not None and answer["began"] != self._began:
                self._goes_on_with(answer["began"])
                answer = self._ask(0)
        except AgentAway as away:
            if not self._waits:
                self._say(f"{away}; waiting for it")
            self._waits = True
            return
        self._waits = False
        began = self._began = answer["began"]
        for kind, number, unix_time, fields in answer["events"]:
            if self._number and number > self._number + 1:
                self._say(_missed(number - self._number - 1))
            yield self._next(Event(EventKind(kind), number, unix_time, fields, began))

    def _goes_on_with(self, began: float) -> None:
        """Another run of the agent: its numbers begin at 1, and may continue ours by chance."""
        if self._began is not None:
            self._say("the agent was started again")
        self._began, self._number = began, 0

    def _next(self, event: Event) -> Event:
        self._number = event.number
        return event


def main(arguments: Sequence[str] | None = None) -> int:
    return guarded("leftzmq-monitor", lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    options.config = config_file(options.config)
    device = load_device(options.config)
    if options.folder:
        _check_folders(options)
    colour = may_style(sys.stdout.isatty()) and not options.json
    _say(f"listening to {device.name}")
    tail = Tail(lambda after: ask(device.state, "events", {"after": after}), _say)
    for event in tail.follow(listen(device.state)):
        if _is_wanted(event, options.folder, options.kind):
            print(_json(event) if options.json else line(event, colour=colour), flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="leftzmq-monitor",
        description="Show what an agent does, line by line, until Ctrl-C: first its last events.",
    )
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    text = "only what concerns this folder (may be given more than once)"
    parser.add_argument("--folder", action="append", default=[], metavar="ID", help=text)
    kinds = [kind.value for kind in EventKind]
    text = f"only this kind of event (may be given more than once): {', '.join(kinds)}"
    parser.add_argument(
        "--kind", action="append", default=[], choices=kinds, metavar="KIND", help=text
    )
    parser.add_argument("--version", action="version", version=f"leftzmq {__version__}")
    return parser


def _check_folders(options: argparse.Namespace) -> None:
    """Raise UsageError for a folder that peer.toml does not have: nothing would ever be shown."""
    known = load(options.config).folder_ids
    for id in options.folder:
        if id not in known:
            do = f"there is {', '.join(known) or 'none yet'}"
            raise UsageError("there is no such folder", f"--folder {printable(id)}", do)


def _is_wanted(event: Event, folders: Sequence[str], kinds: Sequence[str]) -> bool:
    return (not folders or event.fields.get("folder") in folders) and (
        not kinds or event.kind.value in kinds
    )


def _missed(count: int) -> str:
    return f"{counted(count, 'event')} {'was' if count == 1 else 'were'} missed"


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)


def _json(event: Event) -> str:
    body = {"event": event.kind.value, "number": event.number, "time": event.unix_time}
    return json_text(body | dict(event.fields), indent=None)


if __name__ == "__main__":
    sys.exit(main())
