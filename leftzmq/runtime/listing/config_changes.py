"""What changes for a running agent when peer.toml is read again, or when an invitation brought a
device or a folder.

Devices can come, go and move while the agent runs, and folders can come and go. Whatever else is
another value now is named, because it needs a new start. Knows values of the config. Must not know
sockets or machines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from leftzmq.config import Config, FolderConfig, PeerConfig


@dataclass(frozen=True, slots=True)
class ConfigChanges:
    """Peers that have a key. A peer with another name or key is removed and added.

    moved: the same name and key, and another address or none
    folders: those that were not there before; gone: the ids of those that are not there any more
    need_a_start: what else changed, as it is called in peer.toml
    """

    removed: tuple[PeerConfig, ...] = ()
    added: tuple[PeerConfig, ...] = ()
    moved: tuple[PeerConfig, ...] = ()
    folders: tuple[FolderConfig, ...] = ()
    gone: tuple[str, ...] = ()
    need_a_start: tuple[str, ...] = ()


def changes(before: Config, after: Config) -> ConfigChanges:
    old = {(peer.name, peer.key): peer for peer in before.peers if peer.key}
    new = {(peer.name, peer.key): peer for peer in after.peers if peer.key}
    need_a_start = tuple(_need_a_start(before, after))
    ids, stay = ({folder.id for folder in config.folders} for config in (before, after))
    come = tuple(folder for folder in after.folders if folder.id not in ids)
    if need_a_start:
        # A folder that changes runs on until then. It may have the share of one that comes.
        need_a_start += tuple(f"[[folder]] {folder.id}" for folder in come)
        come = ()
    return ConfigChanges(
        tuple(peer for who, peer in old.items() if who not in new),
        tuple(peer for who, peer in new.items() if who not in old),
        tuple(peer for who, peer in new.items() if who in old and peer != old[who]),
        come,
        tuple(folder.id for folder in before.folders if folder.id not in stay),
        need_a_start,
    )


def _need_a_start(before: Config, after: Config) -> Iterator[str]:
    if before.device != after.device:
        yield "[device]"
    old = {folder.id: folder for folder in before.folders}
    new = {folder.id: folder for folder in after.folders}
    for id in sorted(old.keys() & new.keys()):
        if old[id] != new[id]:
            yield f"[[folder]] {id}"
