"""Seeds of the simulation in which users ignore something, what their laws find, and stories.

A longer run: python -m tests.sim --rules --seeds 0:5000
"""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.sync.jobs import Flush
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.local_changes import gone
from leftzmq.tree.entry import Kind
from tests.sim import kept_laws, laws
from tests.sim.fs import SimRoot
from tests.sim.ledger import Ledger
from tests.sim.node import FOLDER
from tests.sim.plan import RULES_EACH, has_rules, mix_of, plan_of, run, settle
from tests.sim.rulers import RULINGS, Rulers
from tests.sim.users import Users
from tests.sim.world import Knobs, SimDevice, World

SEEDS, SEEDS_A_TEST = 10, 10


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_the_promises_hold_whatever_is_ignored(first: int) -> None:
    for number in range(first, first + SEEDS_A_TEST):
        seed = 30_000 + RULES_EACH * number + 4
        outcome = run(plan_of(seed))
        assert outcome.broken is None, f"seed {seed}: {outcome.broken}"
        if number % RULES_EACH == 0:
            assert run(plan_of(seed)).digest == outcome.digest, f"I12: seed {seed}"


def test_no_other_seed_has_rules() -> None:
    for seed in range(200):
        ruled = [step for step in plan_of(seed).steps if step.what in RULINGS]
        assert bool(ruled) is has_rules(seed)
        assert mix_of(seed) or has_rules(seed) is (seed % 10 == 4)


class Street:
    """Three devices, each connected to both others, whose users write what a test says."""

    def __init__(self, base: Path, names: str = "ABC") -> None:
        dials = {(a, b) for a in names for b in names if a < b}
        self.world = world = World(1, base, names, dials, Knobs())
        self.ledger = Ledger()
        self.users = Users(world, self.ledger, large=False)
        self.witness = kept_laws.Witness(world)
        self.witness.begin(laws.Witness(self.ledger).look_after)
        self.rulers = Rulers(world, self.users, self.witness.secrets)
        for device in world.devices.values():
            device.start()
        self.rest(5.0)

    def __getitem__(self, name: str) -> SimDevice:
        return self.world.devices[name]

    def rest(self, seconds: float = 15.0) -> None:
        self.world.run_until(self.world.now + seconds)

    def write(self, name: str, path: str, text: str) -> None:
        device = self[name]
        device.hands.make_folders(path.rpartition("/")[0])
        assert self.users._write(device, path, text.encode())
        device.touched()

    def delete(self, name: str, path: str) -> None:
        self.users._delete(self[name], path)
        self[name].touched()

    def text(self, name: str, path: str) -> str | None:
        inode = self[name].hands.at(path)
        return None if inode is None else bytes(inode.data).decode()

    def cut(self, *pairs: str) -> None:
        self.world.wires.cut = {frozenset(pair) for pair in pairs}
        self.world.wires.refresh()

    def settle(self) -> None:
        """All is quiet, and the laws hold."""
        settle(self.world, kept_laws.is_quiet)
        kept_laws.judge(self.world, self.ledger, self.witness)
        kept_laws.indexes_are_the_disks(self.world, exact=False)


@pytest.fixture
def street(tmp_path: Path) -> Street:
    return Street(tmp_path)


# ---- what the laws say ------------------------------------------------------------------------


def test_those_who_keep_a_path_must_have_the_same_there(street: Street) -> None:
    street.write("A", "p", "one")
    street["C"].tune_ignore(["p"])
    street.settle()
    street.write("A", "p", "two")
    street.settle()
    assert street.text("B", "p") == "two" and street.text("C", "p") is None
    street.cut("AB", "BC")
    street.write("A", "p", "three")
    street.rest()
    (said,) = kept_laws.differences(street.world)
    assert "three" in said and "two" in said


def test_nobody_passes_on_what_he_does_not_have(tmp_path: Path) -> None:
    street = Street(tmp_path)
    street.world.wires._pairs.discard(("A", "C"))
    street.cut("AC")
    street["B"].tune_ignore(["p"])
    street.write("A", "p", "one")
    street.rest()
    assert street.text("C", "p") is None
    assert not [*kept_laws.differences(street.world)], "B is between A and C"


def test_an_agent_that_takes_what_it_knows_to_be_ignored_is_found(street: Street) -> None:
    street.write("A", "p", "one")
    street.settle()
    device = street["B"]
    device.tune_ignore(["p"])
    street.rest(5.0)
    device.job = Flush(FOLDER, 1)
    street.witness.submitted(device, device.job)
    folder = SimRoot(device.calls).folder("")
    with pytest.raises(laws.Broken, match="ignored: B took p"):
        folder.unlink("p")


def test_a_version_that_lost_is_in_its_copy_also_when_that_is_ignored(street: Street) -> None:
    """B has the copy from A before it takes what won: the old version goes to its trash."""
    street.cut("AC", "BC")
    street.write("A", "p", "one")
    street.rest()
    street.write("C", "p", "two")
    street.rest()
    street.cut("BC")
    street.rest()
    street.cut()
    street.settle()
    street.write("A", ".leftignore", "p\n")
    street.settle()
    assert street.text("A", "p") == street.text("B", "p") == "two"
    device = street["B"]
    paths = {path: bytes(inode.data) for path, inode in device.disk.everything()}
    old = [path for path, data in paths.items() if data == b"one"]
    (copy,) = [path for path in old if not path.startswith(kept_laws.TRASH)]
    assert len(old) == 2 and copy.startswith("p.conflict-")
    assert kept_laws.is_ignored(kept_laws.rules_of(device), copy, Kind.FILE)
    device.hands.delete(copy)
    (said,) = kept_laws._taken_away(street.world, street.ledger, street.witness)
    assert said.startswith("B took away what A wrote at p")


def test_what_a_user_writes_is_in_the_trash_where_another_name_of_the_file_is(
    street: Street,
) -> None:
    street.write("A", "p", "one")
    a = street["A"]
    assert a.hands.hard_link("p", "x")
    a.touched()
    street.settle()
    street.delete("B", "x")
    street.settle()
    a.tune_ignore(["p"])
    street.rest()
    street.write("A", "p", "two")
    street.settle()
    trashed = [i.data for p, i in a.disk.everything() if p.startswith(kept_laws.TRASH) and i.data]
    assert b"two" in trashed and street.text("A", "p") == "two"


@pytest.mark.parametrize("rule", ("", "x\n"))
def test_what_is_written_through_an_ignored_name_is_found_by_the_next_walk(
    street: Street, rule: str
) -> None:
    """No event tells of it at the name that is kept. If the other name is kept, too, a look there
    tells."""
    street.write("A", "p", "one")
    if rule:
        street.write("A", ".leftignore", rule)
    street.settle()
    a = street["A"]
    assert a.hands.hard_link("p", "x")
    a.touched()
    street.rest(60.0)
    street.write("A", "x", "two")
    street.rest(60.0)
    assert street.text("A", "p") == "two"
    assert street.text("B", "p") == ("one" if rule else "two")
    assert street.witness.may_have_missed(a, street.ledger) is bool(rule)
    assert not street.witness.may_have_missed(street["B"], street.ledger)
    a.scan()
    street.settle()
    assert street.text("B", "p") == "two"


def test_a_secret_is_one_until_a_user_ends_its_rule(street: Street) -> None:
    secrets = street.witness.secrets
    assert not secrets.are_safe_at("p")
    street.write("A", ".leftignore", "p\n")
    assert not secrets.are_safe_at("p"), "not all know it"
    street.settle()
    assert secrets.are_safe_at("p")
    street.write("A", "p", "secret")
    secrets.add("p", b"secret")
    street.settle()
    assert secrets._kept
    street.delete("C", ".leftignore")
    assert not secrets._kept
    street.settle()
    assert street.text("B", "p") == "secret"


def test_a_secret_is_none_any_more_where_its_rule_was_ended_by_one_who_ignores_it_still(
    street: Street,
) -> None:
    street.write("A", ".leftignore", "p\n")
    street["C"].tune_ignore(["p"])
    street.settle()
    street.write("A", "p", "secret")
    street.witness.secrets.add("p", b"secret")
    street.delete("C", ".leftignore")
    assert street.witness.secrets._kept, "A and B have not heard of it"
    street.settle()
    assert not street.witness.secrets._kept
    assert street.text("B", "p") == "secret"


def test_a_secret_that_is_told_is_found(street: Street) -> None:
    street["A"].tune_ignore(["p"])
    street.write("A", "p", "secret")
    street.settle()
    street.witness.secrets.add("p", b"secret")
    street.witness.secrets.changed = lambda: None  # type: ignore[method-assign]
    street["A"].tune_ignore([])
    with pytest.raises(laws.Broken, match="secret: A told in"):
        street.rest()


# ---- stories ----------------------------------------------------------------------------------


def test_what_is_told_after_a_withdrawal_may_be_older_than_what_was_told_before(
    street: Street,
) -> None:
    """A tells B the newest version of p, and ignores p. Its user removes p, so A has no base any
    more; and B, which did not hear the withdrawal, is not dialed before A has p again, from C. It
    has an older version."""
    street.write("C", "p", "old")
    street.settle()
    street.cut("AC", "BC")
    street.write("A", "p", "newest")
    street.rest()
    assert street.text("B", "p") == "newest"
    street.cut("AC", "BC", "AB")
    street["A"].tune_ignore(["p"])
    street["B"].tune_ignore(["p"])
    street.rest(5.0)
    street.delete("A", "p")
    street.rest(5.0)
    street["A"].tune_ignore([])
    street.rest(5.0)
    street.cut("AB", "BC")
    street.rest()
    assert street.text("A", "p") == "old"
    street.cut()
    street.rest()
    street["B"].tune_ignore([])
    street.settle()
    assert {street.text(name, "p") for name in "ABC"} == {"newest"}


def test_rules_and_what_they_ignore_come_in_one_moment(street: Street) -> None:
    """As from an archive."""
    for number in range(8):
        street.write("A", f"x/{number}/build", f"ignored {number}")
        street.write("A", f"x/{number}/.leftignore", "build\n")
        street.write("A", f"x/{number}/src", f"kept {number}")
        street.rest(0.3)
    street.settle()
    for number in range(8):
        assert street.text("B", f"x/{number}/src") == f"kept {number}"
        assert street.text("B", f"x/{number}/build") is None


def test_what_is_written_while_its_rule_is_being_written_waits_for_it(street: Street) -> None:
    street.write("A", ".leftignore", "# nothing yet\n")
    street.settle()
    device = street["A"]
    device.hands.write_open(".leftignore", b"build\n", at_end=True)
    street.users._wrote(device, ".leftignore")
    nothing = (Kind.FILE, b"# nothing yet\n")
    street.users._removed(device, ".leftignore", nothing, "overwritten")
    device.touched()
    street.rest(0.2)
    street.write("A", "build", "ignored")
    street.settle()
    assert street.text("B", ".leftignore") == street.text("A", ".leftignore")
    assert street.text("B", "build") is None


# ---- what the laws find when something is taken out; more of it is planted -----------------------


def _a_delete(view: IndexView, path: str) -> bool:
    return gone(view, path, 0) is not None


def test_a_rule_that_makes_a_delete_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IndexView, "withdraw", _a_delete)
    for seed in range(124, 400, RULES_EACH):
        broken = run(plan_of(seed)).broken
        if isinstance(broken, laws.Broken) and broken.law == "kept":
            return
    pytest.fail("not found in 28 seeds")
