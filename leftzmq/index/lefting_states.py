"""The states of a `.lefting` name in the ledger, and every move between them.

Knows which state follows from which. Must not know rows (index/lefting_ledger does), nor files.
"""

from __future__ import annotations

from enum import auto
from typing import Final

from leftzmq.quick_enum import QuickEnum


class LeftingState(QuickEnum):
    """What is ours under one name. The values stand in the index."""

    FREE = "free"  # nothing: there is no row
    MEANT = "meant"  # about to be made; or it may have been made, and nobody heard of it
    MADE = "made"  # the file with this inode
    DOUBTED = "doubted"  # MADE, while another one may get the name
    DOOMED = "doomed"  # the file with this inode, which is to be thrown away
    DOUBTED_DOOMED = "doubted doomed"  # DOOMED, while another one may get the name
    UNKNOWN_DOOMED = "unknown doomed"  # one of which nobody knows the inode is to be thrown away
    UNREAD = "unread"  # it was made, and its inode could not be read; is to be thrown away


class LeftingMove(QuickEnum):
    """What happens to the name."""

    MEAN = auto()  # somebody is about to make one of this name
    LEARN = auto()  # one was made, or found, and its inode is known
    MISS = auto()  # one may have been made, and its inode is not known
    MISREAD = auto()  # one was made under this very name, and its inode could not be read
    DOOM = auto()  # the file is not needed any more
    OVER = auto()  # nobody is about to make one any more
    GO = auto()  # the file is gone, or has another name; one that is about to be made may be there
    EMPTY = auto()  # nothing of ours has the name, whoever was about to make what


S, M = LeftingState, LeftingMove
MOVES: Final[dict[tuple[LeftingState, LeftingMove], LeftingState]] = {
    # What cannot happen in a state changes nothing.
    **{(state, move): state for state in LeftingState for move in LeftingMove},
    (S.FREE, M.MEAN): S.MEANT,
    (S.MADE, M.MEAN): S.DOUBTED,
    (S.DOOMED, M.MEAN): S.DOUBTED_DOOMED,
    **{(state, M.LEARN): S.MADE for state in LeftingState},
    **{(state, M.MISS): S.MEANT for state in LeftingState},
    **{(state, M.MISREAD): S.UNREAD for state in LeftingState},
    (S.MEANT, M.DOOM): S.UNKNOWN_DOOMED,
    (S.MADE, M.DOOM): S.DOOMED,
    (S.DOUBTED, M.DOOM): S.DOUBTED_DOOMED,
    (S.MEANT, M.OVER): S.FREE,
    (S.DOUBTED, M.OVER): S.MADE,
    (S.DOUBTED_DOOMED, M.OVER): S.DOOMED,
    **{(state, M.GO): S.FREE for state in LeftingState},
    (S.DOUBTED, M.GO): S.MEANT,
    (S.DOUBTED_DOOMED, M.GO): S.MEANT,
    **{(state, M.EMPTY): S.FREE for state in LeftingState},
}

IN_DOUBT: Final = frozenset((S.DOUBTED, S.DOUBTED_DOOMED))
ARE_DOOMED: Final = frozenset((S.DOOMED, S.DOUBTED_DOOMED, S.UNKNOWN_DOOMED, S.UNREAD))
