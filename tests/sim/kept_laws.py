"""What must hold where something is ignored: those who keep a path have the same there, an agent
leaves alone what is ignored, and what all ignore is told to nobody.

Which paths a device keeps is found by the rules that stand on its disk, and by the local ones of
its user; the agent is asked only what it knew, and when. Knows devices from outside. Must not steer
anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from leftzmq.content.ids import chunk_id
from leftzmq.errors import Problem, ProblemKind, RuleFault
from leftzmq.sync.jobs import Apply, Job
from leftzmq.sync.link import DeviceKey
from leftzmq.tree.conflict import is_conflict_name
from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.rule_file import Mistake, RuleFile, parse_local, parse_rules
from leftzmq.tree.ignoring.share_rules import LITTER_RULES, Group, IgnoreRules, is_rule_file
from leftzmq.tree.path import is_below, is_within, parent_of
from leftzmq.tree.wanted import Wanted
from leftzmq.wire import page as pages
from leftzmq.wire.messages import Chunks, IndexPage, Message, News

from . import laws
from .disk import Inode
from .laws import Broken, Tree, is_final
from .ledger import FOLDER as FOLDER_CONTENT
from .ledger import Content, Delete, Ledger, content_of
from .node import FOLDER
from .world import SimDevice, World, each_of

TRASH: Final = ".left/trash/"
NOT_TO_BE_READ: Final = RuleFile(unusable=Mistake(0, RuleFault.UNREADABLE))


def rules_of(device: SimDevice) -> IgnoreRules:
    """The rules that hold on a device by what lies on its disk. Of a rule file that cannot be read
    those go on to hold that its agent read last."""
    files: dict[str, RuleFile] = {}
    for path, inode in device.hands.tree():
        if not is_rule_file(path):
            continue
        is_file = inode.kind is Kind.FILE and not inode.closed
        says = parse_rules(path, bytes(inode.data)) if is_file else NOT_TO_BE_READ
        if says.unusable is not None and device.alive:
            says = device.folder.keeping.rules.file(path) or says
        files[path] = says
    return IgnoreRules(parse_local(device.ignore), LITTER_RULES).with_files(files)


def is_ignored(rules: IgnoreRules, path: str, kind: Kind | None) -> bool:
    return rules.verdict(path, kind) is not None


def not_kept(device: SimDevice) -> set[str]:
    """What lies on its disk and is ignored there, or is a shell, or is new where a rule file cannot
    be read."""
    rules = rules_of(device)
    tree = [*device.hands.tree()]
    ignored = {path for path, inode in tree if is_ignored(rules, path, inode.kind)}
    closed = {path for path, _ in tree if rules.folder(parent_of(path)).closed is not None}
    new = {path for path in closed if not _is_live(device, path)}
    return ignored | new | shells(device, ignored)


def shells(device: SimDevice, ignored: set[str]) -> set[str]:
    """The folders that its index has as deleted, and that lie there for what is ignored in them;
    and the rule files that stayed with them. Rule files stay, too, in a folder that others replaced
    and that cannot go, as its user is told. ignored: all that is."""
    shells = {
        path
        for folder in in_the_way(device)
        for path, _ in device.hands.below(folder)
        if parent_of(path) == folder and is_rule_file(path) and _is_gone(device, path)
    }
    tree = [(path, inode) for path, inode in device.hands.tree() if path not in ignored]
    for path, inode in sorted(tree, key=lambda each: -each[0].count("/")):
        if inode.kind is not Kind.DIRECTORY or not _is_gone(device, path):
            continue
        inside = [each for each, _ in device.hands.below(path) if parent_of(each) == path]
        files = {each for each in inside if is_rule_file(each) and _is_gone(device, each)}
        stays = {each for each in inside if each in ignored or each in shells}
        if stays and files | stays == set(inside):
            shells |= {path, *files}
    return shells


def _is_live(device: SimDevice, path: str) -> bool:
    ours = device.store.ours(path)
    return ours is not None and not ours.entry.deleted


def _is_gone(device: SimDevice, path: str) -> bool:
    ours = device.store.ours(path)
    return ours is not None and ours.entry.deleted


# ---- when all is quiet ------------------------------------------------------------------------


def is_quiet(world: World) -> bool:
    if world.wires.flying or any(d.working or len(d.watching) for d in world.alive):
        return False
    for device in world.alive:
        if laws.still_looks(device) or _waits(device):
            return False
    return next(differences(world), None) is None


def judge(world: World, ledger: Ledger, witness: Witness) -> None:
    """Those that keep a path, and can hear of it from one another, have the same there; and nobody
    waits for anything."""
    for device in world.alive:
        folder = device.folder
        if folder.stopped_why:
            raise Broken("I11", f"{device.name} stopped: {folder.stopped_why}")
        problems = [p for p in folder.problems.all() if not _is_known(p, device, ledger)]
        problems = [p for p in problems if p.kind is not ProblemKind.IGNORED_IN_THE_WAY]
        stays, ways = not_kept(device), in_the_way(device)
        # What is ignored may lie in the way of a folder, also under another spelling: what is to
        # come into that waits for it.
        for_folder = ProblemKind.WAITING_FOR_FOLDER
        no_folders = ways | laws.cannot_hold(device)
        problems = [
            p
            for p in problems
            if p.kind is not for_folder or not any(is_within(p.path, at) for at in no_folders)
        ]
        for path in ways:
            if not any(is_within(each, path) for each in stays):
                raise Broken("kept", f"{device.name} has nothing in the way at {path}")
        if problems:
            raise Broken("kept", f"{device.name} has problems: {[str(p) for p in problems]}")
    for said in differences(world):
        raise Broken("kept", said)
    for said in _taken_away(world, ledger, witness):
        raise Broken("kept", said)
    for device in world.alive:
        if waits := _waits(device):
            raise Broken("I5", f"{device.name} {waits}")
        if in_the_way(device) and device.folder.at_rest:
            raise Broken("wait", f"{device.name} says that it waits for nothing")


def _taken_away(world: World, ledger: Ledger, witness: Witness) -> Iterator[str]:
    """What agents took away although no user had: a rule makes no delete, here or elsewhere. Whose
    device ignores it may have it still; but nobody has it any more who keeps it. What lost lies in
    the trash of a device that had its conflict copy already: that has it still, though the copy may
    be ignored since, as it is judged by the name of its file. And a user may write to a file of
    which another name was taken away before: what he wrote is in the trash at once. What was being
    received when an agent ended may go there, too: nobody had it yet."""
    stays: set[Content | None] = set()
    trash: dict[Content, str] = {}
    for device in world.alive:
        rules = rules_of(device)
        copies: set[Content | None] = set()
        everything = [*device.disk.everything()]
        here = [(path, inode) for path, inode in everything if not path.startswith(TRASH)]
        for path, inode in here:
            if not is_ignored(rules, path, inode.kind):
                stays.add(content_of(inode))
            elif is_conflict_name(path):
                copies.add(content_of(inode))
        lies = {id(inode) for _, inode in here}
        gone = [inode for _, inode in everything if id(inode) not in lies and witness.saw(inode)]
        for content in map(content_of, gone):
            if content is not None and content not in copies:
                trash[content] = device.name
    for content, name in trash.items():
        value = ledger.values.get(content)
        if value is None or value.ended or value.replaced or content in ledger.moved:
            continue
        if laws.may_end_in_a_trash(ledger, content, value):
            continue
        if content not in stays and content not in ledger.adrift:
            yield f"{name} took away what {value.device} wrote at {value.path}: {content[1][:20]!r}"


def _waits(device: SimDevice) -> str:
    """For what it waits; "": for nothing, but for what its user has put in the way of it."""
    folder = device.folder
    if in_the_way(device) or _holds_back(device):
        return ""
    if folder.index_view.takes and (waits := laws.waits_for(device)):
        return f"waits for {waits}"
    if laws.cannot_hold(device):
        return ""
    return "" if folder.state.value == "idle" else f"is {folder.state.value}"


def _holds_back(device: SimDevice) -> bool:
    """Whether a rule file that cannot be read keeps back what is new: that is in the way of what
    others have there, until its user, who is told of the file, mends it."""
    rules = rules_of(device)
    return any(rules.folder(parent_of(path)).closed for path, _ in device.hands.tree())


def in_the_way(device: SimDevice) -> set[str]:
    """Where something that is ignored, or a folder that holds such a thing, lies in the way of what
    others have, as its user is told."""
    problems = device.folder.problems.all()
    return {each.path for each in problems if each.kind is ProblemKind.IGNORED_IN_THE_WAY}


def indexes_are_the_disks(world: World, *, exact: bool) -> None:
    for device in world.alive:
        laws.index_is_the_disk(device, exact=exact, not_kept=not_kept(device))


def _is_known(problem: Problem, device: SimDevice, ledger: Ledger) -> bool:
    return problem.kind is ProblemKind.RULES_FAULTY or laws.is_known(problem, device, ledger)


def differences(world: World) -> Iterator[str]:
    """Where two that keep a path, and can hear of it from one another, have not the same there. Who
    keeps files by a name, but no folders, does not keep the path where somebody has a folder. And
    who only sends takes nothing, and differs."""
    views = [_View(device) for device in world.alive if device.folder.index_view.takes]
    for path in sorted(set().union(*(view.tree for view in views))):
        kinds = {view.kinds[path] for view in views if view.has(path)}
        keepers = [view for view in views if all(view.keeps(path, kind) for kind in kinds)]
        if any(view.is_excused(path) for view in views):
            continue
        for first, *others in _groups(world, keepers) if kinds else ():
            for other in others:
                if first.tree.get(path) != other.tree.get(path):
                    a, b = first.device.name, other.device.name
                    yield laws.differences(a, first.only(path), b, other.only(path))


class _View:
    """What lies on the disk of one device, and what it keeps of that."""

    def __init__(self, device: SimDevice) -> None:
        self.device, self.rules = device, rules_of(device)
        self.tree: Tree = laws.tree_of(device)
        self.kinds = {p: inode.kind for p, inode in device.hands.tree() if p in self.tree}
        ignored = {path for path, kind in self.kinds.items() if is_ignored(self.rules, path, kind)}
        for path in shells(device, ignored):
            del self.tree[path], self.kinds[path]
        self._apart = laws.cannot_hold(device)
        self._in_the_way = in_the_way(device)
        self._wanted = Wanted(device.only, device.folder.keeping._pins)

    def has(self, path: str) -> bool:
        """Whether it has something there that it keeps."""
        return path in self.kinds and not is_ignored(self.rules, path, self.kinds[path])

    def only(self, path: str) -> Tree:
        return {path: self.tree[path]} if path in self.tree else {}

    def keeps(self, path: str, kind: Kind) -> bool:
        """Whether it keeps something of this kind, which lies there or is to be fetched, and
        nothing that it ignores is in its way. What it ignores and what was let go are two things:
        of a file that was dropped, a folder of this name that is ignored shows nothing."""
        if any(is_within(path, each) for each in self._in_the_way):
            return False
        if not (self.has(path) or self._wanted.wants(path, kind)):
            return False
        return not is_ignored(self.rules, path, kind)

    def is_excused(self, path: str) -> bool:
        """Whether a rule file that nobody can read keeps back what is new there, or the disk cannot
        hold the name."""
        closed = self.rules.folder(parent_of(path)).closed is not None
        return closed or any(is_within(path, each) for each in self._apart)


def _groups(world: World, keepers: list[_View]) -> list[list[_View]]:
    """Those of them that can hear from one another, by way of others of them."""
    views = {view.device: view for view in keepers}
    return [[views[device] for device in group] for group in laws.connected(world, views)]


# ---- what is told to nobody -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Secret:
    """path: where it was written. id: of its content."""

    path: str
    data: bytes
    id: bytes


class Secrets:
    """What users wrote where every device ignores it, and knew so already. It stays one until a
    user gives it a name that is not ignored, or ends a rule."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept: list[Secret] = []

    def are_safe_at(self, path: str) -> bool:
        """Whether all devices ignore what is written there, and those that run know that."""
        for device in self._world.devices.values():
            if device.waits or not is_ignored(rules_of(device), path, Kind.FILE):
                return False
            if device.alive:
                keeping = device.folder.keeping
                if not keeping.idle or not is_ignored(keeping.rules, path, Kind.FILE):
                    return False
        return True

    def add(self, path: str, data: bytes) -> None:
        keys = next(iter(self._world.devices.values())).keys
        self._kept.append(Secret(path, data, bytes(chunk_id(keys, data))))

    def changed(self) -> None:
        """A user did something, or something befell a disk. Or a device heard of other rules: who
        ended one in a shared file may ignore the secret by his local rules still, and so it is one
        until others have that file."""
        if not self._kept:
            return
        devices = self._world.devices.values()
        views = [(device, rules_of(device)) for device in devices]
        self._kept = [each for each in self._kept if self._is_one(each, views)]

    def _is_one(self, secret: Secret, views: list[tuple[SimDevice, IgnoreRules]]) -> bool:
        for device, rules in views:
            if not is_ignored(rules, secret.path, Kind.FILE):
                return False
            for path, inode in device.hands.tree():
                if inode.data == secret.data and not is_ignored(rules, path, inode.kind):
                    return False
        return True

    def sent(self, device: SimDevice, to: DeviceKey | None, message: Message) -> None:
        if not self._kept:
            return
        for secret in self._kept:
            if secret.id in set(_contents(device, message)):
                said = type(message).__name__
                raise Broken("secret", f"{device.name} told in {said} what is at {secret.path}")


def _contents(device: SimDevice, message: Message) -> Iterator[bytes]:
    """The ids of all contents that a message names or brings."""
    if isinstance(message, Chunks):
        yield from (bytes(part.id) for part in message.parts)
    elif isinstance(message, News | IndexPage):
        epoch = device.epochs.keys(message.tag)
        assert epoch is not None
        page = pages.open_sealed(message.sealed, epoch, device=device.key, folder=FOLDER)
        yield from (bytes(entry.content) for entry in page.entries)


# ---- at every step ----------------------------------------------------------------------------


class Witness:
    """No call of an agent touches what is ignored. The agent may not know a rule yet that stands on
    the disk, and a job that was begun before it knew goes on: so what counts are rules that it knew
    when the job was begun, and by which it had judged all rows.

    It remembers, too, which rules each agent knew at which time, for what is excused at the end."""

    def __init__(self, world: World) -> None:
        self._world, self.secrets = world, Secrets(world)
        self._known: dict[str, list[tuple[float, IgnoreRules]]] = {}
        self._begun: dict[int, tuple[Job, IgnoreRules | None]] = {}
        self._held_up: set[str] = set()  # folders that held something ignored at some time
        self._seen: dict[int, Inode] = {}  # what agents gave a name at which a user finds it
        self._amid: dict[
            str, Job
        ] = {}  # by device: the last job in whose midst a user did something

    def begin(self, look_after: Callable[[SimDevice], None]) -> None:
        """look_after: what else looks after a device that starts."""

        world = self._world
        world.look_after = each_of(look_after, self.look_after)
        world.sent = each_of(world.sent, self.secrets.sent)
        world.submitted = each_of(world.submitted, self.submitted)
        world.handled = each_of(world.handled, self.handled)
        world.changed_by_user = each_of(world.changed_by_user, self.changed_by_user)

    def saw(self, inode: Inode) -> bool:
        """Whether a user wrote it, or ever found it at its name."""
        return inode.users or id(inode) in self._seen

    def submitted(self, device: SimDevice, job: Job) -> None:
        keeping = device.folder.keeping
        self._begun[id(job)] = job, keeping.rules if keeping.idle else None

    def handled(self, device: SimDevice) -> None:
        if device.waits:
            return
        rules, known = device.folder.keeping.rules, self._known.setdefault(device.name, [])
        if not known or known[-1][1] is not rules:
            known.append((self._world.now, rules))
            self._note_held_up(device, rules)
            self.secrets.changed()

    def changed_by_user(self, device: SimDevice) -> None:
        self.secrets.changed()
        if device.job is not None:
            self._amid[device.name] = device.job
        if device.alive and not device.waits:
            self._note_held_up(device, device.folder.keeping.rules)

    def _was_put_amid(self, device: SimDevice, path: str, kind: Kind) -> bool:
        """Whether it is, or lies in, a folder that a user put in the place of a file in the very
        instant in which a job replaces that file. Names are exchanged, or moved, first, and looked
        at after that: the folder gets its name back, also from that of the conflict copy."""
        job = device.job
        if not isinstance(job, Apply) or self._amid.get(device.name) is not job:
            return False
        of_files = [
            at
            for operation in job.operations
            if operation.old is not None and operation.old.key.kind is not Kind.DIRECTORY
            for at in (operation.path, operation.copy_to)
            if at is not None
        ]
        is_folder = kind is Kind.DIRECTORY
        return any(is_below(path, at) or (is_folder and path == at) for at in of_files)

    def _note_held_up(self, device: SimDevice, rules: IgnoreRules) -> None:
        for path, inode in device.hands.tree():
            if is_ignored(rules, path, inode.kind):
                while path := parent_of(path):
                    self._held_up.add(path)

    def look_after(self, device: SimDevice) -> None:
        self.secrets.changed()
        calls = device.calls
        for path, inode in device.hands.tree():  # of a copy of a disk, too
            if is_final(path):
                self._seen[id(inode)] = inode

        def path_of(folder: Inode, name: bytes) -> str:
            above, last = device.disk.path_of(folder), name.decode(errors="surrogateescape")
            return f"{above}/{last}" if above else last

        def must_not(did: str, path: str, kind: Kind) -> None:
            if not is_final(path) or device.job is None:
                return
            _, knew = self._begun.get(id(device.job), (None, None))
            if knew is None or not is_ignored(knew, path, kind):
                return
            if self._was_put_amid(device, path, kind):
                return
            rule = device.folder.keeping.rules.verdict(path, kind)
            if rule is not None and rule.group is not Group.LITTER:  # that goes with its folder
                raise Broken("ignored", f"{device.name} {did} {path}, which it knew to be ignored")

        def named(folder: Inode, name: bytes, inode: Inode) -> None:
            path = path_of(folder, name)
            must_not("named", path, inode.kind)
            if is_final(path):
                self._seen[id(inode)] = inode
            names(folder, name, inode)

        def takes(folder: Inode, name: bytes, inode: Inode) -> None:
            path = path_of(folder, name)
            must_not("took", path, inode.kind)
            for below, each in device.hands.below(path) if inode.children else ():
                must_not("took along", below, each.kind)

        def respells(folder: Inode, name: bytes, inode: Inode) -> None:
            # What is in a folder stays in it, ignored or not, as where a user respelled it.
            must_not("respelled", path_of(folder, name), inode.kind)

        def alters(inode: Inode) -> None:
            for folder, name in inode.where:
                must_not("altered", path_of(folder, name), inode.kind)

        names = calls.named
        calls.named, calls.takes, calls.respells, calls.alters = named, takes, respells, alters

    # ---- at the end ---------------------------------------------------------------------------

    def may_have_missed(self, device: SimDevice, ledger: Ledger) -> bool:
        """A known gap: what is written through an ignored name of a file is under its other names,
        too, and no event tells of that. The next walk of everything finds it."""
        return any(
            name == device.name and self._was_ignored(Delete(path, (Kind.FILE, b""), name, when))
            for when, name, path in ledger.linked
        )

    def excuse(self, ledger: Ledger) -> None:
        """What a user took away where his device did not keep it is no delete for the others. Nor
        is what he took away a moment before it was ignored: a look did not tell it in time. And a
        folder stays for what is ignored in it, on whichever device, and the rules with it: when it
        is back, they are, too. Where a device ignores a folder at a path, but not a file, it takes
        the delete of a file there, and forgets by that what it had of the folder: when it keeps
        that again, it tells it anew."""
        for delete in (*ledger.deletes, *ledger.bare_deletes):
            if not delete.excused and self._was_ignored(delete):
                delete.excused = f"{delete.device} did not keep it"
            if is_rule_file(delete.path) and parent_of(delete.path) in self._held_up:
                delete.excused = delete.excused or "its folder held something ignored"
        ledger.folders = [
            (when, device, path)
            for when, device, path in ledger.folders
            if path not in self._held_up
            and not any(map(partial(self._was_ignored_as_folder, path), self._known))
            and not self._was_ignored(Delete(path, FOLDER_CONTENT, device, when))
        ]

    def _was_ignored_as_folder(self, path: str, name: str) -> bool:
        return any(
            is_ignored(rules, path, Kind.DIRECTORY) and not is_ignored(rules, path, Kind.FILE)
            for _, rules in self._known[name]
        )

    def _was_ignored(self, delete: Delete) -> bool:
        known = self._known.get(delete.device, [])
        ends = [when for when, _ in known[1:]] + [float("inf")]
        return any(
            end >= delete.when and is_ignored(rules, delete.path, delete.content[0])
            for (_, rules), end in zip(known, ends, strict=True)
        )
