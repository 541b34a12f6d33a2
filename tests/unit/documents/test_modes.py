"""docs/modes.md: what stands there as an example can be used, and the table names all words."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from leftzmq.cli.modes import add_modes
from leftzmq.config import load
from leftzmq.errors import ProblemKind
from leftzmq.tree.permissions import ModesKept

TEXT = (Path(__file__).parents[3] / "docs" / "modes.md").read_text()
DEVICE = '[device]\nname = "alpha"\nstate = "state"\nlisten = "tcp://127.0.0.1:7700"\n'
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
COMMANDS = re.findall(r"^leftzmq (.*?)(?: +#.*)?$", TEXT, re.M)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_config(tmp_path: Path, example: str) -> None:
    file = tmp_path / "peer.toml"
    file.write_text(DEVICE + example)
    assert load(file).folders[0].perms is ModesKept.EXEC


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_understood(command: str) -> None:
    parser = argparse.ArgumentParser()
    add_modes(parser.add_subparsers(dest="command"))
    options = parser.parse_args(command.split())
    assert (options.command, options.verb) == ("modes", "adopt")


def test_all_words_are_there() -> None:
    (table,) = re.findall(r"^\| `perms` \|.*\n\|---\|---\|\n((?:\|.*\n)+)", TEXT, re.M)
    rows = re.findall(r"^\| `(\w+)` \|", table, re.M)
    assert rows == [kept.value for kept in ModesKept]
    assert ProblemKind.MODE_NOT_SET.name in TEXT
