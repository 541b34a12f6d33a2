"""`leftzmq ignored`: by which rule a path is ignored, and which rules hold, on real files."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from leftzmq.cli.paths.ignored import _file_lines, _lines, _list_lines
from leftzmq.errors import Stop, StopCause
from leftzmq.sync.admin import ignored as module
from leftzmq.sync.facts import Asked, FolderStopped, LocalRulesSet
from leftzmq.sync.jobs import LookWhatLies
from leftzmq.wire.replies import IgnoredShown, IgnoreRulesPage
from tests.helpers.mesh import Device, Held, Mesh
from tests.sim.node import FOLDER


def rules(mesh: Mesh, device: Device, path: str, *lines: str) -> None:
    device.write(path, "".join(f"{line}\n" for line in lines).encode())
    mesh.scan_all()
    mesh.settle()


def local(mesh: Mesh, device: Device, *lines: str, litter: bool = True) -> None:
    device.take(LocalRulesSet(FOLDER, lines, litter))
    mesh.settle()


def said(mesh: Mesh, device: Device, path: str) -> list[str]:
    """What a user reads."""
    return list(_lines(IgnoredShown.of(mesh.ask(device, "ignored", path=path))))


def test_the_rule_is_named_with_its_place(mesh: Mesh, a: Device) -> None:
    a.write("web/node_modules/x/y", b"")
    a.write("web/main.js", b"")
    a.write("disk.iso", b"")
    a.write(".text.swp", b"")
    rules(mesh, a, "web/.leftignore", "# a comment", "", "node_modules/")
    local(mesh, a, "# another one", "*.iso")
    name = "web/node_modules"
    why = "line 3 of web/.leftignore says node_modules/"
    assert said(mesh, a, name) == [f"{name} is ignored: {why}"]
    assert said(mesh, a, f"{name}/x/y") == [f"{name}/x/y is ignored: {why} (it matches {name})"]
    assert said(mesh, a, "web/main.js") == ["web/main.js is not ignored"]
    assert said(mesh, a, "web/.leftignore") == ["web/.leftignore is not ignored"]
    assert said(mesh, a, "disk.iso") == [
        "disk.iso is ignored: rule 2 of `ignore` in peer.toml says *.iso"
    ]
    assert said(mesh, a, ".text.swp") == [
        ".text.swp is ignored: the built-in list has .*.sw[a-p] (vim, neovim and nano: swap file "
        "of an open file): litter = false in peer.toml turns it off"
    ]
    local(mesh, a, litter=False)
    assert said(mesh, a, ".text.swp") == [".text.swp is not ignored"]


def test_what_lies_there_decides_whether_it_is_asked_as_a_folder(mesh: Mesh, a: Device) -> None:
    rules(mesh, a, ".leftignore", "x/", "both")
    no, yes = "x is not ignored", "x is ignored: line 1 of .leftignore says x/"
    assert said(mesh, a, "x") == [
        "x: nothing is there",
        "  a file of that name is not ignored",
        "  a folder of that name is ignored: line 1 of .leftignore says x/",
    ]
    assert said(mesh, a, "both") == ["both is ignored: line 2 of .leftignore says both"]
    assert said(mesh, a, "neither/here") == ["neither/here is not ignored"]
    there = a.share / "x"
    there.write_bytes(b"")
    assert said(mesh, a, "x") == [no]
    there.unlink()
    there.symlink_to(a.share)
    assert said(mesh, a, "x") == [no], "a link is no folder, wherever it leads"
    assert mesh.ask(a, "ignored", path="x/x")["lies"] == "nothing", "and nothing lies below it"
    there.unlink()
    there.mkdir()
    assert said(mesh, a, "x") == [yes]
    there.rmdir()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(there))
    answer = mesh.ask(a, "ignored", path="x")
    assert answer["lies"] == "other" and not answer["verdicts"][0]["ignored"]


def test_rules_that_cannot_be_read_are_named(mesh: Mesh, a: Device) -> None:
    rules(mesh, a, ".leftignore", "secret")
    a.write(".leftignore", b"ok\n\xff")
    a.write("sub/.leftignore", b"also\n")
    mesh.scan_all()
    mesh.settle()
    unread = "rules cannot be read: .leftignore: line 2: the file is not UTF-8 (save it as UTF-8)"
    assert said(mesh, a, "sub/new") == [
        "sub/new is not ignored",
        f"what is new beside it is told to nobody: {unread}",
    ]
    assert said(mesh, a, "secret") == ["secret is ignored: line 1 of .leftignore says secret"]


def test_what_is_no_path_of_a_share_is_declined(mesh: Mesh, a: Device) -> None:
    for path in ("/etc", "../x", "a//b", ".left/trash", "x.lefting"):
        assert mesh.ask(a, "ignored", path=path)["declined"]["where"] == path
    assert mesh.ask(a, "ignored")["declined"]["what"] == "which path is meant?"
    for after in ("here", "a/.leftignore/b"):
        assert mesh.ask(a, "ignored rules", after=after)["declined"]["where"] == after


def overview(mesh: Mesh, device: Device) -> tuple[list[str], IgnoreRulesPage]:
    """What a user reads of the files, and the last page."""
    files: list[dict[str, Any]] = []
    after = ""
    while True:
        answer = mesh.ask(device, "ignored rules", after=after)
        files += answer["files"]
        after = answer["after"]
        if not after:
            return list(_file_lines(files)), IgnoreRulesPage.of(answer)


def test_all_rules_that_hold_are_listed(mesh: Mesh, a: Device, b: Device) -> None:
    assert overview(mesh, a)[0] == ["there is no file of rules (.leftignore)"]
    a.write("x.iso", b"")
    a.write("sub/kept", b"")
    rules(mesh, a, ".leftignore", "#left: gitignore", "out/", "[a", "a//", "./b", "c//d")
    rules(mesh, a, "sub/.gitignore", "y")
    a.write("out/.leftignore", b"nobody reads it\n")
    mesh.scan_all()
    mesh.settle()
    local(mesh, b, "*.iso", "[open", "/scratch/", litter=False)
    lines, page = overview(mesh, b)
    assert lines[0] == ".leftignore: 1 rule, and the .gitignore files from there on"
    of_mistakes = [line.split(":")[0] for line in lines[1:5]]
    assert of_mistakes == ["  line 3", "  line 4", "  line 5", "  and 1 more"]
    assert lines[5:] == ["sub/.gitignore: 1 rule"]
    assert list(_list_lines(page)) == [
        "on this device alone (`ignore` in peer.toml): 2 rules",
        "  rule 1: *.iso",
        "  rule 3: /scratch/",
        f"  {page.local_mistakes[0]}",
        "the built-in list does not hold (litter = false in peer.toml)",
        "1 path of other devices: not taken, as a rule says",
        "1 path of this device: not synced any more; what lies there stays as it is",
    ]
    assert page.local_mistakes[0].startswith("rule 2: '[open': ")
    (a.share / "x.iso").unlink()
    mesh.scan_all()
    mesh.settle()
    _, page = overview(mesh, b)
    assert (page.not_kept, page.withdrawn) == (0, 1), "of a delete there is nothing to take"
    _, page = overview(mesh, a)
    assert (page.not_kept, page.withdrawn, page.local) == (0, 0, [])
    (line,) = _list_lines(page)
    assert line.startswith("the built-in list (35 rules") and "litter = false" in line


def test_a_long_list_of_files_comes_in_pages(
    mesh: Mesh, a: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [f"{n}/{below}.leftignore" for n in range(5) for below in ("", "x/")]
    for path in places:
        a.write(path, b"y\n")
    mesh.scan_all()
    mesh.settle()
    monkeypatch.setattr(module, "PAGE_ITEMS", 3)
    lines, _ = overview(mesh, a)
    assert sorted(lines) == sorted(f"{path}: 1 rule" for path in places)


@pytest.fixture
def held(a: Device) -> Iterator[Held]:
    held = Held(a, LookWhatLies)
    yield held
    a.do = held._do  # type: ignore[method-assign]


def test_a_question_is_answered_when_the_folder_stops(mesh: Mesh, a: Device, held: Held) -> None:
    before = len(a.answers)
    a.take(Asked(b"x", "ignored", {"path": "x"}))
    a.take(FolderStopped(FOLDER, Stop(StopCause.HELD_UP, "for a test")))
    mesh.settle(1.0)
    (answer,) = a.answers[before:]
    assert answer["declined"]["what"] == "for a test"
    job = held.take(LookWhatLies)
    a.take(a.runner.run(job))
    mesh.settle(1.0)
    assert len(a.answers) == before + 1
