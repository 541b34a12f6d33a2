"""The clock on the wall: which minute of the week it is where this machine is.

Knows the time zone of the system. Must not know what is done at which minute.
"""

from __future__ import annotations

import time

from leftzmq.bandwidth.timetable import minute_of_week


def local_minute(wall_ns: int) -> int:
    """Return the minute of the week by local time, daylight saving time included (0: Monday 00:00).
    wall_ns: unix time in ns."""
    here = time.localtime(wall_ns / 1e9)
    return minute_of_week(here.tm_wday, here.tm_hour, here.tm_min)
