"""Pages: the sealed part of news and of the answers to index_since.

Knows how a page is packed, sealed, opened and checked, and how a run of entries is cut into pages.
Must not know where entries are kept, or who asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import pairwise
from typing import Final

from msgspec import Struct
from msgspec.structs import astuple, replace

from leftzmq.content.key_text import key_beginning
from leftzmq.content.keys import EpochKeys
from leftzmq.content.seal import open_page, seal_page
from leftzmq.errors import Refusal, Refused, counted
from leftzmq.tree.accepted import NOTHING, Accepted
from leftzmq.tree.change import Change, Withdrawal
from leftzmq.tree.entry import MAX_LINK_BYTES, Entry
from leftzmq.tree.rules import MAX_PATH_BYTES, check_path
from leftzmq.tree.version import LIFE_BYTES, Life
from leftzmq.wire.check import check_entry, fields_of, to_wire
from leftzmq.wire.messages import (
    MAX_PAGE_ENTRIES,
    MAX_SEALED_BYTES,
    WirePage,
    WireRange,
    WireWithdrawal,
)
from leftzmq.wire.padding import padded, unpadded
from leftzmq.wire.strict import SizeLimits, pack, shaped, unpack

MAX_PAGE_BYTES: Final = 48 << 10
"""Of packed entries. The largest one (4 KiB path, 4 KiB link, 64 writers) takes less than 10 KiB;
64 accepted ranges take 2.2 KiB; the rest of a sealed page and its message takes less than 1 KiB,
and its padding less than 4 KiB."""

_LIMITS: Final = SizeLimits(
    frame=MAX_SEALED_BYTES,
    str=4 * MAX_PATH_BYTES,  # too long a path passes here: check_path refuses it by name
    bin=MAX_LINK_BYTES,
    array=MAX_PAGE_ENTRIES,
)
_NO_LIFE: Final = bytes(LIFE_BYTES)


class Page(Struct, frozen=True):
    """A part of a device's index, or news of it.

    device: the sender's public key, 32 bytes
    life: the sender's life, of the index that the entries are from
    after, last: every change of that index with after < sequence <= last is here, as the newest
        entry of its path, in the order of their sequences
    head: the last sequence of that index when the answer was made (news: equals last)
    whole: part of a whole index: a new generation, which begins with after == 0
    accepted: versions that users let pass the guard; of `life` nothing above `head`
    withdrawals: those of paths that have an entry here, under an earlier sequence, and of paths
        that the device stopped keeping under a sequence of this page
    """

    device: bytes
    folder: str
    life: Life
    after: int
    last: int
    head: int
    whole: bool
    entries: tuple[Entry, ...]
    accepted: Accepted = NOTHING
    withdrawals: tuple[Withdrawal, ...] = ()


class OtherFolder(Refused):
    """The page was sealed with our folder's key and names another folder. Its sender holds the
    secret and has this other id for the folder. named: 1 to 128 characters. life: the sender's."""

    def __init__(self, named: str, life: Life) -> None:
        super().__init__(Refusal.UNKNOWN_FOLDER, repr(named))
        self.named, self.life = named, life


class PageCut(Struct, frozen=True):
    """The contents of one page of a run; fields as in Page."""

    after: int
    last: int
    head: int
    entries: tuple[Entry, ...]
    withdrawals: tuple[Withdrawal, ...] = ()


def seal(page: Page, epoch: EpochKeys, nonce: bytes) -> bytes:
    """Return the bytes of the field `sealed` in IndexPage and News. nonce: 24 random bytes, never
    used twice."""
    return seal_page(epoch, padded(plaintext(page)), nonce)


def open_sealed(sealed: bytes, epoch: EpochKeys, *, device: bytes, folder: str) -> Page:
    """Return the page in a box that came from `device` about `folder`.

    Raises OtherFolder; Refused: DOES_NOT_OPEN, BAD_PADDING, NOT_ITS_NAME, BAD_PAGE, those of
    check_entry, and those of a frame.
    """
    return read_plaintext(unpadded(open_page(epoch, sealed)), device=device, folder=folder)


def plaintext(page: Page) -> bytes:
    """Return the msgpack of a page, before sealing."""
    wire = WirePage(
        device=page.device,
        folder=page.folder,
        life=page.life,
        after=page.after,
        last=page.last,
        head=page.head,
        whole=page.whole,
        entries=[],
        accepted=[WireRange(*each) for each in page.accepted.ranges],
        withdrawn=[WireWithdrawal(each.path, each.sequence) for each in page.withdrawals],
    )
    fields = astuple(wire)
    entries = [fields_of(to_wire(entry)) for entry in page.entries]
    at = WirePage.__struct_fields__.index("entries")
    sent = (*fields[:at], entries, *fields[at + 1 :])
    return pack(sent if page.withdrawals else sent[:-1])


def read_plaintext(plain: bytes, *, device: bytes, folder: str) -> Page:
    """Return the page in this msgpack, with every check; the inverse of `plaintext`, see
    open_sealed."""
    wire = shaped(unpack(plain, _LIMITS), WirePage)
    # The sender's key is inside the seal, too. So no member can send another member's page as its
    # own, although all members of a folder have the folder's key.
    if wire.device != device:
        raise Refused(Refusal.NOT_ITS_NAME, f"a page of {key_beginning(wire.device)}")
    if wire.folder != folder:
        raise OtherFolder(wire.folder, Life(wire.life))
    entries = tuple(check_entry(entry) for entry in wire.entries)
    paths = {entry.path for entry in entries}
    if len(paths) != len(entries):
        raise Refused(Refusal.BAD_PAGE, "a path is there twice")
    withdrawals = _withdrawals(wire, paths)
    alone = sum(each.path not in paths for each in withdrawals)
    _check_sequences(wire, len(entries) + alone)
    return Page(
        device=wire.device,
        folder=wire.folder,
        life=Life(wire.life),
        after=wire.after,
        last=wire.last,
        head=wire.head,
        whole=wire.whole,
        entries=entries,
        accepted=_accepted(wire),
        withdrawals=withdrawals,
    )


def cut_pages(
    changes: Iterable[Change],
    after: int,
    upto: int,
    head: int,
    *,
    withdrawn: bool = True,
    permissions: bool = True,
) -> list[PageCut]:
    """Cut a run of changes in ascending order of their sequences into pages that may be sent.

    The run is all that the index holds with after < sequence <= upto. A page's `last` is the
    sequence of its last change; that of the final page is `upto`. At least one page is returned, so
    that an answer without entries also moves the asker on. withdrawn, permissions: whether
    these are told.
    """
    if not permissions:
        changes = map(_without_permissions, changes)
    pages: list[PageCut] = []
    begun: list[Change] = []
    size, start, last = 0, after, after
    for change in changes:
        assert last < change.sequence <= upto, "a run is in ascending order and within its bounds"
        change_bytes = _bytes_of(change)
        if len(begun) == MAX_PAGE_ENTRIES or size + change_bytes > MAX_PAGE_BYTES:
            pages.append(_page_of(begun, start, last, head, withdrawn))
            begun, size, start = [], 0, last
        begun.append(change)
        size, last = size + change_bytes, change.sequence
    pages.append(_page_of(begun, start, upto, head, withdrawn))
    return pages


def _without_permissions(change: Change) -> Change:
    if change.entry is None or change.entry.permissions is None:
        return change
    return replace(change, entry=replace(change.entry, permissions=None))


def _bytes_of(change: Change) -> int:
    size = 0 if change.entry is None else len(pack(fields_of(to_wire(change.entry))))
    if (withdrawal := change.withdrawal) is not None:
        size += len(pack(WireWithdrawal(withdrawal.path, withdrawal.sequence)))
    return size


def _page_of(changes: list[Change], after: int, last: int, head: int, withdrawn: bool) -> PageCut:
    entries = tuple(change.entry for change in changes if change.entry is not None)
    said = {change.path: each for change in changes if (each := change.withdrawal) is not None}
    return PageCut(after, last, head, entries, tuple(said.values()) if withdrawn else ())


def _accepted(wire: WirePage) -> Accepted:
    """Return the versions that users let pass the guard. The sender is not checked: a device passes
    on the decisions of others, and a device that may write could also write the withheld changes
    again."""
    ranges = tuple((Life(each.life), each.low, each.high) for each in wire.accepted)
    for life, low, high in ranges:
        if life == _NO_LIFE or not 1 <= low <= high:
            raise Refused(Refusal.BAD_PAGE, f"accepted: {low} to {high}")
        if life == wire.life and high > wire.head:
            raise Refused(Refusal.BAD_PAGE, f"accepted: {high} of {wire.head}")
    for one, other in pairwise(ranges):
        if one[0] > other[0] or (one[0] == other[0] and one[2] >= other[1]):
            raise Refused(Refusal.BAD_PAGE, "accepted: not in strict order")
    return Accepted(ranges)


def _withdrawals(wire: WirePage, paths: Collection[str]) -> tuple[Withdrawal, ...]:
    """paths: those of the entries."""
    withdrawals = tuple(Withdrawal(check_path(e.path), e.sequence) for e in wire.withdrawn)
    if len({each.path for each in withdrawals}) != len(withdrawals):
        raise Refused(Refusal.BAD_PAGE, "a path is withdrawn twice")
    for path, sequence in ((each.path, each.sequence) for each in withdrawals):
        low, high = (1, wire.last - 1) if path in paths else (wire.after + 1, wire.last)
        if not low <= sequence <= high:
            raise Refused(Refusal.BAD_PAGE, f"{path!r} is withdrawn under {sequence}")
    return withdrawals


def _check_sequences(wire: WirePage, count: int) -> None:
    """count: of the paths about which the page says something."""
    if wire.life == _NO_LIFE:
        raise Refused(Refusal.BAD_PAGE, "no life")
    if not wire.after <= wire.last <= wire.head:
        raise Refused(Refusal.BAD_PAGE, f"({wire.after}, {wire.last}] of {wire.head}")
    if wire.after == wire.last < wire.head:
        # After such a page the asker would ask the same question for ever.
        raise Refused(Refusal.BAD_PAGE, f"a page that ends at its beginning, {wire.last}")
    if count > wire.last - wire.after:
        said = counted(count, "entry", "entries")
        raise Refused(Refusal.BAD_PAGE, f"{said} in ({wire.after}, {wire.last}]")
