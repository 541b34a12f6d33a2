"""Files, folders and links that change into one another, and files with holes."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

from .cast import Company, Failed
from .conflicts import FOLDER, TWO
from .grow import SIZE_EXPONENT, generate

HOLE_BYTES = 8 << 20
SPARSE_SENT_MAX_BYTES = 256 << 10


def symlinks(home: Path, chance: Random, files: int) -> None:
    """Links come, go, get other targets, and change places with files and folders."""
    with Company(home, TWO) as company:
        company.prepare()
        a, _ = company.devices.values()
        share = a.share
        generate(share, files, SIZE_EXPONENT, chance)
        for name in ("fileToReplace", "file"):
            (share / name).touch()
        for name in ("dirToReplace", "dir"):
            (share / name).mkdir()
        (share / "fileLink").symlink_to("file")
        (share / "dirLink").symlink_to("dir")
        for name in ("noneLink", "repFileLink", "repDirLink", "removeLink"):
            (share / name).symlink_to("does/not/exist")
        company.start()
        company.together()
        for name in ("fileLink", "dirLink", "repFileLink", "repDirLink", "fileToReplace"):
            (share / name).unlink()
        (share / "dirLink").symlink_to("file")
        (share / "repFileLink").touch()
        (share / "repDirLink").mkdir()
        (share / "fileToReplace").symlink_to("somewhere/non/existent")
        shutil.rmtree(share / "dirToReplace")
        (share / "dirToReplace").symlink_to("somewhere/non/existent")
        (share / "removeLink").unlink()
        tree = company.together()[FOLDER]
        if tree["dirToReplace"] != ("link", "somewhere/non/existent") or "fileLink" in tree:
            raise Failed("the sender's own tree was changed")
        company.checked_stop()


def file_type_change(home: Path, chance: Random, files: int) -> None:
    """A file becomes a folder; an empty folder and a full one become files."""
    with Company(home, TWO) as company:
        company.prepare()
        a, _ = company.devices.values()
        share = a.share
        generate(share, files, SIZE_EXPONENT, chance)
        (share / "fileToReplace").touch()
        (share / "emptyDirToReplace").mkdir()
        (share / "dirToReplace").mkdir()
        (share / "dirToReplace" / "emptyFile").touch()
        company.start()
        company.together()
        (share / "fileToReplace").unlink()
        (share / "fileToReplace").mkdir()
        for name in ("emptyDirToReplace", "dirToReplace"):
            shutil.rmtree(share / name)
            (share / name).touch()
        tree = company.together()[FOLDER]
        kinds = [tree[f"{name}ToReplace"][0] for name in ("file", "emptyDir", "dir")]
        if kinds != ["folder", "file", "file"]:
            raise Failed(f"the sender's own tree was changed: {kinds}")
        company.checked_stop()


def sparse_file(home: Path, chance: Random, files: int) -> None:
    """Eight mebibytes of zeros between two words cost the sender hardly anything."""
    with Company(home, TWO) as company:
        company.prepare()
        a, _ = company.devices.values()
        with (a.share / "sparse").open("wb") as file:
            file.write(b"Start")
            file.seek(HOLE_BYTES, 1)
            file.write(b"End")
        company.start()
        company.together()
        sent = a.reports()[FOLDER]["sent_bytes"]
        if sent > SPARSE_SENT_MAX_BYTES:
            raise Failed(f"{sent} bytes of chunks were sent, {SPARSE_SENT_MAX_BYTES} allowed")
        company.checked_stop()
