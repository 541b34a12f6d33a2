"""Single batches of operations on a simulated disk that loses power before each of their calls: the
bytes of a file that is replaced, deleted, moved or put back have a name afterwards, in the share or
in the trash."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Final

import pytest

from leftzmq.disk.apply.apply import apply
from leftzmq.disk.apply.flush import GROUP_FROM
from leftzmq.disk.apply.outcome import Ending
from leftzmq.disk.apply.resolve import Choice, Known, Resolved, resolve
from leftzmq.disk.apply.restore import PutBack, Restored, restore
from leftzmq.disk.trash.trash import TRASH_PATH, batch_name
from leftzmq.tree.entry import ContentId, Entry, Kind
from leftzmq.tree.path import parent_of
from leftzmq.tree.plan import Held, Moved, Operation, Verb, ordered
from leftzmq.tree.version import Life, Vector
from tests.sim.disk import Disk
from tests.sim.fs import Calls, Crash, SimRoot
from tests.sim.hands import Hands
from tests.sim.test_unflushed import Worst

NOW_NS: Final = 1_800_000_000_000_000_000
BATCH: Final = batch_name(NOW_NS - 1)
FILES: Final = (
    *("f", "a/f", "a/b/f", "a/b/g", "a/b/c/f", "copy"),
    *(f"many/{number}/f" for number in range(GROUP_FROM)),
    *(f"{TRASH_PATH}/{BATCH}/{path}" for path in ("f", "a/f", "a/b/f")),
)
Act = Callable[[SimRoot, "Share"], bool]


class Share:
    """A share with FILES, all of it durable."""

    def __init__(self) -> None:
        self.disk = Disk(lambda: NOW_NS)
        self.hands = Hands(self.disk)
        for path in FILES:
            self._make(parent_of(path))
            self.hands.write(path, path.encode())
        self.disk.flush_all()

    def _make(self, path: str) -> None:
        if path and self.hands.at(path) is None:
            self._make(parent_of(path))
            self.hands.make_folder(path)

    def mount(self, path: str) -> None:
        """The folder is another disk."""
        top = self.hands.at(path)
        assert top is not None
        top.put_on(2)
        top.root = True

    def known(self, path: str) -> Known:
        inode = self.hands.at(path)
        assert inode is not None
        return Known(_entry(path, deleted=True), Held(inode.stat().key(), ContentId(b"")))

    def remove(self, path: str) -> Operation:
        known = self.known(path)
        return Operation(Verb.REMOVE, known.entry, known.held)

    def move(self, path: str, to: str) -> Operation:
        known = self.known(path)
        return Operation(Verb.MOVE_FILE, _entry(to), moved=Moved(known.entry, known.held))

    def link(self, path: str) -> Operation:
        entry = _entry(path, Kind.SYMLINK, content=b"target")
        return Operation(Verb.PUT_LINK, entry, self.known(path).held)

    def folder(self, path: str, *, there: bool = False) -> Operation:
        old = self.known(path).held if there else None
        return Operation(Verb.MAKE_DIRECTORY, _entry(path, Kind.DIRECTORY), old)

    def lost(self) -> set[str]:
        found = {bytes(inode.data).decode() for _, inode in self.disk.everything()}
        return set(FILES) - found


def _entry(
    path: str, kind: Kind = Kind.FILE, *, deleted: bool = False, content: bytes = b""
) -> Entry:
    return Entry(
        path=path,
        kind=kind,
        content=ContentId(content),
        depth=0,
        vector=Vector(),
        writer=Life(b"w" * 12),
        stamp=1,
        size=len(path),
        mtime_ns=0,
        exec=False,
        deleted=deleted,
    )


def done(root: SimRoot, *operations: Operation) -> bool:
    outcomes = apply(root, ordered(operations), now_ns=NOW_NS)
    return {outcome.ending for outcome in outcomes} == {Ending.DONE}


def removed(root: SimRoot, share: Share) -> bool:
    paths = ("f", "a/f", "a/b/f", "a/b/c/f")
    return done(root, *(share.remove(path) for path in paths))


def many_removed(root: SimRoot, share: Share) -> bool:
    return done(root, *(share.remove(path) for path in FILES if path.startswith("many/")))


def removed_on_a_mount(root: SimRoot, share: Share) -> bool:
    share.mount("a")
    return removed(root, share)


def many_removed_on_a_mount(root: SimRoot, share: Share) -> bool:
    share.mount("many")
    return many_removed(root, share)


def replaced(root: SimRoot, share: Share) -> bool:
    return done(root, share.link("f"), share.link("a/b/f"), share.folder("a/f", there=True))


def moved(root: SimRoot, share: Share) -> bool:
    return done(root, share.folder("n"), share.move("f", "n/f"), share.move("a/f", "n/g"))


def moved_deep(root: SimRoot, share: Share) -> bool:
    """The flush of one folder carries along what was moved out of another one."""
    folders = [share.folder("n"), share.folder("n/m")]
    moves = [share.move("a/b/f", "a/h"), share.move("f", "n/m/f"), share.move("a/f", "n/f")]
    return done(root, *folders, *moves, share.remove("a/b/g"))


def moved_many(root: SimRoot, share: Share) -> bool:
    moves = [share.move(path, f"n/{path}") for path in FILES if path.startswith("many/")]
    folders = {parent_of(move.path) for move in moves} | {"n", "n/many"}
    return done(root, *map(share.folder, folders), *moves)


def chosen(root: SimRoot, share: Share) -> bool:
    files = share.known("copy"), "f", share.known("f")
    return resolve(root, Choice.COPY, *files, NOW_NS)[0] is Resolved.DONE


def put_back(root: SimRoot, share: Share) -> bool:
    wanted = [PutBack(BATCH, "f", "n/m/f"), PutBack(BATCH, "a/b/f", "n/f")]
    return {each.ending for each in restore(root, wanted)} == {Restored.DONE}


def put_back_on_a_mount(root: SimRoot, share: Share) -> bool:
    share.mount("a")
    wanted = [PutBack(BATCH, "f", "a/n/m/f"), PutBack(BATCH, "a/b/f", "a/n/f")]
    return {each.ending for each in restore(root, wanted)} == {Restored.DONE}


ACTS: Final = (
    *(removed, many_removed, removed_on_a_mount, many_removed_on_a_mount, replaced),
    *(moved, moved_deep, moved_many, chosen, put_back, put_back_on_a_mount),
)


def ends_before(number: int, act: Act) -> tuple[Share, list[str]]:
    """The power fails before the call of that number. Returns the share as it is then, and which
    call it was."""
    share = Share()
    calls, said = Calls(share.disk), list[str]()

    def before(call: str, path: str) -> None:
        if calls.count > number:
            calls.dead = True
            said.append(f"{call} {path}")
            raise Crash

    calls.before = before
    try:
        assert act(SimRoot(calls), share)
    except Crash:
        share.disk.power_cut(Worst())
    return share, said


def moved_before(number: int, act: Act, path: str, end: int) -> tuple[Share, bool, bool]:
    """A user renames the folder at `path` before the call of that number, and makes another one in
    its place; the power fails before the call `end`, or afterwards. Returns the share as it is
    then, whether he did, and whether it failed before the end."""
    share = Share()
    calls = Calls(share.disk)
    moved = failed = False

    def before(call: str, where: str) -> None:
        nonlocal moved, failed
        if calls.count == number + 1 and share.hands.at(path) is not None:
            share.hands.rename(path, "q")
            share.hands.make_folder(path)
            moved = True
        if calls.count > end:
            calls.dead = failed = True
            raise Crash

    calls.before = before
    with suppress(Crash):
        act(SimRoot(calls), share)
    share.disk.power_cut(Worst())
    return share, moved, failed


def calls_of(act: Act) -> int:
    share = Share()
    calls = Calls(share.disk)
    assert act(SimRoot(calls), share)
    return calls.count


@pytest.mark.parametrize(("act", "path"), ((moved_deep, "n"), (removed, "a/b"), (put_back, "n")))
def test_bytes_keep_a_name_where_a_user_moves_a_folder(act: Act, path: str) -> None:
    for number in range(calls_of(act)):
        for end in count(number):
            share, moved, failed = moved_before(number, act, path, end)
            assert not share.lost(), (number, end)
            if not (moved and failed):
                break


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_bytes_keep_a_name_whenever_the_power_fails(act: Act) -> None:
    for share, said in map(partial(ends_before, act=act), count()):
        assert not share.lost(), said
        if not said:
            return
