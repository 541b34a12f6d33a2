"""What a no to the plan of a join takes off this device, and when."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from leftzmq.disk.share import Share
from leftzmq.pairing.roster_store import RosterStore
from leftzmq.runtime.pairing import leaving
from leftzmq.runtime.pairing.learnt_file import load_learnt
from leftzmq.statedir import StateDir
from tests.helpers.pairing_world import B, World, disk_is_full, joins_docs


def made(world: World, full: Path) -> list[Path]:
    """What an agent makes for the folder."""
    Share.open(full, "docs", None, make=True).close()
    index = world.state.index_file("docs")
    index.write_bytes(b"")
    return [full / ".left", index, world.state.secret_file("docs")]


@pytest.mark.parametrize("verb", ["join_no", "folder_remove"])
def test_a_no_takes_off_what_the_join_made_and_no_file_of_the_user(
    world: World, full: Path, verb: str
) -> None:
    joins_docs(world, full, hold=True)
    files = made(world, full)
    assert "declined" not in world.ask(verb, folder="docs")
    assert world.said[-1] == "told the roster of docs" and all(file.exists() for file in files)
    declined = joins_docs(world, full, hold=True)["declined"]
    assert "is being left" in declined["what"]
    assert "is being left" in world.ask("join_yes", folder="docs")["declined"]["what"]
    world.desk.tick()
    assert files[0].exists(), "the others are to hear it first"
    deadline = world.desk.deadline()
    assert deadline is not None
    world.now = deadline
    world.desk.tick()
    assert not any(file.exists() for file in files)
    assert (full / "file").read_bytes() == b"bytes" and list(full.iterdir()) == [full / "file"]
    learnt = load_learnt(world.state)
    assert learnt.folders == () and learnt.devices == ()
    assert "docs" not in world.rosters.folders and "the share of docs is closed" in world.said
    assert world.desk.deadline() is None


def test_a_no_leaves_what_was_here_before_the_join(world: World, full: Path) -> None:
    joins_docs(world, full)
    files = made(world, full)
    world.ask("folder_remove", folder="docs")
    joins_docs(world, full, hold=True)
    world.ask("join_no", folder="docs")
    world.now += 10
    world.desk.tick()
    assert all(file.exists() for file in files)
    assert [device.key for device in load_learnt(world.state).devices] == [B]
    assert load_learnt(world.state).folders == ()


def test_the_inviter_stays_where_it_is_in_another_folder(world: World, full: Path) -> None:
    joins_docs(world, full, hold=True)
    token = world.invites()
    world.knocks(B, token)
    world.ask("join_no", folder="docs")
    world.now += 10
    world.desk.tick()
    assert [device.key for device in load_learnt(world.state).devices] == [B]


def test_a_no_that_cannot_be_said_leaves_the_folder_held(world: World, full: Path) -> None:
    joins_docs(world, full, hold=True)
    world.rosters.found("docs")
    world.keeper.fails = True
    assert "declined" in world.ask("join_no", folder="docs")
    assert world.desk.deadline() is None
    world.keeper.fails = False
    assert world.ask("join_yes", folder="docs")["folder"] == "docs"


def test_a_no_that_can_be_neither_said_nor_taken_back_stands(
    world: World, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that fills up in between: the folder is being left, and may not stay so."""
    joins_docs(world, full, hold=True)
    world.rosters.found("docs")
    files = made(world, full)
    save = StateDir.save_pairing

    def last_one(state: StateDir, text: str) -> None:
        save(state, text)
        monkeypatch.setattr(StateDir, "save_pairing", disk_is_full)

    monkeypatch.setattr(StateDir, "save_pairing", last_one)
    world.keeper.fails = True
    assert "declined" in world.ask("join_no", folder="docs")
    assert load_learnt(world.state).folders[0].leaves
    monkeypatch.undo()
    world.keeper.fails = False
    world.now = world.desk.deadline() or 0.0
    world.desk.tick()
    assert load_learnt(world.state).folders == () and not any(file.exists() for file in files)


def test_a_no_is_said_in_the_roster(world: World, full: Path) -> None:
    joins_docs(world, full, hold=True)
    world.rosters.found("docs")
    world.ask("join_no", folder="docs")
    assert world.rosters.put_out("docs") is not None


def test_what_cannot_be_removed_now_is_tried_again(
    world: World, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joins_docs(world, full, hold=True)
    files = made(world, full)
    world.ask("join_no", folder="docs")
    with monkeypatch.context() as patch:
        patch.setattr(leaving, "remove_marker", disk_is_full)
        world.now += 2
        world.desk.tick()
    assert load_learnt(world.state).folder("docs") is not None
    world.now = world.desk.deadline() or 0.0
    world.desk.tick()
    assert not any(file.exists() for file in files) and load_learnt(world.state).folders == ()


def test_a_no_that_was_cut_off_is_finished_at_the_next_start(world: World, full: Path) -> None:
    joins_docs(world, full, hold=True)
    files = made(world, full)
    world.ask("join_no", folder="docs")
    with closing(RosterStore.open(world.state.rosters_file)) as store:
        learnt, said = leaving.finish(world.state, load_learnt(world.state), store)
    assert not any(file.exists() for file in files) and not said
    assert learnt.folders == () and learnt.devices == () and learnt == load_learnt(world.state)


def test_a_no_that_cannot_be_finished_is_held_again(
    world: World, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joins_docs(world, full, hold=True)
    made(world, full)
    world.ask("join_no", folder="docs")
    monkeypatch.setattr(leaving, "remove_marker", disk_is_full)
    with closing(RosterStore.open(world.state.rosters_file)) as store:
        learnt, said = leaving.finish(world.state, load_learnt(world.state), store)
    assert learnt.holds("docs") and "docs cannot be taken off" in said[0]
