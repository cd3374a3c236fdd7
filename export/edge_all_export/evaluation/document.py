"""The pieces that the pages of this package are put together from: frame, figures, pictures."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as Plot

from edge_all.errors import OutputError
from edge_all.files.atomic import output_error, write_atomically
from edge_all.results import INTENDED_USE
from edge_all.wording.percentages import percent, percent_range
from edge_all_export.evaluation.bootstrap import BOOTSTRAP, Figure
from edge_all_export.evaluation.plots import render

__all__ = [
    "NUMBERS",
    "claim_folder",
    "escaped",
    "figure_words",
    "interval_words",
    "number_of",
    "page",
    "plot_grid",
    "plot_picture",
    "span_bar",
    "table",
    "write_output",
]

NUMBERS = ("auc", "average_precision", "brier", "calibration_error")
"""Figures shown as numbers; the others are shares, shown in per cent."""
PLOT_TITLES = {
    "roc": "ROC curve",
    "precision_recall": "Precision-recall curve",
    "reliability": "Reliability diagram",
    "confusion": "Confusion matrix",
    "probabilities": "Histogram of the probabilities by class",
    "pairs": "Probabilities of both models, cell by cell",
    "learning_curves": "Learning curves",
}


def claim_folder(folder: Path, names: tuple[str, ...]) -> None:
    """Make sure, before any long work, that results can be written and nothing is written over.

    Raises:
        OutputError: the folder cannot be made, or holds one of the ``names``.
    """
    taken = next((name for name in names if (folder / name).exists()), None)
    if taken is not None:
        raise OutputError(f"{folder} already holds {taken}.", "Choose another output folder with -o.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error


def write_output(folder: Path, stem: str, record: dict[str, Any], text: str, plots: Mapping[str, Plot]) -> None:
    """Write ``<stem>.json``, ``report.html`` and ``plots/*.png``.

    Raises:
        OutputError: a file cannot be written.
    """
    for name, plot in plots.items():
        write_atomically(folder / "plots" / f"{name}.png", render(plot, "png"))
    write_atomically(folder / f"{stem}.json", json.dumps(record, indent=1, allow_nan=False).encode())
    write_atomically(folder / "report.html", text.encode("utf-8", "backslashreplace"))


def page(title: str, body: str) -> str:
    """A whole HTML page that holds all it needs and forbids itself every connection and script."""
    style = files("edge_all_export.evaluation").joinpath("report.css").read_text("utf-8")
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    banner = f'<p class="banner" role="note">{escaped(INTENDED_USE)}</p>'
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(title)}</title><style>{style}</style></head>\n"
        f"<body>{banner}<main>{body}</main>{banner}</body></html>\n"
    )


def number_of(count: int, thing: str) -> str:
    """A number of things, in the singular where it is one."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def escaped(words: object) -> str:
    """Words from anywhere, safe between tags and in quoted attributes."""
    return html.escape(str(words), quote=True)


def figure_words(name: str, value: float | None) -> str:
    """A figure as it is shown: shares in per cent, the others as numbers; three digits that mean something."""
    if value is None:
        return "undefined"
    return f"{value:.4f}" if name in NUMBERS else percent(value)


def interval_words(name: str, figure: Figure) -> str:
    """The interval and, where it is not the usual one, how it was made or why there is none."""
    if figure.low is None or figure.high is None:
        return "" if figure.value is None else figure.interval
    words = f"{figure.low:.4f} to {figure.high:.4f}" if name in NUMBERS else percent_range(figure.low, figure.high)
    return words if figure.interval == BOOTSTRAP else f"{words} ({figure.interval})"


def table(columns: Sequence[str], rows: str, *, numbers: Collection[str] = ()) -> str:
    """A table around its rows; the columns in ``numbers`` are headed on the right."""
    head = "".join(
        f'<th scope="col"{" class=number" if name in numbers else ""}>{escaped(name)}</th>' for name in columns
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def span_bar(figure: Figure, low: float, high: float, *, zero: bool = False) -> str:
    """A figure and its interval, drawn on an axis from ``low`` to ``high`` with its ends; ``zero`` marks the middle."""
    if figure.value is None:
        return ""

    def place(value: float) -> float:
        return 2 + 186 * min(1.0, max(0.0, (value - low) / (high - low)))

    bar = '<rect class="track" x="0" y="5" width="190" height="6"/>'
    if figure.low is not None and figure.high is not None:
        start, end = place(figure.low), place(figure.high)
        bar += f'<rect class="reach" x="{start:.1f}" y="3" width="{max(1.5, end - start):.1f}" height="10"/>'
    if zero:
        bar += '<line class="zero" x1="95" x2="95" y1="0" y2="16"/>'
    bar += f'<rect class="value" x="{place(figure.value) - 1.5:.1f}" y="1" width="3" height="14"/>'
    ends = [f'<span class="end">{end:g}</span>' for end in (low, high)]
    return f'{ends[0]}<svg class="span" viewBox="0 0 190 16" aria-hidden="true">{bar}</svg>{ends[1]}'


def plot_picture(name: str, plot: Plot, css: str = "") -> str:
    """A plot as an ``img`` that holds its own drawing."""
    content = base64.b64encode(render(plot, "svg")).decode()
    kind = f' class="{css}"' if css else ""
    return f'<img{kind} alt="{escaped(PLOT_TITLES.get(name, name))}" src="data:image/svg+xml;base64,{content}">'


def plot_grid(plots: Mapping[str, Plot]) -> str:
    """Several plots side by side."""
    return f'<div class="plots">{"".join(plot_picture(name, plot) for name, plot in plots.items())}</div>'
