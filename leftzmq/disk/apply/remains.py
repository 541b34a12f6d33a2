"""What is left in a folder that is to be removed, when all that is synced of it is gone.

Litter moves to the trash with its folder: it may be somebody's unsaved text. For other things that
are ignored the folder stays, as a shell: it is deleted for everybody, and lies here with what
nobody else has. A file of rules in it stays with what it ignores.

Knows names and rules. Must not know why the folder is to go.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

from leftzmq.disk.fs.interface import Directory
from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.share_rules import Group, IgnoreRules, is_rule_file
from leftzmq.tree.path import join

NAMES_MAX: Final = 10_000
"""Of more names nobody says that all are ignored: the folder counts as not empty."""


class Remains(Enum):
    """What is in a folder."""

    NOTHING = auto()
    LITTER = auto()  # and nothing else
    IGNORED = auto()  # and nothing that is kept, but files of rules
    KEPT = auto()


def remains_in(folder: Directory, path: str, rules: IgnoreRules) -> Remains:
    """What is in the open folder at `path`. OSError."""
    return _Look(rules).at(folder, path)


def holds_ignored(folder: Directory, path: str, rules: IgnoreRules) -> bool:
    """Whether something that is ignored, and is no litter, is in the open folder at `path` or below
    it, beside whatever else. True where there are too many names to say. OSError."""
    look = _Look(rules)
    look.at(folder, path)
    return look.saw_ignored


def names_of(folder: Directory) -> list[str]:
    """The names in a folder of litter. OSError."""
    return [raw.decode(errors="surrogateescape") for raw in folder.names()]


class _Look:
    """saw_ignored: whether it saw something that is ignored, or cannot say"""

    def __init__(self, rules: IgnoreRules) -> None:
        self._rules, self._left = rules, NAMES_MAX
        self.saw_ignored = False

    def at(self, folder: Directory, path: str) -> Remains:
        found = set(self._each(folder, path))
        if Remains.KEPT in found:
            return Remains.KEPT
        if Remains.IGNORED in found:
            return Remains.IGNORED
        if Remains.NOTHING in found:  # files of rules
            return Remains.KEPT
        return Remains.LITTER if found else Remains.NOTHING

    def _each(self, folder: Directory, path: str) -> Iterator[Remains]:
        ruled = self._rules.folder(path)
        for name in names_of(folder):
            self._left -= 1
            if self._left < 0:
                self.saw_ignored = True
                yield Remains.KEPT
                return
            stat = folder.stat(name)
            if stat is None:
                continue
            ignored = ruled.verdict(name, stat.kind)
            if ignored is not None:
                is_litter = ignored.group is Group.LITTER
                self.saw_ignored = self.saw_ignored or not is_litter
                yield Remains.LITTER if is_litter else Remains.IGNORED
            elif stat.kind is Kind.DIRECTORY:
                with folder.folder(name) as below:
                    inside = self.at(below, join(path, name))
                yield Remains.IGNORED if inside is Remains.IGNORED else Remains.KEPT
            else:
                yield Remains.NOTHING if is_rule_file(name) else Remains.KEPT
