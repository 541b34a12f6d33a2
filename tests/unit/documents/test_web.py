"""docs/web.md: its routes and its bounds are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from leftzmq.web import access, gate, server, stream, watch
from leftzmq.web.app import page_files
from leftzmq.web.openapi import TEXT_ROUTES
from leftzmq.web.verbs import API, OWN_ROUTES, ROUTES

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "web.md").read_text()


def test_every_route_is_on_the_page_with_its_verb() -> None:
    said = re.findall(r"^\| (GET|POST) `([^`]+)` \| (?:`([^`]+)`|none)", PAGE, re.M)
    wanted = [(route.method, API + route.path, route.verb) for route in (*ROUTES, *OWN_ROUTES)]
    wanted += [("GET", path, "") for path in (f"{API}/stream", *TEXT_ROUTES)]
    assert sorted(said) == sorted(wanted)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("| open pages | 32 |", watch.MOST_TABS == 32),
        ("| connections | 128 |", server.MOST_CONNECTIONS == 128),
        ("for a body | 10 s each |", server.HEAD_S == gate.BODY_S == 10),
        ("| body of a request | 64 KiB |", gate.MAX_BODY_BYTES == 64 << 10),
        ("four messages a second | 100 |", (watch.BATCH_S, watch.MOST_IN_BATCH) == (0.25, 100)),
        ("takes nothing for 10 s", stream.SLOW_S == 10),
        ("64 messages wait", watch.MOST_WAITING == 64),
        ("once a second", watch.STATUS_S == 1),
        ("every two seconds", watch.INVITATIONS_S == 2),
        ("192 bits", 8 * access.TOKEN_BYTES == 192),
    ],
)
def test_a_bound_is_the_one_of_the_code(said: str, value: bool) -> None:
    assert said in PAGE.replace("\n", " ") and value


def test_the_page_sets_text_only_and_loads_nothing_from_elsewhere() -> None:
    files = page_files()
    assert len(files) > 12
    for name, data in files.items():
        text = data.decode()
        assert not re.search(r"\.(inner|outer)HTML|insertAdjacentHTML|document\.write|eval\(", text)
        found = re.findall(r"https?://[^\s\"'`)]+", text)
        assert set(found) <= {"http://www.w3.org/2000/svg"}, name
        assert not re.search(r"\bon[a-z]+=|style=|javascript:", text), name


def test_the_page_is_in_the_package() -> None:
    assert "leftzmq.web = page/*" in (ROOT / "setup.cfg").read_text()
