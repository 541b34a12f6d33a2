"""Measures how exactly limits are kept, and how long an edit takes meanwhile (two real agents on
loopback).

usage: python bench/limits.py [--seconds S] [--rates "500 kB/s" ...]
A large file of random bytes goes from A to B, once with each rate as A's `up` and once as B's
`down`; the agents read their limits anew for each. From 2 s after the start on, for S seconds, the
bytes that B received are compared with the limit; edits of 4 KiB on A are timed until they are
under their name on B. Prints a table.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import time

from edit_latency import NAME, one_edit_ms
from edit_while_bulk import LOOK_S, fill

from leftzmq.bandwidth.rate import parse_rate
from leftzmq.cli.demo.stage import Actor, Stage, wait_until

SETTLED_S = 2.0
EDIT_EVERY_S = 0.5


def limit(actor: Actor, text: str) -> None:
    """Put a table [limits] in front of the actor's peer.toml, and let its agent read it."""
    file = actor.home / "peer.toml"
    written = file.read_text().split("# no limits above\n")[-1]
    file.write_text(f"{text}# no limits above\n{written}")
    os.kill(actor.pid, signal.SIGHUP)
    time.sleep(1.2)  # the agent reads its file once a second at most


def measure(stage: Stage, who: str, rate: str, seconds: float) -> tuple[float, list[float]]:
    """Return bytes a second, and the milliseconds of each edit."""
    a, b = stage.actors
    limit(a, f'[limits]\nup = "{rate}"\n' if who == "A up" else "")
    limit(b, f'[limits]\ndown = "{rate}"\n' if who == "B down" else "")
    size = int(parse_rate(rate, "") * (seconds + 3 * SETTLED_S))
    fill(a.home, a.share, size)
    assert wait_until(lambda: b.status().get("under_way"), 60, period_s=0.02)
    time.sleep(SETTLED_S)
    began, before, edits = time.monotonic(), b.status()["received_bytes"], list[float]()
    while time.monotonic() < began + seconds:
        edits.append(one_edit_ms(a.share / NAME, b.share / NAME, LOOK_S))
        time.sleep(min(EDIT_EVERY_S, max(0.0, began + seconds - time.monotonic())))
    got = (b.status()["received_bytes"] - before) / (time.monotonic() - began)
    (a.share / "large").unlink()
    for actor in (a, b):
        limit(actor, "")
    assert wait_until(lambda: b.status().get("state") == "idle", 60)
    return got, edits


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rates", nargs="+", default=["500 kB/s", "2 MB/s", "20 MB/s"])
    options = parser.parse_args()
    print("limit                  received      of it   edits  median ms  longest ms")
    with Stage(names="AB") as stage:
        for actor in stage.actors:
            actor.start()
        a, b = stage.actors
        one_edit_ms(a.share / NAME, b.share / NAME)  # they have greeted each other
        for rate in options.rates:
            for who in ("A up", "B down"):
                got, edits = measure(stage, who, rate, options.seconds)
                share = 100 * got / parse_rate(rate, "")
                print(
                    f"{who:7}{rate:>10}{got / 1e6:>10.3f} MB/s{share:>8.1f} %{len(edits):>8}"
                    f"{statistics.median(edits):>11.1f}{max(edits):>12.1f}"
                )


if __name__ == "__main__":
    main()
