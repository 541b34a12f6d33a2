"""What a join keeps and makes, and what is declined."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from leftzmq.config import MAX_PEERS, Endpoint, PeerConfig
from leftzmq.content.keys import derive_epoch, derive_keys
from leftzmq.pairing.learnt import Learnt
from leftzmq.runtime.pairing.learnt_file import load_learnt
from leftzmq.statedir import StateDir, read_secret
from leftzmq.transport.device_key import public_text
from tests.helpers.pairing_world import US, B, World, disk_is_full, joins, joins_docs


def test_a_folder_that_was_joined_is_there_after_a_start(world: World, tmp_path: Path) -> None:
    joined = joins(world, tmp_path / "music")
    assert joined["inviter"] == "beta" and joined["is_new"]
    world.begin()
    assert [folder.id for folder in world.config.folders] == ["share", "music-k3x9"]
    assert read_secret(world.config.folders[1].secret) == bytes([0xAB] * 32)
    (peer,) = world.config.peers
    assert peer.key == B and peer.address == Endpoint("192.168.1.9", 7700)


def test_the_epoch_that_the_door_told_is_kept_before_the_answer(
    world: World, tmp_path: Path
) -> None:
    secret = b"e" * 32
    tag = derive_epoch(secret).tag
    joins(world, tmp_path / "music", epoch_tag=tag.hex(), epoch_secret=secret.hex())
    identity = derive_keys(bytes([0xAB] * 32)).tag
    assert world.keeper.load(identity).epochs == (secret,)
    world.begin()
    assert world.rosters.folders["music-k3x9"].epochs.secret(tag) == secret


def test_an_epoch_whose_tag_is_not_that_of_its_secret_is_refused(
    world: World, tmp_path: Path
) -> None:
    for tag, secret in (("00" * 16, "ee" * 32), ("", "ee" * 32), ("00" * 16, "ee")):
        said = joins(world, tmp_path / "music", epoch_tag=tag, epoch_secret=secret)
        assert "declined" in said
    assert [folder.id for folder in world.config.folders] == ["share"]


def test_joining_again_changes_nothing_but_addresses(world: World, tmp_path: Path) -> None:
    joins(world, tmp_path / "music")
    again = joins(world, tmp_path / "elsewhere", addresses="tcp://10.0.0.7:7700")
    assert not again["is_new"] and again["path"] == str(tmp_path / "music")
    assert not (tmp_path / "elsewhere").exists()
    assert world.config.peers[0].address == Endpoint("10.0.0.7", 7700)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"folder": "share"}, "another folder"),
        ({"device": public_text(US)}, "this very device"),
        ({"device": "nope"}, "key"),
        ({"secret": "ab" * 31}, "hex digits"),
        ({"secret": "no hex"}, "secret"),
        ({"addresses": "udp://x:1"}, "tcp://"),
        ({"folder": "a\x1bb"}, "printable"),
        ({"name": ""}, "name"),
        ({"path": ""}, "path"),
    ],
)
def test_an_answer_that_cannot_be_used_changes_nothing(
    world: World, tmp_path: Path, more: dict[str, str], word: str
) -> None:
    answer = joins(world, tmp_path / "music", **more)
    assert word in " ".join(answer["declined"].values())
    assert load_learnt(world.state) == Learnt() and "used" not in world.said
    assert not (tmp_path / "music").exists()
    assert not world.state.secret_file("music-k3x9").exists()


def test_a_join_that_finds_no_place_for_its_inviter_makes_nothing(
    world: World, tmp_path: Path
) -> None:
    many = tuple(PeerConfig(f"p{n}", None, bytes([n] * 32)) for n in range(MAX_PEERS))
    world.written = world.config = replace(world.written, peers=many)
    assert f"{MAX_PEERS} peers" in joins(world, tmp_path / "music")["declined"]["what"]
    assert not (tmp_path / "music").exists()
    assert not world.state.secret_file("music-k3x9").exists()


@pytest.mark.parametrize("place", ["share", "share/in", "state/in", "."])
def test_a_place_that_is_none_is_declined_before_and_after(
    world: World, tmp_path: Path, place: str
) -> None:
    where = (tmp_path / place).resolve()
    if place != "share":
        assert "declined" in world.ask("place", path=str(where))
    assert "declined" in joins(world, where)
    assert load_learnt(world.state) == Learnt()


def test_a_joiner_begins_at_the_roots_that_the_door_told(world: World, tmp_path: Path) -> None:
    pins = [bytes([number]) * 16 for number in (1, 2)]
    joins(world, tmp_path / "music", pins="\n".join(pin.hex() for pin in pins))
    assert list(world.rosters.folders["music-k3x9"].roster.pins) == pins


class _Killed(BaseException):
    """The agent ends here."""


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("write", [0, 1])
def test_a_folder_never_comes_without_the_beginning_that_the_door_told(
    world: World, tmp_path: Path, write: int, is_kept: bool
) -> None:
    """Else it begins a roster of its own at the next greeting."""
    secret, pin, writes = b"e" * 32, bytes([1]) * 16, iter(range(2))

    def ends() -> None:
        if next(writes) == write:
            raise _Killed

    at = "after" if is_kept else "before"
    setattr(world.keeper, at, ends)
    door = {"epoch_tag": derive_epoch(secret).tag.hex(), "epoch_secret": secret.hex()}
    with pytest.raises(_Killed):
        joins(world, tmp_path / "music", pins=pin.hex(), **door)
    setattr(world.keeper, at, lambda: None)
    world.begin()
    assert [folder.id for folder in world.config.folders] == ["share"]
    assert joins(world, tmp_path / "music", pins=pin.hex(), **door)["is_new"]
    folder = world.rosters.folders["music-k3x9"]
    assert folder.roster.pins == (pin,) and derive_epoch(secret).tag in folder.epochs.held


def test_a_join_whose_beginning_cannot_be_kept_makes_no_folder(
    world: World, tmp_path: Path
) -> None:
    world.keeper.fails = True
    assert "rosters.db" in str(joins(world, tmp_path / "music", pins="01" * 16)["declined"])
    assert load_learnt(world.state) == Learnt() and "used" not in world.said
    assert not world.state.secret_file("music-k3x9").exists()


@pytest.mark.parametrize("pins", ["zz", "00", "00" * 17])
def test_a_root_that_is_none_is_declined(world: World, tmp_path: Path, pins: str) -> None:
    assert "names a root" in joins(world, tmp_path / "music", pins=pins)["declined"]["what"]
    assert all(folder.id != "music-k3x9" for folder in world.config.folders)


def test_a_folder_is_held_where_something_lies_and_the_user_wants_to_be_asked(
    world: World, full: Path, tmp_path: Path
) -> None:
    assert not joins_docs(world, tmp_path / "missing", hold=True)["held"]
    world.ask("folder_remove", folder="docs")
    empty = tmp_path / "empty"
    (empty / ".left").mkdir(parents=True)
    assert not joins_docs(world, empty, hold=True)["held"]
    world.ask("folder_remove", folder="docs")
    assert not joins_docs(world, full)["held"]
    world.ask("folder_remove", folder="docs")
    joined = joins_docs(world, full, hold=True)
    assert joined["held"] and load_learnt(world.state).holds("docs")
    assert joins_docs(world, full, hold=True)["held"], "the same line again"
    place = world.ask("place", path=str(full))
    assert place == {"folder": "docs", "held": True, "inviter": "beta"}


def test_a_directory_that_cannot_be_listed_is_held(
    world: World, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "iterdir", disk_is_full)
    assert joins_docs(world, full, hold=True)["held"]


def test_a_yes_is_durable_before_the_hold_ends_and_counts_once(world: World, full: Path) -> None:
    joins_docs(world, full, hold=True)
    assert world.ask("join_yes", folder="docs") == {"folder": "docs", "path": str(full)}
    assert world.said[-1] == "docs is held no more"
    assert not load_learnt(world.state).holds("docs")
    for verb in ("join_yes", "join_no"):
        assert "no plan" in world.ask(verb, folder="docs")["declined"]["what"]
    assert "no plan" in world.ask("join_yes", folder="share")["declined"]["what"]


def test_a_yes_that_cannot_be_written_ends_nothing(
    world: World, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joins_docs(world, full, hold=True)
    monkeypatch.setattr(StateDir, "save_pairing", disk_is_full)
    assert "cannot be written" in world.ask("join_yes", folder="docs")["declined"]["what"]
    assert "docs is held no more" not in world.said and world.desk.learnt.holds("docs")
