"""Actions: what a machine wants done outside the machines. agent.py executes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from leftzmq.disk.fs.interface import Buffer
from leftzmq.errors import Refusal
from leftzmq.sync.facts import Fact
from leftzmq.sync.jobs import Job
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.tree.entry import Entry
from leftzmq.wire.local import EventKind, Scalar
from leftzmq.wire.messages import Message
from leftzmq.wire.page import Page
from leftzmq.wire.replies import DeclinedReply, WhyDeclined
from leftzmq.wire.statements import Signed


class Publish(Struct, frozen=True):
    """Seal this page and broadcast it on PUB; send it over `links` to devices that cannot
    subscribe. Nothing is sent while no epoch of the folder is in use: the next heartbeat says what
    this page says."""

    folder: str
    page: Page
    links: tuple[Link, ...] = ()


class Send(Struct, frozen=True):
    """Send a message over a link; `body` is the second frame of Chunks."""

    link: Link
    message: Message
    body: Buffer | None = None


class SendRoster(Struct, frozen=True):
    """Seal statements of a folder's roster, and send them over a link in as many messages as they
    need. digest: of the whole roster; statements: None: the digest alone."""

    link: Link
    folder: str
    digest: bytes
    statements: tuple[Signed, ...] | None


class SendEpochKey(Struct, frozen=True):
    """Send the secret of an epoch of a folder over a link, sealed for the device of the link.
    epoch: its tag."""

    link: Link
    folder: str
    epoch: bytes


class RelistMembers(Struct, frozen=True):
    """The members of a folder are others now: ask RosterExchange.members whom to list and dial."""


class Work(Struct, frozen=True):
    job: Job


class TakeOver(Struct, frozen=True):
    """A folder was opened anew: its machines replace the old ones, and FolderBegun follows at
    once."""

    folder: str


class ForgetFolder(Struct, frozen=True):
    """Nothing is left to be done for a folder that was taken off this device: close what is open of
    it. No fact names it any more."""

    folder: str


class WatchAnew(Struct, frozen=True):
    """Other folders at `path` and below it are ignored now, and need no watch. WatchRegained
    follows."""

    folder: str
    path: str


class Subscribe(Struct, frozen=True):
    """Connect news (SUB) and bulk of a dialed device, on the ports that its welcome named."""

    device: DeviceKey
    bulk_port: int
    news_port: int


class Drop(Struct, frozen=True):
    """Close all connections to a device that broke the rules, and report the device and the
    reason."""

    device: DeviceKey
    refusal: Refusal
    detail: str


class Tell(Struct, frozen=True):
    """An event for monitors and the log."""

    kind: EventKind
    fields: Mapping[str, Scalar] = field(default_factory=dict)


def tell_entry(kind: EventKind, folder: str, entry: Entry, **more: Scalar) -> Tell:
    """An event about one version of one path."""
    fields: dict[str, Scalar] = {
        "folder": folder,
        "path": entry.path,
        "kind": entry.kind.name.lower(),
        "size": entry.size,
        "deleted": entry.deleted,
    }
    return Tell(kind, fields | more)


class Answer(Struct, frozen=True):
    """The answer to a question at the admin socket."""

    asker: bytes
    fields: Mapping[str, Any]


def declined(asker: bytes, what: str, where: str = "", do: str = "") -> Answer:
    """Return the answer to a question that cannot be met; it is shown as an error
    (errors.Declined)."""
    reply = DeclinedReply(declined=WhyDeclined(what=what, where=where, do=do))
    return Answer(asker, reply.fields())


Action = (
    Publish
    | Send
    | SendRoster
    | SendEpochKey
    | RelistMembers
    | Work
    | TakeOver
    | ForgetFolder
    | WatchAnew
    | Subscribe
    | Drop
    | Tell
    | Answer
)

Outputs = list[Action | Fact]
"""What a machine answers to a fact, in the order of execution."""
