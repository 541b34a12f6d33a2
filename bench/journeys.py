"""How far a reader has to walk: modules and import arrows of each package, and how often control
changes the package on four journeys through the program.

    python bench/journeys.py [--modules]

Two devices of the tests' mesh, in one thread, on real files; no socket and no worker thread. The
journeys, of one new file of 1,000 bytes:

    touch to news    on A, from PathsTouched to the Publish that names the file
    news to ticket   on B, from PageArrived to the event `ticket`
    chunk to name    on B, from ChunksArrived to the event `finished`
    status           on A, from Asked to Answer

A stay is a stretch of the run in which control does not leave a place. The place is the package
(leftzmq.<a>.<b> in sync and disk, else leftzmq.<a>; with --modules the module) whose function is
called and has not returned. A function of the mesh, of Python, of a library, or one that Python
makes (of a dataclass), counts for the place that called it. The last column leaves out the stays in
values and stores (tree, index, disk/fs, content, wire).
"""

from __future__ import annotations

import argparse
import ast
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from leftzmq.sync.actions import Action, Answer, Publish, Tell
from leftzmq.sync.facts import Asked, ChunksArrived, Fact, PageArrived, PathsTouched, Touch
from leftzmq.wire.local import EventKind
from tests.helpers.mesh import Device, Mesh
from tests.sim.node import FOLDER

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGE: Final = ROOT / "leftzmq"
DIVIDED: Final = ("sync", "disk")
"""Each of their packages is a place."""
VALUES_AND_STORES: Final = tuple(
    f"leftzmq.{place}" for place in ("tree", "index", "disk.fs", "content", "wire")
)
"""A call into these makes a value or reads a row; then control is where it was."""


# -- modules and arrows --------------------------------------------------------------------------


def parts_of(inside: str) -> tuple[dict[str, int], set[tuple[str, str]]]:
    """Of leftzmq ("") or one of its packages: how many modules each part has, and which part
    imports which other part. A part is a package, or a module that stands alone."""
    base = PACKAGE / inside
    lead = ".".join(base.relative_to(ROOT).parts) + "."
    counts: dict[str, int] = {}
    found: set[tuple[str, str]] = set()
    for file in sorted(base.rglob("*.py")):
        part = file.relative_to(base).with_suffix("").parts[0]
        if part == "__init__":
            continue
        counts[part] = counts.get(part, 0) + (file.name != "__init__.py")
        found |= {
            (part, name.removeprefix(lead).split(".")[0])
            for name in _imports(file)
            if name.startswith(lead)
        }
    return counts, {(part, other) for part, other in found if other in counts and other != part}


def _imports(file: Path) -> Iterator[str]:
    """Dotted names; no import of the package is relative."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


# -- journeys ------------------------------------------------------------------------------------


class Trail:
    """The places where control was, in order; no place stands beside itself."""

    def __init__(self, by_module: bool) -> None:
        self._by_module = by_module
        self._open: list[str] = []  # of the functions that are called and have not returned
        self.places: list[str] = []

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """For sys.setprofile."""
        if event == "call":
            self._open.append(self._place(frame.f_code.co_filename))
        elif event == "return" and self._open:
            self._open.pop()
        place = self._open[-1] if self._open else ""
        if place and place != (self.places[-1] if self.places else ""):
            self.places.append(place)

    def _place(self, file: str) -> str:
        if not file.startswith(f"{PACKAGE}/"):
            return self._open[-1] if self._open else ""
        parts = Path(file).relative_to(ROOT).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if not self._by_module:
            parts = parts[: 3 if parts[1:2] and parts[1] in DIVIDED else 2]
        return ".".join(parts)


@dataclass
class Journey:
    name: str
    begins: Callable[[Fact], bool]
    ends: Callable[[Action], bool]
    trail: Trail


class Guide:
    """Takes a device through journeys, one after another; between them nothing is counted."""

    def __init__(self, device: Device, *journeys: Journey) -> None:
        self._handle, self._do = device.handle, device.do
        device.handle = self._handled  # type: ignore[method-assign]
        device.do = self._done  # type: ignore[method-assign]
        self.to_come = list(journeys)
        self._now: Journey | None = None

    def _handled(self, fact: Fact) -> None:
        if self._now is None and self.to_come and self.to_come[0].begins(fact):
            self._now = self.to_come.pop(0)
        sys.setprofile(None if self._now is None else self._now.trail)
        try:
            self._handle(fact)
        finally:
            sys.setprofile(None)

    def _done(self, action: Action) -> None:
        if self._now is not None and self._now.ends(action):
            sys.setprofile(None)
            self._now = None
        self._do(action)


def is_event(kind: EventKind) -> Callable[[Action], bool]:
    return lambda action: isinstance(action, Tell) and action.kind is kind


def journeys(base: Path, by_module: bool) -> list[Journey]:
    """All four, walked."""
    news, ticket, name, status = (
        Journey(
            "touch to news",
            lambda fact: isinstance(fact, PathsTouched),
            lambda action: isinstance(action, Publish) and bool(action.page.entries),
            Trail(by_module),
        ),
        Journey(
            "news to ticket",
            lambda fact: isinstance(fact, PageArrived) and bool(fact.page.entries),
            is_event(EventKind.TICKET),
            Trail(by_module),
        ),
        Journey(
            "chunk to name",
            lambda fact: isinstance(fact, ChunksArrived),
            is_event(EventKind.FINISHED),
            Trail(by_module),
        ),
        Journey(
            "status",
            lambda fact: isinstance(fact, Asked),
            lambda action: isinstance(action, Answer),
            Trail(by_module),
        ),
    )
    mesh = Mesh(base, "AB")
    a, b = mesh.devices.values()
    for device in (a, b):
        device.start()
    mesh.settle()
    guides = Guide(a, news, status), Guide(b, ticket, name)
    a.write("letter", bytes(1000))
    a.take(PathsTouched(FOLDER, (("letter", Touch.CLOSED),)))
    mesh.settle()
    mesh.ask(a, "status")
    assert not any(guide.to_come for guide in guides), "a journey did not begin"
    assert a.tree() == b.tree(), "the file did not arrive"
    return [news, ticket, name, status]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--modules", action="store_true", help="count stays in modules")
    options = parser.parse_args()
    print(f"{'package':<16}{'parts':>7}{'arrows':>8}  modules of each part")
    for inside in ("", "sync", "disk"):
        counts, arrows = parts_of(inside)
        each = ", ".join(f"{part} {count}" for part, count in counts.items())
        print(f"{inside or PACKAGE.name:<16}{len(counts):>7}{len(arrows):>8}  {each}")
    places_are = "modules" if options.modules else "packages"
    print(f"\n{'journey':<16}{'stays':>7}{'in':>8}  {places_are}; stays without values and stores")
    with tempfile.TemporaryDirectory() as base:
        for journey in journeys(Path(base), options.modules):
            places = journey.trail.places
            walked = [place for place in places if not place.startswith(VALUES_AND_STORES)]
            stays = len(list(itertools.groupby(walked)))
            print(f"{journey.name:<16}{len(places):>7}{len(set(places)):>8}  {stays:>28}")


if __name__ == "__main__":
    main()
