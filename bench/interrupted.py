"""Presses Ctrl-C at a random moment of the first second of a command, again and again. The command
must end in time, without output, and leave nothing behind.

    .venv/bin/python bench/interrupted.py --times 1000 --at-once 8 monitor demo agent status

It makes its own load: `--at-once` commands are started together.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import repeat
from pathlib import Path

PATIENCE_S = 60.0
STAYS_S = 10.0
"""The process that cleans up after the demo may go on for so long after the demo's end."""
CONFIG = """
[device]
name = "a"
state = "state"
listen = "tcp://127.0.0.1:0"
[[folder]]
id = "share"
path = "share"
secret = "share.secret"
"""
COMMANDS = {
    "monitor": ("monitor", ["-c", "{home}/peer.toml"]),
    "agent": ("agent", ["-c", "{home}/peer.toml"]),
    "status": ("admin", ["status", "--watch", "-c", "{home}/peer.toml"]),
    "demo": ("admin", ["demo", "--size", "16M"]),
}
ENDS = {"agent": {0, 130}, "status": {1, 130}}  # an agent stops; without one there is no status


def defaults() -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def once(name: str, longest_ms: float, seed: int) -> str:
    """Returns what was wrong, or ""."""
    after_s = random.Random(seed).uniform(0.0, longest_ms) / 1000
    with tempfile.TemporaryDirectory(prefix="lzi-") as text:
        home = Path(text)
        (home / "peer.toml").write_text(CONFIG)
        entry, arguments = COMMANDS[name]
        code = f"import sys; from leftzmq.cli.start import {entry}; print('began', flush=True)"
        code += f"; sys.exit({entry}())"
        process = subprocess.Popen(
            [sys.executable, "-c", code, *(word.format(home=home) for word in arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"TMPDIR": text, "XDG_RUNTIME_DIR": text},
            text=True,
            start_new_session=True,
            preexec_fn=defaults,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        wrong = ended(process, ENDS.get(name, {130}))
        end = time.monotonic() + STAYS_S
        while not wrong and (stays := what_stays(home)):
            if time.monotonic() > end:
                wrong = f"stays: {stays}"
            time.sleep(0.05)
        return f"{name} after {after_s * 1000:.0f} ms: {wrong}" if wrong else ""


def ended(process: subprocess.Popen[str], codes: set[int]) -> str:
    try:
        said, _ = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "hung"
    if process.returncode not in codes:
        return f"code {process.returncode}: {said[-500:]}"
    return f"said {said[-500:]}" if "Traceback" in said or "Exception" in said else ""


def what_stays(home: Path) -> list[str]:
    found = [path.name for path in home.glob("leftzmq-demo-*")]
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.fsencode(home) in (process / "cmdline").read_bytes():
                found.append(f"process {process.name}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands", nargs="+", choices=COMMANDS)
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--longest-ms", type=float, default=1000.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    results = Counter[str]()
    for name in options.commands:
        began = time.monotonic()
        with ThreadPoolExecutor(options.at_once) as pool:
            seeds = range(options.seed, options.seed + options.times)
            for wrong in pool.map(once, repeat(name), repeat(options.longest_ms), seeds):
                results[f"{name} {'wrong' if wrong else 'good'}"] += 1
                if wrong:
                    print(wrong, file=sys.stderr, flush=True)
        print(f"{name}: {options.times} times, {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(json.dumps(results))
    return int(any(key.endswith("wrong") for key in results))


if __name__ == "__main__":
    sys.exit(main())
