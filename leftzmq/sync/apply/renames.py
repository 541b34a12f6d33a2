"""A file that is to be removed at one path and to be put at another is renamed, not copied.

Knows the index and which tickets wait. Must not know how a rename is done (disk/apply does).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from leftzmq.index.store import Store
from leftzmq.sync.actions import Outputs
from leftzmq.sync.apply.active_ticket import ActiveTicket, TicketMove, TicketStage
from leftzmq.sync.apply.work_window import WorkWindow
from leftzmq.sync.facts import FileWanted
from leftzmq.sync.versions.path_locks import LockOwner, PathLocks
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.sync.versions.ticket import Ticket
from leftzmq.tree.entry import Kind
from leftzmq.tree.plan import Moved, Operation, Verb

_FREE = (TicketStage.READY, TicketStage.WAITING)


class Renames:
    """The renames of one folder."""

    def __init__(
        self, store: Store, resolver: Resolver, locks: PathLocks, window: WorkWindow
    ) -> None:
        self._store, self._resolver, self._locks, self._window = store, resolver, locks, window

    def at_home(self, out: Outputs) -> tuple[Outputs, list[str]]:
        """A file whose bytes are in the share already is moved, if its old path is to be removed,
        or copied from there. Returns what is left of `out`, and the paths to which something is
        moved."""
        homes = self._homes([fact for fact in out if isinstance(fact, FileWanted)])
        if not homes:
            return out, []
        left: Outputs = []
        moving: list[str] = []
        for each in out:
            if isinstance(each, FileWanted) and (home := homes.get(each.entry.path)):
                if self._goes(each.entry.path, home):
                    moving.append(each.entry.path)
                    continue
                each = replace(each, home=home)
            left.append(each)
        return left, moving

    def _goes(self, path: str, home: str) -> bool:
        """Whether the file at `home` is to be removed, and has everything that is synced of what
        `path` wants."""
        active, ticket = self._window.active[path], self._resolver.ticket(path)
        if active.fetch or ticket is None or self._moved(home, ticket) is None:
            return False
        active.source = home
        return True

    def _homes(self, wanted: Sequence[FileWanted]) -> dict[str, str]:
        """path -> the path of ours that has its bytes, for those wanted files whose bytes are in
        the share."""
        contents = {bytes(fact.entry.content) for fact in wanted if fact.entry.size}
        homes = self._store.homes(contents) if contents else {}
        return {
            fact.entry.path: homes[bytes(fact.entry.content)]
            for fact in wanted
            if fact.entry.size and bytes(fact.entry.content) in homes
        }

    def operation(self, active: ActiveTicket, ticket: Ticket) -> Operation | None:
        """The rename. Both paths are locked by then; the ticket's own path by the caller. None
        where a rename is not possible (any more): then the bytes are copied or fetched."""
        assert active.source
        moved = self._moved(active.source, ticket)
        if moved is None or not self._locks.lock(active.source, LockOwner.APPLIER):
            return None
        going = self._window.active.get(active.source)
        if going is None:
            going = self._window.active[active.source] = ActiveTicket(
                TicketStage.READY, moved.entry
            )
        going.move(TicketMove.START)
        return Operation(Verb.MOVE_FILE, ticket.entry, moved=moved)

    def _moved(self, home: str, ticket: Ticket) -> Moved | None:
        if ticket.held is not None:
            return None  # what is at the target is removed first, or kept as a copy
        going = self._window.active.get(home)
        if going is not None and (going.stage not in _FREE or going.operation is not None):
            return None
        leaving = self._resolver.ticket(home)
        if leaving is None or not leaving.entry.deleted or leaving.held is None:
            return None
        assert leaving.ours is not None
        ours, entry = leaving.ours.entry, ticket.entry
        same = (ours.kind, ours.content, ours.size) == (Kind.FILE, entry.content, entry.size)
        # A move changes no mode, so the file must have the one that is wanted.
        shown, wanted = leaving.held.key.attributes, self._resolver.sets(entry)
        if not same or not ours.attributes.agrees(wanted) or wanted.bits not in (None, shown.bits):
            return None
        return Moved(leaving.entry, leaving.held)
