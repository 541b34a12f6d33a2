"""What of the trash gives way when there is no room, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.disk.trash import make_room
from leftzmq.disk.trash.make_room import GiveWay
from leftzmq.disk.trash.retention import DAY_NS
from tests.unit.disk.test_retention import HOUR_NS, NOW_NS, SIZE, batch, root_of, trash

__all__ = ["trash"]
MINUTE_NS = HOUR_NS // 60


def give(trash: Path, need: int, more: int = 0, *, held: bool = False) -> tuple[int, int]:
    """Files and bytes that gave way for so many SIZEs."""
    spared_ns = DAY_NS if held else HOUR_NS
    way = GiveWay(root_of(trash), need * SIZE, more * SIZE, NOW_NS, spared_ns, spares_all=held)
    files = count = 0
    for _ in range(10_000):
        part = way.step()
        files, count = files + part.files, count + part.bytes
        if part.done:
            return files, count
    raise AssertionError("it does not end")


def left(trash: Path) -> set[tuple[str, str]]:
    """(batch, path) of every version."""
    found = (path.relative_to(trash) for path in trash.rglob("*") if path.is_file())
    return {(path.parts[0], "/".join(path.parts[1:])) for path in found}


def test_versions_of_the_same_path_give_way_first_the_oldest_before(trash: Path) -> None:
    batches = [batch(trash, age * MINUTE_NS, "d/f") for age in (50, 40, 30, 20, 10)]
    other = batch(trash, 9 * DAY_NS, "e/g")
    assert give(trash, 2) == (2, 2 * SIZE)
    # That before the others may be the one that is missed: the next two after it went.
    assert left(trash) == {(b, "d/f") for b in (batches[0], *batches[3:])} | {(other, "e/g")}
    assert give(trash, 3) == (3, 3 * SIZE)
    assert left(trash) == {(batches[4], "d/f")}, "the middle, then what is old, then the first"
    assert give(trash, 1) == (0, 0)


def test_what_one_device_took_last_of_each_path_stays_for_an_hour(trash: Path) -> None:
    young = [batch(trash, age * MINUTE_NS, f"{age}", "twice") for age in (59, 1)]
    old = batch(trash, 61 * MINUTE_NS, "59", "alone")
    assert give(trash, 3) == (3, 3 * SIZE)
    assert left(trash) == {(young[0], "59"), (young[1], "1"), (young[1], "twice")}
    assert not left(trash) & {(old, "alone")}


def test_nothing_goes_where_all_of_it_would_not_be_enough(trash: Path) -> None:
    for age in (1, 2, 3):
        batch(trash, age * DAY_NS)
    before = left(trash)
    assert give(trash, 4) == (0, 0) and left(trash) == before
    assert give(trash, 1, more=9) == (3, 3 * SIZE)


def test_while_something_is_held_the_last_day_stays_whole(trash: Path) -> None:
    kept = [batch(trash, age * HOUR_NS) for age in (1, 5, 23)]
    batch(trash, 25 * HOUR_NS)
    assert give(trash, 2, held=True) == (0, 0)
    assert give(trash, 1, more=9, held=True) == (1, SIZE)
    assert left(trash) == {(name, "f") for name in kept}


def test_a_batch_from_the_future_is_none_of_the_last_hour(trash: Path) -> None:
    batch(trash, -9 * DAY_NS)
    kept = batch(trash, MINUTE_NS, "g")
    assert give(trash, 1) == (1, SIZE) and left(trash) == {(kept, "g")}


def test_what_has_another_name_makes_no_room(trash: Path, tmp_path: Path) -> None:
    name = batch(trash, 2 * DAY_NS)
    (tmp_path / "another").hardlink_to(trash / name / "f")
    assert give(trash, 1) == (0, 0) and left(trash)


def test_what_a_user_put_there_meanwhile_stays(trash: Path) -> None:
    name = batch(trash, 2 * DAY_NS)
    way = GiveWay(root_of(trash), SIZE, 0, NOW_NS)
    next(way._going)
    next(way._going)  # it was seen
    other = trash / name / "other"
    other.write_bytes(b"of a user")  # beside the old one: it cannot have that one's inode
    other.replace(trash / name / "f")
    while not way.step().done:
        pass
    assert (trash / name / "f").read_bytes() == b"of a user"


def test_nothing_but_batches_is_touched(trash: Path, tmp_path: Path) -> None:
    (trash / "mine").write_bytes(b"x" * SIZE)
    (trash / "20230101-000000").mkdir()
    (trash / "20230101-000000/f").write_bytes(b"x" * SIZE)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_bytes(b"x" * SIZE)
    name = batch(trash, 2 * DAY_NS)
    (trash / name / "link").symlink_to(outside)
    assert give(trash, 1, more=9)[0] == 2, "the file and the link itself"
    assert left(trash) == {("mine", ""), ("20230101-000000", "f")}
    assert (outside / "f").exists()


@pytest.mark.parametrize("where", ["MAX_PATHS", "MAX_VERSIONS"])
def test_what_is_remembered_is_bounded(
    trash: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Above the bound something stays that could go, and nothing goes that must stay."""
    monkeypatch.setattr(make_room, where, 3)
    paths = [f"{number}" for number in range(9)]
    for age in (50, 40, 30):
        batch(trash, age * MINUTE_NS, *paths)
    newest = batch(trash, MINUTE_NS, *paths)
    for _ in range(9):
        give(trash, 1, more=99)
    assert {path for name, path in left(trash) if name == newest} == set(paths)


def test_a_step_is_bounded_whatever_there_is(trash: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_room, "STEP_CALLS", 100)
    monkeypatch.setattr(make_room, "PART_NAMES", 32)
    batch(trash, 2 * DAY_NS, *[f"d/{number}" for number in range(500)])
    way = GiveWay(root_of(trash), 500 * SIZE, 0, NOW_NS)
    steps = 1
    while not way.step().done:
        assert way._calls < make_room.STEP_CALLS + 2 * make_room.PART_NAMES
        steps += 1
    assert steps > 5 and not left(trash)
