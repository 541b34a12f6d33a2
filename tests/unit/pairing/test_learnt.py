"""The file of what invitations brought, and how it and peer.toml make one config."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from leftzmq.config import MAX_PEERS, Config, DeviceConfig, Endpoint, FolderConfig, PeerConfig
from leftzmq.errors import ConfigError
from leftzmq.pairing.invitations import Invitation, InvitationState, PersonAnswer, Use
from leftzmq.pairing.learnt import (
    DoorKept,
    JoinMade,
    Learnt,
    LearntDevice,
    LearntFolder,
    Origin,
    free_name,
    merged,
    read,
    text_of,
)

B, C = b"b" * 32, b"c" * 32
HERE, THERE = Endpoint("192.168.1.2", 7700), Endpoint("fd00::2", 7700)
DEVICE = LearntDevice("beta", B, (HERE, THERE), Origin.JOINED, 1_800_000_000.5)
FOLDER = LearntFolder("docs-k3x9", Path("/home/ä/docs"), Origin.SHARED, 1_800_000_000.0)
INVITATION = Invitation(
    b"m" * 32,
    "docs-k3x9",
    2,
    1_800_000_000.0,
    600.0,
    (Use(C, "gamma"),),
    InvitationState.EXPIRED,
    "example.org",
    3,
    True,
    (PersonAnswer(B, "beta", True), PersonAnswer(C, "gamma", False)),
    mode="read",
)
LEARNT = Learnt((DEVICE,), (FOLDER,), (INVITATION,), DoorKept(b"p" * 32, b"s" * 32, 7710))


def test_the_file_is_read_as_it_was_written() -> None:
    held = replace(FOLDER, held=True, leaves=True, made=tuple(JoinMade), inviter=B)
    for learnt in (Learnt(), LEARNT, LEARNT.with_folder(held)):
        assert read(text_of(learnt).encode(), "f") == learnt


def test_an_invitation_from_before_there_were_modes_is_to_write() -> None:
    older = json.loads(text_of(LEARNT))
    del older["invitations"][0]["mode"]
    found = read(json.dumps(older).encode(), "f")
    assert found.invitations == (dataclasses.replace(INVITATION, mode="full"),)


def test_a_folder_of_an_earlier_file_is_not_held() -> None:
    value = json.loads(text_of(LEARNT))
    for name in ("held", "leaves", "made", "inviter"):
        del value["folders"][0][name]
    assert read(json.dumps(value).encode(), "f") == LEARNT


@pytest.mark.parametrize(
    "spoilt",
    [
        text_of(LEARNT).replace('"mode": "read"', '"mode": "own"').encode(),
        b"",
        b"[]",
        b"{}",
        b'{"form": 1}',
        b"\xff",
        b"[" * 100_000,
        text_of(LEARNT).replace('"form": 1', '"form": 2').encode(),
        text_of(LEARNT).replace("tcp://192", "udp://192").encode(),
        text_of(LEARNT).replace(B.hex(), B.hex()[2:]).encode(),
        text_of(LEARNT).replace("/home/ä/docs", "docs").encode(),
        text_of(LEARNT).replace('"beta"', '"be\\u001bta"').encode(),
        text_of(LEARNT).replace("EXPIRED", "GONE").encode(),
        text_of(LEARNT).replace('"held": false', '"held": 0').encode(),
        text_of(LEARNT).replace('"made": []', '"made": ["SHARE"]').encode(),
        text_of(LEARNT).replace('"port": 7710', '"port": "x"').encode(),
        text_of(LEARNT).replace('"asks": true', '"asks": "false"').encode(),
        text_of(LEARNT).replace('"yes": false', '"yes": 0').encode(),
        text_of(LEARNT).replace('"answers": [', '"answers": [7, ').encode(),
    ],
)
def test_a_spoilt_file_is_named_and_nothing_of_it_is_used(spoilt: bytes) -> None:
    with pytest.raises(ConfigError, match=r"pairing\.json"):
        read(spoilt, "/state/pairing.json")


def test_an_invitation_from_before_there_were_questions_asks_nothing() -> None:
    value = json.loads(text_of(LEARNT))
    for name in ("asks", "answers"):
        del value["invitations"][0][name]
    (found,) = read(json.dumps(value).encode(), "f").invitations
    assert found == dataclasses.replace(INVITATION, asks=False, answers=())


def test_a_device_that_is_met_anew_keeps_its_name_and_is_called_at_its_new_address() -> None:
    new = Endpoint("10.0.0.2", 7700)
    again = LEARNT.with_device(replace(DEVICE, name="other", addresses=(new, HERE)))
    (device,) = again.devices
    assert device.name == "beta" and device.addresses == (new, HERE, THERE)
    assert LEARNT.without_device(B).devices == ()


def config(tmp_path: Path) -> Config:
    place = tmp_path / "share"
    place.mkdir()
    return Config(
        tmp_path / "peer.toml",
        DeviceConfig("alpha", tmp_path / "state", HERE),
        (FolderConfig("share", place, tmp_path / "share.secret"),),
        (PeerConfig("beta", HERE, b"x" * 32),),
    )


def both(written: Config, learnt: Learnt) -> Config:
    return merged(written, learnt, lambda id: Path("/state") / f"{id}.secret")


def test_what_is_known_comes_after_what_is_written(tmp_path: Path) -> None:
    written = config(tmp_path)
    found = both(written, replace(LEARNT, folders=(replace(FOLDER, path=tmp_path / "docs"),)))
    assert found.peers == (*written.peers, PeerConfig("beta-2", HERE, B, (THERE,)))
    more = FolderConfig("docs-k3x9", tmp_path / "docs", Path("/state/docs-k3x9.secret"))
    assert found.folders == (*written.folders, more)
    assert both(written, Learnt()) == written


def test_what_is_written_wins(tmp_path: Path) -> None:
    written = config(tmp_path)
    written = replace(written, peers=(PeerConfig("b", None, B),))
    there = replace(FOLDER, id="share", path=tmp_path / "elsewhere")
    assert both(written, replace(LEARNT, folders=(there,))) == written


@pytest.mark.parametrize("place", ["share/in", ".", "state/in", "state"])
def test_a_share_in_a_place_that_is_none_is_named(tmp_path: Path, place: str) -> None:
    written = config(tmp_path)
    learnt = replace(LEARNT, folders=(replace(FOLDER, path=tmp_path / place),))
    (unusable,) = both(written, learnt).unusable
    assert "docs-k3x9" in unusable.why
    assert unusable.id == ("share" if place == "share/in" else "docs-k3x9")


def test_no_more_peers_than_a_device_can_have(tmp_path: Path) -> None:
    many = tuple(
        replace(DEVICE, name=f"n{number}", key=bytes([number] * 32)) for number in range(80)
    )
    assert len(both(config(tmp_path), Learnt(devices=many)).peers) == MAX_PEERS


def test_a_taken_name_gets_a_number() -> None:
    assert free_name("beta", {"alpha"}) == "beta"
    assert free_name("beta", {"beta", "beta-2"}) == "beta-3"
    assert free_name("beta-2", {"beta", "beta-2"}) == "beta-3"
    assert free_name("pi-4000", {"pi-4000"}) == "pi-4000-2"


def test_the_file_is_one_that_a_person_can_read() -> None:
    value = json.loads(text_of(LEARNT))
    assert value["devices"][0]["addresses"] == ["tcp://192.168.1.2:7700", "tcp://[fd00::2]:7700"]
    assert value["folders"][0]["path"] == "/home/ä/docs"
