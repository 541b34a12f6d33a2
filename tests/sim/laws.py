"""I1 to I12 as checks: some hold after every single call, the rest when all is quiet.

Knows devices from outside: their disks, their indexes, what they sent. Must not steer anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.schema import OURS
from leftzmq.sync.apply.active_ticket import TicketStage
from leftzmq.sync.versions.withheld import REPLACED
from leftzmq.tree.conflict import is_conflict_name
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.path import folded, is_below, is_within
from leftzmq.tree.rules import LEFT_DIRECTORY, LEFTING_SUFFIX

from .disk import Inode
from .ledger import Content, Delete, Ledger, Value, content_of
from .node import content_id
from .world import SimDevice, World

Tree = dict[str, tuple[object, ...]]


class Broken(AssertionError):
    """A law does not hold. law: its short name; the text says what the check found."""

    def __init__(self, law: str, what: str) -> None:
        self.law = law
        super().__init__(f"{law}: {what}")


def tree_of(device: SimDevice) -> Tree:
    """Returns everything that is synced: path -> what it is. A conflict copy gets the access of the
    file that it is a copy of; if a user deletes that in this instant, nobody knows who could read
    it, and the copy is for its owner alone there. What nobody else may read on some device, as its
    user is told, is judged without the bits of others."""
    found: Tree = {}
    shut = {at for each in device.world.alive for at in _lost_access(each)}
    for path, inode in device.hands.tree():
        if path.endswith(LEFTING_SUFFIX):
            continue
        match inode.kind:
            case Kind.DIRECTORY:
                mode = (oct(inode.mode),) if device.world.folder_modes else ()
                found[path] = ("folder", *mode)
            case Kind.SYMLINK:
                found[path] = ("link", bytes(inode.data))
            case Kind.FILE:
                compared = 0o700 if is_conflict_name(path) or path in shut else 0o777
                found[path] = (
                    "file",
                    bytes(inode.data),
                    inode.mtime_ns,
                    oct(inode.mode & compared),
                )
    return found


def _lost_access(device: SimDevice) -> Iterator[str]:
    """The paths at which its user is to set by hand who may read them."""
    for each in device.folder.problems.all():
        if each.kind is ProblemKind.ACCESS_LOST:
            yield each.path


def is_folder(what: tuple[object, ...] | None) -> bool:
    """Whether this is what `tree_of` says of a folder."""
    return what is not None and what[0] == "folder"


def is_final(path: str | None) -> bool:
    """Whether a name is one that users see, not the agent's own."""
    if path is None or path.endswith(LEFTING_SUFFIX):
        return False
    return path.split("/", 1)[0] != LEFT_DIRECTORY


# ---- at every step ----------------------------------------------------------------------------


class Witness:
    """I4: a file to which an agent gives a final name is whole; the agent never writes to a file
    with a final name, and never unlinks what a user wrote. And the agent never names a sequence
    that a power cut would take back."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def look_after(self, device: SimDevice) -> None:
        disk = device.disk

        def path_of(folder: Inode, name: bytes) -> str | None:
            above = disk.path_of(folder)
            last = name.decode(errors="surrogateescape")
            return None if above is None else (f"{above}/{last}" if above else last)

        def named(folder: Inode, name: bytes, inode: Inode) -> None:
            path, content = path_of(folder, name), content_of(inode)
            if content is None or not is_final(path):
                return
            if not self._ledger.is_known(content):
                raise Broken("I4", f"{device.name} named {path}: {_short(content)}")
            if inode.kind is Kind.FILE and not (inode.users or inode.is_safe):
                raise Broken("I4", f"{device.name} named {path}, which is not flushed")

        def wrote(inode: Inode) -> None:
            if inode.mode & 0o077:
                raise Broken("private", f"{device.name} wrote where all can read")
            for folder, name in inode.where:
                if is_final(path_of(folder, name)):
                    raise Broken("I4", f"{device.name} wrote into {path_of(folder, name)}")

        def gone(folder: Inode, name: bytes, inode: Inode) -> None:
            if inode.users and not inode.where and not in_trash(inode):
                path = path_of(folder, name)
                if self._ledger.gives_way and (path or "").startswith(".left/trash/"):
                    return  # the agent made space in the trash
                raise Broken("I2", f"{device.name} unlinked {path}: {_short(content_of(inode))}")

        def in_trash(inode: Inode) -> bool:
            """Whether the inode is in the trash. From another file system a file gets there as a
            copy, which is flushed before the original is removed."""
            return any(
                path.startswith(".left/trash/") and other.data == inode.data
                for path, other in disk.everything()
                if other.is_safe or other.kind is Kind.SYMLINK
            )

        def told(head: int) -> None:
            if head > device.durable_head:
                durable = device.durable_head
                raise Broken("I8 durable", f"{device.name} told of {head}, durable is {durable}")

        device.calls.named, device.calls.wrote, device.calls.gone = named, wrote, gone
        device.told = told


# ---- when all is quiet ------------------------------------------------------------------------


def is_quiet(world: World) -> bool:
    """Every device has what all have, and nothing is under way."""
    if world.wires.flying or any(d.working or len(d.watching) for d in world.alive):
        return False
    if world.sharing.others_ask():
        return False
    return all(_is_at_rest(world, group) for group in world.sharing.groups())


def _is_at_rest(world: World, group: list[SimDevice]) -> bool:
    if not world.sharing.agree(group):
        return False
    for device in group:
        if still_looks(device):
            return False
        if world.sharing.misses_others(group):
            continue
        if world.sharing.own(device, group):
            if _waits_a_while(device):
                return False
            continue
        tickets = device.folder.index_view.counters.tickets
        if not _is_idle(device, group) or (tickets and not device.disk.folds):
            return False
    first = _whole_tree(world, group)
    return not any(_missing(world, device, group, first) for device in group)


def still_looks(device: SimDevice) -> bool:
    """Whether it looks at something now, or has set itself a walk of everything, because a file
    was changed that has names which its index does not know."""
    return not device.folder.scheduler.idle or device.folder.scheduler.unsure


def _waits_a_while(device: SimDevice) -> bool:
    """Whether it tries something once more in a while, as its bytes were not given, or its folder
    was not there, or tries it now, which a limit may hold up (seed 79302028). What its user put in
    the place of the folder may be there for ever: then it tries no more after a while."""
    active = device.folder.applier._window.active.values()
    return any(each.retry_at > 0.0 or each.stage is TicketStage.WANTED for each in active)


def _is_idle(device: SimDevice, group: list[SimDevice]) -> bool:
    """Whether it has nothing to do. A member that is left over has nobody to do it with."""
    is_left_over = device.acquaintance is not None and len(group) == 1
    return device.folder.state.value == ("alone" if is_left_over else "idle")


def converged(world: World, ledger: Ledger, group: list[SimDevice] | None = None) -> Tree:
    """I1. group: those that share with one another; None: all."""
    alive = world.alive if group is None else group
    for device in alive:
        if device.folder.stopped_why:
            raise Broken("I11", f"{device.name} stopped: {device.folder.stopped_why}")
    first = _whole_tree(world, alive)
    for other in alive:
        if _missing(world, other, alive, first):
            said = differences("the others", first, other.name, tree_of(other))
            raise Broken("I1", f"{said}; {sorted(cannot_hold(other))} cannot be there")
    for device in alive:
        folder = device.folder
        problems = [p for p in folder.problems.all() if not is_known(p, device, ledger)]
        if own := world.sharing.own(device, alive):
            problems = [p for p in problems if not _follows(p.path, own)]
        if world.sharing.misses_others(alive):  # nor told that nobody gives it, or its folder
            given_by_nobody = (ProblemKind.NOT_GIVEN, ProblemKind.WAITING_FOR_FOLDER)
            problems = [p for p in problems if p.kind not in given_by_nobody]
        if problems:
            raise Broken("I1", f"{device.name} has problems: {[str(p) for p in problems]}")
        here = tree_of(device)
        apart = [path for path in cannot_hold(device) if not _folds_with(path, first, here)]
        if apart and not world.sharing.misses_others(alive):  # they have what it cannot take
            raise Broken("I1", f"{device.name} does not take {apart}")
        if world.sharing.misses_others(alive) or world.sharing.own(device, alive):
            continue  # what it cannot get, or cannot put beside its own, stays wanted
        if (tickets := folder.index_view.counters.tickets) != len(first) - len(here):
            raise Broken("I1", f"{device.name} has {tickets} tickets")
        if not _is_idle(device, alive):
            raise Broken("I5", f"{device.name} is {folder.state.value}")
    return first


def _whole_tree(world: World, alive: list[SimDevice]) -> Tree:
    """Returns the tree of a device whose disk can hold every name, and whose versions count."""

    def lacks(device: SimDevice) -> tuple[bool, bool]:
        return world.sharing.reads_only(device), bool(device.disk.folds)

    return tree_of(min(alive, key=lacks))


def connected(world: World, devices: Iterable[SimDevice]) -> list[list[SimDevice]]:
    """Those of these devices that can hear from one another, by way of others of them."""
    left, found = list(devices), []
    while left:
        group = [left.pop(0)]
        for one in group:  # it grows meanwhile
            near = [each for each in left if are_near(world, one.name, each.name)]
            group += near
            left = [each for each in left if each not in near]
        found.append(group)
    return found


def are_near(world: World, a: str, b: str) -> bool:
    return world.wires.dials(a, b) or world.wires.dials(b, a)


def _missing(world: World, device: SimDevice, group: list[SimDevice], first: Tree) -> bool:
    """Whether its tree differs from `first`, apart from paths that its disk cannot hold beside
    another spelling: at those nothing may be there. And apart from what was changed on a device
    that may only read: that stays as its user made it."""
    if all(world.sharing.reads_only(each) for each in group):
        return False  # nobody of whom it takes anything
    here, apart = tree_of(device), cannot_hold(device)
    if own := world.sharing.own(device, group):
        first = {path: what for path, what in first.items() if not _follows(path, own)}
        here = {path: what for path, what in here.items() if not _follows(path, own)}
    wanted = {p: what for p, what in first.items() if not any(is_within(p, at) for at in apart)}
    return here != wanted


def cannot_hold(device: SimDevice) -> set[str]:
    """The paths that its disk cannot hold beside another spelling."""
    problems = device.folder.problems.all()
    return {each.path for each in problems if each.kind is ProblemKind.NAME_FOLDS}


def makes_versions(device: SimDevice, head: int) -> bool:
    """Whether it made versions of its own since this head of its index. A delete of what its disk
    cannot hold, or of what it did not take as it only sends, is none, if it took that over: while
    it reaches only a device that has nothing newer, the older delete is the best that it knows. Nor
    is such a delete on those who take it over from a device that only sends (seed 79470277)."""
    apart, now = cannot_hold(device), device.store.heads.sequence
    takes = device.folder.index_view.takes
    senders = [each for each in device.world.alive if not each.folder.index_view.takes]
    taken_over = 0
    for change in device.store.changes(head, now, 10_000) if apart or senders else ():
        others = any(row.holders > OURS for row in device.store.rows(change.path) if row.is_ours)
        is_delete = change.entry is not None and change.entry.deleted
        is_apart = not takes or any(is_within(change.path, at) for at in apart)
        is_apart = is_apart or any(_has(each, change.path, change.entry) for each in senders)
        taken_over += others and is_delete and is_apart
    return now != head + taken_over


def _has(device: SimDevice, path: str, entry: Entry | None) -> bool:
    return any(row.entry == entry for row in device.store.rows(path) if row.is_ours)


def waits_for(device: SimDevice) -> list[str]:
    """The paths at which something is to come, but for those that its disk cannot hold."""
    readers, apart = device.folder.index_view.readers, cannot_hold(device)
    with device.reading() as reader:
        paths = [path for path, _ in reader.above_ours("", 10_000, readers)]
    return [path for path in paths if not any(is_within(path, each) for each in apart)]


def _follows(path: str, own: list[str]) -> bool:
    """Whether what is at the path on a device that may only read follows from what it has of its
    own: at that, below it (nothing gets below a file), or above it (a folder that is needed)."""
    return any(is_within(path, at) or is_within(at, path) for at in own)


def _folds_with(path: str, first: Tree, here: Tree) -> bool:
    """Whether the path is in `first`, and another spelling of it is here."""
    others = [each for each in here if each != path and folded(each) == folded(path)]
    return path in first and bool(others)


def differences(a: str, first: Tree, b: str, second: Tree) -> str:
    lines = []
    for path in sorted(first.keys() | second.keys()):
        one, two = first.get(path), second.get(path)
        if one != two:
            lines.append(f"{path}: {a} {_short(one)}, {b} {_short(two)}")
    return "; ".join(lines)


def apart_at(path: str, a: str, first: Tree, b: str, second: Tree) -> str | None:
    """How the trees of a and b differ at this path; None: they do not."""
    if first.get(path) == second.get(path):
        return None
    return differences(a, only(first, path), b, only(second, path))


def only(tree: Tree, path: str) -> Tree:
    return {path: tree[path]} if path in tree else {}


def what_is_lost(world: World, ledger: Ledger) -> Iterator[str]:
    """I2 where trees need not be equal. What users wrote, and nobody replaced, is in the tree of a
    device. All that did not end is somewhere."""
    in_trees, anywhere = set[Content | None](), set[Content | None]()
    for device in world.devices.values():
        for path, inode in device.disk.everything():
            content = content_of(inode)
            anywhere.add(content)
            if is_final(path):
                in_trees.add(content)
    for content, value in ledger.values.items():
        who = f"what {value.device} wrote at {value.path} ({value.when:.3f}): {content[1][:20]!r}"
        if value.ended or content in ledger.adrift or (value.replaced and ledger.gives_way):
            continue
        if content not in anywhere:
            yield f"{who} is nowhere"
        if value.replaced or may_end_in_a_trash(ledger, content, value):
            continue
        if content not in in_trees:
            yield f"{who} is in no tree"


def is_known(problem: Problem, device: SimDevice, ledger: Ledger) -> bool:
    """Known gaps: an index that is lost or older, after a power cut too, does not know a `.lefting`
    that is on the disk. Nor does an index that was damaged before a kill; and a user can rename the
    folder that a `.lefting` lies in. Then nobody can say whose it is. A path that a disk cannot
    hold is a problem for as long as it is wanted there. And where a device was once not allowed to
    read a file that it replaced, its user must look at that file."""
    if problem.kind is ProblemKind.ACCESS_LOST and device.name in ledger.refused:
        return True
    if problem.kind is ProblemKind.READS_ONLY:
        return device.world.sharing.reads_only(device)
    if problem.kind is ProblemKind.NAME_FOLDS and device.disk.folds:
        return True
    return problem.kind is ProblemKind.FOREIGN_LEFTING and _has_strays(device, ledger)


def _has_strays(device: SimDevice, ledger: Ledger) -> bool:
    return device.name in ledger.stray_leftings or device.forgot_leftings


def all_leftings(world: World) -> list[str]:
    """Where a `.lefting` lies, on any device. Where all is quiet, nobody knows whose it is."""
    return [
        path
        for device in world.devices.values()
        for path, _ in device.hands.tree()
        if path.endswith(LEFTING_SUFFIX)
    ]


def nothing_lost(
    world: World, ledger: Ledger, tree: Tree, among: Collection[str] | None = None
) -> None:
    """I2, and more: a value that no user replaced anywhere is in the tree, not only in a trash.
    among: the devices whose users' values are judged; None: all."""
    in_tree = {_content(what) for what in tree.values()}
    kept = set(in_tree)
    for device in world.devices.values():
        for path, inode in device.disk.everything():
            is_elsewhere = among is not None and is_final(path)  # on who does not share with them
            if is_elsewhere or path.startswith(".left/trash/"):
                kept.add(content_of(inode))
    adrift = _adrift(world, ledger)
    kept |= adrift
    for content, value in ledger.values.items():
        if value.ended or (among is not None and value.device not in among):
            continue
        who = f"{_short(content)} by {value.device} at {value.path} ({value.when:.3f})"
        if content not in kept and value.replaced and ledger.gives_way:
            continue  # its old versions were deleted to make space
        if content not in kept:
            raise Broken("I2", f"{who} is nowhere")
        excused = content in adrift or may_end_in_a_trash(ledger, content, value, among)
        if not value.replaced and content not in in_tree and not excused:
            raise Broken("I2 tree", f"{who} is only in a trash, and nobody replaced it")


def may_end_in_a_trash(
    ledger: Ledger, content: Content, value: Value, among: Collection[str] | None = None
) -> bool:
    """Whether one of the known gaps may leave what a user wrote in a trash alone."""
    # Known gaps: a file that is renamed to and fro, where the second rename adopts a version
    # that the first one is about to delete, ends in the trash.
    # And so does the loser whose copy's exact name a user took with the same life: his write
    # there counts as having seen everything that this life wrote before.
    is_taken = any(
        name.startswith((f"{path}.", f"{path.rpartition('.')[0] or path}."))
        for path in (value.path, *(at for at, moved in ledger.hands_on if moved == content))
        for name in ledger.taken_names
    )
    # And a copy that a user moved back to its name, where it lost once more: its new copy would
    # have the exact name from which he took it, and that name is deleted with exactly these
    # bytes.
    is_back = any(d.content == content and is_conflict_name(d.path) for d in ledger.deletes)
    to_and_fro = len(ledger.moved.get(content, ())) > 1 or any(
        is_within(value.path, old) and (new, old) in ledger.renames for old, new in ledger.renames
    )
    # And a file that was renamed to and fro by a device that then lost its state: others hold
    # the delete of the file's present name, with exactly these bytes.
    forgotten = any(each == content for *_, each in ledger.forgotten)
    is_forgotten = content in ledger.moved and forgotten
    # And a file that a user renamed on a device that is out now: the removal came between the
    # half that took it away and the half that brought it.
    out = set() if among is None else ledger.moved.get(content, set()) - set(among)
    return to_and_fro or bool(out) or is_taken or is_back or is_forgotten


def _adrift(world: World, ledger: Ledger) -> set[Content | None]:
    """Known gap: the device ended between an exchange and the naming of the copy, and a user
    renamed the folder before the device's next start: the old version lies there as a Problem."""
    return {
        content_of(inode)
        for device in world.devices.values()
        for path, inode in device.hands.tree()
        if content_of(inode) in ledger.adrift
        and device.folder.problems.kind_of(path) is ProblemKind.FOREIGN_LEFTING
    }


def nothing_came_back(
    world: World, ledger: Ledger, tree: Tree, among: Collection[str] | None = None
) -> None:
    """I3. among: the devices whose users' deletes are judged; None: all."""
    for delete in ledger.deletes:
        if among is not None and delete.device not in among:
            continue
        what = tree.get(delete.path)
        if what is None or _content(what) != delete.content or delete.excused:
            continue
        if _another_delete(world, ledger, delete.path, delete.device, delete.content):
            continue
        if _is_respelled(world, ledger, delete.path):
            continue
        hands = ledger.hands_on.get((delete.path, delete.content), ())
        if any(device != delete.device or when >= delete.when for when, device in hands):
            continue
        if is_conflict_name(delete.path) and any(
            content == delete.content and when >= delete.when
            for (path, content), hands in ledger.hands_on.items()
            for when, _ in hands
        ):
            continue  # moved to another name, where it lost: this is the name of its copy again
        if is_conflict_name(delete.path) and _is_told_above(ledger, delete):
            continue  # it lost once more there
        who = f"{_short(delete.content)} at {delete.path}"
        raise Broken("I3", f"{who}, deleted by {delete.device} ({delete.when:.3f}), is back")


def _is_respelled(world: World, ledger: Ledger, path: str) -> bool:
    """A known gap: one device's disk folds names, and users respelled a folder at or above the path
    more than once, or one folder inside another. A file that was renamed together with the folder
    may be found before the device knows that the file was moved on, or deleted."""
    if not any(device.disk.folds for device in world.devices.values()):
        return False
    respelled = [pair for pair in ledger.renamed if folded(pair[0]) == folded(pair[1])]
    return any(is_within(path, old) or is_within(path, new) for old, new in respelled)


def _is_told_above(ledger: Ledger, delete: Delete) -> bool:
    """Whether another device had the original of this conflict copy under the original's name, and
    no user removed it there. That device may not have heard that its version lost, and so have told
    it again above the delete."""
    value = ledger.values[delete.content]
    if value.device == delete.device or value.path == delete.path:
        return False
    return not any(
        other.path == value.path and other.content == delete.content for other in ledger.deletes
    )


def _another_delete(
    world: World, ledger: Ledger, path: str, device: str, content: Content | None
) -> bool:
    """A known gap: two deletes at one path, each of another content: the higher one wins, without
    having seen what the other one deleted. A third device tells what it still has above both if it
    has not yet heard of that delete. The same holds for two deletes of one folder, of which one had
    not seen everything below the folder. content: what this device deleted; None: a folder."""
    if len(world.devices) < 3:
        return False
    return any(
        other.path == path and other.device != device and other.content != content
        for other in ledger.deletes
    ) or any(other == path and by != device for by, other in ledger.tombs)


def no_folder_came_back(
    world: World, ledger: Ledger, tree: Tree, among: Collection[str] | None = None
) -> None:
    """I3 for folders: a folder that a user deleted is there only if something needs it, even if
    that is a `.lefting` whose row a power cut took. among: the devices whose users' deletes are
    judged; None: all."""
    strays = all_leftings(world)
    for when, device, path in ledger.folders:
        if not is_folder(tree.get(path)) or ledger.restored:
            continue
        if among is not None and device not in among:
            continue
        if any(other.startswith(path + "/") for other in (*tree, *strays)):
            continue
        if _another_delete(world, ledger, path, device, None):
            continue
        if _is_respelled(world, ledger, path):
            continue
        if _was_needed(ledger, path, device, when):
            continue
        # What its device had let go is on others still, and needs the folder (seed 79102193).
        if any(
            by == device and at <= when and is_below(other, path) for at, by, other in ledger.let_go
        ):
            continue
        if not any(
            (other == path or other.startswith(path + "/")) and (by != device or at >= when)
            for at, by, other in ledger.made
        ):
            raise Broken("I3 folder", f"{path}, taken away by {device} ({when:.3f}), is back")


def _was_needed(ledger: Ledger, path: str, device: str, when: float) -> bool:
    """A known gap: what a user takes away while his device does not know of it is back. It brings
    back the folder that he takes away next. Whoever takes only that away, later, leaves the folder
    where it is. device: whose user took the folder away."""
    deletes = (*ledger.deletes, *ledger.bare_deletes)
    later = {(each.path, each.content) for each in deletes if each.when > when}
    return any(
        each.excused
        and each.device == device
        and each.when <= when
        and each.path.startswith(f"{path}/")
        and (each.path, each.content) in later
        for each in deletes
    )


def no_folder_lost(
    world: World, ledger: Ledger, tree: Tree, among: Collection[str] | None = None
) -> None:
    """I2 for folders: a folder that a user made, and nobody deleted, is there. It may also have
    been renamed along with a folder above it, which a disk that folds names respelled as others had
    done (and then deleted under the new spelling). Or a user renamed a folder above it while the
    device was making the folder there: it came along, and he may have moved or deleted it since. Or
    a user did so while the folder was being removed there, as another device had: no one call opens
    a folder and removes what is in it, and nothing was in it. Or he put it at the name of a
    conflict copy between the rename that makes the copy and the look there: no one call renames a
    file only if it is the one that is meant, so what lies there may as well be what he wrote at the
    old name just before. It is at the old name then. among: the devices whose users' folders are
    judged; None: all."""
    folds = any(device.disk.folds for device in world.devices.values())
    there = {folded(path) for path, what in tree.items() if is_folder(what)} if folds else set()
    there |= {folded(path) for path in ledger.gone_folders} if folds else set()
    for path in sorted(ledger.made_folders.keys() - ledger.gone_folders - ledger.going_folders):
        if folded(path) in there:
            continue
        if among is not None and not ledger.made_folders[path] & set(among):
            continue
        if any(
            old == path and (is_folder(tree.get(new)) or new in ledger.gone_folders)
            for old, new in ledger.at_copies | ledger.made_elsewhere
        ):
            continue
        if not is_folder(tree.get(path)) and not ledger.restored:
            raise Broken("I2 folder", f"{path} is {_short(tree.get(path))}")


def index_is_the_disk(
    device: SimDevice, *, exact: bool, not_kept: Collection[str] = frozenset()
) -> None:
    """I8: our rows in the index are what a scan of the disk would say. exact: the stats are equal
    too, as after a walk (a new hard link changes the stat, and no watcher reports it). not_kept:
    what it does not keep: of that it has no version; nor of what lies where it gave up its own, as
    the bytes were rotten, and waits for a device that does not give them."""
    said: Tree = {}
    after = b""
    while groups := device.store.paths(after, 1000):
        for rows in groups:
            ours = [row for row in rows if row.is_ours]
            if len(ours) > 1:
                raise Broken("I8", f"{device.name}: two rows of ours at {rows[0].entry.path}")
            for row in ours:
                entry = row.entry
                if entry.deleted:
                    continue
                found = device.hands.exactly_at(entry.path)
                if found is None or found.kind is not entry.kind:
                    raise Broken("I8", f"{device.name}: {entry.path} is not on disk")
                if exact and row.scan != (key := found.stat().key()):
                    raise Broken("I8", f"{device.name}: {entry.path} {row.scan} is {key}")
                if entry.kind is Kind.FILE and entry.size != len(found.data):
                    raise Broken("I8", f"{device.name}: {entry.path} is not {entry.size} bytes")
                is_file = entry.kind is Kind.FILE
                if is_file and content_id(device.keys, found.data) != entry.content:
                    raise Broken("I8", f"{device.name}: {entry.path} has other bytes")
                said[entry.path] = ()
        after = groups[-1][-1].sort_key
    if said.keys() != tree_of(device).keys() - set(not_kept) - _waits_behind_a_border(device):
        raise Broken("I8", f"{device.name}: on disk and not in the index, or the other way")


def _waits_behind_a_border(device: SimDevice) -> set[str]:
    groups = (group for group in device.world.sharing.groups() if device in group)
    if not any(device.world.sharing.misses_others(group) for group in groups):
        return set()
    held = device.folder.index_view.held
    found = ((path, held.at(path)) for path, _ in device.hands.tree())
    return {path for path, each in found if each is not None and each.why in REPLACED}


def nothing_is_left(device: SimDevice, ledger: Ledger) -> None:
    """No `.lefting` of ours stays behind."""
    for path, inode in device.hands.tree():
        if _has_strays(device, ledger):
            return
        if path.endswith(LEFTING_SUFFIX) and not inode.users:
            raise Broken("I6", f"{device.name} left {path} behind")


def _content(what: tuple[object, ...]) -> Content | None:
    if what[0] == "folder":
        return None
    kind = Kind.FILE if what[0] == "file" else Kind.SYMLINK
    assert isinstance(what[1], bytes)
    return kind, what[1]


def _short(what: object) -> str:
    if isinstance(what, tuple):
        return "(" + ", ".join(_short(item) for item in what) + ")"
    if isinstance(what, bytes) and len(what) > 24:
        return f"{what[:24]!r}+{len(what) - 24}"
    return repr(what)
