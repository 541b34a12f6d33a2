"""What a planted bug is: text that stands in a file, and what a careless hand would make of it.

Knows files as text. Must not know how a bug is caught.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Edit:
    """`anchor` stands exactly once in `file` (from the top of the repository)."""

    file: str
    anchor: str
    instead: str


@dataclass(frozen=True, slots=True)
class Bug:
    """One mistake.

    breaks: the sentence of docs/design.md, or of what it was written from, that does not hold then
    laws:   how a seed of the simulation may end for this very mistake; another end is no catch
    tests:  of the room concerned, run when neither the simulation nor the laws catch it
    """

    name: str
    breaks: str
    edits: tuple[Edit, ...]
    laws: frozenset[str]
    tests: tuple[str, ...]


def misplaced(bug: Bug, tree: Path) -> list[str]:
    """Which anchors of a bug do not stand exactly once in their files, as sentences."""
    found = []
    for edit in bug.edits:
        file = tree / edit.file
        count = file.read_text().count(edit.anchor) if file.is_file() else 0
        if count != 1:
            found.append(f"{bug.name}: {edit.anchor!r} stands {count} times in {edit.file}")
    return found


def plant(bug: Bug, tree: Path) -> None:
    """Make the mistake in this tree. Raises ValueError where an anchor is not to be found once."""
    if complaints := misplaced(bug, tree):
        raise ValueError("; ".join(complaints))
    for edit in bug.edits:
        file = tree / edit.file
        file.write_text(file.read_text().replace(edit.anchor, edit.instead))
