"""Where other devices can reach this machine, and what of it fits into a code."""

from __future__ import annotations

import pytest

from leftzmq.endpoint import Endpoint
from leftzmq.pairing.code import Code, code_text, read_code
from leftzmq.transport.door import own_addresses
from leftzmq.transport.door.own_addresses import Reachable, at_interfaces, reachable

FOURS = ("192.168.1.2", "10.0.0.2", "172.16.0.2")
SIXES = ("2001:db9::2", "fd00::2", "fd01::2")
PORT = 7710


def in_code(addresses: tuple[str, ...], named: str = "") -> tuple[str, ...]:
    """What a code says, which must be what was to fit into it."""
    end = Endpoint.parse(f"tcp://{named}", "test") if named else None
    chosen = Reachable(addresses).for_code(PORT, end)
    code = Code(chosen, PORT, b"d" * 32, b"t" * 16)
    assert set(read_code(code_text(code)).addresses) == set(chosen)
    return tuple(str(one).removeprefix("tcp://") for one in chosen)


def test_two_of_each_kind_fit_and_the_first_ones_are_taken() -> None:
    assert in_code((*SIXES, *FOURS)) == (
        "192.168.1.2:7710",
        "10.0.0.2:7710",
        "[2001:db9::2]:7710",
        "[fd00::2]:7710",
    )


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ("example.org:7710", 3),  # 17 bytes of 40
        ("203.0.113.7:7710", 4),  # an address with the door's port takes four bytes
        ("203.0.113.7:9999", 3),  # with another one it is text
        ("192.168.1.2:7710", 4),
        ("[2001:db9::7]:7710", 4),
        ("a-host-of-some-length.example.org:7710", 1),
    ],
)
def test_what_the_user_names_comes_first_and_the_rest_fits_beside_it(named: str, kept: int) -> None:
    found = in_code((*FOURS, *SIXES), named)
    assert found[0] == named and len(found) == kept


def test_a_socket_of_one_address_is_reached_there_and_one_of_loopback_nowhere() -> None:
    assert reachable(Endpoint("192.168.1.2", 7700)).addresses == ("192.168.1.2",)
    for host in ("127.0.0.1", "127.0.0.2", "::1", "localhost"):
        assert reachable(Endpoint(host, 7700)).addresses == ()


def test_a_socket_of_every_address_is_reached_at_those_that_others_can_call() -> None:
    for host in ("0.0.0.0", "::"):
        found = reachable(Endpoint(host, 7700)).addresses
        assert not [one for one in found if one.startswith(("127.", "169.254.", "fe80", "::1"))]
        assert len(set(found)) == len(found)
    assert all(":" not in one for one in reachable(Endpoint("0.0.0.0", 7700)).addresses)


class Adapter:
    """As the package `ifaddr` tells of one. ips: IPv6 addresses as (address, flow, scope)."""

    def __init__(self, name: str, *ips: str | tuple[str, int, int]) -> None:
        self.name, self.ips = name, [IP(one) for one in ips]


class IP:
    def __init__(self, ip: str | tuple[str, int, int]) -> None:
        self.ip = ip


ADAPTERS = [
    Adapter("no-such-lo", "127.0.0.1", ("::1", 0, 0)),
    Adapter("no-such-eth", "192.168.1.2", "192.168.1.3", ("fe80::2", 0, 2), ("fd00::2", 0, 0)),
    Adapter("no-such-wlan", ("fe80::3", 0, 3)),
    Adapter("down", "10.0.0.2"),
]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("0.0.0.0", ("192.168.1.2",)),
        ("::", ("192.168.1.2", "fe80::2", "fe80::3")),
        ("192.168.1.3", ("192.168.1.3",)),
        ("127.0.0.1", ()),
        ("localhost", ()),
        ("::1", ()),
        ("10.9.9.9", ()),
    ],
)
def test_a_local_network_is_spoken_to_where_we_listen_and_never_at_the_loopback(
    host: str, expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_addresses.ifaddr, "get_adapters", lambda: ADAPTERS)
    monkeypatch.setattr(own_addresses, "_is_up", lambda name: name != "down")
    assert at_interfaces(Endpoint(host, 0)) == expected


def test_an_interface_of_which_the_system_says_nothing_counts_as_up() -> None:
    assert own_addresses._is_up("no-such-interface")
