"""Real agents, one of them on a disk of its own: small, failing, or with files of other people.

The disks are mounted by the test, which only root may.
"""

from __future__ import annotations

import fcntl
import os
import random
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.transport.ipc.client import ask
from tests.helpers.listing import files_in

DEADLINE_S = 60.0
MIB = 1 << 20
SAVES, SAVE_BYTES, SMALL_DISK = 24, 10 * MIB, 200 * MIB
FIBMAP = 1  # include/uapi/linux/fs.h: the block of a file on its device

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")


@contextmanager
def mounted(where: Path, *command: str) -> Iterator[None]:
    if subprocess.run(["mount", *command, str(where)], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(where)], check=False)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage("ABC", tmp_path / "stage") as stage:
        for actor in stage.actors:
            actor.share.mkdir()
        yield stage
        for actor in stage.actors:
            print(f"--- log of {actor.name}\n{actor.log_tail(60)}")


def problems(actor: Actor) -> dict[str, dict[str, Any]]:
    found = ask(actor.state, "problems", timeout_s=5)["problems"]
    return {problem["path"]: problem for problem in found}


def kind(actor: Actor, path: str) -> str:
    return str(problems(actor).get(path, {}).get("problem", ""))


def has(actor: Actor, path: str, data: bytes) -> bool:
    try:
        return (actor.share / path).read_bytes() == data
    except OSError:
        return False


def trashed(actor: Actor) -> list[bytes]:
    return list(files_in(actor.share / ".left/trash").values())


def turn_a_bit(disk: Path, file: Path, at: int) -> None:
    """Of a file on the file system in `disk`, behind the back of the kernel, which forgets what it
    read of the file."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        size = os.fstatvfs(opened.fileno()).f_bsize
        packed = fcntl.ioctl(opened.fileno(), FIBMAP, struct.pack("i", at // size))
        (block,) = struct.unpack("i", packed)
        assert block, "it has no block there"
        with disk.open("r+b") as raw:
            place = block * size + at % size
            (byte,) = os.pread(raw.fileno(), 1, place)
            os.pwrite(raw.fileno(), bytes((byte ^ 1,)), place)
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@pytest.mark.long
def test_a_bit_that_turns_on_a_disk_is_said_and_healed(stage: Stage, tmp_path: Path) -> None:
    a, b, c = stage.actors
    disk = tmp_path / "disk"
    with disk.open("wb") as raw:
        raw.truncate(64 * MIB)
    made = subprocess.run(["mkfs.ext4", "-q", str(disk)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no ext4 can be made here")
    data = random.Random(1).randbytes(3 * MIB)
    with mounted(b.share, "-o", "loop", str(disk)):
        (b.share / "lost+found").rmdir()
        a.start()
        b.start()
        (a.share / "f").write_bytes(data)
        assert wait_until(lambda: has(b, "f", data), DEADLINE_S)
        assert wait_until(lambda: b.status().get("state") == "idle", DEADLINE_S)
        a.stop()
        before = (b.share / "f").stat()
        turn_a_bit(disk, b.share / "f", 2 * MIB + 77)
        rotten = (b.share / "f").read_bytes()
        assert rotten != data and (b.share / "f").stat().st_ctime_ns == before.st_ctime_ns
        c.start()
        assert wait_until(lambda: kind(b, "f") == "ROTTEN", DEADLINE_S)
        assert wait_until(lambda: kind(c, "f") == "NOT_GIVEN", DEADLINE_S)
        assert "asked: B" in problems(c)["f"]["text"] and "touch" in problems(b)["f"]["text"]
        a.start()
        assert wait_until(lambda: has(b, "f", data) and has(c, "f", data), DEADLINE_S)
        assert trashed(b) == [rotten] and has(a, "f", data)
        assert wait_until(lambda: not problems(b) and not problems(c), DEADLINE_S)
        b.stop()


@pytest.mark.long
def test_what_is_saved_often_arrives_on_a_small_disk(stage: Stage) -> None:
    a, b, _ = stage.actors
    with mounted(b.share, "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs"):
        a.start()
        b.start()
        data = b""
        for number in range(SAVES):
            before, data = data, random.Random(number).randbytes(SAVE_BYTES)
            (a.share / "f").write_bytes(data)
            assert wait_until(lambda: has(b, "f", data), DEADLINE_S), number  # noqa: B023
            assert not before or before in trashed(b)
        assert problems(b) == {} and len(trashed(b)) > SMALL_DISK // SAVE_BYTES // 2
        b.stop()


def test_what_is_replaced_stays_its_owners(stage: Stage) -> None:
    a, b, _ = stage.actors
    a.start()
    b.start()
    (a.share / "d").mkdir()
    (a.share / "d/f").write_bytes(b"one")
    assert wait_until(lambda: has(b, "d/f", b"one"), DEADLINE_S)
    for path in (b.share / "d", b.share / "d/f"):
        os.chown(path, 1000, 1001)
    (b.share / "d").chmod(0o700)
    (b.share / "d/f").chmod(0o640)
    (a.share / "d/f").write_bytes(b"two")
    (a.share / "d/new").write_bytes(b"new")
    assert wait_until(lambda: has(b, "d/f", b"two") and has(b, "d/new", b"new"), DEADLINE_S)
    for name, mode in (("f", 0o640), ("new", 0o644)):
        found = (b.share / "d" / name).stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (1000, 1001, mode)
    assert problems(b) == {}
