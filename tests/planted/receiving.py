"""Mistakes about folders that only receive: what is changed there is told, or keeps out what is
newer.

Knows the text of sync/versions and tree. Must not know how a bug is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

_STORIES: Final = ("tests/sim/test_receiving.py", "tests/unit/sync/test_receiving.py")

BUGS: Final[tuple[Bug, ...]] = (
    Bug(
        "the conflict copy of a private version is told",
        "What is changed in a folder that only receives is told to nobody.",
        (
            Edit(
                "leftzmq/sync/versions/resolver.py",
                "        entry = conflict_copy(loser, path)\n",
                "        entry = conflict_copy(loser, path)\n"
                "        if entry.is_private:\n"
                "            entry, _ = self._index_view.author.tell(entry)\n",
            ),
        ),
        frozenset(("told",)),
        _STORIES,
    ),
    Bug(
        "a private version has its stamp from the clock",
        "A private version loses against every later one, whatever clocks and mtimes say.",
        (
            Edit(
                "leftzmq/tree/entry.py",
                "        stamp=BELOW_ALL if above is None else above.stamp,\n",
                "        stamp=BELOW_ALL if above is None else max(above.stamp, entry.stamp),\n",
            ),
        ),
        frozenset(("later",)),
        _STORIES,
    ),
)
