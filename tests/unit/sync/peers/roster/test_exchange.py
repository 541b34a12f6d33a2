"""Rosters travel between nodes: who is let in by one is known to all, and who is removed gets
nothing any more.

The nodes are joined by the mesh, on real shares; their rosters are kept in memory.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.errors import LeftError, RosterError, StopCause
from leftzmq.pairing.roster_store import Kept
from leftzmq.sync.facts import (
    FolderAdded,
    FolderStopped,
    LinkClosed,
    LinkOpened,
    OurAddressesFound,
    RosterArrived,
    RosterGrew,
)
from leftzmq.sync.link import Link, Way
from leftzmq.sync.peers.roster.exchange import ANSWERED_AGAIN_S
from leftzmq.sync.peers.roster.making import Newcomer
from leftzmq.wire.messages import Chunks, Hello, IndexPage, IndexSince, Message, RosterPart, Welcome
from leftzmq.wire.roster_part import RosterSaid
from tests.helpers.members import Members
from tests.sim.node import FOLDER


@pytest.fixture
def mesh(tmp_path: Path) -> Members:
    return Members(tmp_path)


@pytest.fixture
def three(mesh: Members) -> Members:
    """Three that paired by their configs, and whose folder has a roster since A invited."""
    mesh.start("ABC")
    mesh["A"].rosters.found(FOLDER)
    mesh["A"].take(RosterGrew(FOLDER))
    mesh.settle()
    return mesh


def test_without_an_invitation_there_is_no_roster_and_nothing_is_said_of_one(mesh: Members) -> None:
    mesh.start("ABC")
    assert not any(isinstance(it, RosterPart) for name in "ABC" for it in mesh[name].sent)
    assert all(not mesh.roster(name).pins for name in "ABC")
    assert mesh.shares_with("A") == "BC"


def test_those_who_were_paired_before_are_members_of_one_roster(three: Members) -> None:
    assert [three.live(name) for name in "ABC"] == ["ABC"] * 3
    assert len({three.roster(name).digest() for name in "ABC"}) == 1


def test_what_one_says_is_heard_by_all_at_once(three: Members) -> None:
    for name in "ABC":
        three[name].take(OurAddressesFound((f"tcp://192.168.1.{ord(name)}:7700",)))
    three.settle(0.2)
    for name in "ABC":
        members = {one.name: one.endpoints for one in three[name].exchange.members()}
        assert members == {
            other: (f"tcp://192.168.1.{ord(other)}:7700",) for other in "ABC" if other != name
        }
    assert len({three.roster(name).digest() for name in "ABC"}) == 1


def test_who_was_away_hears_it_at_the_next_greeting(three: Members) -> None:
    three["C"].kill()
    three.settle()
    three["A"].take(OurAddressesFound(("tcp://10.0.0.1:7700",)))
    three.settle()
    assert three.roster("A").digest() != three.roster("C").digest()
    three["C"].start()
    three.settle()
    assert len({three.roster(name).digest() for name in "ABC"}) == 1


def test_what_overtakes_the_greeting_is_said_again(tmp_path: Path) -> None:
    """It comes over the other link, which counted as broken with the one that did break."""
    mesh = Members(tmp_path, "AB")
    mesh.begins("AB")
    a, b = mesh["A"], mesh["B"]
    a.take(LinkClosed(Link(b.key, Way.DIALED), "gone"))
    a.take(OurAddressesFound(("tcp://10.0.0.1:7700",)))
    mesh.settle(0.1)
    mesh.delays = lambda to, message: to == "A" and isinstance(message, Welcome)
    a.take(LinkOpened(Link(b.key, Way.DIALED)))
    mesh.settle(0.1)
    mesh.release()
    mesh.settle()
    assert mesh.roster("A").digest() == mesh.roster("B").digest()
    assert not a.folder.first_reading.is_reading(b.key)


def test_who_hears_more_than_it_has_learns_of_the_rest_too(tmp_path: Path) -> None:
    """One device says its digest, and what it has on top of the other's was lost."""
    mesh = Members(tmp_path, "AB")
    mesh.begins("AB")
    a, b = mesh["A"], mesh["B"]
    mesh.loses = lambda to, message: isinstance(message, RosterPart)
    for device, port in ((a, 1), (b, 2)):
        device.take(OurAddressesFound((f"tcp://10.0.0.1:{port}",)))
    mesh.settle()
    mesh.loses = lambda to, message: False
    assert mesh.roster("A").digest() != mesh.roster("B").digest()
    link = Link(b.key, Way.DIALED)
    b.take(RosterArrived(Link(a.key, Way.CAME), FOLDER, RosterSaid(mesh.roster("A").digest())))
    mesh.settle()
    assert mesh.roster("A").digest() == mesh.roster("B").digest()
    for _ in range(2):  # what one of the two may not take keeps them apart
        mesh.settle(ANSWERED_AGAIN_S + 1)
        a.sent.clear()
        for _ in range(9):
            a.take(RosterArrived(link, FOLDER, RosterSaid(bytes(16))))
        mesh.settle(0.1)
        assert len([each for each in a.sent if isinstance(each, RosterPart)]) == 2, (
            "all, and digest"
        )


def test_a_roster_is_kept_across_a_start(three: Members) -> None:
    before = three.roster("B").digest()
    three["B"].kill()
    three.settle()
    three["B"].start()
    assert three.roster("B").digest() == before
    assert three.live("B") == "ABC"


def test_a_removed_device_gets_nothing_from_anybody_any_more(three: Members) -> None:
    three.removes("A", "C")
    assert [three.live(name) for name in "AB"] == ["AB", "AB"]
    assert (three.shares_with("A"), three.shares_with("B")) == ("B", "A")
    three["A"].sent.clear()
    three["B"].sent.clear()
    three["A"].write("secret", b"not for C")
    three.scan_all()
    three.settle()
    assert three["B"].tree() == three["A"].tree()
    assert "secret" not in three["C"].tree()
    assert "C was removed from the folder by A" in three.said("B")


def test_the_removed_device_reads_who_did_it_and_its_folder_stops(three: Members) -> None:
    three.removes("B", "C")
    assert three["C"].folder.stopped is not None
    assert three["C"].folder.stopped.cause is StopCause.PUT_OUT
    assert three["C"].folder.stopped.why.startswith("B removed this device from the folder")


def test_who_joined_a_moment_ago_and_heard_nothing_reads_that_it_is_out(tmp_path: Path) -> None:
    """It knows where the roster begins, and not even its own admission."""
    mesh = Members(tmp_path, "ABC")
    mesh.start("AB")
    mesh.invites("A", "C")
    mesh.loses = lambda to, message: to == "C" and isinstance(message, RosterPart)
    mesh.start("C")
    mesh.loses = lambda to, message: False
    mesh.removes("B", "C")
    stopped = mesh["C"].folder.stopped
    assert stopped is not None and stopped.cause is StopCause.PUT_OUT


@pytest.mark.parametrize("begun", ["B", "AB"], ids=["no roster", "a roster of its own"])
def test_who_never_heard_the_roster_reads_that_it_is_out(mesh: Members, begun: str) -> None:
    """It does not know by whose word its remover is in."""
    mesh.start("AB")
    mesh.loses = lambda to, message: isinstance(message, RosterPart)
    for name in begun:
        mesh[name].rosters.found(FOLDER)
        mesh[name].take(RosterGrew(FOLDER))
    mesh.settle()
    mesh.loses = lambda to, message: False
    mesh.removes("B", "A")
    stopped = mesh["A"].folder.stopped
    assert stopped is not None and stopped.cause is StopCause.PUT_OUT


def cut_off_c(three: Members) -> None:
    for name in "AB":
        three[name].take(LinkClosed(Link(three["C"].key, Way.DIALED), "gone"))
        three["C"].take(LinkClosed(Link(three[name].key, Way.DIALED), "gone"))
    three.settle()


def test_it_greets_again_and_is_still_out(three: Members) -> None:
    three.removes("A", "C")
    cut_off_c(three)
    for name in "AB":
        three[name].take(LinkOpened(Link(three["C"].key, Way.DIALED)))
        three["C"].take(LinkOpened(Link(three[name].key, Way.DIALED)))
    three.settle()
    assert (three.shares_with("A"), three.shares_with("B")) == ("B", "A")


def test_only_a_new_invitation_brings_it_back_and_its_folder_goes_on(three: Members) -> None:
    known = three["A"].rosters.folders[FOLDER].last_number
    three.removes("A", "C")
    again = Newcomer(three["C"].key, "C")
    with pytest.raises(RosterError, match="removed after the invitation"):
        three["A"].rosters.let_in(FOLDER, again, known)
    three.invites("A", "C")
    assert [three.live(name) for name in "AB"] == ["ABC", "ABC"]
    for name in "AB":  # it is listed again, and connects
        three[name].take(LinkOpened(Link(three["C"].key, Way.DIALED)))
        three["C"].take(LinkOpened(Link(three[name].key, Way.DIALED)))
    three.settle()
    assert three.live("C") == "ABC"
    three["A"].write("again", b"for C, too")
    three.scan_all()
    three.settle()
    assert three["C"].folder.stopped is None
    assert three["C"].tree() == three["A"].tree()


def test_who_stayed_connected_hears_at_once_that_it_is_let_in_again(three: Members) -> None:
    """As a device of peer.toml does: its links do not end with its removal."""
    three.removes("A", "C")
    three.invites("A", "C")
    assert three.live("C") == "ABC"
    three["A"].write("again", b"for C, too")
    three.scan_all()
    three.settle()
    assert three["C"].tree() == three["A"].tree()


def test_who_is_let_in_again_while_it_is_greeted_hears_of_it(three: Members) -> None:
    """The greeting that is on its way was made when it was out: it says nothing of the folder."""
    three.removes("A", "C")
    cut_off_c(three)
    three.delays = lambda to, message: isinstance(message, Hello)
    three["A"].take(LinkOpened(Link(three["C"].key, Way.DIALED)))
    three.settle()
    assert three.delayed and three["C"].key not in three["A"].agents.connected()
    three.invites("A", "C")
    three.release()
    three.settle()
    assert three.live("C") == "ABC"


def test_who_is_removed_as_another_is_let_in_again_is_asked_for_nothing(tmp_path: Path) -> None:
    """One word brings both. Who is in again is greeted anew, as are all others, but for the one
    that is out: it stays connected, as a device of peer.toml does."""
    mesh = Members(tmp_path, "ABCD")
    mesh.begins("ABCD")
    mesh.removes("A", "C")
    a, again = mesh["A"], Newcomer(mesh["C"].key, "C")
    a.rosters.let_in(FOLDER, again, a.rosters.folders[FOLDER].last_number)
    a.rosters.remove(FOLDER, mesh["D"].key, False)
    mesh.sent.clear()
    a.take(RosterGrew(FOLDER))
    mesh.settle()
    for name in "AB":
        assert mesh.live(name) == "ABC" and "D" not in mesh.shares_with(name)
    asked = {(each.sender, each.to) for each in mesh.sent if isinstance(each.message, IndexSince)}
    assert ("A", "C") in asked and not asked & {("A", "D"), ("B", "D")}


def test_who_is_removed_once_more_before_its_folder_goes_on_stays_stopped(three: Members) -> None:
    """It is in again, and its folder waits for the last of its jobs; then another member removes
    it, and keeps whom it had let in: A's word may hang on that."""
    c = three["C"]
    three.removes("A", "C")
    c.node.reopening.job_begins(FOLDER)
    three.invites("A", "C")
    assert three.live("C") == "ABC" and c.folder.stopped is not None
    three.removes("B", "C", keep_invited=True)
    assert three.live("C") == "AB"
    c.node.reopening.job_ended(FOLDER)
    three.settle()
    stopped = c.folder.stopped
    assert stopped is not None and stopped.why.startswith("B removed this device from the folder")
    three.invites("A", "C")
    assert three.live("C") == "ABC" and c.folder.stopped is None


def test_the_removal_reaches_one_who_was_away_from_any_member(three: Members) -> None:
    three["B"].kill()
    three.settle()
    three.removes("A", "C")
    three["B"].start()
    three.settle()
    assert three.live("B") == "AB"
    assert three.shares_with("B") == "A"


def test_those_whom_the_removed_one_let_in_stay_or_go_as_the_user_says(tmp_path: Path) -> None:
    for keep in (True, False):
        mesh = Members(tmp_path / str(keep))
        mesh.start("AB")
        mesh["A"].rosters.found(FOLDER)
        mesh["A"].take(RosterGrew(FOLDER))
        mesh.settle()
        mesh.invites("B", "C")
        assert mesh["A"].rosters.let_in_by(mesh["B"].key) == {FOLDER: ["C"]}
        mesh.removes("A", "B", keep)
        assert mesh.live("A") == ("AC" if keep else "A")


def test_who_was_let_in_again_by_the_removed_one_goes_with_it(tmp_path: Path) -> None:
    mesh = Members(tmp_path, "ABCD")
    mesh.begins("ABCD")
    mesh.removes("A", "D")
    mesh.invites("C", "D")
    assert mesh.shares_with("B") == "ACD"
    mesh.removes("A", "C")
    assert mesh.live("A") == mesh.live("B") == "AB"
    assert mesh.shares_with("A") == "B" and mesh.shares_with("B") == "A"
    for name in "CD":
        stopped = mesh[name].folder.stopped
        assert stopped is not None and stopped.cause is StopCause.PUT_OUT
    mesh["D"].write("late", b"d")
    mesh["A"].write("later", b"a")
    mesh.scan_all()
    mesh.settle()
    assert "late" not in mesh["B"].tree() and "later" not in mesh["D"].tree()


@pytest.mark.parametrize("keep", [True, False])
def test_who_removes_its_own_inviter_stays_itself(tmp_path: Path, keep: bool) -> None:
    mesh = Members(tmp_path, "AB")
    mesh.start("A")
    mesh.invites("A", "B")
    mesh.start("B")
    mesh.removes("B", "A", keep)
    assert mesh.live("B") == "B"


def test_who_was_let_in_to_read_is_not_vouched_for_as_one_who_may_write(mesh: Members) -> None:
    mesh.start("AB")
    mesh["B"].exchange._may_found = lambda device: False  # B's user let it in, and wrote nobody
    a = mesh["A"]
    a.rosters.found(FOLDER)
    who = Newcomer(mesh["C"].key, "C", "read")
    a.rosters.let_in(FOLDER, who, a.rosters.folders[FOLDER].last_number)
    a.take(RosterGrew(FOLDER))
    mesh.settle()
    mesh.start("C")
    mesh.removes("B", "A")  # and with it all whom A let in
    assert mesh.roster("B").mode(mesh["C"].key) == "read"


def test_what_cannot_be_kept_was_never_said(three: Members) -> None:
    before = three.roster("A").digest()
    three["A"].roster_keeper.fails = True
    with pytest.raises(LeftError, match="disk is full"):
        three["A"].rosters.remove(FOLDER, three["C"].key, False)
    three["A"].take(RosterGrew(FOLDER))
    three.settle()
    assert three.roster("A").digest() == three.roster("B").digest() == before
    three["A"].roster_keeper.fails = False
    three.removes("A", "C")
    assert three.live("B") == "AB"


def test_who_cannot_keep_what_it_hears_says_so_and_hears_it_later(three: Members) -> None:
    three["B"].roster_keeper.fails = True
    three["A"].rosters.remove(FOLDER, three["C"].key, False)
    three["A"].take(RosterGrew(FOLDER))
    three.settle()
    assert three.live("B") == "ABC"
    assert "disk is full" in three.said("B")
    three["B"].roster_keeper.fails = False
    three["A"].take(LinkClosed(Link(three["B"].key, Way.DIALED), "gone"))
    three["A"].take(LinkOpened(Link(three["B"].key, Way.DIALED)))
    three.settle()
    assert three.live("B") == "AB"


def test_what_could_not_be_kept_is_asked_for_though_no_link_breaks(three: Members) -> None:
    """A removal that is lost would leave the removed device a member here for ever."""
    three["B"].roster_keeper.fails = True
    three.removes("A", "C")
    assert three.live("B") == "ABC"
    three["B"].roster_keeper.fails = False
    three.settle(70.0)
    assert three.live("B") == "AB"
    assert three.used("B") == three.used("A")


def test_who_is_out_and_cannot_keep_that_it_is_in_again_hears_it_later(three: Members) -> None:
    """So who is out goes on asking for what it could not keep."""
    three.removes("A", "C")
    three["C"].roster_keeper.fails = True
    three.invites("A", "C")
    assert three.live("A") == "ABC" and three["C"].folder.stopped is not None
    three["C"].roster_keeper.fails = False
    three.settle(70.0)
    assert three.live("C") == "ABC" and three["C"].folder.stopped is None


def test_what_waited_for_its_parent_is_told_to_who_brought_that(mesh: Members) -> None:
    """B lets A in, which hears that and nothing else of B; C brings B's own admission."""
    mesh.begins("BC")
    mesh["C"].kill()
    mesh.settle()
    parts = 0

    def loses(to: str, message: Message) -> bool:
        nonlocal parts
        parts += to == "A" and isinstance(message, RosterPart)
        return isinstance(message, RosterPart) and (to != "A" or parts != 1)

    mesh.loses = loses
    mesh.start("A")
    mesh["B"].kill()
    mesh.loses = lambda to, message: False
    mesh.start("C")
    mesh.settle()
    assert mesh.roster("A").digest() == mesh.roster("C").digest()
    assert mesh.live("A") == mesh.live("C") == "ABC"


def test_who_cannot_begin_its_roster_begins_it_later(mesh: Members) -> None:
    mesh.start("ABC")
    mesh["B"].roster_keeper.fails = True
    mesh["A"].rosters.found(FOLDER)
    mesh["A"].take(RosterGrew(FOLDER))
    mesh.settle()
    assert not mesh.roster("B").pins
    mesh["B"].roster_keeper.fails = False
    mesh.settle(70.0)
    assert mesh.live("B") == mesh.live("A") == "ABC"


def test_chunks_that_were_read_for_a_removed_device_are_not_sent(three: Members) -> None:
    three["A"].write("large", bytes(range(256)) * 40_000)
    three["A"].scan()
    three.until(lambda: any(isinstance(it, Chunks) for it in three["A"].sent))
    three["A"].rosters.remove(FOLDER, three["C"].key, False)
    three["A"].take(RosterGrew(FOLDER))
    three.settle()
    assert three["B"].tree() == three["A"].tree()
    assert "large" not in three["C"].tree()


@pytest.mark.parametrize("is_up", [True, False], ids=["while it runs", "at its next start"])
def test_what_only_a_removed_device_has_is_wanted_no_more(three: Members, is_up: bool) -> None:
    """Though it stands in everybody's peer.toml, and stays connected."""
    three.loses = lambda to, message: isinstance(message, Chunks)
    three["C"].write("only of C", b"c")
    three["C"].scan()
    three.settle()
    assert three["A"].folder.index_view.counters.tickets == 1
    if not is_up:
        three["A"].kill()
        three.settle()
    three.removes("B", "C")
    if not is_up:  # A heard it, and was killed before its index knew
        kept = three["B"].roster_keeper.load(three["B"].keys.tag).statements
        removal = [Kept(each.id, each) for _, each in kept]
        three["A"].roster_keeper.keep(three["A"].keys.tag, removal)
        three["A"].start()
    three.settle()
    assert three.live("A") == "AB"
    assert three["A"].folder.index_view.counters.tickets == 0
    assert three["A"].store.heads.head_of(three["C"].key).mask == 0
    assert three["A"].folder.state.value == "idle"
    three.loses = lambda to, message: False
    three.invites("B", "C")
    three.settle()
    assert "only of C" in three["A"].tree()


def test_who_is_removed_is_asked_for_nothing(three: Members) -> None:
    """Not even what it was asked for a moment ago, and is not answered in the new epoch."""
    three.loses = lambda to, message: to == "A" and isinstance(message, IndexPage)
    three.joins_again("A", "C")
    three.settle(0.5)
    three.removes("A", "C")
    said = [one for one in three.sent if one.sender == "A" and one.to == "C"]
    assert any(isinstance(one.message, IndexSince) for one in said), "its answer is under way"
    assert not [one for one in said if one.knew and isinstance(one.message, IndexSince)]


def test_who_leaves_is_out_everywhere_and_those_whom_it_let_in_stay(tmp_path: Path) -> None:
    mesh = Members(tmp_path)
    mesh.start("AB")
    mesh.invites("A", "B")
    mesh["C"].start()
    mesh.invites("B", "C")
    mesh["B"].rosters.leave(FOLDER)
    mesh["B"].take(RosterGrew(FOLDER))
    mesh.settle()
    assert [mesh.live(name) for name in "AC"] == ["AC", "AC"]
    stopped = mesh["B"].folder.stopped
    assert stopped is not None and stopped.why.startswith("its own user removed")
    before = mesh.roster("B").digest()
    mesh["B"].rosters.leave(FOLDER)
    assert mesh.roster("B").digest() == before, "it is out already"


def test_a_folder_that_was_left_and_is_joined_again_begins_with_nothing(three: Members) -> None:
    c = three["C"]
    secret = bytes(range(32, 64))
    c.rosters.hold(FOLDER, secret)
    c.rosters.leave(FOLDER)
    c.take(RosterGrew(FOLDER))
    three.settle()
    c.rosters.forget_folder(FOLDER)
    c.rosters.forget_folder(FOLDER)
    c.rosters.add_folder(FOLDER, c.keys)
    c.rosters.hold(FOLDER, secret)
    assert c.roster_keeper.load(c.keys.tag).epochs == (secret,), "it is told once more"
    c.exchange.folder_added(FOLDER)
    assert not three.roster("C").pins and c.rosters.put_out(FOLDER) is None
    out = c.exchange.on_roster_grew(RosterGrew(FOLDER), three.now)
    assert not any(isinstance(each, FolderAdded) for each in out), "it is not opened twice"


def test_a_folder_that_is_added_while_its_roster_has_this_device_out_waits_for_it(
    three: Members,
) -> None:
    c = three["C"]
    three.removes("A", "C")
    c.rosters.remove_folder(FOLDER)
    c.rosters.add_folder(FOLDER, c.keys)
    c.exchange._put_out.clear()
    c.exchange.folder_added(FOLDER)
    out = c.exchange.on_roster_grew(RosterGrew(FOLDER), three.now)
    assert not any(isinstance(each, FolderStopped) for each in out), "that is known"
