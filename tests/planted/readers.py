"""Mistakes about members that may only read: something follows from what they say.

Knows the text of sync/versions and sync/exchange. Must not know how a bug is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

_COUNTS: Final = "A version counts only if a full member said it over its own link, or we made it."
_TESTS: Final = (
    "tests/unit/sync/versions/test_readers.py",
    "tests/unit/sync/test_read_only.py",
)


def _bug(name: str, file: str, anchor: str, instead: str) -> Bug:
    return Bug(name, _COUNTS, (Edit(f"leftzmq/sync/{file}", anchor, instead),), frozenset(), _TESTS)


BUGS: Final[tuple[Bug, ...]] = (
    _bug(
        "a scan adopts what a reader alone has",
        "versions/local_changes.py",
        "    others = [row.entry for row in rows if row is not ours]\n",
        "    all_rows = index_view.all_rows(observed.path)\n"
        "    others = [row.entry for row in all_rows if row is not ours]\n",
    ),
    _bug(
        "a reader's delete takes what a scan found",
        "versions/local_changes.py",
        "    grave = _grave(rows, ours, observed)\n",
        "    grave = _grave(index_view.all_rows(observed.path), ours, observed)\n",
    ),
    _bug(
        "what a reader says that it has seen is joined",
        "versions/remote_changes.py",
        "        after[after.index(same)] = replace(same, holders=same.holders | mask)\n",
        "        vector = same.entry.vector.joined(entry.vector, keep=(entry.writer,))\n"
        "        seen = replace(same.entry, vector=vector)\n"
        "        grown = replace(same, entry=seen, holders=same.holders | mask)\n"
        "        after[after.index(same)] = grown\n",
    ),
    _bug(
        "what a reader said that a version has seen counts when the version does",
        "versions/index_view.py",
        "            replace(row, holders=row.holders | ranks.pop(row.entry.rank).holders)\n",
        "            replace(ranks[row.entry.rank], holders=row.holders"
        " | ranks.pop(row.entry.rank).holders, seq=row.seq, scan=row.scan)\n",
    ),
    _bug(
        "a reader's version is a ticket",
        "versions/resolver.py",
        "            rows = self._index_view.rows(path)\n            ours = ours_of(rows)\n",
        "            rows = self._index_view.all_rows(path)\n            ours = ours_of(rows)\n",
    ),
    _bug(
        "a reader's version has seen ours",
        "versions/resolver.py",
        "            known = [row.entry for row in rows]\n"
        "            verdict = reconcile(ours.entry if ours else None, theirs.entry, known)\n"
        "            if verdict in _IN_THE_INDEX",
        "            known = [row.entry for row in self._index_view.all_rows(path)]\n"
        "            verdict = reconcile(ours.entry if ours else None, theirs.entry, known)\n"
        "            if verdict in _IN_THE_INDEX",
    ),
    _bug(
        "a reader's deletes come before those of others",
        "versions/absent_deletes.py",
        "        readers = self._index_view.readers\n",
        "        readers = 0\n",
    ),
    _bug(
        "a reader's deletes are losses",
        "guard/remote_deletes.py",
        "view.reach, view.accepted, view.readers))",
        "view.reach, view.accepted))",
    ),
    _bug(
        "a reader lets changes pass the guard",
        "exchange/index_client.py",
        "        if device not in self._index_view.readers_known:\n",
        "        if True:\n",
    ),
    _bug(
        "who may only read is learnt after the start",
        "node.py",
        "        out: Outputs = [*folder.on_modes_changed(modes, now)]\n",
        "        out: Outputs = []\n",
    ),
    _bug(
        "who may write now is not asked anew",
        "exchange/index_client.py",
        "            self._index_view.give_up(device)\n            waits =",
        "            waits =",
    ),
)
