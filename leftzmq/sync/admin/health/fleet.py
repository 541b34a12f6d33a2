"""Answers `fleet`: all devices of a folder, as they are seen from here and as they say themselves.

Knows folders, peers and what they reported. Must not know how an answer is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from leftzmq import __version__
from leftzmq.sync.actions import Answer, Outputs
from leftzmq.sync.admin.peer_progress import PeerState, alone_because, member, members
from leftzmq.sync.admin.status import Times
from leftzmq.sync.folder import Folder, FolderState
from leftzmq.sync.peers.greeting import Peers
from leftzmq.sync.peers.peer_state import Peer, PeerPhase
from leftzmq.wire.answers.health import FleetDevice, FleetShown
from leftzmq.wire.messages import FolderReport


class Fleet:
    """One per agent.

    about: `name`, `key` and `keyless` as in sync/node
    free_bytes: returns how much is free on the disk of the share of a folder; None: not known
    times: returns now
    """

    def __init__(
        self,
        about: Mapping[str, Any],
        peers: Peers,
        free_bytes: Callable[[str], int | None],
        times: Callable[[], Times],
    ) -> None:
        self._about, self._peers = about, peers
        self._free_bytes, self._times = free_bytes, times

    def ask(self, asker: bytes, folder: Folder) -> Outputs:
        """Answer at once."""
        keyless: Iterable[str] = self._about["keyless"]
        devices = [
            self._of_us(folder),
            *(self._of_peer(folder, peer) for peer in self._peers.by_key.values()),
            *map(_without_key, keyless),
        ]
        return [Answer(asker, FleetShown(folder=folder.id, devices=devices).fields())]

    def _of_us(self, folder: Folder) -> FleetDevice:
        runs = folder.stopped is None
        why = folder.stopped_why or folder.paused_why or folder.held_why
        if folder.state is FolderState.ALONE:
            why = alone_because(members(folder, self._peers.by_key.values()))
        lacks = runs and folder.index_view.takes
        return FleetDevice(
            name=self._about["name"],
            key=self._about["key"],
            is_us=True,
            connected=True,
            state=folder.state.value,
            why=why,
            behind_paths=folder.index_view.tickets if runs else None,
            behind_bytes=(folder.index_view.counters.need_bytes if lacks else 0) if runs else None,
            last_seen=self._times().unix,
            version=__version__,
            free_bytes=self._free_bytes(folder.id),
            clock_ms=0,
            says_state=folder.state.value,
        )

    def _of_peer(self, folder: Folder, peer: Peer) -> FleetDevice:
        found, times = member(folder, peer), self._times()
        connected = peer.state is PeerPhase.CONNECTED
        behind, row = found.behind, said_of(peer, folder)
        why = found.why if connected else found.why or peer.away_why
        return FleetDevice(
            name=peer.name,
            key=peer.text,
            is_us=False,
            connected=connected,
            state=found.state.value,
            why=why,
            behind_paths=None if behind is None else behind.paths,
            behind_bytes=None if behind is None else behind.bytes,
            last_seen=times.unix if connected else times.unix_of(peer.seen),
            version=None if peer.heard is None else peer.heard.report.program,
            free_bytes=None if row is None else row.free_bytes,
            clock_ms=None if peer.heard is None else peer.heard.clock_ms,
            says_state=None if row is None else row.state,
        )


def said_of(peer: Peer, folder: Folder) -> FolderReport | None:
    """Return what a peer said of a folder last; None: nothing."""
    if peer.heard is None:
        return None
    rows = peer.heard.report.folders
    return next((row for row in rows if row.tag == folder.epochs.first.tag), None)


def _without_key(name: str) -> FleetDevice:
    """A [[peer]] whose key nobody has written down: it is never connected."""
    return FleetDevice(
        name=name,
        key="",
        is_us=False,
        connected=False,
        state=PeerState.NO_KEY.value,
        why="",
        behind_paths=None,
        behind_bytes=None,
        last_seen=None,
        version=None,
        free_bytes=None,
        clock_ms=None,
        says_state=None,
    )
