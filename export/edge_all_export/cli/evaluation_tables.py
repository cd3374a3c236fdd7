"""The tables of ``edge-all evaluate`` in the terminal."""

from __future__ import annotations

from edge_all.cli.tables import ReadableTable, output_console
from edge_all.results import INTENDED_USE
from edge_all.wording.laboratories import laboratory_name
from edge_all.wording.percentages import percent, percent_range
from edge_all_export.datasets.samples import CLASS_INDICES
from edge_all_export.evaluation.assessment import BandAssessment, Evaluation
from edge_all_export.evaluation.bootstrap import GROUPS, Figure
from edge_all_export.evaluation.comparison import Comparison, PairedLevel
from edge_all_export.evaluation.comparison_report import difference_words, verdict_words
from edge_all_export.evaluation.document import figure_words, interval_words
from edge_all_export.evaluation.metrics import CLASS_NAMES, METRICS
from edge_all_export.evaluation.segmentation_scores import SegmentationScores

__all__ = ["print_comparison", "print_evaluation", "print_segmentation"]


def print_segmentation(scores: SegmentationScores) -> None:
    """Print each measure of each reference set beside its goal."""
    headings = ("measure\nset", "value\n95 % interval", "n", "goal")
    table = ReadableTable(*headings, fold=("measure\nset",), caption=INTENDED_USE)
    for row in scores.rows:
        sign = "<=" if row.at_most else ">="
        goal = "" if row.goal is None else f"{sign} {row.goal:g}\n{'reached' if row.reached else 'missed'}"
        count = f"{row.objects} in {row.images}" if row.objects != row.images else str(row.images)
        interval = f"{row.low:.3f} to {row.high:.3f}"
        dataset = f"{row.dataset} ({row.way})" if row.way else row.dataset
        table.add_row(f"{row.measure}\n{dataset}", f"{row.value:.3f}\n{interval}", count, goal)
    table.print()


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the figures of each level, and what to know before believing them."""
    levels = {"cells": evaluation.cells} | ({} if evaluation.slides is None else {"slides": evaluation.slides})
    headings = ("figure", *(f"{level.samples} {unit}, {level.groups} groups" for unit, level in levels.items()))
    table = ReadableTable(*headings, fold=headings, title=f"Evaluation of {evaluation.name}", caption=INTENDED_USE)
    for name, metric in METRICS.items():
        figures = [level.figures.get(name) for level in levels.values()]
        table.add_row(metric.title, *("" if figure is None else _words(name, figure) for figure in figures))
    console = output_console()
    table.print()
    console.print(f"Groups: {GROUPS}.", highlight=False, markup=False)
    console.print(_confusion_words(evaluation), highlight=False, markup=False)
    if evaluation.band is not None:
        console.print(_band_words(evaluation.band), highlight=False, markup=False)
    report = evaluation.cells.classification_report.rstrip()
    console.print(f"Classification report at {evaluation.cutoff:g}:\n{report}", highlight=False, markup=False)
    for row in evaluation.all_normal:
        console.print(
            f"{laboratory_name(row.source)}: {row.called_all} of {row.samples} normal cells called ALL "
            f"({percent(row.called_all / row.samples)}, 95 % Wilson interval {percent_range(*row.interval)})",
            highlight=False,
        )
    for note in evaluation.notes:
        console.print(f"Note: {note}", highlight=False, markup=False)


def _words(name: str, figure: Figure) -> str:
    return f"{figure_words(name, figure.value)}  {interval_words(name, figure)}".strip()


def _confusion_words(evaluation: Evaluation) -> str:
    """The confusion matrix of the cells, with the classes in the order of their indices."""
    table = [(name, *map(str, row)) for name, row in zip(CLASS_NAMES, evaluation.cells.confusion, strict=True)]
    heading = f"Confusion matrix at {evaluation.cutoff:g} (rows: truth; class_indices {CLASS_INDICES}):"
    return "\n".join((heading, *_aligned([("", *CLASS_NAMES), *table])))


def _band_words(assessment: BandAssessment) -> str:
    """What a station says of the cells, and of their slides where there are any."""
    band = assessment.band
    counted = {
        f"As a station decides, non-ALL below {band.non_all_below:.3g}, ALL from {band.all_from:.3g} (rows: truth)": (
            assessment.counts
        ),
        "Verdicts on the slides of these cells (rows: truth)": assessment.verdicts,
    }
    lines: list[str] = []
    for heading, table in counted.items():
        if table is not None:
            names = next(iter(table.values()))
            rows = [(truth, *map(str, counts.values())) for truth, counts in table.items()]
            lines += [f"{heading}:", *_aligned([("", *names), *rows])]
    return "\n".join(lines)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    width = max(len(value) for row in rows for value in row)
    return ["  ".join(f"{value:>{width}}" for value in row) for row in rows]


def print_comparison(comparison: Comparison) -> None:
    """Print both sides and the difference of each figure."""
    console = output_console()
    for side, contestant in (("First", comparison.first), ("Second", comparison.second)):
        console.print(f"{side}: {contestant.name}", highlight=False, markup=False)
    for unit, level in (("cells", comparison.cells), ("slides", comparison.slides)):
        if level is None:
            continue
        changed = f", {level.flips} changed decisions" if isinstance(level, PairedLevel) else ""
        table = ReadableTable(
            "figure",
            "first",
            "second",
            "difference (95 % interval)",
            "the second is",
            fold=("figure", "difference (95 % interval)", "the second is"),
            title=f"{level.samples} {unit}, {level.groups} groups{changed}",
            caption=INTENDED_USE,
        )
        for name, paired in level.figures.items():
            table.add_row(
                METRICS[name].title,
                figure_words(name, paired.first.value),
                figure_words(name, paired.second.value),
                difference_words(name, paired),
                verdict_words(name, paired),
            )
        table.print()
    for note in comparison.notes:
        console.print(f"Note: {note}", highlight=False, markup=False)
