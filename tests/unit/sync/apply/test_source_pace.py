"""Who changes much rests between pieces of it while others change something, and not alone."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from leftzmq.sync.apply.source_pace import (
    ACTIVE_S,
    AFTERWARDS_S,
    OPERATIONS_ALONE,
    OPERATIONS_SHARED,
    REST,
    RESTS_FROM,
    WRITER_LANES,
    SourcePace,
    lane_of,
)
from leftzmq.sync.jobs import Apply, Job
from tests.helpers.mesh import Device, Mesh

FLOOD, EDIT = lane_of(1, b"flooder."), lane_of(2, b"editor..")


def test_alone_nobody_rests() -> None:
    source_pace = SourcePace()
    source_pace.began({FLOOD: OPERATIONS_ALONE}, 10.0)
    source_pace.batch_ended({FLOOD: OPERATIONS_ALONE}, 10.0, 10.4)
    assert not source_pace.resting(10.4) and source_pace.deadline() is None
    assert source_pace.operations(10.4) == OPERATIONS_ALONE


def test_while_another_one_edits_the_flood_rests_longer_than_it_worked() -> None:
    source_pace = SourcePace()
    source_pace.began({FLOOD: 100}, 10.0)
    source_pace.began({EDIT: 1}, 10.1)
    source_pace.batch_ended({EDIT: 1}, 10.1, 10.15)
    source_pace.batch_ended({FLOOD: 100}, 10.0, 10.5)
    assert source_pace.resting(10.5) == {FLOOD}
    rested = 10.5 + REST * (0.5 + 100 * AFTERWARDS_S)
    assert source_pace.deadline() == pytest.approx(rested)
    assert not source_pace.resting(rested + 0.001) and source_pace.deadline() is None
    assert source_pace.operations(rested) == OPERATIONS_SHARED


def test_what_follows_from_a_batch_counts_however_fast_the_disk_is() -> None:
    """Half a core at most: what an operation costs in all is never more than half of the time."""
    source_pace, now, done = SourcePace(), 10.0, 0
    while now < 20.0:
        source_pace.user_changed(now)
        count = source_pace.operations(now)
        source_pace.began({FLOOD: count}, now)
        source_pace.batch_ended({FLOOD: count}, now, now)
        done += count
        now = source_pace.deadline() or now
    assert done * AFTERWARDS_S < 0.51 * (now - 10.0)


def test_a_change_of_this_devices_user_counts_as_well() -> None:
    source_pace = SourcePace()
    source_pace.user_changed(10.0)
    source_pace.began({FLOOD: RESTS_FROM}, 10.0)
    source_pace.batch_ended({FLOOD: RESTS_FROM}, 10.0, 10.5)
    assert source_pace.resting(10.5) == {FLOOD}


def test_what_is_long_ago_counts_no_more() -> None:
    source_pace = SourcePace()
    source_pace.user_changed(10.0)
    later = 10.0 + ACTIVE_S
    source_pace.began({FLOOD: 100}, later)
    source_pace.batch_ended({FLOOD: 100}, later, later + 0.5)
    assert not source_pace.resting(later + 0.5)


def test_a_device_that_names_many_writers_has_so_many_lanes_and_no_more() -> None:
    lanes = {lane_of(4, number.to_bytes(8, "big")) for number in range(10 * WRITER_LANES)}
    assert len(lanes) == WRITER_LANES and {bit for bit, _ in lanes} == {4}


class Slow(Mesh):
    """`applied`: the paths of each of the applier's jobs of B. While it is slow they are carried
    out only by `go_on`."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.applied: list[list[str]] = []
        self.waiting: deque[tuple[Device, Apply]] = deque()
        self.is_slow = False

    def submit(self, device: Device, job: Job) -> None:  # type: ignore[override]
        if isinstance(job, Apply) and device.name == "B":
            self.applied.append([operation.entry.path for operation in job.operations])
        if isinstance(job, Apply) and self.is_slow:
            self.waiting.append((device, job))
        else:
            super().submit(device, job)

    def go_on(self) -> None:
        while self.waiting:
            super().submit(*self.waiting.popleft())
            self.settle(0.1)
        self.settle()


@pytest.mark.slow
def test_an_edit_told_by_who_tells_of_anothers_flood_too_does_not_wait_behind_it(
    tmp_path: Path,
) -> None:
    mesh, flood = Slow(tmp_path), 8 * OPERATIONS_ALONE
    a, b, c = mesh.devices.values()
    a.start()
    c.start()
    for number in range(flood):
        (c.share / f"flood {number}").mkdir()
    mesh.scan_all()
    mesh.settle()
    c.kill()
    (a.share / "the edit, last by name").mkdir()
    a.scan()
    mesh.settle()
    mesh.is_slow = True
    b.start()  # all it hears is told by A
    mesh.settle()
    mesh.go_on()
    assert len(b.tree()) == flood + 1 and len(mesh.applied) > 8
    at = [n for n, batch in enumerate(mesh.applied) if "the edit, last by name" in batch]
    assert at and at[0] < 4, ([len(b) for b in mesh.applied], at)
    for device in (a, b):
        device.end()


@pytest.mark.slow
def test_while_the_user_changes_something_what_comes_is_carried_out_in_short_pieces(
    tmp_path: Path,
) -> None:
    mesh, flood = Slow(tmp_path), 8 * OPERATIONS_ALONE
    mesh.begin()
    b, c = mesh.devices["B"], mesh.devices["C"]
    (b.share / "by the user of B").mkdir()
    b.scan()
    mesh.settle(1.0)
    for number in range(flood):
        (c.share / f"flood {number}").mkdir()
    c.scan()
    mesh.settle()
    assert len(b.tree()) == flood + 1
    assert max(map(len, mesh.applied)) == OPERATIONS_SHARED
    for device in mesh.devices.values():
        device.end()
