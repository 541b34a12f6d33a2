"""`leftzmq demo`: three agents on this machine go through the story; a table shows the proof.

Knows how the story is shown. Must not know its steps (cli/demo/steps does). The agents are real
ones.
"""

from __future__ import annotations

import errno
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from leftzmq.cli.demo.bars import Bars
from leftzmq.cli.demo.ending import Interrupts
from leftzmq.cli.demo.stage import Stage
from leftzmq.cli.demo.steps import Step, Story
from leftzmq.cli.format.event_lines import human_bytes, printable
from leftzmq.cli.format.terminal import colour_system
from leftzmq.cli.shell import json_text
from leftzmq.errors import LeftError, UsageError

COPIES: Final = 4
"""Copies of the large file that may lie on the disk at once: three shares, and one old version."""
NARROW_COLUMNS: Final = 90
LARGER: Final = "set TMPDIR to a folder on a larger disk"


def demo(*, as_json: bool, size: int) -> int:
    """Run the demo with a large file of `size` bytes; exit code 0 if every step went as
    expected."""
    file = sys.stderr if as_json else sys.stdout
    console = Console(file=file, highlight=False, color_system=colour_system())
    _must_fit(size)
    steps: list[Step] = []
    with _in_order() as ending, Stage() as stage:
        try:
            _tell(stage, size, steps, console, ending)
        finally:
            ending.calm()
    ok = all(step.ok for step in steps)
    if as_json:
        print(json_text({"ok": ok, "steps": [asdict(step) for step in steps]}))
    else:
        console.print(_table(steps, size, console.width))
    return 0 if ok else 1


def _tell(stage: Stage, size: int, steps: list[Step], console: Console, ending: Interrupts) -> None:
    """Run the story, until a step fails. steps: the steps that were run are appended here."""
    with Bars(console, stage.actors) as bars:

        def show(doing: str) -> None:
            ending.look()
            bars.show(doing)

        story = Story(stage, size, show)
        for number in range(1, len(story) + 1):
            ending.look()
            step = story.step(number)
            steps.append(step)
            console.print(f"[bold]{number}.[/] {step.expected} ...")
            story.tell(step)
            console.print(
                f"   {_mark(step)}: {_safe(step.happened)}, {step.seconds:.1f} s {step.rate}"
            )
            if not step.ok:
                for actor in stage.actors:
                    console.print(f"[dim]log of {actor.name}:\n{_safe(actor.log_tail())}[/]")
                break


@contextmanager
def _in_order() -> Iterator[Interrupts]:
    """Handle what can end the demo: an interrupt is handled once, and an error of the disk becomes
    a sentence."""
    try:
        with Interrupts() as ending:
            yield ending
    except BrokenPipeError:
        raise
    except OSError as error:
        what = f"the demo cannot go on: {error.strerror or error}"
        do = LARGER if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise LeftError(what, tempfile.gettempdir(), do) from error


def _must_fit(size: int) -> None:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < COPIES * size:
        raise UsageError(
            f"the demo needs {human_bytes(COPIES * size)} of room, {human_bytes(free)} are free",
            tempfile.gettempdir(),
            f"{LARGER}, or give a smaller --size",
        )


def _safe(text: str) -> str:
    """Return the text without markup and control characters."""
    return escape("\n".join(map(printable, text.split("\n"))))


def _mark(step: Step) -> str:
    if not step.ok:
        return "[red]NO[/]"
    return "[yellow]not looked at[/]" if step.skipped else "[green]yes[/]"


def _table(steps: list[Step], size: int, width: int) -> Table:
    table = Table(title=f"leftzmq demo: three agents, one share, {human_bytes(size)}, all sealed")
    table.add_column("", justify="right")
    table.add_column("what was expected", ratio=3)
    table.add_column("what happened", ratio=3)
    table.add_column("s", justify="right")
    table.add_column("MB/s", justify="right", no_wrap=True)
    wide = width >= NARROW_COLUMNS
    if wide:
        table.add_column("SHA-256", no_wrap=True)
    for step in steps:
        happened = f"{_mark(step)}: {_safe(step.happened)}"
        if step.proof and not wide:  # no column for it, but it is what proves the step
            happened += f"\nSHA-256 {step.proof[:12]}"
        row = [
            str(step.number),
            step.expected,
            happened,
            f"{step.seconds:.1f}",
            step.rate.removesuffix(" MB/s"),
            step.proof[:12],
        ]
        table.add_row(*row[: len(table.columns)])
    return table
