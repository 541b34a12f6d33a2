"""Versions that a hostile device says it has, each with the refusal that is due if a check can see
the lie.

Where no refusal is due, a paired device is allowed to say it: the laws judge whether the
consequences are bearable. Knows entries as they are packed. Must not know when a lie is said.
"""

from __future__ import annotations

import random
from typing import Final

from msgspec import to_builtins

from leftzmq.content.ids import chunk_id, list_id
from leftzmq.content.lists import pack_row
from leftzmq.errors import Refusal
from leftzmq.tree.conflict import conflict_path
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.version import make_life
from leftzmq.wire.check import to_wire

from .hostile import (
    CONTENT,
    DELETED,
    DEPTH,
    EXEC,
    KIND,
    MTIME,
    PATH,
    PERMISSIONS,
    SIZE,
    STAMP,
    VECTOR,
    WRITER,
    Due,
    Fields,
    Hostile,
    changed,
    pairs,
)
from .names import TABLE
from .sayings import FRAME, NAMES, NONE, OUT, SAYINGS, Lie, one_of
from .world import SimDevice

VECTOR_: Final = frozenset((Refusal.BAD_VECTOR, Refusal.WRONG_SHAPE, Refusal.OUT_OF_RANGE))
ENTRY: Final = frozenset((Refusal.BAD_ENTRY, Refusal.OUT_OF_RANGE, Refusal.WRONG_SHAPE))
LINK: Final = frozenset((Refusal.BAD_LINK,))
YOUNG: Final = 0xFFFFFFF0


def _lives(count: int, born: int = YOUNG) -> list[bytes]:
    return sorted(make_life(n.to_bytes(4, "big"), born, bytes(4)) for n in range(count))


# ---- entries ---------------------------------------------------------------------------------

_ONE: Final = b"one who sets"  # a life
BENT: Final[dict[str, tuple[dict[int, object], Due]]] = {
    "a stamp at the end": ({STAMP: 2**62}, NONE),
    "a stamp near the end": ({STAMP: 2**62 - 2}, NONE),
    "a stamp at the beginning": ({STAMP: -(2**62)}, NONE),
    "a stamp above all": ({STAMP: 2**62 + 1}, OUT),
    "a stamp of 64 bits": ({STAMP: 2**64 - 1}, OUT),
    "a stamp below all": ({STAMP: -(2**62) - 1}, OUT),
    "an mtime at the end": ({MTIME: 2**63 - 1, STAMP: 2**62}, NONE),
    "an mtime at the beginning": ({MTIME: -(2**63)}, NONE),
    "an mtime above all": ({MTIME: 2**63}, OUT),
    "a size above all": ({SIZE: 2**60 + 1}, OUT),
    "a size below zero": ({SIZE: -1}, OUT),
    "a petabyte": ({SIZE: 2**50, DEPTH: 4}, NONE),
    "a size without lists": ({SIZE: 1 << 20}, ENTRY),
    "lists without a size": ({DEPTH: 1}, ENTRY),
    "five levels": ({SIZE: 2**50, DEPTH: 5}, OUT),
    "an empty file of something": ({SIZE: 0}, NONE),
    "a kind that is not": ({KIND: 3}, OUT),
    "a kind that is a bool": ({KIND: True}, OUT),
    "a short content": ({CONTENT: b"short"}, ENTRY),
    "a long content": ({CONTENT: bytes(5000)}, FRAME | OUT),
    "a folder with bytes": ({KIND: 1}, ENTRY),
    "a tombstone with a size": ({DELETED: True}, ENTRY),
    "an exec that is a number": ({EXEC: 1}, OUT),
    "a path that is a number": ({PATH: 7}, OUT),
    "a writer who is not in it": ({WRITER: bytes(11) + b"x"}, VECTOR_),
    "a writer cut short": ({WRITER: bytes(11)}, OUT),
    "no vector": ({VECTOR: b""}, VECTOR_),
    "half a pair": ({VECTOR: bytes(30)}, VECTOR_),
    "nil": ({VECTOR: None}, FRAME),
    "a register": ({PERMISSIONS: [1, _ONE, 0o600, 0o777]}, NONE),
    "a register from the end": ({PERMISSIONS: [2**53, _ONE, 0o600, 0o777]}, NONE),
    "a register of x alone": ({PERMISSIONS: [3, _ONE, 0o111, 0o111]}, NONE),
    "a register without a number": ({PERMISSIONS: [0, _ONE, 0o600, 0o777]}, OUT),
    "a register above all": ({PERMISSIONS: [2**53 + 1, _ONE, 0o600, 0o777]}, OUT),
    "a setuid bit": ({PERMISSIONS: [1, _ONE, 0o4755, 0o777]}, OUT),
    "bits that are not meant": ({PERMISSIONS: [1, _ONE, 0o444, 0o111]}, ENTRY),
    "an owner who may not read": ({PERMISSIONS: [1, _ONE, 0o044, 0o777]}, ENTRY),
    "a register of nobody": ({PERMISSIONS: [1, b"\xff" * 12, 0o600, 0o777]}, ENTRY),
    "a register that is a number": ({PERMISSIONS: 0o600}, OUT),
    "half a register": ({PERMISSIONS: [1, _ONE]}, OUT),
}


def _bend(name: str) -> Lie:
    other, due = BENT[name]

    def lie(m: Hostile, device: SimDevice, chance: random.Random) -> None:
        entry = m.file(chance.choice(NAMES), chance.randbytes(9))
        m.offer(device, changed(entry, other), due=due)

    return lie


def _vectors(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """Too many writers, counters out of their range, out of order, or repeated."""
    own = (m.life, m.head + 1)
    vector, due = chance.choice(
        (
            (pairs(*((life, 1) for life in _lives(10_000)), own), FRAME),
            (pairs(*((life, 1) for life in _lives(65))), VECTOR_),
            (pairs((m.life, 0)), VECTOR_),
            (pairs((m.life, 2**53 + 1)), VECTOR_),
            (pairs((m.life, 2**64 - 1)), VECTOR_),
            (pairs(own, own), VECTOR_),
            (pairs((b"\xff" * 12, 1), own), VECTOR_),
            (pairs((m.life, 2**53)), NONE),
            (pairs(*sorted([*((life, 2**53) for life in _lives(63)), own])), NONE),
            (pairs(*sorted([*((life, 1) for life in _lives(63, born=1)), own])), NONE),
        )
    )
    entry = m.file(chance.choice(NAMES), chance.randbytes(9))
    m.offer(device, changed(entry, {VECTOR: vector}), due=due)


def _names(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """A hostile name, as a file, a folder or a link."""
    _, raw, due = chance.choice(TABLE)
    path = raw.decode(errors="surrogateescape")
    entry = chance.choice(
        (m.file(path, raw[:20] + b"!"), m.folder(path), m.link(path, b"../../outside"))
    )
    m.offer(device, entry, due=due or NONE)


def _targets(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """A link to anywhere; and paths below it, as if it were a folder."""
    target, due = chance.choice(
        (
            (b"..", NONE),
            (b".", NONE),
            (b"a", NONE),
            (b"/", NONE),
            (b"/etc/passwd", NONE),
            (b".left/marker", NONE),
            (b"../" * 1365, NONE),
            (b"\x1b[2J\n", NONE),
            (b"", LINK),
            (b"a\0b", LINK),
            (b"\xff", LINK),
            (b"x" * 4096, LINK | OUT | FRAME),
        )
    )
    path = chance.choice(("a", "b", "up"))
    m.offer(device, m.link(path, target), due=due)
    if not due:
        m.offer(device, m.file(f"{path}/below", b"through the link"))


# ---- entries about what honest devices have --------------------------------------------------


def _raw(entry: Entry) -> Fields:
    fields: Fields = to_builtins(to_wire(entry), builtin_types=(bytes,))
    return fields


def _about_theirs(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """A version that an honest device has is told as deleted, replaced, seen or not seen, named
    twice, of another size, of another writer, or seen by everything that there is."""
    entry = one_of(m, device, chance)
    if entry is None:
        return
    known = m.known[device.name]
    new = m.file(entry.path, chance.randbytes(12))
    ahead = pairs(*sorted({known.life: 2**53, m.life: m.head + 1}.items()))
    theirs = pairs((known.life, known.head + chance.choice((1, 5, 10**6))))
    larger = {SIZE: entry.size + 1, STAMP: entry.stamp + 1}
    said = chance.choice(
        (
            m.gone(entry),
            m.above(m.gone(entry), entry),
            changed(m.gone(entry), {STAMP: 2**62}),
            changed(m.gone(entry), {STAMP: 2**62, CONTENT: _other(entry)}),
            m.above(new, entry),
            changed(new, {STAMP: entry.stamp + 1}),
            changed(new, {VECTOR: ahead, STAMP: entry.stamp + 1}),
            changed(new, {WRITER: known.life, VECTOR: theirs, STAMP: entry.stamp + 1}),
            changed(_raw(entry), {CONTENT: new[CONTENT]} if entry.kind is Kind.FILE else {}),
            changed(_raw(entry), {STAMP: entry.stamp + 1}),
            changed(_raw(entry), {STAMP: 2**62}),
            changed(_raw(entry), larger if entry.depth or entry.kind is Kind.FILE else {}),
            changed(_raw(entry), {MTIME: 2**63 - 1} if entry.kind is Kind.FILE else {}),
            changed(m.folder(entry.path), {STAMP: entry.stamp + 1}),
            m.above(m.folder(entry.path), entry),
            m.above(m.link(entry.path, b"../outside"), entry),
            changed(m.link(entry.path, b"../outside"), {STAMP: 2**62}),
        )
    )
    m.offer(device, said)
    m.offer(device, m.file(conflict_path(entry), b"where a copy would be"))


def _other(entry: Entry) -> bytes:
    if entry.kind is Kind.DIRECTORY:
        return b""
    return bytes(32) if entry.kind is Kind.FILE else b"elsewhere"


def _grows(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """The same version again and again, seen by ever more."""
    entry = one_of(m, device, chance)
    if entry is None:
        return
    for count in (10, 62, 63):
        more = dict.fromkeys(_lives(count), count) | {entry.writer: entry.counter}
        m.offer(device, changed(_raw(entry), {VECTOR: pairs(*sorted(more.items()))}))


def _older(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """A version, then an older version of the same path, in one chain."""
    path = chance.choice(NAMES)
    m.offer(device, m.file(path, b"newer" + chance.randbytes(4)))
    m.offer(device, changed(m.file(path, b"older" + chance.randbytes(4)), {STAMP: 5, MTIME: 5}))


# ---- trees -----------------------------------------------------------------------------------


def _within_itself(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """A folder in itself, over and over; and a link to a folder above it."""
    deep = ["/".join(["a"] * depth) for depth in range(1, chance.choice((3, 40, 128)))]
    for at in range(0, len(deep), 60):
        m.offer(device, *(m.folder(path) for path in deep[at : at + 60]))
    m.offer(device, m.link("a/up", b".."))
    if len(deep) == 127:
        due = frozenset((Refusal.PATH_TOO_LONG,))
        m.offer(device, m.folder("/".join(["a"] * 129)), due=due)


def _torn_trees(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """Files below files, names that some file systems cannot tell apart, children without parents,
    parents that are deleted before their children."""
    said: list[Fields] = chance.choice(
        (
            [m.file("f", b"f"), m.file("f/below", b"below a file")],
            [m.file("Twin", b"1"), m.file("tWIN", b"2"), m.file("twin", b"3")],
            [m.file("\u00e9", b"NFC"), m.file("e\u0301", b"NFD")],
            [m.file("no/such/folder/f", b"x")],
            [changed(m.folder("b"), {DELETED: True, STAMP: 2**61}), m.file("b/new", b"y")],
            [m.folder("g"), m.link("g/l", b"../a"), m.file("g/l/f", b"z")],
            [m.file("x", b"one"), changed(m.file("x y", b""), {SIZE: 0})],
        )
    )
    m.offer(device, *said)


def _large(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """A large file: a correct one, or one whose lists lie about length, depth or each other."""
    data = random.Random(chance.random()).randbytes(chance.choice((300_000, 700_000)))
    true = m.file(chance.choice(NAMES), data)
    top, again = _list_of_lists(m)
    m.offer(
        device,
        chance.choice(
            (
                true,
                changed(true, {SIZE: len(data) + 1}),
                changed(true, {DEPTH: 2}),
                changed(true, {DEPTH: 4, SIZE: 2**59}),
                changed(true, {CONTENT: top, DEPTH: 2, SIZE: 2**40}),
                changed(true, {CONTENT: again, DEPTH: 4, SIZE: 2**58}),
                changed(true, {CONTENT: bytes(32)}),
                changed(true, {CONTENT: chunk_id(m.keys, data[:1000])}),
            )
        ),
    )
    m.control(device, [7, m.keys.tag, true[CONTENT], b"\xff" * (48 << 10)])


def _withheld(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """More files than any device works at at once, and no answer to a get for one of them."""
    size = chance.choice((1000, 20_000, 300_000, 20_000_000))
    said = [m.withholds(f"{size} never {number}", size) for number in range(60)]
    m.offer(device, *said)


def _list_of_lists(m: Hostile) -> tuple[bytes, bytes]:
    """A list that names one chunk and one list over and over; the inner list names itself as the
    same."""
    bottom = pack_row(chunk_id(m.keys, b"chunk"), 1 << 20) * 14_563
    ids: list[bytes] = []
    for _ in range(4):
        id = bytes(list_id(m.keys, bottom))
        m.data[id] = bottom
        m.lists.add(id)
        ids.append(id)
        bottom = pack_row(id, len(bottom)) * 14_563
    return ids[1], ids[3]


LIES: Final[dict[str, Lie]] = {
    **{f"bent: {name}": _bend(name) for name in BENT},
    "vectors": _vectors,
    "names": _names,
    "targets": _targets,
    "about theirs": _about_theirs,
    "grows": _grows,
    "older": _older,
    "within itself": _within_itself,
    "torn trees": _torn_trees,
    "large": _large,
    "withheld": _withheld,
    **SAYINGS,
}
WEIGHTS: Final = {
    "about theirs": 30,
    "names": 8,
    "vectors": 6,
    "sequences": 8,
    "large": 4,
    "withheld": 4,
    "orders": 10,
}
