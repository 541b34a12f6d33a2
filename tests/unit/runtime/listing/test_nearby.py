"""Which devices are near, by what agents in the network announce."""

from __future__ import annotations

from collections.abc import Callable

from leftzmq.config import Endpoint
from leftzmq.content.keys import local_mark
from leftzmq.runtime.listing.nearby import MOST_AROUND, MOST_HEARD, Nearby
from leftzmq.transport.local_network.neighbours import HeardAgent

B, C = b"b" * 32, b"c" * 32


def place(number: int) -> Endpoint:
    return Endpoint(f"192.168.{number // 250}.{number % 250 + 1}", 7700)


def agent(name: str, device: bytes, *numbers: int) -> HeardAgent:
    salt = name.encode()
    return HeardAgent(name, salt, local_mark(salt, device), tuple(map(place, numbers)))


class Network:
    """open: how many announcements of this agent are out; woken: how often the loop was."""

    def __init__(self, *, is_there: bool = True) -> None:
        self.open = self.woken = 0
        self.is_there = is_there
        self.hear: Callable[[HeardAgent], None] = lambda agent: None
        self.nearby = Nearby(self._announce, self._wake)

    def _announce(self, heard: Callable[[HeardAgent], None]) -> Network | None:
        assert self.open == 0, "the last announcement is over"
        if not self.is_there:
            return None
        self.open, self.hear = 1, heard
        return self

    def close(self) -> None:
        self.open -= 1

    def _wake(self) -> None:
        self.woken += 1


def test_who_is_heard_wakes_the_loop_and_is_near_when_it_was_taken_in() -> None:
    network = Network()
    network.nearby.meet()
    network.hear(agent("one", B, 1))
    assert network.woken == 1 and network.nearby.places_of(B) == ()
    assert network.nearby.take() and not network.nearby.take()
    assert network.nearby.places_of(B) == (place(1),) and network.nearby.places_of(C) == ()


def test_it_is_announced_once_in_each_network_and_no_more_at_the_end() -> None:
    network = Network()
    network.nearby.meet()
    network.nearby.meet()
    assert network.open == 1
    network.nearby.close()
    network.nearby.close()
    assert network.open == 0


def test_where_nothing_can_be_announced_nothing_is_heard() -> None:
    network = Network(is_there=False)
    network.nearby.meet()
    network.nearby.close()
    assert not network.nearby.take()


def test_of_a_device_the_last_places_are_known_latest_last() -> None:
    network = Network()
    network.nearby.meet()
    for number in range(MOST_HEARD + 2):
        network.hear(agent(f"b{number}", B, number))
    network.nearby.take()
    last = tuple(place(number) for number in range(2, MOST_HEARD + 2))
    assert network.nearby.places_of(B) == last
    network.hear(agent(f"b{MOST_HEARD + 1}", B, MOST_HEARD + 1))
    network.nearby.take()
    assert network.nearby.places_of(B) == last, "who announces itself once more is where it was"


def test_of_too_many_the_one_that_was_silent_longest_is_forgotten() -> None:
    network = Network()
    network.nearby.meet()
    network.hear(agent("first", B, 1))
    network.hear(agent("second", C, 2))
    network.hear(agent("first", B, 1))
    for number in range(MOST_AROUND - 1):
        network.hear(agent(f"other{number}", b"o" * 32, 3 + number))
    network.nearby.take()
    assert network.nearby.places_of(B) == (place(1),) and network.nearby.places_of(C) == ()
