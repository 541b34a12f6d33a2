"""Two devices that change the same things at the same time, or never knew each other."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

from .cast import Company, Device, Failed
from .compare import copies, files_like
from .grow import SIZE_EXPONENT, append, generate

FOLDER = "default"
TWO = {"A": [FOLDER], "B": [FOLDER]}


def conflicts_default(home: Path, chance: Random, files: int) -> None:
    """Both append to a file at the same time; then one deletes what the other one edits."""
    with Company(home, TWO) as company:
        company.prepare()
        a, b = company.devices.values()
        generate(a.share, files, SIZE_EXPONENT, chance)
        (a.share / "testfile.txt").write_text("hello\n")
        company.start()
        company.together()
        with company.held(a, b):
            append(a.share / "testfile.txt", "text added to s1\n")
            append(b.share / "testfile.txt", "text added to s2\n")
        tree = company.together()[FOLDER]
        expect(copies(a.share), 1, "conflict copies on A")
        expect(copies(b.share), 1, "conflict copies on B")
        both = {text_of(a, "testfile.txt"), text_of(a, copies(a.share)[0])}
        if both != {f"hello\ntext added to s{n}\n" for n in (1, 2)}:
            raise Failed(f"a text was lost: {both}")
        with company.held(a, b):
            (a.share / "testfile.txt").unlink()
            append(b.share / "testfile.txt", "more text added to s2\n")
        after = company.together()[FOLDER]
        expect(copies(a.share), 1, "conflict copies on A after the delete")
        if "more text added to s2" not in text_of(a, "testfile.txt"):
            raise Failed("the edit did not beat the delete")
        expect(sorted(after.keys() ^ tree.keys()), 0, "paths that came or went")
        company.checked_stop()


def conflicts_default_apart(home: Path, chance: Random, files: int) -> None:
    """The same, but one of them is stopped while both are changed."""
    with Company(home, TWO) as company:
        company.prepare()
        a, b = company.devices.values()
        generate(a.share, files, SIZE_EXPONENT, chance)
        (a.share / "testfile.txt").write_text("hello\n")
        company.start()
        company.together()
        b.stop()
        append(a.share / "testfile.txt", "text added to s1\n")
        append(b.share / "testfile.txt", "text added to s2\n")
        company.start()
        company.together()
        expect(copies(a.share), 1, "conflict copies on A")
        b.stop()
        (a.share / "testfile.txt").unlink()
        append(b.share / "testfile.txt", "more text added to s2\n")
        company.start()
        company.together()
        expect(copies(a.share), 1, "conflict copies on A after the delete")
        if "more text added to s2" not in text_of(a, "testfile.txt"):
            raise Failed("the edit did not beat the delete")
        company.checked_stop()


def initial_merge(home: Path, chance: Random, files: int) -> None:
    """Without a common history: file1 differs, file2 is only here, file3 only there."""
    with Company(home, TWO) as company:
        company.prepare()
        a, b = company.devices.values()
        (a.share / "file1").write_text("hello\n")
        (b.share / "file1").write_text("goodbye\n")
        (a.share / "file2").write_text("hello\n")
        (b.share / "file3").write_text("goodbye\n")
        company.start()
        company.together()
        for device in (a, b):
            expect(files_like(device.share, "file*"), 4, f"files on {device.name}")
            expect(files_like(device.share, "file1*"), 2, f"kinds of file1 on {device.name}")
        company.checked_stop()


def index_reset(home: Path, chance: Random, files: int) -> None:
    """A device loses its index while both edit: nothing is silently overwritten."""
    with Company(home, TWO) as company:
        company.prepare()
        a, b = company.devices.values()
        (a.share / "file1").write_text("hello\n")
        (a.share / "file2").write_text("hello\n")
        (b.share / "file3").write_text("hello\n")
        company.start()
        company.together()
        for device in (a, b):
            expect(files_like(device.share, "file*"), 3, f"files on {device.name}")
        for _ in range(5):
            (b.share / "file2").write_text("hello1\n")
            company.in_sync()
        company.together()
        b.stop()
        b.forget_index()
        (a.share / "file1").write_text("goodbye\n")
        (b.share / "file2").write_text("goodbye\n")
        company.start()
        company.together()
        for device in (a, b):
            expect(files_like(device.share, "file*"), 5, f"files on {device.name}")
            expect(files_like(device.share, "file1*"), 2, f"kinds of file1 on {device.name}")
            expect(files_like(device.share, "file2*"), 2, f"kinds of file2 on {device.name}")
        company.checked_stop()


def same_content(home: Path, chance: Random, files: int) -> None:
    """Both have two files with other mtimes; the bytes of one are the same: no conflict there."""
    with Company(home, TWO) as company:
        company.prepare()
        a, b = company.devices.values()
        (a.share / "file1").write_text("hello\n")
        (a.share / "file2").write_text("hello\n")
        (b.share / "file1").write_text("goodbye\n")
        (b.share / "file2").write_text("hello\n")
        an_hour_ago = time.time() - 3600
        for name in ("file1", "file2"):
            os.utime(b.share / name, (an_hour_ago, an_hour_ago))
        company.start()
        company.together()
        for device in (a, b):
            expect(files_like(device.share, "file*"), 3, f"files on {device.name}")
        company.checked_stop()


def text_of(device: Device, path: str) -> str:
    return (device.share / path).read_text()


def expect(found: list[str], count: int, what: str) -> None:
    if len(found) != count:
        raise Failed(f"{what}: {count} expected, found {found}")
