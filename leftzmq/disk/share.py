"""Opens a share: a folder with our marker in it. A missing or replaced share is never treated as
an empty one (I11).

The marker `.left/marker` holds the folder's id and a random token. The state keeps the token, too.
The token tells the share from an unmounted disk, a restored copy or somebody else's folder at the
same path. Knows markers. Must not know what the share holds or who it is shared with.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_bytes
from typing import Final

from msgspec import Struct

from leftzmq.disk.fs.errno_meaning import cause_of, is_gone
from leftzmq.disk.fs.interface import Directory, File, Root
from leftzmq.disk.fs.real import RealRoot, make_root
from leftzmq.disk.fs.spelling import SpelledRoot, tell_apart
from leftzmq.disk.trash.trash import TRASH_NAME
from leftzmq.errors import ShareError, Stop, StopCause
from leftzmq.tree.attributes import Attributes
from leftzmq.tree.path import name_of, parent_of
from leftzmq.tree.permissions import RUN_BITS, ModesKept
from leftzmq.tree.rules import LEFT_DIRECTORY

MARKER_NAME: Final = "marker"
MARKER_VERSION: Final = 1
MAX_MARKER_BYTES: Final = 4096
TOKEN_BYTES: Final = 16
PRIVATE_MODE: Final = 0o700
LOOKS_AT_ONCE: Final = 3
"""How many times a check of the share is made at once, if a call is interrupted or the disk gives
an error that may pass."""
_PROBED_MODES: Final = (0o640, 0o755, 0o406)
_PROBED_TIME_NS: Final = 1_700_000_001_123_456_789  # FAT has no odd second
_TIME_STEPS_NS: Final = (
    1,
    100,
    1_000,
    1_000_000,
    10_000_000,
    1_000_000_000,
    2_000_000_000,
)
AGAIN: Final = "it is looked at again every few seconds and goes on by itself"

Random = Callable[[int], bytes]
"""Returns that many random bytes."""


class Marker(Struct, frozen=True):
    """The content of `.left/marker`: three lines `leftzmq VERSION`, `folder ID`, `token HEX`."""

    folder_id: str
    token: bytes

    def pack(self) -> bytes:
        lines = (
            f"leftzmq {MARKER_VERSION}",
            f"folder {self.folder_id}",
            f"token {self.token.hex()}",
        )
        return "".join(line + "\n" for line in lines).encode()

    @classmethod
    def unpack(cls, packed: bytes) -> Marker:
        """The inverse of `pack`. Raises ValueError, which says what is wrong with the marker."""
        pairs = [line.partition(" ") for line in packed.decode().splitlines()]
        if [key for key, _, _ in pairs] != ["leftzmq", "folder", "token"]:
            raise ValueError("its lines are not those of a marker")
        version, folder_id, token = (value for _, _, value in pairs)
        if version != str(MARKER_VERSION):
            raise ValueError(f"it is of version {version}, this agent knows {MARKER_VERSION}")
        raw = bytes.fromhex(token)
        if len(raw) != TOKEN_BYTES:
            raise ValueError("its token is cut short")
        return cls(folder_id, raw)


class ShareTraits(Struct, frozen=True):
    """What the file system of a share can do, and how much is free on it.

    total_bytes 0: it does not know its size
    tells_case, tells_forms: whether it tells upper from lower case, and two Unicode forms of a
        letter; also where it does not allow such names at all
    time_step_ns: to what it rounds the times of files; None: it does not keep them
    lacks: sentences that say what it cannot do
    """

    free_bytes: int
    total_bytes: int
    tells_case: bool
    tells_forms: bool
    time_step_ns: int | None
    lacks: tuple[str, ...]


class Share:
    """An open share. Everything in disk/ works on its `root`.

    lacks: sentences that say what its file system cannot do. modes: which bits of a file's mode it
    keeps. exact_device: the number of its file system, if that tells each change of a file apart
    (Root.tells_each_change). made: no agent ever worked in it.
    """

    def __init__(
        self,
        root: SpelledRoot,
        where: str,
        marker: Marker,
        lacks: tuple[str, ...],
        modes: ModesKept,
        exact_device: int | None = None,
        *,
        made: bool = False,
    ) -> None:
        self.root, self.lacks, self.modes, self.made = root, lacks, modes, made
        self.exact_device = exact_device
        self._where, self._marker = where, marker

    @property
    def token(self) -> bytes:
        return self._marker.token

    @classmethod
    def open(
        cls,
        path: Path,
        folder_id: str,
        known_token: bytes | None,
        make: bool,
        random: Random = token_bytes,
    ) -> Share:
        """Open the share at `path`. Raises ShareError.

        known_token: the token that the state remembers. make: the state does not know this folder
        yet, so the folder, missing folders above it and the marker may be made. A marker that is
        there already (the state was lost) is accepted.
        """
        root = _open_root(path, folder_id, make)
        try:
            return cls.over_root(root, str(path), folder_id, known_token, make, random)
        except BaseException:
            root.close()
            raise

    @classmethod
    def over_root(
        cls,
        root: Root,
        where: str,
        folder_id: str,
        known_token: bytes | None,
        make: bool,
        random: Random,
    ) -> Share:
        """As `open`, with a root that is open already."""
        try:
            marker = _read_marker(root)
            made = marker is None and make
            if made:
                marker = _write_marker(root, Marker(folder_id, random(TOKEN_BYTES)), random)
            wrong = _what_is_wrong(marker, folder_id, known_token)
            if wrong or marker is None:
                raise ShareError(wrong, where, _mount_or_adopt(folder_id))
            share = cls(*_prepared(root, where, marker, random), made=made)
            share.check()  # the share may be unmounted since its root was opened
            return share
        except ValueError as error:
            raise _not_a_marker(error, where, folder_id) from error
        except OSError as error:
            raise cannot_be_used(error, where) from error

    @classmethod
    def adopt(cls, path: Path, folder_id: str, random: Random = token_bytes) -> Share:
        """Write a new marker in the folder at `path`, whatever the old one says. Raises ShareError.

        The folder must exist: by adopting it the user says that this is the share.
        """
        root = _open_root(path, folder_id, make=False)
        try:
            return cls.adopt_over(root, str(path), folder_id, random)
        except BaseException:
            root.close()
            raise

    @classmethod
    def adopt_over(cls, root: Root, where: str, folder_id: str, random: Random) -> Share:
        """As `adopt`, with a root that is open already."""
        try:
            marker = _write_marker(root, Marker(folder_id, random(TOKEN_BYTES)), random)
            return cls(*_prepared(root, where, marker, random))
        except OSError as error:
            raise cannot_be_used(error, where) from error

    @property
    def folds(self) -> bool:
        """Whether the share's file system takes two spellings for one name."""
        return self.root.folds

    def is_there(self, path: str) -> bool:
        """Whether something is at `path`. Raises ShareError where that cannot be told."""
        try:
            with self.root.folder(parent_of(path)) as folder:
                return folder.stat(name_of(path)) is not None
        except OSError as error:
            if is_gone(error):
                return False
            raise cannot_be_used(error, self._where) from error

    def still_there(self) -> Stop | None:
        """None while the path leads to this very directory and our marker is in it. Otherwise a
        Stop: nothing found or not found at the path may be believed. If this cannot be told now,
        the Stop has the cause HELD_UP and never says "not our share"."""
        stop: Stop | None = None
        for _ in range(LOOKS_AT_ONCE):
            try:
                self.check()
            except ShareError as error:
                stop = error.stop
            else:
                return None
            if stop.cause is not StopCause.HELD_UP:
                return stop
        return stop

    def check(self) -> None:
        """As `still_there`, but one check only. Raises ShareError."""
        folder_id = self._marker.folder_id
        try:
            if not self.root.still_there():
                said = "the share is missing, unmounted or replaced"
                raise ShareError(said, self._where, _mount_or_adopt(folder_id))
            marker = _read_marker(self.root)
        except ValueError as error:
            raise _not_a_marker(error, self._where, folder_id) from error
        except OSError as error:
            raise cannot_be_used(error, self._where) from error
        if wrong := _what_is_wrong(marker, folder_id, self.token):
            raise ShareError(wrong, self._where, _mount_or_adopt(folder_id))

    def close(self) -> None:
        self.root.close()


def check_unopened(path: Path, folder_id: str, is_new: bool) -> None:
    """Raise the ShareError of `Share.open`, as far as it can be told without the token that the
    state remembers; make and change nothing. is_new: the state does not know the folder."""
    root = _open_root(path, folder_id, make=False)
    try:
        marker = _read_marker(root)
    except ValueError as error:
        raise _not_a_marker(error, str(path), folder_id) from error
    except OSError as error:
        raise cannot_be_used(error, str(path)) from error
    finally:
        root.close()
    wrong = "" if marker is None and is_new else _what_is_wrong(marker, folder_id, None)
    if wrong:
        raise ShareError(wrong, str(path), _mount_or_adopt(folder_id))


def traits_of(root: Root, random: Random = token_bytes) -> ShareTraits:
    """Test the file system of an open share, as its opening does: with two files of ours in
    `.left`, which are gone when this returns. OSError."""
    with root.folder(LEFT_DIRECTORY) as left, _probes(left.raw, random) as probes:
        return ShareTraits(
            left.raw.free_bytes(),
            left.raw.total_bytes(),
            tell_apart(left.raw, probes[0]) is not False,
            _tells_forms_apart(left.raw, probes[0]),
            _time_step_ns(left.raw, probes[0]),
            root.missing_at(LEFT_DIRECTORY, *probes),
        )


def traits_at(path: Path) -> ShareTraits:
    """As `traits_of`, of a share that no agent has open. Raises ShareError."""
    try:
        root = RealRoot(path)
        try:
            return traits_of(root)
        finally:
            root.close()
    except OSError as error:
        raise cannot_be_used(error, str(path)) from error


def folder_in(path: Path) -> str | None:
    """Return the id of the folder whose share the directory is, or was: that of its marker. None if
    it has no marker, or if there is no directory. Raises ShareError."""
    try:
        root = RealRoot(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_be_used(error, str(path)) from error
    try:
        marker = _read_marker(root)
    except ValueError as error:
        do = f"see what it is, and delete it: {path / LEFT_DIRECTORY / MARKER_NAME}"
        raise ShareError(f"its marker cannot be read: {error}", str(path), do) from error
    except OSError as error:
        raise cannot_be_used(error, str(path)) from error
    finally:
        root.close()
    return None if marker is None else marker.folder_id


def remove_marker(path: Path, folder_id: str) -> None:
    """Remove our `.left` from a directory that is no share of this folder any more, as far as there
    is nothing in it but what an agent makes. Where there is a marker of another folder, or no
    directory, nothing is done. Raises ShareError."""
    try:
        root = RealRoot(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_be_used(error, str(path)) from error
    try:
        marker = _read_marker(root)
        if marker is not None and marker.folder_id != folder_id:
            return
        with root.folder(LEFT_DIRECTORY) as left:
            if left.stat(TRASH_NAME) is not None:
                _remove_empty(left, TRASH_NAME)
            if marker is not None:
                left.unlink(MARKER_NAME)
            left.flush()
        with root.folder("") as top:
            _remove_empty(top, LEFT_DIRECTORY)
            top.flush()
    except FileNotFoundError:
        return
    except ValueError as error:
        raise _not_a_marker(error, str(path), folder_id) from error
    except OSError as error:
        raise cannot_be_used(error, str(path)) from error
    finally:
        root.close()


def _remove_empty(folder: Directory, name: str) -> None:
    try:
        folder.remove_folder(name)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def cannot_be_used(error: OSError, where: str) -> ShareError:
    """The ShareError for a failed call that the folder cannot work without."""
    cause, said = cause_of(error), error.strerror or str(error)
    if cause is StopCause.HELD_UP:
        return ShareError(f"the share cannot be looked at now: {said}", where, AGAIN, cause)
    return ShareError(
        f"the share cannot be used: {said}",
        where,
        f"make it a folder that the agent may read and write, with {LEFT_DIRECTORY} in it: {AGAIN}",
        StopCause.SHARE_UNUSABLE,
    )


def _mount_or_adopt(folder_id: str) -> str:
    return (
        f"mount or restore it: {AGAIN}; if this is the folder as it should be from now on: "
        f"leftzmq-agent --adopt {folder_id}"
    )


def _not_a_marker(error: ValueError, where: str, folder_id: str) -> ShareError:
    said = f"its marker cannot be read: {error}"
    return ShareError(said, where, _mount_or_adopt(folder_id))


def _open_root(path: Path, folder_id: str, make: bool) -> RealRoot:
    try:
        if make:
            make_root(path)
        return RealRoot(path)
    except FileNotFoundError as error:
        said = "the share is missing or not mounted"
        raise ShareError(said, str(path), _mount_or_adopt(folder_id)) from error
    except (NotADirectoryError, FileExistsError) as error:
        do = f"give it another path, or make it one: {AGAIN}"
        raise ShareError("the share is not a folder", str(path), do) from error
    except OSError as error:
        raise cannot_be_used(error, str(path)) from error


def _what_is_wrong(marker: Marker | None, folder_id: str, known_token: bytes | None) -> str:
    if marker is None:
        return "the share has no marker: it is not mounted, or it is another folder"
    if marker.folder_id != folder_id:
        return f"the marker is that of the folder {marker.folder_id!r}, not of {folder_id!r}"
    if known_token is not None and marker.token != known_token:
        return "the marker is not the one we know: it was restored, copied or replaced"
    return ""


def _read_marker(root: Root) -> Marker | None:
    """The marker; None if there is none. Raises ValueError if the file is not a marker, OSError if
    a link is in its place."""
    try:
        with root.folder(LEFT_DIRECTORY) as left, left.open_read(MARKER_NAME) as file:
            return Marker.unpack(file.read(0, MAX_MARKER_BYTES))
    except FileNotFoundError:
        return None


def _write_marker(root: Root, marker: Marker, random: Random) -> Marker:
    """Write the marker under a temporary name, flush it, then rename it: no crash leaves half a
    marker. Where there is an old one, a crash may leave none: the share is adopted once more."""
    with root.folder("") as top:
        _make_private(top, LEFT_DIRECTORY)
        top.flush()
    with root.folder(LEFT_DIRECTORY) as left:
        name = f"{MARKER_NAME}-{random(8).hex()}"
        with left.create(name) as file:
            file.write(0, marker.pack())
            file.flush()
        if left.stat(MARKER_NAME) is not None:
            left.unlink(MARKER_NAME)  # the old one, in our own folder, at the user's word
        left.rename_new(name, left, MARKER_NAME)
        left.flush()
    return marker


def _prepared(
    root: Root, where: str, marker: Marker, random: Random
) -> tuple[SpelledRoot, str, Marker, tuple[str, ...], ModesKept, int | None]:
    """Make the trash, and test the file system by writing to it: what it lacks, whether it tells
    spellings of a name apart, which bits of a mode it keeps, and whether its times tell each change
    apart. Returns the arguments of Share. OSError."""
    with root.folder(LEFT_DIRECTORY) as left:
        _make_private(left, TRASH_NAME)
        with _probes(left, random) as probes:
            exact = tell_apart(left, probes[0]) and _tells_forms_apart(left, probes[0])
            lacks = root.missing_at(LEFT_DIRECTORY, *probes)
            modes = _modes_kept(left, probes[0])
            exact_device = root.tells_each_change(LEFT_DIRECTORY, probes[0])
        left.flush()
    return SpelledRoot(root, exact=bool(exact)), where, marker, lacks, modes, exact_device


@contextmanager
def _probes(left: Directory, random: Random) -> Iterator[tuple[str, str]]:
    """Two new files in `.left` to test the file system with. They are gone afterwards, also where
    the second could not be made."""
    first, second = (f"probe-{random(8).hex()}" for _ in range(2))
    try:
        for name in (first, second):
            left.create(name).close()
        yield first, second
    finally:
        for name in (first, second):
            with suppress(FileNotFoundError):
                left.unlink(name)


def _modes_kept(left: Directory, probe: str) -> ModesKept:
    """Which bits of a mode the file system shows as they were set."""
    all_bits = [Attributes(0, bool(bits & RUN_BITS), bits) for bits in _PROBED_MODES]
    with left.open_write(probe) as file:
        shown = [_shown(file, wanted) for wanted in all_bits]
        if all(map(Attributes.same_mode, shown, all_bits)):
            return ModesKept.ALL
        shows_x = [_shown(file, Attributes(0, exec)).exec for exec in (True, False)]
    return ModesKept.EXEC if shows_x == [True, False] else ModesKept.NONE


def _shown(file: File, wanted: Attributes) -> Attributes:
    with suppress(OSError):
        file.set_wanted(wanted)
    return file.stat().key().attributes


def _tells_forms_apart(left: Directory, probe: str) -> bool:
    """Whether two Unicode forms of one letter make two names."""
    name = f"{probe}-\u00e9"
    try:
        left.create(name).close()
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EILSEQ):
            raise
        return True  # this file system does not allow the letter in a name
    try:
        return name.encode() in left.names() and tell_apart(left, name) is not False
    finally:
        left.unlink(name)


def _time_step_ns(left: Directory, probe: str) -> int | None:
    """To what the file system rounds a time of a file; None: it does not keep the time."""
    with left.open_write(probe) as file:
        file.set_times(_PROBED_TIME_NS)
        shown = file.stat().mtime_ns
    for step in _TIME_STEPS_NS:
        if abs(shown - _PROBED_TIME_NS) < step and shown % step == 0:
            return step
    return None


def _make_private(folder: Directory, name: str) -> None:
    found = folder.stat(name)
    if found is None:
        folder.make_folder(name, PRIVATE_MODE)
    else:
        folder.folder(name).close()  # NotADirectoryError if it is anything else
