"""The flight recorder: brief, one line a fact, nothing large or secret, and never in the way."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from leftzmq.errors import Refusal, Stop, StopCause
from leftzmq.runtime.flight_recorder import (
    KEPT_FACTS,
    MAX_LINE_LETTERS,
    MAX_TEXT_LETTERS,
    MAX_TRACE_LETTERS,
    FlightRecorder,
    _brief,
)
from leftzmq.sync.facts import (
    Asked,
    ChunksArrived,
    Fact,
    LinkClosed,
    LinkOpened,
    PathsTouched,
    Started,
    Stranger,
    StrangerRefused,
    Subscribed,
    TimePassed,
    Touch,
)
from leftzmq.sync.jobs import Flush, Flushed, Job, JobBroke, JobStopped, Walk
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.sync.node import Node
from leftzmq.wire.messages import Chunks
from tests.helpers.mesh import Mesh

DEVICE = DeviceKey(b"K" * 32)
CAME = Link(DEVICE, Way.CAME, b"\0abcd")
WALL_NS = 1_795_600_000_123_000_000
BIG_BYTES = 4 << 20


def lines(recorder: FlightRecorder) -> list[str]:
    """What follows the head: without the time for people."""
    text = recorder.text("why", "trace\n", WALL_NS, lambda device: "beta")
    return [line.partition(" ")[2] for line in text.partition("was about.\n\n")[2].splitlines()]


def line(fact: Fact) -> str:
    recorder = FlightRecorder()
    recorder.note(fact, 12.5, WALL_NS)
    (found,) = lines(recorder)
    assert found.startswith("12.500000 ")
    return found.removeprefix("12.500000 ")


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        (Started(), "Started"),
        (Flushed("share", 7), "Flushed folder='share' head=7"),
        (LinkClosed(CAME, "gone"), "LinkClosed link.device='beta' link.way=CAME why='gone'"),
        (
            ChunksArrived(CAME, Chunks(1, b"t" * 16, [], []), b"bytes"),
            "ChunksArrived link.device='beta' link.way=CAME header=Chunks len(body)=5",
        ),
        (
            PathsTouched("share", (("a b", Touch.GONE), ("c", Touch.MADE))),
            "PathsTouched folder='share' len(touches)=2 first=('a b', GONE)",
        ),
        (PathsTouched("share", ()), "PathsTouched folder='share' len(touches)=0"),
        (
            Asked(b"x", "trash list", {"folder": "share", "path": "a", "after": "elsewhere"}),
            "Asked verb='trash list' folder='share' path='a'",
        ),
        (
            JobBroke(Walk("share", 3, "p"), "oh", "trace"),
            "JobBroke job=(Walk folder='share' walk=3 prefix='p') why='oh'",
        ),
        (
            JobStopped(Flush("share", 7), Stop(StopCause.INDEX, "full")),
            "JobStopped job=(Flush folder='share' head=7) stop=INDEX('full')",
        ),
        (
            StrangerRefused(None, Refusal.UNKNOWN_DEVICE, "", Stranger("k" * 40, "tcp://a")),
            "StrangerRefused refusal=UNKNOWN_DEVICE detail=''",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_fact_is_one_line_of_what_it_was_about(fact: Fact, said: str) -> None:
    assert line(fact) == said


def test_a_text_is_short_and_one_line_whatever_is_in_it() -> None:
    said = line(LinkClosed(CAME, "\x1b[2J\n\udcff" + "long" * MAX_TEXT_LETTERS))
    assert said.isprintable() and len(said) < MAX_TEXT_LETTERS + 80 and said.endswith("...'")
    assert len(line(LinkClosed(CAME, "\udcff" * MAX_TEXT_LETTERS))) < MAX_LINE_LETTERS


def test_the_head_says_why_when_and_what_of_and_steers_no_terminal() -> None:
    recorder = FlightRecorder()
    recorder.note(Started(), 1.0, WALL_NS)
    text = recorder.text("why \x1b[2J", "x" * MAX_TRACE_LETTERS + "\nthe end\n", WALL_NS)
    assert "why \\x1b[2J\n" in text and "\nthe end\n" in text and "The last 1 facts" in text
    assert len(text) < MAX_TRACE_LETTERS + 2_000
    assert all(one.isprintable() for one in text.splitlines())


def test_only_the_last_ones_are_kept_in_their_order() -> None:
    recorder = FlightRecorder()
    for head in range(KEPT_FACTS + 5):
        recorder.note(Flushed("share", head), float(head), WALL_NS)
    found = lines(recorder)
    assert len(found) == KEPT_FACTS
    assert found[0].endswith("head=5") and found[-1].endswith(f"head={KEPT_FACTS + 4}")


def test_an_idle_agent_does_not_forget_what_it_did() -> None:
    recorder = FlightRecorder()
    recorder.note(Started(), 0.0, WALL_NS)
    for second in range(3 * KEPT_FACTS):
        recorder.note(TimePassed(), float(second), WALL_NS)
    recorder.note(LinkOpened(CAME), 7000.0, WALL_NS)
    recorder.note(TimePassed(), 7001.0, WALL_NS)
    assert lines(recorder) == [
        "0.000000 Started",
        "5999.000000 TimePassed times=6000",
        "7000.000000 LinkOpened link.device='beta' link.way=CAME",
        "7001.000000 TimePassed times=1",
    ]


def test_every_fact_and_job_says_something() -> None:
    silent = {Started, Subscribed, TimePassed}
    for kind in {*get_args(Fact), *get_args(Job)} - silent:
        assert _brief(kind).names, kind


class Bare:
    """As if the recorder had a mistake of its own: this has a field that no object of it has."""

    number: int


def test_what_cannot_be_picked_from_is_still_named() -> None:
    recorder = FlightRecorder()
    recorder.note(object(), 1.0, WALL_NS)  # type: ignore[arg-type]
    recorder.note(Bare(), 2.0, WALL_NS)  # type: ignore[arg-type]
    assert lines(recorder) == ["1.000000 object", "2.000000 Bare"]


# -- nothing large, nothing secret ---------------------------------------------------------------


def reachable(value: object) -> Iterator[object]:
    """Everything that `value` keeps alive, but for classes and modules."""
    seen: set[int] = set()
    front: list[Any] = [value]
    while front:
        one = front.pop()
        if id(one) in seen or isinstance(one, type) or callable(one):
            continue
        seen.add(id(one))
        yield one
        front += gc.get_referents(one)


def test_a_sync_leaves_nothing_large_in_memory_and_no_bytes_and_no_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, handle = FlightRecorder(), Node.handle
    kinds: set[type] = set()

    def noted(node: Node, fact: Fact, now: float, wall_ns: int) -> object:
        recorder.note(fact, now, wall_ns)
        kinds.add(type(fact))
        return handle(node, fact, now, wall_ns)

    monkeypatch.setattr(Node, "handle", noted)
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    for device in (a, b):
        device.start()
    mesh.settle()
    content = b"secret words of a user " * (BIG_BYTES // 23)
    a.write("large", content)
    for number in range(300):
        a.write(f"many/{number}", b"secret words of a user %d" % number)
    mesh.now += 100
    mesh.scan_all()
    mesh.settle()
    assert (b.share / "large").read_bytes() == content
    mesh.ask(a, "conflicts show", path="large")
    assert len(kinds) > 20
    bytes_kept = [one for one in reachable(recorder) if isinstance(one, bytes | bytearray)]
    assert set(bytes_kept) <= {a.key, b.key}
    assert sum(map(sys.getsizeof, reachable(recorder))) < 1 << 20
    text = recorder.text("why", "", WALL_NS, {a.key: "A", b.key: "B"}.__getitem__)
    assert "secret words" not in text and "many/" in text and len(text) < 1 << 20
    assert "link.device='A'" in text
