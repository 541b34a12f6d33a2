"""What changes for a running agent when peer.toml is read again.

Only its `[[peer]]` entries can change while the agent runs. Whatever else is another value now is
named, because it needs a new start. Knows values of the config. Must not know sockets or machines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from leftzmq.config import Config, PeerConfig


@dataclass(frozen=True, slots=True)
class PeerChanges:
    """Peers that have a key. A peer with another name or key is removed and added.

    moved: the same name and key, and another address or none
    need_a_start: what else changed, as it is called in peer.toml
    """

    removed: tuple[PeerConfig, ...] = ()
    added: tuple[PeerConfig, ...] = ()
    moved: tuple[PeerConfig, ...] = ()
    need_a_start: tuple[str, ...] = ()


def changes(before: Config, after: Config) -> PeerChanges:
    old = {(peer.name, peer.key): peer for peer in before.peers if peer.key}
    new = {(peer.name, peer.key): peer for peer in after.peers if peer.key}
    return PeerChanges(
        tuple(peer for who, peer in old.items() if who not in new),
        tuple(peer for who, peer in new.items() if who not in old),
        tuple(peer for who, peer in new.items() if who in old and peer != old[who]),
        tuple(_need_a_start(before, after)),
    )


def _need_a_start(before: Config, after: Config) -> Iterator[str]:
    if before.device != after.device:
        yield "[device]"
    old = {folder.id: folder for folder in before.folders}
    new = {folder.id: folder for folder in after.folders}
    for id in sorted(old.keys() | new.keys()):
        if old.get(id) != new.get(id):
            yield f"[[folder]] {id}"
