"""Why this device has something else at a path than it is to have.

A list of questions in the order in which their answers matter: what stops the whole folder, what is
not kept, what cannot be synced, what a user decides, what is on its way. Knows what the machines
answer. Must not change anything in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from leftzmq.disk.scan.lying import Lying
from leftzmq.errors import ProblemKind
from leftzmq.index.rows import Row
from leftzmq.sync.admin.why.known import KINDS, PathKnown, names_of
from leftzmq.sync.admin.why.reasons import Because, WhyNot, because
from leftzmq.sync.admin.why.there import gone_or_away
from leftzmq.sync.apply.active_ticket import TicketStage
from leftzmq.sync.peers.peer_state import Peer
from leftzmq.sync.versions.withheld import UNDECIDED, WANTED_BACK
from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.litter import LITTER
from leftzmq.tree.ignoring.share_rules import Group, Ignored, is_rule_file
from leftzmq.tree.path import parent_of

OF_PROBLEM: Final[dict[ProblemKind, WhyNot | None]] = {
    ProblemKind.BAD_NAME: WhyNot.BAD_NAME,
    ProblemKind.SPECIAL: WhyNot.NEVER_SYNCED,
    ProblemKind.UNREADABLE: WhyNot.UNREADABLE,
    ProblemKind.UNWRITABLE: WhyNot.UNWRITABLE,
    ProblemKind.BEING_WRITTEN: WhyNot.BEING_WRITTEN,
    ProblemKind.FOREIGN_LEFTING: WhyNot.FOREIGN_LEFTING,
    ProblemKind.DISK_FULL: WhyNot.NO_ROOM,
    ProblemKind.LOW_SPACE: WhyNot.NO_ROOM,
    ProblemKind.FLUSH_FAILED: WhyNot.FLUSH_FAILED,
    ProblemKind.ROTTEN: WhyNot.ROTTEN,
    ProblemKind.ACCESS_LOST: WhyNot.ACCESS_LOST,
    ProblemKind.MODE_NOT_SET: WhyNot.MODE_NOT_SET,
    ProblemKind.TOO_LARGE: WhyNot.TOO_LARGE,
    ProblemKind.MANY_LOSSES: None,  # of the whole share; see _held
    ProblemKind.NOT_EMPTY: WhyNot.NOT_EMPTY,
    ProblemKind.WAITING_FOR_FOLDER: WhyNot.WAITS_FOR_FOLDER,
    ProblemKind.NOT_GIVEN: WhyNot.NOT_GIVEN,
    ProblemKind.WATCH_LIMIT: None,  # it is looked at all the same
    ProblemKind.WATCH_LOST: None,
    ProblemKind.INDEX_TOO_LARGE: None,  # of a device: see there.gone_or_away
    ProblemKind.INDEX_NO_ROOM: None,
    ProblemKind.IGNORED_IN_THE_WAY: WhyNot.IGNORED_IN_THE_WAY,
    ProblemKind.RULES_FAULTY: None,  # of the file of rules, beside what keeps it from being synced
    ProblemKind.MUCH_IGNORED: None,
    ProblemKind.READS_ONLY: None,
    ProblemKind.CHANGED_BY_READER: None,  # see _own
    ProblemKind.INDEX_WAITS: None,
    ProblemKind.TWO_OF_KEY: None,
    ProblemKind.FAR_FUTURE: WhyNot.FAR_FUTURE,
    ProblemKind.NAME_FOLDS: WhyNot.NAME_CLASH,
    ProblemKind.MOUNT_GONE: WhyNot.MOUNT_GONE,
}
"""The reason that a Problem of a path is. None: it is none, or another question finds it."""
_REACHES_BELOW: Final = frozenset(
    (
        ProblemKind.MOUNT_GONE,
        ProblemKind.UNREADABLE,
        ProblemKind.IGNORED_IN_THE_WAY,
        ProblemKind.NAME_FOLDS,
    )
)
"""A Problem of one of these kinds at a folder holds for what is in it."""


def here(known: PathKnown) -> Because:
    """Return the reason of this device."""
    return next(found for ask in _QUESTIONS if (found := ask(known)) is not None)


# ---- the whole folder -------------------------------------------------------------------------


def _halted(known: PathKnown) -> Because | None:
    """What stops everything, where something is to come."""
    folder = known.folder
    if not known.differs:
        return None
    if folder.hold.holds:
        return because(WhyNot.PLAN_UNANSWERED)
    return because(WhyNot.FOLDER_PAUSED) if folder.paused else None


# ---- what is not kept -------------------------------------------------------------------------


def _not_kept(known: PathKnown) -> Because | None:
    told, lies = known.told, known.lies
    is_live = told is not None and not told.entry.deleted
    if told is not None and is_live and told.apart:
        return _not_kept_kind(known, told.entry.kind)
    if known.is_here or is_live:
        return None
    if known.passed_over is not None:
        return _not_kept_kind(known, known.passed_over.entry.kind)
    if lies in KINDS:
        return _ignored(known, known.folder.keeping.why_not(known.path, KINDS[lies]))
    if lies is Lying.OTHER:
        return _ignored(known, known.folder.keeping.why_not(known.path, None))
    if known.folder.keeping.ignores_all_at(known.path):
        return _ignored(known, known.folder.keeping.why_not(known.path, Kind.FILE))
    return None


def _not_kept_kind(known: PathKnown, kind: Kind) -> Because:
    keeping = known.folder.keeping
    found = _ignored(known, keeping.why_not(known.path, kind))
    if found is not None:
        return found
    why = WhyNot.DROPPED if keeping.is_let_go(known.path) else WhyNot.NOT_FETCHED
    return because(why, path=known.path)


def _ignored(known: PathKnown, why: Ignored | None) -> Because | None:
    if why is None:
        return None
    if why.group is Group.LITTER:
        source = LITTER[why.rule.line - 1].source
        return because(WhyNot.LITTER, path=known.path, rule=why.place, source=source)
    return because(WhyNot.IGNORED, path=known.path, rule=why.place)


def _rules_unread(known: PathKnown) -> Because | None:
    """Of what is new below a file of rules that cannot be read nobody knows whether it is ignored.
    So it is in the way of what others have there, too."""
    is_known = known.ours is not None or known.view.base(known.path) is not None
    if is_known or known.lies not in KINDS or is_rule_file(known.path):
        return None
    closed = known.folder.keeping.rules.folder(parent_of(known.path)).closed
    return None if closed is None else because(WhyNot.RULES_UNREADABLE, rule=closed.file)


# ---- problems, and what a user is to decide ---------------------------------------------------


def _problem(known: PathKnown) -> Because | None:
    problems = known.folder.problems
    for path in known.above:
        kind = problems.kind_of(path)
        if kind is None or (path != known.path and kind not in _REACHES_BELOW):
            continue
        why = OF_PROBLEM[kind]
        if why is None:
            continue
        shown = problems.problem_of(path)
        said = shown.detail if shown is not None else ""
        detail = f" ({said})" if said and why is not WhyNot.BAD_NAME else said
        return because(
            why,
            path=known.path,
            detail=detail,
            folder=path if path != known.path else parent_of(path),
            what="it is no file, folder or link, and so it",
        )
    if known.lies is Lying.OTHER and not known.is_here:
        return because(WhyNot.NEVER_SYNCED, what="it is no file, folder or link, and so it")
    return None


def _held(known: PathKnown) -> Because | None:
    """What the guard holds back."""
    folder = known.folder
    problem = folder.problems.problem_of(".")
    detail = problem.detail if problem is not None else ""
    withheld = known.view.held.at(known.path)
    if withheld is not None and withheld.why in UNDECIDED:
        return because(WhyNot.HELD_HERE, detail=detail)
    if folder.guard.holds_here and known.is_here and known.lies is Lying.NOTHING:
        return because(WhyNot.HELD_HERE, detail=detail)
    winner = known.winner
    if winner is None or not known.differs:
        return None
    if folder.guard.holds_back(known.view.rows(known.path), winner) or _is_below_what_is_held(
        known
    ):
        return because(WhyNot.HELD_ELSEWHERE, detail=detail)
    return None


def _is_below_what_is_held(known: PathKnown) -> bool:
    """Whether a file of ours, which the guard keeps, is in the place of a folder above."""
    if not known.folder.guard.holds_elsewhere:
        return False
    rows = (known.view.ours(folder) for folder in known.above[1:])
    return any(
        row is not None and not row.entry.deleted and row.entry.kind is Kind.FILE for row in rows
    )


# ---- what is here and not told ----------------------------------------------------------------


def _to_look_at(known: PathKnown) -> Because | None:
    if known.folder.scheduler.has_to_look(known.path) or known.path in known.view.unsure:
        return because(WhyNot.NOT_LOOKED_AT)
    return None


def _own(known: PathKnown) -> Because | None:
    """What was changed here and reaches nobody."""
    ours, folder = known.ours, known.folder
    if ours is None or known.differs:
        return None
    if ours.entry.is_private:
        return because(WhyNot.RECEIVES_ONLY, path=known.path)
    if known.view.we_read and folder.reader_changes.reaches_nobody(known.path):
        return because(WhyNot.READS_ONLY, path=known.path, peer="this device")
    return None


# ---- what is to come --------------------------------------------------------------------------


def _to_come(known: PathKnown) -> Because | None:
    winner = known.winner
    if winner is None or not known.differs:
        return _leaps(known)
    entry, folder = winner.entry, known.folder
    if not known.view.may_take(entry, known.ours):
        return because(WhyNot.SENDS_ONLY, path=known.path, by=known.changed_by(entry))
    other = folder.applier.spelled_otherwise(known.path)
    if other:
        return because(WhyNot.NAME_CLASH, path=known.path, detail=f" (here is {other})")
    withheld = known.view.held.at(known.path)
    if withheld is not None and withheld.why in WANTED_BACK and withheld.is_above(entry):
        return because(WhyNot.LATER_LOST, path=known.path)
    at_work = folder.applier.at_work(known.path)
    if at_work is not None and at_work.stage in (TicketStage.APPLYING, TicketStage.READY):
        return because(WhyNot.TAKING_PLACE)
    holders = known.holders(winner)
    near = known.reachable(holders)
    if not near:
        return _nobody_near(known, winner)
    peer = names_of(near)
    is_off = all(known.downloader.is_off(each.key) for each in near)
    if is_off and entry.kind is Kind.FILE and not entry.deleted:
        return because(WhyNot.LIMIT_OFF, peer=peer, whose="this device or of the other one")
    if (fetched := _fetched(known, near)) is not None:
        return fetched
    if at_work is not None and at_work.no_folder:
        return because(WhyNot.WAITS_FOR_FOLDER, folder=parent_of(known.path))
    return because(WhyNot.WAITS_TURN, peer=peer)


def _fetched(known: PathKnown, near: list[Peer]) -> Because | None:
    """What of a file is on its way. near: who has it and can be asked."""
    fetching = known.downloader.fetching(known.folder.id, known.path)
    if fetching is None or not fetching.is_begun:
        return None
    asked = [peer for peer in known.members if peer.key in fetching.rates]
    at_work = known.folder.applier.at_work(known.path)
    since = None if at_work is None else known.times.unix_of(at_work.since)
    return because(
        WhyNot.FETCHING,
        peer=names_of(asked or near),
        since=since,
        have=fetching.have,
        rate=int(sum(fetching.rates.values())),
        progress=f"{fetching.have:,} of {fetching.size:,} bytes are here",
    )


def _nobody_near(known: PathKnown, winner: Row) -> Because:
    """No device that has it can be asked now."""
    holders = known.holders(winner)
    for peer in holders:
        found = gone_or_away(known, peer, WhyNot.AWAY)
        if found is not None:
            return found
    return (
        because(WhyNot.NOBODY_HAS_IT)
        if not holders
        else because(WhyNot.INDEX_ARRIVES, peer=names_of(holders))
    )


def _leaps(known: PathKnown) -> Because | None:
    ours = known.ours
    entry = None if ours is None else ours.entry
    if any(row.entry.leaps(entry) for row in known.view.rows(known.path) if not row.is_ours):
        return because(WhyNot.FAR_FUTURE)
    return None


# ---- what is the same -------------------------------------------------------------------------


def _lies_otherwise(known: PathKnown) -> Because | None:
    """What lies there is not what our index has."""
    ours, lies = known.ours, known.lies
    if lies is Lying.UNKNOWN:
        return because(WhyNot.UNREADABLE, detail=" (this user may not look there)")
    if ours is not None and not ours.entry.deleted:
        is_so = KINDS.get(lies) is ours.entry.kind
        return None if is_so else because(WhyNot.NOT_LOOKED_AT)
    if lies is Lying.NOTHING:
        return None
    if ours is not None and ours.scan is not None and lies is Lying.FOLDER:
        return because(WhyNot.NOT_EMPTY)
    return because(WhyNot.NOT_LOOKED_AT)


def _nothing(known: PathKnown) -> Because | None:
    winner = known.winner
    trash = ""
    if known.trashed is not None:
        trash = f"; a version of it is in the trash here ({known.trashed.batch})"
    if winner is None and known.all_rows:
        return because(WhyNot.SAME, where="here: nothing is to be there")
    if winner is None:
        telling = [each for each in known.members if known.folder.index_client.receives(each.key)]
        if telling:
            return because(WhyNot.INDEX_ARRIVES, peer=names_of(telling))
        return because(WhyNot.UNKNOWN, path=known.path, trash=trash)
    if winner.entry.deleted:
        since, by = known.since(winner.entry), known.by(winner.entry)
        return because(WhyNot.DELETED, path=known.path, by=by, since=since, trash=trash)
    return None


def _copies(known: PathKnown) -> Because | None:
    copies = known.folder.store.copies_of(known.path)
    if not copies or copies[0].entry.path == known.path:
        return None
    count = "a conflict copy lies" if len(copies) == 1 else f"{len(copies)} conflict copies lie"
    return because(WhyNot.CONFLICT, path=known.path, count=count, copy=copies[0].entry.path)


def _same(known: PathKnown) -> Because | None:
    winner = known.winner
    since = None if winner is None else known.since(winner.entry)
    return because(WhyNot.SAME, where="here", since=since)


_QUESTIONS: Final[tuple[Callable[[PathKnown], Because | None], ...]] = (
    _halted,
    _not_kept,
    _held,
    _rules_unread,
    _problem,
    _to_look_at,
    _own,
    _to_come,
    _lies_otherwise,
    _nothing,
    _copies,
    _same,
)
