"""The command: what it takes, what it refuses, and one real run of a row."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(*words: str, temporary: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "bench" / "all.py"), *words]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": paths}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rows", "edits"], "there is no row 'edits'"),
        (["--only", "dropbox"], "no program 'dropbox'"),
        (["--rounds", "0"], "'0' is not a number above 0"),
        (["--rows", "wal", "--only", "rsync"], "none of these programs does any of these rows"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, words: list[str], said: str) -> None:
    found = run(*words, "--out", str(tmp_path / "out"), temporary=tmp_path)
    assert found.returncode == 2 and said in found.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_one_quick_row_is_measured_and_nothing_stays(tmp_path: Path) -> None:
    # Not below tmp_path: sockets need short paths.
    out = tmp_path / "out"
    words = ("--quick", "--only", "leftzmq", "--rows", "edit-quiet", "--out", str(out))
    found = run(*words, temporary=Path(tempfile.gettempdir()))
    assert found.returncode == 0, found.stderr
    assert found.stderr.startswith("[1/1] round 1, edit-quiet (3 edits), leftzmq: median ")
    assert "| an edit of 4 KiB, until it is at the peer; 3 edits |" in found.stdout
    assert found.stdout == (out / "table.md").read_text()
    (measured,) = json.loads((out / "record.json").read_text())["runs"]
    assert measured["figures"]["edits"] == 3 and measured["figures"]["median_ms"] > 0
