"""All rules of a share together: the three groups, rule files and their copies, what a change
reaches."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from leftzmq.errors import RuleFault
from leftzmq.tree.conflict import conflict_path
from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.automaton import Memory
from leftzmq.tree.ignoring.rule_file import (
    RuleFile,
    parse_gitignore,
    parse_leftignore,
    parse_local,
)
from leftzmq.tree.ignoring.share_rules import (
    MAX_FILES_IN_FORCE,
    NOTHING,
    Group,
    IgnoreRules,
    is_rule_file,
    original_name,
)
from leftzmq.tree.path import is_within, name_of
from tests.helpers.ignore_cases import make_share
from tests.helpers.trees import file, made


def copy_of(path: str, content: str = "one") -> str:
    """The path of a conflict copy."""
    return conflict_path(made("a", file(path, content, 1_700_000_000)))


def read(path: str, text: str) -> RuleFile:
    name = original_name(name_of(path))
    return (parse_leftignore if name == ".leftignore" else parse_gitignore)(text.encode())


def share(files: dict[str, str], local: tuple[str, ...] = ()) -> IgnoreRules:
    read_files = {path: read(path, text) for path, text in files.items()}
    return IgnoreRules(parse_local(local)).with_files(read_files)


def ignored(rules: IgnoreRules, *paths: str) -> list[str]:
    """Those of the paths that are ignored; a folder ends in a slash."""
    return [
        path
        for path in paths
        if rules.verdict(path.rstrip("/"), Kind.DIRECTORY if path.endswith("/") else Kind.FILE)
    ]


# -- the three groups ------------------------------------------------------------------------------


def test_each_group_ignores_by_itself() -> None:
    rules = share({".leftignore": "!l\n!.DS_Store\na\n"}, ("!a", "!.DS_Store", "l"))
    assert ignored(rules, "a", "l", ".DS_Store", "b") == ["a", "l", ".DS_Store"]
    found = [rules.verdict(path, Kind.FILE) for path in ("a", "l", ".DS_Store")]
    assert [each and each.group for each in found] == [Group.RULE_FILE, Group.LOCAL, Group.LITTER]


def test_within_a_group_a_sign_undoes() -> None:
    rules = share({".leftignore": "*.o\n!a.o\n", "d/.leftignore": "!*.o\n"}, ("*.c", "!a.c"))
    assert ignored(rules, "a.o", "b.o", "d/b.o", "a.c", "d/a.c", "d/b.c") == ["b.o", "d/b.c"]


def test_the_answer_names_the_rule_and_what_it_matched() -> None:
    rules = share({"d/.leftignore": "# x\n/build/\n"}, ("l/",))
    found = rules.verdict("d/build/a/b", Kind.FILE)
    assert found is not None
    assert (found.file, found.rule.line, found.rule.text) == ("d/.leftignore", 2, "/build/")
    assert found.path == "d/build"
    found = rules.verdict("d/l/x", Kind.FILE)
    assert found is not None and (found.file, found.rule.line, found.path) == ("", 1, "d/l")


def test_an_ignored_folder_ends_it_whichever_group_says_so() -> None:
    rules = share({".leftignore": "!d/a\n", "d/.leftignore": "!*\n"}, ("d/",))
    assert ignored(rules, "d/", "d/a", "d/b/", "d/b/c", "d") == ["d/", "d/a", "d/b/", "d/b/c"]


def test_the_root_is_never_ignored() -> None:
    rules = share({".leftignore": "*\n**\n/\n"}, ("*",))
    assert rules.verdict("", Kind.DIRECTORY) is None


def test_what_is_neither_file_nor_folder_is_judged_as_a_file() -> None:
    rules = share({".leftignore": "a/\nb\n"})
    assert rules.verdict("a", None) is None and rules.verdict("a", Kind.SYMLINK) is None
    assert rules.verdict("b", None) is not None and rules.verdict("b", Kind.SYMLINK) is not None


def test_names_that_are_no_utf8_are_judged_by_their_bytes() -> None:
    rules = share({".leftignore": "?\n"})
    assert rules.verdict(os.fsdecode(b"\xff"), Kind.FILE) is not None
    assert rules.verdict(os.fsdecode(b"\xff\xff"), Kind.FILE) is None


# -- rule files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["*", ".leftignore", ".*", "/.leftignore", "**/.leftignore", "**"])
def test_rule_files_are_never_ignored(rule: str) -> None:
    for rules in (share({".leftignore": rule}), share({}, (rule,))):
        for path in (".leftignore", copy_of(".leftignore"), copy_of(copy_of(".leftignore"))):
            assert ignored(rules, path) == []
    assert ignored(share({".leftignore": "*\n!d/\n"}), "d/.leftignore", "d/a") == ["d/a"]


def test_but_with_their_folder() -> None:
    rules = share({".leftignore": "d/\n", "d/.leftignore": "!a\n"})
    assert ignored(rules, "d/.leftignore") == ["d/.leftignore"]


def test_a_gitignore_rules_where_a_directive_says_so() -> None:
    files = {".gitignore": "a\n.gitignore\n", "d/.gitignore": "b\n", "d/e/.gitignore": "c\n"}
    paths = ("a", "d/a", "d/b", "d/e/b", "d/e/c")
    assert ignored(share(files), *paths) == []
    assert ignored(share(files | {"d/.leftignore": "#left: gitignore\n"}), *paths) == [
        "d/b",
        "d/e/b",
        "d/e/c",
    ]
    every = share(files | {".leftignore": "#left: gitignore\n"})
    assert ignored(every, *paths) == list(paths)
    assert ignored(every, ".gitignore", "d/.gitignore", "f/.gitignore") == []


def test_a_gitignore_that_does_not_rule_is_a_file_like_any_other() -> None:
    rules = share({".leftignore": ".gitignore\n", "d/.leftignore": "#left: gitignore"})
    assert ignored(rules, ".gitignore", "c/.gitignore", "d/.gitignore", "d/e/.gitignore") == [
        ".gitignore",
        "c/.gitignore",
    ]


def test_a_leftignore_goes_before_a_gitignore_of_its_folder_and_not_of_one_below() -> None:
    top = "#left: gitignore\n!a\nb\n"
    rules = share({".leftignore": top, ".gitignore": "a\n!b\n", "d/.gitignore": "a\n!b\n"})
    assert ignored(rules, "a", "b", "d/a", "d/b") == ["b", "d/a"]


def test_a_directive_in_an_ignored_folder_is_not_read() -> None:
    rules = share({".leftignore": "d/\n", "d/.leftignore": "#left: gitignore\n"})
    assert [path for path, _ in rules.mistakes()] == []
    assert rules.folder("d").uses_gitignore == rules.folder("d/e").uses_gitignore == 0


def test_only_rule_files_are_taken() -> None:
    assert is_rule_file("a/.leftignore") and is_rule_file(copy_of("a/.gitignore"))
    for path in ("a", "a.leftignore", ".leftignore/a", ".LEFTIGNORE", copy_of("a")):
        assert not is_rule_file(path)
        with pytest.raises(ValueError, match=r"a|LEFT"):
            IgnoreRules().with_file(path, NOTHING)


# -- conflict copies -------------------------------------------------------------------------------


def test_a_conflict_copy_is_judged_by_the_name_of_its_file() -> None:
    rules = share({".leftignore": "secret.txt\n/only\n*.o\n*.conflict-*\n"})
    copies = [copy_of(path) for path in ("secret.txt", "d/secret.txt", "only", "d/only", "a.o")]
    assert ignored(rules, *copies) == [copies[0], copies[1], copies[2], copies[4]]
    assert ignored(rules, copy_of("a.txt"), copy_of(copy_of("a.txt"))) == []
    twice = copy_of(copy_of("secret.txt"))
    assert twice.count(".conflict-") == 2 and ignored(rules, twice) == [twice]


def test_a_folder_that_is_called_so_is_judged_by_its_own_name() -> None:
    name = copy_of("a")
    assert ignored(share({".leftignore": "a\n"}), name, f"{name}/") == [name]
    assert ignored(share({".leftignore": f"{name}/\n"}), name, f"{name}/") == [f"{name}/"]


SAYS = {"ignore": "a\n", "undo": "!a\n", "nothing": "x\n"}


@pytest.mark.parametrize("above", ["ignore", "nothing"])
@pytest.mark.parametrize("main", ["ignore", "undo", "nothing", "gone"])
@pytest.mark.parametrize("copy", ["ignore", "undo", "nothing"])
@pytest.mark.parametrize("other", ["ignore", "undo", "nothing", "none"])
def test_what_either_says_is_ignored_is_ignored(
    above: str, main: str, copy: str, other: str
) -> None:
    """As if each of the files had been alone in turn, and any of them ignores."""
    alone = [SAYS.get(main, ""), SAYS[copy], *([SAYS[other]] if other != "none" else [])]
    top = {".leftignore": SAYS[above]}
    wanted = any(ignored(share(top | {"d/.leftignore": text}), "d/a") for text in alone)
    together = dict(top)
    if main != "gone":
        together["d/.leftignore"] = SAYS[main]
    together[copy_of("d/.leftignore", "two")] = SAYS[copy]
    if other != "none":
        together[copy_of("d/.leftignore", "three")] = SAYS[other]
    assert bool(ignored(share(together), "d/a", "d/.leftignore")) is wanted


def test_a_directive_that_not_all_copies_have_lets_ignore_and_not_undo() -> None:
    files = {".leftignore": "*.o\n", "d/.gitignore": "a\n!b.o\n"}
    paths = ("d/a", "d/b.o", "d/.gitignore", copy_of("d/.gitignore"))
    copy, directive = copy_of("d/.leftignore"), "#left: gitignore\n"
    assert ignored(share(files), *paths) == ["d/b.o"]
    assert ignored(share({**files, "d/.leftignore": directive}), *paths) == ["d/a"]
    assert ignored(share({**files, "d/.leftignore": directive, copy: directive}), *paths) == ["d/a"]
    for some in ({"d/.leftignore": "", copy: directive}, {copy: directive}):
        assert ignored(share(files | some), *paths) == ["d/a", "d/b.o"]
        below = share({**files, **some, "d/e/.leftignore": directive, "d/e/.gitignore": "!c.o\n"})
        assert ignored(below, "d/e/b.o", "d/e/c.o") == ["d/e/b.o"]


# -- what cannot be read ---------------------------------------------------------------------------


def test_of_an_unusable_file_the_last_rules_hold_and_its_folder_is_closed() -> None:
    before = share({"d/.leftignore": "a\n#left: gitignore\n", "d/.gitignore": "b\n"})
    assert before.folder("d").closed is None
    after = before.with_file("d/.leftignore", parse_leftignore(b"\xff"))
    assert ignored(after, "d/a", "d/b", "d/c") == ["d/a", "d/b"]
    closed = after.folder("d/e/f").closed
    assert closed is not None and closed.file == "d/.leftignore"
    assert closed.mistake.fault is RuleFault.NOT_UTF8
    assert after.folder("").closed is None and after.folder("e").closed is None
    inner = after.with_file("d/e/.leftignore", read(".leftignore", "x\n")).folder("d/e")
    assert inner.closed == closed
    apart = after.with_file(".leftignore", read(".leftignore", "d/\n")).folder("d")
    assert apart.closed is None
    assert [mistake.fault for _, mistake in after.mistakes()] == [RuleFault.NOT_UTF8]
    again = after.with_file("d/.leftignore", parse_leftignore(b"c\n"))
    assert again.folder("d").closed is None and ignored(again, "d/a", "d/c") == ["d/c"]


def test_unusable_local_rules_leave_the_last_ones() -> None:
    rules = share({}, ("a",)).with_lists(parse_local(["*x"] * 20_000), NOTHING)
    assert ignored(rules, "a", ".DS_Store") == ["a"]
    assert [(path, mistake.fault) for path, mistake in rules.mistakes()] == [
        ("", RuleFault.TOO_MANY_RULES)
    ]
    closed = rules.folder("d").closed
    assert closed is not None and closed.file == ""
    rules = rules.with_lists(parse_local(["b"]), NOTHING)
    assert ignored(rules, "a", "b") == ["b"] and rules.folder("d").closed is None


def test_of_a_folder_with_too_many_rule_files_none_is_read_and_it_is_closed() -> None:
    files = {f"{'d/' * depth}.leftignore": f"a{depth}\n" for depth in range(MAX_FILES_IN_FORCE)}
    rules = share(files)
    deepest = "d/" * (MAX_FILES_IN_FORCE - 1)
    assert rules.folder(deepest.rstrip("/")).closed is None
    assert len(ignored(rules, *(f"{deepest}a{n}" for n in range(99)))) == MAX_FILES_IN_FORCE
    rules = rules.with_file(f"{deepest}d/.leftignore", read(".leftignore", "x\n"))
    closed = rules.folder(f"{deepest}d").closed
    assert closed is not None and closed.mistake.fault is RuleFault.TOO_MANY_FILES
    assert ignored(rules, f"{deepest}d/x", f"{deepest}d/a0") == [f"{deepest}d/a0"]
    assert [(path, m.fault.name) for path, m in rules.mistakes()] == [
        (f"{deepest}d/.leftignore", "TOO_MANY_FILES")
    ]
    assert str(MAX_FILES_IN_FORCE) in RuleFault.TOO_MANY_FILES.value


# -- mistakes --------------------------------------------------------------------------------------


def test_mistakes_are_told_with_their_files() -> None:
    rules = share(
        {
            ".leftignore": "d/\n.leftignore\n[\n.gitignore\n!.leftignore\n*\n!d2/\n",
            "d/.leftignore": "[\n",
            "d2/.leftignore": "#left: gitignore\n.gitignore\n",
            "d2/.gitignore": "/.gitignore/\n\\\n",
            ".gitignore": "[\n",
        },
        ("**/.leftignore", "a"),
    )
    assert [(path, m.line, m.fault.name) for path, m in rules.mistakes()] == [
        ("", 1, "NAMES_RULE_FILE"),
        (".leftignore", 2, "NAMES_RULE_FILE"),
        (".leftignore", 3, "OPEN_BRACKET"),
        ("d2/.gitignore", 1, "NAMES_RULE_FILE"),
        ("d2/.gitignore", 2, "ENDS_IN_BACKSLASH"),
        ("d2/.leftignore", 2, "NAMES_RULE_FILE"),
    ]


# -- changes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text", "reach"),
    [
        (".leftignore", "*.o\nx/\n", ""),
        (".leftignore", "# a word\n\nx/\n*.c\n", None),
        (".leftignore", "*.c\nx/\n", ""),
        (".leftignore", None, ""),
        (".leftignore", "\0", ""),
        ("d/.leftignore", "a\n", "d"),
        ("d/.leftignore", "", None),
        ("d/.leftignore", None, None),
        ("x/y/.leftignore", "a\n", None),
        ("d/.gitignore", "a\n", None),
        ("g/.gitignore", "a\n", "g"),
        ("g/h/.gitignore", "a\n", "g/h"),
        ("g/.leftignore", "", "g"),
        (copy_of("d/.leftignore"), "a\n", "d"),
        (copy_of("d/.leftignore"), "", "d"),
    ],
)
def test_reach(path: str, text: str | None, reach: str | None) -> None:
    rules = share({".leftignore": "x/\n*.c\n", "g/.leftignore": "#left: gitignore\n"})
    assert rules.reach(path, None if text is None else read(path, text)) == reach


def test_a_change_makes_another_value_and_reaches_only_what_is_said() -> None:
    """Over shares and changes made by chance; each value answers as one that was made at once."""
    chance = random.Random(7)
    reached = outside = 0
    for _ in range(24):
        case = make_share(chance, 60)
        other = make_share(chance, 60)
        kinds = {os.fsdecode(path): Kind.DIRECTORY for path in case.folders}
        kinds |= {os.fsdecode(path): Kind.FILE for path in case.files}
        texts: dict[str, bytes] = {}
        rules = IgnoreRules()
        for folder in [*case.rules, *case.rules, b"", *chance.sample(case.folders, 4)]:
            path = os.fsdecode(folder + b"/" if folder else b"") + chance.choice(
                (".leftignore", ".leftignore", ".gitignore", copy_of(".leftignore"))
            )
            text = chance.choice((*case.rules.values(), *other.rules.values(), b"", None))
            if text is not None and chance.random() < 0.2:
                text += b"\n#left: gitignore\n"
            before = {path: rules.verdict(path, kind) for path, kind in kinds.items()}
            new = None if text is None else read_bytes(path, text)
            reach = rules.reach(path, new)
            changed = rules.with_file(path, new)
            if text is None:
                texts.pop(path, None)
            else:
                texts[path] = text
            fresh = IgnoreRules()
            for each, content in texts.items():
                fresh = fresh.with_file(each, read_bytes(each, content))
            for asked, kind in kinds.items():
                now = changed.verdict(asked, kind)
                assert now == fresh.verdict(asked, kind)
                assert rules.verdict(asked, kind) == before[asked]
                inside = reach is not None and is_within(asked, reach)
                inside = inside or reach == ""
                if inside:
                    reached += now != before[asked]
                else:
                    outside += 1
                    assert (now is None) == (before[asked] is None), (asked, path, reach)
            rules = changed
    assert reached > 1000 and outside > 1000


def read_bytes(path: str, text: bytes) -> RuleFile:
    name = original_name(name_of(path))
    return (parse_leftignore if name == ".leftignore" else parse_gitignore)(text)


def test_what_is_remembered_of_folders_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leftzmq.tree.ignoring.share_rules.FOLDERS_BYTES", 20_000)
    rules, free = share({".leftignore": "a\n/d/b*\n"}), share({".leftignore": "a\n/d/b*\n"})
    for number in range(2000):
        path = f"d/{number % 700}/e"
        assert ignored(rules, f"{path}/a", f"{path}/b") == [f"{path}/a"]
        assert rules.remembered_folders() <= 20_000 // 256
    assert ignored(free, "d/bc", "d/c", "e/bc") == ignored(rules, "d/bc", "d/c", "e/bc") == ["d/bc"]


def test_threads_may_ask_one_value_while_it_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leftzmq.tree.ignoring.share_rules.FOLDERS_BYTES", 5_000)
    monkeypatch.setattr("leftzmq.tree.ignoring.share_rules.Memory", lambda: Memory(5_000))
    chance = random.Random(9)
    files = {"/".join([*"xyz"[:n], ".leftignore"]): f"*a*b{n}*\n!*c*\n/?/*b*a\n" for n in range(4)}
    paths = [
        "/".join(chance.choices(("x", "y", "z", "ab1", "bca", "aab2"), k=4)) for _ in range(300)
    ]
    wanted = ignored(share(files), *paths)
    assert 20 < len(wanted) < 280
    rules = share(files)
    changed = rules.with_file("x/.leftignore", None)
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(ignored, rules, *paths) for _ in range(20)]
        others = [threads.submit(ignored, changed, *paths) for _ in range(4)]
        assert all(each.result() == wanted for each in asked)
        assert len({tuple(each.result()) for each in others}) == 1


def test_an_unusable_file_changes_no_answer_when_it_is_read_again() -> None:
    """Each walk reads it again, and would judge all anew."""
    rules = IgnoreRules().with_file(".leftignore", parse_leftignore(b"secret\n"))
    broken = parse_leftignore(b"\xff")
    assert rules.reach(".leftignore", broken) == ""
    rules = rules.with_file(".leftignore", broken)
    assert rules.reach(".leftignore", broken) is None
    assert rules.reach(".leftignore", parse_leftignore(b"secret\n")) == ""
