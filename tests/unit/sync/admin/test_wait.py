"""`wait`: whom it waits for, what it passes over, and what it says when the time is over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leftzmq.errors import Away, Problem, ProblemKind
from leftzmq.sync.admin.wait import NAMING_S, NEVER_SYNCED, SHOWN_PATHS
from leftzmq.sync.facts import Asked, CookieSeen, DialFailed, PathsTouched, Touch
from leftzmq.sync.jobs import DropCookie, FindLacking, Job
from tests.helpers.mesh import Device, Mesh

Reply = dict[str, Any]


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    mesh = Mesh(tmp_path, "ABC")
    submit = mesh.submit

    def watched(device: Device, job: Job) -> None:
        submit(device, job)
        if isinstance(job, DropCookie):
            device.take(CookieSeen(job.folder, job.name))

    mesh.submit = watched  # type: ignore[method-assign]
    return mesh


def begin(mesh: Mesh, names: str) -> list[Device]:
    devices = [mesh.devices[name] for name in names]
    for device in devices:
        device.start()
    mesh.settle()
    return devices


def waits(mesh: Mesh, device: Device, seconds: float = 20.0, **fields: object) -> Reply:
    """The answer. Of `wait --timeout 10`, unless otherwise said."""
    number = len(device.answers)
    device.take(Asked(b"x", "wait", {"timeout": 10.0} | fields))
    mesh.settle(seconds)
    (answer,) = device.answers[number:]
    return answer


def no_news(mesh: Mesh, a: Device, *paths: str) -> None:
    """A has these, and nobody hears of them."""
    mesh.drop_news = True
    for path in paths:
        a.write(path, b"12345")
    a.scan()
    mesh.settle(1.0)


def test_who_is_behind_is_named_with_how_much_and_the_first_paths(mesh: Mesh) -> None:
    a, _ = begin(mesh, "AB")
    no_news(mesh, a, *(f"d/{number}" for number in range(9)))
    answer = waits(mesh, a, timeout=3.0, seconds=8.0)
    assert not answer["in_sync"] and answer["why"] == "a peer has not acknowledged everything yet"
    (behind,) = answer["behind"]
    assert (behind["name"], behind["folder"], behind["state"]) == ("B", "share", "behind")
    assert (behind["paths"], behind["bytes"]) == (10, 45)
    assert behind["first"] == ["d", "d/0", "d/1", "d/2", "d/3"][:SHOWN_PATHS]
    assert answer["to_come"] == []


def test_what_is_to_come_is_named(mesh: Mesh) -> None:
    a, b = begin(mesh, "AB")
    a.folder.applier.stopped = True  # nothing is taken here
    b.write("new", b"123")
    b.scan()
    mesh.settle(3.0)
    answer = waits(mesh, a)
    assert answer["to_come"] == [{"folder": "share", "paths": 1, "bytes": 3, "first": ["new"]}]
    assert [one["state"] for one in answer["behind"]] == ["syncing"]


def test_where_nobody_is_connected_everybody_is_named_with_the_reason(mesh: Mesh) -> None:
    (a,) = begin(mesh, "A")
    key = mesh.devices["B"].key
    a.take(DialFailed(key, "nobody answers at home", Away.NOBODY_ANSWERS))
    answer = waits(mesh, a)
    assert answer["why"] == "no peer is connected"
    assert [(one["name"], one["state"], one["why"]) for one in answer["behind"]] == [
        ("B", "not connected", "nobody answers at home"),
        ("C", "not connected", ""),
    ]


def test_a_peer_is_waited_for_by_name_connected_or_not(mesh: Mesh) -> None:
    a, b = begin(mesh, "AB")
    a.write("f", b"1")
    a.scan()
    mesh.settle()
    assert waits(mesh, a)["in_sync"]
    assert waits(mesh, a, peers="B")["in_sync"]
    for fields in ({"peers": "C"}, {"peers": "B\nC"}, {"all": True}):
        answer = waits(mesh, a, **fields)
        assert not answer["in_sync"] and answer["why"] == "C is not connected"
        assert [one["name"] for one in answer["behind"]] == ["C"]
        assert answer["behind"][0]["paths"] == 1, "as far as we know it has nothing"
    number = len(a.answers)
    a.take(Asked(b"x", "wait", {"timeout": 60.0, "all": True}))
    mesh.settle(5.0)
    assert a.answers[number:] == []
    mesh.devices["C"].start()
    mesh.settle(20.0)
    assert a.answers[-1]["in_sync"]
    b.kill()
    assert waits(mesh, a, peers="C")["in_sync"], "B is not asked for"


def test_names_and_folders_that_do_not_exist_are_said_at_once(mesh: Mesh) -> None:
    (a,) = begin(mesh, "A")
    for fields, words in (
        ({"peers": "B\nnobody"}, "there is no such device in the config; there is B, C"),
        ({"folder": "nope"}, "there is no such folder here; there is share"),
        ({"path": "/etc"}, "the path is absolute"),
        ({"path": "../x"}, "component"),
    ):
        answer = waits(mesh, a, seconds=0.1, **fields)
        assert words in answer["declined"]["what"]
        is_path = "path" in fields
        assert ("as it is in the folder" in answer["declined"]["do"]) is is_path


def test_a_peer_without_a_key_is_never_waited_for_in_vain_without_a_word(mesh: Mesh) -> None:
    a, _ = begin(mesh, "AB")
    a.node.wait_questions._keyless = ("delta",)
    for fields in ({"peers": "delta"}, {"all": True}):
        assert waits(mesh, a, **fields)["why"] == "delta has no key in the config"


@pytest.mark.parametrize(
    "kind",
    [*sorted(NEVER_SYNCED, key=lambda kind: kind.name), ProblemKind.WATCH_LIMIT],
    ids=lambda kind: kind.name,
)
def test_what_is_never_synced_keeps_nobody_waiting_and_is_listed(
    mesh: Mesh, kind: ProblemKind
) -> None:
    a, _ = begin(mesh, "AB")
    a.folder.problems.show(Problem("share", "it", kind))
    answer = waits(mesh, a)
    assert answer["in_sync"] and answer["problems"] == 0
    listed = [one["path"] for one in answer["skipped_list"]]
    assert listed == (["it"] if kind in NEVER_SYNCED else [])
    assert waits(mesh, a, path="else")["skipped"] == 0


def test_a_rule_without_effect_keeps_nobody_waiting(mesh: Mesh) -> None:
    a, b = begin(mesh, "AB")
    a.write(".leftignore", b"[open\nsecret\n")
    a.write("secret", b"!")
    a.write("plain", b"x")
    mesh.scan_all()
    answer = waits(mesh, a)
    assert answer["in_sync"] and (b.share / "plain").exists(), answer
    assert [one["path"] for one in answer["skipped_list"]] == [".leftignore"]


def test_any_other_problem_is_named(mesh: Mesh) -> None:
    a, _ = begin(mesh, "AB")
    a.folder.problems.show(Problem("share", "it", ProblemKind.DISK_FULL))
    a.folder.problems.show(Problem("share", "fifo", ProblemKind.SPECIAL))
    answer = waits(mesh, a)
    assert answer["why"] == "folder share has 1 problem"
    assert [one["path"] for one in answer["problem_list"]] == ["it"]
    assert waits(mesh, a, path="else")["in_sync"]
    assert not waits(mesh, a, path="it")["in_sync"]


def test_a_part_of_a_folder_is_waited_for_alone(mesh: Mesh) -> None:
    a, _ = begin(mesh, "AB")
    a.write("done/f", b"1")
    a.scan()
    mesh.settle()
    no_news(mesh, a, "busy/f", "busy-not/f")
    assert not waits(mesh, a, timeout=1.0, seconds=6.0)["in_sync"]
    assert waits(mesh, a, path="done", timeout=1.0, seconds=6.0)["in_sync"]
    answer = waits(mesh, a, path="busy", timeout=1.0, seconds=6.0)
    (behind,) = answer["behind"]
    assert not answer["in_sync"] and behind["first"] == ["busy", "busy/f"]


def test_what_was_touched_there_is_looked_at_first(mesh: Mesh) -> None:
    a, b = begin(mesh, "AB")
    a.write("p", b"1")
    a.take(PathsTouched("share", (("p", Touch.MODIFIED),)))
    mesh.step()
    assert waits(mesh, a, path="p")["in_sync"] and (b.share / "p").exists()


def test_an_answer_comes_soon_also_where_the_index_is_slow(mesh: Mesh) -> None:
    a, _ = begin(mesh, "AB")
    no_news(mesh, a, "f")
    submit = mesh.submit

    def never(device: Device, job: Job) -> None:
        if not isinstance(job, FindLacking):
            submit(device, job)

    mesh.submit = never  # type: ignore[method-assign]
    answer = waits(mesh, a, timeout=1.0, seconds=1.0 + NAMING_S + 0.2)
    assert not answer["in_sync"]
    assert [(one["name"], one["paths"]) for one in answer["behind"]] == [("B", 0)]
