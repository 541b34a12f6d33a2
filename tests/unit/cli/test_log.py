"""The agent's log: what came within a moment is one line, at most some lines a second, each dated;
no colour where none is wanted."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.cli.format.batches import (
    LINES_A_S,
    LINES_AT_ONCE,
    LONGEST_S,
    MAX_WANTED,
    QUIET_S,
    EventBatches,
)
from leftzmq.cli.format.event_lines import batch_text, line, size_text
from leftzmq.cli.log import LEVELS, Level, Log, level_of
from leftzmq.errors import Problem, ProblemKind, StopCause, counted
from leftzmq.wire.local import Event, EventKind
from tests.helpers import processes

pytestmark = pytest.mark.slow

DEADLINE_S = 30.0
WHEN = 1795600000.0
DATED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (\w+) +(.*)")


def event(of: EventKind, path: str = "f", **fields: Any) -> Event:
    whole = {"folder": "share", "path": path, "kind": "file", "size": 0, "deleted": False}
    return Event(of, 1, WHEN, whole | fields, WHEN)


def came(path: str = "f", device: str = "beta", **fields: Any) -> Event:
    return event(EventKind.FINISHED, path, device=device, **fields)


def found(path: str = "f", **fields: Any) -> Event:
    return event(EventKind.SCAN, path, **fields)


def told(*events: tuple[float, Event]) -> list[str]:
    """What is said of events that come at these times, when all is over."""
    batches = EventBatches()
    said: list[str] = []
    for now, each in events:
        said += map(batch_text, batches.due(now))
        if each.kind is EventKind.TICKET:
            batches.wanted(each, now)
        else:
            batches.add(each, now)
    return [*said, *map(batch_text, batches.rest())]


# ---- batches ------------------------------------------------------------------------------------


def test_what_came_together_is_one_line_with_count_size_and_time() -> None:
    events = [(10 + n * 0.4 / 119, came(f"{n}", size=26_667)) for n in range(120)]
    assert told(*events) == ["share: 120 files, 3.2 MB from beta in 0.4 s"]


def test_what_our_scanner_found_is_one_line() -> None:
    assert told(*((1.0, found(f"{n}", size=29_000)) for n in range(2000))) == [
        "share: 2,000 files, 58.0 MB found here"
    ]


@pytest.mark.parametrize(
    "events, said",
    [
        ([came("letter.txt", size=4100)], "share/letter.txt (4.1 KB) from beta"),
        ([came("letter.txt", size=1, device="")], "share/letter.txt (1 B) from another device"),
        ([came("photos", kind="directory")], "share/photos (folder) from beta"),
        ([came("l", kind="symlink")], "share/l (link) from beta"),
        ([came("letter.txt", deleted=True)], "share/letter.txt deleted by beta"),
        ([came("letter.txt", deleted=True, device="")], "share/letter.txt deleted elsewhere"),
        ([found("letter.txt", size=4100)], "share/letter.txt (4.1 KB) found here"),
        ([found("letter.txt", deleted=True)], "share/letter.txt deleted here"),
        ([found("f", size=10)] * 3, "share/f (10 B) found here, 3 times"),
        ([found("f", size=10), found("f", deleted=True)], "share/f deleted here, 2 times"),
        ([came("a", size=1), came("b", size=1)], "share: 2 files, 2 B from beta"),
        (
            [came("a", size=1), came("d", kind="directory")],
            "share: 1 file, 1 B, 1 folder from beta",
        ),
        ([found("a", deleted=True), found("b", deleted=True)], "share: 2 deletes found here"),
        (
            [came("a", size=1), came("l", kind="symlink"), came("b", deleted=True)],
            "share: 1 file, 1 B, 1 link, 1 delete from beta",
        ),
        ([came("d", kind="directory"), came("e", kind="directory")], "share: 2 folders from beta"),
        (
            [event(EventKind.CONFLICT, "f", copy="f.conflict-1")],
            "share/f: both versions are kept, one as f.conflict-1",
        ),
        (
            [event(EventKind.CONFLICT, name, copy="c") for name in ("a", "b")],
            "share: 2 conflicts, both versions are kept: see `leftzmq conflicts list`",
        ),
        ([found("a\x1b[2J\nb", size=1)], "share/a\\x1b[2J\\nb (1 B) found here"),
    ],
)
def test_in_words(events: list[Event], said: str) -> None:
    assert told(*((1.0, each) for each in events)) == [said]


def test_each_device_and_folder_has_a_line_of_its_own() -> None:
    events = [found("f"), came("f"), came("f", "gamma"), came("f", folder="other")]
    assert len(told(*((1.0, each) for each in events))) == 4


def test_a_large_file_took_as_long_as_since_it_was_wanted() -> None:
    wanted = event(EventKind.TICKET, "2.mp4")
    assert told((1.0, wanted), (22.3, came("2.mp4", size=2_457_442_066))) == [
        "share/2.mp4 (2.5 GB) from beta in 21 s"
    ]


def test_what_a_line_has_told_of_is_not_counted_in_the_time_of_the_next_one() -> None:
    wanted = [(1.0, event(EventKind.TICKET, f"{n}")) for n in range(4)]
    arrive = [(2.0, came("0")), (2.1, came("1")), (9.0, came("2")), (9.5, came("3"))]
    assert told(*wanted, *arrive) == [
        "share: 2 files, 0 B from beta in 1.1 s",
        "share: 2 files, 0 B from beta in 7.4 s",
    ]


def test_a_line_comes_when_it_is_quiet_and_now_and_then_while_it_is_not() -> None:
    batches = EventBatches()
    assert batches.deadline() is None
    batches.add(found(), 1.0)
    assert batches.deadline() == 1.0 + QUIET_S
    assert batches.due(1.0 + QUIET_S - 0.01) == []
    assert len(batches.due(1.0 + QUIET_S)) == 1 and batches.deadline() is None
    for n in range(1, 200):
        batches.add(found(f"{n}"), 10 + n / 10)
        said = batches.due(10 + n / 10)
        if said:
            assert n / 10 >= LONGEST_S
            return
    raise AssertionError("no line while it goes on")


@pytest.mark.parametrize("devices", [1, 60])
def test_however_many_changes_come_a_few_lines_a_second_are_told(devices: int) -> None:
    """Of all kinds, by as many devices as there may be, in whatever rhythm."""
    batches, seconds, lines, changes = EventBatches(), 60.0, 0, 0
    made = 0
    for rhythm in (0.002, 0.8):
        now = 1000.0
        while now < 1000.0 + seconds:
            for n in range(devices):
                batches.add(came(f"{now}", f"d{n}"), now)
                batches.add(event(EventKind.CONFLICT, f"{now}", copy="c"), now)
                made += 2
            now += rhythm
            said = batches.due(now)
            lines, changes = lines + len(said), changes + sum(each.changes for each in said)
            due = batches.deadline()
            assert due is None or due > now, "nobody turns in circles"
            if devices > 1 and rhythm == 0.002:
                now += 0.2  # so that the test does not take so long
    rest = batches.rest()
    assert changes + sum(each.changes for each in rest) == made, "none is lost"
    assert lines <= 2 * seconds * LINES_A_S + 2 * LINES_AT_ONCE
    assert lines >= seconds / LONGEST_S


def test_what_is_kept_does_not_grow() -> None:
    batches = EventBatches()
    for n in range(3 * MAX_WANTED):
        batches.wanted(event(EventKind.TICKET, f"{n}"), 1.0)
        batches.add(came(f"f{n}"), 1.0)
    assert len(batches._wanted) <= MAX_WANTED and len(batches.rest()) == 1


@pytest.mark.parametrize(
    "count, said",
    [
        *((0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (4100, "4.1 KB"), (999_949, "999.9 KB")),
        *((999_950, "1.0 MB"), (3_200_000, "3.2 MB"), (5e9, "5.0 GB"), (7.5e15, "7500.0 TB")),
    ],
)
def test_a_size_is_said_as_shops_count(count: float, said: str) -> None:
    assert size_text(count) == said


# ---- other lines --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, fields, said",
    [
        (EventKind.SWEPT, {"batches": 1, "bytes": 1}, "share: 1 batch of the trash is gone, 1 B"),
        (
            EventKind.SWEPT,
            {"batches": 2, "bytes": 1},
            "share: 2 batches of the trash are gone, 1 B",
        ),
        (EventKind.HAVE_NEWS, {"paths": 1, "device": "b"}, "1 path of share changed on b"),
        (EventKind.HAVE_NEWS, {"paths": 2, "device": "b"}, "2 paths of share changed on b"),
        (EventKind.PEER_UP, {"device": "b", "more": 1}, "b is connected (and 1 more time)"),
        (EventKind.PEER_UP, {"device": "b", "more": 2}, "b is connected (and 2 more times)"),
    ],
)
def test_one_is_said_in_the_singular(kind: EventKind, fields: dict[str, Any], said: str) -> None:
    assert line(event(kind, **fields)).endswith(said)


def test_numbers_of_things() -> None:
    assert [counted(n, "file") for n in (0, 1, 2, 2000)] == [
        *("0 files", "1 file", "2 files", "2,000 files")
    ]
    assert [counted(n, "copy", "copies") for n in (1, 2)] == ["1 copy", "2 copies"]


@pytest.mark.parametrize("kind", ProblemKind)
def test_the_root_of_a_share_is_said_in_words(kind: ProblemKind) -> None:
    assert str(Problem("share", ".", kind)) == f"the whole share: {kind.value}"
    assert str(Problem("share", "a/b", kind)).startswith("a/b: ")
    assert str(Problem("share", "", kind, "", "beta")).startswith("the index of beta: ")


# ---- levels and JSON ----------------------------------------------------------------------------

EVENTS = [
    Event(EventKind.READY, 1, WHEN, {}, WHEN),
    event(EventKind.TICKET, "f"),
    event(EventKind.START_RENAME, "f", verb="put the file"),
    came("f", size=5),
    found("a", size=1),
    found("b", size=1),
    event(EventKind.CONFLICT, "f", copy="f.conflict-1"),
    Event(EventKind.PEER_DOWN, 8, WHEN, {"device": "beta", "why": "nobody answers"}, WHEN),
    event(EventKind.PROBLEM, "x", problem="UNREADABLE", text="x: cannot be read"),
    event(EventKind.PROBLEM, "x", problem="SOLVED", text="x: solved"),
    event(EventKind.PROBLEM, "", problem="SHARE_AWAY", text="it is away"),
    Event(EventKind.STOPPED, 9, WHEN, {}, WHEN),
]


def logged(tmp_path: Path, level: Level, *, as_json: bool = False) -> list[str]:
    """The lines of a log of this level, of EVENTS."""
    file = tmp_path / "log"
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    log = Log(fd, clock=lambda: WHEN)
    log.level, log.as_json = level, as_json
    for each in EVENTS:
        log(each, 1.0)
    log.say("the last words")
    log.close()
    os.close(fd)
    return file.read_text().splitlines()


def kinds(lines: list[str]) -> list[str]:
    found = [DATED.fullmatch(each) for each in lines]
    return [each[1] if each else "" for each in found]


def test_a_level_says_what_matters_so_much_or_more(tmp_path: Path) -> None:
    said = {level: kinds(logged(tmp_path, level)) for level in Level}
    assert said[Level.DEBUG] == [each.kind.value for each in EVENTS] + [""]
    assert said[Level.INFO] == [
        *("ready", "peer_down", "problem", "problem", "problem"),
        *("received", "found", "conflict", "stopped", ""),
    ], "and what waits is said before the end"
    assert said[Level.WARNING] == ["peer_down", "problem", "problem", "conflict", ""]
    assert said[Level.ERROR] == ["problem", ""]


def test_every_kind_of_event_has_a_level() -> None:
    steps = {EventKind.TICKET, EventKind.START_RENAME, EventKind.HAVE_NEWS, EventKind.PROGRESS}
    for kind in EventKind:
        assert (level_of(Event(kind, 1, 0.0, {}, 0.0)) is Level.DEBUG) == (kind in steps)
    for cause in StopCause:
        assert level_of(event(EventKind.PROBLEM, "", problem=cause.name)) is Level.ERROR


@pytest.mark.parametrize("level", LEVELS.values())
def test_as_json_every_line_is_an_object(tmp_path: Path, level: Level) -> None:
    said = [json.loads(each) for each in logged(tmp_path, level, as_json=True)]
    assert said[-1]["event"] == "error" and said[-1]["text"] == "the last words"
    assert {each["level"] for each in said} <= {
        name for name, one in LEVELS.items() if one >= level
    }
    for each in said:
        assert each["time"] == WHEN and each["date"].startswith("2026-11-2") and each["text"]
    if level is Level.INFO:
        [batch] = [each for each in said if each["event"] == "received"]
        assert (batch["folder"], batch["device"], batch["path"]) == ("share", "beta", "f")
        assert (batch["files"], batch["bytes"]) == (1, 5)
    if level is Level.DEBUG:
        assert said[3]["event"] == "finished" and said[3]["size"] == 5


# ---- colours ------------------------------------------------------------------------------------

NO_STYLE = [{"NO_COLOR": "1"}, {"TERM": "dumb"}]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two that are in sync, with a conflict and something in the trash of A."""
    with Stage("AB", tmp_path_factory.mktemp("log") / "stage") as stage:
        a, b = stage.actors
        (a.share).mkdir()
        (b.share).mkdir()
        (a.share / "letter").write_bytes(b"by a")
        (b.share / "letter").write_bytes(b"by b!")
        a.start()
        assert wait_until(lambda: a.status().get("files") == 1, DEADLINE_S)
        b.start()
        assert wait_until(lambda: a.status().get("conflicts") == 1, DEADLINE_S)
        yield stage


def on_a_terminal(actor: Actor, module: str, *words: str, until: str, **more: str) -> str:
    """What a command writes to a terminal, up to this word; without more environment, in colour."""
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    environment |= {"TERM": "xterm-256color"} | more
    command = [sys.executable, "-m", f"leftzmq.cli.{module}", *words]
    ours, theirs = pty.openpty()
    process = processes.start(
        [*command, "-c", str(actor.home / "peer.toml")],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    said = b""
    try:
        while until.encode() not in said:
            said += os.read(ours, 4096)
    except OSError as error:
        assert error.errno == errno.EIO, error  # it has ended
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert until.encode() in said, said
    return said.decode()


COMMANDS = {
    "monitor": (("monitor",), "conflict"),
    "status": (("admin", "status"), "both versions"),
    "conflicts list": (("admin", "conflicts", "list"), "letter.conflict"),
    "conflicts show": (("admin", "conflicts", "show", "letter"), "+by"),
}


@pytest.mark.parametrize("without", [{}, *NO_STYLE], ids=str)
@pytest.mark.parametrize("name", COMMANDS)
def test_no_colour_where_none_is_wanted(stage: Stage, name: str, without: dict[str, str]) -> None:
    """Nor bold. Else there is some: so the test would see it."""
    (module, *words), until = COMMANDS[name]
    said = on_a_terminal(stage.actors[0], module, *words, until=until, **without)
    assert ("\x1b[" in said) == (not without), said


@pytest.mark.parametrize("without", [{}, *NO_STYLE], ids=str)
def test_the_agent_itself_colours_for_a_terminal_alone(
    tmp_path: Path, without: dict[str, str]
) -> None:
    with Stage("A", tmp_path / "stage") as alone:
        said = on_a_terminal(alone.actors[0], "agent", "-v", until="is ready", **without)
    assert ("\x1b[" in said) == (not without), said


# ---- real agents --------------------------------------------------------------------------------


def test_agents_say_batches_and_name_a_single_file(tmp_path: Path) -> None:
    with Stage("AB", tmp_path / "stage") as stage:
        a, b = stage.actors
        a.start()
        b.start()
        connected = "B is connected"
        assert wait_until(lambda: connected in a.log_tail(99), DEADLINE_S)
        (a.share / "letter.txt").write_bytes(b"x" * 4100)
        word = "share/letter.txt (4.1 KB) from A"
        assert wait_until(lambda: word in b.log_tail(99), DEADLINE_S), b.log_tail(99)
        assert "share/letter.txt (4.1 KB) found here" in a.log_tail(99)
        for n in range(300):
            (a.share / f"many {n}").write_bytes(b"x" * 100)
        assert wait_until(lambda: b.status().get("files") == 301, DEADLINE_S)
        b.stop()
        a.stop()
        for actor, verb in ((a, "found here"), (b, "from A")):
            lines = actor.log_tail(999).splitlines()
            assert all(DATED.fullmatch(each) for each in lines), lines
            counts = [re.search(rf"share: (\d+) files, .* {verb}", each) for each in lines]
            assert sum(int(each[1]) for each in counts if each) >= 290, lines
            assert len(lines) < 20 and "stopped" in lines[-1], lines


def test_an_agent_logs_json_at_the_level_that_it_is_told(tmp_path: Path) -> None:
    with Stage("A", tmp_path / "stage") as stage:
        [a] = stage.actors
        command = [sys.executable, "-m", "leftzmq.cli.agent", "-c", f"{a.home}/peer.toml"]
        (a.share).mkdir()
        (a.share / "f").write_bytes(b"12345")
        log = (a.home / "log").open("w+")
        process = processes.start(
            [*command, "--log-json", "--log-level", "info"], stdout=log, stderr=log
        )
        try:
            assert wait_until(lambda: '"found"' in a.log_tail(99), DEADLINE_S), a.log_tail()
        finally:
            process.terminate()
            process.wait(DEADLINE_S)
            log.close()
        said = [json.loads(each) for each in a.log_tail(99).splitlines() if each[:1] == "{"]
        assert [each["event"] for each in said] == ["ready", "found", "stopped"]
        ran = processes.run([*command, "--log-level", "loud"], capture_output=True, text=True)
        assert ran.returncode == 2 and "'debug', 'info', 'warning', 'error'" in ran.stderr
        (a.home / "peer.toml").write_text("x")
        ran = processes.run([*command, "--log-json"], capture_output=True, text=True)
        assert ran.returncode == 2 and json.loads(ran.stderr)["event"] == "error"
