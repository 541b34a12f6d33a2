"""Which of a device's addresses is dialed."""

from __future__ import annotations

from leftzmq.config import Endpoint
from leftzmq.runtime.addresses import STAYS_S, Addresses
from leftzmq.sync.link import DeviceKey

B = DeviceKey(b"b" * 32)
ONE, TWO, THREE = (Endpoint(f"192.168.1.{number}", 7700) for number in (1, 2, 3))


def test_the_next_address_is_tried_while_one_fails_and_the_first_again_behind_the_last() -> None:
    addresses = Addresses()
    assert addresses.begin(B, (ONE, TWO, THREE, ONE)) == ONE
    tried = [addresses.failed(B, number * STAYS_S) for number in range(4)]
    assert tried == [TWO, THREE, ONE, TWO]


def test_an_address_is_not_left_at_once_however_fast_it_fails() -> None:
    addresses = Addresses()
    addresses.begin(B, (ONE, TWO))
    assert addresses.failed(B, 10.0) == TWO
    assert addresses.failed(B, 10.0 + STAYS_S / 2) is None
    assert addresses.failed(B, 10.0 + STAYS_S) == ONE


def test_a_device_with_one_address_is_dialed_there_for_ever() -> None:
    addresses = Addresses()
    assert addresses.begin(B, (ONE,)) == ONE and addresses.failed(B, 99.0) is None
    assert addresses.begin(B, ()) is None and addresses.failed(B, 99.0) is None


def test_a_device_that_is_forgotten_or_listed_anew_begins_anew() -> None:
    addresses = Addresses()
    addresses.begin(B, (ONE, TWO))
    addresses.failed(B, 10.0)
    addresses.forget(B)
    assert addresses.failed(B, 20.0) is None
    assert addresses.begin(B, (ONE, TWO)) == ONE
    assert addresses.failed(B, 20.0) == TWO
