"""Limits of what is sent and received, by the clock of a mesh with lines."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leftzmq.bandwidth.timetable import BandwidthLimits, Timetable, parse_timetable
from leftzmq.errors import Stop, StopCause
from leftzmq.sync.download.requests import SILENT_ALONE_S
from leftzmq.sync.facts import Asked, CookieSeen, FolderStopped, LimitsSet, MessageArrived
from leftzmq.sync.jobs import DropCookie, Job
from leftzmq.sync.link import Link, Way
from leftzmq.wire.messages import Giving
from tests.helpers.mesh import Device
from tests.helpers.shaped import Shaped

pytestmark = pytest.mark.slow  # whole devices at work

LINE = 12_500_000  # 100 Mbit/s
KB, MB = 1000, 1000**2


@pytest.fixture
def shaped(tmp_path: Path) -> Iterator[Callable[[str], Shaped]]:
    meshes: list[Shaped] = []

    def made(names: str) -> Shaped:
        mesh = Shaped(tmp_path, names, LINE)
        meshes.append(mesh)
        submit = mesh.submit

        def watched(device: Device, job: Job) -> None:
            submit(device, job)
            if isinstance(job, DropCookie):
                device.take(CookieSeen(job.folder, job.name))

        mesh.submit = watched  # type: ignore[assignment,method-assign]
        for device in mesh.devices.values():
            device.start()
        mesh.settle(2)
        return mesh

    yield made
    for mesh in meshes:
        for device in mesh.devices.values():
            assert not device.folder.problems.all()


def limit(device: Device, up: str = "", down: str = "", *, of: Device | None = None) -> None:
    tables = [parse_timetable(text, "") if text else Timetable() for text in (up, down)]
    limits = BandwidthLimits(*tables)
    if of is None:
        device.take(LimitsSet(limits, {}))
    else:
        device.take(LimitsSet(BandwidthLimits(), {of.key: limits}))


def give(device: Device, path: str, size: int, seed: int = 1) -> bytes:
    data = random.Random(seed).randbytes(size)
    device.write(path, data, mtime=1_600_000_000)
    device.scan()
    return data


def has(device: Device, *paths: str) -> Callable[[], bool]:
    return lambda: all((device.share / path).exists() for path in paths)


LIMITS = {
    "A gives": lambda a, b, rate: limit(a, up=rate),
    "A gives to B": lambda a, b, rate: limit(a, up=rate, of=b),
    "B takes": lambda a, b, rate: limit(b, down=rate),
    "B takes from A": lambda a, b, rate: limit(b, down=rate, of=a),
}


@pytest.mark.parametrize("who", LIMITS)
@pytest.mark.parametrize(
    ("rate", "bytes_s", "size"), [("500 kB/s", 500 * KB, 3 * MB), ("4 MB/s", 4 * MB, 16 * MB)]
)
def test_a_limit_is_kept_and_used_up(
    shaped: Callable[[str], Shaped], who: str, rate: str, bytes_s: int, size: int
) -> None:
    mesh = shaped("AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    LIMITS[who](a, b, rate)
    give(a, "large", size)
    took = mesh.run_until(has(b, "large"))
    assert took == pytest.approx(size / bytes_s, rel=0.1)
    assert mesh.sent["A", "B"] < 1.03 * size, "nothing was sent twice"


@pytest.mark.parametrize("who", LIMITS)
def test_many_small_files_keep_a_limit_too(shaped: Callable[[str], Shaped], who: str) -> None:
    mesh = shaped("AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    LIMITS[who](a, b, "500 kB/s")
    data = random.Random(1).randbytes(100 * 50 * KB)
    for n in range(60):
        a.write(f"small/{n}", data[n * 50 * KB : (n + 1) * 50 * KB], mtime=1_600_000_000)
    a.scan()
    took = mesh.run_until(has(b, *(f"small/{n}" for n in range(60))))
    assert took == pytest.approx(3 * MB / (500 * KB), rel=0.1)


@pytest.mark.parametrize("who", LIMITS)
@pytest.mark.parametrize("bulk", ["a large file", "small files"])
def test_an_edit_does_not_wait_behind_bulk(
    shaped: Callable[[str], Shaped], who: str, bulk: str
) -> None:
    mesh = shaped("AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    LIMITS[who](a, b, "500 kB/s")
    if bulk == "a large file":
        give(a, "large", 8 * MB)
    else:
        for n in range(160):
            a.write(f"small/{n}", random.Random(n).randbytes(50 * KB), mtime=1_600_000_000)
        a.scan()
    mesh.run_until(lambda: b.folder.received_bytes > 2 * MB)
    give(a, "edit", 10 * KB)
    took = mesh.run_until(has(b, "edit"))
    assert took < 1.5, "a slice of the bulk, and what was asked for before"
    assert b.folder.received_bytes < 4 * MB


def test_askers_share_what_a_device_gives(shaped: Callable[[str], Shaped]) -> None:
    mesh = shaped("ABC")
    a, b, c = mesh.devices.values()
    limit(a, up="1 MB/s")
    limit(b, up="1 kB/s")  # so what they give each other does not blur it
    limit(c, up="1 kB/s")
    give(a, "large", 10 * MB)
    mesh.run_until(lambda: b.folder.received_bytes + c.folder.received_bytes > 6 * MB)
    given = [mesh.sent["A", "B"], mesh.sent["A", "C"]]
    assert max(given) < 1.3 * min(given)


def test_at_a_low_rate_for_many_hardly_anything_is_given_twice(
    shaped: Callable[[str], Shaped],
) -> None:
    """What is asked for waits longer than its asker does, who asks again then."""
    mesh = shaped("ABCDE")
    a = mesh.devices["A"]
    limit(a, up="50 kB/s")
    for name in "BCDE":
        limit(mesh.devices[name], up="1 kB/s")
    give(a, "large", 3 * MB)
    mesh.run_until(lambda: (mesh.sent and sum(mesh.sent.values()) > 6 * MB) or False, 400.0)
    for name in "BCDE":
        got = [id for sender, to, id in mesh.chunks if (sender, to) == ("A", name)]
        assert len(got) <= 1.1 * len(set(got)), Counter(got).most_common(3)


@pytest.mark.parametrize("who", LIMITS)
def test_off_lets_no_contents_pass_and_all_news(shaped: Callable[[str], Shaped], who: str) -> None:
    """The clock of the mesh begins on Friday, 2027-01-15 08:00 UTC."""
    mesh = shaped("AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    LIMITS[who](a, b, "fri 08:00-08:05 off")
    give(a, "large", 1 * MB)
    give(a, "small", 1 * KB)
    (a.share / "folder").mkdir()
    a.scan()
    mesh.settle(60.0)
    assert (b.share / "folder").is_dir()
    assert b.folder.index_view.counters.tickets == 2
    assert not mesh.sent.get(("A", "B"))
    took = mesh.run_until(has(b, "large", "small"), 400.0)
    assert took < 300.0
    assert mesh.now - 1000.0 >= 300.0, "the contents came when the time of the limit was over"


@pytest.mark.parametrize("said", [Giving(True, 1), Giving(True, 0), Giving(True, 2**53)])
def test_who_names_a_limit_and_gives_nothing_keeps_nobody_from_what_others_have(
    shaped: Callable[[str], Shaped], said: Giving
) -> None:
    mesh = shaped("ABC")
    a, b, c = mesh.devices.values()
    c.kill()
    give(a, "large", 4 * MB)
    for n in range(20):
        a.write(f"small/{n}", random.Random(n).randbytes(10 * KB), mtime=1_600_000_000)
    a.scan()
    mesh.run_until(has(b, "large", *(f"small/{n}" for n in range(20))))
    mesh.mute.add("A")
    c.start()
    c.take(MessageArrived(Link(a.key, Way.DIALED), said))
    took = mesh.run_until(has(c, "large", *(f"small/{n}" for n in range(20))))
    assert took < 2 * SILENT_ALONE_S


# -- what a user is told ---------------------------------------------------------------------------


def test_status_says_which_limit_is_in_force_and_who_waits_for_it(
    shaped: Callable[[str], Shaped],
) -> None:
    mesh = shaped("AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    limit(b, up="2 MB/s", down="500 kB/s")
    limit(a, up="1 MB/s", of=b)
    give(a, "large", 20 * MB)
    mesh.run_until(lambda: b.folder.received_bytes > 1 * MB)
    status = b.node.status()
    assert status["limits"] == {"up": 2 * MB, "down": 500 * KB}
    (of_a,) = status["peers"]
    assert (of_a["limits"], of_a["gives"]) == ({"up": 2 * MB, "down": 500 * KB}, 1 * MB)
    assert status["folders"][0]["waits_for"] == "limit"
    status = a.node.status()
    assert status["limits"] == {"up": None, "down": None}
    assert status["peers"][0]["limits"] == {"up": 1 * MB, "down": None}
    assert status["peers"][0]["gives"] == 2 * MB
    limit(b)
    mesh.run_until(has(b, "large"))
    mesh.settle(5)
    assert b.node.status()["folders"][0]["waits_for"] == ""


WHY = {
    "A gives": ("limit of A: off", "limit: up off"),
    "A gives to B": ("limit of A: off", "limit: up off"),
    "B takes": ("limit: down off", ""),
    "B takes from A": ("limit: down off", ""),
}


@pytest.mark.parametrize("who", WHY)
def test_wait_ends_in_time_and_says_that_a_limit_is_why(
    shaped: Callable[[str], Shaped], who: str
) -> None:
    mesh = shaped("AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    LIMITS[who](a, b, "fri 08:00-09:00 off")
    mesh.settle(1)
    give(a, "large", 1 * MB)
    mesh.settle(5)
    for device, why in zip((b, a), WHY[who], strict=True):
        device.take(Asked(b"x", "wait", {"timeout": 2}))
        mesh.settle(6.0)
        answer = device.answers.pop()
        assert not answer["in_sync"]
        assert answer["why"].endswith(f": {why}" if why else "everything yet"), answer["why"]


def test_another_limit_holds_at_once(shaped: Callable[[str], Shaped]) -> None:
    mesh = shaped("AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    limit(a, up="100 kB/s")
    limit(b, down="200 kB/s")
    give(a, "large", 20 * MB)
    mesh.run_until(lambda: b.folder.received_bytes > 1 * MB)
    limit(a)
    limit(b)
    assert mesh.run_until(has(b, "large")) < 3.0


def test_who_shares_no_folder_that_runs_is_not_told_what_it_is_given(
    shaped: Callable[[str], Shaped],
) -> None:
    mesh = shaped("AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    gives = lambda: b.node.downloader.given_by(a.key)  # noqa: E731
    limit(a, up="1 MB/s")
    mesh.settle(2)
    assert gives() == MB
    a.take(FolderStopped(a.folder.id, Stop(StopCause.PUT_OUT, "a test")))
    limit(a, up="2 MB/s")
    mesh.settle(2)
    assert gives() == MB
