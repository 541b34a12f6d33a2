"""What an agent sees of its machine: each figure is asked of the part that knows it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from leftzmq.runtime.border.machine import MachineLook
from leftzmq.sync.facts import OpenFile
from leftzmq.transport import platform


def look(state: Path, **watched: tuple[int, bool]) -> MachineLook:
    peers = [SimpleNamespace(addresses=("one", "two")), SimpleNamespace(addresses=())]
    folders = [SimpleNamespace(secret=state.parent / "far.secret")]
    in_use: Any = SimpleNamespace(config=SimpleNamespace(peers=peers, folders=folders))
    bus: Any = SimpleNamespace(path_mtus=lambda: {b"b": 1400})
    openings: Any = SimpleNamespace(watched=lambda: watched)
    return MachineLook(state, in_use, bus, openings)


def test_all_figures(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(0o700)
    (tmp_path / "far.secret").touch(0o604)
    seen = look(state, notes=(7, True), photos=(5, False)).seen()
    assert (seen.state, seen.state_mode, seen.state_why) == (str(state), 0o700, "")
    assert seen.open_files == (OpenFile(str(tmp_path / "far.secret"), 0o604),)
    assert seen.state_room is not None and seen.state_room.total_bytes
    assert (seen.watched, seen.unwatched) == (12, ("photos",))
    assert seen.descriptors_most == platform.descriptors()
    assert seen.descriptors_needed == platform.needed_descriptors([2, 0])
    assert seen.mtu_bytes == {b"b": 1400}


def test_how_many_descriptors_are_needed() -> None:
    alone = platform.needed_descriptors([])
    assert alone == platform.NEEDED_DESCRIPTORS
    assert platform.needed_descriptors([0]) == alone + platform.NEEDED_FOR_A_PEER
    two_addresses = platform.needed_descriptors([2]) - platform.needed_descriptors([1])
    assert two_addresses == platform.NEEDED_FOR_A_RIVAL
    assert platform.descriptors_allowed() >= platform.descriptors()
