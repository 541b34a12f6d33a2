"""Runs the jobs that look at the disk of a share for people: how much is free, what it can do.

Part of work/runner. Needs no index. A disk that does not say is no reason to stop a folder. Must
not know who asked.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from leftzmq.disk.fs.real import missing_calls
from leftzmq.disk.share import traits_of
from leftzmq.sync import jobs
from leftzmq.sync.jobs import JobDone
from leftzmq.work.folder_context import FolderContext


def run(context: FolderContext, job: Any) -> JobDone:
    """Run `job`. Returns the fact that answers it."""
    answer: JobDone = HANDLERS[type(job)](context, job)
    return answer


def _measure(context: FolderContext, job: jobs.MeasureShare) -> JobDone:
    try:
        with context.root.folder("") as top:
            return jobs.ShareMeasured(job.folder, top.free_bytes())
    except OSError:
        return jobs.ShareMeasured(job.folder, None)


def _examine(context: FolderContext, job: jobs.ExamineShare) -> JobDone:
    if (stop := context.still_there()) is not None:
        return jobs.ShareExamined(job.folder, None, stop.why)
    try:
        traits = traits_of(context.root)
    except OSError as error:
        return jobs.ShareExamined(job.folder, None, error.strerror or str(error))
    return jobs.ShareExamined(job.folder, replace(traits, lacks=missing_calls() + traits.lacks))


HANDLERS: Final[dict[type, Any]] = {jobs.MeasureShare: _measure, jobs.ExamineShare: _examine}
