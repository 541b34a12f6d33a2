"""Handles file systems that take two spellings for one name: `Foo` and `foo`, or an accented letter
as one character and as two.

Such a disk finds `foo` where only `Foo` exists. Code that believes it takes one file for two, and
the delete of one spelling for the delete of the other. So a name exists only if the listing of its
folder has exactly that spelling. If a name cannot be made because another spelling is there, the
error is `OtherSpelling`, which differs from that for a taken name. With that, all callers work as
on any disk.

The share's own file system is tested when the share is opened. A file system mounted inside is
tested without writing to it, by its first names; each mount has its own result. If all of them tell
spellings apart, this module only looks up the device number.

Knows folders and their listings. Must not know entries, the index or what a call is made for.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from unicodedata import normalize

from leftzmq.disk.fs.interface import (
    Closing,
    Directory,
    File,
    Identity,
    NotKept,
    OtherSpelling,
    Root,
    Stat,
)
from leftzmq.tree.path import folded, name_of, parent_of
from leftzmq.tree.rules import LEFT_DIRECTORY

ASKED_NAMES: Final = 64
"""How many names of a folder are tested to learn how its file system treats spellings. One name
with a letter is enough."""


def tell_apart(folder: Directory, name: str) -> bool | None:
    """Whether this file system tells the spellings of `name`, which is in `folder`, apart. None:
    the name has only one spelling. OSError."""
    asked = False
    for other in _spellings(name):
        try:
            found = folder.stat(other)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EILSEQ):
                raise
            continue  # this disk does not allow that name
        asked = True
        if found is not None and other.encode() not in folder.names():
            return False
    return True if asked else None


class SpelledRoot:
    """Wraps another `Root`. exact: whether the share's own file system tells spellings apart."""

    def __init__(self, root: Root, *, exact: bool) -> None:
        self._root = root
        with root.folder("") as top:
            self._top = top.device()
        self._exact = {self._top: exact}
        self._all_exact = exact

    @property
    def folds(self) -> bool:
        """Whether the share's own file system takes two spellings for one name."""
        return not self._exact[self._top]

    def folder(self, path: str) -> Directory:
        folder = self._root.folder(path)
        try:
            exact = self._exact.get(folder.device())
            if exact is None:
                exact = self._learn(folder)
            if not self._all_exact:
                self._check_spelling(path)
        except BaseException:
            folder.close()
            raise
        return folder if exact and self._all_exact else SpelledDirectory(folder, not exact)

    def still_there(self) -> bool:
        return self._root.still_there()

    def flush_all(self) -> None:
        self._root.flush_all()

    def missing_at(self, path: str, name: str, other: str) -> tuple[str, ...]:
        return self._root.missing_at(path, name, other)

    def tells_each_change(self, path: str, name: str) -> int | None:
        return self._root.tells_each_change(path, name)

    def met(self, device: int) -> None:
        if device != self._top:
            self._exact.pop(device, None)
            self._all_exact = all(self._exact.values())

    def close(self) -> None:
        self._root.close()

    def _check_spelling(self, path: str) -> None:
        """Check the exact spelling of each component, except for our own folder `.left`, which can
        exist only once. FileNotFoundError."""
        while path and path != LEFT_DIRECTORY:
            with self._root.folder(parent_of(path)) as above:
                if self._exact.get(above.device()) is not True:
                    _check_listed(above, name_of(path))
            path = parent_of(path)

    def _learn(self, folder: Directory) -> bool:
        """Whether a mount inside the share tells spellings apart. False also while none of its
        names shows that: then every name is looked up in its listing. OSError."""
        for raw in folder.names()[:ASKED_NAMES]:
            with suppress(UnicodeDecodeError):
                exact = tell_apart(folder, raw.decode())
                if exact is not None:
                    self._exact[folder.device()] = exact
                    self._all_exact = all(self._exact.values())
                    return exact
        return False


class SpelledDirectory:
    """Wraps another `Directory`. folds: its file system may take two spellings for one name.

    `exchange`, `unlink` and the source of `rename_new` do not check the spelling: the caller has
    just checked that exact name with `stat`.
    """

    def __init__(self, folder: Directory, folds: bool) -> None:
        self.raw, self._folds = folder, folds

    # ---- asking --------------------------------------------------------------------------------

    def stat(self, name: str) -> Stat | None:
        found = self.raw.stat(name)
        return found if found is None or self._lists(name) else None

    def stat_listed(self, name: str) -> Stat | None:
        return self.raw.stat(name)

    def own_stat(self) -> Stat:
        return self.raw.own_stat()

    def device(self) -> int:
        return self.raw.device()

    def identity(self) -> Identity:
        return self.raw.identity()

    def names(self) -> list[bytes]:
        return self.raw.names()

    def spelled(self, name: str) -> str | None:
        found = self.raw.stat(name) if self._folds else None
        if found is None:
            return None
        names = self.raw.names()
        return None if name.encode() in names else _other_spelling(self.raw, names, name, found)

    def _lists(self, name: str) -> bool:
        return not self._folds or name.encode() in self.raw.names()

    def _check(self, name: str, opened: Closing | None = None) -> None:
        """If the name on disk is spelled differently, close `opened` and raise
        FileNotFoundError."""
        try:
            if self._folds:
                _check_listed(self.raw, name)
        except BaseException:
            if opened is not None:
                opened.close()
            raise

    # ---- opening -------------------------------------------------------------------------------

    def folder(self, name: str) -> Directory:
        folder = self.raw.folder(name)
        self._check(name, folder)
        return SpelledDirectory(folder, self._folds)

    def open_read(self, name: str) -> File:
        file = self.raw.open_read(name)
        self._check(name, file)
        return file

    def open_write(self, name: str) -> File:
        file = self.raw.open_write(name)
        self._check(name, file)
        return file

    def read_link(self, name: str) -> bytes:
        target = self.raw.read_link(name)
        self._check(name)
        return target

    # ---- making --------------------------------------------------------------------------------

    def create(self, name: str) -> File:
        try:
            file = self.raw.create(name)
        except FileExistsError as error:
            raise self._taken(name, error) from error
        try:
            self._keep(name, lambda: self.raw.unlink(name))
        except BaseException:
            file.close()
            raise
        return file

    def new_mode(self, exec: bool) -> int:
        return self.raw.new_mode(exec)

    def make_folder(self, name: str, mode: int = 0o777) -> None:
        try:
            self.raw.make_folder(name, mode)
        except FileExistsError as error:
            raise self._taken(name, error) from error
        self._keep(name, lambda: self.raw.remove_folder(name))

    def make_link(self, name: str, target: bytes) -> None:
        try:
            self.raw.make_link(name, target)
        except FileExistsError as error:
            raise self._taken(name, error) from error
        self._keep(name, lambda: self.raw.unlink(name))

    def rename_new(self, name: str, to: Directory, to_name: str) -> None:
        try:
            self.raw.rename_new(name, to.raw, to_name)
        except FileExistsError as error:
            if isinstance(to, SpelledDirectory):
                raise to._taken(to_name, error) from error
            raise
        if isinstance(to, SpelledDirectory):
            to._keep(to_name, lambda: to.raw.rename_new(to_name, self.raw, name))

    def respell(self, name: str, to_name: str) -> None:
        self._check(name)
        if self.spelled(to_name) != name:
            raise FileExistsError(errno.EEXIST, "not another spelling of it", to_name)
        self.raw.respell(name, to_name)
        self._keep(to_name, lambda: self.raw.respell(to_name, name))

    def _taken(self, name: str, error: FileExistsError) -> FileExistsError:
        """The error for a `name` that cannot be made: `error` if `name` itself is there,
        OtherSpelling if another spelling is."""
        other = self.spelled(name)
        return error if other is None else OtherSpelling(name, other)

    def _keep(self, name: str, take_back: Callable[[], None]) -> None:
        """Check a name that was just made. If the disk changed it, or if that cannot be told, it is
        taken back: NotKept, OSError. Some disks change names to small letters or another form of
        Unicode, or drop a dot at the end. Nobody would find the file under that name.

        What cannot be taken back either counts as made: an error says that nothing was, so nobody
        would look after what lies there, and a file that was moved would look deleted."""
        try:
            if not self._lists(name):
                raise NotKept(name)
        except OSError:
            try:
                take_back()
            except OSError:
                return
            raise

    # ---- the rest ------------------------------------------------------------------------------

    def set_mode(self, mode: int) -> None:
        self.raw.set_mode(mode)

    def set_owner(self, owner: int, group: int) -> None:
        self.raw.set_owner(owner, group)

    def exchange(self, name: str, to: Directory, to_name: str) -> None:
        self.raw.exchange(name, to.raw, to_name)

    def unlink(self, name: str) -> None:
        self.raw.unlink(name)

    def remove_folder(self, name: str) -> None:
        self.raw.remove_folder(name)

    def flush(self) -> None:
        self.raw.flush()

    def free_bytes(self) -> int:
        return self.raw.free_bytes()

    def total_bytes(self) -> int:
        return self.raw.total_bytes()

    def close(self) -> None:
        self.raw.close()

    def __enter__(self) -> SpelledDirectory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _check_listed(folder: Directory, name: str) -> None:
    if name.encode() not in folder.names():
        raise FileNotFoundError(errno.ENOENT, "no such file or directory", name)


def _other_spelling(folder: Directory, names: list[bytes], name: str, found: Stat) -> str:
    """The one of `names` that the disk takes for `name`; "" if that cannot be told. found: the stat
    of `name`. OSError."""
    listed: list[str] = []
    for raw in names:
        with suppress(UnicodeDecodeError):
            listed.append(raw.decode())
    same = [each for each in listed if folded(each) == folded(name)]
    if len(same) != 1:  # the disk folds names by other rules than ours
        same = [each for each in listed if _has_inode(folder, each, found.inode)]
    return same[0] if len(same) == 1 else ""


def _has_inode(folder: Directory, name: str, inode: int) -> bool:
    found = folder.stat(name)
    return found is not None and found.inode == inode


def _spellings(name: str) -> list[str]:
    """Other spellings that some file systems take for `name`."""
    # Swap ASCII letters only: not every file system folds other letters.
    case = "".join(each.swapcase() if each.isascii() else each for each in name)
    forms = (case, normalize("NFD", name), normalize("NFC", name))
    return [other for other in dict.fromkeys(forms) if other != name]
