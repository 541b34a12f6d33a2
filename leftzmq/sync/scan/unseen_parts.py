"""Which parts of the share nobody has been able to look at since the start: a mount was away, or
something could not be read or flushed.

What an earlier life left there is still unknown, although the first walk is over. Knows the paths
of problems, and the prefixes of walks. Must not know why a part could not be looked at, nor what
follows from it (sync/versions does).
"""

from __future__ import annotations

from leftzmq.tree.path import is_within, parent_of


class UnseenParts:
    """The unseen parts of one folder of the config. A part is seen when a walk has passed all of
    it, and what that walk found there has settled."""

    def __init__(self) -> None:
        # A part -> the prefix of the walk that has passed it since ("" is the whole share).
        self._parts: dict[str, str | None] = {}
        self._walk = 0  # the number of the walk that is under way
        self._missed: set[str] = set()  # since that walk began

    def __contains__(self, path: str) -> bool:
        """Whether `path` is in such a part."""
        if not self._parts:
            return False
        while path and path not in self._parts:
            path = parent_of(path)
        return path in self._parts

    def not_seen(self, path: str, *, is_new: bool) -> bool:
        """A look or a walk could not see what is at `path`, nor below it. is_new: the first walk of
        everything is not yet over, so this may be a part of which nothing was seen. Returns whether
        it is such a part: then it is to be walked again."""
        self._missed.add(path)
        is_part = is_new or path in self._parts
        if is_part:
            self._parts[path] = None
        return is_part

    def stepped(self, walk: int) -> None:
        """A step of this walk is answered. It is reported before what it could not see."""
        if walk != self._walk:
            self._walk = walk
            self._missed.clear()

    def passed(self, prefix: str) -> None:
        """A walk of `prefix` has passed everything, except for what it, or a look meanwhile, could
        not see."""
        for part in self._parts:
            if is_within(part, prefix) and part not in self._missed:
                self._parts[part] = prefix

    def settled(self, prefix: str) -> bool:
        """What a walk of `prefix` found has settled. Returns whether a part is seen by that."""
        seen = [part for part, walk in self._parts.items() if walk == prefix]
        for part in seen:
            del self._parts[part]
        return bool(seen)
