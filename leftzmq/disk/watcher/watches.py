"""The table of watches: the watched folders of a share, as a tree and by watch number.

Knows names and numbers. Must not know the kernel's calls, nor what an event means.
"""

from __future__ import annotations

from collections.abc import Iterator


class Watch:
    """A node in the tree of watched folders. When a folder moves, the nodes below move with it."""

    __slots__ = ("below", "name", "parent", "wd")

    def __init__(self, wd: int, parent: Watch | None, name: str) -> None:
        self.wd, self.parent, self.name = wd, parent, name
        self.below: dict[str, Watch] = {}

    def way_up(self) -> Iterator[Watch]:
        """This node, its parent, and so on up to the share's root."""
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
        """This node and all nodes below it."""
        todo = [self]
        while todo:
            watch = todo.pop()
            todo.extend(watch.below.values())
            yield watch


class Watches:
    """number -> Watch. `top` is the watch of the share's root.

    The kernel does not reuse watch numbers, so late events of a dropped watch are recognised by
    their number.
    """

    def __init__(self) -> None:
        self.top = Watch(-1, None, "")
        self._by_number: dict[int, Watch] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def __iter__(self) -> Iterator[Watch]:
        return iter(self._by_number.values())

    def at(self, path: str) -> Watch | None:
        """The watch of the folder at `path`, if it is watched; "" is the share's root."""
        watch: Watch | None = self.top
        for name in path.split("/") if path else ():
            watch = watch.below.get(name) if watch is not None else None
        return watch

    def get(self, number: int) -> Watch | None:
        return self._by_number.get(number)

    def numbers(self) -> set[int]:
        return set(self._by_number)

    def put_top(self, number: int) -> None:
        self.top.wd = number
        self._by_number[number] = self.top

    def put(self, number: int, parent: Watch, name: str) -> tuple[Watch | None, list[int]]:
        """Note that the folder `name` in `parent` has this watch number. Returns its watch, or None
        if the folder is one of its own ancestors; and the numbers of the watches to end, because
        this folder replaced theirs."""
        watch = self._by_number.get(number)
        if watch is None:
            watch = self._by_number[number] = Watch(number, None, name)
        elif watch.parent is parent and watch.name == name:
            return watch, []
        elif any(watch is above for above in parent.way_up()):
            return None, []  # a folder mounted inside itself: it is watched at its own path
        # The folder was watched at another path. It is here now, whatever events are still queued.
        _unhook(watch)
        before = parent.below.get(name)
        ended = self.drop(before) if before is not None else []
        watch.parent, watch.name = parent, name
        parent.below[name] = watch
        return watch, ended

    def watch_ended(self, watch: Watch) -> None:
        """Remove a watch that the kernel ended because its folder was deleted."""
        del self._by_number[watch.wd]
        _unhook(watch)

    def drop(self, watch: Watch) -> list[int]:
        """Remove the watches of a folder that was moved away or deleted, and of all folders below
        it. Returns the numbers of the watches to end."""
        _unhook(watch)
        gone = [each.wd for each in watch.everything()]
        return [number for number in gone if self._by_number.pop(number, None) is not None]


def _unhook(watch: Watch) -> None:
    parent = watch.parent
    if parent is not None and parent.below.get(watch.name) is watch:
        del parent.below[watch.name]
