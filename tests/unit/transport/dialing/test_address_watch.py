"""Whether an address that we dialed from is ours still, and that we dial anew when it is not."""

from __future__ import annotations

import socket

import pytest

from leftzmq.sync.facts import LinkClosed, LinkOpened
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.transport.connections.ends import ConnectionEnds, left
from tests.helpers.buses import during, sides, until

pytestmark = pytest.mark.slow

OURS, ALSO_OURS = "127.0.0.1", "127.0.0.2"
NOBODYS = "192.0.2.1"  # of RFC 5737
NO_WAY = "255.255.255.255"  # who may not broadcast cannot call it
ONE, OTHER = DeviceKey(b"1" * 32), DeviceKey(b"2" * 32)


def ends(here: str, there: str = OURS) -> ConnectionEnds:
    return ConnectionEnds(socket.AF_INET, (here, 1), (there, 7700))


def test_the_ends_of_a_connection_are_learnt_and_it_stays_open() -> None:
    with socket.create_server((OURS, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((OURS, port)) as client:
            found = ConnectionEnds.of(client.fileno(), port)
            assert found == ConnectionEnds(socket.AF_INET, client.getsockname(), (OURS, port))
            assert ConnectionEnds.of(client.fileno(), port + 1) is None
            client.send(b"still open")


def test_a_descriptor_that_is_closed_or_no_connection_has_no_ends() -> None:
    with socket.create_server((OURS, 0)) as server, socket.socket(socket.AF_UNIX) as other:
        port, number = server.getsockname()[1], server.fileno()
        assert ConnectionEnds.of(number, port) is None
        assert ConnectionEnds.of(other.fileno(), port) is None
    assert ConnectionEnds.of(number, port) is None


@pytest.mark.parametrize(
    ("those", "is_left"),
    [
        (ends(OURS), False),
        (ends(ALSO_OURS), False),  # though we would call from another one now
        (ends(NOBODYS), True),
        (ends(NOBODYS, NO_WAY), False),  # no other address: this one may come back
        (ConnectionEnds(socket.AF_INET6, ("2001:db8::1", 1, 0, 0), ("::1", 7700, 0, 0)), True),
        (ConnectionEnds(socket.AF_INET6, ("::1", 1, 0, 0), ("::1", 7700, 0, 0)), False),
    ],
)
def test_an_address_is_left_when_it_is_gone_and_another_one_would_do(
    those: ConnectionEnds, is_left: bool
) -> None:
    assert left({ONE: those}) == ([ONE] if is_left else [])


def test_each_device_counts_for_itself() -> None:
    assert left({ONE: ends(OURS), OTHER: ends(NOBODYS)}) == [OTHER]
    assert left({ONE: ends(NOBODYS), OTHER: ends(NOBODYS, NO_WAY)}) == [ONE]
    assert left({}) == []


def test_what_was_dialed_from_an_address_that_is_gone_is_closed_and_dialed_anew(tmp_path) -> None:
    with sides(tmp_path, 2) as (a, b):
        a.dials(b)
        until(lambda: a.of(LinkOpened), a, b)
        line = a.bus._dialed[b.device].control
        connection = line.connection
        assert connection is not None and connection.ends.there == (OURS, line.endpoint.port)
        connection.ends = ConnectionEnds(socket.AF_INET, (NOBODYS, 1), connection.ends.there)
        until(lambda: len(a.of(LinkOpened)) == 2, a, b)
        why = f"the address {NOBODYS} is not this device's any more"
        assert a.of(LinkClosed) == [LinkClosed(Link(b.device, Way.DIALED), why)]


def test_what_was_dialed_from_an_address_that_is_ours_is_left_alone(tmp_path) -> None:
    with sides(tmp_path, 2) as (a, b):
        a.dials(b)
        until(lambda: a.of(LinkOpened), a, b)
        during(2.5, a, b)  # at least one look
        assert len(a.of(LinkOpened)) == 1 and not a.of(LinkClosed)
