"""`leftzmq status` of real agents says the reason of now: what is wrong between two devices, and
what to do about it."""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.content.key_text import key_text
from leftzmq.transport.ipc.client import ask
from tests.helpers import processes

DEADLINE_S = 20.0
Reply = dict[str, Any]


def config(actor: Actor) -> Path:
    return actor.home / "peer.toml"


def change(actor: Actor, old: str, new: str) -> None:
    text = config(actor).read_text()
    assert old in text
    config(actor).write_text(text.replace(old, new))


def peer(actor: Actor) -> tuple[str, str]:
    (found,) = ask(actor.state, "status")["peers"]
    return found["state"], found["reason"]


def member(actor: Actor) -> str:
    (found,) = actor.status()["members"]
    state: str = found["state"]
    return state


def soon(what: Callable[[], object], wanted: object) -> None:
    assert wait_until(lambda: what() == wanted, DEADLINE_S), (what(), wanted)


def shown(actor: Actor) -> str:
    command = [sys.executable, "-m", "leftzmq.cli.admin", "status", "-c", str(config(actor))]
    out = processes.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    return out.stdout


def test_a_refused_key_is_the_reason_also_after_nobody_answered_and_is_pasted_there(
    stage: Stage,
) -> None:
    a, b = stage.actors
    config(b).write_text(config(b).read_text().split("[[peer]]")[0])
    a.start()
    soon(lambda: peer(a), ("not connected", "nobody answers"))
    assert "nobody answers at" in shown(a)
    b.start()
    soon(lambda: peer(a), ("not connected", "refused our key"))
    assert "refused our key" in " ".join(shown(a).split())
    assert wait_until(lambda: "[[peer]]" in shown(b), DEADLINE_S)
    text = shown(b)
    pasted = text[text.rindex("[[peer]]") :]
    assert tomllib.loads(pasted)["peer"][0]["key"] == a.key
    b.stop()
    config(b).write_text(config(b).read_text() + pasted)
    b.start()
    soon(lambda: peer(a), ("in sync", ""))
    assert ask(b.state, "status")["strangers"] == []


def test_another_key_at_that_address_is_told(stage: Stage) -> None:
    a, b = stage.actors
    change(a, b.key, key_text(bytes(range(32))))
    a.start()
    b.start()
    soon(lambda: peer(a), ("not connected", "hung up"))
    soon(lambda: peer(b), ("not connected", "refused our key"))
    assert "it has another key than our [[peer]] says" in " ".join(shown(a).split())


def other_secret(actor: Actor) -> None:
    (actor.home / "own.secret").write_text("ab" * 32)
    (actor.home / "own.secret").chmod(0o600)
    change(actor, "../share.secret", "own.secret")


def other_id(actor: Actor) -> None:
    change(actor, 'id     = "share"', 'id     = "Share"')


@pytest.mark.parametrize(
    ("bend", "state", "words"),
    [
        (other_secret, "other secret", "another secret than ours"),
        (other_id, "other id", "it calls this folder 'Share'"),
    ],
)
def test_what_keeps_a_folder_from_being_shared_is_told(
    stage: Stage, bend: Callable[[Actor], None], state: str, words: str
) -> None:
    a, b = stage.actors
    bend(b)
    a.start()
    b.start()
    soon(lambda: (member(a), member(b)), (state, state))
    for actor in (a, b):
        assert actor.status()["state"] == "alone" and actor.status()["why"]
    assert words in " ".join(shown(a).split())


def test_a_share_that_is_missing_there_is_told_and_so_is_that_it_is_back(stage: Stage) -> None:
    a, b = stage.actors
    a.start()
    b.start()
    (a.share / "f").write_bytes(b"bytes")
    soon(lambda: (peer(a), member(a), member(b)), (("in sync", ""), "in sync", "in sync"))
    away = b.home / "away"
    shutil.move(b.share, away)
    soon(lambda: member(a), "stopped there")
    assert a.status()["state"] == "alone"
    assert "its share is missing" in " ".join(shown(a).split())
    shutil.move(away, b.share)
    soon(lambda: member(a), "in sync")
    assert a.status()["state"] == "idle"
    b.stop()
    shutil.move(b.share, away)
    b.start()
    soon(lambda: member(a), "stopped there")


GONE_S = 90.0
"""As long as a life counts as heard of lately (60 s), and three heartbeats."""
TWO_S = 45.0
"""Two heartbeats of each, and what a restart is allowed."""


@pytest.mark.long
def test_a_cloned_machine_beside_the_original_is_told_and_when_it_is_gone_all_is_well(
    tmp_path: Path,
) -> None:
    """A does not dial them: only what they say over their own connections tells that they live."""
    with Stage("ABC", tmp_path / "stage") as stage:
        a, b, clone = stage.actors
        change(a, f'address = "tcp://127.0.0.1:{b.port}"\n', "")
        a.start()
        b.start()
        soon(lambda: a.status()["members"][0]["state"], "in sync")
        b.stop()
        shutil.rmtree(clone.state)
        shutil.copytree(b.state, clone.state, ignore=shutil.ignore_patterns("admin", "events"))
        shutil.copytree(b.share, clone.share)
        text = config(clone).read_text()
        own, *peers = text.split("[[peer]]")
        config(clone).write_text("[[peer]]".join([own, *(p for p in peers if a.key in p)]))
        b.start()
        clone.start()

        def states() -> set[str]:
            one = ask(a.state, "status")["peers"][0]["state"]
            return {one, a.status()["members"][0]["state"]}

        assert wait_until(lambda: states() == {"two of that key"}, TWO_S), a.log_tail(60)
        assert "two agents that have the same key" in " ".join(shown(a).split())
        clone.kill()
        (b.share / "after").write_bytes(b"the original goes on")
        assert wait_until(lambda: (a.share / "after").exists(), TWO_S), a.log_tail(60)
        assert wait_until(lambda: states() == {"in sync"}, GONE_S), a.log_tail(60)
