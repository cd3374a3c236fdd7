"""Confirmed cells of signed slides as labelled cells, from which ``edge-all adapt`` and training learn."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_all.errors import EdgeAllError, InputNotFoundError
from edge_all.files.atomic import write_atomically
from edge_all.preprocessing import PreprocessingSpec
from edge_all.results import RgbImage
from edge_all.station.desk import Station
from edge_all.station.network_crops import cut_found_cells
from edge_all.station.review.cells import ReviewedCell
from edge_all.station.review.slide_review import SlideView

__all__ = ["WrittenCells", "labelled_cells", "write_labelled_cells"]


@dataclass(frozen=True, slots=True)
class WrittenCells:
    """What was written.

    Attributes:
        all_cells, non_all_cells: how many of each class.
        slides: from how many signed slides.
        left_out: why cells or images were left out, and how many of them.
    """

    all_cells: int
    non_all_cells: int
    slides: int
    left_out: dict[str, int]


def write_labelled_cells(station: Station, out: Path, spec: PreprocessingSpec, laboratory: str = "") -> WrittenCells:
    """Write `labelled_cells` into a new file.

    Raises:
        InputNotFoundError: there is no such cell.
        OutputError: the file cannot be written.
    """
    content, written = labelled_cells(station, spec, laboratory)
    write_atomically(out, content)
    return written


def labelled_cells(station: Station, spec: PreprocessingSpec, laboratory: str = "") -> tuple[bytes, WrittenCells]:
    """The cells of signed slides that a person has looked at, cut as a model sees them.

    A cell is taken where it counts as ALL or non-ALL; with two readers, where both say the same. Groups are slides.
    Cells that people have drawn or outlined anew are left out: their nucleus, which the cut goes by, is not known; so
    are those of the demonstration's slides, from which nothing is to be learned about real ones.

    Args:
        station: its store.
        spec: how to cut: that of the model that is to learn.
        laboratory: name of the laboratory, where more than one is to be learned from.

    Returns:
        A cell set (npz) as `edge_all_calibration.labelled_cells` reads it, and what is in it.

    Raises:
        InputNotFoundError: there is no such cell.
    """
    crops: list[RgbImage] = []
    labels: list[bool] = []
    slides: list[str] = []
    left_out: dict[str, int] = {}
    for review, view in station.signed_reviews():
        if view.slide.synthetic:
            _add(left_out, "drawn by edge-all itself", sum(map(_confirmed, view.cells)))
            continue
        differing = {one.first.id for one in review.disagreements() if one.first} if view.two_readers else set()
        chosen = {cell.id: cell for cell in view.cells if _confirmed(cell) and cell.id not in differing}
        drawn = sum(cell.found is None or cell.circle is not None for cell in chosen.values())
        _add(left_out, "drawn or outlined by a person", drawn)
        for cut, cell in _cut(station, view, chosen, spec, left_out):
            crops.append(cut)
            labels.append(cell.counts_as == "ALL")
            slides.append(view.slide.code)
    if not crops:
        raise InputNotFoundError(
            "No signed slide has a confirmed cell to learn from.",
            "Review slides and sign them first; drawn cells, those of the demonstration, and those whose image is gone "
            "or changed teach nothing.",
        )
    names = np.array(slides, np.str_)
    content = io.BytesIO()
    np.savez_compressed(
        content,
        crops=np.stack(crops),
        labels=np.array(labels),
        groups=names,
        slides=names,
        laboratories=np.array([laboratory] * len(crops)),
    )
    return content.getvalue(), WrittenCells(sum(labels), len(labels) - sum(labels), len(set(slides)), left_out)


def _confirmed(cell: ReviewedCell) -> bool:
    return cell.seen and cell.counts_as in ("ALL", "non-ALL")


def _cut(
    station: Station,
    view: SlideView,
    chosen: dict[str, ReviewedCell],
    spec: PreprocessingSpec,
    left_out: dict[str, int],
) -> Iterator[tuple[RgbImage, ReviewedCell]]:
    for field, found in view.fields:
        own = [
            cell
            for cell in chosen.values()
            if cell.field == field.place and cell.found is not None and cell.circle is None
        ]
        if not own:
            continue
        summaries = [cell.found for cell in own if cell.found is not None]
        try:
            crops = cut_found_cells(station, field, found, summaries, spec).pixels
        except EdgeAllError:
            _add(left_out, "image gone or changed", len(own))
            continue
        yield from zip(crops, own, strict=True)


def _add(counts: dict[str, int], name: str, number: int) -> None:
    if number:
        counts[name] = counts.get(name, 0) + number
