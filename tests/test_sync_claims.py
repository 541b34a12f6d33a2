"""Settler and applier at the same path: what one saw before the other began counts for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from mesh import Device, Mesh
from test_sync_mesh import together, trash
from trees import deleted

from leftzmq.disk.sighting import Sight, Sighting
from leftzmq.sync.claims import Claimant
from leftzmq.sync.facts import FoundDeletedBytes, PathsCleared
from leftzmq.sync.versions import FoundDeleted
from leftzmq.tree.entry import Entry, ScanKey
from leftzmq.tree.plan import Held


@pytest.fixture
def a(tmp_path: Path) -> Device:
    mesh = Mesh(tmp_path, "AB")
    for device in mesh.devices.values():
        device.start()
    a = mesh.devices["A"]
    a.write("f", b"bytes")
    together(mesh)
    return a


def ours(a: Device) -> tuple[Entry, ScanKey]:
    row = a.store.ours("f")
    assert row is not None and row.scan is not None
    return row.entry, row.scan


def test_what_was_seen_before_the_applier_began_is_looked_at_again(a: Device) -> None:
    """Its claim came between the look and the version that would have been made of it: then a
    version of ours would be followed by an older one, and the others would drop us."""
    entry, key = ours(a)
    assert a.folder.claims.take("f", Claimant.APPLIER)
    a.take(PathsCleared("share", (Sighting("f", Sight.GONE, key),)))
    a.mesh.settle(seconds=1.0)
    assert ours(a) == (entry, key), "nothing is said of it while the applier is there"
    (a.share / "f").unlink()
    a.folder.claims.release(("f",), Claimant.APPLIER)
    a.mesh.settle()
    row = a.store.ours("f")
    assert row is not None and row.entry.deleted


def test_what_a_scan_found_and_is_ours_since_then_is_not_removed(a: Device) -> None:
    entry, key = ours(a)
    grave = deleted("z", entry)
    a.take(FoundDeletedBytes("share", FoundDeleted(grave, Held(key, entry.content))))
    a.mesh.settle()
    assert (a.share / "f").read_bytes() == b"bytes" and not trash(a)
    assert a.folder.state.value == "idle"
