"""What the simulation found, as the small histories that show it."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from leftzmq.errors import ProblemKind
from leftzmq.sync.apply.active_ticket import TicketStage
from leftzmq.sync.facts import PathsTouched, Touch
from leftzmq.sync.versions.path_locks import LockOwner
from leftzmq.tree.entry import Entry, Kind
from tests.sim.laws import Tree, index_is_the_disk, tree_of
from tests.sim.node import FOLDER
from tests.sim.world import Knobs, SimDevice, World

Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A calm world of devices that dial each other, or only as `dials` says."""

    def made(names: str, *dials: tuple[str, str]) -> World:
        both = {(a, b) for a in names for b in names if a != b}
        world = World(1, tmp_path, names, set(dials) or both, Knobs())
        for device in world.devices.values():
            device.start()
        live(world, 3.0)
        return world

    return made


def live(world: World, seconds: float) -> None:
    world.run_until(world.now + seconds)


def does(device: SimDevice, deed: str, *arguments: object) -> None:
    """What a user does, and the watcher sees."""
    assert getattr(device.hands, deed)(*arguments), f"{deed} {arguments} was not possible"
    device.touched()


def together(world: World) -> Tree:
    """All is quiet and equal; the tree that everyone has."""
    live(world, 40.0)
    first, *rest = [tree_of(device) for device in world.devices.values()]
    for tree in rest:
        assert tree == first
    for device in world.devices.values():
        assert device.folder.state.value == "idle"
        assert not device.folder.problems.all()
    return first


def copies(tree: Tree) -> list[str]:
    return [path for path in tree if ".conflict-" in path]


def test_what_went_while_a_look_was_under_way_and_its_event_was_lost_is_found(make: Make) -> None:
    world = make("AB")
    a = world.devices["A"]
    world.delays.job = lambda: 1.0  # type: ignore[method-assign]
    does(a, "make_link", "gone soon", b"x")
    live(world, 1.5)  # the look ran; its answer is on its way
    does(a, "delete", "gone soon")
    a.watching.lose()
    a.touched()
    live(world, 10.0)
    assert together(world) == {}


@pytest.mark.parametrize("is_heard", [False, True])
def test_what_is_still_written_is_not_taken_before_it_stands_still(
    make: Make, is_heard: bool
) -> None:
    """Nobody closed it; neither an event of it nor a walk means that it is whole."""
    world = make("AB")
    a, b = world.devices["A"], world.devices["B"]
    inode = a.disk.make(Kind.FILE, 0o644)
    assert a.disk.top is not None
    a.disk.change((a.disk.top, b"log", inode))
    for part in range(10):
        a.disk.write(inode, len(inode.data), b"part %d " % part)
        if not is_heard:
            a.watching.lose()
        a.touched()
        live(world, 0.7)
        assert "log" not in tree_of(b)
    assert together(world)["log"][1] == bytes(inode.data)


def test_lost_events_are_a_problem_until_the_walk_is_over(make: Make) -> None:
    world = make("AB")
    a = world.devices["A"]
    a.watching.lose()
    a.touched()
    world.run_to(lambda: a.folder.problems.all())
    assert a.folder.problems.all()[0].kind is ProblemKind.WATCH_LOST
    together(world)


def conflict_without(world: World, late: str) -> Tree:
    """A's version of x loses against B's while `late`, which has A's, is away."""
    a, b = world.devices["A"], world.devices["B"]
    world.wires.cut = {frozenset("AB"), frozenset("BC")}
    world.wires.refresh()
    does(a, "write", "x", b"by A")
    does(b, "write", "x", b"by B, later")
    does(b, "set_mtime", "x", b.disk.now_ns() + 5_000_000_000)
    live(world, 10.0)
    assert tree_of(world.devices[late])["x"][1] == b"by A"
    world.wires.cut = {frozenset((late, other)) for other in "AB"}
    world.wires.refresh()
    live(world, 40.0)
    assert tree_of(a)["x"][1] == b"by B, later"
    return tree_of(a)


def test_a_conflict_copy_that_was_deleted_is_not_made_again_by_who_comes_late(make: Make) -> None:
    world = make("ABC")
    (copy,) = copies(conflict_without(world, "C"))
    does(world.devices["A"], "delete", copy)
    live(world, 10.0)
    world.wires.cut.clear()
    world.wires.refresh()
    assert list(together(world)) == ["x"]


def test_who_comes_late_makes_no_second_copy(make: Make) -> None:
    world = make("ABC")
    conflict_without(world, "C")
    world.wires.cut.clear()
    world.wires.refresh()
    assert len(copies(together(world))) == 1


def loses_a_link(world: World, target: bytes) -> None:
    """A makes a link of x, and B, without having heard of it, a file that is later."""
    a, b = world.devices["A"], world.devices["B"]
    world.wires.cut = {frozenset("AB")}
    world.wires.refresh()
    if a.hands.at("x") is not None:
        does(a, "delete", "x")
    does(a, "make_link", "x", target)
    does(b, "write", "x", target)
    does(b, "set_mtime", "x", b.disk.now_ns() + 5_000_000_000)
    live(world, 10.0)


@pytest.mark.parametrize("who", "AB")
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("above", ["../", "../../../../../../../../../../../the same/"])
def test_the_copy_of_a_link_is_not_taken_for_that_of_another_link(
    make: Make, who: str, late: bool, above: str
) -> None:
    """Its copy was deleted, perhaps when the next link was there already."""
    world = make("AB")
    loses_a_link(world, f"{above}1".encode())
    world.wires.cut.clear()
    world.wires.refresh()
    (copy,) = copies(together(world))
    if not late:
        does(world.devices[who], "delete", copy)
        live(world, 10.0)
    loses_a_link(world, f"{above}2".encode())
    if late:
        does(world.devices[who], "delete", copy)
        live(world, 10.0)
    world.wires.cut.clear()
    world.wires.refresh()
    tree = together(world)
    assert [tree[path][1] for path in copies(tree)] == [f"{above}2".encode()]


def test_a_ticket_whose_only_holder_forgot_it_is_none_any_more(make: Make) -> None:
    world = make("AB")
    a, b = world.devices["A"], world.devices["B"]
    does(b, "write", "f", b"bytes")
    world.run_to(lambda: a.folder.index_view.counters.tickets)
    b.kill()
    does(b, "delete", "f")
    b.put_state(None)
    b.start()
    assert together(world) == {}


def test_tickets_that_wait_for_room_are_none_where_their_only_holder_forgot_them(
    make: Make,
) -> None:
    world = make("AB")
    a, b = world.devices["A"], world.devices["B"]
    a.disk.size_bytes, size = 1_000, a.disk.size_bytes
    for path in ("f", "g", "h"):
        does(b, "write", path, path.encode() * 2_000)
    live(world, 20.0)
    shown = {each.path: each.kind for each in a.folder.problems.all()}
    assert shown == dict.fromkeys("fgh", ProblemKind.LOW_SPACE)
    b.kill()
    for path in ("f", "g", "h"):
        does(b, "delete", path)
    b.put_state(None)
    b.start()
    live(world, 20.0)
    assert not a.folder.problems.all()
    a.disk.size_bytes = size
    assert together(world) == {}


def test_what_could_not_be_read_for_a_moment_is_read_soon(make: Make) -> None:
    world = make("AB")
    a = world.devices["A"]

    def fail(call: str, path: str) -> None:
        if call != "open_read":
            a.set_trap(1, fail)
            return
        raise OSError(errno.EIO, "a bad moment")

    does(a, "write", "f", b"bytes")
    a.set_trap(1, fail)
    world.run_to(lambda: a.folder.problems.all())
    assert list(together(world)) == ["f"]


def test_a_folder_that_went_elsewhere_while_a_file_took_its_name_is_gone_everywhere(
    make: Make,
) -> None:
    world = make("AB")
    a = world.devices["A"]
    for path in ("d/e/1", "d/2"):
        a.hands.make_folders(path.rpartition("/")[0])
        does(a, "write", path, path.encode())
    together(world)
    a.hands.rename("d", "moved")
    does(a, "write", "d", b"a file now")
    tree = together(world)
    assert sorted(tree) == ["d", "moved", "moved/2", "moved/e", "moved/e/1"]
    assert tree["d"][1] == b"a file now"


@pytest.mark.parametrize("seed", [1, 43, 118])
def test_folders_that_went_elsewhere_go_also_where_the_index_was_lost(
    tmp_path: Path, seed: int
) -> None:
    """They are looked at twice before they go: a walk of one comes upon those in it once more."""
    world = World(seed, tmp_path, "AB", {("A", "B"), ("B", "A")}, Knobs(lag_s=0.1))
    a, b = world.devices.values()
    a.start()
    b.start()
    for path in ("d", "d/e", "d/e/f"):
        does(a, "make_folder", path)
    assert together(world)
    a.kill()
    a.put_state(None)
    does(b, "delete", "d")
    live(world, 10.0)
    a.start()
    assert together(world) == {}


def test_a_folder_that_was_found_and_could_not_go_takes_what_others_make_of_it(make: Make) -> None:
    world = make("AB")
    a, b = world.devices.values()
    does(a, "make_folder", "d")
    together(world)
    a.kill()
    a.put_state(None)
    does(a, "write", "d/a user's.lefting", b"not synced")
    does(b, "delete", "d")
    live(world, 10.0)
    world.delays.job = lambda: 1.0  # type: ignore[method-assign]  # A hears of it before it looks
    a.start()
    live(world, 20.0)
    assert list(tree_of(b)) == ["d"], "it was kept, with what is in it"
    world.wires.cut = {frozenset("AB")}
    world.wires.refresh()
    does(b, "delete", "d")
    live(world, 15.0)
    does(b, "make_folder", "d")
    live(world, 15.0)
    world.wires.cut.clear()
    world.wires.refresh()
    live(world, 15.0)
    assert list(tree_of(a)) == list(tree_of(b)) == ["d"]
    assert a.folder.index_view.counters.tickets == 0


def test_a_folder_that_was_found_and_is_to_go_stays_where_others_have_it_again(make: Make) -> None:
    """What is to come into it lies in it already: it could not go, and the file waited for it."""
    world = make("AB")
    a, b = world.devices.values()
    does(a, "make_folder", "d")
    together(world)
    a.kill()
    a.put_state(None)
    does(b, "delete", "d")
    live(world, 10.0)
    delay_s = [2.0]
    world.delays.job = lambda: delay_s[0]  # type: ignore[method-assign]
    a.start()  # and hears of it before it looks
    active = a.folder.applier._window.active
    world.run_to(lambda: "d" in active and active["d"].stage is TicketStage.APPLYING)
    delay_s[0] = 0.01  # of what comes now: it is still to be removed
    does(b, "make_folder", "d")
    does(b, "write", "d/f", b"")
    assert sorted(together(world)) == ["d", "d/f"]


def _forgets(world: World, device: SimDevice) -> None:
    """It goes, and loses its index. All have d/f, which is to be looked at for a second."""
    assert device.hands.make_folder("d")
    does(device, "write", "d/f", b"bytes")
    does(device, "set_mtime", "d/f", device.disk.now_ns() + 86_400_000_000_000)
    together(world)
    device.kill()
    device.put_state(None)


def _hears_before_it_looks(world: World, device: SimDevice) -> None:
    delays = iter((1.0, 1.0))
    world.delays.job = lambda: next(delays, 0.01)  # type: ignore[method-assign]
    device.start()


def test_a_folder_that_was_found_goes_also_where_what_is_in_it_is_found_last(make: Make) -> None:
    world = make("AB")
    a, b = world.devices.values()
    _forgets(world, a)
    does(b, "delete", "d")
    live(world, 10.0)
    _hears_before_it_looks(world, a)
    assert together(world) == {}


@pytest.mark.parametrize("seed", [1, 9, 11])
def test_the_end_of_a_walk_comes_after_what_it_found(make: Make, seed: int) -> None:
    """The two deletes are of two lives, so they may be carried out at the same time."""
    world = make("AB")
    a, b = world.devices.values()
    _forgets(world, a)
    does(b, "delete", "d/f")
    live(world, 10.0)
    b.kill()
    b.start()
    live(world, 10.0)
    does(b, "delete", "d")
    live(world, 10.0)
    _hears_before_it_looks(world, a)
    live(world, 2.1)
    chance = random.Random(seed)
    world.delays.job = lambda: chance.choice((0.001, 0.2))  # type: ignore[method-assign]
    assert together(world) == {}


def _goes_when_it_can(world: World, device: SimDevice) -> None:
    """For a while d/f cannot be removed. The folder is not tried more often than the file."""
    calls: list[str] = []

    def fail(call: str, path: str) -> None:
        device.set_trap(1, fail)
        calls.append(f"{call} {path}")
        if calls[-1] == "rename_new f":
            raise OSError(errno.EIO, "a bad moment")

    device.set_trap(1, fail)
    live(world, 70.0)
    tried = calls.count("rename_new f")
    assert tried > 1 and calls.count("remove_folder d") <= tried + 2
    device.trap = None
    live(world, 40.0)
    assert not device.folder.applier._window.active


@pytest.mark.parametrize("forgets", [False, True])
def test_a_folder_waits_for_what_is_in_it_and_cannot_be_removed(make: Make, forgets: bool) -> None:
    world = make("AB")
    a, b = world.devices.values()
    _forgets(world, a)
    if forgets:
        does(b, "delete", "d")
        live(world, 10.0)
        _hears_before_it_looks(world, a)
    else:
        a.start()
        together(world)
        does(b, "delete", "d")
    _goes_when_it_can(world, a)
    assert together(world) == {}


def test_a_folder_that_was_found_waits_for_what_is_ours_in_it_and_is_to_go(make: Make) -> None:
    """C, which has not heard of the deletes, comes when the folder is found and the file is not."""
    world = make("ABC")
    a, b, _ = world.devices.values()
    _forgets(world, a)
    world.wires.cut = {frozenset("AC"), frozenset("BC")}
    world.wires.refresh()
    does(b, "delete", "d")
    live(world, 10.0)
    _hears_before_it_looks(world, a)
    world.run_to(lambda: "d" in a.folder.applier._window.active)
    world.wires.cut = {frozenset("BC")}
    world.wires.refresh()
    _goes_when_it_can(world, a)
    world.wires.cut.clear()
    world.wires.refresh()
    assert together(world) == {}


@pytest.mark.parametrize("was", ["nothing", "a file"])
@pytest.mark.parametrize("now", ["a file", "a link", "a large file"])
def test_what_was_told_before_its_folder_goes_with_it(make: Make, was: str, now: str) -> None:
    """No one asks for it, so no one finds that it is gone."""
    world = make("A")
    a = world.devices["A"]
    if was == "a file":
        does(a, "write", "d", b"a file before")
        live(world, 5.0)
        assert a.hands.delete("d")
    _only_what_is_in_it_is_seen(a)
    live(world, 0.2)
    assert a.folder.index_view.ours("d/1") is not None
    key = a.folder.store.scan_keys(["d"]).get("d")
    assert key is None if was == "nothing" else key is not None and key.kind is Kind.FILE
    a.hands.rename("d", "moved")
    if now == "a link":
        does(a, "make_link", "d", b"x")
    else:
        does(a, "write", "d", b"a file now" * (1 if now == "a file" else 1 << 17))
    assert found_out(world, a) == ["d", "moved", "moved/1"]
    assert told(a, "d").counter > told(a, "d/1").counter


@pytest.mark.parametrize("was", ["nothing", "a file"])
@pytest.mark.parametrize("now", ["nothing", "a file"])
def test_what_was_seen_in_a_folder_goes_with_it_where_that_was_told_first(
    make: Make, was: str, now: str
) -> None:
    """Of two looks the later one is answered first."""
    world = make("A")
    a = world.devices["A"]
    if was == "a file":
        does(a, "write", "d", b"a file before")
        live(world, 5.0)
        assert a.hands.delete("d")
    delays = iter((0.1, 2.0))
    world.delays.job = lambda: next(delays, 0.1)  # type: ignore[method-assign]
    _only_what_is_in_it_is_seen(a)
    live(world, 0.5)
    does(a, "rename", "d", "moved")
    if now == "a file":
        does(a, "write", "d", b"a file now")
    assert found_out(world, a) == [*(["d"] if now == "a file" else []), "moved", "moved/1"]


def _only_what_is_in_it_is_seen(device: SimDevice) -> None:
    """A user makes a folder with a file in it; nobody looks at the folder yet."""
    assert device.hands.make_folder("d") and device.hands.write("d/1", b"1")
    device.watching.take()
    device.take(PathsTouched(FOLDER, (("d/1", Touch.CLOSED),)))


def found_out(world: World, device: SimDevice) -> list[str]:
    """What is there, when the index of a device that is alone says the same."""
    live(world, 40.0)
    index_is_the_disk(device, exact=False)
    assert not device.folder.problems.all()
    return sorted(tree_of(device))


def told(device: SimDevice, path: str) -> Entry:
    """The version that the device has at the path."""
    row = device.folder.index_view.ours(path)
    assert row is not None
    return row.entry


@pytest.mark.parametrize("away_s", [0.3, 1.0, 2.0, 3.0])
def test_a_folder_that_is_back_before_its_deletes_are_told_stays_everywhere(
    make: Make, away_s: float
) -> None:
    """A user moves it out of the share, and back. The guard gathers its deletes meanwhile."""
    world = make("AB")
    a = world.devices["A"]
    for number in range(120):
        assert a.hands.write(f"f{number}", b"%d" % number)
    assert a.hands.make_folder("d")
    for number in range(40):
        assert a.hands.write(f"d/{number}", b"%d in d" % number)
    a.touched()
    before = together(world)
    live(world, 60.0)
    does(a, "rename", "d", ".left/not synced")
    live(world, away_s)
    does(a, "rename", ".left/not synced", "d")
    assert together(world) == before
    index_is_the_disk(a, exact=False)


def test_bytes_that_came_another_way_leave_no_lefting_behind(make: Make) -> None:
    world = make("AB")
    a, b = world.devices["A"], world.devices["B"]
    world.delays.watching = lambda: 1.0  # type: ignore[method-assign]
    does(b, "write", "f", b"the same bytes")
    world.run_to(lambda: a.folder.index_view.counters.tickets)
    does(a, "write", "f", b"the same bytes")
    does(a, "set_mtime", "f", 1_600_000_000_000_000_000)
    together(world)
    assert not [path for path, _ in a.hands.tree() if path.endswith(".lefting")]


def test_what_is_held_as_gone_is_not_said_while_the_applier_works_there(make: Make) -> None:
    world = make("AB")
    a = world.devices["A"]
    does(a, "write", "f", b"1")
    does(a, "write", "g", b"2")
    together(world)
    world.delays.job = lambda: 1.0  # type: ignore[method-assign]
    does(a, "delete", "f")
    live(world, 0.5)
    does(a, "delete", "g")  # while it is looked at, f is held: it may have another name now
    world.run_to(lambda: a.folder.scheduler._pending_deletes)
    assert a.folder.locks.lock("f", LockOwner.APPLIER)
    live(world, 15.0)
    row = a.folder.index_view.ours("f")
    assert row is not None and not row.entry.deleted
    a.folder.locks.release(("f",), LockOwner.APPLIER)
    assert together(world) == {}


def test_what_was_moved_to_where_a_folder_was_to_be_made_is_found(make: Make) -> None:
    world = make("AB")
    a, b = world.devices["A"], world.devices["B"]
    does(b, "make_folder", "e")
    does(b, "write", "e/inside", b"1")
    together(world)

    def move(call: str, path: str) -> None:
        if call == "stat" and path == "d":
            assert b.hands.rename("e", "d")
        else:
            b.set_trap(1, move)

    b.set_trap(1, move)
    does(a, "make_folder", "d")
    assert sorted(together(world)) == ["d", "d/inside"]


@pytest.mark.parametrize("deed", [("set_mtime", 1_700_000_000_000_000_000), ("set_mode", 0o600)])
def test_what_a_user_sets_while_what_another_one_set_is_flushed_is_an_edit(
    make: Make, deed: tuple[str, object]
) -> None:
    tree = sets_just_before(make, "flush file", *deed)
    assert deed[1] in (tree["f"][2], int(str(tree["f"][3]), 8))


@pytest.mark.parametrize("deed", [("set_mtime", 1_700_000_000_000_000_000), ("set_mode", 0o600)])
def test_what_a_user_sets_before_the_look_at_what_another_one_set_is_not_taken_for_that(
    make: Make, deed: tuple[str, object]
) -> None:
    """Whose is the last is as it falls; all have the same."""
    sets_just_before(make, "fstat", *deed)


def sets_just_before(make: Make, wanted: str, deed: str, to: object) -> Tree:
    """B's user sets mtime or mode of a file in the middle of what A's user did to it."""
    world = make("AB")
    a, b = world.devices["A"], world.devices["B"]
    does(a, "write", "f", b"f")
    together(world)
    before, calls = b.calls.before, [""]

    def sets(call: str, path: str) -> None:
        before(call, path)
        if (call, calls[-1]) == (wanted, "set_times") or (call == wanted == "flush file"):
            b.calls.before = before
            does(b, deed, "f", to)
        calls.append(call)

    b.calls.before = sets
    does(a, "set_mode", "f", 0o755)
    tree = together(world)
    assert b.calls.before is before
    return tree


def test_a_name_that_is_back_with_its_folder_is_not_gone_as_another_name_is_found(
    make: Make,
) -> None:
    world = make("AB")
    a = world.devices["A"]
    does(a, "make_folder", "d")
    does(a, "write", "d/x", b"one")
    live(world, 0.2)
    does(a, "hard_link", "d/x", "y")  # closed by nobody: taken when it has stood still
    does(a, "rename", "d/x", "d/z")
    live(world, 0.3)
    does(a, "rename", "d", "e")
    live(world, 0.3)
    does(a, "rename", "e", "d")
    tree = together(world)
    assert tree["d/z"][1] == tree["y"][1] == b"one" and tree.keys() == {"d", "d/z", "y"}


@pytest.mark.parametrize("mover", "AB")
@pytest.mark.parametrize("killed", [False, True], ids=["", "killed meanwhile"])
def test_what_is_moved_to_and_fro_during_the_first_walk_stays(
    make: Make, mover: str, killed: bool
) -> None:
    """C, which is connected to A alone, is the last to have the file's new name. A has the delete
    of the old one then: nobody but A's user can put the file back under it."""
    world = make("ABC", ("A", "B"), ("A", "C"))
    a, c = world.devices["A"], world.devices["C"]
    does(a, "write", "f", b"of A")
    together(world)
    a.kill()
    log = a.disk.make(Kind.FILE, 0o644)  # it does not stand still, so the walk is not over
    assert a.disk.top is not None
    a.disk.change((a.disk.top, b"log", log))
    a.start()
    live(world, 0.5)
    does(world.devices[mover], "rename", "f", "g")
    end = world.now + 30.0
    while "g" not in tree_of(c) or "f" in tree_of(c):
        assert world.now < end
        a.disk.write(log, len(log.data), b"more ")
        a.touched()
        live(world, 0.02)
    live(world, 0.05)
    assert "g" in tree_of(a) and not a.folder.index_view.walked
    if killed:
        a.kill()
    a.hands.rename("g", "f")
    if killed:
        a.start()
    a.touched()
    assert together(world).keys() == {"f", "log"}


def test_what_was_put_there_before_a_kill_and_is_gone_may_come_back(make: Make) -> None:
    """A made a link and was killed before its index knew. B deletes it, and A hears of that before
    its walk is over. A's user has deleted it as well; he makes it again much later."""
    world = make("AB")
    a, b = world.devices["A"], world.devices["B"]
    does(b, "make_link", "x", b"of B")
    world.run_to(lambda: a.hands.at("x"))
    assert a.folder.index_view.ours("x") is None
    a.kill()
    a.disk.flush_all()
    does(b, "delete", "x")
    live(world, 5.0)
    world.delays.job = lambda: 0.5  # type: ignore[method-assign]
    a.start()
    world.run_to(lambda: "x" in a.folder.index_view.begun)
    assert not a.folder.index_view.walked
    a.kill()
    a.hands.delete("x")
    a.start()
    assert together(world) == {}
    does(a, "make_link", "x", b"of B")
    assert together(world) == {"x": ("link", b"of B")}
