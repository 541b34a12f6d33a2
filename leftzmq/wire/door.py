"""What is said at the door: how a device without a place in any list asks to be let into a folder.

Knows the shapes and limits of a knock and of its two answers; docs/protocol.md is the authority.
Must not know tokens, invitations, or who is let in. A door's messages have a version of their own:
two devices meet there that share nothing yet, and that may run different versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeVar

from msgspec import Meta, Struct

from leftzmq.config.values import MAX_NAME_CHARS
from leftzmq.errors import NotAdmittedReason, Refusal, Refused, versions_differ
from leftzmq.wire.messages import Bytes16, Bytes32
from leftzmq.wire.shown import check_endpoint, check_shown
from leftzmq.wire.strict import Frame, SizeLimits, head_of, pack, shaped, unpack

DOOR_VERSION: Final = 2
"""Of these messages alone; independent of messages.VERSION."""

MAX_KNOCK_BYTES: Final = 512
MAX_ADMITTED_BYTES: Final = 4096
MAX_NOT_ADMITTED_BYTES: Final = 512
MAX_DOOR_NAME_CHARS: Final = 64
MAX_DETAIL_CHARS: Final = 256
MAX_DOOR_CAPABILITIES: Final = 8
MAX_PINS: Final = 8
MAX_ADMISSION_BYTES: Final = 700
MAX_ENDPOINTS: Final = 8
MAX_ENDPOINT_CHARS: Final = 265  # tcp://, a host name of 253 characters, a colon and a port

_KNOCK_LIMITS: Final = SizeLimits(
    frame=MAX_KNOCK_BYTES, str=4 * MAX_DOOR_NAME_CHARS, bin=32, array=MAX_DOOR_CAPABILITIES
)
_ANSWER_LIMITS: Final = SizeLimits(
    frame=MAX_ADMITTED_BYTES, str=4 * MAX_DETAIL_CHARS, bin=MAX_ADMISSION_BYTES, array=13
)

_DoorName = Annotated[str, Meta(min_length=1, max_length=MAX_DOOR_NAME_CHARS)]
_DoorCanDo = Annotated[
    list[Annotated[str, Meta(pattern=r"\A[a-z0-9-]{1,16}\Z")]],
    Meta(max_length=MAX_DOOR_CAPABILITIES),
]


class Knock(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=32):
    """joiner -> door: let this device in. Its device key is the CURVE key of the connection.

    token: of the invitation; name: as it calls itself
    can: the capabilities of the joiner, by name
    """

    version: int
    token: Bytes16
    name: _DoorName
    can: _DoorCanDo

    def __repr__(self) -> str:
        return f"Knock({self.name!r})"  # a token is worth a place in the folder


class Admitted(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=33):
    """door -> joiner: you are let in, and this is what a member needs.

    folder, secret: the folder's id, and the secret from which its ids and cuts come
    epoch_tag, epoch_secret: of the epoch in use; pins: ids of the roster's roots
    admission: the joiner's signed admission, or empty
    device, name, endpoints: the inviter's device key, its name, and where it listens
    """

    version: int
    folder: Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARS)]
    mode: Literal["full", "read"]
    secret: Bytes32
    epoch_tag: Bytes16
    epoch_secret: Bytes32
    pins: Annotated[list[Bytes16], Meta(max_length=MAX_PINS)]
    admission: Annotated[bytes, Meta(max_length=MAX_ADMISSION_BYTES)]
    device: Bytes32
    name: _DoorName
    endpoints: Annotated[
        list[Annotated[str, Meta(max_length=MAX_ENDPOINT_CHARS)]], Meta(max_length=MAX_ENDPOINTS)
    ]

    def __repr__(self) -> str:
        return f"Admitted({self.folder!r}, {self.mode!r}, by {self.name!r})"  # no secrets


class NotAdmitted(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=34):
    """door -> joiner: you are not let in. Its shape is the same in all versions.

    reason: the name of a NotAdmittedReason, or one that only a later version knows
    detail: for a person, such as who used the invitation
    """

    version: int
    reason: Annotated[str, Meta(min_length=1, max_length=32)]
    detail: Annotated[str, Meta(max_length=MAX_DETAIL_CHARS)]

    @property
    def why(self) -> str:
        """The reason as a sentence."""
        known = NotAdmittedReason.__members__.get(self.reason)
        return known.value if known else f"it is not let in ({self.reason})"


_Kind = TypeVar("_Kind", bound=Struct)
_KNOCKS: Final[dict[int, type[Knock]]] = {32: Knock}
_ANSWERS: Final[dict[int, type[Admitted] | type[NotAdmitted]]] = {33: Admitted, 34: NotAdmitted}


def encode(message: Knock | Admitted | NotAdmitted) -> bytes:
    """Return the one frame of a message. The detail of NotAdmitted is cut to fit."""
    if isinstance(message, NotAdmitted):
        return _cut_to_fit(message)
    frame = pack(message)
    most = MAX_KNOCK_BYTES if isinstance(message, Knock) else MAX_ADMITTED_BYTES
    assert len(frame) <= most, "the other side would refuse it as too long"
    return frame


def decode_knock(frame: Frame) -> Knock:
    """Return the knock in a frame.

    Raises Refused, and nothing else, for any bytes: TOO_LONG, NOT_MSGPACK, UNKNOWN_MESSAGE,
    OTHER_VERSION, WRONG_SHAPE.
    """
    knock = shaped(*_read(frame, _KNOCK_LIMITS, _KNOCKS))
    check_shown("name", knock.name)
    return knock


def decode_answer(frame: Frame) -> Admitted | NotAdmitted:
    """Return the answer in a frame. Raises Refused as `decode_knock` does; a NotAdmitted is read
    whatever its version is."""
    value, kind = _read(frame, _ANSWER_LIMITS, _ANSWERS)
    if kind is NotAdmitted:
        if len(frame) > MAX_NOT_ADMITTED_BYTES:
            detail = f"{len(frame)} bytes, {MAX_NOT_ADMITTED_BYTES} are allowed"
            raise Refused(Refusal.TOO_LONG, detail)
        refused = shaped(value, NotAdmitted)
        check_shown("reason", refused.reason)
        check_shown("detail", refused.detail)
        return refused
    admitted = shaped(value, Admitted)
    check_shown("name", admitted.name)
    check_shown("folder", admitted.folder)
    for text in admitted.endpoints:
        check_endpoint(text)
    return admitted


def _read(
    frame: Frame, limits: SizeLimits, kinds: dict[int, type[_Kind]]
) -> tuple[object, type[_Kind]]:
    """Return the plain value in a frame, and the kind of message that it begins as."""
    try:
        value = unpack(frame, limits)
    except Refused:
        # A later version may be longer than this one allows. The refusal then names the version.
        _kind_of(head_of(frame), kinds)
        raise
    if type(value) is not list or not value or type(value[0]) is not int:
        raise Refused(Refusal.WRONG_SHAPE, "not an array that begins with a number")
    kind = _kind_of(value, kinds)
    if kind is None:
        raise Refused(Refusal.UNKNOWN_MESSAGE, f"number {value[0]} at a door")
    return value, kind


def _kind_of(head: Sequence[object], kinds: dict[int, type[_Kind]]) -> type[_Kind] | None:
    kind = kinds.get(head[0]) if head and type(head[0]) is int else None
    if kind is None or kind is NotAdmitted or len(head) < 2:
        return kind
    version = head[1]
    if type(version) is int and version != DOOR_VERSION:
        raise Refused(Refusal.OTHER_VERSION, versions_differ(version, DOOR_VERSION))
    return kind


def _cut_to_fit(message: NotAdmitted) -> bytes:
    detail = message.detail[:MAX_DETAIL_CHARS]
    while len(frame := pack(NotAdmitted(message.version, message.reason, detail))) > (
        MAX_NOT_ADMITTED_BYTES
    ):
        assert detail, "a reason alone fits"
        detail = detail[:-1]
    return frame
