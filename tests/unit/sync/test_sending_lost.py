"""A folder that only sends lost what it had: its own files come back to it from the others, where
its user or a bit that turned says so, and still nothing of what others changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from leftzmq.sync.admin.why.reasons import WhyNot
from leftzmq.sync.facts import BytesDoubted
from leftzmq.sync.guard.threshold import QUIET_S, WINDOW_S
from leftzmq.sync.jobs import Doubt
from leftzmq.tree.mode import FolderMode
from tests.helpers.mesh import Device, Mesh
from tests.unit.sync.admin.test_why import why
from tests.unit.sync.test_mesh import trash
from tests.unit.sync.test_sending import copies, override, quiet, text
from tests.unit.sync.test_wanted import ask
from tests.unit.sync.upload.test_bit_rot import problems, turn

LOST = 150


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    """A only sends, B syncs in both directions, and C is not started."""
    mesh = Mesh(tmp_path)
    mesh.devices["A"].mode = FolderMode.SEND
    for name in "AB":
        mesh.devices[name].start()
    mesh.settle()
    return mesh


def shared(mesh: Mesh) -> bytes:
    """A file that A and B have."""
    data = bytes(range(200))
    mesh.devices["A"].write("d/f", data)
    mesh.scan_all()
    mesh.settle()
    assert (mesh.devices["B"].share / "d/f").read_bytes() == data
    return data


def reads_from_a(mesh: Mesh) -> None:
    """C starts and asks A alone for what it needs, so that A reads its bytes."""
    b, c = mesh.devices["B"], mesh.devices["C"]
    on_get = b.node.listener.on_get
    b.node.listener.on_get = lambda link, get, now: (  # type: ignore[method-assign]
        [] if link.device == c.key and mesh.now < 1300 else on_get(link, get, now)
    )
    c.start()


def test_a_rotten_file_is_healed(mesh: Mesh) -> None:
    a, b, c = mesh.devices.values()
    data = shared(mesh)
    rotten = turn(a)
    reads_from_a(mesh)
    mesh.settle(400.0)
    assert text(a, "d/f") == text(b, "d/f") == text(c, "d/f") == data
    assert trash(a) == [rotten] and problems(a) == {}
    quiet(mesh)


def test_a_rotten_file_of_which_the_others_have_only_a_later_version_stays(mesh: Mesh) -> None:
    a, b, _ = mesh.devices.values()
    data = shared(mesh)
    ours = a.folder.index_view.ours("d/f")
    assert ours is not None and ours.entry.content is not None
    b.write("d/f", b"of b")
    mesh.scan_all()
    mesh.settle()
    rotten = turn(a)
    a.take(BytesDoubted("share", (Doubt("d/f", ours.entry.content, 0, len(data)),)))
    mesh.settle(400.0)
    assert text(a, "d/f") == rotten and text(b, "d/f") == b"of b"
    assert problems(a) == {"d/f": "ROTTEN"} and trash(a) == copies(b) == []


def given_up(mesh: Mesh) -> bytes:
    """A gave up a rotten file, and nobody sends it the right bytes. Returns what lies there."""
    a, b, _ = mesh.devices.values()
    shared(mesh)
    rotten = turn(a)
    b.node.listener.on_get = lambda link, get, now: []  # type: ignore[method-assign]
    reads_from_a(mesh)
    mesh.settle(20.0)
    assert a.folder.index_view.ours("d/f") is None and text(a, "d/f") == rotten
    assert why(a, "d/f") is WhyNot.ROTTEN
    return rotten


def test_what_was_given_up_is_taken_as_the_others_have_it_then(mesh: Mesh) -> None:
    a, b, c = mesh.devices.values()
    rotten = given_up(mesh)
    a.kill()
    b.write("d/f", b"of b")
    b.kill()
    b.start()
    mesh.scan_all()
    a.start()
    mesh.settle(400.0)
    assert text(a, "d/f") == text(b, "d/f") == text(c, "d/f") == b"of b"
    assert trash(a) == [rotten]
    quiet(mesh)
    b.write("d/f", b"later of b")
    quiet(mesh, 1)
    assert text(a, "d/f") == b"of b", "that is not wanted back any more"


def test_what_was_given_up_goes_to_the_trash_where_the_others_delete_it(mesh: Mesh) -> None:
    a, b, c = mesh.devices.values()
    rotten = given_up(mesh)
    (b.share / "d/f").unlink()
    mesh.scan_all()
    mesh.settle(400.0)
    assert trash(a) == [rotten], "no user wrote what is rotten"
    assert [device.tree().keys() for device in (a, b, c)] == [{"d"}] * 3
    quiet(mesh)


def test_override_publishes_nothing_where_our_own_is_wanted_back(mesh: Mesh) -> None:
    a, b, _ = mesh.devices.values()
    given_up(mesh)
    b.write("other", b"of b")
    mesh.scan_all()
    mesh.settle()
    assert override(mesh, a) == ["other"]
    assert (b.share / "d/f").exists() and not (b.share / "other").exists()
    said = mesh.ask(a, "override", path="d/f")["declined"]["what"]
    assert said == "nothing differs there but what is coming back from the others"


def test_what_its_user_reverts_comes_back(mesh: Mesh) -> None:
    a, b, _ = mesh.devices.values()
    for number in range(LOST):
        a.write(f"d/{number % 7}/{number}", b"%d" % number)
    mesh.scan_all()
    mesh.settle()
    before = a.tree()
    shutil.rmtree(a.share / "d")
    a.scan()
    mesh.settle(QUIET_S + WINDOW_S)
    assert mesh.ask(a, "revert")["held"] == {"here": LOST}
    mesh.settle(400.0)
    assert a.tree() == b.tree() == before and trash(b) == []
    assert a.folder.index_view.differs == 0
    quiet_two(mesh)


def names(device: Device) -> set[str]:
    return {path for path in device.tree() if (device.share / path).is_file()}


def test_what_was_let_go_comes_back_when_its_user_gets_it(mesh: Mesh) -> None:
    a, b, _ = mesh.devices.values()
    for path in ("x/1", "x/y/2", "z"):
        a.write(path, path.encode())
    quiet_two(mesh)
    assert ask(mesh, a, "drop", "x")["dropped"] == 4
    b.write("x/1", b"of b")
    quiet_two(mesh)
    assert names(a) == {"z"} and a.folder.index_view.differs == 0, "nothing differs, it is not kept"
    ask(mesh, a, "get", "x/y")
    quiet_two(mesh)
    assert names(a) == {"z", "x/y/2"}
    ask(mesh, a, "get", "x")
    quiet_two(mesh)
    assert names(a) == {"z", "x/y/2", "x/1"} and text(a, "x/1") == b"of b"
    b.write("x/1", b"later of b")
    (b.share / "x/y/2").unlink()
    quiet_two(mesh)
    assert text(a, "x/1") == b"of b" and text(a, "x/y/2") == b"x/y/2", "it only sends"
    assert a.folder.index_view.differs == 2


def test_its_user_gets_what_only_others_have_and_nothing_beside_it(mesh: Mesh) -> None:
    a, b, _ = mesh.devices.values()
    for path in ("d/e/1", "d/2", "3"):
        b.write(path, path.encode())
    quiet_two(mesh)
    on_get = b.node.listener.on_get
    b.node.listener.on_get = lambda link, get, now: []  # type: ignore[method-assign]
    ask(mesh, a, "get", "d/e")
    assert why(a, "d/e/1") is WhyNot.FETCHING and why(a, "d/2") is WhyNot.SENDS_ONLY
    b.node.listener.on_get = on_get  # type: ignore[method-assign]
    quiet_two(mesh)
    assert names(a) == {"d/e/1"}
    a.kill()
    a.start()
    b.write("d/e/4", b"4")
    quiet_two(mesh)
    assert names(a) == {"d/e/1", "d/e/4"}, "what was got stays so after a restart"
    b.write("d/e/6", b"6")
    quiet_two(mesh)
    (b.share / "d/e/6").unlink()
    quiet_two(mesh)
    assert (a.share / "d/e/6").exists(), "it deletes nothing that others deleted"
    (a.share / "d/e/6").unlink()
    (a.share / "d/e/4").unlink()
    quiet_two(mesh)
    assert names(a) == {"d/e/1"} and not (b.share / "d/e/4").exists()
    ask(mesh, a, "drop", "d/e")
    b.write("d/e/5", b"5")
    quiet_two(mesh)
    assert names(a) == set()


def test_what_others_make_anew_where_it_was_never_here_comes_too(mesh: Mesh) -> None:
    a, b, _ = mesh.devices.values()
    b.write("d/1", b"1")
    b.write("d/2", b"2")
    quiet_two(mesh)
    (b.share / "d/1").unlink()
    quiet_two(mesh)
    ask(mesh, a, "get", "d")
    b.write("d/1", b"anew")
    quiet_two(mesh)
    assert names(a) == {"d/1", "d/2"}


def test_what_was_got_comes_no_more_when_the_folder_synced_both_ways_since(mesh: Mesh) -> None:
    a, b, _ = mesh.devices.values()
    b.write("d/1", b"1")
    quiet_two(mesh)
    ask(mesh, a, "get", "d")
    for mode in (FolderMode.BOTH, FolderMode.SEND):
        a.kill()
        a.mode = mode
        a.start()
        quiet_two(mesh)
        assert names(a) == {"d/1"}
    b.write("d/2", b"2")
    quiet_two(mesh)
    assert names(a) == {"d/1"}


def quiet_two(mesh: Mesh) -> None:
    """A and B are at rest; C is not there."""
    mesh.scan_all()
    mesh.settle(300.0)
    for device in (mesh.devices["A"], mesh.devices["B"]):
        assert device.folder.state.value == "idle", device.name
        assert not device.folder.problems.all(), device.folder.problems.all()
