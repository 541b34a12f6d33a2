"""Step 2 of the write order: gives staged files their mtime, owner and mode and flushes them. Until
then nobody else may read them.

A `.lefting` whose flush failed is deleted and never flushed again: after a failed fsync the
kernel may call pages clean that never reached the disk, and a second fsync would report success.
If the delete fails, the `.lefting` keeps its name, and its Outcome says that it is of no use.

Knows staged files. Must not give one its final name.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from msgspec import Struct

from leftzmq.disk.apply.flush import Flushes
from leftzmq.disk.apply.outcome import Ending, Outcome
from leftzmq.disk.apply.swap import Stopped
from leftzmq.disk.fs.errno_meaning import is_full
from leftzmq.disk.fs.interface import Directory, LastFolder, Root
from leftzmq.disk.fs.permissions import Access, give_new, heir_of, is_new, keep_from
from leftzmq.disk.staging.lefting import is_ours, throw_away
from leftzmq.tree.entry import Kind, ScanKey
from leftzmq.tree.path import name_of, parent_of
from leftzmq.tree.permissions import ModesKept
from leftzmq.tree.plan import Operation, Staged, Verb


class Ready(Struct, frozen=True):
    """A staged file that is complete and durable. seen: the access that it took over from the file
    it replaces; None: it took over none. lost: what of that could not be kept, in words."""

    key: ScanKey
    seen: Access | None = None
    lost: str = ""


class _FlushFailed(Exception):
    """The flush of a `.lefting` failed with `error`; the `.lefting` is deleted."""

    def __init__(self, error: OSError) -> None:
        self.error = error
        super().__init__(error)


def make_ready(
    root: Root, operations: Sequence[Operation], flushes: Flushes, kept: ModesKept = ModesKept.ALL
) -> tuple[dict[int, Ready], dict[int, Outcome]]:
    """Returns two dicts by position: the staged files that are complete and durable, and the
    Outcomes of the others (NO_STAGED, FLUSH_FAILED, FULL_AT_FLUSH, DISK_FULL, FAILED)."""
    ready: dict[int, Ready] = {}
    ended: dict[int, Outcome] = {}
    puts = [at for at, operation in enumerate(operations) if operation.verb is Verb.PUT_FILE]
    together = flushes.many(len(puts))
    left: list[int] = []
    with LastFolder(root) as near:
        for at in puts:
            try:
                ready[at], waits = _one(near, operations[at], flushes, together, kept)
            except _FlushFailed as failed:
                ended[at] = _not_flushed(operations[at], failed.error)
            except Stopped as stopped:
                ended[at] = Outcome(operations[at], stopped.ending, why=stopped.why)
            except (OSError, OverflowError) as error:
                ended[at] = _not_ready(operations[at], error)
            else:
                left.extend([at] if waits else [])
    failure = flushes.everything() if left else None
    if failure is not None:
        for at in left:
            del ready[at]
            _throw_away(root, operations[at].staged)
            ended[at] = _not_flushed(operations[at], failure)
    return ready, ended


def _one(
    near: LastFolder, operation: Operation, flushes: Flushes, together: bool, kept: ModesKept
) -> tuple[Ready, bool]:
    staged = operation.staged
    if staged is None:
        raise FileNotFoundError
    folder = near.at(parent_of(staged.path))
    entry, heir = operation.entry, _heir(folder, operation)
    found = folder.stat(name_of(staged.path))
    if found is None or not is_ours(found, staged) or found.size != entry.size:
        raise FileNotFoundError  # not ours, or not complete: the same as no file
    wanted = entry.attributes.as_kept(kept)
    is_done = not heir and found.mtime_ns == entry.mtime_ns and is_new(found, folder, wanted)
    if is_done and flushes.reaches(found, together):
        return Ready(found.key()), True
    seen, lost = None, ""
    with folder.open_read(name_of(staged.path)) as file:
        if not is_ours(file.stat(), staged):
            raise FileNotFoundError  # exchanged since the stat
        if not is_done:
            if heir:
                _check_mode(folder, heir, operation)
                seen, lost = keep_from(file, folder, heir, wanted)
            else:
                give_new(file, folder, wanted)
            file.set_times(entry.mtime_ns)
        key = file.stat().key()
        try:
            return Ready(key, seen, lost), flushes.file(file, together)
        except OSError as error:
            with suppress(OSError):
                throw_away(folder, staged)
            raise _FlushFailed(error) from error


def _check_mode(folder: Directory, heir: str, operation: Operation) -> None:
    """Raises Stopped (CHANGED) if its user changed the mode of the file that is to be replaced,
    after our index saw it: that is told first, or it would be lost."""
    found, old = folder.stat(heir), operation.old
    if found is None or old is None or found.inode != old.key.inode:
        return
    if not found.key().same_mode(old.key):
        raise Stopped(Ending.CHANGED, "its mode was changed in this instant")


def _heir(folder: Directory, operation: Operation) -> str:
    """The name of the file whose access the new one takes over; "": none. Who may read that file
    may read the new one, and nobody else."""
    old = operation.old
    return (
        "" if old is not None and old.key.kind is not Kind.FILE else heir_of(folder, operation.path)
    )


def _not_ready(operation: Operation, error: OSError | OverflowError) -> Outcome:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Outcome(operation, Ending.NO_STAGED)
    if isinstance(error, OSError) and is_full(error):
        return Outcome(operation, Ending.DISK_FULL)
    return Outcome(operation, Ending.FAILED, why=str(error))


def _not_flushed(operation: Operation, error: OSError) -> Outcome:
    """The Outcome after a failed flush. A file system that allocates late reports a full disk only
    here."""
    ending = Ending.FULL_AT_FLUSH if is_full(error) else Ending.FLUSH_FAILED
    return Outcome(operation, ending, why=error.strerror or str(error))


def _throw_away(root: Root, staged: Staged | None) -> None:
    assert staged is not None
    with suppress(OSError), root.folder(parent_of(staged.path)) as folder:
        throw_away(folder, staged)
