"""Rosters of devices with one-letter names, and statements that no honest program would make."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial

from blake3 import blake3
from nacl.bindings import crypto_scalarmult_base

from leftzmq.content.ids import StatementId, digest_of
from leftzmq.content.signing import sign
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.making import Newcomer, Signatory
from leftzmq.sync.peers.roster.roster import Mode, Roster
from leftzmq.wire.statements import (
    Admission,
    EpochStatement,
    Removal,
    SelfStatement,
    Signed,
    Statement,
    signed_bytes,
    with_signature,
)

FOLDER = b"the folder's tag"
AT = 1_795_940_000


@dataclass(frozen=True, slots=True)
class Device:
    name: str
    me: Signatory

    @property
    def key(self) -> DeviceKey:
        return self.me.device

    def newcomer(self, mode: Mode = "full") -> Newcomer:
        return Newcomer(self.key, self.name, mode)


@cache
def device(name: str) -> Device:
    """The device of this name; the same in all tests."""
    secret = blake3(name.encode()).digest()
    key = DeviceKey(crypto_scalarmult_base(secret))
    _NAMES[key] = name
    return Device(name, Signatory(key, partial(sign, secret)))


_NAMES: dict[bytes, str] = {}


def name_of(key: bytes) -> str:
    """The name by which `device` was asked for this key."""
    return _NAMES[key]


def names(keys: Iterable[bytes]) -> str:
    """The letters of these devices, in order."""
    return "".join(sorted(map(name_of, keys)))


class Sayings:
    """Makes any statement in any name: nothing is asked of a roster. Each nonce is another one."""

    def __init__(self) -> None:
        self.said: list[Signed] = []

    def put(self, signer: str, statement: Statement) -> Signed:
        signature = device(signer).me.sign(signed_bytes(FOLDER, statement))
        signed = with_signature(FOLDER, statement, signature)
        self.said.append(signed)
        return signed

    def root(self, name: str, *, signer: str = "") -> Signed:
        return self.admit(signer or name, name, None)

    def admit(
        self,
        signer: str,
        subject: str,
        parent: Signed | None,
        *,
        mode: Mode = "full",
        over: Sequence[Signed] = (),
    ) -> Signed:
        statement = Admission(
            device(subject).key,
            subject,
            mode,
            b"" if parent is None else parent.id,
            sorted(each.id for each in over),
            len(self.said).to_bytes(16, "big"),
            AT,
        )
        return self.put(signer, statement)

    def remove(
        self, signer: str, subject: str, parent: Signed, keep: Sequence[Signed] = ()
    ) -> Signed:
        kept = [bytes(id) for id in sorted(ids(keep))]
        at = AT + len(self.said)
        return self.put(signer, Removal(parent.id, device(subject).key, kept, at))

    def tell(self, signer: str, parent: Signed, counter: int, name: str, *at: str) -> Signed:
        return self.put(signer, SelfStatement(parent.id, counter, name, list(at)))

    def epoch(self, signer: str, parent: Signed, tag: int, removals: Collection[Signed]) -> Signed:
        covers = digest_of(each.id for each in removals)
        return self.put(signer, EpochStatement(parent.id, bytes([tag]) * 16, covers, AT))


def roster_of(said: Iterable[Signed], pins: Iterable[Signed]) -> Roster:
    """A roster that took these in, in this order, from a file."""
    roster = Roster(FOLDER, [pin.id for pin in pins])
    for signed in said:
        roster.add(signed, None, 0.0)
    return roster


def in_any_order(said: Sequence[Signed], *pins: Signed) -> Roster:
    """A roster of these statements; that of 12 other orders, with some twice, is the same."""
    roster = roster_of(said, pins)
    for seed in range(12):
        chance = random.Random(seed)
        mixed = [*said, *chance.choices(said, k=3)]
        chance.shuffle(mixed)
        other = roster_of(mixed, pins)
        assert (other.judgement, other.digest()) == (roster.judgement, roster.digest()), seed
    return roster


def ids(said: Iterable[Signed]) -> list[StatementId]:
    return [each.id for each in said]
