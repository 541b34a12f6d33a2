"""Builds all parts of the agent and executes actions.

Knows config, state, shares, machines, workers and sockets; no other module knows them all. Must not
decide anything: events become facts for the node, and the node's actions go to the bus, the workers
or the log.
"""

from __future__ import annotations

import gc
import math
import os
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol

from leftzmq.config import Config, Endpoint, FolderConfig, PeerConfig, load, nobody_has_our_key
from leftzmq.content.cut import require_compiled
from leftzmq.content.keys import derive_keys
from leftzmq.content.memory import resident_bytes, trim, tune_malloc
from leftzmq.content.seal import fresh_nonce
from leftzmq.content.signing import sign
from leftzmq.disk.fs.real import missing_calls
from leftzmq.errors import (
    BEGIN_ONE,
    NO_FOLDER,
    ConfigError,
    LeftError,
    OurMistake,
    PortTaken,
    Refusal,
    Refused,
    Stop,
    StopCause,
    flight_kept,
    flight_lost,
)
from leftzmq.pairing.learnt import (
    DoorKept,
    FromRosters,
    Learnt,
    ListedMember,
    Origin,
    merged,
)
from leftzmq.pairing.roster_store import RosterStore
from leftzmq.runtime.config_changes import changes
from leftzmq.runtime.event_log import EventLog
from leftzmq.runtime.flight_recorder import FlightRecorder
from leftzmq.runtime.loop import Loop
from leftzmq.runtime.opening import Opened, Opening, Openings
from leftzmq.runtime.pairing import leaving
from leftzmq.runtime.pairing.desk import PairingDesk
from leftzmq.runtime.pairing.learnt_file import load_learnt
from leftzmq.runtime.wake import Wake
from leftzmq.runtime.watch_inbox import WatchInbox
from leftzmq.statedir import StateDir, ipc_endpoints, read_secret
from leftzmq.sync import actions
from leftzmq.sync.facts import (
    Asked,
    DeviceDropped,
    EpochKeyArrived,
    Fact,
    FolderAdded,
    FolderBegun,
    FolderStopped,
    HoldEnded,
    LinkClosed,
    OurAddressesFound,
    PeerListed,
    PeerUnlisted,
    RosterArrived,
    RosterGrew,
    Started,
    StrangerRefused,
)
from leftzmq.sync.folder import Folder, FolderState
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.sync.node import Node
from leftzmq.sync.peers.greeting import OurSide, Peers
from leftzmq.sync.peers.membership import Membership
from leftzmq.sync.peers.peer_state import Peer
from leftzmq.sync.peers.roster.exchange import RosterExchange
from leftzmq.sync.peers.roster.making import Signatory
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.transport import device_key, platform
from leftzmq.transport.bus import SHUT_OUT_S, Bus
from leftzmq.transport.decode import AdminAsk, EpochKeySealed, RosterSealed, SealedArrived, read
from leftzmq.transport.device_key import DeviceKeyPair
from leftzmq.transport.door.own_addresses import Reachable, at_interfaces, reachable
from leftzmq.transport.frames import Knocked, Raw, RawFrame
from leftzmq.transport.local_network.neighbours import HeardAgent, Neighbours
from leftzmq.transport.server_sockets import Listening
from leftzmq.transport.socket_errors import SocketTrouble
from leftzmq.wire import epoch_key, roster_part
from leftzmq.wire import page as pages
from leftzmq.wire.codec import Socket
from leftzmq.wire.door import Admitted, NotAdmitted
from leftzmq.wire.local import Event, EventKind, encode_event, encode_reply
from leftzmq.wire.messages import VERSION, Bye, EpochKey, News, Refusing, RosterPart
from leftzmq.wire.roster_part import RosterSaid
from leftzmq.work.runner import JobRunner
from leftzmq.work.threads import Workers, broke_at

STOP_S: Final = 1.2
"""For running jobs to end after SIGTERM; the whole stop takes less than 2 s."""
WORKERS_SMALL: Final = 2
WORKERS_BULK: Final = 2
MEMORY_CEILING_BYTES: Final = 1 << 30
"""A paired device can make libzmq hold more memory than any option limits (docs/design.md, "Who may
talk, and what a stranger can do"). Above this the server sockets are bound anew, which frees that
memory."""
MEMORY_CHECK_S: Final = 10.0
LOOK_PERIOD_S: Final = 2.0
"""How often our addresses are looked at; a device that moves is met again within 5 s."""
MOST_AROUND: Final = 64
MOST_HEARD: Final = 4
SWITCH_INTERVAL_S: Final = 0.0005
"""A worker that returns from a system call waits so long until the loop hands over the GIL. With
Python's 5 ms, staging 10,000 small files is mostly waiting."""

GC_THRESHOLDS: Final = (10_000, 20, 50)
"""Almost nothing here is part of a cycle, and rows and entries are not tracked at all. With
Python's default (700, 10, 10) a full collection took 27 ms while 10,000 small files were synced."""

NOTICED_S: Final = 1.0
DOOR_S: Final = 10.0
DOOR_AGAIN_S: Final = 0.5
TAKEN_OFF: Final = (
    "it was taken off this device: nothing of it is sent, received or changed here any more; its "
    "files stay where they are"
)
MAX_DETAIL_LETTERS: Final = 256  # of messages.ShortText


class AgentLog(Protocol):
    """The agent's log of events. now: monotonic seconds."""

    def __call__(self, event: Event, now: float) -> None: ...

    def deadline(self) -> float | None:
        """Return when to call `tick` next (monotonic seconds)."""

    def tick(self, now: float) -> None: ...


class Agent:
    """One agent: open() makes it ready, run() serves until stop() is called, from any thread."""

    def __init__(self, config: Config, log: AgentLog, adopt: frozenset[str] = frozenset()) -> None:
        self.written, self._log, self._adopt = config, log, adopt  # peer.toml
        self.config = config  # peer.toml, and what was learnt
        self._stopping = False
        self._opened = ExitStack()
        self._hub: Node | None = None
        self._event_log = EventLog(time.time())
        self._flight_recorder = FlightRecorder()
        self._wake = Wake()  # a signal may arrive before everything else
        self._noticed: set[str] = set()
        self._peers_are_due = False
        self._next_read = 0.0
        self._door_until = self._door_again_at = math.inf
        self._next_look = 0.0
        self._our_addresses: tuple[str, ...] | None = None
        self._next_memory_check = 0.0
        self._neighbours: Neighbours | None = None
        self._heard: deque[HeardAgent] = deque()
        self._around: dict[str, HeardAgent] = {}  # in the local network, by its random name
        self._silent_until: dict[str, float] = {}

    # -- building ----------------------------------------------------------------------------------

    def open(self) -> None:
        """Do everything up to `ready`: test the gate, bind the sockets, open and watch the
        shares."""
        platform.require(len(peer.addresses) for peer in self.written.peers)
        require_compiled()
        tune_malloc()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._opened.callback(self._wake.close)
        self._watch_inbox = WatchInbox(self._wake.signal)
        self._state = StateDir.open(self.config.device.state)
        self._opened.callback(self._state.close)
        self._keys = device_key.load_or_make(self._state.device_key_file)
        self.device = self._keys.public
        store = RosterStore.open(self._state.rosters_file)
        self._opened.callback(store.close)
        learnt, not_left = leaving.finish(self._state, load_learnt(self._state), store)
        us, name = (
            Signatory(self.device, partial(sign, self._keys.secret)),
            self.written.device.name,
        )
        self._rosters = Rosters(us, name, self._label, store, time.time, os.urandom)
        for folder in merged(self.written, learnt, self._state.secret_file).folders:
            self._take_up_roster(folder)
        self._pairing = PairingDesk(
            self, self._state, self.device, learnt, self._rosters, time.monotonic, time.time
        )
        self.config = self._merged(self.written, learnt)
        self._peers = [
            Peer(DeviceKey(key), peer.name, peer.address is not None, device_key.public_text(key))
            for peer in self.config.peers
            if (key := peer.key)
        ]
        self._listed = {bytes(peer.key) for peer in self._peers}  # the gate asks it
        self._keyless = [peer.name for peer in self.config.peers if not peer.key]
        self._runner = JobRunner(open_anew=lambda id: self._openings.open_anew(id))
        self._folders: dict[str, Folder] = {}
        self._open_bus()
        self._say("", *not_left)
        self._open_folders()
        self._open_door_again()
        self._workers = Workers(
            self._runner.run, self._wake.signal, small=WORKERS_SMALL, bulk=WORKERS_BULK
        )
        self._opened.callback(self._workers.stop, STOP_S)
        self._loop = Loop(
            self.bus,
            self._workers,
            self._watch_inbox,
            self._wake,
            self._fact_of,
            self._handle,
            self._deadline,
        )
        self.bus.serve()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    def _label(self, device: DeviceKey) -> str:
        return next((peer.name for peer in self.config.peers if peer.key == device), "")

    def _take_up_roster(self, folder: FolderConfig) -> None:
        """Take up what is kept of a folder's members. Of a folder without a secret nothing is: it
        is new, and follows when it is open."""
        if folder.secret.exists():
            self._rosters.add_folder(folder.id, derive_keys(read_secret(folder.secret)))

    def _open_bus(self) -> None:
        device = self.config.device
        listening = Listening(device.listen, device.bulk, device.news, self._state.load_ports())
        ipc = ipc_endpoints(device.state)
        self.bus = Bus(self._keys, self._listed.__contains__, listening, ipc, self._wake.fd)
        self._opened.callback(self.bus.close)
        unsaved = self._state.save_ports(self.bus.ports)
        if unsaved:
            self._say("", unsaved)

    def _open_folders(self) -> None:
        us = OurSide(self.config.device.name, self.bus.ports.bulk, self.bus.ports.news)
        membership = Membership(self.device, self._folders, fresh_nonce, self._rosters.excludes)
        peers = Peers(us, self._peers, membership)
        opening = Opening(
            self._state,
            self.device,
            self._listed,
            peers,
            self._rosters.epochs,
            self._watch_inbox.reporter,
            lambda id: self._pairing.learnt.holds(id),
        )
        self._openings = Openings(opening, self.config.folders)
        self._opened.callback(self._openings.close)
        self._say("", *missing_calls())
        if not self.config.folders:
            self._say("", f"{NO_FOLDER}: {BEGIN_ONE}")
        for config in self.config.folders:
            opened = self._opened_at_start(config)
            self._folders[config.id] = opened.folder
            if config.id not in self._rosters.folders:
                self._rosters.add_folder(config.id, opened.folder.keys)
            if opened.context is not None:
                self._runner.add(opened.context)
                self._say(config.id, *opened.context.lacks)
            else:
                self._tell(opened.folder.tell_stop())
        about = {
            "name": self.config.device.name,
            "key": device_key.public_text(self.device),
            "keyless": self._keyless,
        }
        self._exchange = RosterExchange(self._rosters, peers, self._is_vouched, self._may_found)
        self._hub = Node(self._folders, peers, self._exchange, about)

    def _opened_at_start(self, config: FolderConfig) -> Opened:
        stop = self._rosters.put_out(config.id) if config.id in self._rosters.folders else None
        if stop is None:
            return self._openings.start(config.id, adopting=config.id in self._adopt)
        opened = self._openings.add(config)
        opened.folder.stopped = stop
        return opened

    def _is_vouched(self, device: DeviceKey) -> bool:
        """Whether a person here wrote this device into peer.toml, let it in by an invitation, or
        joined by one of its."""
        learnt = self._pairing.learnt.device(device)
        let_in = learnt is not None and learnt.origin is not Origin.MEMBER
        return let_in or self._may_found(device)

    def _may_found(self, device: DeviceKey) -> bool:
        """The same, but for those who were let in here: perhaps they may only read."""
        learnt = self._pairing.learnt.device(device)
        joined = learnt is not None and learnt.origin is Origin.JOINED
        return joined or any(peer.key == device for peer in self.written.peers)

    @property
    def node(self) -> Node:
        assert self._hub is not None, "not opened"
        return self._hub

    # -- serving ----------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until stop(). Raises LeftError when it cannot go on; OurMistake, if that is our
        fault: then what happened before is in a file that its sentence names."""
        try:
            self._serve()
        except OurMistake as mistake:
            raise self._with_flight(mistake.what, mistake.trace) from mistake
        except LeftError:
            raise
        except Exception as error:
            what = f"a mistake of ours: {broke_at(error)}"
            raise self._with_flight(what, traceback.format_exc()) from error

    def _serve(self) -> None:
        for peer in self.config.peers:
            self._dial(peer)
        self._handle(Started())
        while not self._stopping:
            self._loop.turn()
            self._tell_noticed()
            if self._peers_are_due and time.monotonic() >= self._next_read:
                self._read_peers()
            self._pairing.tick()
            if time.monotonic() >= self._door_again_at:
                self._open_door_again()
            self._log.tick(time.monotonic())
            self._look_around()
            self._look_at_neighbours()

    def _with_flight(self, what: str, trace: str) -> OurMistake:
        """Write what happened last to the state directory. Return the mistake with what the user is
        to do now."""
        now_ns = time.time_ns()
        try:
            text = self._flight_recorder.text(what, trace, now_ns, self.node.peers.name)
            do = flight_kept(str(self._state.save_flight(text, now_ns / 1e9)))
        except OSError as error:
            do = flight_lost(str(self._state.path), error.strerror or str(error))
        except Exception as error:  # the first mistake must be told, whatever the second one is
            do = flight_lost(str(self._state.path), broke_at(error))
        return OurMistake(what, trace, do)

    def stop(self) -> None:
        """End run() soon. May be called from a signal handler or another thread."""
        self._stopping = True
        self._wake.signal()

    def read_peers(self) -> None:
        """Read the [[peer]] entries of peer.toml again, soon. May be called from a signal's
        handler."""
        self._peers_are_due = True
        self._wake.signal()

    def noticed(self, name: str) -> None:
        """A signal arrived that the agent ignores; called from the signal's handler. The loop
        reports each kind at most once in NOTICED_S."""
        self._noticed.add(name)
        self._wake.signal()

    def close(self) -> None:
        """Say goodbye, let running jobs end, and release everything that was opened."""
        if self._neighbours is not None:
            self._neighbours.close()
        if self._hub is not None:
            for held in self.node.event_batching.rest():
                self._tell(held)
            self._tell(actions.Tell(EventKind.STOPPED, {}))
            for peer in self.node.peers.by_key.values():
                for link in {self.node.peers.control_link(peer.key), peer.came}:
                    if link is not None:
                        self.bus.send(link, Bye("it was stopped"))
        self._opened.close()

    def _tell_noticed(self) -> None:
        while self._noticed:
            name, now = self._noticed.pop(), time.monotonic()
            if now >= self._silent_until.get(name, 0.0):
                self._silent_until[name] = now + NOTICED_S
                self._say("", f"{name} came and is ignored: the agent goes on as it is")

    def _deadline(self, now: float) -> float:
        due = [self.node.deadline(now), self._log.deadline(), self._pairing.deadline()]
        due += [self._door_again_at, self._next_look]
        due += [self._next_read] if self._peers_are_due else []
        return min(at for at in due if at is not None)

    def _handle(self, fact: Fact) -> None:
        now, wall_ns = time.monotonic(), time.time_ns()
        self._flight_recorder.note(fact, now, wall_ns)
        for action in self.node.handle(fact, now, wall_ns):
            self._do(action)

    # -- devices and folders that come and go ------------------------------------------------------

    def _dial(self, peer: PeerConfig) -> None:
        """The peer is dialed wherever it may be, from now on."""
        if peer.key and peer.addresses:
            self.bus.dial(DeviceKey(peer.key), *peer.addresses)

    def _read_peers(self) -> None:
        """Takes over what changed in peer.toml. A file that is wrong changes nothing."""
        self._peers_are_due, self._next_read = False, time.monotonic() + NOTICED_S
        try:
            before, written = self.config, load(self.config.file)
            if self.written.folders and not written.folders:
                # It may be half of a file that is being written.
                do = "start the agent again if that is meant"
                raise ConfigError("has no [[folder]] any more", str(written.file), do)
            self._use(written, self._pairing.learnt)
            if self.config == before:
                nothing = {"added": "", "removed": "", "moved": ""}
                self._tell(actions.Tell(EventKind.PEER_LIST, dict(nothing)))
        except LeftError as error:
            self._say("", f"the peers stay as they are: {error}")

    def check_learnt(self, learnt: Learnt) -> None:
        self._merged(self.written, learnt)

    def use_learnt(self, learnt: Learnt) -> None:
        self._use(self.written, learnt)

    def _use(self, written: Config, learnt: Learnt) -> None:
        """List, dial and open what is new in peer.toml or was learnt. Raises LeftError; then all is
        as before."""
        config = self._merged(written, learnt)
        found = changes(self.config, config)
        # What a person wrote may be an edit that is not finished: such a folder runs on until then,
        # and none comes that may have its share or its secret.
        held = tuple(id for id in found.gone if any(id == one.id for one in self.written.folders))
        gone = tuple(id for id in found.gone if id not in held)
        come = () if held else found.folders
        late = tuple(one.id for one in found.folders if one not in come)
        for peer in found.removed:
            self._unlist(_key_of(peer))
        first = {peer.key: peer.address for peer in self.config.peers}
        moved = tuple(peer for peer in found.moved if peer.address != first[peer.key])
        for peer in found.moved:
            key = _key_of(peer)
            if peer in moved:
                self.bus.undial(key)
                dialed = Link(key, Way.DIALED)
                self._handle(LinkClosed(dialed, "it has another address now"))
            else:
                self._dial(peer)
        self.written = written
        self._keyless[:] = [peer.name for peer in config.peers if not peer.key]
        stay = (folder for folder in self.config.folders if folder.id not in gone)
        folders = (*stay, *come)
        self.config = replace(self.config, peers=config.peers, folders=folders)
        for peer in (*moved, *found.added):
            self._list(peer)
        names = {
            "added": ", ".join(peer.name for peer in found.added),
            "removed": ", ".join(peer.name for peer in found.removed),
            "moved": ", ".join(peer.name for peer in moved),
        }
        if any(names.values()):
            self._tell(actions.Tell(EventKind.PEER_LIST, dict(names)))
        for id in gone:
            self._rosters.remove_folder(id)
            self._handle(FolderStopped(id, Stop(StopCause.REMOVED, TAKEN_OFF)))
        for folder in come:
            self._add_folder(folder)
        for what in (*found.need_a_start, *(f"[[folder]] {id}" for id in (*held, *late))):
            self._say("", f"{what} changed in peer.toml: start the agent again to use that")

    def _merged(self, written: Config, learnt: Learnt) -> Config:
        """Return peer.toml with what was learnt. Raises LeftError."""
        others = self._from_rosters()
        config = merged(written, learnt, self._state.secret_file, others, self._heard_of)
        nobody_has_our_key(config, self.device)
        platform.require(len(peer.addresses) for peer in config.peers)
        return config

    def _from_rosters(self) -> FromRosters:
        """What the rosters say of other devices. Before the agent is open, none is leaving."""
        who: RosterExchange | Rosters = self._rosters if self._hub is None else self._exchange
        return FromRosters(
            tuple(
                ListedMember(
                    one.device,
                    one.name,
                    tuple(Endpoint.parse(text, "a roster") for text in one.endpoints),
                )
                for one in who.members()
            ),
            who.shut_out(),
            {peer.key: peer.name for peer in self.config.peers if peer.key},
        )

    def _add_folder(self, config: FolderConfig) -> None:
        """The folder is opened soon, by a worker."""
        try:
            opened = self._openings.add(config)
        except LeftError as error:
            self._say(config.id, f"it cannot be opened before the next start: {error}")
            return
        self._folders[config.id] = opened.folder
        self._rosters.add_folder(config.id, opened.folder.keys)
        self._exchange.folder_added(config.id)
        fields = {"folder": config.id, "path": str(config.path)}
        self._tell(actions.Tell(EventKind.FOLDER_ADDED, dict(fields)))
        stop = self._rosters.put_out(config.id)
        if stop is not None:  # until the roster says otherwise (RosterExchange)
            opened.folder.stopped = stop
        else:
            self._handle(FolderAdded(config.id))

    def _list(self, peer: PeerConfig) -> None:
        """The peer may connect, and is dialed, from now on."""
        key = _key_of(peer)
        self._listed.add(bytes(key))
        text = device_key.public_text(key)
        self._handle(PeerListed(key, peer.name, peer.address is not None, text))
        self._dial(peer)

    def _unlist(self, device: DeviceKey) -> None:
        """The gate refuses the device, and all its connections end."""
        self._listed.discard(bytes(device))
        self.bus.end(device)
        self._loop.drop_device(device)
        self._handle(PeerUnlisted(device))

    def tell_roster(self, folder: str) -> None:
        """The desk said something in the roster of a folder."""
        self._handle(RosterGrew(folder))

    def end_hold(self, folder: str) -> None:
        self._handle(HoldEnded(folder))

    def close_share(self, folder: str) -> None:
        """The folder is stopped for good, before its `.left` goes."""
        if folder in self._folders:
            self._handle(FolderStopped(folder, Stop(StopCause.REMOVED, TAKEN_OFF)))
            self._openings.close_share(folder)

    # -- the door, for runtime/pairing -------------------------------------------------------------

    def _open_door_again(self) -> None:
        """Open the door for invitations from before. Its port may be held a moment longer by the
        agent that was here before."""
        now = time.monotonic()
        self._door_until = min(self._door_until, now + DOOR_S)
        try:
            self._pairing.start()
            self._door_again_at = math.inf
        except LeftError as error:
            self._door_again_at = now + DOOR_AGAIN_S if now < self._door_until else math.inf
            if self._door_again_at == math.inf:
                self._say("", f"the invitations that are open cannot be used: {error}")

    @property
    def control_port(self) -> int:
        return self.bus.control.port

    def reachable(self) -> Reachable:
        return reachable(self.config.device.listen)

    def open_door(self, keys: DeviceKeyPair | None, port: int) -> DoorKept:
        """A new door takes any port if another program has `port`."""
        pair = keys or device_key.fresh_pair()
        try:
            port = self.bus.open_door(pair, port)
        except PortTaken:
            if keys is not None:
                raise
            port = self.bus.open_door(pair, 0)
        return DoorKept(bytes(pair.public), pair.secret, port)

    def close_door(self) -> None:
        self.bus.close_door()

    def answer_at_door(self, caller: bytes, message: Admitted | NotAdmitted) -> None:
        self.bus.answer_at_door(caller, message)

    def tell_joined(self, name: str, folder: str, address: str) -> None:
        fields = {"device": name, "folder": folder, "address": address}
        self._tell(actions.Tell(EventKind.JOINED, dict(fields)))

    def peers_shown(self) -> dict[str, tuple[bool, float | None]]:
        return {
            peer["name"]: (peer["connected"], peer["since"]) for peer in self.node.status()["peers"]
        }

    def folder_state(self, id: str) -> str:
        folder = self._folders.get(id)
        return FolderState.STOPPED.value if folder is None else folder.state.value

    # -- facts from outside ---------------------------------------------------------------------

    def _fact_of(self, raw: Raw) -> Fact | None:
        fact = self._too_fast(raw) or read(raw)
        match fact:
            case SocketTrouble(text):
                self._say("", text)
                return None
            case Knocked():
                self._pairing.on_knocked(fact)
                return None
            case SealedArrived():
                return self._open_page(fact)
            case RosterSealed():
                return self._open_roster(fact)
            case EpochKeySealed():
                return self._open_epoch_key(fact)
            case AdminAsk(asker, "events", fields):
                after = fields.get("after")
                reply = self._event_log.reply(after if type(after) is int else 0)
                self.bus.answer(asker, encode_reply(reply))
                return None
            case AdminAsk(asker, verb, fields) if self._pairing.knows(verb):
                self.bus.answer(asker, encode_reply(self._pairing.answer(verb, fields)))
                return None
            case AdminAsk(asker, verb, fields):
                return Asked(asker, verb, dict(fields))
            case StrangerRefused() if isinstance(raw, RawFrame):
                self._refuse(raw, fact)
        return fact

    def _too_fast(self, raw: Raw) -> Fact | None:
        """Check the rate limits before anything is decoded. Return the refusal, if there is one."""
        if not isinstance(raw, RawFrame):
            return None
        return self.node.admit(raw.link.device, raw.frames[0].buffer, time.monotonic())

    def _refuse(self, raw: RawFrame, refused: StrangerRefused) -> None:
        """Answer a hello in another version: otherwise its sender could not know the reason."""
        link = raw.link
        asks = raw.socket is Socket.CONTROL and link.way is Way.CAME
        if asks and refused.refusal is Refusal.OTHER_VERSION:
            detail = refused.detail[:MAX_DETAIL_LETTERS]
            self.bus.send(link, Refusing(VERSION, refused.refusal.name, detail))

    def _open_page(self, arrived: SealedArrived) -> Fact | None:
        """Open a sealed page. None for a folder that is not ours: PUB reaches all paired devices,
        and only the secret decides which of them are members."""
        for folder in self._folders.values():
            if folder.epochs.keys(arrived.tag) is not None:
                return folder.opened(arrived.link, arrived.tag, arrived.sealed, arrived.answer)
        return None

    def _folder_of(self, tag: bytes) -> Folder | None:
        """Return the folder with this identity tag."""
        return next((one for one in self._folders.values() if one.keys.tag == tag), None)

    def _open_epoch_key(self, arrived: EpochKeySealed) -> Fact | None:
        folder, device = self._folder_of(arrived.tag), arrived.link.device
        if folder is None:
            return None
        try:
            secret = epoch_key.open_sealed(arrived.sealed, arrived.epoch, self._keys.secret, device)
        except Refused as refused:
            return StrangerRefused(device, refused.refusal, refused.detail)
        return EpochKeyArrived(arrived.link, folder.id, arrived.epoch, secret)

    def _open_roster(self, arrived: RosterSealed) -> Fact | None:
        folder = self._folder_of(arrived.tag)
        if folder is None:
            return None
        device = arrived.link.device
        try:
            said = roster_part.open_sealed(arrived.sealed, folder.keys, device)
        except Refused as refused:
            return StrangerRefused(device, refused.refusal, refused.detail)
        return RosterArrived(arrived.link, folder.id, said)

    # -- actions --------------------------------------------------------------------------------

    def _do(self, action: actions.Action) -> None:
        match action:
            case actions.Work(job):
                self._workers.submit(job)
            case actions.Send(link, message, body):
                if not self.bus.send(link, message, body):
                    self._loop.send_failed(link)
            case actions.Publish():
                self._publish(action)
            case actions.SendRoster():
                self._send_roster(action)
            case actions.SendEpochKey():
                self._send_epoch_key(action)
            case actions.RelistMembers():
                self._relist()
            case actions.Tell():
                self._tell(action)
            case actions.TakeOver(folder):
                self._take_over(folder)
            case actions.Subscribe(device, bulk_port, news_port):
                self.bus.subscribe(device, bulk_port, news_port)
            case actions.Drop(device, refusal, detail):
                self._drop(device, refusal, detail)
            case actions.Answer(asker, fields):
                self.bus.answer(asker, encode_reply(dict(fields) | self._figures()))

    def _take_over(self, id: str) -> None:
        """A stopped folder is open again: use its new machines."""
        opened = self._openings.take_over(id)
        assert opened.context is not None
        self._folders[id] = opened.folder
        self._runner.add(opened.context)
        self._say(id, *opened.context.lacks)
        self._handle(FolderBegun(id))

    def _publish(self, action: actions.Publish) -> None:
        folder = self._folders[action.folder]
        epoch = folder.epochs.in_use
        if epoch is None:
            return
        news = News(epoch.tag, pages.seal(action.page, epoch, fresh_nonce()))
        self.bus.publish(news)
        for link in action.links:
            self.bus.send(link, news)

    def _send_roster(self, action: actions.SendRoster) -> None:
        folder = self._folders[action.folder]
        said: Iterable[RosterSaid] = [RosterSaid(action.digest, ())]
        if action.statements is not None:
            said = roster_part.parts(action.digest, action.statements)
        for part in said:
            sealed = roster_part.seal(part, folder.keys, self.device, fresh_nonce())
            if not self.bus.send(action.link, RosterPart(folder.keys.tag, sealed)):
                self._loop.send_failed(action.link)
                break

    def _send_epoch_key(self, action: actions.SendEpochKey) -> None:
        folder, device = self._folders[action.folder], action.link.device
        secret = folder.epochs.secret(action.epoch)
        if secret is None:
            return  # it was one of far too many, and is forgotten
        with suppress(Refused):  # a key that is none; nobody connects with such a key
            sealed = epoch_key.seal(secret, self._keys.secret, device, fresh_nonce())
            key = EpochKey(folder.keys.tag, action.epoch, sealed)
            if not self.bus.send(action.link, key):
                self._loop.send_failed(action.link)

    def _relist(self) -> None:
        try:
            self._use(self.written, self._pairing.learnt)
        except LeftError as error:
            self._say("", f"the members of the folders are not all listed: {error}")

    def _drop(self, device: DeviceKey, refusal: Refusal, detail: str) -> None:
        """Report the device once, and shut it out for a while: its messages are not handled, and we
        do not dial it. Later results of jobs about its bytes change nothing."""
        if self.bus.is_shut_out(device):
            return
        fields = {
            "device": self.node.peers.name(device),
            "why": f"dropped for {SHUT_OUT_S:.0f} s: {refusal.value}",
            "detail": detail,
        }
        self._tell(actions.Tell(EventKind.REFUSED, fields))
        self.bus.drop(device)
        self._loop.drop_device(device)
        self._handle(DeviceDropped(device, refusal.value))

    def _say(self, folder: str, *sentences: str) -> None:
        """Report what is wrong or impossible with a folder, or (folder "") with this machine."""
        for text in sentences:
            self._tell(actions.Tell(EventKind.PROBLEM, {"folder": folder, "text": text}))

    def _tell(self, action: actions.Tell) -> None:
        event = self._event_log.note(action.kind, action.fields, time.time())
        self._log(event, time.monotonic())
        if self.bus.has_listeners:
            self.bus.tell(encode_event(event))

    def _figures(self) -> dict[str, Any]:
        return {"longest_turn_ms": round(self._loop.longest_turn_s * 1000, 1)}

    def _look_around(self) -> None:
        """Look now and then at what nobody reports: our addresses, and how much memory is used."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_PERIOD_S
        addresses = self._pairing.endpoints("")
        if addresses != self._our_addresses:
            self._our_addresses = addresses
            self._handle(OurAddressesFound(addresses))
            self._meet_neighbours()
        if now >= self._next_memory_check:
            self._next_memory_check = now + MEMORY_CHECK_S
            self._check_memory()

    def _meet_neighbours(self) -> None:
        """Announce this agent in the network in which it is now, under another random name."""
        if self._neighbours is not None:
            self._neighbours.close()
            self._neighbours = None
        interfaces = at_interfaces(self.config.device.listen)
        if interfaces and self.config.discovery.local:
            self._neighbours = Neighbours(
                self.device,
                self.control_port,
                self.reachable().addresses,
                interfaces,
                self._on_heard,
                os.urandom,
            )

    def _on_heard(self, agent: HeardAgent) -> None:
        """Called in the thread of the neighbours."""
        self._heard.append(agent)
        self._wake.signal()

    def _look_at_neighbours(self) -> None:
        """Devices of ours that announce themselves are called there, too."""
        if not self._heard:
            return
        while self._heard:
            agent = self._heard.popleft()
            self._around.pop(agent.name, None)
            self._around[agent.name] = agent
            if len(self._around) > MOST_AROUND:
                del self._around[next(iter(self._around))]
        self._relist()

    def _heard_of(self, device: bytes) -> tuple[Endpoint, ...]:
        """Return where a device was heard of, latest last: the last MOST_HEARD places. So what is
        known of it does not change when it announces itself once more."""
        found = [
            endpoint
            for agent in self._around.values()
            if agent.is_of(device)
            for endpoint in agent.endpoints
        ]
        return tuple(dict.fromkeys(found))[-MOST_HEARD:]

    def _check_memory(self) -> None:
        used = resident_bytes()
        if used > MEMORY_CEILING_BYTES:
            trim()
            used = resident_bytes()
        if used > MEMORY_CEILING_BYTES:
            self.bus.rebind()
            text = f"{used >> 20} MiB in memory: the sockets were bound anew"
            self._say("", text)


def _key_of(peer: PeerConfig) -> DeviceKey:
    assert peer.key is not None, "peers without a key are not listed"
    return DeviceKey(peer.key)
