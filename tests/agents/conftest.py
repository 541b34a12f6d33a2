"""Machines for the tests of real agents that are typed to as a user types: `share`, `join`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
