"""leftzmq-agent: runs one agent in the foreground.

stdout: one line `ready control=EP bulk=EP news=EP`; stderr: the log.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from leftzmq import __version__
from leftzmq.agent import Agent
from leftzmq.cli.lines import QUIET_KINDS, line
from leftzmq.cli.shell import guarded
from leftzmq.config import load
from leftzmq.errors import UsageError
from leftzmq.wire.local import Event, EventKind


def main(arguments: Sequence[str] | None = None) -> int:
    return guarded("leftzmq-agent", lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="leftzmq-agent",
        description="Keep the shares of peer.toml equal with those of its peers.",
    )
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--adopt",
        action="append",
        default=[],
        metavar="FOLDER-ID",
        help="mark this folder's share anew and begin a new index: the share is as it should be",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log every step")
    parser.add_argument("--version", action="version", version=f"leftzmq {__version__}")
    options = parser.parse_args(arguments)
    config = load(options.config)
    unknown = set(options.adopt) - {folder.id for folder in config.folders}
    if unknown:
        raise UsageError(
            f"there is no folder {unknown.pop()!r}", str(config.file), "see [[folder]]"
        )
    agent = Agent(config, Logger(options.verbose), adopt=frozenset(options.adopt))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    try:
        agent.open()
        _ready(agent)
        agent.run()
    finally:
        agent.close()
    return 0


def _ready(agent: Agent) -> None:
    bus = agent.bus
    text = f"ready control={bus.control_endpoint} bulk={bus.bulk_endpoint} news={bus.news_endpoint}"
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Nobody reads it: that is no reason to stop syncing.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123


class Logger:
    """Events to stderr, without the steps in between unless they are wanted."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._colour = sys.stderr.isatty()

    def __call__(self, event: Event) -> None:
        if not self._verbose and (event.kind in QUIET_KINDS or event.kind is EventKind.PROGRESS):
            return
        try:
            print(line(event, colour=self._colour), file=sys.stderr, flush=True)
        except (BrokenPipeError, ValueError):
            return  # a log that nobody reads


if __name__ == "__main__":
    sys.exit(main())
