"""``edge-all doctor``: what is wrong with this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all.cli.options import ModelOption

if TYPE_CHECKING:
    from edge_all.doctor import DoctorReport

__all__ = ["register"]

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("doctor")(doctor)


def doctor(
    model: ModelOption = None,
    folder: Annotated[Path, typer.Option(help="Folder into which results would be written.")] = Path(),
    camera: Annotated[Path | None, typer.Option(help="Folder into which the camera writes.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with this machine and what to do about it. Changes nothing.

    Exit status: 0 nothing is wrong, 1 something is.
    """
    from edge_all.doctor import examine

    report = examine(model=model, folder=folder, camera_folder=camera)
    if as_json:
        print_json(report.to_json())
    else:
        _print_table(report)
    raise typer.Exit(0 if report.healthy else 1)


def _print_table(report: DoctorReport) -> None:
    from rich.text import Text

    from edge_all.cli.tables import ReadableTable
    from edge_all.results import INTENDED_USE

    table = ReadableTable(
        "check", "status", "finding and remedy", fold=("check", "finding and remedy"), caption=INTENDED_USE
    )
    for check in report.checks:
        finding = Text(check.finding)
        if check.remedy is not None:
            finding.append(f"\n{check.remedy}", style="bold")
        table.add_row(check.name, Text(check.status, style=_STYLES[check.status]), finding)
    table.print()
