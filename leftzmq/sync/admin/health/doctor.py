"""Answers `doctor`: has every share looked at, and makes all checks when that is done.

A share whose disk does not answer keeps nobody waiting for long: that is a finding. Knows folders,
peers and which checks there are. Must not know what a check finds good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from leftzmq import __version__
from leftzmq.config import UnusableFolder
from leftzmq.sync.actions import Answer, Outputs, Work
from leftzmq.sync.admin.health.devices import DeviceSeen, SelfSaid, of_devices
from leftzmq.sync.admin.health.findings import Finding
from leftzmq.sync.admin.health.machine import of_machine, of_share
from leftzmq.sync.facts import DoctorAsked, MachineSeen
from leftzmq.sync.folder import Folder, FolderState
from leftzmq.sync.jobs import ExamineShare, ShareExamined
from leftzmq.sync.peers.greeting import Peers
from leftzmq.sync.peers.peer_state import Peer, PeerPhase
from leftzmq.wire.answers.health import DoctorShown, FindingShown

EXAMINE_S: Final = 3.0
"""A share that was not looked at by then is shown as silent: a command waits 5 s for an answer."""


@dataclass(slots=True)
class _DoctorQuestion:
    """waits_for: ids of folders whose shares are being looked at. until: when that is given up
    (monotonic seconds)"""

    asker: bytes
    machine: MachineSeen
    until: float
    waits_for: set[str]
    seen: dict[str, ShareExamined] = field(default_factory=dict)


class Doctor:
    """One per agent.

    about: `keyless` and `unusable` as in sync/node
    """

    def __init__(
        self, about: Mapping[str, Any], folders: Mapping[str, Folder], peers: Peers
    ) -> None:
        self._about, self._folders, self._peers = about, folders, peers
        self._open: list[_DoctorQuestion] = []
        self._examining: set[str] = set()

    def deadline(self) -> float | None:
        return min((question.until for question in self._open), default=None)

    def on_doctor_asked(self, fact: DoctorAsked, now: float) -> Outputs:
        running = {folder.id for folder in self._folders.values() if folder.stopped is None}
        question = _DoctorQuestion(fact.asker, fact.machine, now + EXAMINE_S, running)
        self._open.append(question)
        jobs = [Work(ExamineShare(id)) for id in sorted(running - self._examining)]
        self._examining |= running
        return [*jobs, *self._answered(now)]

    def on_share_examined(self, fact: ShareExamined, now: float) -> Outputs:
        self._examining.discard(fact.folder)
        for question in self._open:
            if fact.folder in question.waits_for:
                question.waits_for.discard(fact.folder)
                question.seen[fact.folder] = fact
        return self._answered(now)

    def on_folder_stopped(self, folder: str, now: float) -> Outputs:
        """Its share is looked at no more: that it is stopped says enough."""
        self._examining.discard(folder)
        for question in self._open:
            question.waits_for.discard(folder)
        return self._answered(now)

    def on_time_passed(self, now: float) -> Outputs:
        return self._answered(now)

    def _answered(self, now: float) -> Outputs:
        """Answer the questions that wait for nothing any more, or have waited for long enough."""
        done = [each for each in self._open if not each.waits_for or now >= each.until]
        self._open = [each for each in self._open if each not in done]
        return [
            Answer(each.asker, DoctorShown(findings=self._findings(each)).fields()) for each in done
        ]

    def _findings(self, question: _DoctorQuestion) -> list[FindingShown]:
        found = [Finding.AGENT_RUNS.about("", version=__version__)]
        mtus = question.machine.mtu_bytes
        devices = [self._seen(peer, mtus) for peer in self._peers.by_key.values()]
        found += of_devices(devices, self._about["keyless"], __version__)
        found += of_machine(question.machine)
        for folder in self._folders.values():
            found += _of_folder(folder, question.seen.get(folder.id))
        unusable: Sequence[UnusableFolder] = self._about.get("unusable", ())
        return found + [Finding.FOLDER_UNUSABLE.about(one.id, why=one.why) for one in unusable]

    def _seen(self, peer: Peer, mtus: Mapping[bytes, int]) -> DeviceSeen:
        connected = peer.state is PeerPhase.CONNECTED
        word, why = self._peers.dialing(peer.key)
        said = None
        if peer.heard is not None:
            report = peer.heard.report
            said = SelfSaid(report.program, report.dialing, report.dialing_why, peer.heard.clock_ms)
        return DeviceSeen(
            peer.name,
            connected,
            word,
            why,
            None if connected else peer.away,
            peer.away_why,
            said,
            mtus.get(peer.key),
            peer.said_goodbye,
        )


def _of_folder(folder: Folder, examined: ShareExamined | None) -> list[FindingShown]:
    """examined: None: its share was not looked at, or did not answer."""
    if folder.stopped is not None:
        return [Finding.FOLDER_STOPPED.about(folder.id, why=folder.stopped_why)]
    found = []
    if folder.state is FolderState.PAUSED:
        found.append(Finding.FOLDER_PAUSED.about(folder.id))
    elif folder.state is FolderState.HELD:
        found.append(Finding.FOLDER_HELD.about(folder.id))
    if examined is None:
        return [*found, Finding.SHARE_SILENT.about(folder.id, seconds=EXAMINE_S)]
    if examined.traits is None:
        return [*found, Finding.SHARE_FAILED.about(folder.id, why=examined.why)]
    return found + of_share(folder.id, examined.traits)
