"""The built-in list."""

from __future__ import annotations

import pytest

from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.litter import LITTER
from leftzmq.tree.ignoring.share_rules import LITTER_RULES, NOTHING, Group, IgnoreRules


def test_every_entry_is_a_rule_with_a_source() -> None:
    assert not LITTER_RULES.mistakes and LITTER_RULES.unusable is None
    assert [rule.line for rule in LITTER_RULES.rules] == list(range(1, len(LITTER) + 1))
    assert all(litter.source for litter in LITTER)
    assert len({litter.rule for litter in LITTER}) == len(LITTER)


@pytest.mark.parametrize(
    "name",
    [
        *(".DS_Store", "Thumbs.db", "thumbs.db", "desktop.ini", "Desktop.ini", "Icon\r"),
        *(".a.txt.swp", ".swo", ".#a.txt", "#a.txt#", ".a.kate-swp", "a.txt___jb_tmp___"),
        *(".~lock.a.odt#", "~$a.docx", "~WRL0001.tmp", "a.accdb.laccdb"[2:], "a.dwl2"),
        *(".nfs000000000001", ".fuse_hidden0001", ".goutputstream-AB12", "a.sb-0a1b2c3d-Xy12Zw"),
    ],
)
def test_litter(name: str) -> None:
    ignored = IgnoreRules().verdict(f"a/{name}", Kind.FILE)
    assert ignored is not None and ignored.group is Group.LITTER and ignored.file == ""
    assert ignored.rule.text == LITTER[ignored.rule.line - 1].rule
    assert IgnoreRules(litter=NOTHING).verdict(f"a/{name}", Kind.FILE) is None


@pytest.mark.parametrize(
    "name", ["$RECYCLE.BIN", "System Volume Information", ".Trash-1000", ".Trashes", "@eaDir"]
)
def test_folders_of_litter_are_no_names_of_files(name: str) -> None:
    assert IgnoreRules().verdict(name, Kind.DIRECTORY) is not None
    assert IgnoreRules().verdict(f"{name}/a", Kind.FILE) is not None
    assert IgnoreRules().verdict(name, Kind.FILE) is None


@pytest.mark.parametrize(
    "name",
    [
        *("a", "a~", "a.bak", "._a", "a.tmp", "a.part", "Icon", "Icon\r\r", "a.swp", ".a.swq"),
        *("4913", "thumbs", "THUMBS.DB", ".nfsmount", "#a", "a#", "~a", "~", ".git", ".gitignore"),
        *("Desktop.inis", ".Trash-x", "~WRITE.tmp", "a.sb-1"),
    ],
)
def test_what_users_may_mean_is_no_litter(name: str) -> None:
    for kind in Kind:
        assert IgnoreRules().verdict(name, kind) is None
