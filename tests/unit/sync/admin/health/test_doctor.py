"""`doctor` over nodes: shares are looked at, and one that does not answer keeps nobody waiting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leftzmq import __version__
from leftzmq.config import UnusableFolder
from leftzmq.errors import Away, Stop, StopCause
from leftzmq.sync.admin.health.doctor import EXAMINE_S
from leftzmq.sync.admin.open_questions import MAX_OPEN_OF_ONE
from leftzmq.sync.facts import (
    DialFailed,
    DoctorAsked,
    FolderStopped,
    LinkClosed,
    MachineSeen,
    MessageArrived,
    PausesSet,
)
from leftzmq.sync.jobs import ExamineShare, ShareExamined
from leftzmq.sync.link import Link, Way
from leftzmq.wire.messages import Bye, Report
from tests.helpers.mesh import Device, Held, Mesh
from tests.sim.node import FOLDER

SEEN = MachineSeen("/state", 0o700, (), None, 65_536, 10, (), 65_536, 3_600, 60, {})
Found = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    mesh = Mesh(tmp_path, "AB")
    for device in mesh.devices.values():
        device.start()
    mesh.settle(70)
    return mesh


def pair(mesh: Mesh) -> tuple[Device, Device]:
    a, b = mesh.devices.values()
    return a, b


def doctor(mesh: Mesh, device: Device, seen: MachineSeen = SEEN) -> Found:
    """The findings by check and by what they are about."""
    before = len(device.answers)
    device.take(DoctorAsked(b"x", seen))
    mesh.settle(1.0)
    (answer,) = device.answers[before:]
    found = {(one["check"], one["about"]): one for one in answer["findings"]}
    assert len(found) == len(answer["findings"])
    return found


def test_all_is_well(mesh: Mesh) -> None:
    a, _ = pair(mesh)
    found = doctor(mesh, a)
    assert found["agent", ""]["text"] == f"an agent of leftzmq {__version__} runs"
    devices = {check for check, about in found if about == "B"}
    assert devices == {"reached", "reaches us", "clock", "version", "mtu"}
    shares = {check for check, about in found if about == FOLDER}
    assert shares == {"share", "room", "names", "times", "replacing"}
    assert not [one for one in found.values() if one["state"] == "bad"]
    assert found["mtu", "B"]["text"] == "not known: the system does not say"
    assert not list((a.share / ".left").glob("probe-*")), "nothing stays of the test"


def test_the_mtu_is_that_of_the_device(mesh: Mesh) -> None:
    a, b = pair(mesh)
    seen = MachineSeen(*(getattr(SEEN, f) for f in SEEN.__struct_fields__))
    found = doctor(mesh, a, _with(seen, mtu_bytes={b.key: 1400}))
    assert "1,400" in found["mtu", "B"]["text"]


def _with(seen: MachineSeen, **fields: object) -> MachineSeen:
    known = {name: getattr(seen, name) for name in seen.__struct_fields__}
    return MachineSeen(**(known | fields))


def test_who_cannot_dial_us_says_which_address_it_tried(mesh: Mesh) -> None:
    a, b = pair(mesh)
    why = "nobody answers at tcp://192.0.2.7:7707"
    said = Report("0.9.9", mesh.wall_ns(a) - 5 * 10**9, "nobody answers", why, [])
    a.handle(MessageArrived(Link(b.key, Way.DIALED), said))
    found = doctor(mesh, a)
    assert why in found["reaches us", "B"]["text"]
    assert found["reaches us", ""]["text"].startswith("none of the connected devices")
    assert "5.0 s behind" in found["clock", "B"]["text"]
    assert "0.9.9" in found["version", "B"]["text"]


def test_what_a_device_said_before_it_went_away_counts_no_more(mesh: Mesh) -> None:
    a, b = pair(mesh)
    b.kill()
    mesh.settle(5)
    a.handle(DialFailed(b.key, "nobody answers at tcp://192.0.2.7:1", Away.NOBODY_ANSWERS))
    found = doctor(mesh, a)
    assert {check for check, about in found if about == "B"} == {"reached"}
    assert found["reached", "B"]["state"] == "bad"
    assert found["reached", "B"]["text"].endswith("nobody answers at tcp://192.0.2.7:1")


def test_who_was_stopped_in_an_orderly_way_is_at_rest_until_it_is_back(mesh: Mesh) -> None:
    a, b = pair(mesh)
    a.handle(MessageArrived(Link(b.key, Way.DIALED), Bye("it was stopped")))
    b.kill()
    mesh.settle(5)
    a.handle(DialFailed(b.key, "nobody answers at x", Away.NOBODY_ANSWERS))
    assert doctor(mesh, a)["reached", "B"]["state"] == "note"
    b.start()
    mesh.settle(5)
    assert doctor(mesh, a)["reached", "B"]["state"] == "good"
    b.kill()
    mesh.settle(5)
    assert doctor(mesh, a)["reached", "B"]["state"] == "bad", "it said nothing this time"


def test_who_is_connected_by_its_own_link_alone_reaches_us(mesh: Mesh) -> None:
    a, b = pair(mesh)
    peer = a.agents.by_key[b.key]
    peer.came = Link(b.key, Way.CAME, b"\0abcd")
    peer.welcomed = peer.dialed = False
    a.handle(DialFailed(b.key, "nobody answers at tcp://192.0.2.7:1", Away.NOBODY_ANSWERS))
    found = doctor(mesh, a)
    assert found["reaches us", "B"]["state"] == "good"
    assert found["reached", "B"]["state"] == "note"
    assert "192.0.2.7" in found["reached", "B"]["text"]


def test_a_peer_without_a_key_and_a_folder_that_cannot_be_used(mesh: Mesh) -> None:
    a, _ = pair(mesh)
    a.node._about["keyless"].append("delta")  # type: ignore[index]
    a.node._about["unusable"] = [UnusableFolder("photos", "/x", "its secret is no secret")]  # type: ignore[index]
    found = doctor(mesh, a)
    assert found["reached", "delta"]["state"] == "bad"
    assert "its secret is no secret" in found["share", "photos"]["text"]


def test_a_device_alone_is_told_so(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "A")
    mesh.devices["A"].start()
    mesh.settle(5)
    assert doctor(mesh, mesh.devices["A"])["reached", ""]["state"] == "note"


def test_a_stopped_folder_is_bad_and_is_not_looked_at(mesh: Mesh) -> None:
    a, _ = pair(mesh)
    a.handle(FolderStopped(FOLDER, Stop(StopCause.INDEX_BROKEN, "the index is broken")))
    found = doctor(mesh, a)
    assert found["share", FOLDER]["state"] == "bad"
    assert found["share", FOLDER]["text"] == "the folder is stopped: the index is broken"
    assert ("names", FOLDER) not in found


def test_a_paused_folder_is_noted_and_looked_at(mesh: Mesh) -> None:
    a, _ = pair(mesh)
    a.handle(PausesSet(frozenset({FOLDER}), frozenset()))
    before = len(a.answers)
    a.take(DoctorAsked(b"x", SEEN))
    mesh.settle(1.0)
    said = [one for one in a.answers[before]["findings"] if one["check"] == "share"]
    assert [one["state"] for one in said] == ["note", "good"]
    assert said[0]["cure"] == f"leftzmq resume --folder {FOLDER}"


def test_a_held_folder_is_noted(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = pair(mesh)
    b.held = True
    for device in (a, b):
        device.start()
    mesh.settle(5)
    b.take(DoctorAsked(b"x", SEEN))
    mesh.settle(1.0)
    (note, _) = [one for one in b.answers[-1]["findings"] if one["check"] == "share"]
    assert note["state"] == "note" and f"folders remove {FOLDER}" in note["cure"]


def test_a_share_that_cannot_be_written_is_bad(mesh: Mesh) -> None:
    a, _ = pair(mesh)
    held = Held(a, ExamineShare)
    a.take(DoctorAsked(b"x", SEEN))
    while mesh.step():
        pass
    a.take(ShareExamined(FOLDER, None, "Read-only file system"))
    while mesh.step():
        pass
    (one,) = [one for one in a.answers[-1]["findings"] if one["check"] == "share"]
    assert one["state"] == "bad" and one["text"].endswith("Read-only file system")
    assert held.jobs


def test_a_share_that_does_not_answer_keeps_nobody_waiting(mesh: Mesh) -> None:
    a, _ = pair(mesh)
    held = Held(a, ExamineShare)
    before = len(a.answers)
    for asker in (b"x", b"y"):
        a.take(DoctorAsked(asker, SEEN))
    while mesh.step():
        pass
    assert len(held.jobs) == 1, "one look is enough for both"
    assert len(a.answers) == before
    mesh.settle(EXAMINE_S + 0.1)
    assert len(a.answers) == before + 2
    for answer in a.answers[before:]:
        (one,) = [one for one in answer["findings"] if one["check"] == "share"]
        assert one["state"] == "bad" and "3 s" in one["text"]
    a.take(DoctorAsked(b"z", SEEN))
    while mesh.step():
        pass
    assert len(held.jobs) == 1, "a look that is under way is not begun again"
    a.take(a.runner.run(held.jobs[0]))
    while mesh.step():
        pass
    assert len(a.answers) == before + 3, "its answer, though late, is the next question's"


def test_each_question_has_the_shares_looked_at_anew(mesh: Mesh) -> None:
    a, _ = pair(mesh)
    assert doctor(mesh, a)["share", FOLDER]["state"] == "good"
    (a.share / ".left" / "marker").rename(a.share / ".left" / "elsewhere")
    assert doctor(mesh, a)["share", FOLDER]["state"] == "bad"


def test_a_folder_that_stops_meanwhile_is_answered_for_at_once(mesh: Mesh) -> None:
    a, _ = pair(mesh)
    Held(a, ExamineShare)
    a.take(DoctorAsked(b"x", SEEN))
    a.take(FolderStopped(FOLDER, Stop(StopCause.INDEX_BROKEN, "the index is broken")))
    while mesh.step():
        pass
    (one,) = [one for one in a.answers[-1]["findings"] if one["check"] == "share"]
    assert one["text"] == "the folder is stopped: the index is broken"


def test_too_many_questions_of_one_are_declined(mesh: Mesh) -> None:
    a, _ = pair(mesh)
    Held(a, ExamineShare)
    before = len(a.answers)
    for _ in range(MAX_OPEN_OF_ONE + 1):
        a.take(DoctorAsked(b"x", SEEN))
    while mesh.step():
        pass
    (answer,) = a.answers[before:]
    assert "too many questions" in answer["declined"]["what"]


def test_asking_changes_nothing_in_the_share(mesh: Mesh) -> None:
    a, _ = pair(mesh)
    a.write("f", b"x")
    a.scan()
    mesh.settle(30)
    heads = a.store.heads.sequence
    before = set(a.share.rglob("*"))
    doctor(mesh, a)
    a.scan()
    mesh.settle(30)
    assert set(a.share.rglob("*")) == before
    assert a.store.heads.sequence == heads


def test_a_link_that_broke_says_so(mesh: Mesh) -> None:
    a, b = pair(mesh)
    a.handle(LinkClosed(Link(b.key, Way.DIALED), "the connection is gone"))
    one = doctor(mesh, a)["reached", "B"]
    assert one["state"] == "bad" and one["text"].endswith("the connection is gone")
