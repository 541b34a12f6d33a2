"""What is to catch a bug, cheapest first: seeds of the simulation, the laws, the room's own tests.

Knows how each is run in a copy and what its output says. Must not know what was planted.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .copied import end, start

LAW_TESTS: Final = ("tests/unit/sync/versions/test_laws.py", "tests/unit/tree/test_laws_plan.py")
PATIENCE_S: Final = 600.0
"""A ring that takes longer is ended: what hangs is not caught by it."""

_SEED: Final = re.compile(r"seed (\d+): ([^:]+): (.*)")
_FAILED: Final = re.compile(r"FAILED (.+?)(?: - (.*))?$")


@dataclass(frozen=True, slots=True)
class Caught:
    """by: a law of the simulation, or a test. after: how much it took. said: what was found."""

    by: str
    after: str
    said: str


@dataclass(frozen=True, slots=True)
class Missed:
    """Nothing was found, or nothing that is about the bug. said: what else went wrong, if so."""

    said: str = ""


def simulated(tree: Path, seeds: int, laws: Container[str] | None) -> Caught | Missed:
    """Seeds of the simulation until one ends by one of these laws. None: by whichever."""
    others: list[str] = []
    began, last = time.monotonic(), ""
    with _lines(tree, "-m", "tests.sim", "--seeds", f"0:{seeds}", "--no-shrink") as lines:
        for line in lines:
            if (found := _SEED.match(line)) is None:
                last = line
                continue
            seed, law, said = found.groups()
            if laws is None or law in laws:
                after = f"{int(seed) + 1} seeds, {time.monotonic() - began:.0f} s"
                return Caught(f"simulation: {law}", after, said)
            others.append(line)
    if others:
        return Missed(f"{len(others)} seeds ended otherwise, first {others[0]}")
    return Missed() if " 0 failed" in last else Missed(f"the simulation did not end: {last}")


def tested(tree: Path, tests: tuple[str, ...]) -> Caught | Missed:
    """These tests until one fails. One that cannot even begin is no catch."""
    began = time.monotonic()
    last = ""
    options = ("-x", "--tb=no", "-rf", "-p", "no:cacheprovider")
    with _lines(tree, "-m", "pytest", "-n", "0", *options, *tests) as lines:
        for line in lines:
            last = line or last
            if found := _FAILED.match(line):
                after = f"{time.monotonic() - began:.0f} s"
                return Caught(found[1], after, found[2] or "")
    return Missed() if re.search(r"100%|\d passed", last) else Missed(last)


@contextmanager
def _lines(tree: Path, *arguments: str) -> Iterator[Iterator[str]]:
    """The output of a process, line by line; leaving ends it and what it started."""
    process = start(tree, *arguments)
    patience = threading.Timer(PATIENCE_S, end, (process,))
    patience.start()
    try:
        assert process.stdout is not None
        yield (line.rstrip("\n") for line in process.stdout)
    finally:
        patience.cancel()
        end(process)
        process.communicate()
