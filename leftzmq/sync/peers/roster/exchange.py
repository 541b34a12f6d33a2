"""Rosters on the wire: what this device says of a folder's members to the others, and hears.

Knows links, who was told what, and what follows when somebody comes or is removed. Must not know
which statements count (`roster` beside it does), how they are kept (`rosters`) or sealed, or who
may connect: the host lists the members and dials them.

docs/protocol.md ("Conversations") is the authority.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from leftzmq.content.key_text import read_key
from leftzmq.errors import LeftError, Refusal
from leftzmq.sync.actions import Drop, Outputs, RelistMembers, SendRoster, Tell
from leftzmq.sync.facts import (
    FolderAdded,
    FolderStopped,
    MemberExcluded,
    ModesChanged,
    OurAddressesFound,
    PeerGreeted,
    RosterArrived,
    RosterGrew,
)
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.greeting import Peers
from leftzmq.sync.peers.roster.making import Newcomer, may_write
from leftzmq.sync.peers.roster.rosters import FolderMember, FolderRoster, Rosters
from leftzmq.wire.local import EventKind
from leftzmq.wire.messages import Capability
from leftzmq.wire.statements import MAX_MEMBER_NAME_CHARS, Admission, Removal, Signed

CUT_AFTER_S: Final = 0.5
"""A removed device hears of it before its connections end: by then it is on its way."""
OFFER_AGAIN_S: Final = 61.0
"""After statements that came too fast: what one link may bring is counted by the minute."""


class RosterExchange:
    """One per agent.

    is_vouched: whether a person here wrote or let in this device, so that it becomes a member when
        it proves the secret of a folder
    may_found: whether a person here wrote this device, or joined by its invitation: the folder's
        roster begins at its root, too
    """

    def __init__(
        self,
        rosters: Rosters,
        peers: Peers,
        is_vouched: Callable[[DeviceKey], bool],
        may_found: Callable[[DeviceKey], bool],
    ) -> None:
        self._rosters, self._peers = rosters, peers
        self._is_vouched, self._may_found = is_vouched, may_found
        self._endpoints: tuple[str, ...] | None = None
        self._leaving: dict[DeviceKey, float] = {}  # removed: when its connections end
        self._put_out = {id for id in rosters.folders if rosters.put_out(id) is not None}
        self._offer_again_at: float | None = None
        self._readers: dict[str, frozenset[DeviceKey]] = {}  # by folder, as they were told last

    # -- questions ---------------------------------------------------------------------------------

    def excludes(self, id: str, device: DeviceKey) -> bool:
        """Whether a device gets nothing of this folder, whatever secret it holds."""
        return self._rosters.excludes(id, device)

    def readers(self, id: str) -> frozenset[DeviceKey]:
        """Return who may only read a folder, this device too if it is one."""
        return self._rosters.readers(id)

    def members(self) -> list[FolderMember]:
        """Return the devices that may connect: those in a folder of ours, and those that were
        removed a moment ago."""
        leaving = [FolderMember(device, "", (), ()) for device in self._leaving]
        return [*self._rosters.members(), *leaving]

    def shut_out(self) -> frozenset[DeviceKey]:
        """Return the devices that may not connect any more, unless a person wrote them into
        peer.toml."""
        return self._rosters.shut_out() - self._leaving.keys()

    def removed_from(self, key: str) -> list[str]:
        """Return the folders from which a device was removed. key: its text."""
        return self._rosters.removed_from(DeviceKey(read_key(key)))

    def deadline(self) -> float | None:
        """Return when `on_time_passed` has something to do (monotonic seconds)."""
        times = [*self._leaving.values()]
        times += [] if self._offer_again_at is None else [self._offer_again_at]
        return min(times, default=None)

    # -- facts -------------------------------------------------------------------------------------

    def on_roster_grew(self, fact: RosterGrew, now: float) -> Outputs:
        """The user of this device said something. Act on it, and tell it to all."""
        folder = self._rosters.folders.get(fact.folder)
        return [] if folder is None else self._spread(folder, [], None, now)

    def on_peer_greeted(self, fact: PeerGreeted, now: float) -> Outputs:
        """Tell the device which statements we have, and make it a member if a person here vouches
        for it."""
        device = fact.link.device
        out: Outputs = []
        for folder in self._shared_with(device):
            if folder.roster.pins:
                if self._vouch(folder):
                    out += self._spread(folder, [], None, now)
                out += self._told(folder, device, None)
        return out

    def on_roster_arrived(self, fact: RosterArrived, now: float) -> Outputs:
        """Take in what a device says of a folder's members, or answer its digest with all of
        ours."""
        device, folder = fact.link.device, self._rosters.folders.get(fact.folder)
        if folder is None or folder not in self._shared_with(device):
            return []
        if not folder.roster.pins:
            return self._begin(folder, device, now)
        if not fact.said.statements:
            differs = fact.said.digest != folder.roster.digest()
            return self._told(folder, device, folder.roster.after()) if differs else []
        # Who hears the roster for the first time is told all of it at once.
        is_new_here = self._rosters.me.device not in folder.roster.live()
        try:
            new, refused = self._rosters.take(
                folder.id, fact.said.statements, None if is_new_here else device, now
            )
        except LeftError as error:
            return [_problem(folder.id, f"the word of {self._peers.name(device)} is lost: {error}")]
        out = self._pinned(folder, new)
        out += self._spread(folder, new, device, now) if new else []
        match refused:
            case (Refusal.TOO_FAST, _):
                self._offer_again_at = now + OFFER_AGAIN_S
            case (Refusal.NOT_SIGNED | Refusal.NOT_ITS_RIGHT as refusal, detail):
                out.append(Drop(device, refusal, detail))
        return out

    def on_our_addresses_found(self, fact: OurAddressesFound, now: float) -> Outputs:
        """Where others can reach this device is another value now."""
        self._endpoints = fact.endpoints
        out: Outputs = []
        for folder in self._rosters.folders.values():
            if self._told_self(folder):
                out += self._spread(folder, [], None, now)
        return out

    def on_time_passed(self, now: float) -> Outputs:
        out: Outputs = []
        due = [device for device, at in self._leaving.items() if now >= at]
        for device in due:
            del self._leaving[device]
        if due:
            out.append(RelistMembers())
        if self._offer_again_at is not None and now >= self._offer_again_at:
            self._offer_again_at = None
            for device in self._peers.connected():
                for folder in self._shared_with(device):
                    out += self._told(folder, device, None)
        return out

    # -- what follows ------------------------------------------------------------------------------

    def _begin(self, folder: FolderRoster, device: DeviceKey, now: float) -> Outputs:
        """A device has a roster of a folder that had none here. Ours begins: both are one when each
        has let the other in."""
        if not self._is_vouched(device):
            return []
        try:
            self._rosters.found(folder.id)
        except LeftError as error:
            return [_problem(folder.id, f"its roster cannot be begun: {error}")]
        self._vouch(folder)
        return [*self._spread(folder, [], None, now), *self._told(folder, device, None)]

    def _pinned(self, folder: FolderRoster, heard: list[Signed]) -> Outputs:
        """Begin at the roots of those whom a person here trusts as much as this device: so this
        device understands the roster also when its own root counts no more."""
        roots = [
            each.id
            for each in heard
            if isinstance(each.statement, Admission)
            and not each.statement.parent
            and self._may_found(DeviceKey(each.statement.device))
        ]
        try:
            if roots:
                self._rosters.pin(folder.id, roots)
        except LeftError as error:
            return [_problem(folder.id, f"where its roster begins is lost: {error}")]
        return []

    def _spread(
        self, folder: FolderRoster, heard: list[Signed], came_from: DeviceKey | None, now: float
    ) -> Outputs:
        """Act on statements that are new here, and tell them to the others: those that were heard,
        and those that this device said."""
        out: Outputs = []
        stop = self._rosters.put_out(folder.id)
        if stop is not None and folder.id not in self._put_out:
            self._put_out.add(folder.id)
            out.append(FolderStopped(folder.id, stop))
        elif stop is None and folder.id in self._put_out:
            self._put_out.discard(folder.id)  # it was let in again
            out.append(FolderAdded(folder.id))
        readers = self._rosters.readers(folder.id)
        if readers != self._readers.get(folder.id, frozenset()):
            self._readers[folder.id] = readers
            out.append(ModesChanged(folder.id, readers))
        self._told_self(folder)
        self._vouch(folder)
        said, folder.untold = folder.untold, []
        for device in self._peers.connected():
            if folder in self._proved_by(device):
                out += self._told(folder, device, [*(heard if device != came_from else []), *said])
        removed = {
            DeviceKey(each.statement.device): None
            for each in (*heard, *said)
            if isinstance(each.statement, Removal)
        }
        for device in removed:
            if device != self._rosters.me.device and self.excludes(folder.id, device):
                out += self._excluded(folder, device, now)
        return [*out, RelistMembers()]

    def _excluded(self, folder: FolderRoster, device: DeviceKey, now: float) -> Outputs:
        if self._rosters.is_shut_out(device):
            self._leaving[device] = now + CUT_AFTER_S
        by = self._rosters.remover(folder.id, device)
        text = f"{self._peers.name(device)} was removed from the folder by {by}"
        return [_problem(folder.id, text), MemberExcluded(folder.id, device)]

    def _vouch(self, folder: FolderRoster) -> bool:
        """Let in who is connected, holds the secret, and was written or let in by a person here, if
        nothing was ever said of it. Return whether there was one."""
        if not may_write(folder.roster, self._rosters.me):
            return False
        found = False
        for device in self._peers.connected():
            if (
                self._is_vouched(device)
                and folder in self._proved_by(device)
                and folder.roster.says_nothing_of(device)
            ):
                name = self._peers.name(device)[:MAX_MEMBER_NAME_CHARS]
                who = Newcomer(device, name, folder.roster.last_mode(device))
                try:
                    self._rosters.vouch(folder.id, who)
                except LeftError:
                    return found  # it is tried again at its next greeting
                found = True
        return found

    def _told_self(self, folder: FolderRoster) -> bool:
        """Say our name and addresses if they are others now. Return whether that was so."""
        if self._endpoints is None:
            return False
        before = len(folder.untold)
        try:
            self._rosters.tell_self(folder.id, self._endpoints)
        except LeftError:
            return False  # it is said with the next change
        return len(folder.untold) > before

    def _told(
        self, folder: FolderRoster, device: DeviceKey, statements: Iterable[Signed] | None
    ) -> Outputs:
        """Send a device statements; None: only the digest of all."""
        link = self._peers.link_for(Capability.ROSTER, device)
        said = None if statements is None else tuple(statements)
        if link is None or said == ():
            return []
        return [SendRoster(link, folder.id, folder.roster.digest(), said)]

    def _shared_with(self, device: DeviceKey) -> list[FolderRoster]:
        """Return the folders whose secret a device proved, and which it may have."""
        return [one for one in self._proved_by(device) if not self.excludes(one.id, device)]

    def _proved_by(self, device: DeviceKey) -> list[FolderRoster]:
        peer = self._peers.by_key.get(device)
        proved = frozenset[str]() if peer is None else peer.proved
        return [one for id, one in self._rosters.folders.items() if id in proved]


def _problem(folder: str, text: str) -> Tell:
    return Tell(EventKind.PROBLEM, {"folder": folder, "text": text})
