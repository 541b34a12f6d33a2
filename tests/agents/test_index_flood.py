"""A paired device whose index is a flood: another device's edit arrives as ever, and the state
directory stays within what peer.toml allows.

Figures: python -m pytest -n 0 -s tests/agents/test_index_flood.py
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from time import monotonic

import pytest
import zmq
from msgspec.structs import replace

from leftzmq.cli.demo.stage import Actor, wait_until
from leftzmq.tree.entry import ContentId, Entry
from leftzmq.tree.version import Life, Vector
from leftzmq.wire.codec import Socket, encode
from leftzmq.wire.messages import IndexPage, IndexSince
from leftzmq.wire.page import Page, cut_pages
from tests.agents.test_hostile import Scene, has, says
from tests.helpers.changes import changes_of
from tests.helpers.stranger import Stranger, silent

FOLDERS = 30_000
FAT = 20_000
EDITS = 20
EDIT_S = 5.0  # of each, on a machine that does other things, too; alone: 250 ms
STATE_BYTES = 64 << 20


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path / "stage")
    yield scene
    scene.close()


class Flood:
    """The index of one stranger, said page by page as it is asked for."""

    def __init__(self, stranger: Stranger, actor: Actor, entries: list[Entry]) -> None:
        self._m, self._actor, head = stranger, actor, len(entries)
        self._frames: list[tuple[int, bytes]] = []
        for cut in cut_pages(changes_of(enumerate(entries, 1)), 0, head, head):
            about = (stranger.device, "share", stranger.life)
            page = Page(*about, cut.after, cut.last, head, True, cut.entries)
            frame = encode(IndexPage(stranger.keys.tag, stranger.seal(page)))
            self._frames.append((cut.after, frame))
        stranger.tells_index, stranger.greets, stranger.answer = False, False, silent
        stranger.entries = entries[:1] * head  # so many, as its hello says
        self._unsent: list[bytes] = []

    def begin(self) -> None:
        """Greet this one, and nobody else who dials it."""
        self._m.greets = True
        self._m.dial(self._actor)
        self._m.greets = False

    def turn(self) -> None:
        self._m.turn()
        for message in self._m.heard:
            if isinstance(message, IndexSince):
                after = message.after if message.life == self._m.life else 0
                self._unsent = [frame for at, frame in self._frames if at >= after][:16]
        self._m.heard.clear()
        while self._unsent:
            try:
                self._m.say(Socket.CONTROL, self._unsent[0])
            except zmq.ZMQError:
                return
            del self._unsent[0]


def entry(m: Stranger, number: int) -> Entry:
    return replace(m.folder(f"flood/{number:06d}"), vector=Vector.of([(m.life, number + 1)]))


def folders(m: Stranger) -> list[Entry]:
    top = replace(entry(m, 0), path="flood")
    return [top, *(entry(m, number) for number in range(1, FOLDERS))]


def fat(m: Stranger, number: int, chance: Random) -> Entry:
    """A file with a path of 4 KiB, and a vector of 64 writers."""
    parts = [f"{number:06d}", *(chance.randbytes(125).hex() for _ in range(16))]
    lives = [(Life(b"\1" + chance.randbytes(11)), 1) for _ in range(63)]
    return replace(
        m.file("/".join(parts)[:4090], b""),
        size=5,
        content=ContentId(chance.randbytes(32)),
        vector=Vector.of(sorted([*lives, (m.life, number + 1)])),
    )


def state_bytes(actor: Actor) -> int:
    return sum(file.stat().st_size for file in actor.state.iterdir() if file.is_file())


def edits(turn: Callable[[], None], writer: Actor, reader: Actor) -> list[float]:
    """Seconds until each of some edits of 4 KiB is there."""
    took = []
    for number in range(EDITS):
        path, data = f"zz edit {number % 4}", os.urandom(4096)
        (writer.share / path).write_bytes(data)
        began = monotonic()
        assert wait_until(lambda p=path, d=data: has(reader, p, d), 60.0, turn, 0.002)
        took.append(monotonic() - began)
    return sorted(took)


def figures(took: list[float]) -> str:
    return f"median {took[len(took) // 2] * 1000:.0f} ms, worst {took[-1] * 1000:.0f} ms"


def test_an_edit_waits_for_no_flood_of_folders(scene: Scene) -> None:
    (a, b), (m,) = scene.set("AB", 1)
    flood = Flood(m, a, folders(m))
    a.start()
    b.start()
    calm = edits(m.turn, b, a)
    flood.begin()
    assert wait_until(lambda: (a.share / "flood").exists(), 60.0, flood.turn)
    took = edits(flood.turn, b, a)
    made = sum(1 for _ in (a.share / "flood").iterdir())
    print(f"\nan edit: {figures(calm)}; in the flood: {figures(took)}; {made} folders were made")
    assert took[-1] < EDIT_S and made < FOLDERS
    assert a.runs and "Traceback" not in a.log_tail(500)


def test_fat_entries_are_kept_as_far_as_an_honest_device_might_have_them(scene: Scene) -> None:
    (a, b), (m,) = scene.set("AB", 1)
    chance = Random(1)
    flood = Flood(m, a, [fat(m, number, chance) for number in range(FAT)])
    a.start()
    b.start()
    flood.begin()
    larger = "the index of M0: is larger than we may keep"
    assert wait_until(lambda: says(a, larger, "index_entry_bytes"), 60.0, flood.turn)
    took = edits(flood.turn, b, a)
    print(f"\nstate directory: {state_bytes(a) >> 20} MiB; an edit: {figures(took)}")
    assert state_bytes(a) < STATE_BYTES and took[-1] < EDIT_S
    assert a.runs and "Traceback" not in a.log_tail(500)
