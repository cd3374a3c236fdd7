"""A drawing of a fraction and its interval, for the report."""

from __future__ import annotations

from edge_all.outputs.report.markup import text
from edge_all.slides.verdict import DEFINING_BLAST_SHARE
from edge_all.wording.language import Language

__all__ = ["interval_bar"]

WIDTH, HEIGHT = 720, 66
LEFT, RIGHT = 22, 698
AXIS, BAND = 40, 14
"""Height of the axis, and half the height of the band, in the drawing's own units."""


def interval_bar(fraction: float, interval: tuple[float, float], say: Language) -> str:
    """The fraction and its interval on an axis from 0 to 100 %, as an inline SVG.

    Args:
        fraction: 0 to 1.
        interval: its bounds, 0 to 1.
        say: the reader's language.

    Returns:
        An ``svg`` element without text from outside.
    """
    low, high = interval
    ticks = "".join(
        f'<line class="tick" x1="{_x(share):.1f}" x2="{_x(share):.1f}" y1="{AXIS}" y2="{AXIS + 5}"/>'
        f'<text x="{_x(share):.1f}" y="{AXIS + 20}">{say.percent(share, 0)}</text>'
        for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    )
    words = say(
        "ALL fraction {fraction}, interval {interval}, on an axis from 0 to 100 %",
        fraction=say.percent(fraction),
        interval=say.percent_range(low, high),
    )
    customary = _x(DEFINING_BLAST_SHARE)
    return (
        f'<svg class="interval" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{text(words)}">'
        f'<line class="customary" x1="{customary:.1f}" x2="{customary:.1f}" y1="2" y2="{AXIS}"/>'
        f'<line class="axis" x1="{LEFT}" x2="{RIGHT}" y1="{AXIS}" y2="{AXIS}"/>{ticks}'
        f'<rect class="band" x="{_x(low):.1f}" y="{AXIS - BAND - 8}" '
        f'width="{max(_x(high) - _x(low), 1.5):.1f}" height="{BAND}"/>'
        f'<line class="point" x1="{_x(fraction):.1f}" x2="{_x(fraction):.1f}" y1="{AXIS - BAND - 13}" y2="{AXIS - 3}"/>'
        "</svg>"
    )


def _x(share: float) -> float:
    """Where a share lies on the axis."""
    return LEFT + share * (RIGHT - LEFT)
