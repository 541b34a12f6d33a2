"""What nobody could look at since the start: a delete there is not taken over before it is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leftzmq.sync.scan.unseen_parts import UnseenParts
from leftzmq.tree.entry import Kind
from tests.sim.laws import Tree, index_is_the_disk, tree_of
from tests.sim.world import Knobs, SimDevice, World

WALK = 1


# ---- which parts are seen ---------------------------------------------------------------------


@pytest.fixture
def unseen() -> UnseenParts:
    """The first walk could not see `m`."""
    parts = UnseenParts()
    parts.stepped(WALK)
    assert parts.not_seen("m", is_new=True)
    parts.passed("")
    assert not parts.settled("")
    return parts


@pytest.mark.parametrize(
    ("path", "is_in"), [("m", True), ("m/a/b", True), ("", False), ("ma", False), ("a/m", False)]
)
def test_what_is_below_is_unseen_too(unseen: UnseenParts, path: str, is_in: bool) -> None:
    assert (path in unseen) is is_in


def test_where_the_share_itself_cannot_be_read_nothing_is_seen() -> None:
    parts = UnseenParts()
    parts.not_seen("", is_new=True)
    assert "" in parts and "a/b" in parts


@pytest.mark.parametrize("prefix", ["m", ""])
def test_it_is_seen_when_what_a_walk_found_there_has_settled(
    unseen: UnseenParts, prefix: str
) -> None:
    unseen.stepped(WALK + 1)
    assert not unseen.settled(prefix), "another walk of it was over before"
    unseen.passed(prefix)
    assert "m" in unseen and unseen.settled(prefix) and "m" not in unseen


@pytest.mark.parametrize("prefix", ["m/a", "n"])
def test_a_walk_of_less_or_of_something_else_does_not_see_it(
    unseen: UnseenParts, prefix: str
) -> None:
    unseen.stepped(WALK + 1)
    unseen.passed(prefix)
    assert not unseen.settled(prefix) and "m" in unseen


def test_what_a_walk_or_a_look_missed_meanwhile_stays_unseen(unseen: UnseenParts) -> None:
    unseen.stepped(WALK + 1)
    assert unseen.not_seen("m", is_new=False), "it is to be walked again"
    unseen.stepped(WALK + 1)
    unseen.passed("m")
    assert not unseen.settled("m") and "m" in unseen
    unseen.stepped(WALK + 2)
    unseen.passed("m")
    assert unseen.settled("m")


def test_what_is_away_again_before_it_settled_is_not_seen(unseen: UnseenParts) -> None:
    unseen.stepped(WALK + 1)
    unseen.passed("m")
    assert unseen.not_seen("m", is_new=False), "it is to be walked again"
    assert not unseen.settled("m") and "m" in unseen


def test_what_was_seen_once_is_not_unseen_again(unseen: UnseenParts) -> None:
    assert not unseen.not_seen("n", is_new=False) and "n" not in unseen


# ---- what follows from it ---------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A has a mount at `m`, with a folder and two files in it; B has all of that, too. By the file
    that nobody touches the mount is recognised."""
    world = World(1, tmp_path, "AB", {("A", "B"), ("B", "A")}, Knobs())
    a = world.devices["A"]
    a.hands.make_folder("m")
    assert a.disk.top is not None
    a.disk.mount(a.disk.top, b"m", 2, a.disk.make(Kind.DIRECTORY, 0o755))
    a.hands.make_folder("m/d")
    a.hands.write("m/f", b"of A")
    a.hands.write("m/.anchor", b"of A, too")
    a.disk.flush_all()
    for device in world.devices.values():
        device.start()
    live(world, 10.0)
    assert tree_of(a) == tree_of(world.devices["B"])
    yield world
    for device in world.devices.values():
        if device.alive:
            device.kill()


def live(world: World, seconds: float) -> None:
    world.run_until(world.now + seconds)


def unmounted(device: SimDevice) -> Callable[[], None]:
    """Its mount is away. Returns what mounts it again."""
    assert device.disk.top is not None
    device.disk.flush_all()
    device.away = device.disk.mount(device.disk.top, b"m", 1, None)

    def back() -> None:
        assert device.disk.top is not None
        device.disk.mount(device.disk.top, b"m", 2, device.away)
        device.away = None
        device.touched()

    return back


def closed(device: SimDevice) -> Callable[[], None]:
    """The folder cannot be read. Returns what makes it readable again."""
    inode = device.hands.at("m")
    assert inode is not None
    inode.closed = True

    def back() -> None:
        inode.closed = False

    return back


def make_folder(device: SimDevice) -> None:
    device.hands.make_folder("m/new")


def make_link(device: SimDevice) -> None:
    device.hands.make_link("m/new", b"to somewhere")


def move_file(device: SimDevice) -> None:
    device.hands.rename("m/f", "m/new")


def write_file(device: SimDevice) -> None:
    device.hands.write("m/new", b"of B")


def together(world: World) -> Tree:
    live(world, 60.0)
    first, second = (tree_of(device) for device in world.devices.values())
    assert first == second
    for device in world.devices.values():
        assert device.folder.state.value == "idle" and not device.folder.problems.all()
        index_is_the_disk(device, exact=False)
    return first


@pytest.mark.parametrize("away", [unmounted, closed])
@pytest.mark.parametrize("deed", [make_folder, make_link, move_file, write_file])
@pytest.mark.parametrize("again", [False, True], ids=["", "killed once more"])
def test_what_a_kill_hid_there_goes_as_its_user_deleted_it(
    world: World,
    deed: Callable[[SimDevice], None],
    away: Callable[[SimDevice], Callable[[], None]],
    again: bool,
) -> None:
    """A did it and was killed before its index knew. The delete comes while nobody can look."""
    a, b = world.devices["A"], world.devices["B"]
    deed(b)
    b.touched()
    world.run_to(lambda: a.hands.at("m/new"))
    assert a.folder.index_view.ours("m/new") is None
    a.kill()
    back = away(a)
    a.start()
    live(world, 10.0)
    assert a.folder.scheduler.walks.first_done and a.folder.scheduler.is_unseen("m/new")
    b.hands.delete("m/new")
    b.touched()
    live(world, 10.0)
    if again:
        a.kill()
        a.start()
        live(world, 10.0)
    back()
    assert "m/new" not in together(world)
    assert not a.folder.scheduler.is_unseen("m/new")


@pytest.mark.parametrize("away", [unmounted, closed])
def test_a_delete_of_what_never_was_there_is_taken_over_when_it_is_seen(
    world: World, away: Callable[[SimDevice], Callable[[], None]]
) -> None:
    a, b = world.devices["A"], world.devices["B"]
    a.kill()
    back = away(a)
    a.start()
    live(world, 5.0)
    b.hands.make_folder("m/d/e")
    b.touched()
    live(world, 5.0)
    b.hands.delete("m/d")
    b.touched()
    live(world, 5.0)
    row = a.folder.index_view.ours("m/d/e")
    assert row is None
    back()
    assert together(world).keys() == {"m", "m/f", "m/.anchor"}
    rows = {path: a.folder.index_view.ours(path) for path in ("m/d", "m/d/e")}
    above, below = rows["m/d"], rows["m/d/e"]
    assert above is not None and below is not None and above.entry.deleted
    assert (below.seq or 0) < (above.seq or 0), "a folder is told after what was in it"


def test_a_walk_that_cannot_see_a_part_keeps_what_an_earlier_life_began_there(
    world: World,
) -> None:
    view = world.devices["A"].folder.index_view
    row = view.ours("m/f")
    assert row is not None
    view.begun = {"m/f": (row.entry,), "n": (row.entry,)}
    view._guessed = {"m/f", "n"}
    view.unseen = lambda path: path.startswith("m")
    view.all_walked()
    assert set(view.begun) == {"m/f"}
    view.unseen = lambda path: False
    view.all_walked()
    assert not view.begun
