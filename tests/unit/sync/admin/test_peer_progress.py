"""What `status` says of each device and of each folder is so at that moment: how far they are with
us, since when, and why they are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leftzmq.content.seal import fresh_nonce
from leftzmq.errors import Away, Refusal, Stop, StopCause
from leftzmq.index.rows import Row
from leftzmq.sync.admin.peer_progress import MemberState, PeerState
from leftzmq.sync.facts import (
    DeviceDropped,
    DialFailed,
    FolderNamedOtherwise,
    FolderStopped,
    LinkClosed,
    LinkOpened,
    MessageArrived,
    Stranger,
    StrangerRefused,
)
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.sync.peers.greeting import TELL_STOPS_S
from leftzmq.sync.peers.refused_keys import LATELY_S, MAX_KEPT, RefusedKeys
from leftzmq.sync.versions.peer_counts import Lack, PeerCounts
from leftzmq.tree.entry import ContentId, Entry, Kind
from leftzmq.tree.version import Life, Vector
from leftzmq.wire.folder_rows import Halted, Standing, row
from leftzmq.wire.messages import VERSION, Bye, FolderHello, Hello, Refusing
from tests.helpers.mesh import Device, Mesh

Reply = dict[str, Any]


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    return Mesh(tmp_path, "AB")


def together(mesh: Mesh) -> list[Device]:
    devices = list(mesh.devices.values())
    for device in devices:
        device.start()
    mesh.settle()
    return devices


def of(device: Device) -> tuple[Reply, Reply, Reply]:
    """The first peer, the folder, and the first member of that, as `status` says them."""
    status = device.node.status()
    return status["peers"][0], status["folders"][0], status["folders"][0]["members"][0]


# -- how far -----------------------------------------------------------------------------------


def test_two_that_have_the_same_are_in_sync(mesh: Mesh) -> None:
    a, b = together(mesh)
    a.write("f", b"bytes")
    a.scan()
    mesh.settle()
    for device in (a, b):
        peer, folder, member = of(device)
        assert peer["state"] == member["state"] == "in sync" and folder["state"] == "idle"
        assert (peer["behind_paths"], peer["behind_since"], folder["why"]) == (0, None, "")


def test_who_knows_no_other_device_reads_how_to_let_one_in(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "A")
    mesh.devices["A"].start()
    mesh.settle()
    (folder,) = mesh.ask(mesh.devices["A"], "status")["folders"]
    assert folder["state"] == "alone" and "`leftzmq share`" in folder["why"]


def test_who_lacks_something_is_behind_by_so_much_since_then(mesh: Mesh) -> None:
    a, b = together(mesh)
    b.kill()
    mesh.settle(60)
    a.write("f", b"12345")
    a.write("g", b"123")
    a.scan()
    wrote = mesh.wall_ns(a) / 1e9
    mesh.settle(100)
    peer, folder, member = of(a)
    assert (peer["state"], peer["reason"]) == ("not connected", "connection lost")
    assert member["state"] == "not connected"
    assert (member["behind_paths"], member["behind_bytes"]) == (2, 8)
    assert member["behind_since"] == pytest.approx(wrote, abs=3)
    assert peer["since"] == pytest.approx(wrote - 60, abs=3)
    assert folder["state"] == "alone" and folder["why"] == "no other device is connected"
    b.start()
    mesh.settle()
    assert of(a)[2]["state"] == of(b)[2]["state"] == "in sync"


def test_what_an_other_one_has_and_we_lack_is_to_come_and_not_its_lag(mesh: Mesh) -> None:
    a, b = together(mesh)
    a.write("f", b"one")
    a.scan()
    mesh.settle()
    a.folder.applier.stopped = True  # nothing is taken here
    b.write("f", b"another")
    b.write("g", b"new")
    b.scan()
    mesh.settle(5.0)
    peer, _, member = of(a)
    assert peer["state"] == member["state"] == "syncing"
    assert (member["ahead_paths"], member["ahead_bytes"]) == (2, 10)
    assert (member["behind_paths"], member["behind_since"]) == (0, None)
    peer, _, member = of(b)
    assert peer["state"] == member["state"] == "behind"
    assert (peer["behind_paths"], member["behind_bytes"]) == (2, 10)


def entry(content: bytes, stamp: int, *, size: int, deleted: bool = False) -> Entry:
    life = Life(b"lifelifelife")
    kind, id = Kind.FILE, ContentId(content)
    return Entry(
        "p",
        kind,
        size,
        0,
        False,
        id,
        0,
        Vector.unpack(life + stamp.to_bytes(8)),
        life,
        stamp,
        deleted,
    )


OLD, NEW = entry(b"old", 1, size=3), entry(b"new", 2, size=7)
GONE = entry(b"new", 3, size=0, deleted=True)
OURS, B, C = 1, 2, 4


@pytest.mark.parametrize(
    ("rows", "b_lacks", "b_has"),
    [
        ([], Lack(), Lack()),
        ([Row(OLD, OURS | B)], Lack(), Lack()),
        ([Row(OLD, OURS)], Lack(1, 3), Lack()),
        ([Row(OLD, B)], Lack(), Lack(1, 3)),
        ([Row(OLD, C)], Lack(), Lack()),
        ([Row(OLD, OURS), Row(NEW, B)], Lack(), Lack(1, 7)),
        ([Row(NEW, OURS), Row(OLD, B)], Lack(1, 7), Lack()),
        ([Row(NEW, OURS), Row(OLD, B), Row(GONE, C)], Lack(1, 7), Lack()),
        ([Row(GONE, OURS), Row(NEW, B | C)], Lack(1, 0), Lack()),
    ],
)
def test_lags_are_counted_both_ways_and_taken_back(
    rows: list[Row], b_lacks: Lack, b_has: Lack
) -> None:
    peer_counts = PeerCounts()
    peer_counts.change((), rows)
    assert (peer_counts.lacking(B), peer_counts.coming(B)) == (b_lacks, b_has)
    peer_counts.change(rows, ())
    assert (peer_counts.lacking(B), peer_counts.coming(B), peer_counts.lacking(0)) == (Lack(),) * 3


# -- why not -----------------------------------------------------------------------------------


def alone_with(mesh: Mesh) -> tuple[Device, DeviceKey]:
    a = mesh.devices["A"]
    a.start()
    mesh.settle(5.0)
    return a, mesh.devices["B"].key


def test_the_reason_is_the_one_of_now_and_each_is_told_once(mesh: Mesh) -> None:
    a, key = alone_with(mesh)
    told: list[str] = []
    for away in (Away.NOBODY_ANSWERS, Away.NOBODY_ANSWERS, Away.REFUSED_OUR_KEY, Away.HUNG_UP):
        a.take(DialFailed(key, f"so it is: {away.value}", away))
        mesh.settle(5.0)
        peer, _, member = of(a)
        assert (peer["state"], peer["reason"]) == ("not connected", away.value)
        assert peer["note"] == f"so it is: {away.value}"
        assert member["state"] == "not connected"
        told.append(peer["since"])
    assert len(set(told)) == 1, "it is away since it was, whatever the reason"
    downs = [event for event in a.events if event.kind.value == "peer_down"]
    assert [str(event.fields["why"]).split(": ")[1] for event in downs] == [
        "nobody answers",
        "refused our key",
        "hung up",
    ]


def test_before_the_first_answer_it_is_connecting(mesh: Mesh) -> None:
    a, key = alone_with(mesh)
    assert of(a)[0]["state"] == "connecting"
    a.take(DialFailed(key, "", Away.NOBODY_ANSWERS))
    a.take(LinkOpened(Link(key, Way.DIALED)))
    mesh.settle(1.0)
    peer, _, _ = of(a)
    assert (peer["state"], peer["reason"], peer["note"]) == ("connecting", "", "")


def test_what_ended_a_connection_is_the_reason_until_another_one_is_found(mesh: Mesh) -> None:
    a, b = together(mesh)
    for ends, away in (
        (LinkClosed(Link(b.key, Way.DIALED), "gone"), Away.LOST),
        (MessageArrived(Link(b.key, Way.DIALED), Bye("stopped")), Away.STOPPED),
        (DeviceDropped(b.key, "it broke a rule"), Away.SHUT_OUT),
        (
            MessageArrived(Link(b.key, Way.DIALED), Refusing(9, "OTHER_VERSION", "")),
            Away.OTHER_VERSION,
        ),
        (MessageArrived(Link(b.key, Way.DIALED), Refusing(VERSION, "X", "")), Away.REFUSES),
    ):
        a.take(ends)
        mesh.settle(1.0)
        assert of(a)[0]["reason"] == away.value
        b.take(LinkClosed(Link(a.key, Way.DIALED), "gone"))
        a.take(LinkClosed(Link(b.key, Way.DIALED), "gone"))
        a.take(LinkOpened(Link(b.key, Way.DIALED)))
        b.take(LinkOpened(Link(a.key, Way.DIALED)))
        mesh.settle(1.0)
        assert (of(a)[0]["state"], of(a)[0]["reason"]) == ("in sync", "")


# -- connected, and not in the folder ------------------------------------------------------------


def hello_of(mesh: Mesh, a: Device, rows: list[FolderHello]) -> None:
    b = mesh.devices["B"]
    a.take(MessageArrived(Link(b.key, Way.CAME, b"\0\0\0\0\1"), Hello(VERSION, "B", rows, [])))
    mesh.settle(1.0)


NOISE = FolderHello(b"x" * 16, b"y" * 80)


@pytest.mark.parametrize(
    ("rows", "state", "words"),
    [
        ([], MemberState.NOT_THERE, "no such folder"),
        ([NOISE], MemberState.OTHER_SECRET, "another secret"),
    ],
)
def test_who_shares_nothing_is_told_apart_and_the_folder_is_not_idle(
    mesh: Mesh, rows: list[FolderHello], state: MemberState, words: str
) -> None:
    a, _ = alone_with(mesh)
    hello_of(mesh, a, rows)
    peer, folder, member = of(a)
    assert (peer["state"], member["state"]) == (PeerState.APART.value, state.value)
    assert folder["state"] == "alone" and words in member["why"] and words in folder["why"]


def test_who_has_another_id_is_no_member_until_its_next_life(mesh: Mesh) -> None:
    a, b = together(mesh)
    life = b.store.heads.life
    a.take(FolderNamedOtherwise(b.key, "share", "Share", life))
    mesh.settle(5.0)
    peer, folder, member = of(a)
    assert (peer["state"], member["state"]) == ("apart", "other id")
    assert "'Share'" in member["why"] and folder["state"] == "alone"
    assert b.key not in a.folder.members
    said = Standing("share", life, 0, Life(bytes(12)), 0)
    hello_of(mesh, a, [row(a.keys, b.key, a.key, said, fresh_nonce())])
    assert of(a)[2]["state"] == "other id", "it says hello again, and nothing has changed there"
    b.kill()
    mesh.settle(1.0)
    b.start()
    mesh.settle()
    assert of(a)[2]["state"] == "in sync"


def test_a_folder_that_stops_elsewhere_is_not_waited_for_and_said_to_be_stopped(mesh: Mesh) -> None:
    a, b = together(mesh)
    b.take(FolderStopped("share", Stop(StopCause.SHARE_AWAY, "unplugged")))
    mesh.settle(TELL_STOPS_S + 1.0)
    peer, folder, member = of(a)
    assert (peer["state"], member["state"]) == ("apart", "stopped there")
    assert "share is missing" in member["why"] and "share is missing" in folder["why"]
    assert folder["state"] == "alone" and not a.folder.members
    assert of(b)[2]["state"] == "stopped here"
    mesh.settle(30.0)  # it is looked at again, and is there
    assert b.folder.stopped is None
    assert of(a)[2]["state"] == of(b)[2]["state"] == "in sync"
    words = [event.fields.get("problem") for event in a.events if event.kind.value == "problem"]
    assert words == ["STOPPED_THERE", "SOLVED"]


def test_a_folder_that_is_not_there_any_more_is_not_said_to_go_on(mesh: Mesh) -> None:
    a, key = alone_with(mesh)
    hello_of(mesh, a, [row(a.keys, key, a.key, Halted("share", StopCause.REMOVED), fresh_nonce())])
    assert of(a)[2]["state"] == "stopped there"
    hello_of(mesh, a, [])
    assert of(a)[2]["state"] == "not there"
    words = [event.fields.get("problem") for event in a.events if event.kind.value == "problem"]
    assert words == ["STOPPED_THERE"]


def test_who_says_nothing_of_a_folder_is_not_in_sync(mesh: Mesh) -> None:
    a, key = alone_with(mesh)
    said = Standing("share", Life(b"otherotherot"), 0, Life(bytes(12)), 0)
    hello_of(mesh, a, [row(a.keys, key, a.key, said, fresh_nonce())])
    assert of(a)[2]["state"] == "silent"
    assert of(a)[0]["state"] == "syncing"


# -- strangers -----------------------------------------------------------------------------------


def test_a_stranger_is_shown_with_its_key_and_for_a_while(mesh: Mesh) -> None:
    a, _ = alone_with(mesh)
    who = Stranger("k" * 40, "192.0.2.7")
    a.take(StrangerRefused(None, Refusal.UNKNOWN_DEVICE, "", who))
    a.take(StrangerRefused(None, Refusal.TOO_MANY_CONNECTIONS, ""))
    a.node.peers.by_key[mesh.devices["B"].key].text = "b" * 40
    a.take(StrangerRefused(None, Refusal.UNKNOWN_DEVICE, "shut out", Stranger("b" * 40, "")))
    mesh.settle(60.0)
    (seen,) = a.node.status()["strangers"]
    assert (seen["key"], seen["address"]) == (who.key, who.address)
    assert seen["last"] == pytest.approx(mesh.wall_ns(a) / 1e9 - 60, abs=3)
    mesh.settle(LATELY_S)
    assert a.node.status()["strangers"] == []


def test_keys_without_end_drive_out_nobody_who_comes_again() -> None:
    refused_keys, friend = RefusedKeys(), Stranger("friend", "")
    refused_keys.note_refused(friend, 0.0)
    refused_keys.note_refused(friend, 60.0)
    for number in range(1000):
        refused_keys.note_refused(Stranger(f"{number}", ""), 61.0 + number / 1000)
    kept = [visit.stranger.key for visit in refused_keys.lately(62.0)]
    assert len(kept) == MAX_KEPT and friend.key in kept and "999" in kept
