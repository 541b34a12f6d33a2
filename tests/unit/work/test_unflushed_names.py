"""What a power cut may take back is flushed before it is believed (work/unflushed_names)."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.errors import ProblemKind
from leftzmq.work.unflushed_names import FlushBatch, UnflushedNames
from tests.sim.disk import Disk
from tests.sim.fs import Calls, SimRoot
from tests.sim.hands import Hands


class Place:
    """A share with folders, of which the calls that fail are named, and the others are kept."""

    def __init__(self) -> None:
        self.disk = Disk(lambda: 0)
        self.hands = Hands(self.disk)
        for path in ("a", "a/b", "c"):
            self.hands.make_folder(path)
        calls = Calls(self.disk)
        calls.before = self._before
        self.root = SimRoot(calls)
        self.fails: dict[str, int] = {}
        self.calls: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None  # at each flush

    def _before(self, call: str, path: str) -> None:
        name = f"{call} {path}".strip()
        if name in self.fails:
            raise OSError(self.fails[name], os.strerror(self.fails[name]))
        self.calls.append(name)
        if call == "flush folder":
            self.meanwhile()

    def sights(self, unflushed_names: UnflushedNames, *seen: Sighting) -> list[Sight]:
        self.calls.clear()
        return [each.sight for each in unflushed_names.believed(self.root, "share", seen)]


@pytest.fixture
def place() -> Place:
    return Place()


BELOW = Sighting("a/b/f", Sight.FOUND)
GONE = Sighting("a/g", Sight.GONE)
ELSEWHERE = Sighting("c/f", Sight.LARGE)


def test_nothing_is_flushed_where_nothing_failed(place: Place) -> None:
    assert place.sights(UnflushedNames(), BELOW, GONE) == [Sight.FOUND, Sight.GONE]
    assert not place.calls


def test_what_lies_below_is_believed_when_the_flush_works_again(place: Place) -> None:
    unflushed_names = UnflushedNames()
    unflushed_names.flush_failed("a", ["a/b", "c/other"])
    place.fails = {"flush folder": errno.EIO}
    other = Sighting("c/other", Sight.FOUND)  # its bytes went to or from there
    seen = unflushed_names.believed(place.root, "share", (BELOW, GONE, ELSEWHERE, other))
    assert [each.sight for each in seen] == [
        Sight.PROBLEM,
        Sight.PROBLEM,
        Sight.LARGE,
        Sight.PROBLEM,
    ]
    assert seen[0].problem is not None and seen[0].problem.kind is ProblemKind.FLUSH_FAILED
    place.fails = {}
    assert place.sights(unflushed_names, ELSEWHERE) == [Sight.LARGE] and not place.calls
    assert place.sights(unflushed_names, BELOW) == [Sight.FOUND]
    assert place.calls == ["open folder a", "flush folder"]
    assert place.sights(unflushed_names, GONE) == [Sight.GONE] and not place.calls


def test_what_the_index_says_already_asks_for_no_flush(place: Place) -> None:
    unflushed_names = UnflushedNames(everything=True)
    unflushed_names.flush_failed("a", ["a/b"])
    old = (Sighting("a/b/f", Sight.SAME), Sighting("a/r", Sight.RESTLESS))
    assert place.sights(unflushed_names, *old) == [Sight.SAME, Sight.RESTLESS] and not place.calls


def test_too_few_descriptors_say_nothing_of_a_path(place: Place) -> None:
    unflushed_names = UnflushedNames()
    unflushed_names.flush_failed("a", ["a/b"])
    place.fails = {"open folder a": errno.EMFILE}
    with pytest.raises(OSError, match="Too many open files"):
        place.sights(unflushed_names, BELOW)
    place.fails = {}
    assert place.sights(unflushed_names, BELOW) == [Sight.FOUND] and place.calls


def test_a_folder_that_has_another_name_now_is_flushed_with_everything(place: Place) -> None:
    unflushed_names = UnflushedNames()
    unflushed_names.flush_failed("a/b", ["a/b/f"])
    place.hands.rename("a/b", "c/d")
    assert place.sights(unflushed_names, BELOW) == [Sight.FOUND]
    assert place.calls == ["open folder a/b", "flush all"]


def test_where_another_folder_has_its_name_now_everything_is_flushed(place: Place) -> None:
    unflushed_names = UnflushedNames()
    failed = place.root.folder("a/b").identity()
    FlushBatch(unflushed_names, [("a/b/f",)]).unflushed(
        "a/b", frozenset((0,)), frozenset((failed,))
    )
    assert place.sights(unflushed_names, ELSEWHERE) == [Sight.LARGE] and not place.calls
    place.hands.rename("a/b", "c/d")
    place.hands.make_folder("a/b")
    assert place.sights(unflushed_names, BELOW) == [Sight.FOUND]
    assert place.calls == ["open folder a/b", "flush folder", "flush all"]


def test_what_an_earlier_life_left_is_flushed_once(place: Place) -> None:
    unflushed_names = UnflushedNames(everything=True)
    place.fails = {"flush all": errno.EIO}
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output"):
            place.sights(unflushed_names, GONE)
    place.fails = {}
    assert place.sights(unflushed_names, GONE) == [Sight.GONE] and place.calls == ["flush all"]
    assert (
        place.sights(unflushed_names, GONE, BELOW) == [Sight.GONE, Sight.FOUND] and not place.calls
    )


def test_an_error_of_everything_is_told_to_one_only_so_nothing_goes_together_after_it(
    place: Place,
) -> None:
    share = UnflushedNames()
    one, other = FlushBatch(share, [("a/f",)]), FlushBatch(share, [("c/f",)])
    assert one.together and other.together
    other.flush_all(place.root)
    place.fails = {"flush all": errno.EIO}
    with pytest.raises(OSError, match="Input/output"):
        one.flush_all(place.root)
    place.fails = {}
    with pytest.raises(OSError, match="another flush of everything failed"):
        other.flush_all(place.root)  # it began while they went together
    assert not (one.together or other.together)


def test_names_are_flushed_together_also_then(place: Place) -> None:
    share = UnflushedNames(everything=True)
    place.fails = {"flush all": errno.EIO}
    with pytest.raises(OSError, match="Input/output"):
        place.sights(share, BELOW)
    place.fails = {}
    assert place.sights(share, BELOW) == [Sight.FOUND] and not share.together


def test_a_batch_names_the_paths_of_its_operations(place: Place) -> None:
    share = UnflushedNames()
    FlushBatch(share, [("c/x",), ("a/b/y", "c/z")]).unflushed("a/b", frozenset((1,)), frozenset())
    place.fails = {"flush folder": errno.EIO}
    seen = [Sighting(path, Sight.GONE) for path in ("c/x", "a/b/y", "c/z", "a/b/other", "a/y")]
    told = [Sight.GONE, Sight.PROBLEM, Sight.PROBLEM, Sight.PROBLEM, Sight.GONE]
    assert place.sights(share, *seen) == told


def test_what_fails_again_while_it_is_flushed_stays_in_doubt(place: Place) -> None:
    unflushed_names = UnflushedNames()
    unflushed_names.flush_failed("a", ["a/b"])
    place.meanwhile = lambda: unflushed_names.flush_failed("a", ["a/b"])
    for _ in range(2):
        assert place.sights(unflushed_names, BELOW) == [Sight.FOUND] and place.calls
