"""The index: rows, heads, generations; and that it survives being killed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from leftzmq.errors import Problem, ProblemKind
from leftzmq.index import schema
from leftzmq.index.flush import flush
from leftzmq.index.heads import NO_LIFE
from leftzmq.index.reader import Reader
from leftzmq.index.rows import Row
from leftzmq.index.store import Store
from leftzmq.tree.entry import Kind, ScanKey
from leftzmq.tree.path import sort_key
from leftzmq.tree.permissions import Permissions
from tests.helpers.trees import deleted, file, folder, life, made

KEY = ScanKey(Kind.FILE, 3, -5, 2**62, 2**64 - 1, True, 1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "index")
    store.heads.begin_life(life("a"))
    return store


def put_ours(store: Store, path: str, number: int | None = None) -> Row:
    row = Row(made("a", file(path)), 1, 0, number or store.heads.next_sequence(), KEY)
    store.put(row)
    return store.rows(path)[0]


def test_a_row_comes_back_as_it_went(store: Store) -> None:
    row = put_ours(store, "a/é")
    assert replace(row, id=0) == Row(made("a", file("a/é")), 1, 0, 1, KEY)
    assert store.scan_keys(["a/é"])["a/é"] == KEY
    grown = replace(row, holders=5, scan=None)
    store.put(grown)
    assert store.rows("a/é") == [grown]
    store.remove(grown)
    assert store.rows("a/é") == []


def test_rows_are_read_in_the_order_of_a_walk(store: Store) -> None:
    paths = ["a", "a/b", "a/b/c", "a-b", "b", "ä"]
    for path in reversed(paths):
        put_ours(store, path)
    found = [row[0].entry.path for row in store.paths(b"", 100)]
    assert found == sorted(paths, key=sort_key) == ["a", "a/b", "a/b/c", "a-b", "b", "ä"]
    assert [key for key, _ in store.alive_after(sort_key("a/b"), 2)] == [
        sort_key("a/b/c"),
        sort_key("a-b"),
    ]
    assert store.has_alive_below("a") and not store.has_alive_below("b")


def test_a_tombstone_is_ours_but_not_alive(store: Store) -> None:
    grave = deleted("a", made("a", file("x")))
    store.put(Row(grave, 1, 0, store.heads.next_sequence(), None))
    assert store.ours("x") is not None and store.scan_keys(["x"]) == {}
    assert store.alive_after(b"", 10) == []
    assert [change.path for change in store.changes(0, 9, 9)] == ["x"]


def test_replace_moves_our_sequence_from_row_to_row(store: Store) -> None:
    first = put_ours(store, "x", 1)
    other = Row(made("b", file("x", "two")), 2)
    store.replace([first], [first, other])
    first, other = sorted(store.rows("x"), key=lambda row: row.holders)
    store.replace(
        [first, other], [replace(first, holders=0, seq=None), replace(other, holders=3, seq=1)]
    )
    (row,) = store.rows("x")
    assert (row.holders, row.seq, row.entry.writer) == (3, 1, life("b"))


def test_twins_are_live_files_of_ours(store: Store) -> None:
    row = put_ours(store, "x")
    store.put(Row(made("b", file("theirs")), 2))
    store.put(Row(made("a", folder("d")), 1, 0, store.heads.next_sequence()))
    assert [twin.entry.path for twin in store.twins(row.entry.content)] == ["x"]


def test_sequences_go_on_across_lives(tmp_path: Path) -> None:
    store = Store(tmp_path / "index")
    store.heads.begin_life(life("a", 1))
    assert [store.heads.next_sequence() for _ in range(3)] == [1, 2, 3]
    store.close()
    store = Store(tmp_path / "index")
    store.heads.begin_life(life("a", 2))
    assert store.heads.next_sequence() == 4
    assert store.heads.answers_from(life("a", 1), 3)
    assert not store.heads.answers_from(life("a", 1), 4), "that life ended at 3"
    assert store.heads.answers_from(life("a", 2), 4)
    assert not store.heads.answers_from(life("a", 2), 5)
    assert not store.heads.answers_from(NO_LIFE, 0)
    assert not store.heads.answers_from(life("b", 1), 0)


def test_a_new_generation_has_a_bit_of_its_own(store: Store) -> None:
    head = store.heads.new_generation(b"b" * 32, life("b"))
    store.put(Row(made("b", file("x")), head.mask | 1, 0, store.heads.next_sequence()))
    store.put(Row(made("b", file("y")), head.mask))
    fresh = store.heads.new_generation(b"b" * 32, life("b", 2))
    assert fresh.bit != head.bit and fresh.head == 0
    assert store.heads.to_sweep(b"b" * 32) == [head.bit]
    store.sweep(head.bit)
    assert store.rows("y") == [], "a row without holders is gone"
    assert store.rows("x")[0].holders == 1
    assert store.heads.to_sweep(b"b" * 32) == []


def test_a_generation_of_which_nothing_was_heard_keeps_its_bit(store: Store) -> None:
    head = store.heads.place(b"b" * 32)
    assert head is not None
    assert store.heads.new_generation(b"b" * 32, life("b")).bit == head.bit
    assert store.heads.to_sweep(b"b" * 32) == []


def test_sweeping_goes_through_all_rows_some_at_a_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leftzmq.index.store.SWEEP_ROWS", 2)
    head = store.heads.new_generation(b"b" * 32, life("b"))
    for number in range(7):
        store.put(Row(made("b", file(f"p{number}")), head.mask | number % 2))
    store.heads.new_generation(b"b" * 32, life("b", 2))
    assert store.sweep_some((head.bit,), 0) == 2
    assert store.heads.to_sweep(b"b" * 32) == [head.bit]
    store.sweep(head.bit)
    assert [rows[0].entry.path for rows in store.paths(b"", 9)] == ["p1", "p3", "p5"]
    assert store.heads.to_sweep(b"b" * 32) == []


def test_what_a_device_lacks_and_what_we_lack_is_counted_below_a_path(store: Store) -> None:
    row = put_ours(store, "d/x")
    put_ours(store, "d/y")
    put_ours(store, "d-z")
    store.put(replace(row, holders=0b111))
    assert store.lacking(0b10, "", 9) == (2, 6, ("d/y", "d-z"))
    assert store.lacking(0b10, "d", 9) == (1, 3, ("d/y",))
    assert store.lacking(0b10, "d/x", 9) == store.lacking(0b10, "d/none", 9) == (0, 0, ())
    assert store.lacking(0, "", 2) == (3, 9, ("d/x", "d/y"))
    store.put(Row(replace(row.entry, path="d/y", stamp=1 << 61), 0b10))
    assert store.lacking(0b10, "d", 9) == (0, 0, ()), "it has a higher version"
    assert store.lacking(0b100, "d", 9) == (1, 3, ("d/y",))
    assert store.coming("d", 9) == (1, 3, ("d/y",))
    assert store.coming("d/x", 9) == (0, 0, ())


@pytest.mark.parametrize(
    "lower",
    [
        {"permissions": Permissions(1, life("b"), 0o644, 0o777)},
        {"permissions": None},
        {"permissions": Permissions(2, life("a"), 0o644, 0o777)},
        {"mtime_ns": -9},
        {"exec": False},
    ],
)
def test_of_two_versions_with_the_same_bytes_the_higher_one_is_what_is_to_come(
    store: Store, lower: dict[str, Any]
) -> None:
    """As Python compares their ranks: by the register and the attributes at last."""
    register = Permissions(2, life("b"), 0o644, 0o777)
    high = replace(made("a", file("x")), permissions=register, exec=True)
    low = replace(high, **lower)
    assert low.rank < high.rank
    for ours, theirs, count in ((high, low, 0), (low, high, 1)):
        for row in store.rows("x"):
            store.remove(row)
        store.put(Row(ours, 1, 0, store.heads.next_sequence(), KEY))
        store.put(Row(theirs, 0b10))
        assert store.coming("x", 9)[0] == len(store.above_ours("x", 9)) == count
        assert store.lacking(0b10, "x", 9)[0] == 1 - count


def test_readers_see_what_is_committed(store: Store) -> None:
    reader = Reader.open(store.file)
    put_ours(store, "x")
    assert reader.rows("x") == []
    store.commit()
    assert len(reader.rows("x")) == 1


WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tests.helpers.trees import file, life, made
from leftzmq.index.rows import Row, columns_of
from leftzmq.index.store import Store
from leftzmq.errors import Problem, ProblemKind
from leftzmq.index import schema
from leftzmq.index.flush import flush
store = Store(Path(sys.argv[1]))
store.heads.begin_life(life("a"))
while True:
    for _ in range(10):
        number = store.heads.next_sequence()
        store.put(Row(made("a", file(f"f{number}"), None, number), 1, 0, number))
    store.commit()
    if number % 50 == 0:
        flush(store.file)
    print(number, flush=True)
"""


def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "index"), str(Path(__file__).parents[3])],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    told = 0
    while told < 500:
        told = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.wait()
    told = int(rest[-1]) if rest else told
    store = Store(tmp_path / "index")
    head = store.heads.sequence
    assert head >= told and head % 10 == 0, "whole commits, and all that were said to be made"
    assert [change.sequence for change in store.changes(0, head, head + 1)] == list(
        range(1, head + 1)
    )


def test_flushing_without_a_wal_is_fine(tmp_path: Path) -> None:
    flush(tmp_path / "nothing here")


def test_a_new_life_makes_durable_what_a_killed_one_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last sequence is told in the first hello."""
    flushed: list[tuple[Path, list[int]]] = []

    def flush_it(file: Path) -> None:
        with sqlite3.connect(file) as other:
            lives = other.execute("SELECT last FROM life ORDER BY ordinal").fetchall()
        flushed.append((file, [last for (last,) in lives]))

    monkeypatch.setattr("leftzmq.index.store.flush", flush_it)
    killed = Store(tmp_path / "index")
    killed.begin_life(life("a", 1))
    killed.heads.next_sequence()
    killed.commit()
    Store(tmp_path / "index").begin_life(life("a", 2))
    assert flushed == [(tmp_path / "index", [0]), (tmp_path / "index", [1, 1])]


# ---- files with more than one name ------------------------------------------------------------


def put_linked(store: Store, path: str, inode: int, links: int) -> None:
    sequence = store.heads.next_sequence()
    key = replace(KEY, inode=inode, links=links)
    store.put(Row(made("a", file(path)), 1, 0, sequence, key))


def test_only_files_with_more_names_are_among_the_linked(store: Store) -> None:
    put_linked(store, "one", 7, 1)
    for links, name in ((2, "a"), (256, "b"), (1 << 24, "c")):
        put_linked(store, name, 7, links)
    put_linked(store, "elsewhere", 8, 2)
    store.put(Row(deleted("a", made("a", file("gone"))), 1, 0, store.heads.next_sequence()))
    assert sorted(name for name, _ in store.names_of(7, 10)) == ["a", "b", "c"]
    assert [name for name, key in store.names_of(8, 10)] == ["elsewhere"]
    assert store.names_of(9, 10) == [] and len(store.names_of(7, 2)) == 2
    plan = store._ask(
        f"EXPLAIN QUERY PLAN SELECT path FROM version WHERE {schema.INODE} = ? AND {schema.LINKED}",
        (b"",),
    ).fetchall()
    assert "version_linked" in str(plan)


def test_the_linked_are_gone_through_one_inode_after_the_other(store: Store) -> None:
    for number in range(20):
        put_linked(store, f"{number}", 1000 + number // 2, 2)
    seen: list[str] = []
    after = b""
    while rows := store.linked_after(after, 4):
        seen += [name for name, _, _ in rows]
        assert len({inode for _, _, inode in rows}) == 2
        after = rows[-1][2]
    assert sorted(seen) == sorted(map(str, range(20)))


def test_what_has_one_name_again_is_not_among_them(store: Store) -> None:
    put_linked(store, "a", 7, 2)
    [row] = store.rows("a")
    store.put(replace(row, scan=replace(KEY, inode=7, links=1)))
    assert store.names_of(7, 10) == []


def test_an_index_of_before_gets_what_it_lacks(tmp_path: Path) -> None:
    Store(tmp_path / "index").close()
    connection = sqlite3.connect(tmp_path / "index")
    connection.execute("DROP INDEX version_linked")
    connection.close()
    store = Store(tmp_path / "index")
    put_linked(store, "a", 7, 2)
    assert [name for name, _ in store.names_of(7, 10)] == ["a"]


def test_of_each_path_the_last_problem_outlives_the_store(tmp_path: Path, store: Store) -> None:
    lost = Problem("share", "d/é", ProblemKind.ACCESS_LOST, "group 7")
    store.problems.remember(Problem("share", "d/é", ProblemKind.ACCESS_LOST, "owner 5"))
    store.problems.remember(lost)
    store.problems.remember(Problem("share", "solved", ProblemKind.ACCESS_LOST))
    store.problems.forget("solved")
    store.begin_transaction()
    store._db.execute("INSERT INTO problem VALUES (x'61', 'OF_A_LATER_LEFTZMQ', '')")
    store.commit()
    store.close()
    again = Store(tmp_path / "index")
    assert again.problems.all("share") == [lost]
    again.close()
