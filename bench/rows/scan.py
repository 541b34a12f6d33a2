"""The first scan of A's share, and the scan after a new start, without a peer. What is scanned was
just written, so it is read from memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from programs.named import indexing
from programs.syncthing import Syncthings
from shares import BLOCK, Manifest

from rows import trees
from rows.row import OURS, SYNCTHING, Figure, Figures, Row, Scale, Setting, Wanted

MB: Final = 1e6
LARGE_FILES: Final = 4
RESTARTED: Final = Scale(files=100_000)


def small(share: Path, scale: Scale) -> Manifest:
    return trees.make(share, scale.files)


def empty(share: Path, scale: Scale) -> Manifest:
    return trees.make(share, scale.files, size=0)


def large(share: Path, scale: Scale) -> Manifest:
    found: Manifest = {}
    for number in range(LARGE_FILES):
        size = scale.size // LARGE_FILES
        with (share / f"large{number}").open("wb") as file:
            for _ in range(size // BLOCK):
                file.write(os.urandom(BLOCK))
        found[f"large{number}"] = size
    return found


def first(make: Callable[[Path, Scale], Manifest], setting: Setting) -> Figures:
    with indexing(setting.program, setting.ground) as shares:
        manifest = make(shares.a, setting.scale)
        files, size = len(manifest), sum(manifest.values())
        trees.ripen()
        scan = shares.scan(files, size)
        found = {
            "seconds": scan.seconds,
            "files_s": files / scan.seconds,
            "MB_s": size / MB / scan.seconds,
        }
        if isinstance(shares, Syncthings):
            found["hashing_MB_s"] = shares.hashing_MB_s()
        return found


def again(setting: Setting) -> Figures:
    with indexing(setting.program, setting.ground) as shares:
        manifest = small(shares.a, setting.scale)
        files, size = len(manifest), sum(manifest.values())
        trees.ripen()
        shares.scan(files, size)
        shares.pause_a()
        scan = shares.scan(files, size)
        return {"ready_s": scan.ready_s, "over_s": scan.over_s}


def _row(
    name: str,
    what: str,
    make: Callable[[Path, Scale], Manifest],
    rate: Figure,
    full: Scale,
    quick: Scale,
) -> Row:
    return Row(
        name=name,
        kind="scan",
        what=what,
        figures=(rate,),
        programs=(OURS, SYNCTHING),
        full=(full,),
        quick=(quick,),
        needs=trees.one_tree,
        measure=lambda setting: first(make, setting),
    )


def _files_s(*wanted: Wanted) -> Figure:
    return Figure("files_s", "rate", "files/s", wanted, is_more_better=True)


ROWS: Final = (
    _row(
        "scan-small",
        "first scan of files of 100 bytes",
        small,
        _files_s(Wanted(20_000)),
        Scale(files=10_000),
        Scale(files=500),
    ),
    _row(
        "scan-large",
        "first scan of large files",
        large,
        Figure("MB_s", "rate", "MB/s", (Wanted(2_000),), is_more_better=True),
        Scale(size=2 << 30),
        Scale(size=64 << 20),
    ),
    _row(
        "scan-empty",
        "first scan of empty files",
        empty,
        _files_s(),
        Scale(files=100_000),
        Scale(files=500),
    ),
    Row(
        name="restart",
        kind="restart",
        what="restart",
        figures=(
            Figure("ready_s", "until ready", "s", note="at once"),
            Figure("over_s", "until the scan is over", "s", (Wanted(1.5, at=RESTARTED),)),
        ),
        programs=(OURS, SYNCTHING),
        full=(RESTARTED,),
        quick=(Scale(files=500),),
        needs=trees.one_tree,
        measure=again,
    ),
)
