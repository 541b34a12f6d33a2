"""What must hold where a device only receives: the others have the same, and so has it where
nothing was changed on it; what was changed on it is told to nobody, is not lost, and gives way to
what is newer.

Knows devices from outside, and which versions an index has as private. Must not steer anything, nor
know why a user does what he does.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from leftzmq.errors import ProblemKind
from leftzmq.sync.link import DeviceKey
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.path import folders_above, is_below, is_within
from leftzmq.tree.version import PRIVATE, Life
from leftzmq.wire import page as pages
from leftzmq.wire.messages import IndexPage, Message, News

from . import laws
from .laws import Broken, Tree
from .ledger import Content, Ledger, content_of
from .node import FOLDER
from .receivers import Receivers, Reverted, private_rows
from .users import MOUNT
from .world import SimDevice, World, each_of

# ---- when all is quiet ------------------------------------------------------------------------


def is_quiet(world: World) -> bool:
    if world.wires.flying or any(d.working or len(d.watching) for d in world.alive):
        return False
    for device in world.alive:
        if laws.still_looks(device) or _waits(world, device):
            return False
    return next(differences(world), None) is None


def judge(world: World, ledger: Ledger, receivers: Receivers) -> None:
    for device in world.alive:
        folder = device.folder
        if folder.stopped_why:
            raise Broken("I11", f"{device.name} stopped: {folder.stopped_why}")
        problems = [p for p in folder.problems.all() if not laws.is_known(p, device, ledger)]
        held_up = _held_up(world, device)
        if problems := [p for p in problems if p.path not in held_up]:
            raise Broken("receives", f"{device.name} has problems: {[str(p) for p in problems]}")
    for said in differences(world):
        raise Broken("receives", said)
    for device in world.alive:
        if waits := _waits(world, device):
            raise Broken("I5", f"{device.name} {waits}")
    receiver = receivers.device
    if receiver is None:
        return
    for said in _known_elsewhere(world, receiver):
        raise Broken("told", said)
    for said in _not_taken(world, ledger, receiver):
        raise Broken("later", said)
    for said in _lost(world, ledger, receiver):
        raise Broken("I2 receives", said)
    for said in _not_reverted(world, ledger, receiver, receivers.reverted):
        raise Broken("reverted", said)


def is_held_up(world: World) -> bool:
    """Whether something waits on a device between two others for ever, or until its next start: who
    is connected first then is heard alone."""
    return any(_held_up(world, device) for device in world.alive)


def _held_up(world: World, device: SimDevice) -> set[str]:
    """A known gap: a device is between two others, which hear of each other by it alone. One has
    deleted a folder, the other one has something in it, and what lies in its place here is private:
    so the other one hears of no delete, and what it has waits here for its folder."""
    others = [other for other in world.alive if other is not device]
    if len(laws.connected(world, others)) < 2:
        return set()
    kept = private_rows(device)
    problems = device.folder.problems.all()
    late = {each.path for each in problems if each.kind is ProblemKind.WAITING_FOR_FOLDER}
    return {path for path in late if any(is_below(path, each) for each in kept)}


def _waits(world: World, device: SimDevice) -> str:
    """For what it waits; "": for nothing."""
    folder, held_up = device.folder, _held_up(world, device)
    if waits := [path for path in laws.waits_for(device) if path not in held_up]:
        return f"waits for {waits}"
    if folder.index_view.counters.tickets:
        return ""
    return "" if folder.state.value == "idle" else f"is {folder.state.value}"


def differences(world: World) -> Iterator[str]:
    """Where two have not the same that can hear of it from one another. Where something was changed
    on who only receives, or a disk cannot hold a name beside another spelling, it is not compared,
    and passes nothing on."""
    trees = {device: laws.tree_of(device) for device in world.alive}
    left_out = {
        device: private_rows(device).keys() | _held_up(world, device) for device in world.alive
    }
    apart = {device: laws.cannot_hold(device) for device in world.alive}
    for path in sorted(set().union(*trees.values())):
        equal = [
            device
            for device in world.alive
            if path not in left_out[device] and not any(is_within(path, at) for at in apart[device])
        ]
        for first, *others in laws.connected(world, equal):
            for other in others:
                one, two = trees[first], trees[other]
                if said := laws.apart_at(path, first.name, one, other.name, two):
                    yield said


def _known_elsewhere(world: World, receiver: SimDevice) -> Iterator[str]:
    for device in world.alive:
        for rows in device.store.paths(b"", 10_000):
            for row in rows:
                if device is receiver and row.is_ours:
                    continue
                if row.entry.vector.counter(PRIVATE):
                    yield f"{device.name} has heard of what is private at {row.entry.path}"


def _not_taken(world: World, ledger: Ledger, receiver: SimDevice) -> Iterator[str]:
    """A private version is made in the place of one that the others have, or had. What they have
    then, and its maker had not seen, is newer, and is to be in its place.

    Excused: a version of the same stamp by another writer (docs/decisions/0028). And where others
    may have an older one again: they lost theirs, or forgot that it was deleted, or never had what
    the receiver told before; or they do not hear from one another but by way of the receiver. And
    where another spelling of its own keeps theirs away from its disk."""
    others = [device for device in world.alive if device is not receiver]
    if len(laws.connected(world, others)) > 1 or ledger.restored:
        return
    forgot = {path for name, path, _ in ledger.forgotten if name != receiver.name}
    forgot |= {path for name, path in ledger.forgotten_graves if name != receiver.name}
    apart = laws.cannot_hold(receiver)
    for path, row in private_rows(receiver).items():
        ours, theirs = row.entry, _best(others, path)
        if theirs is None or theirs.deleted or path in forgot:
            continue
        if any(is_within(path, each) for each in apart):
            continue
        if _has_seen(ours, theirs) or theirs.stamp == ours.stamp or _told_by(receiver, ours):
            continue
        yield f"{receiver.name} keeps what is private at {path}, and {theirs} is newer"


def _best(others: list[SimDevice], path: str) -> Entry | None:
    rows = [row for device in others if (row := device.store.ours(path)) is not None]
    return max((row.entry for row in rows), key=lambda entry: entry.rank, default=None)


def _has_seen(ours: Entry, theirs: Entry) -> bool:
    return theirs.seen_by(ours)


def _told_by(receiver: SimDevice, entry: Entry) -> bool:
    """Whether it follows a version that the receiver told, which may be withdrawn unheard."""
    mark = receiver.store.heads.life[:4]
    return any(writer.startswith(mark) for writer, _ in entry.vector.pairs)


def _lost(world: World, ledger: Ledger, receiver: SimDevice) -> Iterator[str]:
    """What a user of another device wrote, and nobody replaced there, is in the trees of the
    others, unless they cannot have it beside another spelling. What its own user wrote is in its
    tree or in theirs. All that did not end is somewhere."""
    apart = {path for device in world.alive for path in laws.cannot_hold(device)}
    there, everywhere, anywhere = set[Content](), set[Content](), set[Content]()
    for device in world.devices.values():
        for path, inode in device.disk.everything():
            content = content_of(inode)
            if content is None:
                continue
            anywhere.add(content)
            if laws.is_final(path):
                everywhere.add(content)
                if device is not receiver or any(is_within(path, at) for at in apart):
                    there.add(content)
    for content, value in ledger.values.items():
        who = f"what {value.device} wrote at {value.path} ({value.when:.3f}): {content[1][:20]!r}"
        if value.ended or content in ledger.adrift or (value.replaced and ledger.gives_way):
            continue
        if content not in anywhere:
            yield f"{who} is nowhere"
        if value.replaced or laws.may_end_in_a_trash(ledger, content, value):
            continue
        if content not in (everywhere if value.device == receiver.name else there):
            yield f"{who} is in no tree of those who are to have it"


def _not_reverted(
    world: World, ledger: Ledger, receiver: SimDevice, reverted: list[Reverted]
) -> Iterator[str]:
    """Where the receiver was to take what the others have, it has nothing of its own. Unless its
    user did something there since, or somebody deleted what was to come, or its disk cannot hold
    the name of that; it keeps what others wrote or made, as they were to do when others deleted it;
    or a folder stays for what is private in it."""
    private = private_rows(receiver)
    acts = [(when, path) for when, device, path in ledger.made if device == receiver.name]
    deletes = (*ledger.deletes, *ledger.bare_deletes)
    acts += [(each.when, each.path) for each in deletes]
    for revert in reverted:
        if revert.path not in private or receiver.store.heads.life != revert.life:
            continue
        path = revert.path
        if any(
            when >= revert.when and (is_within(at, path) or is_within(path, at))
            for when, at in acts
        ):
            continue
        if any(is_within(each, path) for each in private if each != path):
            continue
        inode = receiver.hands.at(path)
        content = None if inode is None else content_of(inode)
        value = None if content is None else ledger.values.get(content)
        if value is not None and value.device != receiver.name:
            continue
        if any(is_within(path, at) for at in laws.cannot_hold(receiver)):
            continue
        if _is_apart(world, receiver, path):
            continue
        yield f"{receiver.name} has at {path} what was given up at {revert.when:.3f}"


def _is_apart(world: World, receiver: SimDevice, path: str) -> bool:
    """Whether the others have not the same there, above it or below it, as the receiver alone is
    between them: then nothing of theirs can be taken."""
    trees = [laws.tree_of(device) for device in world.alive if device is not receiver]
    return any(
        is_within(path, at) or is_within(at, path)
        for at in set().union(*trees)
        if any(laws.only(one, at) != laws.only(other, at) for one, other in pairwise(trees))
    )


# ---- when all is given up, and when it is told ------------------------------------------------


def nothing_differs(world: World, receivers: Receivers) -> None:
    """All is reverted, but for what lies on a disk that is mounted in the share, where the others
    have not the same, as the receiver alone is between them, and where its disk cannot hold the
    name of what is to come. Nor can a folder go in which a `.lefting` lies of which nobody knows
    whose it is (seed 79306966)."""
    receiver = receivers.device
    if receiver is None:
        return
    strays = {folder for path in laws.all_leftings(world) for folder in folders_above(path)}
    apart = (MOUNT, *laws.cannot_hold(receiver), *strays)
    left = [p for p in private_rows(receiver) if not any(is_within(p, at) for at in apart)]
    if left := sorted(path for path in left if not _is_apart(world, receiver, path)):
        raise Broken("reverted", f"{receiver.name} has private versions at {left}")


def deleted_here(receivers: Receivers) -> dict[str, Tree]:
    """Where the receiver alone has nothing, although others have something: path -> what they
    have."""
    receiver = receivers.device
    if receiver is None:
        return {}
    gone = [path for path, row in private_rows(receiver).items() if row.entry.deleted]
    trees = [laws.tree_of(device) for device in receiver.world.alive if device is not receiver]
    found = {path: [tree.get(path) for tree in trees] for path in gone}
    return {
        path: {path: what}
        for path, (what, *more) in found.items()
        if what is not None and all(each == what for each in more)
    }


def all_is_back(world: World, receivers: Receivers, deleted: dict[str, Tree]) -> None:
    """The receiver tells now, and nothing is private any more. What was deleted there alone is
    there again: no device deleted it, but for what comes in the way of it."""
    receiver = receivers.device
    if receiver is None:
        return
    if left := sorted(private_rows(receiver)):
        raise Broken("told", f"{receiver.name} tells, and still has private versions at {left}")
    for device in world.alive:
        tree, apart = laws.tree_of(device), laws.cannot_hold(device)
        for path, before in deleted.items():
            if any(is_within(path, at) for at in apart):
                continue
            if laws.only(tree, path) != before:
                said = laws.differences("before", before, device.name, laws.only(tree, path))
                raise Broken("I3 receives", f"what was deleted here alone is not back: {said}")


# ---- at every step ----------------------------------------------------------------------------


class Witness:
    """No message holds a version that a device made while it only received."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lives: set[Life] = {PRIVATE}

    def begin(self) -> None:
        self._world.sent = each_of(self._world.sent, self.sent)
        self._world.handled = each_of(self._world.handled, self.handled)

    def handled(self, device: SimDevice) -> None:
        receives = not device.waits and device.folder.mode is FolderMode.RECEIVE
        # Where it did not begin (its share cannot be opened, or the device was removed) the last
        # life is one before that, in which the folder may have synced both ways (seed 74020216).
        if receives and device.folder.stopped is None and device.store.heads.chain:
            self._lives.add(device.store.heads.life)

    def sent(self, device: SimDevice, to: DeviceKey | None, message: Message) -> None:
        if not isinstance(message, News | IndexPage):
            return
        self.handled(device)
        epoch = device.epochs.keys(message.tag)
        assert epoch is not None
        page = pages.open_sealed(message.sealed, epoch, device=device.key, folder=FOLDER)
        for entry in page.entries:
            writers = {writer for writer, _ in entry.vector.pairs} | {entry.writer}
            if writers & self._lives:
                what = Kind(entry.kind).name
                raise Broken("told", f"{device.name} told what is private: {what} {entry.path}")
