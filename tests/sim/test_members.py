"""Seeds of the simulation in which people decide who is in the folder, and what their laws find.

A longer run: python -m tests.sim --rosters --seeds 0:5000
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from leftzmq.sync.exchange.announcer import Announcer
from leftzmq.sync.facts import RosterGrew
from leftzmq.sync.peers.roster.roster import Roster
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.tree.entry import Kind
from tests.helpers.roster_keeper import RosterKeeper
from tests.sim import laws, member_laws
from tests.sim.faults import Faults
from tests.sim.ledger import Ledger
from tests.sim.node import FOLDER
from tests.sim.people import DECISIONS, People
from tests.sim.plan import ROSTER_EACH, has_roster, mix_of, plan_of, run, settle, stays_quiet
from tests.sim.shrink import as_found
from tests.sim.users import Users
from tests.sim.world import Knobs, World

SEEDS, SEEDS_A_TEST = 12, 12


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_the_promises_hold_whoever_is_in_or_out(first: int) -> None:
    for number in range(first, first + SEEDS_A_TEST):
        seed = 20_000 + ROSTER_EACH * number + ROSTER_EACH - 1
        outcome = run(plan_of(seed))
        assert outcome.broken is None, f"seed {seed}: {outcome.broken}"
        if number % ROSTER_EACH == 0:
            assert run(plan_of(seed)).digest == outcome.digest, f"I12: seed {seed}"


STORIES = {
    "one waits for what members have who take it for none, as who let it in was removed": (
        "13101109/ABCD/11000,11102,0,1,7,11001,11200,11003,11004,11011/0/news_twice,watch_lag_s,"
        "watch_lost,careful,skews_s"
    ),
    "one who may only read has what a member gave it alone, who then removed all others unheard": (
        "16002069/ABCD/11000,11100,11101,11103,3,11202,11200,4003,11003,11013/0/lag_s,slow,"
        "news_twice,watch_lag_s,watch_lost,careful,skews_s"
    ),
    "the same, and the line breaks as it says so; the one who may write was switched off": (
        "16004799/ABC/11000,11101,11201,21,11010,11007/0/lag_s,slow,news_lost,watch_lost,careful,"
        "skews_s"
    ),
    "one could not keep a removal, and hears then that it is out; it asks for the lost word": (
        "16003599/ABCD/11000,0,1,11013,11004,11003,11009,5002,11011/0/slow,news_lost,news_twice,"
        "watch_lag_s,watch_lost,careful,skews_s"
    ),
    "one could not keep its own removal, and hears it from another one before it asks for it": (
        "16101659/ABC/11000,1000,3,11001,1002,12,11002,11003,14/0/lag_s,slow,news_lost,news_twice,"
        "watch_lag_s,watch_lost,careful,skews_s"
    ),
    "two were removed and one of them could not keep that; it asks when all has long been quiet": (
        "22000489/ABC/11000,11002,3000,11007,11003,5003,11006/0/lag_s,slow,news_lost,news_twice,"
        "watch_lag_s,watch_lost,careful,skews_s"
    ),
    "two removed each other, and one waits for the other's bytes in the place of rotten ones": (
        "25011709/ABC/11000,4,5000,11001,11007/1/news_lost,watch_lost,careful,skews_s"
    ),
    "one who may only read renamed a folder, and hears late of a file in it": (
        "25314519/ABC/11000,11102,0,4,4003,5001,11001,11002,11200,4008/0/slow,news_lost,news_twice,"
        "watch_lost,careful,skews_s"
    ),
    "one lost the word that lets another in, not the one that removes it, and vouches for it": (
        "25326889/ABC/11000,10000,11007,11004,11005/0/lag_s,slow,news_lost,news_twice,watch_lag_s,"
        "watch_lost,careful,skews_s"
    ),
    "one whose disk folds names is out, and could not take what those who are in have": (
        "25511309/ABC/11000,4000,0,1,11001,11002,11003/0/lag_s,slow,news_lost,news_twice,"
        "watch_lost,careful,skews_s"
    ),
    "one is put out and let in again while its folder is being opened": (
        "25554239/ABCD/11000,11102,0,1,2,11200,4001,11007,11008,11009,11002,11003,6,11011/0/"
        "news_lost,watch_lost,careful,skews_s"
    ),
    "one removes its inviter, by whose word alone it knew one that founded at that moment": (
        "30019669/ABCD/11000,11103,11200,11002/0/slow,news_lost,news_twice,watch_lost,careful,"
        "skews_s"
    ),
    "one who might only read starts, and may write from then on": (
        "30066909/ABC/11000,11101,11102,2,8,11201,3000,11008,11009,11005,11011,11012,11013/0/lag_s,"
        "slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "one could not keep a removal, and is removed before it makes an epoch": (
        "30048579/ABC/11000,11010,11011,11004,11003,11008,16/0/lag_s,slow,news_lost,news_twice,"
        "watch_lag_s,watch_lost,careful,skews_s"
    ),
    "two are out unheard, and one of them waits for the folder of who removed them": (
        "30075839/ABC/11000,11100,11101,1,4,11200,11201,11007,11010,4001/0/lag_s,slow,news_lost,"
        "news_twice,watch_lost,careful,skews_s"
    ),
    "one founds a roster beside another, and who should tell the two is removed before that": (
        "25002839/ABC/11000,1,10,11001,11002/0/lag_s,news_lost,watch_lag_s,watch_lost,careful,skews_s"
    ),
    "one is out, and hears of an epoch whose secret it is not told": (
        "16008349/ABC/11000,11100,11201,11003,11005,14/0/lag_s,slow,news_lost,news_twice,"
        "watch_lost,careful,skews_s"
    ),
}


@pytest.mark.parametrize("plan", STORIES.values(), ids=STORIES)
def test_a_story_that_ended_badly(plan: str) -> None:
    assert run(as_found(plan)).broken is None


def test_no_other_seed_has_a_roster() -> None:
    for seed in range(200):
        decided = [step for step in plan_of(seed).steps if step.what in DECISIONS]
        assert bool(decided) is has_roster(seed)
        assert mix_of(seed) or has_roster(seed) is (seed % ROSTER_EACH == 9)


class Club:
    """Three devices that wrote each other, and whose folder has a roster since A began it.

    stranger: who of them has the folder not; "": nobody
    """

    def __init__(self, base: Path, names: str = "ABC", stranger: str = "") -> None:
        dials = {(a, b) for a in names for b in names if a < b}
        self.world = world = World(1, base, names, dials, Knobs())
        self.ledger = Ledger()
        users = Users(world, self.ledger, large=False)
        self.people = People(world, Faults(world, self.ledger, users))
        if stranger:
            self.people.do("be a stranger", world.devices[stranger], random.Random(1))
        self.witness = member_laws.Witness(world)
        self.witness.begin(laws.Witness(self.ledger).look_after)
        for device in world.devices.values():
            device.start()
        world.run_until(world.now + 5.0)
        self.people.do("found", world.devices["A"], random.Random(1))
        world.run_until(world.now + 5.0)

    def groups(self) -> list[str]:
        groups = self.world.sharing.groups()
        return ["".join(device.name for device in group) for group in groups]

    def cut(self, *pairs: str) -> None:
        self.world.wires.cut = {frozenset(pair) for pair in pairs}
        self.world.wires.refresh()

    def removes(self, name: str, other: str) -> None:
        devices = self.world.devices
        self.people._remove(devices[name], devices[other], keep_invited=True)
        self.world.run_until(self.world.now + 5.0)

    def lets_in_to_read(self, name: str, other: str) -> None:
        device, guest = self.world.devices[name], self.world.devices[other]
        known = device.rosters.folders[FOLDER].last_number
        self.people._knock(device, guest, "read", known, random.Random(1))
        self.world.run_until(self.world.now + 15.0)

    def writes(self, name: str, path: str) -> None:
        """A user writes a file that says its own path."""
        self.ledger.wrote((Kind.FILE, path.encode()), name, path, self.world.now)
        device = self.world.devices[name]
        device.hands.write(path, path.encode())
        device.touched()
        self.world.run_until(self.world.now + 5.0)

    def judge(self) -> None:
        settle(self.world)
        member_laws.judge(self.world, self.ledger, self.witness)


@pytest.fixture
def club(tmp_path: Path) -> Club:
    return Club(tmp_path)


def test_who_is_out_is_in_no_group(club: Club) -> None:
    assert club.groups() == ["ABC"]
    club.removes("A", "C")
    assert club.groups() == ["AB"]
    club.judge()


def test_two_who_removed_each_other_are_two_groups(tmp_path: Path) -> None:
    club = Club(tmp_path, "AB")
    club.cut("AB")
    club.removes("A", "B")
    club.removes("B", "A")
    club.cut()
    assert club.groups() == ["A", "B"]
    club.judge()


def test_who_was_away_and_is_not_told_misses_the_others(club: Club) -> None:
    club.cut("AC", "BC")
    club.removes("A", "C")
    club.cut()
    club.world.run_until(club.world.now + 20.0)
    assert club.groups() == ["AB", "C"]
    ab, c = club.world.sharing.groups()
    assert club.world.sharing.misses_others(c) and not club.world.sharing.misses_others(ab)
    club.judge()


def test_nobody_misses_a_stranger_and_who_could_not_make_an_epoch_is_waited_for(
    tmp_path: Path,
) -> None:
    club = Club(tmp_path, "ABC", stranger="C")
    a, b, _ = club.world.devices.values()
    b.rosters.leave(FOLDER)
    b.take(RosterGrew(FOLDER))
    club.world.run_until(club.world.now + 1.0)
    a.roster_keeper.fails = True  # when it would make one, as B sent none with its word
    club.world.run_until(club.world.now + 3.0)
    a.roster_keeper.fails = False
    assert club.groups() == ["A"] and not club.world.sharing.misses_others([a])
    assert a.epochs.in_use is None
    club.judge()


def test_who_left_unheard_is_missed(club: Club) -> None:
    a, b, c = club.world.devices.values()
    club.cut("AC", "BC")
    c.leave()
    assert club.groups() == ["AB"] and club.world.sharing.misses_others([a, b])


def test_a_reader_keeps_what_it_alone_has_of_a_member_that_removed_all_others_unheard(
    club: Club,
) -> None:
    a, b, c = club.world.devices.values()
    club.removes("A", "C")
    club.lets_in_to_read("A", "C")
    club.cut("AB", "BC")
    club.writes("A", "alone")
    assert laws.tree_of(c) == laws.tree_of(a) != laws.tree_of(b)
    sharing = club.world.sharing
    assert sharing.own(c, [a, b, c]) == []  # A gives it to B, too, when they meet
    club.cut("AB", "AC", "BC")
    club.removes("A", "B")
    club.removes("A", "C")
    club.cut()
    club.world.run_until(club.world.now + 20.0)
    assert club.groups() == ["A", "BC"] and sharing.own(c, [b, c]) == ["alone"]
    club.judge()


def test_what_a_reader_lacks_of_its_group_is_found(club: Club) -> None:
    club.removes("A", "C")
    club.lets_in_to_read("A", "C")
    club.cut("AC", "BC")
    club.writes("A", "lacked")
    with pytest.raises(laws.Broken, match=r"I1.*lacked"):
        laws.converged(club.world, club.ledger, list(club.world.devices.values()))


def test_all_is_quiet_when_who_is_out_has_asked_for_what_it_could_not_keep(club: Club) -> None:
    """A's word of C's removal is lost; B, which hears it later, brings it."""
    c = club.world.devices["C"]
    club.cut("AB")
    c.roster_keeper.fails = True
    club.removes("A", "C")
    c.roster_keeper.fails = False
    club.cut()
    club.world.run_until(club.world.now + 10.0)
    assert club.groups() == ["AB"] and c.exchange.deadline() is not None
    club.judge()
    assert c.exchange.deadline() is None
    stays_quiet(club.world, club.ledger)


def test_since_when_somebody_counts_no_more_is_known_of_each(club: Club) -> None:
    a, b, c = club.world.devices.values()
    club.cut("AB", "BC")
    at = club.world.now
    club.removes("A", "C")
    assert club.witness.counts_not_since(a, c) == at
    assert club.witness.counts_not_since(b, c) == float("inf")
    club.cut()
    club.world.run_until(club.world.now + 5.0)
    assert at + 5.0 <= club.witness.counts_not_since(b, c) < float("inf")


def test_what_the_removed_device_wrote_afterwards_is_found(club: Club) -> None:
    club.removes("A", "C")
    club.ledger.wrote((Kind.FILE, b"late"), "C", "late", club.world.now)
    club.world.devices["A"].hands.write("late", b"late")
    with pytest.raises(laws.Broken, match="counts"):
        member_laws.nothing_counts_that_others_said(
            club.world, club.ledger, club.witness, club.world.sharing.groups()[0]
        )


def test_members_that_differ_are_found(club: Club) -> None:
    roster = club.world.devices["B"].rosters.folders[FOLDER]
    roster.roster = Roster(roster.tag)
    with pytest.raises(laws.Broken, match="roster"):
        member_laws.members_agree(club.world)


def test_a_backup_of_a_keeper_is_one_of_its_own() -> None:
    keeper, folder = RosterKeeper(), bytes(16)
    keeper.keep_epoch(folder, bytes(32))
    backup = keeper.copy()
    keeper.forget(folder)
    assert backup.load(folder).epochs == (bytes(32),)
    keeper.put_back(backup)
    keeper.keep_epoch(folder, bytes(range(32)))
    assert backup.load(folder).epochs == (bytes(32),)


# What the laws find when something is taken out; more of it is planted (tests/planted/members).


def _told_in_any_case(announcer: Announcer) -> int:
    return announcer.flushed


def _nobody(rosters: Rosters, id: str) -> frozenset[bytes]:
    return frozenset()


def _the_first_is_always_clean(roster: Roster, tag: bytes) -> bool:
    return tag == roster.folder


@pytest.mark.parametrize(
    ("where", "what", "instead", "law", "first"),
    [
        (Announcer, "_told_head", property(_told_in_any_case), "held", 19),
        (Rosters, "readers", _nobody, "counts", 469),
        (Roster, "clean", _the_first_is_always_clean, "sealed", 19),
    ],
)
def test_what_is_taken_out_is_found(
    monkeypatch: pytest.MonkeyPatch, where: type, what: str, instead: object, law: str, first: int
) -> None:
    """first: the seed with which the search begins; it was the first to find it."""
    monkeypatch.setattr(where, what, instead)
    for seed in range(first, 1_000, ROSTER_EACH):
        broken = run(plan_of(seed)).broken
        if isinstance(broken, laws.Broken) and broken.law == law:
            return
    pytest.fail("not found in 100 seeds")
