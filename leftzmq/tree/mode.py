"""In which directions a folder syncs on one device.

Knows the words of peer.toml. Must not know what follows from them.
"""

from __future__ import annotations

from enum import Enum


class FolderMode(Enum):
    """The value is what `mode` of a [[folder]] says."""

    BOTH = "both"
    SEND = "send"  # it tells what is changed here; what others change is not taken
    RECEIVE = "receive"  # it takes what others change; what is changed here is told to nobody
