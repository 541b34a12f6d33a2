"""A device made by hand, which sends what no agent sends: raw bytes, lies, another version,
silence.

It has an Actor's device key, port and folder secret, and no agent behind them. It listens like an
agent, so agents can dial it, and it dials when it is told to. It does nothing by itself: a test
calls `turn`, and so decides when it answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import zmq
from msgspec.structs import replace

from leftzmq.cli.demo.stage import Actor
from leftzmq.content.cut import ONE_CHUNK_MAX_BYTES, Cutter
from leftzmq.content.ids import chunk_id
from leftzmq.content.keys import derive_keys, device_mark
from leftzmq.content.lists import build, pack_row
from leftzmq.content.seal import MAC_BYTES, fresh_nonce, seal_chunk, seal_list
from leftzmq.endpoint import Endpoint
from leftzmq.errors import Refusal, Refused
from leftzmq.statedir import device_key_file, read_secret
from leftzmq.transport import device_key, socket_options
from leftzmq.tree.entry import ContentId, Entry, Kind
from leftzmq.tree.version import Life, Vector, make_life
from leftzmq.wire import page as pages
from leftzmq.wire.codec import Socket, decode, encode
from leftzmq.wire.folder_rows import Standing, row
from leftzmq.wire.messages import (
    NEWS_TOPIC,
    VERSION,
    Chunks,
    FolderHello,
    Get,
    Hello,
    IndexPage,
    IndexSince,
    Message,
    News,
    Open,
    Part,
    Refusing,
    Welcome,
)
from leftzmq.wire.page import Page

HOST = "127.0.0.1"
NO_LIFE = Life(bytes(12))
PAGE_ENTRIES = 100
MTIME_NS = 1_600_000_000_000_000_000
_SUBSCRIBES = b"\x01"

Answer = Callable[["Stranger", Get], list[bytes] | None]
"""Returns the frames that answer a get; None: silence."""


def ports(agent: Actor) -> dict[Socket, int]:
    """Returns the ports that a running agent has bound."""
    remembered = json.loads((agent.state / "ports.json").read_text())
    return {
        Socket.CONTROL: agent.port,
        Socket.BULK: remembered["bulk"],
        Socket.NEWS: remembered["news"],
    }


class Stranger:
    """greets: answers hello, and says hello. tells_index: answers index_since. version: the version
    that it sends. answer: called for every get.

    agents: the devices to which it proves that it has the folder
    others: ports that it must not take, though they are still free
    heard: the received messages, decoded, in order. asked: every get. data: plain bytes by their
    ids
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        actor: Actor,
        secret: bytes,
        agents: list[Actor],
        others: Collection[int] = frozenset(),
    ) -> None:
        pair = device_key.load_or_make(device_key_file(actor.state))
        self.name, self.device, self.keys = actor.name, pair.public, derive_keys(secret)
        self._agents = agents
        self.life = make_life(device_mark(self.device), 1_700_000_000, b"test")
        self.version, self.greets = VERSION, True
        self.answer: Answer = honest
        self.tells_index = True
        self.entries: list[Entry] = []
        self.data: dict[bytes, bytes] = {}
        self.lists: set[bytes] = set()
        self.heard: list[Message] = []
        self.asked: list[Get] = []
        self._context, self._pair = context, pair
        # No gate answers in this context, so every device that pins our key is let in.
        self._bound = {kind: socket_options.bound(context, kind, pair, HOST) for kind in Socket}
        self._bound[Socket.CONTROL].bind(f"tcp://{HOST}:{actor.port}")
        self._ports = [self._bind(kind, others) for kind in (Socket.BULK, Socket.NEWS)]
        self._routes: dict[Socket, bytes] = {}
        self._dialed: dict[Socket, zmq.Socket[bytes]] = {}

    def _bind(self, kind: Socket, others: Collection[int]) -> int:
        socket = self._bound[kind]
        while True:
            socket.bind(f"tcp://{HOST}:0")
            bound = socket.getsockopt_string(zmq.LAST_ENDPOINT)
            port = Endpoint.parse(bound, "libzmq", own=True).port
            if port not in others:
                return port
            socket.unbind(bound)

    def close(self) -> None:
        for socket in (*self._bound.values(), *self._dialed.values()):
            socket.close(0)

    # -- speaking ------------------------------------------------------------------------------

    def dial(self, other: Actor) -> None:
        """Connect (anew) control, bulk and news to an agent, and say hello and open."""
        key = device_key.parse_public(other.key)
        for socket in self._dialed.values():
            socket.close(0)
        for kind, port in ports(other).items():
            socket = self._dialed[kind] = socket_options.dialed(
                self._context, kind, self._pair, key, HOST
            )
            if kind is Socket.NEWS:
                socket.close(0)  # XSUB says raw subscriptions, SUB only good ones
                socket = self._dialed[kind] = self._raw_subscriber(key)
            # A message may be sent at once, and waits for the connection.
            socket.immediate = 0
            self._before_connect(kind, socket)
            socket.connect(f"tcp://{HOST}:{port}")
        if self.greets:
            self.say(Socket.CONTROL, encode(Hello(self.version, self.name, self._folders(), [])))
            self.say(Socket.BULK, encode(Open(self.version)))

    def _before_connect(self, kind: Socket, socket: zmq.Socket[bytes]) -> None:
        """For tests that watch how a connection is made: a later monitor would miss it."""

    def _raw_subscriber(self, key: bytes) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.XSUB)
        socket.linger = 0
        socket.curve_publickey, socket.curve_secretkey = self._pair.public, self._pair.secret
        socket.curve_serverkey = key
        return socket

    def say(self, kind: Socket, *frames: bytes) -> None:
        """Send raw frames over what we dialed, or else to the devices that dialed us; all of ours
        on news."""
        if kind in self._dialed:
            self._dialed[kind].send_multipart(frames, zmq.DONTWAIT)
        elif kind is Socket.NEWS:
            self._bound[kind].send_multipart(frames, zmq.DONTWAIT)
        else:
            self._bound[kind].send_multipart([self._routes[kind], *frames], zmq.DONTWAIT)

    def hears_from(self, kind: Socket) -> bool:
        """Whether an agent is connected to this socket of ours, so that `say` finds it."""
        return kind in self._routes

    def offer(self, *entries: Entry) -> None:
        """Have these entries, and tell them: in every index from now on, and as news to
        subscribers."""
        before = len(self.entries)
        self.entries += entries
        self._tell(self.page(self.entries[before:], before))

    def _tell(self, page: Page) -> None:
        self._bound[Socket.NEWS].send_multipart([NEWS_TOPIC, self.news(page)], zmq.DONTWAIT)

    def page(self, entries: list[Entry], after: int, *, whole: bool = False) -> Page:
        head, last = len(self.entries), after + len(entries)
        return Page(self.device, "share", self.life, after, last, head, whole, tuple(entries))

    def news(self, page: Page) -> bytes:
        return encode(News(self.keys.tag, self.seal(page)))

    def seal(self, page: Page) -> bytes:
        return pages.seal(page, self.keys.first, fresh_nonce())

    # -- what it has -----------------------------------------------------------------------------

    def file(self, path: str, data: bytes) -> Entry:
        """Returns the entry of a file of this device, which it can serve; nothing of it is
        checked."""
        content, depth = self._store(data)
        counter = len(self.entries) + 1
        return Entry(
            path=path,
            kind=Kind.FILE,
            size=len(data),
            mtime_ns=MTIME_NS,
            exec=False,
            content=content,
            depth=depth,
            vector=Vector.of([(self.life, counter)]),
            writer=self.life,
            stamp=MTIME_NS,
            deleted=False,
        )

    def folder(self, path: str) -> Entry:
        """Returns the entry of a folder of this device."""
        entry = self.file(path, b"")
        return replace(entry, kind=Kind.DIRECTORY, mtime_ns=0, content=ContentId(b""), stamp=0)

    def _store(self, data: bytes) -> tuple[ContentId, int]:
        if len(data) <= ONE_CHUNK_MAX_BYTES:
            id = chunk_id(self.keys, data)
            self.data[id] = data
            return ContentId(id), 0
        rows = b""
        start = 0
        for length in Cutter(self.keys).cut(memoryview(data), last=True):
            chunk = data[start : start + length]
            self.data[chunk_id(self.keys, chunk)] = chunk
            rows += pack_row(chunk_id(self.keys, chunk), length)
            start += length
        listed = build(self.keys, rows)
        self.data.update(listed.lists)
        self.lists.update(id for id, _ in listed.lists)
        return listed.content, listed.depth

    # -- its turn --------------------------------------------------------------------------------

    def turn(self) -> None:
        """Take the waiting messages, and answer them."""
        for kind in (Socket.CONTROL, Socket.BULK):
            for came in (self._bound.get(kind), self._dialed.get(kind)):
                while came is not None and (frames := _take(came)) is not None:
                    if came is self._bound[kind]:
                        self._routes[kind] = frames.pop(0)
                    self._hear(kind, came, frames)
        while (frames := _take(self._bound[Socket.NEWS])) is not None:
            self._routes[Socket.NEWS] = b""
            if self.entries and frames[0].startswith(_SUBSCRIBES):
                # As an agent does: who comes late hears how far we are, and asks for the rest.
                self._tell(self.page([], len(self.entries)))

    def _hear(self, kind: Socket, came: zmq.Socket[bytes], frames: list[bytes]) -> None:
        try:
            message = decode(frames[0], kind)
        except Refused:
            return
        self.heard.append(message)
        match message:
            case Hello() if self.greets and self.version != message.version:
                why = f"it speaks {message.version}, this device speaks {self.version}"
                refusing = Refusing(self.version, Refusal.OTHER_VERSION.name, why)
                self._reply(kind, came, encode(refusing))
            case Hello() if self.greets:
                self._reply(kind, came, encode(self._welcome()))
            case IndexSince() if self.tells_index:
                for sealed in self._index(message):
                    self._reply(kind, came, encode(IndexPage(self.keys.tag, sealed)))
            case Get():
                self.asked.append(message)
                answer = self.answer(self, message)
                if answer is not None:
                    self._reply(kind, came, *answer)

    def _reply(self, kind: Socket, came: zmq.Socket[bytes], *frames: bytes) -> None:
        route = [self._routes[kind]] if came is self._bound[kind] else []
        try:
            came.send_multipart([*route, *frames], zmq.DONTWAIT)
        except zmq.ZMQError:
            return  # its connection is gone

    def _index(self, asked: IndexSince) -> list[bytes]:
        """Returns the index in pages that each fit a frame."""
        whole, head = asked.life != self.life, len(self.entries)
        after = 0 if whole else asked.after
        return [
            self.seal(self.page(self.entries[at : at + PAGE_ENTRIES], at, whole=whole))
            for at in range(after, head, PAGE_ENTRIES) or (after,)
        ]

    def _folders(self) -> list[FolderHello]:
        """Returns a row for each agent: the dialing agent is not known here, and finds its own
        row."""
        said = Standing("share", self.life, len(self.entries), NO_LIFE, 0)
        return [
            row(self.keys, self.device, device_key.parse_public(agent.key), said, fresh_nonce())
            for agent in self._agents
        ]

    def _welcome(self) -> Welcome:
        folders = self._folders()
        bulk, news = self._ports
        return Welcome(self.version, self.name, folders, bulk, news, 32 << 20, False, [])


def honest(stranger: Stranger, get: Get) -> list[bytes] | None:
    """Returns one answer with all chunks that were asked for: a test must not ask for more than a
    frame holds."""
    return answer_of(stranger, get, {id: stranger.data[id] for id in ids_of(get)})


def silent(stranger: Stranger, get: Get) -> list[bytes] | None:
    return None


def ids_of(get: Get) -> list[bytes]:
    return [*get.lists, *(ask.id for want in get.wants for ask in want.asks)]


def answer_of(stranger: Stranger, get: Get, plain: dict[bytes, bytes]) -> list[bytes]:
    """Returns an answer that claims these bytes for these ids, correctly sealed."""
    keys = stranger.keys
    boxes = [
        (
            id,
            seal_list(keys.first, id, data)
            if id in get.lists
            else seal_chunk(keys.first, id, data),
        )
        for id, data in plain.items()
    ]
    parts = [Part(id, len(box) - MAC_BYTES) for id, box in boxes]
    return [encode(Chunks(get.number, get.tag, parts, [])), b"".join(box for _, box in boxes)]


def _take(socket: zmq.Socket[bytes]) -> list[bytes] | None:
    try:
        return socket.recv_multipart(zmq.DONTWAIT)
    except zmq.ZMQError:
        return None


@contextmanager
def strangers(actors: list[Actor], agents: list[Actor]) -> Iterator[list[Stranger]]:
    """Yields a stranger for each of these actors, none of which runs an agent; the `agents` do,
    later."""
    context = zmq.Context()
    taken = {actor.port for actor in (*actors, *agents)}
    made: list[Stranger] = []
    try:
        for actor in actors:
            secret = read_secret(actor.home.parent / "share.secret")
            made.append(Stranger(context, actor, secret, agents, taken))
        yield made
    finally:
        for stranger in made:
            stranger.close()
        context.destroy(0)
