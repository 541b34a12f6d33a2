"""Where the answers go that barrier, conflicts and trash wait for, to answer the command line.

Must not know who asked, or what.
"""

from __future__ import annotations

from dataclasses import dataclass

from leftzmq.sync.admin.conflicts import Conflicts
from leftzmq.sync.admin.wait import Barrier
from leftzmq.sync.facts import CookieSeen
from leftzmq.sync.jobs import (
    CookieDropped,
    CopiesListed,
    CopyResolved,
    LackingFound,
    TrashListed,
    TrashRestored,
    TrashSwept,
    VersionsRead,
)
from leftzmq.sync.routes.table import Routes


@dataclass(frozen=True, slots=True)
class QuestionRoutes:
    """Of the agent; a trash is of a folder."""

    barrier: Barrier
    conflicts: Conflicts

    def enter(self, routes: Routes) -> None:
        to_folder, conflicts = routes.to_folder, self.conflicts
        to_folder(CookieDropped, lambda folder, fact, now: self.barrier.dropped(fact, now))
        to_folder(CookieSeen, lambda folder, fact, now: self.barrier.seen(fact, now))
        to_folder(LackingFound, lambda folder, fact, now: self.barrier.found(fact, now))
        to_folder(CopiesListed, lambda folder, fact, now: conflicts.listed(fact))
        to_folder(VersionsRead, lambda folder, fact, now: conflicts.read(fact))
        to_folder(CopyResolved, lambda folder, fact, now: conflicts.resolved(fact))
        to_folder(TrashSwept, lambda folder, fact, now: folder.trash.swept(fact))
        to_folder(TrashListed, lambda folder, fact, now: folder.trash.listed(fact))
        to_folder(TrashRestored, lambda folder, fact, now: folder.trash.restored(fact))
