"""What the runner keeps of a folder from job to job, when another folder has its id afterwards."""

from __future__ import annotations

import random
from pathlib import Path

from leftzmq.content.cut import Cutter
from leftzmq.content.epochs import Epochs
from leftzmq.content.keys import FolderKeys, derive_keys
from leftzmq.index.store import Store
from leftzmq.sync.jobs import CutSlice, SliceCut
from leftzmq.tree.entry import ScanKey
from leftzmq.work.folder_context import FolderContext
from leftzmq.work.runner import JobRunner
from tests.sim.disk import Disk
from tests.sim.fs import Calls, SimRoot
from tests.sim.hands import Hands

ID = "share"
DATA = random.Random(5).randbytes(3 << 20)


class Folder:
    """A share with one large file, and what its jobs work on."""

    def __init__(self, index: Path, secret: bytes) -> None:
        disk = Disk(lambda: 0)
        hands = Hands(disk)
        hands.write("large", DATA)
        self.key = next(inode.stat().key() for path, inode in hands.tree() if path == "large")
        self.keys = derive_keys(secret)
        root = SimRoot(Calls(disk))
        store = Store(index)
        store.begin_life(bytes(12))
        store.commit()
        self.context = FolderContext(
            ID, root, self.keys, Epochs(self.keys.first), store.file, b"A", lambda: None
        )


def first_cuts(runner: JobRunner, key: ScanKey) -> list[int]:
    answer = runner.run(CutSlice(ID, "large", key, 0))
    assert isinstance(answer, SliceCut)
    rows = answer.slice.rows
    return [int.from_bytes(rows[at + 32 : at + 36], "big") for at in range(0, len(rows), 36)]


def cuts_of(keys: FolderKeys, count: int) -> list[int]:
    return Cutter(keys).cut(memoryview(DATA), last=True)[:count]


def test_another_folder_of_the_same_id_is_cut_by_its_own_secret(tmp_path: Path) -> None:
    runner = JobRunner()
    one, other = (Folder(tmp_path / f"{n}.db", bytes([n]) * 32) for n in (1, 2))
    for folder in (one, other, one):
        runner.add(folder.context)
        cuts = first_cuts(runner, folder.key)
        assert cuts == cuts_of(folder.keys, len(cuts)) and len(cuts) > 1
    assert cuts_of(one.keys, 4) != cuts_of(other.keys, 4)
