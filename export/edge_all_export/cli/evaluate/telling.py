"""What an evaluation of cells says in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edge_all.cli.json_output import print_json

if TYPE_CHECKING:
    from edge_all_export.evaluation.assessment import Evaluation

__all__ = ["say_evaluation"]


def say_evaluation(evaluation: Evaluation, output: Path, *, as_json: bool) -> None:
    """The figures; the predictions that they come from stand in the folder."""
    if as_json:
        print_json({name: value for name, value in evaluation.to_json().items() if name != "predictions"})
        return
    from edge_all_export.cli.evaluation_tables import print_evaluation

    print_evaluation(evaluation)
    typer.echo(f"Report: {output / 'report.html'}")
