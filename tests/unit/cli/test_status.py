"""`leftzmq status` as a person reads it, from answers as agents give them; and the demo's bars."""

from __future__ import annotations

import io
import tomllib
from datetime import datetime
from typing import Any, cast

import pytest
from rich.console import Console

from leftzmq.cli.demo.bars import Bars
from leftzmq.cli.demo.stage import Actor
from leftzmq.cli.status import sources_of, status_view
from leftzmq.content.key_text import key_text, read_key

Status = dict[str, Any]
NOON = datetime(2026, 10, 5, 12, 0, 7).timestamp()
KEY = key_text(bytes(range(32)))


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
        "not_kept": 0,
        "not_kept_bytes": 0,
        "mode": "both",
        "differs": 0,
        "differ_list": [],
        "waits_for": "",
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
        "conflict_devices": [],
        "members": [member("beta")],
    }
    return found | fields


def peer(name: str, state: str, **fields: object) -> Status:
    found = {"name": name, "state": state, "connected": state in ("in sync", "behind"), "note": ""}
    nothing = {"since": NOON, "behind_paths": 0, "behind_bytes": 0, "behind_since": None}
    no_limits = {"limits": {"up": None, "down": None}, "gives": None}
    return found | {"key": KEY, "reason": ""} | nothing | no_limits | fields


def member(name: str, state: str = "in sync", **fields: object) -> Status:
    found = {"name": name, "state": state, "why": "", "behind_paths": 0, "behind_bytes": 0}
    nothing = {"behind_since": None, "ahead_paths": 0, "ahead_bytes": 0}
    nothing |= {"accepted_left": 0, "passed_paths": 0}
    return found | nothing | fields


def answer(*folders: Status, **fields: object) -> Status:
    peers = [
        peer("beta", "in sync"),
        peer("gamma", "not connected", note="another version", reason="other version"),
        peer("delta", "no key", since=None),
    ]
    found: Status = {"device": "alpha", "key": KEY, "peers": peers, "folders": list(folders)}
    return found | {"strangers": [], "limits": {"up": None, "down": None}} | fields


def shown(status: Status, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(status_view(status, width), crop=False)
    return cast(io.StringIO, console.file).getvalue()


def test_limits_are_said_where_they_hold() -> None:
    limits = {"up": 2_000_000, "down": None}
    beta = peer("beta", "in sync", limits={"up": 0, "down": None}, gives=500_000)
    gamma = peer("gamma", "in sync", limits=limits)
    text = shown(answer(folder(waits_for="limit"), limits=limits, peers=[beta, gamma]))
    assert "limits: up 2 MB/s\n" in text.replace(" \n", "\n").replace("  ", "")
    assert "in sync; limits: up off; gives 500 kB/s" in text
    assert "syncing, waits for the limit" in text
    assert text.count("up 2 MB/s") == 1, "what holds for all is said once"
    assert "limits" not in shown(answer(folder()))


def test_at_a_glance() -> None:
    text = shown(answer(folder()))
    for words in (
        "alpha",
        "in sync",
        "not connected since 2026-10-05 12:00:07: another version",
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


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_longer_than_the_terminal_is_wide(width: int) -> None:
    text = shown(answer(folder()), width)
    assert max(map(len, text.splitlines())) <= width
    (key,) = [
        line.split("key ")[1] for line in text.splitlines() if "key " in line and "put" not in line
    ]
    assert read_key(key) == bytes(range(32)), "in one line"


BEHIND = {"behind_paths": 1234, "behind_bytes": 3 << 20, "behind_since": NOON}
LAGS = "behind by 1,234 paths (3.0 MiB) since 2026-10-05 12:00:07"


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (peer("p", "behind", **BEHIND), LAGS),
        (peer("p", "connecting"), "connecting since 2026-10-05 12:00:07"),
        (peer("p", "syncing"), "connected, syncing"),
        (peer("p", "apart"), "connected, but shares nothing with us now"),
        (peer("p", "not connected"), "not connected since 2026-10-05 12:00:07"),
    ],
    ids=lambda one: one["state"] if isinstance(one, dict) else "",
)
def test_how_far_a_device_is(one: Status, words: str) -> None:
    assert words in shown(answer(folder(), peers=[one]))


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (member("p", "behind", **BEHIND), f"p: {LAGS}"),
        (member("p", "not connected", **BEHIND), f"p: not connected, {LAGS}"),
        (member("p", "syncing", ahead_paths=1), "p: 1 path of it to come"),
        (member("p", "syncing"), "p: its index is on its way"),
        (member("p", "silent"), "p: has said nothing of it yet"),
        (member("p", "other id", why="it calls it 'x'"), "p: it calls it 'x'"),
    ],
    ids=lambda one: one["state"] if isinstance(one, dict) else "",
)
def test_how_far_a_device_is_in_a_folder(one: Status, words: str) -> None:
    text = shown(answer(folder(members=[member("beta"), member("eta"), one])))
    assert words in text and "in sync: beta, eta" in text


def test_who_has_yet_to_let_through_what_was_accepted_is_said() -> None:
    text = shown(answer(folder(members=[member("p", "not connected", accepted_left=200)])))
    assert "p: has yet to let through 200 paths of what was accepted" in text


def test_where_no_other_device_is_known_it_says_how_to_let_one_in() -> None:
    assert "no other device: `leftzmq share DIR` lets one in" in shown(answer() | {"peers": []})


def test_why_a_folder_is_alone_is_said_once() -> None:
    why = "no other device is connected"
    alone = {"state": "alone", "under_way": []}
    text = shown(answer(folder(**alone, why=why, members=[member("p", "not connected")])))
    assert f"share: alone: {why}" in text
    stopped = member("p", "stopped there", why="it is stopped there")
    text = shown(answer(folder(**alone, why="p: it is stopped there", members=[stopped])))
    assert text.count("it is stopped there") == 1


def test_many_members_do_not_flood() -> None:
    many = [folder(id=f"{n}", under_way=[], members=[member("beta")]) for n in range(64)]
    assert "and 24 more" in shown(answer(*many))


@pytest.mark.parametrize("width", [50, 60, 80])
def test_a_stranger_is_shown_as_it_can_be_pasted(width: int) -> None:
    key = key_text(bytes(range(32)))
    seen = {"key": key, "address": "192.0.2.7", "first": NOON, "last": NOON, "removed_from": []}
    text = shown(answer(folder(), strangers=[seen] * 9), width)
    assert "and 6 more" in text
    pasted = text[text.index("# from 192.0.2.7") : text.index("and 6 more")]
    assert tomllib.loads(pasted)["peer"][2]["key"] == key


def test_a_removed_device_is_not_offered_to_be_added() -> None:
    key = key_text(bytes(range(32)))
    seen = {"key": key, "address": "192.0.2.7", "first": NOON, "last": NOON}
    text = shown(answer(folder(), strangers=[seen | {"removed_from": ["docs-k3x9"]}]))
    assert f"refused: {key[:13]} from 192.0.2.7" in text
    assert "removed from docs-k3x9" in " ".join(text.split())
    assert "[[peer]]" not in text


def test_with_nothing_under_way_there_is_no_table_of_it() -> None:
    text = shown(answer(folder(under_way=[], tickets=0, state="idle")))
    assert "arriving" not in text
    assert "nothing" in text


def test_what_needs_a_hand_comes_last_and_does_not_flood() -> None:
    problems = [{"path": f"{n}", "problem": "X", "text": f"{n}: trouble"} for n in range(25)]
    copies = [f"{n}.conflict" for n in range(12)]
    text = shown(
        answer(
            folder(
                problem_list=problems,
                problems=25,
                conflict_list=copies,
                conflict_devices=["beta"] * len(copies),
                conflicts=12,
                why="?",
                state="stopped",
            )
        )
    )
    assert text.count("trouble") == 20
    assert "and 5 more problems" in text
    assert "both versions were kept, beta's as 0.conflict" in text
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
    monkeypatch.setattr("leftzmq.cli.demo.bars.LOOK_PERIOD_S", 0.0)
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
