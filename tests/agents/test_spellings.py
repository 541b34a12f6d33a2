"""Real agents: A on an exact disk, B on one that takes two spellings for one name (exFAT, by FUSE).

What B's disk cannot do besides (no links, no exchange of two names) is said at its start."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from tests.agents.test_keep import done, has
from tests.helpers import foldings
from tests.helpers.listing import paths_in

DEADLINE_S = 30.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    try:
        with Stage("AB", tmp_path / "stage") as stage:
            _, b = stage.actors
            with foldings.disk("exfat", tmp_path, b.share):
                yield stage
                for actor in stage.actors:
                    print(f"--- log of {actor.name}\n{actor.log_tail(80)}")
                b.stop()
    except foldings.Impossible as error:
        pytest.skip(f"no exFAT here: {error}")


def listed(actor: Actor) -> set[str]:
    """What readdir says, folder by folder."""
    found = {str(path.relative_to(actor.share)) for path in paths_in(actor.share)}
    return {path for path in found if not path.startswith(".left")}


def are(stage: Stage, *paths: str) -> bool:
    return all(listed(actor) == set(paths) for actor in stage.actors)


def problems(actor: Actor) -> dict[str, str]:
    """path -> the word for what is the matter with it; without what is said of B's disk."""
    found = json.loads(done(actor, "problems", "--json"))
    return {each["path"]: each["problem"] for each in found if each["path"] != "."}


def start(stage: Stage) -> tuple[Actor, Actor]:
    a, b = stage.actors
    a.start()
    b.start()
    return a, b


def test_a_rename_by_case_on_the_exact_disk(stage: Stage) -> None:
    a, b = start(stage)
    (a.share / "d").mkdir()
    (a.share / "d/in").write_bytes(b"i")
    (a.share / "foo.txt").write_bytes(b"f")
    assert wait_until(lambda: has(b, "foo.txt", b"f") and has(b, "d/in", b"i"), DEADLINE_S)
    (a.share / "foo.txt").rename(a.share / "FOO.txt")
    (a.share / "d").rename(a.share / "D")
    assert wait_until(lambda: are(stage, "FOO.txt", "D", "D/in"), DEADLINE_S)
    done(a, "wait", "--timeout", "30")
    assert are(stage, "FOO.txt", "D", "D/in") and has(b, "D/in", b"i")
    assert not problems(a) and not problems(b)
    b.stop()
    b.start()
    done(a, "wait", "--timeout", "30")
    assert are(stage, "FOO.txt", "D", "D/in") and not problems(b)


def test_a_rename_by_case_on_the_other_disk(stage: Stage) -> None:
    a, b = start(stage)
    (b.share / "d").mkdir()
    (b.share / "d/in").write_bytes(b"i")
    (b.share / "foo.txt").write_bytes(b"f")
    assert wait_until(lambda: has(a, "foo.txt", b"f") and has(a, "d/in", b"i"), DEADLINE_S)
    (b.share / "foo.txt").rename(b.share / "FOO.txt")
    (b.share / "d").rename(b.share / "D")
    assert wait_until(lambda: are(stage, "FOO.txt", "D", "D/in"), DEADLINE_S)
    assert has(a, "FOO.txt", b"f") and not problems(b)


@pytest.mark.parametrize("deleted", ["Case", "case"])
def test_both_spellings_are_there_before_it_joins(stage: Stage, deleted: str) -> None:
    a, b = stage.actors
    a.start()
    (a.share / "Case").write_bytes(b"large")
    (a.share / "case").write_bytes(b"small")
    b.start()
    assert wait_until(lambda: problems(b), DEADLINE_S)
    ((missing, kind),) = problems(b).items()
    (here,) = {"Case", "case"} - {missing}
    assert kind == "NAME_FOLDS" and listed(b) == {here}
    b.stop()
    b.start()
    assert wait_until(lambda: problems(b) == {missing: "NAME_FOLDS"}, DEADLINE_S)
    assert has(a, "Case", b"large") and has(a, "case", b"small")
    other = "case" if deleted == "Case" else "Case"
    (a.share / deleted).unlink()
    assert wait_until(lambda: are(stage, other) and not problems(b), DEADLINE_S)
    assert has(b, other, b"large" if other == "Case" else b"small")
    done(a, "wait", "--timeout", "30")
    assert are(stage, other)


def test_a_touch_by_another_spelling_is_a_touch_of_what_is_there(stage: Stage) -> None:
    a, b = start(stage)
    (b.share / "Name").write_bytes(b"one")
    assert wait_until(lambda: has(a, "Name", b"one"), DEADLINE_S)
    with (b.share / "nAME").open("ab") as file:
        file.write(b", two")
    assert wait_until(lambda: has(a, "Name", b"one, two"), DEADLINE_S)
    assert wait_until(lambda: are(stage, "Name"), DEADLINE_S)  # what was replaced goes to the trash


def test_what_is_edited_elsewhere_replaces_the_file_there(stage: Stage) -> None:
    """exFAT can neither exchange two names nor link a file: the old version is moved aside."""
    a, b = start(stage)
    for number in range(5):
        data = b"%d " % number * (1 + number * 100_000)
        (a.share / "file").write_bytes(data)
        (a.share / "other").write_bytes(data[:100])
        assert wait_until(lambda data=data: has(b, "file", data), DEADLINE_S)
        assert wait_until(lambda data=data: has(b, "other", data[:100]), DEADLINE_S)
        assert not problems(b) and listed(b) == {"file", "other"}
    trashed = [path.read_bytes() for path in (b.share / ".left/trash").rglob("file")]
    assert b"3 " * 300_001 in trashed
    (b.share / "file").write_bytes(b"of B")
    assert wait_until(lambda: has(a, "file", b"of B"), DEADLINE_S)
    done(a, "wait", "--timeout", "30")
    assert are(stage, "file", "other") and not problems(a)


def test_a_conflict_there_leaves_both_versions(stage: Stage) -> None:
    a, b = start(stage)
    (a.share / "file").write_bytes(b"before")
    assert wait_until(lambda: has(b, "file", b"before"), DEADLINE_S)
    b.stop()
    (b.share / "file").write_bytes(b"of B")
    time.sleep(2.1)  # exFAT has times of two seconds: the later version wins
    (a.share / "file").write_bytes(b"of A, later")
    assert wait_until(lambda: a.status()["state"] in ("alone", "idle"), DEADLINE_S)
    b.start()
    assert wait_until(lambda: len(listed(b)) == 2 and listed(a) == listed(b), DEADLINE_S)
    for actor in (a, b):
        found = {(actor.share / path).read_bytes() for path in listed(actor)}
        assert found == {b"of B", b"of A, later"}
    assert not problems(b)


def test_a_disk_that_keeps_no_spelling_says_what_it_does_not_take(tmp_path: Path) -> None:
    try:
        with Stage("AB", tmp_path / "stage") as stage:
            _, b = stage.actors
            with foldings.disk("ntfs", tmp_path, b.share):
                _shown_in_small_letters(stage)
                b.stop()
    except foldings.Impossible as error:
        pytest.skip(f"no NTFS here: {error}")


def _shown_in_small_letters(stage: Stage) -> None:
    a, b = start(stage)
    (a.share / "BOTH").write_bytes(b"large")
    (a.share / "small").write_bytes(b"x")
    assert wait_until(lambda: has(b, "small", b"x") and "BOTH" in problems(b), DEADLINE_S)
    assert listed(b) == {"small"} and listed(a) == {"BOTH", "small"}
    (a.share / "BOTH").rename(a.share / "both")
    assert wait_until(lambda: are(stage, "both", "small"), DEADLINE_S)
    (a.share / "both").rename(a.share / "Both")
    assert wait_until(lambda: "Both" in problems(b), DEADLINE_S)
    done(b, "problems")
    assert listed(a) == {"Both", "small"} and problems(b)["Both"] == "UNWRITABLE"


def test_a_remount_changes_nothing_elsewhere(stage: Stage, tmp_path: Path) -> None:
    """exFAT has no x bits, whole seconds, and another inode for a file after each mount."""
    a, b = start(stage)
    for name, mode in (("plain", 0o600), ("tool", 0o755)):
        (a.share / name).write_bytes(name.encode())
        (a.share / name).chmod(mode)
        os.utime(a.share / name, ns=(1, 1_700_000_000_123_456_789))
    assert wait_until(lambda: has(b, "plain", b"plain") and has(b, "tool", b"tool"), DEADLINE_S)
    done(a, "wait", "--timeout", "30")
    before = attributes(a)
    b.stop()
    foldings.remount("exfat", b.share, tmp_path)
    for name in ("tool", "plain"):
        (b.share / name).stat()  # numbers are given in the order of the first questions
    b.start()
    done(a, "wait", "--timeout", "30")
    assert attributes(a) == before
    (b.share / "plain").rename(b.share / "PLAIN")
    assert wait_until(lambda: are(stage, "PLAIN", "tool"), DEADLINE_S)
    assert attributes(a)["PLAIN"] == before["plain"]


def attributes(actor: Actor) -> dict[str, tuple[int, int]]:
    found = {path: (actor.share / path).stat() for path in listed(actor)}
    return {path: (stat.st_mode, stat.st_mtime_ns) for path, stat in found.items()}
