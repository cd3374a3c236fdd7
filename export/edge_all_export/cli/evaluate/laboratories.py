"""``edge-all evaluate laboratories``: the matrix of trained on and judged on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all.wording.laboratories import laboratory_name
from edge_all_calibration.cli.paths import existing
from edge_all_export.cli.evaluate.labelled_images import read_cells
from edge_all_export.cli.evaluate.options import DataOption, OutputOption
from edge_all_export.cli.options import REFERENCE_LAYOUT, LayoutOption

if TYPE_CHECKING:
    from edge_all_export.datasets import Sample

__all__ = ["evaluate_laboratories"]


def evaluate_laboratories(
    data: DataOption,
    output: OutputOption,
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            "--run",
            callback=existing,
            help="A finished run, of `edge-all train --leave-out` or of all; may be repeated.",
        ),
    ] = None,
    layout: LayoutOption = REFERENCE_LAYOUT,
    config: Annotated[
        Path | None,
        typer.Option(
            callback=existing,
            help="config.json of a run: without --run, one run is trained by it for each laboratory left out.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """One matrix of what is learned in some laboratories and judged in each: trained on (rows), judged on (columns)."""
    from edge_all.errors import UsageError
    from edge_all_export.cli.backend import quiet_backend
    from edge_all_export.evaluation.document import claim_folder

    if bool(runs) == (config is not None):
        raise UsageError("Nothing to judge, or too much.", "Give --run RUN once or more, or --config CONFIG to train.")
    with quiet_backend():
        from edge_all_export.evaluation.laboratory_matrix import (
            MATRIX_FILE,
            TABLE_FILE,
            Matrix,
            judge_run,
            write_matrix,
        )

    from edge_all_export.cli.phase_display import PhaseDisplay
    from edge_all_export.datasets.laboratories import laboratories_of

    claim_folder(output, (MATRIX_FILE, TABLE_FILE))
    samples = read_cells(data, layout).samples
    notes: tuple[str, ...] = ()
    if config is not None:
        runs, notes = _train_left_out(config, samples, output / "runs")
    rows = []
    for run in runs or ():
        with PhaseDisplay() as display:
            display.say(f"Telling what {run} has not seen")
            rows.append(judge_run(run, samples, display.phase(f"Judging by {run}")))
    matrix = Matrix(laboratories_of(samples), tuple(rows), notes)
    write_matrix(matrix, output)
    if as_json:
        print_json(matrix.to_json())
        return
    _print_markdown((output / TABLE_FILE).read_text(encoding="utf-8"))


def _print_markdown(text: str) -> None:
    """Laid out on a terminal; a pipe gets what the file holds, since a layout has as many columns as a terminal."""
    from rich.console import Console
    from rich.markdown import Markdown

    if sys.stdout.isatty():
        Console().print(Markdown(text))
    else:
        typer.echo(text)


def _train_left_out(config: Path, samples: Sequence[Sample], folder: Path) -> tuple[list[Path], tuple[str, ...]]:
    """One run for each laboratory that can be left out, and why the others cannot."""
    from edge_all.errors import UsageError
    from edge_all_export.datasets.laboratories import laboratories_of, without_laboratory
    from edge_all_export.training import TrainingConfig, train_on_data

    recipe, runs, notes = TrainingConfig.read(config), [], []
    for laboratory in laboratories_of(samples):
        try:
            rest = without_laboratory(samples, laboratory)
        except UsageError as error:
            notes.append(str(error))
            continue
        run = folder / f"without-{laboratory.replace('/', '-')}"
        typer.echo(f"Training without {laboratory_name(laboratory)}: {len(rest)} cells", err=True)
        train_on_data(recipe.changed(left_out=laboratory), rest, run, folds=5)
        runs.append(run)
    return runs, tuple(notes)
