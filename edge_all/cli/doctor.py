"""``edge-all doctor``: what is wrong with this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Say what is wrong with this machine and what to do about it. Changes nothing.

    Exit status: 0 nothing is wrong, 1 something is.
    """
    from edge_all.doctor import examine

    report = examine(model=model, folder=folder, camera_folder=camera)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        _print_table(report)
    raise typer.Exit(0 if report.healthy else 1)


def _print_table(report: DoctorReport) -> None:
    from rich.console import Console
    from rich.text import Text

    from edge_all.cli.tables import readable_table
    from edge_all.results import INTENDED_USE

    table = readable_table(
        "check", "status", "finding and remedy", fold=("check", "finding and remedy"), caption=INTENDED_USE
    )
    for check in report.checks:
        finding = Text(check.finding)
        if check.remedy is not None:
            finding.append(f"\n{check.remedy}", style="bold")
        table.add_row(Text(check.name), Text(check.status, style=_STYLES[check.status]), finding)
    Console().print(table)
