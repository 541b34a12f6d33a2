"""Questions about the folders of this device: share one more, list them, set how one is synced, or
take one off.

Knows what is learnt of a folder that is shared here. Must not know how a folder is opened, nor how
one is joined.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace

from leftzmq.config import Config, FolderConfig, with_settings
from leftzmq.config.checks import check_share
from leftzmq.disk.share import folder_in
from leftzmq.errors import UsageError
from leftzmq.pairing.invitations import Invitations
from leftzmq.pairing.learnt import SETTINGS_OF, LearntFolder, Origin
from leftzmq.runtime.pairing.asked_fields import AskedFields
from leftzmq.runtime.pairing.host import KnowsConfig
from leftzmq.runtime.pairing.learnt_file import LearntFile
from leftzmq.runtime.pairing.leaving import Leaving, held_folder
from leftzmq.runtime.pairing.local_folders import (
    check_id,
    check_marker,
    check_no_file,
    folder_named,
    fresh_id,
    make_share,
)
from leftzmq.statedir import StateDir, make_secret
from leftzmq.wire.replies import (
    FolderList,
    FolderRemoved,
    FolderSettings,
    ListedFolder,
    PlaceShown,
    SharedFolder,
)


class FolderHost(KnowsConfig, Protocol):
    @property
    def written(self) -> Config:
        """peer.toml alone."""

    def folder_state(self, id: str) -> str: ...


class FolderVerbs:
    """Each method answers one verb. wall: returns unix seconds; random: returns random bytes"""

    def __init__(
        self,
        host: FolderHost,
        state: StateDir,
        file: LearntFile,
        invitations: Invitations,
        leaving: Leaving,
        clock: Callable[[], float],
        wall: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._host, self._state, self._file = host, state, file
        self._invitations, self._leaving = invitations, leaving
        self._clock, self._wall, self._random = clock, wall, random

    def share(self, asked: AskedFields) -> SharedFolder:
        path, id = Path(asked.text("path")), asked.optional("id")
        config = self._host.config
        for folder in config.folders:
            if folder.path == path:
                if id and id != folder.id:
                    what = f"is shared already, as {folder.id}"
                    raise UsageError(what, str(path), "leave out --folder")
                return SharedFolder(folder=folder.id, path=str(path), is_new=False)
        check_share(config, path, "the share")
        check_no_file(path)
        id = id or folder_in(path) or ""
        check_id(config, id)
        id = id or fresh_id(path, self._random)
        check_marker(path, id)
        make_share(path)
        shared = LearntFolder(id, path, Origin.SHARED, self._wall())
        with self._file.new_secret(id) as secret:
            make_secret(secret, self._random)
            self._file.save(self._file.learnt.with_folder(shared))
        return SharedFolder(folder=id, path=str(path), is_new=True)

    def place(self, asked: AskedFields) -> PlaceShown:
        """Say whether a share can lie at a path. Declines if not."""
        path, config = Path(asked.text("path")), self._host.config
        here = next((one.id for one in config.folders if one.path == path), "")
        if not here:
            check_share(config, path, "the share")
        held = self._file.learnt.folder(here)
        if held is None or not held.held:
            return PlaceShown(folder=here, held=False, inviter="")
        inviter = next((peer.name for peer in config.peers if peer.key == held.inviter), "")
        return PlaceShown(folder=here, held=True, inviter=inviter)

    def list_all(self, asked: AskedFields) -> FolderList:
        config = self._host.config
        places = [(one.id, str(one.path)) for one in config.folders]
        places += [(one.id, one.path) for one in config.unusable]
        return FolderList(
            folders=[
                ListedFolder(
                    id=id,
                    path=path,
                    state=self._host.folder_state(id),
                    origin=self._origin(id).value,
                    settings=self._settings(id),
                )
                for id, path in places
            ]
        )

    def _settings(self, id: str) -> list[str]:
        learnt = self._file.learnt.folder(id)
        return [] if learnt is None else lines_of(learnt.settings)

    def set(self, asked: AskedFields) -> FolderSettings:
        """Set, or take back, what else a [[folder]] would say. It holds at once, where the same key
        would by a reload."""
        config, learnt, id = self._host.config, self._file.learnt, asked.text("folder")
        folder = learnt.folder(id)
        if folder is None or id in {one.id for one in self._host.written.folders}:
            folder_named(config, id)
            raise UsageError(
                f"is written in {config.file}", id, "set it there, and `leftzmq reload`"
            )
        changed = {**folder.settings, **asked.settings("changes")}
        settings = {key: value for key, value in changed.items() if value is not None}
        with_settings(FolderConfig(id, folder.path, Path()), settings, SETTINGS_OF)
        if settings != folder.settings:
            self._file.save(learnt.with_changed_folder(replace(folder, settings=settings)))
        return FolderSettings(folder=id, settings=lines_of(settings))

    def _origin(self, id: str) -> Origin:
        learnt = self._file.learnt.folder(id)
        return Origin.FILE if learnt is None else learnt.origin

    def remove(self, asked: AskedFields) -> FolderRemoved:
        """Its files, its secret and its index stay: who joins it here again goes on."""
        config, learnt = self._host.config, self._file.learnt
        id = asked.text("folder")
        unusable = next((one for one in config.unusable if one.id == id), None)
        folder = unusable or folder_named(config, id)
        if learnt.folder(folder.id) is None:
            do = "take its [[folder]] out there, and `leftzmq reload`"
            raise UsageError(f"is written in {config.file}", folder.id, do)
        self._invitations.cancel(folder.id, self._clock())
        if learnt.holds(folder.id) and unusable is None:
            self._leaving.leave(held_folder(learnt, folder.id))
        else:
            self._file.save(learnt.without_folder(folder.id))
        return FolderRemoved(folder=folder.id, path=str(folder.path))


def lines_of(settings: Mapping[str, Any]) -> list[str]:
    """As they would stand in peer.toml. What JSON writes of such a value is TOML, too."""
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in settings.items()}
    return [f"{key} = {text}" for key, text in sorted(texts.items())]
