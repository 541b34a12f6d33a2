"""`leftzmq web` as a process beside a real agent."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from leftzmq.cli.demo.stage import Stage, wait_until
from tests.helpers.pages import WebProcess, page_of

SOON_S = 20.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage("AB", tmp_path / "stage") as stage:
        for actor in stage.actors:
            actor.start()
        yield stage
        for actor in stage.actors:
            print(f"--- log of {actor.name}\n{actor.log_tail(40)}")


def program(web: WebProcess, **more: Any) -> httpx.Client:
    token = {"Authorization": f"Bearer {web.token}"}
    return httpx.Client(base_url=web.base, headers=token, trust_env=False, timeout=20, **more)


def soon(what: Any) -> None:
    assert wait_until(lambda: bool(what()), SOON_S)


def test_what_it_answers_is_what_the_agent_says(stage: Stage) -> None:
    a, b = stage.actors
    (a.share / "one.txt").write_text("one")
    soon(lambda: (b.share / "one.txt").exists())
    with page_of(a) as web, program(web) as client:
        assert client.get("/healthz").text == "ok\n"
        soon(lambda: client.get("/readyz").status_code == 200)
        soon(
            lambda: (
                client.get("/synced", params={"folder": "share", "peer": "B"}).status_code == 200
            )
        )
        status = client.get("/api/v1/status").json()
        assert status["device"] == "A" and status["folders"][0]["files"] == 1
        assert status.keys() >= {"peers", "limits", "key", "strangers"}
        for path in ("folders", "peers", "problems", "events", "conflicts", "trash", "invitations"):
            assert client.get(f"/api/v1/{path}").status_code == 200, path
        no = client.post("/api/v1/accept", json={"folder": "other"})
        assert no.status_code == 409 and "no such folder" in no.json()["declined"]["what"]
        b.stop()
        soon(lambda: client.get("/synced").status_code == 503)
        assert "B in share: not connected" in client.get("/synced").text


def test_why_and_figures_are_those_of_the_agent(stage: Stage) -> None:
    a, b = stage.actors
    (a.share / "one.txt").write_text("one")
    soon(lambda: (b.share / "one.txt").exists())
    with page_of(a) as web, program(web) as client:
        soon(
            lambda: client.get("/api/v1/why", params={"path": "one.txt"}).json()["reason"] == "same"
        )
        assert client.get("/api/v1/plan").json()["items"] == []
        figures = client.get("/metrics")
        assert (
            'leftzmq_files{folder="share"} 1.0' in figures.text and "leftzmq_up 1.0" in figures.text
        )


def test_a_change_is_made_and_the_stream_shows_it(stage: Stage) -> None:
    a, _ = stage.actors
    with page_of(a) as web, program(web) as client:
        with client.stream("GET", "/api/v1/stream") as response:
            lines = response.iter_lines()

            def states() -> Iterator[str]:
                for line in lines:
                    if line.startswith('data: {"device"'):
                        yield json.loads(line.removeprefix("data: "))["folders"][0]["state"]

            said = states()
            assert next(said) != "paused"
            with program(web) as other:
                paused = other.post("/api/v1/pause", json={"folder": "share", "for_s": 600})
            assert paused.json()["folders"][0]["name"] == "share"
            assert "paused" in said
        resumed = client.post("/api/v1/resume", json={"folder": "share"})
        assert resumed.json()["folders"] == [] and a.status()["state"] != "paused"


def test_the_token_outlives_the_process_and_a_new_one_ends_it(stage: Stage) -> None:
    a, _ = stage.actors
    with page_of(a) as web:
        first = web.token
        file = a.state / "web.token"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600 and file.read_text().strip() == first
    with page_of(a) as web:
        assert web.token == first
    config = a.home / "peer.toml"
    web = WebProcess(config, "--new-token")
    try:
        assert web.token != first
        with program(web) as client:
            old = {"Authorization": f"Bearer {first}"}
            assert client.get("/api/v1/status", headers=old).status_code == 401
            assert client.get("/api/v1/status").status_code == 200
    finally:
        assert web.end() == (0, "")


def test_ctrl_c_ends_it_as_every_command(stage: Stage) -> None:
    web = WebProcess(stage.actors[0].home / "peer.toml")
    with program(web) as client, client.stream("GET", "/api/v1/stream") as response:
        next(response.iter_lines())
        web.process.send_signal(signal.SIGINT)
        _, said = web.process.communicate(timeout=10)
    assert (web.process.returncode, said) == (130, "")


def test_open_tells_the_token_to_no_other_user(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every user of a machine can read all command lines: a file is in it, and no token."""
    seen = tmp_path / "seen"
    fake = tmp_path / "browser"
    fake.write_text(f'#!/bin/sh\necho "$@" > {seen}.new; mv {seen}.new {seen}\n')
    fake.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(fake))
    a, _ = stage.actors
    web = WebProcess(a.home / "peer.toml", "--open")
    try:
        soon(seen.exists)
        (words,) = seen.read_text().splitlines()
        assert web.token not in words and words.startswith("file://")
        file = Path(words.removeprefix("file://"))
        assert web.address in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    finally:
        assert web.end() == (0, "")
    assert not file.exists()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")
def test_tls_and_a_proxy_have_places_of_their_own(stage: Stage, tmp_path: Path) -> None:
    a, _ = stage.actors
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    words += ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(words, check=True, capture_output=True)
    config = a.home / "peer.toml"
    web = WebProcess(config, "--tls-cert", str(cert), "--tls-key", str(key))
    try:
        assert web.base.startswith("https://127.0.0.1:")
        with program(web, verify=False) as client:
            assert client.get("/api/v1/status").status_code == 200
            crumb = client.get("/", params={"token": web.token}).headers["set-cookie"]
            assert crumb.endswith("; Secure")
    finally:
        assert web.end() == (0, "")
    web = WebProcess(config, "--behind-proxy", "https://files.example.org")
    try:
        assert web.base == "https://files.example.org/"
        port = listening(web.process.pid)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            headers = {"Authorization": f"Bearer {web.token}"}
            assert client.get("/api/v1/status", headers=headers).status_code == 421
            headers |= {"Host": "files.example.org", "Origin": "https://files.example.org"}
            assert client.get("/api/v1/status", headers=headers).status_code == 200
    finally:
        assert web.end() == (0, "")


def listening(pid: int) -> int:
    """The TCP port at which a process listens."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(descriptor)
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        parts = line.split()
        if parts[3] == "0A" and parts[9] in inodes:
            return int(parts[1].rpartition(":")[2], 16)
    raise AssertionError("it listens nowhere")


def test_an_agent_that_is_killed_is_away_and_comes_back(stage: Stage) -> None:
    a, _ = stage.actors
    with page_of(a) as web, program(web) as client:
        assert client.get("/readyz").status_code in (200, 503)
        a.kill()
        time.sleep(1.1)
        away = client.get("/api/v1/status")
        assert away.status_code == 503 and "no agent runs" in away.json()["error"]
        assert client.get("/healthz").status_code == 200
        a.start()
        soon(lambda: client.get("/api/v1/status").status_code == 200)
