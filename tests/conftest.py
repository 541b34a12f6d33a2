"""Fixtures and settings that many test modules share."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from leftzmq.cli.demo import stage
from tests.helpers import processes
from tests.helpers.mesh import Mesh

TESTS = Path(__file__).parent
SLOW = {"agents", "browser", "planted", "scenes", "sim"}
TURNS = 4
IN_TURN = {
    "agents": ("index_flood", "log", "network", "siege_paired", "siege_strangers"),
    "browser": ("page_alone",),
    "scenes": ("programs", "scenes"),
    "sim": (
        *("cut_batches", "cuts", "hostile", "hostile_members", "hostile_names"),
        *("index_faults", "laws", "seeds", "spellings", "unflushed"),
    ),
    "unit/cli": ("demo", "output"),
    "unit/sync": ("crash", "reopening", "sending_at_random"),
    "unit/sync/admin": ("paging",),
    "unit/sync/download": ("expansion", "swarm", "transfer_slots"),
    "unit/sync/exchange": ("index_bounds",),
    "unit/sync/guard": ("guard", "losses"),
    "unit/sync/peers": ("orders",),
    "unit/sync/peers/roster": ("epochs", "model", "roster"),
    "unit/sync/scan": ("storm", "written"),
    "unit/sync/versions": ("keeping_laws", "laws", "readers"),
}
"""Files whose tests try one thing in many ways, or for long: each day another quarter of them is
run with all others, so that this ends in ten minutes. What is named on the command line is run
whole, and `-m "in_turn and not long"` runs all of these."""
DAY = "LEFTZMQ_TESTS_OF_DAY"
DAY_S = 86_400
QUICK_WORKERS, WORKERS = 3, 5
BEFORE = pytest.StashKey[str | None]()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell without job control starts background processes like this, and whatever we start would
    # inherit it: no agent would receive the Ctrl-C of a test.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """The paths of tests are long: the short paths for their sockets (leftzmq/statedir) are removed
    with the run. The agents of a stage are forked."""
    os.environ.setdefault(DAY, str(int(time.time()) // DAY_S))  # the same for all workers
    config.stash[BEFORE] = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="lzq-")
    if (worker := getattr(config, "workerinput", None)) is not None:
        ports_of(int(worker["workerid"].removeprefix("gw")), worker["workercount"])
    stage.start_process = processes.start
    by_workers = getattr(config.option, "tx", None) and not config.option.file_or_dir
    if by_workers and not sys.dont_write_bytecode and not (TESTS / "unit/__pycache__").exists():
        compile_once()


def ports_of(number: int, count: int) -> None:
    """Each worker has ports of its own. What one of them chose for an agent, which is not started
    yet or is stopped for a moment, another one would find free."""
    each = len(stage.PORTS) // count
    stage.PORTS = stage.PORTS[number * each : (number + 1) * each]


def compile_once() -> None:
    """In a fresh copy each worker would compile all tests, at the same time as the others: 4 s of
    CPU each. Two processes do it before they begin, a half each."""
    others = [str(TESTS / name) for name in sorted(SLOW)]
    command = [sys.executable, "-m", "pytest", "-n", "0", "--collect-only"]
    halves = [
        subprocess.Popen([*command, *places], cwd=TESTS.parent, stdout=subprocess.DEVNULL)
        for places in ([str(TESTS / "unit")], others)
    ]
    for half in halves:
        half.wait()


def pytest_unconfigure(config: pytest.Config) -> None:
    processes.end()
    shutil.rmtree(os.environ.pop("XDG_RUNTIME_DIR"), ignore_errors=True)
    if (before := config.stash[BEFORE]) is not None:
        os.environ["XDG_RUNTIME_DIR"] = before


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`-n auto`. Quick tests compute, and each worker reads all of them anew; real agents mostly
    wait."""
    return QUICK_WORKERS if "not slow" in config.option.markexpr else WORKERS


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """The collector of garbage does not look at 7,000 tests and all modules while they are read,
    nor again and again while the tests run: that took a tenth of the time of quick tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if leaves_some_out(config):
        said = f"a quarter of those that are run in turn was run ({DAY}={os.environ[DAY]})"
        terminalreporter.write_line(f"{said}; all of them: pytest -m 'in_turn and not long'")


def leaves_some_out(config: pytest.Config) -> bool:
    """Whether all tests were asked for, and none by name: in a worker, too."""
    by_worker = getattr(config, "workerinput", {}).get("leaves_some_out")
    if by_worker is not None:
        return bool(by_worker)
    return not config.option.file_or_dir and "in_turn" not in config.option.markexpr


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist makes a worker."""
    node.workerinput["leaves_some_out"] = leaves_some_out(node.config)


def has_its_turn(name: str, day: int) -> bool:
    """Whether a test that is run in turn is run on this day: on one of TURNS days that follow each
    other."""
    return (zlib.crc32(name.encode()) + day) % TURNS == 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What starts agents, runs many seeds, or has whole devices at work on real files is slow; what
    is long is slow."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.slow)
        by_mesh = "mesh" in getattr(item, "fixturenames", ())
        if by_mesh or SLOW.intersection(item.path.relative_to(TESTS).parts[:1]):
            item.add_marker(pytest.mark.slow)
        place = item.path.relative_to(TESTS)
        if place.stem.removeprefix("test_") in IN_TURN.get(str(place.parent), ()):
            item.add_marker(pytest.mark.in_turn)
    if leaves_some_out(config):
        day = int(os.environ[DAY])
        turned = [item for item in items if item.get_closest_marker("in_turn")]
        left_out = {item for item in turned if not has_its_turn(item.nodeid, day)}
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=[*left_out])


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    """A and B, started and quiet; a test module that needs other devices has its own mesh."""
    mesh = Mesh(tmp_path, "AB")
    mesh.begin()
    return mesh
