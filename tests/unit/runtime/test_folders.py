"""The folders of the agent come, are replaced and go: real shares, and no machine runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from leftzmq.config import FolderConfig, Limits
from leftzmq.disk.watcher import Report
from leftzmq.errors import KeyFileError, Stop, StopCause
from leftzmq.runtime.event_log import EventLog, Teller
from leftzmq.runtime.folders import TAKEN_OFF, Folders
from leftzmq.runtime.opening import Opening, Openings
from leftzmq.statedir import StateDir, make_secret
from leftzmq.sync.facts import (
    Fact,
    FolderAdded,
    FolderBegun,
    FolderStopped,
    FolderTakenOff,
    LocalRulesSet,
)
from leftzmq.sync.folder import Folder, FolderState
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.greeting import OurSide, Peers
from leftzmq.sync.peers.membership import Membership
from leftzmq.sync.peers.roster.exchange import RosterExchange
from leftzmq.sync.peers.roster.making import Signatory
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.tree.entry import Kind
from leftzmq.wire.local import Event, EventKind
from leftzmq.work.folder_context import FolderContext
from tests.helpers.roster_keeper import RosterKeeper

US = DeviceKey(b"a" * 32)
NONCE = b"n" * 24


class Here:
    """An agent's folders. facts: what the machines were told; runs: what jobs work on, by
    folder."""

    def __init__(self, base: Path, state: StateDir, *ids: str) -> None:
        self.base, self.state = base, state
        self.by_id: dict[str, Folder] = {}
        self.facts: list[Fact] = []
        self.runs: dict[str, FolderContext] = {}
        self.events: list[Event] = []
        self.rosters = Rosters(
            Signatory(US, lambda data: bytes(64)), "alpha", str, RosterKeeper(), lambda: 0.0, bytes
        )
        membership = Membership(US, self.by_id, lambda: NONCE, self.rosters.excludes)
        peers = Peers(OurSide("alpha", 1, 2), [], membership)
        opening = Opening(
            state, US, set(), peers, self.rosters.epochs, lambda id: self._hear, lambda id: False
        )
        configs = [self.config(id) for id in ids]
        self.openings = Openings(opening, configs)
        exchange = RosterExchange(self.rosters, peers, lambda device: False, lambda device: False)
        self.folders = Folders(
            self.by_id,
            self.openings,
            self.rosters,
            exchange,
            self,
            self.facts.append,
            Teller(EventLog(0.0), self, self, lambda: 1.0, lambda: 2.0),
        )
        self.unusable = self.folders.start(configs, ())

    def add(self, context: FolderContext) -> None:
        self.runs[context.id] = context

    def remove(self, folder: str) -> None:
        self.runs.pop(folder, None)

    def config(self, id: str) -> FolderConfig:
        return FolderConfig(id, self.base / id, self.state.secret_file(id))

    def close(self) -> None:
        self.openings.close()

    def told(self) -> list[tuple[EventKind, object]]:
        return [(event.kind, event.fields.get("folder")) for event in self.events]

    def _hear(self, report: Report) -> None: ...

    # -- the log and the monitors

    has_listeners = False

    def __call__(self, event: Event, now: float) -> None:
        self.events.append(event)

    def deadline(self) -> float | None:
        return None

    def tick(self, now: float) -> None: ...

    def tell(self, frames: Iterable[bytes]) -> None: ...


def open_below(path: Path) -> list[str]:
    """Return what this process has open at this path or below it."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return [name for name in found if Path(name).is_relative_to(path)]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDir]:
    with closing(StateDir.open(tmp_path / "state")) as state:
        yield state


@pytest.fixture
def here(tmp_path: Path, state: StateDir) -> Iterator[Here]:
    with closing(Here(tmp_path, state, "one")) as here:
        yield here


def test_at_a_start_a_folder_is_open_and_its_roster_known(here: Here) -> None:
    assert here.by_id["one"].stopped is None and here.runs["one"].id == "one"
    assert "one" in here.rosters.folders and here.told() == []
    assert here.folders.state("one") is FolderState.SCANNING


def test_a_folder_that_cannot_be_opened_at_a_start_is_stopped_and_told(
    tmp_path: Path, state: StateDir
) -> None:
    (tmp_path / "one").write_bytes(b"a file")
    with closing(Here(tmp_path, state, "one")) as here:
        assert here.folders.state("one") is FolderState.STOPPED
        assert here.runs == {} and here.told() == [(EventKind.PROBLEM, "one")]


def test_a_new_folder_is_there_at_once_and_opened_later(here: Here) -> None:
    config = here.config("two")
    make_secret(config.secret)
    config.path.mkdir()
    here.folders.add(config)
    folder = here.by_id["two"]
    assert folder.stopped is not None and folder.stopped.cause is StopCause.OPENING
    assert here.facts == [FolderAdded("two")] and "two" in here.rosters.folders
    assert here.told() == [(EventKind.FOLDER_ADDED, "two")] and "two" not in here.runs
    here.openings.open_anew("two")
    here.folders.take_over("two")
    assert here.by_id["two"] is not folder and here.by_id["two"].stopped is None
    begun, rules = FolderBegun("two"), LocalRulesSet("two", (), litter=True)
    assert here.facts[1:] == [begun, rules] and here.runs["two"].id == "two"


def test_the_secret_of_a_new_folder_is_made_and_of_one_that_was_here_it_must_be_there(
    here: Here,
) -> None:
    here.folders.add(here.config("two"))
    assert here.config("two").secret.exists() and here.facts == [FolderAdded("two")]
    here.state.index_file("three").touch()
    with pytest.raises(KeyFileError):
        here.folders.add(here.config("three"))
    assert list(here.by_id) == ["one", "two"] and "three" not in here.rosters.folders


def test_at_a_start_a_folder_that_cannot_be_used_is_returned_and_the_others_are_open(
    tmp_path: Path, state: StateDir
) -> None:
    state.index_file("two").touch()
    with closing(Here(tmp_path, state, "one", "two", "three")) as here:
        ((config, error),) = here.unusable
        assert config.id == "two" and isinstance(error, KeyFileError)
        assert list(here.by_id) == ["one", "three"] and here.facts == []


def test_a_folder_that_is_taken_off_is_stopped_for_good(here: Here) -> None:
    here.folders.remove("one")
    stopped, removed = here.facts
    assert isinstance(stopped, FolderStopped) and stopped.folder == "one"
    assert stopped.stop.cause is StopCause.REMOVED and stopped.stop.why == TAKEN_OFF
    assert removed == FolderTakenOff("one") and "one" not in here.rosters.folders


def test_of_a_folder_that_is_gone_nothing_is_open(here: Here) -> None:
    here.folders.remove("one")
    assert "one" in here.by_id and open_below(here.base / "one"), "its jobs may still run"
    here.folders.forget("one")
    assert here.by_id == {} and here.runs == {}
    assert open_below(here.base / "one") == open_below(here.state.index_file("one")) == []


def test_a_folder_that_is_back_before_it_was_gone_comes_when_all_of_the_old_one_is_closed(
    here: Here,
) -> None:
    here.folders.remove("one")
    here.facts.clear()
    here.folders.add(here.config("one"))
    before = here.by_id["one"]
    assert here.facts == [] and here.told() == []
    assert "one" in here.rosters.folders, "who brought it may say who is in"
    here.folders.forget("one")
    assert here.facts == [FolderAdded("one")] and here.by_id["one"] is not before
    here.openings.open_anew("one")
    here.folders.take_over("one")
    assert here.by_id["one"].stopped is None and here.runs["one"].id == "one"
    assert open_below(here.base / "one")


def test_a_folder_that_comes_in_place_of_another_one_is_opened_when_that_is_closed(
    here: Here,
) -> None:
    config = replace(here.config("two"), path=here.base / "one")
    make_secret(config.secret)
    here.folders.remove("one")
    here.facts.clear()
    here.folders.add(config)
    assert "two" in here.by_id and here.facts == []
    here.folders.forget("one")
    assert here.facts == [FolderAdded("two")] and list(here.by_id) == ["two"]


def test_a_folder_that_goes_while_it_waits_never_comes(here: Here) -> None:
    config = here.config("two")
    make_secret(config.secret)
    here.folders.remove("one")
    here.folders.add(here.config("one"))
    here.folders.remove("one")
    here.folders.add(config)
    here.folders.remove("two")
    here.folders.forget("two")
    here.folders.forget("one")
    assert here.by_id == {} and here.rosters.folders == {}
    assert not any(isinstance(fact, FolderAdded) for fact in here.facts)


def test_a_share_that_was_opened_and_not_taken_over_is_closed(here: Here) -> None:
    """Its folder was stopped for good while a worker opened it, and is opened once more later."""
    before = open_below(here.base / "one")
    for _ in range(3):
        here.openings.open_anew("one")
    here.by_id["one"].stop(Stop(StopCause.HELD_UP, "for a test"))
    here.folders.take_over("one")
    assert open_below(here.base / "one") == before


def test_other_limits_are_used_by_jobs_and_by_a_folder_that_is_opened_again(here: Here) -> None:
    limits = Limits(trash_days=7.0)
    here.folders.tune(replace(here.config("one"), limits=limits, patience_s=5.0))
    assert here.runs["one"].limits == limits
    assert here.by_id["one"].scheduler._look_queue.touched.patience_s == 5.0
    assert here.by_id["one"].index_client._index_quota._limits == limits
    here.openings.open_anew("one")
    assert here.openings._anew["one"].context is not None
    assert here.openings._anew["one"].context.limits == limits


def test_other_rules_are_told_to_a_folder_that_runs_and_to_one_that_is_opened_again(
    here: Here,
) -> None:
    rules = replace(here.config("one"), ignore=("*.iso",), litter=False)
    here.facts.clear()
    here.folders.tune(rules)
    assert here.facts == [LocalRulesSet("one", ("*.iso",), False)]
    here.openings.open_anew("one")
    here.folders.tune(replace(rules, limits=Limits(trash_days=7.0), ignore=("*.o",)))
    here.by_id["one"].stop(Stop(StopCause.HELD_UP, "for a test"))
    here.facts.clear()
    here.folders.take_over("one")
    assert here.facts == [FolderBegun("one"), LocalRulesSet("one", ("*.o",), False)]
    assert here.by_id["one"].keeping.why_not("x.iso", Kind.FILE) is not None


def test_a_folder_that_is_not_there_is_removed_without_a_word(here: Here) -> None:
    here.folders.remove("two")
    assert here.facts == [] and list(here.by_id) == ["one"]


def test_the_share_of_a_folder_that_goes_is_closed_when_it_is_stopped(here: Here) -> None:
    assert open_below(here.base / "one")
    here.folders.close_share("one")
    here.folders.close_share("unknown")
    (stopped,) = here.facts
    assert isinstance(stopped, FolderStopped) and "one" in here.rosters.folders
    assert open_below(here.base / "one") == []
