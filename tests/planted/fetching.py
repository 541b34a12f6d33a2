"""Mistakes about devices that fetch a part of a folder: what they drop is lost, or is deleted.

Knows the text of sync/apply and sync/scan. Must not know how a bug is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

_STORIES: Final = ("tests/sim/test_choosing.py", "tests/unit/sync/test_wanted.py")

BUGS: Final[tuple[Bug, ...]] = (
    Bug(
        "a folder is dropped before anybody has heard of it",
        "What is dropped is removed when a device that has it has heard that, and keeps it.",
        (
            Edit(
                "leftzmq/sync/apply/letting_go.py",
                "                break  # what is in it goes first\n",
                "                return  # what is in it goes first\n",
            ),
        ),
        frozenset(("dropped", "I2", "I2 wanted")),
        _STORIES,
    ),
    Bug(
        "a drop counts on a device whose own drop may not have been heard",
        "The word that it is done may overtake what it let go of before.",
        (
            Edit(
                "leftzmq/sync/exchange/acknowledged.py",
                "        return head.life == said.own_life and head.head >= said.own\n",
                "        return True\n",
            ),
        ),
        frozenset(("dropped", "I2", "I2 wanted")),
        _STORIES,
    ),
    Bug(
        "what is wanted again goes on being dropped",
        "A drop is no delete for the others.",
        (
            Edit(
                "leftzmq/sync/apply/letting_go.py",
                "            if self._wants(path, row.entry.kind):\n",
                "            if False:\n",
            ),
        ),
        frozenset(("dropped", "I2 wanted", "I2 tree", "I2 folder", "wanted")),
        _STORIES,
    ),
    Bug(
        "what was got is forgotten at a start",
        "`leftzmq get` holds also after a restart.",
        (
            Edit(
                "leftzmq/sync/scan/keeping.py",
                "        self._store.put_meta(_PINS, _packed_pins(self._pins))\n",
                "",
            ),
        ),
        frozenset(("wanted",)),
        _STORIES,
    ),
)
