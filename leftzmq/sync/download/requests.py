"""Asks that are under way: what was asked of whom, until it is answered or goes elsewhere.

Knows devices, credit and times. Must not know what a file still lacks, nor what its bytes are for:
small and large files do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from leftzmq.sync.actions import Send
from leftzmq.sync.download.flow_control import FlowControl
from leftzmq.sync.download.transfer import Transfer
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.tree.entry import Entry
from leftzmq.wire.messages import Get

GETS_AT_ONCE: Final = 12
"""Of one device: more messages than that only fill queues; what waits here travels in fewer."""
LARGE_GETS_AT_ONCE: Final = 8  # of those: a small file never waits for one to be answered
SILENT_S: Final = 2.0
"""When a device answered nothing for so long, or for twice as long as its answers took lately, what
it was asked for goes elsewhere, if somebody else has it. One that answers is not silent: on a slow
line a get waits behind those of others."""
SILENT_ALONE_S: Final = 30.0  # with nobody else to ask, or if it answers all but this one
RETRY_S: Final = 1.0  # between two looks at what nobody else can be asked for
SLOW_S: Final = 1.0
"""What is the last of a file and so long under way may be asked of another one as well."""


@dataclass(slots=True)
class Request:
    """A get that is not fully answered. Of the three kinds it holds one.

    files: content -> the entries that wait for it; rows: chunk id -> the row of `arriving`
    """

    device: DeviceKey
    folder: str
    left: dict[bytes, int]  # id -> credit bytes
    files: dict[bytes, list[Entry]] = field(default_factory=dict)
    transfer: Transfer | None = None
    rows: dict[bytes, int] = field(default_factory=dict)
    sent: float = 0.0
    heard: float = 0.0


class Requests:
    """Of the agent. link_to: where to send a device a get. number: of the first get, less one;
    not one that an earlier life began with: what that one asked for may still be answered, over a
    link that a peer made again."""

    def __init__(self, link_to: Callable[[DeviceKey], Link | None], number: int = 0) -> None:
        self._link_to = link_to
        self.credits: dict[DeviceKey, FlowControl] = {}
        self._pending: dict[tuple[DeviceKey, int], Request] = {}
        self._number = number
        self._look_at = math.inf

    def connected(self, device: DeviceKey, max_credit: int) -> None:
        self.credits[device] = FlowControl(max_credit)

    def forget_device(self, device: DeviceKey) -> list[Request]:
        """What it will not answer any more."""
        self.credits.pop(device, None)
        return [self._pending.pop(key) for key in list(self._pending) if key[0] == device]

    def given_up(self, device: DeviceKey) -> list[Request]:
        """What was asked over a connection that broke; the device can be asked again."""
        keys = [key for key in self._pending if key[0] == device]
        found = [self._close(key) for key in keys]
        for pending in found:
            if device in self.credits:
                self.credits[device].returned(sum(pending.left.values()))
        return found

    def forget_folder(self, folder: str) -> None:
        """Nobody waits for what was asked of this folder."""
        for key in [key for key, pending in self._pending.items() if pending.folder == folder]:
            pending = self._close(key)
            if pending.device in self.credits:
                self.credits[pending.device].returned(sum(pending.left.values()))

    def number_from(self, number: int) -> None:
        """The number of the first get, less one, if nothing was asked yet."""
        self._number = self._number or number

    def send(self, pending: Request, get: Get, now: float) -> Send | None:
        """The get under a number of its own; None when there is no link."""
        link = self._link_to(pending.device)
        if link is None:
            return None
        self._number = (self._number + 1) & 0xFFFFFFFF
        pending.sent = pending.heard = now
        self._pending[pending.device, self._number] = pending
        self.credits[pending.device].asked(sum(pending.left.values()))
        self._waits(pending.device, now)
        return Send(link, Get(self._number, get.tag, get.lists, get.wants))

    def of(self, device: DeviceKey, number: int) -> Request | None:
        return self._pending.get((device, number))

    def late(self, device: DeviceKey, now: float) -> None:
        """An answer to what was given up, or to nothing at all."""
        flow = self.credits.get(device)
        if flow is not None:
            flow.late(now)

    def answered(
        self, number: int, pending: Request, came: list[bytes], missing: list[bytes], now: float
    ) -> None:
        """(A part of) an answer; an empty one is silence."""
        flow = self.credits.get(pending.device)
        if flow is not None and (came or missing):
            flow.arrived(sum(pending.left.pop(id, 0) for id in came), now - pending.sent, now)
            flow.returned(sum(pending.left.pop(id, 0) for id in missing))
            pending.heard = flow.heard_at = now
            self._waits(pending.device, now)
        if not pending.left:
            self._close((pending.device, number))

    def silent(self, now: float, others: Callable[[Request], bool]) -> list[Request]:
        """Those that stayed without an answer too long are given up. others: whether somebody
        else can be asked for (something of) it; where nobody can, they are looked at again."""
        given_up = []
        look_at = math.inf
        for key, pending in list(self._pending.items()):
            too_long = now >= pending.heard + SILENT_ALONE_S
            silent_at = self._silent_at(pending)
            if too_long or (now >= silent_at and others(pending)):
                given_up.append(self._close(key))
                flow = self.credits.get(pending.device)
                if flow is not None:
                    flow.returned(sum(pending.left.values()))
                    flow.silent(now)
            else:
                look_at = min(look_at, silent_at if silent_at > now else now + RETRY_S)
        self._look_at = look_at
        return given_up

    def silent_at(self) -> float:
        """When to look for silence next (monotonic): not after the first get is silent too long,
        and mostly a little before. Asked in every turn, so it is not worked out anew."""
        return self._look_at

    def slow(self, transfer: Transfer, now: float) -> Iterator[tuple[DeviceKey, int]]:
        """Rows of a file that were asked for a while ago, and of whom; the oldest first."""
        for pending in self._pending.values():
            if pending.transfer is transfer and now >= pending.heard + SLOW_S:
                left = (pending.rows.get(id) for id in pending.left)
                yield from ((pending.device, row) for row in left if row is not None)

    def sources(self, transfer: Transfer) -> dict[DeviceKey, float]:
        """Who was asked for (something of) a file; and how many bytes a second come from each, of
        all that it gives us."""
        asked = {p.device for p in self._pending.values() if p.transfer is transfer}
        return {d: self.credits[d].rate_bytes_s for d in asked if d in self.credits}

    def let_go(self, device: DeviceKey, count: int) -> None:
        """So many bytes that arrived are written, or thrown away."""
        flow = self.credits.get(device)
        if flow is not None:
            flow.held = max(0, flow.held - count)

    def rate_bytes_s(self) -> float:
        return sum(flow.rate_bytes_s for flow in self.credits.values() if flow.outstanding)

    def _silent_at(self, pending: Request) -> float:
        flow = self.credits.get(pending.device)
        heard_at = pending.heard if flow is None else max(pending.heard, flow.heard_at)
        return heard_at + self._patience_s(pending.device)

    def _waits(self, device: DeviceKey, now: float) -> None:
        """The device was asked, or heard: from now on it may be silent for so long."""
        self._look_at = min(self._look_at, now + self._patience_s(device))

    def _patience_s(self, device: DeviceKey) -> float:
        flow = self.credits.get(device)
        wait_s = 0.0 if flow is None else flow.wait_s
        return min(max(SILENT_S, 2 * wait_s), SILENT_ALONE_S)

    def _close(self, key: tuple[DeviceKey, int]) -> Request:
        flow = self.credits.get(key[0])
        if flow is not None:
            flow.gets -= 1
        return self._pending.pop(key)
