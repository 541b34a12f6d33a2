"""What a scrape costs the agent: the CPU time of the answer to `metrics`, and of its bytes.

    python bench/metrics_question.py [--files 100000] [--peers 2] [--asks 200]

One device of the tests' mesh, in one thread. Its index has so many files; one other device has all
of them, the others have every second one. Beside the answer: what it costs to take one row into the
counts, and to count all rows anew, as at a start. No file lies on the disk, as nothing here reads
one. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from leftzmq.index.rows import Row
from leftzmq.sync.admin.metrics import AgentFigures
from leftzmq.sync.admin.status import Times
from leftzmq.sync.versions.counters import Recount
from leftzmq.tree.accepted import NOTHING
from leftzmq.web.exposition import exposition
from leftzmq.wire.local import encode_reply
from tests.helpers.mesh import Device, Mesh
from tests.helpers.trees import file, made
from tests.sim.node import FOLDER

ROWS_A_COMMIT = 5_000
AGENT = AgentFigures(
    version="0",
    began=0.0,
    turns=1,
    longest_turn_s=0.0,
    hash_s=0.0,
    strangers_refused=0,
    open_descriptors=50,
    max_descriptors=65_536,
    index_bytes={FOLDER: (1, 1)},
)


def filled(device: Device, files: int) -> float:
    """Put so many files into the index of a device. Returns seconds of CPU for each."""
    view, heads = device.folder.index_view, device.store.heads
    known = [head.mask for head in heads.known()]
    all_of, half = 1 | sum(known[:1]), 1 | sum(known)
    spent_s = 0.0
    for number in range(files):
        entry = made("A", file(f"{number % 500}/file {number}", str(number)), number=number + 1)
        holders = half if number % 2 else all_of
        row = Row(entry, holders, seq=view.next_sequence())
        began = time.process_time()
        view.change([], [row])
        spent_s += time.process_time() - began
        if number % ROWS_A_COMMIT == 0:
            device.store.commit()
    device.store.commit()
    return spent_s / files


def median_ms(ask: object, count: int) -> float:
    times = []
    for _ in range(count):
        began = time.process_time()
        ask()  # type: ignore[operator]
        times.append(time.process_time() - began)
    return round(median(times) * 1000, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("files", 100_000), ("peers", 2), ("asks", 200)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        mesh = Mesh(Path(base), "".join(chr(ord("A") + n) for n in range(args.peers + 1)))
        for device in mesh.devices.values():
            device.start()
        mesh.settle()
        a = mesh.devices["A"]
        row_us = filled(a, args.files) * 1e6
        node, times = a.node, Times(mesh.now + 60, 1.8e9)
        shown = node.metrics(AGENT, times)
        began = time.process_time()
        Recount.whole(a.store, NOTHING, times=a.folder.index_view.times)
        count_s = time.process_time() - began
        found = {
            "files": args.files,
            "figures": sum(len(metric.samples) for metric in shown.metrics),
            "bytes": len(encode_reply(shown.fields())),
            "answer_ms": median_ms(lambda: node.metrics(AGENT, times), args.asks),
            "encoded_ms": median_ms(lambda: encode_reply(shown.fields()), args.asks),
            "text_ms": median_ms(lambda: exposition(shown), args.asks),
            "row_us": round(row_us, 2),
            "count_all_s": round(count_s, 2),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
