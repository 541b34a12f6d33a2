"""Two shares, A and B, and a program that keeps them the same.

Knows what a bench asks of such a program, whichever program it is. Must not know what is measured.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

from processes import cpu_s, exact_cpu_s, peak_mib, resident_mib

LONGEST_S = 300.0
"""A measurement that takes longer has failed. For each of its files it has SECONDS_A_FILE more."""
SECONDS_A_FILE = 0.005


class Failed(Exception):
    """A measurement did not come to its end; the text says why."""


class Lacking(Exception):
    """Something is missing here without which nothing can be measured; the text says what."""


def longest_s(files: int) -> float:
    """Return the seconds after which something that is done with these files has failed."""
    return LONGEST_S + files * SECONDS_A_FILE


def require(program: str) -> None:
    """Raise Lacking where a program is not installed."""
    if shutil.which(program) is None:
        raise Lacking(f"{program} is not installed")


@dataclass(frozen=True, slots=True)
class Scan:
    """How long a scan took.

    ready_s: from the start of the process until the program answers
    over_s: from the start of the process until the scan is over
    seconds: of the scan alone
    """

    ready_s: float
    over_s: float
    seconds: float


class Pair(ABC):
    """a, b: the two shares. home: a folder on their file system that the program does not watch."""

    a: Path
    b: Path
    home: Path

    @abstractmethod
    def begin(self, files: int, size: int) -> None:
        """Start A over what lies in its share: `files` files of `size` bytes in all. Return when
        the program knows them, as far as it can without B."""

    @abstractmethod
    def join(self) -> None:
        """Start B. From now on the program makes the two shares the same."""

    @abstractmethod
    def met(self) -> bool:
        """Whether A and B are connected."""

    @abstractmethod
    def settled(self) -> bool:
        """Whether both know that they have the same files."""

    @abstractmethod
    def rest(self) -> None:
        """Wait after an edit that is at B, as a user does before the next one."""

    @abstractmethod
    def cpu_s(self) -> list[float]:
        """Return the CPU seconds so far of A and of B."""

    @abstractmethod
    def stop(self) -> None:
        """End all processes."""

    @abstractmethod
    def log_tail(self) -> str:
        """Return the last lines that the program said."""

    def nudge(self) -> None:  # noqa: B027 (most programs watch their shares)
        """Have the program look at A's share now, if it does not watch it."""

    def accept(self) -> bool:
        """Let through what is held back on A. Return whether anything was."""
        return False


P = TypeVar("P", bound=Pair)


@contextmanager
def opened_with(program: str, make: Callable[[Path], P], home: Path) -> Iterator[P]:
    """Yield a pair of an installed program in this new folder, not started; its processes are
    ended afterwards."""
    require(program)
    home.mkdir()
    pair = make(home)
    try:
        yield pair
    finally:
        pair.stop()


class Device(Protocol):
    """One of two devices that run a process of their own."""

    @property
    def share(self) -> Path: ...
    @property
    def home(self) -> Path: ...
    @property
    def pid(self) -> int: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def log_tail(self) -> str: ...


class Indexing(Pair):
    """A pair of devices, each with an index of its own."""

    keeps: ClassVar[str]
    """The pattern of the files of the index in the state directory."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._first, self._second = devices
        self.a, self.b = self._first.share, self._second.share
        self.home = self._first.home

    @abstractmethod
    def scan(self, files: int, size: int) -> Scan:
        """Start A, and return when it has all of these in its index and its first scan is over."""

    @abstractmethod
    def ask_status(self) -> None:
        """Ask A for its state, and read the answer."""

    @abstractmethod
    def is_under_way(self) -> bool:
        """Whether B fetches a large file now."""

    @abstractmethod
    def received_bytes(self) -> int:
        """Return the bytes that B has received so far."""

    @abstractmethod
    def index_files(self) -> list[Path]:
        """Return the files of A's index."""

    def begin(self, files: int, size: int) -> None:
        self.scan(files, size)

    def join(self) -> None:
        self._second.start()

    def pause_a(self) -> None:
        """End A's process, and leave everything else."""
        self._first.stop()

    def cpu_s(self) -> list[float]:
        return [cpu_s(self._first.pid), cpu_s(self._second.pid)]

    def peak_mib(self) -> list[float]:
        """Return the most memory that A and B had, in MiB."""
        return [peak_mib(self._first.pid), peak_mib(self._second.pid)]

    def peak_mib_of_a(self) -> float:
        return peak_mib(self._first.pid)

    def resident_mib_of_a(self) -> float:
        return resident_mib(self._first.pid)

    def exact_cpu_s_of_a(self) -> float:
        return exact_cpu_s(self._first.pid)

    def stop(self) -> None:
        self._first.stop()
        self._second.stop()

    def log_tail(self) -> str:
        return f"A:\n{self._first.log_tail()}\nB:\n{self._second.log_tail()}"
