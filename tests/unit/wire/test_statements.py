"""Statements of a roster: golden vectors, limits, and hostile bytes."""

from __future__ import annotations

import tracemalloc

import msgpack
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leftzmq.content.signing import is_signed, sign
from leftzmq.errors import Refusal, Refused
from leftzmq.wire.statements import (
    MAX_STATEMENT_BYTES,
    Admission,
    EpochStatement,
    Removal,
    SelfStatement,
    Signed,
    decode,
    encode,
    signed_bytes,
    with_signature,
)
from tests.helpers.statement_vectors import (
    ADMISSION,
    AT,
    DEVICE,
    EPOCH,
    FOLDER,
    GOLDEN,
    NAMES,
    NONCE,
    ONE,
    OTHER,
    REMOVAL,
    ROOT,
    SELF,
    SIGNER,
    SIGNER_SECRET,
)
from tests.unit.wire.test_hostile import BOMBS

WIDE = "\U0001f600"  # 4 bytes
FRAMES = [msgpack.packb([*msgpack.unpackb(bytes.fromhex(f)), bytes.fromhex(s)])
          for _, f, _, s in GOLDEN]  # fmt: skip
golden = pytest.mark.parametrize(
    ("statement", "fields", "id", "signature"),
    [(value, *map(bytes.fromhex, texts)) for value, *texts in GOLDEN],
    ids=NAMES,
)
frames = pytest.mark.parametrize("frame", FRAMES, ids=NAMES)


def refusal(frame: bytes) -> Refusal:
    with pytest.raises(Refused) as caught:
        decode(frame, FOLDER)
    return caught.value.refusal


def with_field(statement, name: str, value: object) -> bytes:
    """The frame of a statement in which one field is another plain value."""
    fields = [value if f == name else getattr(statement, f) for f in statement.__struct_fields__]
    return msgpack.packb([statement.__struct_config__.tag, *fields, bytes(64)])


@golden
def test_a_statement_is_its_golden_bytes(statement, fields, id, signature):
    signed = signed_bytes(FOLDER, statement)
    assert signed == b"leftzmq 2026 v1 roster" + FOLDER + fields
    assert sign(SIGNER_SECRET, signed) == signature
    assert is_signed(SIGNER, signed, signature)
    whole = Signed(id, statement, signature)
    assert with_signature(FOLDER, statement, signature) == whole
    frame = msgpack.packb([*msgpack.unpackb(fields), signature])
    assert encode(whole) == frame
    assert decode(frame, FOLDER) == whole
    assert decode(memoryview(bytearray(frame)), FOLDER) == whole


@golden
def test_it_is_another_statement_in_another_folder(statement, fields, id, signature):
    other = bytes(16)
    frame = msgpack.packb([*msgpack.unpackb(fields), signature])
    assert decode(frame, other).id != id
    assert not is_signed(SIGNER, signed_bytes(other, statement), signature)


@frames
def test_a_field_more_or_less_is_refused(frame):
    *fields, signature = msgpack.unpackb(frame)
    for wrong in ([*fields[:-1], signature], [*fields, 0, signature], fields, [*fields, b""]):
        assert refusal(msgpack.packb(wrong)) is Refusal.WRONG_SHAPE


@frames
def test_no_field_is_taken_with_another_type(frame):
    fields = msgpack.unpackb(frame)
    for at in range(1, len(fields)):
        for other in (None, True, 1.0, 1, "AAAAAAAAAAAAAAAAAAAAAA==", bytes(17), [], [[]]):
            if type(other) is type(fields[at]) and other != [[]]:
                continue
            wrong = [*fields]
            wrong[at] = other
            assert refusal(msgpack.packb(wrong)) is Refusal.WRONG_SHAPE, (at, other)


@pytest.mark.parametrize(
    ("statement", "name", "value"),
    [
        (ADMISSION, "device", DEVICE[1:]),
        (ADMISSION, "device", DEVICE + b"x"),
        (ADMISSION, "name", ""),
        (ADMISSION, "name", "x" * 65),
        (ADMISSION, "name", "a\x1b[2J"),
        (ADMISSION, "name", "‮abc"),
        (ADMISSION, "name", "a "),
        (ADMISSION, "mode", "write"),
        (ADMISSION, "parent", ONE[1:]),
        (ADMISSION, "parent", b"x"),
        (ADMISSION, "over", [ONE[1:]]),
        (ADMISSION, "over", [OTHER, ONE]),
        (ADMISSION, "over", [ONE, ONE]),
        (ADMISSION, "over", sorted(bytes([n]) * 16 for n in range(33))),
        (ADMISSION, "nonce", b""),
        (ROOT, "over", [ONE]),
        (REMOVAL, "parent", b""),
        (REMOVAL, "device", bytes(31)),
        (REMOVAL, "keep", [OTHER, ONE]),
        (REMOVAL, "keep", [bytes(15)]),
        (SELF, "parent", b""),
        (SELF, "name", "\n"),
        (SELF, "endpoints", ["tcp://192.0.2.7:7700"] * 9),
        (SELF, "endpoints", ["tcp://" + "a" * 60 + "." + "b" * 60 + ":7700"]),
        (SELF, "endpoints", ["tcp://0.0.0.0:7700"]),
        (SELF, "endpoints", ["ipc:///tmp/x"]),
        (SELF, "endpoints", ["tcp://a\x1b:7700"]),
        (EPOCH, "parent", b""),
        (EPOCH, "tag", bytes(15)),
        (EPOCH, "covers", bytes(17)),
    ],
)
def test_a_statement_out_of_its_limits(statement, name, value):
    assert refusal(with_field(statement, name, value)) is Refusal.WRONG_SHAPE


@pytest.mark.parametrize("value", [-1, 2**53 + 1, 2**63])
def test_numbers_have_a_range(value):
    for statement, name in ((ADMISSION, "at"), (REMOVAL, "at"), (EPOCH, "at"), (SELF, "counter")):
        assert refusal(with_field(statement, name, value)) is Refusal.OUT_OF_RANGE
    assert refusal(with_field(SELF, "counter", 0)) is Refusal.OUT_OF_RANGE


def test_kinds_that_do_not_exist():
    assert refusal(msgpack.packb(["X", bytes(64)])) is Refusal.UNKNOWN_MESSAGE
    assert refusal(msgpack.packb(["a", bytes(64)])) is Refusal.UNKNOWN_MESSAGE
    assert refusal(msgpack.packb([1, bytes(64)])) is Refusal.WRONG_SHAPE
    assert refusal(msgpack.packb(["A"])) is Refusal.WRONG_SHAPE


def test_one_kind_is_never_another():
    """The letter is signed, too: what a member signed as one thing is not shown as another."""
    fields = msgpack.unpackb(encode(with_signature(FOLDER, EPOCH, bytes(64))))
    for kind in "ARS":
        assert refusal(msgpack.packb([kind, *fields[1:]])) is Refusal.WRONG_SHAPE
    assert len({signed_bytes(FOLDER, each)[38:41] for each in (ROOT, REMOVAL, SELF, EPOCH)}) == 4


def test_the_largest_of_each_fits():
    ids = [bytes([n]) * 16 for n in range(62)]
    longest = "tcp://" + "a" * 60 + "." + "b" * 55 + ":65535"
    assert len(longest) == 128
    for statement, size in (
        (Admission(DEVICE, WIDE * 64, "full", ONE, ids[:32], NONCE, 2**53), 991),
        (Removal(ONE, DEVICE, ids, 2**53), 1249),
        (SelfStatement(ONE, 2**53, WIDE * 64, [longest] * 8), 1396),
        (EpochStatement(ONE, OTHER, NONCE, 2**53), 132),
    ):
        frame = encode(with_signature(FOLDER, statement, bytes(64)))
        assert decode(frame, FOLDER).statement == statement
        assert len(frame) == size <= MAX_STATEMENT_BYTES


def test_an_admission_fits_the_door_while_it_lifts_few_removals():
    """wire/door allows 700 bytes: those of a device that was removed 16 times."""
    ids = [bytes([n]) * 16 for n in range(16)]
    largest = Admission(DEVICE, WIDE * 64, "full", ONE, ids, NONCE, AT)
    assert len(encode(with_signature(FOLDER, largest, bytes(64)))) <= 700


def test_what_is_too_long_is_not_looked_at():
    assert refusal(bytes(MAX_STATEMENT_BYTES + 1)) is Refusal.TOO_LONG
    assert refusal(with_field(REMOVAL, "keep", [ONE] * 63)) is Refusal.NOT_MSGPACK


# ---- hostile bytes -------------------------------------------------------------------------------


def taken(frame: bytes) -> Signed | None:
    try:
        signed = decode(frame, FOLDER)
    except Refused:
        return None
    assert decode(encode(signed), FOLDER) == signed
    return signed


@frames
def test_cut_off_or_longer_it_is_refused(frame):
    for length in range(len(frame)):
        refusal(frame[:length])
    for more in (b"\0", b"\xc0", frame):
        refusal(frame + more)


@golden
def test_any_flipped_bit_is_refused_or_not_signed(statement, fields, id, signature):
    frame = msgpack.packb([*msgpack.unpackb(fields), signature])
    for at in range(len(frame)):
        for bit in range(8):
            flipped = bytearray(frame)
            flipped[at] ^= 1 << bit
            signed = taken(bytes(flipped))
            if signed is not None:
                message = signed_bytes(FOLDER, signed.statement)
                assert not is_signed(SIGNER, message, signed.signature), (at, bit)


@settings(max_examples=300, deadline=None)
@given(frame=st.binary(max_size=300))
def test_random_bytes(frame):
    taken(frame)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_mutated_vectors(data):
    frame = bytearray(data.draw(st.sampled_from(FRAMES)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(frame)))
        end = min(len(frame), at + data.draw(st.integers(0, 4)))
        frame[at:end] = data.draw(st.binary(max_size=4))
    taken(bytes(frame))


@pytest.mark.parametrize("frame", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_are_refused_and_cost_little(frame):
    tracemalloc.start()
    try:
        refusal(frame)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


def test_a_statement_cannot_be_changed():
    with pytest.raises(AttributeError):
        REMOVAL.at = 0
    assert msgspec.structs.replace(REMOVAL, at=0) != REMOVAL
