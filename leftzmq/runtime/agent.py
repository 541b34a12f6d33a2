"""One agent: all parts are built here, and the machines' actions are carried out.

Knows state, machines, workers and sockets; no other module knows them all. Decides nothing: what
happens becomes a fact for the node, and the node's actions go to the part that can do them.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any, Final

from leftzmq.config import Config, FolderConfig
from leftzmq.content.cut import require_compiled
from leftzmq.content.keys import derive_keys
from leftzmq.content.memory import tune_malloc
from leftzmq.content.seal import fresh_nonce
from leftzmq.content.signing import sign
from leftzmq.disk.fs.interface import Buffer
from leftzmq.disk.fs.real import missing_calls
from leftzmq.errors import (
    BEGIN_ONE,
    NO_FOLDER,
    KeyFileError,
    LeftError,
    OurMistake,
    Refusal,
    flight_kept,
    flight_lost,
)
from leftzmq.pairing.learnt import Learnt, merged
from leftzmq.pairing.roster_store import RosterStore
from leftzmq.runtime.border.inbound import Inbound
from leftzmq.runtime.border.machine import MachineLook
from leftzmq.runtime.border.own_figures import OwnFigures
from leftzmq.runtime.border.seals import Seals
from leftzmq.runtime.deadlines import AddressLook, DoorAgain, MemoryCheck, SignalsHeard
from leftzmq.runtime.desk_host import DeskHost
from leftzmq.runtime.event_log import AgentLog, EventLog, Teller
from leftzmq.runtime.flight_recorder import FlightRecorder
from leftzmq.runtime.folder_secrets import check_secret
from leftzmq.runtime.folders import Folders
from leftzmq.runtime.listing.config_follower import ConfigFollower
from leftzmq.runtime.listing.config_in_use import ConfigInUse
from leftzmq.runtime.listing.config_reading import ConfigReading
from leftzmq.runtime.listing.config_watch import ConfigWatch, stamp_of
from leftzmq.runtime.listing.nearby import Nearby
from leftzmq.runtime.listing.vouching import Vouching
from leftzmq.runtime.local_time import local_minute
from leftzmq.runtime.loop import Loop
from leftzmq.runtime.opening import Opening, Openings
from leftzmq.runtime.pairing import leaving
from leftzmq.runtime.pairing.desk import PairingDesk
from leftzmq.runtime.pairing.learnt_file import load_learnt
from leftzmq.runtime.pausing.desk import PauseDesk, load_pauses
from leftzmq.runtime.pausing.used import PausesUsed
from leftzmq.runtime.wake import Wake
from leftzmq.runtime.watch_inbox import WatchInbox
from leftzmq.statedir import StateDir, ipc_endpoints, read_secret
from leftzmq.sync import actions
from leftzmq.sync.admin.status import Times
from leftzmq.sync.facts import (
    DeviceDropped,
    Fact,
    OurAddressesFound,
    Started,
)
from leftzmq.sync.folder import Folder
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.sync.node import Node
from leftzmq.sync.peers.greeting import OurSide, Peers
from leftzmq.sync.peers.membership import Membership
from leftzmq.sync.peers.peer_state import Peer
from leftzmq.sync.peers.roster.exchange import RosterExchange
from leftzmq.sync.peers.roster.making import Signatory
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.transport import device_key, platform
from leftzmq.transport.bus import SHUT_OUT_S, Bus
from leftzmq.transport.door.own_addresses import at_interfaces, reachable
from leftzmq.transport.local_network.neighbours import HeardAgent, Neighbours
from leftzmq.transport.server_sockets import Listening
from leftzmq.wire.answers.metrics import MetricsShown
from leftzmq.wire.local import EventKind, encode_reply
from leftzmq.wire.messages import Bye, Message
from leftzmq.work.runner import JobRunner
from leftzmq.work.threads import Workers, broke_at

STOP_S: Final = 1.2
"""For running jobs to end after SIGTERM; the whole stop takes less than 2 s."""
WORKERS_SMALL: Final = 2
WORKERS_BULK: Final = 2
SWITCH_INTERVAL_S: Final = 0.0005
"""A worker that returns from a system call waits so long until the loop hands over the GIL. With
Python's 5 ms, staging 10,000 small files is mostly waiting."""

GC_THRESHOLDS: Final = (10_000, 20, 50)
"""Almost nothing here is part of a cycle, and rows and entries are not tracked at all. With
Python's default (700, 10, 10) a full collection took 27 ms while 10,000 small files were synced."""


class Agent:
    """One agent: open() makes it ready, run() serves until stop() is called, from any thread.

    config: peer.toml; what its [device] says is in use until the agent ends
    """

    def __init__(self, config: Config, log: AgentLog, adopt: frozenset[str] = frozenset()) -> None:
        self._config, self._log, self._adopt = config, log, adopt
        self._opened = ExitStack()
        self._hub: Node | None = None
        self._began = time.time()
        self._event_log = EventLog(self._began)
        self._flight_recorder = FlightRecorder()
        self._wake = Wake()  # a signal may arrive before everything else
        self._signals = SignalsHeard(self._wake.signal)
        self._nearby = Nearby(self._announced, self._wake.signal)

    # -- building ----------------------------------------------------------------------------------

    def open(self) -> None:
        """Do everything up to `ready`: test the gate, bind the sockets, open and watch the
        shares."""
        platform.require(len(peer.addresses) for peer in self._config.peers)
        require_compiled()
        tune_malloc()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._opened.callback(self._wake.close)
        learnt, not_left = self._open_state()
        self._open_bus()
        self._teller.say("", *not_left)
        self._build_machines(learnt)
        self._begin_folders()
        self._door_again = DoorAgain(self._pairing.start)
        self._address_look = AddressLook(lambda: self._pairing.endpoints(""))
        self._memory_check = MemoryCheck(self.bus.rebind)
        self._teller.say("", *self._door_again.tick(time.monotonic()))
        self._workers = Workers(
            self._runner.run, self._wake.signal, small=WORKERS_SMALL, bulk=WORKERS_BULK
        )
        self._opened.callback(self._workers.stop, STOP_S)
        inbound = Inbound(
            self.node.admit,
            self._seals,
            self._pairing,
            self._reading,
            self._pauses,
            self._metrics,
            self._event_log,
            self.bus,
            self._teller,
            MachineLook(self._state.path, self._in_use, self.bus, self._openings).seen,
        )
        self._loop = loop = Loop(
            self.bus,
            self._workers,
            self._watch_inbox,
            self._wake,
            inbound.fact_of,
            self._handle,
            self._deadline,
        )
        self._own_figures = OwnFigures(self._began, loop, self._workers, self.bus, self._by_id)
        self.bus.serve()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    def _open_state(self) -> tuple[Learnt, list[str]]:
        """Open what is kept between two runs. Return what was learnt, and a sentence for each
        folder that could not go."""
        self._watch_inbox = WatchInbox(self._wake.signal)
        self._state = StateDir.open(self._config.device.state)
        self._opened.callback(self._state.close)
        self._keys = device_key.load_or_make(self._state.device_key_file)
        self.device = self._keys.public
        store = RosterStore.open(self._state.rosters_file)
        self._opened.callback(store.close)
        learnt, not_left = leaving.finish(self._state, load_learnt(self._state), store)
        self._in_use = ConfigInUse(
            self._config,
            self.device,
            self._state.secret_file,
            lambda: self._rosters if self._hub is None else self._exchange,
            self._nearby.places_of,
            partial(check_secret, self._state.path),
        )
        us = Signatory(self.device, partial(sign, self._keys.secret))
        name, label = self._config.device.name, self._in_use.label
        self._rosters = Rosters(us, name, label, store, time.time, os.urandom)
        for folder in merged(self._config, learnt, self._state.secret_file).folders:
            self._take_up_roster(folder)
        self._in_use.begin(learnt)
        return learnt, not_left

    def _take_up_roster(self, folder: FolderConfig) -> None:
        """Take up what is kept of a folder's members. Of a folder without a usable secret nothing
        is: it is new, and follows when it is open, or it cannot be used."""
        try:
            keys = derive_keys(read_secret(folder.secret))
        except KeyFileError:
            return
        self._rosters.add_folder(folder.id, keys)

    def _open_bus(self) -> None:
        device = self._config.device
        listening = Listening(device.listen, device.bulk, device.news, self._state.load_ports())
        ipc = ipc_endpoints(device.state)
        self.bus = Bus(self._keys, self._in_use.listed.__contains__, listening, ipc, self._wake.fd)
        self._opened.callback(self.bus.close)
        self._teller = Teller(self._event_log, self._log, self.bus)
        unsaved = self._state.save_ports(self.bus.ports)
        if unsaved:
            self._teller.say("", unsaved)

    def _build_machines(self, learnt: Learnt) -> None:
        """Build what knows peers and folders, before any folder is open."""
        self._runner = JobRunner(open_anew=lambda id: self._openings.open_anew(id))
        self._by_id: dict[str, Folder] = {}
        self._peers = self._known_peers()
        vouching = Vouching(self._in_use, lambda: self._pairing.learnt)
        self._exchange = RosterExchange(
            self._rosters, self._peers, vouching.is_vouched, vouching.may_found
        )
        opening = Opening(
            self._state,
            self.device,
            self._in_use.listed,
            self._peers,
            self._rosters.epochs,
            self._watch_inbox.reporter,
            lambda id: self._pairing.learnt.holds(id),
        )
        self._openings = Openings(opening, self._in_use.config.folders)
        self._opened.callback(self._openings.close)
        self._folders = Folders(
            self._by_id,
            self._openings,
            self._rosters,
            self._exchange,
            self._runner,
            self._handle,
            self._teller,
        )
        self._follower = ConfigFollower(
            self._in_use,
            lambda: self._pairing.learnt,
            self.bus,
            self._folders,
            self._cut_off,
            self._handle,
            self._nearby.meet,
            self._teller,
        )
        self._reading = ConfigReading(
            self._follower,
            ConfigWatch(partial(stamp_of, self._config.file)),
            lambda: self._in_use.config.device.watch_config,
            self._teller,
        )
        self._seals = Seals(self._keys, self._by_id)
        host = DeskHost(
            self._in_use,
            self._follower,
            self._folders,
            self.bus,
            self._handle,
            lambda: self.node.status(),
            self._teller,
        )
        clock, wall = time.monotonic, time.time
        self._pairing = PairingDesk(
            host, self._state, self.device, learnt, self._rosters, clock, wall
        )
        self._pauses = PauseDesk(
            PausesUsed(self._in_use, self._follower, self._by_id, self._handle),
            self._state,
            load_pauses(self._state),
            wall,
        )

    def _known_peers(self) -> Peers:
        us = OurSide(self._config.device.name, self.bus.ports.bulk, self.bus.ports.news)
        membership = Membership(self.device, self._by_id, fresh_nonce, self._rosters.excludes)
        known = [
            Peer(DeviceKey(key), peer.name, peer.address is not None, device_key.public_text(key))
            for peer in self._in_use.config.peers
            if (key := peer.key)
        ]
        return Peers(us, known, membership)

    def _begin_folders(self) -> None:
        """Open the folders, and build the hub over all machines."""
        self._teller.say("", *missing_calls())
        configs = self._in_use.config.folders
        for folder, error in self._folders.start(configs, self._adopt):
            self._in_use.cannot_use(folder, error)
        for one in self._in_use.unusable:
            self._teller.say(one.id, one.why)
        if not configs and not self._in_use.unusable:
            self._teller.say("", f"{NO_FOLDER}: {BEGIN_ONE}")
        about = {
            "name": self._config.device.name,
            "key": device_key.public_text(self.device),
            "keyless": self._in_use.keyless,
            "unusable": self._in_use.unusable,
        }
        self._hub = Node(self._by_id, self._peers, self._exchange, about, local_minute)

    def _announced(self, heard: Callable[[HeardAgent], None]) -> Neighbours | None:
        """Announce this agent in the local network, where that is wanted and possible."""
        listen = self._config.device.listen
        interfaces = at_interfaces(listen)
        if not interfaces or not self._in_use.config.discovery.local:
            return None
        addresses = reachable(listen).addresses
        port = self.bus.control.port
        return Neighbours(self.device, port, addresses, interfaces, heard, os.urandom)

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
        self._pauses.begin()
        self._follower.begin()
        self._handle(Started())
        while not self._signals.stopping:
            self._loop.turn()
            self._look_around(time.monotonic())

    def _look_around(self, now: float) -> None:
        """Between two turns: do what no fact says, each thing when its time has come."""
        for name in self._signals.take_ignored(now):
            self._teller.say("", f"{name} came and is ignored: the agent goes on as it is")
        if self._signals.take_read_peers(now):
            self._reading.on_signal()
        self._reading.tick(now)
        self._pairing.tick()
        self._pauses.tick()
        self._teller.say("", *self._door_again.tick(now))
        self._log.tick(now)
        addresses = self._address_look.tick(now)
        if addresses is not None:
            self._handle(OurAddressesFound(addresses))
            self._nearby.meet()
        self._teller.say("", *self._memory_check.tick(now))
        if self._nearby.take():
            self._follower.look_again()

    def _with_flight(self, what: str, trace: str) -> OurMistake:
        """Write what happened last to the state directory. Return the mistake with what the user is
        to do now."""
        now_ns = time.time_ns()
        try:
            text = self._flight_recorder.text(what, trace, now_ns, self._peers.name)
            do = flight_kept(str(self._state.save_flight(text, now_ns / 1e9)))
        except OSError as error:
            do = flight_lost(str(self._state.path), error.strerror or str(error))
        except Exception as error:  # the first mistake must be told, whatever the second one is
            do = flight_lost(str(self._state.path), broke_at(error))
        return OurMistake(what, trace, do)

    def stop(self) -> None:
        """End run() soon. May be called from a signal handler or another thread."""
        self._signals.stop()

    def read_peers(self) -> None:
        """Read peer.toml again, soon. May be called from a signal's handler."""
        self._signals.read_peers()

    def noticed(self, name: str) -> None:
        """A signal arrived that the agent ignores; called from the signal's handler."""
        self._signals.ignored(name)

    def close(self) -> None:
        """Say goodbye, let running jobs end, and release everything that was opened."""
        self._nearby.close()
        if self._hub is not None:
            for held in self.node.event_batching.rest():
                self._teller.tell(held)
            self._teller.tell(actions.Tell(EventKind.STOPPED, {}))
            for peer in self._peers.by_key.values():
                for link in {self._peers.control_link(peer.key), peer.came}:
                    if link is not None:
                        self.bus.send(link, Bye("it was stopped"))
        self._opened.close()

    def _deadline(self, now: float) -> float:
        due = [self.node.deadline(now), self._log.deadline(), self._pairing.deadline()]
        due += [self._signals.deadline(), self._door_again.deadline()]
        due += [self._address_look.deadline(), self._reading.deadline(), self._pauses.deadline(now)]
        return min(at for at in due if at is not None)

    def _handle(self, fact: Fact) -> None:
        now, wall_ns = time.monotonic(), time.time_ns()
        self._flight_recorder.note(fact, now, wall_ns)
        for action in self.node.handle(fact, now, wall_ns):
            self._do(action)

    # -- actions --------------------------------------------------------------------------------

    def _do(self, action: actions.Action) -> None:
        match action:
            case actions.Work(job):
                self._workers.submit(job)
            case actions.Send(link, message, body):
                self._send(link, [message], body)
            case actions.Publish():
                self._publish(action)
            case actions.SendRoster(link):
                self._send(link, self._seals.roster(action))
            case actions.SendEpochKey(link):
                self._send(link, self._seals.epoch_key(action))
            case actions.RelistMembers():
                self._follower.look_again()
            case actions.Tell():
                self._teller.tell(action)
            case actions.TakeOver(folder):
                self._folders.take_over(folder)
            case actions.ForgetFolder(folder):
                self._folders.forget(folder)
            case actions.WatchAnew(folder, path):
                self._openings.watch_anew(folder, path)
            case actions.Subscribe(device, bulk_port, news_port):
                self.bus.subscribe(device, bulk_port, news_port)
            case actions.Drop(device, refusal, detail):
                self._drop(device, refusal, detail)
            case actions.Answer(asker, fields):
                self.bus.answer(asker, encode_reply(dict(fields) | self._figures()))

    def _send(self, link: Link, messages: Iterable[Message], body: Buffer | None = None) -> None:
        """Send messages over a link until it takes no more."""
        for message in messages:
            if not self.bus.send(link, message, body):
                self._loop.send_failed(link)
                break

    def _publish(self, action: actions.Publish) -> None:
        news = self._seals.news(action)
        if news is None:
            return
        self.bus.publish(news)
        for link in action.links:
            self.bus.send(link, news)

    def _drop(self, device: DeviceKey, refusal: Refusal, detail: str) -> None:
        """Report the device once, and shut it out for a while: its messages are not handled, and we
        do not dial it. Later results of jobs about its bytes change nothing."""
        if self.bus.is_shut_out(device):
            return
        fields = {
            "device": self._peers.name(device),
            "why": f"dropped for {SHUT_OUT_S:.0f} s: {refusal.value}",
            "detail": detail,
        }
        self._teller.tell(actions.Tell(EventKind.REFUSED, fields))
        self.bus.drop(device)
        self._loop.drop_device(device)
        self._handle(DeviceDropped(device, refusal.value))

    def _cut_off(self, device: DeviceKey) -> None:
        """End all connections of a device that is no peer any more."""
        self.bus.end(device)
        self._loop.drop_device(device)

    def _metrics(self) -> MetricsShown:
        return self.node.metrics(self._own_figures.now(), Times(time.monotonic(), time.time()))

    def _figures(self) -> dict[str, Any]:
        return {"longest_turn_ms": round(self._loop.longest_turn_s * 1000, 1)}
