"""What comes of other devices: links, messages, pages and chunks.

By the time something is a fact it has passed codec and check, and its sender is authenticated.
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
    answer: bool  # to index_since; False: news


@dataclass(frozen=True, slots=True)
class FolderNamedOtherwise:
    """A device that holds the secret of a folder of ours has another id for it, in this life."""

    device: DeviceKey
    folder: str
    theirs: str
    life: Life


@dataclass(frozen=True, slots=True)
class ChunksArrived:
    """(A part of) the answer to a get; `body` is ours now."""

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
    """We shut a device out, and cut every connection with it."""

    device: DeviceKey
    why: str


@dataclass(frozen=True, slots=True)
class BulkRestored:
    """A dialed bulk connection is up again after it was broken, or took long to come: what was
    asked over it until now may never be answered."""

    device: DeviceKey


@dataclass(frozen=True, slots=True)
class DialFailed:
    """A dialed device could not be reached this time. why: the sentence"""

    device: DeviceKey
    why: str
    away: Away


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A device's SUB arrived at our news socket (which one is not known)."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """Who is not in our list of peers. key: as `leftzmq id` prints it there. address: it came from
    there, as far as that is known"""

    key: str
    address: str


@dataclass(frozen=True, slots=True)
class StrangerRefused:
    """Someone outside was not let in, or a paired device sent what it must not.

    stranger: who it was, where it showed a key
    """

    device: DeviceKey | None
    refusal: Refusal
    detail: str
    stranger: Stranger | None = None
