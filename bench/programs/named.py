"""The programs by their names, each as a pair on a ground.

Knows which module opens which program, and what the shares become afterwards. Must not know what is
measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from ground import Ground
from rows.row import OURS, RSYNC, SYNCTHING, UNISON

from programs import ours, rsync, syncthing, unison
from programs.pair import Indexing, Pair

AnyPair = TypeVar("AnyPair", bound=Pair)

_INDEXING: Final[dict[str, Callable[[Path], AbstractContextManager[Indexing]]]] = {
    OURS: ours.opened,
    SYNCTHING: syncthing.opened,
}
_OTHERS: Final[dict[str, Callable[[Path], AbstractContextManager[Pair]]]] = {
    UNISON: unison.opened,
    RSYNC: rsync.opened,
}


def pair(program: str, ground: Ground) -> AbstractContextManager[Pair]:
    """Yield the program in a new folder of the ground, not started."""
    if program in _INDEXING:
        return indexing(program, ground)
    return on_ground(_OTHERS[program], ground)


def indexing(program: str, ground: Ground) -> AbstractContextManager[Indexing]:
    """As `pair`, of a program that keeps an index."""
    return on_ground(_INDEXING[program], ground)


@contextmanager
def on_ground(
    opened: Callable[[Path], AbstractContextManager[AnyPair]], ground: Ground
) -> Iterator[AnyPair]:
    """Yield a pair in a new folder of the ground. Its processes are ended afterwards, and what lies
    there is left to the ground, which knows when it may be deleted."""
    home = ground.new_home()
    with opened(home) as found:
        try:
            yield found
        finally:
            found.stop()
            for share in (found.a, found.b):
                ground.leave(share)
    ground.leave(home)
