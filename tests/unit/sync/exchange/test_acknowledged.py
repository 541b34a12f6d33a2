"""A device that does not keep all that another one has says how far it is done, and is in sync."""

from __future__ import annotations

from pathlib import Path

from leftzmq.sync.admin.peer_progress import Member, MemberState, member
from leftzmq.sync.exchange.acknowledged import DONE_REST_S
from leftzmq.sync.facts import Asked
from leftzmq.tree.version import Life
from leftzmq.wire.messages import Done
from tests.helpers.mesh import Device, Mesh


def seen(one: Device, other: Device) -> Member:
    """How far `other` is, as `one` sees it."""
    return member(one.folder, one.agents.by_key[other.key])


def local(mesh: Mesh, device: Device, *lines: str) -> None:
    device.folder.keeping.tune(lines, litter=True)
    mesh.settle()


def dones(device: Device) -> int:
    return sum(isinstance(message, Done) for message in device.sent)


def test_who_does_not_keep_it_is_in_sync_and_what_it_passed_over_is_known(
    mesh: Mesh, a: Device, b: Device
) -> None:
    local(mesh, b, "data/")
    a.write("data/x", b"12345")
    a.write("y", b"1")
    mesh.scan_all()
    mesh.settle()
    found = seen(a, b)
    assert found.state is MemberState.IN_SYNC
    assert found.behind is not None and found.behind.paths == 0
    assert (found.passed.paths, found.passed.bytes) == (2, 5)
    assert a.folder.peer_lag.since(b.key) is None
    assert seen(b, a).state is MemberState.IN_SYNC and seen(b, a).passed.paths == 0
    a.runner._contexts["share"].watched = lambda: False  # a walk tells, and no cookie
    a.take(Asked(b"x", "wait", {"timeout": 60}))
    mesh.settle(20)
    (answer,) = a.answers
    assert answer["in_sync"] is True
    assert answer["passed_over"] == [{"name": "B", "folder": "share", "paths": 2, "bytes": 5}]


def test_what_is_kept_and_on_its_way_is_waited_for(mesh: Mesh, a: Device, b: Device) -> None:
    local(mesh, b, "data/")
    a.write("data/x", b"1")
    mesh.scan_all()
    mesh.settle()
    mesh.drop_news = True
    a.write("kept", b"1")
    a.scan()
    mesh.settle(1.0)
    found = seen(a, b)
    assert found.state is MemberState.BEHIND and found.passed.paths == 0
    mesh.drop_news = False
    mesh.settle()
    assert seen(a, b).state is MemberState.IN_SYNC


def test_who_keeps_all_says_nothing(mesh: Mesh, a: Device, b: Device) -> None:
    a.write("x", b"1")
    a.write(".leftignore", b"build\n")
    a.write("build", b"1")
    mesh.scan_all()
    mesh.settle()
    assert not dones(a) and not dones(b)


def test_many_edits_one_by_one_are_not_answered_each(mesh: Mesh, a: Device, b: Device) -> None:
    local(mesh, b, "data")
    a.write("data", b"1")
    mesh.scan_all()
    mesh.settle()
    before, began = dones(b), mesh.now
    for number in range(30):
        a.write("x", f"{number}".encode())
        a.scan()
        mesh.settle(0.1)
    mesh.settle()
    assert 0 < dones(b) - before <= 2 + 3 / DONE_REST_S, (dones(b) - before, mesh.now - began)
    assert seen(a, b).state is MemberState.IN_SYNC


def until_a_word_rests(mesh: Mesh, a: Device, b: Device) -> None:
    """A withdraws one thing, and another one while B may not say its word once more."""
    for name in ("x", "y"):
        a.write(name, b"1")
    mesh.scan_all()
    mesh.settle()
    a.folder.keeping.tune(["x"], litter=True)
    while not dones(b):
        mesh.settle(DONE_REST_S / 50)
    a.folder.keeping.tune(["x", "y"], litter=True)
    while b.folder.acknowledged.deadline() is None:
        mesh.settle(DONE_REST_S / 50)


def test_a_word_that_rests_for_who_is_gone_meanwhile_costs_no_turns(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """B keeps all: it owes its word only to A, which withdrew something."""
    until_a_word_rests(mesh, a, b)
    a.kill()
    mesh.settle(10 * DONE_REST_S)
    assert b.folder.acknowledged.deadline() is None


def test_a_word_that_is_owed_is_said_though_the_device_greets_once_more(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """Over its other link, say. Who lets go of something waits for that word."""
    until_a_word_rests(mesh, a, b)
    b.folder.acknowledged.on_peer_greeted(a.key, a.store.heads.life)
    mesh.settle(10 * DONE_REST_S)
    assert a.folder.acknowledged.until(b.key) == a.store.heads.sequence


def test_a_word_that_overtakes_a_second_greeting_holds(mesh: Mesh, a: Device, b: Device) -> None:
    """Each link is in order for itself alone. It would not be said again, and `wait` would wait."""
    local(mesh, b, "data")
    a.write("data", b"1")
    mesh.scan_all()
    mesh.settle()
    head = a.store.heads.sequence
    assert a.folder.acknowledged.until(b.key) == head
    a.folder.acknowledged.on_peer_greeted(b.key, b.store.heads.life)
    assert a.folder.acknowledged.until(b.key) == head
    a.folder.acknowledged.on_peer_greeted(b.key, Life(b"another life"))
    assert a.folder.acknowledged.until(b.key) == 0


def test_a_new_start_has_heard_nothing(mesh: Mesh, a: Device, b: Device, tmp_path: Path) -> None:
    local(mesh, b, "data")
    a.write("data", b"1")
    mesh.scan_all()
    mesh.settle()
    a.kill()
    a.start()
    mesh.settle()
    assert seen(a, b).state is MemberState.IN_SYNC and seen(a, b).passed.paths == 1
