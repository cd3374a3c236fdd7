"""``edge-all evaluate strangers`` and ``adaptation``: what a laboratory that was never learned meets with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all_export.cli.evaluate.labelled_images import labelled_cells, read_cells
from edge_all_export.cli.evaluate.options import UNSEEN_SET, DataOption
from edge_all_export.cli.options import REFERENCE_LAYOUT, LayoutOption

if TYPE_CHECKING:
    from edge_all.model.package import ModelPackage
    from edge_all_export.datasets import Sample
    from edge_all_export.evaluation.stranger_verdicts import Answers

__all__ = ["evaluate_adaptation", "evaluate_strangers"]


def evaluate_strangers(
    data: DataOption,
    layout: LayoutOption = REFERENCE_LAYOUT,
    model: Annotated[
        str | None, typer.Option(help="Model package whose way to cut is taken; the embedded one if left out.")
    ] = None,
    packages: Annotated[
        list[str] | None,
        typer.Option(
            "--package",
            help="Package of a run of `edge-all train --leave-out`: what it says of slides and cells of the laboratory "
            "that it never saw; may be repeated.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say which laboratories would be recognised as unknown, each left out in turn, and how often known ones are."""
    from edge_all.model.package import default_package_path
    from edge_all.model.store import find_package
    from edge_all.results import INTENDED_USE
    from edge_all_export.evaluation.strangers import measure_strangers, strangers_table

    spec = find_package(model or str(default_package_path())).card.preprocessing
    judges = [find_package(name) for name in packages or ()]  # before minutes of segmenting
    samples = read_cells(data, layout).samples
    found = measure_strangers(labelled_cells(samples, spec), never_known=(UNSEEN_SET,))
    answers = [answer for package in judges for answer in _answers(package, samples)]
    if as_json:
        record = {"laboratories": [one.to_json() for one in found], "verdicts": [one.to_json() for one in answers]}
        print_json({"kind": "strangers", "intended_use": INTENDED_USE, **record})
        return
    typer.echo(strangers_table(found))
    if answers:
        from edge_all_export.evaluation.stranger_verdicts import EXPLANATION, verdicts_table

        typer.echo(f"\n{verdicts_table(answers)}\n\n{EXPLANATION}")
    typer.echo(f"\n{INTENDED_USE}")


def _answers(package: ModelPackage, samples: Sequence[Sample]) -> tuple[Answers, ...]:
    """What a package says of the laboratories that it never saw."""
    from edge_all.classification.classifier import Classifier
    from edge_all_export.cli.phase_display import PhaseDisplay
    from edge_all_export.datasets.laboratories import laboratories_of
    from edge_all_export.evaluation.stranger_verdicts import (
        judged_answers,
        one_set_a_slide,
        refuse_known_cells,
        unseen_laboratories,
    )
    from edge_all_export.evaluation.strangers import at_most_of_a_slide

    unseen = unseen_laboratories(package, laboratories_of(samples), (UNSEEN_SET,))
    chosen = one_set_a_slide([sample for sample in samples if sample.laboratory in unseen])
    cells = at_most_of_a_slide(labelled_cells(chosen, package.card.preprocessing))
    refuse_known_cells(package, cells)
    with PhaseDisplay() as display:
        phase = f"Judging by {package.card.name}"
        display.advance(phase, 0, len(cells))
        classifier = Classifier(package)
        judgements = classifier.judge(cells.crops)
        display.advance(phase, len(cells), len(cells))
    return judged_answers(package.card.name, cells, judgements, classifier.thresholds)


def evaluate_adaptation(
    model: Annotated[str, typer.Argument(help="Model package (name or folder) that does not know the laboratory.")],
    data: DataOption,
    laboratory: Annotated[str, typer.Option(help="Laboratory to adapt to, by the name that the data give it.")],
    layout: LayoutOption = REFERENCE_LAYOUT,
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
    samples = read_cells(data, layout).samples
    chosen = [sample for sample in samples if sample.laboratory == laboratory]
    if not chosen:
        known = ", ".join(laboratories_of(samples))
        raise UsageError(f"No cell is of a laboratory {laboratory!r}.", f"There are: {known}.")
    cells = labelled_cells(chosen, package.card.preprocessing)
    with Console(stderr=True).status("Adapting") as status:
        gains = measure_gains(package, cells, progress=status.update)
    if as_json:
        print_json({"kind": "adaptation", "intended_use": INTENDED_USE, "gains": [gain.to_json() for gain in gains]})
    else:
        typer.echo(gain_table(gains))
