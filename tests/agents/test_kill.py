"""SIGKILL at any moment, again and again, while two users change their files: nothing torn under a
final name, nothing lost, and in the end both shares are equal.

A longer run, with another seed:

    LEFTZMQ_KILL_ROUNDS=500 LEFTZMQ_KILL_SEED=7 .venv/bin/pytest -n 0 -s tests/agents/test_kill.py
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.tree.conflict import CONFLICT_MARK

ROUNDS = int(os.environ.get("LEFTZMQ_KILL_ROUNDS", "8"))
SEED = int(os.environ.get("LEFTZMQ_KILL_SEED", "1"))
DEADLINE_S = 60.0
LARGE_BYTES = 16 << 20
CHANGES_A_ROUND = 25
LONGEST_LIFE_S = 0.7  # from `ready` to the kill: a round's changes are under way for about so long


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class User:
    """Writes in one folder of one share, and remembers what must be there.

    has: path -> bytes, as they are now. wrote: digests of all whole files that ever were
    """

    def __init__(self, actor: Actor, chance: Random) -> None:
        self.actor, self.chance = actor, chance
        self.has: dict[str, bytes] = {}
        self.wrote: set[bytes] = set()
        self._beside = actor.home / "beside"
        self._number = 0

    def change(self) -> None:
        """One more thing that users do."""
        kind = self.chance.choice(["make", "make", "edit", "delete", "move", "move a folder"])
        path = self.chance.choice(sorted(self.has)) if self.has else ""
        if kind == "make" or not path:
            folder = f"{self.actor.name}/d{self.chance.randrange(4)}/d{self.chance.randrange(3)}"
            size = self.chance.choice([0, 10, 3000, 40_000, 300_000])
            self.write(self._new(folder), self.chance.randbytes(size))
        elif kind == "edit":
            self.write(path, self.has[path] + self.chance.randbytes(100))
        elif kind == "delete":
            (self.actor.share / path).unlink()
            del self.has[path]
        elif kind == "move":
            self._move(path, self._new(f"{self.actor.name}/d{self.chance.randrange(4)}"))
        else:
            folder = path.rpartition("/")[0]
            if folder != self.actor.name:
                self._move(folder, self._new(self.actor.name))

    def write(self, path: str, data: bytes) -> None:
        """Whole at once, as good programs do."""
        self.has[path] = data
        self.wrote.add(digest(data))
        self._beside.write_bytes(data)
        target = self.actor.share / path
        target.parent.mkdir(parents=True, exist_ok=True)
        self._beside.rename(target)

    def change_large(self) -> None:
        """Some bytes in the middle, and some more at its head."""
        path = f"{self.actor.name}/large"
        data = bytearray(self.has.get(path) or self.chance.randbytes(LARGE_BYTES))
        at = self.chance.randrange(len(data))
        data[at : at + 1000] = self.chance.randbytes(1000)
        self.write(path, self.chance.randbytes(10) + bytes(data))

    def _new(self, folder: str) -> str:
        self._number += 1
        return f"{folder}/{self._number}"

    def _move(self, old: str, new: str) -> None:
        (self.actor.share / new).parent.mkdir(parents=True, exist_ok=True)
        (self.actor.share / old).rename(self.actor.share / new)
        for path in list(self.has):
            if path == old or path.startswith(old + "/"):
                self.has[new + path[len(old) :]] = self.has.pop(path)


def tree(actor: Actor) -> tuple[dict[str, bytes], set[str]]:
    """Files (path -> digest) and folders of a share, but for our own."""
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    for where, names, found in os.walk(actor.share):  # passes over what goes meanwhile
        base = Path(where)
        if base == actor.share:
            names.remove(".left")
        folders |= {str((base / name).relative_to(actor.share)) for name in names}
        for name in found:
            with suppress(FileNotFoundError):
                files[str((base / name).relative_to(actor.share))] = digest(
                    (base / name).read_bytes()
                )
    return files, folders


def whole(actor: Actor, users: list[User]) -> None:
    """Every file under a final name is one that somebody wrote, and this user's are all there."""
    files, _ = tree(actor)
    wrote = users[0].wrote | users[1].wrote
    torn = [path for path, it in files.items() if it not in wrote and not is_lefting(path)]
    assert not torn, "torn under a final name"
    for user in users:
        if user.actor is actor:
            own = {path: it for path, it in files.items() if path.startswith(f"{actor.name}/")}
            expected = {path: digest(data) for path, data in user.has.items()}
            assert plain(own) == expected


def is_quiet(actor: Actor) -> bool:
    status = actor.status()
    return status.get("state") == "idle" and status["tickets"] == 0


def plain(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without what arrives, and without conflict copies: where a crash came between a rename and
    its commit, and the file was edited elsewhere meanwhile, the old version is kept as one."""
    return {
        path: it for path, it in files.items() if not is_lefting(path) and CONFLICT_MARK not in path
    }


def is_lefting(path: str) -> bool:
    return path.endswith(".lefting")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage("AB", tmp_path / "stage") as stage:
        yield stage
        for actor in stage.actors:
            print(f"--- log of {actor.name}\n{actor.log_tail(60_000)}")


def test_killed_again_and_again_nothing_is_torn_or_lost(stage: Stage) -> None:
    a, b = stage.actors
    chance = Random(SEED)
    users = [User(a, chance), User(b, chance)]
    for actor in (a, b):
        actor.start()
    users[0].change_large()
    for number in range(ROUNDS):
        victim = chance.choice([a, b, b])
        for user in users:
            for _ in range(CHANGES_A_ROUND):
                user.change()
        if number % 3 == 2:
            users[chance.randrange(2)].change_large()
        time.sleep(chance.uniform(0.0, LONGEST_LIFE_S))  # when it dies is what this is about
        victim.kill()
        for actor in (a, b):
            whole(actor, users)
        if chance.random() < 0.5:
            users[chance.randrange(2)].change()  # nobody watches one of them
        victim.start()
    expected = {path: digest(data) for user in users for path, data in user.has.items()}
    in_sync = wait_until(
        lambda: (
            is_quiet(a)
            and is_quiet(b)
            and tree(a)[0] == tree(b)[0]
            and plain(tree(a)[0]) == expected
        ),
        DEADLINE_S,
        period_s=0.2,
    )
    assert in_sync, differences(expected, tree(a)[0], tree(b)[0])
    assert wait_until(lambda: tree(a)[1] == tree(b)[1], DEADLINE_S), tree(a)[1] ^ tree(b)[1]
    for actor in (a, b):
        assert actor.status()["problems"] == 0, actor.status()["problem_list"]
        assert not any(map(is_lefting, tree(actor)[0]))
        whole(actor, users)
        assert "Traceback" not in actor.log_tail(10_000)


def differences(expected: dict[str, bytes], *found: dict[str, bytes]) -> list[str]:
    paths = sorted(set(expected).union(*found))
    return [
        f"{path}: {[it.get(path) == expected.get(path) for it in found]}"
        for path in paths
        if any(it.get(path) != expected.get(path) for it in found)
    ]
