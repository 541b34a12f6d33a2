"""A real agent among devices that lie, babble, keep silent or speak another version.

Each test reads what a user would read (the log, `status`), and looks whether the agent lives on
and nothing was lost.
"""

from __future__ import annotations

import os
import socket as tcp
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from time import monotonic

import pytest
import zmq
from msgspec.structs import replace

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.errors import Refusal
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.version import Vector
from leftzmq.wire.codec import Socket, encode
from leftzmq.wire.messages import (
    MAX_BULK_HEADER_BYTES,
    MAX_CONTROL_FRAME_BYTES,
    MAX_NEWS_FRAME_BYTES,
    NEWS_TOPIC,
    VERSION,
    Get,
    News,
    Refusing,
)
from leftzmq.wire.page import Page
from tests.helpers.listing import files_in, paths_in
from tests.helpers.stranger import (
    NO_LIFE,
    Answer,
    Stranger,
    answer_of,
    honest,
    ids_of,
    ports,
    silent,
    strangers,
)
from tests.helpers.wire_vectors import VECTORS
from tests.unit.transport.test_hostile import RUBBISH

DEADLINE_S = 30.0


class Scene:
    """A stage whose first actors run agents; the others are strangers, in the order of names."""

    def __init__(self, home: Path) -> None:
        self._home, self._exits = home, ExitStack()

    def set(self, agents: str, others: int) -> tuple[list[Actor], list[Stranger]]:
        """Agents by their letters, and so many strangers: every agent has everyone as a peer."""
        names = [*agents, *(f"M{n}" for n in range(others))]
        self.stage = self._exits.enter_context(Stage(names, self._home))  # type: ignore[arg-type]
        actors = self.stage.actors[: len(agents)]
        made = strangers(self.stage.actors[len(agents) :], actors)
        self.strangers = self._exits.enter_context(made)
        return actors, self.strangers

    def turn(self) -> None:
        for stranger in self.strangers:
            stranger.turn()

    def until(self, holds: Callable[[], object], within_s: float = DEADLINE_S) -> bool:
        """Give the strangers their turns until it holds."""
        return wait_until(holds, within_s, self.turn, 0.01)

    def close(self) -> None:
        for actor in self.stage.actors:
            if actor.log_tail():
                print(f"--- log of {actor.name}\n{actor.log_tail(80)}")
        self._exits.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path / "stage")
    yield scene
    scene.close()


def has(actor: Actor, path: str, data: bytes) -> bool:
    try:
        return (actor.share / path).read_bytes() == data
    except OSError:
        return False


def files(actor: Actor) -> dict[str, bytes]:
    """All files in its share but for our own folder."""
    return files_in(actor.share)


def notes(actor: Actor) -> dict[str, str]:
    """What `status` notes about each peer."""
    return {peer["name"]: peer["note"] for peer in actor.status()["peers"]}


def says(actor: Actor, *words: str) -> bool:
    """Whether one line of its log has all these words."""
    return any(all(word in line for word in words) for line in actor.log_tail(500).splitlines())


def test_a_device_made_by_hand_is_a_peer_like_any_other(scene: Scene) -> None:
    (a,), (m,) = scene.set("A", 1)
    large = bytes(range(256)) * 4000
    m.offer(m.file("small", b"from a stranger"), m.file("large", large))
    a.start()
    assert scene.until(lambda: has(a, "small", b"from a stranger") and has(a, "large", large))
    m.offer(m.file("later", b"as news"))
    assert scene.until(lambda: has(a, "later", b"as news"))


def test_a_friend_that_leaves_is_no_stranger(scene: Scene) -> None:
    (a, b), _ = scene.set("AB", 0)
    a.start()
    b.start()
    assert scene.until(lambda: is_connected(a, "B") and is_connected(b, "A"))
    (a.share / "f").write_bytes(b"as news")
    assert scene.until(lambda: has(b, "f", b"as news"))
    b.stop()
    assert scene.until(lambda: says(a, "B cannot be reached", "nobody answers"))
    assert not says(a, "refused"), "libzmq's own unsubscription has no sender"


# -- another version, an unknown key -------------------------------------------------------------


def test_a_device_of_another_version_is_named_by_both_sides(scene: Scene) -> None:
    (a,), (dials, listens) = scene.set("A", 2)
    dials.version = listens.version = VERSION + 1
    dials.offer(dials.file("one", b"1"))
    listens.offer(listens.file("two", b"2"))
    a.start()
    dials.dial(a)
    both = f"it speaks {VERSION + 1}, this device speaks {VERSION}"
    assert scene.until(lambda: says(a, "M0", Refusal.OTHER_VERSION.value, both))
    told = Refusing(VERSION, "OTHER_VERSION", both)
    assert scene.until(lambda: told in dials.heard), "the other one cannot know otherwise"
    assert scene.until(lambda: says(a, "M1", Refusal.OTHER_VERSION.value, both))
    assert a.status()["state"] == "alone" and files(a) == {}
    assert all(both in note for note in notes(a).values())
    dials.version = VERSION
    dials.dial(a)
    assert scene.until(lambda: has(a, "one", b"1")), "heard as soon as it speaks ours"
    assert notes(a)["M0"] == ""
    for name in ("M0", "M1"):
        assert a.log_tail(500).count(f"{name}: ") == 1, "once, not in a flood"


# -- garbage on every socket ----------------------------------------------------------------------


def test_rubbish_of_strangers_on_every_port(scene: Scene) -> None:
    (a,), (m,) = scene.set("A", 1)
    a.start()
    open_ = []
    for kind, port in ports(a).items():
        for rubbish in RUBBISH.values():
            stranger = tcp.create_connection(("127.0.0.1", port), timeout=5)
            with suppress(ConnectionError):  # it may hang up in the middle of it
                stranger.sendall(rubbish)
            open_.append(stranger)
        m.offer(m.file(f"after rubbish on {kind.value}", kind.value.encode()))
        for entry in m.entries:
            assert scene.until(lambda path=entry.path: (a.share / path).exists())
    for stranger in open_:
        stranger.close()
    assert len(files(a)) == 3 and a.runs and "Traceback" not in a.log_tail(500)


def mutants(kind: Socket, seed: int) -> list[list[bytes]]:
    """Real messages of one socket, cut off, with flipped bits, and with random bytes in them."""
    chance = Random(seed)
    out: list[list[bytes]] = []
    for _, socket, frame in VECTORS:
        if socket is not kind:
            continue
        for _ in range(10):
            flipped = bytearray(frame)
            flipped[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)
            out += [[frame[: chance.randrange(len(frame))]], [bytes(flipped)]]
            out.append([bytes(flipped), chance.randbytes(40)])
    chance.shuffle(out)
    return out


def noise(seed: int) -> list[list[bytes]]:
    chance = Random(seed)
    return [[chance.randbytes(chance.randrange(300))] for _ in range(50)]


MANY_FRAMES = [[b"\xc0"] * 6]
TOO_LONG = {
    # Above what libzmq takes, the connection is cut; below, the codec says so.
    Socket.CONTROL: [[bytes(MAX_CONTROL_FRAME_BYTES + 20)], [bytes(4 << 20)]],
    Socket.BULK: [[bytes(MAX_BULK_HEADER_BYTES + 1)], [bytes(4 << 20)]],
    Socket.NEWS: [[NEWS_TOPIC, bytes(MAX_NEWS_FRAME_BYTES + 20)], [NEWS_TOPIC, bytes(4 << 20)]],
}
GARBAGE: dict[str, tuple[bool, Socket, list[list[bytes]]]] = {
    # what: (whether the sender dialed, the socket, messages)
    f"{what} on {kind.value}, {'dialed' if dials else 'answered'}": (dials, kind, messages)
    for kind in (Socket.CONTROL, Socket.BULK)
    for dials in (True, False)
    for what, messages in {
        "noise": noise(len(kind.value)),
        "mutants": mutants(kind, 7),
        "many frames": MANY_FRAMES,
        "long frames": TOO_LONG[kind],
    }.items()
} | {
    "noise as news": (False, Socket.NEWS, [[NEWS_TOPIC, *m] for m in noise(1)]),
    "mutants as news": (False, Socket.NEWS, [[NEWS_TOPIC, *m] for m in mutants(Socket.NEWS, 8)]),
    "many frames as news": (False, Socket.NEWS, [[NEWS_TOPIC] * 6]),
    "long news": (False, Socket.NEWS, TOO_LONG[Socket.NEWS]),
    "another topic": (False, Socket.NEWS, [[b"nonsense", b"\x92\x08\xa1x"]]),
    "no subscription": (True, Socket.NEWS, [[b"\x01everything"], [b"\x07"], [b"\x01n", b"more"]]),
}
NAMED = {what for what in GARBAGE if "long" not in what}
"""Frames above the limit end the connection before anybody reads them."""


def test_garbage_of_paired_devices_on_every_socket(scene: Scene) -> None:
    (a, b), hostile = scene.set("AB", len(GARBAGE))
    a.start()
    by_name = dict(zip((m.name for m in hostile), GARBAGE.items(), strict=True))
    named = {name for name, (what, _) in by_name.items() if what in NAMED}

    def babble() -> None:
        """Again: a drop cuts all connections that came, and what was under way in them."""
        for stranger in hostile:
            dials, kind, messages = by_name[stranger.name][1]
            if says(a, f"{stranger.name}: dropped"):
                continue
            if dials:
                stranger.dial(a)
            for message in messages if dials or stranger.hears_from(kind) else ():
                with suppress(zmq.ZMQError):  # it was cut off, or does not read so fast
                    stranger.say(kind, *message)
            stranger.turn()

    done = wait_until(
        lambda: all(says(a, f"{name}: dropped") for name in named), DEADLINE_S, babble, 0.3
    )
    assert done, [by_name[name][0] for name in named if not says(a, f"{name}: dropped")]
    b.start()
    (a.share / "of a").write_bytes(b"whole")
    (b.share / "of b").write_bytes(b"and well")
    assert scene.until(lambda: has(b, "of a", b"whole") and has(a, "of b", b"and well"))
    assert len(files(a)) == 2 and "Traceback" not in a.log_tail(500)
    for name in by_name:
        assert a.log_tail(500).count(f"{name}: dropped") <= 1, "one line, however much came"
        assert a.log_tail(500).count(f"{name}: ") <= 2, "a flipped bit may leave a whole refusal"
    assert "not in our list" not in a.log_tail(500), "they are, only shut out for now"


# -- lies ----------------------------------------------------------------------------------------


def flipped(stranger: Stranger, get: Get) -> list[bytes]:
    header, body = honest(stranger, get)
    return [header, body[:-1] + bytes([body[-1] ^ 1])]


def other_bytes(stranger: Stranger, get: Get) -> list[bytes]:
    lies = {id: bytes(len(stranger.data[id])) for id in ids_of(get)}
    return answer_of(stranger, get, lies)


def shorter(stranger: Stranger, get: Get) -> list[bytes]:
    return answer_of(stranger, get, {id: stranger.data[id][:-36] for id in ids_of(get)})


def longer(stranger: Stranger, get: Get) -> list[bytes]:
    return answer_of(stranger, get, {id: stranger.data[id] + b"x" * 36 for id in ids_of(get)})


def unasked(stranger: Stranger, get: Get) -> list[bytes]:
    return answer_of(stranger, get, {bytes(32): b"you will like this"})


def cut_body(stranger: Stranger, get: Get) -> list[bytes]:
    header, body = honest(stranger, get)
    return [header, body[:-1]]


LIARS = {
    "flipped": (flipped, Refusal.WRONG_ID),
    "other bytes": (other_bytes, Refusal.WRONG_ID),
    "shorter": (shorter, Refusal.WRONG_ID),
    "longer": (longer, Refusal.WRONG_ID),
    "unasked": (unasked, Refusal.UNASKED),
    "cut body": (cut_body, Refusal.WRONG_BODY),
}


def test_liars_are_named_and_what_they_lied_about_comes_from_elsewhere(scene: Scene) -> None:
    """Three liars of each kind: about a small file, about a list, about a chunk of a large one."""
    (a, c), liars = scene.set("AC", 3 * len(LIARS))
    lies = [(about, *lie) for lie in LIARS.values() for about in ("small", "list", "chunk")]
    for liar, (about, _, _) in zip(liars, lies, strict=True):
        data = Random(liar.name).randbytes(2000 if about == "small" else 600_000)
        liar.offer(liar.file(f"of {liar.name}", data))
    c.start()
    assert scene.until(lambda: c.status()["files"] == len(liars)), "each of them is honest once"
    whole = files(c)
    c.stop()
    for liar, (about, lie, _) in zip(liars, lies, strict=True):
        liar.answer = lie_about(about, lie)
    a.start()
    for liar, (_, _, refusal) in zip(liars, lies, strict=True):
        assert scene.until(lambda n=liar.name, r=refusal: says(a, f"{n}: dropped", r.value)), lies[
            int(liar.name[1:])
        ]
    # What is checked of a file that is still wanted is kept; nothing of it has a name.
    assert scene.until(lambda: all(name.endswith(".lefting") for name in files(a)))
    assert a.status()["tickets"] == len(liars)
    c.start()
    assert scene.until(lambda: files(a) == whole)
    assert a.runs and "Traceback" not in a.log_tail(500)
    assert scene.until(lambda: a.status()["tickets"] == 0 and a.status()["problems"] == 0)
    for liar in liars:
        assert a.log_tail(500).count(f"{liar.name}: dropped") == 1


@pytest.mark.parametrize("size", [2_000, 600_000])
def test_of_two_that_say_the_size_of_one_content_only_the_liar_is_dropped(
    scene: Scene, size: int
) -> None:
    (a,), (truthful, liar) = scene.set("A", 2)
    data = Random(size).randbytes(size)
    truthful.offer(truthful.file("f", data))
    lie = liar.file("f", data)
    liar.offer(replace(lie, size=size + 1, stamp=lie.stamp + 1))
    # Whoever has the true bytes already does not ask for the lie.
    honest, truthful.answer = truthful.answer, silent
    a.start()
    refusal = Refusal.BAD_LIST if lie.depth else Refusal.WRONG_ID
    assert scene.until(lambda: says(a, "M1: dropped", refusal.value))
    truthful.answer = honest
    for get in truthful.asked:  # before the lie was heard; alone, it is waited for
        truthful.say(Socket.BULK, *honest(truthful, get))
    assert scene.until(lambda: has(a, "f", data))
    assert not says(a, "M0: dropped")


def test_a_list_that_was_a_lie_is_asked_of_somebody_else_at_once(scene: Scene) -> None:
    (a, c), (liar,) = scene.set("AC", 1)
    data = Random(1).randbytes(600_000)
    liar.offer(liar.file("large", data))
    c.start()
    assert scene.until(lambda: c.status()["files"] == 1)
    c.stop()
    liar.answer, liar.asked = silent, []
    a.start()
    assert scene.until(lambda: liar.asked)
    c.start()
    assert scene.until(lambda: is_connected(a, "C"))
    liar.say(Socket.BULK, *other_bytes(liar, liar.asked[0]))
    assert scene.until(lambda: has(a, "large", data))


def test_what_a_silent_device_was_asked_for_is_asked_elsewhere_in_two_seconds(scene: Scene) -> None:
    (a, c), (mute,) = scene.set("AC", 1)
    mute.offer(*(mute.file(f"{n}", Random(n).randbytes(1000 << n)) for n in range(10)))
    c.start()
    assert scene.until(lambda: c.status()["files"] == 10)
    whole = files(c)
    c.stop()
    mute.answer, mute.asked = silent, []
    a.start()
    assert scene.until(lambda: mute.asked)
    spent = cpu_s(a)
    asked_at = monotonic()
    # Alone, it is waited for, without turning round and round.
    assert not scene.until(lambda: files(a), 4.0)
    assert cpu_s(a) - spent < 0.5 * (monotonic() - asked_at)
    c.start()
    assert scene.until(lambda: files(a) == whole)
    assert "M0" in [peer["name"] for peer in a.status()["peers"] if peer["connected"]]


def cpu_s(actor: Actor) -> float:
    """The processor time that its agent has used, in seconds."""
    fields = Path(f"/proc/{actor.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_connected(actor: Actor, name: str) -> bool:
    return any(peer["name"] == name and peer["connected"] for peer in actor.status()["peers"])


def lie_about(about: str, lie: Answer) -> Answer:
    def answer(stranger: Stranger, get: Get) -> list[bytes] | None:
        honest_here = about == "chunk" and get.lists
        return (honest if honest_here else lie)(stranger, get)

    return answer


# -- entries that must not be ----------------------------------------------------------------------

EVIL_PATHS = {
    "../escaped": Refusal.PATH_UNCLEAN,
    "in/../../escaped": Refusal.PATH_UNCLEAN,
    "..": Refusal.PATH_UNCLEAN,
    "/leftzmq-escaped": Refusal.PATH_ABSOLUTE,
    "a//b": Refusal.PATH_UNCLEAN,
    "a/./b": Refusal.PATH_UNCLEAN,
    "a/": Refusal.PATH_UNCLEAN,
    "a\0b": Refusal.PATH_NUL,
    ".left/marker": Refusal.PATH_RESERVED,
    ".LEFT/trash/x": Refusal.PATH_RESERVED,
    ".le\u200cft": Refusal.PATH_RESERVED,
    "x.lefting": Refusal.PATH_RESERVED,
    "x.lefting/y": Refusal.PATH_RESERVED,
    "x" * 256: Refusal.PATH_TOO_LONG,
    "d/" * 2048 + "x": Refusal.WRONG_SHAPE,
    "d/" * 128 + "x": Refusal.PATH_TOO_LONG,
}
LONGEST = ["n" * 250, "n" * 255, "d/" * 127 + "x", "\u00e9" * 127 + "x"]
"""These are legal: the `.lefting` of the long names is `.HASH16.lefting`."""


def bent(entry: Entry, vector: Vector | None = None, **fields: object) -> Entry:
    return replace(entry, **fields, **({} if vector is None else {"vector": vector}))


EVIL_ENTRIES: dict[str, tuple[Callable[[Stranger, Entry], Entry], Refusal]] = {
    "a size above all": (lambda m, e: bent(e, size=2**60 + 1), Refusal.OUT_OF_RANGE),
    "a size below zero": (lambda m, e: bent(e, size=-1), Refusal.OUT_OF_RANGE),
    "a stamp above all": (lambda m, e: bent(e, stamp=2**62 + 1), Refusal.OUT_OF_RANGE),
    "a stamp below all": (lambda m, e: bent(e, stamp=-(2**62) - 1), Refusal.OUT_OF_RANGE),
    "a counter above all": (
        lambda m, e: bent(e, Vector.of([(m.life, 2**53 + 1)])),
        Refusal.BAD_VECTOR,
    ),
    "a counter of zero": (lambda m, e: bent(e, Vector.of([(m.life, 0)])), Refusal.BAD_VECTOR),
    "65 writers": (
        lambda m, e: bent(e, Vector.of([(bytes([n]) * 12, 1) for n in range(65)])),
        Refusal.WRONG_SHAPE,
    ),
    "half a vector": (lambda m, e: bent(e, Vector(e.vector.packed + b"12")), Refusal.BAD_VECTOR),
    "somebody else's vector": (
        lambda m, e: bent(e, Vector.of([(b"somebodyelse", 1)])),
        Refusal.BAD_VECTOR,
    ),
    "a kind that is not": (lambda m, e: bent(e, kind=7), Refusal.OUT_OF_RANGE),
    "a short content id": (lambda m, e: bent(e, content=b"short"), Refusal.BAD_ENTRY),
    "a depth that is not": (lambda m, e: bent(e, depth=2), Refusal.BAD_ENTRY),
    "a link to nothing": (
        lambda m, e: bent(e, kind=Kind.SYMLINK, size=0, mtime_ns=0, content=b""),
        Refusal.BAD_LINK,
    ),
    "a link with a NUL": (
        lambda m, e: bent(e, kind=Kind.SYMLINK, size=0, mtime_ns=0, content=b"a\0b"),
        Refusal.BAD_LINK,
    ),
    "a tombstone with a size": (lambda m, e: bent(e, deleted=True), Refusal.BAD_ENTRY),
}


def test_no_entry_leaves_the_share_or_enters_ours(scene: Scene) -> None:
    """Each hostile device offers something good first, then what must not be: as news, or in its
    answer to index_since. Nothing around the share is touched, and nothing of the page is taken."""
    evils: list[tuple[Callable[[Stranger], Entry], Refusal]] = [
        (lambda m, path=path: m.file(path, b"evil"), refusal)
        for path, refusal in EVIL_PATHS.items()
    ] + [
        (lambda m, bend=bend: bend(m, m.file("bent", b"evil")), refusal)
        for bend, refusal in EVIL_ENTRIES.values()
    ]
    (a,), (good, *hostile) = scene.set("A", 1 + len(evils))
    (a.home / "canary").write_bytes(b"sings")
    for number, (stranger, (evil, _)) in enumerate(zip(hostile, evils, strict=True)):
        if number % 2:
            stranger.offer(evil(stranger), stranger.file(f"with {number}", b"not taken"))
    a.start()
    before = around(a)
    goods = {}
    for number, stranger in enumerate(hostile):
        if not number % 2:
            goods[f"good {number}"] = b"taken"
            stranger.offer(stranger.file(f"good {number}", b"taken"))
    assert scene.until(lambda: files(a) == goods)
    for number, (stranger, (evil, _)) in enumerate(zip(hostile, evils, strict=True)):
        if not number % 2:
            stranger.offer(evil(stranger), stranger.file(f"with {number}", b"not taken"))
    for stranger, (evil, refusal) in zip(hostile, evils, strict=True):
        assert scene.until(lambda n=stranger.name, r=refusal: says(a, f"{n}: dropped", r.value)), (
            repr(evil(stranger))
        )
    for path in LONGEST:
        names = path.split("/")
        folders = ["/".join(names[:n]) for n in range(1, len(names))]
        good.offer(*map(good.folder, folders), good.file(path, path.encode()))
        goods[path] = path.encode()
    assert scene.until(lambda: files(a) == goods)
    assert around(a) == before
    assert not Path("/leftzmq-escaped").exists()
    assert a.status()["problems"] == 0 and "Traceback" not in a.log_tail(500)


def around(actor: Actor) -> dict[str, bytes]:
    """What a path that escapes from the share could reach first: what lies around the share,
    and our own folder in it."""
    own = [path for path in paths_in(actor.share / ".left") if path.is_file()]
    beside = [path for path in actor.home.iterdir() if path.is_file() and path.name != "log"]
    found = {str(path): path.read_bytes() for path in own + beside}
    places = (actor.home, actor.home.parent, actor.share / ".left")
    return found | {str(place): " ".join(sorted(os.listdir(place))).encode() for place in places}


def test_a_page_of_another_device_or_with_impossible_sequences_is_refused(scene: Scene) -> None:
    def page(stranger: Stranger, **fields: object) -> Page:
        file = stranger.file("f", b"not taken")
        return replace(stranger.page([file], 0), last=1, head=1, **fields)

    bent_pages = {
        Refusal.NOT_ITS_NAME: lambda m: m.seal(page(m, device=bytes(32))),
        Refusal.BAD_PAGE: lambda m: m.seal(page(m, life=NO_LIFE)),
        Refusal.OUT_OF_RANGE: lambda m: m.seal(page(m, after=-1)),
        Refusal.DOES_NOT_OPEN: lambda m: m.seal(page(m))[:-1] + b"!",
    }
    twice = [lambda m: m.seal(replace(page(m), entries=page(m).entries * 2, last=2))]
    cases = [*bent_pages.items(), *((Refusal.BAD_PAGE, make) for make in twice)]
    (a,), hostile = scene.set("A", len(cases))
    a.start()
    for stranger, (refusal, make) in zip(hostile, cases, strict=True):
        assert scene.until(lambda s=stranger: s.hears_from(Socket.NEWS))
        stranger.say(Socket.NEWS, NEWS_TOPIC, encode(News(stranger.keys.tag, make(stranger))))
        assert scene.until(lambda n=stranger.name, r=refusal: says(a, f"{n}: dropped", r.value)), (
            refusal
        )
    assert files(a) == {} and a.status()["state"] == "alone"


def test_who_has_another_id_for_the_folder_is_no_member_and_breaks_no_rule(scene: Scene) -> None:
    (a,), (m,) = scene.set("A", 1)
    a.start()
    assert scene.until(lambda: m.hears_from(Socket.NEWS))
    file = m.file("f", b"not taken")
    page = replace(m.page([file], 0), last=1, head=1, folder="an\x1bother")
    m.say(Socket.NEWS, NEWS_TOPIC, encode(News(m.keys.tag, m.seal(page))))

    def told() -> list[tuple[str, str]]:
        return [(one["state"], one["why"]) for one in a.status()["members"]]

    why = "it calls this folder 'an\\x1bother': give both the same id"
    assert scene.until(lambda: told() == [("other id", why)]), told()
    assert files(a) == {} and not says(a, "dropped") and a.status()["state"] == "alone"


# -- many ------------------------------------------------------------------------------------------


def test_many_small_files_are_asked_for_in_few_messages(scene: Scene) -> None:
    (a,), (m,) = scene.set("A", 1)
    expected = {f"{n}": b"%d " % n + bytes(n % 4000) for n in range(1500)}
    a.start()
    paths = list(expected)
    assert scene.until(lambda: m.hears_from(Socket.NEWS))
    for at in range(0, len(paths), 100):
        m.offer(*(m.file(path, expected[path]) for path in paths[at : at + 100]))
    assert scene.until(lambda: a.status()["files"] == len(expected), 60)
    assert files(a) == expected
    assert sum(len(ids_of(get)) for get in m.asked) == len(expected)
    assert len(m.asked) <= len(expected) // 20
