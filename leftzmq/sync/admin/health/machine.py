"""Checks of this machine and of the shares on it, from what was seen of them.

Each check is a function of values, and returns findings. Must not know how a value is found out.
"""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote
from typing import Final

from leftzmq.disk.share import ShareTraits
from leftzmq.sync.admin.health.findings import Finding
from leftzmq.sync.facts import DiskRoom, MachineSeen
from leftzmq.wire.answers.health import FindingShown

LITTLE_BYTES: Final = 1 << 30
LITTLE_SHARE: Final = 1 / 100
NEARLY: Final = 7 / 8
"""Above this part of a limit a note says so."""
FINE_STEP_NS: Final = 1_000_000
"""Times that are kept to the millisecond, as most programs write them, are fine."""
STATE: Final = "state"


def watches(seen: MachineSeen) -> list[FindingShown]:
    """Is every directory watched, and are there enough watches for more?"""
    most = seen.watches_most
    if most is None:
        return [Finding.NO_INOTIFY.about("")]
    more = 2 * most
    unwatched = [Finding.NOT_WATCHED.about(folder, more=more) for folder in seen.unwatched]
    if seen.watched is None:
        return [Finding.WATCHES_ALLOWED.about("", most=most)]
    nearly = seen.watched > NEARLY * most
    kind = Finding.FEW_WATCHES_LEFT if nearly else Finding.WATCHED
    return [*unwatched, kind.about("", count=seen.watched, most=most, more=more)]


def descriptors(seen: MachineSeen) -> list[FindingShown]:
    """May as many files and connections be open as are needed?"""
    most, needed, in_use = seen.descriptors_most, seen.descriptors_needed, seen.descriptors_open
    if needed > most:
        return [Finding.TOO_FEW_DESCRIPTORS.about("", needed=needed, most=most)]
    if in_use is not None and in_use > NEARLY * most:
        parts = {"count": in_use, "most": most, "more": 2 * most}
        return [Finding.FEW_DESCRIPTORS_LEFT.about("", **parts)]
    said = "" if in_use is None else f"; {in_use:,} are open"
    return [Finding.DESCRIPTORS.about("", needed=needed, most=most, open=said)]


def permissions(seen: MachineSeen) -> list[FindingShown]:
    """Are keys, secrets and the state directory this user's alone?"""
    found = []
    if seen.state_why:
        found.append(Finding.STATE_AWAY.about(seen.state, why=seen.state_why))
    elif seen.state_mode & 0o077:
        path = quote(seen.state)
        found.append(Finding.STATE_IS_OPEN.about(seen.state, mode=seen.state_mode, path=path))
    for file in seen.open_files:
        path = quote(file.path)
        found.append(Finding.FILE_IS_OPEN.about(file.path, mode=file.mode, path=path))
    return found or [Finding.PRIVATE.about("")]


def room(about: str, seen: DiskRoom | None) -> list[FindingShown]:
    """Is there room on a disk? about: the folder whose share is on it, or STATE."""
    if seen is None or not seen.total_bytes:
        return [Finding.ROOM_UNKNOWN.about(about)]
    free, total = seen.free_bytes, seen.total_bytes
    little = free < LITTLE_BYTES or free < LITTLE_SHARE * total
    kind = Finding.LITTLE_ROOM if little else Finding.ROOM
    return [kind.about(about, free=_size(free), total=_size(total))]


def names(folder: str, traits: ShareTraits) -> list[FindingShown]:
    """Does the disk of a share tell all names apart?"""
    found = []
    if not traits.tells_case:
        found.append(Finding.ONE_CASE.about(folder))
    if not traits.tells_forms:
        found.append(Finding.ONE_FORM.about(folder))
    return found or [Finding.NAMES_DIFFER.about(folder)]


def times(folder: str, traits: ShareTraits) -> list[FindingShown]:
    """How exact are the times of files that the disk of a share keeps?"""
    step_ns = traits.time_step_ns
    if step_ns is None:
        return [Finding.TIMES_UNKNOWN.about(folder)]
    kind = Finding.COARSE_TIMES if step_ns > FINE_STEP_NS else Finding.FINE_TIMES
    return [kind.about(folder, step=_step(step_ns))]


def replacing(folder: str, traits: ShareTraits) -> list[FindingShown]:
    """Can the disk of a share replace a file in one step (renameat2)?"""
    if not traits.lacks:
        return [Finding.REPLACES.about(folder)]
    return [Finding.LACKS_CALLS.about(folder, why=sentence) for sentence in traits.lacks]


def of_machine(seen: MachineSeen) -> list[FindingShown]:
    """Make all checks of the machine but for its shares."""
    return [*watches(seen), *descriptors(seen), *permissions(seen), *room(STATE, seen.state_room)]


def of_share(folder: str, traits: ShareTraits) -> list[FindingShown]:
    """Make all checks of a share that could be looked at."""
    return [
        Finding.SHARE_WORKS.about(folder),
        *room(folder, DiskRoom(traits.free_bytes, traits.total_bytes)),
        *names(folder, traits),
        *times(folder, traits),
        *replacing(folder, traits),
    ]


def needs_a_cure(found: Iterable[FindingShown]) -> bool:
    return any(each.state == "bad" for each in found)


def _size(count: int) -> str:
    return f"{count / (1 << 30):,.1f} GiB"


def _step(step_ns: int) -> str:
    if step_ns >= 1_000_000_000:
        return f"{step_ns // 1_000_000_000} s"
    if step_ns >= 1_000_000:
        return f"{step_ns // 1_000_000} ms"
    return f"{step_ns:,} ns"
