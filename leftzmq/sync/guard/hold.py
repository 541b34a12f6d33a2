"""The hold of a folder that was joined into a directory with files in it: until its user has seen
the plan and said yes, the folder tells nothing and changes nothing.

Knows whether the folder is held. Must not know what is held back. Four ask: the announcer (it tells
of a sequence of 0), the applier (it takes up no ticket), the hub (no get is answered) and the
folder (its trash is not swept). Others only show it.
"""

from __future__ import annotations

from typing import Final

WHY_HELD: Final = (
    "nothing of it is told or changed until its plan is answered: type the same leftzmq join "
    "again, or leave with leftzmq folders remove"
)


class Hold:
    """One per folder. It outlives the machines of a folder that is opened anew, so an answer counts
    whenever it comes. It only ends: nothing that runs is held later."""

    def __init__(self, holds: bool = False) -> None:
        self._holds = holds

    @property
    def holds(self) -> bool:
        return self._holds

    def end(self) -> None:
        """The user said yes, and it is durable."""
        self._holds = False
