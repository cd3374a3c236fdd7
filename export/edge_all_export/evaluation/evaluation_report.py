"""The report of one evaluation: JSON for machines, a page for people, plots for papers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.results import RgbImage
from edge_all.wording.laboratories import laboratory_name
from edge_all.wording.percentages import percent, percent_range
from edge_all_calibration.figures.measures import CALIBRATION_METHOD
from edge_all_export.evaluation.assessment import (
    BAND_METRICS,
    BandAssessment,
    Evaluation,
    FalseAlarms,
    GroupRow,
    Level,
    Ordering,
)
from edge_all_export.evaluation.bootstrap import GROUPS, Figure
from edge_all_export.evaluation.document import (
    claim_folder,
    escaped,
    figure_words,
    interval_words,
    number_of,
    page,
    plot_grid,
    plot_picture,
    span_bar,
    table,
    write_output,
)
from edge_all_export.evaluation.metrics import METRICS
from edge_all_export.evaluation.plots import evaluation_plots, learning_curves
from edge_all_export.evaluation.predictions import Predictions, write_csv
from edge_all_export.evaluation.slides import SLIDE_SCORE
from edge_all_export.evaluation.training_log import TrainingLog

__all__ = ["GALLERY_LENGTH", "OUTPUT_NAMES", "claim_evaluation_folder", "worst_mistakes", "write_evaluation"]

OUTPUT_NAMES = ("evaluation.json", "predictions.csv", "report.html", "plots")
GALLERY_LENGTH = 24
"""Mistakes shown of each kind: two or three rows, as many as one looks at."""
TILE_SIDE = 248
"""Pixels of a gallery picture: twice what is shown, for dense screens."""

ImageOf = Callable[[str], "RgbImage | None"]
"""Sample name -> its ``uint8 [height, width, 3]`` RGB crop; None where there is none."""


def claim_evaluation_folder(folder: Path) -> None:
    """Make the folder for `write_evaluation`, or refuse it before the long work.

    Raises:
        OutputError: it cannot be made, or holds an evaluation already.
    """
    claim_folder(folder, OUTPUT_NAMES)


def write_evaluation(
    evaluation: Evaluation,
    folder: Path,
    *,
    image_of: ImageOf | None = None,
    log: TrainingLog | None = None,
) -> None:
    """Write ``evaluation.json``, ``predictions.csv``, ``report.html`` and ``plots/*.png``.

    Args:
        evaluation: what to report.
        folder: where to; see `claim_evaluation_folder`.
        image_of: finds the pictures of the gallery; without it mistakes are listed by name.
        log: of the training run, for the learning curves.

    Raises:
        OutputError: a file cannot be written.
    """
    plots = evaluation_plots(
        evaluation.predictions,
        cutoff=evaluation.cutoff,
        band=None if evaluation.band is None else evaluation.band.band,
        seed=evaluation.seed,
    )
    body = [
        _heading(evaluation),
        _warnings(evaluation.notes),
        _headline(evaluation.cells),
        _level("Cells", evaluation.cells),
        plot_grid(plots),
        "" if evaluation.band is None else _band(evaluation.band),
        _false_alarms(evaluation.all_normal),
        "" if evaluation.slides is None else _level("Slides", evaluation.slides, f"Score of a slide: {SLIDE_SCORE}."),
        _parts("By fold", "Fold", evaluation.folds),
        _parts("By source", "Source", {laboratory_name(name): part for name, part in evaluation.sources.items()}),
        _gallery(evaluation, image_of),
        _groups(evaluation.group_rows, evaluation.cutoff),
    ]
    if log is not None:
        plots["learning_curves"] = learning_curves(log)
        body.append(f"<h2>Learning curves</h2>{plot_picture('learning_curves', plots['learning_curves'], 'wide')}")
    body.append(_method(evaluation))
    write_csv(evaluation.predictions, folder / "predictions.csv")
    write_output(
        folder, "evaluation", evaluation.to_json(), page(f"Evaluation of {evaluation.name}", "\n".join(body)), plots
    )


def worst_mistakes(predictions: Predictions, cutoff: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of missed ALL cells, least probability first, and of false alarms, greatest probability first."""
    called, truth = predictions.probability >= cutoff, predictions.label == 1
    order = np.argsort(predictions.probability, kind="stable")
    return order[(truth & ~called)[order]], order[::-1][(called & ~truth)[order[::-1]]]


def _heading(evaluation: Evaluation) -> str:
    cells = evaluation.cells
    facts = [
        evaluation.created.replace("T", " "),
        f"{cells.samples} cells ({cells.positives} ALL, {cells.samples - cells.positives} non-ALL)",
        number_of(cells.groups, "group"),
    ]
    if evaluation.slides is not None:
        facts.append(f"{evaluation.slides.samples} slides")
    facts.append(f"sources: {', '.join(map(laboratory_name, sorted(set(evaluation.predictions.source))))}")
    return (
        f"<header><h1>Evaluation of {escaped(evaluation.name)}</h1>"
        f'<p class="facts">{"".join(f"<span>{escaped(fact)}</span>" for fact in facts)}</p></header>'
    )


def _warnings(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{escaped(note)}</li>" for note in notes)
    return f'<ul class="warnings" aria-label="Read this first">{items}</ul>' if items else ""


def _headline(cells: Level) -> str:
    tiles = []
    for name in ("sensitivity", "specificity", "accuracy", "auc", "calibration_error"):
        figure = cells.figures[name]
        tiles.append(
            f"<li><span>{METRICS[name].title}</span><b>{figure_words(name, figure.value)}</b>"
            f"<span>{escaped(interval_words(name, figure) or figure.interval)}</span>"
            f"<span>{number_of(figure.samples, 'cell')}, {number_of(figure.groups, 'group')}</span></li>"
        )
    return f'<ul class="headline" aria-label="Cell level">{"".join(tiles)}</ul>'


def _level(title: str, level: Ordering, note: str = "") -> str:
    unit = title.lower()
    rows = "".join(
        _figure_row(name, metric.title, metric.meaning, level.figures[name], higher=metric.higher_is_better)
        for name, metric in METRICS.items()
        if name in level.figures
    )
    report = (
        f"<h3>Classification report (scikit-learn)</h3><pre>{escaped(level.classification_report)}</pre>"
        if isinstance(level, Level)
        else ""
    )
    remark = f'<p class="soft">{escaped(note)}</p>' if note else ""
    return (
        f"<section><h2>{title}</h2><p>{level.samples} {unit}, {level.positives} of them ALL, in "
        f"{number_of(level.groups, 'group')}.</p>{remark}{_figure_table(unit, rows)}{report}</section>"
    )


def _figure_table(unit: str, rows: str) -> str:
    counted = (unit.capitalize(), "Groups")
    return table(("Figure", "Value", "95 % interval", "", *counted), rows, numbers=("Value", *counted))


def _figure_row(name: str, title: str, meaning: str, figure: Figure, *, higher: bool) -> str:
    # Good figures crowd at one end of 0 to 1, so the axis shows the half or quarter in which they lie.
    lowest = figure.value if figure.low is None else figure.low
    low, high = ((0.5, 1.0) if (lowest or 0) >= 0.5 else (0.0, 1.0)) if higher else (0.0, 0.25)
    why = interval_words(name, figure) or figure.interval
    return (
        f'<tr><th scope="row">{escaped(title)} <br><small>{escaped(meaning)}</small></th>'
        f'<td class="number">{figure_words(name, figure.value)}</td><td>{escaped(why)}</td>'
        f'<td class="axis">{span_bar(figure, low, high)}</td>'
        f'<td class="number">{figure.samples}</td><td class="number">{figure.groups}</td></tr>'
    )


def _band(assessment: BandAssessment) -> str:
    band = assessment.band
    rows = "".join(
        _figure_row(name, title, meaning, assessment.figures[name], higher=name not in ("missed", "false_alarms"))
        for name, (title, meaning) in BAND_METRICS.items()
    )
    return (
        f"<section><h2>With the indeterminate band</h2><p>Under {band.non_all_below:g} a cell is called non-ALL, from "
        f"{band.all_from:g} on ALL. Between, or out of distribution, it is left to a person.</p>"
        f"{_figure_table('cells', rows)}"
        f'<div class="pair">{_crosstab("Cells", assessment.counts)}'
        f"{_crosstab('Slide verdicts', assessment.verdicts)}</div></section>"
    )


def _crosstab(title: str, counted: dict[str, dict[str, int]] | None) -> str:
    if counted is None:
        return ""
    columns = list(next(iter(counted.values())))
    rows = "".join(
        f'<tr><th scope="row">{escaped(truth)}</th>'
        + "".join(f'<td class="number">{counts[column]}</td>' for column in columns)
        + "</tr>"
        for truth, counts in counted.items()
    )
    return f"<div><h3>{escaped(title)}</h3>{table(('Truth', *columns), rows, numbers=columns)}</div>"


def _false_alarms(rows: Sequence[FalseAlarms]) -> str:
    if not rows:
        return ""
    lines = []
    for row in rows:
        decided = ""
        if row.with_band is not None and row.band_interval is not None:
            counts = ", ".join(f"{label} {count}" for label, count in row.with_band.items())
            decided = (
                f"{percent(row.with_band['ALL'] / row.samples)} <small>({percent_range(*row.band_interval)})<br>"
                f"{escaped(counts)}</small>"
            )
        lines.append(
            f'<tr><th scope="row">{escaped(laboratory_name(row.source))}</th><td class="number">{row.samples}</td>'
            f'<td class="number">{row.groups}</td><td class="number">{row.called_all}</td>'
            f"<td>{percent(row.called_all / row.samples)} <small>({percent_range(*row.interval)})</small></td>"
            f"<td>{decided}</td></tr>"
        )
    numbers = ("Cells", "Groups", "Called ALL")
    return (
        "<section><h2>Sources without ALL</h2><p>Every call of ALL is a false positive here. Intervals are Wilson's, "
        "cells taken as independent.</p>"
        + table(("Source", *numbers, "Share, decision forced", "Share, with the band"), "".join(lines), numbers=numbers)
        + "</section>"
    )


def _parts(title: str, unit: str, parts: dict[str, Level]) -> str:
    if not parts:
        return ""
    names = ("accuracy", "sensitivity", "specificity", "auc", "calibration_error")
    rows = "".join(
        f'<tr><th scope="row">{escaped(part)}</th><td class="number">{level.samples}</td>'
        f'<td class="number">{level.positives}</td><td class="number">{level.groups}</td>'
        + "".join(
            f"<td>{figure_words(name, level.figures[name].value)}<br>"
            f"<small>{escaped(interval_words(name, level.figures[name]))}</small></td>"
            for name in names
        )
        + "</tr>"
        for part, level in parts.items()
    )
    numbers = ("Cells", "ALL", "Groups")
    columns = (unit, *numbers, *(METRICS[name].title for name in names))
    return f"<section><h2>{title}</h2>{table(columns, rows, numbers=numbers)}</section>"


def _groups(rows: Sequence[GroupRow], cutoff: float) -> str:
    def share(value: float | None) -> str:
        return "" if value is None else percent(value)

    lines = "".join(
        f'<tr><th scope="row">{escaped(row.group)}</th><td>{escaped(", ".join(row.sources))}</td>'
        f'<td class="number">{row.samples}</td><td class="number">{row.positives}</td>'
        f'<td class="number">{row.mistakes}</td><td>{percent(1 - row.mistakes / row.samples)} '
        f"<small>({percent_range(*row.accuracy_interval)})</small></td>"
        f'<td class="number">{share(row.sensitivity)}</td><td class="number">{share(row.specificity)}</td></tr>'
        for row in rows
    )
    flawless = sum(row.mistakes == 0 for row in rows)
    counted, shares = ("Cells", "ALL", "Mistakes"), ("Sensitivity", "Specificity")
    columns = ("Group", "Source", *counted, "Accuracy", *shares)
    return (
        f"<section><h2>By group</h2><p>Most mistakes first, decisions at {cutoff:g}; {flawless} of {len(rows)} groups "
        "are without a mistake. Intervals are Wilson's.</p>"
        f'<div class="scroll" tabindex="0">{table(columns, lines, numbers=(*counted, *shares))}</div></section>'
    )


def _gallery(evaluation: Evaluation, image_of: ImageOf | None) -> str:
    missed, alarms = worst_mistakes(evaluation.predictions, evaluation.cutoff)
    return (
        "<section><h2>Worst mistakes</h2><p>By the probability of ALL"
        + (", without pictures: a table of predictions has none.</p>" if image_of is None else ".</p>")
        + _tiles("ALL called non-ALL", "missed", missed, evaluation.predictions, image_of)
        + _tiles("Non-ALL called ALL", "alarm", alarms, evaluation.predictions, image_of)
        + "</section>"
    )


def _tiles(title: str, css: str, rows: NDArray[np.intp], predictions: Predictions, image_of: ImageOf | None) -> str:
    if not len(rows):
        return f"<h3>{title}: none</h3>"
    items = []
    for row in rows[:GALLERY_LENGTH]:
        sample = predictions.sample[row]
        pixels = None if image_of is None else image_of(sample)
        picture = "" if pixels is None else f'<img alt="" src="data:image/jpeg;base64,{_jpeg(pixels)}">'
        items.append(
            f'<li class="{css}">{picture}<b>{predictions.probability[row]:.4f}</b><span>{escaped(sample)}</span></li>'
        )
    shown = f", the worst {GALLERY_LENGTH} shown" if len(rows) > GALLERY_LENGTH else ""
    return f'<h3>{title}: {len(rows)}{shown}</h3><ul class="tiles">{"".join(items)}</ul>'


def _jpeg(pixels: RgbImage) -> str:
    side = max(pixels.shape[:2])
    if side > TILE_SIDE:
        scale = TILE_SIDE / side
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    _, content = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
    return base64.b64encode(content.tobytes()).decode()


def _method(evaluation: Evaluation) -> str:
    facts: dict[str, Any] = {
        **evaluation.model,
        "Decision": f"ALL from a probability of {evaluation.cutoff:g} on, where a decision is forced",
        "Groups": GROUPS,
        "Intervals": f"95 % percentile bootstrap of {evaluation.resamples} draws of whole groups (seed "
        f"{evaluation.seed}); draws in which a figure is undefined are left out. A share of all or none gets a Wilson "
        "interval with each group as one trial, because a bootstrap is blind there.",
        "Calibration error": f"{CALIBRATION_METHOD} (Naeini et al., AAAI 2015; Guo et al., ICML 2017); biased upwards "
        "in small sets.",
        "Pooled figures": "weigh every cell alike, so that large groups and sources count more.",
    }
    items = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>" for name, value in facts.items())
    return f'<section><h2>How this was made</h2><dl class="record">{items}</dl></section>'
