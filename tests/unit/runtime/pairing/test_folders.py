"""A folder is shared under a name of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.disk.share import Share
from leftzmq.errors import PlatformError
from leftzmq.pairing.learnt import Learnt
from leftzmq.runtime.pairing.learnt_file import load_learnt
from leftzmq.statedir import StateDir, read_secret
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
