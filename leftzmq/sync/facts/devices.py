"""What arrives from other devices: links, messages, pages and chunks.

A fact has passed the codec and the check, and its sender is authenticated.
"""

from __future__ import annotations

from dataclasses import dataclass

from leftzmq.disk.fs.interface import Buffer
from leftzmq.errors import Away, Refusal
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.tree.version import Life
from leftzmq.wire.messages import (
    Bye,
    Chunks,
    Get,
    Have,
    Hello,
    IndexSince,
    Open,
    Refusing,
    Welcome,
)
from leftzmq.wire.page import Page


@dataclass(frozen=True, slots=True)
class MessageArrived:
    """A message that carries no sealed page and no body."""

    link: Link
    message: Hello | Welcome | Refusing | IndexSince | Have | Bye | Open | Get


@dataclass(frozen=True, slots=True)
class PageArrived:
    """An opened page of an index: it was sealed with the folder's key and names its device."""

    link: Link
    page: Page
    answer: bool  # whether it answers an index_since; False: news


@dataclass(frozen=True, slots=True)
class FolderNamedOtherwise:
    """A device that holds the secret of a folder of ours has another id for it, in this life."""

    device: DeviceKey
    folder: str
    theirs: str
    life: Life


@dataclass(frozen=True, slots=True)
class ChunksArrived:
    """The answer to a get, or a part of it; `body` is ours now."""

    link: Link
    header: Chunks
    body: Buffer


@dataclass(frozen=True, slots=True)
class LinkOpened:
    """A dialed control connection finished its handshake (again)."""

    link: Link


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """A link is gone."""

    link: Link
    why: str


@dataclass(frozen=True, slots=True)
class DeviceDropped:
    """We refuse a device, and cut every connection with it."""

    device: DeviceKey
    why: str


@dataclass(frozen=True, slots=True)
class PeerListed:
    """A device is in our list of peers from now on, or has another entry there.

    dials: whether the config has an address of it
    text: its key as `leftzmq id` prints it there
    """

    device: DeviceKey
    name: str
    dials: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class PeerUnlisted:
    """A device is no peer of ours any more. All its connections are closed."""

    device: DeviceKey


@dataclass(frozen=True, slots=True)
class BulkRestored:
    """A dialed bulk connection is up again after it was broken, or took long to open: what was
    requested over it until now may never be answered."""

    device: DeviceKey


@dataclass(frozen=True, slots=True)
class DialFailed:
    """A dialed device could not be reached this time. why: the sentence that says so"""

    device: DeviceKey
    why: str
    away: Away


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A SUB socket of a device arrived at our news socket (which device is not known)."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A device that is not in our list of peers.

    key: as `leftzmq id` prints it on that device
    address: where it connected from, as far as that is known
    """

    key: str
    address: str


@dataclass(frozen=True, slots=True)
class StrangerRefused:
    """An unknown device was refused, or a paired device sent what it must not.

    stranger: the unknown device, if it showed a key
    """

    device: DeviceKey | None
    refusal: Refusal
    detail: str
    stranger: Stranger | None = None
