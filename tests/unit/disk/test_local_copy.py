"""What comes from home: shared where blocks can be, copied elsewhere, checked where it came to."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from leftzmq.content.ids import chunk_id
from leftzmq.content.keys import derive_keys
from leftzmq.disk.fs.interface import CLONE_BYTES, Root
from leftzmq.disk.fs.real import RealRoot
from leftzmq.disk.staging.local_copy import HomeCopy, copy_home
from leftzmq.disk.staging.staging import open_staging
from tests.sim.disk import Disk
from tests.sim.fs import Calls, SimFile, SimRoot

KEYS = derive_keys(b"s" * 32)
LENGTHS = (70_000, 200_001, 4096, 131_072, 66_666)
SIZE = sum(LENGTHS)
DATA = random.Random(1).randbytes(SIZE)


def chunks_of(data: bytes, shift: int = 0) -> list[HomeCopy]:
    """Of the target `data`; they lie `shift` further back in the source."""
    found, offset = [], 0
    for length in LENGTHS:
        id = bytes(chunk_id(KEYS, data[offset : offset + length]))
        found.append((id, length, offset + shift, offset))
        offset += length
    return found


@pytest.fixture(params=[True, False], ids=["sharing", "not sharing"])
def calls(request: pytest.FixtureRequest) -> Calls:
    return Calls(Disk(time.time_ns, shares_blocks=request.param))


def put(root: Root, name: str, data: bytes) -> None:
    with root.folder("") as top, top.create(name) as file:
        file.write(0, data)


def brought(root: Root, chunks: list[HomeCopy]) -> tuple[list[int], bytes]:
    """The offsets that are said to be here, and what is."""
    staged, _ = open_staging(root, "f", None, SIZE)
    offsets = copy_home(root, staged, "home", chunks, KEYS)
    with root.folder("") as top, top.open_read(staged.path) as file:
        return offsets, file.read(0, SIZE + 1)


OFFSETS = [chunk[3] for chunk in chunks_of(DATA)]


@pytest.mark.parametrize("shift", [0, CLONE_BYTES, 1, 5000])
def test_a_twin_comes_whole_wherever_its_bytes_lie(calls: Calls, shift: int) -> None:
    root = SimRoot(calls)
    put(root, "home", bytes(shift) + DATA)
    assert brought(root, chunks_of(DATA, shift)) == (OFFSETS, DATA)


def test_one_chunk_that_differs_does_not_come(calls: Calls) -> None:
    root = SimRoot(calls)
    home = bytearray(DATA)
    home[100_000:100_003] = b"new"
    put(root, "home", bytes(home))
    offsets, data = brought(root, chunks_of(DATA))
    assert offsets == [0, *OFFSETS[2:]]
    assert data == DATA[:70_000] + bytes(200_001) + DATA[270_001:], "a hole, where it is not"


def test_a_source_that_is_too_short_gives_what_it_has(calls: Calls) -> None:
    root = SimRoot(calls)
    put(root, "home", DATA[:300_000])
    offsets, data = brought(root, chunks_of(DATA))
    assert offsets == OFFSETS[:3]
    assert data == DATA[:274_097] + bytes(SIZE - 274_097)


def test_what_lies_between_two_chunks_is_left_alone(calls: Calls) -> None:
    root = SimRoot(calls)
    put(root, "home", DATA)
    chunks = chunks_of(DATA)
    staged, _ = open_staging(root, "f", None, SIZE)
    with root.folder("") as top, top.open_write(staged.path) as file:
        file.write(70_000, b"from elsewhere" * 1000)
    assert copy_home(root, staged, "home", [chunks[0], *chunks[2:]], KEYS) == [0, *OFFSETS[2:]]
    with root.folder("") as top, top.open_read(staged.path) as file:
        assert file.read(70_000, 14_000) == b"from elsewhere" * 1000


@pytest.mark.parametrize("at", ["clone", "read"])
def test_what_a_user_writes_in_the_instant_is_not_taken(calls: Calls, at: str) -> None:
    root = SimRoot(calls)
    put(root, "home", DATA)
    done = []

    def writes(what: str, path: str) -> None:
        if what == at and not done:
            done.append(what)
            with root.folder("") as top, top.open_write("home") as file:
                assert isinstance(file, SimFile)
                calls.disk.write(file.inode, 80_000, b"written now")

    calls.before = writes
    offsets, data = brought(root, chunks_of(DATA))
    assert done
    for offset, length in zip(OFFSETS, LENGTHS, strict=True):
        is_there = data[offset : offset + length] == DATA[offset : offset + length]
        assert is_there == (offset in offsets)
        assert is_there or data[offset : offset + length] == bytes(length)
    assert offsets in (OFFSETS, [0, *OFFSETS[2:]])


# ---- on file systems that share ----------------------------------------------------------------

MIB = 1 << 20
MAKE = {"xfs": ["mkfs.xfs", "-q"], "btrfs": ["mkfs.btrfs", "-q"]}


@contextmanager
def mounted(kind: str, base: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("a mount: only root may")
    if shutil.which(MAKE[kind][0]) is None:
        pytest.skip(f"{MAKE[kind][0]} is not installed")
    image, path = base / "image", base / "mounted"
    with image.open("wb") as file:
        file.truncate(512 * MIB)
    path.mkdir()
    subprocess.run([*MAKE[kind], str(image)], check=True, capture_output=True)
    done = subprocess.run(
        ["mount", "-o", "loop", str(image), str(path)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"a mount: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.parametrize("kind", MAKE)
def test_a_copy_takes_up_no_room_where_blocks_are_shared(kind: str, tmp_path: Path) -> None:
    with mounted(kind, tmp_path) as share:
        data = random.Random(2).randbytes(64 * MIB)
        (share / "home").write_bytes(data)
        chunks: list[HomeCopy] = []
        for offset in range(0, len(data), 200_001):
            piece = data[offset : offset + 200_001]
            chunks.append((bytes(chunk_id(KEYS, piece)), len(piece), offset, offset))
        os.sync()
        before = shutil.disk_usage(share).used
        root = RealRoot(share)
        staged, _ = open_staging(root, "f", None, len(data))
        assert copy_home(root, staged, "home", chunks, KEYS) == [chunk[3] for chunk in chunks]
        os.sync()
        assert shutil.disk_usage(share).used - before < 4 * MIB
        assert (share / staged.path).read_bytes() == data
        (share / "home").write_bytes(b"")
        assert (share / staged.path).read_bytes() == data
