"""`leftzmq override`: lists where a folder that only sends is otherwise here than elsewhere, and
makes what is here everybody's, of what was listed and of nothing else.

Knows folders and questions. Must not know how a version is published (sync/versions/differences).
"""

from __future__ import annotations

import hashlib
import struct
from typing import Final

from msgspec import Struct

from leftzmq.sync.actions import Answer, Outputs, Work, declined
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import MAX_DIFFERING, DifferingFound, FindDiffering, Winner
from leftzmq.wire.replies import Overridden

SHOWN: Final = 10
_STAMP: Final = struct.Struct(">q")


class _OverrideAsked(Struct, frozen=True):
    """listed: what the list was that the user has seen; "": none yet"""

    asker: bytes
    folder: str
    listed: str


class Overrides:
    """One per agent."""

    def __init__(self) -> None:
        self._number = 0
        self._open: dict[int, _OverrideAsked] = {}

    def ask(self, asker: bytes, folder: Folder, path: str, listed: str) -> Outputs:
        """Answer what differs at `path` and below it, when a job has looked; or publish it, if that
        is what was listed."""
        self._number += 1
        self._open[self._number] = _OverrideAsked(asker, folder.id, listed)
        readers = folder.index_view.readers | folder.store.heads.swept_mask
        return [Work(FindDiffering(folder.id, self._number, path, readers))]

    def on_differing_found(self, folder: Folder, fact: DifferingFound, now: float) -> Outputs:
        asked = self._open.pop(fact.number, None)
        if asked is None:
            return []
        if not fact.winners:
            return [declined(asked.asker, "nothing differs there", folder.id)]
        held = folder.index_view.held
        # What lies where our own is wanted back is nobody's: over that nothing is published.
        winners = tuple(winner for winner in fact.winners if not held.is_wanted_back(winner.path))
        if not winners:
            what = "nothing differs there but what is coming back from the others"
            return [declined(asked.asker, what, folder.id)]
        listed = _name_of(winners)
        if asked.listed not in ("", listed):
            what = "other devices changed something since that was listed"
            return [declined(asked.asker, what, folder.id, "look at it once more")]
        if asked.listed:
            folder.differences.override(winners)
        answer = Overridden(
            folder=folder.id,
            paths=len(winners),
            first=[winner.path for winner in winners[:SHOWN]],
            more=len(fact.winners) == MAX_DIFFERING,
            listed=listed,
            done=bool(asked.listed),
        )
        return [Answer(asked.asker, answer.fields())]

    def on_folder_stopped(self, folder: str, why: str) -> Outputs:
        """Answer the open questions about the folder; later results of their jobs are ignored."""
        gone = [number for number, asked in self._open.items() if asked.folder == folder]
        return [declined(self._open.pop(number).asker, why, folder) for number in gone]


def _name_of(winners: tuple[Winner, ...]) -> str:
    """32 hex digits that no other list has."""
    digest = hashlib.blake2b(digest_size=16)
    for winner in winners:
        stamp, writer = winner.rank
        digest.update(winner.path.encode() + b"\0" + _STAMP.pack(stamp) + writer)
    return digest.hexdigest()
