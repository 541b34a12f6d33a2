"""docs/why.md has every reason of `leftzmq why` as the code has it, and each reason has a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

from leftzmq.errors import ProblemKind
from leftzmq.sync.admin.why.here import OF_PROBLEM
from leftzmq.sync.admin.why.reasons import WhyNot, because

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "why.md"
TESTS = ROOT / "tests/unit/sync/admin/test_why.py"
CODE = ROOT / "leftzmq/sync/admin/why"
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| ([^|]*) \| `(\w+)` \|$", re.M)
ALWAYS = {"path", "peer"}
"""What `because` gives to each sentence."""


def test_the_page_has_each_reason_with_its_sentences() -> None:
    rows = ROW.findall(DOCUMENT.read_text())
    found = {word: (sentence, cure.strip()) for word, _, sentence, cure, _ in rows}
    assert found == {each.word: (each.value.sentence, each.value.cure) for each in WhyNot}
    assert len(found) == len(rows) == len({each.word for each in WhyNot})


def test_each_reason_names_a_test_that_exists() -> None:
    tree = ast.parse(TESTS.read_text())
    tests = {
        node.name: ast.unparse(node) for node in tree.body if isinstance(node, ast.FunctionDef)
    }
    of_problems = {each for each in OF_PROBLEM.values() if each is not None}
    for word, _, _, _, test in ROW.findall(DOCUMENT.read_text()):
        (why,) = [each for each in WhyNot if each.word == word]
        assert test in tests, test
        is_of_problem = why in of_problems and "OF_PROBLEM" in tests[test]
        assert is_of_problem or f"WhyNot.{why.name}" in tests[test], word


def test_each_problem_has_its_place() -> None:
    assert OF_PROBLEM.keys() == set(ProblemKind)


def words_of(why: WhyNot) -> set[str]:
    texts = (why.value.sentence, why.value.cure)
    return {name for text in texts for _, name, _, _ in Formatter().parse(text) if name}


def calls() -> list[ast.Call]:
    trees = [ast.parse(file.read_text()) for file in sorted(CODE.glob("*.py"))]
    nodes = (node for tree in trees for node in ast.walk(tree))
    found = [
        node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) == "because"
    ]
    assert len(found) > 30
    return found


def test_who_gives_a_reason_gives_the_words_of_its_sentences() -> None:
    """A word that is missing would end the agent."""
    for call in calls():
        given = ALWAYS | {str(each.arg) for each in call.keywords}
        which = ast.unparse(call.args[0])
        if which.startswith("WhyNot."):
            assert words_of(WhyNot[which.removeprefix("WhyNot.")]) <= given, ast.unparse(call)


@pytest.mark.parametrize("why", [each for each in WhyNot if each in OF_PROBLEM.values()])
def test_a_problem_gives_the_words_of_every_sentence(why: WhyNot) -> None:
    assert because(why, detail=" (x)", folder="f", what="it").text


def test_a_sentence_keeps_what_is_in_a_name() -> None:
    assert "{path}" in because(WhyNot.NOT_FETCHED, path="{path}{0}").cure
