"""Questions of the command line about one folder: which folder, and may it be asked now?

Knows verbs and their fields. Must not know what a question leads to: the folder's machines do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from leftzmq.config import UnusableFolder
from leftzmq.disk.apply.resolve import Wish
from leftzmq.disk.trash.trash import is_batch
from leftzmq.errors import BEGIN_ONE, NO_FOLDER, Refusal, Refused
from leftzmq.sync.actions import Answer, Outputs, declined
from leftzmq.sync.admin.conflicts import Conflicts
from leftzmq.sync.admin.health.fleet import Fleet
from leftzmq.sync.admin.ignored import IgnoreQuestions
from leftzmq.sync.admin.join_plans import JoinPlans
from leftzmq.sync.admin.mode_adoption import ModeAdoption
from leftzmq.sync.admin.overrides import Overrides
from leftzmq.sync.admin.status import problems
from leftzmq.sync.admin.why.plan import ChangePlans
from leftzmq.sync.admin.why.questions import WhyQuestions
from leftzmq.sync.facts import Asked
from leftzmq.sync.folder import Folder
from leftzmq.sync.guard.states import GuardMove
from leftzmq.tree.ignoring.share_rules import is_rule_file
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.permissions import ModesKept
from leftzmq.tree.rules import check_path
from leftzmq.wire.replies import Got, HeldBack, HeldDecided

_NUMBER: Final = re.compile(r"\d{1,18}", re.ASCII)
_BOUND: Final = re.compile(r"\d{8}-\d{6}(-[0-9a-f]{8}-?)?", re.ASCII)  # of the names of batches

_CHANGES: Final = (
    "trash restore",
    "accept",
    "revert",
    "conflicts resolve",
    "get",
    "drop",
    "override",
    "modes adopt",
)
_NO_NAME: Final = (Refusal.PATH_ABSOLUTE, Refusal.PATH_UNCLEAN, Refusal.PATH_NUL)
"""Nothing on a disk is called so: the question is wrong, not the name."""
_RELATIVE: Final = "write it as it is in the folder, such as photos/one.jpg"
_OF_STOPPED: Final = ("problems", "fleet", "why")
"""What is answered of a stopped folder."""


class Commands:
    """One per agent. unusable: folders that cannot be used, as they are at any time."""

    def __init__(
        self,
        folders: Mapping[str, Folder],
        conflicts: Conflicts,
        join_plans: JoinPlans,
        ignore_questions: IgnoreQuestions,
        overrides: Overrides,
        mode_adoption: ModeAdoption,
        fleet: Fleet,
        why_questions: WhyQuestions,
        change_plans: ChangePlans,
        unusable: Sequence[UnusableFolder] = (),
    ) -> None:
        self._folders, self._about_copies, self._unusable = folders, conflicts, unusable
        self._join_plans, self._ignore_questions = join_plans, ignore_questions
        self._overrides, self._mode_adoption = overrides, mode_adoption
        self._fleet = fleet
        self._why_questions, self._change_plans = why_questions, change_plans

    def on_asked(self, fact: Asked, now: float) -> Outputs | None:
        """Return the answer, or the jobs that lead to it. None: this class does not know the
        verb."""
        match fact.verb:
            case "trash list" | "trash restore":
                ask = self._trash
            case "accept" | "revert":
                ask = self._held
            case "problems":
                ask = self._problems
            case "conflicts list" | "conflicts show" | "conflicts resolve":
                ask = self._conflicts
            case "join_plan":
                ask = self._join_plan
            case "ignored" | "ignored rules":
                ask = self._ignored
            case "get" | "drop":
                ask = self._wanted
            case "override":
                ask = self._override
            case "modes adopt":
                ask = self._adopt_modes
            case "fleet":
                ask = self._all_devices
            case "why":
                ask = self._why
            case "plan":
                ask = self._plan
            case _:
                return None
        if not self._folders and not self._unusable:
            return [declined(fact.asker, NO_FOLDER, "", BEGIN_ONE)]
        folder = self._folder(_text(fact, "folder"))
        if isinstance(folder, str):
            return [declined(fact.asker, folder, _text(fact, "folder"), "name one with --folder")]
        if folder.stopped_why and fact.verb not in _OF_STOPPED:
            return [declined(fact.asker, f"the folder is stopped: {folder.stopped_why}", folder.id)]
        if folder.held_why and fact.verb in _CHANGES:
            return [declined(fact.asker, f"the folder is held: {folder.held_why}", folder.id)]
        if fact.verb == "why":  # a path that is never synced has its reason, too
            return ask(fact, folder, now)
        return bad_path(fact) or ask(fact, folder, now)

    def _folder(self, id: str) -> Folder | str:
        """Return the folder of this id, or the only folder; or a sentence that says what is
        wrong."""
        wrong = {one.id: one for one in self._unusable}
        known = dict.fromkeys((*self._folders, *wrong))  # one that goes may be in both
        names = ", ".join(known)
        if not id and len(known) == 1:
            (id,) = known
        if id in wrong:
            return f"the folder {id} is stopped: {wrong[id].why}"
        if not id:
            return f"there are several folders here: {names}"
        return self._folders.get(id) or f"there is no such folder here; there is {names}"

    def _problems(self, fact: Asked, folder: Folder, now: float) -> Outputs:
        after = _text(fact, "after")
        if not _NUMBER.fullmatch(after or "0"):
            return [_no_cursor(fact)]
        return [Answer(fact.asker, problems(folder, int(after or "0")).fields())]

    def _all_devices(self, fact: Asked, folder: Folder, now: float) -> Outputs:
        return self._fleet.ask(fact.asker, folder)

    def _join_plan(self, fact: Asked, folder: Folder, now: float) -> Outputs:
        return self._join_plans.ask(fact.asker, folder, _text(fact, "peer"))

    def _ignored(self, fact: Asked, folder: Folder, now: float) -> Outputs:
        path, after = _text(fact, "path"), _text(fact, "after")
        if fact.verb == "ignored rules":
            if after and not is_rule_file(after):
                return [_no_cursor(fact)]
            return self._ignore_questions.ask_rules(fact.asker, folder, after)
        if not path:
            return [declined(fact.asker, "which path is meant?")]
        return self._ignore_questions.ask_path(fact.asker, folder, path)

    def _why(self, fact: Asked, folder: Folder, now: float) -> Outputs:
        path = _text(fact, "path")
        if not path:
            return [declined(fact.asker, "which path is meant?")]
        try:
            check_path(path)
        except Refused as refused:
            if refused.refusal in _NO_NAME:
                return bad_path(fact)
            return self._why_questions.of_bad_path(fact.asker, folder.id, path, refused.refusal)
        return self._why_questions.ask(fact.asker, folder, path, _text(fact, "peer"))

    def _plan(self, fact: Asked, folder: Folder, now: float) -> Outputs:
        peer, after = _text(fact, "peer"), _text(fact, "after")
        try:
            check_path(after or "any")
        except Refused:
            return [_no_cursor(fact)]
        return self._change_plans.ask(fact.asker, folder, peer, after)

    def _wanted(self, fact: Asked, folder: Folder, now: float) -> Outputs:
        path = _text(fact, "path")
        if folder.paused_why:
            return [declined(fact.asker, f"the folder is paused: {folder.paused_why}", folder.id)]
        if fact.verb == "get":
            if not path:
                return [declined(fact.asker, "which path is meant?")]
            out = folder.keeping.get(path)
            return [*out, Answer(fact.asker, Got(folder=folder.id, path=path).fields())]
        if not path and fact.fields.get("outside_only") is not True:
            return [declined(fact.asker, "which path is meant?")]
        out = folder.keeping.let_go(path) if path else []
        return [*out, *folder.letting_go.ask(fact.asker, path, now)]

    def _held(self, fact: Asked, folder: Folder, now: float) -> Outputs:
        decision = GuardMove.ACCEPT if fact.verb == "accept" else GuardMove.REVERT
        much = folder.keeping.much
        if decision is GuardMove.ACCEPT and much.taken is not None and not folder.guard.holds:
            noted = HeldDecided(folder=folder.id, held=HeldBack(), ignored=much.taken.files)
            return [Answer(fact.asker, noted.fields()), *much.acknowledge()]
        receives = folder.mode is FolderMode.RECEIVE
        if decision is GuardMove.REVERT and receives and not folder.guard.holds:
            return self._revert(fact, folder, now)
        return folder.guard.decide(fact.asker, decision, now)

    def _override(self, fact: Asked, folder: Folder, now: float) -> Outputs:
        if folder.paused_why:
            return [declined(fact.asker, f"the folder is paused: {folder.paused_why}", folder.id)]
        if folder.mode is not FolderMode.SEND:
            what = f'the folder does not only send (its mode is "{folder.mode.value}")'
            return [declined(fact.asker, what, folder.id)]
        path, listed = _text(fact, "path"), _text(fact, "listed")
        return self._overrides.ask(fact.asker, folder, path, listed)

    def _adopt_modes(self, fact: Asked, folder: Folder, now: float) -> Outputs:
        if folder.paused_why:
            return [declined(fact.asker, f"the folder is paused: {folder.paused_why}", folder.id)]
        if folder.mode is FolderMode.RECEIVE:
            return [declined(fact.asker, "the folder only receives", folder.id)]
        if folder.index_view.we_read:
            return [declined(fact.asker, "this device may only read the folder", folder.id)]
        if folder.modes is ModesKept.NONE:
            do = 'remove perms = "none", if the disk keeps modes'
            return [declined(fact.asker, "no modes are kept there on this device", folder.id, do)]
        return self._mode_adoption.ask(fact.asker, folder.id, _text(fact, "path"))

    def _revert(self, fact: Asked, folder: Folder, now: float) -> Outputs:
        """What was changed here in a folder that only receives is given up."""
        if folder.paused_why:
            return [declined(fact.asker, f"the folder is paused: {folder.paused_why}", folder.id)]
        count = folder.differences.revert(_text(fact, "path"))
        if not count:
            return [declined(fact.asker, "nothing was changed there", folder.id)]
        decided = HeldDecided(folder=folder.id, held=HeldBack(), paths=count)
        return [Answer(fact.asker, decided.fields())]

    def _trash(self, fact: Asked, folder: Folder, now: float) -> Outputs:
        path, after = _text(fact, "path"), _text(fact, "after")
        since, before = _text(fact, "since"), _text(fact, "before")
        for bound in (since, before):
            if bound and not _BOUND.fullmatch(bound):
                return [declined(fact.asker, "is not a time", bound)]
        if fact.verb == "trash list":
            batch, _, last = after.partition("/")
            if after and not (is_batch(batch) and last):
                return [_no_cursor(fact)]
            return folder.trash.ask_list(fact.asker, path, (since, before), (batch, last))
        if not path:
            return [declined(fact.asker, "which path is to be restored?")]
        target = _text(fact, "target") or path
        return folder.trash.ask_restore(fact.asker, path, target, (since, before))

    def _conflicts(self, fact: Asked, folder: Folder, now: float) -> Outputs:
        path, wish = _text(fact, "path"), _text(fact, "choice").upper()
        if fact.verb == "conflicts list":
            after = _text(fact, "after")
            try:
                return self._about_copies.ask_list(
                    fact.asker, folder.id, check_path(after) if after else ""
                )
            except Refused:
                return [_no_cursor(fact)]
        if not path:
            return [declined(fact.asker, "which path is meant?")]
        if fact.verb == "conflicts show":
            return self._about_copies.ask_show(fact.asker, folder.id, path)
        if wish not in Wish.__members__:
            return [declined(fact.asker, "decide: mine, theirs, file, copy or both", path)]
        return self._about_copies.ask_resolve(fact.asker, folder.id, path, Wish[wish])


def bad_path(fact: Asked) -> Outputs:
    """Return the answer for a field that should be a path and is not one; empty if every path is
    valid."""
    for key in ("path", "target"):
        try:
            if _text(fact, key):
                check_path(_text(fact, key))
        except Refused as refused:
            do = _RELATIVE if refused.refusal in _NO_NAME else ""
            return [declined(fact.asker, refused.refusal.value, _text(fact, key), do)]
    return []


def _no_cursor(fact: Asked) -> Answer:
    do = "it is the `cursor` of a line of the same list with --json"
    return declined(fact.asker, "is no place in this list", _text(fact, "after"), do)


def _text(fact: Asked, key: str) -> str:
    value = fact.fields.get(key)
    return value if isinstance(value, str) else ""
