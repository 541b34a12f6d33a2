"""What a reason is found in: the machines of one folder, and what a look at one path saw.

Knows where each fact is kept. Must not know which reason follows from which fact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Final

from leftzmq.bandwidth.throttle import Throttles
from leftzmq.content.keys import device_mark
from leftzmq.disk.apply.restore import Trashed
from leftzmq.disk.scan.lying import Lying
from leftzmq.index.rows import ANYBODY, Row, best_of, ours_of
from leftzmq.sync.admin.status import Times
from leftzmq.sync.download.downloader import Downloader
from leftzmq.sync.folder import Folder
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.peer_state import Peer, PeerPhase
from leftzmq.sync.versions.index_view import OURS
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.path import folders_above
from leftzmq.tree.version import DEVICE_MARK_BYTES, PRIVATE, Life, device_letters

KINDS: Final = {
    Lying.FILE: Kind.FILE,
    Lying.FOLDER: Kind.DIRECTORY,
    Lying.LINK: Kind.SYMLINK,
}
NAMED: Final = 3


class PathKnown:
    """One path of one folder. lies: what a look saw there. trashed: its newest version in the
    trash. members: the other devices that are in the folder, connected or not."""

    def __init__(
        self,
        folder: Folder,
        path: str,
        lies: Lying,
        trashed: Trashed | None,
        members: Iterable[Peer],
        downloader: Downloader,
        throttles: Throttles,
        times: Times,
        our_name: str,
    ) -> None:
        self.folder, self.path, self.lies, self.trashed = folder, path, lies, trashed
        self.members, self.downloader, self.throttles = list(members), downloader, throttles
        self.times, self._our_name = times, our_name
        self.view = folder.index_view

    def at(self, path: str) -> PathKnown:
        """Return what is known of another path, at which nobody looked."""
        return PathKnown(
            self.folder,
            path,
            Lying.UNKNOWN,
            None,
            self.members,
            self.downloader,
            self.throttles,
            self.times,
            self._our_name,
        )

    # -- versions --------------------------------------------------------------------------------

    @cached_property
    def all_rows(self) -> list[Row]:
        return self.view.all_rows(self.path)

    @cached_property
    def ours(self) -> Row | None:
        """Our version, also where it does not count."""
        return ours_of(self.all_rows)

    @cached_property
    def told(self) -> Row | None:
        """The highest version that a full member has, whether we keep the path or not."""
        rows = [row for row in self.view.told_rows(self.path) if not row.entry.is_private]
        return max(rows, key=lambda row: row.entry.rank, default=None)

    @cached_property
    def passed_over(self) -> Row | None:
        """The highest version of something live that others have and that we do not keep, if we
        know of no delete of it that we pass on: what somebody else did reaches them by another way
        or not at all."""
        told = [row for row in self.view.told_rows(self.path) if row.apart]
        live = [row for row in told if not (row.entry.deleted or row.entry.is_private)]
        ours = self.winner
        if ours is not None:
            live = [row for row in live if not row.entry.seen_by(ours.entry)]
        return max(live, key=lambda row: row.entry.rank, default=None)

    @cached_property
    def winner(self) -> Row | None:
        """The version that is to be here: the highest one that counts."""
        return best_of(self.view.rows(self.path), ANYBODY)

    @property
    def is_here(self) -> bool:
        """Whether our index has something live at the path."""
        return self.ours is not None and not self.ours.entry.deleted

    @property
    def differs(self) -> bool:
        """Whether another version is to be here than ours."""
        winner = self.winner
        if winner is None or winner.is_ours:
            return False
        return self.is_here or not winner.entry.deleted

    @property
    def above(self) -> list[str]:
        """The path, and the folders above it, the innermost first."""
        return [self.path, *folders_above(self.path)]

    # -- devices ---------------------------------------------------------------------------------

    def mask_of(self, device: DeviceKey) -> int:
        return self.folder.store.heads.head_of(device).mask

    def holders(self, row: Row) -> list[Peer]:
        """The members that say that they have this version, or the same bytes."""
        same = [each for each in self.all_rows if each.entry.same_content(row.entry)]
        bits = 0
        for each in (row, *same):
            bits |= each.holders & ~OURS
        return [peer for peer in self.members if self.mask_of(peer.key) & bits]

    def reachable(self, peers: Iterable[Peer]) -> list[Peer]:
        """Those of them that can be asked now."""
        return [peer for peer in peers if self.mask_of(peer.key) & self.view.reach]

    def by(self, entry: Entry) -> str:
        """The name of the device that made a version, or the letters that stand for it."""
        return self._name_of(entry.writer)

    def changed_by(self, entry: Entry) -> str:
        """Likewise, of the device that made what we lack: the version, or its mode alone."""
        ours, mode = self.ours, entry.permissions
        if ours is not None and mode is not None and ours.entry.with_register(mode) == entry:
            return self._name_of(mode.writer)
        return self.by(entry)

    def _name_of(self, life: Life) -> str:
        if life == PRIVATE:
            return self._our_name
        names: Mapping[bytes, str] = {device_mark(peer.key): peer.name for peer in self.members} | {
            device_mark(self.folder.device): self._our_name
        }
        mark = life[:DEVICE_MARK_BYTES]
        return names.get(mark, f"the device {device_letters(life)}")

    def since(self, entry: Entry) -> float | None:
        """When a version was made (unix seconds); None: a folder's says nothing of that."""
        if entry.kind is Kind.DIRECTORY and not entry.deleted:
            return None
        return round(entry.stamp / 1e9, 3) if entry.stamp > 0 else None


def names_of(peers: Iterable[Peer]) -> str:
    """The first few names: "A, B, C and 2 more"."""
    names = sorted(peer.name for peer in peers)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def is_connected(peer: Peer) -> bool:
    return peer.state is PeerPhase.CONNECTED


MembersOf = Callable[[Folder], list[Peer]]
"""The other devices that are in a folder, as far as is known here."""
