"""Mistakes about folders that only send: they take something, or others wait for ever.

Knows the text of sync/versions and sync/exchange. Must not know how a bug is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

_STORIES: Final = ("tests/sim/test_sending.py", "tests/unit/sync/test_sending.py")

BUGS: Final[tuple[Bug, ...]] = (
    Bug(
        "a folder that only sends takes what others change",
        "What others change is not taken by a device that only sends.",
        (
            Edit(
                "leftzmq/sync/versions/index_view.py",
                "        return self.author.mode is not FolderMode.SEND\n",
                "        return True\n",
            ),
        ),
        frozenset(("takes",)),
        _STORIES,
    ),
    Bug(
        "who only sends keeps no folder of what is overridden",
        "After an override what is there is on all devices.",
        (
            Edit(
                "leftzmq/sync/versions/differences.py",
                "        if live is not None:\n            self._resolver.stays_above(winner.path)",
                "        if False:\n            self._resolver.stays_above(winner.path)",
            ),
        ),
        frozenset(("sends", "I5")),
        _STORIES,
    ),
    Bug(
        "a folder is brought back only while others are connected",
        "A file that is made in a folder that others deleted brings that folder back to them.",
        (
            Edit(
                "leftzmq/sync/versions/resolver.py",
                "                self._stay(folder, ANYBODY)\n",
                "                self.stay(folder)\n",
            ),
        ),
        frozenset(("sends", "I5")),
        _STORIES,
    ),
)
