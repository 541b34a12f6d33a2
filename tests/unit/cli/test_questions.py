"""Questions to the person at the terminal: a yes or no, and what `leftzmq share --ask` shows of a
device that waits, and how often it asks."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leftzmq.cli import shell
from leftzmq.cli.pairing import questions
from leftzmq.cli.pairing.first_sync import Screen
from leftzmq.cli.pairing.questions import Questions, how_to_answer, name_shown, who_waits
from leftzmq.errors import Declined
from leftzmq.pairing.waiting import MOST_ASKED
from leftzmq.transport.device_key import public_text


def device(number: int, name: str = "beta") -> dict[str, Any]:
    key = public_text(bytes([number] * 32))
    return {"name": name, "key": key, "address": "192.168.1.9", "since": 0.0}


class FakeAgent:
    """waiting: at the invitation "m"; answered: (key, yes); declines: instead of the answers."""

    def __init__(self) -> None:
        self.waiting: list[dict[str, Any]] = []
        self.answered: list[tuple[str, bool]] = []
        self.declines: Declined | None = None

    def ask(self, _: Path, verb: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
        if verb == "invitations":
            other = {"mark": "other", "waiting": [device(99)]}
            return {"invitations": [other, {"mark": "m", "waiting": list(self.waiting)}]}
        assert verb == "invite_answer" and fields is not None and fields["mark"] == "m"
        self.waiting = [one for one in self.waiting if one["key"] != fields["key"]]
        if self.declines is not None:
            raise self.declines
        self.answered.append((fields["key"], fields["yes"]))
        return {}


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> FakeAgent:
    made = FakeAgent()
    monkeypatch.setattr(questions, "ask", made.ask)
    return made


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal of which this end is typed at. What is typed is not lost before a question."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as stdin, monkeypatch.context() as patch:
        patch.setattr(questions, "sys", SimpleNamespace(stdin=stdin, stderr=stdin))
        patch.setattr(questions.termios, "tcflush", lambda *_: None)
        patch.setattr(questions, "APART_S", 0.0)
        yield ours
    os.close(ours)


def asking() -> Questions:
    return Questions(Path("state"), "m", "docs-k3x9", Screen())


def test_a_person_reads_name_key_and_address() -> None:
    key = public_text(bytes(32))
    said = who_waits({"name": "beta", "key": key, "address": "192.168.1.9"})
    assert said == f"beta (key {key[:13]}..., from 192.168.1.9)"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("béta-2.home", "béta-2.home"),
        ("my laptop", '"my laptop"'),
        ("beta (key a", '"beta (key a"'),
        ('a" (key b', '"a\' (key b"'),
        ("x" * 25, f'"{"x" * 24}..."'),
        ("beta (key aaaaaa-bbbbbb..., from 10.0.0.1)", '"beta (key aaaaaa-bbbbbb...."'),
        ("a\x1b[2J", '"a\\x1b[2J"'),
        ("", '""'),
    ],
)
def test_a_name_cannot_pose_as_a_key_and_an_address(name: str, shown: str) -> None:
    assert name_shown(name) == shown


def test_a_command_to_be_copied_has_no_name_in_it() -> None:
    assert "rm" not in how_to_answer(device(1, "$(rm -rf ~)"))


def test_each_that_waits_is_asked_about_once(
    agent: FakeAgent, keyboard: int, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.waiting = [device(1), device(2, "gamma")]
    os.write(keyboard, b"Yes\n \n")
    asking().look()
    assert [yes for _, yes in agent.answered] == [True, False]
    said = capsys.readouterr().err
    assert said.index("beta (key") < said.index("beta is let in.") < said.index("gamma (key")
    assert "wants to join docs-k3x9. Let it in? [y/N] " in said and "gamma is told no." in said


def test_a_person_is_asked_without_a_yes_so_many_times_and_no_more(
    agent: FakeAgent, keyboard: int, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.waiting = [device(number) for number in range(MOST_ASKED + 3)]
    os.write(keyboard, b"y\n" + b"n\n" * (MOST_ASKED + 2))
    asked = asking()
    asked.look()
    asked.look()
    assert [yes for _, yes in agent.answered] == [True, *[False] * MOST_ASKED]
    assert capsys.readouterr().err.count("leftzmq invite list") == 1


def test_the_end_of_the_input_is_no_answer(
    agent: FakeAgent, keyboard: int, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.waiting = [device(1), device(2)]
    os.write(keyboard, b"\x04n\n")  # Ctrl-D, and then it is too late
    asked = asking()
    asked.look()
    asked.look()
    assert agent.answered == []
    assert capsys.readouterr().err.count("leftzmq invite allow") == 2


def test_who_waits_no_more_is_asked_about_no_more(
    agent: FakeAgent,
    keyboard: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    agent.waiting = [device(1)]
    monkeypatch.setattr(questions, "POLL_S", 0.01)
    monkeypatch.setattr(Screen, "question", lambda *_: agent.waiting.clear())
    asking().look()
    assert agent.answered == [] and "waits for no answer any more" in capsys.readouterr().err


def test_an_answer_that_the_agent_declines_is_said(
    agent: FakeAgent, keyboard: int, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.waiting, agent.declines = [device(1)], Declined("is expired", "the invitation")
    os.write(keyboard, b"y\n")
    asking().look()
    said = capsys.readouterr().err
    assert "is expired" in said and "let in." not in said


def test_without_a_terminal_the_commands_are_said_once(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(questions, "sys", SimpleNamespace(stdin=None, stderr=None))
    agent.waiting = [device(1)]
    asked = asking()
    asked.look()
    asked.look()
    said = capsys.readouterr().err
    assert said.count("wants to join docs-k3x9: leftzmq invite allow ") == 1
    assert agent.answered == []


@pytest.mark.parametrize(
    ("typed", "means"),
    [("y\n", True), ("YES \n", True), ("\n", False), ("n\n", False), ("", False)],
)
def test_only_a_yes_is_a_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, means: bool
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert shell.says_yes("Go on?") is means
    said = capsys.readouterr()
    assert said.err == "Go on? [y/N] " and not said.out, "a script reads stdout"


def test_ctrl_c_at_a_question_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(io.StringIO):
        def readline(self, size: int | None = -1, /) -> str:
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Interrupted())
    assert not shell.says_yes("Go on?")
