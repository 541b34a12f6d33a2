"""Answers why a path is not the same everywhere.

A job looks what lies at the path; the rest is known already. Knows questions. Must not know how a
reason is found (here and there do).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from msgspec import Struct

from leftzmq.bandwidth.throttle import Throttles
from leftzmq.disk.apply.restore import Trashed
from leftzmq.disk.scan.lying import Lying
from leftzmq.errors import Refusal
from leftzmq.sync.actions import Answer, Outputs, Work, declined
from leftzmq.sync.admin.status import Times
from leftzmq.sync.admin.why.here import here
from leftzmq.sync.admin.why.known import MembersOf, PathKnown
from leftzmq.sync.admin.why.reasons import Because, WhyNot, because
from leftzmq.sync.admin.why.there import there
from leftzmq.sync.download.downloader import Downloader
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import LookedForWhy, LookForWhy
from leftzmq.sync.peers.peer_state import Peer
from leftzmq.sync.versions.index_view import OURS
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import keys_below, path_of_key
from leftzmq.wire.answers.why import PeerWhy, WhyShown

ROWS_BELOW: Final = 1_000  # of the index, of a folder that is asked about: about 7 ms
COPIES_SHOWN: Final = 100  # others can make them many
PATHS_BELOW: Final = 64  # of those that this device lacks
_AS_ALL: Final = (WhyNot.SAME, WhyNot.NOTHING_THERE, WhyNot.PASSED_OVER)
"""Who keeps the path has what all have, and who does not keep it is not waited for."""


class _WhyAsked(Struct, frozen=True):
    """peer: the name of the member that is asked about; "": all."""

    asker: bytes
    folder: str
    path: str
    peer: str


class WhyQuestions:
    """One per agent. members_of: the other devices that are in a folder. unix: the time now in unix
    seconds. our_name: of this device."""

    def __init__(
        self,
        downloader: Downloader,
        throttles: Throttles,
        members_of: MembersOf,
        unix: Callable[[], float],
        our_name: str,
    ) -> None:
        self._downloader, self._throttles, self._members_of = downloader, throttles, members_of
        self._unix, self._our_name = unix, our_name
        self._open: dict[int, _WhyAsked] = {}
        self._number = 0

    def ask(self, asker: bytes, folder: Folder, path: str, peer: str) -> Outputs:
        """Answer why `path` is not the same everywhere, when a job has looked what lies there."""
        if folder.stopped is not None:
            stopped = because(WhyNot.FOLDER_STOPPED, detail=folder.stopped.why)
            return [Answer(asker, _alone(folder.id, path, stopped).fields())]
        names = [each.name for each in self._members_of(folder)]
        if peer and peer not in names:
            there_are = (
                f"in the folder are {', '.join(names)}" if names else "no other device is in it"
            )
            return [declined(asker, "no device in the folder has this name", peer, there_are)]
        self._number += 1
        self._open[self._number] = _WhyAsked(asker, folder.id, path, peer)
        is_gone = all(row.entry.deleted for row in folder.index_view.told_rows(path))
        return [Work(LookForWhy(folder.id, self._number, path, in_trash=is_gone))]

    def of_bad_path(self, asker: bytes, folder: str, path: str, refusal: Refusal) -> Outputs:
        """Answer of a path that is never synced, wherever it is."""
        if refusal is Refusal.PATH_RESERVED:
            found = because(WhyNot.NEVER_SYNCED, what=f"{refusal.value}: it")
        else:
            found = because(WhyNot.BAD_NAME, detail=refusal.value)
        return [Answer(asker, _alone(folder, path, found).fields())]

    def on_looked_for_why(self, folder: Folder, fact: LookedForWhy, now: float) -> Outputs:
        asked = self._open.get(fact.number)
        if asked is None:
            return []
        known = self.known(folder, asked.path, fact.lies, fact.trashed, now)
        answer = Answer(asked.asker, shown(known, asked.peer).fields())
        del self._open[fact.number]  # now: where the index fails, the folder's stop is the answer
        return [answer]

    def known(
        self, folder: Folder, path: str, lies: Lying, trashed: Trashed | None, now: float
    ) -> PathKnown:
        """Return what is known of a path. lies, trashed: what a look found there."""
        return PathKnown(
            folder,
            path,
            lies,
            trashed,
            self._members_of(folder),
            self._downloader,
            self._throttles,
            Times(now, self._unix()),
            self._our_name,
        )

    def on_folder_stopped(self, folder: str, why: str) -> Outputs:
        """Answer the open questions about the folder; later results of their jobs are ignored."""
        gone = [number for number, asked in self._open.items() if asked.folder == folder]
        return [declined(self._open.pop(number).asker, why, folder) for number in gone]


def shown(known: PathKnown, peer: str) -> WhyShown:
    """Return the answer. peer: the name of one member; "": the reason of this device comes first,
    and then that of the first member that lacks something."""
    theirs = [(each, there(known, each)) for each in known.members]
    ours = here(known)
    if ours.why is WhyNot.SAME:
        ours = _below(known) or ours
    return _shown(known, _first(ours, theirs, peer), theirs)


def _below(known: PathKnown) -> Because | None:
    """Of a folder that is as it is to be: the first path in it that is not, among the first
    ROWS_BELOW."""
    ours = known.ours
    is_folder = ours is not None and ours.entry.kind is Kind.DIRECTORY
    if not (is_folder and known.is_here and known.view.counters.tickets):
        return None
    low, high = keys_below(known.path)
    keys, _ = known.folder.store.paths_lacked(OURS, low, ROWS_BELOW)
    inside = (path_of_key(key) for key in keys if key < high)
    for path in islice(inside, PATHS_BELOW):
        inner = known.at(path)
        if inner.differs:
            reason = here(inner).text
            return because(WhyNot.BELOW, path=known.path, inner=path, reason=reason)
    return None


def _first(ours: Because, theirs: Sequence[tuple[Peer, Because]], peer: str) -> Because:
    if peer:
        return next(found for each, found in theirs if each.name == peer)
    if ours.why is not WhyNot.SAME:
        return ours
    late = next((found for _, found in theirs if found.why not in _AS_ALL), None)
    if late is not None:
        return late
    is_all = all(found.why is WhyNot.SAME for _, found in theirs)
    where = "everywhere" if is_all else "on all devices that keep it"
    return because(WhyNot.SAME, where=where, since=ours.since)


def _shown(known: PathKnown, found: Because, theirs: Sequence[tuple[Peer, Because]]) -> WhyShown:
    best = known.winner or known.told
    copies = known.folder.store.copies_of(known.path)
    return WhyShown(
        folder=known.folder.id,
        path=known.path,
        reason=found.why.word,
        text=found.text,
        cure=found.cure,
        peer=found.peer,
        since=found.since,
        bytes=None if best is None or best.entry.deleted else best.entry.size,
        have=found.have,
        rate=found.rate,
        by="" if best is None else known.by(best.entry),
        copies=[row.entry.path for row in copies if row.entry.path != known.path][:COPIES_SHOWN],
        peers=[
            PeerWhy(
                name=peer.name,
                reason=each.why.word,
                text=each.text,
                cure=each.cure,
                since=each.since,
            )
            for peer, each in theirs
        ],
    )


def _alone(folder: str, path: str, found: Because) -> WhyShown:
    """The answer where nothing is known of any version."""
    return WhyShown(
        folder=folder,
        path=path,
        reason=found.why.word,
        text=found.text,
        cure=found.cure,
        peer="",
        since=None,
        bytes=None,
        have=None,
        rate=None,
        by="",
        copies=[],
        peers=[],
    )
