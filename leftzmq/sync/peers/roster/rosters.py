"""The rosters of all folders of this device: kept, asked who is in, and added to by its user; and
the epochs of these folders.

Knows the write order: a statement is durable before anybody hears it, or it is in no roster. The
secret of an epoch is durable before it is used or told, and before its statement. Must not know
links, nor who is told (`exchange` beside it does); which statements count is decided by `roster`.

A folder has a roster from its first invitation on, or when a device that shares it has one. Until
then its members are those that hold its secret, and nobody is excluded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from msgspec import Struct

from leftzmq.content.epochs import Epochs
from leftzmq.content.ids import StatementId
from leftzmq.content.key_text import key_beginning
from leftzmq.content.keys import SECRET_BYTES, FolderKeys, derive_epoch
from leftzmq.errors import LeftError, Refusal, RosterError, Stop, StopCause
from leftzmq.pairing.roster_store import Kept, KeptRoster
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster import making
from leftzmq.sync.peers.roster.making import Newcomer, Signatory
from leftzmq.sync.peers.roster.roster import Mode, Roster
from leftzmq.wire.statements import MAX_MEMBER_NAME_CHARS, Removal, SelfStatement, Signed

NONCE_BYTES: Final = 16
_PUT_OUT: Final = (
    "nothing of it is sent, received or changed here any more; its files stay where they are. A "
    "member can invite this device again: leftzmq share there, leftzmq join here"
)


class KeepsRosters(Protocol):
    """Keeps rosters durably (pairing/roster_store). folder: the identity tag. Raises LeftError if
    it cannot; then it keeps what it had."""

    def load(self, folder: bytes) -> KeptRoster: ...

    def keep(
        self, folder: bytes, kept: Sequence[Kept], pins: Collection[StatementId] = ()
    ) -> tuple[int, ...]:
        """Keep these, and return the number of each. All of it is durable then."""

    def keep_epoch(self, folder: bytes, secret: bytes, forgotten: Collection[bytes] = ()) -> None:
        """Keep the secret of an epoch, and forget these. It is durable then."""

    def retain(self, folder: bytes, slots: Collection[bytes]) -> None:
        """Forget all other statements of the folder."""

    def forget(self, folder: bytes) -> None:
        """Forget all of a folder, pins too."""


class FolderMember(Struct, frozen=True):
    """Another device that is in at least one folder of ours.

    name: as it calls itself, or as the one who let it in calls it; endpoints: where it listens
    folders: ids of those that it is in
    """

    device: DeviceKey
    name: str
    endpoints: tuple[str, ...]
    folders: tuple[str, ...]


@dataclass(slots=True)
class FolderRoster:
    """tag: the identity tag. numbers: of the removals, by the order in which they came here.
    untold: what this device said and nobody has heard yet. switched: another epoch is in use, and
    nobody has acted on it yet."""

    id: str
    tag: bytes
    roster: Roster
    epochs: Epochs
    numbers: dict[StatementId, int] = field(default_factory=dict)
    last_number: int = 0
    untold: list[Signed] = field(default_factory=list)
    switched: bool = False


class Rosters:
    """One per agent.

    name: of this device, as its config has it
    label: returns how this device calls another one; "": it has no name for it
    wall_s: returns unix seconds, which are only shown; random: returns random bytes
    """

    def __init__(
        self,
        me: Signatory,
        name: str,
        label: Callable[[DeviceKey], str],
        keeper: KeepsRosters,
        wall_s: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self.me, self._name, self._keeper = me, name[:MAX_MEMBER_NAME_CHARS], keeper
        self._label = label
        self._wall_s, self._random = wall_s, random
        self.folders: dict[str, FolderRoster] = {}
        self._epochs: dict[bytes, Epochs] = {}  # by identity tag

    def epochs(self, keys: FolderKeys) -> Epochs:
        """Return the epochs of a folder; the first one alone, until `add_folder`. Any thread may
        ask."""
        return self._epochs.setdefault(keys.tag, Epochs(keys.first))

    def add_folder(self, id: str, keys: FolderKeys) -> None:
        """Take up what is kept of a folder. Raises LeftError."""
        tag = keys.tag
        folder = self.folders[id] = FolderRoster(id, tag, Roster(tag), self.epochs(keys))
        known = self._load(folder)
        folder.switched = folder.epochs.in_use is None  # it is to be waited for
        stays = [_slot(folder.roster, signed) for signed in folder.roster.after()]
        if len(stays) < known:
            self._keeper.retain(tag, stays)

    def _load(self, folder: FolderRoster) -> int:
        """Make a roster what is kept of it. Return how many statements that are."""
        kept = self._keeper.load(folder.tag)
        folder.roster = Roster(folder.tag, kept.pins)
        folder.numbers.clear()
        for number, signed in kept.statements:
            folder.roster.add(signed, None, 0.0)
            _number(folder, signed, number)
        for secret in kept.epochs:
            folder.epochs.hold(secret)
        self._judge(folder)
        return len(kept.statements)

    def _judge(self, folder: FolderRoster) -> None:
        """Find out which epoch is in use: the roster or the secrets are others now."""
        roster, epochs = folder.roster, folder.epochs
        clean = frozenset[bytes]()
        # Who joined and has not heard the roster yet does not know which epochs may be used.
        if not roster.pins or roster.is_live(self.me.device):
            clean = frozenset(tag for tag in epochs.held if roster.clean(tag))
        folder.switched |= epochs.use(clean, roster.in_use(clean))

    def remove_folder(self, id: str) -> None:
        """The folder was taken off this device. What is kept of it stays."""
        self.folders.pop(id, None)

    def forget_folder(self, id: str) -> None:
        """The folder was taken off this device, and what is kept of it goes. Raises LeftError."""
        folder = self.folders.get(id)
        if folder is not None:
            self._keeper.forget(folder.tag)
            self._epochs.pop(folder.tag, None)  # else what is told anew would not be kept
            self.remove_folder(id)

    # -- questions ---------------------------------------------------------------------------------

    def members(self) -> list[FolderMember]:
        """Return all other devices that are in a folder of ours."""
        found: dict[DeviceKey, list[FolderRoster]] = {}
        for folder in self.folders.values():
            for device in folder.roster.live():
                found.setdefault(device, []).append(folder)
        return [_shown(device, its) for device, its in found.items() if device != self.me.device]

    def is_in_another(self, device: DeviceKey, id: str) -> bool:
        """Whether a device is in another folder of ours than this one."""
        others = (folder for folder in self.folders.values() if folder.id != id)
        return any(folder.roster.is_live(device) for folder in others)

    def excludes(self, id: str, device: DeviceKey) -> bool:
        """Whether a device gets nothing of this folder, whatever secret it holds."""
        folder = self.folders.get(id)
        if folder is None or not folder.roster.pins or folder.roster.is_live(device):
            return False
        return not folder.roster.says_nothing_of(device)

    def excluded(self, id: str) -> tuple[DeviceKey, ...]:
        """Return the devices that were removed from a folder and are not let in again."""
        removed = self.folders[id].roster.judgement.counting
        return tuple(device for device in removed if self.excludes(id, device))

    def readers(self, id: str) -> frozenset[DeviceKey]:
        """Return the members of a folder that may only read it, this device too if it is one."""
        folder = self.folders.get(id)
        if folder is None:
            return frozenset()
        roster = folder.roster
        return frozenset(each for each in roster.live() if roster.mode(each) == "read")

    def mode(self, device: DeviceKey) -> Mode | None:
        """Return "read" if a device may only read a folder of ours; None: no roster names it."""
        modes = {folder.roster.mode(device) for folder in self.folders.values()} - {None}
        return "read" if "read" in modes else "full" if modes else None

    def is_shut_out(self, device: DeviceKey) -> bool:
        """Whether a device was removed from a folder of ours, and is in none."""
        return any(self.excludes(id, device) for id in self.folders) and not any(
            folder.roster.is_live(device) for folder in self.folders.values()
        )

    def shut_out(self) -> frozenset[DeviceKey]:
        """Return all devices that were removed from a folder of ours, and are in none."""
        removed = {
            device
            for folder in self.folders.values()
            for device in folder.roster.judgement.counting
        }
        return frozenset(device for device in removed if self.is_shut_out(device))

    def put_out(self, id: str) -> Stop | None:
        """Return why this device may not use a folder; None: it was not removed from it."""
        if not self._is_out(self.folders[id].roster):
            return None
        by = self.remover(id, self.me.device)
        return Stop(StopCause.PUT_OUT, f"{by} removed this device from the folder: {_PUT_OUT}")

    def _is_out(self, roster: Roster) -> bool:
        """Whether this device was let in, and is no member. Who joined and has not heard of itself
        yet is not out."""
        return not roster.is_live(self.me.device) and roster.knows(self.me.device)

    def remover(self, id: str, device: DeviceKey) -> str:
        """Return the name of a member that removed a device, and whose removal still holds."""
        roster = self.folders[id].roster
        signers = [roster.signer(removal) for removal in roster.removals_not_lifted(device)]
        for signer in signers:
            if signer == device:
                return "its own user"
            if signer is not None:
                return self._called(roster, signer)
        return "another member"

    def pins(self, id: str) -> list[StatementId]:
        """Return the roots at which the folder's roster begins, ours first: what a joiner gets."""
        roster = self.folders[id].roster
        return sorted(roster.pins, key=lambda pin: (roster.signer(pin) != self.me.device, pin))

    def let_in_by(self, device: DeviceKey) -> Mapping[str, list[str]]:
        """Return, by folder, the names of those who are in it by a device's word: what becomes of
        them is to be said when the device is removed."""
        found: dict[str, list[str]] = {}
        for folder in self.folders.values():
            hangs = {one for below in folder.roster.let_in_by(device).values() for one in below}
            others = sorted(
                self._called(folder.roster, one) for one in hangs - {device, self.me.device}
            )
            if others:
                found[folder.id] = others
        return found

    def removed_from(self, device: DeviceKey) -> list[str]:
        """Return the folders from which a device was removed."""
        return [id for id in self.folders if self.excludes(id, device)]

    def _called(self, roster: Roster, device: DeviceKey) -> str:
        if device == self.me.device:
            return "this device"
        return self._label(device) or roster.called(device) or key_beginning(device)

    # -- what the user of this device says: durable when it returns, and then `untold` -------------

    def found(self, id: str) -> None:
        """Begin the folder's roster, unless it has one. Raises LeftError."""
        folder = self.folders[id]
        if not folder.roster.pins:
            root = making.found(folder.roster, self.me, self._name, self._nonce(), self._at())
            self._say(folder, [root], pins=[root.id])

    def pin(self, id: str, pins: Collection[StatementId]) -> None:
        """Begin at these roots, which the door told. Raises LeftError."""
        folder = self.folders[id]
        self._keeper.keep(folder.tag, [], pins)
        for root in pins:
            folder.roster.pin(root)
        self._judge(folder)

    def keep_beginning(
        self, keys: FolderKeys, pins: Collection[StatementId], secret: bytes | None
    ) -> None:
        """Keep what the door of a folder told: where its roster begins, unless it begins somewhere
        here already, and the secret of its epoch; None: of the first one. To be kept before the
        folder comes to this device: without it the folder would begin a roster of its own, which
        need not become one with that of the others. Raises LeftError."""
        here = next((one for one in self.folders.values() if one.tag == keys.tag), None)
        if here is not None:
            if secret is not None:
                self.hold(here.id, secret)
            if pins and not here.roster.pins:
                self.pin(here.id, pins)
            return
        kept = self._keeper.load(keys.tag)
        if secret is not None and secret not in kept.epochs:
            self._keeper.keep_epoch(keys.tag, secret)
        if pins and not kept.pins:
            self._keeper.keep(keys.tag, [], pins)

    def let_in(self, id: str, who: Newcomer, known: int) -> Signed:
        """Let a device in by an invitation. Return its admission; that of a member is the one that
        it has.

        known: `last_number` when the invitation was made: a removal that came later is stronger.
        Raises RosterError if the device was removed since, or cannot be let in; LeftError.
        """
        folder = self.folders[id]
        roster = folder.roster
        member = roster.member(who.device)
        admission = None if member is None else roster.statement(member.admissions[0])
        if admission is not None:
            return admission
        removals = roster.removals_of(who.device)
        if any(folder.numbers[removal] > known for removal in removals):
            do = "invite it anew"
            raise RosterError("it was removed after the invitation was made", who.name, do)
        with self._undone_if_not_kept(folder):
            signed = [
                making.admit(roster, self.me, who, self._nonce(), self._at(), removals, line)
                for line in making.lines(roster, self.me)
            ]
            self._say(folder, signed)
        return signed[0]

    def vouch(self, id: str, who: Newcomer) -> None:
        """Make a device a member that a person here wrote into peer.toml or let in before there was
        a roster, and that holds the secret. Raises LeftError."""
        folder = self.folders[id]
        self._say(folder, [making.admit(folder.roster, self.me, who, self._nonce(), self._at())])

    def removable(self, device: DeviceKey) -> list[str]:
        """Return the folders from which this device may remove another one, which is in them."""
        return [
            folder.id
            for folder in self.folders.values()
            if folder.roster.is_live(device) and making.may_write(folder.roster, self.me)
        ]

    def remove(self, id: str, device: DeviceKey, keep_invited: bool) -> None:
        """Remove a device from a folder, and begin a new epoch, which it does not get.

        keep_invited: whether those stay that the device let in. Those through whom this device
        itself is in stay in any case. Raises LeftError.
        """
        folder = self.folders[id]
        roster = folder.roster
        keep = [
            one
            for one, below in roster.let_in_by(device).items()
            if keep_invited or self.me.device in below
        ]
        with self._undone_if_not_kept(folder):
            removal = making.remove(roster, self.me, device, keep, self._at())
            self._say(folder, [removal, *self._new_epoch(folder)])

    def leave(self, id: str) -> None:
        """Leave a folder, if its roster says that we are in it. All whom we let in stay. Raises
        LeftError."""
        folder = self.folders[id]
        if folder.roster.is_live(self.me.device):
            self._say(folder, [making.leave(folder.roster, self.me, self._at())])

    def tell_self(self, id: str, endpoints: tuple[str, ...]) -> bool:
        """Say our name and addresses, if we are a member and said otherwise before. Return whether
        that was so. Raises LeftError."""
        folder = self.folders[id]
        me = folder.roster.member(self.me.device)
        if me is None or (me.name, me.endpoints) == (self._name, endpoints):
            return False
        self._say(folder, [making.tell_self(folder.roster, self.me, self._name, endpoints)])
        return True

    # -- epochs ------------------------------------------------------------------------------------

    def renew(self, id: str, waited: bool = False) -> bool:
        """Begin a new epoch if no epoch that is held may be used. Return whether one began.

        waited: also if there is a clean epoch whose secret nobody sends. Raises LeftError.
        """
        folder = self.folders[id]
        is_lacking = folder.epochs.in_use is None
        if not is_lacking or (folder.roster.clean_epochs() and not waited):
            return False
        with self._undone_if_not_kept(folder):
            said = self._new_epoch(folder)
            self._say(folder, said)
        return bool(said)

    def hold(self, id: str, secret: bytes) -> None:
        """Keep the secret of an epoch that somebody told, and use it if it is the one to be used.
        Raises LeftError; then it is not held."""
        folder = self.folders[id]
        if folder.epochs.keys(derive_epoch(secret).tag) is None:
            self._hold(folder, secret)
            self._judge(folder)

    def lacking(self, id: str) -> list[bytes]:
        """Return the tags of clean epochs that would be used if their secrets were held, that of
        the one to be used first. None where this device is out: nobody gives it a secret."""
        folder = self.folders[id]
        if self._is_out(folder.roster):
            return []
        used = folder.epochs.in_use
        return [
            tag
            for tag in folder.roster.clean_epochs()
            if (used is None or tag > used.tag) and folder.epochs.keys(tag) is None
        ]

    def makers(self, id: str) -> list[str]:
        """Return the names of those who made the epochs that are lacking."""
        roster = self.folders[id].roster
        found = {one: None for tag in self.lacking(id) for one in roster.makers(tag)}
        return [roster.called(one) or key_beginning(one) for one in found]

    def _new_epoch(self, folder: FolderRoster) -> list[Signed]:
        """Make a new epoch, unless one that is held is clean or this device may not write. Its
        secret is durable then; its statement is returned."""
        roster, epochs = folder.roster, folder.epochs
        if not making.may_write(roster, self.me) or roster.in_use(epochs.held) is not None:
            return []
        tag = self._hold(folder, self._random(SECRET_BYTES))
        return [making.new_epoch(roster, self.me, tag, self._at())]

    def _hold(self, folder: FolderRoster, secret: bytes) -> bytes:
        surplus = folder.epochs.surplus()
        self._keeper.keep_epoch(folder.tag, secret, surplus)
        return folder.epochs.hold(secret, surplus).tag

    @contextmanager
    def _undone_if_not_kept(self, folder: FolderRoster) -> Iterator[None]:
        """If something cannot be said or kept, the roster is again as it is kept."""
        try:
            yield
        except LeftError:
            self._load(folder)
            raise

    # -- what others say ---------------------------------------------------------------------------

    def take(
        self, id: str, said: Sequence[Signed], came_from: DeviceKey | None, now: float
    ) -> tuple[list[Signed], tuple[Refusal, str] | None]:
        """Take statements in. Return those that are new, and durable, and why another one was not
        taken; after TOO_FAST all that follow are left out, too.

        Raises LeftError if they cannot be kept: then none of them was taken in.
        """
        folder = self.folders[id]
        new: list[Signed] = []
        refused: tuple[Refusal, str] | None = None
        for signed in said:
            added = folder.roster.add(signed, came_from, now)
            new += added.new
            if added.refusal is not None:
                refused = added.refusal, added.detail
                if added.refusal is Refusal.TOO_FAST:
                    break
        self._keep(folder, new)
        return new, refused

    # -- keeping -----------------------------------------------------------------------------------

    def _say(
        self, folder: FolderRoster, said: Sequence[Signed], pins: Collection[StatementId] = ()
    ) -> None:
        self._keep(folder, said, pins)
        folder.untold += said

    def _keep(
        self, folder: FolderRoster, new: Sequence[Signed], pins: Collection[StatementId] = ()
    ) -> None:
        """Make durable what is in the roster already. If that fails, the roster is again as it is
        kept."""
        if not new and not pins:
            return
        kept = [Kept(_slot(folder.roster, signed), signed) for signed in new]
        with self._undone_if_not_kept(folder):
            numbers = self._keeper.keep(folder.tag, kept, pins)
        for signed, number in zip(new, numbers, strict=True):
            _number(folder, signed, number)
        self._judge(folder)

    def _nonce(self) -> bytes:
        return self._random(NONCE_BYTES)

    def _at(self) -> int:
        return int(self._wall_s())


def _number(folder: FolderRoster, signed: Signed, number: int) -> None:
    folder.last_number = max(folder.last_number, number)
    if isinstance(signed.statement, Removal):
        folder.numbers[signed.id] = number


def _slot(roster: Roster, signed: Signed) -> bytes:
    """What a member says of itself replaces what it said before."""
    signer = roster.signer(signed.id) if isinstance(signed.statement, SelfStatement) else None
    return signed.id if signer is None else b"self" + signer


def _shown(device: DeviceKey, folders: Sequence[FolderRoster]) -> FolderMember:
    name, endpoints = "", dict[str, None]()
    for folder in folders:
        member = folder.roster.member(device)
        if member is not None:
            name = name or member.name
            endpoints |= dict.fromkeys(member.endpoints)
    return FolderMember(device, name, tuple(endpoints), tuple(one.id for one in folders))
