"""Packages import in one direction only, and some libraries are imported by one package only.

Reads every import with ast (those inside functions and under TYPE_CHECKING too), so it also sees
what no test runs. docs/design.md, "The packages", is where the order comes from.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath

import pytest

PACKAGE = Path(__file__).parents[2] / "leftzmq"

# From the bottom up, for the whole and for the two packages that hold many: a room may import those
# in lines before its own, and its own. Rooms on one line do not know each other. pairing stands
# above wire, because it keeps the statements that wire decodes.
ORDER = {
    "": (
        ("crockford", "errors", "quick_enum"),
        ("bandwidth", "endpoint", "statedir", "tree"),
        ("content", "index"),
        ("config",),
        ("disk", "wire"),
        ("pairing",),
        ("sync",),
        ("transport", "work"),
        ("runtime",),
        ("web",),
        ("cli",),
    ),
    "disk": (
        ("fs",),
        ("chunk_reader", "scan", "trash", "watcher"),
        ("share", "staging"),
        ("apply",),
    ),
    "sync": (
        ("link",),
        ("jobs",),
        ("facts",),
        ("actions", "versions"),
        ("download", "problems", "reopening", "trash_keeper"),
        ("guard", "scan", "upload"),
        ("peers",),
        ("exchange",),
        ("apply",),
        ("folder",),
        ("admin", "heartbeat"),
        ("routes",),
        ("node",),
    ),
}
RANK = {
    inside: {room: rank for rank, rooms in enumerate(rows) for room in rooms}
    for inside, rows in ORDER.items()
}
MOST_MODULES = 15
"""In one package."""

# What is outside the package, and the only rooms or modules that may import it.
THREADS = ("work", "runtime", "transport", "cli.demo.capture")
DOORS = {
    "nacl": ("content",),
    "blake3": ("content",),
    "pyfastcdc": ("content",),
    "msgpack": ("wire",),
    # Rosters are no index: they outlive an index that is set aside.
    "sqlite3": ("index", "pairing.roster_store"),
    "watchdog": ("disk.watcher",),
    "zmq": ("transport",),
    "zeroconf": ("transport",),
    "spake2": ("content",),
    "mnemonic": ("pairing",),
    "starlette": ("web",),
    "uvicorn": ("web",),
    "prometheus_client": ("web",),
    "threading": THREADS,
    "_thread": THREADS,
    "concurrent": THREADS,
    "multiprocessing": THREADS,
    "asyncio": (*THREADS, "web"),
}
# fs/real is the only way to the file system in disk/; linux holds the kernel calls that Python
# lacks, renaming the renames that overwrite nothing, both for fs alone.
BEHIND_FS = {"disk.fs.linux", "disk.fs.renaming"}
FILE_SYSTEM_MODULES = {"disk.fs.real"} | BEHIND_FS
FILE_SYSTEM = {"os", "io", "shutil", "tempfile", "glob", "fcntl", "ctypes", "mmap"}
# A Path may be handed on as a value (where a share lies); what it can do to a disk may not.
PATH_CALLS = set(dir(Path)) - set(dir(PurePath))
# Time, chance and the world are arguments in the rooms of pure values and machines.
IMPURE = {"time", "random", "secrets", "uuid", "os", "io", "shutil", "tempfile", "socket", "select"}
PURE_ROOMS = {"bandwidth", "tree", "wire", "sync"}


def room_of(module: str) -> str:
    return module.split(".")[0]


def is_in(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


@dataclass
class Source:
    """What this test asks of a module, read in one walk. The tree itself is not kept: a million
    nodes would make each later test slower.

    imports: (line, dotted name) of every import; relative ones spelled out
    calls: (line, dotted name) of every call of a plain name or of an attribute of one
    paths: the parameters and variables that are annotated as a Path
    classes: of the module itself
    """

    imports: list[tuple[int, str]] = field(default_factory=list)
    calls: list[tuple[int, str]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    classes: list[str] = field(default_factory=list)


@cache
def source_of(file: Path, package: Path) -> Source:
    """Several tests ask for the same module, and none writes a file twice.

    package: the directory of the whole package
    """
    inside = [package.name, *file.relative_to(package).parts[:-1]]
    tree = ast.parse(file.read_text(), str(file))
    source = Source(classes=[node.name for node in tree.body if isinstance(node, ast.ClassDef)])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            source.imports += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = inside[: len(inside) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            source.imports += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Call) and (called := dotted(node.func)):
            source.calls.append((node.lineno, called))
        elif isinstance(node, ast.arg | ast.AnnAssign) and is_path(node.annotation):
            name = node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)
            source.paths.add(name)
    return source


def is_path(annotation: ast.expr | None) -> bool:
    words = "" if annotation is None else ast.unparse(annotation).replace("|", " ")
    return "Path" in words.split()


def dotted(node: ast.expr) -> str:
    """`a.b.c`; "" of what is no such chain."""
    if isinstance(node, ast.Name):
        return node.id
    holder = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{holder}.{node.attr}" if holder and isinstance(node, ast.Attribute) else ""


def no_place(module: str, inside: str, rank: dict[str, int]) -> str:
    """The room of `module` that the order inside one package forgot, or ""."""
    lead = f"{inside}." if inside else ""
    room = room_of(module.removeprefix(lead))
    return f"{lead}{room}" if module.startswith(lead) and room not in rank else ""


def misplaced(module: str, imported: str, inside: str, rank: dict[str, int]) -> str:
    """Why `module` may not import `imported` by the order inside one package, or ""."""
    lead = f"{inside}." if inside else ""
    if not (module.startswith(lead) and imported.startswith(lead)):
        return ""
    room, other = room_of(module.removeprefix(lead)), room_of(imported.removeprefix(lead))
    if other not in rank:
        return f"imports {lead}{other}, a room without a place"
    if rank[other] > rank[room]:
        return f"{room} imports {other}, which stands above it"
    if rank[other] == rank[room] and other != room:
        return f"{room} imports {other}, which stands beside it"
    return ""


def complaint(module: str, imported: str) -> str:
    """Why `module` (dotted, without the package) may not import `imported`, or ""."""
    room = room_of(module)
    top, _, rest = imported.partition(".")
    if top == PACKAGE.name:
        if rest.startswith("__"):  # a name of the package itself, such as __version__
            return ""
        for inside, rank in RANK.items():
            if why := misplaced(module, rest, inside, rank):
                return why
        behind = next((place for place in BEHIND_FS if is_in(rest, place)), None)
        if behind is not None and module not in FILE_SYSTEM_MODULES:
            return f"imports {behind.replace('.', '/')}, whose only door is disk/fs/real"
        return ""
    doors = DOORS.get(top)
    if doors is not None and not any(is_in(module, door) for door in doors):
        return f"imports {top}, whose only door is {doors[0].replace('.', '/')}"
    if room == "disk" and module not in FILE_SYSTEM_MODULES and top in FILE_SYSTEM:
        return f"imports {top}: in disk only disk/fs makes file system calls"
    if room in PURE_ROOMS and top in IMPURE:
        return f"imports {top}: in {room} time, chance and the world are arguments"
    return ""


def call_complaint(module: str, name: str, paths: set[str]) -> str:
    """Why `module`, where `paths` are names of Paths, may not call `name`, or ""."""
    if name in ("__import__", "importlib.import_module"):
        return f"{name} hides an import from this test"
    if room_of(module) not in PURE_ROOMS | {"disk"} or module in FILE_SYSTEM_MODULES:
        return ""
    holder, _, method = name.rpartition(".")
    makes_a_path = name == "Path" or holder == "Path"
    if name == "open" or makes_a_path or (holder in paths and method in PATH_CALLS):
        return f"{name}(): only disk/fs makes file system calls here"
    return ""


def violations(package: Path) -> list[str]:
    """Every breach, as a sentence with file and line."""
    found = []
    for file in sorted(package.rglob("*.py")):
        parts = list(file.relative_to(package).with_suffix("").parts)
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        here = file.relative_to(package.parent)
        if not module:  # the package's own __init__: its version, and nothing else
            module = "errors"
        homeless = next(filter(None, (no_place(module, *order) for order in RANK.items())), "")
        if homeless:
            found.append(f"{here}:1: {homeless} has no place in ORDER: give it one")
            continue
        source = source_of(file, package)
        for line, imported in source.imports:
            why = complaint(module, imported)
            if why:
                found.append(f"{here}:{line}: {why}")
        for line, name in source.calls:
            why = call_complaint(module, name, source.paths)
            if why:
                found.append(f"{here}:{line}: {why}")
    return found


def test_rooms_import_downwards_and_doors_are_kept() -> None:
    found = violations(PACKAGE)
    assert not found, "\n" + "\n".join(found)


def test_the_walk_sees_the_package() -> None:
    files = [file.relative_to(PACKAGE) for file in PACKAGE.rglob("*.py")]
    assert len(files) > 10
    for inside, rank in RANK.items():
        depth = len(Path(inside).parts)
        seen = {f.parts[depth].removesuffix(".py") for f in files if is_below(f, inside)}
        assert set(rank) == seen - {"__init__", "py.typed"}


def is_below(file: Path, package: str) -> bool:
    return not package or file.is_relative_to(package)


def test_no_package_is_crowded() -> None:
    crowded = []
    for package in [PACKAGE, *(file.parent for file in PACKAGE.rglob("*/__init__.py"))]:
        name = ".".join(package.relative_to(PACKAGE).parts)
        count = len(list(package.glob("*.py"))) - 1
        if count > MOST_MODULES:
            crowded.append(f"{name or PACKAGE.name}: {count} modules, {MOST_MODULES} at most")
    assert not crowded, "\n".join(crowded)
    assert len(RANK["sync"]) <= 20


def test_no_class_has_the_name_of_another_one() -> None:
    where: dict[str, list[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        for name in source_of(file, PACKAGE).classes:
            where.setdefault(name, []).append(str(file.relative_to(PACKAGE)))
    assert len(where) > 300
    assert not [f"{name}: {files}" for name, files in where.items() if len(files) > 1]


def test_no_package_has_a_circle_of_imports() -> None:
    """Seen from each package: its modules and packages never import each other in a circle."""
    arrows: dict[tuple[str, str], set[str]] = {}
    modules = {
        ".".join(f.relative_to(PACKAGE).with_suffix("").parts) for f in PACKAGE.rglob("*.py")
    }
    for file in PACKAGE.rglob("*.py"):
        parts = list(file.relative_to(PACKAGE).with_suffix("").parts)
        for _, imported in source_of(file, PACKAGE).imports:
            other = imported.split(".")
            if other.pop(0) != PACKAGE.name:
                continue
            depth = next(
                (i for i, (a, b) in enumerate(zip(parts, other, strict=False)) if a != b), None
            )
            if depth is not None and parts[-1] != "__init__":
                inside = ".".join(parts[:depth])
                arrows.setdefault((inside, parts[depth]), set()).add(other[depth])
    assert len(arrows) > 100 and "sync.node" in modules
    for (inside, room), others in arrows.items():
        reached, front = set(), set(others)
        while front:
            reached |= front
            front = {c for b in front for c in arrows.get((inside, b), ())} - reached
        assert room not in reached, f"{inside or PACKAGE.name}: {room} imports itself by {reached}"


@pytest.mark.parametrize(
    ("module", "source", "said"),
    [
        (
            "tree/a.py",
            "from leftzmq.wire.codec import x",
            ":1: tree imports wire, which stands above",
        ),
        ("tree/a.py", "from leftzmq import cli", ":1: tree imports cli, which stands above it"),
        ("tree/a.py", "import leftzmq.index.store as s", ":1: tree imports index, which stands"),
        (
            "sync/folder.py",
            "def f():\n    from ..work import threads",
            ":2: sync imports work, which stands",
        ),
        (
            "content/__init__.py",
            "from ..index.store import x",
            ":1: content imports index, which stands beside",
        ),
        ("errors.py", "from leftzmq.tree import path", ":1: errors imports tree, which stands"),
        ("runtime/a.py", "from leftzmq.cli import agent", ":1: runtime imports cli, which stands"),
        (
            "transport/a.py",
            "from leftzmq.runtime.agent import x",
            ":1: transport imports runtime, which stands above it",
        ),
        (
            "tree/a.py",
            "from leftzmq.helpers import x",
            ":1: imports helpers, a room without a place",
        ),
        ("sync/a.py", "", ":1: sync.a has no place in ORDER: give it one"),
        (
            "sync/download/a.py",
            "from leftzmq.sync.problems import x",
            ":1: download imports problems, which stands beside it",
        ),
        (
            "sync/versions/a.py",
            "from leftzmq.sync.apply import x",
            ":1: versions imports apply, which stands above it",
        ),
        ("helpers.py", "", ":1: helpers has no place in ORDER: give it one"),
        ("wire/a.py", "import nacl.bindings", ":1: imports nacl, whose only door is content"),
        (
            "disk/scan/a.py",
            "from blake3 import blake3",
            ":1: imports blake3, whose only door is content",
        ),
        ("sync/folder.py", "import msgpack", ":1: imports msgpack, whose only door is wire"),
        ("disk/scan/a.py", "import sqlite3", ":1: imports sqlite3, whose only door is index"),
        ("cli/a.py", "import zmq", ":1: imports zmq, whose only door is transport"),
        ("statedir.py", "import zmq", ":1: imports zmq, whose only door is transport"),
        (
            "wire/a.py",
            "if 1:\n  import threading",
            ":2: imports threading, whose only door is work",
        ),
        (
            "disk/scan/a.py",
            "import watchdog",
            ":1: imports watchdog, whose only door is disk/watcher",
        ),
        ("disk/scan/a.py", "import os", ":1: imports os: in disk only disk/fs makes file"),
        (
            "disk/scan/a.py",
            "from leftzmq.disk.fs import linux",
            ":1: imports disk/fs/linux, whose only door is",
        ),
        (
            "disk/scan/a.py",
            "from ..fs.linux import syncfs",
            ":1: imports disk/fs/linux, whose only door is",
        ),
        ("disk/scan/a.py", "open('x')", ":1: open(): only disk/fs makes file system calls here"),
        ("disk/scan/a.py", "Path('x')", ":1: Path(): only disk/fs makes file system calls here"),
        (
            "disk/scan/a.py",
            "def f(p: Path):\n  p.unlink()",
            ":2: p.unlink(): only disk/fs makes file",
        ),
        (
            "disk/scan/a.py",
            "def f(p: Path | None):\n  p.stat()",
            ":2: p.stat(): only disk/fs makes",
        ),
        (
            "sync/folder.py",
            "from time import monotonic",
            ":1: imports time: in sync time, chance and",
        ),
        ("tree/a.py", "__import__('zmq')", ":1: __import__ hides an import from this test"),
    ],
)
def test_a_breach_is_a_sentence(tmp_path: Path, module: str, source: str, said: str) -> None:
    file = tmp_path / "leftzmq" / module
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
    found = violations(tmp_path / "leftzmq")
    assert len(found) == 1 and found[0].startswith(f"leftzmq/{module}{said}"), found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("wire/a.py", "import msgpack, msgspec\nfrom ..tree.entry import Entry\nfrom . import b"),
        ("config/a.py", "from leftzmq.statedir import x\nfrom leftzmq import __version__"),
        ("disk/fs/real.py", "import os\nfrom leftzmq.disk.fs import linux\nopen('x')"),
        ("disk/fs/linux.py", "import ctypes, os"),
        ("disk/share.py", "from pathlib import Path\ndef f(p: Path, root):\n  root.stat(p.name)"),
        ("disk/watcher/fallback.py", "import watchdog.observers"),
        ("cli/a.py", "from leftzmq.runtime.agent import x\nimport rich"),
        ("transport/a.py", "import zmq, threading, time, os"),
    ],
)
def test_what_is_allowed_is_not_complained_about(tmp_path: Path, module: str, source: str) -> None:
    file = tmp_path / "leftzmq" / module
    file.parent.mkdir(parents=True)
    file.write_text(source)
    assert violations(tmp_path / "leftzmq") == []
