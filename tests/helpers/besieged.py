"""A real agent A under attack, and what can be measured of it from outside.

B is an honest device of A's folder, C another one. M0, M1 ... are hostile devices that hold the
folder's secret, X is a paired device that does not. Knows how to set them up, to start a flood
(tests/helpers/floods.py) in a process of its own, and to measure. Must not know which figures are
good: the tests do.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import zmq

from leftzmq.cli.demo.stage import Actor, Stage, free_ports, wait_until
from leftzmq.statedir import ipc_endpoints, make_secret
from tests.helpers import processes

MIB: Final = 1 << 20
EDIT_BYTES: Final = 4096
EDIT_EVERY_S: Final = 1.0
EDIT_DEADLINE_S: Final = 15.0
LONG_S: Final = 2.0  # an edit that waits so long when the attack ends counts as missed
LARGE_BYTES: Final = 8 * MIB
LARGE_EVERY_S: Final = 5.0
LOOK_S: Final = 0.1
MEET_S: Final = 30.0
AFTERWARDS_S: Final = 90.0
DESCRIPTORS: Final = 4096
"""The hard limit that A gets, whatever the limit of this machine is: systemd gives services 524288,
shells 1024 and up; the agent itself asks for no more than this."""
ASK_S: Final = 20.0
KEPT_LOG_BYTES: Final = 64 * MIB
FLOOD_S: Final = 3.0
SOON_AFTERWARDS_S: Final = 20.0
FLOODS: Final = Path(__file__).with_name("floods.py")


class Fortress(Stage):
    """raiders: how many hostile devices. descriptors: the hard limit of A."""

    def __init__(self, raiders: int, descriptors: int = DESCRIPTORS) -> None:
        self._raiders, self.descriptors = raiders, descriptors
        super().__init__("")

    def __enter__(self) -> Self:
        return self

    def _furnish(self, names: str) -> None:
        make_secret(self.home / "share.secret")
        make_secret(self.home / "other.secret")
        named = ["A", "B", "C", "X", *(f"M{number}" for number in range(self._raiders))]
        for name, port in zip(named, free_ports(len(named)), strict=True):
            within = limited(self.descriptors) if name == "A" else []
            self.actors.append(Actor(name, self.home / name, port, within=within))
        self.a, self.b, self.c, self.x, *self.raiders = self.actors
        self.a.configure(self.actors[1:])
        for actor in self.actors[1:]:
            actor.configure([self.a])
        config = self.x.home / "peer.toml"
        config.write_text(config.read_text().replace("share.secret", "other.secret"))

    def fill(self, count: int, size: int, name: str) -> None:
        """Make files in A's share, before A is started."""
        self.a.share.mkdir(exist_ok=True)
        for number in range(count):
            (self.a.share / f"{name}{number}").write_bytes(os.urandom(size))

    def begin(self) -> None:
        """Start A and B, and wait until their shares are equal."""
        self.a.start()
        self.b.start()
        met = wait_until(lambda: is_connected(self.b, "A") and is_connected(self.a, "B"), MEET_S)
        assert met, f"A and B do not meet\n{self.a.log_tail()}"
        count = sum(1 for path in self.a.share.iterdir() if path.is_file())
        same = wait_until(lambda: self.b.status().get("files") == count, 2 * MEET_S)
        assert same, f"B has not what A has\n{self.b.log_tail()}"

    def starts_again(self, actor: Actor, within_s: float) -> bool:
        """Whether its agent prints `ready` in time."""
        ready: list[Actor] = []
        starter = threading.Thread(target=_start, args=(actor, ready), daemon=True)
        starter.start()
        starter.join(within_s)
        return bool(ready) and actor.runs


def _start(actor: Actor, ready: list[Actor]) -> None:
    with suppress(Exception):
        actor.start()
        ready.append(actor)


def limited(descriptors: int) -> list[str]:
    """Returns a command that runs another command with this hard limit of descriptors."""
    return ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh"]


def is_connected(actor: Actor, name: str) -> bool:
    peers = actor.status().get("peers", ())
    return any(peer["name"] == name and peer["connected"] for peer in peers)


# -- floods --------------------------------------------------------------------------------------


class Flood:
    """A process that attacks A for so many seconds."""

    def __init__(self, stage: Fortress, name: str, by: Sequence[Actor], seconds: float) -> None:
        self.seconds = seconds
        words = [sys.executable, str(FLOODS), name, "--home", str(stage.home), "--agent", "A"]
        words += ["--seconds", str(seconds), "--by", *(actor.name for actor in by)]
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def goes_on(self) -> bool:
        return self._process.poll() is None

    def end(self, within_s: float = 10.0) -> dict[str, Any]:
        """Wait for its end, or end it. Returns what it did."""
        try:
            out, errors = self._process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            out, errors = self._process.communicate()
        for line in reversed(out.splitlines()):
            with suppress(ValueError):
                return dict(json.loads(line))
        return {"broke": errors.strip().splitlines()[-1:]}


@contextmanager
def flooded(stage: Fortress, name: str, by: Sequence[Actor], seconds: float) -> Iterator[Flood]:
    flood = Flood(stage, name, by, seconds)
    try:
        yield flood
    finally:
        if flood.goes_on:
            flood.end(0.0)


# -- watching ------------------------------------------------------------------------------------

_TELLING: Final = re.compile(
    r"dropped|stopped|STOPPED|--adopt|Traceback|rror|refused|held|too many|no room|cannot"
)
_CLOCK: Final = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
_NUMBERS: Final = re.compile(r"\d+")


class LogReader:
    """The lines that an agent writes to its log, counted as they arrive; a log that grows without
    end is cut.

    telling: lines that say what happened, without clock and with numbers as #, and how often
    """

    MOST_TELLING: Final = 40

    def __init__(self, path: Path) -> None:
        self._path, self._at, self._rest = path, 0, b""
        self.lines = self.bytes = 0
        self.telling: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.read()
        self.lines = self.bytes = 0
        self.telling.clear()

    def read(self) -> None:
        with suppress(OSError), self._path.open("rb") as file:
            file.seek(self._at)
            while block := file.read(MIB):
                self._at += len(block)
                self.bytes += len(block)
                self.lines += block.count(b"\n")
                self._look(block)
            if self._at > KEPT_LOG_BYTES:
                os.truncate(self._path, 0)  # the agent appends
                self._at = 0

    def _look(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        self._rest = self._rest[-4096:]
        # A part of a flood of lines is enough.
        for raw in lines[:2000]:
            line = _CLOCK.sub("", raw.decode("utf-8", "replace"))[:200]
            if _TELLING.search(line):
                kind = _NUMBERS.sub("#", line)
                if kind in self.telling or len(self.telling) < self.MOST_TELLING:
                    self.telling[kind] += 1
                    self.examples.setdefault(kind, line)


class Watch(threading.Thread):
    """Measures A ten times a second until it is told to stop."""

    def __init__(self, actor: Actor) -> None:
        super().__init__(daemon=True)
        self._actor, self._told = actor, threading.Event()
        self.log = LogReader(actor.home / "log")
        self.began = time.monotonic()
        self.cpu_before = self.cpu = cpu_s(actor.pid)
        self.memory_before = self.memory = rss_mib(actor.pid)
        self.descriptors = 0
        self.state_before = self.state = size_mib(actor.state)
        self.ended_after: float | None = None
        self.start()

    def run(self) -> None:
        looks = 0
        while not self._told.wait(LOOK_S):
            if not self._actor.runs:
                self.ended_after = time.monotonic() - self.began
                break
            self._look(looks)
            looks += 1
        self.log.read()

    def _look(self, looks: int) -> None:
        pid = self._actor.pid
        with suppress(OSError, ValueError, IndexError):
            self.cpu = cpu_s(pid)
            self.memory = max(self.memory, rss_mib(pid))
            self.descriptors = max(self.descriptors, descriptors(self._actor))
        if looks % 5 == 0:
            self.log.read()
            self.state = max(self.state, size_mib(self._actor.state))

    def stop(self) -> float:
        """Returns the seconds that it watched."""
        self._told.set()
        self.join()
        return time.monotonic() - self.began


def cpu_s(pid: int) -> float:
    """Returns the processor time that a process has used, all threads, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(actor: Actor) -> int:
    """Returns how many descriptors the agent has open; 0 if it does not run."""
    with suppress(OSError):
        return len(os.listdir(f"/proc/{actor.pid}/fd"))
    return 0


def rss_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB


def size_mib(folder: Path) -> float:
    """Returns the size of a directory on the disk, in MiB."""
    total = 0
    for entry in folder.iterdir():
        with suppress(OSError):
            total += entry.stat().st_blocks * 512
    return total / MIB


def machine_busy_s() -> float:
    """Returns the processor time that everything on this machine has used since its start, in
    seconds."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / os.sysconf("SC_CLK_TCK")


# -- honest edits --------------------------------------------------------------------------------


@dataclass
class Latencies:
    """Milliseconds of the edits that arrived, and how many edits did not arrive."""

    found: list[float] = field(default_factory=list)
    missed: int = 0

    def figures(self) -> dict[str, float | None]:
        return {
            "edits": len(self.found) + self.missed,
            "median_ms": round(statistics.median(self.found), 1) if self.found else None,
            "worst_ms": round(max(self.found), 1) if self.found else None,
            "missed": self.missed,
        }


class Edits(threading.Thread):
    """An honest user of `source`, who writes a file at intervals, until it is told to stop."""

    def __init__(
        self,
        source: Actor,
        target: Actor,
        size: int = EDIT_BYTES,
        every_s: float = EDIT_EVERY_S,
        deadline_s: float = EDIT_DEADLINE_S,
    ) -> None:
        super().__init__(daemon=True)
        self._here, self._there = source, target
        self._size, self._every_s, self._deadline_s = size, every_s, deadline_s
        self._path = f"{'large' if size > EDIT_BYTES else 'edit'} of {source.name}"
        self._told = threading.Event()
        self.latencies = Latencies()
        self.start()

    def run(self) -> None:
        while not self._told.is_set():
            began = time.monotonic()
            took = edit(
                self._here, self._there, self._path, self._size, self._deadline_s, self._told
            )
            if took is not None:
                self.latencies.found.append(took * 1000)
            elif time.monotonic() - began > LONG_S:
                self.latencies.missed += 1
            self._told.wait(max(0.0, self._every_s - (took or 0.0)))

    def stop(self) -> None:
        self._told.set()
        self.join()


def edit(
    source: Actor,
    target: Actor,
    path: str,
    size: int,
    deadline_s: float,
    stop: threading.Event | None = None,
) -> float | None:
    """Returns the seconds from the end of a write until the other device has it; None: not in
    time."""
    data = os.urandom(size)
    began = time.monotonic()
    with suppress(OSError):
        (source.share / path).write_bytes(data)
        began = time.monotonic()
    while not stands(target.share / path, data):
        if time.monotonic() - began > deadline_s or (stop is not None and stop.is_set()):
            return None
        time.sleep(0.002)
    return time.monotonic() - began


def stands(path: Path, data: bytes) -> bool:
    with suppress(OSError):
        return path.stat().st_size == len(data) and path.read_bytes() == data
    return False


def until_connected(actor: Actor, name: str, within_s: float) -> float | None:
    """Returns the seconds from its `ready` until it is connected; None: not in time, or it did not
    start."""
    with suppress(Exception):
        actor.start()
        began = time.monotonic()
        if wait_until(lambda: is_connected(actor, name), within_s, period_s=0.02):
            return time.monotonic() - began
    return None


# -- a user of A ----------------------------------------------------------------------


def run_status(actor: Actor) -> str:
    """Returns how `leftzmq status` ends, and in what time."""
    words = [sys.executable, "-m", "leftzmq.cli.admin", "status", "-c"]
    return ended([*words, str(actor.home / "peer.toml")])


def ended(words: Sequence[str]) -> str:
    began = time.monotonic()
    try:
        done = processes.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=ASK_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end within {ASK_S:g} s"
    took = time.monotonic() - began
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    return f"rc {done.returncode}, {took:.1f} s, {len(done.stdout)} B {''.join(last)[:160]}".strip()


@contextmanager
def listening(actor: Actor, count: int) -> Iterator[None]:
    """Connects so many monitors to an agent, without a process for each."""
    events, _ = ipc_endpoints(actor.state)
    with zmq.Context() as context:
        sockets = [context.socket(zmq.SUB) for _ in range(count)]  # kept: else they would be closed
        for socket in sockets:
            socket.linger = 0
            socket.subscribe(b"")
            socket.connect(events)
        try:
            yield
        finally:
            context.destroy(0)


# -- all of it together --------------------------------------------------------------------------


@contextlib.contextmanager
def measured(
    stage: Fortress, flood: Flood | None, *, large: bool = False
) -> Iterator[dict[str, Any]]:
    """Yields a map that is filled at the end with the figures of A while the body ran."""
    figures: dict[str, Any] = {}
    helpers = [actor.pid for actor in stage.actors if actor.runs]
    helpers += [flood.pid] if flood is not None else []
    before = machine_busy_s(), ours_s(helpers)
    watch = Watch(stage.a)
    users = {"B to A": Edits(stage.b, stage.a), "A to B": Edits(stage.a, stage.b)}
    if large:
        users["large, B to A"] = Edits(
            stage.b, stage.a, LARGE_BYTES, LARGE_EVERY_S, 2 * EDIT_DEADLINE_S
        )
    try:
        yield figures
    finally:
        for user in users.values():
            user.stop()
        seconds = watch.stop()
        log = watch.log
        ours = ours_s(helpers) - before[1]
        figures |= {
            "seconds": round(seconds, 1),
            "cpu": round((watch.cpu - watch.cpu_before) / seconds, 2),
            "memory_before_mib": round(watch.memory_before),
            "memory_mib": round(watch.memory),
            "descriptors": watch.descriptors,
            "log_lines_s": round(log.lines / seconds, 1),
            "log_bytes_s": round(log.bytes / seconds),
            "state_mib": round(watch.state - watch.state_before, 1),
            "ended_after_s": watch.ended_after and round(watch.ended_after, 1),
            "last_words": stage.a.log_tail(1)[:300] if watch.ended_after else "",
            "log": [f"{count} x {log.examples[kind]}" for kind, count in log.telling.most_common()],
            "edits": {name: user.latencies.figures() for name, user in users.items()},
            "others_cpu": round(max(0.0, machine_busy_s() - before[0] - ours) / seconds, 2),
            "load": round(os.getloadavg()[0], 1),
        }


def ours_s(pids: Sequence[int]) -> float:
    """Returns the processor time of these processes and of this one, in seconds; ended ones count
    nothing."""
    total = sum(os.times()[:4])
    for pid in pids:
        with suppress(OSError, ValueError, IndexError):
            total += cpu_s(pid)
    return total


def afterwards(stage: Fortress, within_s: float = AFTERWARDS_S) -> dict[str, Any]:
    """Returns whether A serves as before: an edit each way, and in what time; what A says of
    itself."""
    a = stage.a
    out: dict[str, Any] = {"lives": a.runs}
    if not a.runs:
        out["exit_code"] = a.exit_code(5)
        out["starts_again"] = stage.starts_again(a, MEET_S)
    ways = {"B to A, s": (stage.b, a), "A to B, s": (a, stage.b)}
    with ThreadPoolExecutor() as pool:
        edits = {
            way: pool.submit(edit, *ends, f"afterwards, {way[:6]}", EDIT_BYTES, within_s)
            for way, ends in ways.items()
        }
    for way, done in edits.items():
        took = done.result()
        out[way] = None if took is None else round(took, 2)
    status = a.status() if a.runs else {}
    out["state"] = status.get("state", "no answer")
    out["why"] = status.get("why", "")
    out["problems"] = status.get("problems")
    if out["lives"] and not a.runs:
        out |= {"lives": False, "last_words": a.log_tail(3)[-400:]}
    if a.runs:
        out["memory_mib"] = round(rss_mib(a.pid))
        out["descriptors"] = descriptors(a)
    return out


# -- what the tests of a siege share -------------------------------------------------------------


def attacked(
    stage: Fortress,
    name: str,
    by: Sequence[Actor] = (),
    seconds: float = FLOOD_S,
    *,
    large: bool = False,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the figures of A under a flood, and what the attacker did."""
    with (
        flooded(stage, name, by, seconds) as flood,
        measured(stage, flood, large=large) as figures,
    ):
        wait_until(lambda: not flood.goes_on, seconds + 20.0)
    return figures, flood.end()


def serves(stage: Fortress, figures: dict[str, Any]) -> None:
    """Asserts that A lived through the flood, its folder runs, and edits arrive both ways, during
    the flood and afterwards."""
    assert figures["ended_after_s"] is None, figures["last_words"]
    assert not any("--adopt" in line for line in figures["log"]), figures["log"]
    after = afterwards(stage, SOON_AFTERWARDS_S)
    assert after["lives"] and after["state"] not in ("stopped", "no answer"), after
    assert after["B to A, s"] is not None and after["A to B, s"] is not None, after
    for way, edits in figures["edits"].items():
        assert edits["missed"] == 0, (way, edits)


def grew_mib(figures: dict[str, Any]) -> float:
    return float(figures["memory_mib"] - figures["memory_before_mib"])
