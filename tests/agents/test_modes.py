"""Who may read, write and run a file is the same on all devices, and never a conflict."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.tree.conflict import CONFLICT_MARK
from tests.helpers import processes

DEADLINE_S = 20


def mode(actor: Actor, path: str) -> str:
    """As `ls` counts it, or "" where nothing is."""
    try:
        return oct((actor.share / path).stat().st_mode & 0o7777)
    except OSError:
        return ""


def comes(actor: Actor, path: str, wanted: int) -> None:
    assert wait_until(lambda: mode(actor, path) == oct(wanted), DEADLINE_S), mode(actor, path)


def write(actor: Actor, path: str, data: bytes, bits: int) -> Path:
    target = actor.share / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    target.chmod(bits)
    return target


def keeps(actor: Actor, perms: str) -> None:
    config = actor.home / "peer.toml"
    lines = [line for line in config.read_text().splitlines() if not line.startswith("perms")]
    at = next(at for at, line in enumerate(lines) if line.startswith("secret"))
    lines.insert(at, f'perms = "{perms}"')
    config.write_text("\n".join(lines))


def adopt(actor: Actor, *arguments: str) -> tuple[int, str]:
    """Exit code, and all that is printed."""
    config = str(actor.home / "peer.toml")
    done = processes.run(
        [sys.executable, "-m", "leftzmq.cli.admin", "modes", "adopt", *arguments, "-c", config],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def both_start(stage: Stage) -> tuple[Actor, Actor]:
    a, b = stage.actors
    for actor in (a, b):
        actor.start()
    return a, b


@pytest.mark.parametrize("size", [100, 3 << 20])
def test_a_key_in_a_private_folder_is_that_everywhere(stage: Stage, size: int) -> None:
    a, b = both_start(stage)
    folder = a.share / "keys"
    folder.mkdir(mode=0o700)
    write(a, "keys/id", os.urandom(size), 0o600)
    write(a, "tool", b"#!/bin/sh\n", 0o750)
    comes(b, "keys/id", 0o600)
    comes(b, "keys", 0o700)
    comes(b, "tool", 0o750)


def test_a_change_of_mode_travels_both_ways_and_after_a_start(stage: Stage) -> None:
    a, b = both_start(stage)
    file = write(a, "d/f", b"f", 0o644)
    comes(b, "d/f", 0o644)
    file.chmod(0o600)
    comes(b, "d/f", 0o600)
    (b.share / "d").chmod(0o750)
    comes(a, "d", 0o750)
    a.stop()
    (a.share / "d/f").chmod(0o640)
    a.start()
    comes(b, "d/f", 0o640)


def test_a_change_of_mode_beside_an_edit_is_no_conflict(stage: Stage) -> None:
    a, b = both_start(stage)
    write(a, "f", b"before", 0o644)
    comes(b, "f", 0o644)
    a.stop()
    b.stop()
    (a.share / "f").write_bytes(b"edited")
    (b.share / "f").chmod(0o700)
    both_start(stage)
    for actor in (a, b):
        comes(actor, "f", 0o700)
        assert wait_until(lambda f=actor.share / "f": f.read_bytes() == b"edited", DEADLINE_S)
        assert not [name for name in os.listdir(actor.share) if CONFLICT_MARK in name]


def test_a_device_that_keeps_x_alone_leaves_the_other_bits(stage: Stage) -> None:
    keeps(stage.actors[1], "exec")
    a, b = both_start(stage)
    write(a, "f", b"f", 0o640)
    comes(b, "f", 0o644)
    (b.share / "f").chmod(0o700)
    comes(a, "f", 0o750)
    (a.share / "f").chmod(0o600)
    comes(b, "f", 0o600)  # without x for anybody; r and w stay as its user had them


def test_what_was_there_before_modes_were_told_is_told_once_by_adopt(stage: Stage) -> None:
    for actor in stage.actors:
        keeps(actor, "none")
    a, b = both_start(stage)
    write(a, "keys/id", b"f", 0o600)
    (a.share / "keys").chmod(0o700)
    comes(b, "keys/id", 0o644)
    code, text = adopt(a)
    assert code == 1 and "no modes are kept there" in text
    for actor in (a, b):
        actor.stop()
        keeps(actor, "all")
    both_start(stage)
    (b.share / "new").write_bytes(b"")
    assert wait_until((a.share / "new").exists, DEADLINE_S)
    assert mode(b, "keys/id") == "0o644", "nothing was told"
    assert adopt(a, "keys/id") == (0, "1 path: the mode that it has here is everybody's now\n")
    comes(b, "keys/id", 0o600)
    assert json.loads(adopt(a, "--json", "keys/")[1])["paths"] == 1
    comes(b, "keys", 0o700)
    assert adopt(a) == (0, "all devices have been told these modes already\n")
    for words, said in ((["../x"], "x"), (["--folder", "nope"], "nope"), (["a", "b"], "b")):
        code, text = adopt(a, *words)
        assert code in (1, 2) and said in text and "Traceback" not in text


def test_setuid_and_sticky_bits_stay_where_they_are(stage: Stage) -> None:
    a, b = both_start(stage)
    write(a, "f", b"f", 0o4755)
    comes(b, "f", 0o755)
    (b.share / "f").chmod(0o700)
    comes(a, "f", 0o4700)
