"""A paired device that holds the folder's secret and obeys nothing: what it has, and how it says
it.

It packs its frames with a msgpack of its own. Its frames arrive as bytes and pass through the
codec, the checks and the seal of an agent. Knows honest devices by their messages. Must not know
the purpose of a lie (`lies`, `sayings`), nor when the device connects and leaves (`siege`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgpack
from blake3 import blake3
from nacl.public import PrivateKey

from leftzmq.content.cut import ONE_CHUNK_MAX_BYTES, Cutter
from leftzmq.content.ids import chunk_id
from leftzmq.content.keys import device_mark, pair_of
from leftzmq.content.lists import build, pack_row
from leftzmq.content.seal import MAC_BYTES, seal_chunk, seal_list, seal_page, seal_row
from leftzmq.errors import Refusal
from leftzmq.sync.link import DeviceKey, Way
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.version import make_life
from leftzmq.wire.codec import Socket
from leftzmq.wire.messages import (
    VERSION,
    Chunks,
    EpochKey,
    Get,
    Hello,
    IndexPage,
    IndexSince,
    Message,
    News,
    RosterPart,
)
from leftzmq.wire.padding import padded
from leftzmq.wire.page import open_sealed

from .node import FOLDER
from .world import SimDevice

NO_LIFE: Final = bytes(12)
NAME: Final = "M"
STARTED_S: Final = 1_799_999_000
MTIME_NS: Final = 1_790_000_000_000_000_000

Due = frozenset[Refusal]
"""One of these refusals must follow; empty: the message breaks no rule that a codec can see."""
Fields = list[object]
"""Of an entry or a page, in the order of the wire."""
PATH, KIND, SIZE, MTIME, EXEC, CONTENT, DEPTH, VECTOR, WRITER, STAMP, DELETED = range(11)
PERMISSIONS = 11
Say = Callable[[SimDevice, Socket, Way, list[bytes], Due], None]


@dataclass(slots=True)
class Known:
    """What an honest device told: its life, its head, its entries by path."""

    life: bytes
    head: int
    entries: dict[str, Entry]


class Hostile:
    """say: sends frames. manner: how often it lies when it is asked for chunks or for its index."""

    name: Final = NAME

    def __init__(self, device: SimDevice, chance: random.Random, say: Say) -> None:
        self.key = DeviceKey(NAME.encode().ljust(32, b"-"))
        self.keys, self._chance, self._say = device.keys, chance, say
        self.life = make_life(device_mark(self.key), STARTED_S, b"lies")
        self.head = 0
        self.entries: dict[object, tuple[int, Fields]] = {}
        self.data: dict[bytes, bytes] = {}
        self.lists: set[bytes] = set()
        self.known: dict[str, Known] = {}
        self.manner = 0.3  # how often it lies when it is asked
        self.asked: list[Get] = []
        self.withheld: set[bytes] = set()  # contents: it answers no get for these
        self.serve: Callable[[SimDevice, Get], None] = self._answer
        self.hang_up: Callable[[SimDevice], None] = lambda device: None
        self.heard_chunks: Callable[[Chunks], None] = lambda chunks: None
        self._new: list[tuple[Kind, bytes]] = []
        self.secret = b""  # the secret half of its key, where that is one
        self.epochs = {bytes(device.keys.tag): device.keys.first}  # whose secrets it has, by tag
        self.capabilities: tuple[str, ...] = ("have", "modes", "what comes later")
        self.hear_roster: Callable[[SimDevice, Message], None] = lambda device, message: None

    def gets_keys(self) -> None:
        """From now on it has a key of its own, with which it signs, and speaks of rosters."""
        pair = PrivateKey(blake3(NAME.encode()).digest())
        self.key, self.secret = DeviceKey(bytes(pair.public_key)), bytes(pair)
        self.life = make_life(device_mark(self.key), STARTED_S, b"lies")
        self.capabilities = (*self.capabilities, "roster")

    # -- saying ---------------------------------------------------------------------------------

    def control(self, device: SimDevice, message: object, due: Due = frozenset()) -> None:
        self._say(device, Socket.CONTROL, Way.DIALED, [packed(message)], due)

    def says(self, device: SimDevice, way: Way, message: object) -> None:
        """Send a message on control, over the link that the hostile device dialed or over the other
        one."""
        self._say(device, Socket.CONTROL, way, [packed(message)], frozenset())

    def raw(
        self, device: SimDevice, socket: Socket, way: Way, frames: list[bytes], due: Due
    ) -> None:
        self._say(device, socket, way, frames, due)

    def bulk(
        self, device: SimDevice, message: object, *body: bytes, due: Due = frozenset()
    ) -> None:
        self._say(device, Socket.BULK, Way.CAME, [packed(message), *body], due)

    def page(self, device: SimDevice, fields: Fields, due: Due = frozenset(), tag: int = 6) -> None:
        """Send a page made by hand. tag: 6: news; 5: an answer to index_since."""
        frame = packed([tag, self.keys.tag, self.sealed(packed(fields))])
        socket = Socket.NEWS if tag == 6 else Socket.CONTROL
        self._say(device, socket, Way.DIALED, [frame], due)

    def sealed(self, plain: bytes) -> bytes:
        return seal_page(self.keys.first, padded(plain), self._chance.randbytes(24))

    def fields(self, entries: list[Fields], after: int, last: int, **other: object) -> Fields:
        """Returns a page of ours that is correct except for the fields in `other`."""
        page: dict[str, object] = {
            "device": bytes(self.key),
            "folder": FOLDER,
            "life": self.life,
            "after": after,
            "last": last,
            "head": max(last, self.head),
            "whole": False,
            "entries": entries,
            "accepted": [],
        }
        return list((page | other).values())

    def offer(self, device: SimDevice, *entries: Fields, due: Due = frozenset()) -> None:
        """Have these entries from now on, and announce them as an honest device would."""
        before = self.head
        for entry in entries:
            self.head += 1
            if not due:
                self.entries[entry[PATH]] = (self.head, entry)
        page = self.fields(list(entries), before, self.head, head=self.head)
        self.page(device, page, due)

    # -- what it has ----------------------------------------------------------------------------

    def file(self, path: object, data: bytes) -> Fields:
        """Returns a correct version of a file that others can fetch from us."""
        content, depth = self._store(data)
        vector = pairs((self.life, self.head + 1))
        kind = int(Kind.FILE)
        return [
            *(path, kind, len(data), MTIME_NS, False, content, depth, vector),
            *(self.life, MTIME_NS, False, None),
        ]

    def withholds(self, path: str, size: int) -> Fields:
        """Returns a version of a file of which the device gives nothing, not even an answer."""
        content = self._chance.randbytes(32)
        self.withheld.add(content)
        other = {SIZE: size, CONTENT: content, DEPTH: int(size > ONE_CHUNK_MAX_BYTES)}
        return changed(self.file(path, b""), other)

    def folder(self, path: object) -> Fields:
        return changed(self._bare(path), {KIND: int(Kind.DIRECTORY), STAMP: 0})

    def link(self, path: object, target: bytes) -> Fields:
        self._new.append((Kind.SYMLINK, target))
        return changed(self._bare(path), {KIND: int(Kind.SYMLINK), CONTENT: target})

    def gone(self, entry: Entry, **other: int) -> Fields:
        """Returns the tombstone of an honest device's version."""
        tomb = changed(self._bare(entry.path), {KIND: int(entry.kind), DELETED: True})
        return changed(tomb, {CONTENT: bytes(entry.content), STAMP: entry.stamp + 1})

    def _bare(self, path: object) -> Fields:
        return changed(self.file(path, b""), {MTIME: 0, CONTENT: b""})

    def above(self, fields: Fields, entry: Entry) -> Fields:
        """Returns the fields as if they had been made from this version."""
        both = dict(entry.vector.pairs) | {self.life: self.head + 1}
        vector = pairs(*sorted(both.items())[:64])
        return changed(fields, {VECTOR: vector, STAMP: min(entry.stamp + 1, 2**62)})

    def _store(self, data: bytes) -> tuple[bytes, int]:
        self._new.append((Kind.FILE, data))
        if len(data) <= ONE_CHUNK_MAX_BYTES:
            id = chunk_id(self.keys, data)
            self.data[id] = data
            return bytes(id), 0
        rows, start = b"", 0
        for length in Cutter(self.keys).cut(memoryview(data), last=True):
            chunk = data[start : start + length]
            id = chunk_id(self.keys, chunk)
            self.data[id] = chunk
            rows, start = rows + pack_row(id, length), start + length
        listed = build(self.keys, rows)
        self.data.update(listed.lists)
        self.lists.update(id for id, _ in listed.lists)
        return bytes(listed.content), listed.depth

    def contents(self) -> list[tuple[Kind, bytes]]:
        """Returns all bytes and targets that others may get from it, and that this method has not
        returned yet."""
        new, self._new = self._new, []
        return new

    # -- receiving ------------------------------------------------------------------------------

    def hear(self, device: SimDevice, message: Message) -> None:
        match message:
            case Hello():
                self.control(device, self.welcome(device))
                self.control(device, [4, self.keys.tag, NO_LIFE, 0])
            case IndexPage() | News():
                self._learn(device, message)
            case IndexSince():
                self._tell_index(device, message)
            case Get():
                self.asked.append(message)
                about = [*message.lists, *(want.content for want in message.wants)]
                if not self.withheld.intersection(about):
                    self.serve(device, message)
            case Chunks():
                self.heard_chunks(message)
            case RosterPart() | EpochKey():
                self.hear_roster(device, message)

    def greet(self, device: SimDevice) -> None:
        """Greet the device over connections that the hostile device made itself."""
        self.says(device, Way.CAME, self.hello(device))
        self._say(device, Socket.BULK, Way.CAME, [packed([16, VERSION])], frozenset())

    def hello(self, device: SimDevice) -> list[object]:
        return [1, VERSION, NAME, [self.row(device)], list(self.capabilities)]

    def welcome(self, device: SimDevice) -> list[object]:
        return [
            2,
            VERSION,
            NAME,
            [self.row(device)],
            1,
            2,
            32 << 20,
            False,
            list(self.capabilities),
        ]

    def row(self, device: SimDevice, head: int | None = None) -> list[object]:
        """Returns a row of its folder for this device: it has the secret, and proves it."""
        plain = self.life + (self.head if head is None else head).to_bytes(8, "big") + bytes(20)
        pair = pair_of(self.keys, self.key, device.key)
        return [pair.proof, seal_row(pair.key, plain, self._chance.randbytes(24))]

    def _learn(self, device: SimDevice, message: IndexPage | News) -> None:
        epoch = self.epochs.get(bytes(message.tag))
        if epoch is None:
            return
        page = open_sealed(message.sealed, epoch, device=device.key, folder=FOLDER)
        known = self.known.setdefault(device.name, Known(page.life, 0, {}))
        known.life, known.head = page.life, page.last
        known.entries.update((entry.path, entry) for entry in page.entries)

    def _tell_index(self, device: SimDevice, ask: IndexSince) -> None:
        if self._chance.random() < self.manner:
            self.lie_about_index(device, self._chance.choice((0, 2, 5, 80)))
            return
        whole = ask.life != self.life
        after = 0 if whole else min(ask.after, self.head)
        new = sorted((at, entry) for at, entry in self.entries.values() if at > after)
        page = self.fields([entry for _, entry in new[-100:]], after, self.head, whole=whole)
        self.page(device, page, tag=5)

    def lie_about_index(self, device: SimDevice, times: int) -> None:
        """Send a whole index that never ends, begun again and again under other lives."""
        for number in range(times):
            life = make_life(device_mark(self.key), STARTED_S + number, b"more")
            self.page(device, self.fields([], 0, 1, head=9, whole=True, life=life), tag=5)
            self.page(device, self.fields([], 5, 6, head=9, whole=True), tag=5)

    # -- serving --------------------------------------------------------------------------------

    def _answer(self, device: SimDevice, get: Get) -> None:
        ids = [*get.lists, *(ask.id for want in get.wants for ask in want.asks)]
        if self._chance.random() >= self.manner:
            self.give(device, get, {id: self.data[id] for id in ids if id in self.data})
            return
        match self._chance.randrange(8):
            case 0:
                return  # silence
            case 1:
                self.give(device, get, {})
            case 2:
                self.give(device, get, dict.fromkeys(ids, b"not these"))
            case 3:
                self.give(device, get, {id: self.data.get(id, b"") + b"more" for id in ids})
            case 4:
                self.give(device, get, {bytes(32): b"you will like this"})
            case 5:  # each chunk twice, and as missing
                have = {id: self.data[id] for id in ids if id in self.data}
                self.give(device, get, have)
                self.give(device, get, have)
                self.bulk(device, [18, get.number, get.tag, [], ids + ids], b"")
            case 6:
                parts = [[id, 1 << 20] for id in ids[:1]]
                box = bytes((1 << 20) + MAC_BYTES)
                self.bulk(device, [18, get.number, get.tag, parts, []], box)
            case 7:
                frame = [18, get.number, get.tag, [[id, 0] for id in ids[:1]] * 2, ids[:1]]
                self.bulk(device, frame, bytes(2 * MAC_BYTES))

    def give(self, device: SimDevice, get: Get, plain: dict[bytes, bytes]) -> None:
        """Answer with these bytes, correctly sealed; ids that are not in `plain` are missing."""
        asked = [*get.lists, *(ask.id for want in get.wants for ask in want.asks)]
        boxes = [
            (id, seal_list(self.keys.first, id, data) if id in get.lists else self._box(id, data))
            for id, data in plain.items()
        ]
        missing = [id for id in asked if id not in plain]
        for at in range(0, max(len(boxes), 1), 4):
            some = boxes[at : at + 4]
            parts = [[id, len(box) - MAC_BYTES] for id, box in some]
            body = b"".join(box for _, box in some)
            if len(body) <= 1 << 20:
                self.bulk(device, [18, get.number, get.tag, parts, []], body)
        if missing:
            self.bulk(device, [18, get.number, get.tag, [], missing], b"")

    def _box(self, id: bytes, data: bytes) -> bytes:
        return seal_chunk(self.keys.first, id, data)


def packed(what: object) -> bytes:
    """Returns msgpack as the wire has it; bytes that are no UTF-8 may stand where a text
    belongs."""
    data: bytes = msgpack.packb(what, use_bin_type=True, unicode_errors="surrogateescape")
    return data


def pairs(*some: tuple[bytes, int]) -> bytes:
    return b"".join(writer + (count % 2**64).to_bytes(8, "big") for writer, count in some)


def changed(fields: Fields, other: Mapping[int, object]) -> Fields:
    return [other.get(at, field) for at, field in enumerate(fields)]
