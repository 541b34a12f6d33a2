"""What a user decides about a conflict copy: nothing that he has not seen is overwritten."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from leftzmq.disk.apply.resolve import (
    MAX_TEXT_BYTES,
    Choice,
    Known,
    Resolved,
    Wish,
    chosen,
    read_text,
    resolve,
)
from leftzmq.disk.fs.real import RealDirectory, RealRoot
from leftzmq.errors import Refused
from leftzmq.tree.entry import Kind
from tests.unit.disk.test_apply import entry, held, trashed

NOW_NS = 1_700_000_000_000_000_000
COPY = "d/f.conflict-20231114-221320-AAAAAAA-6f6e.txt"
FILE = "d/f.txt"


@pytest.fixture
def root(tmp_path: Path) -> RealRoot:
    (tmp_path / ".left/trash").mkdir(parents=True)
    (tmp_path / "d").mkdir()
    (tmp_path / COPY).write_bytes(b"theirs")
    (tmp_path / FILE).write_bytes(b"mine")
    return RealRoot(tmp_path)


def known(root: RealRoot, path: str, kind: Kind = Kind.FILE) -> Known:
    return Known(entry(path, kind), held(root, path))


def files(tmp_path: Path) -> dict[str, bytes]:
    return {
        path.name: path.readlink().name.encode() if path.is_symlink() else path.read_bytes()
        for path in (tmp_path / "d").iterdir()
    }


def test_mine_puts_the_copy_into_the_trash(root: RealRoot, tmp_path: Path) -> None:
    assert resolve(root, Choice.FILE, known(root, COPY), COPY, None, NOW_NS)[0] is Resolved.DONE
    assert files(tmp_path) == {"f.txt": b"mine"} and trashed(tmp_path) == {COPY: b"theirs"}


def test_theirs_puts_the_copy_at_the_name(root: RealRoot, tmp_path: Path) -> None:
    copy, file = known(root, COPY), known(root, FILE)
    assert resolve(root, Choice.COPY, copy, FILE, file, NOW_NS) == (Resolved.DONE, "")
    assert files(tmp_path) == {"f.txt": b"theirs"} and trashed(tmp_path) == {FILE: b"mine"}


def test_theirs_where_there_is_no_file(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / FILE).unlink()
    copy = known(root, COPY)
    assert resolve(root, Choice.COPY, copy, FILE, None, NOW_NS)[0] is Resolved.DONE
    assert files(tmp_path) == {"f.txt": b"theirs"} and not trashed(tmp_path)


def test_theirs_of_a_link(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / COPY).unlink()
    (tmp_path / COPY).symlink_to("there")
    copy, file = known(root, COPY, Kind.SYMLINK), known(root, FILE)
    assert resolve(root, Choice.COPY, copy, FILE, file, NOW_NS)[0] is Resolved.DONE
    assert files(tmp_path) == {"f.txt": b"there"} and trashed(tmp_path) == {FILE: b"mine"}


def test_both_gives_the_copy_a_name_of_its_own(root: RealRoot, tmp_path: Path) -> None:
    copy = known(root, COPY)
    assert resolve(root, Choice.BOTH, copy, "d/f (b).txt", None, NOW_NS)[0] is Resolved.DONE
    assert files(tmp_path) == {"f.txt": b"mine", "f (b).txt": b"theirs"}
    assert not trashed(tmp_path)


def edit(path: Path) -> None:
    path.write_bytes(b"of a user")


def swap(path: Path) -> None:
    path.unlink()
    path.mkdir()


UNSEEN: list[tuple[str, Choice, str, Callable[[Path], None]]] = [
    ("file, copy edited", Choice.FILE, COPY, edit),
    ("copy, copy edited", Choice.COPY, COPY, edit),
    ("copy, file edited", Choice.COPY, FILE, edit),
    ("copy, file gone", Choice.COPY, FILE, Path.unlink),
    ("copy, copy gone", Choice.COPY, COPY, Path.unlink),
    ("copy, file now a folder", Choice.COPY, FILE, swap),
    ("both, copy edited", Choice.BOTH, COPY, edit),
    ("both, copy gone", Choice.BOTH, COPY, Path.unlink),
]


@pytest.mark.parametrize("what, choice, path, change", UNSEEN, ids=[row[0] for row in UNSEEN])
def test_what_was_changed_a_moment_ago_stays(
    root: RealRoot,
    tmp_path: Path,
    what: str,
    choice: Choice,
    path: str,
    change: Callable[[Path], None],
) -> None:
    copy, file = known(root, COPY), known(root, FILE)
    change(tmp_path / path)
    before = {p.name: p.lstat().st_ino for p in (tmp_path / "d").iterdir()}
    target = "d/other" if choice is Choice.BOTH else FILE
    assert resolve(root, choice, copy, target, file, NOW_NS)[0] is Resolved.CHANGED
    assert {p.name: p.lstat().st_ino for p in (tmp_path / "d").iterdir()} == before
    assert not trashed(tmp_path)


def test_a_file_that_the_index_does_not_know_is_not_replaced(
    root: RealRoot, tmp_path: Path
) -> None:
    copy = known(root, COPY)
    assert resolve(root, Choice.COPY, copy, FILE, None, NOW_NS)[0] is Resolved.CHANGED
    assert resolve(root, Choice.BOTH, copy, FILE, None, NOW_NS)[0] is Resolved.TAKEN
    assert files(tmp_path)["f.txt"] == b"mine" and len(files(tmp_path)) == 2


def test_a_write_between_the_look_and_the_exchange_goes_back(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, file = known(root, COPY), known(root, FILE)
    exchange = RealDirectory.exchange

    def late(self: RealDirectory, name: str, to: RealDirectory, to_name: str) -> None:
        monkeypatch.undo()
        edit(tmp_path / FILE)
        exchange(self, name, to, to_name)

    monkeypatch.setattr(RealDirectory, "exchange", late)
    assert resolve(root, Choice.COPY, copy, FILE, file, NOW_NS)[0] is Resolved.CHANGED
    assert files(tmp_path)["f.txt"] == b"of a user" and not trashed(tmp_path)
    assert b"theirs" in files(tmp_path).values()


@pytest.mark.parametrize("code, ending", [(errno.ENOSPC, Resolved.DISK_FULL), (5, Resolved.FAILED)])
def test_what_the_disk_says_is_said(
    root: RealRoot, monkeypatch: pytest.MonkeyPatch, code: int, ending: Resolved
) -> None:
    copy = known(root, COPY)

    def broken(*_: object) -> None:
        raise OSError(code, "the disk says so")

    monkeypatch.setattr(RealDirectory, "rename_new", broken)
    resolved, why = resolve(root, Choice.BOTH, copy, "d/other", None, NOW_NS)
    assert resolved is ending and "the disk says so" in why


def test_a_name_that_may_not_be_is_refused(root: RealRoot, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        resolve(root, Choice.COPY, known(root, COPY), "d/f.lefting", None, NOW_NS)
    assert len(files(tmp_path)) == 2


TEXTS = [
    (b"", ""),
    ("имя\r\n".encode(), "имя\r\n"),
    (b"caf\xe9", None),
    (b"a\0b", None),
    (b"x" * MAX_TEXT_BYTES, "x" * MAX_TEXT_BYTES),
    (b"x" * (MAX_TEXT_BYTES + 1), None),
]


@pytest.mark.parametrize("data, text", TEXTS, ids=range(len(TEXTS)))
def test_what_is_text(root: RealRoot, tmp_path: Path, data: bytes, text: str | None) -> None:
    (tmp_path / FILE).write_bytes(data)
    assert read_text(root, entry(FILE)) == text
    assert read_text(root, entry("d", Kind.DIRECTORY)) is None
    assert read_text(root, entry("gone")) is None


MEANT = [
    (Wish.MINE, True, False, Choice.COPY),
    (Wish.MINE, False, True, Choice.FILE),
    (Wish.MINE, True, True, Resolved.BOTH_OURS),
    (Wish.MINE, False, False, Resolved.NEITHER_OURS),
    (Wish.MINE, True, None, Choice.COPY),
    (Wish.MINE, False, None, Resolved.NO_OTHER),
    (Wish.THEIRS, True, False, Choice.FILE),
    (Wish.THEIRS, False, True, Choice.COPY),
    (Wish.THEIRS, True, True, Resolved.BOTH_OURS),
    (Wish.THEIRS, False, False, Resolved.NEITHER_OURS),
    (Wish.THEIRS, True, None, Resolved.NO_OTHER),
    (Wish.THEIRS, False, None, Choice.COPY),
]


@pytest.mark.parametrize(("wish", "copy", "file", "then"), MEANT)
def test_what_is_mine_is_what_this_device_wrote(
    wish: Wish, copy: bool, file: bool | None, then: Choice | Resolved
) -> None:
    assert chosen(wish, copy, file) is then


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("file", [True, False, None])
def test_a_name_that_is_said_is_meant_whoever_wrote_it(copy: bool, file: bool | None) -> None:
    for wish, choice in ((Wish.FILE, Choice.FILE), (Wish.COPY, Choice.COPY)):
        assert chosen(wish, copy, file) is choice
    assert chosen(Wish.BOTH, copy, file) is Choice.BOTH
