"""A name that leads to another address now, while nobody answers at the one that it led to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from leftzmq.endpoint import Endpoint
from leftzmq.sync.facts import LinkClosed, LinkOpened
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.transport.connections.ends import ConnectionEnds
from leftzmq.transport.connections.name_lookup import LookedUpName, NameLookup
from leftzmq.transport.server_sockets import bindable
from tests.helpers.buses import during, sides, until

pytestmark = pytest.mark.slow

DEVICE = DeviceKey(b"d" * 32)
WAS = "127.0.0.1"


def name(port: int) -> LookedUpName:
    return LookedUpName(DEVICE, "b.example", ConnectionEnds(socket.AF_INET, (WAS, 1), (WAS, port)))


@pytest.fixture
def answering() -> Iterator[int]:
    with socket.create_server((WAS, 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def silent() -> int:
    with socket.create_server((WAS, 0)) as server:
        port: int = server.getsockname()[1]
    return port


def leads_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def found(host: str, port: object, family: int, kind: int) -> list[object]:
        assert host == "b.example"
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(family, kind, 6, "", (address, 0)) for address in addresses]

    monkeypatch.setattr("leftzmq.transport.connections.name_lookup.socket.getaddrinfo", found)


def test_a_name_leads_elsewhere_when_nobody_answers_where_it_led(monkeypatch, silent) -> None:
    leads_to(monkeypatch, "192.0.2.1")
    assert name(silent).leads_elsewhere()


@pytest.mark.parametrize("addresses", [(WAS,), ("192.0.2.1", WAS), ()])
def test_a_name_that_leads_where_it_did_or_nowhere_does_not(monkeypatch, silent, addresses) -> None:
    leads_to(monkeypatch, *addresses)
    assert not name(silent).leads_elsewhere()


def test_a_name_of_several_addresses_by_turns_does_not(monkeypatch, answering) -> None:
    leads_to(monkeypatch, "192.0.2.1")
    assert not name(answering).leads_elsewhere()


def test_a_slow_resolver_is_asked_once_at_a_time_and_never_waited_for(monkeypatch) -> None:
    asked, answer = list[LookedUpName](), threading.Event()

    def slow(self: LookedUpName) -> bool:
        asked.append(self)
        return answer.wait(8)

    monkeypatch.setattr(LookedUpName, "leads_elsewhere", slow)
    names = NameLookup()
    for _ in range(3):
        names.ask(name(1))
    assert names.elsewhere() == []
    answer.set()
    end, found = time.monotonic() + 8, list[LookedUpName]()
    while not found and time.monotonic() < end:
        found = names.elsewhere()
    assert found == [name(1)] == asked
    names.close()


def dials_by_name(a, b) -> None:
    port = Endpoint.parse(b.bus.control_endpoint, "test").port
    a.bus.dial(b.device, Endpoint("localhost", port))


def test_what_was_dialed_by_a_name_that_leads_elsewhere_is_dialed_anew(
    tmp_path, monkeypatch
) -> None:
    with sides(tmp_path, 2) as (a, b):
        dials_by_name(a, b)
        until(lambda: a.of(LinkOpened), a, b)
        monkeypatch.setattr(LookedUpName, "leads_elsewhere", lambda self: True)
        until(lambda: len(a.of(LinkOpened)) == 2, a, b)
        why = "localhost is at another address now"
        assert a.of(LinkClosed) == [LinkClosed(Link(b.device, Way.DIALED), why)]


@pytest.mark.parametrize("why_not", ["an address is no name", "it dials us"])
def test_only_who_was_dialed_by_a_name_and_does_not_dial_us_is_looked_up(
    tmp_path, monkeypatch, why_not
) -> None:
    asked = list[LookedUpName]()
    monkeypatch.setattr(LookedUpName, "leads_elsewhere", lambda self: asked.append(self) or True)
    with sides(tmp_path, 2) as (a, b):
        if why_not == "it dials us":
            b.dials(a)
            b.subscribes(a)  # the first thing that it says
            until(lambda: a.bus._bound.has_seen(b.device), a, b)
            dials_by_name(a, b)
        else:
            a.dials(b)
        until(lambda: a.of(LinkOpened), a, b)
        during(5, a, b)
        assert not asked and not a.of(LinkClosed)


def test_an_address_of_one_link_is_bound_with_its_zone() -> None:
    """getaddrinfo gives back the address without it, and libzmq cannot bind that."""
    assert bindable("fe80::1%eth0") == "fe80::1%eth0"
    assert bindable("127.0.0.1") == "127.0.0.1"
