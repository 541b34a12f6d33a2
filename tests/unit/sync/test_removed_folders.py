"""A folder that its user took off this device: it goes when its last job has ended, and is named
nowhere any more."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from leftzmq.content.keys import FolderKeys, derive_keys
from leftzmq.content.seal import fresh_nonce
from leftzmq.errors import Stop, StopCause
from leftzmq.sync.facts import (
    Asked,
    FolderAdded,
    FolderStopped,
    FolderTakenOff,
    PathsTouched,
    Touch,
)
from leftzmq.sync.jobs import Look, Looked
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.greeting import TELL_STOPS_S
from leftzmq.sync.peers.membership import Membership
from leftzmq.sync.reopening import Reopening
from leftzmq.wire.folder_rows import Standing, proof_of
from leftzmq.wire.messages import MAX_FOLDERS
from tests.helpers.mesh import Device, Held, Mesh

OFF = Stop(StopCause.REMOVED, "it was taken off this device")


def remove(device: Device) -> None:
    device.take(FolderStopped("share", OFF))
    device.take(FolderTakenOff("share"))


def in_sync(mesh: Mesh) -> tuple[Device, Device]:
    a, b = mesh.devices.values()
    a.write("f", b"of A")
    mesh.scan_all()
    mesh.settle()
    return a, b


def member(mesh: Mesh, device: Device, other: Device) -> dict[str, object]:
    (folder,) = mesh.ask(device, "status")["folders"]
    return next(each for each in folder["members"] if each["name"] == other.name)


def test_it_is_shown_until_its_members_are_told_and_then_no_more(mesh: Mesh) -> None:
    a, b = in_sync(mesh)
    remove(b)
    mesh.settle(TELL_STOPS_S / 2)
    (folder,) = b.node.status()["folders"]
    assert folder["state"] == "stopped" and folder["why"] == OFF.why
    mesh.settle(TELL_STOPS_S)
    assert b.node.status()["folders"] == [] and b.folders == {}
    assert member(mesh, a, b)["state"] == "stopped there"


def test_its_jobs_end_first(mesh: Mesh) -> None:
    a, b = in_sync(mesh)
    held = Held(b, Look)
    b.write("g", b"of B")
    b.take(PathsTouched("share", (("g", Touch.CLOSED),)))
    mesh.settle(1.0)
    job = held.take(Look)
    remove(b)
    mesh.settle(30.0)
    assert list(b.folders) == ["share"]
    answer = b.runner.run(job)
    assert isinstance(answer, Looked)
    b.take(answer)
    mesh.settle(1.0)
    assert b.folders == {}
    assert "g" not in a.tree()


def test_what_comes_afterwards_is_nothing_to_anybody(mesh: Mesh) -> None:
    a, b = in_sync(mesh)
    remove(b)
    mesh.settle(5.0)
    b.take(PathsTouched("share", (("g", Touch.CLOSED),)))
    a.write("h", b"of A, later")
    mesh.scan_all()
    mesh.settle()
    a.kill()
    mesh.settle(5.0)
    a.start()
    mesh.settle()
    assert b.folders == {} and "h" not in b.tree()
    said = member(mesh, a, b)
    assert said["state"] == "stopped there" and "taken off that device" in str(said["why"])
    assert mesh.ask(b, "problems")["declined"]["what"]
    remove(a)
    mesh.settle(5.0)
    assert a.folders == {} and b.node.peers.by_key[a.key].folders == ()


def test_who_waits_for_it_is_answered(mesh: Mesh) -> None:
    _, b = in_sync(mesh)
    held = Held(b, Look)
    b.take(PathsTouched("share", (("g", Touch.CLOSED),)))
    mesh.settle(1.0)
    assert held.jobs
    b.take(Asked(b"y", "wait", {"timeout": 600, "folder": "share"}))
    mesh.settle(1.0)
    before = len(b.answers)
    job = held.take(Look)
    remove(b)
    b.take(b.runner.run(job))  # type: ignore[arg-type]
    mesh.settle(5.0)
    (answer,) = b.answers[before:]
    assert not answer["in_sync"] and answer["why"] == "folder share was taken off this device"
    assert b.node.wait_questions.deadline() is None


@pytest.mark.parametrize("jobs", [0, 2])
def test_it_goes_once_when_no_job_runs_and_not_if_it_is_back(jobs: int) -> None:
    reopening = Reopening()
    for _ in range(jobs):
        reopening.job_begins("a")
    reopening.on_folder_stopped(FolderStopped("a", OFF), 1.0)
    assert reopening.take_gone() == []
    reopening.on_folder_taken_off(FolderTakenOff("a"), 1.0)
    for _ in range(jobs):
        assert reopening.take_gone() == []
        reopening.job_ended("a")
    assert reopening.take_gone() == ["a"] and reopening.take_gone() == []
    reopening.on_folder_taken_off(FolderTakenOff("a"), 2.0)
    reopening.on_folder_added(FolderAdded("a"), 3.0)
    assert reopening.take_gone() == [] and reopening.deadline() == 3.0


@dataclass
class FolderHere:
    """What membership uses of a folder that is stopped."""

    keys: FolderKeys
    stopped: Stop | None = OFF

    def standing_for(self, device: DeviceKey) -> Standing:
        raise AssertionError("it is stopped")


def test_a_greeting_has_room_for_the_last_of_those_that_are_gone() -> None:
    us, them = DeviceKey(b"a" * 32), DeviceKey(b"b" * 32)
    folders = {
        f"{n}": FolderHere(derive_keys(n.to_bytes(32, "big"))) for n in range(MAX_FOLDERS + 3)
    }
    all_keys = {id: folder.keys for id, folder in folders.items()}
    members = Membership(us, folders, fresh_nonce, lambda id, device: False)
    for n in range(6):
        members.on_folder_gone(f"{n}")
        del folders[f"{n}"]
    rows = members.said_to(them)
    proofs = {row.proof for row in rows}
    named = {id for id, keys in all_keys.items() if proof_of(keys, us, them) in proofs}
    assert len(rows) == MAX_FOLDERS and named == folders.keys() | {"3", "4", "5"}
    folders["5"] = FolderHere(derive_keys(b"n" * 32))
    proofs = {row.proof for row in members.said_to(them)}
    assert proof_of(folders["5"].keys, us, them) in proofs, "it is back, with other keys"
    assert proof_of(all_keys["5"], us, them) not in proofs and len(proofs) == MAX_FOLDERS


def test_a_folder_that_is_back_under_another_id_is_not_also_told_as_gone() -> None:
    us, them = DeviceKey(b"a" * 32), DeviceKey(b"b" * 32)
    keys = derive_keys(b"k" * 32)
    folders = {"old": FolderHere(keys)}
    members = Membership(us, folders, fresh_nonce, lambda id, device: False)
    members.on_folder_gone("old")
    del folders["old"]
    assert len(members.said_to(them)) == 1
    folders["new"] = FolderHere(keys)
    assert len(members.said_to(them)) == 1 and len(members.answered_to(them, ["new"])) == 1
    members.on_folder_gone("new")
    del folders["new"]
    assert len(members.said_to(them)) == 1, "of one secret there is one row"
