"""A mount inside a share: when nothing below it counts as changed, when it is believed again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from leftzmq.disk.scan.mounts import CannotTell, Mounts
from leftzmq.disk.scan.walk import TreeWalk, WalkSlice
from leftzmq.errors import ProblemKind
from leftzmq.tree.entry import Kind, ScanKey
from leftzmq.tree.path import sort_key
from tests.sim.disk import Disk, Inode
from tests.sim.fs import Calls, SimRoot
from tests.sim.hands import Hands

NOW_NS = 1_700_000_000_000_000_000
Index = dict[bytes, ScanKey | None]


class Scene:
    """A share with a mount at `in/disk`; what our index has is what was there at the beginning."""

    def __init__(self, *files: str) -> None:
        self.disk = Disk(lambda: NOW_NS)
        self.hands = Hands(self.disk)
        self.hands.make_folders("in/disk")
        self.mounts = Mounts()
        self.bare = self.place("in/disk", 2, self.disk.make(Kind.DIRECTORY, 0o755))
        for file in files:
            self.hands.make_folders(file.rpartition("/")[0])
            self.hands.write(file, file.encode())
        self.index: Index = {}
        self.index = self.everything()

    def place(self, path: str, device: int, tree: Inode | None) -> Inode:
        above, _, name = path.rpartition("/")
        folder = self.hands.at(above)
        assert folder is not None
        return self.disk.mount(folder, name.encode(), device, tree)

    def everything(self) -> Index:
        return {sort_key(path): inode.stat().key() for path, inode in self.hands.tree()}

    def ours(self, after: bytes, limit: int) -> list[tuple[bytes, ScanKey | None]]:
        rows: list[tuple[bytes, ScanKey | None]] = [*sorted(self.index.items())]
        return [row for row in rows if row[0] > after][:limit]

    def walk(self, prefix: str = "") -> WalkSlice:
        return TreeWalk(SimRoot(Calls(self.disk)), "share", prefix, self.ours, self.mounts).step(
            10_000
        )

    def gone_above(self, path: str) -> str | None:
        return self.mounts.gone_above(SimRoot(Calls(self.disk)), path, self.ours)


def gone(part: WalkSlice) -> bool:
    kinds = {(each.path, each.kind) for each in part.problems}
    return kinds == {("in/disk", ProblemKind.MOUNT_GONE)}


@pytest.fixture
def scene() -> Scene:
    scene = Scene("in/disk/a", "in/disk/b/c", "in/z", "y")
    first = scene.walk()
    assert first.came == ("in/disk",) and not first.dirty and not first.problems
    assert scene.mounts.pack() == b"in/disk"
    return scene


def test_a_mount_that_is_there_is_walked_like_a_folder(scene: Scene) -> None:
    scene.hands.write("in/disk/new", b"new")
    scene.hands.delete("in/disk/a")
    part = scene.walk()
    assert part.dirty == ("in/disk/a", "in/disk/new") and not part.problems and not part.came


@pytest.mark.parametrize("prefix", ["", "in", "in/disk"])
def test_below_a_mount_that_is_gone_nothing_counts_as_changed(scene: Scene, prefix: str) -> None:
    tree = scene.place("in/disk", 1, None)
    scene.hands.write("in/disk/stray", b"a user's, on the wrong disk")
    for _ in range(2):
        part = scene.walk(prefix)
        assert gone(part) and not part.dirty and not part.came
    for path in ("in/disk", "in/disk/a", "in/disk/b/c"):
        assert scene.gone_above(path) == "in/disk"
    assert scene.gone_above("in/z") is None
    scene.place("in/disk", 2, tree)
    assert scene.gone_above("in/disk/a") == "in/disk", "a walk finds out"
    part = scene.walk(prefix)
    assert part.came == ("in/disk",) and not part.dirty and not part.problems
    assert scene.gone_above("in/disk/a") is None


def test_a_look_finds_out_before_a_walk_does(scene: Scene) -> None:
    scene.place("in/disk", 1, None)
    assert scene.gone_above("in/disk/a") == "in/disk"


def test_the_folder_itself_may_be_missing(scene: Scene) -> None:
    tree = scene.place("in/disk", 1, None)
    scene.hands.delete("in/disk")
    part = scene.walk()
    assert gone(part) and not part.dirty
    scene.hands.make_folder("in/disk")
    assert gone(scene.walk())
    scene.place("in/disk", 2, tree)
    assert scene.walk().came == ("in/disk",)


def _empty(scene: Scene) -> Inode:
    return scene.disk.make(Kind.DIRECTORY, 0o755)


def _another(scene: Scene) -> Inode:
    tree = _empty(scene)
    scene.disk.change((tree, b"a", scene.disk.make(Kind.FILE, 0o644, b"not what was there")))
    return tree


def _same_folders(scene: Scene) -> Inode:
    tree = _empty(scene)
    scene.disk.change((tree, b"b", _empty(scene)))
    return tree


@pytest.mark.parametrize("other", [_empty, _another, _same_folders])
@pytest.mark.parametrize("device", [2, 3])
def test_another_file_system_in_its_place_is_in_doubt(
    scene: Scene, other: Callable[[Scene], Inode], device: int
) -> None:
    tree = scene.place("in/disk", 1, None)
    assert gone(scene.walk())
    scene.place("in/disk", device, other(scene))
    part = scene.walk()
    assert gone(part) and not part.dirty
    scene.place("in/disk", device, tree)
    assert scene.walk().came == ("in/disk",)


def test_another_device_at_once_is_in_doubt(scene: Scene) -> None:
    scene.place("in/disk", 3, _empty(scene))
    assert scene.gone_above("in/disk/a") == "in/disk"
    assert gone(scene.walk())


def test_what_is_copied_into_the_folder_makes_it_a_folder_like_any_other(scene: Scene) -> None:
    tree = scene.place("in/disk", 1, None)
    assert gone(scene.walk())
    scene.place("in/disk", 1, tree)
    tree.root = False
    part = scene.walk()
    assert part.came == ("in/disk",) and not part.problems and not scene.mounts


def test_something_mounted_on_top_of_what_we_have_is_in_doubt() -> None:
    scene = Scene("y")
    scene.hands.make_folders("plain/deep")
    scene.hands.write("plain/deep/f", b"below")
    scene.index = scene.everything()
    scene.walk()
    below = scene.place("plain", 3, _empty(scene))
    part = scene.walk()
    assert [each.path for each in part.problems] == ["plain"] and not part.dirty
    scene.place("plain", 1, below)
    part = scene.walk()
    assert not part.problems and not part.dirty


def test_a_mount_that_is_missing_at_a_start_is_missed(scene: Scene) -> None:
    tree = scene.place("in/disk", 1, None)
    scene.mounts = Mounts.unpack(scene.mounts.pack())
    assert gone(scene.walk())
    scene.mounts = Mounts.unpack(scene.mounts.pack())
    scene.place("in/disk", 7, tree)  # numbers are given anew at a boot
    part = scene.walk()
    assert not part.problems and not part.dirty


def test_an_empty_mount_of_which_we_have_nothing_is_nothing_special() -> None:
    scene = Scene("y")
    part = scene.walk()
    assert part.came == ("in/disk",) and not part.problems
    scene.place("in/disk", 1, None)
    part = scene.walk()
    assert not part.problems and not scene.mounts


@pytest.mark.parametrize("first", ["walk", "look"])
@pytest.mark.parametrize("other", [_empty, _another, _same_folders])
@pytest.mark.parametrize("device", [2, 3])
def test_another_file_system_put_there_while_no_agent_ran_is_in_doubt(
    scene: Scene, other: Callable[[Scene], Inode], device: int, first: str
) -> None:
    tree = scene.place("in/disk", device, other(scene))
    scene.mounts = Mounts.unpack(scene.mounts.pack())
    if first == "look":
        assert scene.gone_above("in/disk/a") == "in/disk"
    part = scene.walk()
    assert gone(part) and not part.dirty
    scene.place("in/disk", 7, tree)
    part = scene.walk()
    assert part.came == ("in/disk",) and not part.dirty and not part.problems


def test_one_that_is_there_at_a_start_is_no_news(scene: Scene) -> None:
    scene.mounts = Mounts.unpack(scene.mounts.pack())
    assert scene.gone_above("in/disk/b/c") is None
    assert not scene.walk().came


@pytest.mark.parametrize("looked_at", ["plain/new", "plain/deep/f", "plain/in it/too"])
def test_who_comes_before_a_walk_below_what_is_mounted_on_top_is_told(looked_at: str) -> None:
    """What he puts or finds there would be in the index next, and speak for the mount."""
    scene = Scene("y")
    scene.hands.make_folders("plain/deep")
    scene.hands.write("plain/deep/f", b"below")
    scene.index = scene.everything()
    scene.walk()
    below = scene.place("plain", 3, _empty(scene))
    assert scene.gone_above(looked_at) == "plain"
    part = scene.walk()
    assert [each.path for each in part.problems] == ["plain"] and not part.dirty
    scene.place("plain", 1, below)
    assert scene.walk().came == ("plain",)
    assert scene.gone_above("plain/new") is None


def test_a_new_mount_that_a_look_found_is_told_by_the_next_walk() -> None:
    scene = Scene("y")
    scene.mounts = Mounts()
    scene.index = {key: at for key, at in scene.index.items() if not key.startswith(b"in")}
    scene.hands.write("in/disk/new", b"new")
    assert scene.gone_above("in/disk/new") is None
    part = scene.walk()
    assert part.came == ("in/disk",) and not part.problems
    assert not scene.walk().came
    tree = scene.place("in/disk", 1, None)
    assert scene.gone_above("in/disk/new") == "in/disk"
    scene.place("in/disk", 2, tree)
    assert scene.walk().came == ("in/disk",)


def test_a_mount_that_a_look_found_and_that_went_before_a_walk_is_missed() -> None:
    scene = Scene("in/disk/a")
    scene.mounts = Mounts()
    assert scene.gone_above("in/disk/a") is None
    scene.place("in/disk", 1, None)
    assert gone(scene.walk())


def test_a_folder_that_was_there_already_speaks_for_its_mount() -> None:
    """Seed 702078: its stat was not learned when we were to make it."""
    scene = Scene("y")
    scene.hands.make_folder("in/disk/folder")
    key = sort_key("in/disk/folder")
    scene.index = {**scene.everything(), key: None}
    scene.mounts = Mounts()
    part = scene.walk()
    assert part.came == ("in/disk",) and part.dirty == ("in/disk/folder",) and not part.problems
    tree = scene.place("in/disk", 1, None)
    assert gone(scene.walk())
    scene.place("in/disk", 2, tree)
    assert scene.walk().came == ("in/disk",)


@pytest.mark.parametrize("folder", ["in", "in/disk", "in/disk/b"])
def test_whether_it_is_there_cannot_be_told_of_what_cannot_be_opened(
    scene: Scene, folder: str
) -> None:
    inode = scene.hands.at(folder)
    assert inode is not None
    inode.closed = True
    with pytest.raises(CannotTell):
        scene.gone_above("in/disk/b/c")
    inode.closed = False
    assert scene.gone_above("in/disk/b/c") is None
