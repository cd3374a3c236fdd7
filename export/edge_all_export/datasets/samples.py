"""A labelled cell, and a set of them with what had to be left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_all.errors import ImageError, InputNotFoundError
from edge_all.imaging import IMAGE_SUFFIXES
from edge_all.results import Cell
from edge_all.session import available_cores

__all__ = [
    "ALL",
    "CLASS_INDICES",
    "NON_ALL",
    "CellSet",
    "Label",
    "Sample",
    "SkippedImage",
    "contiguous_block",
    "list_images",
    "told_of_images",
]

_progress: ContextVar[Callable[[int, int], None]] = ContextVar("progress", default=lambda _done, _total: None)
Label = Literal[0, 1]
NON_ALL: Label = 0
ALL: Label = 1
CLASS_INDICES: dict[str, Label] = {"non-ALL": NON_ALL, "ALL": ALL}
"""The labels by the names of their classes, which is what Keras's folder readers call class_indices."""

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


@contextmanager
def told_of_images(progress: Callable[[int, int], None]) -> Iterator[None]:
    """Within it, `collect` tells after each image how many of how many are read."""
    token = _progress.set(progress)
    try:
        yield
    finally:
        _progress.reset(token)


def collect(images: Sequence[Path], read: Callable[[Path], Iterable[Sample]]) -> CellSet:
    """Read images on all cores; those that cannot be read, or hold no cell, are listed instead of stopping all.

    Args:
        images: the files, in the order of the result.
        read: yields the samples of an image; called on several threads.
    """
    samples: list[Sample] = []
    skipped: list[SkippedImage] = []
    progress = _progress.get()

    def attempt(image: Path) -> list[Sample] | str:
        try:
            return list(read(image)) or "no labelled cell was found in it"
        except ImageError as error:
            return str(error)

    with ThreadPoolExecutor(available_cores()) as threads:
        for done, (image, found) in enumerate(zip(images, threads.map(attempt, images), strict=True), start=1):
            if isinstance(found, str):
                skipped.append(SkippedImage(image, found))
            else:
                samples.extend(found)
            progress(done, len(images))
    return CellSet(tuple(samples), tuple(skipped))
