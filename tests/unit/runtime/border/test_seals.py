"""What one device seals, the other one opens: pages, parts of rosters, secrets of epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blake3 import blake3
from nacl.bindings import crypto_scalarmult_base

from leftzmq.content.epochs import Epochs
from leftzmq.content.keys import FolderKeys, derive_epoch, derive_keys, device_mark
from leftzmq.errors import Refusal
from leftzmq.runtime.border.seals import Seals
from leftzmq.sync.actions import Publish, SendEpochKey, SendRoster
from leftzmq.sync.facts import EpochKeyArrived, RosterArrived, StrangerRefused
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.transport.decode import EpochKeySealed, RosterSealed, SealedArrived
from leftzmq.transport.device_key import DeviceKeyPair
from leftzmq.tree.version import Life, make_life
from leftzmq.wire import page as pages
from leftzmq.wire.messages import EpochKey, RosterPart
from leftzmq.wire.page import Page

ID = "photos"
KEYS = derive_keys(b"s" * 32)
LATER = b"l" * 32  # the secret of another epoch
EPOCH = derive_epoch(LATER).tag
LIFE: Life = make_life(device_mark(b"a" * 32), 1, b"r" * 4)


def pair(name: bytes) -> DeviceKeyPair:
    secret = blake3(name).digest()
    return DeviceKeyPair(DeviceKey(crypto_scalarmult_base(secret)), secret)


A, B, OTHER = pair(b"a"), pair(b"b"), pair(b"other")


@dataclass
class FolderHere:
    """What the seals use of a folder; opened: what it was given."""

    id: str
    keys: FolderKeys
    epochs: Epochs

    def opened(self, *given: object) -> Any:
        return (self.id, *given)


class Device:
    """Each nonce is used once, and the folders may change at any time."""

    def __init__(self, keys: DeviceKeyPair) -> None:
        self.folder = FolderHere(ID, KEYS, Epochs(KEYS.first))
        self.folders: dict[str, Any] = {ID: self.folder}
        self._drawn = 0
        folders: Mapping[str, Any] = self.folders
        self.seals = Seals(keys, folders, self._nonce)

    def _nonce(self) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(24, "big")


def link(device: DeviceKeyPair) -> Link:
    return Link(device.public, Way.DIALED)


def said_roster(came: RosterPart, by: DeviceKeyPair = A) -> RosterSealed:
    return RosterSealed(link(by), came.tag, came.sealed)


def said_epoch(came: EpochKey, by: DeviceKeyPair = A) -> EpochKeySealed:
    return EpochKeySealed(link(by), came.tag, came.epoch, came.sealed)


# -- pages ----------------------------------------------------------------------------------------


def test_news_is_sealed_with_the_epoch_in_use_and_with_none_there_is_no_news() -> None:
    a = Device(A)
    page = Page(A.public, ID, LIFE, 0, 0, 0, False, ())
    news = a.seals.news(Publish(ID, page))
    assert news is not None and news.tag == KEYS.first.tag
    assert pages.open_sealed(news.sealed, KEYS.first, device=A.public, folder=ID) == page
    a.folder.epochs.use(frozenset(), None)
    assert a.seals.news(Publish(ID, page)) is None


def test_a_page_goes_to_the_folder_that_holds_its_epoch() -> None:
    b = Device(B)
    b.folder.epochs.hold(LATER)
    arrived = SealedArrived(link(A), EPOCH, b"sealed", answer=True)
    assert b.seals.open_page(arrived) == (ID, link(A), EPOCH, b"sealed", True)


def test_what_is_of_a_folder_that_is_not_ours_is_nothing() -> None:
    a, b = Device(A), Device(B)
    (part,) = a.seals.roster(SendRoster(link(B), ID, b"d" * 16, None))
    a.folder.epochs.hold(LATER)
    (key,) = a.seals.epoch_key(SendEpochKey(link(B), ID, EPOCH))
    del b.folders[ID]
    assert b.seals.open_page(SealedArrived(link(A), KEYS.first.tag, b"", answer=False)) is None
    assert b.seals.open_roster(said_roster(part)) is None
    assert b.seals.open_epoch_key(said_epoch(key)) is None


# -- rosters --------------------------------------------------------------------------------------


def test_a_digest_alone_is_one_part() -> None:
    a, b = Device(A), Device(B)
    (part,) = a.seals.roster(SendRoster(link(B), ID, b"d" * 16, None))
    arrived = b.seals.open_roster(said_roster(part))
    assert isinstance(arrived, RosterArrived) and (arrived.link, arrived.folder) == (link(A), ID)
    assert arrived.said.digest == b"d" * 16 and arrived.said.statements == ()


def test_a_part_is_of_the_device_that_sealed_it() -> None:
    a, b = Device(A), Device(B)
    (part,) = a.seals.roster(SendRoster(link(B), ID, b"d" * 16, None))
    refused = b.seals.open_roster(said_roster(part, OTHER))
    assert isinstance(refused, StrangerRefused) and refused.device == OTHER.public


# -- secrets of epochs ----------------------------------------------------------------------------


def test_the_secret_of_an_epoch_is_for_one_device() -> None:
    a, b, other = Device(A), Device(B), Device(OTHER)
    a.folder.epochs.hold(LATER)
    (key,) = a.seals.epoch_key(SendEpochKey(link(B), ID, EPOCH))
    assert b.seals.open_epoch_key(said_epoch(key)) == EpochKeyArrived(link(A), ID, EPOCH, LATER)
    refused = other.seals.open_epoch_key(said_epoch(key))
    assert isinstance(refused, StrangerRefused) and refused.refusal is Refusal.DOES_NOT_OPEN


def test_a_secret_that_is_forgotten_or_for_no_real_key_is_not_sent() -> None:
    a = Device(A)
    assert a.seals.epoch_key(SendEpochKey(link(B), ID, EPOCH)) == []
    a.folder.epochs.hold(LATER)
    nobody = Link(DeviceKey(bytes(32)), Way.DIALED)
    assert a.seals.epoch_key(SendEpochKey(nobody, ID, EPOCH)) == []
