"""Which paths of a share a device fetches: those that its config names, and those that were pinned.

A path is wanted as the longest marked path says that it is or is in. Without marks all is wanted. A
folder above a wanted path is wanted, too, and so are the files of ignore rules in such a folder:
what they ignore is not to be fetched.

Knows paths. Must not know what lies where: what is here already is kept until it is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.share_rules import is_rule_file
from leftzmq.tree.path import folders_above, parent_of
from leftzmq.tree.rules import check_path


class Wanted:
    """only: the paths of the config; none: everything. pins: path -> whether it was got or let
    go."""

    def __init__(self, only: Iterable[str] = (), pins: Mapping[str, bool] | None = None) -> None:
        self._marks = dict.fromkeys(only, True)
        if self._marks:
            self._marks[""] = False
        self._pins = dict(pins or {})
        self._marks |= self._pins
        wanted = [path for path, is_wanted in self._marks.items() if is_wanted]
        self._above = {folder for path in wanted for folder in folders_above(path)}

    @property
    def is_all(self) -> bool:
        return all(self._marks.values())

    def is_let_go(self, path: str) -> bool:
        """Whether `path`, or a folder that it is in, was let go, and nothing below that was got."""
        at = self._mark_of(path)
        return at is not None and self._pins.get(at) is False

    def wants(self, path: str, kind: Kind) -> bool:
        if self._is_marked(path):
            return True
        if kind is Kind.DIRECTORY:
            return path in self._above
        if is_rule_file(path):
            folder = parent_of(path)
            return not folder or folder in self._above or self._is_marked(folder)
        return False

    def _is_marked(self, path: str) -> bool:
        at = self._mark_of(path)
        return at is None or self._marks[at]

    def _mark_of(self, path: str) -> str | None:
        """The longest marked path that `path` is or is in."""
        if not self._marks:
            return None  # as nearly everywhere
        at = path
        while at not in self._marks:
            if not at:
                return None
            at = parent_of(at)
        return at


def only_path(text: str) -> str:
    """The path that an item of `only` names: `a`, `a/` and `a/**` are the same. Raises Refused."""
    return check_path(text.removesuffix("/**").removesuffix("/"))


def without_below(pins: Mapping[str, bool], path: str, is_wanted: bool) -> dict[str, bool]:
    """The pins after `path`, with all that is in it, was got or let go."""
    inside = f"{path}/"
    kept = {at: each for at, each in pins.items() if at != path and not at.startswith(inside)}
    return kept | {path: is_wanted}
