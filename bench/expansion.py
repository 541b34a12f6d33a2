"""Measures what it costs to be told of files of 4 TiB (or of SIZE): the longest turn of the loop,
the longest job, and the memory.

    python bench/expansion.py [--shape one|two|all] [--files N] [--room TIB] [--gib SIZE]

Three devices of the tests' mesh run in one process on a real share; --room is the free space that
the disk claims. "one": all chunks are the same; "two": two by turns; "all": all differ.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from leftzmq.content.memory import resident_bytes
from leftzmq.disk.fs.real import RealDirectory
from tests.helpers.forging import TIB, forge
from tests.helpers.mesh import Mesh

MIB = 1 << 20


class Watch:
    """The longest turn or job of each kind, with its name; and the peak of the memory."""

    def __init__(self) -> None:
        self.longest: dict[str, tuple[float, str]] = {}
        self.most = self.before = resident_bytes()
        threading.Thread(target=self._sample, daemon=True).start()

    def wrap(self, kind: str, call: Any) -> Any:
        def timed(what: Any) -> Any:
            began = time.thread_time()
            answer = call(what)
            took = time.thread_time() - began
            self.longest[kind] = max(self.longest.get(kind, (0.0, "")), (took, type(what).__name__))
            return answer

        return timed

    def _sample(self) -> None:
        while True:
            self.most = max(self.most, resident_bytes())
            time.sleep(0.005)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=("one", "two", "all"), default="two")
    parser.add_argument("--files", type=int, default=2)
    parser.add_argument("--room", type=int, default=16, help="TiB on the disk")
    parser.add_argument("--gib", type=int, default=4096, help="of each file")
    options = parser.parse_args()
    room = options.room * TIB
    RealDirectory.free_bytes = lambda folder: room  # type: ignore[method-assign]
    RealDirectory.total_bytes = lambda folder: room  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as base:
        mesh = Mesh(Path(base), "ABM")
        for device in mesh.devices.values():
            device.start()
        mesh.settle(2)
        a, b, m = (mesh.devices[name] for name in "ABM")
        forge(
            m,
            *((f"a{number}", options.shape, options.gib << 30) for number in range(options.files)),
        )
        watch = Watch()
        b.runner.run = watch.wrap("job", b.runner.run)  # type: ignore[method-assign]
        b.node.handle = _with_now(watch, b.node.handle)  # type: ignore[method-assign]
        a.write("z", b"an honest edit")
        a.scan()
        mesh.settle(20)
        assert (b.share / "z").exists()
    for kind, (took, what) in sorted(watch.longest.items()):
        print(f"longest {kind:4} {took * 1000:8.0f} ms of CPU  {what}")
    print(f"memory       {(watch.most - watch.before) / MIB:8.0f} MiB more at most")
    problems = [str(problem) for problem in b.folder.problems.all()][:1]
    print("problems", *problems)


def _with_now(watch: Watch, handle: Any) -> Any:
    def handled(fact: Any, now: float, wall_ns: int) -> Any:
        return watch.wrap("turn", lambda what: handle(what, now, wall_ns))(fact)

    return handled


if __name__ == "__main__":
    main()
