"""`leftzmq modes adopt`: tells the modes of this device once, above what any other device said.

Nothing is told of the modes of what was there before they were told at all. This makes what is here
everybody's.

Knows folders, with the stats of the last looks. Must not know what others make of a mode.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Final

from msgspec import Struct

from leftzmq.index.rows import ours_of
from leftzmq.sync.actions import Answer, Outputs, declined
from leftzmq.sync.folder import Folder
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.tree.path import keys_below, path_of_key
from leftzmq.tree.permissions import Permissions, higher
from leftzmq.wire.replies import ModesAdopted

A_TURN: Final = 64  # paths (about 60 us each)


class _Adopting(Struct):
    """top: the path itself, until it is passed; "": none. after: the sort key of the path that was
    passed last. paths: how many modes were told"""

    asker: bytes
    folder: str
    top: str
    after: bytes
    end: bytes
    paths: int = 0


class ModeAdoption:
    """One per agent; one adoption after the other. folders: those that run, by id"""

    def __init__(self, folders: Mapping[str, Folder]) -> None:
        self._folders = folders
        self._open: deque[_Adopting] = deque()

    def ask(self, asker: bytes, folder: str, path: str) -> Outputs:
        """Begin with what this device has at `path` and below it; "": with everything. It is
        answered when all is told."""
        low, high = keys_below(path)
        self._open.append(_Adopting(asker, folder, path, low, high))
        return []

    def on_folder_stopped(self, folder: str, why: str) -> Outputs:
        """Answer those who wait for this folder."""
        gone = [each for each in self._open if each.folder == folder]
        for each in gone:
            self._open.remove(each)
        return [declined(each.asker, why, folder) for each in gone]

    def deadline(self, now: float) -> float | None:
        return now if self._open else None

    def on_time_passed(self) -> Outputs:
        if not self._open:
            return []
        adopting = self._open[0]
        folder = self._folders.get(adopting.folder)
        if folder is None or folder.stopped is not None:
            return self.on_folder_stopped(adopting.folder, "the folder is not there any more")
        return folder.within(partial(self._step, adopting, folder))

    def _step(self, adopting: _Adopting, folder: Folder) -> Outputs:
        view = folder.index_view
        keys = view.store.alive_after(adopting.after, A_TURN, adopting.end)
        paths = [path_of_key(key) for key, _ in keys]
        view.recall(paths)
        adopting.paths += sum(_adopt(view, path) for path in (adopting.top, *paths) if path)
        adopting.top = ""
        if keys:
            adopting.after = keys[-1][0]
            return []
        self._open.popleft()
        answer = ModesAdopted(folder=folder.id, paths=adopting.paths)
        return [Answer(adopting.asker, answer.fields())]


def _adopt(view: IndexView, path: str) -> bool:
    """Returns whether the mode that is here is not what all devices were told already."""
    rows = view.rows(path)
    ours = ours_of(rows)
    if ours is None or ours.entry.deleted or ours.entry.is_private or ours.scan is None:
        return False
    if view.held.at(path) is not None:
        return False  # what lies there is another version
    known: Permissions | None = None
    for row in rows:
        if row.entry.kind is ours.entry.kind and not row.entry.is_private:
            known = higher(known, row.entry.permissions)
    register = view.author.adopted(ours.scan, known)
    if register is None:
        return False
    entry = ours.entry.with_register(register)
    view.set_ours(rows, entry, view.next_sequence(), ours.scan, ours.noise)
    return True
