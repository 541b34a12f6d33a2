"""Rates: what honest devices send never trips them, a flood of any kind is named at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.content.keys import derive_keys
from leftzmq.errors import Refusal
from leftzmq.sync.actions import Send
from leftzmq.sync.exchange.rate_limits import NEWS, PAGES, RATE_OF, RateLimits
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.roster import MAX_STATEMENTS
from leftzmq.wire.codec import encode, kind_of
from leftzmq.wire.messages import (
    MAX_FOLDERS,
    VERSION,
    Ask,
    Bye,
    Chunks,
    Done,
    EpochKey,
    EpochWanted,
    Get,
    Giving,
    Have,
    Hello,
    IndexPage,
    IndexSince,
    Message,
    News,
    Open,
    Part,
    Reading,
    Refusing,
    Report,
    RosterPart,
    Want,
    Welcome,
)
from leftzmq.wire.roster_part import RosterSaid, parts, seal
from leftzmq.wire.statements import MAX_KEEP, Removal, with_signature
from tests.helpers.mesh import Mesh
from tests.sim.besieged import besieged, go_on

M, OTHER = DeviceKey(b"m" * 32), DeviceKey(b"o" * 32)
TAG, ID = bytes(16), bytes(32)
EACH: list[Message] = [
    Hello(VERSION, "M", [], []),
    Welcome(VERSION, "M", [], 1, 2, 1 << 20, False, []),
    Refusing(VERSION, "OTHER_VERSION", ""),
    Bye("it was stopped"),
    Open(VERSION),
    IndexSince(TAG, bytes(12), 0),
    IndexPage(TAG, bytes(40)),
    News(TAG, bytes(40)),
    Have(TAG, ID, b"\1"),
    RosterPart(TAG, bytes(40)),
    EpochKey(TAG, TAG, bytes(72)),
    EpochWanted(TAG, TAG),
    Reading(TAG, 0),
    Giving(True, 1),
    Report("9", 0, "connected", "", []),
    Done(TAG, bytes(12), 0, bytes(12), 0),
    Get(1, TAG, [ID], []),
    Chunks(1, TAG, [Part(ID, 5)], []),
]


def of_kind(kind: type) -> Message:
    return next(message for message in EACH if type(message) is kind)


def test_every_kind_of_message_has_a_rate() -> None:
    assert {type(message) for message in EACH} == set(RATE_OF)
    for message in EACH:
        assert kind_of(encode(message)) is type(message)


@pytest.mark.parametrize("message", EACH, ids=lambda m: type(m).__name__)
def test_a_burst_then_the_rate_and_no_more(message: Message) -> None:
    rate, rate_limits = RATE_OF[type(message)], RateLimits([M, OTHER])
    frame = encode(message)
    for _ in range(int(rate.burst)):
        assert rate_limits.admit(M, frame, 100.0) is None
    refused = rate_limits.admit(M, frame, 100.0)
    assert refused is not None and refused.device == M and refused.refusal is Refusal.TOO_FAST
    assert rate.name in refused.detail
    assert rate_limits.admit(OTHER, frame, 100.0) is None, "each device has its own"
    for n in range(1, 50):
        assert rate_limits.admit(M, frame, 100.0 + n * 1.01 / rate.a_second) is None
    assert rate_limits.admit(M, frame, 100.0 + 49 * 1.01 / rate.a_second) is not None


def test_a_long_message_counts_for_each_step_that_it_begins() -> None:
    rate_limits = RateLimits([M])
    frame = encode(News(TAG, bytes(15 * NEWS.step_bytes)))
    count = 0
    while rate_limits.admit(M, frame, 1.0) is None:
        count += 1
    assert count == int(NEWS.burst) // 16


def test_the_longest_roster_passes_at_once_after_a_greeting_about_each_folder() -> None:
    keys, rate_limits = derive_keys(bytes(32)), RateLimits([M])
    ids = [bytes([n]) * 16 for n in range(MAX_KEEP)]
    longest = with_signature(keys.tag, Removal(TAG, ID, ids, 2**53), bytes(64))
    digests = [RosterSaid(TAG)] * (4 * MAX_FOLDERS)
    for said in [*digests, *parts(TAG, [longest] * MAX_STATEMENTS)]:
        frame = encode(RosterPart(keys.tag, seal(said, keys, M, bytes(24))))
        assert rate_limits.admit(M, frame, 1.0) is None


def test_answers_that_we_asked_for_are_let_through() -> None:
    rate_limits, frame = RateLimits([M]), encode(IndexPage(TAG, bytes(60_000)))
    for n in range(300):
        rate_limits.asked(M, IndexSince(TAG, bytes(12), n), 1.0)
        assert all(rate_limits.admit(M, frame, 1.0) is None for _ in range(16))
    asks = [Ask(ID, 0, 5)] * 1000
    for _ in range(100):
        rate_limits.asked(M, Get(1, TAG, [], [Want(ID, asks)]), 1.0)
        assert all(rate_limits.admit(M, encode(of_kind(Chunks)), 1.0) is None for _ in range(1000))
    left = int(PAGES.burst) // 15
    assert sum(rate_limits.admit(M, frame, 1.0) is None for _ in range(1000)) <= left


def test_what_is_no_message_and_who_is_no_peer_is_refused_elsewhere() -> None:
    rate_limits = RateLimits([M])
    for _ in range(5000):
        assert rate_limits.admit(M, b"\xc1", 1.0) is None
        assert rate_limits.admit(OTHER, encode(Open(VERSION)), 1.0) is None


@pytest.mark.slow
def test_thousands_of_files_at_once_trip_nothing(tmp_path: Path) -> None:
    """No time passes in the mesh while they are sent: only bursts and what was asked for count.
    What is refused would be a Drop, at which the mesh raises."""
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    for device in (a, b):
        device.start()
    mesh.settle()
    for number in range(2_500):
        (a.share / f"{number}").touch()
    mesh.now += 5
    a.scan()
    mesh.settle()
    assert len(b.tree()) == 2_500
    asked = sum(isinstance(message, IndexSince) for message in b.sent)
    assert asked >= 2, "more pages than answer one question"


def test_a_flood_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    with besieged(tmp_path) as world:
        world.arrive()
        go_on(world)
        a, b = world.devices.values()
        for _ in range(1000):
            world.hostile.control(a, [3, VERSION, "OTHER_VERSION", "so it is"])
        go_on(world)
        assert world.refused == [("A", Refusal.TOO_FAST)]
        assert b.hands.write("f", b"an edit")
        b.touched()
        go_on(world)
        inode = a.hands.at("f")
        assert inode is not None and bytes(inode.data) == b"an edit"


def test_the_sim_and_the_mesh_would_drop_who_is_too_fast(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    a.start()
    b.start()
    mesh.settle()
    link = b.node.peers.control_link(a.key)
    assert link is not None
    with pytest.raises(AssertionError, match="TOO_FAST"):
        for _ in range(200):
            b.do(Send(link, Bye("again")))
            mesh.settle(0.0)
