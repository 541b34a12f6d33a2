"""Reports refusals with a limit: a flood of strangers is one line per key and minute.

Knows keys, refusals and a clock that is passed in. Must not know sockets.
"""

from __future__ import annotations

from typing import Final

from leftzmq.errors import Refusal, counted
from leftzmq.sync.facts import Stranger, StrangerRefused
from leftzmq.sync.link import DeviceKey

QUIET_S: Final = 60.0
MAX_REMEMBERED: Final = 256  # different (who, why); keys cost a stranger nothing


class RefusalLog:
    """Collects refusals as facts; bounded, whatever comes.

    `strangers`: how often somebody was refused who is no paired device, or is shut out; reported or
        not
    """

    def __init__(self) -> None:
        self.strangers = 0
        self._said: dict[tuple[bytes, Refusal], float] = {}
        self._facts: list[StrangerRefused] = []
        self._unsaid = 0
        self._unsaid_since = 0.0

    def note(
        self,
        device: DeviceKey | None,
        refusal: Refusal,
        who: bytes,
        detail: str,
        now: float,
        stranger: Stranger | None = None,
    ) -> None:
        """Note that `who` was refused. It is reported unless the same was reported within QUIET_S.

        device: the paired device that was refused, if it was one. now: monotonic seconds. stranger:
        its key and address, if it showed a key.
        """
        self.strangers += device is None
        key = (who, refusal)
        self._forget(now)
        if key in self._said:
            return
        if len(self._said) >= MAX_REMEMBERED:
            self._unsaid_since = self._unsaid_since or now
            self._unsaid += 1
            return
        self._said[key] = now
        self._facts.append(StrangerRefused(device, refusal, detail, stranger))

    def hush(self, refusal: Refusal, who: bytes, now: float) -> None:
        """Do not report this refusal of `who` for QUIET_S, because its reason is known already."""
        self._said.pop((who, refusal), None)  # keeps the dict in order of time
        self._said[who, refusal] = now

    def to_report(self, now: float) -> list[StrangerRefused]:
        """Return the refusals to report now. Those over MAX_REMEMBERED are one line a minute, as a
        number."""
        if self._unsaid and now - self._unsaid_since >= QUIET_S:
            detail = f"and {counted(self._unsaid, 'more time')}, from others"
            self._facts.append(StrangerRefused(None, Refusal.UNKNOWN_DEVICE, detail))
            self._unsaid, self._unsaid_since = 0, 0.0
        facts, self._facts = self._facts, []
        return facts

    def _forget(self, now: float) -> None:
        # Oldest first: a refusal is reported again only after it was forgotten.
        while self._said:
            oldest = next(iter(self._said))
            if now - self._said[oldest] < QUIET_S:
                return
            del self._said[oldest]
