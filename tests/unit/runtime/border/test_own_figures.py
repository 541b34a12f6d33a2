"""What the agent knows of itself: each figure is that of the part that counts it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from leftzmq import __version__
from leftzmq.index.store import Store
from leftzmq.runtime.border.own_figures import OwnFigures
from leftzmq.sync.jobs import CutSlice, Flush, Look
from leftzmq.transport.platform import descriptors, open_descriptors
from leftzmq.tree.version import Life


def figures_of(folders: Any = (), **more: Any) -> OwnFigures:
    loop: Any = SimpleNamespace(turns=3, longest_turn_s=0.5)
    workers: Any = SimpleNamespace(busy_s={Look: 1.5, CutSlice: 2.0, Flush: 100.0})
    bus: Any = SimpleNamespace(strangers_refused=4)
    return OwnFigures(7.0, loop, workers, bus, {each.id: each for each in folders}, **more)


def test_figures_are_those_of_the_parts() -> None:
    found = figures_of(count_open=lambda: None).now()
    assert (found.version, found.began, found.turns, found.longest_turn_s) == (
        *(__version__, 7.0, 3),
        0.5,
    )
    assert (found.hash_s, found.strangers_refused, found.open_descriptors) == (3.5, 4, None)
    assert found.max_descriptors == descriptors() and found.index_bytes == {}


def test_a_file_more_is_a_descriptor_more(tmp_path: Path) -> None:
    before = open_descriptors()
    assert before is not None and before > 2
    with (tmp_path / "file").open("w"):
        assert figures_of().now().open_descriptors == before + 1
    assert open_descriptors() == before


def test_the_files_of_an_index_and_nothing_of_one_that_is_not_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "index.db")
    store.begin_life(Life(b"l" * 12))
    here: Any = SimpleNamespace(id="here", store=store)
    nowhere: Any = SimpleNamespace(id="nowhere", store=Store.empty())
    found = figures_of([here, nowhere]).now().index_bytes
    assert found == {
        "here": (
            (tmp_path / "index.db").stat().st_size,
            (tmp_path / "index.db-wal").stat().st_size,
        )
    }
    assert min(found["here"]) > 0
    store.close()
