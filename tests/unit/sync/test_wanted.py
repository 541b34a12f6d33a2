"""What a device fetches and what it lets go of, on real files: `only`, get and drop."""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.sync.facts import (
    Asked,
    Fact,
    LocalRulesSet,
    PageArrived,
    PathsTouched,
    TimePassed,
    Touch,
)
from leftzmq.sync.link import Link
from leftzmq.sync.scan.keeping import ROWS_A_TURN
from leftzmq.sync.versions.counters import Counters
from leftzmq.sync.versions.path_locks import LockOwner
from leftzmq.sync.versions.withheld import WhyWithheld
from leftzmq.wire.messages import Get, Message
from tests.helpers.mesh import Device, Mesh
from tests.sim.node import FOLDER


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    mesh = Mesh(tmp_path, "ABC")
    mesh.begin()
    return mesh


def quiet(mesh: Mesh) -> None:
    mesh.scan_all()
    mesh.settle()
    for device in mesh.devices.values():
        if device.alive:
            view = device.folder.index_view
            assert view.counters.tickets == 0 and view.counters == Counters.of(device.store)
            assert not device.folder.problems.all(), device.folder.problems.all()


def names(device: Device) -> set[str]:
    return set(device.tree())


def only(mesh: Mesh, device: Device, *paths: str) -> None:
    device.take(LocalRulesSet(FOLDER, (), True, paths))
    mesh.settle()


def ask(
    mesh: Mesh, device: Device, verb: str, path: str = "", **fields: object
) -> dict[str, object]:
    before = len(device.answers)
    device.take(Asked(b"x", verb, {"path": path, **fields}))
    mesh.settle(30)
    (answer,) = device.answers[before:]
    return answer


def test_only_what_is_named_is_fetched_with_the_folders_above_it(
    mesh: Mesh, a: Device, b: Device
) -> None:
    only(mesh, b, "x/y", "one.txt")
    for path in ("x/y/1", "x/y/z/2", "x/3", "q/4", "one.txt", "two.txt"):
        a.write(path, path.encode())
    a.write("x/.leftignore", b"z")
    a.write("q/.leftignore", b"z")
    quiet(mesh)
    assert names(b) == {"x", "x/y", "x/y/1", "one.txt", "x/.leftignore"}


def test_the_folders_above_what_is_let_go_before_it_came_are_not_made(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """Seed 79410772: they were wanted for that alone."""
    only(mesh, b, "near")
    a.write("d/e/f", b"1")
    a.write("d/.leftignore", b"z")
    quiet(mesh)
    assert names(b) == set()
    assert b.folder.locks.lock("d", LockOwner.SETTLER)
    ask(mesh, b, "get", "d/e/f")
    ask(mesh, b, "drop", "d/e/f")
    b.folder.locks.release(("d",), LockOwner.SETTLER)
    quiet(mesh)
    assert names(b) == set()


def test_what_is_here_stays_and_what_is_made_here_is_told(mesh: Mesh, a: Device, b: Device) -> None:
    """Story 13."""
    a.write("old/1", b"1")
    a.write("old/2", b"2")
    quiet(mesh)
    only(mesh, b, "new")
    assert names(b) == {"old", "old/1", "old/2"}
    a.write("old/1", b"a successor")
    a.write("old/3", b"not fetched")
    (a.share / "old/2").unlink()
    b.write("made/here", b"B")
    quiet(mesh)
    assert (b.share / "old/1").read_bytes() == b"a successor"
    assert names(b) == {"old", "old/1", "made", "made/here"}
    assert {"made/here", "old/3"} <= names(a)


def test_a_file_that_is_made_where_others_have_one_meets_theirs(
    mesh: Mesh, a: Device, b: Device
) -> None:
    only(mesh, b, "new")
    a.write("x", b"A's")
    quiet(mesh)
    mesh.now += 5
    b.write("x", b"B's")
    quiet(mesh)
    assert (a.share / "x").read_bytes() == (b.share / "x").read_bytes() == b"B's"
    copies = {name for name in names(a) if "conflict" in name}
    assert len(copies) == 1 and copies <= names(a)


@pytest.mark.parametrize("is_judging", [False, True])
def test_what_is_not_wanted_from_now_on_is_not_begun_before_its_row_is_judged(
    mesh: Mesh, a: Device, b: Device, is_judging: bool
) -> None:
    """Rows are judged some in each turn; a ticket may be looked for before the turn of its row."""
    wanted, other = "x", "z"
    for number in range(ROWS_A_TURN):
        a.write(f"m/{number}", b"1")
    for path in (wanted, other):
        a.write(path, b"1")
    go_on = b.folder.applier.go_on
    b.folder.applier.go_on = lambda now: []  # type: ignore[method-assign]
    mesh.scan_all()
    mesh.settle(1.0)  # B goes on in vain meanwhile
    b.folder.applier.go_on = go_on  # type: ignore[method-assign]
    resolver = b.folder._resolver
    assert all(resolver.ticket(path) is not None for path in (wanted, other))
    b.folder.keeping.tune((), litter=True, only=(wanted,))
    if is_judging:
        b.folder.keeping.on_time_passed(mesh.now)
    begun = [path for path in (wanted, other, "m", "m/5") if resolver.ticket(path) is not None]
    assert begun == [wanted]
    quiet(mesh)
    assert names(b) == {wanted}


def test_a_rotten_file_that_its_user_removes_before_it_is_back_stays_away(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """It is healed as long as it lies there, and is not wanted when it does not (seed 74013822)."""
    a.write("x", b"A's")
    quiet(mesh)
    only(mesh, b, "new")
    ours = b.folder.index_view.ours("x")
    assert ours is not None
    go_on = b.folder.applier.go_on
    b.folder.applier.go_on = lambda now: []  # type: ignore[method-assign]
    assert b.folder._resolver.unhave("x", ours.scan, WhyWithheld.ROTTEN)
    (b.share / "x").unlink()
    b.take(PathsTouched(FOLDER, (("x", Touch.GONE),)))
    mesh.settle()
    b.folder.applier.go_on = go_on  # type: ignore[method-assign]
    quiet(mesh)
    assert names(b) == set() and names(a) == {"x"}


def test_get_fetches_and_stays_over_a_start(mesh: Mesh, a: Device, b: Device) -> None:
    only(mesh, b, "new")
    a.write("x/y/1", b"1")
    a.write("x/2", b"2")
    quiet(mesh)
    assert names(b) == set()
    assert ask(mesh, b, "get", "x/y") == {"folder": FOLDER, "path": "x/y"}
    quiet(mesh)
    assert names(b) == {"x", "x/y", "x/y/1"}
    b.kill()
    b.start()
    a.write("x/y/3", b"3")
    quiet(mesh)
    assert "x/y/3" in names(b)


def test_drop_removes_it_here_alone_and_what_happens_elsewhere_does_not_come_back(
    mesh: Mesh, a: Device, b: Device, c: Device
) -> None:
    for path in ("x/1", "x/d/2", "y"):
        a.write(path, path.encode())
    quiet(mesh)
    answer = ask(mesh, b, "drop", "x")
    assert (answer["dropped"], answer["stayed"], answer["more"]) == (4, 0, False)
    counters = b.folder.index_view.counters
    assert (counters.not_kept, counters.not_kept_bytes) == (4, len("x/1" + "x/d/2"))
    assert names(b) == {"y"} and names(a) == names(c) == {"x", "x/1", "x/d", "x/d/2", "y"}
    assert not list((b.share / ".left").rglob("1")), "room is the purpose"
    a.write("x/1", b"edited")
    (a.share / "x/d/2").unlink()
    quiet(mesh)
    assert names(b) == {"y"}
    b.kill()
    b.start()
    quiet(mesh)
    assert names(b) == {"y"}
    ask(mesh, b, "get", "x")
    quiet(mesh)
    assert names(b) == {"x", "x/1", "x/d", "y"} and (b.share / "x/1").read_bytes() == b"edited"


def test_drop_of_what_nobody_connected_has_is_refused(
    mesh: Mesh, a: Device, b: Device, c: Device
) -> None:
    a.write("x", b"1")
    quiet(mesh)
    a.kill()
    c.kill()
    answer = ask(mesh, b, "drop", "x")
    assert answer["dropped"] == 0 and answer["stayed_list"] == [
        {"path": "x", "why": "no connected device that may write has it as it is here"}
    ]
    assert names(b) == {"x"}


def test_drop_of_what_was_changed_here_is_refused(mesh: Mesh, a: Device, b: Device) -> None:
    """Story 12."""
    a.write("x", b"1")
    quiet(mesh)
    (b.share / "x").write_bytes(b"an edit that nobody has read yet")
    answer = ask(mesh, b, "drop", "x")
    assert answer["dropped"] == 0 and answer["stayed"] == 1
    quiet(mesh)
    assert (b.share / "x").read_bytes() == b"an edit that nobody has read yet"
    assert (a.share / "x").read_bytes() == b"an edit that nobody has read yet"


@pytest.mark.parametrize("later", [0.0, 0.005, 0.02, 0.1])
@pytest.mark.parametrize(("path", "dropped"), [("x", "x"), ("x/y", "x")])
def test_of_the_last_two_copies_at_most_one_goes(
    mesh: Mesh, a: Device, b: Device, c: Device, later: float, path: str, dropped: str
) -> None:
    """Story 11."""
    a.write(path, b"1")
    quiet(mesh)
    c.kill()
    a.take(Asked(b"x", "drop", {"path": dropped}))
    end = mesh.now + later
    while mesh.now < end and mesh.step():
        mesh.now += 0.001
    b.take(Asked(b"x", "drop", {"path": dropped}))
    mesh.settle(60)
    assert path in names(a) | names(b)
    quiet(mesh)
    holders = [device for device in (a, b) if path in names(device)]
    assert holders and all((d.share / path).read_bytes() == b"1" for d in holders)
    assert all(d.folder.index_view.ours(path) is not None for d in holders)


def test_drop_of_all_that_is_not_fetched_any_more(mesh: Mesh, a: Device, b: Device) -> None:
    for path in ("x/1", "x/2", "y/3", "z"):
        a.write(path, path.encode())
    quiet(mesh)
    only(mesh, b, "y")
    answer = ask(mesh, b, "drop", outside_only=True)
    assert answer["stayed"] == 0 and names(b) == {"y", "y/3"}
    assert ask(mesh, b, "drop", outside_only=True)["dropped"] == 0


def test_a_start_in_the_middle_of_a_drop_keeps_the_path(mesh: Mesh, a: Device, b: Device) -> None:
    a.write("x", b"1")
    quiet(mesh)
    b.take(Asked(b"x", "drop", {"path": "x"}))
    while b.folder.index_view.base("x") is None:
        assert mesh.step()
    b.kill()
    b.start()
    quiet(mesh)
    assert names(b) == {"x"} and b.folder.index_view.ours("x") is not None


def test_what_others_made_anew_above_our_delete_is_passed_over_and_keeps_nobody_waiting(
    mesh: Mesh, a: Device, b: Device
) -> None:
    only(mesh, b, "new")
    b.write("x", b"B's")
    quiet(mesh)
    (b.share / "x").unlink()
    quiet(mesh)
    a.write("x", b"A's, anew")
    quiet(mesh)
    assert names(a) == {"x"} and names(b) == set()
    view = b.folder.index_view
    assert (view.counters.not_kept, view.counters.not_kept_bytes) == (1, len("A's, anew"))
    lacking = view.peer_counts.lacking(b.store.heads.head_of(a.key).mask)
    assert lacking.paths == 0, "A has what is above our delete"
    assert b.folder.peer_lag.since(a.key) is None


@pytest.mark.parametrize("verb", ["only", "get"])
@pytest.mark.parametrize("facts", [0, 1, 5, 10, 15, 20, 30])
def test_what_is_wanted_again_in_the_middle_of_a_drop_is_deleted_nowhere(
    mesh: Mesh, a: Device, b: Device, verb: str, facts: int
) -> None:
    """Folders go after what is in them, each when others have heard of that."""
    a.write("x/y/1", b"1")
    a.write("x/2", b"2")
    quiet(mesh)
    only(mesh, b, "new")
    b.take(Asked(b"x", "drop", {"path": "", "outside_only": True}))
    for _ in range(facts):
        mesh.step()
    if verb == "only":
        b.take(LocalRulesSet(FOLDER, (), True, ()))
    else:
        b.take(Asked(b"x", "get", {"path": "x"}))
    mesh.settle(60)
    quiet(mesh)
    assert names(a) == names(b) == {"x", "x/2", "x/y", "x/y/1"}


def test_what_is_dropped_while_it_is_being_fetched_is_waited_for_no_more(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """Nobody gives it: nothing else ends that."""
    send = mesh.send

    def gives_nothing(device: Device, link: Link, message: Message, body: object) -> None:
        if not isinstance(message, Get):
            send(device, link, message, body)

    mesh.send = gives_nothing  # type: ignore[method-assign]
    a.write("x", b"1")
    a.scan()
    mesh.look_anew()
    while not b.folder.applier._window.active:
        if not mesh.step():
            mesh.pass_time(mesh.next_due())
    b.take(Asked(b"x", "drop", {"path": "x"}))
    mesh.settle(30)
    assert b.folder.state.value == "idle" and "x" not in names(b)


@pytest.mark.parametrize(("path", "got"), [("x", "x"), ("d/x", "d/x"), ("d/x", "d")])
def test_what_went_and_was_not_written_down_comes_when_it_is_wanted_again(
    mesh: Mesh, a: Device, b: Device, path: str, got: str
) -> None:
    """The index failed after it was removed: what it was is remembered, and lies there no more."""
    a.write(path, b"1")
    quiet(mesh)
    view = b.folder.index_view
    row = view.ours(path)
    assert row is not None
    ask(mesh, b, "drop", path)
    view.store.put_base(row.entry, row.scan)
    view.has_bases = True
    ask(mesh, b, "get", got)
    mesh.settle(60)
    assert path in names(b)


@pytest.mark.parametrize("facts", [0, 1, 2])
def test_what_is_ignored_from_now_on_is_let_go_no_more(
    mesh: Mesh, a: Device, b: Device, facts: int
) -> None:
    """What is ignored stays where it is."""
    a.write("d/x", b"1")
    quiet(mesh)
    b.take(Asked(b"x", "drop", {"path": "d"}))
    for _ in range(facts):
        mesh.step()
    b.take(LocalRulesSet(FOLDER, ("x",), True, ()))
    mesh.settle(60)
    assert names(b) == {"d", "d/x"}


def test_what_is_got_while_it_is_dropped_comes_though_the_agent_ends_before_its_look(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """Its user had removed it meanwhile, and a look is to tell that (seed 77031261)."""
    a.write("x", b"A's")
    quiet(mesh)
    b.handle(Asked(b"x", "drop", {"path": "x"}))
    (b.share / "x").unlink()
    b.handle(Asked(b"x", "get", {"path": "x"}))
    for _ in range(3):
        b.handle(TimePassed())
    b.kill()
    b.start()
    quiet(mesh)
    assert names(b) == {"x"}


def test_the_last_copy_stays_though_its_last_holder_has_not_heard_of_another_drop(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """All three drop it, one after the other, and A's news do not reach B (seed 77030728). What A
    says to B directly overtakes them: A is done with B's withdrawal, and B still believes that A
    has a copy."""
    c = mesh.devices["C"]
    a.write("x", b"the only one")
    quiet(mesh)
    take = mesh._take

    def all_but_a_s_news(receiver: Device, fact: Fact | None) -> None:
        is_news = isinstance(fact, PageArrived) and fact.page.device == a.key
        if receiver is not b or not is_news:
            take(receiver, fact)

    mesh._take = all_but_a_s_news  # type: ignore[method-assign]
    for device in (a, c):
        assert mesh.ask(device, "drop", path="x")["dropped"] == 1
        mesh.settle(2.0)
    assert b.folder.store.heads.head_of(a.key).mask & b.folder.index_view.all_rows("x")[0].holders
    b.take(Asked(b"x", "drop", {"path": "x"}))
    mesh.settle(2.0)
    mesh._take = take  # type: ignore[method-assign]
    mesh.settle(60.0)
    assert (b.share / "x").read_bytes() == b"the only one"
    (answer,) = b.answers[-1:]
    assert (answer["dropped"], answer["stayed"]) == (0, 1)
