"""The answers of the admin socket as typed values. docs/admin.md says what each field means.

What the command line prints, and what `--json` gives to a script, has these fields and no others.
Must not know how a value is found, nor how it is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from msgspec import UNSET, Struct, UnsetType, ValidationError, convert, to_builtins

from leftzmq.errors import OtherAnswer


class Reply(Struct, frozen=True, kw_only=True):
    """One answer, or a part of one."""

    def fields(self) -> dict[str, Any]:
        """The answer as plain values, for the wire and for JSON."""
        fields: dict[str, Any] = to_builtins(self)
        return fields

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """Return the answer that has these fields; fields that are not known are ignored. The
        inverse of `fields`. Raises OtherAnswer."""
        try:
            return convert(fields, cls)
        except ValidationError:
            raise OtherAnswer from None


# ---- what any question may be answered with -----------------------------------------------------


class WhyDeclined(Reply, frozen=True, kw_only=True):
    """The parts of a LeftError (errors.Declined)."""

    what: str
    where: str
    do: str


class DeclinedReply(Reply, frozen=True, kw_only=True):
    """The agent understood the question, and cannot or must not do it."""

    declined: WhyDeclined


class ErrorReply(Reply, frozen=True, kw_only=True):
    """The question is not known, or its answer is too long."""

    error: str


class EventsReply(Reply, frozen=True, kw_only=True):
    """events: each is [kind, number, unix_time, fields]. began: unix seconds."""

    began: float
    events: list[list[Any]]


# ---- status and problems ------------------------------------------------------------------------


class HeldBack(Reply, frozen=True, kw_only=True):
    """How many files would be lost or turn to noise, by the side of the guard that holds them. A
    side that holds nothing is absent."""

    here: int | UnsetType = UNSET
    elsewhere: int | UnsetType = UNSET


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


class LimitsShown(Reply, frozen=True, kw_only=True):
    """What may pass a second, in bytes. None: no limit; 0: nothing now."""

    up: int | None = None
    down: int | None = None


class PeerStatus(Reply, frozen=True, kw_only=True):
    """One device over all folders. since, behind_since: unix seconds. limits: what may pass between
    it and us, ours alone. gives: its own limit of what it gives us, in bytes a second."""

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
    limits: LimitsShown = LimitsShown()
    gives: int | None = None


class StrangerShown(Reply, frozen=True, kw_only=True):
    """A key that was refused because it is in no [[peer]] and no member's. first, last: unix
    seconds. removed_from: ids of folders from which a member removed that device."""

    key: str
    address: str
    first: float | None
    last: float | None
    removed_from: list[str]


class MemberStatus(Reply, frozen=True, kw_only=True):
    """One device in one folder. behind_*: what it lacks of ours; ahead_*: what we lack of its;
    None: nothing is known of it. passed_paths: what it lacks of ours because it does not keep it.
    accepted_left: at least so many of the versions that it lacks were
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
    passed_paths: int


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
    """rate: bytes a second, of the whole agent. arriving: the number of large files that arrive, of
    which under_way has the first. waits_for: what the contents to come wait for: "limit", or
    nothing. mode: in which directions it syncs. differ_list: the first of the `differs` paths at
    which something was changed here that is told to nobody."""

    id: str
    state: str
    shared_with: list[str]
    members: list[MemberStatus]
    why: str
    files: int
    bytes: int
    tickets: int
    need_bytes: int
    not_kept: int
    not_kept_bytes: int
    mode: str
    differs: int
    differ_list: list[str]
    waits_for: str
    problems: int
    conflicts: int
    sent_bytes: int
    received_bytes: int
    held: HeldBack
    rate: int
    arriving: int
    under_way: list[UnderWay]
    problem_list: list[ShownProblem]
    conflict_list: list[str]
    conflict_devices: list[str]


class Status(Reply, frozen=True, kw_only=True):
    """device, key: our own. limits: of all that this device sends and receives."""

    device: str
    key: str
    limits: LimitsShown
    peers: list[PeerStatus]
    strangers: list[StrangerShown]
    folders: list[FolderStatus]


# ---- pause and resume ----------------------------------------------------------------------------


class PausedShown(Reply, frozen=True, kw_only=True):
    """until: unix seconds; None: until it is resumed."""

    name: str
    until: float | None


class PausesShown(Reply, frozen=True, kw_only=True):
    """All that is paused now."""

    folders: list[PausedShown]
    peers: list[PausedShown]


# ---- accept, revert and wait --------------------------------------------------------------------


class HeldDecided(Reply, frozen=True, kw_only=True):
    """held: what was decided about. ignored: files of which it was acknowledged that rules took
    them out of sync. paths: in a folder that only receives: at how many paths what was changed here
    is given up."""

    folder: str
    held: HeldBack
    ignored: int = 0
    paths: int = 0


class Overridden(Reply, frozen=True, kw_only=True):
    """Where a folder that only sends is otherwise here than elsewhere. first: of the `paths`. more:
    there were more than one question handles. listed: names this list. done: whether what is here
    is everybody's now."""

    folder: str
    paths: int
    first: list[str]
    more: bool
    listed: str
    done: bool


class ModesAdopted(Reply, frozen=True, kw_only=True):
    """The modes of this device are everybody's. paths: how many others had otherwise, or not at
    all."""

    folder: str
    paths: int


class ShownInFolder(Reply, frozen=True, kw_only=True):
    """A problem. text: the sentence that a user reads, the path included."""

    folder: str
    path: str
    text: str


class PeerBehind(Reply, frozen=True, kw_only=True):
    """A device that is not in sync in a folder. paths, bytes: what it lacks of ours; first: the
    first of these paths."""

    name: str
    folder: str
    state: str
    why: str
    paths: int
    bytes: int
    first: list[str]


class ToCome(Reply, frozen=True, kw_only=True):
    """What we lack of a folder. first: the first of these paths."""

    folder: str
    paths: int
    bytes: int
    first: list[str]


class PassedOver(Reply, frozen=True, kw_only=True):
    """A device that does not keep all of a folder. paths, bytes: what we have and it does not
    keep."""

    name: str
    folder: str
    paths: int
    bytes: int


class Waited(Reply, frozen=True, kw_only=True):
    """behind, to_come: only if not in sync. passed_over: devices that do not keep all. skipped: the
    number of problems that keep nobody waiting; problems: the number of those that do; the lists
    are the first ones."""

    in_sync: bool
    why: str
    behind: list[PeerBehind] | UnsetType = UNSET
    to_come: list[ToCome] | UnsetType = UNSET
    passed_over: list[PassedOver]
    skipped: int
    skipped_list: list[ShownInFolder]
    problems: int
    problem_list: list[ShownInFolder]


# ---- the plan of a join -------------------------------------------------------------------------


class PlannedPaths(Reply, frozen=True, kw_only=True):
    """Files and links of one fate. bytes: their sizes. first: the first ten, in path order."""

    paths: int
    bytes: int
    first: list[str]


class PlannedCopy(Reply, frozen=True, kw_only=True):
    """copy: the name that one of the two versions gets."""

    path: str
    copy: str


class PlannedConflicts(Reply, frozen=True, kw_only=True):
    paths: int
    bytes: int
    first: list[PlannedCopy]


class JoinPlanShown(Reply, frozen=True, kw_only=True):
    """What a yes to a join does. why: what is to be read before it is known, while `is_read` is
    false."""

    folder: str
    is_read: bool
    why: str
    comes: PlannedPaths
    same: PlannedPaths
    replaced: PlannedPaths
    removed: PlannedPaths
    conflicts: PlannedConflicts
    goes: PlannedPaths


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


# ---- what is ignored ----------------------------------------------------------------------------


class IgnoreVerdict(Reply, frozen=True, kw_only=True):
    """Whether something of this kind is ignored, and by which rule. kind: file, folder, link,
    other; any: whatever it is. group: of a Group, its value. line: of the rule, from 1 on. matches:
    the path, or the folder above it, that the rule names. text: the rule and its place, in words.
    source: litter: which program makes it"""

    kind: str
    ignored: bool
    group: str = ""
    file: str = ""
    line: int = 0
    rule: str = ""
    matches: str = ""
    text: str = ""
    source: str = ""


class IgnoredShown(Reply, frozen=True, kw_only=True):
    """lies: of a Lying, its value. verdicts: one; two where nothing lies there, and it depends on
    what will. unread: the rule file above it that cannot be read, and why; "": all can"""

    folder: str
    path: str
    lies: str
    verdicts: list[IgnoreVerdict]
    unread: str


class RuleFileShown(Reply, frozen=True, kw_only=True):
    """A rule file that holds. rules, mistakes: how many; mistake_list: the first ones."""

    path: str
    rules: int
    uses_gitignore: bool
    mistakes: int
    mistake_list: list[str]
    unread: str
    cursor: str


class LocalRuleShown(Reply, frozen=True, kw_only=True):
    """number: its place in the list of peer.toml, from 1 on."""

    number: int
    rule: str


class IgnoreRulesPage(Reply, frozen=True, kw_only=True):
    """after: the cursor of the last file, if more follow; else "". local: the rules of this device
    alone that hold. not_kept, withdrawn: numbers of paths (NotKeptCounted)"""

    folder: str
    files: list[RuleFileShown]
    after: str
    local: list[LocalRuleShown]
    local_mistakes: list[str]
    litter: bool
    not_kept: int
    withdrawn: int


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
    """What could not be put back, or let go."""

    path: str
    why: str


class Got(Reply, frozen=True, kw_only=True):
    """path: it is fetched from now on."""

    folder: str
    path: str


class Dropped(Reply, frozen=True, kw_only=True):
    """What was let go of `path` (empty: of the folder). stayed: the number of paths that could not
    be; stayed_list: the first of them. more: there is more, ask again."""

    folder: str
    path: str
    dropped: int
    bytes: int
    stayed: int
    stayed_list: list[Stayed]
    more: bool


class RestoredReply(Reply, frozen=True, kw_only=True):
    """more: there is more under the path than one answer restores. The lists are the first ones."""

    folder: str
    restored: int
    stayed: int
    more: bool
    restored_list: list[str]
    stayed_list: list[Stayed]


# ---- devices, folders and invitations -----------------------------------------------------------


class SharedFolder(Reply, frozen=True, kw_only=True):
    """The folder of a share. is_new: it was made now."""

    folder: str
    path: str
    is_new: bool


class PlaceShown(Reply, frozen=True, kw_only=True):
    """folder: the id of the folder whose share lies there; "": a share can be made there. held: its
    user has not answered the plan of its join, by which the device `inviter` let this one in."""

    folder: str
    held: bool
    inviter: str


class InvitationOpened(Reply, frozen=True, kw_only=True):
    """code: what the other device joins with. addresses: where the door can be reached, as the code
    has them; left_out: how many addresses did not fit. mark: identifies the invitation (hex).
    until: unix seconds. mode: of who comes in, "full" or "read"."""

    code: str
    mark: str
    folder: str
    addresses: list[str]
    left_out: int
    port: int
    until: float
    mode: str


class CameIn(Reply, frozen=True, kw_only=True):
    """A device that came in by an invitation."""

    name: str
    key: str


class WaitingDevice(Reply, frozen=True, kw_only=True):
    """A device that waits for a person's answer. name: as it calls itself; address: where it
    knocked from last; since: of its first knock, unix seconds."""

    name: str
    key: str
    address: str
    since: float


class AnsweredDevice(Reply, frozen=True, kw_only=True):
    """A device for which a person answered. yes: it is let in."""

    name: str
    key: str
    yes: bool


class ShownInvitation(Reply, frozen=True, kw_only=True):
    """state: of InvitationState, its value. opened, until: unix seconds. asks: nobody comes in
    without a person's yes. waiting: the first to knock first. mode: of who comes in, "full" or
    "read"."""

    mark: str
    folder: str
    state: str
    uses: int
    uses_left: int
    mode: str
    opened: float
    until: float
    came_in: list[CameIn]
    asks: bool
    waiting: list[WaitingDevice]
    answered: list[AnsweredDevice]


class InvitationList(Reply, frozen=True, kw_only=True):
    invitations: list[ShownInvitation]


class InvitationAnswered(Reply, frozen=True, kw_only=True):
    """The device for which a person answered. folder: of the invitation."""

    name: str
    key: str
    folder: str
    yes: bool


class InvitationsCancelled(Reply, frozen=True, kw_only=True):
    cancelled: int


class Joined(Reply, frozen=True, kw_only=True):
    """is_new: the folder was not here before. held: until its user answers the plan. inviter: its
    name on this device."""

    folder: str
    path: str
    inviter: str
    is_new: bool
    held: bool


class JoinAnswered(Reply, frozen=True, kw_only=True):
    """The user's yes or no to the plan of a join was taken. path: where the folder's files are."""

    folder: str
    path: str


class ListedPeer(Reply, frozen=True, kw_only=True):
    """addresses: of its control socket, best first. since: of this state, unix seconds. origin:
    where it comes from. folders: of which it is a member, by their rosters. let_in: the names of
    members that are in by its word. mode: "read" if it may only read one of them, "full" if not, ""
    where no roster names it."""

    name: str
    key: str
    addresses: list[str]
    connected: bool
    since: float | None
    origin: str
    folders: list[str]
    mode: str
    let_in: list[str]


class PeerList(Reply, frozen=True, kw_only=True):
    peers: list[ListedPeer]


class PeerNamed(Reply, frozen=True, kw_only=True):
    """The device that was removed or changed. name: as this device calls it (now)."""

    name: str


class PeerRemovedReply(Reply, frozen=True, kw_only=True):
    """folders: from which it was removed, on every member. is_written: its [[peer]] still lets it
    connect."""

    name: str
    folders: list[str]
    is_written: bool


class FolderRemoved(Reply, frozen=True, kw_only=True):
    """path: where its files stay."""

    folder: str
    path: str


class FolderSettings(Reply, frozen=True, kw_only=True):
    """settings: as lines of peer.toml."""

    folder: str
    settings: list[str]


class ListedFolder(Reply, frozen=True, kw_only=True):
    """state: of FolderState, its value. settings: what was set of it, as lines of peer.toml."""

    id: str
    path: str
    state: str
    origin: str
    settings: list[str]


class FolderList(Reply, frozen=True, kw_only=True):
    folders: list[ListedFolder]


# ---- peer.toml ----------------------------------------------------------------------------------


class FolderUnusable(Reply, frozen=True, kw_only=True):
    """A folder that cannot be used. folder: its id, or its place in peer.toml. why: the sentence
    that a user reads."""

    folder: str
    why: str


class Reloaded(Reply, frozen=True, kw_only=True):
    """What changed when peer.toml was read again: names of peers, ids of folders. changed: folders
    that have another path or secret. unusable: all that cannot be used, also before. used: other
    keys that count from now on; need_a_start: those that do not."""

    file: str
    peers_added: list[str]
    peers_removed: list[str]
    peers_moved: list[str]
    folders_added: list[str]
    folders_removed: list[str]
    folders_changed: list[str]
    unusable: list[FolderUnusable]
    used: list[str]
    need_a_start: list[str]
