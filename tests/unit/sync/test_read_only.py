"""A member that may only read gets everything and changes nothing for others, whatever it says.

The nodes are joined by the mesh, on real shares; A and B may write, R was let in to read.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from msgspec import structs

from leftzmq.errors import ProblemKind
from leftzmq.sync.facts import (
    Asked,
    BytesDoubted,
    CookieSeen,
    LinkClosed,
    LinkOpened,
    ModesChanged,
    RosterGrew,
    TimePassed,
)
from leftzmq.sync.jobs import Apply, CountLosses, Doubt, DropCookie, Job, LossesCounted
from leftzmq.sync.link import Link, Way
from leftzmq.tree.accepted import Accepted
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.permissions import Permissions
from leftzmq.tree.version import Life, Vector
from leftzmq.wire.messages import Get, IndexSince
from tests.helpers.members import Members
from tests.helpers.mesh import Device, Held
from tests.sim.node import FOLDER
from tests.unit.sync.test_mesh import trash
from tests.unit.sync.upload.test_bit_rot import problems, turn

pytestmark = pytest.mark.slow

SEEDS = 25
FILES = 130  # the guard counts from 100 on
ALL = 1 << 40  # a counter that no writer has reached


@pytest.fixture
def mesh(tmp_path: Path) -> Members:
    mesh = Members(tmp_path, "ABR")
    submit = mesh.submit

    def watched(device: Device, job: Job) -> None:
        submit(device, job)
        if isinstance(job, DropCookie):
            device.take(CookieSeen(job.folder, job.name))

    mesh.submit = watched  # type: ignore[method-assign,assignment]
    mesh.start("AB")
    mesh["A"].rosters.found(FOLDER)
    mesh["A"].take(RosterGrew(FOLDER))
    mesh.settle()
    mesh.invites("A", "R", "read")
    mesh.start("R")
    for name in "ABR":
        assert mesh.live(name) == "ABR"
    return mesh


def settle(mesh: Members) -> None:
    mesh.scan_all()
    mesh.settle(60.0)


def changes(device: Device) -> list[str]:
    """The paths of which the user reads that they were changed in vain."""
    found = device.folder.problems.all()
    return sorted(one.path for one in found if one.kind is ProblemKind.CHANGED_BY_READER)


def total(device: Device) -> list[str]:
    found = device.folder.problems.all()
    return [one.detail for one in found if one.kind is ProblemKind.READS_ONLY]


def contents(device: Device) -> dict[str, object]:
    return {
        path: what[1] if isinstance(what, tuple) and what[0] == "file" else what
        for path, what in device.tree().items()
    }


def is_in_sync(mesh: Members, name: str, **fields: object) -> bool:
    number = len(mesh[name].answers)
    mesh[name].take(Asked(b"x", "wait", {"timeout": 5.0} | fields))
    mesh.settle(20.0)
    (answer,) = mesh[name].answers[number:]
    return bool(answer["in_sync"])


def test_all_know_who_may_only_read(mesh: Members) -> None:
    for name in "ABR":
        assert mesh[name].rosters.readers(FOLDER) == {mesh["R"].key}


def test_what_is_changed_by_a_reader_stays_there_and_is_said(mesh: Members) -> None:
    mesh["A"].write("edited", b"by A")
    mesh["A"].write("deleted", b"by A")
    settle(mesh)
    assert mesh["R"].tree() == mesh["A"].tree() == mesh["B"].tree()
    before = mesh["A"].tree()

    mesh["R"].write("edited", b"by R")
    mesh["R"].write("new", b"by R")
    os.unlink(mesh["R"].share / "deleted")
    settle(mesh)
    assert mesh["A"].tree() == mesh["B"].tree() == before
    assert contents(mesh["R"]) == {"edited": b"by R", "new": b"by R"}
    assert changes(mesh["R"]) == ["deleted", "edited", "new"]
    assert total(mesh["R"]) == ["3 changes made here"]
    assert "the folder share: this device may only read it" in mesh.said("R")
    assert not changes(mesh["A"]) and not total(mesh["A"])

    # Nobody waits for what nobody is to have.
    assert all(is_in_sync(mesh, name) for name in "ABR")
    assert all(is_in_sync(mesh, name, path="new") for name in "ABR")
    status = mesh.ask(mesh["A"], "status")["folders"][0]
    assert (status["state"], status["tickets"]) == ("idle", 0)
    assert {one["name"]: one["state"] for one in status["members"]}["R"] == "in sync"

    os.unlink(mesh["R"].share / "new")  # nobody else ever had it
    mesh["R"].write("edited", b"by A", mtime=(mesh["A"].share / "edited").stat().st_mtime)
    settle(mesh)
    assert changes(mesh["R"]) == ["deleted", "edited"]


def test_what_has_no_folder_here_is_not_fetched_again_and_again(mesh: Members) -> None:
    """A file of the reader lies where the others have a folder. It goes on when that is over."""
    mesh["R"].write("p", b"by R")
    settle(mesh)
    mesh["A"].write("p/deep", b"by A")
    settle(mesh)
    assert contents(mesh["R"]) == {"p": b"by R"}

    def asked() -> int:
        return sum(isinstance(message, Get) for message in mesh["R"].sent)

    before = asked()
    mesh.settle(600.0)
    assert asked() == before
    os.unlink(mesh["R"].share / "p")
    (mesh["R"].share / "p").mkdir()
    settle(mesh)
    assert contents(mesh["R"]) == {"p": ("folder",), "p/deep": b"by A"}


def test_a_folder_that_was_left_and_is_joined_again_hears_once_more_who_reads(
    mesh: Members,
) -> None:
    r, said = mesh["R"], mesh.roster("A").after()
    r.rosters.forget_folder(FOLDER)
    r.rosters.add_folder(FOLDER, r.keys)
    r.exchange.folder_added(FOLDER)
    r.rosters.pin(FOLDER, mesh["A"].rosters.pins(FOLDER))
    r.rosters.take(FOLDER, said, None, mesh.now)
    out = r.exchange.on_roster_grew(RosterGrew(FOLDER), mesh.now)
    assert ModesChanged(FOLDER, frozenset((r.key,))) in out


@pytest.mark.parametrize("restarted", ["", "R", "A", "ABR"])
def test_who_may_write_from_now_on_does_so_without_another_start(
    mesh: Members, restarted: str
) -> None:
    for name in restarted:
        mesh[name].kill()
        mesh[name].start()
    mesh.settle()
    mesh.removes("A", "R")
    mesh.invites("A", "R")
    for name in "AB":
        mesh.joins_again(name, "R")
    mesh.settle(120.0)
    r = mesh["R"]
    assert r.rosters.folders[FOLDER].roster.mode(r.key) == "full"
    r.write("by R", b"may write now")
    settle(mesh)
    for name in "AB":
        assert (mesh[name].share / "by R").read_bytes() == b"may write now"
    assert not changes(r) and not total(r)


def test_a_reader_that_is_removed_is_not_asked_as_one_who_may_write(mesh: Members) -> None:
    mesh.removes("A", "R")
    settle(mesh)
    said = [one for one in mesh.sent if one.to == "R" and "R" in one.knew]
    assert not [one for one in said if isinstance(one.message, IndexSince)]


def test_a_later_version_reaches_a_changed_file_and_the_change_becomes_a_copy(
    mesh: Members,
) -> None:
    mesh["A"].write("p", b"first")
    settle(mesh)
    mesh["R"].write("p", b"by R")
    settle(mesh)
    mesh["B"].write("p", b"second")
    settle(mesh)
    assert contents(mesh["A"]) == contents(mesh["B"]) == {"p": b"second"}
    found = contents(mesh["R"])
    assert found.pop("p") == b"second"
    (copy,) = found
    assert found == {copy: b"by R"} and changes(mesh["R"]) == [copy]


def test_a_reader_relays_no_version_but_gives_its_bytes(mesh: Members) -> None:
    mesh["B"].kill()
    settle(mesh)
    mesh["A"].write("p", b"by A")
    settle(mesh)
    mesh["A"].kill()
    mesh["B"].start()
    settle(mesh)
    assert contents(mesh["R"]) == {"p": b"by A"} and not contents(mesh["B"])
    assert is_in_sync(mesh, "B")  # as far as anybody says who may write

    mesh["A"].start()
    mesh.settle()
    assert contents(mesh["B"]) == {"p": b"by A"}
    row = mesh["B"].folder.index_view.ours("p")
    assert row is not None
    assert mesh["R"].key in mesh["B"].folder.holders(row.entry)


def test_its_acknowledgement_is_waited_for(mesh: Members) -> None:
    mesh["R"].kill()
    mesh["A"].write("p", b"by A")
    settle(mesh)
    assert not is_in_sync(mesh, "A", peers="R")
    mesh["R"].start()
    settle(mesh)
    assert is_in_sync(mesh, "A", peers="R")


def test_what_it_says_counts_from_the_moment_at_which_it_may_write(mesh: Members) -> None:
    mesh["A"].write("p", b"by A")
    settle(mesh)
    mesh["R"].write("p", b"by R")
    mesh["R"].write("new", b"by R")
    settle(mesh)
    mesh.removes("A", "R")
    mesh.invites("A", "R")
    for name in "AB":
        mesh[name].take(LinkOpened(Link(mesh["R"].key, Way.DIALED)))
        mesh["R"].take(LinkOpened(Link(mesh[name].key, Way.DIALED)))
    settle(mesh)
    assert mesh["R"].rosters.mode(mesh["R"].key) == "full"
    for name in "ABR":
        assert contents(mesh[name]) == {"p": b"by R", "new": b"by R"}
    assert not changes(mesh["R"]) and not total(mesh["R"])


def test_what_was_changed_in_vain_is_said_no_more_when_the_others_take_it(mesh: Members) -> None:
    """R hears in one message that it was removed and let in again, so its folder never stops."""
    mesh["R"].write("new", b"by R")
    settle(mesh)
    assert changes(mesh["R"]) == ["new"]
    for name in "AB":
        mesh[name].take(LinkClosed(Link(mesh["R"].key, Way.DIALED), "gone"))
        mesh["R"].take(LinkClosed(Link(mesh[name].key, Way.DIALED), "gone"))
    mesh.settle()
    mesh.removes("A", "R")
    mesh.invites("A", "R")
    for name in "AB":
        mesh[name].take(LinkOpened(Link(mesh["R"].key, Way.DIALED)))
        mesh["R"].take(LinkOpened(Link(mesh[name].key, Way.DIALED)))
    mesh.settle()
    assert contents(mesh["A"]) == contents(mesh["B"]) == {"new": b"by R"}
    assert not changes(mesh["R"]) and not total(mesh["R"])
    assert not mesh["R"].folder.index_view.touched


def test_who_may_write_now_is_asked_for_all_that_it_has(mesh: Members) -> None:
    """Of what it said of a version that others have, too, only that it has it was kept."""
    mesh["A"].write("p", b"by A")
    settle(mesh)
    before = entry_of(mesh["A"], "p")
    forge(mesh["R"], before)
    mesh.settle()
    assert entry_of(mesh["A"], "p") == entry_of(mesh["B"], "p") == before
    mesh.removes("A", "R")
    mesh.invites("A", "R")
    for name in "AB":
        mesh[name].take(LinkOpened(Link(mesh["R"].key, Way.DIALED)))
        mesh["R"].take(LinkOpened(Link(mesh[name].key, Way.DIALED)))
    settle(mesh)
    assert mesh["A"].rosters.mode(mesh["R"].key) == "full"
    assert entry_of(mesh["A"], "p").vector.saw(before.writer, ALL)


def test_what_it_said_before_counts_no_more_when_it_may_only_read(tmp_path: Path) -> None:
    mesh = Members(tmp_path, "ABR")
    mesh.start("ABR")
    mesh["A"].rosters.found(FOLDER)
    mesh["A"].take(RosterGrew(FOLDER))
    mesh.settle()
    mesh["B"].kill()
    mesh["R"].write("p", b"by R")
    settle(mesh)
    mesh["R"].write("p", b"by R, who could write")
    held = mesh["A"].share / "p"
    settle(mesh)
    mesh.removes("A", "R")
    mesh.invites("A", "R", "read")
    mesh["B"].start()
    settle(mesh)
    assert mesh["B"].rosters.readers(FOLDER) == {mesh["R"].key}
    assert held.read_bytes() == b"by R, who could write"
    assert mesh["B"].tree() == mesh["A"].tree()


def test_who_may_only_read_is_known_before_a_start_looks_at_the_share(mesh: Members) -> None:
    """The files that lie in A's share are found by its first walk, and R says that it deleted
    them, or has made them itself."""
    mesh["A"].write("p", b"by A")
    mesh["A"].write("q", b"by A")
    settle(mesh)
    before = mesh["A"].tree()
    forge(mesh["R"], grave_of(entry_of(mesh["R"], "p")))
    mesh.settle()
    for name in "AB":
        mesh[name].kill()
        for file in mesh[name].state.iterdir():
            file.unlink()
    mesh["A"].start_and_walk_last()
    assert mesh["A"].tree() == before
    mesh["B"].start()
    settle(mesh)
    assert mesh["A"].tree() == mesh["B"].tree() == before


def test_what_a_reader_says_makes_no_loss_of_a_move(mesh: Members) -> None:
    """More than half of the files move; where they move to, R says that all was deleted."""
    for number in range(FILES):
        mesh["A"].write(f"old/{number}", b"%d" % number)
    settle(mesh)
    for number in range(FILES):
        there = entry_of(mesh["R"], f"old/{number}")
        forge(mesh["R"], structs.replace(grave_of(there), path=f"new/{number}"))
    mesh.settle()
    waits = Held(mesh["B"], Apply, CountLosses)  # nothing is moved before the guard has counted
    os.rename(mesh["A"].share / "old", mesh["A"].share / "new")
    mesh["A"].scan()
    mesh.settle(120.0)
    count = waits.take(CountLosses)
    while True:
        counted = mesh["B"].runner.run(count)
        assert isinstance(counted, LossesCounted)
        if counted.done:
            break
    assert counted.files == 0


def test_a_reader_lets_nothing_pass_the_guard(mesh: Members) -> None:
    mesh["R"].folder.index_view.accept(Accepted(((Life(b"x" * 12), 1, 9),)))
    mesh["A"].write("p", b"by A")
    settle(mesh)
    mesh["R"].write("q", b"by R")
    settle(mesh)
    assert not mesh["A"].folder.index_view.accepted


def entry_of(device: Device, path: str) -> Entry:
    row = device.folder.index_view.ours(path)
    assert row is not None
    return row.entry


def grave_of(entry: Entry) -> Entry:
    entry = structs.replace(entry, deleted=True, size=0, mtime_ns=0, exec=False, depth=0)
    return structs.replace(entry, stamp=entry.stamp + (1 << 50))


def forge(device: Device, entry: Entry) -> None:
    """The device says that it has this version, which has seen everything."""
    view = device.folder.index_view
    device.folder.scheduler.stopped = True  # no walk finds the lie
    lives = {entry.writer, *(life for life, _ in entry.vector.pairs)}
    vector = Vector.of((life, ALL) for life in sorted(lives))
    ours = view.ours(entry.path)
    if ours is None or entry.rank >= ours.entry.rank:  # who goes back is shut out
        said = structs.replace(entry, vector=vector)
        rows = [
            structs.replace(row, entry=said) if row.entry.rank == said.rank else row
            for row in view.rows(entry.path)
        ]
        view.set_ours(rows, said, view.next_sequence(), None)
    device.take(TimePassed())


def lie(device: Device, dice: random.Random, known: list[Entry]) -> None:
    entry = dice.choice(known)
    match dice.randrange(7):
        case 0:
            entry = grave_of(entry)
        case 1 if entry.kind is Kind.FILE and not entry.deleted:
            entry = structs.replace(entry, stamp=entry.stamp + 1, mtime_ns=entry.mtime_ns + 1)
        case 2:
            entry = structs.replace(entry, writer=dice.choice(known).writer)
            entry = structs.replace(entry, stamp=entry.stamp + (1 << 50))
        case 3:
            entry = structs.replace(entry, path=f"{entry.path}-{dice.randrange(3)}")
        case 4 if not entry.deleted:
            entry = structs.replace(entry, kind=Kind.DIRECTORY, size=0, mtime_ns=0, exec=False)
            entry = structs.replace(entry, content=b"", depth=0, stamp=entry.stamp + (1 << 50))
            entry = structs.replace(entry, permissions=None)
        case 5 if entry.kind is Kind.FILE:
            said = entry.permissions
            number, writer = (said.number if said else 0) + 1, dice.choice(known).writer
            register = Permissions(number, writer, dice.choice((0o400, 0o777, 0o666)))
            entry = structs.replace(entry, permissions=register)
    forge(device, entry)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_hostile_reader_changes_no_byte_name_time_or_conflict(mesh: Members, seed: int) -> None:
    """A and B write by turns, each after it has seen what the other wrote: the share is what was
    written last. R lies in between, and while it is on its way."""
    dice, wanted = random.Random(seed), dict[str, tuple[bytes, int]]()
    for round in range(10):
        writer = mesh[dice.choice("AB")]
        path = dice.choice(("p", "q", "d/p", "d/q"))
        if path in wanted and dice.random() < 0.3:
            os.unlink(writer.share / path)
            del wanted[path]
        else:
            writer.write(path, b"%d" % round)
            wanted[path] = b"%d" % round, (writer.share / path).stat().st_mtime_ns
        known = [
            entry_of(mesh["A"], it)
            for it in ("p", "q", "d", "d/p", "d/q")
            if mesh["A"].folder.index_view.ours(it)
        ]
        for _ in range(dice.randrange(3) if known else 0):
            lie(mesh["R"], dice, known)
        for name in "AB":
            mesh[name].scan()
        mesh.settle(dice.choice((0.0, 2.0)))
        if dice.random() < 0.2:
            name = dice.choice("AB")
            mesh.settle()
            mesh[name].kill()
            mesh[name].start()
        mesh.settle()
    for name in "AB":
        files = {
            path: (what[1], what[2])
            for path, what in mesh[name].tree().items()
            if isinstance(what, tuple) and what[0] == "file"
        }
        assert files == wanted, name
        assert not mesh[name].folder.index_view.counters.conflicts


def test_who_let_go_of_the_last_copy_that_counts_would_have_nothing_to_get(mesh: Members) -> None:
    mesh["A"].write("f", b"by A")
    settle(mesh)
    for name in "BA":
        mesh[name].take(Asked(b"x", "drop", {"path": "f"}))
        mesh.settle(60.0)
    (answer,) = mesh["A"].answers[-1:]
    assert (answer["dropped"], answer["stayed"]) == (0, 1)
    assert contents(mesh["A"]) == contents(mesh["R"]) == {"f": b"by A"}
    assert contents(mesh["B"]) == {}
    mesh["B"].take(Asked(b"x", "get", {"path": "f"}))
    settle(mesh)
    assert contents(mesh["B"]) == {"f": b"by A"}


def test_a_rotten_file_that_only_a_reader_has_besides_stays_and_is_said(mesh: Members) -> None:
    """A reader's copy does not count. What is given up for it would be nobody's, and so be told as
    if a user had written it."""
    data = bytes(range(200))
    mesh["A"].write("d/f", data)
    settle(mesh)
    mesh["B"].take(Asked(b"x", "drop", {"path": "d/f"}))
    mesh.settle(60.0)
    rotten = turn(mesh["A"])
    ours = mesh["A"].folder.index_view.ours("d/f")
    assert ours is not None
    doubt = Doubt("d/f", ours.entry.content, 0, len(data))
    mesh["A"].take(BytesDoubted(FOLDER, (doubt,)))
    settle(mesh)
    mesh["A"].kill()
    mesh.start("A")
    settle(mesh)
    assert (mesh["A"].share / "d/f").read_bytes() == rotten
    mesh["A"].take(BytesDoubted(FOLDER, (doubt,)))
    settle(mesh)
    assert problems(mesh["A"]) == {"d/f": "ROTTEN"}
    assert (mesh["R"].share / "d/f").read_bytes() == data and not trash(mesh["R"])
