"""The watcher: what is reported, in which order, and that nothing is lost in silence.

A cookie is dropped wherever a test needs to know that everything before it was reported.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leftzmq.disk import watcher
from leftzmq.disk.watcher import CookieReport, Lost, Report, Touched, TouchReport, Watched, Watcher
from leftzmq.disk.watcher.mount_table import Mounted, mounts_near
from leftzmq.disk.watcher.reports import ReportBatch

if sys.platform != "linux":
    pytest.skip("inotify is Linux's", allow_module_level=True)

from watchdog.observers.inotify_c import InotifyConstants as IN
from watchdog.observers.inotify_c import InotifyEvent, InotifyFD
from watchdog.utils import BaseThread

from leftzmq.disk.watcher import inotify, rests

DEADLINE_S = 20.0


class Seen:
    """What a watcher of `share` reported, and cookies to wait by."""

    def __init__(self, share: Path, **options: Any) -> None:
        self.share = share
        self.reports: list[Report] = []
        self.on_report: Callable[[Report], None] = lambda report: None
        self.watcher = Watcher(share, self._take, **options)
        self._numbers = itertools.count()

    def _take(self, report: Report) -> None:
        self.reports.append(report)
        self.on_report(report)

    def wait(self, wanted: Callable[[Report], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not any(wanted(report) for report in list(self.reports)):
            assert time.monotonic() < deadline, self.reports
            time.sleep(0.002)

    def wait_for(self, report: Report) -> None:
        self.wait(lambda found: found == report)

    def fence(self) -> None:
        """Everything that was done until now has been reported."""
        cookie = self.share / ".left" / f"cookie-{next(self._numbers)}"
        cookie.touch()
        self.wait_for(CookieReport(cookie.name))

    def take(self) -> list[Report]:
        """What was reported since the last time, without the cookies."""
        self.fence()
        found, self.reports[:] = list(self.reports), []
        return [report for report in found if not isinstance(report, CookieReport)]

    def last(self) -> dict[str, TouchReport]:
        """The last touch of every path touched since the last time."""
        return {r.path: r.what for r in self.take() if isinstance(r, Touched)}

    def folders(self) -> set[str]:
        """What is really watched."""
        source = self.watcher._source
        assert isinstance(source, inotify.Inotify)
        return {watch.path for watch in source._watches}


@pytest.fixture
def share(tmp_path: Path) -> Path:
    share = tmp_path / "share"
    (share / ".left" / "trash").mkdir(parents=True)
    (share / "d" / "e").mkdir(parents=True)
    for name in ("f", "d/g", "d/e/h"):
        (share / name).write_text(name)
    return share


@pytest.fixture
def seen(share: Path) -> Iterator[Seen]:
    seen = Seen(share)
    seen.watcher.start()
    yield seen
    seen.watcher.stop()


# ---- what is reported -------------------------------------------------------------------------


def move_in(share: Path) -> None:
    (share.parent / "outside").write_text("x")
    (share.parent / "outside").rename(share / "d" / "in")


CHANGES: dict[str, tuple[Callable[[Path], Any], dict[str, TouchReport]]] = {
    "a new file": (lambda s: (s / "n").write_text("x"), {"n": TouchReport.CLOSED}),
    "an empty file": (lambda s: (s / "n").touch(), {"n": TouchReport.CLOSED}),
    "a rewritten file": (lambda s: (s / "d/e/h").write_text("x"), {"d/e/h": TouchReport.CLOSED}),
    "a deleted file": (lambda s: (s / "d/g").unlink(), {"d/g": TouchReport.GONE}),
    "a folder's mode": (lambda s: (s / "d").chmod(0o700), {"d": TouchReport.MADE}),
    "a mode": (lambda s: (s / "f").chmod(0o700), {"f": TouchReport.MADE}),
    "a time": (lambda s: os.utime(s / "f", (1, 1)), {"f": TouchReport.MADE}),
    "a link": (lambda s: (s / "l").symlink_to("f"), {"l": TouchReport.MADE}),
    "a hard link": (lambda s: (s / "d/l").hardlink_to(s / "f"), {"d/l": TouchReport.MADE}),
    "a new folder": (lambda s: (s / "d/n").mkdir(), {"d/n": TouchReport.MADE}),
    "moved in": (move_in, {"d/in": TouchReport.CLOSED}),
    "moved out": (lambda s: (s / "f").rename(s.parent / "f"), {"f": TouchReport.GONE}),
    "renamed": (
        lambda s: (s / "f").rename(s / "d/e/h"),
        {"f": TouchReport.GONE, "d/e/h": TouchReport.CLOSED},
    ),
    "a moved link": (
        lambda s: ((s / "l").symlink_to("f"), (s / "l").rename(s / "m")),
        {"l": TouchReport.GONE, "m": TouchReport.CLOSED},
    ),
    "a moved folder": (
        lambda s: (s / "d").rename(s / "z"),
        {"d": TouchReport.GONE, "z": TouchReport.MADE},
    ),
    "read": (lambda s: (s / "f").read_text(), {}),
    "listed": (lambda s: list((s / "d").iterdir()), {}),
    "ours arrives": (
        lambda s: ((s / "f.lefting").write_text("x"), (s / "f.lefting").rename(s / "f")),
        {"f": TouchReport.CLOSED},
    ),
    "ours arriving": (lambda s: (s / "d/e/x.LEFTING").write_text("x"), {}),
    "a folder of that name": (
        lambda s: ((s / "x.lefting").mkdir(), (s / "x.lefting/in").write_text("x")),
        {},
    ),
    "our own folder": (
        lambda s: ((s / ".left/marker").write_text("x"), (s / ".left/trash/x").write_text("x")),
        {},
    ),
    "to the trash": (lambda s: (s / "f").rename(s / ".left/trash/f"), {"f": TouchReport.GONE}),
    "its namesake": (lambda s: (s / "d/.left").write_text("x"), {"d/.left": TouchReport.CLOSED}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_reported(seen: Seen, share: Path, change: str) -> None:
    do, expected = CHANGES[change]
    do(share)
    assert seen.last() == expected


def test_it_is_said_of_a_folder_that_it_is_one(seen: Seen, share: Path) -> None:
    (share / "n").mkdir()
    (share / "n").rename(share / "m")
    (share / "m").rmdir()
    found = {r for r in seen.take() if isinstance(r, Touched)}
    assert Touched("m", TouchReport.GONE, folder=True) in found
    assert all(report.folder for report in found)


def test_an_open_file_is_modified_until_it_is_closed(seen: Seen, share: Path) -> None:
    with (share / "f").open("ab", buffering=0) as file:
        for _ in range(3):
            file.write(b"x")
            seen.wait_for(Touched("f", TouchReport.MODIFIED))
            assert seen.last() == {"f": TouchReport.MODIFIED}
    assert seen.last() == {"f": TouchReport.CLOSED}


def test_a_long_write_does_not_keep_the_watcher_busy(seen: Seen, share: Path) -> None:
    with (share / "f").open("ab", buffering=0) as file:
        for _ in range(20_000):
            file.write(b"x")
    assert 1 <= len(seen.take()) < 2000


def test_a_cookie_comes_after_all_that_was_before_it(seen: Seen, share: Path) -> None:
    for number in range(300):
        (share / "d" / str(number)).touch()
    (share / ".left" / "cookie-end").touch()
    (share / ".left" / "cookie-end").unlink()  # gone again before anyone looks
    seen.wait_for(CookieReport("cookie-end"))
    before = seen.reports[: seen.reports.index(CookieReport("cookie-end"))]
    assert {r.path for r in before if isinstance(r, Touched)} == {f"d/{n}" for n in range(300)}


def test_a_name_that_is_not_utf8_sends_one_to_its_folder(seen: Seen, share: Path) -> None:
    os.mkdir(os.fsencode(share / "d") + b"/\xff")
    Path(os.fsdecode(os.fsencode(share / "d") + b"/\xff/x")).touch()
    Path(os.fsdecode(os.fsencode(share) + b"/\xfe")).touch()
    found = set(seen.take())
    assert found == {Touched("d", TouchReport.MADE, True), Touched("", TouchReport.MADE, True)}
    assert seen.folders() == {"", "d", "d/e"}


def test_a_share_behind_a_link(share: Path) -> None:
    (share.parent / "link").symlink_to("share")
    seen = Seen(share.parent / "link")
    seen.watcher.start()
    (share / "d" / "g").write_text("x")
    assert seen.last() == {"d/g": TouchReport.CLOSED}
    seen.watcher.stop()


# ---- folders that come and go -----------------------------------------------------------------


def test_a_folder_is_watched_before_it_is_reported(seen: Seen, share: Path) -> None:
    """What is put into it once it was reported has an event; what was before is for the walk."""

    def fill(report: Report) -> None:
        if report == Touched("n", TouchReport.MADE, folder=True):
            (share / "n" / "inside").write_text("x")

    seen.on_report = fill
    (share / "n").mkdir()
    seen.wait_for(Touched("n/inside", TouchReport.CLOSED))


def test_a_tree_that_is_made_at_once_is_watched_to_its_leaves(seen: Seen, share: Path) -> None:
    for top in "vwxyz":
        (share / top / "2" / "3" / "4").mkdir(parents=True)
    assert set("vwxyz") <= {r.path for r in seen.take() if isinstance(r, Touched)}
    for top in "vwxyz":
        (share / top / "2" / "3" / "4" / "leaf").write_text("x")
    assert seen.last() == {f"{top}/2/3/4/leaf": TouchReport.CLOSED for top in "vwxyz"}


def test_a_tree_that_is_moved_in_is_watched_and_one_moved_out_is_not(
    seen: Seen, share: Path
) -> None:
    outside = share.parent / "outside"
    (share / "d").rename(outside)
    assert seen.last() == {"d": TouchReport.GONE}
    assert seen.folders() == {""}
    (outside / "e" / "h").write_text("not ours")
    assert seen.last() == {}
    outside.rename(share / "back")
    assert seen.last() == {"back": TouchReport.MADE}
    (share / "back" / "e" / "h").write_text("ours")
    assert seen.last() == {"back/e/h": TouchReport.CLOSED}


def test_a_moved_tree_is_known_by_its_new_path(seen: Seen, share: Path) -> None:
    (share / "d" / "e").rename(share / "e")
    (share / "d").rename(share / "e" / "d")
    seen.fence()
    assert seen.folders() == {"", "e", "e/d"}
    seen.take()
    (share / "e" / "d" / "g").write_text("x")
    (share / "e" / "h").unlink()
    assert seen.last() == {"e/d/g": TouchReport.CLOSED, "e/h": TouchReport.GONE}


def test_a_deleted_tree_leaves_no_watch(seen: Seen, share: Path) -> None:
    for path in ("d/e/h", "d/g"):
        (share / path).unlink()
    (share / "d" / "e").rmdir()
    (share / "d").rmdir()
    assert seen.last() == dict.fromkeys(("d", "d/e", "d/g", "d/e/h"), TouchReport.GONE)
    assert seen.folders() == {""} and seen.watcher.watches
    (share / "d").mkdir()
    seen.fence()
    assert seen.folders() == {"", "d"}


# ---- what is lost is said ---------------------------------------------------------------------


def test_a_real_overflow_is_said_and_everything_is_watched_again(seen: Seen, share: Path) -> None:
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if queue > 100_000:
        pytest.skip("the queue is too long to be filled in a test")
    (share / "d" / "old").mkdir()
    seen.take()
    flooded = False

    def flood(report: Report) -> None:
        """In the watcher's thread: nobody reads the queue meanwhile."""
        nonlocal flooded
        if not flooded:
            flooded = True
            for number in range(queue + 10):
                os.utime(share / ("f" if number % 2 else "d/g"))
            (share / "new" / "er").mkdir(parents=True)
            (share / "d" / "e").rename(share / "e2")
            (share / "d" / "old").rename(share.parent / "old")

    seen.on_report = flood
    (share / "f").touch()
    seen.wait(lambda report: isinstance(report, Lost))
    [lost] = [r for r in seen.take() if isinstance(r, Lost)]
    assert (lost.prefix, lost.polled) == ("", False) and "max_queued_events" in lost.why
    assert seen.watcher.watches
    assert seen.folders() == {"", "d", "new", "new/er", "e2"}
    (share / "new" / "er" / "x").write_text("x")
    (share / "e2" / "h").write_text("x")
    (share.parent / "old" / "x").write_text("not ours")
    assert seen.last() == {"new/er/x": TouchReport.CLOSED, "e2/h": TouchReport.CLOSED}


def limit(monkeypatch: pytest.MonkeyPatch, code: int, *names: str) -> Callable[[], None]:
    """The kernel watches no more folders of these names; until the returned call."""
    real, on = inotify.inotify_add_watch, [True]

    def add(fd: int, path: bytes, mask: int) -> int:
        if on and path.rpartition(b"/")[2].decode() in names:
            ctypes.set_errno(code)
            return -1
        return real(fd, path, mask)

    monkeypatch.setattr(inotify, "inotify_add_watch", add)
    return on.clear


def test_the_watch_limit_is_said_once_for_each_subtree(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, errno.ENOSPC, "d", "e", "late")
    seen = Seen(share)
    seen.watcher.start()
    [lost] = seen.reports
    assert isinstance(lost, Lost) and (lost.prefix, lost.polled) == ("d", True)
    assert "fs.inotify.max_user_watches" in lost.why
    assert not seen.watcher.watches
    (share / "n" / "late" / "er").mkdir(parents=True)
    (share / "n" / "x").touch()
    seen.wait(lambda report: isinstance(report, Lost) and report.prefix == "n/late")
    assert [r.prefix for r in seen.take() if isinstance(r, Lost)] == ["d", "n/late"]
    seen.watcher.stop()


def test_a_polled_subtree_that_goes_is_polled_no_more(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lift = limit(monkeypatch, errno.ENOSPC, "e")
    seen = Seen(share)
    seen.watcher.start()
    assert not seen.watcher.watches
    lift()
    (share / "d").rename(share / "again")
    seen.fence()
    assert seen.watcher.watches and seen.folders() == {"", "again", "again/e"}
    seen.watcher.stop()


def test_many_polled_subtrees_are_the_whole_share(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"n{number}" for number in range(inotify.MAX_POLLED + 5)]
    for name in names:
        (share / name).mkdir()
    limit(monkeypatch, errno.ENOSPC, *names)
    seen = Seen(share)
    seen.watcher.start()
    prefixes = [r.prefix for r in seen.reports if isinstance(r, Lost)]
    assert len(prefixes) == inotify.MAX_POLLED + 1 and prefixes[-1] == ""
    seen.watcher.stop()


def test_an_unreadable_folder_is_watched_once_it_can_be_read(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow = limit(monkeypatch, errno.EACCES, "d")
    seen = Seen(share)
    seen.watcher.start()
    assert seen.reports == [] and seen.folders() == {""}  # the walk names it
    allow()
    (share / "d").chmod(0o755)
    assert seen.take() == [Touched("d", TouchReport.MADE, folder=True)]
    assert seen.folders() == {"", "d", "d/e"}
    seen.watcher.stop()


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ENOTDIR])
def test_a_folder_that_is_gone_again_is_nothing_to_speak_of(
    share: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    limit(monkeypatch, code, "d")
    seen = Seen(share)
    seen.watcher.start()
    assert seen.reports == [] and seen.watcher.watches
    seen.watcher.stop()


def test_too_many_watchers_are_said(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    monkeypatch.setattr(InotifyFD, "_create_inotify_fd", staticmethod(refuse))
    seen = Seen(share)
    seen.watcher.start()
    [lost] = seen.reports
    assert isinstance(lost, Lost) and (lost.prefix, lost.polled) == ("", True)
    assert "fs.inotify.max_user_instances" in lost.why
    assert not seen.watcher.watches
    seen.watcher.stop()


def test_what_could_not_be_watched_is_tried_again_and_watched_when_the_limit_is_raised(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inotify, "RETRY_S", 0.1)
    lift = limit(monkeypatch, errno.ENOSPC, "e", "other")
    (share / "other").mkdir()
    seen = Seen(share)
    seen.watcher.start()
    tries: list[bytes] = []
    real = inotify.inotify_add_watch

    def counted(fd: int, path: bytes, mask: int) -> int:
        tries.append(path)
        return real(fd, path, mask)

    monkeypatch.setattr(inotify, "inotify_add_watch", counted)
    deadline = time.monotonic() + DEADLINE_S
    while len(tries) <= 6:
        assert time.monotonic() < deadline, "tried, and refused"
        time.sleep(0.002)
    said = [report.prefix for report in seen.take() if isinstance(report, Lost)]
    assert sorted(said) == ["d/e", "other"], "said once"
    assert not seen.watcher.watches
    lift()
    seen.wait(lambda report: report == Watched("other"))
    regained = [report for report in seen.take() if isinstance(report, Watched)]
    assert regained == [Watched("d/e"), Watched("other")]
    assert seen.watcher.watches and seen.folders() == {"", "d", "d/e", "other"}
    (share / "other" / "x").write_text("x")
    assert seen.last() == {"other/x": TouchReport.CLOSED}
    seen.watcher.stop()


def test_where_there_was_no_watcher_at_all_it_is_tried_again(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, on = InotifyFD._create_inotify_fd, [True]

    def refuse() -> int:
        if on:
            raise OSError(errno.EMFILE, "inotify instance limit reached")
        return real()

    monkeypatch.setattr(watcher, "RETRY_S", 0.05)
    monkeypatch.setattr(InotifyFD, "_create_inotify_fd", staticmethod(refuse))
    seen = Seen(share)
    seen.watcher.start()
    on.clear()
    seen.wait(lambda report: report == Watched(""))
    assert seen.watcher.watches and seen.folders() == {"", "d", "d/e"}
    seen.watcher.stop()


def test_who_is_stopped_while_it_tries_tries_no_more(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    monkeypatch.setattr(InotifyFD, "_create_inotify_fd", staticmethod(refuse))
    seen = Seen(share)
    seen.watcher.start()
    seen.watcher.stop()
    assert not any(isinstance(thread, BaseThread) for thread in threading.enumerate())


def test_a_share_that_may_not_be_read_is_said(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, errno.EACCES, ".")
    seen = Seen(share)
    seen.watcher.start()
    assert seen.reports == [Lost("", True, "the share cannot be read")]
    seen.watcher.stop()


def test_a_share_that_moves_is_said(seen: Seen, share: Path) -> None:
    share.rename(share.parent / "elsewhere")
    seen.wait_for(Lost("", True, "the share was moved or deleted"))
    assert not seen.watcher.watches


def inject(seen: Seen, monkeypatch: pytest.MonkeyPatch, what: InotifyEvent | Exception) -> None:
    """The next read of the kernel's queue gives this instead."""
    source = seen.watcher._source
    assert isinstance(source, inotify.Inotify)
    real, left = source.read_events, [what]

    def read_events(**options: Any) -> list[InotifyEvent]:
        real(**options)
        if left and isinstance(found := left.pop(), Exception):
            raise found
        return [found]

    monkeypatch.setattr(source, "read_events", read_events)
    deadline = time.monotonic() + DEADLINE_S
    while left:
        assert time.monotonic() < deadline
        (seen.share / "f").touch()  # the read that is under way ends, then the next one
        time.sleep(0.002)


def test_an_unmounted_folder_is_walked(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    source = seen.watcher._source
    assert isinstance(source, inotify.Inotify)
    [wd] = [watch.wd for watch in source._watches if watch.path == "d/e"]
    inject(seen, monkeypatch, InotifyEvent(wd, IN.IN_UNMOUNT, 0, b""))  # type: ignore[arg-type]
    seen.wait_for(Lost("d/e", False, "the file system was unmounted"))


def test_a_watcher_that_breaks_says_so(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    inject(seen, monkeypatch, ValueError("a mistake"))
    seen.wait_for(Lost("", True, "the watcher broke: ValueError('a mistake')"))
    assert not seen.watcher.watches


def test_without_our_folder_no_cookie_can_be_seen(share: Path) -> None:
    (share / ".left").rename(share.parent / "left")
    seen = Seen(share)
    seen.watcher.start()
    assert not seen.watcher.watches
    (share.parent / "left").rename(share / ".left")
    (share / "f").write_text("x")
    seen.wait_for(Touched("f", TouchReport.CLOSED))
    assert seen.watcher.watches
    seen.fence()
    seen.watcher.stop()


def test_a_mount_of_a_folder_inside_itself_ends_somewhere(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """inotify knows a folder by its inode: the loop has the watch of the folder above it."""
    real = inotify.inotify_add_watch

    def add(fd: int, path: bytes, mask: int) -> int:
        return real(fd, path.removesuffix(b"/e"), mask)

    monkeypatch.setattr(inotify, "inotify_add_watch", add)
    seen = Seen(share)
    seen.watcher.start()
    assert seen.folders() == {"", "d"}
    (share / "d" / "g").write_text("x")
    assert seen.last() == {"d/g": TouchReport.CLOSED}
    seen.watcher.stop()


# ---- from start to stop -----------------------------------------------------------------------


def test_nothing_is_reported_after_stop_and_nothing_stays_open(share: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    seen = Seen(share)
    for _ in range(3):
        seen.watcher.start()
        (share / "f").write_text("x")
        assert seen.last() == {"f": TouchReport.CLOSED}
        (share / "f").write_text("y")
        seen.watcher.stop()
        count = len(seen.reports)
        (share / "f").write_text("z")
        assert not seen.watcher.watches and len(seen.reports) == count
        assert open_files() == before
        seen.reports.clear()


def test_a_watcher_that_never_started_can_be_stopped(share: Path) -> None:
    Watcher(share, lambda report: None).stop()


def test_a_share_that_is_not_there(share: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Watcher(share / "no", lambda report: None).start()


def test_elsewhere_the_native_observer_is_used(share: Path) -> None:
    seen = Seen(share, native=True)
    assert not seen.watcher.has_close and Watcher(share, lambda report: None).has_close
    seen.watcher.start()
    assert not seen.watcher.watches
    (share / ".left" / "cookie-1").touch()
    (share / "x.lefting").touch()
    (share / "d" / "new").write_text("x")
    (share / "d" / "e").rename(share / "e2")
    Path(os.fsdecode(os.fsencode(share / "d") + b"/\xff")).touch()
    (share / "d" / "g").unlink()
    seen.wait_for(Touched("d/g", TouchReport.GONE))
    seen.watcher.stop()
    found = {(r.path, r.what) for r in seen.reports if isinstance(r, Touched)}
    assert {("d/new", TouchReport.MADE), ("d/new", TouchReport.MODIFIED)} <= found
    assert {("d/e", TouchReport.GONE), ("e2", TouchReport.MADE), ("d", TouchReport.MADE)} <= found
    assert all(isinstance(r, Touched) and r.what is not TouchReport.CLOSED for r in seen.reports)
    assert not any(path.startswith(".left") or "lefting" in path for path, _ in found)


# ---- a batch ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("touches", "left"),
    [
        ([TouchReport.MADE, TouchReport.MODIFIED, TouchReport.CLOSED], TouchReport.CLOSED),
        ([TouchReport.CLOSED, "attributes"], TouchReport.CLOSED),
        (["attributes"], TouchReport.MADE),
        ([TouchReport.MODIFIED, "attributes"], TouchReport.MODIFIED),
        ([TouchReport.CLOSED, TouchReport.MODIFIED], TouchReport.MODIFIED),
        ([TouchReport.CLOSED, TouchReport.GONE], TouchReport.GONE),
        ([TouchReport.GONE, TouchReport.MADE], TouchReport.MADE),
    ],
)
def test_several_touches_of_one_path_are_one(
    touches: list[TouchReport | str], left: TouchReport
) -> None:
    reports: list[Report] = []
    batch = ReportBatch(reports.append)
    for touch in touches:
        if isinstance(touch, TouchReport):
            batch.touch("p", touch)
        else:
            batch.attributes("p")
    batch.touch("q", TouchReport.GONE, folder=True)
    batch.touch("q", TouchReport.CLOSED)
    batch.flush()
    batch.flush()
    assert reports == [Touched("p", left), Touched("q", TouchReport.CLOSED, folder=True)]


def test_what_we_write_ourselves_wakes_the_watcher_seldom(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    read_events = InotifyFD.read_events

    def reading(self: InotifyFD) -> list[InotifyEvent]:
        events = read_events(self)
        reads.append(len(events))
        return events

    lefting = seen.share / "large.lefting"
    lefting.touch()
    seen.take()
    monkeypatch.setattr(InotifyFD, "read_events", reading)
    began = time.monotonic()
    while time.monotonic() < began + 0.5:
        with lefting.open("r+b") as file:
            os.pwrite(file.fileno(), b"a chunk", 0)
            os.pwrite(file.fileno(), b"and another one", 0)
        time.sleep(0.0005)
    took = time.monotonic() - began
    monkeypatch.undo()
    assert reads and len(reads) < 1.5 * took / rests.STAGING_REST_S
    assert seen.take() == []


# ---- mounts -----------------------------------------------------------------------------------

TABLE = rb"""22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 0:20 / /home rw shared:1 - tmpfs tmpfs rw
31 30 0:21 / /home/me/share rw - tmpfs tmpfs rw
32 31 0:22 / /home/me/share/a\040b/disk rw - tmpfs tmpfs rw
33 31 0:23 /in /home/me/share/c rw - ext4 /dev/sdb rw
34 31 0:24 / /home/me/share/.left/x rw - tmpfs tmpfs rw
35 30 0:25 / /home/me/share2 rw - tmpfs tmpfs rw
36 31 0:26 / /home/me/share/\377 rw - tmpfs tmpfs rw
half a line
"""


def test_of_the_table_of_mounts_those_in_on_and_above_the_share_count() -> None:
    found = mounts_near(TABLE, b"/home/me/share")
    assert sorted(each.path for each in found) == ["", "", "", "a b/disk", "c"]
    assert Mounted(b"33 31 0:23 /in", "c") in found
    other = TABLE.replace(b"33 31 0:23 /in", b"40 31 0:23 /other")
    assert {each.path for each in found ^ mounts_near(other, b"/home/me/share")} == {"c"}
    assert mounts_near(TABLE, b"/") >= {Mounted(b"31 30 0:21 /", "home/me/share")}


def test_without_a_table_of_mounts_all_else_is_watched(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> None:
        raise FileNotFoundError(errno.ENOENT, "no /proc")

    monkeypatch.setattr(inotify, "MountTable", none)
    seen = Seen(share)
    seen.watcher.start()
    try:
        (share / "d/new").write_text("x")
        assert seen.last() == {"d/new": TouchReport.CLOSED}
    finally:
        seen.watcher.stop()


def test_stopping_closes_the_table_of_mounts(share: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    seen = Seen(share)
    seen.watcher.start()
    seen.fence()
    seen.watcher.stop()
    assert len(os.listdir("/proc/self/fd")) == before


# ---- what is ignored --------------------------------------------------------------------------


def test_an_ignored_folder_has_no_watch_until_it_is_ignored_no_more(share: Path) -> None:
    ignored = {"d"}
    seen = Seen(share, ignores=lambda path: path in ignored)
    seen.watcher.start()
    try:
        (share / "d/e/h").write_text("nobody is told")
        (share / "d/n").mkdir()
        assert seen.folders() == {""} and seen.last() == {}
        ignored.clear()
        seen.watcher.watch_anew("")
        seen.wait_for(Watched(""))
        assert seen.folders() == {"", "d", "d/e", "d/n"}
        (share / "d/e/h").write_text("x")
        assert seen.last()["d/e/h"] is TouchReport.CLOSED
        ignored.update(("d/e", "d/n"))
        seen.watcher.watch_anew("d")
        seen.wait_for(Watched("d"))
        assert seen.folders() == {"", "d"}
        (share / "d/n/x").write_text("x")
        (share / "d/g").write_text("x")
        assert set(seen.last()) == {"d/g"}
    finally:
        seen.watcher.stop()


def test_a_folder_that_appears_and_is_ignored_has_no_watch(share: Path) -> None:
    seen = Seen(share, ignores=lambda path: path.endswith("build"))
    seen.watcher.start()
    try:
        (share / "build/deep").mkdir(parents=True)
        (share / "kept/build").mkdir(parents=True)
        seen.fence()
        assert seen.folders() == {"", "d", "d/e", "kept"}
    finally:
        seen.watcher.stop()


def test_what_is_to_be_watched_anew_is_reported_without_inotify_too(share: Path) -> None:
    seen = Seen(share, native=True)
    seen.watcher.start()
    try:
        seen.watcher.watch_anew("d")
        seen.wait_for(Watched("d"))
    finally:
        seen.watcher.stop()


def test_how_many_directories_are_watched(tmp_path: Path) -> None:
    for name in ("a/b", "c", ".left/trash"):
        (tmp_path / name).mkdir(parents=True)
    watcher = Watcher(tmp_path, lambda report: None)
    assert watcher.count == 0
    watcher.start()
    try:
        assert watcher.count == 5, "the root, a, a/b, c, and .left for cookies"
    finally:
        watcher.stop()
    assert watcher.count == 0
