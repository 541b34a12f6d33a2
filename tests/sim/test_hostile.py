"""A hostile device in the simulation: what it leaves behind is bearable, and who was refused was
named. A longer run: python -m tests.sim --hostile --seeds 0:5000"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leftzmq.content import seal
from leftzmq.errors import ProblemKind, Refusal
from leftzmq.sync.facts import ChunksArrived
from leftzmq.sync.jobs import Job, ReadPage
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.tree.entry import Entry
from leftzmq.wire import check
from leftzmq.wire.messages import Chunks
from leftzmq.work import fetch_jobs
from tests.helpers.version_worlds import DAY_NS
from tests.sim.besieged import alone, besieged, endure, go_on, siege_of
from tests.sim.hostile import MTIME, SIZE, STAMP, VECTOR, changed, pairs
from tests.sim.lies import LIES
from tests.sim.siege import Siege
from tests.sim.world import SimDevice

SEEDS = 25
SEEDS_A_TEST = 25


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_whatever_a_hostile_device_says_is_bearable(first: int) -> None:
    for seed in range(first, first + SEEDS_A_TEST):
        outcome = endure(siege_of(seed))
        if outcome.broken is not None:
            pytest.fail(f"seed {seed}: {outcome.law}: {outcome.broken}", pytrace=False)
        if seed % SEEDS_A_TEST == 0:
            assert endure(siege_of(seed)).digest == outcome.digest, f"I12: seed {seed}"


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_alone(lie: str) -> None:
    """In one of three stories, each day in another one."""
    seed = time.time_ns() // DAY_NS % 3
    broken = endure(alone(seed, lie)).broken
    assert broken is None, f"{seed}: {broken}"


# ---- single stories ----------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Siege]:
    with besieged(tmp_path) as world:
        world.arrive()
        go_on(world)
        yield world


def writes(device: SimDevice, path: str, data: bytes) -> None:
    assert device.hands.write(path, data)
    device.touched()
    go_on(device.world)  # type: ignore[arg-type]


def reads(device: SimDevice, path: str) -> bytes | None:
    inode = device.hands.at(path)
    return bytes(inode.data) if inode is not None else None


def test_chunks_of_a_device_that_was_removed_meanwhile_are_dropped(world: Siege) -> None:
    a = world.devices["A"]
    link = Link(DeviceKey(b"removed".ljust(32, b"-")), Way.CAME, b"\0\0\0\0\1")
    a.take(ChunksArrived(link, Chunks(1, a.keys.tag, [], [bytes(32)]), b""))
    assert a.alive and not world.refused


def test_a_version_from_the_end_of_all_times_keeps_nobody_from_editing(world: Siege) -> None:
    a, b = world.devices.values()
    writes(a, "f", b"first")
    entry = world.hostile.known["A"].entries["f"]
    last = world.hostile.above(world.hostile.file("f", b"the last word"), entry)
    for device in (a, b):
        world.hostile.offer(device, changed(last, {STAMP: 2**62, MTIME: 2**62}))
    go_on(world)
    for device in (a, b):
        shown = device.folder.problems.problem_of("f")
        assert shown is not None and shown.kind is ProblemKind.FAR_FUTURE
    writes(a, "f", b"second")
    writes(b, "f", b"third")
    assert reads(a, "f") == reads(b, "f") == b"third" and not world.refused


@pytest.mark.parametrize("stamp", [2**62 - 2**40, 2**62 - 2**40 + 2**16])
def test_above_the_latest_version_that_is_taken_there_is_room(world: Siege, stamp: int) -> None:
    a, b = world.devices.values()
    for device in (a, b):
        world.hostile.offer(device, changed(world.hostile.file("f", b"late"), {STAMP: stamp}))
    go_on(world)
    assert reads(a, "f") == reads(b, "f") == b"late"
    writes(a, "f", b"second")
    writes(b, "f", b"third")
    assert reads(a, "f") == reads(b, "f") == b"third"


def test_a_clock_from_after_the_end_deletes_like_any_other(world: Siege) -> None:
    a, b = world.devices.values()
    writes(a, "f", b"first")
    a.skew_ns += 2**62
    assert a.hands.delete("f")
    a.touched()
    go_on(world)
    assert reads(b, "f") is None


def test_another_size_of_bytes_that_all_have_is_not_believed(tmp_path: Path) -> None:
    with besieged(tmp_path, "ABC") as world:
        a, b, c = world.devices.values()
        c.stop()
        writes(a, "f", b"first")
        world.arrive()
        go_on(world)
        entry = world.hostile.known["A"].entries["f"]
        lie = changed(world.hostile.file("f", b"first"), {SIZE: 6, MTIME: entry.mtime_ns})
        for device in (a, b):
            world.hostile.offer(device, changed(lie, {STAMP: entry.stamp + 1}))
        go_on(world)
        assert {("A", Refusal.WRONG_ID), ("B", Refusal.WRONG_ID)} == set(world.refused)
        world.leave()
        c.start()
        go_on(world, 20.0)
        assert reads(c, "f") == b"first"


def test_an_index_that_begins_anew_without_end_ends_for_its_sender(world: Siege) -> None:
    a, b = world.devices.values()
    world.hostile.manner = 1.0
    for device in (a, b):
        world.hostile.lie_about_index(device, 100)
        gap = world.hostile.fields([], 2**52, 2**52, head=2**52)
        world.hostile.page(device, gap)  # it asks; while it waits for the answer
        world.hostile.lie_about_index(device, 100)
    go_on(world)
    assert {("A", Refusal.TOO_OFTEN), ("B", Refusal.TOO_OFTEN)} == set(world.refused)
    writes(a, "f", b"first")
    assert reads(b, "f") == b"first"


SAID: dict[str, Refusal] = {
    "older": Refusal.BAD_PAGE,
    "greedy": Refusal.TOO_GREEDY,
}


@pytest.mark.parametrize(("lie", "refusal"), SAID.items())
def test_what_only_a_machine_can_see_is_refused_by_name(
    world: Siege, lie: str, refusal: Refusal
) -> None:
    LIES[lie](world.hostile, world.devices["A"], random.Random(1))
    go_on(world)
    assert world.refused == [("A", refusal)]
    told = [tell for tell in world.devices["A"].events if tell.fields.get("device") == "M"]
    assert told


def test_questions_for_nothing_without_end_are_too_many(world: Siege) -> None:
    m, a = world.hostile, world.devices["A"]
    m.greet(a)
    nothing = [bytes(32), 0, 0]
    for number in range(40):
        m.bulk(a, [17, number, m.keys.tag, [], [[bytes(32), [nothing] * 1024]]])
    go_on(world)
    assert world.refused == [("A", Refusal.TOO_GREEDY)]


def test_an_index_that_is_asked_for_without_end_is_read_a_page_at_a_time(
    world: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    m, a, b = world.hostile, *world.devices.values()
    writes(a, "f", b"first")
    read: list[ReadPage] = []
    queue = a.queue

    def counted(job: Job) -> None:
        if isinstance(job, ReadPage):
            read.append(job)
            assert sum(isinstance(each, ReadPage) for each in a.waiting_jobs()) <= 1
        queue(job)

    monkeypatch.setattr(a, "queue", counted)
    for number in range(200):
        m.control(a, [4, m.keys.tag, m.known["A"].life, number % 3])
    go_on(world, 20.0)
    assert 1 <= len(read) <= 200 and not world.refused
    known = m.known["A"]
    known.entries.clear()
    m.control(a, [4, m.keys.tag, bytes(12), 0])
    go_on(world)
    assert "f" in known.entries
    writes(b, "f", b"second")
    assert reads(a, "f") == b"second"


def test_an_answer_with_what_was_not_asked_for_is_refused_by_name(world: Siege) -> None:
    m, a = world.hostile, world.devices["A"]
    m.manner = 0.0
    m.serve = lambda device, get: m.give(device, get, {bytes(32): b"you will like this"})
    m.offer(a, m.file("f", b"wanted"))
    go_on(world)
    assert world.refused == [("A", Refusal.UNASKED)] and reads(a, "f") is None


def test_what_was_never_held_is_missing_and_nothing_else_is_said(world: Siege) -> None:
    m, a = world.hostile, world.devices["A"]
    writes(a, "f", b"first")
    m.greet(a)
    held = bytes(m.known["A"].entries["f"].content)
    heard: list[Chunks] = []
    m.heard_chunks = heard.append
    for content, id, offset, length in (
        (held, held, 0, 6),
        (held, held, 1, 4),
        (held, bytes(32), 0, 5),
        (bytes(32), held, 0, 4),
        (bytes(32), bytes(32), 2**60, 1 << 20),
    ):
        m.bulk(a, [17, len(heard), m.keys.tag, [id], [[content, [[id, offset, length]]]]])
        go_on(world, 1.0)
    assert len(heard) == 10 and all(not chunks.parts for chunks in heard)
    m.bulk(a, [17, 99, m.keys.tag, [], [[held, [[held, 0, 5]]]]])
    go_on(world, 1.0)
    assert [part.id for part in heard[-1].parts] == [held]


def test_a_name_of_ours_that_was_never_given_takes_nothing_from_a_user(world: Siege) -> None:
    """Vectors that have seen our life at numbers we never gave: ours counts as seen, so its bytes
    go to the trash; what a user writes then is above."""
    m, a, b = world.hostile, *world.devices.values()
    writes(a, "f", b"first")
    life, entry = m.known["A"].life, m.known["A"].entries["f"]
    ahead = {life: 2**53, m.life: m.head + 1}
    lie = changed(
        m.file("f", b"lie"), {STAMP: entry.stamp + 1, VECTOR: pairs(*sorted(ahead.items()))}
    )
    for device in (a, b):
        m.offer(device, lie)
    go_on(world)
    assert reads(a, "f") == reads(b, "f") == b"lie"
    assert b"first" in [bytes(inode.data) for _, inode in a.disk.everything()]
    writes(a, "f", b"second")
    assert reads(b, "f") == b"second"


@pytest.mark.parametrize(
    ("count", "size"), [(16, 300_000), (2, 20_000_000), (18, 300_000), (600, 1000), (300, 30_000)]
)
def test_files_that_are_announced_and_never_given_keep_nobody_elses(
    world: Siege, count: int, size: int
) -> None:
    m, a, b = world.hostile, *world.devices.values()
    for first in range(0, count, 100):
        numbers = range(first, min(count, first + 100))
        said = [m.withholds(f"a{number}", size) for number in numbers]
        for device in (a, b):
            m.offer(device, *said)
    go_on(world)
    assert m.asked and not world.refused
    for path, data in (("z", b"small"), ("z large", random.Random(1).randbytes(900_000))):
        writes(a, path, data)
        assert reads(b, path) == data


# A simulation that finds nothing is suspect: what it finds, when something is taken out.


def _any_path(path: str) -> str:
    return path


def _no_leaps(self: Entry, ours: Entry | None) -> bool:
    return False


def _by_content(self: Entry, other: Entry) -> bool:
    mine, theirs = (
        (self.kind, self.content, self.deleted),
        (other.kind, other.content, other.deleted),
    )
    return mine == theirs


def _unchecked(keys: Any, epoch: Any, id: bytes, box: Any, length: int) -> bytes:
    return seal._open(box, id[: seal.NONCE_BYTES], epoch.seal_key, id).ljust(length, b"\0")


TAKEN_OUT: list[tuple[object, str, object, set[str], int]] = [
    (check, "check_path", _any_path, {"refusal"}, 1),
    (Entry, "leaps", _no_leaps, {"Refused", "I1", "AssertionError", "Dropped"}, 3),
    (Entry, "same_content", _by_content, {"I8"}, 26),
    (fetch_jobs, "open_chunk", _unchecked, {"I4"}, 83),
]
"""The last number is the seed with which the search begins: it was the first to find it."""


@pytest.mark.parametrize(("where", "what", "instead", "broken", "first"), TAKEN_OUT)
def test_what_is_taken_out_is_found(
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    what: str,
    instead: object,
    broken: set[str],
    first: int,
) -> None:
    monkeypatch.setattr(where, what, instead)
    for seed in range(first, 200):
        outcome = endure(siege_of(seed))
        if outcome.broken is not None:
            assert outcome.law in broken, outcome.broken
            return
    pytest.fail("not found in 200 seeds")
