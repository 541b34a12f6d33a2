"""What the guard holds, and what users let pass, when a folder is stopped and opened anew."""

from __future__ import annotations

import errno
import os

import pytest

from leftzmq.disk.staging import staging
from leftzmq.errors import ProblemKind, Stop, StopCause
from leftzmq.sync.facts import FolderStopped
from leftzmq.tree.accepted import NOTHING
from tests.helpers.mesh import Device, Mesh
from tests.unit.sync.guard.test_guard import _unguarded, ask, held, settle
from tests.unit.sync.guard.test_losses import LOST, empty, filled, spoil

pytestmark = pytest.mark.slow

CAUSES = [StopCause.SHARE_AWAY, StopCause.INDEX]


def open_anew(mesh: Mesh, device: Device, cause: StopCause) -> None:
    before = device.folder
    device.take(FolderStopped("share", Stop(cause, "for a moment")))
    settle(mesh)
    assert device.folder is not before and device.folder.stopped is None


@pytest.mark.parametrize("cause", CAUSES)
def test_what_is_held_stays_held_and_what_is_accepted_stays_so(
    mesh: Mesh, cause: StopCause
) -> None:
    a, b = filled(mesh)
    before = b.tree()
    spoil(a, empty)
    settle(mesh)
    open_anew(mesh, a, cause)
    assert held(a) == {"here": LOST} and b.tree() == before
    assert ask(mesh, a, "accept")["held"] == {"here": LOST}
    assert held(a) == held(b) == {} and a.tree() == b.tree() != before
    accepted = a.folder.index_view.accepted
    assert accepted != NOTHING and b.folder.index_view.accepted == accepted
    for device in (a, b):
        open_anew(mesh, device, cause)
        assert device.folder.index_view.accepted == accepted
    assert held(a) == held(b) == {} and a.tree() == b.tree()


@pytest.mark.parametrize("cause", CAUSES)
def test_what_others_did_stays_held(mesh: Mesh, cause: StopCause) -> None:
    a, b = filled(mesh)
    before = b.tree()
    a.folder.guard.on_paths_settled = _unguarded(a)  # type: ignore[method-assign]
    spoil(a, empty)
    settle(mesh)
    assert held(b) == {"elsewhere": LOST} and b.tree() == before
    open_anew(mesh, b, cause)
    assert held(b) == {"elsewhere": LOST} and b.tree() == before
    assert ask(mesh, b, "revert")["held"] == {"elsewhere": LOST}
    assert a.tree() == b.tree() and held(a) == held(b) == {}
    now = b.tree()
    assert not [path for path, what in before.items() if now.get(path) != what]


def test_a_large_file_that_cannot_be_read_when_it_is_whole_comes_later(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not looked at, so nobody can say that it is no noise."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    places = staging.places

    def sick(size: int) -> list[int]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(staging, "places", sick)
    a.write("f", os.urandom(2_000_000))
    a.scan()
    settle(mesh)
    assert not (b.share / "f").exists()
    assert [problem.kind for problem in b.folder.problems.all()] == [ProblemKind.UNWRITABLE]
    monkeypatch.setattr(staging, "places", places)
    settle(mesh)
    assert a.tree() == b.tree() and b.folder.problems.all() == []
