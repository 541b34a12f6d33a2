"""Programs that nobody here wrote, at work in a share: then all is equal, quiet again, and small.

Each program works in a folder of its own in the share of A; B only has it. What is measured is how
long both take to be in sync after it ended, and how much memory an agent took at most.
"""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from .cast import Company, Device, Failed, Skipped
from .compare import tree_of
from .conflicts import TWO

PROGRAM_S = 120.0
"""A program that takes so long longer than it was asked to hangs."""
MEMORY_MAX_MIB = 200
QUIET_MAX_S = 60.0
STRESSORS = ("rename", "dir", "symlink", "filename", "hdd", "link", "utime")


def stress_ng(home: Path, chance: Random, files: int, seconds: float, stressor: str) -> str:
    """Two workers of one of stress-ng's file stressors; they take away what they made."""
    program = _found("stress-ng")

    def work(place: Path) -> None:
        _run(
            [program, "--temp-path", str(place), f"--{stressor}", "2", "--timeout", f"{seconds:g}"],
            place,
            seconds,
        )

    return _played(home, work)


def dbench(home: Path, chance: Random, files: int, seconds: float) -> str:
    """Four clients of a file server, as dbench's own load file has them."""
    program = _found("dbench")

    def work(place: Path) -> None:
        _run([program, "-D", str(place), "-t", f"{seconds:g}", "4"], place, seconds)

    return _played(home, work)


def git(home: Path, chance: Random, files: int, rounds: int) -> str:
    """Clone, commit, checkout to and fro, gc and fsck, in a loop; at B, too, the clone is whole."""
    program = _found("git")
    who = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.invalid"]

    def call(place: Path, *arguments: str) -> str:
        return _run([program, *who, *arguments], place, 0.0)

    origin = home.parent / "origin"
    origin.mkdir(parents=True)
    call(origin, "init", "--quiet", "--initial-branch=main")

    def commit(place: Path, name: str) -> None:
        for number in range(files):
            path = place / f"d{number % 7}" / f"f{number}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(chance.randbytes(chance.choice((100, 4_000, 60_000))))
        call(place, "add", "--all")
        call(place, "commit", "--quiet", "-m", name)

    commit(origin, "first")

    def work(place: Path) -> None:
        clone = place / "clone"
        call(place, "clone", "--quiet", str(origin), str(clone))
        for number in range(rounds):
            call(clone, "checkout", "--quiet", "-b", f"b{number}")
            commit(clone, f"round {number}")
            call(clone, "checkout", "--quiet", "main")
            call(clone, "merge", "--quiet", "--no-ff", "-m", "merged", f"b{number}")
            call(clone, "gc", "--quiet", "--prune=now")
            call(clone, "fsck", "--full", "--no-progress")

    def whole(place: Path) -> None:
        call(place / "clone", "fsck", "--full", "--no-progress")
        if changed := call(place / "clone", "status", "--porcelain"):
            raise Failed(f"the clone at B is not as it was committed:\n{changed}")

    return _played(home, work, whole)


def packages(home: Path, chance: Random, files: int, rounds: int) -> str:
    """A tree of many small files is unpacked and deleted, again and again; the last one stays."""
    home.parent.mkdir(parents=True, exist_ok=True)
    packed = home.parent / "packages.tar"
    library = Path(sysconfig.get_paths()["stdlib"])
    some = sorted(path for path in library.rglob("*") if path.is_file())[:files]
    with tarfile.open(packed, "w") as archive:
        for path in some:
            archive.add(path, arcname=str(Path("lib") / path.relative_to(library)))

    def work(place: Path) -> None:
        for number in range(rounds):
            if number:
                shutil.rmtree(place / "lib")
            with tarfile.open(packed) as archive:
                archive.extractall(place, filter="data")

    return _played(home, work)


def _played(
    home: Path, work: Callable[[Path], None], whole: Callable[[Path], None] | None = None
) -> str:
    with Company(home, TWO) as company:
        a, b = company.start()
        company.together()
        place = a.share / "work"
        place.mkdir()
        work(place)
        ended = time.monotonic()
        (tree,) = company.together().values()
        quiet_s = time.monotonic() - ended
        if any(path.endswith(".lefting") for path in tree):
            raise Failed("a .lefting is left")
        if whole is not None:
            whole(b.share / "work")
            if tree_of(b.share) != tree:
                company.together()
        memory = [_most_memory_mib(device) for device in (a, b)]
        company.checked_stop()
    if quiet_s > QUIET_MAX_S or max(memory) > MEMORY_MAX_MIB:
        raise Failed(f"quiet after {quiet_s:.1f} s, {memory} MiB at most")
    return f"{len(tree)} paths, quiet after {quiet_s:.1f} s, {max(memory)} MiB at most"


def _most_memory_mib(device: Device) -> int:
    """Of the agent since its start (proc(5), VmHWM)."""
    for line in Path(f"/proc/{device.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    raise Failed("this kernel does not tell how much memory a process took")


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise Skipped(f"{program} is not installed (apt-get install {program})")
    return path


def _run(command: Sequence[str], place: Path, seconds: float) -> str:
    """What it printed."""
    done = subprocess.run(
        command, cwd=place, capture_output=True, text=True, timeout=seconds + PROGRAM_S
    )
    if done.returncode:
        raise Failed(f"{' '.join(command)}: rc {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
