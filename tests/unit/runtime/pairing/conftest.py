"""What the tests of this package begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.statedir import StateDir
from tests.helpers.pairing_world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with StateDir.open(tmp_path / "state") as state:
        yield World(tmp_path, state)


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A directory with a file in it."""
    place = tmp_path / "docs"
    place.mkdir()
    (place / "file").write_bytes(b"bytes")
    return place
