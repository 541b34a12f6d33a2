"""Answers the command line's questions about conflict copies, and carries out the user's decisions.

Knows questions, and the names of devices. Must not know where a copy lies or how it is removed
(jobs do), nor versions: the scheduler finds a user's decision like any local change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from leftzmq.content.keys import device_mark
from leftzmq.disk.apply.resolve import Choice, Resolved, Wish
from leftzmq.sync.actions import Answer, Outputs, Work, declined
from leftzmq.sync.facts import FolderStopped, RescanWanted
from leftzmq.sync.jobs import (
    CopiesListed,
    CopyResolved,
    ListCopies,
    ReadVersions,
    Resolve,
    VersionsRead,
)
from leftzmq.sync.link import DeviceKey
from leftzmq.tree.conflict import read_name
from leftzmq.tree.entry import Entry
from leftzmq.tree.path import sort_key
from leftzmq.tree.version import Life, device_letters
from leftzmq.wire.paging import PAGE_BYTES, PAGE_ITEMS, fitting
from leftzmq.wire.replies import (
    ConflictCopy,
    ConflictPage,
    ConflictResolved,
    ConflictVersion,
    ConflictVersions,
)


class Conflicts:
    """One per agent. devices: returns (key, name) of this one and its peers, which may change."""

    def __init__(self, devices: Callable[[], Iterable[tuple[DeviceKey, str]]]) -> None:
        self._devices = devices
        self._named: tuple[tuple[DeviceKey, str], ...] = ()
        self._by_letters: dict[str, str] = {}
        self._askers: dict[int, tuple[bytes, str, str]] = {}  # asker, folder and path
        self._number = 0

    @property
    def _names(self) -> dict[str, str]:
        """The names of devices by the letters that are in the names of their copies."""
        if (named := tuple(self._devices())) != self._named:
            self._named = named
            self._by_letters = {
                device_letters(Life(device_mark(key) + bytes(8))): name for key, name in named
            }
        return self._by_letters

    def by(self, copy: str) -> str:
        """Return the name of the device that wrote this conflict copy, by the copy's name."""
        name = read_name(copy)
        return "" if name is None else self._names.get(name.device, name.device)

    # -- questions -------------------------------------------------------------------------------

    def ask_list(self, asker: bytes, folder: str, after: str) -> Outputs:
        """Ask for a page of the conflict copies that follow the copy with this path ("": from the
        first one). An answer with `after` is continued by a question with that value."""
        key = sort_key(after) if after else b""
        return [Work(ListCopies(folder, self._asked(asker, folder, after), key))]

    def ask_show(self, asker: bytes, folder: str, path: str) -> Outputs:
        return [Work(ReadVersions(folder, self._asked(asker, folder, path), path))]

    def ask_resolve(self, asker: bytes, folder: str, path: str, wish: Wish) -> Outputs:
        number = self._asked(asker, folder, path)
        return [Work(Resolve(folder, number, path, wish, dict(self._names)))]

    def _asked(self, asker: bytes, folder: str, path: str) -> int:
        self._number += 1
        self._askers[self._number] = (asker, folder, path)
        return self._number

    # -- answers ---------------------------------------------------------------------------------

    def on_copies_listed(self, fact: CopiesListed, now: float) -> Outputs:
        asker, _, _ = self._askers.pop(fact.number)
        found = (self._copy(entry) for entry in fact.copies)
        copies, whole = fitting(found, PAGE_ITEMS, PAGE_BYTES)
        more = bool(fact.after) or not whole
        after = copies[-1].cursor if more else ""
        page = ConflictPage(folder=fact.folder, copies=copies, after=after)
        return [Answer(asker, page.fields())]

    def on_versions_read(self, fact: VersionsRead, now: float) -> Outputs:
        asker, _, path = self._askers.pop(fact.number)
        if not fact.found:
            return [_no(asker, path, Resolved.NO_COPY)]
        versions = [self._version(entry, text) for entry, text in fact.found]
        return [Answer(asker, ConflictVersions(folder=fact.folder, versions=versions).fields())]

    def on_copy_resolved(self, fact: CopyResolved, now: float) -> Outputs:
        if fact.stop is not None:
            return [FolderStopped(fact.folder, fact.stop)]
        asker, _, path = self._askers.pop(fact.number)
        out: Outputs = []
        if fact.copy:  # also if it was changed a moment ago: then it is scanned now
            paths = (fact.copy,) if fact.choice is Choice.FILE else (fact.copy, fact.path)
            out.append(RescanWanted(fact.folder, paths))
        if fact.resolved is Resolved.DONE and fact.choice is not None:
            kept = fact.choice.name.lower()
            done = ConflictResolved(folder=fact.folder, copy=fact.copy, path=fact.path, kept=kept)
            return [*out, Answer(asker, done.fields())]
        return [*out, _no(asker, path, fact.resolved, fact.why or ", ".join(fact.copies))]

    def on_folder_stopped(self, folder: str, why: str) -> Outputs:
        """The folder is stopped: answer its open questions, and ignore later results of their
        jobs."""
        asked = {n: asker for n, (asker, about, _) in self._askers.items() if about == folder}
        for number in asked:
            del self._askers[number]
        return [declined(asker, why, folder) for asker in asked.values()]

    def _copy(self, entry: Entry) -> ConflictCopy:
        name = read_name(entry.path)
        assert name is not None
        return ConflictCopy(
            path=name.path,
            copy=entry.path,
            cursor=entry.path,
            mtime_ns=entry.mtime_ns,
            device=self._names.get(name.device, name.device),
            letters=name.device,
            kind=entry.kind.name.lower(),
            size=entry.size,
        )

    def _version(self, entry: Entry, text: str | None) -> ConflictVersion:
        letters = device_letters(entry.writer)
        return ConflictVersion(
            path=entry.path,
            copy=read_name(entry.path) is not None,
            kind=entry.kind.name.lower(),
            size=entry.size,
            mtime_ns=entry.mtime_ns,
            device=self._names.get(letters, letters),
            letters=letters,
            text=text,
        )


def _no(asker: bytes, path: str, why: Resolved, detail: str = "") -> Answer:
    return declined(asker, f"{why.value}: {detail}" if detail else why.value, path)
