"""The values of peer.toml, frozen, and the limits of its numbers and names.

Knows that a value of these types is usable: nobody need check it again. Must not know how the file
is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from leftzmq.bandwidth.timetable import NO_LIMITS, BandwidthLimits
from leftzmq.endpoint import Endpoint
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.permissions import ModesKept

MAX_PEERS: Final = 62  # the index has 64 bits for holders: ours, one kept free, and theirs
MAX_FOLDERS: Final = 64  # of one hello (wire/messages)
MAX_NAME_CHARS: Final = 128  # of a folder's id on the wire, and of a device's name
MAX_PLACE_BYTES: Final = 4095  # PATH_MAX of Linux, less its NUL
TRASH_DAYS: Final = 30.0
TRASH_PERCENT: Final = 10.0
MIN_FREE_PERCENT: Final = 1.0
INDEX_ENTRIES: Final = 1_000_000
INDEX_ENTRY_BYTES: Final = 1_024
"""Two to three times as much as entries of real trees take: a path of 60 to 120 bytes counts twice,
and three writers are 60 (sync/exchange/index_quota)."""
PATIENCE_S: Final = 10.0
MIN_PATIENCE_S: Final = 2  # with less, a file could not be seen to stay unchanged for a second
MAX_PATIENCE_S: Final = 86_400
MAX_TRASH_DAYS: Final = 36_500  # a hundred years; the date in a batch's name allows more


def is_name(text: str) -> bool:
    """Return whether a text can be a device's name or a folder's id."""
    return 0 < len(text) <= MAX_NAME_CHARS and text.isprintable() and text == text.strip()


class DeviceConfig(Struct, frozen=True):
    """[device]. bulk, news: None = any free port on the host of `listen`. watch_config: whether the
    agent reads the file again by itself when it changed."""

    name: str
    state: Path
    listen: Endpoint
    bulk: Endpoint | None = None
    news: Endpoint | None = None
    watch_config: bool = False


class DiscoveryConfig(Struct, frozen=True):
    """[discovery]. local: whether devices are announced and looked for in the local network."""

    local: bool = True


class Limits(Struct, frozen=True):
    """What a folder may take up on its disk, and must leave free; percent of the disk's size.

    trash_days, trash_percent: how long the trash is kept, and how large it may be
    min_free_percent: below this, nothing that needs space is received. It also holds for the disk
        of the state directory: below it, nothing that others announce is stored there
    index_entries: the number of entries that each other device may have; or twice as many as we
        have, if that is more
    index_entry_bytes: the bytes in our index for each of them, on an average
    """

    trash_days: float = TRASH_DAYS
    trash_percent: float = TRASH_PERCENT
    min_free_percent: float = MIN_FREE_PERCENT
    index_entries: int = INDEX_ENTRIES
    index_entry_bytes: int = INDEX_ENTRY_BYTES


class FolderConfig(Struct, frozen=True):
    """One [[folder]]; its paths are absolute, links in them followed.

    patience_s: how long to wait for a file that is being written, before its present state is
    taken
    ignore: the rules of what to ignore that only this device has, one a text. A rule may be wrong:
        it has no effect then, and the others hold
    litter: whether the built-in list of what to ignore holds
    only: paths in the share: nothing else is fetched; none: everything is
    mode: in which directions it syncs
    perms: which bits of files' modes are kept here
    """

    id: str
    path: Path
    secret: Path
    limits: Limits = Limits()
    patience_s: float = PATIENCE_S
    ignore: tuple[str, ...] = ()
    litter: bool = True
    only: tuple[str, ...] = ()
    mode: FolderMode = FolderMode.BOTH
    perms: ModesKept = ModesKept.ALL


class UnusableFolder(Struct, frozen=True):
    """A folder that cannot be used as it is written. It keeps nothing else from being used.

    id: its own; where it has none, or that of another folder: its place, such as "[[folder]] no. 2"
    path: its share; "": it has none that can be read
    why: the sentence that a user reads: what is wrong, where, and what to do
    """

    id: str
    path: str
    why: str


class PeerConfig(Struct, frozen=True):
    """One [[peer]], or a device that was learnt.

    address: None = it dials us; more: other addresses, dialed beside the first while it is not met
    key: 32 bytes; None = shown, never connected
    limits: of what passes between it and us
    """

    name: str
    address: Endpoint | None = None
    key: bytes | None = None
    more: tuple[Endpoint, ...] = ()
    limits: BandwidthLimits = NO_LIMITS

    @property
    def addresses(self) -> tuple[Endpoint, ...]:
        """Where it is dialed, best first."""
        return () if self.address is None else (self.address, *self.more)


class Config(Struct, frozen=True):
    """The whole file. file: where it was read from, absolute. limits: [limits]. unusable: folders
    that are not among `folders`, because of what is wrong with them."""

    file: Path
    device: DeviceConfig
    folders: tuple[FolderConfig, ...]
    peers: tuple[PeerConfig, ...] = ()
    discovery: DiscoveryConfig = DiscoveryConfig()
    limits: BandwidthLimits = NO_LIMITS
    unusable: tuple[UnusableFolder, ...] = ()

    @property
    def folder_ids(self) -> tuple[str, ...]:
        """Of all folders, also of those that cannot be used."""
        return (*(one.id for one in self.folders), *(one.id for one in self.unusable))
