"""Single stories of the simulation: a device that is killed, or loses power, right at a call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.sync.jobs import Apply
from leftzmq.tree.conflict import is_conflict_name
from leftzmq.tree.entry import Kind
from tests.sim import laws
from tests.sim.fs import Crash
from tests.sim.ledger import content_of
from tests.sim.plan import settle
from tests.sim.world import Knobs, SimDevice, World

CALLS_AFTER = 8  # of the disk: a look, the naming, flushes


@pytest.fixture(params=((1, True), (2, True), (1, False)), ids=("1", "2", "no exchange"))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    seed, can_exchange = request.param
    world = World(seed, tmp_path, "AB", {("A", "B"), ("B", "A")}, Knobs())
    for device in world.devices.values():
        device.disk.can_exchange = can_exchange
        device.start()
    world.devices["A"].hands.write("f", b"draft")
    world.devices["A"].touched()
    settle(world)
    yield world
    for device in world.devices.values():
        if device.alive:
            device.kill()


def ends_after(device: SimDevice, first: str, calls: int, *, cut: bool) -> None:
    """The device ends before the call that comes so many after the `first` of its applier."""
    ended: list[str] = []

    def end() -> None:
        device.cut_power() if cut else device.kill()
        device.world.after(1.0, device.start)

    def crash(call: str, path: str) -> None:
        device.doom, device.calls.dead = end, True
        ended.append(call)
        raise Crash

    def watch(call: str, path: str) -> None:
        is_it = call == first and isinstance(device.job, Apply)
        device.set_trap(1 + calls if is_it else 1, crash if is_it else watch)

    device.set_trap(1, watch)


@pytest.mark.parametrize("cut", [False, True], ids=["killed", "power"])
@pytest.mark.parametrize("calls", range(CALLS_AFTER))
@pytest.mark.parametrize("by", ["file", "link"])
def test_a_copy_is_made_whenever_it_ends(world: World, by: str, calls: int, cut: bool) -> None:
    a, b = world.devices["A"], world.devices["B"]
    world.wires.cut.add(frozenset("AB"))
    world.wires.refresh()
    b.hands.write("f", b"of b")
    b.touched()
    world.run_until(world.now + 5.0)
    if by == "file":
        a.hands.write("f", b"of a")
    else:
        a.hands.delete("f")
        a.hands.make_link("f", b"of a")
    a.touched()
    world.run_until(world.now + 5.0)
    ends_after(b, "exchange" if by == "file" else "rename_new", calls, cut=cut)
    world.wires.cut.clear()
    world.wires.refresh()
    settle(world)
    assert b.starts == 2, "it did not end"
    for device in (a, b):
        found = {path: content_of(inode) for path, inode in device.hands.tree()}
        copies = [content for path, content in found.items() if is_conflict_name(path)]
        assert [bytes(content[1]) for content in copies if content] == [b"of b"], found
        assert not device.folder.problems.all()
    assert laws.tree_of(a) == laws.tree_of(b) and laws.tree_of(b)["f"][1] == b"of a"


@pytest.mark.parametrize("cut", [False, True], ids=["killed", "power"])
@pytest.mark.parametrize("calls", range(CALLS_AFTER))
def test_a_file_is_moved_whenever_it_ends(world: World, calls: int, cut: bool) -> None:
    a, b = world.devices["A"], world.devices["B"]
    a.hands.make_folder("d")
    a.hands.rename("f", "d/g")
    ends_after(b, "rename_new", calls, cut=cut)
    a.touched()
    settle(world)
    assert b.starts == 2, "it did not end"
    for device in (a, b):
        found = {path: content_of(inode) for path, inode in device.hands.tree()}
        assert found == {"d": None, "d/g": (Kind.FILE, b"draft")}
