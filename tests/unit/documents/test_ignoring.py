"""docs/ignoring.md: each example ignores what its table says, and the built-in list is whole."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.litter import LITTER
from leftzmq.tree.ignoring.rule_file import (
    MAX_FILE_BYTES,
    MAX_RULES,
    RuleFile,
    parse_local,
    parse_rules,
)
from leftzmq.tree.ignoring.share_rules import LITTER_RULES, IgnoreRules

TEXT = (Path(__file__).parents[3] / "docs" / "ignoring.md").read_text()
PARTS = re.compile(
    r"^`(?P<name>[^`]+)`:\n\n```\w*\n(?P<text>.*?)^```$"
    r"|^\| path \| \|\n\|[-|]+\n(?P<rows>(?:\|[^\n]*\n)+)",
    re.S | re.M,
)


@dataclass
class Example:
    """The files of rules, the local rules, and each path with whether it is ignored."""

    files: dict[str, RuleFile] = field(default_factory=dict)
    local: RuleFile = field(default_factory=RuleFile)
    paths: dict[str, bool] = field(default_factory=dict)


def examples() -> list[Example]:
    found = [Example()]
    for part in PARTS.finditer(TEXT):
        example, name, text = found[-1], part["name"], part["text"]
        if name == "peer.toml":
            example.local = parse_local(tomllib.loads(text)["ignore"])
        elif name:
            example.files[name] = parse_rules(name, text.encode())
        else:
            rows = re.findall(r"^\| `([^`]+)` \| (ignored|synced) \|$", part["rows"], re.M)
            assert len(rows) == part["rows"].count("\n"), part["rows"]
            example.paths = {path: word == "ignored" for path, word in rows}
            found.append(Example())
    assert found.pop() == Example(), "rules without a table"
    return found


@pytest.mark.parametrize("example", examples())
def test_an_example_ignores_what_it_says(example: Example) -> None:
    rules = IgnoreRules(example.local, LITTER_RULES).with_files(dict(example.files))
    assert not list(rules.mistakes())
    found = {
        path: rules.verdict(path.rstrip("/"), Kind.DIRECTORY if path.endswith("/") else Kind.FILE)
        is not None
        for path in example.paths
    }
    assert found == example.paths


def test_there_is_an_example_of_each_kind() -> None:
    assert len(examples()) == TEXT.count("| path | |") > 6
    assert any(example.local.rules for example in examples())
    assert any(len(example.files) > 1 for example in examples())
    assert any(file.uses_gitignore for each in examples() for file in each.files.values())


def test_the_built_in_list_is_whole() -> None:
    listed = re.findall(
        r"^\| `([^`]+)` \| (.+) \|$", TEXT.partition("## The built-in list")[2], re.M
    )
    assert listed == [(litter.rule.replace("\r", r"\r"), litter.source) for litter in LITTER]


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"over {MAX_FILE_BYTES >> 10} KiB or {MAX_RULES:,}" in " ".join(TEXT.split())
