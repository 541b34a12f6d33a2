"""Checks over several tables of peer.toml: that names differ, that a peer is another device, and
that no configured path lies inside another.

Knows how to recognize one path under two names, for which it reads the disk and changes nothing.
Must not know how the file is written.
"""

from __future__ import annotations

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


def check_places(top: Table, config: Config) -> None:
    """Check that no share contains another share, a secret, the state or this file, and that no
    share lies in the state directory.

    top: the file itself. Raises ConfigError, which says which path lies in which.
    """
    shares = [(f"[[folder]] no. {n}", one) for n, one in enumerate(config.folders, start=1)]
    above = {one.path: _lineage(one.path) for _, one in shares}
    state = config.device.state

    def refuse(place: str, key: str, why: str) -> ConfigError:
        do = "what is in a share goes to every device: put them side by side"
        return ConfigError(why, top.where(f"{place} {key}"), do)

    for title, share in shares:
        itself = _identities(share.path)
        if itself & _lineage(state):
            raise refuse("[device]", "state", f"{state} is inside the share {share.path}")
        if _identities(state) & above[share.path]:
            raise refuse(title, "path", f"{share.path} is inside the state directory {state}")
        if itself & _lineage(config.file.resolve()):
            raise refuse(title, "path", f"{share.path} holds this very file")
        for other_title, other in shares:
            if itself & _lineage(other.secret):
                why = f"{other.secret} is inside the share {share.path}"
                raise refuse(other_title, "secret", why)
            if other is not share and itself & above[other.path]:
                why = f"{other.path} is inside {share.path}, the share of {title}"
                raise refuse(other_title, "path", why)


def check_share(config: Config, path: Path, who: str) -> None:
    """Check that one more share may lie at `path`: not in another share, in the state directory or
    around one of them, around a secret or this file. who: begins the sentence. Raises
    ConfigError."""
    itself, above = _identities(path), _lineage(path)
    do = "name another place: what is in a share goes to every device"
    state = config.device.state
    for other in config.folders:
        if _identities(other.path) & above:
            where = f"inside {other.path}, the share of the folder {other.id}"
            raise ConfigError(f"lies {where}", f"{who} {path}", do)
        if itself & _lineage(other.path):
            where = f"{other.path}, the share of the folder {other.id}"
            raise ConfigError(f"would hold {where}", f"{who} {path}", do)
        if itself & _lineage(other.secret):
            raise ConfigError(f"would hold {other.secret}, a secret", f"{who} {path}", do)
    if _identities(state) & above:
        raise ConfigError(f"lies inside the state directory {state}", f"{who} {path}", do)
    for held in (state, config.file.resolve()):
        if itself & _lineage(held):
            raise ConfigError(f"would hold {held}", f"{who} {path}", do)


def _identities(place: Path) -> set[str | tuple[int, int]]:
    """Return what identifies `place`: its path and, if it exists, its inode (folded case, bind
    mounts)."""
    try:
        stat = place.stat()
    except OSError:
        return {str(place)}
    return {str(place), (stat.st_dev, stat.st_ino)}


def _lineage(place: Path) -> set[str | tuple[int, int]]:
    return set[str | tuple[int, int]]().union(*map(_identities, (place, *place.parents)))
