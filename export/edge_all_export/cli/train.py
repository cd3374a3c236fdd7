"""``edge-all train``: a folder of labelled images to a network and its held-out figures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.options import offers
from edge_all_calibration.cli.options import takes
from edge_all_calibration.cli.paths import existing
from edge_all_export.cli.options import LAYOUTS, REFERENCE_LAYOUT

if TYPE_CHECKING:
    from edge_all_export.training import TrainingConfig, TrainingRun

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("train", rich_help_panel="Training side")(takes(recipe=recipe_of)(train))


def recipe_of(
    config: Annotated[
        Path | None,
        typer.Option(callback=existing, help="config.json of another run; the options below override it."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="imagenet, none, a weights file, or an earlier run to go on from; imagenet where left out.",
            autocompletion=offers("imagenet", "none"),
        ),
    ] = None,
    input_size: Annotated[
        int | None, typer.Option(help="Side of the network's input in pixels.", show_default="160")
    ] = None,
    factor: Annotated[
        float | None, typer.Option(help="Side of a crop, in widths of its nucleus.", show_default="2.5")
    ] = None,
    head_epochs: Annotated[int | None, typer.Option(help="Epochs with the backbone frozen.", show_default="1")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of fine-tuning.", show_default="20")] = None,
    samples_per_epoch: Annotated[
        int | None, typer.Option(help="Crops drawn in an epoch; as many as there are, and 320 at least.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Crops in a step.", show_default="32")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="At the start of fine-tuning.", show_default="0.0003")
    ] = None,
    freeze_batch_norm: Annotated[
        bool, typer.Option("--freeze-batch-norm", help="Keep batch-norm in inference mode; suits ImageNet weights.")
    ] = False,
    early_stopping: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without a better held-out AUC.")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="float32, mixed_bfloat16 or mixed_float16.",
            show_default="float32",
            autocompletion=offers("float32", "mixed_bfloat16", "mixed_float16"),
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.", show_default="0")] = None,
    leave_out: Annotated[
        str | None,
        typer.Option("--leave-out", help="Laboratory whose cells take no part, so that it can judge the network."),
    ] = None,
) -> TrainingConfig:
    """The recipe: that of the file or the usual one, changed by the options."""
    from rich.console import Console

    from edge_all_export.cli.backend import quiet_backend

    with Console(stderr=True).status("Loading Keras"), quiet_backend():
        from edge_all_export.training import TrainingConfig

    base = TrainingConfig.read(config) if config is not None else TrainingConfig()
    return base.changed(
        weights=weights,
        input_size=input_size,
        factor=factor,
        head_epochs=head_epochs,
        epochs=epochs,
        samples_per_epoch=samples_per_epoch,
        batch_size=batch_size,
        learning_rate=learning_rate,
        train_batch_norm=False if freeze_batch_norm else None,
        early_stopping=early_stopping,
        precision=precision,
        seed=seed,
        left_out=leave_out,
    )


def train(
    data: Annotated[
        Path, typer.Option("--data", callback=existing, help="Folder of the data set.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the run; new, unless resuming.", show_default=False)
    ],
    layout: Annotated[
        str,
        typer.Option(
            help=f"How the folder is laid out: {', '.join(LAYOUTS[:-1])} or {LAYOUTS[-1]}.",
            autocompletion=offers(*LAYOUTS),
        ),
    ] = REFERENCE_LAYOUT,
    *,
    recipe: TrainingConfig,
    folds: Annotated[int, typer.Option(min=2, help="The data are divided into so many folds of whole blocks.")] = 5,
    hold_out: Annotated[int, typer.Option(min=0, help="The fold that is held out, from 0.")] = 0,
    cross_validation: Annotated[
        bool, typer.Option("--cross-validate", help="Train once for each fold, instead of holding out one alone.")
    ] = False,
    all_data: Annotated[
        bool, typer.Option("--all-data", help="Hold nothing out: the final network, after the recipe is chosen.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the killed run in the folder.")] = False,
    allow_leaks: Annotated[
        bool, typer.Option("--allow-leaks", help="Train although the leak report refuses the split.")
    ] = False,
) -> None:
    """Fine-tune InceptionV3 on labelled cells.

    Writes the configuration, the split, the leak report, the log, the network and the held-out predictions.
    """
    from rich.console import Console

    from edge_all.errors import UsageError
    from edge_all_export.cli.backend import quiet_backend

    if cross_validation and all_data:
        raise UsageError("--cross-validate and --all-data exclude one another.", "Choose one of them.")
    with Console(stderr=True).status("Loading Keras"), quiet_backend():
        from edge_all_calibration.cli.left_out import say_left_out
        from edge_all_export.cli.training_display import TrainingDisplay
        from edge_all_export.datasets import read_layout
        from edge_all_export.datasets.laboratories import without_laboratory
        from edge_all_export.datasets.samples import CLASS_INDICES, told_of_images
        from edge_all_export.training import Conduct, train_on_data

    with TrainingDisplay() as display, told_of_images(display.phase("Reading and segmenting images")):
        cells = read_layout(layout, data)
    say_left_out((one.image, one.reason) for one in cells.skipped)
    samples = cells.samples if recipe.left_out is None else without_laboratory(cells.samples, recipe.left_out)
    typer.echo(f"{len(samples)} cells, {len(cells.skipped)} images left out.", err=True)
    # The words of Keras's folder readers.
    typer.echo(f"class_indices: {CLASS_INDICES}", err=True)
    with TrainingDisplay() as display:
        runs = train_on_data(
            recipe,
            samples,
            out,
            folds=0 if all_data else folds,
            hold_out=hold_out,
            every_fold=cross_validation,
            conduct=Conduct(resume=resume, allow_leaks=allow_leaks, watcher=display),
        )
    _say_runs(runs)


def _say_runs(runs: Iterable[TrainingRun]) -> None:
    """What each run came to, and where it lies."""
    from edge_all_export.evaluation.run_picture import write_run_picture

    for run in runs:
        figures = ", ".join(f"{name.removeprefix('held_out_')} {value:.4f}" for name, value in run.figures.items())
        typer.echo(f"{run.folder}: held-out {figures}")
        if write_run_picture(run.files):
            typer.echo(f"Summary picture: {run.files.picture}")
