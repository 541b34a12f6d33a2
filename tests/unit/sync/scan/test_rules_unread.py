"""A file of rules that cannot be read for a while: what is new waits until it can be."""

from __future__ import annotations

import pytest

from leftzmq.sync.scan.read_retries import RETRY_S
from tests.sim.laws import tree_of
from tests.unit.sync.versions.test_local_changes import Make, does, live, make, together

__all__ = ["make"]


@pytest.mark.parametrize("folder", ["", "d/"])
def test_what_waits_for_rules_goes_on_although_no_stat_tells_that_they_can_be_read(
    make: Make, folder: str
) -> None:
    """The disk failed for a moment: the file has the stat again with which it was read before."""
    world = make("AB")
    a, b = world.devices.values()
    if folder:
        assert a.hands.make_folder("d")
    does(a, "write", f"{folder}.leftignore", b"*.tmp\n")
    together(world)
    rules = b.hands.at(f"{folder}.leftignore")
    assert rules is not None
    rules.closed = True
    b.scan()
    live(world, 2.0)
    does(b, "write", f"{folder}new", b"new")
    live(world, 2.0)
    assert f"{folder}new" not in tree_of(a), "nobody knows whether it is to be ignored"
    rules.closed = False
    live(world, 2 * RETRY_S)
    assert f"{folder}new" in tree_of(a)
    assert not b.folder.problems.all()
