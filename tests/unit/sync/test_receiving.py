"""A folder that only receives, on real files: what is changed there is told to nobody, and nothing
of it is lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from leftzmq.sync.facts import Asked, LocalRulesSet
from leftzmq.sync.jobs import Apply
from leftzmq.sync.versions.counters import Counters
from leftzmq.sync.versions.path_locks import LockOwner
from leftzmq.tree.conflict import is_conflict_name
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.path import sort_key
from tests.helpers.mesh import Device, Held, Mesh
from tests.sim.node import FOLDER
from tests.unit.sync.test_mesh import trash


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    """A and B sync in both directions, C only receives."""
    mesh = Mesh(tmp_path, "ABC")
    mesh.devices["C"].mode = FolderMode.RECEIVE
    mesh.begin()
    return mesh


def quiet(mesh: Mesh, *differing: str) -> None:
    """All is at rest, A and B are equal, nobody was dropped, and C differs at these paths."""
    mesh.scan_all()
    mesh.settle()
    for device in mesh.devices.values():
        view = device.folder.index_view
        assert view.counters == Counters.of(device.store)
        assert view.counters.tickets == 0
        assert device.folder.state.value == "idle"
        assert not device.folder.problems.all(), device.folder.problems.all()
    a, b, c = mesh.devices.values()
    assert a.tree() == b.tree()
    (status,) = c.node.status()["folders"]
    assert status["mode"] == "receive" and status["differ_list"] == sorted(differing, key=sort_key)
    assert status["differs"] == len(differing)
    for device in (a, b):
        mask = device.store.heads.head_of(c.key).mask
        assert device.folder.index_view.peer_counts.coming(mask).paths == 0


def text(device: Device, path: str) -> bytes:
    return (device.share / path).read_bytes()


def copies(device: Device) -> list[str]:
    return [path for path in device.tree() if is_conflict_name(path)]


def restart(mesh: Mesh, device: Device, mode: FolderMode) -> None:
    device.kill()
    device.mode = mode
    device.start()
    mesh.settle()


def test_what_others_change_is_taken(mesh: Mesh, a: Device, b: Device, c: Device) -> None:
    a.write("d/f", b"1")
    quiet(mesh)
    assert text(c, "d/f") == b"1"
    b.write("d/f", b"2")
    quiet(mesh)
    assert text(c, "d/f") == b"2" and c.tree() == a.tree()
    shutil.rmtree(a.share / "d")
    quiet(mesh)
    assert c.tree() == a.tree() == {}


def test_what_is_changed_made_or_deleted_here_is_told_to_nobody(
    mesh: Mesh, a: Device, c: Device
) -> None:
    for name in ("edited", "gone", "same"):
        a.write(name, b"of a")
    quiet(mesh)
    before = a.tree()
    c.write("edited", b"of c")
    c.write("new/file", b"new of c")
    (c.share / "gone").unlink()
    quiet(mesh, "edited", "gone", "new", "new/file")
    assert a.tree() == before and text(c, "edited") == b"of c"
    restart(mesh, c, FolderMode.RECEIVE)
    quiet(mesh, "edited", "gone", "new", "new/file")
    assert a.tree() == before and text(c, "new/file") == b"new of c"


def test_a_newer_version_meets_an_edit_here_and_the_edit_stays_as_a_copy_here(
    mesh: Mesh, a: Device, b: Device, c: Device
) -> None:
    a.write("f", b"1")
    quiet(mesh)
    c.write("f", b"of c")
    quiet(mesh, "f")
    a.write("f", b"2")
    mesh.scan_all()
    mesh.settle()
    (copy,) = copies(c)
    quiet(mesh, copy)
    assert text(c, "f") == b"2" and text(c, copy) == b"of c" and copies(a) == []
    b.write("f", b"3")
    quiet(mesh, copy)
    assert text(c, "f") == b"3"


def test_a_new_file_here_meets_one_of_the_others(mesh: Mesh, a: Device, c: Device) -> None:
    c.write("f", b"of c", mtime=2_000_000_000)
    quiet(mesh, "f")
    a.write("f", b"of a", mtime=1_700_000_000)
    mesh.scan_all()
    mesh.settle()
    (copy,) = copies(c)
    quiet(mesh, copy)
    assert text(c, "f") == b"of a" and text(c, copy) == b"of c"


def test_the_same_bytes_as_the_others_are_no_difference(mesh: Mesh, a: Device, c: Device) -> None:
    c.write("f", b"same", mtime=1_700_000_000)
    quiet(mesh, "f")
    a.write("f", b"same", mtime=1_700_000_000)
    quiet(mesh)
    c.write("f", b"other")
    quiet(mesh, "f")
    c.write("f", b"same", mtime=1_700_000_000)
    quiet(mesh)
    (c.share / "f").unlink()
    quiet(mesh, "f")
    (a.share / "f").unlink()
    quiet(mesh)
    assert c.tree() == a.tree() == {}


def test_a_delete_of_the_others_leaves_what_was_changed_here(
    mesh: Mesh, a: Device, c: Device
) -> None:
    for name in ("d/edited", "d/same"):
        a.write(name, b"of a")
    quiet(mesh)
    c.write("d/edited", b"of c")
    c.write("d/new", b"of c")
    quiet(mesh, "d/edited", "d/new")
    shutil.rmtree(a.share / "d")
    quiet(mesh, "d", "d/edited", "d/new")
    assert a.tree() == {} and set(c.tree()) == {"d", "d/edited", "d/new"}
    a.write("d/edited", b"again of a")
    mesh.scan_all()
    mesh.settle()
    (copy,) = copies(c)
    quiet(mesh, copy, "d/new")
    assert text(c, "d/edited") == b"again of a" and text(c, copy) == b"of c"


def test_a_folder_that_is_missing_here_is_made_again_for_what_comes(
    mesh: Mesh, a: Device, c: Device
) -> None:
    a.write("d/e/old", b"1")
    quiet(mesh)
    shutil.rmtree(c.share / "d")
    quiet(mesh, "d", "d/e", "d/e/old")
    a.write("d/e/new", b"2")
    quiet(mesh, "d/e/old")
    assert set(c.tree()) == {"d", "d/e", "d/e/new"}


def test_a_file_here_gives_way_to_a_folder_for_what_comes(mesh: Mesh, a: Device, c: Device) -> None:
    a.write("d/old", b"1")
    quiet(mesh)
    shutil.rmtree(c.share / "d")
    c.write("d", b"a file now")
    quiet(mesh, "d", "d/old")
    a.write("d/new", b"2")
    mesh.scan_all()
    mesh.settle()
    (copy,) = copies(c)
    quiet(mesh, copy, "d/old")
    assert text(c, "d/new") == b"2" and text(c, copy) == b"a file now"


def test_revert_takes_what_the_others_have(mesh: Mesh, a: Device, c: Device) -> None:
    for name in ("d/edited", "d/gone", "same"):
        a.write(name, b"of a")
    quiet(mesh)
    c.write("d/edited", b"of c")
    c.write("new/file", b"new of c")
    (c.share / "d/gone").unlink()
    quiet(mesh, "d/edited", "d/gone", "new", "new/file")
    assert mesh.ask(c, "revert", path="new/file")["paths"] == 1
    quiet(mesh, "d/edited", "d/gone", "new")
    assert mesh.ask(c, "revert")["paths"] == 3
    quiet(mesh)
    assert c.tree() == a.tree()
    assert sorted(trash(c)) == [b"new of c", b"of c"]
    assert "nothing was changed there" in mesh.ask(c, "revert")["declined"]["what"]


def test_a_folder_that_tells_again_tells_its_edits_and_fetches_what_is_missing(
    mesh: Mesh, a: Device, c: Device
) -> None:
    for name in ("edited", "gone", "both"):
        a.write(name, b"of a")
    quiet(mesh)
    c.write("edited", b"of c")
    c.write("both", b"of c")
    c.write("new", b"new of c")
    (c.share / "gone").unlink()
    quiet(mesh, "both", "edited", "gone", "new")
    restart(mesh, c, FolderMode.BOTH)
    mesh.scan_all()
    mesh.settle()
    assert a.tree() == c.tree() == mesh.devices["B"].tree()
    assert text(a, "edited") == b"of c" and text(a, "new") == b"new of c"
    assert text(a, "gone") == b"of a" and copies(a) == []


def test_what_is_still_to_go_from_a_folder_that_is_kept_is_nobodys_change(
    mesh: Mesh, a: Device, c: Device
) -> None:
    """Seed 79357016: the others deleted the folder, in which something is C's own. What could not
    be removed from it yet was told as C's own, too, when the folder told again."""
    a.write("d/of a", b"of a")
    quiet(mesh)
    c.write("d/own", b"of c")
    quiet(mesh, "d/own")
    assert c.folder.locks.lock("d/of a", LockOwner.SETTLER)
    shutil.rmtree(a.share / "d")
    a.scan()
    mesh.settle(10.0)
    assert set(c.tree()) == {"d", "d/of a", "d/own"}
    assert [row.entry.is_private for row in c.store.rows("d/of a") if row.is_ours] == [False]
    assert [row.entry.is_private for row in c.store.rows("d") if row.is_ours] == [True]
    restart(mesh, c, FolderMode.BOTH)
    mesh.scan_all()
    mesh.settle()
    assert set(a.tree()) == set(c.tree()) == {"d", "d/own"}


def test_what_was_deleted_here_alone_stays_away_whoever_is_met_first(
    mesh: Mesh, a: Device, c: Device
) -> None:
    """Seed 79356876: C, which has deleted A's version, meets B first, which has deleted an older
    one. C took that delete for its own, and A's version was back when A was."""
    b = mesh.devices["B"]
    a.write("f", b"1")
    quiet(mesh)
    a.kill()
    c.kill()
    (b.share / "f").unlink()
    b.scan()
    mesh.settle()
    b.kill()
    mesh.now += 60
    a.start()
    c.start()
    a.write("f", b"2")
    mesh.scan_all()
    mesh.settle()
    assert text(c, "f") == b"2"
    (c.share / "f").unlink()
    c.scan()
    mesh.settle()
    a.kill()
    c.kill()
    b.start()
    c.start()
    mesh.settle()
    a.start()
    quiet(mesh, "f")
    assert text(a, "f") == b"2" and c.tree() == {}


def test_many_deletes_here_hold_nothing_back(mesh: Mesh, a: Device, c: Device) -> None:
    for number in range(120):
        a.write(f"d/{number}", b"%d" % number)
    quiet(mesh)
    before = a.tree()
    shutil.rmtree(c.share / "d")
    mesh.scan_all()
    mesh.settle(70)
    assert a.tree() == before and not c.folder.guard.holds
    assert c.folder.index_view.counters.differs == 121
    mesh.ask(c, "revert")
    quiet(mesh)
    assert c.tree() == before


def test_a_folder_that_is_kept_here_has_not_seen_the_file_that_it_outbids(
    mesh: Mesh, a: Device, c: Device
) -> None:
    """When it is told the file becomes a conflict copy, on all devices."""
    c.write("d/new", b"of c")
    a.write("d", b"of a")
    quiet(mesh, "d", "d/new")
    assert text(a, "d") == b"of a"
    restart(mesh, c, FolderMode.BOTH)
    mesh.scan_all()
    mesh.settle()
    (copy,) = copies(a)
    assert text(a, copy) == b"of a" and text(a, "d/new") == b"of c"
    assert a.tree() == c.tree() == mesh.devices["B"].tree()


def test_the_copy_of_a_change_here_gives_way_to_a_file_of_the_same_name(
    mesh: Mesh, a: Device, c: Device
) -> None:
    a.write("f", b"1")
    quiet(mesh)
    c.write("f", b"of c")
    a.write("f", b"2")
    mesh.scan_all()
    mesh.settle()
    (copy,) = copies(c)
    a.write(copy, b"of a", mtime=1_000_000_000)
    mesh.scan_all()
    mesh.settle()
    assert text(c, copy) == b"of a"
    assert b"of c" in [text(c, path) for path in copies(c)]


def test_nothing_is_told_below_a_folder_that_nobody_else_has(
    mesh: Mesh, a: Device, b: Device, c: Device
) -> None:
    """The others would wait for the folder, for ever."""
    restart(mesh, c, FolderMode.BOTH)
    a.kill()
    b.kill()
    c.write("d/x/f", b"of c")
    mesh.scan_all()
    mesh.settle()
    c.kill()
    a.start()
    b.start()
    a.write("d", b"of a")
    mesh.scan_all()
    mesh.settle()
    c.mode = FolderMode.RECEIVE
    c.start()
    mesh.settle()
    quiet(mesh, "d", "d/x", "d/x/f")
    assert text(a, "d") == b"of a" and text(c, "d/x/f") == b"of c"
    (a.share / "d").unlink()
    a.write("d/y", b"2 of a")
    mesh.scan_all()
    mesh.settle()
    quiet(mesh, "d/x", "d/x/f")
    assert text(c, "d/y") == b"2 of a"


def test_what_comes_below_a_folder_that_is_kept_between_two_is_taken_and_told_to_nobody(
    mesh: Mesh, a: Device, b: Device, c: Device
) -> None:
    """C alone is between A, who has a file, and B, who has a folder of that name."""
    a.kill()
    b.kill()
    mesh.cut.add(frozenset("AB"))
    b.start()
    for name in ("d/x", "d/y", "d/z"):
        b.write(name, b"of b", mtime=1_700_000_000)
    mesh.scan_all()
    mesh.settle()
    a.start()
    a.write("d", b"of a")
    mesh.scan_all()
    mesh.settle()
    b.write("d/y", b"2 of b", mtime=1_700_000_009)
    os.utime(b.share / "d/x", (1_700_000_009, 1_700_000_009))
    mesh.scan_all()
    mesh.settle()
    assert c.tree() == b.tree() and a.tree().keys() == {"d"}
    mesh.drop_news = True
    b.write("d/z", b"2 of b")
    mesh.scan_all()
    mesh.settle(5.0)
    (b.share / "d/z").unlink()
    mesh.scan_all()
    mesh.settle(5.0)
    mesh.drop_news = False
    mesh.settle()
    assert c.tree() == b.tree(), "what C had there was B's, and B had seen it"
    assert c.folder.index_view.counters.tickets == 0 and c.folder.state.value == "idle"


def test_a_start_changes_nothing_where_one_of_two_who_do_not_agree_comes_first(
    mesh: Mesh, a: Device, b: Device, c: Device
) -> None:
    """C alone is between A, who has a file, and B, who has a folder of that name."""
    a.kill()
    mesh.cut.add(frozenset("AB"))
    b.write("d/x", b"of b")
    mesh.scan_all()
    mesh.settle()
    a.start()
    a.write("d", b"of a")
    mesh.scan_all()
    mesh.settle()
    assert c.tree() == b.tree() and text(a, "d") == b"of a"
    before = c.store.heads.sequence
    for who in (a, b):
        who.kill()
        c.kill()
        c.start_and_walk_last()
        mesh.settle()
        who.start()
        mesh.settle()
        assert c.tree() == b.tree() and c.store.heads.sequence == before


def test_what_came_into_a_folder_is_told_again_when_others_have_the_folder_again(
    mesh: Mesh, a: Device, b: Device, c: Device
) -> None:
    a.write("d/f", b"1")
    quiet(mesh)
    b.kill()
    a.write("d/g", b"of a")
    mesh.scan_all()
    mesh.settle()
    assert text(c, "d/g") == b"of a"
    a.kill()
    shutil.rmtree(b.share / "d")
    b.start()
    mesh.scan_all()
    mesh.settle()
    assert set(c.tree()) == {"d", "d/g"} and b.tree() == {}
    assert b.folder.index_view.counters.tickets == 0
    assert not b.folder.problems.all(), b.folder.problems.all()
    a.start()
    mesh.settle()
    quiet(mesh)
    assert set(a.tree()) == {"d", "d/g"} and c.tree() == a.tree()


def test_a_change_that_was_ignored_by_then_is_told_at_last_when_it_is_kept_again(
    mesh: Mesh, a: Device, c: Device
) -> None:
    a.write("f", b"of a", mtime=1_700_000_000)
    quiet(mesh)
    c.write("f", b"of c", mtime=1_700_000_009)
    quiet(mesh, "f")
    c.take(LocalRulesSet(FOLDER, ("f",), litter=True))
    mesh.settle()
    restart(mesh, c, FolderMode.BOTH)
    c.take(LocalRulesSet(FOLDER, (), litter=True))
    mesh.scan_all()
    mesh.settle()
    assert a.tree() == c.tree() and text(a, "f") == b"of c"
    assert [text(a, copy) for copy in copies(a)] == [b"of a"], "they never knew of each other"


# ---- what is given up, while something else happens ---------------------------------------------


def give_up(device: Device, path: str = "") -> None:
    device.take(Asked(b"x", "revert", {"path": path}))


def differ_at_two(mesh: Mesh, a: Device, c: Device) -> None:
    for name in ("f", "g"):
        a.write(name, b"of a")
    quiet(mesh)
    for name in ("f", "g"):
        c.write(name, b"of c")
    quiet(mesh, "f", "g")


def test_what_is_being_looked_at_is_given_up_afterwards(mesh: Mesh, a: Device, c: Device) -> None:
    a.write("d/f", b"of a")
    quiet(mesh)
    c.write("d/f", b"of c")
    c.write("e/f", b"of c")
    quiet(mesh, "d/f", "e", "e/f")
    for path in ("d/f", "e/f"):
        assert c.folder.locks.lock(path, LockOwner.APPLIER)
    mesh.ask(c, "revert")
    assert text(c, "d/f") == text(c, "e/f") == b"of c"
    c.folder.locks.release(("d/f", "e/f"), LockOwner.APPLIER)
    quiet(mesh)
    assert c.tree() == a.tree()


def test_what_is_changed_while_work_there_keeps_it_from_being_given_up_stays(
    mesh: Mesh, a: Device, c: Device
) -> None:
    """Seed 79411476: it went to the trash with the change of which nobody had said that."""
    differ_at_two(mesh, a, c)
    assert c.folder.locks.lock("f", LockOwner.APPLIER)
    mesh.ask(c, "revert")
    c.write("f", b"written since", mtime=1e9)
    c.folder.locks.release(("f",), LockOwner.APPLIER)
    c.scan()
    mesh.settle()
    quiet(mesh, "f")
    assert text(c, "f") == b"written since" and text(c, "g") == b"of a"
    assert trash(c) == [b"of c"]


def test_what_is_given_up_once_more_is_given_up_as_it_is_by_then(
    mesh: Mesh, a: Device, c: Device
) -> None:
    differ_at_two(mesh, a, c)
    assert c.folder.locks.lock("g", LockOwner.APPLIER)
    mesh.ask(c, "revert")
    c.folder.locks.release(("g",), LockOwner.APPLIER)
    c.write("g", b"written since", mtime=1e9)
    c.scan()
    give_up(c, "g")
    mesh.settle()
    quiet(mesh)
    assert text(c, "g") == b"of a" and sorted(trash(c)) == [b"of c", b"written since"]


def test_what_is_given_up_soon_after_something_else_is_all_given_up(
    mesh: Mesh, a: Device, c: Device
) -> None:
    differ_at_two(mesh, a, c)
    give_up(c, "f")
    give_up(c, "g")
    quiet(mesh)
    assert c.tree() == a.tree()


def test_a_look_meanwhile_does_not_keep_what_is_given_up(mesh: Mesh, c: Device) -> None:
    for name in ("f", "g", "h"):
        c.write(name, name.encode())
    quiet(mesh, "f", "g", "h")
    held = Held(c, Apply)
    give_up(c)
    mesh.settle(1.0)
    mesh.scan_all()
    mesh.settle()
    mesh.submit(c, held.take(Apply))
    del c.do  # type: ignore[attr-defined]
    quiet(mesh)
    assert c.tree() == {} and sorted(trash(c)) == [b"f", b"g", b"h"]


def test_what_is_given_up_goes_also_when_the_others_delete_what_was_to_come(
    mesh: Mesh, a: Device, b: Device, c: Device
) -> None:
    a.write("f", b"of a")
    quiet(mesh)
    c.write("f", b"of c")
    quiet(mesh, "f")
    b.kill()
    mesh.drop_news = True
    (a.share / "f").unlink()
    mesh.scan_all()
    mesh.settle(5.0)
    give_up(c)
    mesh.settle(5.0)
    assert text(c, "f") == b"of c", "A has nothing to give, and C has not heard of the delete"
    mesh.drop_news = False
    mesh.settle()
    b.start()
    quiet(mesh)
    assert c.tree() == {} and trash(c) == [b"of c"]


def test_what_its_user_takes_from_the_trash_again_is_not_given_up_any_more(
    mesh: Mesh, c: Device
) -> None:
    c.write("f", b"of c")
    quiet(mesh, "f")
    give_up(c)
    quiet(mesh)
    (taken,) = (path for path in (c.share / ".left/trash").rglob("f") if path.is_file())
    taken.rename(c.share / "f")
    quiet(mesh, "f")
    assert text(c, "f") == b"of c"


def test_what_is_given_up_may_be_gone_with_its_folder(mesh: Mesh, c: Device) -> None:
    for name in ("d/f", "d/g/h"):
        c.write(name, name.encode())
    quiet(mesh, "d", "d/f", "d/g", "d/g/h")
    held = Held(c, Apply)
    give_up(c, "d/g")
    mesh.settle(1.0)
    first = held.take(Apply)
    shutil.rmtree(c.share / "d")
    c.write("d", b"a file now")
    mesh.submit(c, first)
    del c.do  # type: ignore[attr-defined]
    quiet(mesh, "d")


def test_what_others_do_not_agree_about_stays_as_it_is(
    mesh: Mesh, a: Device, b: Device, c: Device
) -> None:
    """A has a file where B, of which A has not heard, has a folder."""
    a.kill()
    b.write("d/x", b"of b")
    mesh.scan_all()
    mesh.settle()
    b.kill()
    a.write("d", b"of a")
    a.start()
    mesh.scan_all()
    mesh.settle()
    before = c.tree()
    assert text(c, "d/x") == b"of b" and text(a, "d") == b"of a"
    mesh.ask(c, "revert")
    mesh.settle()
    assert c.tree() == before and trash(c) == []
    assert c.folder.state.value == "idle" and c.folder.index_view.counters.tickets == 0
    b.start()
    mesh.settle()
    (copy,) = copies(a)
    quiet(mesh)
    assert text(a, copy) == b"of a" and text(a, "d/x") == b"of b" and c.tree() == a.tree()


def test_what_is_ignored_by_now_is_not_removed_by_a_revert(mesh: Mesh, c: Device) -> None:
    c.write("d/c/x", b"of c")
    quiet(mesh, "d", "d/c", "d/c/x")
    held = Held(c, Apply)
    give_up(c, "d/c")
    mesh.settle(1.0)
    first = held.take(Apply)
    c.take(LocalRulesSet(FOLDER, ("c/",), True, ()))
    mesh.settle(1.0)
    mesh.submit(c, first)
    del c.do  # type: ignore[attr-defined]
    quiet(mesh, "d")
    assert (c.share / "d/c").is_dir(), "what was begun before is over, and its folder is ignored"
