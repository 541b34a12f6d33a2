"""A member of a folder that lies about who else is in it: what it says of devices and epochs.

It signs whatever it likes with its own key, holds the secrets of epochs that it was given, and has
heard what everybody heard. Knows statements, and of honest devices their rosters: it may have an
accomplice at any of them. Must not know what follows from a statement, nor what must hold then.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable
from typing import Final

from blake3 import blake3
from nacl.public import PrivateKey

from leftzmq.content.ids import StatementId
from leftzmq.content.keys import derive_epoch
from leftzmq.content.seal import seal_roster
from leftzmq.content.signing import SIGNATURE_BYTES, sign
from leftzmq.errors import Refusal
from leftzmq.sync.link import DeviceKey
from leftzmq.wire import epoch_key, roster_part
from leftzmq.wire.messages import MAX_PART_STATEMENTS, EpochKey, Message, RosterPart
from leftzmq.wire.roster_part import RosterSaid
from leftzmq.wire.statements import (
    Admission,
    EpochStatement,
    Removal,
    SelfStatement,
    Signed,
    Statement,
    encode,
    signed_bytes,
    with_signature,
)

from .hostile import Due, packed
from .node import FOLDER
from .sayings import FRAME, NONE, OUT
from .siege import Siege
from .world import SimDevice

AT: Final = 1_799_999_000
STRANGERS: Final = 70
"""More than a folder may have members."""


class Traitor:
    """The hostile device of a siege, in its folder's roster.

    forged: ids of statements whose signature is not that of the device whose word they are
    """

    def __init__(self, world: Siege) -> None:
        self.world, self.m = world, world.hostile
        self.m.hear_roster = self._hear
        self.heard: dict[StatementId, Signed] = {}
        self.forged: set[StatementId] = set()
        self.others = [DeviceKey(_stranger(number)) for number in range(STRANGERS)]
        world.strangers = {key: f"X{number}" for number, key in enumerate(self.others)}

    # ---- what it has -----------------------------------------------------------------------

    def holds(self) -> Iterable[tuple[DeviceKey, Collection[bytes]]]:
        """The tags of the epochs that it can open."""
        return [(self.m.key, self.m.epochs.keys())]

    def _hear(self, device: SimDevice, message: Message) -> None:
        if isinstance(message, RosterPart):
            said = roster_part.open_sealed(message.sealed, self.m.keys, device.key)
            self.heard |= {signed.id: signed for signed in said.statements}
        elif isinstance(message, EpochKey):
            opened = epoch_key.open_sealed(message.sealed, message.epoch, self.m.secret, device.key)
            self.m.epochs[bytes(message.epoch)] = derive_epoch(opened)

    def admission_of(self, device: SimDevice, key: DeviceKey) -> StatementId | None:
        """One by which this key is in, or was, as far as the device knows."""
        folder = device.rosters.folders.get(FOLDER)
        if folder is None:
            return None
        live = folder.roster.judgement.live.get(key)
        if live:
            return live[0]
        kept = device.roster_keeper.load(device.keys.tag).statements
        ids = [
            signed.id
            for _, signed in kept
            if isinstance(signed.statement, Admission) and signed.statement.device == key
        ]
        return ids[0] if ids else None

    # ---- saying ----------------------------------------------------------------------------

    def signed(self, statement: Statement) -> Signed:
        """Its own word."""
        tag = self.m.keys.tag
        signed = with_signature(tag, statement, sign(self.m.secret, signed_bytes(tag, statement)))
        self.heard[signed.id] = signed
        return signed

    def says(self, device: SimDevice, *said: Signed, due: Due = NONE) -> None:
        """In parts as an honest device makes them, but for their number and their digest."""
        digest = random.Random(len(self.heard)).randbytes(16)
        for at in range(0, max(len(said), 1), MAX_PART_STATEMENTS):
            part = RosterSaid(digest, tuple(said[at : at + MAX_PART_STATEMENTS]))
            nonce = self.world.random.randbytes(24)
            self.box(device, roster_part.seal(part, self.m.keys, self.m.key, nonce), due)

    def box(self, device: SimDevice, sealed: bytes, due: Due) -> None:
        self.m.control(device, [9, self.m.keys.tag, sealed], due)

    def plain(self, device: SimDevice, fields: object, due: Due) -> None:
        """A part whose content was made by hand."""
        nonce = self.world.random.randbytes(24)
        self.box(device, seal_roster(self.m.keys, packed(fields), nonce), due)

    def gives_key(self, device: SimDevice, epoch: bytes, secret: bytes, due: Due = NONE) -> None:
        nonce = self.world.random.randbytes(24)
        sealed = epoch_key.seal(secret, self.m.secret, device.key, nonce)
        self.m.control(device, [10, self.m.keys.tag, epoch, sealed], due)


Lie = Callable[[Traitor, SimDevice, random.Random], None]


def _stranger(number: int) -> bytes:
    return bytes(PrivateKey(blake3(b"stranger %d" % number).digest()).public_key)


def _admission(
    chance: random.Random,
    key: bytes,
    parent: bytes,
    *,
    mode: str = "full",
    over: Iterable[bytes] = (),
) -> Admission:
    name = chance.choice(("A", "M", "new", "x" * 64))
    return Admission(key, name, mode, parent, sorted(over), chance.randbytes(16), AT)  # type: ignore[arg-type]


# ---- in its own name ---------------------------------------------------------------------------


def _admits(t: Traitor, device: SimDevice, chance: random.Random) -> None:
    """It lets in devices that are not there, few or more than a folder may have."""
    parent = t.admission_of(device, t.m.key)
    if parent is not None:
        some = t.others[: chance.choice((1, 3, STRANGERS))]
        mode = chance.choice(("full", "read"))
        t.says(device, *(t.signed(_admission(chance, key, parent, mode=mode)) for key in some))


def _removes(t: Traitor, device: SimDevice, chance: random.Random) -> None:
    """It removes an honest device, or one of its own."""
    parent = t.admission_of(device, t.m.key)
    key = chance.choice([*t.world.by_key, *t.others[:2]])
    if parent is not None:
        keep = sorted(chance.randbytes(16) for _ in range(chance.choice((0, 0, 2))))
        t.says(device, t.signed(Removal(parent, key, keep, AT + chance.randrange(9))))


def _demotes(t: Traitor, device: SimDevice, chance: random.Random) -> None:
    """It lets an honest device in once more, to read alone."""
    parent = t.admission_of(device, t.m.key)
    key = chance.choice([*t.world.by_key])
    if parent is not None:
        t.says(device, t.signed(_admission(chance, key, parent, mode="read")))


def _lets_itself_in(t: Traitor, device: SimDevice, chance: random.Random) -> None:
    """Under itself, at a root of its own, or at one that lifts its removals."""
    roster = device.rosters.folders[FOLDER].roster
    parent, removals = t.admission_of(device, t.m.key), roster.removals_of(t.m.key)
    under = b"" if parent is None or chance.random() < 0.6 else parent
    over = removals if under or chance.random() < 0.5 else ()
    statement = _admission(chance, t.m.key, under, over=over[:32])
    if not under and over:  # a root lifts nothing: no honest program can even write it down
        frame = bytearray(encode(Signed(StatementId(bytes(16)), statement, bytes(SIGNATURE_BYTES))))
        part = [bytes(t.m.key), bytes(16), [bytes(frame)]]
        t.plain(device, part, FRAME | OUT)
        return
    t.says(device, t.signed(statement))


def _leaves(t: Traitor, device: SimDevice, chance: random.Random) -> None:
    parent = t.admission_of(device, t.m.key)
    if parent is not None:
        t.says(device, t.signed(Removal(parent, t.m.key, [], AT)))


def _epochs(t: Traitor, device: SimDevice, chance: random.Random) -> None:
    """An epoch that covers what it should or does not, whose secret it gives, withholds, or gives
    to one alone."""
    parent = t.admission_of(device, t.m.key)
    if parent is None:
        return
    for _ in range(chance.choice((1, 1, 4))):
        secret = chance.randbytes(32)
        made = derive_epoch(secret)
        covers = device.rosters.folders[FOLDER].roster.judgement.covers
        if chance.random() < 0.3:
            covers = chance.randbytes(16)
        t.says(device, t.signed(EpochStatement(parent, made.tag, covers, AT)))
        t.m.epochs[bytes(made.tag)] = made
        if chance.random() < 0.7:
            t.gives_key(device, made.tag, secret)


def _tells_of_itself(t: Traitor, device: SimDevice, chance: random.Random) -> None:
    """Names that others have, addresses of anybody, the highest number that there is."""
    parent = t.admission_of(device, t.m.key)
    if parent is not None:
        name = chance.choice(("A", "B", "M", "z" * 64))
        at = ["tcp://127.0.0.1:1", "tcp://[::1]:65535", "tcp://10.0.0.1:22"]
        for counter in chance.choice(((1,), (2**53,), (5, 4, 6), range(1, 40))):
            t.says(device, t.signed(SelfStatement(parent, counter, name, at)))


# ---- in the names of others ----------------------------------------------------------------------


def _forges(t: Traitor, device: SimDevice, chance: random.Random) -> None:
    """The word of an honest device, signed by itself, by nobody, or for another folder."""
    victim, other = (chance.choice([*t.world.by_key]) for _ in range(2))
    parent = t.admission_of(device, victim)
    if parent is None:
        return
    secret = chance.randbytes(32)
    statement: Statement = chance.choice(
        (
            Removal(parent, other, [], AT),
            Removal(parent, t.m.key, [], AT),
            _admission(chance, t.others[0], parent),
            _admission(chance, t.m.key, parent),
            _admission(chance, other, parent, mode="read"),
            SelfStatement(parent, 2**53, "B", []),
            EpochStatement(parent, derive_epoch(secret).tag, chance.randbytes(16), AT),
        )
    )
    tag = t.m.keys.tag
    signature = chance.choice(
        (
            sign(t.m.secret, signed_bytes(tag, statement)),
            sign(t.world.by_key[victim].secret, signed_bytes(bytes(16), statement)),
            chance.randbytes(SIGNATURE_BYTES),
        )
    )
    forged = with_signature(tag, statement, signature)
    t.forged.add(forged.id)
    t.says(device, forged)


def _replays(t: Traitor, device: SimDevice, chance: random.Random) -> None:
    """What it heard, in another order, some of it, twice."""
    some = [t.heard[id] for id in sorted(t.heard)]
    chance.shuffle(some)
    t.says(device, *some[: chance.choice((1, 5, len(some)))], *some[:3])


def _has_no_parents(t: Traitor, device: SimDevice, chance: random.Random) -> None:
    """Statements under admissions that nobody has."""
    some = [
        t.signed(_admission(chance, t.others[0], chance.randbytes(16)))
        for _ in range(chance.choice((1, 40, 200)))
    ]
    t.says(device, *some)


# ---- parts, digests and keys ---------------------------------------------------------------------


def _parts(t: Traitor, device: SimDevice, chance: random.Random) -> None:
    """Boxes that do not open, are of another device, or hold what is no statement."""
    own, digest = bytes(t.m.key), bytes(16)
    match chance.randrange(6):
        case 0:
            t.box(device, chance.randbytes(200), frozenset((Refusal.DOES_NOT_OPEN,)))
        case 1:
            due = frozenset((Refusal.NOT_ITS_NAME,))
            t.plain(device, [bytes(device.key), digest, []], due)
        case 2:
            t.plain(device, [own, digest, [chance.randbytes(40)]], FRAME)
        case 3:
            t.plain(device, [own, digest, [packed(["Z", 1, 2])]], NONE)
        case 4:
            t.plain(device, [own, digest[:5], []], FRAME | OUT)
        case 5:
            statement = packed(["A", own, "", "full", b"", [], bytes(16), 1, bytes(64)])
            t.plain(device, [own, digest, [statement]], FRAME | OUT)


def _digests(t: Traitor, device: SimDevice, chance: random.Random) -> None:
    """It claims to have nothing, again and again: each time it is told everything."""
    for _ in range(chance.choice((1, 5, 60))):
        t.says(device)


def _asks(t: Traitor, device: SimDevice, chance: random.Random) -> None:
    """For secrets of epochs that are, were, or never will be."""
    known = [bytes(each.tag) for each in t.m.epochs.values()]
    known += [bytes(tag) for tag in device.epochs.held]
    for _ in range(chance.choice((1, 9))):
        epoch = chance.choice([*known, chance.randbytes(16)])
        t.m.control(device, [11, t.m.keys.tag, epoch])


def _keys(t: Traitor, device: SimDevice, chance: random.Random) -> None:
    """Secrets of epochs of which nobody said anything, false ones, and boxes that do not open."""
    secret = chance.randbytes(32)
    tag = derive_epoch(secret).tag
    match chance.randrange(3):
        case 0:
            t.gives_key(device, tag, secret)
        case 1:
            t.gives_key(device, tag, chance.randbytes(32), frozenset((Refusal.WRONG_ID,)))
        case 2:
            due = frozenset((Refusal.DOES_NOT_OPEN,))
            size = epoch_key.SEALED_BYTES
            t.m.control(device, [10, t.m.keys.tag, tag, chance.randbytes(size)], due)


ROSTER_LIES: Final[dict[str, Lie]] = {
    "roster: admits": _admits,
    "roster: removes": _removes,
    "roster: demotes": _demotes,
    "roster: lets itself in": _lets_itself_in,
    "roster: leaves": _leaves,
    "roster: epochs": _epochs,
    "roster: tells of itself": _tells_of_itself,
    "roster: forges": _forges,
    "roster: replays": _replays,
    "roster: has no parents": _has_no_parents,
    "roster: parts": _parts,
    "roster: digests": _digests,
    "roster: asks": _asks,
    "roster: keys": _keys,
}
