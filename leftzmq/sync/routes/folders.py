"""Routes a folder's stop and its reopening to all machines that know something of it.

Knows which machines hold state of a folder. Must not know why it is stopped, nor how it is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from msgspec import Struct

from leftzmq.disk.staging.lefting import lefting_path
from leftzmq.sync.actions import Outputs
from leftzmq.sync.admin.conflicts import Conflicts
from leftzmq.sync.admin.health.doctor import Doctor
from leftzmq.sync.admin.health.reports import Reports
from leftzmq.sync.admin.ignored import IgnoreQuestions
from leftzmq.sync.admin.join_plans import JoinPlans
from leftzmq.sync.admin.mode_adoption import ModeAdoption
from leftzmq.sync.admin.overrides import Overrides
from leftzmq.sync.admin.wait import WaitQuestions
from leftzmq.sync.admin.why.plan import ChangePlans
from leftzmq.sync.admin.why.questions import WhyQuestions
from leftzmq.sync.download.downloader import Downloader
from leftzmq.sync.facts import FolderAdded, FolderBegun, FolderStopped, FolderTakenOff, HoldEnded
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import (
    FolderOpened,
    JobStopped,
    OpenStaging,
    ReadChunks,
    ShareExamined,
    ShareMeasured,
    StageSmall,
    WriteChunks,
)
from leftzmq.sync.peers.greeting import Peers
from leftzmq.sync.reopening import Reopening
from leftzmq.sync.routes.table import Routes
from leftzmq.sync.upload.listener import Listener
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Staged


class FolderRoutes(Struct, frozen=True):
    """One per agent. begin: returns the outputs that follow when a folder begins anew."""

    folders: Mapping[str, Folder]
    reopening: Reopening
    downloader: Downloader
    listener: Listener
    wait_questions: WaitQuestions
    conflicts: Conflicts
    join_plans: JoinPlans
    ignore_questions: IgnoreQuestions
    overrides: Overrides
    mode_adoption: ModeAdoption
    why_questions: WhyQuestions
    change_plans: ChangePlans
    peers: Peers
    reports: Reports
    doctor: Doctor
    begin: Callable[[Folder, float], Outputs]

    def enter(self, routes: Routes) -> None:
        to = routes.to
        to(FolderStopped, self._on_folder_stopped)
        to(JobStopped, self._on_job_stopped)
        to(FolderOpened, self._on_folder_opened)
        to(FolderAdded, self._on_folder_added)
        to(FolderTakenOff, self.reopening.on_folder_taken_off)
        to(HoldEnded, self._on_hold_ended)
        routes.to_folder(ShareMeasured, lambda folder: self.reports.on_share_measured)
        routes.to_folder(ShareExamined, lambda folder: self.doctor.on_share_examined)
        to(FolderBegun, lambda fact, now: self.begin(self.folders[fact.folder], now))

    def _on_folder_stopped(self, fact: FolderStopped, now: float) -> Outputs:
        folder = self.folders[fact.folder]
        if folder.stopped is not None:
            return self._ended(folder, fact, now)
        out = folder.stop(fact.stop)
        out += self.conflicts.on_folder_stopped(folder.id, fact.stop.why)
        out += self.join_plans.on_folder_stopped(folder.id, fact.stop.why)
        out += self.ignore_questions.on_folder_stopped(folder.id, fact.stop.why)
        out += self.overrides.on_folder_stopped(folder.id, fact.stop.why)
        out += self.mode_adoption.on_folder_stopped(folder.id, fact.stop.why)
        out += self.why_questions.on_folder_stopped(folder.id, fact.stop.why)
        out += self.change_plans.on_folder_stopped(folder.id, fact.stop.why)
        self.wait_questions.on_folder_stopped(folder.id)
        self.listener.on_folder_stopped(folder.id)
        self.downloader.on_folder_stopped(folder.id)
        self.reopening.on_folder_stopped(fact, now)
        self.peers.on_folder_stopped(now)
        self.reports.on_folder_stopped(folder.id)
        return out + self.doctor.on_folder_stopped(folder.id, now)

    def _ended(self, folder: Folder, fact: FolderStopped, now: float) -> Outputs:
        """The folder is stopped already. A reason that cannot pass replaces one that can. Where the
        folder was added once more since, it replaces any."""
        assert folder.stopped is not None
        if fact.stop.cause.can_pass or self.reopening.is_over(folder.id):
            return []
        folder.stopped = fact.stop
        self.peers.on_folder_stopped(now)
        self.reopening.on_folder_stopped(fact, now)
        return [folder.tell_stop()]

    def _on_job_stopped(self, fact: JobStopped, now: float) -> Outputs:
        out: Outputs = []
        match fact.job:
            case StageSmall() as job:
                self.downloader.not_written(job.device, len(job.body))
                for file in job.files:
                    self._may_have_made(job.folder, file.entry)
            case OpenStaging() as job:
                self._may_have_made(job.folder, job.entry)
            case WriteChunks() as job:
                self.downloader.not_written(job.device, len(job.body))
            case ReadChunks() as job:
                out += self.listener.on_chunks_not_read(job, now)
        return [*out, FolderStopped(fact.job.folder, fact.stop)]

    def _may_have_made(self, folder: str, entry: Entry) -> None:
        staged = Staged(lefting_path(entry.path), None)
        self.folders[folder].applier.leftings.made_by_job(entry.path, staged, bytes(entry.content))

    def _on_folder_added(self, fact: FolderAdded, now: float) -> Outputs:
        self.reopening.on_folder_added(fact, now)
        return []

    def _on_hold_ended(self, fact: HoldEnded, now: float) -> Outputs:
        """A folder that is stopped begins without a hold when it goes on."""
        folder = self.folders[fact.folder]
        folder.hold.end()
        return [] if folder.stopped else folder.within(partial(folder.on_hold_ended, now))

    def _on_folder_opened(self, fact: FolderOpened, now: float) -> Outputs:
        """A worker tried to open a stopped folder. A new reason is reported, if it was not stopped
        for good meanwhile."""
        folder, is_over = self.folders[fact.folder], self.reopening.is_over(fact.folder)
        out: Outputs = [*self.reopening.on_folder_opened(fact, now)]
        if is_over or fact.stop is None or fact.stop == folder.stopped:
            return out
        folder.stopped = fact.stop
        self.peers.on_folder_stopped(now)
        return [*out, folder.tell_stop()]
