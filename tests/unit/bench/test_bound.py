"""The bound brings all bytes, through all lanes."""

from __future__ import annotations

import os
from pathlib import Path

import bound
import pytest


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, bound.CHUNK_BYTES * 3 + 5])
def test_the_bound_brings_the_bytes(tmp_path: Path, size: int) -> None:
    (tmp_path / "a").write_bytes(os.urandom(size))
    cost = bound.cost(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
    assert cost.seconds > 0
