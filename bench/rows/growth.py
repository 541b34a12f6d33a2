"""What a folder costs an agent, and how the costs grow with the number of its files: each of these
scales is measured the same way, and the largest has a million files.

A is scanned alone, stopped, started anew, and looked at while it is idle. The index is all of its
files when A is stopped, a write-ahead log included: with few files that is most of it.
Then B starts, which has the same files, and one file is edited.
"""

from __future__ import annotations

import statistics
import time
from typing import Final

from edit_latency import latencies
from processes import size_of
from programs.named import indexing
from programs.pair import Failed, Indexing, longest_s

from leftzmq.cli.demo.stage import wait_until
from rows import trees
from rows.row import OURS, SYNCTHING, Figure, Figures, Row, Scale, Setting, Wanted

QUESTIONS: Final = 11
KIND: Final = "growth"
NAME: Final = "growth"
SETTLE_S: Final = 2.0
MILLION: Final = Scale(files=1_000_000, edits=10, idle_s=60.0)


def measure(setting: Setting) -> Figures:
    scale = setting.scale
    with indexing(setting.program, setting.ground) as shares:
        manifest = trees.make_both(shares, scale.files)
        size = sum(manifest.values())
        trees.ripen()
        first = shares.scan(scale.files, size)
        peak_mib = shares.peak_mib_of_a()
        shares.pause_a()
        index_bytes = size_of(shares.index_files())
        again = shares.scan(scale.files, size)
        time.sleep(SETTLE_S)
        idle_share = _idle_share(shares, scale.idle_s)
        status_ms = _status_ms(shares)
        resident_mib = shares.resident_mib_of_a()
        shares.join()
        if not wait_until(shares.settled, longest_s(scale.files), period_s=trees.LOOK_S):
            raise Failed(f"A and B do not settle: {shares.log_tail()}")
        edits_ms = latencies(shares, scale.edits)
        return {
            "scan_s": first.seconds,
            "restart_s": again.over_s,
            "peak_mib": max(peak_mib, shares.peak_mib_of_a()),
            "resident_mib": resident_mib,
            "index_bytes": index_bytes / scale.files,
            "edit_ms": statistics.median(edits_ms),
            "status_ms": status_ms,
            "idle_percent": 100 * idle_share,
        }


def _idle_share(shares: Indexing, seconds: float) -> float:
    """Return the share of one core that A uses while nothing happens."""
    before, began = shares.exact_cpu_s_of_a(), time.monotonic()
    time.sleep(seconds)
    return (shares.exact_cpu_s_of_a() - before) / (time.monotonic() - began)


def _status_ms(shares: Indexing) -> float:
    """Return the median time of an answer. The start of a command is not in it."""
    found = []
    for _ in range(QUESTIONS):
        began = time.monotonic()
        shares.ask_status()
        found.append((time.monotonic() - began) * 1000)
    return statistics.median(found)


def _figure(key: str, what: str, unit: str, *limits: float) -> Figure:
    return Figure(key, what, unit, tuple(Wanted(limit, at=MILLION) for limit in limits))


FIGURES: Final = (
    _figure("scan_s", "first scan", "s", 60),
    _figure("peak_mib", "memory of the agent at its peak", "MiB", 250),
    _figure("resident_mib", "memory of the agent when idle", "MiB"),
    _figure("index_bytes", "index, a file", "bytes", 400),
    _figure("restart_s", "restart, until the scan is over", "s", 10),
    _figure("edit_ms", "an edit, median", "ms", 15),
    _figure("status_ms", "`status`", "ms", 100),
    _figure("idle_percent", "idle, of a core", "%", 0.2),
)
GROWS_WITH_FILES: Final = frozenset({"scan_s", "peak_mib", "resident_mib", "restart_s"})
"""These may grow as the number of files does. All others should not grow."""

ROWS: Final = (
    Row(
        name=NAME,
        kind=KIND,
        what="files of 100 bytes, 100 in a folder",
        figures=FIGURES,
        programs=(OURS, SYNCTHING),
        full=(
            Scale(files=1_000, edits=10, idle_s=60.0),
            Scale(files=10_000, edits=10, idle_s=60.0),
            Scale(files=100_000, edits=10, idle_s=60.0),
            MILLION,
        ),
        quick=(Scale(files=100, edits=1, idle_s=1.0), Scale(files=1_000, edits=1, idle_s=1.0)),
        needs=trees.both_trees,
        measure=measure,
    ),
)
