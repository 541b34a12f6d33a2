"""The table of a peer's states is total, and reads as it should; links that come and go."""

from __future__ import annotations

from itertools import product

import pytest

from leftzmq.content.seal import fresh_nonce
from leftzmq.errors import Refusal
from leftzmq.sync.actions import Drop, Send, Subscribe
from leftzmq.sync.facts import (
    ConnectionsGone,
    LinkClosed,
    LinkOpened,
    MessageArrived,
    PeerConnected,
    PeerLost,
)
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.sync.peers.greeting import ASK_TO_GREET_S, PORTS_STAY_S, OurSide, Peers
from leftzmq.sync.peers.membership import Membership
from leftzmq.sync.peers.peer_state import MOVES, Peer, PeerMove, PeerPhase
from leftzmq.sync.upload.listener import MAX_CREDIT_BYTES
from leftzmq.wire.messages import VERSION, Capability, Hello, Open, Refusing, Welcome


def test_every_state_answers_every_move() -> None:
    assert set(MOVES) == set(product(PeerPhase, PeerMove))


def test_only_a_greeting_connects_and_only_a_closed_link_sends_away() -> None:
    for (state, move), then in MOVES.items():
        if then is PeerPhase.CONNECTED and state is not PeerPhase.CONNECTED:
            assert move is PeerMove.GREETED
        if then is PeerPhase.AWAY and state is not PeerPhase.AWAY:
            assert move is PeerMove.CLOSED


DEVICE = DeviceKey(b"d" * 32)
NOTHING = Membership(DeviceKey(b"u" * 32), {}, fresh_nonce, lambda id, device: False)
OLD, OLD_BULK, NEW, NEW_BULK = (
    Link(DEVICE, Way.CAME, bytes((0, 0, 0, 0, n))) for n in (1, 2, 3, 4)
)


def peers_that_dial_us() -> Peers:
    return Peers(OurSide("us", 1, 2), [Peer(DEVICE, "d", dials=False)], NOTHING)


def says(
    peers: Peers, link: Link, message: Hello | Open | Welcome, now: float = 0.0
) -> list[object]:
    return [*peers.on_message_arrived(MessageArrived(link, message), now)]


HELLO, OPEN = Hello(VERSION, "d", [], []), Open(VERSION)


@pytest.mark.parametrize(
    "order", [(HELLO, OPEN, "old bulk fails"), (HELLO, "old bulk fails", OPEN)], ids=str
)
def test_a_device_that_dials_us_anew_is_asked_over_its_new_links(order: tuple[object, ...]) -> None:
    peers = peers_that_dial_us()
    says(peers, OLD, HELLO)
    says(peers, OLD_BULK, OPEN)
    for what in order:
        if what is HELLO:
            says(peers, NEW, HELLO)
        elif what is OPEN:
            assert PeerConnected(DEVICE, MAX_CREDIT_BYTES) in says(peers, NEW_BULK, OPEN)
        else:
            out = peers.on_link_closed(LinkClosed(OLD_BULK, "gone"), 1.0)
            assert all(isinstance(each, Send) and each.link == NEW for each in out), "it may ask"
    assert peers.control_link(DEVICE) == NEW and peers.bulk_link(DEVICE) == NEW_BULK
    assert peers.connected() == [DEVICE]


def test_a_device_whose_bulk_came_before_its_hello_can_be_asked() -> None:
    peers = peers_that_dial_us()
    says(peers, OLD, HELLO)
    says(peers, OLD_BULK, OPEN)
    says(peers, NEW_BULK, OPEN)
    assert PeerLost(DEVICE) in peers.on_link_closed(LinkClosed(OLD, "gone"), 1.0)
    assert PeerConnected(DEVICE, MAX_CREDIT_BYTES) in says(peers, NEW, HELLO)
    assert peers.bulk_link(DEVICE) == NEW_BULK


OURS = Link(DEVICE, Way.DIALED)
WELCOME = Welcome(VERSION, "d", [], 3, 4, MAX_CREDIT_BYTES, False, [])


def both_dial() -> Peers:
    peers = Peers(OurSide("us", 1, 2), [Peer(DEVICE, "d", dials=True)], NOTHING)
    peers.on_link_opened(LinkOpened(OURS), 0.0)
    says(peers, OURS, WELCOME)
    says(peers, OLD, HELLO)
    says(peers, OLD_BULK, OPEN)
    assert peers.control_link(DEVICE) == peers.bulk_link(DEVICE) == OURS
    return peers


def test_a_link_that_it_made_is_tried_when_all_its_connections_are_gone() -> None:
    """If that cannot be sent, the loop closes the link."""
    peers = peers_that_dial_us()
    gone = ConnectionsGone(DEVICE)
    assert peers.on_connections_gone(gone, 1.0) == [], "nobody is here"
    says(peers, OLD, HELLO)
    says(peers, OLD_BULK, OPEN)
    (tried,) = peers.on_connections_gone(gone, 1.0)
    assert isinstance(tried, Send) and tried.link == OLD and isinstance(tried.message, Welcome)
    assert PeerLost(DEVICE) in peers.on_link_closed(LinkClosed(OLD, "gone"), 1.0)
    assert peers.on_connections_gone(gone, 2.0) == []
    assert both_dial().on_connections_gone(gone, 1.0) == [], "our own link tells by itself"


def greeted_again(done: list[object]) -> bool:
    return any(isinstance(each, Send) and isinstance(each.message, Hello) for each in done)


def test_a_device_that_came_anew_is_asked_there_until_our_own_link_shows_that_it_lives() -> None:
    peers = both_dial()
    assert greeted_again(says(peers, NEW, HELLO))
    says(peers, NEW_BULK, OPEN)
    assert peers.control_link(DEVICE) == NEW and peers.bulk_link(DEVICE) == NEW_BULK
    says(peers, OURS, WELCOME)
    assert peers.control_link(DEVICE) == peers.bulk_link(DEVICE) == OURS


def test_a_link_of_ours_that_was_dead_takes_nothing_new_with_it() -> None:
    peers = both_dial()
    says(peers, NEW, HELLO)
    says(peers, NEW_BULK, OPEN)
    assert peers.on_link_closed(LinkClosed(OURS, "gone"), 1.0) == []
    assert peers.control_link(DEVICE) == NEW and peers.bulk_link(DEVICE) == NEW_BULK
    assert peers.connected() == [DEVICE]


def test_two_that_greet_each_other_again_over_the_same_link_come_to_an_end() -> None:
    peers = both_dial()
    assert not greeted_again(says(peers, OLD, HELLO))
    assert peers.control_link(DEVICE) == OURS


# ---- capabilities --------------------------------------------------------------------------------


def test_what_a_device_did_not_name_it_is_not_sent() -> None:
    peers = peers_that_dial_us()
    assert peers.link_for(Capability.HAVE, DEVICE) is None, "it has not greeted us"
    says(peers, OLD, HELLO)
    assert peers.link_for(Capability.HAVE, DEVICE) is None and peers.control_link(DEVICE) == OLD
    says(peers, OLD, Hello(VERSION, "d", [], ["from the future", "have"]))
    assert peers.link_for(Capability.HAVE, DEVICE) == OLD
    says(peers, OLD, HELLO)
    assert peers.link_for(Capability.HAVE, DEVICE) is None, "what it says last counts"


def test_a_welcome_names_capabilities_as_a_hello_does() -> None:
    peers = both_dial()
    assert peers.link_for(Capability.HAVE, DEVICE) is None
    able = Welcome(VERSION, "d", [], 3, 4, MAX_CREDIT_BYTES, False, ["have"])
    says(peers, OURS, able)
    assert peers.link_for(Capability.HAVE, DEVICE) == OURS


def test_we_name_all_of_ours() -> None:
    peers = peers_that_dial_us()
    (welcome,) = [
        each.message
        for each in says(peers, OLD, HELLO)
        if isinstance(each, Send) and isinstance(each.message, Welcome)
    ]
    assert welcome.can == [each.value for each in Capability]


# ---- ports ---------------------------------------------------------------------------------------


def welcome_from(bulk: int, news: int) -> Welcome:
    return Welcome(VERSION, "d", [], bulk, news, MAX_CREDIT_BYTES, False, [])


def subscribed(done: list[object]) -> list[tuple[int, int]]:
    return [(each.bulk_port, each.news_port) for each in done if isinstance(each, Subscribe)]


def test_a_device_may_move_to_other_ports_once_in_a_while() -> None:
    peers = both_dial()
    assert subscribed(says(peers, OURS, welcome_from(5, 6), 1.0)) == [(5, 6)]
    later = 1.0 + PORTS_STAY_S
    assert subscribed(says(peers, OURS, welcome_from(7, 8), later)) == [(7, 8)]
    for n in range(3):  # the same ones again are no change
        assert subscribed(says(peers, OURS, welcome_from(7, 8), later + n)) == [(7, 8)]


def test_a_device_that_moves_to_other_ports_each_time_is_dropped() -> None:
    peers = both_dial()
    says(peers, OURS, welcome_from(5, 6), 1.0)
    done = says(peers, OURS, welcome_from(5, 7), 1.1)
    assert done == [Drop(DEVICE, Refusal.OTHER_PORTS, "bulk 5, news 7")]


def test_a_new_connection_gives_no_leave_to_move_again() -> None:
    peers = both_dial()
    says(peers, OURS, welcome_from(5, 6), 1.0)
    peers.on_link_closed(LinkClosed(OURS, "gone"), 1.0)
    peers.on_link_opened(LinkOpened(OURS), 0.0)
    assert subscribed(says(peers, OURS, welcome_from(5, 6), 1.5)) == [(5, 6)]
    peers.on_link_closed(LinkClosed(OURS, "gone"), 1.0)
    peers.on_link_opened(LinkOpened(OURS), 0.0)
    done = says(peers, OURS, welcome_from(9, 9), 2.0)
    assert [each.refusal for each in done if isinstance(each, Drop)] == [Refusal.OTHER_PORTS]


NOT_GREETED = Refusing(VERSION, Refusal.NOT_GREETED.name, Refusal.NOT_GREETED.value)


def test_who_speaks_over_a_link_without_a_greeting_is_asked_for_one_now_and_then() -> None:
    """Another machine with the same key had greeted us, and is gone."""
    peers = peers_that_dial_us()
    says(peers, OLD, HELLO)
    assert peers.overheard(OLD, 0.0) == []
    says(peers, NEW, HELLO)
    peers.on_link_closed(LinkClosed(NEW, "gone"), 1.0)
    assert peers.overheard(OLD, 1.0) == [Send(OLD, NOT_GREETED)]
    assert peers.overheard(OLD, 1.0 + ASK_TO_GREET_S / 2) == []
    assert peers.overheard(OLD, 1.0 + ASK_TO_GREET_S) == [Send(OLD, NOT_GREETED)]
    says(peers, OLD, HELLO)
    assert peers.overheard(OLD, 20.0) == [] and peers.control_link(DEVICE) == OLD


def test_what_a_device_said_before_its_welcome_was_here_it_is_let_say_again() -> None:
    """It went over the device's own link, which we had closed as ours broke."""
    peers = Peers(OurSide("us", 1, 2), [Peer(DEVICE, "d", dials=True)], NOTHING)
    peers.on_link_opened(LinkOpened(OURS), 0.0)
    assert peers.overheard(OLD, 0.0) == [Send(OLD, NOT_GREETED)]
    says(peers, OURS, welcome_from(5, 6), 0.0)
    peers.on_link_closed(LinkClosed(OURS, "gone"), 1.0)
    hello, *_ = peers.on_link_opened(LinkOpened(OURS), 2.0)
    assert peers.overheard(OLD, 2.0) == []
    assert hello in says(peers, OURS, welcome_from(5, 6), 2.0)
    assert hello not in says(peers, OURS, welcome_from(5, 6), 2.0)


def test_a_device_that_greeted_us_before_a_folder_was_added_is_asked_to_greet_us_again() -> None:
    """Its row of that folder was skipped, as nobody here could recognize it."""
    peers = peers_that_dial_us()
    says(peers, OLD, HELLO)
    assert Send(OLD, NOT_GREETED) in peers.greet_again("added")


def test_who_is_asked_for_a_greeting_says_hello_where_it_dialed() -> None:
    peers = Peers(OurSide("us", 1, 2), [Peer(DEVICE, "d", dials=True)], NOTHING)
    dialed = Link(DEVICE, Way.DIALED)
    assert peers.on_message_arrived(MessageArrived(dialed, NOT_GREETED), 0.0) == []
    hello = peers.on_link_opened(LinkOpened(dialed), 0.0)
    again = peers.on_message_arrived(MessageArrived(dialed, NOT_GREETED), 1.0)
    assert [type(each.message) for each in again if isinstance(each, Send)] == [Hello]
    assert len(again) == len(hello) == 1 and peers.by_key[DEVICE].state is PeerPhase.GREETING
