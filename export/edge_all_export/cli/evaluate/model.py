"""``edge-all evaluate model``: a package or a Keras model on labelled images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.json_output import JsonOption
from edge_all.cli.options import DeviceOption, ThreadsOption, VariantOption, offers
from edge_all_export.cli.evaluate.labelled_images import read_cells
from edge_all_export.cli.evaluate.options import DataOption, OutputOption
from edge_all_export.cli.evaluate.telling import say_evaluation
from edge_all_export.cli.options import LAYOUTS, NORMAL_LAYOUT, REFERENCE_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_all.preprocessing import PreprocessingSpec
    from edge_all_export.datasets import Sample
    from edge_all_export.evaluation.judging import Judged
    from edge_all_export.run_folder import TrainingRunFolder

__all__ = ["evaluate_model"]


def evaluate_model(
    model: Annotated[
        str, typer.Argument(help="Model package (name or folder), folder of a training run, or its .keras file.")
    ],
    data: DataOption,
    output: OutputOption,
    layout: Annotated[
        str,
        typer.Option(
            help="How the folder is laid out, as for `edge-all train`, or normal: images of one normal cell each, "
            "where every ALL call is a false positive.",
            autocompletion=offers(*LAYOUTS, NORMAL_LAYOUT),
        ),
    ] = REFERENCE_LAYOUT,
    variant: VariantOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate a model package or a Keras model on labelled images, at cell and at slide level.

    Exit status: 0 all images used, 1 some could not be, 2 wrong usage or nothing could run.
    """
    from edge_all.model.store import find_package
    from edge_all_calibration.cli.left_out import say_left_out
    from edge_all_export.evaluation.assessment import evaluate
    from edge_all_export.evaluation.evaluation_report import (
        GALLERY_LENGTH,
        claim_evaluation_folder,
        worst_mistakes,
        write_evaluation,
    )
    from edge_all_export.evaluation.judging import gallery_images, unseen_samples
    from edge_all_export.evaluation.training_log import read_log

    run = _run_folder(model)
    if run is None:
        find_package(model)  # before an hour of segmenting
    claim_evaluation_folder(output)
    cells = read_cells(data, layout)
    samples = cells.samples
    notes: tuple[str, ...] = ()
    if run is not None:
        samples, notes = unseen_samples(run, samples, _spec_of(run))
    judged = _judge(model, run, samples, variant, device, threads)
    if cells.skipped:
        notes = (*notes, f"{len(cells.skipped)} image(s) could not be used and count nowhere.")
    evaluation = evaluate(
        judged.predictions, name=judged.name, model=judged.model, band=judged.band, notes=(*judged.notes, *notes)
    )
    rows = [row for part in worst_mistakes(judged.predictions, evaluation.cutoff) for row in part[:GALLERY_LENGTH]]
    pictures = gallery_images(samples, [judged.predictions.sample[row] for row in rows], judged.spec)
    log = None if run is None or not run.log.is_file() else read_log(run.log)
    write_evaluation(evaluation, output, image_of=pictures.get, log=log)
    say_evaluation(evaluation, output, as_json=as_json)
    say_left_out((one.image, one.reason) for one in cells.skipped)
    raise typer.Exit(1 if cells.skipped else 0)


def _run_folder(model: str) -> TrainingRunFolder | None:
    """The folder of the training run that a Keras model belongs to; None for a model package."""
    from edge_all_export.run_folder import TrainingRunFolder

    path = Path(model)
    network = TrainingRunFolder(path).network
    return TrainingRunFolder.around(path) if path.suffix == network.suffix or network.is_file() else None


def _spec_of(run: TrainingRunFolder) -> PreprocessingSpec:
    """How a training run cut its crops."""
    from edge_all_export.cli.backend import quiet_backend

    with quiet_backend():
        from edge_all_export.training.configuration import TrainingConfig

    return TrainingConfig.read(run.config).spec


def _judge(
    model: str,
    run: TrainingRunFolder | None,
    samples: Sequence[Sample],
    variant: str | None,
    device: str,
    threads: int | None,
) -> Judged:
    from edge_all_export.cli.phase_display import PhaseDisplay
    from edge_all_export.evaluation.judging import judge_with_classifier, judge_with_keras

    with PhaseDisplay() as display:
        judged = 0

        def on_cells(count: int) -> None:
            nonlocal judged
            judged += count
            display.advance("Judging cells", judged, len(samples))

        display.advance("Judging cells", 0, len(samples))
        if run is not None:
            return judge_with_keras(Path(model), _spec_of(run), samples, on_cells)
        from edge_all.api.screener import Screener

        classifier = Screener(model, variant, device, threads).classifier
        return judge_with_classifier(classifier, samples, on_cells)
