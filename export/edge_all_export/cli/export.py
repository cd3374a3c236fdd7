"""``edge-all export``: a trained network to a model package."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.json_output import JsonOption
from edge_all.cli.options import offers
from edge_all_calibration.cli.options import release_plan, takes
from edge_all_calibration.cli.paths import existing
from edge_all_export.cli.options import LAYOUTS, REFERENCE_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_all.preprocessing import PreprocessingSpec
    from edge_all_calibration.releasing.release import CellParts, ReleasePlan
    from edge_all_export.packaging.network_package import Description

__all__ = ["recipe_of", "register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    with_groups = takes(given=given_cells, crops=foreign_crops, plan=release_plan)(export)
    app.command("export", rich_help_panel="Training side")(with_groups)


@dataclasses.dataclass(frozen=True, slots=True)
class GivenCells:
    """Where the cells come from that calibrate and prove a network; each as the option of its name says."""

    data: Path | None
    layout: str
    cells: Path | None
    test_cells: Path | None
    training_cells: Path | None
    out_of_fold: Path | None


def given_cells(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            callback=existing,
            help="The labelled images that the run was trained on: its held-out cells calibrate and test, or with "
            "--test-cells calibrate alone.",
        ),
    ] = None,
    layout: Annotated[
        str,
        typer.Option(
            "--layout", help="How the data are laid out, as for `edge-all train`.", autocompletion=offers(*LAYOUTS)
        ),
    ] = REFERENCE_LAYOUT,
    cells: Annotated[
        Path | None,
        typer.Option(
            "--cells",
            callback=existing,
            help="Calibration cells instead of --data: npz, or a folder with ALL/ and non-ALL/.",
        ),
    ] = None,
    test_cells: Annotated[
        Path | None, typer.Option("--test-cells", callback=existing, help="Such cells for the gate alone.")
    ] = None,
    training_cells: Annotated[
        Path | None,
        typer.Option(
            "--training-cells",
            callback=existing,
            help="Beside --cells: those trained on, for what is ordinary, and the overlap.",
        ),
    ] = None,
    out_of_fold: Annotated[
        Path | None,
        typer.Option(
            "--out-of-fold",
            callback=existing,
            help="predictions.csv of a cross-validation with the same recipe: fixes temperature and thresholds.",
        ),
    ] = None,
) -> GivenCells:
    """What was given of them."""
    return GivenCells(data, layout, cells, test_cells, training_cells, out_of_fold)


@dataclasses.dataclass(frozen=True, slots=True)
class ForeignCrops:
    """What a network takes, where no run folder says it; each as the option of its name says."""

    input_size: int | None
    input_range: str
    factor: float


def foreign_crops(
    input_size: Annotated[int | None, typer.Option("--input-size", help="For weights: side of the input.")] = None,
    input_range: Annotated[
        str,
        typer.Option(
            "--input-range",
            help="For foreign models: range of pixel values they expect.",
            autocompletion=offers("0..255", "0..1", "-1..1"),
        ),
    ] = "0..255",
    factor: Annotated[float, typer.Option("--factor", help="Without a run: crop as a multiple of the nucleus.")] = 2.5,
) -> ForeignCrops:
    """What was said of them."""
    return ForeignCrops(input_size, input_range, factor)


def export(
    source: Annotated[
        Path, typer.Argument(metavar="RUN|MODEL", help="Run folder of `edge-all train`, .keras model, or .weights.h5.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="New folder of the package.", show_default=False)],
    *,
    given: GivenCells,
    laboratories: Annotated[
        Path | None,
        typer.Option(
            "--laboratories",
            callback=existing,
            help="laboratories.json of `edge-all evaluate laboratories`: goes into the card, and its false-positive "
            "rate into slide verdicts.",
        ),
    ] = None,
    about: Annotated[
        Path | None,
        typer.Option(
            "--about",
            callback=existing,
            help="JSON for the card: name, version, training, evaluation, limitations.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the package; else that in --about, else the output folder's.")
    ] = None,
    version: Annotated[
        str | None, typer.Option("--model-version", help="Version of the package; else that in --about, else 1.0.0.")
    ] = None,
    int8: Annotated[
        str, typer.Option("--int8", help="static; dynamic is refused, and says why.", autocompletion=offers("static"))
    ] = "static",
    opset: Annotated[int, typer.Option("--opset", help="Version of ONNX's operators.")] = 17,
    crops: ForeignCrops,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the package at the target.")] = False,
    as_json: JsonOption = False,
    plan: ReleasePlan,
) -> None:
    """Make a model package: ONNX in FP32, FP16 and INT8, calibrated, each proven by the decisions it takes.

    Exit status: 0 all variants passed the gate, 1 one was rejected (it lies under rejected/), 2 nothing was published.
    """
    from edge_all.errors import OutputError
    from edge_all_calibration.cli.reporting import end_with, step_progress
    from edge_all_calibration.releasing.publishing import PackageName, Publication
    from edge_all_export.cli.backend import quiet_backend
    from edge_all_export.run_folder import trained_file

    _require_static(int8)
    if output.exists() and not replace:
        raise OutputError(f"{output} exists already.", "Name another folder, or pass --replace.")
    trained_file(source)
    # Without oneDNN TensorFlow rounds alike everywhere.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    with step_progress() as progress:
        progress("Opening the network")
        with quiet_backend():
            from edge_all_export.converting.trained import open_trained
            from edge_all_export.packaging.network_package import described_card, package_network, read_description

        description = read_description(about, name=name, version=version, folder=output)
        _check_name(description, progress)
        trained = open_trained(source, input_size=crops.input_size, input_range=crops.input_range)
        spec, left_out = recipe_of(source, trained.input_size, crops.factor)
        progress("Cutting the cells")
        parts, notes = _parts(source, spec, given)
        if laboratories is not None:
            description, plan = _with_laboratories(laboratories, description, plan)
        description = dataclasses.replace(
            description,
            training={**description.training, **left_out},
            limitations=(*description.limitations, *notes),
        )
        card = described_card(trained, spec, description, parts)
        publication = Publication(output, PackageName.of(card), replace)
        release = package_network(trained, card, parts, plan, publication, opset=opset, progress=progress)
    end_with(output, release, as_json=as_json)


def _require_static(int8: str) -> None:
    from edge_all.errors import UsageError

    if int8 == "dynamic":
        raise UsageError(
            "Dynamic INT8 is refused: it computes the range of every activation at every run, which on this network is "
            "four times slower than FP32 and has cost others nearly all their accuracy.",
            "Leave out --int8; static INT8 is what processors are fast at.",
        )
    if int8 != "static":
        raise UsageError(f"There is no {int8!r} INT8.", "Leave out --int8.")


def _with_laboratories(file: Path, description: Description, plan: ReleasePlan) -> tuple[Description, ReleasePlan]:
    """What a matrix of laboratories adds to the card, and to how slides are judged."""
    from edge_all_export.cli.backend import quiet_backend

    with quiet_backend():
        from edge_all_export.evaluation.laboratory_matrix import read_matrix

    matrix, left_out = read_matrix(file)
    evaluation = {**description.evaluation, "left_out_laboratories": matrix}
    return dataclasses.replace(description, evaluation=evaluation), dataclasses.replace(plan, left_out=left_out)


def _check_name(description: Description, progress: Callable[[str], None]) -> None:
    """Refuse a name that cannot be installed, but the embedded model's, under which its next version is exported."""
    from edge_all.errors import ModelIncompatibleError
    from edge_all.model.store import require_free_name, require_installable_name

    require_installable_name(description.name, description.version)
    try:
        require_free_name(description.name)
    except ModelIncompatibleError as error:
        progress(f"Note: {error}")


def recipe_of(source: Path, input_size: int, factor: float) -> tuple[PreprocessingSpec, dict[str, str]]:
    """How the crops of a network are cut, and for its card the laboratory that its run left out, if any."""
    from edge_all.preprocessing import PreprocessingSpec
    from edge_all_export.datasets.laboratories import LEFT_OUT
    from edge_all_export.run_folder import TrainingRunFolder

    run = TrainingRunFolder.around(source)
    if run.config.is_file():
        from edge_all_export.training.configuration import TrainingConfig

        config = TrainingConfig.read(run.config)
        return config.spec, {} if config.left_out is None else {LEFT_OUT: config.left_out}
    return PreprocessingSpec(input_size, factor), {}


def _parts(source: Path, spec: PreprocessingSpec, given: GivenCells) -> tuple[CellParts, tuple[str, ...]]:
    parts, notes = _cut(source, spec, given)
    return (parts if given.out_of_fold is None else _with_out_of_fold(parts, given.out_of_fold)), notes


def _cut(source: Path, spec: PreprocessingSpec, given: GivenCells) -> tuple[CellParts, tuple[str, ...]]:
    from edge_all.errors import UsageError
    from edge_all_calibration.cli.left_out import say_left_out, saying_what_is_left_out
    from edge_all_calibration.labelled_cells.cell_folder import read_cells
    from edge_all_calibration.releasing.release import CellParts

    if given.data is not None and (given.cells is not None or given.training_cells is not None):
        raise UsageError(
            "--data excludes --cells and --training-cells: the run says which of the data calibrate and which trained.",
            "Give --data alone or with --test-cells, or --cells and --test-cells without --data.",
        )
    if given.data is not None:
        from edge_all_export.cli.phase_display import PhaseDisplay
        from edge_all_export.datasets import read_layout
        from edge_all_export.datasets.samples import told_of_images
        from edge_all_export.packaging.release_cells import parts_of_run
        from edge_all_export.run_folder import TrainingRunFolder

        with saying_what_is_left_out() as tell:
            testing = None if given.test_cells is None else read_cells(given.test_cells, spec, tell)
        with PhaseDisplay() as display, told_of_images(display.phase("Reading and segmenting images")):
            found = read_layout(given.layout, given.data)
        say_left_out((one.image, one.reason) for one in found.skipped)
        return parts_of_run(TrainingRunFolder.around(source), found.samples, spec, testing)
    if given.cells is None or given.test_cells is None:
        raise UsageError(
            "A package needs labelled cells that the network was not trained on.",
            "Give --data DATA (for a run with a held-out part), or both --cells and --test-cells.",
        )
    with saying_what_is_left_out() as tell:
        calibrating, testing = (read_cells(part, spec, tell) for part in (given.cells, given.test_cells))
        trained_on = None if given.training_cells is None else read_cells(given.training_cells, spec, tell)
    return CellParts(calibrating, testing, trained_on), ()


def _with_out_of_fold(parts: CellParts, file: Path) -> CellParts:
    from edge_all_calibration.gating.decisions import OutOfFold
    from edge_all_export.evaluation.predictions import read_csv

    predictions = read_csv(file)
    return dataclasses.replace(parts, out_of_fold=OutOfFold(predictions.probability, predictions.label == 1))
