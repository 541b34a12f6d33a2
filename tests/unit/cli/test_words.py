"""Words from the one command to the other, found by mDNS over the loopback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leftzmq.cli.pairing import words as cli_words
from leftzmq.cli.pairing.first_sync import Screen
from leftzmq.cli.pairing.words import OfferedWords, fetch_code
from leftzmq.config import Endpoint
from leftzmq.errors import InvitationError
from leftzmq.pairing.words import read_words
from leftzmq.transport.door.own_addresses import Reachable
from tests.helpers.word_vectors import CODE
from tests.unit.transport.local_network.test_word_doors import (
    has_multicast,  # noqa: F401  (named by `multicast`)
    multicast,
)

OPENED: dict[str, Any] = {"code": CODE, "addresses": ["tcp://192.168.1.20:7710"]}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A peer.toml of a device that speaks mDNS at the loopback alone."""
    monkeypatch.setattr(cli_words, "reachable", lambda listen: Reachable(("127.0.0.1",)))
    monkeypatch.setattr(cli_words, "at_interfaces", lambda listen: ("127.0.0.1",))
    made = tmp_path / "peer.toml"
    made.write_text('[device]\nname = "a"\nstate = "s"\nlisten = "tcp://127.0.0.1:7700"\n')
    yield made


def typed_of(line: str) -> str:
    return re.sub(r"^\s*leftzmq join ", "", line).strip()


@multicast
@pytest.mark.slow
def test_words_alone_find_the_machine_that_shows_them(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Screen()
    with OfferedWords(file, OPENED, 1) as offered:
        assert len(offered.lines) == 3 and "in the same network" in offered.lines[0]
        shown = typed_of(offered.lines[1])
        assert re.fullmatch(r"\d [a-z]+-[a-z]+-[a-z]+", shown)
        assert f"{shown}@192.168.1.20" in offered.lines[2]
        offered.say_end(screen)
        assert fetch_code(read_words(shown), file, screen) == CODE
        while not (said := capsys.readouterr().err) or "fetched with the words" not in said:
            offered.say_end(screen)
        offered.say_end(screen)
        assert capsys.readouterr().err == "", "it is said once"


def test_where_discovery_is_off_words_are_shown_with_their_place(file: Path) -> None:
    file.write_text(file.read_text() + "[discovery]\nlocal = false\n")
    with OfferedWords(file, OPENED, 1) as offered:
        (first, line) = offered.lines
    assert "network" not in first and "@192.168.1.20" in line
    with pytest.raises(InvitationError, match="local is false"):
        fetch_code(read_words("tiger-lamp-ocean"), file, Screen())


def test_a_host_where_nothing_can_be_bound_costs_the_words_alone(file: Path) -> None:
    file.write_text(file.read_text().replace("127.0.0.1", "192.0.2.1"))
    with OfferedWords(file, OPENED, 1) as offered:
        (line,) = offered.lines
        offered.say_end(Screen())
    assert "no words" in line and "use the code" in line


def test_an_ipv6_address_is_shown_as_it_is_to_be_typed(file: Path) -> None:
    file.write_text(file.read_text() + "[discovery]\nlocal = false\n")
    opened = OPENED | {"addresses": ["tcp://[2001:db8::7]:7710"]}
    with OfferedWords(file, opened, 1) as offered:
        shown = typed_of(offered.lines[1])
    host = read_words(shown).host
    assert isinstance(host, Endpoint) and host.host == "2001:db8::7"
