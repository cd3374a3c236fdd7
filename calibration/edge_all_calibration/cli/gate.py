"""``edge-all gate``: does a package's every variant decide as its FP32 does?"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from edge_all_calibration.cli.options import CellsOption, PackageArgument

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("gate", rich_help_panel="Training side")(gate)


def gate(
    model: PackageArgument,
    cells: CellsOption,
    agreement: Annotated[float, typer.Option(help="Share of cells with the same label, at least.")] = 0.99,
    sensitivity_loss: Annotated[float, typer.Option(help="Sensitivity lost, at most.")] = 0.005,
    auc_difference: Annotated[float, typer.Option(help="Difference of AUC, at most.")] = 0.003,
    calibration_difference: Annotated[float, typer.Option(help="Difference of calibration error, at most.")] = 0.01,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Hold each variant of a model package against its FP32, on labelled cells that neither trained nor calibrated it.

    Exit status: 0 all passed, 1 one did not, 2 wrong usage or nothing could run.
    """
    from edge_all.model.store import find_package
    from edge_all_calibration.cell_folder import read_cells
    from edge_all_calibration.cli.reporting import print_gate, print_skipped, step_progress
    from edge_all_calibration.gate import GateLimits
    from edge_all_calibration.recalibration import gate_package

    limits = GateLimits(agreement, sensitivity_loss, auc_difference, calibration_difference)
    package = find_package(model)
    with step_progress() as progress:
        labelled = read_cells(cells, package.card.preprocessing, print_skipped)
        reports = gate_package(package, labelled, limits, progress)
    if as_json:
        typer.echo(json.dumps({report.variant: report.to_json() for report in reports}, indent=2))
    else:
        print_gate(reports)
    raise typer.Exit(0 if all(report.passed for report in reports) else 1)
