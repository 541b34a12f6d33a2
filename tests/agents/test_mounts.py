"""I11 with a mount inside the share: while it is not there, nothing below it counts as changed, and
nothing is written where it belongs. Real mounts, of agents that run: by root only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.transport.ipc.client import ask
from tests.helpers import processes
from tests.helpers.listing import files_in

DEADLINE_S = 30.0
WATCHED_S = 20.0
"""Less than the half minute after which somebody looks anyway at what is not watched."""
STILL_S = 3.0
"""So long nothing must happen that must not."""


class Mount:
    """A file system of its own, that comes and goes."""

    def __init__(self, image: Path, path: Path) -> None:
        self.image, self.path = image, path
        image.mkdir()
        path.mkdir(parents=True, exist_ok=True)
        self.up = False
        self._call("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(image))
        try:
            self.come()
        except BaseException:
            self.end()
            raise

    def come(self) -> None:
        """The same one, again."""
        self._call("mount", "--bind", str(self.image), str(self.path))
        self.up = True

    def go(self) -> None:
        self._call("umount", "-l", str(self.path))
        self.up = False

    def end(self) -> None:
        if self.up:
            self.go()
        self._call("umount", "-l", str(self.image))

    def _call(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a mount: {done.stderr.strip() or command}")


@pytest.fixture
def mount(stage: Stage) -> Iterator[Mount]:
    if os.geteuid():
        pytest.skip("mounts are for root")
    mount = Mount(stage.home / "image", stage.actors[0].share / "deep" / "disk")
    yield mount
    mount.end()


def folder(actor: Actor) -> dict[str, Any]:
    status: dict[str, Any] = ask(actor.state, "status", timeout_s=5)["folders"][0]
    return status


def problems(actor: Actor) -> list[tuple[str, str]]:
    return [(each["path"], each["problem"]) for each in folder(actor)["problem_list"]]


def has(actor: Actor, path: str, data: bytes) -> bool:
    try:
        return (actor.share / path).read_bytes() == data
    except OSError:
        return False


def files(actor: Actor) -> set[str]:
    return set(files_in(actor.share))


def is_missed(actor: Actor) -> bool:
    return ("deep/disk", "MOUNT_GONE") in problems(actor)


HELD = {"deep/disk/one", "deep/disk/in/two", "deep/beside"}


def begin(stage: Stage, mount: Mount) -> tuple[Actor, Actor]:
    a, b = stage.actors
    (mount.path / "in").mkdir()
    (mount.path / "one").write_bytes(b"1")
    (mount.path / "in" / "two").write_bytes(b"22")
    a.start()
    b.start()
    (a.share / "deep" / "beside").write_bytes(b"beside")
    assert wait_until(lambda: files(b) >= HELD, DEADLINE_S)
    return a, b


@contextmanager
def adopting(actor: Actor) -> Iterator[None]:
    """Its agent, told that the share is as it should be."""
    config = str(actor.home / "peer.toml")
    command = [sys.executable, "-m", "leftzmq.cli.agent", "-c", config, "--adopt", "share"]
    with (actor.home / "log").open("a") as log:
        agent = processes.start(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert agent.stdout is not None and agent.stdout.readline().startswith("ready ")
        yield
    finally:
        agent.terminate()
        assert agent.wait(10) == 0


def bears(a: Actor, b: Actor) -> None:
    """What is not mounted is not deleted, and nothing is written where it belongs."""
    (b.share / "deep" / "disk" / "new of b").write_bytes(b"new")
    (b.share / "deep" / "disk" / "one").unlink()
    (b.share / "deep" / "beside").write_bytes(b"goes on")
    assert wait_until(lambda: has(a, "deep/beside", b"goes on"), DEADLINE_S)
    assert not wait_until(lambda: not files(b) >= HELD - {"deep/disk/one"}, STILL_S)
    assert os.listdir(a.share / "deep" / "disk") == [] and a.runs
    assert is_missed(a)


def goes_on(a: Actor, b: Actor) -> None:
    expected = {"deep/disk/in/two", "deep/beside", "deep/disk/new of b"}
    assert wait_until(lambda: files(a) == files(b) == expected, 60.0), (files(a), files(b))
    assert wait_until(lambda: not problems(a), DEADLINE_S), problems(a)
    assert "Traceback" not in a.log_tail(500)


def is_watched(a: Actor, b: Actor) -> None:
    """What came while the agent ran is watched: no half minute goes by until somebody looks."""
    (a.share / "deep" / "disk" / "of a").write_bytes(b"of a")
    assert wait_until(lambda: has(b, "deep/disk/of a", b"of a"), WATCHED_S)
    (a.share / "deep" / "disk" / "made").mkdir(exist_ok=True)
    (a.share / "deep" / "disk" / "made" / "in it").write_bytes(b"too")
    assert wait_until(lambda: has(b, "deep/disk/made/in it", b"too"), WATCHED_S)


@pytest.mark.long
def test_a_mount_inside_that_goes_and_comes_again(stage: Stage, mount: Mount) -> None:
    a, b = begin(stage, mount)
    mount.go()
    assert wait_until(lambda: is_missed(a), DEADLINE_S)
    bears(a, b)
    mount.come()
    goes_on(a, b)
    is_watched(a, b)


def test_a_mount_that_comes_for_the_first_time_while_the_agent_runs(
    stage: Stage, mount: Mount
) -> None:
    a, b = stage.actors
    (mount.path / "in").mkdir()
    (mount.path / "in" / "two").write_bytes(b"22")
    mount.go()
    a.start()
    b.start()
    (a.share / "deep" / "beside").write_bytes(b"beside")
    assert wait_until(lambda: has(b, "deep/beside", b"beside"), DEADLINE_S)
    assert wait_until(lambda: folder(a)["state"] == "idle", DEADLINE_S)
    mount.come()
    assert wait_until(lambda: has(b, "deep/disk/in/two", b"22"), WATCHED_S)
    is_watched(a, b)
    mount.go()
    assert wait_until(lambda: is_missed(a), WATCHED_S)
    mount.come()
    assert wait_until(lambda: not problems(a), WATCHED_S), problems(a)
    is_watched(a, b)
    assert "Traceback" not in a.log_tail(500)


@pytest.mark.long
def test_a_mount_inside_that_is_missing_at_a_start(stage: Stage, mount: Mount) -> None:
    a, b = begin(stage, mount)
    assert wait_until(lambda: folder(a)["state"] == "idle", DEADLINE_S)
    a.stop()
    mount.go()
    a.start()
    assert wait_until(lambda: is_missed(a), DEADLINE_S)
    bears(a, b)
    mount.come()
    goes_on(a, b)


def test_another_disk_that_is_put_in_its_place_while_no_agent_runs(
    stage: Stage, mount: Mount
) -> None:
    """It is not taken for the one that we know, and gives and gets nothing."""
    a, b = begin(stage, mount)
    assert wait_until(lambda: folder(a)["state"] == "idle", DEADLINE_S)
    a.stop()
    mount.go()
    other = Mount(stage.home / "another", mount.path)
    try:
        (mount.path / "of another").write_bytes(b"another's")
        (b.share / "deep" / "disk" / "new of b").write_bytes(b"new")
        a.start()
        assert wait_until(lambda: is_missed(a), DEADLINE_S)
        assert not wait_until(lambda: files(b) != HELD | {"deep/disk/new of b"}, STILL_S)
        assert os.listdir(mount.path) == ["of another"]
        a.stop()
    finally:
        other.end()
    mount.come()
    a.start()
    expected = HELD | {"deep/disk/new of b"}
    assert wait_until(lambda: files(a) == files(b) == expected, DEADLINE_S), (files(a), files(b))
    assert not problems(a) and "Traceback" not in a.log_tail(500)


def test_a_share_that_was_replaced_and_is_adopted_while_its_mount_is_missing(
    stage: Stage, mount: Mount
) -> None:
    """The new share is empty; all comes back from the other device, and the mount on top of it."""
    a, b = begin(stage, mount)
    a.stop()
    mount.go()
    a.share.rename(a.home / "the old one")
    a.share.mkdir()
    a.start()
    assert folder(a)["state"] == "stopped" and "--adopt share" in folder(a)["why"]
    assert not wait_until(lambda: files(b) != HELD, STILL_S)
    a.stop()
    with adopting(a):
        assert wait_until(lambda: files(a) == files(b) == HELD, DEADLINE_S), (files(a), files(b))
    mount.come()
    a.start()
    assert wait_until(lambda: folder(a)["state"] == "idle", DEADLINE_S)
    (mount.path / "more").write_bytes(b"more")
    assert wait_until(lambda: files(a) == files(b) == HELD | {"deep/disk/more"}, DEADLINE_S)
    assert not problems(a) and "Traceback" not in a.log_tail(500)


def test_a_mount_that_is_to_be_a_folder_from_now_on_is_adopted(stage: Stage, mount: Mount) -> None:
    """What was on it comes back from the other device, into the folder."""
    a, b = begin(stage, mount)
    mount.go()
    assert wait_until(lambda: is_missed(a), DEADLINE_S)
    a.stop()
    with adopting(a):
        assert wait_until(lambda: files(a) == files(b) == HELD, DEADLINE_S), (files(a), files(b))
        assert not problems(a)
        (a.share / "deep" / "disk" / "one").unlink()
        assert wait_until(lambda: "deep/disk/one" not in files(b), DEADLINE_S)


def test_a_share_that_is_a_mount_goes_with_the_mount_inside_it(stage: Stage) -> None:
    if os.geteuid():
        pytest.skip("mounts are for root")
    a, b = stage.actors
    outer = Mount(stage.home / "outer", a.share)
    try:
        inner = Mount(stage.home / "inner", a.share / "disk")
        try:
            nested(a, b, outer, inner)
        finally:
            a.stop()
            inner.end()
    finally:
        outer.end()


def nested(a: Actor, b: Actor, outer: Mount, inner: Mount) -> None:
    (inner.path / "f").write_bytes(b"on the inner one")
    a.start()
    b.start()
    assert wait_until(lambda: has(b, "disk/f", b"on the inner one"), DEADLINE_S)
    assert wait_until(lambda: folder(a)["state"] == "idle", DEADLINE_S)
    inner.go()
    outer.go()
    assert wait_until(lambda: folder(a)["state"] == "stopped", WATCHED_S)
    (b.share / "of b").write_bytes(b"1")
    assert has(b, "disk/f", b"on the inner one") and os.listdir(a.share) == []
    outer.come()
    assert wait_until(lambda: ("disk", "MOUNT_GONE") in problems(a), DEADLINE_S)
    inner.come()
    assert wait_until(lambda: not problems(a), DEADLINE_S)
    assert has(b, "disk/f", b"on the inner one") and has(a, "disk/f", b"on the inner one")
    assert wait_until(lambda: has(a, "of b", b"1"), DEADLINE_S)
    assert "Traceback" not in a.log_tail(500)
