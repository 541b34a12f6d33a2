"""Opens what arrives sealed, and seals what is sent: pages, rosters and secrets of epochs.

Knows the keys of this device and of its folders. Must not know sockets, nor what a sealed thing
means: what is opened becomes a fact, and what is sealed becomes a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from leftzmq.content.seal import fresh_nonce
from leftzmq.errors import Refused
from leftzmq.sync.actions import Publish, SendEpochKey, SendRoster
from leftzmq.sync.facts import EpochKeyArrived, Fact, RosterArrived, StrangerRefused
from leftzmq.sync.folder import Folder
from leftzmq.transport.decode import EpochKeySealed, RosterSealed, SealedArrived
from leftzmq.transport.device_key import DeviceKeyPair
from leftzmq.wire import epoch_key, roster_part
from leftzmq.wire import page as pages
from leftzmq.wire.messages import EpochKey, News, RosterPart
from leftzmq.wire.roster_part import RosterSaid


class Seals:
    """One per agent. keys: of this device; folders: those of the agent, by id, as they are now.

    What comes for a folder that is not ours is None: PUB reaches all paired devices, and only the
    secret decides which of them are members.
    """

    def __init__(
        self,
        keys: DeviceKeyPair,
        folders: Mapping[str, Folder],
        nonce: Callable[[], bytes] = fresh_nonce,
    ) -> None:
        self._keys, self._folders, self._nonce = keys, folders, nonce

    # -- what arrives ------------------------------------------------------------------------------

    def open_page(self, arrived: SealedArrived) -> Fact | None:
        for folder in self._folders.values():
            if folder.epochs.keys(arrived.tag) is not None:
                return folder.opened(arrived.link, arrived.tag, arrived.sealed, arrived.answer)
        return None

    def open_roster(self, arrived: RosterSealed) -> Fact | None:
        folder = self._folder_of(arrived.tag)
        if folder is None:
            return None
        device = arrived.link.device
        try:
            said = roster_part.open_sealed(arrived.sealed, folder.keys, device)
        except Refused as refused:
            return StrangerRefused(device, refused.refusal, refused.detail)
        return RosterArrived(arrived.link, folder.id, said)

    def open_epoch_key(self, arrived: EpochKeySealed) -> Fact | None:
        folder, device = self._folder_of(arrived.tag), arrived.link.device
        if folder is None:
            return None
        try:
            secret = epoch_key.open_sealed(arrived.sealed, arrived.epoch, self._keys.secret, device)
        except Refused as refused:
            return StrangerRefused(device, refused.refusal, refused.detail)
        return EpochKeyArrived(arrived.link, folder.id, arrived.epoch, secret)

    def _folder_of(self, tag: bytes) -> Folder | None:
        """Return the folder with this identity tag."""
        return next((one for one in self._folders.values() if one.keys.tag == tag), None)

    # -- what is sent ------------------------------------------------------------------------------

    def news(self, action: Publish) -> News | None:
        """Return the sealed page. None while no epoch of the folder may be used."""
        epoch = self._folders[action.folder].epochs.in_use
        if epoch is None:
            return None
        return News(epoch.tag, pages.seal(action.page, epoch, self._nonce()))

    def roster(self, action: SendRoster) -> Iterator[RosterPart]:
        """Yield as many messages as the statements need. Each is sealed when it is taken."""
        folder = self._folders[action.folder]
        said: Iterable[RosterSaid] = [RosterSaid(action.digest, ())]
        if action.statements is not None:
            said = roster_part.parts(action.digest, action.statements)
        for part in said:
            sealed = roster_part.seal(part, folder.keys, self._keys.public, self._nonce())
            yield RosterPart(folder.keys.tag, sealed)

    def epoch_key(self, action: SendEpochKey) -> list[EpochKey]:
        """Return the secret of an epoch, sealed for one device; [] if it was one of far too many
        and is forgotten, or if the device's key is none: nobody connects with such a key."""
        folder, device = self._folders[action.folder], action.link.device
        secret = folder.epochs.secret(action.epoch)
        if secret is None:
            return []
        try:
            sealed = epoch_key.seal(secret, self._keys.secret, device, self._nonce())
        except Refused:
            return []
        return [EpochKey(folder.keys.tag, action.epoch, sealed)]
