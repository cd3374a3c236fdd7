"""``edge-all evaluate segmentation``: scores against masks, points and boxes, and on composed clumps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all.wording.laboratories import laboratory_name
from edge_all_export.cli.evaluate.options import DataOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_all_export.evaluation.segmentation_scores import SegmentationScores, Segmenter

__all__ = ["evaluate_segmentation"]

SEGMENTATION_FILE = "segmentation.json"


def evaluate_segmentation(
    data: DataOption,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="New folder for the figures as JSON.")] = None,
    leave_out: Annotated[
        Path | None,
        typer.Option(
            "--leave-out",
            help="Folder of runs of `edge-all train-outlines`, one without each laboratory, which judges it; "
            "missing ones are trained. Colour alone stands beside.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score the segmentation against the masks, points and boxes of the reference sets under a folder.

    Clumps composed of single cells are scored, too.
    """
    import json

    from rich.console import Console

    from edge_all.files.atomic import write_atomically
    from edge_all.results import INTENDED_USE
    from edge_all_export.cli.evaluation_tables import print_segmentation

    if output is not None:
        from edge_all_export.evaluation.document import claim_folder

        claim_folder(output, (SEGMENTATION_FILE,))
    if leave_out is not None:
        _train_left_out_outlines(data, leave_out)
    with Console(stderr=True).status("Segmenting the reference sets"):
        scores = _segmentation_scores(data, leave_out)
    record = {"kind": "segmentation", "intended_use": INTENDED_USE, **scores.to_json()}
    if output is not None:
        write_atomically(output / SEGMENTATION_FILE, json.dumps(record, indent=1, allow_nan=False).encode())
    if as_json:
        print_json(record)
    else:
        print_segmentation(scores)


def _segmentation_scores(data: Path, runs: Path | None) -> SegmentationScores:
    """The scores of the embedded network, or of those that never saw the laboratory, beside those of colour alone."""
    import functools

    from edge_all.segmentation import segment
    from edge_all_export.evaluation.clump_scores import evaluate_clumps
    from edge_all_export.evaluation.segmentation_scores import SegmentationScores
    from edge_all_export.evaluation.segmentation_scores import evaluate_segmentation as score
    from edge_all_export.outlines.left_out import left_out_segmenters

    colour: Segmenter = functools.partial(segment, outlines="colour")
    ways: dict[str, Callable[[str], Segmenter]] = {"colour": lambda _: colour}
    if runs is None:
        learned: Segmenter = functools.partial(segment, outlines="learned")
        ways["learned"] = lambda _: learned
    else:
        ways["learned elsewhere"] = left_out_segmenters(runs)
    rows = [row for way, segmenter_of in ways.items() for row in score(data, segmenter_of, way).rows]
    return SegmentationScores((*rows, *evaluate_clumps(data, ways)))


def _train_left_out_outlines(data: Path, runs: Path) -> None:
    from rich.console import Console

    from edge_all_export.cli.backend import quiet_backend
    from edge_all_export.outlines.left_out import run_without, runs_to_train

    missing = runs_to_train(data, runs)
    if not missing:
        return
    console = Console(stderr=True)
    with console.status("Loading Keras"), quiet_backend():
        from edge_all_export.outlines.outline_training import OutlineRecipe, train_outlines
    for laboratory in missing:
        folder = run_without(runs, laboratory)
        with console.status(f"Training without {laboratory_name(laboratory)}"):
            train_outlines(data, folder, OutlineRecipe(left_out=laboratory), resume=folder.is_dir())
