"""One file of ignore rules: its rules, its mistakes, its bounds."""

from __future__ import annotations

import pytest

from leftzmq.errors import RuleFault
from leftzmq.tree.ignoring.pattern import parse_pattern
from leftzmq.tree.ignoring.rule_file import (
    MAX_FILE_BYTES,
    MAX_RULES,
    MAX_WILD_BYTES,
    Mistake,
    parse_gitignore,
    parse_leftignore,
    parse_local,
)


def test_rules_have_their_lines_and_texts() -> None:
    file = parse_leftignore(b"# x\n\na \r\n!b/\n  \n\\#c\\ ")
    assert [(rule.line, rule.text) for rule in file.rules] == [
        (3, "a"),
        (4, "!b/"),
        (6, "\\#c\\ "),
    ]
    assert not file.mistakes and file.unusable is None and not file.uses_gitignore


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"/", RuleFault.NAMES_NOTHING),
        (b"!", RuleFault.NAMES_NOTHING),
        (b"!/", RuleFault.NAMES_NOTHING),
        (b"//a", RuleFault.EMPTY_NAME),
        (b"//", RuleFault.NAMES_NOTHING),
        (b"///", RuleFault.EMPTY_NAME),
        (b"a//", RuleFault.EMPTY_NAME),
        (b"a//*", RuleFault.EMPTY_NAME),
        (b"a\\//b", RuleFault.EMPTY_NAME),
        (b"//\\[a]", RuleFault.EMPTY_NAME),
        (b"./a", RuleFault.DOT_NAME),
        (b"../*.c", RuleFault.DOT_NAME),
        (b"a/./b", RuleFault.DOT_NAME),
        (b"..", RuleFault.DOT_NAME),
        (b"\\.", RuleFault.DOT_NAME),
        (b"a\\", RuleFault.ENDS_IN_BACKSLASH),
        (b"a\\/", RuleFault.ENDS_IN_BACKSLASH),
        (b"a[b", RuleFault.OPEN_BRACKET),
        (b"[", RuleFault.OPEN_BRACKET),
        (b"[]", RuleFault.OPEN_BRACKET),
        (b"[!]", RuleFault.OPEN_BRACKET),
        (b"[a-", RuleFault.OPEN_BRACKET),
        (b"[a\\", RuleFault.OPEN_BRACKET),
        (b"[a\\]", RuleFault.OPEN_BRACKET),
        (b"[[:alpha:", RuleFault.OPEN_BRACKET),
        (b"a[/]b", RuleFault.EMPTY_BRACKET),
        (b"[[:word:]]", RuleFault.UNKNOWN_CLASS),
        (b"[[:ALPHA:]]", RuleFault.UNKNOWN_CLASS),
        (b"[[::]]", RuleFault.UNKNOWN_CLASS),
    ],
)
def test_a_line_that_can_match_nothing_is_a_mistake(line: bytes, fault: RuleFault) -> None:
    file = parse_leftignore(b"a\n" + line + b"\nb\n")
    assert file.mistakes == (Mistake(2, fault, line.decode()),)
    assert [rule.line for rule in file.rules] == [1, 3]


@pytest.mark.parametrize(
    ("text", "uses", "faults"),
    [
        (b"#left: gitignore\n", True, []),
        (b"#left:gitignore\r\n", True, []),
        (b"\xef\xbb\xbf#left: \t gitignore  ", True, []),
        (b"# left: gitignore\n", False, []),
        (b" #left: gitignore\n", False, []),
        (b"#left gitignore\n", False, []),
        (b"#left: gitignores\na[\n", False, [(1, "UNKNOWN_DIRECTIVE"), (2, "OPEN_BRACKET")]),
        (b"a[\n#left:\n", False, [(1, "OPEN_BRACKET"), (2, "UNKNOWN_DIRECTIVE")]),
        (b"#left: gitignore\n#left: \xc3\xbc\n", True, [(2, "UNKNOWN_DIRECTIVE")]),
    ],
)
def test_the_directive(text: bytes, uses: bool, faults: list[tuple[int, str]]) -> None:
    file = parse_leftignore(text)
    assert file.uses_gitignore is uses
    assert [(mistake.line, mistake.fault.name) for mistake in file.mistakes] == faults


def test_in_a_gitignore_it_is_a_comment() -> None:
    file = parse_gitignore(b"#left: gitignore\n#left: x\na\n")
    assert not file.uses_gitignore and not file.mistakes and len(file.rules) == 1


@pytest.mark.parametrize("rule", [b"*.conflict-*", b"a.conflict-1", b"x/a.conflict-*"])
def test_a_rule_for_conflict_copies_is_said(rule: bytes) -> None:
    """It stands, as such a name need not be a copy's."""
    file = parse_leftignore(rule)
    assert [mistake.fault for mistake in file.mistakes] == [RuleFault.NAMES_CONFLICT_COPY]
    assert len(file.rules) == 1
    assert not parse_leftignore(b"!" + rule).mistakes
    assert not parse_leftignore(b"a.conflict-1/b").mistakes


@pytest.mark.parametrize(
    ("text", "line", "fault"),
    [
        (b"a\nb\n\xfc\nc", 3, RuleFault.NOT_UTF8),
        (b"a\n#\xff", 2, RuleFault.NOT_UTF8),
        ("ä\n".encode("utf-16"), 1, RuleFault.NOT_TEXT),
        ("a\nb".encode("utf-16-le"), 1, RuleFault.NOT_TEXT),
        (b"a\nb\0", 2, RuleFault.NOT_TEXT),
        (b"#" * (MAX_FILE_BYTES + 1), 0, RuleFault.TOO_LARGE),
        (b"a\n" * (MAX_RULES + 1), 0, RuleFault.TOO_MANY_RULES),
        (b"*aaaaaaa\n" * (MAX_WILD_BYTES // 8) + b"?", 0, RuleFault.TOO_MANY_WILDCARDS),
    ],
)
def test_a_file_that_is_unusable_has_no_rule(text: bytes, line: int, fault: RuleFault) -> None:
    for parse in (parse_leftignore, parse_gitignore):
        file = parse(text)
        assert file.unusable == Mistake(line, fault)
        assert not file.rules and not file.mistakes


@pytest.mark.parametrize(
    "text",
    [
        b"#" * MAX_FILE_BYTES,
        b"a\n" * MAX_RULES,
        b"*aaaaaaa\n" * (MAX_WILD_BYTES // 8) + b"*.c\na/b\n\\*\n",
    ],
)
def test_up_to_the_bounds_it_is_usable(text: bytes) -> None:
    assert parse_leftignore(text).unusable is None


def test_the_sentences_name_the_bounds() -> None:
    assert f"{MAX_FILE_BYTES // 1024} KiB" in RuleFault.TOO_LARGE.value
    assert f"{MAX_RULES:,} rules" in RuleFault.TOO_MANY_RULES.value
    assert f"{MAX_WILD_BYTES // 1024} KiB" in RuleFault.TOO_MANY_WILDCARDS.value


def test_local_rules() -> None:
    file = parse_local(["a ", "# no rule", "!b", "", "a\nb", "a\0", "#left: gitignore", "[", "c\r"])
    assert [(rule.line, rule.text) for rule in file.rules] == [(1, "a"), (3, "!b"), (9, "c\r")]
    assert [(mistake.line, mistake.fault) for mistake in file.mistakes] == [
        (5, RuleFault.NOT_ONE_LINE),
        (6, RuleFault.NOT_ONE_LINE),
        (7, RuleFault.DIRECTIVE_ELSEWHERE),
        (8, RuleFault.OPEN_BRACKET),
    ]
    assert parse_local(["é" * 1000] * 200).unusable == Mistake(0, RuleFault.TOO_LARGE)
    assert parse_local(["a"] * (MAX_RULES + 1)).unusable == Mistake(0, RuleFault.TOO_MANY_RULES)


@pytest.mark.parametrize(
    ("line", "literal", "suffix", "last_name"),
    [
        (b"a", b"a", None, b"a"),
        (b"/a", b"a", None, b"a"),
        (b"a/b/", b"a/b", None, b"b"),
        (b"a/\\*", b"a/*", None, b"*"),
        (b"[a]", b"a", None, b"a"),
        (b"*.c", None, b".c", None),
        (b"*.tar.gz", None, None, None),
        (b"*.", None, b".", None),
        (b"*.c?", None, None, None),
        (b"/*.c", None, None, None),
        (b"**/a", None, None, b"a"),
        (b"*/a\\b", None, None, b"ab"),
        (b"a/**", None, None, None),
        (b"*", None, None, None),
        (b"a*\\/b", None, None, b"b"),
    ],
)
def test_what_a_table_can_hold(
    line: bytes, literal: bytes | None, suffix: bytes | None, last_name: bytes | None
) -> None:
    pattern = parse_pattern(line)
    assert (pattern.literal, pattern.suffix, pattern.last_name) == (literal, suffix, last_name)
    assert pattern.is_wild is (literal is None and suffix is None)
