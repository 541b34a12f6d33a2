"""Our answers are git's, over many shares that chance made.

Where our meaning is another one on purpose, no case is made: rule files themselves (never
ignored), conflict copies, local rules and litter; a rule file that is not UTF-8 or has a NUL; and
`foo**/bar`, which git 2.39 does not read as gitignore(5) says (`reads_two_ways`).
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.rule_file import parse_leftignore
from leftzmq.tree.ignoring.share_rules import NOTHING, IgnoreRules
from tests.helpers.ignore_cases import GitSays, Share, ask_git, make_share

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

PATHS = 100


def rules_of(share: Share) -> IgnoreRules:
    rules = IgnoreRules(litter=NOTHING)
    for folder, text in share.rules.items():
        path = os.fsdecode(folder + b"/" if folder else b"") + ".leftignore"
        rules = rules.with_file(path, parse_leftignore(text))
    return rules


def our_answers(share: Share) -> dict[bytes, GitSays | None]:
    rules = rules_of(share)
    kinds = dict.fromkeys(share.folders, Kind.DIRECTORY) | dict.fromkeys(share.files, Kind.FILE)
    said: dict[bytes, GitSays | None] = {}
    for path, kind in kinds.items():
        ignored = rules.verdict(os.fsdecode(path), kind)
        if ignored is None:
            said[path] = None
        else:
            folder = os.fsencode(ignored.file.removesuffix(".leftignore").rstrip("/"))
            said[path] = GitSays(folder, ignored.rule.line)
    return said


def compare(base: Path, seed: int, shares: int) -> None:
    """All answers of so many shares, with the rule that decides."""
    chance = random.Random(seed)
    made = [make_share(chance, PATHS) for _ in range(shares)]
    ignored = 0
    for number, (share, git) in enumerate(zip(made, ask_git(base, made), strict=True)):
        ours = our_answers(share)
        assert len(git) == PATHS
        wrong = {path: (git[path], ours[path]) for path in git if git[path] != ours[path]}
        assert not wrong, (seed, number, share.rules, wrong)
        ignored += sum(answer is not None for answer in git.values())
    assert 0.2 < ignored / (shares * PATHS) < 0.8


def test_a_few_shares(tmp_path: Path) -> None:
    compare(tmp_path, 1, 5)


@pytest.mark.slow
def test_10_000_paths(tmp_path: Path) -> None:
    compare(tmp_path, 101, 100)
