"""An index of an earlier leftzmq is taken over: its tables are turned into ours, in place."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

import pytest

from leftzmq.errors import LeftError
from leftzmq.index.lefting_ledger import Lefting
from leftzmq.index.rows import Row, columns_of
from leftzmq.index.schema import SCHEMA_VERSION
from leftzmq.index.store import Store
from leftzmq.tree.entry import Entry, Kind, ScanKey
from leftzmq.tree.path import sort_key
from leftzmq.tree.plan import Staged
from tests.helpers.trees import deleted, file, life, made

TABLES: Final = {
    2: """
CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE life( ordinal INTEGER PRIMARY KEY, life BLOB NOT NULL, last INTEGER NOT NULL);
CREATE TABLE device( bit INTEGER PRIMARY KEY, key BLOB NOT NULL, life BLOB NOT NULL, head
  INTEGER NOT NULL, swept INTEGER NOT NULL);
CREATE TABLE version( id INTEGER PRIMARY KEY, path BLOB NOT NULL, kind INTEGER NOT NULL, size
  INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, exec INTEGER NOT NULL, content BLOB NOT NULL,
  depth INTEGER NOT NULL, vector BLOB NOT NULL, writer BLOB NOT NULL, stamp INTEGER NOT NULL,
  deleted INTEGER NOT NULL, holders INTEGER NOT NULL, seq INTEGER, scan BLOB);
CREATE INDEX version_path ON version(path);
CREATE UNIQUE INDEX version_seq ON version(seq) WHERE seq IS NOT NULL;
CREATE INDEX version_content ON version(content) WHERE seq IS NOT NULL AND kind = 0 AND deleted
  = 0;
CREATE TABLE list(id BLOB PRIMARY KEY, rows BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE staging( lefting TEXT PRIMARY KEY, path BLOB NOT NULL, inode INTEGER NOT NULL,
  content BLOB NOT NULL) WITHOUT ROWID;
""",
    3: """
CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE life( ordinal INTEGER PRIMARY KEY, life BLOB NOT NULL, last INTEGER NOT NULL);
CREATE TABLE device( bit INTEGER PRIMARY KEY, key BLOB NOT NULL, life BLOB NOT NULL, head
  INTEGER NOT NULL, swept INTEGER NOT NULL);
CREATE TABLE version( id INTEGER PRIMARY KEY, path BLOB NOT NULL, kind INTEGER NOT NULL, size
  INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, exec INTEGER NOT NULL, content BLOB NOT NULL,
  depth INTEGER NOT NULL, vector BLOB NOT NULL, writer BLOB NOT NULL, stamp INTEGER NOT NULL,
  deleted INTEGER NOT NULL, holders INTEGER NOT NULL, seq INTEGER, scan BLOB, noise INTEGER NOT
  NULL DEFAULT 0);
CREATE INDEX version_path ON version(path);
CREATE UNIQUE INDEX version_seq ON version(seq) WHERE seq IS NOT NULL;
CREATE INDEX version_content ON version(content) WHERE seq IS NOT NULL AND kind = 0 AND deleted
  = 0;
CREATE TABLE list(id BLOB PRIMARY KEY, rows BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE staging( lefting TEXT PRIMARY KEY, path BLOB NOT NULL, inode INTEGER NOT NULL,
  content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE held( path BLOB PRIMARY KEY, scan BLOB NOT NULL, why INTEGER NOT NULL, stamp
  INTEGER NOT NULL, writer BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS version_linked ON version(substr(scan, 26, 8)) WHERE seq IS NOT NULL
  AND deleted = 0 AND kind = 0 AND substr(scan, 35, 4) != x'01000000';
CREATE TABLE IF NOT EXISTS begun( kind INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER
  NOT NULL, exec INTEGER NOT NULL, content BLOB NOT NULL, depth INTEGER NOT NULL, vector BLOB
  NOT NULL, writer BLOB NOT NULL, stamp INTEGER NOT NULL, deleted INTEGER NOT NULL, path BLOB
  PRIMARY KEY) WITHOUT ROWID;
""",
    4: """
CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE life( ordinal INTEGER PRIMARY KEY, life BLOB NOT NULL, last INTEGER NOT NULL);
CREATE TABLE device( bit INTEGER PRIMARY KEY, key BLOB NOT NULL, life BLOB NOT NULL, head INTEGER
  NOT NULL, swept INTEGER NOT NULL);
CREATE TABLE version( id INTEGER PRIMARY KEY, path BLOB NOT NULL, kind INTEGER NOT NULL, size
  INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, exec INTEGER NOT NULL, content BLOB NOT NULL, depth
  INTEGER NOT NULL, vector BLOB NOT NULL, writer BLOB NOT NULL, stamp INTEGER NOT NULL, deleted
  INTEGER NOT NULL, holders INTEGER NOT NULL, seq INTEGER, scan BLOB, noise INTEGER NOT NULL
  DEFAULT 0);
CREATE INDEX version_path ON version(path);
CREATE UNIQUE INDEX version_seq ON version(seq) WHERE seq IS NOT NULL;
CREATE INDEX version_content ON version(content) WHERE seq IS NOT NULL AND kind = 0 AND deleted =
  0;
CREATE TABLE list(id BLOB PRIMARY KEY, rows BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE lefting( file TEXT PRIMARY KEY, target BLOB NOT NULL, inode INTEGER, content BLOB NOT
  NULL, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE held( path BLOB PRIMARY KEY, scan BLOB NOT NULL, why INTEGER NOT NULL, stamp INTEGER
  NOT NULL, writer BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX version_linked ON version(substr(scan, 26, 8)) WHERE seq IS NOT NULL AND deleted = 0
  AND kind = 0 AND substr(scan, 35, 4) != x'01000000';
CREATE TABLE begun( kind INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, exec
  INTEGER NOT NULL, content BLOB NOT NULL, depth INTEGER NOT NULL, vector BLOB NOT NULL, writer
  BLOB NOT NULL, stamp INTEGER NOT NULL, deleted INTEGER NOT NULL, path BLOB PRIMARY KEY) WITHOUT
  ROWID;
""",
}
"""schema -> its tables, as the leftzmq of that time made them."""
COLUMNS: Final = {2: 15, 3: 16, 4: 16}  # of `version`


def old_index(file: Path, schema: int, *entries: Entry) -> sqlite3.Connection:
    """An index of ours with these entries."""
    database = sqlite3.connect(file)
    database.executescript(TABLES[schema])
    database.execute(f"PRAGMA user_version = {schema}")
    database.execute("INSERT INTO life(life, last) VALUES(?, ?)", (life("a"), len(entries)))
    for number, each in enumerate(entries, 1):
        of_entry, rest = (
            columns_of(Row(each, 1, seq=number))[:11],
            columns_of(Row(each, 1, seq=number))[12:],
        )
        row = (number, *of_entry, *rest)[: COLUMNS[schema]]
        database.execute(f"INSERT INTO version VALUES({','.join('?' * len(row))})", row)
    database.commit()
    return database


def schema_of(file: Path) -> int:
    with sqlite3.connect(file) as database:
        (schema,) = database.execute("PRAGMA user_version").fetchone()
    return int(schema)


@pytest.mark.parametrize("schema", TABLES)
def test_an_index_of_a_schema_before_is_opened_and_keeps_all(tmp_path: Path, schema: int) -> None:
    """Made anew instead, it would have forgotten its tombstones."""
    dead, alive = deleted("a", made("a", file("dead"))), made("a", file("alive"))
    old_index(tmp_path / "index", schema, dead, alive).close()
    store = Store(tmp_path / "index")
    assert [change.entry for change in store.changes(0, 2, 9)] == [dead, alive]
    assert not any(row.noise for row in store.rows("alive"))
    key = ScanKey(Kind.SYMLINK, 1, 2, 3, 4, False, 1)
    store.put_withheld("alive", key, 1)
    store.commit()
    assert store.held("alive") == (key, 1, (0, b"")) and store.scan_keys(["alive"]) == {
        "alive": key
    }
    assert [scan for _, scan in store.alive_after(b"", 9)] == [key]
    assert schema_of(tmp_path / "index") == SCHEMA_VERSION


@pytest.mark.parametrize("schema", (2, 3))
def test_the_leftings_of_a_schema_before_stay_what_they_were(tmp_path: Path, schema: int) -> None:
    """Inode 0 said that it was never learned, a negative one that it was in doubt, an empty content
    that the file was to be thrown away, and the content "meant" that nobody had noted it."""
    id = b"c" * 32
    database = old_index(tmp_path / "index", schema)
    for name, inode, content in (
        ("doomed", 7, b""),
        ("doubted doomed", -8, b""),
        ("doubted", -9, id),
        ("given way to", 0, b"meant"),
        ("made", 10, id),
        ("meant", 0, id),
        ("unknown doomed", 0, b""),
    ):
        row = (f"d/{name}.lefting", sort_key(f"d/{name}"), inode, content)
        database.execute("INSERT INTO staging VALUES(?, ?, ?, ?)", row)
    database.commit()
    database.close()
    store = Store(tmp_path / "index")

    def of(name: str, inode: int | None, content: bytes, doomed: bool, doubt: bool) -> Lefting:
        staged = Staged(f"d/{name}.lefting", inode, in_doubt=doubt)
        return Lefting(f"d/{name}", staged, content, is_doomed=doomed)

    assert store.leftings.all() == [
        of("doomed", 7, b"", doomed=True, doubt=False),
        of("doubted doomed", 8, b"", doomed=True, doubt=True),
        of("doubted", 9, id, doomed=False, doubt=True),
        of("given way to", None, b"", doomed=False, doubt=False),
        of("made", 10, id, doomed=False, doubt=False),
        of("meant", None, id, doomed=False, doubt=False),
        of("unknown doomed", None, b"", doomed=True, doubt=False),
    ]
    names = [each.staged.path for each in store.leftings.all()]
    made_one = Staged("d/made.lefting", 10)
    assert store.resumable(*names) == [made_one] and store.staged_as(id) == [(made_one, "d/made")]
    meant = [Staged(f"d/{name}.lefting", None) for name in ("given way to", "meant")]
    assert store.leftings.intended(*names) == meant
    assert {each.staged.path for each in store.leftings.existing()} == {
        f"d/{name}.lefting" for name in ("doomed", "doubted doomed", "doubted", "made")
    }
    store.close()
    assert schema_of(tmp_path / "index") == SCHEMA_VERSION
    assert len(Store(tmp_path / "index").leftings.all()) == 7, "and it is opened again"


def test_an_index_of_another_version_is_not_touched(tmp_path: Path) -> None:
    Store(tmp_path / "index").close()
    with sqlite3.connect(tmp_path / "index") as database:
        database.execute("PRAGMA user_version = 1")
    with pytest.raises(LeftError, match=rf"has schema 1, .*knows {SCHEMA_VERSION}.*move it away"):
        Store(tmp_path / "index")
    assert schema_of(tmp_path / "index") == 1


def test_a_step_makes_the_tables_that_a_new_index_has(tmp_path: Path) -> None:
    for schema in TABLES:
        old_index(tmp_path / f"{schema}", schema).close()
    found = []
    for name in (*map(str, TABLES), "new"):
        store = Store(tmp_path / name)
        tables = store._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        found.append(
            {
                table: store._db.execute(f"PRAGMA table_info({table})").fetchall()
                for (table,) in tables.fetchall()
            }
        )
    assert found[0] == found[1] == found[2]
