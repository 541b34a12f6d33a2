"""The door: who is heard at it, what ends a connection, and how many there may be."""

from __future__ import annotations

import socket as tcp
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress

import msgpack
import pytest
import zmq

from leftzmq.errors import GateError, PortTaken, Refusal
from leftzmq.sync.facts import StrangerRefused
from leftzmq.transport.door import door as doors
from leftzmq.transport.door import visits as bounds
from leftzmq.transport.door.door import CROWDED_REST_S, Door
from leftzmq.transport.poller import Poller
from leftzmq.transport.refusal_log import RefusalLog
from leftzmq.wire.codec import Socket
from leftzmq.wire.door import DOOR_VERSION, NotAdmitted, decode_answer, encode
from tests.helpers import curve
from tests.helpers.buses import Side, new_keys, sides, until
from tests.helpers.door_vectors import ADMITTED, KNOCK, NOT_ADMITTED
from tests.helpers.doors import Caller, OpenDoor, burst, is_cut, opened, shut_by_a_flood, silent


@pytest.fixture
def at() -> Iterator[OpenDoor]:
    with opened() as door:
        yield door


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def calls(stack: ExitStack, at: OpenDoor, **options) -> Caller:
    return stack.enter_context(closing(Caller(at, **options)))


def stays(stack: ExitStack, at: OpenDoor, source: str = "127.0.0.1") -> tcp.socket:
    """A silent connection that the door has counted."""
    made = stack.enter_context(silent(at, source))
    number = made.getsockname()
    at.until(lambda: number in [v.ends.there for v in at.door._visits._all.values()])
    return made


def refusals(at: OpenDoor) -> list[Refusal]:
    return [raw.refusal for raw in at.of(StrangerRefused)]


# ---- a knock and its answer ---------------------------------------------------------------------


@pytest.mark.parametrize("answer", [ADMITTED, NOT_ADMITTED])
def test_a_knock_is_heard_with_its_key_and_answered(at, stack, answer):
    caller = calls(stack, at)
    caller.says()
    at.until(lambda: at.knocks)
    (knocked,) = at.knocks
    assert (knocked.device, knocked.address) == (caller.keys.public, "127.0.0.1")
    assert knocked.knock == KNOCK
    assert at.door.answer(knocked.caller, answer)
    at.until(lambda: caller.socket.poll(0))
    assert decode_answer(caller.heard()) == answer
    assert not refusals(at)


def test_each_is_answered_over_its_own_connection(at, stack):
    callers = [calls(stack, at) for _ in range(3)]
    for caller in callers:
        caller.says()
    at.until(lambda: len(at.knocks) == 3)
    for knocked in at.knocks:
        name = str(knocked.device.hex())
        assert at.door.answer(knocked.caller, NotAdmitted(1, "UNKNOWN", name))
    for caller in callers:
        at.until(lambda: caller.socket.poll(0))  # noqa: B023  in this turn of the loop
        assert decode_answer(caller.heard()).detail == caller.keys.public.hex()


def test_a_knock_that_is_read_before_its_connection_was_reported_is_heard(at, stack):
    caller = calls(stack, at)
    caller.says()
    deadline = time.monotonic() + 5
    while not at.door._socket.poll(1):
        assert time.monotonic() < deadline
        at.door._serve_gate()
    assert len(list(at.poller._handlers[at.door._socket]())) == 1


def test_who_is_gone_gets_no_answer(at, stack):
    caller = Caller(at)
    caller.says()
    at.until(lambda: at.knocks)
    caller.close()
    at.until(lambda: not len(at.door._visits))
    at.until(lambda: not at.door.answer(at.knocks[0].caller, NOT_ADMITTED))
    assert not at.door.answer(b"\0nope", NOT_ADMITTED)


@pytest.mark.parametrize("version", [DOOR_VERSION - 1, DOOR_VERSION + 1])
def test_a_knock_of_another_version_is_told_so(at, stack, version):
    caller = calls(stack, at)
    caller.says(msgpack.packb([32, version, "what another version has"]))
    at.until(lambda: caller.socket.poll(0))
    answer = decode_answer(caller.heard())
    assert answer.reason == "OTHER_VERSION" and answer.version == DOOR_VERSION
    assert not at.knocks and not caller.is_cut


def test_with_another_key_of_the_door_nobody_comes_in(at, stack):
    caller = calls(stack, at, server=new_keys().public)
    with suppress(zmq.Again):  # it may be cut before it can say something
        caller.says()
    at.until(lambda: caller.is_cut or caller.saw(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL))
    at.during(0.1)
    assert not at.knocks and not caller.is_in


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::", "localhost"])
def test_any_host_of_this_machine_can_be_bound(host):
    if ":" in host and not _has_ipv6():
        pytest.skip("no IPv6 on this machine")
    with opened(host) as at:
        there = "::1" if ":" in host else "127.0.0.1"
        with tcp.create_connection((there, at.door.port)):
            at.until(lambda: len(at.door._visits) == 1)


@pytest.mark.skipif(not tcp.has_dualstack_ipv6(), reason="no IPv6 on this machine")
def test_behind_both_families_an_ipv4_address_is_shown_as_one(stack):
    if not _has_ipv6():
        pytest.skip("no IPv6 on this machine")
    with opened("::") as at:
        caller = calls(stack, at)
        caller.says()
        at.until(lambda: at.knocks)
        assert at.knocks[0].address == "127.0.0.1"


def _has_ipv6() -> bool:
    try:
        with tcp.create_server(("::1", 0), family=tcp.AF_INET6):
            return True
    except OSError:
        return False


# ---- its own gate -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Socket)
def test_a_stranger_with_the_doors_key_is_refused_at_the_agents_sockets(tmp_path, at, kind):
    """Whether he pins the agent's key or the door's, and whether or not he was let in here."""
    with sides(tmp_path, 1) as (agent,), ExitStack() as stack:
        caller = calls(stack, at)
        caller.says()
        at.until(lambda: at.knocks)
        for keys, server in (
            (caller.keys, agent.device),
            (caller.keys, at.keys.public),
            (at.keys, agent.device),
        ):
            assert not _lets_in(agent, at, kind, keys, server)


def _lets_in(agent: Side, at: OpenDoor, kind: Socket, keys, server: bytes) -> bool:
    context = zmq.Context()
    try:
        socket = context.socket(zmq.SUB if kind is Socket.NEWS else zmq.DEALER)
        socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
        socket.curve_serverkey = server
        monitor = socket.get_monitor_socket()
        socket.connect(str(agent.endpoint(kind)))
        ends = (
            zmq.EVENT_HANDSHAKE_SUCCEEDED,
            zmq.EVENT_HANDSHAKE_FAILED_AUTH,
            zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
            zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
        )
        seen: list[int] = []

        def ended() -> bool:
            at.turn(0)
            while monitor.poll(0):
                seen.append(int.from_bytes(monitor.recv_multipart()[0][:2], "little"))
            return any(event in ends for event in seen)

        until(ended, agent)
        return zmq.EVENT_HANDSHAKE_SUCCEEDED in seen
    finally:
        context.destroy(0)


@pytest.mark.parametrize(
    ("domain", "status"),
    [(b"leftzmq.door", b"200"), (b"leftzmq", b"400"), (b"", b"400"), (b"leftzmq.doo", b"400")],
)
def test_the_doors_gate_judges_its_own_domain_alone(at, domain, status):
    key = new_keys().public
    answer = at.door._gate._answer(
        [b"r", b"", b"1.0", b"7", domain, b"1.2.3.4", b"", b"CURVE", key]
    )
    assert answer[4] == status
    assert bool(answer[6]) == (status == b"200")


def test_a_gate_that_is_made_anew_serves_on(at, stack):
    at.door._gate.socket.close(0)
    at.turn()
    caller = calls(stack, at)
    caller.says()
    at.until(lambda: at.knocks)
    assert at.knocks[0].device == caller.keys.public


def test_a_gate_that_cannot_be_made_anew_closes_the_door(at, monkeypatch):
    def broken() -> None:
        raise GateError("the gate cannot be opened again")

    monkeypatch.setattr(at.door._gate, "serve", broken)
    at.door._serve_gate()
    assert at.door.is_closed and at.door.tick(at.now()) is None
    at.turn()
    assert not at.door.answer(b"x", NOT_ADMITTED)


# ---- what ends a connection ---------------------------------------------------------------------

WRONG = {
    "nothing": b"",
    "noise": b"\xff" * 40,
    "an answer": encode(ADMITTED),
    "cut off": encode(KNOCK)[:-1],
    "a byte after it": encode(KNOCK) + b"\0",
    "too long": encode(KNOCK) + bytes(512),
    "a message of another socket": msgpack.packb([16, 3]),
    "an endless array": b"\xdd\xff\xff\xff\xff",
}


@pytest.mark.parametrize("frame", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_knock_ends_its_connection_alone(at, stack, frame):
    friend, caller = calls(stack, at), calls(stack, at)
    at.until(lambda: friend.is_in)
    caller.says(frame)
    at.until(lambda: caller.is_cut)
    at.until(lambda: refusals(at))
    assert len(refusals(at)) == 1 and "from 127.0.0.1" in at.of(StrangerRefused)[0].detail
    friend.says()
    at.until(lambda: at.knocks)
    assert [k.device for k in at.knocks] == [friend.keys.public]


@pytest.mark.parametrize("frames", [2, 3, 40])
def test_a_second_frame_ends_the_connection(at, stack, frames):
    caller = calls(stack, at)
    caller.socket.send_multipart([encode(KNOCK)] * frames)
    at.until(lambda: caller.is_cut and refusals(at))
    assert not at.knocks and refusals(at) == [Refusal.TOO_MANY_FRAMES]


def test_a_second_knock_ends_the_connection(at, stack):
    caller = calls(stack, at)
    caller.says()
    caller.says()
    at.until(lambda: caller.is_cut)
    assert len(at.knocks) == 1


def test_a_routing_id_that_was_chosen_ends_the_connection(at, stack):
    caller = calls(stack, at, routing_id=b"alice")
    caller.says()
    at.until(lambda: caller.is_cut and refusals(at))
    assert not at.knocks and refusals(at) == [Refusal.BAD_ROUTE]


def test_a_frame_over_the_limit_of_the_socket_never_gets_here(at, stack):
    caller = calls(stack, at)
    caller.says(bytes(4096 + 65))
    at.until(lambda: caller.is_cut)
    at.during(0.05)
    assert not at.knocks and not refusals(at), "libzmq itself ended it"


def by_hand(at: OpenDoor, stack: ExitStack) -> curve.Connection:
    """A raw client; its handshake needs somebody who serves the gate meanwhile."""
    keys = new_keys()
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(
            lambda: curve.Connection(
                "127.0.0.1", at.door.port, curve.Hand(at.keys.public), keys.public, keys.secret, 5
            )
        )
        at.until(made.done)
        return stack.enter_context(closing(made.result()))


def gone(connection: curve.Connection) -> bool:
    connection._tcp.setblocking(False)
    return is_cut(connection._tcp)


def test_a_message_that_does_not_end_is_cut_at_16_kib(at, stack):
    hostile, friend = by_hand(at, stack), calls(stack, at)
    for _ in range(12):  # 12 KiB and their frames
        hostile.send(bytes(1024), more=True)
    at.during(0.25)
    assert not gone(hostile)
    hostile._tcp.setblocking(True)
    for _ in range(6):
        hostile.send(bytes(1024), more=True)
    began = time.monotonic()
    at.until(lambda: gone(hostile))
    assert time.monotonic() - began < 2.0
    at.until(lambda: refusals(at))
    assert refusals(at) == [Refusal.ENDLESS] and not at.knocks
    friend.says()
    at.until(lambda: at.knocks)


def test_without_the_bound_it_grows(at, stack, monkeypatch):
    """The test above is red where the bound is away."""
    monkeypatch.setattr(bounds, "VISIT_BYTES", 1 << 30)
    hostile = by_hand(at, stack)
    for _ in range(18):
        hostile.send(bytes(1024), more=True)
    at.during(0.3)
    assert not gone(hostile)


# ---- how many, and how long ---------------------------------------------------------------------


def test_a_fifth_of_one_source_ends_the_oldest_of_that_source(at, stack):
    other = stays(stack, at, "127.0.0.9")
    first, *others = [stays(stack, at) for _ in range(4)]
    at.during(0.05)
    assert not is_cut(first)
    fifth = stays(stack, at)
    at.until(lambda: is_cut(first))
    assert not any(map(is_cut, (other, *others, fifth))), "that one alone"
    at.until(lambda: refusals(at))
    assert refusals(at) == [Refusal.TOO_MANY_CONNECTIONS]


def test_a_ninth_ends_the_oldest_of_all(at, stack):
    made = [stays(stack, at, f"127.0.0.{2 + n // 3}") for n in range(8)]
    at.during(0.05)
    assert not any(map(is_cut, made))
    ninth = stays(stack, at, "127.0.0.99")
    at.until(lambda: is_cut(made[0]))
    assert not any(map(is_cut, (*made[1:], ninth)))


def test_who_has_knocked_is_not_cut_for_others(at, stack):
    caller = calls(stack, at)
    caller.says()
    at.until(lambda: at.knocks)
    silent_ones = [stays(stack, at) for _ in range(6)]
    at.until(lambda: sum(map(is_cut, silent_ones)) == 3)
    assert not caller.is_cut
    assert at.door.answer(at.knocks[0].caller, ADMITTED)
    at.until(lambda: caller.socket.poll(0))


def test_where_all_have_knocked_the_newest_goes(at, stack):
    callers = [calls(stack, at) for _ in range(4)]
    for caller in callers:
        caller.says()
    at.until(lambda: len(at.knocks) == 4)
    with silent(at) as late:
        at.until(lambda: is_cut(late))
    assert not any(caller.is_cut for caller in callers)


@pytest.mark.parametrize("before_s", [4.5])
def test_who_does_not_knock_is_cut_after_5_s(at, stack, before_s):
    caller = calls(stack, at)
    at.until(lambda: caller.is_in)
    at.ahead_s += before_s
    at.during(0.15)
    assert not caller.is_cut
    at.ahead_s += 5.1 - before_s
    at.until(lambda: caller.is_cut)


def test_who_has_knocked_is_cut_after_30_s(at, stack):
    caller = calls(stack, at)
    caller.says()
    at.until(lambda: at.knocks)
    at.ahead_s += 29.5
    at.during(0.15)
    assert not caller.is_cut
    at.ahead_s += 0.6
    at.until(lambda: caller.is_cut)
    at.until(lambda: not at.door.answer(at.knocks[0].caller, ADMITTED))


def test_nobody_is_woken_while_nobody_is_connected(at):
    at.turn()
    assert at.due is None
    with silent(at):
        at.until(lambda: len(at.door._visits))
        at.turn(0)
        assert at.due is not None and at.due - at.now() <= 0.1
    at.until(lambda: at.due is None)


@pytest.mark.parametrize(("last_s", "flooded"), [(0.99, True), (1.01, False)])
def test_a_flood_is_more_than_50_accepts_within_a_second(last_s, flooded):
    visits = bounds.Visits(RefusalLog())
    for _ in range(50):
        visits.accepted(1 << 20, 1, 10.0)  # gone already; counted nevertheless
    assert not visits.is_flooded
    visits.accepted(1 << 20, 1, 10.0 + last_s)
    assert visits.is_flooded == flooded
    visits.forget_all()
    assert not visits.is_flooded


@pytest.mark.slow
def test_over_50_accepts_a_second_shut_the_door_for_a_second(at, stack):
    burst(at, 50)
    at.during(0.2)
    assert not at.door.is_shut
    at.ahead_s += 1.1  # they are forgotten
    shut_by_a_flood(at)
    shut, port = time.monotonic(), at.door.port
    assert at.due is not None and at.due - at.now() <= CROWDED_REST_S
    at.until(lambda: not at.door.is_shut)
    assert CROWDED_REST_S <= time.monotonic() - shut + 0.1 < CROWDED_REST_S + 2.0
    assert at.door.port == port
    caller = calls(stack, at)
    caller.says()
    at.until(lambda: at.knocks)
    said = [raw.detail for raw in at.of(StrangerRefused)]
    assert [detail for detail in said if "over 50 within a second" in detail]


@pytest.mark.parametrize(("limit", "shut"), [(8, True), (4096, False)])
def test_where_descriptors_run_out_the_door_shuts(monkeypatch, limit, shut):
    monkeypatch.setattr(doors, "descriptors", lambda: limit)
    with opened() as at, silent(at):
        at.until(lambda: at.door.is_shut or len(at.door._visits))
        assert at.door.is_shut == shut
        said = [raw.detail for raw in at.of(StrangerRefused)]
        assert bool(said) == shut and all("descriptors are in use" in text for text in said)


def test_a_port_that_another_program_took_meanwhile_is_waited_for(at):
    at.door._shut("in this test", at.now())
    other = None
    deadline = time.monotonic() + 5
    while other is None:
        try:
            other = tcp.create_server(("127.0.0.1", at.door.port))
        except OSError:
            assert time.monotonic() < deadline
    at.ahead_s += 1.1
    at.turn()
    assert at.door.is_shut and at.due - at.now() < 0.1
    at.ahead_s += 2.1
    at.turn()
    assert at.door.is_shut and at.due - at.now() > 0.5
    other.close()
    at.ahead_s += 1.1
    at.until(lambda: not at.door.is_shut)


# ---- opening and closing ------------------------------------------------------------------------


def test_a_port_that_is_taken_is_said_with_what_to_do():
    with tcp.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            OpenDoor(port=port)
    assert str(port) in str(caught.value) and "another program" in str(caught.value)
    assert "new invitation" in caught.value.do


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_that_is_not_ours_is_said(host):
    with pytest.raises(PortTaken, match="no address of this machine") as caught:
        OpenDoor(host)
    assert "listen" in caught.value.do


def test_nothing_is_left_in_the_poller_of_a_door_that_did_not_open():
    poller = Poller()
    with tcp.create_server(("127.0.0.1", 0)) as other, pytest.raises(PortTaken):
        Door(new_keys(), "127.0.0.1", other.getsockname()[1], poller, time.monotonic)
    assert not poller._handlers


def test_closing_ends_all_connections_and_frees_the_port(at, stack):
    caller, waiting, mute = calls(stack, at), calls(stack, at), stays(stack, at)
    caller.says()
    at.until(lambda: at.knocks and waiting.is_in)
    at.door.close()
    at.door.close()  # twice is once
    assert not at.poller._handlers
    assert not at.door.answer(at.knocks[0].caller, ADMITTED)
    at.until(lambda: caller.is_cut and waiting.is_cut and is_cut(mute))
    with tcp.create_server(("127.0.0.1", at.door.port)):
        pass
    with opened(port=at.door.port) as again:
        assert again.door.port == at.door.port
