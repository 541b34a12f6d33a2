"""peer.toml is edited while real agents run, and read again: by `leftzmq reload`, SIGHUP, or the
watch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.statedir import make_secret
from leftzmq.transport.ipc.client import ask

DEADLINE_S = 20.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage("AB", tmp_path / "stage") as stage:
        yield stage
        for actor in stage.actors:
            print(f"--- log of {actor.name}\n{actor.log_tail(60)}")


def soon(what: Any, within_s: float = DEADLINE_S) -> None:
    assert wait_until(what, within_s)


def config(actor: Actor) -> Path:
    return actor.home / "peer.toml"


def run(actor: Actor, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "leftzmq.cli.admin", *words, "-c", str(config(actor))]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
    )
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


def reloads(actor: Actor, text: str) -> dict[str, Any]:
    config(actor).write_text(text)
    code, said = run(actor, "reload", "--json")
    assert code == 0, said
    answer: dict[str, Any] = json.loads(said)
    return {key: value for key, value in answer.items() if value and key != "file"}


def folder(id: str, path: str, secret: str = "") -> str:
    secret = secret or f"{id}.secret"
    return f'\n[[folder]]\nid = "{id}"\npath = "{path}"\nsecret = "{secret}"\n'


def folders(actor: Actor) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in ask(actor.state, "status")["folders"]}


def is_in_sync(giver: Actor, taker: Actor, path: str, place: str = "share") -> bool:
    """Whether what the one writes now is soon at the other one."""
    data = os.urandom(5000)
    (giver.home / place / path).write_bytes(data)
    there = taker.home / place / path
    return wait_until(lambda: there.exists() and there.read_bytes() == data, DEADLINE_S)


def test_what_is_reloaded_is_told_and_used(stage: Stage) -> None:
    a, b = stage.actors
    whole = {actor.name: config(actor).read_text() for actor in (a, b)}
    for actor in (a, b):
        make_secret(actor.home / "../more.secret")
        actor.start()
    assert is_in_sync(a, b, "before")
    assert run(a, "reload") == (0, f"{config(a)}: nothing changed\n")
    more = folder("more", "more", "../more.secret")
    for actor in (a, b):
        assert reloads(actor, whole[actor.name] + more) == {"folders_added": ["more"]}
    soon(lambda: folders(a)["more"]["state"] == folders(b)["more"]["state"] == "idle")
    assert is_in_sync(a, b, "new", "more")
    alone = whole["A"].split("[[peer]]")[0]
    assert reloads(a, alone + more) == {"peers_removed": ["B"]}
    assert reloads(a, whole["A"] + more) == {"peers_added": ["B"]}
    assert is_in_sync(b, a, "back", "more")


def test_a_file_that_is_wrong_is_a_sentence_with_its_line_and_changes_nothing(
    stage: Stage,
) -> None:
    a, b = stage.actors
    whole = config(a).read_text()
    a.start()
    b.start()
    assert is_in_sync(a, b, "before")
    config(a).write_text(whole.split("[[peer]]")[0] + '[[peer]\nname = "x"\n')
    code, said = run(a, "reload", "--json")
    assert code == 2 and f"{config(a)}: is not TOML: " in said and "(at line " in said
    assert run(b, "reload", "-c", str(config(b)))[0] == 0
    assert is_in_sync(b, a, "after")
