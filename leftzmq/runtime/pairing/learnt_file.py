"""What was learnt by invitations, while the agent runs, and its file in the state directory.

Knows the write order: what was learnt is durable before the agent acts on it. Nothing else writes
the file. Must not know why something changes, nor what the agent does about it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from leftzmq.errors import LeftError
from leftzmq.pairing import learnt as files
from leftzmq.pairing.invitations import Invitations
from leftzmq.pairing.learnt import DoorKept, Learnt
from leftzmq.statedir import StateDir


class UsesLearnt(Protocol):
    def check_learnt(self, learnt: Learnt) -> None:
        """Raise LeftError if `use_learnt` could not use this."""

    def use_learnt(self, learnt: Learnt) -> None:
        """List, dial and open what is new in it."""


class LearntFile:
    """One per agent.

    learnt: as `load_learnt` returned it; invitations: as they are now, written with all else
    """

    def __init__(
        self, user: UsesLearnt, state: StateDir, learnt: Learnt, invitations: Invitations
    ) -> None:
        self._user, self._state, self._learnt = user, state, learnt
        self._invitations = invitations

    @property
    def learnt(self) -> Learnt:
        return self._learnt

    def save(self, learnt: Learnt) -> None:
        """Write what was learnt; when it is durable, act on it. Raises OSError and LeftError; then
        nothing has changed."""
        learnt = replace(learnt, invitations=self._invitations.kept)
        self._user.check_learnt(learnt)
        write_learnt(self._state, learnt)
        self._learnt = learnt
        self._user.use_learnt(learnt)

    @contextmanager
    def new_secret(self, id: str) -> Iterator[Path]:
        """Return the file in which the secret of a new folder is to be made, before the folder is
        saved. If the folder is not kept, a secret that was made there goes again."""
        file = self._state.secret_file(id)
        was_there = os.path.lexists(file)
        try:
            yield file
        except (LeftError, OSError):
            if not was_there and self._learnt.folder(id) is None:
                with suppress(OSError):
                    file.unlink()
            raise

    def save_invitations(self) -> None:
        """Write the invitations as they are now. Raises OSError: then they are not durable."""
        self._learnt = replace(self._learnt, invitations=self._invitations.kept)
        write_learnt(self._state, self._learnt)

    def door_opened(self, door: DoorKept) -> None:
        """It is written with the invitation for which it was opened."""
        self._learnt = replace(self._learnt, door=door)

    def door_closed(self) -> None:
        """It is written with the end of the last invitation."""
        self._learnt = replace(self._learnt, door=None)


def load_learnt(state: StateDir) -> Learnt:
    """Return what invitations brought so far. Raises ConfigError."""
    data, where = state.load_pairing()
    return Learnt() if data is None else files.read(data, where)


def write_learnt(state: StateDir, learnt: Learnt) -> None:
    """Write the whole file. Raises OSError. While the agent runs, LearntFile alone calls this."""
    state.save_pairing(files.text_of(learnt))
