"""The law of `why` by hand: which differences need a reason, and what each mistake is caught by.

Every seed of the simulation is judged by this law when all is at rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leftzmq.sync.admin.why import here as heres
from leftzmq.sync.admin.why.known import PathKnown
from leftzmq.sync.admin.why.reasons import Because, WhyNot, because
from leftzmq.tree.mode import FolderMode
from tests.sim import why_laws
from tests.sim.laws import Broken
from tests.sim.plan import settle
from tests.sim.world import Knobs, SimDevice, World

Question = Callable[[PathKnown], Because | None]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    names = "ABC"
    world = World(1, tmp_path, names, {(a, b) for a in names for b in names if a < b}, Knobs())
    world.devices["C"].mode = FolderMode.RECEIVE
    for device in world.devices.values():
        device.start()
    world.run_until(world.now + 5.0)
    yield world
    for device in world.devices.values():
        if device.alive:
            device.end()


def write(device: SimDevice, path: str, text: str) -> None:
    device.hands.make_folders(path.rpartition("/")[0])
    assert device.hands.write(path, text.encode())
    device.scan()


def rest(world: World) -> None:
    settle(world, lambda world: not world.wires.flying)


def reasons(world: World, path: str) -> dict[str, WhyNot]:
    return {device.name: heres.here(why_laws.asked(device, path)).why for device in world.alive}


def without(monkeypatch: pytest.MonkeyPatch, *left_out: Question) -> None:
    kept = tuple(each for each in heres._QUESTIONS if each not in left_out)
    monkeypatch.setattr(heres, "_QUESTIONS", kept)


def is_broken(world: World, said: str) -> None:
    with pytest.raises(Broken, match=said) as caught:
        why_laws.judge(world)
    assert caught.value.law == "why"


def test_what_is_private_has_its_reason_where_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _, c = world.devices.values()
    write(a, "x", "A's")
    write(a, "y", "A's")
    rest(world)
    write(c, "x", "C's own")
    assert c.hands.delete("y")
    c.scan()
    rest(world)
    same, private = WhyNot.SAME, WhyNot.RECEIVES_ONLY
    for path in ("x", "y"):
        assert reasons(world, path) == {"A": same, "B": same, "C": private}
    why_laws.judge(world)
    without(monkeypatch, heres._own)
    is_broken(world, "A and C have not the same at x: A says 'same', C says 'same'")


def test_what_each_ignores_has_its_reason_on_each(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _ = world.devices.values()
    for device in (a, b):
        device.tune_ignore(("*.o",))
    rest(world)
    write(a, "x.o", "A's")
    write(b, "x.o", "B's")
    rest(world)
    found = reasons(world, "x.o")
    assert found == {"A": WhyNot.IGNORED, "B": WhyNot.IGNORED, "C": WhyNot.UNKNOWN}
    why_laws.judge(world)
    without(monkeypatch, heres._not_kept, heres._lies_otherwise)
    is_broken(world, "A and B have not the same at x.o")


def test_what_is_equal_everywhere_has_no_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(world.devices["A"], "d/x", "A's")
    rest(world)
    why_laws.judge(world)
    monkeypatch.setattr(heres, "_QUESTIONS", (lambda known: because(WhyNot.NOT_LOOKED_AT),))
    is_broken(world, "all have the same at d, and A says 'not looked at yet'")
