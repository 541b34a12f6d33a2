"""Receives the indexes of other devices, as news and as answers to our index_since, into the open
index.

News is a hint, never the record. A gap, another life or an impossible number has one remedy: ask
that device for its index since the last sequence that we hold. Knows pages and heads. Must not know
what a version means (sync/versions/remote_changes and sync/versions/resolver do), nor what we
announce ourselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from leftzmq.config import Limits
from leftzmq.content.epochs import Epochs
from leftzmq.errors import Problem, ProblemKind, Refusal
from leftzmq.index.heads import NO_LIFE
from leftzmq.index.rows import ROW_BYTES, row_bytes
from leftzmq.index.schema import CHECKPOINT_BYTES
from leftzmq.sync.actions import Drop, Outputs, Send, Tell
from leftzmq.sync.exchange.index_quota import IndexQuota
from leftzmq.sync.exchange.index_server import PAGES_AN_ASK
from leftzmq.sync.exchange.index_waits import IndexWaits
from leftzmq.sync.facts import (
    EpochBegan,
    MemberExcluded,
    PageArrived,
    PathsReconsidered,
    PeerGreeted,
    PeerRemoved,
)
from leftzmq.sync.jobs import IndexRoomSeen
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.cloned_device import ClonedDevices
from leftzmq.sync.peers.greeting import Peers
from leftzmq.sync.problems import Problems
from leftzmq.sync.versions.index_view import OURS, IndexView
from leftzmq.sync.versions.peer_counts import HeldCount
from leftzmq.sync.versions.remote_changes import Heard, heard, withdrawn
from leftzmq.tree.entry import Entry
from leftzmq.tree.version import Life
from leftzmq.wire.folder_rows import Standing
from leftzmq.wire.local import EventKind, Scalar
from leftzmq.wire.messages import IndexSince
from leftzmq.wire.page import Page

KEPT_PAGES_MAX: Final = 64  # news beyond the end of a running answer; after more, we ask once more
ANSWER_TIMEOUT_S: Final = 20.0
GENERATIONS_MAX: Final = 4
"""Generations of one device that are not swept yet. Each has a bit, and a folder has 62 bits."""
BEHIND_BYTES: Final = 4 * CHECKPOINT_BYTES
RESUME_S: Final = 0.05
BIT_HELD_S: Final = 60.0
"""When all bits are taken and none can be swept, the device that has sent no page for longest loses
its bit, if that time is at least BIT_HELD_S. A reachable device sends a page every 10 s
(heartbeats)."""


@dataclass(slots=True)
class Running:
    """An answer to our index_since that is not finished yet.

    whole: its pages are a new generation
    kept: news that arrived meanwhile, beyond its end
    """

    since: float
    pages_left: int
    whole: bool = False
    kept: list[Page] = field(default_factory=list)


class IndexClient:
    """One per folder.

    members: the reachable devices that proved to hold the folder's secret
    withdrew: called with a device that says that it keeps something no more
    gaps: how often news of a device was lost: what came next was not what follows
    heard: those members that have sent a readable page since they connected. The others only claim
        to have the folder and may never send anything: nobody waits for them
    """

    def __init__(
        self,
        folder: str,
        epochs: Epochs,
        index_view: IndexView,
        peers: Peers,
        problems: Problems,
        limits: Limits,
    ) -> None:
        self._folder, self._epochs, self._peers = folder, epochs, peers
        self._index_view, self._heads = index_view, index_view.store.heads
        self._running: dict[DeviceKey, Running] = {}
        self._waits, self._problems = IndexWaits(folder, problems), problems
        self.cloned_devices = ClonedDevices()
        self._index_quota = IndexQuota(folder, limits)
        self._paused: set[DeviceKey] = set()  # asked on when our own log is short again
        self._resume_at = 0.0
        self._paged_at: dict[DeviceKey, float] = {}  # time of its last page, or when it got its bit
        self.withdrew: Callable[[DeviceKey], None] = lambda device: None
        self.gaps: dict[DeviceKey, int] = {}
        self.members: set[DeviceKey] = set()
        self.heard: set[DeviceKey] = set()

    def holders(self, entry: Entry) -> list[DeviceKey]:
        """Return the reachable devices that say they have the bytes of exactly this version."""
        bits = 0
        for row in self._index_view.rows(entry.path):
            if row.entry.same_content(entry):
                bits |= row.holders
        return [device for device in self.members if self._heads.head_of(device).mask & bits]

    def source(self, entry: Entry, bit: int) -> str:
        """Return the name of the device from which a version came: its author, if the author is a
        peer of ours; else the device with this bit in the index, which has the version. "":
        unknown."""
        name = self._peers.maker(entry.writer)
        if name or not bit:
            return name
        known = (head.key for head in self._heads.known() if head.mask == bit)
        key = next(known, None)
        return self._peers.name(DeviceKey(key)) if key is not None else ""

    def on_peer_greeted(self, fact: PeerGreeted, now: float, hello: Standing) -> Outputs:
        """A device that shares this folder is reachable now: ask for what we lack. A new member is
        asked in any case, because its answer shows that it can send a readable page."""
        device = fact.link.device
        is_new = device not in self.members
        self.members.add(device)
        told = self._look_for_twins(device, hello.life, now)
        head = self._heads.head_of(device)
        self._index_view.reach |= head.mask
        known = (head.life, head.head) == (hello.life, hello.head) and device in self.heard
        waits = device in self._waits or device in self._paused
        if known or device in self._running or waits:
            out: Outputs = []
        else:
            out = self._ask(device, now)
        return [*told, *out, *([PathsReconsidered(self._folder, ())] if is_new else [])]

    def on_requests_lost(self, device: DeviceKey) -> None:
        """A running answer of this device may never continue. Its hello, which follows, leads to a
        new one."""
        self._running.pop(device, None)

    def on_folder_stopped(self) -> None:
        """A stopped folder has no members. A device that connects later is greeted by its
        successor."""
        self.members.clear()
        self.heard.clear()
        self._running.clear()

    def on_device_lost(self, device: DeviceKey) -> Outputs:
        """No link to the device is left: what only this device holds is pending from now on."""
        self._running.pop(device, None)
        self._paused.discard(device)
        out = self._waits.wait_over(device, self._peers.name(device))
        if self.cloned_devices.are_there(device):
            out += self._problems.clear("", self._peers.name(device))
        self.cloned_devices.device_left(device)
        if device not in self.members:
            return out
        self._index_view.reach &= ~self._heads.head_of(device).mask
        self.members.discard(device)
        self.heard.discard(device)
        return [*out, PathsReconsidered(self._folder, ())]

    def on_peer_removed(self, fact: PeerRemoved, now: float) -> Outputs:
        """The device is no peer any more: what it said counts for nothing."""
        return self._without(fact.device)

    def on_member_excluded(self, fact: MemberExcluded, now: float) -> Outputs:
        """The device was removed from the folder: what it said of it counts for nothing, also where
        a person wrote it into peer.toml."""
        return self._without(fact.device)

    def _without(self, device: DeviceKey) -> Outputs:
        self._paged_at.pop(device, None)
        self._index_view.give_up(device)
        return [PathsReconsidered(self._folder, ())]

    def on_modes_changed(self, readers: frozenset[DeviceKey], we_read: bool, now: float) -> Outputs:
        """These other devices may only read the folder, and so may we, or not. Who may write from
        now on is asked for all that it has: of what it said before, not all was kept."""
        trusted = sorted(DeviceKey(key) for key in self._index_view.readers_known - readers)
        if not self._index_view.may_only_read(readers, we_read):
            return []
        out: Outputs = []
        for device in trusted:
            self._index_view.give_up(device)
            waits = device in self._waits or device in self._paused
            if device in self.members and not waits:
                out += self._ask(device, now)
        return [*out, PathsReconsidered(self._folder, ())]

    def on_epoch_began(self, fact: EpochBegan, now: float) -> Outputs:
        """Ask again for answers that are under way: their pages may have come before the secret
        that opens them."""
        out: Outputs = []
        for device in list(self._running):
            out += self._ask(device, now)
        return out

    def on_page_arrived(self, fact: PageArrived, now: float) -> Outputs:
        """A page of another device's index arrived: news, or (a part of) an answer."""
        device = fact.link.device
        if device not in self.members:
            return []  # it has not said hello over this connection yet; after that we ask anyway
        self.heard.add(device)
        self._paged_at[device] = now
        told = self._look_for_twins(device, fact.page.life, now)
        return told + self._page(fact, device, now)

    def _look_for_twins(self, device: DeviceKey, life: Life, now: float) -> Outputs:
        """Show a Problem while two agents with one key are both active."""
        before = self.cloned_devices.are_there(device)
        self.cloned_devices.life_heard(device, life, now)
        if self.cloned_devices.are_there(device) is before:
            return []
        name = self._peers.name(device)
        if before:
            return self._problems.clear("", name)
        return self._problems.show(Problem(self._folder, "", ProblemKind.TWO_OF_KEY, "", name))

    def _page(self, fact: PageArrived, device: DeviceKey, now: float) -> Outputs:
        if device not in self._index_view.readers_known:
            self._index_view.accept(fact.page.accepted)  # before the entries that it may let pass
        if device in self._waits or device in self._paused:
            return []  # the device is asked again later
        running = self._running.get(device)
        if fact.answer:
            return self._answer(fact.page, device, running, now) if running else []
        if running is not None:
            if len(running.kept) < KEPT_PAGES_MAX:
                running.kept.append(fact.page)
            return []
        return self._news(fact.page, device, now)

    @property
    def heard_mask(self) -> int:
        """The bits of the devices in `heard`: what they hold is acknowledged."""
        mask = 0
        for device in self.heard:
            mask |= self._heads.head_of(device).mask
        return mask

    def receives(self, device: DeviceKey) -> bool:
        """Return whether the device's index is arriving, or waits to be requested."""
        return device in self._running or device in self._paused or device in self._waits

    @property
    def settled_with_heard(self) -> bool:
        """Like `settled`, but without the answers of devices that never sent a page."""
        return self._running.keys().isdisjoint(self.heard) and self._index_view.swept

    @property
    def settled(self) -> bool:
        """Whether no answer is running and all invalid generations are swept."""
        return not self._running and not self._paused and self._index_view.swept

    def tune(self, limits: Limits) -> None:
        """From now on other devices' indexes may be as large as this."""
        self._index_quota.tune(limits)

    def on_time_passed(self, now: float) -> Outputs:
        """Ask again for answers that are late; sweep invalid generations."""
        out = [*self._index_quota.on_time_passed(now), *self._sweep_some(), *self._end_waits(now)]
        out += self._resume(now)
        late = [d for d, r in self._running.items() if now - r.since > ANSWER_TIMEOUT_S]
        for device in late:
            del self._running[device]
            out += self._ask(device, now)
        return out

    def _sweep_some(self) -> Outputs:
        """After the last step, tickets that only an old generation held are reconsidered."""
        if self._index_view.swept:
            return []
        self._index_view.sweep_some()
        return [PathsReconsidered(self._folder, ())] if self._index_view.swept else []

    def deadline(self, now: float) -> float | None:
        if not self._index_view.swept:
            return now
        times = [r.since + ANSWER_TIMEOUT_S for r in self._running.values()]
        times += [self._resume_at] if self._paused else []
        more = (self._waits.deadline(), self._index_quota.deadline())
        return min([*times, *(time for time in more if time is not None)], default=None)

    def _news(self, page: Page, device: DeviceKey, now: float) -> Outputs:
        if device in self._waits or device in self._paused:
            return []  # a kept page; after an earlier one the device had to wait
        head = self._heads.head_of(device)
        if page.life == head.life and page.last <= head.head:
            return []
        if page.life != head.life or page.after > head.head:
            if page.life == head.life:
                self.gaps[device] = self.gaps.get(device, 0) + 1
            return self._ask(device, now)
        if self._is_behind:
            return self._pause(device, now)
        out: Outputs = []
        if page.entries:
            fields: dict[str, Scalar] = {"device": self._peers.name(device), "folder": self._folder}
            out.append(Tell(EventKind.HAVE_NEWS, fields | {"paths": len(page.entries)}))
        return out + self._hear(page, device, now)

    def _answer(self, page: Page, device: DeviceKey, running: Running, now: float) -> Outputs:
        head = self._heads.head_of(device)
        if page.whole and page.after == 0 and not running.whole:
            if len(self._heads.to_sweep(device)) >= GENERATIONS_MAX:
                detail = f"{GENERATIONS_MAX} times in a moment"
                return [Drop(device, Refusal.TOO_OFTEN, detail)]
            fresh = self._index_view.new_generation(device, page.life)
            if fresh is None:
                return self._wait_for_bit(device, now)
            running.whole, head = True, fresh
        elif page.after < head.head and page.life == head.life:
            return []  # the rest of an answer that we asked for once more
        elif not head.mask or page.after != head.head or (page.whole and page.life != head.life):
            return self._ask(device, now)  # a page was lost
        running.since, running.pages_left = now, running.pages_left - 1
        out = self._hear(page, device, now)
        if page.last < page.head:
            if device not in self._running:
                return out  # the device waits
            if running.pages_left == 0 and self._is_behind:
                return out + self._pause(device, now)
            if running.pages_left == 0:
                running.pages_left = PAGES_AN_ASK
                out += self._since(device)
            return out
        if self._running.pop(device, None) is None:
            return out
        self._index_view.sweep(device)
        for kept in running.kept:
            out += self._news(kept, device, now)
        return out

    # -- devices that wait for a bit -----------------------------------------------------------

    def _wait_for_bit(self, device: DeviceKey, now: float) -> Outputs:
        """All bits are taken: the device's answer is ignored until a bit is free."""
        del self._running[device]
        name = self._peers.name(device)
        out = self._waits.wait_for(device, name, ProblemKind.INDEX_WAITS, "", now)
        return [*out, *self._free_bits(now)]

    def _end_waits(self, now: float) -> Outputs:
        """Ask the devices again whose reason to wait has passed."""
        out: Outputs = []
        for device in self._waits.waiting_for(ProblemKind.INDEX_WAITS):
            # The device gets its bit now, so that no later device takes it.
            if self._index_view.begin_anew(device) is None:
                break
            self._paged_at[device] = now  # as if a page came now: it has BIT_HELD_S to send one
            out += self._waits.wait_over(device, self._peers.name(device))
            out += self._ask(device, now)
        for device, kind in self._waits.due(now):
            no_room = kind is ProblemKind.INDEX_NO_ROOM and not self._index_quota.is_left
            if no_room or kind is ProblemKind.INDEX_WAITS:
                self._waits.put_off(device, now)
            else:
                self._waits.ask_again(device)
                out += self._ask(device, now)
        return [*out, *self._free_bits(now)]

    def _free_bits(self, now: float) -> Outputs:
        """Free bits, of old generations first. If there are none, take the bits of waiting devices,
        whose indexes are replaced anyway. Else take the bit of the device that has sent no page for
        longest."""
        waiting = self._waits.waiting_for(ProblemKind.INDEX_WAITS)
        if not waiting or self._index_view.sweep_all():
            return []
        holders = [device for device in waiting if self._heads.head_of(device).mask]
        if not holders and (silent := self._silent_longest(now)) is not None:
            holders = [silent]
        out: Outputs = []
        for holder in holders:
            self._index_view.give_up(holder)
            out = [PathsReconsidered(self._folder, ())]
            if holder in self.members and holder not in self._waits:
                self._running.pop(holder, None)
                name = self._peers.name(holder)
                out += self._waits.wait_for(holder, name, ProblemKind.INDEX_WAITS, "", now)
        return out

    def _silent_longest(self, now: float) -> DeviceKey | None:
        holders = [DeviceKey(head.key) for head in self._heads.known()]
        holder = min(holders, key=lambda device: self._paged_at.get(device, 0.0))
        return holder if now - self._paged_at.get(holder, 0.0) >= BIT_HELD_S else None

    # -- space in the database -----------------------------------------------------------------

    def on_index_room_seen(self, fact: IndexRoomSeen, now: float) -> Outputs:
        """A job found out how much the disk of the state directory can take."""
        self._index_quota.on_index_room_seen(fact, now)
        return []

    def _more(self, page: Page, mask: int) -> HeldCount:
        """Return what this page adds to what its device announced before."""
        entries = size = 0
        for entry in page.entries:
            rows = self._index_view.all_rows(entry.path)
            before = next((row.entry for row in rows if row.holders & mask), None)
            entries += before is None
            size += row_bytes(entry) - (row_bytes(before) if before else 0)
        return HeldCount(entries, size)

    def _held_up(self, device: DeviceKey, more: HeldCount, now: float) -> Outputs | None:
        """Return the Outputs that make the device wait if the page may not be stored; None if it
        may."""
        peer_counts = self._index_view.peer_counts
        held = peer_counts.held_by(self._heads.head_of(device).mask)
        kind, detail = ProblemKind.INDEX_TOO_LARGE, ""
        if more.entries > 0 or more.bytes > 0:
            detail = self._index_quota.too_large(held, more, peer_counts.held_by(OURS).entries)
            if not detail and not self._index_quota.is_left:
                kind, detail = ProblemKind.INDEX_NO_ROOM, "min_free_percent"
        if not detail:
            return None
        self._running.pop(device, None)
        self._index_view.sweep(device)  # the rest of this generation may never arrive
        return self._waits.wait_for(device, self._peers.name(device), kind, detail, now)

    @property
    def _is_behind(self) -> bool:
        """Whether much of what others announced is not in the database yet: then further pages must
        wait."""
        return self._index_view.store.log_bytes > BEHIND_BYTES

    def _pause(self, device: DeviceKey, now: float) -> Outputs:
        self._running.pop(device, None)
        self._paused.add(device)
        self._resume_at = now + RESUME_S
        return []

    def _resume(self, now: float) -> Outputs:
        out: Outputs = []
        if self._paused and now >= self._resume_at:
            self._resume_at = now + RESUME_S
            if not self._is_behind:
                paused, self._paused = self._paused, set()
                for device in sorted(paused):
                    out += self._ask(device, now)
        return out

    # -- storing pages -------------------------------------------------------------------------

    def _hear(self, page: Page, device: DeviceKey, now: float) -> Outputs:
        """Store the entries of a page and the head that they lead to, in one commit."""
        head = self._heads.head_of(device)
        open_paths: list[str] = []
        self._index_view.recall(
            [*(entry.path for entry in page.entries), *(w.path for w in page.withdrawals)]
        )
        more = self._more(page, head.mask)
        if (held_up := self._held_up(device, more, now)) is not None:
            return held_up
        out: Outputs = [*self._waits.page_stored(device, self._peers.name(device))]
        withdrawals = {each.path: each.sequence for each in page.withdrawals}
        for entry in page.entries:
            anew = withdrawals.pop(entry.path, 0) > head.head
            meaning = heard(self._index_view, head.bit, entry, anew=anew)
            if meaning is Heard.OPEN:
                open_paths.append(entry.path)
            elif meaning is Heard.OLDER:
                detail = f"{entry.path}: an older version than it said before"
                out.append(Drop(device, Refusal.BAD_PAGE, detail))
                return out
        kept_no_more = [path for path in withdrawals if withdrawn(self._index_view, head.bit, path)]
        if withdrawals:
            self.withdrew(device)
        self._heads.advance(device, page.life, page.last)
        self._index_quota.spend(max(more.bytes, 0) + len(page.entries) * ROW_BYTES, now)
        out += self._index_quota.on_time_passed(now)
        if open_paths:
            out.append(PathsReconsidered(self._folder, tuple(open_paths), head.mask))
        if kept_no_more:
            out.append(PathsReconsidered(self._folder, tuple(kept_no_more)))
        return out

    def _ask(self, device: DeviceKey, now: float) -> Outputs:
        self._running[device] = Running(now, PAGES_AN_ASK)
        return self._since(device)

    def _since(self, device: DeviceKey) -> Outputs:
        link = self._peers.control_link(device)
        if link is None:
            return []  # a PeerLost of this device is about to be handled
        head = self._heads.head_of(device)
        after = 0 if head.life == NO_LIFE else head.head
        return [Send(link, IndexSince(self._epochs.tag, head.life, after))]
