"""What a scheduler counts of its own work, since the start of the agent.

Knows numbers. Must not know what they are called where they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ScanCounts:
    """walks: walks that are over
    walk_s: seconds from the beginning of each to its last step
    paths: files, folders and links that they passed
    hashed_files, hashed_bytes: what was read and hashed because it may have changed
    overflows: how often events of the watcher were lost
    """

    walks: int = 0
    walk_s: float = 0.0
    paths: int = 0
    hashed_files: int = 0
    hashed_bytes: int = 0
    overflows: int = 0
