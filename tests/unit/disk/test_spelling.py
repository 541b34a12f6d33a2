"""Names on disks that take two spellings for one: a simulated one, exFAT, and NTFS that shows all
names in small letters. What a share's Root says of them goes by the exact spelling."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_bytes

import pytest

from leftzmq.disk.apply.apply import apply
from leftzmq.disk.apply.outcome import Ending
from leftzmq.disk.fs.interface import Directory, NotKept, OtherSpelling, Root, is_free
from leftzmq.disk.fs.real import RealRoot
from leftzmq.disk.fs.spelling import SpelledDirectory, SpelledRoot, tell_apart
from leftzmq.disk.share import Share
from leftzmq.disk.trash.trash import Trash
from leftzmq.tree.entry import ContentId, Entry, Kind, ScanKey
from leftzmq.tree.plan import Held, Moved, Operation, Verb
from leftzmq.tree.version import Vector, make_life
from tests.helpers import foldings
from tests.sim.disk import Disk
from tests.sim.fs import Calls, SimRoot
from tests.sim.hands import Hands

LIFE = make_life(b"dev1", 1_800_000_000, b"0000")


@pytest.fixture(params=["simulated", "exfat"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Root]:
    """Of a share on a disk that keeps the spelling of a name, and takes all of them for it."""
    if request.param == "simulated":
        raw = SimRoot(Calls(Disk(time.time_ns, folds=frozenset((1,)))))
        yield Share.over_root(raw, "share", "f", None, True, token_bytes).root
        return
    try:
        with foldings.disk("exfat", tmp_path) as path:
            share = Share.open(path / "share", "f", None, True)
            yield share.root
            share.close()
    except foldings.Impossible as error:
        pytest.skip(f"no exFAT here: {error}")


@pytest.fixture
def ntfs(tmp_path: Path) -> Iterator[Path]:
    try:
        with foldings.disk("ntfs", tmp_path) as path:
            yield path
    except foldings.Impossible as error:
        pytest.skip(f"no NTFS here: {error}")


@pytest.fixture
def top(root: Root) -> Directory:
    return root.folder("")


def put(folder: Directory, name: str, data: bytes = b"") -> None:
    with folder.create(name) as file:
        file.write(0, data)


def names(folder: Directory) -> set[str]:
    return {name.decode() for name in folder.names()} - {".left"}


def entry(path: str, kind: Kind = Kind.FILE, *, deleted: bool = False) -> Entry:
    vector = Vector.of([(LIFE, 1)])
    return Entry(path, kind, 0, 0, False, ContentId(b""), 0, vector, LIFE, 1, deleted)


def held(folder: Directory, name: str) -> Held:
    found = folder.stat(name)
    assert found is not None
    return Held(found.key(), ContentId(b""))


def one(root: Root, operation: Operation) -> tuple[Ending, str, ScanKey | None]:
    (outcome,) = apply(root, [operation], now_ns=time.time_ns())
    return outcome.ending, outcome.other, outcome.key


# ---- what is there ------------------------------------------------------------------------------


def test_only_the_spelling_that_is_listed_is_there(root: Root, top: Directory) -> None:
    put(top, "Foo", b"x")
    assert top.stat("Foo") is not None and top.spelled("Foo") is None
    assert top.raw.stat("foo") is not None, "the disk itself takes it for that"
    assert top.stat("foo") is None and top.spelled("foo") == "Foo" and not is_free(top, "foo")
    for call in (top.open_read, top.open_write, top.read_link, top.folder):
        with pytest.raises(OSError):
            call("foo")
    assert top.spelled("bar") is None and is_free(top, "bar")


def test_every_folder_on_the_way_has_its_spelling(root: Root, top: Directory) -> None:
    top.make_folder("Top")
    root.folder("Top").make_folder("In")
    put(root.folder("Top/In"), "file")
    for path in ("top", "top/In", "Top/in"):
        with pytest.raises(FileNotFoundError):
            root.folder(path)
    assert root.folder("Top").folder("In").stat("file") is not None
    with pytest.raises(FileNotFoundError):
        root.folder("Top").folder("in")


def test_what_cannot_be_made_beside_another_spelling_says_so(top: Directory) -> None:
    put(top, "Foo", b"x")
    top.make_folder("Bar")
    put(top, "new")
    made = (
        lambda: top.create("foo"),
        lambda: top.make_folder("foo"),
        lambda: top.rename_new("new", top, "foo"),
    )
    for make in made:
        with pytest.raises(OtherSpelling) as caught:
            make()
        assert (caught.value.name, caught.value.other) == ("foo", "Foo")
    with pytest.raises(OtherSpelling) as caught:
        top.make_folder("bAR")
    assert caught.value.other == "Bar"
    with pytest.raises(FileExistsError) as exists:
        top.create("Foo")
    assert not isinstance(exists.value, OtherSpelling)
    assert names(top) == {"Foo", "Bar", "new"}


def test_one_step_gives_another_spelling(root: Root, top: Directory) -> None:
    put(top, "foo", b"x")
    top.respell("foo", "FOO")
    assert names(top) == {"FOO"} and top.stat("foo") is None
    top.make_folder("d")
    put(root.folder("d"), "in")
    top.respell("d", "D")
    assert names(root.folder("D")) == {"in"}
    put(top, "other", b"y")
    with pytest.raises(FileExistsError):
        top.respell("FOO", "other")
    with pytest.raises(FileNotFoundError):
        top.respell("foo", "Foo")
    assert names(top) == {"FOO", "D", "other"}


def test_a_share_finds_out_when_it_is_opened(tmp_path: Path, root: Root) -> None:
    assert isinstance(root.folder(""), SpelledDirectory)
    plain = Share.open(tmp_path / "plain", "f", None, True)
    assert not isinstance(plain.root.folder(""), SpelledDirectory), (
        "nothing is done where it is exact"
    )
    plain.close()


def test_the_trash_has_a_place_for_both_spellings(root: Root, top: Directory) -> None:
    put(top, "a", b"1")
    trash = Trash(root, 1_800_000_000_000_000_000, lambda *_: None, lambda _: None)
    with trash.spot("a") as spot:
        top.rename_new("a", spot.folder, spot.name)
    put(top, "A", b"2")
    with trash.spot("A") as spot:
        top.rename_new("A", spot.folder, spot.name)
    batches = root.folder(".left/trash").names()
    assert len(batches) == 2 and not names(top)


# ---- names that cannot be looked at -------------------------------------------------------------


MAKING: dict[str, Callable[[Directory], object]] = {
    "create": lambda top: top.create("new"),
    "make_folder": lambda top: top.make_folder("new"),
    "make_link": lambda top: top.make_link("new", b"x"),
    "rename_new": lambda top: top.rename_new("old", top, "new"),
    "respell": lambda top: top.respell("old", "OLD"),
}


@pytest.mark.parametrize("call", MAKING)
def test_what_cannot_be_looked_at_is_not_made_or_counts_as_made(call: str) -> None:
    for for_long in (False, True):
        calls, root = folding()
        top = root.folder("")
        put(top, "old")
        fail(calls, call, for_long=for_long)
        try:
            MAKING[call](top)
            is_made = True
        except OSError:
            is_made = False
        calls.before = lambda call, path: None
        assert is_made == (names(top) != {"old"}), "who made it knows whether it is there"
        assert is_made == for_long


def test_a_file_that_is_stuck_in_the_trash_is_not_taken_for_one_that_a_user_deleted() -> None:
    calls, root = folding()
    top = root.folder("")
    put(top, "a", b"x")
    remove = Operation(Verb.REMOVE, entry("a", deleted=True), held(top, "a"))
    fail(calls, "rename_new", for_long=True)
    (outcome,) = apply(root, [remove], now_ns=time.time_ns())
    calls.before = lambda call, path: None
    assert outcome.ending is Ending.FAILED and not names(top)
    assert outcome.aside is not None and outcome.aside.path.startswith(".left/trash/")


def folding() -> tuple[Calls, Root]:
    """A share on a simulated disk that takes all spellings for one name."""
    calls = Calls(Disk(time.time_ns, folds=frozenset((1,))))
    share = Share.over_root(SimRoot(calls), "share", "f", None, True, token_bytes)
    return calls, share.root


def fail(calls: Calls, after: str, *, for_long: bool) -> None:
    """After the next call of this name the machine has no memory: for one listing, or for all
    calls."""
    short = False

    def before(call: str, path: str) -> None:
        nonlocal short
        if short:
            short = for_long
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), path)
        short = call == after

    calls.before = before


# ---- operations ---------------------------------------------------------------------------------


def test_an_operation_says_which_spelling_is_in_its_place(root: Root, top: Directory) -> None:
    top.make_folder("d")
    put(root.folder("d"), "Case", b"mine")
    put(root.folder("d"), "moves", b"x")
    make = Operation(Verb.MAKE_DIRECTORY, entry("d/case", Kind.DIRECTORY))
    assert one(root, make)[:2] == (Ending.OTHER_SPELLING, "d/Case")
    moved = Moved(entry("d/moves", deleted=True), held(root.folder("d"), "moves"))
    move = Operation(Verb.MOVE_FILE, entry("d/case"), moved=moved)
    assert one(root, move)[:2] == (Ending.OTHER_SPELLING, "d/Case")
    assert names(root.folder("d")) == {"Case", "moves"}


def test_a_delete_of_the_other_spelling_takes_nothing(root: Root, top: Directory) -> None:
    put(top, "foo", b"x")
    before = held(top, "foo")
    top.respell("foo", "FOO")
    remove = Operation(Verb.REMOVE, entry("foo", deleted=True), before)
    assert one(root, remove)[0] is Ending.DONE
    assert names(top) == {"FOO"}


def test_a_file_gets_its_other_spelling_in_one_step(root: Root, top: Directory) -> None:
    put(top, "foo", b"x")
    moved = Moved(entry("foo", deleted=True), held(top, "foo"))
    ending, _, key = one(root, Operation(Verb.MOVE_FILE, entry("FOO"), moved=moved))
    found = top.stat("FOO")
    assert ending is Ending.DONE and found is not None and key == found.key()
    assert names(top) == {"FOO"} and not root.folder(".left/trash").names()


def test_a_folder_gets_its_other_spelling_with_all_that_is_in_it(
    root: Root, top: Directory
) -> None:
    top.make_folder("d")
    put(root.folder("d"), "in", b"x")
    make = Operation(Verb.MAKE_DIRECTORY, entry("D", Kind.DIRECTORY), spelled="d")
    assert one(root, make) == (Ending.DONE, "", None)
    assert names(top) == {"D"} and names(root.folder("D")) == {"in"}
    assert one(root, make)[0] is Ending.DONE, "done again after a crash"


def test_a_file_gets_its_mtime_as_far_as_the_disk_has_it(top: Directory) -> None:
    with top.create("a") as file:
        file.write(0, b"x")
        file.set_times(1_700_000_000_123_456_789)
        file.flush()
    found = top.stat("a")
    assert found is not None and found.mtime_ns // 2_000_000_000 == 850_000_000


# ---- disks that keep no spelling, and others ----------------------------------------------------


def test_what_a_disk_would_call_otherwise_is_not_made(ntfs: Path) -> None:
    share = Share.open(ntfs / "share", "f", None, True)
    top = share.root.folder("")
    put(top, "small", b"x")
    made = (
        lambda: top.create("Large"),
        lambda: top.make_folder("Large"),
        lambda: top.make_link("Large", b"x"),
        lambda: top.rename_new("small", top, "SMALL2"),
        lambda: top.respell("small", "SMALL"),
    )
    for make in made:
        with pytest.raises(NotKept):
            make()
    assert names(top) == {"small"} and top.stat("small") is not None
    share.close()


def test_a_file_system_inside_has_its_own_answer() -> None:
    disk = Disk(time.time_ns, folds=frozenset((2,)))
    hands = Hands(disk)
    hands.make_folder("m")
    assert disk.top is not None
    disk.mount(disk.top, b"m", 2, disk.make(Kind.DIRECTORY, 0o755))
    root = SpelledRoot(SimRoot(Calls(disk)), exact=True)
    put(root.folder(""), "Foo")
    assert not isinstance(root.folder(""), SpelledDirectory)
    inside = root.folder("m")
    assert isinstance(inside, SpelledDirectory), "nothing in it tells yet"
    put(inside, "Foo")
    with pytest.raises(OtherSpelling):
        root.folder("m").create("foo")
    put(root.folder(""), "foo")
    assert names(root.folder("")) == {"Foo", "foo", "m"}
    disk.folds = frozenset()
    root.met(2)
    put(root.folder("m"), "foo")
    assert names(root.folder("m")) == {"Foo", "foo"} and root.folder("m").stat("foo") is not None
    assert not isinstance(root.folder("m"), SpelledDirectory)


@pytest.mark.parametrize(
    ("name", "folds", "apart"),
    [
        ("Foo", True, False),
        ("Foo", False, True),
        ("123", True, None),
        ("\u00e9", True, False),
        ("\u00e9", False, True),
    ],
)
def test_a_name_tells_what_a_disk_does(name: str, folds: bool, apart: bool | None) -> None:
    root = SimRoot(Calls(Disk(time.time_ns, folds=frozenset((1,) if folds else ()))))
    with root.folder("") as top:
        put(top, name)
        assert tell_apart(top, name) is apart


def test_both_spellings_beside_each_other_tell_that_a_disk_is_exact(tmp_path: Path) -> None:
    with RealRoot(tmp_path).folder("") as top:
        put(top, "Foo")
        put(top, "fOO")
        assert tell_apart(top, "Foo") is True
