"""What must hold where devices fetch a part of the folder: those who keep a path have the same
there, nobody fetches what is not wanted, and what is dropped is on another device.

A device keeps a path that its user wants there, and what lies on its disk. What he wants is found
by his config and by what he got and dropped. Knows devices from outside. Must not steer anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from leftzmq.sync.jobs import Apply, Job, LetGo
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.path import is_within
from leftzmq.tree.plan import Verb
from leftzmq.tree.wanted import Wanted

from . import laws
from .choosers import Choosers, is_dropping, pins_of
from .disk import Inode, everything_in
from .laws import Broken
from .ledger import Content, Ledger, Value, content_of
from .node import content_id
from .world import SimDevice, World, each_of

# ---- when all is quiet ------------------------------------------------------------------------


def is_quiet(world: World) -> bool:
    if world.wires.flying or any(d.working or len(d.watching) for d in world.alive):
        return False
    for device in world.alive:
        if laws.still_looks(device) or is_dropping(device) or _waits(device):
            return False
    return next(differences(world), None) is None


def are_dropping(world: World) -> bool:
    return any(is_dropping(device) for device in world.alive)


def judge(world: World, ledger: Ledger, choosers: Choosers, witness: Witness) -> None:
    witness.excuse_made_anew()
    for device in world.alive:
        folder = device.folder
        if folder.stopped_why:
            raise Broken("I11", f"{device.name} stopped: {folder.stopped_why}")
        problems = [p for p in folder.problems.all() if not laws.is_known(p, device, ledger)]
        if problems:
            raise Broken("wanted", f"{device.name} has problems: {[str(p) for p in problems]}")
        pins = choosers.pins[device.name]
        if device.name not in choosers.forgetful and pins_of(device) != pins:
            raise Broken("wanted", f"{device.name} has pins {pins_of(device)}, not {pins}")
    for said in differences(world):
        raise Broken("wanted", said)
    for said in laws.what_is_lost(world, ledger):
        raise Broken("I2 wanted", said)
    for device in world.alive:
        if waits := _waits(device):
            raise Broken("I5", f"{device.name} {waits}")
        # A clone greets in another life under one key: what its device had said counts no more, and
        # that does not know so before its next greeting (seed 79106362).
        for said in () if world.clones else _miscounted(world, device):
            raise Broken("counted", said)


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


def wanted_by(device: SimDevice) -> Wanted:
    return Wanted(device.only, pins_of(device))


def differences(world: World) -> Iterator[str]:
    """Where two that keep a path, and can hear of it from one another, have not the same there: not
    by way of who only sends, who takes nothing, and differs from them."""
    trees = {device: laws.tree_of(device) for device in world.alive}
    wanted = {device: wanted_by(device) for device in world.alive}
    kinds = {d: {p: inode.kind for p, inode in d.hands.tree()} for d in world.alive}
    apart = {device: laws.cannot_hold(device) for device in world.alive}
    for path in sorted(set().union(*trees.values())):
        if any(is_within(path, at) for found in apart.values() for at in found):
            continue
        there = {kinds[device][path] for device in world.alive if path in trees[device]}
        keepers = [
            device
            for device in world.alive
            if device.folder.index_view.takes
            if path in trees[device] or all(wanted[device].wants(path, kind) for kind in there)
        ]
        for first, *others in laws.connected(world, keepers):
            for other in others:
                one, two = trees[first], trees[other]
                if said := laws.apart_at(path, first.name, one, other.name, two):
                    yield said


# ---- what is counted --------------------------------------------------------------------------


def _miscounted(world: World, device: SimDevice) -> Iterator[str]:
    """What a device passes over is what its neighbours have, and it neither has nor wants. And each
    neighbour says as much of it; but of what its disk cannot hold beside another spelling."""
    view = device.folder.index_view
    near = [
        other for other in world.alive if other is not device and _are_near(world, device, other)
    ]
    passed = sorted(_passed_over(device, near))
    if view.counters.not_kept != len(passed):
        yield f"{device.name} counts {view.counters.not_kept} as not kept; these are not: {passed}"
    for other in near:
        mask = other.store.heads.head_of(device.key).mask
        lacks = other.folder.index_view.peer_counts.lacking(mask)
        said = other.folder.acknowledged.passed_over(device.key)
        if lacks != said and not laws.cannot_hold(device):
            yield f"{other.name} waits for {device.name}, which lacks {lacks} and passed {said}"


def _are_near(world: World, one: SimDevice, other: SimDevice) -> bool:
    wires = world.wires
    return wires.dials(one.name, other.name) or wires.dials(other.name, one.name)


def _passed_over(device: SimDevice, near: list[SimDevice]) -> Iterator[str]:
    wanted, tree = wanted_by(device), laws.tree_of(device)
    best: dict[str, Entry] = {}
    for other in near:
        for rows in other.store.paths(b"", 10_000):
            for entry in (row.entry for row in rows if row.is_ours):
                if entry.path not in best or entry.rank > best[entry.path].rank:
                    best[entry.path] = entry
    for path, entry in best.items():
        if entry.deleted or path in tree or wanted.wants(path, entry.kind):
            continue
        ours = device.store.ours(path)
        # What is deleted here stays with who only sends.
        if ours is None or ours.entry.rank < entry.rank:
            yield path


# ---- at every step ----------------------------------------------------------------------------


class Witness:
    """No job is begun that fetches what is not wanted where nothing lies, and what is let go is
    what was to go, and is on another device."""

    def __init__(self, world: World, ledger: Ledger, choosers: Choosers) -> None:
        self._world, self._ledger, self._choosers = world, ledger, choosers
        self._let_go: list[tuple[float, str, str, Content]] = []  # when, device, path

    def begin(self, look_after: Callable[[SimDevice], None]) -> None:
        """look_after: what else looks after a device that starts."""

        world = self._world
        world.look_after = each_of(look_after, self._look_after)
        world.submitted = each_of(world.submitted, self._submitted)
        world.handled = each_of(world.handled, lambda device: self._choosers.looked())

    def _submitted(self, device: SimDevice, job: Job) -> None:
        for entry in _fetched_by(job):
            if wanted_by(device).wants(entry.path, entry.kind):
                continue
            ours = device.folder.index_view.ours(entry.path)
            # A folder that others deleted, and that stayed for what is ignored in it, lies here.
            # And where a revert removed something, what others have comes in its place.
            is_here = ours is not None and (
                not ours.entry.deleted or ours.scan is not None or ours.entry.is_private
            )
            if not is_here:
                raise Broken("fetched", f"{device.name} fetches {entry.path}, which is not wanted")

    def _look_after(self, device: SimDevice) -> None:
        gone = device.calls.gone

        def let_go(folder: Inode, name: bytes, inode: Inode) -> None:
            if not isinstance(device.job, LetGo):
                gone(folder, name, inode)
                return
            content = content_of(inode)
            assert content is not None, "folders are removed by another call"
            meant = {bytes(each.entry.content): each.path for each in device.job.operations}
            paths = {
                each: meant[id]
                for each in self._before_bits_turned(content)
                if (id := _id_of(device, each)) in meant
            }
            if not paths:
                raise Broken("dropped", f"{device.name} let {content} go, which was not to go")
            content, path = next(iter(paths.items()))
            self._let_go.append((self._world.now, device.name, path, content))
            self._ledger.let_go.append((self._world.now, device.name, path))
            value = self._ledger.values.get(content)
            if value is None or value.ended or self._is_elsewhere(device, content):
                return
            if self._was_taken_by_a_receiver(content):
                value.ended = "who only receives took its last copy away before its agent looked"
            elif self._is_on_a_clone(content):
                value.ended = "its last copy went with the clone that had said that it keeps it"
            elif not self._is_elsewhere_rotten(device, content):
                raise Broken("dropped", f"{device.name} let go of {content}, which nobody else has")
            value.ended = value.ended or "its last copy without a turned bit was let go"

        device.calls.gone = let_go

    def excuse_made_anew(self) -> None:
        """Known gaps: what a device wrote and dropped, and its user makes anew there, counts as
        seen by who wrote it: the life of one agent has seen all that it wrote. So it is where a
        file takes the place of a folder that was dropped (seed 77001083), whoever made that: an
        agent publishes folders again for what is in them (78201064). And an index from before a
        drop takes what was dropped for deleted."""
        for dropped, name, path, content in self._let_go:
            value = self._ledger.values.get(content)
            if value is None:
                continue
            if self._choosers.put_older_at.get(name, 0.0) > dropped:
                value.replaced = value.replaced or f"{name} forgot that it dropped it"
            if name not in self._wrote(path, content, value):
                continue
            anew = ((when, by, at) for when, by, at in self._ledger.made if when >= dropped)
            if any(by == name and is_within(at, path) for _, by, at in anew):
                value.replaced = value.replaced or f"made anew where {name} dropped it"
        for drop in self._choosers.drops:
            name, makers = drop.device.name, self._ledger.made_folders
            made = {at for when, by, at in self._ledger.made if when >= drop.when and by == name}
            anew_at = {at for at in made if not drop.path or is_within(at, drop.path)}
            self._ledger.gone_folders |= anew_at & makers.keys()

    def excuse_out_of_reach(self) -> None:
        """In a folder with a roster: what a device let go is in the tree of another one, with which
        it may share no more."""
        others = {d: {content_of(i) for p, i in d.hands.tree()} for d in self._world.alive}
        for _, name, _, content in self._let_go:
            value = self._ledger.values.get(content)
            there = [d.name for d, has in others.items() if d.name != name and content in has]
            if value is not None and there:
                value.replaced = value.replaced or f"{name} dropped it, and {there} have it"
        folders = {(d, path) for d in self._world.alive for path, _ in d.hands.tree()}
        for drop in self._choosers.drops:
            elsewhere = {path for d, path in folders if d is not drop.device}
            dropped = {path for path in elsewhere if not drop.path or is_within(path, drop.path)}
            self._ledger.gone_folders |= dropped & self._ledger.made_folders.keys()

    def _wrote(self, path: str, content: Content, value: Value) -> set[str]:
        """The devices whose users wrote it, touched it, or moved it there."""
        return {value.device, *(by for _, by in self._ledger.hands_on.get((path, content), ()))}

    def _before_bits_turned(self, content: Content) -> list[Content]:
        """The content of a file, and what it was before bits of it turned: no stat tells of that,
        and who has such a file believes that it is as it was."""
        found = [content]
        while (before := self._ledger.turned.get(found[-1])) is not None and before not in found:
            found.append(before)
        return found

    def _is_elsewhere(self, device: SimDevice, content: Content) -> bool:
        return any(each == content for each in self._others_have(device))

    def _is_elsewhere_rotten(self, device: SimDevice, content: Content) -> bool:
        """A known gap: a bit turned in the other copy, and nobody has read it since."""
        return any(content in self._before_bits_turned(each) for each in self._others_have(device))

    def _was_taken_by_a_receiver(self, content: Content) -> bool:
        """What its user takes away there is a delete for nobody else. Its agent had not looked when
        it confirmed that it keeps this, or another device drops it right after."""
        deletes = (each for each in self._ledger.deletes if each.content == content)
        return any(each.device in self._ledger.receivers for each in deletes)

    def _is_on_a_clone(self, content: Content) -> bool:
        """A known gap: two machines that run with one key speak for each other, until somebody sees
        to what all devices say of them."""
        inodes = (inode for clone in self._world.clones for _, inode in clone.disk.everything())
        return any(content_of(inode) == content for inode in inodes)

    def _others_have(self, device: SimDevice) -> Iterator[Content]:
        """On disks that are away for a while, too: they come back."""
        for other in self._world.devices.values():
            if other is device:
                continue
            away = {} if other.unmounted is None else {**other.unmounted.children, **other.hidden}
            for _, inode in (*other.disk.everything(), *everything_in(away)):
                if (content := content_of(inode)) is not None:
                    yield content


def _id_of(device: SimDevice, content: Content) -> bytes:
    kind, data = content
    return content_id(device.keys, data) if kind is Kind.FILE else data


def _fetched_by(job: Job) -> Iterator[Entry]:
    """What a job puts where nothing of ours is expected. What was asked for before a drop may still
    arrive: its bytes are thrown away."""
    if isinstance(job, Apply):
        puts = (Verb.MAKE_DIRECTORY, Verb.PUT_FILE, Verb.PUT_LINK, Verb.MOVE_FILE)
        for operation in job.operations:
            if operation.verb in puts and operation.old is None:
                yield operation.entry


# ---- at the end -------------------------------------------------------------------------------


def excuse(ledger: Ledger, choosers: Choosers) -> None:
    """What a user takes away while his device lets go of it is no delete for the others. Nor is
    what he had written over right before, if he takes that away, too."""
    for delete in (*ledger.deletes, *ledger.bare_deletes):
        drops = (
            drop.holds(delete.device, delete.path, delete.when)
            or drop.hides(delete, ledger.deletes)
            for drop in choosers.drops
        )
        if not delete.excused and any(drops):
            delete.excused = f"{delete.device} was dropping it"
    ledger.folders = [
        (when, device, path)
        for when, device, path in ledger.folders
        if not any(drop.holds(device, path, when) for drop in choosers.drops)
    ]
