"""Measures what `leftzmq web` costs: itself, and the agent beside it while many pages look.

usage: python bench/web_page.py [--tabs N] [--events-s N] [--seconds S]
Prints one JSON line. start_ms: from the start of the process to its address. rss_mib: of it, alone
and after the load. edit_ms: an edit of 4 KiB on A until it is under its name on B (median, 90th
percentile), while new files on A give B about so many events a second: first with no page, then
with N open pages of B and one question for `/readyz` a second. agent_mib: the growth of B's memory
in each part. events_s: how many events B told.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from edit_latency import figures
from processes import resident_mib
from shares import stands

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.transport.ipc.client import ask

PAUSE_S = 0.25
EVENTS_A_FILE = 3  # of the agent that gets it: wanted, about to get its name, here
LONGEST_S = 60.0


@contextmanager
def files_a_second(place: Path, rate: int) -> Iterator[None]:
    """New small files, so many a second, as long as this context lasts."""
    ended = threading.Event()
    place.mkdir(parents=True)

    def write() -> None:
        began, number = time.monotonic(), 0
        while not ended.wait(0.02):
            while number < (time.monotonic() - began) * rate:
                (place / f"{number}").write_bytes(b"x")
                number += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def pages(address: str, token: str, tabs: int) -> Iterator[list[int]]:
    """So many streams that are read, and a check each second. Yields the bytes that came."""
    ended, came = threading.Event(), [0]
    host, port = address.removeprefix("http://").strip("/").split(":")
    head = f"GET /api/v1/stream HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}"
    chosen = selectors.DefaultSelector()
    opened = [socket.create_connection((host, int(port))) for _ in range(tabs)]
    for each in opened:
        each.sendall(f"{head}\r\n\r\n".encode())
        chosen.register(each, selectors.EVENT_READ)

    def read() -> None:
        with httpx.Client(base_url=address, trust_env=False) as client:
            due = time.monotonic()
            while not ended.is_set():
                for key, _ in chosen.select(0.1):
                    came[0] += len(key.fileobj.recv(1 << 20))  # type: ignore[union-attr]
                if time.monotonic() >= due:
                    client.get("/readyz", headers={"Authorization": f"Bearer {token}"})
                    due += 1.0

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield came
    finally:
        ended.set()
        thread.join()
        for each in opened:
            each.close()


def edits(a: Actor, b: Actor, seconds: float) -> dict[str, float]:
    found: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        data = os.urandom(4096)
        (a.share / "edited").write_bytes(data)
        began = time.monotonic()
        while not stands(b.share / "edited", data):
            assert time.monotonic() - began < LONGEST_S, f"not there within {LONGEST_S:g} s"
            time.sleep(0.001)
        found.append((time.monotonic() - began) * 1000)
        time.sleep(PAUSE_S)
    return figures(found)


def last_event(agent: Actor) -> int:
    """The number of the last event that the agent told."""
    events = ask(agent.state, "events", {"after": 0})["events"]
    return int(events[-1][1]) if events else 0


def measured(tabs: int, events_s: int, seconds: float) -> dict[str, object]:
    rate = events_s // EVENTS_A_FILE
    result: dict[str, object] = {"tabs": tabs, "files_a_second": rate}
    with Stage(names="AB") as stage:
        a, b = stage.actors
        a.start()
        b.start()
        assert wait_until(lambda: a.status().get("shared_with"), LONGEST_S)
        (a.share / "edited").write_bytes(b"x")
        began = time.monotonic()
        command = [sys.executable, "-m", "leftzmq.cli.admin", "web", "--port", "0"]
        config = ["-c", str(b.home / "peer.toml")]
        web = subprocess.Popen([*command, *config], stdout=subprocess.PIPE, text=True)
        assert web.stdout is not None
        address, _, token = web.stdout.readline().strip().partition("?token=")
        result["start_ms"] = round((time.monotonic() - began) * 1000)
        result["rss_mib"] = [round(resident_mib(web.pid), 1)]
        try:
            for name in ("no page", "pages"):
                before, told = resident_mib(b.pid), last_event(b)
                with files_a_second(a.share / name.replace(" ", "-"), rate):
                    if name == "no page":
                        found = edits(a, b, seconds)
                    else:
                        with pages(address, token, tabs) as came:
                            found = edits(a, b, seconds)
                        result["stream_kib_s"] = round(came[0] / seconds / 1024)
                grown = round(resident_mib(b.pid) - before, 1)
                told = round((last_event(b) - told) / seconds)
                result[name] = {**found, "agent_mib": grown, "events_s": told}
            result["rss_mib"] = [*result["rss_mib"], round(resident_mib(web.pid), 1)]  # type: ignore[misc]
            ticks = sum(map(int, Path(f"/proc/{web.pid}/stat").read_text().split()[13:15]))
            result["web_cpu_s"] = round(ticks / os.sysconf("SC_CLK_TCK"), 1)
        finally:
            web.terminate()
            web.wait()
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tabs", type=int, default=20)
    parser.add_argument("--events-s", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    print(json.dumps(measured(options.tabs, options.events_s, options.seconds)))
