"""What follows from a change of mode: never a version, never a conflict."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from leftzmq.sync.facts import FoundDeleted
from leftzmq.sync.versions.local_changes import found, gone
from leftzmq.sync.versions.remote_changes import Heard
from leftzmq.tree.attributes import NO_MODE
from leftzmq.tree.entry import Entry, Observed
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.permissions import MAX_NUMBER_LEAP, ModesKept, Permissions
from tests.helpers.index_agent import Agent
from tests.helpers.trees import file, folder, life, made
from tests.helpers.version_worlds import key_of, with_mode

C = life("C")


@pytest.fixture
def a() -> Agent:
    return Agent()


def mine(a: Agent) -> Entry:
    entry = a.has("p")
    assert entry is not None
    return entry


def register(a: Agent) -> Permissions:
    said = mine(a).permissions
    assert said is not None
    return said


def sequence(a: Agent) -> int:
    return a.says()["p"].sequence


@pytest.mark.parametrize("what", [with_mode(file(), 0o644), replace(folder("p"), mode=0o755)])
def test_what_is_new_has_a_register_and_a_change_is_the_same_version(
    a: Agent, what: Observed
) -> None:
    a.scan(what)
    before, at = mine(a), sequence(a)
    assert before.permissions is not None and before.permissions.number == 1
    a.scan(replace(what, mode=0o700))
    after = mine(a)
    assert after == replace(before, permissions=Permissions(2, before.writer, 0o700))
    assert sequence(a) > at and after.rank > before.rank


def test_a_change_here_and_an_edit_elsewhere_are_both_there(a: Agent) -> None:
    a.scan(file())
    edited = made("C", file(text="edited", mtime=50), mine(a))
    a.scan(with_mode(file(), 0o600))
    a.hear("C", edited)
    ticket = a.resolver.ticket("p")
    assert ticket is not None and not ticket.copy and not ticket.attributes
    assert ticket.entry == replace(edited, permissions=register(a))
    a.resolver.take_over(ticket.entry, key_of(with_mode(file(text="edited"), 0o600)))
    assert a.resolver.ticket("p") is None and a.has("p") == ticket.entry


def test_a_change_elsewhere_and_an_edit_here_are_both_there(a: Agent) -> None:
    """Their version is below ours, and their register is above."""
    a.scan(file())
    theirs = mine(a).with_register(Permissions(2, C, 0o600))
    a.scan(file(text="edited", mtime=50))
    ours = mine(a)
    assert a.hear("C", theirs) is Heard.OPEN
    ticket = a.resolver.ticket("p")
    assert ticket is not None and ticket.attributes and not ticket.copy
    assert ticket.entry == replace(ours, permissions=theirs.permissions)


def test_what_others_set_is_a_ticket_for_the_mode_alone(a: Agent) -> None:
    a.scan(file())
    a.hear("C", mine(a).with_register(Permissions(2, C, 0o600)))
    ticket = a.resolver.ticket("p")
    assert ticket is not None and ticket.attributes and not ticket.needs_bytes
    assert ticket.entry.attributes.bits == 0o600 and a.view.counters.tickets == 1


@pytest.mark.parametrize(
    ("kept", "bits", "is_ticket"),
    [
        (ModesKept.ALL, 0o640, True),
        (ModesKept.EXEC, 0o640, False),
        (ModesKept.EXEC, 0o755, True),
        (ModesKept.NONE, 0o755, False),
    ],
)
def test_a_device_sets_what_it_keeps_and_carries_the_rest(
    a: Agent, kept: ModesKept, bits: int, is_ticket: bool
) -> None:
    a.view.author.modes = kept
    a.scan(file())
    theirs = mine(a).with_register(Permissions(2, C, bits))
    a.hear("C", theirs)
    ticket = a.resolver.ticket("p")
    assert (ticket is not None) is is_ticket
    if ticket is None:
        assert a.has("p") == theirs, "it is acknowledged"
    else:
        assert ticket.entry == theirs and ticket.attributes


@pytest.mark.parametrize("shown", [0o644, NO_MODE])
def test_what_is_told_of_a_file_without_a_register_is_set(a: Agent, shown: int) -> None:
    """Its mode here is what a new file gets, or not even known."""
    old = replace(made("C", file()), permissions=None)
    a.hear("C", old)
    a.resolver.take_over(old, replace(key_of(file()), mode=shown))
    told = old.with_register(Permissions(1, C, 0o600))
    a.hear("C", told)
    ticket = a.resolver.ticket("p")
    assert ticket is not None and ticket.attributes and ticket.entry == told


def test_what_a_disk_cannot_show_is_no_change(a: Agent) -> None:
    """What was set is 0640; the disk shows 0755, now and later."""
    a.scan(file())
    entry = mine(a).with_register(Permissions(2, C, 0o640))
    shown = with_mode(file(), 0o755)
    a.resolver.take_over(entry, key_of(shown))
    assert a.scan(shown) is None and a.has("p") == entry
    a.scan(with_mode(file(), 0o700))
    assert register(a) == Permissions(3, mine(a).writer, 0o700)


def test_what_a_crash_left_as_others_set_it_is_theirs(a: Agent) -> None:
    """The mode was set; that the index says so was lost."""
    a.scan(file())
    theirs = mine(a).with_register(Permissions(2, C, 0o600))
    a.hear("C", theirs)
    a.scan(with_mode(file(), 0o600))
    assert a.has("p") == theirs and a.resolver.ticket("p") is None


def test_a_file_that_is_made_anew_is_above_what_was_deleted(a: Agent) -> None:
    a.scan(with_mode(file(), 0o600))
    late = mine(a)
    a.scan(with_mode(file(), 0o640))
    gone(a.view, "p", 90)
    assert register(a).number == 2
    a.scan(file(text="anew", mtime=100))
    assert register(a).number == 3
    a.hear("C", late)
    assert a.resolver.ticket("p") is None and register(a).bits == 0o644


def test_a_change_saves_nothing_from_a_delete(a: Agent) -> None:
    a.scan(file())
    grave = replace(mine(a), deleted=True, size=0, mtime_ns=0, exec=False, writer=C, stamp=10**18)
    grave = replace(grave, vector=mine(a).vector.with_own(C, 1, None))
    a.scan(with_mode(file(), 0o600))
    a.hear("C", grave)
    ticket = a.resolver.ticket("p")
    assert ticket is not None and ticket.entry.deleted
    assert ticket.entry.permissions == register(a), "and the delete keeps the change"


def test_who_only_sends_says_its_own_mode_until_it_takes(a: Agent) -> None:
    """One of the others has an older version of the same bytes with a later mode, another one has
    other bytes."""
    a.scan(file())
    theirs = mine(a).with_register(Permissions(2, C, 0o600))
    a.scan(file(mtime=60))
    ours = mine(a)
    a.view.author.mode = FolderMode.SEND
    a.hear("C", theirs)
    a.hear("B", made("B", file(text="of b", mtime=50)))
    assert a.resolver.ticket("p") is None and mine(a) == ours
    a.view.author.mode = FolderMode.BOTH
    ticket = a.resolver.ticket("p")
    assert ticket is not None and ticket.entry.permissions == theirs.permissions


def test_without_a_register_a_look_tells_nothing_and_the_next_change_is_told(a: Agent) -> None:
    """As after an upgrade: the index knows no mode."""
    old = replace(made("A", file()), permissions=None)
    a.view.set_ours([], old, a.view.next_sequence(), replace(key_of(file()), mode=NO_MODE))
    at = sequence(a)
    found(a.view, file(), replace(key_of(file()), ctime_ns=1))
    assert sequence(a) == at and mine(a).permissions is None
    found(a.view, with_mode(file(), 0o600), key_of(with_mode(file(), 0o600)))
    assert sequence(a) > at and register(a).bits == 0o600


def test_a_register_from_the_end_of_all_numbers_is_not_taken(a: Agent) -> None:
    a.scan(file())
    a.hear("C", mine(a).with_register(Permissions(MAX_NUMBER_LEAP + 2, C, 0o600)))
    assert a.resolver.ticket("p") is None and register(a).number == 1
    assert a.resolver.leap("p")


def test_who_only_receives_keeps_its_change_of_a_file_to_itself(a: Agent) -> None:
    theirs = made("C", file()).with_register(Permissions(1, C, 0o644))
    a.hear("C", theirs)
    a.resolver.take_over(theirs, key_of(file()))
    a.view.author.mode = FolderMode.RECEIVE
    a.scan(with_mode(file(), 0o600))
    assert mine(a).is_private and a.says()["p"].entry is None, "it is told no more"
    assert a.resolver.ticket("p") is None


def test_who_only_receives_does_not_count_the_mode_of_a_folder(a: Agent) -> None:
    there = replace(folder("p"), mode=0o755)
    theirs = made("C", there).with_register(Permissions(1, C, 0o755))
    a.hear("C", theirs)
    a.resolver.take_over(theirs, key_of(there))
    a.view.author.mode = FolderMode.RECEIVE
    changed = replace(there, mode=0o700)
    assert a.scan(changed) is None and a.has("p") == theirs
    higher = theirs.with_register(Permissions(2, C, 0o750))
    a.hear("C", higher)
    ticket = a.resolver.ticket("p")
    assert ticket is not None and ticket.attributes and not isinstance(ticket, FoundDeleted)


def test_who_only_sends_is_above_what_others_set(a: Agent) -> None:
    a.scan(file())
    a.hear("C", mine(a).with_register(Permissions(7, C, 0o600)))
    a.view.author.mode = FolderMode.SEND
    assert a.resolver.ticket("p") is None
    a.scan(with_mode(file(), 0o640))
    assert register(a) == Permissions(8, mine(a).writer, 0o640)


def test_what_is_published_over_others_has_the_mode_that_is_here(a: Agent) -> None:
    a.scan(file())
    theirs = made("C", file(text="theirs", mtime=50)).with_register(Permissions(7, C, 0o600))
    entry, _ = a.view.author.over(mine(a), [theirs])
    assert entry.permissions == Permissions(8, entry.writer, 0o644)


def test_a_walk_writes_down_modes_that_the_index_does_not_have(a: Agent) -> None:
    old = replace(made("A", file()), permissions=None)
    a.view.set_ours([], old, a.view.next_sequence(), replace(key_of(file()), mode=NO_MODE))
    at = sequence(a)
    a.view.write_down([("p", 0o644), ("gone", 0o644)])
    assert sequence(a) == at and mine(a).permissions is None
    a.scan(with_mode(file(), 0o600))
    assert register(a) == Permissions(1, mine(a).writer, 0o600), "the first change is told"
