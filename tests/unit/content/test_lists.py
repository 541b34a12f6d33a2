"""Lists: what is built comes back, and no hostile list gets further than a sentence."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from leftzmq.content import lists
from leftzmq.content.cut import MAX_CHUNK_BYTES, Cutter
from leftzmq.content.ids import chunk_id, list_id
from leftzmq.content.keys import derive_keys
from leftzmq.content.lists import ROW_BYTES, Expansion, Listed, Rows, build, expand, pack_row
from leftzmq.errors import Refusal, Refused
from leftzmq.tree.entry import ContentId

KEYS = derive_keys(bytes(range(32)))
KIB = 1 << 10


def synthetic(count: int, length: int = 64 * KIB) -> bytes:
    """Rows of `count` chunks that differ in id and length."""
    return b"".join(
        pack_row(blake3(i.to_bytes(4, "big")).digest(), length + i) for i in range(count)
    )


def size_of(rows: bytes) -> int:
    return sum(int.from_bytes(rows[i + 32 : i + 36], "big") for i in range(0, len(rows), 36))


def whole(listed: Listed, size: int) -> Rows:
    found = expand(listed.content, listed.depth, size, dict(listed.lists).get)
    assert isinstance(found, Rows)
    return found


@contextmanager
def rows_per_list(count: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "MAX_LIST_BYTES", count * ROW_BYTES + 5)
        yield


def refused(content: bytes, depth: int, size: int, held: dict[bytes, bytes]) -> str:
    with pytest.raises(Refused) as caught:
        expand(ContentId(content), depth, size, held.get)
    assert caught.value.refusal is Refusal.BAD_LIST
    return caught.value.detail


def test_golden_content_id() -> None:
    data = blake3(b"leftzmq golden cuts").digest(5 << 20)
    lengths = Cutter(KEYS).cut(memoryview(data), last=True)
    ends = accumulate(lengths)
    rows = b"".join(
        pack_row(chunk_id(KEYS, data[e - n : e]), n) for n, e in zip(lengths, ends, strict=True)
    )
    listed = build(KEYS, rows)
    assert listed.depth == 1 and listed.lists == ((listed.content, rows),)
    assert listed.content.hex() == (
        "dcbbdf7f991f48f3f81c3d2e400418a7c80734994617f90370d8ab4edef0eb4b"
    )


def test_golden_content_id_of_two_levels() -> None:
    rows = synthetic(20_000)
    listed = build(KEYS, rows)
    assert listed.depth == 2
    assert [len(packed) for _, packed in listed.lists] == [14563 * 36, 5437 * 36, 2 * 36]
    assert listed.content.hex() == (
        "8fcbbfb83a90e4da282a8c4822bc91c340b8032258542e24e300fdf95c746550"
    )
    assert whole(listed, size_of(rows)).packed == rows


def test_one_row_more_than_a_list_holds() -> None:
    assert build(KEYS, synthetic(14563)).depth == 1
    assert build(KEYS, synthetic(14564)).depth == 2


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 120), st.integers(3, 9), st.integers(0, 5))
def test_what_is_built_comes_back(count: int, per_list: int, twins: int) -> None:
    rows = synthetic(count) + synthetic(per_list) * twins
    with rows_per_list(per_list):
        listed = build(KEYS, rows)
        assert all(list_id(KEYS, packed) == id for id, packed in listed.lists)
        assert listed.lists[-1][0] == listed.content
        assert len(dict(listed.lists)) == len(listed.lists)
        if listed.depth > 4:
            refused(listed.content, listed.depth, size_of(rows), dict(listed.lists))
        else:
            assert whole(listed, size_of(rows)).packed == rows


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.randoms(use_true_random=False))
def test_missing_lists_come_to_light_level_by_level(count: int, random: object) -> None:
    rows = synthetic(count)
    with rows_per_list(3 if count <= 80 else 9):
        listed = build(KEYS, rows)
        there, held = dict(listed.lists), {}
        asked: list[bytes] = []
        while isinstance(
            found := expand(listed.content, listed.depth, size_of(rows), held.get), list
        ):
            assert found and len(set(found)) == len(found) and not set(found) & set(held)
            some = random.sample(found, random.randint(1, len(found)))  # type: ignore[attr-defined]
            held |= {id: there[id] for id in some}
            asked += some
        assert found.packed == rows
        assert sorted(asked) == sorted(there)


def test_what_is_missing_is_named_in_order_and_as_far_as_it_is_known() -> None:
    rows = synthetic(27)
    with rows_per_list(3):
        listed = build(KEYS, rows)  # 9 lists of chunks, 3 of those, 1 on top
        names, all_lists = [id for id, _ in listed.lists], dict(listed.lists)
        size = size_of(rows)
        assert expand(listed.content, 3, size, {}.get) == [listed.content]
        held = {listed.content: all_lists[listed.content]}
        assert expand(listed.content, 3, size, held.get) == names[9:12]
        held[names[10]] = all_lists[names[10]]
        assert expand(listed.content, 3, size, held.get) == [names[9], names[11], *names[3:6]]


def test_rows() -> None:
    rows = Rows(synthetic(3, 1000) + synthetic(1, 7))
    assert len(rows) == 4 and rows.total == 1000 + 1001 + 1002 + 7
    assert [rows.length(i) for i in range(4)] == [1000, 1001, 1002, 7]
    assert [rows.offset(i) for i in range(4)] == [0, 1000, 2001, 3003]
    assert list(rows.ids()) == [rows.id(i) for i in range(4)]
    assert rows.id(0) == rows.id(3) == blake3(bytes(4)).digest() != rows.id(1)
    assert list(rows.find({rows.id(0), rows.id(2)})) == [0, 2, 3]
    assert list(rows.find({b"none"})) == []
    assert len(Rows(b"")) == Rows(b"").total == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.lists(st.integers(0, 4), max_size=40), st.integers(0, 3))
def test_rows_of_several_lists_are_those_of_one(step: int, ids: list[int], alike: int) -> None:
    packed = [pack_row(bytes([id]) * 32, 1000 + id) for id in [0] * alike * step + ids]
    one = Rows(b"".join(packed))
    some = Rows(*(b"".join(packed[at : at + step]) for at in range(0, len(packed), step)))
    assert len(some) == len(one) == len(packed) and some.total == one.total
    for row in range(len(one)):
        assert (some.id(row), some.length(row)) == (one.id(row), one.length(row))
        assert some.at(some.offset(row)) == row and some.offset(row) == one.offset(row)
        assert some.at(some.offset(row) + 1) is None
        assert list(some.ids(row, 5)) == list(one.ids())[row : row + 5]
    assert some.offset(len(some)) == some.total and some.at(some.total) is None
    assert list(some.find({bytes([1]) * 32})) == [i for i, id in enumerate(one.ids()) if id[0] == 1]
    assert expanded(some) == expanded(one) == first_and_later(one)


def expanded(rows: Rows) -> dict[int, list[int]]:
    expansion = Expansion(rows)
    while expansion.step():
        pass
    return {at: [row for run in runs for row in run] for at, runs in expansion.repeats.items()}


def first_and_later(rows: Rows) -> dict[int, list[int]]:
    by_id: dict[bytes, list[int]] = {}
    for row, id in enumerate(rows.ids()):
        by_id.setdefault(id, []).append(row)
    return {first: later for first, *later in by_id.values() if later}


def test_what_repeats_takes_a_bounded_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MAX_RUNS", 3)
    found = expanded(Rows(b"".join(pack_row(bytes([at % 2]) * 32, 1000) for at in range(9))))
    assert found == {0: [2, 4], 1: [3]}, "the others count as if each stood in one row"


def test_a_list_that_comes_again_takes_no_room() -> None:
    packed = pack_row(b"i" * 32, MAX_CHUNK_BYTES) * 14563
    tracemalloc.start()
    try:
        rows = expand(
            ContentId(b"t" * 32),
            2,
            288 * 14563 << 20,
            {b"t" * 32: pack_row(b"l" * 32, len(packed)) * 288, b"l" * 32: packed}.get,
        )
        assert isinstance(rows, Rows) and len(rows) == 288 * 14563
        assert len(expanded_runs(rows)) == 1
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def expanded_runs(rows: Rows) -> dict[int, tuple[range, ...]]:
    expansion = Expansion(rows)
    while expansion.step():
        pass
    return expansion.repeats


def test_chunks_that_the_cutter_does_not_make_are_refused() -> None:
    """Rows of one byte: a get for half a MiB of them would hold half a million."""
    least = pack_row(b"i" * 32, 64 * KIB)
    packed = least * 10 + pack_row(b"j" * 32, 1) + pack_row(b"k" * 32, MAX_CHUNK_BYTES)
    size = 10 * 64 * KIB + 1 + MAX_CHUNK_BYTES
    assert "not the last" in refused(b"c" * 32, 1, size, {b"c" * 32: packed})


def test_offsets_beyond_four_gibibytes() -> None:
    rows = synthetic(1, MAX_CHUNK_BYTES) * 5000
    listed = build(KEYS, rows)
    found = whole(listed, 5000 << 20)
    assert found.offset(4999) == 4999 << 20


ROW = pack_row(b"i" * 32, 300 * KIB)
SIZE = 300 * KIB


@pytest.mark.parametrize(
    ("packed", "size", "why"),
    [
        (b"", SIZE, "a list of 0 bytes"),
        (ROW[:-1], SIZE, "a list of 35 bytes"),
        (ROW + b"x", SIZE, "a list of 37 bytes"),
        (ROW * 14564, SIZE * 14564, "a list of 524304 bytes"),
        (pack_row(b"i" * 32, 0), SIZE, "rows of 0 to 0"),
        (ROW + pack_row(b"i" * 32, 0), SIZE, "rows of 0 to"),
        (pack_row(b"i" * 32, MAX_CHUNK_BYTES + 1), MAX_CHUNK_BYTES + 1, "to 1048577 bytes"),
        (pack_row(b"i" * 32, 2**32 - 1), 2**32 - 1, "to 4294967295 bytes"),
        (ROW, SIZE + 1, "listed"),
        (ROW, SIZE - 1, "listed"),
        (pack_row(b"i" * 32, 1) * 300, 300, "over 1 chunks"),
        (pack_row(b"i" * 32, 100) * 300, 30_000, "over 1 chunks"),
        (pack_row(b"i" * 32, 64 * KIB - 500) * 1000, 1000 * (64 * KIB - 500), "over 993 chunks"),
    ],
)
def test_malformed_lists(packed: bytes, size: int, why: str) -> None:
    assert why in refused(b"c" * 32, 1, size, {b"c" * 32: packed})


@pytest.mark.parametrize("depth", [-1, 0, 5, 2**40])
def test_depths_that_do_not_exist(depth: int) -> None:
    assert "depth" in refused(b"c" * 32, depth, SIZE, {b"c" * 32: ROW})


def test_only_the_last_chunk_may_be_short() -> None:
    least = pack_row(b"i" * 32, 64 * KIB)
    packed = least * 10 + pack_row(b"j" * 32, 1)
    size = 10 * 64 * KIB + 1
    assert isinstance(expand(ContentId(b"c" * 32), 1, size, {b"c" * 32: packed}.get), Rows)


def two_levels() -> tuple[Listed, dict[bytes, bytes], int]:
    rows = synthetic(20_000)
    listed = build(KEYS, rows)
    return listed, dict(listed.lists), size_of(rows)


def test_a_list_of_another_length_than_its_row_says() -> None:
    listed, held, size = two_levels()
    second = listed.lists[1][0]
    held[second] = held[second][:-36]
    assert "named as 195732" in refused(listed.content, 2, size, held)


def test_lists_that_build_would_not_make() -> None:
    listed, held, size = two_levels()
    top = held[listed.content]
    swapped = top[36:] + top[:36]
    assert "not full" in refused(b"c" * 32, 2, size, held | {b"c" * 32: swapped})
    lonely = pack_row(listed.content, 72)
    assert "names one list" in refused(b"c" * 32, 3, size, held | {b"c" * 32: lonely})
    too_long = top[:-4] + (524268 + 36).to_bytes(4, "big")
    assert "to 524304 bytes" in refused(b"c" * 32, 2, size, held | {b"c" * 32: too_long})


def test_a_wrong_depth_finds_no_rows() -> None:
    listed, held, size = two_levels()
    refused(listed.content, 1, size, held)
    refused(listed.content, 3, size, held)


def test_sizes_are_checked_before_anything_below_is_asked_for() -> None:
    listed, held, size = two_levels()
    top_only = {listed.content: held[listed.content]}
    assert isinstance(expand(listed.content, 2, size, top_only.get), list)
    refused(listed.content, 2, 14562 * 64 * KIB, top_only)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_a_bomb_of_repeating_lists_is_refused_before_it_unfolds(depth: int) -> None:
    held: dict[bytes, bytes] = {}
    name, length = b"i" * 32, MAX_CHUNK_BYTES
    for level in range(depth):
        packed = pack_row(name, length) * 14563
        name, length = bytes([level]) * 32, len(packed)
        held[name] = packed
    tracemalloc.start()
    try:
        assert "over 4194304 chunks" in refused(name, depth, 2**60, held)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_the_bound_on_chunks_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MAX_ROWS", 20)
    rows = pack_row(b"i" * 32, MAX_CHUNK_BYTES) * 21
    with rows_per_list(4):
        listed = build(KEYS, rows[:-36])
        assert len(whole(listed, 20 << 20)) == 20
        monkeypatch.setattr(lists, "MAX_ROWS", 19)
        refused(listed.content, listed.depth, 20 << 20, dict(listed.lists))
        with pytest.raises(AssertionError):
            build(KEYS, rows)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_lists_are_refused_or_add_up(data: st.DataObject) -> None:
    rows = synthetic(data.draw(st.integers(1, 30)))
    with rows_per_list(4):
        listed = build(KEYS, rows)
        held: dict[bytes, bytes] = dict(listed.lists)
        victim = data.draw(st.sampled_from(sorted(held)))
        packed = bytearray(held[victim])
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
        held[victim] = bytes(packed)
        try:
            found = expand(listed.content, listed.depth, size_of(rows), held.get)
        except Refused as refused:
            assert refused.refusal is Refusal.BAD_LIST
        else:
            assert isinstance(found, list) or found.total == size_of(rows)
