"""Real agents as subprocesses: the main job, crashes, and what a user sees when it is wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from zmq.utils import z85

from leftzmq.cli.demo.capture import Capture, can_capture
from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.content.key_text import read_key
from leftzmq.errors import Refusal
from tests.helpers import processes

DEADLINE_S = 30.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage("ABC", tmp_path / "stage") as stage:
        yield stage
        for actor in stage.actors:
            print(f"--- log of {actor.name}\n{actor.log_tail(60)}")


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return processes.run(
        [sys.executable, "-m", f"leftzmq.cli.{module}", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
    )


def config(actor: Actor) -> str:
    return str(actor.home / "peer.toml")


def has(actor: Actor, path: str, data: bytes) -> bool:
    try:
        return (actor.share / path).read_bytes() == data
    except OSError:
        return False


def test_the_main_job(stage: Stage) -> None:
    a, b, c = stage.actors
    a.start()
    assert wait_until(lambda: a.log_tail().count("cannot be reached") == 2, DEADLINE_S)
    data = os.urandom(239_366)
    (a.share / "1.mp4").write_bytes(data)
    assert wait_until(lambda: a.status().get("files") == 1, DEADLINE_S)
    b.start()
    c.start()
    assert wait_until(lambda: has(b, "1.mp4", data) and has(c, "1.mp4", data), DEADLINE_S)
    assert len({(x.share / "1.mp4").stat().st_mtime_ns for x in (a, b, c)}) == 1
    assert a.log_tail(99).count("cannot be reached") == 2, "once per peer, not in a flood"
    for actor in (a, b, c):
        waited = run("admin", "wait", "-c", config(actor), "--timeout", "20")
        assert waited.returncode == 0, waited.stderr
    (c.share / "1.mp4").unlink()
    (c.share / "new").mkdir()
    (c.share / "new" / "file").write_bytes(b"from c")
    assert run("admin", "wait", "-c", config(c), "--timeout", "20").returncode == 0
    assert has(a, "new/file", b"from c") and not (a.share / "1.mp4").exists()
    assert json.loads(run("admin", "status", "-c", config(a), "--json").stdout)["device"] == "A"
    assert "in sync" in run("admin", "status", "-c", config(a)).stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_within_two_seconds(stage: Stage, number: int) -> None:
    a = stage.actors[0]
    a.start()
    os.kill(a.pid, number)
    assert a.exit_code(2.0) == 0
    assert "Traceback" not in a.log_tail(99)


def test_sigkill_while_a_file_arrives_and_a_new_start(stage: Stage) -> None:
    a, b, _ = stage.actors
    a.start()
    data = os.urandom(48 << 20)
    (a.share / "large").write_bytes(data)
    assert wait_until(lambda: a.status().get("files") == 1, DEADLINE_S)
    for _ in range(3):
        b.start()
        wait_until(lambda: bool(b.status().get("under_way")) or has(b, "large", data), 5)
        b.kill()
        final = b.share / "large"
        assert not final.exists() or final.read_bytes() == data, "never torn under its final name"
    b.start()
    assert wait_until(lambda: has(b, "large", data), DEADLINE_S)
    assert not list(b.share.glob("*.lefting"))


def test_a_second_agent_on_the_same_state_is_refused(stage: Stage) -> None:
    a = stage.actors[0]
    a.start()
    second = run("agent", "-c", config(a))
    assert second.returncode == 1
    assert str(a.state) in second.stderr and str(a.pid) in second.stderr


def test_a_taken_port_is_named(stage: Stage) -> None:
    a = stage.actors[0]
    with socket.create_server(("127.0.0.1", a.port)):
        refused = run("agent", "-c", config(a))
    assert refused.returncode == 1
    assert f":{a.port}" in refused.stderr and "Traceback" not in refused.stderr


def test_wait_without_an_agent_or_without_peers(stage: Stage) -> None:
    a = stage.actors[0]
    assert run("admin", "wait", "-c", config(a)).returncode == 1
    a.start()
    waited = run("admin", "wait", "-c", config(a), "--timeout", "1")
    assert waited.returncode == 3 and "no peer is connected" in waited.stderr


def test_a_peer_with_another_secret_is_connected_and_shares_nothing(stage: Stage) -> None:
    a, b, _ = stage.actors
    other = b.home / "other.secret"
    other.write_text("ab" * 32)
    other.chmod(0o600)
    toml = Path(config(b)).read_text().replace("../share.secret", "other.secret")
    Path(config(b)).write_text(toml)
    a.start()
    b.start()
    (a.share / "private").write_bytes(b"not for b")
    for actor in (a, b):
        assert wait_until(
            lambda actor=actor: Refusal.NOTHING_SHARED.value in actor.log_tail(99), DEADLINE_S
        )
    waited = run("admin", "wait", "-c", config(a), "--timeout", "1")
    assert waited.returncode == 3 and "no connected peer has folder" in waited.stderr
    shown = run("admin", "status", "-c", config(a))
    assert "B: it has a folder with another secret than ours" in " ".join(shown.stdout.split())
    status = json.loads(run("admin", "status", "-c", config(a), "--json").stdout)
    assert [peer["connected"] for peer in status["peers"]] == [True, False]
    (folder,) = status["folders"]
    assert folder["shared_with"] == [] and folder["state"] == "alone"
    assert [one["state"] for one in folder["members"]] == ["other secret", "not connected"]
    assert not (b.share / "private").exists()


def test_an_unknown_key_that_knocks_is_named_and_not_let_in(stage: Stage) -> None:
    a, b, _ = stage.actors
    b.configure([a])
    a.configure([])
    a.start()
    b.start()
    assert wait_until(
        lambda: b.key in a.log_tail(99) or "not in our list" in a.log_tail(99), DEADLINE_S
    )
    assert wait_until(lambda: "refused our key" in b.log_tail(99), DEADLINE_S)


def test_a_missing_share_stops_its_folder_and_nothing_is_deleted(stage: Stage) -> None:
    a, b, _ = stage.actors
    a.start()
    b.start()
    (a.share / "f").write_bytes(b"precious")
    assert wait_until(lambda: has(b, "f", b"precious"), DEADLINE_S)
    a.stop()
    a.share.rename(a.home / "unmounted")
    a.start()
    assert a.status()["state"] == "stopped"
    assert "--adopt share" in a.status()["why"]
    assert has(b, "f", b"precious")


@pytest.mark.skipif(not can_capture(), reason="a capture needs Linux and root")
def test_nothing_readable_is_on_the_wire(stage: Stage) -> None:
    """A capture of the loopback interface while files travel: neither contents nor names."""
    a, b, _ = stage.actors
    secret = b"contents to be found"
    files = {"a-name-to-be-found": secret * 1000, "large-name-to-be-found": secret * 100_000}
    with Capture() as capture:
        a.start()
        b.start()
        for path, data in files.items():
            (a.share / path).write_bytes(data)
        assert wait_until(lambda: all(has(b, *file) for file in files.items()), DEADLINE_S)
        moved = sum(map(len, files.values()))
        seen = capture.until(moved)
    assert len(seen) >= moved, "the capture saw it"
    assert b"name-to-be-found" not in seen
    assert secret not in seen


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system of its own: root")
def test_a_full_disk_makes_the_ticket_wait_until_there_is_room(stage: Stage) -> None:
    a, b, _ = stage.actors
    b.share.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(b.share)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mount is not allowed here")
    try:
        a.start()
        data = os.urandom(10 << 20)
        (a.share / "large").write_bytes(data)
        (a.share / "small").write_bytes(b"fits")
        b.start()
        assert wait_until(lambda: has(b, "small", b"fits"), DEADLINE_S)
        assert wait_until(
            lambda: "too little of the disk would stay free" in b.log_tail(99), DEADLINE_S
        )
        assert wait_until(lambda: b.status().get("tickets") == 1, DEADLINE_S)
        assert not (b.share / "large").exists()
        subprocess.run(["mount", "-o", "remount,size=64m", str(b.share)], check=True)
        assert wait_until(lambda: has(b, "large", data), DEADLINE_S)
        assert wait_until(lambda: b.status().get("problems") == 0, DEADLINE_S)
    finally:
        b.stop()
        subprocess.run(["umount", str(b.share)], check=True)


BAD_CONFIGS = [
    ("lisen", 'listen = "tcp', 'lisen = "tcp', ["lisen", "listen"]),
    ("wrong type", 'name   = "A"', "name = 5", ["[device] name", "whole number"]),
]


@pytest.mark.parametrize("what, old, new, words", BAD_CONFIGS, ids=[row[0] for row in BAD_CONFIGS])
def test_what_is_wrong_in_the_config_is_said(
    stage: Stage, what: str, old: str, new: str, words: list[str]
) -> None:
    a = stage.actors[0]
    Path(config(a)).write_text(Path(config(a)).read_text().replace(old, new))
    refused = run("agent", "-c", config(a))
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    for word in words:
        assert word in refused.stderr


def test_a_secret_readable_by_others_is_not_used(stage: Stage) -> None:
    a = stage.actors[0]
    (stage.home / "share.secret").chmod(0o644)
    a.start()
    assert a.status()["state"] == "stopped" and "chmod 600" in a.status()["why"]


def test_a_monitor_of_a_folder_that_is_not_there_is_refused(stage: Stage) -> None:
    refused = run("monitor", "-c", config(stage.actors[0]), "--folder", "nope")
    assert refused.returncode == 2
    assert "--folder nope: there is no such folder (there is share)" in refused.stderr


def test_our_own_key_is_no_peer(stage: Stage) -> None:
    a, b, _ = stage.actors
    Path(config(a)).write_text(Path(config(a)).read_text().replace(b.key, a.key))
    refused = run("agent", "-c", config(a))
    assert refused.returncode == 2
    assert "[[peer]] no. 1 key: is this device's own key" in refused.stderr


def test_a_missing_config_is_a_sentence(tmp_path: Path) -> None:
    refused = run("agent", "-c", str(tmp_path / "none.toml"))
    assert refused.returncode == 2 and "none.toml" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_monitor_that_comes_late_tells_what_happened_and_what_happens(stage: Stage) -> None:
    a = stage.actors[0]
    a.start()
    (a.share / "before").write_bytes(b"x")
    assert wait_until(lambda: a.status().get("files") == 1, DEADLINE_S)
    told = stage.home / "told"
    with told.open("w") as out:
        command = [sys.executable, "-m", "leftzmq.cli.monitor", "-c", config(a), "--json"]
        monitor = processes.start([*command, "--kind", "scan"], stdout=out)
    try:
        assert wait_until(lambda: "before" in told.read_text(), DEADLINE_S)
        (a.share / "after").write_bytes(b"x")
        assert wait_until(lambda: "after" in told.read_text(), DEADLINE_S)
    finally:
        monitor.kill()
        monitor.wait()
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    assert [line["path"] for line in lines] == ["before", "after"]
    assert {"event", "number", "time", "folder", "path"} <= lines[0].keys()
    assert {line["event"] for line in lines} == {"scan"}


def test_the_story_runs_to_its_end() -> None:
    command = [sys.executable, "-m", "leftzmq.cli.admin", "demo", "--json", "--size", "64M"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert told.returncode == 0, told.stderr
    story = json.loads(told.stdout)
    assert story["ok"] and [step["number"] for step in story["steps"]] == [1, 2, 3, 4, 5, 6, 7]


def test_id_prints_the_key_and_nothing_else(stage: Stage) -> None:
    a = stage.actors[0]
    assert run("admin", "id", "-c", config(a)).stdout == a.key + "\n"


def test_a_copy_of_a_device_gets_a_key_of_its_own_and_goes_on(stage: Stage) -> None:
    a, b, _ = stage.actors
    a.start()
    b.start()
    (a.share / "f").write_bytes(b"one")
    assert wait_until(lambda: has(b, "f", b"one"), DEADLINE_S)
    refused = run("admin", "id", "--new", "-c", config(a))
    assert refused.returncode == 1 and "another agent runs on this state" in refused.stderr
    a.stop()
    made = run("admin", "id", "--new", "-c", config(a))
    key = made.stdout.strip()
    assert made.returncode == 0 and key != a.key and len(key) == 62
    assert run("admin", "id", "-c", config(a)).stdout == f"{key}\n"
    old = a.state / "device.key.old"
    assert "public " + z85.encode(read_key(a.key)).decode() in old.read_text()
    assert old.stat().st_mode & 0o777 == 0o600
    b.stop()
    Path(config(b)).write_text(Path(config(b)).read_text().replace(a.key, key))
    (b.share / "f").write_bytes(b"two")
    a.start()
    b.start()
    assert wait_until(lambda: has(a, "f", b"two"), DEADLINE_S)
    (a.share / "g").write_bytes(b"three")
    assert wait_until(lambda: has(b, "g", b"three"), DEADLINE_S)
    assert not list(a.share.glob("*conflict*")) and not list(b.share.glob("*conflict*"))
