"""`leftzmq demo`: three agents on this machine live through the story; a table proves it.

Knows the story. The agents are real ones, started as a user starts them.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

from leftzmq.cli.lines import human_bytes
from leftzmq.cli.story import Actor, Stage, wait_until

SMALL_BYTES: Final = 239_366  # the original's first file
LARGE_BYTES: Final = 256 << 20
STEP_S: Final = 120.0
_BLOCK: Final = 1 << 20


@dataclass(slots=True)
class Step:
    """One line of the closing table. moved: bytes of files that arrived in it."""

    number: int
    expected: str
    happened: str = ""
    ok: bool = False
    seconds: float = 0.0
    moved: int = 0
    proof: str = ""

    @property
    def rate(self) -> str:
        if not self.ok or self.moved < _BLOCK or not self.seconds:
            return ""
        return f"{self.moved / 1e6 / self.seconds:.0f} MB/s"


class Bars:
    """One bar for each file that is arriving somewhere; nothing where nobody looks."""

    def __init__(self, console: Console, actors: list[Actor]) -> None:
        self._actors = actors
        self._progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TransferSpeedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._next = 0.0

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self) -> None:
        """Look at what is under way, a few times a second."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 0.15
        seen = set()
        for actor in self._actors:
            if not actor.runs:
                continue
            for file in actor.status().get("under_way", []):
                key = (actor.name, file["path"])
                seen.add(key)
                if key not in self._tasks:
                    text = f"{file['path']} to {actor.name}"
                    self._tasks[key] = self._progress.add_task(text, total=file["size"])
                self._progress.update(self._tasks[key], completed=file["have"])
        for key in set(self._tasks) - seen:
            self._progress.remove_task(self._tasks.pop(key))


class Story:
    """The steps, in order; each is one method that says what it expects and what happened."""

    def __init__(self, stage: Stage, console: Console, size: int) -> None:
        self.a, self.b, self.c = stage.actors
        self._console, self._size = console, size
        self.steps: list[Step] = []

    def run(self) -> bool:
        """Tell it until a step fails."""
        told = (self.alone, self.appears, self.greet, self.large, self.folder)
        return all(self._step(step) for step in told)

    def alone(self, step: Step, bars: Bars) -> None:
        """A starts alone; the others cannot be reached; it goes on"""
        self.a.start()
        step.ok = wait_until(lambda: self.a.status().get("state") == "idle", STEP_S, bars.show)
        connected = [peer["name"] for peer in self.a.status().get("peers", []) if peer["connected"]]
        step.ok = step.ok and not connected
        step.happened = "ready, nobody there" if step.ok else "A is not idle"

    def appears(self, step: Step, bars: Bars) -> None:
        """239,366 bytes appear at A; A's index has them"""
        (self.a.share / "1.mp4").write_bytes(os.urandom(SMALL_BYTES))
        step.ok = wait_until(lambda: self.a.status().get("bytes") == SMALL_BYTES, STEP_S, bars.show)
        step.happened = "in the index" if step.ok else "not in the index"
        step.proof = self.a.digest("1.mp4")

    def greet(self, step: Step, bars: Bars) -> None:
        """B and C start, greet each other, and have the file"""
        self.b.start()
        self.c.start()
        self._everywhere("1.mp4", step, bars)
        step.moved = 2 * SMALL_BYTES

    def large(self, step: Step, bars: Bars) -> None:
        """A large file appears at B; A is killed half-way and started again"""
        with (self.b.share / "2.mp4").open("wb") as file:
            for _ in range(self._size // _BLOCK):
                file.write(os.urandom(_BLOCK))
        began = time.monotonic()

        def half_way() -> bool:
            under_way = self.a.status().get("under_way", [])
            return any(f["have"] > f["size"] // 3 for f in under_way) or bool(
                self.a.digest("2.mp4")
            )

        wait_until(half_way, STEP_S, bars.show, 0.02)
        self.a.kill()
        here = wait_until(lambda: bool(self.c.digest("2.mp4")), STEP_S, bars.show)
        self.a.start()
        self._everywhere("2.mp4", step, bars)
        step.ok = step.ok and here
        step.seconds = time.monotonic() - began
        step.moved = 2 * self._size

    def folder(self, step: Step, bars: Bars) -> None:
        """A folder with a small file"""
        (self.c.share / "folder").mkdir()
        (self.c.share / "folder" / "3.txt").write_bytes(os.urandom(1000))
        self._everywhere("folder/3.txt", step, bars)

    def _everywhere(self, path: str, step: Step, bars: Bars) -> None:
        """The file is the same on all three, to the byte and the mtime."""
        actors = (self.a, self.b, self.c)

        def same() -> bool:
            digests = {actor.digest(path) for actor in actors}
            return len(digests) == 1 and digests != {""}

        step.ok = wait_until(same, STEP_S, bars.show)
        times = {(actor.share / path).stat().st_mtime_ns for actor in actors} if step.ok else set()
        step.ok = step.ok and len(times) == 1
        step.happened = "same bytes, same mtime" if step.ok else f"{path} differs"
        step.proof = self.a.digest(path)

    def _step(self, tell: Callable[[Step, Bars], None]) -> bool:
        step = Step(len(self.steps) + 1, (tell.__doc__ or "").strip())
        self.steps.append(step)
        self._console.print(f"[bold]{step.number}.[/] {step.expected} ...")
        began = time.monotonic()
        with Bars(self._console, [self.a, self.b, self.c]) as bars:
            tell(step, bars)
        step.seconds = step.seconds or time.monotonic() - began
        mark = "[green]yes[/]" if step.ok else "[red]NO[/]"
        self._console.print(f"   {mark}: {step.happened}, {step.seconds:.1f} s {step.rate}")
        if not step.ok:
            for actor in (self.a, self.b, self.c):
                self._console.print(f"[dim]log of {actor.name}:\n{actor.log_tail()}[/]")
        return step.ok


def demo(*, as_json: bool, size: int = LARGE_BYTES) -> int:
    """Run it; exit code 0 when every step happened as it should, else 1."""
    console = Console(file=sys.stderr if as_json else sys.stdout)
    with Stage() as stage:
        story = Story(stage, console, size)
        ok = story.run()
    if as_json:
        print(json.dumps({"ok": ok, "steps": [asdict(step) for step in story.steps]}, indent=2))
    else:
        console.print(_table(story.steps, size))
    return 0 if ok else 1


def _table(steps: list[Step], size: int) -> Table:
    table = Table(title=f"leftzmq demo: three agents, one share, {human_bytes(size)}, all sealed")
    table.add_column("", justify="right")
    table.add_column("what was expected", ratio=3)
    table.add_column("what happened", ratio=2)
    table.add_column("s", justify="right")
    table.add_column("MB/s", justify="right", no_wrap=True)
    table.add_column("SHA-256", no_wrap=True)
    for step in steps:
        mark = "[green]yes[/]" if step.ok else "[red]NO[/]"
        table.add_row(
            str(step.number),
            step.expected,
            f"{mark}: {step.happened}",
            f"{step.seconds:.1f}",
            step.rate,
            step.proof[:12],
        )
    return table
