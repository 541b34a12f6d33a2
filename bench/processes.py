"""What the kernel says of a process: its CPU seconds and its memory.

Knows /proc. Must not know which program it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
_KIB_A_MIB: Final = 1024
_USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM = 11, 12, 13, 14
"""Places in /proc/PID/stat, behind the name of the program."""


def cpu_s(pid: int, *, with_children: bool = False) -> float:
    """Return the CPU seconds so far; with_children: also those of children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    places = [_USER, _SYSTEM] + ([_CHILDREN_USER, _CHILDREN_SYSTEM] if with_children else [])
    return sum(int(fields[place]) for place in places) / _TICKS_A_SECOND


def exact_cpu_s(pid: int) -> float:
    """Return the CPU seconds of the threads that run now, to the nanosecond: for a process that is
    idle, and uses less than one tick of `cpu_s`."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def has_children(pid: int) -> bool:
    """Whether a process has children that run or were not waited for yet."""
    return bool(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def peak_mib(pid: int) -> float:
    """Return the most memory that the process had so far, in MiB."""
    return _memory_mib(pid, "VmHWM")


def resident_mib(pid: int) -> float:
    """Return the memory that the process has now, in MiB."""
    return _memory_mib(pid, "VmRSS")


def size_of(files: Iterable[Path]) -> int:
    """Return the bytes of these files; one that has gone meanwhile has none."""
    return sum(file.stat().st_size for file in files if file.is_file())


def _memory_mib(pid: int, field: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(field))
    return int(line.split()[1]) / _KIB_A_MIB
