"""Every transition table is total, reaches all of its states, and is drawn as it is."""

from __future__ import annotations

import ast
import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
STATES = ("stage", "phase", "state", "_state")


def _draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_states", ROOT / "docs/states/draw.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DRAW = _draw()


def test_the_pictures_are_current() -> None:
    assert DRAW.PAGE.read_text() == DRAW.page(), "run: python docs/states/draw.py"


@pytest.mark.parametrize("machine", DRAW.MACHINES, ids=lambda machine: machine.title)
def test_a_table_is_total_and_reaches_every_state(machine: DRAW.Machine) -> None:  # type: ignore[name-defined]
    states = set(type(machine.start))
    moves = {type(move) for _, move in machine.moves}
    assert len(moves) == 1
    assert set(machine.moves) == set(itertools.product(states, *moves))
    reached, front = set(), {machine.start}
    while front:
        reached |= front
        front = {after for (state, _), after in machine.moves.items() if state in front} - reached
    assert reached == states


def test_every_table_of_moves_is_drawn() -> None:
    """A module with a MOVES table is named on the page."""
    named = {machine.module for machine in DRAW.MACHINES}
    found = set()
    for file in (ROOT / "leftzmq").rglob("*.py"):
        text = file.read_text()
        for node in ast.parse(text).body if "MOVES" in text else ():
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "MOVES":
                found.add(str(file.relative_to(ROOT)))
    assert found == named


def test_a_state_is_set_by_its_owner_alone() -> None:
    """`x.stage = ...` and the like stand in the modules of the tables, nowhere else."""
    owners = {machine.module for machine in DRAW.MACHINES} | {"leftzmq/sync/guard/threshold.py"}
    strangers = []
    machines = [*(ROOT / "leftzmq/sync").rglob("*.py"), *(ROOT / "leftzmq/transport").rglob("*.py")]
    for file in machines:
        here = str(file.relative_to(ROOT))
        text = file.read_text()
        if not any(f".{state}" in text for state in STATES):
            continue
        for node in ast.walk(ast.parse(text)):
            is_set = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            if is_set and node.attr in STATES and here not in owners:
                strangers.append(f"{here}:{node.lineno}: {ast.unparse(node)}")
    assert not strangers, "\n".join(strangers)
