"""What is synced of a file beside its bytes: one value, compared and carried as a whole.

Knows which attributes there are. Must not know how a disk keeps them: some cannot.

Only attributes of a file count: a directory and a link have none of their own. A further one (more
of the mode, an owner's name) is a field here, a field of the wire's entry and a column of the
index. They belong to the version of the path; that they get a version of their own, beside that of
the bytes, would change `attributes` of an entry alone.
"""

from __future__ import annotations

from typing import NamedTuple


class Attributes(NamedTuple):
    """mtime_ns: ns since the epoch. exec: whether its owner may run it"""

    mtime_ns: int
    exec: bool
