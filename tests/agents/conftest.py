"""Machines that are typed to as a user types (`share`, `join`), and a stage of two agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leftzmq.cli.demo.stage import Stage
from tests.helpers.machines import Machine


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Callable[[str], Machine]]:
    made: list[Machine] = []

    def make(name: str) -> Machine:
        made.append(Machine(name, tmp_path))
        return made[-1]

    yield make
    for machine in made:
        machine.down()
        print(f"--- log of {machine.name}\n{machine.log()}")


@pytest.fixture
def a(machines: Callable[[str], Machine]) -> Machine:
    return machines("alpha")


@pytest.fixture
def b(machines: Callable[[str], Machine]) -> Machine:
    return machines("beta")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A and B, each with an agent that a test starts. A module that needs others has its own."""
    with Stage("AB", tmp_path / "stage") as stage:
        yield stage
        for actor in stage.actors:
            print(f"--- log of {actor.name}\n{actor.log_tail(60)}")
