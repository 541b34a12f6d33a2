"""Crashes at the worst places, and flushes that fail: what the next start and the next look make
of them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from leftzmq.disk.apply.flush import Flushes
from leftzmq.disk.apply.swap import Place
from leftzmq.sync import actions, jobs
from leftzmq.sync.facts import LocalRulesSet
from leftzmq.tree.conflict import conflict_path, is_conflict_name
from leftzmq.wire.local import EventKind
from leftzmq.work.runner import JobRunner
from tests.helpers.mesh import Device, Held, Mesh
from tests.sim.node import FOLDER
from tests.unit.sync.test_mesh import together, trash

LARGE_BYTES = 2_000_000


class Crash(BaseException):
    """The process ends here."""


def crashes(mesh: Mesh, device: Device) -> None:
    """Go on until the crash that was planted; then its process is gone."""
    with pytest.raises(Crash):
        mesh.scan_all()
        mesh.settle()
    device.kill()


def leftings(device: Device) -> list[Path]:
    found = [path for path in device.share.rglob("*.lefting") if ".left" not in path.parts]
    return sorted(found)


def after(kind: type) -> Callable[[JobRunner, jobs.Job], jobs.JobDone]:
    """JobRunner.run that carries out a job of this kind, and crashes before it is answered."""
    run = JobRunner.run

    def crash(self: JobRunner, job: jobs.Job) -> jobs.JobDone:
        done = run(self, job)
        if isinstance(job, kind):
            raise Crash
        return done

    return crash


def before(kind: type) -> Callable[[JobRunner, jobs.Job], jobs.JobDone]:
    """JobRunner.run that crashes instead of carrying out a job of this kind."""
    run = JobRunner.run

    def crash(self: JobRunner, job: jobs.Job) -> jobs.JobDone:
        if isinstance(job, kind):
            raise Crash
        return run(self, job)

    return crash


@pytest.mark.parametrize("size", [100, LARGE_BYTES])
def test_between_the_exchange_and_the_look_the_old_version_goes_to_the_trash(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    old, new = os.urandom(size), os.urandom(size)
    a.write("f", old)
    together(mesh)
    mesh.now += 5
    a.write("f", new)
    with monkeypatch.context() as planted:
        planted.setattr(Place, "_look_again", lambda *_: (_ for _ in ()).throw(Crash))
        crashes(mesh, b)
    assert (b.share / "f").read_bytes() == new and len(leftings(b)) == 1
    b.start()
    assert together(mesh)["f"][1] == new  # type: ignore[index]
    assert trash(b) == [old] and not leftings(b)


def crashes_at_an_exchange(mesh: Mesh, patch: pytest.MonkeyPatch, old: bytes, new: bytes) -> None:
    """Both write `f`; B's version loses, unseen, and B crashes when A's has just got the name."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("f", b"draft")
    together(mesh)
    mesh.now += 5
    b.write("f", old)
    mesh.now += 1
    a.write("f", new)
    with patch.context() as planted:
        planted.setattr(Place, "_look_again", lambda *_: (_ for _ in ()).throw(Crash))
        crashes(mesh, b)
    assert (b.share / "f").read_bytes() == new and len(leftings(b)) == 1


def copies(tree: dict[str, object]) -> list[object]:
    return [value[1] for path, value in tree.items() if is_conflict_name(path)]  # type: ignore[index]


@pytest.mark.parametrize("size", [100, LARGE_BYTES])
@pytest.mark.parametrize("again", [None, jobs.ClearStaging, jobs.Apply])
@pytest.mark.parametrize("where", [before, after])
def test_between_the_exchange_and_the_naming_of_the_copy_it_is_named_at_the_next_start(
    mesh: Mesh,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    again: type | None,
    where: Callable[..., object],
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    old, new = os.urandom(size), os.urandom(size)
    crashes_at_an_exchange(mesh, monkeypatch, old, new)
    if again is not None:
        with monkeypatch.context() as planted:
            planted.setattr(JobRunner, "run", where(again))
            with pytest.raises(Crash):
                b.start()
                mesh.settle()
            b.kill()
    b.start()
    tree = together(mesh)
    assert tree["f"][1] == new and copies(tree) == [old]  # type: ignore[index]
    assert not trash(b) and not leftings(b) and not b.folder.problems.all()
    is_named = again is jobs.Apply and where is after  # no index knows: it may be fetched again
    assert (b.folder.received_bytes == 0 or is_named) and not b.store.leftings.all()
    assert {row.entry for row in b.store.rows("f") if row.is_ours} == {
        row.entry for row in a.store.rows("f") if row.is_ours
    }


def test_what_a_user_writes_after_such_a_crash_is_an_edit_and_the_copy_is_named(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = mesh.devices["B"]
    crashes_at_an_exchange(mesh, monkeypatch, b"of b", b"of a")
    mesh.now += 5
    b.write("f", b"edited")
    b.start()
    tree = together(mesh)
    assert tree["f"][1] == b"edited" and copies(tree) == [b"of b"]  # type: ignore[index]
    assert not leftings(b)


def test_where_the_name_of_such_a_copy_is_taken_the_old_version_is_in_the_trash(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = mesh.devices["B"]
    crashes_at_an_exchange(mesh, monkeypatch, b"of b", b"of a")
    loser = b.folder.index_view.ours("f")
    assert loser is not None
    b.write(conflict_path(loser.entry), b"a user's")
    b.start()
    tree = together(mesh)
    assert tree["f"][1] == b"of a" and copies(tree) == [b"a user's"]  # type: ignore[index]
    assert trash(b) == [b"of b"] and not leftings(b)


@pytest.mark.parametrize("size", [100, LARGE_BYTES])
@pytest.mark.parametrize("seen", [False, True], ids=["copied", "seen"])
@pytest.mark.parametrize("then", ["gone", "moved", "replaced"])
def test_what_a_user_does_with_the_new_version_after_such_a_crash_leaves_no_old_one_behind(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, then: str, seen: bool, size: int
) -> None:
    """The new version is not there any more that would tell whose the file under the `.lefting`'s
    name is. A program that saves a file replaces it so, too."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    old, new = os.urandom(size), os.urandom(size)
    if seen:
        b.write("f", old)
        together(mesh)
        mesh.now += 5
        a.write("f", new)
        with monkeypatch.context() as planted:
            planted.setattr(Place, "_look_again", lambda *_: (_ for _ in ()).throw(Crash))
            crashes(mesh, b)
    else:
        crashes_at_an_exchange(mesh, monkeypatch, old, new)
    mesh.now += 5
    if then == "gone":
        (b.share / "f").unlink()
    elif then == "moved":
        (b.share / "f").rename(b.share / "g")
    else:
        b.write("saved", b"edited")
        (b.share / "saved").rename(b.share / "f")
    b.start()
    tree = together(mesh)
    there = {path: value[1] for path, value in tree.items() if not is_conflict_name(path)}  # type: ignore[index]
    assert there == {"gone": {}, "moved": {"g": new}, "replaced": {"f": b"edited"}}[then]
    assert copies(tree) == ([] if seen else [old]) and (old in trash(b)) is seen
    assert not leftings(b) and not b.folder.problems.all() and not b.store.leftings.all()


@pytest.mark.parametrize("job", [jobs.OpenStaging, jobs.StageSmall, jobs.WriteChunks, jobs.Apply])
@pytest.mark.parametrize("where", [before, after])
def test_around_any_job_that_writes_nothing_is_left_behind(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, where: Callable[..., object], job: type
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("d/small", b"small")
    a.write("d/large", os.urandom(LARGE_BYTES))
    with monkeypatch.context() as planted:
        planted.setattr(JobRunner, "run", where(job))
        crashes(mesh, b)
    b.start()
    assert set(together(mesh)) == {"d", "d/small", "d/large"}
    assert not leftings(b)


@pytest.mark.parametrize("job", [jobs.ClearStaging, jobs.Discard])
@pytest.mark.parametrize("where", [before, after])
@pytest.mark.parametrize("then", ["gone", "replaced"])
def test_killed_again_while_it_clears_up_nothing_is_left_behind(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, where: Callable[..., object], job: type, then: str
) -> None:
    """Also a folder that was deleted meanwhile is not kept by what was arriving in it."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("d/small", b"small")
    a.write("d/large", os.urandom(LARGE_BYTES))
    with monkeypatch.context() as planted:
        planted.setattr(JobRunner, "run", after(jobs.WriteChunks))
        crashes(mesh, b)
    assert leftings(b)
    new = os.urandom(1000)
    (a.share / "d/large").unlink()
    if then == "replaced":
        a.write("d/large", new)
    else:
        (a.share / "d/small").unlink()
        (a.share / "d").rmdir()
    with monkeypatch.context() as planted:
        planted.setattr(JobRunner, "run", where(job))
        b.start()
        crashes(mesh, b)
    b.start()
    assert set(together(mesh)) == ({"d", "d/small", "d/large"} if then == "replaced" else set())
    assert not leftings(b)


def test_what_a_large_file_had_is_gone_on_with_after_two_crashes(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    data = os.urandom(LARGE_BYTES * 5)
    a.write("large", data)
    for kind in (jobs.WriteChunks, jobs.ClearStaging):
        with monkeypatch.context() as planted:
            planted.setattr(JobRunner, "run", after(kind))
            if not b.alive:
                b.start()
            crashes(mesh, b)
    b.start()
    before_bytes = b.folder.received_bytes
    assert together(mesh)["large"][1] == data  # type: ignore[index]
    least = 64 << 10  # of a chunk; one job wrote at least one
    assert 0 < b.folder.received_bytes - before_bytes <= len(data) - least
    assert not leftings(b)


@pytest.mark.parametrize("failures", [1, 3])
def test_a_flush_of_a_folder_that_fails_loses_nothing_and_ends_in_sync(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    (a.share / "link").symlink_to("old")
    for path in ("replaced", "removed", "renamed", "both", "exec"):
        a.write(path, f"old {path}".encode())
    a.write("large", os.urandom(LARGE_BYTES))
    together(mesh)
    mesh.now += 5
    b.write("both", b"of b")
    mesh.now += 1
    a.write("both", b"of a")
    a.write("replaced", b"new")
    a.write("large", os.urandom(LARGE_BYTES))
    a.write("new/file", b"new")
    (a.share / "removed").unlink()
    (a.share / "renamed").rename(a.share / "elsewhere")
    (a.share / "exec").chmod(0o755)
    (a.share / "link").unlink()
    (a.share / "link").symlink_to("new")
    failed: list[int] = []
    finish = Flushes.finish

    def fails(self: Flushes) -> dict[int, str]:
        done = finish(self)
        if len(failed) >= failures:
            return done
        failed.append(len(self._touched))
        return dict.fromkeys(chain(*self._touched.values()), "Input/output error")

    monkeypatch.setattr(Flushes, "finish", fails)
    mesh.scan_all()
    mesh.settle()
    tree = together(mesh)
    assert len(failed) == failures
    kept = {value[1] for value in tree.values() if value[0] == "file"}  # type: ignore[index]
    assert {b"of a", b"of b", b"new", b"old renamed", b"old exec"} <= kept
    assert tree["link"] == ("link", "new") and tree["exec"][3] is True  # type: ignore[index]
    assert b"old replaced" in trash(b) and b"old removed" in trash(b)
    assert not leftings(a) and not leftings(b)


@pytest.mark.parametrize("deleted_before", [False, True])
def test_what_a_crash_hid_and_others_deleted_stays_deleted(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, deleted_before: bool
) -> None:
    """The file has its name, its index row is lost, and its delete is heard before the first walk
    comes to it: it was not put there by a user."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    if deleted_before:
        a.write("f", b"bytes")
        together(mesh)
        (a.share / "f").unlink()
        together(mesh)
        mesh.now += 5
    a.write("f", b"bytes")
    with monkeypatch.context() as planted:
        planted.setattr(JobRunner, "run", after(jobs.Apply))
        crashes(mesh, b)
    assert (b.share / "f").exists()
    mesh.now += 5
    (a.share / "f").unlink()
    a.scan()
    mesh.settle()
    b.start_and_walk_last()
    assert together(mesh) == {} and b"bytes" in trash(b)


def test_the_copy_of_a_file_with_two_names_is_not_left_behind(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mtime and exec are changed in a copy; the crash comes before that has the name."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("f", b"bytes")
    together(mesh)
    os.link(b.share / "f", b.share / "g")
    together(mesh)
    (a.share / "f").chmod(0o755)

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as planted:
        planted.setattr(Place, "exchange", crash)
        crashes(mesh, b)
    assert leftings(b)
    b.start()
    assert set(together(mesh)) == {"f", "g"} and not leftings(b)
    assert not b.folder.problems.all()


@pytest.mark.parametrize("inside", ["mine.lefting", "mine"])
def test_a_deleted_folder_that_cannot_go_is_tried_once_and_stays(mesh: Mesh, inside: str) -> None:
    """The scan finds a folder that a tombstone deleted; what lies in it is new, or not synced."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    (a.share / "d").mkdir()
    together(mesh)
    b.kill()
    for path in b.state.iterdir():
        path.unlink()
    (a.share / "d").rmdir()
    a.scan()
    mesh.settle()
    (b.share / "d" / inside).write_bytes(b"mine")
    b.start_and_walk_last()
    assert (a.share / "d").is_dir() and (b.share / "d" / inside).read_bytes() == b"mine"
    assert b.folder.state.value == a.folder.state.value == "idle"


def test_bytes_that_come_before_their_folder_are_no_problem_and_wait_only_for_it(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    held: list[actions.Action] = []
    do = Device.do

    def late(self: Device, action: actions.Action) -> None:
        is_apply = isinstance(action, actions.Work) and isinstance(action.job, jobs.Apply)
        held.append(action) if is_apply and self is b else do(self, action)

    a.write("d/small", b"small")
    a.write("d/large", os.urandom(LARGE_BYTES))
    a.scan()
    with monkeypatch.context() as planted:
        planted.setattr(Device, "do", late)
        mesh.settle(1.0)
    assert len(held) == 1, "the folder is not made yet, and all bytes came"
    b.do(held[0])
    mesh.settle(1.0)
    assert set(b.tree()) == {"d", "d/small", "d/large"}
    shown = [e.fields for e in b.events if e.kind is EventKind.PROBLEM]
    assert not shown, shown


@pytest.mark.parametrize("size", [100, LARGE_BYTES])
@pytest.mark.parametrize("known", [False, True])
def test_what_a_crash_hid_and_others_edited_since_is_no_edit_of_ours(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, size: int, known: bool
) -> None:
    """The file has its name, its index row is lost, and the next version is heard before the first
    walk comes to it: nobody holds this one any more, and no user made it."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    if known:
        a.write("f", os.urandom(size))
        together(mesh)
    mesh.now += 5
    a.write("f", os.urandom(size))
    with monkeypatch.context() as planted:
        planted.setattr(JobRunner, "run", after(jobs.Apply))
        crashes(mesh, b)
    mesh.now += 5
    last = os.urandom(size)
    a.write("f", last)
    a.scan()
    mesh.settle()
    b.start_and_walk_last()
    assert set(together(mesh)) == {"f"}
    assert (b.share / "f").read_bytes() == last


def puts(a: Device) -> bytes:
    a.write("f", b"put")
    return b"put"


def moves(a: Device) -> bytes:
    os.rename(a.share / "from", a.share / "f")
    return b"moved"


def links(a: Device) -> bytes:
    (a.share / "f").symlink_to("moved")
    return b"moved"


def sets_its_mtime(a: Device) -> bytes:
    os.utime(a.share / "f", ns=(0, 1_600_000_000_000_000_000))
    return b"f"


@pytest.mark.parametrize("heard", ["while it is done", "after the start", "after two starts"])
@pytest.mark.parametrize("deed", [puts, moves, links, sets_its_mtime])
def test_what_was_done_and_then_changed_elsewhere_is_no_edit_of_ours(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, deed: Callable[[Device], bytes], heard: str
) -> None:
    """It is done, the index does not know of it, and nobody holds that version any more. Then the
    file is deleted everywhere: it does not come back."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("from", b"moved")
    if deed is sets_its_mtime:
        a.write("f", b"f")
    together(mesh)
    mesh.now += 5
    old = deed(a)
    if heard != "while it is done":
        with monkeypatch.context() as planted:
            planted.setattr(JobRunner, "run", after(jobs.Apply))
            crashes(mesh, b)
    else:
        held = Held(b, jobs.Apply)
        mesh.scan_all()
        mesh.settle(1.0)
        for job in held.jobs:
            b.runner.run(job)
    here = b.share / "f"
    assert (os.readlink(here).encode() if here.is_symlink() else here.read_bytes()) == old
    if heard == "after two starts":  # it gets another version, and is killed before it has looked
        (a.share / "f").unlink()
        a.write("f", b"in between")
        a.scan()
        mesh.settle(5.0)
        held = Held(b, jobs.Walk, jobs.Look)
        b.start()
        mesh.settle(5.0)
        assert held.jobs and leftings(b)
        b.kill()
        del b.do
    mesh.now += 5
    (a.share / "f").unlink()
    a.write("f", b"the next version")
    a.scan()
    mesh.settle(5.0)
    if heard == "while it is done":
        b.kill()
        del b.do
    b.start_and_walk_last()
    tree = together(mesh)
    assert not [path for path in tree if "conflict" in path]
    assert tree["f"][1] == b"the next version"  # type: ignore[index]
    (a.share / "f").unlink()
    assert "f" not in together(mesh)
    assert not b.folder.index_view.begun and not b.store.all_begun()


def test_what_was_done_and_is_ignored_since_is_no_edit_when_it_is_kept_again(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed 79351734: it is done, the index does not know of it, and the next start has a rule that
    ignores it: no walk looks at it. It is deleted elsewhere meanwhile, and does not come back."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("from", b"moved")
    together(mesh)
    mesh.now += 5
    moves(a)
    with monkeypatch.context() as planted:
        planted.setattr(JobRunner, "run", after(jobs.Apply))
        crashes(mesh, b)
    assert (b.share / "f").read_bytes() == b"moved"
    (a.share / "f").unlink()
    a.scan()
    mesh.settle(5.0)
    b.ignore = ("f",)
    b.start_and_walk_last()
    mesh.scan_all()
    mesh.settle()
    assert (b.share / "f").exists()
    b.take(LocalRulesSet(FOLDER, (), litter=True))
    mesh.settle()
    assert together(mesh) == {} and trash(b) == [b"moved"]
    assert not b.folder.index_view.begun and not b.store.all_begun()


def both_write(mesh: Mesh) -> None:
    """B's version loses, unseen."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("f", b"draft")
    together(mesh)
    mesh.now += 5
    b.write("f", b"of b")
    mesh.now += 1
    a.write("f", b"written by a")


def is_a_conflict(done: jobs.JobDone) -> bool:
    return isinstance(done, jobs.Applied) and any(each.copied_to for each in done.outcomes)


def deletes_it(a: Device) -> None:
    (a.share / "f").unlink()


def renames_it(a: Device) -> None:
    (a.share / "f").rename(a.share / "g")


def makes_a_folder_of_it(a: Device) -> None:
    (a.share / "f").unlink()
    (a.share / "f").mkdir()


def writes_what_lost(a: Device) -> None:
    a.write("f", b"of b")


def puts_back_what_lost(a: Device) -> None:
    """With its mtime: as a version it differs in nothing that a disk shows."""
    (copy,) = a.mesh.devices["B"].share.glob("*.conflict-*")
    a.write("f", b"of b", mtime=copy.stat().st_mtime)


def edits_it(a: Device) -> None:
    a.write("f", b"edited by a")


BY_OTHERS = (
    deletes_it,
    renames_it,
    makes_a_folder_of_it,
    writes_what_lost,
    puts_back_what_lost,
    edits_it,
)


def is_what_a_left(mesh: Mesh, wanted: dict[str, object]) -> None:
    tree = together(mesh)
    assert copies(tree) == [b"of b"]
    assert {path: each for path, each in tree.items() if not is_conflict_name(path)} == wanted


@pytest.mark.parametrize("deed", BY_OTHERS)
def test_what_lost_before_a_crash_does_not_stand_against_what_others_did_since(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, deed: Callable[[Device], None]
) -> None:
    """The copy has its name, the winner lies at the path, and the index says that the loser does.
    What followed the winner is heard before the first walk comes to it."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    both_write(mesh)
    run = JobRunner.run

    def crash(self: JobRunner, job: jobs.Job) -> jobs.JobDone:
        done = run(self, job)
        if is_a_conflict(done):
            raise Crash
        return done

    with monkeypatch.context() as planted:
        planted.setattr(JobRunner, "run", crash)
        crashes(mesh, b)
    assert (b.share / "f").read_bytes() == b"written by a"
    mesh.now += 5
    deed(a)
    wanted = a.tree()
    a.scan()
    mesh.settle()
    b.start_and_walk_last()
    is_what_a_left(mesh, wanted)


def hears_before_it_looks(
    mesh: Mesh, patch: pytest.MonkeyPatch, deed: Callable[[Device], None], *, came: bool
) -> dict[str, object]:
    """B cannot flush what won: its folder, when it came there, or its bytes, so that it did not.
    Then A does something, and B hears of it before a look tells what lies there. The tree of A."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    both_write(mesh)
    finish, file, failed = Flushes.finish, Flushes.file, list[Held]()

    def fails(flushes: Flushes) -> bool:
        ours, share = b.folder.index_view.ours("f"), b.opened_share
        assert ours is not None and share is not None
        if failed or flushes._root is not share.root or ours.entry.size != len(b"of b"):
            return False
        failed.append(Held(b, jobs.Look))
        return True

    def finish_fails(self: Flushes) -> dict[int, str]:
        done = finish(self)
        return dict.fromkeys(chain(*self._touched.values()), "sick") if fails(self) else done

    def file_fails(self: Flushes, *arguments: Any) -> bool:
        if fails(self):
            raise OSError(errno.EIO, "sick")
        return file(self, *arguments)

    if came:
        patch.setattr(Flushes, "finish", finish_fails)
    else:
        patch.setattr(Flushes, "file", file_fails)
    mesh.scan_all()
    mesh.settle(5.0)
    (held,) = failed
    assert held.jobs and (b.share / "f").read_bytes() == (b"written by a" if came else b"of b")
    deed(a)
    tree = a.tree()
    a.scan()
    mesh.settle(5.0)
    del b.do
    for job in held.jobs:
        b.do(actions.Work(job))
    mesh.settle()
    return tree


@pytest.mark.parametrize("deed", BY_OTHERS)
def test_what_lost_before_a_flush_failed_does_not_stand_against_what_others_did_since(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, deed: Callable[[Device], None]
) -> None:
    wanted = hears_before_it_looks(mesh, monkeypatch, deed, came=True)
    is_what_a_left(mesh, wanted)


@pytest.mark.parametrize("deed", [deletes_it, renames_it])
def test_what_was_to_lose_stands_again_when_a_look_tells_that_it_is_there(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, deed: Callable[[Device], None]
) -> None:
    wanted = hears_before_it_looks(mesh, monkeypatch, deed, came=False)
    tree = together(mesh)
    assert tree.pop("f")[1] == b"of b" and tree == wanted  # type: ignore[index]
