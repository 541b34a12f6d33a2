"""Membership: a hello proves it, and who cannot learns nothing; replayed proofs are worth nothing.

And `wait`: who only claims to have a folder keeps nobody waiting.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from leftzmq.content.keys import FolderKeys, derive_keys, device_mark, pair_of
from leftzmq.content.seal import fresh_nonce, seal_row
from leftzmq.errors import Refusal, Refused, Stop, StopCause
from leftzmq.sync import actions
from leftzmq.sync.facts import Asked, CookieSeen, LinkClosed, LinkOpened, MessageArrived
from leftzmq.sync.link import Link, Way
from leftzmq.sync.peers.membership import Membership
from leftzmq.tree.version import Life, make_life
from leftzmq.wire.codec import encode
from leftzmq.wire.folder_rows import Halted, Standing, opened, row
from leftzmq.wire.messages import (
    VERSION,
    FolderHello,
    Get,
    Hello,
    IndexSince,
    Message,
    Open,
    Welcome,
)
from leftzmq.wire.page import plaintext
from tests.helpers.mesh import Mesh

NO_LIFE = Life(bytes(12))
OTHER_KEYS = derive_keys(b"another secret".ljust(32, b"!"))


class Met:
    """A is in the folder with B; M is paired with A, and what A sends it is kept as bytes."""

    def __init__(self, base: Path) -> None:
        self.mesh = Mesh(base, "ABM")
        self.a, self.b, self.m = self.mesh.devices.values()
        self.to_m: list[bytes] = []
        self.messages: list[Message] = []
        self.pages: list[bytes] = []
        do = self.a.do

        def watched(action: actions.Action) -> None:
            if isinstance(action, actions.Send) and action.link.device == self.m.key:
                self.messages.append(action.message)
                self.to_m.append(encode(action.message) + bytes(action.body or b""))
            elif isinstance(action, actions.Publish):  # a PUB reaches every paired device
                self.to_m.append(encode(self.a.sealed(action)))
                self.pages.append(plaintext(action.page))
            do(action)

        self.a.do = watched  # type: ignore[method-assign]
        self.a.start()
        self.b.start()
        self.mesh.settle()
        self.came = Link(self.m.key, Way.CAME, b"\0\0\0\1\1")
        self.bulk = Link(self.m.key, Way.CAME, b"\0\0\0\1\2")
        self.life = make_life(device_mark(self.m.key), 1, b"mmmm")

    def rows(self, keys: FolderKeys, head: int = 3) -> list[FolderHello]:
        said = Standing("share", self.life, head, NO_LIFE, 0)
        return [row(keys, self.m.key, self.a.key, said, fresh_nonce())]

    def hello(self, rows: list[FolderHello]) -> None:
        self.hear(self.came, Hello(VERSION, "M", rows, []))
        self.hear(self.bulk, Open(VERSION))

    def hear(self, link: Link, message: Message) -> None:
        self.a.take(MessageArrived(link, message))  # type: ignore[arg-type]
        self.mesh.settle(1.0)

    @property
    def is_member(self) -> bool:
        return self.m.key in self.a.folder.members

    def welcomed_with(self) -> list[FolderHello]:
        return [m for m in self.messages if isinstance(m, Welcome)][-1].folders


@pytest.fixture
def met(tmp_path: Path) -> Met:
    return Met(tmp_path)


def test_who_holds_the_secret_is_a_member_and_is_answered(met: Met) -> None:
    met.hello(met.rows(met.a.keys))
    assert met.is_member
    [told] = met.welcomed_with()
    standing = opened(met.a.keys, met.a.key, met.m.key, "share", told)
    assert (standing.life, standing.head) == (
        met.a.store.heads.life,
        met.a.folder.announcer.flushed,
    )


def test_who_does_not_learns_no_id_head_life_or_name(met: Met) -> None:
    met.a.write("a name of seventeen", b"x")
    met.a.scan()
    met.hello(met.rows(OTHER_KEYS))
    met.a.take(LinkOpened(Link(met.m.key, Way.DIALED)))  # our own hello goes to it, too
    met.mesh.settle()
    said = [m for m in met.messages if isinstance(m, Hello)]
    assert not met.is_member and met.welcomed_with() == [] and len(said[-1].folders) == 1
    for tag in (met.a.keys.tag, OTHER_KEYS.tag):
        met.hear(met.came, IndexSince(tag, NO_LIFE, 0))
        met.hear(met.bulk, Get(1, tag, [bytes(32)], []))
    kinds = {type(message) for message in met.messages}
    assert kinds == {Hello, Welcome}, "and nothing that it asks for"
    heads = met.a.store.heads
    for secret in (b"share", heads.life, heads.head_of(met.b.key).life, b"a name of seventeen"):
        assert not any(bytes(secret) in frame for frame in met.to_m)
    with pytest.raises(Refused):
        opened(OTHER_KEYS, met.a.key, met.m.key, "share", said[-1].folders[0])


def test_a_hello_is_as_long_wherever_we_are(met: Met) -> None:
    def length() -> int:
        met.a.take(LinkClosed(Link(met.m.key, Way.DIALED), "gone"))
        met.a.take(LinkOpened(Link(met.m.key, Way.DIALED)))
        met.mesh.settle(1.0)
        return len(encode([m for m in met.messages if isinstance(m, Hello)][-1]))

    before = length()
    for number in range(300):
        met.a.write(f"{number}", b"")
    met.a.scan()
    met.mesh.settle()
    assert met.a.store.heads.sequence >= 300 and length() == before


def test_the_length_of_a_name_is_not_to_be_seen(met: Met) -> None:
    sizes = set()
    for name in ("x", "y" * 150):
        before = len(met.to_m)
        met.a.write(name, b"bytes")
        met.a.scan()
        met.mesh.settle(3.0)
        told = [
            (len(frame), plain)
            for frame, plain in zip(met.to_m[before:], met.pages[before:], strict=True)
            if name.encode() in plain
        ]
        assert told
        sizes.add(told[0][0])
    assert len(sizes) == 1


def test_proofs_of_others_are_worth_nothing(met: Met) -> None:
    a, b, m, keys = met.a, met.b, met.m, met.a.keys
    said = Standing("share", met.life, 3, NO_LIFE, 0)
    met.a.take(LinkOpened(Link(met.m.key, Way.DIALED)))
    met.mesh.settle(1.0)
    reflected = [x for x in met.messages if isinstance(x, Hello)][-1].folders
    for rows in (
        reflected,  # what A said to M itself
        [row(keys, b.key, a.key, said, fresh_nonce())],  # B's, to A
        [row(keys, m.key, b.key, said, fresh_nonce())],  # M's, to B
        [FolderHello(bytes(keys.tag), bytes(80))],  # the tag is in every news
        [FolderHello(pair_of(keys, a.key, m.key).proof, met.rows(keys)[0].sealed)],
    ):
        met.hello(rows)
        assert not met.is_member and met.welcomed_with() == []
    assert a.node.status()["peers"][-1]["note"] == Refusal.NOTHING_SHARED.value


@pytest.mark.parametrize("head", [2**53 + 1, 2**64 - 1])
def test_a_row_that_proves_the_secret_and_makes_no_sense_is_refused(met: Met, head: int) -> None:
    pair = pair_of(met.a.keys, met.m.key, met.a.key)
    plain = met.life + head.to_bytes(8, "big") + bytes(20)
    members = Membership(met.a.key, {"share": met.a.folder}, fresh_nonce, lambda id, device: False)
    with pytest.raises(Refused) as caught:
        members.proved_by(
            met.m.key, [FolderHello(pair.proof, seal_row(pair.key, plain, bytes(24)))]
        )
    assert caught.value.refusal is Refusal.OUT_OF_RANGE
    with pytest.raises(Refused) as caught:
        members.proved_by(met.m.key, [FolderHello(pair.proof, bytes(80))])
    assert caught.value.refusal is Refusal.DOES_NOT_OPEN


def test_a_row_that_is_there_twice_counts_once_and_a_stopped_folder_is_said_to_be(
    met: Met,
) -> None:
    """What a device proved of it is kept for when it goes on."""
    members = Membership(met.a.key, {"share": met.a.folder}, fresh_nonce, lambda id, device: False)
    rows = met.rows(met.a.keys) * 64
    assert len(members.proved_by(met.m.key, rows)) == 1 and members.any
    met.a.folder.stop(Stop(StopCause.SHARE_AWAY, "unplugged"))
    assert len(members.proved_by(met.m.key, rows)) == 1
    for [said] in (members.said_to(met.m.key), members.answered_to(met.m.key, {"share"})):
        there = opened(met.a.keys, met.a.key, met.m.key, "share", said)
        assert there == Halted("share", StopCause.SHARE_AWAY)
    assert not members.any


@pytest.mark.parametrize("cause", [*StopCause, None])
def test_every_cause_of_a_stop_can_be_said(cause: StopCause | None) -> None:
    keys, us, them = OTHER_KEYS, bytes(32), b"\1" * 32
    said = Halted("share", cause)
    assert opened(keys, us, them, "share", row(keys, us, them, said, bytes(24))) == said


def test_a_cause_of_a_later_version_is_one_that_is_not_known() -> None:
    keys, us, them = OTHER_KEYS, bytes(32), b"\1" * 32
    pair = pair_of(keys, us, them)
    plain = NO_LIFE + (999).to_bytes(8, "big") + bytes(20)
    told = FolderHello(pair.proof, seal_row(pair.key, plain, bytes(24)))
    assert opened(keys, us, them, "share", told) == Halted("share", None)


def test_a_row_of_a_stopped_folder_is_golden() -> None:
    keys = derive_keys(bytes(range(32)))
    halted = Halted("share", StopCause.SHARE_AWAY)
    made = row(keys, bytes(32), b"\1" * 32, halted, bytes(range(24)))
    assert made.proof.hex() == "b883c93414268cba4a9ba48873f590eb"
    assert made.sealed.hex() == (
        "000102030405060708090a0b0c0d0e0f1011121314151617dc4de410ba6d83ed46affd2e3dc9c97c"
        "095967c3e14573cf9d85a7e20995b986740792443b355d3a71a8bffad04390da311ff7f690b4567d"
    )


def test_rows_are_golden() -> None:
    keys = derive_keys(bytes(range(32)))
    said = Standing("share", Life(bytes(range(12))), 300, Life(bytes(range(50, 62))), 7)
    made = row(keys, bytes(32), b"\1" * 32, said, bytes(range(24)))
    assert made.proof.hex() == "b883c93414268cba4a9ba48873f590eb"
    assert made.sealed.hex() == (
        "000102030405060708090a0b0c0d0e0f101112131415161714b43417860bcfe2b7cbd0f3bf294fdc"
        "095865c0e54075c8958cade90995b986740793690906690f479f87c3ea78ace7311ff7f690b4567a"
    )
    assert opened(keys, bytes(32), b"\1" * 32, "share", made) == said
    back = row(keys, b"\1" * 32, bytes(32), said, bytes(range(24)))
    assert back.proof != made.proof and back.sealed != made.sealed
    assert replace(said, folder="else") != said


# ---- wait ----------------------------------------------------------------------------------------


def test_wait_is_not_kept_by_who_claims_a_folder_and_says_nothing(met: Met) -> None:
    met.a.write("f", b"bytes")
    met.a.scan()
    met.hello(met.rows(met.a.keys, head=9))
    assert met.is_member and met.m.key not in met.a.folder.index_client.heard
    met.mesh.settle(3.0)
    assert met.a.folder.at_rest
    number = len(met.a.answers)
    met.a.take(Asked(b"x", "wait", {"timeout": 60}))
    met.mesh.settle(0.2)
    name = f"cookie-{met.a.store.heads.life.hex()}-1"
    met.a.take(CookieSeen("share", name))
    met.mesh.settle(5.0)
    (answer,) = met.a.answers[number:]
    assert answer["in_sync"] and answer["why"] == ""


def test_wait_waits_for_who_was_heard(met: Met) -> None:
    assert met.a.folder.index_client.heard == {met.b.key}, "asked at once, and answered"
    met.b.kill()
    met.mesh.settle(1.0)
    assert met.a.folder.index_client.heard == set()
