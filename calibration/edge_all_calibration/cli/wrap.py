"""``edge-all wrap``: a user's own ONNX classifier to a model package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.json_output import JsonOption
from edge_all_calibration.cli.options import CellsOption, release_plan, takes
from edge_all_calibration.cli.paths import existing

if TYPE_CHECKING:
    from edge_all_calibration.releasing.release import ReleasePlan
    from edge_all_calibration.releasing.wrapping import Wrapping

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("wrap", rich_help_panel="Training side")(takes(wrapping=wrapping_of, plan=release_plan)(wrap))


def wrapping_of(
    mean: Annotated[str, typer.Option(help="Subtracted after division by 255: R,G,B.")] = "0,0,0",
    deviation: Annotated[str, typer.Option(help="Divides each channel after that: R,G,B.")] = "1,1,1",
    logits: Annotated[bool, typer.Option("--logits", help="The network ends in logits, not in probabilities.")] = False,
    positive: Annotated[
        int, typer.Option(help="Index of ALL among its classes; 0 too where a single output is about non-ALL.")
    ] = 1,
    factor: Annotated[float, typer.Option(help="Side of a crop as a multiple of the nucleus.")] = 2.0,
    blank: Annotated[bool, typer.Option("--blank", help="Whiten the neighbours of a cell in its crop.")] = False,
) -> Wrapping:
    """How the network is to be read; a group for `takes`."""
    from edge_all_calibration.releasing.wrapping import Wrapping

    return Wrapping(
        _three(mean),
        _three(deviation),
        outputs="logits" if logits else "probabilities",
        positive=positive,
        factor=factor,
        background="blank" if blank else "keep",
    )


def _three(text: str) -> tuple[float, float, float]:
    from edge_all.errors import UsageError

    try:
        red, green, blue = (float(word) for word in text.split(","))
    except ValueError as error:
        raise UsageError(f"{text!r} is not three numbers.", "Write them as R,G,B.") from error
    return red, green, blue


def wrap(
    network: Annotated[
        Path, typer.Argument(metavar="MODEL.onnx", callback=existing, help="A classifier of single cells.")
    ],
    cells: CellsOption,
    test_cells: Annotated[
        Path,
        typer.Option(
            "--test-cells", callback=existing, help="Other labelled cells, for the gate alone.", show_default=False
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="New folder of the package.", show_default=False)],
    name: Annotated[str, typer.Option("--name", help="Name of the package.")] = "wrapped",
    version: Annotated[str, typer.Option("--model-version", help="Version of the package.")] = "1.0.0",
    *,
    wrapping: Wrapping,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the package at the target.")] = False,
    as_json: JsonOption = False,
    plan: ReleasePlan,
) -> None:
    """Make a model package of your own ONNX classifier: calibrated, in three precisions, with its card.

    Exit status: 0 all variants passed the gate, 1 one was rejected, 2 nothing was published.
    """
    from edge_all_calibration.cli.left_out import saying_what_is_left_out
    from edge_all_calibration.cli.reporting import end_with, step_progress
    from edge_all_calibration.releasing.publishing import PackageName, Publication
    from edge_all_calibration.releasing.wrapping import wrap_package

    publication = Publication(output, PackageName(name, version), replace)
    publication.check_name()
    with step_progress() as progress, saying_what_is_left_out() as skipped:
        release = wrap_package(
            network,
            wrapping,
            (cells, test_cells),
            publication,
            plan=plan,
            skipped=skipped,
            progress=progress,
        )
    end_with(output, release, as_json=as_json)
