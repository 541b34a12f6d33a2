"""The states of one side of the guard, and every move between them.

Knows which state follows from which. Must not know why something is held.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class GuardState(Enum):
    """The state of one side of the guard."""

    OPEN = auto()
    GATHERING = auto()  # too many to pass at once: wait until no more arrive
    JUDGING = auto()  # how many of them were only moved?
    HELD = auto()  # until a user decides, or until it is no flood any more
    ACCEPTING = auto()
    REVERTING = auto()


class GuardMove(Enum):
    """What happens to one side of the guard."""

    GATHER = auto()  # more would be lost than may be lost at once
    COUNT = auto()  # no more losses came: they look like a flood
    PASS = auto()  # they are no flood, or no flood any more
    HOLD = auto()  # they are a flood, or noise
    ACCEPT = auto()  # a user accepts what is held
    REVERT = auto()  # a user wants back what is held
    CARRY_OUT = auto()  # the user's decision is carried out


S, M = GuardState, GuardMove
_UNDECIDED: Final = (S.OPEN, S.GATHERING, S.JUDGING, S.HELD)
_DECIDED: Final = (S.ACCEPTING, S.REVERTING)
MOVES: Final[dict[tuple[GuardState, GuardMove], GuardState]] = {
    # What cannot happen in a state changes nothing.
    **{(state, move): state for state in GuardState for move in GuardMove},
    (S.OPEN, M.GATHER): S.GATHERING,
    (S.GATHERING, M.COUNT): S.JUDGING,
    **{(state, M.PASS): S.OPEN for state in _UNDECIDED},
    **{(state, M.HOLD): S.HELD for state in _UNDECIDED},
    (S.HELD, M.ACCEPT): S.ACCEPTING,
    (S.HELD, M.REVERT): S.REVERTING,
    **{(state, M.CARRY_OUT): S.OPEN for state in _DECIDED},
}
