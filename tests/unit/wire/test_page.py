"""Sealed pages: golden bytes, whose they are, sequences, and how a run is cut into them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgpack
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from msgspec.structs import replace as restruct
from nacl.bindings import crypto_secretbox_easy

from leftzmq.content.keys import derive_keys
from leftzmq.content.seal import fresh_nonce, seal_page
from leftzmq.errors import Refusal, Refused
from leftzmq.tree.accepted import NOTHING, Accepted
from leftzmq.tree.change import Change, Withdrawal
from leftzmq.tree.entry import ContentId, Entry, Kind
from leftzmq.tree.permissions import Permissions
from leftzmq.tree.version import Life, Vector
from leftzmq.wire.codec import Socket, decode, encode
from leftzmq.wire.messages import MAX_PAGE_ENTRIES, IndexPage
from leftzmq.wire.padding import padded
from leftzmq.wire.page import (
    MAX_PAGE_BYTES,
    Page,
    PageCut,
    cut_pages,
    open_sealed,
    plaintext,
    read_plaintext,
    seal,
)
from tests.helpers.changes import changes_of

SECRET = bytes(range(32))
KEYS = derive_keys(SECRET)
NONCE = bytes(range(24))
DEVICE = bytes(range(32))
FOLDER = "share"
LIFE, OTHER_LIFE = Life(bytes(range(100, 112))), Life(bytes(range(200, 212)))
OWN = Vector.of(((LIFE, 5),))

FILE = Entry(
    path="docs/ü.txt",
    kind=Kind.FILE,
    size=5,
    mtime_ns=-1,
    exec=True,
    content=ContentId(bytes(range(32, 64))),
    depth=0,
    vector=Vector.of(((LIFE, 5), (OTHER_LIFE, 300))),
    writer=OTHER_LIFE,
    stamp=2**62,
    deleted=False,
)
DIRECTORY = Entry("docs", Kind.DIRECTORY, 0, 0, False, ContentId(b""), 0, OWN, LIFE, 5, False)
DEAD_LINK = Entry("link", Kind.SYMLINK, 0, 0, False, ContentId(b"../x"), 0, OWN, LIFE, -3, True)
PAGE = Page(
    device=DEVICE,
    folder=FOLDER,
    life=LIFE,
    after=299,
    last=302,
    head=400,
    whole=False,
    entries=(FILE, DIRECTORY, DEAD_LINK),
    accepted=Accepted(((LIFE, 1, 302), (OTHER_LIFE, 7, 2**53))),
)

# Written down from msgpack of plain lists; a change of any of it is another protocol version.
TAG = bytes.fromhex("a943c529cc3b7bc9fc06775af8172034")
PLAIN = bytes.fromhex(
    "99c420000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fa573686172"
    "65c40c6465666768696a6b6c6d6e6fcd012bcd012ecd0190c2939bab646f63732fc3bc2e74787400"
    "05ffc3c420202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f00c428"
    "6465666768696a6b6c6d6e6f0000000000000005c8c9cacbcccdcecfd0d1d2d3000000000000012c"
    "c40cc8c9cacbcccdcecfd0d1d2d3cf4000000000000000c29ba4646f6373010000c2c40000c41464"
    "65666768696a6b6c6d6e6f0000000000000005c40c6465666768696a6b6c6d6e6f05c29ba46c696e"
    "6b020000c2c4042e2e2f7800c4146465666768696a6b6c6d6e6f0000000000000005c40c64656667"
    "68696a6b6c6d6e6ffdc39293c40c6465666768696a6b6c6d6e6f01cd012e93c40cc8c9cacbcccdce"
    "cfd0d1d2d307cf0020000000000000"
)
PADDED = len(PLAIN).to_bytes(4, "big") + PLAIN + bytes(512 - 4 - len(PLAIN))
SEALED = NONCE + crypto_secretbox_easy(PADDED, NONCE, KEYS.first.page_key)


def read(plain: bytes) -> Page:
    return read_plaintext(plain, device=DEVICE, folder=FOLDER)


def refusal_of(plain: bytes) -> Refusal:
    with pytest.raises(Refused) as caught:
        read(plain)
    return caught.value.refusal


def with_field(at: int, value: Any) -> bytes:
    fields = msgpack.unpackb(PLAIN)
    fields[at] = value
    return msgpack.packb(fields)


def test_a_page_is_its_golden_bytes() -> None:
    assert plaintext(PAGE) == PLAIN
    assert read(PLAIN) == PAGE


WITHDRAWING = replace(
    PAGE, entries=(FILE,), withdrawals=(Withdrawal(FILE.path, 301), Withdrawal("gone", 300))
)
WITHDRAWN_PLAIN = bytes.fromhex("9292ab646f63732fc3bc2e747874cd012d92a4676f6e65cd012c")


def test_withdrawals_are_a_last_field_of_a_page() -> None:
    ten = bytes([0x9A]) + plaintext(replace(WITHDRAWING, withdrawals=()))[1:]
    assert plaintext(WITHDRAWING) == ten + WITHDRAWN_PLAIN
    assert read(plaintext(WITHDRAWING)) == WITHDRAWING


def test_a_register_is_a_last_field_of_an_entry() -> None:
    told = replace(FILE, permissions=Permissions(258, OTHER_LIFE, 0o640, 0o777))
    plain = plaintext(replace(PAGE, entries=(told, DIRECTORY, DEAD_LINK)))
    bare = PLAIN[PLAIN.index(b"\x9b\xab") + 1 : PLAIN.index(b"\x9b\xa4docs")]
    register = bytes.fromhex("94cd0102c40cc8c9cacbcccdcecfd0d1d2d3cd01a0cd01ff")
    assert plain == PLAIN.replace(b"\x9b" + bare, b"\x9c" + bare + register)
    assert read(plain).entries[0] == told


def test_who_knows_no_registers_is_told_none() -> None:
    told = replace(FILE, permissions=Permissions(1, LIFE, 0o640))
    (cut,) = cut_pages(changes_of([(7, told)]), 0, 9, 9, permissions=False)
    assert cut.entries == (FILE,)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ((Withdrawal("gone", 299),), "before the page"),
        ((Withdrawal("gone", 303),), "after the page"),
        ((Withdrawal(FILE.path, 302),), "with its entry"),
        ((Withdrawal(FILE.path, 0),), "never"),
        ((Withdrawal("gone", 300), Withdrawal("gone", 301)), "twice"),
        (tuple(Withdrawal(f"{n}", 300) for n in range(3)), "more than there are sequences"),
    ],
)
def test_a_page_with_impossible_withdrawals_is_refused(
    said: tuple[Withdrawal, ...], what: str
) -> None:
    assert refusal_of(plaintext(replace(WITHDRAWING, withdrawals=said))) is Refusal.BAD_PAGE, what


def test_a_withdrawn_path_is_checked_like_any_path() -> None:
    said = (Withdrawal("../x", 300),)
    assert refusal_of(plaintext(replace(WITHDRAWING, withdrawals=said))).name.startswith("PATH_")


def test_what_is_withdrawn_is_cut_into_pages_with_the_entries() -> None:
    again = Change(12, FILE.path, FILE, withdrawn=3)
    gone = Change(13, "gone", None, withdrawn=13)
    (cut,) = cut_pages([again, gone], 10, 20, 20)
    assert cut.entries == (FILE,)
    assert cut.withdrawals == (Withdrawal(FILE.path, 3), Withdrawal("gone", 13))
    (cut,) = cut_pages([again, gone], 10, 20, 20, withdrawn=False)
    assert cut == PageCut(10, 20, 20, (FILE,))


def test_a_sealed_page_is_its_golden_bytes() -> None:
    assert KEYS.tag == TAG
    assert blake3(SEALED).hexdigest(8) == "ef7de0f27c4cd77c"
    assert seal(PAGE, KEYS.first, NONCE) == SEALED
    assert open_sealed(SEALED, KEYS.first, device=DEVICE, folder=FOLDER) == PAGE


def test_cut_off_anywhere_it_is_refused() -> None:
    for length in range(len(PLAIN)):
        with pytest.raises(Refused):
            read(PLAIN[:length])
    for length in range(len(SEALED)):
        with pytest.raises(Refused) as caught:
            open_sealed(SEALED[:length], KEYS.first, device=DEVICE, folder=FOLDER)
        assert caught.value.refusal is Refusal.DOES_NOT_OPEN


def test_no_flipped_bit_opens() -> None:
    for at in range(len(SEALED)):
        for bit in range(8):
            flipped = SEALED[:at] + bytes([SEALED[at] ^ 1 << bit]) + SEALED[at + 1 :]
            with pytest.raises(Refused) as caught:
                open_sealed(flipped, KEYS.first, device=DEVICE, folder=FOLDER)
            assert caught.value.refusal is Refusal.DOES_NOT_OPEN


def test_any_flipped_bit_inside_is_a_page_or_refused() -> None:
    for at in range(len(PLAIN)):
        for bit in range(8):
            flipped = PLAIN[:at] + bytes([PLAIN[at] ^ 1 << bit]) + PLAIN[at + 1 :]
            try:
                page = read(flipped)
            except Refused:
                continue
            assert page != PAGE and read(plaintext(page)) == page


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutated_inside_it_is_a_page_or_refused(data: st.DataObject) -> None:
    plain = bytearray(PLAIN)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(plain)))
        end = min(len(plain), at + data.draw(st.integers(0, 4)))
        plain[at:end] = data.draw(st.binary(max_size=4))
    try:
        page = read(bytes(plain))
    except Refused:
        return
    assert read(plaintext(page)) == page


def test_another_secret_does_not_open_it() -> None:
    with pytest.raises(Refused) as caught:
        open_sealed(SEALED, derive_keys(bytes(32)).first, device=DEVICE, folder=FOLDER)
    assert caught.value.refusal is Refusal.DOES_NOT_OPEN


def test_a_page_of_another_device_or_folder_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        open_sealed(SEALED, KEYS.first, device=bytes(32), folder=FOLDER)
    assert caught.value.refusal is Refusal.NOT_ITS_NAME
    with pytest.raises(Refused) as caught:
        open_sealed(SEALED, KEYS.first, device=DEVICE, folder="other")
    assert caught.value.refusal is Refusal.UNKNOWN_FOLDER


def test_what_is_sealed_is_checked_like_any_other_frame() -> None:
    for plain, refusal in (
        (b"", Refusal.NOT_MSGPACK),
        (PLAIN + b"\0", Refusal.NOT_MSGPACK),
        (b"\x91" * 60_000, Refusal.NOT_MSGPACK),
        (bytes(70_000), Refusal.TOO_LONG),
        (b"\x90", Refusal.WRONG_SHAPE),
        (msgpack.packb({}), Refusal.WRONG_SHAPE),
    ):
        with pytest.raises(Refused) as caught:
            open_sealed(
                seal_page(KEYS.first, padded(plain), NONCE),
                KEYS.first,
                device=DEVICE,
                folder=FOLDER,
            )
        assert caught.value.refusal is refusal


AFTER, LAST, HEAD, WHOLE, ENTRIES, ACCEPTED = 3, 4, 5, 6, 7, 8


def test_sequences_that_contradict_each_other() -> None:
    assert refusal_of(with_field(2, bytes(12))) is Refusal.BAD_PAGE  # the life
    assert refusal_of(with_field(AFTER, 303)) is Refusal.BAD_PAGE
    assert refusal_of(with_field(LAST, 401)) is Refusal.BAD_PAGE
    assert refusal_of(with_field(HEAD, 301)) is Refusal.BAD_PAGE
    assert refusal_of(with_field(AFTER, 300)) is Refusal.BAD_PAGE  # 3 entries in (300, 302]
    assert refusal_of(with_field(HEAD, 2**53 + 1)) is Refusal.OUT_OF_RANGE
    assert refusal_of(with_field(AFTER, -1)) is Refusal.OUT_OF_RANGE
    assert refusal_of(with_field(AFTER, True)) is Refusal.WRONG_SHAPE
    assert refusal_of(with_field(WHOLE, 1)) is Refusal.WRONG_SHAPE


def empty(after: int, last: int, head: int) -> Page:
    return replace(PAGE, after=after, last=last, head=head, entries=(), accepted=NOTHING)


@pytest.mark.parametrize("bounds", [(0, 0, 0), (7, 7, 7), (3, 7, 7), (0, 3, 7)])
def test_pages_without_entries(bounds: tuple[int, int, int]) -> None:
    assert read(plaintext(empty(*bounds))) == empty(*bounds)


def test_a_page_that_ends_at_its_beginning_must_be_at_the_head() -> None:
    assert refusal_of(plaintext(empty(3, 3, 7))) is Refusal.BAD_PAGE


def test_a_path_twice_in_one_page() -> None:
    twice = replace(PAGE, entries=(FILE, DIRECTORY, restruct(FILE, stamp=1)))
    assert refusal_of(plaintext(twice)) is Refusal.BAD_PAGE


def test_a_bad_entry_refuses_the_page() -> None:
    entries = msgpack.unpackb(PLAIN)[ENTRIES]
    entries[1][0] = "../x"
    assert refusal_of(with_field(ENTRIES, entries)) is Refusal.PATH_UNCLEAN
    entries = msgpack.unpackb(PLAIN)[ENTRIES]
    entries[0][5] = bytes(31)
    assert refusal_of(with_field(ENTRIES, entries)) is Refusal.BAD_ENTRY


def test_what_was_accepted_is_checked() -> None:
    life, other = bytes(LIFE), bytes(OTHER_LIFE)
    for bad in (
        [[bytes(12), 1, 2]],
        [[life, 0, 2]],
        [[life, 3, 2]],
        [[life, 1, 401]],  # above its own head
        [[other, 1, 2], [life, 1, 2]],
        [[other, 1, 5], [other, 5, 9]],
        [[other, 1, 5], [other, 1, 5]],
    ):
        assert refusal_of(with_field(ACCEPTED, bad)) is Refusal.BAD_PAGE, bad
    assert refusal_of(with_field(ACCEPTED, [[other, 1, 2**53 + 1]])) is Refusal.OUT_OF_RANGE
    assert refusal_of(with_field(ACCEPTED, [[other[:11], 1, 2]])) is Refusal.WRONG_SHAPE
    assert refusal_of(with_field(ACCEPTED, [[other, n, n] for n in range(1, 66)])) is (
        Refusal.WRONG_SHAPE
    )
    assert read(with_field(ACCEPTED, [])) == replace(PAGE, accepted=NOTHING)


def test_too_many_entries_in_one_page() -> None:
    count = MAX_PAGE_ENTRIES + 1
    many = tuple(restruct(DIRECTORY, path=f"{n}") for n in range(count))
    page = Page(DEVICE, FOLDER, LIFE, 0, count, count, True, many)
    assert refusal_of(plaintext(page)) is Refusal.NOT_MSGPACK


# ---- cutting ----------------------------------------------------------------------------------


def run(count: int, step: int = 1) -> list[tuple[int, Entry]]:
    return [(10 + n * step, restruct(DIRECTORY, path=f"d/{n}")) for n in range(1, count + 1)]


MANY = Accepted(tuple((Life(bytes([n]) * 12), 2**53 - 1, 2**53) for n in range(1, 65)))


def check_cuts(cuts: list[PageCut], after: int, upto: int, entries: list[Entry]) -> None:
    """What is cut joins without a gap, in order, and each page is taken at the other end."""
    assert cuts[0].after == after and cuts[-1].last == upto
    assert all(one.last == two.after for one, two in pairwise(cuts))
    assert [entry for cut in cuts for entry in cut.entries] == entries
    for cut in cuts:
        folder = "\U0001f4c1" * 128
        whole = (cut.after, cut.last, cut.head, True, cut.entries)
        page = Page(DEVICE, folder, LIFE, *whole, accepted=MANY)
        sealed = seal(page, KEYS.first, fresh_nonce())
        frame = encode(IndexPage(KEYS.tag, sealed))
        message = decode(frame, Socket.CONTROL)
        assert isinstance(message, IndexPage)
        assert open_sealed(message.sealed, KEYS.first, device=DEVICE, folder=page.folder) == page


def test_an_empty_run_is_one_page_that_moves_on() -> None:
    assert cut_pages([], 3, 7, 9) == [PageCut(3, 7, 9, ())]


def test_a_page_ends_at_its_last_entry_and_the_final_one_at_upto() -> None:
    entries = run(MAX_PAGE_ENTRIES + 2, step=10)
    cuts = cut_pages(changes_of(entries), 10, 99_999, 100_000)
    assert [(cut.after, cut.last, cut.head, len(cut.entries)) for cut in cuts] == [
        (10, 10 + 10 * MAX_PAGE_ENTRIES, 100_000, MAX_PAGE_ENTRIES),
        (10 + 10 * MAX_PAGE_ENTRIES, 99_999, 100_000, 2),
    ]
    check_cuts(cuts, 10, 99_999, [entry for _, entry in entries])


def test_exactly_one_full_page_is_one_page() -> None:
    entries = run(MAX_PAGE_ENTRIES)
    assert (
        len(cut_pages(changes_of(entries), 10, 10 + MAX_PAGE_ENTRIES, 10 + MAX_PAGE_ENTRIES)) == 1
    )


def largest(number: int) -> Entry:
    names = [f"{number:03}" + "\U0001f4c1" * 63] * 15 + ["y" * 240, "z" * 15]
    path = "/".join(names)
    writers = tuple((Life(bytes([n]) * 12), 2**53) for n in range(64))
    return Entry(
        path=path,
        kind=Kind.SYMLINK,
        size=0,
        mtime_ns=0,
        exec=False,
        content=ContentId(b"x" * 4095),
        depth=0,
        vector=Vector.of(writers),
        writer=writers[0][0],
        stamp=-(2**62),
        deleted=True,
    )


def test_the_largest_entry_fits_and_pages_stay_within_their_bytes() -> None:
    assert len(largest(1).path.encode()) == 4096
    entries = [(2**53 - 20 + n, largest(n)) for n in range(20)]
    cuts = cut_pages(changes_of(entries), 2**53 - 30, 2**53, 2**53)
    check_cuts(cuts, 2**53 - 30, 2**53, [entry for _, entry in entries])
    assert len(cuts) > 1
    for cut in cuts:
        packed = len(plaintext(Page(DEVICE, "f", LIFE, 0, 0, 0, True, cut.entries)))
        assert packed < MAX_PAGE_BYTES + 64
    check_cuts(cut_pages(changes_of(entries[:1]), 0, 2**53, 2**53), 0, 2**53, [largest(0)])


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(1, 4000), max_size=300))
def test_any_run_is_cut_without_loss(sizes: list[int]) -> None:
    entries = [
        (n, restruct(DEAD_LINK, path=f"{n}", content=ContentId(b"x" * size)))
        for n, size in enumerate(sizes, 1)
    ]
    upto = len(sizes) + 5
    check_cuts(
        cut_pages(changes_of(iter(entries)), 0, upto, upto),
        0,
        upto,
        [entry for _, entry in entries],
    )


def test_a_run_out_of_order_is_our_own_mistake() -> None:
    one, two = run(2)
    with pytest.raises(AssertionError):
        cut_pages(changes_of([two, one]), 0, 99, 99)
    with pytest.raises(AssertionError):
        cut_pages(changes_of([one]), one[0], 99, 99)
    with pytest.raises(AssertionError):
        cut_pages(changes_of([one, two]), 0, one[0], 99)
