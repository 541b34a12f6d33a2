"""How fast a device may send: every message passes here before anything else acts on it.

A token bucket for each device and kind of message. Answers are let through as far as we asked for
them. Knows the kinds of messages and how long they are. Must not know what is in one: it is judged
before it is opened, as what is in it is the work that is to be bounded.

The rates are far above what honest devices were seen to send. In brackets the most in one second
that any device heard of another one, with real agents on one machine: 10,000 small files at a start
and while connected, 100,000 empty ones at a start, 4,700 files written one by one in 15 s, files of
500 and 1,500 MB, and four devices with 3,000 small and 30 large files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

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
    Get,
    Have,
    Hello,
    IndexPage,
    IndexSince,
    Message,
    News,
    Open,
    Refusing,
    Welcome,
)
from leftzmq.wire.strict import Frame


@dataclass(frozen=True, slots=True)
class Rate:
    """a_second: what may come for long. burst: what may come at once after a silence.
    step_bytes: a message counts once for each step that it begins, as long ones are more work."""

    name: str
    a_second: float
    burst: float
    step_bytes: int = 4 << 10

    def cost(self, length: int) -> int:
        return 1 + length // self.step_bytes


GREETINGS: Final = Rate("greetings", 10, 100)
"""(3) A link that breaks whenever it is up is dialed again each 0.5 s, from both ends: 6."""
QUESTIONS: Final = Rate("questions for the index", 10, 4 * MAX_FOLDERS)
"""(5) One for each 16 pages: 20,000 entries a second, for as long as it lasts; what honest devices
take in was 9,700. One that is half as fast again as the rate may be so for 650,000 entries."""
PAGES: Final = Rate("pages that we did not ask for", 2, 64)
"""(76, all of them asked for) On top of those: what answers a question of an earlier connection."""
NEWS: Final = Rate("news", 1000, 2000)
"""(185) One for each flush of its index, which a fast disk bears a thousand times a second; and one
for each folder and heartbeat."""
HAVES: Final = Rate("haves", 500, 1000)
"""(19) Each 0.25 s for each of 16 files at once, and three for each file that is through sooner."""
GETS: Final = Rate("gets", 1000, 2000, step_bytes=1 << 10)
"""(178) At most 12 are under way, so it takes a round trip of 12 ms to come to the rate; each of a
large file is for half a MiB and more. One of 1,024 chunks is 16 ms of work where none of them is
found, and counts 74 times: 13,000 chunks a second."""
CHUNKS: Final = Rate("chunks that we did not ask for", 10, 256)
"""(178, all of them asked for) On top of those: what an earlier life asked for."""

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
    Get: GETS,
    Chunks: CHUNKS,
}

_GRANTED_MOST: Final = {PAGES: 2 * MAX_FOLDERS * PAGES_AN_ASK, CHUNKS: 16 * MAX_ASKS}
"""What was asked for and not answered can be answered late, but is not remembered for ever."""


@dataclass(slots=True)
class _Bucket:
    """left: how much may come at once. granted: answers that may come on top, however long."""

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
    """Of the agent. paired: the devices there are, which bounds how many buckets there are."""

    def __init__(self, paired: Iterable[DeviceKey]) -> None:
        self._buckets: dict[DeviceKey, dict[Rate, _Bucket]] = {device: {} for device in paired}

    def came(self, device: DeviceKey, frame: Frame, now: float) -> StrangerRefused | None:
        """A message of a device, by its first frame: nothing, or why it goes no further.

        What is no message at all passes: it is refused by its name when it is read.
        """
        buckets, kind = self._buckets.get(device), kind_of(frame)
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
        """A message of ours goes out: if it is a question, its answers may come."""
        match message:
            case IndexSince():
                self._grant(device, PAGES, PAGES_AN_ASK, now)
            case Get():
                # Each may be answered by itself.
                asks = len(message.lists) + sum(len(want.asks) for want in message.wants)
                self._grant(device, CHUNKS, asks, now)

    def _grant(self, device: DeviceKey, rate: Rate, count: int, now: float) -> None:
        buckets = self._buckets.get(device)
        if buckets is not None:
            bucket = buckets.setdefault(rate, _Bucket(rate.burst, now))
            bucket.granted = min(_GRANTED_MOST[rate], bucket.granted + count)
