"""Programs that nobody here wrote, for two seconds each in a share. In full size:
python -m tests.scenes dbench git packages stress-rename ..."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest

from tests.scenes import programs
from tests.scenes.cast import Company, Skipped

SECONDS = 2.0
PLAYS: list[tuple[str, Callable[..., str]]] = [
    ("git", partial(programs.git, files=20, rounds=1)),
    ("packages", partial(programs.packages, files=300, rounds=2)),
    ("dbench", partial(programs.dbench, files=0, seconds=SECONDS)),
    ("rename", partial(programs.stress_ng, files=0, seconds=SECONDS, stressor="rename")),
]


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Shown by pytest where a scene goes wrong."""
    yield
    print(Company.last_words)


@pytest.mark.parametrize("play", [play for _, play in PLAYS], ids=[name for name, _ in PLAYS])
def test_all_is_equal_after_a_program_was_at_work(play: Callable[..., str], tmp_path: Path) -> None:
    try:
        play(tmp_path / "stage", Random(42))
    except Skipped as why:
        pytest.skip(str(why))
