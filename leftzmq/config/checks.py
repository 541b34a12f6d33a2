"""Checks over several tables of peer.toml: that names differ, that a peer is another device, and
that no configured path lies inside another.

Knows how to recognize one path under two names, for which it reads the disk and changes nothing.
Must not know how the file is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from leftzmq.config.toml_table import Table
from leftzmq.config.values import Config, DeviceConfig, FolderConfig, PeerConfig
from leftzmq.content.key_text import key_text
from leftzmq.errors import ConfigError

_PEER_DO: Final = (
    "a [[peer]] is another device: write what `leftzmq id` prints there, or leave it out"
)


def not_different(
    found: Iterable[tuple[Table, Any]], key: str
) -> Iterator[tuple[Table, ConfigError]]:
    """Yield each table that has the same value as an earlier one, with what is wrong; tables
    without `key` are not compared.

    found: each table of the file with the value that was made of it.
    """
    seen: dict[Any, str] = {}
    for table, one in found:
        value = getattr(one, key)
        if value is not None and seen.setdefault(value, table.title) != table.title:
            shown = key_text(value) if isinstance(value, bytes) else value
            what = f"is the same as that of {seen[value]}: {shown}"
            do = "each needs its own" if key != "key" else "one device is one [[peer]]"
            yield table, ConfigError(what, table.where(key), do)


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


class _Place(Struct, frozen=True):
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


def misplaced(
    file: Path, device: DeviceConfig, found: Iterable[tuple[Table, FolderConfig]]
) -> Iterator[tuple[Table, ConfigError]]:
    """Yield each folder whose share contains another share, a secret, the state or this file, or
    lies in the state directory or in another share, or whose secret lies in a share; with what is
    wrong. Of two that cannot be used together the first one in the file can be used.

    file: peer.toml; found: each table of a folder with the value that was made of it.
    """
    state, itself = _Place.at(device.state), _Place.at(file.resolve())
    good: list[_Placed] = []
    for table, one in found:
        placed = _Placed(table, _Place.at(one.path), _Place.at(one.secret))
        error = placed.against(state, itself) or next(filter(None, map(placed.beside, good)), None)
        if error is None:
            good.append(placed)
        else:
            yield table, error


class _Placed(Struct, frozen=True):
    """The places of one folder."""

    table: Table
    share: _Place
    secret: _Place

    def against(self, state: _Place, file: _Place) -> ConfigError | None:
        """Return what is wrong with them, whatever other folders there are."""
        share = self.share
        if share.holds(state):
            where = f"{self.table.file}: [device] state"
            return _refusal(f"{state.path} is inside the share {share.path}", where)
        if state.holds(share):
            why = f"{share.path} is inside the state directory {state.path}"
            return _refusal(why, self.table.where("path"))
        if share.holds(file):
            return _refusal(f"{share.path} holds this very file", self.table.where("path"))
        return _secret_in(self, share)

    def beside(self, other: _Placed) -> ConfigError | None:
        """Return why they cannot be used together with those of another folder."""
        if error := _secret_in(self, other.share) or _secret_in(other, self.share):
            return error
        for inner, outer in ((self, other), (other, self)):
            if outer.share.holds(inner.share):
                title = outer.table.title
                why = f"{inner.share.path} is inside {outer.share.path}, the share of {title}"
                return _refusal(why, inner.table.where("path"))
        return None


def _secret_in(placed: _Placed, share: _Place) -> ConfigError | None:
    if not share.holds(placed.secret):
        return None
    why = f"{placed.secret.path} is inside the share {share.path}"
    return _refusal(why, placed.table.where("secret"))


def _refusal(why: str, where: str) -> ConfigError:
    do = "what is in a share goes to every device: put them side by side"
    return ConfigError(why, where, do)


def check_beside(config: Config, folder: FolderConfig) -> None:
    """Check that a folder may be there, too: its share (`check_share`), and its secret, which lies
    in no share. Raises ConfigError."""
    who = f"[[folder]] {folder.id}:"
    check_share(config, folder.path, who)
    for other in config.folders:
        if _Place.at(other.path).holds(_Place.at(folder.secret)):
            where = f"inside {other.path}, the share of the folder {other.id}"
            do = "name another place: what is in a share goes to every device"
            raise ConfigError(f"lies {where}", f"{who} {folder.secret}", do)


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
