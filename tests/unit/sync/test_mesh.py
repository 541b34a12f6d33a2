"""Three nodes in one thread, on real files and real indexes: the machines and the write order."""

from __future__ import annotations

import errno
import os
import random
import shutil
from pathlib import Path

import pytest
from msgspec import structs
from msgspec.structs import replace

from leftzmq.disk.apply.outcome import Ending, Outcome
from leftzmq.disk.fs.real import RealDirectory
from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.lefting_ledger import Lefting
from leftzmq.sync.actions import Action, Tell, Work
from leftzmq.sync.apply.applier import FOLDER_LATE_S
from leftzmq.sync.facts import (
    Asked,
    CookieSeen,
    Fact,
    FileHeldUp,
    LinkClosed,
    LinkOpened,
    PathsTouched,
    TimePassed,
    Touch,
    WatchLost,
    WatchRegained,
)
from leftzmq.sync.jobs import (
    Applied,
    Apply,
    CookieDropped,
    DropCookie,
    FindLacking,
    Job,
    JobDone,
    Lacking,
    LackingFound,
    Look,
    Walk,
)
from leftzmq.sync.link import Link, Way
from leftzmq.sync.versions.counters import Counters
from leftzmq.sync.versions.path_locks import LockOwner
from leftzmq.tree.plan import Staged, Verb
from leftzmq.wire.local import EventKind
from leftzmq.wire.messages import IndexSince, Message, Report
from tests.helpers.mesh import Device, Mesh


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    mesh = Mesh(tmp_path)
    mesh.begin()
    return mesh


def together(mesh: Mesh) -> dict[str, object]:
    """All is quiet and equal; the tree that everyone has."""
    mesh.scan_all()
    mesh.settle()
    first, *rest = [device for device in mesh.devices.values() if device.alive]
    tree = first.tree()
    for other in rest:
        assert other.tree() == tree
    for device in mesh.devices.values():
        if device.alive:
            assert device.folder.index_view.counters.tickets == 0
            assert not device.folder.problems.all()
            assert device.folder.index_view.counters == Counters.of(device.store)
    return tree


def test_a_file_travels(mesh: Mesh) -> None:
    a = mesh.devices["A"]
    a.write("letters/one.txt", b"hello", mtime=1_600_000_000.5)
    tree = together(mesh)
    assert tree["letters/one.txt"] == ("file", b"hello", 1_600_000_000_500_000_000, False)
    assert tree["letters"] == ("folder",)


def test_all_kinds_of_things_travel(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    (a.share / "empty folder").mkdir()
    a.write("empty", b"")
    a.write("deep/in/here", b"x")
    a.write("имя/名前", b"names")
    a.write("x" * 250, b"long name")
    a.write("tool", b"#!/bin/sh\n")
    (a.share / "tool").chmod(0o755)
    (b.share / "dangling").symlink_to("/nowhere/at all")
    b.write("twin 1", b"same bytes")
    b.write("twin 2", b"same bytes")
    tree = together(mesh)
    assert tree["empty folder"] == ("folder",)
    assert tree["dangling"] == ("link", "/nowhere/at all")
    assert tree["tool"][3] is True  # type: ignore[index]
    assert len(tree) == 12


def test_edits_and_deletes_travel_from_any_side(mesh: Mesh) -> None:
    a, b, c = (mesh.devices[name] for name in "ABC")
    a.write("d/one", b"1")
    a.write("d/two", b"2")
    together(mesh)
    b.write("d/one", b"edited by b")
    (c.share / "d/two").unlink()
    (a.share / "d").rename(a.share / "e")
    tree = together(mesh)
    together(mesh)
    assert sorted(path for path in tree if path.startswith("d")) in ([], ["d", "d/one"])
    assert any(value[1] == b"edited by b" for value in tree.values() if len(value) > 1)  # type: ignore


def test_a_delete_travels_and_its_bytes_are_in_the_trash(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("gone", b"precious")
    together(mesh)
    (a.share / "gone").unlink()
    assert together(mesh) == {}
    assert b"precious" in trash(b)
    a.write("gone", b"precious")
    assert list(together(mesh)) == ["gone"], "put back by its user: a new change"


def trash(device: Device) -> list[bytes]:
    """All bytes in a device's trash."""
    top = device.share / ".left" / "trash"
    return [path.read_bytes() for path in top.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [256 << 10, (256 << 10) + 1, 5_000_000, 20_000_000])
def test_large_files_travel(mesh: Mesh, size: int) -> None:
    a = mesh.devices["A"]
    a.write("large", random.Random(size).randbytes(size))
    together(mesh)


def test_only_changed_chunks_of_a_large_file_travel(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    data = bytearray(random.Random(1).randbytes(12_000_000))
    a.write("large", bytes(data))
    together(mesh)
    before = b.folder.received_bytes
    data[6_000_000] ^= 1
    mesh.now += 5
    a.write("large", bytes(data))
    together(mesh)
    edited = b.folder.received_bytes - before
    assert edited < 2_100_000, "at most two chunks and the list"
    before = b.folder.received_bytes
    mesh.now += 5
    a.write("large", b"!" + bytes(data))
    together(mesh)
    assert b.folder.received_bytes - before < 2_100_000


def test_swaps_of_kind(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("x", b"file")
    a.write("y/inside", b"folder")
    a.write("z", b"will be a link")
    together(mesh)
    (a.share / "x").unlink()
    a.write("x/now/deep", b"a folder")
    (b.share / "y/inside").unlink()
    (b.share / "y").rmdir()
    b.write("y", b"a file")
    (b.share / "z").unlink()
    (b.share / "z").symlink_to("x")
    tree = together(mesh)
    assert tree["x/now/deep"][1] == b"a folder"  # type: ignore[index]
    assert tree["y"][1] == b"a file"  # type: ignore[index]
    assert tree["z"] == ("link", "x")
    assert len(tree) == 5


def test_a_conflict_keeps_both_versions_on_every_device(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("letter.txt", b"draft")
    together(mesh)
    mesh.now += 10
    a.write("letter.txt", b"by a", mtime=1_800_000_100)
    b.write("letter.txt", b"by b", mtime=1_800_000_200)
    tree = together(mesh)
    copies = [path for path in tree if ".conflict-" in path]
    assert len(copies) == 1 and copies[0].endswith(".txt")
    assert tree["letter.txt"][1] == b"by b"  # type: ignore[index]
    assert tree[copies[0]][1] == b"by a"  # type: ignore[index]


def test_same_content_on_both_sides_is_no_conflict(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("same", b"bytes", mtime=1_700_000_001)
    b.write("same", b"bytes", mtime=1_700_000_002)
    tree = together(mesh)
    assert tree == {"same": ("file", b"bytes", 1_700_000_002_000_000_000, False)}


def test_an_edit_beats_a_delete(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("f", b"one")
    together(mesh)
    mesh.now += 10
    (a.share / "f").unlink()
    b.write("f", b"edited", mtime=1_500_000_000)
    tree = together(mesh)
    assert tree["f"][1] == b"edited"  # type: ignore[index]


def test_a_file_made_in_a_folder_that_another_deletes_keeps_it(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("d/old", b"old")
    together(mesh)
    (a.share / "d/old").unlink()
    (a.share / "d").rmdir()
    b.write("d/new", b"new")
    tree = together(mesh)
    assert sorted(tree) == ["d", "d/new"]


def test_quiet_means_no_traffic(mesh: Mesh) -> None:
    a = mesh.devices["A"]
    a.write("f", b"one")
    together(mesh)
    heads = [device.store.heads.sequence for device in mesh.devices.values()]
    for device in mesh.devices.values():
        device.sent.clear()
    together(mesh)
    mesh.settle(7200)
    assert [device.store.heads.sequence for device in mesh.devices.values()] == heads
    said = [message for device in mesh.devices.values() for message in device.sent]
    assert all(isinstance(message, Report) for message in said)
    assert 6 * 100 < len(said) <= 6 * 120, "one a minute to each of the two others"


def test_lost_news_are_made_good_by_the_heartbeat(mesh: Mesh) -> None:
    a = mesh.devices["A"]
    mesh.drop_news = True
    a.write("f", b"one")
    a.scan()
    mesh.settle(5)
    assert mesh.devices["B"].tree() == {}
    mesh.drop_news = False
    assert list(together(mesh)) == ["f"]


def test_what_changed_while_a_device_was_away(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("f", b"one")
    a.write("g", b"two")
    together(mesh)
    b.kill()
    a.write("f", b"one and more")
    (a.share / "g").unlink()
    (b.share / "h").write_bytes(b"written while no agent ran")
    together(mesh)
    b.start()
    tree = together(mesh)
    assert sorted(tree) == ["f", "h"]


@pytest.mark.parametrize("seed", range(12))
def test_a_device_killed_at_any_step_loses_nothing(tmp_path: Path, seed: int) -> None:
    mesh = Mesh(tmp_path, "AB", seed)
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.start()
    b.start()
    mesh.settle()
    contents = {f"d{i % 3}/f{i}": os.urandom(100 + 40_000 * i) for i in range(20)}
    for path, data in contents.items():
        a.write(path, data)
    a.scan()
    victim = b if seed % 2 else a
    for _ in range(mesh.random.randrange(400)):
        mesh.step()
    victim.kill()
    for _ in range(20):
        mesh.step()
    victim.start()
    tree = together(mesh)
    assert {p: v[1] for p, v in tree.items() if v[0] == "file"} == contents  # type: ignore[index]
    leftovers = [path for d in (a, b) for path in d.share.rglob("*.lefting")]
    assert not leftovers


@pytest.mark.parametrize("is_touched", [False, True])
def test_a_device_that_lost_its_state_brings_nothing_back(mesh: Mesh, is_touched: bool) -> None:
    """Touched: as what comes from a backup is. Bytes that were deleted are no edit."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("deleted", b"by a user")
    a.write("kept", b"here")
    together(mesh)
    b.kill()
    (a.share / "deleted").unlink()
    together(mesh)
    for path in b.state.iterdir():
        path.unlink()
    mesh.now += 3600
    if is_touched:
        os.utime(b.share / "deleted", ns=(mesh.wall_ns(b), mesh.wall_ns(b)))
    b.start()
    assert sorted(together(mesh)) == ["kept"]


def verbs(device: Device) -> list[str]:
    """What the device's applier did, in order."""
    return [
        str(event.fields["verb"]) for event in device.events if event.kind is EventKind.START_RENAME
    ]


@pytest.mark.parametrize("size", [100, 1_000_000])
def test_a_renamed_tree_is_renamed_everywhere_and_its_bytes_stay_where_they_are(
    mesh: Mesh, size: int
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    for number in range(150 if size < 1000 else 5):
        a.write(f"old/{number % 3}/f{number}", random.Random(number).randbytes(size))
    before = together(mesh)
    inodes = {path.name: path.stat().st_ino for path in (b.share / "old").rglob("f*")}
    received = b.folder.received_bytes
    b.events.clear()
    (a.share / "old").rename(a.share / "new")
    a.take(PathsTouched("share", (("old", Touch.GONE), ("new", Touch.MADE))))
    mesh.settle()
    tree = together(mesh)
    assert tree == {path.replace("old", "new"): value for path, value in before.items()}
    assert {path.name: path.stat().st_ino for path in (b.share / "new").rglob("f*")} == inodes
    assert b.folder.received_bytes == received
    assert "put the file" not in verbs(b) and not trash(b)


def test_what_was_renamed_and_got_another_mode_has_that_everywhere(mesh: Mesh) -> None:
    """The same inode, bytes and time under another name are not all that a rename may change."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("old", b"bytes")
    together(mesh)
    (a.share / "old").rename(a.share / "new")
    (a.share / "new").chmod(0o600)
    together(mesh)
    assert (b.share / "new").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("runs", [True, False])
@pytest.mark.parametrize("names", [("new", "old"), ("old", "new")])
def test_what_one_walk_finds_renamed_is_renamed_everywhere(
    mesh: Mesh, names: tuple[str, str], runs: bool
) -> None:
    """It finds the new names before it finds the old ones gone, where they sort so."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    before, after = names
    for number in range(200):
        a.write(f"{before}/f{number}", random.Random(number).randbytes(1000))
    together(mesh)
    inodes = {path.name: path.stat().st_ino for path in (b.share / before).iterdir()}
    received = b.folder.received_bytes
    if not runs:
        a.kill()
    (a.share / before).rename(a.share / after)
    if not runs:
        a.start()
    assert len(together(mesh)) == 201
    assert {path.name: path.stat().st_ino for path in (b.share / after).iterdir()} == inodes
    assert b.folder.received_bytes == received and trash(b) == []


def test_a_new_name_is_told_though_nobody_can_look_at_the_old_one(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("old", b"renamed")
    together(mesh)
    assert a.folder.locks.lock("old", LockOwner.APPLIER)
    (a.share / "old").rename(a.share / "new")
    a.scan()
    mesh.settle(5.0)
    assert set(b.tree()) == {"new", "old"}
    a.folder.locks.release(("old",), LockOwner.APPLIER)
    assert set(together(mesh)) == {"new"}


def test_a_rename_and_an_edit_at_the_same_time_lose_neither(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("one", b"bytes", mtime=1_600_000_000)
    together(mesh)
    (a.share / "one").rename(a.share / "two")
    b.write("one", b"edited by b")
    tree = together(mesh)
    assert {path: value[1] for path, value in tree.items()} == {  # type: ignore[index]
        "one": b"edited by b",
        "two": b"bytes",
    }


def test_what_cannot_be_moved_is_copied_and_deleted(mesh: Mesh) -> None:
    """To another file system, say; and it takes longer than the old name waited for a new one."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("one", b"bytes", mtime=1_600_000_000)
    together(mesh)
    (a.share / "one").rename(a.share / "two")
    a.scan()
    run = b.runner.run

    def on_another_disk(job: Job) -> JobDone:
        if isinstance(job, Apply) and any(o.verb is Verb.MOVE_FILE for o in job.operations):
            mesh.now += 1.0
            b.take(TimePassed())
            failed = [Outcome(o, Ending.FAILED, why="another disk") for o in job.operations]
            return Applied(job.folder, job.batch, tuple(failed))
        return run(job)

    b.runner.run = on_another_disk  # type: ignore[method-assign]
    assert {path: value[1] for path, value in together(mesh).items()} == {"two": b"bytes"}  # type: ignore[index]


def test_what_a_user_wrote_into_a_file_that_is_to_be_moved_is_found(mesh: Mesh) -> None:
    """The write comes after the applier decided to move the file, before the rename."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("one", b"bytes", mtime=1_600_000_000)
    together(mesh)
    (a.share / "one").rename(a.share / "two")
    a.scan()
    run = b.runner.run

    def wrote_meanwhile(job: Job) -> JobDone:
        if isinstance(job, Apply) and any(o.verb is Verb.MOVE_FILE for o in job.operations):
            b.runner.run = run  # type: ignore[method-assign]
            b.write("one", b"written by b")
        return run(job)

    b.runner.run = wrote_meanwhile  # type: ignore[method-assign]
    tree = together(mesh)
    assert b.runner.run is not wrote_meanwhile, "there was a move"
    assert {path: value[1] for path, value in tree.items()} == {  # type: ignore[index]
        "one": b"written by b",
        "two": b"bytes",
    }


def test_a_file_that_could_be_moved_neither_on_nor_back_goes_back_later(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a user has just written into it: that is nowhere else."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("d/one", b"bytes", mtime=1_600_000_000)
    together(mesh)
    (a.share / "d/one").rename(a.share / "two")
    a.scan()
    real, failed = RealDirectory.rename_new, []

    def rename(self: RealDirectory, name: str, to: RealDirectory, to_name: str) -> None:
        if not failed and name == to_name == "one":
            b.write("d/one", b"written by b")
            failed.append("")
        elif 0 < len(failed) < 3 and name == "one":
            failed.append(f"{name} to {to_name}")
            raise OSError(errno.EIO, "a bad moment")
        real(self, name, to, to_name)

    monkeypatch.setattr(RealDirectory, "rename_new", rename)
    tree = together(mesh)
    assert failed == ["", "one to one", "one to one"]
    assert {path: value[1] for path, value in tree.items() if value[0] == "file"} == {  # type: ignore[index]
        "d/one": b"written by b",
        "two": b"bytes",
    }


def test_many_who_wait_are_one_count_at_a_time(mesh: Mesh) -> None:
    """Each count that was not yet zero began one count more for everyone who waited: a storm. Of
    whole folders nothing is counted, of parts of them some at a time."""
    a = mesh.devices["A"]
    a.write("one", b"to be acknowledged")
    together(mesh)
    run, counts = a.runner.run, 0

    def some_have_not_acknowledged(job: Job) -> JobDone:
        nonlocal counts
        done = run(job)
        if isinstance(done, CookieDropped):
            return replace(done, watched=False)  # nobody watches here
        if isinstance(job, FindLacking):
            counts += 1
            assert isinstance(done, LackingFound)
            return replace(done, coming=Lacking(int(counts <= 3), 0, ()))
        return done

    a.runner.run = some_have_not_acknowledged  # type: ignore[method-assign]
    for asker in range(20):  # of one asker 16 may be open
        a.take(Asked(bytes([asker]), "wait", {"path": "one"} if asker % 2 else {}))
    mesh.settle()
    assert [answer["in_sync"] for answer in a.answers] == [True] * 20
    assert counts == 10 + 3


def test_what_a_user_put_in_a_folder_that_the_applier_made_too_is_found(mesh: Mesh) -> None:
    """It was there before the folder was watched, so only the walk of a new folder finds it; to
    the look that came after the applier the folder was nothing new."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    b.write("both/of b", b"b")
    a.write("both/of a", b"a")
    a.scan()
    mesh.settle()
    assert (b.share / "both" / "of a").exists(), "b has that folder in its index"
    b.take(PathsTouched("share", (("both", Touch.MADE),)))
    mesh.settle()
    assert (a.share / "both" / "of b").read_bytes() == b"b"


def test_what_is_in_a_folder_that_was_made_anew_with_the_same_inode_is_found(mesh: Mesh) -> None:
    """It was written before the new folder was watched, and to the look nothing was new."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    folder = a.share / "again"
    folder.mkdir()
    together(mesh)
    before = folder.stat().st_ino
    for _ in range(20):
        folder.rmdir()
        folder.mkdir()
        if folder.stat().st_ino == before:
            break
    else:
        pytest.skip("this file system gives no inode again so soon")
    a.write("again/file", b"here")
    a.take(PathsTouched("share", (("again", Touch.MADE),)))
    mesh.settle()
    assert (b.share / "again" / "file").read_bytes() == b"here"


@pytest.mark.parametrize("folder", ["", "d"])
def test_a_name_that_cannot_be_synced_is_a_problem_within_a_minute(mesh: Mesh, folder: str) -> None:
    """No event can call it by its name: the watcher tells of the folder that it is in."""
    a = mesh.devices["A"]
    (a.share / "d").mkdir()
    together(mesh)
    (a.share / folder / "nul\udcff").write_bytes(b"")
    a.take(PathsTouched("share", ((folder, Touch.MADE),)))
    mesh.settle(seconds=60)
    shown = [problem.path for problem in a.folder.problems.all()]
    assert shown == [f"{folder}/nul\\xff".lstrip("/")]


def test_devices_that_begin_with_the_same_files_send_each_other_nothing(tmp_path: Path) -> None:
    """What the other one says comes before the own first walk is over."""
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    for device in (a, b):
        for number in range(20):
            device.write(f"d/{number}", random.Random(number).randbytes(5000), mtime=1.7e9)
        device.write("large", random.Random("large").randbytes(2_000_000), mtime=1.7e9)
    a.start()
    mesh.settle()
    b.start_and_walk_last()
    assert [device.folder.received_bytes for device in (a, b)] == [0, 0]
    a.write("new", b"new")
    assert together(mesh)


def test_what_came_back_while_it_was_held_as_gone_is_not_said_to_be_gone(mesh: Mesh) -> None:
    """Its folder was renamed to and fro: no event names it, and the walk of the folder finds what
    the index says."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("d/f", b"bytes")
    together(mesh)
    (a.share / "d").rename(a.share / "aside")
    a.write("pen", b"under a")
    a.take(PathsTouched("share", (("d/f", Touch.GONE), ("pen", Touch.MODIFIED))))
    mesh.settle(seconds=0.5)
    assert not a.folder.scheduler.idle, "it is held, because something else is to be looked at"
    (a.share / "aside").rename(a.share / "d")
    a.take(PathsTouched("share", (("d", Touch.MADE),)))
    mesh.settle()
    row = a.store.ours("d/f")
    assert row is not None and not row.entry.deleted
    assert (b.share / "d/f").read_bytes() == b"bytes"


@pytest.mark.parametrize("rest_s", [0.3, 5.0])
def test_a_folder_that_came_back_and_is_moved_away_later_is_gone(
    mesh: Mesh, tmp_path: Path, rest_s: float
) -> None:
    """It was held as gone when the folder above it was moved to and fro. That it is gone anew is
    the only word of what is in it."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("d/inner/f", b"bytes")
    together(mesh)
    (a.share / "d").rename(tmp_path / "aside")
    a.write("pen", b"under a")
    a.take(PathsTouched("share", (("d", Touch.GONE), ("pen", Touch.MODIFIED))))
    mesh.settle(seconds=0.5)
    assert not a.folder.scheduler.idle, "it is held, because something else is to be looked at"
    (tmp_path / "aside").rename(a.share / "d")
    a.take(PathsTouched("share", (("d", Touch.MADE), ("d/inner/f", Touch.CLOSED))))
    mesh.settle(seconds=rest_s)
    (a.share / "d/inner").rename(tmp_path / "aside")
    a.take(PathsTouched("share", (("d/inner", Touch.GONE),)))
    mesh.settle(seconds=10)
    assert not (b.share / "d/inner").exists()
    assert (b.share / "d").is_dir()


def test_a_device_that_says_hello_again_is_asked_again_at_once(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lost its link, and our question with it; we lost nothing, and waited for the answer."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    together(mesh)
    send = Mesh.send

    def swallow(self: Mesh, device: Device, link: Link, message: Message, body: object) -> None:
        if not isinstance(message, IndexSince) or device is not b:
            send(self, device, link, message, body)

    with monkeypatch.context() as planted:
        planted.setattr(Mesh, "send", swallow)
        planted.setattr(Mesh, "publish", lambda *_: None)
        a.write("f", b"bytes")
        a.scan()
        mesh.settle(seconds=1.0)
        hello = b.folder.standing_for(a.key)
        assert hello.your_head < a.store.heads.sequence
        a.take(LinkClosed(Link(b.key, Way.DIALED), "it broke"))
        a.take(LinkOpened(Link(b.key, Way.DIALED)))
        mesh.settle(seconds=1.0)
    assert not (b.share / "f").exists()
    a.take(LinkClosed(Link(b.key, Way.DIALED), "it broke"))
    a.take(LinkOpened(Link(b.key, Way.DIALED)))
    mesh.settle(seconds=1.0)
    assert (b.share / "f").read_bytes() == b"bytes"


@pytest.mark.parametrize("how", ["a look", "a walk"])
def test_a_share_that_looks_empty_and_has_no_marker_deletes_nothing(mesh: Mesh, how: str) -> None:
    """A disk that went away leaves such a folder; I11."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("d/f", b"bytes")
    together(mesh)
    for path in a.share.iterdir():
        shutil.rmtree(path)
    if how == "a look":
        a.take(PathsTouched("share", (("d/f", Touch.GONE), ("d", Touch.GONE))))
    else:
        a.take(WatchLost("share", "", False, "the queue ran over"))
    mesh.settle()
    assert a.folder.stopped_why
    assert (b.share / "d/f").read_bytes() == b"bytes"
    row = a.store.ours("d/f")
    assert row is not None and not row.entry.deleted


def test_a_file_that_went_with_its_folder_while_its_look_was_answered_late_is_gone(
    mesh: Mesh,
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    (a.share / "d").mkdir()
    together(mesh)
    a.write("d/f", b"bytes", mtime=1.7e9)
    os.utime(a.share / "d")
    held: list[Fact] = []
    do = a.do

    def late(action: Action) -> None:
        if isinstance(action, Work) and isinstance(action.job, Look) and "d/f" in action.job.paths:
            held.append(a.runner.run(action.job))
        else:
            do(action)

    a.do = late  # type: ignore[method-assign]
    a.take(PathsTouched("share", (("d/f", Touch.CLOSED),)))
    mesh.settle(seconds=0.5)
    (a.share / "d").rename(a.share / "e")
    a.take(PathsTouched("share", (("d", Touch.GONE), ("e", Touch.MADE))))
    mesh.settle(seconds=0.5)
    a.do = do  # type: ignore[method-assign]
    assert len(held) == 1
    a.take(held[0])
    mesh.settle()
    assert [path.name for path in (b.share).iterdir() if path.name != ".left"] == ["e"]
    row = a.store.ours("d/f")
    assert row is None or row.entry.deleted


def test_a_deleted_folder_waits_for_what_is_staged_in_it(mesh: Mesh) -> None:
    """Our own `.lefting` in it is nobody's reason to keep it."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    (a.share / "d").mkdir()
    together(mesh)
    lefting = b.share / "d/x.lefting"
    lefting.write_bytes(b"")
    staged = Staged("d/x.lefting", lefting.stat().st_ino)
    b.store.leftings.put(Lefting("d/x", staged, b"c" * 32))
    (a.share / "d").rmdir()
    a.scan()
    mesh.settle(seconds=5.0)
    lefting.unlink()
    b.store.leftings.drop(staged)
    mesh.settle(seconds=5.0)
    assert not (a.share / "d").exists() and not (b.share / "d").exists()


def test_wait_sees_what_was_written_where_nothing_is_watched(mesh: Mesh) -> None:
    """A mount that came at run is polled: a cookie says nothing of what is in it."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("m/before", b"1")
    together(mesh)
    a.folder.scheduler.walks.poll("m", mesh.now)
    submit = mesh.submit

    def watched(device: Device, job: Job) -> None:
        submit(device, job)
        if isinstance(job, DropCookie):
            device.take(CookieSeen(job.folder, job.name))

    mesh.submit = watched  # type: ignore[method-assign]
    a.write("m/new", b"2")
    a.take(Asked(b"x", "wait", {}))
    while not a.answers:
        mesh.settle(0.5)
    assert a.answers[-1]["in_sync"] and (b.share / "m/new").exists()


def test_what_comes_into_a_folder_that_a_user_has_just_removed_brings_it_back(mesh: Mesh) -> None:
    """Nobody has looked yet; an edit beats a delete, and is no reason for a problem."""
    a, b, _ = mesh.devices.values()
    a.write("d/e/f", b"one")
    a.take(WatchLost("share", "", False, "test"))
    mesh.settle()
    assert (b.share / "d/e/f").read_bytes() == b"one"
    shutil.rmtree(b.share / "d")  # no event of it is heard
    a.write("d/e/g", b"two")
    a.take(PathsTouched("share", (("d/e/g", Touch.CLOSED),)))
    mesh.settle(8.0)
    assert (b.share / "d/e/g").read_bytes() == b"two"
    told = [each.fields for each in b.events if each.kind is EventKind.PROBLEM]
    assert not told and not b.folder.problems.all()


def test_what_waits_for_a_folder_goes_on_when_it_comes_and_is_no_problem_before(
    mesh: Mesh,
) -> None:
    """It is told later than what is in it, and is in no window yet."""
    a, b, _ = mesh.devices.values()
    window = b.folder.applier._window
    a.write("d/f", b"one")
    a.take(WatchLost("share", "", False, "test"))
    mesh.settle()
    row = b.folder.index_view.ours("d/f")
    assert row is not None
    entry = structs.replace(row.entry, path="new/f")
    window.come(entry, 0, True, mesh.now)
    fact = FileHeldUp("share", entry, Problem("share", "new/f", ProblemKind.WAITING_FOR_FOLDER))
    for _ in range(3):
        assert b.folder.applier.on_file_held_up(fact, mesh.now) == []
    assert window.active["new/f"].retry_at > mesh.now
    window.folder_made("new")
    assert window.active["new/f"].retry_at == 0.0, "it is considered at once"
    late = mesh.now + FOLDER_LATE_S
    assert any(isinstance(each, Tell) for each in b.folder.applier.on_file_held_up(fact, late))
    window.leave("new/f")


def test_what_is_polled_is_a_problem_until_it_is_watched_again(mesh: Mesh) -> None:
    a = mesh.devices["A"]
    a.write("d/e", b"one")
    a.take(WatchLost("share", "", False, "test"))
    mesh.settle()
    a.take(WatchLost("share", "d", True, "raise fs.inotify.max_user_watches"))
    mesh.settle()
    (problem,) = a.folder.problems.all()
    assert problem.kind is ProblemKind.WATCH_LIMIT and "max_user_watches" in str(problem)
    assert a.folder.scheduler.walks.polls, "the walk of it did not end it"
    a.write("d/f", b"one")
    a.take(WatchRegained("share", "d"))
    mesh.settle()
    assert not a.folder.problems.all() and not a.folder.scheduler.walks.polls
    assert (mesh.devices["B"].share / "d/f").read_bytes() == b"one", "it was walked once more"


# ---- new folders ----------------------------------------------------------------------------


def walks_of(mesh: Mesh, device: Device) -> list[str]:
    """From now on: the prefixes that this device walks."""
    walked: list[str] = []
    submit = mesh.submit

    def watched(each: Device, job: Job) -> None:
        if each is device and isinstance(job, Walk):
            walked.append(job.prefix)
        submit(each, job)

    mesh.submit = watched  # type: ignore[assignment,method-assign]
    return walked


def made(device: Device, *paths: str) -> None:
    """What a watcher says of a folder that appeared; what is in it is not said."""
    touches = tuple((path, Touch.MADE) for path in paths)
    device.take(PathsTouched(device.folder.id, touches))


def test_a_new_folder_is_walked_only_where_there_may_be_something_in_it(mesh: Mesh) -> None:
    a, b, _ = mesh.devices.values()
    walked = walks_of(mesh, b)
    for number in range(20):
        (a.share / f"empty {number}").mkdir()
    a.scan()
    mesh.settle()
    made(b, *(f"empty {number}" for number in range(20)))
    mesh.settle()
    assert len(b.tree()) == 20 and walked == [], "those that the applier made"
    (b.share / "full" / "in it").mkdir(parents=True)
    (b.share / "full" / "file").write_bytes(b"x")
    (b.share / "alone").mkdir()
    mesh.now += 1
    made(b, "full", "alone")
    mesh.settle()
    assert set(walked) == {"full"}
    assert set(a.tree()) >= {"full", "full/in it", "full/file", "alone"}


def test_a_folder_that_is_empty_now_is_walked_where_the_index_has_something(mesh: Mesh) -> None:
    """It was removed with all in it and made anew, and may have got the same inode."""
    a, b, _ = mesh.devices.values()
    b.write("d/f", b"x" * 3000)
    mesh.now += 1
    b.scan()
    mesh.settle()
    assert "d/f" in a.tree()
    (b.share / "d" / "f").unlink()
    walked = walks_of(mesh, b)
    made(b, "d")
    mesh.settle()
    assert walked == ["d"] and "d/f" not in a.tree() and "d" in a.tree()
