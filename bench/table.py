"""A record as Markdown: one table of all figures, what was missing, and what was found.

Knows how a person reads it. Must not know how anything is measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Final

from findings import bends
from record import Record
from rows.row import BOUND, OURS, PLAIN, PROGRAMS, SYNCTHING, Figure, Row, Scale, Wanted

NOT_ASKED: Final = ""
HASHING: Final = "hashing_MB_s"
_MORE: Final = {True: "at least", False: "at most"}


def table(record: Record, rows: Sequence[Row]) -> str:
    """Return the whole text. rows: those that were to be measured."""
    parts = [
        _machine(record),
        _figures(record, rows),
        _LEGEND,
        _listed("Syncthing beside its own hashing benchmark", _hashing(record, rows)),
        _listed("Missing", _missing(record)),
        _listed(
            "Grows faster than it may", [str(b) for row in _grown(rows) for b in bends(record, row)]
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def wanted_text(figure: Figure, scale: Scale) -> str:
    """Return what is wanted of a figure at this scale, such as "at most 8 ms"."""
    said = [
        f"{_MORE[figure.is_more_better]} {wanted.limit:,g}"
        + (f" x {wanted.of}" if wanted.of else f" {figure.unit}".rstrip())
        for wanted in _asked(figure, scale)
    ]
    return ", ".join([*said, figure.note] if figure.note else said)


def verdicts(record: Record, row: Row, scale: Scale, figure: Figure) -> str:
    """Return "met", or by how much what is wanted is not met; of each that is wanted."""
    ours = record.median(row, scale, OURS, figure.key)
    asked = _asked(figure, scale)
    if ours is None or not asked:
        return NOT_ASKED
    return ", ".join(_verdict(record, row, scale, figure, wanted, ours) for wanted in asked)


def number(value: float) -> str:
    """Return a number as it is read: three digits that count."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _verdict(
    record: Record, row: Row, scale: Scale, figure: Figure, wanted: Wanted, ours: float
) -> str:
    limit, beside = wanted.limit, ""
    if wanted.of:
        theirs = record.median(row, scale, wanted.of, figure.key)
        if theirs is None:
            return f"{wanted.of} was not measured"
        limit, beside = wanted.limit * theirs, f" ({number(ours / theirs)} x {wanted.of})"
    is_met = ours >= limit if figure.is_more_better else ours <= limit
    if is_met:
        return f"met{beside}"
    if limit == 0:
        return f"not met{beside}"
    return f"not met: {number(ours / limit)} times what is wanted{beside}"


def _asked(figure: Figure, scale: Scale) -> list[Wanted]:
    return [wanted for wanted in figure.wanted if wanted.at in (None, scale)]


def _machine(record: Record) -> str:
    return "\n".join(f"- {subject}: {text}" for subject, text in record.machine.items())


def _scales(record: Record, row: Row) -> list[Scale]:
    """Return the scales of a row that were measured or are missing, in the order of the row."""
    seen = {each.scale for each in record.begun() if each.row == row.name}
    return [scale for scale in (*row.quick, *row.full) if scale in seen]


def _figures(record: Record, rows: Sequence[Row]) -> str:
    programs = _programs(record)
    lines = [
        f"| what | figure | wanted | {' | '.join(programs)} | verdict |",
        "|---" * (len(programs) + 4) + "|",
    ]
    for row in rows:
        for scale in _scales(record, row):
            what = f"{row.what}; {scale}"
            for figure in row.figures:
                cells = [_cell(record, row, scale, figure, program) for program in programs]
                wanted, verdict = (
                    wanted_text(figure, scale),
                    verdicts(record, row, scale, figure),
                )
                unit = f", {figure.unit}" if figure.unit else ""
                cells = [what, figure.what + unit, wanted, *cells, verdict]
                lines.append(f"| {' | '.join(cells)} |")
                what = ""
    return "\n".join(lines)


def _programs(record: Record) -> list[str]:
    seen = {each.program for each in record.begun()}
    return [program for program in PROGRAMS if program in seen]


def _cell(record: Record, row: Row, scale: Scale, figure: Figure, program: str) -> str:
    if program not in row.programs:
        return ""
    median = record.median(row, scale, program, figure.key)
    if median is None:
        return "missing" if record.why_missing(row, scale, program) else ""
    ratio = record.ratio(row, scale, figure, OURS, program) if program != OURS else None
    return number(median) + (f" ({number(ratio)})" if ratio is not None else "")


_LEGEND: Final = (
    "Medians of all rounds. In brackets: how many times as good leftzmq is; below 1 it is worse. "
    f"`{PLAIN}`: one thread of Python that makes the same files, with nothing hashed, sent or "
    f"flushed. `{BOUND}`: the same bytes through the same primitives (read, hash, seal, CURVE, "
    "open, hash, write) on all cores, with none of our code. An empty cell: the program does no "
    "such thing."
)


def _hashing(record: Record, rows: Sequence[Row]) -> Iterator[str]:
    own = [run.figures[HASHING] for run in record.runs if HASHING in run.figures]
    if not own:
        return
    hashing = statistics.median(own)
    yield (
        f"{record.machine.get(SYNCTHING, SYNCTHING)}: its benchmark says {number(hashing)} MB/s "
        f"at its start (median of {len(own)})"
    )
    for row in rows:
        for scale in _scales(record, row):
            for figure in row.figures:
                median = record.median(row, scale, SYNCTHING, figure.key)
                if figure.key == "MB_s" and median is not None:
                    yield (
                        f"{row.what} ({scale}): {number(median)} MB/s, "
                        f"{number(median / hashing)} of that"
                    )


def _missing(record: Record) -> Iterator[str]:
    reasons: dict[tuple[str, str], list[str]] = {}
    for each in record.missing:
        why = f"failed: {each.why}" if each.has_failed else each.why
        where = f"{each.row} ({each.scale}, round {each.round})"
        reasons.setdefault((each.program, " ".join(why.split())), []).append(where)
    for (program, why), places in reasons.items():
        yield f"{program}: {why}: {', '.join(places)}"


def _grown(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.kind == "growth"]


def _listed(title: str, lines: Iterator[str] | Sequence[str]) -> str:
    found = list(lines)
    return "\n".join([f"{title}:", "", *(f"- {line}" for line in found)]) if found else ""
