"""Rules of what to sync, on real files: what is ignored stays where it is and is told to nobody,
and what is kept again goes on from where it was."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from leftzmq.disk.scan.sighting import RulesRead
from leftzmq.errors import ProblemKind
from leftzmq.sync.facts import (
    FoundDeleted,
    FoundDeletedBytes,
    LocalRulesSet,
    PathsReconsidered,
    PathsTouched,
    TimePassed,
    Touch,
)
from leftzmq.sync.folder import FolderState
from leftzmq.sync.jobs import Apply, Job, WriteChunks
from leftzmq.sync.scan import keeping
from leftzmq.sync.scan.keeping import RULES_STAY_S
from leftzmq.sync.versions.counters import Counters
from leftzmq.tree.entry import ContentId, Kind
from leftzmq.tree.plan import Held as OnDisk
from tests.helpers.mesh import Device, Held, Mesh
from tests.sim.node import FOLDER


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
    device.take(LocalRulesSet(FOLDER, lines, litter=True))
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


def test_what_others_have_is_not_new_below_such_rules(mesh: Mesh, a: Device, b: Device) -> None:
    """B's index is built anew: it was fetched again and again, and could not be put there (seed
    77004084)."""
    a.write("d/x", b"1")
    quiet(mesh)
    a.write(".leftignore", b"\xff\xfe")
    mesh.scan_all()
    mesh.settle()
    assert names(b) == {".leftignore", "d", "d/x"}
    b.kill()
    for file in b.state.glob("index.db*"):
        file.unlink()
    b.write("d/other", b"who knows")
    b.start()
    mesh.settle(60.0)
    assert b.folder.index_view.counters.tickets == 0 and b.folder.index_view.counters.files == 2
    assert names(a) == {".leftignore", "d", "d/x"}


@pytest.mark.parametrize("size", [3, 2_000_000])
def test_what_is_new_below_such_rules_and_has_the_name_of_what_is_to_come_is_said(
    mesh: Mesh, a: Device, b: Device, size: int
) -> None:
    """Seed 79356064: it was tried again every two seconds, and nothing said why."""
    a.write(".leftignore", b"\xff\xfe")
    mesh.scan_all()
    mesh.settle()
    b.write("way", b"B's"[:size].ljust(size, b" "))
    b.scan()
    mesh.settle()
    a.write(".leftignore", b"")
    a.scan()
    b.kill()
    (a.share / "way").mkdir()
    a.scan()
    mesh.settle()
    a.write(".leftignore", b"\xff\xfe")
    a.scan()
    mesh.settle()
    b.start()
    mesh.settle(10.0)
    assert problems(b)["way"] is ProblemKind.IGNORED_IN_THE_WAY
    tried: list[Apply] = []
    submit = mesh.submit

    def counted(device: Device, job: Job) -> None:
        tried.extend([job] if isinstance(job, Apply) else [])
        submit(device, job)

    mesh.submit = counted  # type: ignore[method-assign, assignment]
    mesh.settle(120.0)
    assert len(tried) <= 4  # each FAILED_RETRY_S
    rules(a)
    mesh.scan_all()
    mesh.settle(120.0)
    quiet(mesh)
    assert names(a) == names(b)


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


def problems(device: Device) -> dict[str, ProblemKind]:
    return {problem.path: problem.kind for problem in device.folder.problems.all()}


def test_a_folder_that_is_deleted_elsewhere_stays_as_a_shell_for_what_is_ignored_in_it(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """Story 6."""
    rules(a, "node_modules/", path="proj/.leftignore")
    a.write("proj/src/main", b"1")
    quiet(mesh)
    b.write("proj/node_modules/one", b"B's own")
    quiet(mesh)
    shutil.rmtree(a.share / "proj")
    quiet(mesh)
    left = {"proj", "proj/.leftignore", "proj/node_modules", "proj/node_modules/one"}
    assert names(a) == set() and names(b) == left
    b.kill()
    b.start()
    quiet(mesh)
    assert names(a) == set() and names(b) == left, "after a start, too"


def test_what_is_kept_in_a_shell_brings_its_folder_back(mesh: Mesh, a: Device, b: Device) -> None:
    """Story 7."""
    rules(a, "node_modules/", path="proj/.leftignore")
    quiet(mesh)
    b.write("proj/node_modules/one", b"B's own")
    quiet(mesh)
    shutil.rmtree(a.share / "proj")
    quiet(mesh)
    b.write("proj/new.txt", b"new")
    quiet(mesh)
    assert {"proj", "proj/new.txt"} <= names(a) and text(a, "proj/new.txt") == b"new"
    assert text(b, "proj/node_modules/one") == b"B's own"


def deleted_but_for_what_b_ignores(mesh: Mesh, a: Device, b: Device) -> None:
    rules(a, "node_modules/", path="proj/.leftignore")
    a.write("proj/src", b"1")
    quiet(mesh)
    b.write("proj/node_modules/one", b"B's own")
    quiet(mesh)
    shutil.rmtree(a.share / "proj")


@pytest.mark.parametrize(
    "again", ("told", "found after a start", "made elsewhere", "found by a walk")
)
def test_the_rules_of_a_shell_come_back_with_its_folder(
    mesh: Mesh, a: Device, b: Device, again: str
) -> None:
    """Else all would get what they keep back."""
    deleted_but_for_what_b_ignores(mesh, a, b)
    quiet(mesh)
    match again:
        case "told":
            b.write("proj/new.txt", b"new")
            b.take(PathsTouched(FOLDER, (("proj/new.txt", Touch.CLOSED),)))
            mesh.settle()
        case "found after a start":
            b.kill()
            b.write("proj/new.txt", b"new")
            b.start()
        case "made elsewhere":
            a.write("proj/new.txt", b"new")
            a.take(PathsTouched(FOLDER, (("proj", Touch.MADE), ("proj/new.txt", Touch.CLOSED))))
            mesh.settle()
        case "found by a walk":
            b.write("proj/new.txt", b"new")
            b.scan()
    for _ in range(2):
        mesh.settle()
        assert names(a) == {"proj", "proj/.leftignore", "proj/new.txt"}
        assert names(b) == names(a) | {"proj/node_modules", "proj/node_modules/one"}
        quiet(mesh)


def test_rules_stay_with_a_folder_that_does_not_go_after_all(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """Something appeared in it that B had not looked at when it heard of the delete."""
    deleted_but_for_what_b_ignores(mesh, a, b)
    b.write("proj/new.txt", b"new")
    a.scan()
    mesh.settle()
    assert names(a) == {"proj", "proj/.leftignore", "proj/new.txt"}
    assert names(b) == names(a) | {"proj/node_modules", "proj/node_modules/one"}
    quiet(mesh)
    assert not (a.share / "proj/node_modules").exists()


def test_rules_are_not_back_while_who_replaced_their_folder_is_away(
    mesh: Mesh, a: Device, b: Device
) -> None:
    deleted_but_for_what_b_ignores(mesh, a, b)
    a.write("proj", b"a file now")
    a.scan()
    mesh.settle()
    left = {"proj", "proj/.leftignore", "proj/node_modules", "proj/node_modules/one"}
    assert problems(b) == {"proj": ProblemKind.IGNORED_IN_THE_WAY} and left <= names(b)
    a.kill()
    b.kill()
    b.start()
    mesh.settle()
    a.start()
    mesh.settle()
    assert names(a) == {"proj"} and text(a, "proj") == b"a file now" and left <= names(b)


def test_rules_that_were_to_go_stay_where_their_folder_is_back_before(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """One look found them, and what brings the folder back."""
    deleted_but_for_what_b_ignores(mesh, a, b)
    quiet(mesh)
    grave = b.store.ours("proj/.leftignore")
    assert grave is not None and grave.entry.deleted and grave.scan is not None
    assert b.folder.announcer._resolver.revive("proj") is not None
    b.take(FoundDeletedBytes(FOLDER, FoundDeleted(grave.entry, OnDisk(grave.scan, ContentId(b"")))))
    b.take(PathsReconsidered(FOLDER, ("proj",)))
    mesh.settle()
    assert names(a) == {"proj", "proj/.leftignore"}
    assert names(b) == names(a) | {"proj/node_modules", "proj/node_modules/one"}


def test_rules_that_others_wrote_anew_are_taken_with_the_folder_of_a_shell(
    mesh: Mesh, a: Device, b: Device
) -> None:
    deleted_but_for_what_b_ignores(mesh, a, b)
    quiet(mesh)
    rules(a, "node_modules/", "more/", path="proj/.leftignore")
    b.write("proj/new.txt", b"new")
    quiet(mesh)
    quiet(mesh)
    assert names(a) == {"proj", "proj/.leftignore", "proj/new.txt"}
    assert text(b, "proj/.leftignore") == text(a, "proj/.leftignore") == b"node_modules/\nmore/\n"
    assert text(b, "proj/node_modules/one") == b"B's own"


def test_rules_stay_with_what_they_ignore_where_others_replaced_their_folder(
    mesh: Mesh, a: Device, b: Device
) -> None:
    rules(a, "node_modules/", path="proj/.leftignore")
    quiet(mesh)
    b.write("proj/node_modules/one", b"B's own")
    quiet(mesh)
    shutil.rmtree(a.share / "proj")
    os.symlink("elsewhere", a.share / "proj")
    for _ in range(2):
        mesh.scan_all()
        mesh.settle(40.0)  # it is tried again every 30 s
        assert names(a) == {"proj"} and (a.share / "proj").is_symlink()
        assert problems(b) == {"proj": ProblemKind.IGNORED_IN_THE_WAY}
    shutil.rmtree(b.share / "proj/node_modules")
    mesh.scan_all()
    mesh.settle(40.0)
    assert names(b) == {"proj"} and (b.share / "proj").is_symlink() and not problems(b)


def test_a_shell_goes_when_what_was_ignored_in_it_is_gone(mesh: Mesh, a: Device, b: Device) -> None:
    rules(a, "node_modules/")
    a.write("proj/src", b"1")
    quiet(mesh)
    b.write("proj/node_modules/one", b"B's own")
    (a.share / "proj/src").unlink()
    (a.share / "proj").rmdir()
    quiet(mesh)
    assert names(b) == {".leftignore", "proj", "proj/node_modules", "proj/node_modules/one"}
    shutil.rmtree(b.share / "proj/node_modules")
    quiet(mesh)
    assert names(a) == names(b) == {".leftignore"}


@pytest.mark.parametrize("line", ("own", "own/"))
def test_a_shell_goes_at_once_when_the_watcher_tells(
    mesh: Mesh, a: Device, b: Device, line: str
) -> None:
    """Also one in another one, and one with its rules. Of what is ignored, whatever it is, no look
    is made."""
    rules(a, line, path="x/.leftignore")
    a.write("x/y/src", b"1")
    quiet(mesh)
    b.write("x/y/own/one", b"B's own")
    shutil.rmtree(a.share / "x")
    quiet(mesh)
    assert names(b) == {"x", "x/.leftignore", "x/y", "x/y/own", "x/y/own/one"}
    shutil.rmtree(b.share / "x/y/own")
    touched(mesh, b, "x/y/own")
    assert names(b) == {"x", "x/.leftignore"}
    touched(mesh, b, "x/y")  # by the agent
    assert names(b) == set()
    quiet(mesh)
    assert names(a) == names(b) == set()


def test_what_is_to_come_below_something_ignored_is_not_fetched_again_and_again(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """That lies there for ever, as far as anyone can tell; when it is gone all of it comes."""
    b.write("way", b"B's own")
    b.ignore = ("way", "!way/")
    local(mesh, b, *b.ignore)
    quiet(mesh)
    a.write("way/deep/f", b"1")
    a.write("way/g", b"2")
    a.scan()
    mesh.settle(60.0)
    waiting = ProblemKind.WAITING_FOR_FOLDER
    in_the_way = {"way": ProblemKind.IGNORED_IN_THE_WAY}
    assert problems(b) == in_the_way | {"way/g": waiting, "way/deep/f": waiting}
    before = a.folder.sent_bytes
    mesh.settle(300.0)
    assert a.folder.sent_bytes == before
    (b.share / "way").unlink()
    touched(mesh, b, "way")
    mesh.settle(60.0)
    assert (text(b, "way/deep/f"), text(b, "way/g")) == (b"1", b"2") and not problems(b)


def touched(mesh: Mesh, device: Device, path: str) -> None:
    """What its watcher tells when the path is gone."""
    device.take(PathsTouched(FOLDER, ((path, Touch.GONE),)))
    mesh.settle(1.0)


def test_a_shell_of_what_was_something_else_elsewhere_stays_one(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """A link took the place of its folder, and was deleted; and its rules were written anew before
    they went. B did not have either."""
    b.ignore = ("own",)  # also after its start
    local(mesh, b, "own")
    a.write("x/src", b"1")
    rules(a, "cache/", path="y/.leftignore")
    quiet(mesh)
    b.write("x/own", b"B's own")
    b.write("y/cache/one", b"B's own")
    quiet(mesh)
    shutil.rmtree(a.share / "x")
    os.symlink("elsewhere", a.share / "x")
    mesh.scan_all()
    mesh.settle()
    assert problems(b) == {"x": ProblemKind.IGNORED_IN_THE_WAY}
    b.kill()
    rules(a, "cache/", "more/", path="y/.leftignore")
    mesh.scan_all()
    mesh.settle()
    (a.share / "x").unlink()
    shutil.rmtree(a.share / "y")
    mesh.scan_all()
    mesh.settle()
    b.start()
    for _ in range(2):
        quiet(mesh)
        assert names(a) == set()
        assert names(b) == {"x", "x/own", "y", "y/.leftignore", "y/cache", "y/cache/one"}
    (b.share / "x/own").unlink()
    shutil.rmtree(b.share / "y/cache")
    quiet(mesh)
    assert names(a) == names(b) == set()


def test_others_may_make_the_folder_of_a_shell_anew(mesh: Mesh, a: Device, b: Device) -> None:
    rules(a, "node_modules/")
    a.write("proj/src", b"1")
    quiet(mesh)
    b.write("proj/node_modules/one", b"B's own")
    shutil.rmtree(a.share / "proj")
    quiet(mesh)
    a.write("proj/again", b"2")
    quiet(mesh)
    assert text(b, "proj/again") == b"2" and text(b, "proj/node_modules/one") == b"B's own"


def test_others_may_write_the_rules_of_a_shell_anew(mesh: Mesh, a: Device, b: Device) -> None:
    rules(a, "cache/", path="x/.leftignore")
    quiet(mesh)
    b.write("x/cache/one", b"B's own")
    quiet(mesh)
    shutil.rmtree(a.share / "x")
    quiet(mesh)
    assert "x/.leftignore" in names(b), "the folder is a shell, and its rules stay"
    rules(a, "cache/", "more/", path="x/.leftignore")
    quiet(mesh)
    assert text(b, "x/.leftignore") == text(a, "x/.leftignore")
    assert text(b, "x/cache/one") == b"B's own" and not (a.share / "x/cache").exists()


def test_litter_goes_to_the_trash_with_its_folder(mesh: Mesh, a: Device, b: Device) -> None:
    a.write("proj/text", b"1")
    quiet(mesh)
    b.write("proj/.text.swp", b"unsaved")
    b.write("proj/@eaDir/thumb", b"nail")
    shutil.rmtree(a.share / "proj")
    quiet(mesh)
    assert names(a) == names(b) == set()
    trashed = {path.name for path in (b.share / ".left/trash").rglob("*")}
    assert {".text.swp", "thumb"} <= trashed


def test_an_ignored_thing_in_the_way_changes_nobody_s_tree(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """Story 8."""
    local(mesh, b, "cache/")
    a.write("x/one", b"1")
    quiet(mesh)
    b.write("x/cache/two", b"B's own")
    b.write("y/cache", b"1")
    quiet(mesh)
    local(mesh, b, "cache/", "/z/")
    b.write("z/three", b"B's own")
    quiet(mesh)
    shutil.rmtree(a.share / "x")
    mesh.scan_all()
    mesh.settle()
    a.write("x", b"a file now")
    a.write("z", b"a file, too")
    mesh.scan_all()
    mesh.settle()
    way = ProblemKind.IGNORED_IN_THE_WAY
    assert problems(b) == {"x": way, "z": way} and not problems(a)
    assert text(b, "x/cache/two") == b"B's own" and text(b, "z/three") == b"B's own"
    assert text(a, "x") == b"a file now"
    shutil.rmtree(b.share / "x")
    (b.share / "z").rename(b.share / "cache")
    quiet(mesh)
    assert text(b, "x") == b"a file now" and text(b, "z") == b"a file, too"


def test_an_ignored_thing_stays_in_the_way_though_a_look_sees_its_folder_as_it_was(
    mesh: Mesh, a: Device, b: Device
) -> None:
    local(mesh, b, "cache/")
    a.write("x/one", b"1")
    quiet(mesh)
    b.write("x/cache/two", b"B's own")
    shutil.rmtree(a.share / "x")
    a.write("x", b"a file now")
    mesh.scan_all()
    mesh.settle()
    mesh.settle(5.0)  # it was tried once more just now
    touched(mesh, b, "x")
    assert problems(b) == {"x": ProblemKind.IGNORED_IN_THE_WAY}
    shutil.rmtree(b.share / "x")
    quiet(mesh)
    assert text(b, "x") == b"a file now"


def test_rules_that_are_removed_first_with_their_folder_do_not_tell_what_they_ignored(
    mesh: Mesh, a: Device, b: Device
) -> None:
    rules(a, "secret", path="d/.leftignore")
    a.write("d/secret", b"!")
    quiet(mesh)
    (a.share / "d/.leftignore").unlink()
    a.scan()
    mesh.settle(1.0)
    assert "d/secret" not in names(b)
    shutil.rmtree(a.share / "d")
    quiet(mesh)
    assert names(a) == names(b) == set()
    assert not any(b"secret" in path.name.encode() for path in (b.share / ".left").rglob("*"))


def test_rules_whose_folder_got_another_name_rule_no_more_when_it_is_kept_again(
    mesh: Mesh, b: Device
) -> None:
    """A disk that folds names had them along with a folder that others spelled otherwise; where
    they were, all was ignored by then. No walk passes a folder that is not there."""
    b.write("there/.leftignore", b"x")
    quiet(mesh)
    keeping = b.folder.keeping
    ((path, key, data),) = b.store.rule_files()
    gone = RulesRead("gone/b/.leftignore", key, data, keeping.rules.file(path))
    keeping.on_rules_read([gone], mesh.now)
    local(mesh, b, "gone/")
    assert keeping.rules.file(gone.path) is not None
    local(mesh, b)
    mesh.settle()
    assert keeping.rules.file(gone.path) is None and keeping.rules.file(path) is not None


def test_a_file_that_is_being_received_and_becomes_ignored_is_not_put_there(
    mesh: Mesh, a: Device, b: Device
) -> None:
    held = Held(b, WriteChunks)
    a.write("large", bytes(range(256)) * 20_000)
    a.scan()
    while not held.jobs:
        if not mesh.step():
            mesh.now += 0.1
            for device in (a, b):
                device.take(TimePassed())
    assert list(b.share.rglob("*.lefting"))
    local(mesh, b, "large")
    for job in held.jobs:
        b.take(b.runner.run(job))
    b.do = held._do  # type: ignore[method-assign]
    quiet(mesh)
    assert names(b) == set() and not list(b.share.rglob("*.lefting"))
    local(mesh, b)
    quiet(mesh)
    assert text(b, "large") == text(a, "large")


def test_local_rules_are_others_if_one_of_them_has_a_nul(mesh: Mesh, a: Device) -> None:
    local(mesh, a, "x", "y")
    assert a.folder.keeping.why_not("x", Kind.FILE) is not None
    local(mesh, a, "x\0y")
    assert a.folder.keeping.why_not("x", Kind.FILE) is None
    (problem,) = a.folder.problems.all()
    assert str(problem).startswith(
        "the folder share: has ignore rules that do not hold (`ignore` in peer.toml: rule 1: "
    )


# -- when rules take much out of sync --------------------------------------------------------------


def many(mesh: Mesh, device: Device, count: int, folder: str = "d") -> None:
    for number in range(count):
        device.write(f"{folder}/{number}", b"x")
    mesh.scan_all()
    mesh.settle()


def alarm(device: Device) -> str:
    """What is said of rules that took much out of sync; "" is nothing."""
    found = [p for p in device.folder.problems.all() if p.kind is ProblemKind.MUCH_IGNORED]
    assert len(found) < 2
    return f"{found[0].subject}: {found[0].detail}" if found else ""


def judged(mesh: Mesh) -> None:
    mesh.scan_all()
    mesh.settle()


def test_rules_that_take_much_out_of_sync_are_told_until_a_user_says_yes(
    mesh: Mesh, a: Device, b: Device
) -> None:
    rules(a, "# nothing")
    many(mesh, a, 120)
    many(mesh, a, 100, "other")
    rules(a, "# nothing", "d/")
    judged(mesh)
    said = "the whole share: 120 of 221 files; line 2 of .leftignore says d/"
    for device in (a, b):
        assert alarm(device) == said
        assert device.folder.index_view.counters.files == 101
    a.kill()
    a.start()
    judged(mesh)
    assert alarm(a) == said
    answer = mesh.ask(a, "revert")
    assert answer["declined"]["what"] == "nothing is held back in this folder"
    answer = mesh.ask(a, "accept")
    assert (answer["held"], answer["ignored"]) == ({}, 120)
    assert alarm(a) == "" and alarm(b) == said
    a.kill()
    a.start()
    judged(mesh)
    rules(a, "# still nothing", "d/")
    judged(mesh)
    assert alarm(a) == "" and mesh.ask(a, "accept")["declined"]
    assert mesh.ask(b, "accept")["ignored"] == 120
    quiet(mesh)


def test_it_is_said_no_more_when_half_of_the_files_are_kept_again(
    mesh: Mesh, a: Device, b: Device
) -> None:
    many(mesh, a, 90, "sub/d")
    many(mesh, a, 90, "sub/e")
    rules(b, "e/", path="sub/.leftignore")
    judged(mesh)
    assert alarm(b) == "", "90 are not many"
    local(mesh, b, "*")
    judged(mesh)
    assert alarm(b) == "", "and neither are the other 90"
    local(mesh, b)
    rules(b, "# none", path="sub/.leftignore")
    judged(mesh)
    local(mesh, b, "/sub/")
    judged(mesh)
    said = "the whole share: 181 of 181 files; rule 1 of `ignore` in peer.toml says /sub/"
    assert alarm(b) == said
    local(mesh, b, "/sub/d", "/sub/e/1?", "/sub/e/2?")
    judged(mesh)
    assert alarm(b) == said.replace("181 of", "110 of"), "still more than half"
    local(mesh, b, "/sub/d/")
    judged(mesh)
    assert alarm(b) == ""
    b.kill()
    b.start()
    judged(mesh)
    assert alarm(b) == ""


def test_what_was_ignored_before_does_not_count(mesh: Mesh, a: Device, b: Device) -> None:
    many(mesh, a, 300, "old")
    many(mesh, a, 150, "new")
    local(mesh, b, "/old/")
    judged(mesh)
    mesh.ask(b, "accept")
    local(mesh, b, "/old/", "/new/")
    judged(mesh)
    assert alarm(b).startswith("the whole share: 150 of 150 files; ")
    local(mesh, b, "/old/", "/new/?", "/new/1?")
    judged(mesh)
    assert alarm(b) == ""


def test_it_is_said_in_the_folder_of_the_rules_and_after_a_kill_half_way(
    mesh: Mesh, a: Device, b: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "ROWS_A_TURN", 50)
    rules(a, "# nothing", path="sub/.leftignore")
    many(mesh, a, 240, "sub")
    rules(a, "*", path="sub/.leftignore")
    a.scan()
    view = a.folder.index_view
    while not 20 < view.counters.files < 200:
        if not mesh.step():
            mesh.now += 0.1
            a.take(TimePassed())
    a.kill()
    a.start()
    judged(mesh)
    assert alarm(a).startswith("the whole share: 240 of 241 files; line 1 of sub/.leftignore")
    assert alarm(b).startswith("sub: 240 of 241 files; line 1 of sub/.leftignore says *")


@pytest.mark.parametrize("kind", ["folder", "fifo", "link"])
def test_what_is_no_file_has_no_rules_and_lets_nothing_new_out(
    mesh: Mesh, a: Device, b: Device, kind: str
) -> None:
    path = a.share / "d/.leftignore"
    path.parent.mkdir()
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case _:
            path.symlink_to("elsewhere")
    a.write("d/new", b"who knows")
    a.write("other", b"1")
    mesh.scan_all()
    mesh.settle()
    assert "other" in names(b) and "d/new" not in names(b)
    assert ProblemKind.RULES_FAULTY in {p.kind for p in a.folder.problems.all()}
    path.rmdir() if kind == "folder" else path.unlink()
    quiet(mesh)
    assert "d/new" in names(b)


def test_nothing_is_at_rest_while_rules_of_a_file_that_is_gone_still_hold(
    mesh: Mesh, a: Device, b: Device
) -> None:
    rules(a, "*.o")
    a.write("x.o", b"x")
    quiet(mesh)
    (a.share / ".leftignore").unlink()
    a.scan()
    mesh.settle(RULES_STAY_S / 2)
    assert names(b) == set() and a.folder.state is FolderState.SYNCING, "x.o is still to be told"
    mesh.settle()
    assert names(b) == {"x.o"} and a.folder.state is FolderState.IDLE


def test_rules_whose_file_is_gone_end_though_the_agent_ends_before(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """Its folder is gone, too: no walk passes the file, and its rules would hold on."""
    rules(a, "*.o", path="d/.leftignore")
    quiet(mesh)
    shutil.rmtree(a.share / "d")
    mesh.scan_all()
    mesh.settle(RULES_STAY_S / 2)
    assert not a.folder.keeping.keeps("d/x.o", Kind.FILE), "they rule on"
    a.kill()
    a.start()
    b.write("d/x.o", b"kept now")
    quiet(mesh)
    assert text(a, "d/x.o") == b"kept now"


def test_what_is_kept_again_waits_for_an_ignored_thing_that_lies_in_its_place(
    mesh: Mesh, a: Device, b: Device
) -> None:
    a.write("c", b"others have it")
    quiet(mesh)
    local(mesh, a, "c")
    (a.share / "c").unlink()
    a.write("c/x", b"of a folder that is ignored")
    local(mesh, a, "c/")
    mesh.scan_all()
    mesh.settle()
    assert problems(a) == {"c": ProblemKind.IGNORED_IN_THE_WAY}
    shutil.rmtree(a.share / "c")
    mesh.now += 60
    quiet(mesh)
    assert text(a, "c") == b"others have it"


def test_where_only_folders_are_kept_again_one_that_is_gone_is_asked_for(
    mesh: Mesh, a: Device, b: Device
) -> None:
    a.write("c/x", b"others have it")
    quiet(mesh)
    local(mesh, a, "*")
    shutil.rmtree(a.share / "c")
    local(mesh, a, "*", "!*/")
    quiet(mesh)
    assert (a.share / "c").is_dir() and not (a.share / "c/x").exists()


def test_rules_stay_with_a_folder_in_which_something_was_told_meanwhile(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """Neither had heard of the other one."""
    deleted_but_for_what_b_ignores(mesh, a, b)
    b.write("proj/new.txt", b"new")
    mesh.drop_news = True
    mesh.scan_all()
    mesh.settle(5.0)
    mesh.drop_news = False
    mesh.settle()
    assert names(a) == {"proj", "proj/.leftignore", "proj/new.txt"}
    assert names(b) == names(a) | {"proj/node_modules", "proj/node_modules/one"}
    quiet(mesh)
    assert not (a.share / "proj/node_modules").exists()


def test_a_folder_with_rules_that_nobody_deleted_is_no_shell(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """Its delete is known, and its own row is not: the index was lost. What others are told below
    it would wait for it for ever (seed 77000044)."""
    a.write("d/f", b"f")
    quiet(mesh)
    b.kill()
    shutil.rmtree(a.share / "d")
    quiet(mesh)
    shutil.rmtree(b.share / "d")
    rules(b, "x", path="d/.leftignore")
    b.write("d/x", b"ignored")
    for file in b.state.glob("index.db*"):
        file.unlink()
    b.start_and_walk_last()
    quiet(mesh)
    assert names(a) == {"d", "d/.leftignore"}
    assert names(b) == {"d", "d/.leftignore", "d/x"}
