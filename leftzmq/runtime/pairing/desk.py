"""Answers the command line about invitations, and about the devices and folders that they bring.

Knows which verb is answered where, builds what answers, and says when it is to be called again.
Must not decide anything itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from leftzmq.pairing.invitations import Invitations
from leftzmq.pairing.learnt import Learnt
from leftzmq.runtime.pairing.admissions import AdmissionHost, Admissions
from leftzmq.runtime.pairing.asked_fields import AskedFields, answered
from leftzmq.runtime.pairing.door import DoorHost, InvitationDoor
from leftzmq.runtime.pairing.folders import FolderHost, FolderVerbs
from leftzmq.runtime.pairing.invitations import InvitationHost, InvitationVerbs
from leftzmq.runtime.pairing.joins import JoinHost, JoinVerbs
from leftzmq.runtime.pairing.learnt_file import LearntFile, UsesLearnt
from leftzmq.runtime.pairing.leaving import Leaving, LeavingHost
from leftzmq.runtime.pairing.peers import PeerHost, PeerVerbs
from leftzmq.statedir import StateDir
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.transport.frames import Knocked
from leftzmq.wire.local import Scalar
from leftzmq.wire.replies import Reply


class Host(
    UsesLearnt,
    FolderHost,
    JoinHost,
    LeavingHost,
    DoorHost,
    AdmissionHost,
    InvitationHost,
    PeerHost,
    Protocol,
):
    """What the desk uses of the agent."""


class PairingDesk:
    """One per agent.

    device: our own key, 32 bytes; rosters: of all folders
    clock, wall: return monotonic and unix seconds; random: returns random bytes
    """

    def __init__(
        self,
        host: Host,
        state: StateDir,
        device: bytes,
        learnt: Learnt,
        rosters: Rosters,
        clock: Callable[[], float],
        wall: Callable[[], float],
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._state = state
        known = Invitations(learnt.invitations, wall(), clock())
        self._file = file = LearntFile(host, state, learnt, known)
        self._door = door = InvitationDoor(host, file, known)
        self._leaving = leaving = Leaving(host, state, file, rosters, clock)
        self._admissions = Admissions(host, device, file, known, rosters, clock, wall)
        self._invitations = invitations = InvitationVerbs(
            host, device, file, known, door, rosters, clock, wall, random
        )
        folders = FolderVerbs(host, state, file, known, leaving, clock, wall, random)
        joins = JoinVerbs(host, state, device, file, rosters, leaving, wall, random)
        peers = PeerVerbs(host, file, rosters, wall)
        self._verbs: dict[str, Callable[[AskedFields], Reply]] = {
            "share": folders.share,
            "place": folders.place,
            "folders": folders.list_all,
            "folder_set": folders.set,
            "folder_remove": folders.remove,
            "invite": invitations.open,
            "invitations": invitations.list_all,
            "invite_answer": invitations.answer,
            "invite_cancel": invitations.cancel,
            "joined": joins.joined,
            "join_yes": joins.say_yes,
            "join_no": joins.say_no,
            "peers": peers.list_all,
            "peer_remove": peers.remove,
            "peer_rename": peers.rename,
            "peer_address": peers.move,
        }

    @property
    def learnt(self) -> Learnt:
        return self._file.learnt

    def knows(self, verb: str) -> bool:
        return verb in self._verbs

    def answer(self, verb: str, fields: Mapping[str, Scalar]) -> dict[str, Any]:
        """Return the answer to a question, or why it is declined."""
        return answered(
            self._verbs[verb], fields, self._state.path, "look at the disk of the state directory"
        )

    def start(self) -> None:
        """Open the door again, if an invitation is left from before. Raises PortTaken."""
        self._door.start()

    def tick(self) -> None:
        """Folders that are left go, and invitations that are due end."""
        self._leaving.tick()
        self._invitations.tick()

    def deadline(self) -> float | None:
        """Return when `tick` has something to do (monotonic seconds)."""
        times = (self._invitations.deadline(), self._leaving.deadline())
        return min((at for at in times if at is not None), default=None)

    def on_knocked(self, knocked: Knocked) -> None:
        """Answer who knocks at the door."""
        self._admissions.on_knocked(knocked)

    def endpoints(self, named: str) -> tuple[str, ...]:
        """Return where others reach this device's control socket. named: the host as which its user
        named this machine, or ""."""
        return self._admissions.endpoints(named)
