"""``edge-all evaluate``: how good a segmentation, a model, or a table of predictions is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all.cli.options import DeviceOption, ThreadsOption, VariantOption
from edge_all_calibration.cli.paths import existing

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_all.preprocessing import PreprocessingSpec
    from edge_all_calibration.labelled_cells.cells import LabelledCells
    from edge_all_export.datasets import CellSet, Sample
    from edge_all_export.evaluation.assessment import Evaluation
    from edge_all_export.evaluation.judging import Judged
    from edge_all_export.evaluation.segmentation_scores import SegmentationScores, Segmenter
    from edge_all_export.run_folder import TrainingRunFolder

__all__ = ["register"]

SEGMENTATION_FILE = "segmentation.json"
ROBUSTNESS_FILE = "robustness.md"
REFERENCE_LAYOUT, NORMAL_LAYOUT = "reference", "normal"
UNSEEN_SET = "pbc_lymphocytes"
"""Folder beside the reference sets that no training sees: it stands for the hospital that nobody has seen."""

DataOption = Annotated[
    Path, typer.Option("--data", callback=existing, help="Folder of labelled images.", show_default=False)
]
OutputOption = Annotated[Path, typer.Option("-o", "--output", help="New folder for the report.", show_default=False)]


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


def evaluate_segmentation(
    data: DataOption,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="New folder for the figures as JSON.")] = None,
    leave_out: Annotated[
        Path | None,
        typer.Option(
            "--leave-out",
            help="Folder of runs of `edge-all train-outlines`, one without each laboratory, which judges it; "
            "missing ones are trained. Colour alone stands beside.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score the segmentation against the masks, points and boxes of the reference sets under a folder.

    Clumps composed of single cells are scored, too.
    """
    import json

    from rich.console import Console

    from edge_all.files.atomic import write_atomically
    from edge_all.results import INTENDED_USE
    from edge_all_export.cli.evaluation_tables import print_segmentation

    if output is not None:
        from edge_all_export.evaluation.document import claim_folder

        claim_folder(output, (SEGMENTATION_FILE,))
    if leave_out is not None:
        _train_left_out_outlines(data, leave_out)
    with Console(stderr=True).status("Segmenting the reference sets"):
        scores = _segmentation_scores(data, leave_out)
    record = {"kind": "segmentation", "intended_use": INTENDED_USE, **scores.to_json()}
    if output is not None:
        write_atomically(output / SEGMENTATION_FILE, json.dumps(record, indent=1, allow_nan=False).encode())
    if as_json:
        print_json(record)
    else:
        print_segmentation(scores)


def _segmentation_scores(data: Path, runs: Path | None) -> SegmentationScores:
    """The scores of the embedded network, or of those that never saw the laboratory, beside those of colour alone."""
    import functools

    from edge_all.segmentation import segment
    from edge_all_export.evaluation.clump_scores import evaluate_clumps
    from edge_all_export.evaluation.segmentation_scores import SegmentationScores
    from edge_all_export.evaluation.segmentation_scores import evaluate_segmentation as score
    from edge_all_export.outlines.left_out import left_out_segmenters

    colour: Segmenter = functools.partial(segment, outlines="colour")
    ways: dict[str, Callable[[str], Segmenter]] = {"colour": lambda _: colour}
    if runs is None:
        learned: Segmenter = functools.partial(segment, outlines="learned")
        ways["learned"] = lambda _: learned
    else:
        ways["learned elsewhere"] = left_out_segmenters(runs)
    rows = [row for way, segmenter_of in ways.items() for row in score(data, segmenter_of, way).rows]
    return SegmentationScores((*rows, *evaluate_clumps(data, ways)))


def _train_left_out_outlines(data: Path, runs: Path) -> None:
    from rich.console import Console

    from edge_all_export.cli.backend import quiet_backend
    from edge_all_export.outlines.left_out import run_without, runs_to_train

    missing = runs_to_train(data, runs)
    if not missing:
        return
    console = Console(stderr=True)
    with console.status("Loading Keras"), quiet_backend():
        from edge_all_export.outlines.outline_training import OutlineRecipe, train_outlines
    for laboratory in missing:
        folder = run_without(runs, laboratory)
        with console.status(f"Training without {laboratory}"):
            train_outlines(data, folder, OutlineRecipe(left_out=laboratory), resume=folder.is_dir())


def evaluate_constants(
    data: DataOption,
    every: Annotated[int, typer.Option(min=1, help="One image in so many is scored, of each set.")] = 10,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Name of a constant, for example REACH; may be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make each constant of the segmentation a fifth smaller and larger, and say what that does to its scores."""
    from rich.console import Console

    from edge_all.cli.tables import ReadableTable
    from edge_all.errors import UsageError
    from edge_all.results import INTENDED_USE
    from edge_all_export.evaluation.constant_effects import constants_of, measure_effects

    known = constants_of()
    chosen = [one for one in known if not only or one.name in only]
    if not chosen:
        raise UsageError(f"There is no constant {' or '.join(only or [])}.", f"There are {len(known)}, such as REACH.")
    with Console(stderr=True).status("Scoring") as status:
        effects = list(measure_effects(data, chosen, every=every, on_constant=lambda one: status.update(one.name)))
    if as_json:
        print_json({"kind": "constants", "intended_use": INTENDED_USE, "effects": [one.to_json() for one in effects]})
        return
    headings = ("constant", "value", "times", "mean of scores", "largest loss", "in")
    table = ReadableTable(*headings, fold=("constant", "in"), caption=INTENDED_USE)
    for effect in effects:
        constant = effect.constant
        value = ", ".join(f"{one:g}" for one in constant.numbers)
        figures = f"{effect.factor:g}", f"{effect.mean:+.4f}", f"{effect.worst:.3f}"
        table.add_row(f"{constant.module}.{constant.name}", value, *figures, effect.where)
    table.print()


def evaluate_robustness(
    data: DataOption,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="New folder for the table as Markdown.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Model package (name or folder); the embedded one if left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Change twelve real fields as cameras, light and software do, and say which cells, labels and verdicts survive."""
    from rich.console import Console
    from rich.progress import Progress

    from edge_all.api.screener import Screener
    from edge_all.cli.tables import ReadableTable
    from edge_all.files.atomic import write_atomically
    from edge_all.results import INTENDED_USE
    from edge_all_export.robustness.changes import CHANGES
    from edge_all_export.robustness.measuring import measure_robustness, reference_fields
    from edge_all_export.robustness.table import HEADINGS, PATIENT_HEADINGS, markdown_table, patient_row, row_of

    fields = reference_fields(data)
    if output is not None:
        from edge_all_export.evaluation.document import claim_folder

        claim_folder(output, (ROBUSTNESS_FILE,))
    screener = Screener(model=model)
    with Progress(transient=True, console=Console(stderr=True)) as progress:
        task = progress.add_task("Changed fields", total=len(fields) * len(CHANGES))
        unchanged, changed = measure_robustness(
            fields, screener, CHANGES, lambda done: progress.update(task, completed=done)
        )
    outcomes = [unchanged, *changed]
    if output is not None:
        patients = markdown_table(outcomes, PATIENT_HEADINGS, patient_row)
        text = f"{INTENDED_USE}\n\n{markdown_table(outcomes)}\nOf these, the patients' fields:\n\n{patients}"
        write_atomically(output / ROBUSTNESS_FILE, text.encode())
    if as_json:
        print_json({"kind": "robustness", "intended_use": INTENDED_USE, "changes": [one.to_json() for one in outcomes]})
        return
    table = ReadableTable(*HEADINGS, fold=("change", "patients", "healthy"), caption=INTENDED_USE)
    for outcome in outcomes:
        table.add_row(*row_of(outcome))
    table.print()
    of_patients = ReadableTable(*PATIENT_HEADINGS, fold=("change",), caption="The patients' fields.")
    for outcome in outcomes:
        of_patients.add_row(*patient_row(outcome))
    of_patients.print()


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
            "where every ALL call is a false positive."
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
    cells = _read_cells(data, layout)
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
    _say_evaluation(evaluation, output, as_json=as_json)
    say_left_out((one.image, one.reason) for one in cells.skipped)
    raise typer.Exit(1 if cells.skipped else 0)


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
    _say_evaluation(evaluation, output, as_json=as_json)


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
    layout: Annotated[
        str, typer.Option(help="How the folder is laid out, as for `edge-all train`.")
    ] = REFERENCE_LAYOUT,
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
    from rich.console import Console
    from rich.markdown import Markdown

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

    from edge_all_export.datasets.laboratories import laboratories_of

    claim_folder(output, (MATRIX_FILE, TABLE_FILE))
    samples = _read_cells(data, layout).samples
    notes: tuple[str, ...] = ()
    if config is not None:
        runs, notes = _train_left_out(config, samples, output / "runs")
    console = Console(stderr=True)
    rows = []
    for run in runs or ():
        with console.status(f"Judging by {run}"):
            rows.append(judge_run(run, samples))
    matrix = Matrix(laboratories_of(samples), tuple(rows), notes)
    write_matrix(matrix, output)
    if as_json:
        print_json(matrix.to_json())
        return
    text = (output / TABLE_FILE).read_text(encoding="utf-8")
    # A pipe gets what the file holds: Markdown that is laid out has as many columns as a terminal.
    if sys.stdout.isatty():
        Console().print(Markdown(text))
    else:
        typer.echo(text)


def evaluate_strangers(
    data: DataOption,
    layout: Annotated[
        str, typer.Option(help="How the folder is laid out, as for `edge-all train`.")
    ] = REFERENCE_LAYOUT,
    model: Annotated[
        str | None, typer.Option(help="Model package whose way to cut is taken; the embedded one if left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say which laboratories would be recognised as unknown, each left out in turn, and how often known ones are."""
    from edge_all.model.package import default_package_path
    from edge_all.model.store import find_package
    from edge_all.results import INTENDED_USE
    from edge_all_export.evaluation.strangers import measure_strangers, strangers_table

    spec = find_package(model or str(default_package_path())).card.preprocessing
    found = measure_strangers(_labelled_cells(_read_cells(data, layout).samples, spec), never_known=(UNSEEN_SET,))
    if as_json:
        rows = [one.to_json() for one in found]
        print_json({"kind": "strangers", "intended_use": INTENDED_USE, "laboratories": rows})
    else:
        typer.echo(f"{strangers_table(found)}\n\n{INTENDED_USE}")


def _labelled_cells(samples: Sequence[Sample], spec: PreprocessingSpec) -> LabelledCells:
    """The samples cut: groups are what may be one patient, slides fields or patients."""
    import numpy as np

    from edge_all_calibration.labelled_cells.cells import LabelledCells
    from edge_all_export.crops.cutting import extract_crops

    return LabelledCells(
        extract_crops(samples, spec),
        np.array([sample.label == 1 for sample in samples], np.bool_),
        np.array([sample.block for sample in samples], np.str_),
        np.array([sample.group for sample in samples], np.str_),
        np.array([sample.laboratory for sample in samples], np.str_),
    )


def evaluate_adaptation(
    model: Annotated[str, typer.Argument(help="Model package (name or folder) that does not know the laboratory.")],
    data: DataOption,
    laboratory: Annotated[str, typer.Option(help="Laboratory to adapt to, by the name that the data give it.")],
    layout: Annotated[
        str, typer.Option(help="How the folder is laid out, as for `edge-all train`.")
    ] = REFERENCE_LAYOUT,
    as_json: JsonOption = False,
) -> None:
    """Show what adapting to 25, 50, 100 and 200 labelled cells of a laboratory buys, on groups kept apart."""
    from rich.console import Console

    from edge_all.errors import UsageError
    from edge_all.model.store import find_package
    from edge_all.results import INTENDED_USE
    from edge_all_calibration.adapting.gain import gain_table, measure_gains
    from edge_all_export.datasets.laboratories import laboratories_of

    package = find_package(model)
    samples = _read_cells(data, layout).samples
    chosen = [sample for sample in samples if sample.laboratory == laboratory]
    if not chosen:
        known = ", ".join(laboratories_of(samples))
        raise UsageError(f"No cell is of a laboratory {laboratory!r}.", f"There are: {known}.")
    cells = _labelled_cells(chosen, package.card.preprocessing)
    with Console(stderr=True).status("Adapting") as status:
        gains = measure_gains(package, cells, progress=status.update)
    if as_json:
        print_json({"kind": "adaptation", "intended_use": INTENDED_USE, "gains": [gain.to_json() for gain in gains]})
    else:
        typer.echo(gain_table(gains))


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
        typer.echo(f"Training without {laboratory}: {len(rest)} cells", err=True)
        train_on_data(recipe.changed(left_out=laboratory), rest, run, folds=5)
        runs.append(run)
    return runs, tuple(notes)


def _run_folder(model: str) -> TrainingRunFolder | None:
    """The folder of the training run that a Keras model belongs to; None for a model package."""
    from edge_all_export.run_folder import TrainingRunFolder

    path = Path(model)
    network = TrainingRunFolder(path).network
    return TrainingRunFolder.around(path) if path.suffix == network.suffix or network.is_file() else None


def _read_cells(data: Path, layout: str) -> CellSet:
    from edge_all.errors import InputNotFoundError
    from edge_all_export.cli.phase_display import PhaseDisplay
    from edge_all_export.datasets import read_layout, read_pbc_lymphocytes
    from edge_all_export.datasets.samples import told_of_images
    from edge_all_export.evaluation.judging import normal_cells

    with PhaseDisplay() as display, told_of_images(display.phase("Reading and segmenting images")):
        if layout == NORMAL_LAYOUT:
            cells = normal_cells(data)
        else:
            cells = read_layout(layout, data)
            if layout == REFERENCE_LAYOUT and (data / UNSEEN_SET).is_dir():
                cells += read_pbc_lymphocytes(data / UNSEEN_SET)
    if not cells.samples:
        raise InputNotFoundError(f"No labelled cell was found in {data}.", "Check the folder and its --layout.")
    return cells


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


def _say_evaluation(evaluation: Evaluation, output: Path, *, as_json: bool) -> None:
    """The figures; the predictions that they come from stand in the folder."""
    if as_json:
        print_json({name: value for name, value in evaluation.to_json().items() if name != "predictions"})
        return
    from edge_all_export.cli.evaluation_tables import print_evaluation

    print_evaluation(evaluation)
    typer.echo(f"Report: {output / 'report.html'}")
