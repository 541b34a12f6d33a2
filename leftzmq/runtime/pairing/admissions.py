"""Answers who knocks at the door: let in by an invitation, waiting for a person, or refused.

Knows the order in which a device comes in: its use and its place in the list of peers are durable,
it is a member, then it is answered. Must not know sockets, nor how an invitation is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from msgspec.structs import replace

from leftzmq.config import MAX_PEERS, Endpoint
from leftzmq.errors import LeftError, NotAdmittedReason, RosterError
from leftzmq.pairing.invitations import Invitation, Invitations, LetIn
from leftzmq.pairing.learnt import LearntDevice, Origin, name_for_new_peer
from leftzmq.pairing.waiting import MOST_ASKED, Applicant
from leftzmq.runtime.pairing.host import KnowsConfig, TellsRoster
from leftzmq.runtime.pairing.learnt_file import LearntFile
from leftzmq.runtime.pairing.local_folders import folder_named
from leftzmq.statedir import read_secret
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.making import Newcomer
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.transport.door.own_addresses import Reachable
from leftzmq.transport.frames import Knocked
from leftzmq.wire.door import (
    DOOR_VERSION,
    MAX_ADMISSION_BYTES,
    MAX_DETAIL_CHARS,
    MAX_DOOR_NAME_CHARS,
    MAX_ENDPOINTS,
    MAX_PINS,
    Admitted,
    NotAdmitted,
)
from leftzmq.wire.statements import encode

_NOT_KEPT: Final = "the other device cannot keep it: see its log"


class AdmissionHost(KnowsConfig, TellsRoster, Protocol):
    @property
    def control_port(self) -> int: ...

    def reachable(self) -> Reachable:
        """Where others can reach this machine."""

    def answer_at_door(self, caller: bytes, message: Admitted | NotAdmitted) -> None: ...

    def tell_joined(self, name: str, folder: str, address: str) -> None: ...


class Admissions:
    """One per agent.

    device: our own key, 32 bytes
    clock, wall: return monotonic and unix seconds
    """

    def __init__(
        self,
        host: AdmissionHost,
        device: bytes,
        file: LearntFile,
        invitations: Invitations,
        rosters: Rosters,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._host, self._device, self._file = host, device, file
        self._invitations, self._rosters = invitations, rosters
        self._clock, self._wall = clock, wall

    def on_knocked(self, knocked: Knocked) -> None:
        """Let a device in, or say why not. Its use is durable before it may connect, and it may
        connect before the answer goes out."""
        self._host.answer_at_door(knocked.caller, self._judged(knocked))

    def endpoints(self, named: str) -> tuple[str, ...]:
        """Return where others reach this device's control socket. named: the host as which its user
        named this machine, or ""."""
        port = self._host.control_port
        hosts = [named] if named else []
        hosts += self._host.reachable().addresses
        return tuple(str(Endpoint(host, port)) for host in dict.fromkeys(hosts))[:MAX_ENDPOINTS]

    def _judged(self, knocked: Knocked) -> Admitted | NotAdmitted:
        knock, device = knocked.knock, bytes(knocked.device)
        found = self._invitations.knocked(device, knock.token, knock.name, self._clock())
        if not isinstance(found, LetIn):
            reason, invitation = found
            if reason is NotAdmittedReason.ASKING and invitation is not None:
                return self._cannot_come(device) or self._waits(invitation, knocked)
            return _no(reason, _more(reason, device, invitation))
        refusal = self._cannot_come(device)
        if refusal is not None:
            return refusal
        config = self._host.config
        try:
            secret = read_secret(folder_named(config, found.invitation.folder).secret)
        except LeftError:
            return _no(NotAdmittedReason.UNKNOWN, "the folder is not there any more")
        folder = found.invitation.folder
        if found.is_new and not self._let_in(found, device, knocked.address):
            return _no(NotAdmittedReason.UNKNOWN, _NOT_KEPT)
        try:
            said = found.invitation.answer_to(device)
            name = said.name if said else knock.name  # as a person read it
            admission = self._admit(found.invitation, device, name)
        except RosterError as error:
            return _no(NotAdmittedReason.REMOVED, str(error))
        except LeftError:
            return _no(NotAdmittedReason.UNKNOWN, _NOT_KEPT)
        epochs = self._rosters.folders[folder].epochs
        epoch = epochs.in_use or epochs.first
        return Admitted(
            version=DOOR_VERSION,
            folder=folder,
            mode=self._rosters.folders[folder].roster.mode(DeviceKey(device)) or "full",
            secret=secret,
            epoch_tag=epoch.tag,
            epoch_secret=epochs.secret(epoch.tag) or secret,
            pins=list(self._rosters.pins(folder)[:MAX_PINS]),
            admission=admission if len(admission) <= MAX_ADMISSION_BYTES else b"",
            device=self._device,
            name=config.device.name[:MAX_DOOR_NAME_CHARS],
            endpoints=list(self.endpoints(found.invitation.host)),
        )

    def _cannot_come(self, device: bytes) -> NotAdmitted | None:
        """Return why a device comes in by no invitation, whatever a person says; None: it may."""
        if device == self._device:
            return _no(NotAdmittedReason.ALREADY_A_MEMBER, "it is the device that invited")
        peers = self._host.config.peers
        if len(peers) >= MAX_PEERS and all(peer.key != device for peer in peers):
            return _no(NotAdmittedReason.FOLDER_FULL, f"{MAX_PEERS} peers")
        return None

    def _waits(self, invitation: Invitation, knocked: Knocked) -> NotAdmitted:
        """Keep that a device waits for a person's answer. It knocks again."""
        applicant = Applicant(
            bytes(knocked.device), knocked.knock.name, knocked.address, self._wall()
        )
        is_kept = self._invitations.wait(invitation, applicant, self._clock())
        return _no(NotAdmittedReason.ASKING, "" if is_kept else "about others first")

    def _admit(self, invitation: Invitation, device: bytes, name: str) -> bytes:
        """Make the device a member, unless it is one. Return its admission."""
        who = Newcomer(DeviceKey(device), name, invitation.mode)
        signed = self._rosters.let_in(invitation.folder, who, invitation.known)
        self._host.tell_roster(invitation.folder)
        return encode(signed)

    def _let_in(self, let_in: LetIn, device: bytes, address: str) -> bool:
        """Keep the use and the device; then it may connect. Return False if that cannot be. A
        device that is a peer already is called as here, whatever it calls itself."""
        now, learnt, config = self._clock(), self._file.learnt, self._host.config
        name = next((peer.name for peer in config.peers if peer.key == device), "")
        if not name:
            name = name_for_new_peer(let_in.use.name, config)
            came = LearntDevice(name, device, (), Origin.INVITED, self._wall())
            learnt = learnt.with_device(came)
        let_in = replace(let_in, use=replace(let_in.use, name=name))
        self._invitations.use(let_in, now)
        try:
            self._file.save(learnt)
        except (OSError, LeftError):
            self._invitations.put_back(let_in.invitation)
            return False
        self._host.tell_joined(let_in.use.name, let_in.invitation.folder, address)
        return True


def _no(reason: NotAdmittedReason, detail: str = "") -> NotAdmitted:
    return NotAdmitted(version=DOOR_VERSION, reason=reason.name, detail=detail[:MAX_DETAIL_CHARS])


def _more(reason: NotAdmittedReason, device: bytes, invitation: Invitation | None) -> str:
    """Return what is said behind the sentence of a reason."""
    if invitation is None:
        return ""
    if reason is NotAdmittedReason.DECLINED:
        is_of_others = invitation.answer_to(device) is None
        return f"to {MOST_ASKED} devices, and is asked no more" if is_of_others else ""
    names = ", ".join(use.name for use in invitation.used_by)
    return names and f"by {names}"
