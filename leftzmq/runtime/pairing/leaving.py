"""A folder leaves this device again, after its user said no to the plan of a join.

Knows who is told first, when the folder goes, and the files that its join made. Must not know how a
question for that looks. The user's files are never touched.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from msgspec.structs import replace

from leftzmq.content.keys import derive_keys
from leftzmq.disk.share import remove_marker
from leftzmq.errors import LeftError, UsageError
from leftzmq.pairing.learnt import JoinMade, Learnt, LearntFolder
from leftzmq.pairing.roster_store import RosterStore
from leftzmq.runtime.pairing.host import TellsRoster
from leftzmq.runtime.pairing.learnt_file import LearntFile, write_learnt
from leftzmq.statedir import StateDir, read_secret
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.rosters import Rosters

LEAVE_S: Final = 1.0
"""Those who are connected hear that this device leaves before its connections end."""
LEAVE_AGAIN_S: Final = 10.0


class LeavingHost(TellsRoster, Protocol):
    def close_share(self, folder: str) -> None:
        """The folder is about to go: nothing looks into its directory any more."""


def held_folder(learnt: Learnt, id: str) -> LearntFolder:
    """Return the folder, which waits for an answer to the plan of its join. Raises UsageError."""
    folder = learnt.folder(id)
    if folder is None or not folder.held:
        raise UsageError("no plan waits for an answer in this folder", id)
    if folder.leaves:
        raise UsageError("is being left, as its user said no", id)
    return folder


class Leaving:
    """The folders that are about to go. One per agent. clock: returns monotonic seconds."""

    def __init__(
        self,
        host: LeavingHost,
        state: StateDir,
        file: LearntFile,
        rosters: Rosters,
        clock: Callable[[], float],
    ) -> None:
        self._host, self._state, self._file = host, state, file
        self._rosters, self._clock = rosters, clock
        self._due: dict[str, float] = {}  # when these folders go

    def leave(self, folder: LearntFolder) -> None:
        """Say that this device is out, then let the members hear it before the folder goes. Raises
        OSError and LeftError: then the folder stays, or if that cannot be written either, it goes
        without a word to the members."""
        self._file.save(self._file.learnt.with_folder(replace(folder, leaves=True)))
        try:
            self._rosters.leave(folder.id)
        except LeftError:
            self._stay(folder)
            raise
        self._due[folder.id] = self._clock() + LEAVE_S
        self._host.tell_roster(folder.id)

    def tick(self) -> None:
        """Folders that are due go. What cannot be removed now is tried again."""
        now = self._clock()
        for id in [id for id, at in self._due.items() if now >= at]:
            self._go(id)

    def deadline(self) -> float | None:
        """Return when `tick` has something to do (monotonic seconds)."""
        return min(self._due.values(), default=None)

    def _stay(self, folder: LearntFolder) -> None:
        """Take back that the folder is about to go. If that cannot be written, it goes."""
        try:
            self._file.save(self._file.learnt.with_folder(folder))
        except (LeftError, OSError):
            self._due[folder.id] = self._clock() + LEAVE_AGAIN_S

    def _go(self, id: str) -> None:
        """Take off this device what the join of a folder made. What cannot be removed now is tried
        again, also at the next start. Last, the folder is no more."""
        folder = self._file.learnt.folder(id)
        assert folder is not None
        try:
            self._host.close_share(id)
            remove_made(self._state, folder)
            is_needed = self._rosters.is_in_another(DeviceKey(folder.inviter), id)
            if JoinMade.SECRET in folder.made:
                self._rosters.forget_folder(id)
            self._file.save(self._file.learnt.without_joined(id, is_needed=is_needed))
        except (LeftError, OSError):
            self._due[id] = self._clock() + LEAVE_AGAIN_S
        else:
            del self._due[id]


def remove_made(state: StateDir, folder: LearntFolder) -> None:
    """Remove what the join of this folder made. What is gone already is passed over, so a removal
    that was cut off can be done again. Raises OSError and ShareError."""
    if JoinMade.INDEX in folder.made:
        file = state.index_file(folder.id)
        for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
            path.unlink(missing_ok=True)
    if JoinMade.LEFT in folder.made:
        remove_marker(folder.path, folder.id)
    if JoinMade.SECRET in folder.made:
        state.secret_file(folder.id).unlink(missing_ok=True)


def finish(state: StateDir, learnt: Learnt, rosters: RosterStore) -> tuple[Learnt, list[str]]:
    """At a start of the agent: take off the folders that were about to go when the last one ended.
    Return what stays, and a sentence for each that could not go: it is held again."""
    said: list[str] = []
    for folder in [one for one in learnt.folders if one.leaves]:
        try:
            with suppress(FileNotFoundError):
                rosters.forget(derive_keys(read_secret(state.secret_file(folder.id))).tag)
            remove_made(state, folder)
            after = learnt.without_joined(folder.id, is_needed=learnt.has_joined_besides(folder.id))
            write_learnt(state, after)
        except (LeftError, OSError) as error:
            said.append(f"{folder.id} cannot be taken off this device: {error}")
            learnt = learnt.with_folder(folder.held_again())
        else:
            learnt = after
    return learnt, said
