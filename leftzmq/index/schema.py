"""The schema of the index: one SQLite file for each folder, in the state directory.

One row for each version of a path that some device holds, with a bit for each device that holds it;
bit 0 is ours. Usually that is one row for each path. The winner is the row of the highest rank.
Ours is the row with our bit. A row without bits is deleted. So sources, acknowledgements and "in
sync" need one lookup, and a winner that no device holds any more disappears by itself.

Paths are stored as tree.path.sort_key, so that the index reads in the order of a sorted walk.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from leftzmq.errors import IndexFailed, IndexFault, LeftError
from leftzmq.index.connection import Connection, disk_errors, index_failed, set_aside
from leftzmq.tree.version import PRIVATE

SCHEMA_VERSION: Final = 7
OUR_BIT: Final = 0
OURS: Final = 1 << OUR_BIT  # this device, as a set of devices
MAX_BITS: Final = 63  # SQLite integers are signed 64 bits
NOTHING_LIES: Final = 4
"""In `held`: the reason that means that nothing lies at the path."""
BUSY_TIMEOUT_MS: Final = 500
"""How long the loop waits for another program that holds a lock. No part of leftzmq waits for
another one: there is one writer, and a checkpoint prevents nobody from reading or writing."""
CHECKPOINT_BYTES: Final = 8 << 20
"""A -wal file above this size is moved into the database, because reading through a long one gets
slow. When there is nothing else to do, the file is cut to this size."""
IN_MEMORY: Final = ":memory:"  # instead of a file
BUILT_AGAIN: Final = "move it away: it is built again from the share and from the peers"

_ENTRY_OF_6: Final = """\
  kind     INTEGER NOT NULL,
  size     INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  exec     INTEGER NOT NULL,
  content  BLOB NOT NULL,
  depth    INTEGER NOT NULL,
  vector   BLOB NOT NULL,     -- 20 bytes a pair
  writer   BLOB NOT NULL,
  stamp    INTEGER NOT NULL,
  deleted  INTEGER NOT NULL,"""
ENTRY_COLUMNS: Final = (
    "path, kind, size, mtime_ns, exec, content, depth, vector, writer, stamp, deleted, permissions"
)
_ENTRY: Final = f"""\
{_ENTRY_OF_6}
  permissions BLOB,           -- the packed register (tree/permissions), if there is one"""
"""The columns of a version, without its path, as in Entry."""
_BASE: Final = """
CREATE TABLE base(            -- our versions of paths that we stopped keeping; no offers
{}
  path BLOB PRIMARY KEY,
  scan BLOB)                  -- the packed ScanKey that we knew
  WITHOUT ROWID;
"""
_NOT_KEPT: Final = """
CREATE TABLE withdrawn(       -- the paths that we stopped keeping at some time, with the sequence
  path BLOB PRIMARY KEY, seq INTEGER NOT NULL)  -- under which we said so last
  WITHOUT ROWID;
CREATE UNIQUE INDEX withdrawn_seq ON withdrawn(seq);

CREATE INDEX version_apart ON version(path) WHERE apart = 1;

CREATE TABLE rules(           -- files of ignore rules, as they were read last
  path BLOB PRIMARY KEY, scan BLOB NOT NULL, data BLOB NOT NULL) WITHOUT ROWID;
"""
PRIVATE_ROW: Final = f"writer = x'{PRIVATE.hex()}'"
"""Versions of ours that are told to nobody."""
_PRIVATE: Final = f"CREATE INDEX version_private ON version(path) WHERE {PRIVATE_ROW};"
_TABLES: Final = f"""
CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE life(            -- our own lives, oldest first; the last one is this start's
  ordinal INTEGER PRIMARY KEY,
  life    BLOB NOT NULL,      -- 12 bytes
  last    INTEGER NOT NULL);  -- the last sequence given in it

CREATE TABLE device(          -- one row a device and generation of its index
  bit     INTEGER PRIMARY KEY,
  key     BLOB NOT NULL,      -- 32 bytes
  life    BLOB NOT NULL,      -- of its index, as far as we hold it
  head    INTEGER NOT NULL,
  swept   INTEGER NOT NULL);  -- 1: an old generation: counts for nothing, waits to be swept

CREATE TABLE version(
  id       INTEGER PRIMARY KEY,
  path     BLOB NOT NULL,     -- tree.path.sort_key
{_ENTRY}
  holders  INTEGER NOT NULL,  -- bit i: the device of that bit has it
  seq      INTEGER,           -- ours: the sequence under which it entered our index
  scan     BLOB,              -- ours: the packed ScanKey, when we know one
  noise    INTEGER NOT NULL DEFAULT 0,  -- 1: its bytes were read, and look encrypted
  apart    INTEGER NOT NULL DEFAULT 0);  -- 1: this device does not keep the path

CREATE INDEX version_path ON version(path);
CREATE UNIQUE INDEX version_seq ON version(seq) WHERE seq IS NOT NULL;
CREATE INDEX version_content ON version(content)
  WHERE seq IS NOT NULL AND kind = 0 AND deleted = 0;

CREATE TABLE list(id BLOB PRIMARY KEY, rows BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE lefting(         -- the .lefting files that are ours, until they are gone
  file    TEXT PRIMARY KEY,
  target  BLOB NOT NULL,      -- its path: tree.path.sort_key
  inode   INTEGER,            -- NULL: it was never learned
  content BLOB NOT NULL,      -- of the version that it was made for; empty: not known
  state   TEXT NOT NULL)      -- index/lefting_states
  WITHOUT ROWID;

CREATE TABLE held(            -- what lies in the share instead of our version, and is not told
  path BLOB PRIMARY KEY,
  scan BLOB NOT NULL,         -- its packed ScanKey
  why  INTEGER NOT NULL,      -- sync/versions/withheld
  stamp INTEGER NOT NULL, writer BLOB NOT NULL)  -- of the version that we had
  WITHOUT ROWID;
{_BASE.format(_ENTRY)}
{_NOT_KEPT}
{_PRIVATE}"""

LINKED: Final = (
    "seq IS NOT NULL AND deleted = 0 AND kind = 0 AND substr(scan, 35, 4) != x'01000000'"
)
"""Our files that have more than one name, as far as we know: see rows.pack_scan."""
INODE: Final = "substr(scan, 26, 8)"
_BEGUN: Final = """
CREATE TABLE IF NOT EXISTS begun(  -- nobody has these versions any more, and an operation that was
                                   -- not committed may have put them here
{}
  path     BLOB PRIMARY KEY) WITHOUT ROWID;
"""
_MORE: Final = f"""
CREATE INDEX IF NOT EXISTS version_linked ON version({INODE}) WHERE {LINKED};
{_BEGUN.format(_ENTRY)}
CREATE TABLE IF NOT EXISTS put_there(  -- the same: of one path an operation of each of two lives
                                       -- may have put one here before anybody looked
{_ENTRY}
  path     BLOB NOT NULL, PRIMARY KEY(path, stamp, writer, content)) WITHOUT ROWID;
INSERT OR IGNORE INTO put_there({ENTRY_COLUMNS}) SELECT {ENTRY_COLUMNS} FROM begun;
DELETE FROM begun;
CREATE TABLE IF NOT EXISTS problem(  -- what nothing on the disk says again after a start
  path BLOB PRIMARY KEY,           -- as the disk has it
  kind TEXT NOT NULL, detail TEXT NOT NULL) WITHOUT ROWID;"""
"""These have no schema version of their own: a leftzmq that does not know them still keeps its own
tables right."""

_STEPS: Final = {
    2: """
ALTER TABLE version ADD COLUMN noise INTEGER NOT NULL DEFAULT 0;
CREATE TABLE held(path BLOB PRIMARY KEY, scan BLOB NOT NULL, why INTEGER NOT NULL,
  stamp INTEGER NOT NULL, writer BLOB NOT NULL) WITHOUT ROWID;
""",
    # Inode 0 said that it was never learned, a negative one that it was in doubt, an empty content
    # that the file was to be thrown away, and the content "meant" that nobody had noted it.
    3: """
CREATE TABLE lefting(file TEXT PRIMARY KEY, target BLOB NOT NULL, inode INTEGER,
  content BLOB NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO lefting(file, target, inode, content, state)
  SELECT lefting, path, nullif(abs(inode), 0),
    CASE content WHEN CAST('meant' AS BLOB) THEN x'' ELSE content END,
    CASE WHEN inode = 0 AND content = x'' THEN 'unknown doomed' WHEN inode = 0 THEN 'meant'
      WHEN inode < 0 AND content = x'' THEN 'doubted doomed' WHEN inode < 0 THEN 'doubted'
      WHEN content = x'' THEN 'doomed' ELSE 'made' END
  FROM staging;
DROP TABLE staging;
""",
    4: "ALTER TABLE version ADD COLUMN apart INTEGER NOT NULL DEFAULT 0;"
    + _BASE.format(_ENTRY_OF_6)
    + _NOT_KEPT,
    # A leftzmq that knows nothing of private versions would tell them.
    5: _PRIVATE,
    6: _BEGUN.format(_ENTRY_OF_6)
    + "".join(
        f"ALTER TABLE {table} ADD COLUMN permissions BLOB;"
        for table in ("version", "base", "begun")
    ),
}
"""schema -> the statements that turn it into the next one, in place. Throwing the index away
instead would forget its tombstones."""


def connect(file: Path, *, read_only: bool = False) -> Connection:
    """Opens the index; transactions are explicit. Raises IndexFailed.

    WAL without a flush at commit: a killed process loses nothing. After a power cut the file is
    consistent but may lack the last commits. What must be durable before it is announced is flushed
    by index/flush, off the loop.
    """
    mode = "ro" if read_only else "rwc"
    try:
        connection = sqlite3.connect(
            f"file:{_quoted(file)}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=BUSY_TIMEOUT_MS / 1000,
            cached_statements=256,
            # A worker may open the writing connection, and hands it over to the loop.
            check_same_thread=read_only,
            factory=Connection,
        )
    except sqlite3.OperationalError as error:
        raise index_failed(IndexFault.IO, file, str(error)) from error
    connection.file = file
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def open_index(file: Path) -> tuple[Connection, Path | None]:
    """The writing connection; makes the tables on first use. A damaged index is set aside, and a
    new one is made; the path returned says where the old one is. Raises IndexFailed, and LeftError
    where another version of leftzmq made the index."""
    aside = set_aside(file)
    try:
        return _open(file), aside
    except IndexFailed as failed:
        if failed.fault is not IndexFault.CORRUPT:
            raise
    aside = set_aside(file)
    return _open(file), aside


def _open(file: Path) -> Connection:
    connection = connect(file)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
            version = SCHEMA_VERSION
        while version in _STEPS:
            connection.executescript(
                f"BEGIN IMMEDIATE; {_STEPS[version]} PRAGMA user_version = {version + 1}; COMMIT;"
            )
            version += 1
        if version == SCHEMA_VERSION:
            connection.executescript(_MORE)
        if str(file) != IN_MEMORY:
            with disk_errors(file):
                file.chmod(0o600)
        if version != SCHEMA_VERSION:
            raise LeftError(
                f"the index has schema {version}, this leftzmq knows {SCHEMA_VERSION}",
                str(file),
                f"{BUILT_AGAIN}, or run the version of leftzmq that wrote it",
            )
        # What an earlier life committed is moved into the database, and to the disk. Where a flush
        # of the -wal failed, the kernel may count it as flushed, and a second flush would do
        # nothing.
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _quoted(file: Path) -> str:
    return str(file).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
