"""Which paths of a folder this device keeps, and what follows when its rules change.

To the rules of versions, a path that a device does not keep is a path at which that device is away
(docs/design.md, "What is kept"). So little follows from a rule: our version of what is ignored now
is withdrawn and stays as a base, and what is kept again is looked at, and asked for where it is not
here. Nothing is deleted, here or elsewhere.

The files of rules are read by walks and looks. What was read last is in the index, so that it holds
from the first moment of a start on, and a walk reads again only what changed. Rows of the index are
judged anew some in each turn: they may be hundreds of thousands.

Knows rules and rows. Must not know files, devices, nor what a version means (sync/versions does).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from leftzmq.disk.scan.sighting import RulesRead, Sighting
from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.rows import Row, ours_of
from leftzmq.sync.actions import Outputs, Tell, WatchAnew
from leftzmq.sync.facts import LocalRulesSet, PathsReconsidered, RescanWanted
from leftzmq.sync.problems import Problems
from leftzmq.sync.scan.much_ignored import MuchIgnored, TakenOut
from leftzmq.sync.versions.index_view import IndexView, KeepingChange
from leftzmq.tree.entry import Kind, Observed
from leftzmq.tree.ignoring.rule_file import (
    GITIGNORE,
    LEFTIGNORE,
    RuleFile,
    parse_local,
    parse_rules,
)
from leftzmq.tree.ignoring.share_rules import (
    LITTER_RULES,
    NOTHING,
    Ignored,
    IgnoreRules,
    is_rule_file,
)
from leftzmq.tree.path import (
    folders_above,
    is_within,
    join,
    keys_below,
    parent_of,
    path_of_key,
)
from leftzmq.tree.wanted import Wanted, without_below
from leftzmq.wire.local import EventKind

ROWS_A_TURN: Final = 256  # about 10 us each
RULES_STAY_S: Final = 2.0
"""A file of rules that is gone rules on for this time. Whoever removes a folder with all that is in
it may remove its rules first: what they ignored is not to be synced in its last moment."""
FAULTS_SHOWN: Final = 3  # mistakes of one file

LOCAL_RULES: Final = "`ignore` in peer.toml"  # as a user reads it

_OF_RULES: Final = frozenset((ProblemKind.RULES_FAULTY, ProblemKind.IGNORED_IN_THE_WAY))
_LISTS: Final = "ignore lists"
_PINS: Final = "pins"
_BROUGHT: Final = "brought"
_JUDGING: Final = "rows to judge"


class Keeping:
    """What one folder keeps.

    local: the rules that only this device has. litter: whether the built-in list holds. only: the
        paths that it fetches; none: all
    rules: all rules that hold now; a value that jobs may ask in other threads
    much: what is said of rules that took much out of sync
    """

    def __init__(
        self,
        folder: str,
        index_view: IndexView,
        problems: Problems,
        local: Sequence[str] = (),
        *,
        litter: bool = True,
        only: Sequence[str] = (),
    ) -> None:
        self._folder, self._index_view, self._problems = folder, index_view, problems
        self._store = index_view.store
        files = {path: parse_rules(path, data) for path, _, data in self._store.rule_files()}
        self.rules = _with_lists(IgnoreRules(), local, litter=litter).with_files(files)
        self._lists = _packed(local, litter, only)
        self._only, self._pins = tuple(only), _unpacked_pins(self._store.meta(_PINS) or b"")
        self._wanted = Wanted(self._only, self._pins)
        # What a user got while the folder only sends: of that it takes what is missing here.
        self._brought = _unpacked_pins(self._store.meta(_BROUGHT) or b"")
        self._comes_in = Wanted((), {"": False} | self._brought)
        self._to_judge: dict[str, None] = {}  # folders below which rows are to be judged anew
        self._judging: _Judging | None = None
        # Files of rules that are gone -> when they rule no more.
        self._leaving: dict[str, float] = {}
        self._first_walk_comes = self._owes_looks = False
        self._faulty: set[str] = set()
        self.much = MuchIgnored(folder, self._store, problems)
        self._taken_earlier = 0  # files that an earlier life withdrew, in a judging of its own
        index_view.keeps, index_view.wants = self.keeps, self.wants
        index_view.judge_first, index_view.brings = self._judge_first, self._brings

    # -- questions -------------------------------------------------------------------------------

    def keeps(self, path: str, kind: Kind) -> bool:
        return self.rules.verdict(path, kind) is None

    def wants(self, path: str, kind: Kind) -> bool:
        """Whether what others have at `path` is fetched, if no rule ignores it."""
        return self._wanted.wants(path, kind)

    def _brings(self, path: str, kind: Kind) -> bool:
        """Whether a user got `path`, or a folder that it is in, while the folder only sends."""
        return self._comes_in.wants(path, kind)

    def is_let_go(self, path: str) -> bool:
        """Whether a user let `path` go, or a folder that it is in."""
        return self._wanted.is_let_go(path)

    def why_not(self, path: str, kind: Kind | None) -> Ignored | None:
        """By which rule `path` is ignored, if something of this kind is there (None: something that
        cannot be synced anyway); None: by none."""
        return self.rules.verdict(path, kind)

    def ignores_all_at(self, path: str) -> bool:
        """Whether `path` is ignored, whatever is there."""
        kinds = (None, Kind.FILE, Kind.DIRECTORY)
        return all(self.rules.verdict(path, kind) is not None for kind in kinds)

    def ignores_folder(self, path: str) -> bool:
        """Whether a folder at `path` is ignored. Watchers ask in their threads."""
        return self.rules.verdict(path, Kind.DIRECTORY) is not None

    def shells(self, folders: Iterable[str]) -> list[str]:
        """Those of these folders that are deleted, and lie here with what is ignored in them."""
        rows = self._store.rows_of(dict.fromkeys(folders))
        ours = {folder: ours_of(rows[folder]) for folder in rows}
        return [path for path, row in ours.items() if row and row.entry.deleted and row.scan]

    def may_tell(self, seen: Sighting) -> bool:
        """Whether what a look saw may become a version of ours. What is new below a file of rules
        that cannot be read may not: nobody knows whether it was to be ignored. What others have as
        well is not new."""
        key = seen.key
        if key is None or not seen.path:
            return True
        if not self.keeps(seen.path, key.kind):
            return False
        folder = parent_of(seen.path)
        closed = self.rules.folder(folder).closed
        if closed is None:
            return True
        if is_rule_file(seen.path) and parent_of(closed.file) == folder:
            return True  # itself it hides from nobody: others may mend it
        rows = self._index_view.rows(seen.path)
        known = ours_of(rows) or self._index_view.base(seen.path)
        return known is not None or _is_among(seen.observed, rows)

    @property
    def idle(self) -> bool:
        """Whether all rows are judged by the present rules, and these stay: no file rules on that
        is gone."""
        return not self._judges and not self._leaving

    @property
    def _judges(self) -> bool:
        return self._judging is not None or bool(self._to_judge)

    def deadline(self, now: float) -> float | None:
        if self._judges:
            return now
        return min(self._leaving.values(), default=None)

    # -- what is fetched -------------------------------------------------------------------------

    def get(self, path: str) -> Outputs:
        """From now on what is at `path` and below it is fetched. What others have of it is asked
        for."""
        self._pin(path, is_wanted=True)
        view = self._index_view
        judged = self._judge_above(path)  # it is wanted now, too
        # Where the folder only sends, what differed may come now, by the same rules.
        changed = [at for at, how in judged if how is KeepingChange.KEPT or not view.takes]
        self._judge(path)
        out: Outputs = [PathsReconsidered(self._folder, tuple(changed))] if changed else []
        if self._index_view.base(path) is not None:
            out.append(RescanWanted(self._folder, (path,)))  # a look tells what became of it
            self._owes_looks = True  # also after a start, if the folder ends before that look
        return out

    def let_go(self, path: str) -> Outputs:
        """From now on what is at `path` and below it is not fetched. What is here stays until
        somebody removes it (sync/apply/letting_go)."""
        self._pin(path, is_wanted=False)
        judged = self._judge_above(path)  # perhaps it was wanted for this path alone
        self._judge(path)
        changed = [at for at, how in judged if how is not KeepingChange.THE_SAME]
        return [PathsReconsidered(self._folder, tuple(changed))] if changed else []

    def _judge_above(self, path: str) -> list[tuple[str, KeepingChange]]:
        """Judge what is at this path, the folders above it, and the files of rules in them."""
        above = folders_above(path)
        rules = [join(folder, name) for folder in above for name in (LEFTIGNORE, GITIGNORE)]
        return [(each, self._index_view.judge_anew(each)) for each in (path, *above, *rules)]

    def _pin(self, path: str, *, is_wanted: bool) -> None:
        self._pins = without_below(self._pins, path, is_wanted)
        self._store.put_meta(_PINS, _packed_pins(self._pins))
        self._wanted = Wanted(self._only, self._pins)
        if not self._index_view.takes:
            self._bring(without_below(self._brought, path, is_wanted))

    def _bring(self, brought: dict[str, bool]) -> None:
        self._brought, self._comes_in = brought, Wanted((), {"": False} | brought)
        self._store.put_meta(_BROUGHT, _packed_pins(brought))

    # -- rules -----------------------------------------------------------------------------------

    def start(self) -> Outputs:
        """At a start: rules of peer.toml may be others than those by which the rows were judged."""
        if self._brought and self._index_view.takes:
            self._bring({})  # all of it comes, and does so no more when the folder only sends again
        unfinished = self._store.meta(_JUDGING) or b""
        self._taken_earlier = int(unfinished or b"0")
        if unfinished or self._store.meta(_LISTS) != self._lists:
            self._judge("")
            self._first_walk_comes = True
        return [*self._show_all_faults(), *self.much.start(), *self._look_for_gone()]

    def _look_for_gone(self) -> Outputs:
        """Files of rules may be gone: an earlier life ended while they ruled on, or they went while
        their folder was ignored. If their folder is gone, too, no walk passes them."""
        files = [path for path, _, _ in self._store.rule_files()]
        known = self._store.scan_keys(files)
        gone = tuple(path for path in files if path not in known)
        return [RescanWanted(self._folder, gone)] if gone else []

    def on_local_rules_set(self, fact: LocalRulesSet, now: float) -> Outputs:
        return self.tune(fact.ignore, litter=fact.litter, only=fact.only)

    def tune(self, local: Sequence[str], *, litter: bool, only: Sequence[str] = ()) -> Outputs:
        """From now on these are the rules that only this device has, and the paths that it
        fetches."""
        packed = _packed(local, litter, only)
        if packed == self._lists:
            return []
        self._lists, self._only = packed, tuple(only)
        self._wanted = Wanted(self._only, self._pins)
        self.rules = _with_lists(self.rules, local, litter=litter)
        self._judge("")
        return self._show_faults(("", *sorted(self._faulty)))

    def on_rules_read(self, reads: Iterable[RulesRead], now: float) -> Outputs:
        """A walk or a look read these files of rules, or found them gone."""
        changes: dict[str, RuleFile | None] = {}
        for read in reads:
            if read.file is None:
                if self.rules.file(read.path) is not None:
                    self._leaving.setdefault(read.path, now + RULES_STAY_S)
                continue
            self._leaving.pop(read.path, None)
            if read.file.unusable is None:
                assert read.key is not None, "what was read is there"
                self._store.put_rules(read.path, read.key, read.data)
            changes[read.path] = read.file
        return self._change(changes)

    def _change(self, changes: Mapping[str, RuleFile | None]) -> Outputs:
        """These files of rules are others now, or are gone (None)."""
        reaches = [self.rules.reach(path, file) for path, file in changes.items()]
        self.rules = self.rules.with_files(changes) if changes else self.rules
        for reach in reaches:
            if reach is not None:
                self._judge(reach)
                self._first_walk_comes = False
        return self._show_faults(changes)

    def on_time_passed(self, now: float) -> Outputs:
        """Lets rules end whose files are gone, and judges some rows."""
        left = [path for path, due in self._leaving.items() if due <= now]
        for path in left:
            del self._leaving[path]
            self._store.drop_rules(path)
        return [*self._change(dict.fromkeys(left)), *self._judge_some()]

    def _show_all_faults(self) -> Outputs:
        return self._show_faults(dict.fromkeys(path for path, _ in self.rules.mistakes()))

    def _show_faults(self, paths: Iterable[str]) -> Outputs:
        """Shows what is wrong in these files of rules ("": in the local rules) as Problems: lines
        without effect, or that the file cannot be read."""
        out: Outputs = []
        for path in paths:
            said = [each.said("line" if path else "rule") for each in self.rules.mistakes_in(path)]
            if not said:
                if path in self._faulty:
                    self._faulty.discard(path)
                    out += self._problems.clear(path, kind=ProblemKind.RULES_FAULTY)
                continue
            self._faulty.add(path)
            more = f"; and {len(said) - FAULTS_SHOWN} more" if len(said) > FAULTS_SHOWN else ""
            where = "" if path else f"{LOCAL_RULES}: "
            detail = where + "; ".join(said[:FAULTS_SHOWN]) + more
            out += self._problems.show(
                Problem(self._folder, path, ProblemKind.RULES_FAULTY, detail)
            )
        return out

    # -- rows ------------------------------------------------------------------------------------

    def _judge(self, folder: str) -> None:
        """Other rules hold in this folder and below it."""
        if any(is_within(folder, each) for each in self._to_judge):
            return
        for below in [each for each in self._to_judge if is_within(each, folder)]:
            del self._to_judge[below]
        self._to_judge[folder] = None
        if self._judging is None:
            self._keep_count(self._taken_earlier)

    def _keep_count(self, files: int) -> None:
        """A life that ends here has rows to judge, and has withdrawn so many files by now."""
        self._store.put_meta(_JUDGING, b"%d" % files)

    def _judge_first(self, path: str) -> None:
        """Something may be begun at `path`, whose turn to be judged may not have come."""
        judging = self._judging_now()
        if judging is not None:
            judging.judged(path, self._index_view)

    def _judging_now(self) -> _Judging | None:
        """What is being judged, or is to be judged next; None: nothing."""
        if self._judging is None and self._to_judge:
            folder = next(iter(self._to_judge))
            del self._to_judge[folder]
            files, self._taken_earlier = self._taken_earlier, 0
            self._judging = _Judging(folder, self.much.watched(folder), self.why_not, files)
        return self._judging

    def _judge_some(self) -> Outputs:
        judging = self._judging_now()
        if judging is None:
            return []
        files = judging.files
        out = judging.step(self._folder, self._index_view)
        if judging.files != files:
            self._keep_count(judging.files)
        if judging.done:
            self._judging = None
            out += self._show_faults(sorted(self._faulty))  # one may be in an ignored folder now
            # What is on the disk and was ignored until now is found by a walk, when it is watched.
            # At a start the first walk comes, after all is watched.
            if not self._first_walk_comes:
                out.append(WatchAnew(self._folder, judging.folder))
            self._first_walk_comes = False
            out += self._told(judging)
            out += self._nothing_wrong_where_ignored()
            out += self._look_for_gone()
            taken = judging.taken(self._index_view.counters.files)
            out += self.much.judged(taken, judging.watched_files)
            if not self._to_judge:
                self._store.put_meta(_LISTS, self._lists)
            if judging.looks or not judging.folder:
                self._owes_looks = judging.looks
            if self._to_judge or self._owes_looks:
                self._keep_count(0)  # a look that a kill takes away comes after the next start
            else:
                self._store.put_meta(_JUDGING, b"")
        return out

    def _nothing_wrong_where_ignored(self) -> Outputs:
        """What is ignored, whatever it is, has no Problem of its own: nobody would find it
        solved."""
        out: Outputs = []
        for problem in self._problems.all():
            is_of_path = not problem.device and problem.path not in ("", ".")
            if not is_of_path or problem.kind in _OF_RULES:
                continue
            if self.ignores_all_at(problem.path):
                out += self._problems.clear(problem.path)
        return out

    def _told(self, judging: _Judging) -> Outputs:
        if not judging.ignored and not judging.kept:
            return []
        fields = {"folder": self._folder, "path": judging.folder}
        counts = {"ignored": judging.ignored, "kept": judging.kept}
        return [Tell(EventKind.RULES, {**fields, **counts})]


class _Judging:
    """The rows below one folder are judged anew, some in each turn. First those of versions, then
    what we told and do not have, then what is left of paths that were not kept.

    ignored: versions of ours that were withdrawn; files: those of files, with `taken` that an
        earlier life withdrew
    kept: paths that are kept again. looks: looks are to tell what became of some of them
    watched_files: files below the folder `watched` that are not kept; None: it is not watched
    """

    def __init__(
        self,
        folder: str,
        watched: str | None,
        why_not: Callable[[str, Kind | None], Ignored | None],
        taken: int,
    ) -> None:
        self.folder, self._watched, self._why_not = folder, watched, why_not
        self.files, self._files_below, self._rules = taken, 0, Counter[str]()
        self.watched_files = None if watched is None else 0
        # Of one the rules changed, and the other one is watched: the upper of them holds both.
        self._bases_of = folder if watched is None else min(folder, watched, key=len)
        self.ignored = self.kept = 0
        self.done = self.looks = False
        self._after, self._end = keys_below(folder)
        self._steps = [self._rows, self._wanted_back, self._bases]

    def taken(self, files: int) -> TakenOut:
        """What was taken out of sync. files: how many this device has now."""
        before = max(0, self._files_below - self.files)
        rule = self._rules.most_common(1)[0][0] if self._rules else ""
        return TakenOut(self.files, self.files + files, self.folder, before, rule)

    def step(self, folder: str, view: IndexView) -> Outputs:
        return self._steps[0](folder, view)

    def judged(self, path: str, view: IndexView) -> KeepingChange:
        """Judge the rows of this path, and count what follows."""
        files = view.counters.files
        judged = view.judge_anew(path)
        self.ignored += judged is KeepingChange.WITHDRAWN
        self.kept += judged is KeepingChange.KEPT
        self.files += view.counters.files < files
        return judged

    def _next(self) -> None:
        del self._steps[0]
        self._after, self.done = b"", not self._steps

    def _rows(self, folder: str, view: IndexView) -> Outputs:
        groups = view.store.paths(self._after, ROWS_A_TURN)
        paths = [rows[0].entry.path for rows in groups if rows[0].sort_key < self._end]
        view.recall(paths)
        again: list[str] = []
        first = ""
        for path in paths:
            files = self.files
            if self.judged(path, view) is not KeepingChange.THE_SAME or not view.takes:
                again.append(path)  # it may be a ticket now, or none any more
            if self.files > files:
                first = first or path
        # Of one file a turn: to ask by which rule costs as much as to judge.
        if first and (why := self._why_not(first, Kind.FILE)) is not None:
            self._rules[why.place] += 1
        if len(paths) < len(groups) or not groups:
            self._next()
        else:
            self._after = groups[-1][0].sort_key
        return [PathsReconsidered(folder, tuple(again))] if again else []

    def _wanted_back(self, folder: str, view: IndexView) -> Outputs:
        """Of what we told and do not have there may be no version left."""
        keys = view.store.wanted_back(self.folder, self._after, ROWS_A_TURN)
        for key in keys:
            view.judge_anew(path_of_key(key))
        if keys:
            self._after = keys[-1]
        else:
            self._next()
        return []

    def _bases(self, folder: str, view: IndexView) -> Outputs:
        """Of what is kept again a look tells what became of it."""
        bases = view.store.bases(self._bases_of, self._after, ROWS_A_TURN)
        if not bases:
            self._next()
            return []
        self._after = bases[-1][0]
        again: list[str] = []
        for key, kind in bases:
            path = path_of_key(key)
            is_here = is_within(path, self.folder)
            if view.keeps(path, kind):
                again += [path] if is_here else []
            elif kind is Kind.FILE:
                self._files_below += is_here
                if self._watched is not None and self.watched_files is not None:
                    self.watched_files += is_within(path, self._watched)
        self.looks = self.looks or bool(again)
        return [RescanWanted(folder, tuple(again))] if again else []


def _is_among(observed: Observed | None, rows: Iterable[Row]) -> bool:
    """Whether somebody has something with these bytes."""
    if observed is None:
        return False
    what = (observed.kind, observed.content)
    return any(
        not row.entry.deleted and (row.entry.kind, row.entry.content) == what for row in rows
    )


def _with_lists(rules: IgnoreRules, local: Sequence[str], *, litter: bool) -> IgnoreRules:
    return rules.with_lists(parse_local(local), LITTER_RULES if litter else NOTHING)


def _packed_pins(pins: Mapping[str, bool]) -> bytes:
    return "\0".join(("+" if pins[path] else "-") + path for path in sorted(pins)).encode()


def _unpacked_pins(packed: bytes) -> dict[str, bool]:
    words = packed.decode().split("\0") if packed else []
    return {word[1:]: word[0] == "+" for word in words}


def _packed(local: Sequence[str], litter: bool, only: Sequence[str]) -> bytes:
    """The same bytes for the same rules."""
    return repr(
        (litter, tuple(local), tuple(only))
    ).encode()  # a rule may have any character, also a NUL
