"""An agent that ends by a mistake of its own leaves what happened before it, and says where."""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until

DEADLINE_S = 30.0
CONTENT = b"words that nobody else is to read"

# Each is run in front of the agent. The mistake waits for a file of the name `trigger`.
JOB = """
from leftzmq.sync import jobs
from leftzmq.work import runner
look = runner._HANDLERS[jobs.Look]
def broken(self, context, job):
    if "trigger" in job.paths:
        raise KeyError("a mistake that was planted")
    return look(self, context, job)
runner._HANDLERS[jobs.Look] = broken
"""
LOOP = """
from leftzmq.sync.facts import PathsTouched
from leftzmq.sync.node import Node
handle = Node.handle
def broken(self, fact, now, wall_ns):
    if isinstance(fact, PathsTouched) and "trigger" in dict(fact.touches):
        raise KeyError("a mistake that was planted")
    return handle(self, fact, now, wall_ns)
Node.handle = broken
"""
FULL = """
from leftzmq import statedir
write = statedir._write_flushed
def full(path, data, how):
    if path.name.startswith("flight-"):
        path.write_bytes(data[:10])
        raise OSError(28, "No space left on device")
    write(path, data, how)
statedir._write_flushed = full
"""
RECORDER = """
from leftzmq.runtime.flight_recorder import FlightRecorder
def worse(*_):
    raise ZeroDivisionError("another mistake that was planted")
FlightRecorder.text = worse
"""
START = """
import sys
from leftzmq.cli.agent import main
sys.exit(main(sys.argv[4:]))  # python FILE python -m leftzmq.cli.agent -c peer.toml
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage("AB", tmp_path / "stage") as stage:
        yield stage


def end(stage: Stage, *mistakes: str) -> Actor:
    """Start A with these mistakes, let them happen, and return A."""
    a, b = stage.actors
    script = a.home / "mistaken.py"
    script.write_text("".join((*mistakes, START)))
    a._within = (sys.executable, str(script))
    a.start()
    b.start()
    (a.share / "first").write_bytes(CONTENT)
    assert wait_until(lambda: (b.share / "first").exists(), DEADLINE_S), a.log_tail(40)
    (a.share / "trigger").write_bytes(b"now")
    assert a.exit_code(DEADLINE_S) == 1
    return a


def flights(actor: Actor) -> list[Path]:
    return sorted(actor.state.glob("flight-*"))


@pytest.mark.parametrize(
    ("mistake", "said"), [(JOB, "a mistake of ours in Look: KeyError"), (LOOP, "KeyError")]
)
def test_what_happened_before_a_mistake_is_in_a_file_that_is_named(
    stage: Stage, mistake: str, said: str
) -> None:
    a = end(stage, mistake)
    (file,) = flights(a)
    last = a.log_tail(1)
    assert last.startswith("leftzmq-agent: a mistake of ours") and said in last, a.log_tail(40)
    assert f"attach {file}: there are paths of files in it" in last
    assert "Traceback" in a.log_tail(40)
    assert re.fullmatch(r"flight-\d{8}-\d{6}\.log", file.name)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert "a mistake that was planted" in text and "Traceback" in text and "in broken" in text
    assert re.search(r"PathsTouched folder='share' len\(touches\)=\d+ first=\('trigger'", text)
    assert re.search(r"LinkOpened link\.device='B'|link\.device='B'", text)
    assert CONTENT.decode() not in text and stage.actors[1].key[:13] not in text
    assert (a.home.parent / "share.secret").read_text().strip() not in text
    a._within = ()
    a.start()
    assert wait_until(lambda: (stage.actors[1].share / "trigger").exists(), DEADLINE_S)


@pytest.mark.parametrize(
    ("worse", "said"), [(FULL, "No space left on device"), (RECORDER, "ZeroDivisionError")]
)
def test_what_cannot_be_written_is_one_sentence_beside_the_mistake(
    stage: Stage, worse: str, said: str
) -> None:
    a = end(stage, JOB, worse)
    last = a.log_tail(1)
    assert "a mistake of ours in Look: KeyError" in last, a.log_tail(40)
    assert f"could not be written to {a.state}: " in last and said in last
    assert flights(a) == []
