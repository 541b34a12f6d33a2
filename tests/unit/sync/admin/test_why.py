"""Why a path is not the same everywhere: each reason, on real files.

What a disk or a hostile device must do for a reason is done by showing its Problem.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from leftzmq.bandwidth.timetable import BandwidthLimits, Timetable, parse_timetable
from leftzmq.content.keys import device_mark
from leftzmq.errors import (
    IndexFailed,
    IndexFault,
    Problem,
    ProblemKind,
    Refusal,
    Stop,
    StopCause,
)
from leftzmq.sync.admin.why.here import OF_PROBLEM
from leftzmq.sync.admin.why.questions import COPIES_SHOWN
from leftzmq.sync.admin.why.reasons import WhyNot
from leftzmq.sync.facts import (
    DeviceDropped,
    FolderStopped,
    LimitsSet,
    LocalRulesSet,
    MessageArrived,
    PageArrived,
    PathsTouched,
    PausesSet,
    RosterGrew,
    Touch,
)
from leftzmq.sync.jobs import Apply, Flush, ReadPage, StageSmall, WriteChunks
from leftzmq.sync.link import Link, Way
from leftzmq.sync.versions.index_view import OURS
from leftzmq.sync.versions.withheld import WhyWithheld
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.version import make_life
from leftzmq.wire.messages import VERSION, Refusing
from leftzmq.wire.page import Page
from tests.helpers.members import Members
from tests.helpers.mesh import Device, Held, Mesh
from tests.sim.node import FOLDER

OFF = parse_timetable("00:00-24:00 off", "")
LARGE = bytes(range(256)) * 1_200  # more than one chunk


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    mesh = Mesh(tmp_path, "ABC")
    mesh.begin()
    return mesh


def quiet(mesh: Mesh) -> None:
    mesh.scan_all()
    mesh.settle()


def ask(device: Device, path: str, peer: str = "") -> dict[str, Any]:
    return device.mesh.ask(device, "why", path=path, peer=peer)


def why(device: Device, path: str, peer: str = "") -> WhyNot:
    word = ask(device, path, peer)["reason"]
    return next(each for each in WhyNot if each.word == word)


def of(answer: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in answer["peers"] if each["name"] == name]
    return dict(found)


def rules(device: Device, *local: str, only: tuple[str, ...] = ()) -> None:
    device.take(LocalRulesSet(FOLDER, local, True, only))
    device.mesh.settle()


def changed(mesh: Mesh, device: Device, path: str, data: bytes = b"changed") -> None:
    """The user of one device writes there, and only it looks."""
    mesh.now += 5
    device.write(path, data)
    device.scan()
    mesh.settle(5)


# ---- nothing is to come -----------------------------------------------------------------------


def test_the_same_everywhere_says_when_and_by_whom_it_was_changed(
    mesh: Mesh, a: Device, b: Device
) -> None:
    a.write("x", b"A's", mtime=1_800_000_000)
    quiet(mesh)
    said = ask(b, "x")
    assert said["reason"] == WhyNot.SAME.word and said["text"] == "it is the same everywhere"
    assert (said["by"], said["since"], said["bytes"]) == ("A", 1_800_000_000, 3)
    assert [(each["name"], each["reason"]) for each in said["peers"]] == [
        ("A", "same"),
        ("C", "same"),
    ]


def test_a_path_that_nobody_has(a: Device) -> None:
    said = ask(a, "nowhere/x")
    assert said["reason"] == WhyNot.UNKNOWN.word and said["by"] == ""
    assert why(a, "nowhere/x", "B") is WhyNot.NOTHING_THERE


def test_a_deleted_path_says_by_whom_and_what_is_in_the_trash(
    mesh: Mesh, a: Device, b: Device
) -> None:
    a.write("x", b"A's")
    quiet(mesh)
    (a.share / "x").unlink()
    quiet(mesh)
    said = ask(b, "x")
    assert said["reason"] == WhyNot.DELETED.word and said["by"] == "A"
    assert said["text"].startswith("A deleted it; a version of it is in the trash here")
    assert said["since"] > 1_700_000_000 and "trash restore x" in said["cure"]
    assert ask(a, "x")["text"] == "A deleted it"


def test_conflict_copies_lie_beside_it(mesh: Mesh, a: Device, b: Device) -> None:
    for device in (a, b):
        device.write("x", f"by {device.name}".encode())
    quiet(mesh)
    said = ask(a, "x")
    (copy,) = said["copies"]
    assert said["reason"] == WhyNot.CONFLICT.word and copy in said["text"]
    assert why(a, copy) is WhyNot.SAME


def test_of_many_conflict_copies_the_first_ones_are_named(mesh: Mesh, a: Device) -> None:
    a.write("x", b"A's")
    for number in range(COPIES_SHOWN + 1):
        a.write(f"x.conflict-20270115-080240-AKBSQGA-{number:04x}", b"a copy")
    quiet(mesh)
    said = ask(a, "x")
    assert f"{COPIES_SHOWN + 1} conflict copies lie beside it" in said["text"]
    assert len(said["copies"]) == COPIES_SHOWN


def test_a_folder_says_what_in_it_is_not_here(mesh: Mesh, a: Device, b: Device) -> None:
    a.write("d/e/here", b"A's")
    quiet(mesh)
    Held(b, StageSmall)
    changed(mesh, a, "d-after")
    assert why(b, "d") is WhyNot.SAME
    changed(mesh, a, "d/e/x")
    said = ask(b, "d")
    assert (said["reason"], said["cure"]) == (WhyNot.BELOW.word, "`leftzmq why d/e/x`")
    assert said["text"] == f"the folder is here, and d/e/x in it is not: {ask(b, 'd/e/x')['text']}"
    assert why(b, "d/e/here") is WhyNot.SAME


# ---- on its way -------------------------------------------------------------------------------


def test_what_is_fetched_says_from_whom_and_how_much_is_here(
    mesh: Mesh, a: Device, b: Device
) -> None:
    Held(b, WriteChunks)
    changed(mesh, a, "x", LARGE)
    said = ask(b, "x")
    assert said["reason"] == WhyNot.FETCHING.word and said["since"] is not None
    assert (said["have"], said["bytes"], said["peer"]) == (0, len(LARGE), "A, C")


def test_what_comes_after_others_waits_its_turn(mesh: Mesh, a: Device, b: Device) -> None:
    Held(b, WriteChunks)
    for number in range(40):
        a.write(f"{number:02}", LARGE + bytes([number]))
    a.scan()
    mesh.settle(5)
    words = {why(b, f"{number:02}") for number in range(40)}
    assert words == {WhyNot.FETCHING, WhyNot.WAITS_TURN}


def test_a_file_waits_for_its_folder(mesh: Mesh, a: Device, b: Device) -> None:
    Held(b, Apply)
    changed(mesh, a, "d/x")
    assert why(b, "d/x") is WhyNot.WAITS_FOR_FOLDER
    assert why(b, "d") is WhyNot.TAKING_PLACE


def test_what_is_all_here_is_put_in_its_place(mesh: Mesh, a: Device, b: Device) -> None:
    Held(b, Apply)
    changed(mesh, a, "x")
    assert why(b, "x") is WhyNot.TAKING_PLACE


def test_what_nobody_looked_at_yet(mesh: Mesh, a: Device) -> None:
    a.write("x", b"new")
    assert why(a, "x") is WhyNot.NOT_LOOKED_AT
    quiet(mesh)
    assert why(a, "x") is WhyNot.SAME
    (a.share / "x").unlink()
    assert why(a, "x") is WhyNot.NOT_LOOKED_AT


def test_what_was_touched_is_to_be_looked_at(mesh: Mesh, a: Device) -> None:
    a.write("x", b"A's")
    quiet(mesh)
    a.take(PathsTouched(FOLDER, (("x", Touch.MODIFIED),)))
    assert why(a, "x") is WhyNot.NOT_LOOKED_AT
    mesh.settle(5)
    assert why(a, "x") is WhyNot.SAME
    a.folder.index_view.unsure.add("x")
    assert why(a, "x") is WhyNot.NOT_LOOKED_AT


def test_the_index_of_a_device_is_on_its_way(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    a.write("x", b"A's")
    a.start()
    mesh.settle()
    Held(a, ReadPage)
    b.start()
    mesh.settle(2)
    assert why(b, "x") is WhyNot.INDEX_ARRIVES
    assert why(a, "x", "B") is WhyNot.BEHIND


def test_what_is_not_durable_is_not_told(mesh: Mesh, a: Device) -> None:
    Held(a, Flush)
    changed(mesh, a, "x")
    assert why(a, "x") is why(a, "x", "B") is WhyNot.NOT_TOLD_YET


def test_a_device_that_has_not_said_that_it_has_it_is_behind(
    mesh: Mesh, a: Device, b: Device
) -> None:
    Held(b, StageSmall)
    changed(mesh, a, "x")
    said = ask(a, "x")
    assert (said["reason"], said["peer"]) == (WhyNot.BEHIND.word, "B")
    assert said["since"] is not None and of(said, "C")["reason"] == "same"


# ---- not kept ---------------------------------------------------------------------------------


def test_an_ignored_path_names_its_rule(mesh: Mesh, a: Device, b: Device) -> None:
    rules(b, "*.iso")
    a.write(".leftignore", b"build/\n")
    for path in ("x.iso", "build/x"):
        a.write(path, b"A's")
    quiet(mesh)
    said = ask(b, "x.iso")
    assert said["reason"] == WhyNot.IGNORED.word and "*.iso" in said["text"]
    said = ask(a, "build/x")
    assert "line 1 of .leftignore says build/" in said["text"]
    assert why(b, "build/x") is WhyNot.IGNORED, "whatever comes is ignored"


def test_litter_names_the_program(a: Device) -> None:
    said = ask(a, ".x.swp")
    assert said["reason"] == WhyNot.LITTER.word and "vim" in said["text"]


def test_what_is_new_below_rules_that_cannot_be_read(mesh: Mesh, a: Device) -> None:
    a.write("d/.leftignore", b"\xff")
    quiet(mesh)
    a.write("d/x", b"new")
    quiet(mesh)
    said = ask(a, "d/x")
    assert said["reason"] == WhyNot.RULES_UNREADABLE.word and "d/.leftignore" in said["text"]


def test_what_is_new_below_such_rules_is_in_the_way_of_what_others_have(
    mesh: Mesh, a: Device, b: Device
) -> None:
    a.kill()
    b.write("d/x", b"B's own")
    quiet(mesh)
    a.write("d/x", b"A's own")
    a.write("d/.leftignore", b"\xff")
    a.start()
    quiet(mesh)
    assert a.share.joinpath("d/x").read_bytes() == b"A's own"
    assert why(a, "d/x") is WhyNot.RULES_UNREADABLE


def test_something_ignored_is_in_the_way(mesh: Mesh, a: Device, b: Device) -> None:
    b.write("way", b"B's own")
    rules(b, "way", "!way/")
    quiet(mesh)
    a.write("way/deep/x", b"A's")
    a.scan()
    mesh.settle(60)
    assert why(b, "way") is why(b, "way/deep") is WhyNot.IGNORED_IN_THE_WAY


def test_what_only_does_not_name_is_not_fetched_and_passed_over_there(
    mesh: Mesh, a: Device, b: Device
) -> None:
    rules(b, only=("near",))
    a.write("far/x", b"A's")
    quiet(mesh)
    said = ask(b, "far/x")
    assert (said["reason"], said["cure"]) == (
        WhyNot.NOT_FETCHED.word,
        "`leftzmq get far/x` fetches it",
    )
    said = ask(a, "far/x")
    assert said["reason"] == "same", "who does not keep it is not waited for"
    assert said["text"] == "it is the same on all devices that keep it"
    assert of(said, "B")["reason"] == WhyNot.PASSED_OVER.word
    assert why(a, "far/x", "B") is WhyNot.PASSED_OVER


def test_what_one_still_has_and_another_one_deleted_is_not_fetched(
    mesh: Mesh, a: Device, b: Device
) -> None:
    """B is between the two, and passes nothing on of what it does not keep (seed 76000240)."""
    c = mesh.devices["C"]
    rules(b, only=("near",))
    a.write("far", b"A's")
    quiet(mesh)
    mesh.cut.add(frozenset("AC"))
    for device in (a, c):
        device.kill()
        device.start()
    quiet(mesh)
    a.write("far", b"A's again")
    a.scan()
    mesh.settle(60)
    (c.share / "far").unlink()
    quiet(mesh)
    assert (a.share / "far").exists() and not (c.share / "far").exists()
    assert why(b, "far") is WhyNot.NOT_FETCHED


def test_what_was_dropped(mesh: Mesh, a: Device, b: Device) -> None:
    a.write("x", b"A's")
    quiet(mesh)
    assert mesh.ask(b, "drop", path="x")["dropped"] == 1
    quiet(mesh)
    assert why(b, "x") is WhyNot.DROPPED


# ---- what cannot be synced --------------------------------------------------------------------


def test_what_is_never_synced(mesh: Mesh, a: Device) -> None:
    os.mkfifo(a.share / "pipe")
    assert why(a, "pipe") is WhyNot.NEVER_SYNCED, "also before a walk"
    quiet(mesh)
    for path in ("pipe", ".left/marker", "x.lefting", ".LEFT"):
        assert why(a, path) is WhyNot.NEVER_SYNCED, path


def test_a_bad_name(a: Device) -> None:
    for path in ("x" * 300, "caf\udce9"):
        assert why(a, path) is WhyNot.BAD_NAME, path


def test_what_is_no_path_in_the_folder_is_no_question(mesh: Mesh, a: Device) -> None:
    for path in ("a//b", "/a", "../x", "a/./b", "a\0b"):
        declined = mesh.ask(a, "why", folder=FOLDER, path=path)["declined"]
        assert "such as photos/one.jpg" in declined["do"], path


def test_a_name_that_the_disk_cannot_tell_from_another_one(
    mesh: Mesh, a: Device, b: Device
) -> None:
    Held(b, StageSmall)
    b.write("x", b"B's")
    quiet(mesh)
    b.folder._name_clashes.stands("X", "x", mesh.now)
    changed(mesh, a, "X/in/it")
    said = ask(b, "X/in/it")
    assert said["reason"] == WhyNot.NAME_CLASH.word and "here is x" in said["text"]


# ---- directions -------------------------------------------------------------------------------


def test_a_device_that_only_sends_has_something_else(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    a.mode = FolderMode.SEND
    for device in (a, b):
        device.start()
    a.write("x", b"A's")
    quiet(mesh)
    changed(mesh, b, "x")
    said = ask(a, "x")
    assert (said["reason"], said["by"]) == (WhyNot.SENDS_ONLY.word, "B")
    assert why(b, "x", "A") is WhyNot.PASSED_OVER
    a.write("y", b"A's")
    quiet(mesh)
    (b.share / "y").chmod(0o600)
    b.scan()
    mesh.settle(5)
    said = ask(a, "y")
    assert said["text"] == "B changed it, and this device only sends the folder", "its mode alone"


def test_what_was_changed_on_a_device_that_only_receives(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    b.mode = FolderMode.RECEIVE
    for device in (a, b):
        device.start()
    for path in ("x", "y"):
        a.write(path, b"A's")
    quiet(mesh)
    changed(mesh, b, "x")
    (b.share / "y").unlink()
    changed(mesh, b, "z")
    for path in "xyz":
        assert why(b, path) is WhyNot.RECEIVES_ONLY, path
    assert why(a, "x") is WhyNot.SAME and why(a, "x", "B") is WhyNot.PASSED_OVER


def test_what_was_changed_by_a_member_that_may_only_read(tmp_path: Path) -> None:
    mesh = Members(tmp_path, "AR")
    mesh.start("A")
    mesh["A"].rosters.found(FOLDER)
    mesh["A"].take(RosterGrew(FOLDER))
    mesh.settle()
    mesh.invites("A", "R", "read")
    mesh.start("R")
    mesh["A"].write("x", b"A's")
    mesh["A"].write("y", b"A's")
    quiet(mesh)
    changed(mesh, mesh["R"], "x")
    changed(mesh, mesh["R"], "new")
    (mesh["R"].share / "y").unlink()
    quiet(mesh)
    for path in ("x", "y", "new"):
        assert why(mesh["R"], path) is WhyNot.READS_ONLY, path
        said = ask(mesh["A"], path)
        assert (said["reason"], said["peer"]) == (WhyNot.READS_ONLY.word, "R"), path
        expected = WhyNot.NOTHING_THERE if path == "new" else WhyNot.SAME
        assert why(mesh["R"], path, "A") is expected, path


# ---- what a user decides ----------------------------------------------------------------------


def _many(mesh: Mesh, a: Device) -> list[str]:
    paths = [f"d/{number:03}" for number in range(130)]
    for path in paths:
        a.write(path, path.encode())
    quiet(mesh)
    return paths


@pytest.mark.parametrize("empties", [False, True])
def test_the_guard_holds_what_was_lost_here(
    mesh: Mesh, a: Device, b: Device, empties: bool
) -> None:
    paths = _many(mesh, a)
    for path in paths[:100]:
        (a.share / path).write_bytes(b"") if empties else (a.share / path).unlink()
    a.scan()
    mesh.settle(70)
    said = ask(a, paths[0])
    assert said["reason"] == WhyNot.HELD_HERE.word and "100 of 130 files" in said["text"]
    assert why(b, paths[0]) is why(a, paths[-1]) is WhyNot.SAME


def test_the_guard_holds_what_others_did(mesh: Mesh, a: Device, b: Device) -> None:
    paths = _many(mesh, a)
    guard = a.folder.guard
    real = guard._here.pass_on
    guard._here.pass_on = lambda sightings, now, wall: list(sightings)  # type: ignore[method-assign]
    for path in paths[:100]:
        (a.share / path).unlink()
    a.scan()
    mesh.settle(70)
    guard._here.pass_on = real  # type: ignore[method-assign]
    said = ask(b, paths[0])
    assert said["reason"] == WhyNot.HELD_ELSEWHERE.word and "accept" in said["cure"]
    assert why(b, paths[-1]) is WhyNot.SAME


def test_a_plan_that_is_not_answered(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    b.held = True
    a.write("x", b"A's")
    b.write("y", b"B's")
    for device in (a, b):
        device.start()
    mesh.settle()
    assert why(b, "x") is WhyNot.PLAN_UNANSWERED
    assert why(b, "y") is why(b, "y", "A") is WhyNot.PLAN_UNANSWERED


def test_a_paused_folder_here_and_there(mesh: Mesh, a: Device, b: Device) -> None:
    Held(b, StageSmall)
    changed(mesh, a, "x")
    b.take(PausesSet(frozenset({FOLDER}), frozenset()))
    mesh.settle(5)
    assert why(b, "x") is WhyNot.FOLDER_PAUSED
    assert why(a, "x", "B") is WhyNot.PAUSED_THERE
    changed(mesh, b, "y")
    assert why(b, "y") is why(b, "y", "A") is WhyNot.FOLDER_PAUSED


def test_a_paused_device(mesh: Mesh, a: Device, b: Device) -> None:
    Held(b, StageSmall)
    changed(mesh, a, "x")
    a.take(PausesSet(frozenset(), frozenset({b.key})))
    mesh.settle(5)
    assert why(a, "x", "B") is WhyNot.PEER_PAUSED


def test_a_limit_that_is_off(mesh: Mesh, a: Device, b: Device) -> None:
    off = BandwidthLimits(Timetable(), OFF)
    b.take(LimitsSet(off, {}))
    changed(mesh, a, "x", LARGE)
    assert why(b, "x") is WhyNot.LIMIT_OFF
    a.take(LimitsSet(BandwidthLimits(OFF, Timetable()), {}))
    b.take(LimitsSet(BandwidthLimits(), {}))
    changed(mesh, a, "y", LARGE[::-1])
    assert why(b, "y") is why(a, "y", "B") is WhyNot.LIMIT_OFF


def test_a_stopped_folder_here_and_there(mesh: Mesh, a: Device, b: Device) -> None:
    Held(b, StageSmall)
    changed(mesh, a, "x")
    b.take(FolderStopped(FOLDER, Stop(StopCause.INDEX_BROKEN, "the index is damaged")))
    mesh.settle(5)
    said = ask(b, "x")
    assert said["reason"] == WhyNot.FOLDER_STOPPED.word and "damaged" in said["text"]
    assert why(a, "x", "B") is WhyNot.STOPPED_THERE


# ---- devices ----------------------------------------------------------------------------------


def _lacks(mesh: Mesh, a: Device, b: Device, c: Device) -> None:
    """B lacks what A alone has."""
    c.kill()
    Held(b, StageSmall)
    changed(mesh, a, "x")


def test_the_holder_is_away(mesh: Mesh, a: Device, b: Device, c: Device) -> None:
    _lacks(mesh, a, b, c)
    a.kill()
    mesh.settle(5)
    said = ask(b, "x")
    assert (said["reason"], said["peer"]) == (WhyNot.AWAY.word, "A")
    assert "connection lost" in said["text"] and said["since"] is not None
    assert of(said, "A")["reason"] == WhyNot.SAME.word, "A has it"


def test_who_lacks_it_is_away(mesh: Mesh, a: Device, c: Device) -> None:
    c.kill()
    mesh.settle(5)
    changed(mesh, a, "x")
    said = ask(a, "x")
    assert (said["reason"], said["peer"]) == (WhyNot.PEER_AWAY.word, "C")


def test_who_refuses_to_talk_says_why(mesh: Mesh, a: Device, c: Device) -> None:
    c.kill()
    changed(mesh, a, "x")
    assert why(a, "x", "C") is WhyNot.PEER_AWAY
    c.start()
    Held(c, StageSmall)
    mesh.settle(5)
    refusing = Refusing(VERSION, Refusal.TOO_GREEDY.name, "too much at once")
    for way in Way:
        a.take(MessageArrived(Link(c.key, way), refusing))
    mesh.settle(0.1)
    said = ask(a, "x", "C")
    assert said["reason"] == WhyNot.REFUSES.word and "too much at once" in said["text"]


def test_who_was_shut_out_for_what_it_sent(mesh: Mesh, a: Device, c: Device) -> None:
    Held(c, StageSmall)
    changed(mesh, a, "x")
    a.take(DeviceDropped(c.key, "a number is outside its range"))
    mesh.settle(0.1)
    said = ask(a, "x", "C")
    assert said["reason"] == WhyNot.SHUT_OUT.word and "outside its range" in said["text"]


def test_nobody_that_is_known_has_it(mesh: Mesh, a: Device, b: Device, c: Device) -> None:
    _lacks(mesh, a, b, c)
    a.kill()
    mesh.settle(5)
    del b.node.peers.by_key[a.key]
    assert why(b, "x") is WhyNot.NOBODY_HAS_IT


def test_a_later_version_is_lost(mesh: Mesh, a: Device, b: Device) -> None:
    a.write("x", b"A's")
    quiet(mesh)
    row = b.store.ours("x")
    assert row is not None and row.scan is not None
    had = (row.entry.stamp + 1, row.entry.writer)
    b.folder.index_view.held.withhold("x", row.scan, WhyWithheld.WANTED, had)
    view = b.folder.index_view
    rows = view.rows("x")
    theirs = replace(rows[0], holders=rows[0].holders & ~OURS, seq=None, scan=None)
    view.change_row(rows, rows[0], theirs)
    assert why(b, "x") is WhyNot.LATER_LOST


def test_a_device_that_has_the_folder_under_another_id(mesh: Mesh, a: Device, b: Device) -> None:
    Held(b, StageSmall)
    changed(mesh, a, "x")
    peer = a.node.peers.by_key[b.key]
    peer.other_ids[FOLDER] = ("other", a.store.heads.life)
    a.folder.index_client.on_device_lost(b.key)
    said = ask(a, "x", "B")
    assert said["reason"] == WhyNot.NOT_SHARED.word and "'other'" in said["text"]


def test_two_agents_with_the_key_of_a_device(mesh: Mesh, a: Device, b: Device) -> None:
    Held(b, StageSmall)
    changed(mesh, a, "x")
    twin = make_life(device_mark(b.key), 7, b"twin")
    page = Page(b.key, FOLDER, twin, 0, 0, 0, False, ())
    for _ in range(4):
        a.take(PageArrived(Link(b.key, Way.CAME, b"\0twin"), replace(page), False))
        mesh.settle(10.0)
    assert why(a, "x", "B") is WhyNot.TWO_OF_KEY


def test_an_index_that_cannot_be_kept(mesh: Mesh, a: Device, b: Device) -> None:
    Held(b, StageSmall)
    changed(mesh, a, "x")
    kind = ProblemKind.INDEX_TOO_LARGE
    a.folder.problems.show(Problem(FOLDER, "", kind, "", "B"))
    assert why(a, "x", "B") is WhyNot.INDEX_WAITS


# ---- problems ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind, why in OF_PROBLEM.items() if why is not None])
def test_a_problem_of_the_path_is_its_reason(mesh: Mesh, a: Device, kind: ProblemKind) -> None:
    a.write("x", b"A's")
    quiet(mesh)
    a.folder.problems.show(Problem(FOLDER, "x", kind, "what the system said"))
    expected = OF_PROBLEM[kind]
    said = ask(a, "x")
    assert expected is not None and said["reason"] == expected.word
    if "{detail}" in expected.value.sentence:
        assert "what the system said" in said["text"]


def test_a_problem_whose_path_is_only_counted_is_a_reason_too(mesh: Mesh, a: Device) -> None:
    for number in range(1_001):
        a.folder.problems.show(Problem(FOLDER, f"{number:04}", ProblemKind.UNREADABLE, "no"))
    assert a.folder.problems.problem_of("1000") is None
    assert why(a, "1000") is WhyNot.UNREADABLE


def test_what_is_below_a_mount_that_is_gone(a: Device) -> None:
    a.folder.problems.show(Problem(FOLDER, "m", ProblemKind.MOUNT_GONE))
    said = ask(a, "m/deep/x")
    assert said["reason"] == WhyNot.MOUNT_GONE.word and "mounted at m" in said["text"]


def test_a_deleted_folder_stays_with_what_is_ignored_in_it(
    mesh: Mesh, a: Device, b: Device
) -> None:
    rules(b, "own")
    a.write("d/x", b"A's")
    quiet(mesh)
    b.write("d/own", b"B's own")
    shutil.rmtree(a.share / "d")
    quiet(mesh)
    assert why(b, "d") is WhyNot.NOT_EMPTY and why(b, "d/own") is WhyNot.IGNORED


# ---- questions --------------------------------------------------------------------------------


def test_a_device_that_is_not_in_the_folder_is_no_peer_of_it(a: Device) -> None:
    said = ask(a, "x", "nobody")["declined"]
    assert said["what"] == "no device in the folder has this name" and "B, C" in said["do"]
    assert "which path" in ask(a, "")["declined"]["what"]


def test_a_question_changes_nothing(mesh: Mesh, a: Device, b: Device) -> None:
    Held(b, StageSmall)
    changed(mesh, a, "x")
    quiet(mesh)

    def state(device: Device) -> list[object]:
        view = device.folder.index_view
        return [view.counters, view.store.heads.sequence, view.store.paths(b"", 100)]

    before = [state(device) for device in mesh.devices.values()]
    for device in mesh.devices.values():
        for path in ("x", "nothing", ".left"):
            ask(device, path)
    assert [state(device) for device in mesh.devices.values()] == before


def test_where_the_index_fails_the_stop_of_the_folder_is_the_answer(
    mesh: Mesh, a: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: str) -> None:
        raise IndexFailed(IndexFault.IO, "disk I/O error", str(a.store.file))

    monkeypatch.setattr(a.store, "copies_of", fails)
    a.write("x", b"A's")
    quiet(mesh)
    assert "disk I/O error" in ask(a, "x")["declined"]["what"]
