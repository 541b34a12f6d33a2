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


def remains_in(
    folder: Directory, path: str, rules: IgnoreRules, without: str | None = None
) -> Remains:
    """What is in the open folder at `path`. without: a name that does not count. OSError."""
    return _Look(rules).at(folder, path, without)


def ignores_in(folder: Directory, path: str, rules: IgnoreRules, without: str) -> bool:
    """Whether anything in the open folder at `path` is ignored and no litter, whatever else is in
    it. without: a name that does not count. OSError."""
    return Remains.IGNORED in _Look(rules).each(folder, path, without)


def names_of(folder: Directory) -> list[str]:
    """The names in a folder of litter. OSError."""
    return [raw.decode(errors="surrogateescape") for raw in folder.names()]


class _Look:
    def __init__(self, rules: IgnoreRules) -> None:
        self._rules, self._left = rules, NAMES_MAX

    def at(self, folder: Directory, path: str, without: str | None = None) -> Remains:
        found = self.each(folder, path, without)
        if Remains.KEPT in found:
            return Remains.KEPT
        if Remains.IGNORED in found:
            return Remains.IGNORED
        if Remains.NOTHING in found:  # files of rules
            return Remains.KEPT
        return Remains.LITTER if found else Remains.NOTHING

    def each(self, folder: Directory, path: str, without: str | None = None) -> set[Remains]:
        """All kinds of what is in the folder. A file of rules is NOTHING."""
        return set(self._each(folder, path, without))

    def _each(self, folder: Directory, path: str, without: str | None) -> Iterator[Remains]:
        ruled = self._rules.folder(path)
        for name in names_of(folder):
            if name == without:
                continue
            self._left -= 1
            if self._left < 0:
                yield Remains.KEPT
                return
            stat = folder.stat(name)
            if stat is None:
                continue
            ignored = ruled.verdict(name, stat.kind)
            if ignored is not None:
                yield Remains.LITTER if ignored.group is Group.LITTER else Remains.IGNORED
            elif stat.kind is Kind.DIRECTORY:
                with folder.folder(name) as below:
                    inside = self.each(below, join(path, name))
                if Remains.IGNORED in inside:
                    yield Remains.IGNORED
                if Remains.KEPT in inside or Remains.IGNORED not in inside:
                    yield Remains.KEPT
            else:
                yield Remains.NOTHING if is_rule_file(name) else Remains.KEPT
