"""Reads peer.toml again: when its user asks, when a signal says so, and when the watch finds that
it is another one.

Knows who is told what. Must not know what follows from a change (`config_follower`), nor when a
file is whole (`config_watch`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from leftzmq.errors import LeftError
from leftzmq.runtime.event_log import Teller
from leftzmq.runtime.listing.config_follower import AS_THEY_ARE, ConfigFollower, ConfigPlan
from leftzmq.runtime.listing.config_watch import (
    MISSING_S,
    TAKES_AWAY_S,
    ConfigWatch,
    WatchVerdict,
)
from leftzmq.wire.replies import Reloaded

_LOST: Final = (
    f"peer.toml is not there for {MISSING_S:.0f} s: {AS_THEY_ARE}; it is read when it is back"
)
_KEEP: Final = "`leftzmq reload` does that now; with them in the file again, they stay as they are"


class ConfigReading:
    """One per agent. is_watched: whether the file is watched, as it says itself."""

    def __init__(
        self,
        follower: ConfigFollower,
        watch: ConfigWatch,
        is_watched: Callable[[], bool],
        teller: Teller,
    ) -> None:
        self._follower, self._watch = follower, watch
        self._is_watched, self._teller = is_watched, teller

    def on_signal(self) -> None:
        """Read the file, and tell in the log what came of it."""
        self._watch.about_to_read()
        self._follower.read_again()
        self._watch.was_read()

    def reload(self) -> Reloaded:
        """Read the file, and return what changed. Raises LeftError; then nothing did."""
        self._watch.about_to_read()
        try:
            return self._follower.reload()
        finally:
            self._watch.was_read()

    def deadline(self) -> float | None:
        """Return when `tick` has something to do (monotonic seconds)."""
        return self._watch.deadline() if self._is_watched() else None

    def tick(self, now: float) -> None:
        if not self._is_watched():
            self._watch.rest()
            return
        match self._watch.tick(now):
            case WatchVerdict.READ:
                self._read(now)
            case WatchVerdict.TAKE_OVER:
                self._take_over()
            case WatchVerdict.SAY_LOST:
                self._teller.say("", _LOST)

    def _read(self, now: float) -> None:
        """Take over what the watch found; what would take something away waits."""
        plan = self._planned()
        if plan is not None and plan.takes_away:
            self._teller.say("", _would_go(plan))
            self._watch.takes_away(now)
            return
        if plan is not None:
            self._follower.carry_out(plan)
        self._watch.was_read()

    def _take_over(self) -> None:
        """The file is as it was, and its user had time for a second thought."""
        plan = self._planned()
        if plan is not None:
            self._follower.carry_out(plan)
        self._watch.was_read()

    def _planned(self) -> ConfigPlan | None:
        """Return what follows from the file; None if it is wrong, which is told."""
        try:
            return self._follower.plan()
        except LeftError as error:
            self._teller.say("", f"{AS_THEY_ARE}: {error}")
            return None


def _would_go(plan: ConfigPlan) -> str:
    goes = [f"peer {peer.name}" for peer in plan.found.lost_peers]
    goes += [f"folder {id}" for id in plan.found.gone]
    what = f"peer.toml has no more, or otherwise: {', '.join(goes)}"
    return f"{what}; they are taken off in {TAKES_AWAY_S:.0f} s; {_KEEP}"
