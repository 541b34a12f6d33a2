"""Whether a path of a share is ignored, and by which rule.

Three groups of rules hold: the rule files in the share, the local rules of this device, and litter.
A path is ignored if ANY group says so; `!` undoes only within its own group. A path is judged
folder by folder from the share's root: the first folder that is ignored ends it, and nothing below
can be included again.

Within the rule files those of a folder go before those of the folders above it, and in one folder
`.leftignore` goes before `.gitignore`. A `.gitignore` rules where a `.leftignore` in its folder or
above says `#left: gitignore`. Rule files themselves are ignored only with their folder.

A conflict copy of a file is judged by the name of what it is a copy of. A conflict copy of a rule
file rules, too: what either of them says is ignored is ignored. A rule file that was deleted while
a copy of it is there says nothing; the copy then ignores, but cannot undo.

Knows paths and rules as values. Must not know how rule files are read, nor what follows from an
answer. Rules are replaced, never changed: a value may be asked by several threads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from leftzmq.errors import RuleFault
from leftzmq.tree.conflict import CONFLICT_MARK, read_name
from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.automaton import Memory
from leftzmq.tree.ignoring.litter import LITTER
from leftzmq.tree.ignoring.matcher import Matcher, Position
from leftzmq.tree.ignoring.rule_file import (
    GITIGNORE,
    LEFTIGNORE,
    Mistake,
    Rule,
    RuleFile,
    parse_local,
)
from leftzmq.tree.path import is_within, join, name_of, parent_of

NOTHING: Final = RuleFile()
LITTER_RULES: Final = parse_local([litter.rule for litter in LITTER])
"""The built-in list, as the rules of the third group. A device without it has NOTHING there."""

MAX_FILES_IN_FORCE: Final = 64
"""Rule files that hold in one folder: each costs every name in it, and a member may write any
number of them (conflict copies, too). Of a folder with more its own are not read, and it is
closed. With so many files of the slowest rules a name of 255 bytes takes 9 ms, or 0.14 s where all
of them are made ready first (bench/ignoring.py)."""
FOLDERS_BYTES: Final = 16 * 1024 * 1024
"""What may be remembered of folders, and of the states in them: 5,000 folders below 1,000 rules
with wildcards take 10 MB of it (bench/ignoring.py)."""


class Group(Enum):
    """Where a rule comes from. The value is the word in answers."""

    RULE_FILE = "rule file"
    LOCAL = "local"
    LITTER = "litter"


class Ignored(Struct, frozen=True):
    """Why a path is ignored.

    file: the path of the rule file; "" for the other two groups
    rule: its line is that in the file, or its place in the list
    path: what the rule matched: the path itself, or the first folder above it that is ignored
    """

    group: Group
    file: str
    rule: Rule
    path: str

    @property
    def place(self) -> str:
        """Which rule it is, in words."""
        match self.group:
            case Group.RULE_FILE:
                return f"line {self.rule.line} of {self.file} says {self.rule.text}"
            case Group.LOCAL:
                return f"rule {self.rule.line} of `ignore` in peer.toml says {self.rule.text}"
            case Group.LITTER:
                return f"the built-in list has {self.rule.text}"


class Closed(Struct, frozen=True):
    """A rule file that holds at a path, but cannot be read now, so that nobody knows all rules
    there. file: its path; "": the local rules"""

    file: str
    mistake: Mistake


class HoldingFile(Struct, frozen=True):
    """A rule file that holds. mistakes: of single lines, in their order. unread: why it cannot be
    read now; its rules are then those of an earlier reading"""

    path: str
    file: RuleFile
    mistakes: tuple[Mistake, ...]
    unread: Mistake | None


class UseOfGitignore(IntEnum):
    """Whether `.gitignore` files rule in a folder. SOME: not all of a rule file and its conflict
    copies say so, so they can ignore, but not undo."""

    NO = 0
    SOME = 1
    ALL = 2


def original_name(name: str) -> str:
    """The name by which something that is no folder is judged: of a conflict copy that of the file
    that it is a copy of; of a copy of a copy that of the first one."""
    while CONFLICT_MARK in name and (found := read_name(name)) is not None:
        name = found.path
    return name


def is_rule_file(path: str) -> bool:
    """Whether `path` has the name of a rule file, or of a conflict copy of one. A `.gitignore`
    rules only below a `#left: gitignore`."""
    if "ignore" not in path:
        return False  # nearly every path, and asked several times for each
    return original_name(name_of(path)) in (LEFTIGNORE, GITIGNORE)


class _Reading(Struct, frozen=True):
    """The rules of one file, or of a list, as one folder sees them. file: its path, or ""."""

    group: Group
    file: str
    matcher: Matcher
    position: Position

    def below(self, name: bytes) -> _Reading:
        position = self.matcher.below(self.position, name)
        return _Reading(self.group, self.file, self.matcher, position)


_Layer = tuple[_Reading | None, ...]
"""A rule file and its conflict copies. None: one of them says nothing."""


@dataclass(frozen=True, slots=True)
class FolderRules:
    """The rules as one folder sees them.

    path: of the folder; "" is the share's root
    ignored: why the folder is ignored, and so all in it; None: it is not
    closed: the nearest rule file that cannot be read now; None: all can be read, or the folder is
        ignored
    """

    path: str
    ignored: Ignored | None = None
    closed: Closed | None = None
    uses_gitignore: UseOfGitignore = UseOfGitignore.NO
    _layers: tuple[_Layer, ...] = field(default=(), repr=False)
    _lists: tuple[_Reading, ...] = field(default=(), repr=False)

    def verdict(self, name: str, kind: Kind | None) -> Ignored | None:
        """Why what has this name in the folder is ignored, or None.

        kind: None is what cannot be synced at all, such as a socket. Whatever has the name of a
            rule file is not ignored
        """
        if self.ignored is not None:
            return self.ignored
        is_folder = kind is Kind.DIRECTORY
        judged = name if is_folder or CONFLICT_MARK not in name else original_name(name)
        if judged == LEFTIGNORE or (judged == GITIGNORE and self.uses_gitignore):
            return None
        raw = judged.encode(errors="surrogateescape")
        for layer in self._layers:
            undone, is_silent = False, False
            for reading in layer:
                if reading is None:
                    is_silent = True
                    continue
                rule = reading.matcher.last(reading.position, raw, is_folder)
                if rule is None:
                    is_silent = True
                elif not rule.pattern.undoes:
                    return Ignored(reading.group, reading.file, rule, join(self.path, name))
                else:
                    undone = True
            if undone and not is_silent:
                break
        for reading in self._lists:
            rule = reading.matcher.last(reading.position, raw, is_folder)
            if rule is not None and not rule.pattern.undoes:
                return Ignored(reading.group, "", rule, join(self.path, name))
        return None

    def files_in_force(self) -> int:
        return sum(reading is not None for layer in self._layers for reading in layer)

    def below(self, name: str) -> FolderRules:
        """The folder `name` in this one, but for the rule files in it."""
        path = join(self.path, name)
        ignored = self.verdict(name, Kind.DIRECTORY)
        if ignored is not None:
            return FolderRules(path, ignored)
        raw = name.encode(errors="surrogateescape")
        layers = tuple(
            tuple(None if reading is None else reading.below(raw) for reading in layer)
            for layer in self._layers
        )
        lists = tuple(reading.below(raw) for reading in self._lists)
        return FolderRules(path, None, self.closed, self.uses_gitignore, layers, lists)

    def with_layers(
        self, layers: Sequence[_Layer], uses_gitignore: UseOfGitignore, closed: Closed | None
    ) -> FolderRules:
        """With the rule files in the folder itself; the first layer goes before all others."""
        if self.files_in_force() + sum(map(len, layers)) > MAX_FILES_IN_FORCE:
            closed, layers = _crowded(self.path), ()
        return dataclasses.replace(
            self,
            closed=closed or self.closed,
            uses_gitignore=uses_gitignore,
            _layers=(*layers, *self._layers),
        )

    def size_bytes(self) -> int:
        """About what it takes to remember it."""
        states = [r.position.state for layer in self._layers for r in layer if r is not None]
        states += [reading.position.state for reading in self._lists]
        bits = sum(s.positions.bit_length() for s in states if s is not None)
        return 256 + 192 * len(states) + bits // 8


class IgnoreRules:
    """All rules of one share, as a value: changes make another one.

    local: the rules that only this device has
    litter: LITTER_RULES, or NOTHING
    """

    def __init__(self, local: RuleFile = NOTHING, litter: RuleFile = LITTER_RULES) -> None:
        self._files: dict[str, dict[str, RuleFile]] = {}  # by folder and name
        self.local, self.litter = local, litter
        # What follows are memories of what follows from the above.
        self._memory = Memory()
        self._matchers: dict[tuple[Group, str], Matcher] = {}
        self._folders: dict[str, FolderRules] = {}
        self._folders_bytes = 0

    # ---- questions ----------------------------------------------------------------------------

    def verdict(self, path: str, kind: Kind | None) -> Ignored | None:
        """Why `path` is ignored, or None. The share's root never is.

        Bytes that are no UTF-8 stand in `path` as surrogates (os.fsdecode).
        """
        if not path:
            return None
        parent, _, name = path.rpartition("/")
        rules = self._folders.get(parent)
        return (rules or self.folder(parent)).verdict(name, kind)

    def folder(self, path: str) -> FolderRules:
        """The rules as the folder `path` sees them: for many questions about its names."""
        above: list[str] = []
        at = path
        while (rules := self._folders.get(at)) is None and at:
            above.append(name_of(at))
            at = parent_of(at)
        if rules is None:
            unusable = self.local.unusable
            closed = None if unusable is None else Closed("", unusable)
            rules = FolderRules("", closed=closed, _lists=self._lists())
            rules = self._remember(self._with_own(rules))
        for name in reversed(above):
            rules = self._remember(self._with_own(rules.below(name)))
        return rules

    def file(self, path: str) -> RuleFile | None:
        """The rule file at `path`, as far as it is known."""
        return self._files.get(parent_of(path), {}).get(name_of(path))

    def files_in(self, folder: str) -> list[str]:
        """The paths of the rule files in a folder, in order, as far as they are known."""
        return [join(folder, name) for name in sorted(self._files.get(folder, ()))]

    def reach(self, path: str, file: RuleFile | None) -> str | None:
        """The folder in and below which other paths may be ignored once the rule file at `path` is
        `file` (None: it is gone). None: no answer changes."""
        folder, before = self.folder(parent_of(path)), self.file(path)
        file = _as_it_holds(before, file)
        original = original_name(name_of(path))
        if folder.ignored is not None or (original == GITIGNORE and not folder.uses_gitignore):
            return None
        # A conflict copy that says nothing takes from the others what they undo.
        counts_empty = original != name_of(path) and (before is None) != (file is None)
        if _meaning(before) == _meaning(file) and not counts_empty:
            return None
        return folder.path

    def holding(self) -> Iterator[HoldingFile]:
        """The rule files that hold, those of one folder after the other, in order."""
        for parent in sorted(self._files):
            folder, crowded = self.folder(parent), _crowded(parent)
            too_many = crowded.mistake if folder.closed == crowded else None
            own = self._files[parent] if folder.ignored is None else {}
            for name, file in sorted(own.items()):
                if original_name(name) == LEFTIGNORE or folder.uses_gitignore:
                    mistakes = [*file.mistakes, *_names_rule_files(file, folder)]
                    mistakes.sort(key=lambda mistake: mistake.line)
                    unread = too_many or file.unusable
                    yield HoldingFile(join(parent, name), file, tuple(mistakes), unread)

    def mistakes(self) -> Iterator[tuple[str, Mistake]]:
        """Each mistake with the path of its rule file; "" are the local rules."""
        for path in (
            "",
            *(each for parent in sorted(self._files) for each in self.files_in(parent)),
        ):
            for mistake in self.mistakes_in(path):
                yield path, mistake

    def mistakes_in(self, path: str) -> list[Mistake]:
        """The mistakes of the rule file at `path`, by their lines; "": of the local rules. None, if
        it does not rule."""
        folder = self.folder(parent_of(path))
        file = self.file(path) if path else self.local
        is_git = bool(path) and original_name(name_of(path)) == GITIGNORE
        is_out = folder.ignored is not None or (is_git and not folder.uses_gitignore)
        if file is None or (path and is_out):
            return []
        mistakes = [*file.mistakes, *_names_rule_files(file, folder)]
        if file.unusable is not None:
            mistakes.append(file.unusable)
        crowded = _crowded(folder.path)
        if path and folder.closed == crowded and path == self.files_in(folder.path)[0]:
            mistakes.append(crowded.mistake)
        return sorted(mistakes, key=lambda mistake: mistake.line)

    def remembered_folders(self) -> int:
        """How many folders are remembered."""
        return len(self._folders)

    # ---- changes ------------------------------------------------------------------------------

    def with_file(self, path: str, file: RuleFile | None) -> IgnoreRules:
        """With `file` as the rule file at `path`; see with_files."""
        return self.with_files({path: file})

    def with_files(self, changes: Mapping[str, RuleFile | None]) -> IgnoreRules:
        """With these rule files at these paths; None: there is none. Many changes at once cost
        hardly more than one.

        Of a file that is unusable the rules of the last reading go on to hold. Raises ValueError:
        a path has not the name of a rule file.
        """
        files = dict(self._files)
        tops = {parent_of(path) for path in changes}
        for folder in tops:
            files[folder] = dict(files.get(folder, {}))
        for path, file in changes.items():
            if not is_rule_file(path):
                raise ValueError(path)
            own, name = files[parent_of(path)], name_of(path)
            now = _as_it_holds(own.get(name), file)
            if now is None:
                own.pop(name, None)
            else:
                own[name] = now
        changed = self._successor(self.local, self.litter)
        changed._files = {folder: own for folder, own in files.items() if own}
        changed._matchers = dict(self._matchers)
        for path in changes:
            changed._matchers.pop((Group.RULE_FILE, path), None)
        changed._folders, changed._folders_bytes = dict(self._folders), self._folders_bytes
        for top in tops & changed._folders.keys():
            # A folder is remembered with all above it: where it is not, nothing below it is.
            for at in [at for at in changed._folders if is_within(at, top)]:
                del changed._folders[at]
        return changed

    def with_lists(self, local: RuleFile, litter: RuleFile) -> IgnoreRules:
        """With other rules in the second and third group. Unusable local rules keep the last
        ones."""
        if local.unusable is not None:
            local = replace(self.local, mistakes=(), unusable=local.unusable)
        changed = self._successor(local, litter)
        changed._files = self._files
        changed._matchers = {
            key: matcher
            for key, matcher in dict(self._matchers).items()
            if key[0] is Group.RULE_FILE
        }
        return changed

    def _successor(self, local: RuleFile, litter: RuleFile) -> IgnoreRules:
        changed = IgnoreRules(local, litter)
        changed._memory = self._memory
        return changed

    # ---- one folder ---------------------------------------------------------------------------

    def _with_own(self, rules: FolderRules) -> FolderRules:
        """With the rule files in its folder, if it is not ignored."""
        own = self._files.get(rules.path)
        if own is None or rules.ignored is not None:
            return rules
        left, git = (
            {name: own[name] for name in sorted(own) if original_name(name) == original}
            for original in (LEFTIGNORE, GITIGNORE)
        )
        says = [file.uses_gitignore for file in left.values()]
        if LEFTIGNORE not in left:
            says.append(False)
        use = UseOfGitignore.ALL if all(says) else UseOfGitignore(any(says))
        use = max(use, rules.uses_gitignore)
        readings = [self._layer(rules.path, left, LEFTIGNORE in left)]
        read = dict(left)
        if use:
            is_sure = GITIGNORE in git and use is UseOfGitignore.ALL
            readings.append(self._layer(rules.path, git, is_sure))
            read |= git
        closed = next(
            (
                Closed(join(rules.path, name), file.unusable)
                for name, file in read.items()
                if file.unusable is not None
            ),
            None,
        )
        return rules.with_layers([layer for layer in readings if any(layer)], use, closed)

    def _layer(self, folder: str, files: Mapping[str, RuleFile], is_sure: bool) -> _Layer:
        """A rule file and its copies. is_sure: the file itself is there, and rules."""
        readings = [
            self._reading(Group.RULE_FILE, join(folder, name), file) for name, file in files.items()
        ]
        return tuple(readings) if is_sure else (*readings, None)

    def _lists(self) -> tuple[_Reading, ...]:
        groups = ((Group.LOCAL, self.local), (Group.LITTER, self.litter))
        readings = (self._reading(group, "", file) for group, file in groups)
        return tuple(reading for reading in readings if reading is not None)

    def _reading(self, group: Group, path: str, file: RuleFile) -> _Reading | None:
        if not file.rules:
            return None
        matcher = self._matchers.get((group, path))
        if matcher is None:
            matcher = self._matchers[group, path] = Matcher(file.rules, self._memory)
        return _Reading(group, path, matcher, matcher.top)

    def _remember(self, rules: FolderRules) -> FolderRules:
        self._folders_bytes += rules.size_bytes()
        if self._folders_bytes > FOLDERS_BYTES:
            self._folders_bytes = 0
            self._folders.clear()
        self._folders[rules.path] = rules
        return rules


NO_RULES: Final = IgnoreRules(litter=NOTHING)
"""Nothing is ignored."""


def _crowded(folder: str) -> Closed:
    """Too many rule files hold in the folder."""
    return Closed(join(folder, LEFTIGNORE), Mistake(0, RuleFault.TOO_MANY_FILES))


def _as_it_holds(before: RuleFile | None, file: RuleFile | None) -> RuleFile | None:
    """What a rule file is now. Of one that is unusable the rules of the last reading hold."""
    if file is None or file.unusable is None or before is None:
        return file
    return replace(before, mistakes=(), unusable=file.unusable)


def _meaning(file: RuleFile | None) -> tuple[object, ...]:
    """What of a rule file decides about paths."""
    file = file or NOTHING
    return [rule.pattern for rule in file.rules], file.uses_gitignore, file.unusable


def _names_rule_files(file: RuleFile, folder: FolderRules) -> Iterator[Mistake]:
    """The lines that would ignore rule files, if these could be ignored."""
    names = {LEFTIGNORE.encode()}
    if folder.uses_gitignore:
        names.add(GITIGNORE.encode())
    for rule in file.rules:
        if not rule.pattern.undoes and rule.pattern.last_name in names:
            yield Mistake(rule.line, RuleFault.NAMES_RULE_FILE, rule.text)
