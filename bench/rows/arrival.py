"""Files that A has and B has not: seconds from B's start until all are there. Many small files, on
the disk and in memory, and one large file."""

from __future__ import annotations

from typing import Final

from bound import cost
from ground import Needs
from programs.named import pair
from shares import SMALL_MOST, fill, plain_s
from two_agents import arrival_s, begun

from rows.row import (
    BOUND,
    OURS,
    PLAIN,
    RSYNC,
    SYNCTHING,
    UNISON,
    Figure,
    Figures,
    Place,
    Row,
    Scale,
    Setting,
    Wanted,
)

MB: Final = 1e6
COPIES: Final = 2


def arrival(setting: Setting) -> Figures:
    scale = setting.scale
    if setting.program == PLAIN:
        return plain(setting)
    if setting.program == BOUND:
        return bound(setting)
    with pair(setting.program, setting.ground) as shares:
        manifest = begun(shares, scale.size, scale.files)
        seconds = arrival_s(shares, manifest)
        a_cpu_s, b_cpu_s = shares.cpu_s()
    return _rates(sum(manifest.values()), len(manifest), seconds) | {
        "cpu_s": a_cpu_s + b_cpu_s,
        "a_cpu_s": a_cpu_s,
        "b_cpu_s": b_cpu_s,
    }


def plain(setting: Setting) -> Figures:
    home = setting.ground.new_home()
    (home / "A").mkdir(parents=True)
    manifest = fill(home / "A", setting.scale.size, setting.scale.files)
    seconds = plain_s(home / "A", home / "B", manifest)
    setting.ground.leave(home)
    return _rates(sum(manifest.values()), len(manifest), seconds)


def bound(setting: Setting) -> Figures:
    home = setting.ground.new_home()
    home.mkdir()
    (path,) = manifest = fill(home, setting.scale.size, 0)
    found = cost(home / path, home / "arrived")
    setting.ground.leave(home)
    return _rates(manifest[path], 1, found.seconds) | {
        "cpu_s": found.sender_cpu_s + found.receiver_cpu_s,
        "a_cpu_s": found.sender_cpu_s,
        "b_cpu_s": found.receiver_cpu_s,
    }


def _rates(size: int, files: int, seconds: float) -> dict[str, float]:
    return {"seconds": seconds, "files_s": files / seconds, "MB_s": size / MB / seconds}


def _small(scale: Scale) -> Needs:
    return Needs(files=COPIES * scale.files, size=COPIES * scale.files * SMALL_MOST // 2)


def _in_memory(scale: Scale) -> Needs:
    needs = _small(scale)
    return Needs(needs.files, needs.size, memory_bytes=needs.disk_bytes)


_CPU: Final = Figure("cpu_s", "CPU of both", "s")
_SMALL_PROGRAMS: Final = (OURS, SYNCTHING, UNISON, RSYNC, PLAIN)

ROWS: Final = (
    Row(
        name="files",
        kind="files",
        what="small files (up to 11.6 kB)",
        figures=(
            Figure("files_s", "rate", "files/s", (Wanted(4, SYNCTHING),), is_more_better=True),
            Figure("seconds", "time", "s", (Wanted(1.3, PLAIN),)),
            _CPU,
        ),
        programs=_SMALL_PROGRAMS,
        full=(Scale(files=10_000),),
        quick=(Scale(files=300),),
        needs=_small,
        measure=arrival,
    ),
    Row(
        name="files-memory",
        kind="files",
        what="small files on tmpfs",
        figures=(
            Figure("files_s", "rate", "files/s", (Wanted(6_000),), is_more_better=True),
            Figure("seconds", "time", "s"),
        ),
        programs=_SMALL_PROGRAMS,
        full=(Scale(files=10_000),),
        quick=(Scale(files=300),),
        needs=_in_memory,
        measure=arrival,
        place=Place.MEMORY,
    ),
    Row(
        name="large",
        kind="large",
        what="one large file",
        figures=(
            Figure(
                "MB_s",
                "rate",
                "MB/s",
                (Wanted(450), Wanted(2, SYNCTHING), Wanted(0.75, BOUND)),
                is_more_better=True,
            ),
            Figure("seconds", "time", "s"),
            _CPU,
        ),
        programs=(OURS, SYNCTHING, UNISON, RSYNC, PLAIN, BOUND),
        full=(Scale(size=1 << 30),),
        quick=(Scale(size=32 << 20),),
        needs=lambda scale: Needs(size=COPIES * scale.size),
        measure=arrival,
    ),
)
