"""Rules of what to sync, on real files: what is ignored stays where it is and is told to nobody,
and what is kept again goes on from where it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from leftzmq.errors import ProblemKind
from leftzmq.sync.versions.counters import Counters
from tests.helpers.mesh import Device, Mesh


@pytest.fixture
def a(mesh: Mesh) -> Device:
    return mesh.devices["A"]


@pytest.fixture
def b(mesh: Mesh) -> Device:
    return mesh.devices["B"]


def quiet(mesh: Mesh) -> None:
    """All is quiet, and nobody wants anything or has anything to complain of."""
    mesh.scan_all()
    mesh.settle()
    for device in mesh.devices.values():
        if device.alive:
            view = device.folder.index_view
            assert view.counters.tickets == 0 and view.counters == Counters.of(device.store)
            assert device.folder.keeping.idle
            assert not device.folder.problems.all(), device.folder.problems.all()


def names(device: Device) -> set[str]:
    return set(device.tree())


def text(device: Device, path: str) -> bytes:
    return (device.share / path).read_bytes()


def rules(device: Device, *lines: str, path: str = ".leftignore") -> None:
    device.write(path, "".join(f"{line}\n" for line in lines).encode())


def local(mesh: Mesh, device: Device, *lines: str) -> None:
    device.folder.keeping.tune(lines, litter=True)
    mesh.settle()


def test_what_is_ignored_from_the_beginning_goes_nowhere(mesh: Mesh, a: Device, b: Device) -> None:
    rules(a, "build/", "*.o", "!keep.o")
    for path in ("src/main.c", "src/main.o", "src/keep.o", "build/x/y", "b/build/z"):
        a.write(path, path.encode())
    quiet(mesh)
    assert names(b) == {".leftignore", "src", "src/main.c", "src/keep.o", "b"}
    assert names(a) > names(b)


def test_what_becomes_ignored_stays_everywhere_and_is_nobody_s_delete(
    mesh: Mesh, a: Device, b: Device
) -> None:
    a.write("notes/one", b"1")
    a.write("two", b"2")
    quiet(mesh)
    rules(a, "notes/")
    quiet(mesh)
    for device in (a, b):
        assert names(device) == {".leftignore", "notes", "notes/one", "two"}
        assert device.folder.index_view.counters.files == 2
    a.write("notes/one", b"changed on A")
    b.write("notes/new", b"new on B")
    quiet(mesh)
    assert text(b, "notes/one") == b"1" and not (a.share / "notes/new").exists()


def test_what_is_kept_again_goes_on_from_where_it_was(mesh: Mesh, a: Device, b: Device) -> None:
    for path in ("edited", "removed", "same", "edited by both"):
        a.write(path, b"before")
    quiet(mesh)
    rules(a, "*ed*", "same")
    quiet(mesh)
    a.write("edited", b"after", mtime=1_600_000_000)
    (a.share / "removed").unlink()
    a.write("edited by both", b"by A")
    mesh.now += 5
    b.write("edited by both", b"by B")
    quiet(mesh)
    (a.share / ".leftignore").unlink()
    quiet(mesh)
    for device in (a, b):
        assert text(device, "edited") == b"after", "a version above the base, whatever its mtime"
        assert text(device, "removed") == b"before", "that is no delete, and comes again"
        assert text(device, "same") == b"before"
        assert text(device, "edited by both") == b"by B"
    copies = {name for name in names(a) if "conflict" in name}
    assert len(copies) == 1 and names(a) == names(b)
    assert text(b, copies.pop()) == b"by A"


def test_a_local_rule_holds_on_one_device_alone(mesh: Mesh, a: Device, b: Device) -> None:
    a.write("data/x", b"1")
    quiet(mesh)
    local(mesh, b, "data/")
    a.write("data/x", b"2")
    a.write("data/y", b"new")
    quiet(mesh)
    assert text(b, "data/x") == b"1" and not (b.share / "data/y").exists()
    local(mesh, b)
    quiet(mesh)
    assert text(b, "data/x") == b"2" and text(b, "data/y") == b"new"
    assert not {name for name in names(b) if "conflict" in name}


def test_what_was_deleted_elsewhere_meanwhile_goes_when_it_is_kept_again(
    mesh: Mesh, a: Device, b: Device
) -> None:
    for path in ("unchanged", "changed"):
        a.write(path, b"before")
    quiet(mesh)
    local(mesh, b, "*changed")
    b.write("changed", b"after")
    for path in ("unchanged", "changed"):
        (a.share / path).unlink()
    quiet(mesh)
    assert names(b) == {"unchanged", "changed"}
    local(mesh, b)
    quiet(mesh)
    assert names(a) == names(b) == {"changed"} and text(a, "changed") == b"after"


def test_rules_hold_over_a_start_and_change_while_no_agent_runs(
    mesh: Mesh, a: Device, b: Device
) -> None:
    rules(a, "one")
    a.write("one", b"1")
    a.write("two", b"2")
    quiet(mesh)
    a.kill()
    rules(a, "two")
    a.start()
    quiet(mesh)
    assert names(b) == {".leftignore", "one", "two"}
    a.write("two", b"changed")
    quiet(mesh)
    assert text(b, "two") == b"2"
    a.kill()
    (a.share / ".leftignore").unlink()
    a.start()
    quiet(mesh)
    assert text(b, "two") == b"changed" and names(a) == names(b) == {"one", "two"}


def test_litter_is_ignored_unless_a_device_wants_it(mesh: Mesh, a: Device, b: Device) -> None:
    a.write("text.txt", b"x")
    a.write(".text.txt.swp", b"unsaved")
    a.write(".DS_Store", b"view")
    quiet(mesh)
    assert names(b) == {"text.txt"}
    for device in (a, b):
        device.folder.keeping.tune((), litter=False)
    quiet(mesh)
    assert names(b) == {"text.txt", ".text.txt.swp", ".DS_Store"}


def test_a_rule_that_does_not_parse_is_shown_and_the_others_hold(
    mesh: Mesh, a: Device, b: Device
) -> None:
    rules(a, "[open", "secret", ".leftignore")
    a.write("secret", b"!")
    a.write("plain", b"x")
    mesh.scan_all()
    mesh.settle()
    assert names(b) == {".leftignore", "plain"}
    for device in (a, b):
        (problem,) = device.folder.problems.all()
        assert problem.path == ".leftignore" and problem.kind is ProblemKind.RULES_FAULTY
        assert "line 1: '[open'" in problem.detail and "line 3" in problem.detail
    rules(b, "secret")
    quiet(mesh)


def test_what_is_new_below_rules_that_cannot_be_read_is_told_to_nobody(
    mesh: Mesh, a: Device, b: Device
) -> None:
    rules(a, "secret")
    a.write("known", b"1")
    a.write("secret", b"!")
    quiet(mesh)
    a.write(".leftignore", b"\xff\xfe")
    mesh.scan_all()
    mesh.settle()
    a.write("new", b"who knows")
    a.write("known", b"2")
    mesh.scan_all()
    mesh.settle()
    assert names(b) == {".leftignore", "known"} and text(b, "known") == b"2"
    assert {problem.kind for problem in a.folder.problems.all()} == {ProblemKind.RULES_FAULTY}
    rules(a, "secret")
    quiet(mesh)
    assert names(b) == {".leftignore", "known", "new"}


def test_rules_that_come_with_a_folder_hold_before_what_is_in_it_is_told(
    mesh: Mesh, a: Device, b: Device, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    (project / "node_modules/deep").mkdir(parents=True)
    (project / ".leftignore").write_text("node_modules\n")
    for path in ("a", "node_modules/b", "node_modules/deep/c"):
        (project / path).write_text(path)
    shutil.move(project, a.share / "project")
    quiet(mesh)
    assert names(b) == {"project", "project/.leftignore", "project/a"}


def test_a_gitignore_rules_where_a_line_says_so(mesh: Mesh, a: Device, b: Device) -> None:
    rules(a, "out", path="x/.gitignore")
    a.write("x/out", b"1")
    quiet(mesh)
    assert "x/out" in names(b)
    rules(a, "#left: gitignore")
    quiet(mesh)
    a.write("x/out", b"2")
    quiet(mesh)
    assert text(b, "x/out") == b"1"


def test_two_devices_that_write_rules_at_once_hide_what_either_hides(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """Story 5."""
    a.kill()
    rules(b, "l")
    b.write("l", b"B's")
    b.write("k", b"not hidden by B")
    mesh.settle()
    rules(a, "k")
    a.write("k", b"A's")
    a.start()
    quiet(mesh)
    copies = {name for name in names(a) if "conflict" in name}
    assert len(copies) == 1 and copies.pop().startswith(".leftignore")
    a.write("l", b"A's, too")
    b.write("k", b"B's, too")
    quiet(mesh)
    assert text(a, "k") == b"A's" and text(b, "l") == b"B's"
    assert text(a, "l") == b"A's, too" and text(b, "k") == b"B's, too"
