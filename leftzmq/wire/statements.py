"""The statements of a roster: who is in a folder, in signed words that travel and are kept.

Knows the shape and limits of the four kinds, which bytes are signed, and how a signed statement is
written on the wire and in the file; docs/protocol.md is the authority. Must not know which
statements count, or whose a signature is (sync/peers/roster does).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from leftzmq.content.ids import STATEMENT_ID_BYTES, StatementId, statement_id
from leftzmq.content.keys import TAG_BYTES
from leftzmq.content.signing import SIGNATURE_BYTES
from leftzmq.errors import Refusal, Refused
from leftzmq.wire.messages import Bytes16, Bytes32, Sequence
from leftzmq.wire.shown import check_endpoint, check_shown
from leftzmq.wire.strict import Frame, SizeLimits, pack, shaped, unpack

MAX_STATEMENT_BYTES: Final = 1536
"""On the wire. The largest admission takes 991 bytes, removal 1,249, self 1,396, epoch 132."""
MAX_MEMBER_NAME_CHARS: Final = 64
MAX_OVER: Final = 32
MAX_KEEP: Final = 62
MAX_SELF_ENDPOINTS: Final = 8
MAX_SELF_ENDPOINT_CHARS: Final = 128

_BEGIN: Final = b"leftzmq 2026 v1 roster"
_LIMITS: Final = SizeLimits(
    frame=MAX_STATEMENT_BYTES,
    str=4 * MAX_MEMBER_NAME_CHARS,
    bin=SIGNATURE_BYTES,
    array=MAX_KEEP,
)

_MemberName = Annotated[str, Meta(min_length=1, max_length=MAX_MEMBER_NAME_CHARS)]
_Parent = Bytes16
_ParentOrNone = Annotated[bytes, Meta(max_length=STATEMENT_ID_BYTES)]


class Admission(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="A"):
    """A full member lets a device in; or (a root) a device begins a folder.

    device: the subject's device key, with which it signs
    parent: the id of the admission under which the signer acts; empty in a root, which its own
        subject signs
    over: ids of the removals of the subject that this lifts, ascending; none in a root
    nonce: random; at: unix time (s), shown and never compared
    """

    device: Bytes32
    name: _MemberName
    mode: Literal["full", "read"]
    parent: _ParentOrNone
    over: Annotated[list[Bytes16], Meta(max_length=MAX_OVER)]
    nonce: Bytes16
    at: Sequence


class Removal(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="R"):
    """A full member removes a device, or a device itself.

    parent: as in an admission; device: the subject's device key
    keep: ids of the subject's own admissions of others that stay, ascending
    """

    parent: _Parent
    device: Bytes32
    keep: Annotated[list[Bytes16], Meta(max_length=MAX_KEEP)]
    at: Sequence


class SelfStatement(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="S"):
    """A member's name and addresses, by itself; that of the highest (counter, id) counts.

    parent: the admission of the signer
    """

    parent: _Parent
    counter: Annotated[int, Meta(ge=1, le=2**53)]
    name: _MemberName
    endpoints: Annotated[
        list[Annotated[str, Meta(max_length=MAX_SELF_ENDPOINT_CHARS)]],
        Meta(max_length=MAX_SELF_ENDPOINTS),
    ]


class EpochStatement(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="E"):
    """A full member made a new epoch.

    parent: as in an admission; tag: of the epoch (content/keys, from its secret)
    covers: the digest of all removals that count for the maker (content/ids, digest_of)
    """

    parent: _Parent
    tag: Bytes16
    covers: Bytes16
    at: Sequence


Statement = Admission | Removal | SelfStatement | EpochStatement

_KINDS: Final[dict[str, type[Statement]]] = {
    "A": Admission,
    "R": Removal,
    "S": SelfStatement,
    "E": EpochStatement,
}


class Signed(Struct, frozen=True):
    """A statement with its signature (64 bytes). id: of what is signed; a right signature is not
    implied.

    Two of these with one id say the same.
    """

    id: StatementId
    statement: Statement
    signature: bytes


def signed_bytes(folder: bytes, statement: Statement) -> bytes:
    """Return the bytes that are signed. folder: the identity tag of the folder, 16 bytes; so no
    statement counts in another folder."""
    assert len(folder) == TAG_BYTES
    return _BEGIN + folder + pack(statement)


def with_signature(folder: bytes, statement: Statement, signature: bytes) -> Signed:
    """Return a statement of ours with its signature, and its id."""
    _check(statement)
    return Signed(statement_id(signed_bytes(folder, statement)), statement, signature)


def encode(signed: Signed) -> bytes:
    """Return `[kind, fields..., signature]` as msgpack: on the wire and in the file."""
    # The fields are an array of fewer than 15 items: its header is one byte, and counts them.
    fields = bytearray(pack(signed.statement))
    fields[0] += 1
    return bytes(fields) + pack(signed.signature)


def decode(frame: Frame, folder: bytes) -> Signed:
    """Return the signed statement in these bytes, as one of the folder with this identity tag.

    The signature is not checked: whose it must be is in another statement. Raises Refused, and
    nothing else, for any bytes: TOO_LONG, NOT_MSGPACK, UNKNOWN_MESSAGE, WRONG_SHAPE, OUT_OF_RANGE.
    """
    value = unpack(frame, _LIMITS)
    if type(value) is not list or not value or type(value[0]) is not str:
        raise Refused(Refusal.WRONG_SHAPE, "not an array that begins with the letter of a kind")
    kind = _KINDS.get(value[0])
    if kind is None:
        raise Refused(Refusal.UNKNOWN_MESSAGE, f"a statement of the kind {value[0][:8]!r}")
    signature = value.pop()
    if type(signature) is not bytes or len(signature) != SIGNATURE_BYTES:
        raise Refused(Refusal.WRONG_SHAPE, f"{kind.__name__}: no signature at its end")
    statement = shaped(value, kind)
    _check(statement)
    return Signed(statement_id(signed_bytes(folder, statement)), statement, signature)


def _check(statement: Statement) -> None:
    """Raise Refused for what a type cannot say."""
    if isinstance(statement, Admission):
        check_shown("name", statement.name)
        _check_ids("over", statement.over)
        _check_root(statement)
    elif isinstance(statement, Removal):
        _check_ids("keep", statement.keep)
    elif isinstance(statement, SelfStatement):
        check_shown("name", statement.name)
        for text in statement.endpoints:
            check_endpoint(text)


def _check_root(admission: Admission) -> None:
    if len(admission.parent) not in (0, STATEMENT_ID_BYTES):
        raise Refused(Refusal.WRONG_SHAPE, f"Admission: a parent of {len(admission.parent)} bytes")
    # With `over` a root would be a device that lets itself in again.
    if not admission.parent and admission.over:
        raise Refused(Refusal.WRONG_SHAPE, "Admission: a root lifts no removal")


def _check_ids(field: str, ids: list[bytes]) -> None:
    if any(one >= other for one, other in pairwise(ids)):
        raise Refused(Refusal.WRONG_SHAPE, f"{field}: not in ascending order")
