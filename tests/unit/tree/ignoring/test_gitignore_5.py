"""Every sentence of gitignore(5) about the format of patterns, as small cases; git agrees on each.

The sentences are quoted, of git 2.39; what a case adds to its sentence stands behind the quote.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.rule_file import parse_leftignore
from leftzmq.tree.ignoring.share_rules import NOTHING, IgnoreRules
from tests.helpers.ignore_cases import Share, ask_git

BLANK = "A blank line matches no files, so it can serve as a separator for readability."
COMMENT = "A line starting with # serves as a comment."
HASH = 'Put a backslash ("\\") in front of the first hash for patterns that begin with a hash.'
SPACES = 'Trailing spaces are ignored unless they are quoted with backslash ("\\").'
NEGATES = (
    'An optional prefix "!" which negates the pattern; any matching file excluded by a previous '
    "pattern will become included again."
)
PARENT = "It is not possible to re-include a file if a parent directory of that file is excluded."
BANG = 'Put a backslash in front of the first "!" for patterns that begin with a literal "!".'
RELATIVE = (
    "If there is a separator at the beginning or middle (or both) of the pattern, then the pattern "
    "is relative to the directory level of the particular .gitignore file itself."
)
ANY_LEVEL = "Otherwise the pattern may also match at any level below the .gitignore level."
FOLDERS = (
    "If there is a separator at the end of the pattern then the pattern will only match "
    "directories, otherwise the pattern can match both files and directories."
)
FROTZ = (
    "A pattern doc/frotz/ matches doc/frotz directory, but not a/doc/frotz directory; however "
    "frotz/ matches frotz and a/frotz that is a directory."
)
STAR = 'An asterisk "*" matches anything except a slash.'
MARK = 'The character "?" matches any one character except "/".'
RANGE = "The range notation, e.g. [a-zA-Z], can be used to match one of the characters in a range."
LEADING = 'A leading "**" followed by a slash means match in all directories.'
TRAILING = 'A trailing "/**" matches everything inside, with infinite depth.'
MIDDLE = (
    "A slash followed by two consecutive asterisks then a slash matches zero or more directories."
)
OTHER = "Other consecutive asterisks are considered regular asterisks."
SOURCES = (
    "Patterns in the higher level files being overridden by those in lower level files down to the "
    "directory containing the file; within one level the last matching pattern decides."
)
FNMATCH = "See fnmatch(3) and the FNM_PATHNAME flag for a more detailed description."

# (sentence, rule file in the root, path, whether it is ignored); a path that ends in / is a folder
CASES: list[tuple[str, bytes, bytes, bool]] = [
    (BLANK, b"\n\n", b"a", False),
    (BLANK + " Nor does one of spaces.", b"  \n", b"  ", False),
    (BLANK + " Nor one of a return.", b"\r\n", b"\r", False),
    (BLANK + " A tab is no blank.", b"\t\n", b"\t", True),
    (COMMENT, b"#a\n", b"#a", False),
    (COMMENT + " Not behind a space.", b" #a\n", b" #a", True),
    (HASH, b"\\#a\n", b"#a", True),
    (HASH + " Only the first needs it.", b"a#\n", b"a#", True),
    (SPACES, b"a  \n", b"a", True),
    (SPACES, b"a  \n", b"a  ", False),
    (SPACES, b"a\\ \n", b"a ", True),
    (SPACES, b"a\\ \n", b"a", False),
    (SPACES + " Those behind a quoted one go.", b"a\\   \n", b"a ", True),
    (SPACES + " A quoted backslash quotes nothing.", b"a\\\\ \n", b"a\\", True),
    (SPACES + " Others stay.", b" a b\n", b" a b", True),
    (SPACES + " Tabs stay.", b"a\t\n", b"a", False),
    (SPACES + " A return before them stays.", b"a\r \n", b"a\r", True),
    (SPACES + " A return is the end of a line.", b"a \r\n", b"a", True),
    ("The last line may have no end.", b"b\na", b"a", True),
    ("The last line may have no end.", b"b\na\r", b"a", True),
    ("A mark of byte order goes.", b"\xef\xbb\xbfa\n", b"a", True),
    ("A mark of byte order goes.", b"\xef\xbb\xbf#a\n", b"#a", False),
    ("A mark of byte order goes, once.", b"\n\xef\xbb\xbfa\n", b"a", False),
    (NEGATES, b"*.log\n!a.log\n", b"a.log", False),
    (NEGATES, b"*.log\n!a.log\n", b"b.log", True),
    (NEGATES, b"*.log\n!a.log\na*\n", b"a.log", True),
    (NEGATES + " Not by an earlier line.", b"!a.log\n*.log\n", b"a.log", True),
    (NEGATES + " A second sign is a name's.", b"!!a\n!b\n", b"!a", False),
    (PARENT, b"build/\n!build/keep\n", b"build/keep", True),
    (PARENT, b"build/*\n!build/keep\n", b"build/keep", False),
    (PARENT, b"/*\n!/a\n/a/*\n!/a/b\n", b"a/b", False),
    (PARENT, b"/*\n!/a\n/a/*\n!/a/b\n", b"a/c", True),
    (BANG, b"\\!important!.txt\n", b"!important!.txt", True),
    (RELATIVE, b"/a\n", b"a", True),
    (RELATIVE, b"/a\n", b"b/a", False),
    (RELATIVE, b"a/b\n", b"a/b", True),
    (RELATIVE, b"a/b\n", b"c/a/b", False),
    (RELATIVE, b"/a/b\n", b"a/b", True),
    (RELATIVE, b"/*.c\n", b"a.c", True),
    (RELATIVE, b"/*.c\n", b"b/a.c", False),
    (RELATIVE + " A quoted slash is one.", b"a\\/b\n", b"a/b", True),
    (ANY_LEVEL, b"a\n", b"a", True),
    (ANY_LEVEL, b"a\n", b"b/c/a", True),
    (ANY_LEVEL, b"*.c\n", b"b/a.c", True),
    (ANY_LEVEL + " A slash at the end is no such separator.", b"a/\n", b"b/a/", True),
    (FOLDERS, b"a/\n", b"a/", True),
    (FOLDERS, b"a/\n", b"a", False),
    (FOLDERS, b"a\n", b"a/", True),
    (FOLDERS, b"*.d/\n!x*\n", b"y.d", False),
    (FOLDERS, b"*/\n", b"a/", True),
    (FOLDERS, b"*/\n", b"a", False),
    (FROTZ, b"doc/frotz/\n", b"doc/frotz/", True),
    (FROTZ, b"doc/frotz/\n", b"a/doc/frotz/", False),
    (FROTZ, b"frotz/\n", b"frotz/", True),
    (FROTZ, b"frotz/\n", b"a/frotz/", True),
    (STAR, b"a*b\n", b"ab", True),
    (STAR, b"a*b\n", b"a\n\xffb", True),
    (STAR, b"a/*/b\n", b"a/c/b", True),
    (STAR, b"a/*/b\n", b"a/b", False),
    (STAR, b"a/*/b\n", b"a/c/d/b", False),
    (STAR, b"a/*b\n", b"a/c/b", False),
    (STAR + " Also a dot at the beginning.", b"*\n", b".a", True),
    (STAR, b"a/*\n", b"a/", False),
    (MARK, b"a?c\n", b"abc", True),
    (MARK, b"a?c\n", b"ac", False),
    (MARK, b"x/a?c\n", b"x/a/c", False),
    (MARK + " A character is a byte.", b"a?c\n", "aüc".encode(), False),
    (MARK + " A character is a byte.", b"a??c\n", "aüc".encode(), True),
    (RANGE, b"[a-c]\n", b"b", True),
    (RANGE, b"[a-c]\n", b"d", False),
    (RANGE, b"[a-cx-z]\n", b"y", True),
    (RANGE, b"[c-a]\n", b"b", False),
    (RANGE + " The case counts.", b"[a-c]\n", b"B", False),
    (FNMATCH + " Set.", b"[abc]\n", b"c", True),
    (FNMATCH + " Set.", b"[abc]\n", b"abc", False),
    (FNMATCH + " Complement.", b"[!a]\n", b"b", True),
    (FNMATCH + " Complement.", b"[^a]\n", b"b", True),
    (FNMATCH + " Complement.", b"[!a]\n", b"a", False),
    (FNMATCH + " Complement.", b"[a!]\n", b"!", True),
    (FNMATCH + " ] first.", b"[]]\n", b"]", True),
    (FNMATCH + " ] first.", b"[!]]\n", b"]", False),
    (FNMATCH + " ] first.", b"[!]]\n", b"a", True),
    (FNMATCH + " ] quoted.", b"[a\\]]\n", b"]", True),
    (FNMATCH + " - at an end.", b"[-a]\n", b"-", True),
    (FNMATCH + " - at an end.", b"[a-]\n", b"-", True),
    (FNMATCH + " - quoted.", b"[a\\-c]\n", b"b", False),
    (FNMATCH + " - behind a range.", b"[a-c-e]\n", b"d", False),
    (FNMATCH + " - behind a range.", b"[a-c-e]\n", b"-", True),
    (FNMATCH + " Never a slash.", b"a[/]b\n", b"a/b", False),
    (FNMATCH + " Never a slash.", b"a[!b]c\n", b"a/c", False),
    (FNMATCH + " Never a slash.", b"x/a[+-0]b\n", b"x/a/b", False),
    (FNMATCH + " Class.", b"[[:alpha:]]\n", b"Q", True),
    (FNMATCH + " Class.", b"[[:alpha:]]\n", b"1", False),
    (FNMATCH + " Class.", b"[![:alpha:]]\n", b"1", True),
    (FNMATCH + " Class.", b"[[:digit:]x]\n", b"x", True),
    (FNMATCH + " Class, of ASCII alone.", b"[[:alpha:]][[:alpha:]]\n", "ü".encode(), False),
    (FNMATCH + " Class that is none.", b"[[:spaci:]]\n", b"s", False),
    (FNMATCH + " Class that is not closed.", b"[[:alpha]\n", b"p", True),
    (FNMATCH + " Class that is not closed.", b"[[:]\n", b":", True),
    (FNMATCH + " Class that is not closed.", b"[[:]\n", b"[", True),
    (FNMATCH + " Quoted.", b"\\*\n", b"*", True),
    (FNMATCH + " Quoted.", b"\\*\n", b"a", False),
    (FNMATCH + " Quoted.", b"\\a\n", b"a", True),
    (FNMATCH + " A quote of nothing.", b"a\\\n", b"a\\", False),
    (FNMATCH + " A bracket that is not closed.", b"[a\n", b"[a", False),
    (FNMATCH + " (?i) is no syntax.", b"(?i)a\n", b"A", False),
    (LEADING, b"**/foo\n", b"foo", True),
    (LEADING, b"**/foo\n", b"a/b/foo", True),
    (LEADING, b"**/foo/bar\n", b"foo/bar", True),
    (LEADING, b"**/foo/bar\n", b"a/foo/bar", True),
    (LEADING, b"**/foo/bar\n", b"a/foo/b/bar", False),
    (LEADING, b"**/foo\n", b"afoo", False),
    (LEADING + " Stars more are no more.", b"***/foo\n", b"a/b/foo", True),
    (LEADING + " Also twice.", b"**/**/foo\n", b"foo", True),
    (LEADING + " A quoted slash needs a name before it.", b"**\\/foo\n", b"foo", False),
    (LEADING + " A quoted slash needs a name before it.", b"**\\/foo\n", b"a/b/foo", True),
    (TRAILING, b"abc/**\n", b"abc/d/e", True),
    (TRAILING, b"abc/**\n", b"abc/", False),
    (TRAILING, b"abc/**\n", b"x/abc/d", False),
    (TRAILING, b"abc/**\n!abc/d/\n", b"abc/d/e", True),
    (TRAILING, b"/**\n", b"a/b", True),
    (TRAILING + " Folders alone.", b"abc/**/\n", b"abc/d", False),
    (TRAILING + " Folders alone.", b"abc/**/\n", b"abc/d/", True),
    (MIDDLE, b"a/**/b\n", b"a/b", True),
    (MIDDLE, b"a/**/b\n", b"a/x/b", True),
    (MIDDLE, b"a/**/b\n", b"a/x/y/b", True),
    (MIDDLE, b"a/**/b\n", b"ab", False),
    (MIDDLE, b"a/**/b\n", b"a/xb", False),
    (MIDDLE, b"a/**/*.c/**/d?\n", b"a/x/y.c/z/d1", True),
    (OTHER, b"a**b\n", b"axb", True),
    (OTHER, b"x/a**b\n", b"x/a/b", False),
    (OTHER, b"/*/a**\n", b"x/ab", True),
    (OTHER, b"**b\n", b"x/ab", True),
    (OTHER, b"x/*a**/c\n", b"x/a/b/c", False),
    ("A slash at both ends.", b"/a/\n", b"a/", True),
    ("A slash at both ends.", b"/a/\n", b"b/a/", False),
    ("A slash alone.", b"/\n!/\n!\n", b"a/", False),
    ("Two slashes.", b"//a\n", b"a", False),
    ("Two slashes.", b"//\\[a]\n", b"[a]", False),
    ("Two slashes.", b"a//b\n", b"a/b", False),
    ("A dot.", b"./a\n", b"a", False),
]


def place(path: bytes) -> tuple[str, Kind]:
    return path.removesuffix(b"/").decode(errors="surrogateescape"), (
        Kind.DIRECTORY if path.endswith(b"/") else Kind.FILE
    )


@pytest.mark.parametrize(
    ("sentence", "rules", "path", "ignored"),
    CASES,
    ids=[f"{rules!r} {path!r}" for _, rules, path, _ in CASES],
)
def test_a_sentence(sentence: str, rules: bytes, path: bytes, ignored: bool) -> None:
    share = IgnoreRules(litter=NOTHING).with_file(".leftignore", parse_leftignore(rules))
    assert (share.verdict(*place(path)) is not None) is ignored, sentence


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_agrees(tmp_path: Path) -> None:
    shares = []
    for _, rules, path, _ in CASES:
        names = path.removesuffix(b"/").split(b"/")
        above = tuple(b"/".join(names[:depth]) for depth in range(1, len(names)))
        whole = b"/".join(names)
        is_folder = path.endswith(b"/")
        folders = (*above, whole) if is_folder else above
        shares.append(Share({b"": rules}, folders, () if is_folder else (whole,)))
    for case, said in zip(CASES, ask_git(tmp_path, shares), strict=True):
        assert (said[case[2].removesuffix(b"/")] is not None) is case[3], case


CLASSES = "alnum alpha blank cntrl digit graph lower print punct space upper xdigit"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_agrees_on_every_byte_of_every_class(tmp_path: Path) -> None:
    names = tuple(b"a%c" % byte for byte in range(1, 256) if byte != ord("/"))
    texts = [b"a[[:%s:]]\n" % name.encode() for name in CLASSES.split()]
    for text, said in zip(
        texts, ask_git(tmp_path, [Share({b"": text}, (), names) for text in texts]), strict=True
    ):
        rules = IgnoreRules(litter=NOTHING).with_file(".leftignore", parse_leftignore(text))
        wrong = [
            name
            for name in names
            if (rules.verdict(*place(name)) is None) is not (said[name] is None)
        ]
        assert len(names) == 254 and not wrong, text


def test_stars_behind_a_part_of_a_name_are_regular() -> None:
    """OTHER, where git 2.39 differs from it."""
    rules = IgnoreRules(litter=NOTHING).with_file(".leftignore", parse_leftignore(b"foo**/bar\n"))
    paths = ("foo/bar", "foox/bar", "foo/x/bar", "foox/y/bar", "foobar")
    found = [path for path in paths if rules.verdict(path, Kind.FILE) is not None]
    assert found == ["foo/bar", "foox/bar"]


def test_files_in_lower_folders_override() -> None:
    rules = IgnoreRules(litter=NOTHING)
    rules = rules.with_file(".leftignore", parse_leftignore(b"*.log\n/a/x\n"))
    rules = rules.with_file("a/.leftignore", parse_leftignore(b"!*.log\n/y\n"))
    rules = rules.with_file("a/b/.leftignore", parse_leftignore(b"*.log\n!keep.log\n"))
    ignored = [
        path
        for path in ("l.log", "a/l.log", "a/b/l.log", "a/b/keep.log", "a/x", "a/y", "a/b/y", "y")
        if rules.verdict(path, Kind.FILE) is not None
    ]
    assert ignored == ["l.log", "a/b/l.log", "a/x", "a/y"], SOURCES
