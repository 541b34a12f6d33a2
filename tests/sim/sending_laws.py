"""What must hold where a device only sends: it takes nothing, the others have the same, and it
differs from them where it says so; what nobody replaced is in its tree or in theirs.

Knows devices from outside, and where an index says that others have something else. Must not steer
anything, nor know why a user does what he does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from leftzmq.sync.jobs import Apply, Job, LetGo
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.path import is_within

from . import laws
from .disk import Inode
from .laws import Broken, Tree, is_final
from .ledger import Ledger
from .senders import Senders
from .world import SimDevice, World, each_of

MANY = 10_000

# ---- when all is quiet ------------------------------------------------------------------------


def is_quiet(world: World) -> bool:
    if world.wires.flying or any(d.working or len(d.watching) for d in world.alive):
        return False
    for device in world.alive:
        if laws.still_looks(device) or device.folder.differences.busy or _waits(device):
            return False
    return next(differences(world), None) is None


def judge(world: World, ledger: Ledger, senders: Senders) -> None:
    for device in world.alive:
        folder = device.folder
        if folder.stopped_why:
            raise Broken("I11", f"{device.name} stopped: {folder.stopped_why}")
        problems = [p for p in folder.problems.all() if not laws.is_known(p, device, ledger)]
        if problems:
            raise Broken("sends", f"{device.name} has problems: {[str(p) for p in problems]}")
    for said in differences(world):
        raise Broken("sends", said)
    for device in world.alive:
        if waits := _waits(device):
            raise Broken("I5", f"{device.name} {waits}")
    sender = senders.device
    if sender is None:
        return
    for said in _not_listed(world, sender):
        raise Broken("listed", said)
    for said in laws.what_is_lost(world, ledger):
        raise Broken("I2 sends", said)


def _waits(device: SimDevice) -> str:
    """For what it waits; "": for nothing."""
    folder = device.folder
    if folder.index_view.takes and (waits := laws.waits_for(device)):
        return f"waits for {waits}"
    return (
        ""
        if laws.cannot_hold(device) or folder.state.value == "idle"
        else f"is {folder.state.value}"
    )


def differences(world: World) -> Iterator[str]:
    """Where two others have not the same that can hear of it from one another: not by way of who
    only sends, as that one takes nothing which it could pass on."""
    others = [device for device in world.alive if device.folder.mode is not FolderMode.SEND]
    for first, *more in laws.connected(world, others):
        for other in more:
            one, two = laws.tree_of(first), laws.tree_of(other)
            apart = laws.cannot_hold(first) | laws.cannot_hold(other)
            for path in sorted(one.keys() | two.keys()):
                said = laws.apart_at(path, first.name, one, other.name, two)
                if said is not None and not any(is_within(path, at) for at in apart):
                    yield said


def listed(sender: SimDevice) -> set[str]:
    """Where it says that others have something else."""
    with sender.reading() as reader:
        return {path for path, _ in reader.above_ours("", MANY, sender.folder.index_view.readers)}


def _not_listed(world: World, sender: SimDevice) -> Iterator[str]:
    """It differs from its neighbours where it says so, and nowhere else; but for modes, of which
    nobody makes a conflict."""
    here, said = _without_modes(laws.tree_of(sender)), listed(sender)
    if sender.folder.index_view.differs != len(said):
        yield f"{sender.name} counts {sender.folder.index_view.differs} and lists {sorted(said)}"
    for other in world.alive:
        if other is sender or not laws.are_near(world, sender.name, other.name):
            continue
        there, apart = _without_modes(laws.tree_of(other)), laws.cannot_hold(other)
        for path in sorted(here.keys() | there.keys()):
            is_apart = any(is_within(path, at) for at in apart)
            how = laws.apart_at(path, sender.name, here, other.name, there)
            if how is not None and path not in said and not is_apart:
                yield f"not listed: {how}"


def _without_modes(tree: Tree) -> Tree:
    return {path: what[:1] if laws.is_folder(what) else what[:3] for path, what in tree.items()}


def nothing_differs(senders: Senders) -> None:
    """All that its user has there is everybody's."""
    if senders.device is not None and (left := listed(senders.device)):
        raise Broken("override", f"{senders.device.name} still differs at {sorted(left)}")


# ---- at every step ----------------------------------------------------------------------------


class Witness:
    """No call of an agent that only sends names, moves, removes or alters what users see, but where
    what it had itself is wanted back, and at what its user got."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._got: dict[int, tuple[Job, set[str]]] = {}
        """By id: a job, and what of it lies where its user got it."""

    def begin(self, look_after: Callable[[SimDevice], None]) -> None:
        """look_after: what else looks after a device that starts."""

        self._world.look_after = each_of(look_after, self._look_after)
        self._world.submitted = each_of(self._world.submitted, self._submitted)

    def _submitted(self, device: SimDevice, job: Job) -> None:
        if isinstance(job, Apply):
            brings = device.folder.index_view.brings
            entries = (operation.entry for operation in job.operations)
            self._got[id(job)] = job, {at.path for at in entries if brings(at.path, at.kind)}

    def _look_after(self, device: SimDevice) -> None:
        if device.mode is not FolderMode.SEND:
            return
        calls, disk = device.calls, device.disk

        def must_not(did: str, folder: Inode, name: bytes) -> None:
            above, last = disk.path_of(folder), name.decode(errors="surrogateescape")
            path = f"{above}/{last}" if above else last
            if above is None or not is_final(path):
                return
            _, got = self._got.get(id(device.job), (None, set[str]()))
            is_got = path in got
            if not is_got and not device.folder.index_view.held.is_wanted_back(path):
                raise Broken("takes", f"{device.name} only sends, and {did} {path}")

        def named(folder: Inode, name: bytes, inode: Inode) -> None:
            must_not("named", folder, name)
            names(folder, name, inode)

        def takes(folder: Inode, name: bytes, inode: Inode) -> None:
            if not isinstance(device.job, LetGo):  # its user dropped it
                must_not("took", folder, name)

        def alters(inode: Inode) -> None:
            for folder, name in inode.where:
                must_not("altered", folder, name)

        names = calls.named
        calls.named, calls.takes, calls.respells, calls.alters = named, takes, takes, alters
