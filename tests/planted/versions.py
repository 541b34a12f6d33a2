"""Mistakes about versions: which one wins, what was seen, what a tombstone says, what is ours.

Knows the text of tree/, sync/versions/local_changes and sync/versions/remote_changes. Must not know
how a bug is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

_LAWS = (
    "tests/unit/tree/test_reconcile.py",
    "tests/unit/sync/test_mesh.py",
    "tests/unit/sync/versions/test_local_changes.py",
)

MADE: Final = (
    Bug(
        "a folder's delete is taken over before those below it",
        "Deletes below a folder are taken over, and told on, before the folder's own.",
        (
            Edit(
                "leftzmq/sync/versions/absent_deletes.py",
                "        if not self._index_view.is_walked(folder) or not",
                "        if folder or not",
            ),
        ),
        frozenset(("I3 folder",)),
        ("tests/unit/sync/versions/test_absent_deletes.py",),
    ),
    Bug(
        "a path is claimed twice by one kind of worker",
        "At most one of settler, applier and asides works at a path, and does one thing there.",
        (
            Edit(
                "leftzmq/sync/versions/path_locks.py",
                "        if path in self._by:\n"
                "            return False\n"
                "        self._by[path] = claimant",
                "        if self._by.setdefault(path, claimant) is not claimant:\n"
                "            return False",
            ),
        ),
        frozenset(("Dropped",)),
        ("tests/unit/sync/versions/test_path_locks.py",),
    ),
    Bug(
        "a delete is taken over where something may lie that was not flushed",
        "Until a look tells what lies there, no delete is taken over.",
        (
            Edit(
                "leftzmq/sync/versions/resolver.py",
                "unknown = path in self._index_view.unsure or",
                "unknown =",
            ),
            Edit(
                "leftzmq/sync/versions/resolver.py",
                "            self._index_view.remember_begun(entry)",
                "            pass",
            ),
        ),
        frozenset(("I3",)),
        ("tests/unit/sync/test_crash.py",),
    ),
    Bug(
        "what lost stands although what won may lie in its place",
        "Where an operation had begun, nothing follows from ours before a look tells.",
        (
            Edit(
                "leftzmq/sync/versions/resolver.py",
                "in _IN_THE_INDEX and self._is_in_doubt(path):",
                "in _IN_THE_INDEX and False:",
            ),
        ),
        frozenset(("I3",)),
        ("tests/unit/sync/test_crash.py",),
    ),
    Bug(
        "vectors joined when publishing again",
        "Publish again: V's vector, our next number, stamp above W's, W's vector NOT joined.",
        (
            Edit(
                "leftzmq/tree/entry.py",
                "        vector=_vector_after(ours, life, sequence),\n"
                "        writer=life,\n"
                "        stamp=max(above.stamp, ours.stamp) + 1,\n",
                "        vector=_vector_after(ours, life, sequence)"
                ".joined(above.vector, (life,)),\n"
                "        writer=life,\n"
                "        stamp=max(above.stamp, ours.stamp) + 1,\n",
            ),
        ),
        frozenset(("I2", "I2 tree")),
        _LAWS,
    ),
    Bug(
        "the stamp is not raised when publishing again",
        "Publish again: stamp above W's.",
        (
            Edit(
                "leftzmq/tree/entry.py",
                "        stamp=max(above.stamp, ours.stamp) + 1,\n",
                "        stamp=ours.stamp + 1,\n",
            ),
        ),
        frozenset(("I1", "I2", "I2 tree")),
        _LAWS,
    ),
    Bug(
        "the stamp of a change is its mtime",
        "stamp = max(mtime_ns, stamp of the version it was made from + 1).",
        (
            Edit(
                "leftzmq/tree/entry.py",
                "        stamp = max(min(found.mtime_ns, MAX_TIME_IN_STAMP), stamp)\n",
                "        stamp = min(found.mtime_ns, MAX_TIME_IN_STAMP)\n",
            ),
        ),
        frozenset(("Dropped", "I1", "I2", "I2 tree")),
        _LAWS,
    ),
    Bug(
        "a tombstone forgets what it deleted",
        "A tombstone remembers the content id that it deleted.",
        (
            Edit(
                "leftzmq/tree/entry.py",
                "        content=base.content,\n        depth=0,\n",
                "        content=base.content if base.kind is not Kind.FILE"
                " else ContentId(bytes(32)),\n"
                "        depth=0,\n",
            ),
        ),
        frozenset(("I3",)),
        _LAWS,
    ),
    Bug(
        "of two deletes the lower is forgotten",
        "Of two tombstones the higher one wins, and has seen from then on what either had seen.",
        (
            Edit(
                "leftzmq/tree/entry.py",
                "    if not entry.deleted:\n        return entry\n    vector = entry.vector\n",
                "    return entry\n    vector = entry.vector\n",
            ),
        ),
        frozenset(("I3",)),
        ("tests/unit/sync/versions/test_resolver.py", "tests/unit/tree/test_reconcile.py"),
    ),
    Bug(
        "one writer in two lives",
        "Life: never used by two lives: what a device says after it forgot something is concurrent"
        " with what it said before.",
        (
            Edit(
                "leftzmq/tree/version.py",
                '    return Life(device_mark + (unix_time_s & 0xFFFFFFFF).to_bytes(4, "big")'
                " + random)\n",
                "    return Life(device_mark + bytes(8))\n",
            ),
        ),
        frozenset(("I1", "I2", "I2 tree", "I3", "I8")),
        _LAWS,
    ),
)

CHOSEN: Final = (
    Bug(
        "a delete beats a concurrent edit",
        "I3: a deleted path stays deleted unless someone concurrently edited it.",
        (
            Edit(
                "leftzmq/tree/reconcile.py",
                "        return Verdict.TAKE if deleted_this else Verdict.PUBLISH_AGAIN",
                "        return Verdict.TAKE",
            ),
        ),
        frozenset(("I2 tree",)),
        _LAWS,
    ),
    Bug(
        "no conflict copies",
        "Concurrent: the loser's bytes become a conflict copy, made by whoever holds them.",
        (
            Edit(
                "leftzmq/tree/reconcile.py",
                "    return Verdict.TAKE_AND_COPY\n",
                "    return Verdict.TAKE\n",
            ),
        ),
        frozenset(("I2 tree",)),
        _LAWS,
    ),
    Bug(
        "a file takes the place of a folder",
        "V is a folder and W a file or link: the folder stays, the file becomes the copy.",
        (
            Edit(
                "leftzmq/tree/reconcile.py",
                "    if ours.kind is Kind.DIRECTORY:\n"
                "        return Verdict.PUBLISH_AGAIN  # case (b)",
                "    if ours.kind is Kind.DIRECTORY:\n        return Verdict.TAKE  # case (b)",
            ),
        ),
        frozenset(("I2 folder",)),
        _LAWS,
    ),
    Bug(
        "an older version is adopted",
        "Adopt: only if our index has no entry for the path, or ours was seen by that version.",
        (
            Edit(
                "leftzmq/sync/versions/local_changes.py",
                "        if ours is not None and not succeeds(entry, ours.entry):\n"
                "            continue\n",
                "",
            ),
        ),
        frozenset(("Dropped", "I2", "I2 tree")),
        _LAWS,
    ),
    Bug(
        "a tombstone of our own is used",
        "A file at a path where our own index holds the tombstone was put there by a user: a new"
        " local change, whatever its bytes.",
        (
            Edit(
                "leftzmq/sync/versions/local_changes.py",
                "    if best is None or not best.entry.deleted or best.is_ours:\n",
                "    if best is None or not best.entry.deleted:\n",
            ),
        ),
        frozenset(("I1", "I2", "I2 tree")),
        _LAWS,
    ),
    Bug(
        "a tombstone is never used",
        "At a scan a tombstone that our index does not hold is used: bytes equal to what it"
        " deleted go to the trash.",
        (
            Edit(
                "leftzmq/sync/versions/local_changes.py",
                "    grave = _grave(rows, ours, observed)\n",
                "    grave = None\n",
            ),
        ),
        frozenset(("I3",)),
        _LAWS,
    ),
    Bug(
        "an older version is heard",
        "Within one chain a device's entry is replaced only by one of the same or higher rank.",
        (
            Edit(
                "leftzmq/sync/versions/remote_changes.py",
                "    if before is not None and entry.rank < before.entry.rank and not anew:\n",
                "    if False:\n",
            ),
        ),
        frozenset(("I1", "I2", "I2 tree", "I3")),
        ("tests/unit/sync/versions/test_resolver.py",),
    ),
)

BUGS: Final = (*MADE, *CHOSEN)
