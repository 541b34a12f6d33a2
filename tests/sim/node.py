"""One device: its node over its store and share. The mesh on real files and the simulation are two
surroundings for it.

Knows how an agent opens a folder and what it does with each action. Must not know how messages
travel, when jobs run, or which disk is under the share: its surroundings do.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from blake3 import blake3
from nacl.public import PrivateKey

from leftzmq.bandwidth.timetable import DAY_MINUTES, WEEK_MINUTES
from leftzmq.content.cut import ONE_CHUNK_MAX_BYTES, Cutter
from leftzmq.content.epochs import Epochs
from leftzmq.content.ids import chunk_id
from leftzmq.content.keys import FolderKeys, derive_keys, device_mark
from leftzmq.content.lists import build, pack_row
from leftzmq.content.seal import fresh_nonce
from leftzmq.content.signing import sign
from leftzmq.disk.share import Share
from leftzmq.errors import ShareError, Stop, StopCause
from leftzmq.index.flush import flush
from leftzmq.index.store import Store
from leftzmq.runtime.opening import begin_life, forget_unlisted
from leftzmq.sync import actions
from leftzmq.sync.facts import (
    EpochKeyArrived,
    Fact,
    FolderAdded,
    FolderBegun,
    FolderStopped,
    HoldEnded,
    RosterArrived,
    WatchRegained,
)
from leftzmq.sync.folder import Folder
from leftzmq.sync.guard.hold import Hold
from leftzmq.sync.jobs import Job
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.sync.node import Node
from leftzmq.sync.peers.greeting import OurSide, Peers
from leftzmq.sync.peers.membership import Membership
from leftzmq.sync.peers.peer_state import Peer
from leftzmq.sync.peers.roster.exchange import RosterExchange
from leftzmq.sync.peers.roster.making import Signatory
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.transport.decode import EpochKeySealed, RosterSealed, SealedArrived, arrived
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.version import Life, make_life
from leftzmq.wire import epoch_key, roster_part
from leftzmq.wire import page as pages
from leftzmq.wire.codec import Socket, encode
from leftzmq.wire.folder_rows import Standing, opened
from leftzmq.wire.messages import (
    Chunks,
    EpochKey,
    Get,
    Hello,
    IndexPage,
    Message,
    News,
    Open,
    RosterPart,
    Welcome,
)
from leftzmq.wire.roster_part import RosterSaid
from leftzmq.wire.statements import Signed
from leftzmq.work.runner import JobRunner
from tests.helpers.roster_keeper import RosterKeeper

FOLDER = "share"
SECRET = bytes(range(32))
BULK = (Get, Chunks, Open)


def minute_at(wall_ns: int) -> int:
    """The minute of the week in UTC. The first of 1970 was a Thursday."""
    return (wall_ns // 60_000_000_000 + 3 * DAY_MINUTES) % WEEK_MINUTES


class Dropped(AssertionError):
    """A device shut another one out. All of them are honest."""


class Surroundings(Protocol):
    """What a device uses of the mesh or the simulation around it."""

    now: float
    random: random.Random

    # Each setting has a Device of its own.
    def wall_ns(self, device: Any) -> int: ...
    def submit(self, device: Any, job: Job) -> None: ...
    def send(self, device: Any, link: Link, message: Message, body: object) -> None: ...
    def publish(self, device: Any, publish: actions.Publish) -> None: ...
    def subscribe(self, device: Any, key: DeviceKey) -> None: ...


class Device:
    """`alive` between `begin` and `end`.

    held: its user joined it into a directory that is not empty, and has not answered the plan
    waits: its user adds the folder while the agent runs (`add_folder`); until then nothing of it is
        open
    """

    def __init__(self, around: Surroundings, name: str) -> None:
        self.around, self.name = around, name
        self.key = DeviceKey(name.encode().ljust(32, b"-"))
        self.signs: Callable[[bytes], bytes] = _signs_nothing
        self.secret = b""  # the secret half of its key, where that is one
        self.roster_keeper = RosterKeeper()
        self.random_bytes: Callable[[int], bytes] = os.urandom  # of rosters
        self.keys = derive_keys(SECRET)
        self.events: list[actions.Tell] = []
        self.answers: list[dict[str, Any]] = []
        self.askers: list[bytes] = []  # of the answers
        self.answered: dict[bytes, float] = {}  # asker -> when it was answered last
        self.sent: list[object] = []
        self.alive = False
        self.waits = self.held = False
        self.starts = 0
        self.ignore: tuple[str, ...] = ()  # the rules that only this device has
        self.only: tuple[str, ...] = ()  # the paths that its config says it fetches; none: all
        self.mode = FolderMode.BOTH
        self.index_fits = 1 << 40  # bytes of an index that fit on the disk of its state directory

    def begin(
        self,
        index: Path,
        open_share: Callable[[bytes | None], Share],
        peers: list[Peer],
    ) -> None:
        """Does what Agent of runtime/agent does between the lock of its state directory and
        `Started`."""
        self.starts += 1
        self.index_file, self._share_of = index, open_share
        self._listed = {peer.key for peer in peers}
        self.token: bytes | None = None  # of the share that this agent opened last
        self.runner = JobRunner(
            lambda: self.around.wall_ns(self),
            self.make_durable,
            self._open_anew,
            lambda index, percent: self.index_fits,
        )
        self.alive = True
        self.folders: dict[str, Folder] = {}
        self.hold = Hold(self.held)
        self.rosters = self.rosters_kept()
        membership = Membership(self.key, self.folders, fresh_nonce, self.rosters.excludes)
        self.agents = Peers(OurSide(self.name, 1, 2), peers, membership)
        self.opened_share: Share | None = None
        self._anew: Folder | None = None
        self.folder = self._to_be_opened() if self.waits else self._made()
        self.store = self.folder.store
        if not self.waits:
            self.folders[FOLDER] = self.folder
            self._begin_at_start()
        about = {"name": self.name, "key": self.name, "keyless": []}
        self.exchange = RosterExchange(self.rosters, self.agents, self.is_vouched, self.may_found)
        self.node = Node(self.folders, self.agents, self.exchange, about, minute_at)

    def gets_keys(self) -> None:
        """From now on it has a key of its own, which depends on its name alone."""
        pair = PrivateKey(blake3(self.name.encode()).digest())
        self.key, self.secret = DeviceKey(bytes(pair.public_key)), bytes(pair)
        self.signs = partial(sign, self.secret)

    def rosters_kept(self) -> Rosters:
        """The rosters as a start of the agent finds them."""
        us = Signatory(self.key, self.signs)
        wall_s = lambda: self.around.wall_ns(self) / 1e9  # noqa: E731
        no_label = lambda device: ""  # noqa: E731
        rosters = Rosters(us, self.name, no_label, self.roster_keeper, wall_s, self.random_bytes)
        rosters.add_folder(FOLDER, self.keys)
        return rosters

    def is_vouched(self, device: DeviceKey) -> bool:
        """Whether a person here wrote this device, or let it in."""
        return device in self._listed

    def may_found(self, device: DeviceKey) -> bool:
        """Whether a person here wrote this device, or joined by its invitation."""
        return device in self._listed

    @property
    def epochs(self) -> Epochs:
        return self.rosters.epochs(self.keys)

    def says_yes(self) -> None:
        """Its user agrees to the plan: what PairingDesk does is durable by then."""
        self.held = False
        self.handle(HoldEnded(FOLDER))

    def _to_be_opened(self) -> Folder:
        store, hold = Store.empty(), self.hold
        folder = Folder(FOLDER, self.keys, self.epochs, self.key, store, self.agents, hold=hold)
        folder.stop(Stop(StopCause.OPENING, "it is being opened"))
        return folder

    def _begin_at_start(self) -> None:
        stop = self.rosters.put_out(FOLDER)
        if stop is not None:
            self.folder.stop(stop)
            return
        try:
            self._begin(self.folder)
        except ShareError as error:
            self.folder.stop(error.stop)
        else:
            self.began()

    def add_folder(self) -> None:
        """Does what Folders.add of runtime/folders does."""
        self.waits = False
        self.hold = Hold(self.held)
        self.folder.store.close()  # of a folder that was taken off, or of none
        self.folder = self.folders[FOLDER] = self._to_be_opened()
        self.store = self.folder.store
        if FOLDER not in self.rosters.folders:
            self.rosters.add_folder(FOLDER, self.keys)
        self.exchange.folder_added(FOLDER)
        stop = self.rosters.put_out(FOLDER)
        if stop is not None:
            self.folder.stopped = stop
        else:
            self.handle(FolderAdded(FOLDER))

    def take_folder_off(self) -> None:
        """Its user said no to the plan of a join: what PairingDesk._go does, but for what the join
        made on the disk."""
        self.waits, self.held, self.token = True, False, None
        self.handle(FolderStopped(FOLDER, Stop(StopCause.REMOVED, "it was taken off this device")))
        if self.opened_share is not None:
            self.opened_share.close()
            self.opened_share = None
        self.rosters.forget_folder(FOLDER)

    def _made(self) -> Folder:
        """The folder over its index."""
        store = Store(self.index_file)
        self.index_opened()
        forget_unlisted(store, self._listed)
        self.opened_with = self.ignore, self.only
        return Folder(
            FOLDER,
            self.keys,
            self.epochs,
            self.key,
            store,
            self.agents,
            hold=self.hold,
            ignore=self.ignore,
            only=self.only,
            mode=self.mode,
        )

    def _begin(self, folder: Folder) -> None:
        """A life of it begins. Raises ShareError."""

        def life() -> Life:
            unix_s = self.around.wall_ns(self) // 1_000_000_000
            return make_life(device_mark(self.key), unix_s, self.around.random.randbytes(4))

        _, context = begin_life(folder, self.key, self._opened_share, self.token, life)
        self.runner.add(context)

    def _opened_share(self, token: bytes | None) -> Share:
        share = self.opened_share = self._share_of(token)
        self.token = share.token
        return share

    def _open_anew(self, id: str) -> None:
        if self.opened_share is not None:
            self.opened_share.close()
            self.opened_share = None
        if self._anew is not None:  # opened, and not taken over
            self._anew.store.close()
            self._anew = None
        folder = self._made()
        try:
            self._begin(folder)
        except BaseException:
            folder.store.close()
            raise
        self._anew = folder

    def index_opened(self) -> None:
        """Its index was opened, and nothing was written to it since."""

    def began(self) -> None:
        """A folder begins, over a new store."""

    def take_over(self) -> None:
        assert self._anew is not None
        before, self.folder, self._anew = self.folder, self._anew, None
        self.folder.goes_on_after(before)
        before.store.close()
        self.store = self.folder.store
        self.folders[FOLDER] = self.folder
        self.began()
        self.handle(FolderBegun(FOLDER))

    def end(self) -> None:
        """The process ends: only committed data stays."""
        self.alive = False
        for folder in (self.folder, self._anew):
            if folder is not None:
                folder.store._db.close()
        for _, reader in self.runner._own.__dict__.get("readers", {}).values():
            reader.close()

    def make_durable(self, index: Path) -> None:
        flush(index)

    def handle(self, fact: Fact) -> None:
        for action in self.node.handle(fact, self.around.now, self.around.wall_ns(self)):
            self.do(action)

    def do(self, action: actions.Action) -> None:
        match action:
            case actions.Work(job):
                self.around.submit(self, job)
            case actions.Tell():
                self.events.append(action)
            case actions.Answer(asker, fields):
                self.answers.append(dict(fields))
                self.askers.append(asker)
                self.answered[asker] = self.around.now
            case actions.Send(link, message, body):
                self.sent.append(message)
                self.around.send(self, link, message, body)
            case actions.SendRoster(link, _, digest, statements):
                self.send_roster(link, digest, statements)
            case actions.SendEpochKey(link, _, epoch):
                self.send_epoch_key(link, epoch)
            case actions.RelistMembers():
                self.relist()
            case actions.Publish():
                if self.epochs.in_use is not None:
                    self.around.publish(self, action)
            case actions.TakeOver():
                self.take_over()
            case actions.ForgetFolder(folder):
                del self.folders[folder]
                self.runner.remove(folder)
            case actions.WatchAnew(folder, path):
                self.handle(WatchRegained(folder, path))
            case actions.Subscribe(device):
                self.around.subscribe(self, device)
            case actions.Drop():
                self.dropped(action)

    def send_roster(self, link: Link, digest: bytes, statements: tuple[Signed, ...] | None) -> None:
        said: Iterable[RosterSaid] = [RosterSaid(digest, ())]
        if statements is not None:
            said = roster_part.parts(digest, statements)
        for part in said:
            sealed = roster_part.seal(part, self.keys, self.key, fresh_nonce())
            message = RosterPart(self.keys.tag, sealed)
            self.sent.append(message)
            self.around.send(self, link, message, None)

    def send_epoch_key(self, link: Link, epoch: bytes) -> None:
        secret = self.epochs.secret(epoch)
        assert secret is not None
        sealed = epoch_key.seal(secret, self.secret, link.device, fresh_nonce())
        message = EpochKey(self.keys.tag, epoch, sealed)
        self.sent.append(message)
        self.around.send(self, link, message, None)

    def relist(self) -> None:
        """The members are others now. Here everybody who is dialed is listed."""

    def dropped(self, drop: actions.Drop) -> None:
        """No honest device is ever dropped."""
        raise Dropped(f"{self.name} dropped {drop.device!r}: {drop.refusal} {drop.detail}")

    def scan(self) -> None:
        """Hand over all pending touches of the watcher at once."""
        for output in self.folder.scheduler.walk_all(self.around.now):
            if not isinstance(output, actions.Action):
                self.handle(output)  # deletes that were held back until now
                continue
            if isinstance(output, actions.Work):
                self.node.reopening.job_begins(FOLDER)
            self.do(output)

    def sealed(self, publish: actions.Publish) -> News:
        epoch = self.epochs.in_use
        assert epoch is not None
        return News(epoch.tag, pages.seal(publish.page, epoch, fresh_nonce()))


def _signs_nothing(message: bytes) -> bytes:
    raise AssertionError("a device without a key of its own is in no roster")


def content_id(keys: FolderKeys, data: bytes | bytearray) -> bytes:
    """Returns the content id of a file of these bytes."""
    if len(data) <= ONE_CHUNK_MAX_BYTES:
        return chunk_id(keys, data)
    rows, at = [], 0
    with memoryview(data) as window:
        for size in Cutter(keys).cut(window, last=True):
            rows.append(pack_row(chunk_id(keys, window[at : at + size]), size))
            at += size
    return build(keys, b"".join(rows)).content


def arrival(receiver: Device, came: Link, message: Message, body: object) -> Fact | None:
    """The fact that a message becomes at its receiver, through codec, checks and seal; None: none,
    as the folder is stopped."""
    if isinstance(message, News) and came.way is Way.DIALED:
        socket = Socket.NEWS
    else:
        socket = Socket.BULK if isinstance(message, BULK) else Socket.CONTROL
    frame = encode(message)
    if (refused := receiver.node.admit(came.device, frame, receiver.around.now)) is not None:
        return refused
    fact = arrived(came, socket, frame, None if body is None else bytes(body))  # type: ignore[call-overload]
    if isinstance(fact, SealedArrived):
        return receiver.folder.opened(came, fact.tag, fact.sealed, fact.answer)
    if isinstance(fact, RosterSealed):
        said = roster_part.open_sealed(fact.sealed, receiver.keys, came.device)
        return RosterArrived(came, FOLDER, said)
    if isinstance(fact, EpochKeySealed):
        secret = epoch_key.open_sealed(fact.sealed, fact.epoch, receiver.secret, came.device)
        return EpochKeyArrived(came, FOLDER, fact.epoch, secret)
    return fact


def heads_in(sender: Device, to: DeviceKey, message: Message) -> list[int]:
    """Returns the sequences that a message of this sender names as its last durable ones."""
    if isinstance(message, Hello | Welcome):
        rows = (opened(sender.keys, sender.key, to, FOLDER, row) for row in message.folders)
        return [row.head for row in rows if isinstance(row, Standing)]
    if isinstance(message, IndexPage):
        epoch = sender.epochs.keys(message.tag)
        assert epoch is not None
        page = pages.open_sealed(message.sealed, epoch, device=sender.key, folder=FOLDER)
        return [page.head]
    return []


def socket_of(message: Message) -> Socket:
    return Socket.BULK if isinstance(message, BULK) else Socket.CONTROL
