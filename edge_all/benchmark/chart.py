"""The plot: bars as SVG text, for which no drawing library is needed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from edge_all.benchmark.report import BARE, BenchmarkReport
from edge_all.outputs.atomic import write_atomically
from edge_all.results import INTENDED_USE

__all__ = ["benchmark_svg", "write_chart"]

WIDTH, LEFT, RIGHT = 960, 230, 90
BAR, GAP = 22, 10
COLOURS = ("#0072b2", "#56b4e9", "#009e73", "#f0e442", "#d55e00", "#cc79a7", "#999999", "#333333")
"""Okabe and Ito's, which the colour-blind tell apart too."""
Bar = tuple[str, tuple[tuple[str, float], ...]]
"""What stands left of a bar, and its pieces: name and milliseconds."""


def write_chart(path: Path, report: BenchmarkReport) -> None:
    """Write `benchmark_svg` to a file.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(path, benchmark_svg(report).encode("utf-8"))


def benchmark_svg(report: BenchmarkReport) -> str:
    """For each configuration the whole runs, and the stages of a field one after the other.

    Args:
        report: the run.
    """
    hardware = report.machine["hardware"]
    images = report.images
    lines = [
        f"{hardware['processor']}, {hardware['cores_usable']} cores",
        f"{images['fields']} {images['kind']} fields, {images['cells']} cells; medians of {report.rounds} rounds",
    ]
    parts: list[str] = []
    top = 28.0
    for size, line in zip((17, 13), lines, strict=True):
        parts.append(_text(20, top, line, size=size))
        top += 24
    for one in report.configurations:
        fields = images["fields"]
        whole = tuple((name, ((name, samples.median / fields),)) for name, samples in one.runs.items())
        top = _panel(parts, top + 22, f"{one.name}: ms a field", whole)
        stages = tuple((name, samples.total / fields) for name, samples in one.stages.items())
        top = _panel(parts, top + 22, f"{one.name}: stages by themselves, ms a field", (("one by one", stages),))
    parts.append(_text(20, top + 26, INTENDED_USE, size=12))
    height = top + 44
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" font-family="sans-serif" role="img"><title>edge-all benchmark</title>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _panel(parts: list[str], top: float, title: str, bars: Sequence[Bar]) -> float:
    """Draw bars on a common scale below a title; where the next panel may begin."""
    parts.append(_text(20, top + 14, title, size=14, weight="bold"))
    top += 26
    longest = max(sum(value for _, value in pieces) for _, pieces in bars)
    scale = (WIDTH - LEFT - RIGHT) / max(longest, 1e-9)
    for row, (label, pieces) in enumerate(bars):
        parts.append(_text(20, top + 16, label))
        left = float(LEFT)
        for number, (name, value) in enumerate(pieces):
            colour = COLOURS[(number if len(pieces) > 1 else (4 if label == BARE else row)) % len(COLOURS)]
            words = escape(f"{name}: {value:.1f} ms", quote=True)
            parts.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{value * scale:.1f}" height="{BAR}" fill="{colour}">'
                f"<title>{words}</title></rect>"
            )
            left += value * scale
        parts.append(_text(left + 6, top + 16, f"{sum(value for _, value in pieces):.1f}"))
        top += BAR + GAP
        if len(pieces) > 1:
            top = _legend(parts, top, pieces)
    return top


def _legend(parts: list[str], top: float, pieces: Sequence[tuple[str, float]]) -> float:
    left = float(LEFT)
    for number, (name, value) in enumerate(pieces):
        words = f"{name} {value:.1f}"
        width = 26 + 7.2 * len(words)
        if left + width > WIDTH - 10:
            left, top = float(LEFT), top + 20
        parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="12" height="12" fill="{COLOURS[number % len(COLOURS)]}"/>'
        )
        parts.append(_text(left + 17, top + 11, words, size=12))
        left += width
    return top + 24


def _text(x: float, y: float, words: str, *, size: int = 13, weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}">{escape(words)}</text>'
