"""Real agents: limits of peer.toml hold from the start, and others from the moment when they are
read."""

from __future__ import annotations

import os
import signal

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.transport.ipc.client import ask

DEADLINE_S = 20.0
QUIET_S = 1.0
OFF = "mon-sun off"


def limit(actor: Actor, text: str) -> None:
    """Put this in front of the actor's config."""
    file = actor.home / "peer.toml"
    file.write_text(f"{text}# limits end here\n" + file.read_text().split("limits end here\n")[-1])


@pytest.mark.parametrize("who", ["A up", "B down"])
def test_off_keeps_contents_back_until_another_limit_is_read(stage: Stage, who: str) -> None:
    a, b = stage.actors
    limited, way = (a, "up") if who == "A up" else (b, "down")
    limit(limited, f'[limits]\n{way} = "{OFF}"\n')
    for actor in (a, b):
        actor.start()
    (a.share / "folder").mkdir()
    (a.share / "folder" / "file").write_bytes(b"a" * 1000)
    target = b.share / "folder" / "file"
    assert wait_until(target.parent.is_dir, DEADLINE_S), "what has no contents comes"
    assert wait_until(lambda: b.status()["waits_for"] == "limit", DEADLINE_S)
    assert not wait_until(target.exists, QUIET_S)
    status = ask(limited.state, "status")
    assert status["limits"][way] == 0
    (shown,) = ask(b.state, "status")["peers"]
    assert shown["gives"] == (0 if limited is a else None)
    waited = ask(b.state, "wait", {"timeout": 0.5})
    assert not waited["in_sync"] and "limit" in waited["why"] and "off" in waited["why"]

    limit(limited, f'[limits]\n{way} = "25:00-26:00 off"\n')
    os.kill(limited.pid, signal.SIGHUP)
    said = "25:00 is no time of day"
    assert wait_until(lambda: said in limited.log_tail(200), DEADLINE_S), "it stays as it is"
    assert not target.exists()
    limit(limited, f'[limits]\n{way} = "1 MB/s"\n')
    reloaded = ask(limited.state, "reload")
    assert reloaded["used"] == [f"[limits] {way}"] and not reloaded["need_a_start"]
    assert wait_until(target.exists, DEADLINE_S)
    assert ask(limited.state, "status")["limits"][way] == 1_000_000
    assert ask(b.state, "wait", {"timeout": 10.0})["in_sync"]
    assert ask(b.state, "status")["folders"][0]["waits_for"] == ""


def test_the_limit_of_one_device_holds_at_once_and_leaves_its_connection(stage: Stage) -> None:
    a, b = stage.actors
    for actor in (a, b):
        actor.start()
    assert wait_until(lambda: ask(a.state, "status")["peers"][0]["connected"], DEADLINE_S)
    (before,) = ask(a.state, "status")["peers"]
    file = a.home / "peer.toml"
    whole = file.read_text()
    file.write_text(whole.replace("[[peer]]\n", f'[[peer]]\nup = "{OFF}"\n'))
    reloaded = ask(a.state, "reload")
    assert reloaded["used"] == [f"[[peer]] {before['name']} up"]
    assert reloaded["peers_moved"] == reloaded["peers_removed"] == reloaded["peers_added"] == []
    (after,) = ask(a.state, "status")["peers"]
    assert after["limits"]["up"] == 0 and after["since"] == before["since"], "the same connection"
    (a.share / "file").write_bytes(b"a" * 1000)
    assert wait_until(lambda: b.status()["waits_for"] == "limit", DEADLINE_S)
    file.write_text(whole)
    ask(a.state, "reload")
    assert wait_until((b.share / "file").exists, DEADLINE_S)
