"""Many small files go in batches: many in a get, many in a flush, many in a commit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leftzmq.disk.fs.real import RealDirectory, RealFile, RealRoot
from leftzmq.sync import jobs
from leftzmq.wire.messages import Get
from leftzmq.work.runner import JobRunner
from tests.helpers.mesh import Mesh
from tests.unit.sync.test_mesh import together

FILES = 1500


@pytest.mark.slow
def test_many_small_files_take_few_gets_flushes_and_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.start()
    for number in range(FILES):
        a.write(f"d{number % 7}/{number}", b"%d " % number + os.urandom(number % 3000))
    a.scan()
    mesh.settle()
    calls: dict[str, int] = {}

    def counted(kind: type, name: str, key: str) -> None:
        real = getattr(kind, name)

        def call(*arguments: object) -> object:
            calls[key] = calls.get(key, 0) + 1
            return real(*arguments)

        monkeypatch.setattr(kind, name, call)

    counted(RealFile, "flush", "flushes of a file")
    counted(RealDirectory, "flush", "flushes of a folder")
    counted(RealRoot, "flush_all", "flushes of everything")
    run = JobRunner.run
    done: list[jobs.Job] = []

    def noted(self: JobRunner, job: jobs.Job) -> jobs.JobDone:
        done.append(job)
        return run(self, job)

    monkeypatch.setattr(JobRunner, "run", noted)
    b.start()
    tree = together(mesh)
    assert sum(value[0] == "file" for value in tree.values()) == FILES  # type: ignore[index]
    gets = [message for message in b.sent if isinstance(message, Get)]
    assert sum(len(get.wants) for get in gets) == FILES and len(gets) <= FILES // 30
    assert sum(calls.values()) <= FILES // 15, calls
    for kind in (jobs.Apply, jobs.Flush):
        count = sum(isinstance(job, kind) for job in done)
        assert 0 < count <= FILES // 20, f"{count} times {kind.__name__}"
