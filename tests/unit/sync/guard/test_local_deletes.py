"""Deletes of this device before they are told: what waits, for how long, and what is held."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
from msgspec import structs
from msgspec.structs import replace

from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.index.losses import LossCount
from leftzmq.index.store import Store
from leftzmq.sync.guard.local_deletes import CONFIRM_S, GATHER_MAX_S, LocalDeletes
from leftzmq.sync.guard.states import GuardState
from leftzmq.sync.guard.threshold import QUIET_S, Judged, Wave
from leftzmq.sync.scan.look_times import TouchedPaths
from leftzmq.sync.scan.walks import Walks
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.local_changes import found
from leftzmq.sync.versions.path_locks import LockOwner, PathLocks
from leftzmq.sync.versions.remote_changes import heard
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.tree.accepted import Accepted
from leftzmq.tree.entry import ContentId, Kind, Observed, ScanKey, local_change, tombstone
from leftzmq.tree.version import Life, make_life

COUNT = 200
WALL_NS = 1_700_000_000_000_000_000


class Side:
    """A folder of COUNT files, and a settler that is quiet when the test says so."""

    def __init__(self, tmp_path: Path) -> None:
        self.store = Store(tmp_path / "index.db")
        self.store.heads.begin_life(make_life(b"self", 1, b"aaaa"))
        self.index_view = IndexView(self.store)
        for number in range(COUNT):
            self.has(number)
        self.quiet = True
        self.locks = PathLocks()
        resolver = Resolver(self.index_view)
        self.local_deletes = LocalDeletes(
            self.index_view, self.locks, Wave(), Wave(), lambda: self.quiet, resolver.unhave
        )
        self.now = 1000.0

    def key(self, number: int) -> ScanKey:
        return ScanKey(Kind.FILE, 1, 1, 1, number + 10, False, 1)

    def has(self, number: int, name: str = "") -> None:
        seen = self.seen(name or f"f{number}", number)
        assert seen.observed is not None and seen.key is not None
        found(self.index_view, seen.observed, seen.key)

    def seen(self, path: str, number: int) -> Sighting:
        content = ContentId(b"%032d" % number)
        observed = Observed(path, Kind.FILE, 1, 1, False, content)
        return Sighting(path, Sight.FOUND, self.key(number), observed)

    def gone(self, *numbers: int) -> list[str]:
        """These are not there any more: the paths that go on."""
        sightings = tuple(Sighting(f"f{n}", Sight.GONE, self.key(n)) for n in numbers)
        return self.passed(sightings)

    def emptied(self, *numbers: int) -> list[str]:
        """These were cut to nothing: the paths that go on."""
        empty = ContentId(b"%032d" % 999_999)
        return self.passed(
            tuple(
                Sighting(
                    f"f{number}",
                    Sight.FOUND,
                    structs.replace(self.key(number), size=0),
                    Observed(f"f{number}", Kind.FILE, 0, 1, False, empty),
                )
                for number in numbers
            )
        )

    def passed(self, sightings: tuple[Sighting, ...]) -> list[str]:
        passed = self.local_deletes.pass_on(sightings, self.now, WALL_NS)
        return [sighting.path for sighting in passed]

    def judged(self, after_s: float = 0.0, back: Collection[str] = ()) -> int | None:
        """How many go on now; None: nothing is decided. back: paths that are there when they are
        looked at once more."""
        self.now += after_s
        for _ in range(100):
            passed = self.local_deletes.judge(self.now, WALL_NS)
            if passed is not None:
                again = [int(path[1:]) for path in self.local_deletes.look_again()]
                return len(passed) + len(self.gone(*(n for n in again if f"f{n}" not in back)))
            if self.local_deletes.state is not GuardState.JUDGING:
                return None
        raise AssertionError("it is never decided")


@pytest.fixture
def side(tmp_path: Path) -> Side:
    return Side(tmp_path)


def test_a_few_go_at_once(side: Side) -> None:
    assert side.gone(1, 2, 3) == ["f1", "f2", "f3"] and side.local_deletes.state is GuardState.OPEN


def test_more_wait_until_no_more_come(side: Side) -> None:
    assert side.gone(*range(50)) == []
    assert side.judged(QUIET_S / 2) is None
    assert side.gone(50) == []
    assert side.judged(QUIET_S * 0.9) is None, "one more came"
    assert side.judged(QUIET_S) == 51


def test_while_the_settler_reads_a_delete_may_be_a_rename(side: Side) -> None:
    side.quiet = False
    side.gone(*range(150))
    assert side.judged(QUIET_S * 3) is None and side.local_deletes.state is GuardState.GATHERING
    found = side.seen("new", 7)
    assert side.passed((found,)) == ["f7", "new"], "together: others make a rename of it"
    back = side.seen("f8", 8)
    assert side.passed((back,)) == ["f8"], "it was put back"
    for number in range(9, 150):
        assert len(side.passed((side.seen(f"n{number}", number),))) == 2
    side.quiet = True
    assert side.judged(QUIET_S) == 7, "f0 to f6 are no flood"


def test_what_the_applier_worked_at_meanwhile_is_looked_at_again(side: Side) -> None:
    side.emptied(*range(50))
    side.has(7, "f8")  # a version of another device came, and is on disk
    assert side.locks.lock("f9", LockOwner.APPLIER), "or is about to"
    side.now += QUIET_S
    passed = side.local_deletes.judge(side.now, WALL_NS)
    assert passed is not None and len(passed) == 48
    assert side.local_deletes.look_again() == ["f8", "f9"] and side.local_deletes.look_again() == []
    side.gone(*range(50, 100))
    side.has(7, "f60")
    assert side.passed((side.seen("new", 60),)) == ["new"]
    assert side.local_deletes.look_again() == ["f60"]


@pytest.mark.parametrize("back", [(), ("f3",), tuple(f"f{n}" for n in range(50))])
def test_what_was_put_back_while_it_waited_does_not_go(side: Side, back: tuple[str, ...]) -> None:
    side.gone(*range(50))
    assert side.judged(QUIET_S, back) == 50 - len(back)


def test_what_is_looked_at_once_more_still_counts(side: Side) -> None:
    side.gone(*range(70))
    side.now += QUIET_S
    assert side.local_deletes.judge(side.now, WALL_NS) == []
    side.gone(*range(70, 140))
    assert side.judged(QUIET_S) is None and side.local_deletes.state is GuardState.HELD


def test_what_comes_again_much_later_is_judged_anew(side: Side) -> None:
    side.gone(*range(50))
    side.now += QUIET_S
    assert side.local_deletes.judge(side.now, WALL_NS) == []
    side.now += CONFIRM_S
    assert side.gone(*range(50)) == []


def test_another_name_of_a_file_with_several_names_says_nothing_of_the_one_that_is_gone(
    side: Side,
) -> None:
    side.quiet = False
    side.gone(*range(50))
    other = side.seen("other", 7)
    assert other.key is not None
    assert side.passed((replace(other, key=structs.replace(other.key, links=2)),)) == ["other"]


def test_a_settler_that_always_reads_does_not_hold_it_open(side: Side) -> None:
    side.quiet = False
    side.gone(*range(150))
    assert (
        side.judged(GATHER_MAX_S - 1) is None and side.local_deletes.state is GuardState.GATHERING
    )
    assert side.judged(QUIET_S) is None and side.local_deletes.state is GuardState.HELD
    assert (side.local_deletes.judged.losses, side.local_deletes.judged.files) == (150, COUNT)


def test_what_is_held_is_not_kept(side: Side) -> None:
    side.gone(*range(150))
    side.judged(QUIET_S)
    assert side.local_deletes.state is GuardState.HELD
    assert side.gone(*range(160)) == []
    assert not side.local_deletes._pending and side.local_deletes.deadline() is None


def test_a_content_that_lives_on_was_moved(side: Side) -> None:
    for number in range(150):
        side.has(number, f"copy of {number}")
    side.gone(*range(150))
    assert side.judged(QUIET_S) == 150, "of 350 files"
    for number in range(160, 190):
        side.has(number, f"copy of {number}")
    assert side.local_deletes.wave.count(WALL_NS) == 0


@pytest.mark.parametrize("first, second, lifted", [(0, 150, False), (0, 10, True), (150, 0, True)])
def test_only_a_walk_that_began_after_it_was_held_lifts_it(
    side: Side, first: int, second: int, lifted: bool
) -> None:
    side.gone(*range(150))
    side.judged(QUIET_S)
    side.gone(*range(first))
    assert not side.local_deletes.on_walk_ended(), "it may have begun before"
    side.gone(*range(second))
    assert side.local_deletes.on_walk_ended() is lifted


def test_after_a_restart_the_first_walk_counts(side: Side) -> None:
    side.local_deletes.hold(Judged(150, COUNT))
    side.local_deletes.restarted()
    side.gone(*range(10))
    assert side.local_deletes.on_walk_ended()


def test_folders_are_no_suspects(side: Side) -> None:
    key = ScanKey(Kind.DIRECTORY, 0, 0, 0, 1, False, 0)
    folders = tuple(Sighting(f"d{n}", Sight.GONE, key) for n in range(150))
    assert len(side.passed(folders)) == 150


# ---- the count of what others deleted -----------------------------------------------------------


def test_what_others_deleted_is_counted_without_what_they_moved(side: Side) -> None:
    bit, other = 5, Life(make_life(b"them", 1, b"bbbb"))
    for number in range(90):
        row = side.index_view.ours(f"f{number}")
        assert row is not None
        entry = tombstone(row.entry, other, number + 1, WALL_NS)
        heard(side.index_view, bit, entry)
    for number in range(30):
        content = ContentId(b"%032d" % number)
        moved = Observed(f"moved {number}", Kind.FILE, 1, 1, False, content)
        heard(side.index_view, bit, local_change(moved, None, other, 100 + number))
    side.store.commit()
    assert side.index_view.counters.losses == 90
    assert _counted(side.store, 1 << bit) == 60
    assert _counted(side.store, 0) == 0, "nobody who can be asked has them"


def _counted(store: Store, reach: int) -> int:
    count = LossCount(reach, Accepted())
    for _ in range(100):
        if count.step(store):
            return count.files
    raise AssertionError("it is never counted")


# ---- walks ------------------------------------------------------------------------------------


def test_a_walk_of_everything_is_to_come_until_the_last_one_is_over() -> None:
    walks, nothing = Walks(), TouchedPaths()
    assert not walks.whole_to_come
    walks.start(0.0)
    assert walks.whole_to_come
    assert walks.step(room=True) == (1, "")
    walks.later("")
    walks.later("d")
    walks.stepped()
    walks.walked("")
    assert walks.prefixes_done(nothing) == [""] and walks.whole_to_come, "the second one"
    assert walks.step(room=True) == (2, "")
    walks.stepped()
    walks.walked("")
    assert walks.whole_to_come
    assert walks.prefixes_done(nothing) == [""] and not walks.whole_to_come


def test_everything_is_walked_soon_but_not_again_and_again() -> None:
    walks = Walks()
    walks.start(1000.0)
    walks.soon(1000.5)
    walks.soon(1001.0)
    assert walks.deadline() == 1060.0
    walks.on_time_passed(1060.0)
    walks.soon(1060.5)
    assert walks.deadline() == 1120.0
    walks.on_time_passed(1120.0)
    assert walks.deadline() == 4720.0
    walks.soon(3000.0)
    assert walks.deadline() == 3000.0
