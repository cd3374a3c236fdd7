"""``edge-all classify``: single-cell crops to labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all.cli.options import DeviceOption, ModelOption, ThreadsOption, VariantOption
from edge_all.cli.process import lean_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_all.inputs import ImageSource
    from edge_all.screening.single_cells import CropResult

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("classify")(classify)


def classify(
    crops: Annotated[list[str], typer.Argument(metavar="CROP...", help="Images of one cell each, folders, or globs.")],
    model: ModelOption = None,
    variant: VariantOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge images that show one cell each; the cell in the middle is the one that is judged."""
    lean_process()
    from edge_all.cli.found import say_what_is_left_out
    from edge_all.inputs import find_images

    sources = find_images(crops, crops_of_a_run=True)
    say_what_is_left_out(sources)
    _say_what_a_run_saved(sources)
    from edge_all.api.screener import Screener

    results = tuple(Screener(model, variant, device, threads).classify(sources))
    if as_json:
        print_json([result.to_json() for result in results])
    else:
        _print_table(results)
    raise typer.Exit(0 if all(result.status == "ok" for result in results) else 1)


def _say_what_a_run_saved(sources: Sequence[ImageSource]) -> None:
    """Crops that a run saved are pictures for people; it judged the cells before they were shrunk."""
    from edge_all.files.run_folder import run_that_wrote

    runs = {run for source in sources if (run := run_that_wrote(source.path, source.path.parent)[0]) is not None}
    for run in sorted(runs):
        typer.echo(
            f"Some of these images were saved by the run in {run}, for people to look at. What it found in the fields "
            "themselves is in its cells.csv.",
            err=True,
        )


def _print_table(results: tuple[CropResult, ...]) -> None:
    from edge_all.cli.tables import ReadableTable
    from edge_all.results import INTENDED_USE

    table = ReadableTable("image", "label", "probability\nof ALL", "note", fold=("image", "note"), caption=INTENDED_USE)
    for result in results:
        probability = "" if result.probability is None else f"{result.probability:.3f}"
        table.add_row(result.image, result.label or result.status, probability, result.error or result.note or "")
    table.print()
