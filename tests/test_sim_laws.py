"""What the laws of the simulation excuse, and that they excuse no more than that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sim import laws
from sim.disk import Disk
from sim.hands import Hands
from sim.ledger import Content, Ledger, content_of, is_in_tree
from sim.plan import settle
from sim.users import Users
from sim.world import Knobs, World
from test_sim_cuts import ends_after

from leftzmq.tree.entry import Kind

OF_B: Content = (Kind.FILE, b"of b")


@pytest.fixture(params=(1, 2, 3, 4))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    names = "ABC"
    dials = {(a, b) for a in names for b in names if a != b}
    world = World(request.param, tmp_path, names, dials, Knobs())
    yield world
    for device in world.devices.values():
        if device.alive:
            device.kill()


def users_of(world: World) -> tuple[Users, Ledger]:
    ledger = Ledger()
    world.look_after = laws.Witness(ledger).look_after
    for device in world.devices.values():
        device.start()
    settle(world)
    return Users(world, ledger, large=False), ledger


def cut(world: World, *pairs: str) -> None:
    """These alone do not hear each other from now on."""
    world.wires.cut.clear()
    world.wires.cut.update(frozenset(pair) for pair in pairs)
    world.wires.refresh()


def all_hold(world: World, ledger: Ledger) -> laws.Tree:
    tree = laws.converged(world, ledger)
    laws.nothing_lost(world, ledger, tree)
    laws.nothing_came_back(ledger, tree)
    laws.no_folder_came_back(world, ledger, tree)
    return tree


# ---- what is in a .lefting --------------------------------------------------------------------


def _disk() -> Hands:
    return Hands(Disk(lambda: 0))


def test_what_an_agent_was_fetching_is_not_what_a_user_still_has() -> None:
    hands, ledger = _disk(), Ledger()
    assert hands.disk.top is not None
    staged = hands.disk.make(Kind.FILE, 0o600, b"of b")
    hands.disk.change((hands.disk.top, b"f.lefting", staged))
    hands.write("g", b"of b")
    ledger.wrote(OF_B, "A", "g", 1.0)
    assert is_in_tree(hands, OF_B)
    hands.write("g", b"another")
    assert not is_in_tree(hands, OF_B)
    ledger.removed("g", OF_B, "A", 2.0, "overwritten", hands)
    assert ledger.values[OF_B].ended == "overwritten"


def test_an_old_version_that_lies_in_a_lefting_is_owed_a_name() -> None:
    hands, ledger = _disk(), Ledger()
    hands.write("f", b"of b")
    hands.hard_link("f", "g")
    hands.rename("f", "f.lefting")
    ledger.wrote(OF_B, "A", "f", 1.0)
    hands.delete("g")
    ledger.removed("g", OF_B, "A", 2.0, "deleted", hands)
    assert not ledger.values[OF_B].ended


@pytest.mark.parametrize("calls", (0, 1))
@pytest.mark.parametrize("deed", ("delete", "rename"))
def test_a_folder_goes_with_an_old_version_that_has_no_name_yet(
    world: World, deed: str, calls: int
) -> None:
    """B ends between the exchange and the naming of the copy, and its user takes the folder away.
    What he deletes with it he has deleted; what he moves lies there, and B says so."""
    users, ledger = users_of(world)
    a, b = world.devices["A"], world.devices["B"]
    a.hands.make_folder("d")
    users._write(a, "d/f", b"draft")
    a.touched()
    settle(world)
    cut(world, "AB", "BC")
    users._write(b, "d/f", b"of b")
    b.touched()
    world.run_until(world.now + 5.0)
    users._write(a, "d/f", b"of a")
    a.touched()
    world.run_until(world.now + 5.0)
    ends_after(b, "exchange", calls, cut=False)
    cut(world)
    while b.alive:
        world.run_until(world.now + 0.1)
    assert b.hands.at("d/f.lefting") is not None
    if deed == "delete":
        users._delete(b, "d")
        assert ledger.values[OF_B].ended
    else:
        users._rename(b, "d", "e")
        assert not ledger.values[OF_B].ended
    settle(world)
    tree = all_hold(world, ledger)
    if deed == "rename":
        lies = b.hands.at("e/f.lefting")
        assert lies is not None and content_of(lies) == OF_B
        ledger.adrift.clear()
        with pytest.raises(laws.Broken, match="I2"):
            laws.nothing_lost(world, ledger, tree)
