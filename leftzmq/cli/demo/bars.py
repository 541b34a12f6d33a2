"""What the demo shows during a step: a bar for each file in transfer, its sources, and the present
work.

Knows how it is shown. Must not know the story. Nothing is shown if the output is no terminal.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.spinner import Spinner
from rich.text import Text

from leftzmq.cli.demo.stage import Actor
from leftzmq.cli.status import sources_of

LOOK_PERIOD_S: Final = 0.15
_BAR_COLUMNS: Final = 20


class Bars:
    """The bars of these devices. `show` is to be called again and again."""

    def __init__(self, console: Console, actors: list[Actor]) -> None:
        self._actors = actors
        self._files = Progress(
            TextColumn("  {task.description}"),
            BarColumn(_BAR_COLUMNS),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[sources]}"),
        )
        self._doing = Spinner("line", style="dim")  # turns without calls from us
        shown = Group(self._files, self._doing)
        self._live = Live(shown, console=console, transient=True) if console.is_terminal else None
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._next = 0.0

    def __enter__(self) -> Bars:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, doing: str) -> None:
        """Show the present state. doing: the present work in words; "" while the devices do it. The
        devices are asked a few times a second."""
        if self._live is None:
            return
        if doing:
            self._say(doing)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LOOK_PERIOD_S
            looks = [(actor.name, actor.status()) for actor in self._actors if actor.runs]
            self._bars(looks)
            if not doing:
                self._say(", ".join(f"{name} {of.get('state', 'starts')}" for name, of in looks))

    def _say(self, doing: str) -> None:
        self._doing.update(text=Text(doing, style="dim"))

    def _bars(self, looks: Iterable[tuple[str, dict[str, Any]]]) -> None:
        seen = set()
        for name, status in looks:
            for file in status.get("under_way", []):
                key = (name, file["path"])
                seen.add(key)
                if key not in self._tasks:
                    text = f"{file['path']} to {name}"
                    self._tasks[key] = self._files.add_task(text, total=file["size"], sources="")
                sources = sources_of(file)
                if sources:  # between two gets there may be none: keep the last ones
                    self._files.update(self._tasks[key], sources=f"from {sources}")
                self._files.update(self._tasks[key], completed=file["have"])
        for key in set(self._tasks) - seen:
            self._files.remove_task(self._tasks.pop(key))
