"""The README's first sync as it is typed, on machines of their own: network namespaces with clean
homes, and no option at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from network import Network, missing

from leftzmq.cli.demo.stage import wait_until
from tests.helpers.homes import DEADLINE_S, SHARE, Home, homes_in

README = Path(__file__).parents[2] / "README.md"
LACKS = missing()

pytestmark = pytest.mark.skipif(bool(LACKS), reason=f"needs {', '.join(LACKS)}")


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[list[Home]]:
    with Network(3) as network, homes_in(tmp_path, network) as made:
        yield made


def typed() -> tuple[str, str]:
    """The two commands of the README."""
    text = README.read_text()
    share, join = re.findall(r"^(leftzmq (?:share|join) .*)$", text, re.M)[:2]
    return share, join


def test_the_two_commands_of_the_readme_and_a_third_machine_with_one(homes: list[Home]) -> None:
    a, b, c = homes
    share, join = typed()
    first, large = os.urandom(1000), os.urandom(20_000_000)
    (a.home / SHARE / "d").mkdir(parents=True)
    (a.home / SHARE / "d" / "first").write_bytes(first)
    (a.home / SHARE / "large").write_bytes(large)
    for number, home in enumerate((b, c)):
        sharing = a.types(share)
        assert sharing.stdout is not None
        line = next(line for line in sharing.stdout if "leftzmq join lz1-" in line)
        code = line.split()[-1]
        said = home.ends(join.replace("CODE", code))
        assert "The first sync is complete." in said
        assert home.file("d/first") == first and home.file("large") == large
        rest, _ = sharing.communicate(timeout=DEADLINE_S)
        assert sharing.returncode == 0 and "has joined" in rest, rest
        (home.home / SHARE / f"of {number}").write_bytes(b"written there")
        assert wait_until(lambda name=f"of {number}": a.file(name), DEADLINE_S)
    assert wait_until(lambda: c.file("of 0") and b.file("of 1"), DEADLINE_S)
