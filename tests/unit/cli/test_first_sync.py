"""What is said while a first sync goes on: each thing that keeps it from being complete, once."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from leftzmq.cli.pairing import first_sync
from leftzmq.cli.pairing.first_sync import AWAY_S, MOST_TROUBLES, Screen, Troubles
from leftzmq.errors import AgentAway


def test_what_is_printed_after_the_changing_line_begins_at_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    with pytest.raises(KeyError), Screen().changing() as show:
        show("3 files here")
        show("4 files")
        raise KeyError
    shown = terminal.getvalue()
    assert shown == "\r3 files here\r4 files     \r" + " " * len("4 files") + "\r"


def folder(*texts: str, state: str = "syncing", why: str = "") -> dict[str, Any]:
    found = [{"path": text.split(":")[0], "problem": "NO_ROOM", "text": text} for text in texts]
    return {"id": "docs", "state": state, "why": why, "problem_list": found}


def peers(connected: bool, note: str = "") -> dict[str, Any]:
    return {"peers": [{"name": "alpha", "connected": connected, "note": note}]}


def test_a_problem_is_said_once_however_its_figures_change(
    capsys: pytest.CaptureFixture[str],
) -> None:
    troubles = Troubles(Screen(), "alpha")
    for text in ("big: 19 MiB more are needed", "big: 12 MiB more are needed"):
        troubles.look(peers(True), folder(text), 0.0)
    assert capsys.readouterr().err == "big: 19 MiB more are needed\n"


def test_of_many_problems_a_few_are_said_and_where_the_others_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    troubles = Troubles(Screen(), "alpha")
    for _ in range(2):
        troubles.look(peers(True), folder(*(f"f{number}: no room" for number in range(9))), 0.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:-1] == [f"f{number}: no room" for number in range(MOST_TROUBLES)]
    assert "leftzmq problems" in lines[-1]


def test_a_stopped_folder_is_said_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    Troubles(Screen(), "alpha").look(
        peers(True), folder(state="stopped", why="its disk is away"), 0.0
    )
    assert capsys.readouterr().err == "docs: its disk is away\n"


def test_a_device_that_stays_away_is_said_once_with_each_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    troubles = Troubles(Screen(), "alpha")
    for now, connected, note in [
        (0.0, False, "nobody answers"),
        (AWAY_S - 1, False, "nobody answers"),
        (AWAY_S, True, ""),
        (AWAY_S + 1, False, "nobody answers"),
    ]:
        troubles.look(peers(connected, note), folder(), now)
    assert capsys.readouterr().err == ""
    for now in (2 * AWAY_S + 1, 2 * AWAY_S + 2):
        troubles.look(peers(False, "nobody answers"), folder(), now)
    assert capsys.readouterr().err.count("alpha cannot be reached: nobody answers.") == 1
    troubles.look(peers(False, "it refused our key"), folder(), 3 * AWAY_S)
    assert "it refused our key" in capsys.readouterr().err


@pytest.mark.parametrize("is_there", [True, False])
def test_an_agent_that_does_not_answer_once_is_asked_again_while_it_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_there: bool
) -> None:
    asked: list[str] = []

    def ask(_: Path, verb: str, *rest: object, **more: object) -> dict[str, Any]:
        asked.append(verb)
        if len(asked) == 1:
            raise AgentAway("the agent did not answer within 16 s")
        here = folder(state="idle") | {"files": 3, "bytes": 9}
        here["members"] = [{"name": "alpha", "state": "in sync"}]
        return {"in_sync": True, "folders": [here], "peers": []}

    monkeypatch.setattr(first_sync, "ask", ask)
    monkeypatch.setattr(first_sync, "is_served", lambda _: is_there)
    if is_there:
        assert first_sync.follow(tmp_path, "docs", "alpha", Screen(), None).files == 3
        assert asked == ["wait", "wait", "status"]
    else:
        with pytest.raises(AgentAway):
            first_sync.follow(tmp_path, "docs", "alpha", Screen(), None)
