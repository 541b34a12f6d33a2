"""What an index says under one sequence: a version of a path, or that its device keeps it no more.

A device that stops keeping a path (it is ignored there now) withdraws its version: it says so once.
That is no delete. Whoever hears it forgets that the device had a version, and takes nothing away.
The versions that the device says after it carry the sequence of the withdrawal. A receiver that had
not heard the withdrawal learns by this that "never a lower rank than before" begins anew.

Values. Must not know why a path is not kept, nor how these are kept or sent.
"""

from __future__ import annotations

from msgspec import Struct

from leftzmq.tree.entry import Entry


class Withdrawal(Struct, frozen=True, gc=False):
    """The device said under `sequence` that it keeps `path` no more. It was the last time: where it
    says a version of the path, too, it keeps the path again since."""

    path: str
    sequence: int


class Change(Struct, frozen=True, gc=False):
    """The newest that an index says of `path`.

    entry: the version that its device has; None: it keeps the path no more
    withdrawn: the sequence of the path's last withdrawal; 0: there was none. Without an entry it is
        `sequence` itself
    """

    sequence: int
    path: str
    entry: Entry | None
    withdrawn: int = 0

    @property
    def withdrawal(self) -> Withdrawal | None:
        return Withdrawal(self.path, self.withdrawn) if self.withdrawn else None
