"""What the guard counts beside deletes: files that were emptied, that gave way to links or folders,
and that turned to noise; found here and on their way here."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leftzmq.sync.admin.peer_progress import ACCEPTED_LOOKED_AT
from leftzmq.sync.versions.withheld import WhyWithheld
from leftzmq.wire.local import EventKind
from tests.helpers.mesh import Device, Mesh
from tests.unit.sync.guard.test_guard import _unguarded, ask, held, same, settle, some
from tests.unit.sync.test_mesh import trash

pytestmark = pytest.mark.slow

COUNT, LOST = 120, 90  # over a hundred files are guarded, and more than half of them is a flood
CHANCE = random.Random(12)


def filled(mesh: Mesh, count: int = COUNT, size: int = 6000) -> tuple[Device, Device]:
    a, b = mesh.devices["A"], mesh.devices["B"]
    for number in range(count):
        a.write(f"d/{number % 7}/{number:04}", b"%d. a letter\n" % number * (size // 13))
    a.scan()
    settle(mesh)
    assert a.tree() == b.tree()
    return a, b


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    os.utime(path, (1_800_000_500, 1_800_000_500))


def empty(path: Path) -> None:
    write(path, b"")


def shrink(path: Path) -> None:
    write(path, b"x" * 20)


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/null")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def encrypt(path: Path) -> None:
    write(path, CHANCE.randbytes(6000))


def lock(path: Path) -> None:
    """As most of them do: encrypted under another name, and the old file is gone."""
    encrypt(path.with_name(path.name + ".locked"))
    path.unlink()


def lock_in_place(path: Path) -> None:
    encrypt(path)
    path.rename(path.with_name(path.name + ".locked"))


LOSSES = [empty, shrink, link, folder]
NOISES = [encrypt, lock, lock_in_place]


def spoil(device: Device, how: Callable[[Path], None], count: int = LOST) -> None:
    for path in some(device, count):
        how(path)
    device.scan()


# ---- found here -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", LOSSES)
def test_a_flood_of_losses_is_not_published(mesh: Mesh, how: Callable[[Path], None]) -> None:
    a, b = filled(mesh)
    before = b.tree()
    spoil(a, how)
    settle(mesh)
    assert held(a) == {"here": LOST} and held(b) == {} and b.tree() == before
    (told,) = [event for event in a.events if event.kind is EventKind.HELD]
    assert (told.fields["deletes"], told.fields["files"], told.fields["noise"]) == (LOST, COUNT, 0)
    a.kill()
    a.start()
    settle(mesh)
    assert held(a) == {"here": LOST} and b.tree() == before, "a restart changes nothing"


@pytest.mark.parametrize("how", NOISES)
def test_a_wave_of_noise_is_held_from_the_fiftieth_file(
    mesh: Mesh, how: Callable[[Path], None]
) -> None:
    a, b = filled(mesh)
    before = b.tree()
    spoil(a, how)
    settle(mesh)
    now = b.tree()
    kept = sum(now.get(path) == what for path, what in before.items() if what[0] == "file")  # type: ignore[index]
    assert held(a) and kept > COUNT - 50, "less than fifty of them went"
    (told,) = [event for event in a.events if event.kind is EventKind.HELD]
    assert told.fields["noise"] >= 50  # type: ignore[operator]
    a.kill()
    a.start()
    settle(mesh)
    assert held(a), "a restart changes nothing"


@pytest.mark.parametrize("how", [*LOSSES, *NOISES])
def test_what_is_held_is_not_read_again(mesh: Mesh, how: Callable[[Path], None]) -> None:
    a, _ = filled(mesh)
    spoil(a, how)
    settle(mesh)
    jobs = _jobs(a)
    a.scan()
    settle(mesh)
    count = sum(
        a.folder.index_view.held.count(why) for why in (WhyWithheld.LOST, WhyWithheld.TURNED)
    )
    assert held(a)["here"] > LOST - 50 and (count > 0) is (how not in (lock, lock_in_place))
    assert not [seen for seen in jobs if "FOUND" in seen], "its stat is remembered"


def _jobs(device: Device) -> list[str]:
    seen: list[str] = []
    run = device.runner.run

    def recorded(job: Any) -> Any:
        fact = run(job)
        seen.extend(f"{s.sight.name} {s.path}" for s in getattr(fact, "sightings", ()))
        return fact

    device.runner.run = recorded  # type: ignore[method-assign]
    return seen


@pytest.mark.parametrize("how", [*LOSSES, *NOISES])
def test_revert_brings_the_old_bytes_back(mesh: Mesh, how: Callable[[Path], None]) -> None:
    a, _b = filled(mesh)
    before = a.tree()
    spoil(a, how)
    settle(mesh)
    assert held(a)
    ask(mesh, a, "revert")
    same(mesh)
    after = a.tree()
    lost = [path for path, what in before.items() if after.get(path) != what]
    # What went before it was held lies in the trash of B.
    assert len(lost) < 50 if how in NOISES else not lost
    if how in (empty, shrink):
        assert len(trash(a)) == LOST, "what was there instead is not thrown away"


@pytest.mark.parametrize("how", [*LOSSES, *NOISES])
def test_accept_is_told_to_all(tmp_path: Path, how: Callable[[Path], None]) -> None:
    """On one device; another one lets it pass, and so does one that was away, by way of it."""
    mesh = Mesh(tmp_path, "ABC")
    for device in mesh.devices.values():
        device.start()
    a, b = filled(mesh)
    c = mesh.devices["C"]
    assert c.tree() == a.tree()
    c.kill()
    spoil(a, how)
    settle(mesh)
    assert held(a)
    ask(mesh, a, "accept")
    assert held(a) == held(b) == {} and a.tree() == b.tree()
    left = {one["name"]: one["accepted_left"] for one in told(a)}
    assert left["B"] == 0 and 0 < left["C"] <= ACCEPTED_LOOKED_AT, "who was away has not heard"
    a.kill()
    c.start()
    settle(mesh)
    assert held(c) == {} and c.tree() == b.tree()
    assert [one["accepted_left"] for one in told(b) if one["name"] == "C"] == [0]
    assert not [e for d in (b, c) for e in d.events if e.kind is EventKind.HELD]


def test_new_files_below_what_is_held_are_not_told(mesh: Mesh) -> None:
    """A folder in the place of a file: the others have the file there."""
    a, b = filled(mesh)
    before = b.tree()
    for path in some(a, LOST):
        folder(path)
        (path / "inside").mkdir()
        (path / "inside" / "note").write_bytes(b"new")
    a.scan()
    settle(mesh)
    assert held(a) == {"here": LOST} and b.tree() == before
    jobs = _jobs(a)
    a.scan()
    settle(mesh)
    assert b.tree() == before and not [seen for seen in jobs if "FOUND" in seen]
    ask(mesh, a, "accept")
    assert same(mesh) == COUNT and (b.share / "d/0/0000/inside/note").read_bytes() == b"new"


def test_a_folder_with_something_in_it_is_not_thrown_away_by_revert(mesh: Mesh) -> None:
    a, b = filled(mesh)
    before = b.tree()
    for path in some(a, LOST):
        folder(path)
    note = a.share / "d/0/0000/note"
    note.write_bytes(b"new")
    a.scan()
    settle(mesh)
    ask(mesh, a, "revert")
    assert same(mesh) >= COUNT and note.read_bytes() == b"new"
    after = a.tree()
    assert [path for path, what in before.items() if after[path] != what] == ["d/0/0000"]
    assert b"new" in [path.read_bytes() for path in (b.share / "d/0/0000").iterdir()]


def test_an_edit_of_another_device_waits_for_the_decision(mesh: Mesh) -> None:
    a, b = filled(mesh)
    spoil(a, empty)
    settle(mesh)
    (path,) = [str(p.relative_to(a.share)) for p in some(a, 1)]
    b.write(path, b"edited by b")
    b.scan()
    settle(mesh)
    assert (a.share / path).read_bytes() == b"" and held(a)
    ask(mesh, a, "revert")
    assert same(mesh) == COUNT and (a.share / path).read_bytes() == b"edited by b"


def test_what_a_user_writes_there_after_a_revert_is_his(mesh: Mesh) -> None:
    """Nobody who has the old bytes is here: they come when he is back, and the edit stays, too."""
    a, b = filled(mesh)
    spoil(a, empty)
    settle(mesh)
    b.kill()
    ask(mesh, a, "revert")
    paths = [str(p.relative_to(a.share)) for p in some(a, 2)]
    a.write(paths[0], b"written again")
    a.scan()
    settle(mesh)
    a.kill()
    a.start()
    settle(mesh)
    b.start()
    settle(mesh)
    mesh.scan_all()
    settle(mesh)
    contents = {what[1] for what in a.tree().values() if what[0] == "file"}  # type: ignore[index]
    assert b"written again" in contents and a.tree() == b.tree()
    assert (a.share / paths[1]).read_bytes().startswith(b"0. a letter\n") or b"" not in contents


def test_a_user_who_puts_the_bytes_back_lifts_it(mesh: Mesh) -> None:
    a, b = filled(mesh)
    shutil.copytree(a.share / "d", a.share.parent / "aside")
    spoil(a, empty)
    settle(mesh)
    assert held(a)
    shutil.rmtree(a.share / "d")
    shutil.copytree(a.share.parent / "aside", a.share / "d")
    for _ in range(2):
        a.scan()
        settle(mesh)
    assert same(mesh) == COUNT and trash(b) == []


# ---- on their way here ------------------------------------------------------------------------


def incoming(mesh: Mesh, how: Callable[[Path], None], count: int = LOST) -> tuple[Device, Device]:
    """A, which is of a kind without a guard, has told of it."""
    a, b = filled(mesh)
    a.folder.guard.on_paths_settled = _unguarded(a)  # type: ignore[method-assign]
    spoil(a, how, count)
    settle(mesh)
    return a, b


@pytest.mark.parametrize("how", [*LOSSES, *NOISES])
def test_what_comes_is_held_and_old_bytes_stay(mesh: Mesh, how: Callable[[Path], None]) -> None:
    a, b = filled(mesh)
    before = b.tree()
    a.folder.guard.on_paths_settled = _unguarded(a)  # type: ignore[method-assign]
    spoil(a, how)
    settle(mesh)
    after = b.tree()
    kept = sum(after.get(path) == what for path, what in before.items() if what[0] == "file")  # type: ignore[index]
    assert held(b)["elsewhere"] > 0 and kept >= (COUNT - 50 if how is encrypt else COUNT // 2)
    b.write("new", b"by b")
    a.write("other", b"by a")
    mesh.scan_all()
    settle(mesh)
    assert (a.share / "new").exists() and (b.share / "other").exists(), "all else goes on"
    b.kill()
    b.start()
    settle(mesh)
    again = b.tree()
    assert held(b)["elsewhere"] > 0 and {p: again[p] for p in after} == after


@pytest.mark.parametrize("how", [*LOSSES, encrypt])
def test_what_is_held_is_not_fetched_again_and_again(
    mesh: Mesh, how: Callable[[Path], None]
) -> None:
    _, b = incoming(mesh, how)
    received = b.folder.received_bytes
    for _ in range(2):
        b.kill()
        b.start()
        settle(mesh)
    assert held(b) and b.folder.received_bytes == 0 < received + 1


@pytest.mark.parametrize("how", [*LOSSES, encrypt])
def test_revert_of_what_came_is_for_everybody(mesh: Mesh, how: Callable[[Path], None]) -> None:
    a, b = filled(mesh)
    before = b.tree()
    a.folder.guard.on_paths_settled = _unguarded(a)  # type: ignore[method-assign]
    spoil(a, how)
    settle(mesh)
    assert held(b)
    ask(mesh, b, "revert")
    same(mesh)
    after = a.tree()
    if how is folder:  # a folder stays where a file meets it: the file is beside it
        assert {_bytes(what) for what in before.values()} <= {
            _bytes(what) for what in after.values()
        }
        return
    lost = [path for path, what in before.items() if after.get(path) != what]
    assert len(lost) < 50 if how is encrypt else not lost


def _bytes(what: Any) -> object:
    return what[1] if what[0] == "file" else None


def told(device: Device) -> list[Any]:
    """What `status` says of each device in the folder."""
    members: list[Any] = device.node.status()["folders"][0]["members"]
    return members


@pytest.mark.parametrize("how", [*LOSSES, encrypt])
def test_accept_of_what_came_is_told_to_the_others(
    tmp_path: Path, how: Callable[[Path], None]
) -> None:
    mesh = Mesh(tmp_path, "ABC")
    for device in mesh.devices.values():
        device.start()
    a, b = incoming(mesh, how)
    c = mesh.devices["C"]
    assert held(b) and held(c), "both see it at once"
    ask(mesh, b, "accept")
    settle(mesh)
    assert held(b) == held(c) == {} and a.tree() == b.tree() == c.tree()


# ---- what is no flood -------------------------------------------------------------------------


@pytest.mark.parametrize("how", LOSSES)
def test_less_than_half_goes(mesh: Mesh, how: Callable[[Path], None]) -> None:
    a, b = filled(mesh)
    spoil(a, how, COUNT // 2 - 10)
    settle(mesh)
    assert held(a) == held(b) == {}
    same(mesh)


def test_fewer_than_fifty_encrypted_files_go(mesh: Mesh) -> None:
    a, b = filled(mesh)
    spoil(a, encrypt, 49)
    settle(mesh)
    assert held(a) == held(b) == {}
    same(mesh)


def test_other_contents_are_no_loss(mesh: Mesh) -> None:
    """A checkout, a formatter, a build: every file is another one."""
    a, b = filled(mesh)
    for number, path in enumerate(some(a, COUNT)):
        write(path, b"%d: other text\n" % number * 100)
    a.scan()
    settle(mesh)
    assert held(a) == held(b) == {} and same(mesh) == COUNT


def test_a_store_of_encrypted_files_may_change(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    for number in range(COUNT):
        a.write(f"d/{number}", CHANCE.randbytes(5000))
    a.scan()
    settle(mesh)
    for path in some(a, COUNT):
        encrypt(path)
    a.scan()
    settle(mesh)
    assert held(a) == held(b) == {} and same(mesh) == COUNT


def test_large_files_that_turn_to_noise_are_seen(mesh: Mesh) -> None:
    a, b = filled(mesh, 60, size=400_000)
    before = b.tree()
    a.folder.guard.on_paths_settled = _unguarded(a)  # type: ignore[method-assign]
    for path in some(a, 55):
        write(path, CHANCE.randbytes(400_000))
    a.scan()
    settle(mesh)
    after = b.tree()
    kept = sum(after.get(path) == what for path, what in before.items() if what[0] == "file")  # type: ignore[index]
    assert held(b) and kept > 10
    ask(mesh, b, "accept")
    assert same(mesh) == 60
