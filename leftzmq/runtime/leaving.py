"""Takes off this device what a join made, when its user said no to the plan.

Knows the files of a folder in the state directory and in the share. Must not know who is told, nor
whether the folder is open. The user's files are never touched.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from leftzmq.content.keys import derive_keys
from leftzmq.disk.share import remove_marker
from leftzmq.errors import LeftError
from leftzmq.pairing import learnt as files
from leftzmq.pairing.learnt import JoinMade, Learnt, LearntFolder
from leftzmq.pairing.roster_store import RosterStore
from leftzmq.statedir import StateDir, read_secret


def remove_made(state: StateDir, folder: LearntFolder) -> None:
    """Remove what the join of this folder made. What is gone already is passed over, so a removal
    that was cut off can be done again. Raises OSError and ShareError."""
    if JoinMade.INDEX in folder.made:
        file = state.index_file(folder.id)
        for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
            path.unlink(missing_ok=True)
    if JoinMade.LEFT in folder.made:
        remove_marker(folder.path, folder.id)
    if JoinMade.SECRET in folder.made:
        state.secret_file(folder.id).unlink(missing_ok=True)


def finish(state: StateDir, learnt: Learnt, rosters: RosterStore) -> tuple[Learnt, list[str]]:
    """At a start of the agent: take off the folders that were about to go when the last one ended.
    Return what stays, and a sentence for each that could not go: it is held again."""
    said: list[str] = []
    for folder in [one for one in learnt.folders if one.leaves]:
        try:
            with suppress(FileNotFoundError):
                rosters.forget(derive_keys(read_secret(state.secret_file(folder.id))).tag)
            remove_made(state, folder)
            after = learnt.without_joined(folder.id, is_needed=learnt.has_joined_besides(folder.id))
            state.save_pairing(files.text_of(after))
        except (LeftError, OSError) as error:
            said.append(f"{folder.id} cannot be taken off this device: {error}")
            learnt = learnt.with_folder(folder.held_again())
        else:
            learnt = after
    return learnt, said
