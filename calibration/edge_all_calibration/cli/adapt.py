"""``edge-all adapt``: a package for one more laboratory, from a few of its labelled cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all_calibration.cli.options import PackageArgument
from edge_all_calibration.cli.paths import existing

if TYPE_CHECKING:
    from edge_all.preprocessing import PreprocessingSpec
    from edge_all_calibration.adapting.adaptation import Adaptation
    from edge_all_calibration.labelled_cells.cells import LabelledCells

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("adapt", rich_help_panel="Training side")(adapt)


def adapt(
    model: PackageArgument,
    cells: Annotated[
        Path,
        typer.Option(
            "--cells",
            callback=existing,
            help="100 to 200 labelled cells: cells.csv of a run with the label column corrected, or a folder with ALL/ "
            "and non-ALL/, a folder a patient.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="New folder of the package.", show_default=False)],
    laboratory: Annotated[
        str | None, typer.Option("--laboratory", help="Name of the laboratory; else the output folder's.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the new package; else the output folder's.")
    ] = None,
    version: Annotated[
        str | None, typer.Option("--model-version", help="Version of the new package; else as it was.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the package at the target.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Adapt a model package to a laboratory that it does not know, by its own network; no TensorFlow is needed.

    Exit status: 0 done, 1 it would do worse than before on the cells kept back and was not published, 2 wrong usage.
    With --json the images left out stand in the record, and cells that are refused have one of their own.
    """
    from edge_all.errors import UsageError
    from edge_all.model.store import find_package
    from edge_all.results import INTENDED_USE
    from edge_all_calibration.adapting.adaptation import RefusedCellsError, adapt_package
    from edge_all_calibration.cli.reporting import step_progress
    from edge_all_calibration.releasing.publishing import PackageName, Publication

    package = find_package(model)
    folder_name = output.resolve().name
    named = PackageName(name or folder_name, version or package.card.version)
    publication = Publication(output, named, replace)
    publication.check_name()
    with step_progress() as progress, publication.folder() as stage:
        progress("Cutting the cells")
        labelled, left_out = _labelled(cells, package.card.preprocessing)
        try:
            found = adapt_package(
                package, stage, labelled, laboratory=laboratory or folder_name, named=named, progress=progress
            )
        except RefusedCellsError as error:
            if as_json:
                said = {"problem": error.problem, "remedy": error.remedy, "refused_groups": error.groups}
                print_json({"kind": "refused cells", "intended_use": INTENDED_USE, **said, "left_out": left_out})
            raise
        if not found.passed:
            raise UsageError(
                "The adapted package decides the cells kept back less well than the old one; nothing is published.",
                "Check the labels, or label more cells: 100 at least, of several patients.",
            )
    if as_json:
        record = {"path": str(output), **found.to_json(), "left_out": left_out}
        print_json({"kind": "adapted package", "intended_use": INTENDED_USE, **record})
    else:
        _say(found)
        typer.echo(f"{named.name} {named.version}, {'with' if found.head else 'without'} a head of its own: {output}")
        typer.echo(INTENDED_USE)


def _labelled(cells: Path, spec: PreprocessingSpec) -> tuple[LabelledCells, list[dict[str, str]]]:
    """The labelled cells of a corrected run or a folder, cut, and the images that are left out, which are said, too."""
    from edge_all_calibration.adapting.corrected_run import read_corrected_cells
    from edge_all_calibration.cli.left_out import saying_what_is_left_out
    from edge_all_calibration.labelled_cells.cell_folder import read_cells

    read = read_corrected_cells if cells.suffix.lower() == ".csv" else read_cells
    left_out: list[dict[str, str]] = []
    with saying_what_is_left_out() as tell:

        def leave_out(image: Path, reason: str) -> None:
            tell(image, reason)
            left_out.append({"image": str(image), "reason": reason})

        return read(cells, spec, leave_out), left_out


def _say(found: Adaptation) -> None:
    """What was fitted, and what it changes on the cells kept back."""
    from edge_all_calibration.adapting.adaptation import in_words

    typer.echo(f"fitted to {in_words(found.fitting)}")
    typer.echo(f"kept back {in_words(found.kept)}")
    for figure, after in found.after.items():
        typer.echo(f"{figure.replace('_', ' ')}: {found.before[figure]} before, {after} after")
    for precision, variant in found.card.variants.items():
        zone = variant.thresholds
        typer.echo(
            f"{precision.upper()}: non-ALL below {zone.non_all_below:.3f}, ALL from {zone.all_from:.3f} "
            f"({'fitted to these cells' if precision in found.zones_fitted else 'as before'})"
        )
    for note in found.notes:
        typer.echo(f"Note: {note}")
