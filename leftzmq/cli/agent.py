"""leftzmq-agent: runs one agent in the foreground.

stdout: one line `ready control=EP bulk=EP news=EP`; stderr: the log. The agent waits for neither.
"""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Final

from leftzmq import __version__
from leftzmq.cli.asking import add_config
from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.log import LEVELS, Log
from leftzmq.cli.shell import STDERR, STDOUT, Parser, guarded
from leftzmq.config import config_file, load
from leftzmq.errors import LeftError, OurMistake, UsageError
from leftzmq.runtime.agent import Agent

NOTICED: Final = (signal.SIGUSR1, signal.SIGUSR2)
"""Their default is to end the process, which nobody who sends one to an agent wants."""


def main(arguments: Sequence[str] | None = None) -> int:
    log, out = Log(STDERR, closed=sys.stderr is None), Log(STDOUT, closed=sys.stdout is None)
    try:
        return guarded("leftzmq-agent", lambda: _main(arguments, log, out), log.say)
    finally:
        out.close()
        log.close()


def _main(arguments: Sequence[str] | None, log: Log, out: Log) -> int:
    parser = Parser(
        prog="leftzmq-agent",
        description="Keep the shares of peer.toml equal with those of its peers.",
    )
    add_config(parser)
    parser.add_argument(
        "--adopt",
        action="append",
        default=[],
        metavar="FOLDER-ID",
        help="mark this folder's share anew and begin a new index: the share is as it should be",
    )
    parser.add_argument(
        "--log-level",
        choices=LEVELS,
        metavar="LEVEL",
        help="debug: a line for every step of every file; info (as it is without): what came and "
        "went, in batches; warning: what needs a look; error: what stops a folder",
    )
    parser.add_argument("--log-json", action="store_true", help="log one JSON object a line")
    parser.add_argument("-v", "--verbose", action="store_true", help="as --log-level debug")
    parser.add_argument("--version", action="version", version=f"leftzmq {__version__}")
    options = parser.parse_args(arguments)
    log.as_json = options.log_json
    log.level = LEVELS[options.log_level or ("debug" if options.verbose else "info")]
    config = load(config_file(options.config))
    unknown = set(options.adopt) - {folder.id for folder in config.folders}
    if unknown:
        raise UsageError(
            f"there is no folder {unknown.pop()!r}", str(config.file), "see [[folder]]"
        )
    agent = Agent(config, log, adopt=frozenset(options.adopt))
    _hear_signals(agent)
    try:
        agent.open()
        bus = agent.bus
        ends = (bus.control_endpoint, bus.bulk_endpoint, bus.news_endpoint)
        out.say("ready control={} bulk={} news={}".format(*ends))
        agent.run()
    except OurMistake as mistake:
        log.say("\n".join(map(printable, mistake.trace.rstrip().split("\n"))))
        raise
    except LeftError:
        raise
    except Exception:
        log.say(traceback.format_exc())
        return 1
    finally:
        agent.close()
    return 0


def _hear_signals(agent: Agent) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    for number in NOTICED:
        signal.signal(number, lambda number, _: agent.noticed(signal.Signals(number).name))
    signal.signal(signal.SIGHUP, lambda *_: agent.read_peers())
    # With `stty tostop`, a line of the log would stop a process in the background of a terminal.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
