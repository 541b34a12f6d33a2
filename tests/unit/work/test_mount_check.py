"""Looks and operations that come to a mount before a walk does: it is held against our index first
(I11). Over a simulated disk, with a real index."""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.content.epochs import Epochs
from leftzmq.content.keys import derive_keys
from leftzmq.disk.apply.outcome import Ending
from leftzmq.disk.scan.mounts import Mounts
from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.store import Store
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.local_changes import found
from leftzmq.tree.entry import Entry, Kind, Observed, local_change
from leftzmq.tree.plan import Operation, Verb
from leftzmq.work import mount_check
from leftzmq.work.folder_context import FolderContext
from tests.sim.disk import Disk, Inode
from tests.sim.fs import Calls, SimRoot
from tests.sim.hands import Hands
from tests.sim.node import FOLDER, SECRET

KEYS = derive_keys(SECRET)
GONE = Problem(FOLDER, "plain", ProblemKind.MOUNT_GONE, "plain/f")


class Scene:
    """A share with the folder `plain`; our index has what is in it. known: it is a mount, too"""

    def __init__(self, state: Path, *, known: bool) -> None:
        self.disk = Disk(lambda: 0)
        self.hands = Hands(self.disk)
        self.hands.make_folder("plain")
        if known:
            self.place(2, self.disk.make(Kind.DIRECTORY, 0o755))
        self.hands.write("plain/f", b"below")
        store = Store(state / "index.db")
        store.begin_life(bytes(12))
        index_view = IndexView(store)
        for path, inode in self.hands.tree():
            key = inode.stat().key()
            seen = Observed(path, key.kind, key.size, key.mtime_ns, False, bytes(inode.data), 0)
            assert isinstance(found(index_view, seen, key), Entry)
        store.commit()
        self.context = FolderContext(
            FOLDER,
            SimRoot(Calls(self.disk)),
            KEYS,
            Epochs(KEYS.first),
            store.file,
            b"A",
            lambda: None,
            mounts=Mounts(["plain"] if known else ()),
        )

    def place(self, device: int, tree: Inode | None) -> Inode:
        assert self.disk.top is not None
        return self.disk.mount(self.disk.top, b"plain", device, tree)

    def look(self) -> Sighting:
        inode = self.hands.at("plain/f")
        seen = Sighting("plain/f", Sight.GONE if inode is None else Sight.FOUND)
        (out,) = mount_check.believed(self.context, [seen])
        return out

    def make(self) -> Ending:
        entry = local_change(Observed("plain/made", Kind.DIRECTORY), None, b"B" * 12, 1)
        operation = Operation(Verb.MAKE_DIRECTORY, entry)
        (outcome,) = mount_check.carried_out(self.context, [operation], 0)
        return outcome.ending


@pytest.mark.parametrize("first", ["look", "operation"])
@pytest.mark.parametrize("known", [False, True])
def test_of_another_file_system_nothing_is_believed_and_nothing_is_written_there(
    tmp_path: Path, known: bool, first: str
) -> None:
    """known: it was a mount when the agent ran last, and no walk of this run has passed it."""
    scene = Scene(tmp_path, known=known)
    below = scene.place(3, scene.disk.make(Kind.DIRECTORY, 0o755))
    if first == "operation":
        assert scene.make() is Ending.FAILED
    assert scene.look() == Sighting("plain/f", Sight.PROBLEM, problem=GONE)
    scene.hands.write("plain/f", b"another")
    assert scene.look() == Sighting("plain/f", Sight.PROBLEM, problem=GONE)
    assert scene.make() is Ending.FAILED and scene.hands.at("plain/made") is None
    scene.place(1, below)


@pytest.mark.parametrize("device", [2, 3])
def test_the_one_that_we_know_is_worked_at_before_a_walk_passes_it(
    tmp_path: Path, device: int
) -> None:
    """Device numbers are given anew at a boot."""
    scene = Scene(tmp_path, known=True)
    tree = scene.place(1, None)
    scene.place(device, tree)
    assert scene.look().sight is Sight.FOUND
    assert scene.make() is Ending.DONE


def test_a_mount_of_which_we_have_nothing_is_worked_at(tmp_path: Path) -> None:
    scene = Scene(tmp_path, known=False)
    scene.hands.make_folder("plain/new")
    tree = scene.disk.make(Kind.DIRECTORY, 0o755)
    above = scene.hands.at("plain")
    assert above is not None
    scene.disk.mount(above, b"new", 3, tree)
    entry = local_change(Observed("plain/new/made", Kind.DIRECTORY), None, b"B" * 12, 1)
    (outcome,) = mount_check.carried_out(scene.context, [Operation(Verb.MAKE_DIRECTORY, entry)], 0)
    assert outcome.ending is Ending.DONE and tree.children
    assert "plain/new" in scene.context.mounts and "plain" not in scene.context.mounts
