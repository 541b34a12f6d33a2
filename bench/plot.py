"""A record as pictures: for each kind of row bars of ratios, and the growth of each cost with the
number of files.

Knows matplotlib, which is imported here alone (the extra `bench`). Must not know how anything is
measured.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Final

from findings import bends, points
from record import Record
from rows.growth import GROWS_WITH_FILES, KIND
from rows.row import BOUND, OURS, PLAIN, PROGRAMS, RSYNC, SYNCTHING, UNISON, Figure, Row, Scale
from table import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: Final = {
    OURS: "#1b6ca8",
    SYNCTHING: "#c8553d",
    UNISON: "#7a9e3a",
    RSYNC: "#8c6bb1",
    PLAIN: "#8a8a8a",
    BOUND: "#d9a441",
}
WIDTH_INCHES: Final = 9.0
BAR_INCHES: Final = 0.24
GROUP_GAP_BARS: Final = 1.3
TITLE_LETTERS: Final = 44
FRAME_INCHES: Final = 1.6
WIDE: Final = 500.0
"""So far apart the ratios have powers of ten alone on their axis."""
PANEL_INCHES: Final = 3.4
COLUMNS: Final = 3
DOTS_AN_INCH: Final = 120


def missing() -> str:
    """Return why nothing can be drawn here, or ""."""
    if importlib.util.find_spec("matplotlib") is None:
        return "matplotlib is not installed (pip install -e '.[bench]'), so nothing is drawn"
    return ""


def draw(record: Record, rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw what there is to draw. Return the files."""
    drawn: list[Path] = []
    for kind in dict.fromkeys(row.kind for row in rows):
        of_kind = [row for row in rows if row.kind == kind]
        if groups := _groups(record, of_kind):
            drawn.append(_draw_ratios(groups, kind, folder / f"ratios-{kind}.png"))
    drawn += [
        _draw_growth(record, row, folder / f"{row.name}.png")
        for row in rows
        if row.kind == KIND and _lines(record, row)
    ]
    return drawn


@dataclass(frozen=True, slots=True)
class Group:
    """One figure, and how many times as good as each other program leftzmq is."""

    title: str
    ratios: list[tuple[str, float]]


def _groups(record: Record, rows: Sequence[Row]) -> list[Group]:
    return [
        Group(f"{fill(row.what, TITLE_LETTERS)}\n{scale}: {figure.what}", ratios)
        for row in rows
        for scale in dict.fromkeys(run.scale for run in record.runs if run.row == row.name)
        for figure in row.figures
        if (ratios := _ratios(record, row, scale, figure))
    ]


def _ratios(record: Record, row: Row, scale: Scale, figure: Figure) -> list[tuple[str, float]]:
    others = [program for program in PROGRAMS if program in row.programs and program != OURS]
    found = [(other, record.ratio(row, scale, figure, OURS, other)) for other in others]
    return [(other, ratio) for other, ratio in found if ratio is not None]


def _draw_ratios(groups: Sequence[Group], kind: str, file: Path) -> Path:
    from matplotlib.figure import Figure as Picture

    bars = sum(len(group.ratios) for group in groups) + GROUP_GAP_BARS * len(groups)
    picture = Picture(
        figsize=(WIDTH_INCHES, FRAME_INCHES + BAR_INCHES * bars), layout="constrained"
    )
    axes = picture.subplots()
    place, ticks, seen = 0.0, [], set()
    for group in groups:
        first = place
        for program, ratio in group.ratios:
            label = program if program not in seen else "_"
            seen.add(program)
            # The bar begins at 1, where both are equal.
            axes.barh(place, ratio - 1, left=1, height=0.8, color=COLOURS[program], label=label)
            is_better = ratio >= 1
            axes.annotate(
                number(ratio),
                (ratio, place),
                xytext=(4 if is_better else -4, 0),
                textcoords="offset points",
                ha="left" if is_better else "right",
                va="center",
                fontsize=8,
            )
            place += 1
        ticks.append((first + place - 1) / 2)
        place += GROUP_GAP_BARS
    axes.set_xscale("log")
    _set_range(axes, [ratio for group in groups for _, ratio in group.ratios])
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(ticks, [group.title for group in groups], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("times as good as the other program (left of 1: leftzmq is worse)")
    axes.set_title(f"{kind}: leftzmq beside the others, ratios of medians")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    picture.legend(loc="outside lower center", ncols=len(seen), title="compared with")
    picture.savefig(file, dpi=DOTS_AN_INCH)
    return file


def _set_range(axes: Axes, ratios: Sequence[float]) -> None:
    """Leave room for the numbers beside the bars, and show at least a half to twice."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xlim(min(0.5, *ratios) / 3, max(2.0, *ratios) * 3)
    is_wide = max(ratios) / min(ratios) > WIDE
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0,) if is_wide else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw_growth(record: Record, row: Row, file: Path) -> Path:
    from matplotlib.figure import Figure as Picture

    lines = _lines(record, row)
    height = -(-len(lines) // COLUMNS)
    size = (COLUMNS * PANEL_INCHES, height * PANEL_INCHES)
    picture = Picture(figsize=size, layout="constrained")
    panels = picture.subplots(height, COLUMNS, squeeze=False).flat
    bent = {(bend.program, bend.figure.key): bend for bend in bends(record, row)}
    for (figure, found), axes in zip(lines, panels, strict=False):
        for program, points_found in found.items():
            mark = " (bends upwards)" if (program, figure.key) in bent else ""
            axes.loglog(
                *zip(*points_found, strict=True),
                marker="o",
                color=COLOURS[program],
                label=f"{program}{mark}",
            )
        _draw_wanted(axes, row, figure)
        if figure.key in GROWS_WITH_FILES and len(found.get(OURS, [])) > 1:
            _draw_proportion(axes, found[OURS])
        _set_numbers(axes)
        axes.set_title(f"{figure.what}, {figure.unit}", fontsize=10)
        axes.set_xlabel("files", fontsize=9)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    for axes in list(panels):  # those that no figure needs
        axes.set_visible(False)
    picture.suptitle("Growth of each cost with the number of files, medians")
    picture.savefig(file, dpi=DOTS_AN_INCH)
    return file


def _lines(record: Record, row: Row) -> list[tuple[Figure, dict[str, list[tuple[int, float]]]]]:
    """Return each figure that was measured, and the points of each program that has some."""
    lines = [
        (
            figure,
            {
                program: found
                for program in row.programs
                if (found := points(record, row, figure, program))
            },
        )
        for figure in row.figures
    ]
    return [(figure, found) for figure, found in lines if found]


def _draw_proportion(axes: Axes, found: Sequence[tuple[int, float]]) -> None:
    """A line that grows as the number of files does, through the last point. It makes the picture
    no larger."""
    (first, _), (last, value) = found[0], found[-1]
    seen = axes.get_ylim()
    axes.loglog(
        [first, last],
        [value * first / last, value],
        linestyle=":",
        color="grey",
        label="in proportion to the files",
    )
    axes.set_ylim(seen)


def _set_numbers(axes: Axes) -> None:
    """Write numbers as they are read, and few of them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    least, most = axes.get_ylim()
    subs = (1.0,) if most / least > 100 else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=subs))
    axes.xaxis.set_major_locator(LogLocator(base=10))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=8)


def short(count: float) -> str:
    """Return a number of files as an axis has room for it, such as 10k or 1M."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= unit:
            return f"{count / unit:g}{letter}"
    return f"{count:g}"


def _draw_wanted(axes: Axes, row: Row, figure: Figure) -> None:
    for wanted in figure.wanted:
        if wanted.at in row.full and not wanted.of and wanted.at is not None:
            label = f"wanted: {wanted.limit:g}"
            axes.plot([wanted.at.files], [wanted.limit], "v", color="black", label=label)
