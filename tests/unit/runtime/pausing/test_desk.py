"""Pauses: what is asked, kept over restarts, and when they end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from leftzmq.errors import ConfigError
from leftzmq.runtime.pausing.desk import (
    LOOK_PERIOD_S,
    PauseDesk,
    Pauses,
    load_pauses,
    read,
    text_of,
)
from leftzmq.statedir import StateDir, make_state_dir

B = b"b" * 32


class Here:
    """The agent around the desk."""

    def __init__(self, state: StateDir) -> None:
        self.state, self.unix_s = state, 1_800_000_000.0
        self.used: list[Pauses] = []
        self.is_writable = True
        self.ids = ["docs", "music"]
        self.start()

    def start(self) -> None:
        self.desk = PauseDesk(self, self.state, load_pauses(self.state), lambda: self.unix_s)
        self.desk.begin()

    def folder_ids(self) -> Iterable[str]:
        return self.ids

    def peer_names(self) -> Mapping[str, bytes]:
        return {"beta": B}

    def use_pauses(self, pauses: Pauses) -> None:
        if self.is_writable:
            assert load_pauses(self.state).ended_by(self.unix_s) == pauses, "durable before"
        self.used.append(pauses)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    make_state_dir(tmp_path / "state")
    state = StateDir.open(tmp_path / "state")
    yield Here(state)
    state.close()


def test_without_a_name_all_folders_are_paused_and_everything_is_resumed(here: Here) -> None:
    answer = here.desk.answer("pause", {})
    assert answer["folders"] == [{"name": "docs", "until": None}, {"name": "music", "until": None}]
    here.desk.answer("pause", {"peer": "beta"})
    assert here.used[-1] == Pauses({"docs": None, "music": None}, {B: None})
    assert here.desk.answer("resume", {}) == {"folders": [], "peers": []}
    assert here.used[-1] == Pauses()


def test_a_folder_and_a_device_are_paused_by_name(here: Here) -> None:
    here.desk.answer("pause", {"folder": "docs"})
    answer = here.desk.answer("pause", {"peer": "beta", "for_s": 60})
    assert answer["peers"] == [{"name": "beta", "until": here.unix_s + 60}]
    answer = here.desk.answer("resume", {"folder": "docs"})
    assert not answer["folders"] and answer["peers"]
    assert here.desk.answer("resume", {"peer": "beta"}) == {"folders": [], "peers": []}


def test_a_paused_folder_that_is_not_there_any_more_is_resumed_by_name(here: Here) -> None:
    here.desk.answer("pause", {"folder": "docs"})
    here.ids.remove("docs")
    assert "declined" in here.desk.answer("pause", {"folder": "docs"}), "it is not there"
    assert here.desk.answer("resume", {"folder": "docs"}) == {"folders": [], "peers": []}
    assert "declined" in here.desk.answer("resume", {"folder": "docs"}), "nor paused"


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"folder": "films"}, "there is no such folder here"),
        ({"peer": "gamma"}, "there is no such device here"),
        ({"folder": "docs", "peer": "beta"}, "a folder and a device are named"),
        ({"for_s": -1}, "is no number from 0 to"),
        ({"for_s": 1e12}, "is no number from 0 to"),
        ({"folder": 7}, "is no text"),
    ],
)
def test_what_cannot_be_meant_is_declined(here: Here, fields: dict[str, object], what: str) -> None:
    declined = here.desk.answer("pause", fields)["declined"]  # type: ignore[arg-type]
    assert declined["what"].startswith(what)
    assert not here.used


def test_a_restart_keeps_pauses_and_ends_those_whose_time_is_over(here: Here) -> None:
    here.desk.answer("pause", {"folder": "docs", "for_s": 60})
    here.desk.answer("pause", {"folder": "music"})
    here.start()
    assert here.used[-1].folders == {"docs": here.unix_s + 60, "music": None}
    here.unix_s += 61
    here.start()
    assert here.used[-1].folders == {"music": None}


def test_a_pause_ends_by_the_wall_clock_also_when_it_jumps(here: Here) -> None:
    here.desk.answer("pause", {"folder": "docs", "for_s": 7200})
    here.desk.tick()
    assert len(here.used) == 1
    assert here.desk.deadline(50.0) == 50.0 + LOOK_PERIOD_S
    here.unix_s += 7195
    assert here.desk.deadline(60.0) == 65.0
    here.unix_s += 86_400
    here.desk.tick()
    assert here.used[-1] == Pauses() == load_pauses(here.state)
    assert here.desk.deadline(60.0) is None


def test_what_cannot_be_written_changes_nothing_and_is_said(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(text: str) -> None:
        raise OSError(28, "No space left on device")

    here.desk.answer("pause", {"folder": "docs", "for_s": 60})
    monkeypatch.setattr(here.state, "save_pauses", full)
    here.is_writable = False
    answer = here.desk.answer("pause", {"folder": "music"})
    assert answer["declined"]["what"] == "cannot be written: No space left on device"
    assert len(here.used) == 1
    here.unix_s += 61
    here.desk.tick()
    assert here.used[-1] == Pauses(), "an end needs no disk"


def test_the_file_is_read_as_it_was_written() -> None:
    pauses = Pauses({"docs": None, "ünï": 5.5}, {B: 7.0})
    assert read(text_of(pauses).encode(), "here") == pauses


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"form": 2}',
        '{"form": 1, "folders": {"a": true}, "devices": {}}',
        '{"form": 1, "folders": {}, "devices": {"00": null}}',
        '{"form": 1, "folders": [], "devices": {}}',
        '{"form": 1, "folders": {"a": NaN}, "devices": {}}',
    ],
)
def test_a_file_that_is_wrong_is_named(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text.encode(), "here")
    assert caught.value.where == "here"
