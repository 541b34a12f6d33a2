"""Messages to frames and back: golden vectors, limits, sockets, versions."""

from __future__ import annotations

from typing import Any, get_args

import msgpack
import msgspec
import pytest

from leftzmq.content.seal import MAC_BYTES
from leftzmq.errors import Refusal, Refused
from leftzmq.wire.codec import Socket, check_body, decode, encode
from leftzmq.wire.messages import (
    MAX_ASKS,
    MAX_BODY_BYTES,
    MAX_FOLDERS,
    MAX_SEALED_BYTES,
    VERSION,
    Ask,
    Chunks,
    FolderHello,
    FolderReport,
    Get,
    Have,
    Hello,
    IndexPage,
    IndexSince,
    Message,
    News,
    Open,
    Part,
    Refusing,
    Report,
    RosterPart,
    Want,
    Welcome,
)
from tests.helpers.wire_vectors import ID, LIFE, NAMES, OTHER_ID, TAG, VECTORS

golden = pytest.mark.parametrize(("message", "socket", "frame"), VECTORS, ids=NAMES)


def refusal(frame: bytes, socket: Socket) -> Refusal:
    with pytest.raises(Refused) as caught:
        decode(frame, socket)
    return caught.value.refusal


def control(*fields: Any) -> Refusal:
    return refusal(msgpack.packb(fields), Socket.CONTROL)


def test_there_is_a_golden_vector_for_every_message() -> None:
    assert {type(message) for message, _, _ in VECTORS} == set(get_args(Message))


@golden
def test_a_message_becomes_its_golden_bytes(message: Message, socket: Socket, frame: bytes) -> None:
    assert encode(message) == frame


@golden
def test_golden_bytes_become_the_message(message: Message, socket: Socket, frame: bytes) -> None:
    assert decode(frame, socket) == message
    assert decode(memoryview(bytearray(frame)), socket) == message


@golden
def test_a_message_is_taken_on_its_sockets_alone(
    message: Message, socket: Socket, frame: bytes
) -> None:
    at_home = {
        Socket.CONTROL: {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
        Socket.NEWS: {6},
        Socket.BULK: {16, 17, 18},
    }
    for other in Socket:
        if frame[1] in at_home[other]:
            assert decode(frame, other) == message
        else:
            assert refusal(frame, other) is Refusal.WRONG_SOCKET


@golden
def test_a_field_more_or_less_is_refused(message: Message, socket: Socket, frame: bytes) -> None:
    fields = msgpack.unpackb(frame)
    assert refusal(msgpack.packb(fields[:-1]), socket) is Refusal.WRONG_SHAPE
    if type(message) is not Report:
        assert refusal(msgpack.packb([*fields, 0]), socket) is Refusal.WRONG_SHAPE


def test_what_a_later_program_adds_to_its_report_is_ignored() -> None:
    later = [15, "9.0", 1, "connected", "", [[TAG, "idle", 7, "more", [1, None]]], "of later", 2.5]
    said = decode(msgpack.packb(later), Socket.CONTROL)
    assert said == Report("9.0", 1, "connected", "", [FolderReport(TAG, "idle", 7)])


@pytest.mark.parametrize(
    ("at", "value", "due"),
    [
        (1, "v" * 65, Refusal.WRONG_SHAPE),
        (2, -1, Refusal.OUT_OF_RANGE),
        (2, 2**63, Refusal.OUT_OF_RANGE),
        (2, 1.5, Refusal.WRONG_SHAPE),
        (3, "w" * 65, Refusal.WRONG_SHAPE),
        (4, "w" * 257, Refusal.WRONG_SHAPE),
        (4, "\u5b57" * 10_000, Refusal.NOT_MSGPACK),
        (5, [[TAG, "idle", 0]] * 65, Refusal.NOT_MSGPACK),
        (5, [[TAG[1:], "idle", 0]], Refusal.WRONG_SHAPE),
        (5, [[TAG, "s" * 65, 0]], Refusal.WRONG_SHAPE),
        (5, [[TAG, "idle", -1]], Refusal.OUT_OF_RANGE),
        (5, [[TAG, "idle", 2**60 + 1]], Refusal.OUT_OF_RANGE),
        (5, [[TAG, "idle"]], Refusal.WRONG_SHAPE),
        (5, {"a": 1}, Refusal.NOT_MSGPACK),
    ],
)
def test_a_report_is_bounded(at: int, value: object, due: Refusal) -> None:
    fields: list[object] = [15, "0.1.0", 1, "connected", "", []]
    assert decode(msgpack.packb(fields), Socket.CONTROL)
    fields[at] = value
    assert control(*fields) is due


def test_the_longest_report_fits_its_socket() -> None:
    rows = [FolderReport(TAG, "\U0001f4a9" * 64, 2**60)] * MAX_FOLDERS
    wide = "\U0001f4a9" * 64
    said = Report(wide, 2**63 - 1, wide, wide * 4, rows)
    assert decode(encode(said), Socket.CONTROL) == said


@golden
def test_no_field_is_taken_with_another_type(
    message: Message, socket: Socket, frame: bytes
) -> None:
    """A bool is no int, a float neither, a str no bytes (base64!), nothing is nil."""
    fields = msgpack.unpackb(frame)
    for at in range(1, len(fields)):
        for other in (None, True, 1.0, 1, "AAAAAAAAAAAAAAAAAAAAAA==", bytes(64), []):
            if type(other) is type(fields[at]):
                continue
            wrong = [*fields]
            wrong[at] = other
            assert refusal(msgpack.packb(wrong), socket) is Refusal.WRONG_SHAPE, (at, other)


def test_wrong_socket_names_message_and_socket() -> None:
    with pytest.raises(Refused, match="Open on control") as caught:
        decode(encode(Open(VERSION)), Socket.CONTROL)
    assert caught.value.refusal is Refusal.WRONG_SOCKET
    assert refusal(encode(IndexSince(TAG, LIFE, 1)), Socket.NEWS) is Refusal.WRONG_SOCKET
    assert refusal(encode(News(TAG, bytes(40_000))), Socket.BULK) is Refusal.WRONG_SOCKET


@pytest.mark.parametrize("tag", [0, 20, 19, 127, 2**64 - 1, -1])
def test_unknown_tag(tag: int) -> None:
    assert control(tag, 1) is Refusal.UNKNOWN_MESSAGE


@pytest.mark.parametrize("value", [5, None, "hello", b"hello", [], ["1", 1], [True, 1], [1.0, 1]])
def test_not_a_tagged_array(value: object) -> None:
    assert refusal(msgpack.packb(value), Socket.CONTROL) is Refusal.WRONG_SHAPE


def test_numbers_out_of_range() -> None:
    hello = [TAG, bytes(80)]
    assert control(4, TAG, LIFE, 2**53 + 1) is Refusal.OUT_OF_RANGE
    assert control(4, TAG, LIFE, -1) is Refusal.OUT_OF_RANGE
    assert control(4, TAG, LIFE, 2**64 - 1) is Refusal.OUT_OF_RANGE
    assert control(2, VERSION, "b", [hello], 0, 1, 1 << 20, True, []) is Refusal.OUT_OF_RANGE
    assert control(2, VERSION, "b", [hello], 1, 65536, 1 << 20, True, []) is Refusal.OUT_OF_RANGE
    assert control(2, VERSION, "b", [hello], 1, 1, (1 << 20) - 1, True, []) is Refusal.OUT_OF_RANGE
    assert control(1, VERSION, "b", [hello]) is Refusal.WRONG_SHAPE, "every field is there"
    assert control(1, VERSION, "b", [hello], ["x" * 33]) is Refusal.WRONG_SHAPE
    assert control(1, VERSION, "b", [hello], ["x"] * 65) is Refusal.NOT_MSGPACK
    ask = [ID, 0, (1 << 20) + 1]
    assert (
        refusal(msgpack.packb([17, 0, TAG, [], [[ID, [ask]]]]), Socket.BULK) is Refusal.OUT_OF_RANGE
    )


def test_lengths_of_ids_and_texts() -> None:
    assert control(4, TAG[:-1], LIFE, 1) is Refusal.WRONG_SHAPE
    assert control(4, TAG + b"x", LIFE, 1) is Refusal.WRONG_SHAPE
    assert control(4, TAG, LIFE[:-1], 1) is Refusal.WRONG_SHAPE
    assert control(5, TAG, bytes(39)) is Refusal.WRONG_SHAPE
    assert control(8, "x" * 257) is Refusal.WRONG_SHAPE
    assert control(9, TAG, bytes(39)) is Refusal.WRONG_SHAPE
    assert control(9, TAG[:-1], bytes(40)) is Refusal.WRONG_SHAPE
    assert control(1, VERSION, "a", [[TAG, bytes(79)]]) is Refusal.WRONG_SHAPE
    assert control(1, VERSION, "a", [[TAG[1:], bytes(80)]]) is Refusal.WRONG_SHAPE
    assert refusal(msgpack.packb([17, 0, TAG, [], [[ID, []]]]), Socket.BULK) is Refusal.WRONG_SHAPE


# ---- versions ---------------------------------------------------------------------------------

OTHER = VERSION + 1


@pytest.mark.parametrize(
    ("socket", "fields"),
    [
        (Socket.CONTROL, [1, OTHER, "a", []]),
        (Socket.CONTROL, [2, OTHER, "a", [], 1, 1, 1 << 20, True]),
        (Socket.CONTROL, [1, OTHER]),
        (Socket.CONTROL, [1, 0, "a", []]),
        (Socket.CONTROL, [1, -1]),
        (Socket.CONTROL, [1, 2**64 - 1, "a"]),
        (Socket.CONTROL, [1, OTHER, {"name": "a", "more": {"x": 1}}]),
        (Socket.CONTROL, [2, OTHER, *range(200)]),
        (Socket.CONTROL, [1, OTHER, msgpack.ExtType(5, b"new")]),
        (Socket.CONTROL, [1, OTHER, "x" * 5000, bytes(100), 1.5]),
        (Socket.BULK, [16, OTHER]),
        (Socket.BULK, [16, OTHER, {}, "more"]),
    ],
)
def test_another_version_is_known_by_tag_and_version_alone(
    socket: Socket, fields: list[Any]
) -> None:
    with pytest.raises(Refused) as caught:
        decode(msgpack.packb(fields), socket)
    assert caught.value.refusal is Refusal.OTHER_VERSION
    assert str(fields[1]) in caught.value.detail and str(VERSION) in caught.value.detail


def test_another_version_is_not_looked_for_elsewhere() -> None:
    assert control(16, OTHER) is Refusal.WRONG_SOCKET
    assert control(16, OTHER, {"a": 1}) is Refusal.WRONG_SOCKET
    assert control(1, True, "a", []) is Refusal.WRONG_SHAPE
    assert control(1, "2", "a", []) is Refusal.WRONG_SHAPE
    assert control(1, float(OTHER), "a", []) is Refusal.WRONG_SHAPE
    assert control(4, OTHER, {"a": 1}) is Refusal.NOT_MSGPACK
    assert refusal(msgpack.packb([1, OTHER, bytes(70_000)]), Socket.CONTROL) is Refusal.TOO_LONG


def test_a_refusal_of_another_version_can_be_read() -> None:
    message = Refusing(OTHER, Refusal.OTHER_VERSION.name, "it speaks 1")
    assert decode(encode(message), Socket.CONTROL) == message


# ---- limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("socket", Socket)
def test_a_frame_that_is_too_long_is_not_parsed(socket: Socket) -> None:
    limit = socket.limits.frame
    assert refusal(bytes(limit + 1), socket) is Refusal.TOO_LONG
    assert refusal(bytes(limit), socket) is Refusal.NOT_MSGPACK


def test_the_largest_messages_fit_their_sockets() -> None:
    wide = "\U0001f4c1"
    folders = [FolderHello(TAG, bytes(80))] * MAX_FOLDERS
    asks = [Ask(ID, 2**60, 2**20)]
    largest: list[tuple[Message, Socket]] = [
        (Hello(VERSION, wide * 256, folders, []), Socket.CONTROL),
        (Welcome(VERSION, wide * 256, folders, 65535, 65535, 1 << 30, True, []), Socket.CONTROL),
        (Refusing(2**64 - 1, wide * 256, wide * 256), Socket.CONTROL),
        (IndexPage(TAG, bytes(MAX_SEALED_BYTES)), Socket.CONTROL),
        (News(TAG, bytes(MAX_SEALED_BYTES)), Socket.NEWS),
        (Have(TAG, ID, bytes(48 << 10)), Socket.CONTROL),
        (RosterPart(TAG, bytes(MAX_SEALED_BYTES)), Socket.CONTROL),
        (Get(2**32 - 1, TAG, [], [Want(ID, asks)] * MAX_ASKS), Socket.BULK),
        (Get(2**32 - 1, TAG, [ID] * MAX_ASKS, []), Socket.BULK),
        (Get(2**32 - 1, TAG, [], [Want(ID, asks * MAX_ASKS)]), Socket.BULK),
        (Chunks(2**32 - 1, TAG, [Part(ID, 2**20)] * MAX_ASKS, [ID] * MAX_ASKS), Socket.BULK),
    ]
    for message, socket in largest:
        assert decode(encode(message), socket) == message


def test_asks_of_a_get_are_counted_over_all_its_wants() -> None:
    want = Want(ID, [Ask(ID, 0, 1)] * 512)
    assert decode(encode(Get(0, TAG, [], [want, want])), Socket.BULK)
    over = encode(Get(0, TAG, [OTHER_ID], [want, want]))
    assert refusal(over, Socket.BULK) is Refusal.OUT_OF_RANGE


def test_what_the_encoder_would_make_too_long_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        encode(IndexPage(TAG, bytes(64 << 10)))


def test_our_encoder_and_msgpack_agree() -> None:
    for message, _, frame in VECTORS:
        plain = msgspec.to_builtins(message, builtin_types=(bytes,))
        assert msgpack.packb(plain) == frame


# ---- bodies -----------------------------------------------------------------------------------


def test_a_body_must_be_as_long_as_its_boxes() -> None:
    header = Chunks(1, TAG, [Part(ID, 5), Part(OTHER_ID, 0)], [])
    right = 5 + 2 * MAC_BYTES
    check_body(header, right)
    check_body(Chunks(1, TAG, [], [ID]), 0)
    for wrong in (0, right - 1, right + 1, right - MAC_BYTES):
        with pytest.raises(Refused) as caught:
            check_body(header, wrong)
        assert caught.value.refusal is Refusal.WRONG_BODY


def test_a_body_is_never_longer_than_its_limit() -> None:
    full = Chunks(1, TAG, [Part(ID, 1 << 10)] * MAX_ASKS, [])
    check_body(full, (1 << 20) + MAX_ASKS * MAC_BYTES)
    over = Chunks(1, TAG, [Part(ID, 1 << 20)] * 2, [])
    with pytest.raises(Refused) as caught:
        check_body(over, 2 * ((1 << 20) + MAC_BYTES))
    assert caught.value.refusal is Refusal.TOO_LONG
    assert 2 * ((1 << 20) + MAC_BYTES) > MAX_BODY_BYTES
