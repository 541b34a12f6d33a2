"""Open requests: what was requested from which device, until it is answered or moves to another
device.

Knows devices, credit and times. Must not know what a file still lacks, nor what its bytes are for
(small_files and large_files do).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from leftzmq.bandwidth.throttle import Throttle
from leftzmq.sync.actions import Send
from leftzmq.sync.download.flow_control import FlowControl
from leftzmq.sync.download.transfer import Transfer
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.tree.entry import Entry
from leftzmq.wire.messages import MAX_CHUNK_BYTES, Get

GETS_AT_ONCE: Final = 12
"""Of one device. More messages only fill queues; files that wait here travel in fewer messages."""
LARGE_GETS_AT_ONCE: Final = 8  # of those 12: so a small file never waits for one to be answered
SILENT_S: Final = 2.0
"""When a device has answered nothing for so long, or for twice its recent response time, its
requests move to another device that has the same content. A device that answers other gets is not
silent: on a slow line a get waits behind those of others."""
SILENT_ALONE_S: Final = 30.0  # if no other device has it, or the device answers all other gets
LONGEST_EXPECTED_S: Final = 3600.0
"""A device whose limit makes a get take longer than this is as good as silent."""
RETRY_S: Final = 1.0  # between two checks of requests that no other device can serve
SLOW_S: Final = 1.0
"""After so long a request for the last rows of a file may be sent to a second device as well."""


@dataclass(slots=True)
class Request:
    """A get that is not fully answered. It is for one of three kinds: lists, small files or rows.

    files: content -> the entries that wait for it
    rows: chunk id -> the row of `transfer`
    tag: that the get named
    """

    device: DeviceKey
    folder: str
    left: dict[bytes, int]  # id -> credit bytes
    files: dict[bytes, list[Entry]] = field(default_factory=dict)
    transfer: Transfer | None = None
    rows: dict[bytes, int] = field(default_factory=dict)
    sent: float = 0.0
    heard: float = 0.0
    tag: bytes = b""

    @property
    def is_small(self) -> bool:
        return bool(self.files)

    def content_bytes(self, ids: Iterable[bytes]) -> int:
        """Return the bytes of those of these ids that are chunks and not answered yet."""
        return sum(self.left.get(id, 0) for id in ids if id in self.rows or id in self.files)


class Requests:
    """One per agent. link_to: returns the link for gets to a device. number: the number of the
    first get, minus one. It must differ from the number that an earlier life began with: that
    life's gets may still be answered, over a link that a peer opened again. throttle: what is asked
    for counts there, and what will not come is given back.

    `given`: how much a device that has a limit gives us, bytes a second
    """

    def __init__(
        self,
        link_to: Callable[[DeviceKey], Link | None],
        throttle: Throttle,
        number: int = 0,
    ) -> None:
        self._link_to, self._throttle = link_to, throttle
        self.credits: dict[DeviceKey, FlowControl] = {}
        self.given: dict[DeviceKey, int] = {}
        self._pending: dict[tuple[DeviceKey, int], Request] = {}
        self._given_back: dict[DeviceKey, int] = {}  # bytes that may arrive late all the same
        self._number = number
        self._look_at = math.inf

    def gives(self, device: DeviceKey, bytes_s: int | None) -> None:
        """The device said how much it gives us; None: it said nothing, or has no limit."""
        self.given.pop(device, None)
        if bytes_s is not None:
            self.given[device] = bytes_s

    def connected(self, device: DeviceKey, max_credit: int) -> None:
        self.credits[device] = FlowControl(max_credit)

    def forget_device(self, device: DeviceKey) -> list[Request]:
        """Return the requests that the device will not answer any more."""
        self.credits.pop(device, None)
        self._given_back.pop(device, None)
        found = [self._pending.pop(key) for key in list(self._pending) if key[0] == device]
        for pending in found:
            self._will_not_come(pending, pending.left)
        return found

    def given_up(self, device: DeviceKey) -> list[Request]:
        """Return the requests that were sent over a broken connection. The device can be asked
        again."""
        keys = [key for key in self._pending if key[0] == device]
        found = [self._close(key) for key in keys]
        for pending in found:
            self._will_not_come(pending, pending.left)
        return found

    def forget_folder(self, folder: str) -> None:
        """Drop the requests of this folder."""
        for key in [key for key, pending in self._pending.items() if pending.folder == folder]:
            pending = self._close(key)
            self._will_not_come(pending, pending.left)

    def number_from(self, number: int) -> None:
        """Set the number of the first get, minus one, if nothing was requested yet."""
        self._number = self._number or number

    def send(self, pending: Request, get: Get, now: float) -> Send | None:
        """Return the get with its own number; None when there is no link."""
        link = self._link_to(pending.device)
        if link is None:
            return None
        self._number = (self._number + 1) & 0xFFFFFFFF
        pending.sent = pending.heard = now
        pending.tag = get.tag
        self._pending[pending.device, self._number] = pending
        self.credits[pending.device].asked(sum(pending.left.values()))
        self._throttle.took(
            pending.device, pending.content_bytes(pending.left), pending.is_small, now
        )
        self._waits(pending.device, now)
        return Send(link, Get(self._number, get.tag, get.lists, get.wants))

    def request_of(self, device: DeviceKey, number: int) -> Request | None:
        return self._pending.get((device, number))

    def late(self, device: DeviceKey, size: int, now: float) -> None:
        """A response of `size` bytes arrived for a request that was given up, or that was never
        sent. Of bytes that nobody asked for none count: they would keep others waiting."""
        came = min(size, self._given_back.get(device, 0))
        if came:
            self._given_back[device] -= came
            self._throttle.took(device, came, False, now)
        flow = self.credits.get(device)
        if flow is not None:
            flow.late(now)

    def answered(
        self, number: int, pending: Request, came: list[bytes], missing: list[bytes], now: float
    ) -> None:
        """Count (a part of) a response; an empty one counts as silence."""
        flow = self.credits.get(pending.device)
        if flow is not None and (came or missing):
            flow.arrived(sum(pending.left.pop(id, 0) for id in came), now - pending.sent, now)
            self._will_not_come(pending, dict.fromkeys(missing))
            for id in missing:
                pending.left.pop(id, None)
            pending.heard = flow.heard_at = now
            self._waits(pending.device, now)
        if not pending.left:
            self._close((pending.device, number))

    def rest(self, device: DeviceKey, until: float) -> None:
        """Send the device no get before `until`."""
        flow = self.credits.get(device)
        if flow is not None:
            flow.rests_until = until

    def silent(self, now: float, others: Callable[[Request], bool]) -> list[Request]:
        """Give up and return the requests that stayed unanswered too long. others: whether another
        device can be asked for (some of) a request. A request that only one device can serve is
        checked again later."""
        given_up = []
        look_at = math.inf
        for key, pending in list(self._pending.items()):
            too_long = now >= pending.heard + SILENT_ALONE_S + self._expected_s(pending.device)
            silent_at = self._silent_at(pending)
            if too_long or (now >= silent_at and others(pending)):
                given_up.append(self._close(key))
                self._will_not_come(pending, pending.left)
                flow = self.credits.get(pending.device)
                if flow is not None:
                    flow.silent(now)
            else:
                look_at = min(look_at, silent_at if silent_at > now else now + RETRY_S)
        self._look_at = look_at
        return given_up

    def silent_at(self) -> float:
        """Return when to check for silence next (monotonic seconds). It is never after the first
        request times out, and mostly a little before. The loop asks in every turn, so the time is
        kept, not computed."""
        return self._look_at

    def slow(self, transfer: Transfer, now: float) -> Iterator[tuple[DeviceKey, int]]:
        """Yield the rows of a file that have been open for SLOW_S, each with its device, oldest
        first."""
        for pending in self._pending.values():
            if pending.transfer is transfer and now >= pending.heard + SLOW_S:
                left = (pending.rows.get(id) for id in pending.left)
                yield from ((pending.device, row) for row in left if row is not None)

    def sources(self, transfer: Transfer) -> dict[DeviceKey, float]:
        """Return the devices that were asked for (some of) a file, each with its rate in bytes a
        second over all files that it sends us."""
        asked = {p.device for p in self._pending.values() if p.transfer is transfer}
        return {d: self.credits[d].rate_bytes_s for d in asked if d in self.credits}

    def sources_of_small(self, folder: str, path: str) -> dict[DeviceKey, float]:
        """Return the same of a small file."""
        asked = {
            pending.device
            for pending in self._pending.values()
            if pending.folder == folder
            and any(entry.path == path for each in pending.files.values() for entry in each)
        }
        return {d: self.credits[d].rate_bytes_s for d in asked if d in self.credits}

    def written(self, device: DeviceKey, count: int) -> None:
        """`count` bytes that arrived are written, or were discarded."""
        flow = self.credits.get(device)
        if flow is not None:
            flow.held = max(0, flow.held - count)

    def open_bytes(self, device: DeviceKey, is_small: bool) -> int:
        """Return the bytes that the device was asked for and has not sent, of small files or of
        large ones."""
        return sum(
            sum(pending.left.values())
            for pending in self._pending.values()
            if pending.device == device and pending.is_small is is_small
        )

    def rate_bytes_s(self) -> float:
        return sum(flow.rate_bytes_s for flow in self.credits.values() if flow.outstanding)

    def _silent_at(self, pending: Request) -> float:
        flow = self.credits.get(pending.device)
        heard_at = pending.heard if flow is None else max(pending.heard, flow.heard_at)
        return heard_at + self._patience_s(pending.device)

    def _waits(self, device: DeviceKey, now: float) -> None:
        """The device was asked or has answered: its timeout starts again."""
        self._look_at = min(self._look_at, now + self._patience_s(device))

    def _patience_s(self, device: DeviceKey) -> float:
        flow = self.credits.get(device)
        wait_s = 0.0 if flow is None else flow.wait_s
        return min(max(SILENT_S, 2 * wait_s, self._expected_s(device)), SILENT_ALONE_S)

    def _expected_s(self, device: DeviceKey) -> float:
        """Return how long a device that has a limit may take for what it was asked for, as it may
        have given the longest chunk just before."""
        given = self.given.get(device)
        if not given:
            return 0.0
        open_bytes = self.open_bytes(device, True) + self.open_bytes(device, False)
        return min((open_bytes + MAX_CHUNK_BYTES) / given, LONGEST_EXPECTED_S)

    def _will_not_come(self, pending: Request, ids: Iterable[bytes]) -> None:
        """These will not be answered with bytes: their credit is free again."""
        size, device = pending.content_bytes(ids), pending.device
        self._throttle.gave_back(device, size, pending.is_small)
        flow = self.credits.get(device)
        if flow is not None:
            self._given_back[device] = self._given_back.get(device, 0) + size
            flow.returned(sum(pending.left.get(id, 0) for id in ids))

    def _close(self, key: tuple[DeviceKey, int]) -> Request:
        flow = self.credits.get(key[0])
        if flow is not None:
            flow.gets -= 1
        return self._pending.pop(key)
