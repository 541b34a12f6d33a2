"""When a file is lost although something is at its path, and which versions users let pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leftzmq.tree.accepted import MAX_RANGES, Accepted
from leftzmq.tree.entry import Kind
from leftzmq.tree.loss import loses
from leftzmq.tree.version import Life, birth
from tests.helpers.trees import file, life, made


@pytest.mark.parametrize(
    ("before", "kind", "size", "deleted", "lost"),
    [
        (0, Kind.FILE, 0, True, True),
        (9, Kind.SYMLINK, 0, False, True),
        (9, Kind.DIRECTORY, 0, False, True),
        (0, Kind.FILE, 0, False, False),
        (1, Kind.FILE, 0, False, True),
        (16, Kind.FILE, 1, False, False),
        (17, Kind.FILE, 16, False, True),
        (17, Kind.FILE, 17, False, False),
        (4095, Kind.FILE, 17, False, False),
        (1 << 20, Kind.FILE, 4095, False, True),
        (1 << 20, Kind.FILE, 4096, False, False),
        (100, Kind.FILE, 1 << 20, False, False),
    ],
)
def test_what_loses_a_file(before: int, kind: Kind, size: int, deleted: bool, lost: bool) -> None:
    assert loses(before, kind, size, deleted=deleted) is lost


LIVES = [Life(bytes([n]) * 4 + (1000 + n).to_bytes(4, "big") + bytes(4)) for n in range(3)]
RANGES = st.lists(
    st.builds(
        lambda life, low, more: Accepted(((life, low, low + more),)),
        st.sampled_from(LIVES),
        st.integers(1, 40),
        st.integers(0, 10),
    ),
    max_size=12,
)


def _all(parts: list[Accepted]) -> Accepted:
    whole = Accepted()
    for part in parts:
        whole = whole.joined(part)
    return whole


@given(RANGES, st.randoms())
def test_joining_is_a_set(parts: list[Accepted], chance: object) -> None:
    whole = _all(parts)
    shuffled = list(parts) * 2
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _all(shuffled) == whole and all(whole.includes(part) for part in parts)
    said = {
        (life, n) for part in parts for life, low, end in part.ranges for n in range(low, end + 1)
    }
    assert {(life, n) for life, low, end in whole.ranges for n in range(low, end + 1)} == said
    assert list(whole.ranges) == sorted(whole.ranges)
    assert Accepted.unpack(whole.pack()) == whole


def test_only_so_many_ranges_are_kept_those_of_the_youngest() -> None:
    lives = [Life(bytes(4) + n.to_bytes(4, "big") + bytes(4)) for n in range(100)]
    whole = _all([Accepted(((each, 1, 2),)) for each in lives])
    assert len(whole.ranges) == MAX_RANGES
    assert min(birth(each) for each, _, _ in whole.ranges) == 100 - MAX_RANGES


def test_what_is_covered_and_told() -> None:
    entry = made("a", file("x"))
    accepted = Accepted(((life("a"), 1, 5), (life("b"), 3, 9)))
    assert accepted.covers(entry) is (entry.counter <= 5)
    assert not Accepted(((life("b"), 1, 99),)).covers(entry)
    assert accepted.upto(life("b"), 4).ranges == ((life("a"), 1, 5), (life("b"), 3, 4))
    assert accepted.upto(life("b"), 2).ranges == ((life("a"), 1, 5),)
