"""Mistakes around the agent: its answers to the command line, its log, its signals.

Knows the text of sync/, bus/ and cli/. Must not know how a bug is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

BUGS: Final = (
    Bug(
        "problems are kept without end",
        "Of each kind of problem so many are kept; of the rest it is known that they are there.",
        (
            Edit(
                "leftzmq/sync/problems.py",
                "        if self.count >= MAX_OF_A_KIND or letters > MAX_LETTERS_OF_A_KIND:\n",
                "        if self.count >= 100 * MAX_OF_A_KIND:\n",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/test_problems.py", "tests/unit/sync/admin/test_paging.py"),
    ),
    Bug(
        "a page ends without saying where it goes on",
        "A list comes in pages, whole: an answer with `after` goes on when it is asked with that.",
        (
            Edit(
                "leftzmq/sync/trash_keeper.py",
                "        more = versions and not (whole and question.listed)\n",
                "        more = versions and not whole\n",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/test_trash_keeper.py",),
    ),
    Bug(
        "an open question is never closed",
        "Every question is opened, and every answer closes one of its asker.",
        (
            Edit(
                "leftzmq/sync/node.py",
                "            case Answer(asker):\n",
                "            case Answer(asker) if len(self._open) > 1:\n",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/admin/test_paging.py",),
    ),
    Bug(
        "the log is waited for",
        "The loop never waits for a log.",
        (
            Edit(
                "leftzmq/runtime/line_writer.py",
                "            self._missing += 1\n            return\n",
                "            self._thread.join(0.01)\n"
                "            self._missing += 1\n"
                "            return\n",
            ),
        ),
        frozenset(),
        ("tests/unit/runtime/test_line_writer.py",),
    ),
    Bug(
        "the demo's folder before who throws it away",
        "Whatever moment it is ended at, nothing of the demo stays.",
        (
            Edit(
                "leftzmq/cli/demo/stage.py",
                "            self._keeper = Keeper(self.home)\n"
                "            self.home.mkdir(0o700, exist_ok=home is not None)\n",
                "            self.home.mkdir(0o700, exist_ok=home is not None)\n"
                "            self._keeper = Keeper(self.home)\n",
            ),
        ),
        frozenset(),
        ("tests/unit/cli/test_ending.py",),
    ),
    Bug(
        "an edit waits behind another writer's flood",
        "Whoever changes much keeps nobody's edit waiting.",
        (
            Edit(
                "leftzmq/sync/apply/source_pace.py",
                "    return bit, crc32(writer) % WRITER_LANES\n",
                "    return bit, crc32(writer) % 1\n",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/apply/test_source_pace.py",),
    ),
    Bug(
        "a message that does not end grows slowly and is not seen",
        "What libzmq holds of one device is bounded, however slowly it comes.",
        (
            Edit(
                "leftzmq/transport/connections/limits.py",
                "            unread = sum(self._unread(each, now) for each in connections)\n",
                "            unread = sum(self._unread(each, now) for each in stirred[1:])\n",
            ),
        ),
        frozenset(),
        ("tests/unit/transport/test_connections.py",),
    ),
    Bug(
        "a flood of changes is a flood of lines",
        "However many changes there are, a few lines a second are told of them.",
        (
            Edit(
                "leftzmq/cli/format/batches.py",
                "        return min(self.last + QUIET_S, self.came + LONGEST_S)\n",
                "        return self.last\n",
            ),
            Edit(
                "leftzmq/cli/format/batches.py",
                "        told = over[: int(self._lines + _ROUNDING)]\n",
                "        told = over\n",
            ),
        ),
        frozenset(),
        ("tests/unit/cli/test_log.py",),
    ),
    Bug(
        "a change is said to come from who gave it",
        "`finished` says who made the change, whoever gave it.",
        (
            Edit(
                "leftzmq/sync/exchange/index_client.py",
                "        name = self._peers.maker(entry.writer)\n",
                '        name = "" if bit else self._peers.maker(entry.writer)\n',
            ),
        ),
        frozenset(),
        ("tests/unit/sync/apply/test_finished.py",),
    ),
    Bug(
        "a folder that is empty on disk is never walked",
        "Removed and made anew, it may have got the same inode: what the index has in it is gone.",
        (
            Edit(
                "leftzmq/sync/scan/classifier.py",
                "        if not (sighting.empty and self._is_empty(sighting.path)):\n",
                "        if not sighting.empty:\n",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/test_mesh.py",),
    ),
)
