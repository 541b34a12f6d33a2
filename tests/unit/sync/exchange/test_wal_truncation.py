"""The log of an index that had much to write gets short again, in small steps, by itself."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.index import flush as flushing
from leftzmq.index import store as storing
from leftzmq.index.flush import flush
from leftzmq.index.store import Store
from leftzmq.sync.exchange import wal_truncation
from leftzmq.sync.exchange.wal_truncation import BETWEEN_MAX_S, BETWEEN_S, QUIET_S, WalTruncation
from leftzmq.tree.version import make_life

SHORT_BYTES = 200_000
CUT_BYTES = 100_000
LONG_BYTES = 1_000_000


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for module in (flushing, storing, wal_truncation):
        monkeypatch.setattr(module, "CHECKPOINT_BYTES", SHORT_BYTES)
    monkeypatch.setattr(storing, "CUT_BYTES", CUT_BYTES)
    store = Store(tmp_path / "index.db")
    store.begin_life(make_life(bytes(4), 1_800_000_000, bytes(4)))
    yield store
    store.close()


def make_long(store: Store) -> None:
    """As a rush does: no checkpoint comes to its end meanwhile."""
    while store.log_length < LONG_BYTES:
        store.put_meta("rush", os.urandom(20_000))
        store.commit()


def turn(store: Store, length: WalTruncation, now: float) -> int:
    """What the loop and a worker do at `now`; how much shorter the log got."""
    before = store.log_length
    length.on_time_passed(now)
    store.commit()
    flush(store.file)
    return before - store.log_length


def test_it_is_cut_in_small_steps_when_nothing_is_written(store: Store) -> None:
    length, now = WalTruncation(store), 100.0
    make_long(store)
    flush(store.file)
    assert turn(store, length, now) == 0, "it was written a moment ago"
    assert length.deadline() == now + QUIET_S
    now += QUIET_S
    steps = []
    while (deadline := length.deadline()) is not None:
        assert deadline <= now + BETWEEN_S
        now = max(now, deadline)
        steps.append(turn(store, length, now))
        assert len(steps) < 50
    assert store.log_length <= SHORT_BYTES
    assert max(steps) <= CUT_BYTES and sum(steps) >= LONG_BYTES - SHORT_BYTES
    commits = store.commits
    length.on_time_passed(now + 1000.0)
    store.commit()
    assert store.commits == commits, "what is short is let alone"


def test_who_writes_on_is_not_interrupted(store: Store) -> None:
    length = WalTruncation(store)
    make_long(store)
    flush(store.file)
    for at in range(20):
        store.put_meta("edit", b"%d" % at)
        store.commit()
        before = store.commits
        length.on_time_passed(at * QUIET_S / 2)
        store.commit()
        assert store.commits == before


def test_where_somebody_goes_on_reading_it_is_tried_ever_more_rarely(store: Store) -> None:
    length, now = WalTruncation(store), 100.0
    make_long(store)
    reader = sqlite3.connect(store.file, isolation_level=None)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM meta").fetchone()
        commits = store.commits
        while now < 10_000.0:
            turn(store, length, now)
            deadline = length.deadline()
            assert deadline is not None and deadline <= now + BETWEEN_MAX_S
            now = deadline
        assert store.commits - commits < 200
    finally:
        reader.close()
    for _ in range(50):
        turn(store, length, now)
        now = length.deadline() or now
    assert store.log_length <= SHORT_BYTES
