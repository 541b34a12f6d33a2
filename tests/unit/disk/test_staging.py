"""`.lefting` files: only ours are written, only checked chunks go in, a user's stay untouched."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest

from leftzmq.content.ids import chunk_id
from leftzmq.content.keys import derive_keys
from leftzmq.content.seal import seal_chunk
from leftzmq.disk.fs.interface import LastFolder, Root
from leftzmq.disk.fs.real import RealDirectory, RealFile, RealRoot
from leftzmq.disk.staging import lefting, staging
from leftzmq.disk.staging.lefting import lefting_path, lefting_paths
from leftzmq.disk.staging.local_copy import copy_home
from leftzmq.disk.staging.staging import DiskFull, StagingLost, Unstageable
from leftzmq.errors import ProblemKind
from leftzmq.tree.entry import ContentId, Entry, Kind
from leftzmq.tree.plan import Staged
from leftzmq.tree.version import Life, Vector

KEYS = derive_keys(b"s" * 32)
NOW_NS = 1_700_000_000_000_000_000
ONE, TWO, THREE = b"1" * 1000, b"2" * 70_000, b"3" * 500
IDS = [bytes(chunk_id(KEYS, data)) for data in (ONE, TWO, THREE)]
BOXES = [seal_chunk(KEYS.first, id, data) for id, data in zip(IDS, (ONE, TWO, THREE), strict=True)]
OFFSETS = [0, 1000, 71_000]
CHUNKS = list(zip(IDS, OFFSETS, (1000, 70_000, 500), strict=True))
PIECES = [(*chunk, memoryview(box)) for chunk, box in zip(CHUNKS, BOXES, strict=True)]


@pytest.fixture
def root(tmp_path: Path) -> RealRoot:
    (tmp_path / ".left" / "trash").mkdir(parents=True)
    (tmp_path / "d").mkdir()
    return RealRoot(tmp_path)


def stage_small(root: Root, entry: Entry, data: bytes) -> Staged:
    with LastFolder(root) as near:
        return staging.stage_small(near, entry, data)


def entry(path: str, exec: bool = False, mtime_ns: int = 5_000_000_123) -> Entry:
    return Entry(
        path=path,
        kind=Kind.FILE,
        size=3,
        mtime_ns=mtime_ns,
        exec=exec,
        content=ContentId(b""),
        depth=0,
        vector=Vector(),
        writer=Life(b"w" * 12),
        stamp=1,
        deleted=False,
    )


def opened(root: RealRoot, path: str = "d/a", known: Staged | None = None) -> Staged:
    return staging.open_staging(root, path, known, 0)[0]


def names(path: str) -> list[str]:
    return list(lefting_paths(path))


def trashed(tmp_path: Path) -> list[bytes]:
    return [p.read_bytes() for p in (tmp_path / ".left/trash").rglob("*") if p.is_file()]


# ---- names ------------------------------------------------------------------------------------


def test_where_a_lefting_lies() -> None:
    assert lefting_path("a.txt") == "a.txt.lefting"
    assert lefting_path("d/e/a") == "d/e/a.lefting"
    assert lefting_path("d/" + "x" * 247) == "d/" + "x" * 247 + ".lefting"
    long = lefting_path("d/" + "é" * 124)
    assert long.startswith("d/.") and len(long) == len("d/.") + 16 + len(".lefting")
    assert len({*names("d/a")[1:], *names("d/b")[1:]}) == 16
    assert all(path.startswith("d/.") for path in names("d/a")[1:])
    assert len(set(lefting_paths("d/" + "é" * 124))) == 8


# ---- opening ----------------------------------------------------------------------------------


def test_a_new_one_then_the_same_again(root: RealRoot, tmp_path: Path) -> None:
    staged, found = staging.open_staging(root, "d/a", None, 0)
    assert staged == Staged("d/a.lefting", (tmp_path / "d/a.lefting").stat().st_ino) and not found
    assert staging.open_staging(root, "d/a", staged, 0) == (staged, True)
    assert not (tmp_path / "d/a").exists()


def test_a_users_file_of_that_name_is_not_touched(root: RealRoot, tmp_path: Path) -> None:
    user = tmp_path / "d/a.lefting"
    user.write_bytes(b"mine")
    staged, found = staging.open_staging(root, "d/a", Staged("d/a.lefting", None), 0)
    assert staged.path == names("d/a")[1] and not found
    known = Staged("d/a.lefting", user.stat().st_ino + 1)
    assert staging.open_staging(root, "d/a", known, 0)[0].path == names("d/a")[2]
    assert user.read_bytes() == b"mine"


def test_a_link_of_that_name_is_not_followed(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"mine")
    (tmp_path / "d/a.lefting").symlink_to("../target")
    staged = opened(root)
    assert staged.path == names("d/a")[1]
    linked = Staged("d/a.lefting", (tmp_path / "target").stat().st_ino)
    with pytest.raises(StagingLost):
        staging.write_chunks(root, linked, PIECES, KEYS, KEYS.first)
    assert (tmp_path / "target").read_bytes() == b"mine"


@pytest.mark.parametrize("parent", ["none", "file", "link"])
def test_it_waits_for_its_folder(root: RealRoot, tmp_path: Path, parent: str) -> None:
    if parent == "file":
        (tmp_path / "p").write_bytes(b"")
    elif parent == "link":
        (tmp_path / "p").symlink_to("d")
    for act in (
        lambda: staging.open_staging(root, "p/a", None, 0),
        lambda: stage_small(root, entry("p/a"), b"abc"),
    ):
        with pytest.raises(Unstageable) as caught:
            act()
        assert caught.value.kind is ProblemKind.WAITING_FOR_FOLDER
    assert not list((tmp_path / "d").iterdir())


# ---- chunks -----------------------------------------------------------------------------------


def test_chunks_are_written_verified_and_found_again(root: RealRoot, tmp_path: Path) -> None:
    staged = opened(root)
    assert staging.verify_chunks(root, staged, CHUNKS, KEYS) == []
    assert staging.write_chunks(root, staged, [PIECES[2], PIECES[0]], KEYS, KEYS.first) == (
        [0, 1],
        [],
    )
    assert staging.verify_chunks(root, staged, CHUNKS, KEYS) == [0, 71_000]
    assert staging.write_chunks(root, staged, [PIECES[1]], KEYS, KEYS.first) == ([0], [])
    assert (tmp_path / staged.path).read_bytes() == ONE + TWO + THREE
    with (tmp_path / staged.path).open("r+b") as file:
        file.seek(1500)
        file.write(b"x")
    assert staging.verify_chunks(root, staged, CHUNKS, KEYS) == [0, 71_000]


def test_not_one_bad_byte_goes_in(root: RealRoot, tmp_path: Path) -> None:
    staged = opened(root)
    other = derive_keys(b"t" * 32)
    wrong_id = seal_chunk(KEYS.first, IDS[0], b"not what the id says")
    bad = [
        (IDS[0], 0, 1000, BOXES[0][:-1]),  # damaged
        (IDS[0], 0, 1000, b""),
        (IDS[0], 0, 1000, BOXES[1]),  # sealed for another id
        (IDS[0], 0, 1000, seal_chunk(other.first, IDS[0], ONE)),
        (IDS[0], 0, len(b"not what the id says"), wrong_id),
        (IDS[0], 0, 999, BOXES[0]),  # a hostile list: it would spill over its neighbour
    ]
    assert staging.write_chunks(root, staged, [*bad, PIECES[2]], KEYS, KEYS.first) == (
        [6],
        [0, 1, 2, 3, 4, 5],
    )
    assert (tmp_path / staged.path).read_bytes() == b"\0" * 71_000 + THREE


def test_only_ours_is_written(root: RealRoot, tmp_path: Path) -> None:
    staged = opened(root)
    (tmp_path / staged.path).rename(tmp_path / "moved")
    for _ in range(2):
        for act in (
            lambda: staging.write_chunks(root, staged, PIECES, KEYS, KEYS.first),
            lambda: staging.verify_chunks(root, staged, CHUNKS, KEYS),
            lambda: copy_home(root, staged, "moved", [], KEYS),
        ):
            with pytest.raises(StagingLost):
                act()
        (tmp_path / staged.path).write_bytes(b"mine")
    assert (tmp_path / staged.path).read_bytes() == b"mine"


def test_copies_from_home_are_checked(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"head" + ONE + b"x" + THREE)
    staged = opened(root)
    wanted = [
        (IDS[0], 1000, 4, 0),
        (IDS[1], 70_000, 4, 1000),  # not there
        (IDS[2], 500, 1005, 71_000),
        (IDS[2], 500, 1004, 9),  # moved by one
        (IDS[2], 500, 1200, 9),  # runs over the end
    ]
    assert copy_home(root, staged, "old", wanted, KEYS) == [0, 71_000]
    assert (tmp_path / staged.path).read_bytes() == ONE + b"\0" * 70_000 + THREE
    (tmp_path / "link").symlink_to("old")
    for source in ("none", "none/x", "d", "link"):
        assert copy_home(root, staged, source, wanted, KEYS) == []


@pytest.mark.parametrize("way", ["from others", "from home"])
def test_a_large_file_begins_to_be_flushed_while_it_arrives(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Once for every so many bytes, in whatever order its chunks come."""
    monkeypatch.setattr(staging, "FLUSH_STEP_BYTES", 4096)
    begun: list[tuple[int, int]] = []
    monkeypatch.setattr(RealFile, "begin_flush", lambda _, *part: begun.append(part))
    whole = os.urandom(20 * 1024)
    chunks = [(whole[at : at + 1024], at) for at in range(0, len(whole), 1024)]
    random.Random(1).shuffle(chunks)
    ids = [bytes(chunk_id(KEYS, data)) for data, _ in chunks]
    staged = opened(root)
    if way == "from home":
        (tmp_path / "old").write_bytes(whole)
        wanted = [(id, 1024, at, at) for id, (_, at) in zip(ids, chunks, strict=True)]
        assert len(copy_home(root, staged, "old", wanted, KEYS)) == 20
    else:
        boxes = [
            (id, at, 1024, memoryview(seal_chunk(KEYS.first, id, data)))
            for id, (data, at) in zip(ids, chunks, strict=True)
        ]
        assert len(staging.write_chunks(root, staged, boxes, KEYS, KEYS.first)[0]) == 20
    assert sorted(begun) == [(at, 4096) for at in range(0, len(whole), 4096)]
    assert (tmp_path / staged.path).read_bytes() == whole


# ---- small files ------------------------------------------------------------------------------


def test_a_small_file_is_staged_whole(root: RealRoot, tmp_path: Path) -> None:
    staged = stage_small(root, entry("d/a", exec=True), b"abc")
    found = (tmp_path / staged.path).stat()
    assert (tmp_path / staged.path).read_bytes() == b"abc"
    assert (found.st_ino, found.st_mtime_ns) == (staged.inode, 5_000_000_123)
    assert found.st_mode & 0o100 and not (tmp_path / "d/a").exists()


def test_all_names_taken_is_a_problem(root: RealRoot, tmp_path: Path) -> None:
    for path in lefting_paths("d/a"):
        assert stage_small(root, entry("d/a"), b"abc").path == path
        (tmp_path / path).write_bytes(b"mine")
    with pytest.raises(Unstageable) as caught:
        stage_small(root, entry("d/a"), b"abc")
    assert caught.value.kind is ProblemKind.FOREIGN_LEFTING
    assert {p.read_bytes() for p in (tmp_path / "d").iterdir()} == {b"mine"}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_told_from_other_errors(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    staged = opened(root)
    (tmp_path / "old").write_bytes(ONE)

    def no(*_: object) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(RealFile, "write", no)
    for act in (
        lambda: staging.write_chunks(root, staged, PIECES, KEYS, KEYS.first),
        lambda: copy_home(root, staged, "old", [(IDS[0], 1000, 0, 0)], KEYS),
        lambda: stage_small(root, entry("d/b"), b"abc"),
    ):
        with pytest.raises(Unstageable if code == errno.EIO else DiskFull):
            act()
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["a.lefting"]
    monkeypatch.setattr(RealDirectory, "create", no)
    with pytest.raises(Unstageable if code == errno.EIO else DiskFull):
        opened(root, "d/c")


# ---- throwing away ----------------------------------------------------------------------------


def test_ours_is_unlinked_and_nothing_else(root: RealRoot, tmp_path: Path) -> None:
    staged = opened(root)
    lefting.discard(root, staged, NOW_NS)
    assert not list((tmp_path / "d").iterdir())
    lefting.discard(root, staged, NOW_NS)  # once more: nothing to do
    lefting.discard(root, Staged("none/a.lefting", 5), NOW_NS)
    user = tmp_path / staged.path
    user.write_bytes(b"mine")
    lefting.discard(root, Staged(staged.path, user.stat().st_ino + 1_000_000), NOW_NS)
    assert user.read_bytes() == b"mine" and not trashed(tmp_path)


def test_one_that_was_never_learned_goes_to_the_trash(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "d/a.lefting").write_bytes(b"whose?")
    lefting.discard(root, Staged("d/a.lefting", None), NOW_NS)
    assert not list((tmp_path / "d").iterdir()) and trashed(tmp_path) == [b"whose?"]
    (tmp_path / "d/a.lefting").mkdir()
    lefting.discard(root, Staged("d/a.lefting", None), NOW_NS)
    assert (tmp_path / "d/a.lefting").is_dir()


def test_one_that_was_certainly_made_goes_and_no_other_one(root: RealRoot, tmp_path: Path) -> None:
    """Its inode could not be read. One under a hashed name may be made, or gone on with, by now."""
    _, hashed, *_ = lefting.lefting_paths("d/a")
    (tmp_path / "d/a.lefting").write_bytes(b"ours")
    (tmp_path / hashed).write_bytes(b"another")
    assert lefting.discard(root, Staged("d/a.lefting", None, unread=True), NOW_NS)
    assert [path.read_bytes() for path in (tmp_path / "d").iterdir()] == [b"another"]
    assert trashed(tmp_path) == [b"ours"]


@pytest.mark.parametrize("which", ["the one that was going", "the one that got its name"])
def test_of_one_in_doubt_only_what_is_ours_by_its_inode_is_unlinked(
    root: RealRoot, tmp_path: Path, which: str
) -> None:
    (tmp_path / "d/a").write_bytes(b"a user's")
    (tmp_path / "d/a.lefting").write_bytes(b"whose?")
    inode = (tmp_path / "d/a.lefting").stat().st_ino + (0 if "going" in which else 1_000_000)
    staged = Staged("d/a.lefting", inode, in_doubt=True)
    assert not lefting.is_swapped(root, staged, "d/a", None)
    assert lefting.discard(root, staged, NOW_NS)
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["a"]
    assert trashed(tmp_path) == ([] if "going" in which else [b"whose?"])


def test_what_a_crash_left_after_an_exchange_goes_to_the_trash(
    root: RealRoot, tmp_path: Path
) -> None:
    (tmp_path / "d/a").write_bytes(b"old")
    (tmp_path / os.fsdecode(b"d/\xff")).write_bytes(b"no name")
    staged = stage_small(root, entry("d/a"), b"new")
    with root.folder("d") as folder:
        folder.exchange("a", folder, "a.lefting")
    lefting.discard(root, staged, NOW_NS)
    assert (tmp_path / "d/a").read_bytes() == b"new" and trashed(tmp_path) == [b"old"]
    assert not (tmp_path / "d/a.lefting").exists()


def test_no_descriptor_is_left_open(root: RealRoot, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    staged = opened(root)
    staging.write_chunks(root, staged, PIECES, KEYS, KEYS.first)
    staging.verify_chunks(root, staged, CHUNKS, KEYS)
    copy_home(root, staged, "none", [], KEYS)
    with pytest.raises(StagingLost):
        staging.verify_chunks(root, Staged(staged.path, 1), CHUNKS, KEYS)
    lefting.discard(root, Staged(staged.path, None), NOW_NS)
    stage_small(root, entry("d/x"), b"abc")
    assert len(os.listdir("/proc/self/fd")) == before


# ---- who may read what arrives -----------------------------------------------------------------


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


def test_a_large_file_is_private_while_it_arrives(root: RealRoot, tmp_path: Path) -> None:
    staged, _ = staging.open_staging(root, "d/a", None, 71_500)
    staging.write_chunks(root, staged, PIECES, KEYS, KEYS.first)
    assert mode_of(tmp_path / staged.path) == 0o600
    (tmp_path / staged.path).chmod(0o644)  # as an earlier version made it
    assert staging.open_staging(root, "d/a", staged, 71_500) == (staged, True)
    assert mode_of(tmp_path / staged.path) == 0o600


def test_a_small_file_is_private_where_it_replaces_one(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "d/a").write_bytes(b"old")
    (tmp_path / "d/a").chmod(0o600)
    staged = stage_small(root, entry("d/a"), b"new")
    assert mode_of(tmp_path / staged.path) == 0o600


def test_a_small_file_is_private_while_it_is_written(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    write = RealFile.write

    def watched(self: RealFile, offset: int, data: bytes) -> None:
        write(self, offset, data)
        seen.append(self.stat().mode)

    monkeypatch.setattr(RealFile, "write", watched)
    staged = stage_small(root, entry("d/a"), b"new")
    with root.folder("d") as folder:
        assert seen == [0o600] and mode_of(tmp_path / staged.path) == folder.new_mode(False)
