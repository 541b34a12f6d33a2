"""Walks a share: reads names and stats in sorted order and merges them with our index.

Knows folders and scan keys. Must not know what a difference means, nor read a file: disk/scan/
scanner looks at the dirty paths. A path that could not be checked never counts as gone (I10, I11).
A mount inside is walked like a folder, while it is there (disk/scan/mounts).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from leftzmq.disk.fs.errno_meaning import raise_if_short
from leftzmq.disk.fs.interface import Directory, Root, Stat
from leftzmq.disk.scan.index_cursor import IndexCursor, Ours
from leftzmq.disk.scan.mounts import Mounts
from leftzmq.disk.scan.rules import FolderReading, KnownRules
from leftzmq.disk.scan.sighting import RulesRead
from leftzmq.errors import Problem, ProblemKind, Refusal, Refused
from leftzmq.tree.attributes import NO_MODE
from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.share_rules import FolderRules
from leftzmq.tree.path import name_of, parent_of, path_of_key, sort_key
from leftzmq.tree.plan import Staged
from leftzmq.tree.rules import LEFT_DIRECTORY, LEFTING_SUFFIX, check_path

UNWRITTEN_COST: Final = 16
"""As many paths as one counts whose mode is to be written down: that is work for the loop."""
STATS_AT_ONCE: Final = 512
"""Names are kept for a whole folder (60 bytes each), stats only for this many (350 bytes each)."""


class WalkSlice(Struct, frozen=True):
    """What one step passed.

    dirty:    paths that are new, changed or gone, in the order of `sort_key`
    seen:     number of names found on disk
    problems: of paths that cannot be synced or checked; none of these is dirty
    foreign:  names with the suffix .lefting: the caller knows which of them are ours
    came:     folders that became mounts, are mounts again, or are normal folders now
    rules:    files of ignore rules that changed since they were read last; what is in their folders
        was judged by them
    modes:    of paths that are as our index has them, but for the mode, which it does not have
    """

    dirty: tuple[str, ...]
    seen: int
    problems: tuple[Problem, ...]
    foreign: tuple[Staged, ...]
    done: bool
    came: tuple[str, ...] = ()
    rules: tuple[RulesRead, ...] = ()
    modes: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class _Listing:
    """An open level of the walk: all names of a folder in order, and the stats of the next few.

    head: the prefix of its children's sort keys. device: of the folder itself
    rules: as the folder sees them
    """

    path: str
    head: bytes
    names: list[bytes]
    device: int
    rules: FolderRules
    at: int = 0
    stats: Iterator[Stat | OSError | None] = field(default_factory=lambda: iter(()))
    stats_end: int = 0


@dataclass(slots=True)
class _Gathered:
    """What a step has passed so far. `passed` counts paths on disk and paths that are gone."""

    passed: int = 0
    seen: int = 0
    dirty: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    foreign: list[Staged] = field(default_factory=list)
    came: list[str] = field(default_factory=list)
    rules: list[RulesRead] = field(default_factory=list)
    modes: list[tuple[str, int]] = field(default_factory=list)


class TreeWalk:
    """A walk of `prefix` ("" is the whole share). The prefix may also be a file or not exist.

    Holds no descriptor between steps, only the names in the folders above the current path. After
    an error of `ours`, or an OSError that says nothing about any path, the walk cannot go on: begin
    a new one.
    """

    def __init__(
        self, root: Root, folder_id: str, prefix: str, ours: Ours, mounts: Mounts | None = None
    ) -> None:
        self._root, self._folder_id, self._prefix = root, folder_id, prefix
        self._ours, self._mounts = ours, Mounts() if mounts is None else mounts
        self._index = IndexCursor(ours, prefix)
        self._way: list[_Listing] = []
        self._begun = False
        self._known = KnownRules()
        self._rules = self._known.rules

    def step(self, budget_paths: int = 2000, known: KnownRules | None = None) -> WalkSlice:
        """Go on for about `budget_paths` paths, on disk or gone. Not to be called after `done`.

        known: the rules that hold now. What is ignored is neither listed nor compared
        """
        out = _Gathered()
        self._rule_by(known or KnownRules())
        if not self._begun:
            self._begin(out)
            self._begun = True
        while out.passed < budget_paths:
            if self._way:
                self._go_on(self._way[-1], out, budget_paths)
            elif not self._gone_before(None, out, budget_paths):
                break
        done = not self._way and self._index.key is None
        return WalkSlice(
            tuple(out.dirty),
            out.seen,
            tuple(out.problems),
            tuple(out.foreign),
            done,
            tuple(out.came),
            tuple(out.rules),
            tuple(out.modes),
        )

    def _rule_by(self, known: KnownRules) -> None:
        """From now on these rules hold, also in the folders that the walk is in."""
        self._known = known
        if known.rules is self._rules:
            return
        self._rules = known.rules
        for depth, listing in enumerate(self._way):
            listing.rules = self._rules.folder(listing.path)
            if listing.rules.ignored is not None:
                del self._way[depth:]
                self._index.skip(listing.head[:-1])
                return

    def _begin(self, out: _Gathered) -> None:
        prefix = self._prefix
        if not prefix:
            self._enter("", b"", out)
            return
        try:
            check_path(prefix)
            with self._root.folder(parent_of(prefix)) as folder:
                found = _stats(folder.stat, [name_of(prefix).encode()])
                device = folder.own_stat().device
        except Refused as refused:
            out.problems.append(self._problem(prefix, ProblemKind.BAD_NAME, refused.refusal.value))
            self._index.skip(sort_key(prefix))
        except (FileNotFoundError, NotADirectoryError):
            pass  # every index entry at or below it is gone
        except OSError as error:
            self._unreadable(prefix, sort_key(prefix), error, out)
        else:
            head = sort_key(prefix)[: -len(name_of(prefix).encode())]
            names = [name_of(prefix).encode()] if found != [None] else []
            above = parent_of(prefix)
            rules = self._rules.folder(above)
            self._way.append(_Listing(above, head, names, device, rules, 0, iter(found), 1))

    # ---- one folder ---------------------------------------------------------------------------

    def _enter(self, path: str, head: bytes, out: _Gathered) -> None:
        """List a folder. If it cannot be listed, none of the paths below it counts as gone."""
        try:
            with self._root.folder(path) as folder:
                names = sorted(folder.names())
                rules = self._read_rules(folder, path, names, out)
                listing = _Listing(path, head, names, folder.own_stat().device, rules)
                self._stat_more(listing, folder)
        except OSError as error:
            self._lost_sight(path, head, error, out)
        else:
            self._way.append(listing)

    def _read_rules(
        self, folder: Directory, path: str, names: list[bytes], out: _Gathered
    ) -> FolderRules:
        """Read the files of rules of a folder before anything in it is judged."""
        reading = FolderReading()
        reading.enter(folder, path, names, replace(self._known, rules=self._rules))
        if reading.read:
            changes = {read.path: read.file for read in reading.read}
            self._rules = self._rules.with_files(changes)
            out.rules += reading.read
        out.dirty += reading.later
        return self._rules.folder(path)

    def _lost_sight(self, path: str, head: bytes, error: OSError, out: _Gathered) -> None:
        if path and isinstance(error, FileNotFoundError | NotADirectoryError):
            # It was deleted or replaced during the walk: a look will tell.
            out.dirty.append(path)
            self._index.skip(head[:-1])
        else:
            self._unreadable(path, head[:-1], error, out)

    def _stat_more(self, listing: _Listing, folder: Directory) -> None:
        end = min(listing.at + STATS_AT_ONCE, len(listing.names))
        listing.stats = iter(_stats(folder.stat_listed, listing.names[listing.at : end]))
        listing.stats_end = end

    def _go_on(self, listing: _Listing, out: _Gathered, budget: int) -> None:
        """Pass names of the innermost folder, up to its end or to a folder in it."""
        if listing.at == len(listing.names):
            self._way.pop()
            return
        if listing.at == listing.stats_end:
            try:
                with self._root.folder(listing.path) as folder:
                    self._stat_more(listing, folder)
            except OSError as error:
                self._way.pop()
                self._lost_sight(listing.path, listing.head, error, out)
                return
        depth = len(self._way)
        while listing.at < listing.stats_end and len(self._way) == depth:
            key = listing.head + listing.names[listing.at]
            if self._gone_before(key, out, budget) or out.passed >= budget:
                return
            raw, found = listing.names[listing.at], next(listing.stats)
            listing.at += 1
            if _is_ignored(listing.rules, raw, found):
                out.passed += 1
                self._pass_ignored(key, raw, listing.rules, out)
                continue
            self._pass(key, found, listing.device, out)

    def _pass_ignored(self, key: bytes, raw: bytes, rules: FolderRules, out: _Gathered) -> None:
        """What has this name is ignored. If our index has something of a kind there that is kept,
        that is gone."""
        index = self._index
        if index.key == key and index.scan is not None:
            name = raw.decode(errors="surrogateescape")
            if rules.verdict(name, index.scan.kind) is None:
                out.dirty.append(path_of_key(key))
                index.next()
                return
        index.skip(key)

    def _gone_before(self, key: bytes | None, out: _Gathered, budget: int) -> bool:
        """Report the index entries before `key` as gone. Returns True if the budget ended first."""
        index = self._index
        while index.key is not None and (key is None or index.key < key):
            if out.passed >= budget:
                return True
            path = path_of_key(index.key)
            out.passed += 1
            if path in self._mounts:
                self._mounts.mount_lost(path)
                self._mount_gone(path, index.key, out)
                continue
            out.dirty.append(path)
            index.next()
        return False

    # ---- one name -----------------------------------------------------------------------------

    def _pass(self, key: bytes, found: Stat | OSError | None, above: int, out: _Gathered) -> None:
        if key == _LEFT_KEY:
            return
        out.passed += 1
        out.seen += 1
        index = self._index
        known = index.key == key
        # Only names that the index does not have need a check: the index accepts only valid ones.
        path = "" if known else self._checked(key, found, out)
        if path is None:
            return
        if found is None:
            return  # deleted since its folder was listed: an index entry of it is reported as gone
        if isinstance(found, OSError):
            self._unreadable(path or path_of_key(key), key, found, out)
            return
        if found.kind is Kind.DIRECTORY and self._in_doubt(key, found, above, out):
            self._mount_gone(path or path_of_key(key), key, out)
            return
        if found.kind is None:
            path = path or path_of_key(key)
            out.problems.append(self._problem(path, ProblemKind.SPECIAL))
        elif not known or index.scan != found.key():
            out.dirty.append(path or path_of_key(key))
        elif index.scan is not None and index.scan.mode == NO_MODE != found.key().mode:
            out.modes.append((path_of_key(key), found.key().mode))
            out.passed += UNWRITTEN_COST
        if known:
            index.next()
        if found.kind is Kind.DIRECTORY:
            self._enter(path or path_of_key(key), key + b"\0", out)

    # ---- mounts -------------------------------------------------------------------------------

    def _in_doubt(self, key: bytes, found: Stat, above: int, out: _Gathered) -> bool:
        if found.device == above and not self._mounts:
            return False
        path = path_of_key(key)
        return self._mounts.in_doubt(path, found.device, above, self._root, self._ours, out.came)

    def _mount_gone(self, path: str, key: bytes, out: _Gathered) -> None:
        """Report a missing mount. I11: neither the folder nor any path below counts as changed."""
        out.problems.append(self._problem(path, ProblemKind.MOUNT_GONE))
        self._index.skip(key)

    def _checked(self, key: bytes, found: Stat | OSError | None, out: _Gathered) -> str | None:
        """The path of a name that the index does not have, or None if it cannot be synced."""
        try:
            path = path_of_key(key)
        except UnicodeDecodeError:
            shown = key.replace(b"\0", b"/").decode(errors="backslashreplace")
            why = Refusal.PATH_NOT_UTF8.value
            out.problems.append(self._problem(shown, ProblemKind.BAD_NAME, why))
            return None
        try:
            return check_path(path)
        except Refused as refused:
            if refused.refusal is Refusal.PATH_RESERVED and _ends_in_lefting(path):
                out.foreign.append(
                    Staged(path, (found.inode or None) if isinstance(found, Stat) else None)
                )
            else:
                why = refused.refusal.value
                out.problems.append(self._problem(path, ProblemKind.BAD_NAME, why))
            return None

    def _unreadable(self, path: str, key: bytes, error: OSError, out: _Gathered) -> None:
        """Report a path that cannot be checked. I10, I11: neither it nor any path below is gone."""
        raise_if_short(error)
        why = error.strerror or str(error)
        out.problems.append(self._problem(path, ProblemKind.UNREADABLE, why))
        self._index.skip(key)

    def _problem(self, path: str, kind: ProblemKind, detail: str = "") -> Problem:
        return Problem(self._folder_id, path or ".", kind, detail)


def _stats(stat: Callable[[str], Stat | None], names: list[bytes]) -> list[Stat | OSError | None]:
    """For each name its stat, the error of the stat, or None if nothing is there.

    A name that is not UTF-8 gets None: it is refused for its name before the stat is used.
    """
    found: list[Stat | OSError | None] = []
    for raw in names:
        try:
            found.append(stat(raw.decode()))
        except UnicodeDecodeError:
            found.append(None)
        except OSError as error:
            found.append(error)
    return found


def _is_ignored(rules: FolderRules, raw: bytes, found: Stat | OSError | None) -> bool:
    kind = found.kind if isinstance(found, Stat) else None
    return rules.verdict(raw.decode(errors="surrogateescape"), kind) is not None


def _ends_in_lefting(path: str) -> bool:
    return name_of(path).casefold().endswith(LEFTING_SUFFIX)


_LEFT_KEY: Final = LEFT_DIRECTORY.encode()
