"""What changes for a running agent when peer.toml is read again, or when an invitation brought a
device or a folder.

Devices can come, go and move while the agent runs, and folders can come, go and change. What is
another value now of this device itself is named, because it needs a new start. Knows values of the
config. Must not know sockets or machines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from leftzmq.config import Config, FolderConfig, PeerConfig

_USED_AT_ONCE: Final = ("[device] watch_config",)


class ConfigChanges(Struct, frozen=True):
    """Peers that have a key. A peer with another name or key is removed and added.

    moved: the same name and key, and another address or none
    gone: the ids of folders that go; folders: those that come. A folder that has another path,
        secret or mode now is in both
    tuned: folders that go on, with other values of keys that are read when they are used
    used: which of these keys are others, and others of the file, as they are called in peer.toml
    need_a_start: what else changed, likewise
    """

    removed: tuple[PeerConfig, ...] = ()
    added: tuple[PeerConfig, ...] = ()
    moved: tuple[PeerConfig, ...] = ()
    folders: tuple[FolderConfig, ...] = ()
    gone: tuple[str, ...] = ()
    tuned: tuple[FolderConfig, ...] = ()
    used: tuple[str, ...] = ()
    need_a_start: tuple[str, ...] = ()

    @property
    def lost_peers(self) -> tuple[PeerConfig, ...]:
        """The peers that may not connect any more; one that has another name may."""
        stay = {peer.key for peer in self.added}
        return tuple(peer for peer in self.removed if peer.key not in stay)


def changes(before: Config, after: Config) -> ConfigChanges:
    """Return what changes; `before` is in use."""
    old = {(peer.name, peer.key): peer for peer in before.peers if peer.key}
    new = {(peer.name, peer.key): peer for peer in after.peers if peer.key}
    had = {folder.id: folder for folder in before.folders}
    has = {folder.id: folder for folder in after.folders}
    stay = {id for id in had.keys() & has.keys() if _is_same_place(had[id], has[id])}
    of_device = tuple(_other_keys("[device]", before.device, after.device))
    tuned = tuple(one for one in after.folders if one.id in stay and one != had[one.id])
    return ConfigChanges(
        removed=tuple(peer for who, peer in old.items() if who not in new),
        added=tuple(peer for who, peer in new.items() if who not in old),
        moved=tuple(
            peer for who, peer in new.items() if who in old and peer.addresses != old[who].addresses
        ),
        folders=tuple(one for one in after.folders if one.id not in stay),
        gone=tuple(one.id for one in before.folders if one.id not in stay),
        tuned=tuned,
        used=(
            *(key for key in of_device if key in _USED_AT_ONCE),
            *_other_keys("[discovery]", before.discovery, after.discovery),
            *_other_keys("[limits]", before.limits, after.limits),
            *(key for one in tuned for key in _keys_of(had[one.id], one)),
            *(
                key
                for who, peer in new.items()
                if who in old
                for key in _other_keys(f"[[peer]] {peer.name}", old[who].limits, peer.limits)
            ),
        ),
        need_a_start=tuple(key for key in of_device if key not in _USED_AT_ONCE),
    )


def _is_same_place(one: FolderConfig, other: FolderConfig) -> bool:
    return (one.path, one.secret, one.mode) == (other.path, other.secret, other.mode)


def _keys_of(old: FolderConfig, new: FolderConfig) -> Iterator[str]:
    title = f"[[folder]] {new.id}"
    yield from _other_keys(title, old.limits, new.limits)
    yield from _other_keys(title, replace(old, limits=new.limits), new)


def _other_keys(title: str, old: Struct, new: Struct) -> Iterator[str]:
    """Yield the keys whose values differ; both are values of one type."""
    for name in old.__struct_fields__:
        if getattr(old, name) != getattr(new, name):
            yield f"{title} {name}"
