"""What the laws of the simulation excuse, and that they excuse no more than that."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from leftzmq.errors import ShareError
from leftzmq.sync.jobs import Apply, Lane
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.reconcile import Verdict, reconcile
from tests.sim import laws
from tests.sim.disk import Disk
from tests.sim.faults import Faults
from tests.sim.hands import Hands
from tests.sim.ledger import FOLDER, Content, Delete, Ledger, content_of, is_in_tree
from tests.sim.node import FOLDER as SHARE
from tests.sim.plan import plan_of, run, settle
from tests.sim.test_cuts import ends_after
from tests.sim.users import ANCHOR, MOUNT, Users
from tests.sim.world import Knobs, SimDevice, World

LINK: Content = (Kind.SYMLINK, b"nowhere")
OF_B: Content = (Kind.FILE, b"of b")


@pytest.fixture(params=(1, 2, 3, 4))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    names = "ABC"
    dials = {(a, b) for a in names for b in names if a != b}
    world = World(request.param, tmp_path, names, dials, Knobs())
    yield world
    for device in world.devices.values():
        if device.alive:
            device.kill()


def users_of(world: World) -> tuple[Users, Ledger]:
    ledger = Ledger()
    world.look_after = laws.Witness(ledger).look_after
    for device in world.devices.values():
        device.start()
    settle(world)
    return Users(world, ledger, large=False), ledger


def cut(world: World, *pairs: str) -> None:
    """These alone do not hear each other from now on."""
    world.wires.cut.clear()
    world.wires.cut.update(frozenset(pair) for pair in pairs)
    world.wires.refresh()


def all_hold(world: World, ledger: Ledger) -> laws.Tree:
    tree = laws.converged(world, ledger)
    laws.nothing_lost(world, ledger, tree)
    laws.nothing_came_back(world, ledger, tree)
    laws.no_folder_came_back(world, ledger, tree)
    return tree


# ---- a share that goes away -------------------------------------------------------------------


def test_a_share_goes_away_only_from_an_agent_that_knows_it(world: World) -> None:
    """One that knows of none makes one of what lies there: of the bare folder of a mount, too."""
    users, ledger = users_of(world)
    faults, chance, a = Faults(world, ledger, users), random.Random(1), world.devices["A"]
    faults.do("lose state", a, chance)
    faults.do("unmount", a, chance)
    assert a.unmounted is None
    world.run_to(lambda: a.alive)
    faults.do("unmount", a, chance)
    assert a.unmounted is not None
    faults.end()
    settle(world)
    all_hold(world, ledger)


def test_a_mount_goes_away_only_from_an_agent_whose_index_keeps_something_of_it(
    world: World,
) -> None:
    """One of which its index has nothing is whatever disk lies there. What no flush has made
    durable may be taken back."""
    ledger, a = Ledger(), world.devices["A"]
    users = Users(world, ledger, large=False)
    faults, chance = Faults(world, ledger, users), random.Random(1)
    world.look_after = laws.Witness(ledger).look_after
    faults.do("mount inside", a, chance)
    for device in world.devices.values():
        device.start()
    knows = False
    while not knows or a.durable_head < a.store.heads.sequence:
        faults.do("unmount inside", a, chance)
        assert a.away is None
        world.run_until(world.now + 0.001)
        knows = a.knows(ANCHOR, (Kind.FILE, b"the anchor of A"))
    faults.do("unmount inside", a, chance)
    assert a.away is not None
    faults.end()
    settle(world)
    all_hold(world, ledger)


def with_a_mount(world: World) -> tuple[Users, Faults, Ledger]:
    """A has a mount, and all devices have begun."""
    ledger = Ledger()
    users = Users(world, ledger, large=False)
    faults = Faults(world, ledger, users)
    world.look_after = laws.Witness(ledger).look_after
    faults.do("mount inside", world.devices["A"], random.Random(1))
    for device in world.devices.values():
        device.start()
    return users, faults, ledger


def run_until_kept(world: World, path: str) -> None:
    """Until A's index has something at `path` to stay."""
    world.run_to(lambda: world.devices["A"].has_durably(path))


def on_a_new_mount(world: World) -> tuple[Users, Faults, Ledger]:
    """A's index keeps `m/b`, and not the anchor yet: only by `m/b` it recognises its mount. There
    is a backup from before `m/b` was made, and A's user does not flush."""
    users, faults, ledger = with_a_mount(world)
    a, chance = world.devices["A"], random.Random(1)
    faults.do("take snapshot", a, chance)
    a.hands.careful = False
    a.hands.make_folder("m/b")
    a.touched()
    run_until_kept(world, "m/b")
    assert not a.knows(ANCHOR, (Kind.FILE, b"the anchor of A"))
    return users, faults, ledger


def delete_something(world: World, users: Users) -> None:
    for number in range(10):
        users.do("delete", world.devices["A"], random.Random(number))


def all_hold_at_the_end(world: World, faults: Faults, ledger: Ledger) -> None:
    faults.end()
    settle(world)
    all_hold(world, ledger)


@pytest.mark.parametrize("fault", ["cut power", "older share"])
@pytest.mark.parametrize("number", range(6))
def test_a_disk_keeps_what_its_mount_is_recognised_by_until_the_anchor_is_known(
    world: World, number: int, fault: str
) -> None:
    """Else the disk counts as another one until --adopt: a known gap."""
    _, faults, ledger = on_a_new_mount(world)
    faults.do(fault, world.devices["A"], random.Random(number))
    all_hold_at_the_end(world, faults, ledger)


def test_a_user_deletes_on_a_mount_only_when_a_power_cut_leaves_the_anchor_in_the_index(
    world: World,
) -> None:
    users, faults, ledger = on_a_new_mount(world)
    a = world.devices["A"]
    while not a.has_durably(ANCHOR):
        delete_something(world, users)
        assert a.hands.at("m/b") is not None
        world.run_until(world.now + 0.001)
    delete_something(world, users)
    assert a.hands.at("m/b") is None
    all_hold_at_the_end(world, faults, ledger)


def test_no_state_is_kept_that_knows_a_mount_by_what_a_user_may_delete_later(world: World) -> None:
    users, faults, ledger = on_a_new_mount(world)
    a, chance = world.devices["A"], random.Random(1)
    faults.do("take snapshot", a, chance)
    run_until_kept(world, ANCHOR)
    delete_something(world, users)
    faults.do("older state", a, chance)
    all_hold_at_the_end(world, faults, ledger)


def test_a_user_takes_no_name_where_a_mount_is_away(world: World) -> None:
    """What he writes there would count as written by the agent."""
    users, faults, ledger = with_a_mount(world)
    a, chance = world.devices["A"], random.Random(1)
    run_until_kept(world, ANCHOR)
    faults.do("unmount inside", a, chance)
    assert a.away is not None
    for path in ("m/f", "f"):
        users.take_name(a, path, chance)
    assert ledger.taken_names == {"f"}
    all_hold_at_the_end(world, faults, ledger)


@pytest.mark.parametrize("deed", ["write slowly", "keep open", "put back"])
def test_no_user_writes_again_to_what_a_mount_is_recognised_by_alone(
    world: World, deed: str
) -> None:
    """He chose the path before his agent had it in its index, and writes while no agent looks."""
    users, faults, ledger = with_a_mount(world)
    a = world.devices["A"]
    run_until_kept(world, MOUNT)
    chances = (random.Random(number) for number in range(100))
    if deed == "put back":
        users._write(a, "m/f", b"once")
        users._write(a, "m/f", b"now")
    else:
        while not in_the_mount(a):
            users.do(deed, a, next(chances))
    run_until_kept(world, in_the_mount(a))
    assert not a.has_durably(ANCHOR)
    a.kill()
    if deed == "put back":
        users.do(deed, a, next(chances))
    world.run_until(world.now + 5.0)
    all_hold_at_the_end(world, faults, ledger)


def in_the_mount(a: SimDevice) -> str:
    """A file that a user made there; "" if there is none."""
    return next((p for p, _ in a.hands.tree() if p.startswith("m/") and p != ANCHOR), "")


# ---- what nobody knows any more ---------------------------------------------------------------


@pytest.mark.parametrize("what", ["folder", "file"])
@pytest.mark.parametrize("heard", [True, False])
def test_an_older_delete_does_not_tell_of_one_that_was_forgotten(
    world: World, heard: bool, what: str
) -> None:
    """Who deleted it once, and heard that it was made again, brings it back if nobody says that it
    was deleted a second time."""
    users, ledger = users_of(world)
    faults, (a, *others) = Faults(world, ledger, users), world.devices.values()

    def make() -> None:
        if what == "folder":
            a.hands.make_folder("f")
        else:
            a.hands.write("f", b"of a")
            ledger.wrote((Kind.FILE, b"of a"), "A", "f", world.now)
        a.touched()

    make()
    settle(world)
    users._delete(others[0], "f")
    others[0].touched()
    settle(world)
    assert all(device.hands.at("f") is None for device in world.devices.values())
    ledger.folders.clear()
    ledger.deletes.clear()
    for other in others:  # they hear, and do nothing
        other._next_job = lambda lane: None  # type: ignore[method-assign]
    make()
    world.run_until(world.now + 5.0)
    users._delete(a, "f")
    a.touched()
    if heard:
        world.run_until(world.now + 20.0)
    faults.do("lose state", a, random.Random(1))
    told = bool(ledger.folders) if what == "folder" else not ledger.deletes[0].excused
    assert told is heard
    for other in others:
        del other._next_job
        for lane in other._lanes:
            other._next_job(lane)
    settle(world)
    all_hold(world, ledger)


@pytest.mark.parametrize("is_taken", [False, True])
def test_what_a_job_puts_there_when_the_index_is_lost_may_be_found(
    world: World, is_taken: bool
) -> None:
    users, ledger = users_of(world)
    faults, a, b = Faults(world, ledger, users), world.devices["A"], world.devices["B"]
    held: list[Lane] = []

    def next_job(lane: Lane) -> None:
        if any(isinstance(job, Apply) for job in b._lanes[lane]):
            held.append(lane)
        else:
            SimDevice._next_job(b, lane)

    b._next_job = next_job  # type: ignore[method-assign]
    a.hands.write("f", OF_B[1])
    ledger.wrote(OF_B, "A", "f", world.now)
    a.touched()
    world.run_to(lambda: bool(held))
    del b._next_job
    if is_taken:
        b._next_job(held[0])
    assert any(isinstance(job, Apply) for job in b.jobs_under_way())
    faults.forgot_index(b)
    assert [who for _, who in ledger.hands_on["f", OF_B]] == ["B"]
    assert ("B", "f", OF_B) in ledger.forgotten
    b._next_job(held[0])
    world.run_until(world.now + 5.0)
    assert not any(isinstance(job, Apply) for job in b.jobs_under_way())


@pytest.mark.parametrize("runs", [True, False])
def test_a_folder_may_come_back_from_a_clone_that_was_not_told(world: World, runs: bool) -> None:
    """Whoever was told may forget it as well. One that is switched off brings nothing back."""
    users, ledger = users_of(world)
    faults, a, b = Faults(world, ledger, users), world.devices["A"], world.devices["B"]
    a.hands.make_folder("f")
    a.touched()
    settle(world)
    clone = world.clone(a, fresh=False)
    clone.take = lambda fact: None  # type: ignore[method-assign]  # it hears nothing
    if not runs:
        world.clone_ends(a, clone)
    users._delete(b, "f")
    b.touched()
    assert [path for _, _, path in ledger.folders] == ["f"]
    settle(world)
    assert all(device.hands.at("f") is None for device in world.devices.values())
    faults.do("lose state", b, random.Random(1))
    assert bool(ledger.folders) is not runs
    if runs:
        world.clone_ends(a, clone)


@pytest.mark.parametrize("what", ["file", "empty file", "link", "folder"])
def test_a_folder_stays_that_was_needed_by_what_its_device_had_forgotten(
    world: World, what: str
) -> None:
    """B's user takes something away while B knows nothing of it, and the folder when B knows of the
    folder again. A has both still, so both are back. A's user deletes the one thing only."""
    users, ledger = users_of(world)
    faults, a, b = Faults(world, ledger, users), world.devices["A"], world.devices["B"]
    users._make_folder(b, "d")
    if what == "folder":
        users._make_folder(b, "d/p")
    elif what == "link":
        b.hands.make_link("d/p", LINK[1])
        users._wrote(b, "d/p")
    else:
        users._write(b, "d/p", b"of b" if what == "file" else b"")
    b.touched()
    settle(world)
    cut(world, "AB", "BC")
    faults.do("lose state", b, random.Random(1))
    users._delete(b, "d/p")
    world.run_to(lambda: b.alive)
    settle_apart(world)
    users._delete(b, "d")
    b.touched()
    assert [path for _, _, path in ledger.folders] == ["d"]
    settle_apart(world)
    cut(world)
    settle(world)
    assert "d/p" in all_hold(world, ledger), "it is not the story any more"
    users._delete(a, "d/p")
    a.touched()
    settle(world)
    tree = all_hold(world, ledger)
    assert tree == {"d": ("folder", "0o755")}
    for delete in (*ledger.deletes, *ledger.bare_deletes):
        delete.excused = ""
    with pytest.raises(laws.Broken, match="I3 folder"):
        laws.no_folder_came_back(world, ledger, tree)


@pytest.mark.parametrize("thing", (LINK, FOLDER), ids=("link", "folder"))
@pytest.mark.parametrize(
    ("first", "excused"),
    [
        (Delete("d/p", LINK, "A", 4.0, "forgotten"), True),
        (Delete("d/p", LINK, "A", 4.0), False),
        (Delete("d/p", LINK, "C", 4.0, "forgotten"), False),
        (Delete("d/p", LINK, "A", 5.5, "forgotten"), False),
        (Delete("d/q", LINK, "A", 4.0, "forgotten"), False),
        (Delete("d", LINK, "A", 4.0, "forgotten"), False),
        (Delete("dp", LINK, "A", 4.0, "forgotten"), False),
        (Delete("d/p", OF_B, "A", 4.0, "forgotten"), False),
    ],
)
@pytest.mark.parametrize("later", (6.0, 4.5))
def test_only_what_was_back_in_a_folder_excuses_that_the_folder_stays(
    tmp_path: Path, first: Delete, later: float, excused: bool, thing: Content
) -> None:
    """It was back if a user took it away once more, after the folder."""
    world = World(1, tmp_path, "AC", set(), Knobs())
    content = thing if first.content == LINK else first.content
    deletes = [replace(first, content=content), Delete("d/p", thing, "C", later)]
    ledger = Ledger(folders=[(5.0, "A", "d")])
    (ledger.bare_deletes if thing == FOLDER else ledger.deletes).extend(deletes)
    tree: laws.Tree = {"d": ("folder",)}
    if excused and later > 5.0:
        laws.no_folder_came_back(world, ledger, tree)
        return
    with pytest.raises(laws.Broken, match="I3 folder"):
        laws.no_folder_came_back(world, ledger, tree)


@pytest.mark.parametrize("calls", range(2))
@pytest.mark.parametrize("over", ["file", "link"])
@pytest.mark.parametrize(("by", "last"), [("file", "rename_new"), ("link", "exchange")])
def test_what_an_index_did_not_get_in_the_place_of_another_is_back(
    tmp_path: Path, by: str, last: str, over: str, calls: int
) -> None:
    """B ends when it has named what A made there, and before its index has that. Its user takes it
    away then, and B can only say that what was there before is deleted. last: the last call by
    which B could tell that it had named it."""
    world = World(1, tmp_path, "AB", {("A", "B")}, Knobs())
    users, ledger = users_of(world)
    a, b = world.devices["A"], world.devices["B"]

    def put(what: str, data: bytes) -> Content:
        users._delete(a, "f")
        if what == "file":
            users._write(a, "f", data)
        else:
            a.hands.make_link("f", data)
            users._wrote(a, "f")
        a.touched()
        return (Kind.FILE if what == "file" else Kind.SYMLINK, data)

    old = put(over, b"draft")
    settle(world)
    ends_after(b, last, calls, cut=False)
    new = put(by, b"of a")
    while b.alive:
        world.run_until(world.now + 0.1)
    assert b.knows("f", old) and not b.knows("f", new)
    users._delete(b, "f")
    settle(world)
    tree = all_hold(world, ledger)
    assert tree["f"][:2] == (by, new[1]), "it is not the story any more"
    ledger.deletes[-1].excused = ""
    with pytest.raises(laws.Broken, match="I3"):
        laws.nothing_came_back(world, ledger, tree)


# ---- what is in a .lefting --------------------------------------------------------------------


def _disk() -> Hands:
    return Hands(Disk(lambda: 0))


def test_what_an_agent_was_fetching_is_not_what_a_user_still_has() -> None:
    hands, ledger = _disk(), Ledger()
    assert hands.disk.top is not None
    staged = hands.disk.make(Kind.FILE, 0o600, b"of b")
    hands.disk.change((hands.disk.top, b"f.lefting", staged))
    hands.write("g", b"of b")
    ledger.wrote(OF_B, "A", "g", 1.0)
    assert is_in_tree(hands, OF_B)
    hands.write("g", b"another")
    assert not is_in_tree(hands, OF_B)
    ledger.removed("g", OF_B, "A", 2.0, "overwritten", hands)
    assert ledger.values[OF_B].ended == "overwritten"


def test_an_old_version_that_lies_in_a_lefting_is_owed_a_name() -> None:
    hands, ledger = _disk(), Ledger()
    hands.write("f", b"of b")
    hands.hard_link("f", "g")
    hands.rename("f", "f.lefting")
    ledger.wrote(OF_B, "A", "f", 1.0)
    hands.delete("g")
    ledger.removed("g", OF_B, "A", 2.0, "deleted", hands)
    assert not ledger.values[OF_B].ended


@pytest.mark.parametrize("calls", (0, 1))
@pytest.mark.parametrize("deed", ("delete", "rename"))
def test_a_folder_goes_with_an_old_version_that_has_no_name_yet(
    world: World, deed: str, calls: int
) -> None:
    """B ends between the exchange and the naming of the copy, and its user takes the folder away.
    What he deletes with it he has deleted; what he moves lies there, and B says so."""
    users, ledger = users_of(world)
    a, b = world.devices["A"], world.devices["B"]
    a.hands.make_folder("d")
    users._write(a, "d/f", b"draft")
    a.touched()
    settle(world)
    cut(world, "AB", "BC")
    users._write(b, "d/f", b"of b")
    b.touched()
    world.run_until(world.now + 5.0)
    users._write(a, "d/f", b"of a")
    a.touched()
    world.run_until(world.now + 5.0)
    ends_after(b, "exchange", calls, cut=False)
    cut(world)
    while b.alive:
        world.run_until(world.now + 0.1)
    assert b.hands.at("d/f.lefting") is not None
    if deed == "delete":
        users._delete(b, "d")
        assert ledger.values[OF_B].ended
    else:
        users._rename(b, "d", "e")
        assert not ledger.values[OF_B].ended
    settle(world)
    tree = all_hold(world, ledger)
    if deed == "rename":
        lies = b.hands.at("e/f.lefting")
        assert lies is not None and content_of(lies) == OF_B
        ledger.adrift.clear()
        with pytest.raises(laws.Broken, match="I2"):
            laws.nothing_lost(world, ledger, tree)


# ---- folders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("late", (False, True))
def test_a_folder_that_is_just_being_removed_as_elsewhere_may_go_where_it_is_moved(
    world: World, late: bool
) -> None:
    """B's user moves the folder above, in the instant of the call or when all is over."""
    users, ledger = users_of(world)
    a, b = world.devices["A"], world.devices["B"]
    users._make_folder(a, "d")
    users._make_folder(a, "d/s")
    a.touched()
    settle(world)
    before = b.calls.before

    def moves(call: str, path: str) -> None:
        before(call, path)
        if call == "remove_folder" and b.hands.at("d/s") is not None:
            users._rename(b, "d", "e")

    if late:
        cut(world, "AB", "BC")
        users._rename(b, "d", "e")
        b.touched()
    else:
        b.calls.before = moves
    users._delete(a, "d/s")
    a.touched()
    world.run_until(world.now + 5.0)
    cut(world)
    settle(world)
    tree = all_hold(world, ledger)
    laws.no_folder_lost(world, ledger, tree)
    assert ("e/s" in tree) is late and "e" in tree
    ledger.going_folders.clear()
    if late:
        laws.no_folder_lost(world, ledger, tree)
    else:
        with pytest.raises(laws.Broken, match="I2 folder"):
            laws.no_folder_lost(world, ledger, tree)


@pytest.mark.parametrize("then", ("", "moves", "deletes"))
def test_a_folder_that_is_just_being_made_comes_along_where_the_one_above_is_moved(
    world: World, then: str
) -> None:
    """B's user moves the folder above in the instant of the call, and perhaps finds there what he
    then moves or deletes."""
    users, ledger = users_of(world)
    a, b = world.devices["A"], world.devices["B"]
    users._make_folder(a, "d")
    a.touched()
    settle(world)
    before = b.calls.before

    def moves(call: str, path: str) -> None:
        before(call, path)
        if call == "make_folder" and b.hands.at("d") is not None:
            users._rename(b, "d", "e")

    b.calls.before = moves
    users._make_folder(a, "d/s")
    a.touched()
    world.run_to(lambda: b.hands.at("e/s"))
    match then:
        case "moves":
            users._rename(b, "e/s", "f")
        case "deletes":
            users._delete(b, "e/s")
    b.touched()
    settle(world)
    tree = all_hold(world, ledger)
    assert (
        "d/s" not in tree and ("e/s" in tree) is (not then) and ("f" in tree) is (then == "moves")
    )
    laws.no_folder_lost(world, ledger, tree)
    ledger.made_elsewhere.clear()
    with pytest.raises(laws.Broken, match="I2 folder"):
        laws.no_folder_lost(world, ledger, tree)


@pytest.mark.parametrize("late", (False, True))
def test_a_folder_at_the_name_of_a_copy_may_be_taken_for_the_old_version(
    world: World, late: bool
) -> None:
    """B's user puts it there before the old version was looked at there, or right after that."""
    users, ledger = users_of(world)
    a, b = world.devices["A"], world.devices["B"]
    cut(world, "AB", "BC")
    users._write(b, "d", b"of b")
    b.touched()
    world.run_until(world.now + 5.0)
    users._make_folder(a, "d")
    a.touched()
    world.run_until(world.now + 5.0)
    before, copies = b.calls.before, list[str]()

    def takes_the_name(call: str, path: str) -> None:
        before(call, path)
        for each in b.job.operations if isinstance(b.job, Apply) else ():
            copy = each.copy_to
            is_moved = copy is not None and b.hands.at(copy) is not None and not copies
            if is_moved and copy is not None and (not late or call == "make_folder"):
                copies.append(copy)
                users._delete(b, copy)
                users._make_folder(b, copy)
                b.touched()

    b.calls.before = takes_the_name
    cut(world)
    settle(world)
    tree = all_hold(world, ledger)
    assert len(copies) == 1 and laws.is_folder(tree["d"]) and (copies[0] in tree) is late
    laws.no_folder_lost(world, ledger, tree)
    ledger.at_copies.clear()
    if late:
        laws.no_folder_lost(world, ledger, tree)
    else:
        with pytest.raises(laws.Broken, match="I2 folder"):
            laws.no_folder_lost(world, ledger, tree)


# ---- two deletes ------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ("folder", "empty file"))
def test_a_link_that_a_user_replaced_is_back_and_no_bytes_are_lost(world: World, what: str) -> None:
    """A's link is on B when A's user replaces it by a file; C, which has something else there and
    knows of neither, deletes that. B hears of C's delete first: it has not seen the link, so B
    keeps the link above it, and A's file may become the copy."""
    users, ledger = users_of(world)
    a, c = world.devices["A"], world.devices["C"]
    cut(world, "AC", "BC")
    a.hands.make_link("p", LINK[1])
    users._wrote(a, "p")
    a.touched()
    if what == "folder":
        users._make_folder(c, "p")
    else:
        users._write(c, "p", b"")
    c.touched()
    settle_apart(world)
    cut(world, "AC", "BC", "AB")
    users._write(a, "f", b"of b")
    users._rename(a, "f", "p")
    a.touched()
    settle_apart(world)
    users._delete(c, "p")
    c.touched()
    settle_apart(world)
    cut(world, "AC", "AB")
    settle_apart(world)
    cut(world)
    settle(world)
    tree = all_hold(world, ledger)
    assert ("link", LINK[1]) in tree.values(), "it is not the story any more"
    assert OF_B[1] in [found[1] for found in tree.values() if found[0] == "file"]
    ledger.tombs.clear()
    if tree["p"][0] == "link":
        with pytest.raises(laws.Broken, match="I3"):
            laws.nothing_came_back(world, ledger, tree)


def settle_apart(world: World) -> None:
    """Devices that do not hear each other are never equal."""
    world.run_until(world.now + 15.0)


@pytest.mark.parametrize(
    ("device", "path", "excused"),
    [("C", "d/p", True), ("A", "d/p", False), ("C", "d", False), ("C", "d/p/below", False)],
)
def test_a_folder_that_another_one_deleted_there_excuses_what_came_back(
    tmp_path: Path, device: str, path: str, excused: bool
) -> None:
    world = World(1, tmp_path, "ABC", set(), Knobs())
    ledger = Ledger(deletes=[Delete("d/p", LINK, "A", 5.0)], tombs={(device, path)})
    tree: laws.Tree = {"d/p": ("link", LINK[1])}
    if excused:
        laws.nothing_came_back(world, ledger, tree)
        return
    with pytest.raises(laws.Broken, match="I3"):
        laws.nothing_came_back(world, ledger, tree)


@pytest.mark.parametrize(
    ("device", "path", "excused"),
    [("C", "d/p", True), ("A", "d/p", False), ("C", "d", False), ("C", "d/p/below", False)],
)
def test_a_link_that_another_one_deleted_there_excuses_a_folder_that_came_back(
    tmp_path: Path, device: str, path: str, excused: bool
) -> None:
    world = World(1, tmp_path, "ABC", set(), Knobs())
    ledger = Ledger(folders=[(5.0, "A", "d/p")], deletes=[Delete(path, LINK, device, 6.0)])
    tree: laws.Tree = {"d/p": ("folder",)}
    if excused:
        laws.no_folder_came_back(world, ledger, tree)
        return
    with pytest.raises(laws.Broken, match="I3 folder"):
        laws.no_folder_came_back(world, ledger, tree)


@pytest.mark.parametrize("names", ("AC", "ABC"))
def test_only_a_third_device_can_keep_what_two_deleted(tmp_path: Path, names: str) -> None:
    world = World(1, tmp_path, names, set(), Knobs())
    deletes = [Delete("p", LINK, "A", 5.0), Delete("p", OF_B, "C", 6.0)]
    ledger = Ledger(deletes=deletes, folders=[(7.0, "A", "q")], tombs={("A", "q"), ("C", "q")})
    if len(names) > 2:
        laws.nothing_came_back(world, ledger, {"p": ("link", LINK[1])})
        laws.no_folder_came_back(world, ledger, {"q": ("folder",)})
        return
    with pytest.raises(laws.Broken, match="I3"):
        laws.nothing_came_back(world, ledger, {"p": ("link", LINK[1])})
    with pytest.raises(laws.Broken, match="I3 folder"):
        laws.no_folder_came_back(world, ledger, {"q": ("folder",)})


def _deletes_are_outbid(
    ours: Entry | None, theirs: Entry, known: Iterable[Entry] = (), *, in_use: bool = False
) -> Verdict:
    verdict = reconcile(ours, theirs, known, in_use=in_use)
    stays = verdict is Verdict.TAKE and ours is not None and not ours.deleted
    return Verdict.PUBLISH_AGAIN if stays and theirs.deleted else verdict


@pytest.mark.parametrize("devices", (2, 3))
def test_what_comes_back_without_such_a_reason_is_found(
    monkeypatch: pytest.MonkeyPatch, devices: int
) -> None:
    monkeypatch.setattr("leftzmq.sync.versions.resolver.reconcile", _deletes_are_outbid)
    for seed in range(40):
        broken = run(plan_of(seed, devices)).broken
        if isinstance(broken, laws.Broken):
            assert broken.law in ("I3", "I3 folder")
            return
    pytest.fail("not found in 40 seeds")


def test_what_an_index_had_when_it_was_opened_outlives_a_power_cut(world: World) -> None:
    """It is in the database then: with a part of the -wal the pages of two states would be mixed.
    The share is away, so no life begins, which would begin the -wal anew."""
    device = world.devices["A"]
    device.start()
    device.store.put_meta("said", b"before")
    device.store.put_meta("long", bytes(1 << 17))  # the -wal grows beyond what was flushed
    device.store.commit()
    top, device.disk.top = device.disk.top, None
    with pytest.raises(ShareError):
        device._open_anew(SHARE)
    device.disk.top = top
    device.cut_power()
    device.start()
    assert device.store.meta("said") == b"before"


# ---- a bit turns back -------------------------------------------------------------------------


@pytest.mark.parametrize("path", ("f.lefting", "f"))
def test_a_bit_does_not_turn_back_in_what_is_just_arriving(world: World, path: str) -> None:
    """A's user touched the file, so A tells its present bytes. B's index has them a moment after
    B's disk."""
    users, ledger = users_of(world)
    faults, chance = Faults(world, ledger, users), random.Random(1)
    a, b = world.devices["A"], world.devices["B"]
    cut(world, "AB", "AC")
    users._write(a, "f", b"of a")
    a.disk.flush_all()
    a.touched()
    world.run_until(world.now + 5.0)
    faults.do("turn a bit", a, chance)
    assert faults.bits_turned
    users.do("touch", a, chance)
    world.run_until(world.now + 5.0)
    cut(world)
    while (found := b.hands.at(path)) is None or not found.data:
        world.run_until(world.now + 0.0001)
    with b.reading() as reader:
        assert reader.ours("f") is None
    faults.turn_back()
    settle(world)
    all_hold(world, ledger)
