"""Mistakes of the guard: what is lost and does not count, and what users decided and nobody hears.

Knows the text of tree/loss and sync/exchange/index_client. Must not know how a bug is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

_LOSSES = ("tests/unit/sync/guard/test_losses.py",)

BUGS: Final = (
    Bug(
        "an emptied file is not lost",
        "The guard counts files that are gone, emptied, shrunk to nothing or of another kind.",
        (
            Edit(
                "leftzmq/tree/loss.py",
                "    if size == 0:\n        return file_bytes > 0\n",
                "    if size == 0:\n        return False\n",
            ),
        ),
        frozenset(),
        _LOSSES,
    ),
    Bug(
        "what is accepted is heard by nobody",
        "accept on one device is told to all; a version in a range passes the guard everywhere.",
        (
            Edit(
                "leftzmq/sync/exchange/index_client.py",
                (
                    "            self._index_view.accept(fact.page.accepted)"
                    "  # before the entries that it may let pass\n"
                ),
                "            pass\n",
            ),
        ),
        frozenset(),
        _LOSSES,
    ),
    Bug(
        "what is gone passes without a second look",
        "What the guard holds back is true of the moment in which it was seen.",
        (
            Edit(
                "leftzmq/sync/guard/local_deletes.py",
                "        gone = [suspect for suspect in suspects if suspect.is_gone]\n",
                "        gone: list[Suspect] = []\n",
            ),
            Edit(
                "leftzmq/sync/guard/local_deletes.py",
                (
                    "        sightings = self._still_true("
                    "[each for each in suspects if not each.is_gone])\n"
                ),
                "        sightings = self._still_true(suspects)\n",
            ),
        ),
        frozenset(),
        (
            "tests/unit/sync/guard/test_local_deletes.py",
            "tests/unit/sync/versions/test_local_changes.py",
        ),
    ),
)
