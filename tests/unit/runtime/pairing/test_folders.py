"""A folder is shared under a name of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leftzmq.disk.share import Share
from leftzmq.errors import PlatformError
from leftzmq.pairing.learnt import Learnt
from leftzmq.runtime.pairing.learnt_file import load_learnt
from leftzmq.statedir import StateDir, read_secret
from leftzmq.tree.mode import FolderMode
from tests.helpers.pairing_world import World, disk_is_full, joins


def test_a_folder_that_is_shared_has_a_name_and_a_secret_of_its_own(
    world: World, tmp_path: Path
) -> None:
    shared = world.ask("share", path=str(tmp_path / "music"))
    assert shared["folder"].startswith("music-") and shared["is_new"]
    assert world.ask("share", path=str(tmp_path / "music")) == shared | {"is_new": False}
    assert world.ask("share", path=str(tmp_path / "share"))["folder"] == "share"
    for place, id, word in (("music", "x", "shared already"), ("m2", "share", "another folder")):
        declined = world.ask("share", path=str(tmp_path / place), id=id)["declined"]
        assert word in declined["what"]


@pytest.mark.parametrize("how", ["disk", "machine"])
def test_a_folder_that_cannot_be_kept_leaves_no_secret(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "disk":
        monkeypatch.setattr(StateDir, "save_pairing", disk_is_full)
    else:
        world.broken = PlatformError("too few descriptors")
    before = set(world.state.path.rglob("*"))
    assert "declined" in world.ask("share", path=str(tmp_path / "music"), id="music")
    assert "declined" in joins(world, tmp_path / "docs")
    there = set(world.state.path.rglob("*")) - before
    assert not any(file.is_file() for file in there), there


def test_a_secret_that_was_here_before_stays_whatever_becomes_of_the_folder(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ask("share", path=str(tmp_path / "music"), id="music")
    world.ask("folder_remove", folder="music")
    monkeypatch.setattr(StateDir, "save_pairing", disk_is_full)
    secret = read_secret(world.state.secret_file("music"))
    assert "declined" in world.ask("share", path=str(tmp_path / "music"), id="music")
    assert read_secret(world.state.secret_file("music")) == secret


def test_a_directory_that_was_a_share_is_that_of_the_same_folder_again(
    world: World, tmp_path: Path
) -> None:
    """As after the state was lost, or where the whole directory was copied."""
    place = tmp_path / "old"
    Share.open(place, "old-k3x9", None, make=True).root.close()
    assert "share of the folder old-k3x9" in joins(world, place)["declined"]["what"]
    assert "old-k3x9" in world.ask("share", path=str(place), id="other")["declined"]["what"]
    assert load_learnt(world.state) == Learnt()
    assert world.ask("share", path=str(place))["folder"] == "old-k3x9"


def test_a_marker_that_cannot_be_read_is_named(world: World, tmp_path: Path) -> None:
    place = tmp_path / "old"
    Share.open(place, "old-k3x9", None, make=True).root.close()
    (place / ".left" / "marker").write_text("nonsense")
    assert "marker" in world.ask("share", path=str(place))["declined"]["what"]


def sets(world: World, id: str, **changes: object) -> dict[str, Any]:
    return world.ask("folder_set", folder=id, changes=json.dumps(changes))


def test_how_a_shared_folder_is_synced_is_set_kept_and_taken_back(
    world: World, tmp_path: Path
) -> None:
    world.ask("share", path=str(tmp_path / "music"), id="music")
    said = sets(world, "music", mode="receive", only=["a/", "b"], litter=False)
    assert said["settings"] == ["litter = false", 'mode = "receive"', 'only = ["a/", "b"]']
    (music,) = [one for one in world.config.folders if one.id == "music"]
    assert (music.mode, music.only, music.litter) == (FolderMode.RECEIVE, ("a", "b"), False)
    assert load_learnt(world.state) == world.desk.learnt
    listed = {one["id"]: one["settings"] for one in world.ask("folders")["folders"]}
    assert listed["music"] == said["settings"]
    assert sets(world, "music", only=None, litter=None)["settings"] == ['mode = "receive"']
    (music,) = [one for one in world.config.folders if one.id == "music"]
    assert (music.mode, music.only, music.litter) == (FolderMode.RECEIVE, (), True)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"mode": "take"}, "mode: is 'take'"),
        ({"mode": 3}, "wants text"),
        ({"path": "/x"}, "path: is not known"),
        ({"ignore": "*.iso"}, "wants a list"),
        ({"trash_days": 0}, "is 0"),
        ({"only": ["../x"]}, "../x"),
    ],
)
def test_what_a_folder_table_could_not_say_is_not_set(
    world: World, tmp_path: Path, changes: dict[str, object], word: str
) -> None:
    world.ask("share", path=str(tmp_path / "music"), id="music")
    before = world.desk.learnt
    declined = world.ask("folder_set", folder="music", changes=json.dumps(changes))["declined"]
    assert word in f"{declined['where']}: {declined['what']}", declined
    assert world.desk.learnt == before


def test_what_peer_toml_says_is_set_there(world: World) -> None:
    (written,) = world.written.folders
    assert "is written in" in sets(world, written.id, mode="receive")["declined"]["what"]
    assert "no such folder" in sets(world, "nope", mode="receive")["declined"]["what"]
    wrong = world.ask("folder_set", folder=written.id, changes="[]")
    assert "declined" in wrong
