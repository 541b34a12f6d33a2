"""Makes a failing plan smaller: fewer steps, fewer devices and a calmer world that break the same
law.

Knows plans. Must not know why they fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from .plan import Outcome, Plan, Theme, plan_about, run
from .world import Knobs

Runs = Callable[[Plan], Outcome]


def shrunk(failed: Outcome, tries: int = 400, runs: Runs = run) -> Outcome:
    """Returns the smallest plan that broke the same law in at most `tries` runs."""
    best = failed
    left = tries
    again = True
    while again and left > 0:
        again = False
        for plan in _smaller(best.plan):
            if left <= 0:
                break
            left -= 1
            outcome = runs(plan)
            if outcome.law == failed.law:
                best, again = outcome, True
                break
    return best


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Yields smaller plans, the largest reductions first."""
    steps = plan.steps
    size = len(steps) // 2
    while size:
        for start in range(0, len(steps), size):
            yield replace(plan, steps=steps[:start] + steps[start + size :])
        size //= 2
    for knobs in _calmer(plan.knobs):
        yield replace(plan, knobs=knobs)
    if plan.large:
        yield replace(plan, large=False)
    for name in plan.names[2:]:
        if not any(step.device == name for step in steps):
            dials = frozenset(pair for pair in plan.dials if name not in pair)
            yield replace(plan, names=plan.names.replace(name, ""), dials=dials)


def _calmer(knobs: Knobs) -> Iterator[Knobs]:
    calm = Knobs()
    for name in ("slow", "news_lost", "news_twice", "watch_lost", "careful", "skews_s", "lag_s"):
        if getattr(knobs, name) != getattr(calm, name):
            yield replace(knobs, **{name: getattr(calm, name)})


def command(plan: Plan) -> str:
    """Returns the command that replays the plan."""
    return f"python -m tests.sim --replay '{pack(plan)}'"


def pack(plan: Plan) -> str:
    """Returns a plan as one word: its seed, the remaining devices and steps, and what was
    calmed."""
    keep = ",".join(str(step.number) for step in plan.steps)
    calm = [k for k in Knobs.__dataclass_fields__ if getattr(plan.knobs, k) == getattr(Knobs(), k)]
    return f"{plan.seed}/{plan.names}/{keep}/{int(plan.large)}/{','.join(calm)}"


def unpack(packed: str, whole: Callable[[int], Plan]) -> Plan:
    """The inverse of `pack`; whole: the plan of a seed. Raises ValueError if that has not all of
    these steps: without them it would tell another story."""
    seed, names, keep, large, calm = packed.split("/")
    plan = whole(int(seed))
    numbers = {int(number) for number in keep.split(",") if number}
    if missing := numbers - {step.number for step in plan.steps}:
        raise ValueError(f"the plan of seed {seed} has no step {sorted(missing)}")
    knobs = replace(
        plan.knobs, **{name: getattr(Knobs(), name) for name in calm.split(",") if name}
    )
    return replace(
        plan,
        names=names,
        dials=frozenset(p for p in plan.dials if p[0] in names and p[1] in names),
        steps=tuple(step for step in plan.steps if step.number in numbers),
        large=bool(int(large)),
        knobs=knobs,
    )


def as_found(packed: str) -> Plan:
    """The plan that was told, when its seed was found: by now a seed may be about more than then:
    members, rules, a receiver."""
    steps = {int(number) for number in packed.split("/")[2].split(",")}
    themes = [theme for theme in Theme if theme.value in steps]
    return unpack(packed, lambda seed: plan_about(seed, themes))
