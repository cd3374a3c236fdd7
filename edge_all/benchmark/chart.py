"""The plot: bars as SVG text, for which no drawing library is needed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from html import escape
from pathlib import Path

from edge_all.benchmark.run_figures import BARE, WHOLE, BenchmarkReport
from edge_all.files.atomic import write_atomically
from edge_all.results import INTENDED_USE

__all__ = ["benchmark_svg", "write_chart"]

WIDTH, LEFT, RIGHT = 960, 200, 200
"""Of the picture, and what is left free beside the longest bar for words."""
BAR, GAP = 20, 6
RUN_COLOURS = {WHOLE: "#333333", BARE: "#888888"}
OTHER_RUNS = "#bbbbbb"
STAGE_COLOURS = ("#0072b2", "#56b4e9", "#009e73", "#f0e442", "#d55e00", "#cc79a7", "#e69f00", "#6a3d9a")
"""Okabe and Ito's, which the colour-blind tell apart too, and a violet. No colour of a run is one of a stage."""
DARK = frozenset({"#0072b2", "#009e73", "#d55e00", "#6a3d9a"})
"""Those on which white is read better than black."""
FIGURE_WIDTH = 34
"""In pixels: a piece of a bar that is narrower bears no figure."""


def write_chart(path: Path, report: BenchmarkReport) -> None:
    """Write `benchmark_svg` to a file.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(path, benchmark_svg(report).encode("utf-8"))


def benchmark_svg(report: BenchmarkReport) -> str:
    """The whole runs of all configurations on one scale, and the stages of a field of all of them on another.

    Args:
        report: the run.
    """
    hardware, images = report.machine["hardware"], report.images
    model = report.configurations[0].model
    whose = "your own" if images["kind"] == "own" else "rendered"
    heading = (
        f"edge-all benchmark of {model.name} {model.version}, {report.created[:10]}",
        f"{hardware['processor']}, {_counted(hardware['cores_usable'], 'core')}",
        f"{_counted(images['fields'], 'field')} ({whose}), {_counted(images['cells'], 'cell')}",
    )
    parts: list[str] = []
    top = 30.0
    for size, line in zip((17, 13, 13), heading, strict=True):
        parts.append(_text(20, top, line, size=size))
        top += 21
    rounds = "one round" if report.rounds == 1 else f"median of {report.rounds} rounds"
    top = _runs(parts, top + 14, f"Whole runs over all fields, ms a field ({rounds})", report)
    top = _stages(parts, top + 20, "Stages by themselves, one field at a time, ms a field (mean)", report)
    parts.append(_text(20, top + 24, INTENDED_USE, size=12))
    height = top + 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" font-family="sans-serif" role="img"><title>edge-all benchmark</title>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _runs(parts: list[str], top: float, title: str, report: BenchmarkReport) -> float:
    """Draw the whole runs, a bar each, named at its end; where the next panel may begin."""
    fields = report.images["fields"]
    longest = max(samples.median / fields for one in report.configurations for samples in one.runs.values())
    parts.append(_text(20, top + 14, title, size=14, weight="bold"))
    top += 26
    for one in report.configurations:
        parts.append(_text(20, top + 15, one.name))
        for name, samples in one.runs.items():
            milliseconds = samples.median / fields
            width = _width(milliseconds, longest)
            _bar(parts, LEFT, top, width, RUN_COLOURS.get(name, OTHER_RUNS), f"{name}: {milliseconds:.1f} ms")
            parts.append(_text(LEFT + width + 6, top + 15, f"{milliseconds:.1f} {name}"))
            top += BAR + GAP
        top += GAP
    return top


def _stages(parts: list[str], top: float, title: str, report: BenchmarkReport) -> float:
    """Draw the stages, a bar of pieces for each configuration; where the next panel may begin."""
    fields = report.images["fields"]
    names = dict.fromkeys(name for one in report.configurations for name in one.stages)
    colours = dict(zip(names, itertools.cycle(STAGE_COLOURS), strict=False))
    totals = [sum(samples.total for samples in one.stages.values()) / fields for one in report.configurations]
    parts.append(_text(20, top + 14, title, size=14, weight="bold"))
    top = _legend(parts, top + 26, colours)
    for one, total in zip(report.configurations, totals, strict=True):
        parts.append(_text(20, top + 15, one.name))
        left = float(LEFT)
        for name, samples in one.stages.items():
            milliseconds = samples.total / fields
            width = _width(milliseconds, max(totals))
            _bar(parts, left, top, width, colours[name], f"{name}: {milliseconds:.1f} ms")
            if width >= FIGURE_WIDTH:
                ink = "#ffffff" if colours[name] in DARK else "#000000"
                parts.append(_text(left + 4, top + 15, f"{milliseconds:.1f}", size=12, ink=ink))
            left += width
        parts.append(_text(left + 6, top + 15, f"{total:.1f}"))
        top += BAR + GAP
    return top


def _legend(parts: list[str], top: float, colours: Mapping[str, str]) -> float:
    left = 20.0
    for name, colour in colours.items():
        width = 34 + 6.6 * len(name)
        if left + width > WIDTH - 10:
            left, top = 20.0, top + 20
        _bar(parts, left, top, 12, colour, name, height=12)
        parts.append(_text(left + 17, top + 11, name, size=12))
        left += width
    return top + 24


def _width(value: float, longest: float) -> float:
    return (WIDTH - LEFT - RIGHT) * value / max(longest, 1e-9)


def _bar(
    parts: list[str], left: float, top: float, width: float, colour: str, words: str, *, height: float = BAR
) -> None:
    parts.append(
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.0f}" fill="{colour}">'
        f"<title>{escape(words)}</title></rect>"
    )


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" + "s" * (number != 1)


def _text(x: float, y: float, words: str, *, size: int = 13, weight: str = "normal", ink: str = "#000000") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{ink}">{escape(words)}</text>'
    )
