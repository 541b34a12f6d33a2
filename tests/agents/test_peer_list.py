"""The list of peers changes while real agents run: peer.toml is edited, and SIGHUP has it read."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, free_ports, wait_until
from leftzmq.transport.ipc.client import ask

DEADLINE_S = 20.0
CUT_S = 2.0
QUIET_S = 3.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage("ABC", tmp_path / "stage") as stage:
        yield stage
        for actor in stage.actors:
            print(f"--- log of {actor.name}\n{actor.log_tail(60)}")


def config(actor: Actor) -> Path:
    return actor.home / "peer.toml"


def without(actor: Actor, other: Actor) -> str:
    """The config of a device without its entry of the other one."""
    first, *peers = config(actor).read_text().split("[[peer]]")
    return "[[peer]]".join([first, *(each for each in peers if other.key not in each)])


def reads(actor: Actor, text: str) -> None:
    """A user writes the config, and the agent reads it."""
    config(actor).write_text(text)
    os.kill(actor.pid, signal.SIGHUP)


def said(actor: Actor, words: str) -> bool:
    return words in actor.log_tail(200)


def peers(actor: Actor) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in ask(actor.state, "status")["peers"]}


def is_connected(actor: Actor, other: Actor) -> bool:
    return bool(peers(actor).get(other.name, {}).get("connected"))


def soon(what: Callable[[], object], within_s: float = DEADLINE_S) -> None:
    assert wait_until(lambda: bool(what()), within_s)


def has(actor: Actor, path: str, data: bytes) -> bool:
    try:
        return (actor.share / path).read_bytes() == data
    except OSError:
        return False


def tells(giver: Actor, taker: Actor, path: str) -> None:
    data = os.urandom(5000)
    (giver.share / path).write_bytes(data)
    soon(lambda: has(taker, path, data))


def test_a_peer_that_is_added_while_the_agent_runs_is_met_and_has_the_files(stage: Stage) -> None:
    a, b, _ = stage.actors
    whole = config(a).read_text()
    config(a).write_text(without(a, b))
    a.start()
    b.start()
    soon(lambda: [each["key"] for each in ask(a.state, "status")["strangers"]] == [b.key])
    reads(a, whole)
    soon(lambda: is_connected(a, b))
    assert said(a, f"peers added: {b.name}")
    assert ask(a.state, "status")["strangers"] == []
    tells(a, b, "from A")
    tells(b, a, "from B")


def test_a_peer_that_is_removed_is_cut_off_and_the_others_go_on(stage: Stage) -> None:
    a, b, c = stage.actors
    whole = config(a).read_text()
    for actor in (a, b, c):
        actor.start()
    soon(lambda: all(is_connected(a, other) and is_connected(other, a) for other in (b, c)))
    # C knows nothing of B: what reaches it comes from A.
    reads(c, without(c, b))
    reads(b, without(b, c))
    tells(a, b, "before")
    since = peers(a)[c.name]["since"]
    large = os.urandom(64 << 20)
    (c.share / "large").write_bytes(large)
    reads(a, without(a, b))
    soon(lambda: not is_connected(b, a), CUT_S)
    assert b.name not in peers(a)
    tells(a, c, "after")
    soon(lambda: has(a, "large", large))
    assert peers(a)[c.name]["since"] == since, "its connection stayed"
    assert not wait_until(lambda: (b.share / "after").exists(), QUIET_S)
    soon(lambda: peers(b)[a.name]["reason"] == "refused our key")
    (a.share / "before").unlink()
    reads(a, whole)
    soon(lambda: is_connected(a, b) and has(b, "large", large))
    soon(lambda: (b.share / "after").exists() and not (b.share / "before").exists())
    assert [actor.status()["problems"] for actor in (a, b, c)] == [0, 0, 0]


def test_a_peer_with_another_address_is_dialed_there(stage: Stage) -> None:
    a, b, _ = stage.actors
    right, (nobody,) = config(a).read_text(), free_ports(1)
    config(a).write_text(right.replace(f":{b.port}", f":{nobody}"))
    config(b).write_text(config(b).read_text().replace(f'address = "tcp://127.0.0.1:{a.port}"', ""))
    a.start()
    b.start()
    soon(lambda: peers(a)[b.name]["reason"] == "nobody answers")
    reads(a, right)
    soon(lambda: is_connected(a, b))
    assert said(a, f"peers moved: {b.name}")
    tells(a, b, "from A")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda text: text + "[[peer", "the peers and folders stay as they are"),
        (lambda text: text.replace('name    = "', 'name    = 5 # "'), "folders stay as they are"),
        (lambda text: text[:200].split("[[folder]]")[0], "the peers and folders stay as they are"),
        (lambda text: text.replace('"A"', '"other"', 1), "start the agent again to use that"),
    ],
)
def test_what_cannot_be_taken_over_is_a_sentence_and_changes_nothing(
    stage: Stage, wrong: Callable[[str], str], words: str
) -> None:
    a, b, _ = stage.actors
    a.start()
    b.start()
    soon(lambda: is_connected(a, b))
    reads(a, wrong(config(a).read_text()))
    soon(lambda: said(a, words))
    assert "Traceback" not in a.log_tail(200)
    assert is_connected(a, b)
    tells(b, a, "from B")


def test_our_own_key_as_a_new_peer_is_refused(stage: Stage) -> None:
    a = stage.actors[0]
    a.start()
    reads(a, config(a).read_text() + f'[[peer]]\nname = "me"\nkey = "{a.key}"\n')
    soon(lambda: said(a, "the peers and folders stay as they are"))
    assert "me" not in peers(a)
