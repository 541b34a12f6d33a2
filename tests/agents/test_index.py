"""Real agents whose index cannot be used for a while: the disk of the state directory is full, or
its file is damaged. Neither ends, and both go on by themselves."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.cli.demo.stage import Actor
from tests.agents.test_hostile import Scene, has, says


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path / "stage")
    yield scene
    scene.close()


@pytest.fixture
def mounts() -> Iterator[list[Path]]:
    """File systems that are unmounted at the end."""
    mounted: list[Path] = []
    yield mounted
    for path in mounted:
        subprocess.run(["umount", "-l", str(path)], check=True)


def small_disk(path: Path, mounts: list[Path]) -> None:
    """Below what lies there now: the device's key."""
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system of its own: root, and mount")
    mounts.append(path)
    for name, data in before.items():
        (path / name).touch(0o600)
        (path / name).write_bytes(data)


def fill(path: Path) -> Path:
    ballast = path / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return ballast


def why(actor: Actor) -> str:
    return str(actor.status()["why"])


def test_a_state_directory_that_is_full_for_a_while(scene: Scene, mounts: list[Path]) -> None:
    (a, b), _ = scene.set("AB", 0)
    small_disk(a.state, mounts)
    a.start()
    b.start()
    (b.share / "first").write_bytes(b"before")
    assert scene.until(lambda: has(a, "first", b"before"))
    ballast = fill(a.state)
    for number in range(40):
        (b.share / f"of b {number}").write_bytes(b"while it is full")
        (a.share / f"of a {number}").write_bytes(b"while it is full")
    assert scene.until(lambda: "no room for the index" in why(a))
    assert a.runs
    told = {path.name for path in b.share.iterdir() if path.name.startswith("of a")}
    ballast.unlink()
    assert scene.until(lambda: why(a) == "", 90.0)
    for number in range(40):
        for actor, path in ((a, f"of b {number}"), (b, f"of a {number}")):
            assert scene.until(lambda x=actor, p=path: has(x, p, b"while it is full")), (path, told)
    assert a.runs and "Traceback" not in a.log_tail(500)


def test_a_state_directory_that_is_full_at_the_start(scene: Scene, mounts: list[Path]) -> None:
    (a, b), _ = scene.set("AB", 0)
    small_disk(a.state, mounts)
    a.start()
    b.start()
    (b.share / "first").write_bytes(b"before")
    assert scene.until(lambda: has(a, "first", b"before"))
    a.stop()
    for file in a.state.glob("*.sqlite"):  # there is room in the log that it left
        sqlite3.connect(file).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    assert not list(a.state.glob("*-wal"))
    ballast = fill(a.state)
    a.start()
    names = [f"second {number}" for number in range(40)]  # the row of one may have room
    for name in names:
        (b.share / name).write_bytes(b"meanwhile")
    # Mostly the floor of free space is noticed first, which is for what others say.
    waits = ("no room for the index", "too little of the disk of the state directory")
    assert scene.until(lambda: any(said in why(a) or says(a, said) for said in waits))
    ballast.unlink()
    assert scene.until(lambda: all(has(a, name, b"meanwhile") for name in names), 90.0)
    # The files may be there before there was room for their rows: those are tried again.
    assert scene.until(lambda: why(a) == "", 90.0)
    assert "Traceback" not in a.log_tail(500)


def test_a_damaged_index_is_built_again(scene: Scene) -> None:
    (a, b), _ = scene.set("AB", 0)
    a.start()
    b.start()
    for number in range(300):
        (b.share / f"file {number}").write_bytes(b"%d" % number)
    assert scene.until(lambda: has(a, "file 299", b"299") and a.status()["tickets"] == 0)
    a.stop()
    for file in (*a.state.glob("*.sqlite"), *a.state.glob("*.sqlite-wal")):
        size = file.stat().st_size
        with file.open("r+b") as raw:  # all but the first pages, or the head of the log
            raw.seek(8192)
            raw.write(b"\xee" * (size - 8192))
    a.start()
    (a.share / "file 7").write_bytes(b"an edit")
    (b.share / "file 8").unlink()
    assert scene.until(lambda: says(a, "its index was damaged", "built again"))
    assert scene.until(lambda: has(b, "file 7", b"an edit"))
    assert scene.until(lambda: not (a.share / "file 8").exists())
    # Without an index nobody knows that the edit was made above what B has: then both are kept.
    assert scene.until(lambda: a.status()["state"] == "idle" and a.status()["files"] in (299, 300))
    assert list(a.state.glob("*.broken-index")) and "Traceback" not in a.log_tail(500)
    names = (path.name for path in a.share.iterdir())
    copies = [a.share / name for name in names if "conflict" in name and "lefting" not in name]
    assert [path.read_bytes() for path in copies] in ([], [b"7"])
