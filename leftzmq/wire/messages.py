"""Every message of the wire as a frozen value; docs/protocol.md is the authority.

A message is one msgpack array [tag, field, ...]. Field order is the wire's order: fields are only
appended, and only with a new VERSION. Knows shapes. Must not know the ranges that a type cannot
express (wire/check does).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

VERSION: Final = 3
"""The protocol's version; independent of the package's version."""

MAX_CONTROL_FRAME_BYTES: Final = 64 << 10
MAX_NEWS_FRAME_BYTES: Final = 64 << 10
MAX_PUB_INBOUND_BYTES: Final = 512  # less breaks the CURVE handshake (measured)
MAX_CHUNK_BYTES: Final = 1 << 20
MAX_BODY_BYTES: Final = MAX_CHUNK_BYTES + (64 << 10)
"""Of any bulk frame: 1 MiB of chunks together with their MACs."""
MAX_BULK_HEADER_BYTES: Final = 128 << 10
"""Of a bulk frame that is a message. MAX_ASKS wants of one chunk each take 85 bytes each."""
MAX_SEALED_BYTES: Final = MAX_CONTROL_FRAME_BYTES - 64  # the message around it takes 25
MAX_FOLDERS: Final = 64
MAX_PAGE_ENTRIES: Final = 128  # one page is one turn of the loop (under 5 ms)
MAX_ASKS: Final = 1024  # chunks in one get
MAX_HAVE_BYTES: Final = 48 << 10  # a bit a chunk: files of 100 GB; the start of longer ones
MAX_CAPABILITIES: Final = 64
MAX_WORD_LETTERS: Final = 64  # of a state or a version that is shown
MAX_TEXT_LETTERS: Final = 256
MAX_OFFSET: Final = 2**60
MAX_UNIX_NS: Final = 2**63 - 1
MAX_RANGES: Final = 64  # of versions that users let pass
MAX_PART_STATEMENTS: Final = 128  # of a roster; one part is one turn of the loop
NEWS_TOPIC: Final = b"n"

Bytes12 = Annotated[bytes, Meta(min_length=12, max_length=12)]
Bytes16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Bytes72 = Annotated[bytes, Meta(min_length=72, max_length=72)]
Bytes80 = Annotated[bytes, Meta(min_length=80, max_length=80)]
Sequence = Annotated[int, Meta(ge=0, le=2**53)]
Offset = Annotated[int, Meta(ge=0, le=MAX_OFFSET)]
ChunkLength = Annotated[int, Meta(ge=0, le=MAX_CHUNK_BYTES)]
Number = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Port = Annotated[int, Meta(ge=1, le=65535)]
ShortText = Annotated[str, Meta(max_length=MAX_TEXT_LETTERS)]
ShownWord = Annotated[str, Meta(max_length=MAX_WORD_LETTERS)]
CanDo = Annotated[list[Annotated[str, Meta(max_length=32)]], Meta(max_length=MAX_CAPABILITIES)]
"""Names of capabilities; a name that the receiver does not know is ignored."""
Sealed = Annotated[bytes, Meta(min_length=40, max_length=MAX_SEALED_BYTES)]


class Capability(StrEnum):
    """What a device understands beyond what every device of this VERSION must. A device is never
    sent what belongs to a capability that it did not name."""

    HAVE = "have"  # Have: which chunks of a large file have arrived so far
    DONE = "done_at"  # Done: how far the sender is done with the receiver's index
    GIVING = "giving"  # Giving: how much the sender gives a second
    WITHDRAWN = "withdrawn"  # pages may say that a path is kept no more (WirePage.withdrawn)
    READING = "reading"  # Reading: the sender has not read all of a folder yet
    MODES = "modes"  # entries may have a register of the mode (WireEntry.permissions)
    REPORTS = "reports"  # Report: what the sender says of itself, to be shown
    ROSTER = "roster"  # RosterPart, EpochKey, EpochWanted: who is in a folder, and its epochs


OUR_CAPABILITIES: Final = tuple(Capability)


class FolderHello(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One folder in a hello or welcome, for devices that hold its secret (wire/folder_rows).

    proof: proves to this one receiver that the sender holds the secret
    sealed: the sender's state in the folder: a nonce, then a box of 40 bytes
    """

    proof: Bytes16
    sealed: Bytes80


class Hello(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """control, dialer -> dialed: who I am and what I have. First on every connection.

    can: the capabilities of the sender, by name
    """

    version: int
    name: ShortText
    folders: Annotated[list[FolderHello], Meta(max_length=MAX_FOLDERS)]
    can: CanDo


class Welcome(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """control, dialed -> dialer: the answer to a hello, with the ports of the other sockets.

    bulk_port, news_port: on the host that was dialed
    max_credit: requested and unanswered bytes that the sender allows; if exceeded, it drops the
        receiver
    wants_news_here: the sender cannot dial the receiver, so cannot subscribe to it: send your news
        over this link
    can: the capabilities of the sender, by name
    """

    version: int
    name: ShortText
    folders: Annotated[list[FolderHello], Meta(max_length=MAX_FOLDERS)]
    bulk_port: Port
    news_port: Port
    max_credit: Annotated[int, Meta(ge=1 << 20, le=1 << 30)]
    wants_news_here: bool
    can: CanDo


class Refusing(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=3):
    """control: why the sender will not talk. `reason` is the name of a Refusal."""

    version: int
    reason: ShortText
    detail: ShortText


class IndexSince(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=4):
    """control: tell me what changed in the folder `tag` after (life, after) of your index."""

    tag: Bytes16
    life: Bytes12
    after: Sequence


class IndexPage(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=5):
    """control: a part of the answer to index_since; it contains a sealed Page."""

    tag: Bytes16
    sealed: Sealed


class News(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=6):
    """news, or control for devices that cannot be dialed: it contains a sealed Page.

    Without entries it is the heartbeat: it names the head.
    """

    tag: Bytes16
    sealed: Sealed


class Have(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=7):
    """control: the chunks that the sender has of an unfinished file over 8 MiB; bit i is row i's
    chunk.

    An empty bitmap: the sender does not download the file any more. Rows beyond its end are not
    reported.
    """

    tag: Bytes16
    content: Bytes32
    bitmap: Annotated[bytes, Meta(max_length=MAX_HAVE_BYTES)]


class Bye(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=8):
    """control: the sender stops; do not wait for it."""

    reason: ShortText


class RosterPart(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=9):
    """control: statements of a folder's roster, or only its digest; it contains a sealed
    WireRoster."""

    tag: Bytes16
    sealed: Sealed


class EpochKey(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=10):
    """control: the secret of an epoch, for the receiver alone.

    tag: the identity tag of the folder; epoch: the tag of the epoch
    sealed: a nonce, then a box from the sender's device key to the receiver's (wire/epoch_key)
    """

    tag: Bytes16
    epoch: Bytes16
    sealed: Bytes72


class EpochWanted(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=11):
    """control: the sender knows of this epoch and does not hold its secret."""

    tag: Bytes16
    epoch: Bytes16


class Reading(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=12):
    """control: whether the sender has read the folder since its start.

    until: 0: not yet, so what it says that it has may be a part. Else it has, and all of it is said
    before this sequence
    """

    tag: Bytes16
    until: Sequence


class Giving(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=13):
    """control: how much of contents the sender gives the receiver.

    limited: whether there is a limit. rate: bytes a second, if there is one; 0: nothing for now
    """

    limited: bool
    rate: Sequence


class Done(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=14):
    """control: the sender is done with the receiver's index of the folder, up to `until` of `life`.
    Each version in it was taken, or replaced by a later one, or is of a path that the sender does
    not keep. own_life, own: how far the sender's own index was then; who let go of something by
    then has said so at or before that."""

    tag: Bytes16
    life: Bytes12
    until: Sequence
    own_life: Bytes12
    own: Sequence


class FolderReport(Struct, frozen=True, array_like=True):
    """How a folder is on the sender. Unknown fields at the end are ignored.

    tag: the identity tag of the folder
    state: the word that `leftzmq status` has for it there
    free_bytes: of the share's disk; None: not known
    """

    tag: Bytes16
    state: ShownWord
    free_bytes: Offset | None


class Report(Struct, frozen=True, array_like=True, tag=15):
    """control: what the sender says of itself. It is shown to people and believed by nobody.
    Unknown fields at the end are ignored.

    program: the version of its program
    unix_ns: its wall clock when it sent this
    dialing: how its own dialing of the receiver stands, as a word; dialing_why: as a sentence
    folders: those whose secret the receiver proved
    """

    program: ShownWord
    unix_ns: Annotated[int, Meta(ge=0, le=MAX_UNIX_NS)]
    dialing: ShownWord
    dialing_why: ShortText
    folders: Annotated[list[FolderReport], Meta(max_length=MAX_FOLDERS)]


class Open(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=16):
    """bulk, dialer -> dialed: I am here; you may send me requests over this connection, too."""

    version: int


class Ask(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One chunk of a content: its id and its place in the file."""

    id: Bytes32
    offset: Offset
    length: ChunkLength


class Want(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Chunks of one content. A file of one chunk is requested by its content id, at offset 0."""

    content: Bytes32
    asks: Annotated[list[Ask], Meta(min_length=1, max_length=MAX_ASKS)]


class Get(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=17):
    """bulk: send me these lists and these chunks. Each is answered once, with bytes or as missing.

    number: chosen by the asker; responses carry it.
    """

    number: Number
    tag: Bytes16
    lists: Annotated[list[Bytes32], Meta(max_length=MAX_ASKS)]
    wants: Annotated[list[Want], Meta(max_length=MAX_ASKS)]


class Part(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One sealed chunk or list in the body that follows; its box is `length` + 16 bytes. `length`
    leaves out the zeros at the end of a chunk; they are not in the box."""

    id: Bytes32
    length: ChunkLength


class Chunks(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=18):
    """bulk: (a part of) the response to a get; a second frame holds the boxes one after another.

    tag: of the get. Another one: the sender seals nothing under that tag any more
    parts: what the body holds, in its order
    missing: what the sender cannot give (any more): ask another device
    """

    number: Number
    tag: Bytes16
    parts: Annotated[list[Part], Meta(max_length=MAX_ASKS)]
    missing: Annotated[list[Bytes32], Meta(max_length=MAX_ASKS)]


ControlMessage = (
    Hello
    | Welcome
    | Refusing
    | IndexSince
    | IndexPage
    | News
    | Have
    | Bye
    | RosterPart
    | EpochKey
    | EpochWanted
    | Reading
    | Giving
    | Done
    | Report
)
BulkMessage = Open | Get | Chunks
Message = ControlMessage | BulkMessage


class WirePermissions(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """tree.Permissions: nine bits of a file, as the change `number` of `writer` set them."""

    number: Annotated[int, Meta(ge=1, le=2**53)]
    writer: Bytes12
    bits: Annotated[int, Meta(ge=0, le=0o777)]
    mask: Annotated[int, Meta(ge=0, le=0o777)]


class WireEntry(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """tree.Entry as it travels inside a sealed page. vector is packed (20 bytes a pair).
    permissions is left out where there are none, and towards a device that did not name the
    capability."""

    path: Annotated[str, Meta(min_length=1, max_length=4096)]
    kind: Annotated[int, Meta(ge=0, le=2)]
    size: Offset
    mtime_ns: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
    exec: bool
    content: Annotated[bytes, Meta(max_length=4095)]
    depth: Annotated[int, Meta(ge=0, le=4)]
    vector: Annotated[bytes, Meta(min_length=20, max_length=20 * 64)]
    writer: Bytes12
    stamp: Annotated[int, Meta(ge=-(2**62), le=2**62)]
    deleted: bool
    permissions: WirePermissions | None = None


class WireRange(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Versions of one writer that a user let pass the guard: counters from low to high."""

    life: Bytes12
    low: Sequence
    high: Sequence


class WireWithdrawal(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The sender said under `sequence` that it keeps `path` no more (tree/change)."""

    path: Annotated[str, Meta(min_length=1, max_length=4096)]
    sequence: Sequence


class WirePage(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What lies inside the seal of news and index pages.

    device, folder: must name the device of the link and the folder of the tag
    life: the sender's life: entries are of its index in this life
    after, last: every change of the index with after < sequence <= last is here
    head: the sender's head when the answer was made (news: equals last)
    whole: the page belongs to a whole index (a new generation starts with after == 0)
    accepted: versions that users let pass the guard, as far as the sender knows
    withdrawn: the last withdrawals of paths: of those that have an entry here, and of those that
        the sender keeps no more. The field is left out where there is none, and towards a device
        that did not name the capability
    """

    device: Bytes32
    folder: Annotated[str, Meta(min_length=1, max_length=128)]
    life: Bytes12
    after: Sequence
    last: Sequence
    head: Sequence
    whole: bool
    entries: Annotated[list[WireEntry], Meta(max_length=MAX_PAGE_ENTRIES)]
    accepted: Annotated[list[WireRange], Meta(max_length=MAX_RANGES)]
    withdrawn: Annotated[list[WireWithdrawal], Meta(max_length=MAX_PAGE_ENTRIES)] = []


class WireRoster(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What lies inside the seal of a part of a roster.

    device: must name the device of the link
    digest: of the sender's whole roster
    statements: each as wire/statements writes it; none: only the digest is told
    """

    device: Bytes32
    digest: Bytes16
    statements: Annotated[list[bytes], Meta(max_length=MAX_PART_STATEMENTS)]
