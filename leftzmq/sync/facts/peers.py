"""Between machines: which devices can be asked, and what they greeted with."""

from __future__ import annotations

from dataclasses import dataclass

from leftzmq.sync.link import DeviceKey, Link
from leftzmq.wire.folder_rows import Standing


@dataclass(frozen=True, slots=True)
class PeerGreeted:
    """A device said hello (or welcome). folders: its folders whose secret both of us have."""

    link: Link
    folders: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """A device that greeted us is in these folders of ours no more: they are stopped on that
    device, or have another id there."""

    device: DeviceKey
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PeerForgot:
    """A device that we never lost says hello again: it lost us, and what we requested from it."""

    device: DeviceKey


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """A device can be asked. max_credit: the bytes that may be unanswered at a time."""

    device: DeviceKey
    max_credit: int


@dataclass(frozen=True, slots=True)
class PeerRemoved:
    """A device is no peer any more, and no link to it is left: what it said is given up."""

    device: DeviceKey


@dataclass(frozen=True, slots=True)
class PeerLost:
    """No link to a device is left; requests in flight are sent to other devices."""

    device: DeviceKey
