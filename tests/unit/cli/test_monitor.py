"""What a monitor shows: every event once, in order, and a word where some are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from leftzmq.cli.monitor import Tail
from leftzmq.errors import AgentAway
from leftzmq.runtime.event_log import KEPT_BYTES, KEPT_EVENTS, EventLog
from leftzmq.wire.local import Event, EventKind, packed_bytes


class Agent:
    """An agent with a chronicle; `tell` makes an event."""

    def __init__(self, began: float = 100.0) -> None:
        self.event_log, self.clock = EventLog(began), began

    def tell(self) -> Event:
        self.clock += 1.0
        return self.event_log.note(EventKind.SCAN, {"folder": "share"}, self.clock)


def tail(agent: list[Agent], heard: list[Event | None]) -> tuple[list[int], list[str]]:
    said: list[str] = []

    def ask(after: int) -> dict[str, Any]:
        if not agent:
            raise AgentAway("no agent runs on this state directory")
        return agent[0].event_log.reply(after)

    return [event.number for event in Tail(ask, said.append).follow(heard)], said


def test_what_happened_before_it_came_is_shown_first() -> None:
    agent = Agent()
    before = [agent.tell() for _ in range(3)]
    agent_later = [before[-1], None]
    assert tail([agent], agent_later) == ([1, 2, 3], [])


def test_only_the_last_events_are_kept() -> None:
    agent = Agent()
    for _ in range(KEPT_EVENTS + 5):
        agent.tell()
    shown, said = tail([agent], [])
    assert shown == list(range(6, KEPT_EVENTS + 6)) and not said


@pytest.mark.slow
def test_what_is_kept_fits_an_answer_however_long_the_events_are() -> None:
    agent = Agent()
    for _ in range(2 * KEPT_EVENTS):
        agent.event_log.note(EventKind.PROBLEM, {"text": "\udce9" * 60_000}, 1.0)
    reply = agent.event_log.reply(0)
    assert packed_bytes(reply) <= KEPT_BYTES + (64 << 10)
    assert reply["events"][-1][1] == 2 * KEPT_EVENTS
    for _ in range(2 * KEPT_EVENTS):
        agent.tell()
    assert len(agent.event_log.reply(0)["events"]) == KEPT_EVENTS


def test_a_gap_is_asked_for_and_what_is_forgotten_is_said() -> None:
    agent = Agent()
    first = agent.tell()

    def heard() -> Any:
        yield first
        for _ in range(4):
            last = agent.tell()
        yield last
        for _ in range(KEPT_EVENTS + 7):
            last = agent.tell()
        yield last

    said: list[str] = []
    numbers = [e.number for e in Tail(agent.event_log.reply, said.append).follow(heard())]
    assert numbers[:5] == [1, 2, 3, 4, 5] and numbers[-1] == KEPT_EVENTS + 12
    assert numbers == sorted(set(numbers)) and said == ["7 events were missed"]


def test_an_agent_that_was_started_again_begins_anew() -> None:
    agents = [Agent()]
    old = [agents[0].tell() for _ in range(3)]

    def heard() -> Any:
        yield old[-1]
        agents[0] = Agent(began=200.0)
        agents[0].tell()
        yield agents[0].tell()
        agents[0] = Agent(began=300.0)
        for _ in range(5):
            last = agents[0].tell()
        yield last

    said: list[str] = []
    numbers = [
        event.number
        for event in Tail(lambda after: agents[0].event_log.reply(after), said.append).follow(
            heard()
        )
    ]
    assert numbers == [1, 2, 3, 1, 2, 1, 2, 3, 4, 5]
    assert said == ["the agent was started again"] * 2


def test_without_an_agent_it_waits_and_says_so() -> None:
    agent = Agent()
    assert tail([], [None, agent.tell()]) == (
        [1],
        ["no agent runs on this state directory; waiting for it"],
    )


def test_another_run_whose_numbers_go_on_by_chance_is_seen_as_one() -> None:
    """It was started again while the monitor heard nothing, and has told as much as the first."""
    first, second = Agent(100.0), Agent(200.0)
    heard = [first.tell() for _ in range(3)]
    agent = [first]
    said: list[str] = []

    def ask(after: int) -> dict[str, Any]:
        return agent[0].event_log.reply(after)

    def events() -> Iterator[Event | None]:
        yield from heard
        agent[0] = second
        told = [second.tell() for _ in range(4)]
        yield told[-1]  # number 4, after 3: those before it came while nobody was connected

    shown = [(event.began, event.number) for event in Tail(ask, said.append).follow(events())]
    assert shown == [(100.0, n) for n in (1, 2, 3)] + [(200.0, n) for n in (1, 2, 3, 4)]
    assert said == ["the agent was started again"]


def test_a_run_that_is_over_before_it_could_be_asked_is_said_to_be_missed() -> None:
    agent = Agent(200.0)
    told = [agent.tell() for _ in range(3)]
    assert tail([], [told[-1]])[1][-1] == "2 events were missed"
