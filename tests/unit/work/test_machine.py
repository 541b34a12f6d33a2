"""What is seen of a machine: from real files, and where the system does not say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leftzmq.sync.facts import OpenFile
from leftzmq.work import machine


def test_the_limit_of_watches(tmp_path: Path) -> None:
    (tmp_path / "max_user_watches").write_text("65536\n")
    assert machine.watches_most(tmp_path) == 65_536
    (tmp_path / "max_user_watches").write_text("many\n")
    assert machine.watches_most(tmp_path) is None
    assert machine.watches_most(tmp_path / "none") is None


def test_descriptors_that_are_open(tmp_path: Path) -> None:
    for name in "012":
        (tmp_path / name).touch()
    assert machine.descriptors_open(tmp_path) == 3
    assert machine.descriptors_open(tmp_path / "none") is None
    assert (machine.descriptors_open() or 0) >= 3


def test_room_is_that_of_the_disk_where_it_is_or_will_be(tmp_path: Path) -> None:
    found, later = machine.room_at(tmp_path), machine.room_at(tmp_path / "not" / "yet")
    assert found is not None and later is not None
    assert 0 < found.free_bytes <= found.total_bytes == later.total_bytes
    disk = os.statvfs(tmp_path)
    assert found.total_bytes == disk.f_blocks * disk.f_frsize


def test_room_that_the_system_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "statvfs", fails)
    assert machine.room_at(tmp_path) is None


def test_modes(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    assert machine.mode_of(tmp_path) == (0o750, "")
    assert machine.mode_of(tmp_path / "none") == (0, "")
    (tmp_path / "file").touch()
    assert machine.mode_of(tmp_path / "file" / "below") == (0, "Not a directory")


def test_only_keys_and_secrets_that_others_may_read_are_named(tmp_path: Path) -> None:
    names = ("device.key", "0a.secret", "0b.secret", "pairing.json", "rosters.db", "0a.sqlite")
    for name in (*names, "agent.log", "far.secret.txt"):
        (tmp_path / name).touch(0o600)
    assert machine.open_files(tmp_path, ()) == ()
    elsewhere = tmp_path / "far.secret.txt"
    for name, mode in (("device.key", 0o644), ("0b.secret", 0o620), ("0a.sqlite", 0o644)):
        (tmp_path / name).chmod(mode)
    elsewhere.chmod(0o604)
    secrets = [elsewhere, tmp_path / "0b.secret", tmp_path / "none"]
    assert machine.open_files(tmp_path, secrets) == (
        OpenFile(str(tmp_path / "0b.secret"), 0o620),
        OpenFile(str(tmp_path / "device.key"), 0o644),
        OpenFile(str(elsewhere), 0o604),
    )
