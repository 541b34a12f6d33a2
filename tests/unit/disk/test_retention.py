"""What the trash keeps and what it lets go of, with every kind of clock."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from leftzmq.config import Limits
from leftzmq.disk.fs.real import RealDirectory, RealRoot
from leftzmq.disk.trash import retention
from leftzmq.disk.trash.retention import DAY_NS, TrashClock, TrashSize, TrashSweep, moved
from leftzmq.disk.trash.trash import Trash, batch_name, is_batch, taken_ns

NOW_NS = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC
HOUR_NS = DAY_NS // 24
YEAR_NS = 365 * DAY_NS
LIMITS = Limits(trash_days=30, trash_percent=10)
SIZE = 4096  # of one file here, as the disk below counts it


@pytest.fixture
def trash(tmp_path: Path) -> Path:
    (tmp_path / "share/.left/trash").mkdir(parents=True)
    return tmp_path / "share/.left/trash"


def root_of(trash: Path) -> RealRoot:
    return RealRoot(trash.parent.parent)


def batch(trash: Path, age_ns: int, *paths: str) -> str:
    """A batch of this age, with files of SIZE bytes."""
    name = batch_name(NOW_NS - age_ns)
    for path in paths or ("f",):
        file = trash / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * SIZE)
    return name


def disk_of(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(RealDirectory, "total_bytes", lambda self: size)


def swept(
    trash: Path,
    *,
    now_ns: int = NOW_NS,
    clock: TrashClock | None = None,
    limits: Limits = LIMITS,
    spared_ns: int = HOUR_NS,
) -> TrashClock:
    """One whole sweep; with a clock that stands at now unless the test brings one."""
    clock = clock or TrashClock(now_ns, now_ns)
    sweep = TrashSweep(root_of(trash), limits, clock, now_ns, spared_ns)
    for _ in range(10_000):
        part = sweep.step()
        if part.done:
            files = [file for file in trash.rglob("*") if is_counted(trash, file)]
            taken = sum(file.lstat().st_blocks * 512 for file in files)
            assert part.left == TrashSize(len(files), taken)
            return part.clock
    raise AssertionError("the sweep does not end")


def is_counted(trash: Path, file: Path) -> bool:
    """Whether it is a file, or a link, in a batch of this file system."""
    is_here = not trash.is_symlink() and file.lstat().st_dev == trash.stat().st_dev
    is_folder = file.is_dir() and not file.is_symlink()
    return is_here and is_batch(file.relative_to(trash).parts[0]) and not is_folder


def names(trash: Path) -> set[str]:
    return {path.name for path in trash.iterdir()}


# ---- by age -----------------------------------------------------------------------------------


def test_what_is_older_than_30_days_goes(trash: Path) -> None:
    old = batch(trash, 30 * DAY_NS + HOUR_NS, "d/e/f", "d/g")
    young = batch(trash, 30 * DAY_NS - HOUR_NS)
    swept(trash)
    assert names(trash) == {young} and old not in names(trash)


@pytest.mark.parametrize(
    "days, kept", [(1, 1), (10, 2), (365, 4)], ids=["a day", "ten days", "a year"]
)
def test_how_long_is_configurable(trash: Path, days: int, kept: int) -> None:
    for age in (0, 5, 50, 300):
        batch(trash, age * DAY_NS)
    swept(trash, limits=Limits(trash_days=days))
    assert len(names(trash)) == kept


def test_a_clock_that_jumps_years_ahead_takes_a_week_at_most(trash: Path) -> None:
    kept = {batch(trash, age * DAY_NS) for age in range(23)}
    batch(trash, 24 * DAY_NS)
    clock = TrashClock(NOW_NS, NOW_NS)
    for _ in range(5):  # the agent is started five times before somebody sets the clock
        clock = swept(trash, now_ns=NOW_NS + 50 * YEAR_NS, clock=clock)
    assert names(trash) == kept
    assert swept(trash, now_ns=NOW_NS, clock=clock).shown_ns == NOW_NS + 7 * DAY_NS


def test_a_clock_that_falls_back_takes_nothing(trash: Path) -> None:
    kept = {batch(trash, age * DAY_NS) for age in range(29)}
    clock = swept(trash, now_ns=0)
    assert names(trash) == kept
    assert clock == TrashClock(0, 0)
    clock = swept(trash, now_ns=0, clock=TrashClock(NOW_NS, NOW_NS))
    assert names(trash) == kept and clock == TrashClock(NOW_NS, 0)
    clock = swept(trash, now_ns=NOW_NS + DAY_NS, clock=clock)
    assert clock.shown_ns == NOW_NS + DAY_NS, "it goes on when the clock is right again"


def test_where_nobody_remembers_the_newest_batch_is_the_time(trash: Path) -> None:
    kept = {batch(trash, age * DAY_NS) for age in (5, 20, 34)}
    batch(trash, 36 * DAY_NS)
    future = batch(trash, -YEAR_NS)
    sweep = TrashSweep(root_of(trash), LIMITS, None, NOW_NS + 50 * DAY_NS)
    part = sweep.step()
    assert part.done and part.clock.shown_ns == NOW_NS - 5 * DAY_NS
    assert names(trash) == kept | {future}


CLOCKS = [
    ("at first", None, 5, None, 5),
    ("at first, with a trash", None, 5, 3, 3),
    ("a minute later", (5.0, 5.0), 5.5, 3, 5.5),
    ("a day later", (5.0, 5.0), 6.0, 3, 6.0),
    ("a month later", (5.0, 5.0), 35.0, 3, 12.0),
    ("and the next day", (12.0, 35.0), 36.0, 3, 19.0),
    ("caught up", (33.0, 60.0), 36.0, 3, 33.0),
    ("back", (33.0, 33.0), 1.0, 3, 33.0),
]


@pytest.mark.parametrize("what, clock, now, newest, shown", CLOCKS, ids=[row[0] for row in CLOCKS])
def test_the_clock_follows_by_at_most_a_week_a_day(
    what: str,
    clock: tuple[float, float] | None,
    now: float,
    newest: float | None,
    shown: float,
) -> None:
    before = None if clock is None else TrashClock(*(int(days * DAY_NS) for days in clock))
    newest_ns = None if newest is None else int(newest * DAY_NS)
    after = moved(before, int(now * DAY_NS), newest_ns)
    assert after == TrashClock(int(shown * DAY_NS), int(now * DAY_NS))


# ---- by size ----------------------------------------------------------------------------------


def test_above_ten_percent_of_the_disk_the_oldest_go_first(
    trash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_of(monkeypatch, 10 * 3 * SIZE)
    batches = [batch(trash, age * DAY_NS) for age in (9, 7, 5, 3, 1)]
    swept(trash)
    assert names(trash) == set(batches[2:])


def test_the_last_hour_stays_however_large(trash: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk_of(monkeypatch, 10)
    batch(trash, 2 * HOUR_NS)
    young = batch(trash, HOUR_NS // 2)
    soon = batch(trash, -HOUR_NS)  # two devices' clocks, or one that was set
    swept(trash)
    assert names(trash) == {young, soon}


def test_while_something_is_held_the_last_day_stays_however_large(
    trash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_of(monkeypatch, 10)
    batch(trash, 25 * HOUR_NS)
    young = {batch(trash, age * HOUR_NS) for age in (23, 5)}
    swept(trash, spared_ns=DAY_NS, limits=Limits(trash_days=0))
    assert names(trash) == young
    swept(trash)
    assert names(trash) == set()


def test_batches_from_the_future_do_not_displace_the_others(
    trash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_of(monkeypatch, 10 * 3 * SIZE)
    future = [batch(trash, -age * YEAR_NS) for age in (1, 2)]
    others = {batch(trash, age * DAY_NS) for age in (9, 7)}
    swept(trash)
    assert names(trash) == others | {future[1]}, "room for three: one of the future goes"
    disk_of(monkeypatch, 10 * SIZE)
    swept(trash)
    assert names(trash) < others


def test_batches_from_the_future_stay_while_there_is_room(trash: Path) -> None:
    future = batch(trash, -50 * YEAR_NS)
    swept(trash)
    assert names(trash) == {future}


def test_a_sparse_file_counts_what_it_takes_up(
    trash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = batch(trash, DAY_NS)
    with (trash / name / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    disk_of(monkeypatch, 1 << 20)
    swept(trash)
    assert names(trash) == {name}


# ---- and nothing else ---------------------------------------------------------------------------


def test_nothing_but_batches_is_touched(trash: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "f").write_bytes(b"of a user")
    old = batch(trash, 100 * DAY_NS)
    (trash / old / "link").symlink_to(precious)
    (trash / old / "dangling").symlink_to("/nowhere")
    (trash / batch_name(NOW_NS - 99 * DAY_NS)).symlink_to(precious)
    for name in ("mine", "20200101", "20200101-000000-0000000G", "going-home"):
        (trash / name).mkdir()
        (trash / name / "f").write_bytes(b"put here by hand")
    swept(trash)
    assert (precious / "f").read_bytes() == b"of a user"
    left = names(trash)
    assert {"mine", "20200101", "20200101-000000-0000000G", "going-home"} <= left
    assert old not in left and len(left) <= 5


@pytest.mark.parametrize("what", ["nothing", "a link", "a file"])
def test_a_trash_that_is_not_there_holds_nothing(tmp_path: Path, what: str) -> None:
    left = tmp_path / "share/.left"
    left.mkdir(parents=True)
    other = tmp_path / "other"
    batch(other, 100 * DAY_NS)
    if what == "a link":
        (left / "trash").symlink_to(other)
    elif what == "a file":
        (left / "trash").write_bytes(b"")
    swept(left / "trash")
    assert len(names(other)) == 1


def test_a_name_that_is_not_utf8_keeps_its_folder_alone(trash: Path) -> None:
    old = batch(trash, 40 * DAY_NS, "a", "d/b")
    (Path(os.fsdecode(os.fsencode(trash / old / "d") + b"/caf\xe9"))).write_bytes(b"by hand")
    other = batch(trash, 50 * DAY_NS)
    swept(trash)
    assert other not in names(trash)
    (left,) = names(trash)
    assert [path.name for path in (trash / left).iterdir()] == ["d"]


def test_what_a_crash_left_half_way_goes_at_the_next_sweep(
    trash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch(trash, 40 * DAY_NS, *(f"d{i}/f{j}" for i in range(20) for j in range(20)))
    sweep = TrashSweep(root_of(trash), LIMITS, TrashClock(NOW_NS, NOW_NS), NOW_NS)
    monkeypatch.setattr(retention, "STEP_CALLS", 100)
    sweep.step()
    (half,) = names(trash)
    assert not is_batch(half), "nobody lists it any more"
    swept(trash)
    assert names(trash) == set()


def test_a_step_is_bounded_whatever_there_is(trash: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP_CALLS", 100)
    monkeypatch.setattr(retention, "PART_NAMES", 32)
    for age in range(10):
        batch(trash, (40 + age) * DAY_NS, *(f"d{i % 7}/f{i}" for i in range(50)))
    sweep = TrashSweep(root_of(trash), LIMITS, TrashClock(NOW_NS, NOW_NS), NOW_NS)
    steps = batches = 0
    while not (part := sweep.step()).done:
        assert sweep._calls < 2 * retention.STEP_CALLS
        steps, batches = steps + 1, batches + part.batches
    assert steps > 10 and batches + part.batches == 10 and names(trash) == set()


def test_a_user_who_rescues_a_batch_meanwhile_keeps_it(
    trash: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch(trash, 40 * DAY_NS, *(f"d{i}/f{j}" for i in range(20) for j in range(20)))
    sweep = TrashSweep(root_of(trash), LIMITS, TrashClock(NOW_NS, NOW_NS), NOW_NS)
    monkeypatch.setattr(retention, "STEP_CALLS", 100)
    sweep.step()
    (half,) = names(trash)
    (trash / half).rename(tmp_path / "rescued")
    held = sorted((tmp_path / "rescued").rglob("*"))
    while not sweep.step().done:
        pass
    assert sorted((tmp_path / "rescued").rglob("*")) == held


# ---- names --------------------------------------------------------------------------------------


def test_names_of_batches_sort_as_they_were_made(trash: Path) -> None:
    root = root_of(trash)
    made = []
    for later_ns in (0, 1, 250_000_000, 999_999_999, 1_000_000_000):
        with Trash(root, NOW_NS + later_ns, lambda *_: None, lambda _: None).spot("f"):
            (new,) = names(trash) - set(made)
            made.append(new)
    with Trash(root, NOW_NS + 1, lambda *_: None, lambda _: None).spot("f"):
        (new,) = names(trash) - set(made)
    assert made == sorted(made) and made[1] < new < made[2]
    assert taken_ns(made[2]) == NOW_NS + 250_000_000
    assert all(map(is_batch, made))


@pytest.mark.parametrize("name", ["", "20231114", "20231399-000000-00000000", "x" * 24])
def test_other_names_have_no_time(name: str) -> None:
    assert taken_ns(name) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts something: root")
def test_what_is_mounted_in_the_trash_is_not_entered(trash: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    old = batch(trash, 40 * DAY_NS, "a")
    (trash / old / "mounted").mkdir()
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(trash / old / "mounted")]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mount is not allowed here")
    (trash / old / "mounted/f").write_bytes(b"of a user")
    try:
        swept(trash)
        (left,) = names(trash)
        assert (trash / left / "mounted/f").read_bytes() == b"of a user"
    finally:
        subprocess.run(["umount", *trash.glob("*/mounted")], check=True)
