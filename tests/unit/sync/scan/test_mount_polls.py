"""sync/scan/scheduler and mounts: when the Problem of one that was away is over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from leftzmq.config import PATIENCE_S
from leftzmq.content.keys import derive_keys
from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.store import Store
from leftzmq.sync.actions import Action, Work
from leftzmq.sync.facts import Fact, MountChanged, PathsTouched, Touch
from leftzmq.sync.jobs import Look, Looked, Walk, Walked
from leftzmq.sync.problems import Problems
from leftzmq.sync.scan.keeping import Keeping
from leftzmq.sync.scan.look_times import QUIET_S
from leftzmq.sync.scan.mount_polls import LOOK_PERIOD_S, MOUNTS
from leftzmq.sync.scan.scheduler import Scheduler
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.tree.entry import ContentId, Kind, Observed, ScanKey

GONE = Problem("share", "m", ProblemKind.MOUNT_GONE)
IN_DOUBT = Problem("share", "m", ProblemKind.UNREADABLE, "cannot be told")


class Scene:
    def __init__(self, state: Path) -> None:
        self.store = Store(state / "index.db")
        self.store.put_meta(MOUNTS, b"m")
        self.problems = Problems("share")
        keys = derive_keys(bytes(32))
        self.scheduler = Scheduler(
            "share",
            self.store,
            keys,
            PathLocks(),
            self.problems,
            Keeping("share", IndexView(self.store), self.problems),
            lambda: True,
            lambda found: [],
            lambda modes: None,
        )
        self.walked(self.scheduler.start(0.0), came=("m",))

    def walked(self, out: Sequence[Action | Fact], *, came: tuple[str, ...] = ()) -> None:
        """The walk that was asked for finds nothing that changed."""
        (walk,) = [a.job for a in out if isinstance(a, Work) and isinstance(a.job, Walk)]
        done = Walked("share", walk.walk, walk.prefix, (), 1, (), (), True, came=came, mounts=b"m")
        self.scheduler.on_walked(done, 1.0)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_look_that_began_while_it_was_away_is_answered_after_the_walk_that_found_it(
    scene: Scene,
) -> None:
    scene.scheduler.on_paths_touched(PathsTouched("share", (("m/f", Touch.GONE),)), 1.0)
    scene.scheduler.on_time_passed(2.0)
    scene.scheduler.on_looked(
        Looked("share", (Sighting("m/f", Sight.PROBLEM, problem=GONE),), ()), 2.0
    )
    assert scene.problems.problem_of("m") is GONE
    scene.walked(scene.scheduler.on_time_passed(2.0 + LOOK_PERIOD_S))
    assert not scene.problems.all()


def test_it_stays_while_walks_find_it_away(scene: Scene) -> None:
    scene.scheduler.on_paths_touched(PathsTouched("share", (("m/f", Touch.GONE),)), 1.0)
    scene.scheduler.on_time_passed(2.0)
    scene.scheduler.on_looked(
        Looked("share", (Sighting("m/f", Sight.PROBLEM, problem=GONE),), ()), 2.0
    )
    out = scene.scheduler.on_time_passed(2.0 + LOOK_PERIOD_S)
    (walk,) = [a.job for a in out if isinstance(a, Work) and isinstance(a.job, Walk)]
    scene.scheduler.on_walked(
        Walked("share", walk.walk, "m", (), 1, (GONE,), (), True, mounts=b"m"), 13.0
    )
    assert scene.problems.problem_of("m") is GONE


@pytest.mark.parametrize("why", [GONE, IN_DOUBT], ids=["gone", "in doubt"])
def test_a_file_that_is_written_is_not_known_to_be_while_its_mount_is_away(
    scene: Scene, why: Problem
) -> None:
    """Nothing tells when it is not any more: it is as our index has it when the mount is back."""
    scheduler, bound = scene.scheduler, 1.0 + PATIENCE_S
    scheduler.on_paths_touched(PathsTouched("share", (("m/f", Touch.MODIFIED),)), 1.0)
    scheduler.on_time_passed(bound)
    key = ScanKey(Kind.FILE, 1, 5, 5, 7, False, 1)
    found = Observed("m/f", Kind.FILE, 1, 5, False, ContentId(bytes(32)))
    scheduler.on_looked(
        Looked("share", (Sighting("m/f", Sight.FOUND, key, found, age_ns=1),), ()), bound
    )
    assert scene.problems.kind_of("m/f") is ProblemKind.BEING_WRITTEN
    scheduler.on_time_passed(bound + QUIET_S)
    scheduler.on_looked(
        Looked("share", (Sighting("m/f", Sight.PROBLEM, problem=why),), ()), bound + QUIET_S
    )
    assert scene.problems.all() == [why]


def test_what_is_known_of_a_file_is_known_while_its_mount_is_away(scene: Scene) -> None:
    """A stat does not tell that it is solved, nor does the mount that is missing."""
    rotten = Problem("share", "m/f", ProblemKind.ROTTEN)
    scene.problems.show(rotten)
    scene.scheduler.on_paths_touched(PathsTouched("share", (("m/f", Touch.GONE),)), 1.0)
    scene.scheduler.on_time_passed(2.0)
    scene.scheduler.on_looked(
        Looked("share", (Sighting("m/f", Sight.PROBLEM, problem=GONE),), ()), 2.0
    )
    assert scene.problems.all() == [rotten, GONE]


def walks(out: Sequence[Action | Fact]) -> list[Walk]:
    return [a.job for a in out if isinstance(a, Work) and isinstance(a.job, Walk)]


def test_what_is_mounted_is_walked_at_once_and_not_polled(scene: Scene) -> None:
    (walk,) = walks(scene.scheduler.on_mount_changed(MountChanged("share", "n"), 5.0))
    assert walk.prefix == "n"
    done = Walked("share", walk.walk, "n", (), 1, (), (), True, came=("n",), mounts=b"m\0n")
    scene.scheduler.on_walked(done, 5.0)
    assert not scene.scheduler.walks.polls


def test_what_nobody_told_of_is_polled(scene: Scene) -> None:
    (walk,) = walks(scene.scheduler.walk_all(5.0))
    done = Walked("share", walk.walk, "", (), 1, (), (), True, came=("n",), mounts=b"m\0n")
    scene.scheduler.on_walked(done, 5.0)
    assert scene.scheduler.walks.polls


def test_a_change_at_the_share_itself_is_looked_at_and_not_walked(scene: Scene) -> None:
    out = scene.scheduler.on_mount_changed(MountChanged("share", ""), 5.0)
    (look,) = [action.job for action in out if isinstance(action, Work)]
    assert isinstance(look, Look) and look.paths == ("",)


@pytest.mark.parametrize(("path", "expected"), [("on top", ["on top"]), ("m", [])])
def test_what_a_look_missed_is_walked_if_no_walk_has_found_it(
    scene: Scene, path: str, expected: list[str]
) -> None:
    """Those that are known are looked for all the time."""
    scene.scheduler.on_paths_touched(PathsTouched("share", ((f"{path}/f", Touch.GONE),)), 2.0)
    scene.scheduler.on_time_passed(3.0)
    gone = Problem("share", path, ProblemKind.MOUNT_GONE, f"{path}/f")
    seen = Sighting(f"{path}/f", Sight.PROBLEM, problem=gone)
    out = scene.scheduler.on_looked(Looked("share", (seen,), ()), 4.0)
    assert [walk.prefix for walk in walks(out)] == expected
