"""Padding: names of any usual length are alike, one form for each text, and all else is refused."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from msgspec.structs import replace as restruct

from leftzmq.errors import Refusal, Refused
from leftzmq.tree.entry import Entry
from leftzmq.wire.messages import MAX_SEALED_BYTES
from leftzmq.wire.padding import padded, unpadded
from leftzmq.wire.page import MAX_PAGE_BYTES, Page, seal
from tests.unit.wire.test_page import FILE, KEYS, NONCE, PAGE


def news_of(*entries: Entry) -> Page:
    return replace(PAGE, after=2**40, last=2**40 + 1, head=2**40 + 1, entries=entries)


@pytest.mark.parametrize("length", [0, 1, 507, 508, 509, 1020, 1021, 4092, 4093, 8188, 50_000])
def test_what_is_padded_comes_out_again(length: int) -> None:
    plain = bytes(length - 1) + b"\1" if length else b""
    assert unpadded(padded(plain)) == plain
    zeros = bytes(length)
    assert unpadded(padded(zeros)) == zeros


def test_the_steps() -> None:
    sizes = sorted({len(padded(bytes(n))) for n in range(17_000)})
    assert sizes == [512, 1024, 2048, 4096, 8192, 12288, 16384, 20480]


def test_news_of_a_short_and_of_a_long_name_and_a_heartbeat_are_alike() -> None:
    pages = [news_of(restruct(FILE, path=name)) for name in ("a", "b" * 100, "d/" + "c" * 198)]
    sizes = {len(seal(page, KEYS.first, NONCE)) for page in (news_of(), *pages)}
    assert sizes == {512 + 24 + 16}


def test_the_longest_page_fits_its_frame() -> None:
    assert len(padded(bytes(MAX_PAGE_BYTES + 1024))) + 24 + 16 <= MAX_SEALED_BYTES


@pytest.mark.parametrize(
    "filled",
    [
        b"",
        b"\0\0\0",
        padded(b"abc")[:-1],
        padded(b"abc") + b"\0",
        padded(b"abc") + bytes(512),
        padded(b"abc")[:-1] + b"\1",
        padded(b"abc").replace(b"abc\0", b"abc\1"),
        b"\xff\xff\xff\xff" + bytes(508),
        (509).to_bytes(4, "big") + bytes(508),
        (3).to_bytes(4, "big") + bytes(1020),
    ],
)
def test_any_other_filling_is_refused(filled: bytes) -> None:
    with pytest.raises(Refused) as caught:
        unpadded(filled)
    assert caught.value.refusal is Refusal.BAD_PADDING
