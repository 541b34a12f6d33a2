"""Peers that are added and removed while an agent runs: what is known of them, and what is left."""

from __future__ import annotations

from leftzmq.errors import Away
from leftzmq.sync.facts import DialFailed, PeerListed, PeerUnlisted
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.greeting import LISTS_US_S
from leftzmq.wire.local import EventKind
from tests.sim.laws import tree_of
from tests.sim.world import SimDevice
from tests.unit.sync.versions.test_local_changes import Make, does, live, make, together

__all__ = ["make"]


def unlist(device: SimDevice, other: SimDevice) -> None:
    device.unlist_peer(other)
    live(device.world, 3.0)


def test_what_only_a_removed_device_has_is_no_ticket_any_more(make: Make) -> None:
    world = make("AB")
    a, b = world.devices.values()
    together(world)
    a.disk.size_bytes = 0  # A has no room for what it hears of
    does(b, "write", "large", b"x" * 100_000)
    live(world, 5.0)
    assert a.folder.index_view.counters.tickets == 1
    unlist(a, b)
    assert a.folder.index_view.counters.tickets == 0
    assert b.key not in a.agents.by_key
    assert a.store.heads.head_of(b.key).mask == 0 and not a.store.heads.swept_keys()
    assert a.folder.state.value == "alone"


def test_a_device_that_is_added_again_is_heard_from_the_beginning(make: Make) -> None:
    world = make("AB")
    a, b = world.devices.values()
    does(a, "write", "old", b"old")
    together(world)
    unlist(a, b)
    does(b, "write", "of B", b"b")
    does(a, "write", "of A", b"a")
    assert b.hands.delete("old")
    b.touched()
    live(world, 20.0)
    assert sorted(tree_of(a)) == ["of A", "old"]
    a.list_peer(b)
    assert sorted(together(world)) == ["of A", "of B"]


def test_a_problem_that_names_a_device_goes_with_it(make: Make) -> None:
    """It would be shown for ever: nothing that the device says clears it any more."""
    world = make("AB")
    a, b = world.devices.values()
    together(world)
    clone = world.clone(b, fresh=True)
    live(world, 40.0)
    assert [problem.device for problem in a.folder.problems.all()] == ["B"]
    unlist(a, b)
    assert not a.folder.problems.all()
    world.clone_ends(b, clone)


def test_a_stranger_or_a_listed_device_may_be_named_twice(make: Make) -> None:
    a = make("AB").devices["A"]
    nobody = DeviceKey(b"n" * 32)
    a.take(PeerUnlisted(nobody))
    a.take(PeerListed(nobody, "n", dials=False))
    a.take(PeerListed(nobody, "n", dials=False))
    assert a.agents.name(nobody) == "n" and a.agents.by_key[nobody].away_why
    a.take(PeerUnlisted(nobody))
    a.take(PeerUnlisted(nobody))
    assert nobody not in a.agents.by_key


def test_a_device_that_was_just_paired_may_refuse_us_for_a_moment(make: Make) -> None:
    """Each lists the other one, and one of them is first: nobody is to be alarmed by that."""
    world = make("AB")
    a = world.devices["A"]
    together(world)
    key = DeviceKey(b"n" * 32)
    a.take(PeerListed(key, "new", dials=True, text="new"))

    def told(away: Away) -> bool:
        before = len(a.events)
        a.take(DialFailed(key, "why", away))
        assert a.agents.by_key[key].away is away, "status says so at once"
        return any(each.kind is EventKind.PEER_DOWN for each in a.events[before:])

    assert not told(Away.REFUSED_OUR_KEY)
    assert told(Away.NOBODY_ANSWERS), "that has nothing to do with it"
    live(world, LISTS_US_S)
    assert told(Away.REFUSED_OUR_KEY)
