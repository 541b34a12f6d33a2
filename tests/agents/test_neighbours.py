"""Two devices that both move to other addresses meet again: they hear of each other in the local
network. On machines of their own: network namespaces with clean homes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from network import Network, missing

from leftzmq.cli.demo.stage import wait_until
from tests.helpers.homes import DEADLINE_S, SHARE, Home, homes_in

LACKS = missing()

pytestmark = pytest.mark.skipif(bool(LACKS), reason=f"needs {', '.join(LACKS)}")


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[tuple[Network, list[Home]]]:
    with Network(2) as network, homes_in(tmp_path, network) as made:
        yield network, made


def test_both_are_elsewhere_and_meet_again(moving: tuple[Network, list[Home]]) -> None:
    network, (a, b) = moving
    (a.home / SHARE).mkdir()
    a.lets_in(b)
    network.move(0, "10.77.0.101")
    network.move(1, "10.77.0.102")
    (a.home / SHARE / "after").write_bytes(b"the move")
    began = time.monotonic()
    assert wait_until(lambda: b.file("after") == b"the move", DEADLINE_S)
    print(f"they met again after {time.monotonic() - began:.1f} s")
