"""Keys and ids: golden vectors. A change of any is another protocol, not a repair."""

from __future__ import annotations

from dataclasses import fields

import pytest
from blake3 import blake3

from leftzmq.content.ids import chunk_id, list_id
from leftzmq.content.keys import check_bits, derive_epoch, derive_keys, device_mark

SECRET = bytes(range(32))
KEYS = derive_keys(SECRET)


def test_golden_keys() -> None:
    assert KEYS.tag.hex() == "a943c529cc3b7bc9fc06775af8172034"
    assert {
        f.name: getattr(keys, f.name).hex()
        for keys in (KEYS, KEYS.first)
        for f in fields(keys)
        if f.name.endswith("key")
    } == {
        "chunk_id_key": "3287ec39c236ae84db5ecb97d45dee749b188e114196b2f1fee2d976e04363cc",
        "list_id_key": "d8453adfd4d068b17fc21adba2adc42dd0502a752e559bdf6c43db65393c7b0a",
        "seal_key": "d15272e7c8f1f1b607e357e48de79bdc4669e7fff57563454d1a20c27e9270e6",
        "page_key": "6218f74af098451e195ce5ee96dd89f837a0e1ca400069b7431f1825e95f22e8",
        "roster_key": "948b316562f357286369aacbd35ce46cc6577c04ff8b86c62e800183af38c0f8",
        "hello_key": "2934eb7661a73cacbaabf0334f25431f47116181c3eb7f6f505c06c6b8bc9538",
    }
    assert KEYS.cut_seed == 577220043082730789


def test_the_contexts_are_those_of_the_protocol() -> None:
    def derived(purpose: str, length: int) -> bytes:
        context = f"leftzmq 2026 v1 {purpose}"
        return blake3(SECRET, derive_key_context=context).digest(length)

    assert derived("folder tag", 16) == KEYS.tag
    assert derived("chunk id", 32) == KEYS.chunk_id_key
    assert derived("list id", 32) == KEYS.list_id_key
    assert derived("seal", 32) == KEYS.first.seal_key
    assert derived("page", 32) == KEYS.first.page_key
    assert derived("roster", 32) == KEYS.roster_key
    assert derived("hello", 32) == KEYS.hello_key
    assert int.from_bytes(derived("cut seed", 8), "big") >> 1 == KEYS.cut_seed


def test_checks_are_the_top_bits_of_a_derived_key_of_their_purpose() -> None:
    whole = blake3(b"text", derive_key_context="leftzmq 2026 v1 code 1").digest()
    for bits in (1, 12, 14, 16, 64):
        assert check_bits("code 1", b"text", bits) == int.from_bytes(whole, "big") >> (256 - bits)
    assert check_bits("code 1", b"text", 16) == 0xBC8B
    assert check_bits("code 2", b"text", 16) != check_bits("code 1", b"text", 16)


def test_another_secret_shares_nothing() -> None:
    other = derive_keys(bytes(31) + b"\1")
    for ours, theirs in ((KEYS, other), (KEYS.first, other.first)):
        assert not {getattr(ours, f.name) for f in fields(ours)} & {
            getattr(theirs, f.name) for f in fields(theirs)
        }


def test_the_first_epoch_has_the_secret_of_the_folder() -> None:
    assert derive_epoch(SECRET) == KEYS.first
    assert KEYS.first.tag == KEYS.tag


@pytest.mark.parametrize("last", range(0, 256, 16))
def test_every_seed_fits_the_cutter(last: int) -> None:
    assert 0 < derive_keys(bytes(31) + bytes([last])).cut_seed < 2**63


def test_no_repr_shows_a_key() -> None:
    for shown in (repr(KEYS), str(KEYS), f"{KEYS!r:>5}"):
        assert "tag" in shown
        for keys in (KEYS, KEYS.first):
            for field in fields(keys):
                if field.name not in ("tag", "first"):
                    value = getattr(keys, field.name)
                    assert field.name not in shown and repr(value) not in shown


def test_a_device_mark() -> None:
    assert device_mark(bytes(range(32, 64))).hex() == "ae2e33e7"


@pytest.mark.parametrize(
    ("data", "chunk", "listed"),
    [
        (
            b"",
            "c78adcc2dc93e17cfd10d3b6c7f9aa0ecbae8982009d1d8edd34ef712c80c917",
            "2ab79ceb4203134dc6117591e7db9960f67465b0411b267ffacca20b278dbb70",
        ),
        (
            b"left",
            "61693ac724379139e72c60318a003d654240de5fec24b4ae03fe7219904ff22e",
            "e9b31ae55d5933cc5f218667c70c99c6100771f128dd6d6b5e09dd86f926530c",
        ),
        (
            bytes(64 << 10),
            "5a6169efbb786351e22f9d6f1032294c3ceab16770f08dbe9224d918435b5401",
            "55edcfef9fa0bb3045fe04d336c2f4e31a3883ce58595cdc278f3ee8e6c231f4",
        ),
    ],
)
def test_golden_ids(data: bytes, chunk: str, listed: str) -> None:
    for form in (data, bytearray(data), memoryview(data)):
        assert chunk_id(KEYS, form).hex() == chunk
        assert list_id(KEYS, form).hex() == listed
