"""The seven steps of the story, run with three real agents.

It is the original's story to its end, with the two things that the original could not do: resume,
and encryption. Knows what is done, what has to follow, and how that is proved. Must not know how it
is shown.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

from leftzmq.cli.demo.capture import Capture, can_capture
from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.cli.format.event_lines import human_bytes
from leftzmq.errors import ProblemKind

SMALL_BYTES: Final = 239_366  # the original's first file
STEP_S: Final = 300.0
KILLED_AFTER_S: Final = 2.0
IN_FLIGHT_BYTES: Final = 48 << 20
"""What may be fetched again after a kill: open gets at two sources, and pages of the file that were
not on the disk yet."""
EDIT_BYTES: Final = 3 << 20  # for a changed byte: at most two chunks of 1 MiB, and the list
TROUBLE_S: Final = 10.0
"""A problem that an agent shows for so long will not pass: the step ends, and reports it."""
_LOOK_S: Final = 1.0
_BLOCK: Final = 1 << 20


@dataclass(slots=True)
class Step:
    """One line of the final table. moved: bytes of files that arrived during the step. skipped: the
    step could not be checked here; `happened` says why."""

    number: int
    expected: str
    happened: str = ""
    ok: bool = False
    skipped: bool = False
    seconds: float = 0.0
    moved: int = 0
    proof: str = ""

    @property
    def rate(self) -> str:
        if not self.ok or self.moved < _BLOCK or not self.seconds:
            return ""
        return f"{self.moved / 1e6 / self.seconds:.0f} MB/s"


class Story:
    """size: bytes of the large file. each: called again and again while a step waits, with the
    present work in words; "" while the devices do it."""

    def __init__(self, stage: Stage, size: int, each: Callable[[str], None]) -> None:
        self.a, self.b, self.c = stage.actors
        self._size, self._each = size, each
        self._troubles: dict[str, float] = {}  # since when each problem is shown
        self._looked = 0.0
        self._began = 0.0  # when the clock of this step started
        self._told = (
            self.alone,
            self.appears,
            self.greet,
            self.large,
            self.folder,
            self.edit,
            self.sealed,
        )

    def __len__(self) -> int:
        return len(self._told)

    def step(self, number: int) -> Step:
        """Return the step of this number, from 1, before it is run."""
        return Step(number, (self._told[number - 1].__doc__ or "").strip())

    def tell(self, step: Step) -> None:
        """Run the step. After a step that is not ok no further step may be run."""
        self._began = time.monotonic()
        self._told[step.number - 1](step)
        step.seconds = step.seconds or time.monotonic() - self._began
        if not step.ok and (trouble := self._trouble()):
            step.happened = trouble

    def alone(self, step: Step) -> None:
        """A starts alone; the others cannot be reached; it goes on"""
        self.a.start()
        step.ok = self._until(lambda: self.a.status().get("state") == "alone")
        connected = [peer["name"] for peer in self.a.status().get("peers", []) if peer["connected"]]
        step.ok = step.ok and not connected
        step.happened = "ready, nobody there" if step.ok else "A has not come to rest"

    def appears(self, step: Step) -> None:
        """239,366 bytes appear at A; A's index has them"""
        (self.a.share / "1.mp4").write_bytes(os.urandom(SMALL_BYTES))
        step.ok = self._until(lambda: self.a.status().get("bytes") == SMALL_BYTES)
        step.happened = "in the index" if step.ok else "not in the index"
        step.proof = self.a.digest("1.mp4")

    def greet(self, step: Step) -> None:
        """B and C start, greet each other, and have the file"""
        self.b.start()
        self.c.start()
        self._everywhere("1.mp4", step)
        step.moved = 2 * SMALL_BYTES

    def large(self, step: Step) -> None:
        """A large file appears at B; A is killed, and goes on when C has it"""
        with (self.b.share / "2.mp4").open("wb") as file:
            for at in range(0, self._size, _BLOCK):
                self._each(f"it is being written at B: {100 * at // self._size}%")
                file.write(os.urandom(min(_BLOCK, self._size - at)))
        self._began = time.monotonic()
        had = self._kill_on_the_way()
        here = self._until(lambda: self.c.look("2.mp4"))
        before = self._sent()
        self.a.start()
        self._everywhere("2.mp4", step)
        step.moved = 2 * self._size
        if not (step.ok and here):
            return
        fetched = self.a.status().get("received_bytes", 0)
        b, c = (now - then for now, then in zip(self._sent(), before, strict=True))
        step.ok = fetched <= self._size - had + IN_FLIGHT_BYTES
        step.happened = (
            f"A had {human_bytes(had)}, fetched {human_bytes(fetched)} more: "
            f"{human_bytes(b)} from B, {human_bytes(c)} from C"
        )

    def folder(self, step: Step) -> None:
        """A folder with a small file"""
        (self.c.share / "folder").mkdir()
        (self.c.share / "folder" / "3.txt").write_bytes(os.urandom(1000))
        self._everywhere("folder/3.txt", step)

    def edit(self, step: Step) -> None:
        """One byte of the large file changes at C; only its chunk travels"""
        actors = (self.a, self.b)
        before = [actor.status().get("received_bytes", 0) for actor in actors]
        with (self.c.share / "2.mp4").open("r+b") as file:
            file.seek(self._size // 2)
            old = file.read(1)
            file.seek(self._size // 2)
            file.write(bytes((old[0] ^ 1,)))
        self._everywhere("2.mp4", step)
        if step.ok:
            after = [actor.status().get("received_bytes", 0) for actor in actors]
            moved = max(now - then for now, then in zip(after, before, strict=True))
            step.ok = 0 < moved <= EDIT_BYTES
            step.happened = f"{human_bytes(moved)} of {human_bytes(self._size)} fetched"

    def sealed(self, step: Step) -> None:
        """All of it is sealed: a capture holds neither contents nor names"""
        name, words = "a-name-to-be-found.txt", b"contents to be found " * 500
        with Capture() if can_capture() else nullcontext() as capture:
            (self.a.share / name).write_bytes(words)
            self._everywhere(name, step)
            seen = capture.until(2 * len(words)) if capture else b""
        if not step.ok:
            return
        if capture is None:
            step.skipped, step.happened = True, "not looked at: a capture needs Linux and root"
            return
        found = [text for text in (name.encode(), words[:21]) if text in seen]
        step.ok = not found and len(seen) >= 2 * len(words)
        what = f"found {found!r}" if found else "neither found"
        step.happened = f"{human_bytes(len(seen))} captured, {what}"

    # -- what the steps have in common -----------------------------------------------------------

    def _until(self, condition: Callable[[], object], period_s: float = 0.05) -> bool:
        met: object = False

        def over() -> bool:
            nonlocal met
            met = condition()
            return bool(met or self._trouble())

        wait_until(over, STEP_S, lambda: self._each(""), period_s)
        return bool(met)

    def _trouble(self) -> str:
        """Return what an agent has shown as a problem for some time, or "". Asks once a second."""
        now = time.monotonic()
        if now >= self._looked + _LOOK_S:
            self._looked = now
            shown = {
                f"{actor.name}: {problem['text']}"
                for actor in (self.a, self.b, self.c)
                if actor.runs
                for problem in actor.status().get("problem_list", [])
                if problem["problem"] != ProblemKind.BEING_WRITTEN.name
            }
            self._troubles = {text: self._troubles.get(text, now) for text in sorted(shown)}
        lasting = (text for text, at in self._troubles.items() if now >= at + TROUBLE_S)
        return next(lasting, "")

    def _kill_on_the_way(self) -> int:
        """Send SIGKILL to A two seconds after its first chunk, or half-way, whichever is first.
        Return the bytes that it had."""
        had, first = 0, 0.0

        def due() -> bool:
            nonlocal had, first
            for file in self.a.status().get("under_way", []):
                had = max(had, file["have"])
            if not first and had:
                first = time.monotonic()
            late = first and time.monotonic() - first > KILLED_AFTER_S
            return bool(late or had > self._size // 2 or self.a.look("2.mp4"))

        self._until(due, 0.02)
        self.a.kill()
        return had

    def _digest(self, actor: Actor, path: str) -> str:
        self._each(f"{path} is being read at {actor.name}, to compare")
        return actor.digest(path)

    def _sent(self) -> tuple[int, int]:
        b, c = (actor.status().get("sent_bytes", 0) for actor in (self.b, self.c))
        return b, c

    def _everywhere(self, path: str, step: Step) -> None:
        """Check that the file is the same on all three, in every byte and in its mtime."""
        actors = (self.a, self.b, self.c)

        def same() -> bool:
            looks = {actor.look(path) for actor in actors}
            if len(looks) > 1 or None in looks:
                return False
            # A file gets its name when it is whole: reading it again takes our time, not the
            # devices'.
            stood_at = time.monotonic()
            digests = {self._digest(actor, path) for actor in actors}
            if len(digests) > 1:
                return False
            step.seconds, step.proof = stood_at - self._began, digests.pop()
            return True

        step.ok = self._until(same)
        step.happened = "same bytes, same mtime" if step.ok else f"{path} differs"
