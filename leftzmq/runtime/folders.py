"""The folders of the agent: which there are, and how each begins, is replaced and goes.

Knows what belongs to a folder (its machines, its share, its roster, what its jobs work on), and the
order in which these come and go. Must not know why a folder comes or goes, nor sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final, Protocol

from leftzmq.config import FolderConfig
from leftzmq.content.keys import FolderKeys
from leftzmq.errors import LeftError, Stop, StopCause
from leftzmq.runtime.event_log import Teller
from leftzmq.runtime.opening import Opened, Openings
from leftzmq.sync.actions import Tell
from leftzmq.sync.facts import Fact, FolderAdded, FolderBegun, FolderStopped, FolderTakenOff
from leftzmq.sync.folder import Folder, FolderState
from leftzmq.sync.peers.roster.exchange import RosterExchange
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.wire.local import EventKind
from leftzmq.work.folder_context import FolderContext

TAKEN_OFF: Final = (
    "it was taken off this device: nothing of it is sent, received or changed here any more; its "
    "files stay where they are"
)


class RunsJobs(Protocol):
    """What runs the jobs of the folders."""

    def add(self, context: FolderContext) -> None:
        """A folder begins: this is what its jobs work on."""

    def remove(self, folder: str) -> None: ...


class Folders:
    """One per agent.

    by_id: where the machines find the folders; nobody else changes it
    handle: hands a fact to the machines; what follows from it is done when it returns
    """

    def __init__(
        self,
        by_id: dict[str, Folder],
        openings: Openings,
        rosters: Rosters,
        exchange: RosterExchange,
        runner: RunsJobs,
        handle: Callable[[Fact], None],
        teller: Teller,
    ) -> None:
        self._by_id, self._openings = by_id, openings
        self._rosters, self._exchange = rosters, exchange
        self._removed: set[str] = set()  # taken off, and not closed yet
        # Those whose id an older one has that is not closed yet.
        self._coming: dict[str, tuple[FolderConfig, FolderKeys]] = {}
        self._unopened: list[str] = []  # opened when all that were taken off are closed
        self._runner, self._handle, self._teller = runner, handle, teller

    def start(
        self, configs: Iterable[FolderConfig], adopt: Collection[str]
    ) -> list[tuple[FolderConfig, LeftError]]:
        """Open all folders, at a start of the agent. Return those that could not be, with what is
        wrong (`Openings.start`).

        adopt: the ids of those whose share is as it should be, whatever the index says. Raises
        LeftError if a roster cannot be used.
        """
        unusable: list[tuple[FolderConfig, LeftError]] = []
        for config in configs:
            try:
                opened = self._opened_at_start(config, adopting=config.id in adopt)
            except LeftError as error:
                self._rosters.remove_folder(config.id)
                self._openings.forget(config.id)
                unusable.append((config, error))
                continue
            self._by_id[config.id] = opened.folder
            if config.id not in self._rosters.folders:
                self._rosters.add_folder(config.id, opened.folder.keys)
            if opened.context is not None:
                self._works_on(opened.context)
            else:
                self._teller.tell(opened.folder.tell_stop())
        return unusable

    def _opened_at_start(self, config: FolderConfig, *, adopting: bool) -> Opened:
        stop = self._rosters.put_out(config.id) if config.id in self._rosters.folders else None
        if stop is None:
            return self._openings.start(config.id, adopting=adopting)
        opened = self._openings.add(config, self._openings.keys(config))
        opened.folder.stopped = stop
        return opened

    def add(self, config: FolderConfig) -> None:
        """A folder is new while the agent runs: it is opened soon, by a worker. Those that were
        taken off before are closed first: it may have the share of one of them. What its roster
        says can be asked for at once.

        Raises LeftError if its secret or its roster cannot be used; then there is no such folder.
        """
        keys = self._openings.keys(config)
        try:
            self._rosters.add_folder(config.id, keys)
        except LeftError:
            self._rosters.remove_folder(config.id)
            raise
        self._exchange.folder_added(config.id)
        if config.id in self._by_id:
            self._coming[config.id] = config, keys
        else:
            self._enter(config, keys)

    def _enter(self, config: FolderConfig, keys: FolderKeys) -> None:
        """The folder is there, stopped until it is opened."""
        id = config.id
        opened = self._openings.add(config, keys)
        self._by_id[id] = opened.folder
        self._teller.tell(Tell(EventKind.FOLDER_ADDED, {"folder": id, "path": str(config.path)}))
        stop = self._rosters.put_out(id)
        if stop is not None:  # until the roster says otherwise (RosterExchange)
            opened.folder.stopped = stop
        elif self._removed:
            self._unopened.append(id)
        else:
            self._handle(FolderAdded(id))

    def take_over(self, id: str) -> None:
        """A stopped folder is open again: use its new machines."""
        opened = self._openings.take_over(id)
        assert opened.context is not None
        self._by_id[id] = opened.folder
        self._works_on(opened.context)
        self._handle(FolderBegun(id))
        self._handle(self._openings.local_rules(id))

    def tune(self, config: FolderConfig) -> None:
        """A folder goes on with other limits, another patience, or other rules of what this device
        ignores."""
        if config.id in self._coming:
            self._coming[config.id] = config, self._coming[config.id][1]
        elif config.id in self._by_id:
            self._openings.tune(config)
            self._handle(self._openings.local_rules(config.id))

    def remove(self, id: str) -> None:
        """The folder was taken off this device. What is kept of it stays."""
        self._rosters.remove_folder(id)
        self._coming.pop(id, None)
        if id in self._removed or id not in self._by_id:
            return  # it was not open yet, or could not be opened
        self._stop(id)
        self._removed.add(id)
        self._handle(FolderTakenOff(id))

    def forget(self, id: str) -> None:
        """Nothing is left to be done for a folder that was taken off: it is gone. The last one
        makes way for those that came meanwhile."""
        self._removed.discard(id)
        if id in self._unopened:
            self._unopened.remove(id)
        del self._by_id[id]
        self._runner.remove(id)
        self._openings.forget(id)
        if id in self._coming:
            self._enter(*self._coming.pop(id))
        if not self._removed:
            unopened, self._unopened = self._unopened, []
            for each in unopened:
                self._handle(FolderAdded(each))

    def close_share(self, id: str) -> None:
        """The folder is stopped for good, and nothing of its share is open any more."""
        if id in self._by_id:
            self._stop(id)
            self._openings.close_share(id)

    def state(self, id: str) -> FolderState:
        folder = self._by_id.get(id)
        return FolderState.STOPPED if folder is None else folder.state

    def _stop(self, id: str) -> None:
        self._handle(FolderStopped(id, Stop(StopCause.REMOVED, TAKEN_OFF)))

    def _works_on(self, context: FolderContext) -> None:
        self._runner.add(context)
        self._teller.say(context.id, *context.lacks)
