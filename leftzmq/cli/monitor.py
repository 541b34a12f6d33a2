"""leftzmq-monitor: tails an agent's events."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from leftzmq import __version__
from leftzmq.bus.door import listen
from leftzmq.cli.lines import line
from leftzmq.cli.shell import guarded
from leftzmq.config import load_device
from leftzmq.wire.local import Event


def main(arguments: Sequence[str] | None = None) -> int:
    return guarded("leftzmq-monitor", lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="leftzmq-monitor", description="Show what an agent does, line by line, until Ctrl-C."
    )
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--version", action="version", version=f"leftzmq {__version__}")
    options = parser.parse_args(arguments)
    device = load_device(options.config)
    colour = sys.stdout.isatty() and not options.json
    last: int | None = None
    print(f"listening to {device.name}", file=sys.stderr, flush=True)
    for event in listen(device.state):
        if event is None:
            continue
        if last is not None and event.number > last + 1:
            print(f"{event.number - last - 1} events were missed", file=sys.stderr, flush=True)
        last = event.number
        print(_json(event) if options.json else line(event, colour=colour), flush=True)
    return 0


def _json(event: Event) -> str:
    body = {"event": event.kind.value, "number": event.number, "time": event.unix_time}
    return json.dumps(body | dict(event.fields), ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
