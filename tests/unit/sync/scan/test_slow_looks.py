"""What a look saw is out of date when it is answered, and no event names the path: its folder went
away and came back, as its user renamed it. A walk of the folder passes the path meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leftzmq.sync.jobs import Job, Look
from leftzmq.tree.entry import Entry
from leftzmq.work.runner import JobDone
from tests.sim.laws import Tree, index_is_the_disk, tree_of
from tests.sim.world import Knobs, SimDevice, World

SLOW_S = 1.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A and B have a folder `d` with a file, and A another one, with another file of that name."""
    world = World(1, tmp_path, "AB", {("A", "B"), ("B", "A")}, Knobs())
    a = world.devices["A"]
    a.hands.make_folder("d")
    a.hands.write("d/f", b"of A")
    a.hands.make_folder("other")
    a.hands.write("other/f", b"of A, too")
    a.disk.flush_all()
    for device in world.devices.values():
        device.start()
    live(world, 10.0)
    assert tree_of(a) == tree_of(world.devices["B"])
    yield world
    for device in world.devices.values():
        if device.alive:
            device.kill()


def live(world: World, seconds: float) -> None:
    world.run_until(world.now + seconds)


def rename(device: SimDevice, path: str, to: str) -> None:
    assert device.hands.rename(path, to)


def version_at(device: SimDevice, path: str) -> Entry:
    row = device.folder.index_view.ours(path)
    assert row is not None
    return row.entry


def slow_look(device: SimDevice, path: str, number: int, deed: Callable[[], None]) -> list[str]:
    """The answer of this look at `path` takes SLOW_S, and its user acts right after the look.
    Returns what is filled when that has happened."""
    run, delays, left, done = device.runner.run, device.world.delays, [number], list[str]()

    def run_slowly(job: Job) -> JobDone:
        answer = run(job)
        if isinstance(job, Look) and path in job.paths:
            left[0] -= 1
            if left[0] == 0:
                usual = delays.job

                def once() -> float:
                    delays.job = usual  # type: ignore[method-assign]
                    return SLOW_S

                delays.job = once  # type: ignore[method-assign]
                deed()
                device.touched()
                done.append(path)
        return answer

    device.runner.run = run_slowly  # type: ignore[method-assign]
    return done


def settled(world: World) -> Tree:
    live(world, 40.0)
    first, second = (tree_of(device) for device in world.devices.values())
    assert first == second
    for device in world.devices.values():
        assert device.folder.state.value == "idle"
        index_is_the_disk(device, exact=False)
    return first


def test_a_file_that_was_gone_is_back_before_the_second_look_is_answered(world: World) -> None:
    """Its delete is told to nobody. It waits for one more look as something else is written."""
    a, b = world.devices["A"], world.devices["B"]
    before = version_at(b, "d/f")
    a.hands.write_open("other/f", b"of A still", at_end=False)
    done = slow_look(a, "d/f", 2, lambda: rename(a, ".left/trash/d", "d"))
    rename(a, "d", ".left/trash/d")
    a.touched()
    world.run_to(lambda: done, 20.0)
    a.hands.close("other/f")
    a.touched()
    assert "d/f" in settled(world) and version_at(b, "d/f") == before


def test_a_file_that_was_another_one_is_the_first_again_before_the_look_is_answered(
    world: World,
) -> None:
    a = world.devices["A"]

    def swap(back: bool) -> None:
        first, second = ("other", "third") if back else ("third", "other")
        rename(a, "d", first)
        rename(a, second, "d")

    rename(a, "d", "third")
    rename(a, "other", "d")
    done = slow_look(a, "d/f", 1, lambda: swap(True))
    a.touched()
    world.run_to(lambda: done, 20.0)
    tree = settled(world)
    assert tree["d/f"][1] == b"of A" and tree["other/f"][1] == b"of A, too"


def test_a_file_that_was_renamed_has_its_first_name_again_before_the_look_is_answered(
    world: World,
) -> None:
    a = world.devices["A"]
    done = slow_look(a, "e/f", 1, lambda: rename(a, "e", "d"))
    rename(a, "d", "e")
    a.touched()
    world.run_to(lambda: done, 20.0)
    tree = settled(world)
    assert "d/f" in tree and "e" not in tree
