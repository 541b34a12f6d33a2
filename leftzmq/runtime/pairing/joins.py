"""A folder of another device is joined here, and its user says yes or no to the plan.

Knows what a door answered, and what a join makes on this device. Must not know how that door was
reached, nor how a plan is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from leftzmq.config import MAX_PEERS
from leftzmq.config.checks import check_share
from leftzmq.content.keys import derive_keys
from leftzmq.errors import ConfigError, KeyFileError, UsageError
from leftzmq.pairing.learnt import JoinMade, LearntDevice, LearntFolder, Origin, name_for_new_peer
from leftzmq.runtime.pairing.asked_fields import AskedFields
from leftzmq.runtime.pairing.host import KnowsConfig
from leftzmq.runtime.pairing.learnt_file import LearntFile
from leftzmq.runtime.pairing.leaving import Leaving, held_folder
from leftzmq.runtime.pairing.local_folders import (
    check_id,
    check_marker,
    check_no_file,
    is_empty,
    make_share,
)
from leftzmq.statedir import StateDir, make_private, read_secret
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.transport.device_key import parse_public
from leftzmq.tree.rules import LEFT_DIRECTORY
from leftzmq.wire.replies import JoinAnswered, Joined


class JoinHost(KnowsConfig, Protocol):
    def end_hold(self, folder: str) -> None:
        """The user of this device said yes to the plan of a join."""


class JoinVerbs:
    """Each method answers one verb.

    device: our own key, 32 bytes
    wall: returns unix seconds; random: returns random bytes
    """

    def __init__(
        self,
        host: JoinHost,
        state: StateDir,
        device: bytes,
        file: LearntFile,
        rosters: Rosters,
        leaving: Leaving,
        wall: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._host, self._state, self._device, self._file = host, state, device, file
        self._rosters, self._leaving = rosters, leaving
        self._wall, self._random = wall, random

    def joined(self, asked: AskedFields) -> Joined:
        """The door of another device has let us in: keep what it said, then act on it. Where the
        roster begins is kept before all that leads to a greeting: who is greeted in between would
        find a folder without a roster here."""
        id, path = asked.text("folder"), Path(asked.text("path"))
        secret, pins = asked.secret("secret"), asked.pins("pins")
        epoch, wants_hold = asked.epoch("epoch_tag", "epoch_secret"), asked.flag("hold")
        device, name = parse_public(asked.text("device")), asked.text("name")
        if device == self._device:
            what, where = "comes from this very device", "the answer of the door"
            raise UsageError(what, where, "join on another one")
        addresses = asked.endpoints("addresses")
        config = self._host.config
        is_listed = any(peer.key == device for peer in config.peers)
        if not is_listed and len(config.peers) >= MAX_PEERS:
            what = f"this device has {MAX_PEERS} peers, and can have no more"
            raise UsageError(what, "", "leftzmq peers remove NAME")
        here = next((one for one in config.folders if one.id == id), None)
        folder = LearntFolder(id, path, Origin.JOINED, self._wall())
        if here is None and wants_hold and not is_empty(path):
            folder = self._to_be_held(folder, device)
        if here is None:
            check_share(config, path, "the share")
            check_id(config, id)
            check_no_file(path)
            check_marker(path, id)
            make_share(path)
        elif (known := self._file.learnt.folder(id)) is not None and known.leaves:
            raise UsageError("is being left, as its user said no", id, "join again in a moment")
        elif read_secret(here.secret) != secret:
            what = f"is the name of another folder of this device, at {here.path}"
            raise UsageError(what, id, "share it there under another name: --folder")
        learnt, now = self._file.learnt, self._wall()
        if not is_listed:
            name = name_for_new_peer(name, config)
        learnt = learnt.with_device(LearntDevice(name, device, addresses, Origin.JOINED, now))
        if here is None:
            learnt = learnt.with_folder(replace(folder, since=now))
        with self._file.new_secret(id) as file:
            if here is None:
                self._keep_secret(file, secret)
            self._rosters.keep_beginning(derive_keys(secret), pins, epoch)
            self._file.save(learnt)
        inviter = next((p.name for p in self._host.config.peers if p.key == device), name)
        at = path if here is None else here.path
        held = self._file.learnt.holds(id)
        return Joined(folder=id, path=str(at), inviter=inviter, is_new=here is None, held=held)

    def say_yes(self, asked: AskedFields) -> JoinAnswered:
        """The plan of a join is agreed to. It is durable before anything is told or changed."""
        folder = self._held(asked.text("folder"))
        self._file.save(self._file.learnt.with_folder(folder.agreed()))
        self._host.end_hold(folder.id)
        return JoinAnswered(folder=folder.id, path=str(folder.path))

    def say_no(self, asked: AskedFields) -> JoinAnswered:
        """The plan of a join is not agreed to: this device leaves the folder again."""
        folder = self._held(asked.text("folder"))
        self._leaving.leave(folder)
        return JoinAnswered(folder=folder.id, path=str(folder.path))

    def _held(self, id: str) -> LearntFolder:
        """Return the folder, which waits for an answer and can be used. Raises LeftError."""
        for one in self._host.config.unusable:
            if one.id == id:
                raise ConfigError(one.why)
        return held_folder(self._file.learnt, id)

    def _to_be_held(self, folder: LearntFolder, device: bytes) -> LearntFolder:
        """Note what there was nothing of before."""
        state, id = self._state, folder.id
        files_made = {
            JoinMade.LEFT: folder.path / LEFT_DIRECTORY,
            JoinMade.INDEX: state.index_file(id),
            JoinMade.SECRET: state.secret_file(id),
        }
        made = tuple(what for what, file in files_made.items() if not os.path.lexists(file))
        if self._file.learnt.device(device) is None:
            made = (*made, JoinMade.DEVICE)
        return replace(folder, held=True, made=made, inviter=device)

    def _keep_secret(self, file: Path, secret: bytes) -> None:
        make_private(file, secret.hex().encode() + b"\n", self._random)
        if read_secret(file) != secret:
            what = "is the secret of another folder of that name, which was here before"
            raise KeyFileError(what, str(file), "move it away, and join again")
