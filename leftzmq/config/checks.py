"""Checks over several tables of peer.toml: that names differ, that a peer is another device, and
that no configured path lies inside another.

Knows how to recognize one path under two names, for which it reads the disk and changes nothing.
Must not know how the file is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from leftzmq.config.toml_table import Table
from leftzmq.config.values import Config, DeviceConfig, PeerConfig
from leftzmq.content.key_text import key_text
from leftzmq.errors import ConfigError

_PEER_DO: Final = (
    "a [[peer]] is another device: write what `leftzmq id` prints there, or leave it out"
)


def all_different(found: list[tuple[Table, Any]], key: str) -> None:
    """Raise ConfigError if two tables have the same value; tables without `key` are not compared.

    found: each table of the file with the value that was made of it.
    """
    seen: dict[Any, str] = {}
    for table, one in found:
        value = getattr(one, key)
        if value is not None and seen.setdefault(value, table.title) != table.title:
            shown = key_text(value) if isinstance(value, bytes) else value
            what = f"is the same as that of {seen[value]}: {shown}"
            do = "each needs its own" if key != "key" else "one device is one [[peer]]"
            raise ConfigError(what, table.where(key), do)


def nobody_is_us(device: DeviceConfig, found: list[tuple[Table, PeerConfig]]) -> None:
    """Raise ConfigError if a [[peer]] has the name or the address of this device."""
    for table, peer in found:
        for key, theirs, ours, ours_key in (
            ("name", peer.name, device.name, "name"),
            ("address", peer.address, device.listen, "listen"),
        ):
            if theirs == ours:
                what = f"is the same as [device] {ours_key}: {ours}"
                raise ConfigError(what, table.where(key), _PEER_DO)


def nobody_has_our_key(config: Config, key: bytes) -> None:
    """Raise ConfigError if a [[peer]] has `key` (32 bytes), which is this device's own."""
    for n, peer in enumerate(config.peers, start=1):
        if peer.key == key:
            where = f"{config.file}: [[peer]] no. {n} key"
            raise ConfigError("is this device's own key", where, _PEER_DO)


@dataclass(frozen=True, slots=True)
class _Place:
    """A path, and what identifies it and each directory above it: their paths, and if they exist
    their inodes (folded case, bind mounts)."""

    path: Path
    itself: frozenset[str | tuple[int, int]]
    lineage: frozenset[str | tuple[int, int]]

    @classmethod
    def at(cls, path: Path) -> _Place:
        itself = _identities(path)
        return cls(path, itself, itself.union(*map(_identities, path.parents)))

    def holds(self, other: _Place) -> bool:
        """Whether the other place is this one, or is inside it."""
        return not self.itself.isdisjoint(other.lineage)


def check_places(top: Table, config: Config) -> None:
    """Check that no share contains another share, a secret, the state or this file, and that no
    share lies in the state directory.

    top: the file itself. Raises ConfigError, which says which path lies in which.
    """
    shares = [
        (f"[[folder]] no. {n}", _Place.at(one.path), _Place.at(one.secret))
        for n, one in enumerate(config.folders, start=1)
    ]
    state, file = _Place.at(config.device.state), _Place.at(config.file.resolve())

    def refuse(place: str, key: str, why: str) -> ConfigError:
        do = "what is in a share goes to every device: put them side by side"
        return ConfigError(why, top.where(f"{place} {key}"), do)

    for title, share, _ in shares:
        if share.holds(state):
            raise refuse("[device]", "state", f"{state.path} is inside the share {share.path}")
        if state.holds(share):
            why = f"{share.path} is inside the state directory {state.path}"
            raise refuse(title, "path", why)
        if share.holds(file):
            raise refuse(title, "path", f"{share.path} holds this very file")
        for other_title, other, secret in shares:
            if share.holds(secret):
                why = f"{secret.path} is inside the share {share.path}"
                raise refuse(other_title, "secret", why)
            if other is not share and share.holds(other):
                why = f"{other.path} is inside {share.path}, the share of {title}"
                raise refuse(other_title, "path", why)


def check_share(config: Config, path: Path, who: str) -> None:
    """Check that one more share may lie at `path`: not in another share, in the state directory or
    around one of them, around a secret or this file. who: begins the sentence. Raises
    ConfigError."""
    share = _Place.at(path)
    state, file = _Place.at(config.device.state), _Place.at(config.file.resolve())
    do = "name another place: what is in a share goes to every device"
    for folder in config.folders:
        other = _Place.at(folder.path)
        if other.holds(share):
            where = f"inside {other.path}, the share of the folder {folder.id}"
            raise ConfigError(f"lies {where}", f"{who} {path}", do)
        if share.holds(other):
            where = f"{other.path}, the share of the folder {folder.id}"
            raise ConfigError(f"would hold {where}", f"{who} {path}", do)
        if share.holds(_Place.at(folder.secret)):
            raise ConfigError(f"would hold {folder.secret}, a secret", f"{who} {path}", do)
    if state.holds(share):
        raise ConfigError(f"lies inside the state directory {state.path}", f"{who} {path}", do)
    for held in (state, file):
        if share.holds(held):
            raise ConfigError(f"would hold {held.path}", f"{who} {path}", do)


def _identities(place: Path) -> frozenset[str | tuple[int, int]]:
    try:
        stat = place.stat()
    except OSError:
        return frozenset({str(place)})
    return frozenset({str(place), (stat.st_dev, stat.st_ino)})
