"""Which scenes there are, in full size; and which of Syncthing's have no counterpart here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from . import cluster, conflicts, directions, folders, kinds, many, programs, restarts

Play = Callable[[Path, Random], object]


@dataclass(frozen=True, slots=True)
class Scene:
    """shape: what a reader of the table must know of its size. play: raises where it goes wrong"""

    name: str
    shape: str
    play: Play


def _scene(function: Callable[..., object], shape: str, files: int, **more: float) -> Scene:
    name = function.__name__.replace("_", "-")
    return Scene(name, shape, partial(function, files=files, **more))


def _stressed(stressor: str) -> Scene:
    play = partial(programs.stress_ng, files=0, seconds=20.0, stressor=stressor)
    return Scene(f"stress-{stressor}", f"stress-ng --{stressor} 2, 20 s", play)


SCENES: Final = (
    _scene(
        cluster.cluster,
        "3 devices, 3 folders, 5 x 100 files, 60 s of alterations; with swaps and moves up",
        100,
        seconds=60.0,
    ),
    _scene(
        cluster.cluster_all_alter,
        "the same, and every device alters every folder at the same time",
        100,
        seconds=60.0,
    ),
    _scene(kinds.sparse_file, "8 MiB of zeros between two words; at most 256 KiB sent", 0),
    _scene(conflicts.conflicts_default, "100 files; both edit at the same time; edit, delete", 100),
    _scene(conflicts.conflicts_default_apart, "the same, one of them stopped meanwhile", 100),
    _scene(conflicts.initial_merge, "3 files, no common history", 0),
    _scene(conflicts.index_reset, "3 files; one side loses its index, both edit", 0),
    _scene(conflicts.same_content, "2 files, mtimes an hour apart, one with the same bytes", 0),
    _scene(directions.override, "100 files; one device only sends, the other changes three", 100),
    _scene(directions.ignores, "100 files; rules come, change and go", 100),
    _scene(restarts.receiver_ends, "250 files at 750 KiB/s, SIGTERM at every tenth", 250),
    _scene(restarts.sender_ends, "250 files at 750 KiB/s, SIGTERM at every tenth", 250),
    _scene(restarts.receiver_is_killed, "250 files at 750 KiB/s, SIGKILL at every tenth", 250),
    _scene(restarts.sender_is_killed, "250 files at 750 KiB/s, SIGKILL at every tenth", 250),
    _scene(kinds.symlinks, "100 files; 8 links made, swapped, retargeted, removed", 100),
    _scene(kinds.file_type_change, "100 files; file and folder swapped, empty and full", 100),
    _scene(many.scan_subdir, "7 single changes in unknown and deep folders", 0),
    _scene(many.many_peers, "200 files; 62 peers, 61 of them away", 200),
    _scene(many.reset, "8 files, 8 folders; index thrown away twice", 0),
    _scene(many.asked_in_parallel, "5000 files; 20 `wait` at once during the first walk", 5000),
    Scene(
        "asked-with-few-files",
        "50 files; 20 `wait` at once",
        partial(many.asked_in_parallel, files=50),
    ),
    _scene(many.many_files, "10,000 files of up to 64 KiB", 10_000),
    _scene(many.same_files, "10,000 files, the same on both", 10_000),
    _scene(many.large_file, "1 GiB, then an append", 1),
    _scene(programs.dbench, "4 clients, 20 s", 0, seconds=20.0),
    _scene(
        programs.git, "5 x clone, commit of 100 files, checkout, merge, gc, fsck", 100, rounds=5
    ),
    _scene(programs.packages, "4,000 files of Python's library, 5 times", 4_000, rounds=5),
    *(_stressed(stressor) for stressor in programs.STRESSORS),
    _scene(folders.two_folders, "A has two folders, B and C one each; 2 x 100 files", 100),
)

NOT_APPLICABLE: Final = {
    "symlinks, file types with versioners": "there is one trash, which the scenes above use",
    "scan of one of two new files": "the watcher reports both; nobody asks for a scan",
    "HTTP": "there is no HTTP server",
}
