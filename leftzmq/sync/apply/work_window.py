"""The work window: the tickets that are being worked at. The rest is found again in the index.

Each device has its own slots in the window. So the tickets of a device that is silent, or tickets
that cannot be carried out, keep no ticket of another device out of it.

Knows which path is at which stage, and when it is to be looked at again. Must not know what follows
from a ticket: the applier does.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterator
from typing import Final

from leftzmq.index.rows import counting
from leftzmq.sync.apply.active_ticket import Account, ActiveTicket, TicketStage
from leftzmq.sync.apply.round_robin import RoundRobin
from leftzmq.sync.versions.index_view import OURS, IndexView
from leftzmq.tree.entry import Entry
from leftzmq.tree.path import is_below, sort_key

WINDOW_TICKETS: Final = 4096
LEAST_TICKETS: Final = 512
"""The slots of one device, however many devices there are: as many files as two gets ask for."""
STALE_S: Final = 10.0
"""A ticket that has waited for this long leaves its slot to another one of the same device."""
TEND_S: Final = 1.0
CONSIDER_A_TURN: Final = 64  # tickets derived in one turn of the loop (about 20 us each)


class WorkWindow:
    """The work window of one folder: path -> ActiveTicket, and what is to be considered next.

    Tickets that need bytes and those that need none have accounts of their own: a file never keeps
    out the directory that it waits for. A device is named by its bit in the index.
    """

    def __init__(self, index_view: IndexView) -> None:
        self._index_view = index_view
        self.active: dict[str, ActiveTicket] = {}
        self._places: dict[Account, dict[str, None]] = {}  # paths, the oldest first
        self._passed: dict[int, bytes] = {}  # bit -> the cursor after which it has more tickets
        # Bit -> when the tickets that left are looked at again, at the earliest.
        self._made_room: dict[int, float] = {}
        self._tended_at = 0.0
        self._scan_for = 0  # the bit of the device whose tickets are looked for; 0: of all devices
        # A directory to be made -> the paths that wait for it.
        self._below: dict[str, dict[str, None]] = {}
        self._next: RoundRobin[int, tuple[int, str]] = RoundRobin()
        self._scanned: RoundRobin[int, tuple[int, str]] = (
            RoundRobin()
        )  # the same, found in the index
        self._number = 0
        self._queued: set[str] = set()
        self._retries: list[tuple[float, str]] = []
        self._behind, self._cursor = True, b""  # there may be tickets after the cursor

    @property
    def idle(self) -> bool:
        return not self.active and self.considered

    @property
    def considered(self) -> bool:
        """Whether every path at which there may be a ticket was considered."""
        return not (self._next or self._scanned or self._behind or self._passed)

    def deadline(self, now: float) -> float | None:
        if self._next or self._scanned or self._behind or self._resumable(now):
            return now
        times = [self._retries[0][0]] if self._retries else []
        if self._passed:
            times.append(self._tended_at + TEND_S)
        return min(times, default=None)

    def consider(self, path: str, source: int = 0) -> None:
        """There may be a ticket at `path`. source: the bit of the device that announced it; 0: none
        did."""
        if path in self._queued:
            return
        if path not in self.active and self._next.count_of(source) >= WINDOW_TICKETS:
            self._begin_again()  # the ticket is found again in the index
            return
        self._put(self._next, source, path)

    def consider_within(self, top: str) -> None:
        """There may be a ticket at `top`, and those below it may be none any more."""
        self.consider(top)
        for path in [path for path in self.active if is_below(path, top)]:
            self.consider(path)

    def _put(self, turns: RoundRobin[int, tuple[int, str]], source: int, path: str) -> None:
        self._queued.add(path)
        self._number += 1
        turns.put(source, (self._number, path))

    def consider_all(self) -> None:
        """There may be a ticket at any path."""
        self._begin_again()
        for path in self.active:
            self.consider(path)

    def has_place(self, path: str, holders: int, needs_bytes: bool) -> bool:
        """Whether a ticket that these devices (bits) have may get a slot. If not, it is found again
        when one of the devices has a free slot."""
        bits = _bits(holders)
        if not bits or any(not self._is_full((bit, needs_bytes)) for bit in bits):
            return True
        for bit in bits:
            before = _before(path)
            self._passed[bit] = min(self._passed.get(bit, before), before)
        return False

    def come(self, entry: Entry, holders: int, needs_bytes: bool, now: float) -> ActiveTicket:
        """Gives the ticket a slot: of the device that has most slots free."""
        accounts = [(bit, needs_bytes) for bit in _bits(holders)]
        account = min(accounts, key=lambda at: len(self._places.get(at, ())), default=None)
        active = ActiveTicket(TicketStage.WAITING, entry, account=account, since=now)
        self.active[entry.path] = active
        if account is not None:
            self._places.setdefault(account, {})[entry.path] = None
        return active

    def leave(self, path: str) -> ActiveTicket | None:
        """Frees the ticket's slot."""
        active = self.active.pop(path, None)
        if active is not None and active.account is not None:
            del self._places[active.account][path]
            if not self._places[active.account]:
                del self._places[active.account]
        return active

    def stale(self, now: float) -> list[str]:
        """Tickets that cannot go on now, of devices whose other tickets wait for a slot. They are
        to leave the window, and are looked at again after the others."""
        if not self._passed or now < self._tended_at + TEND_S:
            return []
        self._tended_at = now
        found: list[str] = []
        for bit in self._passed:
            full = [at for at in _accounts(bit) if self._is_full(at)]
            some = [path for at in full for path in self._places[at] if self._is_stale(path, now)]
            if some:
                self._made_room[bit] = now + STALE_S
                found += some
        return found

    def next_paths(self, now: float) -> list[str]:
        """The paths to be considered in this turn, after a search in the index for more."""
        self._refill(now)
        paths = [self._next.pop()[1] for _ in range(min(CONSIDER_A_TURN, len(self._next)))]
        more = max(CONSIDER_A_TURN - len(paths), CONSIDER_A_TURN // 4)
        paths += [self._scanned.pop()[1] for _ in range(min(more, len(self._scanned)))]
        self._queued.difference_update(paths)
        return paths

    def put_off(self, active: ActiveTicket, until: float) -> None:
        """The ticket is considered again at `until` (monotonic)."""
        active.put_off(until)
        heapq.heappush(self._retries, (until, active.entry.path))

    def wait_for_folder(self, active: ActiveTicket, folder: str, until: float | None) -> None:
        """The ticket is considered again when `folder` is made, and at `until` at the latest; None:
        not before."""
        if until is None:
            active.put_off(0.0)
        else:
            self.put_off(active, until)
        self._below.setdefault(folder, {})[active.entry.path] = None

    def folder_made(self, folder: str) -> None:
        """The tickets that waited for `folder` are possible now."""
        for path in self._below.pop(folder, ()):
            active = self.active.get(path)
            if active is not None and active.stage is TicketStage.WAITING:
                active.retry_at = 0.0
                self.consider(path)

    def is_found_below(self, folder: str, but: Container[str] = ()) -> bool:
        """Whether something that a look found below `folder`, other than `but`, is still to be
        removed."""
        found = (path for path, active in self.active.items() if active.operation is not None)
        return any(is_below(path, folder) and path not in but for path in found)

    def drop(self, path: str) -> ActiveTicket | None:
        """The path is no ticket any more. Tickets that wait for it find out by themselves; those
        that wait for nothing else are considered now."""
        active = self.leave(path)
        for below in self._below.pop(path, ()) if active is not None else ():
            waits = self.active.get(below)
            if waits is not None and waits.stage is TicketStage.WAITING and not waits.retry_at:
                self.consider(below)
        return active

    def wake(self, now: float) -> Iterator[str]:
        """The tickets whose retry is due."""
        while self._retries and self._retries[0][0] <= now:
            until, path = heapq.heappop(self._retries)
            active = self.active.get(path)
            if (
                active is not None
                and active.stage is TicketStage.WAITING
                and active.retry_at == until
            ):
                active.retry_at = 0.0
                yield path

    def _most(self) -> int:
        """The slots of one account. A device has as many again for tickets that need no bytes."""
        return max(LEAST_TICKETS, WINDOW_TICKETS // 2 // max(1, self._index_view.reach.bit_count()))

    def _is_full(self, account: Account) -> bool:
        return len(self._places.get(account, ())) >= self._most()

    def _is_stale(self, path: str, now: float) -> bool:
        active = self.active[path]
        waits = active.stage is TicketStage.WAITING
        is_stuck = active.stage is TicketStage.READY and not active.in_heap
        useless = active.staged is None and active.operation is None
        return useless and (waits or is_stuck) and active.since + STALE_S <= now

    # -- looking for tickets in the index ----------------------------------------------------------

    def _begin_again(self) -> None:
        """All tickets of all devices are to be found again."""
        self._behind, self._cursor, self._scan_for = True, b"", 0
        self._passed.clear()

    def _resumable(self, now: float) -> int:
        """The bit of a device that has tickets that were passed over, and free slots for them; or
        0."""
        for bit, cursor in self._passed.items():
            most = max(len(self._places.get(at, ())) for at in _accounts(bit))
            if most <= self._most() // 2 and (cursor or now >= self._made_room.get(bit, 0.0)):
                return bit
        return 0

    def _refill(self, now: float) -> None:
        if len(self._scanned) >= WINDOW_TICKETS // 2:
            return
        if not self._behind:
            self._scan_for = self._resumable(now)
            if not self._scan_for:
                return
            self._behind, self._cursor = True, self._passed.pop(self._scan_for)
            if not self._cursor:
                self._made_room.pop(self._scan_for, None)
        bits = _bits(self._scan_for or self._index_view.reach)
        if bits and all(any(map(self._is_full, _accounts(bit))) for bit in bits):
            self._behind = False  # the rest is looked for when there are free slots
            for bit in bits:
                self._passed[bit] = min(self._passed.get(bit, self._cursor), self._cursor)
            return
        groups = self._index_view.store.paths(self._cursor, CONSIDER_A_TURN)
        if not groups:
            self._behind, self._cursor = False, b""
            for bit in self._made_room.keys() & set(bits):
                self._passed.setdefault(bit, b"")
            return
        readers = self._index_view.readers
        for group in groups:
            rows = counting(group, readers) if readers else group
            if not rows:
                continue
            best = max(rows, key=lambda row: row.entry.rank)
            if best.is_ours and len(rows) == 1:
                continue
            wanted = not self._scan_for or any(row.holders & self._scan_for for row in rows)
            if wanted and best.entry.path not in self._queued:
                others = best.holders & ~OURS
                self._put(self._scanned, others & -others, best.entry.path)
        self._cursor = groups[-1][-1].sort_key


def _bits(holders: int) -> list[int]:
    """Each bit alone."""
    found = []
    while holders:
        found.append(holders & -holders)
        holders &= holders - 1
    return found


def _accounts(bit: int) -> tuple[Account, Account]:
    return (bit, False), (bit, True)


def _before(path: str) -> bytes:
    """A sort key that comes before that of `path`, and near it."""
    return sort_key(path)[:-1]
