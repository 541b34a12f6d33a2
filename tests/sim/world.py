"""The simulated world: devices, time, workers and wires. Everything happens here, in one order.

Knows when things happen. Must not know what users do (users), what goes wrong (faults), or what
must hold (laws): those modules ask the world to do something at a time, and look.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import os
import random
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ParamSpec

from leftzmq.disk.share import Share
from leftzmq.errors import IndexFault, ShareError
from leftzmq.index.reader import Reader
from leftzmq.sync import actions
from leftzmq.sync.facts import (
    CookieSeen,
    Fact,
    LimitsSet,
    LinkClosed,
    LocalRulesSet,
    PausesSet,
    PeerListed,
    PeerUnlisted,
    Started,
    TimePassed,
)
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import (
    DropCookie,
    Flushed,
    Job,
    Lane,
    MeasureShare,
    ShareMeasured,
    lane_of,
)
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.sync.peers.peer_state import Peer
from leftzmq.sync.peers.roster.exchange import RosterExchange
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.path import path_of_key, sort_key
from leftzmq.wire.messages import Bye, Giving, Message, Report
from leftzmq.wire.statements import Signed

from .acquaintance import Acquaintance
from .disk import Disk, Inode
from .fs import Calls, Crash, SimRoot
from .hands import Hands
from .index_trap import IndexTrap
from .node import FOLDER, Device, content_id, heads_in
from .story import brief
from .watching import Watching
from .wires import Wires

P = ParamSpec("P")
IDLE_TURNS = 100
"""So many turns in a second in which only time passes mean that a processor is busy for nothing."""
STARTED_NS = 1_800_000_000_000_000_000
MEASURED_S = 0.004
WORKERS = 2
"""Of each lane, as in runtime/agent."""

WAL_HEADER_BYTES = 32
_LOOKING = frozenset(
    (
        "stat",
        "fstat",
        "own_stat",
        "names",
        "folder",
        "open folder",
        "read",
        "read_link",
        "still_there",
        "open_read",
    )
)

State = tuple[bytes, bytes]
"""An index at rest: its database and its -wal."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """How rough the world is. Seconds, and probabilities of 0 to 1.

    lag_s: usual delay of messages and jobs; slow: how often they take up to 3 s
    """

    lag_s: float = 0.005
    slow: float = 0.0
    news_lost: float = 0.0
    news_twice: float = 0.0
    watch_lag_s: float = 0.05
    watch_lost: float = 0.0
    careful: bool = True
    skews_s: tuple[float, ...] = ()


class Delays:
    """Present delays; `calm` once nothing may be lost any more."""

    def __init__(self, chance: random.Random, knobs: Knobs) -> None:
        self._chance, self._knobs = chance, knobs
        self.calm = False

    def _lag(self, mean_s: float) -> float:
        if not self.calm and self._chance.random() < self._knobs.slow:
            return self._chance.uniform(0.0, 3.0)
        return self._chance.expovariate(1.0 / mean_s)

    def message(self) -> float:
        return self._lag(self._knobs.lag_s)

    def job(self) -> float:
        return self._lag(self._knobs.lag_s / 2)

    def dialing(self) -> float:
        return self._chance.uniform(0.001, 0.5)

    def noticing(self) -> float:
        return self._chance.choice((0.001, 0.2, 3.0))

    def watching(self) -> float:
        return self._lag(self._knobs.watch_lag_s)

    def news(self) -> list[float]:
        """Returns one delay for each time that this news arrives at one subscriber."""
        if self.calm:
            return [self._lag(self._knobs.lag_s)]
        if self._chance.random() < self._knobs.news_lost:
            return []
        twice = self._chance.random() < self._knobs.news_twice
        return [self._lag(self._knobs.lag_s) for _ in range(2 if twice else 1)]


class SimDevice(Device):
    """A device over a simulated disk."""

    def __init__(self, world: World, name: str, base: Path, skew_s: float) -> None:
        super().__init__(world, name)
        self.world, self.shown = world, name
        self.skew_ns = int(skew_s * 1e9)
        self._base = base
        self.disk = Disk(lambda: world.wall_ns(self))
        self.hands = Hands(self.disk, careful=world.knobs.careful)
        self.watching = Watching(self.disk, FOLDER)
        self.calls = Calls(self.disk)
        self.trap: tuple[int, Callable[[str, str], None]] | None = None
        self.commits_left = 0
        self.doom: Callable[[], None] | None = None
        self.unmounted: Inode | None = None
        self.hidden: dict[bytes, Inode] = {}  # what was in that, where open folders show nothing
        self.unlisted: set[str] = set()  # devices that are not in its list of peers now
        self.paused: set[str] = set()  # other devices, and FOLDER, until they are resumed
        self.acquaintance: Acquaintance | None = (
            None  # None: it lists whom it dials, or is dialed by
        )
        self.away: Inode | None = None  # mounted in the share at other times
        self.limits: LimitsSet | None = None
        self.job: Job | None = None  # running now
        self._blind = False
        self._lost: Folder | None = None  # had the damaged index
        # It ended before the rebuilt index knew its own, or before a walk found where they were.
        self.forgot_leftings = False
        self._indexed: dict[bytes, Entry] = {}  # what its index has, while it does not run
        self._lanes: dict[Lane, deque[Job]] = {lane: deque() for lane in Lane}
        self._taken: list[Job] = []  # by a worker, which has not run it yet
        self._running = dict.fromkeys(Lane, 0)
        self._tick_at = -1.0
        self._idle_turns, self._idle_since = 0, 0.0
        self._watch_due = False
        self.state: State | None = None
        self.durable_wal = 0  # bytes of the -wal that a power cut leaves, while its salt is:
        self.durable_salt = b""
        self.durable_head = 0  # the last sequence in them
        self.told: Callable[[int], None] = lambda head: None
        self.relisted: Callable[[], None] = lambda: None
        self.said: Callable[[DeviceKey, tuple[Signed, ...]], None] = lambda to, statements: None
        self.gave_epoch: Callable[[DeviceKey, bytes], None] = lambda to, epoch: None

    @property
    def has_begun(self) -> bool:
        """Whether an agent of this device ever had the folder."""
        return self.starts > 0 and not self.waits

    # ---- life and death -------------------------------------------------------------------

    @property
    def index(self) -> Path:
        return self._base / self.name / str(self.starts) / "index.db"

    def start(self) -> None:
        if self.alive:
            return
        path = self._base / self.name / str(self.starts + 1) / "index.db"
        path.parent.mkdir(parents=True)
        if self.state is not None:
            path.write_bytes(self.state[0])
            path.with_name("index.db-wal").write_bytes(self.state[1])
        self.calls = Calls(self.disk)
        self.calls.before = self._before_call
        self.world.look_after(self)
        self._lanes, self._taken = {lane: deque() for lane in Lane}, []
        self._running = dict.fromkeys(Lane, 0)
        self._tick_at = -1.0
        self.trap = None
        wires = self.world.wires
        if self.acquaintance is not None:
            self.unlisted = self._not_listed(self.acquaintance, self.rosters_kept())
        peers = [
            Peer(other.key, other.name, dials=wires.dials(self.name, other.name))
            for other in self.world.devices.values()
            if other.name not in self.unlisted
            and (wires.dials(self.name, other.name) or wires.dials(other.name, self.name))
        ]
        peers += self.world.more_peers(self)
        try:
            self.begin(path, self._open_share, peers)
        except Crash:
            self._end_doomed()
            return
        if self.paused:
            self.handle(self._pauses())
        if self.limits is not None:
            self.handle(self.limits)
        self.take(Started())
        wires.refresh()

    def pause(self, *names: str) -> None:
        """Its user pauses these devices, and FOLDER, and resumes all others. It stays so across
        starts."""
        self.paused = set(names)
        if self.alive:
            self.take(self._pauses())
        self.world.wires.refresh()

    def _pauses(self) -> PausesSet:
        devices = self.world.devices
        keys = frozenset(devices[name].key for name in self.paused if name in devices)
        return PausesSet(frozenset({FOLDER} & self.paused), keys)

    def list_peer(self, other: SimDevice) -> None:
        """A user puts the other device into peer.toml again."""
        self.unlisted.discard(other.name)
        if self.alive:
            self._listed.add(other.key)
            dials = self.world.wires.dials(self.name, other.name)
            self.take(PeerListed(other.key, other.name, dials))
        self.world.wires.refresh()

    def unlist_peer(self, other: SimDevice) -> None:
        """A user takes the other device out of peer.toml. Its connections end."""
        self.unlisted.add(other.name)
        self.world.wires.refresh()
        if self.alive:
            self._listed.discard(other.key)
            self.take(PeerUnlisted(other.key))

    def tune_ignore(self, lines: Sequence[str]) -> None:
        """Its user gives it these local rules, in place of those that it had."""
        self.ignore = tuple(lines)
        folder = self.folder if self.alive else None
        if folder is None or folder.stopped is not None:
            return  # it is opened with them
        for output in folder.within(
            lambda: folder.keeping.tune(self.ignore, litter=True, only=self.only)
        ):
            if isinstance(output, actions.Action):
                self.do(output)
            else:
                self.take(output)
        self.take(TimePassed())

    def limit(self, limits: LimitsSet) -> None:
        """Its user limits what passes. It stays so across starts."""
        self.limits = limits
        self.take(limits)

    def choose(self, *paths: str) -> None:
        """Its user has it fetch these paths alone, of his config; none: all."""
        self.only = paths
        self.take(LocalRulesSet(FOLDER, self.ignore, True, self.only))

    # ---- a folder with a roster ---------------------------------------------------------------

    def is_vouched(self, device: DeviceKey) -> bool:
        if self.acquaintance is None:
            return super().is_vouched(device)
        return self.acquaintance.is_vouched(self.world.name_of(device))

    def may_found(self, device: DeviceKey) -> bool:
        if self.acquaintance is None:
            return super().may_found(device)
        return self.acquaintance.may_found(self.world.name_of(device))

    def _not_listed(self, known: Acquaintance, rosters: Rosters | RosterExchange) -> set[str]:
        members = {self.world.name_of(each.device) for each in rosters.members()}
        shut_out = {self.world.name_of(device) for device in rosters.shut_out()}
        return set(self.world.names) - {self.name} - known.listed(members, shut_out)

    def relist(self) -> None:
        if self.acquaintance is None:
            return
        before = self.unlisted
        after = self._not_listed(self.acquaintance, self.exchange)
        for name in sorted(after - before):
            self.world.unlists(self, name)
        for name in sorted(before - after):
            self.world.lists(self, name)
        self.relisted()

    def leave(self) -> None:
        """Its user said no to the plan of a join, or the next start finds that he did: the folder
        goes from this device with all that the join made; no file of the user does."""
        assert self.disk.top is not None
        if self.alive:
            self.take_folder_off()
            self.watching.stop()
            self.index.unlink(missing_ok=True)
            self.index.with_name("index.db-wal").unlink(missing_ok=True)
            self.lost_index()
        else:
            self.waits, self.held = True, False
            self.roster_keeper.forget(self.keys.tag)
        self.state, self.durable_wal, self.durable_salt = None, 0, b""
        if b".left" in self.disk.top.children:
            self.disk.change((self.disk.top, b".left", None))
        self.world.say(self, "  the folder is taken off")

    def send_roster(self, link: Link, digest: bytes, statements: tuple[Signed, ...] | None) -> None:
        self.said(link.device, statements or ())
        super().send_roster(link, digest, statements)

    def send_epoch_key(self, link: Link, epoch: bytes) -> None:
        self.gave_epoch(link.device, epoch)
        super().send_epoch_key(link, epoch)

    def take_over(self) -> None:
        super().take_over()
        if self.opened_with != (self.ignore, self.only):
            # Its user gave it others while it was opened.
            self.later(0.0, lambda: self.tune_ignore(self.ignore))

    def began(self) -> None:
        self.make_durable(self.index)
        self.durable_head = self.store.heads.sequence
        self.store.commit = self._committed  # type: ignore[method-assign]
        self.watching.start()

    def dropped(self, drop: actions.Drop) -> None:
        if not self.world.cut_off(self, drop):
            super().dropped(drop)

    def _open_share(self, known: bytes | None) -> Share:
        if self.disk.top is None:
            # disk/share raises the same for a path that leads nowhere.
            raise ShareError("the share is missing or not mounted", "", "")
        root = SimRoot(self.calls)
        random_bytes = self.world.random.randbytes
        return Share.over_root(root, "share", FOLDER, known, known is None, random_bytes)

    def _end_doomed(self) -> None:
        doom, self.doom = self.doom, None
        assert doom is not None
        doom()

    def kill(self) -> None:
        """SIGKILL, at any point."""
        if self.alive:
            self._down(cut=False)

    def cut_power(self) -> None:
        """The machine stops; a kill before the power cut makes no difference."""
        if self.alive:
            self._down(cut=True)
        self.world.before_cut(self)
        self.disk.power_cut(self.world.random)
        self.world.was_cut(self)

    def stop(self) -> None:
        """SIGTERM: the agent says bye."""
        if not self.alive:
            return
        peers = self.node.peers
        for peer in peers.by_key.values():
            for link in (peers.control_link(peer.key), peer.came):
                if link is not None:
                    self.world.send(self, link, Bye("it was stopped"), None)
        self._down(cut=False)

    def _down(self, *, cut: bool) -> None:
        self.calls.dead = True
        self.watching.stop()
        if not self.index.exists():  # its folder was not opened yet
            self.end()
            self.world.wires.forget(self)
            return
        wal = self.index.with_name("index.db-wal")
        database = self.index.read_bytes()
        log = wal.read_bytes() if wal.exists() else b""
        self.world.index_trap.clear(self.index)
        self.forgot_leftings |= self._blind or self._misses_leftings()
        self._indexed = {} if cut or self._blind else self._indexed_now()
        self.end()
        if cut:
            # If the -wal was begun anew since, all that the old one held is in the database.
            kept = self.durable_wal if _salt(log) == self.durable_salt else 0
            if self.world.random.random() < 0.4:
                kept = self.world.random.randint(kept, len(log))
            log = log[:kept]
            self.durable_wal, self.durable_salt = len(log), _salt(log)
        self.state = (database, log) if database else None
        self.world.wires.forget(self)

    def _misses_leftings(self) -> bool:
        """Whether some `.lefting` of its own is not where it was made. Which ones these are is kept
        in memory only."""
        leftings = self.folder.applier.leftings
        return bool(leftings._missing or leftings._ledger._replaced)

    def put_state(self, state: State | None) -> None:
        """Another state directory is there at the next start."""
        assert not self.alive
        self.state = state
        log = state[1] if state else b""
        self.durable_wal, self.durable_salt = len(log), _salt(log)
        self._blind = True

    def knows(self, path: str, content: tuple[Kind, bytes]) -> bool:
        """Whether its index has this content at that path. It has not if it was lost or is older,
        if the device ended before its commit, or just now, between a name and the commit. A file
        that users delete then was never there for the index."""
        if not self.alive:
            # What another device made may have its name here already, over what the index has.
            entry = None if self._blind else self._indexed.get(sort_key(path))
            return entry is not None and self._is_of(entry, content)
        if self._blind and self.folder is not self._lost and self.folder.scheduler.walks.first_done:
            self._blind, self._lost = False, None
        if self._blind:
            return False
        with self.reading() as reader:
            ours = reader.ours(path)
        return ours is not None and self._is_of(ours.entry, content)

    def _is_of(self, entry: Entry, content: tuple[Kind, bytes]) -> bool:
        kind, data = content
        if kind is Kind.DIRECTORY:
            return entry.kind is kind and not entry.deleted
        if kind is Kind.SYMLINK:
            return entry.content == data
        return entry.content == content_id(self.keys, data)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Yields a reader of its present index, also while the device itself cannot use the
        index."""
        with self.world.index_trap.suspended():
            if self.store.failed is None:
                yield self.store
                return
            reader = Reader.open(self.index)
            yield reader
            reader.close()

    def _indexed_now(self) -> dict[bytes, Entry]:
        with self.reading() as reader:
            keys = [key for key, _ in reader.alive_after(b"", 10_000)]
            found = reader.rows_of([path_of_key(key) for key in keys])
        rows = [row for rows in found.values() for row in rows if row.is_ours]
        return {row.sort_key: row.entry for row in rows}

    def fail_index(
        self, statements: int, fault: IndexFault, lasts_s: float, sprung: Callable[[], None]
    ) -> None:
        """After so many more statements SQLite raises this fault, for so long."""
        trap, file = self.world.index_trap, self.index

        def begins() -> None:
            if lasts_s:
                self.world.after(lasts_s, lambda: trap.clear(file))
            sprung()

        trap.set(file, statements, fault, lasting=lasts_s > 0, sprung=begins)

    def lost_index(self) -> None:
        """Its index is damaged: a new index is built in its place."""
        self._blind, self._lost = True, self.folder

    @property
    def state_is_new(self) -> bool:
        """It never began, or lost all: a directory at the share's path would become its share."""
        return self.state is None and not self.alive

    def snapshot(self) -> State | None:
        """The state directory as it is now."""
        if not self.alive:
            return self.state
        if not self.index.exists():
            return None  # its user added the folder a moment ago, and no worker has opened it
        wal = self.index.with_name("index.db-wal")
        # A folder that was stopped before it wrote anything has none.
        return self.index.read_bytes(), wal.read_bytes() if wal.exists() else b""

    @contextmanager
    def reading_state(self, state: State) -> Iterator[Reader]:
        """Yields a reader of the index in this state, which may be one of another time."""
        with tempfile.TemporaryDirectory(dir=self._base) as base, self.world.index_trap.suspended():
            path = Path(base) / "index.db"
            path.write_bytes(state[0])
            path.with_name("index.db-wal").write_bytes(state[1])
            reader = Reader.open(path)
            try:
                yield reader
            finally:
                reader.close()

    def has_durably(self, path: str) -> bool:
        """Whether its index has something at `path` that neither an error of the index nor a power
        cut takes back."""
        with self.reading() as reader:
            ours = reader.ours(path)
        return ours is not None and ours.seq is not None and ours.seq <= self.durable_head

    # ---- facts ------------------------------------------------------------------------------

    def take(self, fact: Fact) -> None:
        """Handle the fact now."""
        if not self.alive:
            return
        self._idle_turns = self._idle_turns + 1 if isinstance(fact, TimePassed) else 0
        if self._idle_turns % IDLE_TURNS == 0:
            if self._idle_turns and self.world.now < self._idle_since + 1.0:
                raise AssertionError(f"{self.name} turns round and round")
            self._idle_since = self.world.now
        self.world.trace(self, fact)
        self.handle(fact)
        self.world.handled(self)
        self._schedule_tick()

    def _schedule_tick(self) -> None:
        due = max(self.node.deadline(self.world.now), self.world.now + 0.0005)
        if self._tick_at < 0 or due < self._tick_at or self._tick_at <= self.world.now:
            self._tick_at = due
            self.later(due - self.world.now, lambda: self._tick(due))

    def _tick(self, due: float) -> None:
        if due != self._tick_at:
            return
        self._tick_at = -1.0
        if self.node.deadline(self.world.now) <= self.world.now:
            self.take(TimePassed())
        else:  # it was postponed meanwhile
            self._schedule_tick()

    def later(self, delay: float, what: Callable[[], None]) -> None:
        """Call `what` after `delay` seconds, if this life of the agent is not over then."""
        starts = self.starts

        def then() -> None:
            if self.alive and self.starts == starts:
                what()

        self.world.after(delay, then)

    # ---- jobs -------------------------------------------------------------------------------

    @property
    def working(self) -> bool:
        return any(self._running.values())

    def queue(self, job: Job) -> None:
        if isinstance(job, MeasureShare):  # draws nothing: nobody decides by its answer
            measured = ShareMeasured(job.folder, self.disk.free_bytes)
            self.later(MEASURED_S, lambda: self.take(measured))
            return
        lane = lane_of(job)
        self._lanes[lane].append(job)
        self._next_job(lane)

    def _next_job(self, lane: Lane) -> None:
        while self._running[lane] < WORKERS and self._lanes[lane]:
            job = self._lanes[lane].popleft()
            self._running[lane] += 1
            self._taken.append(job)
            self.later(self.world.delays.job(), partial(self._run_taken, lane, job))

    def _run_taken(self, lane: Lane, job: Job) -> None:
        self._taken.remove(job)
        self._run(lane, job)

    def waiting_jobs(self) -> list[Job]:
        """Returns the jobs that no worker has begun."""
        return [job for jobs in self._lanes.values() for job in jobs]

    def jobs_under_way(self) -> list[Job]:
        """Returns the jobs that will still do something, whatever its agent knows by then."""
        if not self.alive:
            return []
        running = [] if self.job is None else [self.job]
        return [*running, *self._taken, *self.waiting_jobs()]

    def run_another(self) -> None:
        """Run a waiting job, in the middle of the running one."""
        for lane, jobs in self._lanes.items():
            if jobs:
                self._running[lane] += 1
                self._run(lane, jobs.popleft())
                return

    def _run(self, lane: Lane, job: Job) -> None:
        self.world.say(self, f"runs {type(job).__name__}")
        if self.world.story is not None:
            self.world.story.append(f"    {brief(job)}\n")
        outer, self.job = self.job, job
        try:
            answer = self.runner.run(job)
        finally:
            self.job = outer
        if isinstance(answer, Flushed):  # not where the flush failed
            self.durable_head = answer.head
        if isinstance(job, DropCookie):
            seen = CookieSeen(job.folder, job.name)
            self.later(self.world.delays.watching(), lambda: self.take(seen))
        self._note_watched()

        def answered() -> None:
            self._running[lane] -= 1
            self.take(answer)
            self._next_job(lane)

        self.later(self.world.delays.job(), answered)

    def make_durable(self, index: Path) -> None:
        self.world.index_trap.flushed(index)
        super().make_durable(index)
        self._note_durable()

    def index_opened(self) -> None:
        """Opening moves what the -wal holds into the database, and SQLite flushes the -wal before.
        A power cut that took a part of it then would mix the pages of two states."""
        self._note_durable()

    def _begin(self, folder: Folder) -> None:
        super()._begin(folder)
        self._note_durable()  # the store flushes the life that begins

    def _note_durable(self) -> None:
        """All of the -wal was flushed just now."""
        with self.index.with_name("index.db-wal").open("rb") as log:
            self.durable_salt = _salt(log.read(WAL_HEADER_BYTES))
            self.durable_wal = log.seek(0, os.SEEK_END)

    def _before_call(self, call: str, path: str) -> None:
        if call not in _LOOKING:
            self.world.say(self, f"  {call} {path}")
        if self.trap is not None and self.calls.count >= self.trap[0]:
            _, spring = self.trap
            self.trap = None
            spring(call, path)

    def set_trap(self, calls: int, spring: Callable[[str, str], None]) -> None:
        """Before so many more calls of the disk, `spring` is called with the call's name and
        path."""
        self.trap = (self.calls.count + calls, spring)

    def after_commits(self, count: int, spring: Callable[[], None]) -> None:
        self.commits_left, self._at_commit = count, spring

    def _committed(self) -> None:
        type(self.store).commit(self.store)
        if self.commits_left:
            self.commits_left -= 1
            if not self.commits_left:
                self._at_commit()

    # ---- the watcher ------------------------------------------------------------------------

    def _note_watched(self) -> None:
        """A change may have happened that the watcher will report."""
        if self._watch_due or not self.alive or not len(self.watching):
            return
        self._watch_due = True

        def tell() -> None:
            self._watch_due = False
            if not self.alive or self.waits:
                return
            if self.world.lose_watch():
                self.watching.lose()
            for fact in self.watching.take():
                self.take(fact)

        self.world.after(self.world.delays.watching(), tell)

    def scan_soon(self, delay: float) -> None:
        """Make the device walk everything, as it does every hour."""
        self.later(delay, lambda: self.scan() if not self.folder.stopped_why else None)

    def touched(self) -> None:
        """A user changed something on this disk."""
        self._note_watched()
        self.world.changed_by_user(self)


def each_of(*calls: Callable[P, None]) -> Callable[P, None]:
    """One call instead of several, in this order: several laws look at the same."""

    def all_of_them(*args: P.args, **kwargs: P.kwargs) -> None:
        for call in calls:
            call(*args, **kwargs)

    return all_of_them


class Sharing:
    """Who shares the folder with whom: all that run."""

    def __init__(self, world: World) -> None:
        self.world = world

    def groups(self) -> list[list[SimDevice]]:
        """The devices that share it, in groups that share it with one another."""
        return [self.world.alive]

    def misses_others(self, group: list[SimDevice]) -> bool:
        """Whether some of the group wait for what others have that do not share with them."""
        return False

    def reads_only(self, device: SimDevice) -> bool:
        """Whether what the device says counts for nothing."""
        return False

    def own(self, device: SimDevice, group: list[SimDevice]) -> list[str]:
        """The paths that lead to other things on a device that may only read than on those of its
        group who may write."""
        return []

    def agree(self, group: list[SimDevice]) -> bool:
        """Whether they agree on who they are, and ask no more."""
        return True

    def others_ask(self) -> bool:
        """Whether a device that is in no group will still ask something of those who are."""
        return False


class World:
    """The devices and all future events."""

    def __init__(
        self,
        seed: object,
        base: Path,
        names: str,
        dials: set[tuple[str, str]],
        knobs: Knobs,
    ) -> None:
        self.random = random.Random(f"{seed}/world")
        self.knobs = knobs
        self.delays = Delays(self.random, knobs)
        self.now = 1000.0
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._hash = hashlib.blake2b(digest_size=16)
        self.story: list[str] | None = None
        self.messages = Counter[str]()  # how many each device sent
        self.look_after: Callable[[SimDevice], None] = lambda device: None
        self.before_cut: Callable[[SimDevice], None] = lambda device: None
        self.was_cut: Callable[[SimDevice], None] = lambda device: None
        self.more_peers: Callable[[SimDevice], list[Peer]] = lambda device: []
        self.cut_off: Callable[[SimDevice, actions.Drop], bool] = lambda device, drop: False
        self.submitted: Callable[[SimDevice, Job], None] = lambda device, job: None
        self.sent: Callable[[SimDevice, DeviceKey | None, Message], None] = lambda by, to, what: (
            None
        )
        self.limited: Callable[[SimDevice, DeviceKey, Message], None] = lambda by, to, what: None
        self.patience_s = 0.0
        """How much longer than without limits it may take until all is quiet."""
        self.handled: Callable[[SimDevice], None] = lambda device: None
        self.changed_by_user: Callable[[SimDevice], None] = lambda device: None
        skews = [*knobs.skews_s, *([0.0] * len(names))]
        self.sharing = Sharing(self)
        self.folder_modes = True
        """Whether the mode of a folder is the same on all. Where one only receives, its user's
        stays his."""
        self._seed, self._base, self._dials = seed, base, dials
        self.clones: list[SimDevice] = []
        self.devices = {
            name: SimDevice(self, name, base, skews[at]) for at, name in enumerate(names)
        }
        for name, device in self.devices.items():
            device.disk.shares_blocks = random.Random(f"{seed}/{name}/blocks").random() < 0.5
        self.by_key: dict[DeviceKey, SimDevice] = {d.key: d for d in self.devices.values()}
        self.wires = Wires(self, dials)
        self.index_trap = IndexTrap()

    @property
    def alive(self) -> list[SimDevice]:
        return [device for device in self.devices.values() if device.alive]

    def give_keys(self) -> None:
        """Before anything begins: each device has a key of its own, with which it signs."""
        for name, device in self.devices.items():
            device.gets_keys()
            device.random_bytes = random.Random(f"{self._seed}/{name}/rosters").randbytes
            device.acquaintance = Acquaintance()
        self.by_key = {device.key: device for device in self.devices.values()}
        self.wires = Wires(self, self._dials)

    @property
    def names(self) -> Collection[str]:
        """Of all devices that others may list."""
        return self.devices.keys()

    def name_of(self, key: DeviceKey) -> str:
        return self.by_key[key].name

    def lists(self, device: SimDevice, name: str) -> None:
        """The device lists another one from now on."""
        device.list_peer(self.devices[name])

    def unlists(self, device: SimDevice, name: str) -> None:
        device.unlist_peer(self.devices[name])

    def clone(self, device: SimDevice, *, fresh: bool) -> SimDevice:
        """Another machine starts with a copy of its state and of its disk. fresh: its files were
        copied one by one, and have inodes of their own; otherwise its disk was copied."""
        base = self._base / f"clone-{len(self.clones)}"
        clone = SimDevice(self, device.name, base, device.skew_ns / 1e9)
        clone.shown += "'"
        clone.unlisted |= device.unlisted
        clone.ignore, clone.only, clone.mode = device.ignore, device.only, device.mode
        clone.limits = device.limits
        self.clones.append(clone)
        if device.acquaintance is not None:
            clone.gets_keys()
            clone.random_bytes = random.Random(f"{self._seed}/{clone.shown}/rosters").randbytes
            clone.acquaintance = device.acquaintance.copy()
            clone.roster_keeper = device.roster_keeper.copy()
        clone.disk.copy_of(device.disk, fresh=fresh)
        clone.put_state(device.snapshot())
        self.wires.cloned(device, clone)
        clone.start()
        return clone

    def clone_ends(self, device: SimDevice, clone: SimDevice) -> None:
        """The clone is switched off for good."""
        clone.kill()
        self.wires.clone_is_gone(device)
        self.wires.refresh()

    # ---- what the devices find around them --------------------------------------------------

    def wall_ns(self, device: Device) -> int:
        assert isinstance(device, SimDevice)
        return STARTED_NS + device.skew_ns + int((self.now - 1000.0) * 1e9)

    def submit(self, device: Device, job: Job) -> None:
        assert isinstance(device, SimDevice)
        self.submitted(device, job)
        device.queue(job)

    def send(self, device: Device, link: Link, message: Message, body: object) -> None:
        assert isinstance(device, SimDevice)
        if isinstance(message, Report):
            self.sent(device, link.device, message)
            self.wires.report(device, link, message)
            return
        if device.limits is None or not isinstance(message, Giving):  # that a limit is another one
            self.messages[device.shown] += 1
        self.say(device, f"sends {type(message).__name__} to {self.by_key[link.device].name}")
        for head in heads_in(device, link.device, message):
            device.told(head)
        self.sent(device, link.device, message)
        self.limited(device, link.device, message)
        if not self.wires.send(device, link, message, body):
            closed = LinkClosed(link, "the connection does not take any more")
            device.later(0.0, lambda: device.take(closed))
            if link.way is Way.DIALED:
                device.later(0.001, self.wires.refresh)

    def publish(self, device: Device, publish: actions.Publish) -> None:
        assert isinstance(device, SimDevice)
        device.told(publish.page.head)
        if publish.page.entries:
            self.messages[device.shown] += 1
        self.wires.publish(device, publish)

    def subscribe(self, device: Device, key: DeviceKey) -> None:
        assert isinstance(device, SimDevice)
        self.wires.subscribe(device, key)

    def lose_watch(self) -> bool:
        return not self.delays.calm and self.random.random() < self.knobs.watch_lost

    # ---- time -------------------------------------------------------------------------------

    def after(self, delay: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._coming, (self.now + max(delay, 0.0), next(self._count), what))

    def run_until(self, end: float, limit: int = 30_000) -> None:
        """Let everything happen that is due before `end`."""
        for _ in range(limit):
            if not self._coming or self._coming[0][0] > end:
                self.now = end
                return
            self._step()
        raise AssertionError("the world does not come to rest")

    def run_to(self, happened: Callable[[], object], seconds: float = 60.0) -> None:
        """Stop right after the event with which something has happened. No moment between two
        events is missed, and one that does not come within `seconds` is an error."""
        end = self.now + seconds
        while not happened():
            if not self._coming or self._coming[0][0] > end:
                raise AssertionError(f"it did not happen within {seconds} s")
            self._step()

    def _step(self) -> None:
        self.now, _, what = heapq.heappop(self._coming)
        try:
            what()
        except Crash:
            for device in self.devices.values():
                if device.doom is not None:
                    device._end_doomed()

    # ---- the trace --------------------------------------------------------------------------

    def trace(self, device: SimDevice, fact: Fact) -> None:
        self.say(device, type(fact).__name__)
        if self.story is not None:
            self.story.append(f"    {brief(fact)}\n")

    def say(self, device: SimDevice, what: str) -> None:
        line = f"{self.now:.6f} {device.shown} {what}\n"
        self._hash.update(line.encode())
        if self.story is not None:
            self.story.append(line)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def _salt(log: bytes) -> bytes:
    """Returns the salt, which changes each time SQLite begins a -wal anew:
    https://www.sqlite.org/fileformat.html (4.1)."""
    return log[16:24]
