"""Downloads files of one chunk: many in one frame, many in one job.

Part of the downloader. Knows which device has which file. Sends no requests itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from leftzmq.disk.fs.interface import Buffer
from leftzmq.disk.staging.lefting import lefting_path
from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.lefting_ledger import Lefting
from leftzmq.sync.actions import Outputs, Work
from leftzmq.sync.download.failed_requests import FailedRequests
from leftzmq.sync.download.folder_view import FolderView, asked_of
from leftzmq.sync.facts import FileHeldUp, FileStaged
from leftzmq.sync.jobs import Discard, SmallFile, SmallStaged, StageSmall
from leftzmq.sync.link import DeviceKey
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Staged

GET_BYTES: Final = 768 << 10
GET_FILES: Final = 256
HOME_FILES_A_JOB: Final = 64
LOOK_AHEAD: Final = 512
"""Tickets of one device that are checked before the device counts as having none of them."""

Key = tuple[str, str]  # folder, path


class SmallFiles:
    """`_wanted`: every small ticket of the work window
    `_queue`: those of them that are not requested yet
    `_of`: the part of the queue that each device has, so that no device's tickets wait behind those
        of another device"""

    def __init__(self, folders: Mapping[str, FolderView]) -> None:
        self._folders = folders
        self._wanted: dict[Key, Entry] = {}
        self._new: dict[Key, tuple[Entry, str | None]] = {}
        self._queue: dict[Key, Entry] = {}
        self._of: dict[DeviceKey, dict[Key, None]] = {}
        self._lacking: dict[tuple[DeviceKey, Key], float] = {}
        self._failed_requests: FailedRequests[Key] = FailedRequests()

    @property
    def waits(self) -> bool:
        return bool(self._queue or self._new)

    def has_for(self, device: DeviceKey, folder: str = "") -> bool:
        """Return whether the device may have a file that is not requested yet, of this folder or of
        any."""
        return any(not folder or key[0] == folder for key in self._of.get(device, ()))

    def wanted(self, folder: str, path: str) -> Entry | None:
        """Return the version that is wanted of `path`."""
        return self._wanted.get((folder, path))

    def want(self, folder: str, entry: Entry, home: str | None) -> None:
        key = (folder, entry.path)
        self._wanted[key] = entry
        self._dequeue(key)
        self._new[key] = (entry, home)

    def on_holders_changed(self, folder: str, path: str) -> None:
        """A file that is not requested yet may be requested from other holders."""
        entry = self._queue.get((folder, path))
        if entry is not None:
            self._enqueue((folder, path), entry)

    def forget_device(self, device: DeviceKey) -> None:
        """The device cannot be asked any more."""
        self._of.pop(device, None)

    def not_wanted(self, folder: str, path: str) -> None:
        key = (folder, path)
        self._wanted.pop(key, None)
        self._new.pop(key, None)
        self._dequeue(key)
        self._failed_requests.given(key)

    def forget_folder(self, folder: str) -> None:
        """Nothing of this folder is wanted any more."""
        for key in [key for key in self._wanted if key[0] == folder]:
            self.not_wanted(*key)
        self._lacking = {at: until for at, until in self._lacking.items() if at[1][0] != folder}

    def from_home(self) -> Outputs:
        """Return the jobs for files that need no download: empty files, and content that another
        local file has."""
        jobs: dict[str, list[SmallFile]] = {}
        new, self._new = self._new, {}
        for (folder, path), (entry, home) in new.items():
            if entry.size > 0 and home is None:
                self._enqueue((folder, path), entry)
            elif self._is_being_made(folder, path):
                self._new[folder, path] = entry, home
            else:
                jobs.setdefault(folder, []).append(SmallFile(entry, source=home))
        return [
            self._stage(folder, None, files[at : at + HOME_FILES_A_JOB], b"", b"")
            for folder, files in jobs.items()
            for at in range(0, len(files), HOME_FILES_A_JOB)
        ]

    def next_for(self, device: DeviceKey, room: int) -> Iterator[tuple[str, list[Entry]]]:
        """Yield what to request next from a device: entries of one folder, the first wanted first,
        of at most `room` bytes in total. Yields nothing if it has nothing."""
        return self._choose(device, self._of.get(device, {}), room, room)

    def newest_for(
        self, device: DeviceKey, room: int, most: int
    ) -> Iterator[tuple[str, list[Entry]]]:
        """Yield the same, but the last wanted first, and only one if two have over `most` bytes.
        Behind a limit the queue is long: what is edited now need not wait until thousands of files
        have come."""
        return self._choose(device, reversed(self._of.get(device, {})), room, most)

    def _choose(
        self, device: DeviceKey, keys: Iterable[Key], room: int, most: int
    ) -> Iterator[tuple[str, list[Entry]]]:
        chosen: list[Entry] = []
        folder = ""
        size = 0
        for count, key in enumerate(keys):
            entry = self._queue[key]
            if count >= LOOK_AHEAD or len(chosen) >= GET_FILES:
                break
            if (chosen and key[0] != folder) or not self._has(device, key, entry):
                continue
            if self._is_being_made(*key):
                continue
            size_with = size + entry.size
            if size_with > min(GET_BYTES, room) or (chosen and size_with > most):
                break
            folder, size = key[0], size + entry.size
            chosen.append(entry)
        for entry in chosen:
            self._dequeue((folder, entry.path))
        if chosen:
            yield folder, chosen

    def arrived(
        self,
        folder: str,
        device: DeviceKey,
        boxes: Iterable[SmallFile],
        tag: bytes,
        body: Buffer,
    ) -> Outputs:
        """The contents of files arrived, sealed in the epoch of this tag: stage those that are
        still wanted."""
        files = [
            file for file in boxes if self._wanted.get((folder, file.entry.path)) == file.entry
        ]
        later = [file.entry for file in files if self._is_being_made(folder, file.entry.path)]
        self.request_again(folder, later)
        files = [file for file in files if file.entry not in later]
        return [self._stage(folder, device, files, tag, body)] if files else []

    def on_small_staged(self, fact: SmallStaged, now: float) -> Outputs:
        view = self._folders[fact.folder]
        leftings = view.store.leftings
        out: Outputs = []
        if fact.device is None:
            view.found_at_home(sum(entry.size for entry, _ in fact.staged))
        leftings.put(*(Lefting(e.path, staged, bytes(e.content)) for e, staged in fact.staged))
        leftings.put(*(Lefting(e.path, staged, b"", is_doomed=True) for e, staged in fact.left))
        others = (*fact.bad, *fact.unfound, *(entry for entry, _ in fact.problems))
        meant = (*(entry for entry, _ in fact.staged), *others)
        leftings.intent_over(*(lefting_path(entry.path) for entry in meant))
        for entry, staged in fact.staged:
            if self._wanted.get((fact.folder, entry.path)) == entry:
                self.not_wanted(fact.folder, entry.path)
                out.append(FileStaged(fact.folder, entry, staged, staged in fact.noise))
            else:
                out.append(self._discard(fact.folder, staged))
        out += [self._discard(fact.folder, staged) for _, staged in fact.left]
        self.request_again(fact.folder, (*fact.bad, *fact.unfound))
        for entry, problem in fact.problems:
            # Else another version is wanted by now, and is asked for already (seed 64000390).
            if self._wanted.get((fact.folder, entry.path)) == entry:
                self.not_wanted(fact.folder, entry.path)
                out.append(FileHeldUp(fact.folder, entry, problem))
        return out

    def _is_being_made(self, folder: str, path: str) -> bool:
        """Return whether a job is writing a `.lefting` for another version of this path now, or
        one that was made waits for its deletion. There is never a second `.lefting`: after a kill
        nobody would know which of the two names was a user's already."""
        return self._folders[folder].store.leftings.is_taken(lefting_path(path))

    def _discard(self, folder: str, staged: Staged) -> Work:
        self._folders[folder].store.leftings.doom(staged)
        return Work(Discard(folder, (staged,)))

    def request_again(self, folder: str, entries: Iterable[Entry]) -> None:
        """Request these entries again, if they are still wanted."""
        for entry in entries:
            if self._wanted.get((folder, entry.path)) == entry:
                self._enqueue((folder, entry.path), entry)

    def not_sent(
        self,
        device: DeviceKey,
        folder: str,
        entries: Iterable[Entry],
        until: float,
        since: float,
    ) -> None:
        """Since `since` the device was asked for these and did not send them. It is not asked for
        them before `until`."""
        for entry in entries:
            key = (folder, entry.path)
            self._lacking[device, key] = until
            if self._wanted.get(key) == entry:
                self._failed_requests.asked(key, device, since)

    def not_given(self, now: float) -> Outputs:
        """Return the Problems of files that none of their holders sends. They are forgotten, so
        that others can follow."""
        out: Outputs = []
        for key in self._failed_requests.due(now):
            entry = self._queue.get(key)
            if entry is None or key in self._new:
                continue  # it is being requested, or staged
            view = self._folders[key[0]]
            holders = view.holders(entry)
            if self._failed_requests.nobody_gives(key, holders, now):
                self.not_wanted(*key)
                problem = Problem(*key, ProblemKind.NOT_GIVEN, asked_of(view, holders))
                out.append(FileHeldUp(key[0], entry, problem))
        return out

    def expire(self, now: float) -> None:
        """Allow devices to be asked again for what they lacked a while ago."""
        self._lacking = {k: until for k, until in self._lacking.items() if until > now}

    def _enqueue(self, key: Key, entry: Entry) -> None:
        self._dequeue(key)
        self._queue[key] = entry
        for device in self._folders[key[0]].holders(entry):
            self._of.setdefault(device, {})[key] = None

    def _dequeue(self, key: Key) -> None:
        if self._queue.pop(key, None) is not None:
            for of_device in self._of.values():
                of_device.pop(key, None)

    def _has(self, device: DeviceKey, key: Key, entry: Entry) -> bool:
        if (device, key) in self._lacking:
            return False
        return device in self._folders[key[0]].holders(entry)

    def _stage(
        self,
        folder: str,
        device: DeviceKey | None,
        files: list[SmallFile],
        tag: bytes,
        body: Buffer,
    ) -> Work:
        """Return the job, and record its intent first: a `.lefting` that a crash leaves behind is
        then known as ours."""
        leftings = self._folders[folder].store.leftings
        entries = (file.entry for file in files)
        leftings.intend(*((e.path, lefting_path(e.path), bytes(e.content)) for e in entries))
        return Work(StageSmall(folder, device, tuple(files), tag, body))
