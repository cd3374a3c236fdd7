"""A labelled cell, and a set of them with what had to be left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_all.errors import ImageError, InputNotFoundError
from edge_all.imaging import IMAGE_SUFFIXES
from edge_all.results import Cell

__all__ = ["ALL", "NON_ALL", "CellSet", "Label", "Sample", "SkippedImage", "contiguous_block", "list_images"]

Label = Literal[0, 1]
NON_ALL: Label = 0
ALL: Label = 1

CUT_OUT_OF = {"allidb1": "allidb", "allidb2": "allidb"}
"""Laboratory of the sources that share one; any other source is a laboratory of its own."""

BLOCK_LENGTH = 5
"""Consecutive image numbers that always stay on one side of a split. ALL-IDB has no patient ids; its sheets of fields
from one patient are a few fields long, and longer blocks would leave fewer than five with blasts."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled cell.

    Attributes:
        id: unique name, ``source/image/cell``.
        source: the data set that the picture was taken for; sets cut out of one another share it with their origin only
            through ``group``.
        group: the field, or the patient where he is known; never on both sides of a split.
        block: run of neighbouring groups that may be one patient; never on both sides of a split either.
        label: 1 is ALL, 0 is non-ALL.
        image: file to read.
        cell: where in the image, as `edge_all.segmentation.segment` found it.
        kind: what it is, as far as the truth says (``blast``, ``white cell``, ``lymphocyte``, ``small object`` ...).
        field_size: width and height that the file is enlarged to before anything looks at it, for sets that were
            published smaller than photographed or squeezed; None takes the file as it is.
    """

    id: str
    source: str
    group: str
    block: str
    label: Label
    image: Path
    cell: Cell
    kind: str
    field_size: tuple[int, int] | None = None

    @property
    def laboratory(self) -> str:
        """Where the slide was stained and photographed: the data set, or the one that it was cut out of."""
        return CUT_OUT_OF.get(self.source, self.source)


@dataclass(frozen=True, slots=True)
class SkippedImage:
    """An image that could not be used, and why."""

    image: Path
    reason: str


@dataclass(frozen=True, slots=True)
class CellSet:
    """Labelled cells of one or more data sets.

    Attributes:
        samples: the cells.
        skipped: images that could not be read, or in which no labelled cell was found.
    """

    samples: tuple[Sample, ...]
    skipped: tuple[SkippedImage, ...] = ()

    def __add__(self, other: CellSet) -> CellSet:
        return CellSet(self.samples + other.samples, self.skipped + other.skipped)

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of cells by source, then by kind."""
        table: dict[str, Counter[str]] = {}
        for sample in self.samples:
            table.setdefault(sample.source, Counter())[sample.kind] += 1
        return {source: dict(sorted(kinds.items())) for source, kinds in sorted(table.items())}


def contiguous_block(prefix: str, number: int, length: int = BLOCK_LENGTH) -> str:
    """Name of the run of ``length`` consecutive numbers that ``number`` belongs to."""
    first = (number - 1) // length * length + 1
    return f"{prefix}/{first:03d}-{first + length - 1:03d}"


def list_images(folder: Path, *, recursive: bool = False) -> list[Path]:
    """The image files of a folder in the order of their names.

    Raises:
        InputNotFoundError: there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise InputNotFoundError(f"There is no folder {folder}.", "Check the path of the data set.")
    found = folder.rglob("*") if recursive else folder.iterdir()
    images = sorted(path for path in found if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not images:
        raise InputNotFoundError(f"The folder {folder} holds no image.", "Check the path of the data set.")
    return images


def collect(images: Sequence[Path], read: Callable[[Path], Iterable[Sample]]) -> CellSet:
    """Read images one after another; those that cannot be read, or hold no cell, are listed instead of stopping all."""
    samples: list[Sample] = []
    skipped: list[SkippedImage] = []
    for image in images:
        try:
            found = list(read(image))
        except ImageError as error:
            skipped.append(SkippedImage(image, str(error)))
            continue
        if not found:
            skipped.append(SkippedImage(image, "no labelled cell was found in it"))
        samples.extend(found)
    return CellSet(tuple(samples), tuple(skipped))
