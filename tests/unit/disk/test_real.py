"""The contract of a file system that disk/ can work on; every implementation runs all of it.

A second implementation (the simulated one) is added to `ROOTS` and nothing else changes.
"""

from __future__ import annotations

import errno
import itertools
import mmap
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from leftzmq.disk.fs import linux
from leftzmq.disk.fs import real as fs
from leftzmq.disk.fs.interface import (
    CANNOT_CLONE,
    CLONE_BYTES,
    Directory,
    OtherSpelling,
    Root,
    Stat,
)
from leftzmq.disk.fs.real import RealRoot
from leftzmq.disk.fs.spelling import SpelledRoot
from leftzmq.tree.attributes import Attributes
from leftzmq.tree.entry import Kind
from tests.sim.disk import Disk
from tests.sim.fs import Calls, SimRoot

ROOTS: dict[str, Callable[[Path], Root]] = {
    "real": RealRoot,
    "simulated": lambda path: SimRoot(Calls(Disk(time.time_ns))),
    "simulated, sharing": lambda path: SimRoot(
        Calls(Disk(time.time_ns, shares_blocks=True, tells_each_change=True))
    ),
    "real, by its spelling": lambda path: SpelledRoot(RealRoot(path), exact=False),
    "folding, by its spelling": lambda path: SpelledRoot(SimRoot(Calls(_folding())), exact=False),
}


def _folding() -> Disk:
    return Disk(time.time_ns, folds=frozenset((1,)))


@pytest.fixture(params=sorted(ROOTS))
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Root:
    return ROOTS[request.param](tmp_path)


@pytest.fixture
def top(root: Root) -> Directory:
    return root.folder("")


def put(folder: Directory, name: str, data: bytes) -> None:
    with folder.create(name) as file:
        file.write(0, data)


def get(folder: Directory, name: str) -> bytes:
    with folder.open_read(name) as file:
        return file.read(0, 1 << 20)


# ---- files ------------------------------------------------------------------------------------


def test_a_file_is_created_once_only(top: Directory) -> None:
    put(top, "a", b"one")
    with pytest.raises(FileExistsError):
        top.create("a")
    top.make_link("dangling", b"nowhere")
    with pytest.raises(FileExistsError):
        top.create("dangling")
    assert top.stat("nowhere") is None
    assert get(top, "a") == b"one"


def test_reads_are_full_except_at_the_end(top: Directory) -> None:
    put(top, "a", b"0123456789")
    with top.open_read("a") as file:
        assert file.read(2, 3) == b"234"
        assert file.read(8, 100) == b"89"
        assert file.read(10, 1) == b""
        assert file.read(3, 0) == b""


def test_blocks_are_shared_or_that_is_refused(top: Directory) -> None:
    block = CLONE_BYTES
    put(top, "from", b"a" * block + b"b" * block + b"c" * 9)
    put(top, "to", b"x" * 4 * block)
    with top.open_read("from") as source, top.open_write("to") as target:
        try:
            target.clone(2 * block, source, block, block)
        except OSError as error:
            assert error.errno in CANNOT_CLONE
            assert get(top, "to") == b"x" * 4 * block
        else:
            assert get(top, "to") == b"x" * 2 * block + b"b" * block + b"x" * block
        for offset, source_offset, length in ((1, 0, block), (0, 1, block), (0, 2 * block, block)):
            before = get(top, "to")
            with pytest.raises(OSError) as caught:
                target.clone(offset, source, source_offset, length)
            assert caught.value.errno in CANNOT_CLONE and get(top, "to") == before
    assert get(top, "from") == b"a" * block + b"b" * block + b"c" * 9


def test_writes_may_leave_a_hole(top: Directory) -> None:
    with top.create("a") as file:
        file.write(5, memoryview(b"xyz")[1:])
        file.flush()
        assert file.stat().size == 7
        assert file.read(0, 10) == b"\0" * 5 + b"yz"
        file.truncate(2)
        assert file.stat().size == 2


def test_to_begin_a_flush_changes_nothing_and_never_fails(top: Directory) -> None:
    with top.create("a") as file:
        file.begin_flush(0, 1 << 20)
        file.write(0, b"abc")
        before = file.stat()
        file.begin_flush(0, 1 << 20)
        assert (file.stat(), file.read(0, 9)) == (before, b"abc")
        file.flush()
    with top.open_read("a") as file:
        file.begin_flush(0, 1 << 20)
        assert file.read(0, 9) == b"abc"


def test_a_disk_that_is_behind_gets_nothing_before_it_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[int, ...]] = []
    monkeypatch.setattr(linux, "begin_writeback", lambda _, *part: begun.append(part))
    vmstat = tmp_path / "vmstat"
    monkeypatch.setattr(linux, "_VMSTAT", vmstat)
    limit = linux.BEHIND_BYTES // mmap.PAGESIZE
    with RealRoot(tmp_path).folder("") as top, top.create("a") as file:
        for pages, begins in ((limit, False), (limit - 1, True), (0, True)):
            begun.clear()
            vmstat.write_text(f"nr_dirty 9999999\nnr_writeback {pages}\nnr_writeback_temp 0\n")
            file.begin_flush(1, 2)
            assert begun == ([(1, 2)] if begins else []), pages
        for said in ("", "nr_writeback -\n"):
            vmstat.write_text(said)
            file.begin_flush(1, 2)
        vmstat.unlink()  # another system
        file.begin_flush(1, 2)
    assert len(begun) == 4


def test_open_write_wants_an_existing_file(top: Directory) -> None:
    with pytest.raises(FileNotFoundError):
        top.open_write("a")
    put(top, "a", b"abc")
    with top.open_write("a") as file:
        file.write(1, b"X")
    assert get(top, "a") == b"aXc"


def test_times_and_exec_are_set_and_seen(top: Directory) -> None:
    with top.create("a") as file:
        assert file.stat().exec is False
        file.set_times(1_600_000_000_123_456_789)
        file.set_wanted(Attributes(0, True))
        before = file.stat()
    found = top.stat("a")
    assert found is not None and found.key() == before.key()
    assert found.mtime_ns == 1_600_000_000_123_456_789
    assert found.exec and found.links == 1 and found.kind is Kind.FILE
    with top.open_read("a") as file:
        file.set_wanted(Attributes(0, False))
        file.set_times(-1)
        assert not file.stat().exec
        assert file.stat().mtime_ns == -1


def test_x_is_for_whoever_may_read(top: Directory) -> None:
    with top.create("new") as file:
        for mode, exec, after in (
            (0o640, True, 0o750),
            (0o755, False, 0o644),
            (0o610, True, 0o710),
        ):
            file.set_mode(mode)
            file.set_wanted(Attributes(0, exec))
            assert file.stat().mode == after


def test_all_nine_bits_are_set_where_they_are_known(top: Directory) -> None:
    with top.create("new") as file:
        for bits in (0o640, 0o777, 0o400):
            file.set_wanted(Attributes(0, exec=False, bits=bits))
            assert file.stat().mode == bits and file.stat().key().mode == bits


def test_attributes_of_a_user_are_set_seen_and_removed(top: Directory) -> None:
    with top.create("a") as file:
        assert file.xattrs() == {}
        try:
            file.set_xattr("user.note", b"one")
        except OSError as error:
            assert error.errno == errno.EOPNOTSUPP
            pytest.skip("this file system has no user attributes")
        file.set_xattr("user.note", b"two")
        file.set_xattr("user.other", b"")
        assert file.xattrs() == {"user.note": b"two", "user.other": b""}
        file.remove_xattr("user.other")
    with top.open_read("a") as file:
        assert file.xattrs() == {"user.note": b"two"}


def test_an_owner_is_seen_and_set_again(top: Directory) -> None:
    top.make_folder("d")
    with top.create("a") as file, top.folder("d") as folder:
        for thing, stat in ((file, file.stat), (folder, folder.own_stat)):
            before = stat()
            thing.set_owner(before.owner, before.group)
            thing.set_owner(-1, -1)
            assert (stat().owner, stat().group) == (before.owner, before.group)


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        (0o755, 0o644),
        (0o750, 0o640),
        (0o700, 0o600),
        (0o705, 0o604),
        (0o711, 0o644),
        (0o744, 0o600),
    ],
)
def test_a_new_file_is_open_to_those_to_whom_its_folder_is(
    top: Directory, folder: int, file: int
) -> None:
    top.make_folder("d")
    with top.folder("d") as inner:
        inner.set_mode(folder)
        assert inner.own_stat().mode == folder
        assert inner.new_mode(False) == file


def test_a_file_is_nobody_elses_until_its_mode_is_set(top: Directory) -> None:
    with top.create("a") as file:
        assert file.stat().mode == 0o600
        file.set_mode(top.new_mode(False))
        assert file.stat().mode == top.new_mode(False) and not file.stat().exec
        file.set_mode(top.new_mode(True))
        assert file.stat().mode == top.new_mode(True) and file.stat().exec
    assert top.new_mode(False) & 0o600 == 0o600 and not top.new_mode(True) & 0o022


# ---- what is there ----------------------------------------------------------------------------


def test_stat_says_the_kind_and_never_follows(top: Directory) -> None:
    assert top.stat("none") is None
    put(top, "file", b"123")
    top.make_folder("folder")
    top.make_link("link", b"file")
    kinds = {name: top.stat(name) for name in ("file", "folder", "link")}
    assert [s.kind for s in kinds.values() if s] == [Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK]
    assert top.read_link("link") == b"file"
    assert sorted(top.names()) == [b"file", b"folder", b"link"]


def test_a_folders_key_stays_when_its_children_change(top: Directory) -> None:
    top.make_folder("d")
    before = top.stat("d")
    with top.folder("d") as inner:
        put(inner, "x", b"1")
        inner.make_folder("y")
        assert before is not None and inner.own_stat().key() == before.key()
    after = top.stat("d")
    assert before and after and before.key() == after.key()
    assert before.key().size == 0 and before.key().inode == before.inode


def test_an_open_folder_stays_the_same_whatever_its_name(top: Directory) -> None:
    top.make_folder("d")
    with top.folder("d") as inner:
        stat = inner.own_stat()
        assert inner.identity() == (stat.device, stat.inode) != top.identity()
        top.rename_new("d", top, "e")
        top.make_folder("d")
        assert inner.identity() == (stat.device, stat.inode)
        with top.folder("e") as moved, top.folder("d") as other:
            assert moved.identity() == inner.identity() != other.identity()


def test_names_are_given_as_they_are(top: Directory) -> None:
    made = {"ä", "tab\t", "\u202e"}
    for name in made:
        put(top, name, b"")
    with suppress(OtherSpelling):
        put(top, "a\u0308", b"")
        made.add("a\u0308")
    assert {n.decode() for n in top.names()} == made


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "/etc", "a\0b", "../x"])
def test_a_name_is_one_component(top: Directory, root: Root, name: str) -> None:
    for call in (top.stat, top.folder, top.open_read, top.create, top.unlink, top.make_folder):
        with pytest.raises(ValueError):
            call(name)
    with pytest.raises(ValueError):
        top.rename_new("x", top, name)
    with pytest.raises(ValueError):
        root.folder(f"a/{name or '.'}/../..")


# ---- links are never followed -----------------------------------------------------------------


def test_links_are_not_followed_by_any_call(root: Root, top: Directory) -> None:
    top.make_folder("real")
    with top.folder("real") as real:
        real.make_folder("below")
        put(real, "secret", b"s")
    top.make_link("way", b"real")
    top.make_link("leaf", b"real/secret")
    for path in ("way", "way/below", "real/below/../../way", "leaf"):
        with pytest.raises((NotADirectoryError, ValueError)):
            root.folder(path)
    with pytest.raises(NotADirectoryError):
        top.folder("way")
    for call in (top.open_read, top.open_write):
        with pytest.raises(OSError):
            call("leaf")
    root.folder("real/below").close()


def test_a_file_in_the_way_is_not_a_folder(root: Root, top: Directory) -> None:
    put(top, "a", b"")
    for path in ("a", "a/b"):
        with pytest.raises(NotADirectoryError):
            root.folder(path)
    with pytest.raises(FileNotFoundError):
        root.folder("none/b")


def test_a_folder_is_not_opened_as_a_file(top: Directory) -> None:
    top.make_folder("d")
    for call in (top.open_read, top.open_write):
        with pytest.raises(IsADirectoryError):
            call("d")


# ---- renames ----------------------------------------------------------------------------------


def test_rename_new_never_overwrites(top: Directory) -> None:
    put(top, "a", b"a")
    top.make_folder("d")
    inner = top.folder("d")
    for taken in ("b", "c", "e"):
        {"b": lambda n: put(inner, n, b"b"), "c": inner.make_folder}.get(
            taken, lambda n: inner.make_link(n, b"x")
        )(taken)
        with pytest.raises(FileExistsError):
            top.rename_new("a", inner, taken)
    assert get(top, "a") == b"a" and get(inner, "b") == b"b"
    before = top.stat("a")
    top.rename_new("a", inner, "new")
    after = inner.stat("new")
    assert top.stat("a") is None and get(inner, "new") == b"a"
    assert before and after and before.key().same_bytes(after.key()) and after.links == 1
    with pytest.raises(FileNotFoundError):
        top.rename_new("a", inner, "gone")


def test_rename_new_takes_folders_and_links(top: Directory) -> None:
    top.make_folder("d")
    top.make_link("l", b"t")
    top.rename_new("d", top, "e")
    top.rename_new("l", top, "m")
    with pytest.raises(FileExistsError):
        top.rename_new("e", top, "m")
    assert sorted(top.names()) == [b"e", b"m"] and top.read_link("m") == b"t"


def test_exchange_swaps_or_does_nothing(top: Directory) -> None:
    put(top, "a", b"a")
    top.make_folder("d")
    inner = top.folder("d")
    put(inner, "b", b"b")
    inner.make_link("l", b"t")
    top.exchange("a", inner, "b")
    assert (get(top, "a"), get(inner, "b")) == (b"b", b"a")
    top.exchange("a", inner, "l")
    assert top.read_link("a") == b"t" and get(inner, "l") == b"b"
    for name, other in (("a", "none"), ("none", "b")):
        with pytest.raises(FileNotFoundError):
            top.exchange(name, inner, other)
    assert sorted(inner.names()) == [b"b", b"l"] and sorted(top.names()) == [b"a", b"d"]


def test_removing(top: Directory) -> None:
    top.make_folder("d")
    with top.folder("d") as inner:
        put(inner, "x", b"")
        with pytest.raises(OSError) as caught:
            top.remove_folder("d")
        assert caught.value.errno == errno.ENOTEMPTY
        inner.unlink("x")
    with pytest.raises(OSError):
        top.unlink("d")
    top.remove_folder("d")
    with pytest.raises(FileNotFoundError):
        top.remove_folder("d")
    with pytest.raises(FileNotFoundError):
        top.unlink("d")


def test_flushes_and_room(root: Root, top: Directory) -> None:
    put(top, "a", b"x")
    with top.open_read("a") as file:
        file.flush()
    top.flush()
    root.flush_all()
    assert 0 < top.free_bytes() <= top.total_bytes()
    assert root.still_there()
    root.close()


# ---- what only the real one has ---------------------------------------------------------------


def test_a_root_that_was_moved_away_is_not_there(tmp_path: Path) -> None:
    fs.make_root(tmp_path / "up" / "share")
    real = RealRoot(tmp_path / "up" / "share")
    assert real.still_there()
    (tmp_path / "up" / "share").rename(tmp_path / "up" / "away")
    assert not real.still_there()
    (tmp_path / "up" / "share").mkdir()
    assert not real.still_there()


def test_a_fifo_is_special_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    top = RealRoot(tmp_path).folder("")
    found = top.stat("pipe")
    assert found is not None and found.kind is None
    with pytest.raises(OSError):
        top.open_read("pipe")


def test_a_name_that_is_not_utf8_is_given_raw(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"bad\xff")).write_bytes(b"")
    assert RealRoot(tmp_path).folder("").names() == [b"bad\xff"]


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    fs.make_root(tmp_path / "a" / "b" / "c")
    before = len(os.listdir("/proc/self/fd"))
    root = RealRoot(tmp_path)
    for path in ("", "a", "a/b/c"):
        with root.folder(path) as folder:
            put(folder, "f", b"")
    for path in ("a/f", "none", "a/b/none/x"):
        with pytest.raises(OSError):
            root.folder(path)
    with root.folder("") as folder, pytest.raises(IsADirectoryError):
        folder.open_read("a")
    root.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_nothing_is_said_to_be_missing_where_nothing_is() -> None:
    has = (linux.HAS_RENAMEAT2, linux.HAS_OPENAT2, linux.HAS_SYNCFS)
    assert len(fs.missing_calls()) == has.count(False)


class TestWithoutTheLinuxCalls:
    """The ways around keep the contract (their races are said at start)."""

    @pytest.fixture(autouse=True)
    def without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HAS_RENAMEAT2", "HAS_OPENAT2", "HAS_SYNCFS"):
            monkeypatch.setattr(linux, name, False)

    test_new = staticmethod(test_rename_new_never_overwrites)
    test_folders = staticmethod(test_rename_new_takes_folders_and_links)
    test_exchange = staticmethod(test_exchange_swaps_or_does_nothing)
    test_links = staticmethod(test_links_are_not_followed_by_any_call)
    test_files = staticmethod(test_a_file_in_the_way_is_not_a_folder)
    test_closed = staticmethod(test_no_descriptor_is_left_open)
    test_flush = staticmethod(test_flushes_and_room)

    def test_all_are_named(self) -> None:
        assert [said.split()[0] for said in fs.missing_calls()] == [
            "renameat2",
            "openat2",
            "syncfs",
        ]


def test_where_each_change_is_told_apart_no_two_show_the_same_ctime(root: Root) -> None:
    with root.folder("") as folder:
        folder.create("f").close()
        if (device := root.tells_each_change("", "f")) is None:
            pytest.skip("this file system does not tell each change apart")
        assert device == folder.own_stat().device
        with folder.open_write("f") as file:
            times = [file.stat().ctime_ns]
            for number in range(200):
                file.write(0, b"x") if number % 2 else file.truncate(number % 7)
                times.append(file.stat().ctime_ns)
    assert times == sorted(set(times))


def test_times_of_a_tick_are_not_taken_for_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ticks may begin while the file system is asked, where the machine is busy."""
    (tmp_path / "f").touch()
    root, tick = RealRoot(tmp_path), itertools.count()
    stat = fs.RealFile.stat

    def coarse(self: fs.RealFile) -> Stat:
        return replace(stat(self), ctime_ns=min(next(tick), 14))

    monkeypatch.setattr(fs.RealFile, "stat", coarse)
    assert root.tells_each_change("", "f") is None
