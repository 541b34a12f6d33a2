"""The other devices: which are connected, over which link, and whether we have greeted each other.

Knows links, hellos and welcomes. Must not know sockets or clocks.

Links are symmetric: both sides may ask and answer over a link, whichever side dialed it. A device
asks over the link that it dialed while that is up, else over the other's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from leftzmq.content.key_text import key_beginning
from leftzmq.content.keys import device_mark
from leftzmq.errors import Away, Refusal, Refused, StopCause, versions_differ
from leftzmq.sync.actions import Drop, Outputs, Send, Subscribe, Tell
from leftzmq.sync.facts import (
    ConnectionsGone,
    DeviceDropped,
    DialFailed,
    FolderNamedOtherwise,
    LinkClosed,
    LinkOpened,
    MemberExcluded,
    MessageArrived,
    PausesSet,
    PeerConnected,
    PeerForgot,
    PeerGreeted,
    PeerLeft,
    PeerListed,
    PeerLost,
    PeerRemoved,
    PeerUnlisted,
    StrangerRefused,
)
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.sync.peers.membership import Membership
from leftzmq.sync.peers.peer_state import (
    BEING_DIALED,
    REACHED,
    HeardReport,
    Peer,
    PeerMove,
    PeerPhase,
)
from leftzmq.sync.peers.refused_keys import RefusedKeys
from leftzmq.sync.upload.listener import MAX_CREDIT_BYTES
from leftzmq.tree.version import DEVICE_MARK_BYTES, Life
from leftzmq.wire.folder_rows import Halted, Standing
from leftzmq.wire.local import EventKind, Scalar
from leftzmq.wire.messages import (
    OUR_CAPABILITIES,
    VERSION,
    Bye,
    Capability,
    Hello,
    Open,
    Refusing,
    Report,
    Welcome,
)

PORTS_STAY_S: Final = 5.0
"""An agent has the same ports as long as it runs, and mostly after a restart, too. Each change
costs us six sockets of libzmq, which releases the old ones a little later; it has 1,023."""
ASK_TO_GREET_S: Final = 5.0
LISTS_US_S: Final = 5.0
"""A device that was just paired lists us as soon as our answer has reached it."""
TELL_STOPS_S: Final = 0.5
"""A single cause (a disk, a shortage) stops several folders in less time than this."""

WHY_PEER_PAUSED: Final = "it is paused on this device: leftzmq resume"
_NO_ADDRESS: Final = "it has not connected to us, and the config has no address of it"
_HALTED: Final[dict[StopCause | None, str]] = {
    StopCause.SHARE_AWAY: "the folder is stopped there: its share is missing, or another one",
    StopCause.SHARE_UNUSABLE: "the folder is stopped there: its share cannot be read or written",
    StopCause.HELD_UP: "the folder is stopped there: that machine is short of something",
    StopCause.INDEX: "the folder is stopped there: its index cannot be used for now",
    StopCause.INDEX_BROKEN: "the folder is stopped there: its index cannot be used",
    StopCause.OPENING: "the folder is being opened there",
    StopCause.REMOVED: "the folder was taken off that device",
    StopCause.PUT_OUT: "that device was removed from the folder",
    StopCause.PAUSED: "the folder is paused there",
}


class OurSide(Struct, frozen=True):
    """What we say of ourselves in hello and welcome."""

    name: str
    bulk_port: int
    news_port: int


class Peers:
    """One per agent."""

    def __init__(
        self,
        us: OurSide,
        peers: Iterable[Peer],
        membership: Membership,
    ) -> None:
        self._us, self._membership = us, membership
        self.by_key: dict[DeviceKey, Peer] = {peer.key: peer for peer in peers}
        self._by_mark = {device_mark(key): peer.name for key, peer in self.by_key.items()}
        self.refused_keys = RefusedKeys()
        self._tell_stops_at: float | None = None
        self._paused: frozenset[bytes] = frozenset()

    # -- questions -----------------------------------------------------------------------------

    def name(self, device: DeviceKey | None) -> str:
        peer = self.by_key.get(device) if device else None
        return peer.name if peer else (key_beginning(device) if device else "somebody")

    def maker(self, writer: Life) -> str:
        """Return the name of the peer whose life this is, by the mark in the life; "": no
        peer's."""
        return self._by_mark.get(writer[:DEVICE_MARK_BYTES], "")

    def dialing(self, device: DeviceKey) -> tuple[str, str]:
        """Return how our own dialing of this device stands: REACHED, BEING_DIALED or the value of
        an Away, and why as a sentence."""
        peer = self.by_key[device]
        if device in self._paused:
            return Away.PAUSED.value, WHY_PEER_PAUSED
        if peer.dialed:
            return REACHED, ""
        if not peer.dials:
            return Away.NO_ADDRESS.value, _NO_ADDRESS
        if peer.undialed is None:
            return BEING_DIALED, ""
        return peer.undialed.value, peer.undialed_why

    def control_link(self, device: DeviceKey) -> Link | None:
        """Return the link over which to ask this device for its index."""
        peer = self.by_key[device]
        return Link(device, Way.DIALED) if peer.welcomed else peer.came

    def link_for(self, capability: Capability, device: DeviceKey) -> Link | None:
        """Where to send this device, over control, what belongs to a capability; None: it did not
        name that one, or there is no link."""
        named = capability in self.by_key[device].can
        return self.control_link(device) if named else None

    def links_for(self, capability: Capability, device: DeviceKey) -> tuple[Link, ...]:
        """Where to send this device what holds until something else is said: over every link. Words
        of one link arrive in their order, those of two links in any. So what was said last arrives
        last over each link, and counts in the end. Empty: as `link_for` has it."""
        peer = self.by_key[device]
        if capability not in peer.can:
            return ()
        dialed = (Link(device, Way.DIALED),) if peer.welcomed else ()
        return dialed if peer.came is None else (*dialed, peer.came)

    def bulk_link(self, device: DeviceKey) -> Link | None:
        """Return the link over which to send this device a get."""
        peer = self.by_key[device]
        return Link(device, Way.DIALED) if peer.welcomed else peer.came_bulk

    def news_links(self) -> tuple[Link, ...]:
        """Return the control links of devices that cannot subscribe to our news in another way:
        they said so, or our address does not work for them, and they have no link to us."""
        return tuple(
            Link(peer.key, Way.DIALED)
            for peer in self.by_key.values()
            if peer.welcomed and (peer.wants_news_here or peer.came is None)
        )

    def connected(self) -> list[DeviceKey]:
        return [key for key, peer in self.by_key.items() if peer.state is PeerPhase.CONNECTED]

    def linked(self) -> list[DeviceKey]:
        """Return the devices to which there is a link, also those whose greeting is on its way."""
        return [key for key, peer in self.by_key.items() if peer.dialed or peer.came is not None]

    def deadline(self) -> float | None:
        """Return when `on_time_passed` has something to do (monotonic seconds)."""
        return self._tell_stops_at

    @property
    def has_told_stops(self) -> bool:
        """Whether the connected members of every folder that is stopped have been told so."""
        return self._tell_stops_at is None

    # -- facts ---------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        for peer in self.by_key.values():
            peer.since = now
            self._to_be_met(peer)

    def on_peer_listed(self, fact: PeerListed, now: float) -> Outputs:
        """The device is a peer from now on; or its entry says something else of its address."""
        peer = self.by_key.get(fact.device)
        if peer is None:
            peer = self.by_key[fact.device] = Peer(fact.device, fact.name, fact.dials, fact.text)
            peer.since = peer.listed = now
            self._by_mark[device_mark(fact.device)] = fact.name
            self.refused_keys.forget(fact.text)
        peer.dials = fact.dials
        if peer.state is PeerPhase.AWAY:
            self._to_be_met(peer)
        return []

    def on_peer_unlisted(self, fact: PeerUnlisted, now: float) -> Outputs:
        """The device is no peer any more: it is lost first, by the name that it has here."""
        if fact.device not in self.by_key:
            return []
        gone = self._shut_out(self.by_key[fact.device], "it is no peer of ours any more", now)
        return [*gone, PeerRemoved(fact.device)]

    def on_peer_removed(self, fact: PeerRemoved, now: float) -> Outputs:
        """Nothing is left to be said of the device."""
        self.by_key.pop(fact.device, None)
        self._by_mark.pop(device_mark(fact.device), None)
        return []

    def on_link_opened(self, fact: LinkOpened, now: float) -> Outputs:
        """We dialed with success: say hello. The bulk and news connections follow on the
        welcome."""
        peer = self.by_key[fact.link.device]
        peer.dialed, peer.away, peer.told = True, None, None
        peer.undialed, peer.undialed_why = None, ""
        peer.move(PeerMove.OPENED)
        return [self._our_hello(peer)]

    def on_link_closed(self, fact: LinkClosed, now: float) -> Outputs:
        return self._closed(fact, Away.LOST, now)

    def _closed(self, fact: LinkClosed, away: Away, now: float) -> Outputs:
        peer = self.by_key.get(fact.link.device)
        if peer is None:
            return []
        if fact.link.way is Way.DIALED:
            # Whatever ended it probably ended the other direction too. If not, the device's next
            # hello or heartbeat over that link says so. A link that came later is kept.
            if peer.welcomed:
                peer.came = peer.came_bulk = None
            if peer.dialed:
                peer.undialed, peer.undialed_why = away, fact.why
            peer.dialed = peer.welcomed = False
        elif fact.link == peer.came:
            peer.came = None
        elif fact.link == peer.came_bulk:
            # Its control link stays. A device that connects anew sends hello and open in any order,
            # and the last send over its old bulk link may fail only after both.
            peer.came_bulk = None
            if peer.came is not None and not peer.welcomed:
                # Its bulk link may be up, and the closed one may belong to another machine with its
                # key. After a welcome the device sends open once more.
                return [self._our_welcome(peer, peer.came)]
        return self._unlinked(peer, away, fact.why, now)

    def on_connections_gone(self, fact: ConnectionsGone, now: float) -> Outputs:
        """A link that the device made is used alone, and may be gone: nothing is sent over it for
        up to a minute. It is greeted once more: if that cannot be sent, the link is closed."""
        peer = self.by_key.get(fact.device)
        if peer is None or peer.came is None or peer.welcomed:
            return []
        return [self._our_welcome(peer, peer.came)]

    def on_device_dropped(self, fact: DeviceDropped, now: float) -> Outputs:
        """The device is shut out for a while."""
        peer = self.by_key.get(fact.device)
        if peer is None:
            return []
        peer.dropped += 1
        return self._shut_out(peer, fact.why, now)

    def _shut_out(self, peer: Peer, why: str, now: float) -> Outputs:
        """None of the device's links is used any more."""
        peer.came = peer.came_bulk = None
        peer.dialed = peer.welcomed = False
        peer.undialed, peer.undialed_why = Away.SHUT_OUT, why
        return self._unlinked(peer, Away.SHUT_OUT, why, now)

    def _unlinked(self, peer: Peer, away: Away, why: str, now: float) -> Outputs:
        """A link to the device is gone. If no greeted link is left, the device is lost. This is the
        only place where a device becomes lost."""
        if peer.greeted:
            return []
        was = peer.state
        peer.said_hello = False
        peer.move(PeerMove.UNGREETED)
        if not peer.dialed:
            peer.move(PeerMove.CLOSED)
        if peer.key in self._paused:
            away, why = Away.PAUSED, WHY_PEER_PAUSED
        peer.away, peer.away_why = away, why
        if was is not PeerPhase.CONNECTED:
            return []
        peer.since = peer.seen = now
        fields = {"device": peer.name, "why": why}
        return [Tell(EventKind.PEER_DOWN, fields), PeerLost(peer.key)]

    def on_dial_failed(self, fact: DialFailed, now: float) -> Outputs:
        """Report each reason once, until another reason occurs or the device was reached again."""
        peer = self.by_key.get(fact.device)
        if peer is None:
            return []
        peer.undialed, peer.undialed_why = fact.away, fact.why
        if peer.state is PeerPhase.CONNECTED:
            return []
        peer.away, peer.away_why = fact.away, fact.why
        if peer.told is fact.away:
            return []
        if fact.away is Away.REFUSED_OUR_KEY and now < peer.listed + LISTS_US_S:
            return []  # each of two that are paired lists the other one, and one is first
        peer.told = fact.away
        return [Tell(EventKind.PEER_DOWN, {"device": peer.name, "why": fact.why})]

    def on_report(self, device: DeviceKey, report: Report, now: float, unix_ns: int) -> Outputs:
        """The device said how it is: that is kept to be shown, and replaces what it said before.
        unix_ns: our wall clock."""
        clock_ms = round((report.unix_ns - unix_ns) / 1e6)
        self.by_key[device].heard = HeardReport(report, now, clock_ms)
        return []

    def on_stranger_refused(self, fact: StrangerRefused, now: float) -> Outputs:
        """A message was refused: a stranger is reported, a peer is dropped. A device of another
        version breaks no rule: it stays, and its messages are read as soon as it speaks our
        version."""
        peer = self.by_key.get(fact.device) if fact.device else None
        if peer is None:
            who = fact.stranger
            if who is not None and all(who.key != peer.text for peer in self.by_key.values()):
                self.refused_keys.note_refused(who, now)  # a peer that is shut out is no stranger
            fields = {"device": self.name(fact.device), "why": fact.refusal.value}
            return [Tell(EventKind.REFUSED, fields | {"detail": fact.detail})]
        if fact.refusal is Refusal.OTHER_VERSION:
            why = f"{fact.refusal.value} ({fact.detail})"
            if peer.state is not PeerPhase.CONNECTED:
                peer.away, peer.away_why = Away.OTHER_VERSION, why
            return self._told_refusal(peer, why)
        return [Drop(peer.key, fact.refusal, fact.detail)]

    def on_message_arrived(self, fact: MessageArrived, now: float) -> Outputs:
        peer = self.by_key[fact.link.device]
        match fact.message:
            case Hello() as hello:
                return self._hello(peer, fact.link, hello, now)
            case Welcome() as welcome:
                return self._welcome(peer, fact.link, welcome, now)
            case Refusing() as refusing:
                return self._refusing(peer, refusing, now)
            case Bye() as bye:
                peer.said_goodbye = True
                gone = LinkClosed(fact.link, bye.reason or "it said goodbye")
                return self._closed(gone, Away.STOPPED, now)
            case Open() if fact.link.way is Way.CAME:
                peer.came_bulk = fact.link
                return self._connected(peer)
            case _:
                return []

    def overheard(self, link: Link, now: float) -> Outputs:
        """The device sent something other than hello. If it has not greeted us, its link is closed
        for us and open for the device: ask it to greet us once more, as what it says is lost. Not a
        paused one: nothing passes."""
        peer = self.by_key[link.device]
        if peer.greeted or link.way is not Way.CAME or peer.key in self._paused:
            return []
        peer.is_unheard = True
        if now < peer.asked_to_greet_at + ASK_TO_GREET_S:
            return []
        peer.asked_to_greet_at = now
        return [_asked_to_greet(peer, link)]

    def _refusing(self, peer: Peer, refusing: Refusing, now: float) -> Outputs:
        """The device refuses to talk to us over any link, until it greets us again. With
        NOT_GREETED it asks only for our hello."""
        if refusing.reason == Refusal.NOT_GREETED.name:
            return [self._our_hello(peer)] if peer.dialed else []
        peer.welcomed, peer.came = False, None
        why = _why(refusing)
        other = refusing.reason == Refusal.OTHER_VERSION.name
        away = Away.OTHER_VERSION if other else Away.REFUSES
        out = self._told_refusal(peer, why)
        out += self._unlinked(peer, away, "it refuses to talk to us", now)
        peer.away_why = why
        return out

    def _hello(self, peer: Peer, link: Link, hello: Hello, now: float) -> Outputs:
        if link.way is not Way.CAME:
            return []
        try:
            shared = self._membership.proved_by(peer.key, hello.folders)
        except Refused as refused:
            return [Drop(peer.key, refused.refusal, refused.detail)]
        before, peer.came = peer.came, link
        peer.can = frozenset(hello.can)
        peer.others = len(hello.folders) - len(shared)
        peer.proved = frozenset(at.folder for at in shared)
        out: Outputs = [self._our_welcome(peer, link)]
        if peer.said_hello:
            out.append(PeerForgot(peer.key))
            if peer.welcomed and before not in (None, link):
                out += self._doubted(peer)
        peer.said_hello, peer.is_unheard = True, False  # our welcome lets it say all again
        out += self._greeted(peer, link, shared, now)
        return out + (self._connected(peer) if peer.came_bulk is not None else [])

    def greet_again(self, folder: str) -> Outputs:
        """A folder has begun anew: tell every device its new life, and ask what each device has.
        The hello goes over the link that we dialed. An unasked welcome goes over the other link.
        Both are needed: an older greeting may be on its way over either link and would otherwise be
        the last one.

        A device that only dials us may have proved the folder when this device did not have it. The
        row of its hello was skipped then. So the device is asked to greet us once more.

        What the device said when it greeted us counts again at once. A request of the device over
        its other link may arrive before its answer, and would otherwise belong to no member. Not
        where the device is out by now: the word that lets another one in again may remove this one,
        and `on_member_excluded` is still to come.
        """
        out: Outputs = []
        for peer in self.by_key.values():
            if peer.dialed:
                out.append(self._our_hello(peer))
            if peer.came is not None and peer.said_hello:
                is_proved = folder in peer.proved
                again = self._our_welcome if is_proved else _asked_to_greet
                out.append(again(peer, peer.came))
            link = self.control_link(peer.key)
            if link is not None:
                is_out = self._membership.excludes(folder, peer.key)
                theirs = tuple(at for at in peer.folders if at.folder == folder and not is_out)
                out.append(PeerGreeted(link, theirs))
        return out

    def on_folder_stopped(self, now: float) -> None:
        """A folder of ours is stopped: its members are told soon. Several folders that stop
        together are told in one greeting."""
        if self._tell_stops_at is None:
            self._tell_stops_at = now + TELL_STOPS_S

    def on_folder_gone(self, folder: str) -> None:
        """A folder that was taken off this device is about to go."""
        self._membership.on_folder_gone(folder)

    def on_time_passed(self, now: float) -> Outputs:
        """Greet over both links, because an older greeting may be on its way over the other one."""
        if self._tell_stops_at is None or now < self._tell_stops_at:
            return []
        self._tell_stops_at = None
        out: Outputs = []
        for peer in self.by_key.values():
            if peer.dialed:
                out.append(self._our_hello(peer))
            if peer.came is not None and peer.said_hello:
                out.append(self._our_welcome(peer, peer.came))
        return out

    def on_folder_named_otherwise(self, fact: FolderNamedOtherwise, now: float) -> Outputs:
        """The device holds the secret of a folder of ours and has another id for it: it is no
        member."""
        peer = self.by_key.get(fact.device)
        if peer is None or fact.folder not in {at.folder for at in peer.folders}:
            return []
        peer.other_ids[fact.folder] = fact.theirs, fact.life
        peer.folders = tuple(at for at in peer.folders if at.folder != fact.folder)
        why = f"{peer.name} calls this folder {fact.theirs!r}: it needs the same id on both"
        told = self._tell_folder(peer, fact.folder, "OTHER_ID", why)
        return [told, PeerLeft(peer.key, (fact.folder,))]

    def on_pauses_set(self, fact: PausesSet, now: float) -> Outputs:
        """Devices were paused, or go on: the former are as good as away until then."""
        before, self._paused = self._paused, fact.devices
        out: Outputs = []
        for device, peer in self.by_key.items():
            if device in self._paused - before:
                peer.came = peer.came_bulk = None
                peer.dialed = peer.welcomed = False
                out += self._unlinked(peer, Away.PAUSED, WHY_PEER_PAUSED, now)
            elif device in before - self._paused:
                self._to_be_met(peer)
        return out

    def _to_be_met(self, peer: Peer) -> None:
        """Nothing is known yet of why the device is not connected, except that it is paused, or has
        no address."""
        peer.away, peer.away_why, peer.told = None, "", None
        if peer.key in self._paused:
            peer.away, peer.away_why = Away.PAUSED, WHY_PEER_PAUSED
        elif not peer.dials:
            peer.away, peer.away_why = Away.NO_ADDRESS, _NO_ADDRESS

    def on_member_excluded(self, fact: MemberExcluded, now: float) -> Outputs:
        """The device was removed from a folder: what it proved of it counts no more."""
        peer = self.by_key.get(fact.device)
        if peer is None:
            return []
        peer.proved -= {fact.folder}
        peer.halted.pop(fact.folder, None)
        peer.folders = tuple(at for at in peer.folders if at.folder != fact.folder)
        return []

    def _tell_folder(self, peer: Peer, folder: str, word: str, text: str) -> Tell:
        fields: dict[str, Scalar] = {"folder": folder, "path": "", "device": peer.name}
        return Tell(EventKind.PROBLEM, fields | {"problem": word, "text": text})

    def _our_welcome(self, peer: Peer, link: Link) -> Send:
        welcome = Welcome(
            VERSION,
            self._us.name,
            self._membership.answered_to(peer.key, peer.proved),
            self._us.bulk_port,
            self._us.news_port,
            MAX_CREDIT_BYTES,
            not peer.dials,
            [*OUR_CAPABILITIES],
        )
        return Send(link, welcome)

    def _doubted(self, peer: Peer) -> Outputs:
        """The device connected anew. It may be at another address now, and the link that we dialed
        may be dead without our knowledge. The device's own links are used until a welcome over ours
        shows that ours works."""
        peer.welcomed = False
        return [self._our_hello(peer)]

    def _our_hello(self, peer: Peer) -> Send:
        rows = self._membership.said_to(peer.key)
        hello = Hello(VERSION, self._us.name, rows, [*OUR_CAPABILITIES])
        return Send(Link(peer.key, Way.DIALED), hello)

    def _welcome(self, peer: Peer, link: Link, welcome: Welcome, now: float) -> Outputs:
        if link.way is not Way.DIALED or not peer.dialed:
            return []  # after its bye nothing is open until we dial successfully again
        ports = (welcome.bulk_port, welcome.news_port)
        if not _takes_ports(peer, ports, now):
            detail = f"bulk {ports[0]}, news {ports[1]}"
            return [Drop(peer.key, Refusal.OTHER_PORTS, detail)]
        try:
            shared = self._membership.proved_by(peer.key, welcome.folders)
        except Refused as refused:
            return [Drop(peer.key, refused.refusal, refused.detail)]
        again = peer.welcomed
        peer.welcomed, peer.proved = True, frozenset(at.folder for at in shared)
        peer.wants_news_here, peer.can = welcome.wants_news_here, frozenset(welcome.can)
        out: Outputs = [PeerForgot(peer.key)] if again else []
        out += [
            Subscribe(peer.key, welcome.bulk_port, welcome.news_port),
            Send(Link(peer.key, Way.DIALED), Open(VERSION)),
        ]
        out += self._greeted(peer, link, shared, now)
        out.append(PeerConnected(peer.key, welcome.max_credit))
        if peer.is_unheard:
            # What follows a greeting went over the device's own link and was here before its
            # welcome.
            peer.is_unheard = False
            out.append(self._our_hello(peer))
        return out

    def _connected(self, peer: Peer) -> Outputs:
        """The device made its bulk connection. If we cannot dial the device, we send requests
        there, once it said hello."""
        if peer.welcomed or peer.state is not PeerPhase.CONNECTED:
            return []
        return [PeerConnected(peer.key, MAX_CREDIT_BYTES)]

    def _greeted(
        self, peer: Peer, link: Link, said: tuple[Standing | Halted, ...], now: float
    ) -> Outputs:
        was, before = peer.state, {at.folder for at in peer.folders}
        standing = [at for at in said if isinstance(at, Standing)]
        lives = {at.folder: at.life for at in standing}
        others = {id: other for id, other in peer.other_ids.items() if lives.get(id) == other[1]}
        shared = tuple(at for at in standing if at.folder not in others)
        peer.folders, peer.other_ids = shared, others
        peer.move(PeerMove.GREETED)
        out = self._halted(peer, said)
        peer.away, peer.told, peer.said_goodbye = None, None, False
        if was is not PeerPhase.CONNECTED:
            peer.since = now
            out.append(Tell(EventKind.PEER_UP, {"device": peer.name, "way": link.way.value}))
        if said or not self._membership.any:
            peer.refusal_told = ""  # we talk: the earlier refusal is over
        else:
            out += self._told_refusal(peer, Refusal.NOTHING_SHARED.value)
        left = tuple(sorted(before - {at.folder for at in shared}))
        if left:
            out.append(PeerLeft(peer.key, left))
            if peer.dialed:
                # This greeting may be an old one, overtaken by one over the other link. The answer
                # to this hello is the last one.
                out.append(self._our_hello(peer))
        return [*out, PeerGreeted(link, shared)]

    def _halted(self, peer: Peer, said: tuple[Standing | Halted, ...]) -> Outputs:
        """Note which folders are stopped on the device. Changes are told, but for a folder that was
        added there a moment ago, and for one that is not there any more: it does not go on."""
        before, there = peer.halted, {at.folder for at in said}
        peer.halted = {
            at.folder: at.cause
            for at in said
            if isinstance(at, Halted) and at.cause is not StopCause.OPENING
        }
        out: Outputs = []
        for folder, cause in peer.halted.items():
            if before.get(folder, folder) != cause:
                text = f"{peer.name}: {halted_there(cause)}"
                out.append(self._tell_folder(peer, folder, "STOPPED_THERE", text))
        for folder in (before.keys() & there) - peer.halted.keys():
            text = f"{peer.name}: the folder goes on there"
            out.append(self._tell_folder(peer, folder, "SOLVED", text))
        return out

    def _told_refusal(self, peer: Peer, why: str) -> Outputs:
        if peer.refusal_told == why:
            return []
        peer.refusal_told = why
        return [Tell(EventKind.REFUSED, {"device": peer.name, "why": why})]


def _asked_to_greet(peer: Peer, link: Link) -> Send:
    """The device is to say hello over this link once more."""
    why = Refusal.NOT_GREETED
    return Send(link, Refusing(VERSION, why.name, why.value))


def halted_there(cause: StopCause | None) -> str:
    """Return the sentence for a folder that is stopped on another device. cause None: not known."""
    return _HALTED.get(cause, "the folder is stopped there")


def _takes_ports(peer: Peer, ports: tuple[int, int], now: float) -> bool:
    """Note the ports of its bulk and news sockets. Return False if it changed them too soon."""
    if peer.ports not in (None, ports):
        if now < peer.ports_changed_at + PORTS_STAY_S:
            return False
        peer.ports_changed_at = now
    peer.ports = ports
    return True


def _why(refusing: Refusing) -> str:
    """Return the text of a refusal. For OTHER_VERSION it is the same on both sides."""
    if refusing.reason == Refusal.OTHER_VERSION.name:
        said = versions_differ(refusing.version, VERSION)
        return f"{Refusal.OTHER_VERSION.value} ({said})"
    return f"{refusing.reason}: {refusing.detail}"
