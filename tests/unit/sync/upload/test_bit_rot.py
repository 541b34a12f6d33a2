"""One bit turns on a disk and no stat tells: said at once, healed from another device, not spread.

The bit is turned behind the kernel's back: the stat that the index knows is that of the file after.
"""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from leftzmq.disk.fs.real import RealFile
from leftzmq.sync.download.failed_requests import NOT_GIVEN_S
from leftzmq.sync.facts import BytesDoubted, PeerUnlisted
from leftzmq.sync.jobs import Doubt
from leftzmq.sync.upload.bit_rot import TRY_PERIOD_S
from leftzmq.tree.mode import FolderMode
from tests.helpers.mesh import Device, Mesh
from tests.unit.sync.test_mesh import together

pytestmark = pytest.mark.slow  # each opens devices with files of 5 MB

SIZES = pytest.mark.parametrize("size", [100, 5_000_000], ids=["small", "large"])


@pytest.fixture
def mesh(tmp_path: Path, request: pytest.FixtureRequest) -> Mesh:
    """A and B, started; the parameter is the mode in which B syncs."""
    mesh = Mesh(tmp_path)
    mesh.devices["B"].mode = getattr(request, "param", FolderMode.BOTH)
    for device in (mesh.devices["A"], mesh.devices["B"]):
        device.start()
    mesh.settle()
    return mesh


def shared(mesh: Mesh, size: int) -> bytes:
    """A file that A and B have, and C does not know."""
    data = random.Random(size).randbytes(size)
    mesh.devices["A"].write("d/f", data)
    mesh.scan_all()
    mesh.settle()
    assert (mesh.devices["B"].share / "d/f").read_bytes() == data
    return data


def turn(device: Device, path: str = "d/f", at: int = 50) -> bytes:
    """Turn a bit of a file; its bytes then."""
    file = device.share / path
    before = file.stat()
    with file.open("r+b") as opened:
        opened.seek(at)
        (byte,) = opened.read(1)
        opened.seek(at)
        opened.write(bytes((byte ^ 1,)))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    rows = device.folder.index_view.rows(path)
    ours = device.folder.index_view.ours(path)
    assert ours is not None and ours.scan is not None
    key = replace(ours.scan, ctime_ns=file.stat().st_ctime_ns)
    device.folder.index_view.change_row(rows, ours, type(ours)(**{**_fields(ours), "scan": key}))
    device.folder.store.commit()
    device.scan()
    return file.read_bytes()


def _fields(row: object) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__struct_fields__}  # type: ignore[attr-defined]


def files(device: Device) -> dict[str, bytes]:
    found = [path for path in device.tree() if (device.share / path).is_file()]
    return {path: (device.share / path).read_bytes() for path in found}


def trashed(device: Device) -> list[bytes]:
    found = (device.share / ".left/trash").rglob("*")
    return [path.read_bytes() for path in found if path.is_file()]


def problems(device: Device) -> dict[str, str]:
    return {problem.path: problem.kind.name for problem in device.folder.problems.all()}


@SIZES
def test_it_is_said_healed_and_the_rotten_bytes_lie_in_the_trash(mesh: Mesh, size: int) -> None:
    a, b, c = mesh.devices.values()
    data = shared(mesh, size)
    os.chmod(b.share / "d/f", 0o640)
    b.scan()
    mesh.settle()
    rotten = turn(b)
    version = b.folder.index_view.ours("d/f")
    mesh.settle()
    assert problems(b) == {}, "nobody read it"
    told: list[str] = []
    show = b.folder.problems.show
    b.folder.problems.show = lambda p: told.append(p.kind.name) or show(p)  # type: ignore[assignment,func-returns-value,method-assign]
    asked = b.folder.received_bytes
    c.start()
    a_asked = a.node.listener.on_get
    a.node.listener.on_get = lambda link, get, now: (  # type: ignore[method-assign]
        [] if link.device == c.key and mesh.now < 1300 else a_asked(link, get, now)
    )
    mesh.settle(400.0)
    assert "ROTTEN" in told
    assert (b.share / "d/f").read_bytes() == data and trashed(b) == [rotten]
    assert (b.share / "d/f").stat().st_mode & 0o777 == 0o640
    assert b.folder.received_bytes - asked < max(200, size // 2), "only what was bad"
    now = b.folder.index_view.ours("d/f")
    assert now is not None and version is not None and now.entry == version.entry
    assert problems(b) == {} and b.folder.state.value == "idle"
    assert (c.share / "d/f").read_bytes() == data
    assert not trashed(a) and set(together(mesh)) == {"d", "d/f"}


@SIZES
def test_where_nobody_else_has_it_it_stays_and_both_say_so(mesh: Mesh, size: int) -> None:
    a, b, c = mesh.devices.values()
    data = shared(mesh, size)
    rotten = turn(b)
    a.kill()
    c.start()
    mesh.settle(2 * NOT_GIVEN_S)
    assert problems(b) == {"d/f": "ROTTEN"} and "touch" in str(b.folder.problems.all()[0])
    assert problems(c) == {"d/f": "NOT_GIVEN"} and "asked: B" in str(c.folder.problems.all()[0])
    b.scan()
    mesh.settle(300.0)
    assert problems(b) == {"d/f": "ROTTEN"}, "a walk that finds nothing new does not solve it"
    assert (b.share / "d/f").read_bytes() == rotten and not (c.share / "d/f").exists()
    a.start()
    mesh.settle(2 * TRY_PERIOD_S + 2 * NOT_GIVEN_S)
    assert {(device.share / "d/f").read_bytes() for device in (a, b, c)} == {data}
    assert trashed(b) == [rotten] and problems(b) == problems(c) == {}


def test_who_touches_it_keeps_it_as_it_is(mesh: Mesh) -> None:
    a, b, c = mesh.devices.values()
    shared(mesh, 100)
    rotten = turn(b)
    a.kill()
    c.start()
    mesh.settle(2 * NOT_GIVEN_S)
    os.utime(b.share / "d/f", (mesh.now + 8e8, mesh.now + 8e8))
    b.scan()
    mesh.settle(2 * NOT_GIVEN_S)
    assert (c.share / "d/f").read_bytes() == rotten and problems(b) == problems(c) == {}


def given_up(mesh: Mesh) -> bytes:
    """C asks B for what is rotten there, and nobody gives it to B. Returns the rotten bytes."""
    a, b, c = mesh.devices.values()
    shared(mesh, 100)
    rotten = turn(b)
    a.node.listener.on_get = lambda link, get, now: []  # type: ignore[method-assign]
    c.start()
    mesh.settle(5.0)
    assert problems(b) == {"d/f": "ROTTEN"} and b.folder.index_view.ours("d/f") is None
    return rotten


@pytest.mark.parametrize("starts", [False, True], ids=["", "after a start"])
def test_what_is_rotten_goes_when_others_delete_it(mesh: Mesh, starts: bool) -> None:
    rotten = given_up(mesh)
    a, b, c = mesh.devices.values()
    if starts:
        b.kill()
    (a.share / "d/f").unlink()
    a.scan()
    mesh.settle(5.0)
    if starts:
        b.start()
    mesh.settle(2 * NOT_GIVEN_S)
    assert files(a) == files(b) == files(c) == {} and trashed(b) == [rotten]
    assert problems(b) == problems(c) == {}


@pytest.mark.parametrize("data", [None, b"of a user"], ids=["what it was", "an edit"])
def test_what_a_user_put_there_is_judged_by_its_bytes_when_others_delete_it(
    mesh: Mesh, data: bytes | None
) -> None:
    """Before it is looked at. What others deleted goes, whoever restored it."""
    given_up(mesh)
    a, b, c = mesh.devices.values()
    (b.share / "d/f").write_bytes(data or (a.share / "d/f").read_bytes())
    os.utime(b.share / "d/f", ns=(1, (a.share / "d/f").stat().st_mtime_ns))
    (a.share / "d/f").unlink()
    a.scan()
    mesh.settle(5.0)
    b.scan()
    mesh.settle(2 * NOT_GIVEN_S)
    assert files(a) == files(b) == files(c) == ({"d/f": data} if data else {})


def test_bytes_that_cannot_be_read_are_fetched_again(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = mesh.devices.values()
    data = shared(mesh, 100)
    inode, read = (b.share / "d/f").stat().st_ino, RealFile.read

    def broken(self: RealFile, offset: int, length: int) -> bytes:
        if self.stat().inode == inode:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(self, offset, length)

    monkeypatch.setattr(RealFile, "read", broken)
    a.node.listener.on_get = lambda link, get, now, real=a.node.listener.on_get: (  # type: ignore[method-assign]
        [] if link.device == c.key else real(link, get, now)
    )
    c.start()
    mesh.settle(2 * NOT_GIVEN_S)
    assert (b.share / "d/f").stat().st_ino != inode
    assert (c.share / "d/f").read_bytes() == (b.share / "d/f").read_bytes() == data


def test_who_asks_for_what_the_file_never_had_makes_no_problem(mesh: Mesh) -> None:
    b = mesh.devices["B"]
    for size in (100, 5_000_000):
        data = shared(mesh, size)
        ours = b.folder.index_view.ours("d/f")
        assert ours is not None
        content = bytes(ours.entry.content)
        for doubt in (
            Doubt("d/f", b"x" * 32, 0, size),
            Doubt("d/f", content, 1, size),
            Doubt("d/f", content, 0, 7),
            Doubt("d", content, 0, size),
            Doubt("../f", content, 0, size),
            Doubt("none", content, 0, size),
        ):
            b.take(BytesDoubted("share", (doubt,)))
            mesh.settle()
            assert problems(b) == {}
        assert (b.share / "d/f").read_bytes() == data and data not in trashed(b)


def test_what_a_user_wrote_meanwhile_is_his(mesh: Mesh) -> None:
    _, b, c = mesh.devices.values()
    shared(mesh, 100)
    turn(b)
    (b.share / "d/f").write_bytes(b"of a user")
    c.start()
    mesh.settle(60.0)
    b.scan()
    mesh.settle(60.0)
    assert together(mesh)["d/f"][1] == b"of a user"  # type: ignore[index]
    assert problems(b) == {}


@pytest.mark.parametrize("seed", range(12))
def test_bits_that_turn_anywhere_while_people_work_lose_nothing(tmp_path: Path, seed: int) -> None:
    """Whatever turns on one device, the others' bytes are what users wrote, and in the end all are
    equal where it was read."""
    chance = random.Random(seed)
    mesh = Mesh(tmp_path, "ABC", seed)
    devices = list(mesh.devices.values())
    for device in devices[:2]:
        device.start()
    written: set[bytes] = set()
    for step in range(12):
        device = chance.choice(devices[:2])
        path, data = f"d{chance.randrange(2)}/{chance.randrange(3)}", chance.randbytes(60)
        written.add(data)
        device.write(path, data, mtime=None)
        device.scan()
        mesh.settle(chance.choice((0.1, 20.0)))
        if step % 3 == 2:
            mesh.settle(20.0)
            turned = chance.choice(sorted(files(devices[1])))
            ours = devices[1].folder.index_view.ours(turned)
            if ours is not None and ours.scan is not None:
                turn(devices[1], turned, chance.randrange(60))
    mesh.settle(60.0)
    devices[2].start()
    mesh.settle(300.0)
    assert files(devices[2]) == files(devices[0])
    assert set(files(devices[2]).values()) <= written


@SIZES
def test_what_lies_at_home_and_is_not_what_it_was_is_found_there_too(mesh: Mesh, size: int) -> None:
    a, b, _ = mesh.devices.values()
    data = shared(mesh, size)
    rotten = turn(b)
    a.write("copy", data)
    a.scan()
    mesh.settle(60.0)
    assert (b.share / "copy").read_bytes() == (b.share / "d/f").read_bytes() == data
    assert trashed(b) == [rotten] and problems(b) == {}


def test_where_it_turned_on_all_who_had_it_they_say_so_until_one_is_touched(mesh: Mesh) -> None:
    a, b, c = mesh.devices.values()
    shared(mesh, 100)
    rotten = turn(a, at=10)
    turn(b, at=20)
    c.start()
    mesh.settle(4 * NOT_GIVEN_S)
    assert problems(c) == {"d/f": "NOT_GIVEN"} and set(problems(a)) == set(problems(b)) == {"d/f"}
    for device in (a, b):
        assert all("touch" in str(problem) for problem in device.folder.problems.all())
        assert len(files(device)) == 1
    os.utime(a.share / "d/f", (mesh.now + 8e8, mesh.now + 8e8))
    mesh.scan_all()
    mesh.settle(4 * NOT_GIVEN_S)
    assert {data for device in (a, b, c) for data in files(device).values()} == {rotten}
    assert problems(a) == problems(b) == problems(c) == {}


def test_what_is_rotten_and_ignored_from_now_on_is_waited_for_no_more(mesh: Mesh) -> None:
    """B told it and wants it back. Then all ignore it, so no device has a version of it."""
    rotten = given_up(mesh)
    a, b, c = mesh.devices.values()
    for device in (c, a, b):
        device.folder.keeping.tune(("d/f",), litter=True)
        mesh.settle(5.0)
    assert not b.folder.index_view.all_rows("d/f"), "nobody has it"
    a.kill()
    c.folder.keeping.tune((), litter=True)
    mesh.settle(2 * NOT_GIVEN_S)
    assert problems(c) == {}, "no device is taken for one that has what it was"
    assert (b.share / "d/f").read_bytes() == rotten


@pytest.mark.parametrize(
    ("ignore", "only"), [(("d/f",), ()), ((), ("e",))], ids=["ignored", "not wanted"]
)
def test_who_does_not_keep_what_was_rotten_counts_as_nobody_who_has_it(
    mesh: Mesh, ignore: tuple[str, ...], only: tuple[str, ...]
) -> None:
    given_up(mesh)
    b, c = mesh.devices["B"], mesh.devices["C"]
    assert holders(c, b) != 0
    b.folder.keeping.tune(ignore, litter=True, only=only)
    mesh.settle(5.0)
    assert holders(c, b) == 0


@pytest.mark.parametrize("mesh", [FolderMode.RECEIVE], indirect=True)
def test_who_only_receives_and_has_an_edit_in_its_place_counts_as_nobody_who_has_it(
    mesh: Mesh,
) -> None:
    given_up(mesh)
    b, c = mesh.devices["B"], mesh.devices["C"]
    assert holders(c, b) != 0
    b.write("d/f", b"of B's user")
    b.scan()
    mesh.settle(5.0)
    assert holders(c, b) == 0


def holders(seen_by: Device, of: Device) -> int:
    """How many versions of d/f a device takes another one to have."""
    view = seen_by.folder.index_view
    mask = view.store.heads.bits_of([of.key])
    return sum(bool(row.holders & mask) for row in view.all_rows("d/f"))


def test_what_is_rotten_stays_where_those_who_are_left_have_an_older_version_alone(
    mesh: Mesh,
) -> None:
    """None of them can ever give what it was, and no device takes an older version back. What is
    there is told as a file of a user's, beside what others have."""
    a, b, c = mesh.devices.values()
    older = shared(mesh, 100)
    c.start()
    mesh.settle()
    c.kill()
    mesh.now += 60
    a.write("d/f", b"the next version, which C has not heard of yet, and which A takes with it")
    a.scan()
    mesh.settle()
    rotten = turn(b)
    a.node.listener.on_get = lambda link, get, now: []  # type: ignore[method-assign]
    c.start()
    mesh.settle(5.0)
    assert problems(b) == {"d/f": "ROTTEN"} and b.folder.index_view.ours("d/f") is None
    a.kill()
    for device in (b, c):
        device.handle(PeerUnlisted(a.key))
    mesh.settle(2 * NOT_GIVEN_S)
    assert problems(b) == problems(c) == {}
    assert files(b) == files(c) and set(files(b).values()) == {rotten, older}
