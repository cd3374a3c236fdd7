"""The verdicts of a run as a table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_all.results import INTENDED_USE, SlideResult

__all__ = ["print_slides"]


def print_slides(slides: Sequence[SlideResult]) -> None:
    """Print one row per slide, and the intended use under it."""
    columns = ("slide", "verdict", "ALL", "non-ALL", "indeterminate", "ALL share (95 % interval)", "why")
    table = Table(*columns, caption=INTENDED_USE)
    for slide in slides:
        share = "no cell judged"
        if slide.all_fraction is not None and slide.all_fraction_interval is not None:
            low, high = slide.all_fraction_interval
            share = f"{slide.all_fraction:.1%} ({low:.1%} to {high:.1%})"
        counts = (str(slide.cells[label]) for label in ("ALL", "non-ALL", "indeterminate"))
        table.add_row(Text(slide.slide), slide.verdict, *counts, share, Text(" ".join((slide.reason, *slide.warnings))))
    Console().print(table)
