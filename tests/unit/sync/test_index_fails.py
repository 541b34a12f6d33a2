"""A folder whose index fails: nothing of what was decided goes out, the other folders go on, and it
is opened anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.errors import IndexFault, Stop, StopCause
from leftzmq.index.connection import index_failed
from leftzmq.sync import actions
from leftzmq.sync.facts import FolderStopped
from leftzmq.sync.folder import FolderState
from leftzmq.sync.jobs import Apply, OpenFolder, ReadPage, StageSmall
from tests.helpers.mesh import Device, Mesh
from tests.sim.index_trap import IndexTrap


@pytest.fixture
def trap() -> Iterator[IndexTrap]:
    with IndexTrap() as trap:
        yield trap


def stopped(device: Device) -> StopCause | None:
    stop = device.folder.stopped
    return None if stop is None else stop.cause


@pytest.mark.parametrize("fault", IndexFault)
def test_a_folder_whose_index_fails_rests_and_goes_on(
    mesh: Mesh, trap: IndexTrap, fault: IndexFault
) -> None:
    a, b = mesh.devices.values()
    trap.set(a.index_file, 2, fault, lasting=fault is not IndexFault.CORRUPT)
    b.write("of b", b"while it fails")
    b.scan()
    mesh.settle(1.0)
    assert stopped(a) is StopCause.INDEX and fault.value in a.folder.stopped_why
    assert not (a.share / "of b").exists()
    trap.clear(a.index_file)
    a.write("of a", b"it was written meanwhile")
    mesh.settle(90.0)
    assert stopped(a) is None and a.folder.state is FolderState.IDLE
    mesh.scan_all()
    mesh.settle()
    assert a.tree() == b.tree() and len(a.tree()) == 2


@pytest.mark.parametrize("number", range(4))
def test_nothing_that_was_not_committed_goes_out(mesh: Mesh, trap: IndexTrap, number: int) -> None:
    """The commit itself fails, after all was decided: one after the other of those of an edit."""
    a, b = mesh.devices.values()
    done: list[actions.Action] = []
    do = a.do
    a.do = lambda action: (done.append(action), do(action))[1]  # type: ignore[method-assign]
    commit = type(a.store).commit
    failing, left = a.store, number

    def fails() -> None:
        nonlocal left
        if failing._open or failing._changed:
            left -= 1
            if left < 0:
                done.clear()
                trap.set(a.index_file, 0, IndexFault.FULL)
        commit(failing)

    a.store.commit = fails  # type: ignore[method-assign]
    b.write("of b", b"bytes")
    b.scan()
    mesh.settle(1.0)
    if left >= 0:
        pytest.skip("it takes fewer commits")
    assert stopped(a) is StopCause.INDEX
    sent = [each for each in done if isinstance(each, actions.Work | actions.Publish)]
    jobs = [each.job for each in sent if isinstance(each, actions.Work)]
    assert not [job for job in jobs if isinstance(job, Apply | StageSmall | ReadPage)]
    assert len(jobs) == len(sent) and all(isinstance(job, OpenFolder) for job in jobs)
    mesh.settle(90.0)
    assert (a.share / "of b").read_bytes() == b"bytes"


def test_a_reader_in_a_worker_fails_as_the_loop_does(mesh: Mesh, trap: IndexTrap) -> None:
    a, b = mesh.devices.values()
    b.write("f", b"1")
    b.scan()
    mesh.settle()
    trap.set(a.index_file, 0, IndexFault.IO)
    a.scan()
    mesh.settle(1.0)
    assert stopped(a) is StopCause.INDEX
    mesh.settle(90.0)
    assert stopped(a) is None and a.tree() == b.tree()


def test_a_flush_that_fails_tells_nothing(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = mesh.devices.values()

    def no_room(self: Device, index: Path) -> None:
        raise trap_error(index)

    with monkeypatch.context() as planted:
        planted.setattr(Device, "make_durable", no_room)
        a.runner._make_durable = a.make_durable
        a.write("f", b"not durable")
        a.scan()
        mesh.settle(1.0)
        assert stopped(a) is StopCause.INDEX and not (b.share / "f").exists()
    a.runner._make_durable = a.make_durable
    mesh.settle(90.0)
    mesh.scan_all()
    mesh.settle()
    assert (b.share / "f").read_bytes() == b"not durable"


def trap_error(index: Path) -> Exception:
    return index_failed(IndexFault.FULL, index, "said by a test")


def test_a_stop_that_is_said_twice_counts_once(mesh: Mesh) -> None:
    a, _ = mesh.devices.values()
    for _ in range(2):
        a.take(FolderStopped("share", Stop(StopCause.INDEX, "because")))
    mesh.settle(90.0)
    assert stopped(a) is None
