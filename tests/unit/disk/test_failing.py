"""disk/apply on a disk of which some calls in a row fail, at every call in turn: what nobody had
seen stays in the share, and nothing that a user wrote is lost."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from leftzmq.config import Limits
from leftzmq.disk.apply.outcome import Ending, Outcome
from leftzmq.disk.fs.real import RealDirectory, RealFile, RealRoot
from leftzmq.disk.trash.retention import TrashSweep
from leftzmq.tree.plan import Operation, Verb
from tests.unit.disk.test_apply import (
    NOW_NS,
    OLD,
    USER,
    Meddler,
    attributes,
    directory,
    entry,
    far_trash,  # noqa: F401
    held,
    leftovers,
    link,
    one,
    put,
    remove,
    trashed,
)

ROWS: Final = (1, 2, 3, 5)
CALLS: Final = (
    (RealRoot, "folder"),
    (RealDirectory, "stat folder open_read create make_folder make_link read_link rename_new"),
    (RealDirectory, "exchange unlink remove_folder flush"),
    (RealFile, "read write stat set_times set_wanted flush"),
)


class Failing:
    """A disk of which `row` calls fail, from the `first` one on."""

    def __init__(self, patch: pytest.MonkeyPatch, first: int, row: int) -> None:
        self.first, self.row, self.count, self.said = first, row, 0, []
        for kind, methods in CALLS:
            for method in methods.split():
                self._wrap(patch, kind, method)

    def _wrap(self, patch: pytest.MonkeyPatch, kind: type, method: str) -> None:
        real = getattr(kind, method)

        def call(of: Any, *arguments: Any, **more: Any) -> Any:
            self.count += 1
            if self.first <= self.count < self.first + self.row:
                self.said.append(f"{kind.__name__}.{method} {arguments}")
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(of, *arguments, **more)

        patch.setattr(kind, method, call)


def conflicting(verb: str, root: RealRoot) -> Operation:
    """It replaces `a` by what had not seen it: the old bytes are to be a copy."""
    old = held(root, "a")
    return {
        "file": lambda: put(root, "a", old, "a.conflict"),
        "folder": lambda: directory("a", old, "a.conflict"),
        "link": lambda: link("a", old, "a.conflict"),
        "remove": lambda: Operation(Verb.REMOVE, entry("a", deleted=True), old, "a.conflict"),
    }[verb]()


def shares(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Ever another share with the same `a`, and the call at which its disk fails first."""
    for first in count(1):
        share = tmp_path / str(first)
        (share / ".left" / "trash").mkdir(parents=True)
        (share / "a").write_bytes(OLD)
        yield first, share


def in_share(tmp_path: Path) -> list[bytes]:
    """The bytes of the files that a scan finds."""
    return [
        path.read_bytes()
        for path in tmp_path.iterdir()
        if path.is_file() and not path.name.endswith(".lefting")
    ]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("verb", ["remove", "folder", "file", "link"])
def test_what_nobody_had_seen_stays_in_the_share(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: str, row: int
) -> None:
    for first, share in shares(tmp_path):
        with closing(RealRoot(share)) as root, monkeypatch.context() as patch:
            operation = conflicting(verb, root)
            disk = Failing(patch, first, row)
            outcome = carried_out(root, operation)
        if not disk.said:
            assert outcome is not None and outcome.ending is Ending.DONE
            return
        assert went_back(share, outcome) and OLD in in_share(share), (disk.said, outcome)
        assert OLD not in trashed(share).values()


def went_back(share: Path, outcome: Outcome | None) -> bool:
    """What was left aside goes back once the disk works again."""
    if outcome is None or outcome.aside is None:
        return True
    back = replace(outcome.operation, verb=Verb.GO_BACK, aside=outcome.aside)
    with closing(RealRoot(share)) as root:
        return one(root, back).ending is Ending.DONE


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("verb", ["remove", "folder", "file", "link"])
def test_what_a_user_writes_in_the_instant_stays_in_the_share(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: str, row: int
) -> None:
    """Also where the old version had been seen, and would have gone to the trash."""
    for first, share in shares(tmp_path):
        with closing(RealRoot(share)) as root, monkeypatch.context() as patch:
            operation = replace(conflicting(verb, root), copy_to=None)
            disk = Failing(patch, first, row)
            method = "rename_new" if verb in ("remove", "folder") else "exchange"
            Meddler(patch, method).act = lambda share=share: (share / "a").write_bytes(USER)  # type: ignore[misc]
            outcome = carried_out(root, operation)
        if not disk.said:
            return
        written = USER in [path.read_bytes() for path in share.rglob("*") if path.is_file()]
        assert went_back(share, outcome), (disk.said, outcome)
        assert USER in in_share(share) or not written, (disk.said, outcome)


@pytest.mark.slow
@pytest.mark.usefixtures("far_trash")
@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("verb", ["remove", "folder", "file"])
def test_half_a_file_is_never_in_the_trash_of_a_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: str, row: int
) -> None:
    """What lies on another file system is copied there. What is left half-way goes with the
    next sweep."""
    (tmp_path / "m").mkdir()
    (tmp_path / ".left").mkdir()
    for first in count(1):
        shutil.rmtree(tmp_path / ".left")
        (tmp_path / ".left" / "trash").mkdir(parents=True)
        shutil.rmtree(tmp_path / "m")
        (tmp_path / "m").mkdir()
        (tmp_path / "m" / "a").write_bytes(OLD)
        with closing(RealRoot(tmp_path)) as root, monkeypatch.context() as patch:
            old = held(root, "m/a")
            operation = {
                "remove": lambda old=old: remove("m/a", old),
                "folder": lambda old=old: directory("m/a", old),
                "file": lambda root=root, old=old: put(root, "m/a", old),
            }[verb]()
            disk = Failing(patch, first, row)
            outcome = carried_out(root, operation)
        assert went_back(tmp_path, outcome), (disk.said, outcome)
        listed = {path: data for path, data in trashed(tmp_path).items() if path == "m/a"}
        assert set(listed.values()) <= {OLD}, (disk.said, outcome)
        in_place = (tmp_path / "m" / "a").is_file() and (tmp_path / "m" / "a").read_bytes() == OLD
        assert in_place or listed, (disk.said, outcome)
        with closing(RealRoot(tmp_path)) as root:
            TrashSweep(root, Limits(), None, NOW_NS).step()
        assert not list((tmp_path / ".left" / "trash").glob("going-*"))
        if not disk.said:
            return


@pytest.mark.parametrize("row", ROWS)
def test_a_copy_for_one_of_two_names_is_gone_or_is_said_to_be_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, row: int
) -> None:
    for first, share in shares(tmp_path):
        os.link(share / "a", share / "other")
        with closing(RealRoot(share)) as root, monkeypatch.context() as patch:
            operation = attributes("a", held(root, "a"))
            disk = Failing(patch, first, row)
            outcome = carried_out(root, operation)
        if not disk.said:
            return
        assert went_back(share, outcome), (disk.said, outcome)
        assert in_share(share) == [OLD, OLD], (disk.said, outcome)
        left = outcome.left.path if outcome is not None and outcome.left is not None else None
        unnamed = disk.said[0].startswith("RealFile.stat") and left is None  # no inode, no owner
        assert unnamed or leftovers(share) == ([left] if left else []), (disk.said, outcome)


def carried_out(root: RealRoot, operation: Operation) -> Outcome | None:
    """None: not even the share could be opened."""
    try:
        return one(root, operation)
    except OSError:
        return None
