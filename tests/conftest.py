"""What many rooms of tests begin with."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from mesh import Mesh

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell without job control starts what it runs in the background like this, and whatever we
    # start would inherit it: no agent would hear the Ctrl-C of a test.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    """A and B, started and quiet; a test module that wants others has its own."""
    mesh = Mesh(tmp_path, "AB")
    for device in mesh.devices.values():
        device.start()
    mesh.settle()
    return mesh
