"""``edge-all gate``: does a package's every variant decide as its FP32 does?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all_calibration.cli.options import (
    CellsOption,
    PackageArgument,
    gate_limits,
    takes,
)

if TYPE_CHECKING:
    from edge_all.model.package import ModelPackage
    from edge_all_calibration.gating.release_gate import GateLimits
    from edge_all_calibration.labelled_cells.cells import LabelledCells

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("gate", rich_help_panel="Training side")(takes(limits=gate_limits)(gate))


def gate(
    model: PackageArgument,
    cells: CellsOption,
    reference: Annotated[
        str | None,
        typer.Option("--reference", help="Package with the FP32 of the same model, where MODEL holds none."),
    ] = None,
    as_json: JsonOption = False,
    *,
    limits: GateLimits,
) -> None:
    """Hold each variant of a model package against its FP32, on labelled cells that neither trained nor calibrated it.

    Without an FP32 nothing can be compared: the variants' own figures are printed, and nothing has passed.

    Exit status: 0 all passed, 1 one did not or there was no FP32 to judge by, 2 wrong usage or nothing could run.
    """
    from edge_all.model.store import find_package
    from edge_all_calibration.cli.left_out import saying_what_is_left_out
    from edge_all_calibration.cli.reporting import gate_json, print_gate, step_progress
    from edge_all_calibration.labelled_cells.cell_folder import read_cells
    from edge_all_calibration.releasing.recalibration import gate_package

    package = find_package(model)
    other = None if reference is None else find_package(reference)
    with step_progress() as progress:
        with saying_what_is_left_out() as tell:
            labelled = read_cells(cells, package.card.preprocessing, tell)
        if other is None and "fp32" not in package.card.variants:
            _print_figures(package, labelled, progress, as_json=as_json)
            raise typer.Exit(1)
        reports = gate_package(package, labelled, limits, progress, reference=other)
    if as_json:
        print_json(gate_json(reports))
    else:
        print_gate(reports)
    raise typer.Exit(0 if all(report.passed for report in reports) else 1)


def _print_figures(
    package: ModelPackage, cells: LabelledCells, progress: Callable[[str], None], *, as_json: bool
) -> None:
    """Say how good each variant is, and that this is no gate."""
    from edge_all_calibration.cli.reporting import print_figures
    from edge_all_calibration.figures.measures import CALIBRATION_METHOD
    from edge_all_calibration.gating.release_gate import figures_json
    from edge_all_calibration.releasing.recalibration import package_figures

    reason = (
        f"{package.card.name} {package.card.version} at {package.path} holds no FP32, so nothing was compared and "
        "nothing has passed. Name the package as it was exported with --reference."
    )
    found = package_figures(package, cells, progress)
    if as_json:
        records = {
            name: {
                "passed": None,
                "reasons": [reason],
                "cells": cells.counts(),
                "calibration_error": CALIBRATION_METHOD,
                "variant": figures_json(figures),
            }
            for name, figures in found.items()
        }
        print_json(records)
    else:
        print_figures(found, cells.counts(), reason)
