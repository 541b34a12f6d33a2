"""Mistakes about what is ignored: it is deleted elsewhere, told, or told as it must not be.

Knows the text of sync/versions, sync/scan, disk/scan and index. Must not know how a bug is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

_STORIES: Final = ("tests/sim/test_kept.py",)

BUGS: Final[tuple[Bug, ...]] = (
    Bug(
        "a version does not say that it follows a withdrawal",
        "No device is dropped by an honest one.",
        (
            Edit(
                "leftzmq/index/reader.py",
                "{_COLUMNS_OF_V}, coalesce(w.seq, 0)",
                "{_COLUMNS_OF_V}, 0",
            ),
        ),
        frozenset(("Dropped",)),
        _STORIES,
    ),
    Bug(
        "what is ignored from now on is told as deleted",
        "A withdrawal is no delete.",
        (
            Edit(
                "leftzmq/sync/versions/index_view.py",
                "        self.store.put_base(ours.entry, ours.scan)\n"
                "        self.has_bases = True\n",
                "        from leftzmq.tree.entry import tombstone\n\n"
                "        sequence = self.next_sequence()\n"
                "        entry = tombstone(ours.entry, self.store.heads.life, sequence, 0)\n"
                "        self.set_ours(rows, entry, sequence, None)\n"
                "        return True\n",
            ),
        ),
        frozenset(("kept", "I2 tree", "I2 folder", "I8")),
        _STORIES,
    ),
    Bug(
        "conflict copies of rule files are not read",
        "A conflict copy beside its rule file rules, too.",
        (
            Edit(
                "leftzmq/disk/scan/rules.py",
                "                if is_rule_file(name):\n",
                "                if name in (LEFTIGNORE, GITIGNORE):\n",
            ),
            Edit(
                "leftzmq/disk/scan/scanner.py",
                "return self._with_rules(seen) if is_rule_file(path) else seen\n",
                "return self._with_rules(seen) if name_of(path) == LEFTIGNORE else seen\n",
            ),
        ),
        frozenset(("kept", "I8", "secret")),
        ("tests/unit/sync/test_ignoring.py",),
    ),
    Bug(
        "a look does not wait for rules",
        "While a file of rules waits for its look, nothing else below its folder is looked at.",
        (
            Edit(
                "leftzmq/sync/scan/look_queue.py",
                "if self._rule_files and (file := self._rules_before(path))",
                "if False and (file := self._rules_before(path))",
            ),
        ),
        frozenset(("secret",)),
        _STORIES,
    ),
)
