"""A real agent whose places are wrong: shares, keys, secrets and ports as a user can spoil them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.config import load_device
from leftzmq.transport.ipc.client import ask
from tests.helpers import processes

DEADLINE_S = 30.0
ANOTHER_FOLDER = """
[[folder]]
id     = "{id}"
path   = "{path}"
secret = "{secret}"
"""


def refused(actor: Actor) -> subprocess.CompletedProcess[str]:
    """Start its agent, which is to end by itself."""
    command = [sys.executable, "-m", "leftzmq.cli.agent", "-c", str(actor.home / "peer.toml")]
    return processes.run(command, capture_output=True, text=True, timeout=20)


def add(actor: Actor, text: str) -> None:
    file = actor.home / "peer.toml"
    file.write_text(file.read_text() + text)


def folders(actor: Actor) -> dict[str, dict[str, Any]]:
    return {folder["id"]: folder for folder in ask(actor.state, "status", timeout_s=5)["folders"]}


def has(actor: Actor, path: str, data: bytes) -> bool:
    try:
        return (actor.share / path).read_bytes() == data
    except OSError:
        return False


# -- a folder that cannot be used; the others go on -----------------------------------------------


def a_file_in_its_place(path: Path) -> None:
    path.write_text("a user's")


def somebody_elses_marker(path: Path) -> None:
    (path / ".left").mkdir(parents=True)
    (path / ".left" / "marker").write_text(f"leftzmq 1\nfolder other\ntoken {'00' * 16}\n")


def a_file_where_ours_should_be(path: Path) -> None:
    path.mkdir()
    (path / ".left").write_text("a user's")


def closed_to_us(path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; see the read-only file system")
    path.mkdir(mode=0o500)


BAD_SHARES: list[tuple[Callable[[Path], None], list[str]]] = [
    (a_file_in_its_place, ["the share is not a folder", "give it another path"]),
    (somebody_elses_marker, ["the marker is that of the folder 'other'"]),
    (a_file_where_ours_should_be, ["the share cannot be used"]),
    (closed_to_us, ["the share cannot be used", "Permission denied"]),
]


def stops_alone(stage: Stage, bad: Path, words: list[str]) -> None:
    """Folder `bad` stops and says why; the agent is ready, and its other folder is kept."""
    a, b = stage.actors
    add(a, ANOTHER_FOLDER.format(id="bad", path=bad, secret="bad.secret"))
    a.start()  # returns on `ready`
    b.start()
    (a.share / "of a").write_bytes(b"1")
    (b.share / "of b").write_bytes(b"2")
    assert wait_until(lambda: has(a, "of b", b"2") and has(b, "of a", b"1"), DEADLINE_S)
    status = folders(a)
    assert status["bad"]["state"] == "stopped" and status["share"]["state"] != "stopped"
    for word in words:
        assert word in a.log_tail(99) and word in status["bad"]["why"]
    assert str(bad) in status["bad"]["why"]
    a.stop()
    assert a.exit_code(5.0) == 0 and "Traceback" not in a.log_tail(99)


@pytest.mark.parametrize("spoil, words", BAD_SHARES, ids=[row[0].__name__ for row in BAD_SHARES])
def test_a_share_that_cannot_be_used_stops_its_folder_alone(
    stage: Stage, spoil: Callable[[Path], None], words: list[str]
) -> None:
    bad = stage.actors[0].home / "bad"
    spoil(bad)
    before = {path: path.read_bytes() for path in [bad, *bad.rglob("*")] if path.is_file()}
    stops_alone(stage, bad, words)
    assert all(path.read_bytes() == data for path, data in before.items())


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system of its own: root, and mount")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_a_share_on_a_read_only_file_system_stops_its_folder_alone(stage: Stage) -> None:
    bad = stage.actors[0].home / "bad"
    with read_only(bad):
        stops_alone(stage, bad, ["the share cannot be used", "Read-only file system"])


def test_a_share_that_goes_away_while_it_runs_stops_its_folder_and_nothing_is_deleted(
    stage: Stage,
) -> None:
    a, b = stage.actors
    a.start()
    b.start()
    (a.share / "f").write_bytes(b"precious")
    assert wait_until(lambda: has(b, "f", b"precious"), DEADLINE_S)
    a.share.rename(a.home / "moved away")
    (b.share / "g").write_bytes(b"more")
    assert wait_until(lambda: folders(a)["share"]["state"] == "stopped", DEADLINE_S)
    assert "missing, unmounted or replaced" in folders(a)["share"]["why"]
    assert has(b, "f", b"precious") and a.runs


BAD_PLACES = {
    "two folders with one path": (
        lambda text: text + ANOTHER_FOLDER.format(id="two", path="share", secret="two.secret"),
        ["[[folder]] no. 2 path", "[[folder]] no. 1", "each needs its own"],
    ),
    "a share inside another one": (
        lambda text: text + ANOTHER_FOLDER.format(id="two", path="share/in", secret="two.secret"),
        ["[[folder]] no. 2 path", "put them side by side"],
    ),
    "a share inside the state": (
        lambda text: text.replace('path   = "share"', 'path   = "state/share"'),
        ["[[folder]] no. 1 path", "is inside the state directory"],
    ),
    "the state inside a share": (
        lambda text: text.replace('state  = "state"', 'state  = "share/state"'),
        ["[device] state", "is inside the share"],
    ),
    "the secret inside a share": (
        lambda text: text.replace("../share.secret", "share/secret"),
        ["[[folder]] no. 1 secret", "is inside the share"],
    ),
    "the file itself inside a share": (
        lambda text: (
            text.replace('"share"\nsecret', '".."\nsecret')
            .replace('state  = "state"', 'state  = "../../state"')
            .replace("../share.secret", "../../share.secret")
        ),
        ["[[folder]] no. 1 path", "holds this very file"],
    ),
    "a secret that is a folder": (
        lambda text: text.replace("../share.secret", "."),
        ["is not a regular file"],
    ),
}


@pytest.mark.parametrize("spoil, words", BAD_PLACES.values(), ids=BAD_PLACES.keys())
def test_places_that_must_not_meet_are_named_and_their_folder_is_stopped(
    stage: Stage, spoil: Callable[[str], str], words: list[str]
) -> None:
    a = stage.actors[0]
    file = a.home / "peer.toml"
    file.write_text(spoil(file.read_text()))
    a.start()
    found = ask(load_device(file).state, "status", timeout_s=5)["folders"]
    (why,) = [folder["why"] for folder in found if folder["state"] == "stopped"]
    for word in words:
        assert word in why and word in a.log_tail(99)
    assert len(found) == 2 or not (a.share / ".left").exists()


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "xy" * 32])
def test_a_secret_of_another_length_is_named_and_stays(stage: Stage, text: str) -> None:
    a = stage.actors[0]
    secret = stage.home / "share.secret"
    secret.write_text(text)
    a.start()
    why = folders(a)["share"]["why"]
    assert str(secret) in why and "64 hex digits" in why
    said = a.log_tail(99)
    assert "Traceback" not in said and (text == "" or text not in said)
    assert secret.read_text() == text and not a.share.exists()


# -- what ends it before it is ready ---------------------------------------------------------------


def test_a_device_key_that_others_can_read_is_refused_with_the_cure(stage: Stage) -> None:
    a = stage.actors[0]
    key = a.state / "device.key"
    key.chmod(0o640)
    said = refused(a)
    assert said.returncode == 2 and f"chmod 600 {key}" in said.stderr
    assert "Traceback" not in said.stderr and not a.share.exists()
    key.chmod(0o600)
    a.start()


@pytest.mark.parametrize("key", ["bulk", "news"])
def test_a_taken_port_of_any_socket_is_named_with_its_key(stage: Stage, key: str) -> None:
    a = stage.actors[0]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = a.home / "peer.toml"
        lines = file.read_text().replace(
            "\n[[folder]]", f'{key} = "tcp://127.0.0.1:{port}"\n[[folder]]', 1
        )
        file.write_text(lines)
        said = refused(a)
    assert said.returncode == 1 and "Traceback" not in said.stderr
    assert f":{port}" in said.stderr and f"give {key} in [device] another port" in said.stderr
    a.start()  # as soon as it is free


def test_a_second_agent_is_refused_and_the_first_goes_on(stage: Stage) -> None:
    a, b = stage.actors
    a.start()
    b.start()
    said = refused(a)
    assert said.returncode == 1
    assert f"process {a.pid}" in said.stderr and "Traceback" not in said.stderr
    (a.share / "f").write_bytes(b"1")
    assert wait_until(lambda: has(b, "f", b"1"), DEADLINE_S)


# -- what this machine lacks ----------------------------------------------------------------------

OLD_MACHINE = """
import errno, sys
from leftzmq.cli.agent import main
from leftzmq.disk.fs import linux
linux.HAS_SYNCFS = linux.HAS_OPENAT2 = False
{more}
sys.exit(main(["-c", {config!r}]))
"""
NO_RENAMEAT2 = "linux.HAS_RENAMEAT2 = False"
NO_EXCHANGE = """
def renameat2(*arguments):
    raise OSError(errno.EINVAL, "not on this file system")
linux.renameat2 = renameat2
"""


@pytest.mark.parametrize(
    "more, words",
    [
        (NO_RENAMEAT2, ["problem      renameat2 is missing", "syncfs is missing", "openat2 is"]),
        (NO_EXCHANGE, ["problem      share: the file system cannot exchange two names"]),
    ],
    ids=["the machine", "the file system"],
)
def test_what_is_lacking_is_said_at_the_start_and_files_are_replaced_all_the_same(
    stage: Stage, more: str, words: list[str]
) -> None:
    a, b = stage.actors
    b.start()
    text = OLD_MACHINE.format(more=more, config=str(a.home / "peer.toml"))
    with (a.home / "log").open("a") as log:
        old = subprocess.Popen(
            [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert old.stdout is not None and old.stdout.readline().startswith("ready ")
        for word in words:
            assert a.log_tail(99).count(word) == 1
        for data in (b"first", b"second"):
            (b.share / "f").write_bytes(data)
            assert wait_until(lambda data=data: has(a, "f", data), DEADLINE_S)
        (b.share / "f").unlink()
        assert wait_until(lambda: not (a.share / "f").exists(), DEADLINE_S)
    finally:
        old.terminate()
        assert old.wait(10) == 0
