"""Looks at single paths: what is read, what is believed, and what has to be looked at again."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leftzmq.content.cut import MAX_CHUNK_BYTES, ONE_CHUNK_MAX_BYTES, Cutter
from leftzmq.content.ids import chunk_id
from leftzmq.content.keys import derive_keys
from leftzmq.content.lists import Rows, pack_row
from leftzmq.disk.fs.interface import Root
from leftzmq.disk.fs.real import RealRoot
from leftzmq.disk.scan.scanner import RACY_NS, cut_slice, look
from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.errors import ProblemKind, Refusal
from leftzmq.tree.entry import Kind, Observed, ScanKey
from leftzmq.tree.path import name_of, parent_of

KEYS = derive_keys(bytes(range(32)))
S_NS = 1_000_000_000


@pytest.fixture
def root(tmp_path: Path) -> RealRoot:
    return RealRoot(tmp_path)


def later(path: Path, seconds: float = 5) -> int:
    """A wall clock at which what lies at `path` has been at rest for so long."""
    stat = path.lstat()
    return max(stat.st_mtime_ns, stat.st_ctime_ns) + int(seconds * S_NS)


def key_of(root: Root, path: str) -> ScanKey:
    with root.folder(parent_of(path)) as folder:
        stat = folder.stat(name_of(path))
    assert stat is not None
    return stat.key()


def see(
    root: Root,
    *paths: str,
    now_ns: int = 2**62,
    known: Callable[[str], ScanKey | None] = lambda path: None,
    **more: Any,
) -> list[Sighting]:
    sightings, left = look(root, "share", paths, known, KEYS, now_ns=lambda: now_ns, **more)
    assert [s.path for s in sightings] + list(left) == list(paths)
    return sightings


class Meddled:
    """An open file or folder (or root) to which something happens at a call of `method`."""

    def __init__(self, thing: Any, method: str, before: Any = None, after: Any = None) -> None:
        self._thing, self._method, self._before, self._after = thing, method, before, after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._thing, name)

        def call(*arguments: Any, **named: Any) -> Any:
            if name == self._method and self._before:
                self._before()
            answer = found(*arguments, **named)
            if name == self._method and self._after:
                self._after()
            if name in ("folder", "open_read"):
                return Meddled(answer, self._method, self._before, self._after)
            return answer

        return call

    def __enter__(self) -> Meddled:
        self._thing.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._thing.__exit__(*error)


# ---- what is found ----------------------------------------------------------------------------


def test_a_small_file_is_read_whole(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    file = tmp_path / "d" / "f"
    file.write_bytes(b"bytes")
    file.chmod(0o744)
    [found] = see(root, "d/f", now_ns=later(file))
    mtime_ns = file.stat().st_mtime_ns
    content = chunk_id(KEYS, b"bytes")
    assert found.observed == Observed("d/f", Kind.FILE, 5, mtime_ns, True, content, mode=0o744)
    assert found.sight is Sight.FOUND and found.key == key_of(root, "d/f")
    assert found.age_ns == 5 * S_NS


@pytest.mark.parametrize("size", [0, 1, ONE_CHUNK_MAX_BYTES])
def test_a_file_of_one_chunk_is_found(root: RealRoot, tmp_path: Path, size: int) -> None:
    (tmp_path / "f").write_bytes(b"x" * size)
    [found] = see(root, "f")
    assert found.observed is not None
    assert found.observed.content == chunk_id(KEYS, b"x" * size)


def test_a_larger_file_is_only_named(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * (ONE_CHUNK_MAX_BYTES + 1))
    read: list[int] = []
    [found] = see(Meddled(root, "read", before=lambda: read.append(1)), "f")
    assert found.sight is Sight.LARGE and found.key == key_of(root, "f") and not read
    assert found.observed is None


def test_folders_and_links(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o750)
    (tmp_path / "l").symlink_to("../ä/\n")
    folder, link = see(root, "d", "l")
    assert folder.observed == Observed("d", Kind.DIRECTORY, mode=0o750)
    assert folder.sight is Sight.FOUND
    mtime_ns = (tmp_path / "l").lstat().st_mtime_ns
    target = "../ä/\n".encode()
    assert link.observed == Observed("l", Kind.SYMLINK, 0, mtime_ns, False, target, 0)


def test_a_folder_with_nothing_in_it_is_empty(root: RealRoot, tmp_path: Path) -> None:
    """Whether the index knows it or not; anything in it, whatever it is, makes it another one."""
    for name in ("empty", "full", "bad"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "f").write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(tmp_path / "bad") + b"/\xff")).write_bytes(b"")
    (tmp_path / "link").symlink_to("empty")
    (tmp_path / "file").write_bytes(b"")
    names = ("empty", "full", "bad", "link", "file")
    for known in ({}, {name: key_of(root, name) for name in names}):
        found = see(root, *names, known=known.get)
        assert [seen.empty for seen in found] == [True, False, False, False, False]


@pytest.mark.parametrize("method", ["folder", "names"])
def test_a_folder_that_cannot_be_listed_is_not_called_empty(
    root: RealRoot, tmp_path: Path, method: str
) -> None:
    (tmp_path / "d").mkdir()

    calls = 0

    def once() -> None:
        nonlocal calls
        calls += 1
        if method == "names" or calls > 1:  # the first folder that is opened is the one above it
            raise PermissionError(errno.EACCES, "no", "d")

    [found] = see(Meddled(root, method, before=once), "d")
    assert found.sight is Sight.FOUND and not found.empty


def test_a_folder_that_is_replaced_while_it_is_looked_at_is_not_called_empty(
    root: RealRoot, tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "other").mkdir()

    def replace() -> None:
        if (tmp_path / "other").exists():
            (tmp_path / "d").rename(tmp_path / "gone")
            (tmp_path / "other").rename(tmp_path / "d")

    [found] = see(Meddled(root, "stat", after=replace), "d")
    assert found.sight is Sight.FOUND and not found.empty


def test_what_the_index_knows_is_not_read(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    (tmp_path / "d").mkdir()
    (tmp_path / "l").symlink_to("f")
    known = {path: key_of(root, path) for path in ("f", "d", "l")}
    read: list[int] = []
    meddled = Meddled(root, "open_read", before=lambda: read.append(1))
    found = see(meddled, "f", "d", "l", known=known.get, now_ns=0)
    assert [s.sight for s in found] == [Sight.SAME] * 3 and not read
    (tmp_path / "f").write_bytes(b"y")
    [found_again] = see(root, "f", known=known.get)
    assert found_again.sight is Sight.FOUND


def test_the_share_itself_is_nothing_new(root: RealRoot) -> None:
    assert see(root, "") == [Sighting("", Sight.SAME)]


@pytest.mark.parametrize("path", ["no", "no/no", "f/below", "l/below", "l/deep/er", "dead/x"])
def test_what_is_not_there_is_gone(root: RealRoot, tmp_path: Path, path: str) -> None:
    (tmp_path / "f").write_bytes(b"x")
    (tmp_path / "d" / "deep").mkdir(parents=True)
    (tmp_path / "d" / "below").write_bytes(b"not ours to see through a link")
    (tmp_path / "l").symlink_to("d")
    (tmp_path / "dead").symlink_to("nowhere")
    assert see(root, path) == [Sighting(path, Sight.GONE)]


# ---- problems ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        (".left/marker", Refusal.PATH_RESERVED),
        ("d/x.lefting", Refusal.PATH_RESERVED),
        ("../out", Refusal.PATH_UNCLEAN),
        ("/etc/passwd", Refusal.PATH_ABSOLUTE),
        ("d/" * 128 + "x", Refusal.PATH_TOO_LONG),
        ("\udcff", Refusal.PATH_NOT_UTF8),
    ],
)
def test_bad_names_are_problems_and_not_looked_at(
    root: RealRoot, path: str, refusal: Refusal
) -> None:
    [found] = see(Meddled(root, "folder", before=lambda: pytest.fail("looked")), path)
    assert found.sight is Sight.PROBLEM and found.problem is not None
    assert (found.problem.kind, found.problem.detail) == (ProblemKind.BAD_NAME, refusal.value)
    assert (found.problem.folder, found.problem.path) == ("share", path)


def test_special_files_are_problems(root: RealRoot, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p")
    [found] = see(root, "p")
    assert found.problem is not None and found.problem.kind is ProblemKind.SPECIAL


def test_a_link_that_is_not_utf8_is_a_problem(root: RealRoot, tmp_path: Path) -> None:
    os.symlink(b"\xff", os.fsencode(tmp_path / "l"))
    [found] = see(root, "l")
    assert found.problem is not None and found.problem.detail == Refusal.BAD_LINK.value


@pytest.mark.parametrize("method", ["folder", "open_read", "read", "stat"])
def test_what_cannot_be_read_is_a_problem_and_the_rest_goes_on(
    root: RealRoot, tmp_path: Path, method: str
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"x")
    (tmp_path / "g").write_bytes(b"x")
    refusals = [PermissionError(13, "Permission denied")]

    def refuse() -> None:
        if refusals:
            raise refusals.pop()

    shut, free = see(Meddled(root, method, before=refuse), "d/f", "g")
    assert shut.sight is Sight.PROBLEM and shut.problem is not None
    assert shut.problem.kind is ProblemKind.UNREADABLE
    assert shut.problem.detail == "Permission denied"
    assert free.sight is Sight.FOUND


# ---- what moves -------------------------------------------------------------------------------


def rewrite(file: Path) -> None:
    file.write_bytes(b"other")


def rewrite_in_disguise(file: Path) -> None:
    """The same size and mtime; only ctime tells."""
    stat = file.stat()
    file.write_bytes(b"yyyyy")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def grow(file: Path) -> None:
    with file.open("ab") as open_file:
        open_file.write(b"more")


MOVES: dict[str, Callable[[Path], None]] = {
    "rewritten": rewrite,
    "rewritten in disguise": rewrite_in_disguise,
    "grown": grow,
    "cut short": lambda file: os.truncate(file, 2),
    "mode": lambda file: file.chmod(0o755),
}


@pytest.mark.parametrize("when", ["open_read", "before read", "after read"])
@pytest.mark.parametrize("move", MOVES)
def test_a_file_that_moves_while_it_is_read_is_restless(
    root: RealRoot, tmp_path: Path, move: str, when: str
) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"xxxxx")
    os.utime(file, (1, 1))

    def do() -> None:
        MOVES[move](file)

    if when == "open_read":
        meddled = Meddled(root, "open_read", before=do)
    elif when == "before read":
        meddled = Meddled(root, "read", before=do)
    else:
        meddled = Meddled(root, "read", after=do)
    [found] = see(meddled, "f")
    assert found.sight is Sight.RESTLESS and found.observed is None


def test_a_file_that_goes_while_it_is_looked_at(root: RealRoot, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")
    [found] = see(Meddled(root, "open_read", before=file.unlink), "f")
    assert found.sight is Sight.GONE


@pytest.mark.parametrize(
    "become",
    [
        lambda file: file.mkdir(),
        lambda file: file.symlink_to("f2"),
        lambda file: os.mkfifo(file),
    ],
)
def test_a_file_that_becomes_something_else_is_restless(
    root: RealRoot, tmp_path: Path, become: Callable[[Path], None]
) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")

    def do() -> None:
        if file.is_file() and not file.is_symlink():
            file.rename(tmp_path / "f2")
            become(file)

    [found] = see(Meddled(root, "open_read", before=do), "f")
    assert found.sight is Sight.RESTLESS


def test_a_link_that_moves_while_it_is_read_is_restless(root: RealRoot, tmp_path: Path) -> None:
    link = tmp_path / "l"
    link.symlink_to("one")

    def do() -> None:
        link.rename(tmp_path / "old")
        link.symlink_to("two")

    [found] = see(Meddled(root, "read_link", after=do), "l")
    assert found.sight is Sight.RESTLESS


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(("age_ns", "racy"), [(0, True), (RACY_NS - 1, True), (RACY_NS, False)])
def test_what_is_too_young_is_restless(
    root: RealRoot, tmp_path: Path, age_ns: int, racy: bool, large: bool
) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x" * (ONE_CHUNK_MAX_BYTES + 1 if large else 1))
    os.utime(file, (1, 1))  # mtime is old: it is ctime that tells
    (tmp_path / "l").symlink_to("f")
    expected = Sight.RESTLESS if racy else Sight.LARGE if large else Sight.FOUND
    [found] = see(root, "f", now_ns=later(file, 0) + age_ns)
    assert found.sight is expected and found.age_ns == age_ns
    [link] = see(root, "l", now_ns=later(tmp_path / "l", 0) + age_ns)
    assert link.sight is (Sight.RESTLESS if racy else Sight.FOUND)


def young(root: RealRoot, file: Path, **asked: Any) -> Sighting:
    """A look at the file `f` in the moment in which it changed."""
    device = file.stat().st_dev
    asked = {"edits": ("f",), "exact_device": device} | asked
    [found] = see(root, "f", now_ns=later(file, 0), **asked)
    return found


def test_an_edit_is_read_at_once_and_once_more(root: RealRoot, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"saved")
    found = young(root, file)
    assert found.sight is Sight.FOUND and found.young
    assert found.observed is not None
    assert found.observed.content == chunk_id(KEYS, b"saved")
    key = key_of(root, "f")
    assert found.key is not None and found.key != key, "no later look takes it for known"
    assert found.key.same_mode(key) and not found.key.same_bytes(key), "nor does an operation"
    known = found.key
    [again] = see(root, "f", now_ns=later(file, 0) + RACY_NS, known=lambda path: known)
    assert again.sight is Sight.FOUND and not again.young and again.key == key


def test_an_edit_that_is_at_rest_is_read_once(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"saved")
    device = (tmp_path / "f").stat().st_dev
    [found] = see(root, "f", now_ns=later(tmp_path / "f"), edits=("f",), exact_device=device)
    assert found.sight is Sight.FOUND and not found.young and found.key == key_of(root, "f")


@pytest.mark.parametrize("why", ["no edit", "no such disk", "another disk", "large", "a link"])
def test_what_is_too_young_and_no_edit_of_a_small_file_rests(
    root: RealRoot, tmp_path: Path, why: str
) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x" * (ONE_CHUNK_MAX_BYTES + (why == "large")))
    asked: dict[str, Any] = {}
    if why == "no edit":
        asked = {"edits": ("g",)}
    elif why == "no such disk":
        asked = {"exact_device": None}
    elif why == "another disk":
        asked = {"exact_device": file.stat().st_dev + 1}
    elif why == "a link":
        file.unlink()
        file.symlink_to("x")
        [found] = see(root, "f", now_ns=later(file, 0), edits=("f",), exact_device=1)
        assert found.sight is Sight.RESTLESS
        return
    assert young(root, file, **asked).sight is Sight.RESTLESS


@pytest.mark.parametrize("method", ["open_read", "read"])
def test_an_edit_that_is_written_while_it_is_read_is_restless(
    root: RealRoot, tmp_path: Path, method: str
) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"saved")
    device, now_ns = file.stat().st_dev, later(file, 0)
    meddled = Meddled(root, method, before=lambda: file.write_bytes(b"again"))
    [found] = see(meddled, "f", now_ns=now_ns, edits=("f",), exact_device=device)
    if root.tells_each_change("", "f") is None:
        pytest.skip("the file system of the tests does not tell each change apart")
    assert found.sight is Sight.RESTLESS


def test_a_file_from_the_future_is_not_restless_for_ever(root: RealRoot, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")
    os.utime(file, (2**33, 2**33))
    now_ns = file.stat().st_ctime_ns + S_NS
    [found] = see(root, "f", now_ns=now_ns)
    assert found.sight is Sight.FOUND and found.age_ns == now_ns - 2**33 * S_NS


# ---- budgets ----------------------------------------------------------------------------------


def test_a_look_ends_after_its_budget_of_paths(root: RealRoot, tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(b"x")
    assert [s.path for s in see(root, "a", "b", "c", budget_paths=2)] == ["a", "b"]
    assert [s.path for s in see(root, "a", "b", budget_paths=0)] == ["a"]


def test_a_look_ends_after_its_budget_of_bytes(root: RealRoot, tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(b"x" * 100)
    assert [s.path for s in see(root, "a", "b", "c", budget_bytes=150)] == ["a", "b"]
    assert [s.path for s in see(root, "a", "b", "c", budget_bytes=1)] == ["a"]


def test_paths_of_many_folders_in_any_order(root: RealRoot, tmp_path: Path) -> None:
    paths = ["a/1", "b/1", "a/2", "top", "a/3", "b/no", "c/no", "b/2"]
    for path in paths:
        if "no" not in path:
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(path)
    found = {s.path: s.observed.content if s.observed else None for s in see(root, *paths)}
    assert found == {
        path: None if "no" in path else chunk_id(KEYS, path.encode()) for path in paths
    }


def test_no_descriptor_is_left_open(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"x")
    before = len(list(Path("/proc/self/fd").iterdir()))
    see(root, "d/f", "d/no", "d", "no/x")

    def known(path: str) -> ScanKey | None:
        raise RuntimeError(path)

    with pytest.raises(RuntimeError):
        see(root, "d/f", known=known)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# ---- large files ------------------------------------------------------------------------------

SIZE = 5 * MAX_CHUNK_BYTES + 12345


@pytest.fixture
def large(tmp_path: Path) -> bytes:
    data = os.urandom(SIZE // 2) + bytes(SIZE - SIZE // 2)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(data)
    return data


def all_slices(root: Root, key: ScanKey, window_bytes: int) -> bytes:
    cutter, offset, rows = Cutter(KEYS), 0, b""
    while offset < key.size:
        part = cut_slice(root, "d/f", key, offset, KEYS, cutter, window_bytes=window_bytes)
        assert part.still and part.end > offset and (part.path, part.key) == ("d/f", key)
        assert part.offset == offset
        rows, offset = rows + part.rows, part.end
    return rows


def test_slices_of_any_window_give_the_same_rows(root: RealRoot, large: bytes) -> None:
    key = key_of(root, "d/f")
    whole = all_slices(root, key, 2 * SIZE)
    assert all_slices(root, key, MAX_CHUNK_BYTES) == whole
    assert all_slices(root, key, 2 * MAX_CHUNK_BYTES + 1) == whole
    rows = Rows(whole)
    assert rows.total == SIZE
    for row in range(len(rows)):
        chunk = large[rows.offset(row) : rows.offset(row) + rows.length(row)]
        assert rows.id(row) == chunk_id(KEYS, chunk)


@pytest.mark.parametrize("when", ["open_read", "before read", "after read"])
@pytest.mark.parametrize("move", MOVES)
def test_a_slice_of_a_file_that_moves_is_not_still(
    root: RealRoot, tmp_path: Path, large: bytes, move: str, when: str
) -> None:
    file = tmp_path / "d" / "f"
    os.utime(file, (1, 1))
    key = key_of(root, "d/f")

    def do() -> None:
        MOVES[move](file)

    if when == "open_read":
        meddled = Meddled(root, "open_read", before=do)
    elif when == "before read":
        meddled = Meddled(root, "read", before=do)
    else:
        meddled = Meddled(root, "read", after=do)
    part = cut_slice(meddled, "d/f", key, MAX_CHUNK_BYTES, KEYS, Cutter(KEYS))
    assert (part.still, part.rows, part.end) == (False, b"", part.offset)


GROWTH_S = 1.0
"""From the stat to the reading: so long that no later write can have its times."""


@pytest.mark.parametrize("when", ["open_read", "before read", "after read"])
@pytest.mark.parametrize("move", MOVES)
def test_a_slice_of_a_file_that_may_grow_is_what_was_there_before(
    root: RealRoot, tmp_path: Path, large: bytes, move: str, when: str
) -> None:
    """Nothing else may happen to it."""
    file = tmp_path / "d" / "f"
    key = key_of(root, "d/f")
    late_ns = key.ctime_ns + int(GROWTH_S * 1e9)

    def do() -> None:
        MOVES[move](file)

    method = "open_read" if when == "open_read" else "read"
    before, after = (None, do) if when == "after read" else (do, None)
    meddled = Meddled(root, method, before=before, after=after)
    part = cut_slice(meddled, "d/f", key, 0, KEYS, Cutter(KEYS), grows_at_ns=late_ns)
    if move == "grown":
        quiet = cut_slice(root, "d/f", key, 0, KEYS, Cutter(KEYS), grows_at_ns=late_ns)
        assert part.still and part.grew and part.rows == quiet.rows and quiet.grew
    else:
        assert not part.still and not part.rows


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("size", [1, ONE_CHUNK_MAX_BYTES, ONE_CHUNK_MAX_BYTES + 1])
def test_a_small_file_that_grew_is_one_chunk_and_none_whose_times_another_write_may_have(
    root: RealRoot, tmp_path: Path, size: int, is_late: bool
) -> None:
    file, data = tmp_path / "f", os.urandom(size)
    file.write_bytes(data)
    key = key_of(root, "f")
    grow(file)
    now_ns = key.ctime_ns + (RACY_NS if is_late else RACY_NS - 1)
    part = cut_slice(root, "f", key, 0, KEYS, Cutter(KEYS), grows_at_ns=now_ns)
    assert part.still is is_late and part.grew is is_late
    if is_late:
        assert part.end == size
    if is_late and size <= ONE_CHUNK_MAX_BYTES:
        assert part.rows == pack_row(chunk_id(KEYS, data), size)


@pytest.mark.parametrize("gone", ["d/f", "d"])
def test_a_slice_of_what_is_gone_is_not_still(
    root: RealRoot, tmp_path: Path, large: bytes, gone: str
) -> None:
    key = key_of(root, "d/f")
    (tmp_path / gone).rename(tmp_path / "elsewhere")
    if gone == "d":
        (tmp_path / "d").symlink_to("elsewhere")
    assert not cut_slice(root, "d/f", key, 0, KEYS, Cutter(KEYS)).still
