"""Pages and messages that a hostile device sends: impossible numbers, questions that nobody asks,
answers that nobody wanted, and noise. Each has its due refusal.

Knows pages and messages as they are packed. Must not know what versions mean (`lies` does).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from leftzmq.errors import Refusal
from leftzmq.sync.link import Way
from leftzmq.tree.entry import Entry, Kind
from leftzmq.wire.codec import Socket
from leftzmq.wire.messages import VERSION

from .hostile import NO_LIFE, Due, Hostile, packed
from .world import SimDevice

Lie = Callable[[Hostile, SimDevice, random.Random], None]

OUT: Final = frozenset((Refusal.OUT_OF_RANGE, Refusal.WRONG_SHAPE))
PAGE: Final = frozenset((Refusal.BAD_PAGE, Refusal.OUT_OF_RANGE, Refusal.WRONG_SHAPE))
FRAME: Final = frozenset((Refusal.TOO_LONG, Refusal.NOT_MSGPACK, Refusal.WRONG_SHAPE))
NONE: Final[Due] = frozenset()
OTHER: Final = b"another life"
NAMES: Final = ("a", "b", "c", "A", "d.txt", "ä", "a/b", "b/c", "b/a")


def one_of(m: Hostile, device: SimDevice, chance: random.Random) -> Entry | None:
    """Returns a version that this device has, as far as the hostile device has heard."""
    known = m.known.get(device.name)
    entries = [e for e in known.entries.values() if not e.deleted] if known else []
    return chance.choice(sorted(entries, key=lambda e: e.path)) if entries else None


def _lives(count: int) -> list[list[object]]:
    """Returns ranges that accept everything that so many lives will ever write."""
    return [[bytes([number]) * 12, 1, 2**53] for number in range(1, count + 1)]


# ---- pages -----------------------------------------------------------------------------------


def _sequences(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """Sequences that go backwards, repeat, leave gaps, or are impossible."""
    entry = m.file(chance.choice(NAMES), chance.randbytes(9))
    head, end = m.head, 2**53
    theirs = m.known[device.name].life if device.name in m.known else m.life
    page, due = chance.choice(
        (
            (m.fields([entry], head + 5, head + 6, head=head + 6), NONE),
            (m.fields([entry], 0, 1, head=1), NONE),
            (m.fields([entry], end - 1, end, head=end), NONE),
            (m.fields([], end, end, head=end), NONE),
            (m.fields([entry], head, head + 1, head=head + 1, life=theirs), NONE),
            (m.fields([entry], head, head + 1, head=head + 1, whole=True), NONE),
            (m.fields([entry], 6, 5, head=9), PAGE),
            (m.fields([entry], 5, 6, head=5), PAGE),
            (m.fields([entry], -1, 1, head=1), PAGE),
            (m.fields([entry], end, end + 1, head=end + 1), PAGE),
            (m.fields([entry, entry], 0, 2, head=2), PAGE),
            (m.fields([entry, m.file("q", b"q")], 0, 1, head=1), PAGE),
            (m.fields([], 3, 3, head=9), PAGE),
            (m.fields([entry], 0, 1, head=1, life=NO_LIFE), PAGE),
            (m.fields([entry], 0, 1, head=1, device=bytes(device.key)), _the(Refusal.NOT_ITS_NAME)),
            (m.fields([entry], 0, 1, head=1, folder="other"), NONE),
            (m.fields([entry] * 200, 0, 200, head=200), FRAME | OUT),
            (m.fields([], end, end, head=end, accepted=_lives(1)), NONE),
            (m.fields([], end, end, head=end, accepted=_lives(64)), NONE),
            (m.fields([], end, end, head=end, accepted=_lives(65)), FRAME | OUT),
            (m.fields([], end, end, head=end, accepted=_lives(3)[::-1]), PAGE),
            (m.fields([], 5, 6, head=6, accepted=[[m.life, 1, 7]]), PAGE),
            (m.fields([], 5, 6, head=6, accepted=[[OTHER, 9, 7]]), PAGE),
            (m.fields([], 5, 6, head=6, accepted=[[OTHER, 0, 7]]), PAGE),
            (m.fields([], 5, 6, head=6, accepted=[[NO_LIFE, 1, 7]]), PAGE),
            (m.fields([], 5, 6, head=6, accepted=[[OTHER, 1]]), FRAME),
            ([*m.fields([entry], 0, 1, head=1), 0], FRAME),
            (m.fields([entry], 0, 1, head=1)[:-1], FRAME),
        )
    )
    m.page(device, page, due, tag=chance.choice((5, 6)))


def _the(refusal: Refusal) -> Due:
    return frozenset((refusal,))


# ---- messages --------------------------------------------------------------------------------


def _messages(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """Questions and greetings that no honest device would send."""
    tag, end = m.keys.tag, 2**53
    row, other = m.row(device, chance.choice((0, 7, end))), [bytes(16), bytes(80)]
    said, due = chance.choice(
        (
            ([1, VERSION, "x" * 256, [row] * 64, ["\x1b[2J" * 8] * 64], NONE),
            ([2, VERSION, "\x1b[2J", [row], 1, 65535, 1 << 30, True, []], NONE),
            ([2, VERSION, "M", [other, other], 1, 2, 1 << 20, False, ["have"] * 2], NONE),
            ([1, VERSION, "M", [["share", tag, m.life, 3, NO_LIFE, 0]], []], FRAME),
            ([1, VERSION, "M", [row]], FRAME),
            ([3, VERSION, "\x1b[31m", "\n" * 256], NONE),
            ([4, tag, m.life, end], NONE),
            ([4, tag, bytes(b"\xff" * 12), 3], NONE),
            ([4, bytes(16), m.life, 0], NONE),
            ([7, tag, bytes(32), b"\xff"], NONE),
            ([7, tag, bytes(32), b""], NONE),
            ([7, bytes(16), bytes(32), b"\x01"], NONE),
            ([8, "x" * 256], NONE),
        )
    )
    m.control(device, said, due)


def _rows(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """Hellos with rows of another device, or with boxes that do not fit their proofs."""
    row = m.row(device)
    proof, box = row
    assert isinstance(box, bytes)
    bent = chance.choice(
        (
            [proof, bytes(80)],
            [proof, box[:-1] + bytes([box[-1] ^ 1])],
            [bytes(16), box],
            m.row(device, 2**53 + 1),
            m.row(device, 2**64 - 1),
            [box[:16], box],
        )
    )
    rows = chance.choice(([bent], [row, bent], [bent, row]))
    m.says(device, Way.CAME, [1, VERSION, "M", rows, ["have"]])


def _orders(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """Messages of honest devices, in any order, over either link; connections end in between."""
    tag = m.keys.tag
    page = m.fields([], m.head, m.head, head=m.head)
    for _ in range(chance.randrange(2, 8)):
        way = chance.choice(tuple(Way))
        match chance.randrange(11):
            case 0:
                m.bulk(device, [16, VERSION])
            case 1:
                m.raw(device, Socket.BULK, Way.DIALED, [packed([16, VERSION])], NONE)
            case 2:
                m.hang_up(device)
            case number:
                said: tuple[list[object], ...] = (
                    m.hello(device),
                    m.welcome(device),
                    [3, VERSION, "OTHER_VERSION", "so it is"],
                    [4, tag, NO_LIFE, 0],
                    [5, tag, m.sealed(packed(page))],
                    [6, tag, m.sealed(packed(page))],
                    [7, tag, bytes(32), b"\x01"],
                    [8, "it was stopped"],
                )
                m.says(device, way, said[number - 3])


def _floods(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """One message over and over."""
    tag = m.keys.tag
    page = m.fields([], m.head, m.head, head=m.head)
    said: tuple[list[object], ...] = (
        m.hello(device),
        m.welcome(device),
        [3, VERSION, "OTHER_VERSION", "so it is"],
        [4, tag, NO_LIFE, 0],
        [5, tag, m.sealed(packed(page))],
        [7, tag, bytes(32), b"\x01"],
        [8, "it was stopped"],
    )
    message, way = chance.choice(said), chance.choice(tuple(Way))
    for _ in range(chance.choice((20, 400))):
        m.says(device, way, message)


def _questions(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """Gets for chunks that were never held, for more bytes than a chunk has, or without end."""
    tag, entry = m.keys.tag, one_of(m, device, chance)
    held = bytes(entry.content) if entry and entry.kind is Kind.FILE else bytes(32)
    never = chance.randbytes(32)
    size = 1 << 20
    for number in range(chance.choice((1, 3))):
        lists, wants = chance.choice(
            (
                ([], [[never, [[never, 0, 5]]]]),
                ([], [[held, [[held, 0, size]]]]),
                ([], [[held, [[never, 2**60, size]]]]),
                ([], [[held, [[held, 3, 1]]]]),
                ([], [[held, [[held, 0, 0]] * 1024]]),
                ([never, held] * 20, []),
                ([], [[held, [[held, 0, size]] * 31]]),
            )
        )
        m.bulk(device, [17, number, tag, lists, wants])


def _answers(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    """Chunks that nobody asked for."""
    number = chance.choice((0, 1, 2**32 - 1))
    if m.asked and chance.random() < 0.5:
        number = m.asked[-1].number
    parts = [[chance.randbytes(32), 4]]
    frame, body, due = chance.choice(
        (
            ([18, number, m.keys.tag, parts, []], bytes(20), NONE),
            ([18, number, bytes(16), parts, []], bytes(20), NONE),
            ([18, number, m.keys.tag, [], [bytes(32)] * 1024], b"", NONE),
            ([18, number, m.keys.tag, parts, []], bytes(19), _the(Refusal.WRONG_BODY)),
            ([18, number, m.keys.tag, [], []], bytes(2 << 20), _the(Refusal.TOO_LONG)),
            ([18, number, m.keys.tag, [[bytes(32), (1 << 20) + 1]], []], b"", OUT),
        )
    )
    m.bulk(device, frame, body, due=due)


def _greedy(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    ask = [bytes(32), 0, 1 << 20]
    m.bulk(device, [17, 1, m.keys.tag, [], [[bytes(32), [ask] * 40]]])


def _garbage(m: Hostile, device: SimDevice, chance: random.Random) -> None:
    frame, due = chance.choice(
        (
            (b"", FRAME),
            (b"\xc1", FRAME),
            (b"\x91" * 60_000, FRAME),
            (b"\xdd\xff\xff\xff\xff", FRAME),
            (packed([99]), _the(Refusal.UNKNOWN_MESSAGE)),
            (packed([17, 1, m.keys.tag, [], []]), _the(Refusal.WRONG_SOCKET)),
            (packed([6, m.keys.tag, bytes(100)]), _the(Refusal.DOES_NOT_OPEN)),
            (packed([8, "bye", 1]), FRAME),
            (packed([1, VERSION + 1, "M", [], []]), _the(Refusal.OTHER_VERSION)),
            (chance.randbytes(1 << 17), FRAME | _the(Refusal.UNKNOWN_MESSAGE)),
        )
    )
    m.raw(device, Socket.CONTROL, Way.DIALED, [frame], due)


SAYINGS: Final[dict[str, Lie]] = {
    "sequences": _sequences,
    "messages": _messages,
    "rows": _rows,
    "orders": _orders,
    "floods": _floods,
    "questions": _questions,
    "answers": _answers,
    "greedy": _greedy,
    "garbage": _garbage,
}
