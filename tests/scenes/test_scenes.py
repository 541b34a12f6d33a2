"""The quick scenes in small, and some rounds of the cluster: real agents. All of them in full
size: python -m tests.scenes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.scenes import cluster, conflicts, directions, folders, kinds
from tests.scenes.cast import Company
from tests.scenes.grow import alter, generate

SEED = 42
FILES = 20
CLUSTER_FILES = 30
CLUSTER_S = 6.0  # and twice as long to set it up and bring it together on a slow machine
QUICK = [
    conflicts.conflicts_default,
    conflicts.initial_merge,
    conflicts.index_reset,
    conflicts.same_content,
    directions.override,
    directions.ignores,
    kinds.symlinks,
    kinds.file_type_change,
    kinds.sparse_file,
    folders.two_folders,
]


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Shown by pytest where a scene goes wrong."""
    yield
    print(Company.last_words)


@pytest.mark.parametrize("scene", QUICK, ids=lambda scene: scene.__name__)
def test_a_scene_ends_well(scene: object, tmp_path: Path) -> None:
    assert callable(scene)
    scene(tmp_path / "stage", Random(SEED), FILES)


def test_a_cluster_of_three_is_equal_after_every_round_of_alterations(tmp_path: Path) -> None:
    cluster.cluster(tmp_path / "stage", Random(SEED), CLUSTER_FILES, CLUSTER_S)


def test_alterations_are_of_all_kinds(tmp_path: Path) -> None:
    """Else a cluster that stays equal would say nothing."""
    generate(tmp_path, 100, 10, Random(SEED))
    swapped, gone, recased, depths = 0, 0, 0, set()
    before = kinds_in(tmp_path)
    for seed in range(10):
        alter(tmp_path, Random(seed))
        after = kinds_in(tmp_path)
        swapped += sum(before[path] != after[path] for path in before.keys() & after.keys())
        gone += len(before.keys() - after.keys())
        folded = {path.lower() for path in before.keys() - after.keys()}
        recased += sum(path.lower() in folded for path in after.keys() - before.keys())
        depths |= {path.count("/") for path, is_folder in after.items() if not is_folder}
        before = after
    assert swapped and gone and recased
    assert {0, 1, 2, 3, 4, 5} <= depths, "moved up, and in folders that took a file's place"


def kinds_in(share: Path) -> dict[str, bool]:
    """path -> whether it is a folder."""
    return {str(path.relative_to(share)): path.is_dir() for path in share.rglob("*")}
