"""Draws every transition table of leftzmq as a Mermaid picture: python docs/states/draw.py

Writes docs/states/README.md. `tests/unit/test_states.py` says when that is not current.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple

from leftzmq.index import lefting_states
from leftzmq.pairing import invitations
from leftzmq.runtime.listing import config_watch
from leftzmq.sync import reopening
from leftzmq.sync.apply import active_ticket
from leftzmq.sync.download import transfer
from leftzmq.sync.guard import states as guard
from leftzmq.sync.peers import peer_state
from leftzmq.transport.dialing import line
from leftzmq.transport.door import word_door

PAGE: Final = Path(__file__).parent / "README.md"
HEAD: Final = """# States

Made by `python docs/states/draw.py` from the tables in the code; do not edit. A move that is not
drawn in a state leaves that state as it is.
"""


class Machine(NamedTuple):
    """One transition table. start: the state in which everything of its kind begins."""

    title: str
    module: str
    start: Enum
    moves: Mapping[tuple[Any, Any], Any]


MACHINES: Final = (
    Machine(
        "A ticket",
        "leftzmq/sync/apply/active_ticket.py",
        active_ticket.TicketStage.WAITING,
        active_ticket.MOVES,
    ),
    Machine(
        "A large file that arrives",
        "leftzmq/sync/download/transfer.py",
        transfer.TransferPhase.LISTS,
        transfer.MOVES,
    ),
    Machine(
        "The name of a `.lefting`",
        "leftzmq/index/lefting_states.py",
        lefting_states.LeftingState.FREE,
        lefting_states.MOVES,
    ),
    Machine(
        "One side of the guard",
        "leftzmq/sync/guard/states.py",
        guard.GuardState.OPEN,
        guard.MOVES,
    ),
    Machine(
        "A peer",
        "leftzmq/sync/peers/peer_state.py",
        peer_state.PeerPhase.AWAY,
        peer_state.MOVES,
    ),
    Machine(
        "A link that we dialed",
        "leftzmq/transport/dialing/line.py",
        line.LineState.CLOSED,
        line.MOVES,
    ),
    Machine(
        "A connection to a word door",
        "leftzmq/transport/door/word_door.py",
        word_door.GuestStage.SILENT,
        word_door.MOVES,
    ),
    Machine(
        "An invitation",
        "leftzmq/pairing/invitations.py",
        invitations.InvitationState.OPEN,
        invitations.MOVES,
    ),
    Machine(
        "A folder that can be stopped",
        "leftzmq/sync/reopening.py",
        reopening.FolderRest.RUNNING,
        reopening.MOVES,
    ),
    Machine(
        "peer.toml while it is watched",
        "leftzmq/runtime/listing/config_watch.py",
        config_watch.WatchState.CALM,
        config_watch.MOVES,
    ),
)


def page() -> str:
    """All pictures, as the text of docs/states/README.md."""
    return "\n".join([HEAD, *map(_drawn, MACHINES)])


def _drawn(machine: Machine) -> str:
    lines = [f"## {machine.title}", "", f"`{machine.module}`", "", "```mermaid", "stateDiagram-v2"]
    lines.append(f"    [*] --> {machine.start.name}")
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, move), after in machine.moves.items():
        if after is not state:
            arrows.setdefault((state.name, after.name), []).append(move.name)
    lines += [f"    {a} --> {b}: {', '.join(moves)}" for (a, b), moves in arrows.items()]
    return "\n".join([*lines, "```", ""])


if __name__ == "__main__":
    PAGE.write_text(page())
