"""The bytes of one file of ignore rules, or the local rules of peer.toml, as rules and mistakes.

Knows lines. Must not know where the file lies, nor which other files rule beside it.

A line that is wrong has no effect; the others hold. A file that is too large or is no text is
`unusable` as a whole: who reads it keeps the rules that it read before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from leftzmq.errors import RuleFault
from leftzmq.tree.conflict import CONFLICT_MARK
from leftzmq.tree.ignoring.pattern import Pattern, RuleFaulty, parse_pattern

LEFTIGNORE: Final = ".leftignore"
GITIGNORE: Final = ".gitignore"

MAX_FILE_BYTES: Final = 256 * 1024
MAX_RULES: Final = 10_000
MAX_WILD_BYTES: Final = 32 * 1024
"""In all rules that no table can hold: the worst case of a name is its bytes times these. With all
of them written to be slow, a name of 255 bytes takes 0.28 ms (bench/ignoring.py)."""

_BOM: Final = b"\xef\xbb\xbf"
_DIRECTIVE: Final = b"#left:"
_USES_GITIGNORE: Final = b"gitignore"
_MARK: Final = CONFLICT_MARK.encode()


class Rule(Struct, frozen=True):
    """line: its number in the file, from 1 on. text: the line, without spaces at its end."""

    line: int
    text: str
    pattern: Pattern


class Mistake(Struct, frozen=True):
    """line: its number, from 1 on; 0: the file as a whole. text: the line, or ""."""

    line: int
    fault: RuleFault
    text: str = ""

    def said(self, unit: str) -> str:
        """The sentence that a user reads. unit: what has the number, "line" or "rule"."""
        place = f"{unit} {self.line}: " if self.line else ""
        text = f"{self.text!r}: " if self.text else ""
        return f"{place}{text}{self.fault.value}"


class RuleFile(Struct, frozen=True):
    """What one file says.

    rules: in the order of their lines
    uses_gitignore: it has the line `#left: gitignore`
    unusable: why the file as a whole cannot be read, or None. The rules are then those of an
        earlier reading, if there are any
    """

    rules: tuple[Rule, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    uses_gitignore: bool = False
    unusable: Mistake | None = None


@dataclass(slots=True)
class _Read:
    rules: list[Rule] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)

    def take(self, number: int, line: bytes) -> None:
        """Add the rule or the mistake of one line that is no comment."""
        line = _without_spaces_at_end(line)
        if not line:
            return
        text = line.decode(errors="surrogateescape")
        try:
            pattern = parse_pattern(line)
        except RuleFaulty as faulty:
            self.mistakes.append(Mistake(number, faulty.fault, text))
            return
        self.rules.append(Rule(number, text, pattern))
        if not pattern.undoes and _MARK in pattern.text.rpartition(b"/")[2]:
            self.mistakes.append(Mistake(number, RuleFault.NAMES_CONFLICT_COPY, text))

    def file(self) -> RuleFile:
        if len(self.rules) > MAX_RULES:
            return RuleFile(unusable=Mistake(0, RuleFault.TOO_MANY_RULES))
        wild = sum(len(rule.pattern.text) for rule in self.rules if rule.pattern.is_wild)
        if wild > MAX_WILD_BYTES:
            return RuleFile(unusable=Mistake(0, RuleFault.TOO_MANY_WILDCARDS))
        return RuleFile(tuple(self.rules), tuple(self.mistakes))


def parse_leftignore(data: bytes) -> RuleFile:
    """A `.leftignore`, or a conflict copy of one."""
    parsed = parse_gitignore(data)
    if parsed.unusable is not None or _DIRECTIVE not in data:
        return parsed
    uses_gitignore, mistakes = False, list(parsed.mistakes)
    for number, line in _lines(data):
        if not line.startswith(_DIRECTIVE):
            continue
        if line.removeprefix(_DIRECTIVE).strip() == _USES_GITIGNORE:
            uses_gitignore = True
        else:
            mistakes.append(Mistake(number, RuleFault.UNKNOWN_DIRECTIVE, line.decode()))
    mistakes.sort(key=lambda mistake: mistake.line)
    return replace(parsed, mistakes=tuple(mistakes), uses_gitignore=uses_gitignore)


def parse_rules(path: str, data: bytes) -> RuleFile:
    """The rule file at `path`, which may be a conflict copy of one."""
    return (
        parse_leftignore(data) if LEFTIGNORE in path.rpartition("/")[2] else parse_gitignore(data)
    )


def parse_gitignore(data: bytes) -> RuleFile:
    """A `.gitignore`, or a conflict copy of one. `#left:` in it is a comment."""
    unusable = _no_text(data)
    if unusable is not None:
        return RuleFile(unusable=unusable)
    read = _Read()
    for number, line in _lines(data):
        if not line.startswith(b"#"):
            read.take(number, line)
    return read.file()


def parse_local(rules: Sequence[str]) -> RuleFile:
    """The rules of one [[folder]] in peer.toml, one a string. The first has the number 1."""
    lines = [rule.encode(errors="surrogateescape") for rule in rules]
    if sum(map(len, lines)) > MAX_FILE_BYTES:
        return RuleFile(unusable=Mistake(0, RuleFault.TOO_LARGE))
    read = _Read()
    for number, (rule, line) in enumerate(zip(rules, lines, strict=True), 1):
        if b"\n" in line or b"\0" in line:
            read.mistakes.append(Mistake(number, RuleFault.NOT_ONE_LINE, rule))
        elif line.startswith(_DIRECTIVE):
            read.mistakes.append(Mistake(number, RuleFault.DIRECTIVE_ELSEWHERE, rule))
        elif not line.startswith(b"#"):
            read.take(number, line)
    return read.file()


def _no_text(data: bytes) -> Mistake | None:
    """Why the file is not read at all, or None."""
    if len(data) > MAX_FILE_BYTES:
        return Mistake(0, RuleFault.TOO_LARGE)
    if (at := data.find(b"\0")) >= 0:
        return Mistake(data.count(b"\n", 0, at) + 1, RuleFault.NOT_TEXT)
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return Mistake(data.count(b"\n", 0, error.start) + 1, RuleFault.NOT_UTF8)
    return None


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, line) without a mark of byte order and without the ends of lines."""
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), 1):
        yield number, line.removesuffix(b"\r")


def _without_spaces_at_end(line: bytes) -> bytes:
    """A space at the end counts only behind a backslash that is not escaped itself."""
    if not line.endswith(b" "):
        return line
    kept = line.rstrip(b" ")
    escapes = len(kept) - len(kept.rstrip(b"\\"))
    return kept + b" " if escapes % 2 else kept
