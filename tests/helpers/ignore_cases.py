"""Shares with ignore rules and odd names, made by chance; what git says of each path in them.

Names are bytes, as a disk has them. Rule files are UTF-8, as ours must be.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ATOMS: Final = (
    *(b"a", b"b", b"ab", b"abc", b"build", b"x.log", b".log", b"log", b".", b"..a", b"Z", b"0"),
    *(b"!", b"#", b" ", b"  ", b"\\", b"[", b"]", b"[a]", b"*", b"**", b"?", b"-", b"^", b"{a}"),
    *(b"\n", b"\r", b"\t", b"\x01", b"\x7f", b"~", b"$", b":", b"'", b'"', b"(", b"(?i)", b"@"),
    *("ü".encode(), "u\u0308".encode(), "名".encode(), "\U0001f4c1".encode()),
    *(b"\xff", b"\xfe\xc3", b"\xa0"),
)
_RESERVED: Final = (b".", b"..", b".git", b".gitignore", b".leftignore")
_CLASSES: Final = (
    *(b"alnum", b"alpha", b"blank", b"cntrl", b"digit", b"graph"),
    *(b"lower", b"print", b"punct", b"space", b"upper", b"xdigit"),
)
_SPECIAL: Final = re.compile(rb"[*?\[\\]")


@dataclass(frozen=True, slots=True)
class Share:
    """rules: the bytes of a rule file by its folder. folders, files: what is asked; b"" is the
    share's root, and is not among them."""

    rules: dict[bytes, bytes]
    folders: tuple[bytes, ...]
    files: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GitSays:
    """The rule that ignores a path. folder: of its file, from the share's root on. line: from 1
    on."""

    folder: bytes
    line: int


def make_share(chance: random.Random, paths: int) -> Share:
    """A share of so many paths."""
    folders: list[bytes] = []
    for _ in range(paths // 4):
        above = chance.choice([b"", b"", *folders])
        if above.count(b"/") < 4:
            folders.append(_joined(above, _name(chance)))
    folders = list(dict.fromkeys(folders))
    files: dict[bytes, None] = {}
    while len(files) + len(folders) < paths:
        path = _joined(chance.choice([b"", *folders, *folders]), _name(chance))
        if path not in folders:
            files[path] = None
    asked = [*folders, *files]
    rules = {}
    for folder in [b"", *chance.sample(folders, 3)]:
        inside = [p for p in asked if p.startswith(folder + b"/")] if folder else asked
        below = [p[len(folder) + 1 :] if folder else p for p in inside] or [b"a"]
        end = chance.choice([b"\n", b"\n", b"\r\n"])
        lines = [_line(chance, below) for _ in range(chance.randrange(1, 9))]
        start = b"\xef\xbb\xbf" if chance.random() < 0.1 else b""
        rules[folder] = start + end.join(lines) + (end if chance.random() < 0.8 else b"")
    return Share(rules, tuple(folders), tuple(files))


def _joined(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def _name(chance: random.Random) -> bytes:
    while True:
        name = b"".join(chance.choice(_ATOMS) for _ in range(chance.choice((1, 1, 1, 2, 2, 3))))
        if name not in _RESERVED:
            return name


def _line(chance: random.Random, paths: list[bytes]) -> bytes:
    """A line that often fits one of the paths. It is UTF-8 and no directive."""
    while True:
        line = _wild(chance, chance.choice(paths)) if chance.random() < 0.8 else _noise(chance)
        if chance.random() < 0.2:
            line = b"!" + line
        if chance.random() < 0.1:
            line += chance.choice([b" ", b"  ", b"\\ ", b" \\ ", b"\t", b"\\"])
        is_whole = b"\n" not in line and b"\0" not in line and not line.endswith(b"\r")
        if is_whole and _is_utf8(line) and not reads_two_ways(line):
            return line


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def reads_two_ways(line: bytes) -> bool:
    """Whether git 2.39 reads the line otherwise than its documentation.

    Of `foo**/bar` git 2.39 compares `foo` by itself, and then takes `**` for a whole component. By
    gitignore(5) it is two common asterisks.
    """
    text = line.removeprefix(b"!").rstrip(b" ").removesuffix(b"/")
    if b"/" not in text:
        return False
    text = text.removeprefix(b"/")
    first = _SPECIAL.search(text)
    if first is None or first.start() == 0 or text[first.start() - 1] == ord("/"):
        return False
    return re.match(rb"\*\*+(/|\\/|\\?$)", text[first.start() :]) is not None


def _wild(chance: random.Random, path: bytes) -> bytes:
    """A pattern made from a path: parts of it replaced by what takes them, and sometimes more."""
    names = path.split(b"/")
    if chance.random() < 0.5:
        names = names[-1:]
    elif len(names) > 1 and chance.random() < 0.5:
        at = chance.randrange(len(names))
        names[at : at + chance.randrange(1, 3)] = [b"**"]
    line = b"/".join(name if name == b"**" else _wild_name(chance, name) for name in names)
    if chance.random() < 0.2:
        line = chance.choice([b"/", b"**/", b"/**/", b"//", b"./"]) + line
    if chance.random() < 0.25:
        line += chance.choice([b"/", b"/", b"/", b"/**", b"/*", b"/**/", b"//", b"\\/"])
    return line


def _wild_name(chance: random.Random, name: bytes) -> bytes:
    parts, at = [], 0
    while at < len(name):
        which = chance.random()
        if which < 0.1:
            at += chance.randrange(0, 4)
            parts.append(chance.choice([b"*", b"*", b"*", b"**", b"***"]))
        elif which < 0.18:
            parts.append(b"?")
            at += 1
        elif which < 0.27:
            parts.append(_bracket(chance, name[at]))
            at += 1
        elif which < 0.35:
            parts.append(b"\\" + name[at : at + 1])
            at += 1
        else:
            parts.append(name[at : at + 1])
            at += 1
    return b"".join(parts)


def _bracket(chance: random.Random, byte: int) -> bytes:
    """A set that often has this byte."""
    inside = []
    for _ in range(chance.randrange(1, 4)):
        which = chance.random()
        if which < 0.3:
            inside.append(bytes([byte]))
        elif which < 0.5:
            low, high = max(byte - chance.randrange(9), 1), min(byte + chance.randrange(9), 255)
            inside.append(bytes([low]) + b"-" + bytes([high]))
        elif which < 0.7:
            inside.append(b"[:" + chance.choice(_CLASSES) + b":]")
        else:
            inside.append(chance.choice(_BRACKET_ODDS))
    negation = chance.choice([b"", b"", b"", b"!", b"^"])
    return b"[" + negation + b"".join(inside) + (b"]" if chance.random() < 0.95 else b"")


_BRACKET_ODDS: Final = (
    *(
        b"]",
        b"-",
        b"!",
        b"^",
        b"\\]",
        b"\\-",
        b"\\\\",
        b"a-",
        b"-a",
        b"z-a",
        b"a-\\c",
        b"/",
        b"+-/",
    ),
    *(b"[", b"[:", b"[:]", b"[:x:]", b"[:alpha]", b"[.a.]", b"[=a=]", b" ", b"*", b"?", b"\\"),
)


def _noise(chance: random.Random) -> bytes:
    """Bytes of which patterns are made, without any path in mind."""
    parts = (*_ATOMS, b"*", b"*", b"**", b"?", b"/", b"/", b"**/", b"/**", b"[", b"[a-c]", b"\\")
    return b"".join(chance.choice(parts) for _ in range(chance.randrange(0, 6)))


def ask_git(base: Path, shares: list[Share]) -> list[dict[bytes, GitSays | None]]:
    """For each share what `git check-ignore` says of each of its paths, in one call."""
    here = os.fsencode(base)
    subprocess.run(["git", "init", "-q", base], check=True, env=_environment(base))
    asked = []
    for index, share in enumerate(shares):
        top = b"%s/%d" % (here, index)
        os.mkdir(top)
        for folder in share.folders:
            os.mkdir(top + b"/" + folder)
        for folder, text in share.rules.items():
            with open(_joined(top + b"/" + folder if folder else top, b".gitignore"), "wb") as file:  # noqa: PTH123
                file.write(text)
        asked += [b"%d/%s" % (index, path) for path in (*share.folders, *share.files)]
    command = ["git", "-c", "core.ignorecase=false", "-c", "core.precomposeunicode=false"]
    command += ["check-ignore", "--no-index", "--verbose", "--non-matching", "-z", "--stdin"]
    done = subprocess.run(
        command,
        cwd=base,
        input=b"".join(path + b"\0" for path in asked),
        stdout=subprocess.PIPE,
        env=_environment(base),
        check=False,
    )
    assert done.returncode in (0, 1), done.returncode
    fields = done.stdout.split(b"\0")[:-1]
    assert len(fields) == 4 * len(asked)
    said: list[dict[bytes, GitSays | None]] = [{} for _ in shares]
    for source, line, pattern, path in zip(*(iter(fields),) * 4, strict=True):
        number, _, rest = path.partition(b"/")
        answer = None
        if pattern and not pattern.startswith(b"!"):
            folder = source.removesuffix(b".gitignore").rstrip(b"/").partition(b"/")[2]
            answer = GitSays(folder, int(line))
        said[int(number)][rest] = answer
    return said


def _environment(home: Path) -> dict[str, str]:
    """A git that knows no config."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(home.parent),
    }
