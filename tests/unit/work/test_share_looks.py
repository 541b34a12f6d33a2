"""The jobs that look at a share for people: what they find, and that no error of theirs is more."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from secrets import token_bytes
from typing import Any

import pytest

from leftzmq.disk.fs.real import RealDirectory
from leftzmq.disk.share import Share, ShareTraits, traits_at, traits_of
from leftzmq.errors import ShareError, Stop, StopCause
from leftzmq.sync.jobs import ExamineShare, MeasureShare, ShareExamined, ShareMeasured
from leftzmq.work import share_looks
from leftzmq.work.folder_context import FolderContext
from tests.helpers import foldings
from tests.sim.disk import Disk
from tests.sim.fs import Calls, SimRoot


@pytest.fixture
def share(tmp_path: Path) -> Any:
    share = Share.open(tmp_path / "share", "f", None, True)
    yield share
    share.close()


def context_of(share: Share, stop: Stop | None = None) -> FolderContext:
    nothing: Any = None
    return FolderContext("f", share.root, nothing, nothing, nothing, b"", lambda: stop)


def in_left(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "share" / ".left").iterdir())


def test_free_bytes(share: Share, tmp_path: Path) -> None:
    found = share_looks.run(context_of(share), MeasureShare("f"))
    assert isinstance(found, ShareMeasured) and found.free_bytes is not None
    disk = os.statvfs(tmp_path)
    assert found.free_bytes == pytest.approx(disk.f_bavail * disk.f_frsize, rel=0.1)


def fails(*_: object) -> None:
    raise OSError(errno.EIO, "Input/output error")


def test_a_disk_that_does_not_say(share: Share, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RealDirectory, "free_bytes", fails)
    assert share_looks.run(context_of(share), MeasureShare("f")) == ShareMeasured("f", None)


def test_what_a_disk_can_do_and_nothing_stays_of_the_test(share: Share, tmp_path: Path) -> None:
    before = in_left(tmp_path)
    found = share_looks.run(context_of(share), ExamineShare("f"))
    assert isinstance(found, ShareExamined) and found.traits is not None
    traits = found.traits
    assert 0 < traits.free_bytes <= traits.total_bytes
    assert traits.tells_case and traits.tells_forms
    assert traits.time_step_ns is not None and traits.time_step_ns <= 1_000
    assert in_left(tmp_path) == before


@pytest.mark.parametrize("call", ["create", "free_bytes", "open_write"])
def test_a_disk_that_fails_is_an_answer_and_nothing_stays(
    share: Share, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    before = in_left(tmp_path)
    monkeypatch.setattr(RealDirectory, call, fails)
    found = share_looks.run(context_of(share), ExamineShare("f"))
    assert found == ShareExamined("f", None, "Input/output error")
    assert in_left(tmp_path) == before


def test_in_a_share_that_is_another_one_nothing_is_made(
    share: Share, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RealDirectory, "create", fails)
    stop = Stop(StopCause.SHARE_AWAY, "the share is missing")
    found = share_looks.run(context_of(share, stop), ExamineShare("f"))
    assert found == ShareExamined("f", None, "the share is missing")


def test_a_disk_that_folds_names() -> None:
    raw = SimRoot(Calls(Disk(time.time_ns, folds=frozenset((1,)))))
    root = Share.over_root(raw, "share", "f", None, True, token_bytes).root
    traits = traits_of(root)
    assert not traits.tells_case


@pytest.mark.parametrize(
    ("shown_ns", "step"),
    [
        (1_700_000_001_123_456_789, 1),
        (1_700_000_001_123_456_700, 100),
        (1_700_000_001_123_456_000, 1_000),
        (1_700_000_001_123_000_000, 1_000_000),
        (1_700_000_001_120_000_000, 10_000_000),
        (1_700_000_001_000_000_000, 1_000_000_000),
        (1_700_000_002_000_000_000, 1_000_000_000),
        (1_700_000_000_000_000_000, 2_000_000_000),
        (1_600_000_000_000_000_000, None),
    ],
)
def test_to_what_a_disk_rounds_times(
    share: Share, monkeypatch: pytest.MonkeyPatch, shown_ns: int, step: int | None
) -> None:
    from leftzmq.disk.fs.real import RealFile

    monkeypatch.setattr(
        RealFile, "set_times", lambda self, mtime_ns: os.utime(self._fd, ns=(0, shown_ns))
    )
    assert traits_of(share.root).time_step_ns == step


def test_exfat(tmp_path: Path) -> None:
    try:
        with foldings.disk("exfat", tmp_path) as path:
            share = Share.open(path / "share", "f", None, True)
            traits = traits_of(share.root)
            share.close()
    except foldings.Impossible as error:
        pytest.skip(f"no exFAT here: {error}")
    assert not traits.tells_case and traits.lacks
    assert traits.time_step_ns is None or traits.time_step_ns >= 10_000_000


def test_a_share_that_no_agent_has_open(share: Share, tmp_path: Path) -> None:
    assert isinstance(traits_at(tmp_path / "share"), ShareTraits)
    with pytest.raises(ShareError, match="No such file"):
        traits_at(tmp_path / "none")
