"""Reads peer.toml from bytes to values: which keys each table has, and which it must have.

Knows peer.toml, the only file that it opens; makes and binds nothing. Must not know what a value is
used for.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from leftzmq.bandwidth.timetable import NO_LIMITS, BandwidthLimits
from leftzmq.config.checks import misplaced, nobody_is_us, not_different
from leftzmq.config.toml_table import Table
from leftzmq.config.values import (
    INDEX_ENTRIES,
    INDEX_ENTRY_BYTES,
    MAX_FOLDERS,
    MAX_PATIENCE_S,
    MAX_PEERS,
    MAX_TRASH_DAYS,
    MIN_FREE_PERCENT,
    MIN_PATIENCE_S,
    PATIENCE_S,
    TRASH_DAYS,
    TRASH_PERCENT,
    Config,
    DeviceConfig,
    DiscoveryConfig,
    FolderConfig,
    Limits,
    PeerConfig,
    UnusableFolder,
    is_name,
)
from leftzmq.content.key_text import read_key
from leftzmq.endpoint import Endpoint
from leftzmq.errors import ConfigError, Refused
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.permissions import ModesKept
from leftzmq.tree.wanted import only_path

MAX_FILE_BYTES: Final = 1 << 20
"""The largest allowed number of folders and peers, with paths of the greatest length, takes half of
it."""
_TABLES: Final = ("device", "discovery", "limits", "folder", "peer")


def load(file: Path) -> Config:
    """Read and check `file`; ConfigError says what is wrong, where, what to do. A [[folder]] with a
    mistake in it is unusable, and is no reason to refuse the file."""
    found = _Found(file)
    mistakes = found.mistakes
    if of_file := [error for title, error in mistakes if title not in found.titles]:
        raise of_file[0]
    wrong: dict[str, ConfigError] = {}
    for title, error in mistakes:
        wrong.setdefault(title, error)
    config = found.config
    assert config is not None
    taken = {one.id for table, one in found.folders if table.title not in wrong}
    unusable: list[UnusableFolder] = []
    for table in found.tables:
        if table.title in wrong:
            unusable.append(_unusable(table, wrong[table.title], taken))
            taken.add(unusable[-1].id)
    return replace(
        config,
        folders=tuple(one for table, one in found.folders if table.title not in wrong),
        unusable=tuple(unusable),
    )


def load_with_mistakes(file: Path) -> tuple[Config | None, list[ConfigError]]:
    """Return the tables of `file` that can be read, None if [device] cannot; and what is wrong: the
    first mistake of each table, and those of comparing the tables that can be read."""
    found = _Found(file)
    return found.config, [error for _, error in found.mistakes]


class _Found:
    """What is in a file. config: of the tables that can be read, with all such folders.

    tables: of the folders, folders: those of them that can be read; titles: of `tables`
    mistakes: each with the title of the table in which it is; "": with none
    """

    def __init__(self, file: Path) -> None:
        self.config: Config | None = None
        self.tables: list[Table] = []
        self.folders: list[tuple[Table, FolderConfig]] = []
        self.mistakes: list[tuple[str, ConfigError]] = []
        try:
            self._read(_read(file))
        except ConfigError as error:
            self.mistakes.append(("", error))

    @property
    def titles(self) -> set[str]:
        return {table.title for table in self.tables}

    def _read(self, top: Table) -> None:
        device: DeviceConfig | None = None
        discovery = DiscoveryConfig()
        limits = NO_LIMITS
        peers: list[tuple[Table, PeerConfig]] = []
        with self._noted():
            top.allow(*_TABLES)
        with self._noted():
            device = _device(top)
        with self._noted():
            discovery = _discovery(top)
        with self._noted():
            limits = _bandwidth_limits(top)
        with self._noted():
            self.tables = top.tables("folder", MAX_FOLDERS)
        for table in self.tables:
            with self._noted(table):
                self.folders.append((table, _folder(table)))
        with self._noted():
            for table in top.tables("peer", MAX_PEERS):
                with self._noted():
                    peers.append((table, _peer(table)))
        for key in ("id", "path", "secret"):
            self._note(not_different(self.folders, key))
        for key in ("name", "key"):
            self._note(not_different(peers, key))
        if device is None:
            return
        with self._noted():
            nobody_is_us(device, peers)
        wrong = {title for title, _ in self.mistakes}
        others = [(table, one) for table, one in self.folders if table.title not in wrong]
        self._note(misplaced(top.file, device, others))
        self.config = Config(
            top.file.absolute(),
            device,
            tuple(one for _, one in self.folders),
            tuple(one for _, one in peers),
            discovery,
            limits,
        )

    def _note(self, found: Iterable[tuple[Table, ConfigError]]) -> None:
        self.mistakes += [(table.title, error) for table, error in found]

    @contextmanager
    def _noted(self, table: Table | None = None) -> Iterator[None]:
        try:
            yield
        except ConfigError as error:
            self.mistakes.append(("" if table is None else table.title, error))


def _unusable(table: Table, error: ConfigError, taken: Container[str]) -> UnusableFolder:
    """taken: the ids of other folders."""
    id: Any = table.values.get("id")
    is_own = isinstance(id, str) and is_name(id) and id not in taken
    try:
        path = str(table.path("path"))
    except ConfigError:
        path = ""
    return UnusableFolder(id if is_own else table.title, path, str(error))


def load_device(file: Path) -> DeviceConfig:
    """Read only [device]; whatever else is in the file may be missing or wrong."""
    return _only_device(_read(file))


def load_discovery(file: Path) -> DiscoveryConfig:
    """Read only [discovery], likewise."""
    return _discovery(_read(file))


def device_of(text: str, file: Path) -> DeviceConfig:
    """Return [device] as `load_device` would read it from `file`, if `text` were in it."""
    return _only_device(Table(file, "", tomllib.loads(text)))


def _only_device(top: Table) -> DeviceConfig:
    if "device" not in top.values:
        top.allow(*_TABLES)
    return _device(top)


def _read(file: Path) -> Table:
    try:
        text = _bytes_of(file).decode("utf-8-sig")  # some editors begin a file with a BOM
        return Table(file, "", tomllib.loads(text))
    except FileNotFoundError:
        do = "`leftzmq share DIR` makes one there; or name another one with -c"
        raise ConfigError("there is no such file", str(file), do) from None
    except UnicodeDecodeError as error:
        what = f"is not UTF-8 at byte {error.start}"
        raise ConfigError(what, str(file), "save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        what = f"is not TOML: {error}"
        raise ConfigError(what, str(file), "correct that line") from None
    except RecursionError:
        do = "a list of this file holds no other list"
        raise ConfigError("is nested too deeply", str(file), do) from None
    except ValueError as error:  # an integer with more digits than Python reads
        do = "write numbers of a few digits"
        raise ConfigError(f"cannot be read: {error}", str(file), do) from None
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise ConfigError(what, str(file), "name a file that you may read") from None


def _bytes_of(file: Path) -> bytes:
    """Return the bytes of a regular file that is not too long. Raises OSError, ConfigError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would hang
    with os.fdopen(descriptor, "rb") as reader:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # read() of a directory fails
            raise ConfigError("is not a regular file", str(file), "name the file itself")
        data = reader.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        what = f"is over {MAX_FILE_BYTES >> 20} MiB long"
        raise ConfigError(what, str(file), "name the right file")
    return data


def _discovery(top: Table) -> DiscoveryConfig:
    if "discovery" not in top.values:
        return DiscoveryConfig()
    table = top.table("discovery")
    table.allow("local")
    return DiscoveryConfig(table.yes_or_no("local", True))


def _bandwidth_limits(top: Table) -> BandwidthLimits:
    if "limits" not in top.values:
        return NO_LIMITS
    table = top.table("limits")
    table.allow("up", "down")
    return BandwidthLimits(table.timetable("up"), table.timetable("down"))


def _device(top: Table) -> DeviceConfig:
    if "device" not in top.values:
        raise top.missing("device")
    table = top.table("device")
    table.allow("name", "state", "listen", "bulk", "news", "watch_config")
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
    watches = table.yes_or_no("watch_config", False)
    return DeviceConfig(name, state, own["listen"], own["bulk"], own["news"], watches)


FOLDER_SETTINGS: Final = (
    "mode",
    "perms",
    "only",
    "ignore",
    "litter",
    "patience_s",
    "trash_days",
    "trash_percent",
    "min_free_percent",
    "index_entries",
    "index_entry_bytes",
)
"""The keys of a [[folder]] that say how it is synced, not what it is."""


def _folder(table: Table) -> FolderConfig:
    table.allow("id", "path", "secret", *FOLDER_SETTINGS)
    bare = FolderConfig(table.name("id"), table.path("path"), table.path("secret"))
    return _set(bare, table)


def with_settings(folder: FolderConfig, settings: Mapping[str, Any], where: Path) -> FolderConfig:
    """Return the folder with these FOLDER_SETTINGS, of the kinds that they are of in peer.toml.
    where: what a sentence names. Raises ConfigError."""
    table = Table(where, folder.id, dict(settings))
    table.allow(*FOLDER_SETTINGS)
    return _set(folder, table)


def _set(folder: FolderConfig, table: Table) -> FolderConfig:
    return replace(
        folder,
        limits=_limits(table),
        patience_s=table.number(
            "patience_s", MIN_PATIENCE_S, MAX_PATIENCE_S, "seconds", PATIENCE_S
        ),
        ignore=table.texts("ignore"),
        litter=table.yes_or_no("litter", True),
        only=tuple(_only(table, each) for each in table.texts("only")),
        mode=_one_of(table, "mode", FolderMode.BOTH),
        perms=_one_of(table, "perms", ModesKept.ALL),
    )


Word = TypeVar("Word", FolderMode, ModesKept)


def _one_of(table: Table, key: str, default: Word) -> Word:
    """Return the member whose value is written there."""
    value, known = table.text(key), {each.value: each for each in type(default)}
    if value is None:
        return default
    if value not in known:
        do = " or ".join(f'{key} = "{each}"' for each in known)
        raise ConfigError(f"is {value!r}", table.where(key), f"write {do}")
    return known[value]


def _only(table: Table, text: str) -> str:
    """Return the path that an item of `only` names."""
    try:
        return only_path(text)
    except Refused as refused:
        do = 'name folders or files of the share, as in only = ["photos/2026/", "notes.txt"]'
        raise ConfigError(f"{text!r}: {refused.refusal.value}", table.where("only"), do) from None


def _limits(table: Table) -> Limits:
    return Limits(
        table.number("trash_days", 1, MAX_TRASH_DAYS, "days", TRASH_DAYS),
        table.number("trash_percent", 0, 100, "percent", TRASH_PERCENT),
        table.number("min_free_percent", 0, 50, "percent", MIN_FREE_PERCENT),
        table.count("index_entries", 1_000, 1_000_000_000, "entries", INDEX_ENTRIES),
        table.count("index_entry_bytes", 256, 16_384, "bytes", INDEX_ENTRY_BYTES),
    )


def _peer(table: Table) -> PeerConfig:
    table.allow("name", "address", "key", "up", "down")
    name, text = table.name("name"), table.text("key")
    try:
        key = read_key(text) if text else None
    except ValueError as error:
        do = "copy what `leftzmq id` prints on that device"
        raise ConfigError(str(error), table.where("key"), do) from None
    address = table.endpoint("address", own=False)
    limits = BandwidthLimits(table.timetable("up"), table.timetable("down"))
    return PeerConfig(name, address, key, limits=limits)
