"""`.lefting` files that cannot be thrown away when nobody needs them stay ours, and go later."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from leftzmq.content.epochs import Epochs
from leftzmq.content.keys import derive_keys
from leftzmq.disk.apply import attributes
from leftzmq.disk.fs.interface import Directory, File
from leftzmq.disk.fs.real import RealFile
from leftzmq.disk.scan.mounts import Mounts
from leftzmq.disk.staging import lefting, staging
from leftzmq.errors import IndexFailed, IndexFault, Problem, Stop, StopCause
from leftzmq.index.lefting_ledger import Lefting
from leftzmq.index.store import Store
from leftzmq.sync import jobs
from leftzmq.sync.actions import Work
from leftzmq.sync.apply.leftings import LEFT_RETRY_S, Leftings
from leftzmq.sync.facts import FolderStopped, LinkClosed
from leftzmq.sync.link import Link, Way
from leftzmq.sync.problems import Problems
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.path import name_of
from leftzmq.tree.plan import Staged
from leftzmq.work import fetch_jobs, mount_check
from leftzmq.work.folder_context import FolderContext
from leftzmq.work.runner import JobRunner
from tests.helpers.mesh import Device, Held, Mesh
from tests.sim.disk import Disk, Inode
from tests.sim.fs import Calls, SimRoot
from tests.sim.hands import Hands
from tests.sim.index_trap import IndexTrap
from tests.sim.node import FOLDER, SECRET
from tests.unit.sync.test_crash import after, crashes, leftings
from tests.unit.sync.test_mesh import together

KEYS = derive_keys(SECRET)

LARGE_BYTES = 2_000_000


def fails(*_: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def left_behind(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> Device:
    """B has a `.lefting` of a file that A deleted meanwhile."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("large", os.urandom(LARGE_BYTES))
    with monkeypatch.context() as planted:
        planted.setattr(JobRunner, "run", after(jobs.WriteChunks))
        crashes(mesh, b)
    (a.share / "large").unlink()
    a.scan()
    mesh.settle()
    assert leftings(b)
    return b


def test_what_could_not_be_thrown_away_at_a_start_goes_while_the_agent_runs(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = left_behind(mesh, monkeypatch)
    with monkeypatch.context() as broken:
        broken.setattr(lefting, "discard", fails)
        b.start()
        mesh.settle(15.0)
        assert leftings(b) and not b.folder.problems.all()
    mesh.settle()
    assert not leftings(b) and not b.store.leftings.all()
    assert together(mesh) == {}


def test_what_a_crash_made_is_not_mistaken_for_what_is_made_now(tmp_path: Path) -> None:
    """Its inode was never learned: that only one name is taken tells which file it is."""
    store = Store(tmp_path / "index.db")
    left = Staged("f.lefting", None)
    store.leftings.put(Lefting("f", left, b"of an earlier life"))
    again = Leftings(FOLDER, IndexView(store), Problems(FOLDER))
    again.on_staging_cleared(jobs.StagingCleared(FOLDER, (), (left,)), 0.0)
    store.leftings.intend(("f", "f.lefting", b"content"))
    assert not again.on_time_passed(LEFT_RETRY_S), "somebody is about to make one"
    made = Staged([*lefting.lefting_paths("f")][1], 7)
    store.leftings.put(Lefting("f", made, b"content"))
    store.leftings.intent_over("f.lefting")
    assert not again.on_time_passed(2 * LEFT_RETRY_S), "there is another one"
    store.leftings.drop(made)
    assert again.on_time_passed(3 * LEFT_RETRY_S) == [Work(jobs.Discard(FOLDER, (left,)))]
    assert again.deadline() is None
    again.on_discarded(jobs.Discarded(FOLDER, (left,)), 31.0)
    assert not store.leftings.all()


class Away:
    """A share with a mount at `m` that comes and goes, and a `.lefting` of ours on it."""

    def __init__(self, state: Path) -> None:
        Store(state / "index.db").close()
        self.disk = Disk(lambda: 0)
        self.hands = Hands(self.disk)
        self.hands.make_folder("m")
        self.place(2, self.disk.make(Kind.DIRECTORY, 0o755))
        self.hands.write("m/f.lefting", b"arriving")
        self.context = FolderContext(
            FOLDER,
            SimRoot(Calls(self.disk)),
            KEYS,
            Epochs(KEYS.first),
            state / "index.db",
            b"A",
            lambda: None,
            mounts=Mounts(["m"]),
        )

    def place(self, device: int, tree: Inode | None) -> Inode:
        assert self.disk.top is not None
        return self.disk.mount(self.disk.top, b"m", device, tree)


@pytest.mark.parametrize("clear", [False, True])
def test_on_a_mount_that_is_away_nothing_is_gone(tmp_path: Path, clear: bool) -> None:
    """Nor does what lies in its place become ours, whatever its inode."""
    away = Away(tmp_path)
    found = away.hands.at("m/f.lefting")
    assert found is not None
    ours = Staged("m/f.lefting", found.number)
    tree = away.place(1, None)
    away.hands.write("m/f.lefting", b"a user's")
    stray = away.hands.at("m/f.lefting")
    assert stray is not None
    for staged in (ours, Staged("m/f.lefting", stray.number), Staged("m/f.lefting", None)):
        if clear:
            leftover = jobs.Leftover("m/f", staged, b"content")
            cleared = fetch_jobs.run(away.context, 0, jobs.ClearStaging(FOLDER, (leftover,), ()))
            assert cleared == jobs.StagingCleared(FOLDER, (), (staged,))
            kept = fetch_jobs.run(away.context, 0, jobs.ClearStaging(FOLDER, (), (leftover,)))
            assert kept == jobs.StagingCleared(FOLDER, (), ())
        else:
            done = fetch_jobs.run(away.context, 0, jobs.Discard(FOLDER, (staged,)))
            assert done == jobs.Discarded(FOLDER, (), (staged,))
    assert away.hands.at("m/f.lefting") is stray
    away.place(2, tree)
    away.context.mounts = Mounts(["m"])  # a walk found it again
    done = fetch_jobs.run(away.context, 0, jobs.Discard(FOLDER, (ours,)))
    assert done == jobs.Discarded(FOLDER, (ours,)) and away.hands.at("m/f.lefting") is None


@pytest.mark.parametrize("stays", [False, True])
def test_what_lost_its_bytes_before_a_start_is_not_gone_on_with(stays: bool) -> None:
    """A read would find them in memory, and the flush before it gets its name would say that all is
    well: the error was told already."""
    disk = Disk(lambda: 0)
    hands = Hands(disk)
    calls = Calls(disk)
    share = SimRoot(calls)
    context = FolderContext(
        FOLDER, share, KEYS, Epochs(KEYS.first), Path("index"), b"A", lambda: None
    )
    leftovers = []
    for name in ("whole", "spoilt"):
        hands.write(f"{name}.lefting", b"arriving")
        inode = hands.at(f"{name}.lefting")
        assert inode is not None
        staged = Staged(f"{name}.lefting", inode.number)
        leftovers.append(jobs.Leftover(name, staged, b"content"))
    inode.owes = True  # a flush of everything failed in an earlier life

    def fail(call: str, path: str) -> None:
        if stays and call == "unlink":
            raise OSError(errno.EIO, "no")

    calls.before = fail
    spoilt = leftovers[1].staged
    cleared = fetch_jobs.run(context, 0, jobs.ClearStaging(FOLDER, (), tuple(leftovers)))
    gone = () if stays else (spoilt,)
    assert cleared == jobs.StagingCleared(FOLDER, gone, (spoilt,) if stays else ())
    assert (hands.at("spoilt.lefting") is not None) is stays and hands.at("whole.lefting")


@pytest.mark.parametrize("size", [100, LARGE_BYTES])
def test_what_could_be_made_and_not_filled_nor_thrown_away_goes_when_the_disk_is_well_again(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("f", os.urandom(size))
    with monkeypatch.context() as broken:
        broken.setattr(lefting, "throw_away", fails)
        broken.setattr(lefting, "discard", fails)
        broken.setattr(RealFile, "truncate" if size > 100 else "set_times", fails)
        mesh.scan_all()
        mesh.settle(1.0)
        assert b.folder.problems.problem_of("f") is not None and b.store.leftings.has("f.lefting")
    assert set(together(mesh)) == {"f"}
    assert not leftings(b) and not b.store.leftings.all()


def one_that_nobody_can_read(folder: Directory, path: str) -> tuple[File, Staged]:
    """As `create_lefting`, where the disk fails right after the file was made."""
    for name in lefting.lefting_paths(path):
        try:
            folder.create(name_of(name)).close()
        except FileExistsError:
            continue
        failed = OSError(errno.EIO, os.strerror(errno.EIO))
        raise lefting.Unlearned(failed, Staged(name, None, unread=True))
    raise FileExistsError(path)


def is_to_be_copied(mesh: Mesh) -> None:
    """The mtime of A's file `f`, which has another name at B, is changed."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    mesh.scan_all()
    mesh.settle(2.0)
    os.link(b.share / "f", b.share / "other")
    mesh.scan_all()
    mesh.settle(15.0)
    os.utime(a.share / "f", (2e9, 2e9))


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("users", [False, True])
def test_a_copy_that_could_not_be_filled_nor_thrown_away_goes_when_the_disk_is_well_again(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, killed: bool, users: bool
) -> None:
    """Its inode was in no row, and the row of its intent went. It may have another name, too."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("f", b"f")
    is_to_be_copied(mesh)
    if users:
        (b.share / "f.lefting").write_bytes(b"a user's")
    with monkeypatch.context() as broken:
        broken.setattr(attributes, "copy_bytes", fails)
        broken.setattr(attributes, "thrown_away", lambda _, staged: staged)
        broken.setattr(lefting, "discard", fails)
        mesh.scan_all()
        mesh.settle(1.0)
        assert len(leftings(b)) == 1 + users
        if killed:
            b.kill()
    if killed:
        b.start()
    mesh.settle(60.0)
    assert len(leftings(b)) == users and not b.store.leftings.all()
    assert (b.share / "f").stat().st_mtime_ns == (a.share / "f").stat().st_mtime_ns


@pytest.mark.parametrize("size", [100, LARGE_BYTES, None])
@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("name", ["f.lefting", "mine.lefting"])
def test_what_was_made_and_could_not_be_read_goes_when_the_disk_is_well_again(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, size: int | None, killed: bool, name: str
) -> None:
    """Nobody knows its inode; its row went with the intent of the job. size: None: the file is
    there, under two names, and a copy is made for its new mtime. Users have one, too."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    (b.share / name).write_bytes(b"a user's")
    a.write("f", os.urandom(100 if size is None else size))
    if size is None:
        is_to_be_copied(mesh)
    with monkeypatch.context() as broken:
        for module in (staging, attributes):
            broken.setattr(module, "create_lefting", one_that_nobody_can_read)
        for module in (lefting, attributes):
            broken.setattr(module, "thrown_away", lambda _, staged: staged)
        broken.setattr(lefting, "discard", fails)
        mesh.scan_all()
        mesh.settle(1.0)
        assert len(leftings(b)) == 2, "one is ours"
        if killed:
            b.kill()
    if killed:
        b.start()
    mesh.settle(60.0)
    assert leftings(b) == [b.share / name] and not b.store.leftings.all()
    assert (b.share / "f").read_bytes() == (a.share / "f").read_bytes()
    assert (b.share / "f").stat().st_mtime_ns == (a.share / "f").stat().st_mtime_ns


@pytest.mark.parametrize("number", [0, 1])
def test_of_one_that_could_not_be_read_before_a_stop_the_name_is_known(
    tmp_path: Path, number: int
) -> None:
    """If it is not the first name, a user has that one."""
    made = Staged([*lefting.lefting_paths("f")][number], None, unread=True)
    before = Store(tmp_path / "index.db")
    before.leftings.intend(("f", "f.lefting", b"content"))
    before.commit()
    store = Store(tmp_path / "index.db")
    again = Leftings(FOLDER, IndexView(store), Problems(FOLDER))
    again.made_by_job("f", made, b"content")
    again.clear(lambda _: False)
    assert [each.staged for each in store.leftings.all()] == [made]


def test_killed_while_two_versions_are_on_their_way_nothing_is_left_behind(mesh: Mesh) -> None:
    """Seed 730756: of two that are made for one path, nobody knew whether the first name was a
    user's."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    held = Held(b, jobs.StageSmall)
    for data in (b"one", b"another"):
        a.write("f", data)
        mesh.scan_all()
        mesh.settle(1.0)
    for job in held.jobs:
        b.runner.run(job)
    b.kill()
    del b.do
    b.start()
    assert together(mesh)["f"][1] == b"another"  # type: ignore[index]
    assert not leftings(b) and not b.store.leftings.all() and not b.folder.problems.all()


@pytest.mark.parametrize("fault", [IndexFault.LOCKED, IndexFault.CORRUPT])
@pytest.mark.parametrize("size", [100, LARGE_BYTES])
@pytest.mark.parametrize("when", ["before", "late", "unsaid"])
@pytest.mark.parametrize("users", ["f.lefting", "mine.lefting"])
def test_what_is_on_its_way_when_the_index_fails_is_known_to_the_next_one(
    mesh: Mesh, fault: IndexFault, size: int, when: str, users: str
) -> None:
    """The agent knew, or hears of it after the stop, or only that it was about to be made."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    (b.share / users).write_bytes(b"a user's")
    makes = jobs.StageSmall if size == 100 else jobs.OpenStaging
    held = Held(b, jobs.WriteChunks, jobs.Apply) if when == "before" else Held(b, makes)
    a.write("f", os.urandom(size))
    mesh.scan_all()
    mesh.settle(1.0)
    a.kill()
    (a.share / "f").unlink()
    b.take(LinkClosed(Link(a.key, Way.CAME), "connection lost"))
    with IndexTrap() as trap:
        trap.set(b.index_file, 0, fault)
        b.scan()
        mesh.settle(1.0)
    assert b.folder.stopped is not None
    stop = b.folder.stopped
    for job in held.jobs:
        answer = b.runner.run(job) if when != "before" else None
        b.take(answer if answer is not None and when == "late" else jobs.JobStopped(job, stop))
    assert len(leftings(b)) == 2
    del b.do
    mesh.settle(90.0)
    assert b.folder.stopped is None
    a.start()
    mesh.scan_all()
    mesh.settle()
    assert not a.tree() and not b.store.leftings.all()
    assert leftings(b) == [b.share / users] and (b.share / users).read_bytes() == b"a user's"


@pytest.mark.parametrize("first", ["thrown away", "made"])
@pytest.mark.parametrize("answered", [False, True])
def test_killed_while_one_is_thrown_away_and_another_is_made_nothing_is_left_behind(
    mesh: Mesh, first: str, answered: bool
) -> None:
    """The second one gets the name of the first, or another one, before anybody knows of it."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    held = Held(b, jobs.StageSmall, jobs.Discard)
    a.write("f", b"one")
    mesh.scan_all()
    mesh.settle(1.0)
    one = held.take(jobs.StageSmall)
    a.write("f", b"another")
    mesh.scan_all()
    mesh.settle(1.0)
    assert not held.jobs, "it waits for the name"
    b.take(b.runner.run(one))
    mesh.settle(0.1)
    away, two = held.take(jobs.Discard), held.take(jobs.StageSmall)
    done = [b.runner.run(job) for job in ((away, two) if first == "thrown away" else (two, away))]
    if answered:
        b.take(next(each for each in done if isinstance(each, jobs.Discarded)))
        mesh.settle(0.1)
    assert len(leftings(b)) == 1
    b.kill()
    del b.do
    b.start()
    assert set(together(mesh)) == {"f"}
    assert not leftings(b) and not b.store.leftings.all()


@pytest.mark.parametrize("killed", ["while one is made", "and another is meant"])
def test_killed_while_one_is_made_where_what_an_earlier_life_left_is_gone_nothing_is_left_behind(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    """Its row went with what was left, and was that of the new one, too."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    held = Held(b, jobs.StageSmall, jobs.Discard)
    for data in (b"one", b"another"):
        a.write("f", data)
        mesh.scan_all()
        mesh.settle(1.0)
    answer = b.runner.run(held.take(jobs.StageSmall))
    if killed == "and another is meant":
        b.take(answer)
        mesh.settle(0.1)
    b.kill()
    a.kill()
    del b.do
    with monkeypatch.context() as broken:
        broken.setattr(lefting, "discard", fails)
        b.start()
        mesh.settle(5.0)
    held = Held(b, jobs.Discard, jobs.StageSmall)
    mesh.settle(LEFT_RETRY_S)
    away = held.take(jobs.Discard)
    a.start()
    mesh.settle(1.0)
    done = b.runner.run(away)
    b.runner.run(held.take(jobs.StageSmall))
    b.take(done)
    mesh.settle(0.1)
    assert len(leftings(b)) == 1
    b.kill()
    del b.do
    b.start()
    assert together(mesh)["f"][1] == b"another"  # type: ignore[index]
    assert not leftings(b) and not b.store.leftings.all()


def test_killed_while_one_gets_its_name_after_another_was_wanted_nothing_is_left_behind(
    tmp_path: Path,
) -> None:
    """The winner came and went with its only holder; its bytes had come already."""
    mesh = Mesh(tmp_path, "ABC")
    a, b, c = mesh.devices.values()
    for device in (a, b, c):
        device.start()
    mesh.settle()
    held = Held(b, jobs.StageSmall, jobs.Apply)
    a.write("f", b"one")
    mesh.scan_all()
    mesh.settle(1.0)
    assert set(c.tree()) == {"f"}
    one = held.take(jobs.StageSmall)
    held_c = Held(c, jobs.StageSmall)
    a.write("f", b"another")
    mesh.scan_all()
    mesh.settle(1.0)
    assert not held.jobs, "it waits for the name"
    a.kill()
    b.take(LinkClosed(Link(a.key, Way.CAME), "connection lost"))
    mesh.settle(1.0)
    b.take(b.runner.run(one))
    mesh.settle(0.1)
    b.runner.run(held.take(jobs.Apply))
    assert (b.share / "f").read_bytes() == b"one" and not held.jobs
    b.kill()
    del b.do, c.do
    c.take(held_c.device.runner.run(held_c.take(jobs.StageSmall)))
    b.start()
    a.start()
    assert together(mesh)["f"][1] == b"another"  # type: ignore[index]
    assert not leftings(b) and not b.store.leftings.all()


def test_one_that_could_not_be_opened_goes_when_it_is_wanted_no_more(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("large", os.urandom(LARGE_BYTES))
    with monkeypatch.context() as planted:
        planted.setattr(JobRunner, "run", after(jobs.WriteChunks))
        crashes(mesh, b)
    assert leftings(b)
    with monkeypatch.context() as broken:
        broken.setattr(lefting, "is_there", lambda *_: True)
        broken.setattr(staging, "is_there", lambda *_: False)
        broken.setattr(staging, "create_lefting", fails)
        b.start()
        mesh.settle(2.0)
        assert b.folder.problems.problem_of("large") is not None
    (a.share / "large").unlink()
    a.scan()
    mesh.settle(1.0)
    assert not leftings(b) and not b.store.leftings.all()
    assert together(mesh) == {}


def half_a_file(mesh: Mesh, path: str = "large") -> Device:
    """B has a `.lefting` of a file that only A can give, and A is away."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    held = Held(b, jobs.WriteChunks)
    a.write(path, os.urandom(LARGE_BYTES))
    mesh.scan_all()
    mesh.settle(1.0)
    assert held.jobs
    a.kill()
    b.take(LinkClosed(Link(a.key, Way.CAME), "connection lost"))
    mesh.settle(1.0)
    del b.do
    for job in held.jobs[:1]:
        mesh.submit(b, job)
    for job in held.jobs[1:]:
        b.take(not_written(job))
    mesh.settle(1.0)
    assert leftings(b) and b.folder.applier.idle, "it is to be gone on with"
    return b


def not_written(job: jobs.Job) -> jobs.ChunksWritten:
    """The answer of a job that came too late."""
    assert isinstance(job, jobs.WriteChunks)
    size = len(job.body)
    return jobs.ChunksWritten(job.folder, job.device, job.entry, job.staged, (), (), size)


def test_what_our_own_version_puts_an_end_to_goes_when_that_is_told_above_it(mesh: Mesh) -> None:
    """Seed 700953: the folder is told again, above the file, when A is back: until then the file
    was to win, so its bytes were kept, and nobody asked once more."""
    b = half_a_file(mesh)
    (b.share / "large").mkdir()
    b.scan()
    mesh.settle(2.0)
    mesh.devices["A"].start()
    assert together(mesh)["large"] == ("folder",)
    assert not leftings(b) and not b.store.leftings.all()


def test_what_nobody_has_any_more_goes_when_its_last_holder_has_told_all(mesh: Mesh) -> None:
    """A comes back without its state and the file: no page of it names the path."""
    b, a = half_a_file(mesh), mesh.devices["A"]
    (a.share / "large").unlink()
    for file in a.state.iterdir():
        file.unlink()
    a.start()
    mesh.settle()
    assert together(mesh) == {}
    assert not leftings(b) and not b.store.leftings.all()


def test_what_is_left_is_gone_on_with_when_its_holder_is_back(mesh: Mesh) -> None:
    b, a = half_a_file(mesh), mesh.devices["A"]
    (left,) = leftings(b)
    inode = left.stat().st_ino
    a.start()
    assert set(together(mesh)) == {"large"}
    assert (b.share / "large").stat().st_ino == inode and not leftings(b)


def test_what_is_left_of_a_large_file_is_not_given_to_a_small_one(tmp_path: Path) -> None:
    """Seed 79300693: who has the large file is away; another device has a small one at its path,
    and becomes the maker of what all will have. A small file takes nothing over: nobody was
    responsible for the `.lefting` any more."""
    mesh = Mesh(tmp_path, "ABC")
    mesh.begin()
    b, c = mesh.devices["B"], mesh.devices["C"]
    c.kill()
    half_a_file(mesh)
    c.write("large", b"small", mtime=1e9)
    c.start()
    mesh.settle(2.0)
    assert (b.share / "large").read_bytes() == b"small"
    c.write("large", b"small, and later")
    mesh.scan_all()
    mesh.settle(2.0)
    assert not leftings(b) and not b.store.leftings.all()


@pytest.mark.parametrize("goes", [True, False])
def test_a_large_file_that_lost_bytes_before_a_start_is_fetched_anew(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, goes: bool
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    data = os.urandom(LARGE_BYTES * 5)
    a.write("large", data)
    with monkeypatch.context() as planted:
        planted.setattr(JobRunner, "run", after(jobs.WriteChunks))
        crashes(mesh, b)
    gone_on_with: list[Staged | None] = []
    taken = Leftings.hand_over

    def take(self: Leftings, entry: Entry) -> Staged | None:
        gone_on_with.append(taken(self, entry))
        return gone_on_with[-1]

    with monkeypatch.context() as spoilt:
        spoilt.setattr(Leftings, "hand_over", take)
        spoilt.setattr(lefting, "is_flushed", lambda *_: False)
        if not goes:
            spoilt.setattr(lefting, "discard", fails)
        b.start()
        before_bytes = b.folder.received_bytes
        mesh.settle(5.0)
    assert together(mesh)["large"][1] == data  # type: ignore[index]
    assert b.folder.received_bytes - before_bytes >= len(data)
    assert gone_on_with and not any(gone_on_with)
    mesh.settle(3 * LEFT_RETRY_S)
    assert not leftings(b)


@pytest.mark.parametrize(
    "when",
    ["while no agent runs", "and it is walked first", "and applied", "and the index fails then"],
)
def test_one_in_a_folder_that_its_user_renames_goes_and_a_users_own_stays(
    mesh: Mesh, when: str
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    (a.share / "d").mkdir()
    a.write("d/kept", b"kept")
    assert set(together(mesh)) == {"d", "d/kept"}
    held = Held(b, jobs.Apply)
    a.write("d/f", b"f")
    mesh.scan_all()
    mesh.settle(1.0)
    apply = held.take(jobs.Apply)
    (b.share / "d/mine.lefting").write_bytes(b"a user's")
    assert leftings(b) == [b.share / "d/f.lefting", b.share / "d/mine.lefting"]
    (b.share / "d").rename(b.share / "e")
    if when == "while no agent runs":
        b.kill()
    if when == "and it is walked first":
        b.scan()
        mesh.settle(1.0)
    del b.do
    if when == "while no agent runs":
        b.start()
    else:
        b.take(b.runner.run(apply))
        mesh.settle(1.0)
    if when == "and the index fails then":
        assert not b.store.leftings.all(), "only the agent knows that it is not there"
        with IndexTrap() as trap:
            trap.set(b.index_file, 0, IndexFault.LOCKED)
            a.write("g", b"g")
            a.scan()
            mesh.settle(1.0)
            assert b.folder.stopped is not None
        mesh.settle(90.0)
        assert b.folder.stopped is None
    mesh.scan_all()
    mesh.settle()
    assert {*a.tree()} - {"g"} == {*b.tree()} - {"g", "e/mine.lefting"}
    assert leftings(b) == [b.share / "e/mine.lefting"] and not b.store.leftings.all()
    assert [problem.path for problem in b.folder.problems.all()] == ["e/mine.lefting"]


SHORT = OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@pytest.mark.parametrize("error", [SHORT, IndexFailed(IndexFault.LOCKED, "locked", "index.db")])
@pytest.mark.parametrize("at", ["g", "g.lefting"])
def test_one_that_a_job_made_before_it_had_to_stop_goes_from_a_folder_that_is_renamed(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, error: Exception, at: str
) -> None:
    """Seed 9707108: only the job knew its inode. at: where nobody can tell whether a mount is away:
    at the next file, or at what was made for it and could not be read."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    (a.share / "d").mkdir()
    a.write("d/kept", b"kept")
    assert set(together(mesh)) == {"d", "d/kept"}
    (b.share / "d/mine.lefting").write_bytes(b"a user's")
    checked, made = mount_check.problem, staging.create_lefting

    def check(context: FolderContext, path: str) -> Problem | None:
        if path == at:
            raise error
        return checked(context, path)

    def make(folder: Directory, path: str) -> tuple[File, Staged]:
        is_bad = path == "g" and at == "g.lefting"
        return (one_that_nobody_can_read if is_bad else made)(folder, path)

    held = Held(b, jobs.StageSmall)
    a.write("d/f", b"f")
    a.write("g", b"g")
    mesh.scan_all()
    mesh.settle(1.0)
    if at == "g.lefting":
        b.take(FolderStopped("share", Stop(StopCause.HELD_UP, str(error))))
    with monkeypatch.context() as broken:
        broken.setattr(mount_check, "problem", check)
        broken.setattr(staging, "create_lefting", make)
        b.take(b.runner.run(held.take(jobs.StageSmall)))
    mesh.settle(0.1)
    assert b.folder.stopped is not None and (b.share / "d/f.lefting").exists()
    (b.share / "d").rename(b.share / "e")
    del b.do
    mesh.settle(90.0)
    assert b.folder.stopped is None
    mesh.scan_all()
    mesh.settle()
    assert {*a.tree()} == {*b.tree()} - {"e/mine.lefting"}
    assert leftings(b) == [b.share / "e/mine.lefting"] and not b.store.leftings.all()
    assert [problem.path for problem in b.folder.problems.all()] == ["e/mine.lefting"]


def test_one_whose_name_another_one_got_goes_where_it_is_found(mesh: Mesh) -> None:
    """Seed 8302369: only its row knew its inode, and the row gave way to that of the new one."""
    b, a = half_a_file(mesh, "d/large"), mesh.devices["A"]
    (b.share / "d").rename(b.share / "e")
    (b.share / "d").mkdir()
    a.start()
    mesh.settle(2.0)
    assert (b.share / "d/large").exists(), "it was made anew"
    (b.share / "e/mine.lefting").write_bytes(b"a user's")
    mesh.scan_all()
    mesh.settle()
    assert {"d/large", "e"} <= {*a.tree()} == {*b.tree()} - {"e/mine.lefting"}
    assert leftings(b) == [b.share / "e/mine.lefting"] and not b.store.leftings.all()
    assert [problem.path for problem in b.folder.problems.all()] == ["e/mine.lefting"]


@pytest.mark.parametrize("users", ["mine.lefting", "f.lefting"])
def test_one_that_a_walk_finds_where_its_name_is_about_to_be_used_goes(
    mesh: Mesh, users: str
) -> None:
    """Seed 9530598: both users rename the folder. The walk took it for the one that was being made
    there, which got another name, and nobody looked at it again until the next walk."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    (a.share / "d").mkdir()
    a.write("d/kept", b"kept")
    assert set(together(mesh)) == {"d", "d/kept"}
    (b.share / "d" / users).write_bytes(b"a user's")
    held = Held(b, jobs.Apply)
    a.write("d/f", b"f")
    mesh.scan_all()
    mesh.settle(1.0)
    apply = held.take(jobs.Apply)
    for device in (a, b):
        (device.share / "d").rename(device.share / "e")
    del b.do
    held = Held(b, jobs.StageSmall)
    b.take(b.runner.run(apply))
    a.scan()
    mesh.settle(1.0)
    answers = [b.runner.run(job) for job in held.jobs]
    assert len(leftings(b)) == 3
    b.scan()
    mesh.settle(1.0)
    del b.do
    for answer in answers:
        b.take(answer)
    mesh.settle(2 * LEFT_RETRY_S)
    assert {"e/f", "e/kept"} < {*a.tree()} == {*b.tree()} - {f"e/{users}"}
    assert leftings(b) == [b.share / "e" / users] and not b.store.leftings.all()
    assert b.folder.applier.leftings.deadline() is None


def test_what_got_its_final_name_after_another_one_was_made_is_no_stray(tmp_path: Path) -> None:
    """A user may give that file any name, also the one under which it came."""
    store = Store(tmp_path / "index.db")
    kept = Leftings(FOLDER, IndexView(store), Problems(FOLDER))
    first, moved = Staged("d/f.lefting", 7), Staged("e/f.lefting", 7)
    for walked in (False, True):
        store.leftings.put(Lefting("d/f", first, b"content"))
        store.leftings.put(Lefting("d/f", Staged("d/f.lefting", 8), b"other"))
        if walked:
            kept.found_by_walk([Staged("mine.lefting", 9)])
        kept.files_gone(first)
        assert Work(jobs.Discard(FOLDER, (moved,))) not in kept.found_by_walk([moved])
    store.leftings.put(Lefting("d/f", first, b"content"))
    assert Work(jobs.Discard(FOLDER, (Staged("e/f.lefting", 8),))) in kept.found_by_walk(
        [Staged("e/f.lefting", 8)]
    )
