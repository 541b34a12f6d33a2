"""`leftzmq wait`: when is everything that was written before the question in sync, and with which
devices?

First a cookie in each share shows that the watcher has reported everything up to the cookie. Then
the machines must be idle. The devices that are waited for must have all that we have, and we all
that they have. Those devices are the ones that were named, or else every connected one. A connected
device counts only after we have opened a first page from it, so a device that only claims to have a
folder delays nobody. When the time is over, the answer says which device is behind, and with what.

Knows questions, folders and time. Must not know how far a device is (sync/admin/peer_progress
does).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import UNSET, UnsetType

from leftzmq.config import UnusableFolder
from leftzmq.errors import BEGIN_ONE, NO_FOLDER, Problem, ProblemKind, counted
from leftzmq.sync.actions import Action, Answer, Outputs, Work, declined
from leftzmq.sync.admin.limiting import Limiting
from leftzmq.sync.admin.peer_progress import Member, MemberState, member
from leftzmq.sync.facts import Asked, CookieSeen, WalkEnded
from leftzmq.sync.folder import WHY_PAUSED, Folder
from leftzmq.sync.guard.hold import WHY_HELD
from leftzmq.sync.jobs import CookieDropped, DropCookie, FindLacking, Lacking, LackingFound
from leftzmq.sync.peers.peer_state import Peer
from leftzmq.tree.path import is_within
from leftzmq.wire.paging import fitting
from leftzmq.wire.replies import PassedOver, PeerBehind, ShownInFolder, ToCome, Waited

CHECK_PERIOD_S: Final = 0.05
DEFAULT_TIMEOUT_S: Final = 3600.0
NAMING_S: Final = 3.0
"""When the time is over, missing paths are searched for this long at most."""
SHOWN_PATHS: Final = 5
"""Of each device and folder."""
COUNTS_AT_ONCE: Final = 4
RECOUNT_S: Final = 0.5
"""Each waiter for a part of a folder runs a query on the index, again and again."""
SHOWN: Final = 100
MOST_BYTES: Final = 1 << 20
"""Of each list in an answer."""

_NOTHING: Final = Lacking(0, 0, ())

NEVER_SYNCED: Final = frozenset(
    (
        ProblemKind.SPECIAL,
        ProblemKind.BAD_NAME,
        ProblemKind.FOREIGN_LEFTING,
        ProblemKind.TOO_LARGE,
        ProblemKind.READS_ONLY,
        ProblemKind.CHANGED_BY_READER,
        ProblemKind.RULES_FAULTY,
        ProblemKind.MUCH_IGNORED,
    )
)
"""No waiting can help here: these problems are reported and delay nobody."""
_LOOKED_AT: Final = frozenset((ProblemKind.WATCH_LIMIT,))
"""Polled paths are walked for each question: nothing is missing there when the walk has ended."""
_PASSED_OVER: Final = frozenset(
    (MemberState.NOT_THERE, MemberState.OTHER_SECRET, MemberState.NOT_SHARED)
)
"""A device that was named need not be a member of every folder."""


@dataclass(slots=True)
class Waiter:
    """One `leftzmq wait`.

    folders: the folders in question
    path: the path in question in each of them, with everything below; "": the whole folder
    named: the devices that it waits for; None: the connected ones
    strangers: requested names of devices that can never be connected
    is_of_all: no folder was named, so those that cannot be used are in question, too
    cookies: folder -> the cookie that was not seen there yet ("": a walk)
    """

    asker: bytes
    until: float
    folders: tuple[str, ...]
    path: str
    named: tuple[Peer, ...] | None
    strangers: tuple[str, ...]
    is_of_all: bool = False
    cookies: dict[str, str] = field(default_factory=dict)
    again_at: float = 0.0  # when its part of a folder may be counted again
    clear: set[str] = field(default_factory=set)  # folders where no device lacks anything at `path`

    def without(self, folder: str) -> None:
        """That folder is in question no more."""
        self.folders = tuple(id for id in self.folders if id != folder)


@dataclass(slots=True)
class _Naming:
    """A waiter whose time is over, until it is known what is missing. open: the folders for which
    that is not known yet."""

    waiter: Waiter
    why: str
    until: float
    open: set[str]
    found: dict[str, LackingFound] = field(default_factory=dict)


class WaitQuestions:
    """One per agent. peers: the peers that have a key. keyless: names of the other peers in the
    config, unusable: folders of it that cannot be used; both may change."""

    def __init__(
        self,
        folders: Mapping[str, Folder],
        peers: Callable[[], Iterable[Peer]],
        connected: Callable[[], list[Any]],
        limiting: Limiting,
        keyless: Sequence[str] = (),
        unusable: Sequence[UnusableFolder] = (),
    ) -> None:
        self._folders, self._peers, self._connected = folders, peers, connected
        self._limiting, self._keyless, self._unusable = limiting, keyless, unusable
        self._waiters: list[Waiter] = []
        self._endings: dict[int, _Naming] = {}
        self._counting: dict[int, tuple[Waiter, str]] = {}  # waiter and folder
        self._number = 0
        self._next_check = 0.0
        self._seen: dict[tuple[str, bytes], Member] = {}  # cached during one check

    def deadline(self) -> float | None:
        return self._next_check if self._waiters or self._endings else None

    # -- questions -----------------------------------------------------------------------------

    def on_asked(self, fact: Asked, now: float) -> Outputs:
        """Start a waiter. The caller has checked the path."""
        waiter = self._waiter(fact, now)
        if isinstance(waiter, Answer):
            return [waiter]
        out: Outputs = []
        for id in waiter.folders:
            folder = self._folders[id]
            if folder.stopped is not None or folder.hold.holds:
                continue  # it is not idle, so nothing is in sync until it goes on
            self._number += 1
            name = f"cookie-{folder.store.heads.life.hex()}-{self._number}"
            waiter.cookies[id] = name
            out.append(Work(DropCookie(id, name)))
            out += folder.scheduler.look_at_linked(now)
        self._waiters.append(waiter)
        self._next_check = now
        return [*out, *self._paused()]

    def _waiter(self, fact: Asked, now: float) -> Waiter | Answer:
        timeout = fact.fields.get("timeout")
        timeout_s = float(timeout) if isinstance(timeout, int | float) else math.nan
        if math.isnan(timeout_s):
            timeout_s = DEFAULT_TIMEOUT_S
        id, path = _text(fact, "folder"), _text(fact, "path")
        wrong = {one.id: one.why for one in self._unusable}
        names = ", ".join((*self._folders, *wrong))
        if not self._folders and not wrong:
            return declined(fact.asker, NO_FOLDER, id, BEGIN_ONE)
        if id in wrong or not self._folders:
            id = id if id in wrong else next(iter(wrong))
            return declined(fact.asker, f"folder {id} is stopped: {wrong[id]}")
        if id and id not in self._folders:
            return declined(fact.asker, f"there is no such folder here; there is {names}", id)
        if path and not id and len(self._folders) != 1:
            do = "name one with --folder"
            return declined(fact.asker, f"there are several folders here: {names}", path, do)
        folders = (id,) if id else tuple(self._folders)
        named = self._named(fact)
        if isinstance(named, Answer):
            return named
        peers, strangers = named
        return Waiter(fact.asker, now + timeout_s, folders, path, peers, strangers, not id)

    def _named(self, fact: Asked) -> tuple[tuple[Peer, ...] | None, tuple[str, ...]] | Answer:
        """Return the devices to wait for, and the names of those that can never be connected."""
        known = {peer.name: peer for peer in self._peers()}
        names = [name for name in _text(fact, "peers").split("\n") if name]
        if fact.fields.get("all") is True:
            names = [*known, *self._keyless]
        elif not names:
            return None, ()
        unknown = [name for name in names if name not in known and name not in self._keyless]
        if unknown:
            there = ", ".join((*known, *self._keyless)) or "none"
            what = f"there is no such device in the config; there is {there}"
            return declined(fact.asker, what, unknown[0])
        peers = tuple(known[name] for name in dict.fromkeys(names) if name in known)
        return peers, tuple(name for name in dict.fromkeys(names) if name not in known)

    def give_up_one(self) -> Outputs:
        """Answer the oldest waiter, to make space for a new one."""
        self._seen.clear()
        if self._waiters:
            return [self._no(self._waiters.pop(0), "too many others ask", {})]
        for number, ending in self._endings.items():
            del self._endings[number]
            return [self._no(ending.waiter, ending.why, ending.found)]
        return []

    # -- answers of jobs -------------------------------------------------------------------------

    def on_cookie_dropped(self, fact: CookieDropped, now: float) -> Outputs:
        """Walk if not everything is watched: then only a walk shows what was written before the
        question."""
        scheduler = self._folders[fact.folder].scheduler
        if fact.watched and fact.problem is None and not scheduler.walks.polls:
            return []
        for waiter in self._waiters:
            if waiter.cookies.get(fact.folder) == fact.name:
                waiter.cookies[fact.folder] = ""
        return scheduler.walk_all(now)

    def on_cookie_seen(self, fact: CookieSeen, now: float) -> Outputs:
        for waiter in self._waiters:
            if waiter.cookies.get(fact.folder) == fact.name:
                del waiter.cookies[fact.folder]
        return self.on_time_passed(now)

    def on_walk_ended(self, fact: WalkEnded, now: float) -> None:
        for waiter in self._waiters:
            if fact.prefix == "" and waiter.cookies.get(fact.folder) == "":
                del waiter.cookies[fact.folder]

    def on_folder_stopped(self, folder: str) -> None:
        """When the folder is opened again, its first walk tells as much as a cookie."""
        for waiter in self._waiters:
            waiter.cookies.pop(folder, None)
            waiter.clear.discard(folder)
        self._counting = {n: each for n, each in self._counting.items() if each[1] != folder}
        for ending in self._endings.values():
            ending.open.discard(folder)

    def on_folder_gone(self, folder: str) -> list[Action]:
        """The folder was taken off this device: nobody waits for it. Answer who waits for it
        alone."""
        out: list[Action] = []
        for ending in self._endings.values():
            ending.waiter.without(folder)
        for waiter in list(self._waiters):
            waiter.without(folder)
            if not waiter.folders:
                self._waiters.remove(waiter)
                out.append(self._no(waiter, f"folder {folder} was taken off this device", {}))
        return out

    def on_lacking_found(self, fact: LackingFound, now: float) -> Outputs:
        ending = self._endings.get(fact.number)
        if ending is not None:
            ending.open.discard(fact.folder)
            ending.found[fact.folder] = fact
            return self.on_time_passed(now)
        waiter, folder = self._counting.pop(fact.number, (None, ""))
        if waiter is None:
            return []
        if fact.coming.paths or any(lacking.paths for lacking in fact.lacking):
            return []  # it is counted again at the next check
        waiter.clear.add(folder)
        return self.on_time_passed(now)

    # -- checking --------------------------------------------------------------------------------

    def on_time_passed(self, now: float) -> Outputs:
        """Answer the waiters that can be answered."""
        self._next_check = now + CHECK_PERIOD_S
        self._seen.clear()
        out: Outputs = []
        for id in {id for waiter in self._waiters for id in waiter.folders}:
            folder = self._folders[id]
            if folder.stopped is None and folder.scheduler.unsure:
                out += folder.scheduler.walk_all(now)
        for number, ending in list(self._endings.items()):
            if not ending.open or now >= ending.until:
                del self._endings[number]
                out.append(self._no(ending.waiter, ending.why, ending.found))
        out += self._paused()
        for waiter in list(self._waiters):
            why = self._unquiet(waiter)
            if now >= waiter.until:
                self._waiters.remove(waiter)
                out += self._over(waiter, self._reason(waiter, why), now)
            elif waiter.cookies or why:
                waiter.clear.clear()
            elif self._has_all(waiter, out, now):
                self._waiters.remove(waiter)
                out.append(self._answer(waiter, in_sync=True))
        return out

    def _paused(self) -> list[Action]:
        """Answer at once who waits for a folder that is paused: nothing of it arrives anywhere."""
        out: list[Action] = []
        for waiter in list(self._waiters):
            paused = next((id for id in waiter.folders if self._folders[id].paused), None)
            if paused is not None:
                self._waiters.remove(waiter)
                out.append(self._no(waiter, f"folder {paused} is paused: {WHY_PAUSED}", {}))
        return out

    def _has_all(self, waiter: Waiter, out: Outputs, now: float) -> bool:
        """Return whether every device that is waited for has all that we have, and we all that it
        has. For a part of a folder a job counts that first."""
        for id in waiter.folders:
            folder = self._folders[id]
            if not waiter.path:
                if any(_lags(each) for each in self._waited_for(waiter, folder)):
                    return False
                continue
            if id in waiter.clear:
                continue
            is_counted = any(one is waiter for one, _ in self._counting.values())
            if not is_counted and now >= waiter.again_at and len(self._counting) < COUNTS_AT_ONCE:
                waiter.again_at = now + RECOUNT_S
                self._number += 1
                self._counting[self._number] = waiter, id
                out.append(self._find(self._number, waiter, folder))
            return False
        return True

    def _find(self, number: int, waiter: Waiter, folder: Folder) -> Work:
        heads = folder.store.heads
        keys = [each.peer.key for each in self._waited_for(waiter, folder)]
        masks = tuple(heads.head_of(key).mask for key in keys)
        done = tuple(map(folder.acknowledged.until, keys))
        silent = folder.index_view.silent
        takes = folder.index_view.takes
        job = FindLacking(folder.id, number, masks, waiter.path, SHOWN_PATHS, done, silent, takes)
        return Work(job)

    def _member(self, folder: Folder, peer: Peer) -> Member:
        key = (folder.id, peer.key)
        if key not in self._seen:
            self._seen[key] = member(folder, peer)
        return self._seen[key]

    def _waited_for(self, waiter: Waiter, folder: Folder) -> list[Member]:
        if waiter.named is None:
            heard = folder.index_client.heard
            return [self._member(folder, peer) for peer in self._peers() if peer.key in heard]
        found = [self._member(folder, peer) for peer in waiter.named]
        return [each for each in found if each.state not in _PASSED_OVER]

    def _unquiet(self, waiter: Waiter) -> str:
        """Return the reason why the folders are not quiet here; "" if they are."""
        if waiter.strangers:
            return f"{waiter.strangers[0]} has no key in the config"
        if waiter.named is None and not self._connected():
            return "no peer is connected"
        if waiter.is_of_all and self._unusable:
            return f"folder {self._unusable[0].id} is stopped: {self._unusable[0].why}"
        for id in waiter.folders:
            folder = self._folders[id]
            if folder.stopped is None and folder.hold.holds:
                return f"folder {id} is held: {WHY_HELD}"
            if folder.guard.holds:
                return f"folder {id} holds losses back: leftzmq accept, or leftzmq revert"
            if not _is_quiet(folder, waiter.path):
                limit = self._limiting.here(id)
                return f"folder {id} is {folder.state.value}" + (f": {limit}" if limit else "")
            if troubles := _troubles(folder, waiter.path):
                return f"folder {id} has {counted(troubles, 'problem')}"
            if waiter.named is None and not folder.index_client.heard:
                return f"no connected peer has folder {id}"
        return self._unshared(waiter)

    def _unshared(self, waiter: Waiter) -> str:
        """Return which of the named devices cannot be waited for, as a sentence; "" if none."""
        for peer in waiter.named or ():
            found = [self._member(self._folders[id], peer) for id in waiter.folders]
            shared = [each for each in found if each.state not in _PASSED_OVER]
            if not shared:
                return f"{peer.name} shares none of it: {found[0].why if found else ''}"
            for each, id in zip(found, waiter.folders, strict=True):
                if each.state is MemberState.AWAY:
                    return f"{peer.name} is not connected" + (
                        f": {peer.away_why}" if peer.away_why else ""
                    )
                if each.state in (MemberState.STOPPED_THERE, MemberState.OTHER_ID):
                    return f"{peer.name}, folder {id}: {each.why}"
                if each.state is MemberState.SILENT:
                    return f"{peer.name} has said nothing of folder {id} yet"
        return ""

    def _reason(self, waiter: Waiter, why: str) -> str:
        if waiter.cookies:
            return "the watcher has not reported everything yet"
        if why:
            return why
        lacking = [
            each.peer.key
            for id in waiter.folders
            for each in self._waited_for(waiter, self._folders[id])
            if each.behind is None or each.behind.paths
        ]
        limit = self._limiting.there(lacking)
        return "a peer has not acknowledged everything yet" + (f": {limit}" if limit else "")

    # -- answers ---------------------------------------------------------------------------------

    def _over(self, waiter: Waiter, why: str, now: float) -> Outputs:
        """The waiter's time is over: search for missing paths in folders that run."""
        self._counting = {n: e for n, e in self._counting.items() if e[0] is not waiter}
        self._number += 1
        ending = _Naming(waiter, why, now + NAMING_S, set())
        out: Outputs = []
        for id in waiter.folders:
            folder = self._folders[id]
            if folder.stopped is None:
                ending.open.add(id)
                out.append(self._find(self._number, waiter, folder))
        if not out:
            return [self._no(waiter, why, {})]
        self._endings[self._number] = ending
        return out

    def _no(self, waiter: Waiter, why: str, found: Mapping[str, LackingFound]) -> Answer:
        behind: list[PeerBehind] = []
        to_come: list[ToCome] = []
        for id in waiter.folders:
            folder = self._folders[id]
            lacks = found.get(id)
            masks = dict(zip(lacks.masks, lacks.lacking, strict=True)) if lacks else {}
            # If no device has the folder, every device is listed.
            found_there = self._waited_for(waiter, folder)
            for each in found_there or [self._member(folder, peer) for peer in self._peers()]:
                lack = masks.get(folder.store.heads.head_of(each.peer.key).mask)
                if each.state in _IN_STEP and not (lack and lack.paths):
                    continue
                lack = lack or _NOTHING
                behind.append(
                    PeerBehind(
                        name=each.peer.name,
                        folder=id,
                        state=each.state.value,
                        why=each.why or each.peer.away_why,
                        paths=lack.paths,
                        bytes=lack.bytes,
                        first=list(lack.first),
                    )
                )
            if lacks and lacks.coming.paths:
                coming = lacks.coming
                to_come.append(
                    ToCome(
                        folder=id,
                        paths=coming.paths,
                        bytes=coming.bytes,
                        first=list(coming.first),
                    )
                )
        return self._answer(
            waiter,
            in_sync=False,
            why=why,
            behind=fitting(behind, len(behind), MOST_BYTES)[0],
            to_come=fitting(to_come, len(to_come), MOST_BYTES)[0],
        )

    def _passed_over(self, waiter: Waiter) -> list[PassedOver]:
        """Return which of the devices do not keep all of it, and how much they passed over."""
        return [
            PassedOver(
                name=each.peer.name, folder=id, paths=each.passed.paths, bytes=each.passed.bytes
            )
            for id in waiter.folders
            for each in self._waited_for(waiter, self._folders[id])
            if each.passed.paths
        ][:SHOWN]

    def _answer(
        self,
        waiter: Waiter,
        *,
        in_sync: bool,
        why: str = "",
        behind: list[PeerBehind] | UnsetType = UNSET,
        to_come: list[ToCome] | UnsetType = UNSET,
    ) -> Answer:
        """Return the answer with the skipped paths and the open problems, each list with its
        length."""
        skipped: list[Problem] = []
        troubles: list[Problem] = []
        for id in waiter.folders:
            for problem in _below(self._folders[id], waiter.path):
                if problem.kind in NEVER_SYNCED:
                    skipped.append(problem)
                elif problem.kind not in _LOOKED_AT:
                    troubles.append(problem)
        reply = Waited(
            in_sync=in_sync,
            why=why,
            passed_over=self._passed_over(waiter),
            behind=behind,
            to_come=to_come,
            skipped=len(skipped),
            skipped_list=fitting(map(_said, skipped), SHOWN, MOST_BYTES)[0],
            problems=len(troubles),
            problem_list=fitting(map(_said, troubles), SHOWN, MOST_BYTES)[0],
        )
        return Answer(waiter.asker, reply.fields())


_IN_STEP: Final = frozenset((MemberState.IN_SYNC, MemberState.READING))
"""What was written here has arrived there, whatever else that device is about to read."""


def _lags(found: Member) -> bool:
    """Return whether the device lacks something of ours, or we lack something of the device's."""
    return any(lack is None or lack.paths for lack in (found.behind, found.ahead))


def _is_quiet(folder: Folder, path: str) -> bool:
    """Return whether everything at `path` is in our index, as far as the watcher has reported."""
    if not path:
        return folder.at_rest
    if folder.stopped is not None or not folder.scheduler.walks.first_done:
        return False
    return folder.scheduler.is_idle_at(path) and not folder.guard.busy


def _below(folder: Folder, path: str) -> list[Problem]:
    """Return the problems of `path` and of paths above or below it, and those of devices."""
    found = folder.problems.all()
    if not path:
        return found
    return [p for p in found if p.device or is_within(p.path, path) or is_within(path, p.path)]


def _troubles(folder: Folder, path: str) -> int:
    """Return the number of problems that prevent the wait. Hidden problems have no known path, but
    a known kind."""
    passed = NEVER_SYNCED | _LOOKED_AT
    if not len(folder.problems):
        return 0
    hidden = folder.problems.hidden_besides(passed)
    if not path:
        return folder.problems.kept_besides(passed) + hidden
    return sum(problem.kind not in passed for problem in _below(folder, path)) + hidden


def _said(problem: Problem) -> ShownInFolder:
    return ShownInFolder(folder=problem.folder, path=problem.path, text=str(problem))


def _text(fact: Asked, key: str) -> str:
    value = fact.fields.get(key)
    return value if isinstance(value, str) else ""
