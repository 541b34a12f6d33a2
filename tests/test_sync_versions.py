"""sync/heard and versions by themselves: what follows from what a device has and hears."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import deleted, file, folder, life, link, made

from leftzmq.index.store import Store
from leftzmq.sync.heard import Heard, heard
from leftzmq.sync.indexes import Indexes
from leftzmq.sync.versions import Versions
from leftzmq.tree.conflict import conflict_copy, conflict_path
from leftzmq.tree.entry import Kind, Observed, ScanKey

OTHER = b"other device".ljust(32, b".")


def test_a_device_that_goes_back_is_not_believed(tmp_path: Path) -> None:
    store = Store(tmp_path / "index")
    store.begin_life(life("a"))
    indexes, head = Indexes(store), store.heads.place(OTHER)
    assert head is not None
    older = made("b", file(text="older"))
    newer = made("b", file(text="newer"), older, 2)
    assert heard(indexes, head.bit, newer) is Heard.OPEN
    assert heard(indexes, head.bit, older) is Heard.OLDER
    assert [row.entry for row in indexes.rows("p")] == [newer]


@pytest.mark.parametrize("found", [folder(), file()])
def test_before_the_first_walk_no_folder_is_deleted(tmp_path: Path, found: Observed) -> None:
    """What lay below it may be gone without our index having known it; who hears from us that the
    folder went, and not yet that its children did, would keep it."""
    store = Store(tmp_path / "index")
    store.begin_life(life("a"))
    indexes, theirs = Indexes(store), made("b", found)
    versions = Versions(indexes)
    versions.take(theirs, ScanKey(found.kind, found.size, found.mtime_ns, 0, 1, False, 1))
    head = store.heads.place(OTHER)
    assert head is not None
    indexes.reach |= head.mask
    assert heard(indexes, head.bit, deleted("b", theirs)) is Heard.OPEN
    assert (versions.ticket("p") is None) == (found == folder())
    versions.walked = True
    ticket = versions.ticket("p")
    assert ticket is not None and ticket.entry.deleted


@pytest.mark.parametrize("same", [True, False])
def test_a_copy_that_gets_the_name_of_another_one_that_was_deleted_stays(
    tmp_path: Path, same: bool
) -> None:
    """Names of copies of links have the first bytes of the target in them: most are alike."""
    store = Store(tmp_path / "index")
    store.begin_life(life("a"))
    indexes = Indexes(store)
    versions = Versions(indexes)
    key = ScanKey(Kind.SYMLINK, 0, 0, 0, 1, False, 1)
    first = made("a", link(target="/outside/1"))
    second = first if same else made("a", link(target="/outside/2"), first, 8)
    path = conflict_path(first)
    assert conflict_path(second) == path
    grave = deleted("b", conflict_copy(first, path), 3)  # the clock of B is ahead
    versions.take(grave, None)
    found = versions.take_copy(second, path, key)
    ours = indexes.ours(path)
    assert ours is not None and (found is not None) == ours.entry.deleted == same
    if not same:
        assert ours.entry.content == second.content and ours.entry.rank > grave.rank
        assert ours.seq is not None, "it is told"
