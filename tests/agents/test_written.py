"""Real agents: files that are written all the time, and files with more than one name."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from tests.helpers import processes

DEADLINE_S = 30.0
PATIENCE_S = 2.0
EVERY_S = 0.1


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage("AB", tmp_path / "stage") as stage:
        for actor in stage.actors:
            config = actor.home / "peer.toml"
            folder = 'id     = "share"\n'
            text = config.read_text().replace(folder, f"{folder}patience_s = {PATIENCE_S}\n")
            config.write_text(text)
            actor.start()
        yield stage
        for actor in stage.actors:
            print(f"--- log of {actor.name}\n{actor.log_tail(60)}")


def admin(actor: Actor, *arguments: str) -> subprocess.CompletedProcess[str]:
    config = str(actor.home / "peer.toml")
    return processes.run(
        [sys.executable, "-m", "leftzmq.cli.admin", *arguments, "-c", config],
        capture_output=True,
        text=True,
        timeout=60,
    )


def read(actor: Actor, path: str) -> bytes:
    try:
        return (actor.share / path).read_bytes()
    except OSError:
        return b""


class Writer(threading.Thread):
    """A program that writes numbered lines through one descriptor, until it is told to end."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._end = path, threading.Event()
        self.lines = 0

    def run(self) -> None:
        with self._path.open("ab", buffering=0) as log:
            while not self._end.wait(EVERY_S):
                log.write(b"%07d\n" % self.lines)
                self.lines += 1

    def end(self) -> None:
        self._end.set()
        self.join()


def test_a_log_comes_while_it_is_written_and_status_says_that_it_is(stage: Stage) -> None:
    a, b = stage.actors
    writer = Writer(a.share / "log")
    writer.start()
    try:
        assert wait_until(lambda: read(b, "log"), DEADLINE_S)
        assert wait_until(lambda: "log: is being written" in admin(a, "status").stdout, DEADLINE_S)
        there = read(b, "log")
        assert there == b"".join(b"%07d\n" % number for number in range(len(there) // 8))
    finally:
        writer.end()
    assert wait_until(lambda: len(read(b, "log")) == 8 * writer.lines, DEADLINE_S)
    assert wait_until(lambda: "is being written" not in admin(a, "status").stdout, DEADLINE_S)


def test_wait_knows_of_what_was_written_through_another_name(stage: Stage) -> None:
    """In the share, and outside of it."""
    a, b = stage.actors
    outside = a.home / "outside"
    outside.write_bytes(b"one")
    (a.share / "x").write_bytes(b"old")
    os.link(a.share / "x", a.share / "y")
    os.link(outside, a.share / "z")
    assert wait_until(lambda: read(b, "y") == b"old" and read(b, "z") == b"one", DEADLINE_S)
    for data, path in ((b"new", a.share / "x"), (b"NEW", a.share / "y"), (b"two", outside)):
        with path.open("r+b") as file:
            file.write(data)
        waited = admin(a, "wait", "--timeout", str(DEADLINE_S))
        assert waited.returncode == 0, waited.stderr
        names = ("z",) if path == outside else ("x", "y")
        assert [read(b, name) for name in names] == [data] * len(names)
