"""What a member says in a roster: it lets in, removes, leaves, tells of itself, makes epochs.

Each function makes a signed statement, adds it to the roster and returns it; the caller writes it
down before anybody else gets it. RosterError says why something cannot be said. Must not know where
the key lies: signing and randomness are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from leftzmq.content.ids import StatementId
from leftzmq.content.key_text import key_text
from leftzmq.errors import RosterError
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.roster import Mode, Roster
from leftzmq.sync.peers.roster.rules import MAX_LIVE
from leftzmq.wire.statements import (
    MAX_KEEP,
    MAX_MEMBER_NAME_CHARS,
    MAX_OVER,
    Admission,
    EpochStatement,
    Removal,
    SelfStatement,
    Signed,
    Statement,
    signed_bytes,
    with_signature,
)

_DO_ASK = "ask a member that may write"


@dataclass(frozen=True, slots=True)
class Signatory:
    """A device that signs. sign: a message to its signature (content/signing)."""

    device: DeviceKey
    sign: Callable[[bytes], bytes] = field(repr=False)


class Newcomer(Struct, frozen=True):
    """A device to be let in."""

    device: DeviceKey
    name: str
    mode: Mode = "full"


def found(roster: Roster, me: Signatory, name: str, nonce: bytes, at: int) -> Signed:
    """Begin the folder's roster: return our root, at which we begin from now on.

    name: 1 to 64 printable characters, as everywhere here; nonce: 16 random bytes; at: unix time
    (s), which is only shown
    """
    root = Admission(me.device, name, "full", b"", [], nonce, at)
    signed = _sign(roster, me, root)
    roster.pin(signed.id)
    return _said(roster, signed)


def admit(
    roster: Roster,
    me: Signatory,
    who: Newcomer,
    nonce: bytes,
    at: int,
    over: Collection[StatementId] = (),
    under: StatementId | None = None,
) -> Signed:
    """Let a device in; of its name, something is added where a member has that name.

    over: the removals of it that this lifts. An invitation lifts roster.removals_of(device) as of
    the moment in which a person made it; who is only known from a config is let in with none.
    under: one of `lines`; None: the first
    """
    parent = _full(roster, me) if under is None else under
    if who.device == me.device:
        raise RosterError("a device cannot let itself in", who.name)
    if len(over) > MAX_OVER:
        what = f"it was removed more than {MAX_OVER} times"
        raise RosterError(what, who.name, "it needs a new key: start it with a new state directory")
    live = roster.live()
    if who.device not in live and len(live) >= MAX_LIVE:
        raise RosterError(f"the folder has {MAX_LIVE} members", who.name, "remove one first")
    name = free_name(roster, who.name, who.device)
    statement = Admission(who.device, name, who.mode, parent, sorted(over), nonce, at)
    return _said(roster, _sign(roster, me, statement))


def remove(
    roster: Roster, me: Signatory, device: DeviceKey, keep: Collection[StatementId], at: int
) -> Signed:
    """Remove a device. Follow it with a new epoch in the same message.

    keep: of roster.let_in_by(device), those that a person chose
    """
    return _remove(roster, me, _full(roster, me), device, keep, at)


def leave(roster: Roster, me: Signatory, at: int) -> Signed:
    """Leave the folder; all whom we let in stay."""
    return _remove(roster, me, _acting(roster, me), me.device, roster.let_in_by(me.device), at)


def tell_self(roster: Roster, me: Signatory, name: str, endpoints: Sequence[str]) -> Signed:
    """Say our name and at most 8 addresses, above all that we said before; also above what a copy
    of us said that we do not remember."""
    counter = roster.newest_self(me.device) + 1
    statement = SelfStatement(_acting(roster, me), counter, name, list(endpoints))
    return _said(roster, _sign(roster, me, statement))


def new_epoch(roster: Roster, me: Signatory, tag: bytes, at: int) -> Signed:
    """Make an epoch that is clean as long as no further removal counts. tag: that of its secret."""
    statement = EpochStatement(_full(roster, me), tag, roster.judgement.covers, at)
    return _said(roster, _sign(roster, me, statement))


def free_name(roster: Roster, wanted: str, device: DeviceKey) -> str:
    """Return the name, or with `-2` to `-9` behind it the first that no other member has here; else
    with four letters of the device's key."""
    taken = {
        each.name
        for other in roster.live()
        if other != device and (each := roster.member(other)) is not None
    }
    for end in ("", *(f"-{number}" for number in range(2, 10))):
        name = wanted[: MAX_MEMBER_NAME_CHARS - len(end)].rstrip() + end
        if name not in taken:
            return name
    return wanted[: MAX_MEMBER_NAME_CHARS - 5].rstrip() + f"-{key_text(device)[:4]}"


def _remove(
    roster: Roster,
    me: Signatory,
    parent: StatementId,
    device: DeviceKey,
    keep: Collection[StatementId],
    at: int,
) -> Signed:
    if len(keep) > MAX_KEEP:
        what = f"more than {MAX_KEEP} of the admissions that it signed are to stay"
        raise RosterError(what, key_text(device), "let some of these members in yourself, first")
    signed = _sign(roster, me, Removal(parent, device, sorted(keep), at))
    # A second removal in one second must not be the first, which an admission may lift already.
    while roster.statement(signed.id) is not None:
        at += 1
        signed = _sign(roster, me, Removal(parent, device, sorted(keep), at))
    return _said(roster, signed)


def lines(roster: Roster, me: Signatory) -> list[StatementId]:
    """Return the admissions under which we may let somebody in: of those that let us in, one for
    each root from which they come. What hangs on one root alone is nothing for who begins at
    another one, where the founder of the first is removed."""
    found: dict[StatementId, StatementId] = {}
    for id in (_full(roster, me), *roster.judgement.live[me.device]):
        found.setdefault(roster.root_of(id), id)
    return list(found.values())


def may_write(roster: Roster, me: Signatory) -> bool:
    """Return whether we are a full member."""
    return roster.mode(me.device) == "full"


def _full(roster: Roster, me: Signatory) -> StatementId:
    if roster.mode(me.device) == "read":
        raise RosterError("this device may only read the folder", do=_DO_ASK)
    return _acting(roster, me)


def _acting(roster: Roster, me: Signatory) -> StatementId:
    """Return the admission under which we act: of those that let us in, the one with the lowest
    id."""
    mine = roster.judgement.live.get(me.device)
    if mine is None:
        raise RosterError("this device is no member of the folder", do="have it invited again")
    return mine[0]


def _sign(roster: Roster, me: Signatory, statement: Statement) -> Signed:
    signature = me.sign(signed_bytes(roster.folder, statement))
    return with_signature(roster.folder, statement, signature)


def _said(roster: Roster, signed: Signed) -> Signed:
    added = roster.add(signed, None, 0.0)
    if added.refusal is not None:
        what = f"this cannot be said: {added.refusal.value}"
        raise RosterError(what, do="remove the member that signed most, or begin the folder anew")
    return signed
