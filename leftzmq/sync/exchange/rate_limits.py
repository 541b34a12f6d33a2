"""Limits how fast a device may send: every message is counted here before anything else acts on it.

There is a token bucket for each device and kind of message. Answers pass as far as we asked for
them. Knows the kinds of messages and their lengths. Must not know what a message contains: it is
counted before it is opened, because opening it is the work that must be limited.

The rates are far above what honest devices were seen to send. Each figure in brackets is the most
that any device received from another one in one second, with real agents on one machine: 10,000
small files at a start and while connected, 100,000 empty ones at a start, 4,700 files written one
by one in 15 s, files of 500 and 1,500 MB, and four devices with 3,000 small and 30 large files.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from leftzmq.errors import Refusal
from leftzmq.sync.exchange.index_server import PAGES_AN_ASK
from leftzmq.sync.facts import StrangerRefused
from leftzmq.sync.link import DeviceKey
from leftzmq.wire.codec import kind_of
from leftzmq.wire.messages import (
    MAX_ASKS,
    MAX_FOLDERS,
    Bye,
    Chunks,
    Done,
    EpochKey,
    EpochWanted,
    Get,
    Giving,
    Have,
    Hello,
    IndexPage,
    IndexSince,
    Message,
    News,
    Open,
    Reading,
    Refusing,
    Report,
    RosterPart,
    Welcome,
)
from leftzmq.wire.strict import Frame


class Rate(Struct, frozen=True):
    """a_second: how many messages a device may send over a long time. burst: how many at once after
    a silence. step_bytes: a message counts once for each step that it begins, because long messages
    are more work."""

    name: str
    a_second: float
    burst: float
    step_bytes: int = 4 << 10

    def cost(self, length: int) -> int:
        return 1 + length // self.step_bytes


GREETINGS: Final = Rate("greetings", 10, 100)
"""(3) A link that breaks whenever it is up is dialed again every 0.5 s, from both ends: 6."""
QUESTIONS: Final = Rate("questions for the index", 10, 4 * MAX_FOLDERS)
"""(5) One for each 16 pages: 20,000 entries a second, for any length of time. Honest devices
received 9,700 a second. A device half as fast again as the rate can go on for 650,000 entries."""
PAGES: Final = Rate("pages that we did not ask for", 2, 64)
"""(76, all of them asked for) In addition to those: answers to a question of an earlier
connection."""
NEWS: Final = Rate("news", 1000, 2000)
"""(185) One for each flush of the device's index, which a fast disk can do a thousand times a
second; and one for each folder and heartbeat."""
DONES: Final = Rate("words that it is done", 150, 8 * MAX_FOLDERS)
"""(reckoned) Two a second for each folder; each only sets a number."""
READINGS: Final = Rate("words about reading", 1000, 40 * MAX_FOLDERS)
"""(reckoned) Two for each folder and greeting, over both links: 768 a second for 64 folders and a
link that breaks whenever it is up, and ten greetings at once. Each only sets a number."""
GIVINGS: Final = Rate("words about limits", 20, 256)
"""(reckoned) One for each greeting, over both links, as fast as those may come; and two whenever
another limit holds: a timetable has at most 64 parts."""
REPORTS: Final = Rate("reports", 10, 256)
"""(reckoned) One for each greeting, as fast as those may come; one a minute; and one for each
folder when the room of its share is known first. Each only replaces the last one."""
ROSTERS: Final = Rate("parts of rosters", 10, 3000)
"""(reckoned, not measured: no device sends them yet) A greeting brings one for each folder, as it
brings a question for the index. A whole roster of 8,192 statements is 64 parts and counts 448 times
if its statements are of usual length, 211 parts and 2,700 times at the most. Nobody chooses what it
hands on, so the longest roster must pass at once. 3,000 of these steps, full of the shortest
statements, are opened in 0.26 s."""
EPOCHS: Final = Rate("words about epochs", 10, 8 * MAX_FOLDERS)
"""(reckoned) A key and a question for each folder and greeting, and a key for each new epoch. To
open one takes 0.1 ms."""
HAVES: Final = Rate("haves", 500, 1000)
"""(19, when each went over one link only; now over both) Every 0.25 s for each of 16 files at once,
and three for each file that finishes sooner."""
GETS: Final = Rate("gets", 1000, 2000, step_bytes=1 << 10)
"""(178) At most 12 are open, so a device reaches the rate only with a round trip of 12 ms or less.
Each get of a large file is for half a MiB or more. A get of 1,024 chunks is 16 ms of work if none
of them is found, and counts 74 times: 13,000 chunks a second."""
CHUNKS: Final = Rate("chunks that we did not ask for", 10, 256)
"""(178, all of them asked for) In addition to those: answers to an earlier life's requests."""

RATE_OF: Final[dict[type[Message], Rate]] = {
    Hello: GREETINGS,
    Welcome: GREETINGS,
    Refusing: GREETINGS,
    Bye: GREETINGS,
    Open: GREETINGS,
    IndexSince: QUESTIONS,
    IndexPage: PAGES,
    News: NEWS,
    Have: HAVES,
    RosterPart: ROSTERS,
    EpochKey: EPOCHS,
    EpochWanted: EPOCHS,
    Done: DONES,
    Reading: READINGS,
    Giving: GIVINGS,
    Report: REPORTS,
    Get: GETS,
    Chunks: CHUNKS,
}

_GRANTED_MOST: Final = {PAGES: 2 * MAX_FOLDERS * PAGES_AN_ASK, CHUNKS: 16 * MAX_ASKS}
"""Requested answers may arrive late, but a grant for more than this is not remembered."""


@dataclass(slots=True)
class _Bucket:
    """left: the present capacity for messages. granted: requested answers that may arrive in
    addition, of any length."""

    left: float
    at: float
    granted: int = 0

    def takes(self, rate: Rate, cost: float, now: float) -> bool:
        self.left = min(rate.burst, self.left + max(0.0, now - self.at) * rate.a_second)
        self.at = now
        if self.granted:
            self.granted -= 1
            return True
        if self.left < cost:
            return False
        self.left -= cost
        return True


class RateLimits:
    """One per agent. paired: the paired devices, which limits the number of buckets. They may
    change."""

    def __init__(self, paired: Container[DeviceKey]) -> None:
        self._paired = paired
        self._by_device: dict[DeviceKey, dict[Rate, _Bucket]] = {}

    def _buckets(self, device: DeviceKey) -> dict[Rate, _Bucket] | None:
        if device in self._paired:
            return self._by_device.setdefault(device, {})
        self._by_device.pop(device, None)
        return None

    def admit(self, device: DeviceKey, frame: Frame, now: float) -> StrangerRefused | None:
        """Count a message of a device, by its first frame. Return None if it may pass, else the
        refusal.

        A frame that is no message passes: it is refused by name when it is decoded.
        """
        buckets, kind = self._buckets(device), kind_of(frame)
        if buckets is None or kind is None:
            return None
        rate = RATE_OF[kind]
        bucket = buckets.setdefault(rate, _Bucket(rate.burst, now))
        if bucket.takes(rate, rate.cost(len(frame)), now):
            return None
        return StrangerRefused(
            device, Refusal.TOO_FAST, f"over {rate.a_second:g} {rate.name} a second"
        )

    def asked(self, device: DeviceKey, message: Message, now: float) -> None:
        """Count a message of ours: if it is a request, its answers may pass."""
        match message:
            case IndexSince():
                self._grant(device, PAGES, PAGES_AN_ASK, now)
            case Get():
                # Each chunk may be answered by itself.
                asks = len(message.lists) + sum(len(want.asks) for want in message.wants)
                self._grant(device, CHUNKS, asks, now)

    def _grant(self, device: DeviceKey, rate: Rate, count: int, now: float) -> None:
        buckets = self._buckets(device)
        if buckets is not None:
            bucket = buckets.setdefault(rate, _Bucket(rate.burst, now))
            bucket.granted = min(_GRANTED_MOST[rate], bucket.granted + count)
