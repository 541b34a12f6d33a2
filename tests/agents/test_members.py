"""Who is let in on one machine is known on all, and who is removed on one is out on all.

On machines of their own: network namespaces with clean homes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from network import Network, missing

from leftzmq.cli.demo.stage import wait_until
from tests.helpers.homes import DEADLINE_S, SHARE, Home, homes_in

LACKS = missing()
LARGE_BYTES = 600_000_000  # seconds of copying, even here
OUT_S = 2.0
"""From the command to the moment at which the removed device has no link to anybody."""

pytestmark = pytest.mark.skipif(bool(LACKS), reason=f"needs {', '.join(LACKS)}")


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[list[Home]]:
    with Network(3) as network, homes_in(tmp_path, network) as made:
        yield made


def are_linked(one: Home, other: Home) -> bool:
    return bool(one.peers().get(other.key, {}).get("connected"))


def goes_on(one: Home, other: Home) -> None:
    """What one writes comes to the other, and after a start of its own it gets what came since."""
    name = f"after {one.home.name}"
    (one.home / SHARE / name).write_bytes(b"of one")
    assert wait_until(lambda: other.file(name) == b"of one", DEADLINE_S)
    one.ends("leftzmq down")
    (other.home / SHARE / f"{name}, away").write_bytes(b"of the other")
    one.ends("leftzmq up")
    assert wait_until(lambda: one.file(f"{name}, away") == b"of the other", DEADLINE_S)


def test_a_third_machine_is_met_by_all_and_a_removed_one_by_nobody(homes: list[Home]) -> None:
    a, b, c = homes
    (a.home / SHARE).mkdir()
    (a.home / SHARE / "first").write_bytes(b"of a")
    a.lets_in(b)
    a.lets_in(c)

    # B hears of C from A, and both are linked although neither typed anything of the other.
    assert wait_until(lambda: are_linked(b, c), DEADLINE_S)
    a.ends("leftzmq down")
    (c.home / SHARE / "second").write_bytes(b"of c")
    assert wait_until(lambda: b.file("second") == b"of c", DEADLINE_S)
    a.ends("leftzmq up")
    assert wait_until(lambda: a.file("second") == b"of c", DEADLINE_S)

    # C takes much from A and B when B removes it.
    assert wait_until(lambda: are_linked(a, c), DEADLINE_S)
    name, coming = b.peers()[c.key]["name"], c.home / SHARE
    large = os.urandom(LARGE_BYTES)
    (a.home / SHARE / "large").write_bytes(large)
    assert wait_until(lambda: any(coming.rglob("*.lefting")), DEADLINE_S)
    said = b.ends(f"leftzmq peers remove {name}")
    at = time.time()
    assert "on every member" in said
    assert wait_until(lambda: not (are_linked(a, c) or are_linked(b, c)), DEADLINE_S)
    lost = c.peers()[a.key]  # what its own agent saw, however long the commands here take
    assert not lost["connected"] and lost["since"] - at < OUT_S
    assert not (coming / "large").exists()
    assert wait_until(lambda: b.file("large") == large, DEADLINE_S)
    assert not (coming / "large").exists()
    assert "removed this device from the folder" in c.ends("leftzmq status")

    # Both go on, in an epoch that C does not have; also after a start of each.
    goes_on(a, b)
    goes_on(b, a)
    assert not list(coming.glob("after*"))

    # Only a person's new invitation brings it back.
    a.lets_in(c)
    assert wait_until(lambda: c.file("large") == large, DEADLINE_S)
    assert wait_until(lambda: are_linked(b, c), DEADLINE_S)
    (b.home / SHARE / "for all").write_bytes(b"again")
    assert wait_until(lambda: a.file("for all") == c.file("for all") == b"again", DEADLINE_S)
