"""What must hold where a folder has a roster: who is removed is out, and those who are in agree.

Knows devices from outside: their rosters, their secrets, what they send. Must not steer anything,
nor know why people decide what they do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from leftzmq.content.ids import StatementId
from leftzmq.content.keys import derive_epoch
from leftzmq.errors import ProblemKind
from leftzmq.index.rows import ours_of
from leftzmq.sync.jobs import (
    Apply,
    Job,
    MakeRoom,
    OpenStaging,
    ReadChunks,
    StageSmall,
    SweepTrash,
    WriteChunks,
)
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.roster import Roster
from leftzmq.tree.conflict import CONFLICT_MARK
from leftzmq.tree.path import is_within
from leftzmq.tree.rules import LEFT_DIRECTORY
from leftzmq.wire.messages import (
    Bye,
    Chunks,
    Hello,
    IndexPage,
    Message,
    News,
    Open,
    Refusing,
    RosterPart,
    Welcome,
)
from leftzmq.wire.statements import Admission, EpochStatement, Signed

from . import laws
from .disk import Inode
from .laws import Broken
from .ledger import Ledger, content_of
from .node import FOLDER
from .world import Sharing, SimDevice, World, each_of

_TO_WHO_IS_OUT = (Hello, Welcome, Open, Refusing, Bye, RosterPart)
"""A device that was removed may be greeted where a person wrote it, and hears of its removal."""

KNOWN_WITHIN_S: Final = 2.0
_CHANGES = (Apply, MakeRoom, OpenStaging, ReadChunks, StageSmall, SweepTrash, WriteChunks)
"""Jobs that change a share, or read it for others."""


def roster_of(device: SimDevice) -> Roster:
    folder = device.rosters.folders.get(FOLDER)
    return Roster(device.keys.tag) if folder is None else folder.roster


def excludes(device: SimDevice, other: SimDevice) -> bool:
    return excludes_key(device, other.key)


def excludes_key(device: SimDevice, key: DeviceKey) -> bool:
    """Whether the device knows of a removal of the other one that nobody lifted. Found by what the
    statements say: the agent is not asked what follows from them."""
    judgement = roster_of(device).judgement
    return key in judgement.counting and key not in judgement.live


def is_out(device: SimDevice) -> bool:
    """Whether the device knows that it was removed."""
    roster = roster_of(device)
    return device.key not in roster.live() and roster.knows(device.key)


def reads_only(device: SimDevice, other: SimDevice) -> bool:
    return roster_of(device).mode(other.key) == "read"


# ---- who shares with whom ---------------------------------------------------------------------


def shares(device: SimDevice) -> bool:
    """Whether the device has the folder, and may use it as far as it knows."""
    if not device.alive or device.waits or device.held:
        return False
    return not is_out(device)


def share_with_each_other(a: SimDevice, b: SimDevice) -> bool:
    listed = a.name not in b.unlisted and b.name not in a.unlisted
    is_told = not (has_heard_nothing(a) or has_heard_nothing(b))
    return listed and is_told and not (excludes(a, b) or excludes(b, a))


def has_heard_nothing(device: SimDevice) -> bool:
    """Whether the device was let in, and nobody has told it who else is: who let it in may have
    removed it a moment later (seed 78000249). Until it hears, it gives and takes nothing."""
    roster = roster_of(device)
    return bool(roster.pins) and not roster.live()


class Members(Sharing):
    """Who shares the folder with whom, by its rosters."""

    def groups(self) -> list[list[SimDevice]]:
        """There may be several groups: who was removed while it was away is not told by those who
        removed it, and two who removed each other do not talk."""
        left = [device for device in self.world.devices.values() if shares(device)]
        found: list[list[SimDevice]] = []
        while left:
            group = [left.pop(0)]
            for one in group:  # it grows meanwhile
                group += (near := [other for other in left if share_with_each_other(one, other)])
                left = [other for other in left if other not in near]
            found.append(sorted(group, key=lambda device: device.name))
        return found

    def misses_others(self, group: list[SimDevice]) -> bool:
        """Whether a device of the group does not know that it is out: for another one it is no
        member, as it was removed or was let in by who was. That one tells it nothing any more, and
        what it told before stays wanted. So does what one told that left unheard; a stranger told
        nothing."""
        return any(
            (excludes(other, device) or not roster_of(other).is_live(device.key))
            and not excludes(device, other)
            for device in group
            for other in self.world.alive
            if other not in group and (not other.waits or roster_of(device).is_live(other.key))
        )

    def reads_only(self, device: SimDevice) -> bool:
        return reads_only(device, device)

    def own(self, device: SimDevice, group: list[SimDevice]) -> list[str]:
        """What its user changed there, as he is told. And what a member gave it alone that does not
        share with the group now (it is out, or put them out unheard), or what lost there to another
        version before any member who may write had both: nobody has it from a device that may only
        read, nor a delete."""
        if not reads_only(device, device):
            return []
        problems = device.folder.problems.all()
        found = [each.path for each in problems if each.kind is ProblemKind.CHANGED_BY_READER]
        full = {one.key for one in group if not reads_only(device, one)}
        by_full = device.store.heads.bits_of(full - {device.key})
        for rows in device.store.paths(b"", 10_000):
            ours = ours_of(rows)
            if ours is None or ours.holders & by_full:
                continue
            others = [row for row in rows if row.holders & by_full]
            if all(row.entry.rank < ours.entry.rank for row in others):
                found.append(ours.entry.path)
        return found

    def agree(self, group: list[SimDevice]) -> bool:
        """Who misses others asks them without end; but a word that could not be kept, once more."""
        makes = any(roster_of(one).mode(one.key) == "full" for one in group)
        if makes and any(one.epochs.in_use is None for one in group):
            return False
        lost = any(device.exchange._offer_again_at for device in group)
        asks = any(device.exchange.deadline() is not None for device in group)
        return agree(group) and not lost and (not asks or self.misses_others(group))

    def others_ask(self) -> bool:
        """Who could not keep a word asks for it after a while, also if it hears meanwhile that it
        is out: the lost word may be the one that lets it in again."""
        others = (device for device in self.world.alive if not shares(device))
        return any(device.exchange.deadline() is not None for device in others)


def agree(group: list[SimDevice]) -> bool:
    """A known gap: who begins at other roots may take others for members. Who was let in is told
    the roots of that moment; of one that was founded later it knows by its inviter's word alone."""
    views = [_view(device) for device in group]
    if len({(digest, used) for digest, _, used in views}) != 1:
        return False
    live: dict[tuple[StatementId, ...], frozenset[DeviceKey]] = {}
    for device, (_, said, _) in zip(group, views, strict=True):
        if live.setdefault(roster_of(device).pins, said) != said:
            return False
    return True


def _view(device: SimDevice) -> tuple[bytes, frozenset[DeviceKey], bytes | None]:
    roster, used = roster_of(device), device.epochs.in_use
    return roster.digest(), roster.live(), None if used is None else used.tag


def members_agree(world: World) -> None:
    """All that share with one another have the same roster, the same members in it, and the same
    epoch in use."""
    for group in world.sharing.groups():
        if not agree(group):
            said = {device.name: _shown(world, device) for device in group}
            raise Broken("roster", f"{said}")
        # Who may only read makes no epoch: it waits for those who may write, if it has lost them.
        # Who was removed before it heard the roster knows of no member at all.
        makes = any(roster_of(one).mode(one.key) == "full" for one in group)
        if makes and any(one.epochs.in_use is None for one in group):
            raise Broken("roster", f"{_names(group)} have no epoch that they may use")


def _shown(world: World, device: SimDevice) -> str:
    digest, live, used = _view(device)
    names = "".join(sorted(world.by_key[key].name for key in live))
    return f"{digest.hex()[:6]} {names} {'no epoch' if used is None else used.hex()[:6]}"


def _names(group: list[SimDevice]) -> str:
    return "".join(device.name for device in group)


# ---- at every step ----------------------------------------------------------------------------


HeldByOthers = Callable[[], Iterable[tuple[DeviceKey, Collection[bytes]]]]


def _nobody() -> Iterable[tuple[DeviceKey, Collection[bytes]]]:
    return ()


class Witness:
    """Who is removed gets nothing from those who know of it: nothing is sent to it, and what they
    seal it cannot open, whoever else got hold of it. Who knows that it is out sends nothing any
    more, and begins nothing that changes its files: they stay as they are. Nobody is told a
    statement or a secret that a kill would take back. And a folder that is held says nothing and
    changes nothing."""

    def __init__(self, world: World, held_by_others: HeldByOthers = _nobody) -> None:
        """held_by_others: the tags of the epochs that those hold who are none of the world's
        devices."""
        self._world, self._held_by_others = world, held_by_others
        self._tags: dict[bytes, bytes] = {}  # of epochs, by secret
        self._not_counted: dict[tuple[str, str], float] = {}
        self._held: dict[str, set[bytes]] = {}  # tags of epochs that a device ever had

    def counts_not_since(self, device: SimDevice, other: SimDevice) -> float:
        """Since when, without a break, the device knows that the other one is out or may only read;
        infinity: it does not know that."""
        return self._not_counted.get((device.shown, other.name), math.inf)

    def _note(self, device: SimDevice) -> None:
        for other in self._world.devices.values():
            at = device.shown, other.name  # a clone may hear less
            if excludes(device, other) or reads_only(device, other):
                self._not_counted.setdefault(at, self._world.now)
            else:
                self._not_counted.pop(at, None)

    def begin(self, look_after: Callable[[SimDevice], None]) -> None:
        """look_after: what else looks after a device that starts."""

        self._world.look_after = each_of(look_after, self.look_after)
        self._world.sent = each_of(self._world.sent, self.sent)
        self._world.submitted = each_of(self._world.submitted, self.submitted)
        self._world.sharing = Members(self._world)

    def look_after(self, device: SimDevice) -> None:
        def said(to: DeviceKey, statements: tuple[Signed, ...]) -> None:
            kept = {each.id for each in self._kept_by(device)}
            if lost := [each for each in statements if each.id not in kept]:
                raise Broken("word", f"{device.name} told what it does not keep: {lost}")
            is_out = excludes_key(device, to)
            if is_out and any(isinstance(each.statement, EpochStatement) for each in statements):
                raise Broken("removed", f"{device.name} told who is out of an epoch")

        def gave_epoch(to: DeviceKey, epoch: bytes) -> None:
            kept = device.roster_keeper.load(device.keys.tag).epochs
            if epoch not in {derive_epoch(secret).tag for secret in kept}:
                raise Broken("word", f"{device.name} told a secret that it does not keep")
            if excludes_key(device, to):
                name = self._world.name_of(to)
                raise Broken("removed", f"{device.name} gave {name} the secret of an epoch")

        def told(head: int) -> None:
            if head and device.alive and device.hold.holds:
                raise Broken("held", f"{device.name} is held, and told of {head}")
            tells(head)

        def named(folder: Inode, name: bytes, inode: Inode) -> None:
            must_not(folder, name, inode, "named")
            names(folder, name, inode)

        def gone(folder: Inode, name: bytes, inode: Inode) -> None:
            must_not(folder, name, inode, "removed")
            removes(folder, name, inode)

        def must_not(folder: Inode, name: bytes, inode: Inode, did: str) -> None:
            above = device.disk.path_of(folder)
            path = f"{above}/{name.decode(errors='replace')}".lstrip("/")
            if device.alive and device.hold.holds and not is_within(path, LEFT_DIRECTORY):
                raise Broken("held", f"{device.name} is held, and {did} {path}")

        tells, names, removes = device.told, device.calls.named, device.calls.gone
        device.said, device.gave_epoch, device.told = said, gave_epoch, told
        device.calls.named, device.calls.gone = named, gone
        device.relisted = lambda: self._note(device)

        def begun() -> None:
            if device.alive:
                self._note(device)

        self._world.after(0.0, begun)

    def sent(self, device: SimDevice, to: DeviceKey | None, message: Message) -> None:
        """A device sends a message to another one; to: None: to whoever listens."""
        if to is not None:
            self._is_not_out(device, to, message)
        gives = not isinstance(message, _TO_WHO_IS_OUT)
        if isinstance(message, Chunks) and not message.parts:
            gives = False  # it says that its epoch is no epoch any more
        if gives and is_out(device):
            raise Broken("removed", f"{device.name} is out, and sent {type(message).__name__}")
        if device.hold.holds and isinstance(message, Chunks) and message.parts:
            raise Broken("held", f"{device.name} is held, and gave something")
        is_sealed = isinstance(message, News | IndexPage)
        if is_sealed or (isinstance(message, Chunks) and message.parts):
            assert isinstance(message, News | IndexPage | Chunks)
            self._is_sealed(device, message.tag, type(message).__name__)

    def submitted(self, device: SimDevice, job: Job) -> None:
        """A device begins a job."""
        if isinstance(job, _CHANGES) and is_out(device):
            raise Broken("removed", f"{device.name} is out, and begins {type(job).__name__}")
        if isinstance(job, _CHANGES) and device.hold.holds:
            raise Broken("held", f"{device.name} is held, and begins {type(job).__name__}")

    def _is_not_out(self, device: SimDevice, to: DeviceKey, message: Message) -> None:
        if not excludes_key(device, to):
            return
        said, name = type(message).__name__, self._world.name_of(to)
        if not isinstance(message, _TO_WHO_IS_OUT):
            raise Broken("removed", f"{device.name} sent {name}, which is out: {said}")
        if isinstance(message, Hello | Welcome) and message.folders:
            raise Broken("removed", f"{device.name} proved the folder to {name} in {said}")

    def _is_sealed(self, device: SimDevice, tag: bytes, said: str) -> None:
        others = dict(self._held_by_others())
        for key in (*self._world.by_key, *others):
            if key == device.key or not excludes_key(device, key):
                continue
            other = self._world.by_key.get(key)
            tags = others[key] if other is None else self._holds(other)
            if tag in tags and not self._is_let_in_again(device, key):
                name = self._world.name_of(key)
                raise Broken("sealed", f"{name}, which is out, can open {said} of {device.name}")

    def _is_let_in_again(self, device: SimDevice, key: DeviceKey) -> bool:
        """Whether somebody let the other one in again, over all removals that the device knows: it
        may have any epoch from then on, and this device has not heard of that yet."""
        over = set(roster_of(device).removals_of(key))
        return any(
            isinstance(each.statement, Admission)
            and each.statement.device == key
            and over <= set(each.statement.over)
            for one in self._world.devices.values()
            for each in self._kept_by(one)
        )

    def _kept_by(self, device: SimDevice) -> Iterator[Signed]:
        kept = device.roster_keeper.load(device.keys.tag)
        return (signed for _, signed in kept.statements)

    def _holds(self, device: SimDevice) -> set[bytes]:
        """The tags of the epochs whose secrets a device has, or ever had."""
        secrets = device.roster_keeper.load(device.keys.tag).epochs
        for secret in secrets:
            if secret not in self._tags:
                self._tags[secret] = derive_epoch(secret).tag
        held = self._held.setdefault(device.name, {device.keys.tag})
        held.update(self._tags[secret] for secret in secrets)
        return held


# ---- when all is quiet ------------------------------------------------------------------------


def judge(world: World, ledger: Ledger, witness: Witness) -> None:
    """The laws of all folders hold for each group that shares this one."""
    members_agree(world)
    counted: set[str] = set()
    for group in world.sharing.groups():
        tree = laws.converged(world, ledger, group)
        names = {device.name for device in group if not world.sharing.reads_only(device)}
        _excuse_copies_out_of_reach(world, ledger, group)
        laws.nothing_lost(world, ledger, tree, names)
        laws.nothing_came_back(world, ledger, tree, names)
        laws.no_folder_came_back(world, ledger, tree, names)
        laws.no_folder_lost(world, ledger, tree, names)
        counted |= names
        full = [device for device in group if device.name in names]
        nothing_counts_that_others_said(world, ledger, witness, full)
    laws.nothing_lost(world, ledger, all_trees(world), set(world.devices) - counted)


def _excuse_copies_out_of_reach(world: World, ledger: Ledger, group: list[SimDevice]) -> None:
    """A file that lost to something else goes to the trash where it was, as soon as somebody has
    its conflict copy. Who has that may be removed before others have fetched it (seed 78212242)."""
    here = {content_of(inode) for device in group for _, inode in device.hands.tree()}
    for other in world.devices.values():
        for path, inode in other.hands.tree() if other not in group else ():
            value = ledger.values.get(content) if (content := content_of(inode)) else None
            if value is not None and CONFLICT_MARK in path and content not in here:
                why = f"its conflict copy is on {other.name}, which shares no more"
                value.replaced = value.replaced or why


def is_out_soon(world: World, stay: list[SimDevice], out: SimDevice) -> None:
    """Where all members are connected, all know of a removal within 2 s, and use one epoch, which
    the removed device does not have."""
    world.run_until(world.now + KNOWN_WITHIN_S)
    for device in stay:
        if not excludes(device, out):
            raise Broken("roster", f"{device.name} does not know that {out.name} is out")
    used = {None if one.epochs.in_use is None else one.epochs.in_use.tag for one in stay}
    if len(used) != 1 or None in used or used & {*out.epochs.held}:
        raise Broken("sealed", f"when {out.name} is out, {_names(stay)} use {used}")


def nothing_counts_that_others_said(
    world: World, ledger: Ledger, witness: Witness, group: list[SimDevice]
) -> None:
    """What a user wrote on a device that is out, or may only read, is on no device that may write.
    Except for what he wrote before all knew that: who had not heard may have taken it, and said it
    again. And for what another user wrote, too, from a copy of his own."""
    if not group:
        return
    since: dict[str, float] = {}
    for other in world.devices.values():
        knew = max(witness.counts_not_since(device, other) for device in group)
        for device in world.devices.values():  # who is not among them may have told them
            if device not in (other, *group) and knew < math.inf:
                out = max(witness.counts_not_since(each, device) for each in group)
                knew = max(knew, min(witness.counts_not_since(device, other), out))
        since[other.name] = knew
    there = {
        content_of(inode): (device, path)
        for device in group
        for path, inode in device.disk.everything()
    }
    by_others = {
        (content, device) for (_, content), hands in ledger.hands_on.items() for _, device in hands
    }
    for content, value in ledger.values.items():
        if any((content, other) in by_others for other in world.devices if other != value.device):
            continue
        if value.when > since[value.device] and content in there:
            device, path = there[content]
            who = f"{value.device} ({value.when:.3f}, known since {since[value.device]:.3f})"
            raise Broken("counts", f"{device.name} has at {path} what {who} wrote")


def all_trees(world: World) -> laws.Tree:
    """What who is out wrote may be anywhere: it may have been a member when it wrote."""
    return {
        f"{device.name}:{path}": what
        for device in world.devices.values()
        for path, what in laws.tree_of(device).items()
    }
