"""The report of a comparison: JSON for machines, a page for people, plots for papers."""

from __future__ import annotations

from pathlib import Path

from edge_all_export.evaluation.comparison import Comparison, Contestant, PairedFigure, PairedLevel, PairedOrdering
from edge_all_export.evaluation.document import (
    NUMBERS,
    claim_folder,
    escaped,
    figure_words,
    interval_words,
    page,
    plot_grid,
    span_bar,
    table,
    write_output,
)
from edge_all_export.evaluation.metrics import METRICS
from edge_all_export.evaluation.plots import comparison_plots

__all__ = ["claim_comparison_folder", "difference_words", "verdict_words", "write_comparison"]

CHANGED_SHOWN = 100
"""Rows of the table of changed decisions; the JSON file has all."""


def claim_comparison_folder(folder: Path) -> None:
    """Make the folder for `write_comparison`, or refuse it before the work.

    Raises:
        OutputError: it cannot be made, or holds a report already.
    """
    claim_folder(folder, ("comparison.json", "report.html", "plots"))


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write ``comparison.json``, ``report.html`` and ``plots/*.png``.

    Raises:
        OutputError: a file cannot be written.
    """
    first, second = comparison.first, comparison.second
    plots = comparison_plots(
        first.predictions, second.predictions, (first.name, second.name), (first.cutoff, second.cutoff)
    )
    title = f"{second.name} against {first.name}"
    notes = "".join(f"<li>{escaped(note)}</li>" for note in comparison.notes)
    body = [
        f"<h1>{escaped(title)}</h1>",
        f'<ul class="warnings" aria-label="Read this first">{notes}</ul>' if notes else "",
        _level("Cells", comparison.cells, first, second),
        plot_grid(plots),
        "" if comparison.slides is None else _level("Slides", comparison.slides, first, second),
        _changed(comparison),
        _method(first, second),
    ]
    write_output(folder, "comparison", comparison.to_json(), page(title, "\n".join(body)), plots)


def difference_words(name: str, paired: PairedFigure) -> str:
    """The difference with its sign and interval; shares in percentage points."""
    difference = paired.difference
    if difference.value is None:
        return "undefined"
    unit = "" if name in NUMBERS else " points"
    if difference.low is None or difference.high is None:
        return f"{_signed(name, difference.value)}{unit}"
    span = f"{_signed(name, difference.low)} to {_signed(name, difference.high)}"
    return f"{_signed(name, difference.value)} ({span}){unit}"


def verdict_words(name: str, paired: PairedFigure) -> str:
    """What the difference shows: better or worse only where its interval excludes zero."""
    if not paired.resolved or paired.difference.value is None:
        return "unresolved"
    return "better" if (paired.difference.value > 0) == METRICS[name].higher_is_better else "worse"


def _signed(name: str, value: float) -> str:
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return f"{round(value, 4) + 0.0:+.4f}" if name in NUMBERS else f"{round(100 * value, 1) + 0.0:+.1f}"


def _level(title: str, level: PairedOrdering, first: Contestant, second: Contestant) -> str:
    rows = []
    for name, paired in level.figures.items():
        verdict = verdict_words(name, paired)
        bounds = [abs(end) for end in (paired.difference.low, paired.difference.high) if end is not None]
        reach = next((width for width in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if max(bounds, default=1) <= width), 1.0)
        bar = span_bar(paired.difference, -reach, reach, zero=True)
        rows.append(
            f'<tr><th scope="row">{METRICS[name].title}</th>'
            + "".join(
                f"<td>{figure_words(name, side.value)}<br><small>{escaped(interval_words(name, side))}</small></td>"
                for side in (paired.first, paired.second)
            )
            + f"<td>{difference_words(name, paired)}</td>"
            f'<td class="axis">{bar}</td>'
            f'<td class="{verdict}">{verdict}</td></tr>'
        )
    unit, decisions = title.lower(), ""
    if isinstance(level, PairedLevel):
        right = level.decisions
        decisions = (
            f" {level.flips} get another decision. Right: both {right['both right']}, only the first "
            f"{right['first only']}, only the second {right['second only']}, neither {right['both wrong']}."
        )
    return (
        f"<section><h2>{title}</h2><p>{level.samples} {unit} judged by both, {level.positives} of them ALL, in "
        f"{level.groups} groups.{decisions}</p>"
        + table(("Figure", first.name, second.name, "Difference (95 % interval)", "", "The second is"), "".join(rows))
        + "</section>"
    )


def _changed(comparison: Comparison) -> str:
    if not comparison.changed:
        return "<section><h2>Changed decisions: none</h2></section>"
    rows = "".join(
        f'<tr><th scope="row">{escaped(row["sample"])}</th><td>{escaped(row["group"])}</td>'
        f'<td>{("non-ALL", "ALL")[row["label"]]}</td><td class="number">{row["first"]:.3f}</td>'
        f'<td class="number">{row["second"]:.3f}</td></tr>'
        for row in comparison.changed[:CHANGED_SHOWN]
    )
    numbers = (comparison.first.name, comparison.second.name)
    shown = f", the first {CHANGED_SHOWN} shown" if len(comparison.changed) > CHANGED_SHOWN else ""
    return (
        f"<section><h2>Changed decisions: {len(comparison.changed)}{shown}</h2>"
        '<div class="scroll" tabindex="0">'
        f"{table(('Cell', 'Group', 'Truth', *numbers), rows, numbers=numbers)}</div></section>"
    )


def _method(first: Contestant, second: Contestant) -> str:
    return (
        f'<section><h2>How this was made</h2><dl class="record">{_record("First", first)}{_record("Second", second)}'
        f"<dt>Intervals</dt><dd>95 % percentile bootstrap of {first.resamples} draws of whole groups (seed "
        f"{first.seed}), the same draws on both sides, so that the chance they share cancels in the difference. "
        "A difference is unresolved where its interval holds zero: neither side is shown to be better.</dd>"
        "</dl></section>"
    )


def _record(side: str, contestant: Contestant) -> str:
    facts = "; ".join(f"{name}: {value}" for name, value in contestant.model.items())
    return f"<dt>{side}</dt><dd>{escaped(contestant.name)}. {escaped(facts)}</dd>"
