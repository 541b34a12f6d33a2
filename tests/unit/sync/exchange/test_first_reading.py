"""Who reads a folder for the first time since its start says so, until all of it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.content.keys import derive_keys
from leftzmq.sync.actions import Send
from leftzmq.sync.exchange.first_reading import FirstReading
from leftzmq.sync.jobs import Walk
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.wire.messages import Capability, Message, Reading
from tests.helpers.mesh import Device, Held, Mesh
from tests.sim import node

TAG, B, C = derive_keys(bytes(32)).first.tag, DeviceKey(b"b" * 32), DeviceKey(b"c" * 32)


class World:
    """One device's side: until: our next sequence when all is read; heard: of the other devices."""

    def __init__(self) -> None:
        self.until, self.heard = 0, {B: 0, C: 0}
        self.understood = {B, C}
        self.reading = FirstReading(
            TAG,
            lambda: self.until,
            self.heard.__getitem__,
            lambda device: (link(device),) if device in self.understood else (),
        )


def link(device: DeviceKey) -> Link:
    return Link(device, Way.DIALED)


LIFE, LATER = bytes(12), b"another life"


def test_a_device_that_greets_meanwhile_is_told_so_and_once_more_when_it_is_over() -> None:
    world = World()
    assert world.reading.on_peer_greeted(B, LIFE) == [Send(link(B), Reading(TAG, 0))]
    assert world.reading.look() == []
    world.until = 8
    assert world.reading.look() == [Send(link(B), Reading(TAG, 8))]
    world.until = 0  # something is touched: the folder has been read all the same
    assert world.reading.look() == []
    assert world.reading.on_peer_greeted(C, LIFE) == [Send(link(C), Reading(TAG, 8))]
    assert world.reading.look() == []


def test_who_does_not_understand_it_is_told_nothing_and_is_taken_as_done() -> None:
    world = World()
    world.understood = set()
    assert world.reading.on_peer_greeted(B, LIFE) == []
    assert not world.reading.is_reading(B)
    world.until = 8
    assert world.reading.look() == []


def test_a_device_is_reading_until_all_that_it_said_has_been_heard() -> None:
    world = World()
    for device in (B, C):
        world.reading.on_peer_greeted(device, LIFE)
        assert world.reading.is_reading(device), "it has said nothing yet"
    world.reading.on_reading(B, Reading(TAG, 0))
    world.reading.on_reading(C, Reading(TAG, 1))
    assert world.reading.is_reading(B) and not world.reading.is_reading(C)
    world.reading.on_reading(B, Reading(TAG, 8))
    world.heard[B] = 6
    assert world.reading.is_reading(B), "its news of sequence 7 may be on another way"
    world.heard[B] = 7
    assert not world.reading.is_reading(B)


def test_an_empty_folder_has_been_read_too() -> None:
    world = World()
    world.reading.on_peer_greeted(B, LIFE)
    world.reading.on_reading(B, Reading(TAG, 0))
    world.reading.on_reading(B, Reading(TAG, 1))
    assert not world.reading.is_reading(B)


@pytest.mark.parametrize("until", [0, 1])
def test_what_a_device_said_counts_on_when_it_greets_again(until: int) -> None:
    """Over its other link; or a folder that begins anew here greets in its name."""
    world = World()
    world.reading.on_peer_greeted(B, LIFE)
    world.reading.on_reading(B, Reading(TAG, until))
    world.reading.on_peer_greeted(B, LIFE)
    assert world.reading.is_reading(B) is (until == 0)


def test_in_another_life_a_device_has_said_nothing_yet() -> None:
    world = World()
    world.reading.on_peer_greeted(B, LIFE)
    world.reading.on_reading(B, Reading(TAG, 1))
    world.reading.on_peer_greeted(B, LATER)
    assert world.reading.is_reading(B)


def test_a_device_that_was_away_has_said_nothing_yet() -> None:
    world = World()
    world.reading.on_peer_greeted(B, LIFE)
    world.reading.on_reading(B, Reading(TAG, 1))
    world.reading.on_device_lost(B)
    world.reading.on_reading(B, Reading(TAG, 1))  # from the link that was cut
    world.reading.on_peer_greeted(B, LIFE)
    assert world.reading.is_reading(B)


# -- with its neighbours --------------------------------------------------------------------------


def member(mesh: Mesh, device: Device) -> str:
    return str(mesh.ask(device, "status")["folders"][0]["members"][0]["state"])


def test_a_sync_with_a_device_that_still_reads_is_not_called_complete(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    for number in range(3):
        a.write(f"f{number}", b"bytes")
    held = Held(a, Walk)
    b.start()
    a.start()
    mesh.settle(5.0)
    assert held.jobs and member(mesh, b) == "reading"
    a.take(a.runner.run(held.take(Walk)))
    held.end()
    mesh.settle(5.0)
    assert member(mesh, b) == "in sync" and a.tree() == b.tree() and len(b.tree()) == 3


@pytest.mark.parametrize("sizes", [(10,), (3_000_000,), (10, 1_000_000, 10, 3_000_000)])
def test_nothing_that_was_found_is_left_out_when_it_is_over(
    tmp_path: Path, sizes: tuple[int, ...]
) -> None:
    """Whatever the order: the word that all has been read comes after the last file's news."""
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    for number, size in enumerate(sizes):
        a.write(f"f{number}", bytes([number]) * size)
    sent = len(a.sent)
    a.start()
    b.start()
    for _ in range(100):
        mesh.settle(0.2)
    words = [one for one in a.sent[sent:] if isinstance(one, Reading)]
    assert [bool(one.until) for one in words][-4:] == [False, False, True, True], "over each link"
    assert words[-1].until == a.store.heads.sequence + 1, "all of it, and not a part"
    assert a.tree() == b.tree() and member(mesh, b) == "in sync"


def test_a_device_that_does_not_name_it_is_met_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = tuple(one for one in Capability if one is not Capability.READING)
    monkeypatch.setattr("leftzmq.sync.peers.greeting.OUR_CAPABILITIES", names)
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    a.write("f", b"bytes")
    for device in (a, b):
        device.start()
    mesh.settle()
    assert a.tree() == b.tree() and member(mesh, b) == "in sync"
    assert not [one for one in (*a.sent, *b.sent) if isinstance(one, Reading)]


def test_who_has_said_no_word_yet_is_not_taken_for_one_that_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its word is on its way when its index is here already."""
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    late: list[tuple[Device, Link, Message, object]] = []
    send = mesh.send

    def slow(device: node.Device, link: Link, message: Message, body: object) -> None:
        if isinstance(message, Reading):
            late.append((device, link, message, body))
        else:
            send(device, link, message, body)

    monkeypatch.setattr(mesh, "send", slow)
    a.write("f", b"bytes")
    a.start()
    b.start()
    mesh.settle()
    assert a.tree() == b.tree() and member(mesh, b) == "reading"
    for each in late:
        send(*each)
    mesh.settle()
    assert member(mesh, b) == "in sync"
