"""Whom a device of a folder with a roster lists as its peers, and by whose word.

Knows what peer.toml and pairing.json hold of other devices; both outlive the process. Must not know
what a roster says: the members and the removed devices are arguments.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace


@dataclass(slots=True)
class Acquaintance:
    """Names of other devices. written: in its peer.toml. let_in: by its invitations. joined: those
    by whose invitations it came. is_stranger: its user has not joined the folder."""

    written: set[str] = field(default_factory=set)
    let_in: set[str] = field(default_factory=set)
    joined: set[str] = field(default_factory=set)
    is_stranger: bool = False

    def copy(self) -> Acquaintance:
        """A backup of it."""
        return replace(
            self, written=set(self.written), let_in=set(self.let_in), joined=set(self.joined)
        )

    def is_vouched(self, name: str) -> bool:
        """Whether a person here wrote the device, let it in, or joined by its invitation."""
        return name in self.let_in or self.may_found(name)

    def may_found(self, name: str) -> bool:
        """The same, but for those that were let in here: perhaps they may only read."""
        return name in self.written or name in self.joined

    def listed(self, members: Collection[str], shut_out: Collection[str]) -> set[str]:
        """The devices that may connect, as pairing/learnt.merged has it. members: of the roster.
        shut_out: who was removed, and is in no folder."""
        learnt = (self.let_in | self.joined) - set(shut_out)
        return self.written | learnt | set(members)

    def forget(self, name: str) -> None:
        """A user removed the device by name: of it only peer.toml speaks."""
        self.let_in.discard(name)
        self.joined.discard(name)
