"""Runs one small story again and again, each time with an error of SQLite at another statement.

All of them, each kind of error at each statement: python -m tests.sim.index_faults
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from leftzmq.errors import IndexFault

from . import laws
from .faults import Faults
from .ledger import Ledger
from .plan import MEMORY, settle, stays_quiet
from .users import Users
from .world import Knobs, SimDevice, World

DEEDS = (
    ("create", 0.0),
    ("make tree", 0.2),
    ("edit", 1.5),
    ("rename", 3.0),
    ("delete", 3.5),
    ("create", 4.0),
    ("edit", 5.0),
)
LASTS_S = {
    IndexFault.FULL: 4.0,
    IndexFault.IO: 0.0,
    IndexFault.LOCKED: 1.0,
    IndexFault.CORRUPT: 0.0,
}


def statement(fault: IndexFault, number: int) -> bool:
    """Run the story with this error at that statement of the first device. Returns whether the
    story has so many statements; raises the law that is broken."""
    where = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="leftzmq-index-", dir=where) as base:
        world = World("index faults", Path(base), "AB", {("A", "B"), ("B", "A")}, Knobs())
        try:
            with world.index_trap:
                return _live(world, fault, number)
        finally:
            for device in world.devices.values():
                if device.alive:
                    device.end()


def _live(world: World, fault: IndexFault, number: int) -> bool:
    ledger = Ledger()
    users = Users(world, ledger, large=False)
    faults = Faults(world, ledger, users)
    world.look_after = laws.Witness(ledger).look_after
    a = world.devices["A"]
    came: list[SimDevice] = []

    def sprung() -> None:
        came.append(a)
        if fault is IndexFault.CORRUPT:
            faults.forgot_index(a)

    for device in world.devices.values():
        world.after(0.0, device.start)
    world.after(0.0, lambda: a.fail_index(number, fault, LASTS_S[fault], sprung))
    for at, (deed, when) in enumerate(DEEDS):
        for device in world.devices.values():
            chance = random.Random(f"{at}/{device.name}")
            world.after(1.0 + when, partial(users.do, deed, device, chance))
    world.run_until(world.now + 12.0)
    faults.end()
    settle(world)
    tree = laws.converged(world, ledger)
    laws.nothing_lost(world, ledger, tree)
    laws.nothing_came_back(world, ledger, tree)
    for device in world.devices.values():
        laws.index_is_the_disk(device, exact=False)
        laws.nothing_is_left(device, ledger)
    stays_quiet(world, ledger)
    return bool(came)


def all_of(fault: IndexFault, first: int, step: int) -> Iterator[int]:
    """Yields the numbers of the statements that were tried."""
    number = first
    while statement(fault, number):
        yield number
        number += step


def main() -> None:
    broken = 0
    for fault in IndexFault:
        number = 0
        while True:
            try:
                if not statement(fault, number):
                    break
            except Exception as error:
                broken += 1
                print(f"{fault.name} at statement {number}: {type(error).__name__}: {error}")
            number += 1
        print(f"{fault.name}: {number} statements", flush=True)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
