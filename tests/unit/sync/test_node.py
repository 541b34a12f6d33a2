"""The hub: every fact has a machine, and nobody but a paired device is heard."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from leftzmq.errors import Away, LeftError
from leftzmq.sync.facts import DialFailed, Fact, LinkClosed, LinkOpened, MessageArrived
from leftzmq.sync.jobs import Flush, JobBroke
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.sync.node import Node
from leftzmq.wire.messages import Bye
from tests.helpers.mesh import Mesh

STRANGER = DeviceKey(b"?" * 32)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    device = Mesh(tmp_path, "AB").devices["A"]
    device.start()
    return device.node


def test_every_fact_has_a_machine(node: Node) -> None:
    assert set(node._routes._handlers) == set(get_args(Fact))


@pytest.mark.parametrize(
    "fact",
    [
        LinkOpened(Link(STRANGER, Way.DIALED)),
        LinkClosed(Link(STRANGER, Way.DIALED), "gone"),
        DialFailed(STRANGER, "nobody answers", Away.NOBODY_ANSWERS),
        MessageArrived(Link(STRANGER, Way.CAME, b"\0abcd"), Bye("")),
    ],
)
def test_what_comes_from_a_device_that_is_no_peer_changes_nothing(node: Node, fact: Fact) -> None:
    assert node.handle(fact, 1000.0, 0) == []


def test_a_job_that_broke_ends_the_agent_and_says_which(node: Node) -> None:
    with pytest.raises(LeftError, match="a mistake of ours in Flush: why"):
        node.handle(JobBroke(Flush("share", 1), "why"), 1000.0, 0)
