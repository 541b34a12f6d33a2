"""A device that only sends, as in Syncthing's "override"; what is ignored, as in its "ignores"."""

from __future__ import annotations

from pathlib import Path
from random import Random

from leftzmq.transport.ipc.client import ask

from .cast import Company, Device, Failed, until
from .compare import tree_of
from .grow import SIZE_EXPONENT, append, generate

FOLDER = "default"
TWO = {"A": [FOLDER], "B": [FOLDER]}


def override(home: Path, chance: Random, files: int) -> None:
    """A only sends. B changes, makes and deletes files; A stays as it is, and overrides B at
    last."""
    with Company(home, TWO) as company:
        company.prepare()
        a, b = company.devices.values()
        _only_sends(a)
        generate(a.share, files, SIZE_EXPONENT, chance)
        (a.share / "testfile.txt").write_text("hello\n")
        (a.share / "testfile2.txt").write_text("hello\n")
        company.start()
        before = company.together()[FOLDER]
        append(b.share / "testfile.txt", "text added to s2\n")
        (b.share / "testfile2.txt").unlink()
        (b.share / "newfile.txt").write_text("made on s2\n")
        until(lambda: a.reports()[FOLDER]["differs"] == 3, "A hears of three changes")
        company.in_sync()
        if tree_of(a.share) != before:
            raise Failed("A took something")
        listed = ask(a.state, "override", timeout_s=30.0)
        if listed["paths"] != 3:
            raise Failed(f"{listed['paths']} paths are listed, not 3")
        ask(a.state, "override", {"listed": listed["listed"]}, timeout_s=30.0)
        until(lambda: tree_of(b.share) == before, "B is as A again")
        if company.together()[FOLDER] != before:
            raise Failed("A changed by its own override")
        company.checked_stop()


def ignores(home: Path, chance: Random, files: int) -> None:
    """Rules leave out files and folders, on both devices, and give them back when they go."""
    with Company(home, TWO) as company:
        company.prepare()
        a, b = company.devices.values()
        generate(a.share, files, SIZE_EXPONENT, chance)
        ignored = ("f1.tmp", "dir1/cfile.tmp", "dir2/in/deep", "dir3/keep/no")
        kept = ("f2", "dir1/file", "dir3/keep/yes")
        for path in (*ignored, *kept):
            (a.share / path).parent.mkdir(parents=True, exist_ok=True)
            (a.share / path).write_text(path)
        (a.share / ".leftignore").write_text("*.tmp\n/dir2/in/\n/dir3/keep/*\n!/dir3/keep/yes\n")
        company.start()
        company.in_sync()
        until(lambda: (b.share / "dir3/keep/yes").exists(), "what is kept comes")
        here = [path for path in ignored if (b.share / path).exists()]
        gone = [path for path in kept if not (b.share / path).exists()]
        if here or gone:
            raise Failed(f"came in spite of a rule: {here}; did not come: {gone}")
        (b.share / "of-b.tmp").write_text("of b")
        (a.share / ".leftignore").write_text("/dir2/in/\n")
        until(lambda: (a.share / "of-b.tmp").exists(), "what B had ignored comes to A")
        until(lambda: (b.share / "dir3/keep/no").exists(), "what A had ignored comes to B")
        company.in_sync()
        if (b.share / "dir2/in").exists():
            raise Failed("what is still ignored came")
        (a.share / ".leftignore").unlink()
        company.together()
        company.checked_stop()


def _only_sends(device: Device) -> None:
    file = device.home / "peer.toml"
    text = file.read_text()
    file.write_text(text.replace("[[folder]]\n", '[[folder]]\nmode = "send"\n'))
