"""How far each member of a folder is done with our index, and tells each member how far we are with
its own.

That a device has a version is said by its own index. A device that does not keep a path never says
so of it, and would seem to be behind for ever. So it says in a number that it is done: with all of
the receiver's index up to a sequence, each version taken, replaced by a later one, not kept, or
changed here and told to nobody. Who keeps all that it is told need not say it: its index does.

Knows one folder's members and sequences. Must not know why a path is not kept, nor what anybody
does with the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from leftzmq.content.keys import FolderTag
from leftzmq.sync.actions import Outputs, Send
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.peer_counts import Lack
from leftzmq.tree.version import Life
from leftzmq.wire.messages import Done

DONE_REST_S: Final = 0.5
"""A device that edits many files one by one is not answered for each."""

Until = tuple[Life, int]
"""The life and the sequence up to which an index is done with."""


class Acknowledged:
    """One per folder.

    tag: the identity tag of the folder
    members: the devices in the folder that are connected
    is_done: whether nothing of this device's index is left to be done here
    link_for: returns the link to a device that understands Done; None: there is none
    """

    def __init__(
        self,
        tag: FolderTag,
        index_view: IndexView,
        members: Callable[[], Iterable[DeviceKey]],
        is_done: Callable[[DeviceKey], bool],
        link_for: Callable[[DeviceKey], Link | None],
    ) -> None:
        self._tag, self._index_view, self._members = tag, index_view, members
        self._is_done, self._link_for = is_done, link_for
        self._told: dict[DeviceKey, Until] = {}
        self._owed: set[DeviceKey] = set()  # they withdrew something, and may wait for our word
        self._rests_until, self._waits = 0.0, False
        self._said: dict[DeviceKey, Done] = {}
        self._lives: dict[DeviceKey, Life] = {}  # of those that greeted

    def on_done(self, device: DeviceKey, done: Done) -> Outputs:
        """Keep what the device says of our index. It is done with ever more of it: who says less
        said so before, over its other link, or of an index that we had before."""
        if done.life != self._index_view.store.heads.life or done.until < self.until(device):
            return []
        self._said[device] = done
        self._index_view.peer_counts.changed = True  # who is behind is counted anew
        return []

    def owes(self, device: DeviceKey) -> None:
        """The device withdrew something. It may only be waiting for others to have heard that."""
        self._owed.add(device)
        self._told.pop(device, None)

    def on_peer_greeted(self, device: DeviceKey, life: Life) -> None:
        """life: of the device's own index. The device may be another start, which has heard
        nothing. Or it greets over its other link: what it is owed stays so, and what it said holds:
        its word may have overtaken the greeting, and would not come again."""
        self._told.pop(device, None)
        if self._lives.get(device) != life:
            self._said.pop(device, None)
        self._lives[device] = life

    def on_device_lost(self, device: DeviceKey) -> None:
        for known in (self._told, self._said, self._lives):
            known.pop(device, None)
        self._owed.discard(device)

    def until(self, device: DeviceKey) -> int:
        """The sequence of our index up to which the device is done with it; 0: it said nothing, or
        said it of another life."""
        said = self._said.get(device)
        return said.until if said and said.life == self._index_view.store.heads.life else 0

    def confirms(self, device: DeviceKey, sequence: int) -> bool:
        """Whether the device has heard what we told under this sequence, and we have heard all that
        it had told by the time it said so. What its index says that it has it still had then: it
        cannot have let go of it before in a message that was lost, or overtaken by its word."""
        if self.until(device) < sequence:
            return False
        said, head = self._said[device], self._index_view.store.heads.head_of(device)
        return head.life == said.own_life and head.head >= said.own

    def passed_over(self, device: DeviceKey) -> Lack:
        """What we have and the device passed over. Nothing, as long as it is not done with all."""
        heads = self._index_view.store.heads
        if self.until(device) < heads.sequence:
            return Lack()
        return self._index_view.peer_counts.lacking(heads.head_of(device).mask)

    def deadline(self) -> float | None:
        """When `look` may have something to tell again (monotonic)."""
        return self._rests_until if self._waits else None

    def look(self, now: float) -> Outputs:
        """Tell those who would wait for what is not kept here, every DONE_REST_S at the most.
        Called when all that follows from a fact is done."""
        view = self._index_view
        may_tell = view.some_apart or view.differs > 0 or bool(self._owed)
        self._waits = may_tell and now < self._rests_until
        if not may_tell or self._waits:
            return []
        out: Outputs = []
        for device in sorted(self._members()):
            head = view.store.heads.head_of(device)
            until = (head.life, head.head)
            told = self._told.get(device)
            is_waited_for = device in self._owed or view.declined(head.mask)
            if told == until or not is_waited_for:
                continue
            if (link := self._link_for(device)) is not None and self._is_done(device):
                self._told[device] = until
                self._owed.discard(device)
                self._rests_until = now + DONE_REST_S
                own = view.store.heads
                done = Done(self._tag, head.life, head.head, own.life, own.sequence)
                out.append(Send(link, done))
        return out
