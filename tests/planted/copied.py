"""A copy of the tracked files, as they are now, in which a bug can be planted and things run.

Knows git and processes. Must not know bugs.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parent.parent.parent
WIDE: Final = "400"
"""So many columns, else pytest cuts off what a test said."""
TRACKED: Final = ("leftzmq", "tests", "setup.cfg")


@contextmanager
def copy_of_the_tree() -> Iterator[Path]:
    """Gone when it is left. What git does not track is not in it."""
    with tempfile.TemporaryDirectory(prefix="leftzmq-planted-") as base:
        tree = Path(base) / "tree"
        listed = subprocess.run(
            ["git", "ls-files", "-z", *TRACKED], cwd=REPOSITORY, capture_output=True, check=True
        )
        for name in listed.stdout.decode().split("\0"):
            if name and (REPOSITORY / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(REPOSITORY / name, tree / name)
        yield tree


_started: Final[set[subprocess.Popen[str]]] = set()
_over = threading.Event()


def start(tree: Path, *arguments: str) -> subprocess.Popen[str]:
    """Python over the code of the copy, as the leader of a group of its own; stderr is stdout.
    Raises RuntimeError after `end_all`."""
    if _over.is_set():
        raise RuntimeError("all was ended")
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": WIDE},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    _started.add(process)
    return process


def end(process: subprocess.Popen[str]) -> None:
    """End it, and what it started."""
    _started.discard(process)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def end_all() -> None:
    """Whoever ends this program need not look for what it started."""
    _over.set()
    for process in list(_started):
        end(process)


def check_whose_code_runs(tree: Path) -> None:
    """An installed package would be found unbroken whatever is planted. Raises RuntimeError."""
    process = start(tree, "-c", "import leftzmq; print(leftzmq.__file__)")
    said, _ = process.communicate()
    end(process)
    if not Path(said.strip()).is_relative_to(tree):
        raise RuntimeError(f"not the copy's code would run: {said}")
