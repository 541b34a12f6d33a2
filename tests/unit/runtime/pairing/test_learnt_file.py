"""What was learnt is durable before it is used, and the same as before where it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.errors import PlatformError
from leftzmq.pairing.invitations import Invitations
from leftzmq.pairing.learnt import DoorKept, Learnt, LearntFolder, Origin
from leftzmq.runtime.pairing.learnt_file import LearntFile, load_learnt
from leftzmq.statedir import StateDir, make_secret
from tests.helpers.pairing_world import WALL, disk_is_full

MUSIC = LearntFolder("music-k3x9", Path("/music"), Origin.SHARED, WALL)
DOOR = DoorKept(b"p" * 32, b"s" * 32, 7710)


class Agent:
    """said: what it was asked and told, with what was durable then."""

    def __init__(self, state: StateDir) -> None:
        self.state, self.refuses, self.breaks = state, False, False
        self.said: list[tuple[str, bool]] = []
        self.invitations = Invitations((), WALL, 0.0)
        self.file = LearntFile(self, state, Learnt(), self.invitations)

    def check_learnt(self, learnt: Learnt) -> None:
        self.said.append(("checked", load_learnt(self.state) == learnt))
        if self.refuses:
            raise PlatformError("too few descriptors")

    def use_learnt(self, learnt: Learnt) -> None:
        if self.breaks:
            raise PlatformError("too few descriptors")
        is_known = self.file.learnt == learnt
        self.said.append(("used", is_known and load_learnt(self.state) == learnt))


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    with StateDir.open(tmp_path / "state") as state:
        yield Agent(state)


def test_what_was_learnt_is_checked_then_written_then_used(agent: Agent) -> None:
    agent.file.save(Learnt().with_folder(MUSIC))
    assert agent.said == [("checked", False), ("used", True)]


def test_what_cannot_be_used_is_not_written(agent: Agent) -> None:
    agent.refuses = True
    with pytest.raises(PlatformError):
        agent.file.save(Learnt().with_folder(MUSIC))
    assert agent.file.learnt == Learnt() == load_learnt(agent.state)


def test_what_cannot_be_written_is_not_used(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StateDir, "save_pairing", disk_is_full)
    with pytest.raises(OSError):
        agent.file.save(Learnt().with_folder(MUSIC))
    assert agent.said == [("checked", False)] and agent.file.learnt == Learnt()


def test_a_secret_stays_where_the_folder_was_kept_and_could_not_be_used(agent: Agent) -> None:
    agent.breaks = True
    with pytest.raises(PlatformError), agent.file.new_secret(MUSIC.id) as file:
        make_secret(file)
        agent.file.save(Learnt().with_folder(MUSIC))
    assert load_learnt(agent.state).folders == (MUSIC,) and file.exists()


def test_invitations_and_the_door_are_written_with_all_else(agent: Agent) -> None:
    agent.file.door_opened(DOOR)
    one = agent.invitations.add("music-k3x9", b"t" * 16, 1, 600.0, "", 0, WALL, 0.0)
    agent.file.save(agent.file.learnt.with_folder(MUSIC))
    assert load_learnt(agent.state) == Learnt((), (MUSIC,), (one,), DOOR)
    agent.invitations.cancel(None, 1.0)
    agent.file.door_closed()
    agent.file.save_invitations()
    assert load_learnt(agent.state) == Learnt((), (MUSIC,), agent.invitations.kept, None)
    assert agent.said.count(("used", True)) == 1, "invitations are no matter of the agent"
