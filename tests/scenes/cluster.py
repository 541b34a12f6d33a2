"""Three devices and three folders, altered again and again."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

from .cast import Company
from .compare import Tree, equal, tree_of
from .grow import SIZE_EXPONENT, alter, append, generate

DEFAULT, S12, S23 = "default", '¯\\_(ツ)_/¯ "Räksmörgås" 动作 Адрес', "s23"
SHARES = {"A": [DEFAULT, S12], "B": [DEFAULT, S12, S23], "C": [DEFAULT, S23]}
APPENDED_BYTES = 3 << 20
REST_S = 1.1
"""Between two rounds: two changes of a file are never in the same second."""


def cluster(home: Path, chance: Random, files: int, seconds: float) -> str:
    """One device alters each folder, for so long.

    Each round: all trees are those that were left after the last alterations.
    """
    with Company(home, SHARES) as company:
        company.prepare()
        a, b, c = company.devices.values()
        for folder in (a.of(DEFAULT), b.of(DEFAULT), c.of(DEFAULT), a.of(S12), b.of(S23)):
            generate(folder, files, SIZE_EXPONENT, chance)
        appended = a.of(DEFAULT) / "test-appendfile"
        appended.write_bytes(chance.randbytes(APPENDED_BYTES))
        company.start()
        company.together()
        rounds, end = 0, time.monotonic() + seconds
        while rounds == 0 or time.monotonic() < end:
            altered = {DEFAULT: a.of(DEFAULT), S12: a.of(S12), S23: b.of(S23)}
            time.sleep(REST_S)
            for folder in altered.values():
                alter(folder, chance)
            append(appended, "more", keep_mtime=True)
            left: dict[str, Tree] = {id: tree_of(folder) for id, folder in altered.items()}
            found = company.together()
            for id in altered:
                equal({f"{id} as it was left": left[id], f"{id} in sync": found[id]})
            rounds += 1
        company.checked_stop()
    return f"{rounds} rounds, {company.accepted} waves of deletes accepted"


def cluster_all_alter(home: Path, chance: Random, files: int, seconds: float) -> str:
    """Every device alters every folder that it has, all of them at the same time."""
    with Company(home, SHARES) as company:
        company.prepare()
        devices = list(company.devices.values())
        for device in devices:
            for folder in device.folders.values():
                generate(folder, files, SIZE_EXPONENT, chance)
        company.start()
        company.together()
        rounds, end = 0, time.monotonic() + seconds
        while rounds == 0 or time.monotonic() < end:
            with company.held(*devices):
                for device in devices:
                    for folder in device.folders.values():
                        alter(folder, chance)
            company.together()
            rounds += 1
        company.checked_stop()
    return f"{rounds} rounds, {company.accepted} waves of deletes accepted"
