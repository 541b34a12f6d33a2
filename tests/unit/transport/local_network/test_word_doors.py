"""Announcing a word door and finding it, over the loopback: no test talks to a real network."""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest

from leftzmq.endpoint import Endpoint
from leftzmq.errors import InvitationError
from leftzmq.transport.door.word_visitor import DOORS_MAX
from leftzmq.transport.local_network.mdns import HeardNames
from leftzmq.transport.local_network.word_doors import SERVICE, SETTLE_S, Announcement, _door, find

LOOPBACK = ("127.0.0.1",)
GROUP, PORT = "224.0.0.251", 5353
DEADLINE_S = 8.0


def group_member() -> socket.socket:
    """Return a socket that hears what is said by mDNS on the loopback."""
    ears = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ears.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ears.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    ears.bind((GROUP, PORT))
    member = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton("127.0.0.1"))
    ears.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    ears.settimeout(1.0)
    return ears


@cache
def has_multicast() -> bool:
    try:
        with group_member() as ears, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
            here = socket.inet_aton("127.0.0.1")
            mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
            mouth.sendto(b"leftzmq", (GROUP, PORT))
            while ears.recv(2000) != b"leftzmq":
                pass
    except OSError:
        return False
    return True


multicast = pytest.mark.skipif(
    "not has_multicast()", reason="multicast does not work on the loopback of this machine"
)


@contextmanager
def announced(digit: int = 4, port: int = 7709, wait: bool = True) -> Iterator[Announcement]:
    announcement = Announcement(digit, port, LOOPBACK, LOOPBACK, os.urandom)
    try:
        end = time.monotonic() + DEADLINE_S
        while wait and not announcement.is_announced:
            assert time.monotonic() < end, "it was not announced in time"
            time.sleep(0.01)
        yield announcement
    finally:
        announcement.close()


def found(digit: int | None, within_s: float = DEADLINE_S) -> list[list[Endpoint]]:
    return find(digit, LOOPBACK, within_s)


@multicast
@pytest.mark.slow
def test_a_door_is_found_by_its_digit_or_without_one() -> None:
    with announced(4, 7001), announced(5, 7002):
        assert found(4) == [[Endpoint("127.0.0.1", 7001)]]
        both = find(None, LOOPBACK, DEADLINE_S, settle_s=4 * SETTLE_S)
        assert sorted(door[0].port for door in both) == [7001, 7002]
        with pytest.raises(InvitationError, match=r"no machine of this network .* digit 6") as none:
            found(6, within_s=1.5)
        assert "WORDS@HOST" in none.value.do and none.value.exit_code == 1


@pytest.mark.long
@multicast
@pytest.mark.slow
def test_a_door_that_is_closed_is_not_found_any_more() -> None:
    with announced(4, 7001):
        pass
    with pytest.raises(InvitationError):
        found(4, within_s=1.5)


@pytest.mark.long
@multicast
@pytest.mark.slow
def test_more_than_four_of_one_digit_are_not_tried() -> None:
    with announced(4, 1), announced(4, 2), announced(4, 3), announced(4, 4):
        assert len(found(4)) == DOORS_MAX
        with announced(4, 5), pytest.raises(InvitationError, match="more than 4") as many:
            found(4)
    assert "WORDS@HOST" in many.value.do


@pytest.mark.long
@multicast
@pytest.mark.slow
def test_what_is_said_in_the_network_names_nobody() -> None:
    with group_member() as ears:
        with announced(4, 7001) as first:
            instance, host = first._instance, first._host
        ears.settimeout(0.3)
        said = []
        try:
            while True:
                said.append(ears.recv(9000))
        except TimeoutError:
            pass
    packets = [one for one in said if instance.encode() in one]
    assert packets and any(b"\x03v=1\x03d=4" in one for one in packets)
    assert any(host.encode() in one for one in packets)
    for one in packets:
        assert socket.gethostname().encode() not in one and b"tiger" not in one
    with announced(4, 7001) as second:
        assert {second._instance, second._host}.isdisjoint((instance, host))


def test_a_machine_without_a_network_says_so() -> None:
    with pytest.raises(InvitationError, match="in no local network") as nowhere:
        find(4, ())
    assert "WORDS@HOST" in nowhere.value.do


def test_an_announcement_that_fails_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    announcement = Announcement(4, 7709, LOOPBACK, ("192.0.2.1",), os.urandom)
    announcement.close()
    assert not announcement.is_announced


def test_zeroconf_is_imported_only_when_it_is_used() -> None:
    import subprocess

    code = (
        "import sys, leftzmq.cli.admin, leftzmq.cli.pairing.share, leftzmq.cli.pairing.join, "
        "leftzmq.runtime.agent, leftzmq.transport.local_network.word_doors as _; "
        "print([one for one in ('zeroconf', ) if one in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


class Heard:
    """A ServiceInfo as a hostile network may make it."""

    def __init__(self, properties: dict[bytes, bytes | None], addresses: list[str], port: object):
        self.properties, self.port, self._addresses = properties, port, addresses

    def parsed_scoped_addresses(self) -> list[str]:
        return self._addresses


GOOD: dict[bytes, bytes | None] = {b"v": b"1", b"d": b"4"}


@pytest.mark.parametrize(
    ("properties", "addresses", "port", "expected"),
    [
        (GOOD, ["192.168.1.2"], 7709, ["192.168.1.2"]),
        (GOOD, ["fe80::1%eth0", "192.168.1.2"], 7709, ["192.168.1.2", "fe80::1%eth0"]),
        (GOOD | {b"more": None}, ["192.168.1.2"], 7709, ["192.168.1.2"]),
        (GOOD, [f"10.0.0.{n}" for n in range(20)], 1, [f"10.0.0.{n}" for n in range(4)]),
        (GOOD, ["127.0.0.1", "::1", "224.0.0.1", "0.0.0.0", "::", "fe80::1"], 7709, []),
        (GOOD, ["x y", "", "a.example"], 7709, []),
        (GOOD, ["192.168.1.2"], 0, []),
        (GOOD, ["192.168.1.2"], 70_000, []),
        (GOOD, ["192.168.1.2"], None, []),
        (GOOD, [], 7709, []),
        ({b"v": b"2", b"d": b"4"}, ["192.168.1.2"], 7709, []),
        ({b"v": b"1", b"d": b"5"}, ["192.168.1.2"], 7709, []),
        ({b"v": b"1", b"d": b"44"}, ["192.168.1.2"], 7709, []),
        ({b"v": b"1", b"d": None}, ["192.168.1.2"], 7709, []),
        ({b"v": b"1"}, ["192.168.1.2"], 7709, []),
        ({}, ["192.168.1.2"], 7709, []),
    ],
)
def test_what_is_heard_is_an_address_to_try_or_nothing(
    properties: dict[bytes, bytes | None],
    addresses: list[str],
    port: object,
    expected: list[str],
) -> None:
    door = _door(Heard(properties, addresses, port), 4, at_loopback=False)
    assert [one.host for one in door] == expected


def test_the_service_is_the_one_of_the_page() -> None:
    assert SERVICE == "_leftzmq-join._tcp.local."


def test_a_door_whose_first_answer_is_lost_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Browser:
        def __init__(self, network: object, service: str, names: HeardNames) -> None:
            names.add_service(None, "", "door")  # type: ignore[arg-type]

        def cancel(self) -> None:
            return

    class LossyNetwork:
        asked = 0

        def get_service_info(self, service: str, name: str, within_ms: int) -> Heard | None:
            self.asked += 1
            return None if self.asked == 1 else Heard(GOOD, ["192.168.1.2"], 7709)

        def close(self) -> None:
            return

    monkeypatch.setattr("zeroconf.ServiceBrowser", Browser)
    monkeypatch.setattr(
        "leftzmq.transport.local_network.word_doors.zeroconf_at", lambda _: LossyNetwork()
    )
    assert find(4, ("192.168.1.1",), within_s=2, settle_s=0) == [[Endpoint("192.168.1.2", 7709)]]
