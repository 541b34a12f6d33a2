"""Conflict copies in the whole machine: listed, shown, decided about, and what the others see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leftzmq.work import keep_jobs
from tests.helpers.mesh import Device, Mesh
from tests.unit.sync.test_mesh import together, trash

CHOICES = ("mine", "theirs", "file", "copy", "both")


def at_odds(mesh: Mesh, path: str = "letter.txt") -> str:
    """A and B write at once; the copy holds what A wrote."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write(path, b"draft\n")
    together(mesh)
    mesh.now += 10
    a.write(path, b"draft\nby a\n", mtime=1_800_000_100)
    b.write(path, b"draft\nby b\n", mtime=1_800_000_200)
    (copy,) = [found for found in together(mesh) if ".conflict-" in found and path[:-4] in found]
    return copy


def contents(tree: dict[str, Any]) -> dict[str, bytes]:
    return {path: value[1] for path, value in tree.items() if value[0] == "file"}


def ask(mesh: Mesh, device: Device, verb: str, **fields: str) -> dict[str, Any]:
    return mesh.ask(device, f"conflicts {verb}", **fields)


@pytest.mark.parametrize("who", ["A", "B"])
def test_a_copy_is_listed_with_who_wrote_it(mesh: Mesh, who: str) -> None:
    copy = at_odds(mesh, "d/letter.txt")
    (found,) = ask(mesh, mesh.devices[who], "list")["copies"]
    assert (found["path"], found["copy"]) == ("d/letter.txt", copy)
    assert (found["device"], found["size"]) == ("A", 11)
    assert found["mtime_ns"] == 1_800_000_100 * 10**9


def test_a_long_list_comes_in_pages(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = [at_odds(mesh, f"{name}.txt") for name in ("one", "two", "six")]
    monkeypatch.setattr(keep_jobs, "COPIES_A_JOB", 1)
    found, after = [], ""
    while True:
        answer = ask(mesh, mesh.devices["B"], "list", after=after)
        found += [copy["copy"] for copy in answer["copies"]]
        after = answer["after"]
        if not after:
            break
    assert sorted(found) == sorted(copies)


@pytest.mark.parametrize("name", ["copy", "file"])
def test_the_versions_are_shown_side_by_side(mesh: Mesh, name: str) -> None:
    copy = at_odds(mesh)
    path = copy if name == "copy" else "letter.txt"
    versions = ask(mesh, mesh.devices["B"], "show", path=path)["versions"]
    assert [(v["path"], v["copy"], v["device"]) for v in versions] == [
        ("letter.txt", False, "B"),
        (copy, True, "A"),
    ]
    assert [v["text"] for v in versions] == ["draft\nby b\n", "draft\nby a\n"]


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("who", ["A", "B"])
@pytest.mark.parametrize("name", ["copy", "file"])
def test_what_is_decided_on_one_device_holds_on_all(
    mesh: Mesh, choice: str, who: str, name: str
) -> None:
    copy = at_odds(mesh)
    device = mesh.devices[who]
    path = copy if name == "copy" else "letter.txt"
    answer = ask(mesh, device, "resolve", path=path, choice=choice)
    assert answer["copy"] == copy
    mesh.settle()  # no walk: it was told what to look at
    tree = contents(together(mesh))
    kept = "letter (A 2027-01-15 080140).txt"
    by_a, by_b = b"draft\nby a\n", b"draft\nby b\n"
    if choice == "mine":  # whichever name it has: the file is B's, the copy A's
        choice = "copy" if who == "A" else "file"
    elif choice == "theirs":
        choice = "file" if who == "A" else "copy"
    assert answer["kept"] == choice
    assert (
        tree
        == {
            "file": {"letter.txt": by_b},
            "copy": {"letter.txt": by_a},
            "both": {"letter.txt": by_b, kept: by_a},
        }[choice]
    )
    lost = {"file": by_a, "copy": by_b}.get(choice)
    if lost:
        assert all(lost in trash(d) for d in mesh.devices.values())
    assert ask(mesh, device, "list")["copies"] == []
    assert device.folder.index_view.counters.conflicts == 0
    assert "no conflict copy" in ask(mesh, device, "show", path=path)["declined"]["what"]


def test_the_name_is_taken_so_the_copy_gets_a_longer_one(mesh: Mesh) -> None:
    copy = at_odds(mesh)
    b = mesh.devices["B"]
    b.write("letter (A 2027-01-15 080140).txt", b"of a user")
    path = ask(mesh, b, "resolve", path=copy, choice="both")["path"]
    digits = copy[-8:-4]
    assert path == f"letter (A 2027-01-15 080140 {digits}).txt"
    assert len(contents(together(mesh))) == 3


def test_a_file_that_is_gone(mesh: Mesh) -> None:
    copy = at_odds(mesh)
    a, b = mesh.devices["A"], mesh.devices["B"]
    (a.share / "letter.txt").unlink()
    together(mesh)
    assert len(ask(mesh, b, "show", path="letter.txt")["versions"]) == 1
    declined = ask(mesh, a, "resolve", path=copy, choice="mine")["declined"]
    assert "both versions were written on this device" in declined["what"], "one is the delete"
    assert ask(mesh, b, "resolve", path=copy, choice="theirs")["declined"]
    assert "path" in ask(mesh, b, "resolve", path=copy, choice="copy")
    assert contents(together(mesh)) == {"letter.txt": b"draft\nby a\n"}


def test_who_wrote_neither_is_asked_which_name_is_meant(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "ABC")
    for device in mesh.devices.values():
        device.start()
    c = mesh.devices["C"]
    copy = at_odds(mesh)
    for choice in ("mine", "theirs"):
        declined = ask(mesh, c, "resolve", path=copy, choice=choice)["declined"]
        assert "neither version was written on this device" in declined["what"]
        assert declined["where"] == copy
    assert ask(mesh, c, "resolve", path=copy, choice="copy")["kept"] == "copy"
    assert contents(together(mesh)) == {"letter.txt": b"draft\nby a\n"}


def test_a_version_is_by_who_wrote_it_last_also_under_the_name_of_a_copy(mesh: Mesh) -> None:
    copy = at_odds(mesh)
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("letter.txt", b"by a, after all")
    b.write(copy, b"by b, after all")
    together(mesh)
    assert ask(mesh, a, "resolve", path=copy, choice="mine")["kept"] == "file"
    assert contents(together(mesh)) == {"letter.txt": b"by a, after all"}


def test_what_cannot_be_decided_is_declined_with_a_sentence(mesh: Mesh) -> None:
    copy = at_odds(mesh)
    a, b = mesh.devices["A"], mesh.devices["B"]
    wrong = [
        ({"path": "nothing.txt", "choice": "mine"}, "there is no conflict copy of this path"),
        ({"path": "", "choice": "mine"}, "which path"),
        ({"path": copy, "choice": "ours"}, "mine, theirs, file, copy or both"),
        ({"path": "../x", "choice": "mine"}, "'..' component"),
        ({"path": copy, "choice": "mine", "folder": "x"}, "no such folder"),
    ]
    for fields, said in wrong:
        assert said in ask(mesh, b, "resolve", **fields)["declined"]["what"]
    b.write(copy, b"edited a moment ago")
    declined = ask(mesh, b, "resolve", path=copy, choice="mine")["declined"]
    assert "changed a moment ago" in declined["what"] and declined["where"] == copy
    mesh.settle()  # it was scanned now
    declined = ask(mesh, b, "resolve", path=copy, choice="mine")["declined"]
    assert "both versions were written on this device" in declined["what"]
    assert "path" in ask(mesh, b, "resolve", path=copy, choice="file")
    assert contents(together(mesh)) == {"letter.txt": b"draft\nby b\n"}
    assert b"edited a moment ago" in trash(b)
    _ = a


def test_several_copies_are_named(mesh: Mesh) -> None:
    copy = at_odds(mesh)
    b = mesh.devices["B"]
    other = copy.replace("080140", "080141")
    b.write(other, b"another")
    together(mesh)
    declined = ask(mesh, b, "resolve", path="letter.txt", choice="theirs")["declined"]
    assert copy in declined["what"] and other in declined["what"]
    assert len(ask(mesh, b, "show", path="letter.txt")["versions"]) == 3


def test_a_folder_in_the_place_of_the_file(mesh: Mesh) -> None:
    copy = at_odds(mesh)
    b = mesh.devices["B"]
    (b.share / "letter.txt").unlink()
    together(mesh)
    b.write("letter.txt/inside", b"x")
    together(mesh)
    declined = ask(mesh, b, "resolve", path=copy, choice="theirs")["declined"]
    assert "there is a folder with that name" in declined["what"]


@pytest.mark.parametrize("stem", ["x.lefting", ".left"])
@pytest.mark.parametrize("choice", CHOICES)
def test_a_hostile_name_of_a_copy_does_no_harm(mesh: Mesh, stem: str, choice: str) -> None:
    b = mesh.devices["B"]
    copy = f"{stem}.conflict-20231114-221320-AAAAAAA-6f6e"
    b.write(copy, b"made by hand")
    together(mesh)
    answer = ask(mesh, b, "resolve", path=copy, choice=choice)
    if choice in ("mine", "copy"):  # B wrote it, and nothing has the name
        assert "the name is reserved" in answer["declined"]["what"]
    elif choice == "theirs":
        assert "no other version" in answer["declined"]["what"]
    together(mesh)
    assert (b.share / ".left/marker").is_file()
