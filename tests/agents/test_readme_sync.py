"""The README's first sync as it is typed, on machines of their own: network namespaces with clean
homes, and no option at all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from network import Network, missing

from leftzmq.cli.demo.stage import wait_until

README = Path(__file__).parents[2] / "README.md"
DEADLINE_S = 60.0
SHARE = "docs"  # as the README has it
LACKS = missing()

pytestmark = pytest.mark.skipif(bool(LACKS), reason=f"needs {', '.join(LACKS)}")


class Home:
    """A user on a machine in a namespace."""

    def __init__(self, home: Path, within: tuple[str, ...]) -> None:
        self.home, self._within = home, within
        programs = home / "bin"
        programs.mkdir(parents=True)
        for name, text in (
            ("systemctl", "exit 1"),
            ("leftzmq", f'exec {sys.executable} -m leftzmq.cli.admin "$@"'),
        ):
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        kept = {key: os.environ[key] for key in ("PYTHONPATH", "LANG") if key in os.environ}
        path = f"{programs}:{os.environ['PATH']}"
        run = home / "run"
        run.mkdir()
        self._env = kept | {"HOME": str(home), "PATH": path, "XDG_RUNTIME_DIR": str(run)}

    def types(self, line: str) -> subprocess.Popen[str]:
        """A shell carries out a line in the home."""
        return subprocess.Popen(
            [*self._within, "sh", "-c", line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.home,
            env=self._env,
        )

    def ends(self, line: str) -> str:
        said, _ = (process := self.types(line)).communicate(timeout=DEADLINE_S)
        print(f"$ {line}\n{said}")
        assert process.returncode == 0, said
        return said

    def file(self, path: str) -> bytes:
        try:
            return (self.home / SHARE / path).read_bytes()
        except OSError:
            return b""


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[list[Home]]:
    with Network(3) as network:
        made = [Home(tmp_path / f"home{n}", network.within(n)) for n in range(3)]
        yield made
        for home in made:
            home.ends("leftzmq down")


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
