"""Registers of modes by themselves: which one holds, and what a change makes of one."""

from __future__ import annotations

import pytest

from leftzmq.tree.attributes import Attributes
from leftzmq.tree.permissions import (
    MAX_NUMBER_LEAP,
    RUN_BITS,
    ModesKept,
    Permissions,
    changed,
    higher,
)
from tests.helpers.trees import deleted, file, life, made

A, B = life("a"), life("b")
ALL, EXEC, NONE = ModesKept.ALL, ModesKept.EXEC, ModesKept.NONE


@pytest.mark.parametrize(
    ("lower", "higher_one"),
    [
        (Permissions(1, B, 0o777), Permissions(2, A, 0o400)),
        (Permissions(1, A, 0o777), Permissions(1, B, 0o400)),
        (Permissions(1, A, 0o111, RUN_BITS), Permissions(1, A, 0o400)),
        (Permissions(1, A, 0o400), Permissions(1, A, 0o777)),
    ],
    ids=["number", "writer", "mask", "bits"],
)
def test_the_higher_one_holds_whichever_comes_first(
    lower: Permissions, higher_one: Permissions
) -> None:
    assert higher(lower, higher_one) is higher(higher_one, lower) is higher_one
    assert higher(None, lower) is higher(lower, None) is lower


@pytest.mark.parametrize(
    ("before", "mode", "kept", "after"),
    [
        (None, 0o640, ALL, Permissions(1, B, 0o640)),
        (Permissions(4, A, 0o644), 0o600, ALL, Permissions(5, B, 0o600)),
        (Permissions(4, A, 0o111, RUN_BITS), 0o640, ALL, Permissions(5, B, 0o640)),
        (None, 0o755, EXEC, Permissions(1, B, RUN_BITS, RUN_BITS)),
        (None, 0o644, EXEC, Permissions(1, B, 0, RUN_BITS)),
        (Permissions(4, A, 0o640), 0o777, EXEC, Permissions(5, B, 0o750)),
        (Permissions(4, A, 0o750), 0o666, EXEC, Permissions(5, B, 0o640)),
        (Permissions(4, A, 0, RUN_BITS), 0o700, EXEC, Permissions(5, B, RUN_BITS, RUN_BITS)),
    ],
)
def test_a_change_is_one_above(
    before: Permissions | None, mode: int, kept: ModesKept, after: Permissions
) -> None:
    """Who keeps x alone leaves the other bits as they are."""
    assert changed(before, B, mode, kept) == after


@pytest.mark.parametrize("number", [1, 258, 2**53])
def test_it_is_packed_and_unpacked(number: int) -> None:
    said = Permissions(number, B, 0o640)
    assert Permissions.unpack(said.pack()) == said and len(said.pack()) == 24


def test_a_leap_is_counted_from_ours() -> None:
    far = Permissions(MAX_NUMBER_LEAP + 2, A, 0o644)
    assert far.leaps(None) and far.leaps(Permissions(1, A, 0o644))
    assert not far.leaps(Permissions(2, A, 0o644))


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        (Attributes(1, True, 0o755), Attributes(1, True, 0o755), {ALL, EXEC, NONE}),
        (Attributes(1, True, 0o755), Attributes(1, True, 0o700), {EXEC, NONE}),
        (Attributes(1, True, 0o755), Attributes(1, False, 0o644), {NONE}),
        (Attributes(1, True, 0o755), Attributes(1, True), {ALL, EXEC, NONE}),
        (Attributes(1, True, 0o755), Attributes(2, True, 0o755), set()),
    ],
)
def test_a_device_compares_what_it_keeps(
    one: Attributes, other: Attributes, agree: set[ModesKept]
) -> None:
    assert {kept for kept in ModesKept if one.agrees(other, kept)} == agree
    assert {kept for kept in ModesKept if other.agrees(one, kept)} == agree


def test_less_is_kept_where_two_say_it() -> None:
    assert ALL.least(EXEC) is EXEC and EXEC.least(NONE) is NONE and ALL.least(ALL) is ALL


def test_of_one_version_the_one_with_the_higher_register_ranks_higher() -> None:
    version = made("a", file())
    once, twice = Permissions(1, A, 0o777), Permissions(2, A, 0o400)
    first, second = version.with_register(once), version.with_register(twice)
    assert version.rank < first.rank < second.rank < made("b", file(mtime=11)).rank
    assert first.same_content(second) and first.with_higher(second) == second
    assert second.with_higher(first) is second


def test_what_was_deleted_keeps_its_register() -> None:
    version = made("a", file()).with_register(Permissions(3, A, 0o600))
    assert deleted("b", version).permissions == version.permissions
