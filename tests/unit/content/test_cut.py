"""Cuts: golden ones, and the same ones wherever a window happens to end."""

from __future__ import annotations

from itertools import accumulate

import pyfastcdc.py
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from leftzmq.content import cut
from leftzmq.content.cut import MAX_CHUNK_BYTES, MIN_CHUNK_BYTES, Cutter, require_compiled
from leftzmq.content.ids import chunk_id
from leftzmq.content.keys import derive_keys
from leftzmq.errors import PlatformError

KEYS = derive_keys(bytes(range(32)))
MIB = 1 << 20


def noise(length: int, name: str = "leftzmq golden cuts") -> bytes:
    """Bytes that no version of any library will ever give differently."""
    return blake3(name.encode()).digest(length)


GOLDEN = [
    315886, 129352, 264062, 371027, 303970, 296502, 210753, 316245, 297402, 275540,
    306234, 262283, 265146, 290861, 290720, 481180, 277104, 279391, 9222,
]  # fmt: skip


def test_golden_cuts() -> None:
    assert Cutter(KEYS).cut(memoryview(noise(5 * MIB)), last=True) == GOLDEN


def test_golden_cuts_by_the_other_implementation() -> None:
    reference = pyfastcdc.py.FastCDC(
        256 << 10, min_size=64 << 10, max_size=MIB, normalized_chunking=2, seed=KEYS.cut_seed
    )
    found = [c.length for c in reference.cut_buf(noise(5 * MIB)[: sum(GOLDEN[:5])])]
    assert found == GOLDEN[:5]


def test_another_folder_cuts_elsewhere() -> None:
    other = Cutter(derive_keys(bytes(32)))
    assert not set(accumulate(other.cut(memoryview(noise(5 * MIB)), last=False))) & set(
        accumulate(GOLDEN)
    )


FILES = {
    "noise": noise(5 * MIB),
    "zeros": bytes(5 * MIB + 77),  # never a border: every chunk is the maximum
    "mixed": noise(MIB, "a") + bytes(2 * MIB) + noise(MIB + 1, "b") * 2,
}
WHOLE = {name: Cutter(KEYS).cut(memoryview(data), last=True) for name, data in FILES.items()}


@pytest.mark.parametrize("name", FILES)
def test_chunks_fill_the_file_and_keep_their_sizes(name: str) -> None:
    lengths = WHOLE[name]
    assert sum(lengths) == len(FILES[name])
    assert all(MIN_CHUNK_BYTES <= n <= MAX_CHUNK_BYTES for n in lengths[:-1])
    assert 0 < lengths[-1] <= MAX_CHUNK_BYTES


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_windows_cut_like_the_whole_file(name: str, data: st.DataObject) -> None:
    view, cutter = memoryview(FILES[name]), Cutter(KEYS)
    lengths: list[int] = []
    at = 0
    while at < len(view):
        # Short windows, windows that end exactly on a border, and generous ones.
        border = sum(WHOLE[name][: len(lengths) + 1]) - at
        size = data.draw(st.one_of(st.integers(1, 3 * MIB), st.sampled_from([border, border + 1])))
        last = at + size >= len(view)
        found = cutter.cut(view[at : at + size], last=last)
        if size >= MAX_CHUNK_BYTES:
            assert found, "a window of the largest chunk's size must bring the cutting forward"
        elif not found:
            last = at + MAX_CHUNK_BYTES >= len(view)
            found = cutter.cut(view[at : at + MAX_CHUNK_BYTES], last=last)
        lengths += found
        at += sum(found)
    assert lengths == WHOLE[name]


def test_windows_without_a_border_give_nothing() -> None:
    cutter = Cutter(KEYS)
    assert cutter.cut(memoryview(b""), last=False) == []
    assert cutter.cut(memoryview(b""), last=True) == []
    assert cutter.cut(memoryview(bytes(MAX_CHUNK_BYTES - 1)), last=False) == []
    assert cutter.cut(memoryview(bytes(MAX_CHUNK_BYTES)), last=False) == [MAX_CHUNK_BYTES]


def test_the_window_is_let_go() -> None:
    buffer = bytearray(noise(2 * MIB))
    view = memoryview(buffer)
    Cutter(KEYS).cut(view, last=True)
    view.release()
    buffer.clear()  # BufferError if a chunk still held on to it


def test_an_insert_at_the_head_changes_at_most_two_chunks() -> None:
    def ids(data: bytes) -> set[bytes]:
        lengths = Cutter(KEYS).cut(memoryview(data), last=True)
        ends = accumulate(lengths)
        return {chunk_id(KEYS, data[e - n : e]) for n, e in zip(lengths, ends, strict=True)}

    before = noise(8 * MIB, "insert")
    old, new = ids(before), ids(b"!" + before)
    assert len(old) > 20
    assert 1 <= len(new - old) <= 2


def test_the_compiled_variant_is_here() -> None:
    require_compiled()


def test_the_slow_variant_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, "FastCDC", pyfastcdc.py.FastCDC)
    with pytest.raises(PlatformError, match=r"pyfastcdc.*pip install"):
        require_compiled()
