"""What other devices say they have is kept as far as they could honestly have it and as far as the
disk of the state directory bears it; the rest waits, is shown, and comes when there is room."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.config import Limits
from leftzmq.errors import ProblemKind
from leftzmq.index import flush, schema
from leftzmq.index.flush import fits_bytes
from leftzmq.index.schema import CHECKPOINT_BYTES
from leftzmq.sync.exchange import announcer, index_client
from leftzmq.sync.exchange.index_quota import LOOK_PERIOD_S, SPARE_BYTES, IndexQuota
from leftzmq.sync.exchange.index_waits import RETRY_S
from leftzmq.sync.facts import PageArrived
from leftzmq.sync.jobs import IndexRoomSeen
from leftzmq.sync.link import Link, Way
from leftzmq.sync.versions.counters import Recount
from leftzmq.sync.versions.peer_counts import HeldCount, PeerCounts
from leftzmq.tree.accepted import NOTHING
from leftzmq.tree.entry import ContentId, Entry, Kind
from leftzmq.tree.version import Life, Vector
from leftzmq.wire.local import EventKind
from leftzmq.wire.page import Page, cut_pages
from tests.helpers.changes import changes_of
from tests.sim import node
from tests.sim.hostile import pairs
from tests.unit.sync.exchange.test_index_waits import Crowd

pytestmark = pytest.mark.slow

Made = tuple[int, str, int]
"""Number of the entry, its path, writers in its vector."""


class Index:
    """What one of the crowd has, said as it is asked for."""

    def __init__(self, crowd: Crowd, number: int, made: list[Made]) -> None:
        self.crowd, self.number, self.head = crowd, number, len(made)
        self.life = crowd._life(number, 1)
        chance = random.Random(number)
        self.entries = [self._entry(chance, *each) for each in made]
        crowd.greet(number, head=self.head)

    def _entry(self, chance: random.Random, number: int, path: str, writers: int) -> Entry:
        lives = [(Life(b"\xee" + chance.randbytes(11)), 1) for _ in range(writers - 1)]
        vector = Vector.unpack(pairs(*sorted([*lives, (self.life, number + 1)])))
        content = ContentId(chance.randbytes(32))
        return Entry(path, Kind.FILE, 5, 1, False, content, 0, vector, self.life, number, False)

    def answer(self) -> None:
        """What was asked last, as far as an answer goes."""
        key = self.crowd.keys[self.number]
        asked = self.crowd.asked.pop(key, None)
        if asked is None:
            return
        after = asked.after if asked.life == self.life else 0
        whole, rest = (
            asked.life != self.life,
            changes_of(enumerate(self.entries[after:], after + 1)),
        )
        for cut in cut_pages(rest, after, self.head, self.head)[:16]:
            about = (key, node.FOLDER, self.life, cut.after, cut.last, self.head)
            page = Page(*about, whole, cut.entries)
            self.crowd.handle(PageArrived(Link(key, Way.DIALED), page, True))

    def say_all(self, seconds: float = 20.0) -> None:
        for _ in range(int(seconds * 10)):
            self.answer()
            self.crowd.pass_time(0.1)

    @property
    def held(self) -> int:
        return self.crowd.device.store.heads.head_of(self.crowd.keys[self.number]).head


def thin(count: int, first: int = 0) -> list[Made]:
    return [(n, f"folder {n // 100}/file {n}", 1) for n in range(first, first + count)]


def fat(count: int) -> list[Made]:
    return [(n, f"{n:06d}/" + "/".join(["x" * 250] * 16), 64) for n in range(count)]


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    crowd = Crowd(tmp_path, 2)
    yield crowd
    crowd.device.end()


def shown(crowd: Crowd) -> list[tuple[str, ProblemKind]]:
    return [(problem.device, problem.kind) for problem in crowd.device.folder.problems.all()]


def limited(crowd: Crowd, limits: Limits) -> None:
    crowd.device.folder.index_client._index_quota = IndexQuota(node.FOLDER, limits)


def state_bytes(crowd: Crowd) -> int:
    return sum(file.stat().st_size for file in crowd.device.index_file.parent.glob("index.db*"))


def test_fat_entries_take_up_as_much_as_twice_as_many_honest_ones(crowd: Crowd) -> None:
    m, honest = Index(crowd, 0, fat(4_000)), Index(crowd, 1, thin(3_000))
    m.say_all(5.0)
    assert 500 < m.held < 4_000 and state_bytes(crowd) < 3 * SPARE_BYTES
    assert shown(crowd) == [("other-0", ProblemKind.INDEX_TOO_LARGE)]
    honest.say_all(5.0)
    assert honest.held == 3_000
    before = m.held
    m.say_all(3 * RETRY_S[ProblemKind.INDEX_TOO_LARGE])
    told = [each for each in crowd.device.events if each.kind is EventKind.PROBLEM]
    assert m.held == before and len(told) == 1, "asked again, and said once"


def test_entries_are_counted(crowd: Crowd) -> None:
    limited(crowd, Limits(index_entries=1_000))
    m = Index(crowd, 0, thin(3_000))
    m.say_all(5.0)
    assert 800 < m.held <= 1_000
    problem = crowd.device.folder.problems.all()[0]
    assert str(problem).startswith("the index of other-0: is larger than we may keep")
    assert "index_entries = 1000" in str(problem)
    limited(crowd, Limits(index_entries=5_000))
    m.say_all(2 * RETRY_S[ProblemKind.INDEX_TOO_LARGE])
    assert m.held == 3_000 and shown(crowd) == []


def test_an_index_that_changes_in_place_may_go_on(crowd: Crowd) -> None:
    limited(crowd, Limits(index_entries=1_000))
    again = [(n, path, 1) for n, (_, path, _) in enumerate([*thin(1_000)] * 3)]
    m = Index(crowd, 0, again)
    m.say_all(5.0)
    assert m.held == 3_000 and shown(crowd) == []


def test_what_each_says_is_counted_as_a_recount_would(crowd: Crowd) -> None:
    Index(crowd, 0, thin(700)).say_all(2.0)
    Index(crowd, 1, [*thin(300, 500), *fat(50)]).say_all(2.0)
    crowd.handle(PageArrived(*_whole_again(crowd)))
    crowd.pass_time(5.0)
    index_view, store = crowd.device.folder.index_view, crowd.device.store
    counted = Recount.whole(store, NOTHING).peer_counts
    for key in crowd.keys:
        mask = store.heads.head_of(key).mask
        assert index_view.peer_counts.held_by(mask) == counted.held_by(mask) != HeldCount()


def _whole_again(crowd: Crowd) -> tuple[Link, Page, bool]:
    """The first page of another whole index of the first device, which is asked for."""
    key, life = crowd.keys[0], crowd._life(0, 2)
    crowd.greet(0, generation=2, head=1)
    vector = Vector.unpack(pairs((life, 1)))
    entry = Entry("new", Kind.FILE, 5, 1, False, ContentId(bytes(32)), 0, vector, life, 1, False)
    page = Page(key, node.FOLDER, life, 0, 1, 1, True, (entry,))
    return Link(key, Way.DIALED), page, True


def test_without_room_on_its_disk_nothing_is_stored_and_it_goes_on_by_itself(crowd: Crowd) -> None:
    room = 12 << 20
    crowd.device.runner._index_room = lambda file, percent: room - state_bytes(crowd)
    m = Index(crowd, 0, thin(80_000))
    m.say_all(10.0)
    assert 0 < m.held < 80_000 and state_bytes(crowd) < room + (2 << 20)
    assert shown(crowd) == [("other-0", ProblemKind.INDEX_NO_ROOM)]
    before = -1
    while m.held != before:  # the -wal gets shorter when nothing comes: then there is some room
        before = m.held
        m.say_all(5 * LOOK_PERIOD_S)
        assert m.held < 80_000 and state_bytes(crowd) < room + (4 << 20)
    assert shown(crowd) == [("other-0", ProblemKind.INDEX_NO_ROOM)]
    room = 1 << 40
    m.say_all(5 * LOOK_PERIOD_S)
    assert m.held == 80_000 and shown(crowd) == []


def test_the_log_is_checkpointed_while_others_say_much(
    crowd: Crowd,
) -> None:
    """Nothing of it gets a sequence of ours, for which the index would be flushed."""
    m = Index(crowd, 0, [*thin(60_000)])
    longest = 0
    for _ in range(200):
        m.answer()
        wal = crowd.device.index_file.with_name("index.db-wal")
        longest = max(longest, wal.stat().st_size)
        crowd.pass_time(0.1)
    assert m.held == 60_000 and longest < 2 * CHECKPOINT_BYTES


def test_while_the_log_is_long_nobody_is_asked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_client, "BEHIND_BYTES", 400_000)
    for module in (schema, flush, announcer):
        monkeypatch.setattr(module, "CHECKPOINT_BYTES", 100_000)
    crowd = Crowd(tmp_path, 1)
    crowd.hold = True
    m = Index(crowd, 0, thin(20_000))
    m.say_all(3.0)
    stands = m.held
    m.say_all(3.0)
    assert 0 < m.held == stands < 5_000
    crowd.hold = False
    crowd.run_jobs()
    m.say_all(40.0)
    assert m.held == 20_000 and shown(crowd) == []
    crowd.device.end()


def test_how_much_fits(tmp_path: Path) -> None:
    all_of_it = fits_bytes(tmp_path / "index.db", 0)
    assert 0 < fits_bytes(tmp_path / "index.db", 1) < all_of_it
    assert fits_bytes(tmp_path / "index.db", 100) <= 0


def test_room_is_looked_for_at_the_first_page_and_then_by_what_was_said() -> None:
    index_quota = IndexQuota("share", Limits())
    assert (
        index_quota.deadline() is None
        and index_quota.on_time_passed(5.0) == []
        and index_quota.is_left
    )
    index_quota.spend(100, 5.0)
    assert len(index_quota.on_time_passed(5.0)) == 1 and index_quota.on_time_passed(5.0) == []
    index_quota.on_index_room_seen(IndexRoomSeen("share", 1_000), 5.1)
    index_quota.spend(300, 6.0)
    assert index_quota.is_left and index_quota.deadline() is None
    index_quota.spend(300, 6.0)
    assert not index_quota.is_left and len(index_quota.on_time_passed(6.0)) == 1, (
        "as far as it was seen"
    )
    index_quota.on_index_room_seen(IndexRoomSeen("share", 0), 6.1)
    assert not index_quota.is_left and index_quota.deadline() == 6.1 + LOOK_PERIOD_S


def test_nothing_is_held_of_what_went() -> None:
    assert PeerCounts().held_by(-1) == HeldCount()
