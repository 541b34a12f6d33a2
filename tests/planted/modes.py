"""Mistakes about modes: a change of mode that is lost, is told by nobody, or undoes an edit.

Knows the text of sync/versions, disk and tree. Must not know how a bug is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

_ROOM: Final = ("tests/unit/sync/versions/test_modes.py", "tests/unit/tree/test_permissions.py")

BUGS: Final[tuple[Bug, ...]] = (
    Bug(
        "a lower version's register counts for nothing",
        "Of all registers of a path the highest holds, whatever the content does.",
        (
            Edit(
                "leftzmq/sync/versions/resolver.py",
                "                entry = entry.with_higher(said)\n",
                "                entry = entry\n",
            ),
        ),
        frozenset(),
        _ROOM,
    ),
    Bug(
        "a tombstone forgets the register",
        "What is made anew is above what was deleted.",
        (
            Edit(
                "leftzmq/tree/entry.py",
                "        deleted=True,\n        permissions=base.permissions,\n",
                "        deleted=True,\n        permissions=None,\n",
            ),
        ),
        frozenset(),
        _ROOM,
    ),
    Bug(
        "a mode is acknowledged and not set",
        "A register is ours when the mode is set.",
        (
            Edit(
                "leftzmq/sync/versions/resolver.py",
                "        return not wanted.agrees(has, self._index_view.author.modes)\n",
                "        return not wanted._replace(bits=None).agrees(has)\n",
            ),
        ),
        frozenset(("I1",)),
        _ROOM,
    ),
    Bug(
        "a change of mode is a version",
        "A change of mode is never a conflict.",
        (
            Edit(
                "leftzmq/sync/versions/local_changes.py",
                "index_view.author.chmod(observed, ours.entry, _winner(rows, ours), ours.scan)\n",
                "index_view.author.change(observed, ours.entry, _winner(rows, ours), ours.scan)\n",
            ),
        ),
        frozenset(),
        _ROOM,
    ),
    Bug(
        "a folder's mode is not watched",
        "A change of mode is told by whoever made it.",
        (
            Edit(
                "leftzmq/disk/watcher/inotify.py",
                "        elif mask & IN.IN_ATTRIB:\n            self._batch.attributes(path)\n",
                "",
            ),
        ),
        frozenset(),
        ("tests/unit/disk/test_watcher.py",),
    ),
    Bug(
        "what a user set in this instant is overwritten",
        "A mode that a user changed since the last look is told before his file is replaced.",
        (
            Edit(
                "leftzmq/disk/apply/ready.py",
                "                _check_mode(folder, heir, operation)\n",
                "",
            ),
        ),
        frozenset(),
        ("tests/unit/disk/test_permissions.py",),
    ),
)
