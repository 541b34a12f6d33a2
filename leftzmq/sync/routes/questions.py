"""Routes the job results that are needed to answer the command line: of wait, conflicts, trash, the
plans of joins, what is ignored, and what differs.

Knows which machine needs which result. Must not know who asked, or what.
"""

from __future__ import annotations

from functools import partial

from msgspec import Struct

from leftzmq.sync.admin.conflicts import Conflicts
from leftzmq.sync.admin.ignored import IgnoreQuestions
from leftzmq.sync.admin.join_plans import JoinPlans
from leftzmq.sync.admin.overrides import Overrides
from leftzmq.sync.admin.wait import WaitQuestions
from leftzmq.sync.admin.why.plan import ChangePlans
from leftzmq.sync.admin.why.questions import WhyQuestions
from leftzmq.sync.facts import CookieSeen
from leftzmq.sync.jobs import (
    ChangePlanRead,
    CookieDropped,
    CopiesListed,
    CopyResolved,
    DifferingFound,
    JoinPlanRead,
    LackingFound,
    LetGone,
    LookedForWhy,
    LyingSeen,
    NotKeptCounted,
    TrashListed,
    TrashRestored,
    TrashSwept,
    VersionsRead,
)
from leftzmq.sync.routes.table import Routes


class QuestionRoutes(Struct, frozen=True):
    """One per agent; the trash keepers are per folder."""

    wait_questions: WaitQuestions
    conflicts: Conflicts
    join_plans: JoinPlans
    ignore_questions: IgnoreQuestions
    overrides: Overrides
    why_questions: WhyQuestions
    change_plans: ChangePlans

    def enter(self, routes: Routes) -> None:
        to_folder, conflicts = routes.to_folder, self.conflicts
        to_folder(
            CookieDropped,
            lambda folder: self.wait_questions.on_cookie_dropped,
        )
        to_folder(CookieSeen, lambda folder: self.wait_questions.on_cookie_seen)
        to_folder(LackingFound, lambda folder: self.wait_questions.on_lacking_found)
        to_folder(CopiesListed, lambda folder: conflicts.on_copies_listed)
        to_folder(VersionsRead, lambda folder: conflicts.on_versions_read)
        to_folder(CopyResolved, lambda folder: conflicts.on_copy_resolved)
        to_folder(JoinPlanRead, lambda folder: self.join_plans.on_join_plan_read)
        ignored = self.ignore_questions
        to_folder(LyingSeen, lambda folder: partial(ignored.on_lying_seen, folder))
        to_folder(NotKeptCounted, lambda folder: partial(ignored.on_not_kept_counted, folder))
        why = self.why_questions
        plans = self.change_plans
        to_folder(ChangePlanRead, lambda folder: partial(plans.on_change_plan_read, folder))
        to_folder(LookedForWhy, lambda folder: partial(why.on_looked_for_why, folder))
        overrides = self.overrides
        to_folder(DifferingFound, lambda folder: partial(overrides.on_differing_found, folder))
        to_folder(LetGone, lambda folder: folder.letting_go.on_let_gone)
        to_folder(TrashSwept, lambda folder: folder.trash.on_trash_swept)
        to_folder(TrashListed, lambda folder: folder.trash.on_trash_listed)
        to_folder(TrashRestored, lambda folder: folder.trash.on_trash_restored)
