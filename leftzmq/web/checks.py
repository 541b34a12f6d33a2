"""One yes or no for scripts and load balancers, each with a reason of one line.

Knows the reply to `status`. Must not know who asks, nor how.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leftzmq.wire.replies import FolderStatus, MemberStatus, Status

_OUTSIDE: Final = ("other id", "not there", "other secret", "not shared")
"""States of members that do not have the folder."""
_SAME: Final = ("in sync", "reading")


@dataclass(frozen=True)
class YesOrNo:
    is_yes: bool
    reason: str


def ready(status: Status) -> YesOrNo:
    """Return whether the agent has looked at all of its files since its start."""
    scanning = [folder.id for folder in status.folders if folder.state == "scanning"]
    if scanning:
        return YesOrNo(False, f"scanning: {', '.join(scanning)}")
    return YesOrNo(True, "ready")


def synced(status: Status, folder_id: str, peer: str) -> YesOrNo:
    """Return whether a device has in a folder what this one has, and the other way round.
    folder_id: "": the only one. peer: "": every device that has the folder, and at least one."""
    found = [each for each in status.folders if folder_id in ("", each.id)]
    if len(found) != 1:
        what = f"there is no folder {folder_id}" if folder_id else "name a folder"
        return YesOrNo(False, what)
    (folder,) = found
    if folder.state in ("scanning", "stopped", "paused", "held"):
        return YesOrNo(False, f"{folder.id} is {folder.state} here")
    members = [each for each in folder.members if peer in ("", each.name)]
    if not peer:
        members = [each for each in members if each.state not in _OUTSIDE]
    if not members:
        who = peer or "another device"
        return YesOrNo(False, f"{who} is no member of {folder.id}")
    for member in members:
        if why := _why_not(folder, member):
            return YesOrNo(False, why)
    return YesOrNo(True, "in sync")


def _why_not(folder: FolderStatus, member: MemberStatus) -> str:
    if member.state in _SAME:
        return ""
    lacks = f", lacks {member.behind_paths} paths" if member.behind_paths else ""
    return f"{member.name} in {folder.id}: {member.state}{lacks}"
