"""Two folders of one device whose members are not the same."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path
from random import Random

from leftzmq.cli.demo.capture import Capture, can_capture

from .cast import Company, Device, Failed
from .grow import SIZE_EXPONENT, append, generate

FOR_B, FOR_C = "of A and B", "of A and C"
LARGE_TIMES = 20_000


def marks(folder: str) -> tuple[bytes, bytes]:
    """What is to be found nowhere but with the members: a name, and the words of a file."""
    letter = folder[-1]
    return f"name-for-{letter}-alone".encode(), f"words for {letter} alone ".encode()


def two_folders(home: Path, chance: Random, files: int) -> str:
    """A has two folders, B one of them, C the other; all three are paired. Neither the wire nor
    whatever B or C keep has a name or a word of what is not theirs."""
    shares = {"A": [FOR_B, FOR_C], "B": [FOR_B], "C": [FOR_C]}
    with Company(home, shares) as company, Capture() if can_capture() else nullcontext() as wire:
        company.prepare()
        a, b, c = company.devices.values()
        for folder in (FOR_B, FOR_C):
            generate(a.of(folder), files, SIZE_EXPONENT, chance)
            name, words = (mark.decode() for mark in marks(folder))
            (a.of(folder) / name).mkdir()
            (a.of(folder) / name / f"{name}.txt").write_text(words)
            (a.of(folder) / f"large-{name}").write_text(words * LARGE_TIMES)
        company.start()
        company.together()
        for device, folder in ((b, FOR_B), (c, FOR_C)):
            name, words = (mark.decode() for mark in marks(folder))
            append(device.of(folder) / name / f"{name}.txt", words)
            shutil.move(device.of(folder) / f"large-{name}", device.of(folder) / f"moved-{name}")
        company.together()
        reports = a.reports().values()
        company.checked_stop()
        for device, folder in ((b, FOR_C), (c, FOR_B)):
            holds_none_of(device, marks(folder))
        if wire is None:
            return "without a capture: it needs root"
        seen = bytes(wire.seen)
        if found := [mark for folder in (FOR_B, FOR_C) for mark in marks(folder) if mark in seen]:
            raise Failed(f"readable on the wire: {found}")
        if len(seen) < sum(report["bytes"] for report in reports):
            raise Failed(f"the capture saw only {len(seen)} bytes")
        return f"{len(seen) >> 20} MiB captured"


def holds_none_of(device: Device, words: tuple[bytes, ...]) -> None:
    """Nothing that the device keeps, its index and log included, has these words or is so named."""
    for path in device.home.rglob("*"):
        told = str(path).encode() + (path.read_bytes() if path.is_file() else b"")
        if found := [word for word in words if word in told]:
            raise Failed(f"{device.name} has {found} in {path}")
