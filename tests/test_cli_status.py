"""`leftzmq status` as a person reads it, from answers as agents give them; and the demo's bars."""

from __future__ import annotations

import io
from typing import Any, cast

import pytest
from rich.console import Console

from leftzmq.cli.bars import Bars
from leftzmq.cli.status import sources_of, status_view
from leftzmq.cli.story import Actor

Status = dict[str, Any]


def file(**fields: object) -> Status:
    sources = [{"name": "beta", "rate": 81_400_000}, {"name": "gamma", "rate": 900_000}]
    found = {"path": "film.mkv", "size": 1 << 30, "have": 3 << 28, "phase": "FETCHING"}
    return found | {"sources": sources} | fields


def folder(**fields: object) -> Status:
    found: Status = {
        "id": "share",
        "state": "syncing",
        "why": "",
        "files": 12_345,
        "bytes": 5 << 30,
        "tickets": 2,
        "need_bytes": 1 << 30,
        "problems": 0,
        "conflicts": 0,
        "sent_bytes": 0,
        "received_bytes": 3 << 28,
        "held": None,
        "rate": 82_300_000,
        "under_way": [file()],
        "arriving": 1,
        "problem_list": [],
        "conflict_list": [],
    }
    return found | fields


def answer(*folders: Status) -> Status:
    peers = [
        {"name": "beta", "connected": True, "state": "connected", "note": ""},
        {"name": "gamma", "connected": False, "state": "away", "note": "another version"},
        {"name": "delta", "connected": False, "state": "no key", "note": ""},
    ]
    return {"device": "alpha", "key": "KEY", "peers": peers, "folders": list(folders)}


def shown(status: Status, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(status_view(status))
    return cast(io.StringIO, console.file).getvalue()


def test_at_a_glance() -> None:
    text = shown(answer(folder()))
    for words in (
        "alpha",
        "connected",
        "not connected: another version",
        "no key: put its `leftzmq id` into the config",
        "12,345",
        "2 (1.0 GiB)",
        "75% of 1.0 GiB",
        "3 s",
        "beta 81 MB/s, gamma 0.9 MB/s",
    ):
        assert words in text, words


@pytest.mark.parametrize("width", [60, 80])
def test_nothing_is_cut_off_in_a_narrow_terminal(width: int) -> None:
    words = shown(answer(folder()), width).split()
    for word in ("alpha", "film.mkv", "share", "12,345", "81", "gamma", "left"):
        assert word in words, word


def test_with_nothing_under_way_there_is_no_table_of_it() -> None:
    text = shown(answer(folder(under_way=[], tickets=0, state="idle")))
    assert "arriving" not in text
    assert "nothing" in text


def test_what_needs_a_hand_comes_last_and_does_not_flood() -> None:
    problems = [{"path": f"{n}", "problem": "X", "text": f"{n}: trouble"} for n in range(25)]
    copies = [f"{n}.conflict" for n in range(12)]
    text = shown(
        answer(
            folder(problem_list=problems, problems=25, conflict_list=copies, conflicts=12, why="?")
        )
    )
    assert text.count("trouble") == 20
    assert "and 5 more problems" in text
    assert "and 2 more conflict copies" in text
    assert text.index("film.mkv") < text.index("share: ?") < text.index("trouble")


def test_names_from_elsewhere_do_not_write_on_the_terminal() -> None:
    nasty = "a\x1b[2Jb"
    sources = [{"name": nasty, "rate": 1}]
    text = shown(answer(folder(id=nasty, why=nasty, under_way=[file(path=nasty, sources=sources)])))
    assert "\x1b" not in text


def test_what_is_done_about_a_file_that_nobody_gives() -> None:
    assert sources_of(file(sources=[], phase="VERIFYING")) == "what it had"
    assert sources_of(file(sources=[], phase="AT_HOME")) == "files of its own"
    assert sources_of(file(sources=[])) == ""


class Played:
    """A device whose answers are written down; the last one stays."""

    def __init__(self, name: str, *answers: Status) -> None:
        self.name, self.runs, self.answers = name, True, list(answers)

    def status(self) -> Status:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def bars(monkeypatch: pytest.MonkeyPatch, actors: list[Played], *, terminal: bool) -> str:
    """What it writes when it is looked at as often as there are answers."""
    monkeypatch.setattr("leftzmq.cli.bars.LOOK_PERIOD_S", 0.0)
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100)
    with Bars(console, cast(list[Actor], actors)) as shown:
        for _ in list(actors[0].answers):
            shown.show("")
            if terminal:
                assert shown._live is not None
                shown._live.refresh()
        shown.show("it is being written")
        if shown._live is not None:
            shown._live.refresh()
    return out.getvalue()


def test_the_demo_shows_what_arrives_where_from_whom_and_what_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arriving, between = folder(), folder(under_way=[file(sources=[])])
    a = Played("A", arriving, between, {})
    text = bars(monkeypatch, [a], terminal=True)
    assert "film.mkv to A" in text
    assert "75%" in text
    # Between two gets nobody is asked: who gave it last stays, and no line flickers.
    assert text.count("from beta 81 MB/s, gamma 0.9 MB/s") >= 2
    assert "A syncing" in text
    assert "A starts" in text
    assert "it is being written" in text


def test_where_nobody_looks_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    a = Played("A", folder(), {})
    assert bars(monkeypatch, [a], terminal=False) == ""
    assert len(a.answers) == 2
