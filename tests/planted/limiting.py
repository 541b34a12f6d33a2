"""Mistakes about limits: something passes while nothing may, nothing passes any more, or a question
waits for ever.

Knows the text of bandwidth and sync/admin. Must not know how a bug is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

_STORIES: Final = ("tests/sim/test_limits.py", "tests/unit/sync/test_limits.py")

BUGS: Final[tuple[Bug, ...]] = (
    Bug(
        "off is no limit",
        "`off` lets no contents pass.",
        (
            Edit(
                "leftzmq/bandwidth/throttle.py",
                "            rate = limit.timetable.rate_at(minute)\n",
                "            rate = limit.timetable.rate_at(minute) or None\n",
            ),
        ),
        frozenset(("limit",)),
        _STORIES,
    ),
    Bug(
        "what passes is not counted",
        "Over 10 s a limit is kept within 10 %, or within one chunk.",
        (
            Edit(
                "leftzmq/bandwidth/token_bucket.py",
                "        self._add(-size, is_small)\n",
                "        self._add(0, is_small)\n",
            ),
        ),
        frozenset(("limit",)),
        _STORIES,
    ),
    Bug(
        "the hours of a timetable never end",
        "All is in sync within the time that the limits allow.",
        (
            Edit(
                "leftzmq/bandwidth/throttle.py",
                "            if rate != limit.bucket.rate_bytes_s:\n",
                "            if limit.bucket.rate_bytes_s is None and rate is not None:\n",
            ),
        ),
        frozenset(("I1", "I5", "kept", "receives", "wanted", "sends", "roster")),
        _STORIES,
    ),
    Bug(
        "who waits for what a limit keeps back is never answered",
        "`leftzmq wait` ends in time, and names the limit.",
        (
            Edit(
                "leftzmq/sync/admin/wait.py",
                "            if now >= waiter.until:\n",
                "            if now >= waiter.until and not why:\n",
            ),
        ),
        frozenset(("wait",)),
        _STORIES,
    ),
)
