"""The plan of a folder that is held: told when both sides are read, and what a yes then does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leftzmq.index import join_plan
from leftzmq.sync.admin.join_plans import unread
from leftzmq.sync.facts import Asked
from leftzmq.sync.jobs import Job, JoinPlanRead, PageRead, Walked
from tests.helpers.mesh import Device, Mesh


class World:
    """alpha and beta, who joined and is held. later: answers of jobs that are kept back."""

    def __init__(self, base: Path) -> None:
        self.mesh = mesh = Mesh(base, "AB")
        self.a, self.b = tuple(mesh.devices.values())
        self.b.held = True
        self.a.write("same", b"same", mtime=1_700_000_000)
        self.b.write("same", b"same", mtime=1_700_000_000)
        self.a.write("d/come", b"comes")
        self.b.write("goes", b"of beta")
        for number in range(12):
            self.a.write(f"both{number:02}", b"of alpha", mtime=1_750_000_000)
            self.b.write(f"both{number:02}", b"what beta has", mtime=1_740_000_000)
        self.later: list[Any] = []
        self._submit = mesh.submit

    def keeps_back(self, device: Device, kind: type) -> None:
        def submit(who: Device, job: Job) -> None:
            answer = who.runner.run(job)
            (self.later.append if who is device and type(answer) is kind else who.take)(answer)

        self.mesh.submit = submit  # type: ignore[method-assign, assignment]

    def goes_on(self, device: Device) -> None:
        self.mesh.submit = self._submit  # type: ignore[method-assign]
        for answer in self.later:
            device.take(answer)
        self.mesh.settle()

    def starts(self) -> None:
        self.a.start()
        self.b.start()
        self.mesh.settle(5.0)

    def plan(self, **fields: str) -> dict[str, Any]:
        return self.mesh.ask(self.b, "join_plan", peer="A", **fields)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_plan_names_what_a_yes_does(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join_plan, "STEP_ROWS", 5)
    world.starts()
    plan = world.plan()
    assert plan["is_read"] and not plan["why"]
    assert plan["comes"] == {"paths": 1, "bytes": 5, "first": ["d/come"]}
    assert plan["same"] == {"paths": 1, "bytes": 4, "first": ["same"]}
    assert plan["goes"] == {"paths": 1, "bytes": 7, "first": ["goes"]}
    assert plan["replaced"]["paths"] == plan["removed"]["paths"] == 0
    conflicts = plan["conflicts"]
    assert conflicts["paths"] == 12 and conflicts["bytes"] == 12 * len(b"what beta has")
    assert [one["path"] for one in conflicts["first"]] == [f"both{n:02}" for n in range(10)]
    world.b.says_yes()
    world.mesh.settle()
    for one in conflicts["first"]:
        assert (world.a.share / one["path"]).read_bytes() == b"of alpha"
        assert (world.a.share / one["copy"]).read_bytes() == b"what beta has"
    assert world.a.tree() == world.b.tree()


def test_what_was_deleted_elsewhere_is_named_before_it_goes(world: World) -> None:
    world.a.write("old", b"old")
    world.a.start()
    world.mesh.settle(5.0)
    (world.a.share / "old").unlink()
    world.a.scan()
    world.mesh.settle()
    world.b.write("old", b"old")
    world.b.start_and_walk_last()
    assert world.plan()["removed"]["first"] == ["old"]
    world.b.says_yes()
    world.mesh.settle()
    assert not (world.b.share / "old").exists()


def test_no_plan_before_this_share_is_read(world: World) -> None:
    world.keeps_back(world.b, Walked)
    world.starts()
    plan = world.plan()
    assert not plan["is_read"] and "this device reads" in plan["why"]
    assert plan["comes"]["paths"] == 0
    world.goes_on(world.b)
    assert world.plan()["is_read"]


def test_no_plan_before_the_other_device_has_read_its_share(world: World) -> None:
    world.keeps_back(world.a, Walked)
    world.starts()
    assert "A is still reading" in world.plan()["why"]
    world.goes_on(world.a)
    assert world.plan()["comes"]["paths"] == 1


def test_no_plan_before_the_index_of_the_other_device_is_here(world: World) -> None:
    world.a.start()
    world.mesh.settle(5.0)
    world.keeps_back(world.a, PageRead)
    world.b.start()
    world.mesh.settle(5.0)
    assert "A" in world.plan()["why"]
    world.goes_on(world.a)
    assert world.plan()["comes"]["paths"] == 1


def test_no_plan_while_the_other_device_is_away(world: World) -> None:
    world.b.start()
    world.mesh.settle(5.0)
    assert world.plan()["why"] == "A is not connected"
    world.a.start()
    world.mesh.settle(5.0)
    assert world.plan()["is_read"]


def test_a_folder_that_is_not_held_has_no_plan(world: World) -> None:
    world.b.held = False
    world.starts()
    assert "is not held" in world.plan()["declined"]["what"]


def test_who_asks_is_answered_when_the_folder_stops_meanwhile(world: World) -> None:
    world.starts()
    world.keeps_back(world.b, JoinPlanRead)
    before = len(world.b.answers)
    world.b.take(Asked(b"x", "join_plan", {"peer": "A"}))
    world.mesh.settle(0.0)
    world.b.share.rename(world.b.share.with_name("away"))
    world.b.scan()
    world.mesh.settle(1.0)
    assert "declined" in world.b.answers[before]
    world.goes_on(world.b)
    assert len(world.b.answers) == before + 1


def test_no_plan_of_a_device_that_only_says_that_it_has_the_folder(world: World) -> None:
    world.starts()
    world.b.folder.index_client.heard.clear()
    assert unread(world.b.folder, "A") == "A has said nothing of it yet"
