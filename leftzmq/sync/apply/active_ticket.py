"""A ticket that is worked at: at which stage it is, and what is known of it.

Knows which stage follows from which. Must not know what a ticket leads to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import auto
from typing import Final

from msgspec import Struct

from leftzmq.quick_enum import QuickEnum
from leftzmq.tree.conflict import HEX_DIGITS, MAX_DIGITS
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Operation, Staged

Account = tuple[int, bool]
"""The owner of slots: a device, by its bit in the index; and whether the slots are for tickets that
need bytes."""


class TicketStage(QuickEnum):
    """The stage of a ticket."""

    WANTED = auto()  # the downloader has it
    READY = auto()  # an operation can be made of it
    APPLYING = auto()  # it is part of a batch
    WAITING = auto()  # for a retry, a folder, a lock, or a look of the scheduler


class TicketMove(QuickEnum):
    """What happens to a ticket."""

    WANT = auto()  # its bytes are asked of the downloader
    PREPARE = auto()  # its bytes are here, or it needs none
    START = auto()  # it is part of a batch from now on
    END = auto()  # the batch is over
    PUT_OFF = auto()  # it is considered again later


class AtWork(Struct, frozen=True):
    """What others may know of a ticket that is worked at.

    since: when it got its slot (monotonic); 0.0: it needs none
    no_folder: the folder that it is in was not there when it was tried
    """

    stage: TicketStage
    since: float = 0.0
    no_folder: bool = False


S, M = TicketStage, TicketMove
MOVES: Final[dict[tuple[TicketStage, TicketMove], TicketStage]] = {
    # What cannot happen at a stage changes nothing.
    **{(stage, move): stage for stage in TicketStage for move in TicketMove},
    (S.WAITING, M.WANT): S.WANTED,
    (S.READY, M.WANT): S.WANTED,
    (S.WAITING, M.PREPARE): S.READY,
    (S.WANTED, M.PREPARE): S.READY,
    (S.WAITING, M.START): S.APPLYING,
    (S.READY, M.START): S.APPLYING,
    (S.APPLYING, M.END): S.WAITING,
    **{(stage, M.PUT_OFF): S.WAITING for stage in TicketStage},
}


@dataclass(slots=True)
class ActiveTicket:
    """A ticket in the window.

    operation: set for what a scan found (FoundDeleted), else made from the ticket
    retry_at: monotonic; 0: the ticket waits for something else than time
    walked: the directory was not empty, and a walk has looked what is in it
    digits: of the content id in the name of the conflict copy
    in_heap: the ticket is in one of the heaps of ready tickets
    source: a path that is to be removed and has the bytes: to be moved
    fetch: moving the file did not work
    account: whose slot the ticket has in the window; None: it needs none
    since: when the ticket got its slot
    no_folder_since: when it was first found that the directory of the path is not there
    """

    stage: TicketStage
    entry: Entry
    staged: Staged | None = None
    operation: Operation | None = None
    retry_at: float = 0.0
    walked: bool = False
    digits: int = HEX_DIGITS
    in_heap: bool = False
    source: str = ""
    fetch: bool = False
    account: Account | None = None
    since: float = 0.0
    no_folder_since: float | None = None

    def move(self, move: TicketMove) -> None:
        self.stage = MOVES[self.stage, move]

    def prepare(self) -> None:
        """An operation can be made of it. A retry that it waited for is not to come any more: it
        would come while the ticket is worked at, and be lost."""
        self.move(TicketMove.PREPARE)
        self.retry_at = 0.0

    def put_off(self, until: float) -> None:
        """It is considered again at `until` (monotonic)."""
        self.move(TicketMove.PUT_OFF)
        self.retry_at = until

    def bytes_came(self, staged: Staged) -> None:
        """All bytes of it lie in this `.lefting`."""
        self.staged, self.no_folder_since = staged, None

    def give_up_staged(self) -> Staged | None:
        """Its `.lefting`, which is not its any more."""
        staged, self.staged = self.staged, None
        return staged

    def give_up_source(self) -> None:
        """Moving what has the bytes does not work: they are fetched."""
        self.source, self.fetch = "", True

    def found_again(self, entry: Entry, operation: Operation) -> None:
        """By another look, which may have found another version."""
        self.entry, self.operation = entry, operation

    def give_up_operation(self) -> None:
        """What a look found is not so any more."""
        self.operation = None

    def lengthen_copy_name(self) -> None:
        """The name of the conflict copy is taken."""
        self.digits = min(self.digits + HEX_DIGITS, MAX_DIGITS)
