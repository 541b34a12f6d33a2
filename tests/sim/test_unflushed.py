"""Single stories of the simulation: what was done in the share and could not be flushed, or was not
because the device was killed, is never told to others before it is durable. Else a power cut takes
back what everybody believes, and the device tells that as its user's doing."""

from __future__ import annotations

import errno
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from leftzmq.disk.apply.flush import GROUP_FROM
from leftzmq.sync.jobs import Apply
from tests.sim import laws
from tests.sim.fs import Crash
from tests.sim.plan import MEMORY, settle
from tests.sim.world import Knobs, SimDevice, World

TREE = ("f", "t/a", "t/b/c", "t/b/d/e")
MANY = tuple(f"many/{number}/f" for number in range(GROUP_FROM))
EACH = 24  # every 24th call of the applier is tried, of 60 to 200: each day others
FIRST = time.time_ns() // 86_400_000_000_000 % EACH
SICK_S = 8.0
FLUSHING = ("open folder", "flush")


class Worst(random.Random):
    """A power cut leaves nothing that was not flushed."""

    def random(self) -> float:
        return 0.999

    def choice(self, seq: Any) -> Any:
        return seq[0]


@contextmanager
def lived() -> Iterator[World]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as base:
        world = World(1, Path(base), "AB", {("A", "B"), ("B", "A")}, Knobs())
        for device in world.devices.values():
            device.start()
        yield world
        for device in world.devices.values():
            if device.alive:
                device.kill()


# ---- what A's user does -----------------------------------------------------------------------


def make(device: SimDevice) -> None:
    for path in (*TREE, *MANY):
        device.hands.make_folders(path.rpartition("/")[0])
        device.hands.write(path, f"of {path}".encode())


def rename(device: SimDevice) -> None:
    device.hands.make_folder("new")
    device.hands.rename("t", "new/t")
    device.hands.rename("f", "new/f")


def replace(device: SimDevice) -> None:
    for path in TREE:
        device.hands.write(path, f"another {path}".encode())


def delete(device: SimDevice) -> None:
    device.hands.delete("t")
    device.hands.delete("f")


def swap(device: SimDevice) -> None:
    """A file becomes a folder, a folder a file."""
    delete(device)
    device.hands.write("t", b"a file now")
    device.hands.make_folder("f")
    device.hands.write("f/x", b"in a folder now")


def swap_many(device: SimDevice) -> None:
    """So many folders become files that these are flushed together."""
    for number in range(GROUP_FROM):
        device.hands.delete(f"many/{number}")
        device.hands.write(f"many/{number}", f"file {number}".encode())


DEEDS = {each.__name__: each for each in (make, rename, replace, delete, swap, swap_many)}


# ---- what befalls B meanwhile -------------------------------------------------------------------


def before_call(
    device: SimDevice, number: int, kinds: tuple[str, ...], spring: Callable[[str], None]
) -> None:
    """`spring` once, before the call of that number among those of its applier. kinds: what their
    names begin with"""
    count = 0

    def watch(call: str, path: str) -> None:
        nonlocal count
        if not (isinstance(device.job, Apply) and call.startswith(kinds)):
            device.set_trap(1, watch)
            return
        count += 1
        if count > number:
            spring(call)
        else:
            device.set_trap(1, watch)

    device.set_trap(1, watch)


def sick_from(code: int, lasts_s: float, number: int, device: SimDevice) -> list[str]:
    """From such a call on nothing can be flushed for so long, or once. Returns what failed."""
    failed: list[str] = []

    def fail(call: str) -> None:
        failed.append(call)
        until = device.world.now + lasts_s

        def again(call: str, path: str) -> None:
            if device.world.now < until:
                device.set_trap(1, again)
                if call.startswith("flush"):
                    raise OSError(code, os.strerror(code))

        if lasts_s:
            device.set_trap(1, again)
        raise OSError(code, os.strerror(code))

    before_call(device, number, FLUSHING, fail)
    return failed


def killed_before(number: int, device: SimDevice) -> list[str]:
    """It is killed before that call and comes back a second later. Returns which call it was."""
    calls: list[str] = []

    def end() -> None:
        device.kill()
        device.world.after(1.0, device.start)

    def crash(call: str) -> None:
        calls.append(call)
        device.doom, device.calls.dead = end, True
        raise Crash

    before_call(device, number, ("",), crash)
    return calls


def tried(deed: str, begin: Callable[[SimDevice], list[str]]) -> bool:
    """B does what A's user did while `begin` befalls it, comes to rest, and loses power. Whether
    anything befell it."""
    with lived() as world:
        a, b = world.devices["A"], world.devices["B"]
        if deed != "make":
            make(a)
            a.touched()
            settle(world)
            b.disk.flush_all()
        befell = begin(b)
        DEEDS[deed](a)
        a.touched()
        settle(world)
        wanted = laws.tree_of(a)
        assert laws.tree_of(b) == wanted
        assert not b.folder.problems.all()
        b.trap = None
        b.kill()
        b.disk.power_cut(Worst())
        b.start()
        world.run_until(world.now + 30.0)
        settle(world)
        assert laws.tree_of(a) == wanted, (
            f"told as a user's doing, after {befell} (from {FIRST} on)"
        )
        assert laws.tree_of(b) == wanted, f"not made good, after {befell} (from {FIRST} on)"
        return bool(befell)


def tried_until_none_is_left(deed: str, begin: Callable[[int, SimDevice], list[str]]) -> None:
    number = FIRST
    while tried(deed, partial(begin, number)):
        number += EACH
    assert number > EACH, "nothing befell it"


@pytest.mark.parametrize("lasts_s", [0.0, SICK_S], ids=["once", "for a while"])
@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE], ids=["sick", "short"])
@pytest.mark.parametrize("deed", DEEDS)
def test_what_could_not_be_flushed_is_not_told(deed: str, code: int, lasts_s: float) -> None:
    tried_until_none_is_left(deed, partial(sick_from, code, lasts_s))


@pytest.mark.parametrize("deed", DEEDS)
def test_what_a_killed_agent_did_not_flush_is_not_told(deed: str) -> None:
    tried_until_none_is_left(deed, killed_before)
