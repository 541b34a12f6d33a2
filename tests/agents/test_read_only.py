"""A device that was let in to read gets what the others write, and changes nothing for them.

On machines of their own: network namespaces with clean homes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from network import Network, missing

from leftzmq.cli.demo.stage import wait_until
from tests.helpers.homes import DEADLINE_S, SHARE, Home, homes_in

LACKS = missing()

pytestmark = pytest.mark.skipif(bool(LACKS), reason=f"needs {', '.join(LACKS)}")


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[list[Home]]:
    with Network(2) as network, homes_in(tmp_path, network) as made:
        yield made


def test_a_reader_gets_everything_and_what_it_changes_reaches_nobody(homes: list[Home]) -> None:
    a, b = homes
    ours, theirs = a.home / SHARE, b.home / SHARE
    ours.mkdir()
    for name in ("edited", "deleted"):
        (ours / name).write_bytes(b"of a")
    said = a.lets_in(b, "--read-only")
    assert "this device may only read the folder: what is changed here reaches nobody" in said
    assert wait_until(lambda: b.file("deleted") == b"of a", DEADLINE_S)
    assert "reads only" in a.ends("leftzmq peers")
    assert a.peers()[b.key]["mode"] == "read"
    assert b.peers()[a.key]["mode"] == "full"

    (theirs / "edited").write_bytes(b"of b, changed")
    (theirs / "new").write_bytes(b"of b")
    (theirs / "deleted").unlink()
    assert wait_until(lambda: "3 changes made here" in b.ends("leftzmq status"), DEADLINE_S)
    problems = b.ends("leftzmq problems")
    for name in ("edited", "new", "deleted"):
        assert f"{name}: was changed here, and this device may only read the folder" in problems
    for home in homes:
        home.ends("leftzmq wait --timeout 20")
    assert {path.name for path in ours.iterdir()} == {".left", "edited", "deleted"}
    assert a.file("edited") == a.file("deleted") == b"of a"
    assert b.file("edited") == b"of b, changed" and not b.file("deleted")

    # It reads on, also after both started again, and cannot invite.
    for home in homes:
        home.ends("leftzmq down")
        home.ends("leftzmq up")
    (ours / "later").write_bytes(b"of a")
    assert wait_until(lambda: b.file("later") == b"of a", DEADLINE_S)
    assert a.file("deleted") == b"of a" and not (ours / "new").exists()
    assert "3 changes made here" in b.ends("leftzmq status")
    refused = b.types(f"leftzmq share ~/{SHARE} --no-wait")
    assert "may only be read by this device" in refused.communicate(timeout=DEADLINE_S)[0]
    assert refused.returncode != 0
