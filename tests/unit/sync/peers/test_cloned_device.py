"""Two agents with one key are seen by who hears both, and a restart is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from leftzmq.content.keys import device_mark
from leftzmq.errors import ProblemKind
from leftzmq.sync.facts import Asked, PageArrived
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.sync.peers.cloned_device import LATE_S, LIVES_KEPT, RECENT_S, ClonedDevices
from leftzmq.tree.version import Life, make_life
from leftzmq.wire.page import Page
from tests.helpers.mesh import Mesh

DEVICE = DeviceKey(b"d" * 32)
ONE, OTHER, THIRD = (Life(bytes([n]) * 12) for n in (1, 2, 3))


def heard(*said: tuple[float, Life]) -> bool:
    cloned_devices = ClonedDevices()
    for now, life in said:
        cloned_devices.life_heard(DEVICE, life, now)
    return cloned_devices.are_there(DEVICE)


@pytest.mark.parametrize(
    ("said", "two"),
    [
        ([(0, ONE), (10, ONE), (20, ONE)], False),
        ([(0, ONE), (10, OTHER), (10 + LATE_S, ONE), (30, OTHER)], False),
        ([(0, ONE), (10, OTHER), (11 + LATE_S, ONE)], True),
        ([(0, ONE), (10, OTHER), (40, ONE), (40 + RECENT_S, ONE)], False),
        ([(0, ONE), (10, OTHER), (40, ONE), (30 + RECENT_S, OTHER), (99, ONE)], True),
        ([(0, ONE), (10, OTHER), (20, THIRD), (30, THIRD)], False),
        ([(0, OTHER), (1, ONE), (30, OTHER), (31, ONE)], True),
    ],
)
def test_a_life_that_goes_on_beside_a_later_one_is_a_second_agent(
    said: list[tuple[float, Life]], two: bool
) -> None:
    assert heard(*said) is two


def test_lives_without_end_are_not_kept() -> None:
    cloned_devices = ClonedDevices()
    for number in range(1000):
        cloned_devices.life_heard(DEVICE, Life(number.to_bytes(12)), float(number))
    assert len(cloned_devices._lives[DEVICE]) == LIVES_KEPT
    cloned_devices.device_left(DEVICE)
    assert not cloned_devices._lives


def test_two_agents_with_one_key_are_a_problem_as_long_as_both_are_heard(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    for device in (a, b):
        device.start()
    mesh.settle()
    life = make_life(device_mark(b.key), 7, b"twin")
    page = Page(b.key, "share", life, 0, 0, 0, False, ())

    def told() -> tuple[str, str, list[ProblemKind]]:
        status = a.node.status()
        (member,) = status["folders"][0]["members"]
        kinds = [problem.kind for problem in a.folder.problems.all()]
        return status["peers"][0]["state"], member["state"], kinds

    assert told() == ("in sync", "in sync", [])
    for _ in range(4):  # the heartbeats of the other one, over a link of its own
        a.take(PageArrived(Link(b.key, Way.CAME, b"\0twin"), replace(page), False))
        mesh.settle(10.0)
    assert told() == ("two of that key", "two of that key", [ProblemKind.TWO_OF_KEY])
    a.take(Asked(b"x", "wait", {"timeout": 1.0}))
    mesh.settle(5.0)
    assert not a.answers[-1]["in_sync"]
    mesh.settle(RECENT_S + 20.0)
    assert told() == ("in sync", "in sync", [])


def test_a_restart_is_no_second_agent(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    for device in (a, b):
        device.start()
    for _ in range(3):
        mesh.settle(20.0)
        b.kill()
        b.start()
    mesh.settle(60.0)
    assert a.node.status()["peers"][0]["state"] == "in sync"
    assert not [e for e in a.events if e.fields.get("problem") == "TWO_OF_KEY"]
