"""Carries out what a user decides about a conflict copy. Nothing is overwritten unchecked.

The copy and its file must be what the index says; they are checked after they left their names
(disk/apply/swap). A file that a user changed a moment ago gets its name back. A scan finds the
result as local changes.

Knows one copy and the name that it is a copy of. Must not know versions.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from leftzmq.disk.apply.apply import apply
from leftzmq.disk.apply.flush import ALONE, GROUP_FROM, Beside, Flushes
from leftzmq.disk.apply.outcome import Ending
from leftzmq.disk.apply.swap import Place, Stopped, is_still
from leftzmq.disk.fs.errno_meaning import is_full
from leftzmq.disk.fs.interface import Root
from leftzmq.disk.fs.permissions import keep_from
from leftzmq.disk.trash.trash import Spot, Trash
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.path import name_of, parent_of
from leftzmq.tree.plan import Held, Operation, Verb
from leftzmq.tree.rules import check_path

MAX_TEXT_BYTES: Final = 1 << 20


class Wish(Enum):
    """What a user says about a copy and its file. A version belongs to the device that wrote it,
    whichever of the two names it has."""

    MINE = auto()  # the version that this device wrote wins
    THEIRS = auto()  # the other one wins
    FILE = auto()  # the version with the file's name wins
    COPY = auto()  # the version with the copy's name wins
    BOTH = auto()  # both stay


class Choice(Enum):
    """What becomes of a copy."""

    FILE = auto()  # the file stays, the copy is moved to the trash
    COPY = auto()  # the copy gets the file's name, the file's old version is moved to the trash
    BOTH = auto()  # the copy gets a name of its own


class Resolved(Enum):
    """How a resolution ended. The value is the sentence that the user reads."""

    DONE = "resolved"
    NO_COPY = (
        "there is no conflict copy of this path; `leftzmq conflicts list` shows which there are"
    )
    SEVERAL = "there are several copies of it: name the one that is meant"
    A_FOLDER = "there is a folder with that name: rename one of the two by hand"
    TAKEN = "the name that the copy was to have is taken: rename the copy by hand"
    NEITHER_OURS = "neither version was written on this device: say --file or --copy"
    BOTH_OURS = "both versions were written on this device: say --file or --copy"
    NO_OTHER = "there is no other version than the copy: say --file or --copy"
    CHANGED = "it was changed a moment ago and has not been scanned yet: look again, then decide"
    DISK_FULL = "the disk is full"
    FAILED = "it could not be done"


class Known(Struct, frozen=True):
    """A path, and what our index says lies there."""

    entry: Entry
    held: Held


def chosen(wish: Wish, copy_is_ours: bool, file_is_ours: bool | None) -> Choice | Resolved:
    """What becomes of the copy, or why that is not clear.

    copy_is_ours, file_is_ours: whether this device wrote the version (or delete) with that name.
    None: as far as we know, no version ever had the file's name
    """
    if wish.name in Choice.__members__:
        return Choice[wish.name]
    if file_is_ours is None:
        wins = copy_is_ours is (wish is Wish.MINE)
        return Choice.COPY if wins else Resolved.NO_OTHER
    if copy_is_ours is file_is_ours:
        return Resolved.BOTH_OURS if copy_is_ours else Resolved.NEITHER_OURS
    return Choice.COPY if copy_is_ours is (wish is Wish.MINE) else Choice.FILE


def resolve(
    root: Root,
    choice: Choice,
    copy: Known,
    path: str,
    file: Known | None,
    now_ns: int,
    beside: Beside = ALONE,
) -> tuple[Resolved, str]:
    """Carry out `choice`. Returns how it ended, and what the system said.

    path: the new path of the copy, in the same folder; for COPY, the file's path. file: for COPY,
    what our index has at `path`. beside: the other batches of the share.
    Raises Refused for a path that may not be synced.
    """
    check_path(copy.entry.path)
    check_path(path)
    assert parent_of(path) == parent_of(copy.entry.path)
    if choice is Choice.FILE:
        operation = Operation(Verb.REMOVE, copy.entry, copy.held)
        (outcome,) = apply(root, [operation], now_ns=now_ns, beside=beside)
        return _of(outcome.ending), outcome.why
    flushes = Flushes(root, GROUP_FROM, beside)
    try:
        file = file if choice is Choice.COPY else None
        lost = _rename(root, copy, path, file, flushes, now_ns)
    except Stopped as stopped:
        return _of(stopped.ending), stopped.why
    except FileExistsError:
        return (Resolved.TAKEN if choice is Choice.BOTH else Resolved.CHANGED), ""
    except (FileNotFoundError, NotADirectoryError):
        return Resolved.CHANGED, ""
    except OSError as error:
        return Resolved.DISK_FULL if is_full(error) else Resolved.FAILED, str(error)
    said = [*flushes.finish().values(), *([f"not kept: {lost}"] if lost else [])]
    return Resolved.DONE, "; ".join(said)


def read_text(root: Root, entry: Entry) -> str | None:
    """The present text of a file of at most MAX_TEXT_BYTES that is UTF-8 without a NUL. None for
    anything else."""
    if entry.kind is not Kind.FILE or entry.size > MAX_TEXT_BYTES:
        return None
    try:
        with (
            root.folder(parent_of(entry.path)) as folder,
            folder.open_read(name_of(entry.path)) as file,
        ):
            data = file.read(0, MAX_TEXT_BYTES + 1)
            text = data.decode()
    except (OSError, UnicodeDecodeError):
        return None
    return None if "\0" in text or len(data) > MAX_TEXT_BYTES else text


def _rename(
    root: Root, copy: Known, path: str, file: Known | None, flushes: Flushes, now_ns: int
) -> str:
    """Rename the copy to `path`. Returns what of the access to `file` could not be kept, in words.
    Raises Stopped or OSError."""
    where, name = parent_of(path), name_of(copy.entry.path)
    with root.folder(where) as folder:
        if not is_still(folder.stat(name), copy.held.key):
            raise Stopped(Ending.CHANGED)
        flushes.touch(where, folder)
        if file is None:
            folder.rename_new(name, folder, name_of(path))
            return ""
        trash = Trash(root, now_ns, flushes.touch, flushes.settle)
        operation = Operation(Verb.PUT_FILE, replace(copy.entry, path=path), file.held)
        seen, lost = None, ""
        if copy.entry.kind is Kind.FILE and file.entry.kind is Kind.FILE:
            with folder.open_read(name) as new:
                seen, lost = keep_from(new, folder, name_of(path), copy.entry.attributes)
                new.flush()
        place = Place(folder, operation, trash, flushes)
        _, _, lost = place.exchange(Spot(folder, name, where), copy.held.key, seen, lost)
        return lost


def _of(ending: Ending) -> Resolved:
    match ending:
        case Ending.DONE:
            return Resolved.DONE
        case Ending.CHANGED | Ending.NO_PARENT:
            return Resolved.CHANGED
        case Ending.DISK_FULL:
            return Resolved.DISK_FULL
        case _:
            return Resolved.FAILED
