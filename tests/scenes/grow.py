"""Trees as Syncthing's harness makes and alters them: the same shapes, sizes and chances.

Everything is drawn from the Random that is passed in.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from random import Random

DAYS_BACK = 30
DOTFILES = 0.05
JITTER_BYTES = 128 << 10  # added to a power of two, but never more than that itself
OVERWRITTEN_BYTES = 1024
NEW_FILES = 25
SWAPPED_FILES = 10  # in a folder that takes a file's place
SIZE_EXPONENT = 20


def new_name(chance: Random) -> str:
    return chance.randbytes(16).hex()


def generate(share: Path, files: int, exponent: int, chance: Random) -> None:
    """`files` files x/xy/xyz...: 2^[0, exponent) bytes and up to as many more, old mtimes."""
    for _ in range(files):
        name = new_name(chance)
        if chance.random() < DOTFILES:
            name = f".{name}"
        folder = share / name[0] / name[:2]
        folder.mkdir(parents=True, exist_ok=True)
        size = 1 << chance.randrange(exponent)
        size += chance.randrange(min(size, JITTER_BYTES))
        write_old(folder / name, chance.randbytes(size), chance)


def write_old(path: Path, data: bytes, chance: Random) -> None:
    """A file with some mode and an mtime of some second of the last days."""
    path.write_bytes(data)
    path.chmod(chance.randrange(0o777) | 0o400)
    mtime = int(time.time()) - chance.randrange(DAYS_BACK * 86_400)
    os.utime(path, (mtime, mtime))


def alter(share: Path, chance: Random) -> None:
    """What users do to a tree, entry by entry, and then NEW_FILES more.

    Of ten entries one is deleted (whole folders too) and one partly overwritten; of fifty one
    gets another case, one gives way to a file or a folder of ten files; of ten files and fifty
    folders one is renamed, which may take it up in the tree. The last two are what Syncthing has
    commented out.
    """
    for name in sorted(os.listdir(share)):
        if name != ".left":
            _alter_below(share, Path(name), chance)
    generate(share, NEW_FILES, SIZE_EXPONENT, chance)


def _alter_below(share: Path, path: Path, chance: Random) -> None:
    target = share / path
    if not os.path.lexists(target):
        return  # it went away when something above it did, or it was moved
    was_folder = target.is_dir() and not target.is_symlink()
    _alter_one(share, path, chance)
    if was_folder and target.is_dir():
        for name in sorted(os.listdir(target)):
            _alter_below(share, path / name, chance)


def _alter_one(share: Path, path: Path, chance: Random) -> None:
    target, depth = share / path, len(path.parts)
    is_file = target.is_file()
    if path.name.startswith("test-"):
        return
    match chance.randrange(10):
        case 0 if depth > 1:
            _remove(target)
        case 1 if is_file:
            _overwrite(target, chance)
        case 2 if depth > 2 and chance.random() < 0.2:
            _change_case(target, chance)
        case 3 if depth > 2 and chance.random() < 0.2:
            _swap(target, chance)
        case 4 if depth > 1 and (is_file or chance.random() < 0.2):
            _rename(share, path, chance)


def _remove(target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink()


def _overwrite(target: Path, chance: Random) -> None:
    if not target.stat().st_mode & 0o200:
        target.chmod(0o644)
    size = target.stat().st_size
    with target.open("r+b") as file:
        if size > OVERWRITTEN_BYTES:
            file.seek(chance.randrange(size))
        file.write(chance.randbytes(OVERWRITTEN_BYTES))


def _change_case(target: Path, chance: Random) -> None:
    letters = [c.lower() if chance.random() < 0.5 else c.upper() for c in target.name]
    target.rename(target.with_name("".join(letters)))


def _swap(target: Path, chance: Random) -> None:
    """A folder gives way to a file, a file to a folder with files."""
    was_file = target.is_file()
    _remove(target)
    if was_file:
        target.mkdir()
        generate(target, SWAPPED_FILES, SIZE_EXPONENT, chance)
    else:
        target.write_text(f"I was a folder: {target.name}")


def _rename(share: Path, path: Path, chance: Random) -> None:
    folder = path.parent
    if chance.random() < 0.2:
        for _ in range(chance.randrange(len(path.parts))):
            folder = folder.parent
    with suppress(OSError):  # into itself
        (share / path).rename(share / folder / new_name(chance))


def append(path: Path, text: str, *, keep_mtime: bool = False) -> None:
    before = path.stat()
    with path.open("a") as file:
        file.write(text)
    if keep_mtime:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
