"""An edit of 4 KiB until it is at the peer: with nothing else to do, and while a large file is on
its way."""

from __future__ import annotations

from typing import Final

from edit_latency import figures, measured
from edit_while_bulk import edited
from ground import Needs
from programs.named import indexing, pair

from rows.row import OURS, SYNCTHING, UNISON, Figure, Figures, Row, Scale, Setting, Wanted

KIND: Final = "edit"
TRASH_COPIES: Final = 3
"""The large file is sent again and again: the one before lies in the trash of B."""


def quiet(setting: Setting) -> Figures:
    with pair(setting.program, setting.ground) as shares:
        return figures(measured(shares, setting.scale.edits))


def under_load(setting: Setting) -> Figures:
    with indexing(setting.program, setting.ground) as shares:
        found = edited(shares, setting.scale.size, setting.scale.edits)
        return figures(found.ms) | {"bulk_MB_s": found.MB_s}


def _times(
    median_ms: float | None, p90_ms: float | None, p99_ms: float | None
) -> tuple[Figure, ...]:
    asked = (("median", median_ms), ("p90", p90_ms), ("p99", p99_ms))
    return tuple(
        Figure(f"{name}_ms", name, "ms", () if limit is None else (Wanted(limit),))
        for name, limit in asked
    )


ROWS: Final = (
    Row(
        name="edit-quiet",
        kind=KIND,
        what="an edit of 4 KiB, until it is at the peer",
        figures=_times(8, 12, 30),
        programs=(OURS, SYNCTHING, UNISON),
        full=(Scale(edits=100),),
        quick=(Scale(edits=3),),
        needs=lambda scale: Needs(),
        measure=quiet,
    ),
    Row(
        name="edit-bulk",
        kind=KIND,
        what="an edit of 4 KiB, while a large file is on its way",
        figures=(
            *_times(40, None, 150),
            Figure("bulk_MB_s", "the large file", "MB/s", is_more_better=True),
        ),
        programs=(OURS, SYNCTHING),
        full=(Scale(size=1 << 30, edits=60),),
        quick=(Scale(size=128 << 20, edits=1),),
        needs=lambda scale: Needs(size=scale.size * (2 + scale.edits // 10 + TRASH_COPIES)),
        measure=under_load,
    ),
)
