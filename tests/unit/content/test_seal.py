"""Boxes and pages: golden ones, and nothing damaged, foreign or mislabelled comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.secret import SecretBox

from leftzmq.content.ids import chunk_id, list_id
from leftzmq.content.keys import derive_keys
from leftzmq.content.seal import (
    MAC_BYTES,
    fresh_nonce,
    open_chunk,
    open_list,
    open_page,
    open_roster,
    seal_chunk,
    seal_list,
    seal_page,
    seal_roster,
)
from leftzmq.content.zeros import trimmed
from leftzmq.errors import Refusal, Refused

KEYS = derive_keys(bytes(range(32)))
OTHER = derive_keys(bytes(32))
NONCE = bytes(range(24))


def refusal(act: Callable[[], object]) -> Refusal:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value.refusal


@pytest.mark.parametrize(
    ("data", "box"),
    [
        (b"", "3b7b87e0747a91807c14ec300eb3b629"),
        (b"left", "c5063eae0c791d37857b3d6a48abf5af4103ee37"),
        (b"left" + bytes(5), "00b9d64f9c7989962c7c20391d4592b6db811c7f"),
        (bytes(1 << 20), "8f0943773b1167df066ce48ad12098f2"),
    ],
)
def test_golden_boxes(data: bytes, box: str) -> None:
    assert seal_chunk(KEYS.first, chunk_id(KEYS, data), data).hex() == box


def test_a_box_is_libsodiums_secretbox() -> None:
    id = chunk_id(KEYS, b"left")
    box = SecretBox(KEYS.first.seal_key).encrypt(b"left", id[:24]).ciphertext
    assert seal_chunk(KEYS.first, id, b"left") == box


def test_a_golden_page() -> None:
    sealed = seal_page(KEYS.first, b"news", NONCE)
    assert sealed.hex() == NONCE.hex() + "9cad43d7216195a6a1b6dc4d77af03084757361a"
    assert SecretBox(KEYS.first.page_key).decrypt(sealed) == b"news"


def test_a_golden_part_of_a_roster() -> None:
    sealed = seal_roster(KEYS, b"roster", NONCE)
    assert sealed.hex() == NONCE.hex() + "dc5ae3775ffc2b796919ca2e8f34217a2ac67d0808fa"
    assert open_roster(KEYS, sealed) == b"roster"
    assert refusal(lambda: open_roster(OTHER, sealed)) is Refusal.DOES_NOT_OPEN
    assert refusal(lambda: open_page(KEYS.first, sealed)) is Refusal.DOES_NOT_OPEN


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=4096))
def test_what_goes_in_comes_out(data: bytes) -> None:
    id, listed = chunk_id(KEYS, data), list_id(KEYS, data)
    box = seal_chunk(KEYS.first, id, data)
    assert len(box) == len(data.rstrip(b"\0")) + MAC_BYTES
    for form in (bytearray(data), memoryview(data), memoryview(b"x" + data + b"x")[1:-1]):
        assert seal_chunk(KEYS.first, id, form) == box
    for form in (box, bytearray(box), memoryview(b"x" + box + b"x")[1:-1]):
        assert open_chunk(KEYS, KEYS.first, id, form, len(data)) == data
    assert open_list(KEYS, KEYS.first, listed, seal_list(KEYS.first, listed, data)) == data
    assert open_page(KEYS.first, memoryview(seal_page(KEYS.first, data, NONCE))) == data


def test_a_mebibyte() -> None:
    data = bytes(1 << 20)
    id = chunk_id(KEYS, data)
    assert open_chunk(KEYS, KEYS.first, id, seal_chunk(KEYS.first, id, data), len(data)) == data


def test_every_flipped_bit_of_a_box_is_refused() -> None:
    id = chunk_id(KEYS, b"left")
    box = seal_chunk(KEYS.first, id, b"left")
    for bit in range(8 * len(box)):
        bad = bytearray(box)
        bad[bit // 8] ^= 1 << bit % 8
        assert (
            refusal(lambda bad=bad: open_chunk(KEYS, KEYS.first, id, bad, 4))
            is Refusal.DOES_NOT_OPEN
        )


def test_every_flipped_bit_of_a_page_is_refused() -> None:
    sealed = seal_page(KEYS.first, b"news", NONCE)
    for bit in range(8 * len(sealed)):
        bad = bytearray(sealed)
        bad[bit // 8] ^= 1 << bit % 8
        assert refusal(lambda bad=bad: open_page(KEYS.first, bad)) is Refusal.DOES_NOT_OPEN


def test_every_flipped_bit_of_an_id_is_refused() -> None:
    id = chunk_id(KEYS, b"left")
    box = seal_chunk(KEYS.first, id, b"left")
    for bit in range(8 * len(id)):
        bad = bytearray(id)
        bad[bit // 8] ^= 1 << bit % 8
        # The nonce is 24 bytes of the id: only the comparison knows about the other eight.
        why = Refusal.DOES_NOT_OPEN if bit < 8 * 24 else Refusal.WRONG_ID
        assert refusal(lambda bad=bad: open_chunk(KEYS, KEYS.first, bytes(bad), box, 4)) is why


def test_everything_cut_short_is_refused() -> None:
    id = chunk_id(KEYS, b"left")
    box, sealed = seal_chunk(KEYS.first, id, b"left"), seal_page(KEYS.first, b"news", NONCE)
    for length in range(len(box)):
        short = box[:length]
        assert (
            refusal(lambda short=short: open_chunk(KEYS, KEYS.first, id, short, 4))
            is Refusal.DOES_NOT_OPEN
        )
    for length in range(len(sealed)):
        short = sealed[:length]
        assert refusal(lambda short=short: open_page(KEYS.first, short)) is Refusal.DOES_NOT_OPEN


def test_another_folders_key_opens_nothing() -> None:
    id = chunk_id(KEYS, b"left")
    box = seal_chunk(KEYS.first, id, b"left")
    assert refusal(lambda: open_chunk(OTHER, OTHER.first, id, box, 4)) is Refusal.DOES_NOT_OPEN
    sealed = seal_page(KEYS.first, b"news", NONCE)
    assert refusal(lambda: open_page(OTHER.first, sealed)) is Refusal.DOES_NOT_OPEN


def test_a_page_key_is_not_a_seal_key() -> None:
    id = chunk_id(KEYS, b"left")
    as_page = id[:24] + seal_chunk(KEYS.first, id, b"left")
    assert refusal(lambda: open_page(KEYS.first, as_page)) is Refusal.DOES_NOT_OPEN
    assert open_page(replace(KEYS.first, page_key=KEYS.first.seal_key), as_page) == b"left"


def test_a_member_cannot_pass_other_bytes_off_under_an_id() -> None:
    id = chunk_id(KEYS, b"left")
    poison = seal_chunk(KEYS.first, id, b"right")
    assert refusal(lambda: open_chunk(KEYS, KEYS.first, id, poison, 5)) is Refusal.WRONG_ID


def test_a_chunk_cannot_pass_for_a_list_nor_a_list_for_a_chunk() -> None:
    rows = bytes(35) + b"x"
    id, listed = chunk_id(KEYS, rows), list_id(KEYS, rows)
    as_chunk, as_list = seal_chunk(KEYS.first, id, rows), seal_list(KEYS.first, listed, rows)
    assert refusal(lambda: open_list(KEYS, KEYS.first, id, as_chunk)) is Refusal.WRONG_ID
    assert refusal(lambda: open_chunk(KEYS, KEYS.first, listed, as_list, 36)) is Refusal.WRONG_ID


def test_a_chunk_is_as_long_as_was_asked_for() -> None:
    data = b"left" + bytes(200)
    id = chunk_id(KEYS, data)
    box = seal_chunk(KEYS.first, id, data)
    assert len(box) == 4 + MAC_BYTES
    assert open_chunk(KEYS, KEYS.first, id, box, 204) == data
    for length in (3, 4, 203, 205):
        assert (
            refusal(lambda length=length: open_chunk(KEYS, KEYS.first, id, box, length))
            is Refusal.WRONG_ID
        )


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=100), st.integers(0, 200_000))
def test_zeros_at_the_end_are_trimmed(data: bytes, zeros: int) -> None:
    assert trimmed(data + bytes(zeros)) == data.rstrip(b"\0")


def test_a_refusal_tells_no_secret() -> None:
    id = chunk_id(KEYS, b"left")
    with pytest.raises(Refused) as caught:
        open_chunk(KEYS, KEYS.first, id, bytes(40), 24)
    said = repr(caught.value) + str(caught.value)
    assert KEYS.first.seal_key.hex() not in said and repr(KEYS.first.seal_key)[2:20] not in said


def test_nonces_are_fresh() -> None:
    nonces = {fresh_nonce() for _ in range(64)}
    assert len(nonces) == 64 and {len(n) for n in nonces} == {24}
