"""What `leftzmq plan` prints, on a terminal and in a pipe."""

from __future__ import annotations

import sys

import pytest

from leftzmq.cli.format.terminal import say
from leftzmq.cli.paths.plan import item_line
from leftzmq.cli.shell import guarded
from leftzmq.errors import Declined

ITEM = {
    "action": "replaces",
    "path": "photos/2026/a long name of a folder/holiday.jpg",
    "bytes": 3 << 20,
    "from": "desk, laptop",
    "why": "folder paused",
}
LINE = (
    "replaces photos/2026/a long name of a folder/holiday.jpg, 3.0 MiB, from desk, laptop"
    " (folder paused)"
)


def test_a_script_reads_one_line_for_each_path(capsys: pytest.CaptureFixture[str]) -> None:
    say(item_line(ITEM))
    assert capsys.readouterr().out == f"{LINE}\n"


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_line_is_wrapped_on_a_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    say(item_line(ITEM))
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= columns
    assert " ".join(text.split()) == LINE


def test_an_error_is_wrapped_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")

    def fails() -> int:
        raise Declined("there is no folder here yet (`leftzmq share DIR` begins one)", "")

    assert guarded("leftzmq", fails) == 1
    whole = capsys.readouterr().err
    assert len(whole.splitlines()) == 1
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert guarded("leftzmq", fails) == 1
    narrow = capsys.readouterr().err
    assert max(map(len, narrow.splitlines())) <= 60
    assert narrow.split() == whole.split()
