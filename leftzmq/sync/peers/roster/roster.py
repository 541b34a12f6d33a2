"""The roster of one folder: takes statements in, and answers who is in the folder.

Knows the set and its bounds; `rules` beside it says what follows from the set, and `making` what a
member of it says. Must not know links: who brought a statement is a key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, Literal

from msgspec import Struct

from leftzmq.content.ids import StatementId, digest_of
from leftzmq.content.key_text import key_text
from leftzmq.content.signing import is_signed
from leftzmq.errors import Refusal
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster import rules
from leftzmq.sync.peers.roster.intake import (
    MAX_NEW_A_MINUTE,
    MAX_URGENT_A_MINUTE,
    Pace,
    WaitingRoom,
)
from leftzmq.sync.peers.roster.rules import Judgement
from leftzmq.wire.statements import (
    Admission,
    EpochStatement,
    Removal,
    SelfStatement,
    Signed,
    Statement,
    signed_bytes,
)

CROWDED: Final = 1_024
"""Statements from which on a person is told who signed most of them."""
RESERVED_FROM: Final = 4_096
"""Statements from which on only those are taken without which nobody could be removed."""
MAX_STATEMENTS: Final = 8_192

Mode = Literal["full", "read"]


class Added(Struct, frozen=True):
    """What became of a statement.

    new: it, and those that had waited for it; () where it was known, waits or is refused
    waits: its parent is not here yet
    refusal, detail: why it was not taken; TOO_FAST is the only one that the sender mends by waiting
    """

    new: tuple[Signed, ...] = ()
    waits: bool = False
    refusal: Refusal | None = None
    detail: str = ""


class RosterMember(Struct, frozen=True):
    """A live member. name: as it calls itself, or as the one who let it in calls it; a label.

    admissions: ids of those that let it in
    endpoints: where it listens, as it says; () if it said nothing
    """

    device: DeviceKey
    name: str
    mode: Mode
    endpoints: tuple[str, ...]
    admissions: tuple[StatementId, ...]


class Crowding(Struct, frozen=True):
    """The roster is far longer than a folder needs: `device` signed most of it, `signed` of
    `statements`."""

    statements: int
    device: DeviceKey
    signed: int


class Roster:
    """A set of statements; it only grows, but for what is replaced.

    folder: the identity tag, 16 bytes, which is the tag of epoch 0, too
    pins: ids of the roots at which this device begins: its own, and those it was told at the door

    What follows is computed when it is asked for, and kept until the next admission or removal. So
    8,192 statements (4,096 admissions, as many removals of 200 devices) are added in 0.62 s, their
    signatures checked, and judged in 11 ms (CPU time, one run, Python 3.11, 2 busy cores).
    """

    def __init__(self, folder: bytes, pins: Iterable[StatementId] = ()) -> None:
        self.folder = folder
        self._pins = set(pins)
        self._signed: dict[StatementId, Signed] = {}  # a parent before its children
        self._admissions: dict[StatementId, Admission] = {}
        self._removals: dict[StatementId, Removal] = {}
        self._selves: dict[bytes, StatementId] = {}  # by device
        self._epochs: dict[bytes, list[StatementId]] = {}  # by tag
        self._waiting = WaitingRoom()
        self._own, self._passed_on = Pace(MAX_NEW_A_MINUTE), Pace(MAX_NEW_A_MINUTE)
        self._reserve = Pace(MAX_URGENT_A_MINUTE)
        self._judged: Judgement | None = None
        self._kept: dict[StatementId, Signed] | None = None
        self._is_swept = False

    # ---- what comes in ---------------------------------------------------------------------------

    def pin(self, root: StatementId) -> None:
        """Begin at this root, too."""
        self._pins.add(root)
        self._changed()

    @property
    def pins(self) -> tuple[StatementId, ...]:
        """The roots at which this device begins: what a joiner is told at the door."""
        return tuple(sorted(self._pins))

    def add(self, signed: Signed, came_from: DeviceKey | None, now: float) -> Added:
        """Take a statement in. It is checked whole, signature first; nothing is raised.

        came_from: the device of the link. Of it 64 new ones a minute are taken, and as many that it
            passes on, and above that 4 urgent ones of each member that may write; None: a file of
            ours, ourselves, or the one from whom a new member hears the roster first
        now: seconds of a clock that never goes back
        """
        if self._is_known(signed) or signed in self._waiting:
            return Added()
        statement = signed.statement
        if came_from is not None and not self._keeps_pace(signed, came_from, now):
            return Added(refusal=Refusal.TOO_FAST, detail=f"{MAX_NEW_A_MINUTE} new a minute")
        if statement.parent and statement.parent not in self._admissions:
            self._waiting.put(signed, came_from)
            return Added(waits=True)
        refusal = self._refusal(signed)
        if refusal is not None:
            return Added(refusal=refusal, detail=type(statement).__name__)
        new = [signed]
        self._put(signed)
        for each in new:
            # Nobody is told what becomes of those that waited: their link may be gone.
            for child in self._waiting.take(each.id) if each.id in self._admissions else ():
                if not self._is_known(child) and self._refusal(child) is None:
                    self._put(child)
                    new.append(child)
        return Added(tuple(new))

    def _is_known(self, signed: Signed) -> bool:
        if signed.id in self._signed:
            return True
        statement = signed.statement
        if not isinstance(statement, SelfStatement):
            return False
        signer = self._admissions.get(StatementId(statement.parent))
        ours = None if signer is None else self._newest_self(signer.device)
        return ours is not None and (statement.counter, signed.id) < (
            ours.statement.counter,
            ours.id,
        )

    def _refusal(self, signed: Signed) -> Refusal | None:
        """Return why a statement whose parent is here is not taken."""
        statement = signed.statement
        signer = self._signer_of(statement)
        if not is_signed(signer.device, signed_bytes(self.folder, statement), signed.signature):
            return Refusal.NOT_SIGNED
        if not _may_say(signer, statement):
            return Refusal.NOT_ITS_RIGHT
        replaces = isinstance(statement, SelfStatement) and signer.device in self._selves
        return None if replaces or self._has_room(statement) else Refusal.ROSTER_FULL

    def _keeps_pace(self, signed: Signed, came_from: DeviceKey, now: float) -> bool:
        """Whether a device may bring one more. A member passes on what others sign without end, and
        must not be kept by that from removing them: so what it says itself is counted apart."""
        statement = signed.statement
        if statement.parent and statement.parent not in self._admissions:
            return self._passed_on.take(came_from, now)
        signer = DeviceKey(self._signer_of(statement).device)
        pace = self._own if signer == came_from else self._passed_on
        return pace.take(came_from, now) or self._has_reserve(signed, signer, now)

    def _has_reserve(self, signed: Signed, signer: DeviceKey, now: float) -> bool:
        """Whether a statement is taken although its link has brought too many: the link of one who
        passes it on, as its signer is elsewhere. Only what its signer did say is counted, so nobody
        uses up what is reserved for another."""
        statement = signed.statement
        if not _is_urgent(statement) or not statement.parent:
            return False
        may = self.mode(signer) == "full" and self._refusal(signed) is None
        return may and self._reserve.take(signer, now)

    def _signer_of(self, statement: Statement) -> Admission:
        """Return the admission under which a statement was signed. Its parent is here."""
        if isinstance(statement, Admission) and not statement.parent:
            return statement
        return self._admissions[StatementId(statement.parent)]

    def _has_room(self, statement: Statement) -> bool:
        most = MAX_STATEMENTS if _is_urgent(statement) else RESERVED_FROM
        if len(self._signed) >= most:
            self._sweep()
        return len(self._signed) < most

    def _sweep(self) -> None:
        """Forget epochs of those who are no members, if anything changed since the last time."""
        if self._is_swept:
            return
        self._is_swept = True
        kept = self._all_kept()
        for id in [id for id in self._signed if id not in kept]:
            del self._signed[id]
        self._epochs = {
            tag: left
            for tag, ids in self._epochs.items()
            if (left := [id for id in ids if id in kept])
        }

    def _put(self, signed: Signed) -> None:
        statement = signed.statement
        if isinstance(statement, SelfStatement):
            device = self._signer_of(statement).device
            before = self._selves.get(device)
            if before is not None:
                del self._signed[before]
            self._selves[device] = signed.id
            self._kept = None
        elif isinstance(statement, EpochStatement):
            self._epochs.setdefault(statement.tag, []).append(signed.id)
            self._kept, self._is_swept = None, False
        else:
            if isinstance(statement, Admission):
                self._admissions[signed.id] = statement
            else:
                self._removals[signed.id] = statement
            self._changed()
        self._signed[signed.id] = signed

    def _changed(self) -> None:
        self._judged = self._kept = None
        self._is_swept = False

    # ---- who is in -------------------------------------------------------------------------------

    @property
    def judgement(self) -> Judgement:
        """What follows from the set."""
        if self._judged is None:
            self._judged = rules.judge(self._admissions, self._removals, self._pins)
        return self._judged

    def live(self) -> frozenset[DeviceKey]:
        """Return the members of the folder; MAX_LIVE at most."""
        return frozenset(self.judgement.live)

    def is_live(self, device: DeviceKey) -> bool:
        """Return whether a device is a member of the folder."""
        return device in self.judgement.live

    def mode(self, device: DeviceKey) -> Mode | None:
        """Return what a member may do; None: it is none."""
        ids = self.judgement.live.get(device)
        if ids is None:
            return None
        return "read" if any(self._admissions[id].mode == "read" for id in ids) else "full"

    def member(self, device: DeviceKey) -> RosterMember | None:
        """Return a member, or None."""
        mode = self.mode(device)
        if mode is None:
            return None
        ids = self.judgement.live[device]
        said = self._newest_self(device)
        return RosterMember(
            device,
            self._admissions[ids[0]].name if said is None else said.statement.name,
            mode,
            () if said is None else tuple(said.statement.endpoints),
            ids,
        )

    def names(self) -> dict[DeviceKey, str]:
        """Return what to call each member: its name, with four letters of its key where another one
        has the same name."""
        members = [each for device in self.live() if (each := self.member(device)) is not None]
        often = Counter(each.name for each in members)
        return {
            each.device: each.name
            if often[each.name] == 1
            else f"{each.name}-{key_text(each.device)[:4]}"
            for each in members
        }

    def counts(self, removal: StatementId) -> bool:
        """Return whether this removal counts."""
        return self.judgement.counts(removal)

    def removals_of(self, device: DeviceKey) -> tuple[StatementId, ...]:
        """Return the removals of a device that count: those that an invitation has to lift."""
        return self.judgement.counting.get(device, ())

    def removals_not_lifted(self, device: DeviceKey) -> tuple[StatementId, ...]:
        """Return the removals by which a device is out: those of it that no valid admission lifts;
        all, if each is lifted by one admission or another."""
        removals, valid = self.removals_of(device), self.judgement.valid
        ours = (self._admissions[id] for id in valid if self._admissions[id].device == device)
        lifted = {removal for admission in ours for removal in admission.over}
        return tuple(removal for removal in removals if removal not in lifted) or removals

    def says_nothing_of(self, device: DeviceKey) -> bool:
        """Return whether a full member is to let in this device, which has the folder's secret and
        an entry of ours: no admission of it is valid, and it was never removed. A removal may be
        here before the admission, and would count as soon as there is one."""
        judgement = self.judgement
        return device not in judgement.named and not any(
            self._admissions[id].device == device for id in judgement.valid
        )

    def called(self, device: DeviceKey) -> str:
        """Return the name of a device, also if it is no member any more; "": it was none."""
        said = self._newest_self(device)
        if said is not None:
            return said.statement.name
        names = (each.name for each in self._admissions.values() if each.device == device)
        return next(names, "")

    def last_mode(self, device: DeviceKey) -> Mode:
        """Return as what a device may be let in again, whatever became of those who let it in:
        "read", if anybody ever said so."""
        ours = [each.mode for each in self._admissions.values() if each.device == device]
        return "read" if "read" in ours else "full"

    def knows(self, device: DeviceKey) -> bool:
        """Return whether this device was ever let in, whatever became of it."""
        return any(admission.device == device for admission in self._admissions.values())

    def statement(self, id: StatementId) -> Signed | None:
        """Return a statement by its id, such as the removal of a device."""
        return self._signed.get(id)

    def signer(self, id: StatementId) -> DeviceKey | None:
        """Return whose word a statement is; None: it is not here."""
        signed = self._signed.get(id)
        return None if signed is None else DeviceKey(self._signer_of(signed.statement).device)

    def newest_self(self, device: DeviceKey) -> int:
        """Return the highest counter of what this member said of itself; 0: nothing."""
        said = self._newest_self(device)
        return 0 if said is None else said.statement.counter

    def _newest_self(self, device: bytes) -> _SignedSelf | None:
        id = self._selves.get(device)
        if id is None:
            return None
        statement = self._signed[id].statement
        assert isinstance(statement, SelfStatement)
        return _SignedSelf(id, statement)

    # ---- epochs ----------------------------------------------------------------------------------

    def clean(self, tag: bytes) -> bool:
        """Return whether the epoch of this tag may be used: a full member made it, who knew all
        removals that count here."""
        judgement = self.judgement
        if tag == self.folder and not judgement.counting:
            return True
        return any(self._is_clean(id) for id in self._epochs.get(tag, ()))

    def clean_epochs(self) -> list[bytes]:
        """Return the tags of all clean epochs, also of those whose secret we do not hold; the
        highest first."""
        return sorted((tag for tag in self._epochs if self.clean(tag)), reverse=True)

    def knows_epoch(self, tag: bytes) -> bool:
        """Return whether a member said that there is such an epoch."""
        return bool(self._epochs.get(tag))

    def makers(self, tag: bytes) -> list[DeviceKey]:
        """Return the devices that made an epoch, if it is clean: normally one."""
        ids = [id for id in self._epochs.get(tag, ()) if self._is_clean(id)]
        return [DeviceKey(self._signer_of(self._signed[id].statement).device) for id in ids]

    def _is_clean(self, id: StatementId) -> bool:
        epoch = self._signed[id].statement
        assert isinstance(epoch, EpochStatement)
        return rules.is_clean(epoch, self._admissions, self.judgement)

    def in_use(self, held: Iterable[bytes]) -> bytes | None:
        """Return the tag of the epoch that is in use, of those whose secret we hold; None: none of
        them is clean, and a full member makes one at once."""
        return max((tag for tag in held if self.clean(tag)), default=None)

    # ---- what goes out ---------------------------------------------------------------------------

    def digest(self) -> bytes:
        """Return 16 bytes that two rosters have in common if they keep the same statements."""
        return digest_of(self._all_kept())

    def after(self, known: bytes | None = None) -> list[Signed]:
        """Return all statements that are kept, in an order in which each can be added; nothing for
        a device whose digest is ours.

        known: the digest of the other device. A removal comes as early as it can.
        """
        if known is not None and known == self.digest():
            return []
        kept = self._all_kept()
        ordered: dict[StatementId, Signed] = {}
        for id in self._removals:
            above: list[StatementId] = []
            for each in self._line_of(self._removals[id].parent):
                if each in ordered:
                    break
                above.append(each)
            ordered |= {each: self._signed[each] for each in reversed(above)}
            ordered[id] = self._signed[id]
        for wanted in (Admission, EpochStatement, SelfStatement):
            ordered |= {id: each for id, each in kept.items() if isinstance(each.statement, wanted)}
        return list(ordered.values())

    def with_grounds(self, id: StatementId) -> list[Signed]:
        """Return a removal behind all on which it hangs: by which the remover is in, and by which
        the removed one was. So that one understands it that was let in and has heard nothing."""
        removal = self._removals[id]
        ends = [each for each, one in self._admissions.items() if one.device == removal.device]
        found: dict[StatementId, Signed] = {}
        for end in (StatementId(removal.parent), *ends):
            line = [*self._line_of(end)]
            found |= {each: self._signed[each] for each in reversed(line)}
        return [*found.values(), self._signed[id]]

    def root_of(self, id: StatementId) -> StatementId:
        """Return the root from which an admission comes."""
        *_, root = self._line_of(id)
        return root

    def _line_of(self, id: bytes) -> Iterator[StatementId]:
        """Yield this admission, and those above it up to its root."""
        while id:
            yield StatementId(id)
            id = self._admissions[StatementId(id)].parent

    def _all_kept(self) -> dict[StatementId, Signed]:
        """Return what is kept: all but epochs of those who are no members now."""
        if self._kept is None:
            live = self.judgement.live
            self._kept = {
                id: each
                for id, each in self._signed.items()
                if not isinstance(each.statement, EpochStatement)
                or self._signer_of(each.statement).device in live
            }
        return self._kept

    def crowding(self) -> Crowding | None:
        """Return who signed most, where the roster is far too long."""
        kept = self._all_kept()
        if len(kept) < CROWDED:
            return None
        signers = Counter(self._signer_of(each.statement).device for each in kept.values())
        device, signed = max(signers.items(), key=lambda item: (item[1], item[0]))
        return Crowding(len(kept), DeviceKey(device), signed)

    # ---- for `making` ----------------------------------------------------------------------------

    def let_in_by(self, device: DeviceKey) -> dict[StatementId, frozenset[DeviceKey]]:
        """Return the valid admissions that a device signed, each with the members that hang on it.

        What a removal keeps is chosen from these ids."""
        judgement = self.judgement
        below: dict[bytes, set[DeviceKey]] = {id: set() for id in judgement.valid}
        founded: dict[DeviceKey, set[DeviceKey]] = {}  # what hangs on the roots of a device
        for id in reversed(list(judgement.valid)):
            admission = self._admissions[id]
            subject = DeviceKey(admission.device)
            if id in judgement.live.get(subject, ()):
                below[id].add(subject)
            if admission.parent:
                below[id] |= founded.get(subject, set())
                below[admission.parent] |= below[id]
            else:
                founded.setdefault(subject, set()).update(below[id])
        return {
            id: frozenset(below[id])
            for id in judgement.valid
            if below[id]
            and (parent := self._admissions[id].parent)
            and self._admissions[StatementId(parent)].device == device
        }


class _SignedSelf(Struct, frozen=True):
    id: StatementId
    statement: SelfStatement


def _is_urgent(statement: Statement) -> bool:
    """Return whether this takes a device out, or lets one that was out in again; or an epoch, as
    nothing could be sealed after a removal without one."""
    if isinstance(statement, Admission):
        return bool(statement.over)
    return isinstance(statement, Removal | EpochStatement)


def _may_say(signer: Admission, statement: Statement) -> bool:
    """Return whether a member that was let in this way may say this at all."""
    if isinstance(statement, Admission) and statement.parent and statement.device == signer.device:
        return False  # only a root is signed by its own subject
    if signer.mode == "full" or isinstance(statement, SelfStatement):
        return True
    if isinstance(statement, Removal):
        return statement.device == signer.device
    return isinstance(statement, Admission) and not statement.parent
