"""A random model of one folder: honest members with partial views, and a hostile one.

The honest ones meet in any order and hear each other in part; they let in, remove, are restored
from a backup, and make an epoch where they hold none that is clean. Two of them may have founded at
once. The hostile one, R, signs whatever it can, in its own name, in those of devices that it made
up, and in others'; in most runs it is removed. At the end all honest ones meet, and `check` says
what must hold.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from leftzmq.content.ids import StatementId, digest_of
from leftzmq.errors import Refused, RosterError
from leftzmq.sync.peers.roster import making
from leftzmq.sync.peers.roster.roster import Roster
from leftzmq.wire.statements import (
    Admission,
    EpochStatement,
    Removal,
    SelfStatement,
    Signed,
    Statement,
    signed_bytes,
    with_signature,
)
from tests.helpers.rosters import AT, FOLDER, Device, device, name_of

OTHER_FOLDER = b"another's folder"
PUPPETS = "PQ"
GUESTS = "GH"
"""Honest devices that anybody may let in, also R; they say nothing themselves."""


@dataclass(slots=True)
class Honest:
    """A member, what it knows, and the epochs whose secret it holds."""

    who: Device
    roster: Roster
    held: set[bytes] = field(default_factory=lambda: {FOLDER})
    backup: tuple[list[Signed], set[bytes]] | None = None
    joined: bool = False

    def is_full(self) -> bool:
        return making.may_write(self.roster, self.who.me)

    def sees_live(self, names: str) -> bool:
        return any(device(name).key in self.roster.live() for name in names)


class World:
    """One run. rng decides everything."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        count = self.rng.randint(2, 4)
        self.two_founders = count > 2 and self.rng.random() < 0.25
        self.founders = "AB" if self.two_founders else "A"
        self.honest = {name: Honest(device(name), Roster(FOLDER)) for name in "ABCD"[:count]}
        self.by_honest: set[StatementId] = set()
        self.lifted: set[StatementId] = set()  # removals that a person's invitation named
        self.evil = Roster(FOLDER)
        self.evil_held = {FOLDER}
        self.evil_said: list[Signed] = []
        self.signed_late: set[StatementId] = set()  # by R, after an honest member removed it
        self.removals_of_r: set[StatementId] = set()
        self.r_invited_again = False
        for name in self.founders:
            honest = self.honest[name]
            self.told(making.found(honest.roster, honest.who.me, name, self.nonce(), AT))
            honest.joined = True

    # ---- a run -----------------------------------------------------------------------------------

    def run(self) -> None:
        for name, honest in self.honest.items():
            if not honest.joined:
                self.let_in(self.rng.choice(self.founders), name)
        mode = "read" if self.rng.random() < 0.15 else "full"
        inviter = self.honest[self.rng.choice([n for n, h in self.honest.items() if h.is_full()])]
        self.invite(inviter, device("R").newcomer(mode))
        self.evil_hears(inviter)
        may_remove = self.rng.random() < 0.8
        for _ in range(self.rng.randint(15, 40)):
            self.step(may_remove)
        if may_remove and not self.removals_of_r:
            self.honest_removes("R")
        for _ in range(self.rng.randint(0, 12)):
            self.evil_act()
            self.evil_meets(self.honest[self.rng.choice(list(self.honest))])
            self.step(may_remove)
        self.all_meet()

    def step(self, may_remove: bool) -> None:
        act = self.rng.random()
        names = list(self.honest)
        if act < 0.40:
            self.meet(*self.rng.sample(names, 2), part=self.rng.choice([0.5, 0.9, 1.0]))
        elif act < 0.62:
            self.evil_act()
        elif act < 0.77:
            self.evil_meets(self.honest[self.rng.choice(names)])
        elif act < 0.83 and may_remove:
            self.honest_removes(self.rng.choice(["R", "R", self.rng.choice([*names, *GUESTS])]))
        elif act < 0.88:
            self.restore_or_save(self.honest[self.rng.choice(names)])
        elif act < 0.93:
            self.honest_invites()
        elif act < 0.96:
            self.honest_tells(self.honest[self.rng.choice(names)])
        else:
            self.keep_an_epoch(self.honest[self.rng.choice(names)])

    # ---- the honest ones -------------------------------------------------------------------------

    def told(self, signed: Signed) -> Signed:
        self.by_honest.add(signed.id)
        return signed

    def nonce(self) -> bytes:
        return self.rng.randbytes(16)

    def let_in(self, inviter: str, name: str) -> None:
        """As at the door: the joiner pins what its inviter pins, and hears its roster."""
        host, guest = self.honest[inviter], self.honest[name]
        self.invite(host, guest.who.newcomer())
        for root in host.roster.pins:
            guest.roster.pin(root)
        guest.joined = True
        self.hear(guest.roster, host.roster.after())
        guest.held |= host.held

    def invite(self, host: Honest, newcomer: making.Newcomer) -> None:
        over = host.roster.removals_of(newcomer.device)
        try:
            self.told(making.admit(host.roster, host.who.me, newcomer, self.nonce(), AT, over))
        except RosterError:
            return
        self.lifted |= set(over)
        self.r_invited_again |= newcomer.device == device("R").key and bool(over)

    def honest_invites(self) -> None:
        host = self.honest[self.rng.choice(list(self.honest))]
        others = [*GUESTS, *self.honest]
        name = "R" if self.rng.random() < 0.12 else self.rng.choice(others)
        if host.is_full() and name != host.who.name:
            self.invite(host, device(name).newcomer())

    def honest_removes(self, name: str) -> None:
        key = device(name).key
        able = [h for h in self.honest.values() if h.is_full() and key in h.roster.live()]
        able = [h for h in able if h.who.name != name]
        if not able:
            return
        for host in self.rng.sample(able, min(len(able), self.rng.choice([1, 1, 2]))):
            removal = self.told(
                making.remove(host.roster, host.who.me, key, self.to_keep(host, name), AT)
            )
            if name == "R":
                self.removals_of_r.add(removal.id)
                self.hear(self.evil, [*host.roster.after()])
            self.keep_an_epoch(host)

    def to_keep(self, host: Honest, name: str) -> list[StatementId]:
        """Honest devices, as a person knows them."""
        right = [*self.honest, *GUESTS]
        return [
            id
            for id in host.roster.let_in_by(device(name).key)
            if name_of(host.roster.statement(id).statement.device) in right
            and (name != "R" or self.rng.random() < 0.8)
        ]

    def restore_or_save(self, honest: Honest) -> None:
        if honest.backup is None:
            honest.backup = (honest.roster.after(), set(honest.held))
            return
        said, held = honest.backup
        honest.roster = Roster(FOLDER, honest.roster.pins)
        self.hear(honest.roster, said)
        honest.held = set(held)

    def honest_tells(self, honest: Honest) -> None:
        if honest.who.key in honest.roster.live():
            self.told(making.tell_self(honest.roster, honest.who.me, honest.who.name.lower(), []))

    def keep_an_epoch(self, honest: Honest) -> None:
        if honest.is_full() and honest.roster.in_use(honest.held) is None:
            tag = self.nonce()
            self.told(making.new_epoch(honest.roster, honest.who.me, tag, AT))
            honest.held.add(tag)

    def hear(self, roster: Roster, said: list[Signed], part: float = 1.0) -> None:
        """Some of these statements, in any order, some of them twice."""
        heard = [each for each in said if part == 1.0 or self.rng.random() < part]
        heard += heard[:2]
        self.rng.shuffle(heard)
        for each in heard:
            roster.add(each, None, 0.0)

    def meet(self, one: str, other: str, part: float = 1.0) -> None:
        """Each tells the other what it knows, and then the epoch that it uses, to a member."""
        a, b = self.honest[one], self.honest[other]
        to_a, to_b = b.roster.after(a.roster.digest()), a.roster.after(b.roster.digest())
        self.hear(a.roster, to_a, part)
        self.hear(b.roster, to_b, part)
        for host, guest in ((a, b), (b, a)):
            nothing = host.roster.says_nothing_of(guest.who.key)
            if self.two_founders and host.is_full() and nothing:
                newcomer = guest.who.newcomer()
                self.told(making.admit(host.roster, host.who.me, newcomer, self.nonce(), AT))
            self.keep_an_epoch(host)
            used = host.roster.in_use(host.held)
            if part == 1.0 and used is not None and guest.who.key in host.roster.live():
                guest.held.add(used)

    def all_meet(self) -> None:
        """Until nobody learns anything any more."""
        names = list(self.honest)
        for _ in range(12):
            before = [(h.roster.digest(), frozenset(h.held)) for h in self.honest.values()]
            for one in names:
                for other in names:
                    if one != other:
                        self.meet(one, other)
            if before == [(h.roster.digest(), frozenset(h.held)) for h in self.honest.values()]:
                return
        raise AssertionError("they never come to rest")

    # ---- the hostile one -------------------------------------------------------------------------

    def evil_hears(self, host: Honest) -> None:
        """What a member is told that seems to be one: statements, and the secret in use."""
        self.hear(self.evil, host.roster.after())
        for root in host.roster.pins:
            self.evil.pin(root)
        used = host.roster.in_use(host.held)
        if used is not None:
            self.evil_held.add(used)

    def evil_meets(self, host: Honest) -> None:
        seen = host.sees_live("R" + PUPPETS)
        if seen:
            self.evil_hears(host)
        if seen or self.rng.random() < 0.3:
            self.hear(host.roster, self.evil.after(), self.rng.choice([0.6, 1.0]))
            self.hear(host.roster, self.evil_said, self.rng.choice([0.3, 1.0]))

    def evil_act(self) -> None:
        """Sign anything, mostly under an admission of a device of R's."""
        own = {device(name).key: name for name in "R" + PUPPETS}
        mine = [
            (own[each.statement.device], each)
            for each in self.everything()
            if isinstance(each.statement, Admission) and each.statement.device in own
        ]
        if not mine:
            return
        signer, under = self.rng.choice(mine)
        statement, folder = self.lie(signer, under), FOLDER
        if self.rng.random() < 0.05:
            folder = OTHER_FOLDER
        signature = device(signer).me.sign(signed_bytes(folder, statement))
        try:
            signed = with_signature(FOLDER, statement, signature)
        except Refused:
            return
        self.evil_said.append(signed)
        self.evil.add(signed, None, 0.0)
        if self.removals_of_r and not self.r_invited_again:
            self.signed_late.add(signed.id)
        if isinstance(statement, EpochStatement):
            self.evil_held.add(statement.tag)

    def everything(self) -> list[Signed]:
        known = {each.id: each for each in [*self.evil.after(), *self.evil_said]}
        return list(known.values())

    def lie(self, signer: str, under: Signed) -> Statement:
        rng = self.rng
        against = sorted(
            each.id for each in self.everything() if isinstance(each.statement, Removal)
        )[:32]
        names = [*self.honest, *GUESTS, *PUPPETS, "R"]
        own = rng.choice([signer, *("R" + PUPPETS)])
        some = device(rng.choice(names))
        act = rng.random()
        if act < 0.25:  # a device that it made up, or itself, with or without lifting removals
            lifts = rng.choice([[], against, against[:1]])
            return self.admission(device(own), under.id, lifts)
        if act < 0.35:  # an honest device
            return self.admission(some, under.id, [], rng.choice(["full", "full", "read"]))
        if act < 0.50:  # a root: of its own, of another's device, with or without `over`
            whose = rng.choice([device(signer), some])
            return self.admission(whose, b"", rng.choice([[], against]))
        if act < 0.63:  # from here on under an admission that may be another's
            others = [e for e in self.everything() if isinstance(e.statement, Admission)]
            under, act = rng.choice(others), rng.choice([0.6, rng.uniform(0.63, 1)])
        if act < 0.63:
            return self.admission(device(own), under.id, [])
        if act < 0.68:
            return Removal(under.id, some.key, [], rng.randrange(AT))
        if act < 0.72:
            keep = [e.id for e in self.evil_said if isinstance(e.statement, Admission)]
            return Removal(under.id, some.key, sorted(set(keep))[:62], rng.randrange(AT))
        if act < 0.76:
            return SelfStatement(under.id, rng.randint(1, 2**53), "evil", [])
        # an epoch that it knows, with the digest of what counts, or of any removals
        covers = rng.choice([self.evil.judgement.covers, digest_of(map(StatementId, against))])
        tag = rng.choice([self.nonce(), *sorted(self.evil_held)])
        return EpochStatement(under.id, tag, covers, AT)

    def admission(
        self, who: Device, parent: bytes, over: list[StatementId], mode: str = "full"
    ) -> Admission:
        return Admission(who.key, who.name, mode, parent, list(over), self.nonce(), AT)

    # ---- what must hold --------------------------------------------------------------------------

    def check(self) -> bool:
        """Raise AssertionError for what must not be. Return whether R was removed for good."""
        honest = list(self.honest.values())
        self.check_equal(honest)
        removed = bool(self.removals_of_r) and not self.r_invited_again
        for each in honest:
            self.check_words(each.roster)
            self.check_lifted(each.roster)
            if removed and any(each.roster.counts(id) for id in self.removals_of_r):
                self.check_shut_out(each)
        return removed

    def check_equal(self, honest: list[Honest]) -> None:
        """P1, P7: all that met have equal live sets, modes and clean epochs."""
        views = []
        tags = set().union(*(each.held for each in honest), self.evil_held)
        for each in honest:
            roster = each.roster
            modes = {key: roster.mode(key) for key in roster.live()}
            clean = {tag for tag in tags if roster.clean(tag)}
            views.append((modes, clean, roster.judgement.covers, set(roster.judgement.valid)))
        # Who founded apart is one folder with the other only if each root holds at the other's.
        roots = set().union(*(each.roster.pins for each in honest))
        if all(roots <= set(each.roster.judgement.valid) for each in honest):
            assert all(view == views[0] for view in views), "P1: views differ"
            members = [h for h in honest if h.who.key in h.roster.live()]
            used = {each.roster.in_use(each.held) for each in members}
            assert len(used) <= 1 or not any(h.is_full() for h in members), "P1: epochs differ"

    def check_words(self, roster: Roster) -> None:
        """P6: nothing is kept that is in an honest one's name, and that it did not sign; nor of R
        what was signed for another folder. Nothing counts that is beyond its signer's mode."""
        for each in roster.after():
            letter = name_of(roster.signer(each.id))
            assert letter in "R" + PUPPETS or each.id in self.by_honest, (
                f"P6: {letter} never said it"
            )
        admissions = [e for e in roster.after() if isinstance(e.statement, Admission)]
        writers = {
            each.statement.device
            for each in admissions
            if each.statement.mode == "full" and (each.statement.parent or each.id in roster.pins)
        }
        judgement = roster.judgement
        for id in [*judgement.valid, *(r for ids in judgement.counting.values() for r in ids)]:
            signed = roster.statement(id)
            assert signed is not None
            parent = signed.statement.parent
            if not parent:
                continue
            under = roster.statement(parent).statement
            own_removal = isinstance(signed.statement, Removal) and (
                signed.statement.device == under.device
            )
            may = under.mode == "full" and under.device in writers
            assert may or own_removal, "P6: beyond its mode"

    def check_lifted(self, roster: Roster) -> None:
        """P5: a removal is undone only by an admission that names it."""
        for key in roster.live():
            mine = [e.statement for e in roster.after() if isinstance(e.statement, Admission)]
            over = [set(a.over) for a in mine if a.device == key]
            against = set(roster.removals_of(key))
            assert any(against <= each for each in over), "P5: undone by what does not name it"

    def check_shut_out(self, honest: Honest) -> None:
        """R was removed by an honest member, and no person let it in again."""
        roster = honest.roster
        live = roster.live()
        for name in "R" + PUPPETS:
            assert device(name).key not in live, f"{name} is in"
        # A root of R's own is valid where an admission of R is; it lets nobody in.
        late = self.signed_late & set(roster.judgement.valid)
        late -= {id for id in late if not roster.statement(id).statement.parent}
        assert not late, "signed after the removal, and valid"
        used = roster.in_use(honest.held)
        if used is not None:
            assert used not in self.evil_held, "R knows the epoch in use"


def run(seed: int) -> World:
    world = World(seed)
    world.run()
    world.check()
    return world
