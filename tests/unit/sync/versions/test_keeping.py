"""What a device says of a path that it stops keeping, and of one that it keeps again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count as count_from

import pytest

from leftzmq.index.rows import ANYBODY
from leftzmq.sync.versions.index_view import KeepingChange
from leftzmq.sync.versions.local_changes import gone
from leftzmq.sync.versions.remote_changes import Heard, withdrawn
from leftzmq.tree.change import Change
from leftzmq.wire.page import cut_pages
from tests.helpers.index_agent import FOREVER, Agent
from tests.helpers.trees import S_NS, deleted, file, folder, made


@pytest.fixture
def a() -> Agent:
    return Agent()


def test_what_is_kept_no_more_is_withdrawn_once_and_is_no_delete(a: Agent) -> None:
    a.scan(file())
    first = a.says()["p"]
    assert a.keep("p", keeps=False) is KeepingChange.WITHDRAWN
    said = a.says()["p"]
    assert said.entry is None and said.withdrawn == said.sequence > first.sequence
    assert a.has("p") is None and a.view.counters.files == 0
    assert a.keep("p", keeps=False) is KeepingChange.THE_SAME, "it is said once"
    assert a.says()["p"] == said


def test_a_tombstone_stays_told(a: Agent) -> None:
    a.scan(file())
    gone(a.view, "p", 20 * S_NS)
    before = a.says()
    a.keep("p", keeps=False)
    assert a.says() == before and before["p"].entry is not None and before["p"].entry.deleted


def test_what_is_kept_is_above_the_delete_of_another_kind_that_is_not(a: Agent) -> None:
    """Else the device goes back to an older version, and is dropped for it."""
    a.scan(folder("p"))
    gone(a.view, "p", 200 * S_NS)
    told = a.has("p")
    a.view.keeps = lambda path, kind: kind.name != "DIRECTORY"
    a.view.judge_anew("p")
    a.scan(file(mtime=100))
    now = a.has("p")
    assert told is not None and told.deleted
    assert now is not None and now.rank > told.rank and told.seen_by(now)
    ours = [row for row in a.view.all_rows("p") if row.is_ours]
    assert [row.entry for row in ours] == [now] and a.view.counters.tickets == 0


def test_a_withdrawal_is_told_under_its_own_sequence_though_a_version_followed(a: Agent) -> None:
    """Who hears a page that ends between the two would take that version for an older one."""
    a.scan(file())
    a.keep("p", keeps=False)
    a.keep("p", keeps=True)
    a.scan(file(text="other", mtime=1))
    sequence = a.says()["p"].withdrawn
    assert a.store.changes(0, sequence, 99) == [Change(sequence, "p", None, sequence)]
    page = cut_pages(a.store.changes(0, FOREVER, 99), 0, FOREVER, FOREVER)[0]
    assert [each.path for each in page.entries] == [each.path for each in page.withdrawals] == ["p"]


def test_a_delete_that_ours_is_above_is_not_taken_when_ours_is_withdrawn(a: Agent) -> None:
    theirs = made("B", file("p"))
    a.hear("B", theirs)
    a.hear("B", deleted("B", theirs))
    a.scan(file(text="other", mtime=500))
    a.keep("p", keeps=False)
    assert a.resolver.ticket("p") is None
    assert a.has("p") is None and a.says()["p"].entry is None


def test_what_was_withdrawn_and_is_unchanged_is_told_again_as_it_was(a: Agent) -> None:
    a.scan(file())
    version = a.has("p")
    a.keep("p", keeps=False)
    withdrawal = a.says()["p"].sequence
    a.keep("p", keeps=True)
    a.scan(file())
    said = a.says()["p"]
    assert said.entry == version and said.withdrawn == withdrawal < said.sequence
    assert a.store.base("p") is None


def test_what_changed_meanwhile_is_a_version_above_the_base(a: Agent) -> None:
    """Story 2: its mtime is older, as after `cp -p`. By its mtime alone it would be below what was
    told before."""
    a.scan(file(mtime=100))
    before = a.has("p")
    a.keep("p", keeps=False)
    a.keep("p", keeps=True)
    a.scan(file(text="other", mtime=1))
    after = a.has("p")
    assert before is not None and after is not None
    assert after.rank > before.rank and before.seen_by(after)


def test_what_was_removed_meanwhile_is_fetched_again_and_never_deleted_elsewhere(a: Agent) -> None:
    """Story 1."""
    a.scan(file())
    theirs = a.has("p")
    assert theirs is not None
    a.hear("B", theirs)
    a.keep("p", keeps=False)
    a.keep("p", keeps=True)
    assert a.resolver.ticket("p") is None, "a look is to tell first"
    gone(a.view, "p", 20 * S_NS)
    ticket = a.resolver.ticket("p")
    assert ticket is not None and ticket.entry == theirs and ticket.held is None


def test_what_others_did_meanwhile_is_taken_over_what_was_not_changed(a: Agent) -> None:
    """Story 3."""
    a.scan(file())
    mine = a.has("p")
    assert mine is not None
    a.hear("C", mine)
    a.keep("p", keeps=False)
    version = mine
    for number, text in enumerate(("two", "three", "four"), 1):
        version = made("C", file(text=text, mtime=100 + number), version, number)
        a.hear("C", version)
    assert a.resolver.ticket("p") is None and a.view.counters.tickets == 0
    a.keep("p", keeps=True)
    a.scan(file())
    ticket = a.resolver.ticket("p")
    assert ticket is not None and ticket.entry == version and not ticket.copy


def test_a_delete_meanwhile_takes_what_was_not_changed_and_not_what_was(a: Agent) -> None:
    for path in ("p", "q"):
        a.scan(file(path))
        mine = a.has(path)
        assert mine is not None
        a.keep(path, keeps=False)
        a.hear("B", deleted("B", mine, number=5))
        a.keep(path, keeps=True)
    a.scan(file("p"))
    ticket = a.resolver.ticket("p")
    assert ticket is not None and ticket.entry.deleted
    a.scan(file("q", text="edited", mtime=15))
    assert a.resolver.ticket("q") is None
    edited = a.has("q")
    assert edited is not None and not edited.deleted


def test_a_ticket_ends_when_the_only_device_that_has_it_keeps_it_no_more(a: Agent) -> None:
    """Story 4."""
    a.hear("C", made("C", file()))
    assert a.resolver.ticket("p") is not None and a.view.counters.tickets == 1
    assert withdrawn(a.view, a.bits["C"], "p")
    assert a.resolver.ticket("p") is None and a.view.counters.tickets == 0
    assert not withdrawn(a.view, a.bits["C"], "p")


def test_a_device_may_go_back_only_after_it_withdrew(a: Agent) -> None:
    a.hear("B", made("B", file(mtime=100)))
    older = made("C", file(text="older", mtime=1))
    assert a.hear("B", older) is Heard.OLDER
    assert a.hear("B", older, anew=True) is Heard.OPEN
    ticket = a.resolver.ticket("p")
    assert ticket is not None and ticket.entry == older


def test_what_is_heard_of_a_path_that_is_not_kept_waits_for_nobody(a: Agent) -> None:
    a.away.add("p")
    assert a.hear("B", made("B", file())) is Heard.SAME
    assert a.view.counters.tickets == 0 and a.view.peer_counts.coming(1 << a.bits["B"]).paths == 0
    assert a.store.coming("", 9) == (0, 0, ())
    assert a.resolver.ticket("p") is None
    assert a.keep("p", keeps=True) is KeepingChange.KEPT
    assert a.resolver.ticket("p") is not None
    assert a.view.counters.tickets == 1 and a.store.coming("", 9)[0] == 1


@pytest.mark.parametrize("has_older", [False, True])
def test_a_ticket_ends_when_what_comes_in_its_place_is_not_kept(a: Agent, has_older: bool) -> None:
    """A folder of a name that only folders are ignored by: the path is to be considered again."""
    if has_older:
        a.scan(file())
    a.view.keeps = lambda path, kind: kind.name != "DIRECTORY"
    first = made("B", file(text="other", mtime=100))
    assert a.hear("B", first) is Heard.OPEN and a.resolver.ticket("p") is not None
    assert a.hear("B", made("B", folder("p"), first)) is Heard.OPEN
    assert a.resolver.ticket("p") is None
    assert a.hear("C", made("C", folder("p"), first)) is Heard.SAME, "nothing was wanted"


def test_a_ticket_ends_when_its_device_withdrew_it_and_has_what_we_have(a: Agent) -> None:
    a.scan(file())
    ours = a.has("p")
    assert ours is not None
    assert a.hear("B", made("B", file(text="other", mtime=100))) is Heard.OPEN
    assert a.hear("B", ours, anew=True) is Heard.OPEN
    assert a.resolver.ticket("p") is None
    assert a.hear("C", ours) is Heard.SAME


def test_a_base_of_a_kind_that_is_not_kept_keeps_no_ticket_waiting(a: Agent) -> None:
    """The look that would tell what became of it does not come while it is ignored."""
    a.scan(folder("p"))
    a.view.keeps = lambda path, kind: kind.name != "DIRECTORY"
    a.view.judge_anew("p")
    assert a.view.base("p") is not None
    a.hear("B", made("B", file("p")))
    ticket = a.resolver.ticket("p")
    assert ticket is not None and ticket.ours is None
    a.view.keeps = lambda path, kind: True
    a.view.judge_anew("p")
    assert a.resolver.ticket("p") is None, "now a look tells"


def test_a_base_of_a_kind_that_is_not_kept_keeps_no_delete_waiting(a: Agent) -> None:
    a.scan(folder("p"))
    a.view.keeps = lambda path, kind: kind.name != "DIRECTORY"
    a.view.judge_anew("p")
    theirs = made("B", file("p"))
    a.hear("B", theirs)
    a.hear("B", deleted("B", theirs))
    assert a.view.counters.tickets == 1
    assert a.resolver.ticket("p") is None and a.view.counters.tickets == 0


def test_only_the_kind_that_is_not_kept_is_withdrawn(a: Agent) -> None:
    a.scan(folder("x"))
    a.scan(file("x/y"))
    a.view.keeps = lambda path, kind: kind.name != "DIRECTORY"
    assert a.view.judge_anew("x") is KeepingChange.WITHDRAWN
    assert a.view.judge_anew("x/y") is KeepingChange.THE_SAME
    assert a.has("x/y") is not None


@pytest.mark.parametrize("count", ["counters", "peer_counts"])
def test_the_counts_are_those_of_a_new_count(a: Agent, count: str) -> None:
    from leftzmq.sync.versions.counters import Recount
    from leftzmq.tree.accepted import NOTHING

    moments = count_from(1)

    def step(deed: Callable[[], object]) -> None:
        a.view.now_is(100.0 * next(moments))
        deed()
        whole = Recount.whole(a.store, NOTHING, times=a.view.times)
        if count == "counters":
            assert a.view.counters == whole.counters
        else:
            now, fresh = a.view.peer_counts, whole.peer_counts
            for mask in (0, *(1 << bit for bit in a.bits.values())):
                assert now.lacking(mask) == fresh.lacking(mask)
                assert now.coming(mask) == fresh.coming(mask)
                assert now.oldest_lacking(mask) == fresh.oldest_lacking(mask)
            assert now.oldest_coming() == fresh.oldest_coming()
            assert (now.oldest_coming() is None) is (now.coming(ANYBODY).paths == 0)

    step(lambda: a.scan(file()))
    step(lambda: a.hear("B", made("B", file(text="theirs", mtime=50))))
    step(lambda: a.keep("p", keeps=False))
    step(lambda: a.hear("C", made("C", file(text="more", mtime=70))))
    step(lambda: a.keep("p", keeps=True))
    step(lambda: a.scan(file()))
    step(lambda: withdrawn(a.view, a.bits["B"], "p"))


@pytest.mark.parametrize("heard_first", [True, False])
def test_what_is_kept_is_told_above_the_delete_of_another_kind(a: Agent, heard_first: bool) -> None:
    """Those who hold that delete wait for it: they do not take what is below it."""
    a.view.keeps = lambda path, kind: kind.name != "DIRECTORY"
    theirs = made("B", folder("p"))
    grave = deleted("B", theirs, now=500)
    if heard_first:
        a.hear("B", grave)
        assert a.resolver.ticket("p") is None and a.view.counters.tickets == 0
    a.scan(file(mtime=100))
    if not heard_first:
        a.hear("B", grave)
    assert a.resolver.ticket("p") is None
    now = a.has("p")
    assert now is not None and not now.deleted and now.rank > grave.rank
    assert a.view.counters.tickets == 0
