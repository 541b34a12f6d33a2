"""A folder with many files that is renamed, or deleted, on A: seconds until it is so on B. Both had
the same files before."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Final

from programs.named import pair
from programs.pair import Failed, Pair, longest_s
from shares import Arrival

from leftzmq.cli.demo.stage import wait_until
from rows import trees
from rows.row import OURS, RSYNC, SYNCTHING, UNISON, Figure, Figures, Row, Scale, Setting, Wanted

LOOK_S: Final = 0.01
NEW_NAME: Final = "renamed"
KEPT: Final = "kept"
"""A file that is not deleted: no program takes a share for lost that still has a file."""
SMALL: Final = Scale(files=10_000)
LARGE: Final = Scale(files=100_000)
DELETED: Final = Scale(files=30_000)


def rename(setting: Setting) -> Figures:
    files = setting.scale.files
    with pair(setting.program, setting.ground) as shares:
        manifest = trees.make_both(shares, files)
        trees.settle(shares, manifest)
        renamed = {path.replace(trees.TREE, NEW_NAME, 1): size for path, size in manifest.items()}
        arrival = Arrival(shares.b, renamed)
        old = shares.b / trees.TREE
        began = time.monotonic()
        (shares.a / trees.TREE).rename(shares.a / NEW_NAME)
        if not wait_until(
            lambda: arrival.whole() and not old.exists(), longest_s(files), period_s=LOOK_S
        ):
            raise Failed(f"B has not renamed the folder: {shares.log_tail()}")
        seconds = time.monotonic() - began
        if wrong := arrival.differs(shares.a):
            raise Failed(f"{len(wrong)} files differ, such as {wrong[0]}")
        return {"seconds": seconds}


def delete(setting: Setting) -> Figures:
    """The time counts from when the last file is gone on A."""
    files = setting.scale.files
    with pair(setting.program, setting.ground) as shares:
        for share in (shares.a, shares.b):
            _keep(share)
        manifest = trees.make_both(shares, files) | {KEPT: len(KEPT)}
        trees.settle(shares, manifest)
        before = time.monotonic()
        shutil.rmtree(shares.a / trees.TREE)
        began = time.monotonic()
        shares.nudge()
        accepted = _until_gone(shares, shares.b / trees.TREE, files)
        return {
            "seconds": time.monotonic() - began,
            "deleting_s": began - before,
            "accepted": accepted,
        }


def _keep(share: Path) -> None:
    (share / KEPT).write_text(KEPT)
    os.utime(share / KEPT, (1_700_000_000, 1_700_000_000))


def _until_gone(shares: Pair, tree: Path, files: int) -> int:
    """Return how often something had to be let through."""
    accepted = 0

    def gone() -> bool:
        nonlocal accepted
        if not tree.exists():
            return True
        accepted += shares.accept()
        return False

    if not wait_until(gone, longest_s(files), period_s=LOOK_S):
        raise Failed(f"B has not deleted the folder: {shares.log_tail()}")
    return accepted


def _rename_row(name: str, scale: Scale, wanted_s: float, quick: tuple[Scale, ...]) -> Row:
    return Row(
        name=name,
        kind="rename",
        what="a folder is renamed, until it is so at the peer",
        figures=(Figure("seconds", "time", "s", (Wanted(wanted_s, at=scale),)),),
        programs=(OURS, SYNCTHING, UNISON),
        full=(scale,),
        quick=quick,
        needs=trees.both_trees,
        measure=rename,
    )


RENAMES: Final = (
    _rename_row("rename", SMALL, 1, quick=(Scale(files=200),)),
    _rename_row("rename-many", LARGE, 10, quick=()),
)
DELETES: Final = (
    Row(
        name="delete",
        kind="delete",
        what="a tree is deleted, until it is so at the peer, `leftzmq accept` included",
        figures=(
            Figure("seconds", "time", "s", (Wanted(3, at=DELETED),)),
            Figure("accepted", "times that `accept` was needed", ""),
        ),
        programs=(OURS, SYNCTHING, UNISON, RSYNC),
        full=(DELETED,),
        quick=(Scale(files=200),),
        needs=trees.both_trees,
        measure=delete,
        deletes_many=True,
    ),
)
