"""Stories of what is ignored, on real files: what ends, what is fetched, what is held back."""

from __future__ import annotations

import os

import pytest

from leftzmq.errors import Problem, ProblemKind
from leftzmq.sync.jobs import Look, ReadChunks, Walk
from leftzmq.wire.local import EventKind
from tests.helpers.mesh import Device, Held, Mesh
from tests.sim.node import FOLDER

COUNT = 300


def scan(mesh: Mesh) -> None:
    mesh.scan_all()
    mesh.settle()


def ignore(mesh: Mesh, device: Device, *lines: str) -> None:
    device.folder.keeping.tune(lines, litter=True)
    mesh.settle()


def tickets(device: Device) -> int:
    return device.folder.index_view.counters.tickets


def copies(device: Device) -> set[str]:
    return {path for path in device.tree() if "conflict" in path}


def test_what_nobody_changed_here_is_replaced_by_the_newest_when_it_is_kept_again(
    mesh: Mesh, a: Device, b: Device
) -> None:
    a.write("p", b"0")
    scan(mesh)
    ignore(mesh, b, "p")
    for number in (b"1", b"2", b"3"):
        mesh.now += 5
        a.write("p", number)
        scan(mesh)
    assert (b.share / "p").read_bytes() == b"0"
    ignore(mesh, b)
    scan(mesh)
    assert (b.share / "p").read_bytes() == b"3" and not copies(a) | copies(b)


def test_what_its_only_holder_ignores_from_now_on_is_waited_for_no_more(
    mesh: Mesh, a: Device, b: Device
) -> None:
    gives = Held(b, ReadChunks)
    b.write("p", b"of B alone")
    scan(mesh)
    assert gives.jobs and tickets(a) == 1
    ignore(mesh, b, "p")
    assert tickets(a) == 0 and a.folder.state.value == "idle"
    assert not a.folder.problems.all() and "p" not in a.tree()


def test_what_was_removed_while_ignored_is_fetched_though_its_look_was_lost_with_a_kill(
    mesh: Mesh, a: Device, b: Device
) -> None:
    a.write("p", b"1")
    scan(mesh)
    ignore(mesh, b, "p")
    (b.share / "p").unlink()
    looks = Held(b, Look, Walk)
    ignore(mesh, b)
    assert looks.jobs and b.folder.keeping.idle
    b.do = looks._do  # type: ignore[method-assign]
    b.kill()
    b.start()
    scan(mesh)
    assert (b.share / "p").read_bytes() == b"1"
    b.kill()
    b.start()
    scan(mesh)
    assert tickets(b) == 0 and not b.folder.problems.all()


@pytest.mark.parametrize("runs", [True, False])
def test_a_file_that_a_user_replaces_by_a_folder_that_is_ignored_is_deleted(
    mesh: Mesh, a: Device, b: Device, runs: bool
) -> None:
    """Only folders are ignored by this name, so the file was kept, and is gone."""
    a.write("x", b"1")
    scan(mesh)
    ignore(mesh, b, "x/")
    if not runs:
        b.kill()
    (b.share / "x").unlink()
    b.write("x/one", b"of B alone")
    if not runs:
        b.ignore = ("x/",)
        b.start()
    scan(mesh)
    assert a.tree() == {} and (b.share / "x/one").read_bytes() == b"of B alone"
    assert tickets(b) == 0 and not b.folder.problems.all()


def test_rules_that_cannot_be_read_are_told_themselves_so_others_can_mend_them(
    mesh: Mesh, a: Device, b: Device
) -> None:
    b.write(".leftignore", b"\xff\xfe")
    b.write("new", b"who knows")
    scan(mesh)
    assert set(a.tree()) == {".leftignore"}
    a.write(".leftignore", b"# mended\n")
    scan(mesh)
    assert (b.share / ".leftignore").read_bytes() == b"# mended\n"
    assert set(a.tree()) == {".leftignore", "new"} and not b.folder.problems.all()


def test_what_is_ignored_from_now_on_has_no_problem(mesh: Mesh, b: Device) -> None:
    problems = b.folder.problems
    for path in ("x/bad", "y"):
        problems.show(Problem(FOLDER, path, ProblemKind.ROTTEN))
    ignore(mesh, b, "x/")
    assert [each.path for each in problems.all()] == ["y"]


def test_a_rename_into_an_ignored_name_is_a_delete_that_the_guard_holds(
    mesh: Mesh, a: Device, b: Device
) -> None:
    a.write(".leftignore", b"node_modules\n")
    for number in range(COUNT):
        a.write(f"data/{number}", b"%d" % number)
    for number in range(COUNT // 9):
        a.write(f"more/{number}", b"more %d" % number)
    scan(mesh)
    mesh.now += 120
    os.rename(a.share / "data", a.share / "node_modules")
    scan(mesh)
    kinds = {problem.kind for problem in a.folder.problems.all()}
    assert kinds == {ProblemKind.MANY_LOSSES}
    assert (b.share / "data/7").read_bytes() == b"7"
    assert not (b.share / "node_modules").exists()


@pytest.mark.slow
def test_a_rule_for_everything_deletes_nothing_and_says_how_much_it_took_out(
    mesh: Mesh, a: Device, b: Device
) -> None:
    for number in range(COUNT):
        a.write(f"data/{number}", b"%d" % number)
    scan(mesh)
    before = b.tree()
    a.events.clear()
    a.write(".leftignore", b"*\n")
    scan(mesh)
    for device in (a, b):
        after = device.tree()
        assert {path: after[path] for path in before} == before
        assert device.folder.index_view.counters.files == 1
        (problem,) = device.folder.problems.all()
        assert problem.kind is ProblemKind.MUCH_IGNORED
        assert f"{COUNT} of" in problem.detail and "line 1 of .leftignore" in problem.detail
    told = [event.fields for event in a.events if event.kind is EventKind.RULES]
    assert [each["ignored"] for each in told] == [COUNT + 1]
