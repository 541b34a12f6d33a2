"""The door's messages: golden vectors, limits, versions, and hostile bytes."""

from __future__ import annotations

import tracemalloc

import msgpack
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leftzmq.errors import Refusal, Refused
from leftzmq.wire.door import (
    DOOR_VERSION,
    MAX_ADMITTED_BYTES,
    MAX_KNOCK_BYTES,
    MAX_NOT_ADMITTED_BYTES,
    Admitted,
    Knock,
    NotAdmitted,
    NotAdmittedReason,
    decode_answer,
    decode_knock,
    encode,
)
from tests.helpers.door_vectors import (
    ADMITTED,
    DEVICE,
    KNOCK,
    NAMES,
    NOT_ADMITTED,
    PIN,
    SECRET,
    TOKEN,
    VECTORS,
)
from tests.unit.wire.test_hostile import BOMBS

golden = pytest.mark.parametrize(("message", "frame"), VECTORS, ids=NAMES)
DECODERS = (decode_knock, decode_answer)
WIDE = "\U0001f600"  # 4 bytes


def decode(frame):
    return decode_knock(frame) if frame[1] == 32 else decode_answer(frame)


def refusal(decoder, frame: bytes) -> Refusal:
    with pytest.raises(Refused) as caught:
        decoder(frame)
    return caught.value.refusal


def with_field(message, name: str, value: object) -> bytes:
    """The frame of a message in which one field is another plain value."""
    fields = [32 + (Knock, Admitted, NotAdmitted).index(type(message))]
    fields += [value if f == name else getattr(message, f) for f in message.__struct_fields__]
    return msgpack.packb(fields)


@golden
def test_a_message_is_its_golden_bytes(message, frame):
    assert encode(message) == frame
    assert decode(frame) == message
    assert decode(memoryview(bytearray(frame))) == message


@golden
def test_each_is_read_by_its_own_side_alone(message, frame):
    other = decode_answer if isinstance(message, Knock) else decode_knock
    assert refusal(other, frame) in (
        Refusal.UNKNOWN_MESSAGE,
        Refusal.NOT_MSGPACK,  # an admission has more fields than a knock's limits allow
    )


@golden
def test_a_field_more_or_less_is_refused(message, frame):
    fields = msgpack.unpackb(frame)
    assert refusal(decode, msgpack.packb(fields[:-1])) is Refusal.WRONG_SHAPE
    assert refusal(decode, msgpack.packb([*fields, 0])) is Refusal.WRONG_SHAPE


@golden
def test_no_field_is_taken_with_another_type(message, frame):
    fields = msgpack.unpackb(frame)
    for at in range(1, len(fields)):
        for other in (None, True, 1.0, 1, "AAAAAAAAAAAAAAAAAAAAAA==", bytes(17), []):
            if type(other) is type(fields[at]):
                continue
            wrong = [*fields]
            wrong[at] = other
            assert refusal(decode, msgpack.packb(wrong)) is Refusal.WRONG_SHAPE, (at, other)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("token", TOKEN[1:]),
        ("token", TOKEN + b"x"),
        ("name", ""),
        ("name", "x" * 65),
        ("name", "a\x1b[2J"),
        ("name", "a\nb"),
        ("name", "‮abc"),
        ("name", " a"),
        ("name", "a "),
        ("can", ["x" * 17]),
        ("can", ["Roster"]),
        ("can", ["a\n"]),
        ("can", [""]),
        ("can", [1]),
    ],
)
def test_a_knock_out_of_its_limits(name, value):
    assert refusal(decode_knock, with_field(KNOCK, name, value)) is Refusal.WRONG_SHAPE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("folder", ""),
        ("folder", "x" * 129),
        ("folder", "do\x1bcs"),
        ("mode", "write"),
        ("mode", ""),
        ("secret", SECRET[1:]),
        ("epoch_tag", bytes(15)),
        ("epoch_secret", bytes(33)),
        ("pins", [PIN[1:]]),
        ("pins", [PIN] * 9),
        ("device", DEVICE[1:]),
        ("name", "x" * 65),
        ("name", "a\x9b2J"),
        ("endpoints", ["tcp://192.0.2.7:7700"] * 9),
        ("endpoints", ["192.0.2.7:7700"]),
        ("endpoints", ["tcp://192.0.2.7:0"]),
        ("endpoints", ["tcp://0.0.0.0:7700"]),
        ("endpoints", ["ipc:///tmp/x"]),
        ("endpoints", ["tcp://a\x1b:7700"]),
        ("endpoints", ["tcp://[fe80::1%é]:7700"]),
        ("endpoints", ["tcp://" + "a" * 260 + ":1"]),
    ],
)
def test_an_admission_out_of_its_limits(name, value):
    assert refusal(decode_answer, with_field(ADMITTED, name, value)) is Refusal.WRONG_SHAPE


def test_more_bytes_than_a_field_has_are_not_even_unpacked():
    assert refusal(decode_answer, with_field(ADMITTED, "admission", bytes(701))) in (
        Refusal.NOT_MSGPACK,
        Refusal.TOO_LONG,
    )
    assert refusal(decode_knock, with_field(KNOCK, "can", ["x"] * 9)) is Refusal.NOT_MSGPACK


@pytest.mark.parametrize("name", ["reason", "detail"])
def test_what_a_refused_joiner_reads_steers_no_terminal(name):
    assert refusal(decode_answer, with_field(NOT_ADMITTED, name, "a\x1b[2J")) is Refusal.WRONG_SHAPE


def test_a_frame_over_its_limit_is_too_long():
    assert refusal(decode_knock, bytes(MAX_KNOCK_BYTES + 1)) is Refusal.TOO_LONG
    assert refusal(decode_answer, bytes(MAX_ADMITTED_BYTES + 1)) is Refusal.TOO_LONG
    wide = with_field(NOT_ADMITTED, "detail", WIDE * 150)
    assert len(wide) > MAX_NOT_ADMITTED_BYTES
    assert refusal(decode_answer, wide) is Refusal.TOO_LONG


# ---- the largest of each fits ------------------------------------------------------------------


def test_the_largest_knock_fits():
    largest = Knock(DOOR_VERSION, TOKEN, WIDE * 64, ["x" * 16] * 8)
    assert decode_knock(encode(largest)) == largest


def test_the_largest_admission_fits():
    longest = "tcp://" + ".".join(["a" * 63] * 3 + ["b" * 61]) + ":65535"
    largest = msgspec.structs.replace(
        ADMITTED,
        folder=WIDE * 128,
        pins=[PIN] * 8,
        admission=bytes(700),
        name=WIDE * 64,
        endpoints=[longest] * 8,
    )
    assert decode_answer(encode(largest)) == largest


def test_a_long_detail_is_cut_to_fit():
    frame = encode(NotAdmitted(DOOR_VERSION, NotAdmittedReason.ALREADY_A_MEMBER.name, WIDE * 300))
    answer = decode_answer(frame)
    assert len(frame) <= MAX_NOT_ADMITTED_BYTES < len(frame) + 4
    assert isinstance(answer, NotAdmitted) and set(answer.detail) == {WIDE}
    assert (
        decode_answer(encode(NotAdmitted(DOOR_VERSION, "UNKNOWN", "x" * 300))).detail == "x" * 256
    )


# ---- versions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rest", [[], [1, 2], [b"x" * 5000], [{"a": 1}], [["x"] * 50]])
def test_another_version_is_named_whatever_follows(rest):
    later = DOOR_VERSION + 1
    assert refusal(decode_knock, msgpack.packb([32, later, *rest])) is Refusal.OTHER_VERSION
    assert refusal(decode_answer, msgpack.packb([33, later, *rest])) is Refusal.OTHER_VERSION


def test_a_refusal_of_any_version_and_of_any_reason_is_read():
    later = NotAdmitted(9, "ON_HOLIDAY", "until May")
    assert decode_answer(encode(later)) == later
    assert later.why == "it is not let in (ON_HOLIDAY)"


@pytest.mark.parametrize("reason", NotAdmittedReason)
def test_a_reason_that_is_known_is_a_sentence(reason):
    assert NotAdmitted(DOOR_VERSION, reason.name, "").why == reason.value


def test_no_secret_is_shown():
    for message in (KNOCK, ADMITTED):
        shown = repr(message)
        assert "x00" not in shown and "@ABC" not in shown, shown


# ---- hostile bytes -------------------------------------------------------------------------------


def taken(frame: bytes) -> None:
    for decoder in DECODERS:
        try:
            message = decoder(frame)
        except Refused:
            continue
        assert decoder(encode(message)) == message


@golden
def test_cut_off_or_longer_it_is_refused(message, frame):
    for length in range(len(frame)):
        for decoder in DECODERS:
            refusal(decoder, frame[:length])
    for more in (b"\0", b"\xc0", frame):
        refusal(decode, frame + more)


@golden
def test_any_flipped_bit_is_another_message_or_refused(message, frame):
    for at in range(len(frame)):
        for bit in range(8):
            flipped = bytearray(frame)
            flipped[at] ^= 1 << bit
            taken(bytes(flipped))


@settings(max_examples=300, deadline=None)
@given(frame=st.binary(max_size=300))
def test_random_bytes(frame):
    taken(frame)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutated_vectors(data):
    frame = bytearray(data.draw(st.sampled_from(VECTORS))[1])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(frame)))
        end = min(len(frame), at + data.draw(st.integers(0, 4)))
        frame[at:end] = data.draw(st.binary(max_size=4))
    taken(bytes(frame))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("frame", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_are_refused_and_cost_little(frame, decoder):
    tracemalloc.start()
    try:
        refusal(decoder, frame)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
