"""For each laboratory the network of outlines that never saw it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from edge_all.results import RgbImage, Segmentation
from edge_all.segmentation import segment
from edge_all.segmentation.outline_network import OUTLINE_CARD, open_outlines
from edge_all_export.outlines.known_cells import FOLDERS, JUDGED_LABORATORIES

__all__ = ["left_out_segmenters", "run_without", "runs_to_train"]


def run_without(runs: Path, laboratory: str) -> Path:
    """Folder, below that of all runs, of the one that left a laboratory out."""
    return runs / f"without-{laboratory.replace(' ', '-')}"


def runs_to_train(data: Path, runs: Path) -> list[str]:
    """The laboratories under a folder of reference sets whose left-out run is not there, or not finished."""
    present = [name for name in JUDGED_LABORATORIES if (data / FOLDERS[name]).is_dir()]
    return [name for name in present if not (run_without(runs, name) / OUTLINE_CARD).is_file()]


def left_out_segmenters(runs: Path) -> Callable[[str], Callable[[RgbImage], Segmentation]]:
    """The segmentation of each laboratory by the network that never saw it.

    Args:
        runs: folder of finished runs, see `run_without`.

    Returns:
        A function from the laboratory's name, which raises ModelError where there is no such run.
    """

    def segmenter_of(laboratory: str) -> Callable[[RgbImage], Segmentation]:
        return functools.partial(segment, outlines=open_outlines(run_without(runs, laboratory)))

    return segmenter_of
