"""One device that is silent, slow or lying costs the others at most a place each: whatever there
is a bounded number of is shared among those who have what is wanted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leftzmq.errors import ProblemKind
from leftzmq.sync.apply.results import FAILED_RETRY_S
from leftzmq.sync.download.requests import SILENT_ALONE_S
from leftzmq.sync.link import Link
from leftzmq.wire.messages import Chunks, Message
from tests.helpers.mesh import Device
from tests.helpers.shaped import Shaped

pytestmark = pytest.mark.slow

RATE = 12_500_000  # 100 Mbit/s
MIB = 1 << 20
MTIME = 1_600_000_000
SOON_S = 5.0


class Lying(Shaped):
    """`missing`: devices that answer every get with `missing`."""

    def __init__(self, base: Path, names: str) -> None:
        super().__init__(base, names, RATE)
        self.missing: set[str] = set()

    def send(self, sender: Device, link: Link, message: Message, body: object) -> None:  # type: ignore[override]
        if isinstance(message, Chunks) and sender.name in self.missing:
            ids = [*message.missing, *(part.id for part in message.parts)]
            message, body = Chunks(message.number, message.tag, [], ids), b""
        super().send(sender, link, message, body)


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Lying]:
    """A is honest, M is not, B has nothing yet and is looked at."""
    mesh = Lying(tmp_path, "ABM")
    for device in mesh.devices.values():
        device.start()
    mesh.settle(2)
    yield mesh
    for device in mesh.devices.values():
        if device.alive:
            device.end()


def write(device: Device, files: dict[str, int]) -> dict[str, bytes]:
    """Files of so many random bytes."""
    written = {path: random.Random(path).randbytes(size) for path, size in files.items()}
    for path, data in written.items():
        device.write(path, data, mtime=MTIME)
    device.scan()
    return written


def has(device: Device, written: dict[str, bytes]) -> Callable[[], bool]:
    missing = list(written)

    def reached() -> bool:
        while missing:
            path = missing[-1]
            if not any(row.is_ours for row in device.folder.index_view.store.rows_of([path])[path]):
                return False
            missing.pop()
        return True

    return reached


OFFERED = {
    "16 of 300 KB": {f"a{number}": 300_000 for number in range(16)},
    "2 of 20 MB": {f"a{number}": 20_000_000 for number in range(2)},
    "18 of both": {f"a{number}": 20_000_000 if number < 2 else 300_000 for number in range(18)},
    "900 small ones": {f"a{number}": 10_000 for number in range(900)},
}
HONEST = {"z large": 2_000_000, "z very large": 17_000_000, "z small": 1000}


def learns(mesh: Lying, how: str) -> None:
    if how == "mute":
        mesh.mute.add("M")
    elif how == "missing":
        mesh.missing.add("M")
    else:
        mesh.slow["M"] = 64_000.0


@pytest.mark.parametrize("how", ["mute", "missing", "slow"])
@pytest.mark.parametrize("offered", OFFERED)
def test_who_does_not_give_what_it_offers_keeps_nobody_elses_files(
    mesh: Lying, offered: str, how: str
) -> None:
    a, b, m = (mesh.devices[name] for name in "ABM")
    learns(mesh, how)
    write(m, OFFERED[offered])
    mesh.settle(3)
    honest = write(a, HONEST)
    took = mesh.run_until(has(b, honest))
    assert took < SOON_S
    late = write(a, {"z late": 5000, "z late and large": 700_000})
    assert mesh.run_until(has(b, late)) < SOON_S


@pytest.mark.parametrize("how", ["mute", "missing"])
def test_who_begins_to_give_is_heard_and_what_is_here_is_not_fetched_again(
    mesh: Lying, how: str
) -> None:
    b, m = mesh.devices["B"], mesh.devices["M"]
    offered = write(m, OFFERED["18 of both"])
    mesh.run_until(lambda: b.folder.received_bytes > 8 * MIB)
    learns(mesh, how)
    mesh.settle(120)
    shown = b.folder.problems.all()
    assert shown and all(problem.kind is ProblemKind.NOT_GIVEN for problem in shown)
    mesh.mute.clear()
    mesh.missing.clear()
    took = mesh.run_until(has(b, offered))
    assert took < 60 + FAILED_RETRY_S + SILENT_ALONE_S, "its rest is a minute at most"
    mesh.settle(5)
    assert not b.folder.problems.all()
    size = sum(map(len, offered.values()))
    assert b.folder.received_bytes < size + 5 * MIB, "it went on from what was here"


def test_what_several_have_does_not_wait_for_the_silent_one(mesh: Lying) -> None:
    a, b, m = (mesh.devices[name] for name in "ABM")
    b.kill()
    files = {f"both{number}": 600_000 for number in range(40)}
    offered = write(m, files)
    mesh.run_until(has(a, offered))
    mesh.settle(2)
    mesh.mute.add("M")
    b.start()
    assert mesh.run_until(has(b, offered)) < 20.0


def test_the_tickets_of_a_silent_one_do_not_fill_the_window(
    mesh: Lying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come first in the order of paths, and there are more than are worked at at once."""
    monkeypatch.setattr("leftzmq.sync.apply.work_window.WINDOW_TICKETS", 200)
    monkeypatch.setattr("leftzmq.sync.apply.work_window.LEAST_TICKETS", 20)
    a, b, m = (mesh.devices[name] for name in "ABM")
    mesh.mute.update("AM")
    offered = write(m, {f"a{number}": 100 for number in range(400)})
    honest = write(a, {f"z{number}": 700 for number in range(300)} | HONEST)
    mesh.settle(3)
    a.kill()
    mesh.settle(3)
    mesh.mute.discard("A")
    a.start()
    assert mesh.run_until(has(b, honest)) < 2 * SOON_S
    assert len(b.folder.applier._window.active) <= 100
    b.kill()
    late = write(a, {"z late": 300_000})
    b.start()
    assert mesh.run_until(has(b, late)) < SOON_S
    mesh.mute.clear()
    assert mesh.run_until(has(b, offered)) < 120


def test_a_device_that_gives_some_of_its_files_is_not_kept_by_the_others(mesh: Lying) -> None:
    """It cannot read hundreds of them: what it can give comes."""
    b, m = mesh.devices["B"], mesh.devices["M"]
    mesh.missing.add("M")
    unreadable = dict.fromkeys((f"a{number}" for number in range(200)), 1000)
    unreadable |= dict.fromkeys((f"b{number}" for number in range(20)), 300_000)
    write(m, unreadable)
    good = write(m, {"c small": 2000, "c large": 800_000})
    mesh.settle(3)
    for path in unreadable:
        (m.share / path).unlink()  # and its index does not know it yet
    m.folder.scheduler.stopped = True
    mesh.missing.clear()
    assert mesh.run_until(has(b, good)) < 300
