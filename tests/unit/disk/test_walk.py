"""The walk: its order, what it calls dirty, and what it must not call gone (I10, I11)."""

from __future__ import annotations

import os
import socket
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from leftzmq.disk.fs.interface import Directory, Root
from leftzmq.disk.fs.real import RealRoot
from leftzmq.disk.scan import index_cursor
from leftzmq.disk.scan import walk as walks
from leftzmq.disk.scan.walk import UNWRITTEN_COST, Ours, TreeWalk
from leftzmq.errors import Problem, ProblemKind
from leftzmq.tree.attributes import NO_MODE
from leftzmq.tree.entry import ScanKey
from leftzmq.tree.path import name_of, parent_of, sort_key
from leftzmq.tree.plan import Staged

Index = dict[str, ScanKey | None]


class Walked:
    """All slices of one walk put together."""

    def __init__(self, root: Root, ours: Ours, prefix: str = "", budget: int = 1000) -> None:
        self.dirty: list[str] = []
        self.problems: list[Problem] = []
        self.foreign: list[Staged] = []
        self.seen = self.steps = self.largest = 0
        walk = TreeWalk(root, "share", prefix, ours)
        while True:
            part = walk.step(budget)
            self.steps += 1
            self.largest = max(self.largest, len(part.dirty))
            self.dirty += part.dirty
            self.problems += part.problems
            self.foreign += part.foreign
            self.seen += part.seen
            if part.done:
                return

    def kinds(self) -> dict[str, ProblemKind]:
        return {problem.path: problem.kind for problem in self.problems}


def test_modes_that_the_index_does_not_have_are_named_and_cost_more(tmp_path: Path) -> None:
    """Nothing is read for them; and the loop, which writes them down, gets few at once."""
    share = tmp_path / "of its own"
    share.mkdir()
    for number in range(100):
        (share / f"{number:03}").write_bytes(b"x")
        (share / f"{number:03}").chmod(0o640)
    (share / "d").mkdir(mode=0o750)
    (share / "l").symlink_to("d")
    root = RealRoot(share)
    top = root.folder("")
    names = [f"{number:03}" for number in range(100)] + ["d", "l"]
    known = {name: stat.key() for name in names if (stat := top.stat(name))}
    unwritten = {name: replace(key, mode=NO_MODE) for name, key in known.items()}
    walk = TreeWalk(root, "share", "", reader(unwritten))
    parts = [walk.step(10 * UNWRITTEN_COST)]
    while not parts[-1].done:
        parts.append(walk.step(10 * UNWRITTEN_COST))
    assert [part.dirty for part in parts if part.dirty] == []
    assert max(len(part.modes) for part in parts) == 10
    found = dict(mode for part in parts for mode in part.modes)
    assert found == {name: 0o750 if name == "d" else 0o640 for name in names if name != "l"}
    (part,) = [TreeWalk(root, "share", "", reader(known)).step(1000)]
    assert part.done and not part.modes and not part.dirty


class Closed:
    """A root some of whose folders may not be opened, also for whom root's rules do not hold."""

    def __init__(self, root: Root, *closed: str, error: type[OSError] = PermissionError) -> None:
        self._root, self._closed, self._error = root, closed, error

    def folder(self, path: str) -> Directory:
        if path in self._closed:
            raise self._error(13, "Permission denied", path)
        return self._root.folder(path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._root, name)


def reader(index: Index) -> Ours:
    rows = sorted((sort_key(path), scan) for path, scan in index.items())
    keys = [key for key, _ in rows]

    def ours(after: bytes, limit: int) -> list[tuple[bytes, ScanKey | None]]:
        at = bisect_right(keys, after)
        return rows[at : at + limit]

    return ours


def index_of(root: Root, share: Path) -> Index:
    """What the index holds when everything on disk is in it."""
    found: Index = {}
    for above, folders, files in os.walk(share):
        for name in folders + files:
            path = str((Path(above) / name).relative_to(share))
            if not path.startswith(".left") and not path.endswith(".lefting"):
                with root.folder(parent_of(path)) as folder:
                    stat = folder.stat(name_of(path))
                assert stat is not None
                found[path] = stat.key()
    return found


def put(share: Path, *paths: str) -> None:
    """Files, or folders where the path ends in a slash."""
    for path in paths:
        (share / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            (share / path).mkdir(exist_ok=True)
        else:
            (share / path).write_text(path)


@pytest.fixture
def share(tmp_path: Path) -> Path:
    put(tmp_path, "a/x", "a/y/z", "a/y/zz", "a-b", "a.txt", "a0/q", "b/", "ä", "z/1", "z/2", "z/3")
    (tmp_path / "to").symlink_to("a/x")
    put(tmp_path, ".left/marker", ".left/trash/old")
    return tmp_path


@pytest.fixture
def root(share: Path) -> RealRoot:
    return RealRoot(share)


def test_a_new_share_is_all_dirty_in_the_order_of_sort_key(root: Root, share: Path) -> None:
    walked = Walked(root, reader({}))
    everything = sorted(index_of(root, share), key=sort_key)
    assert walked.dirty == everything
    assert walked.dirty.index("a/y/zz") < walked.dirty.index("a-b") < walked.dirty.index("a.txt")
    assert walked.seen == len(everything) and not walked.problems and not walked.foreign


def test_what_the_index_knows_is_not_dirty(root: Root, share: Path) -> None:
    walked = Walked(root, reader(index_of(root, share)))
    assert walked.dirty == [] and walked.seen == len(index_of(root, share))


def rewrite(share: Path) -> None:
    (share / "a/x").write_text("other")


def rewrite_keeping_mtime(share: Path) -> None:
    stat = (share / "a/x").stat()
    (share / "a/x").write_text("b/x")  # as long as before
    os.utime(share / "a/x", ns=(stat.st_atime_ns, stat.st_mtime_ns))


def vanish(share: Path) -> None:
    for path in ("a/y/z", "a/y/zz", "a/x"):
        (share / path).unlink()
    (share / "a/y").rmdir()
    (share / "a").rmdir()


def become_a_file(share: Path) -> None:
    vanish(share)
    (share / "a").write_text("now a file")


def become_a_link(share: Path) -> None:
    (share / "a").rename(share / "moved")
    (share / "a").symlink_to("moved")


def replace_a_folder(share: Path) -> None:
    (share / "b").rename(share / "b2")
    (share / "b").mkdir()


CHANGES: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    "a file": (rewrite, ["a/x"]),
    "a file with its old mtime": (rewrite_keeping_mtime, ["a/x"]),
    "a mode": (lambda share: (share / "a/x").chmod(0o755), ["a/x"]),
    "a link": (lambda share: (share / "a/l").hardlink_to(share / "z/1"), ["a/l", "z/1"]),
    "a new child, not its folder": (lambda share: put(share, "z/4"), ["z/4"]),
    "a new tree": (lambda share: put(share, "a/n/m/o"), ["a/n", "a/n/m", "a/n/m/o"]),
    "a file is gone": (lambda share: (share / "z/2").unlink(), ["z/2"]),
    "the last one is gone": (lambda share: (share / "ä").unlink(), ["ä"]),
    "a folder is gone": (vanish, ["a", "a/x", "a/y", "a/y/z", "a/y/zz"]),
    "a folder is a file": (become_a_file, ["a", "a/x", "a/y", "a/y/z", "a/y/zz"]),
    "a folder is another": (replace_a_folder, ["b", "b2"]),
    "a link leads away": (
        become_a_link,
        [
            *("a", "a/x", "a/y", "a/y/z", "a/y/zz"),
            *("moved", "moved/x", "moved/y", "moved/y/z", "moved/y/zz"),
        ],
    ),
}


@pytest.mark.parametrize("budget", [1, 3, 1000])
@pytest.mark.parametrize("change", CHANGES)
def test_changes_in_slices_of_any_size(root: Root, share: Path, change: str, budget: int) -> None:
    index = index_of(root, share)
    do, dirty = CHANGES[change]
    do(share)
    walked = Walked(root, reader(index), budget=budget)
    assert walked.dirty == dirty
    assert walked.largest <= budget + 1 and not walked.problems


def test_pages_and_blocks_of_any_size_give_the_same(
    root: Root, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_of(root, share)
    put(share, "b/new", "z/0", "z/9")
    (share / "z/2").unlink()
    expected = Walked(root, reader(index)).dirty
    monkeypatch.setattr(index_cursor, "OURS_AT_ONCE", 1)
    monkeypatch.setattr(walks, "STATS_AT_ONCE", 2)
    assert Walked(root, reader(index), budget=2).dirty == expected == ["b/new", "z/0", "z/2", "z/9"]


def test_an_unknown_stat_is_never_equal(root: Root, share: Path) -> None:
    index = index_of(root, share) | {"a/x": None}
    assert Walked(root, reader(index)).dirty == ["a/x"]


@pytest.mark.parametrize("prefix", ["a", "a/y", "a-b", "a/x", "b", "ä", "nothing", "a/x/in", "z"])
def test_a_prefix_is_walked_alone(root: Root, share: Path, prefix: str) -> None:
    everything = sorted(index_of(root, share), key=sort_key)
    inside = [path for path in everything if path == prefix or path.startswith(prefix + "/")]
    assert Walked(root, reader({})).dirty == everything
    assert Walked(root, reader({}), prefix).dirty == inside
    gone: Index = {f"{path}/gone": None for path in ("a", "a-b", "ä", "z", "nothing", "a/x/in")}
    below = [path for path in gone if path.startswith(prefix + "/")]
    walked = Walked(root, reader(index_of(root, share) | gone), prefix)
    assert walked.dirty == below and walked.seen == len(inside)


def test_a_gone_prefix_is_gone(root: Root, share: Path) -> None:
    index = index_of(root, share)
    vanish(share)
    assert Walked(root, reader(index), "a/y").dirty == ["a/y", "a/y/z", "a/y/zz"]


# ---- what is not gone -------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [1, 1000])
def test_what_is_below_an_unreadable_folder_is_not_gone(
    root: Root, share: Path, budget: int
) -> None:
    index = index_of(root, share)
    (share / "a/y/z").unlink()
    (share / "z/2").unlink()
    walked = Walked(Closed(root, "a/y"), reader(index), budget=budget)
    assert walked.dirty == ["z/2"]
    assert walked.kinds() == {"a/y": ProblemKind.UNREADABLE}
    assert walked.problems[0].detail == "Permission denied"


@pytest.mark.parametrize(("closed", "prefix"), [("", ""), ("a", "a"), ("a", "a/y"), ("", "a")])
def test_an_unreadable_prefix_is_not_gone(
    root: Root, share: Path, closed: str, prefix: str
) -> None:
    index = index_of(root, share)
    walked = Walked(Closed(root, closed), reader(index), prefix)
    assert walked.dirty == []
    assert walked.kinds() == {prefix or ".": ProblemKind.UNREADABLE}


def test_a_root_that_vanished_is_a_problem_and_nothing_is_gone(root: Root, share: Path) -> None:
    index = index_of(root, share)
    walked = Walked(Closed(root, "", error=FileNotFoundError), reader(index))
    assert walked.dirty == [] and walked.kinds() == {".": ProblemKind.UNREADABLE}


def test_a_folder_that_goes_while_it_is_walked_is_looked_at(root: Root, share: Path) -> None:
    index = index_of(root, share)
    walked = Walked(Closed(root, "a/y", error=FileNotFoundError), reader(index))
    assert walked.dirty == ["a/y"] and not walked.problems


def test_a_folder_that_closes_half_way_is_not_gone(
    root: Root, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "STATS_AT_ONCE", 1)
    index = index_of(root, share)
    opened: list[str] = []

    class Closing(Closed):
        def folder(self, path: str) -> Directory:
            opened.append(path)
            if path == "z" and opened.count("z") > 1:
                raise PermissionError(13, "Permission denied", path)
            return root.folder(path)

    (share / "z/3").unlink()
    walked = Walked(Closing(root), reader(index | {"zz": None}))
    assert walked.dirty == ["zz"] and walked.kinds() == {"z": ProblemKind.UNREADABLE}


def test_a_name_that_cannot_be_asked_for_is_not_gone(root: Root, share: Path) -> None:
    class Sick:
        def __init__(self, folder: Directory) -> None:
            self._folder = folder

        def stat(self, name: str) -> Any:
            if name == "y":
                raise OSError(5, "Input/output error")
            return self._folder.stat(name)

        stat_listed = stat

        def __enter__(self) -> Sick:
            return self

        def __exit__(self, *_: object) -> None:
            self._folder.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._folder, name)

    class SickRoot(Closed):
        def folder(self, path: str) -> Any:
            return Sick(root.folder(path))

    walked = Walked(SickRoot(root), reader(index_of(root, share)))
    assert walked.dirty == [] and walked.kinds() == {"a/y": ProblemKind.UNREADABLE}


# ---- what is not synced -----------------------------------------------------------------------


def test_names_that_cannot_be_synced(root: Root, share: Path) -> None:
    raw = os.fsencode(share) + b"/a/\xffname"
    os.mkdir(raw)
    os.mkfifo(raw + b"/inside")
    put(share, ".LEFT/x", "a/.left/kept", "ok\n")
    walked = Walked(root, reader(index_of_without(root, share)))
    assert walked.kinds() == {
        "a/\\xffname": ProblemKind.BAD_NAME,
        ".LEFT": ProblemKind.BAD_NAME,
    }
    assert walked.dirty == ["a/.left", "a/.left/kept", "ok\n"]


def index_of_without(root: Root, share: Path) -> Index:
    """The fixture's own paths."""
    names = ("a", "a/x", "a/y", "a/y/z", "a/y/zz", "a-b", "a.txt", "a0", "a0/q", "b", "to")
    found: Index = {}
    for path in (*names, "ä", "z", "z/1", "z/2", "z/3"):
        with root.folder(parent_of(path)) as folder:
            stat = folder.stat(name_of(path))
        assert stat is not None
        found[path] = stat.key()
    return found


def test_a_path_that_is_too_deep_is_a_problem_and_not_entered(tmp_path: Path) -> None:
    deep = "/".join("d" * 130)
    put(tmp_path, deep + "/")
    walked = Walked(RealRoot(tmp_path), reader({}))
    assert walked.dirty[-1] == "/".join("d" * 128) and len(walked.dirty) == 128
    assert walked.kinds() == {"/".join("d" * 129): ProblemKind.BAD_NAME}


def test_lefting_files_are_told_apart(root: Root, share: Path) -> None:
    index = index_of(root, share)
    put(share, "a/x.lefting", "Y.LEFTING", "tree.lefting/inside", "a/lefting")
    walked = Walked(root, reader(index))
    paths = ["Y.LEFTING", "a/x.lefting", "tree.lefting"]
    assert walked.foreign == [Staged(path, (share / path).stat().st_ino) for path in paths]
    assert walked.dirty == ["a/lefting"] and not walked.problems


def test_special_files_are_problems_and_what_was_there_is_not_gone(root: Root, share: Path) -> None:
    index = index_of(root, share)
    (share / "z/1").unlink()
    os.mkfifo(share / "z/1")
    os.mkfifo(share / "fifo")
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(share)  # the path of a socket has to be short
        try:
            made.bind("sock")
        finally:
            os.chdir(here)
    walked = Walked(root, reader(index))
    assert walked.kinds() == dict.fromkeys(("z/1", "fifo", "sock"), ProblemKind.SPECIAL)
    assert walked.dirty == []


def test_our_own_folder_is_passed_over(root: Root, share: Path) -> None:
    put(share, ".left/.left/x", ".left/cookie-1")
    assert not any(path.startswith(".left") for path in Walked(root, reader({})).dirty)


def test_a_walk_of_a_folder_reads_little_of_the_index_that_comes_behind_it(
    root: Root, share: Path
) -> None:
    """A paired device made 30,000 folders: each walk of a new one read 1,000 rows of others."""
    put(share, "new/f")
    rows = [(sort_key(f"z {number:05}"), None) for number in range(5000)]
    read: list[int] = []

    def ours(after: bytes, limit: int) -> list[tuple[bytes, ScanKey | None]]:
        page = [row for row in rows if row[0] > after][:limit]
        read.append(len(page))
        return page

    assert Walked(root, ours, "new").dirty == ["new", "new/f"]
    assert sum(read) <= 10
    read.clear()
    assert len(Walked(root, ours).dirty) >= 5000
    assert len(read) < 12, "and a large one asks for many at once"
