"""``edge-all evaluate predictions`` and ``compare``: what a table of predictions, or two, says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all_export.cli.evaluate.options import OutputOption
from edge_all_export.cli.evaluate.telling import say_evaluation

__all__ = ["compare_evaluations", "evaluate_predictions"]


def evaluate_predictions(
    predictions: Annotated[
        Path,
        typer.Argument(
            help="predictions.csv of a training run, or any table with the columns "
            "sample,source,group,slide,label,probability."
        ),
    ],
    output: OutputOption,
    band: Annotated[
        tuple[float, float] | None,
        typer.Option("--band", help="Indeterminate band: non-ALL below LOW, ALL from HIGH on.", metavar="LOW HIGH"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate a table of predictions, whatever made them; a log.csv beside it gives the learning curves."""
    from edge_all.model.card import Band
    from edge_all_export.evaluation.assessment import evaluate
    from edge_all_export.evaluation.evaluation_report import claim_evaluation_folder, write_evaluation
    from edge_all_export.evaluation.predictions import read_csv
    from edge_all_export.evaluation.training_log import read_log
    from edge_all_export.run_folder import TrainingRunFolder

    table = read_csv(predictions)
    limits = None if band is None else Band(*band)
    log = TrainingRunFolder.around(predictions).log
    curves = read_log(log) if log.is_file() else None
    claim_evaluation_folder(output)
    # A run calls its table predictions.csv, so that its folder says more.
    name = predictions.resolve().parent.name if predictions.stem == "predictions" else predictions.stem
    evaluation = evaluate(table, name=name, model={"Predictions": predictions.name}, band=limits)
    write_evaluation(evaluation, output, log=curves)
    say_evaluation(evaluation, output, as_json=as_json)


def compare_evaluations(
    first: Annotated[Path, typer.Argument(help="evaluation.json of one model.")],
    second: Annotated[Path, typer.Argument(help="evaluation.json of the other, on the same data.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="New folder for a report.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two evaluations, paired: the difference second minus first, with its own interval."""
    from edge_all_export.evaluation.comparison import compare, read_contestant
    from edge_all_export.evaluation.comparison_report import claim_comparison_folder, write_comparison

    sides = read_contestant(first), read_contestant(second)
    if output is not None:
        claim_comparison_folder(output)
    comparison = compare(*sides)
    if output is not None:
        write_comparison(comparison, output)
    if as_json:
        print_json(comparison.to_json())
    else:
        from edge_all_export.cli.evaluation_tables import print_comparison

        print_comparison(comparison)
