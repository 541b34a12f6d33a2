"""The epochs of a folder whose secrets this device holds, and which of them is in use.

After a removal the members seal with the secret of a new epoch, which the removed device never had.
Knows secrets, keys and tags. Must not know which epoch may be used (sync/peers/roster says that),
nor where secrets are kept.

Only the loop changes it. Workers ask for keys by tag at any time: the mapping that they read is
replaced, and never changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from leftzmq.content.keys import TAG_BYTES, EpochKeys, FolderTag, derive_epoch

MAX_EPOCHS: Final = 1_024
"""Of a folder, beside the first one. Of more, those are forgotten that may not be used."""
NO_EPOCH: Final = FolderTag(bytes(TAG_BYTES))
"""The tag of an answer that cannot be sealed, as no epoch that is held may be used."""


class Epochs:
    """One per folder. first: the epoch that has the folder's own secret; it is always held."""

    def __init__(self, first: EpochKeys) -> None:
        self.first = first
        self.in_use: EpochKeys | None = first
        self._keys: Mapping[bytes, EpochKeys] = {first.tag: first}
        self._secrets: dict[bytes, bytes] = {}  # by tag, in the order in which they came
        self._clean = frozenset[bytes]((first.tag,))

    # -- questions ---------------------------------------------------------------------------------

    def keys(self, tag: bytes) -> EpochKeys | None:
        """Return the keys of the epoch with this tag; None: its secret is not held. Any thread may
        ask."""
        return self._keys.get(tag)

    @property
    def tag(self) -> FolderTag:
        """The tag that our questions name: of the epoch in use. While there is none it is that of
        the first epoch, which every member knows: who is asked sends what is lacking here."""
        return self.first.tag if self.in_use is None else self.in_use.tag

    def may_seal(self, tag: bytes) -> bool:
        """Return whether the secret of this epoch is held, and no removed device has it."""
        return tag in self._clean

    @property
    def stale_tag(self) -> FolderTag:
        """The tag of an answer to a question under a tag with which nothing is sealed any more."""
        return NO_EPOCH if self.in_use is None else self.in_use.tag

    @property
    def held(self) -> Collection[bytes]:
        """The tags of all epochs whose secrets are held."""
        return self._keys.keys()

    def secret(self, tag: bytes) -> bytes | None:
        """Return the secret of an epoch that is held and is not the first one."""
        return self._secrets.get(tag)

    def surplus(self) -> list[bytes]:
        """Return the secrets that are to be forgotten, so that one more can be held. Those that may
        not be used go first, the oldest before the others; of the rest that of the lowest tag,
        which is never the one in use."""
        count = len(self._secrets) + 1 - MAX_EPOCHS
        order = [tag for tag in self._secrets if tag not in self._clean]
        order += sorted(tag for tag in self._secrets if tag in self._clean)
        return [self._secrets[tag] for tag in order[: max(0, count)]]

    # -- changes, by the loop alone ----------------------------------------------------------------

    def hold(self, secret: bytes, forgotten: Collection[bytes] = ()) -> EpochKeys:
        """Hold the secret of another epoch, and forget these. It is not used before `use`."""
        keys = derive_epoch(secret)
        if keys.tag != self.first.tag:
            self._secrets[keys.tag] = secret
            gone = {tag for tag, each in self._secrets.items() if each in forgotten}
            self._secrets = {tag: each for tag, each in self._secrets.items() if tag not in gone}
            left = {tag: each for tag, each in self._keys.items() if tag not in gone}
            self._keys = left | {keys.tag: keys}
            self._clean -= gone
        return keys

    def use(self, clean: frozenset[bytes], tag: bytes | None) -> bool:
        """Take over which epochs that are held are clean, and which of them is in use; None: none.
        Return whether it is another one than before."""
        before, self._clean = self.in_use, clean
        self.in_use = None if tag is None else self._keys[tag]
        return self.in_use != before
