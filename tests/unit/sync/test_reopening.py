"""sync/reopening: a folder that is stopped goes on by itself when what stopped it has passed."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leftzmq.disk.fs.real import RealDirectory, RealFile, RealRoot
from leftzmq.errors import Stop, StopCause
from leftzmq.sync.actions import TakeOver, Work
from leftzmq.sync.facts import FolderAdded, FolderStopped, WatchLost
from leftzmq.sync.jobs import Apply, FolderOpened, Job, OpenFolder
from leftzmq.sync.reopening import (
    LOOK_PERIOD_MAX_S,
    LOOK_PERIOD_S,
    MOVES,
    STANDS_S,
    FolderMove,
    FolderRest,
    Reopening,
)
from leftzmq.wire.local import EventKind
from tests.helpers.mesh import Device, Held, Mesh

pytestmark = pytest.mark.slow

AWAY = Stop(StopCause.SHARE_AWAY, "it is away")
BROKEN = Stop(StopCause.INDEX_BROKEN, "it is broken")


# -- the machine -----------------------------------------------------------------------------------


def test_every_move_from_every_state_is_in_the_table() -> None:
    assert set(MOVES) == set(itertools.product(FolderRest, FolderMove))
    assert all(MOVES[FolderRest.OVER, move] is FolderRest.OVER for move in FolderMove)


def test_only_a_broken_index_and_removals_are_for_good() -> None:
    for_good = [cause for cause in StopCause if not cause.can_pass]
    assert for_good == [StopCause.INDEX_BROKEN, StopCause.REMOVED, StopCause.PUT_OUT]


@pytest.mark.parametrize("moment", ["running", "resting", "opening"])
def test_a_folder_that_is_removed_is_never_opened_again(moment: str) -> None:
    reopening = Reopening()
    if moment != "running":
        reopening.on_folder_stopped(FolderStopped("a", AWAY), 0.0)
    if moment == "opening":
        assert reopening.on_time_passed(LOOK_PERIOD_S) == [Work(OpenFolder("a"))]
    reopening.on_folder_stopped(FolderStopped("a", Stop(StopCause.REMOVED, "off")), 5.0)
    assert reopening.on_folder_opened(FolderOpened("a", None), 6.0) == []
    assert reopening.on_time_passed(1e6) == [] and reopening.deadline() is None
    reopening.on_folder_added(FolderAdded("a"), 2e6)
    assert reopening.on_time_passed(2e6) == [Work(OpenFolder("a"))], "but for one that is added"


def test_it_is_looked_at_again_when_it_has_rested_and_its_jobs_have_ended() -> None:
    reopening = Reopening()
    reopening.job_begins("a")
    reopening.job_begins("a")
    reopening.on_folder_stopped(FolderStopped("a", AWAY), 10.0)
    reopening.job_ended("a")
    assert reopening.deadline() is None and reopening.on_time_passed(100.0) == []
    reopening.job_ended("a")
    assert reopening.deadline() == 10.0 + LOOK_PERIOD_S
    assert reopening.on_time_passed(10.0 + LOOK_PERIOD_S - 0.1) == []
    assert reopening.on_time_passed(10.0 + LOOK_PERIOD_S) == [Work(OpenFolder("a"))]
    assert reopening.on_time_passed(100.0) == [] and reopening.deadline() is None
    assert reopening.on_folder_opened(FolderOpened("a", AWAY), 20.0) == []
    assert reopening.on_time_passed(20.0 + LOOK_PERIOD_S) == [Work(OpenFolder("a"))]
    assert reopening.on_folder_opened(FolderOpened("a", None), 30.0) == [TakeOver("a")]
    assert reopening.deadline() is None


def test_what_stops_again_at_once_rests_longer_each_time() -> None:
    reopening, now, rests = Reopening(), 0.0, []
    for _ in range(7):
        reopening.on_folder_stopped(FolderStopped("a", AWAY), now)
        due = reopening.deadline()
        assert due is not None
        rests.append(due - now)
        now = due
        assert reopening.on_time_passed(now)
        reopening.on_folder_opened(FolderOpened("a", None), now)
    assert rests[:3] == [LOOK_PERIOD_S, 2 * LOOK_PERIOD_S, 4 * LOOK_PERIOD_S]
    assert rests[-1] == LOOK_PERIOD_MAX_S
    reopening.on_folder_stopped(FolderStopped("a", AWAY), now + STANDS_S)
    assert reopening.deadline() == now + STANDS_S + LOOK_PERIOD_S


@pytest.mark.parametrize("late", [False, True])
def test_what_cannot_pass_is_not_looked_at(late: bool) -> None:
    reopening = Reopening()
    reopening.on_folder_stopped(FolderStopped("a", AWAY if late else BROKEN), 0.0)
    if late:
        reopening.on_time_passed(LOOK_PERIOD_S)
        reopening.on_folder_opened(FolderOpened("a", BROKEN), 5.0)
    assert reopening.deadline() is None and reopening.on_time_passed(1e6) == []


OUT = Stop(StopCause.PUT_OUT, "B removed this device")


def test_what_ends_while_it_is_being_opened_says_that_and_not_what_the_look_found(
    mesh: Mesh,
) -> None:
    """Nobody looks at it again."""
    a = mesh.devices["A"]
    mesh.settle()
    held = Held(a, OpenFolder)
    a.take(FolderStopped("share", AWAY))
    mesh.settle(2 * LOOK_PERIOD_S)
    job = held.take(OpenFolder)
    a.take(FolderStopped("share", OUT))
    a.take(FolderOpened(job.folder, Stop(StopCause.SHARE_UNUSABLE, "it may not be read")))
    mesh.settle(2 * LOOK_PERIOD_S)
    assert a.folder.stopped == OUT and not held.jobs
    assert texts(a) == [AWAY.why, OUT.why]


# -- shares that go and come -----------------------------------------------------------------------


def together(mesh: Mesh) -> None:
    mesh.scan_all()
    mesh.settle()


def texts(device: Device) -> list[str]:
    return [str(e.fields["text"]) for e in device.events if e.kind is EventKind.PROBLEM]


def stop(mesh: Mesh, device: Device) -> None:
    """Let it find out what has become of its share."""
    device.take(WatchLost("share", "", False, "the queue ran over"))
    mesh.settle(1.0)


def test_a_share_that_was_moved_away_and_back_goes_on_by_itself(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("d/f", b"bytes")
    b.write("g", b"of B")
    together(mesh)
    life = a.store.heads.life
    a.share.rename(a.share.with_name("away"))
    stop(mesh, a)
    assert a.folder.stopped is not None and a.folder.stopped.cause is StopCause.SHARE_AWAY
    assert "it is looked at again every few seconds" in a.folder.stopped_why
    b.write("d/f", b"edited by B, while A has no share")
    (b.share / "g").unlink()
    together_b(mesh, b)
    assert a.folder.stopped is not None
    a.share.with_name("away").rename(a.share)
    a.write("h", b"written by A, before it looks again")
    mesh.settle(10.0)
    assert a.folder.stopped is None and a.store.heads.life != life
    assert a.tree() == b.tree() and set(a.tree()) == {"d", "d/f", "h"}
    assert (a.share / "d/f").read_bytes().startswith(b"edited by B")
    assert texts(a)[-1] == "the folder goes on"
    b.write("d/f", b"and edited once more")
    together_b(mesh, b)
    assert (a.share / "d/f").read_bytes() == b"and edited once more"
    a.write("h", b"and back")
    together(mesh)
    assert (b.share / "h").read_bytes() == b"and back"


def together_b(mesh: Mesh, device: Device) -> None:
    device.scan()
    mesh.settle(5.0)


def test_another_folder_in_its_place_is_not_taken_and_nothing_is_written_there(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("f", b"bytes")
    together(mesh)
    a.share.rename(a.share.with_name("away"))
    a.share.mkdir()
    stop(mesh, a)
    b.write("f", b"edited")
    together_b(mesh, b)
    mesh.settle(120.0)
    assert a.folder.stopped is not None and list(a.share.iterdir()) == []
    assert (b.share / "f").read_bytes() == b"edited"
    a.share.rmdir()
    a.share.with_name("away").rename(a.share)
    mesh.settle(10.0)
    assert a.folder.stopped is None and (a.share / "f").read_bytes() == b"edited"


def test_a_start_without_the_share_goes_on_when_it_appears(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("f", b"bytes")
    together(mesh)
    a.kill()
    a.share.rename(a.share.with_name("away"))
    a.start()
    b.write("f", b"edited")
    together_b(mesh, b)
    assert a.folder.stopped is not None
    a.share.with_name("away").rename(a.share)
    mesh.settle(10.0)
    assert a.folder.stopped is None and (a.share / "f").read_bytes() == b"edited"
    a.write("g", b"new")
    together(mesh)
    assert a.tree() == b.tree()


# -- a folder that is added ------------------------------------------------------------------------


def test_a_folder_that_is_added_is_opened_at_once_and_looked_at_like_any_other() -> None:
    reopening = Reopening()
    reopening.on_folder_added(FolderAdded("a"), 10.0)
    assert reopening.deadline() == 10.0
    assert reopening.on_time_passed(10.0) == [Work(OpenFolder("a"))]
    assert reopening.on_folder_opened(FolderOpened("a", AWAY), 10.5) == []
    assert reopening.on_time_passed(10.5 + LOOK_PERIOD_S) == [Work(OpenFolder("a"))]
    assert reopening.on_folder_opened(FolderOpened("a", None), 20.0) == [TakeOver("a")]


@pytest.mark.parametrize("found", [None, AWAY])
def test_a_folder_that_is_added_anew_while_it_is_opened_is_opened_once_more(
    found: Stop | None,
) -> None:
    reopening = Reopening()
    reopening.on_folder_added(FolderAdded("a"), 10.0)
    assert reopening.on_time_passed(10.0) == [Work(OpenFolder("a"))]
    reopening.job_begins("a")
    reopening.on_folder_stopped(FolderStopped("a", Stop(StopCause.PUT_OUT, "by B")), 10.1)
    reopening.on_folder_added(FolderAdded("a"), 10.2)
    reopening.job_ended("a")
    assert reopening.on_folder_opened(FolderOpened("a", found), 10.5) == [], "it was another one"
    assert reopening.on_time_passed(10.5) == [Work(OpenFolder("a"))]
    assert reopening.on_folder_opened(FolderOpened("a", None), 11.0) == [TakeOver("a")]
    assert reopening.deadline() is None


def test_a_folder_that_is_added_while_the_agent_runs_is_synced_both_ways(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "ABC")
    a, b, c = mesh.devices.values()
    b.waits = True
    b.write("kept", b"of B")
    for device in (a, b, c):
        device.start()
    a.write("d/f", b"of A")
    together_b(mesh, a)
    mesh.settle()
    assert [at.name for at in b.share.iterdir()] == ["kept"] and set(c.tree()) == {"d", "d/f"}
    assert mesh.ask(b, "status")["folders"] == []
    b.add_folder()
    mesh.settle(10.0)
    assert a.tree() == b.tree() == c.tree() and set(a.tree()) == {"d", "d/f", "kept"}
    assert texts(b) == [] and mesh.ask(b, "status")["folders"][0]["state"] == "idle"
    b.write("d/f", b"edited by B, later")
    together_b(mesh, b)
    mesh.settle()
    assert (c.share / "d/f").read_bytes() == b"edited by B, later"


def test_a_folder_that_is_added_while_its_share_cannot_be_opened_says_so_and_goes_on(
    tmp_path: Path,
) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    b.waits = True
    b.share.parent.mkdir(parents=True, exist_ok=True)
    b.share.write_bytes(b"a file is in the way")
    for device in (a, b):
        device.start()
    a.write("f", b"of A")
    together_b(mesh, a)
    b.add_folder()
    mesh.settle(10.0)
    assert b.folder.stopped is not None and b.folder.stopped.cause is not StopCause.OPENING
    assert texts(b) == [b.folder.stopped_why]
    b.share.unlink()
    mesh.settle(10.0)
    assert b.folder.stopped is None and a.tree() == b.tree()
    assert texts(b)[-1] == "the folder goes on"


@pytest.mark.parametrize("large", [False, True])
def test_a_download_that_was_under_way_is_gone_on_with(tmp_path: Path, large: bool) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.start()
    b.start()
    mesh.settle()
    data = os.urandom(3_000_000 if large else 3_000)
    b.write("f", data)
    submit = mesh.submit

    def until_it_is_applied(device: Device, job: Job) -> None:
        if not isinstance(job, Apply) or device is not a:
            submit(device, job)

    mesh.submit = until_it_is_applied  # type: ignore[method-assign, assignment]
    b.scan()
    mesh.settle(10.0)
    assert list(a.share.glob("*.lefting"))
    mesh.submit = submit  # type: ignore[method-assign]
    a.node.reopening.job_ended("share")  # the one that was not run
    a.take(FolderStopped("share", AWAY))
    mesh.settle(30.0)
    assert a.folder.stopped is None and (a.share / "f").read_bytes() == data
    assert not list(a.share.glob("*.lefting")) and not a.folder.problems.all()


# -- errors that say nothing of the share ----------------------------------------------------------

PASSING = [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EIO]


class Failing:
    """Calls of the file system that fail, for as long as it is on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.code = 0
        self.calls: list[str] = []
        self.which: Callable[[str, Any], bool] = lambda call, argument: True
        for kind in (RealRoot, RealDirectory, RealFile):
            for name, real in list(vars(kind).items()):
                if callable(real) and not name.startswith("_") and name not in ("close", "fd"):
                    patch.setattr(kind, name, self._wrapped(name, real))

    def _wrapped(self, name: str, real: Any) -> Any:
        def call(this: Any, *arguments: Any, **more: Any) -> Any:
            argument = arguments[0] if arguments else None
            if self.code and name != "fd" and self.which(name, argument):
                self.calls.append(name)
                raise OSError(self.code, os.strerror(self.code), str(argument))
            return real(this, *arguments, **more)

        return call


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    return Failing(monkeypatch)


@pytest.mark.parametrize("code", PASSING, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["still_there", "folder", "open_read", "read"])
def test_an_error_while_the_marker_is_read_is_not_another_share(
    mesh: Mesh, failing: Failing, code: int, call: str
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("d/f", b"bytes")
    together(mesh)
    failing.code = code
    failing.which = lambda name, argument: name == call and argument in (None, ".left", "marker", 0)
    a.take(WatchLost("share", "", False, "the queue ran over"))
    mesh.settle(1.0)
    stopped = a.folder.stopped
    assert stopped is not None and stopped.cause is StopCause.HELD_UP
    assert "adopt" not in stopped.why and os.strerror(code) in stopped.why
    mesh.settle(20.0)
    assert a.folder.stopped is not None and call in failing.calls
    failing.code = 0
    a.write("d/f", b"edited meanwhile")
    mesh.settle(10.0)
    assert a.folder.stopped is None and not a.folder.problems.all()
    assert (b.share / "d/f").read_bytes() == b"edited meanwhile"


EVERY = 40
"""Of so many calls one is the first that fails, and those after it."""


@pytest.mark.parametrize(
    "code, first", [(errno.EMFILE, 0), (errno.EMFILE, 13), (errno.ENOMEM, 5), (errno.EIO, 21)]
)
def test_calls_that_fail_for_a_while_lose_nothing_and_all_goes_on(
    tmp_path: Path, failing: Failing, code: int, first: int
) -> None:
    """At call after call, of walks and looks, of what arrives and what is applied."""
    at = first
    while True:
        mesh = Mesh(tmp_path / str(at), "AB")
        a, b = mesh.devices["A"], mesh.devices["B"]
        for device in (a, b):
            device.start()
        mesh.settle(1.0)
        for path in ("d/e/f", "d/g", "h"):
            a.write(path, path.encode())
        mesh.scan_all()
        mesh.settle(3.0)
        assert a.tree() == b.tree()
        a.write("d/g", b"edited by A")
        a.write("large", bytes(range(256)) * 300)
        b.write("d/e/new", b"of B")
        (b.share / "h").unlink()
        count = [0]

        def in_a_row(name: str, argument: Any, count: list[int] = count, at: int = at) -> bool:
            count[0] += 1
            return at < count[0] <= at + 5

        failing.which, failing.code = in_a_row, code
        mesh.scan_all()
        mesh.settle(2.0)
        calls, failing.code = count[0], 0
        mesh.settle(90.0)
        problems = [str(p) for device in (a, b) for p in device.folder.problems.all()]
        assert not problems and a.folder.stopped is b.folder.stopped is None
        assert a.tree() == b.tree() and set(a.tree()) == {
            *("d", "d/e", "d/e/f", "d/e/new", "d/g", "large")
        }
        assert (b.share / "d/g").read_bytes() == b"edited by A"
        for device in (a, b):
            device.end()
        if at >= calls:
            break
        at += EVERY


def test_one_error_alone_stops_nothing(mesh: Mesh, failing: Failing) -> None:
    a = mesh.devices["A"]
    left = [2]

    def twice(name: str, argument: Any) -> bool:
        left[0] -= name == "still_there"
        return name == "still_there" and left[0] >= 0

    failing.code, failing.which = errno.EIO, twice
    a.take(WatchLost("share", "", False, "the queue ran over"))
    mesh.settle(1.0)
    assert a.folder.stopped is None and failing.calls == ["still_there"] * 2


def test_a_share_that_is_taken_away_under_a_question_answers_it(mesh: Mesh) -> None:
    a = mesh.devices["A"]
    a.share.rename(a.share.with_name("away"))
    assert "declined" in mesh.ask(a, "trash list")
    assert a.folder.stopped is not None
    assert "declined" in mesh.ask(a, "trash list")
