"""Real disks that take two spellings for one name: images with exFAT or NTFS, mounted by FUSE.

exFAT keeps the spelling with which a name was made; lowntfs-3g with `ignore_case` shows every name
in small letters. Both need root; where a disk cannot be made, `Impossible` says why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

IMAGE_BYTES: Final = 64 << 20
PATIENCE_S: Final = 30.0
KINDS: Final = {
    "exfat": ("mkfs.exfat", "mount.exfat-fuse", "losetup"),
    "ntfs": ("mkntfs", "lowntfs-3g"),
}


class Impossible(Exception):
    """No such disk can be made here."""


@contextmanager
def disk(kind: str, where: Path, at: Path | None = None) -> Iterator[Path]:
    """Makes a new disk of this kind (of KINDS) in `where`, mounted there or at `at`, and yields its
    path. Raises Impossible."""
    if missing := [tool for tool in KINDS[kind] if shutil.which(tool) is None]:
        raise Impossible(f"{missing[0]} is missing")
    if os.geteuid() != 0 or not Path("/dev/fuse").exists():
        raise Impossible("only root can mount it, where there is /dev/fuse")
    image, mounted = where / f"{kind}.img", at or where / kind
    mounted.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    with ExitStack() as stack:
        if kind == "exfat":
            _run("mkfs.exfat", str(image))
            device = _run("losetup", "--find", "--show", str(image)).strip()
            stack.callback(_run, "losetup", "--detach", device)
            _run("mount.exfat-fuse", device, str(mounted))
        else:
            _run("mkntfs", "--force", "--quick", str(image))
            _run("lowntfs-3g", "-o", "ignore_case", str(image), str(mounted))
        if not mounted.is_mount():
            raise Impossible("it was not mounted")
        stack.callback(_run, "umount", "--lazy", str(mounted))
        yield mounted


def _run(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise Impossible(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def remount(kind: str, mounted: Path, where: Path) -> None:
    """Unmount the disk at `mounted`, which `disk` made in `where`, and mount it again."""
    table = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    device = next(source for source, at, *_ in table if at == str(mounted))
    _run("umount", str(mounted))
    if kind == "exfat":
        _run("mount.exfat-fuse", device, str(mounted))
    else:
        _run("lowntfs-3g", "-o", "ignore_case", str(where / f"{kind}.img"), str(mounted))
