"""Run seeds of the simulation: python -m tests.sim --seeds 0:500. A failing seed is shrunk, and
printed with the command that replays it. Exit code 1 if any seed failed. `--fresh 500` takes seeds
that nobody has run, so that no range is the one that the code was tuned to."""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from . import besieged_members
from .besieged import endure, siege_of
from .plan import (
    Outcome,
    has_limits,
    has_receiver,
    has_roster,
    has_rules,
    has_sender,
    has_wanted,
    mix_of,
    plan_of,
    run,
)
from .shrink import command, shrunk, unpack


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", default="0:500", help="A:B without B, or one number")
    parser.add_argument(
        "--fresh", type=int, metavar="N", help="N seeds from where the clock stands"
    )
    parser.add_argument("--devices", type=int, default=0, help="2 to 4; else the seed says")
    parser.add_argument("--replay", help="a plan as it was told when it failed")
    parser.add_argument("--rosters", action="store_true", help="only seeds that have a roster")
    parser.add_argument("--rules", action="store_true", help="only seeds in which users ignore")
    parser.add_argument("--receiving", action="store_true", help="only seeds with a receiver")
    parser.add_argument("--wanted", action="store_true", help="only seeds with get and drop")
    parser.add_argument("--sending", action="store_true", help="only seeds with a sender")
    parser.add_argument("--limits", action="store_true", help="only seeds with limits")
    parser.add_argument("--mixed", action="store_true", help="only seeds about several of these")
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--twice", action="store_true", help="I12: run each seed twice")
    parser.add_argument(
        "--hostile",
        action="store_true",
        help="stories with a hostile device; with --rosters: with a hostile member",
    )
    args = parser.parse_args()
    if args.fresh is not None:
        first = time.time_ns() // 1_000_000
        args.seeds = f"{first}:{first + args.fresh}"
        print(f"--seeds {args.seeds}", flush=True)
    if args.hostile:
        return besiege(args.seeds, rosters=args.rosters)
    if args.replay:
        return tell(run(unpack(args.replay, lambda seed: plan_of(seed, args.devices)), story=True))
    first, _, last = args.seeds.partition(":")
    seeds = range(int(first), int(last) if last else int(first) + 1)
    chosen = [seed for seed in seeds if has_roster(seed) or not args.rosters]
    chosen = [seed for seed in chosen if has_rules(seed) or not args.rules]
    chosen = [seed for seed in chosen if has_receiver(seed) or not args.receiving]
    chosen = [seed for seed in chosen if has_wanted(seed) or not args.wanted]
    chosen = [seed for seed in chosen if has_sender(seed) or not args.sending]
    chosen = [seed for seed in chosen if has_limits(seed) or not args.limits]
    chosen = [seed for seed in chosen if mix_of(seed) or not args.mixed]
    began, failed, deeds, simulated_s = time.monotonic(), 0, 0, 0.0
    for seed in chosen:
        plan = plan_of(seed, args.devices)
        outcome = run(plan)
        deeds, simulated_s = deeds + len(plan.steps), simulated_s + outcome.seconds
        if args.twice and run(plan).digest != outcome.digest:
            failed += 1
            print(f"seed {seed}: I12: another run of it went another way", flush=True)
        if outcome.broken is not None:
            failed += 1
            print(f"seed {seed}: {outcome.law}: {str(outcome.broken)[:500]}", flush=True)
            if not args.no_shrink:
                outcome = shrunk(outcome)
                print(
                    f"  shrunk: {str(outcome.broken)[:500]}\n  {command(outcome.plan)}", flush=True
                )
    count, took = max(len(chosen), 1), time.monotonic() - began
    print(
        f"{len(chosen)} seeds, {failed} failed; {deeds / count:.1f} steps, "
        f"{simulated_s / count:.0f} simulated s and {took / count:.3f} s each"
    )
    return 1 if failed else 0


def besiege(seeds: str, *, rosters: bool) -> int:
    """The story of one seed is printed whole; of many seeds, only the failing ones are printed."""
    first, colon, last = seeds.partition(":")

    def lived(seed: int, *, story: bool = False) -> Outcome:
        if rosters:
            return besieged_members.endure(besieged_members.members_of(seed), story=story)
        return endure(siege_of(seed), story=story)

    if not colon:
        return tell(lived(int(first), story=True))
    began, failed = time.monotonic(), 0
    for seed in range(int(first), int(last)):
        outcome = lived(seed)
        if outcome.broken is not None:
            failed += 1
            print(f"seed {seed}: {outcome.law}: {str(outcome.broken)[:500]}", flush=True)
    count = int(last) - int(first)
    took = (time.monotonic() - began) / max(count, 1)
    print(f"{count} seeds with a hostile device, {failed} failed; {took:.3f} s each")
    return 1 if failed else 0


def tell(outcome: Outcome) -> int:
    print("".join(outcome.story))
    print(outcome.plan)
    if outcome.broken is None:
        print("all laws hold")
        return 0
    traceback.print_exception(outcome.broken)
    return 1


if __name__ == "__main__":
    sys.exit(main())
