"""An agent with two folders, and a paired device that has the secret of only one of them.

The outsider has a valid device key: the gate lets it in, and nothing on its way hides from it what
it is sent. What it may not read must be sealed, or not be sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from msgspec.structs import replace

from leftzmq.cli.demo.stage import wait_until
from leftzmq.content.cut import Cutter
from leftzmq.content.ids import chunk_id, list_id
from leftzmq.content.keys import FolderKeys, derive_keys
from leftzmq.content.lists import build, pack_row
from leftzmq.errors import Refused
from leftzmq.statedir import read_secret
from leftzmq.tree.entry import Entry
from leftzmq.wire import page as pages
from leftzmq.wire.codec import Socket, decode, encode
from leftzmq.wire.messages import (
    Ask,
    Chunks,
    FolderHello,
    Get,
    Hello,
    IndexPage,
    IndexSince,
    News,
    Want,
    Welcome,
)
from leftzmq.wire.page import Page
from tests.helpers.stranger import NO_LIFE, Stranger, ports
from tests.scenes.cast import Company, Device
from tests.scenes.folders import FOR_B, FOR_C, LARGE_TIMES, marks

DEADLINE_S = 30.0
SUBSCRIBE = b"\x01n"


class Outsider(Stranger):
    """Has the folder of A and C. frames: all that it was sent, as it came out of CURVE.

    claims: rows of folders whose secret it has not, for its hello
    """

    def __init__(self, context: zmq.Context, device: Device, secret: bytes, agent: Device) -> None:
        self.frames: list[bytes] = []
        self.claims: list[FolderHello] = []
        super().__init__(context, device, secret, [agent], {device.port})

    def page(self, entries: list[Entry], after: int, *, whole: bool = False) -> Page:
        return replace(super().page(entries, after, whole=whole), folder=FOR_C)

    def _folders(self) -> list[FolderHello]:
        rows = super()._folders()
        return [*rows, *self.claims]

    def _hear(self, kind: Socket, came: zmq.Socket, frames: list[bytes]) -> None:
        self.frames += frames
        super()._hear(kind, came, frames)

    def turn(self) -> None:
        super().turn()
        news = self._dialed.get(Socket.NEWS)
        while news is not None and news.poll(0):
            self.frames += news.recv_multipart()

    def messages(self, *kinds: type) -> list[News | IndexPage | Chunks]:
        found = []
        for frame in self.frames:
            for socket in Socket:
                try:
                    message = decode(frame, socket)
                except Refused:
                    continue
                if isinstance(message, kinds):
                    found.append(message)
                    break
        return found  # type: ignore[return-value]


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    shares = {"A": [FOR_B, FOR_C], "B": [FOR_B], "C": [FOR_C]}
    with Company(tmp_path / "stage", shares) as company:
        yield company
        print(company.logs())


@pytest.fixture
def outsider(company: Company) -> Iterator[Outsider]:
    """In C's place; A runs, and both of its folders hold what must not be seen by others."""
    company.prepare()
    a, _, c = company.devices.values()
    for folder in (FOR_B, FOR_C):
        name, words = (mark.decode() for mark in marks(folder))
        (a.of(folder) / name).mkdir()
        (a.of(folder) / name / f"{name}.txt").write_text(words)
        (a.of(folder) / f"large-{name}").write_text(words * LARGE_TIMES)
    a.start()
    assert wait_until(lambda: all(r["files"] == 2 for r in a.reports().values()), DEADLINE_S)
    context = zmq.Context()
    outsider = Outsider(context, c, read_secret(company.secrets[FOR_C]), a)
    assert set(ports(a).values()).isdisjoint(outsider._ports)
    yield outsider
    outsider.close()
    context.destroy(0)


def keys_of(company: Company, folder: str) -> FolderKeys:
    return derive_keys(read_secret(company.secrets[folder]))


def until(outsider: Outsider, holds: object) -> bool:
    return wait_until(holds, DEADLINE_S, outsider.turn, 0.01)  # type: ignore[arg-type]


def asks_for_everything(outsider: Outsider, company: Company, folder: str) -> None:
    """The index of a folder, and its very chunks and lists, by the ids that only members know."""
    keys = keys_of(company, folder)
    _, words = marks(folder)
    small, large = words, words * LARGE_TIMES
    rows, asks, at = b"", [], 0
    for length in Cutter(keys).cut(memoryview(large), last=True):
        id = chunk_id(keys, large[at : at + length])
        rows, asks = rows + pack_row(id, length), [*asks, Ask(id, at, length)]
        at += length
    content = build(keys, rows).content
    assert content == list_id(keys, rows)
    small_id = chunk_id(keys, small)
    wants = [Want(content, asks), Want(small_id, [Ask(small_id, 0, len(small))])]
    outsider.say(Socket.CONTROL, encode(IndexSince(keys.tag, NO_LIFE, 0)))
    # Bulk may be faster than control, and before the hello nobody knows the folder.
    assert until(outsider, lambda: outsider.messages(Welcome))
    outsider.say(Socket.BULK, encode(Get(7, keys.tag, [content], wants)))


def of_folder(outsider: Outsider, company: Company, folder: str, *kinds: type) -> list[object]:
    tag = keys_of(company, folder).tag
    return [message for message in outsider.messages(*kinds) if message.tag == tag]


def nothing_readable(outsider: Outsider, company: Company) -> None:
    """No frame has a name or a word of the folder of A and B, and no seal opens with what is
    known to the outsider."""
    for mark in marks(FOR_B):
        assert not any(mark in frame for frame in outsider.frames)
    device = keys_of_device(company)
    for message in of_folder(outsider, company, FOR_B, News, IndexPage):
        assert isinstance(message, News | IndexPage)
        with pytest.raises(Refused):
            pages.open_sealed(message.sealed, outsider.keys.first, device=device, folder=FOR_B)


def keys_of_device(company: Company) -> bytes:
    from leftzmq.transport import device_key

    return device_key.parse_public(company.devices["A"].key)


def test_a_member_of_one_folder_is_told_and_given_nothing_of_the_other(
    company: Company, outsider: Outsider
) -> None:
    a = company.devices["A"]
    outsider.dial(a)
    outsider.say(Socket.NEWS, SUBSCRIBE)
    asks_for_everything(outsider, company, FOR_B)
    asks_for_everything(outsider, company, FOR_C)
    assert until(outsider, lambda: of_folder(outsider, company, FOR_C, IndexPage))
    assert until(outsider, lambda: of_folder(outsider, company, FOR_C, Chunks))
    for folder in (FOR_B, FOR_C):
        (a.of(folder) / f"later-{marks(folder)[0].decode()}").write_bytes(marks(folder)[1])
    assert until(outsider, lambda: len(of_folder(outsider, company, FOR_C, News)) > 1)
    assert until(outsider, lambda: a.reports()[FOR_B]["files"] == 3)
    assert not of_folder(outsider, company, FOR_B, IndexPage, Chunks)
    nothing_readable(outsider, company)


def test_who_claims_a_folder_without_its_secret_is_told_and_given_nothing(
    company: Company, outsider: Outsider
) -> None:
    """The tag is in every news of A and A's own rows in its hello: both can be said again."""
    a = company.devices["A"]
    assert until(outsider, lambda: any(isinstance(m, Hello) for m in outsider.heard))
    rows = [row for m in outsider.heard if isinstance(m, Hello) for row in m.folders]
    tag = keys_of(company, FOR_B).tag
    assert len(rows) >= 2, "of both folders: which of them are shared is not known yet"
    outsider.claims = [*rows, FolderHello(bytes(tag), bytes(80))]
    outsider.dial(a)
    outsider.say(Socket.NEWS, SUBSCRIBE)
    asks_for_everything(outsider, company, FOR_B)
    asks_for_everything(outsider, company, FOR_C)
    assert until(outsider, lambda: of_folder(outsider, company, FOR_C, IndexPage))
    assert until(outsider, lambda: of_folder(outsider, company, FOR_C, Chunks))
    assert not of_folder(outsider, company, FOR_B, IndexPage, Chunks)
    assert not any(folder.encode() in f for folder in (FOR_B, FOR_C) for f in outsider.frames)
    nothing_readable(outsider, company)
    assert a.runs and "Traceback" not in a.log_tail(200)
