"""The answers of the admin socket as typed values. docs/admin.md says what each field means.

What the command line prints, and what `--json` gives to a script, has these fields and no others.
Must not know how a value is found, nor how it is printed.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, to_builtins


class Reply(Struct, frozen=True, kw_only=True):
    """One answer, or a part of one."""

    def fields(self) -> dict[str, Any]:
        """The answer as plain values, for the wire and for JSON."""
        fields: dict[str, Any] = to_builtins(self)
        return fields


class ShownProblem(Reply, frozen=True, kw_only=True):
    """problem: the name of a ProblemKind. text: the sentence that a user reads."""

    path: str
    problem: str
    text: str


class NumberedProblem(ShownProblem, frozen=True, kw_only=True):
    """cursor: where the next page begins, if this problem is the last one of a page."""

    cursor: str


class ProblemPage(Reply, frozen=True, kw_only=True):
    """hidden: the number of problems of which only the number is known. after: the cursor of the
    last problem, if more follow; else ""."""

    folder: str
    problems: list[NumberedProblem]
    hidden: int
    after: str


class PeerStatus(Reply, frozen=True, kw_only=True):
    """One device over all folders. since, behind_since: unix seconds."""

    name: str
    key: str
    connected: bool
    state: str
    reason: str = ""
    note: str = ""
    since: float | None = None
    behind_paths: int = 0
    behind_bytes: int = 0
    behind_since: float | None = None


class StrangerShown(Reply, frozen=True, kw_only=True):
    """A key that was refused because it is in no [[peer]]. first, last: unix seconds."""

    key: str
    address: str
    first: float | None
    last: float | None


class MemberStatus(Reply, frozen=True, kw_only=True):
    """One device in one folder. behind_*: what it lacks of ours; ahead_*: what we lack of its;
    None: nothing is known of it. accepted_left: at least so many of the versions that it lacks were
    let pass the guard by a user."""

    name: str
    state: str
    why: str
    behind_paths: int | None
    behind_bytes: int | None
    behind_since: float | None
    accepted_left: int
    ahead_paths: int | None
    ahead_bytes: int | None


class Source(Reply, frozen=True, kw_only=True):
    """rate: bytes a second."""

    name: str
    rate: int


class UnderWay(Reply, frozen=True, kw_only=True):
    """A large file that arrives. phase: the name of a TransferPhase."""

    path: str
    size: int
    have: int
    phase: str
    sources: list[Source]


class FolderStatus(Reply, frozen=True, kw_only=True):
    """held: how many files would be lost or turn to noise, by the side of the guard that holds
    them. rate: bytes a second, of the whole agent. arriving: the number of large files that arrive,
    of which under_way has the first."""

    id: str
    state: str
    shared_with: list[str]
    members: list[MemberStatus]
    why: str
    files: int
    bytes: int
    tickets: int
    need_bytes: int
    problems: int
    conflicts: int
    sent_bytes: int
    received_bytes: int
    held: dict[str, int]
    rate: int
    arriving: int
    under_way: list[UnderWay]
    problem_list: list[ShownProblem]
    conflict_list: list[str]
    conflict_devices: list[str]


class Status(Reply, frozen=True, kw_only=True):
    """device, key: our own."""

    device: str
    key: str
    peers: list[PeerStatus]
    strangers: list[StrangerShown]
    folders: list[FolderStatus]


# ---- conflicts ----------------------------------------------------------------------------------


class ConflictCopy(Reply, frozen=True, kw_only=True):
    """A conflict copy and the file it belongs to. device: who wrote it, by name if that is known;
    letters: as the copy's name has them. kind: file or symlink."""

    path: str
    copy: str
    cursor: str
    mtime_ns: int
    device: str
    letters: str
    kind: str
    size: int


class ConflictPage(Reply, frozen=True, kw_only=True):
    """after: the cursor of the last copy, if more follow; else ""."""

    folder: str
    copies: list[ConflictCopy]
    after: str


class ConflictVersion(Reply, frozen=True, kw_only=True):
    """copy: whether it lies under the name of a copy. text: its text; None: it is none, or long."""

    path: str
    copy: bool
    kind: str
    size: int
    mtime_ns: int
    device: str
    letters: str
    text: str | None


class ConflictVersions(Reply, frozen=True, kw_only=True):
    folder: str
    versions: list[ConflictVersion]


class ConflictResolved(Reply, frozen=True, kw_only=True):
    """kept: file, copy or both."""

    folder: str
    copy: str
    path: str
    kept: str


# ---- trash --------------------------------------------------------------------------------------


class TrashVersion(Reply, frozen=True, kw_only=True):
    """batch: the name of its batch, which begins with the time when it was taken."""

    batch: str
    path: str
    kind: str
    size: int
    mtime_ns: int
    cursor: str


class TrashPage(Reply, frozen=True, kw_only=True):
    """after: the cursor of the last version, if more follow; else ""."""

    folder: str
    versions: list[TrashVersion]
    after: str


class Stayed(Reply, frozen=True, kw_only=True):
    """What could not be put back."""

    path: str
    why: str


class RestoredReply(Reply, frozen=True, kw_only=True):
    """more: there is more under the path than one answer restores. The lists are the first ones."""

    folder: str
    restored: int
    stayed: int
    more: bool
    restored_list: list[str]
    stayed_list: list[Stayed]
