"""The verdicts of a run as a table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from edge_all.cli.tables import readable_table
from edge_all.results import INTENDED_USE, SlideResult, percent, percent_range

__all__ = ["print_slides"]


def print_slides(slides: Sequence[SlideResult]) -> None:
    """Print one row per slide, the reasons in full below, and the intended use."""
    table = readable_table(
        "slide", "verdict", "ALL", "non-ALL", "indeter-\nminate", "ALL fraction\n95 % interval", fold=("slide",)
    )
    for slide in slides:
        fraction = "no cell judged"
        if slide.all_fraction is not None and slide.all_fraction_interval is not None:
            fraction = f"{percent(slide.all_fraction)}\n{percent_range(*slide.all_fraction_interval)}"
        counts = (str(slide.cells[label]) for label in ("ALL", "non-ALL", "indeterminate"))
        table.add_row(Text(slide.slide), slide.verdict, *counts, fraction)
    console = Console()
    console.print(table)
    for slide in slides:
        console.print(Text(f"{slide.slide}: {' '.join((slide.reason, *slide.warnings))}"))
    console.print(Text(INTENDED_USE, style="bold"))
