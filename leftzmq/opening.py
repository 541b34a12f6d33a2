"""Opening a folder: secret, index, share, life, watcher and the ground that its jobs stand on.

Knows the order of these, and what stops a folder before it begins (I11). Must not know sockets,
nor what is done with an open folder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leftzmq.bus.ground import Ground
from leftzmq.config import FolderConfig
from leftzmq.content.keys import derive_keys, device_mark
from leftzmq.disk.mounts import Mounts
from leftzmq.disk.share import Share
from leftzmq.disk.watcher import Report, Watcher
from leftzmq.errors import KeyFileError, ShareError
from leftzmq.index.store import Store
from leftzmq.statedir import StateDir, make_secret, read_secret
from leftzmq.sync.folder import Folder
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.mounting import MOUNTS
from leftzmq.sync.peers import Peers
from leftzmq.tree.version import make_life

_TOKEN: Final = "share token"


@dataclass(frozen=True, slots=True)
class Opening:
    """What all folders of an agent are opened with.

    device: our own; listed: the keys of paired devices
    report: called in a watcher's thread with the folder's id
    opened: what is opened here is closed by it, the last first
    """

    state: StateDir
    device: DeviceKey
    listed: Collection[bytes]
    peers: Peers
    report: Callable[[str, Report], None]
    opened: ExitStack

    def open(self, config: FolderConfig, adopting: bool) -> tuple[Folder, Ground | None]:
        """The folder, watched from now on; without a ground where its share is not the one we
        know: then it is stopped, and says why."""
        file = self.state.index_file(config.id)
        if adopting:
            # The share is as it should be, whatever we remember: a new index.
            for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
                path.unlink(missing_ok=True)
        is_new = not file.exists() and not config.secret.exists()
        keys = derive_keys(_secret_of(config, is_new))
        store = Store(file)
        self.opened.callback(store.close)
        self._forget_unlisted(store)
        folder = Folder(config.id, keys, self.device, store, self.peers)
        try:
            share = _open_share(config, store.meta(_TOKEN), adopting)
        except ShareError as error:
            folder.stop(str(error))
            return folder, None
        self.opened.callback(share.close)
        store.put_meta(_TOKEN, share.token)
        life = make_life(device_mark(self.device), int(time.time()), os.urandom(4))
        store.begin_life(life)
        watcher = Watcher(config.path, lambda report: self.report(config.id, report))
        self.opened.callback(watcher.stop)
        watcher.start()
        return folder, Ground(
            config.id,
            share.root,
            keys,
            store.file,
            self.device,
            share.still_there,
            lambda: watcher.watches,
            config.limits,
            share.lacks,
            Mounts.unpack(store.meta(MOUNTS)),
        )

    def _forget_unlisted(self, store: Store) -> None:
        """What devices that are not our peers any more have said counts for nothing. Before the
        folder's rows are counted, so that they are counted once."""
        for key in [head.key for head in store.heads.known() if head.key not in self.listed]:
            store.heads.forget(key)
        swept = [b for key in store.heads.swept_keys() for b in store.heads.to_sweep(key)]
        if swept:
            store.sweep(*swept)
        store.commit()


def _secret_of(config: FolderConfig, is_new: bool) -> bytes:
    """The folder's secret; made only while the state does not know the folder."""
    if is_new:
        return make_secret(config.secret)
    try:
        return read_secret(config.secret)
    except FileNotFoundError as error:
        raise KeyFileError(
            "the folder's secret is missing",
            str(config.secret),
            "restore it, or copy it from another device of this folder",
        ) from error


def _open_share(config: FolderConfig, token: bytes | None, adopting: bool) -> Share:
    """Raises ShareError where the share is not the one of this token, unless it is adopted."""
    if adopting:
        return Share.adopt(config.path, config.id)
    return Share.open(config.path, config.id, token, token is None)
