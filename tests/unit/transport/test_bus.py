"""Two buses talk: links open and close, messages arrive with their sender, sends never wait."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq

from leftzmq.endpoint import Endpoint
from leftzmq.errors import PortTaken, Refusal
from leftzmq.statedir import Ports
from leftzmq.sync.facts import (
    BulkRestored,
    ChunksArrived,
    DialFailed,
    LinkClosed,
    LinkOpened,
    MessageArrived,
    StrangerRefused,
    Subscribed,
)
from leftzmq.sync.link import Link, Way
from leftzmq.transport.connections import tcp_connection
from leftzmq.transport.decode import AdminAsk, RosterSealed, SealedArrived, read
from leftzmq.transport.frames import RawFrame
from leftzmq.transport.server_sockets import Listening
from leftzmq.transport.socket_errors import SocketTrouble
from leftzmq.transport.socket_options import BULK_HWM
from leftzmq.wire.local import Event, EventKind, decode_event, encode_ask, encode_event
from leftzmq.wire.messages import VERSION, Bye, Chunks, Get, IndexPage, News, Open, Part, RosterPart
from tests.helpers.buses import Side, during, sides, until

TAG = bytes(16)
SEALED = bytes(40)


def facts(side: Side, kind: type) -> list:
    return [fact for fact in map(read, side.raws) if isinstance(fact, kind)]


def messages(side: Side) -> list:
    return [fact.message for fact in facts(side, MessageArrived)]


def connect(dialer: Side, other: Side) -> Link:
    dialer.dials(other)
    until(lambda: dialer.of(LinkOpened), dialer, other)
    return Link(other.device, Way.DIALED)


def connect_bulk(dialer: Side, other: Side) -> Link:
    """The link by which `other` may send bulk to `dialer`."""
    connect(dialer, other)
    dialer.subscribes(other)
    until(lambda: Open(VERSION) in messages(other), dialer, other)
    until(lambda: other.of(Subscribed), dialer, other)
    return next(f.link for f in facts(other, MessageArrived) if isinstance(f.message, Open))


def test_a_message_names_its_sender_and_is_answered_where_it_came_from(tmp_path):
    with sides(tmp_path, 2) as (a, b):
        assert a.bus.send(connect(a, b), Bye("hello")) is True
        until(lambda: messages(b), a, b)
        (fact,) = facts(b, MessageArrived)
        assert fact.message == Bye("hello")
        assert fact.link.device == a.device and fact.link.way is Way.CAME
        assert b.bus.send(fact.link, Bye("hello yourself"))
        until(lambda: messages(a), a, b)
        assert facts(a, MessageArrived) == [
            MessageArrived(Link(b.device, Way.DIALED), Bye("hello yourself"))
        ]


def test_sealed_pages_stay_sealed_until_somebody_has_the_key(tmp_path):
    with sides(tmp_path, 2) as (a, b):
        link = connect(a, b)
        a.bus.send(link, IndexPage(TAG, SEALED))
        a.bus.send(link, News(TAG, SEALED))
        until(lambda: len(facts(b, SealedArrived)) == 2, a, b)
        assert [fact.answer for fact in facts(b, SealedArrived)] == [True, False]


def test_a_part_of_a_roster_stays_sealed_both_ways(tmp_path):
    with sides(tmp_path, 2) as (a, b):
        a.bus.send(connect(a, b), RosterPart(TAG, SEALED))
        until(lambda: facts(b, RosterSealed), a, b)
        (asked,) = facts(b, RosterSealed)
        assert asked.link.device == a.device and asked.link.way is Way.CAME
        b.bus.send(asked.link, RosterPart(TAG, SEALED))
        until(lambda: facts(a, RosterSealed), a, b)
        assert facts(a, RosterSealed) == [RosterSealed(Link(b.device, Way.DIALED), TAG, SEALED)]


def test_news_reaches_the_subscriber_and_is_known_to_be_from_its_maker(tmp_path):
    with sides(tmp_path, 2) as (a, b):
        connect_bulk(a, b)
        b.bus.publish(News(TAG, SEALED))
        until(lambda: facts(a, SealedArrived), a, b)
        expected = SealedArrived(Link(b.device, Way.DIALED), TAG, SEALED, answer=False)
        assert facts(a, SealedArrived) == [expected]


@pytest.mark.parametrize("length", [1000, 1 << 20])
def test_chunks_and_their_body_arrive_both_ways(tmp_path, length):
    header = Chunks(7, TAG, [Part(bytes(32), length)], [])
    body = bytes(length + 16)
    with sides(tmp_path, 2) as (a, b):
        back = connect_bulk(a, b)
        assert a.bus.send(Link(b.device, Way.DIALED), header, body)
        assert b.bus.send(back, header, bytearray(body))
        until(lambda: facts(a, ChunksArrived) and facts(b, ChunksArrived), a, b)
        for side in (a, b):
            (fact,) = facts(side, ChunksArrived)
            assert fact.header == header and bytes(fact.body) == body


def test_the_first_get_may_be_sent_while_bulk_still_connects(tmp_path):
    get = Get(1, TAG, [bytes(32)], [])
    with sides(tmp_path, 2) as (a, b):
        link = connect(a, b)
        a.subscribes(b)
        assert a.bus.send(link, Open(VERSION)) and a.bus.send(link, get)
        until(lambda: get in messages(b), a, b)
        assert messages(b) == [Open(VERSION), get]


def test_what_waits_for_a_bulk_connection_is_bounded(tmp_path):
    get = Get(1, TAG, [bytes(32)], [])
    with sides(tmp_path, 2) as (a, b):
        link = connect(a, b)
        a.bus.subscribe(b.device, 1, 1)
        sent = [a.bus.send(link, get) for _ in range(BULK_HWM + 5)]
        assert sent == [True] * BULK_HWM + [False] * 5


def test_a_send_to_nobody_is_false(tmp_path):
    with sides(tmp_path, 2) as (a, b):
        gone = Link(b.device, Way.CAME, b"\0\1\2\3\4")
        assert not a.bus.send(gone, Bye("are you there"))
        assert not a.bus.send(gone, Chunks(1, TAG, [], []), b"")
        assert not a.bus.send(Link(b.device, Way.DIALED), Bye("are you there"))


def test_a_send_to_one_who_does_not_read_becomes_false_and_never_waits(tmp_path):
    header = Chunks(1, TAG, [Part(bytes(32), 1 << 20)], [])
    body = bytes((1 << 20) + 16)
    with sides(tmp_path, 2) as (a, b):
        connect_bulk(a, b)
        link = Link(b.device, Way.DIALED)
        sent = 0
        while a.bus.send(link, header, body):
            sent += 1
            assert sent < 6 * BULK_HWM  # two queues, and what the kernel's buffers hold
        until(lambda: facts(b, ChunksArrived), b)
        until(lambda: a.bus.send(link, header, body), a, b)


def test_dialing_before_the_other_one_is_up(tmp_path):
    with sides(tmp_path, 1) as (a,):
        late = Side(tmp_path / "late")
        listening = Listening(Endpoint.parse(late.bus.control_endpoint, "test"))
        late.close()
        a.bus.dial(late.device, Endpoint("127.0.0.1", listening.control.port))
        until(lambda: a.of(DialFailed), a)
        where = f"tcp://127.0.0.1:{listening.control.port}"
        assert a.of(DialFailed)[0].why == f"nobody answers at {where}"
        keys = late.keys
        late = Side(tmp_path / "late", listening, keys)
        late.listed.add(a.device)
        try:
            until(lambda: a.of(LinkOpened), a, late)
        finally:
            late.close()
        until(lambda: a.of(LinkClosed), a)
        assert a.of(LinkClosed) == [
            LinkClosed(Link(late.device, Way.DIALED), f"the connection to {where} is gone")
        ]


def test_dialing_anew_opens_another_link_but_not_to_a_device_that_was_dropped(tmp_path):
    with sides(tmp_path, 2) as (a, b):
        a.dials(b)
        until(lambda: len(a.of(LinkOpened)) == 1, a, b)
        a.bus.redial(b.device)
        until(lambda: len(a.of(LinkOpened)) == 2, a, b)
        a.bus.drop(b.device)
        a.bus.redial(b.device)
        assert not a.bus.send(Link(b.device, Way.DIALED), Bye("x"))
        during(0.3, a, b)
        assert len(a.of(LinkOpened)) == 2


def test_another_key_than_the_pinned_one_is_no_link(tmp_path):
    with sides(tmp_path, 3) as (a, b, c):
        endpoint = Endpoint.parse(b.bus.control_endpoint, "test")
        a.bus.dial(c.device, endpoint)
        until(lambda: a.of(DialFailed), a, b)
        (failed,) = a.of(DialFailed)
        assert failed.device == c.device
        assert "it has another key than our [[peer]] says" in failed.why
        assert not a.of(LinkOpened)


def test_refused_then_listed_gets_in_without_a_restart(tmp_path):
    with sides(tmp_path, 2) as (a, b):
        b.listed.clear()
        a.dials(b)
        until(lambda: a.of(DialFailed), a, b)
        assert "refused our key: is this device among the peers there?" in a.of(DialFailed)[0].why
        assert [raw.refusal for raw in b.of(StrangerRefused)] == [Refusal.UNKNOWN_DEVICE]
        b.listed.add(a.device)
        until(lambda: a.of(LinkOpened), a, b)


def test_something_that_is_no_agent_is_named_so(tmp_path):
    context = zmq.Context()
    null = context.socket(zmq.ROUTER)
    try:
        port = null.bind_to_random_port("tcp://127.0.0.1")
        with sides(tmp_path, 2) as (a, b):
            a.bus.dial(b.device, Endpoint("127.0.0.1", port))
            until(lambda: a.of(DialFailed), a)
            why = a.of(DialFailed)[0].why
            assert f"tcp://127.0.0.1:{port}" in why and "is no leftzmq agent" in why
    finally:
        context.destroy(0)


def test_undial_closes_all_three(tmp_path):
    with sides(tmp_path, 2) as (a, b):
        connect_bulk(a, b)
        a.bus.undial(b.device)
        assert not a.bus.send(Link(b.device, Way.DIALED), Bye("still there?"))
        b.bus.publish(News(TAG, SEALED))
        during(0.2, a, b)
        assert not facts(a, SealedArrived)


def test_rebind_cuts_everybody_and_everybody_comes_back(tmp_path):
    with sides(tmp_path, 2) as (a, b):
        back = connect_bulk(a, b)
        assert not a.of(BulkRestored)
        held = list(b.raws)  # frames that somebody still holds must not keep a socket open
        before = b.bus.control_endpoint, b.bus.bulk_endpoint, b.bus.news_endpoint
        b.bus.rebind()
        assert not b.bus.send(back, Chunks(1, TAG, [], []), b"")
        until(lambda: a.of(LinkClosed) and len(a.of(LinkOpened)) == 2, a, b)
        assert (b.bus.control_endpoint, b.bus.bulk_endpoint, b.bus.news_endpoint) == before
        until(lambda: messages(b).count(Open(VERSION)) == 2 and len(b.of(Subscribed)) == 2, a, b)
        assert held
        until(lambda: a.of(BulkRestored), a, b)
        assert a.of(BulkRestored) == [BulkRestored(b.device)]


def test_a_dropped_device_stays_out_although_it_is_listed_and_nobody_else_notices(tmp_path):
    with sides(tmp_path, 3) as (a, b, c):
        connect(a, b)
        connect(c, b)
        a.bus.send(Link(b.device, Way.DIALED), Bye("first"))
        until(lambda: messages(b), a, b, c)
        b.bus.drop(a.device)
        until(lambda: a.of(LinkClosed) and a.of(DialFailed), a, b, c)
        assert len(a.of(LinkOpened)) == 1
        assert c.bus.send(Link(b.device, Way.DIALED), Bye("still here"))
        until(lambda: Bye("still here") in messages(b), a, b, c)
        assert len(c.of(LinkOpened)) == 1 and not c.of(LinkClosed)


def test_a_taken_port_is_named_with_what_to_do(tmp_path):
    with sides(tmp_path, 1) as (a,):
        taken = Listening(Endpoint.parse(a.bus.control_endpoint, "test"))
        with pytest.raises(PortTaken) as caught:
            Side(tmp_path / "b", taken)
        assert str(caught.value) == (
            f"{a.bus.control_endpoint}: is taken by another program "
            "(stop it, or give listen in [device] another port)"
        )


def test_an_address_that_is_not_there_yet_is_waited_for_and_said(tmp_path):
    with sides(tmp_path, 1) as (friend,):
        side = Side(tmp_path / "a", Listening(Endpoint("192.0.2.1", 0)))
        try:
            side.listed.add(friend.device)
            friend.listed.add(side.device)
            until(lambda: side.of(SocketTrouble), side)
            text = side.of(SocketTrouble)[0].text
            assert text.startswith("192.0.2.1: is no address of this machine (give listen in [dev")
            assert "tried again every 2 s" in text
            connect(side, friend)  # what can be served is
        finally:
            side.close()


def test_remembered_ports_are_taken_again_or_given_up(tmp_path):
    with sides(tmp_path, 1) as (a,):
        ports = a.bus.ports
        other = Side(tmp_path / "b", Listening(Endpoint("127.0.0.1", 0), remembered=ports))
        assert not {other.bus.ports.bulk, other.bus.ports.news} & {ports.bulk, ports.news}
        remembered = other.bus.ports
        other.close()
    again = Side(tmp_path / "b", Listening(Endpoint("127.0.0.1", 0), remembered=remembered))
    assert again.bus.ports == remembered
    again.close()
    assert Ports() != remembered


def test_a_host_name_is_bound_and_ipv6_too(tmp_path):
    for host in ("localhost", "::1"):
        side = Side(tmp_path / "a", Listening(Endpoint(host, 0)))
        assert side.bus.control_endpoint.startswith(("tcp://127.0.0.1:", "tcp://[::1]:"))
        side.close()


def test_monitors_and_the_command_line_have_doors_of_their_own(tmp_path):
    with sides(tmp_path, 1) as (a,), zmq.Context() as context:
        for name in ("events", "admin"):
            assert (tmp_path / "0" / name).stat().st_mode & 0o777 == 0o600
        monitor, client = context.socket(zmq.SUB), context.socket(zmq.DEALER)
        monitor.linger = client.linger = 0
        monitor.subscribe(b"")
        monitor.connect(f"ipc://{tmp_path}/0/events")
        client.connect(f"ipc://{tmp_path}/0/admin")
        client.send(b"rubbish")
        client.send(encode_ask("status", {}))
        until(lambda: facts(a, AdminAsk) and facts(a, StrangerRefused), a)
        (ask,) = facts(a, AdminAsk)
        assert ask.verb == "status" and a.bus.answer(ask.asker, b"fine")
        until(lambda: client.poll(0), a)
        assert client.recv() == b"fine"
        event = Event(EventKind.READY, 1, 2.0, {"a": 3}, 1.0)
        until(lambda: a.bus.tell(encode_event(event)) or monitor.poll(0), a)
        assert decode_event(monitor.recv_multipart()) == event
        monitor.close()
        client.close()
        until(lambda: not a.bus.answer(ask.asker, b"gone"), a)


def test_the_wake_up_ends_a_long_poll(tmp_path):
    with sides(tmp_path, 1) as (a,):
        a.turn()
        a.wake.signal()
        a.wake.signal()
        a.turn(timeout_ms=60_000)
        a.wake.clear()


def test_one_turn_takes_a_bounded_number_of_messages_of_each_socket(tmp_path):
    with sides(tmp_path, 3) as (a, b, c):
        for dialer in (a, c):
            connect(dialer, b)
        link = Link(b.device, Way.DIALED)
        for n in range(100):
            assert a.bus.send(link, Bye(str(n)))
        assert c.bus.send(link, Bye("me too"))
        b.raws.clear()
        until(lambda: len(b.of(RawFrame)) > 0, b)
        assert len(b.of(RawFrame)) <= 64
        until(lambda: len(b.of(RawFrame)) == 101, b)


def test_the_packets_that_a_device_gets_whole_are_known_on_both_sides(tmp_path):
    with sides(tmp_path, 2) as (a, b):
        a.bus.send(connect(a, b), Bye("hello"))
        until(lambda: messages(b), a, b)
        for side, other in ((a, b), (b, a)):
            (size,) = side.bus.path_mtus().values()
            assert [*side.bus.path_mtus()] == [other.device]
            mtu = int(Path("/sys/class/net/lo/mtu").read_text())
            assert size == min(mtu, 65_535)  # the longest packet of IPv4
        a.bus.undial(b.device)
        assert a.bus.path_mtus() == {}


def test_where_the_system_does_not_say_nothing_is_said_of_packets(tmp_path, monkeypatch):
    monkeypatch.setattr(tcp_connection, "_PATH_MTU", {})
    with sides(tmp_path, 2) as (a, b):
        connect(a, b)
        assert a.bus.path_mtus() == {}
