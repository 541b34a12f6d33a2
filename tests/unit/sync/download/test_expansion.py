"""Files that are said to be huge: held against the room first, and expanded one at a time, in steps
that are short, whatever their lists say."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from leftzmq.config import Limits
from leftzmq.content import lists
from leftzmq.content.lists import STEP_ROWS, Expansion, Rows, pack_row
from leftzmq.errors import ProblemKind
from leftzmq.sync.actions import Action, Work
from leftzmq.sync.download.availability import Availability
from leftzmq.sync.download.large_files import LargeFiles
from leftzmq.sync.download.transfer_slots import VERY_LARGE_BYTES
from leftzmq.sync.facts import Fact
from leftzmq.sync.jobs import ExpandLists, ListsExpanded
from leftzmq.tree.entry import ContentId, Entry
from leftzmq.wire.messages import Get
from tests.helpers.forging import TIB, forge
from tests.helpers.mesh import Device, Mesh
from tests.helpers.shaped import Shaped
from tests.unit.sync.apply.test_space_waits import GIB, Disk
from tests.unit.sync.download.test_downloader import ENTRY, MUTE, OTHER, View, links_to

RATE = 12_500_000
TURN_S = 0.1  # of CPU; 2 to 14 ms


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    """A is honest, M says anything, B is looked at."""
    mesh = Mesh(tmp_path, "ABM")
    for device in mesh.devices.values():
        device.start()
    mesh.settle(2)
    yield mesh
    for device in mesh.devices.values():
        device.end()


@pytest.fixture
def disk(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch, mesh.devices["B"].share.resolve())


def lists_asked_for(device: Device) -> int:
    return sum(len(message.lists) for message in device.sent if isinstance(message, Get))


@pytest.mark.parametrize("floor", [1.0, 0.0])
@pytest.mark.parametrize("size", [4 * TIB, 101 * GIB])
def test_what_the_disk_cannot_hold_is_not_even_asked_for_its_lists(
    mesh: Mesh, disk: Disk, floor: float, size: int
) -> None:
    a, b, m = (mesh.devices[name] for name in "ABM")
    b.runner._contexts["share"].limits = Limits(min_free_percent=floor)
    forge(m, ("huge", "one", size), ("huge as well", "two", size))
    mesh.settle(20)
    assert {problem.path: problem.kind for problem in b.folder.problems.all()} == {
        "huge": ProblemKind.LOW_SPACE,
        "huge as well": ProblemKind.LOW_SPACE,
    }
    assert lists_asked_for(b) == 0 and not list(b.share.rglob("*.lefting"))
    data = random.Random(1).randbytes(700_000)
    a.write("z", data)
    a.scan()
    mesh.settle(5)
    assert (b.share / "z").read_bytes() == data


def test_what_has_room_in_the_end_goes_on_by_itself(mesh: Mesh, disk: Disk) -> None:
    b, m = mesh.devices["B"], mesh.devices["M"]
    forge(m, ("huge", "one", 60 * GIB))
    mesh.settle(20)
    assert lists_asked_for(b) == 0
    disk.free = 90 * GIB
    mesh.settle(20)
    assert lists_asked_for(b) > 0


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["one", "two"])
def test_four_tebibytes_are_expanded_in_short_steps(mesh: Mesh, disk: Disk, shape: str) -> None:
    a, b, m = (mesh.devices[name] for name in "ABM")
    disk.free = disk.total = 16 * TIB
    forge(m, ("huge", shape, 4 * TIB))
    longest = [0.0, 0.0]
    turns, jobs = b.node.handle, b.runner.run

    def timed(at: int, call: Callable[..., Any], *arguments: Any) -> Any:
        began = time.thread_time()
        answer = call(*arguments)
        longest[at] = max(longest[at], time.thread_time() - began)
        return answer

    b.node.handle = lambda *arguments: timed(0, turns, *arguments)  # type: ignore[method-assign]
    b.runner.run = lambda job: timed(1, jobs, job)  # type: ignore[method-assign]
    a.write("z", b"an honest edit")
    a.scan()
    mesh.settle(10)
    assert (b.share / "z").read_bytes() == b"an honest edit"
    (transfer,) = b.node.downloader.under_way()
    assert transfer.rows is not None and len(transfer.rows) == 4 * TIB >> 20
    assert sum(map(len, transfer.repeats.values())) <= lists.MAX_RUNS
    assert longest[0] < TURN_S and longest[1] < 5 * TURN_S


# ---- one at a time ----------------------------------------------------------------------------


class Both(View):
    """What is called m is MUTE's, the rest OTHER's."""

    def holders(self, entry: Entry) -> list[Any]:
        return [MUTE if entry.path.startswith("m") else OTHER]


def expansions(out: list[Action | Fact]) -> list[str]:
    jobs = [each.job for each in out if isinstance(each, Work)]
    return [job.entry.path for job in jobs if isinstance(job, ExpandLists)]


def entry(path: str, size: int) -> Entry:
    return replace(ENTRY, path=path, size=size, depth=1, content=ContentId(path.encode() * 16))


def test_very_large_ones_are_expanded_one_at_a_time_by_turns_of_their_devices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("leftzmq.sync.download.transfer_slots.VERY_LARGE_LEAST", 2)
    folders = {"share": Both()}
    large = LargeFiles(folders, Availability(folders, links_to), lambda: 2)  # type: ignore[arg-type]
    for path in ("m1", "m2", "o1", "o2"):
        large.want("share", entry(path, VERY_LARGE_BYTES + 1), None)
    large.want("share", entry("o3", VERY_LARGE_BYTES), None)
    began = expansions(large.start())
    assert sorted(began) == ["m1", "o3"], "the others never wait for such a one"
    order = ["m1"]
    while len(order) < 4:
        running = entry(order[-1], VERY_LARGE_BYTES + 1)
        begun = Expansion(Rows(pack_row(bytes(32), 1 << 20)))
        step = large.on_lists_expanded(ListsExpanded("share", running, begun=begun), 0.0)
        assert expansions(step) == [order[-1]], "its next step"
        order += expansions(
            large.on_lists_expanded(ListsExpanded("share", running, missing=(bytes(32),)), 0.0)
        )
    assert order == ["m1", "o1", "m2", "o2"]


def test_what_is_not_wanted_any_more_does_not_keep_the_others_from_it() -> None:
    folders = {"share": Both()}
    large = LargeFiles(folders, Availability(folders, links_to), lambda: 2)  # type: ignore[arg-type]
    for path in ("m1", "o1"):
        large.want("share", entry(path, VERY_LARGE_BYTES + 1), None)
    assert expansions(large.start()) == ["m1"]
    large.not_wanted("share", "m1")
    begun = Expansion(Rows(pack_row(bytes(32), 1 << 20)))
    answer = ListsExpanded("share", entry("m1", VERY_LARGE_BYTES + 1), begun=begun)
    assert expansions(large.on_lists_expanded(answer, 0.0)) == ["o1"]


# ---- what repeats -----------------------------------------------------------------------------


def test_rows_with_the_same_chunk_are_not_asked_for_in_one_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those beyond what a table holds. An answer is known by its chunk's id, so that of two such
    rows one would wait for ever, or its answer would count as one that nobody asked for."""
    monkeypatch.setattr(lists, "MAX_DISTINCT", 0)
    mesh = Shaped(tmp_path, "AB", RATE)
    a, b = mesh.devices.values()
    for device in (a, b):
        device.start()
    data = random.Random(8).randbytes(100_000) * 40 + bytes(5 << 20)
    a.write("large", data, mtime=1_600_000_000)
    a.scan()
    mesh.run_until(lambda: b.folder.index_view.counters.bytes == len(data), 60)
    assert (b.share / "large").read_bytes() == data
    for _, _, get in mesh.asks:
        ids = [ask.id for want in get.wants for ask in want.asks]
        assert len(ids) == len(set(ids))


def test_a_step_looks_at_so_many_rows() -> None:
    one = pack_row(bytes(32), 1 << 20) * 14_563
    expansion = Expansion(Rows(*[one] * 20))
    steps = 1
    while expansion.step():
        steps += 1
    assert steps == -(-20 // -(-STEP_ROWS // 14_563))
    assert expansion.repeats == {0: (range(1, 20 * 14_563),)}
