"""Mistakes about what `leftzmq why` answers: a difference at rest has no reason.

Knows the text of sync/admin/why. Must not know how a bug is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

_STORIES: Final = ("tests/sim/test_why.py", "tests/unit/sync/admin/test_why.py")
_HERE: Final = "leftzmq/sync/admin/why/here.py"

BUGS: Final[tuple[Bug, ...]] = (
    Bug(
        "what was deleted on a device that only receives has no reason",
        "Every difference at rest has a reason.",
        (
            Edit(
                _HERE,
                "    if ours.entry.is_private:\n",
                "    if ours.entry.is_private and not ours.entry.deleted:\n",
            ),
        ),
        frozenset(("why",)),
        _STORIES,
    ),
    Bug(
        "a rule is a reason only where something lies",
        "Every difference at rest has a reason.",
        (
            Edit(
                _HERE,
                "    if told is not None and is_live and told.apart:\n",
                "    if told is not None and is_live and told.apart and lies in KINDS:\n",
            ),
        ),
        frozenset(("why",)),
        _STORIES,
    ),
    Bug(
        "a folder that is here counts as not looked at",
        "What is equal everywhere is said to be the same.",
        (
            Edit(
                _HERE,
                "        is_so = KINDS.get(lies) is ours.entry.kind\n",
                "        is_so = KINDS.get(lies) is ours.entry.kind is Kind.FILE\n",
            ),
        ),
        frozenset(("why",)),
        _STORIES,
    ),
)
