"""A folder or a device is paused: what goes on, what does not, and what follows at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leftzmq.errors import Away, Stop, StopCause
from leftzmq.sync.actions import Publish
from leftzmq.sync.facts import Asked, FolderStopped, LinkClosed, LinkOpened, PausesSet, PeerListed
from leftzmq.sync.folder import FolderState
from leftzmq.sync.link import Link, Way
from leftzmq.wire.messages import Chunks, Get, IndexPage, IndexSince
from tests.helpers.mesh import Device, Mesh
from tests.sim.node import FOLDER


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    mesh = Mesh(tmp_path, "ABC")
    for device in mesh.devices.values():
        device.start()
    mesh.devices["A"].write("old", b"old")
    scan(mesh)
    return mesh


def scan(mesh: Mesh) -> None:
    mesh.now += 100
    mesh.scan_all()
    mesh.settle(70)


def pause(mesh: Mesh, device: Device, *devices: Device) -> None:
    """Pause the folder on a device, or single devices."""
    folders = frozenset() if devices else frozenset((FOLDER,))
    device.take(PausesSet(folders, frozenset(each.key for each in devices)))
    mesh.settle(5)


def resume(mesh: Mesh, device: Device) -> None:
    device.take(PausesSet(frozenset(), frozenset()))
    mesh.settle(30)


def passed(mesh: Mesh) -> list[tuple[str, str]]:
    """Note who sends what to whom of the folder from now on."""
    found: list[tuple[str, str]] = []
    send, publish = mesh.send, mesh.publish

    def sent(sender: Device, link: Any, message: Any, body: object) -> None:
        if isinstance(message, Get | Chunks | IndexPage | IndexSince):
            found.append((sender.name, type(message).__name__))
        send(sender, link, message, body)

    def published(sender: Device, news: Publish) -> None:
        found.append((sender.name, "News"))
        publish(sender, news)

    mesh.send, mesh.publish = sent, published  # type: ignore[method-assign,assignment]
    return found


def test_in_a_paused_folder_changes_are_recorded_and_nothing_passes(mesh: Mesh) -> None:
    a, b, c = mesh.devices.values()
    pause(mesh, b)
    found = passed(mesh)
    assert b.folder.state is FolderState.PAUSED
    b.write("by B", b"b")
    (b.share / "old").unlink()
    a.write("by A", b"a")
    scan(mesh)
    mesh.settle(200)
    assert b.folder.index_view.counters.files == 1, "what it has is known there"
    assert "by A" not in b.tree() and "by A" in c.tree()
    assert "by B" not in a.tree() and "old" in a.tree()
    assert not [each for each in found if each[0] == "B"]
    assert not b.sent or b.folder.announcer.settled is False
    resume(mesh, b)
    assert a.tree() == b.tree() == c.tree()
    assert a.tree().keys() == {"by A", "by B"}
    assert b.folder.state is FolderState.IDLE


def test_the_others_are_told_that_it_is_paused_and_that_it_goes_on(mesh: Mesh) -> None:
    a, b, c = mesh.devices.values()
    pause(mesh, b)
    for device in (a, c):
        assert device.node.peers.by_key[b.key].halted == {FOLDER: StopCause.PAUSED}
        (there,) = [m for m in device.node.status()["folders"][0]["members"] if m["name"] == "B"]
        assert (there["state"], there["why"]) == ("stopped there", "the folder is paused there")
    here = b.node.status()["folders"][0]
    assert (here["state"], here["why"]) == ("paused", "leftzmq resume lets it go on")
    assert {member["state"] for member in here["members"]} == {"paused here"}
    resume(mesh, b)
    assert not a.node.peers.by_key[b.key].halted


def test_who_is_paused_on_both_sides_goes_on_when_both_are_resumed(mesh: Mesh) -> None:
    a, b, c = mesh.devices.values()
    pause(mesh, b)
    pause(mesh, c)
    b.write("by B", b"b")
    scan(mesh)
    resume(mesh, c)
    assert "by B" not in c.tree()
    resume(mesh, b)
    assert a.tree() == b.tree() == c.tree()
    assert "by B" in c.tree()


def test_a_file_on_its_way_goes_on_from_what_is_there(mesh: Mesh) -> None:
    a, b, c = mesh.devices.values()
    for device in (a, c):
        pause(mesh, device)
    data = bytes(range(256)) * 40_000
    a.write("large", data)
    scan(mesh)
    a.take(PausesSet(frozenset(), frozenset()))
    while b.folder.received_bytes < 1 << 20:
        if not mesh.step():
            mesh.now += 0.05
    pause(mesh, b)
    mesh.settle(100)
    assert list(b.share.glob("*.lefting"))
    before = b.folder.received_bytes
    assert before < len(data)
    resume(mesh, b)
    assert (b.share / "large").read_bytes() == data
    assert b.folder.received_bytes < len(data) + (1 << 20), "hardly anything came twice"


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_wait_ends_at_once_and_says_what_is_paused(mesh: Mesh, when: str) -> None:
    b = mesh.devices["B"]
    if when == "meanwhile":
        b.take(Asked(b"x", "wait", {"timeout": 60}))  # no watcher sees its cookie
        mesh.settle(1)
        assert not b.answers
    pause(mesh, b)
    if when == "before":
        b.take(Asked(b"x", "wait", {"timeout": 60}))
        mesh.settle(0.5)
    (answer,) = b.answers
    assert not answer["in_sync"]
    assert answer["why"] == f"folder {FOLDER} is paused: leftzmq resume lets it go on"


def test_a_folder_that_is_opened_anew_is_still_paused(mesh: Mesh) -> None:
    b = mesh.devices["B"]
    pause(mesh, b)
    b.kill()
    b.start()
    b.take(PausesSet(frozenset((FOLDER,)), frozenset()))
    mesh.settle(30)
    assert b.folder.state is FolderState.PAUSED
    mesh.devices["A"].write("by A", b"a")
    scan(mesh)
    assert "by A" not in b.tree()
    resume(mesh, b)
    assert "by A" in b.tree()


@pytest.mark.parametrize("meanwhile", [False, True])
def test_a_folder_that_stops_and_is_opened_anew_is_paused_as_it_was_meant_last(
    mesh: Mesh, meanwhile: bool
) -> None:
    b = mesh.devices["B"]
    pause(mesh, b)
    b.take(FolderStopped(FOLDER, Stop(StopCause.HELD_UP, "busy")))
    if meanwhile:
        b.take(PausesSet(frozenset(), frozenset()))
    mesh.settle(90)
    assert b.folder.stopped is None
    assert b.folder.paused is not meanwhile
    mesh.devices["A"].write("by A", b"a")
    scan(mesh)
    assert ("by A" in b.tree()) is meanwhile
    resume(mesh, b)
    assert "by A" in b.tree()


def test_a_paused_device_is_away_and_named_and_the_others_pass_on_what_it_may_hear(
    mesh: Mesh,
) -> None:
    a, b, _ = mesh.devices.values()
    pause(mesh, a, b)
    peer = a.node.peers.by_key[b.key]
    assert (peer.away, peer.greeted) == (Away.PAUSED, False)
    (shown,) = [one for one in a.node.status()["peers"] if one["name"] == "B"]
    assert (shown["state"], shown["reason"]) == ("not connected", "paused")
    assert "leftzmq resume" in shown["note"]
    assert b.key not in a.folder.members
    a.take(PausesSet(frozenset(), frozenset()))
    mesh.settle(1)
    assert peer.away is None


def test_a_device_that_is_listed_again_or_closes_late_is_still_paused(mesh: Mesh) -> None:
    a, b, _ = mesh.devices.values()
    peer = a.node.peers.by_key[b.key]
    pause(mesh, a, b)
    a.take(PeerListed(b.key, "B", True, ""))
    mesh.settle(1)
    assert peer.away is Away.PAUSED
    a.take(LinkOpened(Link(b.key, Way.DIALED)))  # it was on its way
    a.take(LinkClosed(Link(b.key, Way.DIALED), "cut off"))
    mesh.settle(1)
    assert peer.away is Away.PAUSED
    a.take(PausesSet(frozenset(), frozenset()))
    mesh.settle(1)
    a.take(LinkOpened(Link(b.key, Way.DIALED)))
    mesh.settle(5)
    assert peer.greeted and b.key in a.folder.members
