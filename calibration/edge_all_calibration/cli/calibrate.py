"""``edge-all calibrate``: a package's probabilities and thresholds, fitted to a laboratory's own cells."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all_calibration.cli.options import (
    CellsOption,
    PackageArgument,
    gate_limits,
    operating_policy,
    takes,
)
from edge_all_calibration.cli.paths import existing

if TYPE_CHECKING:
    from edge_all_calibration.gating.release_gate import GateLimits
    from edge_all_calibration.probability.operating_points import OperatingPolicy

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("calibrate", rich_help_panel="Training side")(
        takes(policy=operating_policy, limits=gate_limits)(calibrate)
    )


def calibrate(
    model: PackageArgument,
    cells: CellsOption,
    output: Annotated[Path, typer.Option("-o", "--output", help="New folder of the package.", show_default=False)],
    test_cells: Annotated[
        Path | None, typer.Option("--test-cells", callback=existing, help="Other labelled cells, for the gate alone.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the new package; else as it was.")] = None,
    version: Annotated[
        str | None, typer.Option("--model-version", help="Version of the new package; else as it was.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the package at the target.")] = False,
    as_json: JsonOption = False,
    *,
    policy: OperatingPolicy,
    limits: GateLimits,
) -> None:
    """Fit temperature and thresholds of a model package to labelled cells of your own; the network stays as it is.

    Exit status: 0 done, 1 a variant does not pass the gate, 2 nothing was published.
    """
    from edge_all.model.store import find_package
    from edge_all_calibration.cli.left_out import saying_what_is_left_out
    from edge_all_calibration.cli.reporting import gate_json, print_gate, step_progress
    from edge_all_calibration.gating.release_gate import GateCells
    from edge_all_calibration.labelled_cells.cell_folder import read_cells
    from edge_all_calibration.releasing.publishing import PackageName, Publication
    from edge_all_calibration.releasing.recalibration import recalibrate

    package = find_package(model)
    named = PackageName(name or package.card.name, version or package.card.version)
    publication = Publication(output, named, replace)
    publication.check_name()
    spec = package.card.preprocessing
    with step_progress() as progress, publication.folder() as stage:
        progress("Cutting the cells")
        with saying_what_is_left_out() as tell:
            fitting = read_cells(cells, spec, tell)
            gate = None if test_cells is None else GateCells(read_cells(test_cells, spec, tell), limits)
        reports = recalibrate(package, stage, fitting, policy, named=named, gate=gate, progress=progress)
    if as_json:
        print_json({**dataclasses.asdict(named), "path": str(output), "gate": gate_json(reports)})
    else:
        print_gate(reports)
        typer.echo(f"{named.name} {named.version}, recalibrated: {output}")
    raise typer.Exit(0 if all(report.passed for report in reports) else 1)
