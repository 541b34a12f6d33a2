"""The table of watches: which folders of a share are watched, as a tree and by their numbers.

Knows names and numbers. Must not know the kernel's calls, nor what an event means.
"""

from __future__ import annotations

from collections.abc import Iterator


class Watch:
    """A watched folder in the tree of them: when one moves, those below it move along."""

    __slots__ = ("below", "name", "parent", "wd")

    def __init__(self, wd: int, parent: Watch | None, name: str) -> None:
        self.wd, self.parent, self.name = wd, parent, name
        self.below: dict[str, Watch] = {}

    def way_up(self) -> Iterator[Watch]:
        """Itself, its parent, and so on up to the share's root."""
        watch: Watch | None = self
        while watch is not None:
            yield watch
            watch = watch.parent

    @property
    def path(self) -> str:
        names = [watch.name for watch in self.way_up()]
        return "/".join(reversed(names[:-1]))

    def path_of(self, name: str) -> str:
        above = self.path
        return f"{above}/{name}" if above else name

    def everything(self) -> Iterator[Watch]:
        """Itself and all below it."""
        todo = [self]
        while todo:
            watch = todo.pop()
            todo.extend(watch.below.values())
            yield watch


class Watches:
    """number -> Watch; `top` is that of the share's root.

    The kernel does not give the number of a watch a second time, so late events of one that was
    dropped are known by their number.
    """

    def __init__(self) -> None:
        self.top = Watch(-1, None, "")
        self._by_number: dict[int, Watch] = {}

    def __iter__(self) -> Iterator[Watch]:
        return iter(self._by_number.values())

    def get(self, number: int) -> Watch | None:
        return self._by_number.get(number)

    def numbers(self) -> set[int]:
        return set(self._by_number)

    def put_top(self, number: int) -> None:
        self.top.wd = number
        self._by_number[number] = self.top

    def put(self, number: int, parent: Watch, name: str) -> tuple[Watch | None, list[int]]:
        """The folder `name` in `parent` has this number: its watch, or None if it is one of those
        above; and the numbers of the watches that are to end, because it took their place."""
        watch = self._by_number.get(number)
        if watch is None:
            watch = self._by_number[number] = Watch(number, None, name)
        elif watch.parent is parent and watch.name == name:
            return watch, []
        elif any(watch is above for above in parent.way_up()):
            return None, []  # a mount of a folder inside itself: it is watched, under its own name
        # This folder was watched at another place: it is here now, whatever event is to come.
        _unhook(watch)
        before = parent.below.get(name)
        ended = self.drop(before) if before is not None else []
        watch.parent, watch.name = parent, name
        parent.below[name] = watch
        return watch, ended

    def forget(self, watch: Watch) -> None:
        """The kernel ended this watch: its folder was deleted."""
        del self._by_number[watch.wd]
        _unhook(watch)

    def drop(self, watch: Watch) -> list[int]:
        """A folder left, with all below it: the numbers of the watches that are to end."""
        _unhook(watch)
        gone = [each.wd for each in watch.everything()]
        return [number for number in gone if self._by_number.pop(number, None) is not None]


def _unhook(watch: Watch) -> None:
    parent = watch.parent
    if parent is not None and parent.below.get(watch.name) is watch:
        del parent.below[watch.name]
