"""Which statements of a roster count: everything here is a function of the set.

Knows the rules of docs/protocol.md ("Statements of a roster"). Must not know how statements came,
and is asked only about statements whose parent is here, whose signature is right, and whose signer
may say that kind of thing (sync/peers/roster/roster).

No statement undoes a removal, but an admission that names it. So a removed device can neither let
itself in again, nor anybody else, not even through a member that has not heard of its removal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from msgspec import Struct

from leftzmq.content.ids import StatementId, digest_of
from leftzmq.sync.link import DeviceKey
from leftzmq.wire.statements import Admission, EpochStatement, Removal

MAX_LIVE: Final = 62
"""Members of a folder: the bits of its index."""

Admissions = Mapping[StatementId, Admission]
Removals = Mapping[StatementId, Removal]
_May = Callable[[StatementId, StatementId], bool]


class Judgement(Struct, frozen=True):
    """What follows from a set of statements.

    counting: the removals that count, by the device that they name
    valid: the ids of the admissions that are valid, each with its distance from a root; none stands
        before those on which it hangs
    live: the ids of the admissions that let a device in, by device; of MAX_LIVE devices at most
    crowded_out: devices that would be live if there were not so many
    covers: the digest that a clean epoch has
    named: the devices that removals name whose signers are known, also those of which no admission
        is known here, so that these removals do not count yet
    """

    counting: Mapping[DeviceKey, tuple[StatementId, ...]]
    valid: Mapping[StatementId, int]
    live: Mapping[DeviceKey, tuple[StatementId, ...]]
    crowded_out: frozenset[DeviceKey]
    covers: bytes
    named: frozenset[DeviceKey]

    def counts(self, removal: StatementId) -> bool:
        """Return whether this removal counts."""
        return any(removal in ids for ids in self.counting.values())


def judge(admissions: Admissions, removals: Removals, pins: Collection[StatementId]) -> Judgement:
    """Return what follows from these statements for a device that begins at these roots.

    Takes 11 ms for 4,096 admissions and as many removals of 200 devices (CPU time, one run, Python
    3.11, 2 busy cores).
    """
    tree = _Tree(admissions, pins)
    chained = {id for id, _ in tree.walk(lambda child, parent: True)}
    there = {DeviceKey(admissions[id].device) for id in chained}
    by_device: dict[DeviceKey, dict[StatementId, Removal]] = {}
    for id, removal in removals.items():
        if removal.parent in chained:
            by_device.setdefault(DeviceKey(removal.device), {})[id] = removal
    counting = {device: ids for device, ids in by_device.items() if device in there}

    def still_stands(child: StatementId, parent: StatementId) -> bool:
        over = admissions[parent]
        return stands(child, over, counting.get(DeviceKey(over.device), {}))

    valid = dict(tree.walk(still_stands))
    live: dict[DeviceKey, list[StatementId]] = {}
    for id in valid:
        admission = admissions[id]
        device = DeviceKey(admission.device)
        if lifts(admission, counting.get(device, {})):
            live.setdefault(device, []).append(id)
    nearest = sorted(live, key=lambda device: min((valid[id], id) for id in live[device]))
    return Judgement(
        counting={device: tuple(sorted(ids)) for device, ids in counting.items()},
        valid=valid,
        live={device: tuple(sorted(live[device])) for device in nearest[:MAX_LIVE]},
        crowded_out=frozenset(nearest[MAX_LIVE:]),
        covers=digest_of(id for ids in counting.values() for id in ids),
        named=frozenset(by_device),
    )


def stands(child: StatementId, parent: Admission, against_signer: Removals) -> bool:
    """Return whether an admission under a valid parent is valid: every removal of its signer is
    lifted by the parent, or keeps this admission."""
    return all(id in parent.over or child in each.keep for id, each in against_signer.items())


def lifts(admission: Admission, against_device: Removals) -> bool:
    """Return whether a valid admission lets its device in, against these removals of it."""
    return len(against_device) <= len(admission.over) and all(
        id in admission.over for id in against_device
    )


def founds(admission: Admission) -> bool:
    """Return whether a valid admission makes the roots of its device valid: what it founded, before
    it was let in here. A device that may only read would write through a root of its own."""
    return admission.mode == "full"


def is_clean(epoch: EpochStatement, admissions: Admissions, judgement: Judgement) -> bool:
    """Return whether an epoch may be used."""
    maker = DeviceKey(admissions[StatementId(epoch.parent)].device)
    return is_live_and_full(maker, admissions, judgement) and covers_all(epoch, judgement)


def is_live_and_full(device: DeviceKey, admissions: Admissions, judgement: Judgement) -> bool:
    """Return whether this device is let in now and may write. Not known to be removed is not
    enough: a removed device could cover its own removal."""
    ids = judgement.live.get(device, ())
    return bool(ids) and all(admissions[id].mode == "full" for id in ids)


def covers_all(epoch: EpochStatement, judgement: Judgement) -> bool:
    """Return whether the maker of an epoch knew the same removals as we do."""
    return epoch.covers == judgement.covers


class _Tree:
    """Admissions by their parents, and the roots by the device that they are of."""

    def __init__(self, admissions: Admissions, pins: Collection[StatementId]) -> None:
        self._admissions = admissions
        self._pins = [id for id in pins if id in admissions]
        self.children: dict[bytes, list[StatementId]] = {}
        self.roots: dict[bytes, list[StatementId]] = {}
        for id, admission in admissions.items():
            if admission.parent:
                self.children.setdefault(admission.parent, []).append(id)
            else:
                self.roots.setdefault(admission.device, []).append(id)

    def walk(self, may: _May) -> Iterator[tuple[StatementId, int]]:
        """Yield every admission that can be reached, nearest first, each with its distance.

        From an admission lead its children, where `may` (child, parent) lets them, and the roots of
        the same device, if it `founds`.
        """
        found = set(self._pins)
        rooted: set[bytes] = set()
        queue = deque((id, 0) for id in sorted(self._pins))
        while queue:
            id, far = queue.popleft()
            yield id, far
            admission = self._admissions[id]
            device = admission.device
            if founds(admission) and device not in rooted:
                rooted.add(device)
                roots = [root for root in self.roots.get(device, ()) if root not in found]
                found.update(roots)
                queue.extendleft((root, far) for root in roots)
            for child in self.children.get(id, ()):
                if child not in found and may(child, id):
                    found.add(child)
                    queue.append((child, far + 1))
