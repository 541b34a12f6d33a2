"""disk/apply on real files: each verb, each thing that can be in its way, each kind of write by a
user in between. What a user wrote is there afterwards, byte for byte, whatever happened."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from leftzmq.disk.apply.apply import apply
from leftzmq.disk.apply.flush import GROUP_FROM, Alone, Flushes
from leftzmq.disk.apply.outcome import Ending, Outcome
from leftzmq.disk.apply.swap import Place
from leftzmq.disk.fs import renaming
from leftzmq.disk.fs.interface import Identity, LastFolder, Root, Stat
from leftzmq.disk.fs.real import RealDirectory, RealFile, RealRoot
from leftzmq.disk.staging import staging
from leftzmq.disk.staging.staging import open_staging
from leftzmq.disk.trash.trash import Trash
from leftzmq.tree.entry import ContentId, Entry, Kind
from leftzmq.tree.plan import Held, Moved, Operation, Staged, Verb
from leftzmq.tree.version import Life, Vector

NOW_NS = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC
THEN_NS = 1_600_000_000_123_456_789
OLD, NEW, USER = b"the old bytes", b"the new bytes!", b"what a user wrote"


@pytest.fixture
def root(tmp_path: Path) -> RealRoot:
    (tmp_path / ".left" / "trash").mkdir(parents=True)
    return RealRoot(tmp_path)


def stage_small(root: Root, entry: Entry, data: bytes) -> Staged:
    with LastFolder(root) as near:
        return staging.stage_small(near, entry, data)


def entry(path: str, kind: Kind = Kind.FILE, content: bytes = b"", **more: Any) -> Entry:
    values: dict[str, Any] = {"size": 0, "mtime_ns": 0, "exec": False, "deleted": False} | more
    return Entry(
        path=path,
        kind=kind,
        content=ContentId(content),
        depth=0,
        vector=Vector(),
        writer=Life(b"w" * 12),
        stamp=1,
        **values,
    )


def held(root: RealRoot, path: str) -> Held:
    parent, _, name = path.rpartition("/")
    with root.folder(parent) as folder:
        found = folder.stat(name)
    assert found is not None
    return Held(found.key(), ContentId(b""))


def put(
    root: RealRoot, path: str, old: Held | None = None, copy_to: str | None = None, **more: Any
) -> Operation:
    data = more.pop("data", NEW)
    wanted = entry(path, size=len(data), **{"mtime_ns": THEN_NS, **more})
    return Operation(Verb.PUT_FILE, wanted, old, copy_to, stage_small(root, wanted, data))


def remove(path: str, old: Held | None) -> Operation:
    return Operation(Verb.REMOVE, entry(path, deleted=True), old)


def directory(path: str, old: Held | None = None, copy_to: str | None = None) -> Operation:
    return Operation(Verb.MAKE_DIRECTORY, entry(path, Kind.DIRECTORY), old, copy_to)


def link(path: str, old: Held | None = None, copy_to: str | None = None) -> Operation:
    return Operation(Verb.PUT_LINK, entry(path, Kind.SYMLINK, b"tar/get"), old, copy_to)


def attributes(path: str, old: Held | None, **more: Any) -> Operation:
    wanted = entry(path, **{"mtime_ns": THEN_NS, "exec": True, **more})
    return Operation(Verb.SET_ATTRIBUTES, wanted, old)


def run(root: RealRoot, *operations: Operation) -> list[Outcome]:
    return apply(root, operations, now_ns=NOW_NS)


def one(root: RealRoot, operation: Operation) -> Outcome:
    return run(root, operation)[0]


def trashed(tmp_path: Path) -> dict[str, bytes]:
    """Path -> bytes (of a link: its target) of all that lies in the trash."""
    found = {}
    for path in (tmp_path / ".left" / "trash").rglob("*"):
        if path.is_symlink() or path.is_file():
            inner = "/".join(path.relative_to(tmp_path / ".left" / "trash").parts[1:])
            found[inner] = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
    return found


def leftovers(tmp_path: Path) -> list[str]:
    return [p.name for p in tmp_path.rglob("*.lefting")]


def scanned(root: RealRoot, path: str) -> Any:
    return held(root, path).key


# ---- a new name -------------------------------------------------------------------------------


def test_a_new_file_has_its_bytes_mtime_and_exec(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    outcome = one(root, put(root, "d/a", exec=True))
    assert outcome.ending is Ending.DONE and outcome.key == scanned(root, "d/a")
    assert (tmp_path / "d/a").read_bytes() == NEW
    assert outcome.key is not None and outcome.key.mtime_ns == THEN_NS and outcome.key.exec
    assert not leftovers(tmp_path) and not trashed(tmp_path)


def test_a_file_that_came_in_chunks_gets_its_mtime_at_the_end(
    root: RealRoot, tmp_path: Path
) -> None:
    staged, _ = open_staging(root, "a", None, 0)
    (tmp_path / staged.path).write_bytes(NEW)
    wanted = entry("a", size=len(NEW), mtime_ns=THEN_NS, exec=True)
    outcome = one(root, Operation(Verb.PUT_FILE, wanted, staged=staged))
    assert outcome.ending is Ending.DONE and outcome.key is not None
    assert (outcome.key.mtime_ns, outcome.key.exec) == (THEN_NS, True)
    assert outcome.key == scanned(root, "a") and (tmp_path / "a").read_bytes() == NEW


def test_a_new_folder_and_link(root: RealRoot, tmp_path: Path) -> None:
    outcomes = run(root, directory("d"), directory("d/e"), link("d/e/l"), directory("d"))
    assert [o.ending for o in outcomes] == [Ending.DONE] * 4
    assert os.readlink(tmp_path / "d/e/l") == "tar/get"
    assert [o.key for o in outcomes[:3]] == [scanned(root, p) for p in ("d", "d/e", "d/e/l")]


MAKERS: dict[str, Callable[[RealRoot, str], Operation]] = {
    "file": put,
    "folder": lambda _, path: directory(path),
    "link": lambda _, path: link(path),
}


@pytest.mark.parametrize("verb", MAKERS)
@pytest.mark.parametrize("there", ["file", "link", "folder"])
def test_a_new_name_never_takes_what_is_there(
    root: RealRoot, tmp_path: Path, verb: str, there: str
) -> None:
    if there == "file":
        (tmp_path / "a").write_bytes(USER)
    elif there == "link":
        (tmp_path / "a").symlink_to("elsewhere")
    else:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "x").write_bytes(USER)
    outcome = one(root, MAKERS[verb](root, "a"))
    both = verb == there == "folder"
    assert outcome.ending is (Ending.DONE if both else Ending.CHANGED)
    if there == "link":
        assert os.readlink(tmp_path / "a") == "elsewhere"
    else:
        path = tmp_path / "a" if there == "file" else tmp_path / "a" / "x"
        assert path.read_bytes() == USER
    assert not trashed(tmp_path)


@pytest.mark.parametrize("verb", [*MAKERS, "attributes", "remove"])
@pytest.mark.parametrize("parent", ["none", "file", "link"])
def test_without_its_folder_nothing_is_done(
    root: RealRoot, tmp_path: Path, verb: str, parent: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_bytes(USER)
    makers = MAKERS | {
        "attributes": lambda root, path: attributes(path, held(root, "outside/a")),
        "remove": lambda root, path: remove(path, held(root, "outside/a")),
    }
    (tmp_path / "d").mkdir()
    operation = makers[verb](root, "d/a")
    for path in (tmp_path / "d").iterdir():
        path.unlink()
    (tmp_path / "d").rmdir()
    if parent == "file":
        (tmp_path / "d").write_bytes(USER)
    elif parent == "link":
        (tmp_path / "d").symlink_to("outside")
    outcome = one(root, operation)
    expected = Ending.NO_STAGED if verb == "file" else Ending.NO_PARENT
    if verb == "remove" and parent == "none":
        expected = Ending.DONE
    assert outcome.ending is expected
    assert [p.name for p in outside.iterdir()] == ["a"]
    assert (outside / "a").read_bytes() == USER and not (outside / "a").stat().st_mode & 0o111


def test_a_staged_file_elsewhere_still_wants_its_folder(root: RealRoot, tmp_path: Path) -> None:
    wanted = entry("gone/a", size=len(NEW))
    staged = stage_small(root, entry("a", size=len(NEW)), NEW)
    assert one(root, Operation(Verb.PUT_FILE, wanted, staged=staged)).ending is Ending.NO_PARENT
    assert leftovers(tmp_path) == ["a.lefting"]


# ---- replacing --------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", MAKERS)
@pytest.mark.parametrize("there", ["file", "link"])
@pytest.mark.parametrize("copy", [True, False])
def test_what_is_replaced_is_kept(
    root: RealRoot, tmp_path: Path, verb: str, there: str, copy: bool
) -> None:
    (tmp_path / "d").mkdir()
    if there == "file":
        (tmp_path / "d/a").write_bytes(OLD)
    else:
        (tmp_path / "d/a").symlink_to(OLD.decode())
    old, copy_to = held(root, "d/a"), "d/a.conflict" if copy else None
    makers = {"file": lambda: put(root, "d/a", old, copy_to)}
    makers |= {"folder": lambda: directory("d/a", old, copy_to)}
    makers |= {"link": lambda: link("d/a", old, copy_to)}
    outcome = one(root, makers[verb]())
    assert outcome.ending is Ending.DONE and outcome.key == scanned(root, "d/a")
    assert outcome.key is not None and outcome.key.kind.name.lower() in (
        "directory",
        "symlink",
        verb,
    )
    assert outcome.copied_to == copy_to
    if copy:
        assert outcome.copy_key == scanned(root, "d/a.conflict")
        assert outcome.copy_key is not None and outcome.copy_key.same_bytes(old.key)
        assert not trashed(tmp_path)
    else:
        assert trashed(tmp_path) == {"d/a": OLD} and outcome.copy_key is None
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("verb", ["file", "link"])
def test_a_folder_gives_way_only_when_empty(root: RealRoot, tmp_path: Path, verb: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x").write_bytes(USER)
    make = put if verb == "file" else (lambda _, path, old: link(path, old))
    operation = make(root, "a", held(root, "a"))
    assert one(root, operation).ending is Ending.NOT_EMPTY
    assert (tmp_path / "a/x").read_bytes() == USER
    (tmp_path / "a/x").unlink()
    outcome = one(root, operation)
    assert outcome.ending is Ending.DONE and outcome.key == scanned(root, "a")
    assert not (tmp_path / "a").is_dir()


@pytest.mark.parametrize("verb", [*MAKERS, "remove", "attributes"])
@pytest.mark.parametrize(
    "change", ["rewritten", "replaced", "touched", "exec", "link", "folder", "gone"]
)
def test_what_changed_since_the_plan_stays(
    root: RealRoot, tmp_path: Path, verb: str, change: str
) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    old = held(root, "a")
    makers: dict[str, Callable[[], Operation]] = {
        "file": lambda: put(root, "a", old, "a.conflict"),
        "folder": lambda: directory("a", old),
        "link": lambda: link("a", old),
        "remove": lambda: remove("a", old),
        "attributes": lambda: attributes("a", old),
    }
    operation = makers[verb]()
    _change(path, change)
    before = path.lstat() if change != "gone" else None
    outcome = one(root, operation)
    done = (verb, change) in [("remove", "gone"), ("folder", "folder")]
    assert outcome.ending is (Ending.DONE if done else Ending.CHANGED)
    if before is None:
        assert not path.exists()
    else:
        after = path.lstat()
        assert (before.st_ino, before.st_mtime_ns, before.st_mode, before.st_size) == (
            after.st_ino,
            after.st_mtime_ns,
            after.st_mode,
            after.st_size,
        )
    assert not trashed(tmp_path) and not (tmp_path / "a.conflict").exists()


def _change(path: Path, change: str) -> None:
    if change == "rewritten":
        path.write_bytes(USER)
    elif change == "touched":
        os.utime(path, ns=(0, 1))
    elif change == "exec":
        path.chmod(0o755)
    else:
        same = path.stat().st_mtime_ns
        path.rename(path.with_name("aside"))  # its inode must not be given out again
        if change == "replaced":
            path.write_bytes(OLD)
            os.utime(path, ns=(same, same))
        elif change == "link":
            path.symlink_to("x")
        elif change == "folder":
            path.mkdir()


def test_a_copy_never_takes_a_name_that_is_taken(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []  # not even for an instant
    for method in ("exchange", "rename_new"):
        Meddler(monkeypatch, method).act = lambda method=method: moved.append(method)  # type: ignore[misc]
    (tmp_path / "a").write_bytes(OLD)
    (tmp_path / "a.conflict").write_bytes(USER)
    old = held(root, "a")
    for operation in (
        put(root, "a", old, "a.conflict"),
        directory("a", old, "a.conflict"),
        link("a", old, "a.conflict"),
    ):
        assert one(root, operation).ending is Ending.CHANGED
    assert (tmp_path / "a").read_bytes() == OLD
    assert (tmp_path / "a.conflict").read_bytes() == USER and not moved


def test_a_private_file_stays_private(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD)
    (tmp_path / "a").chmod(0o600)
    assert one(root, put(root, "a", held(root, "a"), exec=True)).ending is Ending.DONE
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_it_is_private_until_it_gets_its_name_and_then_as_the_file_it_replaces(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    (tmp_path / "a").chmod(mode)
    operation = put(root, "a", held(root, "a"))
    assert operation.staged is not None
    lefting = tmp_path / operation.staged.path
    assert lefting.stat().st_mode & 0o777 == 0o600
    seen: list[int] = []
    Meddler(monkeypatch, "exchange").act = lambda: seen.append(lefting.stat().st_mode & 0o777)  # type: ignore[misc]
    assert one(root, operation).ending is Ending.DONE
    assert seen == [mode] and (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_a_new_file_may_be_read_by_whom_the_umask_lets(root: RealRoot, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)  # whoever may not enter it gets nothing
    (tmp_path / "by a user").write_bytes(b"")
    usual = (tmp_path / "by a user").stat().st_mode & 0o777
    assert one(root, put(root, "a")).ending is Ending.DONE
    assert one(root, put(root, "b", exec=True)).ending is Ending.DONE
    assert (tmp_path / "a").stat().st_mode & 0o777 == usual
    assert (tmp_path / "b").stat().st_mode & 0o777 == usual | (usual & 0o444) >> 2


def test_the_copy_of_a_private_file_with_two_names_is_private(
    root: RealRoot, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    (tmp_path / "a").chmod(0o600)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert one(root, attributes("a", held(root, "a"))).ending is Ending.DONE
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_a_name_of_250_bytes(root: RealRoot, tmp_path: Path) -> None:
    name = "é" * 125
    assert one(root, put(root, name)).ending is Ending.DONE
    assert one(root, put(root, name, held(root, name), data=USER)).ending is Ending.DONE
    assert (tmp_path / name).read_bytes() == USER and trashed(tmp_path) == {name: NEW}
    assert not leftovers(tmp_path)


def test_a_users_lefting_files_are_not_touched(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD)
    (tmp_path / "a.lefting").write_bytes(USER)
    assert one(root, put(root, "a", held(root, "a"))).ending is Ending.DONE
    assert (tmp_path / "a.lefting").read_bytes() == USER
    staged = Staged("a.lefting", (tmp_path / "a").stat().st_ino)
    wanted = entry("b", size=len(USER))
    assert one(root, Operation(Verb.PUT_FILE, wanted, staged=staged)).ending is Ending.NO_STAGED
    assert (tmp_path / "a.lefting").read_bytes() == USER and not (tmp_path / "b").exists()


def test_a_file_that_is_not_whole_gets_no_name(root: RealRoot, tmp_path: Path) -> None:
    operation = put(root, "a")
    assert operation.staged is not None
    os.truncate(tmp_path / operation.staged.path, 3)
    assert one(root, operation).ending is Ending.NO_STAGED
    assert not (tmp_path / "a").exists()


# ---- removing ---------------------------------------------------------------------------------


def test_what_is_removed_lies_in_the_trash_under_its_path(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/a").write_bytes(OLD)
    (tmp_path / "d/l").symlink_to("t")
    paths = ("d/e/a", "d/e", "d/l", "d")
    outcomes = run(root, *[remove(path, held(root, path)) for path in paths])
    assert [o.ending for o in outcomes] == [Ending.DONE] * 4 and {o.key for o in outcomes} == {None}
    assert trashed(tmp_path) == {"d/e/a": OLD, "d/l": b"t"}
    (batch,) = (tmp_path / ".left/trash").iterdir()
    assert batch.name.startswith("20231114-221320-") and len(batch.name) == 24
    assert not (tmp_path / "d").exists()


def test_a_removed_path_that_is_gone_is_done(root: RealRoot) -> None:
    assert [o.ending for o in run(root, remove("a", None), remove("no/a", None))] == [
        Ending.DONE
    ] * 2


def test_a_folder_that_is_not_empty_stays(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    old = held(root, "d")
    (tmp_path / "d/x").write_bytes(USER)
    assert one(root, remove("d", old)).ending is Ending.NOT_EMPTY
    assert (tmp_path / "d/x").read_bytes() == USER


def test_what_the_index_does_not_know_is_not_removed(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(USER)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "b").write_bytes(OLD)
    old = held(root, "b")
    outcomes = run(root, remove("a", None), remove("pipe", old))
    assert [o.ending for o in outcomes] == [Ending.CHANGED] * 2
    assert (tmp_path / "a").read_bytes() == USER and (tmp_path / "pipe").exists()


def test_a_name_in_the_trash_is_never_taken_twice(root: RealRoot, tmp_path: Path) -> None:
    kept = []
    for data in (b"1", b"2", b"3"):
        (tmp_path / "a").write_bytes(data)
        assert one(root, remove("a", held(root, "a"))).ending is Ending.DONE
        kept.append(data)
    found = sorted(p.read_bytes() for p in (tmp_path / ".left/trash").glob("*/a"))
    assert found == kept
    # In one batch: a file in the trash is in the way of a folder of the same name.
    (tmp_path / "b").write_bytes(OLD)
    batch = [remove("b", held(root, "b")), directory("b")]
    assert [o.ending for o in run(root, *batch)] == [Ending.DONE] * 2
    (tmp_path / "b/x").write_bytes(NEW)
    (tmp_path / "c").mkdir()
    (tmp_path / "c/y").write_bytes(OLD)
    swap = [remove("c/y", held(root, "c/y")), remove("c", held(root, "c")), put(root, "c")]
    assert [o.ending for o in run(root, *swap)] == [Ending.DONE] * 3
    again = [put(root, "c", held(root, "c")), remove("b/x", held(root, "b/x"))]
    assert [o.ending for o in run(root, *again)] == [Ending.DONE] * 2
    assert trashed(tmp_path)["c/y"] == OLD and trashed(tmp_path)["c"] == NEW


def test_one_batch_takes_one_path_twice(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD)
    first = remove("a", held(root, "a"))
    new = put(root, "a")
    second = remove("a", held(root, "a.lefting"))
    assert [o.ending for o in run(root, first, new, second)] == [Ending.DONE] * 3
    found = sorted(p.read_bytes() for p in (tmp_path / ".left/trash").glob("*/a"))
    assert found == [NEW, OLD]


def test_in_the_trash_a_file_may_be_in_the_way_of_a_folder(root: RealRoot, tmp_path: Path) -> None:
    touched: list[str] = []
    trash = Trash(root, NOW_NS, lambda where, _: touched.append(where), lambda _: None)
    for path in ("b", "b/x", "c/y/z", "c"):
        with trash.spot(path) as spot:
            spot.folder.create(spot.name).close()
            assert (tmp_path / spot.where / spot.name).exists() and spot.where in touched
    found = [p for p in (tmp_path / ".left/trash").rglob("*") if p.is_file()]
    assert sorted(p.name for p in found) == ["b", "c", "x", "z"]
    assert {
        str(p.relative_to(tmp_path)) for p in (tmp_path / ".left").rglob("*") if p.is_dir()
    } <= {*touched}


def test_a_trash_that_was_emptied_is_made_anew(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / ".left/trash").rmdir()
    (tmp_path / "a").write_bytes(OLD)
    assert one(root, remove("a", held(root, "a"))).ending is Ending.DONE
    assert trashed(tmp_path) == {"a": OLD}
    assert (tmp_path / ".left/trash").stat().st_mode & 0o077 == 0


def test_swaps_of_kind_in_one_batch(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(OLD)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/x").write_bytes(USER)
    operations = [
        remove("f", held(root, "f")),
        remove("d/x", held(root, "d/x")),
        remove("d", held(root, "d")),
        put(root, "d"),
        directory("f"),
    ]
    assert [o.ending for o in run(root, *operations)] == [Ending.DONE] * 5
    assert (tmp_path / "d").read_bytes() == NEW and (tmp_path / "f").is_dir()
    assert trashed(tmp_path) == {"f": OLD, "d/x": USER}


@pytest.mark.parametrize("path", ["../out", ".left/marker", "a/../../out", "x.lefting", ""])
def test_no_operation_leaves_the_share_or_enters_ours(root: RealRoot, path: str) -> None:
    (root.path / "a").write_bytes(OLD)
    old = held(root, "a")
    bad = [directory(path), link(path), remove(path, None), link(path, None, "b")]
    bad += [link("a", old, path)] if path else []
    for operation in bad:
        assert one(root, operation).ending is Ending.FAILED
    assert (root.path / "a").read_bytes() == OLD and not list((root.path / ".left/trash").iterdir())


# ---- attributes -------------------------------------------------------------------------------


def test_attributes_are_set_in_place(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD)
    inode = (tmp_path / "a").stat().st_ino
    outcome = one(root, attributes("a", held(root, "a")))
    now = scanned(root, "a")
    assert outcome.ending is Ending.DONE and outcome.key is not None
    assert outcome.key.same_bytes(now) and (now.inode, now.mtime_ns, now.exec) == (
        inode,
        THEN_NS,
        True,
    )
    # Never the stat of an unchanged file: its bytes are read once more.
    assert outcome.key != now and (tmp_path / "a").read_bytes() == OLD


def test_attributes_are_known_by_what_the_disk_shows_of_them(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on FAT: whole seconds, and no x bit."""
    (tmp_path / "a").write_bytes(OLD)
    old, real = held(root, "a"), RealFile.set_times
    second = 1_000_000_000
    monkeypatch.setattr(RealFile, "set_times", lambda f, ns: real(f, ns // second * second))
    monkeypatch.setattr(RealFile, "set_wanted", lambda f, wanted: None)
    outcome = one(root, attributes("a", old, mtime_ns=THEN_NS // second * second + 1))
    assert outcome.ending is Ending.DONE and outcome.key is not None
    assert (outcome.key.mtime_ns, outcome.key.exec) == (THEN_NS // second * second, False)


def test_attributes_of_a_linked_file_leave_the_other_name_alone(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushes: list[str] = []
    _count(monkeypatch, RealFile, flushes)
    (tmp_path / "a").write_bytes(OLD)
    os.link(tmp_path / "a", tmp_path / "other")
    before = (tmp_path / "other").stat()
    outcome = one(root, attributes("a", held(root, "a")))
    assert outcome.ending is Ending.DONE and outcome.key == scanned(root, "a")
    other, ours = (tmp_path / "other").stat(), (tmp_path / "a").stat()
    assert (other.st_mtime_ns, other.st_mode, other.st_ino) == (
        before.st_mtime_ns,
        before.st_mode,
        before.st_ino,
    )
    assert (
        flushes == ["RealFile"]
        and ours.st_ino != other.st_ino
        and ours.st_mtime_ns == THEN_NS
        and ours.st_mode & 0o100
    )
    assert (tmp_path / "a").read_bytes() == OLD and not leftovers(tmp_path)
    assert trashed(tmp_path) == {"a": OLD}


def test_attributes_of_a_folder_or_link_are_nothing(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "l").symlink_to("d")
    outcomes = run(root, *[attributes(p, held(root, p)) for p in ("d", "l")])
    assert [o.ending for o in outcomes] == [Ending.DONE] * 2
    assert [o.key for o in outcomes] == [scanned(root, "d"), scanned(root, "l")]


# ---- a user writes in the very instant --------------------------------------------------------


class Meddler:
    """Calls `act` once, right before or after the n-th call of one method of a real folder (or
    of what else `kind` says)."""

    def __init__(
        self, patch: pytest.MonkeyPatch, method: str, nth: int = 1, kind: type = RealDirectory
    ) -> None:
        self.act: Callable[[], None] = lambda: None
        self.before = True
        self._left = nth
        real = getattr(kind, method)

        def meddled(of: Any, *arguments: Any) -> Any:
            self._left -= 1
            mine = self._left == 0
            if mine and self.before:
                self.act()
            result = real(of, *arguments)
            if mine and not self.before:
                self.act()
            return result

        patch.setattr(kind, method, meddled)


@pytest.mark.parametrize("how", ["in place", "by rename"])
@pytest.mark.parametrize("verb", ["file", "link", "linked"])
@pytest.mark.parametrize("copy", [True, False])
def test_a_write_just_before_the_exchange_comes_back(
    root: RealRoot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    verb: str,
    copy: bool,
) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    if verb == "linked":
        os.link(path, tmp_path / "other")
    old, copy_to = held(root, "a"), "a.conflict" if copy else None
    operation = {
        "file": lambda: put(root, "a", old, copy_to),
        "link": lambda: link("a", old, copy_to),
        "linked": lambda: attributes("a", old),
    }[verb]()
    method = "rename_new" if verb == "link" and copy else "exchange"
    Meddler(monkeypatch, method).act = lambda: _write(path, how)
    assert one(root, operation).ending is Ending.CHANGED
    assert path.read_bytes() == USER
    assert not (tmp_path / "a.conflict").exists() and not trashed(tmp_path)
    assert leftovers(tmp_path) == (["a.lefting"] if verb == "file" else [])


def _write(path: Path, how: str) -> None:
    if how == "in place":
        path.write_bytes(USER)
    else:
        path.with_name("editor").write_bytes(USER)
        path.with_name("editor").rename(path)


@pytest.mark.parametrize("verb", ["file", "link"])
@pytest.mark.parametrize("second", [b"and wrote again", None])
def test_two_writes_around_the_exchange_are_both_kept(
    root: RealRoot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    second: bytes | None,
) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    old = held(root, "a")
    operation = put(root, "a", old) if verb == "file" else link("a", old)
    first, last = Meddler(monkeypatch, "exchange"), Meddler(monkeypatch, "exchange")
    first.act, last.before = lambda: _write(path, "by rename"), False

    def again() -> None:
        path.unlink()
        if second is not None:
            path.write_bytes(second)

    last.act = again
    third = Meddler(monkeypatch, "exchange", 2)
    third.act = lambda: pytest.fail("an older version had the name for an instant")
    assert one(root, operation).ending is Ending.CHANGED
    assert path.read_bytes() == (USER if second is None else second)
    assert trashed(tmp_path) == ({} if second is None else {"a": USER})


@pytest.mark.parametrize("verb", ["remove", "folder"])
@pytest.mark.parametrize("again", [True, False])
def test_a_write_just_before_it_is_moved_aside_comes_back(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, again: bool
) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    old = held(root, "a")
    Meddler(monkeypatch, "rename_new").act = lambda: path.write_bytes(USER)
    if again:
        after = Meddler(monkeypatch, "rename_new")
        after.before, after.act = False, lambda: _new(path, b"again")
    outcome = one(root, remove("a", old) if verb == "remove" else directory("a", old))
    assert outcome.ending is Ending.CHANGED
    assert path.read_bytes() == (b"again" if again else USER)
    assert trashed(tmp_path) == ({"a": USER} if again else {})


def move(root: RealRoot, path: str, to: str) -> Operation:
    moved = Moved(entry(path, deleted=True), held(root, path))
    return Operation(Verb.MOVE_FILE, entry(to, size=len(OLD)), moved=moved)


def folders_of_trash(top: Path) -> list[str]:
    return [path.name for path in (top / ".left/trash").rglob("*") if path.is_dir()]


def _another(path: Path, kind: str) -> None:
    """A user puts something else there."""
    if path.exists():
        path.unlink()
    if kind == "file":
        path.write_bytes(USER)
    elif kind == "link":
        path.symlink_to("there")
    elif kind == "folder":
        path.mkdir()
        (path / "in it").write_bytes(USER)


KINDS = ("file", "link", "folder", "nothing")


def is_there(path: Path, kind: str) -> bool:
    if kind == "link":
        return path.is_symlink()
    if kind == "folder":
        return (path / "in it").read_bytes() == USER
    return not path.exists() if kind == "nothing" else path.read_bytes() == USER


def test_a_file_is_moved(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_bytes(OLD)
    inode = (tmp_path / "d/a").stat().st_ino
    outcome = one(root, move(root, "d/a", "b"))
    assert outcome.ending is Ending.DONE and outcome.key == held(root, "b").key
    assert not (tmp_path / "d/a").exists() and (tmp_path / "b").stat().st_ino == inode
    assert not folders_of_trash(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_user_puts_where_a_file_was_just_moved_stays_there(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_bytes(OLD)
    operation = move(root, "d/a", "b")
    last = Meddler(monkeypatch, "rename_new", 2)
    last.before, last.act = False, lambda: _another(tmp_path / "b", kind)
    outcome = one(root, operation)
    assert is_there(tmp_path / "b", kind) and not (tmp_path / "d/a").exists()
    assert operation.moved is not None
    assert outcome.ending is Ending.DONE and outcome.key == operation.moved.held.key


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_user_puts_where_a_file_is_about_to_be_moved_away_stays_there(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_bytes(OLD)
    operation = move(root, "d/a", "b")
    Meddler(monkeypatch, "rename_new").act = lambda: _another(tmp_path / "d/a", kind)
    assert one(root, operation).ending is Ending.CHANGED
    assert is_there(tmp_path / "d/a", kind) and not (tmp_path / "b").exists()
    assert not folders_of_trash(tmp_path)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_the_name_that_a_file_is_to_be_moved_to_is_taken(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_bytes(OLD)
    operation = move(root, "d/a", "b")
    Meddler(monkeypatch, "rename_new", 2).act = lambda: _another(tmp_path / "b", kind)
    for _ in range(2):  # in the instant, and before
        assert one(root, operation).ending is Ending.CHANGED
        assert is_there(tmp_path / "b", kind)
        assert (tmp_path / "d/a").read_bytes() == OLD
    assert not folders_of_trash(tmp_path)


@pytest.mark.parametrize("verb", ["remove", "folder", "link"])
def test_a_copy_name_taken_while_it_is_moved_aside(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    old = held(root, "a")
    operation = gives_way(verb, old)
    Meddler(monkeypatch, "rename_new").act = lambda: _new(tmp_path / "a.conflict", USER)
    assert one(root, operation).ending is Ending.CHANGED
    assert path.read_bytes() == OLD and (tmp_path / "a.conflict").read_bytes() == USER


def gives_way(verb: str, old: Held) -> Operation:
    """An operation at `a`, whose old version is to become the copy `a.conflict`."""
    return {
        "remove": Operation(Verb.REMOVE, entry("a", deleted=True), old, "a.conflict"),
        "folder": directory("a", old, "a.conflict"),
        "link": link("a", old, "a.conflict"),
    }[verb]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", ["remove", "folder", "link"])
def test_what_a_user_puts_where_a_copy_was_seen_stays_there(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, kind: str
) -> None:
    path, copy = tmp_path / "a", tmp_path / "a.conflict"
    path.write_bytes(OLD)
    operation = gives_way(verb, held(root, "a"))
    seen = Meddler(monkeypatch, "_look_again", 1, Place)
    seen.before, seen.act = False, lambda: _another(copy, kind)
    outcome = one(root, operation)
    assert outcome.ending is Ending.DONE and outcome.copied_to == "a.conflict"
    assert operation.old is not None and outcome.copy_key == operation.old.key
    assert is_there(copy, kind)
    assert {"remove": not path.exists(), "folder": path.is_dir(), "link": path.is_symlink()}[verb]


@pytest.mark.parametrize("verb", ["remove", "folder", "link"])
def test_a_copy_that_is_taken_away_before_it_is_seen_does_not_go_back(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    path, copy = tmp_path / "a", tmp_path / "a.conflict"
    path.write_bytes(OLD)
    operation = gives_way(verb, held(root, "a"))
    after = Meddler(monkeypatch, "rename_new")
    after.before, after.act = False, lambda: copy.rename(tmp_path / "of the user")
    outcome = one(root, operation)
    assert outcome.ending is Ending.CHANGED and outcome.aside is None
    assert (tmp_path / "of the user").read_bytes() == OLD
    assert not path.exists() and not copy.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_user_puts_where_a_copy_was_left_aside_stays_there(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The folder could not be made, nor the copy be renamed back."""
    path, copy = tmp_path / "a", tmp_path / "a.conflict"
    path.write_bytes(OLD)
    operation = directory("a", held(root, "a"), "a.conflict")
    Meddler(monkeypatch, "make_folder", 1).act = _broken
    Meddler(monkeypatch, "rename_new", 2).act = _broken
    outcome = one(root, operation)
    assert outcome.ending is Ending.FAILED and outcome.aside is not None
    if kind == "file":
        _write(copy, "by rename")  # a new inode
    else:
        _another(copy, kind)
    back = replace(operation, verb=Verb.GO_BACK, aside=outcome.aside)
    assert one(root, back).ending is Ending.DONE
    assert is_there(copy, kind) and is_there(path, "nothing")


def _broken() -> None:
    raise OSError(errno.EIO, "broken")


def test_a_folder_that_cannot_be_made_gives_the_file_back(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    real = RealDirectory.make_folder

    def full(folder: RealDirectory, name: str, mode: int = 0o777) -> None:
        if name == "a":
            raise OSError(errno.ENOSPC, "full")
        real(folder, name, mode)

    monkeypatch.setattr(RealDirectory, "make_folder", full)
    assert one(root, directory("a", held(root, "a"))).ending is Ending.DISK_FULL
    assert (tmp_path / "a").read_bytes() == OLD


@pytest.mark.parametrize("method", ["make_folder", "make_link"])
def test_what_was_made_and_is_gone_at_once_is_not_done(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    after = Meddler(monkeypatch, method)
    after.before = False
    after.act = lambda: (tmp_path / "a").rename(tmp_path / "b")
    operation = directory("a") if method == "make_folder" else link("a")
    assert one(root, operation).ending is Ending.CHANGED


@pytest.mark.usefixtures("far_trash")
def test_a_copy_in_the_trash_is_flushed_before_the_original_goes(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/a").write_bytes(OLD)
    calls: list[str] = []
    for kind, method in ((RealFile, "flush"), (RealDirectory, "flush"), (RealDirectory, "unlink")):
        _note(monkeypatch, kind, method, calls)
    assert one(root, remove("m/a", held(root, "m/a"))).ending is Ending.DONE
    before = calls[calls.index("RealFile.flush") : calls.index("RealDirectory.unlink")]
    assert before == ["RealFile.flush", *["RealDirectory.flush"] * 3]  # `m`, the batch, the trash


def _note(patch: pytest.MonkeyPatch, kind: type, method: str, calls: list[str]) -> None:
    real = getattr(kind, method)

    def noted(self: Any, *arguments: Any) -> Any:
        calls.append(f"{kind.__name__}.{method}")
        return real(self, *arguments)

    patch.setattr(kind, method, noted)


@pytest.mark.parametrize("verb", ["file", "link"])
def test_of_two_writes_around_going_back_the_newest_has_the_name(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    old = held(root, "a")
    operation = put(root, "a", old) if verb == "file" else link("a", old)
    Meddler(monkeypatch, "exchange").act = lambda: _write(path, "by rename")

    def again() -> None:
        (tmp_path / "editor").write_bytes(b"newest")
        (tmp_path / "editor").rename(path)

    Meddler(monkeypatch, "exchange", 2).act = again
    assert one(root, operation).ending is Ending.CHANGED
    assert path.read_bytes() == b"newest" and trashed(tmp_path) == {"a": USER}


def test_attributes_are_not_set_on_what_was_just_written(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    operation = attributes("a", held(root, "a"))
    Meddler(monkeypatch, "open_read").act = lambda: _write(path, "by rename")
    assert one(root, operation).ending is Ending.CHANGED
    assert path.read_bytes() == USER and path.stat().st_mtime_ns != THEN_NS


def _new(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def test_a_name_taken_in_the_instant_is_not_overwritten(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = {
        "rename_new": put(root, "a"),
        "make_folder": directory("b"),
        "make_link": link("c"),
    }
    for (method, operation), name in zip(operations.items(), "abc", strict=True):
        path = tmp_path / name
        Meddler(monkeypatch, method).act = lambda path=path: _new(path, USER)  # type: ignore[misc]
        assert one(root, operation).ending is Ending.CHANGED
        assert path.read_bytes() == USER


def test_a_write_just_after_is_seen_by_the_next_scan(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    after = Meddler(monkeypatch, "exchange")
    after.before, after.act = False, lambda: _write(path, "in place")
    outcome = one(root, put(root, "a", held(root, "a")))
    assert outcome.ending is Ending.DONE and path.read_bytes() == USER
    assert outcome.key is not None and not outcome.key.same_bytes(scanned(root, "a"))


def test_a_copy_name_taken_in_the_instant(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    operation = put(root, "a", held(root, "a"), "a.conflict")
    Meddler(monkeypatch, "rename_new").act = lambda: _new(tmp_path / "a.conflict", USER)
    assert one(root, operation).ending is Ending.CHANGED
    assert (tmp_path / "a").read_bytes() == OLD
    assert (tmp_path / "a.conflict").read_bytes() == USER
    assert leftovers(tmp_path) == ["a.lefting"]
    (tmp_path / "a.conflict").unlink()
    assert one(root, operation).ending is Ending.DONE  # nothing of the first try is in the way


# ---- flushes ----------------------------------------------------------------------------------


class Counting:
    """A Root that counts, and can fail, its flushes of everything."""

    def __init__(self, root: RealRoot, fail: bool = False) -> None:
        self.inner, self.fail, self.count = root, fail, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def flush_all(self) -> None:
        self.count += 1
        if self.fail:
            raise OSError(errno.EIO, "the disk said no")


def _count(monkeypatch: pytest.MonkeyPatch, kind: type, counts: list[str]) -> None:
    real = kind.flush

    def flush(self: Any) -> None:
        counts.append(kind.__name__)
        real(self)

    monkeypatch.setattr(kind, "flush", flush)


def test_many_small_files_are_flushed_at_once(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushes: list[str] = []
    _count(monkeypatch, RealFile, flushes)
    _count(monkeypatch, RealDirectory, flushes)
    counting: Any = Counting(root)
    outcomes = apply(counting, [put(root, f"f{i}") for i in range(20)], now_ns=NOW_NS)
    assert {o.ending for o in outcomes} == {Ending.DONE}
    assert counting.count == 1 and flushes == ["RealDirectory"]
    flushes.clear()
    apply(counting, [put(root, f"g{i}") for i in range(7)], now_ns=NOW_NS)
    assert counting.count == 1 and sorted(flushes) == ["RealDirectory"] + ["RealFile"] * 7


def test_many_attributes_and_folders_are_flushed_at_once(root: RealRoot, tmp_path: Path) -> None:
    counting: Any = Counting(root)
    for i in range(20):
        (tmp_path / f"d{i}").mkdir()
        (tmp_path / f"d{i}/a").write_bytes(OLD)
    operations = [attributes(f"d{i}/a", held(root, f"d{i}/a")) for i in range(20)]
    apply(counting, operations, now_ns=NOW_NS)
    assert counting.count == 1
    removes = [remove(f"d{i}/a", held(root, f"d{i}/a")) for i in range(20)]
    apply(counting, removes, now_ns=NOW_NS)
    assert counting.count == 2


def test_a_file_that_cannot_be_flushed_is_thrown_away(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f0").write_bytes(OLD)
    operations = [put(root, "f0", held(root, "f0")), *[put(root, f"f{i}") for i in range(1, 9)]]
    counting: Any = Counting(root, fail=True)
    outcomes = apply(counting, [*operations, directory("d")], now_ns=NOW_NS)
    assert [o.ending for o in outcomes] == [Ending.FLUSH_FAILED] * 9 + [Ending.DONE]
    assert outcomes[0].why == "the disk said no"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".left", "d", "f0"]
    assert (tmp_path / "f0").read_bytes() == OLD

    single = put(root, "x")
    monkeypatch.setattr(RealFile, "flush", _no_flush)
    assert one(root, single).ending is Ending.FLUSH_FAILED
    assert not leftovers(tmp_path) and not (tmp_path / "x").exists()


def test_what_could_not_even_be_thrown_away_is_said_to_be_of_no_use(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be flushed a second time, and the kernel would say that all is well."""
    operation = put(root, "x")
    monkeypatch.setattr(RealFile, "flush", _no_flush)
    monkeypatch.setattr(RealDirectory, "unlink", _no_flush)
    assert one(root, operation).ending is Ending.FLUSH_FAILED
    assert not (tmp_path / "x").exists()


def test_a_disk_that_says_only_at_the_flush_that_it_is_full(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    single, many = put(root, "x"), [put(root, f"f{i}") for i in range(8)]
    monkeypatch.setattr(RealFile, "flush", full)
    assert one(root, single).ending is Ending.FULL_AT_FLUSH
    monkeypatch.setattr(RealRoot, "flush_all", full)
    assert {o.ending for o in run(root, *many)} == {Ending.FULL_AT_FLUSH}
    assert [p.name for p in tmp_path.iterdir()] == [".left"]


def test_what_lies_on_another_file_system_is_flushed_by_itself(
    root: RealRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushes: list[str] = []
    _count(monkeypatch, RealFile, flushes)
    real = RealFile.stat
    far = {"device": -1}
    monkeypatch.setattr(RealFile, "stat", lambda file: replace(real(file), **far))
    by_name = RealDirectory.stat

    def far_by_name(folder: RealDirectory, name: str) -> Stat | None:
        found = by_name(folder, name)
        return replace(found, **far) if found else None

    monkeypatch.setattr(RealDirectory, "stat", far_by_name)
    counting: Any = Counting(root)
    outcomes = apply(counting, [put(root, f"f{i}") for i in range(20)], now_ns=NOW_NS)
    assert {o.ending for o in outcomes} == {Ending.DONE}
    assert counting.count == 0 and len(flushes) == 20


def test_a_failed_flush_does_not_hide_why_nothing_was_done(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    operation = put(root, "a", held(root, "a"))
    Meddler(monkeypatch, "exchange").act = lambda: _write(tmp_path / "a", "in place")
    monkeypatch.setattr(RealDirectory, "flush", _no_flush)
    assert one(root, operation).ending is Ending.CHANGED


def _no_flush(*_: Any) -> None:
    raise OSError(errno.EIO, "no")


def test_a_folder_that_cannot_be_flushed_is_not_done(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d").mkdir()
    monkeypatch.setattr(RealDirectory, "flush", _no_flush)
    outcomes = run(root, directory("d"), put(root, "d/a"))
    # Also what is there already: by whom, and whether it was flushed, nobody knows.
    assert [o.ending for o in outcomes] == [Ending.FLUSH_FAILED] * 2


@pytest.mark.parametrize("many", [False, True])
def test_what_lies_in_a_new_folder_is_not_done_where_that_cannot_be_flushed(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    """However well the new folder is flushed: its own name may be gone after a power cut."""
    (tmp_path / "there").mkdir()
    monkeypatch.setattr(Flushes, "_folder", _no_flush_of_the_root)
    beside = Told()
    operations = [directory("d"), directory("d/e"), link("d/e/l")]
    outcomes = apply(
        root,
        operations,
        now_ns=NOW_NS,
        group_from=1 if many else GROUP_FROM,
        beside=beside,
    )
    assert [o.ending for o in outcomes] == [Ending.FLUSH_FAILED] * 3
    assert {folder for folder, _ in beside.told} == {""}
    assert {at for _, positions in beside.told for at in positions} == {0, 1, 2}


class Told(Alone):
    def __init__(self) -> None:
        self.told: list[tuple[str, frozenset[int]]] = []

    def unflushed(
        self, where: str, positions: frozenset[int], folders: frozenset[Identity]
    ) -> None:
        self.told.append((where, positions))


def _no_flush_of_the_root(self: Flushes, path: str, together: bool) -> tuple[bool, OSError | None]:
    return (together, None) if path else (False, OSError(errno.EMFILE, "no descriptors"))


# ---- a user moves a folder before its flush ---------------------------------------------------


def _before_the_flush(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    finish = Flushes.finish
    monkeypatch.setattr(Flushes, "finish", lambda self: (act(), finish(self))[1])


def _moved_away(share: Path) -> None:
    (share / "d").rename(share / "e")


def _exchanged(share: Path) -> None:
    _moved_away(share)
    (share / "d").mkdir()


@pytest.mark.parametrize("act", [_moved_away, _exchanged])
@pytest.mark.parametrize("fails", [False, True])
def test_a_folder_that_a_user_moves_before_its_flush_is_flushed_with_everything(
    root: RealRoot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[Path], None],
    fails: bool,
) -> None:
    (tmp_path / "d").mkdir()
    counting, beside, operation = Counting(root, fails), Told(), put(root, "d/a")
    _before_the_flush(monkeypatch, lambda: act(tmp_path))
    (outcome,) = apply(counting, [operation], now_ns=NOW_NS, beside=beside)
    assert (tmp_path / "e" / "a").read_bytes() == NEW and counting.count == 1
    assert outcome.ending is (Ending.FLUSH_FAILED if fails else Ending.DONE)
    assert beside.told == ([("d", frozenset((0,)))] if fails else [])


def test_a_folder_that_the_batch_removed_needs_no_flush(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_bytes(OLD)
    operations = [remove("d/a", held(root, "d/a")), remove("d", held(root, "d"))]
    counting = Counting(root)
    outcomes = apply(counting, operations, now_ns=NOW_NS)
    assert [o.ending for o in outcomes] == [Ending.DONE] * 2 and counting.count == 0


# ---- when the system says no ------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_nothing_is_done(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    old = held(root, "a")
    operations = [put(root, "a", old), link("a", old), directory("a", old), remove("a", old)]

    def full(*_: Any) -> None:
        raise OSError(code, "full")

    monkeypatch.setattr(RealDirectory, "make_folder", full)  # the trash needs a folder
    assert [o.ending for o in run(root, *operations)] == [Ending.DISK_FULL] * 4
    assert (tmp_path / "a").read_bytes() == OLD and leftovers(tmp_path) == ["a.lefting"]


def test_a_full_disk_at_the_attributes(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = put(root, "a", mtime_ns=THEN_NS + 1)
    assert operation.staged is not None
    os.utime(tmp_path / operation.staged.path)

    def full(*_: Any) -> None:
        raise OSError(errno.EDQUOT, "full")

    monkeypatch.setattr(RealFile, "set_times", full)
    assert one(root, operation).ending is Ending.DISK_FULL


def test_one_failure_does_not_stop_the_others(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = RealDirectory.make_link

    def no(folder: RealDirectory, name: str, target: bytes) -> None:
        if name == "b":
            raise PermissionError(errno.EACCES, "Permission denied", name)
        real(folder, name, target)

    monkeypatch.setattr(RealDirectory, "make_link", no)
    outcomes = run(root, link("a"), link("b"), link("c"))
    assert [o.ending for o in outcomes] == [Ending.DONE, Ending.FAILED, Ending.DONE]
    assert "Permission denied" in outcomes[1].why


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(root: RealRoot, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_bytes(OLD)
    operations = [remove("d/a", held(root, "d/a")), link("d/l"), directory("d/e")]
    (tmp_path / "d").chmod(0o500)
    try:
        assert {o.ending for o in run(root, *operations)} == {Ending.FAILED}
        assert (tmp_path / "d/a").read_bytes() == OLD
    finally:
        (tmp_path / "d").chmod(0o700)


# ---- another file system below ----------------------------------------------------------------


@pytest.fixture
def far_trash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As if the folder `m` were a mount: no rename or exchange leaves or enters it."""
    for method in ("rename_new", "exchange"):
        real = getattr(RealDirectory, method)

        def far(
            folder: RealDirectory, name: str, to: RealDirectory, *rest: Any, real: Any = real
        ) -> None:
            inside = [
                os.readlink(f"/proc/self/fd/{f.fd}") == str(tmp_path / "m") for f in (folder, to)
            ]
            if inside[0] != inside[1]:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            real(folder, name, to, *rest)

        monkeypatch.setattr(RealDirectory, method, far)


@pytest.mark.usefixtures("far_trash")
@pytest.mark.parametrize("verb", [*MAKERS, "remove"])
@pytest.mark.parametrize("there", ["file", "link"])
@pytest.mark.parametrize("copy", [True, False])
def test_what_is_replaced_in_a_mount_is_copied_to_the_trash(
    root: RealRoot, tmp_path: Path, verb: str, there: str, copy: bool
) -> None:
    (tmp_path / "m").mkdir()
    path = tmp_path / "m/a"
    if there == "file":
        path.write_bytes(OLD)
        path.chmod(0o700)
        os.utime(path, ns=(1, THEN_NS))
    else:
        path.symlink_to(OLD.decode())
    (path.parent / "a.lefting").write_bytes(USER)
    old, copy_to = held(root, "m/a"), "m/a.conflict" if copy else None
    operation = {
        "file": lambda: put(root, "m/a", old, copy_to),
        "folder": lambda: directory("m/a", old, copy_to),
        "link": lambda: link("m/a", old, copy_to),
        "remove": lambda: Operation(Verb.REMOVE, entry("m/a", deleted=True), old, copy_to),
    }[verb]()
    outcome = one(root, operation)
    assert outcome.ending is Ending.DONE
    assert trashed(tmp_path) == ({} if copy else {"m/a": OLD})
    if copy:
        assert outcome.copy_key == scanned(root, "m/a.conflict")
    elif there == "file":
        (kept,) = (tmp_path / ".left/trash").glob("*/m/a")
        assert (kept.stat().st_mtime_ns, kept.stat().st_mode & 0o777) == (THEN_NS, 0o700)
    assert leftovers(tmp_path) == ["a.lefting"]
    assert (path.parent / "a.lefting").read_bytes() == USER
    assert verb == "remove" or outcome.key == scanned(root, "m/a")


@pytest.mark.usefixtures("far_trash")
def test_a_write_in_a_mount_comes_back(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m").mkdir()
    path = tmp_path / "m/a"
    path.write_bytes(OLD)
    operations = [remove("m/a", held(root, "m/a")), put(root, "m/a", held(root, "m/a"))]
    for operation, method, nth in zip(operations, ("rename_new", "exchange"), (2, 1), strict=True):
        path.write_bytes(OLD)
        operation = Operation(
            operation.verb, operation.entry, held(root, "m/a"), None, operation.staged
        )
        Meddler(monkeypatch, method, nth).act = lambda: path.write_bytes(USER)
        assert one(root, operation).ending is Ending.CHANGED
        assert path.read_bytes() == USER and not trashed(tmp_path)


@pytest.mark.usefixtures("far_trash")
def test_a_write_while_it_is_copied_to_the_trash(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m").mkdir()
    path = tmp_path / "m/a"
    for verb in ("file", "remove"):
        path.write_bytes(OLD)
        old = held(root, "m/a")
        operation = put(root, "m/a", old) if verb == "file" else remove("m/a", old)
        with path.open("r+b") as writer, monkeypatch.context() as patch:

            def write(writer: Any = writer) -> None:
                writer.write(USER)
                writer.flush()

            Meddler(patch, "read", 2, RealFile).act = write
            assert one(root, operation).ending is Ending.FAILED
        assert path.read_bytes() == USER and not trashed(tmp_path)


def test_no_descriptor_is_left_open(root: RealRoot, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for name in "ab":
        (tmp_path / name).write_bytes(OLD)
    old = held(root, "a")
    done = [put(root, "a", old), link("b", held(root, "b")), directory("c")]
    run(root, *done, remove("none/y", old))
    run(root, remove("a", old), put(root, "a", old), directory("b", old), attributes("c", old))
    run(root, remove("a", held(root, "a")), directory("a/x"))
    assert len(os.listdir("/proc/self/fd")) == before


# ---- a file system that can neither exchange nor link --------------------------------------------


@pytest.fixture
def no_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """As exFAT."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(renaming, "exchange", refuse)


@pytest.mark.usefixtures("no_exchange")
@pytest.mark.parametrize("copy_to", [None, "a.conflict"])
def test_without_exchange_the_old_version_is_kept_and_the_new_one_has_the_name(
    root: RealRoot, tmp_path: Path, copy_to: str | None
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    outcome = one(root, put(root, "a", held(root, "a"), copy_to))
    assert outcome.ending is Ending.DONE and (tmp_path / "a").read_bytes() == NEW
    assert outcome.key is not None and outcome.key.same_bytes(scanned(root, "a"))
    assert outcome.copied_to == copy_to
    if copy_to is None:
        assert trashed(tmp_path) == {"a": OLD}
    else:
        assert (tmp_path / copy_to).read_bytes() == OLD and not trashed(tmp_path)
    assert leftovers(tmp_path) == []


@pytest.mark.usefixtures("no_exchange")
@pytest.mark.parametrize("how", ["in place", "by rename"])
def test_without_exchange_a_write_just_before_comes_back(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    operation = put(root, "a", held(root, "a"))
    Meddler(monkeypatch, "rename_new").act = lambda: _write(tmp_path / "a", how)
    assert one(root, operation).ending is Ending.CHANGED
    assert (tmp_path / "a").read_bytes() == USER and not trashed(tmp_path)
    assert leftovers(tmp_path) == ["a.lefting"]


@pytest.mark.usefixtures("no_exchange")
@pytest.mark.parametrize("copy_to", [None, "a.conflict"])
def test_without_exchange_what_a_user_makes_in_the_instant_keeps_the_name(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy_to: str | None
) -> None:
    """For a moment nothing has the name."""
    (tmp_path / "a").write_bytes(OLD)
    operation = put(root, "a", held(root, "a"), copy_to)
    meddler = Meddler(monkeypatch, "rename_new")
    meddler.before, meddler.act = False, lambda: _new(tmp_path / "a", USER)
    assert one(root, operation).ending is Ending.CHANGED
    assert (tmp_path / "a").read_bytes() == USER
    kept = trashed(tmp_path) if copy_to is None else {"a": (tmp_path / copy_to).read_bytes()}
    assert kept == {"a": OLD} and leftovers(tmp_path) == ["a.lefting"]


@pytest.mark.usefixtures("no_exchange")
@pytest.mark.parametrize("replaced", [False, True])
def test_without_exchange_an_old_version_that_cannot_be_kept_has_its_name_again(
    root: RealRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    operation = put(root, "a", held(root, "a"))

    def full(*_: object) -> None:
        if replaced:
            _write(tmp_path / "a", "by rename")
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Place, "keep_old", full)
    assert one(root, operation).ending is Ending.FAILED
    if replaced:
        assert (tmp_path / "a").read_bytes() == USER and trashed(tmp_path) == {"a": OLD}
    else:
        assert (tmp_path / "a").read_bytes() == OLD and not trashed(tmp_path)
        assert leftovers(tmp_path) == ["a.lefting"]
