"""sync/versions/remote_changes and versions by themselves: what follows from what a device has and
hears."""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.index.store import Store
from leftzmq.sync.facts import FoundDeleted
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.local_changes import gone
from leftzmq.sync.versions.remote_changes import Heard, heard
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.tree.conflict import conflict_path
from leftzmq.tree.entry import Entry, Kind, Observed, ScanKey
from tests.helpers.trees import S_NS, deleted, file, folder, life, link, made

OTHER = b"other device".ljust(32, b".")


def test_a_device_that_goes_back_is_not_believed(tmp_path: Path) -> None:
    store = Store(tmp_path / "index")
    store.begin_life(life("a"))
    index_view, head = IndexView(store), store.heads.place(OTHER)
    assert head is not None
    older = made("b", file(text="older"))
    newer = made("b", file(text="newer"), older, 2)
    assert heard(index_view, head.bit, newer) is Heard.OPEN
    assert heard(index_view, head.bit, older) is Heard.OLDER
    assert [row.entry for row in index_view.rows("p")] == [newer]


@pytest.mark.parametrize("found", [folder(), file()])
def test_before_the_first_walk_no_folder_is_deleted(tmp_path: Path, found: Observed) -> None:
    """What lay below it may be gone without our index having known it; who hears from us that the
    folder went, and not yet that its children did, would keep it."""
    store = Store(tmp_path / "index")
    store.begin_life(life("a"))
    index_view, theirs = IndexView(store), made("b", found)
    resolver = Resolver(index_view)
    resolver.take_over(theirs, ScanKey(found.kind, found.size, found.mtime_ns, 0, 1, False, 1))
    head = store.heads.place(OTHER)
    assert head is not None
    index_view.reach |= head.mask
    assert heard(index_view, head.bit, deleted("b", theirs)) is Heard.OPEN
    assert (resolver.ticket("p") is None) == (found == folder())
    index_view.walked = True
    ticket = resolver.ticket("p")
    assert ticket is not None and ticket.entry.deleted


@pytest.mark.parametrize("text", ["the copy", "another copy, or a user's file"])
def test_the_name_of_a_copy_was_deleted(tmp_path: Path, text: str) -> None:
    """Only with just its bytes is the copy itself what was deleted; nobody saw another one."""
    store = Store(tmp_path / "index")
    store.begin_life(life("a"))
    index_view = IndexView(store)
    resolver = Resolver(index_view)
    loser = made("b", file("p", "the copy"))
    path = conflict_path(loser)
    grave = deleted("c", made("c", file(path, text)), now=30)
    resolver.take_over(grave, None)
    assert resolver.copy_path(loser, 4) == (None if text == "the copy" else path)
    key = ScanKey(Kind.FILE, loser.size, 10 * S_NS, 0, 1, False, 1)
    again = resolver.take_copy(loser, path, key)
    ours = index_view.ours(path)
    assert ours is not None
    if text == "the copy":
        assert isinstance(again, FoundDeleted) and ours.entry == grave
        return
    assert again is None and not ours.entry.deleted
    assert ours.entry.content == loser.content and ours.entry.rank > grave.rank
    assert ours.scan == key


class Device:
    """One device's rules over an index in `folder`, and what it has of p."""

    def __init__(self, folder: Path, name: str) -> None:
        store = Store(folder / name)
        store.begin_life(life(name))
        self.index_view = IndexView(store)
        self.resolver = Resolver(self.index_view)
        self.index_view.walked = True

    def hear(self, other: str, entry: Entry) -> None:
        """`other`, which can be reached, has it; what is to be done is done."""
        head = self.index_view.store.heads.place(other.encode() * 32)
        assert head is not None
        self.index_view.reach |= head.mask
        heard(self.index_view, head.bit, entry)
        while (ticket := self.resolver.ticket("p")) is not None:
            self.resolver.take_over(ticket.entry, None)

    @property
    def ours(self) -> Entry:
        row = self.index_view.ours("p")
        assert row is not None
        return row.entry


LINK = made("b", link())
LINK_GONE = deleted("b", LINK, 2, now=20)
FOLDER_GONE = deleted("d", made("d", folder(), None, 1), 2, now=30)


@pytest.mark.parametrize(
    "told",
    [
        [("b", LINK), ("b", LINK_GONE), ("d", FOLDER_GONE)],
        [("b", LINK_GONE), ("d", FOLDER_GONE)],
        [("d", FOLDER_GONE), ("b", LINK_GONE)],
    ],
    ids=["what it had", "what it never had", "what it never had, the higher one first"],
)
def test_who_knows_two_deletes_tells_the_higher_as_having_seen_what_both_had(
    tmp_path: Path, told: list[tuple[str, Entry]]
) -> None:
    """A stands between B, which made a link and deleted it, D, which deleted a folder at the same
    path, and C, which heard of the link and of no delete: what C has must not be told again."""
    a, c = Device(tmp_path, "a"), Device(tmp_path, "c")
    c.hear("a", LINK)
    for other, entry in told:
        a.hear(other, entry)
    assert a.ours.rank == FOLDER_GONE.rank
    c.hear("a", a.ours)
    assert c.ours.deleted


def test_a_delete_of_ours_has_seen_what_other_deletes_had(tmp_path: Path) -> None:
    """The folder is ours, and was published again above the delete of a link that lay there."""
    d, c = Device(tmp_path, "d"), Device(tmp_path, "c")
    c.hear("d", LINK)
    d.resolver.take_over(made("d", folder(), None, 1), None)
    d.hear("b", LINK_GONE)
    assert not d.ours.deleted
    tombstone = gone(d.index_view, "p", 0)
    assert tombstone is not None and d.ours == tombstone
    c.hear("d", tombstone)
    assert c.ours.deleted


def test_a_write_that_no_delete_had_seen_stays(tmp_path: Path) -> None:
    a, c = Device(tmp_path, "a"), Device(tmp_path, "c")
    c.hear("a", LINK)
    c.resolver.take_over(made("c", link(target="elsewhere", mtime=11), LINK, 7), None)
    a.hear("b", LINK_GONE)
    a.hear("d", FOLDER_GONE)
    c.hear("a", a.ours)
    assert not c.ours.deleted and c.ours.content == b"elsewhere"
    a.hear("c", c.ours)
    assert a.ours == c.ours
