"""The verdicts of a run as a table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from edge_all.cli.tables import ReadableTable, output_console
from edge_all.results import INTENDED_USE, SlideResult
from edge_all.slides.verdict import suspicious_first
from edge_all.wording.percentages import percent, percent_range

__all__ = ["print_slides"]


def print_slides(slides: Sequence[SlideResult]) -> None:
    """Print one row per slide, suspicious ones first, the reasons in full below, and the intended use."""
    slides = suspicious_first(slides)
    some_stopped = any(slide.stopped_early for slide in slides)
    headings = ("slide", "verdict", "ALL", "non-\nALL", "indeterminate", "ALL fraction\n95 % interval")
    table = ReadableTable(*headings, *(("images\nlooked\nat",) if some_stopped else ()), fold=("slide",))
    for slide in slides:
        fraction = "no cell judged"
        if slide.all_fraction is not None and slide.all_fraction_interval is not None:
            fraction = f"{percent(slide.all_fraction)}\n{percent_range(*slide.all_fraction_interval)}"
        counts = (str(slide.cells[label]) for label in ("ALL", "non-ALL", "indeterminate"))
        looked_at = sum(slide.fields.values())
        images = (f"{looked_at} of {looked_at + slide.images_not_looked_at}",) if some_stopped else ()
        table.add_row(slide.slide, slide.verdict, *counts, fraction, *images)
    table.print()
    console = output_console()
    for slide in slides:
        console.print(Text(f"{slide.slide}: {' '.join((slide.reason, *slide.warnings))}"))
    console.print(Text(INTENDED_USE, style="bold"))
