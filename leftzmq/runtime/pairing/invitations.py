"""Questions about the invitations of this device: open one, list them, answer for who waits.

Knows what is to be there before a code is shown: the roster, the door, and the durable invitation.
Must not know who knocks, nor what a device gets that is let in.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from leftzmq.config import Config, Endpoint
from leftzmq.errors import LeftError, UsageError
from leftzmq.pairing.code import TOKEN_BYTES, Code, code_text
from leftzmq.pairing.invitations import (
    MOST_OPEN,
    MOST_TTL_S,
    MOST_USES,
    Invitation,
    Invitations,
    InvitationState,
    Mode,
    PersonAnswer,
)
from leftzmq.runtime.pairing.asked_fields import AskedFields
from leftzmq.runtime.pairing.door import InvitationDoor
from leftzmq.runtime.pairing.host import KnowsConfig, TellsRoster
from leftzmq.runtime.pairing.learnt_file import LearntFile
from leftzmq.runtime.pairing.local_folders import folder_named
from leftzmq.statedir import read_secret
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.transport.device_key import public_text
from leftzmq.transport.door.own_addresses import Reachable
from leftzmq.wire.replies import (
    AnsweredDevice,
    CameIn,
    InvitationAnswered,
    InvitationList,
    InvitationOpened,
    InvitationsCancelled,
    ShownInvitation,
    WaitingDevice,
)

TTL_S: Final = 600.0
_SEE_WHO: Final = "see who does: leftzmq invite list"


class InvitationHost(KnowsConfig, TellsRoster, Protocol):
    def reachable(self) -> Reachable:
        """Where others can reach this machine."""


class InvitationVerbs:
    """Each method that takes a question answers one verb.

    device: our own key, 32 bytes
    clock, wall: return monotonic and unix seconds; random: returns random bytes
    """

    def __init__(
        self,
        host: InvitationHost,
        device: bytes,
        file: LearntFile,
        invitations: Invitations,
        door: InvitationDoor,
        rosters: Rosters,
        clock: Callable[[], float],
        wall: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._host, self._device, self._file = host, device, file
        self._invitations, self._door, self._rosters = invitations, door, rosters
        self._clock, self._wall, self._random = clock, wall, random

    def open(self, asked: AskedFields) -> InvitationOpened:
        id = asked.text("folder")
        uses = int(asked.number("uses", 1, MOST_USES, 1))
        ttl_s = asked.number("ttl_s", 1, MOST_TTL_S, TTL_S)
        mode: Mode = "read" if asked.flag("read_only") else "full"
        config = self._host.config
        read_secret(folder_named(config, id).secret)
        named, asks = asked.optional("address"), asked.flag("asks")
        reachable = self._host.reachable()
        if not reachable.addresses and not named:
            raise _nowhere(config)
        if self._invitations.is_full:
            what = f"{MOST_OPEN} invitations are open, more cannot be"
            raise UsageError(what, "", "take some back: leftzmq invite cancel")
        asked.named_address("address", 1)  # it is refused before anything is opened
        self._begin_roster(id)
        door = self._door.open()
        address = asked.named_address("address", door.port)
        addresses = reachable.for_code(door.port, address)
        token = self._random(TOKEN_BYTES)
        wall, now = self._wall(), self._clock()
        host = address.host if address else ""
        known = self._rosters.folders[id].last_number
        try:
            code = code_text(Code(addresses, door.port, door.public, token))
            invitation = self._invitations.add(
                id, token, uses, ttl_s, host, known, wall, now, asks=asks, mode=mode
            )
            self._keep_new(invitation)
        except (LeftError, OSError):
            self._door.close_if_unused()
            raise
        left_out = len(
            [one for one in reachable.addresses if Endpoint(one, door.port) not in addresses]
        )
        return InvitationOpened(
            code=code,
            mark=invitation.mark.hex(),
            folder=id,
            addresses=[str(one) for one in addresses],
            left_out=left_out,
            port=door.port,
            until=wall + ttl_s,
            mode=mode,
        )

    def list_all(self, asked: AskedFields) -> InvitationList:
        now, wall = self._clock(), self._wall()
        self._invitations.pass_time(now)
        return InvitationList(
            invitations=[
                ShownInvitation(
                    mark=one.mark.hex(),
                    folder=one.folder,
                    state=one.state.value,
                    uses=one.uses,
                    uses_left=one.uses_left,
                    mode=one.mode,
                    opened=one.opened,
                    until=self._invitations.until(one, wall, now),
                    came_in=[
                        CameIn(name=use.name, key=public_text(use.device)) for use in one.used_by
                    ],
                    asks=one.asks,
                    waiting=[
                        WaitingDevice(
                            name=applicant.name,
                            key=public_text(applicant.device),
                            address=applicant.address,
                            since=applicant.since,
                        )
                        for applicant in self._invitations.waiting(one, now)
                    ],
                    answered=[
                        AnsweredDevice(
                            name=said.name, key=public_text(said.device), yes=said.is_yes
                        )
                        for said in one.answers
                    ],
                )
                for one in self._invitations.kept
            ]
        )

    def answer(self, asked: AskedFields) -> InvitationAnswered:
        """A person says whether a device comes in. It hears of it when it knocks next; the answer
        is durable before."""
        mark, key, is_yes = asked.text("mark"), asked.text("key"), asked.yes_or_no("yes")
        now = self._clock()
        self._invitations.pass_time(now)
        one = next((one for one in self._invitations.kept if one.mark.hex() == mark), None)
        if one is None:
            raise UsageError("there is no such invitation", mark[:64], _SEE_WHO)
        if one.state is not InvitationState.OPEN:
            do = "open another one: leftzmq share DIR --ask"
            raise UsageError(f"is {one.state.value}", f"the invitation to {one.folder}", do)
        waiting = self._invitations.waiting(one, now)
        names = {said.device: said.name for said in one.answers}
        names |= {applicant.device: applicant.name for applicant in waiting}
        found = [device for device in names if public_text(device).startswith(key)]
        if len(found) > 1:
            several = ", ".join(names[device] for device in found)
            raise UsageError("is the beginning of several keys", key, f"it may be {several}")
        if not found:
            raise UsageError("is the key of no device that waits", key[:64], _SEE_WHO)
        (device,) = found
        if one.use_of(device) is not None:
            do = "take it out again: leftzmq peers remove NAME"
            raise UsageError("came in already", names[device], do)
        self._invitations.answer(one, PersonAnswer(device, names[device], is_yes), now)
        try:
            self._keep()
        except OSError:
            self._invitations.put_back(one)
            raise
        self._invitations.heard(one, device)
        return InvitationAnswered(
            name=names[device], key=public_text(device), folder=one.folder, yes=is_yes
        )

    def cancel(self, asked: AskedFields) -> InvitationsCancelled:
        folder = asked.optional("folder") or None
        count = self._invitations.cancel(folder, self._clock())
        self._keep()
        return InvitationsCancelled(cancelled=count)

    def tick(self) -> None:
        """End what is due; close the door when nobody may come any more. If that cannot be written,
        the wall clock ends it after the next start."""
        self._invitations.pass_time(self._clock())
        # Not only what was due just now: a knock or a question may have come before this tick.
        if self._invitations.kept != self._file.learnt.invitations:
            with suppress(OSError):
                self._keep()

    def deadline(self) -> float | None:
        """Return when `tick` has something to do (monotonic seconds)."""
        return self._invitations.deadline()

    def _begin_roster(self, id: str) -> None:
        """Who is let in is written in the folder's roster. It begins with the first invitation.
        Raises LeftError if this device may let nobody in."""
        stop = self._rosters.put_out(id)
        if stop is not None:
            raise UsageError(stop.why, id)
        if self._device in self._rosters.readers(id):
            do = "ask a member that may write"
            raise UsageError("may only be read by this device, so it can let nobody in", id, do)
        self._rosters.found(id)
        self._host.tell_roster(id)

    def _keep_new(self, invitation: Invitation) -> None:
        """Write an invitation that was added. Raises OSError; then it was never opened."""
        try:
            self._keep()
        except OSError:
            self._invitations.never_opened(invitation)
            raise

    def _keep(self) -> None:
        """Write the invitations as they are now. The door closes with the last of them. Raises
        OSError."""
        self._door.close_if_unused()
        self._file.save_invitations()


def _nowhere(config: Config) -> UsageError:
    """Why no other device reaches this one."""
    listen = config.device.listen
    where = f"{config.file}: [device] listen"
    if listen.host == "::":
        what = "this machine has no address where another one comes"
        return UsageError(what, "", "connect it to a network, or name the address: --address HOST")
    if listen.host == "0.0.0.0":
        what = f"listens at {listen}, and this machine has no IPv4 address where another one comes"
        do = f'connect it to a network, or write listen = "tcp://[::]:{listen.port}" there for IPv6'
        return UsageError(what, where, f"{do}, and start the agent again")
    what = f"listens at {listen} alone, where no other device comes"
    do = f'write listen = "tcp://[::]:{listen.port}" there, and start the agent again'
    return UsageError(what, where, do)
