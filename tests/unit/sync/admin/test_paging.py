"""Answers to the command line are bounded, however much there is to say."""

from __future__ import annotations

from typing import Any

import pytest

from leftzmq.errors import Problem, ProblemKind
from leftzmq.sync.admin import status as module
from leftzmq.sync.admin.open_questions import MAX_OPEN, MAX_OPEN_OF_ONE
from leftzmq.sync.facts import Asked, Stranger
from leftzmq.sync.jobs import Job
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.greeting import OurSide, Peers
from leftzmq.sync.peers.membership import Membership
from leftzmq.sync.peers.peer_state import Peer, PeerMove
from leftzmq.sync.peers.refused_keys import MAX_KEPT
from leftzmq.tree.version import Life
from leftzmq.wire.local import MAX_REPLY_BYTES, decode_reply, encode_reply, packed_bytes
from leftzmq.wire.paging import PAGE_BYTES, PAGE_ITEMS, fitting
from tests.helpers.mesh import Device, Mesh

pytestmark = pytest.mark.slow

KINDS = [kind for kind in ProblemKind if kind is not ProblemKind.MANY_LOSSES]


def shows(device: Device, count: int, name: str, kinds: list[ProblemKind] = KINDS) -> None:
    """So many problems, in turns of every kind."""
    for number in range(count):
        kind = kinds[number % len(kinds)]
        device.folder.problems.show(Problem("share", f"{number}-{name}", kind, "why"))


def pages(mesh: Mesh, device: Device, verb: str, key: str, **fields: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = ""
    for _ in range(10_000):
        answer = mesh.ask(device, verb, after=after, **fields)
        assert packed_bytes(answer) <= 2 * PAGE_BYTES and len(answer[key]) <= PAGE_ITEMS
        found += answer[key]
        after = answer["after"]
        if not after:
            return found
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("most, most_bytes", [(3, 1000), (1000, 10), (1, 1), (1000, 0)])
def test_a_page_is_bounded_and_never_empty(most: int, most_bytes: int) -> None:
    items = ["abc", "defgh", "i" * 100, "", "j"]
    left, found = list(items), []
    while left:
        page, whole = fitting(iter(left), most, most_bytes)
        assert page and len(page) <= most
        assert len(page) == 1 or packed_bytes(page) <= most_bytes + 9
        found += page
        left = left[len(page) :]
        assert whole == (not left)
    assert found == items
    assert fitting([], most, most_bytes) == ([], True)


@pytest.mark.parametrize("name", ["x", "x" * 4000, "\udce9" * 4000])
def test_status_fits_whatever_problems_there_are(mesh: Mesh, name: str) -> None:
    a = mesh.devices["A"]
    shows(a, 20_000, name)
    folder = decode_reply(encode_reply(mesh.ask(a, "status")))["folders"][0]
    assert folder["problems"] == 20_000
    assert 0 < len(folder["problem_list"]) <= module.SHOWN


def test_status_of_many_folders_fits(mesh: Mesh) -> None:
    a = mesh.devices["A"]
    shows(a, 2_000, "\udce9" * 4000)
    others = [Peer(DeviceKey(bytes([n]) * 32), "\u20ac" * 128, dials=True) for n in range(62)]
    for peer in others:
        peer.move(PeerMove.GREETED)
        peer.other_ids["share"] = "\U0010ffff" * 128, Life(bytes(12))
        peer.away_why = "\u20ac" * 256
    peers = Peers(
        OurSide("A", 1, 2), others, Membership(a.key, {}, bytes, lambda id, device: False)
    )
    for n in range(MAX_KEPT):
        peers.refused_keys.note_refused(Stranger(f"{n:40}", "x" * 64), 0.0)
    times = module.Times(0.0, 0.0)
    folders, downloader = [a.folder] * 64, a.node.downloader
    throttles = a.node.throttles
    answer = module.status(
        a.name, a.name, [], peers, folders, [], downloader, throttles, times, str, lambda key: []
    ).fields()
    assert packed_bytes(answer) <= MAX_REPLY_BYTES
    assert all(folder["problem_list"] for folder in answer["folders"])
    assert {one["state"] for one in answer["folders"][0]["members"]} == {"other id"}


@pytest.mark.parametrize("name", ["x", "x" * 4000, "\udce9" * 4000])
def test_problems_come_in_pages(mesh: Mesh, name: str) -> None:
    a = mesh.devices["A"]
    shows(a, 20_000, name)
    found = pages(mesh, a, "problems", "problems")
    assert [each["path"] for each in found] == [p.path for p in a.folder.problems.all()]
    hidden = mesh.ask(a, "problems")["hidden"]
    assert len(found) + hidden == 20_000


def test_a_wrong_cursor_is_a_sentence(mesh: Mesh) -> None:
    a = mesh.devices["A"]
    for verb in ("problems", "trash list", "conflicts list"):
        for wrong in ("../x", "yesterday", "-1", "9" * 30, "\0"):
            answer = mesh.ask(a, verb, after=wrong)
            good = verb == "conflicts list" and wrong in ("yesterday", "-1", "9" * 30)
            assert ("declined" in answer) is not good, (verb, wrong)


# ---- open questions ---------------------------------------------------------------------------


def asks(device: Device, verb: str, count: int, askers: int, **fields: object) -> None:
    for number in range(count):
        asker = b"asker %d" % (number % askers)
        device.take(Asked(asker, verb, dict(fields)))


def test_ten_thousand_waits_at_once_are_bounded(mesh: Mesh) -> None:
    a = mesh.devices["A"]
    mesh.devices["B"].kill()
    asks(a, "wait", 10_000, 10_000, timeout=3600)
    mesh.settle(1)
    assert len(a.node._open) <= MAX_OPEN
    assert len(a.answers) == 10_000 - MAX_OPEN
    assert all(answer["why"] == "too many others ask" for answer in a.answers)
    assert "folders" in mesh.ask(a, "status"), "others are answered meanwhile"


def test_ten_thousand_waits_of_one_do_not_push_out_another(mesh: Mesh) -> None:
    a = mesh.devices["A"]
    mesh.devices["B"].kill()
    asks(a, "wait", 1, 1, timeout=3600)
    a.take(Asked(b"another", "wait", {"timeout": 5}))
    asks(a, "wait", 10_000, 1, timeout=3600)
    mesh.settle(1)
    assert len(a.node._open) == MAX_OPEN_OF_ONE + 1
    assert all("too many questions of yours" in one["declined"]["what"] for one in a.answers)
    before = len(a.answers)
    mesh.settle(10)
    assert [answer["in_sync"] for answer in a.answers[before:]] == [False]


@pytest.mark.parametrize("verb", ["trash list", "conflicts list"])
def test_questions_for_workers_are_bounded(mesh: Mesh, verb: str) -> None:
    a = mesh.devices["A"]
    jobs: list[Job] = []
    submit = mesh.submit
    mesh.submit = lambda device, job: jobs.append(job)  # type: ignore[method-assign]
    asks(a, verb, 10_000, 1_000)
    mesh.settle(1)
    assert len(jobs) <= MAX_OPEN
    assert len(a.node._open) == MAX_OPEN
    mesh.submit = submit  # type: ignore[method-assign]
    for job in jobs:
        mesh.submit(a, job)
    mesh.settle(1)
    assert len(a.answers) == 10_000 and len(a.node._open) == 0
    assert "declined" not in mesh.ask(a, verb)


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), -1, -(2**63), 2**64 - 1, True])
def test_a_strange_timeout_is_one(mesh: Mesh, timeout: float) -> None:
    a = mesh.devices["A"]
    mesh.devices["B"].kill()
    asks(a, "wait", 1, 1, timeout=timeout)
    mesh.settle(2)
    mesh.now += 4000 if timeout != timeout else 0
    mesh.settle(2)
    assert len(a.answers) == (not timeout > 3600)
