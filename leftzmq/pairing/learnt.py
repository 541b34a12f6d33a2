"""What this device learnt by invitations: devices, folders, and the invitations that are open.

It lies in one private file of the state directory, beside peer.toml, which only persons write. The
file is JSON, so that it can be read and corrected. It is replaced whole.

Knows the file's form, and how what was learnt and peer.toml make one config. Must not know who
writes the file, nor when.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from leftzmq.config import (
    MAX_PEERS,
    Config,
    Endpoint,
    FolderConfig,
    PeerConfig,
    UnusableFolder,
    with_settings,
)
from leftzmq.config.checks import check_beside, check_share
from leftzmq.config.values import MAX_FOLDERS
from leftzmq.content.key_text import key_beginning
from leftzmq.errors import ConfigError
from leftzmq.pairing.invitations import (
    Invitation,
    InvitationState,
    Mode,
    PersonAnswer,
    Use,
)

FORM: Final = 1
"""Of the file. A later form is refused: what it holds is not known."""
KEY_BYTES: Final = 32
_DO: Final = "correct it, or move it away: the devices and folders in it must then be joined again"


class Origin(Enum):
    """Where a device or a folder comes from. The value is the word that a user reads."""

    FILE = "peer.toml"
    INVITED = "invited by this device"
    JOINED = "by an invitation"
    SHARED = "leftzmq share"
    MEMBER = "a member of a folder"  # known here by what its user calls it, or where


class LearntDevice(Struct, frozen=True):
    """key: 32 bytes. addresses: of its control socket, best first. since: unix seconds."""

    name: str
    key: bytes
    addresses: tuple[Endpoint, ...]
    origin: Origin
    since: float


class JoinMade(Enum):
    """What a join made for its folder: it goes again if the user says no to the plan."""

    LEFT = "the .left in its directory"
    INDEX = "its index"
    SECRET = "the file of its secret"
    DEVICE = "what is known of the device that invited"


class LearntFolder(Struct, frozen=True):
    """Its secret is in a file of its own (StateDir.secret_file). since: unix seconds.

    held: its directory was not empty when it was joined, and its user has not said yes to the plan
    leaves: the user said no, and it is about to go
    made, inviter: while it is held: what its join made; the key of the device that invited, 32
        bytes; else b""
    settings: what its user set of it (config.FOLDER_SETTINGS), as a [[folder]] would have it
    """

    id: str
    path: Path
    origin: Origin
    since: float
    held: bool = False
    leaves: bool = False
    made: tuple[JoinMade, ...] = ()
    inviter: bytes = b""
    settings: Mapping[str, Any] = {}

    def agreed(self) -> LearntFolder:
        """The user said yes: from now on it is a folder like any other."""
        return replace(self, held=False, leaves=False, made=(), inviter=b"")

    def held_again(self) -> LearntFolder:
        """It could not go."""
        return replace(self, leaves=False)


class ListedMember(Struct, frozen=True):
    """A device that the rosters of our folders name. addresses: as it says; name: a label."""

    key: bytes
    name: str
    addresses: tuple[Endpoint, ...]


class FromRosters(Struct, frozen=True):
    """What the rosters of our folders say of other devices.

    members: those that are in a folder; shut_out: keys of those that were removed, and are in none:
        they are listed no more, whoever invited them
    names: how devices were called so far, by key: members keep these names while the agent runs
    """

    members: tuple[ListedMember, ...] = ()
    shut_out: frozenset[bytes] = frozenset()
    names: Mapping[bytes, str] = {}


SETTINGS_OF: Final = Path("leftzmq folders set")
"""Where a sentence says that a wrong setting stands."""
NO_ROSTERS: Final = FromRosters()


@dataclass(frozen=True, slots=True)
class DoorKept:
    """The door while an invitation is open: its key pair (32 bytes each) and port."""

    public: bytes
    secret: bytes = field(repr=False)
    port: int


class Learnt(Struct, frozen=True):
    """The whole file."""

    devices: tuple[LearntDevice, ...] = ()
    folders: tuple[LearntFolder, ...] = ()
    invitations: tuple[Invitation, ...] = ()
    door: DoorKept | None = None

    def device(self, key: bytes) -> LearntDevice | None:
        return next((one for one in self.devices if one.key == key), None)

    def with_device(self, device: LearntDevice) -> Learnt:
        """A device that is known already has the new addresses, and keeps its name."""
        before = self.device(device.key)
        if before is None:
            return replace(self, devices=(*self.devices, device))
        addresses = (
            *device.addresses,
            *(one for one in before.addresses if one not in device.addresses),
        )
        return self.with_changed(replace(before, addresses=addresses))

    def with_changed(self, device: LearntDevice) -> Learnt:
        """The device of this key has another name or other addresses; it may be new here."""
        if self.device(device.key) is None:
            return replace(self, devices=(*self.devices, device))
        return replace(
            self, devices=tuple(device if one.key == device.key else one for one in self.devices)
        )

    def without_device(self, key: bytes) -> Learnt:
        return replace(self, devices=tuple(one for one in self.devices if one.key != key))

    def with_folder(self, folder: LearntFolder) -> Learnt:
        others = tuple(one for one in self.folders if one.id != folder.id)
        return replace(self, folders=(*others, folder))

    def with_changed_folder(self, folder: LearntFolder) -> Learnt:
        """The folder of this id is another one now, at the same place in the list."""
        return replace(
            self, folders=tuple(folder if one.id == folder.id else one for one in self.folders)
        )

    def folder(self, id: str) -> LearntFolder | None:
        return next((one for one in self.folders if one.id == id), None)

    def holds(self, id: str) -> bool:
        """Whether a folder is held until its user answers the plan."""
        folder = self.folder(id)
        return folder is not None and folder.held

    def has_joined_besides(self, id: str) -> bool:
        """Whether another folder came from an inviter."""
        return any(one.origin is Origin.JOINED and one.id != id for one in self.folders)

    def without_joined(self, id: str, *, is_needed: bool) -> Learnt:
        """A join is undone. is_needed: whether the device that invited is in another folder."""
        folder = self.folder(id)
        found = self.without_folder(id)
        if folder is None or JoinMade.DEVICE not in folder.made or is_needed:
            return found
        return found.without_device(folder.inviter)

    def without_folder(self, id: str) -> Learnt:
        return replace(self, folders=tuple(one for one in self.folders if one.id != id))


def free_name(name: str, taken: set[str]) -> str:
    """Return the name, or if it is taken, the first of "name-2", "name-3"... that is free. After
    "name-2" comes "name-3", too."""
    free, (base, dash, digits) = name, name.rpartition("-")
    if not (dash and digits.isdecimal() and len(digits) == 1):
        base, digits = name, "1"
    number = int(digits)
    while free in taken:
        number += 1
        free = f"{base}-{number}"
    return free


def name_for_new_peer(name: str, config: Config) -> str:
    """Return the name, made unique among this device and its peers."""
    return free_name(name, {config.device.name, *(peer.name for peer in config.peers)})


def merged(
    config: Config,
    learnt: Learnt,
    secret_file: Callable[[str], Path],
    rosters: FromRosters = NO_ROSTERS,
    heard: Callable[[bytes], tuple[Endpoint, ...]] = lambda key: (),
) -> Config:
    """Return the config together with what was learnt. What a person wrote wins: a device that is a
    [[peer]], or a folder that is a [[folder]], is taken from peer.toml.

    secret_file: returns the file of a folder's secret
    heard: returns where a device was heard of in the local network: the last places to try

    A share that was learnt was in a place for it at that time. So where a [[folder]] lies in its
    way, the [[folder]] was written later, and is unusable.
    """
    peers = all_peers(config, learnt, rosters, heard)
    unusable, taken = [*config.unusable], config.folder_ids
    known = replace(config, folders=())
    for folder in learnt.folders:
        if folder.id in taken:
            continue
        try:
            who = f"the folder {folder.id}, which was shared or joined,"
            check_share(known, folder.path, who)
            bare = FolderConfig(folder.id, folder.path, secret_file(folder.id))
            more = with_settings(bare, folder.settings, SETTINGS_OF)
        except ConfigError as error:
            unusable.append(UnusableFolder(folder.id, str(folder.path), str(error)))
            continue
        known = replace(known, folders=(*known.folders, more))
    written: list[FolderConfig] = []
    for one in config.folders:
        try:
            check_beside(known, one)
            written.append(one)
        except ConfigError as error:
            unusable.append(UnusableFolder(one.id, str(one.path), str(error)))
    return replace(
        config,
        peers=peers[:MAX_PEERS],
        folders=(*written, *known.folders)[:MAX_FOLDERS],
        unusable=tuple(unusable),
    )


def all_peers(
    config: Config,
    learnt: Learnt,
    rosters: FromRosters,
    heard: Callable[[bytes], tuple[Endpoint, ...]],
) -> tuple[PeerConfig, ...]:
    """Return all devices that should be peers: those of peer.toml first, then those that were
    learnt, then those that only rosters name. They may be more than MAX_PEERS."""
    peers = [_heard_too(peer, heard) for peer in config.peers]
    known = {peer.key for peer in peers}
    taken = {peer.name for peer in peers} | {config.device.name}
    says = {member.key: member.addresses for member in rosters.members}
    listed = [
        ListedMember(one.key, one.name, (*one.addresses, *says.get(one.key, ())))
        for one in learnt.devices
        if one.key not in rosters.shut_out and (one.origin is not Origin.MEMBER or one.key in says)
    ]
    here = {one.key for one in learnt.devices}
    listed += [
        replace(one, name=rosters.names.get(one.key, one.name or key_beginning(one.key)))
        for one in rosters.members
        if one.key not in here
    ]
    for device in listed:
        if device.key in known:
            continue
        name = free_name(device.name, taken)
        taken.add(name)
        addresses = tuple(dict.fromkeys((*device.addresses, *heard(device.key))))
        peers.append(PeerConfig(name, next(iter(addresses), None), device.key, addresses[1:]))
    return tuple(peers)


def _heard_too(peer: PeerConfig, heard: Callable[[bytes], tuple[Endpoint, ...]]) -> PeerConfig:
    places = heard(peer.key) if peer.key else ()
    known = () if peer.address is None else (peer.address, *peer.more)
    found = tuple(dict.fromkeys((*known, *places)))
    return replace(peer, address=found[0], more=found[1:]) if places else peer


# ---- the file -----------------------------------------------------------------------------------


def text_of(learnt: Learnt) -> str:
    """Return the file. The inverse of `read`."""
    value: dict[str, Any] = {
        "form": FORM,
        "devices": [
            {
                "name": one.name,
                "key": one.key.hex(),
                "addresses": [str(address) for address in one.addresses],
                "origin": one.origin.name,
                "since": one.since,
            }
            for one in learnt.devices
        ],
        "folders": [
            {
                "id": one.id,
                "path": str(one.path),
                "origin": one.origin.name,
                "since": one.since,
                "held": one.held,
                "leaves": one.leaves,
                "made": [made.name for made in one.made],
                "inviter": one.inviter.hex(),
                "settings": dict(one.settings),
            }
            for one in learnt.folders
        ],
        "invitations": [
            {
                "mark": one.mark.hex(),
                "folder": one.folder,
                "uses": one.uses,
                "opened": one.opened,
                "ttl_s": one.ttl_s,
                "used_by": [{"device": use.device.hex(), "name": use.name} for use in one.used_by],
                "state": one.state.name,
                "host": one.host,
                "known": one.known,
                "asks": one.asks,
                "answers": [
                    {"device": said.device.hex(), "name": said.name, "yes": said.is_yes}
                    for said in one.answers
                ],
                "mode": one.mode,
            }
            for one in learnt.invitations
        ],
        "door": None
        if learnt.door is None
        else {
            "public": learnt.door.public.hex(),
            "secret": learnt.door.secret.hex(),
            "port": learnt.door.port,
        },
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def read(data: bytes, where: str) -> Learnt:
    """Return what a file holds. Raises ConfigError, which names the file: `where`."""
    try:
        value = json.loads(data)
        if not isinstance(value, dict) or value["form"] != FORM:
            what = "is of another version of leftzmq"
            raise ConfigError(what, where, "use the leftzmq that wrote it, or move it away")
        door = value["door"]
        return Learnt(
            tuple(_device(one, where) for one in value["devices"]),
            tuple(_folder(one) for one in value["folders"]),
            tuple(_invitation(one) for one in value["invitations"]),
            None if door is None else _door(door),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = f"cannot be read: {type(error).__name__}: {error}"
        raise ConfigError(what, where, _DO) from None


def _device(one: Any, where: str) -> LearntDevice:
    addresses = tuple(Endpoint.parse(text, where) for text in one["addresses"])
    name, since = _text(one["name"]), float(one["since"])
    return LearntDevice(name, _bytes(one["key"]), addresses, Origin[one["origin"]], since)


def _folder(one: Any) -> LearntFolder:
    path = Path(_text(one["path"]))
    if not path.is_absolute():
        raise ValueError(f"{path} is relative")
    inviter = one.get("inviter", "")
    return LearntFolder(
        _text(one["id"]),
        path,
        Origin[one["origin"]],
        float(one["since"]),
        _flag(one.get("held", False)),
        _flag(one.get("leaves", False)),
        tuple(JoinMade[name] for name in one.get("made", ())),
        _bytes(inviter) if inviter else b"",
        dict(one.get("settings", {})),
    )


def _invitation(one: Any) -> Invitation:
    return Invitation(
        _bytes(one["mark"]),
        _text(one["folder"]),
        int(one["uses"]),
        float(one["opened"]),
        float(one["ttl_s"]),
        tuple(_uses(one["used_by"])),
        InvitationState[one["state"]],
        _text(one["host"]) if one["host"] else "",
        int(one.get("known", 0)),
        _flag(one.get("asks", False)),
        tuple(_person_answers(one.get("answers", ()))),
        _mode(one.get("mode", "full")),
    )


def _mode(value: Any) -> Mode:
    if value not in ("full", "read"):
        raise ValueError(f"{value!r} is no mode")
    mode: Mode = value
    return mode


def _uses(found: Any) -> Iterator[Use]:
    for one in found:
        yield Use(_bytes(one["device"]), _text(one["name"]))


def _person_answers(found: Any) -> Iterator[PersonAnswer]:
    for one in found:
        yield PersonAnswer(_bytes(one["device"]), _text(one["name"]), _flag(one["yes"]))


def _door(one: Any) -> DoorKept:
    return DoorKept(_bytes(one["public"]), _bytes(one["secret"]), int(one["port"]))


def _bytes(text: Any) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != KEY_BYTES:
        raise ValueError(f"{len(found)} bytes, {KEY_BYTES} are wanted")
    return found


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f"{value!r} is no text")
    return value
