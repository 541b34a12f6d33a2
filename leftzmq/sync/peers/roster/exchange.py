"""Rosters on the wire: what this device says of a folder's members to the others, and hears; and
how the secrets of epochs get from one member to the next.

Knows links, who was told what, and what follows when somebody comes or is removed. Must not know
which statements count (`roster` beside it does), how they and secrets are kept (`rosters`) or
sealed, or who may connect: the host lists the members and dials them.

The secret of an epoch goes to live members alone, and after all statements, over the same link: so
whoever has it knows the removals for which it was made.

docs/protocol.md ("Conversations") is the authority.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from leftzmq.content.ids import StatementId
from leftzmq.content.key_text import read_key
from leftzmq.errors import LeftError, Refusal
from leftzmq.sync.actions import (
    Drop,
    Outputs,
    RelistMembers,
    Send,
    SendEpochKey,
    SendRoster,
    Tell,
)
from leftzmq.sync.facts import (
    EpochBegan,
    EpochKeyArrived,
    FolderAdded,
    FolderStopped,
    MemberExcluded,
    ModesChanged,
    OurAddressesFound,
    PeerGreeted,
    RosterArrived,
    RosterGrew,
)
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.sync.peers.greeting import Peers
from leftzmq.sync.peers.roster.making import Newcomer, may_write
from leftzmq.sync.peers.roster.rosters import FolderMember, FolderRoster, Rosters
from leftzmq.wire.local import EventKind
from leftzmq.wire.messages import Capability, EpochWanted
from leftzmq.wire.roster_part import may_go_on
from leftzmq.wire.statements import (
    MAX_MEMBER_NAME_CHARS,
    Admission,
    EpochStatement,
    Removal,
    Signed,
)

CUT_AFTER_S: Final = 0.5
"""A removed device hears of it before its connections end: by then it is on its way."""
OFFER_AGAIN_S: Final = 61.0
"""After statements that came too fast, or could not be kept: what one link may bring is counted by
the minute."""
MADE_AFTER_S: Final = 3.0
"""Without an epoch to use, a member that may write makes one when none comes for so long: what
follows a removal is on its way, or is withheld."""
TOLD_AFTER_S: Final = 10.0
ASKED_AGAIN_S: Final = 60.0
MENDED_AGAIN_S: Final = 10.0
ANSWERED_AGAIN_S: Final = 30.0
"""Less than OFFER_AGAIN_S: whoever could not take an answer gets it once more."""
MAX_ASKED: Final = 8
"""Epochs that one device is asked for at once."""


@dataclass(slots=True)
class _LackOfEpoch:
    """No epoch of a folder may be used here. Each time in monotonic seconds; told: the user was."""

    make_at: float
    tell_at: float
    ask_at: float
    told: bool = False


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
        self._out = {id: rosters.excluded(id) for id in rosters.folders}  # on whom was acted
        self._offer_again_at: dict[str, float] = {}  # by folder
        # By folder, as they were told last. A folder asks for them when it begins.
        self._readers = {id: rosters.readers(id) for id in rosters.folders}
        self._waits: dict[str, _LackOfEpoch] = {}  # by folder
        self._ask_at: dict[str, float] = {}  # by folder: for secrets that others may have
        # By device and folder, since its last greeting: epochs that it was asked for, and when it
        # was told the whole roster because it named an old epoch.
        self._asked: dict[tuple[DeviceKey, str], set[bytes]] = {}
        self._mended: dict[tuple[DeviceKey, str], float] = {}
        # Likewise: the digests, its and ours, that were answered last, and when.
        self._answers: dict[tuple[DeviceKey, str], tuple[tuple[bytes, bytes], float]] = {}

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
        times += [0.0 for folder in self._rosters.folders.values() if folder.switched]
        for wait in self._waits.values():
            times += [wait.make_at, wait.ask_at]
            times += [] if wait.told else [wait.tell_at]
        times += self._ask_at.values()
        times += self._offer_again_at.values()
        return min(times, default=None)

    def has_roster(self, id: str) -> bool:
        folder = self._rosters.folders.get(id)
        return folder is not None and bool(folder.roster.pins)

    def folder_added(self, id: str) -> None:
        """A folder is on this device, perhaps again: what follows from its roster is looked for
        anew."""
        self._out[id] = self._rosters.excluded(id)
        self._readers[id] = self._rosters.readers(id)  # the folder asks when it begins
        if self._rosters.put_out(id) is None:
            self._put_out.discard(id)
        else:
            self._put_out.add(id)

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
        for noted in (self._asked, self._mended, self._answers):
            for key in [key for key in noted if key[0] == device]:
                del noted[key]
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
        # Who hears the roster for the first time is told all of it at once.
        is_new_here = not folder.roster.is_live(self._rosters.me.device)
        if not folder.roster.pins:
            out = self._begin(folder, device, now)
            # Who is removed at this moment is told that, and nothing else any more.
            if not folder.roster.pins or not fact.said.statements:
                return out
            return [*out, *self._taken(fact, folder, device, is_new_here, now)]
        if not fact.said.statements:
            if fact.said.digest != folder.roster.digest():
                return self._answered(folder, device, fact.said.digest, now)
            return self._wanted(folder, device)
        return self._taken(fact, folder, device, is_new_here, now)

    def _answered(
        self, folder: FolderRoster, device: DeviceKey, said: bytes, now: float
    ) -> Outputs:
        """Send a device all that we have, and our digest behind it: if it has more by then, it
        answers that. Digests that were answered stay so for a while, as what one of the two may not
        take yet keeps them apart."""
        digests = (said, folder.roster.digest())
        answered, at = self._answers.get((device, folder.id), (None, now))
        if answered == digests and now < at + ANSWERED_AGAIN_S:
            return []
        self._answers[device, folder.id] = digests, now
        return [*self._told_all(folder, device), *self._told(folder, device, None)]

    def _taken(
        self,
        fact: RosterArrived,
        folder: FolderRoster,
        device: DeviceKey,
        is_new_here: bool,
        now: float,
    ) -> Outputs:
        try:
            new, refused = self._rosters.take(
                folder.id, fact.said.statements, None if is_new_here else device, now
            )
        except LeftError as error:
            # A removal may be among it. Whoever hears then what is known here tells it once more.
            self._offer_again_at[folder.id] = now + OFFER_AGAIN_S
            return [_problem(folder.id, f"the word of {self._peers.name(device)} is lost: {error}")]
        out = self._pinned(folder, new)
        if new:
            # The epoch of a removal may come in the next part, or over another link: the removed
            # device itself is told the removal alone, and passes it on.
            is_part = may_go_on(fact.said) or refused is not None
            if not is_part and not self.excludes(folder.id, device):
                out += self._renewed(folder)
            # Not those that waited here for one of these: another device brought them.
            told_by = (device, {each.id for each in fact.said.statements})
            out += self._spread(folder, new, told_by, now)
            if (wait := self._waits.get(folder.id)) is not None:
                # It may be a member since this word, and could make none before.
                wait.make_at = min(wait.make_at, now + MADE_AFTER_S)
            self._note_lacking(folder, now)
        match refused:
            case (Refusal.TOO_FAST, _):
                self._offer_again_at[folder.id] = now + OFFER_AGAIN_S
            case (Refusal.NOT_SIGNED | Refusal.NOT_ITS_RIGHT as refusal, detail):
                out.append(Drop(device, refusal, detail))
        return out

    def on_epoch_key_arrived(self, fact: EpochKeyArrived, now: float) -> Outputs:
        """A member sends the secret of an epoch: keep it, use it if it is the one to be used, and
        pass it on then."""
        device, folder = fact.link.device, self._rosters.folders.get(fact.folder)
        if folder is None or folder not in self._shared_with(device):
            return []
        roster, epochs = folder.roster, folder.epochs
        is_told = roster.is_live(device) and roster.knows_epoch(fact.epoch)
        if not is_told or epochs.keys(fact.epoch) is not None:
            return []
        try:
            self._rosters.hold(folder.id, fact.secret)
        except LeftError as error:
            text = f"the new secret from {self._peers.name(device)} is lost: {error}"
            return [_problem(folder.id, text)]
        self._note_lacking(folder, now)
        return self._switched(folder, device, now) or [EpochBegan(folder.id)]

    def on_epoch_wanted(self, device: DeviceKey, wanted: EpochWanted) -> Outputs:
        """A device asks for the secret of an epoch: send it, if it is a member."""
        for folder in self._shared_with(device):
            if folder.tag == wanted.tag and folder.epochs.may_seal(wanted.epoch):
                return self._key(folder, device, wanted.epoch)
        return []

    def mended(
        self, id: str, tag: bytes, device: DeviceKey, link: Link | None, now: float
    ) -> Outputs:
        """A device names an epoch that may not be used any more: tell it all that it lacks, every
        10 s at most.

        link: over which the answer to its question goes; None: over control, whichever link
        """
        folder = self._rosters.folders.get(id)
        if folder is None or folder.epochs.in_use is None or folder.epochs.may_seal(tag):
            return []
        told_at = self._mended.get((device, id))
        is_soon = told_at is not None and now < told_at + MENDED_AGAIN_S
        if is_soon or folder not in self._shared_with(device):
            return []
        self._mended[device, id] = now
        return self._told_all(folder, device, link)

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
        for folder in list(self._rosters.folders.values()):
            out += self._switched(folder, None, now)
            out += self._waited(folder, now)
            if now >= self._ask_at.get(folder.id, now + 1.0):
                del self._ask_at[folder.id]
                out += self._asked_again(folder)
                self._note_lacking(folder, now)
        for id in self._waits.keys() | self._ask_at.keys() | self._offer_again_at.keys():
            if id not in self._rosters.folders:  # it was taken off this device
                self._waits.pop(id, None)
                self._ask_at.pop(id, None)
                self._offer_again_at.pop(id, None)
        due = [device for device, at in self._leaving.items() if now >= at]
        for device in due:
            del self._leaving[device]
        if due:
            out.append(RelistMembers())
        for id in [id for id, at in self._offer_again_at.items() if now >= at]:
            del self._offer_again_at[id]
            folder = self._rosters.folders[id]
            for device in self._peers.connected():
                if folder in self._shared_with(device):
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
            self._offer_again_at[folder.id] = now + OFFER_AGAIN_S
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
        self,
        folder: FolderRoster,
        heard: list[Signed],
        told_by: tuple[DeviceKey, Collection[StatementId]] | None,
        now: float,
    ) -> Outputs:
        """Act on statements that are new here, and tell them to the others: those that were heard,
        and those that this device said. told_by: who said which of them just now, and knows them;
        None: nobody."""
        out: Outputs = []
        stop = self._rosters.put_out(folder.id)
        if stop is not None and folder.id not in self._put_out:
            self._put_out.add(folder.id)
            out.append(FolderStopped(folder.id, stop))
        elif stop is None and folder.id in self._put_out:
            self._put_out.discard(folder.id)  # it was let in again
            folder.switched = True  # whatever was in use before
            out.append(FolderAdded(folder.id))
        self._told_self(folder)
        self._vouch(folder)
        said, folder.untold = folder.untold, []
        before = self._out.get(folder.id, ())
        self._out[folder.id] = self._rosters.excluded(folder.id)
        # Not only of whom a removal is new: with a member those go whom it had let in again.
        removed = [device for device in self._out[folder.id] if device not in before]
        has_epoch = any(isinstance(each.statement, EpochStatement) for each in (*heard, *said))
        for device in self._peers.connected():
            if folder not in self._proved_by(device):
                continue
            knows = told_by[1] if told_by is not None and told_by[0] == device else ()
            told = [*(each for each in heard if each.id not in knows), *said]
            if self.excludes(folder.id, device):
                out += self._told(folder, device, _removals(folder, device, told, removed))
                continue
            out += self._told(folder, device, told)
            # Also to the one that made this epoch: it does not have the one in use, perhaps.
            if has_epoch and not folder.switched:  # else all are sent it below
                out += self._key_in_use(folder, device)
        for device in removed:
            if device != self._rosters.me.device:
                out += self._excluded(folder, device, now)
        # Not before: who is out is no reader any more, and is not one who may write from now on.
        readers = self._rosters.readers(folder.id)
        if readers != self._readers.get(folder.id, frozenset()):
            self._readers[folder.id] = readers
            out.append(ModesChanged(folder.id, readers))
        out += self._switched(folder, None, now)
        if self._is_in_again(folder, (*heard, *said)):
            out += self._peers.greet_again(folder.id)
        return [*out, RelistMembers()]

    def _is_in_again(self, folder: FolderRoster, new: Iterable[Signed]) -> bool:
        """Whether somebody was let in again to whom there is a link, and whose proof of the secret
        counted for nothing when it came; or our greeting is on its way and says nothing of the
        folder (seed 64101189). Only then: a greeting makes what a device said of its first reading
        count no more, and a join would be called complete too soon."""
        admitted = {
            DeviceKey(each.statement.device)
            for each in new
            if isinstance(each.statement, Admission) and each.statement.over
        }
        return any(
            device in admitted
            and folder not in self._proved_by(device)
            and not self.excludes(folder.id, device)
            for device in self._peers.linked()
        )

    def _excluded(self, folder: FolderRoster, device: DeviceKey, now: float) -> Outputs:
        if self._rosters.is_shut_out(device):
            self._leaving[device] = now + CUT_AFTER_S
        by = self._rosters.remover(folder.id, device)
        text = f"{self._peers.name(device)} was removed from the folder by {by}"
        return [_problem(folder.id, text), MemberExcluded(folder.id, device)]

    # -- epochs ------------------------------------------------------------------------------------

    def _renewed(self, folder: FolderRoster, waited: bool = False) -> Outputs:
        """Make an epoch if there is none, and this device may write: it is told with the next
        words. waited: also if there is one whose secret nobody sends."""
        try:
            self._rosters.renew(folder.id, waited)
        except LeftError as error:
            return [_problem(folder.id, f"the folder gets no new secret: {error}")]
        return []

    def _switched(self, folder: FolderRoster, told_by: DeviceKey | None, now: float) -> Outputs:
        """If another epoch is in use since the last time: pass its secret on, after all statements;
        and let everything go on that waited for it. told_by: who sent that secret."""
        if not folder.switched:
            return []
        folder.switched = False
        if folder.epochs.in_use is None:
            if folder.id not in self._waits:
                self._waits[folder.id] = _LackOfEpoch(
                    now + MADE_AFTER_S, now + TOLD_AFTER_S, now + TOLD_AFTER_S
                )
            return []
        out: Outputs = []
        for device in self._peers.connected():
            if device != told_by and folder in self._shared_with(device):
                out += self._key_in_use(folder, device)
        wait = self._waits.pop(folder.id, None)
        if wait is not None and wait.told:
            out.append(_problem(folder.id, "it has a new secret, and goes on"))
        return [*out, EpochBegan(folder.id)]

    def _waited(self, folder: FolderRoster, now: float) -> Outputs:
        """No epoch of the folder may be used here, and some time has passed."""
        wait = self._waits.get(folder.id)
        if wait is None:
            return []
        if folder.id in self._put_out:
            del self._waits[folder.id]
            return []
        out: Outputs = []
        if now >= wait.make_at:
            wait.make_at = now + ASKED_AGAIN_S
            out += self._renewed(folder, waited=True)
            if folder.untold:
                return [*out, *self._spread(folder, [], None, now)]
        if now >= wait.tell_at and not wait.told:
            wait.told = True
            makers = " or ".join(self._rosters.makers(folder.id)) or "a member that may write"
            text = f"it waits for the new secret of the folder from {makers}: nothing of it is sent"
            out.append(_problem(folder.id, text))
        if now >= wait.ask_at:
            wait.ask_at = now + ASKED_AGAIN_S
            out += self._asked_again(folder)
        return out

    def _note_lacking(self, folder: FolderRoster, now: float) -> None:
        """If a member made an epoch whose secret did not come, ask for it after a while."""
        if not self._rosters.lacking(folder.id):
            self._ask_at.pop(folder.id, None)
        else:
            self._ask_at.setdefault(folder.id, now + ASKED_AGAIN_S)

    def _asked_again(self, folder: FolderRoster) -> Outputs:
        out: Outputs = []
        for device in self._peers.connected():
            if folder in self._shared_with(device):
                self._asked.pop((device, folder.id), None)
                out += self._told(folder, device, None)
                out += self._wanted(folder, device)
        return out

    def _wanted(self, folder: FolderRoster, device: DeviceKey) -> Outputs:
        """Ask a device for the secrets of clean epochs that we lack, once a greeting for each."""
        link = self._link(device)
        if link is None:
            return []
        asked = self._asked.setdefault((device, folder.id), set())
        new = [tag for tag in self._rosters.lacking(folder.id)[:MAX_ASKED] if tag not in asked]
        asked.update(new)
        return [Send(link, EpochWanted(folder.tag, tag)) for tag in new]

    def _told_all(
        self, folder: FolderRoster, device: DeviceKey, over: Link | None = None
    ) -> Outputs:
        """Send a device all statements, and then the secret of the epoch in use."""
        out = self._told(folder, device, folder.roster.after(), over)
        return [*out, *self._key_in_use(folder, device, over)]

    def _key_in_use(
        self, folder: FolderRoster, device: DeviceKey, over: Link | None = None
    ) -> Outputs:
        used = folder.epochs.in_use
        return [] if used is None else self._key(folder, device, used.tag, over)

    def _key(
        self, folder: FolderRoster, device: DeviceKey, epoch: bytes, over: Link | None = None
    ) -> Outputs:
        """Send a member the secret of an epoch; that of the first one every member has."""
        link = self._link(device, over)
        is_held = folder.epochs.secret(epoch) is not None
        if link is None or not is_held or not folder.roster.is_live(device):
            return []
        return [SendEpochKey(link, folder.id, epoch)]

    # -- what is said ------------------------------------------------------------------------------

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
        try:
            return self._rosters.tell_self(folder.id, self._endpoints)
        except LeftError:
            return False  # it is said with the next change

    def _told(
        self,
        folder: FolderRoster,
        device: DeviceKey,
        statements: Iterable[Signed] | None,
        over: Link | None = None,
    ) -> Outputs:
        """Send a device statements; None: only the digest of all. over: the link; None: any."""
        link = self._link(device, over)
        said = None if statements is None else tuple(statements)
        if link is None or said == ():
            return []
        return [SendRoster(link, folder.id, folder.roster.digest(), said)]

    def _link(self, device: DeviceKey, over: Link | None = None) -> Link | None:
        """Return the link over which to tell a device something of a roster; None: it does not
        understand that, or there is none. over: the one that it is to be, if it may be any."""
        link = self._peers.link_for(Capability.ROSTER, device)
        return link if link is None or over is None else over

    def _shared_with(self, device: DeviceKey) -> list[FolderRoster]:
        """Return the folders whose secret a device proved, and which it may have."""
        return [one for one in self._proved_by(device) if not self.excludes(one.id, device)]

    def _proved_by(self, device: DeviceKey) -> list[FolderRoster]:
        peer = self._peers.by_key.get(device)
        proved = frozenset[str]() if peer is None else peer.proved
        return [one for id, one in self._rosters.folders.items() if id in proved]


def _removals(
    folder: FolderRoster,
    device: DeviceKey,
    told: Iterable[Signed],
    removed: Collection[DeviceKey],
) -> list[Signed]:
    """Return those of the statements by which a device is out, each behind what it hangs on: it may
    not know yet by whose word the remover is in, nor that it was in itself. removed: those that are
    out since these statements: perhaps as one was removed who had let them in again."""
    is_new = device in removed
    removals = [
        one.id
        for one in told
        if isinstance(one.statement, Removal) and (is_new or one.statement.device == device)
    ]
    removals += folder.roster.removals_of(device) if is_new else ()
    found = {each.id: each for id in removals for each in folder.roster.with_grounds(id)}
    return [*found.values()]


def _problem(folder: str, text: str) -> Tell:
    return Tell(EventKind.PROBLEM, {"folder": folder, "text": text})
