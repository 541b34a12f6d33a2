"""peer.toml, read and checked, as frozen values (docs/design.md, section 10).

Knows the file's keys, their limits and which places must not lie inside each other. Must not know
what any of it is used for: it opens nothing but peer.toml, makes nothing and binds nothing.
A value of these types is usable: whoever holds one need not check it again.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from leftzmq.endpoint import KEY_CHARS, Endpoint, is_key
from leftzmq.errors import ConfigError

__all__ = [
    "Config",
    "DeviceConfig",
    "Endpoint",
    "FolderConfig",
    "Limits",
    "PeerConfig",
    "load",
    "load_device",
]

MAX_PEERS: Final = 62  # the index has 64 bits for holders: ours, one kept free, and theirs
MAX_FOLDERS: Final = 64  # of one hello (wire/messages)
MAX_NAME_CHARS: Final = 128  # of a folder's id on the wire, and of a device's name
TRASH_DAYS: Final = 30.0
TRASH_PERCENT: Final = 10.0
MIN_FREE_PERCENT: Final = 1.0
MAX_TRASH_DAYS: Final = 36_500  # a hundred years; the clock of a batch's name goes further

_EXAMPLES = {
    "device": '[device] with name = "peer-a"',
    "name": 'name = "peer-a"',
    "state": 'state = "../state/peer-a"',
    "listen": 'listen = "tcp://127.0.0.1:7700"',
    "id": 'id = "share"',
    "path": 'path = "../share"',
    "secret": 'secret = "../share.secret"',
}
_TOML_TYPES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number with a point",
    str: "text",
    list: "a list",
    dict: "a table",
}


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """[device]. bulk, news: None = any free port on the host of `listen`."""

    name: str
    state: Path
    listen: Endpoint
    bulk: Endpoint | None = None
    news: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a folder may take up on its disk, and must leave free; percent of the disk's size.

    trash_days, trash_percent: how long the trash is kept, and how large it may be
    min_free_percent: under it, nothing arrives that needs room
    """

    trash_days: float = TRASH_DAYS
    trash_percent: float = TRASH_PERCENT
    min_free_percent: float = MIN_FREE_PERCENT


@dataclass(frozen=True, slots=True)
class FolderConfig:
    """One [[folder]]; its paths are absolute, links in them followed."""

    id: str
    path: Path
    secret: Path
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class PeerConfig:
    """One [[peer]]. address: None = it dials us; key (z85): None = shown, never connected."""

    name: str
    address: Endpoint | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file. file: where it was read from, absolute."""

    file: Path
    device: DeviceConfig
    folders: tuple[FolderConfig, ...]
    peers: tuple[PeerConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of the file, and how to call it: "[device]", "[[peer]] no. 2", "" for the file."""

    file: Path
    title: str
    values: dict[str, Any]

    def where(self, key: str) -> str:
        return f"{self.file}: {self.title} {key}" if self.title else f"{self.file}: {key}"

    def allow(self, *known: str) -> None:
        for key in self.values:
            if key not in known:
                nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
                said = f'did you mean "{nearest}"? Known here: {", ".join(known)}'
                raise ConfigError("is not known", self.where(key), said)

    def missing(self, key: str) -> ConfigError:
        return ConfigError("is missing", self.where(key), f"add {_EXAMPLES[key]}")

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        if value is None or isinstance(value, str):
            return value
        do = f'write {key} = "..."'
        raise ConfigError(f"wants text in quotes, got {_said(value)}", self.where(key), do)

    def required(self, key: str) -> str:
        value = self.text(key)
        if value is None:
            raise self.missing(key)
        if not value.strip():
            raise ConfigError("is empty", self.where(key), f"write {_EXAMPLES[key]}")
        return value

    def name(self, key: str) -> str:
        value = self.required(key)
        if len(value) > MAX_NAME_CHARS or not value.isprintable() or value != value.strip():
            raise ConfigError(
                f"is {value[:MAX_NAME_CHARS]!r} ({len(value)} characters)",
                self.where(key),
                f"write 1 to {MAX_NAME_CHARS} printable characters, no space at either end",
            )
        return value

    def path(self, key: str) -> Path:
        value = self.required(key)
        if value.startswith("~"):
            do = "write it from / on, or relative to this file"
            raise ConfigError("begins with ~, which means nothing here", self.where(key), do)
        try:
            return (self.file.parent / value).resolve()
        except (OSError, ValueError, RuntimeError) as error:  # a loop of links, a NUL
            do = "name another place"
            raise ConfigError(f"is no usable path: {error}", self.where(key), do) from None

    def number(self, key: str, low: int, high: int, unit: str, default: float) -> float:
        """A number from `low` to `high`, with or without a point; `default` if it is left out."""
        value = self.values.get(key, default)
        do = f"write a number of {unit} from {low} to {high}, or leave it out: {default:g}"
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ConfigError(f"wants a number, got {_said(value)}", self.where(key), do)
        if not low <= value <= high:  # also false for nan
            raise ConfigError(f"is {value}", self.where(key), do)
        return float(value)

    def endpoint(self, key: str, *, own: bool) -> Endpoint | None:
        value = self.text(key)
        return None if value is None else Endpoint.parse(value, self.where(key), own=own)

    def tables(self, key: str, limit: int) -> list[_Table]:
        found = self.values.get(key, [])
        title = f"[[{key}]]"
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            do = f"begin each of them with a line {title}"
            raise ConfigError(f"wants tables in a list, got {_said(found)}", self.where(title), do)
        if len(found) > limit:
            do = f"leave at most {limit}"
            raise ConfigError(f"there are {len(found)} of them", self.where(title), do)
        return [_Table(self.file, f"{title} no. {n}", one) for n, one in enumerate(found, start=1)]


def load(file: Path) -> Config:
    """Read and check the whole of `file`; ConfigError says what is wrong, where, what to do."""
    top = _read(file)
    top.allow("device", "folder", "peer")
    device = _device(top)
    folders = [(table, _folder(table)) for table in top.tables("folder", MAX_FOLDERS)]
    peers = [(table, _peer(table)) for table in top.tables("peer", MAX_PEERS)]
    if not folders:
        do = "add one, with id, path and secret: without a folder there is nothing to keep"
        raise ConfigError("is missing", top.where("[[folder]]"), do)
    for key in ("id", "path", "secret"):
        _all_different(folders, key)
    for key in ("name", "key"):
        _all_different(peers, key)
    config = Config(
        file.absolute(), device, tuple(one for _, one in folders), tuple(one for _, one in peers)
    )
    _check_places(top, config)
    return config


def load_device(file: Path) -> DeviceConfig:
    """Only [device]; whatever else is in the file may be missing or wrong."""
    top = _read(file)
    if "device" not in top.values:
        top.allow("device", "folder", "peer")
    return _device(top)


def _read(file: Path) -> _Table:
    try:
        text = file.read_bytes().decode("utf-8-sig")  # some editors begin a file with a BOM
        return _Table(file, "", tomllib.loads(text))
    except FileNotFoundError:
        do = "name a peer.toml with -c; config/peer.toml of the project is one to start from"
        raise ConfigError("there is no such file", str(file), do) from None
    except UnicodeDecodeError as error:
        what = f"is not UTF-8 at byte {error.start}"
        raise ConfigError(what, str(file), "save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        what = f"is not TOML: {error}"
        raise ConfigError(what, str(file), "correct that line") from None
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise ConfigError(what, str(file), "name a file that you may read") from None


def _device(top: _Table) -> DeviceConfig:
    values = top.values.get("device")
    if values is None:
        raise top.missing("device")
    if not isinstance(values, dict):
        what = f"wants one table, got {_said(values)}"
        raise ConfigError(what, top.where("device"), "begin it with a line [device]")
    table = _Table(top.file, "[device]", values)
    table.allow("name", "state", "listen", "bulk", "news")
    name, state = table.name("name"), table.path("state")
    table.required("listen")
    seen: dict[Endpoint, str] = {}
    own: dict[str, Endpoint | None] = {}
    for key in ("listen", "bulk", "news"):
        endpoint = own[key] = table.endpoint(key, own=True)
        if endpoint is not None and endpoint.port and seen.setdefault(endpoint, key) != key:
            do = f"give {key} another port, or leave it out"
            raise ConfigError(f"is the same as {seen[endpoint]}", table.where(key), do)
    assert own["listen"] is not None
    return DeviceConfig(name, state, own["listen"], own["bulk"], own["news"])


def _folder(table: _Table) -> FolderConfig:
    table.allow("id", "path", "secret", "trash_days", "trash_percent", "min_free_percent")
    return FolderConfig(table.name("id"), table.path("path"), table.path("secret"), _limits(table))


def _limits(table: _Table) -> Limits:
    return Limits(
        table.number("trash_days", 1, MAX_TRASH_DAYS, "days", TRASH_DAYS),
        table.number("trash_percent", 0, 100, "percent", TRASH_PERCENT),
        table.number("min_free_percent", 0, 50, "percent", MIN_FREE_PERCENT),
    )


def _peer(table: _Table) -> PeerConfig:
    table.allow("name", "address", "key")
    name, key = table.name("name"), table.text("key") or None
    if key is not None and not is_key(key):
        what = f"is not a device's key: {len(key)} characters, {KEY_CHARS} of z85 are wanted"
        do = "copy what `leftzmq id` prints on that device"
        raise ConfigError(what, table.where("key"), do)
    return PeerConfig(name, table.endpoint("address", own=False), key)


def _all_different(found: list[tuple[_Table, Any]], key: str) -> None:
    seen: dict[Any, str] = {}
    for table, one in found:
        value = getattr(one, key)
        if value is not None and seen.setdefault(value, table.title) != table.title:
            what = f"is the same as that of {seen[value]}: {value}"
            do = "each needs its own" if key != "key" else "one device is one [[peer]]"
            raise ConfigError(what, table.where(key), do)


def _check_places(top: _Table, config: Config) -> None:
    """No share holds another one, the keys or this file, and none lies where the keys are."""
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


def _identities(place: Path) -> set[str | tuple[int, int]]:
    """How `place` is known: its name and, where it exists, its inode (folded case, bind mounts)."""
    try:
        stat = place.stat()
    except OSError:
        return {str(place)}
    return {str(place), (stat.st_dev, stat.st_ino)}


def _lineage(place: Path) -> set[str | tuple[int, int]]:
    return set[str | tuple[int, int]]().union(*map(_identities, (place, *place.parents)))


def _said(value: object) -> str:
    return _TOML_TYPES.get(type(value), "a date or time")
