"""`leftzmq wait`: when is everything that was written before the question in sync?

First a cookie in each share shows that the watcher has reported all that came before it; then the
machines must be quiet, and every connected peer must have acknowledged all that we have. A peer
counts from the first page on that we opened of it: one that only says that it has a folder keeps
nobody waiting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from leftzmq.errors import counted
from leftzmq.sync.actions import Action, Answer, Work
from leftzmq.sync.facts import Asked, CookieSeen, Fact, WalkEnded
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import CookieDropped, CountUnacknowledged, DropCookie, UnacknowledgedCounted
from leftzmq.sync.link import DeviceKey

CHECK_PERIOD_S: Final = 0.05
DEFAULT_TIMEOUT_S: Final = 3600.0


@dataclass(slots=True)
class Waiter:
    """One `leftzmq wait`. cookies: folder -> the cookie not yet seen there ("" : a walk)."""

    asker: bytes
    until: float
    cookies: dict[str, str]
    counting: dict[str, int] = field(default_factory=dict)  # folder -> head that is counted
    counted: set[str] = field(default_factory=set)


class Barrier:
    """Of the agent."""

    def __init__(
        self, folders: Mapping[str, Folder], connected: Callable[[], list[DeviceKey]]
    ) -> None:
        self._folders, self._connected = folders, connected
        self._waiters: list[Waiter] = []
        self._counts: dict[str, int] = {}  # folder -> head; one count at a time, for all waiters
        self._number = 0
        self._next_check = 0.0

    def deadline(self) -> float | None:
        return self._next_check if self._waiters else None

    def asked(self, fact: Asked, now: float) -> list[Action | Fact]:
        timeout = fact.fields.get("timeout")
        timeout_s = float(timeout) if isinstance(timeout, int | float) else math.nan
        if math.isnan(timeout_s):
            timeout_s = DEFAULT_TIMEOUT_S
        self._number += 1
        waiter = Waiter(fact.asker, now + timeout_s, {})
        out: list[Action | Fact] = []
        for folder in self._folders.values():
            if folder.stopped is not None:
                continue  # it is not idle, so nothing is in sync while it is stopped
            name = f"cookie-{folder.store.heads.life.hex()}-{self._number}"
            waiter.cookies[folder.id] = name
            out.append(Work(DropCookie(folder.id, name)))
            out += folder.settler.look_at_linked(now)
        self._waiters.append(waiter)
        self._next_check = now
        return out

    def give_up_one(self) -> list[Action | Fact]:
        """Answer who has waited longest, so that there is room for somebody else."""
        if not self._waiters:
            return []
        waiter = self._waiters.pop(0)
        return [Answer(waiter.asker, {"in_sync": False, "why": "too many others ask"})]

    def dropped(self, fact: CookieDropped, now: float) -> list[Action | Fact]:
        """Where not all is watched only a walk can tell what was written before the question."""
        settler = self._folders[fact.folder].settler
        if fact.watched and fact.problem is None and not settler.walks.polls:
            return []
        for waiter in self._waiters:
            if waiter.cookies.get(fact.folder) == fact.name:
                waiter.cookies[fact.folder] = ""
        return settler.walk_all(now)

    def seen(self, fact: CookieSeen, now: float) -> list[Action | Fact]:
        for waiter in self._waiters:
            if waiter.cookies.get(fact.folder) == fact.name:
                del waiter.cookies[fact.folder]
        return self.tick(now)

    def walk_ended(self, fact: WalkEnded) -> None:
        for waiter in self._waiters:
            if fact.prefix == "" and waiter.cookies.get(fact.folder) == "":
                del waiter.cookies[fact.folder]

    def stopped(self, folder: str) -> None:
        """It is opened anew some day: the walk at its beginning tells as much as a cookie."""
        self._counts.pop(folder, None)
        for waiter in self._waiters:
            waiter.cookies.pop(folder, None)
            waiter.counting.pop(folder, None)
            waiter.counted.discard(folder)

    def counted(self, fact: UnacknowledgedCounted, now: float) -> list[Action | Fact]:
        self._counts.pop(fact.folder, None)
        by_all = fact.count == 0 and fact.holders == self._folders[fact.folder].hearing.heard_mask
        for waiter in self._waiters:
            if waiter.counting.pop(fact.folder, None) == fact.head and by_all:
                waiter.counted.add(fact.folder)
        return self.tick(now) if by_all else []  # else it is counted again at the next check

    def tick(self, now: float) -> list[Action | Fact]:
        """Look whether a waiter can be answered; a count is only asked for when all is quiet."""
        self._next_check = now + CHECK_PERIOD_S
        out: list[Action | Fact] = []
        for folder in self._folders.values() if self._waiters else ():
            if folder.stopped is None and folder.settler.unsure:
                out += folder.settler.walk_all(now)
        why = self._unquiet() if self._waiters else ""
        for waiter in list(self._waiters):
            if now >= waiter.until:
                self._waiters.remove(waiter)
                out.append(Answer(waiter.asker, {"in_sync": False, "why": self._why(waiter)}))
            elif not waiter.cookies and not why:
                out += self._count(waiter)
                if waiter.counted == set(self._folders):
                    self._waiters.remove(waiter)
                    out.append(Answer(waiter.asker, {"in_sync": True, "why": why}))
            else:
                waiter.counted.clear()
        return out

    def _count(self, waiter: Waiter) -> list[Action | Fact]:
        out: list[Action | Fact] = []
        for folder in self._folders.values():
            if folder.id in waiter.counted or folder.id in waiter.counting:
                continue
            head = folder.store.heads.sequence
            running = self._counts.get(folder.id)
            if running is not None and running != head:
                continue
            waiter.counting[folder.id] = head
            if running is None:
                self._counts[folder.id] = head
                out.append(Work(CountUnacknowledged(folder.id, folder.hearing.heard_mask, head)))
        return out

    def _unquiet(self) -> str:
        """Why it is not quiet here; "" when it is."""
        if not self._connected():
            return "no peer is connected"
        for folder in self._folders.values():
            if folder.guard.status():
                return f"folder {folder.id} holds losses back: leftzmq accept, or leftzmq revert"
            if not folder.at_rest:
                return f"folder {folder.id} is {folder.state.value}"
            if len(folder.problems):
                return f"folder {folder.id} has {counted(len(folder.problems), 'problem')}"
            if not folder.hearing.heard:
                return f"no connected peer has folder {folder.id}"
        return ""

    def _why(self, waiter: Waiter) -> str:
        if waiter.cookies:
            return "the watcher has not reported everything yet"
        return self._unquiet() or "a peer has not acknowledged everything yet"
