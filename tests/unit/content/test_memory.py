"""malloc: tuned where there is glibc, left alone elsewhere."""

from __future__ import annotations

import ctypes
import mmap
import platform
import subprocess
import sys

import pytest

from leftzmq.content import memory

# In a process of its own: what mallopt sets cannot be taken back.
FAULTS = """
import resource, sys
from leftzmq.content import ids, keys, memory, seal
if sys.argv[1] == "tuned":
    assert memory.tune_malloc()
folder = keys.derive_keys(bytes(32))
data = memoryview(bytearray(b"x" * (1 << 20)))
id = ids.chunk_id(folder, data)
def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        seal.seal_chunk(folder.first, id, data)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(4)
print(faults(20) // 20)
memory.trim()
"""

glibc_only = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc alone")


def faults_per_mebibyte(how: str) -> int:
    run = [sys.executable, "-c", FAULTS, how]
    return int(subprocess.run(run, check=True, capture_output=True, timeout=60).stdout)


@glibc_only
def test_sealing_a_mebibyte_faults_no_page_once_tuned() -> None:
    assert faults_per_mebibyte("tuned") < 20 < 200 < faults_per_mebibyte("as it is")


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert memory.tune_malloc() is False
    memory.trim()


def test_another_libc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert memory.tune_malloc() is False
    memory.trim()


@pytest.mark.parametrize("refused", [-1, -2, -3])
def test_one_refused_setting_is_said_and_the_others_are_made(
    monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    made = []

    class Libc:
        def gnu_get_libc_version(self) -> None: ...

        def mallopt(self, what: int, value: int) -> int:
            made.append(what)
            return int(what != refused)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Libc())
    assert memory.tune_malloc() is False
    assert sorted(made) == [-3, -2, -1]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc of Linux alone")
def test_what_lies_in_memory_is_known() -> None:
    before = memory.resident_bytes()
    with mmap.mmap(-1, 32 << 20) as held:  # what malloc gives may have been resident already
        for page in range(0, len(held), mmap.PAGESIZE):
            held[page] = 1
        assert memory.resident_bytes() - before > len(held) // 2 and before > 0
