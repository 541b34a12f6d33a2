"""A share on a disk that takes two spellings for one name: what it does by hand-made stories, in
the simulation (docs/decisions/0012). B has such a disk; A and C have exact ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from leftzmq.errors import ProblemKind
from leftzmq.sync.facts import Fact, PathsTouched, Touch
from leftzmq.sync.jobs import Apply, Job, SmallStaged
from tests.sim import plan
from tests.sim.laws import is_folder, tree_of
from tests.sim.node import FOLDER
from tests.sim.world import Knobs, SimDevice, World

Story = tuple[World, SimDevice, SimDevice, SimDevice]


@pytest.fixture(params=(1, 2, 3))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    dials = {(a, b) for a in "ABC" for b in "ABC" if a != b}
    world = World(request.param, tmp_path, "ABC", dials, Knobs())
    world.devices["B"].disk.folds = frozenset((1,))
    yield world
    for device in world.devices.values():
        if device.alive:
            device.kill()


@pytest.fixture
def story(world: World) -> Story:
    for device in world.devices.values():
        device.start()
    settle(world)
    return (world, *world.devices.values())  # type: ignore[return-value]


def settle(world: World) -> None:
    for device in world.devices.values():
        device.touched()
    plan.settle(world)


def apart(device: SimDevice) -> set[str]:
    problems = device.folder.problems.all()
    assert all(each.kind is ProblemKind.NAME_FOLDS for each in problems), problems
    return {each.path for each in problems}


def contents(device: SimDevice) -> dict[str, object]:
    return {path: what[0] if is_folder(what) else what[1] for path, what in tree_of(device).items()}


def all_have(world: World, wanted: Mapping[str, object]) -> None:
    for device in world.devices.values():
        assert contents(device) == wanted, device.name
        assert not device.folder.problems.all() and not device.folder.index_view.counters.tickets


def nothing_is_sent(world: World) -> None:
    """No device sends anything for five minutes."""
    before = world.messages.copy()
    world.run_until(world.now + 300.0)
    assert world.messages == before


def calls_of(device: SimDevice, what: str) -> list[str]:
    """The names that this call is made with from now on."""
    seen: list[str] = []
    before = device.calls.before

    def note(call: str, path: str) -> None:
        if call == what:
            seen.append(path)
        before(call, path)

    device.calls.before = note
    return seen


def test_a_rename_by_case_is_one_rename_everywhere(story: Story) -> None:
    world, a, b, _ = story
    a.hands.write("foo.txt", b"f")
    a.hands.make_folder("d")
    a.hands.write("d/in", b"i")
    a.hands.make_folder("d/deep")
    a.hands.write("d/deep/er", b"e")
    settle(world)
    respelled, fetched = calls_of(b, "respell"), calls_of(b, "create")
    a.hands.rename("foo.txt", "FOO.txt")
    a.hands.rename("d", "D")
    settle(world)
    wanted = {"FOO.txt": b"f", "D": "folder", "D/in": b"i", "D/deep": "folder", "D/deep/er": b"e"}
    all_have(world, wanted)
    assert sorted(respelled) == ["d", "foo.txt"] and not fetched


def test_a_rename_by_case_on_such_a_disk_reaches_the_others(story: Story) -> None:
    world, _, b, _ = story
    b.hands.write("foo", b"f")
    b.hands.make_folder("d")
    b.hands.write("d/in", b"i")
    settle(world)
    b.hands.rename("foo", "FOO")
    b.hands.rename("d", "D")
    settle(world)
    all_have(world, {"FOO": b"f", "D": "folder", "D/in": b"i"})


@pytest.mark.parametrize("deleted", ["Case", "case"])
def test_of_two_spellings_one_is_not_taken_until_the_other_goes(story: Story, deleted: str) -> None:
    world, a, b, c = story
    a.hands.write("Case", b"large")
    a.hands.write("case", b"small")
    settle(world)
    (missing,) = apart(b)
    (here,) = {"Case", "case"} - {missing}
    both = {"Case": b"large", "case": b"small"}
    assert contents(a) == contents(c) == both and contents(b) == {here: both[here]}
    b.stop()
    b.start()
    settle(world)
    assert apart(b) == {missing} and contents(a) == both
    (c if missing == deleted else a).hands.delete(deleted)
    settle(world)
    del both[deleted]
    all_have(world, both)


def test_when_the_spelling_that_is_here_goes_the_other_one_comes(story: Story) -> None:
    world, a, b, _ = story
    for name in ("Case", "case"):
        a.hands.write(name, name.encode())
        settle(world)
    assert apart(b) == {"case"}
    b.hands.delete("Case")
    settle(world)
    all_have(world, {"case": b"case"})


def test_folders_of_two_spellings_are_never_mixed(story: Story) -> None:
    world, a, b, c = story
    a.hands.make_folder("d")
    a.hands.write("d/one", b"1")
    settle(world)
    a.hands.make_folder("D")
    a.hands.write("D/two", b"2")
    settle(world)
    everything = {"d": "folder", "d/one": b"1", "D": "folder", "D/two": b"2"}
    assert contents(a) == contents(c) == everything
    assert apart(b) == {"D"} and contents(b) == {"d": "folder", "d/one": b"1"}
    b.hands.write("d/three", b"3")
    settle(world)
    assert contents(a) == contents(c) == everything | {"d/three": b"3"}
    a.hands.delete("d")
    settle(world)
    all_have(world, {"D": "folder", "D/two": b"2"})


def test_a_folder_that_comes_as_soon_as_the_other_spelling_is_gone_comes_with_all_in_it(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, a, b, _ = story
    a.hands.make_folder("d")
    a.hands.write("d/one", b"1")
    settle(world)
    a.hands.make_folders("D/deep")
    a.hands.write("D/deep/two", b"2")
    settle(world)
    assert apart(b) == {"D"}
    # The folder is made before B turns to what follows from the end of the other spelling.
    monkeypatch.setattr(world.delays, "job", lambda: 0.0)
    a.hands.delete("d")
    settle(world)
    all_have(world, {"D": "folder", "D/deep": "folder", "D/deep/two": b"2"})


def test_an_edit_right_after_a_rename_by_case_makes_no_conflict(story: Story) -> None:
    world, a, b, _ = story
    a.hands.write("foo", b"f")
    a.hands.make_folder("d")
    a.hands.write("d/in", b"old")
    a.hands.write("d/goes", b"goes")
    settle(world)
    b.stop()
    a.hands.rename("foo", "FOO")
    a.hands.write("FOO", b"edited")
    a.hands.rename("d", "D")
    a.hands.write("D/in", b"new")
    a.hands.delete("D/goes")
    settle(world)
    b.start()
    settle(world)
    all_have(world, {"FOO": b"edited", "D": "folder", "D/in": b"new"})


def test_a_user_who_is_in_the_other_spelling_keeps_what_he_wrote(story: Story) -> None:
    world, a, b, _ = story
    a.hands.make_folder("d")
    a.hands.write("d/in", b"i")
    settle(world)
    world.wires.cut |= {frozenset("AB"), frozenset("BC")}
    world.wires.refresh()
    a.hands.rename("d", "D")
    b.hands.write("d/mine", b"m")
    b.hands.write("d/in", b"mine, too")
    settle(world)
    world.wires.cut.clear()
    world.wires.refresh()
    settle(world)
    for device in world.devices.values():
        assert {b"m", b"mine, too"} <= set(contents(device).values()), device.name


def test_both_make_another_spelling_at_once(story: Story) -> None:
    world, a, b, c = story
    world.wires.cut |= {frozenset("AB"), frozenset("BC")}
    world.wires.refresh()
    a.hands.write("name", b"a")
    b.hands.write("NAME", b"b")
    settle(world)
    world.wires.cut.clear()
    world.wires.refresh()
    settle(world)
    assert contents(a) == contents(c) == {"name": b"a", "NAME": b"b"}
    assert contents(b) == {"NAME": b"b"} and apart(b) == {"name"}
    a.hands.rename("name", "another")
    settle(world)
    all_have(world, {"another": b"a", "NAME": b"b"})


def test_a_copy_on_such_a_disk_that_lost_a_spelling_deletes_nothing(world: World) -> None:
    a, b, c = world.devices.values()
    b.disk.folds = frozenset()
    for device in (a, b, c):
        device.start()
    for path, data in (("Case", b"large"), ("case", b"small"), ("d/one", b"1"), ("D/two", b"2")):
        a.hands.make_folders(path.rpartition("/")[0])
        a.hands.write(path, data)
    settle(world)
    everything = contents(a)
    assert contents(b) == everything
    b.stop()
    # What a copy of the share to another disk makes of it: both folders are one, of two files one.
    b.hands.delete("case")
    b.hands.rename("D/two", "d/two")
    b.hands.delete("D")
    b.disk.folds = frozenset((1,))
    b.start()
    settle(world)
    assert contents(a) == contents(c) and everything.items() <= contents(a).items()
    assert apart(b) == {"case", "D"}


def test_what_came_along_before_its_new_name_was_told_is_not_deleted(story: Story) -> None:
    world, a, b, _ = story
    a.hands.make_folder("d")
    a.hands.make_folder("d/deep")
    a.hands.write("d/deep/er", b"e")
    settle(world)
    before = b.calls.before

    def cut_off(call: str, path: str) -> None:
        if call == "respell":
            world.wires.cut |= {frozenset("AB"), frozenset("BC")}
            world.after(0.0, world.wires.refresh)
        before(call, path)

    b.calls.before = cut_off
    a.hands.rename("d", "D")
    a.watching.take()  # comes late: the file is missed before it is found
    a.handle(PathsTouched(FOLDER, (("d/deep/er", Touch.GONE),)))
    world.run_until(world.now + 3.0)
    a.hands.set_mtime("D/deep/er", world.wall_ns(a))  # not at rest: found after its folder
    a.handle(PathsTouched(FOLDER, (("d", Touch.GONE), ("D", Touch.MADE))))
    settle(world)
    assert world.wires.cut
    world.wires.cut.clear()
    world.wires.refresh()
    settle(world)
    all_have(world, {"D": "folder", "D/deep": "folder", "D/deep/er": b"e"})


def test_what_was_to_move_to_where_something_came_along_goes_from_where_it_is(
    story: Story,
) -> None:
    world, a, b, _ = story
    a.hands.make_folder("d")
    a.hands.write("d/in", b"old")
    a.hands.write("d/same", b"same")
    a.hands.write("elsewhere", b"new")
    settle(world)
    a.hands.rename("d", "D")
    a.touched()
    while b.folder.applier._name_clashes.other("D") is None:
        world.run_until(world.now + 0.001)
    world.wires.cut |= {frozenset("AB"), frozenset("BC")}
    world.wires.refresh()
    a.hands.delete("D/in")
    a.hands.rename("elsewhere", "D/in")
    a.touched()
    world.run_until(world.now + 2.0)
    world.wires.cut.clear()
    world.wires.refresh()
    settle(world)
    all_have(world, {"D": "folder", "D/in": b"new", "D/same": b"same"})


def test_what_is_staged_when_the_other_spelling_goes_no_more_is_said_to_be_apart(
    story: Story,
) -> None:
    world, a, b, _ = story
    a.hands.write("Case", b"1")
    settle(world)
    a.hands.write("case", b"2")
    a.touched()
    while b.folder.applier._name_clashes.other("case") is None:
        world.run_until(world.now + 0.01)
    handle = b.handle

    def comes_late(fact: Fact) -> None:
        if isinstance(fact, SmallStaged):
            b.handle = handle  # type: ignore[method-assign]
            b.hands.write("Case", b"mine")
            b.touched()
            world.after(0.5, lambda: handle(fact))
        else:
            handle(fact)

    b.handle = comes_late  # type: ignore[method-assign]
    a.hands.delete("Case")
    a.hands.write("case", b"3")
    settle(world)
    assert b.handle == handle
    assert contents(a) == {"Case": b"mine", "case": b"3"}
    assert contents(b) == {"Case": b"mine"} and apart(b) == {"case"}
    assert b.folder.state.value == "idle"


def test_what_lies_below_comes_also_where_its_folder_is_made_within_a_turn(story: Story) -> None:
    world, a, b, _ = story
    a.hands.make_folder("d")
    settle(world)
    queue = b.queue

    def is_made_at_once(job: Job) -> None:
        """No turn comes between the two results: that `d` is gone, and that `D` is made."""
        if isinstance(job, Apply) and job.operations[0].path == "D":
            b.later(0.0, lambda: b.take(b.runner.run(job)))
        else:
            queue(job)

    b.queue = is_made_at_once  # type: ignore[method-assign]
    a.hands.make_folder("D")
    a.touched()
    while b.folder.applier._name_clashes.other("D") is None:
        world.run_until(world.now + 0.01)
    a.hands.write("D/in", b"i")
    a.touched()
    while not b.folder.index_view.rows("D/in"):
        world.run_until(world.now + 0.01)
    a.hands.delete("d")
    a.touched()
    settle(world)
    all_have(world, {"D": "folder", "D/in": b"i"})


def test_what_is_to_come_below_an_ignored_spelling_is_not_fetched_again_and_again(
    story: Story,
) -> None:
    """An ignored spelling may lie there for ever; when it is gone all of the other one comes."""
    world, a, b, _ = story
    b.tune_ignore(("c",))
    b.hands.write("c", b"B's own")
    settle(world)
    a.hands.make_folder("C")
    a.hands.write("C/f", b"1")
    settle(world)
    kinds = {each.path: each.kind for each in b.folder.problems.all()}
    assert kinds == {"C": ProblemKind.NAME_FOLDS, "C/f": ProblemKind.WAITING_FOR_FOLDER}
    nothing_is_sent(world)
    b.hands.delete("c")
    settle(world)
    all_have(world, {"C": "folder", "C/f": b"1"})


def test_what_is_to_come_in_the_place_of_a_shell_is_not_fetched_again_and_again(
    story: Story,
) -> None:
    """A deleted folder stays for what is ignored in it, and others have two spellings of its name
    (seed 79000144)."""
    world, a, b, _ = story
    b.tune_ignore(("x",))
    a.hands.make_folder("d")
    settle(world)
    b.hands.write("d/x", b"B's own")
    settle(world)
    a.hands.delete("d")
    settle(world)
    for path in "dD":
        a.hands.write(path, path.encode())
    settle(world)
    kinds = {each.path: each.kind for each in b.folder.problems.all()}
    assert kinds == {"D": ProblemKind.NAME_FOLDS, "d": ProblemKind.IGNORED_IN_THE_WAY}
    nothing_is_sent(world)
    b.hands.delete("d/x")
    settle(world)
    (late,) = apart(b)
    assert contents(b) == {path: path.encode() for path in "dD" if path != late}
