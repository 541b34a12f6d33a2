"""The other devices: listed, removed, called otherwise."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from leftzmq.config import PeerConfig
from leftzmq.content.signing import sign
from leftzmq.errors import RosterError
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.making import Newcomer, Signatory, admit, remove
from leftzmq.transport.device_key import public_text
from tests.helpers.pairing_world import B_KEYS, US, B, C, World, joins, roster_copy


def test_of_a_peer_that_no_roster_names_no_mode_is_said(world: World) -> None:
    world.written = world.config = replace(world.written, peers=(PeerConfig("own", None, B),))
    assert [one["mode"] for one in world.ask("peers")["peers"]] == [""]


def test_a_peer_that_was_learnt_is_removed_and_one_that_was_written_is_not(
    world: World, tmp_path: Path
) -> None:
    world.written = world.config = replace(world.written, peers=(PeerConfig("own", None, C),))
    joins(world, tmp_path / "music")
    origins = [one["origin"] for one in world.ask("peers")["peers"]]
    assert origins == ["peer.toml", "by an invitation"]
    assert "is written in" in world.ask("peer_remove", name="own")["declined"]["what"]
    gone = {"name": "beta", "folders": [], "is_written": False}
    assert world.ask("peer_remove", name="beta") == gone
    assert [peer.name for peer in world.config.peers] == ["own"]
    assert "no peer" in world.ask("peer_remove", name="beta")["declined"]["what"]


def test_a_member_is_removed_from_all_folders_and_listed_no_more(world: World) -> None:
    world.knocks(B, world.invites())
    assert [peer.name for peer in world.config.peers] == ["beta"]
    gone = {"name": "beta", "folders": ["share"], "is_written": False}
    assert world.ask("peer_remove", name="beta") == gone
    assert world.rosters.folders["share"].roster.live() == {US}
    assert world.config.peers == ()


def test_a_removal_that_is_kept_of_one_folder_alone_is_told_of_that_one(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "folder" in world.ask("share", path=str(tmp_path / "second"), id="second")
    for folder in ("share", "second"):
        world.knocks(B, world.invites(folder=folder))
    keep, kept = world.keeper.keep, list[bytes]()

    def keep_one(folder: bytes, *rest: Any) -> tuple[int, ...]:
        kept.append(folder)
        if len(set(kept)) > 1:
            raise RosterError("the disk is full")
        return keep(folder, *rest)

    monkeypatch.setattr(world.keeper, "keep", keep_one)
    world.said.clear()
    assert "full" in world.ask("peer_remove", name="beta")["declined"]["what"]
    out = [id for id in ("share", "second") if world.rosters.excludes(id, DeviceKey(B))]
    assert len(out) == 1
    assert world.said == [f"told the roster of {out[0]}"]


def test_a_peer_that_was_written_is_removed_from_the_folder_and_may_still_connect(
    world: World,
) -> None:
    world.written = world.config = replace(world.written, peers=(PeerConfig("own", None, B),))
    world.knocks(B, world.invites())
    gone = {"name": "own", "folders": ["share"], "is_written": True}
    assert world.ask("peer_remove", name="own") == gone
    assert world.rosters.excludes("share", DeviceKey(B))
    assert [peer.name for peer in world.config.peers] == ["own"]


def test_a_peer_is_named_by_the_beginning_of_its_key(world: World) -> None:
    world.knocks(B, world.invites())
    assert world.ask("peer_remove", name=public_text(B)[:8])["name"] == "beta"


def test_the_beginning_of_two_keys_is_no_name(world: World, tmp_path: Path) -> None:
    world.knocks(B, world.invites(uses=2))
    world.knocks(B[:-1] + b"c", world.invites())
    found = world.ask("peer_remove", name=public_text(B)[:8])["declined"]
    assert "several keys" in found["what"] and "beta-2" in found["do"]


def test_a_member_that_another_one_let_in_can_be_renamed_and_called_elsewhere(
    world: World,
) -> None:
    world.knocks(B, world.invites())
    b = Signatory(DeviceKey(B), partial(sign, bytes(B_KEYS)))
    admission = admit(roster_copy(world), b, Newcomer(DeviceKey(C), "gamma"), bytes(16), 0)
    world.rosters.take("share", [admission], None, 0.0)
    world.tell_roster("share")
    assert {one["name"]: one["origin"] for one in world.ask("peers")["peers"]} == {
        "beta": "invited by this device",
        "gamma": "a member of a folder",
    }
    world.ask("peer_rename", name="gamma", new="attic")
    world.ask("peer_address", name="attic", address="tcp://10.0.0.7:7700")
    shown = {one["name"]: one for one in world.ask("peers")["peers"]}
    assert shown["attic"]["addresses"] == ["tcp://10.0.0.7:7700"]
    assert shown["attic"]["origin"] == "a member of a folder"
    world.begin()
    assert [peer.name for peer in world.config.peers] == ["beta", "attic"]
    world.ask("peer_remove", name="attic")
    assert [peer.name for peer in world.config.peers] == ["beta"]
    assert world.desk.learnt.device(C) is None


def test_who_is_no_member_any_more_is_listed_no_more_whatever_it_was_called(world: World) -> None:
    world.knocks(B, world.invites())
    b, roster = Signatory(DeviceKey(B), partial(sign, bytes(B_KEYS))), roster_copy(world)
    admission = admit(roster, b, Newcomer(DeviceKey(C), "gamma"), bytes(16), 0)
    world.rosters.take("share", [admission], None, 0.0)
    world.tell_roster("share")
    world.ask("peer_rename", name="gamma", new="attic")
    world.rosters.take("share", [remove(roster, b, DeviceKey(C), (), 0)], None, 0.0)
    world.tell_roster("share")
    assert [peer.name for peer in world.config.peers] == ["beta"]
