"""``edge-all evaluate``: how good a segmentation, a model, or a table of predictions is."""

from __future__ import annotations

import typer

from edge_all_export.cli.evaluate.constants import evaluate_constants
from edge_all_export.cli.evaluate.laboratories import evaluate_laboratories
from edge_all_export.cli.evaluate.model import evaluate_model
from edge_all_export.cli.evaluate.predictions import compare_evaluations, evaluate_predictions
from edge_all_export.cli.evaluate.robustness import evaluate_robustness
from edge_all_export.cli.evaluate.segmentation import evaluate_segmentation
from edge_all_export.cli.evaluate.strangers import evaluate_adaptation, evaluate_strangers

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb and its kinds."""
    verb = typer.Typer(
        help="Evaluate a segmentation, a model, or predictions; compare two evaluations.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    verb.command("segmentation")(evaluate_segmentation)
    verb.command("constants")(evaluate_constants)
    verb.command("robustness")(evaluate_robustness)
    verb.command("model")(evaluate_model)
    verb.command("predictions")(evaluate_predictions)
    verb.command("compare")(compare_evaluations)
    verb.command("laboratories")(evaluate_laboratories)
    verb.command("strangers")(evaluate_strangers)
    verb.command("adaptation")(evaluate_adaptation)
    app.add_typer(verb, name="evaluate", rich_help_panel="Training side")
