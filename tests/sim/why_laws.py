"""What must hold of the answers to `why` when all is at rest: each difference has a reason, and
what is equal everywhere has none.

Knows devices from outside, and what each of them answers. Must not steer anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from leftzmq.disk.scan.lying import Lying
from leftzmq.index import change_plan
from leftzmq.sync.admin.why import plan
from leftzmq.sync.admin.why.here import OF_PROBLEM, here
from leftzmq.sync.admin.why.known import PathKnown
from leftzmq.sync.admin.why.questions import shown
from leftzmq.sync.admin.why.reasons import WhyNot
from leftzmq.tree.entry import Kind

from . import laws
from .laws import Broken, Tree
from .world import SimDevice, World

NO_REASON: Final = frozenset((WhyNot.SAME, WhyNot.UNKNOWN, WhyNot.DELETED, WhyNot.CONFLICT))
"""None of these says why what is there differs."""
_AS_ALL: Final = frozenset((WhyNot.SAME, WhyNot.CONFLICT))
_LIES: Final = {Kind.FILE: Lying.FILE, Kind.DIRECTORY: Lying.FOLDER, Kind.SYMLINK: Lying.LINK}


def judge(world: World) -> None:
    """Of two devices that hear from one another, and have not the same at a path, one says why: the
    other one need not know of what is private or ignored there. Who knows of something that it
    lacks says why. And where all have the same, each says so. A known gap: what a device has of a
    member who is out now, and that may only read since, is no other one's, and it does not say
    so."""
    said = next(_broken(world), None)
    if said is not None:
        raise Broken("why", said)


def _broken(world: World) -> Iterator[str]:
    for group in world.sharing.groups():
        if world.sharing.misses_others(group):
            continue  # what those have who share nothing with them may be waited for, for ever
        running = [device for device in group if not device.folder.stopped_why]
        trees = {device.name: laws.tree_of(device) for device in running}
        near = [
            (one, other)
            for at, one in enumerate(running)
            for other in running[at + 1 :]
            if laws.are_near(world, one.name, other.name)
        ]
        yield from chain.from_iterable(map(_not_planned, running))
        own = {path for device in running for path in world.sharing.own(device, group)}
        for path in sorted(set().union(*trees.values()) - own):
            answers = {device.name: asked(device, path) for device in running}
            yield from _unexplained(path, trees, answers, near)
            yield from _invented(path, trees, answers, running)


def _not_planned(device: SimDevice) -> Iterator[str]:
    """The plan has as many paths as are counted to be to come."""
    scope, view = plan.for_us(device.folder), device.folder.index_view
    found = change_plan.begin("", 0)
    while found.after is not None:
        found = change_plan.step(device.store, found, scope)
    planned = sum(count.paths for count in found.counts.values())
    if planned != view.counters.tickets:
        tickets = view.counters.tickets
        yield f"{device.name} has {tickets} tickets, and {planned} paths in its plan"


def asked(device: SimDevice, path: str) -> PathKnown:
    """What the device knows of the path, by which it answers. Where it lies on the disk of a user,
    the job that looks there would see the same."""
    inode = device.hands.exactly_at(path)
    lies = Lying.NOTHING if inode is None else _LIES.get(inode.kind, Lying.OTHER)
    questions, now = device.node.why_questions, device.world.now
    known = questions.known(device.folder, path, lies, None, now)
    shown(known, "")  # each member has its reason
    return known


def _unexplained(
    path: str,
    trees: dict[str, Tree],
    answers: dict[str, PathKnown],
    near: list[tuple[SimDevice, SimDevice]],
) -> Iterator[str]:
    for name, known in answers.items():
        told = known.told
        is_lacked = told is not None and not told.entry.deleted and path not in trees[name]
        if is_lacked and here(known).why in NO_REASON:
            yield f"{name} knows of what is at {path}, lacks it, and says {here(known).why.word!r}"
    for one, other in near:
        if trees[one.name].get(path) == trees[other.name].get(path):
            continue
        both = [(each.name, here(answers[each.name]).why) for each in (one, other)]
        if all(why in NO_REASON for _, why in both):
            said = ", ".join(f"{name} says {why.word!r}" for name, why in both)
            yield f"{one.name} and {other.name} have not the same at {path}: {said}"


def _invented(
    path: str, trees: dict[str, Tree], answers: dict[str, PathKnown], running: list[SimDevice]
) -> Iterator[str]:
    """Where all have the same, no device may say that it has not. Unless it is ignored on all of
    them, or is private, or a reader's own, or has a problem, of which its user is to know."""
    first, *more = (tree.get(path) for tree in trees.values())
    if any(each != first for each in more):
        return
    for device in running:
        known = answers[device.name]
        why = here(known).why
        if why in _AS_ALL or why in _allowed(known):
            continue
        yield f"all have the same at {path}, and {device.name} says {why.word!r}"


def _allowed(known: PathKnown) -> set[WhyNot | None]:
    found: set[WhyNot | None] = {WhyNot.IGNORED, WhyNot.LITTER, WhyNot.RULES_UNREADABLE}
    problem = known.folder.problems.kind_of(known.path)
    if problem is not None:
        found.add(OF_PROBLEM[problem])
    ours = known.ours
    if ours is not None and ours.entry.is_private:
        found.add(WhyNot.RECEIVES_ONLY)
    if known.view.we_read:  # what it made itself is its own, also where all have the same bytes
        found.add(WhyNot.READS_ONLY)
    return found
