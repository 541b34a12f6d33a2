"""What hostile devices do to one agent, each as fast as possible: strangers and paired devices.

usage: python tests/helpers/floods.py NAME --home DIR --agent A [--by M ...] [--seconds S]
It runs in a process of its own, so that it does not slow the measuring process down. DIR holds the
homes of the actors (leftzmq.cli.demo.stage); those of `--by` run no agent. At the end it prints one
JSON line with what it did. Traffic goes to 127.0.0.1 alone.

Knows how to send a flood. Must not know what the flood does to the agent: tests/helpers/besieged.py
measures that.
"""

from __future__ import annotations

import argparse
import errno
import itertools
import json
import os
import resource
import select
import socket as tcp
import sys
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Final, overload

import msgspec

if __name__ == "__main__":  # started by its path: the package and the other helpers lie beside it
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import zmq
from msgspec import Struct
from msgspec.structs import replace

from leftzmq.content.cut import Cutter
from leftzmq.content.ids import chunk_id, list_id
from leftzmq.content.keys import derive_keys
from leftzmq.content.lists import MAX_LIST_BYTES, ROW_BYTES, pack_row
from leftzmq.endpoint import Endpoint
from leftzmq.errors import Refused
from leftzmq.statedir import device_key_file, read_secret
from leftzmq.transport import device_key
from leftzmq.tree.entry import ContentId, Entry, Kind
from leftzmq.tree.version import MAX_STAMP, MAX_WRITERS, Life, Vector
from leftzmq.wire import page as pages
from leftzmq.wire.check import to_wire
from leftzmq.wire.codec import Socket, decode, encode
from leftzmq.wire.messages import (
    MAX_FOLDERS,
    MAX_PAGE_ENTRIES,
    Ask,
    Bye,
    Chunks,
    FolderHello,
    FolderReport,
    Get,
    Have,
    Hello,
    IndexPage,
    IndexSince,
    News,
    Open,
    Refusing,
    Report,
    Want,
)
from leftzmq.wire.page import Page
from leftzmq.wire.strict import pack
from tests.helpers.curve import GREETING, LONG_FRAME, Connection, Hand, NotLetIn
from tests.helpers.stranger import HOST, NO_LIFE, Answer, Stranger, answer_of, ports, silent

MIB: Final = 1 << 20
MOST_HELD: Final = 15_000
"""Connections that a stranger holds: fewer than the ports that one address has for one listening
port (28,000)."""
FRAMES_HELD: Final = 900
REDIAL_S: Final = 0.02
"""Between a cut connection and the next dial: libzmq needs a moment to close its sockets."""
HANDSHAKE_S: Final = 2.0
BURST: Final = 64  # messages between two reads
CREDIT_BYTES: Final = 32 * MIB  # what an agent accepts (docs/protocol.md, section 7)
SUBSCRIPTIONS: Final = 2000
SUBSCRIPTIONS_REST_S: Final = 0.002
"""XSUB never waits: it drops what does not fit, and the flood would run in a busy loop."""
FULL_CONNECTIONS: Final = 300
FULL_MESSAGES: Final = 300  # more than an agent lets wait for one connection
FULL_BEFORE_S: Final = 0.1
PING_S: Final = 10.0
"""From the end of the handshake to the first heartbeat of libzmq, where it sends any."""
PAGES_AN_ANSWER: Final = 16
PAGE_BYTES: Final = 44 << 10
SILENT_PORTS: Final = 100


@dataclass(frozen=True)
class Place:
    """An actor of the stage as its files describe it: as much of story.Actor as Stranger needs."""

    home: Path

    @property
    def name(self) -> str:
        return self.home.name

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def share(self) -> Path:
        return self.home / "share"

    @property
    def port(self) -> int:
        config = tomllib.loads((self.home / "peer.toml").read_text())
        return Endpoint.parse(config["device"]["listen"], "peer.toml").port

    @property
    def key(self) -> str:
        return device_key.public_text(device_key.load_or_make(device_key_file(self.state)).public)


@dataclass
class Raid:
    """One attack. until: monotonic seconds. counts: actions by name, for the report."""

    agent: Place
    places: list[Place]
    seconds: float
    until: float
    context: zmq.Context[zmq.Socket[bytes]] = field(default_factory=zmq.Context)
    counts: Counter[str] = field(default_factory=Counter)
    learned: dict[str, object] = field(default_factory=dict)

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.until

    def raiders(self) -> list[Raider]:
        """Returns one raider for each of `--by`, not dialed yet."""
        taken = {place.port for place in (self.agent, *self.places)}
        return [
            Raider(
                self, place, read_secret(place.home.parent / f"{secret_of(place)}.secret"), taken
            )
            for place in self.places
        ]


def secret_of(place: Place) -> str:
    """Returns the name of the secret in its config: a device that is in no folder has another
    secret."""
    config = tomllib.loads((place.home / "peer.toml").read_text())
    return Path(config["folder"][0]["secret"]).stem


FLOODS: Final[dict[str, Callable[[Raid], None]]] = {}


def flood(name: str) -> Callable[[Callable[[Raid], None]], Callable[[Raid], None]]:
    def enter(function: Callable[[Raid], None]) -> Callable[[Raid], None]:
        FLOODS[name] = function
        return function

    return enter


# -- strangers: raw connections ------------------------------------------------------------------


class Crowd:
    """Raw connections to some ports, `most` at a time; each is made anew when it was cut.

    said: the bytes that each connection sends, as far as the other side reads them
    hangs_up: whether a connection ends itself when it has sent them
    """

    def __init__(
        self, raid: Raid, doors: Sequence[int], most: int, said: bytes, *, hangs_up: bool = False
    ) -> None:
        self._raid, self._most, self._said, self._hangs_up = raid, most, said, hangs_up
        self._doors = itertools.cycle(doors)
        self._epoll = select.epoll()
        self._open: dict[int, tcp.socket] = {}
        self._left: dict[int, memoryview] = {}
        self._most_held = 0

    def run(self) -> None:
        while self._raid.goes_on:
            fresh = 0
            while len(self._open) < self._most and fresh < 200 and self._dial():
                fresh += 1
            for number, events in self._epoll.poll(0 if fresh else 0.02, 1000):
                self._serve(number, events)
            self._most_held = max(self._most_held, len(self._open))
        self._raid.counts["held at most"] = self._most_held
        for connection in self._open.values():
            connection.close()

    def _dial(self) -> bool:
        try:
            connection = tcp.socket(tcp.AF_INET, tcp.SOCK_STREAM)
        except OSError:
            return False
        connection.setblocking(False)
        code = connection.connect_ex((HOST, next(self._doors)))
        if code not in (0, errno.EINPROGRESS):
            connection.close()
            self._raid.counts["not made"] += 1
            return False
        number = connection.fileno()
        self._open[number], self._left[number] = connection, memoryview(self._said)
        self._epoll.register(number, select.EPOLLOUT)
        self._raid.counts["opened"] += 1
        return True

    def _serve(self, number: int, events: int) -> None:
        connection, left = self._open[number], self._left[number]
        try:
            if events & (select.EPOLLERR | select.EPOLLHUP):
                raise ConnectionError
            if events & select.EPOLLIN and not connection.recv(4096):
                raise ConnectionError
            if events & select.EPOLLOUT and left:
                if len(left) == len(self._said):
                    self._raid.counts["through"] += 1
                self._left[number] = left[connection.send(left) :]
        except BlockingIOError:
            return
        except OSError:
            self._raid.counts["cut"] += 1
            self._close(number)
            return
        if not self._left[number]:
            if self._hangs_up:
                self._close(number)
            elif events & select.EPOLLOUT:
                self._epoll.modify(number, select.EPOLLIN | select.EPOLLRDHUP)

    def _close(self, number: int) -> None:
        self._epoll.unregister(number)
        self._open.pop(number).close()
        del self._left[number]


def doors(raid: Raid) -> dict[Socket, int]:
    return ports(raid.agent)  # type: ignore[arg-type]  # a Place has what it needs of an Actor


@flood("half-handshakes")
def half_handshakes(raid: Raid) -> None:
    """A greeting on each of the three ports, and then nothing."""
    Crowd(raid, list(doors(raid).values()), MOST_HELD, GREETING).run()


@flood("silent-connections")
def silent_connections(raid: Raid) -> None:
    Crowd(raid, list(doors(raid).values()), MOST_HELD, b"").run()


@flood("silence-after-hello")
def silence_after_hello(raid: Raid) -> None:
    """The furthest state of a stranger: the agent has answered a good hello, and waits for the next
    command."""
    hello = Hand(device_key.parse_public(raid.agent.key)).opening
    Crowd(raid, list(doors(raid).values()), MOST_HELD, hello).run()


UNFINISHED: Final = GREETING + LONG_FRAME + MIB.to_bytes(8, "big") + bytes(MIB - 1)


@flood("unfinished-frames")
def unfinished_frames(raid: Raid) -> None:
    """All but the last byte of a frame of 1 MiB on bulk, over each of 900 connections; again at
    once if cut."""
    Crowd(raid, [doors(raid)[Socket.BULK]], FRAMES_HELD, UNFINISHED).run()


@flood("unfinished-frames-churn")
def unfinished_frames_churn(raid: Raid) -> None:
    """The same, and each connection ends when it has sent so much, and is made again."""
    Crowd(raid, [doors(raid)[Socket.BULK]], FRAMES_HELD, UNFINISHED, hangs_up=True).run()


@flood("unfinished-frames-everywhere")
def unfinished_frames_everywhere(raid: Raid) -> None:
    """On all three ports, over 4,000 connections: on control and news such a frame is too long."""
    Crowd(raid, list(doors(raid).values()), 4000, UNFINISHED).run()


@flood("wrong-keys")
def wrong_keys(raid: Raid) -> None:
    """Whole handshakes with a key that is in no peer list, over four connections at a time."""
    server = device_key.parse_public(raid.agent.key)
    public, secret = (bytes(key) for key in _new_pair())
    at = list(doors(raid).values())

    def knock(number: int) -> None:
        hand = Hand(server)
        for turn in itertools.count(number):
            if not raid.goes_on:
                return
            try:
                Connection(HOST, at[turn % 3], hand, public, secret, 2.0).close()
                raid.counts["let in"] += 1
            except NotLetIn:
                raid.counts["refused"] += 1
            except OSError:
                raid.counts["not made"] += 1
                time.sleep(REDIAL_S)

    _in_threads(knock, 4)


def _new_pair() -> tuple[bytes, bytes]:
    from zmq.utils import z85

    public, secret = zmq.curve_keypair()
    return z85.decode(public), z85.decode(secret)


def _in_threads(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# -- paired devices ------------------------------------------------------------------------------


class Raider(Stranger):
    """A paired device that dials again at once whenever its connection was cut.

    Received messages are counted and forgotten. served: whether it answers index_since with pages
    that an agent would send; an attack may replace this method.
    """

    def __init__(self, raid: Raid, place: Place, secret: bytes, taken: set[int]) -> None:
        super().__init__(raid.context, place, secret, [raid.agent], taken)  # type: ignore[arg-type,list-item]
        self.raid = raid
        self.entries: Sequence[Entry] = []  # type: ignore[assignment]  # of others never changed
        self.on_index: Callable[[Raider, IndexSince], list[Page]] = answered
        self.on_page: Callable[[Raider, bytes], None] = lambda raider, sealed: None
        self._watched: dict[Socket, zmq.Socket[bytes]] = {}
        self._up: set[Socket] = set()
        self._cut = True
        self._dialed_at = 0.0
        self.claims: list[FolderHello] | None = None  # rows to say instead of its own

    def _folders(self) -> list[FolderHello]:
        return super()._folders() if self.claims is None else self.claims

    @property
    def is_up(self) -> bool:
        """Whether control, bulk and news are connected, as far as it has read."""
        return not self._cut and len(self._up) == len(Socket)

    def dial_again(self) -> None:
        """Dial if the connection was cut, or was not let in."""
        now = time.monotonic()
        self._watch()
        waits_too_long = not self.is_up and now - self._dialed_at > HANDSHAKE_S
        if (not self._cut and not waits_too_long) or now - self._dialed_at < REDIAL_S:
            return
        for kind in self._watched:
            if not self._dialed[kind].closed:
                self._dialed[kind].disable_monitor()
        self._watched.clear()
        self._up.clear()
        self._cut, self._dialed_at = False, now
        try:
            self.dial(self.raid.agent)  # type: ignore[arg-type]
        except (OSError, ValueError, zmq.ZMQError):  # no agent, or no sockets: in the next turn
            self._cut = True
            return
        self.raid.counts["dials"] += 1

    def _before_connect(self, kind: Socket, socket: zmq.Socket[bytes]) -> None:
        self._watched[kind] = socket.get_monitor_socket(WATCHED)
        # Otherwise its own libzmq aborts when it does not read and the agent ends the connection
        # (hang-up-full).
        socket.heartbeat_ivl = 0

    def hang_up(self) -> None:
        """The next `dial_again` begins anew."""
        self._cut = True

    def _watch(self) -> None:
        for kind, monitor in self._watched.items():
            while (said := take(monitor)) is not None:
                event = int.from_bytes(said[0][:2], sys.byteorder)
                if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                    self._up.add(kind)
                    self.raid.counts["let in"] += kind is Socket.CONTROL
                elif event != zmq.EVENT_CONNECTED:
                    self.raid.counts["cut"] += not self._cut
                    self._cut = True

    def put(self, kind: Socket, message: object) -> bool:
        """Send it if there is space in the queue. Returns False if there is none, or no
        connection."""
        return self.put_raw(kind, encode(message))  # type: ignore[arg-type]

    def put_raw(self, kind: Socket, *frames: bytes) -> bool:
        try:
            self.say(kind, *frames)
        except (zmq.ZMQError, KeyError):
            return False
        return True

    def drain(self) -> None:
        """Throw away received messages."""
        for socket in (*self._bound.values(), *self._dialed.values()):
            while take(socket) is not None:
                self.raid.counts["heard"] += 1

    def hello(self) -> Hello:
        return Hello(self.version, self.name, self._folders(), [])

    def _hear(self, kind: Socket, came: zmq.Socket[bytes], frames: list[bytes]) -> None:
        self.raid.counts["heard"] += 1
        message = read(frames[0], kind)
        if isinstance(message, IndexSince):
            for page in self.on_index(self, message):
                self._reply(kind, came, encode(IndexPage(self.keys.tag, self.seal(page))))
        elif isinstance(message, IndexPage | News):
            self.on_page(self, message.sealed)
        else:
            super()._hear(kind, came, frames)
        self.heard.clear()
        self.asked.clear()


WATCHED: Final = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)


def take(socket: zmq.Socket[bytes]) -> list[bytes] | None:
    try:
        return socket.recv_multipart(zmq.DONTWAIT)
    except zmq.ZMQError:
        return None


def read(frame: bytes, kind: Socket) -> Struct | None:
    try:
        return decode(frame, kind)
    except Refused:
        return None


def answered(raider: Raider, asked: IndexSince) -> list[Page]:
    """Returns what an agent would answer: up to sixteen pages from the asker's head on."""
    whole = asked.life != raider.life
    after, head = 0 if whole else asked.after, len(raider.entries)
    out: list[Page] = []
    while len(out) < PAGES_AN_ANSWER and (after < head or not out):
        some = fitting(raider.entries[after : after + MAX_PAGE_ENTRIES])
        last = after + len(some)
        page = Page(raider.device, "share", raider.life, after, last, head, whole, tuple(some))
        out.append(page)
        after = last
    return out


def fitting(entries: Sequence[Entry]) -> list[Entry]:
    """Returns as many of the entries as one page takes."""
    sizes = itertools.accumulate(len(pack(to_wire(entry))) for entry in entries)
    return [entry for entry, size in zip(entries, sizes, strict=True) if size <= PAGE_BYTES]


def pour(
    raid: Raid,
    kind: Socket,
    messages: Callable[[Raider], Iterator[tuple[bytes, ...]]],
    *,
    reads: bool = True,
) -> None:
    """Each raider sends its messages over the connections that it dialed, as fast as they are
    taken.

    reads: whether it reads received messages
    """
    raiders = raid.raiders()
    streams = [messages(raider) for raider in raiders]
    waiting: dict[str, tuple[bytes, ...]] = {}
    while raid.goes_on:
        busy = False
        for raider, stream in zip(raiders, streams, strict=True):
            raider.dial_again()
            if reads:
                raider.drain()
            if not raider.is_up:
                continue
            for _ in range(SUBSCRIPTIONS if kind is Socket.NEWS else BURST):
                frames = waiting.pop(raider.name, None) or next(stream)
                if not raider.put_raw(kind, *frames):
                    waiting[raider.name] = frames
                    break
                raid.counts["said"] += 1
                busy = True
        if not busy:
            time.sleep(0.001)
        elif kind is Socket.NEWS:
            time.sleep(SUBSCRIPTIONS_REST_S)
    close(raiders)


def _empty_file(raider: Raider, number: int) -> Entry:
    return raider.file(f"{number}", b"")


def keep(raid: Raid, raiders: list[Raider], each: Callable[[], None] = lambda: None) -> None:
    """Stay connected and answer; `each` is called in every turn."""
    while raid.goes_on:
        for raider in raiders:
            raider.dial_again()
            raider.turn()
        each()
        time.sleep(0.002)
    close(raiders)


def close(raiders: list[Raider]) -> None:
    for raider in raiders:
        raider.close()


@flood("nothing")
def nothing(raid: Raid) -> None:
    """An honest device that is connected: all floods are compared with it."""
    keep(raid, raid.raiders())


@flood("hello-bye")
def hello_bye(raid: Raid) -> None:
    def messages(raider: Raider) -> Iterator[tuple[bytes, ...]]:
        return itertools.cycle([(encode(raider.hello()),), (encode(Bye("")),)])

    pour(raid, Socket.CONTROL, messages)


@flood("hello")
def hello(raid: Raid) -> None:
    pour(raid, Socket.CONTROL, lambda raider: itertools.repeat((encode(raider.hello()),)))


@flood("refusing")
def refusing(raid: Raid) -> None:
    """Each time with another reason, so that no message equals the one before."""

    def messages(raider: Raider) -> Iterator[tuple[bytes, ...]]:
        for number in itertools.count():
            yield (encode(Refusing(raider.version, f"reason {number}", "")),)

    pour(raid, Socket.CONTROL, messages)


@flood("hello-refusing-bye")
def hello_refusing_bye(raid: Raid) -> None:
    """Each message once; then it stays connected and sends nothing more."""
    (raider,) = raid.raiders()
    raider.greets = False
    said = [raider.hello(), Refusing(raider.version, "OTHER_VERSION", "no"), Bye("")]
    while raid.goes_on:
        raider.dial_again()
        if raider.is_up and said and raider.put(Socket.CONTROL, said[0]):
            said.pop(0)
            raid.counts["said"] += 1
        raider.drain()
        time.sleep(0.01)
    raider.close()


@flood("any-order")
def any_order(raid: Raid) -> None:
    """Valid messages of control in any order, 200 a second: no flood, but without sense."""
    (raider,) = raid.raiders()
    say_one = in_any_order(raid, raider)
    keep(raid, [raider], say_one)


@flood("any-order-dialed")
def any_order_dialed(raid: Raid) -> None:
    """The same over the link that the agent dials."""
    (raider,) = raid.raiders()
    say_one = in_any_order(raid, raider)
    while raid.goes_on:
        raider.turn()
        say_one()
    raider.close()


def in_any_order(raid: Raid, raider: Raider) -> Callable[[], None]:
    """Returns a function that sends the next message, and waits a moment."""
    chance = Random(12)
    raider.offer(raider.file("of a hostile device", b"which is good"))
    page = raider.page(list(raider.entries), 0, whole=True)
    choices = [
        raider.hello(),
        replace(raider._welcome(), bulk_port=1, news_port=2),
        Refusing(raider.version, "OTHER_SECRET", "no"),
        IndexSince(raider.keys.tag, NO_LIFE, 0),
        IndexPage(raider.keys.tag, raider.seal(page)),
        News(raider.keys.tag, raider.seal(msgspec.structs.replace(page, whole=False))),
        Have(raider.keys.tag, bytes(32), b"\1"),
        Report("9", 0, "refuses", "", [FolderReport(raider.keys.tag, "idle", None)]),
        Bye("for no reason"),
    ]

    def say_one() -> None:
        raid.counts["said"] += raider.put(Socket.CONTROL, chance.choice(choices))
        time.sleep(0.003)

    return say_one


@flood("welcome")
def welcome(raid: Raid) -> None:
    """The agent dials it, and it sends welcome again and again, each time with other ports of its
    own, where a socket listens and never answers."""
    (raider,) = raid.raiders()
    silent = [tcp.create_server((HOST, 0), backlog=1000) for _ in range(SILENT_PORTS)]
    own = [server.getsockname()[1] for server in silent]
    some = itertools.cycle(itertools.permutations(own, 2))
    while raid.goes_on:
        raider.turn()
        for _ in range(BURST):
            bulk, news = next(some)
            told = replace(raider._welcome(), bulk_port=bulk, news_port=news)
            if not raider.put(Socket.CONTROL, told):
                time.sleep(0.001)
                break
            raid.counts["said"] += 1
    raider.close()
    for server in silent:
        server.close()


@flood("subscriptions")
def subscriptions(raid: Raid) -> None:
    """The only valid subscription, again and again."""
    pour(raid, Socket.NEWS, lambda raider: itertools.repeat((b"\x01n",)))


@flood("other-topics")
def other_topics(raid: Raid) -> None:
    """Subscriptions to topics that nobody has, each time to another one."""

    def messages(raider: Raider) -> Iterator[tuple[bytes, ...]]:
        for number in itertools.count():
            yield (b"\x01" + b"%d" % number + bytes(400),)

    pour(raid, Socket.NEWS, messages)


@flood("index-since")
def index_since(raid: Raid) -> None:
    """Ask for the whole index, as often as the question is taken."""
    pour(raid, Socket.CONTROL, whole_indexes)


@flood("index-since-unread")
def index_since_unread(raid: Raid) -> None:
    """The same, and no answer is read."""
    pour(raid, Socket.CONTROL, whole_indexes, reads=False)


def whole_indexes(raider: Raider) -> Iterator[tuple[bytes, ...]]:
    return itertools.repeat((encode(IndexSince(raider.keys.tag, NO_LIFE, 0)),))


@flood("gets")
def gets(raid: Raid) -> None:
    """Asks for chunks of the largest file there, so that the credit is always used up."""
    asker = Asker(raid)
    while raid.goes_on:
        asker.raider.dial_again()
        asker.ask()
        if not asker.take():
            time.sleep(0.001)
    asker.raider.close()


@flood("gets-unread")
def gets_unread(raid: Raid) -> None:
    """As many gets as the credit allows, and the answers are not read."""
    asker = Asker(raid)
    while raid.goes_on:
        asker.raider.dial_again()
        asker.ask()
        time.sleep(0.001)
    asker.raider.close()


@flood("gets-and-leave")
def gets_and_leave(raid: Raid) -> None:
    """As many gets as the credit allows; then it ends the connection, and dials again."""
    asker = Asker(raid)
    while raid.goes_on:
        asker.raider.dial_again()
        if asker.ask():
            asker.raider.hang_up()
        time.sleep(0.001)
    asker.raider.close()


class Asker:
    """A raider that asks for chunks of the largest file of the agent, up to its credit."""

    def __init__(self, raid: Raid) -> None:
        (self.raider,) = raid.raiders()
        keys = self.raider.keys
        data = max(raid.agent.share.iterdir(), key=_size_of).read_bytes()
        asks, at = [], 0
        for length in Cutter(keys).cut(memoryview(data), last=True):
            asks.append(Ask(chunk_id(keys, data[at : at + length]), at, length))
            at += length
        self._content = ContentId(self.raider.file("", data).content)
        self._some = itertools.cycle(asks[at : at + 4] for at in range(0, len(asks), 4))
        self._out: dict[int, int] = {}  # number of a get -> bytes still to come
        self._number = 0

    def ask(self) -> bool:
        """Whether anything was asked for."""
        raider, asked = self.raider, False
        if not raider.is_up:
            self._out.clear()
        while raider.is_up and sum(self._out.values()) < CREDIT_BYTES - 4 * MIB:
            four = next(self._some)
            self._number = (self._number + 1) % (1 << 32)
            get = Get(self._number, raider.keys.tag, [], [Want(self._content, four)])
            if not raider.put(Socket.BULK, get):
                break
            asked = True
            self._out[self._number] = sum(ask.length for ask in four)
            raider.raid.counts["said"] += 1
        return asked

    def take(self) -> bool:
        """Whether anything came."""
        socket, came = self.raider._dialed.get(Socket.BULK), False
        while socket is not None and (frames := take(socket)) is not None:
            came = True
            message = read(frames[0], Socket.BULK)
            if isinstance(message, Chunks) and message.number in self._out:
                done = sum(part.length for part in message.parts)
                self.raider.raid.counts["KiB got"] += done >> 10
                self._out[message.number] -= done
                if self._out[message.number] <= 0 or message.missing:
                    del self._out[message.number]
        return came


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


@flood("haves")
def haves(raid: Raid) -> None:
    """For contents that nobody has, each time another one, for a file of 2 GiB."""

    def messages(raider: Raider) -> Iterator[tuple[bytes, ...]]:
        bitmap = b"\xaa" * 1024
        while True:
            yield (encode(Have(raider.keys.tag, os.urandom(32), bitmap)),)

    pour(raid, Socket.CONTROL, messages)


@flood("reports")
def reports(raid: Raid) -> None:
    """As long as a report may be, of folders that nobody has, full of what steers a terminal."""

    def messages(raider: Raider) -> Iterator[tuple[bytes, ...]]:
        steers = "\x1b[2J" * 16
        while True:
            rows = [FolderReport(os.urandom(16), steers, 2**60) for _ in range(MAX_FOLDERS)]
            rows[0] = replace(rows[0], tag=raider.keys.tag)
            said = Report(steers, 2**63 - 1, steers, steers * 4, rows)
            yield (encode(said),)

    pour(raid, Socket.CONTROL, messages)


# -- indexes -------------------------------------------------------------------------------------


class Shelf(Sequence[Entry]):
    """Entries that are made when they are read: the n-th from the number n."""

    def __init__(self, count: int, make: Callable[[int], Entry]) -> None:
        self._numbers, self._make = range(count), make

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> list[Entry]: ...
    def __getitem__(self, at: int | slice) -> Entry | list[Entry]:
        found = self._numbers[at]
        return self._make(found) if isinstance(found, int) else [self._make(n) for n in found]


def fat_vector(raider: Raider, counter: int) -> Vector:
    """Returns a vector of 64 writers, of which one is the raider."""
    chance = Random(counter)
    others = {Life(b"\xff" + chance.randbytes(11)) for _ in range(MAX_WRITERS - 1)}
    return Vector.of([(w, counter + 1) for w in sorted({*others, raider.life})])


def offers(raid: Raid, count: int, make: Callable[[Raider, int], Entry]) -> None:
    """The raider has so many entries in its index, from its first hello on."""
    (raider,) = raid.raiders()
    raider.entries = Shelf(count, lambda number: make(raider, number))
    keep(raid, [raider])


DEEP: Final = [f"{level}".ljust(245, "d") for level in range(14)]
"""Names of folders that together make a path of 3.4 KB."""


@flood("empty-entries")
def empty_entries(raid: Raid) -> None:
    """20,000 empty files with paths of 3.6 KB and vectors of 64 writers."""

    def make(raider: Raider, number: int) -> Entry:
        if number < len(DEEP):
            folder = raider.folder("/".join(DEEP[: number + 1]))
            return replace(folder, vector=fat_vector(raider, number))
        path = "/".join([*DEEP, f"{number}".ljust(240, "e")])
        return replace(raider.file(path, b""), vector=fat_vector(raider, number))

    offers(raid, 20_000, make)


@flood("folders")
def folders(raid: Raid) -> None:
    offers(raid, 30_000, lambda raider, number: raider.folder(f"folder {number}"))


@flood("links")
def links(raid: Raid) -> None:
    def make(raider: Raider, number: int) -> Entry:
        return replace(
            raider.file(f"link {number}", b""),
            kind=Kind.SYMLINK,
            content=ContentId(b"to nowhere"),
            mtime_ns=0,
        )

    offers(raid, 30_000, make)


@flood("problems")
def problems(raid: Raid) -> None:
    """10,000 paths of 3.6 KB that cannot be taken: with stamps near 2^62, or without their
    folder."""

    def make(raider: Raider, number: int) -> Entry:
        if number % 2:
            path = "/".join([f"lost {number}", *DEEP])
            return raider.file(path, b"")
        path = "/".join([f"far {number}", *DEEP])
        return replace(raider.file(path, b""), stamp=MAX_STAMP)

    offers(raid, 10_000, make)


@flood("begun-indexes")
def begun_indexes(raid: Raid) -> None:
    """Each device begins its whole index anew ten times a second, with a new life, and never ends
    it."""
    raiders = raid.raiders()
    chance = Random(62)

    def first_page(raider: Raider, asked: IndexSince) -> list[Page]:
        entry = raider.file(f"first of {raider.name}", b"")
        return [Page(raider.device, "share", raider.life, 0, 1, 1000, True, (entry,))]

    for raider in raiders:
        raider.on_index = first_page
        raider.entries = Shelf(1000, partial(_empty_file, raider))
    again_at = [0.0]

    def again() -> None:
        if time.monotonic() < again_at[0]:
            return
        again_at[0] = time.monotonic() + 0.1
        for raider in raiders:
            raider.life = Life(raider.life[:8] + chance.randbytes(4))
            raid.counts["said"] += raider.put(Socket.CONTROL, raider.hello())

    keep(raid, raiders, again)


# -- files ---------------------------------------------------------------------------------------


def lists_alone(stranger: Stranger, get: Get) -> list[bytes] | None:
    """Gives the lists, and no chunk."""
    return (
        answer_of(stranger, get, {id: stranger.data[id] for id in get.lists}) if get.lists else None
    )


def announced(raid: Raid, answer: Answer) -> None:
    (raider,) = raid.raiders()
    raider.answer = answer
    chance = Random(16)
    sizes = [300_000] * 16 + [20 * MIB] * 2
    raider.entries = [
        raider.file(f"announced {number}", chance.randbytes(size))
        for number, size in enumerate(sizes)
    ]
    keep(raid, [raider])


@flood("announced-files")
def announced_files(raid: Raid) -> None:
    """16 files of 300 KB and two of 20 MB, of which no list and no chunk is given."""
    announced(raid, silent)


@flood("announced-lists")
def announced_lists(raid: Raid) -> None:
    """The same, but their lists are given."""
    announced(raid, lists_alone)


@flood("huge-files")
def huge_files(raid: Raid) -> None:
    """40 files of 4 TiB, each with lists that add up, made of only two different lists; no chunk is
    given."""
    (raider,) = raid.raiders()
    raider.answer = lists_alone
    raider.entries = [huge_file(raider, number) for number in range(40)]
    keep(raid, [raider])


def huge_file(raider: Raider, number: int) -> Entry:
    """2^22 rows of 1 MiB, all of the same chunk."""
    row = pack_row(bytes([number + 1]) * 32, MIB)
    fits = MAX_LIST_BYTES // ROW_BYTES
    full, rest = row * fits, row * ((1 << 22) % fits)
    names = [(list_id(raider.keys, piece), piece) for piece in (full, rest)]
    (full_id, _), (rest_id, _) = names
    top = pack_row(full_id, len(full)) * ((1 << 22) // fits) + pack_row(rest_id, len(rest))
    top_id = list_id(raider.keys, top)
    raider.data.update({full_id: full, rest_id: rest, top_id: top})
    raider.lists.update((full_id, rest_id, top_id))
    return replace(
        raider.file(f"huge {number}", b""), size=1 << 42, content=ContentId(top_id), depth=2
    )


# -- what replaces what others have --------------------------------------------------------------


def whole_index(raid: Raid, raider: Raider) -> list[Entry]:
    """Returns all entries of the agent; [] if it does not send them in time."""
    found: dict[str, Entry] = {}
    told = [0, 1]
    theirs = device_key.parse_public(raid.agent.key)

    def page(raider: Raider, sealed: bytes) -> None:
        with suppress(Refused):
            page = pages.open_sealed(sealed, raider.keys.first, device=theirs, folder="share")
            found.update((entry.path, entry) for entry in page.entries)
            told[:] = max(told[0], page.last), page.head

    raider.on_page = page
    asked = False
    while raid.goes_on and told[0] < told[1]:
        raider.dial_again()
        raider.turn()
        if raider.is_up and not asked:
            asked = raider.put(Socket.CONTROL, IndexSince(raider.keys.tag, NO_LIFE, 0))
        time.sleep(0.002)
    raider.on_page = lambda raider, sealed: None
    return list(found.values())


def replaced(raid: Raid, change: Callable[[Raider, Entry], Entry]) -> None:
    """Every file of the prefix `victim` gets another entry, whose version has seen the file's
    version."""
    (raider,) = raid.raiders()
    victims = [
        entry
        for entry in whole_index(raid, raider)
        if entry.path.startswith("victim") and entry.kind is Kind.FILE and not entry.deleted
    ]
    raid.counts["victims"] = len(victims)
    raider.entries = [
        replace(
            change(raider, entry),
            vector=entry.vector.with_own(raider.life, number + 1, entry.writer),
            writer=raider.life,
            stamp=entry.stamp + 1,
        )
        for number, entry in enumerate(victims)
    ]
    raider.put(Socket.CONTROL, raider.hello())
    keep(raid, [raider])


@flood("emptied")
def emptied(raid: Raid) -> None:
    replaced(raid, lambda raider, entry: raider.file(entry.path, b""))


@flood("made-links")
def made_links(raid: Raid) -> None:
    def change(raider: Raider, entry: Entry) -> Entry:
        link = ContentId(b"to nowhere")
        plain = raider.file(entry.path, b"")
        return replace(plain, kind=Kind.SYMLINK, content=link, mtime_ns=0)

    replaced(raid, change)


@flood("made-noise")
def made_noise(raid: Raid) -> None:
    """As ransomware does it: each file is replaced by as many bytes of noise."""
    chance = Random(300)
    replaced(raid, lambda raider, entry: raider.file(entry.path, chance.randbytes(entry.size)))


# -- what no libzmq says -------------------------------------------------------------------------


def endless(raid: Raid, kind: Socket, frame: bytes) -> None:
    """One message that never ends, of as many frames as the agent takes."""
    (place,) = raid.places
    pair = device_key.load_or_make(device_key_file(place.state))
    hand = Hand(device_key.parse_public(raid.agent.key))
    while raid.goes_on:
        try:
            connection = Connection(HOST, doors(raid)[kind], hand, pair.public, pair.secret, 2.0)
        except (NotLetIn, OSError):
            raid.counts["not let in"] += 1
            time.sleep(REDIAL_S)
            continue
        raid.counts["let in"] += 1
        with suppress(OSError):
            while raid.goes_on:
                connection.send(frame, more=True)
                raid.counts["said"] += 1
        raid.counts["cut"] += 1
        connection.close()


@flood("endless-control")
def endless_control(raid: Raid) -> None:
    endless(raid, Socket.CONTROL, bytes(60_000))


@flood("endless-bulk")
def endless_bulk(raid: Raid) -> None:
    endless(raid, Socket.BULK, bytes(MIB))


@flood("endless-small")
def endless_small(raid: Raid) -> None:
    """Empty frames on control: each costs the agent far more than its byte."""
    endless(raid, Socket.CONTROL, b"")


@flood("hang-up-full")
def hang_up_full(raid: Raid) -> None:
    """300 connections of one device send more than the agent reads, and end just before libzmq, in
    the agent, wants to ping them. libzmq aborts where the ping finds a connection that is gone and
    whose messages are not all read (4.3.5, stream_engine_base.cpp, out_event)."""
    (place,) = raid.places
    pair = device_key.load_or_make(device_key_file(place.state))
    hand = Hand(device_key.parse_public(raid.agent.key))
    tag = derive_keys(read_secret(place.home.parent / "share.secret")).tag
    said = encode(Have(tag, bytes(32), b"\1"))
    while raid.goes_on:
        crowd: list[tuple[float, Connection]] = []
        while raid.goes_on and len(crowd) < FULL_CONNECTIONS:
            try:
                port = doors(raid)[Socket.CONTROL]
                made = Connection(HOST, port, hand, pair.public, pair.secret, 2.0)
            except (NotLetIn, OSError):
                raid.counts["not let in"] += 1
                time.sleep(REDIAL_S)
                continue
            crowd.append((time.monotonic(), made))
            raid.counts["let in"] += 1
        loads = [b"".join(made.frame(said) for _ in range(FULL_MESSAGES)) for _, made in crowd]
        at = (crowd[0][0] if crowd else 0.0) + PING_S - FULL_BEFORE_S
        while raid.goes_on and time.monotonic() < at:
            time.sleep(0.001)
        for (_, made), load in zip(crowd, loads, strict=True):
            with suppress(OSError):
                raid.counts["said"] += made.push(load) // (len(load) // FULL_MESSAGES)
        time.sleep(FULL_BEFORE_S / 2)
        for _, made in crowd:
            made.reset()
        raid.counts["hung up"] += len(crowd)


# -- a paired device that is in none of our folders ----------------------------------------------


@flood("outsider")
def outsider(raid: Raid) -> None:
    """Records what it is told; in the second half it sends the received rows again, as its own."""
    (raider,) = raid.raiders()
    half = raid.until - raid.seconds / 2
    told: list[bytes] = []
    rows: dict[bytes, FolderHello] = {}
    sizes: Counter[int] = Counter()

    def hear(kind: Socket, came: zmq.Socket[bytes], frames: list[bytes]) -> None:
        told.extend(frames)
        for row in getattr(read(frames[0], kind), "folders", ()):
            rows[pack(row)] = row
        original(kind, came, frames)

    original, raider._hear = raider._hear, hear  # type: ignore[method-assign]
    claimed, listens = False, None
    while raid.goes_on:
        raider.dial_again()
        news = raider._dialed.get(Socket.NEWS)
        if news is not listens and raider.is_up:
            raider.put_raw(Socket.NEWS, b"\x01n")
            listens = news
        while news is not None and (frames := take(news)) is not None:
            told.extend(frames)
            said = read(frames[-1], Socket.NEWS)
            if isinstance(said, News):
                sizes[len(said.sealed)] += 1
        raider.turn()
        if time.monotonic() > half and not claimed:
            claimed = True
            claims = list(rows.values())  # a replay: it cannot make rows of its own
            raider.claims = claims
            raider.put(Socket.CONTROL, raider.hello())
            raider.put(Socket.BULK, Open(raider.version))
        time.sleep(0.005)
    # The files of this machine tell what it must not have been told.
    folder = derive_keys(read_secret(raid.agent.home.parent / "share.secret"))
    raid.learned |= {
        "told the folder's id": any(b"share" in frame for frame in told),
        "told the folder's tag": any(bytes(folder.tag) in frame for frame in told),
        "rows told": len(rows),
        "news heard": sizes.total(),
        "sizes of news": sorted(sizes),
    }
    raider.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=FLOODS)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--agent", required=True)
    parser.add_argument("--by", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    raid = Raid(
        Place(options.home / options.agent),
        [Place(options.home / name) for name in options.by],
        options.seconds,
        time.monotonic() + options.seconds,
    )
    raid.context.max_sockets = 8000
    FLOODS[options.name](raid)
    print(json.dumps({**{k: round(v) for k, v in raid.counts.items()}, **raid.learned}), flush=True)
    raid.context.destroy(0)


if __name__ == "__main__":
    main()
