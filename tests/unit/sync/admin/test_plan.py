"""What would happen now: every kind of action, on real files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.change_plan import PlannedAction
from leftzmq.sync.admin.why import plan as plans
from leftzmq.sync.facts import LocalRulesSet, PausesSet
from leftzmq.sync.jobs import Apply, StageSmall
from leftzmq.tree.mode import FolderMode
from leftzmq.wire import paging
from tests.helpers.mesh import Device, Held, Mesh
from tests.sim.node import FOLDER


def quiet(mesh: Mesh) -> None:
    mesh.scan_all()
    mesh.settle()


def plan(device: Device, peer: str = "", after: str = "") -> dict[str, Any]:
    return device.mesh.ask(device, "plan", peer=peer, after=after)


def actions(answer: dict[str, Any]) -> dict[str, str]:
    return {item["path"]: item["action"] for item in answer["items"]}


def counts(answer: dict[str, Any]) -> dict[str, tuple[int, int]]:
    found = {each["action"]: (each["paths"], each["bytes"]) for each in answer["counts"]}
    assert list(found) == [each.value for each in PlannedAction]
    return {action: count for action, count in found.items() if count[0]}


def test_nothing_is_to_come(mesh: Mesh, a: Device, b: Device) -> None:
    a.write("x", b"A's")
    quiet(mesh)
    for device, peer in ((a, ""), (a, "B"), (b, ""), (b, "A")):
        answer = plan(device, peer)
        assert (answer["items"], counts(answer), answer["after"]) == ([], {}, "")


def test_each_kind_of_action(mesh: Mesh, a: Device, b: Device) -> None:
    for path in ("edited", "deleted", "mode", "clash"):
        a.write(path, b"A's")
    quiet(mesh)
    Held(b, Apply, StageSmall)
    mesh.now += 100
    a.write("edited", b"A's next")
    (a.share / "deleted").unlink()
    (a.share / "mode").chmod(0o640)
    (a.share / "link").symlink_to("edited")
    a.write("d/new", b"12345")
    b.write("clash", b"B's")
    a.write("clash", b"A's next one", mtime=1_900_000_000)
    mesh.scan_all()
    mesh.settle(5)
    answer = plan(b)
    assert actions(answer) == {
        "clash": "copy",
        "d": "make folder",
        "d/new": "fetch",
        "deleted": "remove",
        "edited": "replace",
        "link": "link",
        "mode": "attributes",
    }
    assert counts(answer)["fetch"] == (1, 5) and counts(answer)["copy"] == (1, 12)
    (new,) = [item for item in answer["items"] if item["path"] == "d/new"]
    assert new == {
        "path": "d/new",
        "action": "fetch",
        "bytes": 5,
        "from": "A",
        "why": "",
        "cursor": "d/new",
    }
    there = actions(plan(a, "B"))
    assert there == actions(answer), "A knows as much"


def test_what_the_guard_holds_is_held(mesh: Mesh, a: Device, b: Device) -> None:
    for number in range(130):
        a.write(f"d/{number:03}", b"%d" % number)
    quiet(mesh)
    guard = a.folder.guard
    guard._here.pass_on = lambda sightings, now, wall: list(sightings)  # type: ignore[method-assign]
    for number in range(100):
        (a.share / f"d/{number:03}").unlink()
    a.scan()
    mesh.settle(70)
    answer = plan(b)
    assert counts(answer) == {"held": (100, 0)}
    assert answer["items"][0]["why"] == "held elsewhere"


def test_what_nobody_can_give_now_waits(mesh: Mesh, a: Device, b: Device) -> None:
    Held(b, StageSmall)
    a.write("x", b"A's")
    quiet(mesh)
    b.take(PausesSet(frozenset({FOLDER}), frozenset()))
    mesh.settle(5)
    assert plan(b)["items"][0]["why"] == "folder paused"
    b.take(PausesSet(frozenset(), frozenset()))
    mesh.settle(5)
    assert actions(plan(b)) == {"x": "fetch"} == actions(plan(a, "B"))
    a.kill()
    mesh.settle(5)
    answer = plan(b)
    assert counts(answer) == {"waits": (1, 3)} and answer["items"][0]["why"] == "not connected"


def test_who_is_away_waits_for_what_it_lacks(mesh: Mesh, a: Device, b: Device) -> None:
    b.kill()
    a.write("x", b"A's")
    quiet(mesh)
    (item,) = plan(a, "B")["items"]
    assert item == {
        "path": "x",
        "action": "waits",
        "bytes": 3,
        "from": "A",
        "why": "away",
        "cursor": "x",
    }


def test_a_problem_of_a_path_is_named(mesh: Mesh, a: Device, b: Device) -> None:
    Held(b, StageSmall)
    a.write("x", b"A's")
    quiet(mesh)
    b.folder.problems.show(Problem(FOLDER, "x", ProblemKind.DISK_FULL))
    assert plan(b)["items"][0]["why"] == "no room"


def test_what_is_not_kept_is_not_to_come(mesh: Mesh, a: Device, b: Device) -> None:
    b.take(LocalRulesSet(FOLDER, ("*.iso",), True, ()))
    a.write("x.iso", b"A's")
    quiet(mesh)
    assert plan(b)["items"] == plan(a, "B")["items"] == []


def test_a_device_that_only_sends_takes_nothing(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    a.mode = FolderMode.SEND
    for device in (a, b):
        device.start()
    b.write("x", b"B's")
    quiet(mesh)
    (item,) = plan(a)["items"]
    assert (item["action"], item["why"]) == ("waits", "sends only")


def test_pages_hold_all_paths_and_only_the_first_one_counts(
    mesh: Mesh, a: Device, b: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "PAGE_ITEMS", 10)
    monkeypatch.setattr("leftzmq.index.change_plan.STEP_ROWS", 7)
    Held(b, Apply, StageSmall)
    for number in range(25):
        a.write(f"{number:02}", b"A's")
    quiet(mesh)
    page = plan(b)
    assert counts(page) == {"fetch": (25, 75)}
    paths = [item["path"] for item in page["items"]]
    while page["after"]:
        page = plan(b, after=page["after"])
        assert page["counts"] == []
        paths += [item["path"] for item in page["items"]]
    assert paths == [f"{number:02}" for number in range(25)]
    assert paging.PAGE_ITEMS == 1_000


def test_a_path_whose_rows_two_slices_have_is_found(
    mesh: Mesh, a: Device, b: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        a.write(f"{number}", b"A's")
    quiet(mesh)
    Held(b, Apply, StageSmall)
    mesh.now += 100
    for number in range(6):
        a.write(f"{number}", b"A's next")
    a.scan()
    mesh.settle(5)
    for rows in (1, 2, 3, 5):
        monkeypatch.setattr("leftzmq.index.change_plan.STEP_ROWS", rows)
        assert counts(plan(b)) == {"replace": (6, 48)}, rows


def test_wrong_questions(a: Device) -> None:
    assert plan(a, "nobody")["declined"]["what"] == "no device in the folder has this name"
    assert plan(a, after="/x")["declined"]["what"] == "is no place in this list"


def test_a_question_changes_nothing(mesh: Mesh, a: Device, b: Device) -> None:
    Held(b, StageSmall)
    a.write("x", b"A's")
    quiet(mesh)
    before = [device.store.paths(b"", 100) for device in (a, b)]
    for device in (a, b):
        for peer in ("", "A", "B"):
            plan(device, peer)
    assert [device.store.paths(b"", 100) for device in (a, b)] == before
