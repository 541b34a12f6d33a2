"""What the worst rules may cost, in steps, bits and memory."""

from __future__ import annotations

import random
import string

import pytest

from leftzmq.tree.ignoring.automaton import Automaton, Memory, State
from leftzmq.tree.ignoring.matcher import Matcher
from leftzmq.tree.ignoring.pattern import parse_pattern
from leftzmq.tree.ignoring.rule_file import parse_leftignore

HOSTILE = (b"a*a*a*a*b", b"*a*a*a*a*a*a*a*a*a*a*b", b"**/a*a*/**/a*a*/**/b", b"?*?*?*?*?*b")


class Counting(Memory):
    """Counts what is added, and so the steps that were not remembered."""

    def __init__(self, most_bytes: int = 1 << 40) -> None:
        super().__init__(most_bytes)
        self.added = 0

    def add(self, size_bytes: int) -> None:
        self.added += 1
        super().add(size_bytes)


def run(state: State, name: bytes) -> State:
    for byte in name:
        state = state[byte]
    return state


def test_a_name_costs_a_step_a_byte_however_it_is_written() -> None:
    memory = Counting()
    patterns = [(number, parse_pattern(rule)) for number, rule in enumerate(HOSTILE * 50)]
    automaton = Automaton(patterns, memory)
    memory.added = 0
    assert run(automaton.start, b"a" * 255).ends == (-1, -1)
    assert memory.added <= 2 * 255  # a step, and perhaps a state
    assert run(automaton.start, b"a" * 254 + b"b").ends == (199, 199)
    assert memory.added <= 2 * 256


def test_a_byte_of_a_rule_is_at_most_three_bits() -> None:
    chance = random.Random(1)
    for rule in (*HOSTILE, b"*", b"?", b"[a]*", b"**/?", b"*/", b"/**", b"a/**/**/**/*b"):
        assert Automaton([(0, parse_pattern(rule))], Memory()).bits <= 3 * len(rule), rule
    rules = ["".join(chance.choices("ab*?", k=9)) + "*" for _ in range(1000)]
    patterns = [(number, parse_pattern(rule.encode())) for number, rule in enumerate(rules)]
    assert Automaton(patterns, Memory()).bits <= 3 * sum(map(len, rules))


def test_the_highest_number_wins_and_folders_alone_count_for_folders() -> None:
    rules = [b"*a", b"a*/", b"*b*", b"/ab*"]
    automaton = Automaton(list(enumerate(map(parse_pattern, rules))), Memory())
    assert run(automaton.start, b"a").ends == (0, 1)
    assert run(automaton.start, b"ab").ends == (3, 3)
    assert run(automaton.start, b"c/ab").ends == (2, 2)
    assert run(automaton.start, b"c").ends == (-1, -1)


@pytest.mark.parametrize("most_bytes", [1, 2000, 100_000])
def test_what_is_forgotten_changes_no_answer(most_bytes: int) -> None:
    chance = random.Random(2)
    rules = parse_leftignore(
        b"\n".join(b"*%c*%c*" % tuple(chance.choices(b"abcdef", k=2)) for _ in range(40))
    ).rules
    sure, forgetful = Matcher(rules, Memory()), Matcher(rules, Memory(most_bytes))
    for _ in range(300):
        name = "".join(chance.choices(string.ascii_lowercase[:8], k=12)).encode()
        assert sure.last(sure.top, name, False) is forgetful.last(forgetful.top, name, False)


def test_memory_is_bounded_over_all_that_share_it() -> None:
    memory = Memory(50_000)
    automata = [Automaton(list(enumerate(map(parse_pattern, HOSTILE))), memory) for _ in range(20)]
    chance = random.Random(3)
    for _ in range(200):
        for automaton in automata:
            run(automaton.start, bytes(chance.choices(b"ab", k=30)))
        assert sum(automaton.remembered() for automaton in automata) <= 50_000 // 96


def test_a_state_that_is_held_does_not_keep_those_that_were_forgotten() -> None:
    automaton = Automaton(list(enumerate(map(parse_pattern, HOSTILE))), Memory())
    before = run(automaton.start, b"aab").ends
    assert automaton.start and automaton.remembered() > 3
    automaton.forget()
    assert not automaton.start and automaton.remembered() == 0
    assert run(automaton.start, b"aab").ends == before
