"""Which of two versions of a path wins, and what happens to the other one.

Pure: it uses no order of arrival, no clock and no device, so every device gets the same answer. The
higher rank wins, everywhere, always; the vector only says whether the lower one was SEEN
(docs/design.md, "Versions", model-checked; do not change a line without the simulation).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from leftzmq.tree.entry import Entry, Kind


class Verdict(Enum):
    """What a device that has `ours` does about `theirs`."""

    KEEP = "ours stands; whoever holds the other one acts"
    JOIN = "same kind and content: one version, vectors joined"
    TAKE = "theirs replaces ours; our bytes go to the trash"
    TAKE_AND_COPY = "theirs replaces ours; our bytes become a conflict copy"
    PUBLISH_AGAIN = "ours must stay: it becomes a new version above theirs"


def reconcile(
    ours: Entry | None, theirs: Entry, known: Iterable[Entry] = (), *, in_use: bool = False
) -> Verdict:
    """Decides about one path.

    known:  all versions of the path that we know of. A version that one of them succeeds is neither
            published again nor copied.
    in_use: `ours` is a directory below which something lives that must stay (a child that the maker
            of `theirs` had not seen, something ignored or not yet scanned).
    """
    if ours is None:
        return Verdict.TAKE
    if ours.same_content(theirs):
        return Verdict.JOIN
    if theirs.rank < ours.rank:
        return Verdict.KEEP
    if ours.deleted:
        return Verdict.TAKE
    if ours.kind is Kind.DIRECTORY and in_use:  # case (c), seen or not
        return Verdict.PUBLISH_AGAIN
    if any(succeeds(version, ours) for version in (theirs, *known)):
        return Verdict.TAKE
    if theirs.deleted:
        # Somebody who had the same bytes deleted them: a touch does not save a file.
        deleted_this = theirs.kind == ours.kind and theirs.content == ours.content
        return Verdict.TAKE if deleted_this else Verdict.PUBLISH_AGAIN  # case (a)
    if ours.kind is Kind.DIRECTORY:
        return Verdict.PUBLISH_AGAIN  # case (b): the directory stays, the file becomes the copy
    return Verdict.TAKE_AND_COPY


def succeeds(later: Entry, earlier: Entry) -> bool:
    """Whether the maker of `later` had seen `earlier`. False if `later` is `earlier` itself, or has
    the same writer and counter."""
    if later.vector == earlier.vector:
        return False  # equal vectors with other bytes count as concurrent
    if (later.writer, later.counter) == (earlier.writer, earlier.counter):
        return False
    return earlier.seen_by(later)
