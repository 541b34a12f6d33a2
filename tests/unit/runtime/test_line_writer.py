"""Lines to a descriptor that stalls, is full, closed, or non-blocking: nobody waits, all is
counted."""

from __future__ import annotations

import fcntl
import os
import re
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.cli.demo.stage import wait_until
from leftzmq.runtime.line_writer import MAX_WAITING_BYTES, LineWriter

DEADLINE_S = 20.0
PIPE_BYTES = 4096


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reads, writes = os.pipe()
    fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    yield reads, writes
    for fd in (reads, writes):
        try:
            os.close(fd)
        except OSError:
            continue  # the test did


def outlet(fd: int) -> LineWriter:
    return LineWriter(fd, lambda count: f"lost {count}")


def everything(fd: int) -> list[str]:
    """Until who writes has closed it."""
    with os.fdopen(fd, closefd=False) as file:
        return file.read().splitlines()


def numbers(lines: list[str]) -> list[int]:
    """The numbers that were written or are said to be lost, in order."""
    found: list[int] = []
    for line in lines:
        if lost := re.fullmatch(r"lost (\d+)", line):
            at = found[-1] + 1 if found else 0
            found += range(at, at + int(lost[1]))
        else:
            found.append(int(line.split()[0]))
    return found


def test_lines_come_in_order(pipe: tuple[int, int]) -> None:
    out = outlet(pipe[1])
    for number in range(50):
        out.put(f"{number} \udce9")
    assert out.close(DEADLINE_S)
    os.close(pipe[1])
    assert numbers(everything(pipe[0])) == list(range(50))


def test_who_puts_never_waits_and_what_is_lost_is_counted_at_its_place(
    pipe: tuple[int, int],
) -> None:
    out = outlet(pipe[1])
    count = 3 * MAX_WAITING_BYTES // 1000
    began = time.monotonic()
    for number in range(count):
        out.put(f"{number} {'x' * 900}")
    assert time.monotonic() - began < 2.0
    assert not out.close(0.05), "nobody reads"
    reader = threading.Thread(target=lambda: read.extend(everything(pipe[0])))
    read: list[str] = []
    reader.start()
    assert out.close(DEADLINE_S)
    os.close(pipe[1])
    reader.join()
    assert numbers(read) == list(range(count))
    assert read[-1].startswith("lost ")


def test_after_a_loss_it_goes_on_and_the_count_stands_between(pipe: tuple[int, int]) -> None:
    out = outlet(pipe[1])
    count = 2 * MAX_WAITING_BYTES // 1000
    for number in range(count):
        out.put(f"{number} {'x' * 900}")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.extend(everything(pipe[0])))
    reader.start()
    assert wait_until(lambda: out._put_bytes == out._taken_bytes, DEADLINE_S)
    out.put(f"{count}")
    assert out.close(DEADLINE_S)
    os.close(pipe[1])
    reader.join()
    assert numbers(read) == list(range(count + 1))
    assert read[-2].startswith("lost ") and read[-1] == f"{count}"


def test_a_reader_that_goes_away_is_no_error(pipe: tuple[int, int]) -> None:
    out = outlet(pipe[1])
    os.close(pipe[0])
    for number in range(1000):
        out.put(f"{number}")
    assert out.close(DEADLINE_S)


@pytest.mark.parametrize("how", ["full", "closed"])
def test_a_descriptor_that_takes_nothing_is_no_error(how: str) -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    out = outlet(fd)
    if how == "closed":
        os.close(fd)
    for number in range(1000):
        out.put(f"{number}")
    assert out.close(DEADLINE_S)
    if how == "full":
        os.close(fd)


def test_a_disk_that_was_full_for_a_while_has_the_count(tmp_path: Path) -> None:
    """/dev/full, and then a file under the same number."""
    fd = os.open("/dev/full", os.O_WRONLY)
    out = outlet(fd)
    for number in range(10):
        out.put(f"{number}")
    assert wait_until(lambda: out._failed == 10, DEADLINE_S)
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(file, fd)
    out.put("10")
    assert out.close(DEADLINE_S)
    assert (tmp_path / "log").read_text().splitlines() == ["lost 10", "10"]
    os.close(fd)
    os.close(file)


@pytest.mark.parametrize("lowest", [0, 1024])
def test_a_non_blocking_descriptor_loses_nothing(pipe: tuple[int, int], lowest: int) -> None:
    if lowest >= resource.getrlimit(resource.RLIMIT_NOFILE)[0]:
        pytest.skip("this user may not have so many descriptors")
    fd = fcntl.fcntl(pipe[1], fcntl.F_DUPFD, lowest)
    os.set_blocking(fd, False)
    out = outlet(fd)
    for number in range(500):
        out.put(f"{number} {'x' * 100}")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.extend(everything(pipe[0])))
    reader.start()
    assert out.close(DEADLINE_S)
    os.close(fd)
    os.close(pipe[1])
    reader.join()
    assert numbers(read) == list(range(500))
