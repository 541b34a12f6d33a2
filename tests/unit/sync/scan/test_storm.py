"""Names that come and go faster than they can be looked at: a bound, and a walk for the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.sync.facts import PathsTouched, Touch
from leftzmq.sync.scan.look_queue import TOUCHED_PATHS_MAX
from tests.helpers.mesh import Mesh
from tests.sim.node import FOLDER


@pytest.mark.slow
def test_a_storm_of_names_is_noted_up_to_a_bound_and_hides_nothing(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    a.start()
    b.start()
    a.write("old", b"before")
    mesh.scan_all()
    mesh.settle()
    names = tuple((f"gone{number}", Touch.GONE) for number in range(2 * TOUCHED_PATHS_MAX))
    a.handle(PathsTouched(FOLDER, names))
    waits = len(a.folder.scheduler._look_queue.touched)
    assert waits == TOUCHED_PATHS_MAX
    a.write("new", b"among them")
    (a.share / "old").unlink()
    a.handle(PathsTouched(FOLDER, (("new", Touch.CLOSED), ("old", Touch.GONE))))
    mesh.settle()
    assert b.tree() == a.tree() and set(b.tree()) == {"new"}
