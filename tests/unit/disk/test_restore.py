"""What lies in the trash, and putting it back: never over anything, never half."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from leftzmq.disk.apply import restore as recover
from leftzmq.disk.apply.restore import PutBack, Restored, Return, Trashed, TrashListing, restore
from leftzmq.disk.fs.real import RealDirectory, RealRoot
from leftzmq.disk.trash.trash import batch_name
from leftzmq.errors import Refused
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import sort_key

S_NS = 1_000_000_000
NOW_NS = 1_700_000_000 * S_NS  # 2023-11-14 22:13:20 UTC


@pytest.fixture
def share(tmp_path: Path) -> Path:
    (tmp_path / "share/.left/trash").mkdir(parents=True)
    return tmp_path / "share"


def trashed(share: Path, age_s: int, *paths: str, data: bytes = b"old") -> str:
    name = batch_name(NOW_NS - age_s * S_NS)
    for path in paths:
        file = share / ".left/trash" / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return name


def listed(
    share: Path, path: str = "", time: str = "", after: tuple[str, str] = ("", "")
) -> list[Trashed]:
    listing = TrashListing(RealRoot(share), path, (time, f"{time}~" if time else ""), after)
    found: list[Trashed] = []
    for _ in range(10_000):
        part = listing.step()
        found += part.found
        if part.done:
            return found
    raise AssertionError("the listing does not end")


def put_back(share: Path, batch: str, path: str, target: str = "") -> Return:
    return restore(RealRoot(share), [PutBack(batch, path, target or path)])[0]


# ---- listing ----------------------------------------------------------------------------------


def test_the_newest_batch_comes_first_with_paths_sizes_and_kinds(share: Path) -> None:
    old = trashed(share, 60, "f", data=b"longer than the other")
    new = trashed(share, 0, "f", "d/e/g", data=b"12")
    (share / ".left/trash" / new / "link").symlink_to("/etc")
    found = listed(share)
    assert [(v.batch, v.path, v.kind, v.size) for v in found] == [
        (new, "d/e/g", Kind.FILE, 2),
        (new, "f", Kind.FILE, 2),
        (new, "link", Kind.SYMLINK, 0),
        (old, "f", Kind.FILE, 21),
    ]


NOW, EARLIER = batch_name(NOW_NS), batch_name(NOW_NS - 60 * S_NS)
PARTS = [
    ("", "", ("", ""), 6),
    ("d", "", ("", ""), 4),
    ("d/a", "", ("", ""), 2),
    ("d/a/b", "", ("", ""), 0),
    ("e", "", ("", ""), 0),
    ("", "2023", ("", ""), 6),
    ("", "20231114-2212", ("", ""), 3),
    ("", "20231114-221220", ("", ""), 3),
    ("", "2022", ("", ""), 0),
    ("d", "20231114-221320", ("", ""), 2),
    ("", "", (NOW, "d/a"), 5),
    ("", "", (NOW, "d/aa/gone"), 5),
    ("", "", (NOW, "d"), 6),
    ("", "", (NOW, "z"), 3),
    ("", "", (EARLIER, "d/b"), 1),
    ("", "", (EARLIER, "f"), 0),
    ("d/b", "", (NOW, "d/a"), 2),
    ("d/b", "", (NOW, "d/b"), 1),
]


@pytest.mark.parametrize("path, time, after, count", PARTS)
def test_a_part_of_it(
    share: Path, path: str, time: str, after: tuple[str, str], count: int
) -> None:
    for age_s in (0, 60):
        trashed(share, age_s, "d/a", "d/b", "f")
    assert len(listed(share, path, time, after)) == count


@pytest.mark.parametrize("top", ["", "d", "d/b"])
def test_it_goes_on_after_any_version(share: Path, top: str) -> None:
    for age_s in (0, 60):
        trashed(share, age_s, "a", "d/a", "d/b/c", "d/b/d", "d/b-", "d-/x", "d.txt", "é/f", "z/z/z")
    whole = listed(share, top)
    assert whole == sorted(whole, key=lambda v: (v.batch != NOW, sort_key(v.path)))
    for at, version in enumerate(whole):
        assert listed(share, top, "", (version.batch, version.path)) == whole[at + 1 :]


def test_a_folder_of_many_comes_in_steps(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recover, "STEP_CALLS", 100)
    monkeypatch.setattr(recover, "PART_NAMES", 32)
    batch = trashed(share, 0, *(f"{n:05}" for n in range(750)))
    listing = TrashListing(RealRoot(share), "")
    found: list[str] = []
    while not (part := listing.step()).done:
        assert len(part.found) <= 2 * recover.STEP_CALLS
        found += [version.path for version in part.found]
    assert found + [v.path for v in part.found] == [f"{n:05}" for n in range(750)]
    assert len(listed(share, "", "", (batch, "00740"))) == 9


def test_what_is_no_batch_or_goes_away_meanwhile_is_passed_over(
    share: Path, tmp_path: Path
) -> None:
    batch = trashed(share, 0, "a")
    (share / ".left/trash/by hand").mkdir()
    (share / ".left/trash/by hand/f").write_bytes(b"")
    (share / ".left/trash" / f"going-{batch}").mkdir()
    (share / ".left/trash" / batch_name(NOW_NS - S_NS)).symlink_to(tmp_path)
    (Path(os.fsdecode(os.fsencode(share / ".left/trash" / batch) + b"/caf\xe9"))).write_bytes(b"")
    assert [v.path for v in listed(share)] == ["a"]


def test_a_step_is_bounded(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recover, "STEP_CALLS", 100)
    for age_s in range(15):
        trashed(share, age_s, *(f"d{i % 5}/f{i}" for i in range(30)))
    listing = TrashListing(RealRoot(share), "")
    steps, count = 1, 0
    while not (part := listing.step()).done:
        assert listing._calls < 2 * recover.STEP_CALLS
        steps, count = steps + 1, count + len(part.found)
    assert steps > 3 and count + len(part.found) == 15 * 30


# ---- putting back -----------------------------------------------------------------------------


def test_a_version_is_back_with_its_bytes_mtime_and_mode(share: Path) -> None:
    batch = trashed(share, 0, "d/e/tool", data=b"#!")
    lies = share / ".left/trash" / batch / "d/e/tool"
    lies.chmod(0o755)
    os.utime(lies, (1_500_000_000, 1_500_000_000))
    returned = put_back(share, batch, "d/e/tool")
    assert (returned.ending, returned.made) == (Restored.DONE, ("d", "d/e"))
    stat = (share / "d/e/tool").stat()
    assert (stat.st_mtime, stat.st_mode & 0o777) == (1_500_000_000, 0o755)
    assert (share / "d/e/tool").read_bytes() == b"#!" and not lies.exists()


def test_a_link_is_back_as_a_link(share: Path) -> None:
    batch = trashed(share, 0, "f")
    (share / ".left/trash" / batch / "l").symlink_to("/nowhere")
    assert put_back(share, batch, "l").ending is Restored.DONE
    assert (share / "l").readlink() == Path("/nowhere")


@pytest.mark.parametrize("there", ["a file", "a folder", "a link"])
def test_nothing_is_overwritten(share: Path, there: str) -> None:
    batch = trashed(share, 0, "x")
    if there == "a file":
        (share / "x").write_bytes(b"of a user")
    elif there == "a folder":
        (share / "x").mkdir()
    else:
        (share / "x").symlink_to("/nowhere")
    before = (share / "x").lstat()
    assert put_back(share, batch, "x").ending is Restored.TAKEN
    assert (share / "x").lstat() == before and len(listed(share)) == 1
    assert put_back(share, batch, "x", "d/y").ending is Restored.DONE
    assert (share / "d/y").read_bytes() == b"old"


@pytest.mark.parametrize("there", ["a file", "a link to a folder"])
def test_no_folder_is_made_through_a_file_or_a_link(
    share: Path, tmp_path: Path, there: str
) -> None:
    batch = trashed(share, 0, "d/e/f")
    (tmp_path / "outside").mkdir()
    if there == "a file":
        (share / "d").write_bytes(b"of a user")
    else:
        (share / "d").symlink_to(tmp_path / "outside")
    assert put_back(share, batch, "d/e/f").ending is Restored.NO_FOLDER
    assert not list((tmp_path / "outside").iterdir()) and len(listed(share)) == 1


def test_nothing_is_taken_through_a_link_in_the_trash(share: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/f").write_bytes(b"not ours")
    batch = trashed(share, 0, "f")
    (share / ".left/trash" / batch / "d").symlink_to(tmp_path / "outside")
    assert put_back(share, batch, "d/f").ending is Restored.GONE
    assert (tmp_path / "outside/f").exists()


def test_what_is_gone_leaves_no_folders_behind(share: Path) -> None:
    batch = trashed(share, 0, "d/f")
    (share / ".left/trash" / batch / "d/f").unlink()
    (share / ".left/trash" / batch / "d/f").mkdir()
    assert put_back(share, batch, "d/f").ending is Restored.GONE
    assert put_back(share, batch_name(0), "d/f").ending is Restored.GONE
    assert [path.name for path in share.iterdir()] == [".left"]


@pytest.mark.parametrize(
    "path, target",
    [("../x", "x"), ("x", "../x"), ("x", "/x"), ("x", ".left/x"), ("x", "a/../../x"), ("x", "")],
)
def test_a_path_that_may_not_be_is_refused_before_anything_is_done(
    share: Path, path: str, target: str
) -> None:
    batch = trashed(share, 0, "x", "y")
    with pytest.raises(Refused):
        restore(RealRoot(share), [PutBack(batch, "y", "y"), PutBack(batch, path, target)])
    assert not (share / "y").exists()


@pytest.mark.parametrize(
    "code, ending", [(errno.ENOSPC, Restored.DISK_FULL), (errno.EIO, Restored.FAILED)]
)
def test_what_the_disk_says_is_said(
    share: Path, monkeypatch: pytest.MonkeyPatch, code: int, ending: Restored
) -> None:
    batch = trashed(share, 0, "d/f")

    def broken(*_: object) -> None:
        raise OSError(code, "the disk says so")

    monkeypatch.setattr(RealDirectory, "rename_new", broken)
    returned = put_back(share, batch, "d/f")
    assert (returned.ending, returned.why) == (ending, "the disk says so")
    assert not (share / "d").exists() and len(listed(share)) == 1


def test_both_folders_are_flushed(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = trashed(share, 0, "d/f")
    flushed: list[int] = []
    flush = RealDirectory.flush
    monkeypatch.setattr(
        RealDirectory, "flush", lambda f: (flushed.append(f.own_stat().inode), flush(f))[1]
    )
    assert put_back(share, batch, "d/f").ending is Restored.DONE
    wanted = (share, share / "d", share / ".left/trash" / batch / "d")
    assert {path.stat().st_ino for path in wanted} <= set(flushed)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts something: root")
@pytest.mark.parametrize("what", ["a file", "a link", "a name that is taken"])
def test_onto_another_file_system_it_is_copied_whole(share: Path, what: str) -> None:
    batch = trashed(share, 0, "m/f")
    lies = share / ".left/trash" / batch / "m/f"
    os.utime(lies, (1_500_000_000, 1_500_000_000))
    if what == "a link":
        lies.unlink()
        lies.symlink_to("there")
    (share / "m").mkdir()
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(share / "m")]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mount is not allowed here")
    try:
        if what == "a name that is taken":
            (share / "m/f").write_bytes(b"of a user")
            assert put_back(share, batch, "m/f").ending is Restored.TAKEN
            assert (share / "m/f").read_bytes() == b"of a user" and lies.exists()
        else:
            assert put_back(share, batch, "m/f").ending is Restored.DONE
            assert not os.path.lexists(lies)
        if what == "a link":
            assert (share / "m/f").readlink() == Path("there")
        elif what == "a file":
            assert (share / "m/f").read_bytes() == b"old"
            assert (share / "m/f").stat().st_mtime == 1_500_000_000
        assert [path.name for path in (share / "m").iterdir()] == ["f"]
    finally:
        subprocess.run(["umount", str(share / "m")], check=True)
