"""The file of rosters: order, numbers, what a kill or a full disk leaves, and damaged files."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from zlib import crc32

import pytest
from msgspec.structs import replace

from leftzmq.content.ids import StatementId
from leftzmq.errors import ConfigError, RosterNotKept
from leftzmq.pairing.roster_store import FORM, Kept, KeptRoster, RosterStore
from leftzmq.wire.statements import Signed, Statement, encode, with_signature
from tests.helpers.statement_vectors import ADMISSION, EPOCH, REMOVAL, ROOT, SELF

ROOT_DIR = Path(__file__).parents[3]
FOLDER, OTHER = bytes(range(16)), bytes(range(16, 32))
PINS = (StatementId(b"p" * 16), StatementId(b"q" * 16))
SECRETS = (b"x" * 32, b"y" * 32, b"z" * 32)


def signed(statement: Statement, folder: bytes = FOLDER) -> Signed:
    return with_signature(folder, statement, bytes(64))


def kept(statement: Statement, slot: bytes = b"") -> Kept:
    one = signed(statement)
    return Kept(slot or one.id, one)


def numbered(number: int) -> Kept:
    return kept(replace(EPOCH, at=number))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rosters.db"


@pytest.fixture
def store(file: Path) -> Iterator[RosterStore]:
    with closing(RosterStore.open(file)) as opened:
        yield opened


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---- what is kept --------------------------------------------------------------------------------


def test_nothing_is_known_of_a_folder_that_was_never_kept(store: RosterStore) -> None:
    assert store.load(FOLDER) == KeptRoster((), ())


def test_statements_are_read_in_the_order_in_which_they_came(store: RosterStore) -> None:
    came = [kept(each) for each in (ROOT, ADMISSION, REMOVAL, EPOCH, SELF)]
    numbers = store.keep(FOLDER, came[:3]) + store.keep(FOLDER, came[:2:-1])
    in_order = [*came[:3], *came[:2:-1]]
    assert list(numbers) == sorted(set(numbers)) and len(numbers) == 5
    assert store.load(FOLDER).statements == tuple(
        (number, each.signed) for number, each in zip(numbers, in_order, strict=True)
    )


def test_a_statement_replaces_the_one_in_its_slot_and_comes_last(store: RosterStore) -> None:
    slot = b"self" + bytes(32)
    older, newer = signed(SELF), signed(replace(SELF, counter=4))
    (first,) = store.keep(FOLDER, [Kept(slot, older)])
    (second,) = store.keep(FOLDER, [kept(EPOCH)])
    (third,) = store.keep(FOLDER, [Kept(slot, newer)])
    assert first < second < third
    assert store.load(FOLDER).statements == ((second, signed(EPOCH)), (third, newer))
    last = store.keep(FOLDER, [Kept(slot, older), Kept(slot, newer)])
    assert store.load(FOLDER).statements == ((second, signed(EPOCH)), (last[1], newer))


def test_folders_share_slots_and_lose_nothing_by_each_other(store: RosterStore) -> None:
    there = Kept(b"slot", signed(REMOVAL, OTHER))
    store.keep(FOLDER, [kept(EPOCH, b"slot")], PINS[:1])
    (number,) = store.keep(OTHER, [there], PINS[1:])
    store.keep(FOLDER, [kept(SELF, b"slot")])
    other = KeptRoster(PINS[1:], ((number, there.signed),))
    assert store.load(OTHER) == other
    store.retain(FOLDER, [])
    store.forget(FOLDER)
    assert store.load(OTHER) == other


def test_pins_are_added_once_each(store: RosterStore) -> None:
    assert store.keep(FOLDER, (), PINS[1:]) == ()
    store.keep(FOLDER, [kept(ROOT)], PINS)
    assert store.load(FOLDER).pins == PINS


def test_what_is_in_no_wanted_slot_is_forgotten_and_pins_stay(store: RosterStore) -> None:
    numbers = store.keep(FOLDER, [numbered(at) for at in range(5)], PINS)
    wanted = [numbered(1).slot, numbered(3).slot, b"a slot that is empty"]
    store.retain(FOLDER, wanted)
    found = store.load(FOLDER)
    assert found.pins == PINS
    assert [number for number, _ in found.statements] == [numbers[1], numbers[3]]
    store.retain(FOLDER, ())
    assert store.load(FOLDER) == KeptRoster(PINS, ())


def test_secrets_of_epochs_are_kept_once_each_in_the_order_in_which_they_came(
    file: Path, store: RosterStore
) -> None:
    store.keep(FOLDER, [kept(ROOT)], PINS)
    for secret in (SECRETS[1], SECRETS[0], SECRETS[1]):
        store.keep_epoch(FOLDER, secret)
    store.keep_epoch(OTHER, SECRETS[2])
    store.retain(FOLDER, ())
    store.close()
    with closing(RosterStore.open(file)) as again:
        assert again.load(FOLDER) == KeptRoster(PINS, (), (SECRETS[1], SECRETS[0]))
        assert again.load(OTHER) == KeptRoster((), (), (SECRETS[2],))
        again.keep_epoch(FOLDER, SECRETS[2], [SECRETS[1], SECRETS[2]])
        assert again.load(FOLDER).epochs == (SECRETS[0], SECRETS[2])
    assert SECRETS[0].hex() not in repr(KeptRoster((), (), SECRETS))
    assert repr(SECRETS[0]) not in repr(KeptRoster((), (), SECRETS))


def test_a_file_of_the_form_without_epochs_is_taken_over(file: Path) -> None:
    of_form_1(file)
    with closing(RosterStore.open(file)) as store:
        assert store.load(FOLDER) == KeptRoster(PINS[:1], ((1, signed(ROOT)),))
        store.keep_epoch(FOLDER, SECRETS[0])
    with closing(RosterStore.open(file)) as store:
        assert store.load(FOLDER).epochs == SECRETS[:1]
    with closing(sqlite3.connect(file)) as read:
        assert read.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_damaged_file_of_the_form_without_epochs_is_left_as_it_is(file: Path) -> None:
    of_form_1(file)
    bend(file, "UPDATE pin SET crc = 0")
    before = file.read_bytes()
    assert refused(file) == "is damaged: a row holds other bytes than were kept"
    assert file.read_bytes() == before


def of_form_1(file: Path) -> None:
    """Make a file as the version before epochs wrote it."""
    one = kept(ROOT)
    with closing(sqlite3.connect(file)) as made, made:
        made.executescript(
            """
            CREATE TABLE pin(
              folder BLOB NOT NULL,
              id     BLOB NOT NULL,
              crc    INTEGER NOT NULL,
              PRIMARY KEY(folder, id)) WITHOUT ROWID;
            CREATE TABLE statement(
              number INTEGER PRIMARY KEY AUTOINCREMENT,
              folder BLOB NOT NULL,
              slot   BLOB NOT NULL,
              signed BLOB NOT NULL,
              crc    INTEGER NOT NULL,
              UNIQUE(folder, slot));
            PRAGMA user_version = 1;
            PRAGMA journal_mode = WAL;
            """
        )
        made.execute("INSERT INTO pin VALUES(?, ?, ?)", (FOLDER, PINS[0], crc32(FOLDER + PINS[0])))
        row = (FOLDER, one.slot, encode(one.signed))
        made.execute("INSERT INTO statement VALUES(1, ?, ?, ?, ?)", (*row, crc32(b"".join(row))))


def test_a_folder_is_forgotten_whole(store: RosterStore) -> None:
    store.keep(FOLDER, [kept(ROOT)], PINS)
    store.keep_epoch(FOLDER, SECRETS[0])
    store.forget(FOLDER)
    assert store.load(FOLDER) == KeptRoster()


def test_numbers_grow_across_starts_and_are_never_given_twice(file: Path) -> None:
    with closing(RosterStore.open(file)) as store:
        before = store.keep(FOLDER, [numbered(at) for at in range(3)], PINS)
        kept_then = store.load(FOLDER)
    with closing(RosterStore.open(file)) as store:
        assert store.load(FOLDER) == kept_then
        store.forget(FOLDER)
    with closing(RosterStore.open(file)) as store:
        assert store.load(FOLDER) == KeptRoster()
        assert store.keep(FOLDER, [numbered(7)])[0] > max(before)


def test_each_commit_is_flushed(store: RosterStore) -> None:
    """A power cut cannot be tried here: in a WAL, 2 (FULL) is what flushes each commit."""
    connection = store._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_mistake_of_ours_keeps_nothing_and_the_store_goes_on(store: RosterStore) -> None:
    with pytest.raises(AttributeError):
        store.keep(FOLDER, [kept(ROOT), Kept(b"x", None)], PINS)  # type: ignore[arg-type]
    assert store.load(FOLDER) == KeptRoster()
    store.keep(FOLDER, [kept(ROOT)])
    assert len(store.load(FOLDER).statements) == 1


# ---- who may read it -----------------------------------------------------------------------------


def test_its_files_are_private_whatever_the_umask(file: Path) -> None:
    before = os.umask(0)
    try:
        with closing(RosterStore.open(file)) as store:
            store.keep(FOLDER, [kept(ROOT)])
            names = {path.name: mode(path) for path in file.parent.iterdir()}
            assert names == {"rosters.db": 0o600, "rosters.db-wal": 0o600}
        assert {path.name for path in file.parent.iterdir()} == {"rosters.db"}
        file.chmod(0o644)
        RosterStore.open(file).close()
        assert mode(file) == 0o600
    finally:
        os.umask(before)


def test_two_cannot_have_it_open(file: Path, store: RosterStore) -> None:
    with pytest.raises(ConfigError, match=r"rosters\.db: another program keeps it locked \(end"):
        RosterStore.open(file)
    store.keep(FOLDER, [kept(ROOT)])


# ---- kills and full disks ------------------------------------------------------------------------

KEEPER = """
import sys
from pathlib import Path
from leftzmq.pairing.roster_store import RosterStore
from tests.unit.pairing.test_roster_store import FOLDER, PINS, numbered
store = RosterStore.open(Path(sys.argv[1]))
for at in range(0, int(sys.argv[2]), 2):
    print(*store.keep(FOLDER, [numbered(at), numbered(at + 1)], PINS), flush=True)
sys.stdin.read()
"""


def killed_after(file: Path, lines: int, most: int) -> list[int]:
    """Keep pairs of statements in another process, which is killed after so many pairs at the
    earliest. Return the numbers that it was given."""
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(file), str(2 * most)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT_DIR,
    )
    with process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said.append(process.stdout.read())
        assert process.wait() == -signal.SIGKILL
    # A kill may come in the midst of a line.
    whole, _, _ = "".join(said).rpartition("\n")
    return [int(number) for number in whole.split()]


def test_what_was_kept_is_there_after_a_kill(file: Path) -> None:
    numbers = killed_after(file, 2, most=2)
    with closing(RosterStore.open(file)) as store:
        found = store.load(FOLDER)
        assert found.pins == PINS
        assert found.statements == tuple(
            (number, numbered(at).signed) for at, number in enumerate(numbers)
        )
        assert len(numbers) == 4
        assert store.keep(FOLDER, [numbered(9)])[0] > numbers[-1]


def test_what_a_killed_life_kept_is_moved_into_the_file(file: Path) -> None:
    killed_after(file, 2, most=2)
    log = file.with_name("rosters.db-wal")
    assert log.stat().st_size
    with closing(RosterStore.open(file)) as store:
        whole = store.load(FOLDER)
        assert log.stat().st_size == 0
        copy = file.with_name("copy.db")
        copy.write_bytes(file.read_bytes())
    with closing(RosterStore.open(copy)) as store:
        assert store.load(FOLDER) == whole and len(whole.statements) == 4


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_whole_transactions(file: Path) -> None:
    numbers: list[int] = []
    for lines in range(1, 9):
        file.unlink(missing_ok=True)
        numbers = killed_after(file, lines, most=10_000)
        with closing(RosterStore.open(file)) as store:
            found = [number for number, _ in store.load(FOLDER).statements]
            assert found[: len(numbers)] == numbers and len(found) % 2 == 0
            assert len(found) - len(numbers) in (0, 2), "that which it was about to say"


FULL = """
import resource, sys
from pathlib import Path
from leftzmq.errors import RosterNotKept
from leftzmq.pairing.roster_store import KeptRoster, RosterStore
from tests.unit.pairing.test_roster_store import FOLDER, PINS, numbered
file = Path(sys.argv[1])
store = RosterStore.open(file)
first = store.keep(FOLDER, [numbered(0)], PINS[:1])
before = store.load(FOLDER)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for limit, acts in (
    # No room for anything; then for the beginning of a long one.
    (file.with_name("rosters.db-wal").stat().st_size, (
        lambda: store.keep(FOLDER, [numbered(1)], PINS),
        lambda: store.retain(FOLDER, ()),
        lambda: store.forget(FOLDER),
    )),
    (200_000, (lambda: store.keep(FOLDER, [numbered(at) for at in range(1, 4000)], PINS),)),
):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    for act in acts:
        try:
            act()
        except RosterNotKept as error:
            print(error)
        assert store.load(FOLDER) == before
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
second = store.keep(FOLDER, [numbered(1)], PINS)
after = KeptRoster(PINS, (*before.statements, (second[0], numbered(1).signed)))
assert second > first and store.load(FOLDER) == after
store.close()
store = RosterStore.open(file)
assert store.load(FOLDER) == after
store.retain(FOLDER, ())
assert store.load(FOLDER) == KeptRoster(PINS)
"""


def test_what_finds_no_room_is_not_kept_and_the_store_goes_on_when_there_is(file: Path) -> None:
    """A limit of the process stands for a disk that takes nothing more."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(file)], capture_output=True, text=True, cwd=ROOT_DIR
    )
    assert done.returncode == 0, done.stderr
    said = f"{file}: rosters cannot be written: disk I/O error (look at the disk)"
    assert done.stdout.splitlines() == [said] * 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system of 2 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system of its own: root, and mount")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_on_a_full_disk_rosters_are_read_and_kept_again_when_there_is_room(
    small_disk: Path,
) -> None:
    file = small_disk / "rosters.db"
    with closing(RosterStore.open(file)) as store:
        store.keep(FOLDER, [numbered(0)], PINS)
        before = store.load(FOLDER)
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as writer, suppress(OSError):
        while writer.write(bytes(4096)):
            pass
    with closing(RosterStore.open(file)) as store:
        assert store.load(FOLDER) == before
        for _ in range(2):
            with pytest.raises(RosterNotKept) as caught:
                store.keep(FOLDER, [numbered(1)])
            assert str(caught.value) == (
                f"{file}: no room for rosters: the disk of the state directory is full: "
                "database or disk is full (make room)"
            )
            assert store.load(FOLDER) == before
        ballast.unlink()
        store.keep(FOLDER, [numbered(1)])
        assert len(store.load(FOLDER).statements) == 2


def test_a_full_disk_after_a_kill_keeps_nothing_from_being_read(small_disk: Path) -> None:
    """What was kept lies in the WAL then, and cannot be moved into the file, which would grow."""
    file = small_disk / "rosters.db"
    killed_after(file, 40, most=40)
    with (small_disk / "ballast").open("wb", buffering=0) as writer, suppress(OSError):
        while writer.write(bytes(4096)):
            pass
    with closing(RosterStore.open(file)) as store:
        assert len(store.load(FOLDER).statements) == 80
        assert file.with_name("rosters.db-wal").stat().st_size


# ---- files that are none -------------------------------------------------------------------------


@pytest.fixture
def filled(file: Path) -> bytes:
    """The bytes of a file with 300 statements."""
    with closing(RosterStore.open(file)) as store:
        store.keep(FOLDER, [numbered(at) for at in range(300)], PINS)
        store.keep_epoch(FOLDER, SECRETS[0])
    return file.read_bytes()


def refused(file: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        RosterStore.open(file)
    assert caught.value.where == str(file) and caught.value.do
    assert caught.value.exit_code == 2
    return caught.value.what


def opens_as(file: Path, data: bytes) -> KeptRoster | None:
    """Return what is read of a file with these bytes; None if it is damaged."""
    file.write_bytes(data)
    try:
        with closing(RosterStore.open(file)) as store:
            return store.load(FOLDER)
    except ConfigError as error:
        assert error.what.startswith("is damaged: ")
        return None


def test_a_file_that_was_cut_off_is_damaged_and_left_as_it_is(file: Path, filled: bytes) -> None:
    whole = opens_as(file, filled)
    assert whole is not None and len(whole.statements) == 300 and whole.pins == PINS
    for length in (0, 1, 99, 100, *range(512, len(filled), 4096), *range(4096, len(filled), 4096)):
        assert opens_as(file, filled[:length]) is None, length
        assert file.read_bytes() == filled[:length]


def test_a_damaged_page_is_found_at_the_start(file: Path, filled: bytes) -> None:
    assert len(filled) > 20 * 4096
    for page in range(len(filled) // 4096):
        bent = bytearray(filled)
        bent[4096 * page : 4096 * page + 100] = b"\xff" * 100
        file.write_bytes(bent)
        assert refused(file).startswith("is damaged: "), page


def test_no_rotten_bit_changes_what_is_read(file: Path) -> None:
    with closing(RosterStore.open(file)) as store:
        store.keep(FOLDER, [kept(ROOT), kept(REMOVAL), kept(EPOCH)], PINS)
        store.keep_epoch(FOLDER, SECRETS[0])
        whole = store.load(FOLDER)
    data = file.read_bytes()
    rows = [encode(each) for _, each in whole.statements] + [FOLDER, *PINS, SECRETS[0]]
    places = [at + n for row in rows for at in places_of(row, data) for n in range(len(row))]
    assert len(places) > 500
    for at in places[::3]:
        rotten = bytearray(data)
        rotten[at] ^= 1 << at % 8
        assert opens_as(file, bytes(rotten)) in (None, whole), at
    assert opens_as(file, data) == whole


def places_of(part: bytes, data: bytes) -> list[int]:
    return [at for at in range(len(data)) if data.startswith(part, at)]


@pytest.mark.parametrize("other", [b"x", b"no file of SQLite" * 1000, b"SQLite format 3\0"])
def test_another_file_is_damaged(file: Path, other: bytes) -> None:
    file.write_bytes(other)
    what = refused(file)
    assert what.startswith("is damaged: ")
    with pytest.raises(ConfigError, match="put back a copy of it; without one, move away what"):
        RosterStore.open(file)


def test_a_database_of_something_else_is_damaged(file: Path) -> None:
    with closing(sqlite3.connect(file)) as made:
        made.execute("CREATE TABLE statement(x)")
    assert refused(file) == "is damaged: it is no file of rosters"
    with closing(sqlite3.connect(file)) as made:
        made.execute(f"PRAGMA user_version = {FORM}")
    assert refused(file) == "is damaged: no such table: pin"


def bend(file: Path, sql: str, *parameters: object) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(sql, parameters)


def test_a_later_form_is_refused_and_left_as_it_is(file: Path, filled: bytes) -> None:
    bend(file, f"PRAGMA user_version = {FORM + 1}")
    before = file.read_bytes()
    assert refused(file) == "is of a later version of leftzmq: its form is 3, this one knows 2"
    assert file.read_bytes() == before


def test_a_log_without_its_file_is_not_taken_for_that_of_a_new_one(file: Path) -> None:
    killed_after(file, 1, most=1)
    data = file.read_bytes()
    file.unlink()
    assert refused(file) == "is missing, and rosters.db-wal is there"
    file.write_bytes(data)
    with closing(RosterStore.open(file)) as store:
        assert len(store.load(FOLDER).statements) == 2


@pytest.mark.parametrize(
    "row",
    [
        b"",
        encode(signed(EPOCH))[:-1],
        encode(signed(EPOCH)) + b"x",
        encode(signed(EPOCH)).replace(b"\xa1E", b"\xa1X"),
    ],
)
def test_a_row_that_is_no_statement_is_damage(file: Path, filled: bytes, row: bytes) -> None:
    slot = numbered(6).slot
    crc = crc32(FOLDER + slot + row)
    bend(file, "UPDATE statement SET signed = ?, crc = ? WHERE slot = ?", row, crc, slot)
    with closing(RosterStore.open(file)) as store:
        with pytest.raises(ConfigError, match=r"rosters\.db: is damaged: statement 7: "):
            store.load(FOLDER)
        assert store.load(OTHER) == KeptRoster()


@pytest.mark.parametrize("value", [b"", bytes(15), "p" * 16, 7])
def test_a_row_that_somebody_changed_is_damage(file: Path, filled: bytes, value: object) -> None:
    pin = f"UPDATE pin SET id = ? WHERE id = x'{PINS[0].hex()}'"
    secret = "UPDATE epoch SET secret = ?"
    for sql in (pin, "UPDATE statement SET signed = ? WHERE number = 1", secret):
        file.write_bytes(filled)
        bend(file, sql, value)
        assert refused(file) == "is damaged: a row holds other bytes than were kept"


def test_a_place_where_no_file_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(ConfigError, match=r"f/rosters\.db: cannot be made: "):
        RosterStore.open(tmp_path / "f" / "rosters.db")
    with pytest.raises(ConfigError, match="cannot be used: File name too long"):
        RosterStore.open(tmp_path / ("x" * 300))
    (tmp_path / "rosters.db").mkdir()
    with pytest.raises(ConfigError, match="cannot be used: unable to open"):
        RosterStore.open(tmp_path / "rosters.db")
