"""Every hostile name of the table, through the wire's check and on real files: made, served, moved,
linked and deleted. What is outside the share is byte for byte and stat for stat what it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgpack
import pytest

from leftzmq.cli.format.event_lines import line
from leftzmq.content.ids import chunk_id
from leftzmq.content.keys import derive_keys
from leftzmq.disk.apply.apply import apply
from leftzmq.disk.apply.outcome import Ending
from leftzmq.disk.chunk_reader import read_chunks
from leftzmq.disk.fs import linux
from leftzmq.disk.fs.interface import LastFolder
from leftzmq.disk.fs.real import RealRoot
from leftzmq.disk.scan import scanner
from leftzmq.disk.scan.sighting import Sight
from leftzmq.disk.scan.walk import TreeWalk
from leftzmq.disk.staging import staging
from leftzmq.errors import Refused
from leftzmq.tree.entry import ContentId, Entry, Kind
from leftzmq.tree.plan import Held, Moved, Operation, Verb
from leftzmq.tree.version import Life, Vector
from leftzmq.wire import page as pages
from leftzmq.wire.local import Event, EventKind
from tests.sim.names import NO_TEXT, OURS, TABLE, Due

pytestmark = pytest.mark.slow

KEYS = derive_keys(bytes(range(32)))
DEVICE = b"M".ljust(32, b"-")
WRITER = Life(b"w" * 12)
NOW_NS = 1_700_000_000_000_000_000
DATA = b"what a hostile device wrote"
TARGETS = (b"../outside/sentinel", b"..", b"/", b"/etc/passwd", b"in", b"x" * 1000, b"\x1b[2J\n")
THROUGH_LINKS = (
    "out/sentinel",
    "out/new",
    "out/folder",
    "out/folder/f",
    "in/up/outside/sentinel",
    "in/up/new",
    "in/root/tmp",
    "in/self/in/f",
    "file/new",
    "in/proc/self/root",
)


def entry(path: str, kind: Kind, content: bytes, *, size: int = 0, deleted: bool = False) -> Entry:
    mtime_ns = NOW_NS if kind is Kind.FILE and not deleted else 0
    vector = Vector.of([(WRITER, 1)])
    id = ContentId(content)
    return Entry(path, kind, size, mtime_ns, False, id, 0, vector, WRITER, 1, deleted)


def as_file(path: str) -> Entry:
    return entry(path, Kind.FILE, chunk_id(KEYS, DATA), size=len(DATA))


def packed(path: bytes, kind: int, content: bytes, size: int, deleted: bool) -> bytes:
    """A page with this one entry, as a hostile device packs it."""
    text = path.decode(errors="surrogateescape")
    mtime_ns = NOW_NS if size else 0
    vector = WRITER + (1).to_bytes(8, "big")
    said = [text, kind, size, mtime_ns, False, content, 0, vector, WRITER, 1, deleted]
    page = [DEVICE, "share", WRITER, 0, 1, 1, False, [said], []]
    data: bytes = msgpack.packb(page, use_bin_type=True, unicode_errors="surrogateescape")
    return data


SAID = {
    "create": (0, chunk_id(KEYS, DATA), len(DATA), False),
    "delete": (0, chunk_id(KEYS, DATA), 0, True),
    "folder": (1, b"", 0, False),
    "link": (2, b"../outside/sentinel", 0, False),
    "delete a link": (2, b"../outside/sentinel", 0, True),
}


@pytest.mark.parametrize("verb", SAID)
def test_what_is_hostile_is_refused_by_name_and_the_rest_is_taken_as_it_is(verb: str) -> None:
    for what, raw, due in TABLE:
        plain = packed(raw, *SAID[verb])
        try:
            page = pages.read_plaintext(plain, device=DEVICE, folder="share")
        except Refused as refused:
            assert due is not None and refused.refusal in due, (what, raw, refused)
        else:
            assert due is None, (what, raw)
            assert page.entries[0].path.encode() == raw
    assert len({raw for _, raw, _ in TABLE}) == len(TABLE) >= 200


# ---- on real files ------------------------------------------------------------------------------


class Place:
    """A share with links that lead out of it, and what must not be touched around it."""

    def __init__(self, base: Path) -> None:
        self.base, self.share = base, base / "share"
        (base / "outside" / "folder").mkdir(parents=True)
        (base / "outside" / "sentinel").write_bytes(b"sings")
        (base / "outside" / "folder" / "f").write_bytes(b"sings too")
        (base / "up").write_bytes(b"up")
        (self.share / ".left" / "trash").mkdir(parents=True)
        (self.share / ".left" / "marker").write_bytes(b"the marker")
        (self.share / "in").mkdir()
        (self.share / "in" / "f").write_bytes(b"inside")
        (self.share / "file").write_bytes(b"a file")
        (self.share / "out").symlink_to("../outside")
        (self.share / "in" / "up").symlink_to("../..")
        (self.share / "in" / "root").symlink_to("/")
        (self.share / "in" / "self").symlink_to("..")
        (self.share / "in" / "proc").symlink_to("/proc")
        self.root = RealRoot(self.share)
        self._before = self._around()

    def _around(self) -> dict[str, object]:
        """All that is beside the share, and our marker in it: bytes and stats."""
        marker = self.share / ".left" / "marker"
        found: dict[str, object] = {str(marker): (marker.read_bytes(), _stat(marker))}
        found["top"] = _stat(self.base)
        for above, folders, files in os.walk(self.base):
            if Path(above) == self.base:
                folders.remove("share")
            for name in (*folders, *files):
                path = Path(above) / name
                data = path.read_bytes() if path.is_file() else None
                found[str(path)] = (data, _stat(path))
        return found

    def check(self, what: object) -> None:
        assert self._around() == self._before, what
        assert not Path("/up").exists() and not Path("/leftzmq").exists()

    # -- what an agent would do -------------------------------------------------------------------

    def make_folders(self, path: str) -> None:
        names = path.split("/")[:-1]
        tops = ["/".join(names[:count]) for count in range(1, len(names) + 1)]
        apply(
            self.root,
            [Operation(Verb.MAKE_DIRECTORY, entry(top, Kind.DIRECTORY, b"")) for top in tops],
            now_ns=NOW_NS,
        )

    def create(self, path: str) -> Ending:
        wanted = as_file(path)
        with LastFolder(self.root) as near:
            staged = staging.stage_small(near, wanted, DATA)
        return self.carry_out(Operation(Verb.PUT_FILE, wanted, staged=staged))

    def link(self, path: str, target: bytes) -> Ending:
        return self.carry_out(Operation(Verb.PUT_LINK, entry(path, Kind.SYMLINK, target)))

    def rename(self, path: str, to: str) -> Ending:
        gone = entry(path, Kind.FILE, chunk_id(KEYS, DATA), deleted=True)
        moved = Moved(gone, self.held(path))
        return self.carry_out(Operation(Verb.MOVE_FILE, as_file(to), moved=moved))

    def remove(self, path: str, kind: Kind = Kind.FILE) -> Ending:
        content = chunk_id(KEYS, DATA) if kind is Kind.FILE else b""
        gone = entry(path, kind, content, deleted=True)
        return self.carry_out(Operation(Verb.REMOVE, gone, self.held(path)))

    def carry_out(self, operation: Operation) -> Ending:
        (outcome,) = apply(self.root, [operation], now_ns=NOW_NS)
        return outcome.ending

    def held(self, path: str) -> Held:
        parent, _, name = path.rpartition("/")
        with self.root.folder(parent) as folder:
            found = folder.stat(name)
        assert found is not None
        return Held(found.key(), ContentId(b""))

    def serve(self, path: str) -> list[tuple[bytes, bytes]]:
        with LastFolder(self.root) as near:
            found, _, _ = read_chunks(near, [path], [(chunk_id(KEYS, DATA), 0, len(DATA))], KEYS)
        return found

    def look(self, path: str) -> Sight:
        (seen,), _ = scanner.look(
            self.root, "share", [path], lambda _: None, KEYS, now_ns=lambda: NOW_NS * 2
        )
        return seen.sight

    def read(self, path: str) -> bytes:
        """By its descriptors: of a path that no call takes whole, too."""
        parent, _, name = path.rpartition("/")
        with self.root.folder(parent) as folder, folder.open_read(name) as file:
            return file.read(0, 1 << 20)


def _stat(path: Path) -> tuple[int, ...]:
    """All but the atime, which a look of ours changes."""
    found = path.lstat()
    owner = (found.st_mode, found.st_uid, found.st_gid, found.st_nlink)
    times = (found.st_mtime_ns, found.st_ctime_ns)
    return (found.st_dev, found.st_ino, *owner, found.st_size, *times)


@pytest.fixture(params=["openat2", "name by name"])
def place(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    if request.param == "name by name":
        monkeypatch.setattr(linux, "HAS_OPENAT2", False)
    place = Place(tmp_path / "base")
    yield place
    place.root.close()


LEGAL = [raw.decode() for _, raw, due in TABLE if due is None]
REFUSED: list[tuple[bytes, Due]] = [(raw, due) for _, raw, due in TABLE if due is not None]


def test_a_legal_name_is_made_served_moved_linked_and_deleted(place: Place) -> None:
    for number, path in enumerate(LEGAL):
        place.make_folders(path)
        assert place.create(path) is Ending.DONE, path
        assert place.read(path) == DATA
        assert place.look(path) is Sight.FOUND
        assert place.serve(path) == [(chunk_id(KEYS, DATA), DATA)]
        aside = f"moved {number}"
        assert place.rename(path, aside) is Ending.DONE, path
        assert place.rename(aside, path) is Ending.DONE, path
        assert place.remove(path) is Ending.DONE, path
        target = TARGETS[number % len(TARGETS)]
        assert place.link(path, target) is Ending.DONE, path
        with place.root.folder(path.rpartition("/")[0]) as folder:
            assert folder.read_link(path.rpartition("/")[2]) == target
        assert place.serve(path) == []
        assert place.remove(path, Kind.SYMLINK) is Ending.DONE, path
        place.check(path)


def test_a_name_that_came_past_the_check_still_does_not_leave_the_share(place: Place) -> None:
    """What the check refuses, given to the disk all the same: it is an error, or stays inside."""
    paths = [raw.decode(errors="surrogateescape") for raw, _ in REFUSED]
    for path in (*THROUGH_LINKS, *paths):
        if path in (*OURS, "/.left"):
            continue  # these are inside, and ours: the check alone keeps them
        for deed in (
            lambda path: place.make_folders(path),
            lambda path: place.create(path),
            lambda path: place.link(path, b"../outside/sentinel"),
            lambda path: place.carry_out(
                Operation(Verb.MAKE_DIRECTORY, entry(path, Kind.DIRECTORY, b""))
            ),
            lambda path: place.rename("file", path),
            lambda path: place.rename(path, "in/stolen"),
            lambda path: place.remove(path),
            lambda path: place.remove(path, Kind.DIRECTORY),
            lambda path: place.look(path),
            lambda path: TreeWalk(place.root, "share", path, lambda after, limit: []).step(),
        ):
            with suppress(Refused, ValueError, OSError, AssertionError, staging.Unstageable):
                deed(path)
            place.check(path)
        with suppress(ValueError, OSError):
            assert place.serve(path) == []
    assert not (place.share / "in" / "stolen").exists()


def test_what_lies_behind_a_link_is_not_served_nor_deleted(place: Place) -> None:
    for path in THROUGH_LINKS:
        assert place.look(path) in (Sight.GONE, Sight.PROBLEM), path
        with pytest.raises((OSError, AssertionError)):
            place.remove(path)
        with LastFolder(place.root) as near:
            asks = [(chunk_id(KEYS, b"sings"), 0, 5)]
            found, lacking, _ = read_chunks(near, [path], asks, KEYS)
        assert not found and lacking, path
        place.check(path)


@pytest.mark.parametrize("kind", list(EventKind))
def test_no_name_steers_the_terminal(kind: EventKind) -> None:
    for _, raw, _ in TABLE:
        path = raw.decode(errors="surrogateescape")
        fields = {"folder": "share", "path": path, "text": path, "device": path, "detail": path}
        said = line(Event(kind, 1, 0.0, fields, 0.0))
        assert said.isprintable(), (raw, said)


def test_what_is_no_text_is_not_in_the_table_by_mistake() -> None:
    for raw in NO_TEXT:
        with pytest.raises(UnicodeDecodeError):
            raw.decode()
