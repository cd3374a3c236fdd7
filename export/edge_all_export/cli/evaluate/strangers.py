"""``edge-all evaluate strangers`` and ``adaptation``: what a laboratory that was never learned meets with."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all_export.cli.evaluate.labelled_images import labelled_cells, read_cells
from edge_all_export.cli.evaluate.options import UNSEEN_SET, DataOption
from edge_all_export.cli.options import REFERENCE_LAYOUT, LayoutOption

__all__ = ["evaluate_adaptation", "evaluate_strangers"]


def evaluate_strangers(
    data: DataOption,
    layout: LayoutOption = REFERENCE_LAYOUT,
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
    found = measure_strangers(labelled_cells(read_cells(data, layout).samples, spec), never_known=(UNSEEN_SET,))
    if as_json:
        rows = [one.to_json() for one in found]
        print_json({"kind": "strangers", "intended_use": INTENDED_USE, "laboratories": rows})
    else:
        typer.echo(f"{strangers_table(found)}\n\n{INTENDED_USE}")


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
