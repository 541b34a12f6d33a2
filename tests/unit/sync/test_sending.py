"""A folder that only sends, on real files: what is changed there goes to the others, and what they
change is not taken, until its user says that what is here is everybody's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from leftzmq.sync.facts import RescanWanted
from leftzmq.sync.versions.counters import Counters
from leftzmq.tree.conflict import is_conflict_name
from leftzmq.tree.mode import FolderMode
from tests.helpers.mesh import Device, Mesh
from tests.sim.node import FOLDER
from tests.unit.sync.test_mesh import trash


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    """A only sends, B and C sync in both directions."""
    mesh = Mesh(tmp_path, "ABC")
    mesh.devices["A"].mode = FolderMode.SEND
    mesh.begin()
    return mesh


def quiet(mesh: Mesh, differing: int = 0) -> None:
    """All is at rest, B and C are equal, nobody was dropped, and A differs at so many paths."""
    mesh.scan_all()
    mesh.settle()
    for device in mesh.devices.values():
        view = device.folder.index_view
        assert view.counters == Counters.of(device.store)
        assert view.tickets == 0
        assert device.folder.state.value == "idle", device.name
        assert not device.folder.problems.all(), device.folder.problems.all()
    a, b, c = mesh.devices.values()
    assert b.tree() == c.tree()
    (status,) = a.node.status()["folders"]
    assert status["mode"] == "send" and status["tickets"] == status["need_bytes"] == 0
    assert status["differs"] == differing
    for device in (b, c):
        lack = device.folder.index_view.peer_counts.lacking(device.store.heads.head_of(a.key).mask)
        assert device.folder.acknowledged.passed_over(a.key) == lack, "A is waited for by nobody"


def text(device: Device, path: str) -> bytes:
    return (device.share / path).read_bytes()


def copies(device: Device) -> list[str]:
    return [path for path in device.tree() if is_conflict_name(path)]


def override(mesh: Mesh, a: Device, path: str = "") -> list[str]:
    """Returns the paths that were listed."""
    listed = mesh.ask(a, "override", path=path)
    assert not listed["done"] and listed["paths"] == len(listed["first"])
    done = mesh.ask(a, "override", path=path, listed=listed["listed"])
    assert done["done"] and done["first"] == listed["first"]
    mesh.settle()
    return list(done["first"])


def test_what_is_changed_here_goes_to_the_others(mesh: Mesh, a: Device, b: Device) -> None:
    a.write("d/f", b"1")
    quiet(mesh)
    a.write("d/f", b"2")
    quiet(mesh)
    assert text(b, "d/f") == b"2"
    shutil.rmtree(a.share / "d")
    quiet(mesh)
    assert b.tree() == {}


def test_what_others_change_is_not_taken(mesh: Mesh, a: Device, b: Device) -> None:
    for name in ("edited", "gone", "d/in"):
        a.write(name, b"of a")
    quiet(mesh)
    before = a.tree()
    b.write("edited", b"of b")
    b.write("new/file", b"of b")
    (b.share / "gone").unlink()
    shutil.rmtree(b.share / "d")
    quiet(mesh, 6)
    assert a.tree() == before
    a.kill()
    a.start()
    quiet(mesh, 6)
    assert a.tree() == before and text(b, "edited") == b"of b"


def test_a_change_here_is_above_what_others_changed_unseen(
    mesh: Mesh, a: Device, b: Device
) -> None:
    a.write("f", b"1")
    quiet(mesh)
    b.write("f", b"of b", mtime=2_000_000_000)
    quiet(mesh, 1)
    a.write("f", b"2")
    quiet(mesh, 1)
    (copy,) = copies(b)
    assert text(b, "f") == b"2" and text(b, copy) == b"of b" and copies(a) == []


def test_a_file_in_a_folder_that_others_deleted_is_everywhere_with_its_folder(
    mesh: Mesh, a: Device, b: Device
) -> None:
    a.write("d/e/old", b"1")
    quiet(mesh)
    shutil.rmtree(b.share / "d")
    quiet(mesh, 3)
    a.write("d/e/new", b"2")
    quiet(mesh, 1)
    assert set(b.tree()) == {"d", "d/e", "d/e/new"}


def test_a_file_that_is_made_while_nobody_is_connected_brings_its_folder_back(
    mesh: Mesh, a: Device, b: Device
) -> None:
    a.write("d/e/old", b"1")
    quiet(mesh)
    shutil.rmtree(b.share / "d")
    quiet(mesh, 3)
    others = [b, mesh.devices["C"]]
    for device in others:
        device.kill()
    a.write("d/e/new", b"2")
    a.scan()
    mesh.settle()
    for device in others:
        device.start()
    quiet(mesh, 1)
    assert set(b.tree()) == {"d", "d/e", "d/e/new"}


@pytest.mark.parametrize("is_file", [False, True])
def test_a_file_that_was_made_before_its_folder_went_elsewhere_keeps_the_folder(
    tmp_path: Path, is_file: bool
) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    a.mode = FolderMode.SEND
    for device in (a, b):
        device.start()
    a.write("d/e/old", b"1")
    a.scan()
    mesh.settle()
    b.kill()
    a.write("d/e/new", b"2")
    a.scan()
    mesh.settle()
    shutil.rmtree(b.share / "d")
    if is_file:
        b.write("d", b"a file of b")
    b.start()
    mesh.settle()
    assert text(b, "d/e/new") == b"2" and not (b.share / "d/e/old").exists()
    assert [text(b, path) for path in copies(b)] == [b"a file of b"] * is_file
    assert a.folder.index_view.differs == 1 + is_file
    assert b.folder.state.value == "idle" and not b.folder.problems.all()


def test_an_edit_that_met_a_delete_of_all_it_was_in_keeps_the_folders(
    mesh: Mesh, a: Device, b: Device, c: Device
) -> None:
    """The deletes of the folders are heard before what is in them is published again."""
    a.write("d/e/f", b"1", mtime=1_600_000_001)
    quiet(mesh)
    mesh.cut |= {frozenset("AB"), frozenset("AC")}
    for device in (b, c):
        device.kill()
        device.start()
    a.write("d/e/f", b"2", mtime=1_600_000_002)
    shutil.rmtree(b.share / "d")
    mesh.scan_all()
    mesh.settle()
    assert b.tree() == c.tree() == {} and text(a, "d/e/f") == b"2"
    mesh.cut.clear()
    for device in (b, c):
        device.kill()
    a.folder.index_view.unsure.add("d/e/f")  # until a look tells what is there
    for device in (b, c):
        device.start()
    mesh.settle(5)
    assert b.tree() == {}
    a.take(RescanWanted(FOLDER, ("d/e/f",)))
    quiet(mesh)
    assert text(b, "d/e/f") == b"2"


def test_a_folder_that_sends_from_now_on_keeps_what_its_own_files_are_in(
    tmp_path: Path,
) -> None:
    """Others deleted the folder while this device took what they change; it had not come to that
    yet when it was told only to send."""
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    mesh.begin()
    a.write("d/e/f", b"1", mtime=1_600_000_001)
    mesh.scan_all()
    mesh.settle()
    mesh.cut.add(frozenset("AB"))
    b.kill()
    b.start()
    a.write("d/e/f", b"2", mtime=1_600_000_002)
    shutil.rmtree(b.share / "d")
    mesh.scan_all()
    mesh.settle()
    mesh.cut.clear()
    b.kill()
    go_on = a.folder.applier.go_on
    a.folder.applier.go_on = lambda now: []  # type: ignore[method-assign]
    b.start()
    mesh.settle(5)
    assert a.folder._resolver.ticket("d/e/f") is None, "it is published again"
    a.folder.applier.go_on = go_on  # type: ignore[method-assign]
    a.kill()
    a.mode = FolderMode.SEND
    a.start()
    mesh.settle()
    assert text(b, "d/e/f") == b"2"
    assert b.folder.state.value == "idle" and not b.folder.problems.all()


def test_an_edit_here_meets_a_delete_of_the_others(mesh: Mesh, a: Device, b: Device) -> None:
    a.write("f", b"1")
    quiet(mesh)
    (b.share / "f").unlink()
    b.scan()
    a.write("f", b"2")
    a.scan()
    quiet(mesh)
    assert text(b, "f") == b"2"


@pytest.mark.parametrize("path", ["f", "d/f"])
def test_what_others_made_and_deleted_may_be_made_here(
    mesh: Mesh, a: Device, b: Device, path: str
) -> None:
    """With the same bytes: nobody else's delete is carried out here, also after a start."""
    b.write(path, b"the same", mtime=1_700_000_000)
    quiet(mesh, 1 + path.count("/"))
    a.kill()
    shutil.rmtree(b.share / "d") if "/" in path else (b.share / path).unlink()
    b.scan()
    mesh.settle()
    a.write(path, b"the same", mtime=1_700_000_000)
    for _ in range(2):
        a.start_and_walk_last()
        quiet(mesh)
        assert text(a, path) == text(b, path) == b"the same"
        a.kill()


def test_a_delete_here_of_what_others_changed_brings_theirs_back_to_nobody(
    mesh: Mesh, a: Device, b: Device
) -> None:
    a.write("f", b"1")
    quiet(mesh)
    b.write("f", b"of b")
    quiet(mesh, 1)
    (a.share / "f").unlink()
    quiet(mesh, 1)
    assert text(b, "f") == b"of b" and a.tree() == {}, "an edit beats a delete, where it is taken"


def test_override_puts_what_is_here_in_the_place_of_the_others(
    mesh: Mesh, a: Device, b: Device
) -> None:
    for name in ("edited", "gone", "d/in"):
        a.write(name, b"of a")
    quiet(mesh)
    before = a.tree()
    b.write("edited", b"of b")
    b.write("new/file", b"new of b")
    (b.share / "gone").unlink()
    quiet(mesh, 4)
    assert override(mesh, a, "gone") == ["gone"]
    quiet(mesh, 3)
    assert text(b, "gone") == b"of a"
    assert override(mesh, a) == ["edited", "new", "new/file"]
    quiet(mesh)
    assert a.tree() == b.tree() == before
    assert sorted(trash(b)) == [b"new of b", b"of b"] and copies(b) == []
    assert "nothing differs" in mesh.ask(a, "override")["declined"]["what"]


@pytest.mark.parametrize("is_file", [False, True])
def test_override_of_a_path_brings_the_folders_back_that_it_is_in(
    mesh: Mesh, a: Device, b: Device, is_file: bool
) -> None:
    for name in ("d/e/f", "d/e/g", "d/h"):
        a.write(name, b"of a")
    quiet(mesh)
    shutil.rmtree(b.share / "d")
    if is_file:
        b.write("d", b"of b")
    quiet(mesh, 5)
    assert override(mesh, a, "d/e/f") == ["d/e/f"]
    quiet(mesh, 2 + is_file)
    assert set(b.tree()) == {"d", "d/e", "d/e/f", *copies(b)} and len(copies(b)) == is_file


def test_override_is_of_what_was_listed_alone(mesh: Mesh, a: Device, b: Device) -> None:
    a.write("f", b"1")
    quiet(mesh)
    b.write("f", b"of b")
    quiet(mesh, 1)
    listed = mesh.ask(a, "override")["listed"]
    b.write("f", b"later of b")
    quiet(mesh, 1)
    said = mesh.ask(a, "override", listed=listed)["declined"]["what"]
    assert "changed something since" in said
    quiet(mesh, 1)
    assert text(b, "f") == b"later of b"


def test_many_deletes_by_override_pass_the_guards_of_the_others(
    mesh: Mesh, a: Device, b: Device
) -> None:
    a.write("kept", b"of a")
    for number in range(120):
        b.write(f"d/{number}", b"%d" % number)
    quiet(mesh, 121)
    listed = mesh.ask(a, "override")
    assert listed["paths"] == 121 and len(listed["first"]) == 10
    mesh.ask(a, "override", listed=listed["listed"])
    mesh.settle(70)
    quiet(mesh)
    assert set(b.tree()) == {"kept"} and not b.folder.guard.holds


def test_wrong_questions(mesh: Mesh, a: Device, b: Device) -> None:
    assert "does not only send" in mesh.ask(b, "override")["declined"]["what"]
    assert "nothing differs" in mesh.ask(a, "override")["declined"]["what"]
    assert "nothing is held back" in mesh.ask(a, "revert")["declined"]["what"]


def test_two_that_only_send_end(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "ABC")
    for name in "AB":
        mesh.devices[name].mode = FolderMode.SEND
    mesh.begin()
    a, b, c = mesh.devices.values()
    for device in (a, b, c):
        device.write("p", b"of " + device.name.encode())
    mesh.scan_all()
    mesh.settle(300)
    assert text(a, "p") == b"of A" and text(b, "p") == b"of B"
    assert {text(c, path) for path in c.tree()} >= {b"of C"}
    override(mesh, a)
    mesh.settle(300)
    assert text(c, "p") == b"of A" and text(b, "p") == b"of B"


def test_a_folder_that_takes_again_takes_what_differs(mesh: Mesh, a: Device, b: Device) -> None:
    a.write("f", b"1")
    quiet(mesh)
    b.write("f", b"of b")
    b.write("new", b"of b")
    quiet(mesh, 2)
    a.kill()
    a.mode = FolderMode.BOTH
    a.start()
    mesh.scan_all()
    mesh.settle()
    assert a.tree() == b.tree() and text(a, "f") == b"of b" and copies(a) == []
