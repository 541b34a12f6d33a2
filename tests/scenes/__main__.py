"""Play the scenes in full size, one after another, and print a table.

    python -m tests.scenes                  all of them
    python -m tests.scenes cluster symlinks these
    python -m tests.scenes --loops 20       all of them, twenty times

Exit code 1 if any went wrong: its agents' logs and what was different are printed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random

from .cast import Company, Skipped
from .programme import NOT_APPLICABLE, SCENES, Scene


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scenes", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    names = [scene.name for scene in SCENES]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--loops", type=int, default=1, metavar="N", help="play each N times")
    parser.add_argument("--seed", type=int, default=42, help="of the first loop; the next has +1")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"no such scene: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    chosen = [scene for scene in SCENES if not options.names or scene.name in options.names]
    print("| scene | shape | result | seconds |\n|---|---|---|---|")
    failed = 0
    for loop in range(options.loops):
        for scene in chosen:
            failed += not played(scene, options.seed + loop)
    if not options.names:
        for name, why in NOT_APPLICABLE.items():
            print(f"| {name} | | not applicable: {why} | |")
    return 1 if failed else 0


def played(scene: Scene, seed: int) -> bool:
    """Play it, print its row, and say whether all went well."""
    home = Path(tempfile.mkdtemp(prefix="leftzmq-scene-"))
    began = time.monotonic()
    try:
        said = scene.play(home / "stage", Random(seed))
    except Skipped as why:
        print(f"| {scene.name} | {scene.shape} | skipped: {why} | |", flush=True)
        return True
    except Exception as error:
        took = time.monotonic() - began
        print(f"| {scene.name} | {scene.shape} | FAILED (seed {seed}) | {took:.0f} |", flush=True)
        traceback.print_exception(error)
        print(Company.last_words, file=sys.stderr, flush=True)
        return False
    finally:
        shutil.rmtree(home, ignore_errors=True)
    took = Company.ended_at - began  # without the removal of what it left on the disk
    result = f"ok; {said}" if said is not None else "ok"
    print(f"| {scene.name} | {scene.shape} | {result} | {took:.0f} |", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
