"""An entry: one version of one path. Immutable; every change makes a new one.

Knows how a version is made from the one before it. Must not know where entries are kept or how
they travel.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NewType

from msgspec import Struct
from msgspec.structs import replace

from leftzmq.tree.attributes import NO_MODE, Attributes, said, seen
from leftzmq.tree.permissions import (
    OWNER_READS,
    OWNER_WORKS,
    ModesKept,
    Permissions,
    changed,
    higher,
)
from leftzmq.tree.version import PRIVATE, Life, Vector

ContentId = NewType("ContentId", bytes)
"""32 bytes for a file: the id of its one chunk or of its chunk list. For a link: its target in
UTF-8. Empty for a directory."""

ID_BYTES: Final = 32
MAX_LINK_BYTES: Final = 4095  # PATH_MAX without its NUL
MAX_SIZE: Final = 2**60
MAX_TIME_IN_STAMP: Final = 2**62 - 2**40
"""A file or a clock with a time in the year 2116 or later gets this stamp, so that 2**40 changes of
it still fit below the wire's limit of 2**62."""
BELOW_ALL: Final = -1
"""What is found and told has a stamp of 0 at least."""
MAX_LEAP: Final = 2**16
"""Above MAX_TIME_IN_STAMP stamps grow by one for each change. No version that is ahead of ours by
more than this number of changes is taken. Without this limit, one version at the end of all stamps
would leave no stamp above it for anybody's edit."""


class Kind(IntEnum):
    """What is at a path. The numbers are on the wire and in the index."""

    FILE = 0
    DIRECTORY = 1
    SYMLINK = 2


OWNERS_BITS: Final = {Kind.FILE: OWNER_READS, Kind.DIRECTORY: OWNER_WORKS, Kind.SYMLINK: 0}
"""What the owner of each kind always may, whatever a user set."""


NO_CTIME_NS: Final = -1  # a moment before 1970, in which no file changed


class ScanKey(Struct, frozen=True, gc=False, eq=False):
    """What `lstat` said of a path when its bytes were last known to be those of our entry.

    An unchanged file is recognised by this alone and never read. Times are ns since the epoch.
    mode: the nine bits of a file or folder; NO_MODE: not written down, and the same as any mode.
    """

    kind: Kind
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    exec: bool
    links: int
    mode: int = NO_MODE

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ScanKey):
            return NotImplemented
        return (
            self.ctime_ns == other.ctime_ns
            and self.links == other.links
            and self._bytes_of == other._bytes_of
            and self.same_mode(other)
        )

    def __ne__(self, other: object) -> bool:  # Struct has one of its own
        return not self == other

    def __hash__(self) -> int:
        return hash((self.inode, self.size, self.mtime_ns, self.ctime_ns))

    @property
    def attributes(self) -> Attributes:
        return seen(self.mtime_ns, self.exec, self.mode, OWNERS_BITS[self.kind])

    def same_bytes(self, other: ScanKey) -> bool:
        """Whether nothing but a rename, a new link to it, or a change of who may read and write it
        happened in between. Of what was young nobody knows."""
        if self.is_young or other.is_young:
            return False
        return self._bytes_of == other._bytes_of

    @property
    def _bytes_of(self) -> tuple[Kind, int, int, int, bool]:
        return self.kind, self.size, self.mtime_ns, self.inode, self.exec

    @property
    def is_young(self) -> bool:
        return self.ctime_ns == NO_CTIME_NS

    def as_young(self) -> ScanKey:
        """The key of a file that was read a moment after it changed: a write may have set these
        times and not yet copied its bytes. No stat is equal to it."""
        return replace(self, ctime_ns=NO_CTIME_NS)

    def same_mode(self, other: ScanKey) -> bool:
        """Whether the mode is the same, as far as it was written down."""
        return self.mode == other.mode or NO_MODE in (self.mode, other.mode)

    def has_grown(self, now: ScanKey) -> bool:
        """Whether this file may only have got more bytes at its end by the later stat `now`. Its
        old content must still be read twice: somebody may have written to that as well."""
        is_same = (self.kind, self.inode, self.exec) == (now.kind, now.inode, now.exec)
        return is_same and now.size > self.size


class Observed(Struct, frozen=True, gc=False):
    """What a scan found at a path: everything of an entry that the disk knows.

    size is 0 for directories and links. mtime_ns counts for files, and for the stamp of a link.
    depth is the number of list levels above the chunks, 0 for a file of one chunk. noise: the bytes
    of the file look encrypted; no part of an entry. mode: the nine bits of a file or folder, or
    NO_MODE.
    """

    path: str
    kind: Kind
    size: int = 0
    mtime_ns: int = 0
    exec: bool = False
    content: ContentId = ContentId(b"")
    depth: int = 0
    noise: bool = False
    mode: int = NO_MODE

    @property
    def attributes(self) -> Attributes:
        return seen(self.mtime_ns, self.exec, self.mode, OWNERS_BITS[self.kind])


Rank = tuple[int, bytes, bytes, tuple[int, int, tuple[int, bytes, int, int], int, int, int, int]]
"""(stamp, writer, content id, tie): a TOTAL order that extends "seen".

A writer gives one stamp to a path only once. So between honest devices the tie only tells one
version with two registers apart: the one with the higher register is above. And it keeps the order
total when a hostile device gives one name to two versions.
"""
_NO_REGISTER: Final = (0, b"", 0, 0)


class Entry(Struct, frozen=True, gc=False):
    """One version of one path (docs/design.md, "Versions").

    mtime_ns is that of a file; 0 for directories and links. A tombstone (deleted) keeps the kind,
    content id and register that it deleted; its size, mtime, exec and depth are 0. exec: as the
    version was made; it counts where nothing is said of the mode.
    permissions: the register of the path, as far as the device knew it; None: nobody changed the
        mode of this file since modes are told
    """

    path: str
    kind: Kind
    size: int
    mtime_ns: int
    exec: bool
    content: ContentId
    depth: int
    vector: Vector
    writer: Life
    stamp: int
    deleted: bool
    permissions: Permissions | None = None

    @property
    def attributes(self) -> Attributes:
        is_file = self.kind is Kind.FILE
        return said(self.mtime_ns, self.exec, self.permissions, is_file=is_file)

    @property
    def rank(self) -> Rank:
        tie = (
            int(self.deleted),
            int(self.kind),
            _NO_REGISTER if self.permissions is None else self.permissions.rank,
            int(self.exec),
            self.mtime_ns,
            self.size,
            self.depth,
        )
        return (self.stamp, self.writer, self.content, tie)

    @property
    def counter(self) -> int:
        """The sequence number under which its writer made this version."""
        return self.vector.counter(self.writer)

    @property
    def is_private(self) -> bool:
        """Whether no device tells this version to another one."""
        return self.writer == PRIVATE

    def seen_by(self, other: Entry) -> bool:
        """Whether the maker of `other` had seen this version. One that is only kept back is what it
        was made from."""
        if self.is_private and not self.counter:
            return all(other.vector.saw(*pair) for pair in self.vector.pairs)
        return other.vector.saw(self.writer, self.counter)

    def leaps(self, ours: Entry | None) -> bool:
        """Whether this version is nearer to the end of all stamps than changes of `ours` lead."""
        floor = MAX_TIME_IN_STAMP if ours is None else max(ours.stamp, MAX_TIME_IN_STAMP)
        before = None if ours is None else ours.permissions
        if self.permissions is not None and self.permissions.leaps(before):
            return True
        return self.stamp > floor + MAX_LEAP

    def with_register(self, permissions: Permissions | None) -> Entry:
        """This version with that register."""
        return replace(self, permissions=permissions)

    def with_higher(self, other: Entry | None) -> Entry:
        """This version, with the register of `other` where that is higher. Of things of another
        kind nothing is taken over."""
        if other is None or other.kind != self.kind or other.permissions is None:
            return self
        permissions = higher(self.permissions, other.permissions)
        return self if permissions is self.permissions else self.with_register(permissions)

    def same_content(self, other: Entry) -> bool:
        """Whether kind and bytes are the same (or both are deleted, and deleted the same): never a
        conflict. An entry that gives the same content another size lies, and is never joined."""
        return (
            self.kind == other.kind
            and self.content == other.content
            and (self.size, self.depth) == (other.size, other.depth)
            and self.deleted == other.deleted
        )


def _vector_after(base: Entry | None, life: Life, sequence: int) -> Vector:
    vector = base.vector if base else Vector()
    return vector.with_own(life, sequence, base.writer if base else None)


def local_change(
    found: Observed,
    base: Entry | None,
    life: Life,
    sequence: int,
    permissions: Permissions | None = None,
) -> Entry:
    """The new version that a scan found. `base` is the version that this device had, never one that
    it wants. permissions: the register after it (`register_after`)

    stamp = max(mtime, the base's + 1) for files and links, the base's + 1 alone for directories.
    """
    stamp = base.stamp + 1 if base else 0
    if found.kind is not Kind.DIRECTORY:
        stamp = max(min(found.mtime_ns, MAX_TIME_IN_STAMP), stamp)
    return Entry(
        path=found.path,
        kind=found.kind,
        size=found.size,
        mtime_ns=found.mtime_ns if found.kind is Kind.FILE else 0,
        exec=found.exec,
        content=found.content,
        depth=found.depth,
        vector=_vector_after(base, life, sequence),
        writer=life,
        stamp=stamp,
        deleted=False,
        permissions=permissions,
    )


def register_after(
    found: Observed, base: Entry | None, before: ScanKey | None, life: Life, kept: ModesKept
) -> Permissions | None:
    """The register of what a scan found in the place of `base`.

    before: the stat of `base` when it was last known to be there; what the disk shows is no change
        while it shows what it did then: not every disk keeps every bit
    kept: which bits this device keeps

    What is new has one. What was there before modes were told gets one when its mode changes.
    """
    if base is not None and base.kind != found.kind:
        base = None
    known = base.permissions if base is not None else None
    now = found.attributes
    if now.bits is None or not kept.keeps(found.kind is Kind.FILE):
        return known
    if base is not None and not base.deleted:
        was = before.attributes if before is not None else base.attributes
        if now.same_mode(was, kept):
            return known
    return changed(known, life, now.bits, kept)


def register_of(
    key: ScanKey, known: Permissions | None, life: Life, kept: ModesKept
) -> Permissions | None:
    """The register that says the mode that a stat showed, above `known`. None: `known` says it, or
    this device keeps no mode of such a thing."""
    shown, is_file = key.attributes, key.kind is Kind.FILE
    if shown.bits is None or not kept.keeps(is_file):
        return None
    if known is not None and said(0, False, known, is_file=is_file).same_mode(shown, kept):
        return None
    return changed(known, life, shown.bits, kept)


def tombstone(base: Entry, life: Life, sequence: int, now_ns: int) -> Entry:
    """The version that says that `base` was deleted here; it keeps the content
    id that it deleted."""
    return Entry(
        path=base.path,
        kind=base.kind,
        size=0,
        mtime_ns=0,
        exec=False,
        content=base.content,
        depth=0,
        vector=_vector_after(base, life, sequence),
        writer=life,
        stamp=max(min(now_ns, MAX_TIME_IN_STAMP), base.stamp + 1),
        deleted=True,
        permissions=base.permissions,
    )


def published_again(ours: Entry, above: Entry, life: Life, sequence: int) -> Entry:
    """`ours` as a new local change above a concurrent winner that must not be taken.

    The winner's vector is NOT joined: the winner was not seen, it was outbid.
    """
    return replace(
        ours,
        vector=_vector_after(ours, life, sequence),
        writer=life,
        stamp=max(above.stamp, ours.stamp) + 1,
    )


def private(entry: Entry, base: Entry | None, above: Entry | None) -> Entry:
    """`entry`, made from `base`, as a private version: it wins over `above`, the version in whose
    place it is, and loses against whatever comes later. above: None: it loses against all. Its
    vector says what its maker had, which is not `above` where that was outbid; nobody has seen
    it."""
    vector = Vector() if base is None else base.vector
    return replace(
        entry,
        writer=PRIVATE,
        stamp=BELOW_ALL if above is None else above.stamp,
        vector=vector.with_own(PRIVATE, 1, base.writer if base else None),
    )


def kept_back(entry: Entry, above: Entry) -> Entry:
    """`entry` as a private version in the place of `above`, although nobody changed it here: who
    saw it has seen this one."""
    return replace(entry, writer=PRIVATE, stamp=above.stamp)


def told(entry: Entry, life: Life, sequence: int) -> Entry:
    """A private version that is told from now on: a local change above the version that it was in
    the place of."""
    vector = Vector.of(pair for pair in entry.vector.pairs if pair[0] != PRIVATE)
    time = 0 if entry.kind is Kind.DIRECTORY else min(entry.mtime_ns, MAX_TIME_IN_STAMP)
    return replace(
        entry,
        writer=life,
        stamp=max(time, entry.stamp + 1),
        vector=vector.with_own(life, sequence, None),
    )


def joined(ours: Entry, theirs: Entry) -> Entry:
    """Two versions of the same kind and content as one: the version of higher rank, with the
    vectors joined, and the higher register."""
    assert ours.same_content(theirs)
    first, second = (ours, theirs) if ours.rank >= theirs.rank else (theirs, ours)
    vector = ours.vector.joined(theirs.vector, keep=(ours.writer, theirs.writer))
    if vector != first.vector:
        first = replace(first, vector=vector)
    return first.with_higher(second)


def with_other_deletes(entry: Entry, others: Iterable[Entry]) -> Entry:
    """If `entry` is a tombstone: `entry`, having also seen what the lower tombstones among `others`
    had seen, whatever they deleted. Any other entry is returned as it is.

    Without this the next device, which receives only this tombstone, would take what the others
    deleted for something that nobody has seen, and would bring it back.
    """
    if not entry.deleted:
        return entry
    vector = entry.vector
    for other in others:
        # Ranks extend "seen": a lower entry that claims to have seen this one lies.
        if other.is_private:
            continue
        if other.deleted and other.rank < entry.rank and not entry.seen_by(other):
            vector = vector.joined(other.vector, keep=(entry.writer,))
    return entry if vector == entry.vector else replace(entry, vector=vector)
