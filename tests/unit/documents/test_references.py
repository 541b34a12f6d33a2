"""What code and pages say of other pages is there: files, headings, and the paths of the map."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.test_layers import ORDER

ROOT = Path(__file__).parents[3]
FOLDERS = ("bench", "config", "docs", "leftzmq", "tests")
MAP = ROOT / "docs" / "architecture.md"

PATH = re.compile(r"(?<![\w/.])docs/[\w./-]*\w", re.ASCII)
TITLED = re.compile(r'(?<![\w/.])(?:docs/)?([\w/-]+\.md), "([^"]+)"')
INSIDE = re.compile(r'"([^"]+)" in (?:docs/)?([\w/-]+\.md)')
SECTION = re.compile(r"(?<![\w/.])(?:docs/)?([\w/-]+\.md), section (\d+)")
DECISION = re.compile(r"decisions?[ /](?:in )?(\d{1,4})\b")
LINK = re.compile(r"\]\(([^()\s]+)\)")


def texts(*endings: str) -> Iterator[tuple[Path, str]]:
    """Every text of the repository, without the ends of its lines and the marks of comments."""
    inside = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*"))]
    for file in [*sorted(ROOT.glob("*")), *inside]:
        if file.suffix in endings:
            yield file, re.sub(r"\n\s*(# ?)?", " ", file.read_text())


def headings(page: Path) -> list[str]:
    """Those outside of code."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    return re.findall(r"^#+ (.+?)\s*$", text, re.M)


def anchor(heading: str) -> str:
    """As forges make it: small letters, no punctuation, spaces to hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def decisions() -> set[int]:
    return {int(file.name[:4]) for file in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}


def page_of(name: str) -> Path:
    """A page by its name; those of docs/ are also named without it."""
    here = ROOT / name
    return here if here.is_file() else ROOT / "docs" / name


def complaints(file: Path, text: str) -> Iterator[str]:
    for path in PATH.findall(text):
        numbered = re.fullmatch(r"docs/decisions/(\d{4})", path)
        is_there = int(numbered[1]) in decisions() if numbered else (ROOT / path).exists()
        if not is_there and "NNNN" not in path:
            yield f"{path} is not there"
    for number in DECISION.findall(text):
        if int(number) not in decisions():
            yield f"there is no decision {number}"
    titled = [(name, title) for name, title in TITLED.findall(text)]
    titled += [(name, title) for title, name in INSIDE.findall(text)]
    for name, title in titled:
        page = page_of(name)
        if not page.is_file() or title not in headings(page):
            yield f'{name} has no heading "{title}"'
    for name, number in SECTION.findall(text):
        page = page_of(name)
        if not page.is_file() or not any(h.startswith(f"{number}. ") for h in headings(page)):
            yield f"{name} has no section {number}"


def link_complaints(page: Path) -> Iterator[str]:
    for target in LINK.findall(re.sub(r"`[^`]*`", "", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, wanted = target.partition("#")
        aim = (page.parent / name).resolve() if name else page
        if not aim.exists():
            yield f"{target} leads nowhere"
        elif wanted and (not aim.is_file() or wanted not in map(anchor, headings(aim))):
            yield f"{target}: no heading has this anchor"


def test_what_is_said_of_a_page_is_there() -> None:
    seen = 0
    found = []
    for file, text in texts(".py", ".md", ".toml", ".cfg"):
        if file == Path(__file__):
            continue
        seen += len(PATH.findall(text))
        found += [f"{file.relative_to(ROOT)}: {each}" for each in complaints(file, text)]
    assert seen > 50
    assert not found, "\n".join(found)


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    pages = [file for file, _ in texts(".md")]
    assert len(pages) > 15
    found = [
        f"{page.relative_to(ROOT)}: {each}" for page in pages for each in link_complaints(page)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("see docs/nowhere.md", "docs/nowhere.md is not there"),
        ("(docs/decisions/0099)", "docs/decisions/0099 is not there"),
        ("see decision 99", "there is no decision 99"),
        ('docs/design.md, "Nothing"', 'design.md has no heading "Nothing"'),
        ('design.md, "Nothing"', 'design.md has no heading "Nothing"'),
        ('step 2 of "Nothing" in docs/design.md', 'design.md has no heading "Nothing"'),
        ("docs/protocol.md, section 99", "protocol.md has no section 99"),
    ],
)
def test_what_is_not_there_is_said(text: str, said: str) -> None:
    assert said in list(complaints(ROOT / "x.py", text))


def test_a_link_that_leads_nowhere_is_said(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# One `x`, two\n[a](a.md#one-x-two) [b](#one) [c](b.md) [d](https://x)\n")
    assert [each.split(":")[0] for each in link_complaints(page)] == [
        "#one",
        "b.md leads nowhere",
    ]


# -- docs/architecture.md -------------------------------------------------------------------------


def test_every_row_of_the_map_names_what_is_there() -> None:
    """`path.py` (`name`): the file is there, and the name stands in it."""
    part = MAP.read_text().split("\n## To change X, open Y\n")[1].split("\n## ")[0]
    rows = [row.split(" | ") for row in part.splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 25
    for subject, code, tests in rows:
        files = re.findall(r"`([\w/.]+(?:\.py|\.md|\.toml|/))`", code)
        assert files or "there is none" in code, subject
        for name in files:
            bases = (ROOT / "leftzmq", ROOT)
            is_bare = "/" not in name and name == "__init__.py"
            assert is_bare or any((base / name).exists() for base in bases), (subject, name)
        for name, held in re.findall(r"`([\w/]+\.py)` \(`(\w+)`", code):
            assert re.search(rf"\b{held}\b", (ROOT / "leftzmq" / name).read_text()), (name, held)
        named = re.findall(r"`([\w/]+\.py)`", tests)
        assert named, subject
        for name in named:
            assert (ROOT / "tests" / name).is_file(), (subject, name)


def test_the_picture_of_packages_is_the_order_of_imports() -> None:
    (picture,) = re.findall(r"```mermaid\nflowchart TD\n(.*?)```", MAP.read_text(), re.S)
    for inside, rows in ORDER.items():
        drawn = picture.split(f"subgraph {inside or 'leftzmq'}\n")[1].split("    end\n")[0]
        boxes = re.findall(r'\["([^"]+)"\]', drawn)
        assert boxes == [", ".join(row) for row in reversed(rows)]


def test_what_the_sequences_name_is_there() -> None:
    """Modules such as scan/classifier.judge: the last part may be a name in the module."""
    modules = {
        str(file.relative_to(ROOT / "leftzmq").with_suffix("")): file.read_text()
        for file in (ROOT / "leftzmq").rglob("*.py")
    }
    drawn = re.findall(r"```mermaid\nsequenceDiagram\n(.*?)```", MAP.read_text(), re.S)
    assert len(drawn) == 4 and ";" not in "".join(drawn)  # it would end the statement
    for name in {found for text in drawn for found in re.findall(r"\b\w+/[\w/]+(?:\.\w+)?", text)}:
        path, _, held = name.partition(".")
        found = [text for module, text in modules.items() if f"/{module}".endswith(f"/{path}")]
        is_package = any(f"/{m}".endswith(f"/{path}/__init__") for m in modules)
        assert found or is_package, name
        assert not held or any(re.search(rf"\b{held}\b", text) for text in found), name
