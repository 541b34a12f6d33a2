"""A floor of free disk space: what needs room waits under it, all else goes on."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from leftzmq.config import Limits
from leftzmq.disk.fs.real import RealDirectory, RealRoot
from leftzmq.disk.staging.free_space import LowSpace, check_room, fits_bytes
from leftzmq.disk.staging.staging import check_staging, open_staging
from leftzmq.errors import ProblemKind, Shortage
from leftzmq.sync.facts import FileHeldUp, TimePassed
from leftzmq.sync.jobs import Apply
from tests.helpers.mesh import Held, Mesh
from tests.unit.sync.test_mesh import together

GIB = 1 << 30


class Disk:
    """What statvfs says, for B's share alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, share: Path) -> None:
        self.free, self.total = 50 * GIB, 100 * GIB
        self.device = share
        real_free, real_total = RealDirectory.free_bytes, RealDirectory.total_bytes

        def is_here(folder: RealDirectory) -> bool:
            return Path(f"/proc/self/fd/{folder.fd}").resolve().is_relative_to(share)

        monkeypatch.setattr(
            RealDirectory, "free_bytes", lambda f: self.free if is_here(f) else real_free(f)
        )
        monkeypatch.setattr(
            RealDirectory, "total_bytes", lambda f: self.total if is_here(f) else real_total(f)
        )


@pytest.fixture
def disk(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch, mesh.devices["B"].share.resolve())


def fetched(mesh: Mesh) -> int:
    return mesh.devices["B"].folder.received_bytes


@pytest.mark.parametrize("size", [100, 3_000_000], ids=["small", "large"])
def test_what_needs_room_waits_and_goes_on_by_itself(mesh: Mesh, disk: Disk, size: int) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("old", b"1")
    a.write("gone", b"2")
    together(mesh)
    disk.free = GIB - 1  # of 100 GiB, one is to stay free
    for number in range(20):
        a.write(f"new/{number}", random.Random(number).randbytes(size))
    a.write("empty", b"")
    (a.share / "link").symlink_to("old")
    (a.share / "gone").unlink()
    a.scan()
    mesh.settle()
    assert set(b.tree()) == {"old", "new", "empty", "link"}, "all else went on"
    assert not list(b.share.rglob("*.lefting"))
    problems = b.folder.problems.all()
    assert problems and {p.kind.name for p in problems} == {"LOW_SPACE"}
    assert "min_free_percent = 1" in str(problems[0])
    assert b.folder.state.value == "syncing"
    before = fetched(mesh)
    for number in range(20, 25):
        a.write(f"new/{number}", random.Random(number).randbytes(100))
    a.scan()
    mesh.settle(600)
    assert fetched(mesh) == before, "nothing is fetched in vain"
    disk.free = 2 * GIB
    mesh.settle()
    assert len(together(mesh)) == 29
    assert b.folder.state.value == "idle"


def test_a_file_that_is_too_large_does_not_hold_up_smaller_ones(mesh: Mesh, disk: Disk) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    disk.free = GIB + 1_000_000
    a.write("large", random.Random(1).randbytes(3_000_000))
    a.write("small", b"x" * 1000)
    a.write("middle", random.Random(2).randbytes(600_000))
    a.scan()
    mesh.settle()
    assert set(b.tree()) == {"small", "middle"}
    assert [p.path for p in b.folder.problems.all()] == ["large"]
    a.write("large", b"smaller now")
    assert len(together(mesh)) == 3
    disk.free = GIB - 5
    a.write("large", random.Random(1).randbytes(3_000_000))
    a.scan()
    mesh.settle()
    (a.share / "large").unlink()
    assert len(together(mesh)) == 2, "and the problem is solved"


@pytest.mark.parametrize("why", ["deleted", "changed", "its holder is away"])
def test_when_nothing_wanted_waits_any_more_all_is_quiet_though_there_is_no_room(
    mesh: Mesh, disk: Disk, why: str
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    disk.free = GIB - 1
    a.write("waits", random.Random(1).randbytes(3_000_000))
    a.write("waits too", random.Random(2).randbytes(2_000_000))
    a.scan()
    mesh.settle()
    assert b.folder.state.value == "syncing"
    if why == "its holder is away":
        a.kill()
    else:
        for name in ("waits too", "waits"):
            (a.share / name).unlink() if why == "deleted" else a.write(name, b"")
            a.scan()
            mesh.settle(10)
    mesh.settle(30)
    assert b.folder.state.value == ("alone" if why == "its holder is away" else "idle")
    assert not b.folder.problems.all()


def half_here(mesh: Mesh, disk: Disk, data: bytes) -> int:
    """Room goes while `large` arrives at B: the bytes of it that are here."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("large", data)
    a.scan()
    while fetched(mesh) < 3_000_000:
        if not mesh.step():
            mesh.now += 0.01
            for device in (a, b):
                device.take(TimePassed())
    disk.free = GIB - 1
    mesh.settle()
    (lefting,) = b.share.rglob("*.lefting")
    here = lefting.stat().st_blocks * 512
    assert 0 < here < len(data) and not (b.share / "large").exists()
    return here


def test_room_that_goes_while_a_file_arrives(mesh: Mesh, disk: Disk) -> None:
    b = mesh.devices["B"]
    data = random.Random(1).randbytes(20_000_000)
    here = half_here(mesh, disk, data)
    before = fetched(mesh)
    disk.free = GIB + len(data) - here
    mesh.settle()
    assert (b.share / "large").read_bytes() == data
    assert fetched(mesh) - before < len(data) - 1_000_000, "what was here was kept"
    together(mesh)


@pytest.mark.parametrize("again", ["another version", "deleted", "a restart first"])
def test_what_was_here_is_thrown_away_when_it_is_not_wanted_any_more(
    mesh: Mesh, disk: Disk, again: str
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    half_here(mesh, disk, random.Random(1).randbytes(20_000_000))
    if again == "a restart first":
        b.kill()
        b.start()
        mesh.settle(60)
        assert list(b.share.rglob("*.lefting")), "it is still wanted"
    if again == "deleted":
        (a.share / "large").unlink()
    else:
        a.write("large", b"small now")
    a.scan()
    mesh.settle()
    assert not list(b.share.rglob("*.lefting"))
    disk.free = 50 * GIB
    together(mesh)


def test_a_rename_needs_no_room(mesh: Mesh, disk: Disk) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    for number in range(5):
        a.write(f"d/{number}", random.Random(number).randbytes(500_000))
    together(mesh)
    disk.free = 0
    a.write("waits", b"x")
    a.scan()
    mesh.settle()
    (a.share / "d").rename(a.share / "e")
    a.scan()
    mesh.settle()
    assert {path for path in b.tree() if "/" in path} == {f"e/{number}" for number in range(5)}
    disk.free = 50 * GIB
    together(mesh)


@pytest.mark.slow
def test_tickets_that_wait_take_no_place_in_the_window(
    mesh: Mesh, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leftzmq.sync.apply.work_window.WINDOW_TICKETS", 40)
    monkeypatch.setattr("leftzmq.sync.apply.work_window.LEAST_TICKETS", 1)
    monkeypatch.setattr("leftzmq.sync.apply.work_window.CONSIDER_A_TURN", 10)
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("zz-last", b"x")
    together(mesh)
    disk.free = 0
    for number in range(200):
        a.write(f"new {number}", b"%d" % number)
    a.scan()
    mesh.settle()
    (a.share / "zz-last").unlink()
    a.scan()
    mesh.settle()
    assert b.tree() == {}
    disk.free = 50 * GIB
    assert len(together(mesh)) == 200


# ---- the check --------------------------------------------------------------------------------

CHECKS = [
    ("room for all", 2 * GIB, 1.0, 1000, True),
    ("just so", GIB + 1000, 1.0, 1000, True),
    ("a byte short", GIB + 999, 1.0, 1000, False),
    ("below the floor", GIB - 1, 1.0, 1, False),
    ("nothing is needed", 0, 1.0, 0, True),
    ("no floor", 0, 0.0, 1000, True),
    ("half a percent", GIB, 0.5, 1000, True),
]


@pytest.mark.parametrize("what, free, percent, need, fits", CHECKS, ids=[row[0] for row in CHECKS])
def test_the_floor(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    free: int,
    percent: float,
    need: int,
    fits: bool,
) -> None:
    disk = Disk(monkeypatch, tmp_path.resolve())
    disk.free = free
    with RealRoot(tmp_path).folder("") as top:
        if fits:
            check_room(top, "f", need, percent)
        else:
            with pytest.raises(LowSpace) as low:
                check_room(top, "f", need, percent)
            assert low.value.fits_bytes == fits_bytes(top, percent) == free - GIB


def test_a_file_system_that_does_not_know_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, tmp_path.resolve())
    disk.free = disk.total = 0
    with RealRoot(tmp_path).folder("") as top:
        check_room(top, "f", 1000, 1.0)


def test_what_is_here_already_is_not_needed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, tmp_path.resolve())
    root = RealRoot(tmp_path)
    staged, _ = open_staging(root, "f", None, 1 << 20, 1.0)
    (tmp_path / staged.path).write_bytes(b"x" * (1 << 19))
    disk.free = GIB + (1 << 19)
    assert open_staging(root, "f", staged, 1 << 20, 1.0) == (staged, True)
    check_staging(root, staged, 1 << 18, 1 << 20, 1.0)
    disk.free = GIB + (1 << 18) - 1
    with pytest.raises(LowSpace) as low:
        check_staging(root, staged, 1 << 18, 1 << 20, 1.0)
    assert low.value.need_bytes == 1 << 19
    with pytest.raises(LowSpace):
        open_staging(root, "f", staged, 1 << 20, 1.0)
    with pytest.raises(LowSpace):
        open_staging(root, "g", None, 1 << 20, 1.0)
    assert not (tmp_path / "g.lefting").exists()


def test_the_floor_is_configurable() -> None:
    assert Limits().min_free_percent == 1.0


def test_a_file_without_room_that_is_a_folder_by_now_ends_nobody(mesh: Mesh) -> None:
    """What is said of the bytes of a file comes while an operation makes a folder of that name."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("f", b"bytes")
    together(mesh)
    entry = a.folder.index_view.ours("f").entry  # type: ignore[union-attr]
    (a.share / "f").unlink()
    together(mesh)
    (a.share / "f").mkdir()
    held = Held(b, Apply)
    mesh.scan_all()
    mesh.settle(5)
    job = held.take(Apply)
    b.handle(FileHeldUp("share", entry, Shortage("share", "f", ProblemKind.LOW_SPACE)))
    b.handle(b.runner.run(job))
    together(mesh)
    assert (b.share / "f").is_dir() and not b.folder.problems.all()
