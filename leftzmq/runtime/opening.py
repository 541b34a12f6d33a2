"""Opens a folder: secret, index, share, life, watcher and the folder context of its jobs.

Knows the order of these, and what stops a folder before it begins (I11), both at a start of the
agent and when the reason for a stop has passed. Must not know sockets, nor what is done with an
open folder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import Struct

from leftzmq.config import FolderConfig
from leftzmq.content.epochs import Epochs
from leftzmq.content.keys import FolderKeys, device_mark
from leftzmq.disk.scan.mounts import Mounts
from leftzmq.disk.share import Share, cannot_be_used
from leftzmq.disk.watcher import Report, Watcher
from leftzmq.errors import IndexFailed, ShareError, Stop, StopCause
from leftzmq.index.store import Store
from leftzmq.runtime.folder_secrets import folder_keys
from leftzmq.statedir import StateDir
from leftzmq.sync.facts import LocalRulesSet
from leftzmq.sync.folder import Folder
from leftzmq.sync.guard.hold import Hold
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.greeting import Peers
from leftzmq.sync.scan.mount_polls import MOUNTS
from leftzmq.tree.version import Life, make_life
from leftzmq.work.folder_context import FolderContext
from leftzmq.work.unflushed_names import UnflushedNames

_TOKEN: Final = "share token"

Reporter = Callable[[Report], None]
"""Called in a watcher's thread."""


class Opening(Struct, frozen=True):
    """What all folders of an agent are opened with.

    device: our own; listed: the keys of paired devices
    epochs: returns the epochs of the folder with these keys
    reporter: for a folder's id, returns the function that receives the reports about its share from
        now on, in place of the earlier one
    is_held: whether a folder is held until its user answers the plan of its join
    """

    state: StateDir
    device: DeviceKey
    listed: Collection[bytes]
    peers: Peers
    epochs: Callable[[FolderKeys], Epochs]
    reporter: Callable[[str], Reporter]
    is_held: Callable[[str], bool]


class Opened:
    """A folder that is open. context: None if its share is not the one we know, or cannot be used.
    Then the folder is stopped, and has the reason."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.context: FolderContext | None = None
        self.watcher: Watcher | None = None
        self._share = ExitStack()
        self.token: bytes | None = None  # of the share, once it was open

    def close_share(self) -> None:
        """Release the share: no more reports arrive, and its disk can be unmounted."""
        self._share.close()

    def close(self) -> None:
        self.close_share()
        self.folder.store.close()

    def begin_life_of(self, opening: Opening, config: FolderConfig, adopting: bool) -> None:
        """Open and watch the folder's share, and begin a life. Raises ShareError; then no part of
        the share is open."""

        def open_share(token: bytes | None) -> Share:
            share = _open_share(config, token, adopting)
            stack.callback(share.close)
            self.token = share.token
            return share

        try:
            with ExitStack() as stack:
                life = partial(_new_life, opening.device)
                share, context = begin_life(
                    self.folder, opening.device, open_share, self.token, life
                )
                self.token = share.token
                reporter, ignores = opening.reporter(config.id), self.folder.keeping.ignores_folder
                watcher = Watcher(config.path, reporter, ignores=ignores)
                stack.callback(watcher.stop)
                watcher.start()
                self._share = stack.pop_all()
        except OSError as error:
            raise cannot_be_used(error, str(config.path)) from error
        self.watcher = watcher
        context.watched, context.limits = (lambda: watcher.watches), config.limits
        context.lacks = (*_set_aside(self.folder.store), *share.lacks)
        self.context = context


def begin_life(
    folder: Folder,
    device: DeviceKey,
    open_share: Callable[[bytes | None], Share],
    token: bytes | None,
    life: Callable[[], Life],
) -> tuple[Share, FolderContext]:
    """A life of a folder begins: its share, and what its jobs work on. The agent and the simulation
    have this order in common, on which I8 and I11 rest: nothing is written to the index before the
    share is known to be the right one, and the new life begins before anything is found in the
    share.

    open_share: given the token of the share that we know, None: none. token: of the share that this
    process had open before; an index that is built again does not know which share it is of.
    Raises ShareError, OSError and IndexFailed.
    """
    store = folder.store
    share = open_share(store.meta(_TOKEN) or token)
    store.put_meta(_TOKEN, share.token)
    exact = share.exact_device is not None
    folder.on_disk(share.folds, share.is_there, share.modes, tells_each_change=exact)
    store.begin_life(life())
    return share, FolderContext(
        folder.id,
        share.root,
        folder.keys,
        folder.epochs,
        store.file,
        device,
        share.still_there,
        modes=folder.modes,
        exact_device=share.exact_device,
        mounts=Mounts.unpack(store.meta(MOUNTS)),
        unflushed_names=UnflushedNames(everything=not share.made),
    )


def _new_life(device: DeviceKey) -> Life:
    return make_life(device_mark(device), int(time.time()), os.urandom(4))


class Openings:
    """The folders of an agent as they are open now."""

    def __init__(self, opening: Opening, configs: Iterable[FolderConfig]) -> None:
        self._opening = opening
        self._configs = {config.id: config for config in configs}
        self._open: dict[str, Opened] = {}
        self._anew: dict[str, Opened] = {}  # opened, and not taken over yet
        self._holds: dict[str, Hold] = {}

    def start(self, id: str, adopting: bool) -> Opened:
        """Open a folder at a start of the agent. It is stopped if its share is not the one we know,
        or if its index cannot be used. Raises LeftError if its secret cannot be used, or if another
        leftzmq made its index; then there is no such folder."""
        self._holds[id] = Hold(self._opening.is_held(id))
        keys = self.keys(self._configs[id])
        try:
            opened = self._open[id] = self._folder(id, keys, adopting)
        except IndexFailed as failed:
            opened = self._open[id] = Opened(self._over(self._configs[id], keys, Store.empty()))
            opened.folder.stop(Stop(StopCause.INDEX, str(failed)))
            return opened
        try:
            opened.begin_life_of(self._opening, self._configs[id], adopting)
        except ShareError as error:
            opened.folder.stop(error.stop)
        except IndexFailed as failed:
            opened.folder.stop(Stop(StopCause.INDEX, str(failed)))
        return opened

    def add(self, config: FolderConfig, keys: FolderKeys) -> Opened:
        """Return a new folder that is stopped until `open_anew` and `take_over`."""
        self._holds[config.id] = Hold(self._opening.is_held(config.id))
        folder = self._over(config, keys, Store.empty())
        folder.stop(Stop(StopCause.OPENING, "it is being opened"))
        self._configs[config.id] = config
        opened = self._open[config.id] = Opened(folder)
        return opened

    def tune(self, config: FolderConfig) -> None:
        """Use other limits and another patience, also when the folder is opened again."""
        self._configs[config.id] = config
        for opened in (self._open.get(config.id), self._anew.get(config.id)):
            if opened is not None:
                opened.folder.tune(config.limits, config.patience_s)
                if opened.context is not None:
                    opened.context.limits = config.limits

    def watch_anew(self, id: str, path: str) -> None:
        """Other folders at `path` and below it are ignored now."""
        opened = self._open.get(id)
        if opened is not None and opened.watcher is not None:
            opened.watcher.watch_anew(path)

    def watched(self) -> dict[str, tuple[int, bool]]:
        """Return how many directories of each open share are watched, and whether all are."""
        found = {id: opened.watcher for id, opened in self._open.items()}
        return {id: (watcher.count, watcher.watches) for id, watcher in found.items() if watcher}

    def open_anew(self, id: str) -> None:
        """Open a folder again, for `take_over`; runs in a worker. Raises ShareError; LeftError or
        OSError if its index or its secret cannot be used. Then nothing new is open. One that was
        opened and not taken over, as the folder was stopped for good meanwhile, or added anew, is
        closed."""
        self._open[id].close_share()
        if (left := self._anew.pop(id, None)) is not None:
            left.close()
        opened = self._folder(id, self.keys(self._configs[id]), adopting=False)
        opened.token = self._open[id].token
        try:
            opened.begin_life_of(self._opening, self._configs[id], adopting=False)
        except BaseException:
            opened.close()
            raise
        self._anew[id] = opened

    def take_over(self, id: str) -> Opened:
        """Return the folder that `open_anew` opened. It replaces the old one, which is closed."""
        before, opened = self._open[id], self._anew.pop(id)
        self._open[id] = opened
        opened.folder.goes_on_after(before.folder)
        before.close()
        self.tune(self._configs[id])  # they may have changed while a worker opened it
        return opened

    def local_rules(self, id: str) -> LocalRulesSet:
        """Return the rules of what to ignore that only this device has, as peer.toml has them."""
        config = self._configs[id]
        return LocalRulesSet(id, config.ignore, config.litter, config.only)

    def close_share(self, id: str) -> None:
        """Release the share of a folder that is stopped for good."""
        self._open[id].close_share()

    def forget(self, id: str) -> None:
        """Close all of a folder that is no more. None of its jobs may be running."""
        self._configs.pop(id, None)
        self._holds.pop(id, None)
        for opened in (self._anew.pop(id, None), self._open.pop(id, None)):
            if opened is not None:
                opened.close()

    def close(self) -> None:
        for opened in (*self._anew.values(), *self._open.values()):
            opened.close()

    def keys(self, config: FolderConfig) -> FolderKeys:
        """Return the keys of a folder that is about to come; its secret is made if it is new.
        Raises KeyFileError."""
        return folder_keys(self._opening.state.path, config)

    def _folder(self, id: str, keys: FolderKeys, adopting: bool) -> Opened:
        """Open the folder's index, and build its machines."""
        file = self._opening.state.index_file(id)
        if adopting:
            # The share is right, whatever our index says: start a new index.
            for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
                path.unlink(missing_ok=True)
        store = Store(file)
        try:
            forget_unlisted(store, self._opening.listed)
            return Opened(self._over(self._configs[id], keys, store))
        except BaseException:
            store.close()
            raise

    def _over(self, config: FolderConfig, keys: FolderKeys, store: Store) -> Folder:
        device, peers = self._opening.device, self._opening.peers
        limits, patience_s = config.limits, config.patience_s
        epochs, hold = self._opening.epochs(keys), self._holds[config.id]
        return Folder(
            config.id,
            keys,
            epochs,
            device,
            store,
            peers,
            limits,
            patience_s,
            hold,
            config.ignore,
            litter=config.litter,
            only=config.only,
            mode=config.mode,
            modes=config.perms,
        )


def _set_aside(store: Store) -> Iterator[str]:
    if store.set_aside is not None:
        yield f"its index was damaged: it is built again; what it was is at {store.set_aside}"


def forget_unlisted(store: Store, listed: Collection[bytes]) -> None:
    """Forget what devices said that are no longer our peers. This is done before the folder's rows
    are counted, so that they are counted once."""
    for key in [head.key for head in store.heads.known() if head.key not in listed]:
        store.heads.give_up_device(key)
    swept = [bit for key in store.heads.swept_keys() for bit in store.heads.to_sweep(key)]
    if swept:
        store.sweep(*swept)
    store.commit()


def _open_share(config: FolderConfig, token: bytes | None, adopting: bool) -> Share:
    """Open the share. Raises ShareError if its token is another one, unless it is adopted."""
    if adopting:
        return Share.adopt(config.path, config.id)
    return Share.open(config.path, config.id, token, token is None)
