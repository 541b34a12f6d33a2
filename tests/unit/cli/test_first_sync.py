"""What is said while a first sync goes on: each thing that keeps it from being complete, once."""

from __future__ import annotations

from typing import Any

import pytest

from leftzmq.cli.pairing.first_sync import MOST_TROUBLES, Screen, Troubles


def folder(*texts: str, state: str = "syncing", why: str = "") -> dict[str, Any]:
    found = [{"path": text.split(":")[0], "problem": "NO_ROOM", "text": text} for text in texts]
    return {"id": "docs", "state": state, "why": why, "problem_list": found}


def test_a_problem_is_said_once_however_its_figures_change(
    capsys: pytest.CaptureFixture[str],
) -> None:
    troubles = Troubles(Screen())
    for text in ("big: 19 MiB more are needed", "big: 12 MiB more are needed"):
        troubles.look(folder(text))
    assert capsys.readouterr().err == "big: 19 MiB more are needed\n"


def test_of_many_problems_a_few_are_said_and_where_the_others_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    troubles = Troubles(Screen())
    for _ in range(2):
        troubles.look(folder(*(f"f{number}: no room" for number in range(9))))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:-1] == [f"f{number}: no room" for number in range(MOST_TROUBLES)]
    assert "leftzmq problems" in lines[-1]


def test_a_stopped_folder_is_said_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    Troubles(Screen()).look(folder(state="stopped", why="its disk is away"))
    assert capsys.readouterr().err == "docs: its disk is away\n"
