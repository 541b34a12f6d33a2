"""A folder that is held tells nothing and changes nothing, whatever others say. A yes ends that,
and everything goes on as if it had been joined then."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from leftzmq.sync.facts import MessageArrived
from leftzmq.sync.folder import FolderState
from leftzmq.sync.jobs import (
    Apply,
    Discard,
    Job,
    MakeRoom,
    OpenStaging,
    ReadChunks,
    StageSmall,
    SweepTrash,
)
from leftzmq.sync.link import Link, Way
from leftzmq.wire.messages import Ask, Chunks, Get, Want
from tests.helpers.mesh import Device, Mesh
from tests.sim.node import content_id, heads_in

pytestmark = pytest.mark.slow

CHANGES = (Apply, Discard, MakeRoom, OpenStaging, ReadChunks, StageSmall, SweepTrash)
"""Jobs that change a share, or read it for others."""


def everything(device: Device) -> list[tuple[str, int, int, int]]:
    """Path, inode, mtime and ctime of all that is in the share, but for what `.left` holds."""
    found = []
    for root, folders, files in os.walk(device.share):
        if Path(root) == device.share:
            folders.remove(".left")
        for name in [*folders, *files]:
            path = Path(root) / name
            stat = path.lstat()
            ctime_ns = stat.st_ctime_ns
            found.append((str(path), stat.st_ino, stat.st_mtime_ns, ctime_ns))
    return sorted(found)


class World:
    """alpha has files; beta was joined into a directory with files, and is held. jobs: of beta."""

    def __init__(self, base: Path) -> None:
        self.mesh = mesh = Mesh(base, "AB")
        self.a, self.b = a, b = tuple(mesh.devices.values())
        self.jobs: list[Job] = []
        submit = mesh.submit

        def noted(device: Device, job: Job) -> None:
            if device is b:
                self.jobs.append(job)
            submit(device, job)

        mesh.submit = noted  # type: ignore[method-assign, assignment]
        a.write("same", b"same", mtime=1_700_000_000)
        a.write("of alpha/deep", b"of alpha")
        a.write("both", b"what alpha wrote", mtime=1_750_000_000)
        b.write("same", b"same", mtime=1_700_000_000)
        b.write("only here", b"of beta")
        b.write("both", b"what beta wrote", mtime=1_740_000_000)
        a.start()
        mesh.settle(5.0)
        b.held = True

    def joins(self) -> None:
        self.b.start()
        self.mesh.settle()

    def is_merged(self) -> None:
        tree = self.a.tree()
        assert tree == self.b.tree()
        files = {path: found[1] for path, found in tree.items() if found[0] == "file"}  # type: ignore[index]
        assert files["same"] == b"same" and files["only here"] == b"of beta"
        assert files["of alpha/deep"] == b"of alpha"
        assert sorted(content for path, content in files.items() if path.startswith("both")) == [
            b"what alpha wrote",
            b"what beta wrote",
        ]
        assert len(files) == 5


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def heads(device: Device, to: Device) -> set[int]:
    """The sequences of `device` that its messages to `to` named."""
    found: set[int] = set()
    for message in device.sent:
        found.update(heads_in(device, to.key, message))  # type: ignore[arg-type]
    return found


def test_nothing_of_it_is_told_and_nothing_in_it_changes(world: World) -> None:
    before_a = world.a.tree()
    world.b.share.joinpath(".left").mkdir()
    before = everything(world.b)
    pages = world.mesh.publish
    told: list[int] = []

    def noted(device: Device, publish: object) -> None:
        if device is world.b:
            told.append(publish.page.head)  # type: ignore[attr-defined]
            assert publish.page.entries == ()  # type: ignore[attr-defined]
        pages(device, publish)  # type: ignore[arg-type]

    world.mesh.publish = noted  # type: ignore[method-assign, assignment]
    world.joins()
    world.a.write("later", b"written while it is held")
    world.a.scan()
    world.mesh.settle(60.0)
    assert everything(world.b) == before
    assert world.a.tree() == before_a | {"later": world.a.tree()["later"]}
    assert heads(world.b, world.a) == {0} and set(told) == {0}
    assert not [job for job in world.jobs if isinstance(job, CHANGES)]
    assert not [message for message in world.b.sent if isinstance(message, Get)]
    assert world.b.folder.state is FolderState.HELD
    assert world.b.store.ours("only here") is not None, "it is read"
    assert len(world.b.store.rows("later")) == 1, "what others say is heard"


def test_it_gives_nobody_its_bytes(world: World) -> None:
    world.joins()
    wanted = content_id(world.b.keys, b"of beta")
    get = Get(7, world.b.keys.tag, [], [Want(wanted, [Ask(wanted, 0, 7)])])
    link = Link(world.a.key, Way.DIALED)
    world.b.sent.clear()
    world.b.take(MessageArrived(link, get))
    world.mesh.settle(5.0)
    assert not [message for message in world.b.sent if isinstance(message, Chunks)]
    world.b.says_yes()
    world.b.take(MessageArrived(link, get))
    world.mesh.settle(0.0)
    assert [message for message in world.b.sent if isinstance(message, Chunks)]


def test_after_a_yes_all_is_merged_and_both_versions_are_kept(world: World) -> None:
    world.joins()
    world.b.says_yes()
    world.mesh.settle()
    world.is_merged()
    assert world.b.folder.state is FolderState.IDLE


def test_many_more_files_than_news_has_room_for_are_told_after_a_yes(world: World) -> None:
    for number in range(200):
        world.b.write(f"many/{number}", b"of beta %d" % number)
    world.joins()
    assert len(world.a.tree()) == 4
    world.b.says_yes()
    world.mesh.settle()
    assert world.a.tree() == world.b.tree() and len(world.a.tree()) == 4 + 1 + 200 + 2


def test_a_restart_holds_it_still_and_a_yes_after_that_tells_all(world: World) -> None:
    world.joins()
    before = everything(world.b)
    world.b.kill()
    world.mesh.settle(5.0)
    world.b.sent.clear()
    world.joins()
    assert everything(world.b) == before and heads(world.b, world.a) == {0}
    assert world.b.folder.state is FolderState.HELD
    world.b.says_yes()
    world.mesh.settle()
    world.is_merged()


def test_what_is_written_and_deleted_while_it_is_held_counts_after_the_yes(world: World) -> None:
    world.joins()
    world.b.write("only here", b"edited")
    (world.b.share / "both").unlink()
    world.b.scan()
    world.mesh.settle()
    assert "only here" not in world.a.tree()
    world.b.says_yes()
    world.mesh.settle()
    assert world.a.tree() == world.b.tree()
    assert (world.a.share / "only here").read_bytes() == b"edited"
    assert (world.a.share / "both").read_bytes() == b"what alpha wrote"


def test_bytes_that_were_deleted_elsewhere_stay_until_the_yes(world: World) -> None:
    world.a.write("gone", b"old")
    world.a.scan()
    world.mesh.settle()
    (world.a.share / "gone").unlink()
    world.a.scan()
    world.mesh.settle()
    world.b.write("gone", b"old")
    world.b.start_and_walk_last()
    assert (world.b.share / "gone").exists()
    world.b.says_yes()
    world.mesh.settle()
    assert not (world.b.share / "gone").exists() and world.a.tree() == world.b.tree()


def test_who_asks_whether_it_is_in_sync_hears_that_it_is_held(world: World) -> None:
    world.joins()
    (shown,) = world.mesh.ask(world.b, "status")["folders"]
    assert shown["state"] == "held" and "leftzmq join" in shown["why"]
    asked = world.mesh.ask(world.b, "wait", timeout=0.5)
    assert not asked["in_sync"] and "leftzmq join" in asked["why"]
    (member,) = world.mesh.ask(world.a, "status")["folders"][0]["members"]
    assert member["state"] != "in sync"


@pytest.mark.parametrize("restarts", [False, True])
def test_what_only_this_device_has_is_told_though_nothing_else_follows(
    tmp_path: Path, restarts: bool
) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    b.write("only here", b"of beta")
    b.held = True
    a.start()
    b.start()
    mesh.settle()
    if restarts:
        b.kill()
        b.start()
        mesh.settle()
    assert a.tree() == {}
    b.says_yes()
    mesh.settle(5.0)
    assert a.tree() == b.tree() and len(a.tree()) == 1


def test_a_directory_without_anything_that_can_be_synced_is_held_too(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    b.share.mkdir()
    os.mkfifo(b.share / "pipe")
    b.held = True
    a.start()
    b.start()
    mesh.settle()
    (member,) = mesh.ask(a, "status")["folders"][0]["members"]
    assert member["state"] == "reading"
    assert not mesh.ask(b, "wait", timeout=0.5)["in_sync"] and not b.folder.at_rest
    b.says_yes()
    mesh.settle(5.0)
    (member,) = mesh.ask(a, "status")["folders"][0]["members"]
    assert member["state"] == "in sync"


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("conflicts resolve", {"path": "both", "choice": "file"}),
        ("trash restore", {"path": "both"}),
        ("accept", {}),
        ("revert", {}),
    ],
)
def test_no_command_changes_it(world: World, verb: str, fields: dict[str, str]) -> None:
    world.joins()
    declined = world.mesh.ask(world.b, verb, **fields)["declined"]
    assert "is held" in declined["what"]


def test_a_yes_that_comes_while_the_folder_is_stopped_counts_when_it_goes_on(
    world: World,
) -> None:
    world.joins()
    moved = world.b.share.rename(world.b.share.with_name("away"))
    world.b.scan()
    world.mesh.settle(1.0)
    assert world.b.folder.state is FolderState.STOPPED
    world.jobs.clear()
    world.b.says_yes()
    assert not world.jobs
    moved.rename(world.b.share)
    world.mesh.settle(120.0)
    world.is_merged()


def test_time_alone_wakes_nobody(world: World) -> None:
    world.joins()
    awake: Callable[[], float] = lambda: world.b.node.deadline(world.mesh.now)  # noqa: E731
    assert world.b.folder.applier.deadline(world.mesh.now) is None
    assert awake() > world.mesh.now
    assert world.b.folder.applier.on_time_passed(1e9) == []
