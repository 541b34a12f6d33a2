"""Deletes of what a device never had are taken over, and told on, those below a folder first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.mesh import Device, Mesh


def told_gone(device: Device) -> dict[str, int]:
    """path -> the sequence under which its delete is told."""
    rows = device.folder.store.newest(10_000)
    return {row.entry.path: row.seq or 0 for row in rows if row.entry.deleted}


def assert_folders_are_last(at: dict[str, int]) -> None:
    for path, number in at.items():
        above = path.rpartition("/")[0]
        assert not above or at[above] > number, f"{above} is told before {path}"


@pytest.mark.slow
@pytest.mark.parametrize("folders", [3, 150])
def test_a_new_device_tells_a_folders_delete_after_those_below_it(
    tmp_path: Path, folders: int
) -> None:
    mesh = Mesh(tmp_path)
    a, b, c = mesh.devices.values()
    a.start()
    b.start()
    for number in range(folders):
        (a.share / f"t/d{number}/e").mkdir(parents=True)
    mesh.scan_all()
    mesh.settle()
    for number in range(folders):
        (a.share / f"t/d{number}/e").rmdir()
        (a.share / f"t/d{number}").rmdir()
    (a.share / "t").rmdir()
    a.scan()
    mesh.settle()
    assert not a.tree() and not b.tree()
    assert_folders_are_last(told_gone(a))
    assert_folders_are_last(told_gone(b))
    c.start_and_walk_last()
    mesh.settle()
    assert len(told_gone(c)) == 2 * folders + 1
    assert_folders_are_last(told_gone(c))
