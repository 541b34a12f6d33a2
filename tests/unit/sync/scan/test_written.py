"""Files that are written all the time: logs, databases, downloads. Their state is taken now and
then, never torn, and they keep nobody else waiting."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from leftzmq.errors import ProblemKind
from leftzmq.sync.facts import PathsTouched, Touch
from leftzmq.sync.jobs import CutSlice, Job, Look
from leftzmq.sync.scan.look_times import EAGER_S
from tests.helpers.mesh import Device, Mesh
from tests.sim.node import FOLDER, content_id

pytestmark = pytest.mark.slow

LARGE = 5 << 20


class Pen(Mesh):
    """A mesh in which somebody can do something before each job of a kind."""

    def __init__(self, base: Path, names: str = "AB") -> None:
        super().__init__(base, names)
        self.before: Callable[[Device, Job], None] = lambda device, job: None

    def submit(self, device: Device, job: Job) -> None:  # type: ignore[override]
        self.before(device, job)
        super().submit(device, job)


@pytest.fixture
def mesh(tmp_path: Path) -> Pen:
    mesh = Pen(tmp_path)
    mesh.begin()
    return mesh


def put(device: Device, path: str, offset: int, data: bytes, touch: Touch = Touch.MODIFIED) -> None:
    """A user's program writes through a descriptor that it keeps open."""
    target = device.share / path
    target.touch()
    with target.open("r+b") as file:
        file.seek(offset)
        file.write(data)
    ns = device.mesh.wall_ns(device)
    os.utime(target, ns=(ns, ns))
    device.take(PathsTouched(FOLDER, ((path, touch),)))


def line(number: int) -> bytes:
    return b"%07d\n" % number


def shown(device: Device) -> list[tuple[str, ProblemKind]]:
    return [(problem.path, problem.kind) for problem in device.folder.problems.all()]


def test_a_log_reaches_the_others_while_it_is_written(mesh: Pen) -> None:
    """A line every 0.4 s for 90 s."""
    a, b = mesh.devices.values()
    there, sizes, seen = b.share / "log", [0], []
    for number in range(225):
        put(a, "log", 8 * number, line(number))
        mesh.settle(0.4)
        data = there.read_bytes() if there.exists() else b""
        assert data == b"".join(map(line, range(len(data) // 8))), "whole lines, all of them"
        if len(data) > sizes[-1]:
            sizes.append(len(data))
            seen.append(0.4 * (number + 1))
    assert seen[0] <= 10.5 and len(seen) == 3, "after 10 s, 20 s more and 40 s more"
    assert seen[1] - seen[0] <= 20.5 and seen[2] - seen[1] <= 40.5
    assert shown(a) == [("log", ProblemKind.BEING_WRITTEN)]
    waited = mesh.ask(a, "wait", timeout=0.5)
    assert waited["in_sync"] is False, "what was written before the question is not there"
    mesh.settle(1.5)
    assert there.read_bytes() == (a.share / "log").read_bytes() and not shown(a)
    assert a.folder.at_rest


@pytest.mark.parametrize("size", [64 << 10, LARGE])
def test_what_is_rewritten_in_place_is_never_torn(mesh: Pen, size: int) -> None:
    """Every 0.3 s, and once before every second part of it that is read."""
    a, b = mesh.devices.values()
    rounds = 0
    there = b.share / "db"

    def rewrite() -> None:
        nonlocal rounds
        rounds += 1
        put(a, "db", 0, b"%07d\n" % rounds * (size // 8))

    def between(device: Device, job: Job) -> None:
        if isinstance(job, CutSlice) and job.offset and rounds % 3:
            rewrite()

    mesh.before = between
    kinds = set()
    for _ in range(100):
        rewrite()
        mesh.settle(0.3)
        if there.exists():
            data = there.read_bytes()
            assert len(data) == size and data == data[:8] * (size // 8)
            kinds.add(data[:8])
    assert kinds, "it came while it was rewritten"
    assert shown(a) == [("db", ProblemKind.BEING_WRITTEN)]


def test_a_download_is_taken_up_to_where_it_was(mesh: Pen) -> None:
    """It grows before every part of it that is read, and every 10 ms."""
    a, b = mesh.devices.values()
    there, end = b.share / "dl", 0
    block = os.urandom(64 << 10)

    def grow(device: Device | None = None, job: Job | None = None) -> None:
        nonlocal end
        if job is None or isinstance(job, CutSlice | Look):
            put(a, "dl", end, block)
            end += len(block)

    for _ in range(500):
        grow()
        mesh.settle(0.01)
    mesh.before = grow
    for _ in range(600):
        grow()
        mesh.settle(0.01)
    size = there.stat().st_size
    assert LARGE < size < end and there.read_bytes() == block * (size // len(block))
    assert shown(a) == [("dl", ProblemKind.BEING_WRITTEN)]
    mesh.before = lambda device, job: None
    mesh.settle(3.0)
    assert there.read_bytes() == (a.share / "dl").read_bytes(), "it was never thought done"
    assert not shown(a)


@pytest.mark.parametrize("size", [1 << 10, LARGE])
@pytest.mark.parametrize(
    ("between", "every_s", "rounds_before", "rounds_then"),
    [
        # Only what is the same at two readings was there together.
        pytest.param((CutSlice, Look), 0.05, 180, 100, id="while it is read"),
        # Its first bytes stand still while they are read, twice.
        pytest.param((Look,), 0.3, 30, 60, id="right before each look"),
    ],
)
def test_what_gets_longer_by_being_rewritten_is_never_torn(
    mesh: Pen,
    size: int,
    between: tuple[type, ...],
    every_s: float,
    rounds_before: int,
    rounds_then: int,
) -> None:
    a, b = mesh.devices.values()
    rounds, written = 0, set[bytes]()

    def rewrite(device: Device | None = None, job: Job | None = None) -> None:
        nonlocal rounds
        if job is None or isinstance(job, between):
            rounds += 1
            data = b"%07d\n" % rounds * (size // 8 + rounds)
            put(a, "f", 0, data)
            written.add(content_id(a.keys, data))

    for _ in range(rounds_before):
        rewrite()
        mesh.settle(every_s)
    mesh.before = rewrite
    for _ in range(rounds_then):
        rewrite()
        mesh.settle(every_s)
        ours = a.store.ours("f")
        assert ours is None or ours.entry.content in written
    mesh.before = lambda device, job: None
    mesh.settle(3.0)
    assert (b.share / "f").read_bytes() == (a.share / "f").read_bytes()


def test_a_log_that_is_written_at_a_start_does_not_hold_the_first_walk(mesh: Pen) -> None:
    """Before that is over nothing is fetched by a device whose index is new."""
    a, b = mesh.devices.values()
    b.kill()
    for path in b.state.iterdir():
        path.unlink()
    a.write("wanted", b"by b")
    a.scan()
    mesh.settle()
    put(b, "log", 0, line(0))
    b.start()
    start = mesh.now
    for number in range(1, 30):
        put(b, "log", 8 * number, line(number))
        mesh.settle(0.4)
        if (b.share / "wanted").exists():
            break
    assert mesh.now - start < EAGER_S + 1.5


def test_a_delete_does_not_wait_for_a_log(mesh: Pen) -> None:
    a, b = mesh.devices.values()
    a.write("gone", b"soon")
    a.scan()
    mesh.settle()
    for number in range(20):
        put(a, "log", 8 * number, line(number))
        mesh.settle(0.4)
    (a.share / "gone").unlink()
    a.take(PathsTouched(FOLDER, (("gone", Touch.GONE),)))
    for number in range(20, 24):
        put(a, "log", 8 * number, line(number))
        mesh.settle(0.4)
    assert not (b.share / "gone").exists()


def test_a_restart_after_a_state_was_taken(mesh: Pen) -> None:
    a, b = mesh.devices.values()
    for number in range(40):
        put(a, "log", 8 * number, line(number))
        mesh.settle(0.4)
    taken = (b.share / "log").stat().st_size
    assert 0 < taken < 320
    a.kill()
    a.start()
    mesh.settle(2.0)
    assert (b.share / "log").stat().st_size == 320


def test_looks_at_what_cannot_be_read_in_one_piece_get_rarer(mesh: Pen) -> None:
    """It is rewritten before every look."""
    a = mesh.devices["A"]
    looks: list[float] = []

    def rewrite(device: Device, job: Job) -> None:
        if device is a and isinstance(job, Look):
            looks.append(mesh.now)
            put(a, "f", 0, b"x")

    put(a, "f", 0, b"x")
    mesh.before = rewrite
    while mesh.now < 1000.0 + 600.0:
        put(a, "f", 0, b"y")
        mesh.settle(0.4)
    assert len([at for at in looks if at > mesh.now - 120.0]) <= 3
    assert shown(a) == [("f", ProblemKind.BEING_WRITTEN)]


def test_nothing_is_asked_of_a_worker_for_a_file_of_which_nothing_is_wanted_now(mesh: Pen) -> None:
    """Being written costs a look now and then, no more."""
    a = mesh.devices["A"]
    jobs = 0

    def count(device: Device, job: Job) -> None:
        nonlocal jobs
        jobs += isinstance(job, Look | CutSlice)

    mesh.before = count
    for number in range(1500):
        put(a, "log", 8 * number, line(number))
        mesh.settle(0.04)
    assert 2 <= jobs <= 12, "60 s"


@pytest.mark.parametrize("told", [0, 15, 30])
def test_names_that_were_made_anew_again_and_again_are_there_soon_after(
    mesh: Pen, told: int
) -> None:
    """A folder is removed and made anew with 30 files, 60 times; of the first of them no event
    tells, because its watch came later. Looks that came upon ever other files say nothing of how
    long the last ones are written."""
    a, b = mesh.devices.values()
    names = [f"f{number:02}" for number in range(30)]
    for again in range(60):
        shutil.rmtree(a.share / "build", ignore_errors=True)
        gone = [(f"build/{name}", Touch.GONE) for name in names]
        a.take(PathsTouched(FOLDER, (*gone, ("build", Touch.GONE))))
        mesh.settle(0.01)
        for name in names:
            a.write(f"build/{name}", b"%d" % again)
        closed = [(f"build/{name}", Touch.CLOSED) for name in names[30 - told :]]
        a.take(PathsTouched(FOLDER, (("build", Touch.MADE), *closed)))
        mesh.settle(0.49)
    mesh.settle(1.6)
    found = [(b.share / "build" / name).read_bytes() for name in names]
    assert found == [b"59"] * 30
    assert not shown(a)
