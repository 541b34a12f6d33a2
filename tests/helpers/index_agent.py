"""The index of one device that hears of two others, without their indexes."""

from __future__ import annotations

from dataclasses import dataclass, field

from leftzmq.index.store import Store
from leftzmq.sync.versions.index_view import IndexView, KeepingChange
from leftzmq.sync.versions.local_changes import found
from leftzmq.sync.versions.remote_changes import Heard, heard
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.tree.change import Change
from leftzmq.tree.entry import Entry, Observed
from tests.helpers.trees import life
from tests.helpers.version_worlds import key_of

FOREVER = 2**53


@dataclass
class Agent:
    """The index of one device, which hears of B and C."""

    away: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.store = Store.empty()
        self.store.heads.begin_life(life("A"))
        self.view = IndexView(self.store)
        self.view.keeps = lambda path, kind: path not in self.away
        self.view.walked = True
        self.resolver = Resolver(self.view)
        self.bits = {}
        for name in "BC":
            head = self.store.heads.place(name.encode() * 32)
            assert head is not None
            self.bits[name] = head.bit
            self.view.reach |= head.mask

    def scan(self, observed: Observed) -> object:
        return found(self.view, observed, key_of(observed))

    def hear(self, name: str, entry: Entry, *, anew: bool = False) -> Heard:
        return heard(self.view, self.bits[name], entry, anew=anew)

    def keep(self, path: str, *, keeps: bool) -> KeepingChange:
        (self.away.discard if keeps else self.away.add)(path)
        return self.view.judge_anew(path)

    def says(self) -> dict[str, Change]:
        return {change.path: change for change in self.store.changes(0, FOREVER, 99)}

    def has(self, path: str) -> Entry | None:
        row = self.view.ours(path)
        return None if row is None else row.entry
