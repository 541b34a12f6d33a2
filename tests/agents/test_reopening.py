"""Real agents whose share goes and comes: its folder goes on by itself, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from tests.helpers.listing import files_in

DEADLINE_S = 30.0


def has(actor: Actor, path: str, data: bytes) -> bool:
    try:
        return (actor.share / path).read_bytes() == data
    except OSError:
        return False


def tree(actor: Actor) -> dict[str, bytes]:
    return files_in(actor.share)


def state(actor: Actor) -> Any:
    return actor.status().get("state")


def begin(stage: Stage) -> tuple[Actor, Actor]:
    a, b = stage.actors
    a.start()
    b.start()
    (a.share / "d").mkdir()
    (a.share / "d/f").write_bytes(b"of A")
    (b.share / "g").write_bytes(b"of B")
    assert wait_until(lambda: has(b, "d/f", b"of A") and has(a, "g", b"of B"), DEADLINE_S)
    return a, b


def goes_on(a: Actor, b: Actor, back: Callable[[], None]) -> None:
    """B edits while A has no share; then A's comes back, and both go on as if nothing had been."""
    (b.share / "d/f").write_bytes(b"edited by B meanwhile")
    (b.share / "g").unlink()
    assert wait_until(lambda: state(a) == "stopped", DEADLINE_S)
    assert "it is looked at again every few seconds" in a.status()["why"]
    back()
    (a.share / "h").write_bytes(b"by A, at once")
    assert wait_until(lambda: has(a, "d/f", b"edited by B meanwhile"), DEADLINE_S)
    assert wait_until(lambda: has(b, "h", b"by A, at once"), DEADLINE_S)
    assert wait_until(lambda: not (a.share / "g").exists(), DEADLINE_S)
    (b.share / "d/f").write_bytes(b"once more")
    assert wait_until(lambda: has(a, "d/f", b"once more"), DEADLINE_S)
    (a.share / "h").write_bytes(b"and back")
    assert wait_until(lambda: has(b, "h", b"and back"), DEADLINE_S)
    # The old version of a file is taken to the trash a moment after the new one has its name.
    both = {"d/f": b"once more", "h": b"and back"}
    assert wait_until(lambda: tree(a) == tree(b) == both, DEADLINE_S), (tree(a), tree(b))
    assert wait_until(lambda: state(a) == state(b) == "idle", DEADLINE_S)
    assert not a.status()["problems"] and "Traceback" not in a.log_tail(999)


def test_a_share_that_is_moved_away_and_back_goes_on_by_itself(stage: Stage) -> None:
    a, b = begin(stage)
    away = a.home / "moved away"
    a.share.rename(away)
    goes_on(a, b, lambda: away.rename(a.share) and None)
    assert "the folder goes on" in a.log_tail(999)


def test_a_share_that_is_not_there_at_the_start_goes_on_when_it_appears(stage: Stage) -> None:
    a, b = begin(stage)
    a.stop()
    away = a.home / "moved away"
    a.share.rename(away)
    a.start()
    goes_on(a, b, lambda: away.rename(a.share) and None)


def test_only_one_of_two_dials_and_its_share_goes_and_comes(stage: Stage) -> None:
    """Who was dialed has no link of its own to greet over; and who dialed hears it."""
    file = stage.actors[0].home / "peer.toml"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("address")))
    a, b = begin(stage)
    away = a.home / "moved away"
    a.share.rename(away)
    goes_on(a, b, lambda: away.rename(a.share) and None)


def test_a_share_that_is_unmounted_and_mounted_again_goes_on_by_itself(stage: Stage) -> None:
    if os.geteuid():
        pytest.skip("mounts are for root")
    a = stage.actors[0]
    image = a.home / "image"

    def call(*command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a mount: {done.stderr.strip() or command}")

    image.mkdir()
    a.share.mkdir()
    call("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(image))
    try:
        call("mount", "--bind", str(image), str(a.share))
        a, b = begin(stage)
        call("umount", "-l", str(a.share))
        assert wait_until(lambda: state(a) == "stopped", DEADLINE_S)  # also if nothing happens
        goes_on(a, b, lambda: call("mount", "--bind", str(image), str(a.share)))
    finally:
        subprocess.run(["umount", "-l", str(a.share)], capture_output=True)
        subprocess.run(["umount", "-l", str(image)], capture_output=True)
