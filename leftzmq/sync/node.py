"""The hub: takes each fact to its machine, and each machine's decisions to the next machine.

The tables in sync/routes say which machine that is. The hub decides nothing: a handler here that
decides something belongs in a machine. Pure, so the simulation runs the same hub as the agent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from leftzmq import __version__
from leftzmq.bandwidth.throttle import Throttles
from leftzmq.errors import IndexFailed, OurMistake, Stop, StopCause
from leftzmq.sync.actions import (
    Action,
    Answer,
    ForgetFolder,
    Outputs,
    Publish,
    Send,
    Tell,
    Work,
    declined,
)
from leftzmq.sync.admin.commands import Commands, bad_path
from leftzmq.sync.admin.conflicts import Conflicts
from leftzmq.sync.admin.event_batching import EventBatching
from leftzmq.sync.admin.health.doctor import Doctor
from leftzmq.sync.admin.health.fleet import Fleet
from leftzmq.sync.admin.health.reports import Reports
from leftzmq.sync.admin.ignored import IgnoreQuestions
from leftzmq.sync.admin.join_plans import JoinPlans
from leftzmq.sync.admin.limiting import Limiting
from leftzmq.sync.admin.metrics import AgentFigures, metrics
from leftzmq.sync.admin.mode_adoption import ModeAdoption
from leftzmq.sync.admin.open_questions import OpenQuestions
from leftzmq.sync.admin.overrides import Overrides
from leftzmq.sync.admin.status import Times, status
from leftzmq.sync.admin.wait import WaitQuestions
from leftzmq.sync.admin.why.plan import ChangePlans
from leftzmq.sync.admin.why.questions import WhyQuestions
from leftzmq.sync.apply.applier import Applier
from leftzmq.sync.download.downloader import Downloader
from leftzmq.sync.exchange.rate_limits import RateLimits
from leftzmq.sync.facts import (
    Asked,
    BulkRestored,
    DoctorAsked,
    Fact,
    FolderStopped,
    LimitsSet,
    MemberExcluded,
    ModesChanged,
    PausesSet,
    PeerConnected,
    PeerForgot,
    PeerGreeted,
    PeerLeft,
    PeerLost,
    PeerRemoved,
    Started,
    StrangerRefused,
    TimePassed,
)
from leftzmq.sync.folder import Folder
from leftzmq.sync.heartbeat import Heartbeat
from leftzmq.sync.jobs import JobBroke, JobDone, JobStopped, OpenFolder
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.sync.peers.greeting import Peers
from leftzmq.sync.peers.peer_state import Peer
from leftzmq.sync.peers.roster.exchange import RosterExchange
from leftzmq.sync.reopening import Reopening
from leftzmq.sync.routes import (
    ChunkRoutes,
    DeviceRoutes,
    FolderRoutes,
    QuestionRoutes,
    Routes,
    ShareRoutes,
    TicketRoutes,
)
from leftzmq.sync.upload.listener import Listener
from leftzmq.sync.upload.rate_told import GivingTold
from leftzmq.wire.answers.metrics import MetricsShown
from leftzmq.wire.local import EventKind
from leftzmq.wire.messages import Capability
from leftzmq.wire.replies import ErrorReply
from leftzmq.wire.strict import Frame

_FOR_ALL: Final = (
    Asked,
    BulkRestored,
    DoctorAsked,
    PeerConnected,
    PeerForgot,
    PeerGreeted,
    PeerLeft,
    PeerLost,
    PeerRemoved,
)
"""Facts that every folder and every shared machine must handle; handling one twice is harmless. A
fact that was interrupted by a failed index is handled again."""

ASK_LATER: Final = "ask again when some of them are answered"


class Node:
    """All machines of one agent. minute_at: returns the minute of the week by local time, of a unix
    time in ns."""

    def __init__(
        self,
        folders: Mapping[str, Folder],
        peers: Peers,
        rosters: RosterExchange,
        about: Mapping[str, Any],
        minute_at: Callable[[int], int],
    ) -> None:
        self.throttles = Throttles(minute_at)
        self.folders, self.peers, self.rosters, self._about = folders, peers, rosters, about
        self.downloader = Downloader(
            folders,
            peers.bulk_link,
            partial(peers.links_for, Capability.HAVE),
            self.throttles.down,
            _number_of_this_life(folders),
        )
        self.listener = Listener(
            self._giving_folder_of,
            self._may_come,
            lambda folder: folders[folder].epochs,
            self._count_sent,
            rosters.excludes,
            self.throttles.up,
        )
        self.giving_told = GivingTold(self.throttles.up, self._links_for_giving)
        self.wait_questions = WaitQuestions(
            folders,
            peers.by_key.values,
            peers.connected,
            Limiting(self.throttles, self.downloader, peers.name),
            about.get("keyless", ()),
            about.get("unusable", ()),
        )
        self.conflicts = Conflicts(self._names_of_devices)
        self.join_plans, self.ignore_questions = JoinPlans(), IgnoreQuestions()
        self.overrides, self.mode_adoption = Overrides(), ModeAdoption(folders)
        self.reports = Reports(__version__, folders, peers, lambda: self._wall_ns)
        self.why_questions = WhyQuestions(
            self.downloader,
            self.throttles,
            self._members_of,
            lambda: self._wall_ns / 1e9,
            about["name"],
        )
        self.change_plans = ChangePlans(self._members_of, about["name"])
        self.commands = Commands(
            folders,
            self.conflicts,
            self.join_plans,
            self.ignore_questions,
            self.overrides,
            self.mode_adoption,
            Fleet(about, peers, self.reports.free_bytes, self._times),
            self.why_questions,
            self.change_plans,
            about.get("unusable", ()),
        )
        self._heartbeat = Heartbeat(folders)
        self.reopening = Reopening()
        self._rate_limits = RateLimits(peers.by_key)
        self.event_batching = EventBatching()
        self._open = OpenQuestions()
        self.doctor = Doctor(about, folders, peers)
        self._paused: frozenset[str] = frozenset()
        self._stirred: list[Applier | Downloader] = []
        self._now, self._wall_ns = 0.0, 0
        self._routes = self._route(Routes(folders, peers.by_key))

    def _names_of_devices(self) -> Iterator[tuple[DeviceKey, str]]:
        """This device and its peers, as they are now."""
        for peer in self.peers.by_key.values():
            yield peer.key, peer.name
        for folder in self.folders.values():
            yield folder.device, self._about["name"]

    def _members_of(self, folder: Folder) -> list[Peer]:
        """The other devices that are in the folder: connected, heard of before, or in its
        roster."""
        members = self.rosters.members()
        listed = {each.device for each in members if folder.id in each.folders}
        return [
            peer
            for peer in self.peers.by_key.values()
            if peer.key in listed
            or peer.key in folder.members
            or folder.store.heads.head_of(peer.key).mask
        ]

    def _route(self, routes: Routes) -> Routes:
        """Enter all handlers. Facts about the agent as a whole are handled here."""
        routes.to(Started, lambda fact, now: self._start(now))
        routes.to(TimePassed, lambda fact, now: self._on_time_passed(now))
        routes.to(LimitsSet, self._on_limits_set)
        routes.to(PausesSet, self._on_pauses_set)
        routes.to(Asked, self._on_asked)
        routes.to(DoctorAsked, self._on_doctor_asked)
        routes.to(JobBroke, _on_job_broke)
        DeviceRoutes(
            self.folders,
            self.peers,
            self.downloader,
            self.listener,
            self.rosters,
            self._heartbeat,
            self.giving_told,
            self.reports,
            self._folder_of,
            lambda: self._wall_ns,
        ).enter(routes)
        ShareRoutes(self.wait_questions, lambda: self._wall_ns).enter(routes)
        ChunkRoutes(self.folders, self.downloader, self.listener, self._stir).enter(routes)
        TicketRoutes(self._stir).enter(routes)
        QuestionRoutes(
            self.wait_questions,
            self.conflicts,
            self.join_plans,
            self.ignore_questions,
            self.overrides,
            self.why_questions,
            self.change_plans,
        ).enter(routes)
        FolderRoutes(
            self.folders,
            self.reopening,
            self.downloader,
            self.listener,
            self.wait_questions,
            self.conflicts,
            self.join_plans,
            self.ignore_questions,
            self.overrides,
            self.mode_adoption,
            self.why_questions,
            self.change_plans,
            self.peers,
            self.reports,
            self.doctor,
            self._begin_anew,
        ).enter(routes)
        return routes

    def admit(self, device: DeviceKey, frame: Frame, now: float) -> StrangerRefused | None:
        """Check a message of a device before anybody reads it. Return None, or the fact that
        replaces it."""
        return self._rate_limits.admit(device, frame, now)

    def handle(self, fact: Fact, now: float, wall_ns: int) -> list[Action]:
        """Return everything that follows from a fact. now: monotonic seconds; wall_ns: unix time in
        ns."""
        self._now, self._wall_ns = now, wall_ns
        if isinstance(fact, JobDone):
            self.reopening.job_ended(fact.folder)
        elif isinstance(fact, JobStopped):
            self.reopening.job_ended(fact.job.folder)
        facts: deque[Fact] = deque((fact,))
        actions: list[Action] = []
        if self.throttles.look(now, wall_ns) and not isinstance(fact, TimePassed):
            facts.append(TimePassed())
        for folder in self.folders.values():
            folder.guard.now_is(wall_ns)
            folder.index_view.now_is(now)
        while facts or self._stirred:
            while facts or self._stirred:
                _sort(self._decide(facts, now), actions, facts)
            # One transaction for each fact, ended before any action: so a job finds in the index
            # what it was made from.
            for folder in self._running():
                _sort(folder.within(folder.announcer.committed), actions, facts)
                _sort(folder.within(folder.reader_changes.look), actions, facts)
                folder.peer_lag.watch(now)
        # Not in between: what a look found is on its way from one machine to the next one.
        for folder in self._running():
            _sort(folder.first_reading.look(), actions, facts)
            _sort(folder.acknowledged.look(now), actions, facts)
        actions += self._forgotten()
        out: list[Action] = []
        for action in actions:
            if self._stands(action):
                out += self._passed(action, now)
        if isinstance(fact, TimePassed):
            out += self.event_batching.due(now)
        return out

    def _forgotten(self) -> list[Action]:
        """Let folders go that were taken off this device, as soon as nothing is left to be done for
        them."""
        if not self.peers.has_told_stops:
            return []
        out: list[Action] = []
        for id in self.reopening.take_gone():
            if id not in self.folders:
                continue
            self.peers.on_folder_gone(id)
            out += self.wait_questions.on_folder_gone(id)
            out.append(ForgetFolder(id))
        return out

    def _passed(self, action: Action, now: float) -> list[Action]:
        """Show the action to the machines that count actions; return what remains to be done."""
        match action:
            case Tell():
                return list(self.event_batching.tell(action, now))
            case Send():
                self._rate_limits.asked(action.link.device, action.message, now)
            case Work(job):
                self.reopening.job_begins(job.folder)
            case Answer(asker):
                self._open.answered(asker)
        return [action]

    def _decide(self, facts: deque[Fact], now: float) -> Outputs:
        """Return what follows from the next fact; if there is none, what follows from earlier
        facts."""
        fact = facts.popleft() if facts else None
        try:
            return self._settle(now) if fact is None else self._routes.follow(fact, now)
        except IndexFailed as failed:
            # A machine that all folders share was interrupted: all folders begin anew, as after a
            # crash.
            if isinstance(fact, Asked | DoctorAsked):
                self._open.answered(fact.asker)  # the question is asked once more
            if isinstance(fact, _FOR_ALL):
                facts.append(fact)
            return [self._stop_for(folder, failed) for folder in self._running()]

    def _stop_for(self, folder: Folder, failed: IndexFailed) -> FolderStopped:
        if failed.file == str(folder.store.file):
            return FolderStopped(folder.id, Stop(StopCause.INDEX, str(failed)))
        return FolderStopped(folder.id, Stop(StopCause.HELD_UP, f"interrupted: {failed}"))

    def _running(self) -> list[Folder]:
        return [folder for folder in self.folders.values() if folder.stopped is None]

    def _links_for_giving(self, device: DeviceKey) -> tuple[Link, ...]:
        """None where no folder that runs is shared with the device: it is given nothing."""
        if not any(device in folder.members for folder in self._running()):
            return ()
        return self.peers.links_for(Capability.GIVING, device)

    def _stands(self, action: Action) -> bool:
        """Return whether the action may go out. Decisions over an index that has failed since were
        never committed."""
        match action:
            case Work(job):
                id = job.folder
            case Publish():
                id = action.folder
            case _:
                return True
        opens = isinstance(action, Work) and isinstance(action.job, OpenFolder)
        return opens or self.folders[id].store.failed is None

    def _settle(self, now: float) -> Outputs:
        """Let one machine go on that was given many facts in a row, after the last of them."""
        return self._stirred.pop(0).go_on(now)

    def _stir(self, machine: Applier | Downloader) -> None:
        if machine not in self._stirred:
            self._stirred.append(machine)

    def deadline(self, now: float) -> float:
        """Return when TimePassed is due at the latest (monotonic seconds)."""
        times = [
            self._heartbeat.deadline(),
            self.downloader.deadline(now),
            self.wait_questions.deadline(),
            self.listener.deadline(now),
            self.throttles.deadline(),
        ]
        times += [self.reopening.deadline(), self.peers.deadline(), self.rosters.deadline()]
        times += [self.event_batching.deadline(), self.mode_adoption.deadline(now)]
        times.append(self.doctor.deadline())
        times += [folder.deadline(now) for folder in self.folders.values()]
        return min(time for time in times if time is not None)

    # -- the agent as a whole ---------------------------------------------------------------------

    def _start(self, now: float) -> Outputs:
        self._heartbeat.start(now)
        self.peers.start(now)
        out: Outputs = [Tell(EventKind.READY, {})]
        for folder in self.folders.values():
            if folder.stopped is None:
                out += folder.within(partial(self._begun, folder, now))
            else:
                self.reopening.on_folder_stopped(FolderStopped(folder.id, folder.stopped), now)
        return out + self.reports.start(now)

    def _begin_anew(self, folder: Folder, now: float) -> Outputs:
        """A stopped folder is open again. It begins as at a start, and all devices receive its new
        life."""
        self.downloader.begun(_number_of_this_life(self.folders))
        out: Outputs = [*folder.tell_begun()]
        out += folder.within(partial(self._begun, folder, now))
        if folder.paused:
            return [*out, *self.peers.greet_again(folder.id)]
        return [*out, folder.announcer.heartbeat(), *self.peers.greet_again(folder.id)]

    def _begun(self, folder: Folder, now: float) -> Outputs:
        """A folder begins, and knows whose versions count, and whether it is paused."""
        if folder.id in self._paused:
            folder.pause()
        modes = ModesChanged(folder.id, self.rosters.readers(folder.id))
        out: Outputs = [*folder.on_modes_changed(modes, now)]
        # A kill may have come between the roster and the index.
        for head in folder.store.heads.known():
            device = DeviceKey(head.key)
            if self.rosters.excludes(folder.id, device):
                out += folder.index_client.on_member_excluded(
                    MemberExcluded(folder.id, device), now
                )
        return [*out, *folder.begin(now)]

    def _on_time_passed(self, now: float) -> Outputs:
        out: Outputs = []
        for folder in self._running():
            out += folder.within(partial(_ticked, folder, now))
        out += self.mode_adoption.on_time_passed()
        out += self.downloader.on_time_passed(now)
        out += self.listener.go_on(now)
        out += self.giving_told.tell_changes()
        out += self.wait_questions.on_time_passed(now)
        out += self.reopening.on_time_passed(now)
        out += self.peers.on_time_passed(now)
        out += self.rosters.on_time_passed(now)
        out += self.doctor.on_time_passed(now)
        out += self.reports.on_time_passed(now)
        return out + self._heartbeat.on_time_passed(now)

    def _on_limits_set(self, fact: LimitsSet, now: float) -> Outputs:
        """The clock is looked at again, and what may go on goes on."""
        self.throttles.set_limits(fact.ours, fact.of)
        self.throttles.look(now, self._wall_ns)
        return [TimePassed()]

    def _on_pauses_set(self, fact: PausesSet, now: float) -> Outputs:
        """Members are greeted once more, and hear that a folder is paused, or goes on."""
        self._paused = fact.folders
        out = self.peers.on_pauses_set(fact, now)
        for folder in self._running():
            if folder.id in fact.folders and not folder.paused:
                out += folder.within(folder.pause)
                self.listener.on_folder_stopped(folder.id)
                self.peers.on_folder_stopped(now)
            elif folder.paused and folder.id not in fact.folders:
                folder.resume()
                out += self.peers.greet_again(folder.id)
        return [*out, TimePassed()]

    def _on_asked(self, fact: Asked, now: float) -> Outputs:
        may = self._open.opened(fact.asker)
        if fact.verb == "status":  # answered at once
            return [Answer(fact.asker, self.status())]
        return self._if_it_may(fact.asker, may, lambda: self._answer(fact, now))

    def _on_doctor_asked(self, fact: DoctorAsked, now: float) -> Outputs:
        may = self._open.opened(fact.asker)
        return self._if_it_may(fact.asker, may, lambda: self.doctor.on_doctor_asked(fact, now))

    def _if_it_may(self, asker: bytes, may: bool, answer: Callable[[], Outputs]) -> Outputs:
        """Decline a question where too many are open. may: whether its asker may ask one more."""
        if not may:
            return [declined(asker, "too many questions of yours are open", "", ASK_LATER)]
        gone = self.wait_questions.give_up_one() if self._open.full else []
        if self._open.full and not gone:
            return [declined(asker, "too many questions are open", "", ASK_LATER)]
        return gone + answer()

    def _answer(self, fact: Asked, now: float) -> Outputs:
        if fact.verb == "wait":
            return bad_path(fact) or self.wait_questions.on_asked(fact, now)
        answers = self.commands.on_asked(fact, now)
        if answers is not None:
            return answers
        what = f"this agent does not know the question {fact.verb}"
        unknown = ErrorReply(error=f"{what}: use the leftzmq of the same version")
        return [Answer(fact.asker, unknown.fields())]

    def status(self) -> dict[str, Any]:
        """The answer to `status`, as plain values (wire/replies)."""
        return status(
            self._about["name"],
            self._about["key"],
            self._about["keyless"],
            self.peers,
            self.folders.values(),
            self._about.get("unusable", ()),
            self.downloader,
            self.throttles,
            self._times(),
            self.conflicts.by,
            self.rosters.removed_from,
        ).fields()

    def _times(self) -> Times:
        return Times(self._now, self._wall_ns / 1e9)

    def metrics(self, agent: AgentFigures, times: Times) -> MetricsShown:
        """The answer to `metrics`. agent: what no machine knows. times: now."""
        return metrics(
            self.peers,
            self.folders.values(),
            self._about.get("unusable", ()),
            agent,
            times,
        )

    def _folder_of(self, device: DeviceKey, tag: bytes) -> str | None:
        """Return the folder of a tag, of whatever epoch, if that device shares it."""
        for folder in self.folders.values():
            runs = folder.stopped is None
            is_known = folder.epochs.keys(tag) is not None
            if runs and is_known and device in folder.index_client.members:
                return folder.id
        return None

    def _may_come(self, device: DeviceKey, tag: bytes) -> bool:
        """Whether an epoch that is not known here may be one of a folder that this device
        shares."""
        if any(folder.epochs.keys(tag) for folder in self.folders.values()):
            return False
        return any(
            device in folder.index_client.members and self.rosters.has_roster(folder.id)
            for folder in self._running()
        )

    def _giving_folder_of(self, device: DeviceKey, tag: bytes) -> str | None:
        """Return the same, unless nothing of the folder may be given."""
        id = self._folder_of(device, tag)
        return None if id is None or self.folders[id].hold.holds else id

    def _count_sent(self, folder: str, device: DeviceKey, count: int) -> None:
        self.folders[folder].sent(device, count)


def _ticked(folder: Folder, now: float) -> Outputs:
    out = folder.keeping.on_time_passed(now)
    out += folder.scheduler.on_time_passed(now)
    out += folder.index_client.on_time_passed(now)
    out += folder.applier.on_time_passed(now)
    out += folder.guard.on_time_passed(now)
    out += folder.bit_rot.on_time_passed(now)
    out += folder.letting_go.on_time_passed(now)
    out += folder.differences.on_time_passed(now)
    folder.wal_truncation.on_time_passed(now)
    return out + folder.trash.on_time_passed(now)


def _sort(outputs: Iterable[Action | Fact], actions: list[Action], facts: deque[Fact]) -> None:
    for output in outputs:
        if isinstance(output, Action):
            actions.append(output)
        else:
            facts.append(output)


def _number_of_this_life(folders: Mapping[str, Folder]) -> int:
    """Return the random part of a folder's life as an int; 0 if no folder began a life."""
    lives = (folder.store.heads.life for folder in folders.values() if folder.stopped is None)
    life = next(lives, None)
    return 0 if life is None else int.from_bytes(life[-4:])


def _on_job_broke(fact: JobBroke, now: float) -> Outputs:
    raise OurMistake(f"a mistake of ours in {type(fact.job).__name__}: {fact.why}", fact.trace)
