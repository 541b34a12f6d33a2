"""Every error of SQLite is one of four faults: nothing of a transaction stays, what was committed
does, and a damaged index is set aside."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.errors import IndexFailed, IndexFault
from leftzmq.index.flush import flush
from leftzmq.index.lefting_ledger import Lefting
from leftzmq.index.reader import Reader
from leftzmq.index.rows import Row
from leftzmq.index.store import Store
from leftzmq.tree.plan import Staged
from tests.helpers.trees import file, life, made
from tests.sim.index_trap import ERRORS, IndexTrap


def a_day(store: Store) -> Iterator[None]:
    """All kinds of statements, each transaction followed by a yield."""
    heads = store.heads
    heads.begin_life(life("a", 1 + len(heads.chain)))
    store.commit()
    yield
    theirs = heads.new_generation(b"b" * 32, life("b"))
    assert theirs is not None
    for number in range(70):
        path = f"d/{number}"
        store.put(Row(made("a", file(path)), 1 | theirs.mask, 0, heads.next_sequence()))
    heads.advance(b"b" * 32, life("b"), 7)
    store.commit()
    yield
    store.put_list(b"l" * 32, b"rows")
    store.leftings.intend(("d/x", "d/x.lefting", b"c" * 32), ("d/y", "d/y.lefting", b"c" * 32))
    store.leftings.put(Lefting("d/x", Staged("d/x.lefting", 12), b"c" * 32))
    store.leftings.intent_over("d/x.lefting", "d/y.lefting")
    store.put_meta("key", b"value")
    store.commit()
    yield
    for rows in store.paths(b"", 9):
        store.replace(rows, [])
    store.leftings.doom(Staged("d/x.lefting", 12))
    store.leftings.drop(Staged("d/x.lefting", 12))
    store.commit()
    yield
    assert heads.new_generation(b"b" * 32, life("b", 2)) is not None
    store.sweep(*heads.to_sweep(b"b" * 32))
    heads.give_up_device(b"b" * 32)
    store.commit()
    yield


def content(store: Store) -> list[object]:
    tables = ("meta", "life", "device", "version", "list", "lefting")
    return [store._db.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


def states(base: Path) -> list[list[object]]:
    """The content before, and after each transaction of a day without a fault."""
    store = Store(base / "calm")
    found = [content(store)]
    for _ in a_day(store):
        found.append(content(store))
    store.close()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("fault", IndexFault)
def test_each_fault_at_every_statement(fault: IndexFault, tmp_path: Path) -> None:
    allowed = states(tmp_path)
    with IndexTrap() as trap:
        for number in range(10_000):
            base = tmp_path / str(number)
            base.mkdir()
            store = Store(base / "index")
            done = 0
            trap.set(store.file, number, fault)
            failed: IndexFailed | None = None
            try:
                for _ in a_day(store):
                    done += 1
            except IndexFailed as error:
                failed = error
            if failed is None:
                assert trap.is_set(store.file) and number > 40
                return
            assert failed.fault is fault
            with pytest.raises(IndexFailed):
                store.rows("d/1")
            with pytest.raises(IndexFailed):
                store.put_meta("key", b"other")
            store.give_up()
            after = Store(base / "index")
            expected = allowed[0] if fault is IndexFault.CORRUPT else allowed[done]
            assert content(after) == expected, trap.sql
            after.close()
    pytest.fail("the day does not end")


# ---- the real ones -------------------------------------------------------------------------------


def test_each_code_of_sqlite_is_a_fault_or_a_mistake_of_ours() -> None:
    assert set(ERRORS) == set(IndexFault)


def test_a_full_database(tmp_path: Path) -> None:
    store = Store(tmp_path / "index")
    store.begin_life(life("a"))
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(IndexFailed, match="no room for the index") as caught:
        for number in range(1000):
            store.put(Row(made("a", file(f"{number}" * 50)), 1, 0, store.heads.next_sequence()))
            store.rows("x")
    assert caught.value.fault is IndexFault.FULL
    store.give_up()
    after = Store(tmp_path / "index")
    assert after.paths(b"", 10) == [] and after.heads.sequence == 0
    after.close()


def test_another_program_that_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leftzmq.index.schema.BUSY_TIMEOUT_MS", 10)
    store = Store(tmp_path / "index")
    other = sqlite3.connect(tmp_path / "index", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(IndexFailed) as caught:
        store.begin_life(life("a"))
    assert caught.value.fault is IndexFault.LOCKED
    other.execute("ROLLBACK")
    other.close()
    store.give_up()
    Store(tmp_path / "index").close()


def test_pages_that_were_scribbled_on_are_set_aside_by_the_next_one(tmp_path: Path) -> None:
    index = tmp_path / "index"
    store = Store(index)
    store.begin_life(life("a"))
    for number in range(500):
        store.put(Row(made("a", file(f"f{number}")), 1, 0, store.heads.next_sequence()))
    store.close()
    size = index.stat().st_size
    with index.open("r+b") as raw:
        raw.seek(4096)
        raw.write(b"\xee" * (size - 4096))
    reader = Reader.open(index)
    with pytest.raises(IndexFailed) as caught:
        reader.rows("f1")
    assert caught.value.fault is IndexFault.CORRUPT
    reader.close()
    store = Store(index)
    assert store.rows("f1") == [] and store.heads.chain == []
    assert store.set_aside == tmp_path / "index.broken-index"
    assert store.set_aside.stat().st_size == size
    store.put_meta("key", b"value")
    store.close()
    assert Store(index).set_aside is None


def test_what_is_no_database_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"this is no database" * 100)
    store = Store(tmp_path / "index")
    assert store.set_aside is not None and store.set_aside.read_bytes().startswith(b"this is no")
    store.close()


def test_the_wal_of_a_new_index_outlives_the_old_connections(tmp_path: Path) -> None:
    """A connection that is closed last throws its -wal away, by its name."""
    index = tmp_path / "index"
    old = Store(index)
    old.begin_life(life("a"))
    reader = Reader.open(index)
    reader.rows("x")
    with IndexTrap() as trap:
        trap.set(index, 0, IndexFault.CORRUPT)
        with pytest.raises(IndexFailed):
            reader.rows("x")
    old.give_up()
    new = Store(index)
    new.begin_life(life("a", 2))
    reader.close()
    assert (tmp_path / "index-wal").stat().st_size > 0
    new.put_meta("key", b"value")
    new.commit()
    assert Store(index).meta("key") == b"value"


@pytest.mark.parametrize(
    ("number", "fault"),
    [(errno.ENOSPC, IndexFault.FULL), (errno.EDQUOT, IndexFault.FULL), (errno.EIO, IndexFault.IO)],
)
def test_a_flush_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, fault: IndexFault
) -> None:
    store = Store(tmp_path / "index")
    store.put_meta("key", b"value")
    store.commit()

    def fails(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("leftzmq.index.flush.os.fsync", fails)
    with pytest.raises(IndexFailed) as caught:
        flush(store.file)
    assert caught.value.fault is fault
    store.close()


def test_a_mistake_of_ours_is_none(tmp_path: Path) -> None:
    store = Store(tmp_path / "index")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        store._db.execute("SELECT * FROM nowhere")
    assert store._db.fault is None
    store.close()
