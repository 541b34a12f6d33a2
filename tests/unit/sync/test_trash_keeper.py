"""The trash in the whole machine: what was taken away is listed, comes back, and travels."""

from __future__ import annotations

import errno
import os
import shutil
from typing import Any

import pytest

from leftzmq.disk.apply import restore as recover
from leftzmq.disk.fs.real import RealDirectory
from leftzmq.errors import ProblemKind
from leftzmq.sync import trash_keeper as keeper
from leftzmq.wire.local import EventKind
from tests.helpers.mesh import Device, Mesh
from tests.unit.sync.test_mesh import together, trash

DAY_S = 86_400.0


def versions(mesh: Mesh, device: Device, **fields: str) -> list[tuple[str, int]]:
    """(path, size) of all pages."""
    found: list[tuple[str, int]] = []
    after = ""
    while True:
        answer = mesh.ask(device, "trash list", after=after, **fields)
        found += [(version["path"], version["size"]) for version in answer["versions"]]
        after = answer["after"]
        if not after:
            return found


def restore(mesh: Mesh, device: Device, path: str, **fields: str) -> dict[str, Any]:
    return mesh.ask(device, "trash restore", path=path, **fields)


def edit_twice_and_delete(mesh: Mesh) -> tuple[Device, Device]:
    a, b = mesh.devices["A"], mesh.devices["B"]
    for text in (b"one", b"second", b"3"):
        mesh.now += 5
        a.write("letters/f", text)
        together(mesh)
    (a.share / "letters/f").unlink()
    together(mesh)
    return a, b


def test_what_was_replaced_and_deleted_is_listed_newest_first(mesh: Mesh) -> None:
    a, b = edit_twice_and_delete(mesh)
    listed = [("letters/f", 1), ("letters/f", 6), ("letters/f", 3)]
    assert versions(mesh, b) == versions(mesh, b, path="letters") == listed
    assert versions(mesh, b, path="letter") == versions(mesh, a) == []


def test_the_newest_version_is_restored_and_travels(mesh: Mesh) -> None:
    a, b = edit_twice_and_delete(mesh)
    answer = restore(mesh, b, "letters/f")
    assert (answer["restored_list"], answer["stayed"]) == (["letters/f"], 0)
    mesh.settle()  # no walk: it was told what to look at
    assert (a.share / "letters/f").read_bytes() == b"3"
    assert b.folder.index_view.ours("letters/f").entry.writer == b.store.heads.life  # type: ignore[union-attr]
    assert together(mesh)["letters/f"][1] == b"3"  # type: ignore[index]
    assert [size for _, size in versions(mesh, b)] == [6, 3]


def test_a_named_version_is_restored(mesh: Mesh) -> None:
    _, b = edit_twice_and_delete(mesh)
    batches = [v["batch"] for v in mesh.ask(b, "trash list")["versions"]]
    second = batches[2].rpartition("-")[0]
    assert restore(mesh, b, "letters/f", since=second, before=batches[1])["restored"] == 1
    assert (b.share / "letters/f").read_bytes() == b"one"
    assert (
        restore(mesh, b, "letters/f", since=batches[1], before=f"{batches[1]}-", target="second")[
            "restored"
        ]
        == 1
    )
    tree = together(mesh)
    assert tree["letters/f"][1] == b"one" and tree["second"][1] == b"second"  # type: ignore[index]


@pytest.mark.slow
def test_a_deleted_tree_comes_back_whole(mesh: Mesh) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    contents = {f"photos/{i % 5}/{i}": os.urandom(20) for i in range(300)}
    for path, data in contents.items():
        a.write(path, data)
    a.write("large", os.urandom(600_000))
    together(mesh)
    shutil.rmtree(a.share / "photos")
    a.scan()
    mesh.settle()
    assert "held" in mesh.ask(a, "accept")
    mesh.settle()
    assert list(together(mesh)) == ["large"]
    answer = restore(mesh, b, "photos")
    assert (answer["restored"], answer["stayed"]) == (300, 0)
    tree = together(mesh)
    assert {p: v[1] for p, v in tree.items() if v[0] == "file" and p != "large"} == contents  # type: ignore[index]


def test_a_name_that_is_taken_is_left_alone_and_said(mesh: Mesh) -> None:
    _, b = edit_twice_and_delete(mesh)
    b.write("letters/f", b"new, by a user")
    answer = restore(mesh, b, "letters")
    assert (answer["restored"], answer["stayed"]) == (0, 1)
    assert "--to" in answer["stayed_list"][0]["why"]
    assert together(mesh)["letters/f"][1] == b"new, by a user"  # type: ignore[index]
    assert len(versions(mesh, b)) == 3


def test_what_came_back_and_could_not_be_flushed_is_told_when_it_is(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut would take it back, and that would look like a delete."""
    a, b = edit_twice_and_delete(mesh)
    with monkeypatch.context() as sick:
        sick.setattr(RealDirectory, "flush", _no_flush)
        assert restore(mesh, b, "letters/f")["restored"] == 1
        mesh.settle(3.0)
        assert not (a.share / "letters/f").exists()
        assert b.folder.problems.kind_of("letters/f") is ProblemKind.FLUSH_FAILED
    mesh.settle(20.0)
    assert (a.share / "letters/f").read_bytes() == b"3" and not b.folder.problems.all()


def _no_flush(*_: object) -> None:
    raise OSError(errno.EIO, "no")


WRONG = [
    ({"path": "nothing"}, "nothing is in the trash under this path"),
    ({"path": "letters/f", "before": "19990101-000000"}, "nothing of that time is in the trash"),
    ({"path": "letters/f", "since": "yesterday"}, "is not a time"),
    ({"path": "../x"}, "'..' component"),
    ({"path": "letters/f", "target": "/etc/x"}, "the path is absolute"),
    ({"path": "letters/f", "target": ".left/marker"}, "the name is reserved"),
    ({"path": ""}, "which path"),
    ({"path": "letters/f", "folder": "other"}, "there is no such folder here; there is share"),
]


@pytest.mark.parametrize("fields, said", WRONG, ids=[said for _, said in WRONG])
def test_a_wrong_question_is_declined_with_a_sentence(
    mesh: Mesh, fields: dict[str, str], said: str
) -> None:
    _, b = edit_twice_and_delete(mesh)
    answer = mesh.ask(b, "trash restore", **fields)
    assert said in answer["declined"]["what"]
    assert len(versions(mesh, b)) == 3 and list(together(mesh)) == ["letters"]


def test_a_share_that_was_replaced_is_not_asked(mesh: Mesh) -> None:
    _, b = edit_twice_and_delete(mesh)
    b.share.rename(b.share.parent / "away")
    b.share.mkdir()
    answer = restore(mesh, b, "letters/f")
    assert "missing, unmounted or replaced" in answer["declined"]["what"]
    answer = restore(mesh, b, "letters/f")
    assert "the folder is stopped" in answer["declined"]["what"]
    assert not list(b.share.iterdir())


def test_questions_wait_for_each_other(mesh: Mesh) -> None:
    _, b = edit_twice_and_delete(mesh)
    for _ in range(3):
        b.take(keeper_question("letters/f"))
    mesh.settle(1)
    assert [answer.get("restored", "declined") for answer in b.answers[-3:]] == [1, 0, 0]


def keeper_question(path: str) -> Any:
    from leftzmq.sync.facts import Asked

    return Asked(b"x", "trash restore", {"path": path})


def test_a_long_list_comes_in_pages(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    for number in range(5):
        for name in range(3):
            a.write(f"f{name}", b"x" * number)
        together(mesh)
        mesh.now += 5
    whole = versions(mesh, b)
    monkeypatch.setattr(keeper, "PAGE_ITEMS", 5)
    assert versions(mesh, b) == whole and len(whole) == 12
    monkeypatch.setattr(keeper, "PAGE_BYTES", 1)
    assert versions(mesh, b) == whole
    monkeypatch.setattr("leftzmq.disk.apply.restore.STEP_CALLS", 1)
    assert versions(mesh, b) == whole
    assert restore(mesh, b, "f1", target="back")["restored"] == 1


def many(mesh: Mesh, device: Device, count: int) -> list[tuple[str, int]]:
    """So many files in one folder of the trash."""
    folder = device.share / ".left/trash/20270115-080000-0000abcd/d"
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number:05}").write_bytes(b"")
    return [(f"d/{number:05}", 0) for number in range(count)]


def test_a_large_folder_is_read_once_for_all_pages(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = mesh.devices["A"]
    monkeypatch.setattr(keeper, "PAGE_ITEMS", 200)
    monkeypatch.setattr(recover, "STEP_CALLS", 80)
    monkeypatch.setattr(recover, "PART_NAMES", 32)
    listed = many(mesh, a, 1_000)
    read: list[int] = []
    names = recover.our_names
    monkeypatch.setattr(recover, "our_names", lambda folder: read.append(1) or names(folder))
    assert versions(mesh, a) == listed
    assert len(read) == 3  # the trash, the batch, the folder


def test_two_who_page_at_once_get_everything(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "PAGE_ITEMS", 200)
    monkeypatch.setattr(recover, "STEP_CALLS", 80)
    monkeypatch.setattr(recover, "PART_NAMES", 32)
    a = mesh.devices["A"]
    listed = many(mesh, a, 1_000)
    found: list[list[tuple[str, int]]] = [[], [], []]
    afters = ["", "", ""]
    for turn in range(100):
        if turn == 3:
            (a.share / ".left/trash/20270115-080000-0000abcd/d/00999").unlink()
        for who in range(3):
            if turn and not afters[who]:
                continue
            answer = mesh.ask(a, "trash list", after=afters[who])
            found[who] += [(version["path"], version["size"]) for version in answer["versions"]]
            afters[who] = answer["after"]
        if who == 2 and turn == 2:
            assert restore(mesh, a, "d/00998")["restored"] == 1
    assert found == [listed[:-2]] * 3


# ---- sweeping -----------------------------------------------------------------------------------


def test_the_trash_is_swept_at_the_start_and_daily(mesh: Mesh) -> None:
    a, b = edit_twice_and_delete(mesh)
    for _ in range(29):
        mesh.now += DAY_S
        mesh.settle()
    assert len(trash(b)) == 3
    for _ in range(2):
        mesh.now += DAY_S
        mesh.settle()
    assert trash(b) == []
    swept = [event for event in b.events if event.kind is EventKind.SWEPT]
    assert len(swept) == 1 and swept[0].fields["batches"] == 3
    assert not [event for event in a.events if event.kind is EventKind.SWEPT]


def test_a_restart_under_a_clock_that_is_years_ahead_keeps_the_trash(mesh: Mesh) -> None:
    _, b = edit_twice_and_delete(mesh)
    for _ in range(6):
        b.kill()
        mesh.started_ns += int(365 * DAY_S * 1e9) * (mesh.started_ns < 1_900_000_000 * 10**9)
        b.start()
        mesh.settle()
    assert len(trash(b)) == 3
