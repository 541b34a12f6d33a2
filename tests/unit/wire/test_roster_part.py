"""Parts of a roster: golden bytes, whose they are, hostile bytes, and how a roster is cut."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from typing import Any

import msgpack
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from nacl.bindings import crypto_secretbox_easy

from leftzmq.content.keys import derive_keys
from leftzmq.content.seal import fresh_nonce, seal_roster
from leftzmq.errors import Refusal, Refused
from leftzmq.wire.codec import Socket
from leftzmq.wire.codec import decode as decode_message
from leftzmq.wire.codec import encode as encode_message
from leftzmq.wire.messages import MAX_PART_STATEMENTS, RosterPart
from leftzmq.wire.roster_part import (
    MAX_PART_BYTES,
    RosterSaid,
    open_sealed,
    parts,
    plaintext,
    read_plaintext,
    seal,
)
from leftzmq.wire.statements import (
    MAX_KEEP,
    MAX_STATEMENT_BYTES,
    Removal,
    SelfStatement,
    Signed,
    Statement,
    encode,
    with_signature,
)
from tests.helpers.statement_vectors import ADMISSION, DEVICE, EPOCH, ONE, REMOVAL, ROOT, SELF
from tests.unit.wire.test_hostile import BOMBS

KEYS = derive_keys(bytes(range(32)))
NONCE = bytes(range(24))
SENDER = bytes(range(32))
DIGEST = bytes(range(16))
SIGNATURE = bytes(range(64))


def signed(statement: Statement) -> Signed:
    return with_signature(KEYS.tag, statement, SIGNATURE)


SAID = RosterSaid(DIGEST, (signed(REMOVAL), signed(EPOCH), signed(SELF)))

# Written down from msgpack of plain lists; a change of any of it is another protocol version.
PLAIN = bytes.fromhex(
    "93c420000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fc410000102"
    "030405060708090a0b0c0d0e0f93c49196a152c410606162636465666768696a6b6c6d6e6fc42020"
    "2122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f91c410707172737475"
    "767778797a7b7c7d7e7fce6b0bdea0c440000102030405060708090a0b0c0d0e0f10111213141516"
    "1718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e"
    "3fc48096a145c410606162636465666768696a6b6c6d6e6fc410707172737475767778797a7b7c7d"
    "7e7fc410808182838485868788898a8b8c8d8e8fce6b0bdea0c440000102030405060708090a0b0c"
    "0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334"
    "35363738393a3b3c3d3e3fc48e96a153c410606162636465666768696a6b6c6d6e6f03a670656572"
    "2d6292b47463703a2f2f3139322e302e322e373a37373030b87463703a2f2f5b323030313a646238"
    "3a3a375d3a37373030c440000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c"
    "1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
)
SEALED = NONCE + crypto_secretbox_easy(PLAIN, NONCE, KEYS.roster_key)


def read(plain: bytes) -> RosterSaid:
    return read_plaintext(plain, KEYS, SENDER)


def refusal_of(plain: bytes) -> Refusal:
    with pytest.raises(Refused) as caught:
        read(plain)
    return caught.value.refusal


def with_statements(*frames: Any) -> bytes:
    return msgpack.packb([SENDER, DIGEST, frames])


def test_a_part_is_its_golden_bytes() -> None:
    assert plaintext(SAID, SENDER) == PLAIN
    assert read(PLAIN) == SAID


def test_a_sealed_part_is_its_golden_bytes() -> None:
    assert blake3(SEALED).hexdigest(8) == "fa388548c42f9426"
    assert seal(SAID, KEYS, SENDER, NONCE) == SEALED
    assert open_sealed(SEALED, KEYS, SENDER) == SAID


def test_a_digest_alone_is_a_part() -> None:
    alone = RosterSaid(DIGEST)
    assert open_sealed(seal(alone, KEYS, SENDER, NONCE), KEYS, SENDER) == alone


def test_a_part_opens_with_the_folders_key_alone() -> None:
    with pytest.raises(Refused) as caught:
        open_sealed(SEALED, derive_keys(bytes(32)), SENDER)
    assert caught.value.refusal is Refusal.DOES_NOT_OPEN
    page = NONCE + crypto_secretbox_easy(PLAIN, NONCE, KEYS.first.page_key)
    with pytest.raises(Refused) as caught:
        open_sealed(page, KEYS, SENDER)
    assert caught.value.refusal is Refusal.DOES_NOT_OPEN


def test_a_part_that_another_device_said_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        open_sealed(SEALED, KEYS, bytes(32))
    assert caught.value.refusal is Refusal.NOT_ITS_NAME


def test_a_statement_of_a_later_kind_is_left_out() -> None:
    later = msgpack.packb(["X", ["a", 1], SIGNATURE])
    known = [encode(each) for each in SAID.statements]
    assert read(with_statements(known[0], later, *known[1:], later)) == SAID
    assert read(with_statements(later)) == RosterSaid(DIGEST)


@pytest.mark.parametrize(
    ("bent", "refusal"),
    [
        (b"", Refusal.NOT_MSGPACK),
        (encode(signed(EPOCH))[:-1], Refusal.NOT_MSGPACK),
        (encode(signed(EPOCH)) + b"\0", Refusal.NOT_MSGPACK),
        (b"\x90", Refusal.WRONG_SHAPE),
        (msgpack.packb(["E", SIGNATURE]), Refusal.WRONG_SHAPE),
        (encode(signed(EPOCH)).replace(b"\xce\x6b", b"\xff\x6b"), Refusal.NOT_MSGPACK),
        (msgpack.packb(["E", ONE, ONE, ONE, -1, SIGNATURE]), Refusal.OUT_OF_RANGE),
        (msgpack.packb(["X", bytes(65), SIGNATURE]), Refusal.NOT_MSGPACK),
        (bytes(MAX_STATEMENT_BYTES + 1), Refusal.NOT_MSGPACK),
        ("E", Refusal.NOT_MSGPACK),
        ([], Refusal.WRONG_SHAPE),
        (None, Refusal.WRONG_SHAPE),
    ],
)
def test_one_malformed_statement_refuses_the_whole_part(bent: Any, refusal: Refusal) -> None:
    for frames in ([bent], [encode(signed(SELF)), bent], [bent, encode(signed(SELF))]):
        assert refusal_of(with_statements(*frames)) is refusal


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ([], Refusal.WRONG_SHAPE),
        ([SENDER, DIGEST], Refusal.WRONG_SHAPE),
        ([SENDER, DIGEST, [], 0], Refusal.WRONG_SHAPE),
        ([SENDER[1:], DIGEST, []], Refusal.WRONG_SHAPE),
        ([SENDER, DIGEST[1:], []], Refusal.WRONG_SHAPE),
        ([SENDER, DIGEST + b"x", []], Refusal.WRONG_SHAPE),
        ([SENDER, 1, []], Refusal.WRONG_SHAPE),
        ([SENDER, DIGEST, b""], Refusal.WRONG_SHAPE),
        ([SENDER, DIGEST, None], Refusal.WRONG_SHAPE),
        (["AAAA", DIGEST, []], Refusal.NOT_MSGPACK),
        ({}, Refusal.WRONG_SHAPE),
    ],
)
def test_another_shape_is_refused(fields: Any, refusal: Refusal) -> None:
    assert refusal_of(msgpack.packb(fields)) is refusal


def test_more_statements_than_a_part_may_have() -> None:
    frame = encode(signed(EPOCH))
    assert len(read(with_statements(*[frame] * MAX_PART_STATEMENTS)).statements) == 128
    assert refusal_of(with_statements(*[frame] * (MAX_PART_STATEMENTS + 1))) is Refusal.NOT_MSGPACK


# ---- hostile bytes -------------------------------------------------------------------------------


def test_cut_off_or_longer_it_is_refused() -> None:
    for length in range(len(PLAIN)):
        refusal_of(PLAIN[:length])
    for more in (b"\0", b"\xc0", PLAIN):
        refusal_of(PLAIN + more)
    for length in range(len(SEALED)):
        with pytest.raises(Refused) as caught:
            open_sealed(SEALED[:length], KEYS, SENDER)
        assert caught.value.refusal is Refusal.DOES_NOT_OPEN


def test_no_flipped_bit_opens() -> None:
    for at in range(len(SEALED)):
        flipped = SEALED[:at] + bytes([SEALED[at] ^ 1 << at % 8]) + SEALED[at + 1 :]
        with pytest.raises(Refused) as caught:
            open_sealed(flipped, KEYS, SENDER)
        assert caught.value.refusal is Refusal.DOES_NOT_OPEN


def taken(plain: bytes) -> RosterSaid | None:
    try:
        said = read(plain)
    except Refused:
        return None
    assert read(plaintext(said, SENDER)) == said
    return said


def test_any_flipped_bit_inside_is_another_part_or_refused() -> None:
    for at in range(len(PLAIN)):
        for bit in range(8):
            flipped = PLAIN[:at] + bytes([PLAIN[at] ^ 1 << bit]) + PLAIN[at + 1 :]
            assert taken(flipped) != SAID, (at, bit)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutated_inside_it_is_a_part_or_refused(data: st.DataObject) -> None:
    plain = bytearray(PLAIN)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(plain)))
        end = min(len(plain), at + data.draw(st.integers(0, 4)))
        plain[at:end] = data.draw(st.binary(max_size=4))
    taken(bytes(plain))


@settings(max_examples=200, deadline=None)
@given(frames=st.lists(st.binary(max_size=60), max_size=5), digest=st.binary(max_size=20))
def test_random_statements(frames: list[bytes], digest: bytes) -> None:
    taken(msgpack.packb([SENDER, digest, frames]))
    taken(b"".join(frames))


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_are_refused_and_cost_little(bomb: bytes) -> None:
    for plain in (bomb, with_statements(*[bomb[:MAX_STATEMENT_BYTES]] * 40)):
        sealed = seal_roster(KEYS, plain, NONCE)
        tracemalloc.start()
        try:
            with pytest.raises(Refused):
                open_sealed(sealed, KEYS, SENDER)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 16 << 20


# ---- cutting -------------------------------------------------------------------------------------


def check_parts(statements: Sequence[Signed]) -> list[RosterSaid]:
    """All of it is there in its order, and each part is taken at the other end."""
    cut = list(parts(DIGEST, statements))
    assert [each for said in cut for each in said.statements] == list(statements)
    for said in cut:
        assert said.digest == DIGEST and 1 <= len(said.statements) <= MAX_PART_STATEMENTS
        assert sum(len(encode(each)) for each in said.statements) <= MAX_PART_BYTES
        frame = encode_message(RosterPart(KEYS.tag, seal(said, KEYS, SENDER, fresh_nonce())))
        message = decode_message(frame, Socket.CONTROL)
        assert isinstance(message, RosterPart)
        assert open_sealed(message.sealed, KEYS, SENDER) == said
    return cut


def test_nothing_to_say_is_no_part() -> None:
    assert list(parts(DIGEST, ())) == []


def test_a_removal_and_its_epoch_are_one_part() -> None:
    assert check_parts([signed(REMOVAL), signed(EPOCH)]) == [
        RosterSaid(DIGEST, (signed(REMOVAL), signed(EPOCH)))
    ]


def test_short_statements_are_cut_by_their_number() -> None:
    many = [signed(replace(EPOCH, at=at)) for at in range(2 * MAX_PART_STATEMENTS + 1)]
    assert [len(said.statements) for said in check_parts(many)] == [128, 128, 1]
    assert len(check_parts(many[: 2 * MAX_PART_STATEMENTS])) == 2


def test_the_largest_statements_are_cut_by_their_bytes() -> None:
    ids = [bytes([n]) * 16 for n in range(MAX_KEEP)]
    longest = "tcp://" + "a" * 60 + "." + "b" * 55 + ":65535"
    for statement, size, count in (
        (Removal(ONE, DEVICE, ids, 2**53), 1249, 39),
        (SelfStatement(ONE, 2**53, "\U0001f600" * 64, [longest] * 8), 1396, 35),
    ):
        assert len(encode(signed(statement))) == size
        cut = check_parts([signed(statement)] * (count + 1))
        assert [len(said.statements) for said in cut] == [count, 1]


def test_a_part_may_be_full_to_the_byte() -> None:
    """48 KiB are 128 statements of 384 bytes."""

    def sized(size: int) -> Signed:
        hosts = ["a" * 60, "b" * 60, "c" * 60, "d" * (size - 326)]
        one = signed(SelfStatement(ONE, 1, "peer", [f"tcp://{host}:7700" for host in hosts]))
        assert len(encode(one)) == size
        return one

    assert [len(said.statements) for said in check_parts([sized(384)] * 129)] == [128, 1]
    many = [sized(385), *[sized(384)] * 128]
    assert [len(said.statements) for said in check_parts(many)] == [127, 2]


@settings(max_examples=50, deadline=None)
@given(
    some=st.lists(
        st.one_of(
            st.sampled_from([ROOT, ADMISSION, SELF, EPOCH]),
            st.builds(
                Removal,
                st.just(ONE),
                st.binary(min_size=32, max_size=32),
                st.integers(0, MAX_KEEP).map(lambda count: [bytes([n]) * 16 for n in range(count)]),
                st.integers(0, 2**53),
            ),
        ),
        max_size=300,
    )
)
def test_any_roster_is_cut_without_loss(some: list[Statement]) -> None:
    check_parts([signed(statement) for statement in some])


def test_a_part_that_is_too_large_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        seal(RosterSaid(DIGEST, (signed(EPOCH),) * 129), KEYS, SENDER, NONCE)
    with pytest.raises(AssertionError):
        seal(RosterSaid(b"", ()), KEYS, SENDER, NONCE)
