"""The house keeps its order: rooms import downwards only, and some things have one door.

Reads every import with ast (those inside functions and under TYPE_CHECKING too), so it also sees
what no test runs. docs/design.md, "The rooms", is where the order comes from.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest

PACKAGE = Path(__file__).parent.parent / "leftzmq"

# From the bottom up: a room may import those in lines before its own, and its own.
ORDER = (
    ("errors", "endpoint", "config", "statedir"),
    ("tree",),
    ("content",),
    ("wire",),
    ("index",),
    ("disk",),
    ("sync",),
    ("bus",),
    ("opening",),
    ("agent",),
    ("cli",),
)
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}

# What is outside the package, and the only room or module that may import it.
DOORS = {
    "nacl": "content",
    "blake3": "content",
    "pyfastcdc": "content",
    "msgpack": "wire",
    "sqlite3": "index",
    "watchdog": "disk.watcher",
    "zmq": "bus",
    "threading": "bus",
    "_thread": "bus",
    "concurrent": "bus",
    "multiprocessing": "bus",
    "asyncio": "bus",
}
# fs is the only way to the file system in disk/; linux holds the kernel calls that Python lacks,
# renaming the renames that overwrite nothing, both for fs alone.
BEHIND_FS = {"disk.linux", "disk.renaming"}
FILE_SYSTEM_MODULES = {"disk.fs"} | BEHIND_FS
FILE_SYSTEM = {"os", "io", "shutil", "tempfile", "glob", "fcntl", "ctypes", "mmap"}
# A Path may be handed on as a value (where a share lies); what it can do to a disk may not.
PATH_CALLS = set(dir(Path)) - set(dir(PurePath))
# Time, chance and the world are arguments in the rooms of pure values and machines.
IMPURE = {"time", "random", "secrets", "uuid", "os", "io", "shutil", "tempfile", "socket", "select"}
PURE_ROOMS = {"tree", "wire", "sync"}


def room_of(module: str) -> str:
    return module.split(".")[0]


def is_in(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


def imports(tree: ast.AST, package: list[str]) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import; relative ones spelled out from `package`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"


def calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of every call of a plain name or of a module's attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def complaint(module: str, imported: str) -> str:
    """Why `module` (dotted, without the package) may not import `imported`, or ""."""
    room = room_of(module)
    top, _, rest = imported.partition(".")
    if top == PACKAGE.name:
        other = room_of(rest)
        if other not in RANK:  # a name of the package itself, such as __version__
            return "" if other.startswith("__") else f"imports {other}, a room without a place"
        if RANK[other] > RANK[room]:
            return f"{room} imports {other}, which stands above it"
        behind = next((place for place in BEHIND_FS if is_in(rest, place)), None)
        if behind is not None and module not in FILE_SYSTEM_MODULES:
            return f"imports {behind.replace('.', '/')}, whose only door is disk/fs"
        return ""
    door = DOORS.get(top)
    if door is not None and not is_in(module, door):
        return f"imports {top}, whose only door is {door.replace('.', '/')}"
    if room == "disk" and module not in FILE_SYSTEM_MODULES and top in FILE_SYSTEM:
        return f"imports {top}: in disk only disk/fs makes file system calls"
    if room in PURE_ROOMS and top in IMPURE:
        return f"imports {top}: in {room} time, chance and the world are arguments"
    return ""


def names_of_paths(tree: ast.AST) -> set[str]:
    """The parameters and variables that are annotated as a Path."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            name = node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)
            if "Path" in ast.unparse(node.annotation).replace("|", " ").split():
                found.add(name)
    return found


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
        if room_of(module) not in RANK:
            found.append(f"{here}:1: {room_of(module)} has no place in ORDER: give it one")
            continue
        tree = ast.parse(file.read_text(), str(file))
        for line, imported in imports(tree, [package.name, *parts[:-1]]):
            why = complaint(module, imported)
            if why:
                found.append(f"{here}:{line}: {why}")
        paths = names_of_paths(tree)
        for line, name in calls(tree):
            why = call_complaint(module, name, paths)
            if why:
                found.append(f"{here}:{line}: {why}")
    return found


def test_rooms_import_downwards_and_doors_are_kept() -> None:
    found = violations(PACKAGE)
    assert not found, "\n" + "\n".join(found)


def test_the_walk_sees_the_package() -> None:
    files = [file.relative_to(PACKAGE) for file in PACKAGE.rglob("*.py")]
    assert len(files) > 10
    assert set(RANK) <= {file.parts[0].removesuffix(".py") for file in files}


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
        ("sync/a.py", "def f():\n    from ..bus import loop", ":2: sync imports bus, which stands"),
        ("wire/__init__.py", "from ..index.store import x", ":1: wire imports index, which"),
        ("errors.py", "from leftzmq.tree import path", ":1: errors imports tree, which stands"),
        ("agent.py", "from leftzmq.cli import agent", ":1: agent imports cli, which stands above"),
        ("bus/a.py", "from leftzmq.agent import x", ":1: bus imports agent, which stands above it"),
        (
            "tree/a.py",
            "from leftzmq.helpers import x",
            ":1: imports helpers, a room without a place",
        ),
        ("helpers.py", "", ":1: helpers has no place in ORDER: give it one"),
        ("wire/a.py", "import nacl.bindings", ":1: imports nacl, whose only door is content"),
        (
            "disk/a.py",
            "from blake3 import blake3",
            ":1: imports blake3, whose only door is content",
        ),
        ("sync/a.py", "import msgpack", ":1: imports msgpack, whose only door is wire"),
        ("disk/a.py", "import sqlite3", ":1: imports sqlite3, whose only door is index"),
        ("cli/a.py", "import zmq", ":1: imports zmq, whose only door is bus"),
        ("statedir.py", "import zmq", ":1: imports zmq, whose only door is bus"),
        ("agent.py", "if 1:\n  import threading", ":2: imports threading, whose only door is bus"),
        (
            "disk/scanner.py",
            "import watchdog",
            ":1: imports watchdog, whose only door is disk/watcher",
        ),
        ("disk/scanner.py", "import os", ":1: imports os: in disk only disk/fs makes file system"),
        (
            "disk/a.py",
            "from leftzmq.disk import linux",
            ":1: imports disk/linux, whose only door is",
        ),
        (
            "disk/a.py",
            "from .linux import syncfs",
            ":1: imports disk/linux, whose only door is disk",
        ),
        ("disk/scanner.py", "open('x')", ":1: open(): only disk/fs makes file system calls here"),
        ("disk/a.py", "Path('x')", ":1: Path(): only disk/fs makes file system calls here"),
        ("disk/a.py", "def f(p: Path):\n  p.unlink()", ":2: p.unlink(): only disk/fs makes file"),
        ("disk/a.py", "def f(p: Path | None):\n  p.stat()", ":2: p.stat(): only disk/fs makes"),
        ("sync/a.py", "from time import monotonic", ":1: imports time: in sync time, chance and"),
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
        ("config.py", "from leftzmq.statedir import x\nfrom leftzmq import __version__"),
        ("disk/fs.py", "import os\nfrom leftzmq.disk import linux\nopen('x')"),
        ("disk/linux.py", "import ctypes, os"),
        ("disk/share.py", "from pathlib import Path\ndef f(p: Path, root):\n  root.stat(p.name)"),
        ("disk/watcher.py", "import watchdog.observers"),
        ("cli/a.py", "from leftzmq.agent import x\nimport rich"),
        ("bus/a.py", "import zmq, threading, time, os"),
    ],
)
def test_what_is_allowed_is_not_complained_about(tmp_path: Path, module: str, source: str) -> None:
    file = tmp_path / "leftzmq" / module
    file.parent.mkdir(parents=True)
    file.write_text(source)
    assert violations(tmp_path / "leftzmq") == []
