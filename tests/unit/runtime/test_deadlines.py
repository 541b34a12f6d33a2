"""What the agent does when a time has come, each with a clock of the test."""

from __future__ import annotations

import math

from leftzmq.errors import PortTaken
from leftzmq.runtime.deadlines import (
    DOOR_AGAIN_S,
    DOOR_S,
    LOOK_PERIOD_S,
    MEMORY_CEILING_BYTES,
    MEMORY_CHECK_S,
    NOTICED_S,
    AddressLook,
    DoorAgain,
    MemoryCheck,
    SignalsHeard,
)

# -- signals --------------------------------------------------------------------------------------


def test_every_signal_wakes_the_loop() -> None:
    woken: list[str] = []
    signals = SignalsHeard(lambda: woken.append("woken"))
    signals.ignored("SIGUSR1")
    signals.read_peers()
    assert not signals.stopping
    signals.stop()
    assert signals.stopping and len(woken) == 3


def test_an_ignored_signal_is_reported_once_a_second_and_each_by_its_name() -> None:
    signals = SignalsHeard(lambda: None)
    for _ in range(3):
        signals.ignored("SIGUSR1")
    signals.ignored("SIGUSR2")
    assert sorted(signals.take_ignored(10.0)) == ["SIGUSR1", "SIGUSR2"]
    signals.ignored("SIGUSR1")
    assert signals.take_ignored(10.0 + NOTICED_S / 2) == []
    assert signals.take_ignored(10.0 + NOTICED_S) == [], "what was passed over is not kept"
    signals.ignored("SIGUSR1")
    assert signals.take_ignored(10.0 + NOTICED_S) == ["SIGUSR1"]


def test_peer_toml_is_read_once_a_second_however_often_it_is_asked_for() -> None:
    signals = SignalsHeard(lambda: None)
    assert signals.deadline() is None and not signals.take_read_peers(10.0)
    signals.read_peers()
    signals.read_peers()
    assert signals.take_read_peers(10.0) and not signals.take_read_peers(10.0)
    signals.read_peers()
    assert not signals.take_read_peers(10.0 + NOTICED_S / 2)
    assert signals.deadline() == 10.0 + NOTICED_S, "the loop comes by then"
    assert signals.take_read_peers(10.0 + NOTICED_S) and signals.deadline() is None


# -- the door -------------------------------------------------------------------------------------


class Port:
    """taken: another program has it. tried: how often it was asked for."""

    def __init__(self) -> None:
        self.taken, self.tried = True, 0

    def open(self) -> None:
        self.tried += 1
        if self.taken:
            raise PortTaken("tcp://0.0.0.0:7710")


def test_the_door_is_opened_once_at_a_start() -> None:
    port = Port()
    port.taken = False
    door = DoorAgain(port.open)
    assert door.tick(5.0) == [] and door.tick(500.0) == []
    assert port.tried == 1 and door.deadline() == math.inf


def test_a_port_that_is_taken_is_tried_again_and_nobody_hears_of_it() -> None:
    port = Port()
    door = DoorAgain(port.open)
    assert door.tick(5.0) == [] and door.deadline() == 5.0 + DOOR_AGAIN_S
    assert door.tick(5.0 + DOOR_AGAIN_S / 2) == [] and port.tried == 1
    port.taken = False
    assert door.tick(5.0 + DOOR_AGAIN_S) == [] and door.deadline() == math.inf


def test_a_port_that_stays_taken_is_told_once_and_tried_no_more() -> None:
    port = Port()
    door = DoorAgain(port.open)
    door.tick(5.0)
    (said,) = door.tick(5.0 + DOOR_S)
    assert said.startswith("the invitations that are open cannot be used: ")
    assert door.deadline() == math.inf and door.tick(500.0) == [] and port.tried == 2


# -- what nobody reports --------------------------------------------------------------------------


def test_addresses_are_told_at_first_and_when_they_are_others() -> None:
    found = ("tcp://192.168.1.2:7700",)
    look = AddressLook(lambda: found)
    assert look.tick(5.0) == found and look.deadline() == 5.0 + LOOK_PERIOD_S
    assert look.tick(5.0 + LOOK_PERIOD_S) is None, "they are the same"
    found = ("tcp://10.0.0.2:7700",)
    assert look.tick(6.0 + LOOK_PERIOD_S) is None, "it is not looked yet"
    assert look.tick(5.0 + 2 * LOOK_PERIOD_S) == found


def test_no_address_at_all_is_told_too() -> None:
    assert AddressLook(tuple).tick(5.0) == ()


class Memory:
    """used: bytes; free: what malloc gives back; did: what was done, in order."""

    def __init__(self, used: int, free: int = 0) -> None:
        self.bytes, self.free = used, free
        self.did: list[str] = []
        self.check = MemoryCheck(lambda: self.did.append("rebind"), self.used, self.trim)

    def used(self) -> int:
        return self.bytes

    def trim(self) -> None:
        self.did.append("trim")
        self.bytes -= self.free


def test_memory_below_the_ceiling_is_left_alone() -> None:
    memory = Memory(MEMORY_CEILING_BYTES)
    assert memory.check.tick(5.0) == [] and memory.did == []


def test_malloc_gives_back_first_and_only_then_are_sockets_bound_anew() -> None:
    memory = Memory(MEMORY_CEILING_BYTES + 1, free=1)
    assert memory.check.tick(5.0) == [] and memory.did == ["trim"]
    memory.bytes += 5 << 20
    assert memory.check.tick(5.0 + MEMORY_CHECK_S / 2) == [], "it is not looked yet"
    memory.free = 0
    (said,) = memory.check.tick(5.0 + MEMORY_CHECK_S)
    assert said == "1029 MiB in memory: the sockets were bound anew"
    assert memory.did == ["trim", "trim", "rebind"]
