"""Sets mtime and mode of a file that has its bytes already.

They are set in place, while the file is what the index says. A file with more than one name is
replaced by a copy of itself, because the other names must keep their mtime and mode.

Knows one name, and what must be there. Must not know why its attributes change.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from leftzmq.disk.apply.outcome import Ending
from leftzmq.disk.apply.swap import NOT_COPIED, Copied, Place, Stopped, is_still, key_now
from leftzmq.disk.fs.interface import File
from leftzmq.disk.fs.permissions import access_of
from leftzmq.disk.staging.lefting import Unlearned, create_lefting, thrown_away
from leftzmq.disk.trash.trash import Spot, copy_bytes
from leftzmq.tree.attributes import Attributes
from leftzmq.tree.entry import Kind, ScanKey
from leftzmq.tree.path import name_of
from leftzmq.tree.plan import Staged

TRIES: Final = 4


class LeftBehind(Exception):
    """After `error`, the `.lefting` `staged` was to be deleted, and that failed too."""

    def __init__(self, error: Exception, staged: Staged) -> None:
        self.error, self.staged = error, staged
        super().__init__(error)


def set_attributes(place: Place, together: bool) -> tuple[ScanKey, Copied]:
    """Set mtime and mode of the file at `place`. Returns the key found then, and where the old
    bytes are. Raises Stopped, LeftBehind or OSError.

    together: one flush may cover the whole batch.
    """
    found = place.look()
    if found is None:
        raise Stopped(Ending.CHANGED, "nothing is there")
    if found.kind is Kind.DIRECTORY:
        return _set_folders_mode(place), NOT_COPIED
    if found.kind is not Kind.FILE:
        return found.key(), NOT_COPIED
    with place.folder.open_read(place.name) as file:
        found = file.stat()
        old = place.operation.old
        if old is None or not is_still(found, old.key) or not found.key().same_mode(old.key):
            raise Stopped(Ending.CHANGED, "something else is there")
        if found.links > 1:
            return _copy_with_attributes(place, file)
        shown = _set_and_shown(file, place.wanted)
        if place.flushes.file(file, together):
            place.flushes.cover()
        # The mtime just set would hide a write between the check and set_times. A ctime that no
        # file has makes the next scan read the bytes once more and find that write.
        return replace(shown, ctime_ns=0), NOT_COPIED


def _set_folders_mode(place: Place) -> ScanKey:
    """As `set_attributes`, of a folder. It is flushed at once: a power cut that took the mode back
    would look like a user who did."""
    old, wanted = place.operation.old, place.wanted
    with place.folder.folder(place.name) as folder:
        found = folder.own_stat().key()
        if old is None or not found.same_bytes(old.key) or not found.same_mode(old.key):
            raise Stopped(Ending.CHANGED, "something else is there")
        if wanted.bits is not None:
            folder.set_mode(wanted.bits)
            folder.flush()
        return folder.own_stat().key()


def _set_and_shown(file: File, wanted: Attributes) -> ScanKey:
    """Set both, and return the stat by which a look knows them. Not every disk can show them as
    they are. What a user sets in this instant, or while the file is flushed, must not count as what
    the disk shows of ours: so anything else counts only where it is shown twice."""
    before = None
    for _ in range(TRIES):
        file.set_wanted(wanted)
        file.set_times(wanted.mtime_ns)
        found = file.stat().key()
        if found.attributes.agrees(wanted) or found.attributes == before:
            return found
        before = found.attributes
    raise Stopped(Ending.CHANGED, "its mtime or mode is changed all the time")


def _copy_with_attributes(place: Place, source: File) -> tuple[ScanKey, Copied]:
    """Replace this name by a copy: the file's other names must keep their mtime and mode."""
    try:
        target, staged = create_lefting(place.folder, place.operation.path)
    except Unlearned as error:
        raise LeftBehind(error, error.staged) from error
    with target:
        try:
            seen = access_of(source)
            lost = copy_bytes(source, target)
            target.set_wanted(place.wanted)
            target.set_times(place.wanted.mtime_ns)
            target.flush()
            ours = target.stat().key()
            new = Spot(place.folder, name_of(staged.path), place.where)
            copied = place.exchange(new, ours, seen, lost)
        except (OSError, Stopped) as error:
            if isinstance(error, Stopped) and error.aside is not None:
                raise  # the old version lies under the name of the `.lefting`
            if thrown_away(place.folder, staged) is not None:
                raise LeftBehind(error, staged) from error
            raise
    return key_now(place.folder, place.name, ours), copied
