"""Every fact goes to a machine, every job has a handler, and handlers are called alike."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

from leftzmq.sync import jobs
from leftzmq.sync.facts import Fact
from leftzmq.work.runner import _HANDLERS
from tests.helpers.mesh import Mesh

SYNC = Path(__file__).parents[2] / "leftzmq" / "sync"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()


def test_every_fact_goes_to_a_machine(mesh: Mesh) -> None:
    routes = mesh.devices["A"].node._routes
    assert set(routes._handlers) == set(get_args(Fact))


def test_every_job_has_a_handler() -> None:
    elsewhere = {jobs.OpenFolder}  # it has no folder yet that a handler could be given
    assert set(_HANDLERS) | elsewhere == set(get_args(jobs.Job))


def test_every_handler_is_named_after_its_fact_and_is_called_alike() -> None:
    """on_<fact>(fact, now), and what else it needs after that."""
    facts = {_snake(kind.__name__): kind.__name__ for kind in get_args(Fact)}
    wrong, seen = [], 0
    for file in SYNC.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.FunctionDef) and re.match("_?on_", node.name)):
                continue
            names = [argument.arg for argument in node.args.args if argument.arg != "self"]
            here = f"{file.relative_to(SYNC)}:{node.lineno}: {node.name}({', '.join(names)})"
            if "fact" not in names:
                continue
            seen += 1
            at = names.index("fact")
            kind = ast.unparse(node.args.args[len(node.args.args) - len(names) + at].annotation)  # type: ignore[arg-type]
            named = facts.get(node.name.lstrip("_").removeprefix("on_"))
            if names[at + 1 : at + 2] != ["now"] or named not in (kind, None):
                wrong.append(here)
    assert seen > 80
    assert not wrong, "\n".join(wrong)
