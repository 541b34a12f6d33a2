"""Who may read what was replaced, or is new: on real files, with real owners where the test may."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from leftzmq.disk.apply.outcome import Ending
from leftzmq.disk.apply.resolve import Choice, Known, Resolved, resolve
from leftzmq.disk.fs.interface import ACL_NAME
from leftzmq.disk.fs.permissions import make_folder
from leftzmq.disk.fs.real import RealFile, RealRoot
from leftzmq.tree.entry import Life
from leftzmq.tree.permissions import Permissions
from tests.unit.disk.test_apply import (
    NEW,
    NOW_NS,
    OLD,
    Meddler,
    attributes,
    directory,
    entry,
    held,
    link,
    one,
    put,
)

IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root gives files away")
USER, GROUP, OTHER = 1000, 1001, 1002


@pytest.fixture
def root(tmp_path: Path) -> RealRoot:
    (tmp_path / ".left" / "trash").mkdir(parents=True)
    tmp_path.chmod(0o755)
    return RealRoot(tmp_path)


def acl(*entries: tuple[int, int, int]) -> bytes:
    """An ACL as the kernel keeps it: version 2, then (tag, bits, id) each."""
    packed = (struct.pack("<HHI", tag, bits, id & 0xFFFFFFFF) for tag, bits, id in entries)
    return struct.pack("<I", 2) + b"".join(packed)


# user:: rw-, user:1002 r--, group:: ---, mask:: r--, other:: ---
FRIEND = acl((1, 6, -1), (2, 4, OTHER), (4, 0, -1), (16, 4, -1), (32, 0, -1))


def set_acl(path: Path, value: bytes, name: str = ACL_NAME) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            pytest.skip("this file system has no ACLs")
        raise


def who(path: Path) -> tuple[int, int, str]:
    found = path.stat()
    return found.st_uid, found.st_gid, oct(found.st_mode & 0o7777)


def readers(path: Path) -> Callable[[int, int], bool]:
    """Whether a user of that number and group could read it, by owner and mode alone."""
    found = path.stat()

    def may(user: int, group: int) -> bool:
        if user == found.st_uid:
            return bool(found.st_mode & 0o400)
        return bool(found.st_mode & (0o040 if group == found.st_gid else 0o004))

    return may


def refuse(monkeypatch: pytest.MonkeyPatch, **names: int) -> None:
    """These calls on files fail; of set_owner only where it would change the owner (1), or either
    (2)."""

    def refused(name: str, how: int) -> None:
        real = getattr(RealFile, name)

        def call(self: RealFile, *values: object) -> object:
            if name == "set_owner" and how == 1 and values[0] == -1:
                return real(self, *values)
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(RealFile, name, call)

    for name, how in names.items():
        refused(name, how)


# ---- a file that is replaced ------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o660, 0o604, 0o400])
def test_a_file_that_is_replaced_keeps_its_owner_group_and_mode(
    root: RealRoot, tmp_path: Path, mode: int
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    os.chown(tmp_path / "a", USER, GROUP)
    (tmp_path / "a").chmod(mode)
    outcome = one(root, put(root, "a", held(root, "a")))
    assert (outcome.ending, outcome.lost) == (Ending.DONE, "")
    assert (tmp_path / "a").read_bytes() == NEW
    assert who(tmp_path / "a") == (USER, GROUP, oct(mode))
    assert outcome.key == held(root, "a").key


def test_its_acl_and_its_users_attributes_are_kept(root: RealRoot, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    path.chmod(0o640)
    set_acl(path, FRIEND)
    os.setxattr(path, "user.note", b"of a user")
    before = os.getxattr(path, ACL_NAME)
    assert one(root, put(root, "a", held(root, "a"))).lost == ""
    assert path.read_bytes() == NEW and os.getxattr(path, ACL_NAME) == before
    assert os.getxattr(path, "user.note") == b"of a user"


def test_what_its_folder_gives_every_new_file_is_not_added(root: RealRoot, tmp_path: Path) -> None:
    """The old file is older than the folder's default ACL: that user could not read it."""
    (tmp_path / "d").mkdir()
    path = tmp_path / "d/a"
    path.write_bytes(OLD)
    path.chmod(0o640)
    set_acl(tmp_path / "d", FRIEND, "system.posix_acl_default")
    assert one(root, put(root, "d/a", held(root, "d/a"))).ending is Ending.DONE
    assert path.read_bytes() == NEW and who(path)[2] == oct(0o640)
    assert ACL_NAME not in os.listxattr(path)


@needs_root
def test_bits_that_let_it_run_as_its_owner_are_for_the_old_bytes(
    root: RealRoot, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    os.chown(tmp_path / "a", USER, GROUP)
    (tmp_path / "a").chmod(0o6755)
    assert one(root, put(root, "a", held(root, "a"), exec=True)).ending is Ending.DONE
    assert who(tmp_path / "a") == (USER, GROUP, oct(0o755))


def test_x_comes_and_goes_for_those_who_may_read(root: RealRoot, tmp_path: Path) -> None:
    for before, exec, after in ((0o640, True, 0o750), (0o751, False, 0o640), (0o711, True, 0o711)):
        path = tmp_path / f"{before:o}"
        path.write_bytes(OLD)
        path.chmod(before)
        assert one(root, put(root, path.name, held(root, path.name), exec=exec)).key is not None
        assert who(path)[2] == oct(after)


@needs_root
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o660, 0o604, 0o444, 0o070])
@pytest.mark.parametrize("refused", [1, 2])
def test_who_may_not_give_it_away_lets_in_nobody_else(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, refused: int
) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    os.chown(path, USER, GROUP)
    path.chmod(mode)
    before = readers(path)
    operation = put(root, "a", held(root, "a"))
    refuse(monkeypatch, set_owner=refused)
    outcome = one(root, operation)
    assert outcome.ending is Ending.DONE and path.read_bytes() == NEW
    assert outcome.lost == ("owner 1000" if refused == 1 else "owner 1000, group 1001")
    after = readers(path)
    for user in (OTHER, 77):
        for group in (0, GROUP, 78):
            assert before(user, group) or not after(user, group)
    if refused == 1:
        assert who(path)[1:] == (GROUP, oct(mode | 0o400))


@needs_root
@pytest.mark.parametrize(
    ("refused", "lost"),
    [
        ({"set_xattr": 0}, "user attributes, ACL"),
        ({"set_owner": 2}, "group 1001, ACL"),
    ],
)
def test_an_acl_that_cannot_be_kept_leaves_its_owner_alone(
    root: RealRoot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: dict[str, int],
    lost: str,
) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    os.chown(path, 0, GROUP)
    set_acl(path, acl((1, 6, -1), (2, 0, OTHER), (4, 4, -1), (16, 6, -1), (32, 4, -1)))
    os.setxattr(path, "user.note", b"of a user")
    operation = put(root, "a", held(root, "a"))
    refuse(monkeypatch, **refused)
    assert one(root, operation).lost == lost
    assert path.read_bytes() == NEW and who(path)[2] == oct(0o600)
    assert ACL_NAME not in os.listxattr(path)


@pytest.mark.parametrize(("mode", "is_lost"), [(0o644, True), (0o640, True), (0o600, False)])
def test_what_cannot_be_opened_any_more_is_replaced_for_its_owner_alone(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, is_lost: bool
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    (tmp_path / "a").chmod(mode)
    operation = put(root, "a", held(root, "a"))
    real = type(root.folder("")).open_read

    def open_read(self: object, name: str) -> RealFile:
        if name == "a":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(self, name)  # type: ignore[arg-type]

    monkeypatch.setattr(type(root.folder("")), "open_read", open_read)
    outcome = one(root, operation)
    assert outcome.ending is Ending.DONE and bool(outcome.lost) is is_lost
    assert who(tmp_path / "a")[2] == oct(0o600)


@pytest.mark.parametrize("goes", [False, True])
def test_a_conflict_copy_has_the_mode_that_is_told_though_its_private_file_cannot_be_opened(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, goes: bool
) -> None:
    """Seed 79352366: it was put there for its owner alone, and nothing said so."""
    (tmp_path / "a.txt").write_bytes(OLD)
    (tmp_path / "a.txt").chmod(0o600)
    copy = "a.conflict-20260102-030405-ABCDEFG-0123.txt"
    told = Permissions(1, Life(b"w" * 12), 0o644)
    real = type(root.folder("")).open_read

    def open_read(self: object, name: str) -> RealFile:
        if name == "a.txt":
            if goes:
                (tmp_path / "a.txt").unlink()
            error = errno.ENOENT if goes else errno.EACCES
            raise OSError(error, os.strerror(error))
        return real(self, name)  # type: ignore[arg-type]

    monkeypatch.setattr(type(root.folder("")), "open_read", open_read)
    outcome = one(root, put(root, copy, permissions=told))
    assert outcome.ending is Ending.DONE and not outcome.lost
    assert who(tmp_path / copy)[2] == oct(0o644)


# ---- a user is quicker ------------------------------------------------------------------------


@pytest.mark.parametrize("copy_to", [None, "a.conflict"])
def test_who_takes_readers_away_while_it_is_replaced_means_the_name(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy_to: str | None
) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    path.chmod(0o644)
    operation = put(root, "a", held(root, "a"), copy_to)
    Meddler(monkeypatch, "exchange").act = lambda: path.chmod(0o600)  # type: ignore[misc]
    outcome = one(root, operation)
    assert outcome.ending is Ending.DONE and path.read_bytes() == NEW
    assert who(path)[2] == oct(0o600)
    assert outcome.key is not None and outcome.key != held(root, "a").key, "a look is to tell"
    if copy_to:
        assert who(tmp_path / copy_to)[2] == oct(0o600)


def test_who_changed_the_mode_since_the_last_look_keeps_his_file(
    root: RealRoot, tmp_path: Path
) -> None:
    """It is told first: the version that comes has another mode."""
    path = tmp_path / "a"
    path.write_bytes(OLD)
    path.chmod(0o644)
    operation = put(root, "a", held(root, "a"))
    path.chmod(0o600)
    outcome = one(root, operation)
    assert outcome.ending is Ending.CHANGED
    assert path.read_bytes() == OLD and who(path)[2] == oct(0o600)


@needs_root
def test_who_gives_it_away_while_it_is_replaced_gives_the_new_one_away(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    operation = put(root, "a", held(root, "a"))
    Meddler(monkeypatch, "exchange").act = lambda: os.chown(path, USER, GROUP)  # type: ignore[misc]
    assert one(root, operation).ending is Ending.DONE
    assert path.read_bytes() == NEW and who(path)[:2] == (USER, GROUP)


# ---- copies, moves and attributes -------------------------------------------------------------


@needs_root
def test_the_copy_of_a_file_with_two_names_is_its_owners(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD)
    os.chown(tmp_path / "a", USER, GROUP)
    (tmp_path / "a").chmod(0o640)
    os.setxattr(tmp_path / "a", "user.note", b"1")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert one(root, attributes("a", held(root, "a"))).ending is Ending.DONE
    assert who(tmp_path / "a") == (USER, GROUP, oct(0o750))
    assert os.getxattr(tmp_path / "a", "user.note") == b"1"
    assert who(tmp_path / "b") == (USER, GROUP, oct(0o640))


@needs_root
def test_a_conflict_copy_that_comes_from_elsewhere_is_open_to_whom_its_file_is(
    root: RealRoot, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_bytes(OLD)
    os.chown(tmp_path / "a.txt", USER, GROUP)
    (tmp_path / "a.txt").chmod(0o600)
    copy = "a.conflict-20260102-030405-ABCDEFG-0123.txt"
    assert one(root, put(root, copy)).ending is Ending.DONE
    assert who(tmp_path / copy) == (USER, GROUP, oct(0o600))


@needs_root
def test_a_copy_that_wins_is_open_to_whom_its_file_was(root: RealRoot, tmp_path: Path) -> None:
    copy = "a.conflict-20260102-030405-ABCDEFG-0123"
    (tmp_path / copy).write_bytes(NEW)
    (tmp_path / copy).chmod(0o644)
    (tmp_path / "a").write_bytes(OLD)
    os.chown(tmp_path / "a", USER, GROUP)
    (tmp_path / "a").chmod(0o600)
    known = [Known(entry(path), held(root, path)) for path in (copy, "a")]
    ended = resolve(root, Choice.COPY, known[0], "a", known[1], NOW_NS)
    assert ended == (Resolved.DONE, "")
    assert (tmp_path / "a").read_bytes() == NEW
    assert who(tmp_path / "a") == (USER, GROUP, oct(0o600))


# ---- what is new ------------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize(
    ("folder", "file"), [(0o700, 0o600), (0o750, 0o640), (0o755, 0o644), (0o2770, 0o640)]
)
def test_a_new_file_belongs_to_whom_its_folder_belongs(
    root: RealRoot, tmp_path: Path, folder: int, file: int
) -> None:
    (tmp_path / "d").mkdir()
    os.chown(tmp_path / "d", USER, GROUP)
    (tmp_path / "d").chmod(folder)
    for operation in (put(root, "d/a"), put(root, "d/x", exec=True), directory("d/e")):
        assert one(root, operation).ending is Ending.DONE
    assert who(tmp_path / "d/a") == (USER, GROUP, oct(file))
    assert who(tmp_path / "d/x") == (USER, GROUP, oct(file | (file & 0o444) >> 2))
    usual = 0o755 & (folder | 0o700) | folder & 0o2000
    assert who(tmp_path / "d/e") == (USER, GROUP, oct(usual))


@needs_root
def test_a_group_that_cannot_be_given_gets_no_more_than_others(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d").mkdir()
    os.chown(tmp_path / "d", 0, GROUP)
    (tmp_path / "d").chmod(0o750)
    refuse(monkeypatch, set_owner=2)
    assert one(root, put(root, "d/a")).ending is Ending.DONE
    assert who(tmp_path / "d/a") == (0, 0, oct(0o600))


def test_a_folder_is_nobodys_but_its_owners_until_its_group_is_known(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d").chmod(0o750)
    seen: list[str] = []
    with root.folder("d") as folder:
        real = type(folder).make_folder

        def made(self: object, name: str, mode: int = 0o777) -> None:
            real(self, name, mode)  # type: ignore[arg-type]
            seen.append(who(tmp_path / "d" / name)[2])

        monkeypatch.setattr(type(folder), "make_folder", made)
        make_folder(folder, "e")
        with pytest.raises(FileExistsError):
            make_folder(folder, "e")
    assert seen == [oct(0o700)] and who(tmp_path / "d/e")[2] == oct(0o750)


def test_a_file_in_the_place_of_a_link_is_new(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o700)
    one(root, link("d/a"))
    assert one(root, put(root, "d/a", held(root, "d/a"))).ending is Ending.DONE
    assert who(tmp_path / "d/a")[2] == oct(0o600)
