"""Answers which rule ignores a path, and which rules hold in a folder.

Knows questions and rules. Must not know how a rule is read, nor what lies at a path or how much is
not kept: jobs look that up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from leftzmq.disk.scan.lying import Lying
from leftzmq.index.schema import OURS
from leftzmq.sync.actions import Answer, Outputs, Work, declined
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import CountNotKept, LookWhatLies, LyingSeen, NotKeptCounted
from leftzmq.sync.scan.keeping import LOCAL_RULES
from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.litter import LITTER
from leftzmq.tree.ignoring.share_rules import Group, HoldingFile, Ignored
from leftzmq.tree.path import name_of, parent_of
from leftzmq.wire.paging import PAGE_BYTES, PAGE_ITEMS, fitting
from leftzmq.wire.replies import (
    IgnoredShown,
    IgnoreRulesPage,
    IgnoreVerdict,
    LocalRuleShown,
    RuleFileShown,
)

SHOWN_MISTAKES: Final = 3  # of one file
ANY: Final = "any"  # in place of a kind: whatever would be there

_KINDS: Final = {
    Lying.FILE: Kind.FILE,
    Lying.FOLDER: Kind.DIRECTORY,
    Lying.LINK: Kind.SYMLINK,
    Lying.OTHER: None,
}


class _IgnoreAsked(Struct, frozen=True):
    """A question whose answer needs a job. about: the path, or where the page begins."""

    asker: bytes
    folder: str
    about: str


class IgnoreQuestions:
    """One per agent."""

    def __init__(self) -> None:
        self._open: dict[int, _IgnoreAsked] = {}
        self._number = 0

    def ask_path(self, asker: bytes, folder: Folder, path: str) -> Outputs:
        """Answer by which rule a path is ignored, when a job has looked what lies there."""
        return [Work(LookWhatLies(folder.id, self._asked(asker, folder, path), path))]

    def ask_rules(self, asker: bytes, folder: Folder, after: str) -> Outputs:
        """Answer which rules hold, when a job has counted what is not kept. after: the path of a
        rule file; only those behind it are listed."""
        nobody = folder.index_view.readers | folder.store.heads.swept_mask | OURS
        return [Work(CountNotKept(folder.id, self._asked(asker, folder, after), nobody))]

    def _asked(self, asker: bytes, folder: Folder, about: str) -> int:
        self._number += 1
        self._open[self._number] = _IgnoreAsked(asker, folder.id, about)
        return self._number

    def on_lying_seen(self, folder: Folder, fact: LyingSeen, now: float) -> Outputs:
        asked = self._open.pop(fact.number, None)
        if asked is None:
            return []
        verdicts = list(_verdicts(folder, asked.about, fact.lies))
        closed = folder.keeping.rules.folder(parent_of(asked.about)).closed
        unread = ""
        if closed is not None and not all(verdict.ignored for verdict in verdicts):
            where, unit = (closed.file, "line") if closed.file else (LOCAL_RULES, "rule")
            unread = f"{where}: {closed.mistake.said(unit)}"
        lies = fact.lies.value
        shown = IgnoredShown(
            folder=folder.id, path=asked.about, lies=lies, verdicts=verdicts, unread=unread
        )
        return [Answer(asked.asker, shown.fields())]

    def on_not_kept_counted(self, folder: Folder, fact: NotKeptCounted, now: float) -> Outputs:
        asked = self._open.pop(fact.number, None)
        if asked is None:
            return []
        rules, after = folder.keeping.rules, asked.about
        at = (parent_of(after), name_of(after))
        behind = (
            _file(each)
            for each in rules.holding()
            if not after or (parent_of(each.path), name_of(each.path)) > at
        )
        files, whole = fitting(behind, PAGE_ITEMS, PAGE_BYTES)
        local = rules.local
        mistakes = local.mistakes if local.unusable is None else (local.unusable,)
        page = IgnoreRulesPage(
            folder=folder.id,
            files=files,
            after="" if whole else files[-1].cursor,
            local=[LocalRuleShown(number=rule.line, rule=rule.text) for rule in local.rules],
            local_mistakes=[mistake.said("rule") for mistake in mistakes],
            litter=bool(rules.litter.rules),
            not_kept=fact.not_kept,
            withdrawn=fact.withdrawn,
        )
        return [Answer(asked.asker, page.fields())]

    def on_folder_stopped(self, folder: str, why: str) -> Outputs:
        """Answer the open questions about the folder; later results of their jobs are ignored."""
        gone = [number for number, asked in self._open.items() if asked.folder == folder]
        return [declined(self._open.pop(number).asker, why, folder) for number in gone]


def _verdicts(folder: Folder, path: str, lies: Lying) -> Iterator[IgnoreVerdict]:
    """One for what lies at the path. Where nothing does, one for whatever may come; or two, if
    these are not the same for a file and for a folder."""
    why_not = folder.keeping.why_not
    if lies in _KINDS:
        yield _verdict(lies.value, why_not(path, _KINDS[lies]))
        return
    as_file, as_folder = why_not(path, Kind.FILE), why_not(path, Kind.DIRECTORY)
    if as_file == as_folder:
        yield _verdict(ANY, as_file)
        return
    yield _verdict(Lying.FILE.value, as_file)
    yield _verdict(Lying.FOLDER.value, as_folder)


def _verdict(kind: str, why: Ignored | None) -> IgnoreVerdict:
    if why is None:
        return IgnoreVerdict(kind=kind, ignored=False)
    return IgnoreVerdict(
        kind=kind,
        ignored=True,
        group=why.group.value,
        file=why.file,
        line=why.rule.line,
        rule=why.rule.text,
        matches=why.path,
        text=why.place,
        source=LITTER[why.rule.line - 1].source if why.group is Group.LITTER else "",
    )


def _file(holding: HoldingFile) -> RuleFileShown:
    said = [mistake.said("line") for mistake in holding.mistakes[:SHOWN_MISTAKES]]
    return RuleFileShown(
        path=holding.path,
        rules=len(holding.file.rules),
        uses_gitignore=holding.file.uses_gitignore,
        mistakes=len(holding.mistakes),
        mistake_list=said,
        unread="" if holding.unread is None else holding.unread.said("line"),
        cursor=holding.path,
    )
