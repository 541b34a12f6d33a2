"""The plan of a join: what a yes would do, as text, and how long it is waited for.

Knows the answers to `join_plan`, `status` and `folders`. Must not know how a plan is made, nor what
the user answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from leftzmq.cli.format.event_lines import size_text
from leftzmq.errors import UsageError, counted
from leftzmq.transport.ipc.client import ask

LOOK_S: Final = 0.3
READ_S: Final = 120.0
"""For the agent to go through the index of a very large folder."""
GONE_S: Final = 10.0
_PARTS: Final = (
    ("comes", "comes", "come"),
    ("goes", "goes to the others", "go to the others"),
    ("same", "is the same", "are the same"),
    ("conflicts", "differs: both versions are kept", "differ: both versions are kept"),
    (
        "replaced",
        "is replaced by a newer version, and moves to the trash",
        "are replaced by newer versions, and move to the trash",
    ),
    (
        "removed",
        "was deleted elsewhere, and moves to the trash",
        "were deleted elsewhere, and move to the trash",
    ),
)


def read_plan(
    state: Path,
    folder: str,
    peer: str,
    show: Callable[[str], None],
    deadline: float | None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any] | None:
    """Return the plan when both sides are read; None: that took longer than the deadline (monotonic
    seconds). show: says meanwhile what is waited for. Raises UsageError if the folder is not here
    any more; AgentAway and Declined."""
    while True:
        status = ask(state, "status")
        here = next((one for one in status["folders"] if one["id"] == folder), None)
        if here is None:
            raise UsageError("is not here any more", folder)
        if here["state"] == "stopped":
            why = str(here["why"])
        else:
            fields: dict[str, str | float] = {"folder": folder, "peer": peer}
            plan = ask(state, "join_plan", fields, timeout_s=READ_S)
            if plan["is_read"]:
                return plan
            why = str(plan["why"])
        if deadline is not None and clock() >= deadline:
            return None
        other = next((one for one in status["peers"] if one["name"] == peer), None)
        note = "" if other is None or other["connected"] else str(other["note"])
        show(f"{why}: {note}" if note else why)
        sleep(LOOK_S)


def plan_lines(plan: dict[str, Any]) -> Iterator[str]:
    """Return the plan as lines."""
    yield "the directory is not empty; a yes does this:"
    parts = [(plan[key], one, many) for key, one, many in _PARTS if plan[key]["paths"]]
    for part, one, many in parts:
        size = f", {size_text(part['bytes'])}," if part["bytes"] else ""
        yield f"  {counted(part['paths'], 'file')}{size} {one if part['paths'] == 1 else many}"
        for item in part["first"]:
            yield f"      {item if isinstance(item, str) else _copy(item)}"
        more = part["paths"] - len(part["first"])
        if more > 0:
            yield f"      and {more:,} more"
    if not parts:
        yield "  no file comes or goes"


def _copy(item: dict[str, str]) -> str:
    return f"{item['path']}, one version as {item['copy'].rpartition('/')[2]}"


def wait_until_gone(
    state: Path,
    folder: str,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until a folder that is left is not here any more. Return whether it went."""
    until = clock() + GONE_S
    while any(one["id"] == folder for one in ask(state, "folders")["folders"]):
        if clock() >= until:
            return False
        sleep(LOOK_S)
    return True
