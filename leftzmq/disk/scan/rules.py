"""Reads files of ignore rules for looks and walks: which of them changed, and what they say.

Knows rules as values, stats and bytes. Must not know what follows from a rule.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from leftzmq.disk.fs.errno_meaning import is_gone, raise_if_short
from leftzmq.disk.fs.interface import Directory, Stat
from leftzmq.disk.scan.sighting import RulesRead
from leftzmq.errors import RuleFault
from leftzmq.tree.entry import Kind, ScanKey
from leftzmq.tree.ignoring.rule_file import (
    GITIGNORE,
    LEFTIGNORE,
    MAX_FILE_BYTES,
    Mistake,
    RuleFile,
    parse_rules,
)
from leftzmq.tree.ignoring.share_rules import NO_RULES, IgnoreRules, is_rule_file
from leftzmq.tree.path import join, name_of

YOUNG_NS: Final = 1_000_000_000
"""A walk leaves a file that changed so recently to the look that follows: it may be half
written."""
_PREFIXES: Final = (GITIGNORE.encode(), LEFTIGNORE.encode())


class KnownRules(Struct, frozen=True):
    """What is known of the rules of a share.

    rules: all that hold. scans: the stats with which these files of rules were read last
    now_ns: the wall clock, in ns since the epoch
    """

    rules: IgnoreRules = NO_RULES
    scans: Callable[[Iterable[str]], dict[str, ScanKey | None]] = lambda paths: {}
    now_ns: Callable[[], int] = lambda: 0

    def read_with(self, paths: Collection[str]) -> dict[str, ScanKey]:
        """The stats with which these were read last. Not of one that could not be read since: its
        stat may be the same again, or have been the same all the time (a disk that failed)."""
        found = self.scans(paths) if paths else {}
        return {
            path: key for path, key in found.items() if key is not None and self._is_usable(path)
        }

    def _is_usable(self, path: str) -> bool:
        file = self.rules.file(path)
        return file is None or file.unusable is None

    def was_read(self, path: str, key: ScanKey) -> bool:
        return self.read_with([path]).get(path) == key


def read_rules(folder: Directory, path: str, stat: Stat | None) -> RulesRead | None:
    """What the file of rules at `path`, in `folder`, says. stat: what is there now. None: it
    changed while it was read. Raises OSError if the error says nothing about the path."""
    if stat is None:
        return RulesRead(path, None, b"", None)
    if stat.kind is not Kind.FILE:
        return _unusable(path, None, RuleFault.NOT_A_FILE)
    key = stat.key()
    try:
        with folder.open_read(name_of(path)) as file:
            before = file.stat().key()
            data = file.read(0, MAX_FILE_BYTES + 1)
            after = file.stat().key()
    except OSError as error:
        raise_if_short(error)
        return None if is_gone(error) else _unusable(path, key, RuleFault.UNREADABLE)
    if not before == after == key:
        return None
    return RulesRead(path, key, data, parse_rules(path, data))


def _unusable(path: str, key: ScanKey | None, fault: RuleFault) -> RulesRead:
    return RulesRead(path, key, b"", RuleFile(unusable=Mistake(0, fault)))


def rule_names(names: Sequence[bytes]) -> Iterator[str]:
    """Those of the names of a folder, in order, that files of rules have."""
    for prefix in _PREFIXES:
        at = bisect_left(names, prefix)
        while at < len(names) and names[at].startswith(prefix):
            try:
                name = names[at].decode()
            except UnicodeDecodeError:
                pass
            else:
                if is_rule_file(name):
                    yield name
            at += 1


class FolderReading:
    """The files of rules of one folder that a walk enters.

    read: what was read now. later: paths at which a look is to tell
    """

    def __init__(self) -> None:
        self.read: list[RulesRead] = []
        self.later: list[str] = []

    def enter(
        self, folder: Directory, path: str, names: Sequence[bytes], known: KnownRules
    ) -> None:
        """Reads those of them that changed since they were read last. names: all of the folder's,
        in order."""
        there = [join(path, name) for name in rule_names(names)]
        scans = known.read_with(there)
        for each in there:
            stat = folder.stat(name_of(each))
            if stat is None or (stat.kind is Kind.FILE and scans.get(each) == stat.key()):
                continue
            read = None if _is_young(stat, known.now_ns()) else read_rules(folder, each, stat)
            if read is None:
                self.later.append(each)
            else:
                self.read.append(read)
        here = set(there)
        self.later += [each for each in known.rules.files_in(path) if each not in here]


def _is_young(stat: Stat, now_ns: int) -> bool:
    """False for times in the future: a write would set them to now."""
    return any(0 <= now_ns - time_ns < YOUNG_NS for time_ns in (stat.mtime_ns, stat.ctime_ns))
