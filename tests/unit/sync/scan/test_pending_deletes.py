"""What is held as gone: a folder is said to be after everything below it, and asked for rarely."""

from __future__ import annotations

from itertools import pairwise

from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.sync.scan.pending_deletes import FOLDER_HOLD_S, PendingDeletes
from leftzmq.tree.entry import Kind, ScanKey
from leftzmq.tree.path import is_below


def gone(path: str, kind: Kind, inode: int) -> Sighting:
    return Sighting(path, Sight.GONE, ScanKey(kind, 0, 0, 0, inode, False, 1))


class Story:
    """A tree was renamed: its files and folders are found to be gone, and told some at a time.

    alive: what the index has. asked: how often it was asked whether a folder is empty.
    """

    def __init__(self, paths: dict[str, Kind]) -> None:
        self.pending_deletes, self.alive, self.asked = PendingDeletes(), set(paths), 0
        self.order: list[str] = []
        for inode, (path, kind) in enumerate(paths.items(), start=1):
            assert self.pending_deletes.hold_delete(gone(path, kind, inode), 0.0)

    def is_empty(self, folder: str) -> bool:
        self.asked += 1
        return not any(is_below(path, folder) for path in self.alive)

    def tell(self, paths: list[str], now: float) -> None:
        for path in paths:
            self.pending_deletes.seen_again(path)
            self.alive.discard(path)
            self.order.append(path)
        self.pending_deletes.told(paths, now)

    def turn(self, now: float, *, quiet: bool = False) -> None:
        """What was held for a while is looked at once more, and is still gone."""
        settled, doubted = self.pending_deletes.to_report(now, self.is_empty, quiet=quiet)
        self.tell([seen.path for seen in settled] + doubted, now)


def renamed(folders: int) -> Story:
    paths: dict[str, Kind] = {"t": Kind.DIRECTORY}
    for number in range(folders):
        paths[f"t/d{number}"] = Kind.DIRECTORY
        paths[f"t/d{number}/f"] = Kind.FILE
    story, now = Story(paths), 1.0
    files = [path for path, kind in paths.items() if kind is Kind.FILE]
    while files:  # found under their new names, 16 in 50 ms
        story.tell(files[:16], now)
        del files[:16]
        now = max(now + 0.05, story.pending_deletes.deadline() or now)
        story.turn(now)
    while story.pending_deletes:
        assert now < FOLDER_HOLD_S
        now = max(now + 0.001, story.pending_deletes.deadline() or now)
        story.turn(now)
    assert not story.alive
    return story


def test_a_folder_is_said_to_be_gone_after_everything_below_it() -> None:
    order = renamed(40).order
    at = {path: number for number, path in enumerate(order)}
    assert len(order) == len(at) == 81
    for path in order:
        above = path.rpartition("/")[0]
        assert not above or at[above] > at[path]


def test_what_a_tree_of_folders_costs_grows_with_their_number_and_not_with_its_square() -> None:
    few, many = renamed(50), renamed(800)
    assert many.asked < 16 * 3 * few.asked


def test_what_is_emptied_by_others_is_found_too() -> None:
    """The applier took away what was below: nobody tells of it here."""
    paths = {"t": Kind.DIRECTORY} | {f"t/d{n}": Kind.DIRECTORY for n in range(200)}
    story, now = Story(paths | {f"t/d{n}/f": Kind.FILE for n in range(200)}), 0.0
    for n in range(200):
        story.pending_deletes.seen_again(f"t/d{n}/f")
    story.turn(now)
    assert not story.order
    story.alive = {path for path in story.alive if not path.endswith("/f")}
    while story.pending_deletes and now < 10.0:
        now = max(now + 0.001, story.pending_deletes.deadline() or now)
        story.turn(now)
    assert not story.alive and story.order[-1] == "t"


def test_what_never_gets_empty_is_given_up() -> None:
    paths = {"t": Kind.DIRECTORY, "t/stays": Kind.FILE}
    story, now = Story(paths), 0.0
    story.pending_deletes.seen_again("t/stays")
    while story.pending_deletes:
        now = max(now + 0.001, story.pending_deletes.deadline() or now)
        story.turn(now)
    assert FOLDER_HOLD_S <= now < FOLDER_HOLD_S + 1.0 and story.alive == set(paths)


def test_what_waits_in_vain_is_looked_at_once_more_ever_less_often() -> None:
    paths = {"t": Kind.DIRECTORY, "t/d": Kind.DIRECTORY, "t/d/f": Kind.FILE}
    story, now = Story(paths), 0.0
    pending = story.pending_deletes
    pending.seen_again("t/d/f")
    looks: list[float] = []
    while pending:
        now = max(now + 0.001, pending.deadline() or now)
        settled, doubted = pending.to_report(now, story.is_empty, quiet=now > 0.5)
        assert not settled and doubted in ([], ["t"])
        if doubted:
            looks.append(now)
            assert pending.was_doubted("t") and not pending.was_doubted("t")
    assert 1.0 <= looks[0] < 1.1 and len(looks) == 6
    assert all(2 * last <= each for last, each in pairwise(looks))


def test_what_is_back_is_held_no_more_and_then_what_is_in_it_is_looked_at() -> None:
    story = Story({"t": Kind.DIRECTORY, "t/d": Kind.DIRECTORY, "t/d/f": Kind.FILE})
    pending = story.pending_deletes
    pending.seen_again("t/d/f")
    assert pending.to_report(2.0, story.is_empty, quiet=False) == ([], [])
    assert pending.to_report(2.1, story.is_empty, quiet=True) == ([], ["t"])
    pending.seen_again("t")
    assert pending.to_report(2.2, story.is_empty, quiet=True) == ([], ["t/d"])
    pending.seen_again("t/d")
    assert not pending and not pending.was_doubted("t")
