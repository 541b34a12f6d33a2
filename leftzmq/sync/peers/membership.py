"""Folder membership: what we say of our folders to a device, and what the device proved to us.

Knows secrets and proofs. Must not know links (greeting does), what follows from a greeting
(index_client does), or why a device is excluded (roster/exchange does).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from leftzmq.content.keys import FolderKeys
from leftzmq.errors import Stop, StopCause
from leftzmq.sync.link import DeviceKey
from leftzmq.wire import folder_rows
from leftzmq.wire.folder_rows import Halted, Standing
from leftzmq.wire.messages import MAX_FOLDERS, FolderHello


class Shared(Protocol):
    """What this module needs of a folder: its keys, why it is stopped if it is, and our standing in
    it."""

    @property
    def keys(self) -> FolderKeys: ...

    @property
    def stopped(self) -> Stop | None: ...

    @property
    def paused(self) -> bool: ...

    def standing_for(self, device: DeviceKey) -> Standing: ...


class GoneFolder(Struct, frozen=True):
    """A folder that was taken off this device while the agent ran."""

    keys: FolderKeys
    stop: Stop


class Membership:
    """One per agent. us: our key. folders: by id; may be filled later. nonce: returns 24 fresh
    random bytes. excludes: whether a device was removed from a folder, so that its secret proves
    nothing any more, and nothing is said to it.

    Members of a folder that is stopped or paused are told so, and why. What a device proves of the
    folder meanwhile is kept for when the folder runs again.
    """

    def __init__(
        self,
        us: DeviceKey,
        folders: Mapping[str, Shared],
        nonce: Callable[[], bytes],
        excludes: Callable[[str, DeviceKey], bool],
    ) -> None:
        self._us, self._folders, self._nonce = us, folders, nonce
        self.excludes = excludes
        self._gone: dict[bytes, tuple[str, GoneFolder]] = {}  # by the tag of its secret

    def on_folder_gone(self, id: str) -> None:
        """A folder that was taken off this device is about to go from `folders`. Its members are
        told so as long as this agent runs."""
        folder = self._folders[id]
        assert folder.stopped is not None
        self._gone.pop(folder.keys.tag, None)
        self._gone[folder.keys.tag] = id, GoneFolder(folder.keys, folder.stopped)

    def _named(self) -> dict[str, Shared | GoneFolder]:
        """Return the folders that are named to others; of those that are gone the last ones, as
        many as a greeting has room for. One whose secret a folder has now is back, whatever its
        id."""
        here = {folder.keys.tag for folder in self._folders.values()}
        gone = [
            (id, folder)
            for tag, (id, folder) in self._gone.items()
            if tag not in here and id not in self._folders
        ]
        room = max(0, MAX_FOLDERS - len(self._folders))
        return {**self._folders, **dict(gone[max(0, len(gone) - room) :])}

    @property
    def any(self) -> bool:
        """Whether any folder of ours can be shared now."""
        return any(folder.stopped is None for folder in self._folders.values())

    def said_to(self, device: DeviceKey) -> list[FolderHello]:
        """Return the rows of our hello: of all folders, because only a holder of a secret can
        recognize its row."""
        return self.answered_to(device, self._named())

    def answered_to(self, device: DeviceKey, proved: Collection[str]) -> list[FolderHello]:
        """Return the rows of our welcome: of the folders that the device's hello proved."""
        return [
            folder_rows.row(
                folder.keys, self._us, device, _said_of(id, folder, device), self._nonce()
            )
            for id, folder in self._named().items()
            if id in proved and not self.excludes(id, device)
        ]

    def proved_by(
        self, device: DeviceKey, rows: Iterable[FolderHello]
    ) -> tuple[Standing | Halted, ...]:
        """Return the device's standing in the folders whose secret it holds, one per folder.

        A row of a folder that is not ours, or that was made for or by another device, looks like
        any other bytes here: it is skipped. Raises Refused for a row that proves the secret and is
        otherwise malformed.
        """
        expected = {
            folder_rows.proof_of(folder.keys, device, self._us): (id, folder)
            for id, folder in self._named().items()
            if not self.excludes(id, device)
        }
        found: list[Standing | Halted] = []
        for row in rows:
            match = expected.pop(row.proof, None)
            if match is not None:
                id, folder = match
                found.append(folder_rows.opened(folder.keys, device, self._us, id, row))
        return tuple(found)


def _said_of(id: str, folder: Shared | GoneFolder, device: DeviceKey) -> Standing | Halted:
    if isinstance(folder, GoneFolder):
        return Halted(id, folder.stop.cause)
    if folder.stopped is not None:
        return Halted(id, folder.stopped.cause)
    if folder.paused:
        return Halted(id, StopCause.PAUSED)
    return folder.standing_for(device)
