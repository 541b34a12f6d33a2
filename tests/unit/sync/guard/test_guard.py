"""A wave that would delete more than half of a folder is held back, and what a user decides."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from leftzmq.index.losses import LossCount
from leftzmq.index.store import Store
from leftzmq.sync.facts import PathsTouched, Touch
from leftzmq.sync.guard.remote_deletes import GuardVerdict, RemoteDeletes
from leftzmq.sync.guard.threshold import QUIET_S, WINDOW_S, Wave, goes_at_once, is_flood
from leftzmq.sync.versions.counters import Counters
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.remote_changes import heard
from leftzmq.tree.accepted import Accepted
from leftzmq.tree.entry import Kind, tombstone
from leftzmq.wire.local import EventKind
from tests.helpers.mesh import Device, Mesh
from tests.unit.sync.test_mesh import trash

pytestmark = pytest.mark.slow

COUNT = 200


def filled(mesh: Mesh, count: int = COUNT) -> tuple[Device, Device]:
    a, b = mesh.devices["A"], mesh.devices["B"]
    for number in range(count):
        a.write(f"d/{number % 7}/{number:04}", b"%d" % number)
    a.scan()
    settle(mesh)
    assert files(b) == files(a) == count
    return a, b


def settle(mesh: Mesh) -> None:
    mesh.settle(70)


def files(device: Device) -> int:
    return sum(value[0] == "file" for value in device.tree().values())  # type: ignore[index]


def held(device: Device) -> dict[str, int]:
    (folder,) = device.node.status()["folders"]
    found: dict[str, int] = folder["held"]
    shown = [p for p in device.folder.problems.all() if p.kind.name == "MANY_LOSSES"]
    assert bool(found) == bool(shown)
    assert folder["state"] == "syncing" or not found
    return found


def some(device: Device, count: int) -> list[Path]:
    return sorted(path for path in (device.share / "d").rglob("*") if path.is_file())[:count]


def delete(device: Device, count: int) -> None:
    for path in some(device, count):
        path.unlink()
    device.scan()


def ask(mesh: Mesh, device: Device, verb: str) -> dict[str, Any]:
    answer = mesh.ask(device, verb)
    settle(mesh)
    return answer


def same(mesh: Mesh) -> int:
    """All is quiet and equal, nothing is held: how many files there are."""
    mesh.scan_all()
    settle(mesh)
    a, b = mesh.devices["A"], mesh.devices["B"]
    assert a.tree() == b.tree() and held(a) == held(b) == {}
    assert a.folder.state.value == b.folder.state.value == "idle"
    assert a.folder.index_view.counters.tickets == 0
    return files(a)


# ---- deleted here -----------------------------------------------------------------------------


def test_a_flood_of_deletes_is_not_published(mesh: Mesh) -> None:
    a, b = filled(mesh)
    delete(a, 150)
    settle(mesh)
    assert held(a) == {"here": 150} and held(b) == {} and files(b) == COUNT
    (told,) = [event for event in a.events if event.kind is EventKind.HELD]
    assert (told.fields["deletes"], told.fields["files"]) == (150, COUNT)
    a.scan()
    settle(mesh)
    assert held(a) == {"here": 150} and files(b) == COUNT, "the next walk changes nothing"
    assert len([e for e in a.events if e.kind is EventKind.HELD]) == 1


def test_what_went_before_the_wave_was_seen_is_not_said_to_be_held(mesh: Mesh) -> None:
    a, b = filled(mesh)
    delete(a, 5)
    mesh.settle(WINDOW_S / 2)
    assert files(b) == COUNT - 5 and held(a) == {}
    delete(a, 100)
    settle(mesh)
    assert held(a) == {"here": 100} and files(b) == COUNT - 5
    (told,) = [event for event in a.events if event.kind is EventKind.HELD]
    assert (told.fields["deletes"], told.fields["files"]) == (100, COUNT)
    (shown,) = a.folder.problems.all()
    assert shown.detail == f"100 of {COUNT} files, lost here"
    a.kill()
    a.start()
    a.scan()
    settle(mesh)
    assert held(a) == {"here": 100}
    assert ask(mesh, a, "accept")["held"] == {"here": 100}


def test_everything_else_goes_on_meanwhile(mesh: Mesh) -> None:
    a, b = filled(mesh)
    delete(a, 150)
    settle(mesh)
    a.write("new", b"by a")
    b.write("other", b"by b")
    b.write("d/6/0195", b"edited by b")
    mesh.scan_all()
    settle(mesh)
    assert (b.share / "new").exists() and (a.share / "other").exists()
    assert (a.share / "d/6/0195").read_bytes() == b"edited by b" and held(a)


def test_accept_publishes_it(mesh: Mesh) -> None:
    a, b = filled(mesh)
    delete(a, 150)
    settle(mesh)
    assert ask(mesh, a, "accept")["held"] == {"here": 150}
    assert held(a) == held(b) == {}, "that it was accepted is told with it"
    assert same(mesh) == 50 and len(trash(b)) == 150
    assert not [event for event in b.events if event.kind is EventKind.HELD]


def test_accept_of_what_came_lets_it_pass(mesh: Mesh) -> None:
    _, b = incoming(mesh)
    assert ask(mesh, b, "accept")["held"] == {"elsewhere": 150}
    assert same(mesh) == 50 and len(trash(b)) == 150


def test_revert_brings_the_files_back(mesh: Mesh) -> None:
    a, b = filled(mesh)
    before = a.tree()
    shutil.rmtree(a.share / "d")
    a.scan()
    settle(mesh)
    assert ask(mesh, a, "revert")["held"] == {"here": COUNT}
    assert same(mesh) == COUNT and a.tree() == before
    assert trash(b) == []


def test_what_nobody_else_has_cannot_come_back(mesh: Mesh) -> None:
    a, b = filled(mesh)
    b.kill()
    for number in range(20):
        a.write(f"d/alone {number}", b"%d" % number)
    a.scan()
    settle(mesh)
    shutil.rmtree(a.share / "d")
    a.scan()
    settle(mesh)
    ask(mesh, a, "revert")
    b.start()
    settle(mesh)
    assert same(mesh) == COUNT


def test_a_user_who_puts_it_back_lifts_it(mesh: Mesh) -> None:
    a, b = filled(mesh)
    (a.share / "d").rename(a.share.parent / "aside")
    a.scan()
    settle(mesh)
    assert held(a) == {"here": COUNT}
    shutil.copytree(a.share.parent / "aside", a.share / "d")
    for path in some(a, 20):
        path.unlink()
    for _ in range(2):
        a.scan()
        settle(mesh)
    assert same(mesh) == COUNT - 20 and files(b) == COUNT - 20


# ---- deleted elsewhere ------------------------------------------------------------------------


def incoming(mesh: Mesh, count: int = 150) -> tuple[Device, Device]:
    """A, which is of a kind without a guard, published the deletes: held at B."""
    a, b = filled(mesh)
    a.folder.guard.on_paths_settled = _unguarded(a)  # type: ignore[method-assign]
    delete(a, count)
    settle(mesh)
    assert held(b) == {"elsewhere": count}
    return a, b


def test_a_flood_from_elsewhere_is_not_applied_and_all_else_is(mesh: Mesh) -> None:
    a, b = incoming(mesh)
    a.write("new", b"by a")
    (a.share / "d/6/0195").write_bytes(b"edited")
    b.write("other", b"by b")
    mesh.scan_all()
    settle(mesh)
    assert (b.share / "new").exists() and (a.share / "other").exists()
    assert (b.share / "d/6/0195").read_bytes() == b"edited"
    assert files(b) == COUNT + 2 and held(b)
    b.kill()
    b.start()
    settle(mesh)
    assert files(b) == COUNT + 2 and held(b) == {"elsewhere": 150}, "a restart changes nothing"


def test_revert_brings_them_back_everywhere(mesh: Mesh) -> None:
    _, b = incoming(mesh)
    assert ask(mesh, b, "revert")["held"] == {"elsewhere": 150}
    assert same(mesh) == COUNT


def test_it_lifts_by_itself_when_they_come_back(mesh: Mesh) -> None:
    a, b = incoming(mesh)
    for number in range(COUNT):
        path = a.share / f"d/{number % 7}/{number:04}"
        if not path.exists() and number % 2:
            a.write(f"d/{number % 7}/{number:04}", b"%d again" % number)
    a.scan()
    settle(mesh)
    assert held(b) == {}
    assert same(mesh) > 100


def test_many_small_batches_are_one_wave(mesh: Mesh) -> None:
    a, b = filled(mesh, 400)
    a.folder.guard.on_paths_settled = _unguarded(a)  # type: ignore[method-assign]
    gone = 0
    for _ in range(50):
        for path in some(a, 8):
            path.unlink()
            relative = str(path.relative_to(a.share))
            a.take(PathsTouched("share", ((relative, Touch.GONE),)))
        gone += 8
        mesh.settle(1.0)
        if held(b):
            break
    assert held(b) and files(b) >= 200, "not more than half of it went"
    settle(mesh)
    assert files(b) >= 200


def _unguarded(device: Device) -> Any:
    """A device of another kind: it publishes everything at once."""
    from leftzmq.sync.facts import PathsCleared

    return lambda fact, now: (PathsCleared(fact.folder, fact.sightings), [])


def test_many_restarts_do_not_let_it_through(mesh: Mesh) -> None:
    a, b = filled(mesh, 400)
    for _ in range(12):
        a.kill()
        for path in some(a, 39):
            path.unlink()
        a.start()
        mesh.settle(4)
    assert held(a) and files(b) >= 200, "less than half of it went"


# ---- what is no flood -------------------------------------------------------------------------


@pytest.mark.parametrize("count", [5, 30, 99])
def test_less_than_half_goes(mesh: Mesh, count: int) -> None:
    a, b = filled(mesh)
    delete(a, count)
    settle(mesh)
    assert held(a) == held(b) == {}
    assert same(mesh) == COUNT - count


def test_a_small_folder_is_not_guarded(mesh: Mesh) -> None:
    a, _ = filled(mesh, 100)
    delete(a, 100)
    assert same(mesh) == 0


@pytest.mark.parametrize("scan", [True, False])
def test_a_renamed_tree_is_not_deleted(mesh: Mesh, scan: bool) -> None:
    a, b = filled(mesh)
    before = b.folder.received_bytes
    (a.share / "d").rename(a.share / "elsewhere")
    if scan:
        a.scan()
    else:
        for name, touch in (("d", Touch.GONE), ("elsewhere", Touch.MADE)):
            a.take(PathsTouched("share", ((name, touch),)))
    settle(mesh)
    assert held(a) == held(b) == {}
    assert same(mesh) == COUNT and (b.share / "elsewhere/0/0000").exists()
    assert b.folder.received_bytes == before


def test_a_copied_tree_whose_original_goes_is_not_deleted(mesh: Mesh) -> None:
    a, b = filled(mesh)
    shutil.copytree(a.share / "d", a.share / "copied")
    shutil.rmtree(a.share / "d")
    a.scan()
    settle(mesh)
    assert held(a) == held(b) == {}
    assert same(mesh) == COUNT


def test_two_copies_that_both_go_are_deleted(mesh: Mesh) -> None:
    a, b = filled(mesh)
    shutil.copytree(a.share / "d", a.share / "copied")
    a.scan()
    settle(mesh)
    shutil.rmtree(a.share / "d")
    shutil.rmtree(a.share / "copied")
    a.scan()
    settle(mesh)
    assert held(a) == {"here": 2 * COUNT} and files(b) == 2 * COUNT


def test_many_deletes_after_a_renamed_tree_are_judged_by_themselves(mesh: Mesh) -> None:
    a, b = filled(mesh)
    (a.share / "d").rename(a.share / "e")
    a.scan()
    mesh.settle(10)
    (a.share / "e").rename(a.share / "d")
    a.scan()
    mesh.settle(10)
    delete(a, 60)
    settle(mesh)
    assert held(a) == held(b) == {}
    assert same(mesh) == COUNT - 60


def test_nothing_is_held_so_nothing_can_be_decided(mesh: Mesh) -> None:
    a, _ = filled(mesh, 3)
    for verb in ("accept", "revert"):
        assert "nothing is held back" in ask(mesh, a, verb)["declined"]["what"]
    answer = mesh.ask(a, "accept", folder="other")
    assert "no such folder" in answer["declined"]["what"]


# ---- the arithmetic ---------------------------------------------------------------------------

S_NS = 1_000_000_000


def test_a_wave_slides_and_survives_a_restart() -> None:
    wave = Wave()
    for second in range(0, 100, 10):
        wave.went(5, second * S_NS)
    assert wave.count(90 * S_NS) == 5 * 7
    again = Wave(wave.pack())
    assert again.count(100 * S_NS) == 5 * 6
    assert again.count(1000 * S_NS) == 0
    assert Wave(again.pack()).pack() == b""
    assert wave.count(-1000 * S_NS) == 0, "a clock that was set back by more than a window"


@pytest.mark.parametrize(
    "wave, total, at_once, flood",
    [
        (1, 100, True, False),
        (100, 100, True, False),
        (10, 101, True, False),
        (11, 101, False, False),
        (50, 101, False, False),
        (51, 101, False, True),
        (1000, 10_000, True, False),
        (1001, 10_000, False, False),
        (5000, 10_000, False, False),
        (5001, 10_000, False, True),
    ],
)
def test_what_is_a_flood(wave: int, total: int, at_once: bool, flood: bool) -> None:
    assert (goes_at_once(wave, total), is_flood(wave, total)) == (at_once, flood)


def test_what_is_seen_to_be_gone_again_and_again_does_not_put_off_the_rest(mesh: Mesh) -> None:
    """The applier looks every two seconds for what it waits for: the rest was never told."""
    a, b = filled(mesh)
    gone = some(a, COUNT // 4)
    for path in gone:
        path.unlink()
    a.scan()
    again = str(gone[0].relative_to(a.share))
    for _ in range(20):
        a.take(PathsTouched("share", ((again, Touch.GONE),)))
        mesh.settle(1.0)
    assert files(b) == COUNT - len(gone)


def test_what_came_where_something_was_held_as_gone_is_not_deleted(mesh: Mesh) -> None:
    """It was seen to be gone, waited with the others, and was said to be deleted after the applier
    had put another device's file there."""
    a, b = filled(mesh)
    for path in some(a, COUNT // 4):
        path.unlink()
    a.scan()
    mesh.settle(0.3)
    a.take(PathsTouched("share", (("new", Touch.GONE),)))
    mesh.settle(0.3)
    b.write("new", b"by b")
    b.scan()
    mesh.settle(1.2)
    assert (a.share / "new").exists() and files(b) == COUNT + 1, "the rest still waits"
    settle(mesh)
    assert (b.share / "new").read_bytes() == (a.share / "new").read_bytes() == b"by b"
    assert same(mesh) == COUNT - COUNT // 4 + 1


def test_an_empty_folder_that_others_deleted_goes_at_once_after_a_wave(mesh: Mesh) -> None:
    """It waited to be judged, was judged to be no file, and waited again, until the wave was
    forgotten."""
    a, b = filled(mesh)
    for path in (a.share / "d" / "0").iterdir():
        path.unlink()
    a.scan()
    mesh.settle(10)
    assert not any((b.share / "d" / "0").iterdir())
    (a.share / "d" / "0").rmdir()
    a.scan()
    mesh.settle(5)
    assert not (b.share / "d" / "0").exists() and b.folder.state.value == "idle"


def test_what_came_and_went_unseen_during_a_wave_is_nothing(mesh: Mesh) -> None:
    """It was looked at again and again, and waited each time, until the wave was forgotten."""
    a, _ = filled(mesh)
    for path in some(a, COUNT // 4):
        path.unlink()
    a.scan()
    mesh.settle(0.3)
    a.take(PathsTouched("share", (("never there", Touch.GONE),)))
    mesh.settle(10)
    assert a.folder.state.value == "idle"


@pytest.mark.parametrize(
    "kind, way", [(Kind.FILE, GuardVerdict.WAIT), (Kind.DIRECTORY, GuardVerdict.GO)]
)
def test_a_file_is_judged_also_where_no_delete_is_counted(
    tmp_path: Path, kind: Kind, way: GuardVerdict
) -> None:
    """Not counted is a file of which a device that is away has a live version of higher rank."""
    index_view = IndexView(Store(tmp_path / "index"))
    index_view.counters.files = COUNT // 2
    wave = Wave()
    wave.went(COUNT, 0)
    remote_deletes = RemoteDeletes("share", index_view, wave, Wave(), lambda: True, lambda: True)
    assert remote_deletes.pending == 0
    assert remote_deletes.may_go(kind is Kind.FILE, 0.0, 0) is way
    _, work = remote_deletes.on_time_passed(QUIET_S, 0)
    _, more = remote_deletes.on_time_passed(2 * QUIET_S, 0)
    assert bool(work or more) is (kind is Kind.FILE), "the count by what can be reached decides"


@pytest.mark.parametrize(("stamp", "counts"), [(0, 150), (2**62, 0)])
def test_deletes_from_the_end_of_all_times_are_no_flood(
    mesh: Mesh, stamp: int, counts: int
) -> None:
    """Nobody takes them (docs/decisions/0004), so a few honest ones do not wait behind them."""
    a, b = filled(mesh)
    store, index_view = a.store, a.folder.index_view
    bit = store.heads.head_of(b.key).bit
    for path in some(a, 150):
        ours = index_view.ours(str(path.relative_to(a.share)))
        assert ours is not None
        grave = tombstone(ours.entry, b.store.heads.life, 1 << 40, a.mesh.wall_ns(a))
        grave = msgspec.structs.replace(grave, stamp=max(stamp, grave.stamp))
        heard(index_view, bit, grave)
    assert index_view.counters.losses == Counters.of(store).losses == counts
    count = LossCount(index_view.reach, Accepted())
    while not count.step(store):
        pass
    assert count.files == counts
