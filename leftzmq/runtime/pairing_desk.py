"""Invitations, and the devices and folders that they bring, while the agent runs.

Answers what the command line asks about them, and who knocks at the door. Knows the file of what
was learnt and its write order: what is answered is durable before. Must not know sockets (the host
opens the door), nor how a folder is opened or a device dialed: it says what it has learnt, and the
host acts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from leftzmq import crockford
from leftzmq.config import MAX_PEERS, Config, Endpoint, FolderConfig, PeerConfig
from leftzmq.config.checks import check_share
from leftzmq.config.values import MAX_FOLDERS, MAX_NAME_CHARS, is_name
from leftzmq.content.ids import STATEMENT_ID_BYTES, StatementId
from leftzmq.content.keys import derive_epoch
from leftzmq.disk.share import folder_in
from leftzmq.errors import (
    ConfigError,
    KeyFileError,
    LeftError,
    NotAdmittedReason,
    RosterError,
    UsageError,
)
from leftzmq.pairing import learnt as files
from leftzmq.pairing.code import TOKEN_BYTES, Code, code_text
from leftzmq.pairing.invitations import (
    MOST_OPEN,
    MOST_TTL_S,
    MOST_USES,
    Invitation,
    Invitations,
    InvitationState,
    LetIn,
    Mode,
    PersonAnswer,
)
from leftzmq.pairing.learnt import (
    DoorKept,
    JoinMade,
    Learnt,
    LearntDevice,
    LearntFolder,
    Origin,
)
from leftzmq.pairing.waiting import MOST_ASKED, Applicant
from leftzmq.runtime.leaving import remove_made
from leftzmq.statedir import SECRET_BYTES, StateDir, make_private, make_secret, read_secret
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.making import Newcomer
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.transport.device_key import DeviceKeyPair, parse_public, public_text
from leftzmq.transport.door.own_addresses import Reachable
from leftzmq.transport.frames import Knocked
from leftzmq.tree.rules import LEFT_DIRECTORY
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
from leftzmq.wire.local import Scalar
from leftzmq.wire.replies import (
    AnsweredDevice,
    CameIn,
    DeclinedReply,
    FolderList,
    FolderRemoved,
    InvitationAnswered,
    InvitationList,
    InvitationOpened,
    InvitationsCancelled,
    JoinAnswered,
    Joined,
    ListedFolder,
    ListedPeer,
    PeerList,
    PeerNamed,
    PeerRemovedReply,
    PlaceShown,
    Reply,
    SharedFolder,
    ShownInvitation,
    WaitingDevice,
    WhyDeclined,
)
from leftzmq.wire.statements import encode

RANDOM_LETTERS: Final = 4
DOOR_ABOVE: Final = 10
"""The door's port is so far above that of control, if it is free: 7710 for 7700."""
MOST_PORT: Final = 65_535
_NOT_KEPT: Final = "the other device cannot keep it: see its log"
_SAME_VERSION: Final = "use the leftzmq of the same version"
_SEE_WHO: Final = "see who does: leftzmq invite list"
TTL_S: Final = 600.0
LEAVE_S: Final = 1.0
"""Those who are connected hear that this device leaves before its connections end."""
LEAVE_AGAIN_S: Final = 10.0
Fields = Mapping[str, Scalar]


class Host(Protocol):
    """What the desk uses of the agent."""

    @property
    def config(self) -> Config: ...

    @property
    def written(self) -> Config:
        """peer.toml alone."""

    @property
    def control_port(self) -> int: ...

    def reachable(self) -> Reachable:
        """Where others can reach this machine."""

    def open_door(self, keys: DeviceKeyPair | None, port: int) -> DoorKept:
        """Open the door unless it is open. keys: None: new ones. Raises PortTaken."""

    def close_door(self) -> None: ...

    def answer_at_door(self, caller: bytes, message: Admitted | NotAdmitted) -> None: ...

    def check_learnt(self, learnt: Learnt) -> None:
        """Raise LeftError if `use_learnt` could not use this."""

    def use_learnt(self, learnt: Learnt) -> None:
        """List, dial and open what is new in it."""

    def tell_roster(self, folder: str) -> None:
        """Something was said in the roster of a folder: act on it, and tell the members."""

    def end_hold(self, folder: str) -> None:
        """The user of this device said yes to the plan of a join."""

    def close_share(self, folder: str) -> None:
        """The folder is about to go: nothing looks into its directory any more."""

    def tell_joined(self, name: str, folder: str, address: str) -> None: ...

    def peers_shown(self) -> Mapping[str, tuple[bool, float | None]]:
        """Of each peer's name: whether it is connected, and since when (unix seconds)."""

    def folder_state(self, id: str) -> str: ...


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
        self._host, self._state, self._device, self.learnt = host, state, device, learnt
        self._rosters = rosters
        self._clock, self._wall, self._random = clock, wall, random
        self._invitations = Invitations(learnt.invitations, wall(), clock())
        self._leaving: dict[str, float] = {}  # when these folders go
        self._verbs: dict[str, Callable[[Fields], Reply]] = {
            "share": self._share,
            "place": self._place,
            "invite": self._invite,
            "invitations": self._list_invitations,
            "invite_answer": self._answer_for,
            "invite_cancel": self._cancel,
            "joined": self._joined,
            "join_yes": self._say_yes,
            "join_no": self._say_no,
            "peers": self._list_peers,
            "peer_remove": self._remove_peer,
            "peer_rename": self._rename_peer,
            "peer_address": self._move_peer,
            "folders": self._list_folders,
            "folder_remove": self._remove_folder,
        }

    # -- the command line -------------------------------------------------------------------------

    def knows(self, verb: str) -> bool:
        return verb in self._verbs

    def answer(self, verb: str, fields: Fields) -> dict[str, Any]:
        """Return the answer to a question, or why it is declined."""
        try:
            return self._verbs[verb](fields).fields()
        except LeftError as error:
            why = WhyDeclined(what=error.what, where=error.where, do=error.do)
        except OSError as error:
            do = "look at the disk of the state directory"
            what = f"cannot be written: {error.strerror}"
            why = WhyDeclined(what=what, where=str(self._state.path), do=do)
        return DeclinedReply(declined=why).fields()

    def _share(self, fields: Fields) -> SharedFolder:
        path, id = Path(_text(fields, "path")), _optional(fields, "id")
        config = self._host.config
        for folder in config.folders:
            if folder.path == path:
                if id and id != folder.id:
                    what = f"is shared already, as {folder.id}"
                    raise UsageError(what, str(path), "leave out --folder")
                return SharedFolder(folder=folder.id, path=str(path), is_new=False)
        check_share(config, path, "the share")
        _must_be_no_file(path)
        id = id or folder_in(path) or ""
        self._must_fit(id)
        id = id or self._fresh_id(path)
        _must_be_of(path, id)
        _make_share(path)
        make_secret(self._state.secret_file(id), self._random)
        now = self._wall()
        self._save(self.learnt.with_folder(LearntFolder(id, path, Origin.SHARED, now)))
        return SharedFolder(folder=id, path=str(path), is_new=True)

    def _place(self, fields: Fields) -> PlaceShown:
        """Say whether a share can lie at a path. Declines if not."""
        path, config = Path(_text(fields, "path")), self._host.config
        here = next((one.id for one in config.folders if one.path == path), "")
        if not here:
            check_share(config, path, "the share")
        held = self.learnt.folder(here)
        if held is None or not held.held:
            return PlaceShown(folder=here, held=False, inviter="")
        inviter = next((peer.name for peer in config.peers if peer.key == held.inviter), "")
        return PlaceShown(folder=here, held=True, inviter=inviter)

    def _must_fit(self, id: str) -> None:
        """Raise UsageError if there is no place for one more folder, or not for one of this id."""
        folders = self._host.config.folders
        if len(folders) >= MAX_FOLDERS:
            what = f"this device has {MAX_FOLDERS} folders, and can have no more"
            raise UsageError(what, "", "share what holds several of them instead")
        if id and any(folder.id == id for folder in folders):
            what = "is the name of another folder of this device"
            raise UsageError(what, id, "name it otherwise with --folder, or leave that out")
        if id and not is_name(id):
            what = f"is no name of a folder: 1 to {MAX_NAME_CHARS} printable characters are wanted"
            raise UsageError(what, id[:MAX_NAME_CHARS], "name it otherwise with --folder")

    def _fresh_id(self, path: Path) -> str:
        """Two people's "docs" are not one folder."""
        name = "".join(c for c in path.name if c.isprintable()).strip()[:32] or "folder"
        draw = int.from_bytes(self._random(RANDOM_LETTERS))
        part = draw % (1 << crockford.BITS_A_LETTER * RANDOM_LETTERS)
        return f"{name}-{crockford.encode(part, RANDOM_LETTERS)}"

    def _invite(self, fields: Fields) -> InvitationOpened:
        id = _text(fields, "folder")
        uses = int(_number("uses", fields.get("uses"), 1, MOST_USES, 1))
        ttl_s = _number("ttl_s", fields.get("ttl_s"), 1, MOST_TTL_S, TTL_S)
        mode: Mode = "read" if _flag(fields, "read_only") else "full"
        folder = self._folder(id)
        read_secret(folder.secret)
        named, asks = _optional(fields, "address"), _flag(fields, "asks")
        reachable = self._host.reachable()
        if not reachable.addresses and not named:
            what = (
                f"listens at {self._host.config.device.listen} alone, where no other device comes"
            )
            do = 'write listen = "tcp://0.0.0.0:7700" there, and start the agent again'
            raise UsageError(what, f"{self._host.config.file}: [device] listen", do)
        if self._invitations.is_full:
            what = f"{MOST_OPEN} invitations are open, more cannot be"
            raise UsageError(what, "", "take some back: leftzmq invite cancel")
        _named_address(named, 1)  # it is refused before anything is opened
        self._begin_roster(id)
        door = self._open_door()
        address = _named_address(named, door.port)
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
            self._close_unused_door()
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

    def _keep_new(self, invitation: Invitation) -> None:
        """Write an invitation that was added. Raises OSError; then it was never opened."""
        try:
            self._keep()
        except OSError:
            self._invitations.never_opened(invitation)
            raise

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

    def _list_invitations(self, fields: Fields) -> InvitationList:
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
                    until=wall + self._invitations.ends_in_s(one, now),
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

    def _answer_for(self, fields: Fields) -> InvitationAnswered:
        """A person says whether a device comes in. It hears of it when it knocks next; the answer
        is durable before."""
        mark, key, is_yes = _text(fields, "mark"), _text(fields, "key"), _yes_or_no(fields, "yes")
        now = self._clock()
        self._invitations.pass_time(now)
        one = next((one for one in self._invitations.kept if one.mark.hex() == mark), None)
        if one is None:
            raise UsageError("there is no such invitation", mark[:64], _SEE_WHO)
        if one.state is not InvitationState.OPEN:
            do = "open another one: leftzmq share DIR --ask"
            raise UsageError(f"is {one.state.value}", f"the invitation to {one.folder}", do)
        waiting = self._invitations.waiting(one, now)
        asked = {said.device: said.name for said in one.answers}
        asked |= {applicant.device: applicant.name for applicant in waiting}
        found = [device for device in asked if public_text(device).startswith(key)]
        if len(found) > 1:
            names = ", ".join(asked[device] for device in found)
            raise UsageError("is the beginning of several keys", key, f"it may be {names}")
        if not found:
            raise UsageError("is the key of no device that waits", key[:64], _SEE_WHO)
        (device,) = found
        if one.use_of(device) is not None:
            do = "take it out again: leftzmq peers remove NAME"
            raise UsageError("came in already", asked[device], do)
        self._invitations.answer(one, PersonAnswer(device, asked[device], is_yes), now)
        try:
            self._keep()
        except OSError:
            self._invitations.put_back(one)
            raise
        self._invitations.heard(one, device)
        return InvitationAnswered(
            name=asked[device], key=public_text(device), folder=one.folder, yes=is_yes
        )

    def _cancel(self, fields: Fields) -> InvitationsCancelled:
        folder = _optional(fields, "folder") or None
        count = self._invitations.cancel(folder, self._clock())
        self._keep()
        return InvitationsCancelled(cancelled=count)

    def _joined(self, fields: Fields) -> Joined:
        """The door of another device has let us in: keep what it said, then act on it."""
        id, path = _text(fields, "folder"), Path(_text(fields, "path"))
        secret, pins = _secret(_text(fields, "secret")), _pins(_optional(fields, "pins"))
        epoch, wants_hold = _epoch(fields), _flag(fields, "hold")
        device, name = parse_public(_text(fields, "device")), _text(fields, "name")
        where = "the answer of the door"
        if device == self._device:
            raise UsageError("comes from this very device", where, "join on another one")
        lines = _optional(fields, "addresses").split("\n")
        addresses = tuple(Endpoint.parse(text, where) for text in lines if text)
        config = self._host.config
        is_listed = any(peer.key == device for peer in config.peers)
        if not is_listed and len(config.peers) >= MAX_PEERS:
            raise _too_many_peers()
        here = next((one for one in config.folders if one.id == id), None)
        folder = LearntFolder(id, path, Origin.JOINED, self._wall())
        if here is None and wants_hold and not _is_empty(path):
            folder = self._to_be_held(folder, device)
        if here is None:
            check_share(config, path, "the share")
            self._must_fit(id)
            _must_be_no_file(path)
            _must_be_of(path, id)
            _make_share(path)
            self._keep_secret(id, secret)
        elif (known := self.learnt.folder(id)) is not None and known.leaves:
            raise UsageError("is being left, as its user said no", id, "join again in a moment")
        elif read_secret(here.secret) != secret:
            what = f"is the name of another folder of this device, at {here.path}"
            raise UsageError(what, id, "share it there under another name: --folder")
        learnt, now = self.learnt, self._wall()
        if not is_listed:
            name = self._free_name(name)
        learnt = learnt.with_device(LearntDevice(name, device, addresses, Origin.JOINED, now))
        if here is None:
            learnt = learnt.with_folder(replace(folder, since=now))
        self._save(learnt)
        if epoch is not None:
            self._rosters.hold(id, epoch)
        if pins and not self._rosters.folders[id].roster.pins:
            self._rosters.pin(id, pins)
        inviter = next((p.name for p in self._host.config.peers if p.key == device), name)
        at = path if here is None else here.path
        held = self.learnt.holds(id)
        return Joined(folder=id, path=str(at), inviter=inviter, is_new=here is None, held=held)

    def _to_be_held(self, folder: LearntFolder, device: bytes) -> LearntFolder:
        """Note what there was nothing of before."""
        state, id = self._state, folder.id
        files_made = {
            JoinMade.LEFT: folder.path / LEFT_DIRECTORY,
            JoinMade.INDEX: state.index_file(id),
            JoinMade.SECRET: state.secret_file(id),
        }
        made = tuple(what for what, file in files_made.items() if not os.path.lexists(file))
        if self.learnt.device(device) is None:
            made = (*made, JoinMade.DEVICE)
        return replace(folder, held=True, made=made, inviter=device)

    def _say_yes(self, fields: Fields) -> JoinAnswered:
        """The plan of a join is agreed to. It is durable before anything is told or changed."""
        folder = self._held(_text(fields, "folder"))
        self._save(self.learnt.with_folder(folder.agreed()))
        self._host.end_hold(folder.id)
        return JoinAnswered(folder=folder.id, path=str(folder.path))

    def _say_no(self, fields: Fields) -> JoinAnswered:
        """The plan of a join is not agreed to: this device leaves the folder again."""
        folder = self._held(_text(fields, "folder"))
        self._leave(folder)
        return JoinAnswered(folder=folder.id, path=str(folder.path))

    def _held(self, id: str) -> LearntFolder:
        folder = self.learnt.folder(id)
        if folder is None or not folder.held:
            raise UsageError("no plan waits for an answer in this folder", id)
        if folder.leaves:
            raise UsageError("is being left, as its user said no", id)
        return folder

    def _leave(self, folder: LearntFolder) -> None:
        """Say that this device is out, then let the members hear it before the folder goes."""
        self._save(self.learnt.with_folder(replace(folder, leaves=True)))
        try:
            self._rosters.leave(folder.id)
        except LeftError:
            self._save(self.learnt.with_folder(folder))
            raise
        self._leaving[folder.id] = self._clock() + LEAVE_S
        self._host.tell_roster(folder.id)

    def _go(self, id: str) -> None:
        """Take off this device what the join of a folder made. What cannot be removed now is tried
        again, also at the next start. Last, the folder is no more."""
        folder = self.learnt.folder(id)
        assert folder is not None
        try:
            self._host.close_share(id)
            remove_made(self._state, folder)
            is_needed = self._rosters.is_in_another(DeviceKey(folder.inviter), id)
            if JoinMade.SECRET in folder.made:
                self._rosters.forget_folder(id)
            self._save(self.learnt.without_joined(id, is_needed=is_needed))
        except (LeftError, OSError):
            self._leaving[id] = self._clock() + LEAVE_AGAIN_S
        else:
            del self._leaving[id]

    def _keep_secret(self, id: str, secret: bytes) -> None:
        file = self._state.secret_file(id)
        make_private(file, secret.hex().encode() + b"\n", self._random)
        if read_secret(file) != secret:
            what = "is the secret of another folder of that name, which was here before"
            raise KeyFileError(what, str(file), "move it away, and join again")

    def _list_peers(self, fields: Fields) -> PeerList:
        shown, learnt = self._host.peers_shown(), {one.key: one for one in self.learnt.devices}
        written = {peer.key for peer in self._host.written.peers}
        members = {one.device: one for one in self._rosters.members()}
        found: list[ListedPeer] = []
        for peer in self._host.config.peers:
            device = learnt.get(peer.key) if peer.key else None
            addresses = [str(one) for one in (peer.address, *peer.more) if one is not None]
            origin = Origin.MEMBER if device is None else device.origin
            key = DeviceKey(peer.key) if peer.key else None
            connected, since = shown.get(peer.name, (False, None))
            found.append(
                ListedPeer(
                    name=peer.name,
                    key=public_text(peer.key) if peer.key else "",
                    addresses=addresses,
                    connected=connected,
                    since=since,
                    origin=(
                        Origin.FILE if peer.key is None or peer.key in written else origin
                    ).value,
                    folders=list(members[key].folders) if key in members else [],
                    mode=(self._rosters.mode(key) if key else None) or "",
                    let_in=[
                        name
                        for names in (self._rosters.let_in_by(key) if key else {}).values()
                        for name in names
                    ],
                )
            )
        return PeerList(peers=found)

    def _remove_peer(self, fields: Fields) -> PeerRemovedReply:
        """Remove a device from all folders here, on every member. A [[peer]] may still connect."""
        keep_invited = _flag(fields, "keep_invited")
        peer = self._peer_named(_text(fields, "name"))
        learnt = self.learnt.device(peer.key) if peer.key else None
        is_written = any(one.key == peer.key for one in self._host.written.peers)
        ids = self._rosters.remove(DeviceKey(peer.key), keep_invited) if peer.key else []
        for id in ids:
            self._host.tell_roster(id)
        if learnt is not None:
            self._save(self.learnt.without_device(learnt.key))
        elif not ids:
            self._learnt_device(peer.name)  # it is written, which is said
            do = "have it removed on a member that may write"
            raise UsageError("cannot be removed by this device, which may only read", peer.name, do)
        return PeerRemovedReply(name=peer.name, folders=ids, is_written=is_written)

    def _rename_peer(self, fields: Fields) -> PeerNamed:
        device, new = self._learnt_device(_text(fields, "name")), _text(fields, "new")
        config = self._host.config
        if not is_name(new):
            what = f"is no name: 1 to {MAX_NAME_CHARS} printable characters are wanted"
            raise UsageError(what, new[:MAX_NAME_CHARS], "name it otherwise")
        if new in (config.device.name, *(peer.name for peer in config.peers)):
            raise UsageError("is the name of another device", new, "name it otherwise")
        self._save(self.learnt.with_changed(replace(device, name=new)))
        return PeerNamed(name=new)

    def _move_peer(self, fields: Fields) -> PeerNamed:
        device = self._learnt_device(_text(fields, "name"))
        address = Endpoint.parse(_text(fields, "address"), "the address")
        others = tuple(one for one in device.addresses if one != address)
        self._save(self.learnt.with_changed(replace(device, addresses=(address, *others))))
        return PeerNamed(name=_text(fields, "name"))

    def _learnt_device(self, name: str) -> LearntDevice:
        """Return the device that this one calls so. Raises UsageError if it is none, or if it is
        written in peer.toml."""
        peer = self._peer_named(name)
        if peer.key is None or any(one.key == peer.key for one in self._host.written.peers):
            do = "change its [[peer]] there, and send the agent SIGHUP"
            raise UsageError(f"is written in {self._host.written.file}", peer.name, do)
        found = self.learnt.device(peer.key)
        if found is None:
            found = LearntDevice(peer.name, peer.key, (), Origin.MEMBER, self._wall())
        return found

    def _peer_named(self, name: str) -> PeerConfig:
        """Return the device that this one calls so, or whose key begins so. Raises UsageError."""
        peers = self._host.config.peers
        named = [one for one in peers if one.name == name]
        if not named:
            named = [one for one in peers if one.key and public_text(one.key).startswith(name)]
        if len(named) == 1:
            return named[0]
        if named:
            names = ", ".join(one.name for one in named)
            raise UsageError("is the beginning of several keys", name, f"it may be {names}")
        names = ", ".join(one.name for one in peers) or "nobody"
        raise UsageError("is no peer of this device", name, f"it has {names}")

    def _list_folders(self, fields: Fields) -> FolderList:
        learnt = {one.id: one for one in self.learnt.folders}
        return FolderList(
            folders=[
                ListedFolder(
                    id=folder.id,
                    path=str(folder.path),
                    state=self._host.folder_state(folder.id),
                    origin=(learnt[folder.id].origin if folder.id in learnt else Origin.FILE).value,
                )
                for folder in self._host.config.folders
            ]
        )

    def _remove_folder(self, fields: Fields) -> FolderRemoved:
        """Its files, its secret and its index stay: who joins it here again goes on."""
        folder = self._folder(_text(fields, "folder"))
        if all(one.id != folder.id for one in self.learnt.folders):
            do = "take its [[folder]] out there, and send the agent SIGHUP"
            raise UsageError(f"is written in {self._host.config.file}", folder.id, do)
        self._invitations.cancel(folder.id, self._clock())
        if self.learnt.holds(folder.id):
            self._leave(self._held(folder.id))
        else:
            self._save(self.learnt.without_folder(folder.id))
        return FolderRemoved(folder=folder.id, path=str(folder.path))

    # -- the door ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the door again, if an invitation is left from before. Raises PortTaken."""
        if self._invitations.kept:
            self._open_door()

    def tick(self) -> None:
        """End what is due; close the door when nobody may come any more. If that cannot be written,
        the wall clock ends it after the next start. Folders that are left go."""
        for id in [id for id, at in self._leaving.items() if self._clock() >= at]:
            self._go(id)
        if self._invitations.pass_time(self._clock()):
            with suppress(OSError):
                self._keep()

    def deadline(self) -> float | None:
        times = [self._invitations.deadline(), *self._leaving.values()]
        return min((at for at in times if at is not None), default=None)

    def on_knocked(self, knocked: Knocked) -> None:
        """Let a device in, or say why not. Its use is durable before it may connect, and it may
        connect before the answer goes out."""
        self._host.answer_at_door(knocked.caller, self._judged(knocked))

    def _judged(self, knocked: Knocked) -> Admitted | NotAdmitted:
        knock, device = knocked.knock, bytes(knocked.device)
        if knock.version != DOOR_VERSION:
            detail = f"it speaks {DOOR_VERSION}, this device speaks {knock.version}"
            return _no(NotAdmittedReason.OTHER_VERSION, detail)
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
        is_listed = any(peer.key == device for peer in config.peers)
        try:
            secret = read_secret(self._folder(found.invitation.folder).secret)
        except LeftError:
            return _no(NotAdmittedReason.UNKNOWN, "the folder is not there any more")
        folder = found.invitation.folder
        if found.is_new and not self._let_in(found, device, knocked.address, is_listed):
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

    def _let_in(self, let_in: LetIn, device: bytes, address: str, is_listed: bool) -> bool:
        """Keep the use and the device; then it may connect. Return False if that cannot be."""
        now, learnt = self._clock(), self.learnt
        if not is_listed:
            name = self._free_name(let_in.use.name)
            let_in = replace(let_in, use=replace(let_in.use, name=name))
            came = LearntDevice(name, device, (), Origin.INVITED, self._wall())
            learnt = learnt.with_device(came)
        self._invitations.use(let_in, now)
        try:
            self._save(learnt)
        except (OSError, LeftError):
            self._invitations.put_back(let_in.invitation)
            return False
        self._host.tell_joined(let_in.use.name, let_in.invitation.folder, address)
        return True

    def _free_name(self, name: str) -> str:
        """Return the name, made unique among this device and its peers."""
        config = self._host.config
        return files.free_name(name, {config.device.name, *(peer.name for peer in config.peers)})

    def endpoints(self, named: str) -> tuple[str, ...]:
        """Return where others reach this device's control socket. named: the host as which its user
        named this machine, or ""."""
        port = self._host.control_port
        hosts = [named] if named else []
        hosts += self._host.reachable().addresses
        return tuple(str(Endpoint(host, port)) for host in dict.fromkeys(hosts))[:MAX_ENDPOINTS]

    def _open_door(self) -> DoorKept:
        """The key pair and the port stay the same while any invitation is known."""
        kept = self.learnt.door
        if kept is None:
            listen = self._host.config.device.listen.port
            port = listen + DOOR_ABOVE if 0 < listen <= MOST_PORT - DOOR_ABOVE else 0
            door = self._host.open_door(None, port)
        else:
            keys = DeviceKeyPair(DeviceKey(kept.public), kept.secret)
            door = self._host.open_door(keys, kept.port)
        self.learnt = replace(self.learnt, door=door)
        return door

    # -- the file ---------------------------------------------------------------------------------

    def _folder(self, id: str) -> FolderConfig:
        folders = self._host.config.folders
        found = next((one for one in folders if one.id == id), None)
        if found is None:
            names = ", ".join(one.id for one in folders) or "none"
            raise UsageError("there is no such folder here", id, f"there is {names}")
        return found

    def _keep(self) -> None:
        """Write the invitations as they are now. The door closes with the last of them."""
        kept: tuple[Invitation, ...] = self._invitations.kept
        self.learnt = replace(self.learnt, invitations=kept)
        self._close_unused_door()
        self._state.save_pairing(files.text_of(self.learnt))

    def _close_unused_door(self) -> None:
        """Close the door if no invitation leads to it. The next one has another key."""
        if not self._invitations.kept:
            self.learnt = replace(self.learnt, door=None)
            self._host.close_door()

    def _save(self, learnt: Learnt) -> None:
        """Write what was learnt; when it is durable, act on it. Raises OSError and LeftError; then
        nothing has changed."""
        learnt = replace(learnt, invitations=self._invitations.kept)
        self._host.check_learnt(learnt)
        self._state.save_pairing(files.text_of(learnt))
        self.learnt = learnt
        self._host.use_learnt(learnt)


def load_learnt(state: StateDir) -> Learnt:
    """Return what invitations brought so far. Raises ConfigError."""
    data, where = state.load_pairing()
    return Learnt() if data is None else files.read(data, where)


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


def _text(fields: Fields, key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{key} is missing", "the question", _SAME_VERSION)
    return value


def _optional(fields: Fields, key: str) -> str:
    """Return a text; "": it was left out. A value of another kind is declined: taken for one that
    was left out, it could mean more than the user did."""
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UsageError("is no text", key, _SAME_VERSION)
    return value


def _flag(fields: Fields, key: str) -> bool:
    """Return true or false; False: it was left out."""
    return fields.get(key) is not None and _yes_or_no(fields, key)


def _yes_or_no(fields: Fields, key: str) -> bool:
    value = fields.get(key)
    if not isinstance(value, bool):
        raise UsageError("is neither true nor false", key, _SAME_VERSION)
    return value


def _number(key: str, value: Scalar, low: float, high: float, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UsageError(f"is no number from {low:g} to {high:g}", key, _SAME_VERSION)
    return float(value)


def _epoch(fields: Fields) -> bytes | None:
    """Return the secret of the epoch that is in use where somebody joined; None: nothing was said
    of it."""
    tag, text = _optional(fields, "epoch_tag"), _optional(fields, "epoch_secret")
    if not tag and not text:
        return None
    secret = _secret(text)
    if derive_epoch(secret).tag.hex() != tag:
        what = "holds a tag of an epoch that is not that of the secret beside it"
        raise UsageError(what, "the answer of the door", "join again")
    return secret


def _secret(text: str) -> bytes:
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        what = f"holds a secret that is not one of {2 * SECRET_BYTES} hex digits"
        raise UsageError(what, "the answer of the door", "join again")
    return secret


def _pins(text: str) -> list[StatementId]:
    """Return the ids of roots, as the door told them: hex digits, one a line."""
    try:
        found = [StatementId(bytes.fromhex(line)) for line in text.split()]
    except ValueError:
        found = [StatementId(b"")]
    if any(len(pin) != STATEMENT_ID_BYTES for pin in found):
        what = f"names a root that is not {2 * STATEMENT_ID_BYTES} hex digits"
        raise UsageError(what, "the answer of the door", "join again")
    return found


def _named_address(text: str, port: int) -> Endpoint | None:
    """Return what the user wrote as --address; without a port it has the door's."""
    if not text:
        return None
    host, colon, digits = text.rpartition(":")
    has_port = bool(colon) and digits.isdecimal() and not host.endswith(":")
    return Endpoint.parse(f"tcp://{text}" if has_port else f"tcp://{text}:{port}", "--address")


def _must_be_of(path: Path, id: str) -> None:
    """Raise ConfigError if the directory has the marker of another folder: it would not be used."""
    other = folder_in(path)
    if other not in (None, id):
        what = f"is the share of the folder {other}, or was it"
        do = f"name another directory; if it is that no more, delete {LEFT_DIRECTORY}/marker in it"
        raise ConfigError(what, str(path), do)


def _is_empty(path: Path) -> bool:
    """Whether a directory holds nothing of its user's, or is none."""
    try:
        return all(entry.name == LEFT_DIRECTORY for entry in path.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False  # who cannot tell asks


def _must_be_no_file(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise ConfigError("is no directory", str(path), "name a directory, or a place for one")


def _make_share(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"cannot be made: {error.strerror}"
        raise ConfigError(what, str(path), "name a directory, or a place for one") from None
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        do = "name a directory where this user may write"
        raise ConfigError("may not be read or written by this user", str(path), do)


def _too_many_peers() -> UsageError:
    what = f"this device has {MAX_PEERS} peers, and can have no more"
    return UsageError(what, "", "leftzmq peers remove NAME")
