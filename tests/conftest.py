"""Fixtures and settings that many test modules share."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from leftzmq.cli.demo import stage
from tests.helpers import processes
from tests.helpers.mesh import Mesh

TESTS = Path(__file__).parent
SLOW = {"agents", "browser", "planted", "scenes", "sim"}
QUICK_WORKERS, WORKERS = 3, 5
BEFORE = pytest.StashKey[str | None]()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell without job control starts background processes like this, and whatever we start would
    # inherit it: no agent would receive the Ctrl-C of a test.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """The paths of tests are long: the short paths for their sockets (leftzmq/statedir) are removed
    with the run. The agents of a stage are forked."""
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
    stage.PORTS = stage.PORTS[number::count]


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts agents, runs many seeds, or has whole devices at work on real files is slow; what
    is long is slow."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.slow)
        by_mesh = "mesh" in getattr(item, "fixturenames", ())
        if by_mesh or SLOW.intersection(item.path.relative_to(TESTS).parts[:1]):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    """A and B, started and quiet; a test module that needs other devices has its own mesh."""
    mesh = Mesh(tmp_path, "AB")
    mesh.begin()
    return mesh
